/* SPDX-License-Identifier: Apache-2.0
 *
 * Dayan and Idreos, Dostoevsky (SIGMOD 2018): more runs per level make a record be
 * rewritten less often and be looked for in more places.  With A for what writing costs
 * and B for reading, A / K + B * K is least at K = sqrt(A / B) runs.  The picker has
 * few points of that curve, so that it is simpler to work out each than to round.
 *
 * Several runs at the bottom too, SEERDB_TIERED, is never chosen.  It was measured: it
 * has no bottom to come back to, and turning it into one run per level rewrote a tree
 * more than ten times, while programs that scan waited.  What it gains over
 * SEERDB_LAZY, which has a single run at the bottom, is a quarter of the cost of
 * loading, and nothing where rows are written again.
 *
 * Only triggers change: nothing is rewritten because of a change that would not be
 * rewritten under the new policy from its beginning.  That costs too, when data lies as
 * the old policy had it; so a change must promise MARGIN, TIMES in succession. */
#include "tree/adapt.h"

#include <math.h>

/* As the picker has them. */
#define RATIO   8.0
#define RUNS    4.0
#define TRIGGER 4.0

/* Nanoseconds, from adapt_bench: to rewrite a record, and what one more run adds to a
 * point lookup (a filter, mostly), to a seek (between 300 in memory and 3000 where its
 * block has to be read), and to each row that a scan merges. */
#define REWRITE 200.0
#define GET     30.0
#define SEEK    1000.0
#define ROW     10.0

#define CANDIDATES (SEERDB_LAZY + 1)
#define MARGIN     1.15
#define TIMES      2u
/* What promises that much is done at once. */
#define PLAIN 2.0

/* How often a record is rewritten after its flush, and in how many runs a reader looks,
 * on average, when `batches` batches are at the bottom. */
static void shape(enum seerdb_compaction policy, double batches, double *rewrites,
                  double *runs)
{
    double n = batches > 1 ? batches : 1;
    double level0 = TRIGGER / 2;
    if (policy == SEERDB_LEVELED) {
        /* Between level 0 and the bottom a level for each factor of RATIO that is left;
         * each batch rewrites what it overlaps of the next level: the rest of the
         * factor at the first, on average half of RATIO at the others. */
        double levels = floor(log(n) / log(RATIO));
        double first = n / pow(RATIO, levels);
        *rewrites = 1 + first + levels * (RATIO / 2 + 1);
        *runs = level0 + levels + 1;
        return;
    }
    double levels = ceil(log(n) / log(RUNS));
    *rewrites = levels > 1 ? levels : 1;
    *runs = level0 + levels * (RUNS / 2 - 0.5) + 1;
    if (policy == SEERDB_LAZY)
        /* The last merge, of RUNS runs that together are as large as the bottom or
         * smaller, rewrites the bottom too. */
        *rewrites += RUNS / 2;
    else
        *runs += RUNS / 2 - 0.5;
}

void sdb_adapt_costs(const struct sdb_load *load, double batches,
                     double cost[SDB_POLICIES])
{
    double n = load->writes + load->gets + load->seeks + load->rows;
    for (int p = 0; p < SDB_POLICIES; p++) {
        double rewrites, runs;
        shape((enum seerdb_compaction)p, batches, &rewrites, &runs);
        double reads = load->gets * GET + load->seeks * SEEK + load->rows * ROW;
        cost[p] = n > 0 ? (load->writes * REWRITE * rewrites + reads * runs) / n : 0;
    }
}

bool sdb_adapt(struct sdb_adapt *a, const struct sdb_load *since, double batches)
{
    enum seerdb_compaction best = a->now;
    a->load = (struct sdb_load){
        a->load.writes / 2 + since->writes, a->load.gets / 2 + since->gets,
        a->load.seeks / 2 + since->seeks, a->load.rows / 2 + since->rows};
    sdb_adapt_costs(&a->load, batches, a->cost);
    for (int p = 0; p < CANDIDATES; p++)
        if (a->cost[p] < a->cost[best])
            best = (enum seerdb_compaction)p;
    double gain = a->cost[best] > 0 ? a->cost[a->now] / a->cost[best] : 1;
    if (best == a->now || gain < MARGIN) {
        a->wish = a->now;
        a->times = 0;
        return false;
    }
    a->times = best == a->wish ? a->times + 1 : 1;
    a->wish = best;
    if (a->times < TIMES && gain < PLAIN)
        return false;
    a->now = best;
    a->times = 0;
    return true;
}
