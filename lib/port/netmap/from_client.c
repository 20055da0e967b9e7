/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker's part: frames that a client sends. */
#include <stdlib.h>

#include <rte_prefetch.h>

#include "netmap_port.h"
#include "slot.h"

static_assert(VALE_PKT_NO_LEARN == NS_NO_LEARN, "a slot's flag is a frame's");

/* Slots that the client has published; a head out of range is counted once. */
static inline uint32_t
published(struct nm_rxq *rq, struct vale_rx_refused *bad)
{
	uint32_t head = ring_head(&rq->ring);

	if (likely(head < rq->ring.nb_slots))
		return ring_distance(&rq->ring, rq->cur, head);
	if (head != rq->bad_head) {
		rq->bad_head = head;
		bad->bad_slot++;
	}
	return 0;
}

static inline void
publish_cur(struct nm_rxq *rq)
{
	atomic_store_explicit(&rq->hwcur, rq->cur, memory_order_relaxed);
	/* release: we have read the slots and buffers that the client may write again */
	atomic_store_explicit(rq->ring.done, rq->cur, memory_order_release);
}

/* Where a slot's bytes are. Returns false, having counted it, if they cannot be. */
static inline bool
slot_data(const struct nm_ring *r, const struct slot *s, const uint8_t **data,
	struct vale_rx_refused *bad)
{
	uint64_t off = s->ptr & r->offset_mask;

	if (unlikely(!buf_is_good(r, s->buf_idx) || off > r->offset_max ||
		     (s->flags & NS_INDIRECT))) {
		bad->bad_slot++;
		return false;
	}
	if (unlikely(s->len > VALE_NM_BUF_SZ - off)) {
		bad->too_long++;
		return false;
	}
	*data = buf_at(r, s->buf_idx) + off;
	return true;
}

/*
 * A frame in several slots, of which the first is at rq->cur and at most @p max are published. As
 * netmap does, the last of them ends the chain, whatever it says. Returns the slots it has;
 * pkt->len is 0 if it was refused. A chain that is longer than allowed is consumed whole.
 */
static __rte_noinline uint32_t
read_chain(struct nm_rxq *rq, uint32_t at, uint32_t max, struct vale_seg *segs,
	struct vale_pkt *pkt, struct vale_rx_refused *bad)
{
	struct vale_rx_refused why = {0};
	uint32_t n = 0, len = 0, flags = 0;
	struct slot s;

	do {
		s = slot_read(&rq->ring.slots[at]);
		at = ring_next(&rq->ring, at, 1);
		if (n == 0)
			flags = s.flags & NS_NO_LEARN;
		if (n < VALE_NM_FRAGS_MAX && slot_data(&rq->ring, &s, &segs[n].data, &why)) {
			segs[n].len = s.len;
			len += s.len;
		}
		n++;
	} while ((s.flags & NS_MOREFRAG) && n < max);
	pkt->len = 0;
	if (unlikely(n > VALE_NM_FRAGS_MAX || why.bad_slot > 0))
		bad->bad_slot++;
	else if (unlikely(why.too_long > 0))
		bad->too_long++;
	else if (unlikely(len == 0))
		bad->runt++;
	else
		*pkt = (struct vale_pkt){.data = segs[0].data,
			.segs = segs,
			.len = len,
			.seg_len = (uint16_t)segs[0].len,
			.flags = flags | VALE_PKT_SEGS};
	return n;
}

/* Slots whose frame has a piece more, or is elsewhere. */
#define SLOT_UNUSUAL ((uint64_t)(NS_MOREFRAG | NS_INDIRECT) << 48)

/* The usual slots, from @p at on and as far as they are usual: a frame each, without offsets. At
 * most
 * @p n, and not over the end of the ring. Returns how many. */
static inline uint16_t
read_usual(const struct nm_ring *r, uint32_t at, uint32_t n, struct vale_pkt *pkts)
{
	const struct netmap_slot *slot = &r->slots[at], *end;

	n = RTE_MIN(n, r->nb_slots - at);
	for (end = slot + n; slot < end; slot++, pkts++) {
		/* relaxed: as slot_read() */
		uint64_t word = __atomic_load_n((const uint64_t *)slot, __ATOMIC_RELAXED);
		uint32_t idx = (uint32_t)word, len = (uint16_t)(word >> 32);

		if (unlikely((word & SLOT_UNUSUAL) || !buf_is_good(r, idx) || len > VALE_NM_BUF_SZ))
			break;
		pkts->data = buf_at(r, idx);
		pkts->len = len;
		pkts->seg_len = len;
		pkts->flags = (word >> 48) & NS_NO_LEARN;
	}
	return n - (end - slot);
}

/* Read up to n frames from the slots that are published. */
static inline uint16_t
read_frames(struct nm_rxq *rq, uint32_t left, struct vale_pkt *pkts, uint16_t n,
	struct vale_rx_refused *bad)
{
	const struct nm_ring ring = ring_constants(&rq->ring), *r = &ring;
	uint32_t at = rq->cur, nb_segs = rq->nb_segs, used;
	uint16_t good = 0;

