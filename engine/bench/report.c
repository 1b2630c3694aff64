/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "bench/report.h"
#include "bench/meter.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_CASES = 100, MAX_ROUNDS = 100 };

/* ---- the file ---- */

void bench_result_write(FILE *f, const struct bench_result *r)
{
    fprintf(f, "case\t%s\t%s\t%u\t%s", r->group, r->rival, r->round, r->name);
    for (int c = 0; c < BENCH_COLUMNS; c++)
        fprintf(f, "\t%.17g", r->v[c]);
    fputc('\n', f);
}

void bench_done_write(FILE *f, const char *group, const char *rival, unsigned round)
{
    fprintf(f, "done\t%s\t%s\t%u\twhole\n", group, rival, round);
}

static void add(struct bench_results *s, const struct bench_result *r)
{
    if (s->n == s->capacity) {
        size_t capacity = s->capacity == 0 ? 256 : s->capacity * 2;
        struct bench_result *all = realloc(s->all, capacity * sizeof *all);
        if (all == NULL)
            bench_die("out of memory");
        s->all = all;
        s->capacity = capacity;
    }
    s->all[s->n++] = *r;
}

/* The next field of a line, which is cut behind it. */
static char *field(char **rest)
{
    char *start = *rest, *end = strpbrk(start, "\t\n");
    if (end == NULL)
        return start;
    *end = '\0';
    *rest = end + 1;
    return start;
}

static void copy(char *to, size_t size, const char *from)
{
    size_t n = strnlen(from, size - 1);
    memcpy(to, from, n);
    to[n] = '\0';
}

/* A line cut short by a crash has too few fields or no "done" behind it. */
void bench_results_load(struct bench_results *s, const char *path)
{
    char line[2000];
    size_t finished = s->n;
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return;
    while (fgets(line, sizeof line, f) != NULL) {
        char *rest = line;
        struct bench_result r = {0};
        const char *kind = field(&rest);
        if (strcmp(kind, "case") != 0 && strcmp(kind, "done") != 0)
            continue;
        copy(r.group, sizeof r.group, field(&rest));
        copy(r.rival, sizeof r.rival, field(&rest));
        r.round = (unsigned)strtoul(field(&rest), NULL, 10);
        if (kind[0] == 'c') {
            copy(r.name, sizeof r.name, field(&rest));
            for (int c = 0; c < BENCH_COLUMNS; c++)
                r.v[c] = strtod(field(&rest), NULL);
            add(s, &r);
            continue;
        }
        bool whole = s->n > finished && strcmp(field(&rest), "whole") == 0;
        for (size_t i = finished; i < s->n; i++)
            whole = whole && strcmp(s->all[i].group, r.group) == 0 &&
                    strcmp(s->all[i].rival, r.rival) == 0 &&
                    s->all[i].round == r.round && s->all[i].v[BENCH_SECONDS] > 0;
        if (!whole)
            s->n = finished;
        finished = s->n;
    }
    s->n = finished;
    fclose(f);
}

void bench_results_free(struct bench_results *s)
{
    free(s->all);
    *s = (struct bench_results){0};
}

bool bench_results_have(const struct bench_results *s, const char *group,
                        const char *rival, unsigned round)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->all[i].group, group) == 0 &&
            strcmp(s->all[i].rival, rival) == 0 && s->all[i].round == round)
            return true;
    return false;
}

void bench_results_agree(const struct bench_results *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = i + 1; k < s->n; k++) {
            const struct bench_result *a = &s->all[i], *b = &s->all[k];
            if (a->round == b->round && a->v[BENCH_SUM] > 0 && b->v[BENCH_SUM] > 0 &&
                strcmp(a->group, b->group) == 0 && strcmp(a->name, b->name) == 0 &&
                (a->v[BENCH_SUM] < b->v[BENCH_SUM] ||
                 a->v[BENCH_SUM] > b->v[BENCH_SUM]))
                bench_die("%s, %s: %s read %.0f, %s read %.0f: one of them is wrong",
                          a->group, a->name, a->rival, a->v[BENCH_SUM], b->rival,
                          b->v[BENCH_SUM]);
        }
}

