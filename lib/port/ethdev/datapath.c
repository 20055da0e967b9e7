/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_branch_prediction.h>
#include <rte_ethdev.h>
#include <rte_ether.h>

#include "ethdev_port.h"
#include "vale_offload.h"
#include "vale_pkt_copy.h"
#include "vale_pool.h"

/* A driver that returns fewer frames than this at once has no more. */
#define RX_CHUNK 32

static inline struct ethdev_ep *
ep_of(struct vale_endpoint *ep)
{
	return (struct ethdev_ep *)ep;
}

static inline struct ethdev_rxq *
rxq_of(struct vale_rxq *q)
{
	return (struct ethdev_rxq *)q;
}

/* ---- receive ---- */

static uint16_t
rx_burst(uint16_t port_id, uint16_t queue, struct rte_mbuf **m, uint16_t n)
{
	uint16_t got, total = 0;

	do {
		got = rte_eth_rx_burst(port_id, queue, m + total, n - total);
		total += got;
	} while (got >= RX_CHUNK && total < n);
	return total;
}

/** A frame that filled its place in the ring of net_af_packet lost its end; a tag was put back
 * after that. */
static inline bool
is_truncated(const struct ethdev_ep *e, const struct rte_mbuf *m)
{
	uint32_t len = m->pkt_len;

	if (m->ol_flags & RTE_MBUF_F_RX_VLAN)
		len -= RTE_VLAN_HLEN;
	return e->truncated_len != 0 && len >= e->truncated_len;
}

/** Prepare a frame for the core. False if it was refused and counted. */
static inline bool
accept_frame(const struct ethdev_ep *e, struct rte_mbuf *m, struct vale_rx_refused *bad)
{
	if (unlikely(is_truncated(e, m))) {
		bad->too_long++;
		return false;
	}
	/* the core reads the Ethernet header in one piece */
	if (unlikely(m->data_len < VALE_FRAME_LEN_MIN && m->nb_segs > 1) &&
		rte_pktmbuf_linearize(m) < 0) {
		bad->bad_desc++;
		return false;
	}
	if (e->complete_csum)
		checksum_complete(m);
	/* a machine's tell what is left to do, and no more */
	if (!e->driver.vhost)
		m->ol_flags &= KEPT_FLAGS;
	return true;
}

uint16_t
ethdev_rx_mbufs(const struct ethdev_ep *e, uint16_t queue, struct rte_mbuf **m, uint16_t n,
	struct vale_rx_refused *bad)
{
	uint16_t i, nb, kept = 0;

	if (e->rxq[queue].held != NULL)
		nb = ethdev_rx_held(e->ep.rxq[queue], m, n, bad);
	else
		nb = rx_burst(e->port_id, queue, m, n);
	for (i = 0; i < nb; i++) {
		if (i + 1 < nb)
			rte_prefetch0(rte_pktmbuf_mtod(m[i + 1], void *));
		if (likely(accept_frame(e, m[i], bad)))
			m[kept++] = m[i];
		else
			rte_pktmbuf_free(m[i]);
	}
	return kept;
}

static inline uint16_t
offload_flag(const struct rte_mbuf *m)
{
	return unlikely(m->ol_flags & VALE_OFFLOAD_MBUF_FLAGS) ? VALE_PKT_OFFLOAD : 0;
}

uint16_t
ethdev_rx(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad)
{
	const struct ethdev_ep *e = ep_of(q->ep);
	struct rte_mbuf *m[VALE_BATCH_MAX];
	uint16_t flags = e->lends ? 0 : VALE_PKT_MBUF;
	uint16_t i, nb;

	if (unlikely(rxq_of(q)->armed)) {
		rte_eth_dev_rx_intr_disable(e->port_id, q->id);
		rxq_of(q)->armed = false;
	}
	nb = ethdev_rx_mbufs(e, q->id, m, RTE_MIN(n, VALE_BATCH_MAX), bad);
	for (i = 0; i < nb; i++)
		pkts[i] = (struct vale_pkt){
			.data = rte_pktmbuf_mtod(m[i], const uint8_t *),
			.mbuf = m[i],
			.len = m[i]->pkt_len,
			.seg_len = m[i]->data_len,
			.flags = flags | offload_flag(m[i]),
		};
	return nb;
}

