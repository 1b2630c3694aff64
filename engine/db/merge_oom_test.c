/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation of a short life with merges fails in turn, and all after it. Nothing
 * leaks or crashes, every failure is NOMEM, and what was acknowledged is there once
 * memory is back. */
#include "testing.h"

#include "merge_rig.h"

enum { COMMITS = 9 };

struct life {
    struct bed b;
    struct appender a;
    seerdb_merge_operator op;
    bool created;
    unsigned commits; /* acknowledged */
    unsigned failures;
    int64_t n; /* allocations that succeed */
};

static int allowed(struct life *l, int rc, const seerdb_err *err)
{
    if (rc < 0 && rc != SEERDB_NOMEM) {
        sdb_mem_fail_after(-1);
        fail_msg("after %d allocations: %d: %s", (int)l->n, rc, err->msg);
    }
    l->failures += rc < 0 ? 1 : 0;
    return rc;
}

/* Commit i appends its digit to a and to b, in spans, some of them on disk, some rolled
 * back. */
static int commit_one(struct life *l, seerdb_tree *t, unsigned i)
{
    seerdb_err err = {0};
    seerdb_batch *b = NULL;
    char words[32];
    snprintf(words, sizeof words, "a+<%u b+<%u", i, i);
    int rc = seerdb_batch_new(l->b.db, &b, &err);
    if (rc == 0 && (rc = batch_words(b, t, words, &err)) == 0) {
        uint64_t mark = seerdb_batch_mark(b);
        (void)batch_words(b, t, "a+x c+y", NULL); /* may fail, and is taken back */
        if (i % 3 == 1)
            (void)!seerdb_batch_spill(b, NULL);
        seerdb_batch_rollback_to(b, mark);
        if (i % 3 == 2)
            (void)!seerdb_batch_spill(b, NULL);
        if ((rc = batch_words(b, t, "a+> b+>", &err)) == 0)
            rc = seerdb_write(b, SEERDB_SYNC_FULL, &err);
        if (rc == 0)
            l->commits = i;
    }
    seerdb_batch_free(b);
    return allowed(l, rc, &err);
}

static int read_all(struct life *l, seerdb_tree *t)
{
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    seerdb_iter *it = NULL;
    seerdb_value got;
    int rc = seerdb_view_open(t, &v, &err);
    if (rc == 0 && (rc = seerdb_get(v, NULL, 0, test_slice("a"), &got, &err)) == 0)
        seerdb_pin_unref(got.pin);
    if (rc >= 0 && (rc = seerdb_iter_open(v, NULL, 0, &it, &err)) == 0)
        rc = seerdb_iter_last(it, &err);
    while (rc == 0)
        rc = seerdb_iter_prev(it, &err);
    seerdb_iter_close(it);
    seerdb_view_close(v);
    return allowed(l, rc, &err);
}

static int open_tree_of(struct life *l, seerdb_tree **t)
{
    seerdb_err err = {0};
    seerdb_uuid id = uuid_of(1);
    int rc;
    if (!l->created) {
        rc = seerdb_tree_create(
            l->b.db, &(seerdb_tree_options){.id = id, .name = "t", .merge = &l->op}, t,
            &err);
    } else if ((rc = seerdb_tree_open(l->b.db, &id, t, &err)) == 0) {
        rc = seerdb_tree_merges_with(*t, &l->op, &err);
    }
    l->created = l->created || rc == 0;
    return allowed(l, rc, &err);
}

static void live(struct life *l)
{
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    if (allowed(l, bed_open(&l->b, &err), &err) != 0)
        return;
    int rc = open_tree_of(l, &t);
    for (unsigned i = l->commits + 1; rc == 0 && i <= COMMITS; i++) {
        rc = commit_one(l, t, i);
        err = (seerdb_err){0};
        if (rc == 0 && i % 4 == 0)
            rc = allowed(l, seerdb_flush(l->b.db, t, &err), &err);
        if (rc == 0 && i == 5)
            rc = allowed(l, seerdb_compact(l->b.db, t, &err), &err);
        if (rc >= 0 && i % 2 == 0)
            rc = read_all(l, t) < 0 ? SEERDB_NOMEM : 0;
    }
    seerdb_tree_close(t);
    (void)allowed(l, seerdb_close(l->b.db, &err), &err);
    l->b.db = NULL;
}

/* With memory, all is as it was acknowledged. */
static void look_at(struct life *l)
{
    char want[8 * COMMITS + 8] = "";
    seerdb_tree *t = NULL;
    bed_open_ok(&l->b);
    seerdb_err err = {0};
    seerdb_uuid id = uuid_of(1);
    int rc = seerdb_tree_open(l->b.db, &id, &t, &err);
    l->created = rc == 0; /* maybe though it was not acknowledged */
    for (unsigned i = 1; i <= l->commits; i++)
        snprintf(want + strlen(want), sizeof want - strlen(want), "<%u>", i);
    if (rc == 0) {
        test_ok(seerdb_tree_merges_with(t, &l->op, &err), &err);
        if (l->commits > 0) {
            expect_key(t, "a", want);
            expect_key(t, "b", want);
        }
        verify(l->b.db);
    }
    seerdb_tree_close(t);
    bed_close(&l->b);
}

static void without_memory_nothing_is_lost(void **state)
{
    bool all = false;
    (void)state;
    for (int64_t n = 0; !all; n += 1 + n / 150) {
        struct life l = {.n = n};
        l.op = operator_of(&l.a, (unsigned)n % FLAVOURS);
        bed_init(&l.b);
        sdb_mem_fail_after(n);
        live(&l);
        sdb_mem_fail_after(-1);
        look_at(&l);
        all = l.failures == 0 && l.commits == COMMITS;
        live(&l); /* and it goes on */
        assert_int_equal(l.commits, COMMITS);
        look_at(&l);
        bed_fini(&l.b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
