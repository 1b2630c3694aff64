/* SPDX-License-Identifier: Apache-2.0
 *
 * From coarse to fine: runs of statements, then what surrounds them (journal mode, page
 * size, kept statements, checks, parameters), then the text of each: runs of words,
 * items of lists, whole groups in parentheses, a column with its value in every row of
 * an INSERT.  Whatever is tried stays when the run ends at the same statement with the
 * same kind of difference.  Repeated until nothing gives, or time is up. */
#define _XOPEN_SOURCE 700
#include "differential.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#define SECONDS   90
#define MAX_WORDS 4000

struct words {
    const char *text; /* borrowed */
    size_t n;
    struct {
        size_t from, to;
    } at[MAX_WORDS];
    bool gone[MAX_WORDS];
};

struct shrinker {
    const struct options *o;
    struct script *s;
    struct finding *f; /* of the last run that was kept */
    time_t until;
    bool progress;
};

static bool in_time(const struct shrinker *m)
{
    return time(NULL) < m->until;
}

/* Whether the script as it is now still ends so. */
static bool still(struct shrinker *m)
{
    struct finding f;
    if (!in_time(m))
        return false;
    run_script(m->o, m->s, &f, NULL);
    if (f.what == m->f->what && f.step == m->f->step && f.codes[0] == m->f->codes[0] &&
        f.codes[1] == m->f->codes[1]) {
        finding_fini(m->f);
        *m->f = f;
        m->progress = true;
        return true;
    }
    finding_fini(&f);
    return false;
}

/* ---- statements -------------------------------------------------------------- */

static void drop_steps(struct shrinker *m)
{
    struct script *s = m->s;
    size_t last = m->f->step;
    bool *before = calloc(last + 1, sizeof(*before));
    if (before == NULL)
        die("calloc");
    for (size_t i = last + 1; i < s->nsteps; i++)
        s->steps[i].dropped = true;
    for (size_t run = last / 2 + 1; run > 0; run /= 2) {
        for (size_t from = 0; from < last; from += run) {
            size_t some = 0;
            for (size_t i = from; i < from + run && i < last; i++) {
                before[i] = s->steps[i].dropped;
                if (s->steps[i].kind == STEP_ORDINARY) /* one side would be another */
                    continue;
                some += !before[i];
                s->steps[i].dropped = true;
            }
            if (some > 0 && !still(m))
                for (size_t i = from; i < from + run && i < last; i++)
                    s->steps[i].dropped = before[i];
        }
    }
    free(before);
}

/* What failed there, for want of its table, may go. */
static void drop_idle(struct shrinker *m)
{
    struct script *s = m->s;
    bool progress = m->progress;
    if (!still(m)) /* the last run may have been of another script */
        return;
    for (size_t i = 0; i < m->f->step; i++) {
        bool idle = s->steps[i].kind == STEP_ORDINARY && s->steps[i].idle;
        progress = progress || (idle && !s->steps[i].dropped);
        s->steps[i].dropped = s->steps[i].dropped || idle;
    }
    m->progress = progress;
}

static void try_flag(struct shrinker *m, bool *flag, bool to)
{
    bool old = *flag;
    if (old == to)
        return;
    *flag = to;
    if (!still(m))
        *flag = old;
}

static void simpler_databases(struct shrinker *m)
{
    struct script *s = m->s;
    const char *journal = s->journal, *encoding = s->encoding;
    unsigned page_size = s->page_size;
    try_flag(m, &s->attached, false);
    try_flag(m, &s->in_memory, true);
    s->page_size = 4096;
    if (page_size != 4096 && !still(m))
        s->page_size = page_size;
    s->encoding = "UTF-8";
    if (strcmp(encoding, "UTF-8") != 0 && !still(m))
        s->encoding = encoding;
    s->journal = "DELETE";
    if (strcmp(journal, "DELETE") != 0 && !still(m))
        s->journal = journal;
}

static void inline_parameters(struct shrinker *m, struct step *step)
{
    struct step old = *step;
    struct text sql = {0};
    for (const char *c = step->sql; *c != '\0'; c++) {
        if (*c == '?' && c[1] > '0' && c[1] <= '0' + MAX_PARAMS)
            text_add(&sql, "%s", step->params[*++c - '1']);
        else
            text_add(&sql, "%c", *c);
    }
    step->sql = text_take(&sql);
    step->nparams = 0;
    if (still(m)) {
        free(old.sql);
        for (unsigned i = 0; i < old.nparams; i++)
            free(old.params[i]);
    } else {
        free(step->sql);
        *step = old;
    }
}

