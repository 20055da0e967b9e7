/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "flow_hash.h"
#include "forward.h"
#include "vale_offload.h"
#include "vale_switch.h"

/* Frames whose addresses are read, and whose FDB buckets are fetched, ahead of the look-up. */
#define CHUNK 32

#define MAC_MASK 0xffffffffffffULL

/* State of classification that lasts for a batch. A source seen twice in a row was learned the
 * first time, a destination seen twice in a row goes where the first went. It is forgotten with
 * the batch, so that nothing stale outlives it (real VALE's shortcut does). */
struct memo {
	vale_mac_t src, dst;
	uint16_t dst_port;
};

/* What is added up over frames. */
struct tally {
	uint64_t bytes;
	uint16_t flags; /* of any of them */
};

static inline uint64_t
load_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
load_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline vale_mac_t
dst_mac(const uint8_t *frame)
{
	return rte_le_to_cpu_64(load_u64(frame)) & MAC_MASK;
}

static inline vale_mac_t
src_mac(const uint8_t *frame)
{
	return rte_le_to_cpu_64(load_u64(frame + 6)) & MAC_MASK;
}

void
vale_forward_init(struct vale_forward *f, unsigned int worker)
{
	memset(f, 0, sizeof(*f));
	f->worker = worker;
	for (unsigned int i = 0; i < VALE_BATCH_MAX; i++)
		f->all[i] = i;
	memset(f->head, 0xff, sizeof(f->head));
	f->resolve = calloc(1, sizeof(*f->resolve));
}

void
vale_forward_fini(struct vale_forward *f)
{
	free(f->resolve);
}

/* The index of a frame's destination, once source and destination address are known. */
static inline uint16_t
classify_macs(struct vale_switch *sw, uint16_t own, bool learn, vale_mac_t src, vale_mac_t dst,
	struct memo *m, uint32_t now_s, uint32_t ageing_s)
{
	if (learn && src != m->src) {
		m->src = src;
		vale_fdb_learn(sw->fdb, src, own, now_s, ageing_s);
		if (src == m->dst)
			m->dst = UINT64_MAX;
	}
	if (dst != m->dst) {
		uint16_t port = VALE_FDB_NONE;

		if (!vale_mac_is_group(dst))
			port = vale_fdb_lookup(sw->fdb, dst, now_s, ageing_s);
		m->dst = dst;
		m->dst_port = port == VALE_FDB_NONE ? FORWARD_FLOOD : port;
	}
	return m->dst_port;
}

/* A frame that is cut before it is on a wire; its endpoint has seen to its length. */
static bool
is_cut_later(const struct vale_pkt *p)
{
	return (p->flags & VALE_PKT_OFFLOAD) && vale_pkt_offload(p).gso_size > 0;
}

/* Length errors, by the sender's counters. */
static inline bool
drop_bad_length(struct vale_counters *c, const struct vale_pkt *p)
{
	if (unlikely(p->len < VALE_FRAME_LEN_MIN || p->seg_len < VALE_FRAME_LEN_MIN)) {
		vale_counter_add(&c->drops[VALE_DROP_RUNT], 1);
		return true;
	}
	if (unlikely(p->len > VALE_FRAME_LEN_MAX && !is_cut_later(p))) {
		vale_counter_add(&c->drops[VALE_DROP_TOO_LONG], 1);
		return true;
	}
	return false;
}

/* Where a frame goes, by the addresses of its header; it is counted if that is nowhere. */
static inline uint16_t
classify_frames(struct vale_forward *f, struct vale_port *port, const struct vale_pkt *p,
	unsigned int n, vale_mac_t src, vale_mac_t dst, struct memo *memo, uint32_t now_s,
	uint32_t ageing_s)
{
	uint16_t d = classify_macs(port->sw, port->idx, !(p->flags & VALE_PKT_NO_LEARN), src, dst,
		memo, now_s, ageing_s);

	if (likely(d != port->idx))
		return d;
	vale_counter_add(&port->counters[f->worker].drops[VALE_DROP_HAIRPIN], n);
	return FORWARD_DROP;
}

