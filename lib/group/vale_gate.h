/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_GATE_H
#define VALE_GATE_H

/**
 * @file
 * Requests that need locks of EAL's: to attach a device, or to give it back.
 *
 * DPDK's drivers take such locks, and one of them may be held by a secondary that was killed, until
 * `vale-life` lets go of it (vale_locks.h). The control thread must not wait for that: it lets
 * ports of the dead go. So such a request is put aside until every lock has been seen free and the
 * thread `vale-memory` rests; then its handler is called as if it came only now. Others are
 * answered meanwhile. Who dies with a lock in the very moment in which a device is made or closed
 * still holds that up, for as long as it takes to let go of the lock.
 *
 * Control thread, unless it says otherwise.
 */

#include <stdbool.h>

#include "vale_control_server.h"

/** How long a request waits at most. More than it takes to let go of several nested locks. */
#define VALE_GATE_WAIT_MS 8000

/** Watch on @p server. Before it starts. Without it nothing is put aside. @p wait_ms: how long a
 * request waits at most, VALE_GATE_WAIT_MS. 0 or -errno. */
int vale_gate_start(struct vale_server *server, unsigned int wait_ms);

/** Forget what is put aside. `vale-memory` has ended, the server does not run. Idempotent. */
void vale_gate_stop(void);

/**
 * Called first in a handler: have it called again when locks are free.
 *
 * @param fn, arg
 *   The handler. If locks do not become free in time, the request is refused with EAGAIN instead.
 * @return
 *   true: it is put aside, or refused (EBUSY: too many of this connection wait; ENOMEM); the
 * handler returns at once. false: go on; so it is where no secondary can be, and when the handler
 * is called again.
 */
bool vale_gate_defer(
	struct vale_conn *c, const struct vale_ctl_hdr *msg, vale_handler_t fn, void *arg);

#endif /* VALE_GATE_H */
