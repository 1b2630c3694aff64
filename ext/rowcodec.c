/* SPDX-License-Identifier: Apache-2.0
 *
 * Nearly every code is one byte: a table gives its length, and opening a row looks only
 * for codes that are longer, eight at a time.  Lengths are checked against the end of
 * the row when a column is read; what lies past the columns asked for is not looked at.
 */
#include "rowcodec.h"

#include <string.h>

#define CODE_REAL   7
#define CODE_ZERO   8
#define CODE_ONE    9
#define CODE_BYTES  16
#define BAD         0xff
#define PICK_MAX    8
#define SHORT_MAX   16 /* columns */
#define SHORT_BYTES 55 /* the longest text whose code is one byte */
#define HIGH_BITS   0x8080808080808080u

/* Bytes of a column by its code. */
static const uint8_t fixed_length[CODE_BYTES] = {0, 1, 2, 3, 4,   6,   8,   8,
                                                 0, 0, 0, 0, BAD, BAD, BAD, BAD};

/* The same with those of short texts and blobs, two codes for each length. */
#define EIGHT(n) (n), (n), (n) + 1, (n) + 1, (n) + 2, (n) + 2, (n) + 3, (n) + 3
const uint8_t svt_row_short_lengths[128] = {
    0,         1,         2,         3,         4,         6,
    8,         8,         0,         0,         0,         0,
    BAD,       BAD,       BAD,       BAD,       EIGHT(0),  EIGHT(4),
    EIGHT(8),  EIGHT(12), EIGHT(16), EIGHT(20), EIGHT(24), EIGHT(28),
    EIGHT(32), EIGHT(36), EIGHT(40), EIGHT(44), EIGHT(48), EIGHT(52)};

/* The code of an integer: the shortest that holds it. */
static uint8_t integer_code(int64_t v)
{
    uint64_t magnitude = (uint64_t)(v < 0 ? ~v : v);
    if (v == 0 || v == 1)
        return v == 0 ? CODE_ZERO : CODE_ONE;
    if (magnitude < 0x8000)
        return magnitude < 0x80 ? 1 : 2;
    if (magnitude < 0x80000000)
        return magnitude < 0x800000 ? 3 : 4;
    return magnitude < 0x800000000000 ? 5 : 6;
}

static inline void put_code(struct svt_bytes *out, const struct svt_value *v)
{
    switch (v->type) {
    case SQLITE_INTEGER:
        svt_bytes_byte(out, integer_code(v->i));
        break;
    case SQLITE_FLOAT:
        svt_bytes_byte(out, CODE_REAL);
        break;
    case SQLITE_TEXT:
        svt_bytes_varint(out, CODE_BYTES + 1 + 2 * (uint64_t)v->bytes.size);
        break;
    case SQLITE_BLOB:
        svt_bytes_varint(out, CODE_BYTES + 2 * (uint64_t)v->bytes.size);
        break;
    default:
        svt_bytes_byte(out, 0);
        break;
    }
}

static inline void put_bytes(struct svt_bytes *out, const struct svt_value *v)
{
    uint8_t be[8];
    switch (v->type) {
    case SQLITE_INTEGER: {
        size_t n = fixed_length[integer_code(v->i)];
        svt_store_be64(be, (uint64_t)v->i);
        svt_bytes_append(out, be + sizeof be - n, n);
        break;
    }
    case SQLITE_FLOAT: {
        uint64_t bits;
        memcpy(&bits, &v->r, sizeof bits);
        svt_store_be64(be, bits);
        svt_bytes_append(out, be, sizeof be);
        break;
    }
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        svt_bytes_append(out, v->bytes.data, v->bytes.size);
        break;
    default:
        break;
    }
}

uint8_t svt_row_make_integer(int64_t v, uint8_t *p)
{
    uint8_t code = integer_code(v);
    size_t n = fixed_length[code];
    /* All eight are stored: those behind its own do not matter. */
    svt_store_be64(p, n == 0 ? 0 : (uint64_t)v << (64 - 8 * n));
    return code;
}

