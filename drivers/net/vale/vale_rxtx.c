/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include <rte_branch_prediction.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "vale_gates.h"
#include "vale_pkt_copy.h"
#include "vale_pmd.h"
#include "vale_stats.h"

/* Frames moved between ring and application at once: words of these stand on the stack. */
#define CHUNK 64u
/* How far ahead of their use mbufs are loaded. */
#define PREFETCH_AHEAD 4

/* ---- receive ---- */

/** Say in all segments of a frame that they are ours now. Returns how many there are. */
static __rte_always_inline unsigned int
rx_tag(uint64_t word)
{
	struct rte_mbuf *m = vale_word_mbuf(word);

	vale_pool_tag(m);
	if (likely(word & VALE_WORD_FLAT))
		return 1;
	vale_pool_tag_chain(m->next);
	return m->nb_segs;
}

/** Make a frame of the sender's mbuf a received one: nothing of what the sender set may show. */
static __rte_always_inline struct rte_mbuf *
rx_mbuf(uint64_t word, uint16_t port_id)
{
	struct rte_mbuf *m = vale_word_mbuf(word);

	m->port = port_id;
	m->ol_flags = 0;
	m->packet_type = RTE_PTYPE_UNKNOWN;
	m->vlan_tci = 0;
	m->vlan_tci_outer = 0;
	m->hash.rss = 0;
	m->hash.fdir.hi = 0;
	return m;
}

/** What was received in one burst. */
struct rx_sum {
	uint64_t bytes, segs;
};

static __rte_always_inline void
rx_words(const uint64_t *words, struct rte_mbuf **pkts, unsigned int n, uint16_t port_id,
	struct rx_sum *sum)
{
	unsigned int i;

