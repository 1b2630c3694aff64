/* SPDX-License-Identifier: Apache-2.0 */
#include "table/operands.h"

bool sdb_operands_open(struct sdb_operands *o, seerdb_slice value)
{
    *o = (struct sdb_operands){.r = sdb_reader_init(value)};
    o->from = sdb_get_varint(&o->r);
    o->count = sdb_get_varint(&o->r);
    return !o->r.failed && o->count > 0;
}

bool sdb_operands_next(struct sdb_operands *o, seerdb_slice *operand)
{
    if (o->count == 0 || o->r.failed)
        return false;
    *operand = sdb_get_slice(&o->r);
    o->count--;
    return !o->r.failed;
}

bool sdb_operands_done(const struct sdb_operands *o)
{
    return o->count == 0 && sdb_reader_done(&o->r);
}

bool sdb_operands_look(seerdb_slice value, uint64_t *from, seerdb_slice *operand)
{
    struct sdb_reader r = sdb_reader_init(value);
    *from = sdb_get_varint(&r);
    uint64_t count = sdb_get_varint(&r), size = sdb_get_varint(&r);
    *operand = (seerdb_slice){r.p, sdb_reader_left(&r)};
    return !r.failed && count == 1 && size == operand->size;
}

bool sdb_operands_are_valid(seerdb_slice value, uint64_t number)
{
    struct sdb_operands o;
    seerdb_slice operand;
    uint64_t from;
    if (sdb_operands_only(value, &from, &operand)) /* as most are */
        return from <= number;
    if (!sdb_operands_open(&o, value) || o.from > number)
        return false;
    while (sdb_operands_next(&o, &operand))
        continue;
    return sdb_operands_done(&o);
}

void sdb_operands_put_head(struct sdb_buf *b, uint64_t from, uint64_t count)
{
    sdb_put_varint(b, from);
    sdb_put_varint(b, count);
}

void sdb_operands_put_only(struct sdb_buf *b, uint64_t from, seerdb_slice operand)
{
    if (!sdb_buf_reserve(b, 3 * SDB_VARINT_MAX + operand.size))
        return;
    uint8_t *p = b->data + b->size;
    p += sdb_store_varint(p, from);
    *p++ = 1;
    p += sdb_store_varint(p, operand.size);
    if (operand.size > 0)
        memcpy(p, operand.data, operand.size);
    b->size = (size_t)(p - b->data) + operand.size;
}
