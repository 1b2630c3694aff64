/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of a short life fails in turn, and all after it.  Nothing may leak
 * (the address sanitizer says so) or crash, every failure is NOMEM, and what was
 * acknowledged is there once memory is back. */
#include "db/batch.h"
#include "testing.h"

enum { NCOMMITS = 6 };

struct life {
    struct bed bed;
    bool created;      /* the tree was acknowledged */
    unsigned commits;  /* acknowledged */
    unsigned failures; /* answers of NOMEM */
    int64_t n;         /* allocations that succeed */
};

/* NOMEM, or done; sticky failures of a store that broke say NOMEM too. */
static int allowed(struct life *l, int rc, const seerdb_err *err, const char *what)
{
    if (rc < 0 && rc != SEERDB_NOMEM) {
        sdb_mem_fail_after(-1);
        fail_msg("after %d allocations %s answers %d: %s", (int)l->n, what, rc,
                 err->msg);
    }
    if (rc < 0 && l->failures++ == 0 && err->msg[0] == '\0')
        fail_msg("after %d allocations %s fails without a message", (int)l->n, what);
    return rc;
}

static int commit_one(struct life *l, seerdb_tree *t, unsigned i)
{
    seerdb_err err = {0};
    char words[64];
    seerdb_batch *b = NULL;
    uint64_t number;
    snprintf(words, sizeof words, "~gone:h x=%u a%u=%u common=%u -gone", i, i, i, i);
    int rc = seerdb_batch_new(l->bed.db, &b, &err);
    if (rc == 0 && (rc = batch_words(b, t, words, &err)) == 0) {
        uint64_t mark = seerdb_batch_mark(b);
        (void)batch_words(b, t, "common=x", NULL); /* may fail, and is taken back */
        if (i % 3 == 1)
            (void)!seerdb_batch_spill(b, NULL);
        seerdb_batch_rollback_to(b, mark);
        (void)seerdb_batch_is_empty(b, t);
        /* Over what has spilled: that is merged. */
        rc = batch_words(b, t, "~x:y ~b:bb", &err);
        if (rc == 0 && (rc = seerdb_prepare(b, SEERDB_SYNC_FULL, &number, &err)) == 0) {
            if (i % 3 == 0)
                rc = seerdb_unprepare(b, &err);
            if (rc == 0 && i % 3 == 0)
                rc = seerdb_prepare(b, SEERDB_SYNC_FULL, &number, &err);
            if (rc == 0) {
                seerdb_commit(b);
                l->commits = i;
            }
        }
    }
    seerdb_batch_free(b);
    return allowed(l, rc, &err, "a commit");
}

static int read_all(struct life *l, seerdb_tree *t)
{
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    seerdb_iter *it = NULL;
    seerdb_value got;
    int rc = seerdb_view_open(t, &v, &err);
    if (rc != 0)
        return allowed(l, rc, &err, "a view");
    rc = seerdb_get(v, NULL, 0, test_slice("common"), &got, &err);
    if (rc == 0)
        seerdb_pin_unref(got.pin);
    if (rc >= 0 && (rc = seerdb_iter_open(v, NULL, 0, &it, &err)) == 0 &&
        (rc = seerdb_iter_bound(it, test_slice("a"), test_slice("z"), &err)) == 0 &&
        (rc = seerdb_iter_last(it, &err)) == 0)
        while ((rc = seerdb_iter_prev(it, &err)) == 0)
            ;
    if (rc == SEERDB_NOTFOUND && (rc = seerdb_iter_first(it, &err)) == 0)
        while ((rc = seerdb_iter_next(it, &err)) == 0)
            ;
    seerdb_iter_close(it);
    seerdb_view_close(v);
    return allowed(l, rc, &err, "a scan");
}

static bool any_stat(void *ctx, const seerdb_stat *stat)
{
    (void)ctx;
    (void)stat;
    return true;
}

static bool any_tree(void *ctx, const seerdb_tree_info *info)
{
    (void)ctx;
    (void)info;
    return true;
}

static void live(struct life *l)
{
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    int rc = allowed(l, bed_open(&l->bed, &err), &err, "open");
    if (rc != 0)
        return;
    seerdb_uuid id = uuid_of(1);
    rc = l->created ? seerdb_tree_open(l->bed.db, &id, &t, &err)
                    : seerdb_tree_create(l->bed.db,
                                         &(seerdb_tree_options){
                                             .id = id, .value_log = test_value_log()},
                                         &t, &err);
    rc = allowed(l, rc, &err, "a tree");
    l->created = l->created || rc == 0;
    unsigned first = l->commits + 1;
    for (unsigned i = first; t != NULL && rc == 0 && i < first + NCOMMITS; i++) {
        rc = commit_one(l, t, i);
        err = (seerdb_err){0};
        if (rc == 0 && i % 2 == 0)
            rc = allowed(l,
                         i % 4 == 0 ? seerdb_compact(l->bed.db, t, &err)
                                    : seerdb_flush(l->bed.db, t, &err),
                         &err, "a flush");
    }
    if (t != NULL)
        (void)read_all(l, t);
    (void)seerdb_stats(l->bed.db, t, any_stat, NULL, NULL);
    (void)seerdb_trees(l->bed.db, any_tree, NULL, NULL);
    seerdb_verify_report report;
    err = (seerdb_err){0};
    (void)allowed(l, seerdb_verify(l->bed.db, t, &report, &err), &err, "verify");
    seerdb_tree_close(t);
    err = (seerdb_err){0};
    (void)allowed(l, seerdb_close(l->bed.db, &err), &err, "close");
    l->bed.db = NULL;
}

