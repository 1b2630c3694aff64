/* SPDX-License-Identifier: Apache-2.0
 *
 * ingest -- sorted tables that are written outside of a store, and taken over by one.
 *
 * A file comes into the store as what a transaction has spilled: its copy is a private
 * table, the commit names it in the log, and a landing lists it in the tree.  So all
 * that is said in spill.h and land.h about the order of durability, crashes and readers
 * holds here, and nothing else is needed.
 *
 * The copy is made of what was read and checked as a whole afterwards: a file that
 * changes meanwhile, or a disk that lies, is found out before anything refers to it. */
#include "base/interrupt.h"
#include "db/batch.h"
#include "db/spill.h"
#include "table/table_format.h"
#include "table/table_verify.h"
#include "table/table_writer.h"

#include <stdlib.h>

#define CHUNK        ((size_t)1 << 20)
#define FOOTER_UUID  24u
#define ORDINAL_LAST 1u /* of the one write that a batch of this kind is */

/* ---- writing a file ------------------------------------------------------------- */

struct seerdb_sst_writer {
    struct sdb_fs *fs;
    struct sdb_file *file; /* owned; NULL: it is closed */
    struct sdb_table_writer *writer;
    char *path;          /* owned */
    struct sdb_buf last; /* the last key */
    struct sdb_buf lower, upper;
    bool has_lower, has_upper, any, finished;
    seerdb_err failed; /* the first failure */
};

static int stick(seerdb_sst_writer *w, seerdb_err *err)
{
    return sdb_fail_as(err, &w->failed);
}

static int check_options(const char *path, const seerdb_sst_options *o, seerdb_err *err)
{
    if (o->compression < 0 || o->compression > 19)
        return sdb_fail(err, SEERDB_MISUSE, "%s: compression %d: 0 to 19 is allowed",
                        path, o->compression);
    if (o->filter_bits > 20)
        return sdb_fail(err, SEERDB_MISUSE, "%s: %u filter bits: 0 to 20 are allowed",
                        path, o->filter_bits);
    if (o->lower.data != NULL && o->upper.data != NULL &&
        sdb_slice_cmp(o->lower, o->upper) > 0)
        return sdb_fail(err, SEERDB_MISUSE, "%s: the upper bound is below the lower",
                        path);
    return 0;
}

static int open_writer(seerdb_sst_writer *w, const char *path,
                       const seerdb_sst_options *o, seerdb_err *err)
{
    struct sdb_table_writer_options options = {.compression = o->compression,
                                               .filter_bits = o->filter_bits,
                                               .index = o->index};
    size_t size = strlen(path) + 1;
    if (o->lower.data != NULL && o->upper.data != NULL) {
        options.smallest = o->lower;
        options.largest = o->upper;
    } else {
        options.smallest = options.largest = (seerdb_slice){"", 0};
    }
    sdb_buf_append_slice(&w->lower, o->lower);
    sdb_buf_append_slice(&w->upper, o->upper);
    w->has_lower = o->lower.data != NULL;
    w->has_upper = o->upper.data != NULL;
    w->fs = o->fs != NULL ? o->fs : sdb_fs_local();
    if (w->lower.failed || w->upper.failed || (w->path = sdb_mem_alloc(size)) == NULL)
        return sdb_fail_nomem(err, size);
    memcpy(w->path, path, size);
    int rc = sdb_fs_open(w->fs, path, SDB_CREATE, SDB_FOR_OTHER, &w->file, err);
    return rc == 0 ? sdb_table_writer_new(w->file, &options, &w->writer, err) : rc;
}

int seerdb_sst_writer_open(const char *path, const seerdb_sst_options *options,
                           seerdb_sst_writer **out, seerdb_err *err)
{
    const seerdb_sst_options none = {0};
    const seerdb_sst_options *o = options != NULL ? options : &none;
    int rc = check_options(path, o, err);
    if (rc != 0)
        return rc;
    seerdb_sst_writer *w = sdb_mem_zalloc(sizeof *w);
    if (w == NULL)
        return sdb_fail_nomem(err, sizeof *w);
    if ((rc = open_writer(w, path, o, err)) == 0)
        *out = w;
    else
        seerdb_sst_writer_free(w);
    return rc;
}

