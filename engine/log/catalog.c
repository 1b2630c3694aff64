/* SPDX-License-Identifier: Apache-2.0
 *
 * A manifest is read once and its edits are few: arrays in order of arrival and linear
 * searches by tree id are enough.  Only the search for a table that is added twice is
 * spared in the ordinary case, where file numbers rise. */
#include "log/catalog.h"

#include "base/coding.h"

#include <string.h>

/* ---- the catalog ---------------------------------------------------------- */

void sdb_table_desc_fini(struct sdb_table_desc *t)
{
    if (t == NULL)
        return;
    sdb_buf_fini(&t->smallest);
    sdb_buf_fini(&t->largest);
    sdb_mem_free(t->vlogs);
    sdb_mem_free(t->held);
    *t = (struct sdb_table_desc){0};
}

void sdb_tree_desc_fini(struct sdb_tree_desc *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->ntables; i++)
        sdb_table_desc_fini(&t->tables[i]);
    sdb_mem_free(t->tables);
    sdb_snapshots_unref(t->snapshots);
    sdb_buf_fini(&t->name);
    sdb_buf_fini(&t->app);
    sdb_buf_fini(&t->merge);
    *t = (struct sdb_tree_desc){0};
}

void sdb_catalog_fini(struct sdb_catalog *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->ntrees; i++)
        sdb_tree_desc_fini(&c->trees[i]);
    sdb_mem_free(c->trees);
    for (size_t i = 0; i < c->nowners; i++)
        sdb_buf_fini(&c->owners[i].path);
    sdb_mem_free(c->owners);
    *c = (struct sdb_catalog){0};
}

struct sdb_tree_desc *sdb_catalog_tree(struct sdb_catalog *c, uint64_t id)
{
    for (size_t i = 0; i < c->ntrees; i++) {
        if (c->trees[i].id == id)
            return &c->trees[i];
    }
    return NULL;
}

struct sdb_aside_desc sdb_catalog_aside(const struct sdb_catalog *c, uint64_t tree)
{
    for (size_t i = 0; i < c->ntrees; i++)
        if (c->trees[i].id == tree)
            return c->trees[i].aside;
    return (struct sdb_aside_desc){0};
}

const struct sdb_owner_desc *sdb_catalog_owner(const struct sdb_catalog *c,
                                               const seerdb_uuid *owner)
{
    for (size_t i = 0; i < c->nowners; i++)
        if (memcmp(&c->owners[i].owner, owner, sizeof *owner) == 0)
            return &c->owners[i];
    return NULL;
}

int sdb_table_desc_copy(struct sdb_table_desc *to, const struct sdb_table_desc *from,
                        seerdb_err *err)
{
    int rc;
    *to = *from;
    to->smallest = to->largest = (struct sdb_buf){0};
    to->vlogs = NULL;
    to->held = NULL;
    sdb_buf_append_slice(&to->smallest, sdb_buf_slice(&from->smallest));
    sdb_buf_append_slice(&to->largest, sdb_buf_slice(&from->largest));
    if ((rc = sdb_buf_check(&to->smallest, err)) != 0 ||
        (rc = sdb_buf_check(&to->largest, err)) != 0)
        goto out;
    if (from->nvlogs > 0) {
        to->vlogs = sdb_array_new(from->nvlogs, sizeof *to->vlogs);
        if (to->vlogs == NULL) {
            rc = sdb_fail_nomem(err, from->nvlogs * sizeof *to->vlogs);
            goto out;
        }
        memcpy(to->vlogs, from->vlogs, from->nvlogs * sizeof *to->vlogs);
    }
    if (from->nheld > 0) {
        to->held = sdb_array_new(from->nheld, sizeof *to->held);
        if (to->held == NULL) {
            rc = sdb_fail_nomem(err, from->nheld * sizeof *to->held);
            goto out;
        }
        memcpy(to->held, from->held, from->nheld * sizeof *to->held);
    }
out:
    if (rc != 0)
        sdb_table_desc_fini(to);
    return rc;
}

/* ---- applying edits ------------------------------------------------------- */

/* What the functions for single fields share. */
struct apply {
    struct sdb_catalog *c;
    const char *where;
    struct sdb_reader r; /* the field's body */
    seerdb_err *err;
};

/* `what` says what is wrong with the field. */
static int refuse(struct apply *a, uint64_t id, const char *what)
{
    return sdb_fail(a->err, SEERDB_CORRUPT, "%s: edit: %" PRIu64 ": %s", a->where, id,
                    what);
}