/* ---- medians ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool bench_median(const struct bench_results *s, const char *group, const char *rival,
                  const char *name, unsigned rounds, double v[BENCH_COLUMNS])
{
    const struct bench_result *found[MAX_ROUNDS];
    double sorted[MAX_ROUNDS];
    size_t n = 0;
    for (size_t i = 0; i < s->n && n < MAX_ROUNDS; i++) {
        const struct bench_result *r = &s->all[i];
        if (r->round < rounds && strcmp(r->group, group) == 0 &&
            strcmp(r->rival, rival) == 0 && strcmp(r->name, name) == 0)
            found[n++] = r;
    }
    for (int c = 0; c < BENCH_COLUMNS && n > 0; c++) {
        for (size_t i = 0; i < n; i++)
            sorted[i] = found[i]->v[c];
        qsort(sorted, n, sizeof sorted[0], by_size);
        v[c] = n % 2 != 0 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    }
    return n > 0;
}

static bool median_in(const struct bench_view *view, const char *rival,
                      const char *name, double v[BENCH_COLUMNS])
{
    return bench_median(view->results, view->group, rival, name, view->rounds, v);
}

static double rate(const double v[BENCH_COLUMNS])
{
    return v[BENCH_SECONDS] > 0 ? v[BENCH_OPS] / v[BENCH_SECONDS] : 0;
}

size_t bench_case_names(const struct bench_view *view, const char **names, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < view->results->n; i++) {
        const struct bench_result *r = &view->results->all[i];
        bool known = strcmp(r->group, view->group) != 0 || r->round >= view->rounds;
        for (size_t k = 0; k < n && !known; k++)
            known = strcmp(names[k], r->name) == 0;
        if (!known && n < max)
            names[n++] = r->name;
    }
    return n;
}

/* ---- the table ---- */

#define NCELLS 21

struct row {
    char cells[NCELLS][48];
};

static const char *const heads[NCELLS] = {
    "case",    "rival",  "per second", "seerdb is", "p50 us",    "p99 us", "p99.9",
    "max ms",  ">10 ms", ">50 ms",     ">200 ms",   "CPU us/op", "log MB", "flush",
    "compact", "all MB", "ampl.",      "no log",    "disk MB",   "RSS MB", "runs",
};

void bench_rate_text(const double v[BENCH_COLUMNS], char *out, size_t size)
{
    char digits[32];
    size_t n = 0;
    if (v[BENCH_OPS] < 1.5) {
        snprintf(out, size, "%.3f s", v[BENCH_SECONDS]);
        return;
    }
    int len = snprintf(digits, sizeof digits, "%.0f", rate(v));
    for (int i = 0; i < len && n + 2 < size; i++) {
        out[n++] = digits[i];
        if ((len - i) % 3 == 1 && i + 1 < len)
            out[n++] = ',';
    }
    out[n] = '\0';
}

static void number(char cell[48], double x, double unit, int decimals)
{
    if (x > 0)
        snprintf(cell, 48, "%.*f", decimals, x / unit);
}

static void fill_row(struct row *row, const double v[BENCH_COLUMNS])
{
    double ops = v[BENCH_OPS] > 0 ? v[BENCH_OPS] : 1;
    bench_rate_text(v, row->cells[2], sizeof row->cells[2]);
    number(row->cells[4], v[BENCH_P50], 1e3, 2);
    number(row->cells[5], v[BENCH_P99], 1e3, 1);
    number(row->cells[6], v[BENCH_P999], 1e3, 0);
    number(row->cells[7], v[BENCH_MAX], 1e6, 2);
    number(row->cells[8], v[BENCH_OVER_10MS], 1, 0);
    number(row->cells[9], v[BENCH_OVER_50MS], 1, 0);
    number(row->cells[10], v[BENCH_OVER_200MS], 1, 0);
    number(row->cells[11], v[BENCH_CPU] / ops, 1e3, 2);
    number(row->cells[18], v[BENCH_DISK], 1e6, 1);
    number(row->cells[19], v[BENCH_RSS], 1e6, 0);
    number(row->cells[20], v[BENCH_RUNS], 1, 0);
    number(row->cells[13], v[BENCH_FLUSH], 1e6, 1);
    number(row->cells[14], v[BENCH_COMPACT], 1e6, 1);
    if (v[BENCH_USER] <= 0)
        return; /* the few bytes that other cases write say nothing */
    number(row->cells[12], v[BENCH_LOG], 1e6, 1);
    number(row->cells[15], v[BENCH_WRITTEN], 1e6, 1);
    number(row->cells[16], v[BENCH_WRITTEN], v[BENCH_USER], 2);
    if (v[BENCH_LOG] > 0)
        number(row->cells[17], v[BENCH_WRITTEN] - v[BENCH_LOG], v[BENCH_USER], 2);
}

