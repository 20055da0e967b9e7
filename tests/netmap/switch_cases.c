/* SPDX-License-Identifier: BSD-3-Clause */
/* The switch between netmap programs that behave: frames, chains, rings, sleep. Counters are looked
 * at by switch_frames.sh, for which the ports vale0:a, b and c are persistent. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch_client.h"

static struct client a, b, c;

static void
open_three(void)
{
	client_open(&a, "vale0:a");
	client_open(&b, "vale0:b");
	client_open(&c, "vale0:c");
}

/* Every length that fits a slot, to both others. */
static void
lengths(void)
{
	open_three();
	for (uint32_t len = 18; len <= 2048; len++) {
		client_send(&a, mac_all, mac_a, len, len);
		client_take(&b, len, 1, len);
		client_take(&c, len, 1, len);
	}
	for (uint32_t len = 14; len < 18; len++) {
		client_send(&a, mac_all, mac_a, len, len);
		CHECK(client_wait_rx(&b, 0, 1) == 1);
		CHECK(client_rx(&b, 0)->slot[client_rx(&b, 0)->head].len == len);
		client_rx(&b, 0)->head = client_rx(&b, 0)->tail;
	}
	CHECK(client_rx_sync(&a, 0) == 0);
}

/* Exactly the frame's bytes are written: no more of the receiver's, no more of the sender's. */
static void
no_byte_more(void)
{
	open_three();
	for (uint32_t len = 14; len <= 300; len++) {
		struct netmap_ring *rx = client_rx(&b, 0);
		uint8_t *to = client_buf(&b, rx->slot[rx->head].buf_idx);
		struct netmap_slot *s = client_put(&a, mac_all, mac_a, len, len);

		memset(client_buf(&a, s->buf_idx) + len, 0x55, 64);
		memset(to, 0xaa, 2048);
		client_wait_sent(&a, 0);
		CHECK(client_wait_rx(&b, 0, 1) == 1);
		for (uint32_t i = len; i < len + 64; i++)
			CHECK(to[i] == 0xaa);
		rx->head = rx->tail;
	}
}

static void
runts(void)
{
	const uint32_t lens[] = {0, 1, 6, 12, 13};

	open_three();
	for (unsigned int i = 0; i < 5; i++)
		client_send(&a, mac_all, mac_a, lens[i], i);
	client_send(&a, mac_all, mac_a, 60, 7);
	client_take(&b, 7, 1, 60);
}

static void
too_long(void)
{
	const uint32_t lens[] = {2049, 4096, 9000, 65535};

	open_three();
	for (unsigned int i = 0; i < 4; i++)
		client_send(&a, mac_all, mac_a, lens[i], i);
	client_send(&a, mac_all, mac_a, 60, 7);
	client_take(&b, 7, 1, 60);
}

static void
learning(void)
{
	open_three();
	client_send(&b, mac_all, mac_b, 60, 1);
	client_take(&a, 1, 1, 60);
	client_take(&c, 1, 1, 60);
	client_send(&a, mac_b, mac_a, 60, 2);
	client_take(&b, 2, 1, 60);
	client_expect_none(&c);
	/* not learned where it asks so */
	client_put(&c, mac_a, mac_d, 60, 3)->flags = NS_NO_LEARN;
	client_wait_sent(&c, 0);
	client_take(&a, 3, 1, 60);
	client_send(&a, mac_d, mac_a, 60, 4);
	client_take(&b, 4, 1, 60);
	client_take(&c, 4, 1, 60);
	/* hairpin */
	client_send(&a, mac_a, mac_a, 60, 5);
	client_expect_none(&b);
}

/* A whole ring at once, many times; nothing lost, nothing out of order. */
static void
stream(void)
{
	uint32_t sent = 0, got = 0;

	client_open(&a, "vale0:a");
	client_open(&b, "vale0:b");
	while (got < 100000) {
		struct netmap_ring *tx = client_tx(&a, 0);
		uint32_t n;

		client_tx_sync(&a, 0);
		client_rx_sync(&b, 0);
		/* no more on the way than b has room for */
		while (tx->head != tx->tail && sent < 100000 && sent - got < 1023)
			client_put(&a, mac_all, mac_a, 18 + sent % 500, sent), sent++;
		client_tx_sync(&a, 0);
		n = client_rx_sync(&b, 0);
		for (; n > 0; n--, got++) {
			struct netmap_ring *rx = client_rx(&b, 0);
			struct netmap_slot *s = &rx->slot[rx->head];

			CHECK(s->len == 18 + got % 500);
			CHECK(client_number(client_buf(&b, s->buf_idx), s->len) == got);
			rx->head = rx->cur = (rx->head + 1) % rx->num_slots;
		}
	}
}

