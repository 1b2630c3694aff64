/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/memtable.h"

#include "base/mem.h"
#include "base/rand.h"
#include "os/clock.h"
#include "os/thread.h"
#include "test.h"

#include <stdatomic.h>
#include <stdlib.h>

/* ---- a naive model: sorted keys, each with all its versions --------------- */

#define VALUE_MAX 40

struct model_key {
    seerdb_slice key;  /* owned */
    uint64_t *numbers; /* owned; rising; an odd number's version is a tombstone */
    size_t n;
};

struct model {
    struct model_key *keys; /* owned; sorted, no two equal */
    size_t n;
    uint64_t number; /* of the last write */
    uint64_t tombstones;
};

static int compare_keys(const void *a, const void *b)
{
    return sdb_slice_cmp(((const struct model_key *)a)->key,
                         ((const struct model_key *)b)->key);
}

static seerdb_slice random_text(struct sdb_rand *rand, const char *prefix, size_t max,
                                const char *alphabet, size_t nalphabet)
{
    size_t n = strlen(prefix), size = n + sdb_rand_below(rand, max + 1);
    uint8_t *p = sdb_mem_alloc(size);
    assert_non_null(p);
    memcpy(p, prefix, n);
    for (size_t i = n; i < size; i++)
        p[i] = (uint8_t)alphabet[sdb_rand_below(rand, nalphabet)];
    return (seerdb_slice){p, size};
}

enum shape { BYTES, SHARED, TIES, NESTED, LONG, MIXED, SHAPES };

static seerdb_slice random_key(struct sdb_rand *rand, enum shape shape)
{
    switch (shape) {
    case BYTES: /* among them the empty key, zeros and 0xff at both ends */
        return random_text(rand, "", 12, "\0\1a\377", 4);
    case SHARED:
        return random_text(rand, "a/shared/prefix/", 7, "0123456789", 10);
    case TIES: /* nothing to tell apart within eight bytes */
        return random_text(rand, "p12345678", 9, "ab", 2);
    case NESTED:
        return random_text(rand, "", 200, "a", 1);
    case LONG:
        return random_text(rand, "k", SEERDB_KEY_MAX - 1, "k", 1);
    default:
        return random_key(rand, (enum shape)sdb_rand_below(rand, NESTED + 1));
    }
}

static void model_init(struct model *mo, struct sdb_rand *rand, enum shape shape,
                       size_t n)
{
    *mo = (struct model){.keys = sdb_array_new(n, sizeof *mo->keys)};
    assert_non_null(mo->keys);
    for (size_t i = 0; i < n; i++)
        mo->keys[i].key = random_key(rand, shape);
    qsort(mo->keys, n, sizeof *mo->keys, compare_keys);
    for (size_t i = 0; i < n; i++) {
        if (mo->n > 0 && compare_keys(&mo->keys[mo->n - 1], &mo->keys[i]) == 0) {
            union {
                const void *borrowed;
                void *owned;
            } p = {mo->keys[i].key.data};
            sdb_mem_free(p.owned);
        } else {
            mo->keys[mo->n++] = mo->keys[i];
        }
    }
}

static void model_fini(struct model *mo)
{
    for (size_t i = 0; i < mo->n; i++) {
        union {
            const void *borrowed;
            void *owned;
        } p = {mo->keys[i].key.data};
        sdb_mem_free(p.owned);
        sdb_mem_free(mo->keys[i].numbers);
    }
    sdb_mem_free(mo->keys);
}

static enum sdb_kind kind_of(uint64_t number)
{
    return number % 5 == 0 ? SDB_KIND_TOMBSTONE : SDB_KIND_VALUE;
}

/* The value that the write of this number has: its size and bytes follow from it. */
static seerdb_slice value_of(uint64_t number, uint8_t buf[VALUE_MAX])
{
    memset(buf, (int)(number & 0xff), VALUE_MAX);
    bool none = kind_of(number) == SDB_KIND_TOMBSTONE;
    return (seerdb_slice){buf, none ? 0 : number % VALUE_MAX};
}

static struct sdb_record record_of(seerdb_slice key, uint64_t number,
                                   uint8_t buf[VALUE_MAX])
{
    return (struct sdb_record){.key = key,
                               .number = number,
                               .kind = kind_of(number),
                               .value = value_of(number, buf)};
}

