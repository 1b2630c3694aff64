/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include "test_mem.h"

enum {
    EQ = SQLITE_INDEX_CONSTRAINT_EQ,
    GT = SQLITE_INDEX_CONSTRAINT_GT,
    GE = SQLITE_INDEX_CONSTRAINT_GE,
    LT = SQLITE_INDEX_CONSTRAINT_LT,
    LE = SQLITE_INDEX_CONSTRAINT_LE,
    IS = SQLITE_INDEX_CONSTRAINT_IS,
    NE = SQLITE_INDEX_CONSTRAINT_NE,
    ISNULL = SQLITE_INDEX_CONSTRAINT_ISNULL,
    NOTNULL = SQLITE_INDEX_CONSTRAINT_ISNOTNULL,
    LIKE = SQLITE_INDEX_CONSTRAINT_LIKE,
    GLOB = SQLITE_INDEX_CONSTRAINT_GLOB,
    LIMIT = SQLITE_INDEX_CONSTRAINT_LIMIT
};

#define C(col, op_)                                                                    \
    {                                                                                  \
        .column = (col), .op = (op_), .usable = true, .collation_matches = true        \
    }
#define LITERAL(col, op_, type_)                                                       \
    {                                                                                  \
        .column = (col), .op = (op_), .usable = true, .collation_matches = true,       \
        .literal = true, .literal_type = (type_)                                       \
    }
#define IN(col)                                                                        \
    {                                                                                  \
        .column = (col), .op = EQ, .usable = true, .collation_matches = true,          \
        .in = true                                                                     \
    }
#define OTHER_COLLATION(col, op_)                                                      \
    {                                                                                  \
        .column = (col), .op = (op_), .usable = true                                   \
    }
#define UNUSABLE(col, op_)                                                             \
    {                                                                                  \
        .column = (col), .op = (op_), .collation_matches = true                        \
    }

#define MAX 6

struct plan_case {
    const char *name;
    struct svt_plan_constraint constraints[MAX];
    int n;
    struct svt_plan_order order[4];
    int norder;
    bool in_at_once, like_skips_blobs, begins_anew;
    /* expected: */
    const char *idx_str;
    int flags; /* idx_num without the number of equalities */
    int neq;
    int argv[MAX];    /* argv_index */
    const char *omit; /* "1" and "0" per constraint; NULL: all used ones, no others */
    bool ordered;
};

/* Parse a table; the columns are arguments of their own. */
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

static void check_case(const struct svt_schema *s, const struct plan_case *c)
{
    struct svt_plan p;
    struct svt_plan_request r = {.schema = s,
                                 .constraints = c->constraints,
                                 .nconstraints = c->n,
                                 .order = c->order,
                                 .norder = c->norder,
                                 .rows = 1000000,
                                 .in_at_once = c->in_at_once,
                                 .like_skips_blobs = c->like_skips_blobs,
                                 .begins_anew = c->begins_anew};
    assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
    if (strcmp(p.idx_str, c->idx_str) != 0)
        fail_msg("%s: \"%s\", wanted \"%s\"", c->name, p.idx_str, c->idx_str);
    if (p.idx_num != (c->flags | c->neq))
        fail_msg("%s: idx_num %x, wanted %x", c->name, (unsigned)p.idx_num,
                 (unsigned)(c->flags | c->neq));
    if (p.order_consumed != c->ordered)
        fail_msg("%s: order consumed %d", c->name, p.order_consumed);
    if (p.unique != ((c->flags & SVT_PLAN_UNIQUE) != 0))
        fail_msg("%s: unique %d", c->name, p.unique);
    for (int i = 0; i < c->n; i++) {
        bool omit = c->omit != NULL ? c->omit[i] == '1' : c->argv[i] > 0;
        if (p.argv_index[i] != c->argv[i])
            fail_msg("%s: constraint %d is argv %d", c->name, i, p.argv_index[i]);
        if (p.omit[i] != omit)
            fail_msg("%s: constraint %d: omit %d", c->name, i, p.omit[i]);
    }
    assert_true(p.rows >= 1);
    assert_true(p.cost >= 1);
    svt_plan_fini(&p);
    svt_plan_fini(&p);
}