static int check_row(const seerdb_sst_writer *w, seerdb_slice key, seerdb_slice value,
                     seerdb_err *err)
{
    if (w->finished)
        return sdb_fail(err, SEERDB_MISUSE, "%s: the file is finished", w->path);
    if (key.size > SEERDB_KEY_MAX)
        return sdb_fail(err, SEERDB_TOOBIG, "a key of %zu bytes is longer than %zu",
                        key.size, SEERDB_KEY_MAX);
    if (value.size > SEERDB_VALUE_MAX)
        return sdb_fail(err, SEERDB_TOOBIG, "a value of %zu bytes is longer than %zu",
                        value.size, SEERDB_VALUE_MAX);
    if (w->any && sdb_slice_cmp(key, sdb_buf_slice(&w->last)) <= 0)
        return sdb_fail(err, SEERDB_MISUSE,
                        "%s: a key does not come after the one before it", w->path);
    if ((w->has_lower && sdb_slice_cmp(key, sdb_buf_slice(&w->lower)) < 0) ||
        (w->has_upper && sdb_slice_cmp(key, sdb_buf_slice(&w->upper)) > 0))
        return sdb_fail(err, SEERDB_MISUSE, "%s: a key is out of the bounds given",
                        w->path);
    return 0;
}

int seerdb_sst_writer_add(seerdb_sst_writer *writer, seerdb_slice key,
                          seerdb_slice value, seerdb_err *err)
{
    seerdb_sst_writer *w = writer;
    if (w->failed.code != 0)
        return stick(w, err);
    int rc = check_row(w, key, value, &w->failed);
    if (rc == 0) {
        const struct sdb_record r = {
            .key = key, .kind = SDB_KIND_VALUE, .value = value};
        sdb_table_writer_add(w->writer, &r); /* its failure is told by finish */
        sdb_buf_clear(&w->last);
        sdb_buf_append_slice(&w->last, key);
        w->any = true;
        rc = sdb_buf_check(&w->last, &w->failed);
    }
    return rc == 0 ? 0 : stick(w, err);
}

uint64_t seerdb_sst_writer_size(const seerdb_sst_writer *writer)
{
    return writer->writer != NULL ? sdb_table_writer_size(writer->writer) : 0;
}

/* The file's name must outlive a power cut, too. */
static int sync_parent(const seerdb_sst_writer *w, seerdb_err *err)
{
    const char *slash = strrchr(w->path, '/');
    size_t n = slash != NULL ? (size_t)(slash - w->path) : 0;
    char *dir = sdb_mem_alloc(n + 2);
    if (dir == NULL)
        return sdb_fail_nomem(err, n + 2);
    memcpy(dir, w->path, n);
    memcpy(dir + n, n > 0 ? "" : slash != NULL ? "/" : ".", n > 0 ? 1 : 2);
    int rc = sdb_fs_sync_dir(w->fs, dir, err);
    sdb_mem_free(dir);
    return rc;
}

int seerdb_sst_writer_finish(seerdb_sst_writer *writer, seerdb_err *err)
{
    seerdb_sst_writer *w = writer;
    struct sdb_table_summary summary;
    if (w->failed.code != 0)
        return stick(w, err);
    int rc = w->finished ? sdb_fail(&w->failed, SEERDB_MISUSE,
                                    "%s: the file is finished already", w->path)
                         : sdb_table_writer_finish(w->writer, &summary, &w->failed);
    if (rc == 0)
        rc = sync_parent(w, &w->failed);
    if (rc != 0)
        return stick(w, err);
    w->finished = true;
    sdb_table_writer_free(w->writer);
    sdb_file_close(w->file);
    w->writer = NULL;
    w->file = NULL;
    return 0;
}

void seerdb_sst_writer_free(seerdb_sst_writer *writer)
{
    seerdb_sst_writer *w = writer;
    if (w == NULL)
        return;
    bool made = w->file != NULL;
    sdb_table_writer_free(w->writer);
    sdb_file_close(w->file);
    if (made) /* not finished */
        (void)sdb_fs_remove(w->fs, w->path, NULL);
    sdb_mem_free(w->path);
    sdb_buf_fini(&w->last);
    sdb_buf_fini(&w->lower);
    sdb_buf_fini(&w->upper);
    sdb_mem_free(w);
}

