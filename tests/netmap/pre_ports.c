/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports and who has them: shared, exclusive, ring by ring, one region for several, options. */
#include "pre.h"

static void
sharing(void)
{
	struct nm_desc *a = pre_open("valea:0"), *c, *b = pre_open("valea:1");
	struct netmap_ring *one, *two;

	c = pre_open("valea:0");
	CHECK(a->req.nr_arg2 == c->req.nr_arg2);
	one = NETMAP_TXRING(a->nifp, 0);
	two = NETMAP_TXRING(c->nifp, 0);
	pre_send(a, 60, 1);
	CHECK(two->head == one->head && two->head == 1);
	pre_send(c, 60, 2);
	pre_expect(b, 60, 1);
	pre_expect(b, 60, 2);
	CHECK(nm_open("valea:0/x", NULL, 0, NULL) == NULL && errno == EBUSY);
	nm_close(a);
	pre_send(c, 60, 3);
	pre_expect(b, 60, 3);
	nm_close(c);
	a = pre_open("valea:0/x");
	CHECK(nm_open("valea:0", NULL, 0, NULL) == NULL && errno == EBUSY);
}

/* What was sent right before close is delivered, and the name is free at once. */
static void
open_close(void)
{
	struct nm_desc *b = pre_open("valea:1");
	const char *env = getenv("VALE_TEST_OPENS");
	int n = env != NULL ? atoi(env) : 100;

	for (int i = 0; i < n; i++) {
		struct nm_desc *a = pre_open("valea:0/x");

		pre_send(a, 60, (char)i);
		CHECK(nm_close(a) == 0);
		pre_expect(b, 60, (char)i);
	}
}

/** Send frames of 60 bytes by one ring and see which ring of the other they come to. */
static void
ring_to_ring(int from, struct netmap_ring *tx, int to, struct netmap_ring *rx)
{
	struct pollfd p = {.fd = to, .events = POLLIN};
	struct netmap_slot *s = &tx->slot[tx->head];
	static const unsigned char dst[6] = {2, 0, 0, 0, 0, 0x0b}, src[6] = {2, 0, 0, 0, 0, 0x0a};

	memcpy(NETMAP_BUF(tx, s->buf_idx), dst, 6);
	memcpy(NETMAP_BUF(tx, s->buf_idx) + 6, src, 6);
	s->len = 60;
	tx->head = tx->cur = nm_ring_next(tx, tx->head);
	CHECK(ioctl(from, NIOCTXSYNC, NULL) == 0);
	CHECK(poll(&p, 1, 20000) == 1 && p.revents == POLLIN);
	CHECK(nm_ring_space(rx) == 1);
	rx->head = rx->cur = rx->tail;
	CHECK(ioctl(to, NIOCRXSYNC, NULL) == 0);
}

/* A descriptor may have one pair of rings only; it syncs and waits for no others. */
static void
subsets(void)
{
	struct nmreq_register two = {.nr_tx_rings = 2, .nr_rx_rings = 2}, one;
	struct netmap_if *all, *half[2];
	int fd_all = pre_register("valea:a", &two, NULL, &all), fd[2];
	static const unsigned char hello[14] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 0x0b};

	CHECK(fd_all >= 0);
	for (int i = 0; i < 2; i++) {
		one = (struct nmreq_register){.nr_tx_rings = 2,
			.nr_rx_rings = 2,
			.nr_mode = NR_REG_ONE_NIC,
			.nr_ringid = (uint16_t)i,
			.nr_flags = NR_EXCLUSIVE};
		fd[i] = pre_register("valea:b", &one, NULL, &half[i]);
		CHECK(fd[i] >= 0 && half[i]->ni_rx_rings == 2);
	}
	one = (struct nmreq_register){.nr_mode = NR_REG_ONE_NIC, .nr_ringid = 1};
	CHECK(pre_register("valea:b", &one, NULL, &half[0]) == -1 && errno == EBUSY);
	one = (struct nmreq_register){.nr_mode = NR_REG_ONE_NIC, .nr_ringid = 2};
	CHECK(pre_register("valea:a", &one, NULL, &half[0]) == -1 && errno == EINVAL);
	/* b is learned, so that what is for it is not flooded to ring 0 */
	memcpy(NETMAP_BUF(NETMAP_TXRING(half[1], 1), NETMAP_TXRING(half[1], 1)->slot[0].buf_idx),
		hello, sizeof(hello));
	NETMAP_TXRING(half[1], 1)->slot[0].len = 60;
	NETMAP_TXRING(half[1], 1)->head = NETMAP_TXRING(half[1], 1)->cur = 1;
	CHECK(ioctl(fd[1], NIOCTXSYNC, NULL) == 0);
	usleep(50000);
	for (int i = 0; i < 4; i++) {
		struct pollfd other = {.fd = fd[1 - i % 2], .events = POLLIN};

		ring_to_ring(fd_all, NETMAP_TXRING(all, i % 2), fd[i % 2],
			NETMAP_RXRING(half[i % 2], i % 2));
		CHECK(poll(&other, 1, 20) == 0);
	}
}

