/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>

#include "file.h"
#include "select.h"
#include "sys.h"
#include "wait.h"

/* What the kernel's select takes poll's events for. */
#define IN (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define OUT (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define EX POLLPRI

/* So many descriptors are waited for without memory from the kernel. */
#define FEW 16

/* Sets may be longer than fd_set says: programs allocate them. */
#define BITS (8 * (int)sizeof(unsigned long))

static bool
in_set(const fd_set *set, int fd)
{
	const unsigned long *words = (const void *)set;

	return set != NULL && (words[fd / BITS] >> (fd % BITS) & 1) != 0;
}

/** Put a bit to what it shall be; returns it. */
static int
put_bit(fd_set *set, int fd, bool on)
{
	unsigned long *words = (void *)set;

	if (!in_set(set, fd))
		return 0;
	if (!on)
		words[fd / BITS] &= ~(1ul << (fd % BITS));
	return on;
}

/** How many descriptors the kernel has room for at this moment: FDSize in /proc/self/status. */
static int
table_size(void)
{
	char text[2048];
	const char *at;
	long fd = vnm_sys6(
		SYS_openat, AT_FDCWD, (long)"/proc/self/status", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long n;
	int size = 0;

	if (fd < 0)
		return INT32_MAX;
	n = vnm_sys6(SYS_read, fd, (long)text, sizeof(text) - 1, 0, 0, 0);
	vnm_sys_close((int)fd);
	if (n <= 0)
		return INT32_MAX;
	text[n] = '\0';
	at = strstr(text, "\nFDSize:\t");
	for (at = at == NULL ? "" : at + 9; *at >= '0' && *at <= '9' && size < INT32_MAX / 16; at++)
		size = size * 10 + (*at - '0');
	return size > 0 ? size : INT32_MAX;
}

/** As the kernel does: programs that ask for as many as there may ever be have sets that are
 * shorter than they say. */
static int
bounded(int n)
{
	int size = n <= FD_SETSIZE ? n : table_size();

	return n < size ? n : size;
}

bool
vnm_select_any(int n, const fd_set *in, const fd_set *out, const fd_set *ex)
{
	int fd, top = vnm_file_top();

	for (fd = 0; fd < n && fd < top; fd++)
		if ((in_set(in, fd) || in_set(out, fd) || in_set(ex, fd)) && vnm_file_known(fd))
			return true;
	return false;
}

static int
to_list(struct pollfd *fds, int n, const fd_set *in, const fd_set *out, const fd_set *ex)
{
	int fd, nb = 0;

	for (fd = 0; fd < n; fd++) {
		short events = (in_set(in, fd) ? POLLIN : 0) | (in_set(out, fd) ? POLLOUT : 0) |
			       (in_set(ex, fd) ? POLLPRI : 0);

		if (events != 0)
			fds[nb++] = (struct pollfd){.fd = fd, .events = events};
	}
	return nb;
}

/** Bits that are set in the end; -EBADF if a number is no descriptor. */
static long
from_list(const struct pollfd *fds, int nb, fd_set *in, fd_set *out, fd_set *ex)
{
	long set = 0;
	int i;

	for (i = 0; i < nb; i++)
		if (fds[i].revents & POLLNVAL)
			return -EBADF;
	for (i = 0; i < nb; i++) {
		set += put_bit(in, fds[i].fd, (fds[i].revents & IN) != 0);
		set += put_bit(out, fds[i].fd, (fds[i].revents & OUT) != 0);
		set += put_bit(ex, fds[i].fd, (fds[i].revents & EX) != 0);
	}
	return set;
}

static int
count(int n, const fd_set *in, const fd_set *out, const fd_set *ex)
{
	int fd, nb = 0;

	for (fd = 0; fd < n; fd++)
		nb += in_set(in, fd) || in_set(out, fd) || in_set(ex, fd);
	return nb;
}

long
vnm_select(int n, fd_set *in, fd_set *out, fd_set *ex, struct timespec *timeout, const void *set)
{
	struct pollfd few[FEW], *fds = few;
	size_t sz;
	long ret;
	int nb;

	n = bounded(n);
	nb = count(n, in, out, ex);
	sz = (size_t)nb * sizeof(*fds);
	if (nb > FEW) {
		ret = vnm_sys_mmap(
			NULL, sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (ret < 0 && ret >= -4095)
			return ret;
		fds = (struct pollfd *)ret;
	}
	nb = to_list(fds, n, in, out, ex);
	ret = vnm_wait_own(fds, (nfds_t)nb, timeout, set, fds == few ? NULL : fds, sz);
	if (ret >= 0)
		ret = from_list(fds, nb, in, out, ex);
	if (fds != few)
		vnm_sys_munmap(fds, sz);
	return ret;
}
