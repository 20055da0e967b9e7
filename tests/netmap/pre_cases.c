/* SPDX-License-Identifier: BSD-3-Clause */
/* Netmap programs as they are written: this one knows /dev/netmap and nothing of a switch in user
 * space. `pre-cases NAME` runs one case under vale-exec; status 0 is right. */
#define NETMAP_WITH_LIBS
#include <net/netmap_user.h>

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CHECK(x)                                                                                  \
	do {                                                                                      \
		if (!(x)) {                                                                       \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #x, errno); \
			exit(1);                                                                  \
		}                                                                                 \
	} while (0)

static char frame[2048 * 8];

static struct nm_desc *
open_port(const char *name)
{
	struct nm_desc *d = nm_open(name, NULL, 0, NULL);

	CHECK(d != NULL);
	return d;
}

/** Send one frame of len bytes that begins with mark. */
static void
send_one(struct nm_desc *d, size_t len, char mark)
{
	memset(frame, mark, len);
	memset(frame, 0xff, 6);
	frame[6] = 2;
	CHECK(nm_inject(d, frame, len) == (int)len);
	CHECK(ioctl(d->fd, NIOCTXSYNC, NULL) == 0);
}

/** Wait for a frame of len bytes; its last byte is mark. */
static void
expect_one(struct nm_desc *d, size_t len, char mark)
{
	struct pollfd p = {.fd = d->fd, .events = POLLIN};
	struct nm_pkthdr h;
	unsigned char *buf;

	CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLIN);
	buf = nm_nextpkt(d, &h);
	CHECK(buf != NULL && h.len == len && buf[len - 1] == (unsigned char)mark);
}

/** Nothing comes. */
static void
expect_none(struct nm_desc *d, int ms)
{
	struct pollfd p = {.fd = d->fd, .events = POLLIN};

	CHECK(poll(&p, 1, ms) == 0 && p.revents == 0);
}

static void
lengths(void)
{
	static const size_t good[] = {14, 15, 59, 60, 64, 1514, 2000, 2047, 2048};
	struct nm_desc *a = open_port("valea:0"), *b = open_port("valea:1");
	struct netmap_ring *ring = NETMAP_TXRING(a->nifp, 0);

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		send_one(a, good[i], (char)i);
		expect_one(b, good[i], (char)i);
	}
	send_one(a, 13, 1);
	ring->slot[ring->head].len = 2049;
	ring->head = ring->cur = nm_ring_next(ring, ring->head);
	CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
	send_one(a, 60, 7);
	expect_one(b, 60, 7); /* and nothing before it */
	expect_none(b, 0);
	expect_none(a, 0);
}

static void *
send_later(void *arg)
{
	usleep(300000);
	send_one(arg, 60, 3);
	return NULL;
}

