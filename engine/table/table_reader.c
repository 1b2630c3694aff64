/* SPDX-License-Identifier: Apache-2.0 */
#include "table/table_reader.h"

#include "table/table_cursor.h"

int sdb_table_open(struct sdb_file *f, const seerdb_uuid *id, uint64_t file_size,
                   struct sdb_table **out, seerdb_err *err)
{
    struct sdb_table *t = sdb_mem_zalloc(sizeof *t);
    int rc;
    if (t == NULL) {
        sdb_file_close(f);
        return sdb_fail_nomem(err, sizeof *t);
    }
    atomic_init(&t->count, 1);
    atomic_init(&t->codec, NULL);
    t->file = f;
    rc = sdb_table_index_load(&t->index, f, id, file_size, SDB_FOR_READ, err);
    if (rc != 0) {
        sdb_table_unref(t);
        return rc;
    }
    *out = t;
    return 0;
}

void sdb_table_use_cache(struct sdb_table *t, struct sdb_cache *cache)
{
    t->cache = cache;
    t->cache_name = sdb_cache_new_table();
}

struct sdb_table *sdb_table_ref(struct sdb_table *t)
{
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    return t;
}

void sdb_table_unref(struct sdb_table *t)
{
    if (t == NULL || atomic_fetch_sub_explicit(&t->count, 1, memory_order_acq_rel) != 1)
        return;
    sdb_codec_free(atomic_load_explicit(&t->codec, memory_order_acquire));
    sdb_table_index_fini(&t->index);
    sdb_file_close(t->file);
    sdb_mem_free(t);
}

const struct sdb_table_properties *sdb_table_properties(const struct sdb_table *t)
{
    return &t->index.props;
}

size_t sdb_table_memory(const struct sdb_table *t)
{
    return sizeof *t + sdb_table_index_memory(&t->index);
}

int sdb_table_get(struct sdb_table *t, seerdb_slice key, uint64_t ceiling,
                  struct sdb_found *out, seerdb_err *err)
{
    struct sdb_table_cursor c = {.table = t};
    struct sdb_record r;
    bool exact;
    int rc = sdb_table_cursor_locate(&c, key, ceiling, &exact, err);
    if (rc == 0 && !exact)
        rc = SEERDB_NOTFOUND;
    if (rc != 0) {
        sdb_table_cursor_fini(&c);
        return rc;
    }
    sdb_block_record(&c.held->block, c.slot, &r);
    *out = (struct sdb_found){r.number, r.kind, r.value, &c.held->pin};
    return 0;
}
