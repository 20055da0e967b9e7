/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_CONNECTION_H
#define VNM_CONNECTION_H

/**
 * @file
 * Connections to the switch that stand for /dev/netmap. So that they are known wherever they go,
 * each is bound to a name of its own that begins with VNM_MARK in the abstract name space.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VNM_MARK "vale-netmap/"

/** Connect to the switch; flags as open(2): O_CLOEXEC and O_NONBLOCK count. Descriptor or -errno.
 * Not for signal handlers (getenv). */
int vnm_connection_open(int flags);

/** Is this such a connection, and to a switch that may be believed: one at this process's socket
 * path, of this user, or of root? */
bool vnm_connection_is(int fd);

/** A number that no other socket of this machine has; 0 if this is no socket. */
uint64_t vnm_connection_cookie(int fd);

/** The path of the switch's control socket: $VALE_SOCKET, else the default. 0 or -ENAMETOOLONG. */
int vnm_connection_path(char *path, size_t path_sz);

/**
 * Ask the switch something.
 *
 * @param req    a message; begins with struct vale_ctl_hdr, which is filled in here but for size
 * @param type   VALE_CTL_NM_*
 * @param reply  where the answer goes, reply_sz bytes, zeroed behind a shorter one
 * @param got_fd where a descriptor that came with it goes (-1: none), or NULL
 * @return 0 and an answer, whose error may be set; -ENXIO if the switch is gone, -EPROTO if it
 *         speaks otherwise, -EMFILE, -ENFILE, -ENOMEM
 *
 * Blocks until the answer is there. Any thread, several processes on one connection; signal
 * handlers.
 */
int vnm_connection_ask(int fd, void *req, uint32_t req_sz, unsigned int type, void *reply,
	size_t reply_sz, int *got_fd);

#endif /* VNM_CONNECTION_H */
