/* SPDX-License-Identifier: Apache-2.0
 *
 * kill -- what its parts share.  kill.c: the processes that are started and killed, and
 * the one that looks; kill_model.c: what a transaction does; kill_work.c: the process
 * that does it. */
#ifndef KILL_H
#define KILL_H

#include "base/rand.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum { NKEYS = 400, KEEP = 100, MAX_PAYLOAD = 6000, NWRITERS = 2 };
enum { LIVES = 4, LEAST_ROUNDS = 5, SNAPSHOTS_KEPT = 4, MAX_IDS = 20000 };

/* Of t, and of u what makes sense there. */
struct features {
    const char *merge; /* what is said of total: "", or MERGE ..., which adds */
    bool filter; /* hides what every fifth transaction writes; on ot triggers do it */
    char options[200]; /* each after a comma */
    char compaction[40];
};

struct test {
    uint64_t seed;
    uint64_t round;
    const char *mode, *sync; /* PRAGMA journal_mode and synchronous of this round */
    const char *extension;
    const char *points; /* the extension with failpoints; NULL: none */
    struct features features;
    char dir[512], path[600];
};

/* The transaction that last wrote each key; 0: there is no such row. */
struct model {
    uint64_t last; /* transactions applied */
    uint64_t seq[NKEYS];
    uint64_t total[NKEYS]; /* 0 where there is no row */
};

/* What the parent knows of a snapshot, by its id. */
enum knowledge {
    UNKNOWN, /* it may have been taken */
    TAKEN,
    LEAVING, /* it may have been dropped */
    DROPPED
};

/* Through the pipe: a transaction's number, or one of these above a snapshot's id. */
#define TOLD(knowledge, id) ((uint64_t)(knowledge) << 60 | (id))

struct snapshots {
    unsigned char known[MAX_IDS]; /* enum knowledge */
};

enum op_kind {
    OP_PUT,
    OP_DELETE,
    OP_UPDATE_RANGE,
    OP_COUNT_RANGE, /* the totals, and nothing else */
    OP_ADD,         /* merge: counts, or makes the row */
    OP_KINDS
};

struct op {
    enum op_kind kind;
    int key, to; /* to: of a range, inclusive */
};

/* ---- kill_model.c ---- */

/* Other threads may be at work: the process ends at once. */
void fail(const char *what, const char *why) __attribute__((noreturn));
void sleep_us(uint64_t us);

struct features features_random(struct sdb_rand *r);

struct sdb_rand rand_of(const struct test *t, uint64_t n, uint64_t salt);
int op_count(const struct test *t, uint64_t n);
struct op op_of(const struct test *t, uint64_t n, int i);
/* The payload of a key as transaction n leaves it.  Returns its size. */
int payload_of(const struct test *t, uint64_t n, int key, unsigned char *out);
int64_t sum_of(const unsigned char *p, int size);
bool is_clear(uint64_t n);      /* it begins with deleting all rows of t */
uint64_t amount_of(uint64_t n); /* what its merges add */
void model_apply(const struct test *t, struct model *m, uint64_t n);

enum third { NO_THIRD, THIRD_D, THIRD_E };
enum where { INSIDE, BEFORE };

/* The least: memtables are flushed, and the larger transactions spill. */
#define SMALL ", memory_limit = '1MB')"

#define CREATE_D "CREATE VIRTUAL TABLE d USING seerdb(n INTEGER PRIMARY KEY, v" SMALL

enum { CYCLE = 24 };

/* From transaction n with n % CYCLE == from on, it is called `name` and holds a row for
 * every transaction since n % CYCLE == since.  `sql` makes it so, within that
 * transaction or before it, alone. */
struct phase {
    int from;
    enum third name;
    int since;
    enum where where;
    const char *sql;
};

const struct phase *phase_of(uint64_t n);
bool is_change(uint64_t n); /* transaction n changes the table as phase_of(n) says */

/* ---- kill_work.c ---- */

void run(sqlite3 *db, const char *sql);
sqlite3_stmt *prepare(sqlite3 *db, const char *sql);
uint64_t number_of(sqlite3 *db, const char *sql);

/* The journal mode is the file's: only the first connection can change it. */
sqlite3 *open_first(const struct test *t);

/* The last committed transaction.  Requires: a transaction, or nobody else writes. */
uint64_t last_of(sqlite3 *db);

/* d or e is as transaction `last` left it, or already changed for the next one. */
void check_third(sqlite3 *db, uint64_t last);

uint64_t id_in(const char *name); /* of a snapshot */

void run_until_killed(const struct test *t, int pipe);

#endif
