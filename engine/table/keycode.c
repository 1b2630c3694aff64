/* SPDX-License-Identifier: Apache-2.0 */
#include "table/keycode.h"

#include <assert.h>

size_t sdb_common_prefix(seerdb_slice a, seerdb_slice b)
{
    const uint8_t *p = a.data, *q = b.data;
    size_t n = a.size < b.size ? a.size : b.size, i = 0;
    while (i < n && p[i] == q[i])
        i++;
    return i;
}

void sdb_coder_set(struct sdb_coder *c, seerdb_slice prefix)
{
    assert(prefix.size <= SDB_PREFIX_MAX);
    *c = (struct sdb_coder){.prefix_size = (uint8_t)prefix.size};
    if (prefix.size > 0)
        memcpy(c->prefix, prefix.data, prefix.size);
    c->head = sdb_window(c->prefix, prefix.size);
}

void sdb_coder_init(struct sdb_coder *c, seerdb_slice smallest, seerdb_slice largest)
{
    size_t n = sdb_common_prefix(smallest, largest);
    if (n > SDB_PREFIX_MAX)
        n = SDB_PREFIX_MAX;
    sdb_coder_set(c, (seerdb_slice){smallest.data, n});
}

bool sdb_coder_covers(const struct sdb_coder *c, seerdb_slice key)
{
    return key.size >= c->prefix_size &&
           (c->prefix_size == 0 || memcmp(key.data, c->prefix, c->prefix_size) == 0);
}

uint64_t sdb_code_slowly(const struct sdb_coder *c, seerdb_slice key)
{
    size_t p = c->prefix_size, n = key.size < p ? key.size : p;
    int order = n == 0 ? 0 : memcmp(key.data, c->prefix, n);
    if (order > 0)
        return UINT64_MAX;
    if (order < 0 || key.size < p)
        return 0;
    if (key.size == p)
        return 0;
    return sdb_window((const uint8_t *)key.data + p, key.size - p);
}
