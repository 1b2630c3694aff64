/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include <string.h>
#include <sys/statvfs.h>

static const char ok[] = "ok", note[] = "note", warning[] = "warning",
                  error[] = "error";

struct examination {
    struct svt_table *t;
    int (*each)(void *ctx, const struct svt_finding *finding);
    void *ctx;
    seerdb_condition now; /* of the store; it is open */
};

/* Takes the texts over; NULL: no memory. */
static int say(struct examination *x, const char *check, const char *state,
               char *detail, char *remedy)
{
    struct svt_finding f = {check, state, detail, remedy};
    int rc = detail == NULL || remedy == NULL ? SQLITE_NOMEM : x->each(x->ctx, &f);
    sqlite3_free(detail);
    sqlite3_free(remedy);
    return rc;
}

static char *nothing(void)
{
    return sqlite3_mprintf("");
}

/* ---- SQLite's side --------------------------------------------------------- */

/* The answer of a pragma of t's schema, sqlite3_malloc'ed; "" if there is none. */
static int ask_pragma(struct svt_table *t, const char *pragma, char **out)
{
    sqlite3_stmt *stmt = NULL;
    const char *answer = NULL;
    int rc =
        svt_prepare(t->conn->db, &stmt, "PRAGMA \"%w\".%s", t->schema_name, pragma);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        answer = (const char *)sqlite3_column_text(stmt, 0);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_OK)
        rc = svt_fail(&t->base.zErrMsg, rc, "%s: PRAGMA %s: %s", t->who, pragma,
                      sqlite3_errmsg(t->conn->db));
    else
        rc = (*out = sqlite3_mprintf("%s", answer != NULL ? answer : "")) != NULL
                 ? SQLITE_OK
                 : SQLITE_NOMEM;
    sqlite3_finalize(stmt);
    return rc;
}

static bool in_memory(const struct svt_table *t)
{
    const char *file = sqlite3_db_filename(t->conn->db, t->schema_name);
    return file == NULL || *file == 0;
}

static int check_journal(struct examination *x)
{
    char *mode = NULL;
    int rc = ask_pragma(x->t, "journal_mode", &mode);
    if (rc != SQLITE_OK)
        return rc;
    bool wal = strcmp(mode, "wal") == 0;
    bool none = strcmp(mode, "off") == 0 || strcmp(mode, "memory") == 0;
    if (in_memory(x->t) || wal)
        rc = say(x, "journal_mode", ok, sqlite3_mprintf("%s", mode), nothing());
    else if (none)
        rc = say(x, "journal_mode", warning,
                 sqlite3_mprintf("%s: a crash may damage the database, and then its "
                                 "tables and the store's do not fit together",
                                 mode),
                 sqlite3_mprintf("PRAGMA journal_mode = wal"));
    else
        rc = say(x, "journal_mode", note,
                 sqlite3_mprintf("%s: each commit syncs more than in wal mode, and "
                                 "readers and writers wait for each other",
                                 mode),
                 sqlite3_mprintf("PRAGMA journal_mode = wal"));
    sqlite3_free(mode);
    return rc;
}

static int check_synchronous(struct examination *x, enum svt_sync sync)
{
    char *level = NULL;
    int rc = ask_pragma(x->t, "synchronous", &level);
    if (rc != SQLITE_OK)
        return rc;
    bool off = level[0] == '0', of_store = sync == SVT_SYNC_OFF;
    sqlite3_free(level);
    if (in_memory(x->t) || (!off && !of_store))
        return say(x, "synchronous", ok, nothing(), nothing());
    return say(
        x, "synchronous", warning,
        sqlite3_mprintf("%s: a power cut may lose any of the last commits%s",
                        off ? "PRAGMA synchronous is OFF" : "sync = off",
                        off ? ", and damage the database" : ""),
        off ? sqlite3_mprintf("PRAGMA synchronous = NORMAL, or FULL")
            : sqlite3_mprintf("SELECT seerdb('%q', 'set', 'sync', 'auto')", x->t->who));
}

static int check_access(struct examination *x)
{
    if (sqlite3_db_readonly(x->t->conn->db, x->t->schema_name) == 1)
        return say(x, "access", note,
                   sqlite3_mprintf("this connection can only read the database"),
                   sqlite3_mprintf("open it for writing if that is not what you want"));
    return say(x, "access", ok, nothing(), nothing());
}

/* ---- a store out of reach -------------------------------------------------- */

