/* SPDX-License-Identifier: BSD-3-Clause */
/* The switch between netmap programs that behave: who has which port, its rings, and its memory. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "switch_client.h"

static struct client a, b, c;

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
	/* nothing is left to do; the frame is in one buffer */
	for (unsigned int i = 0; i < 12; i++)
		CHECK(client_buf(&b, s->buf_idx)[i] == (i == 10));
	/* in the same slot, and in one of its own */
	s = client_put(&b, mac_all, mac_b, 60, 2);
	memmove(client_buf(&b, s->buf_idx) + 12, client_buf(&b, s->buf_idx), 60);
	memset(client_buf(&b, s->buf_idx), 0, 12);
	s->len = 72;
	client_wait_sent(&b, 0);
	client_take(&a, 2, 1, 60);
	s = client_put(&b, mac_all, mac_b, 18, 3);
	memset(client_buf(&b, s->buf_idx), 0, 12);
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

const struct test_case switch_port_cases[] = {
#define CASE(f)       \
	{             \
#f, f \
	}
	CASE(shared_port),
	CASE(ring_subsets),
	CASE(extra_buffers),
	CASE(shared_region),
	CASE(offsets),
	CASE(headers),
	CASE(bridge),
	{NULL, NULL},
};
