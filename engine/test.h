/* SPDX-License-Identifier: Apache-2.0
 *
 * test.h -- what unit tests share: cmocka, and assertions that show the message. */
#ifndef SDB_TEST_H
#define SDB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "seerdb.h"

/* The call must answer 0; otherwise the test fails with the error's words. */
#define test_ok(call, err)                                                             \
    do {                                                                               \
        int test_rc_ = (call);                                                         \
        if (test_rc_ != 0)                                                             \
            fail_msg("%s: %d: %s", #call, test_rc_, (err)->msg);                       \
    } while (0)

/* The call must answer `want` and, if that is a failure, say something. */
#define test_fails(call, want, err)                                                    \
    do {                                                                               \
        int test_rc_ = (call);                                                         \
        if (test_rc_ != (want))                                                        \
            fail_msg("%s: %d, wanted %d: %s", #call, test_rc_, (want), (err)->msg);    \
        if ((want) < 0 && (err)->msg[0] == '\0')                                       \
            fail_msg("%s failed without a message", #call);                            \
        *(err) = (seerdb_err){0};                                                      \
    } while (0)

static inline seerdb_slice test_slice(const char *s)
{
    return (seerdb_slice){s, strlen(s)};
}

#define test_slice_equal(a, b)                                                         \
    do {                                                                               \
        seerdb_slice test_a_ = (a), test_b_ = (b);                                     \
        assert_int_equal(test_a_.size, test_b_.size);                                  \
        if (test_a_.size > 0)                                                          \
            assert_memory_equal(test_a_.data, test_b_.data, test_a_.size);             \
    } while (0)

/* Bytes against "01 02 ff": the worked examples of FORMAT.md. */
static inline void test_hex_equal(seerdb_slice got, const char *want)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = got.data;
    size_t i = 0;
    for (const char *w = want; *w != '\0'; w++) {
        if (*w == ' ' || *w == '\n')
            continue;
        const char *hi = strchr(digits, w[0]), *lo = strchr(digits, w[1]);
        if (hi == NULL || lo == NULL)
            fail_msg("the example is not hex at \"%s\"", w);
        unsigned byte = (unsigned)((hi - digits) * 16 + (lo - digits));
        if (i >= got.size || p[i] != byte)
            fail_msg("byte %zu is %02x, the format says %02x", i,
                     i < got.size ? p[i] : 0u, byte);
        i++;
        w++;
    }
    assert_int_equal(i, got.size);
}

#endif
