/* SPDX-License-Identifier: Apache-2.0
 *
 * A fixed-point number as wide as all reals together.  Sums that are rounded on the way
 * depend on how their terms are grouped; this one is rounded once, when it is read. */
#include "exactsum.h"

#include <math.h>
#include <string.h>

#define ONE    1088 /* the bit of 1 */
#define LEAST  14   /* the bit of 2^-1074 */
#define DIGITS 53   /* of a real */

/* Add v, with ones above it if it is negative, at limb i. */
static void add_at(struct svt_sum *s, int i, const uint64_t *v, int n, bool negative)
{
    uint64_t carry = 0, fill = negative ? UINT64_MAX : 0;
    for (int k = 0; i < SVT_SUM_LIMBS; i++, k++) {
        uint64_t add = k < n ? v[k] : fill, sum;
        if (k >= n && add + carry == 0)
            return; /* nothing changes any more: 0 + 0, or all ones and a carry */
        uint64_t overflow = __builtin_add_overflow(s->limb[i], add, &sum);
        overflow |= __builtin_add_overflow(sum, carry, &s->limb[i]);
        carry = overflow;
    }
}

void svt_sum_add_integer(struct svt_sum *s, int64_t v)
{
    add_at(s, ONE / 64, (const uint64_t[1]){(uint64_t)v}, 1, v < 0);
}

void svt_sum_add_real(struct svt_sum *s, double v)
{
    int exponent;
    double m = ldexp(frexp(fabs(v), &exponent), DIGITS); /* an integer */
    uint64_t digits = (uint64_t)m;
    int bit = exponent - DIGITS + ONE;
    /* Of a subnormal the last digits are zeros that have no place. */
    if (bit < 0) {
        digits >>= -bit;
        bit = 0;
    }
    if (digits == 0)
        return;
    uint64_t low = digits << bit % 64;
    uint64_t high = bit % 64 == 0 ? 0 : digits >> (64 - bit % 64);
    if (v < 0) {
        low = ~low + 1;
        high = ~high + (low == 0);
    }
    add_at(s, bit / 64, (const uint64_t[2]){low, high}, 2, v < 0);
}

void svt_sum_add(struct svt_sum *s, const struct svt_sum *v)
{
    add_at(s, 0, v->limb, SVT_SUM_LIMBS, false);
}

bool svt_sum_is_integer(const struct svt_sum *s, int64_t *out)
{
    int64_t v = (int64_t)s->limb[ONE / 64];
    uint64_t fill = v < 0 ? UINT64_MAX : 0;
    for (int i = 0; i < SVT_SUM_LIMBS; i++) {
        if (i != ONE / 64 && s->limb[i] != (i > ONE / 64 ? fill : 0))
            return false;
    }
    *out = v;
    return true;
}

static bool bit_is_set(const struct svt_sum *s, int bit)
{
    return s->limb[bit / 64] >> bit % 64 & 1;
}

static bool any_below(const struct svt_sum *s, int bit)
{
    for (int i = 0; i < bit / 64; i++) {
        if (s->limb[i] != 0)
            return true;
    }
    return (s->limb[bit / 64] & (((uint64_t)1 << bit % 64) - 1)) != 0;
}

double svt_sum_to_real(const struct svt_sum *s)
{
    struct svt_sum m = {{0}};
    bool negative = s->limb[SVT_SUM_LIMBS - 1] >> 63;
    uint64_t carry = negative;
    for (int i = 0; i < SVT_SUM_LIMBS; i++) {
        m.limb[i] = (negative ? ~s->limb[i] : s->limb[i]) + carry;
        carry = carry && m.limb[i] == 0;
    }
    int top = SVT_SUM_LIMBS - 1;
    while (top >= 0 && m.limb[top] == 0)
        top--;
    if (top < 0)
        return 0;
    int highest = top * 64 + 63 - __builtin_clzll(m.limb[top]);
    int lowest = highest - DIGITS + 1;
    if (lowest < LEAST)
        lowest = LEAST;
    uint64_t digits = 0;
    for (int bit = highest; bit >= lowest; bit--)
        digits = digits << 1 | bit_is_set(&m, bit);
    if (bit_is_set(&m, lowest - 1) && (digits % 2 == 1 || any_below(&m, lowest - 1)))
        digits++;
    double v = ldexp((double)digits, lowest - ONE);
    return negative ? -v : v;
}

static uint8_t byte_of(const struct svt_sum *s, size_t i)
{
    return (uint8_t)(s->limb[i / 8] >> 8 * (i % 8));
}

void svt_sum_encode(const struct svt_sum *s, uint8_t *out, size_t *first, size_t *n)
{
    size_t from = 0, to = SVT_SUM_BYTES;
    while (from < to && byte_of(s, from) == 0)
        from++;
    while (to > from + 1 &&
           byte_of(s, to - 1) == (byte_of(s, to - 2) >= 0x80 ? 0xff : 0))
        to--;
    *first = from < to ? from : 0;
    *n = to - from;
    for (size_t i = from; i < to; i++)
        out[i - from] = byte_of(s, i);
}

bool svt_sum_decode(struct svt_sum *s, const uint8_t *p, size_t first, size_t n)
{
    uint8_t fill = n > 0 && p[n - 1] >= 0x80 ? 0xff : 0;
    if (first > SVT_SUM_BYTES || n > SVT_SUM_BYTES - first)
        return false;
    memset(s, 0, sizeof *s);
    for (size_t i = first; i < SVT_SUM_BYTES; i++) {
        uint64_t byte = i - first < n ? p[i - first] : fill;
        s->limb[i / 8] |= byte << 8 * (i % 8);
    }
    return (s->limb[0] & (((uint64_t)1 << LEAST) - 1)) == 0;
}
