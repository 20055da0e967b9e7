/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NETMAP_PAGES_H
#define NETMAP_PAGES_H

/**
 * @file
 * Pages of regions. The kernel needs half a second to find a gigabyte of them, and a fifth to take
 * it back; so where it is much a thread of its own, `vale-pages`, does it. Control thread; never
 * waits.
 */

#include <stddef.h>

/** Start the thread. Without it all is done by the caller. Returns 0 or -errno. */
int nm_pages_start(void);
/** Let it end when it has done what it got; does not wait for it. */
void nm_pages_stop(void);

/** Have pages there before a worker meets them: a fault costs it what 1,000 frames do. Now, or
 * soon. The memory may be unmapped meanwhile. */
void nm_pages_populate(void *addr, size_t sz);

/** Close a file that nobody else may have open, of @p sz bytes. Now, or soon. */
void nm_pages_close(int fd, size_t sz);

#endif /* NETMAP_PAGES_H */
