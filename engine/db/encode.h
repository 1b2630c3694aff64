/* SPDX-License-Identifier: Apache-2.0
 *
 * encode -- a batch as the payload of its commit: FORMAT.md, "Commit log". */
#ifndef SDB_DB_ENCODE_H
#define SDB_DB_ENCODE_H

#include "db/batch.h"

/* Encode what stands into b->payload, one record per (tree, key), and list the trees it
 * touches in b->slots (none: nothing stands).  What is left in memory of a tree that
 * has spilled is spilled too, so that its part consists of tables or of records, never
 * of both.  TOOBIG over SEERDB_COMMIT_MAX. */
int sdb_batch_encode(seerdb_batch *b, seerdb_err *err) SDB_MUST_CHECK;

#endif