/* ---- taking files over ------------------------------------------------------------
 */

/* A file on its way. */
struct import {
    seerdb *db;
    const char *from;
    char *to;        /* owned; NULL: there is no copy that nobody owns */
    uint64_t number; /* of the copy */
    uint64_t size;
    seerdb_uuid id;
};

static int copy_bytes(const struct import *m, struct sdb_file *from,
                      struct sdb_file *to, seerdb_err *err)
{
    uint8_t *chunk = sdb_mem_alloc(CHUNK);
    int rc = chunk == NULL ? sdb_fail_nomem(err, CHUNK) : 0;
    for (uint64_t at = 0; at < m->size && rc == 0;) {
        size_t n = m->size - at < CHUNK ? (size_t)(m->size - at) : CHUNK;
        rc = sdb_file_read_at(from, at, chunk, n, err);
        if (rc == 0)
            rc = sdb_file_write_at(to, at, (seerdb_slice){chunk, n}, err);
        sdb_file_write_back(to, at, n);
        at += n;
        if (rc == 0)
            rc = sdb_interrupted(err);
    }
    sdb_mem_free(chunk);
    return rc == 0 ? sdb_file_sync(to, err) : rc;
}

/* Copy it to a file of the store. */
static int copy_file(struct import *m, seerdb_err *err)
{
    struct sdb_file *from = NULL, *to = NULL;
    uint8_t footer[SDB_TABLE_FOOTER];
    int rc = sdb_fs_stat(m->db->fs, m->from, NULL, NULL, err);
    if (rc == SEERDB_NOTFOUND)
        rc = sdb_fail(err, SEERDB_CANTOPEN, "%s is not there", m->from);
    if (rc == 0)
        rc = sdb_fs_open(m->db->fs, m->from, SDB_READ, SDB_FOR_OTHER, &from, err);
    if (rc == 0)
        rc = sdb_file_size(from, &m->size, err);
    if (rc == 0 && m->size < SDB_TABLE_HEADER + SDB_TABLE_FOOTER)
        rc = sdb_fail(err, SEERDB_CORRUPT, "%s: %" PRIu64 " bytes are no table",
                      m->from, m->size);
    if (rc == 0)
        rc =
            sdb_file_read_at(from, m->size - sizeof footer, footer, sizeof footer, err);
    if (rc != 0 || (rc = sdb_spill_number(m->db, &m->number, err)) != 0)
        goto out;
    memcpy(m->id.bytes, footer + FOOTER_UUID, sizeof m->id.bytes);
    char *path = sdb_table_path(m->db, m->number);
    rc = path == NULL
             ? sdb_fail_nomem(err, 0)
             : sdb_fs_open(m->db->fs, path, SDB_CREATE, SDB_FOR_FLUSH, &to, err);
    if (rc == 0)
        m->to = path;
    else
        sdb_mem_free(path);
    if (rc == 0)
        rc = copy_bytes(m, from, to, err);
out:
    sdb_file_close(from);
    sdb_file_close(to);
    return rc;
}

static int describe(const struct import *m, const struct sdb_table *table,
                    struct sdb_table_desc *desc, seerdb_err *err)
{
    const struct sdb_table_properties *p = sdb_table_properties(table);
    if (p->min_number != 0 || p->max_number != 0)
        return sdb_fail(
            err, SEERDB_MISUSE,
            "%s: its records have commit numbers: it is a store's own table", m->from);
    *desc = (struct sdb_table_desc){.file = m->number,
                                    .level = 1,
                                    .run = 1,
                                    .commit = SDB_NUMBER_BATCH + ORDINAL_LAST};
    const struct sdb_table_summary summary = {.id = m->id,
                                              .file_size = m->size,
                                              .records = p->records,
                                              .tombstones = p->tombstones,
                                              .blocks = p->blocks,
                                              .key_bytes = p->key_bytes,
                                              .value_bytes = p->value_bytes,
                                              .ranges = p->ranges,
                                              .max_number = ORDINAL_LAST,
                                              .smallest = p->smallest,
                                              .largest = p->largest,
                                              .open_end = p->open_end};
    return sdb_table_desc_fill(desc, &summary, err);
}

