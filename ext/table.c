/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a store lies: the option `path`, else beside the database file, else in memory,
 * private to the connection and schema.  The registry in handles knows stores by their
 * directory; a connection remembers in `links` which it uses, because SQLite
 * disconnects and connects tables whenever the schema changes. */
#include "table.h"

#include "access.h"
#include "mergetree.h"
#include "wish.h"

#include <string.h>

/* ---- connections ----------------------------------------------------------- */

int svt_conn_new(sqlite3 *db, struct svt_conn **out)
{
    *out = sqlite3_malloc64(sizeof(**out));
    if (*out == NULL)
        return SQLITE_NOMEM;
    **out = (struct svt_conn){.db = db};
    svt_interrupt_init(&(*out)->interrupt, db);
    return SQLITE_OK;
}

static void link_free(struct svt_link *l)
{
    if (l == NULL)
        return;
    svt_handles_close(l->store);
    sqlite3_free(l->schema);
    sqlite3_free(l->file);
    sqlite3_free(l);
}

void svt_conn_free(struct svt_conn *conn)
{
    if (conn == NULL)
        return;
    while (conn->links != NULL) {
        struct svt_link *l = conn->links;
        conn->links = l->next;
        link_free(l);
    }
    svt_holds_fini(&conn->holds);
    sqlite3_free(conn);
}

/* The name of the schema's file, "" in memory, NULL: there is no such schema. */
static const char *file_of(struct svt_conn *conn, const char *schema)
{
    return sqlite3_db_filename(conn->db, schema);
}

void svt_conn_sweep(struct svt_conn *conn)
{
    struct svt_link **at = &conn->links;
    while (*at != NULL) {
        struct svt_link *l = *at;
        const char *file = file_of(conn, l->schema);
        /* The temporary database has no name even where it exists. */
        if (file == NULL && strcmp(l->schema, "temp") == 0)
            file = "";
        if (file != NULL && strcmp(file, l->file) == 0) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        link_free(l);
    }
}

static struct svt_link *link_find(struct svt_conn *conn, const char *schema,
                                  const struct svt_store *store)
{
    struct svt_link *l = conn->links;
    while (l != NULL && !((store == NULL || l->store == store) &&
                          sqlite3_stricmp(l->schema, schema) == 0))
        l = l->next;
    return l;
}

static int link_add(struct svt_conn *conn, const char *schema, const char *file,
                    struct svt_store *store)
{
    if (link_find(conn, schema, store) != NULL)
        return SQLITE_OK;
    struct svt_link *l = sqlite3_malloc64(sizeof(*l));
    if (l == NULL)
        return SQLITE_NOMEM;
    *l = (struct svt_link){.schema = sqlite3_mprintf("%s", schema),
                           .file = sqlite3_mprintf("%s", file)};
    if (l->schema == NULL || l->file == NULL) {
        link_free(l);
        return SQLITE_NOMEM;
    }
    l->store = svt_handles_ref(store);
    l->next = conn->links;
    conn->links = l;
    return SQLITE_OK;
}

static void link_remove(struct svt_conn *conn, struct svt_link *link)
{
    struct svt_link **at = &conn->links;
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    link_free(link);
}

/* ---- keyspaces ------------------------------------------------------------- */

void svt_keyspace_ref(struct svt_keyspace *ks)
{
    ks->refs++;
}

void svt_keyspace_unref(struct svt_keyspace *ks)
{
    if (ks == NULL || --ks->refs > 0)
        return;
    struct svt_keyspace **at = &ks->conn->keyspaces;
    while (*at != ks)
        at = &(*at)->next;
    *at = ks->next;
    while (ks->views != NULL) {
        struct svt_view *v = ks->views;
        ks->views = v->next;
        seerdb_view_close(v->view);
        sqlite3_free(v);
    }
    seerdb_view_close(ks->write_view);
    seerdb_tree_close(ks->tree);
    svt_handles_close(ks->store);
    sqlite3_free(ks);
}

static struct svt_keyspace *keyspace_find(struct svt_conn *conn,
                                          const struct svt_store *store,
                                          const seerdb_uuid *id)
{
    struct svt_keyspace *ks = conn->keyspaces;
    while (ks != NULL && !(ks->store == store && svt_uuid_equal(&ks->id, id)))
        ks = ks->next;
    return ks;
}

