/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the blocks of a table are while they are read: in a pool, in a map of the file.
 */
#define _GNU_SOURCE
#include "table/table_cursor.h"

#include "base/rand.h"
#include "os/thread.h"
#include "table/table_iter.h"
#include "table/table_verify.h"
#include "table/testing.h"

#include <stdlib.h>
#include <unistd.h>

#define RECORDS 5000u

static struct sdb_buf bytes; /* of the keys and values */
static struct list all;

static seerdb_slice keep(const void *p, size_t n)
{
    uint8_t *at = bytes.data + bytes.size;
    assert_true(bytes.size + n <= bytes.capacity);
    sdb_buf_append(&bytes, p, n);
    return (seerdb_slice){at, n};
}

static int make_list(void **state)
{
    char text[300];
    struct sdb_rand r = {5};
    (void)state;
    assert_true(sdb_buf_reserve(&bytes, (size_t)RECORDS * 320));
    for (unsigned i = 0; i < RECORDS; i++) {
        char key[16];
        /* Every fourth stretch of records is worth compressing. */
        for (size_t k = 0; k < sizeof text; k++)
            text[k] = i / 200 % 4 == 0 ? 'v' : (char)sdb_rand_next(&r);
        snprintf(key, sizeof key, "key%08u", 3 * i);
        snprintf(text, 12, "%011u", i);
        seerdb_slice k = keep(key, strlen(key)), v = keep(text, 20 + i * 37 % 280);
        list_add(&all, k, i + 1, SDB_KIND_VALUE, v);
    }
    return 0;
}

static int free_list(void **state)
{
    (void)state;
    list_fini(&all);
    sdb_buf_fini(&bytes);
    return 0;
}

static void has_all(struct sdb_table *t)
{
    seerdb_err err = {0};
    struct sdb_iter *it = NULL;
    for (unsigned i = 0; i < all.n; i++) {
        const struct sdb_record *r = &all.r[i * 7919u % all.n];
        struct sdb_found found;
        test_ok(table_get(t, r->key, UINT64_MAX, &found, &err), &err);
        test_slice_equal(found.value, r->value);
        seerdb_pin_unref(found.pin);
    }
    test_ok(sdb_table_iter(t, UINT64_MAX, &it, &err), &err);
    int rc = it->ops->first(it, &err);
    for (unsigned i = 0; i < all.n; i++, rc = it->ops->next(it, &err)) {
        assert_int_equal(rc, 0);
        test_slice_equal(it->at.key, all.r[i].key);
        test_slice_equal(it->at.value, all.r[i].value);
    }
    assert_int_equal(rc, SEERDB_NOTFOUND);
    sdb_iter_close(it);
}

static void blocks_in_a_pool_read_the_same_and_may_outlive_all(void **state)
{
    (void)state;
    for (int level = 0; level < 2; level++) {
        struct sdb_table_writer_options o = options_for(&all);
        o.compression = level;
        struct made m = make_table(&o, &all);
        struct sdb_cache *cache = sdb_cache_new((size_t)64 << 20);
        struct sdb_pages *pool = sdb_pages_new(0);
        struct sdb_cache_counters c;
        struct sdb_table *t = NULL;
        struct sdb_found found;
        seerdb_err err = {0};
        assert_non_null(cache);
        assert_non_null(pool);
        test_ok(open_made(&m, &t, &err), &err);
        sdb_table_use_cache(t, cache, pool);
        has_all(t);
        sdb_cache_count(cache, &c);
        assert_int_equal(c.misses, sdb_table_properties(t)->blocks);
        if (SDB_PAGES_PIECE_MAX > 0) /* what was unpacked from is given back */
            assert_in_range(sdb_pages_bytes(pool), c.bytes / 2,
                            c.bytes + SDB_PAGES_REGION);
        sdb_pages_check(pool);
        test_ok(table_get(t, all.r[99].key, UINT64_MAX, &found, &err), &err);
        sdb_table_unref(t);
        sdb_cache_free(cache);
        sdb_pages_check(pool);
        sdb_pages_unref(pool);
        test_slice_equal(found.value, all.r[99].value);
        seerdb_pin_unref(found.pin);
        sdb_memfs_free(m.fs);
    }
}

