/* SPDX-License-Identifier: Apache-2.0
 *
 * expr -- a deterministic SQL expression over named inputs, evaluated on a private
 * connection in memory, never on the user's.
 *
 * Life: svt_expr_check at CREATE; svt_expr_new, eval (many), free.  An instance has a
 * connection of its own: one thread at a time, and dear to make, so those who need one
 * only now and then take it from a pool.  Any thread, unless svt_expr_threads says that
 * SQLite is for one thread alone. */
#ifndef SVT_EXPR_H
#define SVT_EXPR_H

#include "keycodec.h"
#include "value.h"

/* What the expression may name.  Affinity and collation are those of a column: they
 * decide how it compares. */
struct svt_expr_input {
    const char *name;
    enum svt_affinity affinity;
    enum svt_collation collation;
};

/* All of it is borrowed, and only for the call it is given to. */
struct svt_expr_spec {
    const char *text; /* UTF-8 */
    const struct svt_expr_input *inputs;
    int ninputs;
    enum svt_encoding encoding; /* of text values, both ways */
    enum svt_affinity affinity; /* applied to the result; 0: none */
    bool truth; /* the result is 1 if it is true, as WHERE has it, or 0 */
};

struct svt_expr;

/* Longer values, of inputs and of results on the way, fail with SQLITE_TOOBIG. */
#define SVT_EXPR_MAX_BYTES (16 << 20)

/* Whether the text is one expression over the inputs whose value depends on nothing
 * else: built-in functions that are deterministic, no subquery, aggregate, window,
 * parameter, clock.  used (NULL, or ninputs of them) tells which inputs it names.
 * SQLITE_OK; SQLITE_ERROR and others with *message (sqlite3_malloc'ed), which quotes
 * the text and gives SQLite's reason.  SQLITE_OK does not mean that it can be evaluated
 * for all values. */
int svt_expr_check(const struct svt_expr_spec *spec, bool *used, char **message);

/* As svt_expr_check; on success *out is the caller's. */
int svt_expr_new(const struct svt_expr_spec *spec, struct svt_expr **out,
                 char **message);
void svt_expr_free(struct svt_expr *e);

/* Whether input i is named. */
bool svt_expr_uses(const struct svt_expr *e, int i);

/* in: ninputs values; those that are not named are not looked at.  What out borrows is
 * valid until e is used again or freed, and in's bytes are needed as long.  A failure
 * (SQLITE_ERROR, SQLITE_TOOBIG, SQLITE_NOMEM) has a
 * message as above and leaves e usable. */
int svt_expr_eval(struct svt_expr *e, const struct svt_value *in, struct svt_value *out,
                  char **message);

/* Whether SQLite may be called in threads that SQLite does not know: it was neither
 * compiled nor configured for one thread. */
bool svt_expr_threads(void);

/* Instances of one expression, shared by threads.  The spec is copied. */
struct svt_expr_pool;
int svt_expr_pool_new(const struct svt_expr_spec *spec, struct svt_expr_pool **out,
                      char **message);
/* Requires: nothing is taken. */
void svt_expr_pool_free(struct svt_expr_pool *p);

/* An idle instance or a new one; goes back with give, which accepts NULL. */
int svt_expr_pool_take(struct svt_expr_pool *p, struct svt_expr **out, char **message);
void svt_expr_pool_give(struct svt_expr_pool *p, struct svt_expr *e);
bool svt_expr_pool_uses(const struct svt_expr_pool *p, int i);

#endif
