/* SPDX-License-Identifier: Apache-2.0
 *
 * sieve -- the filter of a tree (seerdb.h, "filters"), for reads and for the fold.
 *
 * Life: new, ask, free.  Any thread; immutable but for its counters.
 *
 * A row that the filter removes is a deleted row: of its key nothing is seen, and where
 * it lay a tombstone with its number lies, until the bottom.  So no older version comes
 * back, whatever the clock does. */
#ifndef SDB_TREE_SIEVE_H
#define SDB_TREE_SIEVE_H

#include "base/buf.h"
#include "table/segments.h"

#include <stdatomic.h>

struct seerdb_filter_out {
    struct sdb_buf bytes, sparse; /* a changed value; one that is asked about */
};
static inline void sdb_filter_out_fini(struct seerdb_filter_out *out)
{
    sdb_buf_fini(&out->bytes);
    sdb_buf_fini(&out->sparse);
}

struct sdb_sieve {
    seerdb_filter filter;
    _Atomic uint64_t removed, changed, failed; /* rows, by jobs; relaxed */
};

int sdb_sieve_new(const seerdb_filter *filter, struct sdb_sieve **out, seerdb_err *err)
    SDB_MUST_CHECK;
void sdb_sieve_free(struct sdb_sieve *s); /* accepts NULL; releases the filter */

/* What becomes of a row at a time: SEERDB_KEEP, _REMOVE, _CHANGE (its value is then in
 * out, until it is used again), or the filter's failure. */
int sdb_sieve_ask(const struct sdb_sieve *s, const seerdb_row *row, uint64_t now_us,
                  struct seerdb_filter_out *out, seerdb_err *err) SDB_MUST_CHECK;

/* The same of a record; SEERDB_WHOLE: its value must be read first, and then it is a
 * matter of sdb_sieve_ask. */
int sdb_sieve_ask_record(const struct sdb_sieve *s, const struct sdb_record *r,
                         uint64_t now_us, struct seerdb_filter_out *out,
                         seerdb_err *err) SDB_MUST_CHECK;

/* When the row is removed at the latest: microseconds since 1970; UINT64_MAX: never, or
 * the filter does not say. */
uint64_t sdb_sieve_expiry(const struct sdb_sieve *s, const struct sdb_record *r);

#endif
