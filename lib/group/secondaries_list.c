/* SPDX-License-Identifier: BSD-3-Clause */

/* What people may know about secondaries: VALE_CTL_SECONDARIES. */
#include <errno.h>
#include <string.h>

#include <rte_common.h>
#include <rte_mempool.h>
#include <rte_string_fns.h>

#include "vale_control_proto.h"
#include "vale_dpdk_shm.h"
#include "vale_pool.h"
#include "vale_secondaries.h"

static_assert((int)VALE_CTL_SECONDARY_STARTING == (int)VALE_SECONDARY_STARTING &&
		      (int)VALE_CTL_SECONDARY_RUNNING == (int)VALE_SECONDARY_RUNNING &&
		      (int)VALE_CTL_SECONDARY_ATTACHED == (int)VALE_SECONDARY_ATTACHED &&
		      (int)VALE_CTL_SECONDARY_ENDED == (int)VALE_SECONDARY_ENDED,
	"states are told as they are");

/* The switch's; NULL if it has none. */
static const struct rte_mempool *the_pool;

bool
vale_process_is_holder(const struct vale_process_id *id, const struct vale_pool_holder_info *info)
{
	bool same_start = info->start == id->start;

	if (info->same_pid_ns)
		return info->pid == id->pid && (same_start || info->start == 0 || id->start == 0);
	return info->pid == id->ns_pid && same_start && id->start != 0;
}

/** What the pool knows about a process. */
static bool
find_holder(const struct rte_mempool *pool, const struct vale_process_id *id,
	struct vale_pool_holder_info *info)
{
	for (unsigned int i = VALE_POOL_SWITCH + 1; i < VALE_POOL_HOLDERS; i++)
		if (vale_pool_holder_get(pool, i, info) == 0 && info->state != VALE_POOL_DEAD &&
			vale_process_is_holder(id, info))
			return true;
	return false;
}

static void
fill_pool(struct vale_ctl_secondary_rec *rec, const struct vale_process_id *id,
	const struct rte_mempool *pool)
{
	struct vale_pool_holder_info info;

	if (pool == NULL || !find_holder(pool, id, &info))
		return;
	rec->uses_pool = 1;
	/* queues are counted a moment later than the pool */
	rec->held = info.held < 0 ? 0 : (uint32_t)RTE_MIN(info.held, (int64_t)pool->size);
	rec->quota = vale_pool_quota(pool) < pool->size ? vale_pool_quota(pool) : 0;
	rec->refused = info.refused;
	static_assert(sizeof(info.lcores) <= sizeof(rec->lcores), "lcore ids fit");
	memcpy(rec->lcores, info.lcores, sizeof(info.lcores));
}

static void
handle_secondaries(void *arg __rte_unused, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	/* the control thread's */
	static struct vale_ctl_secondary_rec recs[2 * VALE_SECONDARIES_MAX];
	struct vale_secondary s[RTE_DIM(recs)];
	unsigned int nb = vale_secondaries_list(s, RTE_DIM(s));

	memset(recs, 0, sizeof(recs));
	for (unsigned int i = 0; i < nb; i++) {
		recs[i].pid = s[i].pid;
		recs[i].state = (uint8_t)s[i].state;
		strlcpy(recs[i].comm, s[i].comm, sizeof(recs[i].comm));
		fill_pool(&recs[i], &s[i].id, the_pool);
	}
	vale_conn_reply_records(c, msg, recs, sizeof(recs[0]), nb);
}

void
vale_secondaries_serve(struct vale_server *server)
{
	/* now: later its lock may be one that a dead secondary holds */
	the_pool = rte_mempool_lookup(VALE_POOL_NAME);
	vale_server_handle(server, VALE_CTL_SECONDARIES, sizeof(struct vale_ctl_hdr),
		handle_secondaries, NULL);
}
