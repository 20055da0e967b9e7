/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs that call the kernel through syscall(2), or through names that only old ones use; and
 * that a sync calls nobody. */
#include <linux/openat2.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "pre.h"

long syscall(long nr, ...);

#define DEV "/dev/netmap"

/** A descriptor of the device, unbound? Closes it, by syscall. */
static void
is_device(long fd)
{
	struct stat st;

	CHECK(fd >= 0);
	CHECK(ioctl((int)fd, NIOCTXSYNC, NULL) == -1 && errno == ENXIO);
	CHECK(syscall(SYS_ioctl, fd, NIOCRXSYNC, NULL) == -1 && errno == ENXIO);
	CHECK(syscall(SYS_fstat, fd, &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(syscall(SYS_close, fd) == 0);
	CHECK(ioctl((int)fd, NIOCTXSYNC, NULL) == -1 && errno == EBADF);
}

static void
opens(void)
{
	struct open_how how = {.flags = O_RDWR};
	struct stat st;
	char text[4];
	int fd;

#ifdef SYS_open
	is_device(syscall(SYS_open, DEV, O_RDWR));
	CHECK(syscall(SYS_stat, DEV, &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(syscall(SYS_lstat, DEV, &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(syscall(SYS_access, DEV, R_OK) == 0);
#endif
	is_device(syscall(SYS_openat, AT_FDCWD, DEV, O_RDWR));
	is_device(syscall(SYS_openat2, AT_FDCWD, DEV, &how, sizeof(how)));
	CHECK(syscall(SYS_newfstatat, AT_FDCWD, DEV, &st, 0) == 0 && S_ISCHR(st.st_mode));
	CHECK(syscall(SYS_faccessat, AT_FDCWD, DEV, R_OK) == 0);
	/* others as ever, with all their arguments */
	fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/comm", O_RDONLY);
	CHECK(fd >= 0 && syscall(SYS_pread64, fd, text, 3, 0) == 3 && memcmp(text, "pre", 3) == 0);
	CHECK(syscall(SYS_openat, AT_FDCWD, "/no/such", O_RDONLY) == -1 && errno == ENOENT);
	CHECK(syscall(SYS_getpid) == getpid());
}

/** mmap has all six arguments. */
static struct netmap_if *
open_by_syscall(const char *name, int *fd)
{
	struct nmreq_register reg = {.nr_mode = NR_REG_ALL_NIC};
	struct nmreq_header hdr = {.nr_version = NETMAP_API,
		.nr_reqtype = NETMAP_REQ_REGISTER,
		.nr_body = (uintptr_t)&reg};
	long mem;

	strncpy(hdr.nr_name, name, sizeof(hdr.nr_name) - 1);
	*fd = (int)syscall(SYS_openat, AT_FDCWD, DEV, O_RDWR);
	CHECK(*fd >= 0 && syscall(SYS_ioctl, *fd, NIOCCTRL, &hdr) == 0);
	mem = syscall(SYS_mmap, NULL, reg.nr_memsize, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0L);
	CHECK(mem != -1);
	return NETMAP_IF((char *)mem, reg.nr_offset);
}

static void
send_one(int fd, struct netmap_ring *tx)
{
	memset(NETMAP_BUF(tx, tx->slot[tx->head].buf_idx), 0xff, 60);
	tx->slot[tx->head].len = 60;
	tx->head = tx->cur = nm_ring_next(tx, tx->head);
	CHECK(syscall(SYS_ioctl, fd, NIOCTXSYNC, NULL) == 0);
}

static void
waits(void)
{
	int a, b, set = epoll_create1(0), copy;
	struct netmap_if *if_a = open_by_syscall("valea:0", &a);
	struct netmap_if *if_b = open_by_syscall("valea:1", &b);
	struct netmap_ring *tx = NETMAP_TXRING(if_a, 0), *rx = NETMAP_RXRING(if_b, 0);
	struct pollfd p = {.fd = b, .events = POLLIN};
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 5};
	struct timespec ts = {0, 30000000};
	struct {
		const void *set;
		size_t len;
	} six = {NULL, 8};
	fd_set in;

	CHECK(syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, b, &ev) == 0);
	CHECK(syscall(SYS_ppoll, &p, 1, &ts, NULL, 8) == 0 && ts.tv_nsec == 0);
	send_one(a, tx);
	ts.tv_sec = 1;
	CHECK(syscall(SYS_ppoll, &p, 1, &ts, NULL, 8) == 1 && p.revents == POLLIN);
	FD_ZERO(&in);
	FD_SET(b, &in);
	CHECK(syscall(SYS_pselect6, b + 1, &in, NULL, NULL, NULL, &six) == 1 && FD_ISSET(b, &in));
	CHECK(syscall(SYS_epoll_pwait, set, &ev, 1, 1000, NULL, 8) == 1 && ev.data.u32 == 5);
#ifdef SYS_poll
	CHECK(syscall(SYS_poll, &p, 1, 20000) == 1 && p.revents == POLLIN);
	CHECK(syscall(SYS_select, b + 1, &in, NULL, NULL, NULL) == 1);
	CHECK(syscall(SYS_epoll_wait, set, &ev, 1, 20000) == 1);
#endif
	CHECK(nm_ring_space(rx) == 1);
	rx->head = rx->cur = rx->tail;
	CHECK(syscall(SYS_ppoll, &p, 1, &ts, NULL, 8) == 0); /* the rest of the second */
	copy = (int)syscall(SYS_dup3, b, 600, 0);
	CHECK(copy == 600 && syscall(SYS_close, b) == 0);
	copy = (int)syscall(SYS_fcntl, copy, F_DUPFD_CLOEXEC, 610);
	CHECK(copy >= 610 && syscall(SYS_close_range, 600, 600, 0) == 0);
	send_one(a, tx);
	p.fd = copy;
	CHECK(syscall(SYS_ppoll, &p, 1, NULL, NULL, 8) == 1 && p.revents == POLLIN);
}

#if defined(__x86_64__)
#define OLD "GLIBC_2.2.5"
#else
#define OLD "GLIBC_2.17"
#endif

/* What programs call that were built with a libc before 2.33. */
__asm__(".symver __xstat, __xstat@" OLD);
__asm__(".symver __lxstat, __lxstat@" OLD);
__asm__(".symver __fxstat, __fxstat@" OLD);
__asm__(".symver __fxstat64, __fxstat64@" OLD);
int __xstat(int ver, const char *path, struct stat *st);
int __lxstat(int ver, const char *path, struct stat *st);
int __fxstat(int ver, int fd, struct stat *st);
int __fxstat64(int ver, int fd, struct stat *st);

static void
old_stats(void)
{
	int fd = open(DEV, O_RDWR);
	struct stat st;

	CHECK(__xstat(1, DEV, &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(__lxstat(1, DEV, &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(__fxstat(1, fd, &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(__fxstat64(1, fd, &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(__xstat(1, "/", &st) == 0 && S_ISDIR(st.st_mode));
	CHECK(__xstat(1, "/no/such", &st) == -1 && errno == ENOENT);
	CHECK(__fxstat(7, fd, &st) == -1 && errno == EINVAL);
}

#define FRAMES 20000

/** What a child does between two getppid, and what its tracer saw meanwhile. */
struct work {
	long syncs;
	long looks, others; /* the tracer's */
};

/** FRAMES frames, one a sync. */
static void
busy(struct nm_desc *a, struct nm_desc *b, struct work *w)
{
	struct netmap_ring *tx = NETMAP_TXRING(a->nifp, 0), *rx = NETMAP_RXRING(b->nifp, 0);

	syscall(SYS_getppid);
	for (int i = 0; i < FRAMES; i++) {
		tx->slot[tx->head].len = 60;
		tx->head = tx->cur = nm_ring_next(tx, tx->head);
		if (ioctl(a->fd, NIOCTXSYNC, NULL) != 0)
			_exit(2);
		for (; nm_ring_empty(rx); w->syncs++)
			if (ioctl(b->fd, NIOCRXSYNC, NULL) != 0)
				_exit(3);
		rx->head = rx->cur = rx->tail;
		w->syncs++;
	}
	syscall(SYS_getppid);
}

static void
count_call(struct work *w, unsigned long nr, long *marks)
{
	switch (nr) {
	case SYS_getppid:
		++*marks;
		break;
	case SYS_ppoll:
		w->looks += *marks == 1;
		break;
	case SYS_gettimeofday: /* where the clock is the kernel's alone */
		break;
	default:
		w->others += *marks == 1;
		break;
	}
}

/** Follow a traced child to its end. */
static void
count_calls(pid_t pid, struct work *w)
{
	int status, inside = 0;
	long marks = 0;

	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	CHECK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
	while (1) {
		struct __ptrace_syscall_info info;

		CHECK(ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0);
		CHECK(waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status))
			break;
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80) ||
			(inside ^= 1) == 0)
			continue;
		CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0);
		count_call(w, info.entry.nr, &marks);
	}
	CHECK(WEXITSTATUS(status) == 0 && marks == 2);
}

/* While the switch is awake frames go through without a system call, but for a look whether there
 * still is a switch, once in 64 syncs that find nothing. Run where the switch never sleeps. */
static void
no_calls(void)
{
	struct work *w =
		mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct netmap_ring *tx = NETMAP_TXRING(a->nifp, 0);
	pid_t pid;

	CHECK(w != MAP_FAILED);
	for (uint32_t i = 0; i < tx->num_slots; i++)
		memset(NETMAP_BUF(tx, tx->slot[i].buf_idx), 0xff, 60);
	pre_send(a, 60, 1); /* the first one rings */
	pre_expect(b, 60, 1);
	pid = fork();
	if (pid == 0) {
		CHECK(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
		raise(SIGSTOP);
		busy(a, b, w);
		_exit(0);
	}
	count_calls(pid, w);
	printf("%d frames sent and received, %ld empty looks for them, %ld looks for the switch, "
	       "%ld other system calls\n",
		FRAMES, w->syncs - FRAMES, w->looks, w->others);
	CHECK(w->others == 0 && w->looks <= w->syncs / 64);
}

const struct pre_case pre_syscall_cases[] = {
	{"no_calls", no_calls},
	{"old_stats", old_stats},
	{"syscall_opens", opens},
	{"syscall_waits", waits},
	{NULL, NULL},
};
