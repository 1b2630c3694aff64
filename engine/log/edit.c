/* SPDX-License-Identifier: Apache-2.0 */
#include "log/edit.h"

#include "base/coding.h"

#include <string.h>

/* A field is written in place: the tag, then the body, then the length is put between
 * the two.  begin_field returns where the body starts. */
static size_t begin_field(struct sdb_edit *e, enum sdb_edit_kind tag)
{
    sdb_put_varint(&e->bytes, (uint64_t)tag);
    return e->bytes.size;
}

static void end_field(struct sdb_edit *e, size_t start)
{
    if (e->bytes.failed)
        return;
    uint8_t length[SDB_VARINT_MAX];
    size_t body = e->bytes.size - start, n = sdb_store_varint(length, body);
    if (!sdb_buf_reserve(&e->bytes, n))
        return;
    memmove(e->bytes.data + start + n, e->bytes.data + start, body);
    memcpy(e->bytes.data + start, length, n);
    e->bytes.size += n;
}

/* A field whose body is n varints. */
static void put_varints(struct sdb_edit *e, enum sdb_edit_kind tag, const uint64_t *v,
                        size_t n)
{
    size_t start = begin_field(e, tag);
    for (size_t i = 0; i < n; i++)
        sdb_put_varint(&e->bytes, v[i]);
    end_field(e, start);
}

void sdb_edit_store(struct sdb_edit *e, const seerdb_uuid *id, uint64_t features)
{
    size_t start = begin_field(e, SDB_EDIT_STORE);
    sdb_buf_append(&e->bytes, id->bytes, sizeof id->bytes);
    sdb_put_u64(&e->bytes, features);
    end_field(e, start);
}

void sdb_edit_ceilings(struct sdb_edit *e, uint64_t number_ceiling,
                       uint64_t file_ceiling)
{
    put_varints(e, SDB_EDIT_CEILINGS, (uint64_t[]){number_ceiling, file_ceiling}, 2);
}

void sdb_edit_log_floor(struct sdb_edit *e, uint64_t file)
{
    put_varints(e, SDB_EDIT_LOG_FLOOR, &file, 1);
}

void sdb_edit_tree(struct sdb_edit *e, const struct sdb_tree_desc *t)
{
    struct sdb_buf *b = &e->bytes;
    size_t start = begin_field(e, SDB_EDIT_TREE);
    sdb_put_varint(b, t->id);
    sdb_buf_append(b, t->uuid.bytes, sizeof t->uuid.bytes);
    sdb_buf_append(b, t->owner.bytes, sizeof t->owner.bytes);
    sdb_put_varint(b, t->created);
    sdb_put_u64(b, t->features);
    sdb_put_varint(b, t->key_format);
    sdb_put_varint(b, t->value_format);
    sdb_put_varint(b, t->compression);
    sdb_put_slice(b, sdb_buf_slice(&t->name));
    sdb_put_slice(b, sdb_buf_slice(&t->app));
    sdb_put_varint(b, t->filter_bits);
    sdb_put_varint(b, t->index);
    sdb_put_varint(b, t->compaction);
    if ((t->features & SDB_TREE_SEGMENTS) != 0)
        sdb_put_varint(b, t->value_log);
    end_field(e, start);
}

void sdb_edit_tree_merge(struct sdb_edit *e, uint64_t tree, seerdb_slice name)
{
    size_t start = begin_field(e, SDB_EDIT_TREE_MERGE);
    sdb_put_varint(&e->bytes, tree);
    sdb_put_slice(&e->bytes, name);
    end_field(e, start);
}

void sdb_edit_tree_values(struct sdb_edit *e, uint64_t tree, uint64_t size)
{
    put_varints(e, SDB_EDIT_TREE_VALUES, (uint64_t[]){tree, size}, 2);
}

void sdb_edit_tree_intent(struct sdb_edit *e, uint64_t tree)
{
    put_varints(e, SDB_EDIT_TREE_INTENT, &tree, 1);
}

void sdb_edit_tree_drop(struct sdb_edit *e, uint64_t tree)
{
    put_varints(e, SDB_EDIT_TREE_DROP, &tree, 1);
}

void sdb_edit_tree_numbers(struct sdb_edit *e, uint64_t tree, uint64_t flushed,
                           uint64_t last_commit, uint64_t fold_floor)
{
    put_varints(e, SDB_EDIT_TREE_NUMBERS,
                (uint64_t[]){tree, flushed, last_commit, fold_floor}, 4);
}

