/* SPDX-License-Identifier: BSD-3-Clause */

/* The mempool operations `vale`. */
#include <errno.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf_dyn.h>
#include <rte_prefetch.h>

#include "pool.h"

#define TAG_FIELD_NAME "vale_dynfield_holder"
/* How far ahead of their tagging mbufs are loaded. */
#define PREFETCH_AHEAD 8
/* Bytes behind each mbuf's data that nobody uses. DPDK 22.11's vhost completes a checksum whose
 * field a virtual machine has put on the last byte of a full buffer, and writes both of its bytes;
 * the next mbuf's header was there, or, behind the last mbuf, one of EAL's heap. */
#define DATA_TAIL 8

/* ---- under the lock ---- */

int
pool_give(struct vale_pool *p, void *const *objs, unsigned int n)
{
	uint32_t len = atomic_load_explicit(&p->len, memory_order_relaxed);

	if (unlikely(n > p->size - len)) {
		atomic_fetch_add_explicit(&p->overflow, 1, memory_order_relaxed);
		return -ENOBUFS;
	}
	for (unsigned int i = 0; i < n; i++)
		atomic_store_explicit(&p->objs[len + i], objs[i], memory_order_relaxed);
	/* the whole operation; release: after the objects, also for a reap, which takes no lock */
	atomic_store_explicit(&p->len, len + n, memory_order_release);
	return 0;
}

int
pool_take(struct vale_pool *p, void **objs, unsigned int n)
{
	uint32_t len = atomic_load_explicit(&p->len, memory_order_relaxed);

	if (unlikely(n > len))
		return -ENOBUFS;
	for (unsigned int i = 0; i < n; i++)
		objs[i] = atomic_load_explicit(&p->objs[len - n + i], memory_order_relaxed);
	/* the whole operation; release: after the copies, which nobody may overwrite before */
	atomic_store_explicit(&p->len, len - n, memory_order_release);
	return 0;
}

/** Object @p i of the array, under the lock. */
static inline struct rte_mbuf *
object_at(const struct vale_pool *p, uint32_t i)
{
	return atomic_load_explicit((void *_Atomic *)(uintptr_t)&p->objs[i], memory_order_relaxed);
}

int
pool_take_tagged(struct vale_pool *p, void **objs, unsigned int n)
{
	uint32_t len = atomic_load_explicit(&p->len, memory_order_relaxed);
	uint32_t from = len - n;
	unsigned int i;

	if (unlikely(n > len))
		return -ENOBUFS;
	for (i = 0; i < n && i < PREFETCH_AHEAD; i++)
		rte_prefetch0_write(vale_pool_tag_of(object_at(p, from + i)));
	for (i = 0; i < n; i++) {
		struct rte_mbuf *m = object_at(p, from + i);

		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0_write(
				vale_pool_tag_of(object_at(p, from + i + PREFETCH_AHEAD)));
		vale_pool_tag(m);
		objs[i] = m;
	}
	/* as in pool_take(); and tags come before */
	atomic_store_explicit(&p->len, from, memory_order_release);
	return 0;
}

/* ---- clients of a governed pool ---- */

