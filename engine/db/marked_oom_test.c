/* SPDX-License-Identifier: Apache-2.0
 *
 * Every allocation in the life of a marked tree fails in turn, and all after it.
 * Nothing may leak (the address sanitizer says so) or crash, and once memory is back
 * the tree is what its marker says. */
#include "db/batch.h"
#include "testing.h"

enum { NCOMMITS = 9 };

struct life {
    struct bed bed;
    seerdb_tree *tree;
    int64_t n; /* allocations that succeed */
    bool created;
    uint64_t marker;
    bool there[NCOMMITS + 1]; /* what the marker stands for */
    uint64_t doubtful;        /* a commit rolled back, 0: none */
    unsigned doubtful_i;
};

static int decide(void *ctx, uint64_t below, seerdb_err *err)
{
    (void)below;
    (void)ctx;
    (void)err;
    return 0;
}

/* NOMEM, or done. */
static int allowed(struct life *l, int rc, const seerdb_err *err, const char *what)
{
    if (rc < 0 && rc != SEERDB_NOMEM && rc != SEERDB_BUSY) {
        sdb_mem_fail_after(-1);
        fail_msg("after %d allocations %s answers %d: %s", (int)l->n, what, rc,
                 err->msg);
    }
    return rc;
}

static int read_at(struct life *l, uint64_t marker)
{
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    seerdb_iter *it = NULL;
    int rc = seerdb_view_open_at(l->tree, marker, 0, &v, &err);
    if (rc == 0 && (rc = seerdb_iter_open(v, NULL, 0, &it, &err)) == 0 &&
        (rc = seerdb_iter_first(it, &err)) == 0)
        while ((rc = seerdb_iter_next(it, &err)) == 0)
            ;
    seerdb_iter_close(it);
    seerdb_view_close(v);
    return allowed(l, rc, &err, "a scan");
}

/* Every third is rolled back, every fifth prepared twice. */
static int commit_one(struct life *l, seerdb_batch *b, unsigned i)
{
    seerdb_err err = {0};
    char words[64];
    uint64_t number;
    /* What the range deletes was there before, in tables, perhaps. */
    snprintf(words, sizeof words, "b%u=1 a%u=%u common=%u", i, i, i, i);
    int rc = seerdb_batch_expect(b, l->tree, l->marker, 0, NULL, &err);
    if (rc != 0 || (rc = batch_words(b, l->tree, words, &err)) != 0 ||
        (i % 2 == 0 && (rc = seerdb_batch_spill(b, &err)) != 0) ||
        (i % 4 < 2 && (rc = batch_words(b, l->tree, "~b:c", &err)) != 0) ||
        (rc = seerdb_prepare(b, SEERDB_SYNC_FULL, &number, &err)) != 0 ||
        (i % 5 == 0 &&
         ((rc = seerdb_unprepare(b, &err)) != 0 ||
          (rc = seerdb_prepare(b, SEERDB_SYNC_FULL, &number, &err)) != 0)))
        return allowed(l, rc, &err, "a prepare");
    (void)read_at(l, l->marker);
    if (i % 3 == 0) {
        l->doubtful = number; /* the owner may find it after a crash */
        l->doubtful_i = i;
        return allowed(l, seerdb_rollback(b, &err), &err, "a rollback");
    }
    l->marker = number;
    l->there[i] = true;
    l->doubtful = 0;
    seerdb_commit(b);
    return 0;
}