	for (i = 0; i < n && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(vale_word_mbuf(words[i]));
	for (i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0(vale_word_mbuf(words[i + PREFETCH_AHEAD]));
		sum->segs += rx_tag(words[i]);
		pkts[i] = rx_mbuf(words[i], port_id);
		sum->bytes += vale_word_len(words[i]);
	}
}

/** Once in a process: a person who wonders where frames go may look here. */
static __rte_noinline void
rx_refused(const struct rte_mempool *pool)
{
	static _Atomic bool told;

	if (!atomic_exchange_explicit(&told, true, memory_order_relaxed))
		VALE_PMD_LOG(WARNING,
			"this process holds its quota of %u mbufs: nothing is received until it "
			"frees or sends some, or `vale-ctl set quota` lets it have more",
			vale_pool_quota(pool));
}

/** How many frames may be received. Who holds its quota gets none: they stay in the ring, and what
 * does not fit there the switch counts. */
static __rte_always_inline unsigned int
rx_allowed(const struct vale_dpdk_rxq *q, uint16_t nb, struct vale_pool_flow *flow)
{
	const struct vale_dpdk_slot *slot =
		RTE_PTR_SUB(q - q->id, offsetof(struct vale_dpdk_slot, rxq));
	struct rte_mempool *pool = (struct rte_mempool *)(uintptr_t)slot->pool_addr;
	unsigned int n = vale_pool_may_receive(pool, flow, nb);

	if (unlikely(n == 0 && nb > 0))
		rx_refused(pool);
	return n;
}

/** Frames are ours (tagged) before the ring's tail says that they left it: whoever dies between has
 * them counted as in the ring. */
static __rte_always_inline uint16_t
rx_ring(struct vale_dpdk_rxq *q, struct rte_mbuf **pkts, uint16_t nb, struct vale_pool_flow *flow)
{
	struct rte_ring *r = VALE_DPDK_RING(q);
	struct rx_sum sum = {0};
	struct rte_ring_zc_data zc;
	unsigned int n;

	n = rx_allowed(q, nb, flow);
	if (unlikely(n == 0))
		return 0;
	n = rte_ring_dequeue_zc_burst_elem_start(r, sizeof(uint64_t), n, &zc, NULL);
	if (n == 0)
		return 0;
	rx_words(zc.ptr1, pkts, zc.n1, q->port_id, &sum);
	if (unlikely(zc.n1 < n))
		rx_words(zc.ptr2, pkts + zc.n1, n - zc.n1, q->port_id, &sum);
	rte_ring_dequeue_zc_elem_finish(r, n);
	vale_pool_count_received(flow, sum.segs);
	vale_counter_add(&q->packets, n);
	vale_counter_add(&q->bytes, sum.bytes);
	return n;
}

uint16_t
vale_rx_burst(void *rxq, struct rte_mbuf **pkts, uint16_t nb)
{
	struct vale_dpdk_rxq *q = rxq;
	struct vale_gate *g = &vale_gates[q->port_id].rx[q->id];
	uint16_t n = 0;

	if (vale_gate_enter(g))
		n = rx_ring(q, pkts, nb, &g->flow);
	vale_gate_leave(g);
	return n;
}

void
vale_rx_drain(struct vale_dpdk_rxq *q)
{
	struct rte_ring *r = VALE_DPDK_RING(q);
	struct vale_pool_flow *flow = &vale_gates[q->port_id].rx[q->id].flow;
	unsigned int todo = rte_ring_count(r); /* and not what comes meanwhile */
	struct rte_ring_zc_data zc;
	uint64_t word;

	while (todo-- > 0 &&
		rte_ring_dequeue_zc_burst_elem_start(r, sizeof(word), 1, &zc, NULL) == 1) {
		word = *(const uint64_t *)zc.ptr1;
		vale_pool_count_received(flow, rx_tag(word));
		rte_ring_dequeue_zc_elem_finish(r, 1);
		rte_pktmbuf_free(vale_word_mbuf(word));
	}
}

/* ---- transmit ---- */

/** What became of the frames of one burst, before it goes to the counters. */
struct tx_sum {
	uint32_t packets, copied, no_mbuf;
	uint64_t bytes, segs;
};

/** An mbuf that the switch and the receiver may own: nobody else holds it or its memory. */
static __rte_always_inline bool
tx_segment_ours(const struct rte_mbuf *m, const struct rte_mempool *pool)
{
	return m->pool == pool && RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1;
}

/** Whether a frame travels as it is. The switch reads its Ethernet header in one piece. */
static __rte_always_inline bool
tx_travels(const struct rte_mbuf *m, const struct rte_mempool *pool)
{
	if (unlikely(m->data_len < VALE_PMD_FRAME_MIN && m->pkt_len > m->data_len))
		return false;
	do {
		if (unlikely(!tx_segment_ours(m, pool)))
			return false;
		m = m->next;
	} while (unlikely(m != NULL));
	return true;
}

/** Take a frame that cannot go: free it and count why. */
static __rte_noinline uint64_t
tx_drop(struct rte_mbuf *m, uint32_t *reason)
{
	rte_pktmbuf_free(m);
	(*reason)++;
	return 0;
}

/**
 * Replace a frame by a copy in the switch's pool. Its dynamic fields stay behind: one of them says
 * whose an mbuf is, and who is killed with another's word in a copy loses it (vale_pool.h).
 *
 * @return its word, 0 if it was dropped.
 */
static __rte_noinline uint64_t
tx_copy(struct rte_mbuf *m, struct rte_mempool *pool, struct tx_sum *sum)
{
	struct vale_pkt pkt = {
		.data = rte_pktmbuf_mtod(m, const uint8_t *),
		.mbuf = m,
		.len = m->pkt_len,
		.seg_len = m->data_len,
		.flags = VALE_PKT_MBUF,
	};
	struct rte_mbuf *copy = vale_pkt_to_mbuf(&pkt, pool);

	if (copy == NULL)
		return tx_drop(m, &sum->no_mbuf);
	/* what the application itself copied fields into and freed may have been in its cache */
	vale_pool_tag_chain(copy);
	rte_pktmbuf_free(m);
	sum->copied++;
	sum->segs += copy->nb_segs;
	return vale_word_make(copy, copy->pkt_len);
}

/** The word of a frame, 0 if it was dropped. Whether its length is allowed the switch says, which
 * counts what it refuses where the user looks. In both cases the mbuf is no longer the caller's. */
static __rte_always_inline uint64_t
tx_word(struct rte_mbuf *m, struct rte_mempool *pool, struct tx_sum *sum)
{
	uint32_t len = m->pkt_len;
	uint64_t word;

	if (likely(tx_travels(m, pool))) {
		sum->segs += m->nb_segs;
		word = vale_word_make(m, len);
	} else {
		word = tx_copy(m, pool, sum);
	}
	if (likely(word != 0)) {
		sum->packets++;
		sum->bytes += len;
	}
	return word;
}

/** Fetch what will be read of a frame: its mbuf, and its header where that most likely is. */
static __rte_always_inline void
tx_prefetch(const struct rte_mbuf *m)
{
	rte_prefetch0(m);
	rte_prefetch0(RTE_PTR_ADD(m, VALE_FLAT_OFF));
}

/** Say what the addresses of a frame are, beside its word. */
static __rte_always_inline void
tx_tell_addrs(uint64_t word, struct vale_dpdk_addrs *addrs)
{
	const struct rte_mbuf *m = vale_word_mbuf(word);

	/* a shorter frame the switch refuses without a look at them */
	if (likely(m->data_len >= sizeof(addrs->dst) + sizeof(addrs->src)))
		memcpy(addrs, rte_pktmbuf_mtod(m, const uint8_t *),
			sizeof(addrs->dst) + sizeof(addrs->src));
}

/** Send up to CHUNK frames, for which there is room in the ring. */
static __rte_always_inline void
tx_chunk(struct rte_ring *r, struct vale_dpdk_addrs *addrs, struct rte_mempool *pool,
	struct rte_mbuf **pkts, unsigned int n, struct tx_sum *sum)
{
	uint32_t at = r->prod.head; /* we are the only producer */
	uint64_t words[CHUNK];
	unsigned int nb = 0;
	unsigned int i;

