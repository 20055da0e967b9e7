/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_errno.h>
#include <rte_mbuf_dyn.h>
#include <rte_ring.h>

#include "pool.h"
#include "unit_eal.h"

#define NB 1024
#define CACHE 32
#define QUOTA 300
#define ROOM 256
#define BURST 64
/* Lcore ids of clients: nobody has them. */
#define ALICE_LCORE 7
#define BOB_LCORE 8
/* A step of a reap: small, so that much can happen between two. */
#define SLICE 16

static struct rte_mempool *mp;
static struct vale_pool *p;
static struct pool_objects *objects;
/* Frames on their way to a living client. */
static struct rte_ring *ring;

/* ---- being another process: lib/pool tells processes apart by what it knows about itself ---- */

struct identity {
	struct vale_pool_me me;
	unsigned int lcore;
};

static struct identity the_switch, alice, bob;
static struct identity *now_is;

static void
be(struct identity *who)
{
	now_is->me = vale_pool_me;
	vale_pool_me = who->me;
	RTE_PER_LCORE(_lcore_id) = who->lcore;
	now_is = who;
}

static int
setup(void **state)
{
	mp = vale_pool_create("unit", NB, CACHE, ROOM + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	ring = rte_ring_create("unit", NB, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (mp == NULL || ring == NULL || vale_pool_govern(mp, QUOTA) != 0)
		return -1;
	p = pool_of(mp);
	objects = objects_create(mp);
	the_switch = (struct identity){.lcore = rte_lcore_id()};
	alice = (struct identity){.lcore = ALICE_LCORE};
	bob = (struct identity){.lcore = BOB_LCORE};
	now_is = &the_switch;
	return objects != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	if (now_is != &the_switch)
		be(&the_switch);
	objects_free(objects);
	rte_ring_free(ring);
	rte_mempool_free(mp);
	return 0;
}

/* ---- every mbuf exactly once ---- */

static uint8_t places[NB];

static void
found(const void *obj)
{
	int i = objects_find(objects, obj);

	assert_true(i >= 0);
	places[i]++;
}

static void
found_in_pool(void)
{
	const struct rte_mempool_cache *c;
	void *obj;

	for (unsigned int i = 0; i < p->len; i++)
		found(p->objs[i]);
	for (unsigned int s = 0; s <= RTE_MAX_LCORE; s++)
		for (unsigned int i = 0; (obj = stash_peek(p, s, i)) != NULL; i++)
			found(obj);
	for (unsigned int l = 0; l < RTE_MAX_LCORE; l++) {
		c = rte_mempool_default_cache(mp, l);
		for (unsigned int i = 0; i < c->len; i++)
			found(c->objs[i]);
	}
}

static void
found_in_ring(void)
{
	struct rte_mbuf *m;

	for (unsigned int nb = rte_ring_count(ring); nb > 0; nb--) {
		assert_int_equal(rte_ring_dequeue(ring, (void **)&m), 0);
		assert_int_equal(rte_ring_enqueue(ring, m), 0);
		for (; m != NULL; m = m->next)
			found(m);
	}
}

/* All mbufs: in the pool, in the ring, or in hands. */
static void
check_all(struct rte_mbuf *const *hands, unsigned int nb)
{
	memset(places, 0, sizeof(places));
	found_in_pool();
	found_in_ring();
	for (unsigned int i = 0; i < nb; i++)
		found(hands[i]);
	for (unsigned int i = 0; i < NB; i++)
		assert_int_equal(places[i], 1);
}

/* ---- helpers ---- */

static void
take(struct rte_mbuf **m, unsigned int nb)
{
	assert_int_equal(rte_mempool_get_bulk(mp, (void **)m, nb), 0);
}

static void
put(struct rte_mbuf **m, unsigned int nb)
{
	rte_mempool_put_bulk(mp, (void **)m, nb);
}

static uint32_t
tag_of(const struct rte_mbuf *m)
{
	return *vale_pool_tag_of(m);
}

/* Alice's or Bob's process is gone. The caller is the switch. */
static void
bury(const struct identity *who)
{
	uint64_t lcores[POOL_LCORE_WORDS] = {0};

	lcores[who->lcore / 64] = UINT64_C(1) << (who->lcore % 64);
	assert_int_equal(vale_pool_bury(mp, who->me.tag, lcores), 0);
}

/* What waits in the ring, without taking it out. */
static bool
ring_seen(void *arg, unsigned int i, struct vale_pool_reap *r)
{
	void **objs = (void **)&ring[1];

	for (uint32_t at = ring->cons.tail; at != ring->prod.tail; at++)
		vale_pool_reap_see(r, objs[at & ring->mask]);
	return false;
}

static struct vale_pool_reap *
start_reap(void)
{
	struct vale_pool_reap *r = vale_pool_reap_start(mp, ring_seen, NULL);

	assert_non_null(r);
	return r;
}

static unsigned int
finish_reap(struct vale_pool_reap *r)
{
	struct vale_pool_reap_report rep;

	while (vale_pool_reap_step(r, SLICE))
		;
	vale_pool_reap_report(r, &rep);
	vale_pool_reap_free(r);
	return rep.recovered;
}

static unsigned int
reap(void)
{
	return finish_reap(start_reap());
}

/* ---- creation ---- */

static void
register_twice_adds_once(void **state)
{
	unsigned int nb = 0;

	assert_int_equal(vale_pool_register(), 0);
	for (unsigned int i = 0; i < rte_mempool_ops_table.num_ops; i++)
		nb += strcmp(rte_mempool_ops_table.ops[i].name, VALE_POOL_OPS_NAME) == 0;
	assert_int_equal(nb, 1);
}

static void
govern_twice_eexist(void **state)
{
	assert_int_equal(vale_pool_govern(mp, QUOTA), -EEXIST);
	assert_true(vale_pool_is_governed(mp));
}

static void
govern_unfit_pools_einval(void **state)
{
	struct rte_mempool *other;
	void *obj;

	rte_mempool_free(mp);
	other = rte_pktmbuf_pool_create("other", 64, 0, 0, ROOM, SOCKET_ID_ANY);
	assert_int_equal(vale_pool_govern(other, QUOTA), -EINVAL);
	rte_mempool_free(other);
	mp = vale_pool_create("unit", NB, CACHE, ROOM, SOCKET_ID_ANY);
	assert_int_equal(rte_mempool_generic_get(mp, &obj, 1, NULL), 0);
	assert_int_equal(vale_pool_govern(mp, QUOTA), -EINVAL);
	assert_false(vale_pool_is_governed(mp));
	assert_int_equal(vale_pool_join(mp), -EINVAL);
	rte_mempool_generic_put(mp, &obj, 1, NULL);
	assert_int_equal(vale_pool_govern(mp, QUOTA), 0);
}

static void
write_behind(struct rte_mempool *of, void *arg, void *obj, unsigned int idx)
{
	struct rte_mbuf *m = obj;

	((uint8_t *)m->buf_addr)[m->buf_len] = 0xff;
}

static void
count_object(struct rte_mempool *of, void *arg, void *obj, unsigned int idx)
{
	*(unsigned int *)arg += rte_mempool_from_obj(obj) == of;
}

/** As DPDK 22.11's vhost does for a machine that asks for it. */
static void
byte_behind_data_is_nobodys(void **state)
{
	struct rte_mempool *other =
		vale_pool_create("usual", 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	unsigned int nb = 0;

	assert_non_null(other);
	assert_int_equal(rte_pktmbuf_data_room_size(other), RTE_MBUF_DEFAULT_BUF_SIZE);
	rte_mempool_obj_iter(other, write_behind, NULL);
	assert_int_equal(rte_mempool_obj_iter(other, count_object, &nb), 256);
	assert_int_equal(nb, 256);
	assert_true(other->elt_size > sizeof(struct rte_mbuf) + rte_pktmbuf_data_room_size(other));
	rte_mempool_free(other);
}

static void
ops_pool_not_governed_leaves_objects_alone(void **state)
{
	struct rte_mempool *other =
		rte_mempool_create_empty("plain", 64, 128, 0, 0, SOCKET_ID_ANY, 0);
	uint8_t want[128];
	void *obj[64];

	assert_int_equal(rte_mempool_set_ops_byname(other, VALE_POOL_OPS_NAME, NULL), 0);
	assert_int_equal(rte_mempool_populate_default(other), 64);
	memset(want, 0x5a, sizeof(want));
	assert_int_equal(rte_mempool_get_bulk(other, obj, 64), 0);
	for (unsigned int i = 0; i < 64; i++)
		memset(obj[i], 0x5a, sizeof(want));
	assert_int_equal(rte_mempool_avail_count(other), 0);
	rte_mempool_put_bulk(other, obj, 64);
	assert_int_equal(rte_mempool_avail_count(other), 64);
	assert_int_equal(rte_mempool_get_bulk(other, obj, 65), -ENOBUFS);
	assert_int_equal(rte_mempool_get_bulk(other, obj, 64), 0);
	for (unsigned int i = 0; i < 64; i++)
		assert_memory_equal(obj[i], want, sizeof(want));
	assert_false(vale_pool_is_governed(other));
	rte_mempool_free(other);
}

/* ---- operations ---- */

static void
get_put_keeps_every_object_once(void **state)
{
	struct rte_mbuf *m[BURST];

	check_all(NULL, 0);
	take(m, BURST);
	check_all(m, BURST);
	assert_int_equal(rte_mempool_avail_count(mp), NB - BURST);
	put(m, BURST);
	check_all(NULL, 0);
	assert_int_equal(rte_mempool_avail_count(mp), NB);
}

static void
get_tags_with_taker(void **state)
{
	struct rte_mbuf *m[BURST];

	take(m, BURST);
	for (unsigned int i = 0; i < BURST; i++)
		assert_int_equal(tag_place(tag_of(m[i])), VALE_POOL_SWITCH);
	assert_int_not_equal(tag_of(m[0]), 0);
	put(m, BURST);
	be(&alice);
	take(m, BURST);
	for (unsigned int i = 0; i < BURST; i++)
		assert_int_equal(tag_of(m[i]), vale_pool_my_tag());
	assert_int_not_equal(tag_place(vale_pool_my_tag()), VALE_POOL_SWITCH);
	put(m, BURST);
	check_all(NULL, 0);
}

static void
get_more_than_there_is_enobufs(void **state)
{
	struct rte_mbuf *m[NB + 1];

	assert_int_equal(rte_mempool_get_bulk(mp, (void **)m, NB + 1), -ENOBUFS);
	check_all(NULL, 0);
	take(m, NB);
	assert_int_equal(rte_mempool_get_bulk(mp, (void **)&m[NB], 1), -ENOBUFS);
	check_all(m, NB);
	put(m, NB);
}

static void
put_twice_is_refused(void **state)
{
	void *obj;

	assert_int_equal(rte_mempool_generic_get(mp, &obj, 1, NULL), 0);
	vale_pool_flush(mp); /* no reserve: the array has room for one */
	rte_mempool_generic_put(mp, &obj, 1, NULL);
	rte_mempool_generic_put(mp, &obj, 1, NULL);
	assert_int_equal(p->overflow, 1);
	check_all(NULL, 0);
}

static void
free_bulk_tags_whole_chains(void **state)
{
	struct rte_mbuf *m[4], *pkts[2];

	be(&alice);
	take(m, 4);
	pkts[0] = m[0];
	pkts[1] = NULL;
	for (unsigned int i = 1; i < 4; i++) {
		rte_pktmbuf_reset(m[i]);
		m[i - 1]->next = m[i];
	}
	m[0]->nb_segs = 4;
	be(&the_switch);
	vale_pool_free_bulk(pkts, 2);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(tag_of(m[i]), vale_pool_my_tag());
	check_all(NULL, 0);
}

/* ---- the lock ---- */

/* A child with the memory in common: EAL without hugepages uses a shared memory file. */
static void
in_child(void (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void
die_locked(void)
{
	pool_lock(p);
	kill(getpid(), SIGKILL);
}

static void
lock_owner_died_goes_on(void **state)
{
	struct rte_mbuf *m[BURST];

	in_child(die_locked);
	take(m, BURST);
	assert_int_equal(p->owner_died, 1);
	in_child(die_locked);
	put(m, BURST);
	rte_mempool_cache_flush(rte_mempool_default_cache(mp, rte_lcore_id()), mp);
	assert_int_equal(p->owner_died, 2);
	in_child(die_locked);
	be(&alice);
	take(m, BURST);
	put(m, BURST);
	assert_int_equal(p->owner_died, 3);
	check_all(NULL, 0);
}

static void
stash_takes_what_is_freed_while_locked(void **state)
{
	struct rte_mbuf *m[BURST];

	take(m, BURST);
	vale_pool_flush(mp);
	pool_lock(p);
	rte_mempool_generic_put(mp, (void **)m, BURST, NULL);
	assert_int_equal(p->stashed[rte_lcore_id()].nb, BURST);
	check_all(NULL, 0);
	assert_int_equal(rte_mempool_avail_count(mp), NB);
	pool_unlock(p);
	rte_mempool_cache_flush(rte_mempool_default_cache(mp, rte_lcore_id()), mp);
	assert_in_range(p->stashed[rte_lcore_id()].nb, 0, NB / 32);
	vale_pool_flush(mp);
	assert_int_equal(p->stashed[rte_lcore_id()].nb, 0);
	check_all(NULL, 0);
}

/* A client that has the lock and is not on its CPU costs the switch no frame at first. */
static void
reserve_serves_while_locked(void **state)
{
	unsigned int reserve = RTE_MIN(512u, p->size / 32);
	struct rte_mbuf *n[513];

	assert_int_equal(rte_mempool_generic_get(mp, (void **)&n[reserve], 1, NULL), 0);
	assert_int_equal(p->stashed[rte_lcore_id()].nb, reserve);
	pool_lock(p);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)n, reserve, NULL), 0);
	for (unsigned int i = 0; i < reserve; i++)
		assert_int_equal(tag_of(n[i]), vale_pool_my_tag());
	assert_int_equal(p->busy, 0);
	pool_unlock(p);
	check_all(n, reserve + 1);
	rte_mempool_generic_put(mp, (void **)n, reserve + 1, NULL);
	vale_pool_flush(mp);
	check_all(NULL, 0);
}

static void
stash_serves_while_locked_then_enobufs(void **state)
{
	struct rte_mbuf *m[BURST], *n[BURST];

	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, BURST, NULL), 0);
	vale_pool_flush(mp);
	pool_lock(p);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)n, 1, NULL), -ENOBUFS);
	assert_int_equal(p->busy, 1);
	rte_mempool_generic_put(mp, (void **)m, BURST, NULL);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)n, BURST - 1, NULL), 0);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)&n[BURST - 1], 2, NULL), -ENOBUFS);
	assert_int_equal(p->busy, 2);
	check_all(n, BURST - 1);
	assert_int_equal(vale_pool_flush(mp), 1);
	pool_unlock(p);
	assert_int_equal(vale_pool_flush(mp), 0);
	check_all(n, BURST - 1);
	rte_mempool_generic_put(mp, (void **)n, BURST - 1, NULL);
	check_all(NULL, 0);
}

