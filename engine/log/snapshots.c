/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists are short and change seldom: one allocation each, made anew with every change,
 * is enough, and readers need no lock. */
#include "log/snapshots.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static size_t once_each(uint64_t *numbers, size_t n)
{
    size_t kept = 0;
    if (n > 0)
        qsort(numbers, n, sizeof numbers[0], by_number);
    for (size_t i = 0; i < n; i++)
        if (numbers[i] != 0 && (kept == 0 || numbers[kept - 1] != numbers[i]))
            numbers[kept++] = numbers[i];
    return kept;
}

static bool is_none(const struct sdb_snapshot *s)
{
    return s->pending && s->lost;
}

/* `list` without the one at `skip`, or those that are none, and with *added, if not
 * NULL. */
static int change(const struct sdb_snapshots *list, size_t skip,
                  const struct sdb_snapshot *added, struct sdb_snapshots **out,
                  seerdb_err *err)
{
    size_t n = 0, bytes = 0, size = sizeof(struct sdb_snapshots);
    *out = NULL;
    for (size_t i = 0; i < sdb_snapshots_count(list); i++)
        if (i != skip && !is_none(&list->all[i])) {
            n++;
            bytes += list->all[i].name.size + 1;
        }
    if (added != NULL) {
        n++;
        bytes += added->name.size + 1;
    }
    if (n == 0)
        return 0;
    size += n * (sizeof list->all[0] + sizeof list->numbers[0]) + bytes;
    struct sdb_snapshots *s = sdb_mem_zalloc(size);
    if (s == NULL)
        return sdb_fail_nomem(err, size);
    atomic_init(&s->count, 1);
    s->numbers = (uint64_t *)(void *)&s->all[n];
    char *names = (char *)&s->numbers[n];
    for (size_t i = 0; i < sdb_snapshots_count(list); i++)
        if (i != skip && !is_none(&list->all[i]))
            s->all[s->n++] = list->all[i];
    if (added != NULL)
        s->all[s->n++] = *added;
    for (size_t i = 0; i < s->n; i++) {
        seerdb_slice *name = &s->all[i].name;
        memcpy(names, name->data, name->size);
        name->data = names;
        names += name->size + 1;
        s->numbers[i] = s->all[i].number;
    }
    s->nnumbers = once_each(s->numbers, s->n);
    *out = s;
    return 0;
}

int sdb_snapshots_with(const struct sdb_snapshots *list,
                       const struct sdb_snapshot *added, struct sdb_snapshots **out,
                       seerdb_err *err)
{
    return change(list, SIZE_MAX, added, out, err);
}

int sdb_snapshots_without(const struct sdb_snapshots *list, size_t i,
                          struct sdb_snapshots **out, seerdb_err *err)
{
    return change(list, i, NULL, out, err);
}

struct sdb_snapshots *sdb_snapshots_ref(struct sdb_snapshots *list)
{
    if (list != NULL)
        atomic_fetch_add_explicit(&list->count, 1, memory_order_relaxed);
    return list;
}

void sdb_snapshots_unref(struct sdb_snapshots *list)
{
    /* acq_rel: whoever frees sees what every other holder did. */
    if (list != NULL &&
        atomic_fetch_sub_explicit(&list->count, 1, memory_order_acq_rel) == 1)
        sdb_mem_free(list);
}

size_t sdb_snapshots_find(const struct sdb_snapshots *list, seerdb_slice name)
{
    size_t i = 0;
    while (i < sdb_snapshots_count(list) &&
           (is_none(&list->all[i]) || list->all[i].name.size != name.size ||
            memcmp(list->all[i].name.data, name.data, name.size) != 0))
        i++;
    return i;
}

bool sdb_snapshots_has(const struct sdb_snapshots *list, uint64_t number)
{
    return list != NULL && bsearch(&number, list->numbers, list->nnumbers,
                                   sizeof list->numbers[0], by_number) != NULL;
}

bool sdb_snapshots_news_below(const struct sdb_snapshots *list,
                              const struct sdb_snapshots *known, uint64_t floor)
{
    for (size_t i = 0; list != NULL && i < list->nnumbers && list->numbers[i] < floor;
         i++)
        if (!sdb_snapshots_has(known, list->numbers[i]))
            return true;
    return false;
}

bool sdb_snapshot_name_is_good(seerdb_slice name)
{
    return name.size > 0 && name.size <= SEERDB_SNAPSHOT_NAME_MAX &&
           memchr(name.data, 0, name.size) == NULL;
}

