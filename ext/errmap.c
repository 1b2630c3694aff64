/* SPDX-License-Identifier: Apache-2.0 */
#include "errmap.h"

#include <stdarg.h>

int svt_errmap_code(int rc)
{
    switch (rc) {
    case SEERDB_OK:
        return SQLITE_OK;
    case SEERDB_NOMEM:
        return SQLITE_NOMEM;
    case SEERDB_IOERR:
        return SQLITE_IOERR;
    case SEERDB_FULL:
        return SQLITE_FULL;
    case SEERDB_CORRUPT:
        return SQLITE_CORRUPT_VTAB;
    case SEERDB_MISUSE:
        return SQLITE_MISUSE;
    case SEERDB_BUSY:
        return SQLITE_BUSY;
    case SEERDB_READONLY:
        return SQLITE_READONLY;
    case SEERDB_TOOBIG:
        return SQLITE_TOOBIG;
    case SEERDB_NEWER:
    case SEERDB_CANTOPEN:
        return SQLITE_CANTOPEN;
    case SEERDB_INTERRUPTED:
        return SQLITE_INTERRUPT;
    case SEERDB_GONE:
        return SQLITE_BUSY_SNAPSHOT;
    default: /* FORKED and MISMATCH have no counterpart in SQLite */
        return SQLITE_ERROR;
    }
}

int svt_errmap_message(char **message, const char *who, int rc, const seerdb_err *err)
{
    if (rc == SEERDB_OK)
        return SQLITE_OK;
    const char *text = err->msg[0] != 0 ? err->msg : "the store gave no reason";
    if (rc == SEERDB_INTERRUPTED)
        who = NULL; /* nothing is wrong with it: SQLite's own sentence */
    return svt_fail(message, svt_errmap_code(rc), "%s%s%s", who != NULL ? who : "",
                    who != NULL ? ": " : "", text);
}

int svt_errmap(sqlite3_vtab *vtab, const char *who, int rc, const seerdb_err *err)
{
    return svt_errmap_message(&vtab->zErrMsg, who, rc, err);
}

int svt_fail(char **message, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = sqlite3_vmprintf(format, args);
    va_end(args);
    sqlite3_free(*message);
    *message = text;
    return code;
}
