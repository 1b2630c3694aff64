/* SPDX-License-Identifier: Apache-2.0
 *
 * differential -- the same random SQL on seerdb tables and on ordinary ones.
 *
 *     differential [--seeds A-B] [--statements N] [--minimise] [--plain] [--print]
 *                  [--stats] [--plant FROM TO] [--list-exceptions]
 *                  [--extension PATH]      default ./seerdb, or $SEERDB
 *
 * Two databases hold the same tables, in one of seerdb, in the other of SQLite's own.
 * Every statement runs on both, and what it answers must agree: differential_run.c says
 * what.  Speaks TAP: a test is a seed.  The first difference is printed with the script
 * that leads to it, for the sqlite3 shell, and ends the run; --minimise makes the
 * script short.
 *
 * --plain compares ordinary tables with others: the generator must never make a script
 * on which those differ.  --print prints the script of the first seed and runs nothing.
 * --plant puts a bug in: it replaces a text in the statements of one side.  --stats
 * says how many statements ran, and how many of them failed (on both sides).  The same
 * seed makes the same script everywhere. */
#define _XOPEN_SOURCE 700
#include "differential.h"

#include <string.h>
#include <unistd.h>

/* Whether the two sides agreed. */
static bool run_seed(const struct options *o, uint64_t seed, struct tally *tally)
{
    struct script s;
    struct finding f;
    script_generate(&s, seed, o->statements);
    if (o->print) {
        print_script(o, &s, s.nsteps, SAME);
        script_fini(&s);
        return true;
    }
    run_script(o, &s, &f, tally);
    bool agreed = f.what == SAME;
    printf("%s %llu - seed %llu, %zu statements\n", agreed ? "ok" : "not ok",
           (unsigned long long)(seed - o->first_seed + 1), (unsigned long long)seed,
           s.nsteps);
    fflush(stdout);
    if (!agreed) {
        printf("-- differs at statement %zu\n", f.step + 1);
        if (o->minimise)
            minimise(o, &s, &f);
        print_script(o, &s, f.step, f.what);
        printf("%s", f.why.data);
    }
    finding_fini(&f);
    script_fini(&s);
    return agreed;
}

/* Whether this seerdb takes the statements. */
static bool can(const struct options *o, const char *sql)
{
    sqlite3 *db = NULL;
    if (o->plain)
        return true;
    bool ok = sqlite3_open(":memory:", &db) == SQLITE_OK &&
              sqlite3_enable_load_extension(db, 1) == SQLITE_OK &&
              sqlite3_load_extension(db, o->extension, NULL, NULL) == SQLITE_OK &&
              sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_close(db);
    return ok;
}

static bool parse_seeds(const char *value, struct options *o)
{
    char *end = NULL;
    o->first_seed = o->last_seed = strtoull(value, &end, 10);
    if (*end == '-')
        o->last_seed = strtoull(end + 1, &end, 10);
    return *end == '\0' && o->last_seed >= o->first_seed;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
    const char *from_environment = getenv("SEERDB");
    *o = (struct options){.first_seed = 1, .last_seed = 50, .statements = 300};
    o->extension = from_environment != NULL ? from_environment : "./seerdb";
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--minimise") == 0) {
            o->minimise = true;
        } else if (strcmp(argv[i], "--plain") == 0) {
            o->plain = true;
        } else if (strcmp(argv[i], "--print") == 0) {
            o->print = true;
        } else if (strcmp(argv[i], "--stats") == 0) {
            o->stats = true;
        } else if (strcmp(argv[i], "--plant") == 0 && i + 2 < argc) {
            o->plant[0] = argv[++i];
            o->plant[1] = argv[++i];
        } else if (value != NULL && strcmp(argv[i], "--seeds") == 0) {
            if (!parse_seeds(argv[++i], o))
                return false;
        } else if (value != NULL && strcmp(argv[i], "--statements") == 0) {
            o->statements = strtoull(argv[++i], NULL, 10);
        } else if (value != NULL && strcmp(argv[i], "--extension") == 0) {
            o->extension = argv[++i];
        } else {
            return false;
        }
    }
    return o->statements > 0;
}

static int list_exceptions(void)
{
    for (size_t i = 0; generate_exceptions[i][0] != NULL; i++)
        printf("%-20s%s\n", generate_exceptions[i][0], generate_exceptions[i][1]);
    return 0;
}

/* Where databases are made: memory, if there is such a file system. */
static void make_directory(struct text *dir)
{
    const char *tmp = getenv("TMPDIR");
    if (tmp == NULL)
        tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    text_add(dir, "%s/seerdb-differential.XXXXXX", tmp);
    if (mkdtemp(dir->data) == NULL)
        die(dir->data);
}

int main(int argc, char **argv)
{
    struct options o;
    struct text dir = {0};
    struct tally tally = {0};
    bool agreed = true;
    if (argc == 2 && strcmp(argv[1], "--list-exceptions") == 0)
        return list_exceptions();
    if (!parse_options(argc, argv, &o)) {
        fprintf(stderr, "usage: differential [--seeds A-B] [--statements N] "
                        "[--minimise] [--plain] [--print] [--stats] [--plant FROM TO] "
                        "[--list-exceptions] [--extension PATH]\n");
        return 2;
    }
    make_directory(&dir);
    o.dir = dir.data;
    o.utf16 =
        can(&o, "PRAGMA encoding = 'UTF-16le'; CREATE VIRTUAL TABLE t USING seerdb");
    o.strict = can(&o, "CREATE VIRTUAL TABLE t USING seerdb(a INT, strict=1)");
    if (!o.print)
        printf("1..%llu\n%s%s", (unsigned long long)(o.last_seed - o.first_seed + 1),
               o.utf16 ? "" : "# no UTF-16: CREATE refuses it\n",
               o.strict ? "" : "# no strict tables: CREATE refuses them\n");
    for (uint64_t seed = o.first_seed; agreed && seed <= o.last_seed; seed++) {
        agreed = run_seed(&o, seed, &tally);
        if (o.print)
            break;
    }
    if (o.stats)
        printf("# %llu statements, %llu of them failed, %llu were cut short\n",
               (unsigned long long)tally.run, (unsigned long long)tally.failed,
               (unsigned long long)tally.cut_short);
    empty_directory(dir.data, 0);
    rmdir(dir.data);
    text_fini(&dir);
    return agreed ? 0 : 1;
}