/* B never reads: the head of what came is kept, the rest dropped, C is not harmed. */
static void
full(void)
{
	uint32_t sent = 0;

	open_three();
	while (sent < 3000) {
		uint32_t n = 0;

		for (; n < 1000 && sent < 3000; n++, sent++)
			client_put(&a, mac_all, mac_a, 60, sent);
		client_wait_sent(&a, 0);
		client_take(&c, sent - n, n, 60);
	}
	client_take(&b, 0, 1023, 60);
	client_expect_none(&b);
	/* 23 free slots, a batch of 100 */
	for (uint32_t i = 0; i < 1000; i++)
		client_put(&a, mac_all, mac_a, 60, i);
	client_wait_sent(&a, 0);
	for (uint32_t i = 1000; i < 1100; i++) {
		client_put(&a, mac_all, mac_a, 60, i);
	}
	client_wait_sent(&a, 0);
	client_take(&b, 0, 1023, 60);
	client_expect_none(&b);
}

/* Put a chain of n slots of len bytes; returns the last. */
static struct netmap_slot *
put_chain(struct client *from, unsigned int n, uint32_t len)
{
	struct netmap_slot *s = NULL;

	for (unsigned int i = 0; i < n; i++) {
		s = client_put(from, mac_all, mac_a, len + i, i);
		s->flags = i + 1 < n ? NS_MOREFRAG : 0;
	}
	return s;
}

static void
take_chain(struct client *to, unsigned int n, uint32_t len)
{
	struct netmap_ring *rx = client_rx(to, 0);

	CHECK(client_wait_rx(to, 0, n) >= n);
	for (unsigned int i = 0; i < n; i++) {
		struct netmap_slot *s = &rx->slot[rx->head];

		CHECK(s->len == len + i);
		CHECK(s->flags == (n << 8 | (i + 1 < n ? NS_MOREFRAG : 0)));
		CHECK(client_number(client_buf(to, s->buf_idx), s->len) == i);
		rx->head = rx->cur = (rx->head + 1) % rx->num_slots;
	}
	client_rx_sync(to, 0);
}

static void
chains(void)
{
	open_three();
	put_chain(&a, 3, 100);
	client_wait_sent(&a, 0);
	take_chain(&b, 3, 100);
	take_chain(&c, 3, 100);
	for (unsigned int round = 0; round < 100; round++) {
		put_chain(&a, 64, 20 + round / 2);
		put_chain(&a, 5, 1500);
		client_wait_sent(&a, 0);
		take_chain(&b, 64, 20 + round / 2);
		take_chain(&b, 5, 1500);
		take_chain(&c, 64, 20 + round / 2);
		take_chain(&c, 5, 1500);
	}
	/* the last slot that is published ends a chain */
	put_chain(&a, 2, 100)->flags = NS_MOREFRAG;
	client_wait_sent(&a, 0);
	take_chain(&b, 2, 100);
	take_chain(&c, 2, 100);
	/* more than 64, and longer than a frame may be: refused whole */
	put_chain(&a, 65, 100);
	client_wait_sent(&a, 0);
	put_chain(&a, 5, 2000);
	client_wait_sent(&a, 0);
	client_expect_none(&b);
}

/* A chain that does not fit is dropped whole, what comes behind it too. */
static void
chain_full(void)
{
	open_three();
	for (uint32_t i = 0; i < 1020; i++)
		client_put(&a, mac_all, mac_a, 60, i);
	client_wait_sent(&a, 0);
	put_chain(&a, 4, 100);
	client_put(&a, mac_all, mac_a, 60, 1020);
	client_wait_sent(&a, 0);
	client_take(&b, 0, 1020, 60);
	client_expect_none(&b);
	put_chain(&a, 4, 100);
	client_wait_sent(&a, 0);
	take_chain(&b, 4, 100);
}

