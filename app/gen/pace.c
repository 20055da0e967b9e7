/* SPDX-License-Identifier: BSD-3-Clause */
#include "pace.h"

#define SLACK_S 0.01

void
pace_init(struct pace *p, double rate, uint32_t burst, uint64_t now_ns)
{
	p->rate = rate;
	p->start_ns = now_ns;
	p->sent = 0;
	p->slack = (uint64_t)(rate * SLACK_S);
	if (p->slack < burst)
		p->slack = burst;
}

static uint64_t
due_at(const struct pace *p, uint64_t nb)
{
	return p->start_ns + (uint64_t)((double)nb * 1e9 / p->rate);
}

uint64_t
pace_due(struct pace *p, uint64_t now_ns)
{
	uint64_t due;

	if (p->rate <= 0)
		return UINT64_MAX;
	/* the first frame is due at once */
	due = (uint64_t)((double)(now_ns - p->start_ns) * p->rate / 1e9) + 1;
	if (due <= p->sent)
		return 0;
	due -= p->sent;
	if (due > p->slack) {
		/* what was missed is not made up for: the clock begins again */
		p->start_ns = now_ns;
		p->sent = 0;
		p->start_ns -= (uint64_t)((double)(p->slack - 1) * 1e9 / p->rate);
		due = p->slack;
	}
	return due;
}

uint64_t
pace_when(const struct pace *p, uint32_t burst)
{
	/* frame number n, counted from 0, is due at start + n / rate */
	return due_at(p, p->sent + burst - 1);
}
