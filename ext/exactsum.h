/* SPDX-License-Identifier: Apache-2.0
 *
 * exactsum -- the exact sum of integers and reals, however many and in whatever order.
 *
 * Life: all zeros is the sum of nothing; add; ask.  Allocates nothing; any thread. */
#ifndef SVT_EXACTSUM_H
#define SVT_EXACTSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SVT_SUM_LIMBS 36
#define SVT_SUM_BYTES (SVT_SUM_LIMBS * 8)

/* Two's complement, lowest limb first, in units of 2^-1088: the least real is 2^-1074,
 * and above the greatest there is room for more than 2^100 of it. */
struct svt_sum {
    uint64_t limb[SVT_SUM_LIMBS];
};

void svt_sum_add_integer(struct svt_sum *s, int64_t v);
void svt_sum_add_real(struct svt_sum *s, double v); /* Requires: finite */
void svt_sum_add(struct svt_sum *s, const struct svt_sum *v);

/* Whether the sum is an integer of 64 bits; then that. */
bool svt_sum_is_integer(const struct svt_sum *s, int64_t *out);

/* The nearest real; of two the even one; an infinity where it is too large; no -0.0. */
double svt_sum_to_real(const struct svt_sum *s);

/* The bytes that are neither zeros below nor repeat the sign above: little-endian,
 * two's complement; n may be 0.  out has room for SVT_SUM_BYTES. */
void svt_sum_encode(const struct svt_sum *s, uint8_t *out, size_t *first, size_t *n);

/* False: no sum has such bytes. */
bool svt_sum_decode(struct svt_sum *s, const uint8_t *p, size_t first, size_t n);

#endif
