/* SPDX-License-Identifier: Apache-2.0 */
#include "db/values.h"

#include "os/failpoint.h"

#include <assert.h>

#define OPEN_MOST 128u
#define LONG_RUN  4u   /* values that follow one another */
#define GAP_MOST  512u /* bytes between two that do */

struct sdb_value_file {
    struct sdb_value_file *next; /* in its bucket, or among the dead */
    uint64_t number;
    uint32_t tables, others; /* holds */
    uint64_t taken, size;
    bool rewritten;        /* by gc since the store was opened, or soon */
    struct sdb_vlog *vlog; /* counted; NULL: it is not open */
    int (*write_out)(void *ctx, seerdb_err *err); /* NULL: nobody writes it */
    void *ctx;
};

struct hold {
    seerdb_pin pin; /* first member */
    struct sdb_values *vs;
    struct sdb_value_file *file;
    enum sdb_value_holder who;
};

struct sdb_values *sdb_values_new(struct sdb_fs *fs, const char *dir) NO_TSA
{
    struct sdb_values *vs = sdb_mem_zalloc(sizeof *vs);
    if (vs == NULL)
        return NULL;
    atomic_init(&vs->count, 1);
    vs->fs = fs;
    vs->dir = dir;
    sdb_mutex_init(&vs->lock);
    return vs;
}

static void values_unref(struct sdb_values *vs)
{
    /* acq_rel: whoever frees sees what every other holder did. */
    if (atomic_fetch_sub_explicit(&vs->count, 1, memory_order_acq_rel) != 1)
        return;
    sdb_mutex_fini(&vs->lock);
    sdb_mem_free(vs);
}

void sdb_values_close(struct sdb_values *vs)
{
    if (vs == NULL)
        return;
    sdb_values_bury(vs, sdb_values_dead(vs), false);
    sdb_lock_vlog(&vs->lock);
    vs->closed = true;
    for (size_t i = 0; i < SDB_VALUES_BUCKETS; i++)
        for (struct sdb_value_file *f = vs->buckets[i]; f != NULL; f = f->next) {
            struct sdb_vlog *v = f->vlog;
            f->vlog = NULL;
            sdb_unlock_vlog(&vs->lock);
            sdb_vlog_unref(v);
            sdb_lock_vlog(&vs->lock);
        }
    sdb_unlock_vlog(&vs->lock);
    values_unref(vs);
}

static struct sdb_value_file **find(struct sdb_values *vs, uint64_t number)
    REQUIRES(LK_VLOG)
{
    struct sdb_value_file **at = &vs->buckets[number % SDB_VALUES_BUCKETS];
    while (*at != NULL && (*at)->number != number)
        at = &(*at)->next;
    return at;
}

/* ---- holding ----------------------------------------------------------------------
 */

static void hold_free(seerdb_pin *pin)
{
    struct hold *h = (struct hold *)pin;
    struct sdb_values *vs = h->vs;
    struct sdb_value_file *f = h->file;
    sdb_lock_vlog(&vs->lock);
    uint32_t *n = h->who == SDB_HOLD_TABLE ? &f->tables : &f->others;
    assert(*n > 0);
    --*n;
    if (f->tables + f->others == 0) {
        struct sdb_value_file **at = find(vs, f->number);
        assert(*at == f);
        *at = f->next;
        if (!vs->closed) {
            f->next = vs->dead;
            vs->dead = f;
            atomic_store_explicit(&vs->any_dead, true, memory_order_relaxed);
            f = NULL;
        }
    } else {
        f = NULL;
    }
    sdb_unlock_vlog(&vs->lock);
    sdb_mem_free(f); /* of a store that was closed: it is not open */
    sdb_mem_free(h);
    values_unref(vs);
}

static void take(struct sdb_value_file *f, enum sdb_value_holder who)
{
    if (who == SDB_HOLD_TABLE) {
        f->tables++;
    } else {
        f->others++;
        f->taken++;
    }
}