static void check_cases(const char *const *args, const struct plan_case *cases,
                        size_t n)
{
    struct svt_schema s;
    table(&s, args);
    for (size_t i = 0; i < n; i++)
        check_case(&s, &cases[i]);
    svt_schema_fini(&s);
}

#define check_all(cases, ...)                                                          \
    do {                                                                               \
        static const char *const args_[] = {__VA_ARGS__, NULL};                        \
        check_cases(args_, cases, sizeof(cases) / sizeof(cases)[0]);                   \
    } while (0)

#define LITERAL_BIT(arg) (1 << (SVT_PLAN_LITERAL_SHIFT + (arg)))
#define UNIQUE           SVT_PLAN_UNIQUE
#define REVERSE          SVT_PLAN_REVERSE
#define LOWER            SVT_PLAN_LOWER
#define UPPER            SVT_PLAN_UPPER
#define LOWER_STRICT     (SVT_PLAN_LOWER | SVT_PLAN_LOWER_STRICT)
#define UPPER_STRICT     (SVT_PLAN_UPPER | SVT_PLAN_UPPER_STRICT)

static const struct plan_case ipk_cases[] = {
    {.name = "scan", .idx_str = ""},
    {.name = "key",
     {C(1, EQ)},
     1,
     .idx_str = "id=?",
     .flags = UNIQUE,
     .neq = 1,
     .argv = {1}},
    {.name = "rowid",
     {C(-1, EQ)},
     1,
     .idx_str = "id=?",
     .flags = UNIQUE,
     .neq = 1,
     .argv = {1}},
    {.name = "is",
     {C(-1, IS)},
     1,
     .idx_str = "id=?",
     .flags = UNIQUE,
     .neq = 1,
     .argv = {1}},
    {.name = "collation is nothing to a number",
     {OTHER_COLLATION(1, EQ)},
     1,
     .idx_str = "id=?",
     .flags = UNIQUE,
     .neq = 1,
     .argv = {1}},
    {.name = "other columns", {C(0, EQ), C(2, GT)}, 2, .idx_str = ""},
    {.name = "unusable", {UNUSABLE(1, EQ)}, 1, .idx_str = ""},
    {.name = "range, both names, upper first",
     {C(1, LE), C(-1, GT)},
     2,
     .idx_str = "id>? AND id<=?",
     .flags = LOWER_STRICT | UPPER,
     .argv = {2, 1}},
    {.name = "equality wins",
     {C(1, LE), C(-1, EQ)},
     2,
     .idx_str = "id=?",
     .flags = UNIQUE,
     .neq = 1,
     .argv = {0, 1}},
    {.name = "two of a kind",
     {C(1, LE), C(1, LT), C(1, EQ), C(1, EQ)},
     4,
     .idx_str = "id=?",
     .flags = UNIQUE,
     .neq = 1,
     .argv = {0, 0, 1}},
    {.name = "in", {IN(1)}, 1, .idx_str = "id=?", .neq = 1, .argv = {1}},
    {.name = "a plain equality before in",
     {IN(1), C(1, EQ)},
     2,
     .idx_str = "id=?",
     .flags = UNIQUE,
     .neq = 1,
     .argv = {0, 1}},
    {.name = "no key is null",
     {C(1, ISNULL)},
     1,
     .idx_str = "id IS NULL",
     .flags = UNIQUE,
     .neq = 1,
     .argv = {1}},
    {.name = "others",
     {C(1, NE), C(1, NOTNULL), C(1, LIKE), C(0, LIMIT)},
     4,
     .idx_str = ""},
    {.name = "literals need no bit",
     {LITERAL(1, GE, SQLITE_TEXT)},
     1,
     .idx_str = "id>=?",
     .flags = LOWER,
     .argv = {1}},
    {.name = "order",
     .order = {{-1, false}},
     .norder = 1,
     .idx_str = "ORDER BY id",
     .ordered = true},
    {.name = "backwards, other columns after the key",
     .order = {{1, true}, {0, false}},
     .norder = 2,
     .idx_str = "ORDER BY id DESC, a",
     .flags = REVERSE,
     .ordered = true},
    {.name = "order by another column",
     .order = {{0, false}},
     .norder = 1,
     .idx_str = ""},
    {.name = "one row is in any order",
     {C(1, EQ)},
     1,
     {{2, true}},
     1,
     .idx_str = "id=?",
     .flags = UNIQUE,
     .neq = 1,
     .argv = {1},
     .ordered = true},
    {.name = "range and order",
     {C(1, GE)},
     1,
     {{1, true}},
     1,
     .idx_str = "id>=? ORDER BY id DESC",
     .flags = LOWER | REVERSE,
     .argv = {1},
     .ordered = true},
};