void
ethdev_rx_done(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n)
{
	uint16_t i;

	for (i = 0; i < n; i++) {
		if (!(pkts[i].flags & VALE_PKT_TAKEN))
			rte_pktmbuf_free(pkts[i].mbuf);
	}
}

void
ethdev_rx_done_lent(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n)
{
	uint16_t i;

	/* plain memory is never taken: all of one pool, one piece each */
	for (i = 0; i < n; i++)
		rte_mbuf_raw_free(pkts[i].mbuf);
}

bool
ethdev_rx_arm(struct vale_rxq *q)
{
	const struct ethdev_ep *e = ep_of(q->ep);
	struct ethdev_rxq *rxq = rxq_of(q);

	if (rxq->is_socket)
		socket_clear_error(q->wait_fd);
	if ((rxq->cut != NULL && rxq->cut->first < rxq->cut->end) || ethdev_held_waits(rxq->held))
		return true;
	/* without a peer there is no interrupt; the control thread wakes us when there is one */
	if (!rxq->intr || !atomic_load_explicit(&e->link, memory_order_relaxed))
		return false;
	if (e->driver.vhost && !ethdev_vhost_receives(e, q->id))
		return false;
	if (rte_eth_dev_rx_intr_enable(e->port_id, q->id) == 0)
		rxq->armed = true;
	return ethdev_rx_pending(q) > 0;
}

unsigned int
ethdev_rx_pending(struct vale_rxq *q)
{
	const struct ethdev_ep *e = ep_of(q->ep);
	int n;

	if (!atomic_load_explicit(&e->link, memory_order_relaxed))
		return 0;
	if (e->driver.vhost && !ethdev_vhost_receives(e, q->id))
		return 0;
	n = rte_eth_rx_queue_count(e->port_id, q->id);
	/* not every driver can tell */
	return n > 0 ? n : 0;
}

/* ---- send ---- */

static inline bool
is_too_long(const struct vale_pkt *p, uint32_t max, uint32_t room)
{
	/* who takes frames that are to be cut takes their segments */
	if (likely(p->len <= max) || (p->flags & VALE_PKT_OFFLOAD))
		return false;
	/* a VLAN tag comes on top of the MTU */
	return p->len > max + RTE_VLAN_HLEN || p->len > room || p->seg_len < RTE_ETHER_HDR_LEN ||
	       p->data[12] != 0x81 || p->data[13] != 0x00;
}

/** Whether the driver may have the frame's own mbufs. */
static inline bool
may_take(const struct ethdev_ep *e, const struct vale_pkt *p)
{
	if ((p->flags & (VALE_PKT_MBUF | VALE_PKT_SHARED)) != VALE_PKT_MBUF)
		return false;
	return likely(p->mbuf->nb_segs == 1) ||
	       (e->multi_seg && (p->mbuf->nb_segs <= ETHDEV_SEGS_MAX || e->driver.vhost));
}

/** The mbuf to send for a frame that is not finished, to a machine that takes it so. */
static struct rte_mbuf *
mbuf_for_open(const struct ethdev_ep *e, struct vale_pkt *p)
{
	struct vale_offload ol = vale_pkt_offload(p);
	bool take = may_take(e, p);
	struct rte_mbuf *m = take ? p->mbuf : vale_pkt_to_mbuf(p, e->pool);

	if (m == NULL)
		return NULL;
	if (unlikely(!ethdev_send_open(&ol, m, e->pool))) {
		if (!take)
			rte_pktmbuf_free(m);
		return NULL;
	}
	vale_pool_tag_if_governed(m);
	return m;
}

/** The mbuf to send for a frame: its own, or a copy. */
static inline struct rte_mbuf *
mbuf_for(const struct ethdev_ep *e, struct vale_pkt *p)
{
	if (unlikely(p->flags & VALE_PKT_OFFLOAD))
		return mbuf_for_open(e, p);
	if (!may_take(e, p))
		return vale_pkt_to_mbuf(p, e->multi_seg ? e->pool : e->own_pool);
	p->mbuf->ol_flags &= KEPT_FLAGS;
	/* the driver keeps it for as long as it likes, and frees it into a cache of ours */
	vale_pool_tag_if_governed(p->mbuf);
	return p->mbuf;
}

/** Frames on their way into a driver: mbuf and descriptor at the same index. */
struct outgoing {
	uint16_t nb;
	struct rte_mbuf *m[VALE_BATCH_MAX];
	struct vale_pkt *p[VALE_BATCH_MAX];
};