static int malformed(struct apply *a, const char *field)
{
    return sdb_fail(a->err, SEERDB_CORRUPT, "%s: edit: malformed field: %s", a->where,
                    field);
}

static int check_features(struct apply *a, uint64_t features, uint64_t known,
                          const char *of)
{
    if ((features & ~known) == 0)
        return 0;
    return sdb_fail(a->err, SEERDB_NEWER,
                    "%s: edit: the %s has feature bits %016" PRIx64
                    ", known here are %016" PRIx64,
                    a->where, of, features, known);
}

static seerdb_uuid get_uuid(struct sdb_reader *r)
{
    seerdb_uuid u = {{0}};
    seerdb_slice s = sdb_get_bytes(r, sizeof u.bytes);
    if (s.size == sizeof u.bytes)
        memcpy(u.bytes, s.data, sizeof u.bytes);
    return u;
}

static uint32_t get_varint32(struct sdb_reader *r)
{
    uint64_t v = sdb_get_varint(r);
    if (v > UINT32_MAX)
        r->failed = true;
    return (uint32_t)v;
}

static bool is_zero(const seerdb_uuid *u)
{
    static const seerdb_uuid zero;
    return memcmp(u, &zero, sizeof zero) == 0;
}

static int apply_store(struct apply *a)
{
    seerdb_uuid id = get_uuid(&a->r);
    uint64_t features = sdb_get_u64(&a->r);
    if (!sdb_reader_done(&a->r))
        return malformed(a, "store");
    if (!is_zero(&a->c->store) && memcmp(&a->c->store, &id, sizeof id) != 0)
        return malformed(a, "store: another UUID than the store had");
    a->c->store = id;
    a->c->features = features;
    return check_features(a, features, SDB_FEATURES_KNOWN, "store");
}

static int apply_ceilings(struct apply *a)
{
    uint64_t number = sdb_get_varint(&a->r), file = sdb_get_varint(&a->r);
    if (!sdb_reader_done(&a->r))
        return malformed(a, "ceilings");
    if (number < a->c->number_ceiling)
        return refuse(a, number, "the ceiling of commit numbers falls");
    if (file < a->c->file_ceiling)
        return refuse(a, file, "the ceiling of file numbers falls");
    a->c->number_ceiling = number;
    a->c->file_ceiling = file;
    return 0;
}

static int apply_log_floor(struct apply *a)
{
    uint64_t file = sdb_get_varint(&a->r);
    if (!sdb_reader_done(&a->r))
        return malformed(a, "log floor");
    if (file < a->c->log_floor)
        return refuse(a, file, "the log floor falls");
    a->c->log_floor = file;
    return 0;
}

static int apply_next_tree(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r);
    if (!sdb_reader_done(&a->r))
        return malformed(a, "next tree");
    if (id < a->c->next_tree)
        return refuse(a, id, "the next tree id falls");
    a->c->next_tree = id;
    return 0;
}

static int apply_tree(struct apply *a)
{
    int rc;
    struct sdb_catalog *c = a->c;
    struct sdb_tree_desc t = {.id = sdb_get_varint(&a->r)};
    t.uuid = get_uuid(&a->r);
    t.owner = get_uuid(&a->r);
    t.created = sdb_get_varint(&a->r);
    t.features = sdb_get_u64(&a->r);
    t.key_format = get_varint32(&a->r);
    t.value_format = get_varint32(&a->r);
    t.compression = get_varint32(&a->r);
    seerdb_slice name = sdb_get_slice(&a->r), app = sdb_get_slice(&a->r);
    t.filter_bits = get_varint32(&a->r);
    t.index = get_varint32(&a->r);
    t.compaction = get_varint32(&a->r);
    if ((t.features & SDB_TREE_SEGMENTS) != 0)
        t.value_log = sdb_get_varint(&a->r);
    if (!sdb_reader_done(&a->r))
        return malformed(a, "tree");
    if (t.id < c->next_tree || t.id == 0 || t.id == UINT64_MAX)
        return refuse(a, t.id, "a tree with an id that was used before");
    for (size_t i = 0; i < c->ntrees; i++) {
        if (memcmp(&c->trees[i].uuid, &t.uuid, sizeof t.uuid) == 0)
            return refuse(a, t.id, "a tree with the UUID of another");
    }
    if ((rc = check_features(a, t.features, SDB_TREE_FEATURES_KNOWN, "tree")) != 0)
        return rc;
    if (t.index > SEERDB_INDEX_BINARY)
        return sdb_fail(a->err, SEERDB_NEWER,
                        "%s: edit: tree %" PRIu64 " has tables with an index of kind "
                        "%" PRIu32 ", known here are 0 and 1",
                        a->where, t.id, t.index);
    if (t.compaction > SEERDB_ADAPTIVE)
        return sdb_fail(a->err, SEERDB_NEWER,
                        "%s: edit: tree %" PRIu64 " has the compaction policy %" PRIu32
                        ", known here are up to %d",
                        a->where, t.id, t.compaction, SEERDB_ADAPTIVE);
    struct sdb_tree_desc *trees =
        sdb_array_grow(c->trees, c->ntrees + 1, sizeof *trees);
    if (trees == NULL)
        return sdb_fail_nomem(a->err, (c->ntrees + 1) * sizeof *trees);
    c->trees = trees;
    sdb_buf_append_slice(&t.name, name);
    sdb_buf_append_slice(&t.app, app);
    c->trees[c->ntrees++] = t; /* also when a copy failed: fini frees it */
    c->next_tree = t.id + 1;
    rc = sdb_buf_check(&t.name, a->err);
    return rc != 0 ? rc : sdb_buf_check(&t.app, a->err);
}