static int write_key(struct sdb_memtable *m, seerdb_slice key, uint64_t number,
                     seerdb_err *err)
{
    uint8_t buf[VALUE_MAX];
    struct sdb_record r = record_of(key, number, buf);
    return sdb_memtable_insert(m, &r, err);
}

static void model_note(struct model *mo, size_t i)
{
    struct model_key *k = &mo->keys[i];
    k->numbers = sdb_array_grow(k->numbers, k->n + 1, sizeof *k->numbers);
    assert_non_null(k->numbers);
    k->numbers[k->n++] = mo->number;
    mo->tombstones += kind_of(mo->number) == SDB_KIND_TOMBSTONE ? 1 : 0;
}

static void write_both(struct sdb_memtable *m, struct model *mo, size_t i)
{
    seerdb_err err = {0};
    mo->number++;
    test_ok(write_key(m, mo->keys[i].key, mo->number, &err), &err);
    model_note(mo, i);
}

struct reader {
    const struct model *mo;
    uint64_t ceiling;
    const struct sdb_hidden *hidden;
    uint64_t raise;
    struct sdb_iter *it;
    int64_t key; /* the model's position; -1: none */
    size_t version;
};

static bool model_sees(const struct reader *r, uint64_t number)
{
    for (size_t i = 0; r->hidden != NULL && i < r->hidden->n; i++)
        if (number >= r->hidden->ranges[i].from && number < r->hidden->ranges[i].to)
            return false;
    return number <= r->ceiling;
}

/* Versions of key i below `end` that r sees: the index of the newest plus one, or 0. */
static size_t model_version(const struct reader *r, size_t i, size_t end)
{
    while (end > 0 && !model_sees(r, r->mo->keys[i].numbers[end - 1]))
        end--;
    return end;
}

/* Move the model from key i in steps until it sees something; false at an end. */
static bool model_settle(struct reader *r, int64_t i, int64_t step)
{
    for (; i >= 0 && i < (int64_t)r->mo->n; i += step) {
        size_t v = model_version(r, (size_t)i, r->mo->keys[i].n);
        if (v > 0) {
            r->key = i;
            r->version = v - 1;
            return true;
        }
    }
    r->key = -1;
    return false;
}

