/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "direct.h"
#include "erase.h"
#include "find.h"
#include "marker.h"
#include "past.h"
#include "txn.h"

#include <string.h>

/* Does the command and makes the sentence that says what was done.  argv: the values
 * after the command.  A failure of SQLite's kind (positive) has its sentence in
 * t->base.zErrMsg. */
typedef int command(struct svt_table *t, sqlite3_value **argv, char **sentence,
                    seerdb_err *err);

static int flush(struct svt_table *t, sqlite3_value **argv, char **sentence,
                 seerdb_err *err)
{
    (void)argv;
    int rc = seerdb_flush(t->ks->store->db, t->ks->tree, err);
    uint64_t below = svt_txn_decided_below(t);
    int settled = rc == SEERDB_BUSY ? svt_marker_settle(t, below) : SQLITE_BUSY;
    if (settled == SQLITE_INTERRUPT)
        return settled;
    if (settled == SQLITE_OK) {
        *err = (seerdb_err){0};
        rc = seerdb_flush(t->ks->store->db, t->ks->tree, err);
    }
    if (rc == SEERDB_BUSY) {
        sqlite3_free(t->base.zErrMsg);
        t->base.zErrMsg = NULL;
        return svt_fail(
            &t->base.zErrMsg, SQLITE_BUSY,
            "%s: %s; run the command as a statement of its own: within one "
            "that writes, or with PRAGMA query_only, it cannot find out; if it is "
            "alone, how the last commit ended is known after the next "
            "one: write a row to a table of this database, and repeat it",
            t->who, err->msg);
    }
    if (rc == SEERDB_OK)
        *sentence = sqlite3_mprintf("flushed %s: all its committed rows are in sorted "
                                    "tables",
                                    t->who);
    return rc;
}

static int verify(struct svt_table *t, sqlite3_value **argv, char **sentence,
                  seerdb_err *err)
{
    (void)argv;
    seerdb_verify_report r = {0};
    int rc = seerdb_verify(t->ks->store->db, t->ks->tree, &r, err);
    if (rc == SEERDB_OK)
        *sentence = sqlite3_mprintf(
            "verified %s: %llu tables, %llu blocks, %llu records, "
            "%llu bytes, no damage",
            t->who, (unsigned long long)r.tables, (unsigned long long)r.blocks,
            (unsigned long long)r.records, (unsigned long long)r.bytes);
    return rc;
}

static int compact(struct svt_table *t, sqlite3_value **argv, char **sentence,
                   seerdb_err *err)
{
    int rc = flush(t, argv, sentence, err); /* it may have to settle the marker first */
    sqlite3_free(*sentence);
    *sentence = NULL;
    if (rc == SEERDB_OK)
        rc = seerdb_compact(t->ks->store->db, t->ks->tree, err);
    if (rc == SEERDB_OK)
        *sentence =
            sqlite3_mprintf("compacted %s: its rows are in one sorted run", t->who);
    return rc;
}

static int gc(struct svt_table *t, sqlite3_value **argv, char **sentence,
              seerdb_err *err)
{
    int rc = flush(t, argv, sentence, err);
    sqlite3_free(*sentence);
    *sentence = NULL;
    if (rc == SEERDB_OK)
        rc = seerdb_gc(t->ks->store->db, t->ks->tree, err);
    if (rc == SEERDB_OK)
        *sentence =
            sqlite3_mprintf("collected the garbage in the value log of %s", t->who);
    return rc;
}

static int pause_compaction(struct svt_table *t, sqlite3_value **argv, char **sentence,
                            seerdb_err *err)
{
    (void)argv;
    int rc = seerdb_pause(t->ks->store->db, err);
    if (rc == SEERDB_OK)
        *sentence =
            sqlite3_mprintf("paused compaction of all tables in %s", t->ks->store->dir);
    return rc;
}

