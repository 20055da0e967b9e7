/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_branch_prediction.h>
#include <rte_pause.h>

#include "memif_port.h"
#include "vale_control_proto.h"
#include "vale_copy.h"
#include "vale_pkt_copy.h"
#include "vale_prefetch.h"

/* Descriptors that are looked at together, before any of their buffers is written. */
#define PLACES 32
/* Descriptors in a cache line. */
#define DESCS_IN_LINE 4

/* net_memif puts no fence between its store of head and its look at the flags, so a head that was
 * stored before we allowed the client to ring may come to sight later: we look this many pauses on
 * (about a microsecond, in which a processor writes back what it has stored). What should slip
 * through all the same is found by memif_conns_sweep(). */
#define ARM_PAUSES 32

void
memif_port_fault(struct memif_port *p, enum memif_fault f)
{
	uint32_t none = MEMIF_FAULT_NONE;
	uint64_t one = 1;

	/* relaxed: the control thread reads it after the descriptor, and nothing else hangs on it
	 */
	if (!atomic_compare_exchange_strong_explicit(
		    &p->fault, &none, f, memory_order_relaxed, memory_order_relaxed))
		return;
	/* non-blocking; a full counter is readable anyway */
	if (write(memif.fault_fd, &one, sizeof(one)) < 0)
		return;
}

static inline bool
has_fault(struct memif_port *p)
{
	return unlikely(atomic_load_explicit(&p->fault, memory_order_relaxed) != MEMIF_FAULT_NONE);
}

/* ---- from the client ---- */

/* Take 14 bytes of header out of the pieces of a frame whose first piece is shorter.
 * Returns the pieces as they are then, beginning with the header. */
static struct vale_seg *
gather_head(struct memif_rxq *rq, struct vale_seg *seg)
{
	uint8_t *head = rq->heads[rq->nb_heads++];
	uint32_t have = 0;

	for (;;) {
		uint32_t n = RTE_MIN(seg->len, VALE_FRAME_LEN_MIN - have);

		memcpy(head + have, seg->data, n);
		have += n;
		seg->data += n;
		seg->len -= n;
		if (have == VALE_FRAME_LEN_MIN)
			break;
		seg++;
	}
	/* the first piece was eaten up, so there is a place before this one */
	seg--;
	seg->data = head;
	seg->len = VALE_FRAME_LEN_MIN;
	return seg;
}

/* The pieces seg[0] .. seg[nb - 1] of a whole frame as what the core wants. Returns false if it
 * refuses the frame. */
static bool
frame_of_pieces(struct memif_rxq *rq, struct vale_seg *seg, uint32_t nb, uint64_t len,
	struct vale_pkt *p, struct vale_rx_refused *bad)
{
	if (len > VALE_FRAME_LEN_MAX) {
		bad->too_long++;
		return false;
	}
	if (len < VALE_FRAME_LEN_MIN) {
		bad->runt++;
		return false;
	}
	if (seg->len < VALE_FRAME_LEN_MIN)
		seg = gather_head(rq, seg);
	rq->nb_segs += nb;
	p->data = seg->data;
	p->segs = seg;
	p->len = (uint32_t)len;
	p->seg_len = (uint16_t)seg->len;
	p->flags = VALE_PKT_SEGS;
	return true;
}

/* A frame of several descriptors from *slot on, as far as head. *slot becomes the one behind it.
 * Returns false if it is refused; then it is counted, and consumed as a whole.
 *
 * The flags are cleared on the way: net_memif leaves those of the first descriptor of a frame as
 * they were when the ring last came round, so a short frame would seem to go on.
 */
static bool
read_chain(struct memif_rxq *rq, uint16_t *slot, uint16_t head, struct vale_pkt *p,
	struct vale_rx_refused *bad)
{
	struct vale_seg *seg = &rq->segs[rq->nb_segs];
	uint64_t len = 0;
	uint32_t nb = 0;
	bool good = true, more = true;

	while (more && *slot != head) {
		struct memif_view v = memif_desc_read(rq->ring, *slot & rq->mask);
		const uint8_t *data = memif_desc_data(rq->port->region, &v);

		more = v.flags & MEMIF_DESC_NEXT;
		len += v.length;
		good &= data != NULL;
		/* invariant: pieces <= descriptors read in this batch <= size */
		if (v.length > 0 && good && len <= VALE_FRAME_LEN_MAX)
			seg[nb++] = (struct vale_seg){.data = data, .len = v.length};
		v.flags = 0;
		memif_desc_write(rq->ring, *slot & rq->mask, &v);
		(*slot)++;
	}
	if (!good || more) {
		bad->bad_desc++;
		return false;
	}
	return frame_of_pieces(rq, seg, nb, len, p, bad);
}

