/* SPDX-License-Identifier: Apache-2.0
 *
 * events -- the last things that happened in the background of a store, in memory. */
#ifndef SDB_DB_EVENTS_H
#define SDB_DB_EVENTS_H

#include "db/state.h"

#define SDB_EVENTS_KEPT 256u

struct sdb_event {
    uint64_t time_us;  /* wall clock: its end; filled by add */
    const char *event; /* static */
    uint64_t tree;     /* id; 0: of none */
    uint64_t duration_us, bytes_in, bytes_out;
    char detail[160];
};

/* Rings are made with the first event; for want of memory events are lost. */
void sdb_events_add(seerdb *db, const struct sdb_event *e) REQUIRES(LK_DB);
void sdb_events_free(seerdb *db);

#endif
