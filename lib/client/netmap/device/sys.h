/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_SYS_H
#define VNM_SYS_H

/**
 * @file
 * System calls by themselves. The preload's wrappers stand in front of libc's functions, syscall()
 * included, and this library works below them; it is also linked into programs that have no
 * preload, and called from signal handlers. Hence no libc here: a call returns its value or -errno.
 */

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
static inline long
vnm_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long
vnm_sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "netmap programs run on x86-64 and arm64: the system call of this machine is not known here"
#endif

static inline long
vnm_sys_socket(int domain, int type)
{
	return vnm_sys6(SYS_socket, domain, type, 0, 0, 0, 0);
}

static inline long
vnm_sys_socketpair(int domain, int type, int fds[2])
{
	return vnm_sys6(SYS_socketpair, domain, type, 0, (long)fds, 0, 0);
}

static inline long
vnm_sys_bind(int fd, const void *addr, socklen_t len)
{
	return vnm_sys6(SYS_bind, fd, (long)addr, len, 0, 0, 0);
}

static inline long
vnm_sys_connect(int fd, const void *addr, socklen_t len)
{
	return vnm_sys6(SYS_connect, fd, (long)addr, len, 0, 0, 0);
}

static inline long
vnm_sys_getsockname(int fd, void *addr, socklen_t *len)
{
	return vnm_sys6(SYS_getsockname, fd, (long)addr, (long)len, 0, 0, 0);
}

static inline long
vnm_sys_getsockopt(int fd, int opt, void *val, socklen_t *len)
{
	return vnm_sys6(SYS_getsockopt, fd, SOL_SOCKET, opt, (long)val, (long)len, 0);
}

static inline long
vnm_sys_send(int fd, const void *buf, size_t len, int flags)
{
	return vnm_sys6(SYS_sendto, fd, (long)buf, (long)len, flags, 0, 0);
}

static inline long
vnm_sys_recv(int fd, void *buf, size_t len, int flags)
{
	return vnm_sys6(SYS_recvfrom, fd, (long)buf, (long)len, flags, 0, 0);
}

static inline long
vnm_sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return vnm_sys6(SYS_sendmsg, fd, (long)msg, flags, 0, 0, 0);
}

static inline long
vnm_sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return vnm_sys6(SYS_recvmsg, fd, (long)msg, flags, 0, 0, 0);
}

static inline long
vnm_sys_close(int fd)
{
	return vnm_sys6(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline long
vnm_sys_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return vnm_sys6(SYS_mmap, (long)addr, (long)len, prot, flags, fd, off);
}

static inline long
vnm_sys_munmap(void *addr, size_t len)
{
	return vnm_sys6(SYS_munmap, (long)addr, (long)len, 0, 0, 0, 0);
}

/** *timeout is changed to what is left. set is a kernel signal set of 8 bytes, or NULL. */
static inline long
vnm_sys_ppoll(struct pollfd *fds, nfds_t n, struct timespec *timeout, const void *set)
{
	return vnm_sys6(SYS_ppoll, (long)fds, (long)n, (long)timeout, (long)set, 8, 0);
}

static inline long
vnm_sys_clock(struct timespec *now)
{
	return vnm_sys6(SYS_clock_gettime, CLOCK_MONOTONIC, (long)now, 0, 0, 0, 0);
}

static inline int
vnm_sys_getpid(void)
{
	return (int)vnm_sys6(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

/** What a wrapper gives back: the value, or -1 and errno. */
static inline long
vnm_ret(long ret)
{
	if (ret >= 0 || ret < -4095)
		return ret;
	errno = (int)-ret;
	return -1;
}

#endif /* VNM_SYS_H */
