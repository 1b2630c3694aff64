/* SPDX-License-Identifier: Apache-2.0
 *
 * cuts_model -- what the tables of cuts.c must hold: a transaction is a list of steps,
 * a step is one statement, and what it does to a state follows from the step alone.
 *
 * Each database has ordinary tables o1, o2 and seerdb tables s1, s2; o1 and s1 have an
 * INTEGER PRIMARY KEY, o2 and s2 a TEXT one.  A third seerdb table comes, goes, and is
 * called s3 or s4.  Every row carries the number of the transaction that wrote it, a
 * payload that follows from that, and a total that others count up; key 0 of o1 and s1
 * belongs to the transactions that write their number there.
 *
 * The seerdb tables of a disk have the features that were drawn for it: the total may
 * be a MERGE column, long payloads lie in the value log, a filter hides rows by the
 * number of their transaction, and so on. */
#ifndef CUTS_MODEL_H
#define CUTS_MODEL_H

#include "base/rand.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum { DBS = 2, KEYS = 20 };
enum table_index { O1, O2, S1, S2, EXTRA, TABLES };
enum extra_name { ABSENT, CALLED_S3, CALLED_S4 };

enum filter { FILTER_NONE, FILTER_NOTHING, FILTER_FIFTH };

/* Of all seerdb tables of a disk.  MERGE adds, whichever way it is written. */
struct features {
    const char *merge;  /* what is said of the column total: "", or MERGE ... */
    bool insert_merges; /* ..., and a plain INSERT merges */
    enum filter filter;
    char options[200]; /* of CREATE VIRTUAL TABLE, each after a comma */
};

struct features features_random(struct sdb_rand *r);

struct table {
    uint32_t name;        /* enum extra_name; 0 in the others */
    uint32_t seq[KEYS];   /* who wrote the row, 0: there is none */
    uint32_t total[KEYS]; /* 0 where there is no row */
};

bool same_rows(const struct table *a, const struct table *b);

struct state {
    struct table t[DBS][TABLES];
};

/* The parts of a state that may differ in age after a cut. */
enum part {
    PART_ORDINARY, /* o1, o2, and the existence and name of the third seerdb table */
    PART_SEERDB,   /* s1, s2 */
    PART_EXTRA,    /* the rows of the third, if it is there */
    PARTS
};

bool part_equal(const struct state *a, const struct state *b, int db, enum part part);

enum step_kind {
    STEP_PUT,    /* INSERT OR REPLACE: from */
    STEP_INSERT, /* two rows: from, to; fails if one is there */
    STEP_DELETE, /* a range */
    STEP_UPDATE, /* a range */
    STEP_MOVE,   /* the row of from gets the key to, replacing */
    STEP_COPY,   /* a range, from the other side's table with the same keys */
    STEP_COUNT,  /* UPDATE of the totals of a range, and of nothing else */
    STEP_ADD,    /* merge into two rows, from and to: counts, or makes the row */
    STEP_CLEAR,  /* all rows */
    STEP_CREATE, /* the third table: */
    STEP_DROP,
    STEP_RENAME
};

struct step {
    enum step_kind kind;
    int db, table, from, to;
    uint32_t seq;
    const struct features *features;
};

/* A step that makes sense in this state.  Leaves key 0 alone. */
struct step step_random(struct sdb_rand *r, const struct features *features,
                        const struct state *state, int db, uint32_t seq);

/* The statement; sqlite3_free it.  schema is the database's name in the connection,
 * options what CREATE adds to the columns, "" or ", name='value'". */
char *step_sql(const struct step *s, const struct state *state, const char *schema,
               const char *options);

/* False: it fails on a constraint and changes nothing. */
bool step_apply(const struct step *s, struct state *state);

/* Run the CREATE statements of all but the third table. */
int model_create(sqlite3 *db, const char *schema, const struct features *features,
                 const char *options);

/* Read what is there.  A row that no transaction can have written is SQLITE_CORRUPT, as
 * a failure to read is what it is; *why says which (sqlite3_free it). */
int model_read(sqlite3 *db, const char *schema, struct table out[TABLES], char **why);

/* The rows of a seerdb table at its named snapshot. */
int model_read_past(sqlite3 *db, const char *schema, int table, const char *snapshot,
                    struct table *out, char **why);

#endif
