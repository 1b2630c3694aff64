/* SPDX-License-Identifier: Apache-2.0
 *
 * cuts_check -- what is found on the disk of cuts.c, against what may be there.  What
 * is wrong is noted in the rig. */
#ifndef CUTS_CHECK_H
#define CUTS_CHECK_H

#include "cuts_rig.h"

/* What connection c sees.  *why as of model_read. */
int read_state(struct rig *g, int c, struct state *out, char **why);

/* Are databases [from, to) as of state k, in all parts? */
bool matches(const struct rig *g, int k, const struct state *seen, int from, int to);

/* The number of the transaction that wrote it last to o1 or s1. */
uint32_t number_in(const struct state *s, int db, int table);

/* Each side is whole, and as new as it must be. */
enum outcome check_sides(struct rig *g, const struct state *seen);

/* Both sides are as of one transaction, or SQLite's log is told of each table that is
 * not, where the mode allows that. */
enum outcome check_agreements(struct rig *g, const struct state *seen);

/* PRAGMA integrity_check and seerdb(..., 'verify'). */
enum outcome check_damage(struct rig *g);

#endif
