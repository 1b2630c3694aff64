/* SPDX-License-Identifier: Apache-2.0
 *
 * A catalog is compared with another by the snapshots that describe them. */
#include "test.h"

#include "log/manifest.h"

#include "base/coding.h"
#include "base/rand.h"
#include "os/faultfs.h"
#include "os/memfs.h"

#include <stdatomic.h>

static const seerdb_uuid store = {
    {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

struct rig {
    struct sdb_fs *mem, *fs; /* fs: the fault layer over mem */
    _Atomic uint64_t next_file;
    struct sdb_mutex install;
    struct sdb_manifest *m;
    struct sdb_buf before,
        after; /* snapshots: as of the last append, of the last try */
    uint64_t next_table;
};

static void rig_init(struct rig *g)
{
    seerdb_err err = {0};
    memset(g, 0, sizeof *g);
    g->mem = sdb_memfs_new(true);
    g->fs = sdb_faultfs_new(g->mem);
    assert_non_null(g->fs);
    test_ok(sdb_fs_mkdir(g->fs, "d", &err), &err);
    test_ok(sdb_fs_sync_dir(g->fs, ".", &err), &err);
    atomic_init(&g->next_file, 2);
    g->next_table = 1000000;
    sdb_mutex_init(&g->install);
}

static void rig_fini(struct rig *g)
{
    sdb_manifest_close(g->m);
    sdb_faultfs_free(g->fs);
    sdb_memfs_free(g->mem);
    sdb_mutex_fini(&g->install);
    sdb_buf_fini(&g->before);
    sdb_buf_fini(&g->after);
}

static void describe(const struct sdb_manifest *m, struct sdb_buf *out)
{
    struct sdb_edit e = {{0}};
    struct sdb_catalog c = *sdb_manifest_catalog(m);
    c.file_ceiling = 0; /* a rollover may raise it */
    sdb_edit_snapshot(&e, &c);
    assert_false(e.bytes.failed);
    sdb_buf_fini(out);
    *out = e.bytes;
}

static void create(struct rig *g)
{
    seerdb_err err = {0};
    test_ok(sdb_manifest_create(g->fs, "d", &store, &g->m, &err), &err);
    describe(g->m, &g->before);
}

static int append(struct rig *g, const struct sdb_edit *e, seerdb_err *err)
{
    sdb_lock_install(&g->install);
    int rc = sdb_manifest_append(g->m, e, &g->next_file, err);
    sdb_unlock_install(&g->install);
    return rc;
}

static int append_floor(struct rig *g, uint64_t floor, seerdb_err *err)
{
    struct sdb_edit e = {{0}};
    sdb_edit_log_floor(&e, floor);
    int rc = append(g, &e, err);
    sdb_edit_fini(&e);
    return rc;
}

static void add_tree(struct sdb_edit *e, uint64_t id)
{
    struct sdb_tree_desc t = {.id = id};
    sdb_store_u64(t.uuid.bytes, id);
    sdb_buf_append(&t.name, "name", 4);
    sdb_edit_tree(e, &t);
    sdb_tree_desc_fini(&t);
}

static void add_table(struct sdb_edit *e, uint64_t tree, uint64_t file)
{
    struct sdb_table_desc d = {.file = file, .records = 1};
    sdb_buf_append(&d.smallest, "aaaa", 4);
    sdb_buf_append(&d.largest, "zzzz", 4);
    sdb_edit_table_add(e, tree, &d);
    sdb_table_desc_fini(&d);
}

/* An edit that suits the catalog. */
static void random_edit(struct rig *g, struct sdb_rand *r, struct sdb_edit *e)
{
    const struct sdb_catalog *c = sdb_manifest_catalog(g->m);
    const struct sdb_tree_desc *t =
        c->ntrees > 0 ? &c->trees[sdb_rand_below(r, c->ntrees)] : NULL;
    switch (t == NULL ? 9 : sdb_rand_below(r, 11)) {
    case 0:
        sdb_edit_ceilings(e, c->number_ceiling + sdb_rand_below(r, 99),
                          c->file_ceiling);
        break;
    case 1:
        sdb_edit_log_floor(e, c->log_floor + sdb_rand_below(r, 99));
        break;
    case 2:
        sdb_edit_tree_numbers(e, t->id, t->flushed + 1, t->last_commit + 2,
                              t->fold_floor);
        break;
    case 3:
        sdb_edit_tree_intent(e, t->id);
        break;
    case 4:
        if (t->drop_intended)
            sdb_edit_tree_drop(e, t->id);
        break;
    case 5:
        if (t->ntables > 0)
            sdb_edit_table_remove(e, t->id,
                                  t->tables[sdb_rand_below(r, t->ntables)].file);
        break;
    case 9:
    case 10:
        add_tree(e, c->next_tree);
        add_table(e, c->next_tree, g->next_table++);
        break;
    default:
        for (uint64_t n = sdb_rand_below(r, 20); n > 0; n--)
            add_table(e, t->id, g->next_table++);
    }
}

/* Load it for appending. */
static int load(struct rig *g, seerdb_err *err) NO_TSA
{
    int rc = sdb_manifest_load(g->fs, "d", &g->m, err);
    if (rc == 0 && (rc = sdb_manifest_begin(g->m, err)) != 0) {
        sdb_manifest_close(g->m);
        g->m = NULL;
    }
    return rc;
}

static void reload(struct rig *g)
{
    seerdb_err err = {0};
    sdb_manifest_close(g->m);
    g->m = NULL;
    test_ok(load(g, &err), &err);
}

static size_t count_manifests(struct rig *g)
{
    seerdb_err err = {0};
    uint64_t *at = NULL;
    size_t n = 0;
    test_ok(sdb_numbered_list(g->fs, "d", ".man", &at, &n, &err), &err);
    sdb_mem_free(at);
    return n;
}

static void read_whole(struct rig *g, const char *path, struct sdb_buf *out)
{
    seerdb_err err = {0};
    struct sdb_file *f;
    sdb_buf_clear(out);
    test_ok(sdb_fs_open(g->fs, path, SDB_READ, SDB_FOR_OTHER, &f, &err), &err);
    test_ok(sdb_file_read_all(f, out, &err), &err);
    sdb_file_close(f);
}

static void overwrite(struct rig *g, const char *path, seerdb_slice bytes)
{
    seerdb_err err = {0};
    test_ok(sdb_fs_replace(g->fs, "d", path, bytes, SDB_FOR_OTHER, &err), &err);
}

/* ---- the ordinary life ---------------------------------------------------- */

static void a_new_manifest_starts_the_numbers(void **state)
{
    (void)state;
    struct rig g;
    struct sdb_buf b = {0};
    rig_init(&g);
    create(&g);
    reload(&g);
    const struct sdb_catalog *c = sdb_manifest_catalog(g.m);
    assert_memory_equal(&c->store, &store, sizeof store);
    assert_int_equal(c->number_ceiling, 1);
    assert_int_equal(c->file_ceiling, 2);
    assert_int_equal(c->next_tree, 1);
    assert_int_equal(c->ntrees, 0);
    assert_int_equal(sdb_manifest_file(g.m), 1);
    read_whole(&g, "d/CURRENT", &b);
    test_slice_equal(sdb_buf_slice(&b), test_slice("000001.man\n"));
    sdb_buf_fini(&b);
    rig_fini(&g);
}

static void a_directory_without_current_has_no_manifest(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    rig_init(&g);
    assert_int_equal(sdb_manifest_load(g.fs, "d", &g.m, &err), SEERDB_NOTFOUND);
    assert_int_equal(err.code, 0);
    assert_null(g.m);
    rig_fini(&g);
}

static void random_edits_come_back_over_many_manifests(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct rig g;
        seerdb_err err = {0};
        struct sdb_rand r = {seed};
        struct sdb_edit e = {{0}};
        rig_init(&g);
        create(&g);
        for (int i = 0; i < 700; i++) {
            sdb_buf_clear(&e.bytes);
            random_edit(&g, &r, &e);
            test_ok(append(&g, &e, &err), &err);
            if (i % 100 == 0) {
                describe(g.m, &g.before);
                reload(&g);
                describe(g.m, &g.after);
                test_slice_equal(sdb_buf_slice(&g.after), sdb_buf_slice(&g.before));
            }
        }
        assert_true(sdb_manifest_file(g.m) > 2);
        assert_int_equal(count_manifests(&g), 1);
        sdb_edit_fini(&e);
        rig_fini(&g);
    }
}

static void an_edit_that_makes_no_sense_never_reaches_the_disk(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    struct sdb_edit e = {{0}};
    rig_init(&g);
    create(&g);
    sdb_edit_tree_drop(&e, 77);
    test_fails(append(&g, &e, &err), SEERDB_CORRUPT, &err);
    test_fails(append_floor(&g, 9, &err), SEERDB_CORRUPT, &err);
    reload(&g);
    describe(g.m, &g.after);
    test_slice_equal(sdb_buf_slice(&g.after), sdb_buf_slice(&g.before));
    test_ok(append_floor(&g, 9, &err), &err);
    sdb_edit_fini(&e);
    rig_fini(&g);
}

/* ---- crashes -------------------------------------------------------------- */

struct cutter {
    struct rig *g;
    uint64_t countdown; /* 0: not armed */
    enum sdb_cut_mode mode;
    uint64_t seed;
};

static void cut_when_due(void *ctx, enum sdb_fault_op op, const char *path)
{
    struct cutter *c = ctx;
    (void)op;
    (void)path;
    if (c->countdown == 0 || --c->countdown > 0)
        return;
    sdb_memfs_cut(c->g->mem, c->mode, c->seed);
    /* The process is dead, too: nothing that it still does may count. */
    struct sdb_fault dead = {.ops = SDB_FAULT_ALL, .times = UINT64_MAX, .error = 5};
    sdb_faultfs_arm(c->g->fs, &dead);
}

/* What there is now is the state of the last append or of the one that failed. */
static void check_either(struct rig *g)
{
    struct sdb_buf now = {0};
    describe(g->m, &now);
    bool same =
        now.size == g->before.size && memcmp(now.data, g->before.data, now.size) == 0;
    if (!same)
        test_slice_equal(sdb_buf_slice(&now), sdb_buf_slice(&g->after));
    sdb_buf_fini(&g->before);
    g->before = now;
}

static void
a_power_cut_at_any_write_or_sync_leaves_every_acknowledged_edit(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rig g;
        struct sdb_edit e = {{0}};
        struct sdb_rand r = {seed};
        rig_init(&g);
        create(&g);
        struct cutter c = {.g = &g};
        sdb_faultfs_observe(g.fs, cut_when_due, &c);
        for (int generation = 0; generation < 4; generation++) {
            seerdb_err err = {0};
            c.mode = sdb_rand_below(&r, 4) == 0 ? SDB_CUT_DROP : SDB_CUT_RANDOM;
            c.seed = sdb_rand_next(&r);
            c.countdown = 1 + sdb_rand_below(&r, generation == 2 ? 500 : 20);
            for (int rc = 0; rc == 0;) {
                sdb_buf_clear(&e.bytes);
                random_edit(&g, &r, &e);
                rc = append(&g, &e, &err);
                if (c.countdown == 0) /* whatever a dead process believes */
                    rc = SEERDB_IOERR;
                describe(g.m, rc == 0 ? &g.before : &g.after);
            }
            c.countdown = 0;
            sdb_faultfs_arm(g.fs, &(struct sdb_fault){0});
            reload(&g);
            check_either(&g);
            /* And it stays so, now that somebody has seen it. */
            sdb_memfs_cut(g.mem, SDB_CUT_DROP, 1);
            reload(&g);
            describe(g.m, &g.after);
            test_slice_equal(sdb_buf_slice(&g.after), sdb_buf_slice(&g.before));
        }
        sdb_edit_fini(&e);
        rig_fini(&g);
    }
}