/* One descriptor to send, and one to receive. */
static void
one_way(void)
{
	struct nmreq_register tx_only = {.nr_flags = NR_TX_RINGS_ONLY},
			      rx_only = {.nr_flags = NR_RX_RINGS_ONLY};
	struct netmap_if *tx, *rx;
	int fd_tx = pre_register("valea:a", &tx_only, NULL, &tx);
	int fd_rx = pre_register("valea:b", &rx_only, NULL, &rx);
	struct pollfd p = {.fd = fd_tx, .events = POLLIN};

	CHECK(fd_tx >= 0 && fd_rx >= 0);
	ring_to_ring(fd_tx, NETMAP_TXRING(tx, 0), fd_rx, NETMAP_RXRING(rx, 0));
	CHECK(poll(&p, 1, 20) == 0);
}

/* Two ports in one region: a frame goes on by exchange of its buffer, and nothing is copied. */
static void
shared_region(void)
{
	struct nm_desc *c = pre_open("valea:c"), *a = pre_open("valea:a"), *b, *d;
	struct netmap_ring *rx, *tx;
	uint32_t idx;

	b = nm_open("valeb:b", NULL, NM_OPEN_NO_MMAP | NM_OPEN_ARG2, a);
	CHECK(b != NULL && b->req.nr_arg2 == a->req.nr_arg2 && b->mem == a->mem);
	d = pre_open("valeb:d");
	CHECK(d->req.nr_arg2 != a->req.nr_arg2);
	rx = NETMAP_RXRING(a->nifp, 0);
	tx = NETMAP_TXRING(b->nifp, 0);
	for (int i = 0; i < 2000; i++) {
		struct pollfd p = {.fd = a->fd, .events = POLLIN};

		pre_send(c, 60, (char)i);
		CHECK(poll(&p, 1, 20000) == 1);
		idx = rx->slot[rx->head].buf_idx;
		rx->slot[rx->head].buf_idx = tx->slot[tx->head].buf_idx;
		rx->slot[rx->head].flags |= NS_BUF_CHANGED;
		tx->slot[tx->head].buf_idx = idx;
		tx->slot[tx->head].len = rx->slot[rx->head].len;
		tx->slot[tx->head].flags |= NS_BUF_CHANGED;
		rx->head = rx->cur = nm_ring_next(rx, rx->head);
		tx->head = tx->cur = nm_ring_next(tx, tx->head);
		CHECK(ioctl(b->fd, NIOCTXSYNC, NULL) == 0 && ioctl(a->fd, NIOCRXSYNC, NULL) == 0);
		pre_expect(d, 60, (char)i);
	}
}

/* Extra buffers: a list of them, none in a ring, whole numbers of them or what there is. */
static void
extra_buffers(void)
{
	struct nmreq_register reg = {.nr_extra_bufs = 1000};
	struct netmap_if *nifp;
	struct netmap_ring *tx;
	int fd = pre_register("valea:a", &reg, NULL, &nifp);
	uint32_t idx, n = 0;

	CHECK(fd >= 0 && reg.nr_extra_bufs == 1000);
	tx = NETMAP_TXRING(nifp, 0);
	for (idx = nifp->ni_bufs_head; idx != 0; n++) {
		CHECK(n < 1000 && idx >= 2);
		for (uint32_t i = 0; i < tx->num_slots; i++)
			CHECK(tx->slot[i].buf_idx != idx);
		idx = *(uint32_t *)(void *)NETMAP_BUF(tx, idx);
	}
	CHECK(n == 1000);
}

/* Where in its buffer a frame begins, slot by slot; without a copy into its place. */
static void
offsets(void)
{
	struct nmreq_opt_offsets o = {.nro_opt = {.nro_reqtype = NETMAP_REQ_OPT_OFFSETS},
		.nro_max_offset = 200,
		.nro_initial_offset = 30,
		.nro_offset_bits = 8};
	struct nmreq_register reg_a = {0}, reg_b = {0};
	struct netmap_if *a, *b;
	int fd_a = pre_register("valea:a", &reg_a, &o.nro_opt, &a), fd_b;
	struct netmap_ring *tx, *rx;
	struct pollfd p = {.events = POLLIN};

	CHECK(fd_a >= 0 && o.nro_opt.nro_status == 0);
	fd_b = p.fd = pre_register("valea:b", &reg_b, &o.nro_opt, &b);
	CHECK(fd_b >= 0);
	tx = NETMAP_TXRING(a, 0);
	rx = NETMAP_RXRING(b, 0);
	CHECK(tx->offset_mask == 255 && NETMAP_ROFFSET(tx, &tx->slot[9]) == 30);
	for (uint32_t i = 0; i < 100; i++) {
		struct netmap_slot *s = &tx->slot[tx->head], *r = &rx->slot[rx->head];

		NETMAP_WOFFSET(tx, s, i * 2);
		memset(NETMAP_BUF_OFFSET(tx, s), 0xff, 12);
		memset(NETMAP_BUF_OFFSET(tx, s) + 12, (int)i, 88);
		s->len = 100;
		NETMAP_WOFFSET(rx, r, 200 - i);
		tx->head = tx->cur = nm_ring_next(tx, tx->head);
		CHECK(ioctl(fd_a, NIOCTXSYNC, NULL) == 0);
		CHECK(poll(&p, 1, 20000) == 1 && r->len == 100);
		CHECK(NETMAP_BUF(rx, r->buf_idx)[200 - i + 99] == (char)i);
		rx->head = rx->cur = rx->tail;
	}
	o.nro_max_offset = 2049;
	CHECK(pre_register("valea:c", &reg_a, &o.nro_opt, &a) == -1 && errno == EINVAL);
	CHECK(o.nro_opt.nro_status == EINVAL);
}

