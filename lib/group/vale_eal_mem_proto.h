/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_EAL_MEM_PROTO_H
#define VALE_EAL_MEM_PROTO_H

/**
 * @file
 * What EAL and ethdev keep in memory shared by a DPDK group, as far as the switch looks after it:
 * DPDK 22.11.
 *
 * These layouts are private to DPDK and may change with a release: vale_eal_mp_known() is asked
 * before anything here is used, vale_eal_memory_find() then tries at run time whether they fit,
 * and tests/unit/test_eal_layout.c compares them with DPDK's own headers. They were read from
 * lib/eal/common (eal_memcfg.h, malloc_heap.h, malloc_elem.h) and lib/ethdev/ethdev_private.h.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <ethdev_driver.h>
#include <rte_common.h>
#include <rte_config.h>
#include <rte_fbarray.h>
#include <rte_memory.h>
#include <rte_rwlock.h>
#include <rte_spinlock.h>
#include <rte_tailq.h>

#define VALE_EAL_FREE_LISTS 13

enum vale_eal_elem_state {
	VALE_EAL_ELEM_FREE = 0,
	VALE_EAL_ELEM_BUSY = 1,
	VALE_EAL_ELEM_PAD = 2, /* a header behind the padding of a busy element; not in the chain */
};

/** Header of a piece of the heap. All pieces of a heap form a chain in the order of addresses. */
struct vale_eal_elem {
	struct vale_eal_heap *heap;
	struct vale_eal_elem *prev, *next;
	/* list of the free ones of like size; free_prev is the address of the pointer to this one
	 */
	struct vale_eal_elem *free_next, **free_prev;
	struct rte_memseg_list *msl;
	uint32_t state : 3; /* enum vale_eal_elem_state */
	uint32_t dirty : 1;
	uint32_t reserved : 28;
	uint32_t pad;
	size_t size; /* bytes, header included */
	struct vale_eal_elem *orig_elem;
	size_t orig_size;
} __rte_cache_aligned;

/** One heap; there is one a NUMA node. */
struct vale_eal_heap {
	rte_spinlock_t lock;
	struct vale_eal_elem *free_head[VALE_EAL_FREE_LISTS];
	struct vale_eal_elem *first, *last;
	unsigned int alloc_count;
	unsigned int socket_id;
	size_t total_size;
	char name[32];
} __rte_cache_aligned;

/** EAL's shared configuration: the file `config` in the runtime folder. */
struct vale_eal_config {
	uint32_t magic;
	uint32_t version; /* RTE_VERSION of the primary */
	uint32_t nchannel, nrank;
	rte_rwlock_t mlock;   /* memzones */
	rte_rwlock_t qlock;   /* tailqs */
	rte_rwlock_t mplock;  /* mempools */
	rte_spinlock_t tlock; /* timers */
	rte_rwlock_t memory_hotplug_lock;
	uint8_t mp_status;
	struct rte_fbarray memzones;
	struct rte_memseg_list memsegs[RTE_MAX_MEMSEG_LISTS];
	struct rte_tailq_head tailq_head[RTE_MAX_TAILQ];
	struct vale_eal_heap heaps[RTE_MAX_HEAPS];
	int next_socket_id;
	uint64_t mem_cfg_addr; /* of this structure, in all processes */
			       /* more, of no interest here */
};

/** Memzone of ethdev's shared data. */
#define VALE_EAL_ETHDEV_MZ "rte_eth_dev_data"

struct vale_eal_ethdev {
	uint64_t next_owner_id;
	rte_spinlock_t ownership_lock;
	struct rte_eth_dev_data data[RTE_MAX_ETHPORTS];
};

#endif /* VALE_EAL_MEM_PROTO_H */