static void an_edit_that_was_seen_by_loading_survives_a_power_cut(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    rig_init(&g);
    create(&g);
    struct sdb_fault fault = {.ops = SDB_FAULT_SYNC, .times = 1, .error = 5};
    sdb_faultfs_arm(g.fs, &fault);
    test_fails(append_floor(&g, 9, &err), SEERDB_IOERR, &err);
    reload(&g); /* written, not synced by then */
    assert_int_equal(sdb_manifest_catalog(g.m)->log_floor, 9);
    sdb_memfs_cut(g.mem, SDB_CUT_DROP, 1);
    reload(&g);
    assert_int_equal(sdb_manifest_catalog(g.m)->log_floor, 9);
    rig_fini(&g);
}

static void a_torn_last_edit_is_trimmed_and_the_next_goes_to_a_new_file(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    rig_init(&g);
    create(&g);
    test_ok(append_floor(&g, 9, &err), &err);
    struct sdb_fault fault = {
        .ops = SDB_FAULT_WRITE, .times = 1, .error = 5, .torn = true};
    sdb_faultfs_arm(g.fs, &fault);
    test_fails(append_floor(&g, 10, &err), SEERDB_IOERR, &err);
    reload(&g);
    assert_int_equal(sdb_manifest_catalog(g.m)->log_floor, 9);
    assert_int_equal(sdb_manifest_file(g.m), 1);
    test_ok(append_floor(&g, 11, &err), &err);
    assert_int_equal(sdb_manifest_file(g.m), 2);
    assert_int_equal(count_manifests(&g), 1);
    test_ok(append_floor(&g, 12, &err), &err);
    assert_int_equal(sdb_manifest_file(g.m), 2);
    reload(&g);
    assert_int_equal(sdb_manifest_catalog(g.m)->log_floor, 12);
    assert_int_equal(sdb_manifest_catalog(g.m)->file_ceiling,
                     3); /* raised for file 2 */
    rig_fini(&g);
}

