/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include "options.h"

#include <string.h>

static const struct svt_option *find(const char *name, size_t n)
{
    for (size_t i = 0; i < SVT_NOPTIONS; i++) {
        const char *known = svt_known_options[i].name;
        if (strlen(known) == n && sqlite3_strnicmp(known, name, (int)n) == 0)
            return &svt_known_options[i];
    }
    return NULL;
}

static unsigned bit_of(const struct svt_option *o)
{
    return 1u << (o - svt_known_options);
}

unsigned svt_settings_bit(int setting)
{
    for (size_t i = 0; i < SVT_NOPTIONS; i++)
        if (svt_known_options[i].setting == setting)
            return bit_of(&svt_known_options[i]);
    return 0;
}

int svt_settings_describe(const struct svt_options *options, size_t *i,
                          struct svt_option_info *out)
{
    while (*i < SVT_NOPTIONS && svt_known_options[*i].set == NULL)
        ++*i;
    if (*i == SVT_NOPTIONS)
        return SQLITE_DONE;
    const struct svt_option *o = &svt_known_options[(*i)++];
    *out = (struct svt_option_info){.name = o->name,
                                    .allowed = o->allowed,
                                    .standard = o->standard,
                                    .meaning = o->meaning,
                                    .setting = o->setting,
                                    .of_store = o->of_store,
                                    .given = options->given & bit_of(o),
                                    .set = options->set & bit_of(o),
                                    .value = o->show(options)};
    return out->value != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

/* The setters may change what they refuse. */
static int apply(const struct svt_option *o, const char *value,
                 struct svt_options *options)
{
    struct svt_options changed = *options;
    char *copy = sqlite3_mprintf("%s", value);
    if (copy == NULL)
        return SQLITE_NOMEM;
    bool ok = o->set(&changed, &copy);
    sqlite3_free(copy);
    if (!ok)
        return SQLITE_ERROR;
    changed.set |= bit_of(o);
    *options = changed;
    return SQLITE_OK;
}

static int apply_row(const struct svt_place *at, const char *text,
                     struct svt_options *options, char **message)
{
    const char *equals = text != NULL ? strchr(text, '=') : NULL;
    const struct svt_option *o =
        equals != NULL ? find(text, (size_t)(equals - text)) : NULL;
    int rc =
        o != NULL && o->setting != 0 ? apply(o, equals + 1, options) : SQLITE_ERROR;
    if (rc != SQLITE_ERROR)
        return rc;
    return svt_fail(message, SQLITE_ERROR,
                    "%s: its shadow table %s has a setting that this version of seerdb "
                    "does not know: %s; use the version that set it, or delete that "
                    "row of %s",
                    at->who, at->table, text != NULL ? text : "not a text", at->table);
}

int svt_settings_read(const struct svt_place *at, struct svt_options *options,
                      char **message)
{
    sqlite3_stmt *stmt = NULL;
    int rc = svt_prepare(at->db, &stmt, "SELECT state FROM \"%w\".\"%w\" WHERE id > 1",
                         at->schema, at->table);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        rc =
            apply_row(at, (const char *)sqlite3_column_text(stmt, 0), options, message);
    if (rc == SQLITE_DONE) {
        rc = SQLITE_OK;
    } else if (rc != SQLITE_OK && *message == NULL) {
        rc = rc == SQLITE_ERROR ? SQLITE_CORRUPT_VTAB : rc;
        svt_fail(message, rc, "%s: its shadow table %s cannot be read: %s", at->who,
                 at->table, sqlite3_errmsg(at->db));
    }
    sqlite3_finalize(stmt);
    return rc;
}

int svt_settings_exist(const struct svt_place *at, bool *any)
{
    sqlite3_stmt *stmt = NULL;
    int rc = svt_prepare(at->db, &stmt, "SELECT 1 FROM \"%w\".\"%w\" WHERE id > 1",
                         at->schema, at->table);
    *any = rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;
    rc = svt_finalize(stmt, rc);
    return rc == SQLITE_ERROR ? SQLITE_OK : rc; /* there is no such table */
}

/* The names of what can change, for messages; sqlite3_malloc'ed. */
static char *changeable(void)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    for (size_t i = 0; i < SVT_NOPTIONS; i++)
        if (svt_known_options[i].setting != 0)
            sqlite3_str_appendf(s, "%s%s", sqlite3_str_length(s) > 0 ? ", " : "",
                                svt_known_options[i].name);
    return sqlite3_str_finish(s);
}

/* `o` is the option of that name, or NULL. */
static int refuse(const char *who, const char *name, const struct svt_option *o,
                  char **message)
{
    char *list = changeable();
    if (list == NULL)
        return SQLITE_NOMEM;
    if (o != NULL && strcmp(o->name, "path") == 0)
        svt_fail(
            message, SQLITE_ERROR,
            "%s: option path cannot change: a table's rows stay where it was "
            "created; move the directory together with the database file. What can "
            "change: %s",
            who, list);
    else
        svt_fail(message, SQLITE_ERROR, "%s: %s \"%s\"%s. What can change: %s", who,
                 o == NULL ? "unknown option" : "option", name,
                 o == NULL        ? ""
                 : o->set == NULL ? " is not supported yet"
                                  : " is for ever what CREATE said",
                 list);
    sqlite3_free(list);
    return SQLITE_ERROR;
}

int svt_settings_check(const char *who, const char **option, const char *value,
                       int *setting, bool *of_store, char **message)
{
    struct svt_options scratch = {0};
    const struct svt_option *o = find(*option, strlen(*option));
    if (o == NULL || o->setting == 0)
        return refuse(who, *option, o, message);
    int rc = apply(o, value, &scratch);
    if (rc == SQLITE_ERROR)
        svt_fail(message, rc,
                 o->later != NULL && sqlite3_stricmp(value, o->later) == 0
                     ? "%s: option %s = \"%s\" is not supported yet: allowed is %s"
                     : "%s: option %s = \"%s\": allowed is %s",
                 who, o->name, value, o->allowed);
    *option = o->name;
    *setting = o->setting;
    *of_store = o->of_store;
    return rc;
}

int svt_settings_write(const struct svt_place *at, int setting, const char *option,
                       const char *value, char **message)
{
    sqlite3_int64 last = sqlite3_last_insert_rowid(at->db);
    int rc = svt_exec(at->db, message,
                      "INSERT OR REPLACE INTO \"%w\".\"%w\"(id, state) "
                      "VALUES(%d, '%q=%q')",
                      at->schema, at->table, setting, option, value);
    sqlite3_set_last_insert_rowid(at->db, last);
    return rc;
}

int svt_settings_forget(const struct svt_place *at, int setting, char **message)
{
    return svt_exec(at->db, message, "DELETE FROM \"%w\".\"%w\" WHERE id = %d",
                    at->schema, at->table, setting);
}
