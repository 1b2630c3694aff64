/* SPDX-License-Identifier: Apache-2.0
 *
 * commands -- the SQL function seerdb('t', 'command', ...).
 *
 * It is DIRECTONLY: no trigger and no view of a hostile schema can run it. */
#ifndef SVT_COMMANDS_H
#define SVT_COMMANDS_H

#include "table.h"

/* For sqlite3_create_function; its user data is the struct svt_conn. */
void svt_command(sqlite3_context *ctx, int argc, sqlite3_value **argv);

#endif