/* A receiver that sleeps wakes for the first frame. */
static void
sleeper(void)
{
	struct nm_desc *a = open_port("valea:0"), *b = open_port("valea:1");
	struct timespec from, to;
	pthread_t t;

	expect_none(b, 50);
	clock_gettime(CLOCK_MONOTONIC, &from);
	CHECK(pthread_create(&t, NULL, send_later, a) == 0);
	expect_one(b, 60, 3);
	clock_gettime(CLOCK_MONOTONIC, &to);
	CHECK((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 < 3000);
	pthread_join(t, NULL);
}

static void
selecting(void)
{
	struct nm_desc *a = open_port("valea:0"), *b = open_port("valea:1");
	struct timeval tv = {0, 50000};
	int pipe_fd[2], max;
	fd_set in, out;

	CHECK(pipe(pipe_fd) == 0);
	max = (b->fd > pipe_fd[0] ? b->fd : pipe_fd[0]) + 1;
	FD_ZERO(&in);
	FD_SET(b->fd, &in);
	FD_SET(pipe_fd[0], &in);
	CHECK(select(max, &in, NULL, NULL, &tv) == 0 && !FD_ISSET(b->fd, &in));
	FD_ZERO(&out);
	FD_SET(a->fd, &out);
	CHECK(select(a->fd + 1, NULL, &out, NULL, NULL) == 1 && FD_ISSET(a->fd, &out));
	send_one(a, 60, 1);
	FD_SET(b->fd, &in);
	FD_SET(pipe_fd[0], &in);
	CHECK(select(max, &in, NULL, NULL, NULL) == 1);
	CHECK(FD_ISSET(b->fd, &in) && !FD_ISSET(pipe_fd[0], &in));
	expect_one(b, 60, 1);
	CHECK(write(pipe_fd[1], "x", 1) == 1);
	FD_SET(b->fd, &in);
	FD_SET(pipe_fd[0], &in);
	CHECK(select(max, &in, NULL, NULL, NULL) == 1);
	CHECK(!FD_ISSET(b->fd, &in) && FD_ISSET(pipe_fd[0], &in));
}

/* Full rings block, and go on when there is room. */
static void
full(void)
{
	struct nm_desc *a = open_port("valea:0"), *b = open_port("valea:1");
	struct netmap_ring *ring = NETMAP_TXRING(a->nifp, 0);
	struct pollfd p = {.fd = a->fd, .events = POLLOUT};

	for (int sent = 0; sent < 20000; sent++) {
		memset(frame, 0xff, 60);
		frame[6] = 2;
		while (nm_inject(a, frame, 60) == 0)
			CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLOUT);
	}
	CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
	while (nm_ring_space(ring) != ring->num_slots - 1) {
		CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
		usleep(1000);
	}
	CHECK(ioctl(b->fd, NIOCRXSYNC, NULL) == 0);
	CHECK(nm_ring_space(NETMAP_RXRING(b->nifp, 0)) == 1023);
}

static void
chains(void)
{
	struct nm_desc *a = open_port("valea:0"), *b = open_port("valea:1");
	struct netmap_ring *rx = NETMAP_RXRING(b->nifp, 0);
	struct pollfd p = {.fd = b->fd, .events = POLLIN};

	send_one(a, 2048 * 3 + 100, 5);
	CHECK(poll(&p, 1, 5000) == 1);
	CHECK(nm_ring_space(rx) == 4);
	for (uint32_t i = 0; i < 4; i++) {
		struct netmap_slot *s = &rx->slot[(rx->head + i) % rx->num_slots];

		CHECK(s->len == (i < 3 ? 2048 : 100) && NS_RFRAGS(s) == 4);
		CHECK(!(s->flags & NS_MOREFRAG) == (i == 3));
	}
}

static void
indirect(void)
{
	static const uint64_t bad[] = {0, 0x1000};
	struct nm_desc *a = open_port("valea:0"), *b = open_port("valea:1");
	struct netmap_ring *ring = NETMAP_TXRING(a->nifp, 0);

	memset(frame, 0x49, 100);
	for (int i = 0; i < 3; i++) {
		struct netmap_slot *s = &ring->slot[ring->head];

		s->ptr = i < 2 ? bad[i] : (uintptr_t)frame;
		s->len = 100;
		s->flags = NS_INDIRECT | NS_REPORT;
		ring->head = ring->cur = nm_ring_next(ring, ring->head);
	}
	CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
	CHECK(ring->slot[2].flags == NS_REPORT);
	expect_one(b, 100, 0x49);
	expect_none(b, 0);
}

/* Indices out of order: mended as by netmap, and the port lives on. */
static void
bad_indices(void)
{
	struct nm_desc *a = open_port("valea:0"), *b = open_port("valea:1");
	struct netmap_ring *tx = NETMAP_TXRING(a->nifp, 0), *rx = NETMAP_RXRING(b->nifp, 0);
	struct pollfd p = {.fd = a->fd, .events = POLLOUT};

	send_one(a, 60, 1);
	tx->head = tx->cur = tx->num_slots + 5;
	CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
	CHECK(tx->head == 1 && tx->cur == 1);
	tx->cur = tx->num_slots;
	CHECK(poll(&p, 1, 0) == 1 && (p.revents & POLLERR));
	CHECK(tx->head == 1 && tx->cur == 1);
	expect_one(b, 60, 1);
	rx->head = rx->cur = (rx->tail + 3) % rx->num_slots;
	CHECK(ioctl(b->fd, NIOCRXSYNC, NULL) == 0);
	rx->head = rx->cur = rx->tail;
	send_one(a, 60, 2);
	expect_one(b, 60, 2);
}

