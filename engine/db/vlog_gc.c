/* SPDX-License-Identifier: Apache-2.0
 *
 * Rewriting a file of which the share u is live costs u bytes for 1 - u gained; the
 * files are taken in the order of their garbage, and as late as the bound on space
 * allows, when most of it has become garbage.
 *
 * What is live, the records of the tables that name the file say: all of these tables
 * are read, as far as their own bytes go, not their values.  With values of 4 KiB and
 * short keys tables have 31 bytes for each, 0.8%, with 64 KiB 0.05%.  Two files of 64
 * MiB with 70% of them live cost 90 MB of copying, and as much reading of tables where
 * 12 GB of values of 4 KiB are live.  Beyond that as many more files are written again
 * at once as make the copying take as long as the reading: so gc never reads more of
 * tables than of values, up to ten times that size.  A list of slots in each table, of
 * a byte or two for each, is what would help beyond.
 *
 * The new file takes the old one's name by a rename: after a power cut one of the two
 * is there, and both have every live slot.  Readers that have the old one open go on
 * with it.
 *
 * Why no slot that somebody needs is lost.  At the beginning the file is held by tables
 * of the current version alone, and what those name is kept.  At the end it is checked
 * that only tables of the version which is then current hold it, and that nobody else
 * has taken a hold meanwhile.  Those tables are the ones from the beginning, or were
 * merged from them: nothing of a memtable can have come in without a hold.  So
 * whoever reads the file now, or finds it through such a reader, knows live slots only.
 */
#include "db/vlog_gc.h"

#include "os/aheadfs.h"
#include "os/failpoint.h"
#include "table/table_iter.h"

#include <stdlib.h>

#define AT_A_TIME     2u  /* files that are written again, */
#define AT_MOST       16u /* where reading the tables is what takes long */
#define AHEAD         ((size_t)256 << 10)
#define STEPS         256u
#define WORTH_PERCENT 20u  /* of garbage: thorough */
#define LATE_PERCENT  30u  /* of garbage: else */
#define BOUND_PERCENT 138u /* of the live bytes: above it, files are rewritten */

struct candidate {
    struct sdb_vlog_ref live; /* of all tables of the version */
    uint64_t size;
    uint32_t tables;    /* of the version that name it */
    uint64_t taken;     /* when it was looked at */
    bool free;          /* nobody else has a hold on it */
    struct sdb_buf map; /* of live slots, a bit each */
};

struct work {
    struct sdb_gc *g;
    seerdb *db;
    struct sdb_version *version; /* counted */
    struct candidate *all;       /* owned; by file number */
    size_t n, capacity;
    uint64_t steps;
};

static struct candidate *find(struct work *w, uint64_t file)
{
    size_t lo = 0, hi = w->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (w->all[mid].live.file == file)
            return &w->all[mid];
        if (w->all[mid].live.file < file)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static int by_file(const void *a, const void *b)
{
    uint64_t x = ((const struct candidate *)a)->live.file,
             y = ((const struct candidate *)b)->live.file;
    return (x > y) - (x < y);
}

static uint64_t garbage(const struct candidate *c)
{
    return c->size > c->live.bytes ? c->size - c->live.bytes : 0;
}

/* The larger share of garbage first. */
static int by_garbage(const void *a, const void *b)
{
    const struct candidate *x = *(struct candidate *const *)a,
                           *y = *(struct candidate *const *)b;
    double gx = (double)garbage(x) / (double)(x->size + 1),
           gy = (double)garbage(y) / (double)(y->size + 1);
    return (gx < gy) - (gx > gy);
}

/* One entry for each reference of a table, then those of a file made one. */
static int gather(struct work *w, seerdb_err *err)
{
    size_t n = 0, all = 0;
    for (uint32_t i = 0; i < w->version->nmembers; i++)
        all += w->version->members[i]->desc.nvlogs;
    w->all = sdb_array_new(all, sizeof *w->all);
    if (w->all == NULL)
        return sdb_fail_nomem(err, all * sizeof *w->all);
    for (uint32_t i = 0; i < w->version->nmembers; i++) {
        const struct sdb_table_desc *d = &w->version->members[i]->desc;
        for (size_t k = 0; k < d->nvlogs; k++)
            w->all[n++] = (struct candidate){.live = d->vlogs[k], .tables = 1};
    }
    qsort(w->all, n, sizeof *w->all, by_file);
    for (size_t i = 0; i < n; i++) {
        if (w->n > 0 && w->all[w->n - 1].live.file == w->all[i].live.file) {
            w->all[w->n - 1].live.bytes += w->all[i].live.bytes;
            w->all[w->n - 1].live.values += w->all[i].live.values;
            w->all[w->n - 1].tables++;
        } else {
            w->all[w->n++] = w->all[i];
        }
    }
    for (size_t i = 0; i < w->n; i++) {
        struct sdb_value_use use = {0};
        struct candidate *c = &w->all[i];
        if (!sdb_values_look(w->db->values, c->live.file, &use))
            continue;
        c->size = use.size;
        c->taken = use.taken;
        c->free = use.others == 0 && !use.writing && use.tables == c->tables;
    }
    return 0;
}

static void count_space(const struct work *w, struct sdb_gc_space *out)
{
    *out = (struct sdb_gc_space){.files = w->n};
    for (size_t i = 0; i < w->n; i++) {
        const struct candidate *c = &w->all[i];
        out->bytes += c->size;
        out->live += c->live.bytes < c->size ? c->live.bytes : c->size;
    }
}

/* Of the tables that would be read. */
static uint64_t table_bytes(const struct work *w)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < w->version->nmembers; i++)
        bytes += w->version->members[i]->desc.nvlogs > 0
                     ? w->version->members[i]->desc.size
                     : 0;
    return bytes;
}

