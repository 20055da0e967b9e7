/* SPDX-License-Identifier: BSD-3-Clause */
/* Whatever ends a number, or makes a new one of an old descriptor: what is cached of the number
 * goes before the number does. Not after it: another thread may have been given it by then. */
#include <errno.h>
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
forget(unsigned int first, unsigned int last)
{
	if (!vnm_file_any())
		return;
	vnm_epoll_forget(first, last);
	vnm_file_forget(first, last);
}

static void
verify(unsigned int first, unsigned int last)
{
	if (vnm_file_any())
		vnm_file_verify(first, last);
}

#define NUMBER(fd) (unsigned int)(fd), (unsigned int)(fd)

static int
closed(int fd, int ret)
{
	verify(NUMBER(fd));
	return ret;
}

EXPORT int
close(int fd)
{
	forget(NUMBER(fd));
	return closed(fd, NEXT(close)(fd));
}

EXPORT int
__close(int fd)
{
	forget(NUMBER(fd));
	return closed(fd, NEXT(__close)(fd));
}

EXPORT int
close_range(unsigned int first, unsigned int last, int flags)
{
	int ret;

	if (flags & ~(int)CLOSE_RANGE_UNSHARE) /* nothing is closed, or all is wrong */
		return NEXT(close_range)(first, last, flags);
	forget(first, last);
	ret = NEXT(close_range)(first, last, flags);
	verify(first, last);
	return ret;
}

EXPORT void
closefrom(int first)
{
	unsigned int from = first < 0 ? 0 : (unsigned int)first;

	forget(from, ~0u);
	NEXT(closefrom)(first);
	verify(from, ~0u);
}

EXPORT int
fclose(FILE *stream)
{
	int ret, saved = errno, fd = stream != NULL && vnm_file_any() ? fileno(stream) : -1;

	errno = saved; /* a stream in memory has no number */
	if (fd < 0)
		return NEXT(fclose)(stream);
	forget(NUMBER(fd));
	ret = NEXT(fclose)(stream);
	verify(NUMBER(fd));
	return ret;
}

/** new has just been made of old. */
static int
copied(int old, int new)
{
	if (new >= 0 && new != old && vnm_file_any()) {
		/* it may have been an epoll set, whose members were netmap's */
		vnm_epoll_forget(NUMBER(new));
		vnm_file_copied(old, new);
	}
	return new;
}

EXPORT int
dup(int fd)
{
	return copied(fd, NEXT(dup)(fd));
}

/** dup2 and its kin by way of f: a number that is about to be replaced goes before. */
#define REPLACE(old, new, f)                                         \
	__extension__({                                              \
		bool known_ = (old) != (new) && vnm_file_known(new); \
		int ret_;                                            \
		if (known_)                                          \
			forget(NUMBER(new));                         \
		ret_ = copied(old, f);                               \
		if (ret_ < 0 && known_) /* it is there still */      \
			vnm_file_received(new);                      \
		ret_;                                                \
	})

EXPORT int
dup2(int old, int new)
{
	return REPLACE(old, new, NEXT(dup2)(old, new));
}

EXPORT int
__dup2(int old, int new)
{
	return REPLACE(old, new, NEXT(__dup2)(old, new));
}

EXPORT int
dup3(int old, int new, int flags)
{
	return REPLACE(old, new, NEXT(dup3)(old, new, flags));
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
fcntl_done(int fd, int cmd, int ret)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? copied(fd, ret) : ret;
}

EXPORT int
fcntl(int fd, int cmd, ...)
{
	return fcntl_done(fd, cmd, NEXT(fcntl)(fd, cmd, THIRD(cmd)));
}

EXPORT int
fcntl64(int fd, int cmd, ...)
{
	return fcntl_done(fd, cmd, NEXT(fcntl64)(fd, cmd, THIRD(cmd)));
}

EXPORT int
__fcntl(int fd, int cmd, ...)
{
	return fcntl_done(fd, cmd, NEXT(__fcntl)(fd, cmd, THIRD(cmd)));
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
			vnm_file_received(fds[i]);
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