static void
stash_of_threads_without_lcore(void **state)
{
	struct rte_mbuf *m[BURST];
	unsigned int lcore = rte_lcore_id();

	be(&alice);
	take(m, BURST);
	be(&the_switch);
	RTE_PER_LCORE(_lcore_id) = LCORE_ID_ANY;
	pool_lock(p);
	put(m, BURST / 2);
	assert_int_equal(p->stashed[RTE_MAX_LCORE].nb, BURST / 2);
	check_all(&m[BURST / 2], BURST / 2);
	pool_unlock(p);
	put(&m[BURST / 2], BURST / 2);
	assert_int_equal(p->stashed[RTE_MAX_LCORE].nb, 0);
	for (unsigned int i = 0; i < BURST; i++) /* they have no cache: they tag here */
		assert_int_equal(tag_of(m[i]), vale_pool_my_tag());
	RTE_PER_LCORE(_lcore_id) = lcore;
	check_all(NULL, 0);
}

/* ---- quota ---- */

/* Takes one by one without a cache until it is refused. */
static unsigned int
take_all(struct rte_mbuf **m)
{
	unsigned int nb = 0;

	while (rte_mempool_generic_get(mp, (void **)&m[nb], 1, NULL) == 0)
		nb++;
	return nb;
}

static void
quota_ends_a_hoarder(void **state)
{
	struct rte_mbuf *m[NB], *n[NB];
	struct vale_pool_holder_info info;

	be(&alice);
	assert_int_equal(take_all(m), QUOTA);
	assert_int_equal(vale_pool_holder_get(mp, tag_place(vale_pool_my_tag()), &info), 0);
	assert_int_equal(info.refused, 1);
	assert_int_equal(info.held, QUOTA);
	rte_mempool_generic_put(mp, (void **)m, 10, NULL);
	assert_int_equal(take_all(m), 10);
	be(&bob); /* another has his own */
	assert_int_equal(take_all(n), QUOTA);
	rte_mempool_generic_put(mp, (void **)n, QUOTA, NULL);
	vale_pool_set_quota(mp, QUOTA + 5);
	be(&alice);
	assert_int_equal(take_all(&m[QUOTA]), 5);
	rte_mempool_generic_put(mp, (void **)m, QUOTA + 5, NULL);
	check_all(NULL, 0);
}