/* Rows of few columns, all of them short: nothing but stores. */
static bool put_short(struct svt_bytes *out, const struct svt_value *values,
                      const uint8_t *in_key, unsigned n)
{
    size_t room = 2 + n;
    if (n > SHORT_MAX)
        return false;
    for (unsigned i = 0; i < n; i++) {
        bool bytes = values[i].type == SQLITE_TEXT || values[i].type == SQLITE_BLOB;
        if (in_key != NULL && in_key[i] != 0)
            continue;
        if (bytes && values[i].bytes.size > SHORT_BYTES)
            return false;
        room += bytes ? values[i].bytes.size : sizeof(uint64_t);
    }
    if (!svt_bytes_reserve(out, room))
        return true; /* it has failed, which is all there is to say */
    uint8_t *code = out->data + out->size, *p = code + 2 + n;
    *code++ = 0;
    *code++ = (uint8_t)n;
    for (unsigned i = 0; i < n; i++) {
        const struct svt_value *v = &values[i];
        if (in_key != NULL && in_key[i] != 0) {
            *code++ = in_key[i];
        } else if (v->type == SQLITE_INTEGER) {
            *code = svt_row_make_integer(v->i, p);
            p += fixed_length[*code++];
        } else if (v->type == SQLITE_FLOAT) {
            uint64_t bits;
            memcpy(&bits, &v->r, sizeof bits);
            svt_store_be64(p, bits);
            p += sizeof bits;
            *code++ = CODE_REAL;
        } else if (v->type == SQLITE_TEXT || v->type == SQLITE_BLOB) {
            *code++ = (uint8_t)(CODE_BYTES + (v->type == SQLITE_TEXT ? 1u : 0u) +
                                2 * v->bytes.size);
            if (v->bytes.size > 0)
                memcpy(p, v->bytes.data, v->bytes.size);
            p += v->bytes.size;
        } else {
            *code++ = 0;
        }
    }
    out->size = (size_t)(p - out->data);
    return true;
}

void svt_row_put_codes(struct svt_bytes *out, const struct svt_value *values,
                       const uint8_t *in_key, unsigned n)
{
    svt_bytes_varint(out, 0);
    svt_bytes_varint(out, n);
    for (unsigned i = 0; i < n; i++) {
        if (in_key != NULL && in_key[i] != 0)
            svt_bytes_byte(out, in_key[i]);
        else
            put_code(out, &values[i]);
    }
}

void svt_row_put_bytes(struct svt_bytes *out, const struct svt_value *value)
{
    put_bytes(out, value);
}

void svt_row_put(struct svt_bytes *out, const struct svt_value *values,
                 const uint8_t *in_key, unsigned n)
{
    if (put_short(out, values, in_key, n))
        return;
    svt_row_put_codes(out, values, in_key, n);
    for (unsigned i = 0; i < n; i++) {
        if (in_key == NULL || in_key[i] == 0)
            put_bytes(out, &values[i]);
    }
}

/* Read a code of more than one byte; nearly all of those have two. */
static inline bool long_code(const uint8_t **p, const uint8_t *end, uint64_t *code)
{
    const uint8_t *q = *p;
    if (end - q < 2 || q[1] >= 0x80 || q[1] == 0)
        return svt_varint_read(p, end, code);
    *code = (q[0] & 0x7fu) | (uint64_t)q[1] << 7;
    *p = q + 2;
    return true;
}

/* Move *p over n codes; false when they run over the end. */
static bool skip_codes(const uint8_t **p, const uint8_t *end, unsigned n)
{
    const uint8_t *q = *p;
    while (n > 0) {
        uint64_t eight;
        if (n >= 8 && end - q >= 8) {
            memcpy(&eight, q, sizeof eight);
            if ((eight & HIGH_BITS) == 0) {
                q += 8;
                n -= 8;
                continue;
            }
        }
        uint64_t code;
        if (q < end && *q < 0x80)
            q++;
        else if (!long_code(&q, end, &code))
            return false;
        n--;
    }
    *p = q;
    return true;
}

bool svt_row_open(struct svt_row *row, seerdb_slice bytes)
{
    uint64_t version, n;
    if (bytes.size < 2)
        return false;
    const uint8_t *p = bytes.data, *end = p + bytes.size;
    if (p[0] < 0x80 && p[1] < 0x80) {
        version = p[0];
        n = p[1];
        p += 2;
    } else if (!svt_varint_read(&p, end, &version) || !svt_varint_read(&p, end, &n)) {
        return false;
    }
    if (n > (uint64_t)(end - p)) /* every code takes a byte */
        return false;
    row->end = end;
    row->codes = row->code = p;
    row->schema_version = version;
    row->ncolumns = (unsigned)n;
    row->column = 0;
    if (!skip_codes(&p, end, row->ncolumns))
        return false;
    row->body = row->bytes = p;
    return true;
}

/* Read the code at *p and the length of its column; false: no such code. Requires: the
 * code was skipped over before, so that it ends where it should. */
