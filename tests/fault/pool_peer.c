/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_lcore.h>
#include <rte_memzone.h>
#include <rte_ring.h>

#include "pool_fault.h"
#include "trace.h"
#include "vale_pool.h"

#define BURST 32u
/* A child that is stepped moves fewer, and so gets further within fewer instructions. */
#define STEP_BURST 4u

/** What a secondary has in its hands: frames, some of them chains. */
struct hands {
	struct rte_mbuf *m[BURST * 4];
	unsigned int nb;
};

static struct peer *me;

/* ---- under load ---- */

/* A frame of two segments now and then. */
static void
maybe_chain(struct rte_mbuf **m, unsigned int nb)
{
	for (unsigned int i = 0; i + 1 < nb && i < 8; i += 2)
		if (m[i]->next == NULL && m[i + 1]->next == NULL && rand() % 4 == 0) {
			m[i]->next = m[i + 1];
			m[i]->nb_segs = 2;
			m[i + 1] = NULL;
		}
}

static void
peer_send(struct hands *h)
{
	unsigned int nb = 0;

	maybe_chain(h->m, h->nb);
	for (unsigned int i = 0; i < h->nb; i++)
		if (h->m[i] != NULL)
			h->m[nb++] = h->m[i];
	h->nb = rte_ring_enqueue_burst(me->to_switch, (void **)h->m, nb, NULL);
	memmove(h->m, h->m + h->nb, (nb - h->nb) * sizeof(h->m[0]));
	h->nb = nb - h->nb;
}

/* As the driver must: tag, then move the tail. */
static void
peer_receive(struct hands *h)
{
	unsigned int room = RTE_DIM(h->m) - h->nb;
	struct rte_ring_zc_data zc;
	struct rte_mbuf **m = &h->m[h->nb];
	unsigned int n;

	n = rte_ring_dequeue_zc_burst_start(me->from_switch, RTE_MIN(room, BURST), &zc, NULL);
	if (n == 0)
		return;
	memcpy(m, zc.ptr1, zc.n1 * sizeof(m[0]));
	if (zc.n1 < n)
		memcpy(&m[zc.n1], zc.ptr2, (n - zc.n1) * sizeof(m[0]));
	for (unsigned int i = 0; i < n; i++)
		vale_pool_tag_chain(m[i]);
	rte_ring_dequeue_zc_finish(me->from_switch, n);
	h->nb += n;
}

static void
peer_allocate(struct hands *h)
{
	unsigned int n = 1 + rand() % BURST;

	if (h->nb + n <= RTE_DIM(h->m) && rte_pktmbuf_alloc_bulk(pool, &h->m[h->nb], n) == 0)
		h->nb += n;
}

static void
peer_free(struct hands *h)
{
	rte_pktmbuf_free_bulk(h->m, h->nb);
	h->nb = 0;
}

/* Past the lcore cache: bound by the pool. */
static void
peer_thrash(void)
{
	void *obj[BURST];

	for (unsigned int i = 0; i < 8; i++)
		if (rte_mempool_generic_get(pool, obj, BURST, NULL) == 0)
			rte_mempool_generic_put(pool, obj, BURST, NULL);
}

static void
peer_round(struct hands *h)
{
	peer_receive(h);
	peer_allocate(h);
	peer_thrash();
	if (rand() % 2 == 0)
		peer_send(h);
	else
		peer_free(h);
	atomic_fetch_add_explicit(&me->rounds, 1, memory_order_relaxed);
}

static void
peer_drain(struct hands *h)
{
	peer_free(h);
	rte_mempool_cache_flush(rte_mempool_default_cache(pool, rte_lcore_id()), pool);
}

static int
run_load(void)
{
	struct hands h = {.nb = 0};

	srand(getpid());
	while (atomic_load(&me->stop) == 0)
		peer_round(&h);
	peer_drain(&h);
	return 0;
}

/* ---- single steps ---- */

/* What the child does before anybody counts its instructions: it has a place already, or it has
 * not. */
static void
child_prepare(uint32_t scenario)
{
	/* a child is another process with lcores of its own, as in a secondary of that id */
	RTE_PER_LCORE(_lcore_id) = CHILD_LCORE;
	if (scenario != 0)
		vale_pool_join(pool);
}

/* What is stepped: 0 the first operation of a process, 1 around the cache, 2 through it, 3 receive
 * and free. */
static void
child_work(uint32_t scenario)
{
	struct hands h = {.nb = 0};

	switch (scenario) {
	case 0:
		vale_pool_join(pool);
		break;
	case 1:
		if (rte_mempool_generic_get(pool, (void **)h.m, STEP_BURST, NULL) == 0)
			rte_mempool_generic_put(pool, (void **)h.m, STEP_BURST, NULL);
		break;
	case 2:
		for (unsigned int i = 0; i < 2; i++)
			if (rte_mempool_get_bulk(pool, (void **)h.m, CACHE_SZ) == 0)
				rte_mempool_put_bulk(pool, (void **)h.m, CACHE_SZ);
		rte_mempool_cache_flush(rte_mempool_default_cache(pool, rte_lcore_id()), pool);
		break;
	default:
		peer_receive(&h);
		peer_free(&h);
		break;
	}
}

static void
child_main(uint32_t scenario)
{
	child_prepare(scenario);
	trace_begin();
	child_work(scenario);
	trace_end();
	_exit(0);
}

/** Run a child for some instructions and kill it. @return whether it was at its end before. */
static bool
step_and_kill(uint32_t scenario, uint32_t steps)
{
	pid_t pid = fork();
	uint32_t done;

	if (pid == 0)
		child_main(scenario);
	trace_step_and_kill(pid, steps, &done);
	return done < steps;
}

/* Afterwards another process, this one, must be able to get and put. */
static int
run_tracer(void)
{
	struct hands h = {.nb = 0};
	uint32_t steps;

	while (atomic_load(&me->stop) == 0) {
		steps = atomic_load(&arena->steps);
		if (steps == 0) {
			usleep(20);
			continue;
		}
		atomic_store(&arena->ended, step_and_kill(atomic_load(&arena->scenario), steps));
		peer_allocate(&h);
		peer_thrash();
		peer_free(&h);
		atomic_fetch_add(&me->rounds, 1);
		atomic_store(&arena->steps, 0);
	}
	peer_drain(&h);
	return 0;
}

int
peer_main(unsigned int i, const char *role)
{
	const struct rte_memzone *mz = rte_memzone_lookup(ARENA_NAME);

	pool = rte_mempool_lookup(POOL_NAME);
	if (mz == NULL || pool == NULL || i >= NB_PEERS)
		return 1;
	arena = mz->addr;
	me = &arena->peer[i];
	if (vale_pool_join(pool) != 0)
		return 1;
	atomic_store(&me->tag, vale_pool_my_tag());
	atomic_store(&me->state, PEER_READY);
	return strcmp(role, "tracer") == 0 ? run_tracer() : run_load();
}