static void
gather(const struct ethdev_ep *e, struct vale_pkt *pkts, const uint16_t *idx, uint16_t n,
	struct outgoing *out, struct vale_tx_result *res)
{
	uint32_t max = atomic_load_explicit(&e->tx_len_max, memory_order_relaxed);
	struct vale_pkt *p;
	struct rte_mbuf *m;
	uint16_t i;

	for (i = 0; i < n; i++) {
		p = &pkts[idx[i]];
		if (unlikely(is_too_long(p, max, e->tx_room))) {
			res->too_long++;
			continue;
		}
		m = mbuf_for(e, p);
		if (unlikely(m == NULL)) {
			res->no_mbuf++;
			continue;
		}
		out->m[out->nb] = m;
		out->p[out->nb++] = p;
	}
}

/** Whether what is sent is the frame's own mbuf. A descriptor of other memory has none, but what
 * the last batch left there: an mbuf that was freed since, and may be the copy by now. */
static inline bool
is_original(const struct outgoing *out, uint16_t i)
{
	return (out->p[i]->flags & VALE_PKT_MBUF) && out->m[i] == out->p[i]->mbuf;
}

/** Frames [from, to) belong to the driver. */
static void
mark_sent(struct outgoing *out, uint16_t from, uint16_t to, struct vale_tx_result *res)
{
	uint16_t i;

	for (i = from; i < to; i++) {
		/* a copy leaves the original where it is */
		if (is_original(out, i)) {
			out->p[i]->flags |= VALE_PKT_TAKEN;
			res->taken++;
		}
		res->packets++;
		res->bytes += out->p[i]->len;
	}
}

/** A frame that the driver did not take. */
static void
mark_unsent(struct outgoing *out, uint16_t i)
{
	if (!is_original(out, i))
		rte_pktmbuf_free(out->m[i]);
}

static void
send_all(
	const struct ethdev_ep *e, uint16_t queue, struct outgoing *out, struct vale_tx_result *res)
{
	uint16_t sent, done = 0;

	while (done < out->nb) {
		sent = rte_eth_tx_burst(e->port_id, queue, out->m + done, out->nb - done);
		mark_sent(out, done, done + sent, res);
		done += sent;
		if (done == out->nb || (sent == 0 && !e->driver.tx_stops))
			break;
		/* this one stopped the burst; those behind it may pass */
		if (e->driver.tx_stops)
			mark_unsent(out, done++);
	}
	while (done < out->nb)
		mark_unsent(out, done++);
}

/**
 * Count by the driver's statistics, where its word for "sent" is "taken". Where fewer left than
 * were taken, none did (its one system call failed): so bytes are right as well.
 */
static void
count_by_driver(const struct ethdev_ep *e, uint16_t queue, struct ethdev_txq *txq,
	struct vale_tx_result *res)
{
	struct rte_eth_stats stats;
	uint64_t sent;

	if (rte_eth_stats_get(e->port_id, &stats) < 0)
		return;
	sent = stats.q_opackets[queue] - txq->sent;
	txq->sent = stats.q_opackets[queue];
	if (likely(sent >= res->packets))
		return;
	res->packets = sent;
	res->bytes = sent == 0 ? 0 : res->bytes;
}

void
ethdev_tx(struct vale_endpoint *ep, uint16_t queue, struct vale_pkt *pkts, const uint16_t *idx,
	uint16_t n, struct vale_tx_result *res)
{
	struct ethdev_ep *e = ep_of(ep);
	struct ethdev_txq *txq;
	struct outgoing out;
	unsigned int nb;

	/* a driver may keep frames for a link that comes back much later */
	if (unlikely(!atomic_load_explicit(&e->link, memory_order_relaxed)))
		return;
	if (e->driver.vhost) {
		nb = ethdev_vhost_nb_tx(e);
		if (unlikely(nb == 0))
			return;
		queue %= nb;
	}
	txq = &e->txq[queue];
	out.nb = 0;
	gather(e, pkts, idx, n, &out, res);
	rte_spinlock_lock(&txq->lock);
	send_all(e, queue, &out, res);
	if (e->driver.hides_tx_loss)
		count_by_driver(e, queue, txq, res);
	rte_spinlock_unlock(&txq->lock);
}