static int apply_tree_merge(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r);
    seerdb_slice name = sdb_get_slice(&a->r);
    if (!sdb_reader_done(&a->r) || name.size == 0 || name.size > SEERDB_MERGE_NAME_MAX)
        return malformed(a, "tree merge");
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    if (t == NULL || (t->features & SDB_TREE_MERGES) == 0)
        return refuse(
            a, id, "a merge operator of a tree that is not there, or takes no merges");
    if (t->merge.size > 0)
        return refuse(a, id, "a second merge operator");
    sdb_buf_append_slice(&t->merge, name);
    return sdb_buf_check(&t->merge, a->err);
}

static int apply_tree_values(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r), size = sdb_get_varint(&a->r);
    if (!sdb_reader_done(&a->r) || size == 0)
        return malformed(a, "tree values");
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    if (t == NULL || (t->features & SDB_TREE_SEGMENTS) != 0)
        return refuse(a, id, "a value log for a tree that is not there, or has one");
    t->features |= SDB_TREE_SEGMENTS;
    t->value_log = size;
    return 0;
}

static int apply_tree_intent(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r);
    if (!sdb_reader_done(&a->r))
        return malformed(a, "drop intent");
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    if (t == NULL)
        return refuse(a, id, "a drop intent for a tree that is not there");
    t->drop_intended = true;
    return 0;
}

static int apply_tree_drop(struct apply *a)
{
    struct sdb_catalog *c = a->c;
    uint64_t id = sdb_get_varint(&a->r);
    if (!sdb_reader_done(&a->r))
        return malformed(a, "tree dropped");
    struct sdb_tree_desc *t = sdb_catalog_tree(c, id);
    if (t == NULL)
        return refuse(a, id, "a drop of a tree that is not there");
    sdb_tree_desc_fini(t);
    c->ntrees--;
    memmove(t, t + 1, (size_t)(c->trees + c->ntrees - t) * sizeof *t);
    return 0;
}

static int apply_tree_numbers(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r), flushed = sdb_get_varint(&a->r),
             last = sdb_get_varint(&a->r), floor = sdb_get_varint(&a->r);
    if (!sdb_reader_done(&a->r))
        return malformed(a, "tree numbers");
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    if (t == NULL)
        return refuse(a, id, "numbers of a tree that is not there");
    if (flushed < t->flushed || last < t->last_commit || floor < t->fold_floor)
        return refuse(a, id, "a number of this tree falls");
    t->flushed = flushed;
    t->last_commit = last;
    t->fold_floor = floor;
    return 0;
}

