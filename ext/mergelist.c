/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys share counters: two that meet in one are read a little earlier, that is all.  So
 * there is nothing to grow, to look up or to take back: not even a rollback matters.
 *
 * A list that an expression fails for would be evaluated in vain each time; after each
 * failure twice as many operands must come until the next try, so that all tries of a
 * transaction cost about as much as two reads of the longest list. */
#include "mergelist.h"

#include <string.h>

#define COUNTERS 1024u

struct svt_mergelist {
    uint32_t most; /* operands until a list is made shorter */
    uint32_t counts[COUNTERS];
};

static uint32_t *counter_of(struct svt_mergelist *m, seerdb_slice key)
{
    const uint8_t *p = key.data;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ p[i]) * UINT64_C(1099511628211);
    return &m->counts[(hash ^ hash >> 32) % COUNTERS];
}

int svt_mergelist_count(struct svt_keyspace *ks, seerdb_slice key, bool *grown)
{
    struct svt_mergelist *m = ks->mergelist;
    *grown = false;
    if (m == NULL) {
        if ((m = sqlite3_malloc64(sizeof *m)) == NULL)
            return SQLITE_NOMEM;
        memset(m, 0, sizeof *m);
        m->most = SVT_MERGELIST_MOST;
        ks->mergelist = m;
    }
    uint32_t *count = counter_of(m, key);
    if (++*count <= m->most)
        return SQLITE_OK;
    *count = 1; /* the one that comes now */
    *grown = true;
    return SQLITE_OK;
}

int svt_mergelist_shorten(struct svt_table *t, seerdb_batch *batch, seerdb_slice key)
{
    struct svt_keyspace *ks = t->ks;
    seerdb_value found = {.pin = NULL};
    seerdb_err err = {0};
    int rc = seerdb_get(ks->write_view, batch, SEERDB_BATCH_ALL, key, &found, &err);
    if (rc == SEERDB_MISMATCH || rc == SEERDB_TOOBIG) {
        if (ks->mergelist->most < UINT32_MAX / 4)
            ks->mergelist->most *= 2;
        return SQLITE_OK;
    }
    /* A row with values elsewhere is no list: it was not merged into. */
    if (rc == SEERDB_OK && found.segments.size == 0)
        rc = seerdb_batch_put(batch, ks->tree, key, found.bytes, &err);
    seerdb_pin_unref(found.pin);
    return rc == SEERDB_NOTFOUND ? SQLITE_OK : svt_table_fail(t, rc, &err);
}

void svt_mergelist_end(struct svt_keyspace *ks)
{
    sqlite3_free(ks->mergelist);
    ks->mergelist = NULL;
}
