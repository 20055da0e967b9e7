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

/* A port's descriptors: all see the same rings, the last one takes the port with it. */
static void
shared_port(void)
{
	struct client x[3] = {0};

	client_open(&b, "vale0:b");
	for (unsigned int i = 0; i < 3; i++)
		client_open(&x[i], "vale1:s");
	for (unsigned int i = 0; i < 3; i++) {
		CHECK(x[i].st.mem_id == x[0].st.mem_id && x[i].st.bind == i);
		CHECK(client_tx(&x[i], 0)->slot[5].buf_idx == client_tx(&x[0], 0)->slot[5].buf_idx);
	}
	client_open(&a, "vale1:o");
	client_close(&x[0]);
	client_send(&a, mac_all, mac_a, 60, 1);
	client_take(&x[1], 1, 1, 60);
	client_close(&x[1]);
	client_send(&x[2], mac_all, mac_b, 60, 2);
	client_take(&a, 2, 1, 60);
	client_close(&x[2]);
	client_send(&a, mac_all, mac_a, 60, 3);
	x[0].reg.nr_flags = NR_EXCLUSIVE;
	client_open(&x[0], "vale1:s");
	CHECK(client_rx_sync(&x[0], 0) == 0);
}

/* Rings one by one: each is new for its first user, and alone where that is asked for. */
static void
ring_subsets(void)
{
	struct client x[4] = {0};

	for (unsigned int i = 0; i < 2; i++) {
		x[i].reg.nr_tx_rings = x[i].reg.nr_rx_rings = 2;
		x[i].reg.nr_mode = NR_REG_ONE_NIC;
		x[i].reg.nr_ringid = i;
		x[i].reg.nr_flags = NR_EXCLUSIVE;
		client_open(&x[i], "vale1:r");
		CHECK(x[i].st.tx_first == i && x[i].st.tx_last == i + 1 &&
			x[i].nifp->ring_ofs[i] != 0);
		CHECK(x[i].nifp->ring_ofs[1 - i] == 0);
	}
	CHECK(client_register(&x[2], "vale1:r") == EBUSY);
	x[3].reg.nr_mode = NR_REG_ONE_NIC;
	x[3].reg.nr_ringid = 2;
	CHECK(client_register(&x[3], "vale1:r") == EINVAL);
	client_close(&x[1]);
	x[3].reg = (struct nmreq_register){.nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1};
	client_open(&x[3], "vale1:r");
	CHECK(client_tx(&x[3], 1)->num_slots == 1024);
	/* no receive ring: its frames go nowhere, and nobody else minds */
	x[2].reg = (struct nmreq_register){.nr_flags = NR_TX_RINGS_ONLY, .nr_mode = NR_REG_ALL_NIC};
	client_open(&x[2], "vale1:t");
	CHECK(x[2].st.rx_last == 0);
	client_open(&a, "vale1:o");
	client_send(&x[2], mac_all, mac_a, 60, 5);
	client_take(&a, 5, 1, 60);
	client_send(&a, mac_all, mac_b, 60, 6);
	client_take(&x[0], 5, 2, 60);
}

static void
extra_buffers(void)
{
	struct netmap_slot *s;
	uint32_t idx, n = 0;

	a.reg.nr_extra_bufs = 10;
	client_open(&a, "vale0:a");
	client_open(&b, "vale0:b");
	CHECK(a.reg.nr_extra_bufs == 10);
	for (idx = a.nifp->ni_bufs_head; idx != 0; n++) {
		CHECK(idx >= 2 && idx < a.region->nb_bufs);
		memcpy(&idx, client_buf(&a, idx), 4);
	}
	CHECK(n == 10);
	/* a slot changes its buffer for one of these */
	s = client_put(&a, mac_all, mac_a, 60, 77);
	memcpy(client_buf(&a, a.nifp->ni_bufs_head), client_buf(&a, s->buf_idx), 60);
	memset(client_buf(&a, s->buf_idx), 0, 60);
	s->buf_idx = a.nifp->ni_bufs_head;
	s->flags = NS_BUF_CHANGED;
	client_wait_sent(&a, 0);
	client_take(&b, 77, 1, 60);
	client_close(&a);
	for (unsigned int i = 0; i < 50; i++) {
		a.reg.nr_extra_bufs = 1000 * (i + 1);
		client_open(&a, "vale0:a");
		CHECK(a.reg.nr_extra_bufs == 1000 * (i + 1));
		client_close(&a);
	}
}

