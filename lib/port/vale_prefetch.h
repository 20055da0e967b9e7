/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_PREFETCH_H
#define VALE_PREFETCH_H

/**
 * @file
 * Fetching lines that will be written.
 */

#include <rte_prefetch.h>

/**
 * Fetch a line for writing: not only its bytes, but the right to change them. rte_prefetch0_write()
 * does that on x86 only where the compiler may assume PREFETCHW, which the x86-64 baseline does not
 * have: there it fetches for reading, and the store waits for the other core a second time. All
 * x86-64 CPUs know the instruction, as one that does nothing where they lack what it does.
 */
static inline void
vale_prefetch_write(const void *p)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const volatile char *)p));
#else
	rte_prefetch0_write(p);
#endif
}

#endif /* VALE_PREFETCH_H */
