/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bus_vdev_driver.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "ethdev_port.h"
#include "unit_eal.h"
#include "vale_pkt_copy.h"

static struct rte_mempool *pool; /* of usual buffers */
static struct rte_mempool *big;	 /* of buffers that hold any frame */

/* ---- frames ---- */

static struct rte_mbuf *
frame_of(struct rte_mempool *mp, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(mp);
	uint8_t *p;
	uint32_t i;

	assert_non_null(m);
	p = (uint8_t *)rte_pktmbuf_append(m, len);
	assert_non_null(p);
	for (i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7 + 3);
	return m;
}

/* An IPv4 frame; @p tag puts a VLAN tag in front. Returns where IPv4 begins. */
static struct rte_ipv4_hdr *
make_ipv4(struct rte_mbuf *m, uint8_t proto, bool tag)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t l2 = tag ? 18 : 14;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(p + l2);

	if (tag)
		memcpy(p + 12, "\x81\x00\x00\x07", 4);
	memcpy(p + l2 - 2, "\x08\x00", 2);
	memset(ip, 0, sizeof(*ip));
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->time_to_live = 64;
	ip->next_proto_id = proto;
	ip->packet_id = rte_cpu_to_be_16(0x1234);
	ip->src_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 1));
	ip->dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 2));
	ip->total_length = rte_cpu_to_be_16(m->pkt_len - l2);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return ip;
}

static struct rte_ipv6_hdr *
make_ipv6(struct rte_mbuf *m, uint8_t proto)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(p + 14);

	memcpy(p + 12, "\x86\xdd", 2);
	memset(ip, 0, sizeof(*ip));
	ip->vtc_flow = rte_cpu_to_be_32(6u << 28);
	ip->proto = proto;
	ip->src_addr[0] = 0xfd;
	ip->dst_addr[15] = 2;
	ip->payload_len = rte_cpu_to_be_16(m->pkt_len - 14 - sizeof(*ip));
	return ip;
}

/* ---- checksum_complete ---- */

static void
checksum_complete_partial_tcp_completes(void **state)
{
	unsigned int len, tag;

	for (len = 60; len < 1500; len += 13) {
		for (tag = 0; tag < 2; tag++) {
			struct rte_mbuf *m = frame_of(pool, len + 4 * tag);
			struct rte_ipv4_hdr *ip = make_ipv4(m, IPPROTO_TCP, tag != 0);
			struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);

			tcp->cksum = rte_ipv4_phdr_cksum(ip, 0);
			checksum_complete(m);
			assert_int_equal(rte_ipv4_udptcp_cksum_verify(ip, tcp), 0);
			rte_pktmbuf_free(m);
		}
	}
}

static void
checksum_complete_partial_udp6_completes(void **state)
{
	struct rte_mbuf *m = frame_of(pool, 333);
	struct rte_ipv6_hdr *ip = make_ipv6(m, IPPROTO_UDP);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	udp->dgram_cksum = rte_ipv6_phdr_cksum(ip, 0);
	checksum_complete(m);
	assert_int_equal(rte_ipv6_udptcp_cksum_verify(ip, udp), 0);
	rte_pktmbuf_free(m);
}

static void
checksum_complete_extension_header_completes(void **state)
{
	struct rte_mbuf *m = frame_of(pool, 200);
	struct rte_ipv6_hdr *ip = make_ipv6(m, IPPROTO_HOPOPTS);
	uint8_t *ext = (uint8_t *)(ip + 1);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ext + 16);
	struct rte_ipv6_hdr as_if = *ip;

	ext[0] = IPPROTO_TCP;
	ext[1] = 1;
	as_if.proto = IPPROTO_TCP;
	as_if.payload_len = rte_cpu_to_be_16(200 - 14 - 40 - 16);
	tcp->cksum = rte_ipv6_phdr_cksum(&as_if, 0);
	checksum_complete(m);
	assert_int_equal(rte_ipv6_udptcp_cksum_verify(&as_if, tcp), 0);
	rte_pktmbuf_free(m);
}

