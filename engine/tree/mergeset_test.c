/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/mergeset.h"

#include "base/rand.h"
#include "test.h"

#include <stdlib.h>

/* ---- a list to compare it with -------------------------------------------------- */

/* Operands are texts that are appended; whatever begins with '!' does not go together
 * with anything. */
static int append(void *ctx, seerdb_slice key, const seerdb_slice *operands, size_t n,
                  seerdb_merge_out *out, seerdb_err *err)
{
    (void)ctx;
    (void)key;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        if (operands[i].size > 0 && *(const char *)operands[i].data == '!')
            return SEERDB_NOTFOUND;
        seerdb_merge_emit(out, operands[i].data, operands[i].size);
    }
    return 0;
}

static const seerdb_merge_operator appends = {.name = "appends", .partial = append};

struct line {
    char key[SDB_MERGESET_KEY + 8], text[2 * SDB_MERGESET_OPERAND + 8];
    size_t key_size;
    uint64_t number;
};

struct model {
    struct line *lines; /* owned */
    size_t n;
};

static struct line *line_of(const struct model *m, seerdb_slice key)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->lines[i].key_size == key.size &&
            (key.size == 0 || memcmp(m->lines[i].key, key.data, key.size) == 0))
            return &m->lines[i];
    return NULL;
}

static int by_key(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return sdb_slice_cmp((seerdb_slice){x->key, x->key_size},
                         (seerdb_slice){y->key, y->key_size});
}

static void expect_same(struct sdb_mergeset *s, struct model *m)
{
    sdb_mergeset_sort(s);
    qsort(m->lines, m->n, sizeof *m->lines, by_key);
    assert_int_equal(s->n, m->n);
    for (size_t i = 0; i < m->n; i++) {
        const struct sdb_mergeset_entry *e = sdb_mergeset_at(s, i);
        const struct line *l = &m->lines[i];
        test_slice_equal(sdb_mergeset_key(e), ((seerdb_slice){l->key, l->key_size}));
        test_slice_equal(sdb_mergeset_operand(e), test_slice(l->text));
        assert_int_equal(e->number, l->number);
    }
}

/* Keys that nothing tells apart in their first bytes, or little, or much. */
static seerdb_slice random_key(struct sdb_rand *r, unsigned style, uint8_t key[32])
{
    uint64_t n = sdb_rand_below(r, 200);
    memset(key, 0, 32);
    switch (style) {
    case 0: /* counters by number */
        sdb_store_be64(key, n);
        return (seerdb_slice){key, 8};
    case 1: /* random bytes */
        sdb_store_be64(key, n * 0x9e3779b97f4a7c15u);
        sdb_store_be64(key + 8, n);
        return (seerdb_slice){key, 16};
    case 2: /* a long prefix */
        memcpy(key, "the same for all", 16);
        sdb_store_be64(key + 16, n);
        return (seerdb_slice){key, 24};
    default: /* each the beginning of the next; and the empty one */
        memset(key, 'k', 32);
        return (seerdb_slice){key, n % 32};
    }
}

static void operands_of_a_key_are_put_together_in_order(void **state)
{
    (void)state;
    for (unsigned style = 0; style < 4; style++) {
        struct sdb_rand r = {style};
        struct sdb_mergeset s = {0};
        struct sdb_merging merging = {0};
        struct model m = {calloc(300, sizeof(struct line)), 0};
        uint64_t above = 0;
        uint8_t bytes[32];
        assert_non_null(m.lines);
        for (uint64_t number = 1; number <= 4000; number++) {
            char text[8];
            seerdb_slice key = random_key(&r, style, bytes);
            struct line *l = line_of(&m, key);
            snprintf(text, sizeof text, "%u", (unsigned)sdb_rand_below(&r, 1000));
            seerdb_slice operand = test_slice(text);
            bool fits =
                l == NULL || (l->number > above &&
                              strlen(l->text) + operand.size <= SDB_MERGESET_OPERAND);
            if (sdb_mergeset_add(&s, &appends, &merging, key, operand, number, above) !=
                fits)
                fail_msg("style %u: write %d", style, (int)number);
            if (fits && l == NULL) {
                l = &m.lines[m.n++];
                *l = (struct line){.key_size = key.size, .number = number};
                memcpy(l->key, key.data, key.size);
            } else if (fits) {
                assert_int_equal(s.changed, number);
            }
            if (fits)
                strcat(l->text, text);
            if (sdb_rand_below(&r, 200) == 0)
                expect_same(&s, &m);
            if (sdb_rand_below(&r, 500) == 0)
                above = number; /* a mark */
            if (!fits || sdb_rand_below(&r, 1000) == 0) {
                sdb_mergeset_clear(&s);
                m.n = 0;
            }
            if (sdb_rand_below(&r, 400) == 0) { /* back to a mark */
                size_t kept = 0;
                for (size_t i = 0; i < m.n; i++)
                    if (m.lines[i].number <= above)
                        m.lines[kept++] = m.lines[i];
                m.n = kept;
                sdb_mergeset_drop(&s, 0, above);
            }
        }
        expect_same(&s, &m);
        if (m.n > 3) { /* the first of them are elsewhere */
            sdb_mergeset_drop(&s, 3, UINT64_MAX);
            memmove(m.lines, m.lines + 3, (m.n -= 3) * sizeof *m.lines);
            expect_same(&s, &m);
        }
        sdb_mergeset_fini(&s);
        sdb_merging_fini(&merging);
        free(m.lines);
    }
}

