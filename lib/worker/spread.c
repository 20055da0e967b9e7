/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "spread.h"
#include "vale_log.h"
#include "worker.h"

/* Idle queues that may move at one look. */
#define IDLE_MOVES_MAX 8

/* What a worker has. */
struct share {
	uint32_t load;
	uint32_t nb; /* queues */
};

static void
sum_up(const struct spread_queue *q, uint32_t nb, unsigned int nb_workers, struct share *share)
{
	for (unsigned int i = 0; i < nb_workers; i++)
		share[i] = (struct share){0};
	for (uint32_t i = 0; i < nb; i++) {
		share[q[i].worker].load += q[i].load;
		share[q[i].worker].nb++;
	}
}

/* By how much the busier of two workers is relieved if a queue moves; 0 if it is not. */
static uint32_t
gain_of(const struct spread_queue *q, const struct share *share, unsigned int to)
{
	uint32_t before = share[q->worker].load;
	uint32_t after = RTE_MAX(before - q->load, share[to].load + q->load);

	return after < before ? before - after : 0;
}

static bool
choose_by_load(const struct spread_queue *q, uint32_t nb, const struct share *share,
	unsigned int nb_workers, struct spread_move *move)
{
	uint32_t best = SPREAD_GAIN_MIN - 1, best_load = 0;
	unsigned int to = 0;

	for (unsigned int i = 1; i < nb_workers; i++)
		to = share[i].load < share[to].load ? i : to;
	for (uint32_t i = 0; i < nb; i++) {
		uint32_t gain = q[i].rests || q[i].worker == to ? 0 : gain_of(&q[i], share, to);

		/* of two that help as much the smaller one: its frames wait while it moves */
		if (gain < best || (gain == best && (best_load == 0 || q[i].load >= best_load)))
			continue;
		best = gain;
		best_load = q[i].load;
		*move = (struct spread_move){.queue = i, .to = to, .by_load = true};
	}
	return best >= SPREAD_GAIN_MIN;
}

/* Idle queues go from who has most to who has fewest, unless that one has more to do already. */
static bool
choose_by_number(const struct spread_queue *q, uint32_t nb, const struct share *share,
	unsigned int nb_workers, struct spread_move *move)
{
	unsigned int from = 0, to = 0;

	for (unsigned int i = 1; i < nb_workers; i++) {
		from = share[i].nb > share[from].nb ? i : from;
		to = share[i].nb < share[to].nb ? i : to;
	}
	if (share[from].nb - share[to].nb < 2 ||
		share[to].load > share[from].load + SPREAD_GAIN_MIN)
		return false;
	for (uint32_t i = 0; i < nb; i++) {
		if (q[i].worker != from || q[i].rests || q[i].load >= SPREAD_IDLE)
			continue;
		*move = (struct spread_move){.queue = i, .to = to};
		return true;
	}
	return false;
}

bool
spread_choose(const struct spread_queue *q, uint32_t nb, unsigned int nb_workers,
	struct spread_move *move)
{
	struct share share[VALE_WORKERS_MAX];

	if (nb_workers < 2)
		return false;
	sum_up(q, nb, nb_workers, share);
	return choose_by_load(q, nb, share, nb_workers, move) ||
	       choose_by_number(q, nb, share, nb_workers, move);
}

unsigned int
worker_for_rxq(const struct vale_workers *ws)
{
	uint32_t least = UINT32_MAX;
	unsigned int best = 0;

	for (unsigned int i = 0; i < ws->nb; i++) {
		const struct vale_plan *plan = atomic_load(&ws->w[i]->plan);
		uint32_t load = 0, key;

		for (uint16_t k = 0; k < plan->nb_rxq; k++)
			load += plan->rxq[k]->load.looks == 0 ? SPREAD_ASSUMED
							      : plan->rxq[k]->load.share;
		/* differences that say nothing leave it to the number of queues */
		key = load / SPREAD_ASSUMED << 16 | plan->nb_rxq;
		if (key < least) {
			least = key;
			best = i;
		}
	}
	return best;
}