/* The file is not known yet: is it there?  NOTFOUND: it is not. */
static int look_for(struct sdb_values *vs, uint64_t number, uint64_t *size,
                    seerdb_err *err)
{
    char *path = sdb_vlog_path(vs->dir, number, ".vlg");
    if (path == NULL)
        return sdb_fail_nomem(err, 0);
    int rc = sdb_fs_stat(vs->fs, path, NULL, size, err);
    if (rc == SEERDB_NOTFOUND)
        rc = sdb_fail(err, SEERDB_CORRUPT, "%s is missing, but records name it", path);
    sdb_mem_free(path);
    return rc;
}

int sdb_values_hold(struct sdb_values *vs, uint64_t number, enum sdb_value_holder who,
                    seerdb_pin **out, seerdb_err *err)
{
    struct hold *h = sdb_mem_zalloc(sizeof *h);
    struct sdb_value_file *fresh = NULL;
    int rc = h == NULL ? sdb_fail_nomem(err, sizeof *h) : 0;
    if (rc == 0 && !sdb_values_is_held(vs, number)) {
        fresh = sdb_mem_zalloc(sizeof *fresh);
        rc = fresh == NULL ? sdb_fail_nomem(err, sizeof *fresh)
                           : look_for(vs, number, &fresh->size, err);
    }
    if (rc != 0) {
        sdb_mem_free(fresh);
        sdb_mem_free(h);
        return rc;
    }
    sdb_pin_init(&h->pin, hold_free);
    h->vs = vs;
    h->who = who;
    sdb_lock_vlog(&vs->lock);
    struct sdb_value_file **at = find(vs, number);
    if (*at == NULL && fresh != NULL) {
        fresh->number = number;
        atomic_fetch_add_explicit(&vs->bytes, fresh->size, memory_order_relaxed);
        *at = fresh;
        fresh = NULL;
    }
    h->file = *at;
    if (h->file != NULL) {
        take(h->file, who);
        atomic_fetch_add_explicit(&vs->count, 1, memory_order_relaxed);
    }
    sdb_unlock_vlog(&vs->lock);
    sdb_mem_free(fresh);
    if (h->file == NULL) { /* whoever held it let go of it meanwhile */
        sdb_mem_free(h);
        return sdb_fail(err, SEERDB_MISUSE,
                        "%s: nobody holds file %" PRIu64 " of the value log", vs->dir,
                        number);
    }
    *out = &h->pin;
    return 0;
}

int sdb_values_keep(struct sdb_values *vs, struct sdb_memtable *m, uint64_t number,
                    seerdb_err *err)
{
    seerdb_pin *pin = NULL;
    if (sdb_memtable_keeps(m, number))
        return 0;
    int rc = sdb_values_hold(vs, number, SDB_HOLD_OTHER, &pin, err);
    if (rc == 0 && (rc = sdb_memtable_keep(m, number, pin, err)) != 0)
        seerdb_pin_unref(pin);
    return rc;
}

int sdb_values_keep_all(struct sdb_values *vs, struct sdb_memtable *m,
                        seerdb_slice value, seerdb_err *err)
{
    struct sdb_segments all;
    struct sdb_segment s;
    int rc = sdb_segments_open(&all, value, err);
    while (rc == 0 && sdb_segments_next(&all, &s))
        rc = sdb_values_keep(vs, m, s.file, err);
    return rc;
}

int sdb_values_keep_for(struct sdb_values *vs, struct sdb_member *member,
                        seerdb_err *err)
{
    size_t n = member->desc.nvlogs, held = 0;
    int rc = 0;
    if (n == 0)
        return 0;
    seerdb_pin **pins = sdb_array_new(n, sizeof(seerdb_pin *));
    if (pins == NULL)
        return sdb_fail_nomem(err, n * sizeof(seerdb_pin *));
    while (held < n && rc == 0) {
        rc = sdb_values_hold(vs, member->desc.vlogs[held].file, SDB_HOLD_TABLE,
                             &pins[held], err);
        held += rc == 0 ? 1 : 0;
    }
    sdb_member_keep(member, pins, held); /* also what was held before a failure */
    return rc;
}