static void a_creation_cut_off_anywhere_can_be_repeated(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 8; n++) {
        struct rig g;
        seerdb_err err = {0};
        rig_init(&g);
        struct cutter c = {.g = &g, .countdown = n, .mode = SDB_CUT_RANDOM, .seed = n};
        sdb_faultfs_observe(g.fs, cut_when_due, &c);
        int rc = sdb_manifest_create(g.fs, "d", &store, &g.m, &err);
        assert_true(rc == 0 || c.countdown == 0);
        sdb_manifest_close(g.m);
        g.m = NULL;
        err = (seerdb_err){0};
        c.countdown = 0;
        sdb_faultfs_arm(g.fs, &(struct sdb_fault){0});
        rc = load(&g, &err);
        if (rc == SEERDB_NOTFOUND)
            create(&g);
        else
            test_ok(rc, &err);
        test_ok(append_floor(&g, 3, &err), &err);
        reload(&g);
        rig_fini(&g);
    }
}

/* ---- reading only ---------------------------------------------------------- */

static void loading_changes_nothing_and_notices_what_others_append(void **state) NO_TSA
{
    (void)state;
    static const int appends[] = {0, 1, 2}; /* 2: to a new file */
    for (size_t i = 0; i < sizeof appends / sizeof *appends; i++) {
        struct rig g;
        seerdb_err err = {0};
        struct sdb_manifest *reader = NULL;
        struct sdb_edit e = {{0}};
        bool changed = true;
        rig_init(&g);
        create(&g);
        test_ok(append_floor(&g, 3, &err), &err);
        sdb_faultfs_arm(g.fs, &(struct sdb_fault){.ops = SDB_FAULT_CHANGE});
        test_ok(sdb_manifest_load(g.fs, "d", &reader, &err), &err);
        assert_int_equal(sdb_manifest_catalog(reader)->log_floor, 3);
        test_ok(sdb_manifest_look(reader, &changed, &err), &err);
        assert_false(changed);
        assert_int_equal(sdb_faultfs_seen(g.fs), 0);
        if (appends[i] == 1)
            test_ok(append_floor(&g, 4, &err), &err);
        if (appends[i] == 2) {
            add_tree(&e, 1);
            for (int k = 0; k < 2000; k++)
                add_table(&e, 1, g.next_table++);
            test_ok(append(&g, &e, &err), &err);
            assert_true(sdb_manifest_file(g.m) > 1);
        }
        test_ok(sdb_manifest_look(reader, &changed, &err), &err);
        assert_int_equal(changed, appends[i] > 0);
        sdb_manifest_close(reader);
        sdb_edit_fini(&e);
        rig_fini(&g);
    }
}

