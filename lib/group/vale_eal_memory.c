/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ethdev_driver.h>
#include <rte_eal.h>
#include <rte_eal_memconfig.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_memzone.h>
#include <rte_string_fns.h>
#include <rte_version.h>

#include "vale_eal_mem_proto.h"
#include "vale_eal_memory.h"
#include "vale_eal_mp_proto.h"
#include "vale_log.h"

static struct vale_eal_memory memory;

const struct vale_eal_memory *
vale_eal_memory(void)
{
	return memory.cfg == NULL ? NULL : &memory;
}

/* ---- finding it ---- */

/** Where this process has the file `config` mapped; 0 if it has not. *sz receives its bytes. */
static uintptr_t
config_mapping(size_t *sz)
{
	char path[PATH_MAX], real[PATH_MAX], line[PATH_MAX + 128];
	unsigned long from, to;
	uintptr_t found = 0;
	int name_at;
	FILE *f;

	snprintf(path, sizeof(path), "%s/config", rte_eal_get_runtime_dir());
	if (realpath(path, real) == NULL) /* /var/run is a link */
		return 0;
	f = fopen("/proc/self/maps", "re");
	if (f == NULL)
		return 0;
	while (found == 0 && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &from, &to, &name_at) != 2 ||
			strcmp(line + name_at, real) != 0)
			continue;
		found = from;
		*sz = to - from;
	}
	fclose(f);
	return found;
}

static bool
rw_is(const rte_rwlock_t *l, int32_t value)
{
	return __atomic_load_n(&l->cnt, __ATOMIC_RELAXED) == value;
}

/** Each lock is where we think it is: EAL's own functions move it. */
static bool
locks_fit(struct vale_eal_config *c)
{
	bool fit = true;

	rte_mcfg_mem_read_lock();
	fit &= rw_is(&c->memory_hotplug_lock, RTE_RWLOCK_READ);
	rte_mcfg_mem_read_unlock();
	rte_mcfg_tailq_read_lock();
	fit &= rw_is(&c->qlock, RTE_RWLOCK_READ);
	rte_mcfg_tailq_read_unlock();
	rte_mcfg_mempool_read_lock();
	fit &= rw_is(&c->mplock, RTE_RWLOCK_READ);
	rte_mcfg_mempool_read_unlock();
	rte_mcfg_timer_lock();
	fit &= c->tlock.locked == 1;
	rte_mcfg_timer_unlock();
	return fit && rw_is(&c->mlock, 0);
}

/** So are the arrays behind them. */
static bool
arrays_fit(struct vale_eal_config *c)
{
	struct rte_tailq_head *q = rte_eal_tailq_lookup("RTE_RING");
	struct rte_memseg_list *msl = rte_mem_virt2memseg_list(c->heaps[0].first);
	size_t nb_heaps = 0;

	if (q == NULL || msl == NULL)
		return false;
	for (unsigned int i = 0; i < RTE_DIM(c->heaps); i++)
		nb_heaps += strncmp(c->heaps[i].name, "socket_", 7) == 0;
	return strcmp(c->memzones.name, "memzone") == 0 && q >= c->tailq_head &&
	       q < c->tailq_head + RTE_DIM(c->tailq_head) &&
	       ((uintptr_t)q - (uintptr_t)c->tailq_head) % sizeof(*q) == 0 && msl >= c->memsegs &&
	       msl < c->memsegs + RTE_DIM(c->memsegs) && nb_heaps > 0 &&
	       c->heaps[0].first->heap == &c->heaps[0];
}

static struct vale_eal_config *
find_config(void)
{
	struct vale_eal_config *c;
	size_t sz = 0;

	c = (struct vale_eal_config *)config_mapping(&sz);
	if (c == NULL || sz < sizeof(*c) || c->version != RTE_VERSION ||
		c->mem_cfg_addr != (uintptr_t)c)
		return NULL;
	/* in a secondary others move the locks, too */
	if (rte_eal_process_type() == RTE_PROC_PRIMARY && !locks_fit(c))
		return NULL;
	return arrays_fit(c) ? c : NULL;
}

static struct vale_eal_ethdev *
find_ethdev(void)
{
	const struct rte_memzone *mz = rte_memzone_lookup(VALE_EAL_ETHDEV_MZ);
	struct vale_eal_ethdev *e;

	if (mz == NULL || mz->len != RTE_ALIGN_CEIL(sizeof(*e), RTE_CACHE_LINE_SIZE))
		return NULL;
	e = mz->addr;
	return e->ownership_lock.locked == 0 && e->next_owner_id < UINT16_MAX ? e : NULL;
}

