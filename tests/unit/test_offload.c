/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that are not finished: what is believed of their headers, and what receivers get of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <linux/virtio_net.h>

#include "ethdev_port.h"
#include "offload_frame.h"
#include "unit_eal.h"
#include "vale_offload.h"
#include "vale_pkt_copy.h"
#include "vale_switch.h"

#define LEN_MAX 66000
#define IN_MAX 1024
#define GOT_MAX 8192
#define TAKES_ALL (VALE_OL_CSUM | VALE_OL_RAW_CSUM | VALE_OL_TSO4 | VALE_OL_TSO6 | VALE_OL_ECN)

static const struct frame_spec tcp4 = {.dst = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	.src = {2, 0, 0, 0, 0, 1},
	.payload = 64000,
	.gso_size = 1448,
	.tcp_options = 12,
	.flags = FRAME_ACK | FRAME_PSH,
	.ip_id = 0xfffe,
	.seq = 0xffffff00};

/* ---- ports of arrays ---- */

/** A port that lends what it is given, and keeps a copy of what it gets. */
struct lab {
	struct vale_endpoint ep; /* first */
	struct vale_rxq q;
	struct rte_mempool *pool; /* frames are sent in mbufs; NULL: in pieces of memory */
	unsigned int nb_in, head;
	uint8_t *in[IN_MAX];
	uint32_t in_len[IN_MAX];
	struct vale_offload in_ol[IN_MAX];
	bool in_open[IN_MAX];
	struct vale_seg *segs[IN_MAX]; /* of the frame as lent */
	unsigned int nb_got, room;
	struct {
		uint8_t *data;
		uint32_t len;
		uint16_t flags;
		struct vale_offload ol;
	} got[GOT_MAX];
	uint32_t calls; /* of tx */
};

static struct rte_mempool *pool;
static struct vale_workers *ws;
static struct vale_switches *sws;

/** Divide a frame into pieces of odd lengths, each in memory of exactly its size. */
static struct vale_seg *
divide(const uint8_t *data, uint32_t len)
{
	struct vale_seg *segs = calloc(64, sizeof(*segs));
	uint32_t at = 0, n;
	uint8_t *piece;

	for (unsigned int i = 0; at < len; i++, at += n) {
		/* not the headers in one piece, and the rest at odd places */
		n = RTE_MIN(i == 0 ? 15u : i == 1 ? 22u : 2047u, len - at);
		piece = malloc(n);
		memcpy(piece, data + at, n);
		segs[i] = (struct vale_seg){.data = piece, .len = n};
	}
	return segs;
}

static void
lend(struct lab *l, unsigned int i, struct vale_pkt *p)
{
	struct vale_pkt flat = {.data = l->in[i], .len = l->in_len[i], .seg_len = 64};

	if (l->pool != NULL) {
		flat.seg_len = (uint16_t)RTE_MIN(flat.len, 65535u);
		if (flat.len > 2000)
			flat.seg_len = 0;
		p->mbuf = vale_pkt_to_mbuf(&flat, l->pool);
		assert_non_null(p->mbuf);
		p->data = rte_pktmbuf_mtod(p->mbuf, uint8_t *);
		p->seg_len = p->mbuf->data_len;
		p->flags = VALE_PKT_MBUF;
		if (l->in_open[i])
			vale_offload_to_mbuf(&l->in_ol[i], p->mbuf);
	} else {
		l->segs[i] = divide(l->in[i], l->in_len[i]);
		l->segs[i][0].ol = l->in_ol[i];
		p->segs = l->segs[i];
		p->data = p->segs[0].data;
		p->seg_len = (uint16_t)p->segs[0].len;
		p->flags = VALE_PKT_SEGS;
	}
	p->len = l->in_len[i];
	if (l->in_open[i])
		p->flags |= VALE_PKT_OFFLOAD;
}

static uint16_t
lab_rx(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad)
{
	struct lab *l = (struct lab *)q->ep;
	uint16_t nb = 0;

	for (; nb < n && l->head < l->nb_in; nb++)
		lend(l, l->head++, &pkts[nb]);
	return nb;
}

