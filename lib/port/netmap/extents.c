/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "extents.h"

void
nm_extents_init(struct nm_extents *x, uint32_t first, uint32_t nb)
{
	*x = (struct nm_extents){.range = {.first = first, .nb = nb}, .fresh = first};
}

void
nm_extents_free(struct nm_extents *x)
{
	free(x->used);
	x->used = NULL;
	x->nb_used = x->room = 0;
}

/* The gap in front of used part i; behind the last for i = nb_used. */
static struct nm_extent
gap_before(const struct nm_extents *x, uint32_t i)
{
	uint32_t lo = i == 0 ? x->range.first : x->used[i - 1].first + x->used[i - 1].nb;
	uint32_t hi = i == x->nb_used ? x->range.first + x->range.nb : x->used[i].first;

	return (struct nm_extent){.first = lo, .nb = hi - lo};
}

static int
insert(struct nm_extents *x, uint32_t at, struct nm_extent part)
{
	if (x->nb_used == x->room) {
		uint32_t room = x->room == 0 ? 8 : 2 * x->room;
		struct nm_extent *p = realloc(x->used, room * sizeof(*p));

		if (p == NULL)
			return -ENOMEM;
		x->used = p;
		x->room = room;
	}
	memmove(&x->used[at + 1], &x->used[at], (x->nb_used - at) * sizeof(x->used[0]));
	x->used[at] = part;
	x->nb_used++;
	return 0;
}

static int
take_from(
	struct nm_extents *x, uint32_t at, struct nm_extent gap, uint32_t nb, struct nm_extent *out)
{
	gap.nb = nb;
	if (insert(x, at, gap) < 0)
		return -ENOMEM;
	x->fresh = RTE_MAX(x->fresh, gap.first + nb);
	*out = gap;
	return 0;
}

int
nm_extents_take(struct nm_extents *x, uint32_t nb, struct nm_extent *out)
{
	struct nm_extent unused = {
		.first = x->fresh, .nb = x->range.first + x->range.nb - x->fresh};

	*out = (struct nm_extent){0};
	if (nb == 0)
		return 0;
	if (unused.nb >= nb)
		return take_from(x, x->nb_used, unused, nb, out);
	for (uint32_t i = 0; i <= x->nb_used; i++) {
		struct nm_extent gap = gap_before(x, i);

		if (gap.nb >= nb)
			return take_from(x, i, gap, nb, out);
	}
	return -ENOSPC;
}

void
nm_extents_give(struct nm_extents *x, struct nm_extent *part)
{
	for (uint32_t i = 0; part->nb > 0 && i < x->nb_used; i++) {
		if (x->used[i].first != part->first)
			continue;
		x->nb_used--;
		memmove(&x->used[i], &x->used[i + 1], (x->nb_used - i) * sizeof(x->used[0]));
		break;
	}
	*part = (struct nm_extent){0};
}

uint32_t
nm_extents_largest(const struct nm_extents *x)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i <= x->nb_used; i++) {
		uint32_t nb = gap_before(x, i).nb;

		most = nb > most ? nb : most;
	}
	return most;
}