static void live(struct life *l)
{
    seerdb_err err = {0};
    seerdb_batch *b = NULL;
    seerdb_uuid owner = {{7}};
    seerdb_tree_options o = {.id = uuid_of(1),
                             .owner = owner,
                             .value_log = test_value_log(),
                             .marked = true};
    if (allowed(l, bed_open(&l->bed, &err), &err, "open") != 0)
        return;
    int rc = l->created ? seerdb_tree_open(l->bed.db, &o.id, &l->tree, &err)
                        : seerdb_tree_create(l->bed.db, &o, &l->tree, &err);
    rc = allowed(l, rc, &err, "a tree");
    l->created = l->created || rc == 0;
    if (rc == 0)
        (void)allowed(l, seerdb_set_decider(l->bed.db, &owner, decide, l, &err), &err,
                      "a decider");
    if (rc == 0 && allowed(l, seerdb_batch_new(l->bed.db, &b, &err), &err, "new") == 0)
        for (unsigned i = 1; i <= NCOMMITS && rc == 0; i++) {
            rc = commit_one(l, b, i);
            if (rc == 0) /* also of what may be decided otherwise yet */
                (void)read_at(l, l->doubtful != 0 ? l->doubtful : l->marker);
            if (rc == 0 && i % 4 == 0)
                rc = allowed(l,
                             i % 8 == 0 ? seerdb_compact(l->bed.db, l->tree, &err)
                                        : seerdb_flush(l->bed.db, l->tree, &err),
                             &err, "flush");
        }
    if (rc != 0 && l->tree != NULL)
        (void)read_at(l, l->marker);
    seerdb_batch_free(b);
    seerdb_tree_close(l->tree);
    l->tree = NULL;
    err = (seerdb_err){0};
    (void)allowed(l, seerdb_close(l->bed.db, &err), &err, "close");
    l->bed.db = NULL;
}

/* Commit i put "b<i>"; those of i % 4 < 2 deleted all of them. */
static void check_b(struct life *l, seerdb_view *v, unsigned i)
{
    char key[16];
    seerdb_err err = {0};
    seerdb_value got;
    bool there = l->there[i];
    for (unsigned k = i; k <= NCOMMITS; k++)
        there = there && !(l->there[k] && k % 4 < 2);
    snprintf(key, sizeof key, "b%u", i);
    int rc = seerdb_get(v, NULL, 0, test_slice(key), &got, &err);
    if ((rc == 0) != there)
        fail_msg("after %d allocations %s: %d %s", (int)l->n, key, rc, err.msg);
    if (rc == 0)
        seerdb_pin_unref(got.pin);
}

/* With memory back the marker's state is there, and writes go on. */
static void check(struct life *l)
{
    char key[16];
    seerdb_err err = {0};
    seerdb_value got;
    seerdb_view *v = NULL;
    seerdb_batch *b = NULL;
    bed_open_ok(&l->bed);
    if (l->created) {
        l->tree = open_tree(l->bed.db, 1);
        if (l->doubtful != 0 && l->n % 2 == 0) { /* the owner had it after all */
            l->marker = l->doubtful;
            l->there[l->doubtful_i] = true;
        }
        for (int writer = 0; writer < 2; writer++) {
            test_ok(seerdb_view_open_at(l->tree, l->marker, 0, &v, &err), &err);
            for (unsigned i = 1; i <= NCOMMITS; i++) {
                snprintf(key, sizeof key, "a%u", i);
                int rc = seerdb_get(v, NULL, 0, test_slice(key), &got, &err);
                if ((rc == 0) != l->there[i])
                    fail_msg("after %d allocations %s: %d %s", (int)l->n, key, rc,
                             err.msg);
                if (rc == 0)
                    seerdb_pin_unref(got.pin);
                check_b(l, v, i);
            }
            seerdb_view_close(v);
            test_ok(seerdb_batch_new(l->bed.db, &b, &err), &err);
            test_ok(seerdb_batch_expect(b, l->tree, l->marker, 0, NULL, &err), &err);
            seerdb_batch_free(b);
        }
        verify(l->bed.db);
        seerdb_tree_close(l->tree);
    }
    bed_close(&l->bed);
}

static void every_allocation_can_fail(void **state)
{
    (void)state;
    uint64_t before = 0, all = 1;
    for (int64_t n = -1; n < (int64_t)all; n++) {
        struct life l = {.n = n};
        bed_init(&l.bed);
        before = sdb_mem_allocations();
        sdb_mem_fail_after(n);
        live(&l);
        sdb_mem_fail_after(-1);
        if (n < 0)
            all = sdb_mem_allocations() - before;
        check(&l);
        bed_fini(&l.bed);
    }
    print_message("%" PRIu64 " allocations\n", all);
    assert_true(all > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_can_fail),
    };
    return cmocka_run_group_tests_name("marked_oom", tests, NULL, NULL);
}
