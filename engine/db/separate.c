/* SPDX-License-Identifier: Apache-2.0 */
#include "db/separate.h"

#include "db/payload.h"

#define LOOKS 32u /* at files of other trees */

static int write_out(void *ctx, seerdb_err *err)
{
    return sdb_separate_write_out(ctx, err);
}

/* Is it a file of the tree? */
static bool is_of(seerdb_tree *t, uint64_t number)
{
    struct sdb_vlog *v = NULL;
    bool mine = sdb_values_open(t->db->values, number, &v, NULL) == 0 &&
                sdb_vlog_tree(v) == t->desc.id;
    sdb_vlog_unref(v);
    return mine;
}

/* Go on with the file, if it is the tree's.  NOTFOUND: it is not, or not any more.
 * Another tree's is not claimed for a moment even: its writer may be looking for it,
 * and its readers would have us write out what is theirs. */
static int go_on_with(seerdb_tree *t, uint64_t number, seerdb_err *err)
    REQUIRES(LK_VALUES)
{
    seerdb *db = t->db;
    struct sdb_values *vs = db->values;
    struct sdb_vlog *was = NULL, *v = NULL;
    seerdb_pin *pin = NULL;
    struct sdb_value_use use = {0};
    int rc = is_of(t, number) ? sdb_values_claim(vs, number, write_out, t, &pin, err)
                              : SEERDB_NOTFOUND;
    if (rc != 0)
        return rc;
    (void)sdb_values_look(vs, number, &use);
    struct sdb_vlog_options o = {.fs = db->fs,
                                 .dir = db->dir,
                                 .suffix = ".vlg",
                                 .store = db->id,
                                 .number = number,
                                 .tree = t->desc.id};
    /* Open for readers, before it changes. */
    if ((rc = sdb_values_open(vs, number, &was, err)) == 0)
        rc = sdb_vlog_resume(&o, &v, err);
    sdb_vlog_unref(was);
    if (rc == 0) {
        t->writing = sdb_vlog_ref(v);
        t->writing_file = number;
        t->writing_pin = pin;
        sdb_values_went_on(vs, number, v);
        return 0;
    }
    sdb_values_written(vs, number, use.size);
    seerdb_pin_unref(pin);
    return rc;
}

/* Sessions that write little shall not leave a file each: the first value of one goes
 * to the file that was last written before.  NOTFOUND: to a new one, also where that
 * cannot be opened to write. */
static int go_on(seerdb_tree *t) REQUIRES(LK_VALUES)
{
    seerdb *db = t->db;
    uint64_t number = db->first_file;
    int rc = SEERDB_NOTFOUND;
    if (t->went_on)
        return rc;
    t->went_on = true;
    for (unsigned i = 0; i < LOOKS && rc != 0; i++) {
        if (!sdb_values_find_small(db->values, number, db->value_file_size / 2,
                                   &number))
            break;
        rc = go_on_with(t, number, NULL);
    }
    return rc == 0 ? 0 : SEERDB_NOTFOUND;
}

/* Begin a file. */
static int begin(seerdb_tree *t, seerdb_err *err) REQUIRES(LK_VALUES)
{
    seerdb *db = t->db;
    struct sdb_vlog *v = NULL;
    if (go_on(t) == 0)
        return 0;
    sdb_lock_write(&db->write_lock);
    int rc = sdb_reserve(db, err);
    sdb_unlock_write(&db->write_lock);
    if (rc != 0)
        return rc;
    struct sdb_vlog_options o = {
        .fs = db->fs,
        .dir = db->dir,
        .suffix = ".vlg",
        .store = db->id,
        .number = atomic_fetch_add_explicit(&db->next_file, 1, memory_order_relaxed),
        .tree = t->desc.id};
    if ((rc = sdb_vlog_create(&o, &v, err)) != 0)
        return rc;
    struct sdb_vlog *mine = sdb_vlog_ref(v);
    rc = sdb_values_add(db->values, o.number, v, write_out, t, &t->writing_pin, err);
    if (rc == 0) {
        t->writing = mine;
        t->writing_file = o.number;
        return 0;
    }
    sdb_vlog_unref(mine);
    char *path = sdb_vlog_path(db->dir, o.number, ".vlg");
    if (path != NULL)
        (void)sdb_fs_remove(db->fs, path, NULL);
    sdb_mem_free(path);
    return rc;
}

/* Let go of the file.  One that is not sealed is searched by whoever opens it. */
static void end(seerdb_tree *t, bool seal) REQUIRES(LK_VALUES)
{
    if (t->writing == NULL)
        return;
    if (!seal || sdb_vlog_seal(t->writing, NULL) != 0)
        (void)!sdb_vlog_write_out(t->writing, NULL); /* commits have seen to theirs */
    sdb_values_written(t->db->values, t->writing_file, sdb_vlog_bytes(t->writing));
    sdb_vlog_unref(t->writing);
    seerdb_pin_unref(t->writing_pin);
    t->writing = NULL;
    t->writing_pin = NULL;
    t->writing_file = 0;
}

/* Append to the file that there is, or to a new one.  A file that fails is given up:
 * the failure is the caller's, and the next value finds another. */
