/* SPDX-License-Identifier: BSD-3-Clause */
/* Netmap programs that write what they should not. What is counted, hostile_clients.sh looks at. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "switch_client.h"

static struct client a, b;

static void
open_two(void)
{
	client_open(&a, "vale0:a");
	client_open(&b, "vale0:b");
}

/* A head out of range is counted once, and all goes on when it is in range again. */
static void
wrong_head(void)
{
	struct vale_nm_kring *tx, *rx;

	open_two();
	tx = client_tx_kring(&a, 0);
	rx = client_rx_kring(&b, 0);
	client_send(&a, mac_all, mac_a, 60, 0);
	client_take(&b, 0, 1, 60);
	for (uint32_t head = 1024; head != 0; head <<= 1) {
		char bell = VALE_NM_DOORBELL;

		atomic_store(&tx->head, head);
		atomic_store(&tx->armed, 0);
		send(a.fd, &bell, 1, MSG_DONTWAIT);
		/* it looked, and sleeps again */
		for (unsigned int i = 0; i < 50000 && atomic_load(&tx->armed) == 0; i++)
			usleep(100);
		CHECK(atomic_load(&tx->armed) == 1 && atomic_load(&tx->hwcur) == 1);
	}
	client_send(&a, mac_all, mac_a, 60, 1);
	client_take(&b, 1, 1, 60);
	atomic_store(&rx->head, 1024);
	client_send(&a, mac_all, mac_a, 60, 2);
	atomic_store(&rx->head, UINT32_MAX);
	client_send(&a, mac_all, mac_a, 60, 2);
	client_expect_none(&b);
	client_send(&a, mac_all, mac_a, 60, 3);
	client_take(&b, 3, 1, 60);
}

/* Buffers out of range, in slots to send; 0 and 1 too, which are nobody's. */
static void
bad_buffer(void)
{
	uint32_t bad[] = {0, 1, 0, 0x7fffffff, 0x80000000, UINT32_MAX};

	open_two();
	bad[2] = a.region->nb_bufs;
	for (unsigned int i = 0; i < 6; i++) {
		struct netmap_slot *s = client_put(&a, mac_all, mac_a, 60, i);
		uint32_t good = s->buf_idx;

		s->buf_idx = bad[i];
		client_wait_sent(&a, 0);
		s->buf_idx = good;
		/* and within a chain */
		client_put(&a, mac_all, mac_a, 60, i)->flags = NS_MOREFRAG;
		s = client_put(&a, mac_all, mac_a, 60, i);
		good = s->buf_idx;
		s->buf_idx = bad[i];
		client_wait_sent(&a, 0);
		s->buf_idx = good;
	}
	/* an address of the program's own is not the switch's */
	client_put(&a, mac_all, mac_a, 60, 9)->flags = NS_INDIRECT;
	client_wait_sent(&a, 0);
	client_send(&a, mac_all, mac_a, 60, 10);
	client_take(&b, 10, 1, 60);
}

/* Buffers out of range in slots to receive: the frame is lost, the slot comes back empty. */
static void
bad_receive_buffer(void)
{
	struct netmap_ring *rx;

	open_two();
	rx = client_rx(&b, 0);
	rx->slot[1].buf_idx = UINT32_MAX;
	rx->slot[2].buf_idx = 1;
	rx->slot[3].buf_idx = b.region->nb_bufs;
	for (uint32_t i = 0; i < 5; i++)
		client_put(&a, mac_all, mac_a, 60, i);
	client_wait_sent(&a, 0);
	CHECK(client_wait_rx(&b, 0, 5) == 5);
	for (uint32_t i = 0; i < 5; i++) {
		if (i == 0 || i == 4)
			CHECK(client_number(client_buf(&b, rx->slot[i].buf_idx), rx->slot[i].len) ==
				i);
		else
			CHECK(rx->slot[i].len == 0 && rx->slot[i].flags == 0);
	}
	/* in the middle of a chain: it is lost whole */
	rx->head = rx->cur = 5;
	client_rx_sync(&b, 0);
	rx->slot[6].buf_idx = 0;
	client_put(&a, mac_all, mac_a, 60, 1)->flags = NS_MOREFRAG;
	client_put(&a, mac_all, mac_a, 60, 2);
	client_wait_sent(&a, 0);
	client_expect_none(&b);
}