/* Two ports in one region: a frame can go on without a copy, by its buffer. */
static void
shared_region(void)
{
	struct netmap_slot *in, *out;
	uint32_t idx;

	client_open(&c, "vale1:c");
	client_open(&a, "vale1:a");
	b.reg.nr_mem_id = a.st.mem_id;
	client_open(&b, "vale2:b");
	client_open(&a, "vale1:a"); /* again: more descriptors do not take its place */
	CHECK(b.st.mem_id == a.st.mem_id && b.st.size == a.st.size);
	struct client d = {0};
	client_open(&d, "vale2:d");

	client_send(&c, mac_all, mac_c, 60, 9);
	CHECK(client_wait_rx(&a, 0, 1) == 1);
	in = &client_rx(&a, 0)->slot[client_rx(&a, 0)->head];
	out = &client_tx(&b, 0)->slot[client_tx(&b, 0)->head];
	idx = in->buf_idx;
	in->buf_idx = out->buf_idx;
	out->buf_idx = idx;
	out->len = in->len;
	client_tx(&b, 0)->head++;
	client_wait_sent(&b, 0);
	client_take(&d, 9, 1, 60);
	client_rx(&a, 0)->head++;
	client_send(&c, mac_all, mac_c, 60, 10);
	client_take(&a, 10, 1, 60);
}

static struct vale_ctl_nm_opt
offsets_option(uint64_t max, uint64_t initial, uint32_t bits)
{
	struct nmreq_opt_offsets o = {
		.nro_max_offset = max, .nro_initial_offset = initial, .nro_offset_bits = bits};
	struct vale_ctl_nm_opt opt = {.reqtype = NETMAP_REQ_OPT_OFFSETS};

	memcpy(opt.body, (uint8_t *)&o + sizeof(o.nro_opt), sizeof(o) - sizeof(o.nro_opt));
	return opt;
}

static int
open_offsets(struct client *x, const char *name, struct vale_ctl_nm_opt *opt)
{
	int ret;

	x->reg = (struct nmreq_register){.nr_mode = NR_REG_ALL_NIC};
	x->fd = client_dial();
	ret = client_ctrl(
		x->fd, NETMAP_REQ_REGISTER, name, &x->reg, sizeof(x->reg), opt, 1, x->text);
	CHECK((int)opt->status == ret || ret == EBUSY);
	if (ret == 0)
		client_map(x);
	else
		close(x->fd);
	return ret;
}

static void
offsets(void)
{
	struct vale_ctl_nm_opt good = offsets_option(128, 32, 16), bad;
	struct netmap_ring *rx;
	struct client x = {0};

	bad = offsets_option(2049, 0, 0);
	CHECK(open_offsets(&x, "vale1:x", &bad) == EINVAL);
	bad = offsets_option(256, 0, 8);
	CHECK(open_offsets(&x, "vale1:x", &bad) == EINVAL);
	bad = offsets_option(10, 11, 8);
	CHECK(open_offsets(&x, "vale1:x", &bad) == EINVAL);
	bad = offsets_option(10, 0, 65);
	CHECK(open_offsets(&x, "vale1:x", &bad) == EINVAL);
	CHECK(open_offsets(&a, "vale0:a", &good) == 0);
	CHECK(open_offsets(&b, "vale0:b", &good) == 0);
	rx = client_rx(&b, 0);
	CHECK(rx->offset_mask == 0xffff && rx->slot[3].ptr == 32);
	for (uint32_t i = 0; i < 200; i++) {
		struct netmap_slot *s = client_put(&a, mac_all, mac_a, 60, i), *t;
		uint32_t off = i % 129, to = (i * 7) % 129;

		memmove(client_buf(&a, s->buf_idx) + off, client_buf(&a, s->buf_idx), 60);
		s->ptr = off | 0xabcd0000;
		t = &rx->slot[rx->head];
		t->ptr = to;
		client_wait_sent(&a, 0);
		CHECK(client_wait_rx(&b, 0, 1) == 1);
		CHECK(t->len == 60 && client_number(client_buf(&b, t->buf_idx) + to, 60) == i);
		rx->head = rx->cur = (rx->head + 1) % rx->num_slots;
	}
	/* an offset above what was agreed: refused, as is what ends behind the buffer */
	client_put(&a, mac_all, mac_a, 60, 1)->ptr = 129;
	client_put(&a, mac_all, mac_a, 2000, 1)->ptr = 100;
	client_wait_sent(&a, 0);
	client_expect_none(&b);
	/* longer than what is left behind an offset: it goes into two slots */
	rx->slot[rx->head].ptr = 128;
	rx->slot[(rx->head + 1) % 1024].ptr = 64;
	client_put(&a, mac_all, mac_a, 2048, 5)->ptr = 0;
	client_wait_sent(&a, 0);
	CHECK(client_wait_rx(&b, 0, 2) == 2);
	CHECK(rx->slot[rx->head].len == 1920 && rx->slot[rx->head].flags == 0x220);
	CHECK(rx->slot[(rx->head + 1) % 1024].len == 128);
	/* a second descriptor takes what is, and cannot have more */
	bad = offsets_option(200, 0, 16);
	CHECK(open_offsets(&x, "vale0:a", &bad) == EBUSY);
	bad = offsets_option(64, 0, 8);
	CHECK(open_offsets(&x, "vale0:a", &bad) == 0);
}