static void
quota_through_a_cache_is_reached(void **state)
{
	struct rte_mbuf *m[NB];
	unsigned int nb = 0;

	be(&alice);
	while (rte_mempool_get_bulk(mp, (void **)&m[nb], 1) == 0)
		nb++;
	assert_int_equal(nb, QUOTA);
	check_all(m, nb);
	put(m, nb);
}

static void
quota_spares_the_switch(void **state)
{
	struct rte_mbuf *m[NB];

	assert_int_equal(take_all(m), NB);
	rte_mempool_generic_put(mp, (void **)m, NB, NULL);
}

static void
quota_counts_what_queues_move(void **state)
{
	struct vale_pool_flow rx, tx;
	struct rte_mbuf *m[NB];

	be(&alice);
	vale_pool_flow_add(&rx);
	vale_pool_flow_add(&tx);
	vale_pool_count_received(&rx, 100);
	assert_int_equal(take_all(m), QUOTA - 100);
	vale_pool_count_sent(&tx, 30);
	assert_int_equal(take_all(&m[QUOTA - 100]), 30);
	vale_pool_flow_del(&rx); /* a port that is closed takes nothing back */
	vale_pool_flow_del(&tx);
	assert_int_equal(take_all(&m[QUOTA - 70]), 0);
	vale_pool_flow_add(&tx);
	vale_pool_count_sent(&tx, 70);
	assert_int_equal(take_all(&m[QUOTA - 70]), 70);
	vale_pool_flow_del(&tx);
	rte_mempool_generic_put(mp, (void **)m, QUOTA, NULL);
}

