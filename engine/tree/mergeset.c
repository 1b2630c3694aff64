/* SPDX-License-Identifier: Apache-2.0
 *
 * Open addressing with linear probing, at most half full.  An operand that outgrows its
 * entry goes into a new one at the end, and the old bytes are lost until it is cleared;
 * each has room for some more, so that counters rarely move. */
#include "tree/mergeset.h"

#include "base/hash.h"
#include "table/keycode.h"

#define ALIGN     8u
#define SPARE     8u /* bytes that an operand may grow by */
#define SLOTS_MIN 64u
#define FEW       32u /* entries, or falls, that are left to sorting by insertion */
#define PASSES    3

void sdb_mergeset_fini(struct sdb_mergeset *s)
{
    sdb_mem_free(s->bytes);
    sdb_mem_free(s->refs);
    sdb_mem_free(s->slots);
    *s = (struct sdb_mergeset){0};
}

void sdb_mergeset_clear(struct sdb_mergeset *s)
{
    if (s->size > 0)
        memset(s->slots, 0, s->nslots * sizeof *s->slots);
    s->size = s->n = 0;
    s->changed = 0;
}

size_t sdb_mergeset_bytes(const struct sdb_mergeset *s)
{
    return s->capacity + 2 * s->nrefs * sizeof *s->refs + s->nslots * sizeof *s->slots;
}

static struct sdb_mergeset_entry *entry(const struct sdb_mergeset *s, size_t at)
{
    return (struct sdb_mergeset_entry *)(void *)(s->bytes + at);
}

/* The slot that holds the key, or the free one where it belongs.  Requires: there are
 * slots. */
static uint32_t *find(const struct sdb_mergeset *s, seerdb_slice key, uint32_t hash)
{
    for (size_t i = hash;; i++) {
        uint32_t *slot = &s->slots[i & (s->nslots - 1)];
        if (*slot == 0)
            return slot;
        const struct sdb_mergeset_entry *e = entry(s, *slot - 1);
        if (e->hash == hash && e->key_size == key.size &&
            (key.size == 0 || memcmp(e->bytes, key.data, key.size) == 0))
            return slot;
    }
}

/* Put all entries into their slots, of which all are free. */
static void fill_slots(struct sdb_mergeset *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct sdb_mergeset_entry *e = sdb_mergeset_at(s, i);
        *find(s, sdb_mergeset_key(e), e->hash) = s->refs[i].at + 1;
    }
}

static bool grow_slots(struct sdb_mergeset *s)
{
    size_t n = s->nslots == 0 ? SLOTS_MIN : 2 * s->nslots;
    uint32_t *slots = sdb_array_new(n, sizeof *slots);
    if (slots == NULL)
        return false;
    sdb_mem_free(s->slots);
    s->slots = slots;
    s->nslots = n;
    fill_slots(s);
    return true;
}

static bool grow_refs(struct sdb_mergeset *s)
{
    size_t n = s->nrefs == 0 ? SLOTS_MIN / 2 : 2 * s->nrefs;
    struct sdb_mergeset_ref *refs = sdb_array_grow(s->refs, 2 * n, sizeof *refs);
    if (refs == NULL)
        return false;
    s->refs = refs;
    s->nrefs = n;
    return true;
}

static bool grow_bytes(struct sdb_mergeset *s, size_t extra)
{
    size_t want = s->capacity == 0 ? 4096 : 2 * s->capacity;
    if (s->size + extra > SDB_MERGESET_BYTES)
        return false;
    want = want < SDB_MERGESET_BYTES ? want : SDB_MERGESET_BYTES;
    uint8_t *bytes = sdb_array_grow(s->bytes, want, 1);
    if (bytes == NULL)
        return false;
    s->bytes = bytes;
    s->capacity = want;
    return s->capacity - s->size >= extra;
}

