/* SPDX-License-Identifier: Apache-2.0
 *
 * What the fold makes of merge records; random histories are for db/merge_test. */
#include "tree/fold.h"

#include "base/rand.h"
#include "test.h"

#include <stdlib.h>

#define VERSIONS_MAX 16

/* One key's history, newest first, as an iterator that only knows older(). */
struct history {
    struct sdb_iter base;
    struct sdb_record v[VERSIONS_MAX];
    char bytes[VERSIONS_MAX][64];
    size_t n, pos;
};

static int history_older(struct sdb_iter *it, seerdb_err *err)
{
    struct history *h = (struct history *)it;
    (void)err;
    if (h->pos + 1 == h->n)
        return SEERDB_NOTFOUND;
    it->at = h->v[++h->pos];
    return 0;
}

static const struct sdb_iter_ops history_ops = {.older = history_older};

/* "7 del", "4 put v", "9 merge 8 c": from 8, operand c; "9 merge 8 b,c": two. */
static void add_version(struct history *h, const char *s)
{
    struct sdb_record *r = &h->v[h->n];
    struct sdb_buf b = {0};
    char *rest;
    *r = (struct sdb_record){.key = test_slice("k"), .number = strtoull(s, &rest, 10)};
    if (strncmp(rest, " del", 4) == 0) {
        r->kind = SDB_KIND_TOMBSTONE;
    } else if (strncmp(rest, " put ", 5) == 0) {
        r->kind = SDB_KIND_VALUE;
        r->value = test_slice(rest + 5);
    } else {
        uint64_t from = strtoull(rest + 7, &rest, 10), count = 1;
        for (const char *c = rest; *c != '\0'; c++)
            count += *c == ',' ? 1 : 0;
        r->kind = SDB_KIND_MERGE;
        sdb_operands_put_head(&b, from, count);
        for (const char *c = rest + 1; count > 0; count--) {
            size_t size = strcspn(c, ",");
            sdb_put_slice(&b, (seerdb_slice){c, size});
            c += size + 1;
        }
        assert_true(b.size <= sizeof h->bytes[0]);
        memcpy(h->bytes[h->n], b.data, b.size);
        r->value = (seerdb_slice){h->bytes[h->n], b.size};
        sdb_buf_fini(&b);
    }
    h->n++;
}

static void rewind_history(struct history *h)
{
    h->base.ops = &history_ops;
    h->pos = 0;
    h->base.at = h->v[0];
}

/* What comes out, as words in the same form. */
struct kept {
    char words[1024];
    size_t n;
};

static int keep(void *ctx, const struct sdb_record *r)
{
    struct kept *k = ctx;
    struct sdb_operands o;
    seerdb_slice operand;
    size_t at = strlen(k->words);
#define SAY(...)                                                                       \
    at += (size_t)snprintf(k->words + at, sizeof k->words - at, __VA_ARGS__)
    SAY("%s%" PRIu64, k->n++ > 0 ? "; " : "", r->number);
    if (r->kind == SDB_KIND_TOMBSTONE) {
        SAY(" del");
    } else if (r->kind == SDB_KIND_VALUE) {
        SAY(" put %.*s", (int)r->value.size, (const char *)r->value.data);
    } else {
        assert_true(sdb_operands_open(&o, r->value));
        SAY(" merge %" PRIu64 " ", o.from);
        for (bool first = true; sdb_operands_next(&o, &operand); first = false)
            SAY("%s%.*s", first ? "" : ",", (int)operand.size,
                (const char *)operand.data);
    }
#undef SAY
    return 0;
}

/* "append", but "!" is more than it can take. */
static int picky_full(void *ctx, seerdb_slice key, const seerdb_slice *base,
                      const seerdb_slice *operands, size_t n, seerdb_merge_out *out,
                      seerdb_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (memchr(operands[i].data, '!', operands[i].size) != NULL)
            return SEERDB_MISUSE;
    return seerdb_merge_named("append")->full(ctx, key, base, operands, n, out, err);
}

static const seerdb_merge_operator picky = {.name = "picky", .full = picky_full};

struct fold_case {
    const char *name;
    uint64_t snapshots[3];
    size_t nsnapshots;
    bool bottom, no_operator;
    uint64_t history_from, range; /* range: a tombstone over the key that stays */
    const char *in[6], *out;
};