static void what_it_does_not_take_in_changes_nothing(void **state)
{
    static const char zeros[SDB_MERGESET_KEY + 1];
    static const struct {
        const char *what;
        size_t key, operand;
        char first; /* of the operand */
        bool taken;
    } cases[] = {
        {"an operand", 1, 5, 'a', true},
        {"the longest key", SDB_MERGESET_KEY, 5, 'a', true},
        {"a key too long", SDB_MERGESET_KEY + 1, 5, 'a', false},
        {"as long as both may be", 1, SDB_MERGESET_OPERAND - 5, 'a', true},
        {"an operand too long", 2, SDB_MERGESET_OPERAND + 1, 'a', false},
        {"one that makes it too long", 1, 1, 'a', false},
        {"an empty one", 1, 0, 'a', true},
        {"one alone", 3, 2, '!', true},
        {"one that does not go with it", 3, 2, 'a', false},
    };
    struct sdb_mergeset s = {0};
    struct sdb_merging m = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char operand[SDB_MERGESET_OPERAND + 2];
        size_t n = s.n, size = s.size;
        memset(operand, cases[i].first, sizeof operand);
        bool taken =
            sdb_mergeset_add(&s, &appends, &m, (seerdb_slice){zeros, cases[i].key},
                             (seerdb_slice){operand, cases[i].operand}, i + 1, 0);
        if (taken != cases[i].taken)
            fail_msg("%s: %d", cases[i].what, taken);
        if (!taken && (s.n != n || s.size != size))
            fail_msg("%s changed it", cases[i].what);
    }
    sdb_mergeset_fini(&s);
    sdb_merging_fini(&m);
}

static void it_stays_small(void **state)
{
    struct sdb_mergeset s = {0};
    struct sdb_merging m = {0};
    uint8_t key[500] = {0};
    (void)state;
    for (size_t size = 8; size <= 500; size += 492) {
        uint64_t n = 0;
        sdb_mergeset_clear(&s);
        do
            sdb_store_be64(key, ++n);
        while (sdb_mergeset_add(&s, &appends, &m, (seerdb_slice){key, size},
                                test_slice("1"), n, 0));
        assert_int_equal(s.n, n - 1);
        assert_true(s.n == SDB_MERGESET_MOST || s.size > SDB_MERGESET_BYTES - 1000);
        assert_true(sdb_mergeset_bytes(&s) < 2 * SDB_MERGESET_BYTES);
        /* Those that are there go on. */
        sdb_store_be64(key, 1);
        assert_true(sdb_mergeset_add(&s, &appends, &m, (seerdb_slice){key, size},
                                     test_slice("2"), n, 0));
    }
    sdb_mergeset_fini(&s);
    sdb_merging_fini(&m);
}

static void without_memory_it_takes_nothing_in(void **state)
{
    (void)state;
    for (int64_t fails = 0; fails < 40; fails++) {
        struct sdb_mergeset s = {0};
        struct sdb_merging m = {0};
        uint8_t key[8];
        uint64_t taken = 0;
        sdb_mem_fail_after(fails);
        for (uint64_t i = 0; i < 300; i++) {
            sdb_store_be64(key, i);
            taken += sdb_mergeset_add(&s, &appends, &m, (seerdb_slice){key, 8},
                                      test_slice("1"), i + 1, 0);
        }
        sdb_mem_fail_after(-1);
        assert_int_equal(s.n, taken);
        sdb_mergeset_sort(&s);
        for (size_t i = 1; i < s.n; i++)
            assert_true(sdb_slice_cmp(sdb_mergeset_key(sdb_mergeset_at(&s, i - 1)),
                                      sdb_mergeset_key(sdb_mergeset_at(&s, i))) < 0);
        sdb_mergeset_fini(&s);
        sdb_merging_fini(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operands_of_a_key_are_put_together_in_order),
        cmocka_unit_test(what_it_does_not_take_in_changes_nothing),
        cmocka_unit_test(it_stays_small),
        cmocka_unit_test(without_memory_it_takes_nothing_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
