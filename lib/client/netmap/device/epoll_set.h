/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_EPOLL_SET_H
#define VNM_EPOLL_SET_H

/**
 * @file
 * Netmap's descriptors in epoll sets. A connection is always writable, so the kernel is asked for
 * POLLIN alone, which means a token; what the program asked for stands here, and epoll_wait works
 * it out. An entry's own address is what the kernel returns for it.
 *
 * The list is this process's: an epoll descriptor that goes through exec or to another process
 * loses its netmap members.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>

/** Members of all epoll sets together. */
#define VNM_EPOLL_MEMBERS_MAX 512

/** epoll_ctl(2) for a descriptor of netmap's. 0 or -errno. */
int vnm_epoll_ctl(int epfd, int op, int fd, const struct epoll_event *ev);

/** Has this set any member of netmap's? */
bool vnm_epoll_any(int epfd);

/** epoll_pwait(2) on such a set; timeout NULL: for ever. As epoll_pwait, or -errno. */
long vnm_epoll_wait(
	int epfd, struct epoll_event *evs, int max, struct timespec *timeout, const void *set);

/** Numbers [first, last], sets or members, are about to be closed. */
void vnm_epoll_forget(unsigned int first, unsigned int last);

/** Sleeps here; the preload puts libc's function in its place. Value or -errno. A thread that is
 * cancelled there calls undo(arg). */
extern long (*vnm_epoll_sleep)(int epfd, struct epoll_event *evs, int max, int timeout_ms,
	const void *set, void (*undo)(void *arg), void *arg);

#endif /* VNM_EPOLL_SET_H */