static int continue_compaction(struct svt_table *t, sqlite3_value **argv,
                               char **sentence, seerdb_err *err)
{
    (void)argv;
    int rc = seerdb_continue(t->ks->store->db, err);
    if (rc == SEERDB_OK)
        *sentence = sqlite3_mprintf("compaction of the tables in %s goes on",
                                    t->ks->store->dir);
    return rc;
}

static int spill(struct svt_table *t, sqlite3_value **argv, char **sentence,
                 seerdb_err *err)
{
    (void)argv;
    int rc = svt_txn_spill(t, err);
    if (rc == SEERDB_OK)
        *sentence = sqlite3_mprintf("spilled %s: what this transaction has written so "
                                    "far is on disk",
                                    t->who);
    return rc;
}

static int accept(struct svt_table *t, sqlite3_value **argv, char **sentence,
                  seerdb_err *err)
{
    (void)argv;
    uint64_t number = 0;
    (void)err;
    int rc = svt_marker_accept(t, &number);
    if (rc == SQLITE_OK)
        *sentence =
            sqlite3_mprintf("accepted %s: the database and the store in %s agree "
                            "from here on, at commit %llu",
                            t->who, t->ks->store->dir, (unsigned long long)number);
    return rc;
}

/* The text itself is left as it is: it may not survive UTF-8 and back. */
static char *say_text(const char *before, const char *column, const char *order,
                      sqlite3_value *v)
{
    sqlite3_value *copy = sqlite3_value_dup(v);
    const unsigned char *text = sqlite3_value_text(copy);
    char *said = text != NULL
                     ? sqlite3_mprintf("%s%s %s %!.40Q", before, column, order, text)
                     : NULL;
    sqlite3_value_free(copy);
    return said;
}

/* A bound in words: " and k < 'abc'", or nothing.  NULL: no memory. */
static char *say_bound(const char *before, const char *column, const char *order,
                       sqlite3_value *v)
{
    switch (sqlite3_value_type(v)) {
    case SQLITE_NULL:
        return sqlite3_mprintf("");
    case SQLITE_INTEGER:
        return sqlite3_mprintf("%s%s %s %lld", before, column, order,
                               sqlite3_value_int64(v));
    case SQLITE_FLOAT:
        return sqlite3_mprintf("%s%s %s %!.15g", before, column, order,
                               sqlite3_value_double(v));
    case SQLITE_TEXT:
        return say_text(before, column, order, v);
    default:
        return sqlite3_mprintf("%s%s %s a blob of %d bytes", before, column, order,
                               sqlite3_value_bytes(v));
    }
}

static int delete_range(struct svt_table *t, sqlite3_value **argv, char **sentence,
                        seerdb_err *err)
{
    const struct svt_schema *s = &t->schema;
    const char *column = s->nkey > 0 ? s->columns[s->key[0]].name : "rowid";
    bool has_lower = sqlite3_value_type(argv[0]) != SQLITE_NULL;
    (void)err;
    char *lower = say_bound(" with ", column, ">=", argv[0]);
    char *upper = say_bound(has_lower ? " and " : " with ", column, "<", argv[1]);
    int rc = lower == NULL || upper == NULL ? SQLITE_NOMEM
                                            : svt_erase_range(t, argv[0], argv[1]);
    if (rc == SQLITE_OK)
        *sentence =
            sqlite3_mprintf("deleted from %s every row%s%s", t->who, lower, upper);
    sqlite3_free(lower);
    sqlite3_free(upper);
    return rc;
}

static int truncate_table(struct svt_table *t, sqlite3_value **argv, char **sentence,
                          seerdb_err *err)
{
    (void)argv;
    (void)err;
    int rc = svt_erase_range(t, NULL, NULL);
    if (rc == SQLITE_OK)
        *sentence = sqlite3_mprintf("truncated %s: every row is deleted", t->who);
    return rc;
}

/* ---- set ------------------------------------------------------------------- */

struct change {
    const char *option, *value;
    int setting;
    bool of_store;
};

/* An option of the store stands in one table's row: the others of this database that
 * share the store lose theirs. */
