/* SPDX-License-Identifier: Apache-2.0 */
#include "db/upon.h"

#include "testing.h"

#include "merge_rig.h"

#define LARGE 3000

struct rig {
    struct bed bed;
    struct appender appender;
    seerdb_tree *t;
    seerdb_batch *b;
    uint64_t mark; /* the last one */
};

static void rig_open(struct rig *r, enum flavour flavour, size_t value_log)
{
    seerdb_err err = {0};
    memset(r, 0, sizeof *r);
    r->appender.fails = true;
    bed_new(&r->bed);
    seerdb_merge_operator op = operator_of(&r->appender, flavour);
    const seerdb_tree_options o = {
        .id = uuid_of(1), .name = "t", .value_log = value_log, .merge = &op};
    test_ok(seerdb_tree_create(r->bed.db, &o, &r->t, &err), &err);
    r->b = new_batch(r->bed.db);
}

static void rig_close(struct rig *r)
{
    seerdb_batch_free(r->b);
    seerdb_tree_close(r->t);
    bed_fini(&r->bed);
}

static int merge(struct rig *r, const char *operand, seerdb_err *err)
{
    return seerdb_batch_merge(r->b, r->t, test_slice("k"), test_slice(operand), err);
}

/* A letter each: p and P put a small value and a large one, d deletes, + merges, m sets
 * a mark, < goes back to it, s sends all to disk, r deletes a range that has the key, o
 * one that has not. */
static void take(struct rig *r, const char *steps)
{
    static char large[LARGE];
    seerdb_err err = {0};
    seerdb_slice k = test_slice("k");
    memset(large, 'L', sizeof large);
    for (; *steps != '\0'; steps++) {
        int rc = 0;
        switch (*steps) {
        case 'p':
            rc = seerdb_batch_put(r->b, r->t, k, test_slice("small"), &err);
            break;
        case 'P':
            rc = seerdb_batch_put(r->b, r->t, k, (seerdb_slice){large, LARGE}, &err);
            break;
        case 'd':
            rc = seerdb_batch_delete(r->b, r->t, k, &err);
            break;
        case '+':
            rc = merge(r, "+", &err);
            break;
        case 'm':
            r->mark = seerdb_batch_mark(r->b);
            break;
        case '<':
            seerdb_batch_rollback_to(r->b, r->mark);
            break;
        case 's':
            rc = seerdb_batch_spill(r->b, &err);
            break;
        default:
            rc = seerdb_batch_delete_range(r->b, r->t,
                                           test_slice(*steps == 'r' ? "a" : "x"),
                                           test_slice("z"), &err);
        }
        if (rc != 0)
            fail_msg("%s: %s", steps, err.msg);
    }
}

/* What the batch, or with NULL the tree, shows of the key: 0 and its size, NOTFOUND, or
 * a failure. */
static int look(struct rig *r, seerdb_batch *b, size_t *size)
{
    seerdb_err err = {0};
    seerdb_value got = {.pin = NULL};
    seerdb_view *v = new_view(r->t);
    int rc = seerdb_get(v, b, SEERDB_BATCH_ALL, test_slice("k"), &got, &err);
    *size = got.bytes.size;
    seerdb_pin_unref(got.pin);
    seerdb_view_close(v);
    return rc;
}

