/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NETMAP_BIND_H
#define NETMAP_BIND_H

/**
 * @file
 * What nmport.c, bind.c, rings.c and sleepers.c share: the life of ports and of the descriptors
 * bound to them. Control thread only.
 */

#include "netmap_port.h"

/* ---- rings.c ---- */

void nm_rings_init(struct vale_workers *ws);

/** Ring i of a port, seen from the program. */
struct nm_ring *nm_port_ring(struct nm_port *p, unsigned int dir, uint16_t i);
/** Where a ring of a new port is in its region. */
void nm_ring_init(struct nm_port *p, unsigned int dir, uint16_t i);
/**
 * Choose the rings that a bind wants; both directions' numbers are in bounds afterwards.
 *
 * @return 0, or -EINVAL with a sentence in @p why.
 */
int nm_bind_choose_rings(struct nm_bind *b, char *why);
/** Whether those who have the rings allow another. Returns 0, or -EBUSY with a sentence. */
int nm_bind_check_users(const struct nm_bind *b, const struct nm_offsets *off, char *why);
/** One user more for each ring; the first makes it new. */
void nm_bind_take_rings(struct nm_bind *b, const struct nm_offsets *off);
/** One user less; when this returns no worker looks at a ring without one. */
void nm_bind_release_rings(struct nm_bind *b);
/** Have workers forward what a bind published in rings of which it is the last user. Blocks for
 * 500 ms at most. */
void nm_bind_drain(const struct nm_bind *b);

/* ---- sleepers.c ---- */

void nm_sleepers_init(struct vale_workers *ws);
struct nm_sleepers *nm_sleepers_alloc(unsigned int nb);
/** Publish who may sleep: all binds of the port but @p without. Returns 0 or -ENOMEM. */
int nm_sleepers_update(struct nm_port *p, const struct nm_bind *without);
/** No worker may use a bind's socket any more. */
void nm_sleepers_remove(struct nm_port *p, const struct nm_bind *b);

/* ---- bind.c ---- */

void nm_binds_init(struct vale_switches *s);
/** Take a bind off its port, whose last one it may be, and free it. */
void nm_port_drop_bind(struct nm_port *p, struct nm_bind *b);

/* ---- nmport.c ---- */

/** A port with its memory, bound by nobody and on no switch; NULL with -errno and a sentence. */
struct nm_port *nm_port_create(
	const struct nm_register *req, struct vale_conn *c, int *err, char *why);
/** Free a port that has no binds left. */
void nm_port_free(struct nm_port *p);
/** Doorbells of a connection wake the port's workers from now on. Returns 0 or -errno. */
int nm_port_watch_conn(struct nm_port *p, struct vale_conn *c);
/** And no longer. */
void nm_port_unwatch_conn(struct nm_port *p, struct vale_conn *c);
/** A bind's connection has ended. @p arg: struct nm_bind. */
void nm_port_conn_closed(void *arg);
/** Doorbells were read. @p arg: struct nm_port. */
void nm_port_doorbell(void *arg, unsigned int nb);

#endif /* NETMAP_BIND_H */
