/* SPDX-License-Identifier: Apache-2.0 */
#include "db/events.h"

#include "os/clock.h"

struct sdb_events {
    struct sdb_event at[SDB_EVENTS_KEPT]; /* a ring */
    size_t first, n;
};

void sdb_events_add(seerdb *db, const struct sdb_event *e)
{
    struct sdb_events *ring = db->events;
    if (ring == NULL && (ring = db->events = sdb_mem_zalloc(sizeof *ring)) == NULL)
        return;
    if (ring->n == SDB_EVENTS_KEPT) {
        ring->first = (ring->first + 1) % SDB_EVENTS_KEPT;
        ring->n--;
    }
    struct sdb_event *to = &ring->at[(ring->first + ring->n++) % SDB_EVENTS_KEPT];
    *to = *e;
    to->time_us = sdb_clock_unix_us();
}

void sdb_events_free(seerdb *db) NO_TSA /* the store is closing */
{
    sdb_mem_free(db->events);
    db->events = NULL;
}

/* Copied first: `each` may call the engine. */
int seerdb_events(seerdb *db, seerdb_tree *tree,
                  bool (*each)(void *ctx, const seerdb_event *event), void *ctx,
                  seerdb_err *err)
{
    struct sdb_event *all = NULL;
    size_t n = 0;
    int rc = sdb_check_process(db, err);
    if (rc != 0)
        return rc;
    if ((all = sdb_array_new(SDB_EVENTS_KEPT, sizeof all[0])) == NULL)
        return sdb_fail_nomem(err, SDB_EVENTS_KEPT * sizeof all[0]);
    sdb_lock_db(&db->lock);
    const struct sdb_events *ring = db->events;
    for (size_t i = 0; ring != NULL && i < ring->n; i++) {
        const struct sdb_event *e = &ring->at[(ring->first + i) % SDB_EVENTS_KEPT];
        if (tree == NULL || e->tree == 0 || e->tree == tree->desc.id)
            all[n++] = *e;
    }
    sdb_unlock_db(&db->lock);
    for (size_t i = 0; i < n; i++) {
        const struct sdb_event *e = &all[i];
        seerdb_event event = {.time_us = e->time_us,
                              .event = e->event,
                              .of_store = e->tree == 0,
                              .duration_us = e->duration_us,
                              .bytes_in = e->bytes_in,
                              .bytes_out = e->bytes_out,
                              .detail = e->detail};
        if (!each(ctx, &event))
            break;
    }
    sdb_mem_free(all);
    return 0;
}
