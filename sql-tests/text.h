/* SPDX-License-Identifier: Apache-2.0
 *
 * text -- growing text for the programs here; out of memory ends them. */
#ifndef SQLTEST_TEXT_H
#define SQLTEST_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* All zeros is empty; once something was added there is a final NUL. */
struct text {
    char *data;
    size_t size, capacity;
};

static inline void die(const char *what)
{
    perror(what);
    exit(2);
}

__attribute__((format(printf, 2, 3))) static inline void
text_add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        die("vsnprintf");
    if (t->size + (size_t)n + 1 > t->capacity) {
        t->capacity = 2 * (t->size + (size_t)n + 1);
        t->data = realloc(t->data, t->capacity);
        if (t->data == NULL)
            die("realloc");
    }
    va_start(args, format);
    vsnprintf(t->data + t->size, t->capacity - t->size, format, args);
    va_end(args);
    t->size += (size_t)n;
}

static inline void text_fini(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

/* The bytes, now the caller's; t is empty. */
static inline char *text_take(struct text *t)
{
    char *data = t->data;
    *t = (struct text){0};
    return data;
}

#endif
