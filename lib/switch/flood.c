/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that a flooded frame goes to, and links, on which that hangs. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tables.h"
#include "vale_log.h"

static bool
port_floods(struct vale_port *p)
{
	struct vale_endpoint *ep = p == NULL ? NULL : atomic_load(&p->ep);

	return ep != NULL && !p->closing && p->linked;
}

bool
switch_endpoint_link(struct vale_endpoint *ep)
{
	return ep->ops->link == NULL || ep->ops->link(ep);
}

int
vale_switch_update_flood(struct vale_switches *s, struct vale_switch *sw)
{
	struct vale_flood *old, *fl;

	fl = calloc(1, sizeof(*fl) + sw->nb_ports * sizeof(fl->port[0]));
	if (fl == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < sw->max_ports; i++) {
		struct vale_port *p = atomic_load(&sw->port[i]);

		if (port_floods(p))
			fl->port[fl->nb++] = p;
	}
	/* release: who reads the pointer sees the list */
	old = atomic_exchange_explicit(&sw->flood, fl, memory_order_acq_rel);
	vale_workers_synchronize(s->ws);
	free(old);
	return 0;
}

/* The same where there is no way back. */
void
switch_update_flood_certainly(struct vale_switches *s, struct vale_switch *sw)
{
	while (vale_switch_update_flood(s, sw) < 0) {
		VALE_LOG(ERR, "no memory for the flood list of %s; trying again", sw->name);
		usleep(100000);
	}
}

void
switch_check_links(struct vale_switches *s, struct vale_switch *sw)
{
	bool changed = false;

	for (uint32_t i = 0; i < sw->max_ports; i++) {
		struct vale_port *p = atomic_load_explicit(&sw->port[i], memory_order_relaxed);
		struct vale_endpoint *ep = p == NULL ? NULL : atomic_load(&p->ep);
		bool link;

		if (ep == NULL)
			continue;
		link = switch_endpoint_link(ep);
		changed |= link != p->linked;
		p->linked = link;
	}
	if (changed && vale_switch_update_flood(s, sw) < 0)
		VALE_LOG(ERR, "no memory for the flood list of %s; a changed link is not seen",
			sw->name);
}