void sdb_edit_table_add(struct sdb_edit *e, uint64_t tree,
                        const struct sdb_table_desc *t)
{
    struct sdb_buf *b = &e->bytes;
    size_t start =
        begin_field(e, t->pending ? SDB_EDIT_TABLE_PENDING : SDB_EDIT_TABLE_ADD);
    sdb_put_varint(b, tree);
    sdb_put_varint(b, t->file);
    sdb_buf_append(b, t->id.bytes, sizeof t->id.bytes);
    const uint64_t numbers[] = {t->size,       t->level,     t->backend,
                                t->commit,     t->run,       t->records,
                                t->tombstones, t->key_bytes, t->value_bytes,
                                t->min_number, t->max_number};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sdb_put_varint(b, numbers[i]);
    sdb_put_slice(b, sdb_buf_slice(&t->smallest));
    sdb_put_slice(b, sdb_buf_slice(&t->largest));
    sdb_put_varint(b, t->nvlogs);
    for (size_t i = 0; i < t->nvlogs; i++) {
        sdb_put_varint(b, t->vlogs[i].file);
        sdb_put_varint(b, t->vlogs[i].bytes);
        sdb_put_varint(b, t->vlogs[i].values);
    }
    sdb_put_varint(b, t->superseded);
    sdb_put_varint(b, t->ranges);
    sdb_put_varint(b, t->open_end ? SDB_TABLE_OPEN_END : 0);
    end_field(e, start);
    if (t->first_expiry != 0)
        put_varints(e, SDB_EDIT_TABLE_EXPIRY,
                    (uint64_t[]){tree, t->file, t->first_expiry, t->expiry_due}, 4);
    if (t->first_expiry != 0 && t->last_expiry != 0)
        put_varints(e, SDB_EDIT_TABLE_LAST, (uint64_t[]){tree, t->file, t->last_expiry},
                    3);
    if (t->nheld == 0)
        return;
    start = begin_field(e, SDB_EDIT_TABLE_HELD);
    sdb_put_varint(b, tree);
    sdb_put_varint(b, t->file);
    sdb_held_encode(t->held, t->nheld, b);
    end_field(e, start);
}

void sdb_edit_table_remove(struct sdb_edit *e, uint64_t tree, uint64_t file)
{
    put_varints(e, SDB_EDIT_TABLE_REMOVE, (uint64_t[]){tree, file}, 2);
}

void sdb_edit_next_tree(struct sdb_edit *e, uint64_t id)
{
    put_varints(e, SDB_EDIT_NEXT_TREE, &id, 1);
}

void sdb_edit_tree_aside(struct sdb_edit *e, uint64_t tree,
                         const struct sdb_aside_desc *aside)
{
    put_varints(e, SDB_EDIT_TREE_ASIDE,
                (uint64_t[]){tree, aside->file, aside->size, aside->covered}, 4);
}

void sdb_edit_owner(struct sdb_edit *e, const struct sdb_owner_desc *o)
{
    struct sdb_buf *b = &e->bytes;
    size_t start = begin_field(e, SDB_EDIT_OWNER);
    sdb_buf_append(b, o->owner.bytes, sizeof o->owner.bytes);
    sdb_put_varint(b, o->device);
    sdb_put_varint(b, o->inode);
    sdb_put_varint(b, o->store_device);
    sdb_put_varint(b, o->store_inode);
    sdb_put_slice(b, sdb_buf_slice(&o->path));
    end_field(e, start);
}

void sdb_edit_snapshot_add(struct sdb_edit *e, uint64_t tree,
                           const struct sdb_snapshot *s)
{
    size_t start = begin_field(e, SDB_EDIT_SNAPSHOT_ADD);
    sdb_put_varint(&e->bytes, tree);
    sdb_snapshot_encode(s, &e->bytes);
    end_field(e, start);
}

void sdb_edit_snapshot_drop(struct sdb_edit *e, uint64_t tree, seerdb_slice name)
{
    size_t start = begin_field(e, SDB_EDIT_SNAPSHOT_DROP);
    sdb_put_varint(&e->bytes, tree);
    sdb_put_slice(&e->bytes, name);
    end_field(e, start);
}

static bool has_trees(const struct sdb_catalog *c, const seerdb_uuid *owner)
{
    for (size_t i = 0; i < c->ntrees; i++)
        if (memcmp(&c->trees[i].owner, owner, sizeof *owner) == 0)
            return true;
    return false;
}

void sdb_edit_snapshot(struct sdb_edit *e, const struct sdb_catalog *c)
{
    sdb_edit_store(e, &c->store, c->features);
    sdb_edit_ceilings(e, c->number_ceiling, c->file_ceiling);
    sdb_edit_log_floor(e, c->log_floor);
    for (size_t i = 0; i < c->ntrees; i++) {
        const struct sdb_tree_desc *t = &c->trees[i];
        sdb_edit_tree(e, t);
        if (t->merge.size > 0)
            sdb_edit_tree_merge(e, t->id, sdb_buf_slice(&t->merge));
        if (t->drop_intended)
            sdb_edit_tree_intent(e, t->id);
        sdb_edit_tree_numbers(e, t->id, t->flushed, t->last_commit, t->fold_floor);
        for (size_t k = 0; k < sdb_snapshots_count(t->snapshots); k++)
            sdb_edit_snapshot_add(e, t->id, &t->snapshots->all[k]);
        for (size_t k = 0; k < t->ntables; k++)
            sdb_edit_table_add(e, t->id, &t->tables[k]);
        if (t->aside.file != 0)
            sdb_edit_tree_aside(e, t->id, &t->aside);
    }
    for (size_t i = 0; i < c->nowners; i++)
        if (has_trees(c, &c->owners[i].owner))
            sdb_edit_owner(e, &c->owners[i]);
    sdb_edit_next_tree(e, c->next_tree);
}

void sdb_edit_fini(struct sdb_edit *e)
{
    if (e != NULL)
        sdb_buf_fini(&e->bytes);
}
