/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdatomic.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>

#include "reaper.h"
#include "vale_group.h"
#include "vale_log.h"
#include "vale_secondaries.h"

/* How often we look for processes that used the pool without a port, or after they gave it back. */
#define LOOK_MS 250
/* Recovery: steps of so many mbufs at some 0.1 us each, for so many microseconds; then so many
 * milliseconds for others. A step may be one empty ring, of which there are hundreds. */
#define SLICE_MBUFS 2048
#define SLICE_US 200
#define SLICE_MS 1

static struct {
	struct dpdk_reaper_conf conf;
	struct vale_server *server;
	int timer_fd; /* runs while there is something to do */
	struct vale_pool_reap *reap;
	_Atomic uint64_t recovered;
} r = {.timer_fd = -1};

static void
timer_set(unsigned int ms)
{
	struct timespec step = {.tv_nsec = ms * 1000000L};
	struct itimerspec its = {.it_interval = step, .it_value = step};

	if (timerfd_settime(r.timer_fd, 0, &its, NULL) < 0)
		VALE_LOG(ERR, "the timer for recovering mbufs does not run: %s",
			rte_strerror(errno));
}

/** @param pid  As the switch sees it. */
static void
bury(const struct vale_pool_holder_info *info, pid_t pid)
{
	struct vale_lcore_set lcores = {0};

	static_assert(sizeof(info->lcores) <= sizeof(lcores.w), "lcore ids fit");
	for (unsigned int i = 0; i < RTE_DIM(info->lcores); i++)
		lcores.w[i] = info->lcores[i];
	/* what a living process has claimed since is no longer the dead one's */
	vale_group_drop_claimed(pid, &lcores);
	if (vale_pool_bury(r.conf.pool, info->tag, lcores.w) == 0)
		timer_set(SLICE_MS);
}

void
dpdk_reaper_bury(const struct vale_process_id *id)
{
	struct vale_pool_holder_info info;

	for (unsigned int i = 1; i < VALE_POOL_HOLDERS; i++) {
		if (vale_pool_holder_get(r.conf.pool, i, &info) == 0 &&
			vale_process_is_holder(id, &info) && info.state != VALE_POOL_DEAD)
			bury(&info, id->pid);
	}
}

/** Processes of other PID namespaces, whose holders do not tell which they are. */
static void
bury_ended(void)
{
	struct vale_process_id id[VALE_SECONDARIES_MAX];
	unsigned int nb;

	do {
		nb = vale_secondaries_take_ended(id, RTE_DIM(id));
		for (unsigned int i = 0; i < nb; i++)
			dpdk_reaper_bury(&id[i]);
	} while (nb == RTE_DIM(id));
}

/* Processes without a port, or that gave theirs back before they ended. */
static void
look_for_dead(void *arg)
{
	uint32_t tags[VALE_POOL_HOLDERS];
	struct vale_pool_holder_info info;
	unsigned int nb = vale_pool_find_dead(r.conf.pool, tags, RTE_DIM(tags));

	for (unsigned int i = 0; i < nb; i++) {
		unsigned int place = tags[i] & (VALE_POOL_HOLDERS - 1);

		if (vale_pool_holder_get(r.conf.pool, place, &info) == 0 && info.tag == tags[i])
			bury(&info, info.pid);
	}
	bury_ended();
}

static void
finish(void)
{
	struct vale_pool_reap_report rep;

	vale_pool_reap_report(r.reap, &rep);
	vale_pool_reap_free(r.reap);
	r.reap = NULL;
	atomic_fetch_add(&r.recovered, rep.recovered);
	if (rep.recovered > 0)
		VALE_LOG(INFO, "%u mbufs that %u dead processes held are back", rep.recovered,
			rep.holders);
}

/* One slice. Returns whether there is more to do. */
static bool
reap_for_a_while(void)
{
	uint64_t end = rte_get_timer_cycles() + rte_get_timer_hz() * SLICE_US / 1000000;
	bool more;

	do
		more = vale_pool_reap_step(r.reap, SLICE_MBUFS);
	while (more && rte_get_timer_cycles() < end);
	return more;
}

static void
work(void *arg, int fd)
{
	uint64_t ticks;

	if (read(fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	if (r.reap == NULL) {
		if (!r.conf.may_start())
			return;
		r.reap = vale_pool_reap_start(r.conf.pool, r.conf.rings, NULL);
		if (r.reap == NULL) {
			/* nobody is buried, or no memory: then the next burial tries again */
			timer_set(0);
			return;
		}
	}
	if (!reap_for_a_while())
		finish();
}

uint64_t
dpdk_reaper_recovered(void)
{
	return atomic_load(&r.recovered);
}

int
dpdk_reaper_init(const struct dpdk_reaper_conf *conf, struct vale_server *server)
{
	int ret;

	r.conf = *conf;
	r.server = server;
	r.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r.timer_fd < 0)
		return -errno;
	vale_group_on_ended(dpdk_reaper_bury);
	(void)vale_secondaries_take_ended(NULL, 0); /* from now on they are kept for us */
	ret = vale_server_watch(server, r.timer_fd, work, NULL);
	return ret < 0 ? ret : vale_server_every(server, LOOK_MS, look_for_dead, NULL);
}

void
dpdk_reaper_fini(void)
{
	vale_group_on_ended(NULL);
	vale_pool_reap_free(r.reap);
	r.reap = NULL;
	if (r.timer_fd >= 0) {
		vale_server_unwatch(r.server, r.timer_fd);
		close(r.timer_fd);
		r.timer_fd = -1;
	}
}
