/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DPDK_REAPER_H
#define DPDK_REAPER_H

/**
 * @file
 * What dead clients held comes back to the pool. lib/pool knows how; this knows when: a client is
 * buried when its process has ended, and its mbufs are looked for, in slices between other work of
 * the control thread, when all ports of the dead are gone. Control thread.
 */

#include <stdbool.h>
#include <sys/types.h>

#include <rte_mempool.h>

#include "vale_control_server.h"
#include "vale_pool.h"
#include "vale_process.h"

/** What the reaper has to be told. */
struct dpdk_reaper_conf {
	struct rte_mempool *pool; /**< governed */
	vale_pool_ring_cb *rings; /**< rings to clients */
	bool (*may_start)(void);  /**< no port of a dead process is left */
};

/** Begin to watch. 0 or -errno. */
int dpdk_reaper_init(const struct dpdk_reaper_conf *conf, struct vale_server *server);

/** Stop. */
void dpdk_reaper_fini(void);

/**
 * A process has ended: its lcore caches are reset at once, before others may take its lcore ids,
 * and what it held is looked for as soon as may_start() allows. Harmless if it used no pool.
 */
void dpdk_reaper_bury(const struct vale_process_id *id);

/** Mbufs recovered from dead processes since start. Any thread. */
uint64_t dpdk_reaper_recovered(void);

#endif /* DPDK_REAPER_H */