static void a_beginning_that_fails_can_be_repeated(void **state) NO_TSA
{
    (void)state;
    for (uint64_t after = 0;; after++) {
        struct rig g;
        seerdb_err err = {0};
        rig_init(&g);
        create(&g);
        test_ok(append_floor(&g, 3, &err), &err);
        sdb_manifest_close(g.m);
        g.m = NULL;
        test_ok(sdb_manifest_load(g.fs, "d", &g.m, &err), &err);
        sdb_faultfs_arm(
            g.fs, &(struct sdb_fault){
                      .ops = SDB_FAULT_CHANGE, .after = after, .times = 1, .error = 5});
        int rc = sdb_manifest_begin(g.m, &err);
        bool fired = sdb_faultfs_fired(g.fs) > 0;
        sdb_faultfs_arm(g.fs, &(struct sdb_fault){0});
        assert_int_equal(rc, fired ? SEERDB_IOERR : 0);
        err = (seerdb_err){0};
        test_ok(sdb_manifest_begin(g.m, &err), &err);
        test_ok(append_floor(&g, 4, &err), &err);
        reload(&g);
        assert_int_equal(sdb_manifest_catalog(g.m)->log_floor, 4);
        rig_fini(&g);
        if (!fired)
            break;
        assert_true(after < 10);
    }
}

