/* SPDX-License-Identifier: Apache-2.0 */
#include "funcs.h"

#include "commands.h"

#include <string.h>

/* ---- functions ------------------------------------------------------------- */

static void version_function(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    sqlite3_result_text(ctx, SEERDB_VERSION, -1, SQLITE_STATIC);
}

static void debug_function(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    char *text = sqlite3_mprintf(
        "%s, SQLite %s (built for %s), %s", seerdb_build_info(), sqlite3_libversion(),
        SQLITE_VERSION, sqlite3_threadsafe() ? "threadsafe" : "single-threaded");
    if (text != NULL)
        sqlite3_result_text(ctx, text, -1, sqlite3_free);
    else
        sqlite3_result_error_nomem(ctx);
}

/* ---- registration ---------------------------------------------------------- */

int svt_funcs_register(struct svt_conn *conn)
{
    static const int safe = SQLITE_UTF8 | SQLITE_INNOCUOUS;
    sqlite3 *db = conn->db;
    int rc =
        sqlite3_create_function_v2(db, "seerdb", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                   conn, svt_command, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "seerdb_version", 0, safe, NULL,
                                        version_function, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function_v2(db, "seerdb_debug", 0, safe, NULL,
                                        debug_function, NULL, NULL, NULL);
    return rc;
}
