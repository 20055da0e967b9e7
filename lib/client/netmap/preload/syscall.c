/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * syscall(2): the numbers that have a wrapper go to it, if they mean netmap, and to libc untouched
 * otherwise. The kernel's own forms differ from libc's here and there: what is left of a timeout is
 * written back, and signal sets have 8 bytes, which the wrappers never look into.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device/file.h"
#include "device/select.h"
#include "device/sys.h"
#include "device/wait.h"
#include "next.h"
#include "path.h"
#include "vale_netmap_client.h"

NEXT_SLOT(syscall);

static void __attribute__((constructor)) resolve(void)
{
	NEXT_FIND(syscall);
}

/** The six arguments, as they came. */
struct args {
	long a, b, c, d, e, f;
};

#define FD(x) ((int)(x))
#define PTR(x) ((void *)(x))
#define PATH(x) ((const char *)(x))

/** Calls that name the device by its path; false if this is none. */
static bool
by_path(long nr, const struct args *x, long *ret)
{
	switch (nr) {
#ifdef SYS_open
	case SYS_open:
		return vnm_path_is_device(PATH(x->a)) && (*ret = vale_nm_open((int)x->b), true);
	case SYS_stat:
		return vnm_path_is_device(PATH(x->a)) && (*ret = stat(PATH(x->a), PTR(x->b)), true);
	case SYS_lstat:
		return vnm_path_is_device(PATH(x->a)) &&
		       (*ret = lstat(PATH(x->a), PTR(x->b)), true);
	case SYS_access:
		return vnm_path_is_device(PATH(x->a)) &&
		       (*ret = access(PATH(x->a), (int)x->b), true);
#endif
	case SYS_openat:
		return vnm_path_is_device(PATH(x->b)) && (*ret = vale_nm_open((int)x->c), true);
	case SYS_openat2:
		return vnm_path_is_device(PATH(x->b)) &&
		       (*ret = vale_nm_open((int)((struct open_how *)x->c)->flags), true);
	case SYS_newfstatat:
		return vnm_path_is_device(PATH(x->b)) && (*ret = stat(PATH(x->b), PTR(x->c)), true);
	case SYS_statx:
		return vnm_path_is_device(PATH(x->b)) &&
		       (*ret = statx(
				FD(x->a), PATH(x->b), (int)x->c, (unsigned int)x->d, PTR(x->e)),
			       true);
	case SYS_faccessat:
	case SYS_faccessat2:
		return vnm_path_is_device(PATH(x->b)) &&
		       (*ret = access(PATH(x->b), (int)x->c), true);
	default:
		return false;
	}
}

static bool
any_netmap(const struct pollfd *fds, nfds_t n)
{
	nfds_t i;

	for (i = 0; fds != NULL && i < n; i++)
		if (vnm_file_known(fds[i].fd))
			return true;
	return false;
}

/** pselect6's last argument. */
struct sigset_arg {
	const void *set;
	size_t len;
};

static bool
waits(long nr, const struct args *x, long *ret)
{
	const struct sigset_arg *six = PTR(x->f);

	switch (nr) {
#ifdef SYS_poll
	case SYS_poll:
		return any_netmap(PTR(x->a), (nfds_t)x->b) &&
		       (*ret = poll(PTR(x->a), (nfds_t)x->b, (int)x->c), true);
	case SYS_select:
		return vnm_select_any((int)x->a, PTR(x->b), PTR(x->c), PTR(x->d)) &&
		       (*ret = select((int)x->a, PTR(x->b), PTR(x->c), PTR(x->d), PTR(x->e)), true);
	case SYS_epoll_wait:
		*ret = epoll_wait(FD(x->a), PTR(x->b), (int)x->c, (int)x->d);
		return true;
#endif
	case SYS_ppoll:
		return any_netmap(PTR(x->a), (nfds_t)x->b) &&
		       (*ret = vnm_ret(vnm_wait(PTR(x->a), (nfds_t)x->b, PTR(x->c), PTR(x->d))),
			       true);
	case SYS_pselect6:
		return vnm_select_any((int)x->a, PTR(x->b), PTR(x->c), PTR(x->d)) &&
		       (*ret = vnm_ret(vnm_select((int)x->a, PTR(x->b), PTR(x->c), PTR(x->d),
				PTR(x->e), six != NULL ? six->set : NULL)),
			       true);
	case SYS_epoll_pwait:
		*ret = epoll_pwait(FD(x->a), PTR(x->b), (int)x->c, (int)x->d, PTR(x->e));
		return true;
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2:
		*ret = epoll_pwait2(FD(x->a), PTR(x->b), (int)x->c, PTR(x->d), PTR(x->e));
		return true;
#endif
	case SYS_epoll_ctl:
		*ret = epoll_ctl(FD(x->a), (int)x->b, FD(x->c), PTR(x->d));
		return true;
	default:
		return false;
	}
}