/* Rings of a sender to those of a receiver, by number; floods to the first. */
static void
rings(void)
{
	struct client x = {.reg = {.nr_tx_rings = 4, .nr_rx_rings = 4}};
	struct client y = {.reg = {.nr_tx_rings = 4, .nr_rx_rings = 2}};

	client_open(&x, "vale1:x");
	client_open(&y, "vale1:y");
	client_send(&y, mac_all, mac_b, 60, 0);
	CHECK(client_wait_rx(&x, 0, 1) == 1);
	for (unsigned int i = 0; i < 4; i++) {
		struct netmap_ring *tx = client_tx(&x, i);

		memcpy(client_buf(&x, tx->slot[0].buf_idx), mac_b, 6);
		memcpy(client_buf(&x, tx->slot[0].buf_idx) + 6, mac_a, 6);
		tx->slot[0].len = 60;
		tx->head = 1;
		client_wait_sent(&x, i);
		CHECK(client_wait_rx(&y, i % 2, i / 2 + 1) == i / 2 + 1);
	}
	memset(client_buf(&x, client_tx(&x, 2)->slot[1].buf_idx), 0xff, 60);
	client_tx(&x, 2)->slot[1].len = 60;
	client_tx(&x, 2)->head = 2;
	client_wait_sent(&x, 2);
	CHECK(client_wait_rx(&y, 0, 3) == 3);
}

static void
wait_token(struct client *x)
{
	struct pollfd p = {.fd = x->fd, .events = POLLIN};
	char token = 0;

	CHECK(poll(&p, 1, 5000) == 1);
	CHECK(recv(x->fd, &token, 1, MSG_DONTWAIT) == 1 && token == VALE_NM_TOKEN);
}

static struct vale_nm_bind *
bind_of(const struct client *x)
{
	return (struct vale_nm_bind *)(x->mem + x->region->binds_off) + x->st.bind;
}

static void
go_to_sleep(struct client *x, bool rx)
{
	struct vale_nm_bind *bind = bind_of(x);

	atomic_fetch_add(rx ? &bind->sleep_rx : &bind->sleep_tx, 1);
	atomic_fetch_add(&x->region->sleepers, 1);
	atomic_thread_fence(memory_order_seq_cst);
}

/* A program that sleeps is woken for the first frame, and for space; nobody else is. */
static void
sleep_and_wake(void)
{
	struct pollfd p = {.events = POLLIN};

	open_three();
	for (unsigned int i = 0; i < 300; i++) {
		go_to_sleep(&b, true);
		/* the switch sleeps soon, too: now and then we are slower than it */
		if (i % 10 == 0)
			usleep(2000);
		client_put(&a, mac_all, mac_a, 60, i);
		client_tx_sync(&a, 0);
		wait_token(&b);
		CHECK(atomic_load(&bind_of(&b)->sleep_rx) == 0);
		atomic_fetch_sub(&b.region->sleepers, 1);
		client_take(&b, i, 1, 60);
		go_to_sleep(&a, false);
		client_put(&a, mac_all, mac_a, 60, i + 1000);
		client_tx_sync(&a, 0);
		wait_token(&a);
		atomic_fetch_sub(&a.region->sleepers, 1);
		client_take(&b, i + 1000, 1, 60);
	}
	p.fd = c.fd;
	CHECK(poll(&p, 1, 0) == 0);
}

/* What was published before a close, an exit and a kill is forwarded. */
static void
last_words(void)
{
	client_open(&b, "vale0:b");
	for (unsigned int round = 0; round < 60; round++) {
		pid_t pid = fork();

		if (pid == 0) {
			client_open(&a, "vale0:a");
			for (uint32_t i = 0; i < 1000; i++)
				client_put(&a, mac_all, mac_a, 60, i);
			client_tx_sync(&a, 0);
			if (round % 3 == 0)
				client_close(&a);
			if (round % 3 == 1)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		CHECK(waitpid(pid, NULL, 0) == pid);
		client_take(&b, 0, 1000, 60);
	}
}

/* The name is free again at once. */
static void
reopen(void)
{
	for (unsigned int i = 0; i < 500; i++) {
		a.reg.nr_flags = NR_EXCLUSIVE;
		client_open(&a, "vale0:a");
		client_close(&a);
	}
}

int
main(int argc, char **argv)
{
	static const struct test_case cases[] = {
#define CASE(f) {#f, f}
		CASE(lengths),
		CASE(no_byte_more),
		CASE(runts),
		CASE(too_long),
		CASE(learning),
		CASE(stream),
		CASE(full),
		CASE(chains),
		CASE(chain_full),
		CASE(rings),
		CASE(sleep_and_wake),
		CASE(last_words),
		CASE(reopen),
	};
	struct test_case all[64] = {0};
	unsigned int i, n = sizeof(cases) / sizeof(cases[0]);

	memcpy(all, cases, sizeof(cases));
	for (i = 0; switch_port_cases[i].name != NULL; i++)
		all[n++] = switch_port_cases[i];
	return run_case(argc, argv, all);
}
