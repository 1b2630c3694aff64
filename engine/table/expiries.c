/* SPDX-License-Identifier: Apache-2.0
 *
 * Every `every`th record is a sample; when there are too many, every second one goes.
 * Times often follow the order of the keys, so that the first so many would not do. */
#include "table/expiries.h"

#include <stdlib.h>

void sdb_expiries_add(struct sdb_expiries *e, uint64_t time)
{
    if (e->n == 0 || time < e->first)
        e->first = time;
    if (e->every == 0)
        e->every = 1;
    if (e->nsamples == SDB_EXPIRIES_SAMPLES) {
        e->every *= 2;
        e->nsamples /= 2;
        for (size_t i = 0; i < e->nsamples; i++)
            e->samples[i] = e->samples[2 * i];
    }
    if (e->n++ % e->every == 0)
        e->samples[e->nsamples++] = time;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t sdb_expiries_due(struct sdb_expiries *e, uint64_t records)
{
    uint64_t wanted = records / 100 * SDB_EXPIRIES_PERCENT +
                      (records % 100 * SDB_EXPIRIES_PERCENT + 99) / 100;
    if (e->n == 0 || e->n < wanted)
        return UINT64_MAX;
    qsort(e->samples, e->nsamples, sizeof e->samples[0], compare);
    /* The sample of which as large a share is before it as `wanted` is of all. */
    size_t i = (size_t)((double)wanted / (double)e->n * (double)e->nsamples);
    i = i > 0 ? i - 1 : 0;
    return e->samples[i < e->nsamples ? i : e->nsamples - 1];
}
