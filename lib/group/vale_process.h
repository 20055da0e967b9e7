/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_PROCESS_H
#define VALE_PROCESS_H

/**
 * @file
 * What /proc tells of other processes. Any thread; reads files.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

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