static const char *remedy_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
        return "end the process that the detail names, or work there";
    case SQLITE_CANTOPEN:
        return "put the store's directory back where it was, or drop the table";
    case SQLITE_CORRUPT:
        return "restore database and directory from a copy";
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "let this user write to the directory";
    case SQLITE_FULL:
        return "make room on the disk";
    case SQLITE_NOMEM:
        return "give the process more memory";
    default:
        return "see the detail";
    }
}

static int tell_unreachable(struct examination *x, int code)
{
    struct svt_table *t = x->t;
    char *why = t->base.zErrMsg;
    t->base.zErrMsg = NULL;
    if (why == NULL)
        why = sqlite3_mprintf("%s", sqlite3_errstr(code));
    return say(x, "store", error, why, sqlite3_mprintf("%s", remedy_of(code)));
}

/* ---- the store ------------------------------------------------------------- */

static int check_failures(struct examination *x)
{
    const seerdb_condition *c = &x->now;
    if (c->failure == SEERDB_OK)
        return say(x, "failures", ok, nothing(), nothing());
    if (c->refuses && !c->resumable)
        return say(x, "failures", error,
                   sqlite3_mprintf("writes are refused: %s", c->why),
                   sqlite3_mprintf("cure the cause, close the database everywhere and "
                                   "open it again"));
    return say(x, "failures", c->refuses ? error : warning,
               sqlite3_mprintf("%s: %s",
                               c->refuses ? "writes are refused"
                                          : "background work waits and tries again",
                               c->why),
               sqlite3_mprintf("cure the cause, then SELECT seerdb('%q', 'resume')",
                               x->t->who));
}

static int check_compaction(struct examination *x)
{
    const seerdb_condition *c = &x->now;
    if (c->paused)
        return say(x, "compaction", warning,
                   sqlite3_mprintf("paused, with %u runs in level 0: reads get slower "
                                   "and space is not given back",
                                   c->level0_runs),
                   sqlite3_mprintf("SELECT seerdb('%q', 'continue')", x->t->who));
    if (c->writes == SEERDB_WRITES_FLOW)
        return say(x, "compaction", ok, nothing(), nothing());
    return say(x, "compaction", c->writes == SEERDB_WRITES_STOP ? warning : note,
               sqlite3_mprintf("%u runs in level 0: commits are %s", c->level0_runs,
                               c->writes == SEERDB_WRITES_STOP ? "stopped" : "delayed"),
               sqlite3_mprintf("write less for a while; compaction = lazy or tiered "
                               "costs less of it"));
}

struct pinning {
    char *name; /* owned: of the snapshot that pins most */
    uint64_t most, sum;
    int n;
    bool failed;
};

static bool see_pinned(void *ctx, const seerdb_snapshot *s)
{
    struct pinning *p = ctx;
    p->n++;
    p->sum += s->pinned_bytes;
    if (p->name == NULL || s->pinned_bytes > p->most) {
        sqlite3_free(p->name);
        p->most = s->pinned_bytes;
        p->name = sqlite3_mprintf("%s", s->name);
        p->failed = p->name == NULL;
    }
    return !p->failed;
}

static bool see_raw_bytes(void *ctx, const seerdb_stat *stat)
{
    double *bytes = ctx;
    if (strcmp(stat->name, "table_raw_bytes") == 0)
        *bytes = stat->value;
    return *bytes < 0;
}

/* A table without snapshots has nothing to say.  They are worth a note once they take
 * as much as the rows do. */
static int check_snapshots(struct examination *x)
{
    struct pinning p = {.name = NULL};
    struct svt_table *t = x->t;
    double bytes = -1;
    seerdb_err err = {0};
    int rc = seerdb_snapshots(t->ks->tree, see_pinned, &p, &err);
    if (rc == SEERDB_OK)
        rc = seerdb_stats(t->ks->store->db, t->ks->tree, see_raw_bytes, &bytes, &err);
    rc = p.failed ? SQLITE_NOMEM : svt_table_fail(t, rc, &err);
    if (rc == SQLITE_OK && p.n > 0 && 2 * (double)p.sum > bytes)
        rc = say(x, "snapshots", note,
                 sqlite3_mprintf("%d snapshots keep %llu bytes of rows that were "
                                 "changed or deleted since, of %lld in all: '%s' most",
                                 p.n, (unsigned long long)p.sum, (long long)bytes,
                                 p.name),
                 sqlite3_mprintf("if nobody needs them: SELECT seerdb('%q', "
                                 "'drop_snapshot', %Q)",
                                 t->who, p.name));
    else if (rc == SQLITE_OK && p.n > 0)
        rc = say(x, "snapshots", ok, sqlite3_mprintf("%d", p.n), nothing());
    sqlite3_free(p.name);
    return rc;
}

