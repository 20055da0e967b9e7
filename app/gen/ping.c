/* SPDX-License-Identifier: BSD-3-Clause */
/* Times of replies: a burst of requests goes out, then its replies are waited for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gen.h"
#include "pace.h"

#define LOST_NS 1000000000ull /* a reply that takes longer is lost */
#define WINDOW 65536	      /* requests whose time of sending is known; more than any burst */

struct pinger {
	struct gen_thread *t;
	struct pace pace;
	uint64_t *sent_ns; /* by number modulo WINDOW; 0: answered */
	uint64_t seq;	   /* of the next request */
	uint64_t open;	   /* requests of this burst without reply */
};

static int
send_burst(struct pinger *p, uint64_t limit)
{
	struct gen_thread *t = p->t;
	uint64_t nb;

	for (nb = 0; nb < limit; nb++) {
		frame_next(&t->frame, p->seq);
		p->sent_ns[p->seq % WINDOW] = gen_now_ns();
		if (nmport_inject(t->d, t->frame.data, t->frame.len) == 0)
			break;
		p->seq++;
	}
	p->open = nb;
	t->nb_sent += nb;
	pace_sent(&p->pace, nb);
	return nb == 0 ? gen_port_wait(t, POLLOUT, GEN_POLL_MS) : gen_port_sync(t, NIOCTXSYNC);
}

static void
take_frame(struct pinger *p, const char *buf, uint32_t len, uint64_t now)
{
	struct frame_tag tag;
	uint64_t *sent;

	if (!frame_tag_read(buf, len, &tag) || frame_tag_kind(&tag) != FRAME_REPLY ||
		tag.stream != p->t->frame.stream || tag.seq >= p->seq || p->seq - tag.seq > WINDOW)
		return;
	sent = &p->sent_ns[tag.seq % WINDOW];
	if (*sent == 0)
		return; /* answered already: there is more than one ponger */
	hist_add(&p->t->hist, now - *sent);
	*sent = 0;
	if (p->seq - tag.seq <= p->t->gen->opts.burst && p->open > 0)
		p->open--;
	gen_count(p->t, 1, p->t->frame.len);
}

static void
take_replies(struct pinger *p)
{
	struct nmport_d *d = p->t->d;

	for (unsigned int i = d->first_rx_ring; i <= d->last_rx_ring; i++) {
		struct netmap_ring *ring = NETMAP_RXRING(d->nifp, i);

		while (!nm_ring_empty(ring)) {
			const struct netmap_slot *slot = &ring->slot[ring->head];

			take_frame(p, NETMAP_BUF(ring, slot->buf_idx), slot->len, gen_now_ns());
			ring->head = ring->cur = nm_ring_next(ring, ring->head);
		}
	}
}

static int
wait_replies(struct pinger *p)
{
	uint64_t end = gen_now_ns() + LOST_NS;
	int rc = 0;

	while (rc == 0 && p->open > 0 && !gen_stopped(p->t) && gen_now_ns() < end) {
		rc = gen_port_wait(p->t, POLLIN, GEN_POLL_MS);
		take_replies(p);
	}
	p->open = 0;
	return rc;
}

static void
wait_turn(struct pinger *p)
{
	uint64_t when, now = gen_now_ns();
	struct timespec ts;

	while (pace_due(&p->pace, now) == 0 && !gen_stopped(p->t)) {
		when = pace_when(&p->pace, 1);
		when = when > now ? when - now : 1;
		when = when < GEN_POLL_MS * 1000000ull ? when : GEN_POLL_MS * 1000000ull;
		ts = (struct timespec){0, (long)when};
		nanosleep(&ts, NULL);
		now = gen_now_ns();
	}
}

static uint64_t
burst_now(const struct pinger *p)
{
	uint64_t burst = p->t->gen->opts.burst, left = p->t->quota - p->t->nb_sent;

	return p->t->quota > 0 && left < burst ? left : burst;
}

void
gen_ping(struct gen_thread *t)
{
	const struct gen_opts *o = &t->gen->opts;
	struct pinger p = {.t = t, .sent_ns = calloc(WINDOW, sizeof(uint64_t))};
	int rc = p.sent_ns == NULL ? -ENOMEM : 0;

	t->first_ns = gen_now_ns();
	pace_init(&p.pace, o->rate, o->burst, t->first_ns);
	while (rc == 0 && !gen_stopped(t) && (t->quota == 0 || t->nb_sent < t->quota)) {
		wait_turn(&p);
		rc = send_burst(&p, burst_now(&p));
		if (rc == 0)
			rc = wait_replies(&p);
	}
	t->error = -rc;
	t->last_ns = gen_now_ns();
	free(p.sent_ns);
}
