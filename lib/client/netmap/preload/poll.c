/* SPDX-License-Identifier: BSD-3-Clause */
/* poll, ppoll, select, pselect: lists with a descriptor of netmap's are waited for here, all others
 * by libc. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/select.h>

#include "device/file.h"
#include "device/select.h"
#include "device/sys.h"
#include "device/wait.h"
#include "next.h"

int __poll(struct pollfd *fds, nfds_t n, int timeout);
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t fds_sz);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set,
	size_t fds_sz);
int __select(int n, fd_set *in, fd_set *out, fd_set *ex, struct timeval *timeout);

NEXT_SLOT(poll);
NEXT_SLOT(__poll);
NEXT_SLOT(__poll_chk);
NEXT_SLOT(ppoll);
NEXT_SLOT(__ppoll_chk);
NEXT_SLOT(select);
NEXT_SLOT(__select);
NEXT_SLOT(pselect);

/** Sleep in libc's ppoll, where a thread can be cancelled. What is left of the time is reckoned
 * here: libc keeps it to itself. */
static long
sleep_in_libc(struct pollfd *fds, nfds_t n, struct timespec *timeout, const void *set,
	void (*undo)(void *), void *arg)
{
	struct timespec from, to;
	int ret, saved = errno;

	vnm_sys_clock(&from);
	pthread_cleanup_push(undo, arg);
	ret = NEXT(ppoll)(fds, n, timeout, set);
	pthread_cleanup_pop(0);
	if (ret < 0) {
		ret = -errno;
		errno = saved;
	}
	if (timeout == NULL)
		return ret;
	vnm_sys_clock(&to);
	timeout->tv_sec -= to.tv_sec - from.tv_sec;
	timeout->tv_nsec -= to.tv_nsec - from.tv_nsec;
	for (; timeout->tv_nsec < 0; timeout->tv_nsec += 1000000000L)
		timeout->tv_sec--;
	for (; timeout->tv_nsec >= 1000000000L; timeout->tv_nsec -= 1000000000L)
		timeout->tv_sec++;
	if (timeout->tv_sec < 0 || ret == 0)
		timeout->tv_sec = timeout->tv_nsec = 0;
	return ret;
}

static void __attribute__((constructor)) resolve(void)
{
	NEXT_FIND(poll);
	NEXT_FIND(__poll);
	NEXT_FIND(__poll_chk);
	NEXT_FIND(ppoll);
	NEXT_FIND(__ppoll_chk);
	NEXT_FIND(select);
	NEXT_FIND(__select);
	NEXT_FIND(pselect);
	vnm_wait_sleep = sleep_in_libc;
}

static bool
any_netmap(const struct pollfd *fds, nfds_t n)
{
	nfds_t i;

	if (fds == NULL || !vnm_file_any())
		return false;
	for (i = 0; i < n; i++)
		if (vnm_file_known(fds[i].fd))
			return true;
	return false;
}

static int
netmap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	struct timespec ts = {timeout / 1000, timeout % 1000 * 1000000L};

	return (int)vnm_ret(vnm_wait(fds, n, timeout < 0 ? NULL : &ts, NULL));
}

static int
netmap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set)
{
	struct timespec ts = {0};

	if (timeout != NULL)
		ts = *timeout;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1000000000L) {
		errno = EINVAL;
		return -1;
	}
	return (int)vnm_ret(vnm_wait(fds, n, timeout == NULL ? NULL : &ts, set));
}

EXPORT int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return any_netmap(fds, n) ? netmap_poll(fds, n, timeout) : NEXT(poll)(fds, n, timeout);
}

EXPORT int
__poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return any_netmap(fds, n) ? netmap_poll(fds, n, timeout) : NEXT(__poll)(fds, n, timeout);
}

EXPORT int
__poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t fds_sz)
{
	/* a list that is longer than its array is libc's to abort on */
	if (fds_sz / sizeof(*fds) >= n && any_netmap(fds, n))
		return netmap_poll(fds, n, timeout);
	return NEXT(__poll_chk)(fds, n, timeout, fds_sz);
}

EXPORT int
ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set)
{
	if (any_netmap(fds, n))
		return netmap_ppoll(fds, n, timeout, set);
	return NEXT(ppoll)(fds, n, timeout, set);
}

EXPORT int
__ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set,
	size_t fds_sz)
{
	if (fds_sz / sizeof(*fds) >= n && any_netmap(fds, n))
		return netmap_ppoll(fds, n, timeout, set);
	return NEXT(__ppoll_chk)(fds, n, timeout, set, fds_sz);
}

/* ---- select ---- */

static int
netmap_select(int n, fd_set *in, fd_set *out, fd_set *ex, struct timeval *timeout)
{
	struct timespec ts = {0};
	long ret;

	if (timeout == NULL)
		return (int)vnm_ret(vnm_select(n, in, out, ex, NULL, NULL));
	if (timeout->tv_sec < 0 || timeout->tv_usec < 0) {
		errno = EINVAL;
		return -1;
	}
	ts.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
	ts.tv_nsec = timeout->tv_usec % 1000000 * 1000;
	ret = vnm_select(n, in, out, ex, &ts, NULL);
	timeout->tv_sec = ts.tv_sec; /* as Linux does */
	timeout->tv_usec = ts.tv_nsec / 1000;
	return (int)vnm_ret(ret);
}

EXPORT int
select(int n, fd_set *in, fd_set *out, fd_set *ex, struct timeval *timeout)
{
	if (vnm_file_any() && vnm_select_any(n, in, out, ex))
		return netmap_select(n, in, out, ex, timeout);
	return NEXT(select)(n, in, out, ex, timeout);
}

EXPORT int
__select(int n, fd_set *in, fd_set *out, fd_set *ex, struct timeval *timeout)
{
	if (vnm_file_any() && vnm_select_any(n, in, out, ex))
		return netmap_select(n, in, out, ex, timeout);
	return NEXT(__select)(n, in, out, ex, timeout);
}

EXPORT int
pselect(int n, fd_set *in, fd_set *out, fd_set *ex, const struct timespec *timeout,
	const sigset_t *set)
{
	struct timespec ts = {0};

	if (!vnm_file_any() || !vnm_select_any(n, in, out, ex))
		return NEXT(pselect)(n, in, out, ex, timeout, set);
	if (timeout != NULL)
		ts = *timeout;
	return (int)vnm_ret(vnm_select(n, in, out, ex, timeout == NULL ? NULL : &ts, set));
}
