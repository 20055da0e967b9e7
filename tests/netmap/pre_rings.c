/* SPDX-License-Identifier: BSD-3-Clause */
/* What head, cur and tail, slots and their flags mean. */
#include <sys/socket.h>
#include <pthread.h>
#include <signal.h>

#include "pre.h"

static void
lengths(void)
{
	static const size_t good[] = {14, 15, 59, 60, 64, 1514, 2000, 2047, 2048};
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct netmap_ring *ring = NETMAP_TXRING(a->nifp, 0);

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		pre_send(a, good[i], (char)i);
		pre_expect(b, good[i], (char)i);
	}
	pre_send(a, 13, 1);
	ring->slot[ring->head].len = 2049;
	ring->head = ring->cur = nm_ring_next(ring, ring->head);
	CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
	pre_send(a, 60, 7);
	pre_expect(b, 60, 7); /* and nothing before it */
	pre_expect_none(b, 0);
	pre_expect_none(a, 0);
}

/* Full rings block, and go on when there is room. */
static void
full(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct netmap_ring *ring = NETMAP_TXRING(a->nifp, 0);
	struct pollfd p = {.fd = a->fd, .events = POLLOUT};

	for (int sent = 0; sent < 20000; sent++) {
		memset(pre_frame, 0xff, 60);
		pre_frame[6] = 2;
		while (nm_inject(a, pre_frame, 60) == 0)
			CHECK(poll(&p, 1, 20000) == 1 && p.revents == POLLOUT);
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
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct netmap_ring *rx = NETMAP_RXRING(b->nifp, 0);
	struct pollfd p = {.fd = b->fd, .events = POLLIN};

	pre_send(a, 2048 * 3 + 100, 5);
	CHECK(poll(&p, 1, 20000) == 1);
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
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct netmap_ring *ring = NETMAP_TXRING(a->nifp, 0);

	memset(pre_frame, 0x49, 100);
	for (int i = 0; i < 3; i++) {
		struct netmap_slot *s = &ring->slot[ring->head];

		s->ptr = i < 2 ? bad[i] : (uintptr_t)pre_frame;
		s->len = 100;
		s->flags = NS_INDIRECT | NS_REPORT;
		ring->head = ring->cur = nm_ring_next(ring, ring->head);
	}
	CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
	CHECK(ring->slot[2].flags == NS_REPORT);
	pre_expect(b, 100, 0x49);
	pre_expect_none(b, 0);
}

/* Indices out of order: mended as by netmap, and the port lives on. */
static void
bad_indices(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct netmap_ring *tx = NETMAP_TXRING(a->nifp, 0), *rx = NETMAP_RXRING(b->nifp, 0);
	struct pollfd p = {.fd = a->fd, .events = POLLOUT};

	pre_send(a, 60, 1);
	tx->head = tx->cur = tx->num_slots + 5;
	CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
	CHECK(tx->head == 1 && tx->cur == 1);
	tx->cur = tx->num_slots;
	CHECK(poll(&p, 1, 0) == 1 && (p.revents & POLLERR));
	CHECK(tx->head == 1 && tx->cur == 1);
	pre_expect(b, 60, 1);
	rx->head = rx->cur = (rx->tail + 3) % rx->num_slots;
	CHECK(ioctl(b->fd, NIOCRXSYNC, NULL) == 0);
	rx->head = rx->cur = rx->tail;
	pre_send(a, 60, 2);
	pre_expect(b, 60, 2);
}

/* 64 slots are one frame, and 65 are none. */
static void
rfrags(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct netmap_ring *tx = NETMAP_TXRING(a->nifp, 0), *rx = NETMAP_RXRING(b->nifp, 0);
	struct pollfd p = {.fd = b->fd, .events = POLLIN};

	for (int n = 65; n >= 64; n--) {
		for (int i = 0; i < n; i++) {
			struct netmap_slot *s = &tx->slot[tx->head];

			memset(NETMAP_BUF(tx, s->buf_idx), i == 0 ? 0xff : i, 20);
			s->len = 20;
			s->flags = i + 1 < n ? NS_MOREFRAG : 0;
			tx->head = tx->cur = nm_ring_next(tx, tx->head);
		}
		CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
		pre_sent(a);
	}
	CHECK(poll(&p, 1, 20000) == 1);
	CHECK(nm_ring_space(rx) == 64);
	for (int i = 0; i < 64; i++) {
		struct netmap_slot *s = &rx->slot[(rx->head + i) % rx->num_slots];

		CHECK(s->len == 20 && NS_RFRAGS(s) == 64);
		CHECK(NETMAP_BUF(rx, s->buf_idx)[19] == (i == 0 ? (char)0xff : i));
		CHECK(!(s->flags & NS_MOREFRAG) == (i == 63));
	}
}

/** A process of which nothing moves until it is let go on. */
static pid_t
stop_switch(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0);
	CHECK(kill(cred.pid, SIGSTOP) == 0);
	usleep(20000);
	return cred.pid;
}

