/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads and signal handlers: while one waits, others open, close and copy. */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "pre.h"

/** For how long the cases go on that may go on for ever. */
static long
run_ms(void)
{
	const char *env = getenv("VALE_TEST_MS");

	return env != NULL ? atol(env) : 500;
}

static _Atomic bool stop;

/** Mapped pieces of regions in this process: two for each port that is open. */
static int
nb_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	int n = 0;

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, "memfd:") != NULL || strstr(line, "netmap") != NULL;
	fclose(f);
	return n;
}

/* ---- cancelled ---- */

static void *
in_poll(void *arg)
{
	struct pollfd p = {.fd = *(int *)arg, .events = POLLIN};

	return poll(&p, 1, -1) == 0 ? NULL : arg;
}

static void *
in_select(void *arg)
{
	int fd = *(int *)arg;
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	return select(fd + 1, &in, NULL, NULL, NULL) == 0 ? NULL : arg;
}

static int wait_set;

static void *
in_epoll(void *arg)
{
	struct epoll_event ev;

	return epoll_wait(wait_set, &ev, 1, -1) == 0 ? NULL : arg;
}

/* A thread that is cancelled in its sleep leaves nothing behind, and wakes nobody later. */
static void
cancelled(void)
{
	static void *(*const how[])(void *) = {in_poll, in_select, in_epoll};
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct epoll_event ev = {.events = EPOLLIN};
	int maps, before, fd;
	void *ret;

	wait_set = epoll_create1(0);
	CHECK(epoll_ctl(wait_set, EPOLL_CTL_ADD, b->fd, &ev) == 0);
	before = nb_maps();
	for (size_t i = 0; i < 3 * COUNT(how); i++) {
		pthread_t t;

		CHECK(pthread_create(&t, NULL, how[i % COUNT(how)], &b->fd) == 0);
		usleep(20000);
		CHECK(pthread_cancel(t) == 0);
		CHECK(pthread_join(t, &ret) == 0 && ret == PTHREAD_CANCELED);
	}
	pre_send(a, 60, 1);
	pre_expect(b, 60, 1);
	/* who waits now sleeps, and is not woken by what was meant for the others */
	pre_expect_none(b, 30);
	CHECK(nb_maps() == before);
	fd = b->fd;
	CHECK(munmap(b->mem, b->memsize) == 0);
	maps = nb_maps();
	close(fd);
	CHECK(nb_maps() < maps); /* nobody holds the region */
}

/* ---- others open and close ---- */

static void *
opens_and_closes(void *arg)
{
	char name[32];

	for (unsigned int i = 0; !atomic_load(&stop); i++) {
		struct nmreq_register reg = {.nr_tx_slots = 16, .nr_rx_slots = 16};
		int pipe_fd[2], copy, fd;
		struct pollfd p = {.events = POLLIN};
		struct netmap_if *nifp;
		char c;

		snprintf(name, sizeof(name), "valea:%c%u", *(char *)arg, i % 3);
		fd = pre_register(name, &reg, NULL, &nifp);
		CHECK(fd >= 0);
		copy = i % 2 == 0 ? dup(fd) : fcntl(fd, F_DUPFD_CLOEXEC, 100);
		CHECK(copy >= 0);
		p.fd = copy;
		CHECK(poll(&p, 1, 0) >= 0 && p.revents != POLLNVAL);
		CHECK(munmap((char *)nifp - reg.nr_offset, reg.nr_memsize) == 0);
		CHECK(close(fd) == 0 && close(copy) == 0);
		CHECK(pipe(pipe_fd) == 0);
		p.fd = pipe_fd[0];
		CHECK(poll(&p, 1, 0) == 0 && write(pipe_fd[1], "x", 1) == 1);
		CHECK(poll(&p, 1, 20000) == 1 && p.revents == POLLIN);
		CHECK(read(pipe_fd[0], &c, 1) == 1);
		CHECK(close(pipe_fd[0]) == 0 && close(pipe_fd[1]) == 0);
	}
	return NULL;
}

