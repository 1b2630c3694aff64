/* SPDX-License-Identifier: Apache-2.0
 *
 * read -- iterators.
 *
 * An iterator is opened over a view (view.h), and a batch. */
#ifndef SDB_DB_READ_H
#define SDB_DB_READ_H

#include "db/view.h"

#endif
