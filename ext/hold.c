/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLite tells a destructor nothing but the address of the bytes, from which their
 * memory cannot be found.  So each hold has a destructor of its own: which function is
 * called says which hold it is about.  There are 256 of them in the process, taken by
 * connections as they need them and given back when they close; a connection that finds
 * none has its results copied.
 *
 * A destructor runs where the connection is being used, so counting is plain. */
#include "hold.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define NHOLDS   256
#define HOLD_MAX 16 /* of one connection: so many blocks can be shown at a time */

/* Shared by the connections of the process, because the functions below are: which are
 * taken.  acq_rel: whoever takes a hold sees it as it was given back. */
static _Atomic uint64_t taken[NHOLDS / 64];
static struct svt_hold holds[NHOLDS];

static void put_back(struct svt_hold *h)
{
    seerdb_pin *pin = h->pin;
    h->pin = NULL;
    h->next_idle = h->owner->idle;
    h->owner->idle = h;
    seerdb_pin_unref(pin);
}

static void dropped(struct svt_hold *h)
{
    assert(h->results > 0);
    if (--h->results == 0 && h->released)
        put_back(h);
}

#define HOLD(n)                                                                        \
    static void drop_##n(void *bytes)                                                  \
    {                                                                                  \
        (void)bytes;                                                                   \
        dropped(&holds[0x##n]);                                                        \
    }
#define HOLD4(n, a, b, c, d) HOLD(n##a) HOLD(n##b) HOLD(n##c) HOLD(n##d)
#define HOLD16(n)                                                                      \
    HOLD4(n, 0, 1, 2, 3) HOLD4(n, 4, 5, 6, 7) HOLD4(n, 8, 9, a, b) HOLD4(n, c, d, e, f)
#define NAME(n)              drop_##n,
#define NAME4(n, a, b, c, d) NAME(n##a) NAME(n##b) NAME(n##c) NAME(n##d)
#define NAME16(n)                                                                      \
    NAME4(n, 0, 1, 2, 3) NAME4(n, 4, 5, 6, 7) NAME4(n, 8, 9, a, b) NAME4(n, c, d, e, f)

/* clang-format off */
HOLD16(0) HOLD16(1) HOLD16(2) HOLD16(3) HOLD16(4) HOLD16(5) HOLD16(6) HOLD16(7)
HOLD16(8) HOLD16(9) HOLD16(a) HOLD16(b) HOLD16(c) HOLD16(d) HOLD16(e) HOLD16(f)

static void (*const drops[])(void *) = {
NAME16(0) NAME16(1) NAME16(2) NAME16(3) NAME16(4) NAME16(5) NAME16(6) NAME16(7)
NAME16(8) NAME16(9) NAME16(a) NAME16(b) NAME16(c) NAME16(d) NAME16(e) NAME16(f)
};
/* clang-format on */
_Static_assert(sizeof drops / sizeof drops[0] == NHOLDS, "one each");

/* One that no connection has; NULL: there is none. */
static struct svt_hold *acquire(void)
{
    for (unsigned i = 0; i < NHOLDS / 64; i++) {
        uint64_t bits = atomic_load_explicit(&taken[i], memory_order_relaxed);
        while (~bits != 0) {
            uint64_t bit = ~bits & (bits + 1); /* the lowest that is free */
            if (atomic_compare_exchange_weak_explicit(&taken[i], &bits, bits | bit,
                                                      memory_order_acq_rel,
                                                      memory_order_relaxed))
                return &holds[i * 64 + (unsigned)__builtin_ctzll(bit)];
        }
    }
    return NULL;
}

void svt_holds_fini(struct svt_holds *owner)
{
    while (owner->all != NULL) {
        struct svt_hold *h = owner->all;
        size_t i = (size_t)(h - holds);
        owner->all = h->next_all;
        assert(h->pin == NULL);
        if (h->pin == NULL) /* else it is never used again: SQLite may still call */
            atomic_fetch_and_explicit(&taken[i / 64], ~((uint64_t)1 << i % 64),
                                      memory_order_acq_rel);
    }
    *owner = (struct svt_holds){.n = 0};
}

struct svt_hold *svt_hold_take(struct svt_holds *owner, seerdb_pin *pin)
{
    struct svt_hold *h = owner->idle;
    if (h != NULL) {
        owner->idle = h->next_idle;
    } else {
        if (owner->n == HOLD_MAX || (h = acquire()) == NULL)
            return NULL;
        h->owner = owner;
        h->next_all = owner->all;
        owner->all = h;
        owner->n++;
    }
    h->pin = pin;
    h->results = 0;
    h->released = false;
    return h;
}

void svt_hold_release(struct svt_hold *h)
{
    if (h == NULL)
        return;
    h->released = true;
    if (h->results == 0)
        put_back(h);
}

void svt_hold_bytes(struct svt_hold *h, sqlite3_context *ctx, int type,
                    seerdb_slice bytes)
{
    void (*drop)(void *) = SQLITE_TRANSIENT;
    if (h != NULL) {
        drop = drops[h - holds];
        h->results++; /* first: with a failure SQLite calls drop at once */
    }
    if (type == SQLITE_TEXT)
        sqlite3_result_text64(ctx, bytes.data, bytes.size, drop, SQLITE_UTF8);
    else
        sqlite3_result_blob64(ctx, bytes.data, bytes.size, drop);
}

/* SQLite takes the first two bytes of a UTF-16 result for a byte order mark if they
 * look like one, and drops them: such a text gets a mark in front. */
static void give_marked(sqlite3_context *ctx, seerdb_slice text,
                        enum svt_encoding encoding)
{
    uint8_t *copy = sqlite3_malloc64(text.size + 2);
    if (copy == NULL) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    copy[0] = encoding == SVT_UTF16LE ? 0xff : 0xfe;
    copy[1] = encoding == SVT_UTF16LE ? 0xfe : 0xff;
    memcpy(copy + 2, text.data, text.size);
    sqlite3_result_text64(ctx, (const char *)copy, text.size + 2, sqlite3_free,
                          (unsigned char)svt_encoding_code(encoding));
}

static bool begins_with_mark(seerdb_slice text)
{
    const uint8_t *p = text.data;
    return text.size >= 2 &&
           ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff));
}

static void give_text16(struct svt_hold *h, sqlite3_context *ctx, seerdb_slice text,
                        enum svt_encoding encoding)
{
    void (*drop)(void *) = SQLITE_TRANSIENT;
    if (begins_with_mark(text)) {
        give_marked(ctx, text, encoding);
        return;
    }
    if (h != NULL) {
        drop = drops[h - holds];
        h->results++; /* first, as above */
    }
    sqlite3_result_text64(ctx, text.data, text.size, drop,
                          (unsigned char)svt_encoding_code(encoding));
}

void svt_hold_result(struct svt_hold *h, sqlite3_context *ctx,
                     const struct svt_value *v, enum svt_encoding encoding)
{
    seerdb_slice bytes = v->bytes;
    switch (v->type) {
    case SQLITE_INTEGER:
        sqlite3_result_int64(ctx, v->i);
        return;
    case SQLITE_FLOAT:
        sqlite3_result_double(ctx, v->r);
        return;
    case SQLITE_TEXT:
    case SQLITE_BLOB:
        if (bytes.data == NULL)
            bytes.data = "";
        if (v->type == SQLITE_TEXT && encoding != SVT_UTF8)
            give_text16(h, ctx, bytes, encoding);
        else
            svt_hold_bytes(h, ctx, v->type, bytes);
        return;
    default:
        sqlite3_result_null(ctx);
        return;
    }
}
