/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting: poll, select, epoll; what they sync, what wakes them, what they answer. */
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

#include "pre.h"

int ppoll(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

/* A receiver that sleeps wakes for the first frame. */
static void
sleeper(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct timespec from, to;
	pthread_t t;

	pre_expect_none(b, 50);
	clock_gettime(CLOCK_MONOTONIC, &from);
	CHECK(pthread_create(&t, NULL, pre_send_later, a) == 0);
	pre_expect(b, 60, 3);
	clock_gettime(CLOCK_MONOTONIC, &to);
	CHECK((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 < 3000);
	pthread_join(t, NULL);
}

static void
selecting(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
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
	pre_send(a, 60, 1);
	FD_SET(b->fd, &in);
	FD_SET(pipe_fd[0], &in);
	CHECK(select(max, &in, NULL, NULL, NULL) == 1);
	CHECK(FD_ISSET(b->fd, &in) && !FD_ISSET(pipe_fd[0], &in));
	pre_expect(b, 60, 1);
	CHECK(write(pipe_fd[1], "x", 1) == 1);
	FD_SET(b->fd, &in);
	FD_SET(pipe_fd[0], &in);
	CHECK(select(max, &in, NULL, NULL, NULL) == 1);
	CHECK(!FD_ISSET(b->fd, &in) && FD_ISSET(pipe_fd[0], &in));
}

static void
epolling(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct epoll_event in = {.events = EPOLLIN, .data.u32 = 77}, got[4];
	int set = epoll_create1(0), pipe_fd[2];
	pthread_t t;

	CHECK(pipe(pipe_fd) == 0 && set >= 0);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, b->fd, &in) == 0);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, b->fd, &in) == -1 && errno == EEXIST);
	in.data.u32 = 78;
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, pipe_fd[0], &in) == 0);
	CHECK(epoll_wait(set, got, 4, 50) == 0);
	CHECK(pthread_create(&t, NULL, pre_send_later, a) == 0);
	CHECK(epoll_wait(set, got, 4, 20000) == 1);
	CHECK(got[0].data.u32 == 77 && got[0].events == EPOLLIN);
	pthread_join(t, NULL);
	CHECK(epoll_wait(set, got, 4, 0) == 1); /* until it is taken */
	pre_expect(b, 60, 3);
	CHECK(epoll_wait(set, got, 4, 0) == 0);
	CHECK(write(pipe_fd[1], "x", 1) == 1);
	CHECK(epoll_wait(set, got, 4, 20000) == 1 && got[0].data.u32 == 78);
	pre_send(a, 60, 4);
	pre_expect(b, 60, 4);
	pre_send(a, 60, 5);
	usleep(100000);
	CHECK(epoll_wait(set, got, 4, 5000) == 2);
	/* writable, by edge, once */
	CHECK(epoll_ctl(set, EPOLL_CTL_DEL, pipe_fd[0], NULL) == 0);
	CHECK(epoll_ctl(set, EPOLL_CTL_DEL, b->fd, NULL) == 0);
	CHECK(epoll_ctl(set, EPOLL_CTL_MOD, b->fd, &in) == -1 && errno == ENOENT);
	in.events = EPOLLOUT | EPOLLET;
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, a->fd, &in) == 0);
	CHECK(epoll_wait(set, got, 4, 20000) == 1 && got[0].events == EPOLLOUT);
	CHECK(epoll_wait(set, got, 4, 50) == 0);
	in.events = EPOLLOUT | EPOLLONESHOT;
	CHECK(epoll_ctl(set, EPOLL_CTL_MOD, a->fd, &in) == 0);
	CHECK(epoll_wait(set, got, 4, 20000) == 1);
	CHECK(epoll_wait(set, got, 4, 50) == 0);
	nm_close(a);
	CHECK(epoll_wait(set, got, 4, 50) == 0);
	/* another set that takes its number has no members */
	in.events = EPOLLIN;
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, b->fd, &in) == 0);
	CHECK(dup2(epoll_create1(0), set) == set);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, b->fd, &in) == 0);
}

/* The switch goes while this waits. */
static void
orphan(void)
{
	struct nm_desc *a = pre_open("valea:0");
	struct pollfd p = {.fd = a->fd, .events = POLLIN};
	int i;

	puts("waiting");
	fflush(stdout);
	CHECK(poll(&p, 1, 30000) == 1 && p.revents == POLLERR);
	for (i = 0; i < 1000 && ioctl(a->fd, NIOCTXSYNC, NULL) == 0; i++)
		;
	CHECK(i < 1000 && errno == ENXIO);
}

