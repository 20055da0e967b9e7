/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ethdev_driver.h>
#include <rte_eal.h>
#include <rte_eal_memconfig.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_memzone.h>

#include "vale_client_heap.h"
#include "vale_eal_mem_proto.h"
#include "vale_eal_memory.h"
#include "vale_log.h"
#include "vale_process.h"
#include "vale_secondaries.h"

/* Who has our memory mapped is asked this often at most: it means reading much of /proc. */
#define LOOK_MS 2000

/** A set of addresses. */
struct addrs {
	uintptr_t *a;
	unsigned int nb, room;
	bool failed; /**< without memory: not complete */
};

/** A piece of the heap. */
struct piece {
	void *elem;
	size_t sz;
};

static struct {
	struct addrs stock;  /* pieces that are not a client's */
	struct addrs before; /* pieces at own_begin() */
	bool known;	     /* the stock is complete */
	bool doubt;	     /* somebody else in this process may have taken some since */
	uint64_t looked_ms;
} h;

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- sets of addresses ---- */

static void
addrs_clear(struct addrs *s)
{
	s->nb = 0;
	s->failed = false;
}

static void
addrs_add(struct addrs *s, const void *p)
{
	unsigned int room = s->room == 0 ? 1024 : 2 * s->room;
	uintptr_t *a;

	if (p == NULL)
		return;
	if (s->nb == s->room) {
		a = realloc(s->a, room * sizeof(a[0]));
		if (a == NULL) {
			s->failed = true;
			return;
		}
		s->a = a;
		s->room = room;
	}
	s->a[s->nb++] = (uintptr_t)p;
}

static int
by_address(const void *x, const void *y)
{
	uintptr_t a = *(const uintptr_t *)x, b = *(const uintptr_t *)y;

	return a < b ? -1 : a > b;
}

static void
addrs_sort(struct addrs *s)
{
	if (s->nb > 0)
		qsort(s->a, s->nb, sizeof(s->a[0]), by_address);
}

