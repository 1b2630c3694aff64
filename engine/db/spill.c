/* SPDX-License-Identifier: Apache-2.0
 *
 * Sorted input makes tables that follow one another: they are one run, however many
 * there are, so that a lookup asks one of them and a compaction may move them all.  A
 * table joins the newest run only.  Of older ones it may overlap any, being newer. */
#include "db/spill.h"

#include "table/table_writer.h"

/* A number for the file, durably reserved. */
static int take_number(seerdb *db, uint64_t *number, seerdb_err *err)
{
    sdb_lock_write(&db->write_lock);
    int rc = sdb_reserve(db, err);
    sdb_unlock_write(&db->write_lock);
    if (rc == 0)
        *number = atomic_fetch_add_explicit(&db->next_file, 1, memory_order_relaxed);
    return rc;
}

int sdb_spill_ranges(const struct sdb_spill *s, struct sdb_ranges **out,
                     seerdb_err *err)
{
    struct sdb_ranges *set = NULL;
    size_t n = 0;
    *out = NULL;
    int rc = sdb_memtable_ranges(s->memtable, &set, err);
    if (rc != 0 || set == NULL)
        return rc;
    struct sdb_range *all = sdb_array_new(sdb_ranges_count(set), sizeof *all);
    if (all == NULL) {
        rc = sdb_fail_nomem(err, sdb_ranges_count(set) * sizeof *all);
        goto out;
    }
    for (size_t i = 0; i < sdb_ranges_count(set); i++) {
        const struct sdb_range *r = sdb_ranges_at(set, i);
        if (r->number > s->from && r->number <= s->to &&
            !sdb_hidden_has(s->hidden, r->number))
            all[n++] = *r;
    }
    if (n > 0)
        rc = sdb_ranges_new(all, n, out, err);
out:
    sdb_mem_free(all);
    sdb_ranges_unref(set);
    return rc;
}

size_t sdb_spill_joined(const struct sdb_ranges *ranges, size_t i,
                        struct sdb_range *out)
{
    *out = (struct sdb_range){sdb_ranges_fragment(ranges, i)->start,
                              sdb_ranges_fragment(ranges, i)->end, 0};
    while (++i < sdb_ranges_fragments(ranges) &&
           sdb_slice_equal(out->end, sdb_ranges_fragment(ranges, i)->start))
        out->end = sdb_ranges_fragment(ranges, i)->end;
    return i;
}

/* The newest version of each key in the segment. */
static int write_records(const struct sdb_spill *s, struct sdb_table_writer *w,
                         uint64_t *records, seerdb_err *err)
{
    struct sdb_iter *it = NULL;
    int rc = sdb_memtable_iter(s->memtable, s->to, s->hidden, 0, &it, err);
    if (rc != 0)
        return rc;
    for (rc = it->ops->first(it, err); rc == 0; rc = it->ops->next(it, err)) {
        struct sdb_record r = it->at;
        if (r.number <= s->from)
            continue; /* of a segment before, which has it */
        r.number = 0;
        sdb_table_writer_add(w, &r);
        ++*records;
    }
    sdb_iter_close(it);
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

/* May the table be part of the newest run?  Runs at one level have the newest first. */
static uint64_t choose_run(const struct sdb_version *runs, seerdb_slice smallest,
                           seerdb_slice largest)
{
    if (runs == NULL || runs->nruns == 0)
        return 1;
    const struct sdb_run *newest = &runs->runs[0];
    uint32_t i = sdb_run_seek(runs, newest, smallest);
    bool apart =
        i == newest->first + newest->n ||
        sdb_slice_cmp(largest, sdb_buf_slice(&runs->members[i]->desc.smallest)) < 0;
    return apart ? newest->id : newest->id + 1;
}

static int describe(const struct sdb_spill *s, uint64_t file,
                    const struct sdb_table_summary *t, struct sdb_table_desc *desc,
                    seerdb_err *err)
{
    *desc = (struct sdb_table_desc){.file = file,
                                    .id = t->id,
                                    .size = t->file_size,
                                    .level = 1,
                                    .commit = SDB_NUMBER_BATCH + s->to,
                                    .run = choose_run(s->runs, t->smallest, t->largest),
                                    .records = t->records,
                                    .tombstones = t->tombstones,
                                    .key_bytes = t->key_bytes,
                                    .value_bytes = t->value_bytes,
                                    .min_number = s->from,
                                    .max_number = s->to};
    sdb_buf_append_slice(&desc->smallest, t->smallest);
    sdb_buf_append_slice(&desc->largest, t->largest);
    int rc = sdb_buf_check(&desc->smallest, err);
    return rc != 0 ? rc : sdb_buf_check(&desc->largest, err);
}

/* Write the file.  NOTFOUND: nothing stands. */
static int write_table(const struct sdb_spill *s, const char *path, uint64_t number,
                       struct sdb_table_desc *desc, seerdb_err *err)
{
    seerdb *db = s->tree->db;
    struct sdb_file *file = NULL;
    struct sdb_table_writer *w = NULL;
    struct sdb_table_summary summary = {0};
    struct sdb_table_writer_options o = sdb_tree_table_options(s->tree, 0);
    uint64_t records = 0;
    if (!sdb_memtable_bounds(s->memtable, &o.smallest, &o.largest))
        return SEERDB_NOTFOUND;
    int rc = sdb_fs_open(db->fs, path, SDB_CREATE, SDB_FOR_FLUSH, &file, err);
    if (rc != 0 || (rc = sdb_table_writer_new(file, &o, &w, err)) != 0 ||
        (rc = write_records(s, w, &records, err)) != 0)
        goto out;
    if (records == 0)
        rc = SEERDB_NOTFOUND;
    else if ((rc = sdb_table_writer_finish(w, &summary, err)) == 0)
        rc = describe(s, number, &summary, desc, err);
out:
    sdb_table_writer_free(w);
    sdb_file_close(file);
    return rc;
}

int sdb_spill_write(const struct sdb_spill *s, struct sdb_version **out,
                    seerdb_err *err)
{
    seerdb *db = s->tree->db;
    struct sdb_table_desc desc = {0};
    struct sdb_member *member = NULL;
    uint64_t number;
    int rc = take_number(db, &number, err);
    if (rc != 0)
        return rc;
    char *path = sdb_table_path(db, number);
    if (path == NULL)
        return sdb_fail_nomem(err, 0);
    rc = write_table(s, path, number, &desc, err);
    if (rc == 0) /* from here on the file goes with the member */
        rc = sdb_open_member(db, &desc, sdb_bury, &member, err);
    if (member == NULL)
        (void)sdb_fs_remove(db->fs, path, NULL);
    if (rc == 0)
        rc = sdb_version_new(
            s->runs, &(struct sdb_version_change){.added = &member, .nadded = 1}, out,
            err);
    sdb_member_unref(member);
    if (rc == 0)
        atomic_fetch_add_explicit(&db->counters.spills, 1, memory_order_relaxed);
    else
        sdb_empty_graveyard(db);
    sdb_table_desc_fini(&desc);
    sdb_mem_free(path);
    return rc;
}