int sdb_values_add(struct sdb_values *vs, uint64_t number, struct sdb_vlog *v,
                   int (*write_out)(void *ctx, seerdb_err *err), void *ctx,
                   seerdb_pin **out, seerdb_err *err)
{
    struct hold *h = sdb_mem_zalloc(sizeof *h);
    struct sdb_value_file *f = sdb_mem_zalloc(sizeof *f);
    if (h == NULL || f == NULL) {
        sdb_mem_free(h);
        sdb_mem_free(f);
        sdb_vlog_unref(v);
        return sdb_fail_nomem(err, sizeof *f);
    }
    *f = (struct sdb_value_file){
        .number = number, .vlog = v, .write_out = write_out, .ctx = ctx};
    take(f, SDB_HOLD_OTHER);
    sdb_pin_init(&h->pin, hold_free);
    h->vs = vs;
    h->file = f;
    h->who = SDB_HOLD_OTHER;
    atomic_store_explicit(&vs->used, true, memory_order_relaxed);
    sdb_lock_vlog(&vs->lock);
    struct sdb_value_file **at = find(vs, number);
    assert(*at == NULL); /* numbers are used once */
    *at = f;
    atomic_fetch_add_explicit(&vs->count, 1, memory_order_relaxed);
    vs->nopen++;
    sdb_unlock_vlog(&vs->lock);
    *out = &h->pin;
    return 0;
}

/* Slots that gc has dropped may be named by frames of the log that do not count; who
 * gave them out again, or took the seal away that says that gc was there, would make
 * such a frame look torn.  Nobody looks at the values of those that the log knows
 * synced: a session that finds others (gaps) begins files of its own, and its first
 * frame says that they are. */
static bool may_go_on(const struct sdb_value_file *f)
{
    return f != NULL && f->write_out == NULL && !f->rewritten;
}

bool sdb_values_find_small(struct sdb_values *vs, uint64_t below, uint64_t size,
                           uint64_t *number)
{
    const struct sdb_value_file *best = NULL;
    if (atomic_load_explicit(&vs->stay, memory_order_relaxed) ||
        atomic_load_explicit(&vs->gaps, memory_order_relaxed))
        return false; /* what the log names may be more than what counts */
    sdb_lock_vlog(&vs->lock);
    for (size_t i = 0; i < SDB_VALUES_BUCKETS; i++)
        for (const struct sdb_value_file *f = vs->buckets[i]; f != NULL; f = f->next)
            if (f->number < below && f->size < size && may_go_on(f) &&
                (best == NULL || f->number > best->number))
                best = f;
    if (best != NULL)
        *number = best->number;
    sdb_unlock_vlog(&vs->lock);
    return best != NULL;
}

int sdb_values_claim(struct sdb_values *vs, uint64_t number,
                     int (*write_out)(void *ctx, seerdb_err *err), void *ctx,
                     seerdb_pin **out, seerdb_err *err)
{
    struct hold *h = sdb_mem_zalloc(sizeof *h);
    if (h == NULL)
        return sdb_fail_nomem(err, sizeof *h);
    sdb_pin_init(&h->pin, hold_free);
    h->vs = vs;
    h->who = SDB_HOLD_OTHER;
    atomic_store_explicit(&vs->used, true, memory_order_relaxed);
    sdb_lock_vlog(&vs->lock);
    struct sdb_value_file *f = *find(vs, number);
    bool claimed = may_go_on(f);
    if (claimed) {
        take(f, SDB_HOLD_OTHER);
        f->write_out = write_out;
        f->ctx = ctx;
        h->file = f;
        atomic_fetch_add_explicit(&vs->count, 1, memory_order_relaxed);
    }
    sdb_unlock_vlog(&vs->lock);
    if (claimed)
        *out = &h->pin;
    else
        sdb_mem_free(h);
    return claimed ? 0 : SEERDB_NOTFOUND;
}

void sdb_values_went_on(struct sdb_values *vs, uint64_t number, struct sdb_vlog *v)
{
    sdb_lock_vlog(&vs->lock);
    struct sdb_value_file *f = *find(vs, number);
    assert(f != NULL && f->write_out != NULL); /* the caller holds it */
    struct sdb_vlog *old = f->vlog;
    f->vlog = v;
    vs->nopen += old == NULL ? 1 : 0;
    sdb_unlock_vlog(&vs->lock);
    sdb_vlog_unref(old);
}