/** Looks at all numbers, whosoever they are. */
static void *
polls_all(void *arg)
{
	struct pollfd p[60];

	while (!atomic_load(&stop)) {
		for (int i = 0; i < 60; i++)
			p[i] = (struct pollfd){.fd = i + 3, .events = POLLIN | POLLOUT};
		CHECK(poll(p, 60, 1) >= 0);
	}
	return arg;
}

/** A frame on a ring that others sync, too: poll may tell of it a moment before it is seen. */
static void
expect_shared(struct nm_desc *d, char mark)
{
	struct pollfd p = {.fd = d->fd, .events = POLLIN};
	long end = pre_now_ms() + 20000;
	unsigned char *buf = NULL;
	struct nm_pkthdr h;

	for (; buf == NULL && pre_now_ms() < end; buf = nm_nextpkt(d, &h))
		CHECK(poll(&p, 1, 1000) >= 0);
	CHECK(buf != NULL && h.len == 60 && buf[59] == (unsigned char)mark);
}

/* Numbers come and go and change their meaning, while others wait on them. */
static void
churn(void)
{
	struct nm_desc *a = pre_open("valea:a"), *b = pre_open("valea:b");
	static char names[] = "xyz";
	int before = nb_maps();
	pthread_t t[5];
	long end = pre_now_ms() + run_ms();

	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&t[i], NULL, opens_and_closes, &names[i]) == 0);
	for (int i = 3; i < 5; i++)
		CHECK(pthread_create(&t[i], NULL, polls_all, NULL) == 0);
	for (int i = 0; pre_now_ms() < end; i++) {
		pre_send(a, 60, (char)i);
		expect_shared(b, (char)i);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 5; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	CHECK(nb_maps() == before);
	CHECK(fork() != 0 || (pre_send(a, 60, 9), _exit(0), 0));
	pre_expect(b, 60, 9);
}

/* ---- a fork while threads are busy ---- */

static void *
syncs(void *arg)
{
	struct nm_desc *d = arg;

	while (!atomic_load(&stop)) {
		struct pollfd p = {.fd = d->fd, .events = POLLOUT};

		CHECK(poll(&p, 1, 0) >= 0 && ioctl(d->fd, NIOCRXSYNC, NULL) == 0);
	}
	return NULL;
}

static void
fork_busy(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	long end = pre_now_ms() + run_ms();
	pthread_t t;

	CHECK(pthread_create(&t, NULL, syncs, a) == 0);
	while (pre_now_ms() < end) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			struct nm_desc *c = pre_open("valea:2");

			pre_send(c, 60, 4);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
		pre_expect(b, 60, 4);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
}

/* ---- signal handlers ---- */

static struct nm_desc *sig_rx, *sig_tx;
static int sig_pipe[2], nb_handled;

static void
busy_handler(int sig)
{
	struct pollfd p[2] = {
		{.fd = sig_rx->fd, .events = POLLIN}, {.fd = sig_tx->fd, .events = POLLOUT}};
	int saved = errno, fd;
	char c;

	(void)sig;
	CHECK(poll(p, 2, 0) >= 0);
	CHECK(ioctl(sig_rx->fd, NIOCRXSYNC, NULL) == 0 && ioctl(sig_tx->fd, NIOCTXSYNC, NULL) == 0);
	CHECK(write(sig_pipe[1], "x", 1) == 1 && read(sig_pipe[0], &c, 1) == 1);
	fd = dup(sig_rx->fd);
	p[0].fd = fd;
	CHECK(poll(p, 1, 0) >= 0 && !(p[0].revents & POLLNVAL));
	CHECK(close(fd) == 0);
	nb_handled++;
	errno = saved;
}

