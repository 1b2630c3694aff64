/* SPDX-License-Identifier: Apache-2.0 */
#include "db/encode.h"

#include "db/payload.h"
#include "db/spill.h"

/* Room for a slot per part. */
static int reserve_slots(seerdb_batch *b, seerdb_err *err)
{
    size_t n = b->scratch->nparts;
    if (n <= b->slots_capacity)
        return 0;
    struct sdb_batch_slot *slots = sdb_array_grow(b->slots, n, sizeof *slots);
    if (slots == NULL)
        return sdb_fail_nomem(err, n * sizeof *slots);
    b->slots = slots;
    b->slots_capacity = n;
    return 0;
}

/* The part is its tables; what of it is in memory joins them.  Where they must be
 * merged the batch keeps them as they are: marks still tell them apart. */
static int encode_spilled(seerdb_batch *b, struct sdb_batch_part *part, seerdb_err *err)
{
    struct sdb_version *runs = NULL;
    int rc = sdb_batch_spill_part(b, part, err);
    bool merge = rc == 0 && (sdb_spill_must_merge(part->runs) ||
                             (part->merges && part->runs->nruns > 1));
    if (rc == 0 && !merge)
        runs = sdb_version_ref(part->runs);
    else if (rc == 0)
        rc = sdb_spill_merge(part->tree, part->runs, &b->merging, &runs, err);
    if (rc != 0)
        return rc;
    size_t n = runs->nmembers;
    uint64_t *files = sdb_array_new(n, sizeof *files);
    if (files == NULL) {
        sdb_version_unref(runs);
        return sdb_fail_nomem(err, n * sizeof *files);
    }
    for (size_t i = 0; i < n; i++)
        files[i] = runs->members[i]->desc.file;
    b->slots[b->nslots++] = (struct sdb_batch_slot){
        .tree = part->tree,
        .prev = sdb_payload_spilled_part(&b->payload, part->tree->desc.id, files, n),
        .runs = runs};
    sdb_payload_end_part(&b->payload);
    sdb_mem_free(files);
    return sdb_buf_check(&b->payload, err);
}

static int encode_record(seerdb_batch *b, const struct sdb_record *r, seerdb_err *err)
{
    sdb_payload_record(&b->payload, r);
    b->nrecords++;
    if (b->payload.size <= SEERDB_COMMIT_MAX)
        return 0;
    return sdb_fail(err, SEERDB_TOOBIG,
                    "a transaction of more than %" PRIu64 " bytes does not fit in the "
                    "log; commit in smaller pieces",
                    SEERDB_COMMIT_MAX);
}

static int encode_ranges(seerdb_batch *b, const struct sdb_ranges *ranges,
                         seerdb_err *err)
{
    struct sdb_range r;
    int rc = 0;
    for (size_t i = 0; i < sdb_ranges_fragments(ranges) && rc == 0;) {
        i = sdb_spill_joined(ranges, i, &r);
        rc = encode_record(b,
                           &(struct sdb_record){
                               .key = r.start, .kind = SDB_KIND_RANGE, .value = r.end},
                           err);
    }
    return rc;
}

/* The head of a part that has not spilled: with the files that its memtable holds. */
static int begin_part(seerdb_batch *b, struct sdb_batch_part *part, seerdb_err *err)
{
    size_t n;
    const struct sdb_kept *kept = sdb_memtable_kept(part->memtable, &n);
    uint64_t *files = n > 0 ? sdb_array_new(n, sizeof *files) : NULL;
    if (n > 0 && files == NULL)
        return sdb_fail_nomem(err, n * sizeof *files);
    for (size_t i = 0; i < n; i++)
        files[i] = kept[i].name;
    b->slots[b->nslots++] = (struct sdb_batch_slot){
        .tree = part->tree,
        .prev = sdb_payload_part(&b->payload, part->tree->desc.id, files, n)};
    b->nvlogs += n;
    sdb_mem_free(files);
    return 0;
}

/* All that the part names in the value log is with the system, before anything says so.
 */
static int settle_values(const struct sdb_batch_part *part, seerdb_err *err)
{
    struct sdb_values *vs = part->tree->db->values;
    size_t n;
    int rc = 0;
    const struct sdb_kept *kept = sdb_memtable_kept(part->memtable, &n);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = sdb_values_settle(vs, kept[i].name, err);
    for (size_t i = 0; part->runs != NULL && i < part->runs->nmembers && rc == 0; i++) {
        const struct sdb_table_desc *d = &part->runs->members[i]->desc;
        for (size_t k = 0; k < d->nvlogs && rc == 0; k++)
            rc = sdb_values_settle(vs, d->vlogs[k].file, err);
    }
    return rc;
}

