/* SPDX-License-Identifier: BSD-3-Clause */
/* epoll_ctl, epoll_wait, epoll_pwait, epoll_pwait2. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include "device/epoll_set.h"
#include "device/file.h"
#include "device/sys.h"
#include "next.h"

NEXT_SLOT(epoll_ctl);
NEXT_SLOT(epoll_wait);
NEXT_SLOT(epoll_pwait);
NEXT_SLOT(epoll_pwait2);

/** In libc, where a thread can be cancelled. */
static long
sleep_in_libc(int epfd, struct epoll_event *evs, int max, int timeout_ms, const void *set,
	void (*undo)(void *), void *arg)
{
	int ret, saved = errno;

	pthread_cleanup_push(undo, arg);
	ret = NEXT(epoll_pwait)(epfd, evs, max, timeout_ms, set);
	pthread_cleanup_pop(0);
	if (ret < 0) {
		ret = -errno;
		errno = saved;
	}
	return ret;
}

static void __attribute__((constructor)) resolve(void)
{
	NEXT_FIND(epoll_ctl);
	NEXT_FIND(epoll_wait);
	NEXT_FIND(epoll_pwait);
	NEXT_FIND(epoll_pwait2);
	vnm_epoll_sleep = sleep_in_libc;
}

static int
netmap_wait(int epfd, struct epoll_event *evs, int max, int timeout_ms, const sigset_t *set)
{
	struct timespec ts = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};

	return (int)vnm_ret(vnm_epoll_wait(epfd, evs, max, timeout_ms < 0 ? NULL : &ts, set));
}

EXPORT int
epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	if (vnm_file_known(fd))
		return (int)vnm_ret(vnm_epoll_ctl(epfd, op, fd, ev));
	return NEXT(epoll_ctl)(epfd, op, fd, ev);
}

EXPORT int
epoll_wait(int epfd, struct epoll_event *evs, int max, int timeout_ms)
{
	if (vnm_epoll_any(epfd))
		return netmap_wait(epfd, evs, max, timeout_ms, NULL);
	return NEXT(epoll_wait)(epfd, evs, max, timeout_ms);
}

EXPORT int
epoll_pwait(int epfd, struct epoll_event *evs, int max, int timeout_ms, const sigset_t *set)
{
	if (vnm_epoll_any(epfd))
		return netmap_wait(epfd, evs, max, timeout_ms, set);
	return NEXT(epoll_pwait)(epfd, evs, max, timeout_ms, set);
}

EXPORT int
epoll_pwait2(int epfd, struct epoll_event *evs, int max, const struct timespec *timeout,
	const sigset_t *set)
{
	struct timespec ts = {0};

	if (!vnm_epoll_any(epfd))
		return NEXT(epoll_pwait2)(epfd, evs, max, timeout, set);
	if (timeout != NULL)
		ts = *timeout;
	return (int)vnm_ret(vnm_epoll_wait(epfd, evs, max, timeout == NULL ? NULL : &ts, set));
}
