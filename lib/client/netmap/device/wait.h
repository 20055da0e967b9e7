/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_WAIT_H
#define VNM_WAIT_H

/**
 * @file
 * ppoll(2) over descriptors of all kinds, some of them netmap's.
 */

#include <poll.h>
#include <time.h>

/**
 * Sleeps here, so that the preload can put a cancellation point in its place. As vnm_sys_ppoll;
 * a thread that is cancelled there calls undo(arg) on its way out.
 */
extern long (*vnm_wait_sleep)(struct pollfd *fds, nfds_t n, struct timespec *timeout,
	const void *set, void (*undo)(void *arg), void *arg);

/**
 * @param timeout NULL: for ever; changed to what is left
 * @param set     a kernel signal set, or NULL
 * @return as poll(2), or -errno
 *
 * Signal handlers may call it.
 */
long vnm_wait(struct pollfd *fds, nfds_t n, struct timespec *timeout, const void *set);

/** The same for a list that is the caller's own, in mem_sz bytes from the kernel (or NULL, 0). It
 * is given back if the thread is cancelled, and only then. */
long vnm_wait_own(struct pollfd *fds, nfds_t n, struct timespec *timeout, const void *set,
	void *mem, size_t mem_sz);

#endif /* VNM_WAIT_H */
