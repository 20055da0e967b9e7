/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_CONTROL_CLIENT_H
#define VALE_CONTROL_CLIENT_H

/**
 * @file
 * The client's side of the control protocol, for net_vale and vale-ctl. Needs no EAL.
 */

#include <stddef.h>
#include <stdint.h>

#include "vale_control_proto.h"

/**
 * The control socket of the switch with a given file prefix, as it is without --socket:
 * /run/vale/PREFIX.sock for root, $XDG_RUNTIME_DIR/vale/PREFIX.sock for others (/tmp/vale-UID
 * without XDG_RUNTIME_DIR).
 *
 * @param prefix
 *   DPDK's file prefix, `vale` by default.
 * @param path
 *   Receives the path.
 * @return
 *   0, or -ENAMETOOLONG (a socket's path is at most 107 bytes).
 */
int vale_ctl_default_socket(const char *prefix, char *path, size_t path_sz);

/**
 * Connect to a switch. The descriptor is close-on-exec and blocking.
 *
 * Blocks for at most five seconds. Thread-safe.
 *
 * @return
 *   Descriptor, or -ENOENT, -ECONNREFUSED (no switch there), -EACCES, -ENAMETOOLONG, -ETIMEDOUT (a
 * switch that does not accept), -EPROTOTYPE (a socket of another kind), ...
 */
int vale_ctl_connect(const char *path);

/** Fill in a header: magic, version, type, size, and a sequence number that is not 0. Thread-safe.
 */
void vale_ctl_hdr_init(struct vale_ctl_hdr *hdr, enum vale_ctl_type type, uint32_t size);

/**
 * Send a request and wait for its reply. NOTIFY messages that arrive first are skipped. SIGPIPE is
 * never raised. One call at a time on a connection; after a negative return the connection is of no
 * more use, since the reply may still come: close it.
 *
 * @param req
 *   Request, its header filled in by vale_ctl_hdr_init().
 * @param reply
 *   Receives the reply; begins with struct vale_ctl_reply.
 * @param reply_sz
 *   Bytes at @p reply. A successful reply of another size is -EPROTO; an error reply
 *   may be a bare struct vale_ctl_reply, the rest is zeroed.
 * @param fds, nb_fds
 *   *nb_fds is the room at @p fds, then the number received (close-on-exec; the caller owns them;
 * surplus ones are closed, as are all that come with an error). Both may be NULL.
 * @param timeout_ms
 *   -1 waits for ever.
 * @return
 *   0 if the switch answered (look at reply->error), or -ETIMEDOUT, -ECONNRESET (switch
 *   went away), -EPROTO (not our protocol or another version of it).
 */
int vale_ctl_call(int fd, const void *req, void *reply, size_t reply_sz, int *fds,
	unsigned int *nb_fds, int timeout_ms);

/** "EBUSY" for EBUSY; "E523" style text for a number without a name. Thread-local buffer. */
const char *vale_errno_name(int err);

#endif /* VALE_CONTROL_CLIENT_H */