static void
quota_ends_who_only_receives(void **state)
{
	struct vale_pool_flow rx;
	struct vale_pool_holder_info info;
	struct rte_mbuf *m[BURST];
	unsigned int n, sum = 0;

	be(&alice);
	take(m, 1); /* and with it a cache full */
	vale_pool_flow_add(&rx);
	while ((n = vale_pool_may_receive(mp, &rx, BURST)) > 0) {
		vale_pool_count_received(&rx, n);
		sum += n;
	}
	assert_int_equal(sum, QUOTA - 1);
	assert_int_equal(rte_mempool_default_cache(mp, ALICE_LCORE)->len, 0);
	assert_int_equal(vale_pool_holder_get(mp, tag_place(vale_pool_my_tag()), &info), 0);
	assert_int_equal(info.held, QUOTA);
	put(m, 1); /* into its cache: to be free it must leave that, too */
	assert_int_equal(vale_pool_may_receive(mp, &rx, BURST), 1);
	vale_pool_count_received(&rx, 5); /* a chain */
	assert_int_equal(vale_pool_may_receive(mp, &rx, BURST), 0);
	vale_pool_count_sent(&rx, 14);
	assert_int_equal(vale_pool_may_receive(mp, &rx, BURST), 10);
	vale_pool_set_quota(mp, NB); /* all: no limit */
	vale_pool_count_received(&rx, 3 * NB);
	assert_int_equal(vale_pool_may_receive(mp, &rx, BURST), BURST);
	vale_pool_count_sent(&rx, rx.received - rx.sent);
	vale_pool_flow_del(&rx);
}