/* Those to write again, in order; *n of them. */
static void choose(struct work *w, struct candidate **out, size_t *n)
{
    struct sdb_gc_space s;
    bool thorough = w->g->mode == SDB_GC_THOROUGH;
    uint64_t percent = thorough ? WORTH_PERCENT : LATE_PERCENT;
    size_t due = 0;
    count_space(w, &s);
    for (size_t i = 0; i < w->n; i++)
        if (w->all[i].free && w->all[i].size > 0 &&
            garbage(&w->all[i]) * 100 >= percent * w->all[i].size)
            out[due++] = &w->all[i];
    qsort(out, due, sizeof out[0], by_garbage);
    uint64_t bound = s.live / 100 * BOUND_PERCENT + w->db->value_file_size;
    uint64_t tables = table_bytes(w), copied = 0;
    for (*n = 0; *n < due; ++*n) {
        bool asked = *n < AT_A_TIME && (thorough || s.bytes > bound);
        bool cheap = *n > 0 && *n < AT_MOST && copied < tables;
        if (!asked && !cheap)
            break;
        s.bytes -= garbage(out[*n]);
        copied += out[*n]->live.bytes;
    }
}

/* ---- what is live ------------------------------------------------------------------
 */

static int step(struct work *w, seerdb_err *err)
{
    return ++w->steps % STEPS != 0 ? 0 : w->g->look_up(w->g->ctx, err);
}

static int mark(struct candidate *c, uint64_t slot, seerdb_err *err)
{
    size_t byte = (size_t)(slot / 8);
    if (byte >= c->map.size)
        sdb_buf_zeros(&c->map, byte + 1 - c->map.size + byte / 2);
    int rc = sdb_buf_check(&c->map, err);
    if (rc == 0)
        c->map.data[byte] |= (uint8_t)(1u << slot % 8);
    return rc;
}

static bool is_live(const struct candidate *c, uint64_t slot)
{
    size_t byte = (size_t)(slot / 8);
    return byte < c->map.size && (c->map.data[byte] >> slot % 8 & 1) != 0;
}

/* `chosen` marks the files that are asked for: those with a map. */
static int mark_record(struct work *w, seerdb_slice value, seerdb_err *err)
{
    struct sdb_segments all;
    struct sdb_segment s;
    int rc = sdb_segments_open(&all, value, err);
    while (rc == 0 && sdb_segments_next(&all, &s)) {
        struct candidate *c = find(w, s.file);
        if (c == NULL)
            return sdb_fail(err, SEERDB_CORRUPT,
                            "%s: a table names file %" PRIu64
                            " of the value log, and its description does not",
                            w->db->dir, s.file);
        if (c->map.size > 0)
            rc = mark(c, s.slot, err);
    }
    return rc;
}

