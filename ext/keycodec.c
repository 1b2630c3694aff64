/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a number is a double and a remainder: almost every number is a double, whose bits
 * sort after a small change; only integers beyond 2^53 may fall between two doubles,
 * and then the distance from the one below (under 1024) decides. */
#include "keycodec.h"

#include <string.h>

#define SIGN   ((uint64_t)1 << 63)
#define TWO_53 9007199254740992.0
#define TWO_63 9223372036854775808.0

static uint64_t double_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

static double bits_double(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static void append_be64(struct svt_bytes *out, uint64_t v)
{
    uint8_t be[8];
    svt_store_be64(be, v);
    svt_bytes_append(out, be, sizeof be);
}

void svt_key_rowid(struct svt_bytes *out, int64_t rowid)
{
    append_be64(out, (uint64_t)rowid ^ SIGN);
}

int64_t svt_key_read_rowid(seerdb_slice key)
{
    return (int64_t)(svt_load_be64(key.data) ^ SIGN);
}

/* The largest double <= x. */
static double floor_double(int64_t x)
{
    double d = (double)x;
    if (d >= TWO_63 || (int64_t)d > x) {
        uint64_t bits = double_bits(d);
        d = bits_double(d > 0 ? bits - 1 : bits + 1);
    }
    return d;
}

static bool has_remainder(double d)
{
    return d >= TWO_53 || d <= -TWO_53;
}

static void put_number(struct svt_bytes *out, double d, uint64_t remainder)
{
    uint64_t bits = double_bits(d == 0 ? 0.0 : d);
    append_be64(out, bits & SIGN ? ~bits : bits | SIGN);
    if (has_remainder(d)) {
        svt_bytes_byte(out, (uint8_t)(remainder >> 8));
        svt_bytes_byte(out, (uint8_t)remainder);
    }
}

static void put_integer(struct svt_bytes *out, int64_t x)
{
    double d = floor_double(x);
    put_number(out, d, (uint64_t)x - (uint64_t)(int64_t)d);
}

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static void put_nocase(struct svt_bytes *out, seerdb_slice text)
{
    const uint8_t *p = text.data;
    size_t n = 0;
    if (!svt_bytes_reserve(out, text.size + 9))
        return;
    for (; n < text.size && p[n] != 0; n++)
        out->data[out->size++] = fold(p[n]);
    if (n < text.size) {
        out->data[out->size++] = 0;
        append_be64(out, text.size);
    }
}

/* NOCASE and RTRIM are defined on UTF-8. */
static void put_collated16(struct svt_bytes *out, const struct svt_key_part *part,
                           seerdb_slice text)
{
    size_t start = out->size, n = start;
    svt_encoding_to_utf8(out, text, part->encoding);
    if (part->collation == SVT_RTRIM) {
        while (out->size > start && out->data[out->size - 1] == ' ')
            out->size--;
        return;
    }
    for (; n < out->size && out->data[n] != 0; n++)
        out->data[n] = fold(out->data[n]);
    if (n < out->size) {
        size_t size = out->size - start;
        out->size = n + 1;
        append_be64(out, size);
    }
}

static void put_collated(struct svt_bytes *out, const struct svt_key_part *part,
                         seerdb_slice text)
{
    enum svt_collation collation = part->collation;
    if (collation != SVT_BINARY && part->encoding != SVT_UTF8) {
        put_collated16(out, part, text);
        return;
    }
    if (collation == SVT_NOCASE) {
        put_nocase(out, text);
        return;
    }
    if (collation == SVT_RTRIM) {
        while (text.size > 0 && ((const char *)text.data)[text.size - 1] == ' ')
            text.size--;
    }
    svt_bytes_append(out, text.data, text.size);
}

/* Escape the bytes from `start` on and end them: 00 becomes 00 FF, 00 00 closes. */
static void escape_from(struct svt_bytes *out, size_t start)
{
    size_t zeros = 0;
    for (size_t i = start; i < out->size; i++)
        zeros += out->data[i] == 0;
    if (!svt_bytes_reserve(out, zeros + 2))
        return;
    size_t from = out->size, to = out->size + zeros;
    out->size = to;
    while (zeros > 0) {
        uint8_t byte = out->data[--from];
        if (byte == 0) {
            out->data[--to] = 0xff;
            zeros--;
        }
        out->data[--to] = byte;
    }
    out->data[out->size++] = 0;
    out->data[out->size++] = 0;
}

static void invert_from(struct svt_bytes *out, size_t start)
{
    for (size_t i = start; i < out->size; i++)
        out->data[i] = (uint8_t)~out->data[i];
}

void svt_key_put(struct svt_bytes *out, const struct svt_key_part *part,
                 const struct svt_value *v)
{
    size_t start = out->size;
    switch (v->type) {
    case SQLITE_INTEGER:
        svt_bytes_byte(out, SVT_TAG_NUMBER);
        put_integer(out, v->i);
        break;
    case SQLITE_FLOAT:
        svt_bytes_byte(out, SVT_TAG_NUMBER);
        put_number(out, v->r, 0);
        break;
    case SQLITE_TEXT:
        svt_bytes_byte(out, SVT_TAG_TEXT);
        put_collated(out, part, v->bytes);
        break;
    case SQLITE_BLOB:
        svt_bytes_byte(out, SVT_TAG_BLOB);
        svt_bytes_append(out, v->bytes.data, v->bytes.size);
        break;
    default:
        svt_bytes_byte(out, SVT_TAG_NULL);
        break;
    }
    if (out->failed)
        return;
    if ((v->type == SQLITE_TEXT || v->type == SQLITE_BLOB) &&
        (!part->last || part->desc))
        escape_from(out, start + 1);
    if (part->desc)
        invert_from(out, start);
}

void svt_key_put_tag(struct svt_bytes *out, const struct svt_key_part *part,
                     uint8_t tag, bool above)
{
    uint8_t byte = (uint8_t)(above ? tag + 1 : tag - 1);
    svt_bytes_byte(out, part->desc ? (uint8_t)~byte : byte);
}

void svt_key_put_first(struct svt_bytes *out, const struct svt_key_part *part,
                       uint8_t c)
{
    size_t start = out->size;
    svt_bytes_byte(out, SVT_TAG_TEXT);
    if (part->encoding == SVT_UTF16BE && part->collation == SVT_BINARY) {
        svt_bytes_byte(out, 0);
        if (!part->last || part->desc)
            svt_bytes_byte(out, 0xff); /* as escape_from does */
    }
    svt_bytes_byte(out, c);
    if (part->desc && !out->failed)
        invert_from(out, start);
}

/* The next n bytes, or false. */
static bool take(const uint8_t **p, const uint8_t *end, uint8_t mask, uint8_t *to,
                 size_t n)
{
    if ((size_t)(end - *p) < n)
        return false;
    for (size_t i = 0; i < n; i++)
        to[i] = *(*p)++ ^ mask;
    return true;
}

static bool get_number(const uint8_t **p, const uint8_t *end, uint8_t mask,
                       struct svt_value *out)
{
    uint8_t b[8], low[2] = {0, 0};
    if (!take(p, end, mask, b, sizeof b))
        return false;
    uint64_t bits = svt_load_be64(b);
    double d = bits_double(bits & SIGN ? bits ^ SIGN : ~bits);
    if (d != d || double_bits(d) == SIGN)
        return false; /* NaN, -0.0: never written */
    if (has_remainder(d) && !take(p, end, mask, low, sizeof low))
        return false;
    int64_t remainder = low[0] << 8 | low[1];
    bool in_range = d >= -TWO_63 && d < TWO_63;
    if (remainder != 0) {
        /* In range, x does not overflow: doubles there are at most 1024 apart. */
        if (!in_range || remainder >= 1024)
            return false;
        int64_t x = (int64_t)d + remainder;
        *out = (struct svt_value){.type = SQLITE_INTEGER, .i = x};
        return floor_double(x) == d;
    }
    if (in_range && (double)(int64_t)d == d)
        *out = (struct svt_value){.type = SQLITE_INTEGER, .i = (int64_t)d};
    else
        *out = (struct svt_value){.type = SQLITE_FLOAT, .r = d};
    return true;
}

/* Bytes up to 00 00, unescaped into scratch. */
static bool get_escaped(const uint8_t **p, const uint8_t *end, uint8_t mask,
                        seerdb_slice *out, struct svt_bytes *scratch)
{
    const uint8_t *q = *p;
    if (q == end || !svt_bytes_reserve(scratch, (size_t)(end - q)))
        return false;
    uint8_t *to = scratch->data + scratch->size;
    size_t n = 0;
    for (;;) {
        if (q == end)
            return false;
        uint8_t byte = *q++ ^ mask;
        if (byte == 0) {
            if (q == end)
                return false;
            uint8_t next = *q++ ^ mask;
            if (next == 0)
                break;
            if (next != 0xff)
                return false;
        }
        to[n++] = byte;
    }
    scratch->size += n;
    *p = q;
    *out = (seerdb_slice){to, n};
    return true;
}

static bool get_bytes(const uint8_t **p, const uint8_t *end,
                      const struct svt_key_part *part, seerdb_slice *out,
                      struct svt_bytes *scratch)
{
    if (part->desc)
        return get_escaped(p, end, 0xff, out, scratch);
    size_t left = (size_t)(end - *p);
    if (part->last) {
        *out = (seerdb_slice){*p, left};
        *p = end;
        return true;
    }
    const uint8_t *zero = left > 0 ? memchr(*p, 0, left) : NULL;
    if (zero == NULL || zero + 1 == end)
        return false;
    if (zero[1] != 0)
        return get_escaped(p, end, 0, out, scratch);
    *out = (seerdb_slice){*p, (size_t)(zero - *p)};
    *p = zero + 2;
    return true;
}

/* Whether the bytes are what put_collated writes for some text. */
static bool is_collated(enum svt_collation collation, seerdb_slice text)
{
    const uint8_t *p = text.data;
    if (collation == SVT_RTRIM)
        return text.size == 0 || p[text.size - 1] != ' ';
    if (collation != SVT_NOCASE)
        return true;
    size_t n = 0;
    for (; n < text.size && p[n] != 0; n++) {
        if (fold(p[n]) != p[n])
            return false;
    }
    return n == text.size || (text.size == n + 9 && svt_load_be64(p + n + 1) > n);
}

bool svt_key_get(const uint8_t **p, const uint8_t *end, const struct svt_key_part *part,
                 struct svt_value *out, struct svt_bytes *scratch)
{
    const uint8_t *q = *p;
    uint8_t mask = part->desc ? 0xff : 0, tag;
    bool ok = false;
    if (!take(&q, end, mask, &tag, 1))
        return false;
    if (tag == SVT_TAG_NULL) {
        *out = (struct svt_value){.type = SQLITE_NULL};
        ok = true;
    } else if (tag == SVT_TAG_NUMBER) {
        ok = get_number(&q, end, mask, out);
    } else if (tag == SVT_TAG_TEXT) {
        *out = (struct svt_value){.type = SQLITE_TEXT};
        ok = get_bytes(&q, end, part, &out->bytes, scratch) &&
             is_collated(part->collation, out->bytes);
    } else if (tag == SVT_TAG_BLOB) {
        *out = (struct svt_value){.type = SQLITE_BLOB};
        ok = get_bytes(&q, end, part, &out->bytes, scratch);
    }
    if (!ok || (part->last && q != end))
        return false;
    *p = q;
    return true;
}

bool svt_key_successor(struct svt_bytes *key)
{
    while (key->size > 0) {
        if (++key->data[key->size - 1] != 0)
            return true;
        key->size--;
    }
    return false;
}
