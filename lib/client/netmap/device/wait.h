/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_WAIT_H
#define VNM_WAIT_H

/**
 * @file
 * ppoll(2) over descriptors of all kinds, some of them netmap's.
 */

#include <poll.h>
#include <time.h>

/** Sleeps here, so that the preload can put a cancellation point in its place. As vnm_sys_ppoll. */
extern long (*vnm_wait_sleep)(
	struct pollfd *fds, nfds_t n, struct timespec *timeout, const void *set);

/**
 * @param timeout NULL: for ever; changed to what is left
 * @param set     a kernel signal set, or NULL
 * @return as poll(2), or -errno
 *
 * Signal handlers may call it.
 */
long vnm_wait(struct pollfd *fds, nfds_t n, struct timespec *timeout, const void *set);

#endif /* VNM_WAIT_H */
