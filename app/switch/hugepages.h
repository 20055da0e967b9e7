/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HUGEPAGES_H
#define HUGEPAGES_H

/**
 * @file
 * Hugepages as EAL will find them: where hugetlbfs is mounted, and how many pages are free.
 */

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/** Mounts looked at. */
#define HUGE_MOUNTS_MAX 16

/** A mounted hugetlbfs. */
struct huge_mount {
	char dir[PATH_MAX];
	uint64_t page_sz; /**< bytes */
	dev_t dev;
};

/** All of them. */
struct huge_mounts {
	unsigned int nb;
	struct huge_mount m[HUGE_MOUNTS_MAX];
};

/**
 * Find the mounted hugetlbfs that EAL would use.
 *
 * @param only
 *   --huge-dir: this folder alone. NULL: all.
 * @return
 *   Number found, or -errno if /proc/mounts cannot be read.
 */
int huge_mounts_find(const char *only, struct huge_mounts *h);

/** The page size of a hugetlbfs mounted without options, in bytes; 0 if the kernel has no
 * hugepages. */
uint64_t huge_default_page_sz(void);

/** Pages of a size that exist (0 if none can). */
uint64_t huge_total(uint64_t page_sz);

/** Pages of a size that are free and not promised to anybody. */
uint64_t huge_free(uint64_t page_sz);

#endif /* HUGEPAGES_H */