static bool next_code(const uint8_t **p, const uint8_t *end, uint64_t *code,
                      uint64_t *length)
{
    uint8_t byte = **p;
    if (byte < CODE_BYTES) {
        *code = byte;
        *length = fixed_length[byte];
        ++*p;
        return *length != BAD;
    }
    if (byte < 0x80) {
        *code = byte;
        ++*p;
    } else if (!long_code(p, end, code)) {
        return false;
    }
    *length = (*code - CODE_BYTES) / 2;
    return true;
}

/* Big-endian two's complement of n bytes, 1 to 8. */
static int64_t load_integer(const uint8_t *p, size_t n)
{
    uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

static void decode(struct svt_value *out, uint8_t *in_key, uint64_t code,
                   const uint8_t *p, size_t length)
{
    *in_key = 0;
    if (code >= CODE_BYTES) {
        *out = (struct svt_value){.type = code % 2 ? SQLITE_TEXT : SQLITE_BLOB,
                                  .bytes = {p, length}};
    } else if (code == 0) {
        *out = (struct svt_value){.type = SQLITE_NULL};
    } else if (code == CODE_REAL) {
        uint64_t bits = svt_load_be64(p);
        *out = (struct svt_value){.type = SQLITE_FLOAT};
        memcpy(&out->r, &bits, sizeof bits);
    } else if (code == CODE_ZERO || code == CODE_ONE) {
        *out = (struct svt_value){.type = SQLITE_INTEGER, .i = code == CODE_ONE};
    } else if (code < CODE_REAL) {
        *out = (struct svt_value){.type = SQLITE_INTEGER, .i = load_integer(p, length)};
    } else {
        *in_key = (uint8_t)code;
    }
}

bool svt_row_short_integer(uint8_t code, const uint8_t *p, int64_t *out)
{
    if (code == CODE_ZERO || code == CODE_ONE)
        *out = code == CODE_ONE;
    else if (code > 0 && code < CODE_REAL)
        *out = load_integer(p, fixed_length[code]);
    else
        return false;
    return true;
}

bool svt_row_get(struct svt_row *row, unsigned i, struct svt_value *out,
                 uint8_t *in_key)
{
    uint64_t code, length;
    if (i >= row->ncolumns) {
        *out = (struct svt_value){.type = SQLITE_NULL};
        *in_key = 0;
        return true;
    }
    if (i < row->column) {
        row->column = 0;
        row->code = row->codes;
        row->bytes = row->body;
    }
    const uint8_t *next = row->code;
    for (;;) {
        if (!next_code(&next, row->body, &code, &length) ||
            length > (uint64_t)(row->end - row->bytes))
            return false;
        if (row->column == i)
            break;
        row->column++;
        row->code = next;
        row->bytes += length;
    }
    if (next == row->body && row->bytes + length != row->end)
        return false; /* bytes after the last column */
    decode(out, in_key, code, row->bytes, (size_t)length);
    return true;
}

bool svt_row_locate(const struct svt_row *row, unsigned i, uint64_t *code, uint64_t *at,
                    uint64_t *length)
{
    const uint8_t *next = row->codes;
    *at = 0;
    for (unsigned k = 0;; k++) {
        if (!next_code(&next, row->body, code, length))
            return false;
        if (k == i)
            return true;
        *at += *length;
    }
}

void svt_row_decode(uint64_t code, const uint8_t *bytes, size_t length,
                    struct svt_value *out, uint8_t *in_key)
{
    decode(out, in_key, code, bytes, length);
}

/* Rows of few columns: one pass over the codes finds the bytes and their place. */
bool svt_row_pick(seerdb_slice bytes, unsigned i, struct svt_value *out,
                  uint8_t *in_key)
{
    const uint8_t *p = bytes.data, *end = p + bytes.size;
    uint64_t before = 0, wanted = 0, wanted_length = 0;
    if (bytes.size < 2 || p[0] >= 0x80 || p[1] > PICK_MAX || i >= p[1])
        return false;
    unsigned n = p[1];
    p += 2;
    for (unsigned k = 0; k < n; k++) {
        uint64_t code, length;
        if (p == end || !next_code(&p, end, &code, &length) || length > bytes.size)
            return false;
        if (k < i)
            before += length;
        wanted = k == i ? code : wanted;
        wanted_length = k == i ? length : wanted_length;
    }
    uint64_t left = (uint64_t)(end - p);
    if (before + wanted_length > left || (i == n - 1 && before + wanted_length != left))
        return false;
    decode(out, in_key, wanted, p + before, (size_t)wanted_length);
    return true;
}