/* ---- damage --------------------------------------------------------------- */

static void no_flipped_byte_alters_the_catalog(void **state)
{
    (void)state;
    struct rig g;
    seerdb_err err = {0};
    struct sdb_buf whole = {0};
    struct sdb_edit e = {{0}};
    rig_init(&g);
    create(&g);
    add_tree(&e, 1);
    add_table(&e, 1, 50);
    test_ok(append(&g, &e, &err), &err);
    describe(g.m, &g.before); /* without the last edit */
    test_ok(append_floor(&g, 9, &err), &err);
    describe(g.m, &g.after);
    sdb_manifest_close(g.m);
    g.m = NULL;
    read_whole(&g, "d/000001.man", &whole);
    size_t intact = 0, trimmed = 0;
    for (size_t i = 0; i < whole.size; i++) {
        assert_int_equal(sdb_memfs_flip(g.mem, "d/000001.man", i, (unsigned)(i % 8)),
                         0);
        int rc = sdb_manifest_load(g.fs, "d", &g.m, &err);
        if (rc != 0) {
            test_fails(rc, SEERDB_CORRUPT, &err);
        } else {
            struct sdb_buf now = {0};
            describe(g.m, &now);
            bool all = now.size == g.after.size &&
                       memcmp(now.data, g.after.data, now.size) == 0;
            if (!all)
                test_slice_equal(sdb_buf_slice(&now), sdb_buf_slice(&g.before));
            intact += all;
            trimmed += !all;
            sdb_buf_fini(&now);
        }
        sdb_manifest_close(g.m);
        g.m = NULL;
        assert_int_equal(sdb_memfs_flip(g.mem, "d/000001.man", i, (unsigned)(i % 8)),
                         0);
    }
    /* Only the last frame may go, only what is skipped means nothing. */
    assert_int_equal(trimmed, whole.size - 1024);
    assert_true(intact < 1024 - 64 - 2 * SDB_FRAME_HEADER);
    sdb_buf_fini(&whole);
    sdb_edit_fini(&e);
    rig_fini(&g);
}