static void
lab_rx_done(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n)
{
	struct lab *l = (struct lab *)q->ep;

	for (uint16_t i = 0; l->pool != NULL && i < n; i++)
		rte_pktmbuf_free(pkts[i].mbuf);
	for (unsigned int i = 0; i < l->head; i++) {
		for (unsigned int k = 0; l->segs[i] != NULL && k < 64; k++)
			free((void *)(uintptr_t)l->segs[i][k].data);
		free(l->segs[i]);
		l->segs[i] = NULL;
	}
}

/** By an mbuf, as dpdk and ethdev ports do, or at once, as those of shared memory. */
static void
copy_out(const struct lab *l, const struct vale_pkt *p, uint8_t *to)
{
	struct vale_pkt in_mbuf = {.len = p->len, .flags = VALE_PKT_MBUF};

	if (l->pool == NULL) {
		vale_pkt_to_flat(p, to);
		return;
	}
	in_mbuf.mbuf = vale_pkt_to_mbuf(p, l->pool);
	assert_non_null(in_mbuf.mbuf);
	assert_int_equal(in_mbuf.mbuf->pkt_len, p->len);
	vale_pkt_to_flat(&in_mbuf, to);
	rte_pktmbuf_free(in_mbuf.mbuf);
}

static void
lab_tx(struct vale_endpoint *ep, uint16_t queue, struct vale_pkt *pkts, const uint16_t *idx,
	uint16_t n, struct vale_tx_result *res)
{
	struct lab *l = (struct lab *)ep;

	assert_true(n <= VALE_BATCH_MAX);
	/* "zeroed before": there are kinds that write into it what this call alone came to */
	assert_int_equal(res->packets + res->taken + res->no_mbuf + res->too_long, 0);
	assert_int_equal(res->bytes, 0);
	l->calls++;
	for (uint16_t i = 0; i < n && l->room > 0; i++, l->room--) {
		const struct vale_pkt *p = &pkts[idx[i]];

		l->got[l->nb_got].data = malloc(p->len);
		copy_out(l, p, l->got[l->nb_got].data);
		l->got[l->nb_got].len = p->len;
		l->got[l->nb_got].flags = p->flags;
		if (p->flags & VALE_PKT_OFFLOAD) {
			l->got[l->nb_got].ol = vale_pkt_offload(p);
			assert_int_equal(l->got[l->nb_got].ol.needs & ~VALE_OL_IS_IPV6 &
						 ~(uint32_t)atomic_load(&ep->takes),
				0);
		}
		l->nb_got++;
		res->packets++;
		res->bytes += p->len;
	}
}

static unsigned int
lab_destroy(struct vale_endpoint *ep)
{
	struct lab *l = (struct lab *)ep;

	for (unsigned int i = 0; i < l->nb_got; i++)
		free(l->got[i].data);
	for (unsigned int i = 0; i < l->nb_in; i++)
		free(l->in[i]);
	free(l);
	return 0;
}

static const struct vale_endpoint_ops lab_ops = {
	.lends_memory = true,
	.rx = lab_rx,
	.rx_done = lab_rx_done,
	.tx = lab_tx,
	.destroy = lab_destroy,
};

static struct lab *
plug(const char *text, uint32_t takes, struct rte_mempool *from)
{
	struct lab *l = calloc(1, sizeof(*l));
	struct vale_name name;
	char why[256] = "";

	l->ep.ops = &lab_ops;
	l->ep.nb_rxq = l->ep.nb_txq = 1;
	l->ep.rxq[0] = &l->q;
	l->q.ep = &l->ep;
	l->q.wait_fd = -1;
	l->pool = from;
	l->room = UINT32_MAX;
	atomic_store(&l->ep.takes, takes);
	assert_int_equal(vale_name_parse(text, &name, NULL), 0);
	assert_int_equal(vale_switch_attach(sws, &name, &l->ep, NULL, true, why), 0);
	return l;
}

