/* SPDX-License-Identifier: Apache-2.0
 *
 * The estimates of plan.c; which plans it makes is in plan_test.c. */
#include "plan.h"

#include "test_mem.h"

#define C(col, op_)                                                                    \
    {                                                                                  \
        .column = (col), .op = (op_), .usable = true, .collation_matches = true        \
    }

enum {
    EQ = SQLITE_INDEX_CONSTRAINT_EQ,
    GT = SQLITE_INDEX_CONSTRAINT_GT,
    LT = SQLITE_INDEX_CONSTRAINT_LT
};

static void table(struct svt_schema *s, const char *const *args)
{
    const char *argv[16] = {"seerdb", "main", "t"};
    int argc = 3;
    char *message = NULL;
    for (; *args != NULL; args++)
        argv[argc++] = *args;
    if (svt_args_parse(argc, argv, s, &message) != SQLITE_OK)
        fail_msg("%s", message);
}

static void estimate(const struct svt_schema *s, uint64_t rows,
                     const struct svt_plan_constraint *c, int n, double *cost,
                     int64_t *out_rows)
{
    struct svt_plan p;
    struct svt_plan_request r = {
        .schema = s, .constraints = c, .nconstraints = n, .rows = rows};
    assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
    *cost = p.cost;
    *out_rows = p.rows;
    svt_plan_fini(&p);
}

static void tighter_plans_are_cheaper_whatever_the_size(void **state)
{
    (void)state;
    static const char *const args[] = {"a INT", "b INT", "PRIMARY KEY (a, b)", NULL};
    static const struct svt_plan_constraint both[] = {C(0, EQ), C(1, EQ)},
                                            range[] = {C(0, EQ), C(1, GT), C(1, LT)},
                                            prefix[] = {C(0, EQ)},
                                            window[] = {C(0, GT), C(0, LT)},
                                            half[] = {C(0, GT)};
    static const struct {
        const struct svt_plan_constraint *c;
        int n;
    } plans[] = {{both, 2}, {range, 3}, {prefix, 1}, {window, 2}, {half, 1}, {NULL, 0}};
    static const uint64_t sizes[] = {
        0, 1, 1000, 1000000, 1000000000000, UINT64_MAX / 2};
    struct svt_schema s;
    table(&s, args);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        double last = 0, cost;
        int64_t last_rows = 0, rows;
        for (size_t j = 0; j < sizeof plans / sizeof plans[0]; j++) {
            estimate(&s, sizes[i], plans[j].c, plans[j].n, &cost, &rows);
            assert_true(cost >= last && rows >= last_rows && rows >= 1);
            last = cost;
            last_rows = rows;
        }
        estimate(&s, sizes[i], both, 2, &cost, &rows);
        assert_int_equal(rows, 1);
        assert_true(cost * 2 < last); /* a join looks keys up */
    }
    svt_schema_fini(&s);
}

static void a_count_of_the_rows_corrects_the_estimate(void **state)
{
    (void)state;
    static const char *const args[] = {"a INT PRIMARY KEY", NULL};
    static const struct svt_plan_constraint window[] = {C(0, GT), C(0, LT)},
                                            one[] = {C(0, EQ)};
    static const struct {
        uint64_t table, counted;
        int64_t rows;
    } cases[] = {{1000000, 5, 5},
                 {1000000, 900000, 900000},
                 {1000000, 0, 1},
                 {1000, 5000, 1000}}; /* never more than there are */
    struct svt_schema s;
    table(&s, args);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct svt_plan p;
        struct svt_plan_request r = {.schema = &s,
                                     .constraints = window,
                                     .nconstraints = 2,
                                     .rows = cases[i].table};
        assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
        svt_plan_refine(&p, &r, cases[i].counted, 1);
        assert_int_equal(p.rows, cases[i].rows);
        assert_true(p.cost > (double)p.rows);
        svt_plan_fini(&p);
    }
    for (int small = 0; small < 2; small++) {
        struct svt_plan p;
        struct svt_plan_request r = {.schema = &s,
                                     .constraints = small ? window : one,
                                     .nconstraints = small ? 2 : 1,
                                     .rows = small ? 20 : 1000000};
        assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
        int64_t rows = p.rows;
        double cost = p.cost;
        svt_plan_refine(&p, &r, 1000, 1);
        assert_int_equal(p.rows, rows);
        assert_true(p.cost == cost);
        svt_plan_fini(&p);
    }
    svt_schema_fini(&s);
}