static void a_current_that_names_no_manifest_is_corrupt(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\n",
        "000001.man",
        "000001.man\n\n",
        "1.man\n",
        "000001.log\n",
        "../d/000001.man\n",
        "000002.man\n", /* missing */
        "000000000000000000000000000000000000000000.man\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rig g;
        seerdb_err err = {0};
        rig_init(&g);
        create(&g);
        sdb_manifest_close(g.m);
        g.m = NULL;
        overwrite(&g, "d/CURRENT", test_slice(bad[i]));
        test_fails(sdb_manifest_load(g.fs, "d", &g.m, &err), SEERDB_CORRUPT, &err);
        overwrite(&g, "d/CURRENT", (seerdb_slice){"000001.man\0\n", 12});
        test_fails(sdb_manifest_load(g.fs, "d", &g.m, &err), SEERDB_CORRUPT, &err);
        rig_fini(&g);
    }
}

static void a_manifest_of_another_kind_number_or_store_is_corrupt(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        struct rig g;
        seerdb_err err = {0};
        struct sdb_buf b = {0};
        struct sdb_edit e = {{0}};
        struct sdb_log_header h = {
            .kind = SDB_FILE_MANIFEST, .store = store, .number = 1};
        rig_init(&g);
        create(&g);
        sdb_edit_snapshot(&e, sdb_manifest_catalog(g.m));
        sdb_manifest_close(g.m);
        g.m = NULL;
        struct sdb_frame f = {.type = 1, .payload = sdb_buf_slice(&e.bytes)};
        if (what == 1)
            h.kind = SDB_FILE_LOG;
        if (what == 2)
            h.number = 2;
        if (what == 3)
            h.store.bytes[0] ^= 1;
        sdb_log_header_encode(&b, &h);
        sdb_frame_encode(&b, sdb_frame_seed(&h.store, h.kind, h.number), 64, &f);
        overwrite(&g, "d/000001.man", sdb_buf_slice(&b));
        int rc = sdb_manifest_load(g.fs, "d", &g.m, &err);
        test_fails(rc, what == 0 ? 0 : SEERDB_CORRUPT, &err);
        sdb_edit_fini(&e);
        sdb_buf_fini(&b);
        rig_fini(&g);
    }
}

/* ---- failures ------------------------------------------------------------- */

/* Edits until a rollover has happened; stops at the first failure. */
static int live(struct rig *g, seerdb_err *err)
{
    struct sdb_edit e = {{0}};
    int rc = load(g, err);
    for (int i = 0; rc == 0 && i < 4; i++) {
        sdb_buf_clear(&e.bytes);
        uint64_t tree = sdb_manifest_catalog(g->m)->next_tree;
        add_tree(&e, tree);
        for (int k = 0; k < 400; k++) /* some 25 KB */
            add_table(&e, tree, g->next_table++);
        rc = sdb_buf_check(&e.bytes, err);
        if (rc != 0)
            break;
        if ((rc = append(g, &e, err)) == 0)
            describe(g->m, &g->before);
    }
    sdb_edit_fini(&e);
    return rc;
}

