/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_GEN_HIST_H
#define VALE_GEN_HIST_H

/*
 * A histogram of times in nanoseconds with buckets that grow with the value: any percentile is
 * told within 1/64 of itself (1.6 %), minimum and maximum are exact.
 */

#include <stdint.h>

#define HIST_SUB_BITS 6 /* buckets in each power of two */
#define HIST_BUCKETS ((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t nb, sum, min, max;
	uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t ns);

/*
 * The smallest value that at least part per million of all values do not exceed, rounded up to the
 * end of its bucket. 0 if there are none.
 */
uint64_t hist_percentile(const struct hist *h, uint32_t ppm);

#endif /* VALE_GEN_HIST_H */
