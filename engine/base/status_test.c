/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include "test.h"

static void a_failure_keeps_its_code_and_words(void **state)
{
    seerdb_err err = {0};
    (void)state;
    assert_int_equal(sdb_fail(&err, SEERDB_CORRUPT, "%s: block %d", "f", 7),
                     SEERDB_CORRUPT);
    assert_int_equal(err.code, SEERDB_CORRUPT);
    assert_string_equal(err.msg, "f: block 7");
}

static void the_first_failure_stays(void **state)
{
    seerdb_err err = {0};
    (void)state;
    sdb_fail(&err, SEERDB_IOERR, "first");
    assert_int_equal(sdb_fail(&err, SEERDB_NOMEM, "second"), SEERDB_NOMEM);
    assert_int_equal(err.code, SEERDB_IOERR);
    assert_string_equal(err.msg, "first");
}

static void nobody_need_listen(void **state)
{
    (void)state;
    assert_int_equal(sdb_fail(NULL, SEERDB_FULL, "unheard"), SEERDB_FULL);
}

static void a_long_message_is_cut_and_terminated(void **state)
{
    struct {
        seerdb_err err;
        char guard;
    } s = {.guard = 'g'};
    char words[2000];
    (void)state;
    memset(words, 'w', sizeof words);
    words[sizeof words - 1] = '\0';
    sdb_fail(&s.err, SEERDB_IOERR, "%s", words);
    assert_int_equal(strlen(s.err.msg), sizeof s.err.msg - 1);
    assert_int_equal(s.guard, 'g');
}

static void a_failure_can_be_passed_up_as_ones_own(void **state)
{
    seerdb_err from = {0}, err = {0};
    (void)state;
    sdb_fail(&from, SEERDB_FULL, "100%% full %s", "%s");
    assert_int_equal(sdb_fail_as(&err, &from), SEERDB_FULL);
    assert_int_equal(err.code, SEERDB_FULL);
    assert_string_equal(err.msg, "100% full %s");
}

static void every_code_has_a_name(void **state)
{
    (void)state;
    for (int code = SEERDB_GONE; code <= SEERDB_NOTFOUND; code++)
        assert_string_not_equal(sdb_code_name(code), "unknown");
    assert_string_equal(sdb_code_name(SEERDB_GONE - 1), "unknown");
    assert_string_equal(sdb_code_name(SEERDB_CORRUPT), "corrupt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_keeps_its_code_and_words),
        cmocka_unit_test(the_first_failure_stays),
        cmocka_unit_test(nobody_need_listen),
        cmocka_unit_test(a_long_message_is_cut_and_terminated),
        cmocka_unit_test(a_failure_can_be_passed_up_as_ones_own),
        cmocka_unit_test(every_code_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