/* A frame of one descriptor. Returns false if it is refused. */
static bool
read_flat(struct memif_rxq *rq, const struct memif_view *v, struct vale_pkt *p,
	struct vale_rx_refused *bad)
{
	const uint8_t *data = memif_desc_data(rq->port->region, v);

	if (unlikely(data == NULL)) {
		bad->bad_desc++;
		return false;
	}
	if (unlikely(v->length > VALE_FRAME_LEN_MAX)) {
		bad->too_long++;
		return false;
	}
	p->data = data;
	p->len = v->length;
	p->seg_len = (uint16_t)v->length;
	p->flags = 0; /* runts are the core's to refuse */
	return true;
}

/* Frames of one descriptor each, from @p slot on, @p n at most: as far as they are such, and good.
 * Returns how many. */
static inline uint16_t
read_usual(const struct memif_rxq *rq, uint16_t slot, uint16_t n, struct vale_pkt *pkts)
{
	const struct memif_region *regions = rq->port->region;
	struct memif_ring *ring = rq->ring;
	uint16_t mask = rq->mask, i;

	for (i = 0; i < n; i++, pkts++) {
		struct memif_view v = memif_desc_read(ring, (uint16_t)(slot + i) & mask);
		const uint8_t *data = memif_desc_data(regions, &v);

		if (unlikely((v.flags & MEMIF_DESC_NEXT) || data == NULL ||
			     v.length > VALE_FRAME_LEN_MAX))
			break;
		pkts->data = data;
		pkts->len = v.length;
		pkts->seg_len = (uint16_t)v.length;
		pkts->flags = 0;
	}
	return i;
}

/* Worker: give descriptors before @p tail back to the client. */
static inline void
give_back(struct memif_rxq *rq, uint16_t tail)
{
	atomic_store_explicit(&rq->tail, tail, memory_order_relaxed);
	/* release: we have read the buffers before the client has them again */
	atomic_store_explicit(&rq->ring->tail, tail, memory_order_release);
}

static inline uint16_t
rxq_tail(const struct memif_rxq *rq)
{
	return atomic_load_explicit((_Atomic uint16_t *)(uintptr_t)&rq->tail, memory_order_relaxed);
}

/* Frames are coming: the client need not ring. */
static void
disarm(struct memif_rxq *rq)
{
	rq->armed = false;
	atomic_store_explicit(&rq->ring->flags, MEMIF_RING_MASK_INT, memory_order_relaxed);
}

static uint16_t
memif_rx(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad)
{
	struct memif_rxq *rq = (struct memif_rxq *)q;
	uint16_t slot = rxq_tail(rq);
	uint16_t ready, head, got = 0;

	if (has_fault(rq->port))
		return 0;
	ready = memif_ring_ready(rq->ring, slot);
	if (ready == 0)
		return 0;
	if (unlikely(ready > rq->size)) {
		memif_port_fault(rq->port, MEMIF_FAULT_RING);
		return 0;
	}
	if (unlikely(rq->armed))
		disarm(rq);
	rq->nb_segs = rq->nb_heads = 0;
	head = slot + ready;
	while (slot != head && got < n) {
		/* indices wrap */
		uint16_t left = head - slot, room = n - got;
		uint16_t usual = read_usual(rq, slot, RTE_MIN(left, room), &pkts[got]);
		struct memif_view v;

		slot += usual;
		got += usual;
		if (likely(usual > 0))
			continue;
		v = memif_desc_read(rq->ring, slot & rq->mask);
		if (!(v.flags & MEMIF_DESC_NEXT)) {
			slot++;
			got += read_flat(rq, &v, &pkts[got], bad);
		} else {
			got += read_chain(rq, &slot, head, &pkts[got], bad);
		}
	}
	rq->lent = slot;
	if (unlikely(got == 0))
		give_back(rq, slot); /* the core hands nothing back */
	return got;
}

static void
memif_rx_done(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n)
{
	struct memif_rxq *rq = (struct memif_rxq *)q;
	give_back(rq, rq->lent);
}

