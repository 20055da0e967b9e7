/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A persistent port on two switches: what one delivers to it, the other receives from it, as if it
 * were a NIC between them. Two endpoints and two rings of a region that no program ever sees; what
 * the writer of a ring calls its head is the index that the reader publishes, and the reverse.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_errno.h>

#include "netmap_port.h"

/* Frames that wait on their way from one switch to the other. */
#define WIRE_SLOTS 1024

struct nm_wire {
	struct nm_port end[2];
	struct nm_region *region;
	struct nm_place place;
	struct nm_geometry geo;
	_Atomic uint32_t nobody_sleeps; /* always 0 */
};

/* Control thread only. */
static struct vale_switches *wire_switches;

static struct nm_port *
other_end(struct nm_port *p)
{
	return p == &p->wire->end[0] ? &p->wire->end[1] : &p->wire->end[0];
}

static void
wire_tx(struct vale_endpoint *ep, uint16_t queue, struct vale_pkt *pkts, const uint16_t *idx,
	uint16_t n, struct vale_tx_result *res)
{
	struct nm_port *peer = other_end((struct nm_port *)ep);
	_Atomic uint32_t *armed = peer->rxq[0].ring.armed;

	nm_endpoint_ops.tx(ep, queue, pkts, idx, n, res);
	/* nm_endpoint_ops.tx() ended with a full fence: either the peer's worker sees the frames,
	 * or we see that it sleeps */
	if (atomic_load_explicit(armed, memory_order_relaxed) != 0 &&
		atomic_exchange_explicit(armed, 0, memory_order_relaxed) != 0)
		eventfd_write(peer->wait_fd, 1);
}

static unsigned int
wire_destroy(struct vale_endpoint *ep)
{
	struct nm_port *p = (struct nm_port *)ep;

	p->plugged = false;
	return nm_rxq_pending(&p->rxq[0]);
}

static struct vale_endpoint_ops wire_ops;

static int
end_make(struct nm_wire *w, unsigned int i)
{
	struct nm_port *p = &w->end[i];

	p->wait_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (p->wait_fd < 0)
		return -errno;
	atomic_init(&p->sleepers, calloc(1, sizeof(struct nm_sleepers)));
	p->rxq[0].segs = nm_rxq_make_segs();
	if (atomic_load(&p->sleepers) == NULL || p->rxq[0].segs == NULL)
		return -ENOMEM;
	p->wire = w;
	p->sleepers_hint = &w->nobody_sleeps;
	p->lock_tx = true;
	p->geo = w->geo;
	p->ep.ops = &wire_ops;
	p->ep.nb_rxq = p->ep.nb_txq = 1;
	p->ep.rxq[0] = &p->rxq[0].q;
	p->rxq[0].q = (struct vale_rxq){.ep = &p->ep, .wait_fd = p->wait_fd, .wait_edge = true};
	rte_spinlock_init(&p->txq[0].lock);
	return 0;
}

/* Ring dir: written by end dir, read by the other. */
static void
ring_join(struct nm_wire *w, unsigned int dir)
{
	struct vale_nm_kring *k = nm_region_kring(w->region, w->place.krings.first + dir);
	struct nm_ring *from = &w->end[dir].txq[0].ring, *to = &w->end[1 - dir].rxq[0].ring;

	nm_region_make_ring(w->region, &w->geo, &w->place, dir, 0, 0, 0);
	*from = (struct nm_ring){
		.head = &k->hwcur,
		.done = &k->hwtail,
		.armed = &k->armed,
		.slots = nm_region_ring(w->region, &w->geo, &w->place, dir, 0)->slot,
		.bufs = nm_region_bufs(w->region),
		.nb_bufs = w->region->nb_bufs,
		.nb_slots = WIRE_SLOTS,
	};
	*to = *from;
	to->head = &k->hwtail;
	to->done = &k->hwcur;
	atomic_store(&from->active, true);
	atomic_store(&to->active, true);
}

void
nm_wire_free(struct nm_wire *w)
{
	if (w == NULL)
		return;
	for (unsigned int i = 0; i < 2; i++) {
		struct nm_port *p = &w->end[i];

		if (p->plugged)
			vale_switch_detach(wire_switches, &p->ep);
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct nm_port *p = &w->end[i];

		if (p->wait_fd >= 0)
			close(p->wait_fd);
		free(p->rxq[0].segs);
		free(atomic_load(&p->sleepers));
	}
	if (w->region != NULL)
		nm_region_unplace(w->region, &w->place);
	nm_region_put(w->region);
	free(w);
}

static int
wire_build(struct nm_wire *w, char *why)
{
	int ret;

	w->end[0].wait_fd = w->end[1].wait_fd = -1;
	w->geo = (struct nm_geometry){.nb_rings = {1, 1}, .nb_slots = {WIRE_SLOTS, WIRE_SLOTS}};
	/* the switch's own: nobody else can have this user */
	w->region = nm_region_create(&w->geo, 0, (uid_t)-1, why);
	if (w->region == NULL)
		return -rte_errno;
	ret = nm_region_place(w->region, &w->geo, &w->place);
	for (unsigned int i = 0; ret == 0 && i < 2; i++)
		ret = end_make(w, i);
	for (unsigned int i = 0; ret == 0 && i < 2; i++)
		ring_join(w, i);
	return ret;
}

int
nm_wire_create(
	const struct vale_name *a, const struct vale_name *b, struct nm_wire **out, char *why)
{
	const struct vale_name *name[2] = {a, b};
	struct nm_wire *w = vale_alloc_lines(sizeof(*w));
	int ret;

	if (w == NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: no memory", b->full);
		return -ENOMEM;
	}
	ret = wire_build(w, why);
	for (unsigned int i = 0; ret == 0 && i < 2; i++) {
		ret = vale_switch_attach(wire_switches, name[i], &w->end[i].ep, NULL, true, why);
		w->end[i].plugged = ret == 0;
	}
	if (ret < 0) {
		nm_wire_free(w);
		return ret;
	}
	*out = w;
	return 0;
}

void
nm_wire_init(struct vale_switches *s)
{
	wire_switches = s;
	wire_ops = nm_endpoint_ops;
	wire_ops.tx = wire_tx;
	wire_ops.evict = NULL;
	wire_ops.destroy = wire_destroy;
}
