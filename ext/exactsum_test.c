/* SPDX-License-Identifier: Apache-2.0 */
#include "exactsum.h"

#include "base/rand.h"
#include "test.h"

#include <float.h>
#include <math.h>

static double bits_to_real(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static double any_real(struct sdb_rand *r)
{
    for (;;) {
        double v = bits_to_real(sdb_rand_next(r));
        if (isfinite(v))
            return v;
    }
}

static void a_sum_of_one_real_is_that_real(void **state)
{
    static const double awkward[] = {
        0.1, -0.1, DBL_MAX,  -DBL_MAX, DBL_MIN,      -DBL_MIN, 0x1p-1074,
        1.5, -1,   0x1p1023, 0x1p63,   -0x1.8p-1073, 1e300,    0x1.fffffffffffffp-1023};
    struct sdb_rand r = {0};
    (void)state;
    r.state = 1;
    for (size_t i = 0; i < 20000; i++) {
        double v = i < sizeof awkward / sizeof awkward[0] ? awkward[i] : any_real(&r);
        struct svt_sum s = {{0}};
        svt_sum_add_real(&s, v);
        if (svt_sum_to_real(&s) != v)
            fail_msg("%a became %a", v, svt_sum_to_real(&s));
    }
    struct svt_sum s = {{0}};
    svt_sum_add_real(&s, -0.0);
    assert_false(signbit(svt_sum_to_real(&s)));
}

/* Two terms: the hardware rounds the exact sum, to even in the middle, just so. */
static void a_sum_of_two_reals_is_rounded_as_ieee_754_says(void **state)
{
    struct sdb_rand r = {0};
    (void)state;
    r.state = 2;
    for (int i = 0; i < 50000; i++) {
        double a = any_real(&r), b = any_real(&r);
        if (i % 4 != 0) /* near each other, or they do not meet */
            b = ldexp(frexp(b, &(int){0}),
                      ilogb(a) + (int)(sdb_rand_next(&r) % 120) - 60);
        if (!isfinite(b))
            continue;
        struct svt_sum s = {{0}};
        svt_sum_add_real(&s, a);
        svt_sum_add_real(&s, b);
        if (svt_sum_to_real(&s) != a + b)
            fail_msg("%a + %a is %a, not %a", a, b, a + b, svt_sum_to_real(&s));
    }
}

static void integers_are_summed_beyond_64_bits_and_back(void **state)
{
    struct svt_sum s = {{0}};
    int64_t v = 0;
    (void)state;
    for (int i = 0; i < 1000; i++)
        svt_sum_add_integer(&s, INT64_MAX);
    assert_false(svt_sum_is_integer(&s, &v));
    assert_true(svt_sum_to_real(&s) == 1000 * 0x1p63);
    for (int i = 0; i < 1000; i++)
        svt_sum_add_integer(&s, INT64_MIN + 1);
    assert_true(svt_sum_is_integer(&s, &v));
    assert_int_equal(v, 0);
    svt_sum_add_integer(&s, INT64_MIN);
    assert_true(svt_sum_is_integer(&s, &v));
    assert_true(v == INT64_MIN);
    svt_sum_add_integer(&s, -1);
    assert_false(svt_sum_is_integer(&s, &v));
    svt_sum_add_real(&s, 1);
    assert_true(svt_sum_is_integer(&s, &v));
    svt_sum_add_real(&s, 0.5);
    assert_false(svt_sum_is_integer(&s, &v));
}

static void sums_beyond_all_reals_are_infinite_and_come_back(void **state)
{
    struct svt_sum s = {{0}};
    (void)state;
    svt_sum_add_real(&s, DBL_MAX);
    svt_sum_add_real(&s, DBL_MAX);
    assert_true(isinf(svt_sum_to_real(&s)) && svt_sum_to_real(&s) > 0);
    svt_sum_add_real(&s, -DBL_MAX);
    assert_true(svt_sum_to_real(&s) == DBL_MAX);
    svt_sum_add_real(&s, -DBL_MAX);
    svt_sum_add_real(&s, -DBL_MAX);
    svt_sum_add_real(&s, -DBL_MAX);
    assert_true(isinf(svt_sum_to_real(&s)) && svt_sum_to_real(&s) < 0);
}

static void add_any(struct svt_sum *s, struct sdb_rand *r)
{
    if (sdb_rand_next(r) % 2)
        svt_sum_add_integer(s, (int64_t)sdb_rand_next(r));
    else
        svt_sum_add_real(s, any_real(r));
}

static void order_and_grouping_do_not_matter(void **state)
{
    struct sdb_rand r = {0};
    (void)state;
    r.state = 3;
    for (int i = 0; i < 2000; i++) {
        struct svt_sum term[8], forth = {{0}}, back = {{0}}, halves[2] = {{{0}}, {{0}}};
        memset(term, 0, sizeof term);
        for (int k = 0; k < 8; k++) {
            add_any(&term[k], &r);
            svt_sum_add(&forth, &term[k]);
            svt_sum_add(&halves[k % 2], &term[k]);
        }
        for (int k = 7; k >= 0; k--)
            svt_sum_add(&back, &term[k]);
        svt_sum_add(&halves[0], &halves[1]);
        assert_memory_equal(&forth, &back, sizeof forth);
        assert_memory_equal(&forth, &halves[0], sizeof forth);
    }
}

static void bytes_give_back_the_sum_and_no_more_of_them_than_it_needs(void **state)
{
    struct sdb_rand r = {0};
    uint8_t bytes[SVT_SUM_BYTES];
    size_t first, n;
    (void)state;
    r.state = 4;
    for (int i = 0; i < 5000; i++) {
        struct svt_sum s = {{0}}, again;
        for (uint64_t k = sdb_rand_next(&r) % 4; k > 0; k--)
            add_any(&s, &r);
        svt_sum_encode(&s, bytes, &first, &n);
        assert_true(svt_sum_decode(&again, bytes, first, n));
        assert_memory_equal(&s, &again, sizeof s);
    }
    static const struct {
        int64_t v;
        size_t n;
    } cases[] = {{0, 0},   {1, 1},    {-1, 1},   {127, 1},
                 {128, 2}, {-128, 1}, {-129, 2}, {256, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct svt_sum s = {{0}};
        svt_sum_add_integer(&s, cases[i].v);
        svt_sum_encode(&s, bytes, &first, &n);
        assert_int_equal(n, cases[i].n);
    }
}

static void bytes_that_no_sum_has_are_refused(void **state)
{
    uint8_t bytes[SVT_SUM_BYTES + 8];
    struct svt_sum s;
    (void)state;
    memset(bytes, 1, sizeof bytes);
    assert_true(svt_sum_decode(&s, bytes, 136, 1));
    assert_true(svt_sum_decode(&s, bytes, SVT_SUM_BYTES, 0));
    assert_false(svt_sum_decode(&s, bytes, SVT_SUM_BYTES + 1, 0));
    assert_false(svt_sum_decode(&s, bytes, 136, SVT_SUM_BYTES - 135));
    assert_false(svt_sum_decode(&s, bytes, SIZE_MAX, 2));
    assert_false(svt_sum_decode(&s, bytes, 1, 1)); /* below the least real */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sum_of_one_real_is_that_real),
        cmocka_unit_test(a_sum_of_two_reals_is_rounded_as_ieee_754_says),
        cmocka_unit_test(integers_are_summed_beyond_64_bits_and_back),
        cmocka_unit_test(sums_beyond_all_reals_are_infinite_and_come_back),
        cmocka_unit_test(order_and_grouping_do_not_matter),
        cmocka_unit_test(bytes_give_back_the_sum_and_no_more_of_them_than_it_needs),
        cmocka_unit_test(bytes_that_no_sum_has_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