static bool
memif_rx_arm(struct vale_rxq *q)
{
	struct memif_rxq *rq = (struct memif_rxq *)q;
	bool was_armed = rq->armed;

	if (has_fault(rq->port))
		return false;
	if (!was_armed) {
		rq->armed = true;
		atomic_store_explicit(&rq->ring->flags, 0, memory_order_relaxed);
	}
	/* full fence: either we see the client's frame, or it sees that it must ring */
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned int i = 0; i < (was_armed ? 1 : ARM_PAUSES); i++) {
		if (memif_ring_ready(rq->ring, rxq_tail(rq)) != 0)
			return true;
		rte_pause();
	}
	return false;
}

static unsigned int
memif_rx_pending(struct vale_rxq *q)
{
	struct memif_rxq *rq = (struct memif_rxq *)q;
	uint16_t ready = memif_ring_ready(rq->ring, rxq_tail(rq));

	return has_fault(rq->port) || ready > rq->size ? 0 : ready;
}

/* ---- to the client ---- */

/* The buffer that the client offers in descriptor @p slot; NULL after noting that it is none. */
static inline uint8_t *
offered(struct memif_txq *tq, uint16_t slot, struct memif_view *v)
{
	uint8_t *data;

	*v = memif_desc_read(tq->ring, slot & tq->mask);
	data = memif_desc_data(tq->port->region, v);
	if (likely(data != NULL && v->length > 0))
		return data;
	memif_port_fault(tq->port, MEMIF_FAULT_BUFFER);
	return NULL;
}

/* Copy a frame into as many buffers as it takes, at most @p room. Returns how many, 0 if they do
 * not do: then they are not published, and their sizes are what they were. */
static uint16_t
put_chain(struct memif_txq *tq, uint16_t room, const struct vale_pkt *p)
{
	struct vale_pieces pieces = vale_pieces_of(p);
	const uint8_t *src = NULL;
	uint32_t left = p->len, have = 0, at, n;
	struct memif_view v;
	uint16_t used = 0;
	uint8_t *dst;

	while (left > 0) {
		if (used == room)
			return 0;
		dst = offered(tq, tq->tail + used, &v);
		if (dst == NULL)
			return 0;
		for (at = 0; at < v.length && left > 0; at += n, left -= n) {
			if (have == 0)
				have = vale_pieces_next(&pieces, &src);
			if (have == 0)
				left = 0; /* a chain of mbufs that is shorter than it says */
			n = RTE_MIN(have, v.length - at);
			n = RTE_MIN(n, left);
			memcpy(dst + at, src, n);
			src += n;
			have -= n;
		}
		v.length = at;
		v.flags = left > 0 ? MEMIF_DESC_NEXT : 0;
		memif_desc_write(tq->ring, (uint16_t)(tq->tail + used) & tq->mask, &v);
		used++;
	}
	return used;
}

/* A buffer that a client offers. */
struct place {
	uint8_t *dst; /* NULL: it is none */
	uint32_t room;
	uint16_t region;
};

/* Look at @p n buffers that are offered from @p slot on, and have them fetched, and the descriptors
 * behind them, which will be looked at next. */
static inline void
look_at_places(const struct memif_txq *tq, uint16_t slot, uint16_t n, struct place *pl)
{
	const struct memif_region *regions = tq->port->region;
	struct memif_ring *ring = tq->ring;
	uint16_t mask = tq->mask;

	for (uint16_t i = 0; i < n; i++) {
		struct memif_view v = memif_desc_read(ring, (uint16_t)(slot + i) & mask);
		uint8_t *dst = memif_desc_data(regions, &v);

		pl[i] = (struct place){.dst = dst, .room = v.length, .region = v.region};
		if (likely(dst != NULL))
			vale_prefetch_write(dst);
	}
	for (uint16_t i = 0; i < n; i += DESCS_IN_LINE)
		vale_prefetch_write((void *)(uintptr_t)ring->desc[(uint16_t)(slot + n + i) & mask]);
}

/* Fill such buffers, the first of which is that of descriptor @p slot, as long as frames are in one
 * piece and fit. Returns how many; adds to *bytes. */
static inline uint16_t
fill_places(const struct memif_txq *tq, uint16_t slot, const struct place *pl,
	const struct vale_pkt *pkts, const uint16_t *idx, uint16_t n, uint64_t *bytes)
{
	struct memif_ring *ring = tq->ring;
	uint16_t mask = tq->mask, i;
	uint64_t sum = 0;

	for (i = 0; i < n; i++) {
		const struct vale_pkt *p = &pkts[idx[i]];
		uint32_t len = p->len;

		if (unlikely(pl[i].dst == NULL || pl[i].room < len || p->seg_len != len))
			break;
		vale_copy_frame(pl[i].dst, p->data, len);
		memif_desc_write(ring, (uint16_t)(slot + i) & mask,
			&(struct memif_view){.length = len, .region = pl[i].region});
		sum += len;
	}
	*bytes += sum;
	return i;
}