/* The part is the merges that wait, and nothing else. */
static int encode_merges(seerdb_batch *b, struct sdb_batch_part *part, seerdb_err *err)
{
    struct sdb_record r = {.kind = SDB_KIND_MERGE};
    int rc = begin_part(b, part, err);
    sdb_mergeset_sort(&b->merges);
    for (size_t i = 0; i < b->merges.n && rc == 0; i++) {
        const struct sdb_mergeset_entry *e = sdb_mergeset_at(&b->merges, i);
        sdb_buf_clear(&b->operand);
        sdb_operands_put_only(&b->operand, 0, sdb_mergeset_operand(e));
        r.key = sdb_mergeset_key(e);
        r.value = sdb_buf_slice(&b->operand);
        if ((rc = sdb_buf_check(&b->operand, err)) == 0)
            rc = encode_record(b, &r, err);
    }
    b->nmerges += b->merges.n;
    sdb_payload_end_part(&b->payload);
    return rc != 0 ? rc : sdb_buf_check(&b->payload, err);
}

static int encode_part(seerdb_batch *b, struct sdb_batch_part *part, seerdb_err *err)
{
    struct sdb_iter *it = NULL;
    struct sdb_ranges *ranges = NULL;
    struct sdb_record merged;
    const struct sdb_spill all = {
        .memtable = part->memtable, .hidden = &b->scratch->hidden, .to = UINT64_MAX};
    bool waiting = b->merges.n > 0 && b->merged == part->tree;
    int rc = settle_values(part, err);
    if (rc != 0)
        return rc;
    if (waiting && !sdb_batch_has_tables(b, part) &&
        sdb_memtable_records(part->memtable) == 0 &&
        !sdb_memtable_has_ranges(part->memtable))
        return encode_merges(b, part, err);
    if (waiting && (rc = sdb_batch_settle(b, err)) != 0)
        return rc;
    if (sdb_batch_has_tables(b, part))
        return encode_spilled(b, part, err);
    rc = sdb_spill_ranges(&all, &ranges, err);
    if (rc == 0)
        rc = sdb_memtable_iter(part->memtable, UINT64_MAX, all.hidden, 0, &it, err);
    if (rc != 0)
        goto out;
    if ((rc = begin_part(b, part, err)) != 0)
        goto out;
    if ((rc = encode_ranges(b, ranges, err)) != 0)
        goto out;
    it->chains = true;
    const struct sdb_gather_commit gather = {.op = sdb_tree_merge(part->tree),
                                             .merging = &b->merging,
                                             .ranges = ranges,
                                             .resolve = sdb_values_resolve,
                                             .resolve_ctx = b->db->values,
                                             .stays = true};
    for (rc = it->ops->first(it, err); rc == 0; rc = it->ops->next(it, err)) {
        const struct sdb_record *r = &it->at;
        if (ranges != NULL &&
            sdb_ranges_cover(ranges, r->key, UINT64_MAX, NULL) >= r->number)
            continue;
        if (SDB_RARELY(r->kind == SDB_KIND_MERGE)) {
            merged = *r;
            if ((rc = sdb_gather_commit(&gather, it, &merged, err)) != 0)
                break;
            b->nmerges += merged.kind == SDB_KIND_MERGE;
            r = &merged;
        }
        if ((rc = encode_record(b, r, err)) != 0)
            break;
    }
    sdb_payload_end_part(&b->payload);
    rc = rc == SEERDB_NOTFOUND ? sdb_buf_check(&b->payload, err) : rc;
out:
    sdb_iter_close(it);
    sdb_ranges_unref(ranges);
    return rc;
}

int sdb_batch_encode(seerdb_batch *b, seerdb_err *err)
{
    size_t live = 0;
    int rc;
    sdb_batch_drop_slots(b);
    b->nrecords = b->nmerges = b->nvlogs = 0;
    if (b->scratch == NULL)
        return 0;
    /* A part whose writes were all rolled back is left out. */
    for (size_t i = 0; i < b->scratch->nparts; i++)
        live += sdb_batch_part_is_empty(b, &b->scratch->parts[i]) ? 0 : 1;
    if (live == 0)
        return 0;
    if ((rc = reserve_slots(b, err)) != 0)
        return rc;
    sdb_buf_clear(&b->payload);
    sdb_payload_begin(&b->payload, live);
    for (size_t i = 0; i < b->scratch->nparts && rc == 0; i++)
        if (!sdb_batch_part_is_empty(b, &b->scratch->parts[i]))
            rc = encode_part(b, &b->scratch->parts[i], err);
    if (rc == 0 &&
        b->nslots != live) /* for want of memory sdb_batch_part_is_empty guessed */
        rc = sdb_fail_nomem(err, 0);
    return rc;
}
