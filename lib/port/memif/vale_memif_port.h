/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_MEMIF_PORT_H
#define VALE_MEMIF_PORT_H

/**
 * @file
 * `memif` ports: the switch as memif server. A client of its own process and memory (DPDK's
 * net_memif, VPP, libmemif) names its port by its secret.
 */

#include <sys/types.h>

#include "vale_control_server.h"
#include "vale_switch.h"

/** Who may connect, and where. */
struct vale_memif_conf {
	const char *path; /**< socket; its folder is made if it is missing */
	uid_t owner;	  /**< (uid_t)-1: unchanged */
	gid_t group;	  /**< (gid_t)-1: unchanged */
	mode_t mode;	  /**< 0: 0600 */
};

/**
 * Listen for memif clients, on the control thread of @p server. After EAL, before
 * vale_server_start().
 *
 * @return
 *   0 or -errno of what could not be made: the socket, its folder, a descriptor.
 */
int vale_memif_init(
	const struct vale_memif_conf *conf, struct vale_switches *s, struct vale_server *server);

/** Part from all clients and remove the socket. All ports are off their switches; the control
 * thread has stopped. */
void vale_memif_fini(void);

#endif /* VALE_MEMIF_PORT_H */
