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
    if (rc > SEERDB_CHANGE)
        return sdb_fail(err, SEERDB_MISUSE,
                        "the filter of the tree answered %d: no verdict", rc);
    if (rc == SEERDB_CHANGE && out->bytes.size > SEERDB_VALUE_MAX)
        return sdb_fail(err, SEERDB_TOOBIG,
                        "the filter of the tree made a value of %zu bytes, at most %zu",
                        out->bytes.size, SEERDB_VALUE_MAX);
    int failed = rc == SEERDB_CHANGE ? sdb_buf_check(&out->bytes, err) : 0;
    return failed != 0 ? failed : rc;
}

uint64_t sdb_sieve_expiry(const struct sdb_sieve *s, const seerdb_row *row)
{
    uint64_t at = UINT64_MAX;
    if (s->filter.expiry == NULL || s->filter.expiry(s->filter.ctx, row, &at) != 0)
        return UINT64_MAX;
    return at;
}