static int append(seerdb_tree *t, seerdb_slice value, struct sdb_segment *out,
                  seerdb_pin **pin, seerdb_err *err) REQUIRES(LK_VALUES)
{
    uint32_t packed = atomic_load_explicit(&t->tuned.compression, memory_order_relaxed);
    int rc = t->writing == NULL ? begin(t, err) : 0;
    if (rc != 0)
        return rc;
    out->offset = 0;
    out->file = t->writing_file;
    rc = sdb_vlog_append(t->writing, value, (int)packed, out, err);
    if (rc == 0)
        *pin = seerdb_pin_ref(t->writing_pin);
    if (rc != 0 && rc != SEERDB_NOMEM)
        end(t, false);
    else if (rc == 0 && sdb_vlog_size(t->writing) >= t->db->value_file_size)
        end(t, true);
    return rc;
}

int sdb_separate_put(seerdb_tree *t, seerdb_slice value, struct sdb_segment *out,
                     seerdb_pin **pin, seerdb_err *err)
{
    sdb_lock_values(&t->values_lock);
    int rc = append(t, value, out, pin, err);
    sdb_unlock_values(&t->values_lock);
    return rc;
}

int sdb_separate_write_out(seerdb_tree *t, seerdb_err *err)
{
    sdb_lock_values(&t->values_lock);
    int rc = t->writing != NULL ? sdb_vlog_write_out(t->writing, err) : 0;
    sdb_unlock_values(&t->values_lock);
    return rc;
}

void sdb_separate_end(seerdb_tree *t, bool seal)
{
    sdb_lock_values(&t->values_lock);
    end(t, seal);
    sdb_unlock_values(&t->values_lock);
}

int sdb_separate_keep(seerdb_tree *t, seerdb_slice payload, struct sdb_memtable *m,
                      seerdb_err *err)
{
    struct sdb_payload_reader p;
    uint64_t id, prev, file;
    int rc = sdb_payload_open(&p, payload, t->db->dir, err);
    while (rc == 0 && (rc = sdb_payload_next_part(&p, &id, &prev, err)) == 0) {
        while (rc == 0 && id == t->desc.id && sdb_payload_next_vlog(&p, &file))
            rc = sdb_values_keep(t->db->values, m, file, err);
        if (rc == 0 && id == t->desc.id)
            return 0;
        if (rc == 0)
            rc = sdb_payload_skip_part(&p, err);
    }
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

/* ---- parts ------------------------------------------------------------------------
 */

struct laying {
    seerdb_tree *tree;
    struct sdb_laid *out;
    struct sdb_buf list, inlined; /* owned: segments, and what lies between */
    uint64_t count, offset;
};

/* A segment that a read has shown. */
static int keep(const struct laying *l, const seerdb_segment *from,
                struct sdb_segment *to, seerdb_err *err)
{
    if (!sdb_tree_separates(l->tree))
        return sdb_fail(err, SEERDB_MISUSE, "the tree %s has no value log",
                        (const char *)l->tree->desc.name.data);
    if (from->size == 0 || from->file == 0 || from->slot > UINT32_MAX)
        return sdb_fail(err, SEERDB_MISUSE, "a segment that no read has shown");
    *to = (struct sdb_segment){.size = from->size,
                               .file = from->file,
                               .slot = from->slot,
                               .stored = from->stored,
                               .check = from->check};
    return 0;
}

static int lay_part(struct laying *l, const seerdb_part *p, seerdb_err *err)
{
    struct sdb_segment s = {0};
    bool kept = p->how == SEERDB_PART_KEPT;
    uint64_t size = kept ? p->segment.size : p->bytes.size;
    int rc = 0;
    if (size > SEERDB_VALUE_MAX - l->offset)
        return sdb_fail(err, SEERDB_TOOBIG, "a value of more than %zu bytes",
                        SEERDB_VALUE_MAX);
    if (kept) {
        rc = keep(l, &p->segment, &s, err);
    } else if (p->how == SEERDB_PART_APART && sdb_separate_due(l->tree, (size_t)size)) {
        rc = sdb_separate_put(l->tree, p->bytes, &s, &l->out->pins[l->out->npins], err);
        l->out->npins += rc == 0 ? 1 : 0;
        l->out->written += rc == 0 ? sdb_segment_entry(&s) : 0;
    } else {
        sdb_buf_append_slice(&l->inlined, p->bytes);
    }
    if (rc == 0 && s.size > 0) {
        s.offset = l->offset;
        sdb_segments_add(&l->list, &s);
        l->count++;
    }
    l->offset += size;
    return rc;
}

int sdb_separate_parts(seerdb_tree *t, const seerdb_part *parts, size_t n,
                       struct sdb_laid *out, seerdb_err *err)
{
    struct laying l = {.tree = t, .out = out};
    struct sdb_buf *b = out->bytes;
    int rc = 0;
    if ((out->pins = sdb_array_new(n, sizeof(seerdb_pin *))) == NULL)
        return sdb_fail_nomem(err, n * sizeof(seerdb_pin *));
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = lay_part(&l, &parts[i], err);
    sdb_buf_clear(b);
    out->kind = l.count > 0 ? SDB_KIND_SEGMENTS : SDB_KIND_VALUE;
    if (l.count > 0) {
        sdb_segments_begin(b, l.count);
        sdb_buf_append_slice(b, sdb_buf_slice(&l.list));
    }
    sdb_buf_append_slice(b, sdb_buf_slice(&l.inlined));
    b->failed = b->failed || l.list.failed || l.inlined.failed;
    sdb_buf_fini(&l.list);
    sdb_buf_fini(&l.inlined);
    return rc != 0 ? rc : sdb_buf_check(b, err);
}

void sdb_laid_fini(struct sdb_laid *l)
{
    while (l->npins > 0)
        seerdb_pin_unref(l->pins[--l->npins]);
    sdb_mem_free(l->pins);
    l->pins = NULL;
}