void sdb_values_written(struct sdb_values *vs, uint64_t number, uint64_t size)
{
    sdb_lock_vlog(&vs->lock);
    struct sdb_value_file *f = *find(vs, number);
    if (f != NULL) {
        f->write_out = NULL;
        /* The difference wraps round; the sum does not. */
        atomic_fetch_add_explicit(&vs->bytes, size - f->size, memory_order_relaxed);
        f->size = size;
    }
    sdb_unlock_vlog(&vs->lock);
}

bool sdb_values_look(struct sdb_values *vs, uint64_t number, struct sdb_value_use *out)
{
    sdb_lock_vlog(&vs->lock);
    const struct sdb_value_file *f = *find(vs, number);
    if (f != NULL)
        *out = (struct sdb_value_use){.tables = f->tables,
                                      .others = f->others,
                                      .taken = f->taken,
                                      .size = f->size,
                                      .writing = f->write_out != NULL};
    sdb_unlock_vlog(&vs->lock);
    return f != NULL;
}

bool sdb_values_is_held(struct sdb_values *vs, uint64_t number)
{
    struct sdb_value_use use;
    return sdb_values_look(vs, number, &use);
}

struct sdb_value_file *sdb_values_dead(struct sdb_values *vs)
{
    sdb_lock_vlog(&vs->lock);
    struct sdb_value_file *dead = vs->dead;
    vs->dead = NULL;
    atomic_store_explicit(&vs->any_dead, false, memory_order_relaxed);
    sdb_unlock_vlog(&vs->lock);
    return dead;
}

void sdb_values_bury(struct sdb_values *vs, struct sdb_value_file *dead, bool remove)
{
    struct sdb_value_file *f = dead;
    remove = remove && !atomic_load_explicit(&vs->stay, memory_order_relaxed);
    while (f != NULL) {
        struct sdb_value_file *next = f->next;
        /* Recovery holds, and lets go, and holds again. */
        bool gone = remove && !sdb_values_is_held(vs, f->number);
        char *path = gone ? sdb_vlog_path(vs->dir, f->number, ".vlg") : NULL;
        if (path != NULL &&
            SDB_FAIL_AT(vlog_remove, NULL) ==
                0) /* a failure leaves an orphan, which the next open removes */
            (void)sdb_fs_remove(vs->fs, path, NULL);
        sdb_mem_free(path);
        if (f->vlog != NULL) {
            sdb_lock_vlog(&vs->lock);
            vs->nopen--;
            sdb_unlock_vlog(&vs->lock);
        }
        atomic_fetch_sub_explicit(&vs->bytes, f->size, memory_order_relaxed);
        sdb_vlog_unref(f->vlog);
        sdb_mem_free(f);
        f = next;
    }
}

/* ---- reading ----------------------------------------------------------------------
 */

/* One that may be closed: nobody is reading it, and all of it is synced. */
static struct sdb_vlog *close_one(struct sdb_values *vs, uint64_t but) REQUIRES(LK_VLOG)
{
    for (size_t i = 0; i < SDB_VALUES_BUCKETS; i++)
        for (struct sdb_value_file *f = vs->buckets[i]; f != NULL; f = f->next)
            if (f->vlog != NULL && f->number != but && f->write_out == NULL &&
                !sdb_vlog_is_shared(f->vlog) && !sdb_vlog_is_dirty(f->vlog) &&
                sdb_vlog_check_written(f->vlog, NULL) == 0) {
                struct sdb_vlog *v = f->vlog;
                f->vlog = NULL;
                vs->nopen--;
                return v;
            }
    return NULL;
}

/* The file as it is open; *out NULL: it is not.  False: nobody holds it. */
static bool get_open(struct sdb_values *vs, uint64_t number, struct sdb_vlog **out)
{
    sdb_lock_vlog(&vs->lock);
    struct sdb_value_file *f = *find(vs, number);
    *out = f != NULL && f->vlog != NULL ? sdb_vlog_ref(f->vlog) : NULL;
    sdb_unlock_vlog(&vs->lock);
    return f != NULL;
}