/* ---- twice a second ---- */

static void
measure(struct vale_rxq *q, uint64_t cycles)
{
	struct vale_rxq_load *l = &q->load;
	uint64_t busy = vale_counter_read(&q->busy);
	uint64_t share = (busy - l->busy) * SPREAD_CORE / cycles;

	l->busy = busy;
	/* what was before it came to this worker, or before the last look */
	if (l->looks++ == 0)
		return;
	/* a sample stands for many rounds and may say more than there was */
	share = RTE_MIN(share, (uint64_t)SPREAD_CORE);
	l->share = l->looks == 2 ? share : (l->share + share + (share > l->share)) / 2;
	if (l->rest > 0)
		l->rest--;
}

static uint32_t
count_queues(const struct vale_workers *ws)
{
	uint32_t nb = 0;

	for (unsigned int i = 0; i < ws->nb; i++)
		nb += atomic_load(&ws->w[i]->plan)->nb_rxq;
	return nb;
}

static void
measure_all(struct vale_workers *ws, struct vale_rxq **rxq)
{
	uint64_t now = rte_get_tsc_cycles();
	uint64_t cycles = now - ws->looked_at;

	ws->looked_at = now;
	for (unsigned int i = 0; i < ws->nb; i++) {
		const struct vale_plan *plan = atomic_load(&ws->w[i]->plan);

		for (uint16_t k = 0; k < plan->nb_rxq; k++) {
			measure(plan->rxq[k], RTE_MAX(cycles, UINT64_C(1)));
			*rxq++ = plan->rxq[k];
		}
	}
}

/* Move a queue. False if it stays: then nothing more is tried this time. */
static bool
move(struct vale_workers *ws, struct vale_rxq *q, const struct spread_move *m)
{
	unsigned int from = q->worker;
	int ret = worker_move_rxq(ws, q, m->to);

	if (ret < 0) {
		VALE_LOG(WARNING, "queue %u of a port stays with worker %u: %s", q->id, from,
			strerror(-ret));
		return false;
	}
	q->load.rest = SPREAD_REST;
	VALE_LOG(INFO, "queue %u of a port moved from worker %u to worker %u", q->id, from, m->to);
	return true;
}

static void
spread_all(struct vale_workers *ws, struct vale_rxq **rxq, struct spread_queue *q, uint32_t nb)
{
	struct spread_move m;

	for (unsigned int moves = 0; moves < IDLE_MOVES_MAX; moves++) {
		for (uint32_t i = 0; i < nb; i++)
			q[i] = (struct spread_queue){
				.worker = rxq[i]->worker,
				.load = rxq[i]->load.share,
				.rests = rxq[i]->load.rest > 0 || rxq[i]->load.looks < 2,
			};
		if (!spread_choose(q, nb, ws->nb, &m) || !move(ws, rxq[m.queue], &m) || m.by_load)
			return;
	}
}

void
vale_workers_spread(struct vale_workers *ws)
{
	uint32_t nb = count_queues(ws);
	struct vale_rxq **rxq = calloc(nb + 1, sizeof(rxq[0]));
	struct spread_queue *q = calloc(nb + 1, sizeof(q[0]));

	/* without memory all stays as it is until the next look */
	if (rxq != NULL && q != NULL) {
		measure_all(ws, rxq);
		if (ws->nb > 1)
			spread_all(ws, rxq, q, nb);
	}
	free(rxq);
	free(q);
}

uint32_t
vale_worker_queues(
	const struct vale_workers *ws, unsigned int idx, struct vale_rxq **rxq, uint32_t room)
{
	const struct vale_plan *plan = atomic_load(&ws->w[idx]->plan);
	uint32_t nb = RTE_MIN(room, (uint32_t)plan->nb_rxq);

	for (uint32_t i = 0; i < nb && rxq != NULL; i++)
		rxq[i] = plan->rxq[i];
	return rxq == NULL ? plan->nb_rxq : nb;
}
