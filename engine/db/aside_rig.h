/* SPDX-License-Identifier: Apache-2.0
 *
 * aside_rig -- for the tests of side files: a store, a marked tree, and its owner,
 * which is the test. */
#ifndef SDB_DB_ASIDE_RIG_H
#define SDB_DB_ASIDE_RIG_H

#include "testing.h"

#include "db/aside.h"
#include "db/job.h"
#include "db/state.h"
#include "log/side.h"

#include <errno.h>

/* A store with a marked tree whose owner is the test. */
struct owner {
    struct bed bed;
    seerdb_tree *tree;
    seerdb_uuid id;
    uint64_t marker;
    _Atomic bool mute;    /* does not decide, but for */
    _Atomic unsigned but; /* so many times */
    bool asides;
    uint64_t made; /* side files, in all sessions */
};

static inline int decide(void *ctx, uint64_t below, seerdb_err *err)
{
    struct owner *o = ctx;
    (void)below;
    if (o->mute && o->but > 0) {
        o->but--;
        return 0;
    }
    return o->mute ? sdb_fail(err, SEERDB_IOERR, "the owner's disk fails") : 0;
}

/* Until the jobs that can run have. */
static inline void wait_for_jobs(seerdb *db) NO_TSA
{
    sdb_lock_db(&db->lock);
    while (db->jobs != NULL && !sdb_job_all_busy(db) && db->bg_err.code == 0)
        sdb_cond_wait(&db->progress, &db->lock);
    sdb_unlock_db(&db->lock);
}

static inline void aside_now(struct owner *o)
{
    double before = stat_of(o->bed.db, NULL, "asides");
    sdb_aside_all(o->bed.db);
    wait_for_jobs(o->bed.db);
    o->made += (uint64_t)(stat_of(o->bed.db, NULL, "asides") - before);
}

/* So that twins give out the same numbers. */
static inline void reserve(seerdb *db)
{
    seerdb_err err = {0};
    sdb_lock_write(&db->write_lock);
    test_ok(sdb_reserve(db, &err), &err);
    sdb_unlock_write(&db->write_lock);
}

static inline void enter(struct owner *o)
{
    seerdb_err err = {0};
    bed_open_ok(&o->bed);
    reserve(o->bed.db);
    seerdb_uuid id = uuid_of(1);
    seerdb_tree_options t = {.id = id,
                             .owner = o->id,
                             .name = "t",
                             .value_log = test_value_log(),
                             .marked = true};
    if (seerdb_tree_open(o->bed.db, &id, &o->tree, &err) == SEERDB_NOTFOUND)
        test_ok(seerdb_tree_create(o->bed.db, &t, &o->tree, &err), &err);
    test_ok(seerdb_set_decider(o->bed.db, &o->id, decide, o, &err), &err);
}

static inline void leave(struct owner *o, bool crash)
{
    seerdb_tree_close(o->tree);
    o->tree = NULL;
    if (crash)
        bed_crash(&o->bed);
    else
        bed_close(&o->bed);
}

static inline void owner_init(struct owner *o, bool asides)
{
    *o = (struct owner){.id = {{1}}, .asides = asides};
    bed_init(&o->bed);
    o->bed.o.history_ms = 1;
    enter(o);
}

static inline void owner_fini(struct owner *o)
{
    if (o->tree != NULL)
        leave(o, false);
    bed_fini(&o->bed);
}

/* Prepare the words as one commit, spilled if they begin with !, and commit or roll
 * back.  Returns its number. */
static inline uint64_t write_as(struct owner *o, const char *words, bool stands)
{
    bool spilled = words[0] == '!';
    seerdb_err err = {0};
    uint64_t number;
    seerdb_batch *b = new_batch(o->bed.db);
    test_ok(seerdb_batch_expect(b, o->tree, o->marker, 0, NULL, &err), &err);
    add(b, o->tree, words + spilled);
    if (spilled)
        test_ok(seerdb_batch_spill(b, &err), &err);
    test_ok(seerdb_prepare(b, SEERDB_SYNC_FULL, &number, &err), &err);
    if (stands) {
        seerdb_commit(b);
        o->marker = number;
    } else {
        test_ok(seerdb_rollback(b, &err), &err);
    }
    seerdb_batch_free(b);
    return number;
}

static inline int flush_tree(struct owner *o)
{
    seerdb_err err = {0};
    int rc = seerdb_flush(o->bed.db, o->tree, &err);
    if (rc != 0 && rc != SEERDB_BUSY)
        fail_msg("a flush answers %d: %s", rc, err.msg);
    return rc;
}