/* With memory back, everything acknowledged is there and writes go on. */
static void check(struct life *l)
{
    char key[16], value[16];
    seerdb_err err = {0};
    if (bed_open(&l->bed, &err) != 0)
        fail_msg("after %d allocations the store does not open: %s", (int)l->n,
                 err.msg);
    seerdb_tree *t = l->created ? open_tree(l->bed.db, 1) : create_tree(l->bed.db, 2);
    for (unsigned i = 1; i <= l->commits; i++) {
        snprintf(key, sizeof key, "a%u", i);
        snprintf(value, sizeof value, "%u", i);
        expect_key(t, key, value);
    }
    if (l->commits > 0) /* one that failed may yet stand, and has none either */
        expect_key(t, "x", NULL);
    write_words(t, "after=1");
    flush(l->bed.db);
    expect_key(t, "after", "1");
    verify(l->bed.db);
    seerdb_tree_close(t);
    bed_close(&l->bed);
}

static void a_new_store_survives_any_failed_allocation(void **state)
{
    int64_t n = 0;
    bool failed;
    (void)state;
    do {
        struct life l = {.n = n};
        bed_init(&l.bed);
        sdb_mem_fail_after(n);
        live(&l);
        sdb_mem_fail_after(-1);
        failed = l.failures > 0 || l.commits % NCOMMITS != 0;
        check(&l);
        bed_fini(&l.bed);
        n += n < 400 ? 1 : 3;
    } while (failed && n < 5000);
    print_message("%d allocations\n", (int)n);
    assert_true(n > 100);
}

static void an_old_store_survives_any_failed_allocation(void **state)
{
    int64_t n = 0;
    bool failed;
    (void)state;
    do {
        struct life l = {.n = -1};
        bed_init(&l.bed);
        live(&l); /* tables and a log to recover from */
        assert_int_equal(l.commits, NCOMMITS);
        sdb_mem_fail_after(l.n = n);
        live(&l);
        sdb_mem_fail_after(-1);
        failed = l.failures > 0 || l.commits % NCOMMITS != 0;
        check(&l);
        bed_fini(&l.bed);
        n += n < 400 ? 1 : 3;
    } while (failed && n < 5000);
    print_message("%d allocations\n", (int)n);
    assert_true(n > 100);
}

/* Also when the memtable that it was prepared on has been replaced since. */
static void a_prepared_commit_needs_no_more_memory(void **state)
{
    (void)state;
    for (int replaced = 0; replaced < 2; replaced++) {
        struct bed b;
        seerdb_err err = {0};
        uint64_t number;
        char key[16];
        bed_new(&b);
        seerdb_tree *t = create_tree(b.db, 1);
        seerdb_batch *batch = new_batch(b.db);
        write_words(t, "before=1");
        for (int i = 0; i < 3000; i++) {
            snprintf(key, sizeof key, "k%d", i * 7919 % 3000);
            test_ok(seerdb_batch_put(batch, t, test_slice(key), test_slice(key), &err),
                    &err);
        }
        test_ok(seerdb_prepare(batch, SEERDB_SYNC_FULL, &number, &err), &err);
        if (replaced)
            flush(b.db);
        sdb_mem_fail_after(0);
        seerdb_commit(batch);
        sdb_mem_fail_after(-1);
        for (int i = 0; i < 3000; i += 100) {
            snprintf(key, sizeof key, "k%d", i);
            expect_key(t, key, key);
        }
        write_words(t, "after=1"); /* and nothing broke */
        seerdb_batch_free(batch);
        seerdb_tree_close(t);
        bed_fini(&b);
    }
}

/* What the manifest has of an edit that failed half-way nobody knows: no more edits,
 * and nothing may be done that rests on it. */
static void a_manifest_that_ran_out_of_memory_ends_writing(void **state)
{
    unsigned broken = 0;
    (void)state;
    for (int64_t n = 0; n < 60; n++) {
        struct bed b;
        seerdb_err err = {0};
        seerdb_tree *two = NULL, *again = NULL;
        bed_new(&b);
        seerdb_tree *one = create_tree(b.db, 1);
        write_words(one, "before=1");
        sdb_mem_fail_after(n);
        int rc =
            seerdb_tree_create(b.db, &(seerdb_tree_options){.name = "two"}, &two, &err);
        sdb_mem_fail_after(-1);
        if (rc != 0 && (rc = seerdb_tree_create(b.db, &(seerdb_tree_options){0}, &again,
                                                &err)) != 0) {
            seerdb_batch *batch = new_batch(b.db);
            err = (seerdb_err){0};
            test_ok(batch_words(batch, one, "after=1", &err), &err);
            assert_int_equal(seerdb_write(batch, SEERDB_SYNC_OFF, &err), SEERDB_NOMEM);
            assert_non_null(strstr(err.msg, "writes are refused"));
            seerdb_batch_free(batch);
            broken++;
        }
        expect_key(one, "before", "1");
        seerdb_tree_close(one);
        seerdb_tree_close(two);
        seerdb_tree_close(again);
        bed_fini(&b);
    }
    assert_true(broken > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_store_survives_any_failed_allocation),
        cmocka_unit_test(a_prepared_commit_needs_no_more_memory),
        cmocka_unit_test(a_manifest_that_ran_out_of_memory_ends_writing),
        cmocka_unit_test(an_old_store_survives_any_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