/* ---- holders ---- */

static void
join_gives_each_a_place(void **state)
{
	struct vale_pool_holder_info info;

	assert_int_equal(vale_pool_holder_get(mp, VALE_POOL_SWITCH, &info), 0);
	assert_int_equal(info.pid, getpid());
	assert_int_equal(info.state, VALE_POOL_LIVE);
	assert_true(info.same_pid_ns);
	assert_int_equal(vale_pool_holder_get(mp, 1, &info), -ENOENT);
	be(&alice);
	assert_int_equal(vale_pool_join(mp), 0);
	assert_int_equal(vale_pool_join(mp), 0);
	be(&bob);
	assert_int_equal(vale_pool_join(mp), 0);
	assert_int_equal(tag_place(alice.me.tag), 1);
	assert_int_equal(tag_place(vale_pool_my_tag()), 2);
	assert_int_equal(vale_pool_holder_get(mp, 3, &info), -ENOENT);
	assert_int_equal(vale_pool_holder_get(mp, VALE_POOL_HOLDERS, &info), -EINVAL);
	assert_int_equal(vale_pool_holder_get(mp, 1, &info), 0);
	assert_int_equal(info.tag, alice.me.tag);
	assert_true(lcore_in(info.lcores, the_switch.lcore)); /* the ids of this process */
}

static void
join_full_table_enospc(void **state)
{
	struct identity who[VALE_POOL_HOLDERS] = {0};
	void *obj, *other;

	for (unsigned int i = 1; i < VALE_POOL_HOLDERS; i++) {
		be(&who[i]);
		assert_int_equal(vale_pool_join(mp), 0);
	}
	assert_int_equal(rte_mempool_generic_get(mp, &obj, 1, NULL), 0);
	be(&alice);
	assert_int_equal(vale_pool_join(mp), -ENOSPC);
	assert_int_equal(rte_mempool_generic_get(mp, &other, 1, NULL), -ENOBUFS);
	rte_mempool_generic_put(mp, &obj, 1, NULL); /* never refused */
	check_all(NULL, 0);
	be(&the_switch);
	bury(&who[5]);
	assert_int_equal(reap(), 0);
	be(&alice);
	assert_int_equal(vale_pool_join(mp), 0);
	assert_int_equal(tag_place(vale_pool_my_tag()), 5);
	assert_int_not_equal(vale_pool_my_tag(), who[5].me.tag);
}

static void
take_and_die(void)
{
	struct rte_mbuf *m[BURST];

	RTE_PER_LCORE(_lcore_id) = LCORE_ID_ANY;
	if (rte_mempool_get_bulk(mp, (void **)m, BURST) == 0)
		kill(getpid(), SIGKILL);
}

static void
find_dead_child_of_fork_is_found_and_reaped(void **state)
{
	const uint64_t none[POOL_LCORE_WORDS] = {0};
	uint32_t tags[4];

	be(&alice);
	assert_int_equal(vale_pool_join(mp), 0);
	be(&the_switch);
	in_child(take_and_die);
	assert_int_equal(vale_pool_find_dead(mp, tags, 4), 1);
	assert_int_equal(tag_place(tags[0]), 2);
	assert_int_equal(vale_pool_bury(mp, tags[0], none), 0);
	assert_int_equal(vale_pool_find_dead(mp, tags, 4), 0);
	assert_int_equal(reap(), BURST);
	check_all(NULL, 0);
}

static void
bury_wrong_tag_is_refused(void **state)
{
	const uint64_t none[POOL_LCORE_WORDS] = {0};

	be(&alice);
	assert_int_equal(vale_pool_join(mp), 0);
	assert_int_equal(
		vale_pool_bury(mp, vale_pool_my_tag(), none), -EINVAL); /* not the switch */
	be(&the_switch);
	assert_int_equal(vale_pool_bury(mp, vale_pool_my_tag(), none), -EINVAL);
	assert_int_equal(
		vale_pool_bury(mp, alice.me.tag + (1 << VALE_POOL_TAG_GEN_SHIFT), none), -ENOENT);
	assert_int_equal(vale_pool_bury(mp, alice.me.tag, none), 0);
	assert_int_equal(vale_pool_bury(mp, alice.me.tag, none), -ENOENT);
}

/* ---- recovery ---- */

static void
reap_nobody_buried_enoent(void **state)
{
	assert_null(vale_pool_reap_start(mp, NULL, NULL));
	assert_int_equal(rte_errno, ENOENT);
	be(&alice);
	assert_int_equal(vale_pool_join(mp), 0);
	assert_null(vale_pool_reap_start(mp, NULL, NULL));
	assert_int_equal(rte_errno, EINVAL);
}

static void
reap_twice_at_a_time_ebusy(void **state)
{
	struct vale_pool_reap *r;

	be(&alice);
	assert_int_equal(vale_pool_join(mp), 0);
	be(&the_switch);
	bury(&alice);
	r = start_reap();
	assert_null(vale_pool_reap_start(mp, NULL, NULL));
	assert_int_equal(rte_errno, EBUSY);
	vale_pool_reap_free(r); /* not finished: for the next */
	vale_pool_reap_free(NULL);
	assert_int_equal(reap(), 0);
	assert_null(vale_pool_reap_start(mp, NULL, NULL));
}