/** Numbers come and go. */
static bool
numbers(long nr, const struct args *x, long *ret)
{
	switch (nr) {
	case SYS_close:
		*ret = close(FD(x->a));
		return true;
	case SYS_close_range:
		*ret = close_range((unsigned int)x->a, (unsigned int)x->b, (int)x->c);
		return true;
	case SYS_dup:
		*ret = dup(FD(x->a));
		return true;
#ifdef SYS_dup2
	case SYS_dup2:
		*ret = dup2(FD(x->a), FD(x->b));
		return true;
#endif
	case SYS_dup3:
		*ret = dup3(FD(x->a), FD(x->b), (int)x->c);
		return true;
	case SYS_fcntl:
		*ret = fcntl(FD(x->a), (int)x->b, x->c);
		return true;
	default:
		return false;
	}
}

static bool
by_descriptor(long nr, const struct args *x, long *ret)
{
	switch (nr) {
	case SYS_ioctl:
		*ret = ioctl(FD(x->a), (unsigned long)x->b, x->c);
		return true;
	case SYS_fstat:
		*ret = fstat(FD(x->a), PTR(x->b));
		return true;
	case SYS_newfstatat:
		*ret = fstatat(FD(x->a), PATH(x->b), PTR(x->c), (int)x->d);
		return true;
	case SYS_statx:
		*ret = statx(FD(x->a), PATH(x->b), (int)x->c, (unsigned int)x->d, PTR(x->e));
		return true;
	default:
		return waits(nr, x, ret) || numbers(nr, x, ret);
	}
}

/** Also in a process that has no descriptor of netmap's yet: it may get one. */
static bool
arrives(long nr, const struct args *x, long *ret)
{
	switch (nr) {
	case SYS_recvmsg:
		*ret = recvmsg(FD(x->a), PTR(x->b), (int)x->c);
		return true;
	case SYS_recvmmsg:
		*ret = recvmmsg(FD(x->a), PTR(x->b), (unsigned int)x->c, (int)x->d, PTR(x->e));
		return true;
#ifdef SYS_pidfd_getfd
	case SYS_pidfd_getfd:
		*ret = NEXT(syscall)(nr, x->a, x->b, x->c, x->d, x->e, x->f);
		if (*ret >= 0)
			vnm_file_received((int)*ret);
		return true;
#endif
	case SYS_mmap:
		/* libc's mmap answers what the kernel's does */
		*ret = (long)mmap(
			PTR(x->a), (size_t)x->b, (int)x->c, (int)x->d, FD(x->e), (off_t)x->f);
		return true;
	case SYS_ioctl:
		*ret = ioctl(FD(x->a), (unsigned long)x->b, x->c);
		return true;
	default:
		return by_path(nr, x, ret);
	}
}

EXPORT long
syscall(long nr, ...)
{
	struct args x;
	va_list ap;
	long ret;

	va_start(ap, nr);
	x.a = va_arg(ap, long);
	x.b = va_arg(ap, long);
	x.c = va_arg(ap, long);
	x.d = va_arg(ap, long);
	x.e = va_arg(ap, long);
	x.f = va_arg(ap, long);
	va_end(ap);
	if (arrives(nr, &x, &ret) || (vnm_file_any() && by_descriptor(nr, &x, &ret)))
		return ret;
	return NEXT(syscall)(nr, x.a, x.b, x.c, x.d, x.e, x.f);
}
