/* SPDX-License-Identifier: Apache-2.0
 *
 * Two kinds of connection are refused because what they read of a marker is not the
 * truth: one that ignores journals in which there is something, and one that shares its
 * cache, in which others see markers before they are committed. */
#include "access.h"

#include <string.h>

bool svt_access_is_read_only(sqlite3 *db, const char *schema)
{
    return sqlite3_db_readonly(db, schema) == 1; /* -1: there is no such file yet */
}

static bool shares_its_cache(sqlite3 *db, const char *path)
{
    int used = 0, shared = 0, high = 0;
    const char *cache = sqlite3_uri_parameter(path, "cache");
    if (cache != NULL && strcmp(cache, "shared") == 0)
        return true;
    return sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_USED, &used, &high, 0) ==
               SQLITE_OK &&
           sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_USED_SHARED, &shared, &high,
                             0) == SQLITE_OK &&
           used != shared;
}

int svt_access_check(sqlite3 *db, const char *who, const struct svt_database *file,
                     char **message)
{
    if (sqlite3_uri_boolean(file->path, "immutable", 0) &&
        !svt_decider_is_settled(file))
        return svt_fail(message, SQLITE_ERROR,
                        "%s: the database is open with immutable=1, which skips its "
                        "journal, and that may say what is committed: open it with "
                        "mode=ro",
                        who);
    if (shares_its_cache(db, file->path))
        return svt_fail(message, SQLITE_ERROR,
                        "%s: the connection shares its cache with others, which seerdb "
                        "does not support: open the database without cache=shared",
                        who);
    return SQLITE_OK;
}
