/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_NETMAP_PORT_H
#define VALE_NETMAP_PORT_H

/**
 * @file
 * `netmap` ports, the switch's side: netmap rings, slots and buffers in memory that programs share
 * with the switch and in which nothing is believed.
 */

#include <stddef.h>
#include <stdint.h>

#include "vale_control_server.h"
#include "vale_switch.h"

struct vale_netmap_conf {
	size_t user_max; /**< bytes of regions that one user may have */
};

/**
 * Register the handlers of NM_CTRL and NM_STATE.
 *
 * @return
 *   0.
 */
int vale_netmap_init(
	const struct vale_netmap_conf *conf, struct vale_switches *s, struct vale_server *server);

/** Free what is left. All ports are off their switches. */
void vale_netmap_fini(void);

#endif /* VALE_NETMAP_PORT_H */
