/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways of comparing a key part with a value v, by the affinity of v's side (TEXT or
 * BLOB on both sides, or none on v's: nothing is converted but a number for a TEXT
 * part, to a text; numeric: texts that look like numbers become numbers, of the keys
 * and v):
 *
 *   v                    TEXT part                          BLOB part
 *   blob                 as it is, always                   as it is, always
 *   text above '9...'    not a number, and above all keys that are: as it is, always
 *   other text           numeric: keys that look like numbers are below it
 *                                                           and v may be one
 *   number               its text, or it, or below all      it; or texts are numbers
 *
 * Where no key is a number, or a text that may be one, or sorts among those: a number,
 * its text, and a text that begins with a byte up to '9' are all below every text and
 * blob that is there, and equal to none.  The one exception is infinity, whose text is
 * "Inf".
 *
 * A text that was bound to a parameter is compared as it is.  (A number may have gone
 * through a CAST, which leaves it the look of a parameter but gives it an affinity.)
 * An equality of a TEXT part with a text is always the key with that text: see ranges.c
 * for what is left out. */
#include "plain.h"

#include "keycodec.h"
#include "txn.h"

#include <float.h>

#define LAST_DIGIT 0x39

/* Below this many rows a check costs nothing that matters, and a table that is being
 * filled is not known yet. */
#define MIN_ROWS 256

/* Whether the text is above '9...'.  In UTF-16le order the low byte of the first
 * character comes first; in the other orders that asks too much, which is safe. */
static bool is_above_digits(sqlite3_value *v, enum svt_encoding encoding)
{
    struct svt_value text;
    if (encoding == SVT_UTF8) {
        const unsigned char *bytes = sqlite3_value_text(v);
        return bytes != NULL && bytes[0] > LAST_DIGIT;
    }
    if (svt_value_reader_of(encoding)(v, SVT_AFFINITY_BLOB, &text) != SQLITE_OK ||
        text.bytes.size < 2)
        return false;
    return ((const uint8_t *)text.bytes.data)[encoding == SVT_UTF16BE] > LAST_DIGIT;
}

enum svt_doubt svt_plain_doubt(sqlite3_value *v, enum svt_affinity affinity,
                               enum svt_encoding encoding, bool equality)
{
    switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
        return SVT_DOUBT;
    case SQLITE_FLOAT:
        return affinity == SVT_AFFINITY_TEXT && sqlite3_value_double(v) > DBL_MAX
                   ? SVT_UNDECIDED
                   : SVT_DOUBT;
    case SQLITE_TEXT:
        break;
    default:
        return SVT_SURE;
    }
    if (sqlite3_value_frombind(v) || (equality && affinity == SVT_AFFINITY_TEXT))
        return SVT_SURE;
    return is_above_digits(v, encoding) ? SVT_SURE : SVT_DOUBT;
}

/* The keys that are not plain lie in [lo, hi). */
static void bounds(const struct svt_schema *s, struct svt_bytes *lo,
                   struct svt_bytes *hi)
{
    const struct svt_key_part *part = &s->parts[0];
    uint8_t first = s->columns[s->key[0]].affinity == SVT_AFFINITY_TEXT
                        ? SVT_TAG_TEXT
                        : SVT_TAG_NUMBER;
    /* A DESC part has all bytes inverted, and its classes the other way round. */
    struct svt_bytes *below = part->desc ? hi : lo, *above = part->desc ? lo : hi;
    svt_key_put_tag(below, part, first, false);
    svt_key_put_first(above, part, part->desc ? LAST_DIGIT : LAST_DIGIT + 1);
}

/* Whether a key is there that is not plain: SEERDB_OK, or NOTFOUND, or a failure. */
static int find(const struct svt_table *t, seerdb_iter *it, seerdb_err *err)
{
    struct svt_bytes lo = {0}, hi = {0};
    int rc = SEERDB_NOMEM;
    bounds(&t->schema, &lo, &hi);
    if (!lo.failed && !hi.failed)
        rc = seerdb_iter_bound(it, svt_bytes_slice(&lo), svt_bytes_slice(&hi), err);
    if (rc == SEERDB_OK)
        rc = seerdb_iter_first(it, err);
    svt_bytes_fini(&lo);
    svt_bytes_fini(&hi);
    return rc;
}

