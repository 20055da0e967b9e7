/* SPDX-License-Identifier: BSD-3-Clause */
/* Which rings a bind has, and their life: from its first user to what the last one left behind. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "bind.h"

/* How long workers may take to forward what a program left behind: microseconds where they run, and
 * it is a finite lot. */
#define DRAIN_MS 500
/* The same when that was not enough a moment ago: of a hundred programs that are killed at once
 * each would keep the control thread for so long. */
#define DRAIN_HASTY_MS 20
/* A head that is none, and not counted as a wrong one. */
#define NO_HEAD UINT32_MAX

/* Control thread only. */
static struct vale_workers *rings_ws;
static uint64_t hasty_until; /* TSC */

void
nm_rings_init(struct vale_workers *ws)
{
	rings_ws = ws;
}

struct nm_ring *
nm_port_ring(struct nm_port *p, unsigned int dir, uint16_t i)
{
	return dir == NM_TX ? &p->rxq[i].ring : &p->txq[i].ring;
}

void
nm_ring_init(struct nm_port *p, unsigned int dir, uint16_t i)
{
	struct nm_ring *r = nm_port_ring(p, dir, i);
	uint32_t first = p->place.krings.first + (dir == NM_RX ? p->geo.nb_rings[NM_TX] : 0);
	struct vale_nm_kring *k = nm_region_kring(p->region, first + i);

	atomic_store(&r->head, &k->head);
	r->done = dir == NM_TX ? &k->hwcur : &k->hwtail;
	r->armed = &k->armed;
	r->slots = nm_region_ring(p->region, &p->geo, &p->place, dir, i)->slot;
	r->bufs = nm_region_bufs(p->region);
	r->nb_bufs = p->region->nb_bufs;
	r->nb_slots = p->geo.nb_slots[dir];
}

/* Nobody has it bound, and no worker looks at it: make it new. */
static void
ring_activate(struct nm_port *p, unsigned int dir, uint16_t i, const struct nm_offsets *off)
{
	struct nm_ring *r = nm_port_ring(p, dir, i);

	nm_region_make_ring(p->region, &p->geo, &p->place, dir, i, off->mask, off->initial);
	r->offset_mask = off->mask;
	r->offset_max = off->max;
	if (dir == NM_TX) {
		p->rxq[i].cur = 0;
		p->rxq[i].bad_head = NO_HEAD;
		atomic_store(&p->rxq[i].ring.head, p->rxq[i].shm_head);
		atomic_store_explicit(&p->rxq[i].hwcur, 0, memory_order_relaxed);
	} else {
		p->txq[i].hwtail = 0;
	}
	/* release: a worker that sees it active sees all of the above */
	atomic_store_explicit(&r->active, true, memory_order_release);
}

static bool
bind_has_pending(const struct nm_bind *b)
{
	for (uint16_t i = b->first[NM_TX]; i < b->last[NM_TX]; i++) {
		if (b->port->nb_users[NM_TX][i] == 1 && nm_rxq_pending(&b->port->rxq[i]) > 0)
			return true;
	}
	return false;
}

/* Call fn for each transmit ring of which a bind is the last user. */
static void
bind_last_rings(const struct nm_bind *b, void (*fn)(struct nm_rxq *rq))
{
	for (uint16_t i = b->first[NM_TX]; i < b->last[NM_TX]; i++) {
		if (b->port->nb_users[NM_TX][i] == 1)
			fn(&b->port->rxq[i]);
	}
}

static void
rxq_stop(struct nm_rxq *rq)
{
	atomic_store(&rq->frozen, NO_HEAD);
	atomic_store(&rq->ring.head, &rq->frozen);
}

static void
rxq_freeze(struct nm_rxq *rq)
{
	/* whatever it says: workers check this one as any other */
	atomic_store(&rq->frozen, atomic_load(rq->shm_head));
}

static void
rxq_wake(struct nm_rxq *rq)
{
	vale_worker_wake(rings_ws, rq->q.worker);
}

/*
 * The last user of some rings has gone: let workers forward what it had published. Its memory may
 * still be mapped somewhere and written, so workers look at a head of ours from now on. First it
 * says nothing, until no worker has another one in hand.
 */
