/* SPDX-License-Identifier: Apache-2.0
 *
 * differential -- what the parts of the differential test share. */
#ifndef SQLTEST_DIFFERENTIAL_H
#define SQLTEST_DIFFERENTIAL_H

#include "generate.h"

#include <sqlite3.h>

struct options {
    uint64_t first_seed, last_seed;
    size_t statements;
    bool minimise, plain, print, stats;
    bool utf16;  /* seerdb can be in such databases */
    bool strict; /* seerdb has strict=1 */
    const char *extension;
    const char *plant[2]; /* --plant: in one side's statements, [0] becomes [1] */
    const char *dir;      /* where databases are made */
};

/* What kind of thing differed: the minimiser must not slip from one to another. */
enum difference {
    SAME,
    DIFFERENT_RESULT, /* with both codes */
    DIFFERENT_MESSAGE,
    DIFFERENT_ROWS,
    DIFFERENT_STATE, /* autocommit, changes(), last_insert_rowid() */
    DIFFERENT_TABLE, /* found by looking at a table afterwards */
    FAILED_COMMAND
};

struct finding {
    enum difference what;
    int codes[2];
    size_t step;
    struct text why; /* owned: comments for people */
};

struct tally {
    uint64_t run, failed, cut_short; /* statements */
};

/* ---- differential_run.c */
/* Run the script in new databases until the sides differ: out->what is not SAME then.
 */
void run_script(const struct options *o, const struct script *s, struct finding *out,
                struct tally *tally);
void finding_fini(struct finding *f);
void empty_directory(const char *path, int depth);

/* What a side is told: its text with the marks filled in; the caller's.  ours: seerdb's
 * side. */
char *step_text(const struct options *o, const struct step *step, bool ours);

/* ---- differential_minimise.c */
/* Make the script short while it ends with the same kind of difference at the same
 * statement; *f is replaced. */
void minimise(const struct options *o, struct script *s, struct finding *f);

/* ---- differential_print.c */
/* For the sqlite3 shell, up to and with step `last`, and what shows the difference. */
void print_script(const struct options *o, const struct script *s, size_t last,
                  enum difference what);

#endif
