/* SPDX-License-Identifier: Apache-2.0
 *
 * battery.h -- random tables and queries for battery.c; the same seed makes the same
 * ones everywhere. */
#ifndef SQLTEST_BATTERY_H
#define SQLTEST_BATTERY_H

#include "text.h"

#include <stdbool.h>
#include <stdint.h>

#define BATTERY_TABLES  64
#define BATTERY_COLUMNS 8

struct battery_table {
    char name[16];
    char *create[2]; /* owned: as an ordinary table, as a seerdb table */
    char *fill;      /* owned: one INSERT */
    int rows, ncolumns;
    struct {
        char name[16];
        char kind; /* 'i' integers, 'r' reals, 't' texts, 'b' anything */
    } columns[BATTERY_COLUMNS];
};

struct battery {
    uint64_t seed, state;
    size_t ntables;
    bool chain; /* the tables are made for long joins */
    struct battery_table tables[BATTERY_TABLES];
};

struct query {
    struct text sql;
    bool ordered; /* every column is ordered by: rows come in one order only */
};

void battery_init(struct battery *b, uint64_t seed);
void battery_fini(struct battery *b);
void battery_query(struct battery *b, struct query *q);

#endif