	while (left > 0 && good < n) {
		struct vale_pkt *p = &pkts[good];
		struct slot s;

		if (likely(r->offset_mask == 0)) {
			used = read_usual(r, at, RTE_MIN(left, (uint32_t)(n - good)), p);
			at = ring_next(r, at, used);
			left -= used;
			good += used;
			if (likely(used > 0))
				continue;
		}
		s = slot_read(&r->slots[at]);
		used = 1;
		if (unlikely(s.flags & NS_MOREFRAG)) {
			if (nb_segs + VALE_NM_FRAGS_MAX > NM_SEGS_MAX)
				break;
			used = read_chain(rq, at, left, &rq->segs[nb_segs], p, bad);
			good += p->len > 0;
			nb_segs += p->len > 0 ? used : 0;
		} else if (likely(slot_data(r, &s, &p->data, bad))) {
			p->len = s.len;
			p->seg_len = s.len;
			p->flags = s.flags & NS_NO_LEARN;
			good++;
		}
		at = ring_next(r, at, used);
		left -= used;
	}
	rq->cur = at;
	rq->nb_segs = nb_segs;
	return good;
}

/* The same with a virtio-net header before each frame. A frame that is to be cut counts as what
 * comes of it. */
static uint16_t
read_headed(struct nm_rxq *rq, uint32_t left, struct vale_pkt *pkts, uint16_t n, uint32_t hdr_len,
	struct vale_rx_refused *bad)
{
	uint32_t end = ring_next(&rq->ring, rq->cur, left), frames = 0, cost;
	uint16_t good = 0;

	while (rq->cur != end && frames < n) {
		struct vale_pkt *p = &pkts[good];

		left = ring_distance(&rq->ring, rq->cur, end);
		/* none: all that was left was refused, or there is no room for a chain's pieces */
		if (read_frames(rq, left, p, 1, bad) == 0)
			break;
		cost = nm_vnet_take(p, hdr_len, &rq->segs[NM_SEGS_MAX + good], bad);
		good += cost > 0;
		/* a refused one took its time as well */
		frames += RTE_MAX(cost, 1u);
	}
	return good;
}

uint16_t
nm_rx(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad)
{
	struct nm_rxq *rq = (struct nm_rxq *)q;
	struct nm_port *port = (struct nm_port *)q->ep;
	uint32_t left, hdr_len;

	/* acquire: what the control thread set up before */
	if (!atomic_load_explicit(&rq->ring.active, memory_order_acquire))
		return 0;
	left = published(rq, bad);
	if (left == 0)
		return 0;
	rq->nb_segs = 0;
	hdr_len = atomic_load_explicit(&port->hdr_len, memory_order_relaxed);
	if (likely(hdr_len == 0))
		n = read_frames(rq, left, pkts, n, bad);
	else
		n = read_headed(rq, left, pkts, n, hdr_len, bad);
	/* nothing is lent, so nobody gives it back */
	if (unlikely(n == 0)) {
		publish_cur(rq);
		nm_wake(port, false);
	}
	return n;
}

struct vale_seg *
nm_rxq_make_segs(void)
{
	return calloc(NM_SEGS_MAX + VALE_BATCH_MAX, sizeof(struct vale_seg));
}

void
nm_port_set_hdr_len(struct nm_port *p, uint32_t hdr_len)
{
	/* relaxed: tx() stands either of them old */
	atomic_store_explicit(&p->hdr_len, hdr_len, memory_order_relaxed);
	atomic_store_explicit(&p->ep.takes, hdr_len > 0 ? NM_TAKES : 0, memory_order_relaxed);
}

void
nm_rx_done(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n)
{
	publish_cur((struct nm_rxq *)q);
	nm_wake((struct nm_port *)q->ep, false);
}

unsigned int
nm_rxq_pending(const struct nm_rxq *rq)
{
	struct nm_ring *r = (struct nm_ring *)(uintptr_t)&rq->ring;
	uint32_t head;

	if (!atomic_load_explicit(&r->active, memory_order_relaxed))
		return 0;
	head = ring_head(r);
	if (head >= r->nb_slots)
		return 0;
	return ring_distance(r,
		atomic_load_explicit(
			(_Atomic uint32_t *)(uintptr_t)&rq->hwcur, memory_order_relaxed),
		head);
}

void
nm_port_sink(struct nm_port *p)
{
	struct vale_rx_refused bad = {0};

	for (uint16_t i = 0; i < p->geo.nb_rings[NM_TX]; i++) {
		struct nm_rxq *rq = &p->rxq[i];

		if (!atomic_load_explicit(&rq->ring.active, memory_order_relaxed))
			continue;
		atomic_store_explicit(rq->ring.armed, 1, memory_order_relaxed);
		/* full fence: either we see the client's head, or it sees that we are armed */
		atomic_thread_fence(memory_order_seq_cst);
		rq->cur = ring_next(&rq->ring, rq->cur, published(rq, &bad));
		publish_cur(rq);
	}
	nm_wake(p, false);
}

unsigned int
nm_rx_pending(struct vale_rxq *q)
{
	return nm_rxq_pending((struct nm_rxq *)q);
}

bool
nm_rx_arm(struct vale_rxq *q)
{
	struct nm_rxq *rq = (struct nm_rxq *)q;
	uint32_t head;

	if (!atomic_load_explicit(&rq->ring.active, memory_order_acquire))
		return false;
	atomic_store_explicit(rq->ring.armed, 1, memory_order_relaxed);
	/* full fence: either we see the client's head, or it sees that we are armed */
	atomic_thread_fence(memory_order_seq_cst);
	head = ring_head(&rq->ring);
	return head < rq->ring.nb_slots ? head != rq->cur : head != rq->bad_head;
}