static void *
continue_later(void *pid)
{
	usleep(200000);
	kill(*(pid_t *)pid, SIGCONT);
	return NULL;
}

/* Poll for POLLOUT blocks on a full ring, and wakes when there is space. */
static void
full_blocks(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct netmap_ring *ring = NETMAP_TXRING(a->nifp, 0);
	struct pollfd p = {.fd = a->fd, .events = POLLOUT};
	pid_t pid = stop_switch(a->fd);
	pthread_t t;
	long from;

	while (nm_ring_space(ring) > 0)
		pre_put(a, 60, 1);
	CHECK(ring->head == ring->tail && nm_inject(a, pre_frame, 60) == 0);
	from = pre_now_ms();
	CHECK(poll(&p, 1, 100) == 0 && p.revents == 0);
	CHECK(pre_now_ms() - from >= 95);
	CHECK(nm_tx_pending(ring));
	CHECK(poll(&p, 1, 0) == 0);
	p.events = POLLIN;
	CHECK(poll(&p, 1, 0) == 0);
	p.events = POLLOUT;
	CHECK(pthread_create(&t, NULL, continue_later, &pid) == 0);
	CHECK(poll(&p, 1, 10000) == 1 && p.revents == POLLOUT);
	CHECK(ring->cur != ring->tail && nm_ring_space(ring) > 0);
	pthread_join(t, NULL);
	for (int i = 0; i < 1023; i++)
		pre_expect(b, 60, 1);
}

/* cur is where poll wakes, head what the program is done with. */
static void
cur_and_head(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct netmap_ring *tx = NETMAP_TXRING(a->nifp, 0), *rx = NETMAP_RXRING(b->nifp, 0);
	struct pollfd in = {.fd = b->fd, .events = POLLIN}, out = {.fd = a->fd, .events = POLLOUT};

	pre_send(a, 60, 1);
	CHECK(poll(&in, 1, 20000) == 1 && nm_ring_space(rx) == 1);
	CHECK(poll(&in, 1, 0) == 1); /* not taken: it is there still */
	rx->cur = rx->tail;	     /* seen, and kept */
	CHECK(poll(&in, 1, 50) == 0);
	pre_send(a, 60, 2);
	CHECK(poll(&in, 1, 20000) == 1 && in.revents == POLLIN);
	CHECK(nm_ring_space(rx) == 2);
	CHECK(NETMAP_BUF(rx, rx->slot[rx->head].buf_idx)[59] == 1);
	rx->cur = rx->head;
	pre_expect(b, 60, 1);
	pre_expect(b, 60, 2);
	/* a program that needs more space than there is: cur at tail, head where it was */
	pre_sent(a);
	tx->cur = tx->tail;
	CHECK(poll(&out, 1, 50) == 0 && tx->head == 2);
	tx->cur = tx->head;
	CHECK(poll(&out, 1, 0) == 1);
	/* an empty ring: nothing to publish, nothing to read */
	CHECK(nm_ring_empty(rx) && nm_ring_space(tx) == 1023);
	rx->cur = rx->head = rx->tail;
	pre_expect_none(b, 20);
}

