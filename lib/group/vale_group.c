/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ethdev_driver.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <rte_string_fns.h>

#include "vale_client_memory.h"
#include "vale_dpdk_shm.h"
#include "vale_eal_memory.h"
#include "vale_eal_mp_proto.h"
#include "vale_gate.h"
#include "vale_group.h"
#include "vale_hotplug.h"
#include "vale_log.h"
#include "vale_memory_thread.h"
#include "vale_secondaries.h"
#include "vale_tailqs.h"

static_assert(
	RTE_MEMPOOL_MAX_OPS_IDX == RTE_DIM(((struct vale_mempool_ops_names *)0)->name) &&
		RTE_MEMPOOL_OPS_NAMESIZE == sizeof(((struct vale_mempool_ops_names *)0)->name[0]),
	"the published table has EAL's dimensions");

/* What vale_group_fini() has to undo. Control thread or main, before and after the workers. */
static struct {
	bool shared;
	bool vdev_action;
	char link[PATH_MAX];
	const struct rte_memzone *ops_mz;
} group;

/** EAL's action, on its mp thread: a starting secondary asks for our vdevs. It gets none. */
static int
vdev_action(const struct rte_mp_msg *msg, const void *peer)
{
	const struct vale_eal_vdev none = {.type = VALE_EAL_VDEV_SCAN_REP};
	struct vale_eal_vdev req;
	struct rte_mp_msg reply = {0};

	if (msg->len_param != (int)sizeof(req))
		return -EINVAL;
	memcpy(&req, msg->param, sizeof(req));
	if (req.type != VALE_EAL_VDEV_SCAN_REQ)
		return 0; /* a vdev that a secondary offers: not for us */
	strlcpy(reply.name, VALE_EAL_VDEV_ACTION, sizeof(reply.name));
	memcpy(reply.param, &none, sizeof(none));
	reply.len_param = sizeof(none);
	return rte_mp_reply(&reply, peer);
}

/**
 * Whether secondaries are possible at all: not with --in-memory and the like, where the runtime
 * folder, if there is one of this name, is another process's. EAL tells by refusing actions.
 */
static bool
group_is_shared(void)
{
	static const char probe[] = "vale_probe";

	if (rte_mp_action_register(probe, vdev_action) != 0)
		return rte_errno != ENOTSUP;
	rte_mp_action_unregister(probe);
	return true;
}

static int
replace_vdev_action(void)
{
	rte_mp_action_unregister(VALE_EAL_VDEV_ACTION);
	if (rte_mp_action_register(VALE_EAL_VDEV_ACTION, vdev_action) != 0)
		return -rte_errno;
	group.vdev_action = true;
	return 0;
}

/** Replace what EAL does in its multi-process actions, if we know this EAL. */
static int
replace_actions(void)
{
	int ret;

	if (!vale_eal_mp_known()) {
		VALE_LOG(WARNING,
			"%s: the switch knows the multi-process messages of DPDK %u.%02u "
			"only and leaves EAL's own handling in place: a hot plug in one "
			"secondary reaches all of them",
			rte_version(), VALE_EAL_MP_YEAR, VALE_EAL_MP_MONTH);
		return 0;
	}
	ret = replace_vdev_action();
	return ret != 0 ? ret : vale_hotplug_start();
}

/** Publish the names of our mempool operations, in the order of their indices. */
static int
publish_mempool_ops(void)
{
	const struct rte_mempool_ops_table *t = &rte_mempool_ops_table;
	struct vale_mempool_ops_names *names;

	group.ops_mz =
		rte_memzone_reserve(VALE_MEMPOOL_OPS_MZ_NAME, sizeof(*names), SOCKET_ID_ANY, 0);
	if (group.ops_mz == NULL) {
		VALE_LOG(ERR, "cannot reserve the memzone %s: %s", VALE_MEMPOOL_OPS_MZ_NAME,
			rte_strerror(rte_errno));
		return -rte_errno;
	}
	names = group.ops_mz->addr;
	memset(names, 0, sizeof(*names));
	names->version = VALE_DPDK_SHM_VERSION;
	names->nb = RTE_MIN(t->num_ops, RTE_DIM(names->name));
	for (uint32_t i = 0; i < names->nb; i++)
		strlcpy(names->name[i], t->ops[i].name, sizeof(names->name[i]));
	return 0;
}

/** The absolute path of the control socket. */
static int
absolute_path(const char *path, char *abs, size_t sz)
{
	char cwd[PATH_MAX];
	int n;

	if (path[0] == '/')
		n = snprintf(abs, sz, "%s", path);
	else if (getcwd(cwd, sizeof(cwd)) != NULL)
		n = snprintf(abs, sz, "%s/%s", cwd, path);
	else
		return -errno;
	return n < 0 || (size_t)n >= sz ? -ENAMETOOLONG : 0;
}

/** Link the control socket into the runtime folder, where net_vale finds it without being told. */
static int
link_socket(const char *path)
{
	char target[PATH_MAX];
	int ret;

	ret = absolute_path(path, target, sizeof(target));
	if (ret != 0)
		return ret;
	snprintf(group.link, sizeof(group.link), "%s/%s", rte_eal_get_runtime_dir(),
		VALE_RUNTIME_SOCKET);
	if ((unlink(group.link) == 0 || errno == ENOENT) && symlink(target, group.link) == 0)
		return 0;
	ret = -errno;
	VALE_LOG(ERR, "cannot link the control socket %s as %s: %s", target, group.link,
		strerror(-ret));
	group.link[0] = '\0';
	return ret;
}

int
vale_group_init(const char *socket_path)
{
	bool shared = group_is_shared();
	int ret;

	group.shared = shared;

	/* A secondary that touches ethdev before we did would panic: make its shared data now. */
	rte_eth_dev_allocated("vale");
	vale_tailqs_make();
	/* nobody else is there yet, who could hold a lock meanwhile */
	(void)vale_eal_memory_find();
	ret = publish_mempool_ops();
	if (ret == 0 && shared)
		ret = replace_actions();
	/* last: who finds the link finds everything else */
	if (ret == 0 && shared && socket_path != NULL)
		ret = link_socket(socket_path);
	if (ret != 0)
		vale_group_fini();
	return ret;
}

int
vale_group_watch(struct vale_server *server)
{
	struct vale_memory_thread_conf thread = {
		.news = vale_secondaries_news,
		.every_ms = VALE_CLIENT_MEMORY_SCAN_MS,
		.tick = vale_client_memory_tick,
	};
	int ret;

	vale_secondaries_serve(server);
	if (!group.shared)
		return 0;
	ret = vale_client_memory_init(server);
	if (ret < 0)
		return ret;
	ret = vale_secondaries_start(vale_client_memory_appeared, vale_client_memory_ended);
	if (ret < 0)
		return ret;
	thread.news_fd = vale_secondaries_news_fd();
	ret = vale_memory_thread_start(&thread);
	return ret < 0 ? ret : vale_gate_start(server, VALE_GATE_WAIT_MS);
}

void
vale_group_unwatch(void)
{
	vale_memory_thread_stop();
	vale_gate_stop();
}

void
vale_group_fini(void)
{
	vale_group_unwatch();
	vale_secondaries_stop();
	if (group.link[0] != '\0')
		unlink(group.link);
	group.link[0] = '\0';
	vale_hotplug_stop();
	if (group.vdev_action)
		rte_mp_action_unregister(VALE_EAL_VDEV_ACTION);
	group.vdev_action = false;
	rte_memzone_free(group.ops_mz);
	group.ops_mz = NULL;
}