/* The copy as a private table, which the file goes with. */
static int import_file(struct import *m, struct sdb_member **out, seerdb_err *err)
{
    struct sdb_file *file = NULL;
    struct sdb_table *table = NULL;
    struct sdb_table_desc desc = {0};
    int rc = copy_file(m, err);
    if (rc == 0)
        rc = sdb_fs_open(m->db->fs, m->to, SDB_READ, SDB_FOR_READ, &file, err);
    if (rc == 0)
        rc = sdb_table_open(file, &m->id, m->size, &table, err);
    if (rc == 0)
        rc = sdb_table_verify(table, err);
    if (rc == 0)
        rc = describe(m, table, &desc, err);
    if (rc == 0) {
        sdb_table_use_cache(table, m->db->cache, m->db->pages);
        rc = sdb_member_new(&desc, sdb_table_ref(table), sdb_bury, m->db, out, err);
    }
    sdb_table_unref(table);
    sdb_table_desc_fini(&desc);
    if (rc != 0 && m->to != NULL)
        (void)sdb_fs_remove(m->db->fs, m->to, NULL);
    sdb_mem_free(m->to);
    return rc;
}

static int by_key(const void *a, const void *b)
{
    const struct sdb_member *const *x = a, *const *y = b;
    return sdb_slice_cmp(sdb_buf_slice(&(*x)->desc.smallest),
                         sdb_buf_slice(&(*y)->desc.smallest));
}

/* They are one run if no two of them overlap. */
static int make_run(struct sdb_member **members, size_t n, struct sdb_version **out,
                    seerdb_err *err)
{
    qsort(members, n, sizeof(struct sdb_member *), by_key);
    for (size_t i = 0; i + 1 < n; i++)
        if (!sdb_table_desc_before(&members[i]->desc,
                                   sdb_buf_slice(&members[i + 1]->desc.smallest)))
            return sdb_fail(err, SEERDB_MISUSE,
                            "two of the files have keys that lie among each other");
    return sdb_version_new(
        NULL, &(struct sdb_version_change){.added = members, .nadded = n}, out, err);
}

static int commit_run(seerdb_tree *tree, struct sdb_version *run, enum seerdb_sync sync,
                      seerdb_err *err)
{
    seerdb_batch *b = NULL;
    int rc = seerdb_batch_new(tree->db, &b, err);
    if (rc == 0)
        rc = sdb_batch_take_runs(b, tree, run, ORDINAL_LAST, err);
    if (rc == 0)
        rc = seerdb_write(b, sync, err);
    seerdb_batch_free(b);
    return rc;
}

int seerdb_ingest(seerdb_tree *tree, const char *const *paths, size_t n,
                  enum seerdb_sync sync, seerdb_err *err)
{
    seerdb *db = tree->db;
    struct sdb_version *run = NULL;
    size_t taken = 0;
    int rc = sdb_check_process(db, err);
    if (rc != 0 || (rc = sdb_check_writable(db, err)) != 0)
        return rc;
    if (tree->marked)
        return sdb_fail(err, SEERDB_MISUSE,
                        "%s: the table %s belongs to the transactions of its owner",
                        db->dir, (const char *)tree->desc.name.data);
    struct sdb_member **members = sdb_array_new(n + 1, sizeof(struct sdb_member *));
    if (members == NULL)
        return sdb_fail_nomem(err, (n + 1) * sizeof(struct sdb_member *));
    while (taken < n && rc == 0) {
        struct import m = {.db = db, .from = paths[taken]};
        rc = import_file(&m, &members[taken], err);
        taken += rc == 0 ? 1 : 0;
    }
    if (rc == 0 && n > 0 && (rc = make_run(members, n, &run, err)) == 0)
        rc = commit_run(tree, run, sync, err);
    sdb_version_unref(run);
    while (taken > 0)
        sdb_member_unref(members[--taken]);
    sdb_mem_free(members);
    sdb_empty_graveyard(db);
    return rc;
}
