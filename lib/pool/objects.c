/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * All mbufs of a pool. Their addresses are sorted; an index by address, cut into pieces of about
 * one object, says where in the sorted table to look, so that a search is one or two comparisons,
 * whatever holes there are.
 */
#include <stdlib.h>

#include "pool.h"

struct pool_objects {
	unsigned int nb;
	uintptr_t lo, hi; /**< addresses of the first and last object */
	size_t piece_sz;  /**< bytes of address space */
	unsigned int nb_pieces;
	uint32_t *first; /**< [nb_pieces + 1]: objects below each piece */
	uintptr_t *addr; /**< [nb], ascending */
};

static void
object_add(struct rte_mempool *mp, void *arg, void *obj, unsigned int idx)
{
	struct pool_objects *o = arg;

	if (idx < o->nb)
		o->addr[idx] = (uintptr_t)obj;
}

static int
by_address(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return x < y ? -1 : x > y;
}

/** Choose pieces. Where memory is far apart there are more objects in each. @return false without
 * memory. */
static bool
pieces_create(struct pool_objects *o, size_t obj_sz)
{
	o->lo = o->addr[0];
	o->hi = o->addr[o->nb - 1];
	o->piece_sz = RTE_MAX(obj_sz, (o->hi - o->lo) / (4 * (size_t)o->nb) + 1);
	o->nb_pieces = (o->hi - o->lo) / o->piece_sz + 1;
	o->first = calloc(o->nb_pieces + 1, sizeof(o->first[0]));
	return o->first != NULL;
}

static void
pieces_fill(struct pool_objects *o)
{
	unsigned int i = 0;

	for (unsigned int piece = 0; piece <= o->nb_pieces; piece++) {
		while (i < o->nb && o->addr[i] - o->lo < piece * o->piece_sz)
			i++;
		o->first[piece] = i;
	}
}

struct pool_objects *
objects_create(struct rte_mempool *mp)
{
	struct pool_objects *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->nb = mp->size;
	o->addr = calloc(o->nb, sizeof(o->addr[0]));
	if (o->addr == NULL || rte_mempool_obj_iter(mp, object_add, o) != o->nb) {
		objects_free(o);
		return NULL;
	}
	qsort(o->addr, o->nb, sizeof(o->addr[0]), by_address);
	if (!pieces_create(o, mp->header_size + mp->elt_size + mp->trailer_size)) {
		objects_free(o);
		return NULL;
	}
	pieces_fill(o);
	return o;
}

void
objects_free(struct pool_objects *o)
{
	if (o == NULL)
		return;
	free(o->addr);
	free(o->first);
	free(o);
}

unsigned int
objects_nb(const struct pool_objects *o)
{
	return o->nb;
}

struct rte_mbuf *
objects_at(const struct pool_objects *o, unsigned int i)
{
	return (struct rte_mbuf *)o->addr[i];
}

int
objects_find(const struct pool_objects *o, const void *obj)
{
	uintptr_t a = (uintptr_t)obj;
	size_t piece;

	if (a < o->lo || a > o->hi)
		return -1;
	piece = (a - o->lo) / o->piece_sz;
	/* more than a few only where memory is far apart */
	for (uint32_t i = o->first[piece]; i < o->first[piece + 1]; i++)
		if (o->addr[i] == a)
			return (int)i;
	return -1;
}