/** Give a port a frame to send, as its virtio-net header says. */
static void
give(struct lab *l, const struct frame_spec *s)
{
	static uint8_t frame[LEN_MAX];
	struct vale_vnet_hdr h;
	uint32_t len = frame_write(s, frame);

	frame_write_vnet(s, (uint8_t *)&h);
	l->in[l->nb_in] = malloc(len);
	memcpy(l->in[l->nb_in], frame, len);
	l->in_len[l->nb_in] = len;
	assert_true(vale_vnet_read(
		&h, frame, RTE_MIN(len, (uint32_t)VALE_HEAD_MAX), len, &l->in_ol[l->nb_in]));
	l->in_open[l->nb_in] = l->in_ol[l->nb_in].needs != 0;
	l->nb_in++;
}

static uint64_t
counter(const struct lab *l, size_t off)
{
	return *(uint64_t *)((uintptr_t)&l->ep.port->counters[0] + off);
}

#define COUNT(l, field) counter(l, offsetof(struct vale_counters, field))

static void
run(void)
{
	while (vale_worker_poll(ws, 0) > 0)
		;
}

static int
setup(void **state)
{
	const struct vale_limits limits = {
		.max_switches = 4, .max_ports = 16, .fdb_size = 1024, .ring_size = 64};

	ws = vale_workers_create(1);
	sws = vale_switches_create(&limits, ws);
	return ws == NULL || sws == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	vale_switches_free(sws);
	vale_workers_free(ws);
	return rte_mempool_avail_count(pool) == pool->size ? 0 : -1;
}

/** Segments got[*at] .. make up the frame. Advances *at behind them. */
static void
expect_cut(const struct lab *l, const struct frame_spec *s, unsigned int *at)
{
	struct frame_seen seen = {0};

	while (seen.payload < s->payload) {
		const char *bad;

		assert_true(*at < l->nb_got);
		assert_int_equal(l->got[*at].flags & VALE_PKT_OFFLOAD, 0);
		bad = frame_look(s, &seen, l->got[*at].data, l->got[*at].len);
		if (bad != NULL)
			fail_msg("segment %u: wrong: %s", seen.nb, bad);
		(*at)++;
	}
}

/* ---- resolving ---- */

/** Every kind of frame, from memory and from mbufs, to one that takes it and one that does not. */
static void
forward_open_frames_carried_or_finished(void **state)
{
	static const uint16_t gso_sizes[] = {0, 48, 1448, 1449, 9000};
	unsigned int i, nb = 0, at = 0;
	struct frame_spec spec[64];

	for (i = 0; i < 2 * 2 * 3 * RTE_DIM(gso_sizes); i++) {
		struct frame_spec s = tcp4;

		s.ipv6 = i & 1;
		s.tags = i / 4 % 3;
		s.ip_options = s.ipv6 || !(i & 2) ? 0 : 8;
		s.tcp_options = i & 2 ? 40 : 12;
		s.gso_size = gso_sizes[i / 12];
		s.udp = s.gso_size == 0 && (i & 2);
		s.payload = s.gso_size == 0 ? 700 + i : s.gso_size == 48 ? 4801 : 60001 + i;
		s.flags |= i % 3 == 0 ? FRAME_FIN | FRAME_CWR : 0;
		spec[nb++] = s;
	}
	for (unsigned int from_mbufs = 0; from_mbufs < 2; from_mbufs++) {
		struct lab *a = plug("valeo:a", 0, from_mbufs ? pool : NULL);
		struct lab *b = plug("valeo:b", TAKES_ALL, NULL);
		struct lab *c = plug("valeo:c", 0, from_mbufs ? NULL : pool);
		uint64_t bytes = 0;

		for (i = 0; i < nb; i++) {
			give(a, &spec[i]);
			bytes += a->in_len[i];
		}
		run();
		assert_int_equal(b->nb_got, nb);
		for (i = 0, at = 0; i < nb; i++) {
			/* whoever came first: a frame that was finished is good for all */
			if (spec[i].gso_size != 0) {
				assert_true(b->got[i].flags & VALE_PKT_OFFLOAD);
				assert_memory_equal(
					&b->got[i].ol, &a->in_ol[i], sizeof(struct vale_offload));
			}
			if (b->got[i].flags & VALE_PKT_OFFLOAD)
				assert_null(
					frame_look_open(&spec[i], b->got[i].data, b->got[i].len));
			else
				assert_null(frame_look(&spec[i], &(struct frame_seen){0},
					b->got[i].data, b->got[i].len));
			expect_cut(c, &spec[i], &at);
		}
		assert_int_equal(c->nb_got, at);
		/* one frame is one frame, on all sides */
		assert_int_equal(COUNT(a, rx_packets), nb);
		assert_int_equal(COUNT(a, rx_bytes), bytes);
		assert_int_equal(COUNT(b, tx_packets), nb);
		assert_int_equal(COUNT(b, tx_bytes), bytes);
		assert_int_equal(COUNT(c, tx_packets), nb);
		assert_int_equal(COUNT(c, tx_bytes), bytes);
		for (unsigned int d = 0; d < VALE_DROP_MAX; d++)
			assert_int_equal(
				COUNT(a, drops[d]) + COUNT(b, drops[d]) + COUNT(c, drops[d]), 0);
		vale_switch_detach(sws, &a->ep);
		vale_switch_detach(sws, &b->ep);
		vale_switch_detach(sws, &c->ep);
	}
}