static int apply_owner(struct apply *a)
{
    struct sdb_catalog *c = a->c;
    struct sdb_owner_desc o = {.owner = get_uuid(&a->r)};
    size_t i = 0;
    int rc;
    o.device = sdb_get_varint(&a->r);
    o.inode = sdb_get_varint(&a->r);
    o.store_device = sdb_get_varint(&a->r);
    o.store_inode = sdb_get_varint(&a->r);
    seerdb_slice path = sdb_get_slice(&a->r);
    if (!sdb_reader_done(&a->r) || path.size == 0 || path.size > SEERDB_PATH_MAX ||
        memchr(path.data, 0, path.size) != NULL)
        return malformed(a, "owner");
    sdb_buf_append_slice(&o.path, path);
    if ((rc = sdb_buf_check(&o.path, a->err)) != 0)
        return rc;
    while (i < c->nowners && memcmp(&c->owners[i].owner, &o.owner, sizeof o.owner) != 0)
        i++;
    if (i == c->nowners) {
        struct sdb_owner_desc *owners =
            sdb_array_grow(c->owners, c->nowners + 1, sizeof *owners);
        if (owners == NULL) {
            sdb_buf_fini(&o.path);
            return sdb_fail_nomem(a->err, (c->nowners + 1) * sizeof *owners);
        }
        c->owners = owners;
        c->nowners++;
    } else {
        sdb_buf_fini(&c->owners[i].path);
    }
    c->owners[i] = o;
    return 0;
}

/* The index of the table, or ntables. */
static size_t find_table(const struct sdb_tree_desc *t, uint64_t file)
{
    size_t i = 0;
    while (i < t->ntables && t->tables[i].file != file)
        i++;
    return i;
}

/* Read the value-log references of d. */
static int get_vlogs(struct apply *a, struct sdb_table_desc *d)
{
    uint64_t n = sdb_get_varint(&a->r);
    if (n > sdb_reader_left(&a->r) / 3) /* each takes three bytes or more */
        return malformed(a, "add table: value-log references");
    if (n > 0) {
        d->vlogs = sdb_array_new((size_t)n, sizeof *d->vlogs);
        if (d->vlogs == NULL)
            return sdb_fail_nomem(a->err, (size_t)n * sizeof *d->vlogs);
    }
    d->nvlogs = (size_t)n;
    for (size_t i = 0; i < d->nvlogs; i++) {
        d->vlogs[i].file = sdb_get_varint(&a->r);
        d->vlogs[i].bytes = sdb_get_varint(&a->r);
        d->vlogs[i].values = sdb_get_varint(&a->r);
    }
    return 0;
}

/* Read the body into *tree and d, which the caller finishes also on failure. */
static int get_table(struct apply *a, uint64_t *tree, struct sdb_table_desc *d)
{
    int rc;
    struct sdb_reader *r = &a->r;
    *tree = sdb_get_varint(r);
    d->file = sdb_get_varint(r);
    d->id = get_uuid(r);
    d->size = sdb_get_varint(r);
    d->level = get_varint32(r);
    d->backend = get_varint32(r);
    d->commit = sdb_get_varint(r);
    d->run = sdb_get_varint(r);
    d->records = sdb_get_varint(r);
    d->tombstones = sdb_get_varint(r);
    d->key_bytes = sdb_get_varint(r);
    d->value_bytes = sdb_get_varint(r);
    d->min_number = sdb_get_varint(r);
    d->max_number = sdb_get_varint(r);
    sdb_buf_append_slice(&d->smallest, sdb_get_slice(r));
    sdb_buf_append_slice(&d->largest, sdb_get_slice(r));
    if ((rc = get_vlogs(a, d)) != 0 || (rc = sdb_buf_check(&d->smallest, a->err)) != 0)
        return rc;
    if ((rc = sdb_buf_check(&d->largest, a->err)) != 0)
        return rc;
    d->superseded = sdb_get_varint(r);
    d->ranges = sdb_get_varint(r);
    uint64_t flags = sdb_get_varint(r);
    d->open_end = (flags & SDB_TABLE_OPEN_END) != 0;
    if (!sdb_reader_done(r))
        return malformed(a, "add table");
    return check_features(a, flags, SDB_TABLE_OPEN_END, "table");
}