/* ---- words ------------------------------------------------------------------- */

static size_t word_end(const char *t, size_t i)
{
    char quote = t[i] == '[' ? ']' : t[i];
    if (strchr("'\"`[", t[i]) != NULL) {
        for (i++; t[i] != '\0'; i++)
            if (t[i] == quote && (quote == ']' || t[i + 1] != quote))
                return i + 1;
            else if (t[i] == quote)
                i++;
        return i;
    }
    if ((t[i] == 'x' || t[i] == 'X') && t[i + 1] == '\'')
        return word_end(t, i + 1);
    if (isalnum((unsigned char)t[i]) || t[i] == '_' || t[i] == '?' || t[i] < 0) {
        while (isalnum((unsigned char)t[i]) || t[i] < 0 ||
               (t[i] != '\0' && strchr("_.?", t[i]) != NULL))
            i++;
        return i;
    }
    return t[i + 1] != '\0' && strchr("=<>|", t[i + 1]) != NULL &&
                   strchr("=<>|!", t[i]) != NULL
               ? i + 2
               : i + 1;
}

static void split(const char *text, struct words *w)
{
    w->text = text;
    w->n = 0;
    for (size_t i = 0; text[i] != '\0' && w->n < MAX_WORDS;) {
        if (text[i] == ' ') {
            i++;
            continue;
        }
        w->at[w->n].from = i;
        i = w->at[w->n].to = word_end(text, i);
        w->gone[w->n++] = false;
    }
}

static bool word_is(const struct words *w, size_t i, const char *s)
{
    size_t n = strlen(s);
    return i < w->n && w->at[i].to - w->at[i].from == n &&
           memcmp(w->text + w->at[i].from, s, n) == 0;
}

/* The closing parenthesis of the opening one; n: there is none. */
static size_t closing(const struct words *w, size_t i)
{
    size_t depth = 0;
    for (; i < w->n; i++) {
        depth += word_is(w, i, "(");
        if (word_is(w, i, ")") && --depth == 0)
            return i;
    }
    return w->n;
}

/* What is left; instead, if not NULL, stands where word `at` was. */
static char *join(const struct words *w, size_t at, const char *instead)
{
    struct text out = {0};
    text_add(&out, "%s", "");
    for (size_t i = 0; i < w->n; i++) {
        if (instead != NULL && i == at)
            text_add(&out, " %s ", instead);
        if (w->gone[i])
            continue;
        bool space = i > 0 && w->at[i - 1].to < w->at[i].from && out.size > 0;
        text_add(&out, "%s%.*s", space ? " " : "", (int)(w->at[i].to - w->at[i].from),
                 w->text + w->at[i].from);
    }
    return text_take(&out);
}

/* Whether the text without the words that are gone will do; then it is split anew. */
static bool try_words(struct shrinker *m, char **text, struct words *w, size_t at,
                      const char *instead)
{
    char *old = *text;
    *text = join(w, at, instead);
    if (strcmp(old, *text) != 0 && still(m)) {
        free(old);
        split(*text, w);
        return true;
    }
    free(*text);
    *text = old;
    memset(w->gone, 0, sizeof(w->gone));
    return false;
}

static void drop_runs(struct shrinker *m, char **text, struct words *w)
{
    split(*text, w);
    for (size_t run = w->n / 2 + 1; run > 0; run /= 2) {
        for (size_t from = 0; from < w->n;) {
            for (size_t i = from; i < from + run && i < w->n; i++)
                w->gone[i] = true;
            if (!try_words(m, text, w, 0, NULL))
                from += run;
        }
    }
}

/* Each item of each list, with its comma, or before AND and OR; each group becomes a
 * value, or loses its parentheses and what stands before them. */
static void drop_groups(struct shrinker *m, char **text, struct words *w)
{
    static const char *const values[] = {"1", "NULL", "(SELECT 1)"};
    split(*text, w);
    for (size_t i = 0; i < w->n; i++) {
        bool kept = true;
        size_t end = closing(w, i);
        if (!word_is(w, i, "(") || end == w->n)
            continue;
        for (size_t v = 0; v < 3 && kept && end > i + 1; v++) {
            for (size_t k = i; k <= end; k++)
                w->gone[k] = true;
            kept = !try_words(m, text, w, i, values[v]);
        }
        for (size_t before = 0; before < 2 && kept && i > 0; before++) {
            w->gone[i] = w->gone[end] = true;
            w->gone[i - 1] = before == 0;
            kept = !try_words(m, text, w, 0, NULL);
        }
    }
}