/* The same buffer in every slot is the program's own trouble. */
static void
doubled_buffer(void)
{
	struct netmap_ring *tx, *rx;

	open_two();
	tx = client_tx(&a, 0);
	rx = client_rx(&b, 0);
	for (uint32_t i = 0; i < 1024; i++) {
		tx->slot[i].buf_idx = 2;
		rx->slot[i].buf_idx = 5;
	}
	for (uint32_t i = 0; i < 1000; i++)
		client_put(&a, mac_all, mac_a, 60, i);
	client_wait_sent(&a, 0);
	CHECK(client_wait_rx(&b, 0, 1000) == 1000);
}

/* Every slot says that the frame goes on. */
static void
endless_chain(void)
{
	a.reg.nr_tx_slots = 4096;
	open_two();
	for (unsigned int round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < 4095; i++)
			client_put(&a, mac_all, mac_a, 60, i)->flags = NS_MOREFRAG;
		client_wait_sent(&a, 0);
	}
	client_expect_none(&b);
}

/* A port's memory cannot be cut; pages that are taken away read as zeros. */
static void
taken_pages(void)
{
	open_two();
	for (unsigned int round = 0; round < 50; round++) {
		size_t bufs = a.region->size - a.region->bufs_off;

		for (uint32_t i = 0; i < 900; i++)
			client_put(&a, mac_all, mac_a, 60, i);
		CHECK(madvise(a.mem + a.region->bufs_off, bufs, MADV_REMOVE) == 0);
		client_wait_sent(&a, 0);
		/* and slots, while they are read */
		for (uint32_t i = 0; i < 900; i++)
			client_put(&a, mac_all, mac_a, 60, i);
		client_tx_sync(&a, 0);
		CHECK(madvise(a.mem + a.region->rings_off, 4096, MADV_REMOVE) == 0);
		usleep(1000);
		client_close(&a);
		client_open(&a, "vale0:a");
	}
}

static atomic_bool stop;

/* Overwrite everything that a program can write, as fast as possible. */
static void *
scribble(void *arg)
{
	struct client *x = arg;
	uint32_t seed = (uint32_t)(uintptr_t)&arg ^ (uint32_t)time(NULL);
	size_t slots = x->region->bufs_off - x->region->rings_off;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint32_t r = seed = seed * 1664525 + 1013904223;
		uint32_t *word =
			(uint32_t *)(x->mem + x->region->rings_off + (r >> 4) % (slots / 4) * 4);
		struct vale_nm_kring *k = (r & 1 ? client_tx_kring : client_rx_kring)(x, 0);

		switch (r >> 28) {
		case 0:
			atomic_store(&k->head, r >> 4);
			break;
		case 1:
			atomic_store(&x->region->sleepers, r);
			break;
		case 2:
			memset(x->mem + x->region->binds_off, (int)r, 64);
			break;
		case 3:
			atomic_store(&k->hwcur, r);
			atomic_store(&k->hwtail, r);
			break;
		case 4:
			x->region->nb_bufs = r;
			x->region->bufs_off = x->region->rings_off = r;
			x->region->bufs_off = x->st.size - 4096;
			x->region->rings_off = 1 << 16;
			break;
		case 5:
			__atomic_store_n(word, r, __ATOMIC_RELAXED);
			break;
		case 6:
			__atomic_store_n(word, (r >> 8) % 2048, __ATOMIC_RELAXED);
			break;
		default:
			atomic_store(&k->head, (r >> 4) % 1024);
		}
	}
	return NULL;
}

static void
on_alarm(int sig)
{
	(void)sig;
	atomic_store(&stop, true);
}

/* Two ports exchange numbered frames, while a third one goes mad on another switch and on theirs.
 */