/* Room for one more entry, or for a longer one in place of one. */
static struct sdb_mergeset_entry *new_entry(struct sdb_mergeset *s, size_t key_size,
                                            size_t size)
{
    size_t bytes = sizeof(struct sdb_mergeset_entry) + key_size + size + SPARE;
    bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (s->capacity - s->size < bytes && !grow_bytes(s, bytes))
        return NULL;
    struct sdb_mergeset_entry *e = entry(s, s->size);
    e->key_size = (uint32_t)key_size;
    e->room = (uint32_t)(bytes - sizeof *e - key_size);
    s->size += bytes;
    return e;
}

static bool insert(struct sdb_mergeset *s, seerdb_slice key, seerdb_slice operand,
                   uint32_t hash, uint64_t number)
{
    if (s->n >= SDB_MERGESET_MOST || (2 * s->n >= s->nslots && !grow_slots(s)) ||
        (s->n == s->nrefs && !grow_refs(s)))
        return false;
    struct sdb_mergeset_entry *e = new_entry(s, key.size, operand.size);
    if (e == NULL)
        return false;
    e->number = number;
    e->hash = hash;
    e->size = (uint32_t)operand.size;
    if (key.size > 0)
        memcpy(e->bytes, key.data, key.size);
    if (operand.size > 0)
        memcpy(e->bytes + key.size, operand.data, operand.size);
    uint32_t at = (uint32_t)((uint8_t *)e - s->bytes);
    *find(s, key, hash) = at + 1;
    s->refs[s->n++] = (struct sdb_mergeset_ref){sdb_window(e->bytes, key.size), at};
    return true;
}

/* The entry of *slot moves to where it has room for so many bytes. */
static struct sdb_mergeset_entry *move(struct sdb_mergeset *s, uint32_t *slot,
                                       size_t size)
{
    size_t from = *slot - 1, i = s->n;
    struct sdb_mergeset_entry *e =
        new_entry(s, entry(s, from)->key_size, size + entry(s, from)->room);
    if (e == NULL)
        return NULL;
    const struct sdb_mergeset_entry *old = entry(s, from);
    e->number = old->number;
    e->hash = old->hash;
    memcpy(e->bytes, old->bytes, old->key_size);
    *slot = (uint32_t)((uint8_t *)e - s->bytes) + 1;
    while (s->refs[i - 1].at != from)
        i--;
    s->refs[i - 1].at = *slot - 1;
    return e;
}

bool sdb_mergeset_add(struct sdb_mergeset *s, const seerdb_merge_operator *op,
                      struct sdb_merging *m, seerdb_slice key, seerdb_slice operand,
                      uint64_t number, uint64_t above)
{
    seerdb_slice both[2], sum;
    if (key.size > SDB_MERGESET_KEY || operand.size > SDB_MERGESET_OPERAND ||
        (s->nslots == 0 && !grow_slots(s)))
        return false;
    uint32_t hash = (uint32_t)sdb_hash64(key.data, key.size, 0);
    uint32_t *slot = find(s, key, hash);
    if (*slot == 0)
        return insert(s, key, operand, hash, number);
    struct sdb_mergeset_entry *e = entry(s, *slot - 1);
    both[0] = sdb_mergeset_operand(e);
    both[1] = operand;
    if (e->number <= above || !sdb_merging_pair(m, op, key, both, &sum) ||
        sum.size > SDB_MERGESET_OPERAND)
        return false;
    if (sum.size > e->room && (e = move(s, slot, sum.size)) == NULL)
        return false;
    e->size = (uint32_t)sum.size;
    if (sum.size > 0)
        memcpy(e->bytes + e->key_size, sum.data, sum.size);
    s->changed = number;
    return true;
}

/* ---- order -------------------------------------------------------------------- */

static bool is_above(const struct sdb_mergeset *s, const struct sdb_mergeset_ref *a,
                     const struct sdb_mergeset_ref *b)
{
    if (a->window != b->window)
        return a->window > b->window;
    return sdb_slice_cmp(sdb_mergeset_key(entry(s, a->at)),
                         sdb_mergeset_key(entry(s, b->at))) > 0;
}

static void swap(struct sdb_mergeset_ref **a, struct sdb_mergeset_ref **b)
{
    struct sdb_mergeset_ref *other = *a;
    *a = *b;
    *b = other;
}