static void
sharing(void)
{
	struct nm_desc *a = open_port("valea:0"), *c, *b = open_port("valea:1");
	struct netmap_ring *one, *two;

	c = open_port("valea:0");
	CHECK(a->req.nr_arg2 == c->req.nr_arg2);
	one = NETMAP_TXRING(a->nifp, 0);
	two = NETMAP_TXRING(c->nifp, 0);
	send_one(a, 60, 1);
	CHECK(two->head == one->head && two->head == 1);
	send_one(c, 60, 2);
	expect_one(b, 60, 1);
	expect_one(b, 60, 2);
	CHECK(nm_open("valea:0/x", NULL, 0, NULL) == NULL && errno == EBUSY);
	nm_close(a);
	send_one(c, 60, 3);
	expect_one(b, 60, 3);
	nm_close(c);
	a = open_port("valea:0/x");
	CHECK(nm_open("valea:0", NULL, 0, NULL) == NULL && errno == EBUSY);
}

/* What was sent right before close is delivered, and the name is free at once. */
static void
open_close(void)
{
	struct nm_desc *b = open_port("valea:1");

	for (int i = 0; i < 1000; i++) {
		struct nm_desc *a = open_port("valea:0/x");

		send_one(a, 60, (char)i);
		CHECK(nm_close(a) == 0);
		expect_one(b, 60, (char)i);
	}
}

static void
forking(void)
{
	struct nm_desc *a = open_port("valea:0"), *b = open_port("valea:1");
	int status, copy;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		send_one(a, 60, 1);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	expect_one(b, 60, 1);
	copy = dup(a->fd);
	CHECK(copy >= 0 && close(a->fd) == 0);
	a->fd = copy;
	send_one(a, 60, 2);
	expect_one(b, 60, 2);
	CHECK(dup2(b->fd, 500) == 500 && close(b->fd) == 0);
	b->fd = 500;
	send_one(a, 60, 3);
	expect_one(b, 60, 3);
}

/* After exec, all that is left is a number. */
static void
execed(int fd)
{
	struct nmreq req = {.nr_version = NETMAP_API};
	struct pollfd p = {.fd = fd, .events = POLLIN};

	CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLIN);
	CHECK(ioctl(fd, NIOCREGIF, &req) == -1 && errno == EBUSY);
	CHECK(ioctl(fd, NIOCRXSYNC, NULL) == 0);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
}