int sdb_values_open(struct sdb_values *vs, uint64_t number, struct sdb_vlog **out,
                    seerdb_err *err)
{
    struct sdb_vlog *v = NULL, *surplus = NULL;
    if (!get_open(vs, number, out))
        return sdb_fail(err, SEERDB_CORRUPT,
                        "%s: a value is said to be in %06" PRIu64
                        ".vlg, which nothing else names",
                        vs->dir, number);
    if (*out != NULL)
        return 0;
    struct sdb_vlog_options o = {.fs = vs->fs,
                                 .dir = vs->dir,
                                 .suffix = ".vlg",
                                 .store = vs->store,
                                 .number = number};
    int rc = sdb_vlog_open(&o, &v, err);
    /* Whoever goes on with it has it open before he takes the seal off. */
    if (rc != 0 && get_open(vs, number, out) && *out != NULL)
        return 0;
    if (rc != 0)
        return rc;
    if (!sdb_vlog_is_sealed(v))
        atomic_store_explicit(&vs->used, true, memory_order_relaxed);
    sdb_lock_vlog(&vs->lock);
    struct sdb_value_file *f = *find(vs, number);
    if (f != NULL && f->vlog == NULL) {
        f->vlog = sdb_vlog_ref(v);
        if (++vs->nopen > OPEN_MOST)
            surplus = close_one(vs, number);
    } else if (f != NULL) { /* somebody was quicker, and may know of more */
        surplus = v;
        v = sdb_vlog_ref(f->vlog);
    }
    sdb_unlock_vlog(&vs->lock);
    sdb_vlog_unref(surplus);
    *out = v;
    return 0;
}

bool sdb_values_may_replace(struct sdb_values *vs, uint64_t number, uint32_t tables,
                            uint64_t taken)
{
    sdb_lock_vlog(&vs->lock);
    struct sdb_value_file *f = *find(vs, number);
    bool may = f != NULL && f->others == 0 && f->write_out == NULL &&
               f->taken == taken && f->tables == tables;
    if (may)
        f->rewritten = true;
    sdb_unlock_vlog(&vs->lock);
    return may;
}

void sdb_values_replaced(struct sdb_values *vs, uint64_t number, uint64_t size)
{
    struct sdb_vlog *old = NULL;
    sdb_lock_vlog(&vs->lock);
    struct sdb_value_file *f = *find(vs, number);
    if (f != NULL) {
        /* The difference wraps round; the sum does not. */
        atomic_fetch_add_explicit(&vs->bytes, size - f->size, memory_order_relaxed);
        f->size = size;
        old = f->vlog;
        f->vlog = NULL;
        vs->nopen -= old != NULL ? 1 : 0;
    }
    sdb_unlock_vlog(&vs->lock);
    sdb_vlog_unref(old);
}

/* Have the values written out that are wanted but lie in the writer's memory. */
static int have_written(struct sdb_values *vs, uint64_t number, seerdb_err *err)
{
    sdb_lock_vlog(&vs->lock);
    const struct sdb_value_file *f = *find(vs, number);
    int (*write_out)(void *, seerdb_err *) = f != NULL ? f->write_out : NULL;
    void *ctx = f != NULL ? f->ctx : NULL;
    sdb_unlock_vlog(&vs->lock);
    return write_out != NULL ? write_out(ctx, err) : 0;
}

int sdb_values_read(struct sdb_values *vs, const struct sdb_segment *s, void *to,
                    seerdb_err *err)
{
    struct sdb_vlog *v = NULL;
    int rc = sdb_values_open(vs, s->file, &v, err);
    if (rc == 0 && sdb_vlog_is_held_back(v, s->slot))
        rc = have_written(vs, s->file, err);
    if (rc == 0)
        rc = sdb_vlog_read(v, s, to, err);
    sdb_vlog_unref(v);
    return rc;
}

