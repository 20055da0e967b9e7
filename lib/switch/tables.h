/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SWITCH_TABLES_H
#define SWITCH_TABLES_H

/**
 * @file
 * What the files that make vale_switch.h share. Private to lib/switch; control thread.
 *
 *   vale_switch.c  tables of switches and ports
 *   attach.c       clients come and go
 *   persistent.c   ports that stay without a client
 *   flood.c        where a flooded frame goes
 */

#include "vale_switch.h"

struct vale_switches {
	struct vale_limits limits;   /* in force */
	struct vale_limits reserved; /* what memory was reserved for */
	struct vale_workers *ws;
	struct vale_switch_list list;
	uint32_t nb_switches;
	bool ending; /* no more ports */
	const struct rte_memzone *fdb_mz;
	size_t fdb_sz;
	bool *fdb_used; /* which parts of fdb_mz have a switch */
	void (*on_attach)(void *arg, struct vale_port *port);
	void *on_attach_arg;
};

/** Whether a name that has no port yet may have one. 0, or -errno with a sentence in @p why. */
int switch_name_check(
	struct vale_switches *s, const struct vale_name *name, bool exempt, char *why);

/** Find or make a port. 0 or -errno; then a switch made for it is gone again. */
int switch_port_get(struct vale_switches *s, const struct vale_name *name, bool exempt, char *why,
	struct vale_port **out);

/** Forget the addresses of a port, without or with static ones. No worker receives from it. */
void switch_port_forget(struct vale_switches *s, struct vale_port *p, bool also_static);

/** Take a port without an endpoint out of its switch and free it. */
void switch_port_remove(struct vale_switches *s, struct vale_port *p);

/** vale_switch_update_flood() where there is no way back. */
void switch_update_flood_certainly(struct vale_switches *s, struct vale_switch *sw);

/** Whether the link of an endpoint is up. */
bool switch_endpoint_link(struct vale_endpoint *ep);

/** See which links changed. */
void switch_check_links(struct vale_switches *s, struct vale_switch *sw);

#endif /* SWITCH_TABLES_H */
