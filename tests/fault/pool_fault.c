/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_memzone.h>

#include "pool.h"
#include "pool_fault.h"

#define RING_SZ 512
#define QUOTA 1500
/* Longest that a secondary may take to start. */
#define START_MS 30000
#define SWITCH_BURST 32

struct arena *arena;
struct rte_mempool *pool;
static const char *self; /* this program */
static const char *prefix;
static struct vale_pool_reap *reap;
static unsigned int nb_recovered;

void
fault_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("FAILED: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1); /* secondaries end with us */
}

uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- secondaries ---- */

static void
peer_exec(unsigned int i, const char *role)
{
	char lcores[16], number[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(lcores, sizeof(lcores), "%u@(0-1)", PEER_LCORE(i));
	snprintf(number, sizeof(number), "%u", i);
	execl(self, self, "--proc-type=secondary", "--file-prefix", prefix, "--no-pci",
		"--no-telemetry", "--log-level=error", "--lcores", lcores, "--", role, number,
		NULL);
	_exit(127);
}

pid_t
peer_start(unsigned int i, const char *role)
{
	struct peer *p = &arena->peer[i];
	uint64_t end = now_ms() + START_MS;
	pid_t pid;

	atomic_store(&p->state, PEER_STARTING);
	atomic_store(&p->stop, 0);
	atomic_store(&p->tag, 0);
	pid = fork();
	if (pid == 0)
		peer_exec(i, role);
	while (atomic_load(&p->state) != PEER_READY) {
		switch_poll();
		if (waitpid(pid, NULL, WNOHANG) == pid)
			fault_die("secondary %u ended while it started", i);
		if (now_ms() > end)
			fault_die("secondary %u hangs", i);
	}
	return pid;
}

int
peer_wait(pid_t pid)
{
	uint64_t end = now_ms() + START_MS;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		switch_poll();
		if (now_ms() > end)
			fault_die("process %d does not end", (int)pid);
	}
	return status;
}

/* ---- the switch ---- */

/*
 * Free what is in a ring of one that died. It may have moved a head and not the tail behind it:
 * what it began to take is still there, what it began to put is not.
 */
static void
flush_ring(struct rte_ring *r)
{
	struct rte_mbuf *m;

	r->cons.head = r->cons.tail;
	r->prod.head = r->prod.tail;
	while (rte_ring_dequeue(r, (void **)&m) == 0)
		vale_pool_free_bulk(&m, 1);
	rte_ring_reset(r);
}

static void
forward(struct rte_ring *from, struct rte_ring *to)
{
	struct rte_mbuf *m[SWITCH_BURST];
	unsigned int n, sent;

	n = rte_ring_dequeue_burst(from, (void **)m, SWITCH_BURST, NULL);
	if (n == 0)
		return;
	sent = rte_ring_enqueue_burst(to, (void **)m, n, NULL);
	vale_pool_free_bulk(&m[sent], n - sent);
}

/* Frames of each go to the next; and all get one of the switch's own, as if it had copied it. */
void
switch_poll(void)
{
	struct rte_mbuf *m;

	for (unsigned int i = 0; i < NB_PEERS; i++) {
		forward(arena->peer[i].to_switch, arena->peer[(i + 1) % NB_PEERS].from_switch);
		m = rte_pktmbuf_alloc(pool);
		if (m != NULL && rte_ring_enqueue(arena->peer[i].from_switch, m) != 0)
			vale_pool_free_bulk(&m, 1);
	}
}

static bool
rings_seen(void *arg, unsigned int i, struct vale_pool_reap *r)
{
	const struct rte_ring *ring = arena->peer[i].from_switch;
	void *const *objs = (void *const *)&ring[1];

	for (uint32_t at = ring->cons.tail; at != ring->prod.tail; at++)
		vale_pool_reap_see(r, objs[at & ring->mask]);
	return i + 1 < NB_PEERS;
}

/* Lcore ids of a holder: those that the switch knows of a secondary, or those of the tracer's
 * children. */
static void
lcores_of(uint32_t tag, uint64_t lcores[POOL_LCORE_WORDS])
{
	memset(lcores, 0, POOL_LCORE_WORDS * sizeof(lcores[0]));
	lcores[0] = UINT64_C(1) << CHILD_LCORE;
	for (unsigned int i = 0; i < NB_PEERS; i++)
		if (atomic_load(&arena->peer[i].tag) == tag)
			lcores[0] = UINT64_C(1) << PEER_LCORE(i);
}

/* A secondary, or children of one. */
static void
bury_all(void)
{
	uint32_t tags[VALE_POOL_HOLDERS];
	unsigned int nb = vale_pool_find_dead(pool, tags, RTE_DIM(tags));
	uint64_t lcores[POOL_LCORE_WORDS];

	for (unsigned int i = 0; i < nb; i++) {
		lcores_of(tags[i], lcores);
		vale_pool_bury(pool, tags[i], lcores);
	}
}

void
recover_start(const struct fault_options *o, unsigned int i)
{
	if (i < NB_PEERS) {
		flush_ring(arena->peer[i].to_switch);
		flush_ring(arena->peer[i].from_switch);
	}
	bury_all();
	reap = o->reap ? vale_pool_reap_start(pool, rings_seen, NULL) : NULL;
}

bool
recover_step(void)
{
	struct vale_pool_reap_report rep;

	if (reap == NULL)
		return false;
	if (vale_pool_reap_step(reap, 256))
		return true;
	vale_pool_reap_report(reap, &rep);
	nb_recovered += rep.recovered;
	vale_pool_reap_free(reap);
	reap = NULL;
	return false;
}