	for (i = 0; i < n && i < PREFETCH_AHEAD; i++)
		tx_prefetch(pkts[i]);
	for (i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			tx_prefetch(pkts[i + PREFETCH_AHEAD]);
		words[nb] = tx_word(pkts[i], pool, sum);
		if (unlikely(words[nb] == 0))
			continue;
		tx_tell_addrs(words[nb], &addrs[(at + nb) & r->mask]);
		nb++;
	}
	if (nb > 0)
		rte_ring_sp_enqueue_bulk_elem(r, words, sizeof(words[0]), nb, NULL);
}

/** The switch sleeps: wake it. Whoever sets `armed` back rings. */
static __rte_noinline void
tx_ring_bell(struct vale_dpdk_txq *q)
{
	if (atomic_exchange_explicit(&q->armed, 0, memory_order_seq_cst) != 0)
		eventfd_write(q->kick_fd, 1);
}

static __rte_always_inline void
tx_count(struct vale_dpdk_txq *q, const struct tx_sum *sum, uint16_t full)
{
	vale_counter_add(&q->packets, sum->packets);
	vale_counter_add(&q->bytes, sum->bytes);
	if (unlikely(full > 0))
		vale_counter_add(&q->full, full);
	if (unlikely(sum->copied > 0))
		vale_counter_add(&q->copied, sum->copied);
	if (unlikely(sum->no_mbuf > 0))
		vale_counter_add(&q->no_mbuf, sum->no_mbuf);
}

/** The slot of which a queue is a part. */
static __rte_always_inline const struct vale_dpdk_slot *
txq_slot(const struct vale_dpdk_txq *q)
{
	return RTE_PTR_SUB(q - q->id, offsetof(struct vale_dpdk_slot, txq));
}

static __rte_always_inline uint16_t
tx_ring(struct vale_dpdk_txq *q, struct rte_mbuf **pkts, uint16_t nb, struct vale_pool_flow *flow)
{
	struct rte_mempool *pool = (struct rte_mempool *)(uintptr_t)txq_slot(q)->pool_addr;
	struct rte_ring *r = VALE_DPDK_RING(q);
	struct tx_sum sum = {0};
	unsigned int room, n;
	uint16_t total = 0;

	/* We are the only producer: room can only grow, and nothing is copied in vain. */
	room = nb > 0 ? rte_ring_free_count(r) : 0;
	room = RTE_MIN(room, nb);
	for (; total < room; total += n) {
		n = RTE_MIN(room - total, CHUNK);
		tx_chunk(r, VALE_DPDK_ADDRS(q), pool, &pkts[total], n, &sum);
	}
	tx_count(q, &sum, nb - total);
	vale_pool_count_sent(flow, sum.segs);
	if (sum.packets > 0) {
		/* frames before `armed`: the switch arms, then looks at the ring once more */
		atomic_thread_fence(memory_order_seq_cst);
		if (unlikely(atomic_load_explicit(&q->armed, memory_order_relaxed) != 0))
			tx_ring_bell(q);
	}
	return total;
}

uint16_t
vale_tx_burst(void *txq, struct rte_mbuf **pkts, uint16_t nb)
{
	struct vale_dpdk_txq *q = txq;
	struct vale_gate *g = &vale_gates[q->port_id].tx[q->id];
	uint16_t n = 0;

	if (vale_gate_enter(g))
		n = tx_ring(q, pkts, nb, &g->flow);
	vale_gate_leave(g);
	return n;
}

uint16_t
vale_no_burst(
	void *queue __rte_unused, struct rte_mbuf **pkts __rte_unused, uint16_t nb __rte_unused)
{
	return 0;
}

uint32_t
vale_no_queue_count(void *rxq __rte_unused)
{
	return 0;
}

int
vale_no_descriptor_status(void *queue __rte_unused, uint16_t offset __rte_unused)
{
	return -ENODEV;
}

/* ---- what waits in a queue ---- */

uint32_t
vale_rx_queue_count(void *rxq)
{
	struct vale_dpdk_rxq *q = rxq;

	return rte_ring_count(VALE_DPDK_RING(q));
}

int
vale_rx_descriptor_status(void *rxq, uint16_t offset)
{
	struct vale_dpdk_rxq *q = rxq;
	const struct rte_ring *r = VALE_DPDK_RING(q);

	if (offset >= rte_ring_get_capacity(r))
		return -EINVAL;
	return offset < rte_ring_count(r) ? RTE_ETH_RX_DESC_DONE : RTE_ETH_RX_DESC_AVAIL;
}

int
vale_tx_descriptor_status(void *txq, uint16_t offset)
{
	struct vale_dpdk_txq *q = txq;
	const struct rte_ring *r = VALE_DPDK_RING(q);

	if (offset >= rte_ring_get_capacity(r))
		return -EINVAL;
	return offset < rte_ring_count(r) ? RTE_ETH_TX_DESC_FULL : RTE_ETH_TX_DESC_DONE;
}
