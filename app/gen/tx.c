/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sender. As pkt-gen, it writes a frame in full once for each slot; after that it writes the
 * first 64 bytes again, where addresses, number and checksums are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gen.h"
#include "pace.h"

/* Below this a sleep takes longer than the time that is left. */
#define SPIN_NS 60000
#define DRAIN_NS 2000000000ull

struct sender {
	struct gen_thread *t;
	struct pace pace;
	uint32_t frags;	   /* slots of a frame */
	uint64_t seq;	   /* of the next frame */
	uint32_t **filled; /* [ring][slot]: the buffer that holds the frame, 0 = none */
};

static void
write_slot(struct sender *s, struct netmap_ring *ring, uint32_t i, uint32_t *filled)
{
	struct netmap_slot *slot = &ring->slot[i];
	const struct frame *f = &s->t->frame;
	char *buf = NETMAP_BUF(ring, slot->buf_idx);

	/* the frame's memory and the buffer both have room for whole lines */
	if (filled[i] == slot->buf_idx) {
		memcpy(buf, f->data, FRAME_HEAD_SZ);
	} else {
		memcpy(buf, f->data, f->len);
		filled[i] = s->t->gen->opts.full_copy ? 0 : slot->buf_idx;
	}
	slot->len = (uint16_t)f->len;
	slot->flags = 0;
}

/* A frame longer than a buffer; its pieces are never in the same slots again. */
static uint32_t
write_chain(struct sender *s, struct netmap_ring *ring, uint32_t i)
{
	const struct frame *f = &s->t->frame;
	uint32_t at = 0, len;

	for (; at < f->len; at += len, i = nm_ring_next(ring, i)) {
		struct netmap_slot *slot = &ring->slot[i];

		len = f->len - at < ring->nr_buf_size ? f->len - at : ring->nr_buf_size;
		memcpy(NETMAP_BUF(ring, slot->buf_idx), f->data + at, len);
		slot->len = (uint16_t)len;
		slot->flags = at + len < f->len ? NS_MOREFRAG : 0;
	}
	return i;
}

/* Up to limit frames into one ring. */
static uint64_t
fill_ring(struct sender *s, struct netmap_ring *ring, uint32_t *filled, uint64_t limit)
{
	uint64_t room = nm_ring_space(ring) / s->frags, nb = limit < room ? limit : room;
	uint32_t i = ring->head;

	for (uint64_t k = 0; k < nb; k++) {
		frame_next(&s->t->frame, s->seq++);
		if (s->frags == 1) {
			write_slot(s, ring, i, filled);
			i = nm_ring_next(ring, i);
		} else {
			i = write_chain(s, ring, i);
		}
	}
	ring->head = ring->cur = i;
	/* so that poll waits for room for a frame, not for one slot */
	if (nb < limit)
		ring->cur = ring->tail;
	return nb;
}

static uint64_t
fill_rings(struct sender *s, uint64_t limit)
{
	struct nmport_d *d = s->t->d;
	uint64_t nb = 0;

	for (unsigned int r = d->first_tx_ring; r <= d->last_tx_ring && nb < limit; r++)
		nb += fill_ring(
			s, NETMAP_TXRING(d->nifp, r), s->filled[r - d->first_tx_ring], limit - nb);
	return nb;
}

static void
sleep_until(uint64_t when_ns)
{
	uint64_t now = gen_now_ns(), ns;
	struct timespec ts;

	if (when_ns < now + SPIN_NS)
		return;
	ns = when_ns - now < GEN_POLL_MS * 1000000ull ? when_ns - now : GEN_POLL_MS * 1000000ull;
	ts = (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
	nanosleep(&ts, NULL);
}

/* What may go now; 0 after a rest. */
static uint64_t
limit_now(struct sender *s)
{
	const struct gen_thread *t = s->t;
	uint64_t limit = t->gen->opts.burst, left, due;

	if (t->quota > 0 && (left = t->quota - s->seq) < limit)
		limit = left;
	due = pace_due(&s->pace, gen_now_ns());
	if (due >= limit)
		return limit;
	sleep_until(pace_when(&s->pace, (uint32_t)limit));
	return 0;
}

static int
send_some(struct sender *s)
{
	uint64_t limit = limit_now(s), nb;
	struct gen_thread *t = s->t;

	if (limit == 0)
		return 0;
	nb = fill_rings(s, limit);
	if (nb == 0)
		return gen_port_wait(t, POLLOUT, GEN_POLL_MS);
	pace_sent(&s->pace, nb);
	gen_count(t, nb, nb * t->frame.len);
	return gen_port_sync(t, NIOCTXSYNC);
}

static int
sender_init(struct sender *s)
{
	struct nmport_d *d = s->t->d;
	unsigned int nb = (unsigned int)(d->last_tx_ring - d->first_tx_ring + 1);
	const struct gen_opts *o = &s->t->gen->opts;
	struct netmap_ring *ring = NETMAP_TXRING(d->nifp, d->first_tx_ring);

	s->frags = (s->t->frame.len + ring->nr_buf_size - 1) / ring->nr_buf_size;
	if (s->frags >= ring->num_slots)
		return -EMSGSIZE;
	s->filled = calloc(nb, sizeof(*s->filled));
	for (unsigned int r = 0; r < nb && s->filled != NULL; r++) {
		ring = NETMAP_TXRING(d->nifp, r + d->first_tx_ring);
		s->filled[r] = calloc(ring->num_slots, sizeof(uint32_t));
		if (s->filled[r] == NULL)
			return -ENOMEM;
	}
	pace_init(&s->pace, o->rate / o->nb_threads, o->burst, gen_now_ns());
	return s->filled == NULL ? -ENOMEM : 0;
}

static void
sender_fini(struct sender *s)
{
	unsigned int nb = (unsigned int)(s->t->d->last_tx_ring - s->t->d->first_tx_ring + 1);

	for (unsigned int r = 0; r < nb && s->filled != NULL; r++)
		free(s->filled[r]);
	free(s->filled);
}

static bool
pending(struct nmport_d *d)
{
	for (unsigned int r = d->first_tx_ring; r <= d->last_tx_ring; r++)
		if (nm_tx_pending(NETMAP_TXRING(d->nifp, r)))
			return true;
	return false;
}

/* Wait until the switch has taken all, so that the end of the time is the end of the work. */
void
gen_tx_drain(struct gen_thread *t)
{
	const struct timespec rest = {0, 50000};
	uint64_t end = gen_now_ns() + DRAIN_NS;

	while (t->error == 0 && pending(t->d) && gen_now_ns() < end) {
		t->error = -gen_port_sync(t, NIOCTXSYNC);
		if (pending(t->d))
			nanosleep(&rest, NULL);
	}
}

void
gen_tx(struct gen_thread *t)
{
	struct sender s = {.t = t};
	int rc = sender_init(&s);

	t->first_ns = gen_now_ns();
	while (rc == 0 && !gen_stopped(t) && (t->quota == 0 || s.seq < t->quota))
		rc = send_some(&s);
	t->error = -rc;
	gen_tx_drain(t);
	t->last_ns = gen_now_ns();
	sender_fini(&s);
}