/* Where the segment is; *out, counted, keeps the file open.  NULL: it cannot be said,
 * and whoever reads it is told why. */
static struct sdb_file *place(struct sdb_values *vs, const struct sdb_segment *s,
                              struct sdb_vlog **out, uint64_t *off)
{
    return sdb_values_open(vs, s->file, out, NULL) == 0
               ? sdb_vlog_place(*out, s->slot, off)
               : NULL;
}

bool sdb_values_is_near(struct sdb_values *vs, const struct sdb_segment *s)
{
    struct sdb_vlog *v = NULL;
    uint64_t off = 0;
    struct sdb_file *f = place(vs, s, &v, &off);
    bool near = f == NULL || sdb_file_is_near(f, off);
    sdb_vlog_unref(v);
    return near;
}

void sdb_values_ahead(struct sdb_values *vs, const struct sdb_segment *s,
                      struct sdb_value_place *last)
{
    struct sdb_vlog *v = NULL;
    uint64_t off = 0, size = sdb_segment_stored(s);
    struct sdb_file *f = place(vs, s, &v, &off);
    bool follows =
        last->file == s->file && off >= last->end && off - last->end <= GAP_MOST;
    if (f != NULL) {
        last->run = follows ? last->run + 1 : 0;
        last->file = s->file;
        last->end = off + size;
        if (last->run < LONG_RUN)
            sdb_file_read_ahead(f, off, size);
    }
    sdb_vlog_unref(v);
}

struct whole {
    seerdb_pin pin; /* first member */
    uint8_t bytes[];
};

static void whole_free(seerdb_pin *pin)
{
    sdb_mem_free(pin);
}

int sdb_values_whole(struct sdb_values *vs, seerdb_slice key, seerdb_slice value,
                     seerdb_value *out, seerdb_err *err)
{
    struct sdb_segments all;
    struct sdb_segment s;
    int rc = sdb_segments_open(&all, value, err);
    if (rc != 0)
        return rc;
    size_t size = sizeof(struct whole) + (size_t)all.whole + key.size;
    struct whole *w = sdb_mem_alloc(size);
    if (w == NULL)
        return sdb_fail_nomem(err, size);
    sdb_pin_init(&w->pin, whole_free);
    const uint8_t *from = all.inlined.data;
    size_t at = 0, used = 0;
    while (rc == 0 && sdb_segments_next(&all, &s)) {
        size_t gap = (size_t)s.offset - at;
        if (gap > 0)
            memcpy(w->bytes + at, from + used, gap);
        used += gap;
        rc = sdb_values_read(vs, &s, w->bytes + s.offset, err);
        at = (size_t)(s.offset + s.size);
    }
    if (rc == 0 && used < all.inlined.size)
        memcpy(w->bytes + at, from + used, all.inlined.size - used);
    if (rc != 0) {
        sdb_mem_free(w);
        return rc;
    }
    uint8_t *copy = w->bytes + all.whole;
    if (key.size > 0)
        memcpy(copy, key.data, key.size);
    *out = (seerdb_value){.bytes = {w->bytes, (size_t)all.whole},
                          .pin = &w->pin,
                          .key = {copy, key.size}};
    return 0;
}

int sdb_values_resolve(void *ctx, const struct sdb_record *r, seerdb_value *out,
                       seerdb_err *err)
{
    return sdb_values_whole(ctx, r->key, r->value, out, err);
}

int sdb_values_settle(struct sdb_values *vs, uint64_t number, seerdb_err *err)
{
    struct sdb_vlog *v = NULL;
    int rc = have_written(vs, number, err);
    if (rc == 0 && get_open(vs, number, &v) && v != NULL)
        rc = sdb_vlog_check_written(v, err); /* what is not open was written once */
    sdb_vlog_unref(v);
    return rc;
}

