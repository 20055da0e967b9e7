/* SPDX-License-Identifier: BSD-3-Clause */

/* Processes that use the governed pool. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_branch_prediction.h>
#include <rte_lcore.h>

#include "pool.h"

struct vale_pool_me vale_pool_me;

/* The threads of this process among themselves. */
static rte_spinlock_t join_lock = RTE_SPINLOCK_INITIALIZER;

/* ---- what the kernel knows about processes ---- */

/**
 * When a process began, in clock ticks since boot: field 22 of its stat, see proc(5). The name in
 * field 2 may contain anything; the last parenthesis ends it.
 *
 * @param pid
 *   "self" for this process: in a PID namespace of its own it may see the /proc of another one.
 * @return 0 if it cannot be found out.
 */
static uint64_t
process_start(const char *pid)
{
	char path[32], text[1024];
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at != NULL && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at != NULL ? strtoull(at, NULL, 10) : 0;
}

static uint64_t
own_pid_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

/** Whether all threads of a process are gone, also if nobody has waited for it. */
static bool
process_gone(pid_t pid, uint64_t start)
{
	struct pollfd p = {.events = POLLIN};
	char name[16];
	uint64_t now;
	bool gone;

	p.fd = pidfd_open(pid, 0);
	if (p.fd < 0)
		return errno == ESRCH;
	gone = poll(&p, 1, 0) == 1;
	close(p.fd);
	if (gone || start == 0)
		return gone;
	snprintf(name, sizeof(name), "%d", (int)pid);
	now = process_start(name);
	return now != 0 && now != start; /* another process has its number */
}

/* ---- joining ---- */

static void
own_lcores(uint64_t set[POOL_LCORE_WORDS])
{
	memset(set, 0, POOL_LCORE_WORDS * sizeof(set[0]));
	for (unsigned int id = 0; id < RTE_MAX_LCORE; id++)
		if (rte_eal_lcore_role(id) != ROLE_OFF)
			set[id / 64] |= UINT64_C(1) << (id % 64);
}

/** The generation after this one; 0 is left out, so that tag 0 is nobody's. */
static uint32_t
next_gen(uint32_t gen)
{
	gen = (gen + 1) & VALE_POOL_GEN_MASK;
	return gen != 0 ? gen : 1;
}

/** The word of this process in a place that nobody has. */
static uint64_t
own_word(const struct vale_pool *p, uint64_t old)
{
	uint64_t ns = own_pid_ns();

	return (uint64_t)(uint32_t)getpid() |
	       (uint64_t)next_gen(holder_gen(old)) << VALE_POOL_GEN_SHIFT |
	       (uint64_t)VALE_POOL_JOINING << VALE_POOL_STATE_SHIFT |
	       (ns != 0 && ns == p->pid_ns ? VALE_POOL_SAME_NS : 0);
}

/** Try to claim a place. @return its word, 0 if it is not free. */
static uint64_t
claim(const struct vale_pool *p, struct vale_pool_holder *h)
{
	uint64_t old = atomic_load_explicit(&h->owner, memory_order_relaxed);
	uint64_t word;

	if (holder_state(old) != VALE_POOL_FREE)
		return 0;
	word = own_word(p, old);
	/* acquire: what the switch cleared when it freed the place */
	return atomic_compare_exchange_strong_explicit(
		       &h->owner, &old, word, memory_order_acquire, memory_order_relaxed)
		       ? word
		       : 0;
}

/** Fill in a claimed place and open it. @return its word. */
static uint64_t
settle(struct vale_pool_holder *h, uint64_t word)
{
	h->start = process_start("self");
	own_lcores(h->lcores);
	word = holder_in_state(word, VALE_POOL_LIVE);
	/* release: what is above */
	atomic_store_explicit(&h->owner, word, memory_order_release);
	return word;
}

static void
become(struct vale_pool *p, unsigned int idx, uint64_t word)
{
	vale_pool_me.tag = holder_tag(idx, word);
	vale_pool_me.tag_off = p->tag_off;
	/* release: other threads of this process look at it first */
	__atomic_store_n(&vale_pool_me.pool, p, __ATOMIC_RELEASE);
}

/** Claim any place but the switch's. With join_lock. */
static bool
join(struct vale_pool *p)
{
	uint64_t word;

	for (unsigned int i = VALE_POOL_SWITCH + 1; i < VALE_POOL_HOLDERS; i++) {
		word = claim(p, &p->holders[i]);
		if (word == 0)
			continue;
		become(p, i, settle(&p->holders[i], word));
		return true;
	}
	return false;
}

static struct vale_pool_holder *
join_once(struct vale_pool *p)
{
	bool ok;

	rte_spinlock_lock(&join_lock);
	ok = vale_pool_me.pool == p || (vale_pool_me.pool == NULL && join(p));
	rte_spinlock_unlock(&join_lock);
	return ok ? &p->holders[tag_place(vale_pool_me.tag)] : NULL;
}

struct vale_pool_holder *
holder_self(struct vale_pool *p)
{
	if (likely(__atomic_load_n(&vale_pool_me.pool, __ATOMIC_ACQUIRE) == p))
		return &p->holders[tag_place(vale_pool_me.tag)];
	return join_once(p);
}

