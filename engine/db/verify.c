/* SPDX-License-Identifier: Apache-2.0
 *
 * seerdb_verify: every byte of every table, and every value that records name. */
#include "db/state.h"

#include "base/interrupt.h"
#include "table/table_iter.h"
#include "table/table_verify.h"

static int compare_vlogs(const struct sdb_table_desc *d,
                         const struct sdb_table_properties *p, bool *same,
                         seerdb_err *err)
{
    struct sdb_buf b = {0};
    if (d->nvlogs > 0)
        sdb_vlog_refs_put(d->vlogs, d->nvlogs, &b);
    *same = sdb_slice_equal(sdb_buf_slice(&b), p->vlogs);
    bool failed = b.failed;
    sdb_buf_fini(&b);
    return failed ? sdb_fail(err, SEERDB_NOMEM, "no memory to verify a table")
                  : SEERDB_OK;
}

/* Does the manifest say what the table itself says? */
static bool is_described(const struct sdb_table_desc *d,
                         const struct sdb_table_properties *p)
{
    bool spilled = d->commit != 0; /* its numbers are not in the file */
    return p->records == d->records && p->tombstones == d->tombstones &&
           p->ranges == d->ranges && p->open_end == d->open_end &&
           p->max_number == (spilled ? 0 : d->max_number) &&
           p->min_number == (spilled ? 0 : d->min_number) &&
           sdb_slice_equal(p->smallest, sdb_buf_slice(&d->smallest)) &&
           sdb_slice_equal(p->largest, sdb_buf_slice(&d->largest));
}

/* Are all files there that the value of a record names? */
static bool is_held(struct sdb_values *vs, seerdb_slice value)
{
    struct sdb_segments all;
    struct sdb_segment s;
    bool held = true;
    if (sdb_segments_open(&all, value, NULL) != 0)
        return true; /* who checks it will tell */
    while (held && sdb_segments_next(&all, &s))
        held = sdb_values_is_held(vs, s.file);
    return held;
}

enum whose { COUNTING, IN_DOUBT };

/* Every value that the records name is there, and what it was.  Commits in doubt may
 * turn out not to count, and then their files may have gone before. */
static int verify_values(struct sdb_values *vs, struct sdb_iter *it, enum whose whose,
                         seerdb_verify_report *report, seerdb_err *err)
{
    int rc = it->ops->first(it, err);
    while (rc == 0) {
        if (it->at.kind == SDB_KIND_SEGMENTS &&
            (whose == COUNTING || is_held(vs, it->at.value)))
            rc = sdb_values_check(vs, it->at.value, &report->bytes, err);
        if (rc == 0)
            rc = it->ops->older(it, err);
        if (rc == SEERDB_NOTFOUND && (rc = sdb_interrupted(err)) == 0)
            rc = it->ops->next(it, err);
    }
    return rc == SEERDB_NOTFOUND ? 0 : rc;
}

static int verify_table_values(struct sdb_values *vs, const struct sdb_member *m,
                               seerdb_verify_report *report, seerdb_err *err)
{
    struct sdb_iter *it = NULL;
    if (m->desc.nvlogs == 0)
        return 0;
    int rc = sdb_table_iter(m->table, SDB_NUMBER_MAX, &it, err);
    if (rc == 0)
        rc = verify_values(vs, it, COUNTING, report, err);
    sdb_iter_close(it);
    return rc;
}

static int verify_memtable_values(struct sdb_values *vs, struct sdb_memtable *m,
                                  const struct sdb_hidden *hidden, enum whose whose,
                                  seerdb_verify_report *report, seerdb_err *err)
{
    struct sdb_iter *it = NULL;
    int rc = sdb_memtable_iter(m, SDB_NUMBER_MAX, hidden, 0, &it, err);
    if (rc == 0)
        rc = verify_values(vs, it, whose, report, err);
    sdb_iter_close(it);
    return rc;
}

static int verify_version(struct sdb_values *vs, const struct sdb_version *v,
                          seerdb_verify_report *report, seerdb_err *err)
{
    for (size_t i = 0; i < v->nmembers; i++) {
        const struct sdb_member *m = v->members[i];
        const struct sdb_table_properties *p = sdb_table_properties(m->table);
        int rc = sdb_table_verify(m->table, err);
        if (rc != 0)
            return rc;
        bool same;
        if ((rc = compare_vlogs(&m->desc, p, &same, err)) != 0)
            return rc;
        if (!same || !is_described(&m->desc, p))
            return sdb_fail(err, SEERDB_CORRUPT,
                            "table %06" PRIu64 " holds %" PRIu64 " records and %" PRIu64
                            " range tombstones, the manifest says %" PRIu64
                            " and %" PRIu64 ", or has other bounds",
                            m->desc.file, p->records, p->ranges, m->desc.records,
                            m->desc.ranges);
        report->tables++;
        report->blocks += p->blocks;
        report->records += p->records;
        report->bytes += m->desc.size;
        if ((rc = verify_table_values(vs, m, report, err)) != 0)
            return rc;
    }
    return 0;
}

static int verify_state(const seerdb_tree *t, const struct sdb_read_state *s,
                        enum whose whose, seerdb_verify_report *report, seerdb_err *err)
{
    struct sdb_values *vs = t->db->values;
    bool values = sdb_tree_separates(t);
    int rc = verify_version(vs, s->version, report, err);
    for (size_t i = 0; i < s->nmemtables && values && rc == 0; i++)
        rc =
            verify_memtable_values(vs, s->memtables[i], &s->hidden, whose, report, err);
    for (size_t i = 0; s->pendings != NULL && i < s->pendings->n && rc == 0; i++)
        if (s->pendings->all[i]->runs != NULL)
            rc = verify_version(vs, s->pendings->all[i]->runs, report, err);
    return rc;
}

int seerdb_verify(seerdb *db, seerdb_tree *tree, seerdb_verify_report *report,
                  seerdb_err *err)
{
    int rc = sdb_check_process(db, err);
    *report = (seerdb_verify_report){0};
    if (rc != 0)
        return rc;
    sdb_lock_db(&db->lock);
    for (seerdb_tree *t = db->trees; t != NULL && rc == 0; t = t->next) {
        if (t->dropped || (tree != NULL && t != tree))
            continue;
        struct sdb_read_state *s = sdb_read_state_ref(t->state);
        enum whose whose = t->marked && !t->settled ? IN_DOUBT : COUNTING;
        sdb_unlock_db(&db->lock);
        rc = t->damage != NULL ? sdb_fail_as(err, t->damage)
                               : verify_state(t, s, whose, report, err);
        sdb_read_state_unref(s);
        sdb_lock_db(&db->lock);
    }
    sdb_unlock_db(&db->lock);
    return rc;
}