static int forget_elsewhere(struct svt_table *t, const struct change *c)
{
    sqlite3_stmt *stmt = NULL;
    int rc = svt_prepare(t->conn->db, &stmt,
                         "SELECT name, sql FROM \"%w\".sqlite_schema WHERE type = "
                         "'table'",
                         t->schema_name);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct svt_shadow shadow;
        rc = SQLITE_OK;
        if (!svt_may_declare((const char *)sqlite3_column_text(stmt, 1)))
            continue;
        seerdb_uuid id = seerdb_id(t->ks->store->db);
        char *table = sqlite3_mprintf("%s_seerdb", sqlite3_column_text(stmt, 0));
        struct svt_place place = {t->conn->db, t->schema_name, table, t->who};
        char *ignored = NULL;
        int seen =
            table == NULL ? SQLITE_NOMEM : svt_shadow_read(&place, &shadow, &ignored);
        /* One whose row is missing or damaged is not one that shares the store. */
        rc = seen == SQLITE_NOMEM || seen == SQLITE_INTERRUPT ||
                     (seen & 0xff) == SQLITE_IOERR
                 ? seen
                 : SQLITE_OK;
        if (seen == SQLITE_OK && sqlite3_stricmp(table, t->shadow) != 0 &&
            svt_uuid_equal(&shadow.store, &id))
            rc = svt_settings_forget(&place, c->setting, &t->base.zErrMsg);
        sqlite3_free(ignored);
        sqlite3_free(table);
    }
    return svt_finalize(stmt, rc == SQLITE_DONE ? SQLITE_OK : rc);
}

static int write_change(struct svt_table *t, void *ctx)
{
    const struct change *c = ctx;
    struct svt_place place = svt_table_place(t);
    int rc = c->of_store ? forget_elsewhere(t, c) : SQLITE_OK;
    return rc == SQLITE_OK ? svt_settings_write(&place, c->setting, c->option, c->value,
                                                &t->base.zErrMsg)
                           : rc;
}

/* What there is to say about when a change takes effect. */
static const char *when(const struct svt_table *t, const struct change *c)
{
    if (c->setting == SVT_SETTING_SYNC)
        return "from the next commit on, for all tables of the store";
    if (c->of_store)
        return "for all tables of the store, when nobody has it open any more and it "
               "is "
               "opened again";
    if (strcmp(c->option, "insert") == 0)
        return "from the next transaction on";
    if (strcmp(c->option, "mmap") == 0)
        return t->schema.options.mmap ? "from now on"
                                      : "when the store is opened again";
    if (strcmp(c->option, "value_log") == 0)
        return "for values that are written from now on";
    return "for sorted tables that are written from now on";
}

/* A table without a value log gets one when it is told to use it. */
static int separate(struct svt_table *t)
{
    seerdb_err err = {0};
    seerdb_tree *tree = t->ks->tree;
    size_t from = t->schema.options.value_log;
    return from == 0 || seerdb_tree_separates(tree)
               ? SQLITE_OK
               : svt_table_fail(t, seerdb_tree_separate(tree, from, &err), &err);
}

static int set(struct svt_table *t, sqlite3_value **argv, char **sentence,
               seerdb_err *err)
{
    struct change c = {.option = (const char *)sqlite3_value_text(argv[0]),
                       .value = (const char *)sqlite3_value_text(argv[1])};
    struct svt_store *store = t->ks->store;
    (void)err;
    if (c.option == NULL || c.value == NULL)
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: give 'set' the name of an option and a value", t->who);
    int rc = svt_settings_check(t->who, &c.option, c.value, &c.setting, &c.of_store,
                                &t->base.zErrMsg);
    if (rc != SQLITE_OK)
        return rc;
    if (strcmp(c.option, "insert") == 0 && sqlite3_stricmp(c.value, "merge") == 0 &&
        t->schema.nmerge == 0)
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: option insert = merge needs a column with MERGE", t->who);
    if (!sqlite3_get_autocommit(t->conn->db))
        return svt_fail(
            &t->base.zErrMsg, SQLITE_ERROR,
            "%s: 'set' is a transaction of its own, because what it changes "
            "is seen by others at once: commit first",
            t->who);
    if ((rc = svt_marker_locked(t, write_change, &c)) != SQLITE_OK ||
        (rc = svt_table_load_settings(t)) != SQLITE_OK)
        return rc;
    if (c.setting == SVT_SETTING_SYNC)
        rc = svt_handles_set_sync(store, t->schema.options.sync, t->who);
    if (strcmp(c.option, "value_log") == 0)
        rc = separate(t);
    if (t->schema.options.mmap)
        seerdb_tree_use_maps(t->ks->tree);
    svt_handles_note_change(store);
    if (rc == SQLITE_OK)
        *sentence = sqlite3_mprintf("set %s of %s to %s: %s", c.option, t->who, c.value,
                                    when(t, &c));
    return rc;
}