static void a_crowded_pool_drops_cached_blocks_and_reads_go_on(void **state)
{
    (void)state;
    if (SDB_PAGES_PIECE_MAX == 0)
        return; /* there is no pool */
    struct sdb_table_writer_options o = options_for(&all);
    struct made m = make_table(&o, &all);
    struct sdb_cache *cache = sdb_cache_new((size_t)64 << 20);
    struct sdb_pages *pool = sdb_pages_new(0);
    struct sdb_cache_counters before, after;
    struct sdb_table *tables[40];
    seerdb_err err = {0};
    for (size_t i = 0; i < 40; i++) { /* one table, known by many names */
        test_ok(open_made(&m, &tables[i], &err), &err);
        sdb_table_use_cache(tables[i], cache, pool);
        has_all(tables[i]);
    }
    size_t full = sdb_pages_bytes(pool);
    assert_true(full > 10 * SDB_PAGES_REGION);
    sdb_cache_count(cache, &before);
    sdb_table_make_room(cache, pool); /* nobody is crowded */
    sdb_cache_count(cache, &after);
    assert_int_equal(after.bytes, before.bytes);
    sdb_pages_set_limit(pool, SDB_PAGES_REGION);
    sdb_table_make_room(cache, pool);
    sdb_cache_count(cache, &after);
    assert_in_range(sdb_pages_bytes(pool), 1, SDB_PAGES_REGION);
    assert_in_range(after.bytes, 1, before.bytes / 5); /* entries count too */
    for (size_t i = 0; i < 40; i++) { /* and reading makes room by itself */
        has_all(tables[i]);
        assert_in_range(sdb_pages_bytes(pool), 1, 9 * SDB_PAGES_REGION);
    }
    for (size_t i = 0; i < 40; i++)
        sdb_table_unref(tables[i]);
    sdb_cache_free(cache);
    sdb_pages_check(pool);
    sdb_pages_unref(pool);
    sdb_memfs_free(m.fs);
}

static void a_reopened_table_reads_the_same_and_keeps_the_first(void **state)
{
    (void)state;
    struct sdb_table_writer_options o = options_for(&all);
    struct made m = make_table(&o, &all);
    struct sdb_table *t = NULL, *again = NULL;
    struct sdb_file *f = NULL;
    seerdb_err err = {0};
    test_ok(open_made(&m, &t, &err), &err);
    test_ok(sdb_fs_open(m.fs, t->file->path, SDB_READ, SDB_FOR_READ, &f, &err), &err);
    test_ok(sdb_table_reopen(t, f, &again, &err), &err);
    assert_true(sdb_table_memory(again) < sdb_table_memory(t) / 2);
    sdb_table_unref(t);
    has_all(again);
    sdb_table_unref(again);
    sdb_memfs_free(m.fs);
}

static void the_cache_counts_what_blocks_take(void **state)
{
    struct sdb_table_writer_options o = options_for(&all);
    struct made m = make_table(&o, &all);
    size_t bytes_of[2];
    (void)state;
    for (int pooled = 0; pooled < 2; pooled++) {
        struct sdb_cache *cache = sdb_cache_new((size_t)64 << 20);
        struct sdb_pages *pool = pooled ? sdb_pages_new(0) : NULL;
        struct sdb_cache_counters c;
        struct sdb_table *t = NULL;
        seerdb_err err = {0};
        size_t want = 0;
        assert_non_null(cache);
        test_ok(open_made(&m, &t, &err), &err);
        sdb_table_use_cache(t, cache, pool);
        has_all(t);
        for (uint32_t i = 0; i < t->index.n; i++)
            want += sdb_pages_cost(pool, SDB_LOADED_SIZE +
                                             sdb_table_index_size(&t->index, i));
        sdb_cache_count(cache, &c);
        assert_in_range(c.bytes, want, want + 200 * (size_t)t->index.n);
        bytes_of[pooled] = c.bytes;
        sdb_table_unref(t);
        sdb_cache_free(cache);
        sdb_pages_unref(pool);
    }
    if (SDB_PAGES_PIECE_MAX > 0)
        assert_true(bytes_of[1] > bytes_of[0]);
    sdb_memfs_free(m.fs);
}

/* A table on the local disk, mapped or not, with a cache. */
struct local {
    char path[40];
    struct sdb_table_summary sum;
    struct sdb_cache *cache;
    struct sdb_table *table;
};

static void local_open(struct local *l, bool map)
{
    struct sdb_file *f = NULL;
    seerdb_err err = {0};
    assert_non_null(l->cache = sdb_cache_new((size_t)64 << 20));
    test_ok(sdb_fs_open(sdb_fs_local(), l->path, SDB_READ, SDB_FOR_READ, &f, &err),
            &err);
    test_ok(sdb_table_open(f, &l->sum.id, l->sum.file_size, &l->table, &err), &err);
    sdb_table_use_cache(l->table, l->cache, NULL);
    if (map)
        assert_true(sdb_table_use_map(l->table));
}

static void local_new(struct local *l, int compression, bool map)
{
    struct sdb_table_writer_options o = options_for(&all);
    seerdb_err err = {0};
    strcpy(l->path, "/tmp/seerdb-table-XXXXXX");
    int fd = mkstemp(l->path);
    assert_true(fd >= 0);
    close(fd);
    unlink(l->path);
    o.compression = compression;
    test_ok(write_table(sdb_fs_local(), l->path, &o, &all, &l->sum, &err), &err);
    local_open(l, map);
}

