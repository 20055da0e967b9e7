/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_pdump.h>

#include "notify.h"
#include "run.h"
#include "vale_admin.h"
#include "vale_control_server.h"
#include "vale_dpdk_port.h"
#include "vale_dpdk_shm.h"
#include "vale_ethdev_port.h"
#include "vale_group.h"
#include "vale_locks.h"
#include "vale_log.h"
#include "vale_memif_port.h"
#include "vale_netmap_port.h"
#include "vale_pool.h"
#include "vale_switch.h"
#include "vale_worker.h"

#define POOL_CACHE 256
/* A client may hold one part in so many of the mbufs, but enough for its caches. */
#define QUOTA_PART 4u
#define QUOTA_MIN 2048u
/* How long an ending switch waits for locks in memory shared with secondaries: longer than it takes
 * to release one of a dead process, even in the middle of growing memory. */
#define END_LOCKS_MS 3000

/* All parts; NULL or false where not made yet. */
struct parts {
	const struct run_conf *conf;
	struct rte_mempool *pool;
	struct vale_workers *ws;
	struct vale_switches *switches;
	struct vale_server *server;
	bool group, pdump, dpdk, ethdev, netmap, memif, admin;
	bool stuck; /* nothing could be taken apart */
};

static int
failed(const char *what, int err)
{
	VALE_LOG(ERR, "cannot start: %s: %s", what, strerror(-err));
	return err;
}

static unsigned int
nb_workers(void)
{
	return rte_lcore_count() > 1 ? rte_lcore_count() - 1 : 1;
}