/* The first key >= key, maybe n. */
static int64_t model_bound(const struct model *mo, seerdb_slice key)
{
    int64_t lo = 0, hi = (int64_t)mo->n;
    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        if (sdb_slice_cmp(mo->keys[mid].key, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The iterator's answer must be the model's. */
static void same_place(struct reader *r, int rc, bool found)
{
    uint8_t buf[VALUE_MAX];
    assert_int_equal(rc, found ? 0 : SEERDB_NOTFOUND);
    if (!found)
        return;
    uint64_t number = r->mo->keys[r->key].numbers[r->version];
    test_slice_equal(r->it->at.key, r->mo->keys[r->key].key);
    assert_int_equal(r->it->at.number, number + r->raise);
    assert_int_equal(r->it->at.kind, kind_of(number));
    test_slice_equal(r->it->at.value, value_of(number, buf));
}

static void random_step(struct reader *r, struct sdb_rand *rand)
{
    const struct sdb_iter_ops *ops = r->it->ops;
    seerdb_slice key = r->mo->keys[sdb_rand_below(rand, r->mo->n)].key;
    if (sdb_rand_below(rand, 3) == 0 && key.size > 0)
        key.size = sdb_rand_below(rand, key.size); /* between keys, mostly */
    int64_t bound = model_bound(r->mo, key), n = (int64_t)r->mo->n;
    bool at = bound < n && sdb_slice_equal(r->mo->keys[bound].key, key);
    uint64_t what = sdb_rand_below(rand, 40);
    if (what == 0) {
        same_place(r, ops->first(r->it, NULL), model_settle(r, 0, 1));
    } else if (what == 1) {
        same_place(r, ops->last(r->it, NULL), model_settle(r, n - 1, -1));
    } else if (what == 2 || (r->key < 0 && what % 2 == 0)) {
        same_place(r, ops->seek(r->it, key, NULL), model_settle(r, bound, 1));
    } else if (what == 3 || r->key < 0) {
        same_place(r, ops->seek_for_prev(r->it, key, NULL),
                   model_settle(r, at ? bound : bound - 1, -1));
    } else if (what < 10) {
        size_t v = model_version(r, (size_t)r->key, r->version);
        int rc = r->it->ops->older(r->it, NULL);
        if (v > 0)
            r->version = v - 1;
        same_place(r, rc, v > 0);
    } else if (what < 25) {
        same_place(r, ops->next(r->it, NULL), model_settle(r, r->key + 1, 1));
    } else {
        same_place(r, ops->prev(r->it, NULL), model_settle(r, r->key - 1, -1));
    }
}

static void walk_all(struct reader *r)
{
    int rc = r->it->ops->first(r->it, NULL);
    bool found = model_settle(r, 0, 1);
    for (same_place(r, rc, found); found; same_place(r, rc, found)) {
        rc = r->it->ops->next(r->it, NULL);
        found = model_settle(r, r->key + 1, 1);
    }
    rc = r->it->ops->last(r->it, NULL);
    found = model_settle(r, (int64_t)r->mo->n - 1, -1);
    for (same_place(r, rc, found); found; same_place(r, rc, found)) {
        rc = r->it->ops->prev(r->it, NULL);
        found = model_settle(r, r->key - 1, -1);
    }
}

static void get_all(struct sdb_memtable *m, const struct reader *r)
{
    for (size_t i = 0; i < r->mo->n; i++) {
        const struct model_key *k = &r->mo->keys[i];
        struct sdb_found found = {.pin = NULL};
        uint8_t buf[VALUE_MAX];
        size_t v = model_version(r, i, k->n);
        int rc = sdb_memtable_get(m, k->key, r->ceiling, r->hidden, &found);
        assert_int_equal(rc, v > 0 ? 0 : SEERDB_NOTFOUND);
        if (rc != 0)
            continue;
        assert_int_equal(found.number, k->numbers[v - 1]);
        assert_int_equal(found.kind, kind_of(found.number));
        test_slice_equal(found.value, value_of(found.number, buf));
        assert_ptr_equal(found.pin, sdb_memtable_pin(m));
        seerdb_pin_unref(found.pin);
    }
}

static struct reader open_reader(struct sdb_memtable *m, const struct model *mo,
                                 uint64_t ceiling, const struct sdb_hidden *hidden,
                                 uint64_t raise)
{
    struct reader r = {
        .mo = mo, .ceiling = ceiling, .hidden = hidden, .raise = raise, .key = -1};
    seerdb_err err = {0};
    test_ok(sdb_memtable_iter(m, ceiling, hidden, raise, &r.it, &err), &err);
    assert_ptr_equal(r.it->pin, sdb_memtable_pin(m));
    return r;
}

static struct sdb_memtable *new_memtable(void)
{
    struct sdb_memtable *m = NULL;
    seerdb_err err = {0};
    test_ok(sdb_memtable_new(&m, &err), &err);
    return m;
}

/* ---- against the model ---------------------------------------------------- */

static void an_iterator_sees_its_ceiling_while_the_tree_grows(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6 * SHAPES; seed++) {
        struct sdb_rand rand = {seed};
        enum shape shape = (enum shape)(seed % SHAPES);
        struct model mo;
        model_init(&mo, &rand, shape, shape == LONG ? 10 : 50 + 200 * (seed / SHAPES));
        struct sdb_memtable *m = new_memtable();
        struct reader r = open_reader(m, &mo, UINT64_MAX, NULL, 0);
        for (size_t i = 0; i < 3 * mo.n; i++) {
            if (i % 64 == 0) { /* grows under this one from now on */
                sdb_iter_close(r.it);
                uint64_t ceiling = mo.number - sdb_rand_below(&rand, mo.number / 4 + 1);
                r = open_reader(m, &mo, ceiling, NULL, 0);
                sdb_memtable_check(m);
            }
            write_both(m, &mo, sdb_rand_below(&rand, mo.n));
            for (int steps = 0; steps < 4; steps++)
                random_step(&r, &rand);
        }
        walk_all(&r);
        get_all(m, &r);
        struct reader all = {.mo = &mo, .ceiling = UINT64_MAX};
        get_all(m, &all);
        assert_int_equal(sdb_memtable_records(m), mo.number);
        assert_int_equal(sdb_memtable_tombstones(m), mo.tombstones);
        sdb_memtable_check(m);
        sdb_memtable_unref(m); /* the iterator still holds it */
        random_step(&r, &rand);
        sdb_iter_close(r.it);
        model_fini(&mo);
    }
}

static void hidden_ranges_hide_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2 * LONG; seed++) {
        struct sdb_rand rand = {seed};
        struct model mo;
        struct sdb_hidden_range ranges[100];
        struct sdb_hidden hidden = {ranges, 0};
        model_init(&mo, &rand, (enum shape)(seed % LONG), 60);
        struct sdb_memtable *m = new_memtable();
        struct reader r = open_reader(m, &mo, 0, &hidden, SDB_NUMBER_BATCH);
        for (size_t i = 0; i < 300; i++) {
            uint64_t from = mo.number + 1;
            for (uint64_t n = sdb_rand_below(&rand, 7); n > 0; n--)
                write_both(m, &mo, sdb_rand_below(&rand, mo.n));
            for (int steps = 0; steps < 10; steps++)
                random_step(&r, &rand);
            if (from <= mo.number && sdb_rand_below(&rand, 4) == 0 && hidden.n < 100)
                ranges[hidden.n++] = (struct sdb_hidden_range){from, mo.number + 1};
            for (int steps = 0; steps < 10; steps++)
                random_step(&r, &rand);
            if (i % 16 == 0) {
                sdb_iter_close(r.it);
                r = open_reader(m, &mo, mo.number, &hidden, SDB_NUMBER_BATCH);
            }
        }
        assert_true(hidden.n > 10);
        walk_all(&r);
        get_all(m, &r);
        sdb_iter_close(r.it);
        sdb_memtable_unref(m);
        model_fini(&mo);
    }
}