/* Takes tree over on success. */
static int keyspace_new(struct svt_conn *conn, struct svt_store *store,
                        seerdb_tree *tree, struct svt_keyspace **out)
{
    struct svt_keyspace *ks = sqlite3_malloc64(sizeof(*ks));
    if (ks == NULL)
        return SQLITE_NOMEM;
    *ks = (struct svt_keyspace){.next = conn->keyspaces,
                                .conn = conn,
                                .refs = 1,
                                .store = svt_handles_ref(store),
                                .tree = tree,
                                .id = seerdb_tree_id(tree),
                                .marked = seerdb_tree_describe(tree).marked,
                                .first_write = SVT_NO_WRITE};
    conn->keyspaces = ks;
    *out = ks;
    return SQLITE_OK;
}

struct svt_place svt_table_place(const struct svt_table *t)
{
    return (struct svt_place){t->conn->db, t->schema_name, t->shadow, t->who};
}

/* ---- settings -------------------------------------------------------------- */

static void tune(const struct svt_table *t)
{
    const struct svt_options *o = &t->schema.options;
    seerdb_tree_tune(t->ks->tree, &(seerdb_tree_options){.compression = o->compression,
                                                         .filter_bits = o->filter_bits,
                                                         .index = o->index,
                                                         .compaction = o->compaction,
                                                         .value_log = o->value_log});
}

int svt_table_load_settings(struct svt_table *t)
{
    struct svt_place place = svt_table_place(t);
    struct svt_options options = t->declared;
    int rc = svt_settings_read(&place, &options, &t->base.zErrMsg);
    if (rc != SQLITE_OK)
        return rc;
    t->schema.options = options;
    if (t->ks != NULL)
        tune(t);
    return SQLITE_OK;
}

int svt_table_follow_settings(struct svt_table *t)
{
    uint64_t changes = svt_handles_changes(t->ks->store);
    int rc = t->settings_seen != changes ? svt_table_load_settings(t) : SQLITE_OK;
    if (rc == SQLITE_OK)
        t->settings_seen = changes;
    return rc;
}

/* ---- stores ---------------------------------------------------------------- */

/* The path that t's store would have; in memory: *path is "" and *in_memory set. */
static int locate(struct svt_table *t, const char **file, char **path)
{
    sqlite3 *db = t->conn->db;
    sqlite3_vfs *vfs = NULL;
    const char *option = t->schema.options.path;
    *file = file_of(t->conn, t->schema_name);
    *path = NULL;
    if (*file == NULL || **file == 0) {
        *file = "";
        if (option != NULL)
            return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                            "%s: path is not allowed in %s: a database in memory keeps "
                            "its seerdb tables in memory too",
                            t->who, t->schema_name);
        return SQLITE_OK;
    }
    sqlite3_file_control(db, t->schema_name, SQLITE_FCNTL_VFS_POINTER, (void *)&vfs);
    if (option == NULL && vfs != NULL && vfs != sqlite3_vfs_find(NULL))
        return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                        "%s: the database %s is reached through the VFS %s, so seerdb "
                        "cannot tell where its own directory belongs: give path='...'",
                        t->who, t->schema_name, vfs->zName);
    *path = option != NULL ? sqlite3_mprintf("%s", option)
                           : sqlite3_mprintf("%s-seerdb", *file);
    return *path != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

/* *out is counted. */
static int store_open(struct svt_table *t, const struct svt_wish *wish, bool create,
                      struct svt_store **out)
{
    const char *file = NULL;
    char *path = NULL;
    *out = NULL;
    int rc = locate(t, &file, &path);
    if (rc != SQLITE_OK)
        return rc;
    struct svt_store_request request = {
        .dir = path != NULL ? path : t->schema_name,
        .in_memory = path == NULL,
        .create = create,
        .read_only = svt_access_is_read_only(t->conn->db, t->schema_name),
        .table = t->who,
        .memory_limit_by = wish->memory_limit_by,
        .history_by = wish->history_by,
        .sync_by = wish->sync_by,
        .interrupt = &t->conn->interrupt,
        .options = &wish->options};
    struct svt_link *l = path == NULL ? link_find(t->conn, t->schema_name, NULL) : NULL;
    if (l != NULL) {
        if ((rc = svt_handles_share(&request, l->store, &t->base.zErrMsg)) == SQLITE_OK)
            *out = l->store;
    } else {
        rc = svt_handles_open(&request, out, &t->base.zErrMsg);
        if (rc == SQLITE_CANTOPEN && !create && t->base.zErrMsg != NULL) {
            char *why = t->base.zErrMsg;
            t->base.zErrMsg = NULL;
            svt_fail(&t->base.zErrMsg, rc,
                     "%s. The rows of %s live in that directory: put it back where it "
                     "was, or drop the table",
                     why, t->who);
            sqlite3_free(why);
        }
    }
    if (rc == SQLITE_OK)
        rc = link_add(t->conn, t->schema_name, file, *out);
    if (rc != SQLITE_OK) {
        svt_handles_close(*out);
        *out = NULL;
    }
    sqlite3_free(path);
    return rc;
}

