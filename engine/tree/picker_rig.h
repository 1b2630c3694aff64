/* SPDX-License-Identifier: Apache-2.0
 *
 * picker_rig -- for the tests of the picker: versions and picks in words. */
#ifndef SDB_TREE_PICKER_RIG_H
#define SDB_TREE_PICKER_RIG_H

#include "tree/picker.h"

#include "os/memfs.h"
#include "table/table_writer.h"
#include "test.h"

/* File systems of the tables that are real. */
static struct sdb_fs *made_fs[20];
static size_t nmade_fs;

static inline void drop_made(void)
{
    while (nmade_fs > 0)
        sdb_memfs_free(made_fs[--nmade_fs]);
}

static inline struct sdb_policy policy(enum seerdb_compaction kind)
{
    return (struct sdb_policy){.kind = kind,
                               .batch_size = 400,
                               .table_size = 50,
                               .trigger = 4,
                               .ratio = 10,
                               .runs = 4,
                               .droppable = UINT64_MAX,
                               .flushed = UINT64_MAX};
}

/* A table that has nothing but this range, and what a description says of it. */
static inline struct sdb_table *make_ranged(struct sdb_table_desc *d, const char *lo,
                                            const char *hi, uint64_t number)
{
    struct sdb_fs *fs = sdb_memfs_new(false);
    struct sdb_file *f = NULL;
    struct sdb_table_writer *w = NULL;
    struct sdb_table_summary sum;
    struct sdb_table *t = NULL;
    seerdb_err err = {0};
    struct sdb_range one = {test_slice(lo), test_slice(hi), number};
    assert_non_null(fs);
    test_ok(sdb_fs_open(fs, "t", SDB_CREATE, SDB_FOR_FLUSH, &f, &err), &err);
    test_ok(sdb_table_writer_new(f, &(struct sdb_table_writer_options){0}, &w, &err),
            &err);
    sdb_table_writer_range(w, &one);
    test_ok(sdb_table_writer_finish(w, &sum, &err), &err);
    seerdb_uuid id = sum.id;
    uint64_t size = sum.file_size;
    sdb_table_writer_free(w);
    sdb_file_close(f);
    test_ok(sdb_fs_open(fs, "t", SDB_READ, SDB_FOR_READ, &f, &err), &err);
    test_ok(sdb_table_open(f, &id, size, &t, &err), &err);
    made_fs[nmade_fs++] = fs;
    d->ranges = 1;
    d->open_end = true;
    return t;
}

/* "0:7 a-m 100; 0:6 c-z 100 t50": tables, newest first, each level:run, its keys, its
 * size, of a hundred records how many are tombstones ("t50"), and the number of a range
 * tombstone over all its keys but the last ("r7"); or when enough of it has expired
 * ("e60"; the first record 10 before), and when it all has, for good ("l70"). */
static inline struct sdb_version *parse(const char *words)
{
    seerdb_err err = {0};
    struct sdb_version *v = NULL, *next;
    uint64_t file = 100;
    test_ok(sdb_version_new(NULL, &(struct sdb_version_change){0}, &v, &err), &err);
    while (*words != '\0') {
        unsigned level, dense = 0;
        unsigned long long run, size, range = 0, due;
        struct sdb_table *table = NULL;
        char lo[8], hi[8];
        int n = 0;
        struct sdb_member *m = NULL;
        if (sscanf(words, " %u:%llu %7[a-z0-9]-%7[a-z0-9] %llu%n", &level, &run, lo, hi,
                   &size, &n) < 5)
            fail_msg("not a table: %s", words);
        words += n;
        if (sscanf(words, " t%u%n", &dense, &n) == 1)
            words += n;
        struct sdb_table_desc d = {.file = file,
                                   .level = level,
                                   .run = run,
                                   .size = size,
                                   .records = 1000,
                                   .tombstones = dense * 10,
                                   .min_number = 10 * run - 5,
                                   .max_number = 10 * run};
        if (sscanf(words, " e%llu%n", &due, &n) == 1) {
            words += n;
            d.first_expiry = due - 10;
            d.expiry_due = due;
        }
        if (sscanf(words, " l%llu%n", &due, &n) == 1) {
            words += n;
            d.last_expiry = due;
        }
        if (sscanf(words, " r%llu%n", &range, &n) == 1) {
            words += n;
            table = make_ranged(&d, lo, hi, range);
        }
        file--;
        sdb_buf_append(&d.smallest, lo, strlen(lo));
        sdb_buf_append(&d.largest, hi, strlen(hi));
        test_ok(sdb_member_new(&d, table, NULL, NULL, &m, &err), &err);
        sdb_table_desc_fini(&d);
        test_ok(sdb_version_new(v,
                                &(struct sdb_version_change){.added = &m, .nadded = 1},
                                &next, &err),
                &err);
        sdb_member_unref(m);
        sdb_version_unref(v);
        v = next;
        words += strspn(words, "; ");
    }
    return v;
}

/* A pick as words: "merge 100 99 > 6:7 last", "move 98 > 6:7", "none". */
static inline void say(const struct sdb_version *v, const struct sdb_pick *pick,
                       char *out, size_t room)
{
    static const char *const kinds[] = {"none", "move", "merge", "drop"};
    size_t at = (size_t)snprintf(out, room, "%s", kinds[pick->kind]);
    if (pick->kind == SDB_PICK_NONE) {
        if (pick->later)
            snprintf(out + at, room - at, " later");
        return;
    }
    for (size_t i = 0; i < pick->n; i++)
        at += (size_t)snprintf(out + at, room - at, " %d",
                               (int)v->members[pick->inputs[i]]->desc.file);
    snprintf(out + at, room - at, " > %u:%d%s", pick->output_level,
             (int)pick->output_run, pick->last ? " last" : "");
}

struct pick_case {
    const char *tables, *wanted;
};

static inline void check(const struct pick_case *cases, size_t n,
                         const struct sdb_policy *p)
{
    for (size_t i = 0; i < n; i++) {
        seerdb_err err = {0};
        char got[256];
        struct sdb_pick pick = {0};
        struct sdb_version *v = parse(cases[i].tables);
        test_ok(sdb_pick(v, p, &pick, &err), &err);
        say(v, &pick, got, sizeof got);
        if (strcmp(got, cases[i].wanted) != 0)
            fail_msg("%s: %s, wanted %s", cases[i].tables, got, cases[i].wanted);
        sdb_pick_fini(&pick);
        sdb_version_unref(v);
        drop_made();
    }
}
#define CHECK(cases, p) check(cases, sizeof(cases) / sizeof(cases)[0], p)

#endif