unsigned int
recovered(void)
{
	return nb_recovered;
}

/* ---- the count ---- */

static uint8_t places[NB_MBUFS];
static struct pool_objects *objects;

static void
found(const char *when, const void *obj)
{
	int i = objects_find(objects, obj);

	if (i < 0)
		fault_die("%s: %p is none of the pool's mbufs", when, obj);
	if (places[i]++ > 0)
		fault_die("%s: mbuf %d is there twice", when, i);
}

static void
found_in_caches(const char *when)
{
	const struct rte_mempool_cache *c;

	for (unsigned int l = 0; l < RTE_MAX_LCORE; l++) {
		c = &pool->local_cache[l];
		for (unsigned int i = 0; i < c->len; i++)
			found(when, c->objs[i]);
	}
}

static void
found_in_rings(const char *when)
{
	const struct rte_ring *ring;
	const struct rte_mbuf *m;

	for (unsigned int i = 0; i < 2 * NB_PEERS; i++) {
		ring = i < NB_PEERS ? arena->peer[i].from_switch
				    : arena->peer[i - NB_PEERS].to_switch;
		for (uint32_t at = ring->cons.tail; at != ring->prod.tail; at++)
			for (m = ((void *const *)&ring[1])[at & ring->mask]; m != NULL; m = m->next)
				found(when, m);
	}
}

void
count_all(const char *when)
{
	struct vale_pool *p = pool_of(pool);
	unsigned int missing = 0;
	void *obj;

	memset(places, 0, sizeof(places));
	for (unsigned int i = 0; i < p->len; i++)
		found(when, p->objs[i]);
	for (unsigned int s = 0; s <= RTE_MAX_LCORE; s++)
		for (unsigned int i = 0; (obj = stash_peek(p, s, i)) != NULL; i++)
			found(when, obj);
	found_in_caches(when);
	found_in_rings(when);
	for (unsigned int i = 0; i < NB_MBUFS; i++)
		missing += places[i] == 0;
	if (missing > 0)
		fault_die("%s: %u mbufs are lost", when, missing);
}

/* ---- start ---- */

static struct rte_ring *
make_ring(const char *name, unsigned int i)
{
	char unique[RTE_RING_NAMESIZE];

	snprintf(unique, sizeof(unique), "%s%u", name, i);
	return rte_ring_create(unique, RING_SZ, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int
setup(void)
{
	const struct rte_memzone *mz;
	int ret;

	mz = rte_memzone_reserve(ARENA_NAME, sizeof(*arena), SOCKET_ID_ANY, 0);
	pool = vale_pool_create(
		POOL_NAME, NB_MBUFS, CACHE_SZ, RTE_PKTMBUF_HEADROOM + 128, SOCKET_ID_ANY);
	if (mz == NULL || pool == NULL)
		return -ENOMEM;
	ret = vale_pool_govern(pool, QUOTA);
	if (ret != 0)
		return ret;
	arena = mz->addr;
	memset(arena, 0, sizeof(*arena));
	for (unsigned int i = 0; i < NB_PEERS; i++) {
		arena->peer[i].to_switch = make_ring("up", i);
		arena->peer[i].from_switch = make_ring("down", i);
		if (arena->peer[i].to_switch == NULL || arena->peer[i].from_switch == NULL)
			return -ENOMEM;
	}
	objects = objects_create(pool);
	return objects != NULL ? 0 : -ENOMEM;
}

static unsigned int
number(const char *text)
{
	return (unsigned int)strtoul(text, NULL, 10);
}

static const char *
value_of(int argc, char **argv, const char *option)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], option) == 0)
			return argv[i + 1];
	return NULL;
}

static int
primary_main(int argc, char **argv)
{
	struct fault_options o = {.kills = 50, .reap = true};
	int ret;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--no-reap") == 0)
			o.reap = false;
		else if (strcmp(argv[i], "--kills") == 0 && i + 1 < argc)
			o.kills = number(argv[++i]);
		else if (strcmp(argv[i], "--every") == 0)
			o.every = true;
		else if (strcmp(argv[i], "--from") == 0 && i + 1 < argc)
			o.from = number(argv[++i]);
		else
			fault_die("unknown argument %s", argv[i]);
	}
	ret = setup();
	if (ret != 0)
		fault_die("the pool cannot be made: %s", strerror(-ret));
	if (strcmp(argv[1], "kill") == 0)
		return test_kill(&o);
	if (strcmp(argv[1], "step") == 0)
		return test_step(&o);
	fault_die("there is no test %s", argv[1]);
}

int
main(int argc, char **argv)
{
	int n;

	self = "/proc/self/exe";
	prefix = value_of(argc, argv, "--file-prefix");
	n = rte_eal_init(argc, argv);
	if (n < 0 || prefix == NULL || argc - n < 2 || vale_pool_register() != 0) {
		fputs("usage: pool-fault --file-prefix PREFIX [EAL options] -- kill|step "
		      "[--kills N] [--every] [--from SCENARIO] [--no-reap]\n",
			stderr);
		return 2;
	}
	if (rte_eal_process_type() == RTE_PROC_SECONDARY)
		n = argc - n >= 3 ? peer_main(number(argv[n + 2]), argv[n + 1]) : 2;
	else
		n = primary_main(argc - n, argv + n);
	rte_eal_cleanup();
	return n;
}