static bool same_path(const struct svt_table *a, const struct svt_table *b)
{
    const char *x = a->schema.options.path, *y = b->schema.options.path;
    return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

struct svt_table *svt_table_connect(struct svt_conn *conn, const char *schema,
                                    const char *name)
{
    sqlite3_stmt *stmt = NULL;
    bool outer = conn->connecting;
    conn->connecting = true;
    svt_prepare(conn->db, &stmt, "SELECT * FROM \"%w\".\"%w\" LIMIT 0", schema, name);
    conn->connecting = outer;
    sqlite3_finalize(stmt);
    struct svt_table *t = conn->tables;
    while (t != NULL && (sqlite3_stricmp(t->schema_name, schema) != 0 ||
                         sqlite3_stricmp(t->name, name) != 0))
        t = t->next;
    return t;
}

int svt_table_keep(struct svt_table *t, sqlite3_stmt **keeper)
{
    bool outer = t->conn->connecting;
    t->conn->connecting = true;
    int rc = svt_prepare(t->conn->db, keeper, "SELECT * FROM \"%w\".\"%w\"",
                         t->schema_name, t->name);
    t->conn->connecting = outer;
    return rc;
}

static bool speaks_of_store(const char *sql)
{
    return sqlite3_strlike("%memory_limit%", sql, 0) == 0 ||
           sqlite3_strlike("%sync%", sql, 0) == 0 ||
           sqlite3_strlike("%history%", sql, 0) == 0;
}

/* The names of all our tables of t's schema that say something about their store. */
static int each_sibling(struct svt_table *t,
                        int (*each)(struct svt_table *t, struct svt_table *other,
                                    void *ctx),
                        void *ctx)
{
    sqlite3_stmt *stmt = NULL;
    int rc = svt_prepare(t->conn->db, &stmt,
                         "SELECT name, sql, name || '_seerdb' FROM "
                         "\"%w\".sqlite_schema WHERE type = 'table'",
                         t->schema_name);
    while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *sql = (const char *)sqlite3_column_text(stmt, 1);
        struct svt_place place = {t->conn->db, t->schema_name,
                                  (const char *)sqlite3_column_text(stmt, 2), t->who};
        if (name == NULL || place.table == NULL || !svt_may_declare(sql) ||
            sqlite3_stricmp(name, t->name) == 0)
            continue;
        bool speaks = speaks_of_store(sql);
        if (!speaks)
            rc = svt_settings_exist(&place, &speaks);
        if (rc != SQLITE_OK || !speaks)
            continue;
        struct svt_table *other = svt_table_connect(t->conn, t->schema_name, name);
        rc = other == NULL ? svt_interrupt_was(t->conn->db) : SQLITE_OK;
        if (other != NULL && other != t && same_path(t, other))
            rc = each(t, other, ctx);
    }
    return svt_finalize(stmt, rc);
}

static int hear_sibling(struct svt_table *t, struct svt_table *other, void *ctx)
{
    int rc = svt_table_load_settings(other);
    if (rc == SQLITE_OK)
        return svt_wish_hear(ctx, &other->schema.options, other->who);
    if (t->base.zErrMsg == NULL) {
        t->base.zErrMsg = other->base.zErrMsg;
        other->base.zErrMsg = NULL;
    }
    return rc;
}

/* memory_limit, history and sync belong to the store, so the tables that give them must
 * be heard before one that does not opens the store.  *first is counted, or NULL. */
