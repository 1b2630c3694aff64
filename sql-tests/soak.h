/* SPDX-License-Identifier: Apache-2.0
 *
 * soak -- what its parts share.  soak.c: rounds, and what is kept between them;
 * soak_work.c: tables in pairs and what is done to them; soak_files.c: what may lie in
 * a store's directory. */
#ifndef SOAK_H
#define SOAK_H

#include "base/rand.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct soak {
    uint64_t seed;
    uint64_t round;
    const char *extension;
    char dir[512], path[600], store[600];
    bool may_fail; /* failpoints make steps fail: errors of statements are none */
};

/* Say it and end the process with status 1: other threads may be at work. */
void soak_fail(const char *what, const char *why) __attribute__((noreturn));

/* ---- soak_work.c ---- */

struct work {
    sqlite3 *db;
    struct sdb_rand r;
    const struct soak *soak;
    struct {
        sqlite3_stmt **statements; /* by statement and side; NULL: not prepared yet */
    } table[8];
    uint64_t operations, commits;
    bool decided; /* the process has committed, so that no older commit is in doubt */
};

/* Open the database, with a random journal mode and synchronous, FULL or NORMAL. */
void soak_open(struct work *w, const struct soak *s);
void soak_close(struct work *w);
/* Make the tables that are missing, with random options. */
void soak_create(struct work *w);
/* A transaction of random statements, on both sides.  True: it was committed. */
bool soak_transaction(struct work *w);
/* The number of transactions committed so far; both sides must agree on it. */
uint64_t soak_transactions(struct work *w);
/* Both sides must agree on everything. */
void soak_compare(struct work *w);

/* ---- soak_files.c ---- */

/* After the store was closed well: nothing lies in its directory that it does not
 * need.  Answers how many bytes it has. */
uint64_t soak_check_files(const struct soak *s);

#endif
