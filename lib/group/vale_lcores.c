/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_lcore.h>

#include "vale_group.h"
#include "vale_secondaries.h"

/** The lcore ids of one client process. Control thread only. */
struct claim {
	LIST_ENTRY(claim) next;
	pid_t pid; /* id.pid */
	struct vale_process_id id;
	int pidfd;	   /* its own, whoever has its number later; -1: none was to be had */
	unsigned int refs; /* attached ports */
	struct vale_lcore_set set;
};

static LIST_HEAD(, claim) claims = LIST_HEAD_INITIALIZER(claims);
static void (*on_ended)(const struct vale_process_id *id);

/* CPUs that this process may run on, taken before EAL pins its threads. */
static cpu_set_t machine_cpus;

RTE_INIT(vale_lcores_cpus)
{
	if (sched_getaffinity(0, sizeof(machine_cpus), &machine_cpus) != 0)
		CPU_SET(0, &machine_cpus);
}

static bool
set_has(const struct vale_lcore_set *s, unsigned int id)
{
	return s->w[id / 64] >> (id % 64) & 1;
}

static bool
switch_has(unsigned int id)
{
	return id < RTE_MAX_LCORE && rte_eal_lcore_role(id) != ROLE_OFF;
}

static struct claim *
find_claim(pid_t pid)
{
	struct claim *c;

	LIST_FOREACH (c, &claims, next)
		if (c->pid == pid)
			return c;
	return NULL;
}

/** The client other than @p pid that uses an id; NULL if none does. */
static const struct claim *
other_user(pid_t pid, unsigned int id)
{
	const struct claim *c;

	LIST_FOREACH (c, &claims, next)
		if (c->pid != pid && set_has(&c->set, id))
			return c;
	return NULL;
}

static unsigned int
set_count(const struct vale_lcore_set *s)
{
	unsigned int nb = 0;

	for (unsigned int i = 0; i < RTE_DIM(s->w); i++)
		nb += __builtin_popcountll(s->w[i]);
	return nb;
}

/** The n-th CPU of the machine, counted around. */
static unsigned int
nth_cpu(unsigned int n)
{
	int nb = CPU_COUNT(&machine_cpus);

	n = nb > 0 ? n % nb : 0;
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &machine_cpus) && n-- == 0)
			return cpu;
	return 0;
}

void
vale_group_free_lcores(unsigned int nb, char *buf, size_t sz)
{
	size_t used = 0;
	unsigned int k = 0;
	int n;

	if (sz == 0)
		return;
	buf[0] = '\0';
	for (unsigned int id = 0; id < RTE_MAX_LCORE && k < nb; id++) {
		if (switch_has(id) || other_user(0, id) != NULL)
			continue;
		n = snprintf(buf + used, sz - used, "%s%u@%u", k > 0 ? "," : "", id, nth_cpu(k));
		if (n < 0 || (size_t)n >= sz - used) {
			buf[used] = '\0'; /* whole items only */
			return;
		}
		used += n;
		k++;
	}
}

/** Say who has the id, and which ids would do. */
static int
refuse(unsigned int id, const struct claim *by, const struct vale_lcore_set *set, char *why)
{
	char user[32] = "the switch";
	char free_ids[96];

	if (by != NULL)
		snprintf(user, sizeof(user), "process %d", (int)by->pid);
	vale_group_free_lcores(set_count(set), free_ids, sizeof(free_ids));
	if (free_ids[0] == '\0')
		snprintf(why, VALE_CTL_TEXT_SZ,
			"lcore id %u is in use by %s, and none of %u is free: "
			"end another DPDK process of this group",
			id, user, RTE_MAX_LCORE);
	else
		snprintf(why, VALE_CTL_TEXT_SZ,
			"lcore id %u is in use by %s; processes of a "
			"DPDK group must not share lcore ids: start this one with --lcores %s",
			id, user, free_ids);
	return -EBUSY;
}

static int
check_overlap(pid_t pid, const struct vale_lcore_set *set, char *why)
{
	const struct claim *by;

	for (unsigned int id = 0; id < VALE_CTL_LCORE_BITS; id++) {
		if (!set_has(set, id))
			continue;
		if (switch_has(id))
			return refuse(id, NULL, set, why);
		by = other_user(pid, id);
		if (by != NULL)
			return refuse(id, by, set, why);
	}
	return 0;
}

/** Whether a process has ended, be it that its parent has not looked yet. */
static bool
has_ended(const struct claim *c)
{
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
	bool ended;

	if (p.fd < 0)
		p.fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (p.fd < 0)
		return errno == ESRCH;
	ended = poll(&p, 1, 0) > 0;
	if (p.fd != c->pidfd)
		close(p.fd);
	return ended;
}

static struct claim *
claim_make(pid_t pid)
{
	struct claim *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->pid = pid;
	c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	vale_process_identify(pid, &c->id);
	LIST_INSERT_HEAD(&claims, c, next);
	return c;
}

static void
claim_free(struct claim *c)
{
	LIST_REMOVE(c, next);
	if (c->pidfd >= 0)
		close(c->pidfd);
	free(c);
}

/** A process without a port keeps its lcore ids for as long as it lives: it may still use pools,
 * and their caches. */
static void
forget_ended(void)
{
	struct claim *c, *next;

	for (c = LIST_FIRST(&claims); c != NULL; c = next) {
		next = LIST_NEXT(c, next);
		if (c->refs > 0 || !has_ended(c))
			continue;
		/* its caches are emptied before another process may take its lcore ids */
		if (on_ended != NULL)
			on_ended(&c->id);
		claim_free(c);
	}
}

void
vale_group_on_ended(void (*fn)(const struct vale_process_id *id))
{
	on_ended = fn;
}

int
vale_group_claim_lcores(pid_t pid, const struct vale_lcore_set *set, char *why)
{
	struct claim *c;
	int ret;

	forget_ended();
	c = find_claim(pid);
	ret = check_overlap(pid, set, why);
	if (ret != 0)
		return ret;
	if (c == NULL) {
		c = claim_make(pid);
		if (c == NULL) {
			snprintf(why, VALE_CTL_TEXT_SZ, "the switch is out of memory");
			return -ENOMEM;
		}
	}
	/* a process may have registered threads of its own since its last port */
	for (unsigned int i = 0; i < RTE_DIM(set->w); i++)
		c->set.w[i] |= set->w[i];
	if (c->refs++ == 0)
		vale_secondaries_set_attached(pid, true);
	return 0;
}

void
vale_group_release_lcores(pid_t pid)
{
	struct claim *c = find_claim(pid);

	if (c == NULL || --c->refs > 0)
		return;
	vale_secondaries_set_attached(pid, false);
	forget_ended();
}

void
vale_group_drop_claimed(pid_t pid, struct vale_lcore_set *set)
{
	const struct claim *c;

	LIST_FOREACH (c, &claims, next) {
		if (c->pid == pid)
			continue;
		for (unsigned int i = 0; i < RTE_DIM(set->w); i++)
			set->w[i] &= ~c->set.w[i];
	}
}