/* Where the addresses of frame @p i are: of all frames in @p addrs, or in each. */
static __rte_always_inline const uint8_t *
header_of(const struct vale_pkt *p, const struct vale_addrs *addrs, unsigned int i)
{
	return addrs != NULL ? (const uint8_t *)&addrs[i] : p->data;
}

/* Fill in f->dst[] for frames first .. first + n - 1, all of whose headers are on their way into
 * the cache. */
static void
classify_each(struct vale_forward *f, struct vale_port *port, const struct vale_addrs *addrs,
	unsigned int first, unsigned int n, struct memo *memo, struct tally *t, uint32_t now_s,
	uint32_t ageing_s)
{
	struct vale_switch *sw = port->sw;
	vale_mac_t dst[CHUNK], src[CHUNK];
	vale_mac_t last_src = memo->src, last_dst = memo->dst;

	for (unsigned int i = 0; i < n; i++) {
		const struct vale_pkt *p = &f->pkts[first + i];
		const uint8_t *header;

		t->bytes += p->len;
		if (drop_bad_length(&port->counters[f->worker], p)) {
			f->dst[first + i] = FORWARD_DROP;
			dst[i] = src[i] = 0;
			continue;
		}
		t->flags |= p->flags;
		f->dst[first + i] = 0;
		header = header_of(p, addrs, first + i);
		dst[i] = dst_mac(header);
		src[i] = src_mac(header);
		if (dst[i] != last_dst)
			vale_fdb_prefetch(sw->fdb, dst[i]);
		if (src[i] != last_src)
			vale_fdb_prefetch(sw->fdb, src[i]);
		last_dst = dst[i];
		last_src = src[i];
	}
	for (unsigned int i = 0; i < n; i++) {
		if (likely(f->dst[first + i] != FORWARD_DROP))
			f->dst[first + i] = classify_frames(f, port, &f->pkts[first + i], 1, src[i],
				dst[i], memo, now_s, ageing_s);
	}
}

/* Whether frames are alike: all from the one address of p[0] to the one other, all to be learned
 * from, none of a bad length. If so they are added up. */
static __rte_always_inline bool
are_alike(const struct vale_pkt *p, const struct vale_addrs *addrs, unsigned int n,
	uint64_t first_8, uint32_t last_4, struct tally *t)
{
	uint64_t bytes = 0;
	uint16_t flags = 0;

	for (unsigned int i = 0; i < n; i++, p++) {
		const uint8_t *header = header_of(p, addrs, i);

		/* first of all the length: a runt may lie at the very end of its memory */
		if (unlikely(p->seg_len < VALE_FRAME_LEN_MIN ||
			     p->len - VALE_FRAME_LEN_MIN > VALE_FRAME_LEN_MAX - VALE_FRAME_LEN_MIN))
			return false;
		if (load_u64(header) != first_8 || load_u32(header + 8) != last_4)
			return false;
		bytes += p->len;
		flags |= p->flags;
	}
	if (unlikely(flags & VALE_PKT_NO_LEARN))
		return false;
	t->bytes += bytes;
	t->flags |= flags;
	return true;
}

/* As classify_each(). What one sends to one other comes in runs, so that a whole chunk is mostly
 * alike, which is looked at first: then it is classified as one frame. */