static const struct plan_case rowid_cases[] = {
    {.name = "hidden rowid",
     {C(-1, EQ), C(0, EQ)},
     2,
     .idx_str = "rowid=?",
     .flags = UNIQUE,
     .neq = 1,
     .argv = {1}},
    {.name = "range",
     {C(-1, LT)},
     1,
     {{-1, true}},
     1,
     .idx_str = "rowid<? ORDER BY rowid DESC",
     .flags = UPPER_STRICT | REVERSE,
     .argv = {1},
     .ordered = true},
};

static void rowids_are_found_by_either_name(void **state)
{
    (void)state;
    check_all(ipk_cases, "a", "id INTEGER PRIMARY KEY", "c");
    check_all(rowid_cases, "a", "b");
}

static const struct plan_case text_cases[] = {
    {.name = "parameter",
     {C(0, EQ)},
     1,
     .idx_str = "k=?",
     .neq = 1,
     .argv = {1},
     .omit = "0"},
    {.name = "text",
     {LITERAL(0, EQ, SQLITE_TEXT)},
     1,
     .idx_str = "k=?",
     .flags = UNIQUE | LITERAL_BIT(0),
     .neq = 1,
     .argv = {1}},
    {.name = "blob",
     {LITERAL(0, IS, SQLITE_BLOB)},
     1,
     .idx_str = "k=?",
     .flags = UNIQUE | LITERAL_BIT(0),
     .neq = 1,
     .argv = {1}},
    {.name = "null",
     {LITERAL(0, EQ, SQLITE_NULL)},
     1,
     .idx_str = "k=?",
     .flags = UNIQUE | LITERAL_BIT(0),
     .neq = 1,
     .argv = {1}},
    {.name = "a number may be a cast",
     {LITERAL(0, EQ, SQLITE_INTEGER)},
     1,
     .idx_str = "k=?",
     .neq = 1,
     .argv = {1},
     .omit = "0"},
    {.name = "so may a real",
     {LITERAL(0, EQ, SQLITE_FLOAT)},
     1,
     .idx_str = "k=?",
     .neq = 1,
     .argv = {1},
     .omit = "0"},
    {.name = "hope",
     {C(0, EQ)},
     1,
     .begins_anew = true,
     .idx_str = "k=?",
     .flags = UNIQUE,
     .neq = 1,
     .argv = {1},
     .omit = "0"},
    {.name = "no hope for a number",
     {LITERAL(0, EQ, SQLITE_INTEGER)},
     1,
     .begins_anew = true,
     .idx_str = "k=?",
     .neq = 1,
     .argv = {1},
     .omit = "0"},
    {.name = "no hope for a range",
     {C(0, GE)},
     1,
     .begins_anew = true,
     .idx_str = "k>=?",
     .flags = LOWER,
     .argv = {1},
     .omit = "0"},
    {.name = "no hope for a list",
     {IN(0)},
     1,
     .in_at_once = true,
     .begins_anew = true,
     .idx_str = "k IN ?",
     .flags = SVT_PLAN_IN,
     .neq = 1,
     .argv = {1},
     .omit = "0"},
    {.name = "the literal is preferred",
     {C(0, EQ), LITERAL(0, EQ, SQLITE_TEXT)},
     2,
     .idx_str = "k=?",
     .flags = UNIQUE | LITERAL_BIT(0),
     .neq = 1,
     .argv = {0, 1}},
    {.name = "range",
     {LITERAL(0, LT, SQLITE_TEXT), C(0, GE)},
     2,
     .idx_str = "k>=? AND k<?",
     .flags = LOWER | UPPER_STRICT | LITERAL_BIT(1),
     .argv = {2, 1},
     .omit = "10"},
    {.name = "the better bounds",
     {C(0, LT), LITERAL(0, LE, SQLITE_TEXT), LITERAL(0, GT, SQLITE_TEXT), C(0, GE)},
     4,
     .idx_str = "k>? AND k<=?",
     .flags = LOWER_STRICT | UPPER | LITERAL_BIT(0) | LITERAL_BIT(1),
     .argv = {0, 2, 1, 0}},
    {.name = "another collation",
     {OTHER_COLLATION(0, EQ), OTHER_COLLATION(0, GE)},
     2,
     .idx_str = ""},
    {.name = "rowid means nothing here", {C(-1, EQ)}, 1, .idx_str = ""},
    {.name = "several texts may equal a number: their order counts",
     {C(0, EQ)},
     1,
     {{1, false}},
     1,
     .idx_str = "k=?",
     .neq = 1,
     .argv = {1},
     .omit = "0"},
    {.name = "but in the order of keys",
     {C(0, EQ)},
     1,
     {{0, true}, {1, false}},
     2,
     .idx_str = "k=? ORDER BY k DESC, v",
     .flags = REVERSE,
     .neq = 1,
     .argv = {1},
     .omit = "0",
     .ordered = true},
};

