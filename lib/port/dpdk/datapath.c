/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <sys/eventfd.h>

#include <rte_branch_prediction.h>
#include <rte_ring.h>

#include "dpdk_port.h"
#include "vale_control_proto.h"
#include "vale_copy.h"
#include "vale_pkt_copy.h"
#include "vale_pool.h"
#include "vale_prefetch.h"

static_assert(sizeof(struct vale_dpdk_addrs) == sizeof(struct vale_addrs), "layout");

/* Of a ring, in a cache line. */
#define LINE_WORDS (RTE_CACHE_LINE_SIZE / sizeof(uint64_t))
#define LINE_ADDRS (RTE_CACHE_LINE_SIZE / sizeof(struct vale_dpdk_addrs))
/* Frames whose words and addresses are fetched ahead. */
#define WORDS_AHEAD 32
/* Mbufs that are taken from the pool at once, for copies. */
#define COPY_BULK 32

/* ---- from the client ---- */

/* A frame word as a descriptor. Returns false if it cannot be one: its mbuf would lie outside
 * of the pool, or its data outside of the mbuf. */
static inline bool
word_decode(const struct dpdk_rxq *rq, uint64_t word, struct vale_pkt *p)
{
	struct rte_mbuf *m = vale_word_mbuf(word);

	if (unlikely((uintptr_t)m - rq->pool_lo >= rq->pool_sz))
		return false;
	p->mbuf = m;
	p->flags = VALE_PKT_MBUF;
	if (likely(word & VALE_WORD_FLAT)) {
		p->data = (const uint8_t *)m + VALE_FLAT_OFF;
		p->len = vale_word_len(word);
		p->seg_len = (uint16_t)p->len;
		return p->len <= rq->flat_max;
	}
	p->data = rte_pktmbuf_mtod(m, const uint8_t *);
	p->len = m->pkt_len;
	p->seg_len = m->data_len;
	return true;
}

static uint16_t
words_decode(const struct dpdk_rxq *rq, const uint64_t *words, const struct vale_dpdk_addrs *from,
	unsigned int n, struct vale_pkt *pkts, struct vale_addrs *addrs,
	struct vale_rx_refused *bad)
{
	uint16_t good = 0;

	/* they were written in order, and are in the sender's cache */
	for (unsigned int i = 0; i < RTE_MIN(n, (unsigned int)WORDS_AHEAD); i += LINE_ADDRS)
		rte_prefetch0(&from[i]);
	for (unsigned int i = 0; i < RTE_MIN(n, (unsigned int)WORDS_AHEAD); i += LINE_WORDS)
		rte_prefetch0(&words[i]);
	for (unsigned int i = 0; i < n; i++) {
		if (i % LINE_ADDRS == 0)
			rte_prefetch0(&from[i + WORDS_AHEAD]);
		if (i % LINE_WORDS == 0)
			rte_prefetch0(&words[i + WORDS_AHEAD]);
		if (unlikely(!word_decode(rq, words[i], &pkts[good]))) {
			bad->bad_desc++;
			continue;
		}
		memcpy(&addrs[good], &from[i], sizeof(addrs[0]));
		good++;
	}
	return good;
}

static uint16_t
dpdk_rx(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad)
{
	struct dpdk_rxq *rq = (struct dpdk_rxq *)q;
	/* of the batch in work: one at a time in each worker */
	static _Thread_local struct vale_addrs addrs[VALE_BATCH_MAX];
	const struct vale_dpdk_addrs *from = rq->addrs + (rq->ring->cons.head & rq->ring->mask);
	struct rte_ring_zc_data zc;
	unsigned int got;
	uint16_t good;

	got = rte_ring_dequeue_zc_burst_elem_start(rq->ring, sizeof(uint64_t), n, &zc, NULL);
	if (got == 0)
		return 0;
	q->addrs = addrs;
	good = words_decode(rq, zc.ptr1, from, zc.n1, pkts, addrs, bad);
	if (unlikely(zc.n1 < got))
		good += words_decode(
			rq, zc.ptr2, rq->addrs, got - zc.n1, pkts + good, addrs + good, bad);
	rte_ring_dequeue_zc_elem_finish(rq->ring, got);
	return good;
}

static void
dpdk_rx_done(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n)
{
	struct rte_mbuf *left[VALE_BATCH_MAX];
	unsigned int nb = 0;

	for (uint16_t i = 0; i < n; i++) {
		left[nb] = pkts[i].mbuf;
		nb += !(pkts[i].flags & VALE_PKT_TAKEN);
	}
	vale_pool_free_bulk(left, nb);
}

static bool
dpdk_rx_arm(struct vale_rxq *q)
{
	struct dpdk_rxq *rq = (struct dpdk_rxq *)q;

	atomic_store_explicit(&rq->shm->armed, 1, memory_order_relaxed);
	/* full fence: either we see the client's frame, or it sees that we are armed */
	atomic_thread_fence(memory_order_seq_cst);
	return !rte_ring_empty(rq->ring);
}