/* ---- snapshots -------------------------------------------------------------- */

static int snapshot(struct svt_table *t, sqlite3_value **argv, char **sentence,
                    seerdb_err *err)
{
    const char *name = (const char *)sqlite3_value_text(argv[0]);
    uint64_t number = 0;
    (void)err;
    if (name == NULL || sqlite3_value_type(argv[0]) != SQLITE_TEXT ||
        strlen(name) != (size_t)sqlite3_value_bytes(argv[0]))
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: give 'snapshot' a name, a text without a zero byte: in "
                        "_snapshot a number is that of a commit",
                        t->who);
    int rc = svt_past_keep(t, name, &number);
    if (rc == SQLITE_OK)
        *sentence = sqlite3_mprintf(
            "snapshot '%s' of %s: its rows as of commit %llu are kept until it is "
            "dropped",
            name, t->who, (unsigned long long)number);
    return rc;
}

static int drop_snapshot(struct svt_table *t, sqlite3_value **argv, char **sentence,
                         seerdb_err *err)
{
    const char *name = (const char *)sqlite3_value_text(argv[0]);
    if (name == NULL)
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: give 'drop_snapshot' the name of a snapshot", t->who);
    int rc = seerdb_snapshot_drop(t->ks->tree, name, err);
    if (rc == SEERDB_MISUSE)
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR, "%s: %s", t->who, err->msg);
    if (rc == SEERDB_OK)
        *sentence = sqlite3_mprintf("dropped snapshot '%s' of %s: what only it kept "
                                    "goes with the next compactions",
                                    name, t->who);
    return rc;
}

/* ---- after failures -------------------------------------------------------- */

static int resume(struct svt_table *t, sqlite3_value **argv, char **sentence,
                  seerdb_err *err)
{
    (void)argv;
    int rc = seerdb_resume(t->ks->store->db, err);
    if (rc == SEERDB_OK || rc == SEERDB_NOTFOUND)
        *sentence = sqlite3_mprintf(
            rc == SEERDB_OK
                ? "resumed %s: what had failed is done, and the store in %s "
                  "takes writes"
                : "nothing to resume for %s: nothing has failed in %s",
            t->who, t->ks->store->dir);
    return rc == SEERDB_NOTFOUND ? SEERDB_OK : rc;
}

struct tree_search {
    seerdb_uuid id;
    seerdb_tree_info found;
    bool is_there, is_named;
};

static bool see_tree(void *ctx, const seerdb_tree_info *info)
{
    struct tree_search *s = ctx;
    if (!svt_uuid_equal(&info->id, &s->id))
        return true;
    s->found = *info;
    s->is_there = true;
    return false;
}

static bool see_row(void *ctx, const struct svt_shadow *row)
{
    struct tree_search *s = ctx;
    s->is_named = s->is_named || svt_uuid_equal(&row->tree, &s->id);
    return !s->is_named;
}

