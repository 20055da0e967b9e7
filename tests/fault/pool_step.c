/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A process is killed after its first instruction, another after its second, and so on, through
 * everything that touches the pool. Each time all mbufs must come back, and another process must be
 * able to work.
 */
#include <stdio.h>
#include <unistd.h>

#include "pool.h"
#include "pool_fault.h"

/* A child with this number of steps has gone astray. */
#define STEPS_MAX 100000
#define HANG_MS 20000

/*
 * The time goes with the square of the length. Every instruction counts where the pool is changed;
 * the way there is walked in longer strides, but for a run with --every.
 */
static const struct scenario {
	const char *name;
	uint32_t stride;
} scenarios[] = {
	{"first operation of a process", 163},
	{"get and put", 1},
	{"get and put through a cache", 17},
	{"receive and free", 5},
};

static void
ask_tracer(uint32_t steps)
{
	uint64_t end = now_ms() + HANG_MS;

	atomic_store(&arena->steps, steps);
	while (atomic_load(&arena->steps) != 0) {
		usleep(20);
		if (now_ms() > end)
			fault_die("%s, killed after %u instructions: another process hangs",
				scenarios[atomic_load(&arena->scenario)].name, steps);
	}
}

/* Frames for the child to receive: one of them a chain. */
static void
fill_ring(struct rte_ring *r)
{
	struct rte_mbuf *m[4];

	if (rte_pktmbuf_alloc_bulk(pool, m, 4) != 0)
		fault_die("the pool is empty");
	m[0]->next = m[3];
	m[0]->nb_segs = 2;
	rte_ring_enqueue_bulk(r, (void **)m, 3, NULL);
}

static void
kill_after(const struct fault_options *o, uint32_t scenario, uint32_t steps)
{
	char when[96];

	if (scenario == 3)
		fill_ring(arena->peer[0].from_switch);
	ask_tracer(steps);
	recover_start(o, 0);
	while (recover_step())
		;
	vale_pool_flush(pool);
	snprintf(when, sizeof(when), "%s, killed after %u instructions", scenarios[scenario].name,
		steps);
	count_all(when);
}

static void
step_through(const struct fault_options *o, uint32_t scenario)
{
	unsigned int before = recovered();
	uint32_t died = pool_of(pool)->owner_died;
	uint32_t stride = o->every ? 1 : scenarios[scenario].stride;
	uint32_t steps = 0;

	atomic_store(&arena->scenario, scenario);
	do {
		steps += stride;
		kill_after(o, scenario, steps);
	} while (atomic_load(&arena->ended) == 0 && steps < STEPS_MAX);
	printf("%s: killed after each %u. of %u instructions, %u with the lock held, %u mbufs "
	       "recovered\n",
		scenarios[scenario].name, stride, steps,
		(unsigned int)pool_of(pool)->owner_died - died, recovered() - before);
	fflush(stdout);
}

int
test_step(const struct fault_options *o)
{
	pid_t tracer = peer_start(0, "tracer");

	for (uint32_t s = o->from; s < RTE_DIM(scenarios); s++)
		step_through(o, s);
	atomic_store(&arena->peer[0].stop, 1);
	if (peer_wait(tracer) != 0)
		fault_die("the tracer did not end well");
	count_all("at the end");
	return 0;
}
