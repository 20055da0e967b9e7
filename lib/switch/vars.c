/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "vale_admin.h"
#include "vale_client_memory.h"
#include "vale_eal_memory.h"
#include "vale_locks.h"
#include "vale_log.h"
#include "vale_secondaries.h"
#include "vale_pool.h"
#include "vars.h"

static struct {
	struct vale_switches *switches;
	struct rte_mempool *pool;
	uint32_t verbose;
} v;

/* One variable. A NULL set makes it read-only; limits of max come from what was reserved at start.
 */
struct var {
	const char *name;
	const char *unit;
	uint64_t (*get)(void);
	void (*set)(uint64_t value);
	uint64_t min;
	uint64_t (*max)(void);
	const char *option;	  /* what raises max, or sets what is fixed */
	const char *const *words; /* text values, in the order of numbers */
};

static struct vale_tunables *
tun(void)
{
	return &vale_switches_workers(v.switches)->tun;
}

static const char *const idle_words[] = {"sleep", "poll", NULL};

#define LIMIT_ACCESS(field)                                                \
	static uint64_t get_##field(void)                                  \
	{                                                                  \
		return vale_switches_limits(v.switches)->field;            \
	}                                                                  \
	static void set_##field(uint64_t value)                            \
	{                                                                  \
		vale_switches_limits(v.switches)->field = (uint32_t)value; \
	}                                                                  \
	static uint64_t max_##field(void)                                  \
	{                                                                  \
		return vale_switches_reserved(v.switches)->field;          \
	}

LIMIT_ACCESS(max_switches)
LIMIT_ACCESS(max_ports)
LIMIT_ACCESS(ring_size)
LIMIT_ACCESS(fdb_size)

static uint64_t
get_ageing(void)
{
	return atomic_load(&tun()->ageing_s);
}

static void
set_ageing(uint64_t value)
{
	atomic_store(&tun()->ageing_s, (uint32_t)value);
}

static uint64_t
max_ageing(void)
{
	return 1000000; /* IEEE 802.1Q-2022 8.8.3: the ageing time's range ends there */
}

static uint64_t
get_batch(void)
{
	return atomic_load(&tun()->batch);
}

static void
set_batch(uint64_t value)
{
	atomic_store(&tun()->batch, (uint32_t)value);
}

static uint64_t
max_batch(void)
{
	return VALE_BATCH_MAX;
}

static uint64_t
get_idle(void)
{
	return atomic_load(&tun()->idle_poll);
}

static void
set_idle(uint64_t value)
{
	atomic_store(&tun()->idle_poll, value != 0);
}

static uint64_t
max_idle(void)
{
	return 1;
}

static uint64_t
get_verbose(void)
{
	return v.verbose;
}

static void
set_verbose(uint64_t value)
{
	v.verbose = (uint32_t)value;
	vale_log_set_verbose(v.verbose);
}

static uint64_t
max_verbose(void)
{
	return 3;
}

static uint64_t
get_poll_us(void)
{
	return atomic_load(&tun()->ethdev_poll_us);
}

static void
set_poll_us(uint64_t value)
{
	atomic_store(&tun()->ethdev_poll_us, (uint32_t)value);
}

static uint64_t
max_poll_us(void)
{
	return 1000000;
}

static uint64_t
get_mbufs(void)
{
	return v.pool->size;
}

static uint64_t
get_quota(void)
{
	return vale_pool_quota(v.pool);
}

static void
set_quota(uint64_t value)
{
	if (vale_pool_is_governed(v.pool))
		vale_pool_set_quota(v.pool, (uint32_t)value);
}

static uint64_t
get_mbufs_free(void)
{
	return rte_mempool_avail_count(v.pool);
}

static uint64_t
get_heap_free(void)
{
	struct rte_malloc_socket_stats st;
	struct vale_eal_heap_use use;
	uint64_t sum = 0;

	if (vale_eal_memory() != NULL) {
		vale_eal_heap_use(&use);
		return use.free_sz;
	}
	for (int i = 0; i < RTE_MAX_NUMA_NODES; i++) {
		if (rte_malloc_get_socket_stats(i, &st) == 0)
			sum += st.heap_freesz_bytes;
	}
	return sum;
}

static uint64_t
get_secondaries(void)
{
	return vale_secondaries_count();
}