/* One step for each that is where it belongs. */
static void sort_by_insertion(struct sdb_mergeset *s)
{
    struct sdb_mergeset_ref *refs = s->refs;
    for (size_t i = 1; i < s->n; i++) {
        struct sdb_mergeset_ref ref = refs[i];
        size_t k = i;
        for (; k > 0 && is_above(s, &refs[k - 1], &ref); k--)
            refs[k] = refs[k - 1];
        refs[k] = ref;
    }
}

/* Runs of `width` in `from` become ones of twice as many in `to`. */
static void merge_runs(const struct sdb_mergeset *s,
                       const struct sdb_mergeset_ref *from, struct sdb_mergeset_ref *to,
                       size_t width)
{
    for (size_t begin = 0, k = 0; begin < s->n; begin += 2 * width) {
        size_t middle = begin + width < s->n ? begin + width : s->n;
        size_t end = middle + width < s->n ? middle + width : s->n;
        for (size_t i = begin, j = middle; k < end; k++) {
            bool right = i == middle || (j < end && is_above(s, &from[i], &from[j]));
            to[k] = right ? from[j] : from[i];
            i += right ? 0 : 1;
            j += right ? 1 : 0;
        }
    }
}

/* For windows that many keys share. */
static void sort_by_merging(struct sdb_mergeset *s)
{
    struct sdb_mergeset_ref *from = s->refs, *to = s->refs + s->nrefs;
    for (size_t width = 1; width < s->n; width *= 2) {
        merge_runs(s, from, to, width);
        swap(&from, &to);
    }
    if (from != s->refs)
        memcpy(s->refs, from, s->n * sizeof *from);
}

/* Radix sort by the first bytes in which windows differ: then nearly all are where they
 * belong. */
static void sort_roughly(struct sdb_mergeset *s)
{
    struct sdb_mergeset_ref *from = s->refs, *to = s->refs + s->nrefs;
    uint64_t differ = 0;
    for (size_t i = 1; i < s->n; i++)
        differ |= from[i].window ^ from[0].window;
    int top = differ == 0 ? -1 : (63 - __builtin_clzll(differ)) / 8;
    for (int byte = top < PASSES ? 0 : top - PASSES + 1; byte <= top; byte++) {
        unsigned shift = 8 * (unsigned)byte;
        uint32_t ends[256] = {0}, end = 0;
        for (size_t i = 0; i < s->n; i++)
            ends[from[i].window >> shift & 0xff]++;
        for (size_t i = 0; i < 256; i++) {
            uint32_t n = ends[i];
            ends[i] = end;
            end += n;
        }
        for (size_t i = 0; i < s->n; i++)
            to[ends[from[i].window >> shift & 0xff]++] = from[i];
        swap(&from, &to);
    }
    if (from != s->refs)
        memcpy(s->refs, from, s->n * sizeof *from);
}

/* How many are below the one before. */
static size_t count_falls(const struct sdb_mergeset *s)
{
    size_t n = 0;
    for (size_t i = 1; i < s->n; i++)
        n += is_above(s, &s->refs[i - 1], &s->refs[i]) ? 1 : 0;
    return n;
}

void sdb_mergeset_sort(struct sdb_mergeset *s)
{
    if (s->n > FEW)
        sort_roughly(s);
    size_t falls = s->n > FEW ? count_falls(s) : s->n;
    if (falls > FEW)
        sort_by_merging(s);
    else if (falls > 0)
        sort_by_insertion(s);
}

void sdb_mergeset_drop(struct sdb_mergeset *s, size_t first, uint64_t most)
{
    size_t n = 0;
    for (size_t i = first; i < s->n; i++)
        if (sdb_mergeset_at(s, i)->number <= most)
            s->refs[n++] = s->refs[i];
    s->n = n;
    if (s->size > 0)
        memset(s->slots, 0, s->nslots * sizeof *s->slots);
    fill_slots(s);
    if (n == 0)
        s->size = 0;
}