static size_t make_rows(const struct bench_view *view, struct row *rows, size_t max)
{
    const char *names[MAX_CASES];
    double ours[BENCH_COLUMNS], v[BENCH_COLUMNS];
    size_t ncases = bench_case_names(view, names, MAX_CASES), n = 0;
    for (size_t c = 0; c < ncases; c++) {
        bool have = median_in(view, view->rivals[0], names[c], ours), first = true;
        for (size_t r = 0; r < view->nrivals && n < max; r++) {
            struct row *row = &rows[n];
            if (!median_in(view, view->rivals[r], names[c], v))
                continue;
            *row = (struct row){0};
            copy(row->cells[0], sizeof row->cells[0], first ? names[c] : "");
            copy(row->cells[1], sizeof row->cells[1], view->rivals[r]);
            fill_row(row, v);
            if (r > 0 && have && rate(v) > 0)
                snprintf(row->cells[3], 48, "%.2fx", rate(ours) / rate(v));
            first = false;
            n++;
        }
    }
    return n;
}

void bench_table(const struct bench_view *view, FILE *out)
{
    enum { MAX_ROWS = 600 };
    struct row *rows = calloc(MAX_ROWS, sizeof *rows);
    size_t widths[NCELLS] = {0};
    if (rows == NULL)
        bench_die("out of memory");
    size_t n = make_rows(view, rows, MAX_ROWS);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < NCELLS; c++)
            if (strlen(rows[i].cells[c]) > widths[c])
                widths[c] = strlen(rows[i].cells[c]);
    fprintf(out, "\n%s: %s; %llu rows, medians of %u round%s\n\n", view->group,
            view->title, (unsigned long long)view->rows, view->rounds,
            view->rounds == 1 ? "" : "s");
    for (size_t i = 0; i <= n; i++) {
        for (size_t c = 0; c < NCELLS; c++) {
            const char *cell = i == 0 ? heads[c] : rows[i - 1].cells[c];
            size_t head = strlen(heads[c]);
            int width = (int)(widths[c] > head ? widths[c] : head);
            if (widths[c] > 0) /* a column without any figure is left out */
                fprintf(out, c < 2 ? "%-*s  " : "%*s  ", width, cell);
        }
        fputc('\n', out);
    }
    free(rows);
}

/* ---- targets ---- */

static double amplification(const double v[BENCH_COLUMNS])
{
    return v[BENCH_USER] > 0 ? v[BENCH_WRITTEN] / v[BENCH_USER] : 0;
}

static void judge(const struct bench_view *view, const struct bench_target *t,
                  FILE *out)
{
    double ours[BENCH_COLUMNS] = {0}, theirs[BENCH_COLUMNS] = {0}, is = 0;
    const char *against = t->against != NULL ? t->against : view->rivals[0];
    bool measured = median_in(view, view->rivals[0], t->name, ours) &&
                    median_in(view, against, t->name, theirs);
    bool met = false;
    fprintf(out, "  %-34s ", t->name);
    switch (t->kind) {
    case BENCH_AT_LEAST:
        is = rate(theirs) > 0 ? rate(ours) / rate(theirs) : 0;
        met = is >= t->limit;
        fprintf(out, ">= %5.2fx %-16s %5.2fx", t->limit, against, is);
        break;
    case BENCH_AMPLIFICATION:
        is =
            amplification(theirs) > 0 ? amplification(ours) / amplification(theirs) : 0;
        met = is <= t->limit;
        fprintf(out, "writes <= %.2fx %-9s %5.3fx", t->limit, against, is);
        break;
    case BENCH_LONGEST_MS:
        is = ours[BENCH_MAX] / 1e6;
        met = is <= t->limit;
        fprintf(out, "longest <= %.0f ms       %8.1f ms", t->limit, is);
        break;
    }
    fprintf(out, "  %s%s\n",
            !measured ? "not measured"
            : met     ? "met"
                      : "NOT met",
            t->rows == view->rows ? "" : " (meant for another number of rows)");
    /* What was left undone flatters writes and spoils reads. */
    if ((strstr(t->name, "one run") != NULL || t->kind == BENCH_AMPLIFICATION) &&
        ours[BENCH_RUNS] > 1.5)
        fprintf(out, "  %-34s (it had %.0f runs: not compacted)\n", "",
                ours[BENCH_RUNS]);
}

void bench_targets(const struct bench_view *view, const struct bench_target *targets,
                   size_t ntargets, FILE *out)
{
    bool any = false;
    for (size_t i = 0; i < ntargets; i++) {
        if (strcmp(targets[i].group, view->group) != 0)
            continue;
        if (!any)
            fprintf(out, "\ntargets of %s:\n", view->group);
        any = true;
        judge(view, &targets[i], out);
    }
}