static int survived(struct sdb_values *vs, const struct sdb_segment *s, void *to,
                    seerdb_err *err)
{
    struct sdb_vlog *v = NULL;
    seerdb_pin *pin = NULL;
    seerdb_err why = {0};
    int rc = sdb_values_hold(vs, s->file, SDB_HOLD_OTHER, &pin, &why);
    if (rc == SEERDB_CORRUPT)
        return 0;
    if (rc == 0 && (rc = sdb_values_open(vs, s->file, &v, &why)) == 0) {
        if (sdb_vlog_has(v, s->slot) || !sdb_vlog_is_sealed(v))
            rc = sdb_vlog_read(v, s, to, &why);
        else /* gc has dropped it: the commit does not count */
            atomic_store_explicit(&vs->gaps, true, memory_order_relaxed);
    }
    sdb_vlog_unref(v);
    seerdb_pin_unref(pin);
    if (rc == 0)
        return 0;
    return rc == SEERDB_CORRUPT ? SEERDB_NOTFOUND : sdb_fail_as(err, &why);
}

/* Have each segment of a value read, into memory of its own, until one fails; *bytes
 * rises by what they take in the value log. */
static int read_each(struct sdb_values *vs, seerdb_slice value,
                     int (*read)(struct sdb_values *vs, const struct sdb_segment *s,
                                 void *to, seerdb_err *err),
                     uint64_t *bytes, seerdb_err *err)
{
    struct sdb_segments all;
    struct sdb_segment s;
    int rc = sdb_segments_open(&all, value, err);
    while (rc == 0 && sdb_segments_next(&all, &s)) {
        void *to = sdb_mem_alloc((size_t)s.size);
        rc = to == NULL ? sdb_fail_nomem(err, (size_t)s.size) : read(vs, &s, to, err);
        sdb_mem_free(to);
        *bytes += sdb_segment_stored(&s);
    }
    return rc;
}

int sdb_values_survived(struct sdb_values *vs, seerdb_slice value, seerdb_err *err)
{
    uint64_t bytes = 0;
    return read_each(vs, value, survived, &bytes, err);
}

int sdb_values_check(struct sdb_values *vs, seerdb_slice value, uint64_t *bytes,
                     seerdb_err *err)
{
    return read_each(vs, value, sdb_values_read, bytes, err);
}

/* ---- syncing ----------------------------------------------------------------------
 */

/* One with something to sync and a number above `above`, with a count; NULL: none. */
static struct sdb_vlog *next_dirty(struct sdb_values *vs, uint64_t *above)
{
    struct sdb_value_file *best = NULL;
    sdb_lock_vlog(&vs->lock);
    for (size_t i = 0; i < SDB_VALUES_BUCKETS; i++)
        for (struct sdb_value_file *f = vs->buckets[i]; f != NULL; f = f->next)
            if (f->vlog != NULL && f->number > *above &&
                (best == NULL || f->number < best->number) &&
                sdb_vlog_is_dirty(f->vlog))
                best = f;
    struct sdb_vlog *v = best != NULL ? sdb_vlog_ref(best->vlog) : NULL;
    if (best != NULL)
        *above = best->number;
    sdb_unlock_vlog(&vs->lock);
    return v;
}

int sdb_values_sync(struct sdb_values *vs, seerdb_err *err)
{
    struct sdb_vlog *v;
    uint64_t above = 0;
    int rc = 0;
    if (!atomic_load_explicit(&vs->used, memory_order_relaxed))
        return 0;
    while (rc == 0 && (v = next_dirty(vs, &above)) != NULL) {
        rc = sdb_vlog_sync(v, err);
        sdb_vlog_unref(v);
    }
    return rc;
}

/* A power cut may have left the file without a header, or with less: then nothing of it
 * is there to be synced.  Commits that need its values are known to have lost them, and
 * a commit may name a file that it needs no more. */
int sdb_values_sync_again(struct sdb_values *vs, uint64_t number, seerdb_err *err)
{
    struct sdb_vlog *v = NULL;
    seerdb_err why = {0};
    int rc = 0;
    if (sdb_values_is_held(vs, number) &&
        (rc = sdb_values_open(vs, number, &v, &why)) == 0)
        rc = sdb_vlog_sync_again(v, &why);
    sdb_vlog_unref(v);
    return rc == 0 || rc == SEERDB_CORRUPT ? 0 : sdb_fail_as(err, &why);
}