static void every_order_of_insertion_gives_the_same_map(void **state)
{
    (void)state;
    for (int order = 0; order < 5; order++) {
        struct sdb_rand rand = {1};
        struct model mo;
        model_init(&mo, &rand, SHARED, 20000);
        struct sdb_memtable *m = new_memtable();
        size_t stride = 7919; /* a prime, so that all keys are met */
        assert_true(mo.n % stride != 0 && mo.n % 13 != 0);
        for (size_t i = 0; i < mo.n; i++) {
            size_t from_both = i % 2 == 0 ? i / 2 : mo.n - 1 - i / 2;
            size_t sweeps = i * 13 % mo.n; /* rising, each between the ones before */
            size_t at[] = {i, mo.n - 1 - i, i * stride % mo.n, from_both, sweeps};
            write_both(m, &mo, at[order]);
        }
        sdb_memtable_check(m);
        struct reader r = open_reader(m, &mo, UINT64_MAX, NULL, 0);
        get_all(m, &r);
        walk_all(&r);
        seerdb_slice smallest, largest;
        assert_true(sdb_memtable_bounds(m, &smallest, &largest));
        test_slice_equal(smallest, mo.keys[0].key);
        test_slice_equal(largest, mo.keys[mo.n - 1].key);
        /* 18 bytes a slot in full leaves; half-full ones would take 36. */
        size_t entries = mo.n * (25 + 16 + 4 + VALUE_MAX / 2 + 4);
        if (order < 2)
            assert_true(sdb_memtable_bytes(m) < entries + mo.n * 24 + (2 << 20));
        sdb_iter_close(r.it);
        sdb_memtable_unref(m);
        model_fini(&mo);
    }
}

/* ---- single facts --------------------------------------------------------- */

static void numbered_key(uint64_t i, char key[24])
{
    snprintf(key, 24, "key/%010u", (unsigned)(i * UINT64_C(2654435761) % 1000000007));
}