static void
checksum_complete_finished_unchanged(void **state)
{
	struct rte_mbuf *m = frame_of(pool, 500);
	struct rte_ipv4_hdr *ip = make_ipv4(m, IPPROTO_UDP, false);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	uint16_t before;

	udp->dgram_cksum = 0;
	before = udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
	checksum_complete(m);
	assert_int_equal(udp->dgram_cksum, before);
	/* none at all */
	udp->dgram_cksum = 0;
	checksum_complete(m);
	assert_int_equal(udp->dgram_cksum, 0);
	rte_pktmbuf_free(m);
}

static void
checksum_complete_fragment_unchanged(void **state)
{
	struct rte_mbuf *m = frame_of(pool, 500);
	struct rte_ipv4_hdr *ip = make_ipv4(m, IPPROTO_TCP, false);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);
	uint16_t sum = rte_ipv4_phdr_cksum(ip, 0);

	tcp->cksum = sum;
	ip->fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG);
	checksum_complete(m);
	assert_int_equal(tcp->cksum, sum);
	rte_pktmbuf_free(m);
}

/* Whatever lengths a header claims, nothing beyond the frame is read: run under ASan. */
static void
checksum_complete_wrong_lengths_stays_inside(void **state)
{
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		struct rte_mbuf *m = frame_of(pool, 14 + i % 80);
		uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
		unsigned int k;

		for (k = 14; k < m->pkt_len; k++)
			p[k] = (uint8_t)rand();
		memcpy(p + 12, i & 1 ? "\x08\x00" : "\x86\xdd", 2);
		if (m->pkt_len > 24 && (i & 1))
			p[14] = 0x40 | (p[14] & 0xf), p[20] = p[21] = 0, p[23] = i & 2 ? 6 : 132;
		checksum_complete(m);
		rte_pktmbuf_free(m);
	}
}

/* ---- device arguments ---- */

static void
args_parse_other_driver_unchanged(void **state)
{
	char why[ETHDEV_WHY_SZ];
	struct ethdev_args a;

	assert_int_equal(ethdev_args_parse("net_null3,size=100,copy=1", "0", &a, why), 0);
	assert_string_equal(a.dev, "net_null3");
	assert_string_equal(a.args, "size=100,copy=1");
	assert_int_equal(ethdev_args_parse("vdev:net_null3", "0", &a, why), 0);
	assert_string_equal(a.dev, "net_null3");
	assert_string_equal(a.args, "");
}

static void
args_parse_wrong_refused(void **state)
{
	char why[ETHDEV_WHY_SZ], longer[IFNAMSIZ + 32];
	struct ethdev_args a;

	assert_int_equal(ethdev_args_parse(",iface=x", "0", &a, why), -EINVAL);
	assert_int_equal(ethdev_args_parse("net_af_packet0,iface=lo", "0", &a, why), -EINVAL);
	assert_int_equal(ethdev_args_parse("net_af_packet0,qpairs=1", "0", &a, why), -EINVAL);
	assert_int_equal(
		ethdev_args_parse("net_af_packet0,iface=no_such_if", "0", &a, why), -ENODEV);
	assert_int_equal(ethdev_args_parse("", "no_such_if", &a, why), -ENODEV);
	snprintf(longer, sizeof(longer), "net_af_xdp0,iface=%s", "a_name_of_sixteen");
	assert_int_equal(ethdev_args_parse(longer, "0", &a, why), -EINVAL);
	assert_true(strlen(why) > 20);
}

static void
args_frame_sz_given_or_default(void **state)
{
	const struct ethdev_driver *d = ethdev_driver_find("net_af_packet");

	assert_int_equal(ethdev_args_frame_sz(d, "iface=a,framesz=4096,blocksz=8192"), 4096);
	assert_int_equal(ethdev_args_frame_sz(d, "iface=a"), 2048);
	assert_int_equal(ethdev_args_frame_sz(ethdev_driver_find("net_null"), "framesz=3"), 0);
}

static void
args_iface_of_each_driver_found(void **state)
{
	char iface[IFNAMSIZ];

	ethdev_args_iface("qpairs=1,iface=va", iface);
	assert_string_equal(iface, "va");
	ethdev_args_iface("tx_pcap=/tmp/x,rx_iface=vb", iface);
	assert_string_equal(iface, "vb");
	ethdev_args_iface("rx_pcap=/tmp/iface=x", iface);
	assert_string_equal(iface, "");
}

