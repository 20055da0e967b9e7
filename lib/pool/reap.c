/* SPDX-License-Identifier: BSD-3-Clause */

/* Recovery of what dead processes held. vale_pool.h has the rules and the proof. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_errno.h>

#include "pool.h"

/* Mbufs that are given back under one hold of the lock. */
#define GIVE_MAX 64

/* What is known of an mbuf. */
#define TAGGED 0x1 /* carried a dead holder's tag when the reap began */
#define SEEN 0x2   /* was at a place where somebody can find it */
#define WALKED 0x4 /* as part of a chain in a ring: what follows it was seen too */
#define STRAY 0x8  /* carried the tag of nobody who lives when the reap began */

/** Passes over the pool, in this order. What each looks at is counted by vale_pool_reap.at. */
enum pass {
	PASS_TAGS,    /* all mbufs: which carry tags of the dead */
	PASS_ARRAY,   /* what is in the pool */
	PASS_STASHES, /* what the switch has put aside */
	PASS_CACHES,  /* what is in caches of the switch's lcores */
	PASS_RINGS,   /* what waits for living clients */
	PASS_GIVE,    /* all mbufs: give back what is lost */
	PASS_DONE,
};

struct vale_pool_reap {
	struct rte_mempool *mp;
	struct vale_pool *p;
	const struct pool_objects *objects;
	uint8_t *known; /**< per object */
	vale_pool_ring_cb *rings;
	void *rings_arg;
	uint32_t dead[VALE_POOL_HOLDERS];  /**< tags; 0: this place is not reaped */
	uint64_t owner[VALE_POOL_HOLDERS]; /**< who had which place when the reap began */
	bool alone; /**< nobody but the switch had one, or has taken one since */
	enum pass pass;
	unsigned int at;    /**< the next to look at in this pass */
	unsigned int place; /**< the stash or lcore that it is in */
	struct vale_pool_reap_report report;
};

static bool under_way;
/** Of the pool that this process governs. */
static struct pool_objects *governed_objects;

int
reap_init(struct rte_mempool *mp)
{
	governed_objects = objects_create(mp);
	return governed_objects != NULL ? 0 : -ENOMEM;
}

void
reap_fini(void)
{
	objects_free(governed_objects);
	governed_objects = NULL;
}

/* ---- tags ---- */

static bool
tag_is_dead(const struct vale_pool_reap *r, const struct rte_mbuf *m)
{
	uint32_t tag = atomic_load_explicit(vale_pool_tag_of(m), memory_order_relaxed);

	return tag != 0 && r->dead[tag_place(tag)] == tag;
}

/** Any tag but the switch's: stands for nobody who lives, if the switch is alone. */
static bool
tag_is_stray(const struct rte_mbuf *m)
{
	return atomic_load_explicit(vale_pool_tag_of(m), memory_order_relaxed) != vale_pool_me.tag;
}

static uint64_t
owner_of(const struct vale_pool_reap *r, unsigned int place)
{
	/* acquire: what it did not do yet, it does with a claim that is seen later */
	return atomic_load_explicit(&r->p->holders[place].owner, memory_order_acquire);
}

/** All that are buried, and whether the others are no more. @return how many. */
static unsigned int
find_buried(struct vale_pool_reap *r)
{
	unsigned int nb = 0;

	r->alone = true;
	for (unsigned int i = VALE_POOL_SWITCH + 1; i < VALE_POOL_HOLDERS; i++) {
		r->owner[i] = owner_of(r, i);
		if (holder_state(r->owner[i]) == VALE_POOL_DEAD) {
			r->dead[i] = holder_tag(i, r->owner[i]);
			nb++;
		} else if (holder_state(r->owner[i]) != VALE_POOL_FREE) {
			r->alone = false;
		}
	}
	return nb;
}

/**
 * Whether somebody has claimed a place since the reap began, also one that is dead again. With the
 * lock: who has taken an mbuf before we got it claimed his place before that.
 */
static bool
somebody_came(const struct vale_pool_reap *r)
{
	for (unsigned int i = VALE_POOL_SWITCH + 1; i < VALE_POOL_HOLDERS; i++)
		if (owner_of(r, i) != r->owner[i])
			return true;
	return false;
}

/* ---- places ---- */

