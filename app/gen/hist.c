/* SPDX-License-Identifier: BSD-3-Clause */
#include "hist.h"

#define SUB (1u << HIST_SUB_BITS)

/* Values below SUB have a bucket of their own; above, the highest HIST_SUB_BITS + 1 bits choose. */
static unsigned int
bucket_of(uint64_t v)
{
	unsigned int shift;

	if (v < SUB)
		return (unsigned int)v;
	shift = 63u - (unsigned int)__builtin_clzll(v) - HIST_SUB_BITS;
	return (shift << HIST_SUB_BITS) + (unsigned int)(v >> shift);
}

/* The largest value of a bucket. */
static uint64_t
bucket_end(unsigned int b)
{
	unsigned int shift;

	if (b < SUB)
		return b;
	shift = (b >> HIST_SUB_BITS) - 1;
	return (((uint64_t)(b & (SUB - 1)) + SUB + 1) << shift) - 1;
}

void
hist_add(struct hist *h, uint64_t ns)
{
	if (h->nb == 0 || ns < h->min)
		h->min = ns;
	if (ns > h->max)
		h->max = ns;
	h->nb++;
	h->sum += ns;
	h->bucket[bucket_of(ns)]++;
}

uint64_t
hist_percentile(const struct hist *h, uint32_t ppm)
{
	/* rounded up, so that the 50th percentile of one value is that value */
	uint64_t want = (uint64_t)(((__uint128_t)h->nb * ppm + 999999) / 1000000), seen = 0;

	for (unsigned int b = 0; b < HIST_BUCKETS && h->nb > 0; b++) {
		seen += h->bucket[b];
		if (seen >= want && seen > 0)
			return bucket_end(b) < h->max ? bucket_end(b) : h->max;
	}
	return h->max;
}
