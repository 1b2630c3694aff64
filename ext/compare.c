/* SPDX-License-Identifier: Apache-2.0
 *
 * NOCASE and RTRIM are defined on UTF-8, whose bytes sort as its characters do: so
 * UTF-16 is compared character by character, with surrogates read as SQLite reads them
 * when it converts (encoding.c). */
#include "compare.h"

#include <string.h>

static int sign(bool less, bool greater)
{
    return (int)greater - (int)less;
}

static int compare_number(int64_t i, double r)
{
    if (r < -9223372036854775808.0)
        return 1;
    if (r >= 9223372036854775808.0)
        return -1;
    int64_t whole = (int64_t)r;
    if (i != whole)
        return sign(i<whole, i> whole);
    return sign((double)whole<r, (double)whole> r);
}

static int compare_numbers(const struct svt_value *a, const struct svt_value *b)
{
    if (a->type == SQLITE_INTEGER)
        return b->type == SQLITE_INTEGER ? sign(a->i<b->i, a->i> b->i)
                                         : compare_number(a->i, b->r);
    return b->type == SQLITE_INTEGER ? -compare_number(b->i, a->r)
                                     : sign(a->r<b->r, a->r> b->r);
}

static int compare_bytes(seerdb_slice a, seerdb_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int order = n > 0 ? memcmp(a.data, b.data, n) : 0;
    return order != 0 ? order : sign(a.size<b.size, a.size> b.size);
}

static uint32_t unit(const uint8_t *p, enum svt_encoding e)
{
    return e == SVT_UTF16LE ? (uint32_t)(p[0] | p[1] << 8)
                            : (uint32_t)(p[0] << 8 | p[1]);
}

/* The character at *p, which is moved past it; -1: the end.  Of UTF-8, a byte. */
static int64_t next_character(const uint8_t **p, const uint8_t *end,
                              enum svt_encoding e)
{
    if (e == SVT_UTF8)
        return *p < end ? *(*p)++ : -1;
    if (end - *p < 2)
        return -1;
    uint32_t c = unit(*p, e);
    *p += 2;
    if (c >= 0xd800 && c < 0xe000 && end - *p >= 2) {
        c = (unit(*p, e) & 0x3ff) + ((c & 0x3f) << 10) + (((c & 0x3c0) + 0x40) << 10);
        *p += 2;
    }
    return c;
}

static int64_t folded(int64_t c, enum svt_collation collation)
{
    return collation == SVT_NOCASE && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static size_t without_spaces(seerdb_slice text, enum svt_encoding e)
{
    const uint8_t *p = text.data;
    size_t n = text.size, step = e == SVT_UTF8 ? 1 : 2;
    if (step == 2)
        n -= n % 2;
    while (n >= step && (step == 1 ? p[n - 1] : unit(p + n - 2, e)) == ' ')
        n -= step;
    return n;
}

static int compare_texts(seerdb_slice a, seerdb_slice b, enum svt_collation collation,
                         enum svt_encoding e)
{
    if (collation == SVT_BINARY)
        return compare_bytes(a, b);
    if (collation == SVT_RTRIM) {
        a.size = without_spaces(a, e);
        b.size = without_spaces(b, e);
    }
    const uint8_t *p = a.data, *q = b.data;
    const uint8_t *p_end = p + a.size, *q_end = q + b.size;
    for (;;) {
        int64_t c = folded(next_character(&p, p_end, e), collation);
        int64_t d = folded(next_character(&q, q_end, e), collation);
        if (c != d || c < 0)
            return sign(c<d, c> d);
    }
}

static int rank(const struct svt_value *v)
{
    switch (v->type) {
    case SQLITE_INTEGER:
    case SQLITE_FLOAT:
        return 1;
    case SQLITE_TEXT:
        return 2;
    case SQLITE_BLOB:
        return 3;
    default:
        return 0;
    }
}

int svt_compare(const struct svt_value *a, const struct svt_value *b,
                enum svt_collation collation, enum svt_encoding encoding)
{
    int of_a = rank(a), of_b = rank(b);
    if (of_a != of_b)
        return of_a - of_b;
    switch (of_a) {
    case 1:
        return compare_numbers(a, b);
    case 2:
        return compare_texts(a->bytes, b->bytes, collation, encoding);
    case 3:
        return compare_bytes(a->bytes, b->bytes);
    default:
        return 0;
    }
}