void
nm_bind_drain(const struct nm_bind *b)
{
	uint64_t now = rte_get_tsc_cycles(), ms = rte_get_tsc_hz() / MS_PER_S;
	uint64_t end = now + ms * (now < hasty_until ? DRAIN_HASTY_MS : DRAIN_MS);

	bind_last_rings(b, rxq_stop);
	vale_workers_synchronize(rings_ws);
	bind_last_rings(b, rxq_freeze);
	while (b->port->plugged && bind_has_pending(b) && rte_get_tsc_cycles() < end) {
		bind_last_rings(b, rxq_wake);
		usleep(20);
	}
	if (rte_get_tsc_cycles() >= end)
		hasty_until = end + MS_PER_S * ms;
}

void
nm_bind_release_rings(struct nm_bind *b)
{
	struct nm_port *p = b->port;

	for (unsigned int dir = NM_TX; dir <= NM_RX; dir++) {
		for (uint16_t i = b->first[dir]; i < b->last[dir]; i++) {
			p->exclusive[dir][i] = false;
			if (--p->nb_users[dir][i] == 0)
				atomic_store(&nm_port_ring(p, dir, i)->active, false);
		}
	}
	vale_workers_synchronize(rings_ws);
}

void
nm_bind_take_rings(struct nm_bind *b, const struct nm_offsets *off)
{
	struct nm_port *p = b->port;

	for (unsigned int dir = NM_TX; dir <= NM_RX; dir++) {
		for (uint16_t i = b->first[dir]; i < b->last[dir]; i++) {
			if (p->nb_users[dir][i]++ == 0)
				ring_activate(p, dir, i, off);
			p->exclusive[dir][i] = (b->flags & NR_EXCLUSIVE) != 0;
		}
	}
}

/* Which rings a bind wants; both directions' numbers are in bounds afterwards. */
int
nm_bind_choose_rings(struct nm_bind *b, char *why)
{
	const struct nm_geometry *g = &b->port->geo;
	uint32_t id = b->ringid;

	for (unsigned int dir = NM_TX; dir <= NM_RX; dir++) {
		b->first[dir] = 0;
		b->last[dir] = g->nb_rings[dir];
		if (b->mode != NR_REG_ONE_NIC)
			continue;
		if (id >= g->nb_rings[NM_TX] && id >= g->nb_rings[NM_RX]) {
			snprintf(why, VALE_CTL_TEXT_SZ, "%s has no ring %u", b->name, id);
			return -EINVAL;
		}
		/* as netmap: who has fewer rings this way gets the first */
		b->first[dir] = id < g->nb_rings[dir] ? id : 0;
		b->last[dir] = b->first[dir] + 1;
	}
	if (b->flags & NR_RX_RINGS_ONLY)
		b->first[NM_TX] = b->last[NM_TX] = 0;
	if (b->flags & NR_TX_RINGS_ONLY)
		b->first[NM_RX] = b->last[NM_RX] = 0;
	return 0;
}

/* Offsets of a ring in use are what its first user asked for. */
static bool
offsets_fit(const struct nm_ring *r, const struct nm_offsets *off)
{
	return (r->offset_mask & off->mask) == off->mask && off->max <= r->offset_max;
}

int
nm_bind_check_users(const struct nm_bind *b, const struct nm_offsets *off, char *why)
{
	struct nm_port *p = b->port;
	bool exclusive = (b->flags & NR_EXCLUSIVE) != 0;

	for (unsigned int dir = NM_TX; dir <= NM_RX; dir++) {
		for (uint16_t i = b->first[dir]; i < b->last[dir]; i++) {
			if (p->nb_users[dir][i] == 0)
				continue;
			if (off->mask != 0 && !offsets_fit(nm_port_ring(p, dir, i), off)) {
				snprintf(why, VALE_CTL_TEXT_SZ,
					"%s: its rings are in use without such offsets", b->name);
				return -EBUSY;
			}
			if (!p->exclusive[dir][i] && !exclusive)
				continue;
			snprintf(why, VALE_CTL_TEXT_SZ, "%s: %s ring %u is in use%s", b->name,
				dir == NM_TX ? "tx" : "rx", i,
				p->exclusive[dir][i] ? " exclusively"
						     : ", and asked for exclusively");
			return -EBUSY;
		}
	}
	return 0;
}
