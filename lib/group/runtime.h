/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GROUP_RUNTIME_H
#define GROUP_RUNTIME_H

/**
 * @file
 * Files in DPDK's runtime folder of the group. Private to lib/group. Any thread; makes system
 * calls.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** The path of a file there. Returns 0 or -ENAMETOOLONG. */
int runtime_path(const char *name, char *buf, size_t sz);
void runtime_remove(const char *name);
bool runtime_has(const char *name);
/** The process that a socket belongs to: `mp_socket_PID_COUNTER`. 0 if it is none of those. */
pid_t runtime_socket_pid(const char *name);
/** Whether nobody has a socket open any more. */
bool runtime_socket_is_dead(const char *name);
/** Remove the maps of memory segments that a secondary had for itself. @p ns_pid: as it called
 * itself. */
void runtime_remove_arrays(pid_t ns_pid);

#endif /* GROUP_RUNTIME_H */
