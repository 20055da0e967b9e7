/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_SWITCH_H
#define VALE_SWITCH_H

/**
 * @file
 * Switches and ports: tables and life.
 *
 * All changes are made by the control thread. Workers read the port table and the flood list of a
 * switch; what they read is replaced and freed after RCU quiescence.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdatomic.h>

#include <sys/queue.h>

#include "vale_fdb.h"
#include "vale_name.h"
#include "vale_port.h"
#include "vale_worker.h"

/** Limits, from the command line. */
struct vale_limits {
	uint32_t max_switches; /**< --max-switches */
	uint32_t max_ports;    /**< --max-ports, per switch; below VALE_FDB_PORTS_MAX */
	uint32_t fdb_size;     /**< --fdb-size, MACs per switch */
	uint32_t ring_size;    /**< --ring-size, frames */
};

/** Ports a flooded frame goes to. Immutable. */
struct vale_flood {
	uint16_t nb;
	struct vale_port *port[];
};

/** A switch. */
struct vale_switch {
	/* read by workers */
	struct vale_fdb *fdb;
	_Atomic(struct vale_flood *) flood; /**< never NULL */
	_Atomic(struct vale_port *) *port;  /**< max_ports entries, NULL where free */
	/* control thread only */
	uint32_t max_ports;
	uint32_t nb_ports;
	uint32_t slot;	   /**< which FDB memory it has */
	uint32_t sweep_at; /**< slot of the FDB that is swept next */
	char name[VALE_NAME_SZ];
	TAILQ_ENTRY(vale_switch) next;
};

TAILQ_HEAD(vale_switch_list, vale_switch);

struct vale_switches;

/**
 * Set up the tables. Memory for all FDBs is reserved here (memzone `vale_fdb`), so that nothing is
 * reserved later.
 *
 * @return
 *   NULL with rte_errno ENOMEM, EINVAL.
 */
struct vale_switches *vale_switches_create(
	const struct vale_limits *limits, struct vale_workers *ws);

/**
 * Begin to end: refuse new ports with ESHUTDOWN, and let workers forward what clients have sent
 * until now. That has one short while for all ports together, for clients may go on sending.
 * Control thread; afterwards workers may be stopped.
 */
void vale_switches_end(struct vale_switches *s);

/** Take all ports away, telling their clients; vale_switches_end() comes first if it did not yet.
 * Control thread. */
void vale_switches_clear(struct vale_switches *s);

/** Whether that has begun. Control thread. */
bool vale_switches_ending(const struct vale_switches *s);

/** The same, and free everything. NULL is allowed. Control thread. */
void vale_switches_free(struct vale_switches *s);

/** Limits in force; the control thread may change them, up to what was reserved. */
struct vale_limits *vale_switches_limits(struct vale_switches *s);
/** Limits for which memory was reserved at start. */
const struct vale_limits *vale_switches_reserved(const struct vale_switches *s);
struct vale_workers *vale_switches_workers(const struct vale_switches *s);
const struct vale_switch_list *vale_switches_list(const struct vale_switches *s);

/** Find a port by its full name; NULL if there is none. */
struct vale_port *vale_switch_find_port(struct vale_switches *s, const char *full);

/** Find a switch by name; NULL if there is none. */
struct vale_switch *vale_switch_find(struct vale_switches *s, const char *name);

/**
 * Plug an endpoint into the port of a name; make port and switch if they do not exist.
 * On success the endpoint belongs to the port; on failure it stays the caller's.
 *
 * @param name
 *   Parsed name.
 * @param ep
 *   Endpoint, complete but for ep->port.
 * @param mac
 *   MAC address asked for, or NULL for the port's own.
 * @param exempt
 *   PPP may be the name of an interface (attach, --tap).
 * @param why
 *   At least VALE_CTL_TEXT_SZ bytes; receives a sentence on failure.
 * @return
 *   0, -EBUSY (held by another client), -EINVAL (PPP is an interface), -ENOMEM (a limit is spent:
 * why says which).
 */
int vale_switch_attach(struct vale_switches *s, const struct vale_name *name,
	struct vale_endpoint *ep, const uint8_t *mac, bool exempt, char *why);

/**
 * Whether vale_switch_attach() would find the name free, before an endpoint is built for it. Same
 * results; changes nothing.
 */
int vale_switch_may_attach(
	struct vale_switches *s, const struct vale_name *name, bool exempt, char *why);

/**
 * Whether a user may attach to the port of a name: a port that is reserved
 * (vale_switch_reserve_port()) is its owner's and the operators'. vale_switch_attach() asks this of
 * every endpoint that brings a client; a kind whose clients join an endpoint that is there already
 * asks for each of them.
 * @return 0, or -EACCES with a sentence in @p why (VALE_CTL_TEXT_SZ bytes).
 */
int vale_switch_check_user(
	struct vale_switches *s, const struct vale_name *name, uid_t uid, char *why);

/** Reserve a port for a user. Whoever is attached stays. */
void vale_switch_reserve_port(struct vale_port *p, uid_t uid);

/**
 * Unplug an endpoint: its client has gone, or was told to go. What it sent is forwarded first
 * (bounded), its learned addresses are forgotten, then endpoint->ops->destroy() is called; the port
 * goes too unless it is persistent, and the switch with its last port.
 */
void vale_switch_detach(struct vale_switches *s, struct vale_endpoint *ep);

/** Tell a client, with the sentence @p why, that its port is taken from it, and unplug it. */
void vale_switch_evict(struct vale_switches *s, struct vale_endpoint *ep, const char *why);

/**
 * Make a name persistent, with or without a client yet.
 * @return 0, -EEXIST if it is persistent already, and as vale_switch_attach().
 */
int vale_switch_create_port(
	struct vale_switches *s, const struct vale_name *name, const uint8_t *mac, char *why);

/** The same for a port that comes with the endpoint of a device of its own, which on success is the
 * port's. The name may be an interface's. -EBUSY if the port has a client already. */
int vale_switch_create_with(struct vale_switches *s, const struct vale_name *name,
	struct vale_endpoint *ep, const uint8_t *mac, char *why);

/** Undo vale_switch_create_port(): -ENXIO without such a port, -EINVAL if it is not persistent,
 * -EBUSY while a client holds it. A device that was created with the port goes with it. */
int vale_switch_destroy_port(struct vale_switches *s, const char *full, char *why);

/** Set a port's MAC address, and tell its client. Control thread. */
void vale_switch_set_mac(struct vale_port *p, const uint8_t *mac);

/** Remove a port that is not persistent, with its client if it has one, who is told. Control
 * thread. */
void vale_switch_release_port(struct vale_switches *s, struct vale_port *p);

/** Have fn(arg, port) called whenever a client has attached. One only. */
void vale_switches_on_attach(
	struct vale_switches *s, void (*fn)(void *arg, struct vale_port *port), void *arg);

/** Rebuild the flood list of a switch, after a link changed. Control thread. */
int vale_switch_update_flood(struct vale_switches *s, struct vale_switch *sw);

/** Once a second: remove expired FDB entries. */
void vale_switches_tick(struct vale_switches *s);

#endif /* VALE_SWITCH_H */
