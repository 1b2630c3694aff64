/* SPDX-License-Identifier: Apache-2.0
 *
 * status -- result codes and the one function that reports a failure.
 *
 * Functions return int: 0 done, negative failure, positive "nothing there".  A
 * failure is described once, where it is found, and passed up untouched; one
 * breakpoint on sdb_fail sees them all. */
#ifndef SDB_BASE_STATUS_H
#define SDB_BASE_STATUS_H

#include "seerdb.h"

#include <inttypes.h>
#include <stdarg.h>

#define SDB_MUST_CHECK   __attribute__((warn_unused_result))
#define SDB_PRINTF(f, a) __attribute__((format(printf, f, a)))
/* Away from what is called often; a condition that nearly never holds. */
#define SDB_COLD         __attribute__((cold, noinline))
#define SDB_RARELY(cond) __builtin_expect((cond), 0)
/* Where the compiler's own idea of what is worth it has proved wrong. */
#define SDB_INLINE   inline __attribute__((always_inline))
#define SDB_NOINLINE __attribute__((noinline))

/* Store code and the formatted message in *err, unless err is NULL or already holds
 * a failure.  Returns code.  Requires: code < 0. */
int sdb_fail(seerdb_err *err, int code, const char *fmt, ...) SDB_PRINTF(3, 4);

/* Pass `from` up as the failure of this operation.  Returns from->code. */
int sdb_fail_as(seerdb_err *err, const seerdb_err *from);

/* "full", "corrupt", ...: the name of a result code; static. */
const char *sdb_code_name(int code);

#endif
