/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLite has no call that tells the encoding, and the pragma that does may be forbidden
 * by an authorizer.  A text that is cast to a blob shows its bytes.
 *
 * The conversion is our own, not sqlite3_value_text: that changes a value where it is,
 * and what SQLite makes of surrogates without a partner depends on how it was compiled,
 * which keys on disk must not. */
#include "encoding.h"

int svt_encoding_code(enum svt_encoding e)
{
    return e == SVT_UTF8      ? SQLITE_UTF8
           : e == SVT_UTF16LE ? SQLITE_UTF16LE
                              : SQLITE_UTF16BE;
}

const char *svt_encoding_name(enum svt_encoding e)
{
    return e == SVT_UTF8 ? "UTF-8" : e == SVT_UTF16LE ? "UTF-16le" : "UTF-16be";
}

int svt_encoding_convert(sqlite3 *db, seerdb_slice text, struct svt_bytes *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT CAST(?1 AS BLOB)", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text64(stmt, 1, text.size > 0 ? text.data : "", text.size,
                                 SQLITE_STATIC, SQLITE_UTF8);
    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(stmt, 0);
        size_t size = (size_t)sqlite3_column_bytes(stmt, 0);
        rc = bytes == NULL && text.size > 0 ? SQLITE_NOMEM : SQLITE_OK;
        if (rc == SQLITE_OK)
            svt_bytes_append(out, bytes, size);
        if (out->failed)
            rc = SQLITE_NOMEM;
    }
    sqlite3_finalize(stmt);
    return rc;
}

int svt_encoding_find(sqlite3 *db, enum svt_encoding *out)
{
    struct svt_bytes a = {.data = NULL};
    int rc = svt_encoding_convert(db, (seerdb_slice){"a", 1}, &a);
    if (rc == SQLITE_OK)
        *out = a.size == 1 ? SVT_UTF8 : a.data[0] != 0 ? SVT_UTF16LE : SVT_UTF16BE;
    svt_bytes_fini(&a);
    return rc;
}

static uint32_t unit(const uint8_t *p, enum svt_encoding e)
{
    return e == SVT_UTF16LE ? (uint32_t)(p[0] | p[1] << 8)
                            : (uint32_t)(p[0] << 8 | p[1]);
}

static bool is_surrogate(uint32_t c)
{
    return c >= 0xd800 && c < 0xe000;
}

/* Requires: room for four bytes. */
static void put_utf8(struct svt_bytes *out, uint32_t c)
{
    uint8_t *p = out->data + out->size;
    if (c < 0x80) {
        p[0] = (uint8_t)c;
        out->size += 1;
    } else if (c < 0x800) {
        p[0] = (uint8_t)(0xc0 | c >> 6);
        p[1] = (uint8_t)(0x80 | (c & 0x3f));
        out->size += 2;
    } else if (c < 0x10000) {
        p[0] = (uint8_t)(0xe0 | c >> 12);
        p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        p[2] = (uint8_t)(0x80 | (c & 0x3f));
        out->size += 3;
    } else {
        p[0] = (uint8_t)(0xf0 | (c >> 18 & 0x07));
        p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        p[3] = (uint8_t)(0x80 | (c & 0x3f));
        out->size += 4;
    }
}

void svt_encoding_to_utf8(struct svt_bytes *out, seerdb_slice text, enum svt_encoding e)
{
    size_t nunits = text.size / 2;
    const uint8_t *p = text.data;
    /* Three bytes at most for a unit, four for two. */
    if (!svt_bytes_reserve(out, nunits * 3 + 1))
        return;
    for (size_t i = 0; i < nunits; i++) {
        uint32_t c = unit(p + 2 * i, e);
        if (is_surrogate(c) && i + 1 < nunits) {
            uint32_t low = unit(p + 2 * ++i, e);
            c = (low & 0x3ff) + ((c & 0x3f) << 10) + (((c & 0x3c0) + 0x40) << 10);
        }
        put_utf8(out, c);
    }
}

uint8_t svt_encoding_first(seerdb_slice text, enum svt_encoding e)
{
    const uint8_t *p = text.data;
    if (text.size < (e == SVT_UTF8 ? 1 : 2))
        return 0;
    uint32_t c = e == SVT_UTF8 ? p[0] : unit(p, e);
    return c < 0x80 ? (uint8_t)c : 0x80;
}
