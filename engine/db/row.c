/* SPDX-License-Identifier: Apache-2.0
 *
 * A filter that does not need the segments of a value is asked before they are read, so
 * that they are not for what it removes, nor for a lazy view.  Others see whole values
 * only: of a lazy view, too, the segments are read then, and shown split afterwards. */
#include "db/row.h"

#include "base/mem.h"
#include "tree/sieve.h"

/* A row that nobody has written like that. */
struct copied {
    seerdb_pin pin; /* first member */
    uint8_t bytes[];
};

static void free_copied(seerdb_pin *pin)
{
    sdb_mem_free(pin);
}

int sdb_row_copy(seerdb_slice key, seerdb_slice value, seerdb_value *out,
                 seerdb_err *err)
{
    size_t size = sizeof(struct copied) + key.size + value.size;
    struct copied *c = sdb_mem_alloc(size);
    if (c == NULL)
        return sdb_fail_nomem(err, size);
    sdb_pin_init(&c->pin, free_copied);
    if (key.size > 0)
        memcpy(c->bytes, key.data, key.size);
    if (value.size > 0)
        memcpy(c->bytes + key.size, value.data, value.size);
    *out = (seerdb_value){.bytes = {c->bytes + key.size, value.size},
                          .pin = &c->pin,
                          .key = {c->bytes, key.size}};
    return 0;
}

/* Replace the row by what the filter makes of it. */
static int sift(const seerdb_view *view, struct seerdb_filter_out *scratch,
                seerdb_value *row, seerdb_err *err)
{
    seerdb_value was = *row;
    int rc =
        sdb_sieve_ask(view->sieve, &(seerdb_row){.key = row->key, .value = row->bytes},
                      view->now_us, scratch, err);
    if (rc == SEERDB_KEEP)
        return 0;
    if (rc == SEERDB_CHANGE)
        rc = sdb_row_copy(was.key, sdb_buf_slice(&scratch->bytes), row, err);
    else if (rc == SEERDB_REMOVE)
        rc = SEERDB_NOTFOUND;
    if (was.pin != NULL)
        seerdb_pin_unref(was.pin);
    return rc;
}

/* Inline bytes and segments of a value. */
static int split(seerdb_slice value, seerdb_value *out, seerdb_err *err)
{
    struct sdb_segments s;
    int rc = sdb_segments_open(&s, value, err);
    if (rc != 0)
        return rc;
    out->bytes = s.inlined;
    out->segments =
        (seerdb_slice){s.rest.p, (size_t)((const uint8_t *)s.inlined.data - s.rest.p)};
    return 0;
}

int sdb_row_make(const seerdb_view *view, const struct sdb_record *r,
                 struct seerdb_filter_out *scratch, seerdb_value *out, seerdb_err *err)
{
    bool segments = r->kind == SDB_KIND_SEGMENTS, ask = view->sieve != NULL;
    seerdb_value row = {.bytes = r->value, .key = r->key};
    seerdb_pin *whole = NULL;
    int rc = 0;
    if (segments && ask) {
        rc = sdb_sieve_ask_record(view->sieve, r, view->now_us, scratch, err);
        if (rc == SEERDB_CHANGE)
            return sdb_row_copy(r->key, sdb_buf_slice(&scratch->bytes), out, err);
        if (rc == SEERDB_REMOVE)
            return SEERDB_NOTFOUND;
        ask = rc == SEERDB_WHOLE;
        rc = ask ? 0 : rc;
    }
    if (rc == 0 && segments && (!view->lazy || ask)) {
        rc = sdb_values_whole(view->tree->db->values, r->key, r->value, &row, err);
        whole = row.pin;
    }
    if (rc == 0 && ask)
        rc = sift(view, scratch, &row, err);
    if (rc == 0 && segments && view->lazy &&
        row.pin == whole) { /* it was not changed */
        if (whole != NULL)
            seerdb_pin_unref(whole);
        row = (seerdb_value){.key = r->key};
        rc = split(r->value, &row, err);
    }
    if (rc == 0)
        *out = row;
    return rc;
}