static const struct plan_case untyped_cases[] = {
    {.name = "parameter",
     {C(0, EQ)},
     1,
     .idx_str = "key=?",
     .neq = 1,
     .argv = {1},
     .omit = "0"},
    {.name = "text",
     {LITERAL(0, EQ, SQLITE_TEXT)},
     1,
     .idx_str = "key=?",
     .flags = UNIQUE | LITERAL_BIT(0),
     .neq = 1,
     .argv = {1}},
    {.name = "a number may be a cast",
     {LITERAL(0, GT, SQLITE_INTEGER)},
     1,
     .idx_str = "key>?",
     .flags = LOWER_STRICT,
     .argv = {1},
     .omit = "0"},
};

static void a_text_key_is_exact_only_for_literal_texts_and_blobs(void **state)
{
    (void)state;
    check_all(text_cases, "k TEXT PRIMARY KEY", "v");
    check_all(untyped_cases, "sync = off");
}

static const struct plan_case list_cases[] = {
    {.name = "the cursor cannot", {IN(0)}, 1, .idx_str = ""},
    {.name = "it can",
     {IN(0)},
     1,
     .in_at_once = true,
     .idx_str = "a IN ?",
     .flags = SVT_PLAN_IN,
     .neq = 1,
     .argv = {1},
     .omit = "0"},
    {.name = "a bound instead",
     {IN(0), C(0, GT)},
     2,
     .idx_str = "a>?",
     .flags = LOWER_STRICT,
     .argv = {0, 1},
     .omit = "00"},
    {.name = "an equality instead",
     {IN(0), C(0, EQ)},
     2,
     .in_at_once = true,
     .idx_str = "a=?",
     .neq = 1,
     .argv = {0, 1},
     .omit = "00"},
    {.name = "bounds may follow a list, equalities not",
     {C(1, LT), IN(0), C(1, EQ)},
     3,
     .in_at_once = true,
     .idx_str = "a IN ? AND n<?",
     .flags = SVT_PLAN_IN | UPPER_STRICT,
     .neq = 1,
     .argv = {2, 1, 0},
     .omit = "000"},
    {.name = "what follows an equality that gives more keys is checked too",
     {C(1, EQ), C(0, EQ)},
     2,
     .idx_str = "a=? AND n=?",
     .neq = 2,
     .argv = {2, 1},
     .omit = "00"},
    {.name = "also a bound",
     {C(1, GT), C(1, LE), C(0, EQ)},
     3,
     .idx_str = "a=? AND n>? AND n<=?",
     .flags = LOWER_STRICT | UPPER,
     .neq = 1,
     .argv = {2, 3, 1},
     .omit = "000"},
    {.name = "its values come in order",
     {IN(0)},
     1,
     {{0, true}},
     1,
     .in_at_once = true,
     .idx_str = "a IN ? ORDER BY a DESC",
     .flags = SVT_PLAN_IN | REVERSE,
     .neq = 1,
     .argv = {1},
     .omit = "0",
     .ordered = true},
    {.name = "but are several",
     {IN(0)},
     1,
     {{1, false}},
     1,
     .in_at_once = true,
     .idx_str = "a IN ?",
     .flags = SVT_PLAN_IN,
     .neq = 1,
     .argv = {1},
     .omit = "0"},
    {.name = "a loop over numbers is right",
     {LITERAL(0, EQ, SQLITE_TEXT), IN(1)},
     2,
     .in_at_once = true,
     .idx_str = "a=? AND n=?",
     .flags = LITERAL_BIT(0),
     .neq = 2,
     .argv = {1, 2}},
};