static __rte_always_inline void
classify_chunk(struct vale_forward *f, struct vale_port *port, const struct vale_addrs *addrs,
	unsigned int first, unsigned int n, struct memo *memo, struct tally *t, uint32_t now_s,
	uint32_t ageing_s)
{
	const struct vale_addrs *from = addrs != NULL ? addrs + first : NULL;
	const struct vale_pkt *p = &f->pkts[first];
	uint8_t one[VALE_FRAME_LEN_MIN];
	uint16_t d;

	if (likely(p->len >= sizeof(one) && p->seg_len >= sizeof(one))) {
		memcpy(one, header_of(p, from, 0), sizeof(one));
		if (likely(are_alike(p, from, n, load_u64(one), load_u32(one + 8), t))) {
			d = classify_frames(
				f, port, p, n, src_mac(one), dst_mac(one), memo, now_s, ageing_s);
			for (unsigned int i = 0; i < n; i++)
				f->dst[first + i] = d;
			return;
		}
	}
	classify_each(f, port, addrs, first, n, memo, t, now_s, ageing_s);
}

/* Classify in chunks; @p fetch: with the frames of the next one on their way into the cache. */
static __rte_always_inline void
classify_chunks(struct vale_forward *f, struct vale_port *port, const struct vale_addrs *addrs,
	bool fetch, unsigned int n, struct tally *t, uint32_t now_s, uint32_t ageing_s)
{
	struct memo memo = {.src = UINT64_MAX, .dst = UINT64_MAX};

	for (unsigned int i = 0; fetch && i < RTE_MIN(n, (unsigned int)CHUNK); i++)
		rte_prefetch0(f->pkts[i].data);
	for (unsigned int first = 0; first < n; first += CHUNK) {
		unsigned int end = RTE_MIN(n, first + CHUNK);

		for (unsigned int i = end; fetch && i < RTE_MIN(n, end + CHUNK); i++)
			rte_prefetch0(f->pkts[i].data);
		classify_chunk(f, port, addrs, first, end - first, &memo, t, now_s, ageing_s);
	}
}

/* Returns true if all frames go to one port. */
static bool
classify(struct vale_forward *f, struct vale_rxq *q, unsigned int n, uint32_t now_s,
	uint32_t ageing_s)
{
	struct vale_port *port = q->ep->port;
	struct tally t = {0};
	uint16_t mixed = 0;

	if (q->addrs == NULL)
		classify_chunks(f, port, NULL, true, n, &t, now_s, ageing_s);
	else
		/* what went on unread the last time will this time, mostly */
		classify_chunks(f, port, q->addrs, !q->passes_on, n, &t, now_s, ageing_s);
	for (unsigned int i = 1; i < n; i++)
		mixed |= f->dst[i] ^ f->dst[0];
	vale_counter_add(&port->counters[f->worker].rx_bytes, t.bytes);
	f->open = (t.flags & VALE_PKT_OFFLOAD) != 0;
	if (unlikely(f->open) && f->resolve != NULL)
		resolve_begin(f->resolve);
	return mixed == 0 && f->dst[0] < FORWARD_FLOOD;
}

/* Hand one run to one queue of a receiver and count what came of it. */
static void
deliver_lane(struct vale_forward *f, struct vale_port *from, struct vale_port *to,
	struct vale_endpoint *ep, uint16_t lane, const uint16_t *idx, uint16_t n)
{
	struct vale_counters *src = &from->counters[f->worker];
	struct vale_counters *dst = &to->counters[f->worker];
	struct vale_tx_result res = {0};
	uint32_t full;

	ep->ops->tx(ep, lane, f->pkts, idx, n, &res);
	f->nb_taken += res.taken;
	vale_counter_add(&dst->tx_packets, res.packets);
	vale_counter_add(&dst->tx_bytes, res.bytes);
	if (likely(res.packets == n))
		return;
	full = n - res.packets - res.no_mbuf - res.too_long - res.port_gone;
	vale_counter_add(&dst->drops[VALE_DROP_DST_FULL], full);
	vale_counter_add(&dst->drops[VALE_DROP_PORT_GONE], res.port_gone);
	vale_counter_add(&src->drops[VALE_DROP_NO_MBUF], res.no_mbuf);
	vale_counter_add(&src->drops[VALE_DROP_TOO_LONG], res.too_long);
}

