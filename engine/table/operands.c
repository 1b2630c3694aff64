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

bool sdb_operands_are_valid(seerdb_slice value, uint64_t number)
{
    struct sdb_operands o;
    seerdb_slice operand;
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
