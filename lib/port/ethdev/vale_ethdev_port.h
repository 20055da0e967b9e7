/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_ETHDEV_PORT_H
#define VALE_ETHDEV_PORT_H

/**
 * @file
 * `ethdev` ports: any DPDK device as a port, made from its devargs by the operator.
 */

#include <stdint.h>

#include <rte_mempool.h>

#include "vale_control_server.h"
#include "vale_switch.h"

/** What ethdev ports need. */
struct vale_ethdev_conf {
	struct rte_mempool *pool; /**< for frames in mbufs of the usual size */
	unsigned int nb_workers;  /**< queues are asked for accordingly */
};

/** Register the handler of ATTACH_ETHDEV. Returns 0 or -errno. */
int vale_ethdev_init(
	const struct vale_ethdev_conf *conf, struct vale_switches *s, struct vale_server *server);

/** Free what is left. All ports are gone. */
void vale_ethdev_fini(void);

#endif /* VALE_ETHDEV_PORT_H */
