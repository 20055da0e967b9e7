/* SPDX-License-Identifier: BSD-3-Clause */
#include <unistd.h>

#include <rte_common.h>
#include <rte_config.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "memory.h"
#include "vale_dpdk_shm.h"
#include "vale_fdb.h"

#define MB (1024ULL * 1024)
/* EAL's heap: ethdevs and their queues, memory that secondaries allocate when they start. */
#define HEAP_MB 64

/*
 * The pool for clients. Objects do not straddle pages and are spread over memory channels, so that
 * each takes up to a sixteenth more than its parts, and without hugepages a page; its ring holds a
 * pointer each.
 */
static uint64_t
pool_size(const struct options *o, bool no_huge)
{
	uint64_t object = sizeof(struct rte_mempool_objhdr) + sizeof(struct rte_mbuf) +
			  RTE_MBUF_DEFAULT_BUF_SIZE;

	object += object / 16;
	if (no_huge)
		object = RTE_ALIGN_CEIL(object, (uint64_t)sysconf(_SC_PAGESIZE));
	return o->mbufs * object + 2 * sizeof(void *) * (uint64_t)o->mbufs;
}

static uint64_t
fdbs_size(const struct options *o)
{
	return (uint64_t)o->limits.max_switches *
	       vale_fdb_memsize(o->limits.fdb_size, o->limits.max_ports);
}

/* Each queue pair has a ring each way; a ring that holds exactly N frames has 2N places. */
static uint64_t
slots_size(const struct options *o)
{
	uint64_t ring = sizeof(struct rte_ring) + 2 * sizeof(void *) * o->limits.ring_size;

	return RTE_MAX_ETHPORTS * (sizeof(struct vale_dpdk_slot) + 2 * VALE_DPDK_QUEUES_MAX * ring);
}

uint64_t
memory_needed_mb(const struct options *o, bool no_huge)
{
	uint64_t bytes = pool_size(o, no_huge) + fdbs_size(o) + slots_size(o);

	return RTE_ALIGN_CEIL(HEAP_MB + (bytes + MB - 1) / MB, 2);
}
