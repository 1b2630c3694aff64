/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rand.h"
#include "db/chain.h"

struct chain_case {
    const char *what;
    struct sdb_link links[6];
    size_t n;
    struct sdb_chain_base base;
    uint64_t marker;
    enum sdb_verdict verdict;
    uint64_t hidden[6];
    size_t nhidden;
};

static const struct chain_case cases[] = {
    {"nothing logged, nothing marked", {{0}}, 0, {0, 0}, 0, SDB_CHAIN_MATCH, {0}, 0},
    {"marker 0: no logged record applies",
     {{5, 0}},
     1,
     {0, 0},
     0,
     SDB_CHAIN_MATCH,
     {5},
     1},
    {"the newest", {{5, 0}, {6, 5}}, 2, {0, 0}, 6, SDB_CHAIN_MATCH, {0}, 0},
    {"the last one was not decided",
     {{5, 0}, {6, 5}},
     2,
     {0, 0},
     5,
     SDB_CHAIN_MATCH,
     {6},
     1},
    {"one rolled back in between",
     {{5, 0}, {6, 5}, {7, 5}},
     3,
     {0, 0},
     7,
     SDB_CHAIN_MATCH,
     {6},
     1},
    {"a reported rollback that the owner kept",
     {{5, 0}, {6, 5}, {7, 5}},
     3,
     {0, 0},
     6,
     SDB_CHAIN_MATCH,
     {7},
     1},
    {"superseded twice",
     {{5, 0}, {6, 0}, {7, 0}, {8, 7}},
     4,
     {0, 0},
     8,
     SDB_CHAIN_MATCH,
     {5, 6},
     2},
    {"down to the tables", {{9, 4}, {12, 9}}, 2, {4, 0}, 12, SDB_CHAIN_MATCH, {0}, 0},
    {"the tables are the marker", {{9, 4}}, 1, {4, 0}, 4, SDB_CHAIN_MATCH, {9}, 1},
    {"links that tables hold do not matter",
     {{3, 2}, {4, 2}, {9, 4}},
     3,
     {4, 0},
     9,
     SDB_CHAIN_MATCH,
     {0},
     0},
    {"the tail was lost", {{5, 0}}, 1, {0, 0}, 8, SDB_CHAIN_BEHIND, {0}, 0},
    {"everything was lost", {{0}}, 0, {4, 0}, 8, SDB_CHAIN_BEHIND, {0}, 0},
    {"a lost tail given up before", {{5, 0}}, 1, {0, 8}, 8, SDB_CHAIN_MATCH, {0}, 0},
    {"commits upon a lost tail",
     {{5, 0}, {11, 8}},
     2,
     {0, 8},
     11,
     SDB_CHAIN_MATCH,
     {0},
     0},
    {"lost upon lost", {{5, 0}, {11, 8}}, 2, {0, 8}, 15, SDB_CHAIN_BEHIND, {0}, 0},
    {"an older copy of the owner", {{9, 4}}, 1, {4, 0}, 3, SDB_CHAIN_AHEAD, {0}, 0},
    {"another history", {{9, 7}}, 1, {4, 0}, 9, SDB_CHAIN_DIVERGED, {0}, 0},
    {"a history that passes the tables by",
     {{9, 2}},
     1,
     {4, 0},
     9,
     SDB_CHAIN_DIVERGED,
     {0},
     0},
};

static void every_case_is_resolved_as_its_name_says(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        const struct chain_case *t = &cases[k];
        struct sdb_chain c = {0};
        struct sdb_hidden_range hidden[6];
        size_t nhidden = 99;
        for (size_t i = 0; i < t->n; i++)
            assert_int_equal(
                sdb_chain_add(&c, t->links[i].number, t->links[i].prev, NULL), 0);
        enum sdb_verdict v =
            sdb_chain_resolve(&c, &t->base, t->marker, hidden, &nhidden);
        if (v != t->verdict)
            fail_msg("%s: verdict %d, wanted %d", t->what, (int)v, (int)t->verdict);
        if (v == SDB_CHAIN_MATCH || v == SDB_CHAIN_BEHIND) {
            if (nhidden != t->nhidden)
                fail_msg("%s: %zu hidden, wanted %zu", t->what, nhidden, t->nhidden);
            for (size_t i = 0; i < nhidden; i++)
                if (hidden[i].from != t->hidden[i] || hidden[i].to != t->hidden[i] + 1)
                    fail_msg("%s: hides %llu", t->what,
                             (unsigned long long)hidden[i].from);
        }
        sdb_chain_fini(&c);
    }
}

/* Random histories with rollbacks; whatever number is the marker, exactly its ancestors
 * are left. */
static void exactly_the_ancestors_of_the_marker_count(void **state)
{
    (void)state;
    struct sdb_rand rand = {42};
    for (int round = 0; round < 2000; round++) {
        struct sdb_chain c = {0};
        struct sdb_chain_base base = {sdb_rand_below(&rand, 3), 0};
        struct sdb_hidden_range hidden[40];
        uint64_t number = base.floor, prevs[400] = {0};
        size_t n = sdb_rand_below(&rand, 40), nhidden;
        for (size_t i = 0; i < n; i++) {
            uint64_t prev = c.n == 0 || sdb_rand_below(&rand, 8) == 0
                                ? base.floor
                                : c.links[sdb_rand_below(&rand, c.n)].number;
            number += 1 + sdb_rand_below(&rand, 5);
            prevs[number] = prev;
            assert_int_equal(sdb_chain_add(&c, number, prev, NULL), 0);
        }
        uint64_t marker = n > 0 ? c.links[sdb_rand_below(&rand, n)].number : base.floor;
        assert_int_equal(sdb_chain_resolve(&c, &base, marker, hidden, &nhidden),
                         SDB_CHAIN_MATCH);
        size_t h = 0;
        for (size_t i = 0; i < n; i++) {
            uint64_t at = marker;
            while (at > c.links[i].number)
                at = prevs[at];
            bool counts = at == c.links[i].number;
            bool is_hidden = h < nhidden && hidden[h].from == c.links[i].number;
            assert_int_equal(counts, !is_hidden);
            h += is_hidden;
        }
        assert_int_equal(h, nhidden);
        sdb_chain_keep(&c, hidden, nhidden);
        assert_int_equal(c.n, nhidden);
        uint64_t middle = nhidden > 0 ? hidden[nhidden / 2].from : 0;
        sdb_chain_forget(&c, middle);
        assert_int_equal(c.n, nhidden > 0 ? nhidden - nhidden / 2 - 1 : 0);
        sdb_chain_fini(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_is_resolved_as_its_name_says),
        cmocka_unit_test(exactly_the_ancestors_of_the_marker_count),
    };
    return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
