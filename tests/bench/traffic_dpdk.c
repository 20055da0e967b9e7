/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An ethdev: net_vale in a secondary process, or any other in a process of its own, which then is
 * configured here and has a pool of its own.
 */
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "traffic.h"
#include "vale_dpdk_shm.h"
#include "vale_prefetch.h"

#define OWN_MBUFS 16384
#define MBUF_CACHE 512
/* Frames whose lines are fetched ahead. */
#define AHEAD 8

struct own {
	uint16_t id;
	struct rte_ring *ring; /* of frame words to the switch; NULL with other drivers */
};

static struct rte_mempool *pool;

static void
find_pool(void)
{
	if (pool == NULL && rte_eal_process_type() == RTE_PROC_SECONDARY)
		pool = rte_mempool_lookup(VALE_POOL_NAME);
	else if (pool == NULL)
		pool = rte_pktmbuf_pool_create("bench", OWN_MBUFS, MBUF_CACHE, 0,
			RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		traffic_die("no pool");
}

/* net_vale's devices were started by the switch. */
static void
start(uint16_t id, unsigned int rings)
{
	struct rte_eth_conf conf = {0};

	if (rte_eth_dev_configure(id, 1, 1, &conf) != 0 ||
		rte_eth_rx_queue_setup(id, 0, rings, SOCKET_ID_ANY, NULL, pool) != 0 ||
		rte_eth_tx_queue_setup(id, 0, rings, SOCKET_ID_ANY, NULL) != 0 ||
		rte_eth_dev_start(id) != 0)
		traffic_die("device %u does not start", id);
	for (int ms = 0; ms < 5000; ms++) {
		struct rte_eth_link link;

		if (rte_eth_link_get_nowait(id, &link) == 0 && link.link_status)
			return;
		usleep(1000);
	}
	traffic_die("device %u: no link", id);
}

static void
dpdk_open(struct tport *p, const char *name, unsigned int rings)
{
	struct own *o = calloc(1, sizeof(*o));
	struct vale_dpdk_txq *q;

	if (o == NULL || rte_eth_dev_get_port_by_name(name, &o->id) != 0)
		traffic_die("no device %s", name);
	find_pool();
	if (rte_eal_process_type() == RTE_PROC_SECONDARY) {
		q = rte_eth_fp_ops[o->id].txq.data[0];
		o->ring = VALE_DPDK_RING(q);
		p->segs = 1;
	} else {
		start(o->id, rings);
	}
	p->own = o;
}

static unsigned int
dpdk_used(struct tport *p)
{
	struct own *o = p->own;

	return o->ring != NULL ? rte_ring_count(o->ring) : 0;
}

/* As many mbufs in a chain as a frame takes. */
static int
alloc_frames(struct rte_mbuf **m, unsigned int n)
{
	unsigned int room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
	unsigned int segs = (traffic.len + room - 1) / room;
	struct rte_mbuf *all[64];

	if (segs == 1)
		return rte_pktmbuf_alloc_bulk(pool, m, n);
	for (unsigned int i = 0; i < n; i++) {
		if (rte_pktmbuf_alloc_bulk(pool, all, segs) != 0) {
			rte_pktmbuf_free_bulk(m, i);
			return -1;
		}
		for (unsigned int k = 0; k + 1 < segs; k++)
			all[k]->next = all[k + 1];
		all[0]->nb_segs = segs;
		m[i] = all[0];
	}
	return 0;
}

static void
write_frame(struct rte_mbuf *m, uint64_t stamp)
{
	unsigned int left = traffic.len;

	for (struct rte_mbuf *s = m; s != NULL; s = s->next) {
		uint16_t room = s->buf_len - RTE_PKTMBUF_HEADROOM;

		s->data_len = RTE_MIN(left, room);
		left -= s->data_len;
		lines_write(rte_pktmbuf_mtod(s, uint8_t *), s->data_len);
	}
	m->pkt_len = traffic.len;
	frame_head(rte_pktmbuf_mtod(m, uint8_t *), stamp);
}

static unsigned int
dpdk_send(struct tport *p, unsigned int n, uint64_t stamp)
{
	struct own *o = p->own;
	struct rte_mbuf *m[BURST_MAX];
	uint16_t sent;

	if (alloc_frames(m, n) != 0)
		return 0;
	for (unsigned int i = 0; i < n; i++) {
		if (i + AHEAD < n)
			vale_prefetch_write(rte_pktmbuf_mtod(m[i + AHEAD], void *));
		write_frame(m[i], i == 0 ? stamp : 0);
	}
	sent = rte_eth_tx_burst(o->id, 0, m, n);
	rte_pktmbuf_free_bulk(m + sent, n - sent);
	return sent;
}

static unsigned int
dpdk_receive(struct tport *p, unsigned int n)
{
	struct own *o = p->own;
	struct rte_mbuf *m[BURST_MAX];
	uint16_t got = rte_eth_rx_burst(o->id, 0, m, n);

	for (uint16_t i = 0; i < got; i++) {
		if (i + AHEAD < got)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + AHEAD], void *));
		for (const struct rte_mbuf *s = m[i]; s != NULL; s = s->next)
			lines_read(rte_pktmbuf_mtod(s, const uint8_t *), s->data_len);
		head_read(rte_pktmbuf_mtod(m[i], const uint8_t *), m[i]->pkt_len);
	}
	if (got > 0)
		rte_pktmbuf_free_bulk(m, got);
	return got;
}

static void
dpdk_speak(struct tport *p, const uint8_t *dst, const uint8_t *src)
{
	struct own *o = p->own;
	struct rte_mbuf *m;

	while ((m = rte_pktmbuf_alloc(pool)) == NULL)
		usleep(100);
	m->data_len = m->pkt_len = FRAME_MIN;
	frame_addresses(rte_pktmbuf_mtod(m, uint8_t *), dst, src, FRAME_SPOKEN);
	while (rte_eth_tx_burst(o->id, 0, &m, 1) == 0)
		usleep(100);
}

const struct tport_ops tport_dpdk = {
	.open = dpdk_open,
	.used = dpdk_used,
	.send = dpdk_send,
	.receive = dpdk_receive,
	.speak = dpdk_speak,
	.in_hand = true,
};