static inline void
counter_add(_Atomic uint64_t *c, uint64_t n)
{
	/* one writer at a time: under the lock */
	atomic_store_explicit(
		c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static int
client_take(
	struct vale_pool *p, struct vale_pool_holder *h, int64_t flows, void **objs, unsigned int n)
{
	int ret;

	if (unlikely(quota_left(p, h, flows) < n)) {
		counter_add(&h->refused, 1);
		return -ENOBUFS;
	}
	ret = pool_take_tagged(p, objs, n);
	if (likely(ret == 0))
		counter_add(&h->taken, n);
	return ret;
}

static int
client_dequeue(struct vale_pool *p, void **objs, unsigned int n)
{
	struct vale_pool_holder *h = holder_self(p);
	int64_t flows;
	int ret;

	if (unlikely(h == NULL))
		return -ENOBUFS;
	flows = quota_flows(h);
	pool_lock(p);
	ret = client_take(p, h, flows, objs, n);
	pool_unlock(p);
	return ret;
}

/* A process for which there is no place cannot take mbufs, but may give back what it received. */
static int
client_enqueue(struct vale_pool *p, void *const *objs, unsigned int n)
{
	struct vale_pool_holder *h = holder_self(p);
	int ret;

	pool_lock(p);
	ret = pool_give(p, objs, n);
	if (likely(h != NULL && ret == 0))
		counter_add(&h->returned, n);
	pool_unlock(p);
	return ret;
}

/* ---- operations ---- */

static int
plain_enqueue(struct vale_pool *p, void *const *objs, unsigned int n)
{
	int ret;

	pool_lock(p);
	ret = pool_give(p, objs, n);
	pool_unlock(p);
	return ret;
}

static int
plain_dequeue(struct vale_pool *p, void **objs, unsigned int n)
{
	int ret;

	pool_lock(p);
	ret = pool_take(p, objs, n);
	pool_unlock(p);
	return ret;
}

static int
ops_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	struct vale_pool *p = pool_of(mp);

	if (!pool_governed(p))
		return plain_enqueue(p, objs, n);
	if (pool_is_switch(p))
		return stash_enqueue(p, objs, n);
	return client_enqueue(p, objs, n);
}

static int
ops_dequeue(struct rte_mempool *mp, void **objs, unsigned int n)
{
	struct vale_pool *p = pool_of(mp);

	if (!pool_governed(p))
		return plain_dequeue(p, objs, n);
	if (pool_is_switch(p))
		return stash_dequeue(p, objs, n);
	return client_dequeue(p, objs, n);
}

static unsigned int
ops_get_count(const struct rte_mempool *mp)
{
	const struct vale_pool *p = pool_of(mp);

	return atomic_load_explicit(&p->len, memory_order_relaxed) + stash_count(p);
}

static int
ops_alloc(struct rte_mempool *mp)
{
	size_t sz = sizeof(struct vale_pool) + mp->size * sizeof(void *);
	struct vale_pool *p;
	int ret;

	p = rte_zmalloc_socket("vale_pool", sz, RTE_CACHE_LINE_SIZE, mp->socket_id);
	if (p == NULL)
		return -ENOMEM;
	ret = pool_lock_init(p);
	if (ret != 0) {
		rte_free(p);
		return ret;
	}
	p->version = VALE_POOL_SHM_VERSION;
	p->size = mp->size;
	mp->pool_data = p;
	return 0;
}

static void
ops_free(struct rte_mempool *mp)
{
	struct vale_pool *p = pool_of(mp);

	if (p == NULL)
		return;
	if (pool_is_switch(p)) {
		stash_fini();
		reap_fini();
	}
	holder_leave(p);
	rte_free(p);
}

static const struct rte_mempool_ops pool_ops = {
	.name = VALE_POOL_OPS_NAME,
	.alloc = ops_alloc,
	.free = ops_free,
	.enqueue = ops_enqueue,
	.dequeue = ops_dequeue,
	.get_count = ops_get_count,
};

/* ---- creation ---- */

/** The index of the operations in this process, -1 if they are not registered. */
static int
ops_index(void)
{
	const struct rte_mempool_ops_table *t = &rte_mempool_ops_table;

	for (uint32_t i = 0; i < t->num_ops; i++)
		if (strcmp(t->ops[i].name, VALE_POOL_OPS_NAME) == 0)
			return (int)i;
	return -1;
}

int
vale_pool_register(void)
{
	int ret;

	if (ops_index() >= 0)
		return 0;
	ret = rte_mempool_register_ops(&pool_ops);
	return ret < 0 ? ret : 0;
}

/** Mbufs of an empty pool. 0 or -errno. */
static int
pool_fill(struct rte_mempool *mp, uint16_t data_room)
{
	struct rte_pktmbuf_pool_private priv = {.mbuf_data_room_size = data_room};
	int ret = rte_mempool_set_ops_byname(
		mp, VALE_POOL_BARE ? "ring_mp_mc" : VALE_POOL_OPS_NAME, NULL);

	if (ret < 0)
		return ret;
	rte_pktmbuf_pool_init(mp, &priv);
	ret = rte_mempool_populate_default(mp);
	if (ret < 0)
		return ret;
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return 0;
}

struct rte_mempool *
vale_pool_create(
	const char *name, unsigned int nb, unsigned int cache_sz, uint16_t data_room, int socket_id)
{
	struct rte_mempool *mp =
		rte_mempool_create_empty(name, nb, sizeof(struct rte_mbuf) + data_room + DATA_TAIL,
			cache_sz, sizeof(struct rte_pktmbuf_pool_private), socket_id, 0);
	int ret;

	if (mp == NULL)
		return NULL;
	ret = pool_fill(mp, data_room);
	if (ret == 0)
		return mp;
	rte_mempool_free(mp);
	rte_errno = -ret;
	return NULL;
}

static int
tag_field_register(void)
{
	static const struct rte_mbuf_dynfield field = {
		.name = TAG_FIELD_NAME,
		.size = sizeof(uint32_t),
		.align = sizeof(uint32_t),
	};
	int off = rte_mbuf_dynfield_register(&field);

	return off < 0 ? -rte_errno : off;
}

/** Whether it is a pool of ours, of mbufs, and complete. */
static bool
can_govern(const struct rte_mempool *mp)
{
	return mp->ops_index == ops_index() && mp->elt_size >= sizeof(struct rte_mbuf) &&
	       mp->populated_size == mp->size && rte_mempool_avail_count(mp) == mp->size;
}

int
vale_pool_govern(struct rte_mempool *mp, uint32_t quota)
{
	struct vale_pool *p = pool_of(mp);
	int off, ret;

	if (VALE_POOL_BARE)
		return 0;
	if (vale_pool_me.pool != NULL)
		return -EEXIST;
	if (!can_govern(mp))
		return -EINVAL;
	off = tag_field_register();
	if (off < 0)
		return off;
	ret = stash_init(p);
	if (ret == 0)
		ret = reap_init(mp);
	if (ret != 0) {
		stash_fini();
		return ret;
	}
	p->tag_off = off;
	atomic_store_explicit(&p->quota, quota, memory_order_relaxed);
	holder_join_switch(p);
	/* release: everything above */
	atomic_store_explicit(&p->governed, 1, memory_order_release);
	return 0;
}

bool
vale_pool_is_governed(const struct rte_mempool *mp)
{
	return mp->ops_index == ops_index() && pool_governed(pool_of(mp));
}

uint32_t
vale_pool_quota(const struct rte_mempool *mp)
{
	return vale_pool_is_governed(mp)
		       ? atomic_load_explicit(&pool_of(mp)->quota, memory_order_relaxed)
		       : 0;
}

void
vale_pool_set_quota(struct rte_mempool *mp, uint32_t quota)
{
	atomic_store_explicit(&pool_of(mp)->quota, quota, memory_order_relaxed);
}

/* ---- the switch ---- */

void
vale_pool_free_bulk(struct rte_mbuf **pkts, unsigned int nb)
{
	for (unsigned int i = 0; !VALE_POOL_BARE && i < nb; i++)
		vale_pool_tag_chain(pkts[i]);
	rte_pktmbuf_free_bulk(pkts, nb);
}

unsigned int
vale_pool_flush(struct rte_mempool *mp)
{
	struct vale_pool *p = pool_of(mp);

	return !VALE_POOL_BARE && pool_is_switch(p) ? stash_flush(p) : 0;
}
