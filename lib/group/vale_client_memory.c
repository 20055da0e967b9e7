/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <rte_common.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <rte_ring.h>
#include <rte_string_fns.h>

#include "start_pieces.h"
#include "vale_client_heap.h"
#include "vale_client_memory.h"
#include "vale_eal_memory.h"
#include "vale_log.h"
#include "vale_memory_thread.h"

/* As librte_mempool and librte_ring name their memzones. */
#define POOL_ZONE "MP_"
#define RING_ZONE "RG_"

/** A memzone that we know. */
struct zone {
	char name[RTE_MEMZONE_NAMESIZE];
	const struct rte_memzone *mz;
	const void *addr;
	size_t len;
	uint64_t owners; /* bits of slots: whose it may be; 0: the switch's, or nobody's */
	bool orphan;	 /* nobody's, and not to be freed */
	bool doubtful;	 /* one of those whose it may be has ended */
	bool seen;	 /* in this look */
};

/** A mempool that a process said is its own. */
struct pool {
	LIST_ENTRY(pool) next;
	pid_t pid;
	uint64_t addr;
	char name[RTE_MEMPOOL_NAMESIZE];
};

static struct {
	struct zone zone[RTE_MAX_MEMZONE];
	unsigned int nb_zones;
	LIST_HEAD(, pool) pools;
	uint64_t new_owners; /* whose what this look finds may be */
	bool new_is_own;
	uint64_t heap_base, heap_orphan; /* bytes in use but for secondaries, and left by them */
	bool none_lived;
	uint64_t own_from;	       /* bytes in use when the switch began to take some */
	_Atomic uint64_t orphan_bytes; /* as of the last look */
	_Atomic uint64_t client_heap;
} m = {.pools = LIST_HEAD_INITIALIZER(m.pools)};

/* ---- who lives ---- */

/** Slots of all that live or have just ended. Those beyond the table count as the switch: never
 * freed. */
static uint64_t
present(bool *overflow)
{
	struct vale_secondary s[2 * VALE_SECONDARIES_MAX];
	unsigned int nb = vale_secondaries_list(s, RTE_DIM(s));
	uint64_t bits = 0;

	*overflow = false;
	for (unsigned int i = 0; i < nb; i++) {
		if (s[i].slot >= VALE_SECONDARIES_MAX)
			*overflow = true;
		else
			bits |= UINT64_C(1) << s[i].slot;
	}
	return bits;
}

/** The slot of a living process, as a bit; 0 if it has none. */
static uint64_t
bit_of(pid_t pid)
{
	struct vale_secondary s[2 * VALE_SECONDARIES_MAX];
	unsigned int nb = vale_secondaries_list(s, RTE_DIM(s));

	for (unsigned int i = 0; i < nb; i++)
		if (s[i].pid == pid && s[i].slot < VALE_SECONDARIES_MAX)
			return UINT64_C(1) << s[i].slot;
	return 0;
}

/* ---- looking through memzones ---- */

/** Whether a memzone is of a pool: `MP_NAME`, `MP_NAME_CHUNK`, `RG_MP_NAME`. */
static bool
zone_is_of_pool(const char *zone, const char *pool)
{
	size_t len = strlen(pool);
	char *end;

	if (strncmp(zone, RING_ZONE, strlen(RING_ZONE)) == 0)
		zone += strlen(RING_ZONE);
	if (strncmp(zone, POOL_ZONE, strlen(POOL_ZONE)) != 0)
		return false;
	zone += strlen(POOL_ZONE);
	if (strncmp(zone, pool, len) != 0)
		return false;
	if (zone[len] == '\0')
		return true;
	return zone[len] == '_' && zone[len + 1] >= '0' && zone[len + 1] <= '9' &&
	       (strtoul(zone + len + 1, &end, 10), *end == '\0');
}

static uint64_t
owners_of_new(const char *name)
{
	const struct pool *p;
	uint64_t bit;

	if (m.new_is_own)
		return 0;
	LIST_FOREACH (p, &m.pools, next) {
		bit = zone_is_of_pool(name, p->name) ? bit_of(p->pid) : 0;
		if (bit != 0)
			return bit;
	}
	return m.new_owners;
}

static struct zone *
find_zone(const struct rte_memzone *mz)
{
	for (unsigned int i = 0; i < m.nb_zones; i++)
		if (m.zone[i].mz == mz && m.zone[i].addr == mz->addr &&
			strcmp(m.zone[i].name, mz->name) == 0)
			return &m.zone[i];
	return NULL;
}