/* Other statements of the connection may rest on the same, and whoever keeps his for
 * long would meet the failure again and again: have SQLite prepare them anew before
 * they run next, which is what it does when a setting changes.  The mutex is held:
 * nobody sees the other value. */
static void expire_statements(sqlite3 *db)
{
    const int setting = SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    int on = 0;
    if (sqlite3_db_config(db, setting, -1, &on) != SQLITE_OK)
        return; /* then each fails for itself */
    sqlite3_db_config(db, setting, !on, NULL);
    sqlite3_db_config(db, setting, on, NULL);
}

int svt_plain_check(struct svt_table *t, seerdb_iter *it, enum svt_doubt doubt)
{
    seerdb_err err = {0};
    int rc = doubt == SVT_UNDECIDED ? SEERDB_OK : find(t, it, &err);
    if (rc == SEERDB_NOTFOUND)
        return SQLITE_OK;
    if (rc == SEERDB_NOMEM && err.code == SEERDB_OK)
        return SQLITE_NOMEM;
    if (rc != SEERDB_OK)
        return svt_table_fail(t, rc, &err);
    t->ks->never_plain = true; /* the next plan rests on nothing */
    expire_statements(t->conn->db);
    return svt_fail(&t->base.zErrMsg, SQLITE_ERROR,
                    "%s: %s is compared with a value that may be taken for a number or "
                    "a text, and since the statement was prepared keys differ in that: "
                    "run it again",
                    t->who, t->schema.columns[t->schema.key[0]].name);
}

static bool can_be_plain(const struct svt_schema *s)
{
    return (s->shape == SVT_SHAPE_SINGLE || s->shape == SVT_SHAPE_COMPOSITE) &&
           s->columns[s->key[0]].affinity < SVT_AFFINITY_NUMERIC;
}

/* Whether no key is there that is not plain: 1 or 0; -1: it was not to be found out.
 * Nothing is swallowed: what fails here fails in xFilter, too. */
static int look(struct svt_table *t, seerdb_view *view, seerdb_batch *batch,
                uint64_t mark)
{
    seerdb_iter *it = NULL;
    seerdb_err err = {0};
    int rc = seerdb_iter_open(view, batch, mark, &it, &err);
    if (rc == SEERDB_OK)
        rc = find(t, it, &err);
    seerdb_iter_close(it);
    t->ks->never_plain = rc == SEERDB_OK;
    return rc == SEERDB_NOTFOUND ? 1 : rc == SEERDB_OK ? 0 : -1;
}

bool svt_plain_hint(struct svt_table *t, uint64_t rows)
{
    struct svt_keyspace *ks = t->ks;
    seerdb_view *view = NULL;
    uint64_t epoch;
    if (ks == NULL || ks->never_plain || rows < MIN_ROWS || !can_be_plain(&t->schema))
        return false;
    seerdb_batch *batch = NULL;
    if (svt_txn_batch(t, &batch, &epoch) != SQLITE_OK ||
        seerdb_view_open(ks->tree, &view, NULL) != SEERDB_OK)
        return false;
    uint64_t mark = batch != NULL ? seerdb_batch_writes(batch) : 0;
    uint64_t number = seerdb_view_number(view);
    /* Of a transaction's own writes that may be undone nothing is kept. */
    if (batch != NULL || !ks->plain_known || ks->plain_number != number) {
        seerdb_view_interrupt(view, &t->conn->interrupt.scan);
        int found = look(t, view, batch, mark);
        ks->plain = found == 1;
        ks->plain_known = batch == NULL && found >= 0;
        ks->plain_number = number;
    }
    seerdb_view_close(view);
    return ks->plain;
}
