/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdalign.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>

#include "plan.h"

struct vale_plan *
plan_alloc(unsigned int nb)
{
	size_t head = RTE_ALIGN_CEIL(sizeof(struct vale_plan) + nb * sizeof(struct vale_rxq *),
		alignof(struct plan_entry));
	struct vale_plan *p = vale_alloc_lines(head + nb * sizeof(struct plan_entry));

	if (p == NULL)
		return NULL;
	p->nb_rxq = nb;
	p->order = RTE_PTR_ADD(p, head);
	return p;
}

void
plan_ready(struct vale_plan *p)
{
	for (uint16_t i = 0; i < p->nb_rxq; i++)
		p->order[i] = (struct plan_entry){.q = p->rxq[i]};
	p->nb_hot = p->nb_rxq;
	p->next_hot = 0;
	p->next_cold = 0;
}

static void
swap(struct plan_entry *a, struct plan_entry *b)
{
	struct plan_entry t = *a;

	*a = *b;
	*b = t;
}

/* In a round that is timed: charge the queue with what went by since the last one was done. */
static void
charge(struct vale_plan *p, struct vale_rxq *q, unsigned int n)
{
	uint64_t now = rte_rdtsc();

	if (n > 0)
		vale_counter_add(&q->busy, (now - p->since) * PLAN_TIMED_PART);
	p->since = now;
}

static inline unsigned int
poll_queue(struct vale_plan *p, struct vale_rxq *q, struct vale_forward *f,
	const struct vale_tunables *tun, uint32_t now_s)
{
	unsigned int n = vale_forward_queue(f, q, tun, now_s);

	if (n > 0)
		vale_counter_add(&q->frames, n);
	if (unlikely(p->since != 0))
		charge(p, q, n);
	return n;
}

/* Whether to end the round behind a queue that had n frames. */
static inline bool
cut_short(const struct vale_tunables *tun, unsigned int n)
{
	return n > 0 && unlikely(atomic_load_explicit(&tun->awaited, memory_order_relaxed));
}

/** Sets p->next_hot, to 0 if all were polled. */
static unsigned int
poll_hot(struct vale_plan *p, struct vale_forward *f, const struct vale_tunables *tun,
	uint32_t now_s)
{
	unsigned int total = 0, n;

	for (uint16_t i = p->next_hot; i < p->nb_hot;) {
		struct plan_entry *e = &p->order[i];

		n = poll_queue(p, e->q, f, tun, now_s);
		total += n;
		if (likely(n > 0))
			e->empty = 0;
		else if (unlikely(++e->empty >= PLAN_COLD_AFTER)) {
			swap(e, &p->order[--p->nb_hot]);
			continue;
		}
		i++;
		if (cut_short(tun, n)) {
			p->next_hot = i;
			return total;
		}
	}
	p->next_hot = 0;
	return total;
}

/** Poll up to @p nb cold queues, from where the last round ended. */
static unsigned int
poll_cold(struct vale_plan *p, unsigned int nb, struct vale_forward *f,
	const struct vale_tunables *tun, uint32_t now_s)
{
	unsigned int total = 0, n;

	for (; nb > 0; nb--) {
		struct plan_entry *e;

		if (p->next_cold >= p->nb_rxq - p->nb_hot)
			p->next_cold = 0;
		e = &p->order[p->nb_hot + p->next_cold];
		n = poll_queue(p, e->q, f, tun, now_s);
		p->next_cold++;
		if (n == 0)
			continue;
		total += n;
		e->empty = 0;
		swap(e, &p->order[p->nb_hot++]);
		/* the first of the cold took its place, one place nearer to the hot ones now */
		p->next_cold--;
		if (cut_short(tun, n))
			break;
	}
	return total;
}

/* How many cold queues to look at in a round in which the hot ones had so many frames. */
static unsigned int
cold_share(unsigned int nb_cold, unsigned int frames)
{
	unsigned int most = (nb_cold + PLAN_COLD_PARTS - 1) / PLAN_COLD_PARTS;
	unsigned int nb = frames / PLAN_COLD_FRAMES;

	if (frames == 0)
		return nb_cold;
	return nb < 1 ? 1 : RTE_MIN(nb, most);
}

unsigned int
plan_poll(struct vale_plan *p, struct vale_forward *f, const struct vale_tunables *tun,
	uint32_t now_s)
{
	unsigned int nb_cold = p->nb_rxq - p->nb_hot;
	bool is_rest = p->next_hot > 0;
	unsigned int total;

	p->since = 0;
	if (unlikely(p->to_timed-- == 0)) {
		p->to_timed = PLAN_TIMED_PART - 1;
		p->since = rte_rdtsc();
	}
	total = poll_hot(p, f, tun, now_s);

	/* those that have just cooled down were polled. A round that was cut short leaves the cold
	 * ones to the next, which has fewer hot ones to look at, or none */
	if (unlikely(nb_cold > 0) && p->next_hot == 0)
		total += poll_cold(p, cold_share(nb_cold, total), f, tun, now_s);
	/* that the end of a round is empty does not say that there is nothing to do */
	if (unlikely(is_rest) && total == 0)
		total = poll_hot(p, f, tun, now_s);
	return total;
}
