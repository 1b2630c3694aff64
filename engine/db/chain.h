/* SPDX-License-Identifier: Apache-2.0
 *
 * chain -- which logged commits of a marked tree count.
 *
 * Every logged commit names its predecessor: the tree's marker before the transaction.
 * Of all that are in the log those count that lie on the way from the owner's marker
 * back through the predecessors to what tables hold.  Order in the log decides nothing:
 * a commit that was rolled back may stand between two that were not, and one whose
 * rollback was reported may turn out to be the marker after a crash.  Pure; no locks.
 */
#ifndef SDB_DB_CHAIN_H
#define SDB_DB_CHAIN_H

#include "base/buf.h"
#include "tree/memtable.h"

struct sdb_link {
    uint64_t number, prev;
};

struct sdb_chain {
    struct sdb_link *links; /* owned; rising by number */
    size_t n, capacity;
};

enum sdb_verdict {
    SDB_CHAIN_MATCH,
    SDB_CHAIN_BEHIND, /* the marker's own commit is not in the log: its tail was lost */
    SDB_CHAIN_AHEAD,  /* tables hold commits that the marker does not know */
    SDB_CHAIN_DIVERGED /* the predecessors do not lead to what tables hold */
};

/* CORRUPT: number is not greater than all before it. */
int sdb_chain_add(struct sdb_chain *c, uint64_t number, uint64_t prev, seerdb_err *err)
    SDB_MUST_CHECK;
void sdb_chain_fini(struct sdb_chain *c);

/* What the chain is resolved against. */
struct sdb_chain_base {
    uint64_t floor;   /* the newest commit that tables hold; 0: none */
    uint64_t adopted; /* a marker whose commit was lost and given up once; 0: none */
};

/* Resolve the chain for a marker.  With MATCH and BEHIND the commits that do not count
 * go to `hidden` (room for c->n), rising, and their number to *nhidden. */
enum sdb_verdict sdb_chain_resolve(const struct sdb_chain *c,
                                   const struct sdb_chain_base *base, uint64_t marker,
                                   struct sdb_hidden_range *hidden, size_t *nhidden);

/* Keep only the links that `hidden` (rising single numbers) lists. */
void sdb_chain_keep(struct sdb_chain *c, const struct sdb_hidden_range *hidden,
                    size_t nhidden);

/* Drop the links up to and including number. */
void sdb_chain_forget(struct sdb_chain *c, uint64_t number);

#endif
