/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_LISTENER_H
#define VALE_LISTENER_H

/**
 * @file
 * A Unix socket (SOCK_SEQPACKET) that strangers connect to: who may, and what happens when there
 * are more of them than descriptors. Each listener belongs to one thread.
 */

#include <sys/types.h>

/** Who may connect, and where. */
struct vale_listener_conf {
	const char *path; /**< socket; its folder is made if it is missing */
	uid_t owner;	  /**< (uid_t)-1: unchanged */
	gid_t group;	  /**< (gid_t)-1: unchanged */
	mode_t mode;	  /**< 0: 0600 */
};

struct vale_listener;

/** The mode in force of a configuration. */
mode_t vale_listener_mode(const struct vale_listener_conf *conf);

/**
 * Listen on conf->path, whose folder is there. A socket that stands there is taken for stale: see
 * before that nobody listens on it. Owner and mode are in force from the first connection.
 *
 * @param what
 *   What a connection is called in the log, as "memif client"; kept, not copied.
 * @return
 *   NULL with rte_errno: ENAMETOOLONG, ENOMEM, or what the system calls say.
 */
struct vale_listener *vale_listener_create(const struct vale_listener_conf *conf, const char *what);

/** Close it and remove the socket. NULL is allowed. */
void vale_listener_free(struct vale_listener *l);

/** The descriptor to wait on; the listener's. */
int vale_listener_fd(const struct vale_listener *l);

/** The socket's path; the listener's. */
const char *vale_listener_path(const struct vale_listener *l);

/**
 * Take the next connection; does not block.
 *
 * @return
 *   Its descriptor (close-on-exec, non-blocking), the caller's, or -errno. With -EMFILE and -ENFILE
 *   the client was turned away.
 */
int vale_listener_accept(struct vale_listener *l);

#endif /* VALE_LISTENER_H */