static void an_empty_memtable_has_nothing(void **state)
{
    (void)state;
    struct sdb_memtable *m = new_memtable();
    struct sdb_found found;
    struct sdb_iter *it = NULL;
    seerdb_slice a, b;
    seerdb_err err = {0};
    assert_int_equal(sdb_memtable_get(m, test_slice(""), UINT64_MAX, NULL, &found),
                     SEERDB_NOTFOUND);
    assert_false(sdb_memtable_bounds(m, &a, &b));
    test_ok(sdb_memtable_iter(m, UINT64_MAX, NULL, 0, &it, &err), &err);
    assert_int_equal(it->ops->first(it, &err), SEERDB_NOTFOUND);
    assert_int_equal(it->ops->last(it, &err), SEERDB_NOTFOUND);
    assert_int_equal(it->ops->seek(it, test_slice("k"), &err), SEERDB_NOTFOUND);
    assert_int_equal(it->ops->seek_for_prev(it, test_slice("k"), &err),
                     SEERDB_NOTFOUND);
    test_ok(write_key(m, test_slice(""), 1, &err), &err);
    test_ok(it->ops->first(it, &err), &err); /* it sees what was inserted before */
    assert_int_equal(it->at.key.size, 0);
    sdb_iter_close(it);
    sdb_memtable_check(m);
    sdb_memtable_unref(m);
    sdb_memtable_unref(NULL);
}

static void a_cleared_memtable_is_as_new(void **state)
{
    (void)state;
    struct sdb_memtable *m = new_memtable();
    struct sdb_found found;
    seerdb_err err = {0};
    char key[24];
    for (uint64_t round = 0; round < 4; round++) {
        uint64_t n = round % 2 == 0 ? 5000 : 3;
        for (uint64_t i = 0; i < n; i++) {
            numbered_key(round * 100000 + i, key); /* no round has another's prefix */
            test_ok(write_key(m, test_slice(key), i + 1, &err), &err);
        }
        sdb_memtable_check(m);
        assert_int_equal(sdb_memtable_records(m), n);
        test_ok(sdb_memtable_get(m, test_slice(key), UINT64_MAX, NULL, &found), &err);
        assert_true(sdb_memtable_is_shared(m));
        seerdb_pin_unref(found.pin);
        assert_false(sdb_memtable_is_shared(m));
        sdb_memtable_clear(m);
        sdb_memtable_check(m);
        assert_int_equal(sdb_memtable_records(m), 0);
        assert_int_equal(sdb_memtable_tombstones(m), 0);
        assert_in_range(sdb_memtable_bytes(m), 1, (size_t)600 << 10);
        assert_int_equal(sdb_memtable_get(m, test_slice(key), UINT64_MAX, NULL, &found),
                         SEERDB_NOTFOUND);
    }
    sdb_memtable_unref(m);
}

static void an_equal_number_replaces(void **state)
{
    (void)state;
    struct sdb_memtable *m = new_memtable();
    struct sdb_found found = {.pin = NULL};
    struct sdb_iter *it = NULL;
    seerdb_err err = {0};
    static const char *const values[] = {"old", "first", "second", "third"};
    for (uint64_t i = 0; i < 4; i++) {
        struct sdb_record r = {.key = test_slice("k"),
                               .number = i == 0 ? 3 : 7,
                               .kind = SDB_KIND_VALUE,
                               .value = test_slice(values[i])};
        test_ok(sdb_memtable_insert(m, &r, &err), &err);
    }
    assert_int_equal(sdb_memtable_get(m, test_slice("k"), 7, NULL, &found), 0);
    test_slice_equal(found.value, test_slice("third"));
    seerdb_pin_unref(found.pin);
    test_ok(sdb_memtable_iter(m, UINT64_MAX, NULL, 0, &it, &err), &err);
    test_ok(it->ops->first(it, &err), &err);
    test_slice_equal(it->at.value, test_slice("third"));
    test_ok(it->ops->older(it, &err), &err);
    test_slice_equal(it->at.value, test_slice("old"));
    assert_int_equal(it->ops->older(it, &err), SEERDB_NOTFOUND);
    test_slice_equal(it->at.value, test_slice("old"));
    sdb_iter_close(it);
    sdb_memtable_check(m);
    sdb_memtable_unref(m);
}