/* Give every entry of idx[] its queue of a receiver that has several. */
static void
choose_lanes(struct vale_forward *f, const struct vale_rxq *q, uint16_t nb_lanes,
	const uint16_t *idx, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		uint16_t k = idx[i];

		if (f->dst[k] == FORWARD_FLOOD)
			f->lane_of[i] = 0;
		else if (q->ep->nb_rxq > 1)
			f->lane_of[i] = q->id % nb_lanes;
		else
			f->lane_of[i] =
				vale_flow_hash(f->pkts[k].data, f->pkts[k].seg_len) % nb_lanes;
	}
	f->was_read |= q->ep->nb_rxq == 1;
}

/* Hand a run to an endpoint, spread over its queues. */
static inline void
deliver_run(struct vale_forward *f, struct vale_rxq *q, struct vale_port *to,
	struct vale_endpoint *ep, const uint16_t *idx, uint16_t n)
{
	struct vale_port *from = q->ep->port;

	if (likely(ep->nb_txq == 1)) {
		deliver_lane(f, from, to, ep, 0, idx, n);
		return;
	}
	choose_lanes(f, q, ep->nb_txq, idx, n);
	for (uint16_t lane = 0; lane < ep->nb_txq; lane++) {
		uint16_t m = 0;

		for (uint16_t i = 0; i < n; i++) {
			f->lane[m] = idx[i];
			m += f->lane_of[i] == lane;
		}
		if (m > 0)
			deliver_lane(f, from, to, ep, lane, f->lane, m);
	}
}

/* Hand the segments of frame k to a receiver. On both sides it counts as the one frame that its
 * sender sent: delivered if all of it was, else dropped for the reason that met a part of it. */
static void
deliver_cut(struct vale_forward *f, struct vale_rxq *q, struct vale_port *to,
	struct vale_endpoint *ep, uint16_t k)
{
	struct vale_counters *src = &q->ep->port->counters[f->worker];
	struct vale_counters *dst = &to->counters[f->worker];
	struct vale_tx_result res = {0};
	struct vale_pkt *pkts = NULL;
	uint16_t lane = 0, nb = 0;

	if (likely(f->resolve != NULL))
		pkts = resolve_cut(f->resolve, k, &f->pkts[k], &nb);
	if (ep->nb_txq > 1) {
		choose_lanes(f, q, ep->nb_txq, &k, 1);
		lane = f->lane_of[0];
	}
	for (uint16_t i = 0, n; i < nb; i += n) {
		struct vale_tx_result part = {0};

		n = RTE_MIN(nb - i, VALE_BATCH_MAX);
		ep->ops->tx(ep, lane, pkts + i, f->all, n, &part);
		res.packets += part.packets;
		res.no_mbuf += part.no_mbuf;
		res.too_long += part.too_long;
		res.port_gone += part.port_gone;
	}
	if (likely(nb > 0 && res.packets == nb)) {
		vale_counter_add(&dst->tx_packets, 1);
		vale_counter_add(&dst->tx_bytes, f->pkts[k].len);
	} else if (nb == 0 || res.no_mbuf > 0) {
		vale_counter_add(&src->drops[VALE_DROP_NO_MBUF], 1);
	} else if (res.too_long > 0) {
		vale_counter_add(&src->drops[VALE_DROP_TOO_LONG], 1);
	} else {
		vale_counter_add(
			&dst->drops[res.port_gone > 0 ? VALE_DROP_PORT_GONE : VALE_DROP_DST_FULL],
			1);
	}
}

/* Whether an endpoint takes a frame as it is. */
static bool
takes(struct vale_endpoint *ep, const struct vale_pkt *p)
{
	uint32_t needs = vale_pkt_offload(p).needs & ~VALE_OL_IS_IPV6;

	/* relaxed: a change meets this batch or the next; tx() stands both */
	return (needs & ~atomic_load_explicit(&ep->takes, memory_order_relaxed)) == 0;
}