static void a_walk_passes_one_equality_on(void **state)
{
    static const char *const args[] = {"k INT", "b", "c TEXT", "PRIMARY KEY (k)", NULL};
    enum { IN = 1, LITERAL = 2, FOREIGN = 4, UNUSABLE = 8 };
    static const struct {
        struct {
            int column, op, how;
        } c[3];
        int n, passed; /* which one; -1: none */
        int64_t rows;  /* of 1000 */
    } cases[] = {
        {{{1, EQ, 0}}, 1, 0, 250},
        {{{1, EQ, LITERAL}}, 1, 0, 250},
        {{{1, EQ, LITERAL}, {2, EQ, 0}}, 2, 1, 250},
        {{{1, EQ, IN}}, 1, -1, 250},
        {{{1, SQLITE_INDEX_CONSTRAINT_IS, 0}}, 1, -1, 1000},
        {{{2, EQ, FOREIGN}}, 1, -1, 1000},
        {{{2, EQ, UNUSABLE}}, 1, -1, 1000},
        {{{2, GT, 0}}, 1, -1, 1000},
        {{{2, GT, LITERAL}}, 1, -1, 933},
        {{{3, EQ, 0}}, 1, -1, 1000},         /* no column of the table */
        {{{0, EQ, 0}, {1, EQ, 0}}, 2, 0, 1}, /* the key is better */
    };
    struct svt_schema s;
    (void)state;
    table(&s, args);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct svt_plan_constraint c[3];
        struct svt_plan p;
        for (int j = 0; j < cases[i].n; j++) {
            int how = cases[i].c[j].how;
            c[j] = (struct svt_plan_constraint){
                .column = cases[i].c[j].column,
                .op = cases[i].c[j].op,
                .usable = (how & UNUSABLE) == 0,
                .collation_matches = (how & FOREIGN) == 0,
                .collation_builtin = (how & FOREIGN) == 0,
                .in = (how & IN) != 0,
                .literal = (how & LITERAL) != 0,
                .literal_type = (how & LITERAL) != 0 ? SQLITE_TEXT : 0};
        }
        struct svt_plan_request r = {.schema = &s,
                                     .constraints = c,
                                     .nconstraints = cases[i].n,
                                     .rows = 1000,
                                     .in_at_once = true};
        assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
        for (int j = 0; j < cases[i].n; j++) {
            assert_int_equal(p.argv_index[j], j == cases[i].passed ? 1 : 0);
            if (svt_plan_is_scan(p.idx_num))
                assert_false(p.omit[j]); /* SQLite checks it */
        }
        if (svt_plan_is_scan(p.idx_num))
            assert_int_equal(svt_plan_compared_column(p.idx_num),
                             cases[i].passed < 0 ? -1
                                                 : cases[i].c[cases[i].passed].column);
        assert_int_equal(p.rows, cases[i].rows);
        svt_plan_fini(&p);
    }
    svt_schema_fini(&s);
}

static void groups_stand_together_on_any_order_of_the_first_parts(void **state)
{
    static const char *const args[] = {
        "a INT", "b INT", "c INT", "d", "PRIMARY KEY (a, b DESC, c)", NULL};
    static const struct {
        int by[4], n, eq; /* eq: a column with an equality; -1: none */
        bool consumed;
    } cases[] = {
        {{0}, 1, -1, true},          {{1, 0}, 2, -1, true}, {{0, 1}, 2, -1, true},
        {{2, 0, 1}, 3, -1, true},    {{1}, 1, -1, false},   {{1}, 1, 0, true},
        {{0, 2}, 2, -1, false},      {{2, 1}, 2, 0, true},  {{0, 3}, 2, -1, false},
        {{3, 2, 1, 0}, 4, -1, true}, /* rows are groups */
        {{3, 1}, 2, 0, false},
    };
    struct svt_schema s;
    (void)state;
    table(&s, args);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int grouped = 0; grouped < 2; grouped++) {
            struct svt_plan_order order[4];
            struct svt_plan_constraint eq = C(cases[i].eq, EQ);
            struct svt_plan p;
            for (int j = 0; j < cases[i].n; j++)
                order[j] = (struct svt_plan_order){.column = cases[i].by[j]};
            struct svt_plan_request r = {.schema = &s,
                                         .constraints = &eq,
                                         .nconstraints = cases[i].eq >= 0,
                                         .order = order,
                                         .norder = cases[i].n,
                                         .rows = 1000,
                                         .grouped = grouped == 1};
            assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
            if (grouped == 1)
                assert_int_equal(p.order_consumed, cases[i].consumed);
            else if (cases[i].n > 1) /* ascending, which b is not */
                assert_false(p.order_consumed);
            svt_plan_fini(&p);
        }
    svt_schema_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tighter_plans_are_cheaper_whatever_the_size),
        cmocka_unit_test(a_count_of_the_rows_corrects_the_estimate),
        cmocka_unit_test(a_walk_passes_one_equality_on),
        cmocka_unit_test(groups_stand_together_on_any_order_of_the_first_parts),
    };
    return cmocka_run_group_tests(tests, test_mem_install, NULL);
}