static void
reap_hands_and_caches_come_back(void **state)
{
	struct rte_mempool_cache *c;
	struct rte_mbuf *m[BURST];

	be(&alice);
	take(m, BURST);
	c = rte_mempool_default_cache(mp, ALICE_LCORE);
	assert_int_equal(c->len, CACHE);
	/* as left by one that died putting: the length is ahead of the objects, one stands twice */
	c->len += 5;
	c->objs[3] = c->objs[4];
	be(&the_switch);
	bury(&alice);
	assert_int_equal(c->len, 0);
	assert_int_equal(reap(), BURST + CACHE);
	check_all(NULL, 0);
	assert_int_equal(rte_mempool_avail_count(mp), NB);
}

static void
reap_renews_what_was_being_changed(void **state)
{
	struct rte_mbuf *m[3], *all[NB];
	struct rte_mbuf was[3];

	be(&alice);
	take(m, 3);
	for (unsigned int i = 0; i < 3; i++)
		was[i] = *m[i];
	rte_pktmbuf_attach(m[0], m[1]);
	m[1]->next = m[2];
	m[1]->nb_segs = 7;
	m[2]->buf_len = 1;
	m[2]->ol_flags = RTE_MBUF_F_EXTERNAL;
	m[2]->pool = NULL;
	be(&the_switch);
	bury(&alice);
	reap();
	assert_int_equal(take_all(all), NB);
	for (unsigned int i = 0; i < 3; i++) {
		const struct rte_mbuf *w = &was[i];
		const char *why;

		assert_int_equal(rte_mbuf_refcnt_read(m[i]), 1);
		assert_null(m[i]->next);
		assert_int_equal(m[i]->nb_segs, 1);
		assert_int_equal(m[i]->ol_flags, 0);
		assert_ptr_equal(m[i]->pool, mp);
		assert_ptr_equal(m[i]->buf_addr, w->buf_addr);
		assert_int_equal(m[i]->buf_iova, w->buf_iova);
		assert_int_equal(m[i]->buf_len, w->buf_len);
		assert_int_equal(rte_mbuf_check(m[i], 1, &why), 0);
	}
	rte_mempool_generic_put(mp, (void **)all, NB, NULL);
}

static void
reap_leaves_the_dead_ones_tags_in_the_pool(void **state)
{
	struct rte_mbuf *m[QUOTA];

	be(&alice);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, QUOTA, NULL), 0);
	rte_mempool_generic_put(mp, (void **)m, QUOTA, NULL);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, 7, NULL), 0);
	be(&the_switch);
	bury(&alice);
	assert_int_equal(reap(), 7);
	check_all(NULL, 0);
}

static void
reap_leaves_what_was_received(void **state)
{
	struct rte_mbuf *m[BURST];

	be(&bob);
	assert_int_equal(vale_pool_join(mp), 0);
	be(&alice);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, BURST, NULL), 0);
	be(&bob);
	for (unsigned int i = 0; i < BURST / 2; i++)
		vale_pool_tag(m[i]);
	be(&the_switch);
	bury(&alice);
	assert_int_equal(reap(), BURST - BURST / 2);
	check_all(m, BURST / 2);
	bury(&bob);
	assert_int_equal(reap(), BURST / 2);
	check_all(NULL, 0);
}

static void
reap_two_dead_at_once(void **state)
{
	struct vale_pool_reap_report rep;
	struct vale_pool_reap *r;
	struct rte_mbuf *m[BURST];

	be(&alice);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, 10, NULL), 0);
	be(&bob);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, 20, NULL), 0);
	be(&the_switch);
	bury(&alice);
	bury(&bob);
	r = start_reap();
	while (vale_pool_reap_step(r, SLICE))
		;
	vale_pool_reap_report(r, &rep);
	vale_pool_reap_free(r);
	assert_int_equal(rep.holders, 2);
	assert_int_equal(rep.tagged, 30);
	assert_int_equal(rep.recovered, 30);
	check_all(NULL, 0);
}

static struct rte_mbuf *
chain(struct rte_mbuf **m, unsigned int nb)
{
	for (unsigned int i = 0; i + 1 < nb; i++)
		m[i]->next = m[i + 1];
	m[nb - 1]->next = NULL;
	m[0]->nb_segs = nb;
	return m[0];
}

static void
reap_leaves_chains_in_rings(void **state)
{
	struct rte_mbuf *m[BURST];

	be(&alice);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, BURST, NULL), 0);
	assert_int_equal(rte_ring_enqueue(ring, chain(&m[0], 10)), 0);
	assert_int_equal(rte_ring_enqueue(ring, chain(&m[10], 1)), 0);
	be(&the_switch);
	bury(&alice);
	assert_int_equal(reap(), BURST - 11);
	check_all(NULL, 0);
}