/* Virtio-net headers: before each frame on their port, and nowhere else. */
static void
headers(void)
{
	struct nmreq_port_hdr hdr = {.nr_hdr_len = 12};
	struct netmap_ring *rx;
	struct netmap_slot *s;
	int fd = client_dial();

	client_open(&a, "vale0:a");
	client_open(&b, "vale0:b");
	CHECK(client_ctrl(fd, NETMAP_REQ_PORT_HDR_SET, "vale0:b", &hdr, sizeof(hdr), NULL, 0,
		      NULL) == 0);
	rx = client_rx(&b, 0);
	memset(client_buf(&b, rx->slot[rx->head].buf_idx), 0x77, 80);
	client_send(&a, mac_all, mac_a, 60, 1);
	CHECK(client_wait_rx(&b, 0, 1) == 1);
	s = &rx->slot[rx->head];
	CHECK(s->len == 72 && client_number(client_buf(&b, s->buf_idx) + 12, 60) == 1);
	for (unsigned int i = 0; i < 12; i++)
		CHECK(client_buf(&b, s->buf_idx)[i] == 0);
	/* in the same slot, and in one of its own */
	s = client_put(&b, mac_all, mac_b, 60, 2);
	memmove(client_buf(&b, s->buf_idx) + 12, client_buf(&b, s->buf_idx), 60);
	s->len = 72;
	client_wait_sent(&b, 0);
	client_take(&a, 2, 1, 60);
	s = client_put(&b, mac_all, mac_b, 18, 3);
	s->len = 12;
	s->flags = NS_MOREFRAG;
	client_send(&b, mac_all, mac_b, 60, 3);
	client_take(&a, 3, 1, 60);
	/* who does not know of headers does not get in */
	CHECK(client_register(&c, "vale0:b") == EIO);
	c.reg.nr_flags = NR_ACCEPT_VNET_HDR;
	CHECK(client_register(&c, "vale0:b") == 0);
	hdr.nr_hdr_len = 0;
	CHECK(client_ctrl(fd, NETMAP_REQ_PORT_HDR_GET, "vale0:b", &hdr, sizeof(hdr), NULL, 0,
		      NULL) == 0 &&
		hdr.nr_hdr_len == 12);
}

/* Move what is in a receive ring to a transmit ring, by exchange of buffers. Returns slots moved.
 */
static uint32_t
move(struct client *from, struct client *to)
{
	struct netmap_ring *rx = client_rx(from, 0), *tx = client_tx(to, 0);
	uint32_t n = 0;

	client_tx_sync(to, 0);
	for (uint32_t left = client_rx_sync(from, 0); left > 0 && tx->head != tx->tail;
		left--, n++) {
		struct netmap_slot *in = &rx->slot[rx->head], *out = &tx->slot[tx->head];
		uint32_t idx = in->buf_idx;

		in->buf_idx = out->buf_idx;
		out->buf_idx = idx;
		out->len = in->len;
		out->flags = NS_BUF_CHANGED | (in->flags & NS_MOREFRAG);
		rx->head = rx->cur = (rx->head + 1) % rx->num_slots;
		tx->head = tx->cur = (tx->head + 1) % tx->num_slots;
	}
	client_rx_sync(from, 0);
	if (n > 0)
		client_tx_sync(to, 0);
	return n;
}

/* Between vale0 and vale1, until it is killed. */
static void
bridge(void)
{
	client_open(&a, "vale0:n");
	b.reg.nr_mem_id = a.st.mem_id;
	client_open(&b, "vale1:n");
	CHECK(b.st.mem_id == a.st.mem_id);
	for (;;) {
		if (move(&a, &b) + move(&b, &a) == 0)
			usleep(50);
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
		CASE(shared_port),
		CASE(ring_subsets),
		CASE(extra_buffers),
		CASE(shared_region),
		CASE(offsets),
		CASE(headers),
		CASE(bridge),
		{NULL, NULL},
	};

	return run_case(argc, argv, cases);
}
