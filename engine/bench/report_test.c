/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bench/report.h"
#include "test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[64];

static struct bench_result result(const char *rival, unsigned round, double ops,
                                  double sum)
{
    struct bench_result r = {.group = "g", .round = round};
    snprintf(r.rival, sizeof r.rival, "%s", rival);
    snprintf(r.name, sizeof r.name, "get");
    r.v[BENCH_OPS] = ops;
    r.v[BENCH_SECONDS] = 2;
    r.v[BENCH_SUM] = sum;
    return r;
}

static void put_job(FILE *f, const char *rival, unsigned round, double ops, double sum)
{
    struct bench_result r = result(rival, round, ops, sum);
    bench_result_write(f, &r);
    bench_done_write(f, "g", rival, round);
}

static FILE *start(void)
{
    snprintf(path, sizeof path, "/tmp/seerdb-report-%d", (int)getpid());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    return f;
}

static void medians_are_taken_over_the_rounds_asked_for(void **state)
{
    static const double ops[] = {30, 10, 20, 1000};
    struct bench_results results = {0};
    double v[BENCH_COLUMNS];
    (void)state;
    FILE *f = start();
    for (unsigned round = 0; round < 4; round++)
        put_job(f, "a", round, ops[round], 0);
    fclose(f);
    bench_results_load(&results, path);
    assert_int_equal(results.n, 4);
    assert_true(bench_median(&results, "g", "a", "get", 3, v));
    assert_int_equal((int)v[BENCH_OPS], 20);
    assert_true(bench_median(&results, "g", "a", "get", 4, v));
    assert_int_equal((int)v[BENCH_OPS], 25);
    assert_int_equal((int)v[BENCH_SECONDS], 2);
    assert_false(bench_median(&results, "g", "b", "get", 3, v));
    assert_true(bench_results_have(&results, "g", "a", 3));
    assert_false(bench_results_have(&results, "g", "a", 4));
    bench_results_free(&results);
}

/* Cut the file at every length: only whole jobs count, and the next job does. */
static void a_job_counts_when_its_done_line_is_there(void **state)
{
    char whole[4000];
    (void)state;
    FILE *f = start();
    put_job(f, "a", 0, 5, 0);
    long first = ftell(f);
    put_job(f, "b", 0, 6, 0);
    long size = ftell(f);
    fclose(f);
    assert_non_null(f = fopen(path, "r"));
    assert_int_equal(fread(whole, 1, sizeof whole, f), (size_t)size);
    fclose(f);
    for (long cut = 0; cut < size; cut++) {
        struct bench_results results = {0};
        f = start();
        assert_int_equal(fwrite(whole, 1, (size_t)cut, f), (size_t)cut);
        fputc('\n', f);
        put_job(f, "c", 0, 7, 0);
        put_job(f, "d", 0, 8, 0);
        fclose(f);
        bench_results_load(&results, path);
        bool ended_at_done =
            cut == 0 || cut >= size - 1 || cut == first || cut == first - 1;
        assert_int_equal(bench_results_have(&results, "g", "a", 0), cut >= first - 1);
        assert_int_equal(bench_results_have(&results, "g", "b", 0), cut >= size - 1);
        if (ended_at_done)
            assert_true(bench_results_have(&results, "g", "c", 0));
        /* At worst the job behind the cut is measured again, never a later one. */
        assert_true(bench_results_have(&results, "g", "d", 0));
        for (size_t i = 0; i < results.n; i++)
            assert_in_range((int)results.all[i].v[BENCH_OPS], 5, 8);
        bench_results_free(&results);
    }
}

/* The exit status of bench_results_agree over what the file holds. */
static int agreement(void)
{
    struct bench_results results = {0};
    int status;
    bench_results_load(&results, path);
    pid_t pid = fork();
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(9);
        bench_results_agree(&results);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    bench_results_free(&results);
    return WEXITSTATUS(status);
}

static void rivals_that_read_different_rows_end_the_bench(void **state)
{
    static const struct {
        double a, b;
        unsigned round_of_b;
        int status;
    } cases[] = {{77, 77, 0, 0}, {77, 78, 0, 1}, {77, 0, 0, 0}, {77, 78, 1, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FILE *f = start();
        put_job(f, "a", 0, 1, cases[i].a);
        put_job(f, "b", cases[i].round_of_b, 1, cases[i].b);
        fclose(f);
        assert_int_equal(agreement(), cases[i].status);
    }
}

static void a_table_shows_ratios_of_the_first_rival_to_the_others(void **state)
{
    static const char *const rivals[] = {"a", "b"};
    static const struct bench_target targets[] = {
        {"g", "get", BENCH_AT_LEAST, "b", 2, 10},
        {"g", "get", BENCH_AT_LEAST, "b", 3, 10},
        {"g", "put", BENCH_AT_LEAST, "b", 2, 10}};
    struct bench_results results = {0};
    char text[4000] = "";
    (void)state;
    FILE *f = start();
    put_job(f, "a", 0, 5000000, 0);
    put_job(f, "b", 0, 2000000, 0);
    fclose(f);
    bench_results_load(&results, path);
    struct bench_view view = {&results, "g", "title", rivals, 2, 1, 10};
    assert_non_null(f = fmemopen(text, sizeof text, "w"));
    bench_table(&view, f);
    bench_targets(&view, targets, 3, f);
    bench_chart(&view, f);
    fclose(f);
    assert_non_null(strstr(text, "2,500,000"));
    assert_non_null(strstr(text, "2.50x"));
    assert_non_null(strstr(text, "  met"));
    assert_non_null(strstr(text, "NOT met"));
    assert_non_null(strstr(text, "not measured"));
    assert_non_null(strstr(text, "width=\"168\" height=\"11\"")); /* 420 * 2 / 5 */
    assert_non_null(strstr(text, "</svg>"));
    bench_results_free(&results);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians_are_taken_over_the_rounds_asked_for),
        cmocka_unit_test(a_job_counts_when_its_done_line_is_there),
        cmocka_unit_test(rivals_that_read_different_rows_end_the_bench),
        cmocka_unit_test(a_table_shows_ratios_of_the_first_rival_to_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