static void
see_zone(const struct rte_memzone *mz, void *arg __rte_unused)
{
	struct zone *z = find_zone(mz);

	if (z == NULL && m.nb_zones < RTE_DIM(m.zone)) {
		z = &m.zone[m.nb_zones++];
		*z = (struct zone){.mz = mz, .addr = mz->addr, .len = mz->len};
		strlcpy(z->name, mz->name, sizeof(z->name));
		z->owners = owners_of_new(z->name);
	}
	if (z != NULL)
		z->seen = true;
}

static void
forget_unseen(void)
{
	unsigned int nb = 0;

	for (unsigned int i = 0; i < m.nb_zones; i++)
		if (m.zone[i].seen)
			m.zone[nb++] = m.zone[i];
	m.nb_zones = nb;
}

/* ---- the whole look ---- */

/** Look at all that is there. What is new belongs to who is there, or to the switch. */
static void
scan(bool own)
{
	bool overflow;

	m.new_owners = present(&overflow);
	m.new_is_own = own || overflow;
	for (unsigned int i = 0; i < m.nb_zones; i++)
		m.zone[i].seen = false;
	rte_memzone_walk(see_zone, NULL);
	forget_unseen();
	start_pieces_scan(m.new_is_own ? 0 : m.new_owners);
}

/* ---- freeing ---- */

static void
free_chunk_zone(struct rte_mempool_memhdr *hdr __rte_unused, void *zone)
{
	rte_memzone_free(zone);
}

/** The memzone that a chunk of a pool is; NULL: memory of another kind. */
static const struct rte_memzone *
chunk_zone(const struct rte_mempool_memhdr *hdr)
{
	for (unsigned int i = 0; i < m.nb_zones; i++)
		if (m.zone[i].mz == hdr->opaque &&
			(uintptr_t)hdr->addr - (uintptr_t)m.zone[i].addr < m.zone[i].len)
			return m.zone[i].mz;
	return NULL;
}

/** Whether this process can free a pool's store: operations that keep it in shared memory. */
static bool
pool_ops_known(const struct rte_mempool *mp)
{
	static const char *const known[] = {"ring_", "stack", "lf_stack", "vale"};
	const char *name;

	if (mp->ops_index < 0 || (uint32_t)mp->ops_index >= rte_mempool_ops_table.num_ops)
		return false;
	name = rte_mempool_ops_table.ops[mp->ops_index].name;
	for (unsigned int i = 0; i < RTE_DIM(known); i++)
		if (strncmp(name, known[i], strlen(known[i])) == 0)
			return true;
	return false;
}

static bool
free_pool(struct rte_mempool *mp)
{
	struct rte_mempool_memhdr *hdr;

	if (!pool_ops_known(mp)) {
		VALE_LOG(NOTICE, "pool %s was left behind, and its kind cannot be freed here",
			mp->name);
		return false;
	}
	/* the functions in it are those of a process that is gone */
	STAILQ_FOREACH (hdr, &mp->mem_list, next) {
		/* of the parts of a memzone the first frees it */
		if (hdr->free_cb != NULL)
			hdr->free_cb = chunk_zone(hdr) != NULL ? free_chunk_zone : NULL;
	}
	VALE_LOG(INFO, "pool %s is freed: who made it has ended", mp->name);
	/* it would take out object by object, and wait for ever in a ring or stack that its owner
	 * was changing when it died */
	STAILQ_INIT(&mp->elt_list);
	mp->populated_size = 0;
	rte_mempool_free(mp);
	return true;
}

static bool
ends_with_owner(const struct zone *z, uint64_t gone)
{
	return z->owners != 0 && (z->owners & ~gone) == 0;
}

/** Whether a memzone that we know is still the one we know. */
static bool
still_there(const struct zone *z)
{
	return rte_memzone_lookup(z->name) == z->mz && z->mz->addr == z->addr;
}

static bool
free_zone(const struct zone *z)
{
	struct rte_mempool *mp = NULL;
	struct rte_ring *r = NULL;

	if (strncmp(z->name, POOL_ZONE, strlen(POOL_ZONE)) == 0)
		mp = rte_mempool_lookup(z->name + strlen(POOL_ZONE));
	else if (strncmp(z->name, RING_ZONE, strlen(RING_ZONE)) == 0)
		r = rte_ring_lookup(z->name + strlen(RING_ZONE));
	if (mp != NULL && mp->mz == z->mz)
		return free_pool(mp);
	VALE_LOG(INFO, "memzone %s is freed: who made it has ended", z->name);
	if (r != NULL && r->memzone == z->mz) {
		rte_ring_free(r);
		return true;
	}
	return rte_memzone_free(z->mz) == 0;
}