/** An object is where somebody can find it. Any pointer. */
static void
see(struct vale_pool_reap *r, const void *obj)
{
	int i = objects_find(r->objects, obj);

	if (i >= 0)
		r->known[i] |= SEEN;
}

static struct rte_mbuf *
next_of(const struct rte_mbuf *m)
{
	/* its receiver may be writing it */
	return __atomic_load_n(&m->next, __ATOMIC_RELAXED);
}

/*
 * Each mbuf is walked through once in a reap, so that a loop ends, and all walks together take no
 * longer than there are mbufs. Whoever is walked through again has the same successors, if it
 * carries a tag of the dead.
 */
void
vale_pool_reap_see(struct vale_pool_reap *r, const struct rte_mbuf *m)
{
	int i;

	for (; m != NULL; m = next_of(m)) {
		i = objects_find(r->objects, m);
		if (i < 0 || r->known[i] & WALKED)
			return;
		r->known[i] |= SEEN | WALKED;
	}
}

/* ---- passes: each looks at some and says whether it is through ---- */

static bool
pass_tags(struct vale_pool_reap *r, unsigned int budget)
{
	unsigned int end = RTE_MIN(r->at + budget, objects_nb(r->objects));

	for (; r->at < end; r->at++) {
		const struct rte_mbuf *m = objects_at(r->objects, r->at);

		if (tag_is_dead(r, m)) {
			r->known[r->at] |= TAGGED;
			r->report.tagged++;
		} else if (tag_is_stray(m)) {
			r->known[r->at] |= STRAY;
		}
	}
	return r->at == objects_nb(r->objects);
}

static bool
pass_array(struct vale_pool_reap *r, unsigned int budget)
{
	/* acquire: what stands below the length. Whatever has been there all the time is below it
	 * now. */
	uint32_t len = atomic_load_explicit(&r->p->len, memory_order_acquire);

	for (; r->at < len && budget > 0; r->at++, budget--)
		see(r, atomic_load_explicit(&r->p->objs[r->at], memory_order_relaxed));
	return r->at >= len;
}

/*
 * By rule 1 there is nothing of the dead in stashes and caches of the switch, and nothing in a
 * cache that is being used can be read reliably. But a mistake elsewhere would show as a frame that
 * comes twice; this makes that rare.
 */
static bool
pass_stashes(struct vale_pool_reap *r, unsigned int budget)
{
	void *obj;

	for (; budget > 0 && r->place <= RTE_MAX_LCORE; budget--) {
		obj = stash_peek(r->p, r->place, r->at);
		if (obj != NULL) {
			see(r, obj);
			r->at++;
		} else {
			r->place++;
			r->at = 0;
		}
	}
	return r->place > RTE_MAX_LCORE;
}

static bool
pass_caches(struct vale_pool_reap *r, unsigned int budget)
{
	const struct rte_mempool_cache *c;

	for (; budget > 0 && r->place < RTE_MAX_LCORE; budget--) {
		c = rte_mempool_default_cache(r->mp, r->place);
		if (c != NULL && rte_eal_lcore_role(r->place) != ROLE_OFF &&
			r->at < RTE_MIN(c->len, RTE_DIM(c->objs))) {
			see(r, __atomic_load_n(&c->objs[r->at], __ATOMIC_RELAXED));
			r->at++;
		} else {
			r->place++;
			r->at = 0;
		}
	}
	return r->place == RTE_MAX_LCORE;
}

static bool
pass_rings(struct vale_pool_reap *r)
{
	return r->rings == NULL || !r->rings(r->rings_arg, r->at++, r);
}

/** Whether an mbuf is held by nobody. */
static bool
is_lost(const struct vale_pool_reap *r, unsigned int i)
{
	const struct rte_mbuf *m = objects_at(r->objects, i);

	if (r->known[i] & SEEN)
		return false;
	if (r->known[i] & TAGGED && tag_is_dead(r, m))
		return true;
	return r->alone && r->known[i] & (TAGGED | STRAY) && tag_is_stray(m);
}

/** Make it what it was when the pool was made: nothing in it can be believed. */
static void
renew(struct vale_pool_reap *r, struct rte_mbuf *m)
{
	rte_pktmbuf_init(r->mp, NULL, m, 0);
	vale_pool_tag(m);
}

/** Give back some lost mbufs. With the lock. */
static void
give_back(struct vale_pool_reap *r, void **lost, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++)
		renew(r, lost[i]);
	if (pool_give(r->p, lost, nb) == 0)
		r->report.recovered += nb;
}