/* A program may take some of what is there, and give back in any number. */
static void
partly(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct netmap_ring *rx = NETMAP_RXRING(b->nifp, 0);
	uint32_t taken = 0;

	for (int i = 0; i < 1023; i++)
		pre_put(a, 60, (char)i);
	CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
	pre_sent(a);
	for (uint32_t n = 1; taken < 1023; n++) {
		CHECK(ioctl(b->fd, NIOCRXSYNC, NULL) == 0);
		CHECK(nm_ring_space(rx) == 1023 - taken);
		for (uint32_t i = 0; i < n && taken < 1023; i++, taken++) {
			CHECK(NETMAP_BUF(rx, rx->slot[rx->head].buf_idx)[59] == (char)taken);
			rx->head = rx->cur = nm_ring_next(rx, rx->head);
		}
	}
	CHECK(ioctl(b->fd, NIOCRXSYNC, NULL) == 0 && nm_ring_empty(rx));
	/* all of the ring is free again */
	for (int i = 0; i < 1023; i++)
		pre_put(a, 61, (char)i);
	CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
	pre_sent(a);
	CHECK(ioctl(b->fd, NIOCRXSYNC, NULL) == 0 && nm_ring_space(rx) == 1023);
}

/* A slot gets another buffer; the mark goes, the buffer stays. */
static void
buf_changed(void)
{
	struct nmreq req = {.nr_arg3 = 4};
	struct nm_desc *a = pre_open_req("valea:0", &req), *b = pre_open_req("valea:1", &req);
	struct netmap_ring *tx = NETMAP_TXRING(a->nifp, 0), *rx = NETMAP_RXRING(b->nifp, 0);
	struct netmap_slot *s = &tx->slot[tx->head];
	uint32_t extra = a->nifp->ni_bufs_head, was = s->buf_idx;

	CHECK(a->req.nr_arg3 == 4 && extra >= 2);
	memset(NETMAP_BUF(tx, was), 0x11, 60);
	memset(NETMAP_BUF(tx, extra), 0x7e, 60);
	memset(NETMAP_BUF(tx, extra), 0xff, 6);
	NETMAP_BUF(tx, extra)[6] = 2;
	s->buf_idx = extra;
	s->len = 60;
	s->flags = NS_BUF_CHANGED;
	tx->head = tx->cur = nm_ring_next(tx, tx->head);
	CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
	CHECK(s->buf_idx == extra && s->flags == 0);
	CHECK(((unsigned char *)NETMAP_BUF(tx, was))[20] == 0x11);
	pre_expect(b, 60, 0x7e);
	/* and one of the receiver's: the next frame but 1022 comes into it */
	extra = b->nifp->ni_bufs_head;
	s = &rx->slot[0];
	s->buf_idx = extra;
	s->flags = NS_BUF_CHANGED;
	CHECK(ioctl(b->fd, NIOCRXSYNC, NULL) == 0);
	CHECK(s->flags == 0);
	for (int i = 0; i < 1024; i++) {
		pre_send(a, 60, (char)i);
		pre_expect(b, 60, (char)i);
	}
	CHECK(NETMAP_BUF(rx, extra)[59] == (char)1023 && s->buf_idx == extra);
}

/* Not learned where the slot says so; NS_REPORT and what belongs to nobody stay as they are. */
static void
no_learn(void)
{
	static const unsigned char mac[6] = {2, 0, 0, 0, 0, 0x77}, other[6] = {2, 0, 0, 0, 0, 0x78};
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1"), *c = pre_open("valea:2");

	for (int learn = 0; learn < 2; learn++) {
		struct netmap_ring *tx = NETMAP_TXRING(b->nifp, 0);
		struct netmap_slot *s = &tx->slot[tx->head];
		char *buf = NETMAP_BUF(tx, s->buf_idx);

		memset(buf, 0xff, 60);
		memcpy(buf + 6, mac, 6);
		s->len = 60;
		s->flags = learn ? NS_REPORT : NS_NO_LEARN | NS_REPORT;
		tx->head = tx->cur = nm_ring_next(tx, tx->head);
		CHECK(ioctl(b->fd, NIOCTXSYNC, NULL) == 0);
		pre_expect(a, 60, (char)0xff);
		pre_expect(c, 60, (char)0xff);
		CHECK(s->flags == (learn ? NS_REPORT : NS_NO_LEARN | NS_REPORT));
		memset(pre_frame, 5, 60);
		memcpy(pre_frame, mac, 6);
		memcpy(pre_frame + 6, other, 6);
		CHECK(nm_inject(a, pre_frame, 60) == 60);
		CHECK(ioctl(a->fd, NIOCTXSYNC, NULL) == 0);
		pre_expect(b, 60, 5);
		if (learn)
			pre_expect_none(c, 50);
		else
			pre_expect(c, 60, 5);
	}
}