static int apply_table_add(struct apply *a, bool pending)
{
    int rc;
    uint64_t id;
    struct sdb_table_desc d = {.pending = pending};
    if ((rc = get_table(a, &id, &d)) != 0)
        goto out;
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    if (t == NULL) {
        rc = refuse(a, id, "a table of a tree that is not there");
        goto out;
    }
    size_t old = d.file <= t->max_file ? find_table(t, d.file) : t->ntables;
    if (d.file == 0 || (old < t->ntables && (pending || !t->tables[old].pending))) {
        rc = refuse(a, d.file, "a table that is there already");
        goto out;
    }
    if (old < t->ntables && memcmp(&t->tables[old].id, &d.id, sizeof d.id) != 0) {
        rc = refuse(a, d.file, "a table with another UUID than while it was pending");
        goto out;
    }
    if (d.min_number > d.max_number || d.tombstones > d.records ||
        d.superseded > d.records || (d.open_end && d.ranges == 0)) {
        rc = refuse(a, d.file, "a table whose counts contradict each other");
        goto out;
    }
    struct sdb_table_desc *tables =
        sdb_array_grow(t->tables, t->ntables + 1, sizeof *tables);
    if (tables == NULL) {
        rc = sdb_fail_nomem(a->err, (t->ntables + 1) * sizeof *tables);
        goto out;
    }
    t->tables = tables;
    if (old < t->ntables) {
        sdb_table_desc_fini(&t->tables[old]);
        t->ntables--;
        memmove(t->tables + old, t->tables + old + 1,
                (t->ntables - old) * sizeof *t->tables);
    }
    t->tables[t->ntables++] = d;
    if (d.file > t->max_file)
        t->max_file = d.file;
    return 0;
out:
    sdb_table_desc_fini(&d);
    return rc;
}

static int apply_table_remove(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r), file = sdb_get_varint(&a->r);
    if (!sdb_reader_done(&a->r))
        return malformed(a, "remove table");
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    if (t == NULL)
        return refuse(a, id, "a table of a tree that is not there");
    size_t i = find_table(t, file);
    if (i == t->ntables)
        return refuse(a, file, "a removal of a table that is not there");
    sdb_table_desc_fini(&t->tables[i]);
    t->ntables--;
    memmove(t->tables + i, t->tables + i + 1, (t->ntables - i) * sizeof *t->tables);
    return 0;
}

static int apply_tree_aside(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r);
    struct sdb_aside_desc d = {.file = sdb_get_varint(&a->r)};
    d.size = sdb_get_varint(&a->r);
    d.covered = sdb_get_varint(&a->r);
    if (!sdb_reader_done(&a->r))
        return malformed(a, "tree aside");
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    if (t == NULL || (t->features & SDB_TREE_MARKED) == 0)
        return refuse(a, id, "a side file of a tree that is not there, or not marked");
    if ((d.file == 0) != (d.size == 0) || (d.file == 0) != (d.covered == 0))
        return refuse(a, id, "a side file by half");
    if (d.file == 0 ? t->aside.file == 0 : d.file <= t->aside.file)
        return refuse(a, d.file, "a side file that is there already, or never was");
    if (d.file != 0 && d.covered < t->aside.covered)
        return refuse(a, id, "a side file that covers less than the one before");
    t->aside = d;
    return 0;
}

static int apply_table_expiry(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r), file = sdb_get_varint(&a->r);
    uint64_t first = sdb_get_varint(&a->r), due = sdb_get_varint(&a->r);
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    size_t i = t != NULL ? find_table(t, file) : 0;
    if (!sdb_reader_done(&a->r))
        return malformed(a, "expiry");
    if (t == NULL || i == t->ntables || t->tables[i].first_expiry != 0)
        return refuse(a, file, "expiry of a table that is not there, or told twice");
    if (first == 0 || due < first)
        return refuse(a, file, "rows that expire in no order");
    t->tables[i].first_expiry = first;
    t->tables[i].expiry_due = due;
    return 0;
}

static int apply_table_last(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r), file = sdb_get_varint(&a->r);
    uint64_t last = sdb_get_varint(&a->r);
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    size_t i = t != NULL ? find_table(t, file) : 0;
    if (!sdb_reader_done(&a->r))
        return malformed(a, "last expiry");
    if (t == NULL || i == t->ntables || t->tables[i].last_expiry != 0)
        return refuse(a, file,
                      "last expiry of a table that is not there, or told twice");
    if (t->tables[i].first_expiry == 0 || last < t->tables[i].first_expiry)
        return refuse(a, file, "the last row expires before the first");
    t->tables[i].last_expiry = last;
    return 0;
}

static int apply_table_held(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r), file = sdb_get_varint(&a->r), records = 0,
             ranges = 0;
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    size_t i = t != NULL ? find_table(t, file) : 0;
    if (a->r.failed)
        return malformed(a, "held");
    if (t == NULL || i == t->ntables || t->tables[i].nheld > 0)
        return refuse(a, file, "held by a table that is not there, or told twice");
    struct sdb_table_desc *d = &t->tables[i];
    int rc = sdb_held_decode(&a->r, &d->held, &d->nheld, a->where, a->err);
    for (size_t k = 0; k < d->nheld && rc == 0; k++) {
        if (d->held[k].records > d->records - records ||
            d->held[k].stale / 2 > d->held[k].records ||
            d->held[k].ranges > d->ranges - ranges)
            rc = refuse(a, file, "a table that holds more than it has");
        records += d->held[k].records;
        ranges += d->held[k].ranges;
    }
    return rc;
}