static bool
pass_give(struct vale_pool_reap *r, unsigned int budget)
{
	unsigned int end = RTE_MIN(r->at + budget, objects_nb(r->objects));
	void *lost[GIVE_MAX];
	unsigned int nb = 0;
	unsigned int i;

	for (i = r->at; i < end && nb < GIVE_MAX; i++)
		if (is_lost(r, i))
			lost[nb++] = objects_at(r->objects, i);
	if (nb > 0) {
		if (!pool_trylock(r->p, 1))
			return false; /* a client has it: look again later */
		if (r->alone && somebody_came(r)) {
			r->alone = false; /* some of these may be his: look again, strictly */
			pool_unlock(r->p);
			return false;
		}
		give_back(r, lost, nb);
		pool_unlock(r->p);
	}
	r->at = i;
	return r->at == objects_nb(r->objects);
}

/** Free the places of the dead. */
static void
release_places(struct vale_pool_reap *r)
{
	for (unsigned int i = 0; i < VALE_POOL_HOLDERS; i++) {
		struct vale_pool_holder *h = &r->p->holders[i];
		uint64_t word = atomic_load_explicit(&h->owner, memory_order_relaxed);

		if (r->dead[i] == 0)
			continue;
		atomic_store_explicit(&h->taken, 0, memory_order_relaxed);
		atomic_store_explicit(&h->returned, 0, memory_order_relaxed);
		atomic_store_explicit(&h->refused, 0, memory_order_relaxed);
		atomic_store_explicit(&h->flows, 0, memory_order_relaxed);
		/* release: the next claimer finds zeros */
		atomic_store_explicit(
			&h->owner, holder_in_state(word, VALE_POOL_FREE), memory_order_release);
	}
}

/* ---- the whole ---- */

static bool
run_pass(struct vale_pool_reap *r, unsigned int budget)
{
	switch (r->pass) {
	case PASS_TAGS:
		return pass_tags(r, budget);
	case PASS_ARRAY:
		return pass_array(r, budget);
	case PASS_STASHES:
		return pass_stashes(r, budget);
	case PASS_CACHES:
		return pass_caches(r, budget);
	case PASS_RINGS:
		return pass_rings(r);
	case PASS_GIVE:
		return pass_give(r, budget);
	case PASS_DONE:
		break;
	}
	return false;
}

bool
vale_pool_reap_step(struct vale_pool_reap *r, unsigned int budget)
{
	if (r->pass == PASS_DONE)
		return false;
	if (!run_pass(r, budget))
		return true;
	/* Tags are read before places and again after them; a mover writes the tag, then the place.
	 */
	atomic_thread_fence(memory_order_seq_cst);
	r->pass++;
	r->at = 0;
	r->place = 0;
	if (r->pass == PASS_DONE)
		release_places(r);
	return r->pass != PASS_DONE;
}

static struct vale_pool_reap *
reap_alloc(struct rte_mempool *mp)
{
	struct vale_pool_reap *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->mp = mp;
	r->p = pool_of(mp);
	r->objects = governed_objects;
	r->known = calloc(mp->size, sizeof(r->known[0]));
	if (r->known != NULL)
		return r;
	free(r);
	return NULL;
}

struct vale_pool_reap *
vale_pool_reap_start(struct rte_mempool *mp, vale_pool_ring_cb *rings, void *arg)
{
	struct vale_pool_reap *r = NULL;

	if (!pool_is_switch(pool_of(mp))) {
		rte_errno = EINVAL;
	} else if (under_way) {
		rte_errno = EBUSY;
	} else {
		r = reap_alloc(mp);
		if (r == NULL)
			rte_errno = ENOMEM;
	}
	if (r == NULL)
		return NULL;
	under_way = true;
	r->rings = rings;
	r->rings_arg = arg;
	r->report.holders = find_buried(r);
	if (r->report.holders == 0) {
		vale_pool_reap_free(r);
		rte_errno = ENOENT;
		return NULL;
	}
	return r;
}

void
vale_pool_reap_report(const struct vale_pool_reap *r, struct vale_pool_reap_report *rep)
{
	*rep = r->report;
}

void
vale_pool_reap_free(struct vale_pool_reap *r)
{
	if (r == NULL)
		return;
	under_way = false;
	free(r->known);
	free(r);
}