static void what_was_found_outlives_the_memtable(void **state)
{
    (void)state;
    struct sdb_memtable *m = new_memtable();
    struct sdb_found found = {.pin = NULL};
    uint8_t buf[VALUE_MAX];
    seerdb_err err = {0};
    test_ok(write_key(m, test_slice("k"), 33, &err), &err);
    assert_int_equal(sdb_memtable_get(m, test_slice("k"), 33, NULL, &found), 0);
    sdb_memtable_unref(m);
    test_slice_equal(found.value, value_of(33, buf));
    seerdb_pin_unref(found.pin);
}

/* ---- memory --------------------------------------------------------------- */

static void what_was_reserved_succeeds(void **state)
{
    (void)state;
    struct sdb_rand rand = {3};
    for (int round = 0; round < 150; round++) {
        struct sdb_memtable *m = new_memtable();
        uint64_t number = 0;
        seerdb_err err = {0};
        char key[24];
        for (int batch = 0; batch < 6; batch++) {
            uint64_t n = 1 + sdb_rand_below(&rand, batch % 2 == 0 ? 400 : 10);
            uint64_t how = sdb_rand_below(&rand, 4);
            test_ok(sdb_memtable_reserve(m, n, n * (14 + VALUE_MAX), &err), &err);
            sdb_mem_fail_after(0);
            for (uint64_t i = 0; i < n; i++) {
                number++;
                numbered_key(number, key);
                if (how == 1) /* rising, then falling, then outside the prefix */
                    snprintf(key, sizeof key, "key/%010u", (unsigned)number);
                else if (how == 2)
                    snprintf(key, sizeof key, "key/%010u", 500000 - (unsigned)number);
                else if (how == 3)
                    snprintf(key, sizeof key, "%u", (unsigned)number);
                int rc = write_key(m, test_slice(key), number, &err);
                if (rc != 0)
                    sdb_mem_fail_after(-1);
                test_ok(rc, &err);
            }
            sdb_mem_fail_after(-1);
            sdb_memtable_check(m);
        }
        assert_int_equal(sdb_memtable_records(m), number);
        sdb_memtable_unref(m);
    }
}

static void a_reserve_suffices_when_every_leaf_is_full(void **state)
{
    (void)state;
    struct sdb_memtable *m = new_memtable();
    seerdb_err err = {0};
    uint64_t number = 0, leaves = 2000, inserts = 1990;
    char key[24];
    for (uint64_t i = 0; i < 32 * leaves; i++) { /* rising: full leaves */
        snprintf(key, sizeof key, "%08u", (unsigned)i);
        test_ok(write_key(m, test_slice(key), ++number, &err), &err);
    }
    test_ok(sdb_memtable_reserve(m, inserts, inserts * (9 + VALUE_MAX), &err), &err);
    sdb_mem_fail_after(0);
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < inserts; i++) { /* each splits another one */
        snprintf(key, sizeof key, "%08u+", (unsigned)(32 * i + 10));
        rc = write_key(m, test_slice(key), ++number, &err);
    }
    sdb_mem_fail_after(-1);
    test_ok(rc, &err);
    sdb_memtable_check(m);
    sdb_memtable_unref(m);
}

static void a_reserve_is_not_wasted(void **state)
{
    (void)state;
    struct sdb_memtable *m = new_memtable();
    seerdb_err err = {0};
    size_t bytes = 0;
    char key[24];
    for (uint64_t i = 1; i <= 100000; i++) {
        numbered_key(i, key);
        if (i % 100 == 1)
            test_ok(sdb_memtable_reserve(m, 100, 100 * (14 + VALUE_MAX), &err), &err);
        test_ok(write_key(m, test_slice(key), i, &err), &err);
    }
    bytes = 100000 * (25 + 14 + VALUE_MAX / 2 + 4 + 26);
    assert_true(sdb_memtable_bytes(m) < bytes + bytes / 5);
    assert_int_equal(sdb_memtable_reserve(m, SIZE_MAX / 2, 0, NULL), SEERDB_NOMEM);
    assert_int_equal(sdb_memtable_reserve(m, 1, SIZE_MAX - 16, NULL), SEERDB_NOMEM);
    test_ok(sdb_memtable_reserve(m, 0, 0, &err), &err);
    sdb_memtable_unref(m);
}