static int open_for_siblings(struct svt_table *t, struct svt_store **first)
{
    struct svt_wish wish = {.options = t->schema.options};
    *first = NULL;
    if (link_find(t->conn, t->schema_name, NULL) != NULL)
        return SQLITE_OK;
    int rc = each_sibling(t, hear_sibling, &wish);
    if (rc == SQLITE_OK && (wish.memory_limit_by != NULL || wish.history_by != NULL ||
                            wish.sync_by != NULL))
        rc = store_open(t, &wish, false, first);
    svt_wish_fini(&wish);
    return rc;
}

/* ---- tables ---------------------------------------------------------------- */

int svt_table_fail(struct svt_table *t, int rc, const seerdb_err *err)
{
    return svt_errmap(&t->base, t->who, rc, err);
}

void svt_table_free(struct svt_table *t)
{
    if (t == NULL)
        return;
    sqlite3_finalize(t->marker_stmt);
    struct svt_table **at = &t->conn->tables;
    while (*at != NULL && *at != t)
        at = &(*at)->next;
    if (*at == t)
        *at = t->next;
    if (t->conn->tables == NULL) /* the connection may be closing */
        svt_interrupt_rest(&t->conn->interrupt);
    svt_keyspace_unref(t->ks);
    svt_schema_fini(&t->schema);
    svt_expire_unref(t->expire);
    sqlite3_free(t->base.zErrMsg);
    sqlite3_free(t->schema_name);
    sqlite3_free(t->name);
    sqlite3_free(t->who);
    sqlite3_free(t->shadow);
    sqlite3_free(t);
}

/* Have the schema in the encoding of the database. */
static int encode(struct svt_table *t)
{
    struct svt_conn *conn = t->conn;
    int rc = SQLITE_OK;
    if (!conn->encoding_known)
        rc = svt_encoding_find(conn->db, &conn->encoding);
    conn->encoding_known = rc == SQLITE_OK;
    return rc == SQLITE_OK ? svt_schema_encode(&t->schema, conn->db, conn->encoding)
                           : rc;
}