/* Virtio-net headers: on one port before each frame, and nowhere else. */
static void
vnet_headers(void)
{
	struct nmreq_port_hdr hdr = {.nr_hdr_len = 12};
	struct nm_desc *a = pre_open("valea:a"), *b = pre_open("valea:b");
	struct nmreq_register reg = {0};
	struct netmap_if *nifp;
	int fd;

	CHECK(pre_ctrl(b->fd, "valea:b", NETMAP_REQ_PORT_HDR_SET, &hdr, NULL) == 0);
	hdr.nr_hdr_len = 11;
	CHECK(pre_ctrl(b->fd, "valea:b", NETMAP_REQ_PORT_HDR_SET, &hdr, NULL) == EINVAL);
	hdr.nr_hdr_len = 0;
	CHECK(pre_ctrl(b->fd, "valea:b", NETMAP_REQ_PORT_HDR_GET, &hdr, NULL) == 0);
	CHECK(hdr.nr_hdr_len == 12);
	pre_send(a, 60, 4);
	pre_expect(b, 72, 4);
	memset(pre_frame, 0, 12);
	memset(pre_frame + 12, 0xff, 60);
	CHECK(nm_inject(b, pre_frame, 72) == 72 && ioctl(b->fd, NIOCTXSYNC, NULL) == 0);
	pre_expect(a, 60, (char)0xff);
	/* who did not say that he knows of them does not get in */
	CHECK(pre_register("valea:b", &reg, NULL, &nifp) == -1 && errno == EIO);
	reg.nr_flags = NR_ACCEPT_VNET_HDR;
	fd = pre_register("valea:b", &reg, NULL, &nifp);
	CHECK(fd >= 0);
	close(fd);
}

/* A persistent port has a bare name and is nowhere until it is attached. */
static void
persistent(void)
{
	struct nmreq_vale_newif n = {.nr_tx_rings = 2, .nr_rx_rings = 2};
	struct nmreq_vale_attach at = {.reg = {.nr_mode = NR_REG_ALL_NIC}};
	struct nmreq_vale_detach off = {0};
	struct nmreq_vale_list list = {0};
	struct nmreq_register reg = {0};
	struct netmap_if *nifp;
	int fd = open("/dev/netmap", O_RDWR), port;
	struct nm_desc *a = pre_open("valea:a"), *b;

	CHECK(pre_ctrl(fd, "p0", NETMAP_REQ_VALE_NEWIF, &n, NULL) == 0);
	CHECK(pre_ctrl(fd, "p0", NETMAP_REQ_VALE_NEWIF, &n, NULL) == EEXIST);
	CHECK(pre_register("valea:p0", &reg, NULL, &nifp) == -1 && errno == EINVAL);
	CHECK(pre_ctrl(fd, "valea:p0", NETMAP_REQ_VALE_DETACH, &off, NULL) == ENXIO);
	CHECK(pre_ctrl(fd, "valea:p0", NETMAP_REQ_VALE_ATTACH, &at, NULL) == 0);
	CHECK(pre_ctrl(fd, "valea:p0", NETMAP_REQ_VALE_ATTACH, &at, NULL) == EBUSY);
	CHECK(pre_ctrl(fd, "valea:p0", NETMAP_REQ_VALE_LIST, &list, NULL) == 0);
	CHECK(pre_ctrl(fd, "p0", NETMAP_REQ_VALE_DELIF, NULL, NULL) == EBUSY);
	CHECK(pre_ctrl(fd, "valea:p0", NETMAP_REQ_VALE_DETACH, &off, NULL) == 0);
	/* unattached it opens by its own name; attached by the switch's */
	port = pre_register("p0", &reg, NULL, &nifp);
	CHECK(port >= 0 && nifp->ni_tx_rings == 2);
	close(port);
	CHECK(pre_ctrl(fd, "p0", NETMAP_REQ_VALE_DELIF, NULL, NULL) == 0);
	CHECK(pre_ctrl(fd, "p0", NETMAP_REQ_VALE_DELIF, NULL, NULL) == ENXIO);
	b = pre_open("valea:b");
	pre_send(a, 60, 1);
	pre_expect(b, 60, 1);
}

const struct pre_case pre_port_cases[] = {
	{"extra_buffers", extra_buffers},
	{"offsets", offsets},
	{"one_way", one_way},
	{"open_close", open_close},
	{"persistent", persistent},
	{"shared_region", shared_region},
	{"sharing", sharing},
	{"subsets", subsets},
	{"vnet_headers", vnet_headers},
	{NULL, NULL},
};
