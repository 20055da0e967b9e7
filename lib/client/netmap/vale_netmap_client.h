/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_NETMAP_CLIENT_H
#define VALE_NETMAP_CLIENT_H

/**
 * @file
 * The netmap device of a running vale-switch, without a kernel module and without a preload.
 *
 * The preload's wrappers of open, ioctl, mmap, poll and close call these functions when they meet
 * /dev/netmap or a descriptor of it. Programs of this project (vale-gen, the libpcap adapter) and
 * statically linked ones call them directly: libvale_netmap_client.a. Every function answers like
 * the system call that it is named after: -1 (vale_nm_mmap: MAP_FAILED) and errno. All may be
 * called from any thread; none of them calls a wrapper of the preload.
 */

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/**
 * As open("/dev/netmap", flags): connects to the switch at $VALE_SOCKET, else at the default.
 * Errors as real netmap's, ENOENT or ECONNREFUSED when there is no switch.
 */
int vale_nm_open(int flags);

/** As ioctl(2): NIOCCTRL, NIOCREGIF, NIOCGINFO, NIOCTXSYNC, NIOCRXSYNC, NIOCCONFIG. */
int vale_nm_ioctl(int fd, unsigned long request, void *arg);

/** As mmap(2) on a descriptor that is bound to a port. */
void *vale_nm_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);

/** As ppoll(2), signal mask left out; descriptors of other kinds may be among them. */
int vale_nm_poll(struct pollfd *fds, nfds_t nb_fds, int timeout_ms);

/** As close(2). What a sync published before is still forwarded. */
int vale_nm_close(int fd);

/** Is this a descriptor of /dev/netmap, i.e. a connection to the switch? */
bool vale_nm_is(int fd);

/** Why the switch refused the last request, in a sentence; "" if it did not. Valid until the next
 * request of any thread. */
const char *vale_nm_why(void);

#endif /* VALE_NETMAP_CLIENT_H */
