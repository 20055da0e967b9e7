/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_PROCESS_H
#define VALE_PROCESS_H

/**
 * @file
 * What /proc tells of other processes. Any thread; reads files.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** A process, so that it is not taken for another. */
struct vale_process_id {
	pid_t pid;	/**< as this process sees it */
	pid_t ns_pid;	/**< as it sees itself: another number in a PID namespace of its own */
	uint64_t start; /**< when it began, in clock ticks since boot; 0: unknown */
};

/** Tell who a process is; of one that has gone, its number at least. */
void vale_process_identify(pid_t pid, struct vale_process_id *id);

/**
 * Find the process that calls itself @p ns_pid and has a file mapped. It may live in a PID
 * namespace below ours.
 *
 * @param path
 *   Of the file, as this process sees it; the other may have it elsewhere.
 * @param skip
 *   Called with the number of each that would do; true: it is another one.
 * @return
 *   Its number here; 0: there is none, or it is out of sight. A process of our own namespace whose
 *   mappings may not be read is believed.
 */
pid_t vale_process_find(pid_t ns_pid, const char *path, bool (*skip)(pid_t pid));

/** Name of a process; "?" if it cannot be found out. */
void vale_process_comm(pid_t pid, char *buf, size_t sz);

/**
 * Whether a process other than this one has a file mapped. Looks at all that can be seen and read
 * from here: root sees all of its PID namespace and those below.
 *
 * @param path
 *   As the kernel names it: absolute, without symbolic links.
 */
bool vale_process_others_map(const char *path);

#endif /* VALE_PROCESS_H */