int
vale_eal_memory_find(void)
{
	memory = (struct vale_eal_memory){0};
	if (!vale_eal_mp_known())
		return -ENOTSUP;
	memory.cfg = find_config();
	if (memory.cfg == NULL) {
		VALE_LOG(WARNING, "%s: the layout of its shared memory is not the one known here",
			rte_version());
		return -ENOTSUP;
	}
	memory.ethdev = find_ethdev();
	return 0;
}

/* ---- heaps ---- */

static bool
elem_plausible(const struct vale_eal_heap *heap, const struct vale_eal_elem *e)
{
	if (((uintptr_t)e & (RTE_CACHE_LINE_SIZE - 1)) != 0 || rte_mem_virt2memseg_list(e) == NULL)
		return false;
	return e->heap == heap &&
	       (e->state == VALE_EAL_ELEM_FREE || e->state == VALE_EAL_ELEM_BUSY) &&
	       e->size >= sizeof(*e) && e->size % RTE_CACHE_LINE_SIZE == 0;
}

/** Bytes of the elements in a state, by the chain. The caller has the heap's lock. */
static uint64_t
heap_bytes(const struct vale_eal_heap *heap, enum vale_eal_elem_state state)
{
	uint64_t sum = 0;

	for (const struct vale_eal_elem *e = heap->first; e != NULL; e = e->next)
		sum += e->state == state ? e->size : 0;
	return sum;
}

static bool
lock_soon(rte_spinlock_t *lock, unsigned int us)
{
	for (unsigned int waited = 0; !rte_spinlock_trylock(lock); waited += 50) {
		if (waited >= us)
			return false;
		usleep(50);
	}
	return true;
}

void
vale_eal_heap_use(struct vale_eal_heap_use *use)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects: */
	static struct vale_eal_heap_use last[RTE_MAX_HEAPS];

	pthread_mutex_lock(&lock);
	*use = (struct vale_eal_heap_use){.fresh = true};
	for (unsigned int i = 0; memory.cfg != NULL && i < RTE_MAX_HEAPS; i++) {
		struct vale_eal_heap *heap = &memory.cfg->heaps[i];

		if (heap->first == NULL)
			continue;
		if (lock_soon(&heap->lock, 20000)) {
			last[i].free_sz = heap_bytes(heap, VALE_EAL_ELEM_FREE);
			last[i].used_sz = heap_bytes(heap, VALE_EAL_ELEM_BUSY);
			rte_spinlock_unlock(&heap->lock);
		} else {
			use->fresh = false;
		}
		use->free_sz += last[i].free_sz;
		use->used_sz += last[i].used_sz;
	}
	pthread_mutex_unlock(&lock);
}

bool
vale_eal_heap_walk(bool (*may)(void *arg), void (*fn)(void *elem, size_t sz, void *arg), void *arg)
{
	bool all = true;

	for (unsigned int i = 0; memory.cfg != NULL && all && i < RTE_MAX_HEAPS; i++) {
		struct vale_eal_heap *heap = &memory.cfg->heaps[i];

		/* memory of other kinds may not be mapped here */
		if (heap->first == NULL || strncmp(heap->name, "socket_", 7) != 0)
			continue;
		if (!lock_soon(&heap->lock, 20000))
			return false;
		all = may == NULL || may(arg);
		for (struct vale_eal_elem *e = heap->first; all && e != NULL; e = e->next)
			if (e->state == VALE_EAL_ELEM_BUSY)
				fn(e, e->size, arg);
		rte_spinlock_unlock(&heap->lock);
	}
	return all && memory.cfg != NULL;
}

void *
vale_eal_piece_of(const void *data)
{
	struct vale_eal_elem *e = RTE_PTR_SUB(data, sizeof(*e));

	return e->state == VALE_EAL_ELEM_PAD ? RTE_PTR_SUB(e, e->pad) : e;
}

void
vale_eal_piece_free(void *elem)
{
	struct vale_eal_elem *e = elem;

	/* data begins behind the padding and the header that stands there */
	rte_free(RTE_PTR_ADD(e, e->pad + sizeof(*e)));
}

/** Sizes of the elements that lib/eal/common/rte_service.c makes: 1,152 bytes an lcore, and 128 for
 * each of 64 services. */
#define SERVICE_CORES_SZ (sizeof(struct vale_eal_elem) + RTE_MAX_LCORE * 1152)
#define SERVICES_SZ (sizeof(struct vale_eal_elem) + 64 * 128)

/** Whether an element and the one behind it are the services' tables of a process. */
static bool
is_services(const struct vale_eal_elem *e)
{
	const struct vale_eal_elem *n = e->next;

	return e->state == VALE_EAL_ELEM_BUSY && e->size == SERVICE_CORES_SZ && e->pad == 0 &&
	       n == RTE_PTR_ADD(e, e->size) && n->state == VALE_EAL_ELEM_BUSY &&
	       n->size == SERVICES_SZ && n->pad == 0;
}