/** A receiver that takes checksums and no segments, and one that takes IPv4's segments alone. */
static void
forward_open_frames_by_what_is_taken(void **state)
{
	struct frame_spec v4 = tcp4, v6 = tcp4, sum = tcp4, ecn = tcp4;
	struct lab *a = plug("valeo:a", 0, pool);
	struct lab *b = plug("valeo:b", VALE_OL_CSUM, NULL);
	struct lab *c = plug("valeo:c", VALE_OL_CSUM | VALE_OL_TSO4, NULL);
	unsigned int at = 1;

	v6.ipv6 = true;
	sum.gso_size = 0;
	sum.payload = 100;
	ecn.flags |= FRAME_CWR;
	give(a, &sum);
	give(a, &v4);
	give(a, &v6);
	give(a, &ecn);
	run();
	assert_null(frame_look_open(&sum, b->got[0].data, b->got[0].len));
	assert_true(b->got[0].flags & VALE_PKT_OFFLOAD);
	expect_cut(b, &v4, &at);
	expect_cut(b, &v6, &at);
	expect_cut(b, &ecn, &at);
	assert_int_equal(at, b->nb_got);
	assert_null(frame_look_open(&sum, c->got[0].data, c->got[0].len));
	assert_null(frame_look_open(&v4, c->got[1].data, c->got[1].len));
	at = 2;
	expect_cut(c, &v6, &at);
	expect_cut(c, &ecn, &at);
	assert_int_equal(at, c->nb_got);
}

/** Order between finished and other frames, and a call for each run only. */
static void
forward_open_frames_keep_order(void **state)
{
	struct frame_spec plain = tcp4, sum = tcp4;
	struct lab *a = plug("valeo:a", 0, NULL), *b = plug("valeo:b", 0, NULL);
	unsigned int at = 0;

	sum.gso_size = plain.gso_size = 0;
	sum.payload = plain.payload = 100;
	for (unsigned int i = 0; i < 20; i++) {
		const struct frame_spec *s = i % 10 == 9 ? &tcp4 : i % 2 ? &sum : &plain;
		uint32_t k = a->nb_in;

		give(a, s);
		if (s == &plain) {
			a->in_open[k] = false;
			memset(&a->in_ol[k], 0, sizeof(a->in_ol[k]));
		}
	}
	run();
	for (unsigned int i = 0; i < 20; i++) {
		if (i % 10 == 9)
			expect_cut(b, &tcp4, &at);
		else if (i % 2)
			expect_cut(b, &sum, &at);
		else
			assert_null(frame_look_open(&plain, b->got[at].data, b->got[at].len)), at++;
	}
	assert_int_equal(at, b->nb_got);
	assert_int_equal(b->calls, 4);
}

/** What does not fit is a lost frame, though some of it was delivered. */
static void
forward_cut_frame_partly_delivered_dst_full(void **state)
{
	struct lab *a = plug("valeo:a", 0, NULL), *b = plug("valeo:b", 0, NULL);

	give(a, &tcp4);
	give(a, &tcp4);
	b->room = 50;
	run();
	assert_int_equal(b->nb_got, 50);
	assert_int_equal(COUNT(a, rx_packets), 2);
	assert_int_equal(COUNT(b, tx_packets), 1);
	assert_int_equal(COUNT(b, tx_bytes), a->in_len[0]);
	assert_int_equal(COUNT(b, drops[VALE_DROP_DST_FULL]), 1);
}

