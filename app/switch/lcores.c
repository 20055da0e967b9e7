/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_config.h>

#include "lcores.h"

static_assert(LCORE_WORKER < RTE_MAX_LCORE, "this DPDK has too few lcore ids");
static_assert(RTE_MAX_LCORE <= CPU_SETSIZE, "lcore ids are kept in a cpu_set_t");

/* Write `0-3,5` for a set; returns bytes written or -ENOSPC. */
static int
format_set(const cpu_set_t *set, char *buf, size_t sz)
{
	size_t len = 0;
	int last;

	for (int c = 0; c < CPU_SETSIZE; c = last + 1) {
		last = c;
		if (!CPU_ISSET(c, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		len += snprintf(buf + len, sz - len, c == last ? "%s%d" : "%s%d-%d",
			len > 0 ? "," : "", c, last);
		if (len >= sz)
			return -ENOSPC;
	}
	return (int)len;
}

int
lcores_default(const cpu_set_t *cpus, char *buf, size_t sz)
{
	char others[1024];
	cpu_set_t main_cpus = *cpus;
	int worker_cpu = 0;

	for (int c = 0; c < CPU_SETSIZE; c++)
		if (CPU_ISSET(c, cpus))
			worker_cpu = c;
	if (CPU_COUNT(cpus) > 1)
		CPU_CLR(worker_cpu, &main_cpus);
	if (format_set(&main_cpus, others, sizeof(others)) < 0)
		return -ENOSPC;
	if (snprintf(buf, sz, "%d@(%s),%d@%d", LCORE_MAIN, others, LCORE_WORKER, worker_cpu) >=
		(int)sz)
		return -ENOSPC;
	return 0;
}

/* `N` or `N-M` at *p into a set. */
static int
parse_range(const char **p, cpu_set_t *set)
{
	unsigned long a, b;
	char *end;

	if (!isdigit((unsigned char)**p))
		return -EINVAL;
	a = b = strtoul(*p, &end, 10);
	if (*end == '-') {
		if (!isdigit((unsigned char)end[1]))
			return -EINVAL;
		b = strtoul(end + 1, &end, 10);
	}
	if (a >= CPU_SETSIZE || b >= CPU_SETSIZE)
		return -EINVAL;
	for (unsigned long i = a < b ? a : b; i <= (a < b ? b : a); i++)
		CPU_SET(i, set);
	*p = end;
	return 0;
}

/* `N`, `N-M` or `(N,M-O)` at *p. */
static int
parse_group(const char **p, cpu_set_t *set)
{
	CPU_ZERO(set);
	if (**p != '(')
		return parse_range(p, set);
	do {
		(*p)++;
		if (parse_range(p, set) < 0)
			return -EINVAL;
	} while (**p == ',');
	if (**p != ')')
		return -EINVAL;
	(*p)++;
	return 0;
}

/* `IDS[@CPUS],...`; without CPUS, each id is its own CPU. */
static int
parse_map(const char *p, cpu_set_t *ids, cpu_set_t *cpus)
{
	cpu_set_t item_ids, item_cpus;

	for (;;) {
		if (parse_group(&p, &item_ids) < 0)
			return -EINVAL;
		item_cpus = item_ids;
		if (*p == '@') {
			p++;
			if (parse_group(&p, &item_cpus) < 0)
				return -EINVAL;
		}
		CPU_OR(ids, ids, &item_ids);
		CPU_OR(cpus, cpus, &item_cpus);
		if (*p == '\0')
			return 0;
		if (*p++ != ',')
			return -EINVAL;
	}
}

static int
parse_list(const char *p, cpu_set_t *ids)
{
	for (;;) {
		if (parse_range(&p, ids) < 0)
			return -EINVAL;
		if (*p == '\0')
			return 0;
		if (*p++ != ',')
			return -EINVAL;
	}
}

static int
parse_mask(const char *p, cpu_set_t *ids)
{
	size_t len;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		p += 2;
	len = strlen(p);
	if (len == 0 || len > CPU_SETSIZE / 4)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		char digit[2] = {p[len - 1 - i], '\0'};
		unsigned long bits;

		if (!isxdigit((unsigned char)digit[0]))
			return -EINVAL;
		bits = strtoul(digit, NULL, 16);
		for (unsigned int b = 0; b < 4; b++)
			if (bits >> b & 1)
				CPU_SET(4 * i + b, ids);
	}
	return 0;
}

static int
parse(enum lcores_form form, const char *text, cpu_set_t *ids, cpu_set_t *cpus)
{
	int ret;

	CPU_ZERO(ids);
	CPU_ZERO(cpus);
	if (form == LCORES_MAP)
		return parse_map(text, ids, cpus);
	ret = form == LCORES_LIST ? parse_list(text, ids) : parse_mask(text, ids);
	*cpus = *ids;
	return ret;
}

/* First member of a that is not in b, or -1. */
static int
first_beyond(const cpu_set_t *a, const cpu_set_t *b)
{
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, a) && !CPU_ISSET(i, b))
			return i;
	return -1;
}

int
lcores_check(enum lcores_form form, const char *text, const cpu_set_t *cpus, int main_lcore,
	char *why, size_t sz)
{
	cpu_set_t ids, want, valid;
	char may[1024];
	int bad;

	if (parse(form, text, &ids, &want) < 0 || CPU_COUNT(&ids) == 0) {
		snprintf(why, sz,
			"'%s' is no set of lcores; write e.g. --lcores 126@0,127@1 or -l 0,1",
			text);
		return -EINVAL;
	}
	CPU_ZERO(&valid);
	for (int i = 0; i < RTE_MAX_LCORE; i++)
		CPU_SET(i, &valid);
	bad = first_beyond(&ids, &valid);
	if (bad >= 0) {
		snprintf(why, sz, "lcore %d in '%s': this DPDK has lcore ids up to %d", bad, text,
			RTE_MAX_LCORE - 1);
		return -EINVAL;
	}
	bad = first_beyond(&want, cpus);
	if (bad >= 0) {
		if (format_set(cpus, may, sizeof(may)) < 0)
			may[0] = '\0';
		snprintf(why, sz, "CPU %d in '%s': this process may run on CPU %s only", bad, text,
			may);
		return -EINVAL;
	}
	if (main_lcore >= 0 && (main_lcore >= RTE_MAX_LCORE || !CPU_ISSET(main_lcore, &ids))) {
		snprintf(why, sz, "--main-lcore %d is not among the lcores '%s'", main_lcore, text);
		return -EINVAL;
	}
	return CPU_COUNT(&ids);
}
