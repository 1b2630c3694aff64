/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an operator will not make one operand of a whole list, each half of the list is
 * tried, and so on down: one that combines up to some size leaves few, and one that
 * never combines costs as many calls as there are operands, once per list. */
#include "tree/mergeop.h"

#include <inttypes.h>
#include <stdio.h>

#define KEY_SHOWN  16u /* bytes of a key in messages */
#define NAME_SHOWN 80u /* and of an operator's name */

/* ---- what operators say ------------------------------------------------------- */

void *seerdb_merge_room(seerdb_merge_out *out, size_t n)
{
    struct sdb_buf *b = &out->bytes;
    out->too_big = out->too_big || n > SEERDB_VALUE_MAX - b->size;
    if (out->too_big || !sdb_buf_reserve(b, n > 0 ? n : 1))
        return NULL;
    b->size += n;
    return b->data + (b->size - n);
}

void seerdb_merge_emit(seerdb_merge_out *out, const void *data, size_t size)
{
    uint8_t *p = seerdb_merge_room(out, size);
    if (p != NULL && size > 0)
        memcpy(p, data, size);
}

bool seerdb_merge_hurries(const seerdb_merge_out *out)
{
    return out->hurried;
}

/* The operator failed: say where. */
static int explain(const seerdb_merge_operator *op, seerdb_slice key, int rc,
                   const seerdb_err *why, seerdb_err *err)
{
    char hex[2 * KEY_SHOWN + 1] = "";
    const uint8_t *bytes = key.data;
    for (size_t i = 0; i < key.size && i < KEY_SHOWN; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    /* Behind a semicolon there may be parameters. */
    size_t shown = strcspn(op->name, ";");
    return sdb_fail(err, rc < 0 ? rc : SEERDB_MISUSE,
                    "merge operator %.*s, key x'%s%s': %.300s",
                    (int)(shown < NAME_SHOWN ? shown : NAME_SHOWN), op->name, hex,
                    key.size > KEY_SHOWN ? "..." : "",
                    why->code != 0 ? why->msg : "it failed and did not say why");
}

/* What became of a call that answered rc. */
static int conclude(const struct sdb_merging *m, const seerdb_merge_operator *op,
                    seerdb_slice key, int rc, const seerdb_err *why, seerdb_err *err)
{
    if (m->out.too_big)
        return explain(op, key, SEERDB_TOOBIG,
                       &(seerdb_err){SEERDB_TOOBIG, "the value is too long"}, err);
    if (m->out.bytes.failed)
        return sdb_buf_check(&m->out.bytes, err);
    return rc == 0 || rc == SEERDB_NOTFOUND ? rc : explain(op, key, rc, why, err);
}

/* ---- gathering ---------------------------------------------------------------- */

struct record {
    size_t at, size; /* of its value in bytes */
};

void sdb_merging_begin(struct sdb_merging *m)
{
    sdb_buf_clear(&m->bytes);
    sdb_buf_clear(&m->records);
    m->n = 0;
    m->below = UINT64_MAX;
}

void sdb_merging_fini(struct sdb_merging *m)
{
    sdb_buf_fini(&m->bytes);
    sdb_buf_fini(&m->records);
    sdb_buf_fini(&m->slices);
    sdb_buf_fini(&m->list);
    sdb_buf_fini(&m->out.bytes);
}

/* From where on a record includes all older ones; numbers of a batch are raised, and
 * what its records say is not. */
static uint64_t reach(uint64_t from, uint64_t number)
{
    if (from == 0)
        return number;
    return number >= SDB_NUMBER_BATCH ? from + SDB_NUMBER_BATCH : from;
}

int sdb_merging_add(struct sdb_merging *m, const struct sdb_record *r, seerdb_err *err)
{
    struct sdb_operands o;
    seerdb_slice operand;
    if (!sdb_operands_open(&o, r->value) || reach(o.from, r->number) > r->number)
        goto malformed;
    size_t n = (size_t)o.count;
    while (sdb_operands_next(&o, &operand))
        continue;
    if (!sdb_operands_done(&o))
        goto malformed;
    struct record place = {m->bytes.size, r->value.size};
    sdb_buf_append_slice(&m->bytes, r->value);
    sdb_buf_append(&m->records, &place, sizeof place);
    m->n += n;
    m->below = reach(o.from, r->number);
    int rc = sdb_buf_check(&m->bytes, err);
    return rc != 0 ? rc : sdb_buf_check(&m->records, err);
malformed:
    return sdb_fail(err, SEERDB_CORRUPT,
                    "the merge operands of commit %" PRIu64 " are malformed",
                    r->number);
}

/* Lay out the operands, oldest first. */
static int lay_out(struct sdb_merging *m, seerdb_err *err)
{
    sdb_buf_clear(&m->slices);
    for (size_t i = m->records.size / sizeof(struct record); i > 0; i--) {
        struct record place;
        struct sdb_operands o;
        seerdb_slice operand;
        memcpy(&place, m->records.data + (i - 1) * sizeof place, sizeof place);
        (void)sdb_operands_open(&o, (seerdb_slice){m->bytes.data + place.at,
                                                   place.size}); /* add has seen it */
        while (sdb_operands_next(&o, &operand))
            sdb_buf_append(&m->slices, &operand, sizeof operand);
    }
    return sdb_buf_check(&m->slices, err);
}

/* Most answer without a word: only what tells of one is cleared. */
static inline void clear_err(seerdb_err *why)
{
    why->code = SEERDB_OK;
    why->msg[0] = 0;
}

static void clear_out(struct sdb_merging *m)
{
    sdb_buf_clear(&m->out.bytes);
    m->out.too_big = false;
    m->out.hurried = m->hurried;
}

int sdb_merging_full(struct sdb_merging *m, const seerdb_merge_operator *op,
                     seerdb_slice key, const seerdb_slice *base, seerdb_slice *out,
                     seerdb_err *err)
{
    seerdb_err why;
    int rc = lay_out(m, err);
    if (rc != 0)
        return rc;
    clear_err(&why);
    clear_out(m);
    rc = op->full(op->ctx, key, base, (const seerdb_slice *)(void *)m->slices.data,
                  m->n, &m->out, &why);
    *out = sdb_buf_slice(&m->out.bytes);
    return conclude(m, op, key, rc, &why, err);
}

bool sdb_merging_single(struct sdb_merging *m, const struct sdb_record *r,
                        seerdb_slice *operand)
{
    uint64_t from;
    if (!sdb_operands_only(r->value, &from, operand) ||
        reach(from, r->number) > r->number)
        return false;
    m->below = reach(from, r->number);
    return true;
}

int sdb_merging_apply(struct sdb_merging *m, const seerdb_merge_operator *op,
                      const struct sdb_record *r, const seerdb_slice *base,
                      seerdb_slice *out, seerdb_err *err)
{
    seerdb_err why;
    seerdb_slice operand;
    sdb_merging_begin(m);
    if (!sdb_merging_single(m, r, &operand)) {
        int rc = sdb_merging_add(m, r, err);
        return rc != 0 ? rc : sdb_merging_full(m, op, r->key, base, out, err);
    }
    clear_err(&why);
    clear_out(m);
    int rc = op->full(op->ctx, r->key, base, &operand, 1, &m->out, &why);
    *out = sdb_buf_slice(&m->out.bytes);
    return conclude(m, op, r->key, rc, &why, err);
}

/* ---- fewer operands ----------------------------------------------------------- */

struct shortening {
    struct sdb_merging *m;
    const seerdb_merge_operator *op;
    seerdb_slice key;
    uint64_t count; /* of operands in m->list */
};

/* Append to the list what does what these do. */
static int shorten(struct shortening *s, const seerdb_slice *operands, size_t n,
                   seerdb_err *err)
{
    struct sdb_merging *m = s->m;
    seerdb_err why = {0};
    if (n > 1) {
        sdb_buf_clear(&m->out.bytes);
        m->out.too_big = false;
        int rc = s->op->partial(s->op->ctx, s->key, operands, n, &m->out, &why);
        if (m->out.bytes.failed)
            return sdb_buf_check(&m->out.bytes, err);
        if (rc == SEERDB_NOMEM)
            return sdb_fail_as(err, &why);
        if (rc != 0 || m->out.too_big) {
            rc = shorten(s, operands, n / 2, err);
            return rc != 0 ? rc : shorten(s, operands + n / 2, n - n / 2, err);
        }
    }
    sdb_put_slice(&m->list, n > 1 ? sdb_buf_slice(&m->out.bytes) : operands[0]);
    s->count++;
    return sdb_buf_check(&m->list, err);
}

int sdb_merging_list(struct sdb_merging *m, const seerdb_merge_operator *op,
                     seerdb_slice key, uint64_t from, seerdb_slice *out,
                     seerdb_err *err)
{
    struct shortening s = {m, op, key, 0};
    uint8_t head[2 * SDB_VARINT_MAX];
    int rc = lay_out(m, err);
    if (rc != 0)
        return rc;
    const seerdb_slice *operands = (const seerdb_slice *)(void *)m->slices.data;
    sdb_buf_clear(&m->list);
    sdb_buf_zeros(&m->list, sizeof head); /* until the count is known */
    m->out.hurried = m->hurried;
    if (op != NULL && op->partial != NULL) {
        if ((rc = shorten(&s, operands, m->n, err)) != 0)
            return rc;
    } else {
        for (size_t i = 0; i < m->n; i++)
            sdb_put_slice(&m->list, operands[i]);
        s.count = m->n;
    }
    if ((rc = sdb_buf_check(&m->list, err)) != 0)
        return rc;
    size_t size = sdb_store_varint(head, from);
    size += sdb_store_varint(head + size, s.count);
    memcpy(m->list.data + sizeof head - size, head, size);
    *out = (seerdb_slice){m->list.data + sizeof head - size,
                          m->list.size - sizeof head + size};
    return 0;
}

bool sdb_merging_pair(struct sdb_merging *m, const seerdb_merge_operator *op,
                      seerdb_slice key, const seerdb_slice operands[2],
                      seerdb_slice *out)
{
    seerdb_err why;
    clear_err(&why);
    clear_out(m);
    int rc = op->partial(op->ctx, key, operands, 2, &m->out, &why);
    *out = sdb_buf_slice(&m->out.bytes);
    return rc == 0 && !m->out.too_big && !m->out.bytes.failed;
}

bool sdb_merging_two(struct sdb_merging *m, const seerdb_merge_operator *op,
                     seerdb_slice key, const seerdb_slice operands[2], uint64_t from,
                     seerdb_slice *out)
{
    seerdb_slice one;
    if (!sdb_merging_pair(m, op, key, operands, &one))
        return false;
    sdb_buf_clear(&m->list);
    sdb_operands_put_only(&m->list, from, one);
    *out = sdb_buf_slice(&m->list);
    return !m->list.failed;
}

/* ---- operators of the engine's own ---------------------------------------------- */

static int add_up(const seerdb_slice *base, const seerdb_slice *operands, size_t n,
                  seerdb_merge_out *out, seerdb_err *err)
{
    uint64_t sum = 0;
    uint8_t bytes[8];
    for (size_t i = base != NULL ? 0 : 1; i <= n; i++) {
        const seerdb_slice *s = i == 0 ? base : &operands[i - 1];
        if (s->size != sizeof bytes)
            return sdb_fail(err, SEERDB_MISUSE, "%zu bytes are no 64-bit integer",
                            s->size);
        sum += sdb_load_u64(s->data);
    }
    sdb_store_u64(bytes, sum);
    seerdb_merge_emit(out, bytes, sizeof bytes);
    return 0;
}

static int add_full(void *ctx, seerdb_slice key, const seerdb_slice *base,
                    const seerdb_slice *operands, size_t n, seerdb_merge_out *out,
                    seerdb_err *err)
{
    (void)ctx;
    (void)key;
    return add_up(base, operands, n, out, err);
}

/* What full refuses must reach it as it is. */
static int add_partial(void *ctx, seerdb_slice key, const seerdb_slice *operands,
                       size_t n, seerdb_merge_out *out, seerdb_err *err)
{
    (void)ctx;
    (void)key;
    (void)err;
    return add_up(NULL, operands, n, out, NULL) == 0 ? 0 : SEERDB_NOTFOUND;
}

static int max_full(void *ctx, seerdb_slice key, const seerdb_slice *base,
                    const seerdb_slice *operands, size_t n, seerdb_merge_out *out,
                    seerdb_err *err)
{
    const seerdb_slice *most = base != NULL ? base : &operands[0];
    (void)ctx;
    (void)key;
    (void)err;
    for (size_t i = 0; i < n; i++)
        if (sdb_slice_cmp(operands[i], *most) > 0)
            most = &operands[i];
    seerdb_merge_emit(out, most->data, most->size);
    return 0;
}

static int max_partial(void *ctx, seerdb_slice key, const seerdb_slice *operands,
                       size_t n, seerdb_merge_out *out, seerdb_err *err)
{
    return max_full(ctx, key, NULL, operands, n, out, err);
}

static int append_full(void *ctx, seerdb_slice key, const seerdb_slice *base,
                       const seerdb_slice *operands, size_t n, seerdb_merge_out *out,
                       seerdb_err *err)
{
    (void)ctx;
    (void)key;
    (void)err;
    if (base != NULL)
        seerdb_merge_emit(out, base->data, base->size);
    for (size_t i = 0; i < n; i++)
        seerdb_merge_emit(out, operands[i].data, operands[i].size);
    return 0;
}

static int append_partial(void *ctx, seerdb_slice key, const seerdb_slice *operands,
                          size_t n, seerdb_merge_out *out, seerdb_err *err)
{
    return append_full(ctx, key, NULL, operands, n, out, err);
}

const seerdb_merge_operator *seerdb_merge_named(const char *name)
{
    static const seerdb_merge_operator all[] = {
        {"uint64 add", NULL, add_full, add_partial, true, NULL},
        {"max", NULL, max_full, max_partial, true, NULL},
        {"append", NULL, append_full, append_partial, true, NULL},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
    return NULL;
}