int svt_table_new(struct svt_conn *conn, int argc, const char *const *argv,
                  struct svt_table **out, char **message)
{
    int rc = SQLITE_NOMEM;
    char *declaration = NULL;
    *out = NULL;
    struct svt_table *t = sqlite3_malloc64(sizeof(*t));
    if (t == NULL)
        return SQLITE_NOMEM;
    *t = (struct svt_table){.conn = conn,
                            .schema_name = sqlite3_mprintf("%s", argv[1]),
                            .in_main = strcmp(argv[1], "main") == 0,
                            .name = sqlite3_mprintf("%s", argv[2]),
                            .who = sqlite3_mprintf("%s.%s", argv[1], argv[2]),
                            .shadow = sqlite3_mprintf("%s_seerdb", argv[2])};
    if (t->schema_name == NULL || t->name == NULL || t->who == NULL ||
        t->shadow == NULL)
        goto out;
    if ((rc = svt_args_parse(argc, argv, &t->schema, message)) != SQLITE_OK)
        goto out;
    if ((rc = encode(t)) != SQLITE_OK) {
        svt_fail(message, rc, "%s: the database's encoding cannot be found out: %s",
                 t->who, sqlite3_errmsg(conn->db));
        goto out;
    }
    t->declared = t->schema.options;
    t->schema.snapshot = svt_schema_snapshot(&t->schema);
    rc = SQLITE_NOMEM;
    if ((declaration = svt_args_declaration(&t->schema)) == NULL)
        goto out;
    if ((rc = sqlite3_declare_vtab(conn->db, declaration)) != SQLITE_OK) {
        svt_fail(message, rc, "%s: %s", t->who, sqlite3_errmsg(conn->db));
        /* Its parser, interrupted, calls that an error. */
        if (svt_interrupt_check(&conn->interrupt) == SQLITE_INTERRUPT)
            rc = SQLITE_INTERRUPT;
    } else {
        rc = sqlite3_vtab_config(conn->db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
    }
out:
    sqlite3_free(declaration);
    if (rc != SQLITE_OK) {
        svt_table_free(t);
        return rc;
    }
    t->next = conn->tables;
    conn->tables = t;
    *out = t;
    return SQLITE_OK;
}

/* The tree that the shadow row names, in the store that is open. */
static int open_tree(struct svt_table *t, struct svt_store *store,
                     const struct svt_shadow *shadow)
{
    char want[33], have[33];
    seerdb_err err = {0};
    seerdb_tree *tree = NULL;
    seerdb_uuid id = seerdb_id(store->db);
    if (!svt_uuid_equal(&id, &shadow->store)) {
        svt_uuid_text(&shadow->store, want);
        svt_uuid_text(&id, have);
        const char *advice =
            store->in_memory
                ? "rows in memory are only in the connection that wrote them"
                : "put back the directory that belongs to this database file";
        return svt_fail(&t->base.zErrMsg, SQLITE_CANTOPEN,
                        "%s: its rows are in the store %s, but the store in %s is %s: "
                        "%s, or drop the table",
                        t->who, want, store->dir, have, advice);
    }
    int rc = svt_expire_new(&t->schema, t->who, &t->expire, &t->base.zErrMsg);
    if (rc != SQLITE_OK)
        return rc;
    if ((t->ks = keyspace_find(t->conn, store, &shadow->tree)) != NULL) {
        svt_keyspace_ref(t->ks);
        return SQLITE_OK;
    }
    rc = seerdb_tree_open(store->db, &shadow->tree, &tree, &err);
    if (rc == SEERDB_NOTFOUND) {
        svt_uuid_text(&shadow->tree, want);
        return svt_fail(&t->base.zErrMsg, SQLITE_CORRUPT_VTAB,
                        "%s: the store in %s has no tree %s", t->who, store->dir, want);
    }
    if (rc != SEERDB_OK)
        return svt_table_fail(t, rc, &err);
    if (t->schema.options.mmap)
        seerdb_tree_use_maps(tree);
    rc = svt_table_fail(t, svt_expire_give(t->expire, tree, &err), &err);
    if (rc == SQLITE_OK)
        rc = svt_mergetree_give(&t->schema, t->who, tree, &t->base.zErrMsg);
    if (rc == SQLITE_OK)
        rc = keyspace_new(t->conn, store, tree, &t->ks);
    if (rc != SQLITE_OK)
        seerdb_tree_close(tree);
    return rc;
}

/* The key and value format of a tree: 1, 2 for UTF-16le, 3 for UTF-16be. */
static uint32_t text_format(const struct svt_schema *s)
{
    return 1 + (uint32_t)s->encoding;
}

/* A database never changes its encoding; but a shadow row may have been copied. */
static int check_format(struct svt_table *t)
{
    seerdb_tree_options o = seerdb_tree_describe(t->ks->tree);
    uint32_t want = text_format(&t->schema);
    if (o.key_format == want && o.value_format == want)
        return SQLITE_OK;
    svt_keyspace_unref(t->ks);
    t->ks = NULL;
    if (o.key_format != o.value_format || o.key_format - 1 > SVT_UTF16BE)
        return svt_fail(&t->base.zErrMsg, SQLITE_CORRUPT_VTAB,
                        "%s: its keys have the format %u and its rows %u, which this "
                        "version of seerdb does not know",
                        t->who, o.key_format, o.value_format);
    return svt_fail(&t->base.zErrMsg, SQLITE_CORRUPT_VTAB,
                    "%s: its rows were written in a database of the encoding %s, but "
                    "this one's is %s",
                    t->who, svt_encoding_name(o.key_format - 1),
                    svt_encoding_name(t->schema.encoding));
}

/* Are the database's files what their names say to the system? */
static bool is_foreign(const sqlite3_vfs *vfs)
{
    return vfs == NULL || vfs != sqlite3_vfs_find(NULL) ||
           strncmp(vfs->zName, "unix", 4) != 0;
}

/* t's connection as the owner's; false: there is no file. */
static bool claim_of(struct svt_table *t, const struct svt_store *store,
                     const seerdb_uuid *owner, struct svt_claim *out)
{
    sqlite3_vfs *vfs = NULL;
    const char *file = file_of(t->conn, t->schema_name);
    if (store->in_memory || file == NULL || *file == 0)
        return false;
    sqlite3_file_control(t->conn->db, t->schema_name, SQLITE_FCNTL_VFS_POINTER,
                         (void *)&vfs);
    bool foreign = is_foreign(vfs) && !svt_decider_is_replaced();
    *out = (struct svt_claim){.owner = *owner,
                              .file = {file, sqlite3_filename_wal(file),
                                       sqlite3_filename_journal(file),
                                       !foreign      ? NULL
                                       : vfs == NULL ? "unknown"
                                                     : vfs->zName},
                              .who = t->who};
    return true;
}

/* Tell the store which database decides about the trees of `owner`. */
static int claim(struct svt_table *t, struct svt_store *store, const seerdb_uuid *owner,
                 bool take_over, struct svt_decider **out)
{
    struct svt_claim c;
    *out = NULL;
    if (!claim_of(t, store, owner, &c))
        return SQLITE_OK;
    int rc = svt_access_check(t->conn->db, t->who, &c.file, &t->base.zErrMsg);
    c.take_over = take_over;
    return rc == SQLITE_OK ? svt_handles_own(store, &c, out, &t->base.zErrMsg) : rc;
}

static int open_as(struct svt_table *t, bool take_over)
{
    if (t->ks != NULL)
        return SQLITE_OK;
    struct svt_shadow shadow;
    struct svt_store *store = NULL, *first = NULL;
    struct svt_decider *decider = NULL;
    struct svt_place place = svt_table_place(t);
    int rc = svt_shadow_read(&place, &shadow, &t->base.zErrMsg);
    if (rc == SQLITE_OK)
        rc = svt_table_load_settings(t);
    if (rc == SQLITE_OK)
        rc = open_for_siblings(t, &first);
    if (rc == SQLITE_OK)
        rc = store_open(t, &(struct svt_wish){.options = t->schema.options}, false,
                        &store);
    if (rc == SQLITE_OK)
        rc = claim(t, store, &shadow.owner, take_over, &decider);
    if (rc == SQLITE_OK)
        rc = open_tree(t, store, &shadow);
    if (rc == SQLITE_OK)
        rc = check_format(t);
    if (rc == SQLITE_OK) {
        t->owner = shadow.owner;
        t->ks->decider = decider;
        tune(t);
    }
    svt_handles_close(store);
    svt_handles_close(first);
    return rc;
}

int svt_table_open(struct svt_table *t)
{
    return open_as(t, false);
}

int svt_table_take_over(struct svt_table *t)
{
    return open_as(t, true);
}

int svt_table_want_writing(struct svt_table *t)
{
    seerdb_err err = {0};
    if (svt_access_is_read_only(t->conn->db, t->schema_name))
        return svt_fail(&t->base.zErrMsg, SQLITE_READONLY,
                        "%s: the database is open for reading only", t->who);
    return svt_table_fail(t, svt_handles_write(t->ks->store, &err), &err);
}

void svt_table_note_place(struct svt_table *t)
{
    struct svt_claim c;
    if (t->ks->placed)
        return;
    if (claim_of(t, t->ks->store, &t->owner, &c))
        svt_handles_note_place(t->ks->store, &c);
    t->ks->placed = true;
}

/* ---- creation -------------------------------------------------------------- */

struct search {
    seerdb_uuid store;
    struct svt_shadow found;
    bool any, in_store;
};

static bool see_shadow(void *ctx, const struct svt_shadow *s)
{
    struct search *search = ctx;
    search->any = true;
    search->found = *s;
    search->in_store = svt_uuid_equal(&search->store, &s->store);
    return !search->in_store;
}

/* A database in memory may have been detached and another attached under its name: then
 * nothing in the schema names the store that the link remembers. */
static int forget_stale_memory(struct svt_table *t)
{
    struct svt_link *l = link_find(t->conn, t->schema_name, NULL);
    if (l == NULL || !l->store->in_memory || !sqlite3_get_autocommit(t->conn->db))
        return SQLITE_OK;
    struct search search = {.store = seerdb_id(l->store->db)};
    int rc = svt_shadow_each(t->conn->db, t->schema_name, see_shadow, &search);
    if (rc == SQLITE_OK && !search.in_store)
        link_remove(t->conn, l);
    return rc;
}

struct owners {
    seerdb_uuid owner;
    bool any, several;
};

static bool see_owner(void *ctx, const seerdb_tree_info *info)
{
    struct owners *o = ctx;
    o->several = o->any && !svt_uuid_equal(&o->owner, &info->owner);
    o->any = true;
    o->owner = info->owner;
    return !o->several;
}

/* The database's owner UUID is in its shadow rows.  When the last table was dropped
 * none is left, but the trees that wait for collection need their owner back: the one
 * owner of the trees in a directory that nobody else was pointed at is this database.
 */
static int owner_of_schema(struct svt_table *t, struct svt_store *store)
{
    struct search search = {.any = false};
    struct owners owners = {.any = false};
    seerdb_err err = {0};
    int rc = svt_shadow_each(t->conn->db, t->schema_name, see_shadow, &search);
    if (rc != SQLITE_OK)
        return rc;
    if (!search.any && t->schema.options.path == NULL &&
        (rc = seerdb_trees(store->db, see_owner, &owners, &err)) != SEERDB_OK)
        return svt_table_fail(t, rc, &err);
    if (search.any)
        t->owner = search.found.owner;
    else if (owners.any && !owners.several)
        t->owner = owners.owner;
    else
        sqlite3_randomness(sizeof(t->owner.bytes), t->owner.bytes);
    return SQLITE_OK;
}

/* Undo seerdb_tree_create; takes the handle. */
static void discard(struct svt_store *store, seerdb_tree *tree)
{
    if (seerdb_tree_intend_drop(tree, NULL) == SEERDB_OK) {
        if (seerdb_tree_drop(tree, NULL) != SEERDB_OK)
            svt_handles_note_intent(store);
    } else {
        seerdb_tree_close(tree);
    }
}

static int create_tree(struct svt_table *t, struct svt_store *store,
                       struct svt_decider *decider)
{
    seerdb_err err = {0};
    seerdb_tree *tree = NULL;
    seerdb_tree_options options = {.owner = t->owner,
                                   .name = t->who,
                                   .key_format = text_format(&t->schema),
                                   .value_format = text_format(&t->schema),
                                   .compression = t->schema.options.compression,
                                   .filter_bits = t->schema.options.filter_bits,
                                   .index = t->schema.options.index,
                                   .compaction = t->schema.options.compaction,
                                   .value_log = t->schema.options.value_log,
                                   .marked = !store->in_memory};
    struct svt_place place = svt_table_place(t);
    int rc = svt_mergetree_create(&t->schema, t->who, store->db, &options, &tree,
                                  &t->base.zErrMsg);
    if (rc != SQLITE_OK)
        return rc;
    if (t->schema.options.mmap)
        seerdb_tree_use_maps(tree);
    struct svt_shadow s = {
        .store = seerdb_id(store->db), .tree = seerdb_tree_id(tree), .owner = t->owner};
    rc = svt_table_fail(t, svt_expire_give(t->expire, tree, &err), &err);
    if (rc == SQLITE_OK)
        rc = svt_shadow_insert(&place, &s, &t->base.zErrMsg);
    if (rc == SQLITE_OK)
        rc = keyspace_new(t->conn, store, tree, &t->ks);
    if (rc == SQLITE_OK)
        t->ks->decider = decider;
    else
        discard(store, tree);
    return rc;
}

int svt_table_create(struct svt_table *t)
{
    struct svt_store *store = NULL, *first = NULL;
    struct svt_decider *decider = NULL;
    seerdb_err err = {0};
    int rc = svt_expire_check(&t->schema, t->who, &t->base.zErrMsg);
    if (rc == SQLITE_OK)
        rc = svt_expire_new(&t->schema, t->who, &t->expire, &t->base.zErrMsg);
    if (rc == SQLITE_OK)
        rc = forget_stale_memory(t);
    struct svt_place place = svt_table_place(t);
    if (rc == SQLITE_OK)
        rc = svt_shadow_create(&place, &t->base.zErrMsg);
    if (rc == SQLITE_OK)
        rc = open_for_siblings(t, &first);
    if (rc == SQLITE_OK)
        rc = store_open(t, &(struct svt_wish){.options = t->schema.options}, true,
                        &store);
    if (rc == SQLITE_OK)
        rc = svt_table_fail(t, svt_handles_write(store, &err), &err);
    if (rc == SQLITE_OK)
        rc = owner_of_schema(t, store);
    if (rc == SQLITE_OK)
        rc = claim(t, store, &t->owner, false, &decider);
    if (rc == SQLITE_OK)
        rc = create_tree(t, store, decider);
    if (rc == SQLITE_OK)
        svt_table_note_place(t);
    svt_handles_close(store);
    svt_handles_close(first);
    return rc;
}