/**
 * Free what nobody owns any more. Pools first, which take their rings and chunks with them; the
 * rest of a pool half-made is found in the second pass.
 */
static void
free_zones(uint64_t gone)
{
	bool overflow;
	uint64_t others = present(&overflow) & ~gone;

	/* it may have freed one itself, and another made one of the same name at the same place */
	for (unsigned int i = 0; i < m.nb_zones; i++)
		if ((m.zone[i].owners & gone) != 0)
			m.zone[i].owners |= others;
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned int i = 0; i < m.nb_zones; i++) {
			struct zone *z = &m.zone[i];
			bool is_pool = strncmp(z->name, POOL_ZONE, strlen(POOL_ZONE)) == 0 &&
				       rte_mempool_lookup(z->name + strlen(POOL_ZONE)) != NULL;

			if (ends_with_owner(z, gone) && !z->orphan && (pass > 0 || is_pool) &&
				still_there(z) && !overflow)
				z->orphan = !free_zone(z);
		}
	}
	/* what is left is nobody's: a slot is used again */
	for (unsigned int i = 0; i < m.nb_zones; i++) {
		m.zone[i].doubtful |= (m.zone[i].owners & gone) != 0;
		m.zone[i].owners &= ~gone;
	}
}

static void
free_pieces(uint64_t gone)
{
	bool overflow;
	uint64_t others = present(&overflow) & ~gone;

	start_pieces_free(gone, others, overflow);
}

static void
free_told_pools(pid_t pid)
{
	struct pool *p, *next;
	struct rte_mempool *mp;

	for (p = LIST_FIRST(&m.pools); p != NULL; p = next) {
		next = LIST_NEXT(p, next);
		if (p->pid != pid)
			continue;
		mp = rte_mempool_lookup(p->name);
		if (mp != NULL && (uintptr_t)mp == p->addr)
			free_pool(mp);
		LIST_REMOVE(p, next);
		free(p);
	}
}

/** Whether processes are known but one, living or not yet taken back. */
static bool
others_known(pid_t but)
{
	struct vale_secondary s[2];
	unsigned int nb = vale_secondaries_list(s, RTE_DIM(s));

	return nb > 1 || (nb == 1 && s[0].pid != but);
}

/** Whether a memzone was left that may refer to pieces of the heap. */
static bool
zones_left(void)
{
	for (unsigned int i = 0; i < m.nb_zones; i++)
		if ((m.zone[i].orphan || m.zone[i].doubtful) &&
			strncmp(m.zone[i].name, POOL_ZONE, strlen(POOL_ZONE)) != 0 &&
			strncmp(m.zone[i].name, RING_ZONE, strlen(RING_ZONE)) != 0)
			return true;
	return false;
}

/** Free what is left in the heap, if no secondary lives. @return whether that has been settled. */
static bool
sweep_heap(pid_t ending)
{
	enum vale_client_heap_sweep ret = VALE_CLIENT_HEAP_KEPT;

	if (!zones_left())
		ret = vale_client_heap_sweep(ending);
	if (ret == VALE_CLIENT_HEAP_CLEAN)
		scan(false); /* what EAL's start took may have been among it */
	return ret != VALE_CLIENT_HEAP_LATER;
}

static void
count_orphans(void)
{
	uint64_t sum = m.heap_orphan;

	for (unsigned int i = 0; i < m.nb_zones; i++)
		sum += m.zone[i].orphan || m.zone[i].doubtful ? m.zone[i].len : 0;
	atomic_store_explicit(&m.orphan_bytes, sum, memory_order_relaxed);
}

/** Heap in use without secondaries, now and before there were any. */
static void
count_heap(pid_t ending)
{
	struct vale_eal_heap_use use;
	bool settled;

	if (others_known(ending)) {
		m.none_lived = false;
		return;
	}
	settled = m.none_lived || sweep_heap(ending);
	vale_eal_heap_use(&use);
	if (!use.fresh)
		return;
	if (m.none_lived) /* only the switch has changed it */
		m.heap_base = use.used_sz - RTE_MIN(m.heap_orphan, use.used_sz);
	else
		m.heap_orphan = use.used_sz > m.heap_base ? use.used_sz - m.heap_base : 0;
	m.none_lived = settled;
	if (settled)
		vale_client_heap_take_stock();
}