/* As deliver_run(), for frames of which some may be unfinished. */
static void
deliver_open(struct vale_forward *f, struct vale_rxq *q, struct vale_port *to,
	struct vale_endpoint *ep, const uint16_t *idx, uint16_t n)
{
	struct vale_counters *src = &q->ep->port->counters[f->worker];
	uint16_t m = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct vale_pkt *p = &f->pkts[idx[i]];

		if (!(p->flags & VALE_PKT_OFFLOAD) || takes(ep, p)) {
			f->run[m++] = idx[i];
		} else if (vale_pkt_offload(p).gso_size > 0) {
			if (m > 0)
				deliver_run(f, q, to, ep, f->run, m);
			m = 0;
			deliver_cut(f, q, to, ep, idx[i]);
		} else if (f->resolve != NULL && resolve_sum(f->resolve, p)) {
			f->run[m++] = idx[i];
		} else {
			vale_counter_add(&src->drops[VALE_DROP_NO_MBUF], 1);
		}
	}
	if (m > 0)
		deliver_run(f, q, to, ep, f->run, m);
}

/* Hand a run to a receiver. */
static void
deliver(struct vale_forward *f, struct vale_rxq *q, struct vale_port *to, const uint16_t *idx,
	uint16_t n)
{
	/* acquire: the endpoint was built before it was published */
	struct vale_endpoint *ep = atomic_load_explicit(&to->ep, memory_order_acquire);

	if (unlikely(ep == NULL))
		vale_counter_add(&to->counters[f->worker].drops[VALE_DROP_PORT_GONE], n);
	else if (unlikely(f->open))
		deliver_open(f, q, to, ep, idx, n);
	else
		deliver_run(f, q, to, ep, idx, n);
}

/* As deliver(), by port index. */
static void
deliver_to(
	struct vale_forward *f, struct vale_rxq *q, uint16_t dst, const uint16_t *idx, uint16_t n)
{
	struct vale_port *from = q->ep->port;
	struct vale_port *to;

	/* acquire: the port was built before it was published */
	to = atomic_load_explicit(&from->sw->port[dst], memory_order_acquire);
	if (unlikely(to == NULL))
		vale_counter_add(&from->counters[f->worker].drops[VALE_DROP_PORT_GONE], n);
	else
		deliver(f, q, to, idx, n);
}

/* Make a list for each destination and one of the frames to flood, all in the order of arrival. */
static void
gather(struct vale_forward *f, unsigned int n)
{
	f->nb_touched = 0;
	f->nb_flood = 0;
	for (unsigned int i = 0; i < n; i++) {
		uint16_t d = f->dst[i];

		f->next[i] = FORWARD_END;
		if (d == FORWARD_FLOOD) {
			f->flood[f->nb_flood++] = i;
		} else if (d < FORWARD_FLOOD) {
			if (f->head[d] == FORWARD_END) {
				f->head[d] = i;
				f->touched[f->nb_touched++] = d;
			} else {
				f->next[f->tail[d]] = i;
			}
			f->tail[d] = i;
		}
	}
}

/* Move the list of a destination, merged with nb_flood frames to flood, into f->list in order. */
static uint16_t
take_list(struct vale_forward *f, uint16_t dst, uint16_t nb_flood)
{
	uint16_t own = f->head[dst];
	uint16_t fl = 0, n = 0;

	while (own != FORWARD_END || fl < nb_flood) {
		if (fl == nb_flood || own < f->flood[fl]) {
			f->list[n++] = own;
			own = f->next[own];
		} else {
			f->list[n++] = f->flood[fl++];
		}
	}
	f->head[dst] = FORWARD_END;
	return n;
}

static void
share_flooded(struct vale_forward *f, bool shared)
{
	for (uint16_t i = 0; i < f->nb_flood; i++) {
		if (shared)
			f->pkts[f->flood[i]].flags |= VALE_PKT_SHARED;
		else
			f->pkts[f->flood[i]].flags &= ~VALE_PKT_SHARED;
	}
}

