/* SPDX-License-Identifier: Apache-2.0
 *
 * generate -- random schemas and statements for the differential test.
 *
 * A script is made whole from its seed before anything runs, so that it can be printed,
 * run again and cut down.  Every statement means the same to a seerdb table and to an
 * ordinary one; where SQLite's own behaviour is not defined, or a difference is
 * documented, the generator stays away, and says so in a comment. */
#ifndef SQLTEST_GENERATE_H
#define SQLTEST_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../engine/base/rand.h"
#include "text.h"

enum shape { SHAPE_IPK, SHAPE_ROWID, SHAPE_SINGLE, SHAPE_COMPOSITE, SHAPE_BARE };

#define MAX_COLUMNS 6
#define MAX_PARAMS  4

struct column {
    const char *name, *type, *collation; /* static; collation "": none was given */
    bool not_null;
};

struct schema {
    enum shape shape;
    struct column columns[MAX_COLUMNS];
    unsigned ncolumns;
    unsigned key[3];              /* columns of the key, in order */
    const char *key_collation[3]; /* "": the column's */
    bool key_desc[3];
    unsigned nkey;           /* 0: SHAPE_ROWID */
    char *seerdb, *ordinary; /* owned: the two CREATE statements */
};

enum step_kind {
    STEP_SQL,    /* run on the first connection of both */
    STEP_SECOND, /* run on the second connection of both */
    STEP_CREATE, /* create the table: a statement of its own for each side */
    STEP_RANGE,  /* `command` on one side, `sql` on the other */
    STEP_SPILL,  /* seerdb('t', 'spill') */
    STEP_FLUSH,  /* seerdb('t', 'flush') and 'verify' */
    STEP_REOPEN  /* close all connections and open them again */
};

struct step {
    enum step_kind kind;
    char *sql;                /* owned; NULL for the kinds that have none */
    char *command;            /* owned: of STEP_RANGE, what a seerdb table is told */
    char *params[MAX_PARAMS]; /* owned: literals bound to ?1, ?2, ... */
    unsigned nparams;
    bool ordered; /* its rows come in a total order */
    bool insert;  /* last_insert_rowid() means something afterwards */
    bool write;   /* changes() means something afterwards */
    bool check;   /* compare the whole table afterwards */
    bool dropped; /* by the minimiser */
};

struct script {
    uint64_t seed;
    bool in_memory; /* ":memory:", one connection */
    bool wal;
    struct schema schema;
    struct step *steps; /* owned */
    size_t nsteps;
};

void script_generate(struct script *s, uint64_t seed, size_t nstatements);
void script_fini(struct script *s);

#endif