static void lists_are_taken_whole_where_a_loop_would_lose_rows(void **state)
{
    (void)state;
    check_all(list_cases, "a TEXT", "n INT", "PRIMARY KEY (a, n)");
    struct svt_schema s;
    struct svt_plan p;
    static const char *const args[] = {"a TEXT PRIMARY KEY", NULL};
    static const struct svt_plan_constraint in[] = {C(0, GT), IN(0)};
    table(&s, args);
    struct svt_plan_request r = {
        .schema = &s, .constraints = in, .nconstraints = 2, .in_at_once = true};
    assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
    assert_int_equal(p.in_constraint, 1);
    svt_plan_fini(&p);
    r.in_at_once = false;
    assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
    assert_int_equal(p.in_constraint, -1);
    svt_plan_fini(&p);
    svt_schema_fini(&s);
}

static const struct plan_case like_cases[] = {
    {.name = "glob, blobs too",
     {LITERAL(0, GE, SQLITE_TEXT), LITERAL(0, LT, SQLITE_TEXT),
      LITERAL(0, GLOB, SQLITE_TEXT)},
     3,
     .idx_str = "k>=? AND k<?",
     .flags = LOWER | UPPER_STRICT | SVT_PLAN_BLOBS | LITERAL_BIT(0) | LITERAL_BIT(1),
     .argv = {1, 2, 0},
     .omit = "000"},
    {.name = "glob, texts only",
     {LITERAL(0, GE, SQLITE_TEXT), LITERAL(0, LT, SQLITE_TEXT),
      LITERAL(0, GLOB, SQLITE_TEXT)},
     3,
     .like_skips_blobs = true,
     .idx_str = "k>=? AND k<?",
     .flags = LOWER | UPPER_STRICT | LITERAL_BIT(0) | LITERAL_BIT(1),
     .argv = {1, 2, 0},
     .omit = "110"},
    {.name = "like sends another collation",
     {OTHER_COLLATION(0, GE), OTHER_COLLATION(0, LT), C(0, LIKE)},
     3,
     .idx_str = ""},
    {.name = "glob on another column is nothing to the key",
     {LITERAL(0, LT, SQLITE_TEXT), C(1, GLOB)},
     2,
     .idx_str = "k<?",
     .flags = UPPER_STRICT | LITERAL_BIT(0),
     .argv = {1, 0}},
    {.name = "blobs are above a lower bound anyway",
     {LITERAL(0, GE, SQLITE_TEXT), C(0, GLOB)},
     2,
     .idx_str = "k>=?",
     .flags = LOWER | LITERAL_BIT(0),
     .argv = {1, 0}},
};

static void like_keeps_its_check_where_it_sees_blobs(void **state)
{
    (void)state;
    check_all(like_cases, "k TEXT PRIMARY KEY", "v");
}

