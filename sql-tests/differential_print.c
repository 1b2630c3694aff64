/* SPDX-License-Identifier: Apache-2.0 */
#include "differential.h"

#include <string.h>

/* With --plain the script is one for ordinary tables. */
static void print_step(const struct options *o, const struct step *step)
{
    char *text = step->sql != NULL ? step_text(o, step, !o->plain) : NULL;
    char *ordinary = step->sql != NULL ? step_text(o, step, false) : NULL;
    if (step->connection == 1)
        printf(".connection 1\n");
    for (unsigned i = 0; i < step->nparams; i++)
        printf(".parameter set ?%u \"%s\"\n", i + 1, step->params[i]);
    switch (step->kind) {
    case STEP_REOPEN:
        printf(".open seerdb.db\n%s", o->plain ? "" : ".load ./seerdb\n");
        break;
    case STEP_OPEN:
        printf("-- the shell cannot step statements by turns: %u is %s\n%s;\n",
               step->slot, text, text);
        break;
    case STEP_FETCH:
        printf("-- %u rows of %u\n", step->count, step->slot);
        break;
    case STEP_CLOSE:
        printf("-- end of %u\n", step->slot);
        break;
    case STEP_COMMAND:
        if (!o->plain)
            printf("%s;\n", text);
        break;
    case STEP_ORDINARY:
        printf(o->plain ? "%s;\n" : "-- ordinary: %s;\n", text);
        break;
    case STEP_SQL:
        printf("%s;\n", text);
        if (strcmp(text, ordinary) != 0)
            printf("-- ordinary: %s;\n", ordinary);
        break;
    }
    if (step->connection == 1)
        printf(".connection 0\n");
    if (step->nparams > 0)
        printf(".parameter clear\n");
    free(text);
    free(ordinary);
}

static void print_open(const struct options *o, const struct script *s)
{
    printf(".open %s\n", s->in_memory ? ":memory:" : "seerdb.db");
    if (!o->plain)
        printf(".load ./seerdb\n");
    if (o->utf16 && strcmp(s->encoding, "UTF-8") != 0)
        printf("PRAGMA encoding = '%s';\n", s->encoding);
    if (s->page_size != 4096)
        printf("PRAGMA page_size = %u;\n", s->page_size);
    if (s->attached)
        printf("ATTACH '%s' AS aux;\n", s->in_memory ? ":memory:" : "seerdb-aux.db");
    if (!s->in_memory && strcmp(s->journal, "DELETE") != 0)
        printf("PRAGMA journal_mode = %s;\n", s->journal);
}

void print_script(const struct options *o, const struct script *s, size_t last,
                  enum difference what)
{
    bool second = false;
    for (size_t i = 0; i <= last && i < s->nsteps; i++)
        second = second || (s->steps[i].connection == 1 && !s->steps[i].dropped);
    printf(".mode quote\n"); /* types show */
    print_open(o, s);
    if (second) {
        printf(".connection 1\n");
        print_open(o, s);
        printf(".connection 0\n");
    }
    for (size_t i = 0; i <= last && i < s->nsteps; i++)
        if (!s->steps[i].dropped)
            print_step(o, &s->steps[i]);
    for (unsigned i = 0; i <= MAX_TABLES && last < s->nsteps; i++)
        if ((s->steps[last].check >> i & 1) != 0)
            printf("SELECT %s* FROM %s;\n",
                   s->tables[i].shape == SHAPE_ROWID ? "rowid, " : "",
                   s->tables[i].name);
    if (what == DIFFERENT_STATE) /* BEGIN fails inside a transaction */
        printf("SELECT changes(), total_changes(), last_insert_rowid();\nBEGIN;\n");
}
