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

static const struct {
    const char *name;
    int nargs, flags;
    void (*run)(sqlite3_context *ctx, int argc, sqlite3_value **argv);
} functions[] = {
    {"seerdb", -1, SQLITE_DIRECTONLY, svt_command},
    {"seerdb_version", 0, SQLITE_INNOCUOUS, version_function},
    {"seerdb_debug", 0, SQLITE_INNOCUOUS, debug_function},
};

int svt_funcs_register(struct svt_conn *conn)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0] && rc == SQLITE_OK;
         i++)
        rc = sqlite3_create_function_v2(conn->db, functions[i].name, functions[i].nargs,
                                        SQLITE_UTF8 | functions[i].flags, conn,
                                        functions[i].run, NULL, NULL, NULL);
    return rc;
}

void svt_funcs_unregister(sqlite3 *db)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        (void)sqlite3_create_function_v2(db, functions[i].name, functions[i].nargs,
                                         SQLITE_UTF8, NULL, NULL, NULL, NULL, NULL);
}
