/* SPDX-License-Identifier: Apache-2.0
 *
 * generate -- random schemas and statements for the differential test.
 *
 * A script is made whole from its seed before anything runs, so that it can be printed,
 * run again and cut down.  Every statement means the same to a seerdb table and to an
 * ordinary one; where SQLite's own behaviour is not defined, or a difference is
 * documented, the generator stays away: generate_exceptions lists where. */
#ifndef SQLTEST_GENERATE_H
#define SQLTEST_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

enum shape { SHAPE_IPK, SHAPE_ROWID, SHAPE_SINGLE, SHAPE_COMPOSITE, SHAPE_BARE };

#define MAX_COLUMNS 7
#define MAX_KEY     4
#define MAX_PARAMS  4
#define MAX_TABLES  3
#define SPARE_TABLE MAX_TABLES /* made and dropped in the middle of a script */
#define MAX_SLOTS   2

struct merge_operator;

struct column {
    const char *name, *type, *collation; /* static; collation "": none was given */
    const char *fallback;                /* its DEFAULT, or NULL: static */
    bool not_null;
    const struct merge_operator *merge; /* static, or NULL */
};

/* A table, there twice: as a seerdb table and as an ordinary one. */
struct schema {
    const char *name;  /* as SQL writes it: "t", "aux.u" */
    const char *base;  /* without the database */
    const char *plain; /* without quotes */
    enum shape shape;
    struct column columns[MAX_COLUMNS];
    unsigned ncolumns;
    unsigned key[MAX_KEY]; /* columns of the key, in order */
    const char *key_collation[MAX_KEY];
    bool key_desc[MAX_KEY];
    unsigned nkey;       /* 0: SHAPE_ROWID */
    bool replaces;       /* insert=replace */
    bool merges;         /* there are MERGE columns */
    bool merge_insert;   /* insert=merge */
    bool large;          /* has values that go to the value log */
    bool strict;         /* strict=1: the other is a STRICT table */
    bool view, triggers; /* there are some, see generate_schema.c */
    char *body;          /* owned: the columns and the key */
    char *hidden;        /* owned: which rows ttl or filter hides; or NULL */
    char *ours, *theirs; /* owned: both CREATEs, with MARK_BODY */
};

/* In the text of a statement: the step's body; what a plain INSERT is to an ordinary
 * table where the seerdb table was declared with insert=replace; and what makes a table
 * strict, if this seerdb has that. */
#define MARK_BODY    '\001'
#define MARK_REPLACE '\002'
#define MARK_STRICT  '\003' /* at the end of a CREATE */
#define MARK_OURS    '\004' /* in a body, around what is for seerdb only */

enum step_kind {
    STEP_SQL,      /* run on both sides */
    STEP_COMMAND,  /* run on seerdb's side only: it must not fail */
    STEP_ORDINARY, /* run where tables are ordinary ones; may fail */
    STEP_OPEN,     /* prepare for a slot */
    STEP_FETCH,    /* `count` rows of the statement in the slot */
    STEP_CLOSE,
    STEP_REOPEN /* close all connections and open them again */
};

struct step {
    enum step_kind kind;
    unsigned connection;      /* 0 or 1 */
    char *sql;                /* owned; NULL for the kinds that have none */
    char *ours;               /* owned: in place of sql for the seerdb side; or NULL */
    char *body;               /* owned: of a CREATE; or NULL */
    char *params[MAX_PARAMS]; /* owned: literals bound to ?1, ?2, ... */
    unsigned nparams;
    unsigned slot, count;
    bool ordered;   /* its rows come in a total order */
    bool insert;    /* last_insert_rowid() means something afterwards */
    bool write;     /* changes() means something afterwards */
    bool silent;    /* sql and ours belong together, and give no rows to compare */
    bool nested;    /* total_changes() differs: triggers of one side delete rows */
    bool kept;      /* the prepared statement is kept and used again */
    unsigned check; /* tables to compare whole afterwards: bits */
    bool idle;      /* of STEP_ORDINARY: it failed when the script was run last */
    bool dropped;   /* by the minimiser */
};

struct script {
    uint64_t seed;
    bool in_memory;                 /* ":memory:", one connection */
    bool attached;                  /* there is a second database, aux */
    const char *encoding, *journal; /* static */
    unsigned page_size;
    struct schema tables[MAX_TABLES + 1];
    unsigned ntables;
    struct step *steps; /* owned */
    size_t nsteps;
};

void script_generate(struct script *s, uint64_t seed, size_t nstatements);
void script_fini(struct script *s);

/* What differs by contract, and what the generator or the comparison does about it:
 * pairs of a name, by which comments refer to it, and a sentence; ends with NULLs. */
extern const char *const generate_exceptions[][2];

#endif