/* No row of t's database names the tree, as nobody can change now. */
static int note_orphan(struct svt_table *t, void *ctx)
{
    struct tree_search *s = ctx;
    seerdb_tree *tree = NULL;
    seerdb_err err = {0};
    int rc = svt_shadow_each(t->conn->db, t->schema_name, see_row, s);
    if (rc != SQLITE_OK)
        return svt_fail(&t->base.zErrMsg, rc, "%s: its shadow rows: %s", t->who,
                        sqlite3_errmsg(t->conn->db));
    if (s->is_named)
        return svt_fail(
            &t->base.zErrMsg, SQLITE_ERROR,
            "%s: that tree holds the rows of a table of this database: drop "
            "the table",
            t->who);
    if ((rc = seerdb_tree_open(t->ks->store->db, &s->id, &tree, &err)) == SEERDB_OK)
        rc = seerdb_tree_intend_drop(tree, &err);
    seerdb_tree_close(tree);
    if (rc == SEERDB_OK)
        svt_handles_note_intent(t->ks->store);
    return svt_table_fail(t, rc, &err);
}

/* Nobody's database is where it was: the user's word decides. */
static int drop_ownerless(struct svt_table *t, const struct tree_search *s,
                          bool *dropped, seerdb_err *err)
{
    seerdb_owner_place last;
    seerdb_tree *tree = NULL;
    seerdb *db = t->ks->store->db;
    int rc = seerdb_owner_get_place(db, &s->found.owner, &last, err);
    if (rc == SEERDB_OK && svt_decider_is_there(&last))
        return svt_fail(
            &t->base.zErrMsg, SQLITE_ERROR,
            "%s: that tree belongs to the database %s, which is still there: "
            "drop its table there",
            t->who, last.path);
    if (rc < 0 || (rc = seerdb_tree_open(db, &s->id, &tree, err)) != SEERDB_OK)
        return rc;
    *dropped = s->found.drop_intended;
    if (*dropped)
        return seerdb_tree_drop(tree, err); /* takes the handle */
    rc = seerdb_tree_intend_drop(tree, err);
    seerdb_tree_close(tree);
    return rc;
}

static int drop_tree(struct svt_table *t, sqlite3_value **argv, char **sentence,
                     seerdb_err *err)
{
    struct tree_search s = {.is_there = false};
    const char *text = (const char *)sqlite3_value_text(argv[0]);
    bool dropped = false;
    if (text == NULL || !svt_uuid_parse(text, &s.id))
        return svt_fail(
            &t->base.zErrMsg, SQLITE_ERROR,
            "%s: give 'drop_tree' the 32 hex digits that seerdb_health('%s') "
            "shows",
            t->who, t->who);
    int rc = seerdb_trees(t->ks->store->db, see_tree, &s, err);
    if (rc != SEERDB_OK)
        return rc;
    if (!s.is_there)
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: the store in %s has no tree %s", t->who, t->ks->store->dir,
                        text);
    rc = svt_uuid_equal(&s.found.owner, &t->owner)
             ? svt_marker_locked(t, note_orphan, &s)
             : drop_ownerless(t, &s, &dropped, err);
    if (rc == SEERDB_OK)
        *sentence = sqlite3_mprintf(
            dropped ? "dropped tree %s of the store in %s"
            : svt_uuid_equal(&s.found.owner, &t->owner)
                ? "tree %s of the store in %s will be dropped by a later write, once "
                  "no "
                  "reader can want it"
                : "tree %s of the store in %s is marked: say so again, once no reader "
                  "can want it, to drop it",
            text, t->ks->store->dir);
    return rc;
}

static const struct {
    const char *name;
    command *run;
    int nargs;         /* values after the command */
    const char *wants; /* them, for messages */
} commands[] = {
    {"flush", flush, 0, NULL},
    {"compact", compact, 0, NULL},
    {"gc", gc, 0, NULL},
    {"pause", pause_compaction, 0, NULL},
    {"continue", continue_compaction, 0, NULL},
    {"verify", verify, 0, NULL},
    {"spill", spill, 0, NULL},
    {"delete_range", delete_range, 2, "a lower and an upper bound; NULL is none"},
    {"truncate", truncate_table, 0, NULL},
    {"set", set, 2, "an option and a value"},
    {"snapshot", snapshot, 1, "a name"},
    {"drop_snapshot", drop_snapshot, 1, "the name of a snapshot"},
    {"resume", resume, 0, NULL},
    {"drop_tree", drop_tree, 1, "the tree's UUID"},
    {"accept", accept, 0, NULL}};