static bool separates(const struct words *w, size_t i)
{
    return word_is(w, i, ",") || word_is(w, i, "AND") || word_is(w, i, "OR");
}

/* From a comma, AND or OR to the next one, or from what follows it. */
static void drop_items(struct shrinker *m, char **text, struct words *w)
{
    split(*text, w);
    for (size_t i = 0; i < w->n; i++) {
        if (!separates(w, i))
            continue;
        size_t end = i + 1, start = i;
        while (end < w->n && !separates(w, end) && !word_is(w, end, ")"))
            end = word_is(w, end, "(") ? closing(w, end) + 1 : end + 1;
        for (size_t k = i; k < end && k < w->n; k++)
            w->gone[k] = true;
        if (try_words(m, text, w, 0, NULL)) {
            i--;
            continue;
        }
        while (start > 0 && !separates(w, start - 1) && !word_is(w, start - 1, "("))
            start--;
        for (size_t k = start; k <= i; k++)
            w->gone[k] = true;
        if (try_words(m, text, w, 0, NULL))
            i = start > 0 ? start - 1 : 0;
    }
}

/* Mark item `item` of the group that opens at i; false: there is none, or no other. */
static bool mark_item(struct words *w, size_t i, size_t item)
{
    size_t end = closing(w, i), at = 0, n = 1;
    for (size_t k = i + 1; k < end; k++) {
        if (word_is(w, k, "("))
            k = closing(w, k);
        n += word_is(w, k, ",");
    }
    if (end >= w->n || n < 2 || item >= n)
        return false;
    for (size_t k = i + 1; k < end; k++) {
        size_t to = word_is(w, k, "(") ? closing(w, k) : k;
        bool comma = word_is(w, k, ",");
        at += comma;
        /* The comma before it; of the first item the one behind it. */
        bool mine = item == 0 ? at == 0 || (comma && at == 1) : at == item;
        for (; k < to; k++)
            w->gone[k] = w->gone[k] || mine;
        w->gone[k] = w->gone[k] || mine;
    }
    return true;
}

/* INSERT INTO t(a, b) VALUES (1, 2), ...: a column and what it gets. */
static void drop_inserted(struct shrinker *m, char **text, struct words *w)
{
    split(*text, w);
    for (size_t item = 0; item < 12; item++) {
        size_t i = 0, groups = 0;
        while (i < w->n && !word_is(w, i, "("))
            i++;
        bool ok = i < w->n && word_is(w, closing(w, i) + 1, "VALUES");
        for (; ok && i < w->n; i = closing(w, i) + 1) {
            while (i < w->n && !word_is(w, i, "("))
                i++;
            if (i < w->n) {
                ok = mark_item(w, i, item);
                groups++;
            }
        }
        if (ok && groups > 1) {
            if (try_words(m, text, w, 0, NULL))
                item--;
        } else {
            memset(w->gone, 0, sizeof(w->gone));
        }
    }
}

static void shrink_text(struct shrinker *m, char **text, struct words *w)
{
    if (*text == NULL)
        return;
    drop_runs(m, text, w);
    drop_inserted(m, text, w);
    drop_items(m, text, w);
    drop_groups(m, text, w);
}

/* ---- all together -------------------------------------------------------------- */

static void shrink_step(struct shrinker *m, struct step *step, struct words *w)
{
    unsigned check = step->check;
    step->check = 0;
    if (check != 0 && !still(m))
        step->check = check;
    unsigned connection = step->connection;
    step->connection = 0;
    if (connection != 0 && !still(m))
        step->connection = connection;
    try_flag(m, &step->kept, false);
    if (step->silent || step->kind == STEP_ORDINARY) /* what belongs together */
        return;
    if (step->nparams > 0)
        inline_parameters(m, step);
    shrink_text(m, &step->body, w);
    shrink_text(m, step->body != NULL ? &step->ours : &step->sql, w);
}

void minimise(const struct options *o, struct script *s, struct finding *f)
{
    struct shrinker m = {.o = o, .s = s, .f = f, .until = time(NULL) + SECONDS};
    struct words *w = calloc(1, sizeof(*w));
    if (w == NULL)
        die("calloc");
    do {
        m.progress = false;
        drop_steps(&m);
        drop_idle(&m);
        simpler_databases(&m);
        for (size_t i = 0; i <= f->step && i < s->nsteps; i++)
            if (!s->steps[i].dropped)
                shrink_step(&m, &s->steps[i], w);
    } while (m.progress && in_time(&m));
    free(w);
}
