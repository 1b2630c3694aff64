/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

#include <zstd.h>

struct sdb_codec {
    ZSTD_CCtx *c;
    ZSTD_DCtx *d;
};

int sdb_codec_new(struct sdb_codec **out, seerdb_err *err)
{
    struct sdb_codec *c = sdb_mem_zalloc(sizeof *c);
    if (c == NULL)
        return sdb_fail_nomem(err, sizeof *c);
    *out = c;
    return 0;
}

void sdb_codec_free(struct sdb_codec *c)
{
    if (c == NULL)
        return;
    ZSTD_freeCCtx(c->c);
    ZSTD_freeDCtx(c->d);
    sdb_mem_free(c);
}

int sdb_codec_compress(struct sdb_codec *c, int level, seerdb_slice raw,
                       struct sdb_buf *out, seerdb_err *err)
{
    if (c->c == NULL && (c->c = ZSTD_createCCtx()) == NULL)
        return sdb_fail_nomem(err, 0);
    size_t bound = ZSTD_compressBound(raw.size);
    if (!sdb_buf_reserve(out, bound))
        return sdb_buf_check(out, err);
    size_t n = ZSTD_compressCCtx(c->c, out->data + out->size, bound, raw.data, raw.size,
                                 level);
    if (ZSTD_isError(n))
        return sdb_fail(err, SEERDB_NOMEM, "zstd refused to compress %zu bytes: %s",
                        raw.size, ZSTD_getErrorName(n));
    if (n > raw.size - raw.size / 8)
        return SEERDB_NOTFOUND;
    out->size += n;
    return 0;
}

int sdb_codec_decompress(struct sdb_codec *c, seerdb_slice packed, void *raw,
                         size_t raw_size, seerdb_err *err)
{
    size_t n;
    if (c == NULL) {
        n = ZSTD_decompress(raw, raw_size, packed.data, packed.size);
    } else {
        if (c->d == NULL && (c->d = ZSTD_createDCtx()) == NULL)
            return sdb_fail_nomem(err, 0);
        n = ZSTD_decompressDCtx(c->d, raw, raw_size, packed.data, packed.size);
    }
    if (ZSTD_isError(n))
        return sdb_fail(err, SEERDB_CORRUPT, "zstd: %s", ZSTD_getErrorName(n));
    if (n != raw_size)
        return sdb_fail(err, SEERDB_CORRUPT, "zstd: %zu bytes, expected %zu", n,
                        raw_size);
    return 0;
}

unsigned sdb_codec_zstd_version(void)
{
    return ZSTD_versionNumber();
}