bool
vale_eal_services_walk(void (*fn)(void *pair, void *arg), void *arg)
{
	bool all = true;

	for (unsigned int i = 0; memory.cfg != NULL && i < RTE_MAX_HEAPS; i++) {
		struct vale_eal_heap *heap = &memory.cfg->heaps[i];

		if (heap->first == NULL)
			continue;
		if (!lock_soon(&heap->lock, 20000)) {
			all = false;
			continue;
		}
		for (struct vale_eal_elem *e = heap->first; e != NULL; e = e->next)
			if (is_services(e))
				fn(e, arg);
		rte_spinlock_unlock(&heap->lock);
	}
	return all;
}

/** A process without services has written nothing there. */
static bool
is_zero(const struct vale_eal_elem *e)
{
	const uint64_t *word = (const uint64_t *)(e + 1);

	for (size_t i = 0; i < (e->size - sizeof(*e)) / sizeof(*word); i++)
		if (word[i] != 0)
			return false;
	return true;
}

bool
vale_eal_services_free(void *pair)
{
	struct vale_eal_elem *e = pair, *n;

	if (!is_services(e) || !is_zero(e) || !is_zero(e->next))
		return false;
	n = e->next;
	rte_free(n + 1);
	rte_free(e + 1);
	return true;
}

/** The list of free elements that one of @p size bytes belongs to: four times as large from each to
 * the next. */
static unsigned int
free_list_of(size_t size)
{
	unsigned int log2;

	size -= sizeof(struct vale_eal_elem);
	if (size <= 256)
		return 0;
	log2 = 64 - __builtin_clzl(size - 1);
	return RTE_MIN((log2 - 8 + 1) / 2, VALE_EAL_FREE_LISTS - 1u);
}

/** Whether the chain holds from first to last, both ways. */
static bool
chain_sound(const struct vale_eal_heap *heap)
{
	const struct vale_eal_elem *prev = NULL;

	for (const struct vale_eal_elem *e = heap->first; e != NULL; prev = e, e = e->next) {
		if (!elem_plausible(heap, e) || e->prev != prev)
			return false;
		if (prev != NULL && (uintptr_t)prev + prev->size > (uintptr_t)e)
			return false;
	}
	return heap->last == prev;
}

/** Whether each free element is on exactly the list it belongs to. The chain is sound. */
static bool
free_lists_sound(const struct vale_eal_heap *heap)
{
	size_t nb_chain = 0, nb_lists = 0;

	for (const struct vale_eal_elem *e = heap->first; e != NULL; e = e->next)
		nb_chain += e->state == VALE_EAL_ELEM_FREE;
	for (unsigned int i = 0; i < VALE_EAL_FREE_LISTS; i++) {
		struct vale_eal_elem *const *prev = &heap->free_head[i];

		for (const struct vale_eal_elem *e = *prev; e != NULL; e = e->free_next) {
			if (!elem_plausible(heap, e) || e->free_prev != prev ||
				e->state != VALE_EAL_ELEM_FREE || free_list_of(e->size) != i ||
				++nb_lists > nb_chain)
				return false;
			prev = &e->free_next;
		}
	}
	return nb_lists == nb_chain;
}

/**
 * Make the chain sound again. A process dies at one instruction, so at most one change is
 * half-done; in a split, a join or an insertion one of the two directions is whole and no element
 * overlaps the next but, in a split, the one that was about to be shortened.
 */
static bool
chain_mend(struct vale_eal_heap *heap)
{
	struct vale_eal_elem *prev = NULL, *e, *next;

	for (e = heap->first; e != NULL; prev = e, e = next) {
		if (!elem_plausible(heap, e) || (prev != NULL && e <= prev))
			return false;
		next = e->next;
		e->prev = prev;
		/* split: the new one is linked, the old one not yet shortened */
		if (next != NULL && (uintptr_t)e + e->size > (uintptr_t)next)
			e->size = (uintptr_t)next - (uintptr_t)e;
	}
	heap->last = prev;
	return chain_sound(heap);
}

static void
free_lists_build(struct vale_eal_heap *heap)
{
	unsigned int nb_busy = 0;

	memset(heap->free_head, 0, sizeof(heap->free_head));
	for (struct vale_eal_elem *e = heap->first; e != NULL; e = e->next) {
		struct vale_eal_elem **head = &heap->free_head[free_list_of(e->size)];

		if (e->state == VALE_EAL_ELEM_BUSY) {
			nb_busy++;
			continue;
		}
		e->pad = 0;
		e->dirty = 1; /* it may not have been cleared yet */
		e->free_next = *head;
		e->free_prev = head;
		if (*head != NULL)
			(*head)->free_prev = &e->free_next;
		*head = e;
	}
	heap->alloc_count = nb_busy;
}