/** More segments than are kept at a time, flooded: they are made again, and are right. */
static void
forward_many_long_frames_all_finished(void **state)
{
	struct lab *a = plug("valeo:a", 0, NULL);
	struct lab *b = plug("valeo:b", 0, NULL), *c = plug("valeo:c", 0, NULL);
	struct frame_spec small = tcp4;
	unsigned int at = 0;

	small.tcp_options = 0;
	small.gso_size = 48;
	small.payload = 65495;
	for (unsigned int i = 0; i < 5; i++)
		give(a, &small);
	run();
	assert_int_equal(b->nb_got, 5 * 1365);
	for (unsigned int i = 0; i < 5; i++)
		expect_cut(b, &small, &at);
	at = 0;
	for (unsigned int i = 0; i < 5; i++)
		expect_cut(c, &small, &at);
	assert_int_equal(COUNT(c, tx_packets), 5);
}

/** Too long, and nothing says that it is to be cut. */
static void
forward_long_frame_with_open_sum_too_long(void **state)
{
	struct lab *a = plug("valeo:a", 0, NULL), *b = plug("valeo:b", TAKES_ALL, NULL);
	struct frame_spec s = tcp4;

	s.gso_size = 0;
	s.payload = 9300;
	give(a, &s);
	run();
	assert_int_equal(COUNT(a, drops[VALE_DROP_TOO_LONG]), 1);
	assert_int_equal(b->nb_got, 0);
}

/** A sum that is none of TCP's or UDP's: ICMPv6, or a tunnel's inner one. */
static void
forward_raw_sum_carried_or_completed(void **state)
{
	struct lab *a = plug("valeo:a", 0, NULL);
	struct lab *b = plug("valeo:b", TAKES_ALL & ~VALE_OL_RAW_CSUM, NULL);
	struct frame_spec s = tcp4;
	struct vale_offload *ol;
	struct vale_pkt p;

	s.gso_size = 0;
	s.payload = 501;
	give(a, &s);
	ol = &a->in_ol[0];
	*ol = (struct vale_offload){.csum_start = 60, .csum_offset = 3, .needs = VALE_OL_RAW_CSUM};
	run();
	assert_int_equal(b->nb_got, 1);
	assert_int_equal(b->got[0].flags & VALE_PKT_OFFLOAD, 0);
	/* with its checksum in it the part sums up to 0xffff, but for the part that was there */
	p = (struct vale_pkt){.data = a->in[0], .len = a->in_len[0]};
	assert_int_equal(memcmp(b->got[0].data, a->in[0], 63), 0);
	assert_int_equal(memcmp(b->got[0].data + 65, a->in[0] + 65, p.len - 65), 0);
	{
		uint16_t sum = vale_pkt_sum(&p, 60), want = (uint16_t)~sum, was;

		memcpy(&was, b->got[0].data + 63, 2);
		assert_int_equal(was, want);
	}
}

/* ---- what is believed ---- */

static bool
read_vnet(
	const struct vale_vnet_hdr *h, const uint8_t *frame, uint32_t len, struct vale_offload *ol)
{
	uint32_t n = RTE_MIN(len, (uint32_t)VALE_HEAD_MAX);
	uint8_t *head = malloc(n > 0 ? n : 1);
	bool good;

	/* of exactly this size: a sanitizer sees a byte too many */
	memcpy(head, frame, n);
	good = vale_vnet_read(h, head, n, len, ol);
	free(head);
	return good;
}