/** Whether one of a sorted set lies in [from, from + sz). */
static bool
addrs_in(const struct addrs *s, const void *from, size_t sz)
{
	unsigned int lo = 0, hi = s->nb;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (s->a[mid] < (uintptr_t)from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->nb && s->a[lo] - (uintptr_t)from < sz;
}

/* ---- devices ---- */

/** Drivers that take no memory but when they are told to do something: no threads of their own. */
static bool
is_quiet(const struct rte_eth_dev *dev)
{
	static const char *const quiet[] = {
		"net_tap", "net_af_packet", "net_null", "net_pcap", "net_ring"};
	const char *name = dev->device->driver != NULL ? dev->device->driver->name : "";

	for (unsigned int i = 0; i < RTE_DIM(quiet); i++)
		if (strcmp(name, quiet[i]) == 0)
			return true;
	return false;
}

void
vale_client_heap_watch(void)
{
	for (unsigned int i = 0; i < RTE_MAX_ETHPORTS; i++) {
		const struct rte_eth_dev *dev = &rte_eth_devices[i];

		/* those of `dpdk` ports have no device in this process */
		if (dev->state != RTE_ETH_DEV_UNUSED && dev->device != NULL && !is_quiet(dev))
			h.doubt = true;
	}
}

/* ---- the stock ---- */

static void
add_piece(void *elem, size_t sz __rte_unused, void *arg)
{
	addrs_add(arg, elem);
}

static bool
nobody_starts(void *arg __rte_unused)
{
	return vale_secondaries_folder_is_empty();
}

static bool
all_pieces(struct addrs *s, bool (*may)(void *arg))
{
	bool all;

	addrs_clear(s);
	all = vale_eal_heap_walk(may, add_piece, s) && !s->failed;
	addrs_sort(s);
	return all;
}

void
vale_client_heap_take_stock(void)
{
	struct addrs fresh = {0};

	if (!all_pieces(&fresh, nobody_starts)) {
		free(fresh.a);
		return;
	}
	free(h.stock.a);
	h.stock = fresh;
	h.known = true;
	h.doubt = false;
	vale_client_heap_watch();
}

void
vale_client_heap_own_begin(void)
{
	if (!all_pieces(&h.before, NULL))
		h.doubt = true;
}

static void
add_own(void *elem, size_t sz, void *arg)
{
	if (!addrs_in(&h.before, elem, 1))
		addrs_add(arg, elem);
}

void
vale_client_heap_own_end(void)
{
	if (!vale_eal_heap_walk(NULL, add_own, &h.stock) || h.stock.failed)
		h.doubt = true;
	addrs_sort(&h.stock);
	vale_client_heap_watch();
}

/* ---- what shared memory refers to ---- */

/** Of a sweep. */
struct sweep {
	struct addrs refs;
	struct piece *pieces;
	unsigned int nb, room;
	bool failed;
	unsigned int seen; /**< vale_secondaries_seen() at first */
};

static void
refer_zone(const struct rte_memzone *mz, void *arg)
{
	addrs_add(arg, mz->addr);
}

static void
refer_ethdevs(struct addrs *refs)
{
	const struct vale_eal_ethdev *e = vale_eal_memory()->ethdev;

	for (unsigned int i = 0; e != NULL && i < RTE_MAX_ETHPORTS; i++) {
		const struct rte_eth_dev_data *d = &e->data[i];

		if (d->name[0] == '\0')
			continue;
		addrs_add(refs, d->rx_queues);
		addrs_add(refs, d->tx_queues);
		addrs_add(refs, d->dev_private);
		addrs_add(refs, d->mac_addrs);
		addrs_add(refs, d->hash_mac_addrs);
	}
}

/** What belongs to a pool and is not a memzone. */
static void
refer_pool(struct addrs *refs, const struct rte_mempool *mp)
{
	const struct rte_mempool_memhdr *hdr;

	addrs_add(refs, mp->pool_data);
	STAILQ_FOREACH (hdr, &mp->mem_list, next) {
		if (rte_mem_virt2memseg_list(hdr) == NULL)
			return; /* half-made */
		addrs_add(refs, hdr);
	}
}

static bool
is_mbuf_field(const char *list)
{
	return strncmp(list, "RTE_MBUF_DYN", 12) == 0;
}

/** Whether a list is of named objects, and not one that a bus keeps for itself. */
static bool
is_of_objects(const char *list)
{
	return strncmp(list, "RTE_", 4) == 0;
}

/** Whether an object is or lies in a memzone, all of which are referred to already. */
struct in_zone {
	const void *obj;
	bool found;
};

static void
look_in_zone(const struct rte_memzone *mz, void *arg)
{
	struct in_zone *z = arg;

	z->found |= (uintptr_t)z->obj - (uintptr_t)mz->addr < mz->len;
}

static bool
is_in_zone(const void *obj)
{
	struct in_zone z = {.obj = obj};

	rte_memzone_walk(look_in_zone, &z);
	return z.found;
}

/** Whether an entry of a list stays, with its object. */
static bool
entry_stays(const char *list, const struct rte_tailq_entry *te)
{
	return !is_of_objects(list) || is_mbuf_field(list) ||
	       addrs_in(&h.stock, vale_eal_piece_of(te), 1) || is_in_zone(te->data);
}

static void
refer_list(struct addrs *refs, const struct rte_tailq_head *list)
{
	const struct rte_tailq_entry *te;

	TAILQ_FOREACH (te, &list->tailq_head, next) {
		if (!entry_stays(list->name, te))
			continue;
		addrs_add(refs, te);
		if (is_of_objects(list->name))
			addrs_add(refs, te->data);
		if (strcmp(list->name, "RTE_MEMPOOL") == 0)
			refer_pool(refs, te->data);
	}
}

/** With the lists' lock. */
static void
refer_all(struct addrs *refs)
{
	const struct vale_eal_config *cfg = vale_eal_memory()->cfg;

	rte_memzone_walk(refer_zone, refs);
	refer_ethdevs(refs);
	for (unsigned int i = 0; i < RTE_MAX_TAILQ; i++)
		if (cfg->tailq_head[i].name[0] != '\0')
			refer_list(refs, &cfg->tailq_head[i]);
	addrs_sort(refs);
}

/** Take out the names of what will be freed. With the lists' lock. */
static void
unlink_names(void)
{
	struct vale_eal_config *cfg = vale_eal_memory()->cfg;
	struct rte_tailq_entry *te, *next;

	for (unsigned int i = 0; i < RTE_MAX_TAILQ; i++) {
		struct rte_tailq_head *list = &cfg->tailq_head[i];

		if (list->name[0] == '\0')
			continue;
		RTE_TAILQ_FOREACH_SAFE(te, &list->tailq_head, next, next)
		{
			if (entry_stays(list->name, te))
				continue;
			VALE_LOG(INFO, "an object of %s is freed: who made it has ended",
				list->name);
			TAILQ_REMOVE(&list->tailq_head, te, next);
		}
	}
}

/* ---- the sweep ---- */

static bool
is_alone(void *arg)
{
	const struct sweep *s = arg;

	return vale_secondaries_seen() == s->seen && vale_secondaries_folder_is_empty();
}

static void
choose(void *elem, size_t sz, void *arg)
{
	struct sweep *s = arg;
	unsigned int room = s->room == 0 ? 256 : 2 * s->room;
	struct piece *p;

	if (addrs_in(&h.stock, elem, 1) || addrs_in(&s->refs, elem, sz))
		return;
	if (s->nb == s->room) {
		p = realloc(s->pieces, room * sizeof(p[0]));
		if (p == NULL) {
			s->failed = true;
			return;
		}
		s->pieces = p;
		s->room = room;
	}
	s->pieces[s->nb++] = (struct piece){.elem = elem, .sz = sz};
}

/** Whether a process could still use what is in the heap. */
static bool
somebody_maps(void)
{
	char path[PATH_MAX], real[PATH_MAX];

	snprintf(path, sizeof(path), "%s/config", rte_eal_get_runtime_dir());
	return realpath(path, real) == NULL || vale_process_others_map(real);
}

static bool
others_listed(pid_t but)
{
	struct vale_secondary s[2];
	unsigned int nb = vale_secondaries_list(s, RTE_DIM(s));

	return nb > 1 || (nb == 1 && s[0].pid != but);
}

/** Choose what to free, and make it unreachable. @return false if somebody came. */
static bool
take_away(struct sweep *s)
{
	bool ok;

	rte_mcfg_tailq_write_lock();
	refer_all(&s->refs);
	ok = vale_eal_heap_walk(is_alone, choose, s) && !s->failed && !s->refs.failed;
	if (ok)
		unlink_names();
	rte_mcfg_tailq_write_unlock();
	return ok;
}

static void
free_pieces(const struct sweep *s)
{
	size_t sum = 0;

	for (unsigned int i = 0; i < s->nb; i++) {
		sum += s->pieces[i].sz;
		vale_eal_piece_free(s->pieces[i].elem);
	}
	if (s->nb > 0)
		VALE_LOG(INFO,
			"%u pieces of the heap, %zu bytes, are freed: who took them has ended",
			s->nb, sum);
}

static void
count_foreign(void *elem, size_t sz __rte_unused, void *arg)
{
	*(unsigned int *)arg += !addrs_in(&h.stock, elem, 1);
}

/** Whether there is anything that is not in the stock: most of the time not. */
static bool
something_is_left(void)
{
	unsigned int nb = 0;

	return !vale_eal_heap_walk(NULL, count_foreign, &nb) || nb > 0;
}

enum vale_client_heap_sweep
vale_client_heap_sweep(pid_t ending)
{
	struct sweep s = {.seen = vale_secondaries_seen()};
	bool ok = false;

	vale_client_heap_watch();
	if (!h.known || h.doubt || vale_eal_memory() == NULL)
		return VALE_CLIENT_HEAP_KEPT;
	if (!something_is_left())
		return VALE_CLIENT_HEAP_CLEAN;
	if (others_listed(ending) || now_ms() - h.looked_ms < LOOK_MS)
		return VALE_CLIENT_HEAP_LATER;
	if (somebody_maps()) {
		h.looked_ms = now_ms();
		return VALE_CLIENT_HEAP_LATER;
	}
	ok = take_away(&s);
	if (ok)
		free_pieces(&s);
	free(s.pieces);
	free(s.refs.a);
	return ok ? VALE_CLIENT_HEAP_CLEAN : VALE_CLIENT_HEAP_LATER;
}
