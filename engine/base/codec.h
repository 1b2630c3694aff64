/* SPDX-License-Identifier: Apache-2.0
 *
 * codec -- block compression: none or zstd.
 *
 * A codec object keeps zstd's contexts between calls; one thread at a time. */
#ifndef SDB_BASE_CODEC_H
#define SDB_BASE_CODEC_H

#include "base/buf.h"

enum sdb_codec_id { SDB_CODEC_NONE = 0, SDB_CODEC_ZSTD = 1 }; /* on disk */

struct sdb_codec; /* heap object; made lazily, freed with sdb_codec_free */
int sdb_codec_new(struct sdb_codec **out, seerdb_err *err) SDB_MUST_CHECK;
void sdb_codec_free(struct sdb_codec *c);

/* Compress with zstd at `level` and append to out.  Returns 0, or
 * SEERDB_NOTFOUND when less than an eighth would be saved (out as it was). */
int sdb_codec_compress(struct sdb_codec *c, int level, seerdb_slice raw,
                       struct sdb_buf *out, seerdb_err *err) SDB_MUST_CHECK;

/* Decompress into raw (exactly raw_size bytes).  CORRUPT when the bytes are not a
 * zstd frame of that size. c may be NULL: a context is made for the call. */
int sdb_codec_decompress(struct sdb_codec *c, seerdb_slice packed, void *raw,
                         size_t raw_size, seerdb_err *err) SDB_MUST_CHECK;

unsigned sdb_codec_zstd_version(void); /* 10504 is 1.5.4 */

#endif
