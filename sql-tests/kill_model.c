/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include "kill.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void fail(const char *what, const char *why)
{
    fprintf(stderr, "kill: %s: %s\n", what, why);
    _exit(1); /* other threads may be at work */
}

void sleep_us(uint64_t us)
{
    struct timespec ts = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
        ;
}

/* ---- what transaction n does ----------------------------------------------- */

struct sdb_rand rand_of(const struct test *t, uint64_t n, uint64_t salt)
{
    struct sdb_rand r = {t->seed * 0x9e3779b97f4a7c15u + n * 1000003u + salt};
    sdb_rand_next(&r);
    return r;
}

int op_count(const struct test *t, uint64_t n)
{
    struct sdb_rand r = rand_of(t, n, 1);
    if (sdb_rand_below(&r, 40) == 0)
        return 600;
    return sdb_rand_below(&r, 20) == 0 ? 150 : 1 + (int)sdb_rand_below(&r, 12);
}

struct op op_of(const struct test *t, uint64_t n, int i)
{
    struct sdb_rand r = rand_of(t, n, 2 + (uint64_t)i);
    struct op op = {.key = (int)sdb_rand_below(&r, NKEYS)};
    static const enum op_kind kinds[] = {
        OP_PUT,    OP_PUT,    OP_PUT,          OP_PUT,          OP_DELETE,
        OP_DELETE, OP_DELETE, OP_UPDATE_RANGE, OP_UPDATE_RANGE, OP_COUNT_RANGE,
        OP_ADD,    OP_ADD,    OP_ADD};
    op.kind = kinds[sdb_rand_below(&r, sizeof kinds / sizeof kinds[0])];
    if (op.kind == OP_ADD && t->features.merge[0] == 0)
        op.kind = OP_PUT;
    op.to = op.key + 5 < NKEYS ? op.key + 5 : NKEYS - 1;
    return op;
}

int payload_of(const struct test *t, uint64_t n, int key, unsigned char *out)
{
    struct sdb_rand r = rand_of(t, n, 100000 + (uint64_t)key);
    int size = (int)sdb_rand_below(&r, sdb_rand_below(&r, 10) == 0 ? MAX_PAYLOAD : 200);
    for (int i = 0; i < size; i++)
        out[i] = (unsigned char)(sdb_rand_next(&r) & (i < size / 2 ? 0x0f : 0xff));
    return size;
}

int64_t sum_of(const unsigned char *p, int size)
{
    uint64_t sum = 14695981039346656037u;
    for (int i = 0; i < size; i++)
        sum = (sum ^ p[i]) * 1099511628211u;
    return (int64_t)(sum >> 1);
}

bool is_clear(uint64_t n)
{
    return n % 23 == 0;
}

uint64_t amount_of(uint64_t n)
{
    return 1 + n % 1000;
}

static void write_row(const struct test *t, struct model *m, int key, uint64_t n,
                      uint64_t total)
{
    bool hidden = t->features.filter && n % 5 == 2;
    m->seq[key] = hidden ? 0 : n;
    m->total[key] = hidden ? 0 : total;
}

static void op_apply(const struct test *t, struct model *m, struct op op, uint64_t n)
{
    int to = op.kind == OP_UPDATE_RANGE || op.kind == OP_COUNT_RANGE ? op.to : op.key;
    for (int key = op.key; key <= to; key++) {
        bool there = m->seq[key] != 0;
        if (op.kind == OP_DELETE)
            m->seq[key] = m->total[key] = 0;
        else if (op.kind == OP_PUT)
            write_row(t, m, key, n, n);
        else if (op.kind == OP_UPDATE_RANGE && there)
            write_row(t, m, key, n, m->total[key]);
        else if (op.kind == OP_ADD && !there)
            write_row(t, m, key, n, amount_of(n));
        else if (there)
            m->total[key] += amount_of(n);
    }
}

void model_apply(const struct test *t, struct model *m, uint64_t n)
{
    if (is_clear(n)) {
        memset(m->seq, 0, sizeof m->seq);
        memset(m->total, 0, sizeof m->total);
    }
    for (int i = 0; i < op_count(t, n); i++)
        op_apply(t, m, op_of(t, n, i), n);
    m->last = n;
}

/* ---- the table that comes and goes ------------------------------------------- */

static const struct phase phases[] = {
    {0, NO_THIRD, 0, INSIDE, ""},
    {1, THIRD_D, 1, INSIDE, CREATE_D},
    {6, THIRD_E, 1, INSIDE, "UPDATE d SET v = v + 0; ALTER TABLE d RENAME TO e"},
    {9, THIRD_D, 1, BEFORE, "ALTER TABLE e RENAME TO d"},
    {12, THIRD_D, 12, INSIDE, "DROP TABLE d; " CREATE_D},
    {15, NO_THIRD, 0, BEFORE, "DROP TABLE d"},
    {17, THIRD_D, 17, BEFORE, CREATE_D},
    {20, NO_THIRD, 0, INSIDE, "DROP TABLE d"},
};
enum { NPHASES = sizeof phases / sizeof phases[0] };

const struct phase *phase_of(uint64_t n)
{
    int i = NPHASES - 1;
    while (phases[i].from > (int)(n % CYCLE))
        i--;
    return &phases[i];
}

bool is_change(uint64_t n)
{
    return phase_of(n)->from == (int)(n % CYCLE);
}

/* ---- features ------------------------------------------------------------------- */

static void add_option(struct features *f, const char *option)
{
    size_t n = strlen(f->options);
    snprintf(f->options + n, sizeof f->options - n, ", %s", option);
}

struct features features_random(struct sdb_rand *r)
{
    static const char *const values[] = {"value_log = 512", "value_log = 600"};
    static const char *const policies[] = {"leveled", "lazy", "tiered", "adaptive"};
    static const char *const merges[] = {"", " MERGE add", " MERGE add",
                                         " MERGE (coalesce(old, 0) + new)"};
    struct features f = {.merge = merges[sdb_rand_below(r, 4)]};
    if (sdb_rand_below(r, 4) != 0)
        add_option(&f, values[sdb_rand_below(r, 2)]);
    if (sdb_rand_below(r, 3) != 0) {
        snprintf(f.compaction, sizeof f.compaction, ", compaction = %s",
                 policies[sdb_rand_below(r, 4)]);
        add_option(&f, f.compaction + 2);
    }
    if (sdb_rand_below(r, 4) == 0)
        add_option(&f, "ttl = 'seq + 99999999999'");
    f.filter = sdb_rand_below(r, 3) == 0;
    if (f.filter)
        add_option(&f, "filter = 'seq % 5 = 2'");
    else if (sdb_rand_below(r, 3) == 0)
        add_option(&f, "filter = 'payload = ''none'''");
    return f;
}