static const struct var vars[] = {
	{"max_switches", "switches", get_max_switches, set_max_switches, 1, max_max_switches,
		"--max-switches", NULL},
	{"max_ports", "ports per switch", get_max_ports, set_max_ports, 2, max_max_ports,
		"--max-ports", NULL},
	{"ring_size", "frames", get_ring_size, set_ring_size, 64, max_ring_size, "--ring-size",
		NULL},
	{"fdb_size", "addresses/switch", get_fdb_size, set_fdb_size, 64, max_fdb_size, "--fdb-size",
		NULL},
	{"ageing", "seconds", get_ageing, set_ageing, 0, max_ageing, NULL, NULL},
	{"batch", "frames", get_batch, set_batch, 1, max_batch, NULL, NULL},
	{"idle", "", get_idle, set_idle, 0, max_idle, NULL, idle_words},
	{"verbose", "", get_verbose, set_verbose, 0, max_verbose, NULL, NULL},
	{"mbufs", "mbufs", get_mbufs, NULL, 0, NULL, "--mbufs", NULL},
	{"quota", "mbufs/client", get_quota, set_quota, 1024, get_mbufs, NULL, NULL},
	{"ethdev_poll_us", "microseconds", get_poll_us, set_poll_us, 1, max_poll_us, NULL, NULL},
	{"mbufs_free", "mbufs", get_mbufs_free, NULL, 0, NULL, NULL, NULL},
	{"heap_free", "bytes", get_heap_free, NULL, 0, NULL, NULL, NULL},
	{"orphan_bytes", "bytes", vale_client_memory_orphan_bytes, NULL, 0, NULL, NULL, NULL},
	{"client_heap", "bytes", vale_client_memory_heap, NULL, 0, NULL, NULL, NULL},
	{"secondaries", "processes", get_secondaries, NULL, 0, NULL, NULL, NULL},
	{"locks_released", "locks", vale_locks_released, NULL, 0, NULL, NULL, NULL},
};

void
vale_log_set_verbose(uint32_t verbose)
{
	static const uint32_t levels[] = {RTE_LOG_ERR, RTE_LOG_NOTICE, RTE_LOG_INFO, RTE_LOG_DEBUG};

	rte_log_set_level_pattern("vale*", levels[RTE_MIN(verbose, RTE_DIM(levels) - 1)]);
}

void
vale_vars_init(struct vale_switches *s, struct rte_mempool *pool, uint32_t verbose)
{
	static_assert(RTE_DIM(vars) <= VALE_CTL_VARS_MAX, "variables fit into a reply");
	v.switches = s;
	v.pool = pool;
	v.verbose = verbose;
}

static void
var_read(const struct var *var, struct vale_ctl_var *out)
{
	uint64_t value = var->get();

	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s", var->name);
	snprintf(out->unit, sizeof(out->unit), "%s", var->unit);
	out->read_only = var->set == NULL;
	out->is_text = var->words != NULL;
	if (var->words != NULL)
		snprintf(out->value, sizeof(out->value), "%s", var->words[value]);
	else
		snprintf(out->value, sizeof(out->value), "%" PRIu64, value);
}

uint32_t
vale_vars_get(const char *name, struct vale_ctl_var *out, uint32_t room)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < RTE_DIM(vars) && n < room; i++) {
		if (name[0] == '\0' || strcmp(name, vars[i].name) == 0)
			var_read(&vars[i], &out[n++]);
	}
	return n;
}

static const struct var *
var_find(const char *name)
{
	for (unsigned int i = 0; i < RTE_DIM(vars); i++) {
		if (strcmp(name, vars[i].name) == 0)
			return &vars[i];
	}
	return NULL;
}

/* A value as typed, as a number; false if it is none. */
static bool
value_parse(const struct var *var, const char *text, uint64_t *value)
{
	char *end;

	for (unsigned int i = 0; var->words != NULL && var->words[i] != NULL; i++) {
		if (strcmp(text, var->words[i]) == 0) {
			*value = i;
			return true;
		}
	}
	if (var->words != NULL || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static int
refuse_value(const struct var *var, const char *value, char *why)
{
	if (var->words != NULL)
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: `%s` is neither `%s` nor `%s`", var->name,
			value, var->words[0], var->words[1]);
	else if (var->option != NULL)
		snprintf(why, VALE_CTL_TEXT_SZ,
			"%s: `%s` is not between %" PRIu64 " and %" PRIu64
			", for which memory was reserved at start; start vale-switch with %s N for "
			"more",
			var->name, value, var->min, var->max(), var->option);
	else
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: `%s` is not between %" PRIu64 " and %" PRIu64,
			var->name, value, var->min, var->max());
	return -EINVAL;
}

int
vale_vars_set(const char *name, const char *text, char *why)
{
	const struct var *var = var_find(name);
	uint64_t value;

	if (var == NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ, "there is no variable %s; see: vale-ctl get", name);
		return -ENOENT;
	}
	if (var->set == NULL && var->option != NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s is fixed at start; start vale-switch with %s N",
			name, var->option);
		return -EPERM;
	}
	if (var->set == NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s can only be read", name);
		return -EPERM;
	}
	if (!value_parse(var, text, &value) || value < var->min || value > var->max())
		return refuse_value(var, text, why);
	var->set(value);
	for (unsigned int i = 0; i < vale_switches_workers(v.switches)->nb; i++)
		vale_worker_wake(vale_switches_workers(v.switches), i);
	return 0;
}
