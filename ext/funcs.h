/* SPDX-License-Identifier: Apache-2.0
 *
 * funcs -- the SQL functions: seerdb('t', 'command'), seerdb_version(), seerdb_debug(),
 * and the table-valued seerdb_stats, with the name of a table or without (all tables of
 * the connection).
 *
 * seerdb() is DIRECTONLY: no trigger and no view of a hostile schema can run it. */
#ifndef SVT_FUNCS_H
#define SVT_FUNCS_H

#include "table.h"

int svt_funcs_register(struct svt_conn *conn);

#endif