static const struct fold_case cases[] = {
    {.name = "operands and a value become a value",
     .in = {"3 merge 0 c", "2 merge 0 b", "1 put a"},
     .out = "3 put abc"},
    {.name = "a tombstone is nothing to start from",
     .in = {"3 merge 0 c", "2 merge 0 b", "1 del"},
     .out = "3 put bc"},
    {.name = "so is the bottom",
     .bottom = true,
     .in = {"3 merge 0 c", "2 merge 0 b"},
     .out = "3 put bc"},
    {.name = "elsewhere they become a longer list",
     .in = {"3 merge 0 c", "2 merge 0 b"},
     .out = "3 merge 2 b,c"},
    {.name = "one alone stays as it is", .in = {"3 merge 0 c"}, .out = "3 merge 0 c"},
    {.name = "what a record includes counts once",
     .in = {"4 merge 3 cd", "3 merge 0 c", "2 merge 0 b", "1 put a"},
     .out = "4 put abcd"},
    {.name = "a list that is included counts once",
     .in = {"4 merge 2 b,c,d", "3 merge 2 b,c", "2 merge 0 b", "1 put a"},
     .out = "4 put abcd"},
    {.name = "below a value nothing is looked at",
     .in = {"3 put c", "2 merge 0 b", "1 put a"},
     .out = "3 put c"},
    {.name = "each snapshot has its own value",
     .snapshots = {2},
     .nsnapshots = 1,
     .in = {"4 merge 0 d", "3 merge 0 c", "2 merge 0 b", "1 put a"},
     .out = "4 put abcd; 2 put ab"},
    {.name = "also where the newest includes what the snapshot sees",
     .snapshots = {2},
     .nsnapshots = 1,
     .in = {"4 merge 2 bcd", "3 merge 2 bc", "2 merge 0 b", "1 put a"},
     .out = "4 put abcd; 2 put ab"},
    {.name = "without a value the snapshot's list is the beginning of the other",
     .snapshots = {2},
     .nsnapshots = 1,
     .in = {"4 merge 3 cd", "3 merge 0 c", "2 merge 0 b"},
     .out = "4 merge 3 cd; 2 merge 0 b"},
    {.name = "a snapshot below the value sees the value",
     .snapshots = {1},
     .nsnapshots = 1,
     .in = {"3 merge 0 c", "2 merge 0 b", "1 put a"},
     .out = "3 put abc; 1 put a"},
    {.name = "the history stays as it is, the newest and the oldest are worked out",
     .history_from = 3,
     .in = {"4 merge 0 d", "3 merge 0 c", "2 merge 0 b", "1 put a"},
     .out = "4 put abcd; 3 merge 0 c; 2 put ab"},
    {.name = "one of the history that would lose its beginning is worked out",
     .history_from = 3,
     .in = {"4 merge 2 bcd", "3 merge 2 bc", "2 merge 0 b", "1 put a"},
     .out = "4 put abcd; 3 put abc; 2 put ab"},
    {.name = "without an operator all stays",
     .no_operator = true,
     .bottom = true,
     .in = {"3 merge 0 c", "2 merge 0 b", "1 put a"},
     .out = "3 merge 0 c; 2 merge 0 b; 1 put a"},
    {.name = "but what is included in a newer one, and what lies below",
     .no_operator = true,
     .in = {"4 merge 3 cd", "3 merge 0 c", "2 put b", "1 put a"},
     .out = "4 merge 3 cd; 2 put b"},
    {.name = "where the operator fails all stays",
     .bottom = true,
     .in = {"3 merge 0 c", "2 merge 0 !", "1 put a"},
     .out = "3 merge 0 c; 2 merge 0 !; 1 put a"},
    {.name = "a range ends the chain of whoever sees it",
     .history_from = 3,
     .range = 3,
     .in = {"4 merge 0 d", "2 merge 0 b", "1 put a"},
     .out = "4 put d; 2 put ab"},
    {.name = "not of those who do not",
     .history_from = 3,
     .range = 5,
     .in = {"4 merge 0 d", "2 merge 0 b", "1 put a"},
     .out = "4 put abd; 2 put ab"},
    {.name = "the tombstone that a chain starts from goes at the bottom",
     .bottom = true,
     .history_from = 2,
     .in = {"3 merge 0 c", "2 merge 0 b", "1 del"},
     .out = "3 put bc; 2 merge 0 b"},
};

static void every_case_comes_out_as_its_name_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct fold_case *c = &cases[i];
        struct history h = {.n = 0};
        struct kept kept = {.n = 0};
        seerdb_err err = {0};
        struct sdb_ranges *ranges = NULL;
        struct sdb_fold f = {.snapshots = c->snapshots,
                             .nsnapshots = c->nsnapshots,
                             .present = true,
                             .bottom = c->bottom,
                             .history_from = c->history_from,
                             .merge = c->no_operator ? NULL : &picky};
        if (c->range > 0)
            test_ok(sdb_ranges_new(
                        &(struct sdb_range){test_slice("a"), test_slice("z"), c->range},
                        1, &ranges, &err),
                    &err);
        f.ranges = ranges;
        for (size_t k = 0; k < 6 && c->in[k] != NULL; k++)
            add_version(&h, c->in[k]);
        rewind_history(&h);
        test_ok(sdb_fold_key(&f, &h.base, keep, &kept, &err), &err);
        if (strcmp(kept.words, c->out) != 0)
            fail_msg("%s: %s", c->name, kept.words);
        sdb_fold_fini(&f);
        sdb_ranges_unref(ranges);
    }
}

static void malformed_operands_are_corrupt(void **state)
{
    struct history h = {.n = 0};
    struct kept kept = {.n = 0};
    seerdb_err err = {0};
    struct sdb_fold f = {.present = true, .merge = &picky};
    (void)state;
    add_version(&h, "3 merge 0 c");
    h.v[0].value.size--;
    rewind_history(&h);
    test_fails(sdb_fold_key(&f, &h.base, keep, &kept, &err), SEERDB_CORRUPT, &err);
    add_version(&h, "2 merge 3 b"); /* from above its number */
    h.v[0] = h.v[1];
    h.n = 1;
    rewind_history(&h);
    test_fails(sdb_fold_key(&f, &h.base, keep, &kept, &err), SEERDB_CORRUPT, &err);
    sdb_fold_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_comes_out_as_its_name_says),
        cmocka_unit_test(malformed_operands_are_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