/* What a reader with this marker sees, or the words of the refusal. */
static inline int show_at(struct owner *o, uint64_t marker, char *out, size_t room)
{
    seerdb_err err = {0};
    seerdb_view *v = NULL;
    seerdb_iter *it = NULL;
    int rc = seerdb_view_open_at(o->tree, marker, 0, &v, &err);
    if (rc == 0) {
        test_ok(seerdb_iter_open(v, NULL, 0, &it, &err), &err);
        dump_iter(it, true, out, room);
        seerdb_iter_close(it);
        seerdb_view_close(v);
    } else {
        snprintf(out, room, "%s", err.msg);
    }
    return rc;
}

static inline void expect_at(struct owner *o, uint64_t marker, const char *words)
{
    char got[4096];
    if (show_at(o, marker, got, sizeof got) != 0)
        fail_msg("marker %" PRIu64 ": %s", marker, got);
    assert_string_equal(got, words);
}

/* ---- lives ------------------------------------------------------------------- */

/* A life: `c words` commits, `r words` rolls back, `k words` rolls back but the owner
 * keeps it after the next crash; F flushes, X makes the owner mute, Y ends that, A
 * copies aside, L loses the owner's last commit but one (a later `c` shows an older
 * marker), R crashes and opens, C closes and opens; B: the owner's marker is of a
 * commit that the store lost. */
static inline void step(struct owner *o, const char *s, uint64_t *last)
{
    switch (s[0]) {
    case 'c':
        *last = write_as(o, s + 2, true);
        break;
    case 'r':
        *last = write_as(o, s + 2, false);
        break;
    case 'k':
        *last = o->marker = write_as(o, s + 2, false);
        break;
    case 'F':
        (void)flush_tree(o);
        break;
    case 'X':
        o->mute = true;
        break;
    case 'Y':
        o->mute = false;
        break;
    case 'A':
        if (o->asides)
            aside_now(o);
        break;
    case 'B':
        leave(o, true);
        enter(o);
        o->marker += 3;
        break;
    case 'C':
        o->mute = false;
        leave(o, false);
        enter(o);
        break;
    case 'R': /* mute to the end, or a flush that waits gets through before it */
        leave(o, true);
        o->mute = false;
        enter(o);
        break;
    default:
        fail_msg("no such step: %s", s);
    }
}

/* Returns the greatest number that was given out. */
static inline uint64_t live(struct owner *o, const char *life)
{
    char s[64];
    uint64_t last = 0;
    while (*life != '\0') {
        size_t n = strcspn(life, ";");
        assert_true(n < sizeof s);
        memcpy(s, life, n);
        s[n] = '\0';
        step(o, s, &last);
        life += n + (life[n] == ';');
    }
    return last > o->marker ? last : o->marker;
}

static inline void put_large(seerdb_tree *t, const struct owner *o, uint64_t *marker,
                             unsigned i)
{
    seerdb_err err = {0};
    char key[16], value[2000];
    (void)o;
    seerdb_batch *b = new_batch(seerdb_tree_store(t));
    memset(value, 'v', sizeof value);
    snprintf(key, sizeof key, "%05u", i % 1000);
    test_ok(seerdb_batch_expect(b, t, *marker, 0, NULL, &err), &err);
    test_ok(seerdb_batch_put(b, t, test_slice(key), (seerdb_slice){value, sizeof value},
                             &err),
            &err);
    test_ok(seerdb_prepare(b, SEERDB_SYNC_OFF, marker, &err), &err);
    seerdb_commit(b);
    seerdb_batch_free(b);
}

static inline seerdb_tree *other_tree(struct owner *o, struct owner *other)
{
    seerdb_err err = {0};
    seerdb_tree *t = NULL;
    seerdb_uuid id = uuid_of(2);
    *other = (struct owner){.id = {{2}}};
    seerdb_tree_options options = {.id = id,
                                   .owner = other->id,
                                   .name = "u",
                                   .value_log = test_value_log(),
                                   .marked = true};
    if (seerdb_tree_open(o->bed.db, &id, &t, &err) == SEERDB_NOTFOUND)
        test_ok(seerdb_tree_create(o->bed.db, &options, &t, &err), &err);
    test_ok(seerdb_set_decider(o->bed.db, &other->id, decide, other, &err), &err);
    return t;
}

#endif