static void failed_allocations_change_nothing(void **state)
{
    (void)state;
    bool done = false;
    for (int64_t fail = 0; !done; fail++) {
        struct sdb_memtable *m = NULL;
        struct sdb_iter *it = NULL;
        seerdb_err err = {0};
        char key[24];
        done = true;
        sdb_mem_fail_after(fail);
        int rc = sdb_memtable_new(&m, &err);
        sdb_mem_fail_after(-1);
        if (rc != 0) {
            test_fails(rc, SEERDB_NOMEM, &err);
            done = false;
            continue;
        }
        sdb_mem_fail_after(fail);
        for (uint64_t i = 1; i <= 3000; i++) {
            numbered_key(i, key);
            if (i > 1000) /* outside the prefix: a clone, if there is memory for one */
                key[0] = 'a' + (char)(i % 16);
            rc = write_key(m, test_slice(key), i, &err);
            if (rc == 0)
                continue;
            assert_int_equal(rc, SEERDB_NOMEM);
            assert_true(err.msg[0] != '\0');
            sdb_mem_fail_after(-1);
            done = false;
            assert_int_equal(sdb_memtable_records(m), i - 1);
            sdb_memtable_check(m);
            err = (seerdb_err){0};
            test_ok(write_key(m, test_slice(key), i, &err), &err);
        }
        rc = sdb_memtable_iter(m, 1, NULL, 0, &it, NULL);
        assert_true(rc == 0 || rc == SEERDB_NOMEM);
        sdb_mem_fail_after(-1);
        sdb_memtable_check(m);
        assert_int_equal(sdb_memtable_records(m), 3000);
        done = done && rc == 0;
        sdb_iter_close(it);
        sdb_memtable_unref(m);
    }
}

/* ---- threads -------------------------------------------------------------- */

#define WRITES 10000u

struct stress {
    struct sdb_memtable *m;
    _Atomic uint64_t published; /* release: the writer; acquire: the readers */
    uint32_t id[WRITES + 1];    /* the key of each write */
    uint32_t distinct[WRITES + 1];
    _Atomic uint64_t scans;
};

/* Keys that leave the prefix of those before again and again: each stage is larger than
 * all before it, so that the codes of the old ones are not kept. */
static seerdb_slice stress_key(uint32_t id, char buf[40])
{
    static const char shared[] = "pppppppppppppppp";
    unsigned stage = 0;
    while (stage < 15 && (UINT32_C(1) << stage) <= id)
        stage++;
    int n = snprintf(buf, 40, "%.*s%c%08x", 15 - (int)stage, shared,
                     id % 2 == 0 ? 'a' : 'z', id * UINT32_C(2654435761));
    return (seerdb_slice){buf, (size_t)n};
}

static void *write_stress(void *arg)
{
    struct stress *s = arg;
    char buf[40];
    for (uint32_t i = 1; i <= WRITES; i++) {
        if (write_key(s->m, stress_key(s->id[i], buf), i, NULL) != 0)
            abort();
        atomic_store_explicit(&s->published, i, memory_order_release);
    }
    return NULL;
}

static void expect(bool fact, const char *what)
{
    if (fact)
        return;
    fprintf(stderr, "stress: %s\n", what);
    abort(); /* cmocka's assertions belong to its own thread */
}

static void stress_get(struct stress *s, struct sdb_rand *rand, uint64_t ceiling)
{
    char buf[40];
    uint8_t value[VALUE_MAX];
    struct sdb_found found = {.pin = NULL};
    uint64_t i = 1 + sdb_rand_below(rand, ceiling);
    if (sdb_rand_below(rand, 2) == 0) /* the newest are where the changes are */
        i = ceiling - sdb_rand_below(rand, ceiling < 64 ? ceiling : 64);
    int rc = sdb_memtable_get(s->m, stress_key(s->id[i], buf), ceiling, NULL, &found);
    expect(rc == 0, "a key is missing");
    expect(found.number >= i && found.number <= ceiling, "the wrong version");
    expect(s->id[found.number] == s->id[i], "the version of another key");
    expect(sdb_slice_equal(found.value, value_of(found.number, value)), "wrong bytes");
    seerdb_pin_unref(found.pin);
}