static const struct plan_case composite_cases[] = {
    {.name = "all, in any order",
     {C(1, EQ), C(2, EQ), C(0, EQ)},
     3,
     .idx_str = "c=? AND b=? AND a=?",
     .flags = UNIQUE,
     .neq = 3,
     .argv = {2, 1, 3}},
    {.name = "prefix", {C(2, EQ)}, 1, .idx_str = "c=?", .neq = 1, .argv = {1}},
    {.name = "a gap",
     {C(2, EQ), C(0, EQ)},
     2,
     .idx_str = "c=?",
     .neq = 1,
     .argv = {1, 0}},
    {.name = "no first part", {C(1, EQ), C(0, EQ)}, 2, .idx_str = ""},
    {.name = "prefix and range",
     {C(1, LE), C(0, EQ), C(2, EQ), C(1, GT)},
     4,
     .idx_str = "c=? AND b>? AND b<=?",
     .flags = LOWER_STRICT | UPPER,
     .neq = 1,
     .argv = {3, 0, 1, 2}},
    {.name = "hidden key",
     {C(2, EQ), C(4, EQ)},
     2,
     {{0, false}},
     1,
     .idx_str = "_key=?",
     .flags = UNIQUE | SVT_PLAN_HIDDEN_KEY,
     .neq = 1,
     .argv = {0, 1},
     .ordered = true},
    {.name = "no range on the hidden key", {C(4, GT)}, 1, .idx_str = ""},
    {.name = "unusable hidden key", {UNUSABLE(4, EQ)}, 1, .idx_str = ""},
    /* The key is (c DESC, b, a). */
    {.name = "key order",
     .order = {{2, true}, {1, false}, {0, false}, {3, true}},
     .norder = 4,
     .idx_str = "ORDER BY c DESC, b, a, d DESC",
     .ordered = true},
    {.name = "reversed",
     .order = {{2, false}, {1, true}},
     .norder = 2,
     .idx_str = "ORDER BY c, b DESC",
     .flags = REVERSE,
     .ordered = true},
    {.name = "mixed", .order = {{2, true}, {1, true}}, .norder = 2, .idx_str = ""},
    {.name = "wrong part", .order = {{1, false}}, .norder = 1, .idx_str = ""},
    {.name = "a part left out",
     .order = {{2, true}, {0, false}},
     .norder = 2,
     .idx_str = ""},
    {.name = "equalities are skipped",
     {C(2, EQ)},
     1,
     {{1, true}, {2, true}, {0, true}},
     3,
     .idx_str = "c=? ORDER BY b DESC, c DESC, a DESC",
     .flags = REVERSE,
     .neq = 1,
     .argv = {1},
     .ordered = true},
    {.name = "nothing left to order",
     {C(2, EQ)},
     1,
     {{2, true}},
     1,
     .idx_str = "c=? ORDER BY c DESC",
     .neq = 1,
     .argv = {1},
     .ordered = true},
    {.name = "another column inside",
     {C(2, EQ)},
     1,
     {{1, false}, {3, false}},
     2,
     .idx_str = "c=?",
     .neq = 1,
     .argv = {1}},
    {.name = "a list is several values",
     {IN(2)},
     1,
     {{1, false}},
     1,
     .idx_str = "c=?",
     .neq = 1,
     .argv = {1}},
    {.name = "range and order on it",
     {C(2, GE)},
     1,
     {{2, false}},
     1,
     .idx_str = "c>=? ORDER BY c",
     .flags = LOWER | REVERSE,
     .argv = {1},
     .ordered = true},
    {.name = "hidden key in the order",
     .order = {{4, false}},
     .norder = 1,
     .idx_str = ""},
};

static void composite_keys_use_a_prefix_and_then_a_range(void **state)
{
    (void)state;
    check_all(composite_cases, "a INT", "b REAL", "c NUMERIC", "d",
              "PRIMARY KEY (c DESC, b, a)");
}