void
holder_join_switch(struct vale_pool *p)
{
	struct vale_pool_holder *h = &p->holders[VALE_POOL_SWITCH];

	p->pid_ns = own_pid_ns();
	become(p, VALE_POOL_SWITCH, settle(h, claim(p, h)));
}

void
holder_leave(struct vale_pool *p)
{
	rte_spinlock_lock(&join_lock);
	if (vale_pool_me.pool == p)
		vale_pool_me = (struct vale_pool_me){0};
	rte_spinlock_unlock(&join_lock);
}

int
vale_pool_join(struct rte_mempool *mp)
{
	struct vale_pool *p = pool_of(mp);

	if (VALE_POOL_BARE)
		return 0;
	if (!vale_pool_is_governed(mp))
		return -EINVAL;
	if (holder_self(p) != NULL)
		return 0;
	return vale_pool_me.pool != NULL ? -EINVAL : -ENOSPC;
}

/*
 * A child of fork() is a process of its own, and never the switch; other threads' locks stay
 * behind. Its parent's queues are not its.
 */
static void
forget_parent(void)
{
	rte_spinlock_init(&join_lock);
	quota_forget();
	vale_pool_me = (struct vale_pool_me){0};
	stash_fini();
}

RTE_INIT(vale_pool_atfork)
{
	pthread_atfork(NULL, NULL, forget_parent);
}

/* ---- the switch looks at holders ---- */

static void
describe(const struct vale_pool_holder *h, struct vale_pool_holder_info *info)
{
	if (info->state != VALE_POOL_JOINING) {
		memcpy(info->lcores, h->lcores, sizeof(info->lcores));
		info->start = h->start;
	}
	info->taken = atomic_load_explicit(&h->taken, memory_order_relaxed);
	info->returned = atomic_load_explicit(&h->returned, memory_order_relaxed);
	info->refused = atomic_load_explicit(&h->refused, memory_order_relaxed);
	info->held = holder_held(h, atomic_load_explicit(&h->flows, memory_order_relaxed));
}

int
vale_pool_holder_get(
	const struct rte_mempool *mp, unsigned int idx, struct vale_pool_holder_info *info)
{
	const struct vale_pool_holder *h;
	uint64_t word;

	if (idx >= VALE_POOL_HOLDERS || !vale_pool_is_governed(mp))
		return -EINVAL;
	h = &pool_of(mp)->holders[idx];
	/* acquire: what the process wrote before it opened its place */
	word = atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)&h->owner, memory_order_acquire);
	if (holder_state(word) == VALE_POOL_FREE)
		return -ENOENT;
	*info = (struct vale_pool_holder_info){
		.tag = holder_tag(idx, word),
		.state = holder_state(word),
		.pid = (pid_t)(uint32_t)word,
		.same_pid_ns = (word & VALE_POOL_SAME_NS) != 0,
	};
	describe(h, info);
	return 0;
}

/*
 * One that died while it joined has not said when it began: if its number is in use again, it is
 * found when that process ends too. It held nothing.
 */
static bool
holder_gone(const struct vale_pool_holder *h, const struct vale_pool_holder_info *info)
{
	if (info->state == VALE_POOL_DEAD || !info->same_pid_ns)
		return false;
	return process_gone(info->pid, info->state == VALE_POOL_LIVE ? h->start : 0);
}

unsigned int
vale_pool_find_dead(const struct rte_mempool *mp, uint32_t *tags, unsigned int max)
{
	struct vale_pool_holder_info info;
	unsigned int nb = 0;

	for (unsigned int i = VALE_POOL_SWITCH + 1; i < VALE_POOL_HOLDERS && nb < max; i++)
		if (vale_pool_holder_get(mp, i, &info) == 0 &&
			holder_gone(&pool_of(mp)->holders[i], &info))
			tags[nb++] = info.tag;
	return nb;
}

/** Make a holder DEAD, if it is the one meant. */
static int
mark_dead(struct vale_pool_holder *h, uint32_t tag)
{
	uint64_t word = atomic_load_explicit(&h->owner, memory_order_acquire);
	enum vale_pool_state state = holder_state(word);

	if (holder_tag(tag_place(tag), word) != tag ||
		(state != VALE_POOL_LIVE && state != VALE_POOL_JOINING))
		return -ENOENT;
	/* the process is gone: nobody else writes this word */
	atomic_store_explicit(
		&h->owner, holder_in_state(word, VALE_POOL_DEAD), memory_order_relaxed);
	return 0;
}

int
vale_pool_bury(struct rte_mempool *mp, uint32_t tag, const uint64_t lcores[POOL_LCORE_WORDS])
{
	struct vale_pool *p = pool_of(mp);
	int ret;

	if (!pool_is_switch(p) || tag_place(tag) == VALE_POOL_SWITCH)
		return -EINVAL;
	ret = mark_dead(&p->holders[tag_place(tag)], tag);
	if (ret == 0)
		vale_pool_reset_caches(mp, lcores);
	return ret;
}

void
vale_pool_reset_caches(struct rte_mempool *mp, const uint64_t lcores[POOL_LCORE_WORDS])
{
	if (mp->cache_size == 0)
		return;
	for (unsigned int id = 0; id < RTE_MAX_LCORE; id++)
		if (lcore_in(lcores, id))
			mp->local_cache[id].len = 0;
}
