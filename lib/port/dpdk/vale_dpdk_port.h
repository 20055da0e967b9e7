/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_DPDK_PORT_H
#define VALE_DPDK_PORT_H

/**
 * @file
 * `dpdk` ports, the switch's side: rings of mbufs in hugepages, shared with a secondary.
 */

#include <stdint.h>

#include <rte_mempool.h>

#include "vale_control_server.h"
#include "vale_switch.h"

/** Bytes of memzone that vale_dpdk_init() reserves for rings of @p ring_size frames. */
size_t vale_dpdk_memsize(uint32_t ring_size);

/** What dpdk ports need; reserved at start. */
struct vale_dpdk_conf {
	struct rte_mempool *pool; /**< VALE_POOL_NAME */
	uint32_t ring_size;	  /**< frames a ring holds */
	bool shared;		  /**< secondaries are possible (hugepages, shared configuration) */
};

/**
 * Reserve slots for RTE_MAX_ETHPORTS ports (memzone VALE_DPDK_MZ_NAME) and register the handlers
 * of ATTACH_DPDK and DETACHED.
 *
 * @return
 *   0, -ENOMEM.
 */
int vale_dpdk_init(
	const struct vale_dpdk_conf *conf, struct vale_switches *s, struct vale_server *server);

/** Let go of ports whose clients live on after the switch. All ports are off their switches. */
void vale_dpdk_fini(void);

#endif /* VALE_DPDK_PORT_H */
