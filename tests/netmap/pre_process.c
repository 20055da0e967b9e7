/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors: fork, exec, vfork, messages, numbers that are closed and used again. */
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "pre.h"

int close_range(unsigned int first, unsigned int last, int flags);
int dup3(int old, int new, int flags);

static void
forking(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	int status, copy;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		pre_send(a, 60, 1);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	pre_expect(b, 60, 1);
	copy = dup(a->fd);
	CHECK(copy >= 0 && close(a->fd) == 0);
	a->fd = copy;
	pre_send(a, 60, 2);
	pre_expect(b, 60, 2);
	CHECK(dup2(b->fd, 500) == 500 && close(b->fd) == 0);
	b->fd = 500;
	pre_send(a, 60, 3);
	pre_expect(b, 60, 3);
}

/* After exec, all that is left is a number. */
void
pre_execed(int fd)
{
	struct nmreq req = {.nr_version = NETMAP_API};
	struct pollfd p = {.fd = fd, .events = POLLIN};

	CHECK(poll(&p, 1, 20000) == 1 && p.revents == POLLIN);
	CHECK(ioctl(fd, NIOCREGIF, &req) == -1 && errno == EBUSY);
	CHECK(ioctl(fd, NIOCRXSYNC, NULL) == 0);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
}

static void
executing(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	char number[16];
	int status;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", b->fd);
	pre_send(a, 60, 1);
	pid = fork();
	if (pid == 0) {
		execl(pre_self, pre_self, "execed", number, NULL);
		_exit(9);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void
passing(void)
{
	char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int pair[2], status;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	pid = fork();
	if (pid == 0) {
		struct nm_desc *b = pre_open("valea:1");

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &b->fd, sizeof(int));
		CHECK(sendmsg(pair[1], &msg, 0) == 1);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(recvmsg(pair[0], &msg, 0) == 1);
	pre_send(pre_open("valea:0"), 60, 1);
	memcpy(&status, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	pre_execed(status);
}

static void
device(void)
{
	struct pollfd p = {.events = POLLIN | POLLOUT};
	struct nmreq_header hdr = {.nr_version = 14, .nr_reqtype = NETMAP_REQ_REGISTER};
	struct stat st;

	CHECK(stat("/dev/netmap", &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(access("/dev/netmap", R_OK | W_OK) == 0);
	p.fd = open("/dev/netmap", O_RDWR);
	CHECK(p.fd >= 0);
	CHECK(ioctl(p.fd, NIOCTXSYNC, NULL) == -1 && errno == ENXIO);
	CHECK(ioctl(p.fd, NIOCRXSYNC, NULL) == -1 && errno == ENXIO);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, p.fd, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(poll(&p, 1, 20000) == 1 && p.revents == POLLERR);
	CHECK(ioctl(p.fd, 0x6900, NULL) == -1 && errno == EOPNOTSUPP);
	CHECK(ioctl(p.fd, NIOCCTRL, &hdr) == -1 && errno == EINVAL);
	hdr.nr_body = 16;
	CHECK(ioctl(p.fd, NIOCCTRL, &hdr) == -1 && errno == EFAULT);
	CHECK(ioctl(p.fd, NIOCCTRL, (void *)16) == -1 && errno == EFAULT);
	/* a socket of another kind is none of netmap's */
	p.fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CHECK(ioctl(p.fd, NIOCTXSYNC, NULL) == -1 && errno == ENOTTY);
}

/* The child of a vfork closes and replaces numbers of its own, in its parent's memory. */
static void
vforked(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 9};
	int set = epoll_create1(0), pipe_fd[2], status;
	struct pollfd p = {.events = POLLIN};
	pid_t pid;

	CHECK(pipe(pipe_fd) == 0 && epoll_ctl(set, EPOLL_CTL_ADD, b->fd, &ev) == 0);
	for (int i = 0; i < 20; i++) {
		pid = vfork();
		if (pid == 0) {
			close(b->fd);
			dup2(a->fd, pipe_fd[0]); /* the parent's stays a pipe */
			close(set);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	pre_expect_none(b, 20);
	pre_send(a, 60, 1);
	CHECK(epoll_wait(set, &ev, 1, 20000) == 1 && ev.data.u32 == 9 && ev.events == EPOLLIN);
	pre_expect(b, 60, 1);
	p.fd = pipe_fd[0];
	CHECK(poll(&p, 1, 20) == 0 && write(pipe_fd[1], "x", 1) == 1);
	CHECK(poll(&p, 1, 20000) == 1 && p.revents == POLLIN);
	/* and a copy of its own is a child's that was forked */
	pid = fork();
	if (pid == 0) {
		CHECK(dup2(pipe_fd[0], b->fd) == b->fd);
		p.fd = b->fd;
		CHECK(poll(&p, 1, 20000) == 1);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	pre_send(a, 60, 2);
	pre_expect(b, 60, 2);
}

/** A pipe at this number: is it one, and nothing else? */
static void
is_pipe(int in, int out)
{
	struct pollfd p = {.fd = in, .events = POLLIN};
	struct stat st;
	char c;

	CHECK(poll(&p, 1, 0) == 0 && write(out, "x", 1) == 1);
	CHECK(poll(&p, 1, 20000) == 1 && p.revents == POLLIN && read(in, &c, 1) == 1);
	CHECK(fstat(in, &st) == 0 && S_ISFIFO(st.st_mode));
	CHECK(ioctl(in, NIOCRXSYNC, NULL) == -1 && errno == ENOTTY);
}

/* However a number was closed, it is the next one's. */
static void
reused(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b;

	for (int how = 0; how < 7; how++) {
		int fd, pipe_fd[2], in, out;
		FILE *f;

		b = pre_open("valea:1");
		pre_send(a, 60, 1);
		pre_expect(b, 60, 1);
		CHECK(pipe(pipe_fd) == 0);
		fd = b->fd;
		switch (how) {
		case 0:
			CHECK(close(fd) == 0);
			break;
		case 1:
			CHECK(close_range((unsigned int)fd, (unsigned int)fd, 0) == 0);
			break;
		case 2:
			f = fdopen(fd, "r");
			CHECK(f != NULL && fclose(f) == 0);
			break;
		case 3:
			CHECK(dup2(pipe_fd[0], fd) == fd);
			break;
		case 4:
			CHECK(dup3(pipe_fd[0], fd, O_CLOEXEC) == fd);
			break;
		case 5:
			CHECK(dup2(990, fd) == -1 && errno == EBADF); /* nothing happened */
			pre_send(a, 60, 2);
			pre_expect(b, 60, 2);
			CHECK(close(fd) == 0);
			break;
		default:
			in = fcntl(fd, F_DUPFD, 700);
			CHECK(in >= 700 && close(fd) == 0);
			b->fd = in;
			pre_send(a, 60, 3);
			pre_expect(b, 60, 3);
			CHECK(close(in) == 0);
			break;
		}
		in = how == 3 || how == 4 ? fd : dup2(pipe_fd[0], fd);
		out = pipe_fd[1];
		CHECK(in == fd);
		is_pipe(in, out);
		close(in);
		close(pipe_fd[0]);
		close(out);
	}
}

/* Programs that close all there may be, and go on. */
static void
close_all(void)
{
	for (int how = 0; how < 3; how++) {
		struct nm_desc *a = pre_open("valea:0/x"), *b = pre_open("valea:1/x");
		int pipe_fd[2];

		pre_send(a, 60, 1);
		pre_expect(b, 60, 1);
		if (how == 0)
			CHECK(close_range(3, ~0u, 0) == 0);
		else if (how == 1)
			closefrom(3);
		else
			for (int fd = 3; fd < (int)sysconf(_SC_OPEN_MAX) && fd < 70000; fd++)
				close(fd);
		CHECK(pipe(pipe_fd) == 0);
		is_pipe(pipe_fd[0], pipe_fd[1]);
		close(pipe_fd[0]);
		close(pipe_fd[1]);
	}
}

/* A program that has spent its descriptors still has its rings, and waits. */
static void
few_numbers(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 3;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0 && dup(0) == -1 && errno == EMFILE);
	CHECK(open("/dev/netmap", O_RDWR) == -1 && errno == EMFILE);
	for (int i = 0; i < 10; i++) {
		pre_send(a, 60, (char)i);
		for (struct netmap_ring *rx = NETMAP_RXRING(b->nifp, 0); nm_ring_empty(rx);)
			CHECK(ioctl(b->fd, NIOCRXSYNC, NULL) == 0);
		NETMAP_RXRING(b->nifp, 0)->head = NETMAP_RXRING(b->nifp, 0)->cur =
			NETMAP_RXRING(b->nifp, 0)->tail;
	}
	CHECK(nm_close(a) == 0);
}

/* The device looks like one, by name and by descriptor. */
static void
stats(void)
{
	int fd = open("/dev/netmap", O_RDWR), copy = dup(fd), null = open("/dev/null", O_RDWR);
	struct stat name, st;

	CHECK(stat("/dev/netmap", &name) == 0 && S_ISCHR(name.st_mode));
	CHECK(lstat("/dev/netmap", &st) == 0 && S_ISCHR(st.st_mode));
	for (int i = 0; i < 2; i++) {
		CHECK(fstat(i ? copy : fd, &st) == 0 && S_ISCHR(st.st_mode));
		CHECK(st.st_rdev == name.st_rdev && st.st_ino == name.st_ino);
	}
	CHECK(fstatat(fd, "", &st, 0x1000 /* AT_EMPTY_PATH */) == 0 && S_ISCHR(st.st_mode));
	CHECK(fstat(null, &st) == 0 && st.st_rdev != name.st_rdev);
	CHECK(fstat(-1, &st) == -1 && errno == EBADF);
	CHECK(faccessat(AT_FDCWD, "/dev/netmap", R_OK | W_OK, 0) == 0);
	CHECK(access("/dev/netmap/x", F_OK) == -1);
}

const struct pre_case pre_process_cases[] = {
	{"close_all", close_all},
	{"device", device},
	{"executing", executing},
	{"few_numbers", few_numbers},
	{"forking", forking},
	{"passing", passing},
	{"reused", reused},
	{"stats", stats},
	{"vforked", vforked},
	{NULL, NULL},
};
