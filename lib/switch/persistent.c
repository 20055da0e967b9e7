/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports that stay when their client goes, and what is set of a port. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tables.h"
#include "vale_control_proto.h"

int
vale_switch_create_port(
	struct vale_switches *s, const struct vale_name *name, const uint8_t *mac, char *why)
{
	struct vale_port *p;
	int ret;

	ret = switch_port_get(s, name, false, why, &p);
	if (ret < 0)
		return ret;
	if (p->persistent) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s is persistent already", name->full);
		return -EEXIST;
	}
	p->persistent = true;
	if (mac != NULL)
		vale_switch_set_mac(p, mac);
	return 0;
}

int
vale_switch_create_with(struct vale_switches *s, const struct vale_name *name,
	struct vale_endpoint *ep, const uint8_t *mac, char *why)
{
	struct vale_port *p;
	int ret = vale_switch_attach(s, name, ep, mac, true, why);

	if (ret < 0)
		return ret;
	p = ep->port;
	p->persistent = true;
	p->own_device = true;
	return 0;
}

void
vale_switch_set_mac(struct vale_port *p, const uint8_t *mac)
{
	struct vale_endpoint *ep = atomic_load(&p->ep);

	memcpy(p->mac, mac, sizeof(p->mac));
	if (ep != NULL && ep->ops->set_mac != NULL)
		ep->ops->set_mac(ep, mac);
}

int
vale_switch_destroy_port(struct vale_switches *s, const char *full, char *why)
{
	struct vale_port *p = vale_switch_find_port(s, full);
	struct vale_endpoint *ep;

	if (p == NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ, "there is no port %s", full);
		return -ENXIO;
	}
	if (!p->persistent) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s is not persistent; it goes with its client",
			full);
		return -EINVAL;
	}
	ep = atomic_load(&p->ep);
	if (ep != NULL && p->own_device) {
		p->persistent = false;
		vale_switch_evict(s, ep, "the operator destroyed this port");
		return 0;
	}
	if (ep != NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"%s is held by process %d; first: vale-ctl detach %s", full, ep->pid, full);
		return -EBUSY;
	}
	switch_port_remove(s, p);
	return 0;
}