static void
vnet_read_lies_refused(void **state)
{
	static uint8_t frame[LEN_MAX];
	uint32_t len = frame_write(&tcp4, frame);
	struct vale_vnet_hdr good, h;
	struct vale_offload ol;

	frame_write_vnet(&tcp4, (uint8_t *)&good);
	assert_true(read_vnet(&good, frame, len, &ol));
	assert_int_equal(ol.needs, VALE_OL_CSUM | VALE_OL_TSO4);
#define LIE(change)                                        \
	do {                                               \
		h = good;                                  \
		change;                                    \
		if (read_vnet(&h, frame, len, &ol))        \
			fail_msg("believed: %s", #change); \
	} while (0)
	LIE(h.flags = 0);
	LIE(h.flags = 2);
	LIE(h.gso_type = VALE_VNET_GSO_TCPV6);
	LIE(h.gso_type = 3); /* UDP, to be made into fragments */
	LIE(h.gso_type = 5); /* UDP, to be cut */
	LIE(h.gso_type = VALE_VNET_GSO_ECN);
	LIE(h.gso_type = 0x41);
	LIE(h.gso_type = 2);
	LIE(h.gso_size = 0);
	LIE(h.gso_size = 47);
	LIE(h.gso_size = 9216);
	LIE(h.gso_size = 0xffff);
	LIE(h.csum_start = 35);
	LIE(h.csum_start = 0);
	LIE(h.csum_start = 0xffff);
	LIE(h.csum_offset = 6);
	LIE(h.csum_offset = 0xffff);
	LIE(frame[12] = 0x86; frame[13] = 0xdd);
	frame_write(&tcp4, frame);
	LIE(frame[14] = 0x44);
	frame_write(&tcp4, frame);
	LIE(frame[14] = 0x55);
	frame_write(&tcp4, frame);
	LIE(frame[23] = 17);
	frame_write(&tcp4, frame);
	LIE(frame[20] = 0x20); /* more fragments */
	frame_write(&tcp4, frame);
	LIE(frame[21] = 1); /* a later fragment */
	frame_write(&tcp4, frame);
	LIE(frame[46] = 0x40);
	frame_write(&tcp4, frame);
	LIE(len = 66);
	LIE(len = 65535 + 15);
	len = frame_write(&tcp4, frame);
	/* without segments: sums elsewhere, as long as they are in the frame's head */
	good.gso_type = good.gso_size = 0;
	assert_true(read_vnet(&good, frame, len, &ol));
	h = good;
	h.csum_start = 60;
	h.csum_offset = 130;
	assert_true(read_vnet(&h, frame, len, &ol));
	assert_int_equal(ol.needs, VALE_OL_RAW_CSUM);
	LIE(h.csum_start = 60; h.csum_offset = 131);
	LIE(h.csum_start = 13; h.csum_offset = 20);
	LIE(h.csum_start = 0xfff0; h.csum_offset = 0x10);
	LIE(h.csum_start = 34; h.csum_offset = 256);
	LIE(len = 51); /* the field is not all there */
	/* hdr_len and num_buffers say nothing */
	len = frame_write(&tcp4, frame);
	h = good;
	h.hdr_len = h.num_buffers = 0xffff;
	assert_true(read_vnet(&h, frame, len, &ol));
	/* DATA_VALID alone is no work */
	h = (struct vale_vnet_hdr){.flags = 2, .csum_start = 0xffff, .csum_offset = 0xffff};
	assert_true(read_vnet(&h, frame, len, &ol));
	assert_int_equal(ol.needs, 0);
}

static uint32_t
rnd(void)
{
	static uint32_t x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

/** A frame with some of it turned into something else. */
static uint32_t
random_frame(uint8_t *frame, struct vale_vnet_hdr *h)
{
	struct frame_spec s = tcp4;
	uint32_t len;

	s.ipv6 = rnd() & 1;
	s.tags = rnd() % 3;
	s.ip_options = s.ipv6 ? 0 : rnd() % 11 * 4;
	s.tcp_options = rnd() % 11 * 4;
	s.payload = rnd() % 4 ? rnd() % 3000 : rnd() % 64000;
	s.gso_size = rnd() % 3 ? (uint16_t)(rnd() % 10000) : 0;
	s.udp = s.gso_size == 0 && rnd() % 2;
	len = frame_write(&s, frame);
	frame_write_vnet(&s, (uint8_t *)h);
	for (uint32_t n = rnd() % 4; n > 0; n--)
		frame[rnd() % RTE_MIN(len, 160u)] = (uint8_t)rnd();
	for (uint32_t n = rnd() % 3; n > 0; n--)
		((uint8_t *)h)[rnd() % 12] = (uint8_t)(rnd() % 2 ? rnd() : rnd() % 8);
	if (rnd() % 8 == 0)
		len = RTE_MAX(len - rnd() % len, 15u);
	return len;
}

/** Whatever is accepted is finished without a step beyond it. */
static void
vnet_read_random_stays_inside(void **state)
{
	static uint8_t frame[LEN_MAX];
	const char *rounds = getenv("VALE_OFFLOAD_ROUNDS");
	unsigned int accepted = 0, nb = rounds != NULL ? (unsigned int)atoi(rounds) : 3000;

	for (unsigned int i = 0; i < nb; i++) {
		struct lab *a = plug("valeo:a", 0, NULL), *b = plug("valeo:b", 0, NULL);
		struct vale_vnet_hdr h;
		struct vale_offload ol;
		uint32_t len = random_frame(frame, &h);

		if (read_vnet(&h, frame, len, &ol)) {
			assert_true(ol.csum_start + ol.csum_offset + 2u <= len || ol.needs == 0);
			if (ol.gso_size != 0)
				assert_true(vale_offload_hdr_len(&ol) <= 142 &&
					    vale_offload_hdr_len(&ol) < len &&
					    vale_offload_nb_frames(&ol, len) <= 1366);
			a->nb_in = 1;
			a->in[0] = malloc(len);
			memcpy(a->in[0], frame, len);
			a->in_len[0] = len;
			a->in_ol[0] = ol;
			a->in_open[0] = ol.needs != 0;
			/* the program writes on, when all has been checked */
			for (uint32_t n = rnd() % 40; n > 0; n--)
				a->in[0][rnd() % RTE_MIN(len, 160u)] = (uint8_t)rnd();
			/* to all: a lookup is not what this is about */
			memset(a->in[0], 0xff, 6);
			a->in[0][6] = 2;
			run();
			assert_int_equal(
				COUNT(b, tx_packets) + COUNT(a, drops[VALE_DROP_TOO_LONG]), 1);
			accepted++;
		}
		vale_switch_detach(sws, &a->ep);
		vale_switch_detach(sws, &b->ep);
	}
	assert_true(accepted > nb / 4 && accepted < nb);
}

/* ---- virtual machines ---- */

static struct rte_mbuf *
mbuf_of(const struct frame_spec *s)
{
	static uint8_t frame[LEN_MAX];
	struct vale_pkt p = {.data = frame, .len = frame_write(s, frame)};
	struct rte_mbuf *m = vale_pkt_to_mbuf(&p, pool);

	assert_non_null(m);
	return m;
}

static void
open_frame_of_machine_is_read(void **state)
{
	struct vale_rx_refused bad = {0};
	struct rte_mbuf *m = mbuf_of(&tcp4);
	struct frame_spec udp = tcp4;
	struct vale_offload ol;

	m->ol_flags = RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
	m->tso_segsz = 1448;
	assert_true(ethdev_open_frame(m, &bad));
	ol = vale_offload_of_mbuf(m);
	assert_int_equal(ol.gso_size, 1448);
	assert_int_equal(ol.csum_start, 34);
	assert_int_equal(ol.l4_len, 32);
	assert_int_equal(ol.needs, VALE_OL_CSUM | VALE_OL_TSO4);
	/* segments that are none, and too small */
	m->ol_flags = RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
	m->tso_segsz = 47;
	assert_false(ethdev_open_frame(m, &bad));
	rte_pktmbuf_free(m);
	udp.udp = true;
	m = mbuf_of(&udp);
	m->ol_flags = RTE_MBUF_F_RX_LRO;
	m->tso_segsz = 1448;
	assert_false(ethdev_open_frame(m, &bad));
	assert_int_equal(bad.bad_desc, 2);
	rte_pktmbuf_free(m);
	/* nothing is open */
	m = mbuf_of(&udp);
	m->ol_flags = 0;
	assert_true(ethdev_open_frame(m, &bad));
	assert_int_equal(m->ol_flags, 0);
	rte_pktmbuf_free(m);
}

/** Behind extension headers the checksum is completed at once. */
static void
open_frame_of_machine_with_extension_completed(void **state)
{
	struct frame_spec s = tcp4;
	struct vale_rx_refused bad = {0};
	uint8_t ext[8] = {6, 0, 1, 4, 0, 0, 0, 0}, *p;
	uint16_t sum = 0, before;
	struct rte_mbuf *m;

	s.ipv6 = true;
	s.gso_size = 0;
	s.payload = 333;
	m = mbuf_of(&s);
	p = (uint8_t *)rte_pktmbuf_append(m, 8);
	p = rte_pktmbuf_mtod(m, uint8_t *);
	memmove(p + 62, p + 54, m->data_len - 62);
	memcpy(p + 54, ext, 8);
	p[20] = 0;
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_NONE;
	memcpy(&before, p + 62 + 16, 2);
	assert_int_equal(rte_raw_cksum_mbuf(m, 62, m->pkt_len - 62, &sum), 0);
	assert_true(ethdev_open_frame(m, &bad));
	assert_int_equal(m->ol_flags, 0);
	p = rte_pktmbuf_mtod(m, uint8_t *);
	assert_int_not_equal(memcmp(&before, p + 62 + 16, 2), 0);
	before = (uint16_t)~sum;
	assert_memory_equal(p + 62 + 16, &before, 2);
	rte_pktmbuf_free(m);
}

/** The library would put another sum into a frame that is to be cut: not if it does not find it in
 * one piece. */
static void
send_open_keeps_pseudo_header_sum(void **state)
{
	static uint8_t flat[LEN_MAX];
	struct rte_mbuf *m = mbuf_of(&tcp4);
	struct vale_pkt p = {.mbuf = m, .len = m->pkt_len, .flags = VALE_PKT_MBUF};
	uint16_t segs = m->nb_segs;
	struct vale_offload ol;

	assert_true(vale_offload_find(
		rte_pktmbuf_mtod(m, uint8_t *), VALE_HEAD_MAX, m->pkt_len, 1448, &ol));
	assert_true(ethdev_send_open(&ol, m, pool));
	assert_int_equal(m->nb_segs, segs + 1);
	assert_true(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG);
	rte_net_intel_cksum_prepare(m);
	vale_pkt_to_flat(&p, flat);
	assert_null(frame_look_open(&tcp4, flat, m->pkt_len));
	rte_pktmbuf_free(m);
}

static void
machine_takes_what_it_negotiated(void **state)
{
	assert_int_equal(ethdev_vhost_takes(0), 0);
	assert_int_equal(
		ethdev_vhost_takes(1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_HOST_TSO4), 0);
	assert_int_equal(ethdev_vhost_takes(1ull << VIRTIO_NET_F_GUEST_CSUM), VALE_OL_CSUM);
	assert_int_equal(ethdev_vhost_takes(
				 1ull << VIRTIO_NET_F_GUEST_CSUM | 1ull << VIRTIO_NET_F_GUEST_TSO4 |
				 1ull << VIRTIO_NET_F_GUEST_TSO6 | 1ull << VIRTIO_NET_F_GUEST_ECN),
		VALE_OL_CSUM | VALE_OL_TSO4 | VALE_OL_TSO6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define LAB(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		LAB(forward_open_frames_carried_or_finished),
		LAB(forward_open_frames_by_what_is_taken),
		LAB(forward_open_frames_keep_order),
		LAB(forward_cut_frame_partly_delivered_dst_full),
		LAB(forward_many_long_frames_all_finished),
		LAB(forward_long_frame_with_open_sum_too_long),
		LAB(forward_raw_sum_carried_or_completed),
		cmocka_unit_test(vnet_read_lies_refused),
		LAB(vnet_read_random_stays_inside),
		cmocka_unit_test(open_frame_of_machine_is_read),
		cmocka_unit_test(open_frame_of_machine_with_extension_completed),
		cmocka_unit_test(send_open_keeps_pseudo_header_sum),
		cmocka_unit_test(machine_takes_what_it_negotiated),
	};

	if (unit_eal_init() < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("offload", 8191, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	return pool == NULL ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