static void local_close(struct local *l)
{
    sdb_table_unref(l->table);
    sdb_cache_free(l->cache);
    l->table = NULL;
    l->cache = NULL;
}

static void local_write(const struct local *l, uint64_t off, uint8_t byte)
{
    struct sdb_file *f = NULL;
    seerdb_err err = {0};
    test_ok(
        sdb_fs_open(sdb_fs_local(), l->path, SDB_READWRITE, SDB_FOR_OTHER, &f, &err),
        &err);
    test_ok(sdb_file_write_at(f, off, (seerdb_slice){&byte, 1}, &err), &err);
    sdb_file_close(f);
}

/* How many blocks were looked at in the map. */
static uint32_t in_map(const struct sdb_table *t)
{
    struct sdb_table_map *m = atomic_load_explicit(&t->map, memory_order_acquire);
    uint32_t n = 0;
    for (uint32_t i = 0; m != NULL && i < t->index.n; i++)
        n += atomic_load_explicit(&m->blocks[i], memory_order_acquire) != NULL;
    return n;
}

static void mapped_blocks_read_the_same_and_are_not_copied(void **state)
{
    (void)state;
    for (int level = 0; level < 2; level++) {
        struct local l;
        struct sdb_cache_counters c;
        local_new(&l, level, true);
        uint32_t n = l.table->index.n;
        assert_int_equal(in_map(l.table), 0);
        has_all(l.table);
        has_all(l.table);
        sdb_cache_count(l.cache, &c);
        assert_in_range(c.misses, n, 4 * n); /* walks look ahead */
        if (level == 0) {
            assert_int_equal(in_map(l.table), n);
            assert_int_equal(c.bytes, 0);
        } else { /* the cache has the compressed ones */
            assert_in_range(in_map(l.table), n / 2, n - n / 8);
            assert_true(c.bytes > 0 && c.hits > 0);
        }
        assert_int_equal(sdb_table_map_memory(l.table),
                         n * (SDB_LOADED_SIZE + sizeof(void *)));
        local_close(&l);
        unlink(l.path);
    }
}

static void a_damaged_block_is_found_at_the_first_touch(void **state)
{
    (void)state;
    for (int level = 0; level < 2; level++) {
        seerdb_err err[3] = {{0}};
        struct local l;
        local_new(&l, level, false);
        uint32_t n = l.table->index.n;
        struct sdb_rand r = {11};
        for (uint32_t i = 0; i < n; i += 7) {
            uint64_t off = sdb_table_index_off(&l.table->index, i);
            uint32_t size = sdb_table_index_size(&l.table->index, i);
            uint64_t at = i == 14 ? SDB_STORED_CODEC : sdb_rand_below(&r, size);
            uint8_t was;
            test_ok(sdb_file_read_at(l.table->file, off + at, &was, 1, &err[0]),
                    &err[0]);
            local_write(&l, off + at, was ^ 1);
            local_close(&l);
            struct sdb_loaded *block = NULL;
            local_open(&l, false);
            test_fails(sdb_table_load(l.table, i, SDB_CACHE_POINT, &block, &err[0]),
                       SEERDB_CORRUPT, &err[0]);
            local_close(&l);
            local_open(&l, true);
            for (int again = 1; again < 3; again++) {
                test_fails(
                    sdb_table_load(l.table, i, SDB_CACHE_POINT, &block, &err[again]),
                    SEERDB_CORRUPT, &err[again]);
                assert_string_equal(err[again].msg, err[0].msg);
                err[again] = (seerdb_err){0};
            }
            err[0] = (seerdb_err){0};
            if (i + 1 < n) { /* the others are not concerned */
                test_ok(
                    sdb_table_load(l.table, i + 1, SDB_CACHE_POINT, &block, &err[0]),
                    &err[0]);
                seerdb_pin_unref(&block->pin);
            }
            local_write(&l, off + at, was);
        }
        has_all(l.table);
        local_close(&l);
        unlink(l.path);
    }
}

