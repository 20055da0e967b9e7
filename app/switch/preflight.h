/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PREFLIGHT_H
#define PREFLIGHT_H

/**
 * @file
 * The checks before EAL: what would fail later, or fail with a message that helps nobody, is seen
 * here and said in one line that ends with the command that mends it.
 */

#include <stddef.h>
#include <stdint.h>

#include "eal_args.h"
#include "hugepages.h"

/** What the checks look at, and what they found. */
struct preflight {
	const struct eal_args *eal; /**< with prefix set */
	const char *socket;	    /**< control socket */
	const char *memif_socket;   /**< that for memif clients; NULL: none */
	uint64_t memory_mb;	    /**< to be there at start */
	struct huge_mounts mounts;  /**< out: empty with --no-huge */
};

/**
 * Check that the switch can start: nobody else under this prefix or socket, hugepages mounted,
 * permitted and enough. Files of a dead instance are removed, and live processes that
 * still hold memory of it are named on standard error.
 *
 * @param why
 *   @p sz bytes; receives one line on failure.
 * @return
 *   0, -EBUSY (somebody lives there), -ENOENT (hugetlbfs not mounted), -EACCES, -ENOMEM (too few
 * hugepages).
 */
int preflight_check(struct preflight *p, char *why, size_t sz);

/** Remove the files that EAL left behind. After rte_eal_cleanup(). */
void preflight_clean(const struct preflight *p);

/**
 * Number of pages to write into nr_hugepages so that @p missing more bytes are free.
 *
 * @param total
 *   Pages there are now.
 */
uint64_t preflight_pages_wanted(uint64_t total, uint64_t missing, uint64_t page_sz);

#endif /* PREFLIGHT_H */