enum vale_eal_heap_state
vale_eal_heap_repair(struct vale_eal_heap *heap)
{
	if (chain_sound(heap) && free_lists_sound(heap))
		return VALE_EAL_HEAP_SOUND;
	if (!chain_sound(heap) && !chain_mend(heap)) {
		memset(heap->free_head, 0, sizeof(heap->free_head));
		return VALE_EAL_HEAP_LOST;
	}
	free_lists_build(heap);
	return VALE_EAL_HEAP_REPAIRED;
}

/* ---- lists of named objects ---- */

/** Forward pointers are changed by one store each, so they hold; the others follow from them. */
static bool
tailq_mend(struct rte_tailq_entry_head *q)
{
	struct rte_tailq_entry **at = &q->tqh_first, *te;
	bool changed = false;

	for (te = *at; te != NULL; te = *at) {
		if (rte_mem_virt2memseg_list(te) == NULL) {
			*at = NULL;
			changed = true;
			break;
		}
		changed |= te->next.tqe_prev != at;
		te->next.tqe_prev = at;
		at = &te->next.tqe_next;
	}
	changed |= q->tqh_last != at;
	q->tqh_last = at;
	return changed;
}

unsigned int
vale_eal_tailqs_repair(void)
{
	unsigned int nb = 0;

	for (unsigned int i = 0; memory.cfg != NULL && i < RTE_MAX_TAILQ; i++) {
		struct rte_tailq_head *q = &memory.cfg->tailq_head[i];

		if (q->name[0] != '\0')
			nb += tailq_mend(&q->tailq_head);
	}
	return nb;
}

unsigned int
vale_eal_memzones_repair(void)
{
	unsigned int nb = 0;
	struct rte_fbarray *arr;
	const struct rte_memzone *mz;
	int i;

	if (memory.cfg == NULL)
		return 0;
	arr = &memory.cfg->memzones;
	for (i = rte_fbarray_find_next_used(arr, 0); i >= 0;
		i = rte_fbarray_find_next_used(arr, i + 1)) {
		mz = rte_fbarray_get(arr, i);
		/* filled in after it was taken, and cleared after it was given back */
		if (mz->addr == NULL || mz->len == 0 || mz->name[0] == '\0')
			nb += rte_fbarray_set_free(arr, i) == 0;
	}
	return nb;
}

/* ---- ethdevs ---- */

static int
ethdev_free_id(const struct vale_eal_ethdev *e, const char *name)
{
	int free_id = -1;

	for (int i = RTE_MAX_ETHPORTS - 1; i >= 0; i--) {
		if (e->data[i].name[0] == '\0' && rte_eth_devices[i].state == RTE_ETH_DEV_UNUSED)
			free_id = i;
		else if (strcmp(e->data[i].name, name) == 0)
			return -1;
	}
	return free_id;
}

struct rte_eth_dev *
vale_eal_ethdev_take(const char *name)
{
	struct vale_eal_ethdev *e = memory.ethdev;
	struct rte_eth_dev_data *data;
	bool locked;
	int id;

	if (e == NULL)
		return rte_eth_dev_allocate(name);
	locked = lock_soon(&e->ownership_lock, 1000);
	id = ethdev_free_id(e, name);
	if (id >= 0) {
		data = &e->data[id];
		strlcpy(data->name, name, sizeof(data->name));
		data->port_id = id;
		data->backer_port_id = RTE_MAX_ETHPORTS;
		data->mtu = RTE_ETHER_MTU;
		pthread_mutex_init(&data->flow_ops_mutex, NULL);
		rte_eth_devices[id].data = data;
	}
	if (locked)
		rte_spinlock_unlock(&e->ownership_lock);
	return id < 0 ? NULL : &rte_eth_devices[id];
}

void
vale_eal_ethdev_give(struct rte_eth_dev *dev)
{
	struct vale_eal_ethdev *e = memory.ethdev;
	bool locked;

	if (e == NULL) {
		rte_eth_dev_release_port(dev);
		return;
	}
	dev->state = RTE_ETH_DEV_UNUSED;
	dev->device = NULL;
	dev->process_private = NULL;
	locked = lock_soon(&e->ownership_lock, 1000);
	pthread_mutex_destroy(&dev->data->flow_ops_mutex);
	memset(dev->data, 0, sizeof(*dev->data));
	if (locked)
		rte_spinlock_unlock(&e->ownership_lock);
}
