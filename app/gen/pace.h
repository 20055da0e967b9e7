/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_GEN_PACE_H
#define VALE_GEN_PACE_H

/*
 * A steady rate: frames are due by the clock. Who was held up catches up, but for at most 10 ms
 * (or one burst): a burst of all that was missed would overrun a receiver that keeps up otherwise.
 */

#include <stdint.h>

struct pace {
	double rate;	   /* frames a second; 0: no limit */
	uint64_t start_ns; /* when frame 0 was due */
	uint64_t sent;
	uint64_t slack; /* frames one may be late */
};

void pace_init(struct pace *p, double rate, uint32_t burst, uint64_t now_ns);

/* Frames that may go now. */
uint64_t pace_due(struct pace *p, uint64_t now_ns);

/* When `burst` frames are due that have not gone yet. */
uint64_t pace_when(const struct pace *p, uint32_t burst);

static inline void
pace_sent(struct pace *p, uint64_t nb)
{
	p->sent += nb;
}

#endif /* VALE_GEN_PACE_H */
