/* SPDX-License-Identifier: Apache-2.0
 *
 * surprise -- for the crash tests of this folder: at some named point (os/failpoint.h)
 * the power goes, a step fails, or threads meet in another order than usual. */
#ifndef SDB_DB_SURPRISE_H
#define SDB_DB_SURPRISE_H

#include "base/rand.h"
#include "os/failpoint.h"
#include "os/faultfs.h"

#include <errno.h>

/* From this point on nothing reaches the disk. */
static inline void surprise_power_off(void *ctx, enum sdb_failpoint at)
{
    (void)at;
    sdb_faultfs_arm(ctx, &(struct sdb_fault){.ops = SDB_FAULT_ALL & ~SDB_FAULT_READ,
                                             .times = UINT64_MAX,
                                             .error = EIO});
}

/* Arm one of them, chosen by r, or none.  With a power cut in mind, reads go on. */
static inline void surprise(struct sdb_fs *faults, struct sdb_rand *r)
{
    struct sdb_failpoint_plan p = {
        .all = sdb_rand_below(r, 2) == 0, .times = 1, .seed = sdb_rand_next(r)};
    p.at = (enum sdb_failpoint)sdb_rand_below(r, SDB_NFAILPOINTS);
    if (p.all)
        p.one_in = 1 + sdb_rand_below(r, 300);
    else
        p.after = sdb_rand_below(r, 4);
    switch (sdb_rand_below(r, 4)) {
    case 0:
        p.actions = SDB_FP_CALL;
        p.call = surprise_power_off;
        p.ctx = faults;
        break;
    case 1:
        p.actions = SDB_FP_ERROR;
        p.code = SEERDB_IOERR;
        break;
    case 2:
        p.actions = SDB_FP_DELAY;
        p.times = 0;
        p.one_in = 1 + sdb_rand_below(r, 30);
        break;
    default: /* none */
        break;
    }
    sdb_failpoint_arm(&p);
}

static inline void no_surprise(void)
{
    sdb_failpoint_arm(NULL);
}

#endif
