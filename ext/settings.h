/* SPDX-License-Identifier: Apache-2.0
 *
 * settings -- options that were changed after CREATE VIRTUAL TABLE.
 *
 * The text of a declaration cannot change.  So a changed option is a row of the table's
 * shadow table: its id says which option (options.h, `setting`), its state is the text
 * NAME=VALUE.  Row 1 is the shadow row (shadow.h).  They come and go with SQLite's
 * transactions, move with the table, and go before what was declared.  An option of
 * the store stands in the rows of one table only of a database. */
#ifndef SVT_SETTINGS_H
#define SVT_SETTINGS_H

#include "args.h"
#include "shadow.h"

/* What there is to say about an option. */
struct svt_option_info {
    const char *name, *allowed, *standard, *meaning; /* static */
    int setting; /* the id of its row; 0: it cannot change */
    bool of_store;
    bool given, set; /* in the options asked about: declared; changed */
    char *value;     /* sqlite3_malloc'ed */
};

/* Option i of `options`; SQLITE_DONE: there is none behind the last; SQLITE_NOMEM.  One
 * that is not there yet is passed over: *i is where the next one begins. */
int svt_settings_describe(const struct svt_options *options, size_t *i,
                          struct svt_option_info *out);

/* *options, as declared, changed as the rows at the place say.  SQLITE_OK or a failure
 * with *message.  `path` stays whose it was. */
int svt_settings_read(const struct svt_place *at, struct svt_options *options,
                      char **message);

/* Are there rows at the place?  No shadow table, no rows. */
int svt_settings_exist(const struct svt_place *at, bool *any);

/* *option by its name, if it can change to this value: else SQLITE_ERROR with a
 * *message that says what is allowed.  *option becomes a static text. */
int svt_settings_check(const char *who, const char **option, const char *value,
                       int *setting, bool *of_store, char **message);

/* Write and remove the row of an option, within the transaction. */
int svt_settings_write(const struct svt_place *at, int setting, const char *option,
                       const char *value, char **message);
int svt_settings_forget(const struct svt_place *at, int setting, char **message);

/* Bits of svt_options.given and .set. */
unsigned svt_settings_bit(int setting);
enum { SVT_SETTING_MEMORY_LIMIT = 2, SVT_SETTING_SYNC = 3, SVT_SETTING_HISTORY = 4 };

#endif