static unsigned int
dpdk_rx_pending(struct vale_rxq *q)
{
	return rte_ring_count(((struct dpdk_rxq *)q)->ring);
}

/* ---- to the client ---- */

/* The word for a frame that changes hands. The mbuf itself is not read: it is in the sender's
 * cache. */
static inline uint64_t
word_take(struct vale_pkt *p)
{
	const struct rte_mbuf *m = p->mbuf;
	bool flat = p->seg_len == p->len && p->data == (const uint8_t *)m + VALE_FLAT_OFF;

	p->flags |= VALE_PKT_TAKEN;
	return (uint64_t)(uintptr_t)m | (uint64_t)p->len << VALE_WORD_LEN_SHIFT |
	       (flat ? VALE_WORD_FLAT : 0);
}

/* The word for a copy of a frame, in mbufs of the pool that are tagged; 0 without. */
static uint64_t
word_copy(struct dpdk_port *port, const struct vale_pkt *p, struct vale_tx_result *res)
{
	struct rte_mbuf *copy = vale_pkt_to_mbuf(p, port->pool);

	if (unlikely(copy == NULL)) {
		res->no_mbuf++;
		return 0;
	}
	vale_pool_tag_if_governed(copy);
	return vale_word_make(copy, p->len);
}

/* Words for copies of frames that are in one piece and fit into one mbuf each. Nobody else has
 * these mbufs, but their lines are in the cache of who freed them, so they are fetched all at once.
 */
static inline void
words_copy_flat(struct rte_mbuf *const *m, const struct vale_pkt *pkts, const uint16_t *idx,
	unsigned int n, uint64_t *words)
{
	for (unsigned int i = 0; i < n; i++) {
		vale_prefetch_write(m[i]);
		vale_prefetch_write(&m[i]->next); /* and what is behind: who holds it */
		vale_prefetch_write((uint8_t *)m[i] + VALE_FLAT_OFF);
	}
	for (unsigned int i = 0; i < n; i++) {
		const struct vale_pkt *p = &pkts[idx[i]];

		rte_pktmbuf_reset(m[i]);
		vale_copy_frame(rte_pktmbuf_mtod(m[i], uint8_t *), p->data, p->len);
		m[i]->data_len = p->len;
		m[i]->pkt_len = p->len;
		vale_pool_tag_if_governed(m[i]);
		words[i] = vale_word_make(m[i], p->len);
	}
}

static inline bool
is_taken(const struct vale_pkt *p)
{
	return (p->flags & (VALE_PKT_MBUF | VALE_PKT_SHARED)) == VALE_PKT_MBUF;
}

static inline bool
is_flat_copy(const struct vale_pkt *p, uint32_t room)
{
	return !is_taken(p) && p->seg_len == p->len && p->len <= room;
}

/* Copy frames as long as they are flat, COPY_BULK at most. Returns how many, 0 also if the pool has
 * not as many. */
static unsigned int
words_copy(struct dpdk_port *port, const struct vale_pkt *pkts, const uint16_t *idx, unsigned int n,
	uint64_t *words)
{
	uint32_t room = rte_pktmbuf_data_room_size(port->pool) - RTE_PKTMBUF_HEADROOM;
	struct rte_mbuf *m[COPY_BULK];
	unsigned int nb = 0;

	n = RTE_MIN(n, (unsigned int)COPY_BULK);
	while (nb < n && is_flat_copy(&pkts[idx[nb]], room))
		nb++;
	if (unlikely(nb == 0 || rte_mempool_get_bulk(port->pool, (void **)m, nb) != 0))
		return 0;
	words_copy_flat(m, pkts, idx, nb, words);
	return nb;
}

/* Write the words of n frames to words[]; returns how many, fewer where mbufs for copies lack. */
static inline unsigned int
words_encode(struct dpdk_port *port, struct vale_pkt *pkts, const uint16_t *idx, unsigned int n,
	uint64_t *words, struct vale_tx_result *res)
{
	unsigned int nb = 0, taken = 0;
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < RTE_MIN(n, (unsigned int)WORDS_AHEAD); i += LINE_WORDS)
		vale_prefetch_write(&words[i]);
	for (unsigned int i = 0, done; i < n; i += done) {
		struct vale_pkt *p = &pkts[idx[i]];

		done = 1;
		if (likely(is_taken(p))) {
			if (nb % LINE_WORDS == 0)
				vale_prefetch_write(&words[nb + WORDS_AHEAD]);
			words[nb++] = word_take(p);
			taken++;
			bytes += p->len;
			continue;
		}
		done = words_copy(port, pkts, idx + i, n - i, &words[nb]);
		for (unsigned int k = 0; k < done; k++)
			bytes += pkts[idx[i + k]].len;
		nb += done;
		if (likely(done > 0))
			continue;
		done = 1;
		words[nb] = word_copy(port, p, res);
		if (likely(words[nb] != 0)) {
			nb++;
			bytes += p->len;
		}
	}
	res->packets += nb;
	res->taken += taken;
	res->bytes += bytes;
	return nb;
}