static int apply_snapshot_add(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r);
    struct sdb_snapshot s;
    struct sdb_snapshots *list = NULL;
    if (!sdb_snapshot_decode(&a->r, &s))
        return malformed(a, "snapshot");
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    if (t == NULL)
        return refuse(a, id, "a snapshot of a tree that is not there");
    if (sdb_snapshots_find(t->snapshots, s.name) < sdb_snapshots_count(t->snapshots))
        return refuse(a, id, "a snapshot of this tree with the name of another");
    int rc = sdb_snapshots_with(t->snapshots, &s, &list, a->err);
    if (rc == 0) {
        sdb_snapshots_unref(t->snapshots);
        t->snapshots = list;
    }
    return rc;
}

static int apply_snapshot_drop(struct apply *a)
{
    uint64_t id = sdb_get_varint(&a->r);
    seerdb_slice name = sdb_get_slice(&a->r);
    struct sdb_snapshots *list = NULL;
    if (!sdb_reader_done(&a->r))
        return malformed(a, "snapshot dropped");
    struct sdb_tree_desc *t = sdb_catalog_tree(a->c, id);
    size_t i = t != NULL ? sdb_snapshots_find(t->snapshots, name) : 0;
    if (t == NULL || i == sdb_snapshots_count(t->snapshots))
        return refuse(a, id, "a drop of a snapshot that this tree does not have");
    int rc = sdb_snapshots_without(t->snapshots, i, &list, a->err);
    if (rc == 0) {
        sdb_snapshots_unref(t->snapshots);
        t->snapshots = list;
    }
    return rc;
}

static int apply_field(struct apply *a, uint64_t tag)
{
    switch (tag) {
    case SDB_EDIT_STORE:
        return apply_store(a);
    case SDB_EDIT_CEILINGS:
        return apply_ceilings(a);
    case SDB_EDIT_LOG_FLOOR:
        return apply_log_floor(a);
    case SDB_EDIT_TREE:
        return apply_tree(a);
    case SDB_EDIT_TREE_INTENT:
        return apply_tree_intent(a);
    case SDB_EDIT_TREE_DROP:
        return apply_tree_drop(a);
    case SDB_EDIT_TREE_NUMBERS:
        return apply_tree_numbers(a);
    case SDB_EDIT_TABLE_ADD:
        return apply_table_add(a, false);
    case SDB_EDIT_TABLE_PENDING:
        return apply_table_add(a, true);
    case SDB_EDIT_TABLE_REMOVE:
        return apply_table_remove(a);
    case SDB_EDIT_NEXT_TREE:
        return apply_next_tree(a);
    case SDB_EDIT_TREE_ASIDE:
        return apply_tree_aside(a);
    case SDB_EDIT_SNAPSHOT_ADD:
        return apply_snapshot_add(a);
    case SDB_EDIT_SNAPSHOT_DROP:
        return apply_snapshot_drop(a);
    case SDB_EDIT_TABLE_EXPIRY:
        return apply_table_expiry(a);
    case SDB_EDIT_TABLE_LAST:
        return apply_table_last(a);
    case SDB_EDIT_TABLE_HELD:
        return apply_table_held(a);
    case SDB_EDIT_OWNER:
        return apply_owner(a);
    case SDB_EDIT_TREE_VALUES:
        return apply_tree_values(a);
    case SDB_EDIT_TREE_MERGE:
        return apply_tree_merge(a);
    default:
        return sdb_fail(a->err, SEERDB_NEWER, "%s: edit: unknown tag %" PRIu64,
                        a->where, tag);
    }
}

int sdb_catalog_apply(struct sdb_catalog *c, seerdb_slice edit, const char *where,
                      seerdb_err *err)
{
    struct sdb_reader r = sdb_reader_init(edit);
    struct apply a = {.c = c, .where = where, .err = err};
    while (!sdb_reader_done(&r)) {
        uint64_t tag = sdb_get_varint(&r);
        seerdb_slice body = sdb_get_slice(&r);
        if (r.failed)
            return malformed(&a, "tag and length");
        a.r = sdb_reader_init(body);
        int rc = apply_field(&a, tag);
        if (rc != 0)
            return rc;
    }
    return 0;
}