static void
mad_neighbour(void)
{
	uint32_t sent = 0, got = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct client x = {0}, y = {0};
		pthread_t t[2];

		signal(SIGALRM, on_alarm);
		client_open(&x, "vale1:x");
		client_open(&y, "vale1:y");
		alarm(8);
		pthread_create(&t[0], NULL, scribble, &x);
		pthread_create(&t[1], NULL, scribble, &y);
		pthread_join(t[0], NULL);
		pthread_join(t[1], NULL);
		_exit(0);
	}
	open_two();
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		uint32_t n = 1 + sent % 500;

		for (uint32_t i = 0; i < n; i++)
			client_put(&a, mac_all, mac_a, 60 + i % 200, sent++);
		client_wait_sent(&a, 0);
		CHECK(client_wait_rx(&b, 0, n) == n);
		for (; n > 0; n--) {
			struct netmap_ring *rx = client_rx(&b, 0);
			struct netmap_slot *s = &rx->slot[rx->head];

			CHECK(client_number(client_buf(&b, s->buf_idx), s->len) == got++);
			rx->head = rx->cur = (rx->head + 1) % rx->num_slots;
		}
		client_rx_sync(&b, 0);
	}
	CHECK(got > 1000);
}

/* kill -9 at any moment, with frames on their way to and from it. */
static void
killed(void)
{
	client_open(&a, "vale0:a");
	for (unsigned int round = 0; round < 100; round++) {
		pid_t pid = fork();

		if (pid == 0) {
			client_open(&b, "vale0:b");
			for (;;) {
				client_put(&b, mac_all, mac_b, 60, 1);
				client_tx_sync(&b, 0);
				client_rx(&b, 0)->head = client_rx(&b, 0)->tail;
				client_rx_sync(&b, 0);
			}
		}
		for (unsigned int i = 0; i < 20; i++) {
			client_send(&a, mac_all, mac_a, 60, i);
			client_rx(&a, 0)->head = client_rx(&a, 0)->tail;
			client_rx_sync(&a, 0);
		}
		usleep(round * 50);
		kill(pid, SIGKILL);
		CHECK(waitpid(pid, NULL, 0) == pid);
		b.reg = (struct nmreq_register){
			.nr_flags = NR_EXCLUSIVE, .nr_mode = NR_REG_ALL_NIC};
		client_open(&b, "vale0:b");
		client_close(&b);
	}
}

/* Requests: names without an end, bodies of noise, descriptors of every kind. */
static void
noise_requests(void)
{
	uint8_t body[VALE_CTL_NM_BODY_SZ];
	char name[80];
	uint32_t seed = 12345;

	for (unsigned int i = 0; i < 3000; i++) {
		struct vale_ctl_nm_opt opts[VALE_CTL_NM_OPTS_MAX];
		int fd = client_dial();

		for (unsigned int j = 0; j < sizeof(body); j++)
			body[j] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
		memset(opts, (int)seed, sizeof(opts));
		opts[0].reqtype = i % 7;
		memset(name, 0, sizeof(name));
		if (i % 3 == 0)
			memset(name, 'v', 64);
		else
			snprintf(name, sizeof(name), "%s", i % 3 == 1 ? "valex:q" : "pq");
		if (i % 2 == 0) {
			struct nmreq_register *reg = (struct nmreq_register *)body;

			reg->nr_mode = 1 + i % 5;
			reg->nr_extra_bufs &= 0xfff;
			reg->nr_mem_id = 0;
		}
		client_ctrl(fd, (uint16_t)(i % 18), name, body, sizeof(body), opts, i % 9, NULL);
		close(fd);
	}
	client_ctrl(client_dial(), NETMAP_REQ_VALE_DETACH, "valex:pq", body, 8, NULL, 0, NULL);
	client_ctrl(client_dial(), NETMAP_REQ_VALE_DELIF, "pq", NULL, 0, NULL, 0, NULL);
	open_two();
	client_send(&a, mac_all, mac_a, 60, 10);
	client_take(&b, 10, 1, 60);
}

int
main(int argc, char **argv)
{
	static const struct test_case cases[] = {
#define CASE(f) {#f, f}
		CASE(wrong_head),
		CASE(bad_buffer),
		CASE(bad_receive_buffer),
		CASE(doubled_buffer),
		CASE(endless_chain),
		CASE(taken_pages),
		CASE(mad_neighbour),
		CASE(killed),
		CASE(noise_requests),
		{NULL, NULL},
	};

	return run_case(argc, argv, cases);
}