/* Copies may be fewer than the places reserved: the two parts of the ring must stay without a gap,
 * so the frames of a burst that wraps are encoded aside. */
static void
ring_put(struct dpdk_port *port, struct dpdk_txq *tq, struct vale_pkt *pkts, const uint16_t *idx,
	uint16_t n, struct vale_tx_result *res)
{
	struct rte_ring_zc_data zc;
	unsigned int room, nb;

	room = rte_ring_enqueue_zc_burst_elem_start(tq->ring, sizeof(uint64_t), n, &zc, NULL);
	if (room == 0)
		return;
	if (likely(zc.n1 == room)) {
		nb = words_encode(port, pkts, idx, room, zc.ptr1, res);
	} else {
		uint64_t words[VALE_BATCH_MAX];
		unsigned int n1;

		nb = words_encode(port, pkts, idx, room, words, res);
		n1 = RTE_MIN(nb, zc.n1);
		memcpy(zc.ptr1, words, n1 * sizeof(words[0]));
		memcpy(zc.ptr2, words + n1, (nb - n1) * sizeof(words[0]));
	}
	rte_ring_enqueue_zc_elem_finish(tq->ring, nb);
}

static inline void
ring_bell(struct dpdk_txq *tq)
{
	/* full fence: either the client sees the frames, or we see that it is armed */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&tq->shm->armed, memory_order_relaxed) == 0)
		return;
	if (atomic_exchange_explicit(&tq->shm->armed, 0, memory_order_relaxed) != 0)
		eventfd_write(
			tq->event_fd, 1); /* non-blocking; a full counter is readable anyway */
}

/* A client may have configured fewer queues than it has: none may wait where nobody looks. The
 * number is the client's to write, so it only ever makes the queue's number smaller. */
static inline uint16_t
used_queue(const struct dpdk_port *port, uint16_t queue)
{
	uint32_t used = atomic_load_explicit(&port->slot->nb_rxq_used, memory_order_relaxed);

	return likely(used == 0 || queue < used) ? queue : (uint16_t)(queue % used);
}

static void
dpdk_tx(struct vale_endpoint *ep, uint16_t queue, struct vale_pkt *pkts, const uint16_t *idx,
	uint16_t n, struct vale_tx_result *res)
{
	struct dpdk_port *port = (struct dpdk_port *)ep;
	struct dpdk_txq *tq = &port->txq[used_queue(port, queue)];

	if (port->lock_tx)
		rte_spinlock_lock(&tq->lock);
	ring_put(port, tq, pkts, idx, n, res);
	if (port->lock_tx)
		rte_spinlock_unlock(&tq->lock);
	ring_bell(tq);
}

void
dpdk_ring_see(const struct rte_ring *ring, struct vale_pool_reap *reap)
{
	const uint64_t *words = (const uint64_t *)&ring[1];
	/* What stays in the ring while we look is between the two, whatever moves meanwhile. */
	uint32_t at = __atomic_load_n(&ring->cons.tail, __ATOMIC_ACQUIRE);
	uint32_t end = __atomic_load_n(&ring->prod.tail, __ATOMIC_ACQUIRE);

	for (; at != end; at++)
		vale_pool_reap_see(reap, vale_word_mbuf(words[at & ring->mask]));
}

unsigned int
dpdk_ring_flush(struct rte_ring *ring)
{
	uint64_t words[64];
	struct rte_mbuf *frames[RTE_DIM(words)];
	unsigned int left, total = 0, n;

	/* A client that died half-way has moved a head and not its tail. What lies between was not
	 * sent, or is still in the ring. */
	ring->prod.head = ring->prod.tail;
	ring->cons.head = ring->cons.tail;
	left = rte_ring_count(ring);

	for (; left > 0; left -= n) {
		n = rte_ring_sc_dequeue_burst_elem(
			ring, words, sizeof(words[0]), RTE_MIN(left, RTE_DIM(words)), NULL);
		for (unsigned int i = 0; i < n; i++)
			frames[i] = vale_word_mbuf(words[i]);
		vale_pool_free_bulk(frames, n);
		total += n;
	}
	return total;
}

static void
dpdk_set_mac(struct vale_endpoint *ep, const uint8_t mac[6])
{
	memcpy(((struct dpdk_port *)ep)->slot->mac, mac, 6);
}

const struct vale_endpoint_ops dpdk_endpoint_ops = {
	.kind = VALE_CTL_KIND_DPDK,
	.rx = dpdk_rx,
	.rx_done = dpdk_rx_done,
	.tx = dpdk_tx,
	.rx_arm = dpdk_rx_arm,
	.rx_pending = dpdk_rx_pending,
	.evict = dpdk_port_evict,
	.destroy = dpdk_port_destroy,
	.set_mac = dpdk_set_mac,
};
