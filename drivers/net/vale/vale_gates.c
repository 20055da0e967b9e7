/* SPDX-License-Identifier: BSD-3-Clause */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "vale_gates.h"
#include "vale_pmd.h"

/* A burst takes microseconds; one that takes this long was descheduled. */
#define WAIT_STEP_US 50
#define WAIT_STEPS 2000
/* Without membarrier(): every CPU has drained its store buffer long before. */
#define SETTLE_US 10000

struct vale_port_gates vale_gates[RTE_MAX_ETHPORTS];

static int
membarrier(int cmd)
{
	return (int)syscall(__NR_membarrier, cmd, 0, 0);
}

/** Make every thread of this process see what we wrote, and us what it wrote before. */
static void
barrier_all_threads(void)
{
	if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
		membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
		return;
	rte_delay_us_sleep(SETTLE_US);
}

/** What passes counts for this process's quota; if a held-up burst kept it counting, it goes on. */
static void
flow_start(struct vale_gate *g)
{
	if (!g->counted)
		vale_pool_flow_add(&g->flow);
	g->counted = true;
}

static void
flow_end(struct vale_gate *g)
{
	if (g->counted)
		vale_pool_flow_del(&g->flow);
	g->counted = false;
}

static void
flows_end(uint16_t port_id)
{
	for (uint16_t i = 0; i < VALE_DPDK_QUEUES_MAX; i++) {
		flow_end(&vale_gates[port_id].rx[i]);
		flow_end(&vale_gates[port_id].tx[i]);
	}
}

static void
gates_set(uint16_t port_id, uint16_t nb_queues, uint32_t open, bool counted)
{
	struct vale_port_gates *p = &vale_gates[port_id];

	for (uint16_t i = 0; i < nb_queues; i++) {
		if (counted) {
			flow_start(&p->rx[i]);
			flow_start(&p->tx[i]);
		}
		/* release: who finds it open finds the slot */
		atomic_store_explicit(&p->rx[i].open, open, memory_order_release);
		atomic_store_explicit(&p->tx[i].open, open, memory_order_release);
	}
}

static bool
gates_busy(uint16_t port_id)
{
	struct vale_port_gates *p = &vale_gates[port_id];

	for (uint16_t i = 0; i < VALE_DPDK_QUEUES_MAX; i++) {
		/* acquire: pairs with vale_gate_leave() */
		if (atomic_load_explicit(&p->rx[i].busy, memory_order_acquire) ||
			atomic_load_explicit(&p->tx[i].busy, memory_order_acquire))
			return true;
	}
	return false;
}

void
vale_gates_open(uint16_t port_id, uint16_t nb_queues, bool counted)
{
	gates_set(port_id, nb_queues, 1, counted);
}

bool
vale_gates_close(uint16_t port_id)
{
	gates_set(port_id, VALE_DPDK_QUEUES_MAX, 0, false);
	barrier_all_threads();
	for (int i = 0; i < WAIT_STEPS; i++) {
		if (!gates_busy(port_id)) {
			flows_end(port_id);
			return true;
		}
		rte_delay_us_sleep(WAIT_STEP_US);
	}
	return false;
}