static void who_merges_into_what_the_batch_has_put_is_told_at_once(void **state)
{
    static const struct {
        const char *steps;
        int size; /* of what is there then; -1: nothing */
    } cases[] = {
        {"p", 5},
        {"P", LARGE},
        {"P+", LARGE + 1},
        {"Pm", LARGE},
        {"pm", 5},
        {"Pm+m+", LARGE + 2},
        {"d", -1},
        {"dm", -1},
        {"d+", 1},
        {"Ps", LARGE},
        {"Ps+", LARGE + 1},
        {"Ps+s+", LARGE + 2},
        {"Pmsm+", LARGE + 1},
        {"ps", 5},
        {"ds", -1},
        {"oP", LARGE},
        {"Po+", LARGE + 1},
        {"rP", LARGE},
        {"P+++", LARGE + 3},
        {"Pm+<", LARGE},
        {"pmP<", 5},
        {"Pm+s<", LARGE},
        {"+sP+", LARGE + 1},
        {"Psmd", -1},
        {"Psmr<", LARGE},
        {"PsrsP", LARGE},
        {"PsrsPs+s", LARGE + 1},
        {"rsPs", LARGE},
        {"Psos", LARGE},
    };
    (void)state;
    for (size_t i = 0; i < 2 * FLAVOURS * sizeof cases / sizeof cases[0]; i++) {
        const char *steps = cases[i / 2 / FLAVOURS].steps;
        int want = cases[i / 2 / FLAVOURS].size;
        seerdb_err err = {0};
        size_t size;
        struct rig r;
        /* With every operator, and with values apart. */
        rig_open(&r, i / 2 % FLAVOURS, i % 2 == 0 ? 0 : 1000);
        take(&r, steps);
        int rc = merge(&r, "!", &err);
        if (rc != SEERDB_MISUSE || strstr(err.msg, "does not want to") == NULL)
            fail_msg("%s: %d: %s", steps, rc, err.msg);
        /* Nothing was taken in: all goes on. */
        assert_int_equal(look(&r, r.b, &size), want < 0 ? SEERDB_NOTFOUND : 0);
        assert_int_equal(size, want < 0 ? 0 : want);
        take(&r, "+m+");
        assert_int_equal(look(&r, r.b, &size), 0);
        assert_int_equal(size, (want < 0 ? 0 : want) + 2);
        test_ok(seerdb_write(r.b, SEERDB_SYNC_OFF, &err), &err);
        assert_int_equal(look(&r, NULL, &size), 0);
        assert_int_equal(size, (want < 0 ? 0 : want) + 2);
        rig_close(&r);
    }
}

static void who_merges_into_what_others_have_put_is_not_asked(void **state)
{
    static const char *const cases[] = {
        "",     "+",    "m+",    "+s",     "r",     "r+",  "Pr",
        "Pr+",  "P+r+", "mP<",   "o+",     "+smP<", "Psr", "mPs<",
        "Psr+", "Psrs", "Psrs+", "Psrs+s", "Prs",   "o",   "+m+s"};
    (void)state;
    for (size_t i = 0; i < FLAVOURS * sizeof cases / sizeof cases[0]; i++) {
        const char *steps = cases[i / FLAVOURS];
        seerdb_err err = {0};
        size_t size;
        struct rig r;
        rig_open(&r, i % FLAVOURS, 0);
        test_ok(seerdb_batch_put(r.b, r.t, test_slice("k"), test_slice("old"), &err),
                &err);
        test_ok(seerdb_write(r.b, SEERDB_SYNC_OFF, &err), &err);
        take(&r, steps);
        if (merge(&r, "!", &err) != 0 || seerdb_write(r.b, SEERDB_SYNC_OFF, &err) != 0)
            fail_msg("%s: %s", steps, err.msg);
        assert_int_equal(look(&r, NULL, &size), SEERDB_MISUSE);
        r.appender.fails = false; /* nothing was lost */
        assert_int_equal(look(&r, NULL, &size), 0);
        rig_close(&r);
    }
}

static void many_merges_into_a_large_value_take_few_operands_each(void **state)
{
    (void)state;
    for (unsigned marks = 0; marks < 2; marks++) {
        seerdb_err err = {0};
        size_t size;
        struct rig r;
        rig_open(&r, SLOW, marks * 1000);
        take(&r, "P");
        for (unsigned i = 0; i < 2000; i++)
            take(&r, marks ? "m+" : "+");
        assert_true(r.appender.fulls <= 2500);
        assert_true(r.appender.operands <= 2000 * 10);
        assert_int_equal(look(&r, r.b, &size), 0);
        assert_int_equal(size, LARGE + 2000);
        test_ok(seerdb_write(r.b, SEERDB_SYNC_OFF, &err), &err);
        assert_int_equal(look(&r, NULL, &size), 0);
        assert_int_equal(size, LARGE + 2000);
        rig_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_merges_into_what_the_batch_has_put_is_told_at_once),
        cmocka_unit_test(who_merges_into_what_others_have_put_is_not_asked),
        cmocka_unit_test(many_merges_into_a_large_value_take_few_operands_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
