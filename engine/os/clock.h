/* SPDX-License-Identifier: Apache-2.0
 *
 * clock -- time and randomness from the operating system. */
#ifndef SDB_OS_CLOCK_H
#define SDB_OS_CLOCK_H

#include "base/status.h"

uint64_t sdb_clock_unix_us(void); /* wall clock: microseconds since 1970 */
uint64_t sdb_clock_mono_us(void); /* never steps back */
uint64_t sdb_clock_mono_ns(void); /* the same */
/* The same, some milliseconds late, and several times as cheap. */
uint64_t sdb_clock_coarse_us(void);
void sdb_clock_sleep_us(uint64_t us);

/* n bytes from the kernel's generator. */
int sdb_random_bytes(void *p, size_t n, seerdb_err *err) SDB_MUST_CHECK;

/* A random version-4 UUID. */
int sdb_uuid_new(seerdb_uuid *out, seerdb_err *err) SDB_MUST_CHECK;
bool sdb_uuid_is_zero(const seerdb_uuid *u);
bool sdb_uuid_equal(const seerdb_uuid *a, const seerdb_uuid *b);
#define SDB_UUID_TEXT 37
/* "xxxxxxxx-xxxx-..." with its NUL. */
void sdb_uuid_format(const seerdb_uuid *u, char out[SDB_UUID_TEXT]);

#endif
