/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "os/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#if defined(CLOCK_MONOTONIC_COARSE)
#define COARSE CLOCK_MONOTONIC_COARSE
#else
#define COARSE CLOCK_MONOTONIC
#endif

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t sdb_clock_unix_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

uint64_t sdb_clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t sdb_clock_mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t sdb_clock_coarse_us(void)
{
    return read_clock(COARSE);
}

void sdb_clock_sleep_us(uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

int sdb_random_bytes(void *p, size_t n, seerdb_err *err)
{
    uint8_t *b = p;
    while (n > 0) {
        ssize_t got = getrandom(b, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return sdb_fail(err, SEERDB_IOERR, "getrandom: %s", strerror(errno));
        b += got;
        n -= (size_t)got;
    }
    return 0;
}

int sdb_uuid_new(seerdb_uuid *out, seerdb_err *err)
{
    int rc = sdb_random_bytes(out->bytes, sizeof out->bytes, err);
    out->bytes[6] = (uint8_t)((out->bytes[6] & 0x0f) | 0x40);
    out->bytes[8] = (uint8_t)((out->bytes[8] & 0x3f) | 0x80);
    return rc;
}

bool sdb_uuid_is_zero(const seerdb_uuid *u)
{
    static const seerdb_uuid zero;
    return sdb_uuid_equal(u, &zero);
}

bool sdb_uuid_equal(const seerdb_uuid *a, const seerdb_uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void sdb_uuid_format(const seerdb_uuid *u, char out[SDB_UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof u->bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[u->bytes[i] >> 4];
        *out++ = digits[u->bytes[i] & 15];
    }
    *out = '\0';
}