/* Put frames as long as each takes one buffer, @p n at most. Returns how many. */
static inline uint16_t
put_usual(struct memif_txq *tq, const struct vale_pkt *pkts, const uint16_t *idx, uint16_t n,
	struct vale_tx_result *res)
{
	struct place places[2][PLACES];
	uint16_t slot = tq->tail, done = 0, turn = 0;
	uint16_t nb = RTE_MIN(n, PLACES), next, filled;

	look_at_places(tq, slot, nb, places[0]);
	for (; nb > 0; nb = next, turn ^= 1) {
		next = RTE_MIN(n - done - nb, PLACES);
		look_at_places(tq, slot + done + nb, next, places[turn ^ 1]);
		filled = fill_places(
			tq, slot + done, places[turn], pkts, idx + done, nb, &res->bytes);
		done += filled;
		if (unlikely(filled < nb))
			break;
	}
	tq->tail = slot + done;
	res->packets += done;
	return done;
}

/* Fill buffers with frames until one or the other is used up. Returns frames dealt with. */
static uint16_t
put_frames(struct memif_txq *tq, uint16_t room, struct vale_pkt *pkts, const uint16_t *idx,
	uint16_t n, struct vale_tx_result *res)
{
	uint16_t i = 0, used;

	while (i < n && room > 0) {
		used = put_usual(tq, pkts, idx + i, RTE_MIN(n - i, room), res);
		i += used;
		room -= used;
		if (likely(i == n || room == 0))
			break;
		used = put_chain(tq, room, &pkts[idx[i]]);
		if (used > 0) {
			tq->tail += used;
			room -= used;
			res->packets++;
			res->bytes += pkts[idx[i]].len;
		} else if (room < tq->size || has_fault(tq->port)) {
			break;
		} else {
			/* not even an empty ring holds it */
			res->too_long++;
		}
		i++;
	}
	return i;
}

/* Buffers that the client offers; 0 after noting that it offers more than there can be. */
static inline uint16_t
room_for_frames(struct memif_txq *tq)
{
	uint16_t room = memif_ring_ready(tq->ring, tq->tail);

	if (likely(room <= tq->size))
		return room;
	memif_port_fault(tq->port, MEMIF_FAULT_RING);
	return 0;
}

/* Let the client see what was put, and wake it if it asks for that. */
static void
publish(struct memif_txq *tq, uint16_t tail)
{
	/* release: descriptors and buffers are written */
	atomic_store_explicit(&tq->ring->tail, tail, memory_order_release);
	/* full fence: either the client sees the frames, or we see that it sleeps */
	atomic_thread_fence(memory_order_seq_cst);
	if (!(atomic_load_explicit(&tq->ring->flags, memory_order_relaxed) & MEMIF_RING_MASK_INT))
		memif_kick(tq->event_fd);
}

static void
memif_tx(struct vale_endpoint *ep, uint16_t queue, struct vale_pkt *pkts, const uint16_t *idx,
	uint16_t n, struct vale_tx_result *res)
{
	struct memif_port *port = (struct memif_port *)ep;
	struct memif_txq *tq = &port->txq[queue];
	uint16_t room, dealt = 0;

	if (has_fault(port)) {
		res->port_gone += n;
		return;
	}
	if (port->lock_tx)
		rte_spinlock_lock(&tq->lock);
	room = room_for_frames(tq);
	if (likely(room > 0))
		dealt = put_frames(tq, room, pkts, idx, n, res);
	if (likely(res->packets > 0))
		publish(tq, tq->tail);
	if (port->lock_tx)
		rte_spinlock_unlock(&tq->lock);
	if (has_fault(port))
		res->port_gone += n - dealt;
}

const struct vale_endpoint_ops memif_endpoint_ops = {
	.kind = VALE_CTL_KIND_MEMIF,
	.lends_memory = true,
	.rx = memif_rx,
	.rx_done = memif_rx_done,
	.tx = memif_tx,
	.rx_arm = memif_rx_arm,
	.rx_pending = memif_rx_pending,
	.evict = memif_port_evict,
	.destroy = memif_port_destroy,
};