/* Whether the process has the file mapped. */
static bool is_shown(const char *path)
{
    char line[512];
    bool shown = false;
    FILE *f = fopen("/proc/self/maps", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        shown = shown || strstr(line, path) != NULL;
    fclose(f);
    return shown;
}

static void pins_keep_the_map(void **state)
{
    struct sdb_found found;
    seerdb_err err = {0};
    struct local l;
    (void)state;
    local_new(&l, 0, true);
    test_ok(table_get(l.table, all.r[333].key, UINT64_MAX, &found, &err), &err);
    local_close(&l);
    unlink(l.path);
    test_slice_equal(found.value, all.r[333].value);
    assert_true(is_shown(l.path));
    seerdb_pin_unref(found.pin);
    assert_false(is_shown(l.path)); /* nor does anything else keep the file's space */
}

static void an_audit_reads_the_file(void **state)
{
    const _Atomic uint64_t *read = &sdb_fs_local()->counters.read[SDB_FOR_VERIFY];
    seerdb_err err = {0};
    struct local l;
    (void)state;
    local_new(&l, 0, true);
    has_all(l.table);
    uint64_t before = atomic_load_explicit(read, memory_order_relaxed);
    test_ok(sdb_table_verify(l.table, &err), &err);
    assert_in_range(atomic_load_explicit(read, memory_order_relaxed) - before,
                    l.sum.file_size - 4096, l.sum.file_size + 4096);
    local_write(&l, sdb_table_index_off(&l.table->index, 3) + 50, 0xee);
    test_fails(sdb_table_verify(l.table, &err), SEERDB_CORRUPT, &err);
    local_close(&l);
    unlink(l.path);
}

static void without_a_map_blocks_are_read(void **state)
{
    struct sdb_table_writer_options o = options_for(&all);
    struct made m = make_table(&o, &all);
    struct sdb_table *t = NULL;
    seerdb_err err = {0};
    (void)state;
    test_ok(open_made(&m, &t, &err), &err);
    assert_false(sdb_table_use_map(t));
    assert_int_equal(sdb_table_map_memory(t), 0);
    has_all(t);
    sdb_table_unref(t);
    sdb_memfs_free(m.fs);
}

static void failed_allocations_of_a_map_lose_nothing(void **state)
{
    seerdb_err err = {0};
    struct local l;
    bool mapped = false;
    int rc = SEERDB_NOMEM;
    (void)state;
    local_new(&l, 0, false);
    for (int64_t n = 0; !mapped; n++) {
        sdb_mem_fail_after(n);
        mapped = sdb_table_use_map(l.table);
        sdb_mem_fail_after(-1);
        assert_true(n < 10 && (n > 0 || !mapped));
    }
    for (int64_t n = 0; rc != 0; n++) {
        struct sdb_loaded *block = NULL;
        err = (seerdb_err){0};
        sdb_mem_fail_after(n);
        rc = sdb_table_load(l.table, 5, SDB_CACHE_POINT, &block, &err);
        sdb_mem_fail_after(-1);
        assert_true(n < 10 && (n > 0 || rc == SEERDB_NOMEM));
        if (rc == 0)
            seerdb_pin_unref(&block->pin);
    }
    has_all(l.table);
    local_close(&l);
    unlink(l.path);
}

static void *read_at_random(void *arg)
{
    struct sdb_table *t = arg;
    struct sdb_rand r = {(uint64_t)(uintptr_t)&t};
    for (int i = 0; i < 4000; i++) {
        const struct sdb_record *want = &all.r[sdb_rand_below(&r, all.n)];
        struct sdb_found found;
        if (i == 500 && !sdb_table_use_map(t))
            abort();
        if (table_get(t, want->key, UINT64_MAX, &found, NULL) != 0 ||
            !sdb_slice_equal(found.value, want->value))
            abort(); /* cmocka cannot fail in threads */
        seerdb_pin_unref(found.pin);
    }
    return NULL;
}

static void readers_share_a_map_that_comes_while_they_read(void **state)
{
    struct sdb_thread threads[4] = {{0}};
    seerdb_err err = {0};
    struct local l;
    (void)state;
    local_new(&l, 1, false);
    sdb_cache_resize(l.cache,
                     16 * 20000); /* what it has is not looked for in the map */
    for (int i = 0; i < 4; i++)
        test_ok(sdb_thread_start(&threads[i], "reader", read_at_random, l.table, &err),
                &err);
    for (int i = 0; i < 4; i++)
        sdb_thread_join(&threads[i]);
    assert_true(in_map(l.table) > 0);
    local_close(&l);
    unlink(l.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_in_a_pool_read_the_same_and_may_outlive_all),
        cmocka_unit_test(a_crowded_pool_drops_cached_blocks_and_reads_go_on),
        cmocka_unit_test(a_reopened_table_reads_the_same_and_keeps_the_first),
        cmocka_unit_test(the_cache_counts_what_blocks_take),
        cmocka_unit_test(mapped_blocks_read_the_same_and_are_not_copied),
        cmocka_unit_test(a_damaged_block_is_found_at_the_first_touch),
        cmocka_unit_test(pins_keep_the_map),
        cmocka_unit_test(an_audit_reads_the_file),
        cmocka_unit_test(without_a_map_blocks_are_read),
        cmocka_unit_test(failed_allocations_of_a_map_lose_nothing),
        cmocka_unit_test(readers_share_a_map_that_comes_while_they_read),
    };
    return cmocka_run_group_tests(tests, make_list, free_list);
}