void sdb_snapshot_encode(const struct sdb_snapshot *s, struct sdb_buf *to)
{
    sdb_put_varint(to, s->number);
    sdb_put_varint(to, s->time_us);
    sdb_put_slice(to, s->name);
}

bool sdb_snapshot_decode(struct sdb_reader *r, struct sdb_snapshot *out)
{
    *out = (struct sdb_snapshot){.number = sdb_get_varint(r)};
    out->time_us = sdb_get_varint(r);
    out->name = sdb_get_slice(r);
    return sdb_reader_done(r) && sdb_snapshot_name_is_good(out->name);
}

int sdb_held_count_init(struct sdb_held_count *c, const struct sdb_snapshots *list,
                        seerdb_err *err)
{
    *c = (struct sdb_held_count){0};
    if (list == NULL)
        return 0;
    if ((c->all = sdb_array_new(list->nnumbers, sizeof c->all[0])) == NULL)
        return sdb_fail_nomem(err, list->nnumbers * sizeof c->all[0]);
    c->n = list->nnumbers;
    for (size_t i = 0; i < c->n; i++)
        c->all[i] = (struct sdb_held){.number = list->numbers[i]};
    return 0;
}

static struct sdb_held *find_held(struct sdb_held_count *c, uint64_t number)
{
    size_t lo = 0, hi = c->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->all[mid].number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    assert(lo < c->n && c->all[lo].number == number);
    return &c->all[lo];
}

void sdb_held_count_add(struct sdb_held_count *c, uint64_t number, size_t bytes,
                        unsigned stale)
{
    struct sdb_held *h = find_held(c, number);
    h->records++;
    h->bytes += bytes;
    h->stale += stale;
}

void sdb_held_count_range(struct sdb_held_count *c, uint64_t number)
{
    find_held(c, number)->ranges++;
}

int sdb_held_count_take(struct sdb_held_count *c, struct sdb_held **held, size_t *n,
                        seerdb_err *err)
{
    size_t some = 0;
    *held = NULL;
    *n = 0;
    for (size_t i = 0; i < c->n; i++)
        some += c->all[i].records > 0 || c->all[i].ranges > 0;
    if (some == 0)
        return 0;
    if ((*held = sdb_array_new(some, sizeof **held)) == NULL)
        return sdb_fail_nomem(err, some * sizeof **held);
    for (size_t i = 0; i < c->n; i++)
        if (c->all[i].records > 0 || c->all[i].ranges > 0) {
            (*held)[(*n)++] = c->all[i];
            c->all[i] = (struct sdb_held){.number = c->all[i].number};
        }
    return 0;
}

void sdb_held_count_fini(struct sdb_held_count *c)
{
    sdb_mem_free(c->all);
    *c = (struct sdb_held_count){0};
}

void sdb_held_encode(const struct sdb_held *held, size_t n, struct sdb_buf *to)
{
    sdb_put_varint(to, n);
    for (size_t i = 0; i < n; i++) {
        sdb_put_varint(to, held[i].number);
        sdb_put_varint(to, held[i].records);
        sdb_put_varint(to, held[i].bytes);
        sdb_put_varint(to, held[i].stale);
        sdb_put_varint(to, held[i].ranges);
    }
}

int sdb_held_decode(struct sdb_reader *r, struct sdb_held **held, size_t *n,
                    const char *where, seerdb_err *err)
{
    uint64_t count = sdb_get_varint(r);
    bool good = count > 0 && count <= sdb_reader_left(r) / 5; /* bytes of each */
    *held = NULL;
    *n = 0;
    if (good) {
        if ((*held = sdb_array_new((size_t)count, sizeof **held)) == NULL)
            return sdb_fail_nomem(err, (size_t)count * sizeof **held);
        for (size_t i = 0; i < count; i++) {
            struct sdb_held *h = &(*held)[i];
            h->number = sdb_get_varint(r);
            h->records = sdb_get_varint(r);
            h->bytes = sdb_get_varint(r);
            h->stale = sdb_get_varint(r);
            h->ranges = sdb_get_varint(r);
            good = good && (i == 0 || h[-1].number < h->number);
        }
    }
    if (good && sdb_reader_done(r)) {
        *n = (size_t)count;
        return 0;
    }
    sdb_mem_free(*held);
    *held = NULL;
    return sdb_fail(err, SEERDB_CORRUPT, "%s: edit: malformed field: held", where);
}