/* A handler does in the middle of anything what the program does, and nobody waits for ever. */
static void
handlers(void)
{
	struct itimerval often = {{0, 300}, {0, 300}}, never = {0};
	struct sigaction sa = {.sa_flags = SA_RESTART};
	long end = pre_now_ms() + run_ms();
	struct nm_pkthdr h;
	int got = 0, sent = 0;

	sig_tx = pre_open("valea:0");
	sig_rx = pre_open("valea:1");
	CHECK(pipe(sig_pipe) == 0);
	sa.sa_handler = busy_handler;
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (pre_now_ms() < end || got < sent || sent <= 100 || nb_handled <= 10) {
		struct pollfd p = {.fd = sig_rx->fd, .events = POLLIN};
		unsigned char *buf;

		if (sent - got < 500 && (pre_now_ms() < end || sent <= 100)) {
			memset(pre_frame, 0xff, 60);
			pre_frame[6] = 2;
			pre_frame[59] = (char)sent;
			sent += nm_inject(sig_tx, pre_frame, 60) == 60;
			CHECK(ioctl(sig_tx->fd, NIOCTXSYNC, NULL) == 0);
		}
		CHECK(poll(&p, 1, 1) >= 0 || errno == EINTR);
		for (; (buf = nm_nextpkt(sig_rx, &h)) != NULL; got++)
			CHECK(h.len == 60 && buf[59] == (unsigned char)got);
		CHECK(pre_now_ms() < end + 20000);
	}
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(got == sent);
}

/* ---- little stack ---- */

static void *
on_small_stack(void *arg)
{
	struct nmreq_register reg = {.nr_mode = NR_REG_ALL_NIC};
	struct pollfd p = {.events = POLLIN | POLLOUT};
	struct epoll_event ev = {.events = EPOLLOUT};
	struct netmap_if *nifp;
	int set = epoll_create1(0);
	fd_set out;

	p.fd = pre_register("valea:s", &reg, NULL, &nifp);
	CHECK(p.fd >= 0 && poll(&p, 1, 20000) == 1);
	FD_ZERO(&out);
	FD_SET(p.fd, &out);
	CHECK(select(p.fd + 1, NULL, &out, NULL, NULL) == 1);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, p.fd, &ev) == 0 && epoll_wait(set, &ev, 1, 20000) == 1);
	CHECK(ioctl(p.fd, NIOCTXSYNC, NULL) == 0 && ioctl(p.fd, NIOCRXSYNC, NULL) == 0);
	return arg;
}

/* A thread with the least stack that threads may have. */
static void
small_stack(void)
{
	pthread_attr_t attr;
	pthread_t t;

	CHECK(pthread_attr_init(&attr) == 0);
	CHECK(pthread_attr_setstacksize(&attr, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0);
	CHECK(pthread_create(&t, &attr, on_small_stack, NULL) == 0);
	CHECK(pthread_join(t, NULL) == 0);
}

/* ---- one ring each ---- */

static void *
one_ring(void *arg)
{
	struct nmreq_register reg = {.nr_tx_rings = 2,
		.nr_rx_rings = 2,
		.nr_mode = NR_REG_ONE_NIC,
		.nr_ringid = (uint16_t)(*(char *)arg - 'x')};
	struct netmap_if *nifp;
	struct pollfd p = {.fd = pre_register("valea:t", &reg, NULL, &nifp), .events = POLLOUT};
	struct netmap_ring *tx;

	CHECK(p.fd >= 0);
	tx = NETMAP_TXRING(nifp, reg.nr_ringid);
	for (int i = 0; i < 50000; i++) {
		while (nm_ring_empty(tx))
			CHECK(poll(&p, 1, 20000) == 1);
		memset(NETMAP_BUF(tx, tx->slot[tx->head].buf_idx), 0xff, 14);
		tx->slot[tx->head].len = 60;
		tx->head = tx->cur = nm_ring_next(tx, tx->head);
	}
	while (nm_tx_pending(tx))
		CHECK(ioctl(p.fd, NIOCTXSYNC, NULL) == 0);
	return NULL;
}

/* Two threads with a ring each, on descriptors of their own. */
static void
rings(void)
{
	static char names[] = "xy";
	pthread_t t[2];

	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&t[i], NULL, one_ring, &names[i]) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
}

const struct pre_case pre_thread_cases[] = {
	{"cancelled", cancelled},
	{"churn", churn},
	{"fork_busy", fork_busy},
	{"handlers", handlers},
	{"rings", rings},
	{"small_stack", small_stack},
	{NULL, NULL},
};