#define COMMAND_LIST                                                                   \
    "flush, compact, gc, pause, continue, verify, spill, delete_range, truncate, "     \
    "set, snapshot, drop_snapshot, resume, drop_tree, accept"

static void answer(sqlite3_context *ctx, int rc, char *text)
{
    if (rc == SQLITE_OK && text != NULL) {
        sqlite3_result_text(ctx, text, -1, sqlite3_free);
        return;
    }
    if (rc == SQLITE_OK || rc == SQLITE_NOMEM) {
        sqlite3_result_error_nomem(ctx);
    } else {
        sqlite3_result_error(ctx, text != NULL ? text : sqlite3_errstr(rc), -1);
        sqlite3_result_error_code(ctx, rc);
    }
    sqlite3_free(text);
}

static int give_both(char **text)
{
    return svt_fail(text, SQLITE_ERROR,
                    "seerdb: give a table and a command, as in seerdb('t', 'flush'): "
                    "the commands are " COMMAND_LIST);
}

static int indirect(char **text)
{
    return svt_fail(text, SQLITE_ERROR,
                    "unsafe use of seerdb(): only a statement itself may call it, not "
                    "a view, a trigger or a constraint that it uses");
}

static int run_on(struct svt_table *t, command *run, sqlite3_value **argv, char **text)
{
    seerdb_err err = {0};
    struct svt_interrupt_span span;
    int rc = svt_interrupt_begin(&t->conn->interrupt, &span);
    if (rc != SQLITE_OK)
        return rc;
    rc = run == accept ? svt_table_take_over(t) : svt_table_open(t);
    if (rc == SQLITE_OK && run != verify)
        rc = svt_table_want_writing(t);
    if (rc == SQLITE_OK)
        rc = run(t, argv, text, &err);
    svt_interrupt_end(&span);
    if (rc > 0) {
        *text = t->base.zErrMsg;
        t->base.zErrMsg = NULL;
        return rc;
    }
    return svt_errmap_message(text, t->who, rc, &err);
}

static int run_command(struct svt_conn *conn, int argc, sqlite3_value **argv,
                       char **text)
{
    const char *name = (const char *)sqlite3_value_text(argv[0]);
    const char *what = (const char *)sqlite3_value_text(argv[1]);
    struct svt_table *t = NULL;
    size_t i = 0;
    if (name == NULL || what == NULL)
        return give_both(text);
    while (i < sizeof(commands) / sizeof(commands[0]) &&
           sqlite3_stricmp(commands[i].name, what) != 0)
        i++;
    if (i == sizeof(commands) / sizeof(commands[0]))
        return svt_fail(text, SQLITE_ERROR,
                        "seerdb: unknown command '%s': the commands are " COMMAND_LIST,
                        what);
    if (argc - 2 != commands[i].nargs)
        return svt_fail(text, SQLITE_ERROR,
                        commands[i].nargs == 0
                            ? "seerdb: the command '%s' takes no values"
                            : "seerdb: give '%s' %s",
                        commands[i].name, commands[i].wants);
    int rc = svt_find_table(conn, name, &t, text);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_stmt *keeper = NULL;
    if ((rc = svt_table_keep(t, &keeper)) != SQLITE_OK)
        return svt_fail(text, rc, "%s", svt_why(conn->db, rc));
    rc = run_on(t, commands[i].run, argv + 2, text);
    sqlite3_finalize(keeper);
    return rc;
}

void svt_command(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    char *text = NULL;
    int rc = !svt_direct_call(sqlite3_context_db_handle(ctx)) ? indirect(&text)
             : argc < 2                                       ? give_both(&text)
                        : run_command(sqlite3_user_data(ctx), argc, argv, &text);
    answer(ctx, rc, text);
}
