/* SPDX-License-Identifier: BSD-3-Clause */

/* What a client holds, and how much more it may. */
#include <errno.h>

#include <rte_branch_prediction.h>
#include <rte_lcore.h>

#include "pool.h"

/* Segments that a queue may receive before it asks again. */
#define CREDIT 256

/* The threads of this process among themselves. */
static rte_spinlock_t flows_lock = RTE_SPINLOCK_INITIALIZER;
static LIST_HEAD(, vale_pool_flow) flows = LIST_HEAD_INITIALIZER(flows);
/* Balance of flows that are no more. */
static int64_t flows_past;

void
quota_forget(void)
{
	rte_spinlock_init(&flows_lock);
	LIST_INIT(&flows);
	flows_past = 0;
}

/* ---- flows ---- */

static int64_t
flow_balance(const struct vale_pool_flow *f)
{
	return (int64_t)(atomic_load_explicit(&f->received, memory_order_relaxed) -
			 atomic_load_explicit(&f->sent, memory_order_relaxed));
}

void
vale_pool_flow_add(struct vale_pool_flow *f)
{
	atomic_init(&f->received, 0);
	atomic_init(&f->sent, 0);
	f->credit = 0;
	rte_spinlock_lock(&flows_lock);
	LIST_INSERT_HEAD(&flows, f, next);
	rte_spinlock_unlock(&flows_lock);
}

void
vale_pool_flow_del(struct vale_pool_flow *f)
{
	rte_spinlock_lock(&flows_lock);
	LIST_REMOVE(f, next);
	flows_past += flow_balance(f);
	rte_spinlock_unlock(&flows_lock);
}

int64_t
quota_flows(struct vale_pool_holder *h)
{
	const struct vale_pool_flow *f;
	int64_t sum;

	rte_spinlock_lock(&flows_lock);
	sum = flows_past;
	LIST_FOREACH (f, &flows, next)
		sum += flow_balance(f);
	rte_spinlock_unlock(&flows_lock);
	atomic_store_explicit(&h->flows, sum, memory_order_relaxed);
	return sum;
}

/* ---- the quota ---- */

int64_t
quota_left(const struct vale_pool *p, const struct vale_pool_holder *h, int64_t passed)
{
	uint32_t quota = atomic_load_explicit(&p->quota, memory_order_relaxed);

	/* Nobody can hold more than there are: who is let have them all is not counted, and may
	 * pass to other processes what it received. */
	return quota >= p->size ? INT64_MAX : (int64_t)quota - holder_held(h, passed);
}

/** Put back what this lcore keeps for later: it is held, too, and nobody needs it now. */
static void
give_cache_back(struct rte_mempool *mp)
{
	struct rte_mempool_cache *c = rte_mempool_default_cache(mp, rte_lcore_id());

	if (c != NULL && c->len > 0)
		rte_mempool_cache_flush(c, mp);
}

unsigned int
vale_pool_receive_credit(struct rte_mempool *mp, struct vale_pool_flow *f, unsigned int nb)
{
	struct vale_pool *p = pool_of(mp);
	struct vale_pool_holder *h = holder_self(p);
	int64_t want = RTE_MAX(nb, (unsigned int)CREDIT);
	int64_t left;

	if (unlikely(h == NULL))
		return 0;
	left = quota_left(p, h, quota_flows(h));
	if (unlikely(left < nb)) {
		give_cache_back(mp);
		left = quota_left(p, h, quota_flows(h));
	}
	left = RTE_MAX(left, 0);
	f->credit = RTE_MIN(left, want);
	return RTE_MIN(nb, (uint64_t)f->credit);
}
