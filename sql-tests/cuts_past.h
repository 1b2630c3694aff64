/* SPDX-License-Identifier: Apache-2.0
 *
 * cuts_past -- named snapshots under the cuts of cuts.c.  One whose taking was
 * acknowledged shows the rows of its moment, whatever happens, until it is dropped; one
 * that was being taken, or dropped, is there whole or not at all. */
#ifndef CUTS_PAST_H
#define CUTS_PAST_H

#include "cuts_rig.h"

/* Take, drop or read one, through connection 0, outside transactions.  What SQLite
 * answers, OK for BUSY, too; *outcome is not DONE if a snapshot is wrong. */
int pasts_change(struct rig *g, enum outcome *outcome);

/* Those that must be there are, and show what they must; no others are there.  What was
 * undecided is decided by what is found. */
enum outcome pasts_check(struct rig *g);

#endif