/* The same constraints in every order: the same plan. */
static void the_order_of_constraints_does_not_matter(void **state)
{
    (void)state;
    static const char *const args[] = {"a INT", "b INT", "c INT",
                                       "PRIMARY KEY (a, b, c)", NULL};
    static const struct svt_plan_constraint all[4] = {C(0, EQ), C(1, GT), C(1, LE),
                                                      C(2, EQ)};
    static const int argv[4] = {1, 2, 3, 0};
    struct svt_schema s;
    table(&s, args);
    for (unsigned code = 0; code < 256; code++) {
        int at[4];
        struct svt_plan_constraint shuffled[4];
        unsigned seen = 0;
        for (int i = 0; i < 4; i++) {
            at[i] = (int)(code >> (2 * i) & 3);
            shuffled[i] = all[at[i]];
            seen |= 1u << at[i];
        }
        if (seen != 15)
            continue;
        struct svt_plan p;
        struct svt_plan_request r = {
            .schema = &s, .constraints = shuffled, .nconstraints = 4, .rows = 10};
        assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
        assert_string_equal(p.idx_str, "a=? AND b>? AND b<=?");
        for (int i = 0; i < 4; i++)
            assert_int_equal(p.argv_index[i], argv[at[i]]);
        svt_plan_fini(&p);
    }
    svt_schema_fini(&s);
}

static void long_keys_run_out_of_literal_bits_and_stay_right(void **state)
{
    (void)state;
    struct svt_schema s;
    char *message = NULL;
    const char *argv[24] = {"seerdb", "main", "t"};
    char names[20][16];
    struct svt_plan_constraint c[20];
    for (int i = 0; i < 20; i++) {
        snprintf(names[i], sizeof names[i], "c%d TEXT", i);
        argv[3 + i] = names[i];
        c[i] = (struct svt_plan_constraint)LITERAL(i, EQ, SQLITE_TEXT);
    }
    argv[23] =
        "PRIMARY KEY (c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, "
        "c14, c15, c16, c17, c18, c19)";
    assert_int_equal(svt_args_parse(24, argv, &s, &message), SQLITE_OK);
    struct svt_plan p;
    struct svt_plan_request r = {.schema = &s, .constraints = c, .nconstraints = 20};
    assert_int_equal(svt_plan_choose(&r, &p), SQLITE_OK);
    assert_int_equal(p.idx_num, 0x1fff0000 | 20);
    assert_false(p.unique);
    for (int i = 0; i < 20; i++)
        assert_int_equal(p.omit[i], i < SVT_PLAN_LITERAL_MAX);
    svt_plan_fini(&p);
    svt_schema_fini(&s);
}

static void running_out_of_memory_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    static const char *const args[] = {"k INT PRIMARY KEY", NULL};
    static const struct svt_plan_constraint c[] = {C(0, GT)};
    struct svt_schema s;
    table(&s, args);
    int64_t live = test_mem_live;
    for (int with = 0; with < 2; with++) {
        for (int64_t left = 0;; left++) {
            struct svt_plan p;
            struct svt_plan_request r = {
                .schema = &s, .constraints = c, .nconstraints = with};
            test_mem_left = left;
            int rc = svt_plan_choose(&r, &p);
            bool done = test_mem_left > 0;
            test_mem_left = -1;
            svt_plan_fini(&p);
            assert_int_equal(test_mem_live, live);
            if (done) {
                assert_int_equal(rc, SQLITE_OK);
                break;
            }
            assert_true(rc == SQLITE_NOMEM || rc == SQLITE_OK);
        }
    }
    svt_schema_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rowids_are_found_by_either_name),
        cmocka_unit_test(a_text_key_is_exact_only_for_literal_texts_and_blobs),
        cmocka_unit_test(lists_are_taken_whole_where_a_loop_would_lose_rows),
        cmocka_unit_test(like_keeps_its_check_where_it_sees_blobs),
        cmocka_unit_test(composite_keys_use_a_prefix_and_then_a_range),
        cmocka_unit_test(the_order_of_constraints_does_not_matter),
        cmocka_unit_test(long_keys_run_out_of_literal_bits_and_stay_right),
        cmocka_unit_test(running_out_of_memory_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, test_mem_install, NULL);
}
