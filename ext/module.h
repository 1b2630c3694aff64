/* SPDX-License-Identifier: Apache-2.0
 *
 * module -- the entry point, and what SQLite calls about whole tables: xCreate,
 * xConnect, xBestIndex, xDestroy, xRename.
 *
 * Loaded, the entry point answers SQLITE_OK_LOAD_PERMANENTLY: the engine's threads run
 * in this code, which must never be unmapped. */
#ifndef SVT_MODULE_H
#define SVT_MODULE_H

#include "sqlite.h"

#include "seerdb_sqlite.h"

#endif