static void stress_scan(struct stress *s, bool backward)
{
    char buf[40];
    struct sdb_iter *it = NULL;
    seerdb_slice last = {NULL, 0};
    uint64_t n = 0;
    uint64_t ceiling = atomic_load_explicit(&s->published, memory_order_acquire);
    if (sdb_memtable_iter(s->m, ceiling, NULL, 0, &it, NULL) != 0)
        abort();
    int rc = backward ? it->ops->last(it, NULL) : it->ops->first(it, NULL);
    for (; rc == 0; n++) {
        int order = n == 0 ? 1 : sdb_slice_cmp(it->at.key, last);
        expect(n == 0 || (backward ? order < 0 : order > 0), "keys out of order");
        expect(it->at.number >= 1 && it->at.number <= ceiling, "above the ceiling");
        expect(sdb_slice_equal(it->at.key, stress_key(s->id[it->at.number], buf)),
               "the wrong key");
        last = it->at.key;
        rc = backward ? it->ops->prev(it, NULL) : it->ops->next(it, NULL);
    }
    expect(n == s->distinct[ceiling], "a scan missed keys");
    sdb_iter_close(it);
    atomic_fetch_add_explicit(&s->scans, 1, memory_order_relaxed);
}

static void *read_stress(void *arg)
{
    struct stress *s = arg;
    struct sdb_rand rand = {
        atomic_fetch_add_explicit(&s->scans, 1, memory_order_relaxed)};
    for (uint64_t round = 0, ceiling = 0; ceiling < WRITES; round++) {
        ceiling = atomic_load_explicit(&s->published, memory_order_acquire);
        for (int i = 0; ceiling > 0 && i < 200; i++) {
            ceiling = atomic_load_explicit(&s->published, memory_order_acquire);
            stress_get(s, &rand, ceiling);
        }
        stress_scan(s, round % 2 == 1);
    }
    return NULL;
}

static void stress_once(struct stress *s)
{
    struct sdb_thread readers[3] = {{.started = false}}, writer = {.started = false};
    seerdb_err err = {0};
    s->m = new_memtable();
    atomic_store_explicit(&s->published, 0, memory_order_relaxed);
    for (int i = 0; i < 3; i++)
        test_ok(sdb_thread_start(&readers[i], "reader", read_stress, s, &err), &err);
    test_ok(sdb_thread_start(&writer, "writer", write_stress, s, &err), &err);
    sdb_thread_join(&writer);
    for (int i = 0; i < 3; i++)
        sdb_thread_join(&readers[i]);
    sdb_memtable_check(s->m);
    assert_int_equal(sdb_memtable_records(s->m), WRITES);
    sdb_memtable_unref(s->m);
}

static void readers_miss_nothing_while_one_writes(void **state)
{
    (void)state;
    struct stress *s = sdb_mem_zalloc(sizeof *s);
    struct sdb_rand rand = {11};
    assert_non_null(s);
    for (uint32_t i = 1; i <= WRITES; i++) {
        bool again = i > 1 && sdb_rand_below(&rand, 4) == 0;
        s->id[i] = again ? s->id[1 + sdb_rand_below(&rand, i - 1)] : i;
        s->distinct[i] = s->distinct[i - 1] + (again ? 0 : 1);
    }
    uint64_t end = sdb_clock_mono_us() + 700000;
    do
        stress_once(s);
    while (sdb_clock_mono_us() < end);
    assert_true(atomic_load_explicit(&s->scans, memory_order_relaxed) >= 6);
    sdb_mem_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_memtable_has_nothing),
        cmocka_unit_test(a_cleared_memtable_is_as_new),
        cmocka_unit_test(an_equal_number_replaces),
        cmocka_unit_test(what_was_found_outlives_the_memtable),
        cmocka_unit_test(an_iterator_sees_its_ceiling_while_the_tree_grows),
        cmocka_unit_test(hidden_ranges_hide_at_once),
        cmocka_unit_test(every_order_of_insertion_gives_the_same_map),
        cmocka_unit_test(what_was_reserved_succeeds),
        cmocka_unit_test(a_reserve_suffices_when_every_leaf_is_full),
        cmocka_unit_test(a_reserve_is_not_wasted),
        cmocka_unit_test(failed_allocations_change_nothing),
        cmocka_unit_test(readers_miss_nothing_while_one_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