static int mark_table(struct work *w, struct sdb_fs *fs, const struct sdb_member *m,
                      seerdb_err *err)
{
    struct sdb_file *file = NULL;
    struct sdb_table *table = NULL;
    struct sdb_iter *it = NULL;
    char *path = sdb_table_path(w->db, m->desc.file);
    if (path == NULL)
        return sdb_fail_nomem(err, 0);
    int rc = sdb_fs_open(fs, path, SDB_READ, SDB_FOR_VLOG, &file, err);
    sdb_mem_free(path);
    if (rc != 0 || (rc = sdb_table_reopen(m->table, file, &table, err)) != 0)
        return rc;
    if ((rc = sdb_table_iter(table, SDB_NUMBER_MAX, &it, err)) == 0)
        for (rc = it->ops->first(it, err); rc == 0; rc = it->ops->next(it, err))
            do { /* every version of the key */
                if (it->at.kind == SDB_KIND_SEGMENTS)
                    rc = mark_record(w, it->at.value, err);
                if (rc == 0 && (rc = step(w, err)) == 0)
                    rc = it->ops->older(it, err);
                if (rc != 0 && rc != SEERDB_NOTFOUND)
                    goto out;
            } while (rc == 0);
    rc = rc == SEERDB_NOTFOUND ? 0 : rc;
out:
    sdb_iter_close(it);
    sdb_table_unref(table);
    return rc;
}

static bool names_any(struct work *w, const struct sdb_member *m)
{
    for (size_t i = 0; i < m->desc.nvlogs; i++)
        if (find(w, m->desc.vlogs[i].file)->map.size > 0)
            return true;
    return false;
}

static int mark_all(struct work *w, seerdb_err *err)
{
    struct sdb_fs *fs = sdb_aheadfs_new(w->db->fs, SDB_FOR_VLOG, AHEAD);
    int rc = fs == NULL ? sdb_fail_nomem(err, AHEAD) : 0;
    for (uint32_t i = 0; i < w->version->nmembers && rc == 0; i++)
        if (names_any(w, w->version->members[i]))
            rc = mark_table(w, fs, w->version->members[i], err);
    sdb_aheadfs_free(fs);
    return rc;
}

/* ---- writing again -----------------------------------------------------------------
 */

struct slots {
    struct candidate *c;
    struct sdb_buf list; /* u64 each: the live ones */
    uint64_t lost;       /* bytes of the others */
};

static void list_slot(void *ctx, uint64_t slot, uint64_t bytes)
{
    struct slots *s = ctx;
    if (is_live(s->c, slot))
        sdb_buf_append(&s->list, &slot, sizeof slot);
    else
        s->lost += bytes;
}

static int copy_live(struct work *w, struct candidate *c, struct sdb_vlog *from,
                     struct sdb_vlog *to, seerdb_err *err)
{
    struct slots s = {.c = c};
    sdb_vlog_each(from, list_slot, &s);
    int rc = sdb_buf_check(&s.list, err);
    for (size_t at = 0; at < s.list.size && rc == 0; at += sizeof(uint64_t)) {
        uint64_t slot;
        memcpy(&slot, s.list.data + at, sizeof slot);
        rc = sdb_vlog_copy(to, from, slot, err);
        if (rc == 0 && at / sizeof slot % 16 == 0)
            rc = w->g->look_up(w->g->ctx, err);
    }
    sdb_buf_fini(&s.list);
    return rc != 0 ? rc : sdb_vlog_seal(to, err);
}

/* Is it still so that only tables of the current version hold the file? */
static bool may_replace(struct work *w, const struct candidate *c)
{
    uint32_t tables = 0;
    sdb_lock_db(&w->db->lock);
    const struct sdb_version *v = w->g->tree->state->version;
    for (uint32_t i = 0; i < v->nmembers; i++)
        for (size_t k = 0; k < v->members[i]->desc.nvlogs; k++)
            tables += v->members[i]->desc.vlogs[k].file == c->live.file ? 1 : 0;
    bool may = sdb_values_may_replace(w->db->values, c->live.file, tables, c->taken);
    sdb_unlock_db(&w->db->lock);
    return may;
}