static bool
ring_of_rubbish(void *arg, unsigned int i, struct vale_pool_reap *r)
{
	struct rte_mbuf **m = arg;

	assert_true(i < 2);
	if (i == 0) {
		vale_pool_reap_see(r, NULL);
		vale_pool_reap_see(r, (struct rte_mbuf *)64);
		vale_pool_reap_see(r, RTE_PTR_ADD(m[0], 64));
		vale_pool_reap_see(r, (struct rte_mbuf *)(UINTPTR_MAX - 63));
		return true;
	}
	vale_pool_reap_see(r, m[0]);
	vale_pool_reap_see(r, m[1]);
	return false;
}

static void
reap_survives_loops_and_rubbish(void **state)
{
	struct rte_mbuf *m[3];

	be(&alice);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, 3, NULL), 0);
	m[0]->next = m[1];
	m[1]->next = m[0];
	be(&the_switch);
	bury(&alice);
	assert_int_equal(finish_reap(vale_pool_reap_start(mp, ring_of_rubbish, m)), 1);
	m[0]->next = NULL;
	m[1]->next = NULL;
	check_all(m, 2);
}

static void
reap_waits_for_nobody(void **state)
{
	struct vale_pool_reap *r;
	struct rte_mbuf *m[3];

	be(&alice);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, 3, NULL), 0);
	be(&the_switch);
	bury(&alice);
	r = start_reap();
	pool_lock(p);
	for (unsigned int i = 0; i < 1000; i++)
		assert_true(vale_pool_reap_step(r, NB));
	check_all(m, 3);
	pool_unlock(p);
	assert_int_equal(finish_reap(r), 3);
	check_all(NULL, 0);
}

/* As rte_pktmbuf_copy() does from an application's own pool. */
static void
lose_tags(struct rte_mbuf **m, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++)
		*vale_pool_tag_of(m[i]) = 0;
}

static void
reap_alone_finds_what_lost_its_tag(void **state)
{
	struct rte_mbuf *m[5];

	be(&alice);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, 5, NULL), 0);
	lose_tags(m, 2);
	*vale_pool_tag_of(m[2]) = alice.me.tag + (7 << VALE_POOL_TAG_GEN_SHIFT);
	be(&the_switch);
	assert_int_equal(rte_ring_enqueue(ring, m[0]), 0);
	bury(&alice);
	assert_int_equal(reap(), 4);
	check_all(NULL, 0);
}

/* What the switch has is in no place that is looked at. */
static void
reap_alone_leaves_what_the_switch_holds(void **state)
{
	struct rte_mbuf *own[BURST], *m[1];

	be(&alice);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, 1, NULL), 0);
	be(&the_switch);
	take(own, BURST);
	bury(&alice);
	assert_int_equal(reap(), 1);
	check_all(own, BURST);
}

static void
reap_not_alone_leaves_what_lost_its_tag(void **state)
{
	struct rte_mbuf *m[2], *bobs[2];

	be(&bob);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)bobs, 2, NULL), 0);
	lose_tags(bobs, 2);
	be(&alice);
	assert_int_equal(rte_mempool_generic_get(mp, (void **)m, 2, NULL), 0);
	lose_tags(m, 1);
	be(&the_switch);
	bury(&alice);
	assert_int_equal(reap(), 1);
	check_all((struct rte_mbuf *[]){m[0], bobs[0], bobs[1]}, 3);
	bury(&bob);
	assert_int_equal(reap(), 3); /* alone at last: hers, too */
	check_all(NULL, 0);
}

/* Alice dies with an mbuf without a tag; @p nb slices later Bob joins, takes one and loses its tag.
 * Returns whether hers came back. */
static bool
bob_comes_after(unsigned int nb, bool and_dies)
{
	struct vale_pool_reap *r;
	struct rte_mbuf *hers, *his, *both[2];
	unsigned int back;

	be(&alice);
	alice.me = vale_pool_me = (struct vale_pool_me){0};
	assert_int_equal(rte_mempool_generic_get(mp, (void **)&hers, 1, NULL), 0);
	lose_tags(&hers, 1);
	be(&the_switch);
	bury(&alice);
	r = start_reap();
	while (nb > 0 && vale_pool_reap_step(r, SLICE))
		nb--;
	be(&bob);
	bob.me = vale_pool_me = (struct vale_pool_me){0};
	assert_int_equal(rte_mempool_generic_get(mp, (void **)&his, 1, NULL), 0);
	lose_tags(&his, 1);
	be(&the_switch);
	if (and_dies)
		bury(&bob);
	back = finish_reap(r);
	assert_true(back <= 1);
	both[0] = his;
	both[1] = hers;
	check_all(both, 2 - back);
	if (!and_dies)
		bury(&bob);
	assert_int_equal(reap(), 2 - back);
	check_all(NULL, 0);
	return back == 1;
}

static void
reap_alone_ends_when_somebody_joins(void **state)
{
	unsigned int in_time = 0, too_late = 0;

	for (unsigned int slices = 0; slices < 2 * (NB / SLICE) + RTE_MAX_LCORE; slices++) {
		if (bob_comes_after(slices, slices % 2 == 0))
			too_late++;
		else
			in_time++;
	}
	assert_true(in_time > NB / SLICE);
	assert_true(too_late > 0);
}

/* What Bob has in his hands. */
struct hands {
	struct rte_mbuf *m[NB];
	unsigned int nb;
};

