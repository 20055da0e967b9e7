/* SPDX-License-Identifier: BSD-3-Clause */
/* The receiver reads each frame's first line, where vale-gen's numbers are. */
#include <string.h>

#include "gen.h"

struct receiver {
	struct gen_thread *t;
	uint64_t frames, bytes; /* of this round */
	bool in_chain;		/* the frame before ended with NS_MOREFRAG */
};

static void
note_frame(struct receiver *r, const char *buf, uint32_t len)
{
	struct frame_tag tag;

	if (frame_tag_read(buf, len, &tag))
		seq_add(&r->t->seq, tag.stream, tag.seq);
	else
		r->t->seq.untagged++;
}

/* Up to limit frames of one ring. */
static uint64_t
read_ring(struct receiver *r, struct netmap_ring *ring, uint64_t limit)
{
	uint32_t head = ring->head, nb = nm_ring_space(ring), next;
	uint64_t frames = 0;

	for (; nb > 0 && frames < limit; nb--, head = next) {
		const struct netmap_slot *slot = &ring->slot[head];

		next = nm_ring_next(ring, head);
		__builtin_prefetch(NETMAP_BUF(ring, ring->slot[next].buf_idx));
		if (!r->in_chain)
			note_frame(r, NETMAP_BUF(ring, slot->buf_idx), slot->len);
		r->bytes += slot->len;
		r->in_chain = (slot->flags & NS_MOREFRAG) != 0;
		frames += !r->in_chain;
	}
	ring->head = ring->cur = head;
	return frames;
}

/* With a count, threads claim frames before they read them; what they do not find they give back.
 */
static uint64_t
claim(struct gen *g, uint64_t want)
{
	uint64_t taken, left;

	if (g->opts.count == 0)
		return want;
	taken = atomic_load_explicit(&g->taken, memory_order_relaxed);
	do {
		left = g->opts.count > taken ? g->opts.count - taken : 0;
		if (want > left)
			want = left;
	} while (!atomic_compare_exchange_weak_explicit(
		&g->taken, &taken, taken + want, memory_order_relaxed, memory_order_relaxed));
	return want;
}

static void
give_back(struct gen *g, uint64_t nb)
{
	if (g->opts.count > 0)
		atomic_fetch_sub_explicit(&g->taken, nb, memory_order_relaxed);
}

static bool
all_taken(const struct gen *g)
{
	return g->opts.count > 0 &&
	       atomic_load_explicit(&g->taken, memory_order_relaxed) >= g->opts.count;
}

static void
read_rings(struct receiver *r)
{
	struct gen_thread *t = r->t;
	struct nmport_d *d = t->d;

	r->frames = r->bytes = 0;
	for (unsigned int i = d->first_rx_ring; i <= d->last_rx_ring; i++) {
		struct netmap_ring *ring = NETMAP_RXRING(d->nifp, i);
		uint64_t limit, nb;

		if (nm_ring_empty(ring))
			continue;
		limit = claim(t->gen, t->gen->opts.burst);
		nb = read_ring(r, ring, limit);
		give_back(t->gen, limit - nb);
		r->frames += nb;
	}
	if (r->frames == 0)
		return;
	t->last_ns = gen_now_ns();
	if (t->first_ns == 0)
		t->first_ns = t->last_ns;
	gen_count(t, r->frames, r->bytes);
}

void
gen_rx(struct gen_thread *t)
{
	struct receiver r = {.t = t};
	int timeout_ms = t->gen->opts.exit_if_empty ? 0 : GEN_POLL_MS;

	while (t->error == 0 && !gen_stopped(t) && !all_taken(t->gen)) {
		t->error = -gen_port_wait(t, POLLIN, timeout_ms);
		if (t->error == 0)
			read_rings(&r);
		if (timeout_ms == 0 && r.frames == 0)
			break;
		timeout_ms = GEN_POLL_MS;
	}
	/* what was read is given back to the switch */
	if (t->error == 0)
		t->error = -gen_port_sync(t, NIOCRXSYNC);
}