/* ---- copies ---- */

static void
pkt_to_mbuf_long_is_chain_of_data_alone(void **state)
{
	static const uint32_t lens[] = {14, 60, 2048, 2049, 9216};
	unsigned int i;

	for (i = 0; i < RTE_DIM(lens); i++) {
		struct rte_mbuf *m = frame_of(big, lens[i]), *copy;
		struct vale_pkt p = {.data = rte_pktmbuf_mtod(m, uint8_t *),
			.mbuf = m,
			.len = lens[i],
			.seg_len = lens[i],
			.flags = VALE_PKT_MBUF};
		uint8_t flat[9216];

		m->ol_flags = RTE_MBUF_F_RX_VLAN;
		copy = vale_pkt_to_mbuf(&p, pool);
		assert_non_null(copy);
		assert_int_equal(copy->pkt_len, lens[i]);
		assert_int_equal(copy->ol_flags, 0);
		rte_mbuf_sanity_check(copy, 1);
		assert_non_null(rte_pktmbuf_read(copy, 0, lens[i], flat));
		p.mbuf = copy;
		vale_pkt_to_flat(&p, flat);
		assert_memory_equal(flat, p.data, lens[i]);
		rte_pktmbuf_free(copy);
		rte_pktmbuf_free(m);
	}
}

