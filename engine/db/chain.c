/* SPDX-License-Identifier: Apache-2.0 */
#include "db/chain.h"

#include <string.h>

int sdb_chain_add(struct sdb_chain *c, uint64_t number, uint64_t prev, seerdb_err *err)
{
    if (c->n > 0 && c->links[c->n - 1].number >= number)
        return sdb_fail(err, SEERDB_CORRUPT,
                        "commit %" PRIu64 " of a marked tree follows commit %" PRIu64
                        " in the log",
                        number, c->links[c->n - 1].number);
    if (c->n == c->capacity) {
        size_t capacity = c->capacity * 2 + 8;
        struct sdb_link *links = sdb_array_grow(c->links, capacity, sizeof *links);
        if (links == NULL)
            return sdb_fail_nomem(err, capacity * sizeof *links);
        c->links = links;
        c->capacity = capacity;
    }
    c->links[c->n++] = (struct sdb_link){number, prev};
    return 0;
}

void sdb_chain_fini(struct sdb_chain *c)
{
    sdb_mem_free(c->links);
    *c = (struct sdb_chain){0};
}

/* Links with a number below `number`. */
static size_t count_below(const struct sdb_chain *c, uint64_t number)
{
    size_t lo = 0, hi = c->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->links[mid].number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Walks from the newest link down: what it passes without landing on is hidden.
 * `hidden` is filled from its end, then moved to its start. */
enum sdb_verdict sdb_chain_resolve(const struct sdb_chain *c,
                                   const struct sdb_chain_base *base, uint64_t marker,
                                   struct sdb_hidden_range *hidden, size_t *nhidden)
{
    enum sdb_verdict verdict = SDB_CHAIN_MATCH;
    uint64_t at = marker;
    size_t i = c->n, out = c->n;
    *nhidden = 0;
    if (marker < base->floor)
        return SDB_CHAIN_AHEAD;
    while (at > base->floor) {
        size_t below = count_below(c, at);
        bool found = below < c->n && c->links[below].number == at;
        if (!found && at != base->adopted && at != marker)
            return SDB_CHAIN_DIVERGED;
        if (!found && at != base->adopted)
            verdict = SDB_CHAIN_BEHIND;
        for (; i > below + (found ? 1 : 0); i--)
            hidden[--out] = (struct sdb_hidden_range){c->links[i - 1].number,
                                                      c->links[i - 1].number + 1};
        if (found) {
            at = c->links[--i].prev;
        } else { /* lost: what stands is the newest one below it */
            at = below > 0 ? c->links[below - 1].number : base->floor;
        }
        if (at < base->floor)
            return SDB_CHAIN_DIVERGED;
    }
    for (; i > 0 && c->links[i - 1].number > base->floor; i--)
        hidden[--out] = (struct sdb_hidden_range){c->links[i - 1].number,
                                                  c->links[i - 1].number + 1};
    *nhidden = c->n - out;
    if (*nhidden > 0)
        memmove(hidden, hidden + out, *nhidden * sizeof *hidden);
    return verdict;
}

void sdb_chain_keep(struct sdb_chain *c, const struct sdb_hidden_range *hidden,
                    size_t nhidden)
{
    size_t kept = 0, h = 0;
    for (size_t i = 0; i < c->n; i++) {
        while (h < nhidden && hidden[h].from < c->links[i].number)
            h++;
        if (h < nhidden && hidden[h].from == c->links[i].number)
            c->links[kept++] = c->links[i];
    }
    c->n = kept;
}

void sdb_chain_forget(struct sdb_chain *c, uint64_t number)
{
    size_t gone = count_below(c, number + 1);
    if (gone > 0)
        memmove(c->links, c->links + gone, (c->n - gone) * sizeof *c->links);
    c->n -= gone;
}