static int check_memory(struct examination *x)
{
    const seerdb_condition *c = &x->now;
    if (c->table_memory <= c->memory_limit / 2)
        return say(x, "memory", ok, nothing(), nothing());
    return say(x, "memory", warning,
               sqlite3_mprintf("indexes and filters of the sorted tables take %llu of "
                               "%llu bytes: little is left to cache rows",
                               (unsigned long long)c->table_memory,
                               (unsigned long long)c->memory_limit),
               sqlite3_mprintf("SELECT seerdb('%q', 'set', 'memory_limit', '%lldMB')",
                               x->t->who, (long long)(c->table_memory >> 18) + 1));
}

static int check_log(struct examination *x)
{
    const seerdb_condition *c = &x->now;
    if (c->log_bytes <= 2 * c->log_cap)
        return say(x, "log", ok, nothing(), nothing());
    return say(x, "log", warning,
               sqlite3_mprintf(
                   "%llu bytes, of which it should have %llu: %s",
                   (unsigned long long)c->log_bytes, (unsigned long long)c->log_cap,
                   c->undecided > 0 ? "a transaction has prepared its commit and does "
                                      "not end"
                                    : "commits of a database that does not come cannot "
                                      "go to tables"),
               sqlite3_mprintf("end long transactions; write to each of the databases "
                               "that share the store"));
}

/* What a compaction may need beside what there is. */
static bool add_bytes(void *ctx, const seerdb_level *level)
{
    *(uint64_t *)ctx += level->bytes;
    return true;
}

static int check_disk(struct examination *x)
{
    struct statvfs fs;
    const struct svt_table *t = x->t;
    const struct svt_store *store = t->ks->store;
    uint64_t need = 0, most = 8 * x->now.memory_limit;
    if (store->in_memory || statvfs(store->dir, &fs) != 0)
        return say(x, "disk", ok, nothing(), nothing());
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (seerdb_levels(t->ks->tree, add_bytes, &need, NULL) == SEERDB_OK &&
        t->schema.options.compaction == SEERDB_LEVELED && need > most)
        need = most;
    need += x->now.memory_limit / 4;
    if (room >= need)
        return say(x, "disk", ok, nothing(), nothing());
    return say(
        x, "disk", room < need / 8 ? error : warning,
        sqlite3_mprintf("%llu bytes are free where %s is; compaction and flushes "
                        "may need %llu",
                        (unsigned long long)room, store->dir, (unsigned long long)need),
        sqlite3_mprintf("make room, or SELECT seerdb('%q', 'set', "
                        "'memory_limit', ...) to a smaller one",
                        t->who));
}

static int check_maps(struct examination *x)
{
    if (!x->t->schema.options.mmap || x->t->ks->store->in_memory)
        return say(x, "mmap", ok, nothing(), nothing());
    return say(x, "mmap", note,
               sqlite3_mprintf("on: a disk that fails to read, or a file that is cut "
                               "short, kills the process"),
               sqlite3_mprintf("SELECT seerdb('%q', 'set', 'mmap', '0')", x->t->who));
}

/* ---- both sides ------------------------------------------------------------ */

static int check_agreement(struct examination *x)
{
    struct svt_table *t = x->t;
    struct svt_shadow row;
    struct svt_place place = svt_table_place(t);
    int rc = svt_shadow_read(&place, &row, &t->base.zErrMsg);
    seerdb_err err = {0};
    /* Somebody may have committed since the store was looked at. */
    if (rc == SQLITE_OK && row.marker > x->now.last_commit)
        rc = svt_table_fail(
            t, seerdb_look(t->ks->store->db, t->ks->tree, &x->now, &err), &err);
    if (rc != SQLITE_OK)
        return tell_unreachable(x, rc);
    if (row.marker <= x->now.last_commit)
        return say(x, "agreement", ok, nothing(), nothing());
    return say(
        x, "agreement", warning,
        sqlite3_mprintf("the database knows commit %llu, the store has lost what "
                        "comes after %llu, in a power cut or by an older copy",
                        (unsigned long long)row.marker,
                        (unsigned long long)x->now.last_commit),
        sqlite3_mprintf("restore both sides from one copy; the next write goes on "
                        "from what is there"));
}

