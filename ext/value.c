/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include <string.h>

static bool contains(const char *type, const char *part)
{
    size_t n = strlen(part);
    for (; *type != '\0'; type++) {
        if (sqlite3_strnicmp(type, part, (int)n) == 0)
            return true;
    }
    return false;
}

enum svt_affinity svt_affinity_of(const char *type)
{
    if (contains(type, "INT"))
        return SVT_AFFINITY_INTEGER;
    if (contains(type, "CHAR") || contains(type, "CLOB") || contains(type, "TEXT"))
        return SVT_AFFINITY_TEXT;
    if (type[0] == '\0' || contains(type, "BLOB"))
        return SVT_AFFINITY_BLOB;
    if (contains(type, "REAL") || contains(type, "FLOA") || contains(type, "DOUB"))
        return SVT_AFFINITY_REAL;
    return SVT_AFFINITY_NUMERIC;
}

/* SQLite's sqlite3VdbeIntegerAffinity: an integral real becomes an integer, except at
 * the two ends of int64. */
static bool integral(double r, int64_t *i)
{
    if (!(r > -9223372036854775808.0 && r < 9223372036854775808.0))
        return false;
    *i = (int64_t)r;
    return (double)*i == r;
}

/* Text, or any value by its text.  NULL from SQLite is a failed conversion. */
static int read_text(sqlite3_value *v, struct svt_value *out)
{
    out->type = SQLITE_TEXT;
    out->bytes.data = sqlite3_value_text(v);
    if (out->bytes.data == NULL)
        return SQLITE_NOMEM;
    out->bytes.size = (size_t)sqlite3_value_bytes(v);
    return SQLITE_OK;
}

static int read_blob(sqlite3_value *v, struct svt_value *out)
{
    /* The size first: a zeroblob that cannot be written out turns into NULL. */
    out->bytes.size = (size_t)sqlite3_value_bytes(v);
    out->bytes.data = sqlite3_value_blob(v);
    return out->bytes.data == NULL && out->bytes.size > 0 ? SQLITE_NOMEM : SQLITE_OK;
}

static void read_integer(sqlite3_value *v, enum svt_affinity affinity,
                         struct svt_value *out)
{
    out->i = sqlite3_value_int64(v);
    if (affinity == SVT_AFFINITY_REAL) {
        out->type = SQLITE_FLOAT;
        out->r = (double)out->i;
        out->i = 0;
    }
}

static void read_real(sqlite3_value *v, enum svt_affinity affinity,
                      struct svt_value *out)
{
    out->r = sqlite3_value_double(v);
    if (affinity == SVT_AFFINITY_REAL) {
        if (out->r == 0)
            out->r = 0; /* a REAL column stores -0.0 as the integer 0 */
    } else if (affinity >= SVT_AFFINITY_NUMERIC && integral(out->r, &out->i)) {
        out->type = SQLITE_INTEGER;
        out->r = 0;
    }
}

int svt_value_read(sqlite3_value *v, enum svt_affinity affinity, struct svt_value *out)
{
    int type = sqlite3_value_type(v);
    if (type == SQLITE_TEXT && affinity >= SVT_AFFINITY_NUMERIC)
        type = sqlite3_value_numeric_type(v);
    *out = (struct svt_value){.type = type};
    switch (type) {
    case SQLITE_INTEGER:
        if (affinity == SVT_AFFINITY_TEXT)
            return read_text(v, out);
        read_integer(v, affinity, out);
        return SQLITE_OK;
    case SQLITE_FLOAT:
        if (affinity == SVT_AFFINITY_TEXT)
            return read_text(v, out);
        read_real(v, affinity, out);
        return SQLITE_OK;
    case SQLITE_TEXT:
        return read_text(v, out);
    case SQLITE_BLOB:
        return read_blob(v, out);
    default:
        return SQLITE_OK;
    }
}

static const void *text16(sqlite3_value *v, enum svt_encoding encoding)
{
    return encoding == SVT_UTF16LE ? sqlite3_value_text16le(v)
                                   : sqlite3_value_text16be(v);
}

/* sqlite3_value_bytes16 of SQLite 3.38 turns a text of the other byte order into the
 * machine's; it is turned back.  If the first of it fails the text stays as it was, and
 * its size comes out as 0; sqlite3_value_blob, which converts nothing, tells that. */
static int read_text16(sqlite3_value *v, enum svt_encoding encoding,
                       struct svt_value *out)
{
    *out = (struct svt_value){.type = SQLITE_TEXT};
    if (text16(v, encoding) == NULL)
        return SQLITE_NOMEM;
    out->bytes.size = (size_t)sqlite3_value_bytes16(v);
    out->bytes.data = text16(v, encoding);
    if (out->bytes.size == 0 && sqlite3_value_blob(v) != NULL)
        return SQLITE_NOMEM;
    return out->bytes.data == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

/* Only texts are different. */
static int read16(sqlite3_value *v, enum svt_affinity affinity,
                  enum svt_encoding encoding, struct svt_value *out)
{
    int type = sqlite3_value_type(v);
    if (type == SQLITE_TEXT && affinity >= SVT_AFFINITY_NUMERIC)
        type = sqlite3_value_numeric_type(v);
    else if (affinity == SVT_AFFINITY_TEXT &&
             (type == SQLITE_INTEGER || type == SQLITE_FLOAT))
        type = SQLITE_TEXT;
    return type == SQLITE_TEXT ? read_text16(v, encoding, out)
                               : svt_value_read(v, affinity, out);
}

static int read_utf16le(sqlite3_value *v, enum svt_affinity affinity,
                        struct svt_value *out)
{
    return read16(v, affinity, SVT_UTF16LE, out);
}

static int read_utf16be(sqlite3_value *v, enum svt_affinity affinity,
                        struct svt_value *out)
{
    return read16(v, affinity, SVT_UTF16BE, out);
}

svt_value_reader *svt_value_reader_of(enum svt_encoding encoding)
{
    static svt_value_reader *const readers[] = {svt_value_read, read_utf16le,
                                                read_utf16be};
    return readers[encoding];
}

bool svt_value_identical(const struct svt_value *a, const struct svt_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case SQLITE_INTEGER:
        return a->i == b->i;
    case SQLITE_FLOAT:
        return memcmp(&a->r, &b->r, sizeof a->r) == 0;
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        return a->bytes.size == b->bytes.size &&
               (a->bytes.size == 0 ||
                memcmp(a->bytes.data, b->bytes.data, a->bytes.size) == 0);
    default:
        return true;
    }
}