/* The new file under the old one's name. */
static int replace(struct work *w, const struct candidate *c, struct sdb_vlog *fresh,
                   seerdb_err *err)
{
    char *from = sdb_vlog_path(w->db->dir, c->live.file, ".vlg.tmp");
    char *to = sdb_vlog_path(w->db->dir, c->live.file, ".vlg");
    int rc = from == NULL || to == NULL ? sdb_fail_nomem(err, 0) : 0;
    if (rc == 0 && may_replace(w, c) && (rc = SDB_FAIL_AT(vlog_replace, err)) == 0 &&
        (rc = sdb_fs_rename(w->db->fs, from, to, err)) == 0) {
        SDB_PASS(vlog_replaced);
        w->g->files++;
        w->g->bytes_before += c->size;
        w->g->bytes_after += sdb_vlog_bytes(fresh);
        sdb_values_replaced(w->db->values, c->live.file, sdb_vlog_bytes(fresh));
        /* Which of the two a power cut leaves does not matter. */
        (void)!sdb_fs_sync_dir(w->db->fs, w->db->dir, NULL);
    } else if (from != NULL) {
        (void)sdb_fs_remove(w->db->fs, from, NULL);
    }
    sdb_mem_free(from);
    sdb_mem_free(to);
    return rc;
}

static int rewrite(struct work *w, struct candidate *c, seerdb_err *err)
{
    struct sdb_vlog *from = NULL, *to = NULL;
    struct sdb_vlog_options o = {.fs = w->db->fs,
                                 .dir = w->db->dir,
                                 .suffix = ".vlg.tmp",
                                 .store = w->db->id,
                                 .number = c->live.file};
    char *path = sdb_vlog_path(o.dir, o.number, o.suffix);
    if (path == NULL)
        return sdb_fail_nomem(err, 0);
    int rc = sdb_values_open(w->db->values, o.number, &from, err);
    if (rc == 0) {
        (void)sdb_fs_remove(o.fs, path, NULL); /* of an attempt before */
        o.tree = sdb_vlog_tree(from);
        rc = sdb_vlog_create(&o, &to, err);
    }
    if (rc == 0 && (rc = copy_live(w, c, from, to, err)) == 0)
        rc = replace(w, c, to, err);
    else if (to != NULL)
        (void)sdb_fs_remove(o.fs, path, NULL);
    sdb_vlog_unref(to);
    sdb_vlog_unref(from);
    sdb_mem_free(path);
    return rc;
}

/* ---- the job -----------------------------------------------------------------------
 */

static int begin(struct work *w, seerdb_err *err)
{
    sdb_lock_db(&w->db->lock);
    w->version = sdb_version_ref(w->g->tree->state->version);
    sdb_unlock_db(&w->db->lock);
    return gather(w, err);
}

static void end(struct work *w)
{
    for (size_t i = 0; i < w->n; i++)
        sdb_buf_fini(&w->all[i].map);
    sdb_mem_free(w->all);
    sdb_version_unref(w->version);
}

int sdb_vlog_gc(struct sdb_gc *g, seerdb_err *err)
{
    struct work w = {.g = g, .db = g->tree->db};
    struct candidate **chosen = NULL;
    size_t n = 0;
    if (!sdb_tree_separates(g->tree))
        return 0;
    int rc = begin(&w, err);
    if (rc != 0)
        goto out;
    if ((chosen = sdb_array_new(w.n, sizeof(struct candidate *))) == NULL) {
        rc = sdb_fail_nomem(err, w.n * sizeof(struct candidate *));
        goto out;
    }
    choose(&w, chosen, &n);
    for (size_t i = 0; i < n && rc == 0; i++) {
        sdb_buf_zeros(&chosen[i]->map, 1);
        rc = sdb_buf_check(&chosen[i]->map, err);
    }
    if (rc == 0 && n > 0)
        rc = mark_all(&w, err);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = rewrite(&w, chosen[i], err);
out:
    sdb_mem_free(chosen);
    end(&w);
    return rc;
}

void sdb_vlog_space(seerdb_tree *t, struct sdb_gc_space *out)
{
    struct sdb_gc g = {.tree = t};
    struct work w = {.g = &g, .db = t->db};
    *out = (struct sdb_gc_space){0};
    if (sdb_tree_separates(t) && begin(&w, NULL) == 0)
        count_space(&w, out);
    end(&w);
}
