/* SPDX-License-Identifier: BSD-3-Clause */
/* Whatever ends a number, or makes a new one of an old descriptor: what is cached of the number
 * goes before the number does. Not after it: another thread may have been given it by then. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device/epoll_set.h"
#include "device/file.h"
#include "next.h"

int __close(int fd);
int __dup2(int old, int new);
int __fcntl(int fd, int cmd, ...);

NEXT_SLOT(close);
NEXT_SLOT(__close);
NEXT_SLOT(close_range);
NEXT_SLOT(closefrom);
NEXT_SLOT(fclose);
NEXT_SLOT(dup);
NEXT_SLOT(dup2);
NEXT_SLOT(__dup2);
NEXT_SLOT(dup3);
NEXT_SLOT(fcntl);
NEXT_SLOT(fcntl64);
NEXT_SLOT(__fcntl);
NEXT_SLOT(recvmsg);
NEXT_SLOT(recvmmsg);

static void __attribute__((constructor)) resolve(void)
{
	NEXT_FIND(close);
	NEXT_FIND(__close);
	NEXT_FIND(close_range);
	NEXT_FIND(closefrom);
	NEXT_FIND(fclose);
	NEXT_FIND(dup);
	NEXT_FIND(dup2);
	NEXT_FIND(__dup2);
	NEXT_FIND(dup3);
	NEXT_FIND(fcntl);
	NEXT_FIND(fcntl64);
	NEXT_FIND(__fcntl);
	NEXT_FIND(recvmsg);
	NEXT_FIND(recvmmsg);
}

static void
forget(int fd)
{
	if (fd < 0)
		return;
	vnm_epoll_forget((unsigned int)fd, (unsigned int)fd);
	vnm_file_forget((unsigned int)fd, (unsigned int)fd);
}

/** A number that has just come into being; what is known of it is of an earlier one. */
static int
fresh(int fd)
{
	if (fd >= 0)
		vnm_file_forget((unsigned int)fd, (unsigned int)fd);
	return fd;
}

EXPORT int
close(int fd)
{
	forget(fd);
	return NEXT(close)(fd);
}

EXPORT int
__close(int fd)
{
	forget(fd);
	return NEXT(__close)(fd);
}

EXPORT int
close_range(unsigned int first, unsigned int last, int flags)
{
	if (!(flags & CLOSE_RANGE_CLOEXEC)) {
		vnm_epoll_forget(first, last);
		vnm_file_forget(first, last);
	}
	return NEXT(close_range)(first, last, flags);
}

EXPORT void
closefrom(int first)
{
	unsigned int from = first < 0 ? 0 : (unsigned int)first;

	vnm_epoll_forget(from, ~0u);
	vnm_file_forget(from, ~0u);
	NEXT(closefrom)(first);
}

EXPORT int
fclose(FILE *stream)
{
	if (stream != NULL && vnm_file_any())
		forget(fileno(stream));
	return NEXT(fclose)(stream);
}

EXPORT int
dup(int fd)
{
	return fresh(NEXT(dup)(fd));
}

EXPORT int
dup2(int old, int new)
{
	if (old != new)
		forget(new);
	return NEXT(dup2)(old, new);
}

EXPORT int
__dup2(int old, int new)
{
	if (old != new)
		forget(new);
	return NEXT(__dup2)(old, new);
}

EXPORT int
dup3(int old, int new, int flags)
{
	if (old != new)
		forget(new);
	return NEXT(dup3)(old, new, flags);
}

/** All of fcntl's third arguments fit into a pointer. */
#define THIRD(last)                       \
	__extension__({                   \
		va_list ap_;              \
		void *a_;                 \
		va_start(ap_, last);      \
		a_ = va_arg(ap_, void *); \
		va_end(ap_);              \
		a_;                       \
	})

static int
fcntl_done(int cmd, int ret)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? fresh(ret) : ret;
}

EXPORT int
fcntl(int fd, int cmd, ...)
{
	return fcntl_done(cmd, NEXT(fcntl)(fd, cmd, THIRD(cmd)));
}

EXPORT int
fcntl64(int fd, int cmd, ...)
{
	return fcntl_done(cmd, NEXT(fcntl64)(fd, cmd, THIRD(cmd)));
}

EXPORT int
__fcntl(int fd, int cmd, ...)
{
	return fcntl_done(cmd, NEXT(__fcntl)(fd, cmd, THIRD(cmd)));
}

/** Descriptors that came with a message. */
static void
received(struct msghdr *msg)
{
	struct cmsghdr *c;

	if (msg->msg_control == NULL || msg->msg_controllen < sizeof(*c))
		return;
	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		const int *fds = (const int *)(const void *)CMSG_DATA(c);
		size_t i, n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++)
			fresh(fds[i]);
	}
}

EXPORT ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t ret = NEXT(recvmsg)(fd, msg, flags);

	if (ret >= 0)
		received(msg);
	return ret;
}

EXPORT int
recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout)
{
	int i, ret = NEXT(recvmmsg)(fd, msgs, n, flags, timeout);

	for (i = 0; i < ret; i++)
		received(&msgs[i].msg_hdr);
	return ret;
}