/** In use now beyond what the switch has. */
static void
count_client_heap(void)
{
	struct vale_eal_heap_use use;

	vale_eal_heap_use(&use);
	if (use.fresh)
		atomic_store_explicit(&m.client_heap,
			use.used_sz > m.heap_base ? use.used_sz - m.heap_base : 0,
			memory_order_relaxed);
}

void
vale_client_memory_ended(const struct vale_secondary *s)
{
	scan(false);
	free_told_pools(s->pid);
	scan(false);
	if (s->slot < VALE_SECONDARIES_MAX) {
		free_zones(UINT64_C(1) << s->slot);
		free_pieces(UINT64_C(1) << s->slot);
	}
	m.none_lived = false; /* it may have lived between two looks */
	scan(false); /* what was freed may be made again at once, by the same name at the same place
		      */
	count_heap(s->pid);
	count_client_heap();
	count_orphans();
}

void
vale_client_memory_appeared(void)
{
	scan(false);
}

void
vale_client_memory_own_begin(void)
{
	struct vale_eal_heap_use use;

	vale_memory_thread_pause();
	scan(false);
	vale_client_heap_own_begin();
	vale_eal_heap_use(&use);
	m.own_from = use.used_sz;
}

void
vale_client_memory_own_end(void)
{
	struct vale_eal_heap_use use;

	scan(true);
	vale_client_heap_own_end();
	vale_eal_heap_use(&use);
	if (use.fresh)
		m.heap_base += use.used_sz - m.own_from;
	vale_memory_thread_resume();
}

uint64_t
vale_client_memory_heap(void)
{
	return atomic_load_explicit(&m.client_heap, memory_order_relaxed);
}

uint64_t
vale_client_memory_orphan_bytes(void)
{
	return atomic_load_explicit(&m.orphan_bytes, memory_order_relaxed);
}

/* ---- what net_vale tells ---- */

static struct pool *
find_pool(pid_t pid, const char *name)
{
	struct pool *p;

	LIST_FOREACH (p, &m.pools, next)
		if (p->pid == pid && strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

/** Its memzones may have been seen before it was told of. */
static void
settle_owner(pid_t pid, const char *name)
{
	uint64_t bit = bit_of(pid);

	for (unsigned int i = 0; i < m.nb_zones; i++)
		if ((m.zone[i].owners & bit) != 0 && zone_is_of_pool(m.zone[i].name, name))
			m.zone[i].owners = bit;
}

/** What a process said about a pool. */
struct tale {
	pid_t pid;
	bool made;
	uint64_t addr;
	char name[RTE_MEMPOOL_NAMESIZE];
};

static void
hear(const struct tale *t)
{
	struct pool *p = find_pool(t->pid, t->name);

	if (!t->made) {
		if (p != NULL) {
			LIST_REMOVE(p, next);
			free(p);
		}
		return;
	}
	if (bit_of(t->pid) == 0)
		return; /* a process that is not watched: its end would not be seen */
	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			return;
		LIST_INSERT_HEAD(&m.pools, p, next);
	}
	p->pid = t->pid;
	p->addr = t->addr;
	strlcpy(p->name, t->name, sizeof(p->name));
	settle_owner(t->pid, p->name);
}

static void
hear_and_free(void *arg)
{
	hear(arg);
	free(arg);
}

/** Control thread. No answer, not even a refusal: the client does not wait for one. */
static void
handle_own_pool(void *arg __rte_unused, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_own_pool *req = (const void *)msg;
	struct tale *t;

	if (memchr(req->name, '\0', RTE_MEMPOOL_NAMESIZE) == NULL)
		return;
	t = malloc(sizeof(*t));
	if (t == NULL)
		return;
	*t = (struct tale){.pid = vale_conn_pid(c), .made = req->made, .addr = req->addr};
	strlcpy(t->name, req->name, sizeof(t->name));
	if (vale_memory_thread_post(hear_and_free, t) < 0)
		free(t);
}

void
vale_client_memory_tick(void)
{
	/* without secondaries nothing of theirs appears, and what does is ours */
	scan(!others_known(0));
	vale_client_heap_watch();
	count_heap(0);
	count_client_heap();
	count_orphans();
}

int
vale_client_memory_init(struct vale_server *server)
{
	static_assert(RTE_MEMPOOL_NAMESIZE <= sizeof(((struct vale_ctl_own_pool *)0)->name),
		"names of pools fit");
	m.nb_zones = 0;
	m.none_lived = true;
	scan(true);
	count_heap(0);
	vale_server_handle(
		server, VALE_CTL_OWN_POOL, sizeof(struct vale_ctl_own_pool), handle_own_pool, NULL);
	return 0;
}
