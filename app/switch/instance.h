/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef INSTANCE_H
#define INSTANCE_H

/**
 * @file
 * What an instance of a DPDK primary leaves in the file system: its runtime folder and its
 * hugepage files. Used to see whether one lives, and to clean up after a dead one or ourselves.
 */

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hugepages.h"

/** A process that still maps hugepages of an instance that is gone. */
struct instance_orphan {
	pid_t pid;
	char comm[32];	/**< its name */
	uint64_t bytes; /**< hugepages that it keeps */
};

/** DPDK's runtime folder of a file prefix. Returns 0 or -ENAMETOOLONG. */
int instance_runtime_dir(const char *prefix, char *buf, size_t sz);

/**
 * The DPDK primary that lives under a file prefix.
 *
 * @return
 *   Its pid, 0 if there is none, -1 if there is one whose pid is not visible from here (another pid
 * namespace).
 */
pid_t instance_live_pid(const char *prefix);

/** The process that listens on a Unix socket, 0 if nobody does, -1 if it cannot be seen. */
pid_t instance_socket_pid(const char *path);

/**
 * Remove the runtime folder and the hugepage files of a prefix.
 *
 * @return
 *   Number of files removed; what cannot be removed is left.
 */
unsigned int instance_remove_files(const char *prefix, const struct huge_mounts *h);

/**
 * Processes that map hugepage files of a prefix, removed ones included.
 *
 * @param out, max
 *   Receives up to max.
 * @return
 *   Number found, at most max.
 */
unsigned int instance_orphans(const char *prefix, const struct huge_mounts *h,
	struct instance_orphan *out, unsigned int max);

#endif /* INSTANCE_H */
