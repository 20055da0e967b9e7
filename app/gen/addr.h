/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_GEN_ADDR_H
#define VALE_GEN_ADDR_H

#include <stdbool.h>
#include <stdint.h>

/* IPv4 addresses and UDP ports, both ends included, in host order. */
struct addr_range {
	uint32_t ip0, ip1;
	uint16_t port0, port1;
};

/* Where a walk through a range stands. */
struct addr {
	uint32_t ip;
	uint16_t port;
};

#define ADDR_PORT 1234 /* when none is given, as pkt-gen */

/*
 * Read ADDRESS[:PORT][-ADDRESS[:PORT]]. Ends in the wrong order are swapped, as pkt-gen does.
 * Returns 0 or -EINVAL, and then *why is a sentence.
 */
int addr_parse(const char *text, struct addr_range *range, const char **why);

static inline bool
addr_is_single(const struct addr_range *r)
{
	return r->ip0 == r->ip1 && r->port0 == r->port1;
}

/*
 * Step, ports first, then addresses. Returns true when the range begins again.
 */
static inline bool
addr_next(const struct addr_range *r, struct addr *a)
{
	if (a->port < r->port1) {
		a->port++;
		return false;
	}
	a->port = r->port0;
	if (a->ip < r->ip1) {
		a->ip++;
		return false;
	}
	a->ip = r->ip0;
	return true;
}

#endif /* VALE_GEN_ADDR_H */