static void
executing(char *self)
{
	struct nm_desc *a = open_port("valea:0"), *b = open_port("valea:1");
	char number[16];
	int status;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", b->fd);
	send_one(a, 60, 1);
	pid = fork();
	if (pid == 0) {
		execl(self, self, "execed", number, NULL);
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
		struct nm_desc *b = open_port("valea:1");

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &b->fd, sizeof(int));
		CHECK(sendmsg(pair[1], &msg, 0) == 1);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(recvmsg(pair[0], &msg, 0) == 1);
	send_one(open_port("valea:0"), 60, 1);
	memcpy(&status, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	execed(status);
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
	CHECK(poll(&p, 1, 1000) == 1 && p.revents == POLLERR);
	CHECK(ioctl(p.fd, 0x6900, NULL) == -1 && errno == EOPNOTSUPP);
	CHECK(ioctl(p.fd, NIOCCTRL, &hdr) == -1 && errno == EINVAL);
	hdr.nr_body = 16;
	CHECK(ioctl(p.fd, NIOCCTRL, &hdr) == -1 && errno == EFAULT);
	CHECK(ioctl(p.fd, NIOCCTRL, (void *)16) == -1 && errno == EFAULT);
	/* a socket of another kind is none of netmap's */
	p.fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	CHECK(ioctl(p.fd, NIOCTXSYNC, NULL) == -1 && errno == ENOTTY);
}

static void
epolling(void)
{
	struct nm_desc *a = open_port("valea:0"), *b = open_port("valea:1");
	struct epoll_event in = {.events = EPOLLIN, .data.u32 = 77}, got[4];
	int set = epoll_create1(0), pipe_fd[2];
	pthread_t t;

	CHECK(pipe(pipe_fd) == 0 && set >= 0);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, b->fd, &in) == 0);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, b->fd, &in) == -1 && errno == EEXIST);
	in.data.u32 = 78;
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, pipe_fd[0], &in) == 0);
	CHECK(epoll_wait(set, got, 4, 50) == 0);
	CHECK(pthread_create(&t, NULL, send_later, a) == 0);
	CHECK(epoll_wait(set, got, 4, 5000) == 1);
	CHECK(got[0].data.u32 == 77 && got[0].events == EPOLLIN);
	pthread_join(t, NULL);
	CHECK(epoll_wait(set, got, 4, 0) == 1); /* until it is taken */
	expect_one(b, 60, 3);
	CHECK(epoll_wait(set, got, 4, 0) == 0);
	CHECK(write(pipe_fd[1], "x", 1) == 1);
	CHECK(epoll_wait(set, got, 4, 5000) == 1 && got[0].data.u32 == 78);
	send_one(a, 60, 4);
	expect_one(b, 60, 4);
	send_one(a, 60, 5);
	usleep(100000);
	CHECK(epoll_wait(set, got, 4, 5000) == 2);
	/* writable, by edge, once */
	CHECK(epoll_ctl(set, EPOLL_CTL_DEL, pipe_fd[0], NULL) == 0);
	CHECK(epoll_ctl(set, EPOLL_CTL_DEL, b->fd, NULL) == 0);
	CHECK(epoll_ctl(set, EPOLL_CTL_MOD, b->fd, &in) == -1 && errno == ENOENT);
	in.events = EPOLLOUT | EPOLLET;
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, a->fd, &in) == 0);
	CHECK(epoll_wait(set, got, 4, 5000) == 1 && got[0].events == EPOLLOUT);
	CHECK(epoll_wait(set, got, 4, 50) == 0);
	in.events = EPOLLOUT | EPOLLONESHOT;
	CHECK(epoll_ctl(set, EPOLL_CTL_MOD, a->fd, &in) == 0);
	CHECK(epoll_wait(set, got, 4, 5000) == 1);
	CHECK(epoll_wait(set, got, 4, 50) == 0);
	nm_close(a);
	CHECK(epoll_wait(set, got, 4, 50) == 0);
}

/* The switch goes while this waits. */
static void
orphan(void)
{
	struct nm_desc *a = open_port("valea:0");
	struct pollfd p = {.fd = a->fd, .events = POLLIN};
	int i;

	puts("waiting");
	fflush(stdout);
	CHECK(poll(&p, 1, 30000) == 1 && p.revents == POLLERR);
	for (i = 0; i < 1000 && ioctl(a->fd, NIOCTXSYNC, NULL) == 0; i++)
		;
	CHECK(i < 1000 && errno == ENXIO);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{"bad_indices", bad_indices},
		{"chains", chains},
		{"device", device},
		{"epolling", epolling},
		{"forking", forking},
		{"full", full},
		{"indirect", indirect},
		{"lengths", lengths},
		{"open_close", open_close},
		{"orphan", orphan},
		{"passing", passing},
		{"selecting", selecting},
		{"sharing", sharing},
		{"sleeper", sleeper},
	};

	if (argc == 3 && strcmp(argv[1], "execed") == 0) {
		execed(atoi(argv[2]));
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "executing") == 0) {
		executing(argv[0]);
		return 0;
	}
	for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
	}
	fprintf(stderr, "no such case\n");
	return 2;
}