static void
pkt_to_mbuf_pool_empty_returns_null_and_keeps_nothing(void **state)
{
	struct rte_mempool *few =
		rte_pktmbuf_pool_create("few", 3, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	struct rte_mbuf *m = frame_of(big, 9000);
	struct vale_pkt p = {.data = rte_pktmbuf_mtod(m, uint8_t *),
		.mbuf = m,
		.len = 9000,
		.seg_len = 9000,
		.flags = VALE_PKT_MBUF};

	assert_non_null(few);
	assert_null(vale_pkt_to_mbuf(&p, few));
	assert_int_equal(rte_mempool_avail_count(few), 3);
	rte_pktmbuf_free(m);
	rte_mempool_free(few);
}

/* ---- refragment ---- */

static void
rx_cut_joined_datagram_becomes_fragments(void **state)
{
	static struct ethdev_ep e;
	struct rte_mbuf *m = frame_of(big, 14 + 20 + 4008);
	struct rte_ipv4_hdr *ip = make_ipv4(m, IPPROTO_UDP, false);
	struct vale_rx_refused bad = {0};
	uint8_t want[4008], got[4008];
	struct vale_pkt p[2];
	uint32_t total = 0, off, calls = 0;
	uint16_t i, n;

	memcpy(want, ip + 1, sizeof(want));
	e.rxq[0].q.ep = &e.ep;
	e.rxq[0].cut = calloc(1, sizeof(struct cut));
	e.rxq[0].cut->m[0] = m;
	e.rxq[0].cut->end = 1;
	atomic_store(&e.tx_len_max, 1514);
	/* room for two at a time: it goes on where it was */
	while (e.rxq[0].cut->first < e.rxq[0].cut->end) {
		n = ethdev_rx_cut(&e.rxq[0].q, p, 2, &bad);
		for (i = 0; i < n; i++) {
			ip = (struct rte_ipv4_hdr *)(uintptr_t)(p[i].data + 14);
			assert_true(p[i].len <= 1514);
			assert_int_equal(p[i].flags, 0);
			assert_int_equal(rte_raw_cksum(ip, 20), 0xffff);
			assert_int_equal(ip->packet_id, rte_cpu_to_be_16(0x1234));
			off = (rte_be_to_cpu_16(ip->fragment_offset) & RTE_IPV4_HDR_OFFSET_MASK) *
			      8;
			assert_int_equal(off, total);
			memcpy(got + off, ip + 1, p[i].len - 34);
			total += p[i].len - 34;
			assert_int_equal(
				!!(rte_be_to_cpu_16(ip->fragment_offset) & RTE_IPV4_HDR_MF_FLAG),
				total < sizeof(want));
		}
		ethdev_rx_done_lent(&e.rxq[0].q, p, n);
		calls++;
	}
	assert_int_equal(calls, 2);
	assert_int_equal(total, sizeof(want));
	assert_memory_equal(want, got, sizeof(want));
	assert_int_equal(bad.too_long, 0);
	ethdev_cut_free(e.rxq[0].cut);
	assert_int_equal(rte_mempool_in_use_count(big), 0);
}

/* ---- rx and tx, on net_null, which takes everything ---- */

static struct ethdev_ep *
null_ep(void)
{
	static struct ethdev_ep e;
	char why[ETHDEV_WHY_SZ] = "";
	struct ethdev_args a;

	memset(&e, 0, sizeof(e));
	assert_int_equal(ethdev_args_parse("net_null0,size=100", "0", &a, why), 0);
	assert_int_equal(ethdev_device_open(&a, &e.device, why), 0);
	e.port_id = e.device.port_id;
	e.pool = pool;
	e.rxq[0].q.ep = &e.ep;
	assert_int_equal(ethdev_device_start(&e, 1, why), 0);
	assert_int_equal(e.ep.nb_rxq, 1);
	assert_int_equal(e.ep.nb_txq, 1);
	atomic_store(&e.link, true);
	atomic_store(&e.tx_len_max, 1514);
	return &e;
}

static void
null_ep_free(struct ethdev_ep *e)
{
	ethdev_device_stop(e);
	ethdev_device_close(&e->device);
	rte_mempool_free(e->own_pool);
}

static void
tx_takes_what_it_may_and_counts_the_rest(void **state)
{
	struct ethdev_ep *e = null_ep();
	static const uint16_t idx[] = {0, 1, 2, 3};
	struct vale_tx_result res = {0};
	struct vale_pkt p[4];
	uint8_t plain[200] = {0};
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct rte_mbuf *m = frame_of(pool, i == 2 ? 1600 : 100);

		p[i] = (struct vale_pkt){.data = rte_pktmbuf_mtod(m, uint8_t *),
			.mbuf = m,
			.len = m->pkt_len,
			.seg_len = m->data_len,
			.flags = VALE_PKT_MBUF};
	}
	p[1].flags |= VALE_PKT_SHARED;
	p[3] = (struct vale_pkt){.data = plain, .len = sizeof(plain), .seg_len = sizeof(plain)};
	ethdev_tx(&e->ep, 0, p, idx, RTE_DIM(idx), &res);
	assert_int_equal(res.packets, 3);
	assert_int_equal(res.bytes, 100 + 100 + 200);
	assert_int_equal(res.too_long, 1);
	assert_true(p[0].flags & VALE_PKT_TAKEN);
	assert_false(p[1].flags & VALE_PKT_TAKEN);
	assert_false(p[2].flags & VALE_PKT_TAKEN);
	ethdev_rx_done(&e->rxq[0].q, p, 3);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	null_ep_free(e);
}

static uint16_t
no_burst(void *txq, struct rte_mbuf **m, uint16_t n)
{
	return 0;
}

/** A descriptor of plain memory has in its mbuf whatever the last batch left there: the mbuf, freed
 * since, that the copy is made in. */
static void
tx_refused_copy_is_freed_whatever_the_descriptor_has(void **state)
{
	struct ethdev_ep *e = null_ep();
	struct rte_mempool *mp = e->own_pool != NULL ? e->own_pool : pool;
	struct rte_eth_fp_ops *ops = &rte_eth_fp_ops[e->port_id];
	eth_tx_burst_t real = ops->tx_pkt_burst;
	static const uint16_t idx[] = {0};
	struct rte_mbuf *last = rte_pktmbuf_alloc(mp);
	struct vale_tx_result res = {0};
	uint8_t plain[200] = {0};
	struct vale_pkt p = {
		.data = plain, .mbuf = last, .len = sizeof(plain), .seg_len = sizeof(plain)};
	unsigned int i;

	assert_non_null(last);
	rte_pktmbuf_free(last);
	ops->tx_pkt_burst = no_burst;
	/* whatever the pool's order is, each of its mbufs comes once */
	for (i = 0; i < mp->size; i++)
		ethdev_tx(&e->ep, 0, &p, idx, 1, &res);
	ops->tx_pkt_burst = real;
	assert_int_equal(res.packets, 0);
	assert_int_equal(rte_mempool_in_use_count(mp), 0);
	for (i = 0; i < mp->size; i++)
		ethdev_tx(&e->ep, 0, &p, idx, 1, &res);
	assert_int_equal(res.taken, 0);
	assert_int_equal(p.flags, 0);
	null_ep_free(e);
}

