/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"

static int
parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long n;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	n = strtoul(text, &end, 10);
	if (*end != '\0' || n > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)n;
	return 0;
}

/* One end of a range, ADDRESS[:PORT]. It is written to. */
static int
parse_end(char *text, uint32_t *ip, uint16_t *port, const char **why)
{
	char *colon = strchr(text, ':');
	struct in_addr a;

	if (colon != NULL) {
		*colon = '\0';
		if (parse_port(colon + 1, port) < 0) {
			*why = "a UDP port is a number up to 65535";
			return -EINVAL;
		}
	}
	if (inet_pton(AF_INET, text, &a) != 1) {
		*why = "an IPv4 address is written as in 10.0.0.1:2000-10.0.0.9:3000";
		return -EINVAL;
	}
	*ip = ntohl(a.s_addr);
	return 0;
}

int
addr_parse(const char *text, struct addr_range *range, const char **why)
{
	struct addr_range r = {.port0 = ADDR_PORT};
	char copy[64], *dash;

	if (strlen(text) >= sizeof(copy)) {
		*why = "an IPv4 address is written as in 10.0.0.1:2000-10.0.0.9:3000";
		return -EINVAL;
	}
	memcpy(copy, text, strlen(text) + 1);
	dash = strchr(copy, '-');
	if (dash != NULL)
		*dash++ = '\0';
	if (parse_end(copy, &r.ip0, &r.port0, why) < 0)
		return -EINVAL;
	r.ip1 = r.ip0;
	r.port1 = r.port0;
	if (dash != NULL && parse_end(dash, &r.ip1, &r.port1, why) < 0)
		return -EINVAL;
	range->ip0 = r.ip0 < r.ip1 ? r.ip0 : r.ip1;
	range->ip1 = r.ip0 < r.ip1 ? r.ip1 : r.ip0;
	range->port0 = r.port0 < r.port1 ? r.port0 : r.port1;
	range->port1 = r.port0 < r.port1 ? r.port1 : r.port0;
	return 0;
}