/* Flood: every receiver gets a copy of its own, the last one may have the original. */
static void
deliver_flood(struct vale_forward *f, struct vale_rxq *q)
{
	struct vale_port *from = q->ep->port;
	/* acquire: the list was built before it was published */
	const struct vale_flood *fl = atomic_load_explicit(&from->sw->flood, memory_order_acquire);
	uint16_t left = 0;

	for (uint16_t i = 0; i < fl->nb; i++)
		left += fl->port[i] != from;
	if (left == 0) {
		vale_counter_add(&from->counters[f->worker].drops[VALE_DROP_NO_DST], f->nb_flood);
		return;
	}
	share_flooded(f, true);
	f->was_read = true;
	for (uint16_t i = 0; i < fl->nb; i++) {
		struct vale_port *to = fl->port[i];
		uint16_t n;

		if (to == from)
			continue;
		if (--left == 0)
			share_flooded(f, false);
		n = take_list(f, to->idx, f->nb_flood);
		deliver(f, q, to, f->list, n);
	}
}

static void
deliver_mixed(struct vale_forward *f, struct vale_rxq *q, unsigned int n)
{
	gather(f, n);
	if (f->nb_flood > 0)
		deliver_flood(f, q);
	for (uint16_t i = 0; i < f->nb_touched; i++) {
		uint16_t d = f->touched[i];

		if (f->head[d] != FORWARD_END)
			deliver_to(f, q, d, f->list, take_list(f, d, 0));
	}
}

static unsigned int
count_refused(struct vale_counters *c, const struct vale_rx_refused *bad)
{
	vale_counter_add(&c->drops[VALE_DROP_BAD_SLOT], bad->bad_slot);
	vale_counter_add(&c->drops[VALE_DROP_BAD_DESC], bad->bad_desc);
	vale_counter_add(&c->drops[VALE_DROP_TOO_LONG], bad->too_long);
	vale_counter_add(&c->drops[VALE_DROP_RUNT], bad->runt);
	vale_counter_add(&c->drops[VALE_DROP_NO_MBUF], bad->no_mbuf);
	return bad->bad_slot + bad->bad_desc + bad->too_long + bad->runt + bad->no_mbuf;
}

static inline void
count_batch(struct vale_forward *f, unsigned int n)
{
	unsigned int class = 31 - __builtin_clz(n);

	vale_counter_add(&f->frames, n);
	vale_counter_add(&f->batches[RTE_MIN(class, VALE_BATCH_CLASSES - 1U)], 1);
}

unsigned int
vale_forward_queue(
	struct vale_forward *f, struct vale_rxq *q, const struct vale_tunables *tun, uint32_t now_s)
{
	const struct vale_endpoint_ops *ops = q->ep->ops;
	struct vale_counters *c = &q->ep->port->counters[f->worker];
	uint32_t ageing_s = atomic_load_explicit(&tun->ageing_s, memory_order_relaxed);
	uint32_t batch = atomic_load_explicit(&tun->batch, memory_order_relaxed);
	struct vale_rx_refused bad = {0};
	unsigned int refused;
	uint16_t n;

	n = ops->rx(q, f->pkts, batch, &bad);
	refused = bad.bad_slot | bad.bad_desc | bad.too_long | bad.runt | bad.no_mbuf;
	if (unlikely(refused != 0))
		refused = count_refused(c, &bad);
	if (n + refused == 0)
		return 0;
	vale_counter_add(&c->rx_packets, n + refused);
	count_batch(f, n + refused);
	if (n == 0)
		return refused;

	f->nb_taken = 0;
	f->was_read = false;
	if (classify(f, q, n, now_s, ageing_s))
		deliver_to(f, q, f->dst[0], f->all, n);
	else
		deliver_mixed(f, q, n);
	q->passes_on = !f->was_read && f->nb_taken == n;
	if (ops->lends_memory || f->nb_taken < n)
		ops->rx_done(q, f->pkts, n);
	return n + refused;
}