/* poll sends what is in the transmit rings, whatever it is asked for, unless NR_NO_TX_POLL. */
static void
no_tx_poll(void)
{
	struct nm_desc *b = pre_open("valea:1");

	for (int quiet = 0; quiet < 2; quiet++) {
		struct nmreq req = {.nr_ringid = quiet ? NETMAP_NO_TX_POLL : 0};
		struct nm_desc *a = nm_open(
			quiet ? "valea:3" : "valea:2", &req, quiet ? NETMAP_NO_TX_POLL : 0, NULL);
		struct pollfd p = {.events = POLLIN};

		CHECK(a != NULL);
		p.fd = a->fd;
		pre_put(a, 60, 6);
		CHECK(poll(&p, 1, 0) == 0);
		if (quiet) {
			pre_expect_none(b, 50);
			p.events = POLLOUT;
			CHECK(poll(&p, 1, 0) == 1);
		}
		pre_expect(b, 60, 6);
	}
}

/* Receive rings are synced by a poll for POLLIN, and by others with NR_DO_RX_POLL. */
static void
do_rx_poll(void)
{
	struct nm_desc *a = pre_open("valea:1");

	for (int eager = 0; eager < 2; eager++) {
		struct nmreq_register reg = {.nr_flags = eager ? NR_DO_RX_POLL : 0};
		struct netmap_if *nifp;
		struct pollfd p = {.events = POLLOUT};
		struct netmap_ring *rx;

		p.fd = pre_register("valea:2", &reg, NULL, &nifp);
		CHECK(p.fd >= 0);
		rx = NETMAP_RXRING(nifp, 0);
		pre_send(a, 60, 1);
		pre_sent(a);
		CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
		CHECK(nm_ring_space(rx) == (eager ? 1u : 0u));
		p.events = POLLIN;
		CHECK(poll(&p, 1, 20000) == 1 && nm_ring_space(rx) == 1);
		close(p.fd);
	}
}

static volatile sig_atomic_t nb_signals;

static void
on_signal(int sig)
{
	(void)sig;
	nb_signals++;
}

static void
set_handler(int flags)
{
	struct sigaction sa = {.sa_flags = flags};

	sa.sa_handler = on_signal;
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0);
}

static void
alarm_ms(int ms)
{
	struct itimerval t = {.it_value = {0, ms * 1000}};

	CHECK(setitimer(ITIMER_REAL, &t, NULL) == 0);
}

/* A signal ends a wait with EINTR, whatever SA_RESTART says; the mask of ppoll and pselect counts;
 * a call that goes well leaves errno alone. */
static void
signals(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct pollfd p = {.fd = b->fd, .events = POLLIN};
	struct epoll_event ev = {.events = EPOLLIN};
	struct timespec zero = {0, 0};
	int set = epoll_create1(0);
	sigset_t none, alrm;
	fd_set in;

	sigemptyset(&none);
	sigemptyset(&alrm);
	sigaddset(&alrm, SIGALRM);
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, b->fd, &ev) == 0);
	for (int flags = 0;; flags = SA_RESTART) {
		set_handler(flags);
		alarm_ms(30);
		CHECK(poll(&p, 1, 5000) == -1 && errno == EINTR);
		alarm_ms(30);
		FD_ZERO(&in);
		FD_SET(b->fd, &in);
		CHECK(select(b->fd + 1, &in, NULL, NULL, NULL) == -1 && errno == EINTR);
		CHECK(FD_ISSET(b->fd, &in));
		alarm_ms(30);
		CHECK(epoll_wait(set, &ev, 1, 5000) == -1 && errno == EINTR);
		if (flags != 0)
			break;
	}
	CHECK(nb_signals == 6);
	/* held back, and let through by the call alone */
	CHECK(sigprocmask(SIG_BLOCK, &alrm, NULL) == 0);
	CHECK(raise(SIGALRM) == 0);
	CHECK(poll(&p, 1, 20) == 0 && nb_signals == 6);
	CHECK(ppoll(&p, 1, NULL, &none) == -1 && errno == EINTR && nb_signals == 7);
	CHECK(raise(SIGALRM) == 0);
	CHECK(ppoll(&p, 1, &zero, &none) == -1 && errno == EINTR && nb_signals == 8);
	CHECK(raise(SIGALRM) == 0);
	CHECK(pselect(b->fd + 1, &in, NULL, NULL, NULL, &none) == -1 && nb_signals == 9);
	CHECK(raise(SIGALRM) == 0);
	CHECK(epoll_pwait(set, &ev, 1, 5000, &none) == -1 && nb_signals == 10);
	/* what is ready comes first: the signal waits */
	CHECK(raise(SIGALRM) == 0);
	pre_send(a, 60, 1);
	pre_sent(a);
	CHECK(ppoll(&p, 1, NULL, &none) == 1 && p.revents == POLLIN && nb_signals == 10);
	errno = 77;
	CHECK(poll(&p, 1, 20000) == 1 && ioctl(b->fd, NIOCRXSYNC, NULL) == 0);
	CHECK(epoll_wait(set, &ev, 1, 20000) == 1 && select(b->fd + 1, &in, NULL, NULL, NULL) == 1);
	CHECK(errno == 77);
}

