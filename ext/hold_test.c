/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE
#include "hold.h"

#include "base/pin.h"
#include "test.h"
#include "test_sql.h"

static unsigned freed;

/* Bytes that a pin counts. */
struct chunk {
    seerdb_pin pin; /* first member */
    char bytes[64];
};

static void free_chunk(seerdb_pin *pin)
{
    memset(pin, 0xdb, sizeof(struct chunk));
    free(pin);
    freed++;
}

static struct chunk *new_chunk(const char *text)
{
    struct chunk *c = malloc(sizeof *c);
    assert_non_null(c);
    sdb_pin_init(&c->pin, free_chunk);
    snprintf(c->bytes, sizeof c->bytes, "%s", text);
    return c;
}

/* lend(text, type) gives back the text as 'text' or 'blob', on a hold of its own;
 * 'big': the blob of all 64 bytes. */
static void lend(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    struct chunk *c = new_chunk((const char *)sqlite3_value_text(argv[0]));
    const char *type = (const char *)sqlite3_value_text(argv[1]);
    bool blob = strcmp(type, "text") != 0, big = strcmp(type, "big") == 0;
    struct svt_value v = {
        .type = blob ? SQLITE_BLOB : SQLITE_TEXT,
        .bytes = {c->bytes, big ? sizeof c->bytes : strlen(c->bytes)}};
    struct svt_hold *h = svt_hold_take(sqlite3_user_data(ctx), &c->pin);
    (void)argc;
    svt_hold_result(h, ctx, &v, SVT_UTF8);
    svt_hold_release(h);
    if (h == NULL)
        seerdb_pin_unref(&c->pin);
}

static sqlite3 *open_lender(struct svt_holds *holds)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_create_function(db, "lend", 2, SQLITE_UTF8, holds, lend, NULL, NULL),
        SQLITE_OK);
    freed = 0;
    return db;
}

static void results_keep_their_memory_until_sqlite_drops_them(void **state)
{
    struct svt_holds holds = {.n = 0};
    sqlite3 *db = open_lender(&holds);
    sqlite3_stmt *s = NULL;
    (void)state;
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT lend('one', 'text'), lend('two', 'blob')", -1,
                           &s, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    /* Text is copied to give it its end: until 3.38 at once, later where it is asked
     * for. */
    assert_in_range(freed, 0, sqlite3_libversion_number() < 3039000 ? 1 : 0);
    assert_string_equal(sqlite3_column_text(s, 0), "one");
    assert_memory_equal(sqlite3_column_blob(s, 1), "two", 3);
    sqlite3_finalize(s);
    assert_int_equal(freed, 2);
    test_expect(db,
                "WITH v(y) AS (VALUES('b'), ('c'), ('a')) SELECT max(lend(y, 'text')), "
                "min(lend(y, 'blob')), group_concat(lend(y, 'text')) FROM v",
                "c|a|b,c,a");
    test_expect(db,
                "WITH v(y) AS (VALUES('b'), ('c'), ('a')) SELECT lend(y, 'text') AS x "
                "FROM v UNION SELECT lend(y || 'z', 'text') FROM v ORDER BY x DESC",
                "cz c bz b az a");
    test_close(db);
    svt_holds_fini(&holds);
}

static void values_that_sqlite_refuses_are_let_go(void **state)
{
    struct svt_holds holds = {.n = 0};
    sqlite3 *db = open_lender(&holds);
    (void)state;
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 30);
    test_expect(db, "SELECT lend('short', 'text') || 'x'", "shortx");
    assert_int_equal(freed, 1);
    test_expect(db, "SELECT lend('short', 'big')", "error 18: string or blob too big");
    assert_int_equal(freed, 2);
    test_close(db);
    svt_holds_fini(&holds);
}

static void a_connection_has_so_many_holds_and_copies_beyond(void **state)
{
    struct svt_holds holds = {.n = 0};
    struct svt_hold *taken[40];
    struct chunk *c = new_chunk("x");
    unsigned n = 0;
    (void)state;
    freed = 0;
    for (; n < 40; n++)
        if ((taken[n] = svt_hold_take(&holds, seerdb_pin_ref(&c->pin))) == NULL)
            break;
    seerdb_pin_unref(&c->pin); /* the refused one's count */
    assert_in_range(n, 4, 39);
    svt_hold_release(taken[0]);
    assert_ptr_equal(svt_hold_take(&holds, seerdb_pin_ref(&c->pin)), taken[0]);
    for (unsigned i = 0; i < n; i++)
        svt_hold_release(taken[i]);
    svt_hold_release(NULL);
    assert_int_equal(freed, 0);
    seerdb_pin_unref(&c->pin);
    assert_int_equal(freed, 1);
    svt_holds_fini(&holds);
}

/* The process has 256, whoever takes them; a connection that closes gives its own back.
 */
static void holds_go_round_among_connections(void **state)
{
    enum { MANY = 40 };
    struct svt_holds owners[MANY] = {{.n = 0}};
    struct svt_hold *last = NULL;
    struct chunk *c = new_chunk("x");
    unsigned n = 0, served;
    (void)state;
    for (served = 0; served < MANY; served++) {
        struct svt_hold *of_this[64];
        unsigned m = 0;
        while ((of_this[m] = svt_hold_take(&owners[served], seerdb_pin_ref(&c->pin))) !=
               NULL)
            last = of_this[m++];
        seerdb_pin_unref(&c->pin);
        n += m;
        for (unsigned i = 0; i < m; i++)
            svt_hold_release(of_this[i]);
        if (m == 0)
            break;
    }
    assert_int_equal(n, 256);
    assert_non_null(last);
    assert_null(svt_hold_take(&owners[served], &c->pin));
    svt_holds_fini(&owners[0]);
    struct svt_hold *again = svt_hold_take(&owners[served], &c->pin);
    assert_non_null(again);
    svt_hold_release(again); /* it had taken our count */
    for (unsigned i = 0; i < MANY; i++)
        svt_holds_fini(&owners[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_keep_their_memory_until_sqlite_drops_them),
        cmocka_unit_test(values_that_sqlite_refuses_are_let_go),
        cmocka_unit_test(a_connection_has_so_many_holds_and_copies_beyond),
        cmocka_unit_test(holds_go_round_among_connections),
    };
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
