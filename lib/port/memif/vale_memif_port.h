/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_MEMIF_PORT_H
#define VALE_MEMIF_PORT_H

/**
 * @file
 * `memif` ports: the switch as memif server. A client of its own process and memory (DPDK's
 * net_memif, VPP, libmemif) names its port by its secret.
 */

#include "vale_control_server.h"
#include "vale_listener.h"
#include "vale_switch.h"

/**
 * Listen for memif clients, on the control thread of @p server. After EAL, before
 * vale_server_start().
 *
 * @return
 *   0 or -errno of what could not be made: the socket, its folder, a descriptor.
 */
int vale_memif_init(
	const struct vale_listener_conf *conf, struct vale_switches *s, struct vale_server *server);

/** Part from all clients and remove the socket. All ports are off their switches; the control
 * thread has stopped. */
void vale_memif_fini(void);

#endif /* VALE_MEMIF_PORT_H */