struct tree_walk {
    struct examination *x;
    seerdb_uuid id, owner;
    bool is_named;
    unsigned dropped;
    int rc;
};

static bool see_row(void *ctx, const struct svt_shadow *row)
{
    struct tree_walk *w = ctx;
    w->is_named = svt_uuid_equal(&row->tree, &w->id);
    return !w->is_named;
}

/* Nobody's: its database is gone, or does not name it. */
static int tell_orphan(struct examination *x, const seerdb_uuid *id,
                       const char *owner_path)
{
    char text[33];
    svt_uuid_text(id, text);
    return say(
        x, "trees", warning,
        owner_path == NULL
            ? sqlite3_mprintf("no table of this database is tree %s: unless a "
                              "transaction is just creating one, a crash left it",
                              text)
            : sqlite3_mprintf("tree %s belongs to the database %s, which is gone", text,
                              owner_path),
        sqlite3_mprintf("SELECT seerdb('%q', 'drop_tree', '%s')", x->t->who, text));
}

static bool see_tree(void *ctx, const seerdb_tree_info *info)
{
    struct tree_walk *w = ctx;
    struct svt_table *t = w->x->t;
    seerdb_owner_place last = {.path = ""};
    w->id = info->id;
    w->is_named = false;
    if (info->drop_intended)
        w->dropped++;
    if (svt_uuid_equal(&info->owner, &t->owner)) {
        w->rc = svt_shadow_each(t->conn->db, t->schema_name, see_row, w);
        if (w->rc == SQLITE_OK && !w->is_named && !info->drop_intended)
            w->rc = tell_orphan(w->x, &info->id, NULL);
    } else if (seerdb_owner_get_place(t->ks->store->db, &info->owner, &last, NULL) ==
                   SEERDB_OK &&
               !svt_decider_is_there(&last)) {
        w->rc = tell_orphan(w->x, &info->id, last.path);
    }
    return w->rc == SQLITE_OK;
}

static int check_trees(struct examination *x)
{
    struct tree_walk w = {.x = x};
    seerdb_err err = {0};
    if (x->t->ks->store->in_memory)
        return say(x, "trees", ok, nothing(), nothing());
    int rc = seerdb_trees(x->t->ks->store->db, see_tree, &w, &err);
    if (rc != SEERDB_OK)
        return svt_table_fail(x->t, rc, &err);
    if (w.rc != SQLITE_OK)
        return w.rc;
    return say(x, "dropped", w.dropped > 0 ? note : ok,
               w.dropped > 0 ? sqlite3_mprintf("%u dropped tables still take space: a "
                                               "later write gives it back",
                                               w.dropped)
                             : nothing(),
               nothing());
}

int svt_health(struct svt_table *t,
               int (*each)(void *ctx, const struct svt_finding *finding), void *ctx)
{
    static int (*const checks[])(struct examination * x) = {
        check_failures, check_compaction, check_snapshots, check_memory, check_log,
        check_disk,     check_maps,       check_agreement, check_trees};
    struct examination x = {.t = t, .each = each, .ctx = ctx};
    seerdb_err err = {0};
    int rc = svt_table_open(t);
    bool open = rc == SQLITE_OK;
    if (rc == SQLITE_INTERRUPT || rc == SQLITE_NOMEM)
        return rc;
    if (open)
        rc = svt_table_fail(t, seerdb_look(t->ks->store->db, t->ks->tree, &x.now, &err),
                            &err);
    rc = rc != SQLITE_OK
             ? tell_unreachable(&x, rc)
             : say(&x, "store", ok,
                   sqlite3_mprintf("%s", t->ks->store->in_memory ? "in memory"
                                                                 : t->ks->store->dir),
                   nothing());
    if (rc == SQLITE_OK)
        rc = check_access(&x);
    if (rc == SQLITE_OK)
        rc = check_journal(&x);
    if (rc == SQLITE_OK)
        rc = check_synchronous(&x, open ? svt_handles_sync(t->ks->store)
                                        : t->schema.options.sync);
    for (size_t i = 0; open && rc == SQLITE_OK && i < sizeof checks / sizeof checks[0];
         i++)
        rc = checks[i](&x);
    return rc;
}
