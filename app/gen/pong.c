/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers requests of ping: of vale-gen's and, as it is UDP that comes back, of pkt-gen's. */
#include <string.h>

#include "gen.h"

/* The frame in a receive slot goes back, if it is one to answer. 1, or 0. */
static uint64_t
answer(struct gen_thread *t, struct netmap_ring *ring, const struct netmap_slot *slot)
{
	uint8_t copy[2048];
	uint32_t len = slot->len < sizeof(copy) ? slot->len : sizeof(copy);

	memcpy(copy, NETMAP_BUF(ring, slot->buf_idx), len);
	if (!frame_wants_reply(copy, len))
		return 0;
	frame_make_reply(copy, len, t->gen->opts.smac);
	return nmport_inject(t->d, copy, len) > 0;
}

static uint64_t
answer_ring(struct gen_thread *t, struct netmap_ring *ring)
{
	uint64_t nb = 0;
	bool in_chain = false;

	while (!nm_ring_empty(ring) && (t->quota == 0 || t->frames + nb < t->quota)) {
		const struct netmap_slot *slot = &ring->slot[ring->head];
		bool more = (slot->flags & NS_MOREFRAG) != 0;

		/* pieces of a long frame are not answered */
		if (!in_chain && !more)
			nb += answer(t, ring, slot);
		in_chain = more;
		ring->head = ring->cur = nm_ring_next(ring, ring->head);
	}
	return nb;
}

static int
answer_rings(struct gen_thread *t)
{
	uint64_t nb = 0, bytes = t->gen->opts.len;

	for (unsigned int i = t->d->first_rx_ring; i <= t->d->last_rx_ring; i++)
		nb += answer_ring(t, NETMAP_RXRING(t->d->nifp, i));
	if (nb == 0)
		return 0;
	if (t->first_ns == 0)
		t->first_ns = gen_now_ns();
	gen_count(t, nb, nb * bytes);
	return gen_port_sync(t, NIOCTXSYNC);
}

void
gen_pong(struct gen_thread *t)
{
	while (t->error == 0 && !gen_stopped(t) && (t->quota == 0 || t->frames < t->quota)) {
		t->error = -gen_port_wait(t, POLLIN, GEN_POLL_MS);
		if (t->error == 0)
			t->error = -answer_rings(t);
	}
	t->last_ns = gen_now_ns();
	gen_tx_drain(t);
}