static void
tx_link_down_keeps_everything(void **state)
{
	struct ethdev_ep *e = null_ep();
	static const uint16_t idx[] = {0};
	struct vale_tx_result res = {0};
	struct rte_mbuf *m = frame_of(pool, 100);
	struct vale_pkt p = {.data = rte_pktmbuf_mtod(m, uint8_t *),
		.mbuf = m,
		.len = 100,
		.seg_len = 100,
		.flags = VALE_PKT_MBUF};

	atomic_store(&e->link, false);
	ethdev_tx(&e->ep, 0, &p, idx, 1, &res);
	assert_int_equal(res.packets, 0);
	assert_false(p.flags & VALE_PKT_TAKEN);
	rte_pktmbuf_free(m);
	null_ep_free(e);
}

static void
rx_frames_are_described(void **state)
{
	struct ethdev_ep *e = null_ep();
	struct vale_rx_refused bad = {0};
	struct vale_pkt p[64];
	uint16_t i, n;

	n = ethdev_rx(&e->rxq[0].q, p, RTE_DIM(p), &bad);
	assert_int_equal(n, RTE_DIM(p));
	for (i = 0; i < n; i++) {
		assert_int_equal(p[i].len, 100);
		assert_int_equal(p[i].seg_len, 100);
		assert_int_equal(p[i].flags, VALE_PKT_MBUF);
	}
	ethdev_rx_done(&e->rxq[0].q, p, n);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	null_ep_free(e);
}

static void
device_open_twice_refused(void **state)
{
	struct ethdev_ep *e = null_ep();
	struct ethdev_device d;
	struct ethdev_args a;
	char why[ETHDEV_WHY_SZ];

	assert_int_equal(ethdev_args_parse("net_null0", "0", &a, why), 0);
	assert_int_equal(ethdev_device_open(&a, &d, why), -EBUSY);
	null_ep_free(e);
	assert_int_equal(rte_eth_dev_count_total(), 0);
}

static int
set_up(void **state)
{
	if (unit_eal_init() < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("usual", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	big = rte_pktmbuf_pool_create("big", 63, 0, 0, 10240 + RTE_PKTMBUF_HEADROOM, 0);
	return pool == NULL || big == NULL ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checksum_complete_partial_tcp_completes),
		cmocka_unit_test(checksum_complete_partial_udp6_completes),
		cmocka_unit_test(checksum_complete_extension_header_completes),
		cmocka_unit_test(checksum_complete_finished_unchanged),
		cmocka_unit_test(checksum_complete_fragment_unchanged),
		cmocka_unit_test(checksum_complete_wrong_lengths_stays_inside),
		cmocka_unit_test(args_parse_other_driver_unchanged),
		cmocka_unit_test(args_parse_wrong_refused),
		cmocka_unit_test(args_frame_sz_given_or_default),
		cmocka_unit_test(args_iface_of_each_driver_found),
		cmocka_unit_test(pkt_to_mbuf_long_is_chain_of_data_alone),
		cmocka_unit_test(pkt_to_mbuf_pool_empty_returns_null_and_keeps_nothing),
		cmocka_unit_test(rx_cut_joined_datagram_becomes_fragments),
		cmocka_unit_test(tx_takes_what_it_may_and_counts_the_rest),
		cmocka_unit_test(tx_refused_copy_is_freed_whatever_the_descriptor_has),
		cmocka_unit_test(tx_link_down_keeps_everything),
		cmocka_unit_test(rx_frames_are_described),
		cmocka_unit_test(device_open_twice_refused),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
