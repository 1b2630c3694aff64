/* SPDX-License-Identifier: Apache-2.0
 *
 * The wide variants are the compiler's vector types with a target for each function, so
 * the library itself is built for any processor.  They load columns as the machine's
 * own integers and are only chosen where those are little-endian.
 *
 * The line is that of the split block Bloom filter: eight words of 32 bits, one bit in
 * each, picked by multiplying with eight odd constants (see filter.c). */
#include "table/vec.h"

#include "base/coding.h"

#define WORDS 8u

static const uint32_t salts[WORDS] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu,
                                      0xa2b7289du, 0x705495c7u, 0x2df1424bu,
                                      0x9efc4947u, 0x5c6bfb31u};

/* ---- plain ---------------------------------------------------------------- */

static size_t count_plain(const uint8_t *p, size_t n, uint64_t value)
{
    size_t below = 0;
    for (size_t i = 0; i < n; i++)
        below += sdb_load_u64(p + 8 * i) < value;
    return below;
}

static size_t count32_plain(const uint8_t *p, size_t n, uint32_t value)
{
    size_t below = 0;
    for (size_t i = 0; i < n; i++)
        below += sdb_load_u32(p + 4 * i) < value;
    return below;
}

static void add_plain(uint8_t *line, uint32_t hash)
{
    for (size_t i = 0; i < WORDS; i++)
        sdb_store_u32(line + 4 * i, sdb_load_u32(line + 4 * i) |
                                        UINT32_C(1) << (hash * salts[i] >> 27));
}

static bool has_plain(const uint8_t *line, uint32_t hash)
{
    for (size_t i = 0; i < WORDS; i++)
        if ((sdb_load_u32(line + 4 * i) >> (hash * salts[i] >> 27) & 1) == 0)
            return false;
    return true;
}

/* ---- wide ----------------------------------------------------------------- */

#define AVX2   SDB_TARGET("avx2")
#define AVX512 SDB_TARGET("avx2,avx512f,avx512dq,avx512vl,avx512bw")

typedef uint64_t four __attribute__((vector_size(32)));
typedef uint64_t eight __attribute__((vector_size(64)));
typedef uint32_t words __attribute__((vector_size(32)));
typedef uint32_t sixteen __attribute__((vector_size(64)));

AVX2 static size_t count_avx2(const uint8_t *p, size_t n, uint64_t value)
{
    four v, sum = {0}, than = {value, value, value, value};
    size_t i = 0, below = 0;
    for (; i + 4 <= n; i += 4) {
        memcpy(&v, p + 8 * i, sizeof v);
        sum -= (four)(v < than); /* true is all ones: minus one */
    }
    for (; i < n; i++)
        below += sdb_load_u64(p + 8 * i) < value;
    return below + (size_t)(sum[0] + sum[1] + sum[2] + sum[3]);
}

AVX512 static size_t count_avx512(const uint8_t *p, size_t n, uint64_t value)
{
    eight v, sum = {0}, than = {value, value, value, value, value, value, value, value};
    size_t i = 0, below = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&v, p + 8 * i, sizeof v);
        sum -= (eight)(v < than);
    }
    for (; i < n; i++)
        below += sdb_load_u64(p + 8 * i) < value;
    return below + (size_t)(sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] +
                            sum[6] + sum[7]);
}

AVX2 static size_t count32_avx2(const uint8_t *p, size_t n, uint32_t value)
{
    words v, sum = {0}, than = {value, value, value, value, value, value, value, value};
    size_t i = 0, below = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&v, p + 4 * i, sizeof v);
        sum -= (words)(v < than);
    }
    for (; i < n; i++)
        below += sdb_load_u32(p + 4 * i) < value;
    for (size_t k = 0; k < WORDS; k++)
        below += sum[k];
    return below;
}

AVX512 static size_t count32_avx512(const uint8_t *p, size_t n, uint32_t value)
{
    sixteen v, sum = {0}, than = (sixteen){0} + value;
    size_t i = 0, below = 0;
    for (; i + 16 <= n; i += 16) {
        memcpy(&v, p + 4 * i, sizeof v);
        sum -= (sixteen)(v < than);
    }
    for (; i < n; i++)
        below += sdb_load_u32(p + 4 * i) < value;
    for (size_t k = 0; k < 16; k++)
        below += sum[k];
    return below;
}

AVX2 static void add_avx2(uint8_t *line, uint32_t hash)
{
    words v, salt, one = {1, 1, 1, 1, 1, 1, 1, 1};
    memcpy(&v, line, sizeof v);
    memcpy(&salt, salts, sizeof salt);
    v |= one << (salt * hash >> 27);
    memcpy(line, &v, sizeof v);
}

AVX2 static bool has_avx2(const uint8_t *line, uint32_t hash)
{
    words v, salt, one = {1, 1, 1, 1, 1, 1, 1, 1};
    memcpy(&v, line, sizeof v);
    memcpy(&salt, salts, sizeof salt);
    four missing = (four)(~v & one << (salt * hash >> 27));
    return (missing[0] | missing[1] | missing[2] | missing[3]) == 0;
}

/* ---- the descent ---------------------------------------------------------- */

/* One body; what `count` is, and for which target, differs. */
#define DESCEND(name, target, count)                                                   \
    target static size_t name(const uint8_t *const *levels, const size_t *sizes,       \
                              unsigned nlevels, uint64_t value)                        \
    {                                                                                  \
        size_t at = 0;                                                                 \
        for (unsigned i = 0; i < nlevels; i++) {                                       \
            size_t first = at * SDB_LANES, left = sizes[i] - first;                    \
            at = first + count(levels[i] + 8 * first,                                  \
                               left < SDB_LANES ? left : SDB_LANES, value);            \
        }                                                                              \
        return at;                                                                     \
    }

DESCEND(descend_plain, , count_plain)
DESCEND(descend_avx2, AVX2, count_avx2)
DESCEND(descend_avx512, AVX512, count_avx512)

static const struct sdb_vec plain = {"plain",       count_plain, count32_plain,
                                     descend_plain, add_plain,   has_plain};
static const struct sdb_vec avx2 = {"avx2",       count_avx2, count32_avx2,
                                    descend_avx2, add_avx2,   has_avx2};
static const struct sdb_vec avx512 = {"avx512",       count_avx512, count32_avx512,
                                      descend_avx512, add_avx2,     has_avx2};

const struct sdb_vec *sdb_vec = &plain;

const struct sdb_vec *sdb_vec_at(unsigned i)
{
    bool has2 = SDB_CPU_HAS("avx2"),
         has512 = has2 && SDB_CPU_HAS("avx512f") && SDB_CPU_HAS("avx512dq") &&
                  SDB_CPU_HAS("avx512vl") && SDB_CPU_HAS("avx512bw");
    const struct sdb_vec *all[] = {&plain, has2 ? &avx2 : NULL,
                                   has512 ? &avx512 : NULL};
    return i < sizeof all / sizeof *all ? all[i] : NULL;
}

/* Before main, and before a loaded library's first function can be called: nobody sees
 * it change. */
__attribute__((constructor)) static void choose(void)
{
    SDB_CPU_INIT();
    for (unsigned i = 0; sdb_vec_at(i) != NULL; i++)
        sdb_vec = sdb_vec_at(i);
}