/* The time that is left, and times that are none. */
static void
timeouts(void)
{
	struct nm_desc *b = pre_open("valea:1");
	struct pollfd p[2] = {{.fd = b->fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
	struct timespec bad = {0, 1000000000};
	struct timeval tv = {0, 60000};
	long from = pre_now_ms();
	fd_set in;

	CHECK(poll(p, 2, 50) == 0 && pre_now_ms() - from >= 49 && pre_now_ms() - from < 1000);
	CHECK(p[1].revents == 0);
	FD_ZERO(&in);
	FD_SET(b->fd, &in);
	CHECK(select(b->fd + 1, &in, NULL, NULL, &tv) == 0 && tv.tv_sec == 0 && tv.tv_usec == 0);
	CHECK(!FD_ISSET(b->fd, &in));
	CHECK(ppoll(p, 1, &bad, NULL) == -1 && errno == EINVAL);
	tv.tv_sec = -1;
	CHECK(select(b->fd + 1, &in, NULL, NULL, &tv) == -1 && errno == EINVAL);
	CHECK(poll(NULL, 0, 10) == 0);
	p[1].fd = 999; /* no descriptor */
	CHECK(poll(p, 2, 20000) == 1 && p[1].revents == POLLNVAL && p[0].revents == 0);
	FD_SET(b->fd, &in);
	FD_SET(999, &in);
	CHECK(select(1000, &in, NULL, NULL, NULL) == -1 && errno == EBADF);
}

/* Numbers above FD_SETSIZE, long lists, and a program that asks select for all there may be. */
static void
many_numbers(void)
{
	static struct pollfd fds[300];
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct rlimit limit = {65536, 65536};
	unsigned long big[4096 / 64] = {0};
	fd_set small;
	int high, pipe_fd[2];

	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > 3000);
	CHECK(pipe(pipe_fd) == 0);
	pre_send(a, 60, 1);
	pre_sent(a);
	/* the sets are shorter than select is told */
	FD_ZERO(&small);
	FD_SET(b->fd, &small);
	CHECK(select((int)limit.rlim_cur, &small, NULL, NULL, NULL) == 1);
	CHECK(FD_ISSET(b->fd, &small));
	high = dup2(b->fd, 3000);
	CHECK(high == 3000 && close(b->fd) == 0);
	b->fd = high;
	big[3000 / 64] |= 1ul << 3000 % 64;
	big[pipe_fd[0] / 64] |= 1ul << pipe_fd[0] % 64;
	CHECK(select(3001, (fd_set *)(void *)big, NULL, NULL, NULL) == 1);
	CHECK(big[3000 / 64] == 1ul << 3000 % 64 && big[pipe_fd[0] / 64] == 0);
	for (size_t i = 0; i < COUNT(fds); i++)
		fds[i] = (struct pollfd){.fd = i == 250 ? high : pipe_fd[0], .events = POLLIN};
	CHECK(poll(fds, COUNT(fds), 20000) == 1 && fds[250].revents == POLLIN);
	pre_expect(b, 60, 1);
	CHECK(poll(fds, COUNT(fds), 20) == 0);
}

/* A program that takes one event at a time sees the others, too. */
static void
epoll_fair(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct epoll_event ev = {.events = EPOLLOUT, .data.u32 = 1}, got;
	int set = epoll_create1(0), pipe_fd[2], seen[4] = {0};

	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, a->fd, &ev) == 0);
	ev.data.u32 = 2;
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, b->fd, &ev) == 0);
	CHECK(pipe(pipe_fd) == 0 && write(pipe_fd[1], "x", 1) == 1);
	ev = (struct epoll_event){.events = EPOLLIN, .data.u32 = 3};
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, pipe_fd[0], &ev) == 0);
	for (int i = 0; i < 100; i++) {
		CHECK(epoll_wait(set, &got, 1, 20000) == 1);
		CHECK(got.data.u32 >= 1 && got.data.u32 <= 3);
		seen[got.data.u32]++;
	}
	CHECK(seen[1] > 10 && seen[2] > 10 && seen[3] > 10);
}

const struct pre_case pre_poll_cases[] = {
	{"do_rx_poll", do_rx_poll},
	{"epoll_fair", epoll_fair},
	{"epolling", epolling},
	{"many_numbers", many_numbers},
	{"no_tx_poll", no_tx_poll},
	{"orphan", orphan},
	{"selecting", selecting},
	{"signals", signals},
	{"sleeper", sleeper},
	{"timeouts", timeouts},
	{NULL, NULL},
};
