/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "fake_port.h"
#include "vale_control_proto.h"

static void
write_mac(uint8_t *to, uint64_t mac)
{
	for (int i = 0; i < 6; i++)
		to[i] = (uint8_t)(mac >> (8 * i));
}

void
fake_port_send(struct fake_port *p, uint16_t queue, const struct fake_frame *f, uint32_t n)
{
	struct fake_queue *q = p->queue[queue];

	for (uint32_t i = 0; i < n; i++, q->tail++) {
		uint8_t *b = q->in[q->tail % FAKE_FRAMES];

		memset(b, 0, FAKE_LEN);
		write_mac(b, f[i].dst);
		write_mac(b + 6, f[i].src);
		memcpy(b + 14, &f[i].seq, sizeof(f[i].seq));
		q->in_len[q->tail % FAKE_FRAMES] = f[i].len;
		if (p->pool != NULL) {
			struct rte_mbuf *m = rte_pktmbuf_alloc(p->pool);

			memcpy(rte_pktmbuf_mtod(m, void *), b, FAKE_LEN);
			m->pkt_len = m->data_len = f[i].len;
			q->in_mbuf[q->tail % FAKE_FRAMES] = m;
		}
	}
}

static uint16_t
fake_rx(struct vale_rxq *rxq, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad)
{
	struct fake_queue *q = (struct fake_queue *)rxq;
	struct fake_port *p = (struct fake_port *)rxq->ep;
	uint16_t nb = 0;

	q->looks++;
	for (; nb < n && q->head != q->tail; nb++, q->head++) {
		uint32_t at = q->head % FAKE_FRAMES;

		memset(&pkts[nb], 0, sizeof(pkts[nb]));
		pkts[nb].len = q->in_len[at];
		pkts[nb].seg_len = RTE_MIN(q->in_len[at], (uint32_t)FAKE_LEN);
		pkts[nb].data = q->in[at];
		if (p->pool != NULL) {
			pkts[nb].mbuf = q->in_mbuf[at];
			pkts[nb].flags = VALE_PKT_MBUF;
			pkts[nb].data = rte_pktmbuf_mtod(pkts[nb].mbuf, uint8_t *);
		}
	}
	return nb;
}

static void
fake_rx_done(struct vale_rxq *rxq, struct vale_pkt *pkts, uint16_t n)
{
	struct fake_queue *q = (struct fake_queue *)rxq;

	for (uint16_t i = 0; i < n; i++) {
		if (pkts[i].flags & VALE_PKT_TAKEN)
			continue;
		q->done++;
		rte_pktmbuf_free(pkts[i].mbuf);
	}
}

static void
keep(struct fake_port *p, uint16_t queue, struct vale_pkt *pkt)
{
	struct fake_got *g = &p->got[p->nb_got++];

	memset(g, 0, sizeof(*g));
	g->dst = vale_mac_from_bytes(pkt->data);
	g->src = vale_mac_from_bytes(pkt->data + 6);
	memcpy(&g->seq, pkt->data + 14, sizeof(g->seq));
	g->len = pkt->len;
	g->queue = queue;
	g->data = pkt->data;
	if (p->pool != NULL && (pkt->flags & VALE_PKT_MBUF) && !(pkt->flags & VALE_PKT_SHARED)) {
		pkt->flags |= VALE_PKT_TAKEN;
		g->mbuf = pkt->mbuf;
	}
}

static void
fake_tx(struct vale_endpoint *ep, uint16_t queue, struct vale_pkt *pkts, const uint16_t *idx,
	uint16_t n, struct vale_tx_result *res)
{
	struct fake_port *p = (struct fake_port *)ep;

	for (uint16_t i = 0; i < n; i++) {
		struct vale_pkt *pkt = &pkts[idx[i]];

		if (pkt->len > p->max_len) {
			res->too_long++;
			continue;
		}
		if (p->no_mbuf > 0) {
			p->no_mbuf--;
			res->no_mbuf++;
			continue;
		}
		if (p->room == 0)
			continue;
		p->room--;
		keep(p, queue, pkt);
		res->packets++;
		res->bytes += pkt->len;
		res->taken += (pkt->flags & VALE_PKT_TAKEN) != 0;
	}
}

static unsigned int
fake_rx_pending(struct vale_rxq *rxq)
{
	struct fake_queue *q = (struct fake_queue *)rxq;

	return q->tail - q->head;
}

static bool
fake_link(struct vale_endpoint *ep)
{
	return ((struct fake_port *)ep)->link;
}

static void
fake_evict(struct vale_endpoint *ep, const char *why)
{
	((struct fake_port *)ep)->evicted++;
}

void
fake_port_clear(struct fake_port *p)
{
	for (uint32_t i = 0; i < p->nb_got; i++)
		rte_pktmbuf_free(p->got[i].mbuf);
	p->nb_got = 0;
}

static unsigned int
fake_destroy(struct vale_endpoint *ep)
{
	struct fake_port *p = (struct fake_port *)ep;
	unsigned int lost = 0;

	fake_port_clear(p);
	for (uint16_t i = 0; i < ep->nb_rxq; i++) {
		struct fake_queue *q = p->queue[i];

		for (; q->head != q->tail; q->head++, lost++)
			rte_pktmbuf_free(q->in_mbuf[q->head % FAKE_FRAMES]);
		free(q);
	}
	if (p->freed != NULL)
		*p->freed = true;
	free(p);
	return lost;
}

static const struct vale_endpoint_ops fake_ops = {
	.kind = VALE_CTL_KIND_NETMAP,
	.lends_memory = true,
	.rx = fake_rx,
	.rx_done = fake_rx_done,
	.tx = fake_tx,
	.rx_pending = fake_rx_pending,
	.link = fake_link,
	.evict = fake_evict,
	.destroy = fake_destroy,
};

static const struct vale_endpoint_ops fake_mbuf_ops = {
	.kind = VALE_CTL_KIND_DPDK,
	.rx = fake_rx,
	.rx_done = fake_rx_done,
	.tx = fake_tx,
	.rx_pending = fake_rx_pending,
	.link = fake_link,
	.evict = fake_evict,
	.destroy = fake_destroy,
};

struct fake_port *
fake_port_create(uint16_t nb_rxq, uint16_t nb_txq, struct rte_mempool *pool)
{
	struct fake_port *p = calloc(1, sizeof(*p));

	if (p == NULL)
		abort();
	p->ep.ops = pool != NULL ? &fake_mbuf_ops : &fake_ops;
	p->ep.nb_rxq = nb_rxq;
	p->ep.nb_txq = nb_txq;
	p->pool = pool;
	p->room = FAKE_FRAMES;
	p->max_len = VALE_FRAME_LEN_MAX;
	p->link = true;
	for (uint16_t i = 0; i < nb_rxq; i++) {
		struct fake_queue *q = calloc(1, sizeof(*q));

		if (q == NULL)
			abort();
		q->q.ep = &p->ep;
		q->q.id = i;
		q->q.wait_fd = -1;
		p->queue[i] = q;
		p->ep.rxq[i] = &q->q;
	}
	return p;
}