static void
bob_receives(struct hands *h)
{
	struct rte_ring_zc_data zc;
	struct rte_mbuf *m;

	if (rte_ring_dequeue_zc_burst_start(ring, 1, &zc, NULL) == 0)
		return;
	m = *(struct rte_mbuf **)zc.ptr1;
	vale_pool_tag_chain(m);
	rte_ring_dequeue_zc_finish(ring, 1);
	for (; m != NULL; m = m->next)
		h->m[h->nb++] = m;
}

/* One random thing that a living client does. */
static void
bob_moves(struct hands *h)
{
	unsigned int k = rand() % 24;
	struct rte_mbuf *m;

	switch (rand() % 4) {
	case 0:
		bob_receives(h);
		break;
	case 1:
		if (h->nb + k < NB && rte_mempool_get_bulk(mp, (void **)&h->m[h->nb], k) == 0)
			h->nb += k;
		break;
	case 2:
		while (k-- > 0 && h->nb > 0) {
			m = h->m[--h->nb];
			m->next = NULL;
			put(&m, 1);
		}
		break;
	default:
		rte_mempool_cache_flush(rte_mempool_default_cache(mp, BOB_LCORE), mp);
		break;
	}
}

/*
 * Alice dies with mbufs everywhere; Bob takes, frees and receives between any two slices of the
 * reap, hers among them. In the end each is somewhere once, and all that she had is back.
 */
static void
reap_while_others_move(void **state)
{
	struct hands h = {.nb = 0};
	struct rte_mbuf *m[QUOTA];
	struct vale_pool_reap *r;

	vale_pool_set_quota(mp, NB);
	for (unsigned int round = 0; round < 200; round++) {
		unsigned int nb = 100 + rand() % 200;

		be(&alice);
		alice.me = vale_pool_me = (struct vale_pool_me){0};
		take(m, nb);
		for (unsigned int i = 0; i + 4 < nb / 2; i += 4)
			assert_int_equal(rte_ring_enqueue(ring, chain(&m[i], 4)), 0);
		put(&m[nb / 2], nb / 4);
		be(&the_switch);
		bury(&alice);
		r = start_reap();
		while (vale_pool_reap_step(r, 1 + rand() % 64)) {
			be(&bob);
			bob_moves(&h);
			be(&the_switch);
		}
		vale_pool_reap_free(r);
		check_all(h.m, h.nb);
		be(&bob);
		while (rte_ring_count(ring) > 0)
			bob_receives(&h);
		for (; h.nb > 0; h.nb--) {
			h.m[h.nb - 1]->next = NULL;
			put(&h.m[h.nb - 1], 1);
		}
		be(&the_switch);
		check_all(NULL, 0);
	}
}

static void
objects_find_all_and_nothing_else(void **state)
{
	assert_int_equal(objects_nb(objects), NB);
	for (unsigned int i = 0; i < NB; i++) {
		assert_int_equal(objects_find(objects, objects_at(objects, i)), i);
		assert_int_equal(objects_find(objects, RTE_PTR_ADD(objects_at(objects, i), 8)), -1);
		assert_int_equal(objects_find(objects, RTE_PTR_SUB(objects_at(objects, i), 8)), -1);
	}
	assert_int_equal(objects_find(objects, NULL), -1);
	assert_int_equal(objects_find(objects, (void *)UINTPTR_MAX), -1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(register_twice_adds_once),
		T(govern_twice_eexist),
		T(govern_unfit_pools_einval),
		T(byte_behind_data_is_nobodys),
		T(ops_pool_not_governed_leaves_objects_alone),
		T(get_put_keeps_every_object_once),
		T(get_tags_with_taker),
		T(get_more_than_there_is_enobufs),
		T(put_twice_is_refused),
		T(free_bulk_tags_whole_chains),
		T(lock_owner_died_goes_on),
		T(stash_takes_what_is_freed_while_locked),
		T(reserve_serves_while_locked),
		T(stash_serves_while_locked_then_enobufs),
		T(stash_of_threads_without_lcore),
		T(quota_ends_a_hoarder),
		T(quota_through_a_cache_is_reached),
		T(quota_spares_the_switch),
		T(quota_counts_what_queues_move),
		T(quota_ends_who_only_receives),
		T(join_gives_each_a_place),
		T(join_full_table_enospc),
		T(find_dead_child_of_fork_is_found_and_reaped),
		T(bury_wrong_tag_is_refused),
		T(reap_nobody_buried_enoent),
		T(reap_twice_at_a_time_ebusy),
		T(reap_hands_and_caches_come_back),
		T(reap_renews_what_was_being_changed),
		T(reap_leaves_the_dead_ones_tags_in_the_pool),
		T(reap_leaves_what_was_received),
		T(reap_two_dead_at_once),
		T(reap_leaves_chains_in_rings),
		T(reap_survives_loops_and_rubbish),
		T(reap_waits_for_nobody),
		T(reap_alone_finds_what_lost_its_tag),
		T(reap_alone_leaves_what_the_switch_holds),
		T(reap_not_alone_leaves_what_lost_its_tag),
		T(reap_alone_ends_when_somebody_joins),
		T(reap_while_others_move),
		T(objects_find_all_and_nothing_else),
	};

	if (unit_eal_init() != 0 || vale_pool_register() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