static int
create_pool(struct parts *p)
{
	uint32_t nb = p->conf->o->mbufs;
	int ret = vale_pool_register();

	if (VALE_POOL_BARE)
		VALE_LOG(ERR,
			"built with -Dbare_pool=true, to be measured and not to be used: a client "
			"that dies takes mbufs with it and may stop the switch");
	if (ret < 0)
		return failed("mempool operations", ret);
	p->pool = vale_pool_create(
		VALE_POOL_NAME, nb, POOL_CACHE, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (p->pool != NULL) {
		ret = vale_pool_govern(p->pool, RTE_MAX(nb / QUOTA_PART, QUOTA_MIN));
		return ret < 0 ? failed("the pool's tags", ret) : 0;
	}
	VALE_LOG(ERR,
		"cannot start: no memory for a pool of %" PRIu32 " mbufs: %s; "
		"give EAL more memory (-m), or fewer mbufs: vale-switch -- --mbufs %" PRIu32,
		nb, rte_strerror(rte_errno), nb / 2);
	return -ENOMEM;
}

/* What a worker freed while a client had the pool's lock goes back before it sleeps. */
static void
flush_stash(void *arg)
{
	vale_pool_flush(arg);
}

static int
create_workers(struct parts *p)
{
	const struct options *o = p->conf->o;

	p->ws = vale_workers_create(nb_workers());
	if (p->ws == NULL)
		return failed("workers", -rte_errno);
	p->ws->before_sleep = flush_stash;
	p->ws->before_sleep_arg = p->pool;
	/* relaxed: no worker runs yet, launching one orders this */
	atomic_store_explicit(&p->ws->tun.batch, o->batch, memory_order_relaxed);
	atomic_store_explicit(&p->ws->tun.ageing_s, o->ageing_s, memory_order_relaxed);
	atomic_store_explicit(&p->ws->tun.idle_poll, o->idle_poll, memory_order_relaxed);
	return 0;
}

static int
create_switches(struct parts *p)
{
	p->switches = vale_switches_create(&p->conf->o->limits, p->ws);
	if (p->switches != NULL)
		return 0;
	return failed("tables of switches (fewer --max-switches or a smaller --fdb-size "
		      "need less memory)",
		-rte_errno);
}

static mode_t
socket_mode(const struct options *o)
{
	if (o->socket_mode != 0)
		return o->socket_mode;
	/* a group that is named is meant to connect */
	return o->socket_group != (gid_t)-1 ? 0660 : 0600;
}

static int
create_server(struct parts *p)
{
	const struct vale_listener_conf conf = {
		.path = p->conf->socket,
		.owner = p->conf->o->socket_owner,
		.group = p->conf->o->socket_group,
		.mode = socket_mode(p->conf->o),
	};

	p->server = vale_server_create(&conf);
	if (p->server != NULL)
		return 0;
	VALE_LOG(ERR,
		"cannot start: control socket %s: %s; take another one: "
		"vale-switch -- --socket PATH",
		conf.path, rte_strerror(rte_errno));
	return -rte_errno;
}

static int
init_group(struct parts *p)
{
	int ret = vale_group_init(p->conf->socket);

	p->group = ret == 0;
	return ret < 0 ? failed("multi-process group", ret) : 0;
}

/* Last: what is reserved until now is the switch's own. */
static int
watch_group(struct parts *p)
{
	int ret = vale_group_watch(p->server);

	return ret < 0 ? failed("watching secondary processes", ret) : 0;
}

/* Packet capture's shared memory: made by us, or the first testpmd makes it and the others
 * complain. */
static int
init_pdump(struct parts *p)
{
	if (!eal_args_secondaries(p->conf->eal))
		return 0;
	p->pdump = rte_pdump_init() == 0;
	return p->pdump ? 0 : failed("packet capture (rte_pdump_init)", -rte_errno);
}

static int
init_kinds(struct parts *p)
{
	const struct vale_dpdk_conf dpdk = {
		.pool = p->pool,
		.ring_size = p->conf->o->limits.ring_size,
		.shared = eal_args_secondaries(p->conf->eal),
	};
	const struct vale_ethdev_conf ethdev = {
		.pool = p->pool,
		.nb_workers = p->ws->nb,
		.socket_owner = p->conf->o->socket_owner,
		.socket_group = p->conf->o->socket_group,
		.socket_mode = socket_mode(p->conf->o),
	};
	const struct vale_netmap_conf netmap = {
		/* of normal memory, which everything else on the machine wants, too */
		.user_max = (size_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 2,
	};
	int ret;

	ret = vale_dpdk_init(&dpdk, p->switches, p->server);
	if (ret < 0)
		return failed("rings of dpdk ports", ret);
	p->dpdk = true;
	ret = vale_ethdev_init(&ethdev, p->switches, p->server);
	if (ret < 0)
		return failed("ethdev ports", ret);
	p->ethdev = true;
	ret = vale_netmap_init(&netmap, p->switches, p->server);
	if (ret < 0)
		return failed("netmap ports", ret);
	p->netmap = true;
	return 0;
}

static int
init_memif(struct parts *p)
{
	const struct options *o = p->conf->o;
	const struct vale_listener_conf conf = {
		.path = o->memif_socket,
		.owner = o->socket_owner,
		.group = o->socket_group,
		.mode = socket_mode(o),
	};
	int ret = vale_memif_init(&conf, p->switches, p->server);

	p->memif = ret == 0;
	if (ret < 0)
		VALE_LOG(ERR,
			"cannot start: socket for memif clients %s: %s; take another one: "
			"vale-switch -- --memif-socket PATH",
			conf.path, strerror(-ret));
	return ret;
}

static int
init_admin(struct parts *p)
{
	const struct vale_admin_conf conf = {
		.prefix = p->conf->eal->prefix,
		.pool = p->pool,
		.create_device = vale_ethdev_create,
		.verbose = p->conf->o->verbose,
	};
	int ret = vale_admin_init(&conf, p->switches, p->server);

	p->admin = ret == 0;
	return ret < 0 ? failed("administration", ret) : 0;
}

/* In this order; taken apart in the reverse. */
static int
build(struct parts *p)
{
	int (*const step[])(struct parts *) = {
		create_pool,
		create_workers,
		create_switches,
		create_server,
		init_group,
		init_pdump,
		init_kinds,
		init_memif,
		init_admin,
		watch_group,
	};

	for (unsigned int i = 0; i < RTE_DIM(step); i++) {
		int ret = step[i](p);

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* A lock in memory shared with secondaries that stays held; NULL if there is none. One of a dead
 * process is released meanwhile. */
static const char *
held_lock(void)
{
	uint64_t end = rte_get_tsc_cycles() + rte_get_tsc_hz() / MS_PER_S * END_LOCKS_MS;
	const char *held;

	while ((held = vale_locks_held()) != NULL && rte_get_tsc_cycles() < end)
		usleep(1000);
	return held;
}

/* What it cannot free the kernel does, and it must not wait for a process that is stopped. */
static bool
is_stuck(struct parts *p)
{
	const char *held = p->group ? held_lock() : NULL;

	p->stuck = held != NULL;
	if (!p->stuck)
		return false;
	VALE_LOG(ERR,
		"ending without a word to clients, and interfaces stay as they are: DPDK's %s is "
		"held by a process that is stopped, or was killed and cannot be helped",
		held);
	unlink(p->conf->socket);
	unlink(p->conf->o->memif_socket);
	return true;
}

/* While the workers still run what was sent is forwarded. Then they stop, and nobody who takes
 * something apart has to wait until they have passed. */
static void
stop_workers(struct parts *p)
{
	if (p->switches != NULL)
		vale_switches_end(p->switches);
	if (p->ws != NULL)
		vale_workers_stop(p->ws);
}

/* To be called after is_stuck(). Workers are stopped, but may not have returned yet. */
static void
take_down_ports(struct parts *p)
{
	if (p->server != NULL)
		vale_server_stop(p->server);
	/* what devices give back is not looked at any more */
	vale_group_unwatch();
	stop_workers(p);
	if (p->server != NULL && p->switches != NULL) {
		/* clients say that they have let go of their memory */
		vale_switches_clear(p->switches);
		vale_server_listen_on(p->server, 100);
	}
	vale_switches_free(p->switches);
	p->switches = NULL;
	if (p->admin)
		vale_admin_fini();
	if (p->memif)
		vale_memif_fini();
	if (p->netmap)
		vale_netmap_fini();
	if (p->ethdev)
		vale_ethdev_fini();
	if (p->dpdk)
		vale_dpdk_fini();
}

/* After the workers have returned. */
static void
take_down_rest(struct parts *p)
{
	if (p->pdump)
		rte_pdump_uninit();
	if (p->group)
		vale_group_fini();
	vale_server_free(p->server);
	vale_workers_free(p->ws);
	/* clients that live on may hold mbufs of it: to them it stays, until they end */
	if (!eal_args_secondaries(p->conf->eal))
		rte_mempool_free(p->pool);
}

/* In a build tree the PMD is where no program looks for it: `-d PATH `, else "". */
static void
plugin_option(char *buf, size_t sz)
{
	static const char in_build_tree[] = "/../drivers/librte_net_vale.so";
	char exe[PATH_MAX], path[PATH_MAX + sizeof(in_build_tree)];
	char *real, *slash;
	ssize_t len;

	buf[0] = '\0';
	len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (len < 0)
		return;
	exe[len] = '\0';
	slash = strrchr(exe, '/');
	if (slash == NULL)
		return;
	*slash = '\0';
	snprintf(path, sizeof(path), "%s%s", exe, in_build_tree);
	real = realpath(path, NULL);
	if (real != NULL && snprintf(buf, sz, "-d %s ", real) >= (int)sz)
		buf[0] = '\0';
	free(real);
}

static void
print_ready(const struct parts *p)
{
	char lcores[256], plugin[PATH_MAX];

	printf("vale-switch: ready\n");
	if (eal_args_secondaries(p->conf->eal)) {
		vale_group_free_lcores(2, lcores, sizeof(lcores));
		plugin_option(plugin, sizeof(plugin));
		printf("dpdk-testpmd --proc-type secondary --file-prefix %s --no-pci --lcores %s "
		       "%s--vdev net_vale0,port=valea:0 -- -i\n",
			p->conf->eal->prefix, lcores, plugin);
	} else {
		printf("dpdk-testpmd --no-huge --no-shconf -m 192 --no-pci --vdev net_memif0,"
		       "role=client,socket-abstract=no,socket=%s,secret=valea:0 "
		       "-- -i --total-num-mbufs 16384\n",
			p->conf->o->memif_socket);
	}
	fflush(stdout);
}

static int
announce(struct parts *p)
{
	int ret = vale_server_start(p->server);

	if (ret < 0)
		return failed("control thread", ret);
	print_ready(p);
	ret = notify_send("READY=1\nSTATUS=Clients can attach.");
	if (ret < 0)
		VALE_LOG(WARNING,
			"cannot tell the service manager that we are ready "
			"($NOTIFY_SOCKET): %s",
			strerror(-ret));
	return 0;
}

/* Wait for a signal, then take the ports down and let the workers return. */
static void
wait_and_stop(struct parts *p)
{
	int sig;

	while (sigwait(p->conf->signals, &sig) != 0)
		;
	VALE_LOG(INFO, "ending: %s", strsignal(sig));
	(void)notify_send("STOPPING=1");
	if (is_stuck(p))
		vale_workers_stop(p->ws);
	else
		take_down_ports(p);
}

/* ---- workers ---- */

struct worker_arg {
	struct vale_workers *ws;
	unsigned int idx;
};

static int
worker_main(void *arg)
{
	const struct worker_arg *w = arg;
	char name[16];

	/* for top -H and perf; the main lcore keeps the name of the process */
	snprintf(name, sizeof(name), "vale-worker-%u", rte_lcore_id());
	pthread_setname_np(pthread_self(), name);
	return vale_worker_run(w->ws, w->idx);
}

static void *
signal_main(void *arg)
{
	wait_and_stop(arg);
	return NULL;
}

/* One lcore: it is the worker, and a thread of no lcore waits for the signal. */
static int
run_on_main_lcore(struct parts *p)
{
	pthread_t thread;
	int ret;

	ret = announce(p);
	if (ret == 0)
		ret = rte_ctrl_thread_create(&thread, "vale-signal", NULL, signal_main, p);
	if (ret < 0) {
		take_down_ports(p);
		return ret;
	}
	vale_worker_run(p->ws, 0);
	pthread_join(thread, NULL);
	return 0;
}

static int
run_on_worker_lcores(struct parts *p)
{
	struct worker_arg arg[VALE_WORKERS_MAX];
	unsigned int lcore, idx = 0;
	int ret = 0;

	RTE_LCORE_FOREACH_WORKER (lcore) {
		arg[idx] = (struct worker_arg){.ws = p->ws, .idx = idx};
		ret = rte_eal_remote_launch(worker_main, &arg[idx], lcore);
		if (ret < 0)
			break;
		idx++;
	}
	ret = ret < 0 ? failed("worker lcores", ret) : announce(p);
	if (ret == 0) {
		wait_and_stop(p);
	} else {
		take_down_ports(p);
	}
	rte_eal_mp_wait_lcore();
	return ret;
}

int
run(const struct run_conf *conf)
{
	struct parts p = {.conf = conf};
	int ret = build(&p);

	if (ret < 0)
		take_down_ports(&p);
	else if (rte_lcore_count() > 1)
		ret = run_on_worker_lcores(&p);
	else
		ret = run_on_main_lcore(&p);
	if (p.stuck)
		return -EDEADLK;
	take_down_rest(&p);
	return ret;
}
