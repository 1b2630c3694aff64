/* SPDX-License-Identifier: Apache-2.0 */
#include "tree/sieve.h"

#include "base/mem.h"

int sdb_sieve_new(const seerdb_filter *filter, struct sdb_sieve **out, seerdb_err *err)
{
    struct sdb_sieve *s = sdb_mem_zalloc(sizeof *s);
    if (s == NULL)
        return sdb_fail_nomem(err, sizeof *s);
    s->filter = *filter;
    *out = s;
    return 0;
}

void sdb_sieve_free(struct sdb_sieve *s)
{
    if (s != NULL && s->filter.release != NULL)
        s->filter.release(s->filter.ctx);
    sdb_mem_free(s);
}

void seerdb_filter_emit(seerdb_filter_out *out, const void *data, size_t size)
{
    sdb_buf_append(&out->bytes, data, size);
}

int sdb_sieve_ask(const struct sdb_sieve *s, const seerdb_row *row, uint64_t now_us,
                  struct seerdb_filter_out *out, seerdb_err *err)
{
    seerdb_err own = {0};
    sdb_buf_clear(&out->bytes);
    int rc = s->filter.verdict(s->filter.ctx, row, now_us, out, &own);
    if (rc < 0)
        return sdb_fail(err, rc, "%s",
                        own.msg[0] != 0 ? own.msg : "the filter of the tree failed");
    if (rc > SEERDB_CHANGE && (rc != SEERDB_WHOLE || row->segments.size == 0))
        return sdb_fail(err, SEERDB_MISUSE,
                        "the filter of the tree answered %d: no verdict", rc);
    if (rc == SEERDB_CHANGE && out->bytes.size > SEERDB_VALUE_MAX)
        return sdb_fail(err, SEERDB_TOOBIG,
                        "the filter of the tree made a value of %zu bytes, at most %zu",
                        out->bytes.size, SEERDB_VALUE_MAX);
    int failed = rc == SEERDB_CHANGE ? sdb_buf_check(&out->bytes, err) : 0;
    return failed != 0 ? failed : rc;
}

/* The value of a record with segments, with gaps in their places. */
static int make_sparse(const struct sdb_record *r, struct sdb_buf *b, seerdb_row *row,
                       seerdb_err *err)
{
    struct sdb_segments all;
    struct sdb_segment s;
    int rc = sdb_segments_open(&all, r->value, err);
    if (rc != 0)
        return rc;
    const uint8_t *from = all.inlined.data, *first = all.rest.p;
    uint64_t at = 0;
    sdb_buf_clear(b);
    if (!sdb_buf_reserve(b, all.whole))
        return sdb_buf_check(b, err);
    *row = (seerdb_row){.key = r->key,
                        .value = {b->data, all.whole},
                        .segments = {first, (size_t)(from - first)}};
    while (sdb_segments_next(&all, &s)) {
        memcpy(b->data + at, from, s.offset - at);
        from += s.offset - at;
        at = s.offset + s.size;
    }
    if (all.whole > at)
        memcpy(b->data + at, from, all.whole - at);
    return 0;
}

int sdb_sieve_ask_record(const struct sdb_sieve *s, const struct sdb_record *r,
                         uint64_t now_us, struct seerdb_filter_out *out,
                         seerdb_err *err)
{
    seerdb_row row = {.key = r->key, .value = r->value};
    if (r->kind != SDB_KIND_SEGMENTS)
        return sdb_sieve_ask(s, &row, now_us, out, err);
    if (!s->filter.sparse)
        return SEERDB_WHOLE;
    int rc = make_sparse(r, &out->sparse, &row, err);
    return rc != 0 ? rc : sdb_sieve_ask(s, &row, now_us, out, err);
}

uint64_t sdb_sieve_expiry(const struct sdb_sieve *s, const struct sdb_record *r)
{
    seerdb_row row = {.key = r->key, .value = r->value};
    struct sdb_buf sparse = {0};
    uint64_t at = UINT64_MAX;
    bool known = s->filter.expiry != NULL &&
                 (r->kind == SDB_KIND_VALUE || r->kind == SDB_KIND_SEGMENTS);
    if (known && r->kind == SDB_KIND_SEGMENTS)
        known = s->filter.sparse && make_sparse(r, &sparse, &row, NULL) == 0;
    if (!known || s->filter.expiry(s->filter.ctx, &row, &at) != 0)
        at = UINT64_MAX;
    sdb_buf_fini(&sparse);
    return at;
}
