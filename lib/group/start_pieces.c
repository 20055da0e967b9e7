/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_common.h>

#include "start_pieces.h"
#include "vale_eal_memory.h"
#include "vale_secondaries.h"

struct start_piece {
	void *pair;
	uint64_t owners; /* bits of slots: whose it may be; 0: the switch's, or nobody's */
	bool seen;	 /* in this look */
};

static struct {
	struct start_piece piece[4 * VALE_SECONDARIES_MAX];
	unsigned int nb;
} t;

static void
see_piece(void *pair, void *arg)
{
	uint64_t candidates = *(const uint64_t *)arg;

	for (unsigned int i = 0; i < t.nb; i++) {
		if (t.piece[i].pair == pair) {
			t.piece[i].seen = true;
			return;
		}
	}
	if (t.nb < RTE_DIM(t.piece))
		t.piece[t.nb++] =
			(struct start_piece){.pair = pair, .owners = candidates, .seen = true};
}

/* Each process takes one: who has one already did not take a new one. */
void
start_pieces_scan(uint64_t candidates)
{
	unsigned int nb = 0;

	for (unsigned int i = 0; i < t.nb; i++) {
		uint64_t o = t.piece[i].owners;

		t.piece[i].seen = false;
		if (o != 0 && (o & (o - 1)) == 0)
			candidates &= ~o;
	}
	if (!vale_eal_services_walk(see_piece, &candidates))
		return;
	for (unsigned int i = 0; i < t.nb; i++)
		if (t.piece[i].seen)
			t.piece[nb++] = t.piece[i];
	t.nb = nb;
}

/* A process that ended in order has freed its own, and one that starts may have got the same place
 * since the last look: such a piece is kept until that one has ended, too. */
void
start_pieces_free(uint64_t gone, uint64_t others, bool overflow)
{
	uint64_t lacking = others;

	for (unsigned int i = 0; i < t.nb; i++) {
		uint64_t o = t.piece[i].owners;

		if (o != gone && (o & (o - 1)) == 0)
			lacking &= ~o;
	}
	for (unsigned int i = 0; i < t.nb; i++) {
		struct start_piece *p = &t.piece[i];

		if ((p->owners & gone) == 0)
			continue;
		p->owners = (p->owners | lacking) & ~gone;
		if (p->owners == 0 && !overflow && vale_eal_services_free(p->pair))
			p->pair = NULL;
	}
}