static void every_operation_may_fail_and_no_acknowledged_edit_is_lost(void **state)
{
    (void)state;
    static const unsigned ops[] = {SDB_FAULT_OPEN, SDB_FAULT_READ, SDB_FAULT_WRITE,
                                   SDB_FAULT_SYNC, SDB_FAULT_META};
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
        for (uint64_t after = 0;; after++) {
            struct rig g;
            seerdb_err err = {0};
            rig_init(&g);
            create(&g);
            sdb_manifest_close(g.m);
            g.m = NULL;
            struct sdb_fault fault = {
                .ops = ops[k], .after = after, .times = 1, .error = 5, .torn = true};
            sdb_faultfs_arm(g.fs, &fault);
            int rc = live(&g, &err);
            bool fired = sdb_faultfs_fired(g.fs) > 0;
            sdb_faultfs_arm(g.fs, &(struct sdb_fault){0});
            if (g.m != NULL && rc != 0)
                describe(g.m, &g.after); /* with the edit that failed */
            /* The one operation that may: the removal of the old manifest. */
            if (fired && rc == 0 && ops[k] != SDB_FAULT_META)
                fail_msg("operation kind %u number %d failed in silence", ops[k],
                         (int)after);
            if (!fired)
                assert_true(sdb_manifest_file(g.m) > 1);
            err = (seerdb_err){0};
            if (g.m != NULL && rc != 0)
                test_fails(append_floor(&g, 1, &err), SEERDB_IOERR, &err);
            sdb_memfs_cut(g.mem, SDB_CUT_RANDOM, after);
            reload(&g);
            check_either(&g);
            rig_fini(&g);
            if (!fired)
                break;
        }
    }
}

static void every_allocation_may_fail_and_no_acknowledged_edit_is_lost(void **state)
{
    (void)state;
    for (int64_t after = 0;; after += after < 100 ? 1 : 37) {
        struct rig g;
        seerdb_err err = {0};
        rig_init(&g);
        sdb_mem_fail_after(after);
        int rc = sdb_manifest_create(g.fs, "d", &store, &g.m, &err);
        sdb_mem_fail_after(-1);
        sdb_manifest_close(g.m);
        g.m = NULL;
        err = (seerdb_err){0};
        if (rc != 0)
            rc = load(&g, &err);
        if (rc == SEERDB_NOTFOUND)
            create(&g);
        reload(&g);
        err = (seerdb_err){0};
        struct sdb_edit e = {{0}};
        add_tree(&e, 1);
        sdb_mem_fail_after(after);
        rc = append(&g, &e, &err);
        sdb_mem_fail_after(-1);
        describe(g.m, &g.after);
        err = (seerdb_err){0};
        reload(&g);
        assert_true(rc != 0 || sdb_manifest_catalog(g.m)->ntrees == 1);
        sdb_edit_fini(&e);
        rig_fini(&g);
        if (rc == 0 && after > 60)
            break;
        assert_true(after < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_manifest_starts_the_numbers),
        cmocka_unit_test(a_directory_without_current_has_no_manifest),
        cmocka_unit_test(random_edits_come_back_over_many_manifests),
        cmocka_unit_test(an_edit_that_makes_no_sense_never_reaches_the_disk),
        cmocka_unit_test(
            a_power_cut_at_any_write_or_sync_leaves_every_acknowledged_edit),
        cmocka_unit_test(an_edit_that_was_seen_by_loading_survives_a_power_cut),
        cmocka_unit_test(a_torn_last_edit_is_trimmed_and_the_next_goes_to_a_new_file),
        cmocka_unit_test(a_creation_cut_off_anywhere_can_be_repeated),
        cmocka_unit_test(loading_changes_nothing_and_notices_what_others_append),
        cmocka_unit_test(a_beginning_that_fails_can_be_repeated),
        cmocka_unit_test(no_flipped_byte_alters_the_catalog),
        cmocka_unit_test(a_current_that_names_no_manifest_is_corrupt),
        cmocka_unit_test(a_manifest_of_another_kind_number_or_store_is_corrupt),
        cmocka_unit_test(every_operation_may_fail_and_no_acknowledged_edit_is_lost),
        cmocka_unit_test(every_allocation_may_fail_and_no_acknowledged_edit_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