static bool
between(const struct timeval *from, const struct timeval *ts, const struct timeval *to)
{
	return !timercmp(ts, from, <) && !timercmp(ts, to, >);
}

/* A receive ring says when it was synced last, by the clock of the day; asked to or not. */
static void
timestamps(void)
{
	struct nm_desc *a = pre_open("valea:0"), *b = pre_open("valea:1");
	struct netmap_ring *rx = NETMAP_RXRING(b->nifp, 0);
	struct pollfd p = {.fd = b->fd, .events = POLLIN};
	struct timeval from, to;
	struct nm_pkthdr h;

	for (int asked = 0; asked < 2; asked++) {
		rx->flags = asked ? NR_TIMESTAMP : 0;
		gettimeofday(&from, NULL);
		CHECK(ioctl(b->fd, NIOCRXSYNC, NULL) == 0);
		gettimeofday(&to, NULL);
		CHECK(between(&from, &rx->ts, &to));
		pre_send(a, 60, 1);
		gettimeofday(&from, NULL);
		CHECK(poll(&p, 1, 20000) == 1);
		gettimeofday(&to, NULL);
		CHECK(between(&from, &rx->ts, &to));
		CHECK(nm_nextpkt(b, &h) != NULL && between(&from, &h.ts, &to));
		CHECK(rx->flags == (asked ? NR_TIMESTAMP : 0u));
	}
}

/* The size of an open port's rings: what was asked for, within bounds. */
static void
numbers(void)
{
	static const uint32_t slots[][2] = {{1, 1}, {2, 2}, {3, 3}, {100, 100}, {4096, 4096},
		{4097, 4096}, {100000, 4096}, {0, 1024}};
	static const uint16_t rings[][2] = {{0, 1}, {3, 3}, {16, 16}, {17, 16}, {65535, 16}};

	for (size_t i = 0; i < COUNT(slots); i++) {
		struct nmreq_register reg = {
			.nr_tx_slots = slots[i][0], .nr_rx_slots = slots[i][0]};
		struct netmap_if *nifp;
		int fd = pre_register("valea:n", &reg, NULL, &nifp);

		CHECK(fd >= 0 && reg.nr_tx_slots == slots[i][1] && reg.nr_rx_slots == slots[i][1]);
		CHECK(NETMAP_TXRING(nifp, 0)->num_slots == slots[i][1]);
		CHECK(NETMAP_RXRING(nifp, 0)->num_slots == slots[i][1]);
		CHECK(NETMAP_RXRING(nifp, 0)->nr_buf_size == 2048);
		close(fd);
	}
	for (size_t i = 0; i < COUNT(rings); i++) {
		struct nmreq_register reg = {
			.nr_tx_rings = rings[i][0], .nr_rx_rings = rings[i][0]};
		struct netmap_if *nifp;
		int fd = pre_register("valea:n", &reg, NULL, &nifp);

		CHECK(fd >= 0 && reg.nr_tx_rings == rings[i][1] && reg.nr_rx_rings == rings[i][1]);
		CHECK(nifp->ni_tx_rings == rings[i][1] && nifp->ni_rx_rings == rings[i][1]);
		for (uint32_t k = 0; k < rings[i][1]; k++)
			CHECK(NETMAP_TXRING(nifp, k)->ringid == k &&
				NETMAP_TXRING(nifp, k)->dir == 0);
		close(fd);
	}
}

const struct pre_case pre_ring_cases[] = {
	{"bad_indices", bad_indices},
	{"buf_changed", buf_changed},
	{"chains", chains},
	{"cur_and_head", cur_and_head},
	{"full", full},
	{"full_blocks", full_blocks},
	{"indirect", indirect},
	{"lengths", lengths},
	{"no_learn", no_learn},
	{"numbers", numbers},
	{"partly", partly},
	{"rfrags", rfrags},
	{"timestamps", timestamps},
	{NULL, NULL},
};
