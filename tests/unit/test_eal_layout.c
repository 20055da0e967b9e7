/* SPDX-License-Identifier: BSD-3-Clause */

/* Our picture of EAL's and ethdev's shared memory against DPDK's own headers, where they can be
 * had. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vale_eal_mem_proto.h"

#if __has_include("eal_memcfg.h") && __has_include("malloc_elem.h") && __has_include( \
									       "ethdev_private.h")
#include "eal_memcfg.h"
#include "ethdev_private.h"
#include "malloc_elem.h"

#define SAME(theirs, field, ours, our_field)                                                \
	static_assert(offsetof(struct theirs, field) == offsetof(struct ours, our_field) && \
			      sizeof(((struct theirs *)0)->field) ==                        \
				      sizeof(((struct ours *)0)->our_field),                \
		#theirs "." #field)

SAME(rte_mem_config, magic, vale_eal_config, magic);
SAME(rte_mem_config, version, vale_eal_config, version);
SAME(rte_mem_config, mlock, vale_eal_config, mlock);
SAME(rte_mem_config, qlock, vale_eal_config, qlock);
SAME(rte_mem_config, mplock, vale_eal_config, mplock);
SAME(rte_mem_config, tlock, vale_eal_config, tlock);
SAME(rte_mem_config, memory_hotplug_lock, vale_eal_config, memory_hotplug_lock);
SAME(rte_mem_config, memzones, vale_eal_config, memzones);
SAME(rte_mem_config, memsegs, vale_eal_config, memsegs);
SAME(rte_mem_config, tailq_head, vale_eal_config, tailq_head);
SAME(rte_mem_config, malloc_heaps, vale_eal_config, heaps);
SAME(rte_mem_config, mem_cfg_addr, vale_eal_config, mem_cfg_addr);

SAME(malloc_heap, lock, vale_eal_heap, lock);
SAME(malloc_heap, free_head, vale_eal_heap, free_head);
SAME(malloc_heap, first, vale_eal_heap, first);
SAME(malloc_heap, last, vale_eal_heap, last);
SAME(malloc_heap, alloc_count, vale_eal_heap, alloc_count);
SAME(malloc_heap, name, vale_eal_heap, name);
static_assert(sizeof(struct malloc_heap) == sizeof(struct vale_eal_heap), "heap");

SAME(malloc_elem, heap, vale_eal_elem, heap);
SAME(malloc_elem, prev, vale_eal_elem, prev);
SAME(malloc_elem, next, vale_eal_elem, next);
static_assert(offsetof(struct malloc_elem, free_list.le_prev) ==
		      offsetof(struct vale_eal_elem, free_prev),
	"free list");
SAME(malloc_elem, msl, vale_eal_elem, msl);
SAME(malloc_elem, pad, vale_eal_elem, pad);
SAME(malloc_elem, size, vale_eal_elem, size);
static_assert(sizeof(struct malloc_elem) == sizeof(struct vale_eal_elem), "element");

SAME(eth_dev_shared, ownership_lock, vale_eal_ethdev, ownership_lock);
SAME(eth_dev_shared, data, vale_eal_ethdev, data);
static_assert(sizeof(struct eth_dev_shared) == sizeof(struct vale_eal_ethdev), "ethdev");

static void
layout_of_dpdk_is_ours(void **state)
{
	/* the compiler has compared them */
}
#else
static void
layout_of_dpdk_is_ours(void **state)
{
	skip(); /* DPDK's private headers are not installed; devtools/dpdk-driver-headers.sh gets
		   them */
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_of_dpdk_is_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
