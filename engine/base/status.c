/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <assert.h>
#include <stdio.h>

int sdb_fail(seerdb_err *err, int code, const char *fmt, ...)
{
    assert(code < 0);
    if (err != NULL && err->code == 0) {
        va_list ap;
        err->code = code;
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof err->msg, fmt, ap);
        va_end(ap);
    }
    return code;
}

int sdb_fail_as(seerdb_err *err, const seerdb_err *from)
{
    return sdb_fail(err, from->code, "%s", from->msg);
}

const char *sdb_code_name(int code)
{
    switch (code) {
    case SEERDB_OK:
        return "ok";
    case SEERDB_NOTFOUND:
        return "not found";
    case SEERDB_NOMEM:
        return "out of memory";
    case SEERDB_IOERR:
        return "I/O error";
    case SEERDB_FULL:
        return "disk full";
    case SEERDB_CORRUPT:
        return "corrupt";
    case SEERDB_MISUSE:
        return "misuse";
    case SEERDB_BUSY:
        return "busy";
    case SEERDB_READONLY:
        return "read only";
    case SEERDB_TOOBIG:
        return "too big";
    case SEERDB_NEWER:
        return "newer format";
    case SEERDB_CANTOPEN:
        return "cannot open";
    case SEERDB_FORKED:
        return "forked";
    case SEERDB_INTERRUPTED:
        return "interrupted";
    case SEERDB_MISMATCH:
        return "mismatch";
    case SEERDB_GONE:
        return "gone";
    default:
        return "unknown";
    }
}
