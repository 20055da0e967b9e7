/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <rte_pause.h>
#include <rte_version.h>

#include "vale_eal_mem_proto.h"
#include "vale_eal_memory.h"
#include "vale_locks.h"
#include "vale_log.h"

/* How long a lock must be held without a break: longer than any operation takes, and than the
 * scheduler leaves a thread waiting that is in one. Three nested locks are done within a second. */
#define WINDOW_ALONE_MS 250
#define WINDOW_MS 400
/* Growing a heap: the primary clears pages, which its mp thread is seen to do, and then waits for
 * the answers of living processes, which take milliseconds (for the dead, vale_mp_bury.h
 * answers). */
#define WINDOW_GROWTH_MS 1500
/* How EAL names the thread that serves requests of secondaries; the kernel keeps 15 characters. */
#define MP_THREAD "rte_mp_handle"
/* How often a lock is read in one look, so that one that is hot is seen free. */
#define LOOKS 200

enum what {
	PLAIN,
	HOTPLUG,
	HEAP,
	MEMZONES,
	TAILQS,
};

struct lock {
	char name[48];
	enum what what;
	rte_spinlock_t *spin; /* or */
	rte_rwlock_t *rw;
	struct vale_eal_heap *heap; /* HEAP */

	/* since `since_ms`, at every look: */
	bool suspect;
	uint64_t since_ms;
	int32_t min_readers;
	bool held;    /* by a writer, or a spinlock */
	bool waiting; /* a writer waits, and there is nothing to wait for */
	bool told;
	uint64_t below_ms; /* since when there are fewer than no readers; 0: no */
};

/* From the innermost outwards. The `vale-life` thread only, but for nb_released. */
static struct {
	struct lock lock[8 + RTE_MAX_HEAPS + RTE_MAX_MEMSEG_LISTS];
	unsigned int nb;
	struct lock *hotplug;
	bool growth;   /* not asked for yet */
	char dead[64]; /* the last to end, as in a sentence */
	_Atomic uint64_t nb_released;
} l;

/* ---- the table ---- */

static struct lock *
add(enum what what, rte_spinlock_t *spin, rte_rwlock_t *rw)
{
	struct lock *k = &l.lock[l.nb++];

	*k = (struct lock){.what = what, .spin = spin, .rw = rw};
	return k;
}

static void
add_named(enum what what, rte_spinlock_t *spin, rte_rwlock_t *rw, const char *name)
{
	struct lock *k = add(what, spin, rw);

	snprintf(k->name, sizeof(k->name), "%s", name);
}

static void
add_memory(struct vale_eal_config *c)
{
	struct lock *k;

	add_named(PLAIN, NULL, &c->memzones.rwlock, "array of memzones");
	for (unsigned int i = 0; i < RTE_DIM(c->memsegs); i++) {
		if (c->memsegs[i].base_va == NULL)
			continue;
		k = add(PLAIN, NULL, &c->memsegs[i].memseg_arr.rwlock);
		snprintf(k->name, sizeof(k->name), "array of memory segments %u", i);
	}
	add_named(HOTPLUG, NULL, &c->memory_hotplug_lock, "memory_hotplug_lock");
	l.hotplug = &l.lock[l.nb - 1];
	for (unsigned int i = 0; i < RTE_DIM(c->heaps); i++) {
		if (c->heaps[i].name[0] == '\0')
			continue;
		k = add(HEAP, &c->heaps[i].lock, NULL);
		k->heap = &c->heaps[i];
		snprintf(k->name, sizeof(k->name), "heap %.32s", c->heaps[i].name);
	}
}

void
vale_locks_init(void)
{
	const struct vale_eal_memory *m = vale_eal_memory();

	l.nb = 0;
	l.hotplug = NULL;
	if (m == NULL) {
		VALE_LOG(WARNING,
			"locks that a killed secondary holds are not released with %s: "
			"restart the switch if `vale-ctl` or a new secondary hangs after one",
			rte_version());
		return;
	}
	add_named(PLAIN, &m->cfg->tlock, NULL, "lock of timers");
	add_memory(m->cfg);
	add_named(MEMZONES, NULL, &m->cfg->mlock, "lock of memzones");
	add_named(TAILQS, NULL, &m->cfg->qlock, "lock of tailqs");
	add_named(PLAIN, NULL, &m->cfg->mplock, "lock of mempools");
	if (m->ethdev != NULL)
		add_named(PLAIN, &m->ethdev->ownership_lock, NULL, "ethdev's ownership lock");
}

uint64_t
vale_locks_released(void)
{
	return atomic_load_explicit(&l.nb_released, memory_order_relaxed);
}

/* ---- looking ---- */

static void
open_window(struct lock *k, uint64_t now_ms)
{
	k->suspect = true;
	k->since_ms = now_ms;
	k->min_readers = INT32_MAX;
	k->held = k->waiting = true;
	k->told = false;
}

static void
look_once(struct lock *k)
{
	int32_t x;

	if (k->spin != NULL) {
		k->held &= __atomic_load_n(&k->spin->locked, __ATOMIC_RELAXED) != 0;
		k->min_readers = 0;
		k->waiting = false;
		return;
	}
	x = __atomic_load_n(&k->rw->cnt, __ATOMIC_RELAXED);
	k->min_readers = RTE_MIN(k->min_readers, x < 0 ? 0 : x / RTE_RWLOCK_READ);
	k->held &= (x & RTE_RWLOCK_WRITE) != 0;
	k->waiting &= x == RTE_RWLOCK_WAIT;
}

/** @return whether a dead process may hold it. */
static bool
look(struct lock *k)
{
	for (unsigned int i = 0; i < LOOKS && k->suspect; i++) {
		look_once(k);
		k->suspect = k->held || k->waiting || k->min_readers > 0;
		rte_pause();
	}
	return k->suspect;
}

/** What a thread sees that only reads a lock. */
static bool
is_free(const struct lock *k)
{
	int32_t x;

	if (k->spin != NULL)
		return __atomic_load_n(&k->spin->locked, __ATOMIC_ACQUIRE) == 0;
	x = __atomic_load_n(&k->rw->cnt, __ATOMIC_ACQUIRE);
	return k->what == HOTPLUG ? (x & (RTE_RWLOCK_WRITE | RTE_RWLOCK_WAIT)) == 0 : x == 0;
}

const char *
vale_locks_held(void)
{
	bool is_held;

	for (unsigned int i = 0; i < l.nb; i++) {
		is_held = true;
		for (unsigned int k = 0; k < LOOKS && is_held; k++) {
			is_held = !is_free(&l.lock[i]);
			rte_pause();
		}
		if (is_held)
			return l.lock[i].name;
	}
	return NULL;
}

void
vale_locks_suspect(const struct vale_secondary *dead, uint64_t now_ms)
{
	snprintf(l.dead, sizeof(l.dead), "process %d (%s)", dead->pid, dead->comm);
	/* one that is looked at already is no less suspect, and must not start from the beginning
	 * with every death */
	for (unsigned int i = 0; i < l.nb; i++)
		if (!l.lock[i].suspect)
			open_window(&l.lock[i], now_ms);
}

/* ---- releasing ---- */

static void
repair(const struct lock *k)
{
	enum vale_eal_heap_state state;
	unsigned int nb = 0;

	switch (k->what) {
	case HEAP:
		state = vale_eal_heap_repair(k->heap);
		if (state == VALE_EAL_HEAP_REPAIRED)
			VALE_LOG(WARNING, "%s was half-changed, and has been mended", k->name);
		else if (state == VALE_EAL_HEAP_LOST)
			VALE_LOG(ERR,
				"%s is broken: nothing can be allocated in it any more, so that no "
				"further secondary may start; ports and traffic go on; restart "
				"the switch when it suits",
				k->name);
		break;
	case TAILQS:
		nb = vale_eal_tailqs_repair();
		break;
	case MEMZONES:
		nb = vale_eal_memzones_repair();
		break;
	default:
		break;
	}
	if (nb > 0)
		VALE_LOG(WARNING, "%s: %u entries were half-changed, and have been mended", k->name,
			nb);
}

static void
released(struct lock *k, uint64_t now_ms, const char *how)
{
	atomic_fetch_add_explicit(&l.nb_released, 1, memory_order_relaxed);
	VALE_LOG(WARNING, "%s was left %s by a process that has ended, %s: released after %ju ms",
		k->name, how, l.dead, (uintmax_t)(now_ms - k->since_ms));
	/* what waited for it takes it now, and what that holds is free soon */
	for (unsigned int i = 0; i < l.nb; i++)
		if (l.lock[i].suspect)
			open_window(&l.lock[i], now_ms);
}

static void
release_held(struct lock *k, uint64_t now_ms)
{
	repair(k);
	if (k->spin != NULL)
		__atomic_store_n(&k->spin->locked, 0, __ATOMIC_RELEASE);
	else
		__atomic_fetch_sub(&k->rw->cnt, RTE_RWLOCK_WRITE, __ATOMIC_RELEASE);
	released(k, now_ms, k->spin != NULL ? "locked" : "locked for writing");
}

static void
release_readers(struct lock *k, int32_t nb, uint64_t now_ms)
{
	char how[48];

	__atomic_fetch_sub(&k->rw->cnt, nb * RTE_RWLOCK_READ, __ATOMIC_RELEASE);
	snprintf(how, sizeof(how), "locked for reading (%d times)", nb);
	released(k, now_ms, how);
}

static void
release_waiting(struct lock *k, uint64_t now_ms)
{
	int32_t x = RTE_RWLOCK_WAIT;

	if (__atomic_compare_exchange_n(
		    &k->rw->cnt, &x, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		released(k, now_ms, "with a writer that waits");
}

/** Whether a heap grows or shrinks, as far as locks tell. */
static bool
is_growth(const struct lock *k)
{
	if (k->what != HEAP && k->what != HOTPLUG)
		return false;
	if (!l.hotplug->suspect || !l.hotplug->held)
		return false;
	for (unsigned int i = 0; i < l.nb; i++)
		if (l.lock[i].what == HEAP && l.lock[i].suspect && l.lock[i].held)
			return true;
	return false;
}

/** The state of a thread of this process: its letter, '?' if it cannot be told. */
static char
thread_state(const char *tid, const char *name)
{
	char path[64], line[128], state = '?';
	char *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", tid);
	f = fopen(path, "re");
	if (f == NULL)
		return '?';
	/* "TID (NAME) STATE ..." */
	if (fgets(line, sizeof(line), f) != NULL) {
		at = strrchr(line, ')');
		if (at != NULL && strstr(line, name) != NULL && at[1] == ' ')
			state = at[2];
	}
	fclose(f);
	return state;
}

/** Whether EAL's thread for requests of secondaries does something, for instance for the dead one.
 */
static bool
mp_thread_works(void)
{
	DIR *d = opendir("/proc/self/task");
	bool works = false;
	struct dirent *e;
	char state;

	while (d != NULL && !works && (e = readdir(d)) != NULL) {
		state = e->d_name[0] == '.' ? '?' : thread_state(e->d_name, MP_THREAD);
		works = state == 'R' || state == 'D';
	}
	if (d != NULL)
		closedir(d);
	return works;
}

static void
tell_growth(struct lock *k)
{
	if (k->told)
		return;
	k->told = true;
	l.growth = true;
	VALE_LOG(WARNING,
		"%s: %s may have been killed while shared memory grew or shrank, which is "
		"given %d ms to end: until then nothing can be allocated and no secondary starts",
		k->name, l.dead, WINDOW_GROWTH_MS);
}

/** @return whether outer locks must wait for this one. */
static bool
resolve(struct lock *k, uint64_t now_ms, unsigned int nb_starting, unsigned int nb_living)
{
	uint64_t held_ms = now_ms - k->since_ms;
	int32_t nb;

	if (held_ms < (nb_living == 0 ? WINDOW_ALONE_MS : WINDOW_MS))
		return true;
	if (k->held) {
		/* a primary that works at it after that time holds the lock up for ever only if it
		 * spins on another, which is then released first */
		if (is_growth(k) && (held_ms < WINDOW_GROWTH_MS ||
					    (mp_thread_works() && held_ms < 10 * WINDOW_GROWTH_MS)))
			tell_growth(k);
		else
			release_held(k, now_ms);
		return true;
	}
	if (k->waiting) {
		release_waiting(k, now_ms);
		return true;
	}
	nb = k->min_readers - (k->what == HOTPLUG ? (int32_t)nb_starting : 0);
	if (nb > 0) {
		release_readers(k, nb, now_ms);
		return true;
	}
	open_window(k, now_ms);
	return false;
}

bool
vale_locks_growth(void)
{
	bool growth = l.growth;

	l.growth = false;
	return growth;
}

/** A living reader whom we took for a dead one leaves less than none: give it back. */
static void
heal(struct lock *k, uint64_t now_ms)
{
	int32_t x = k->rw == NULL ? 0 : __atomic_load_n(&k->rw->cnt, __ATOMIC_RELAXED);

	if (x >= 0)
		k->below_ms = 0;
	else if (k->below_ms == 0)
		k->below_ms = now_ms;
	else if (now_ms - k->below_ms >= WINDOW_MS &&
		 __atomic_compare_exchange_n(
			 &k->rw->cnt, &x, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		VALE_LOG(WARNING, "%s was released once too often; mended", k->name);
}

bool
vale_locks_tick(uint64_t now_ms, unsigned int nb_starting, unsigned int nb_living)
{
	bool suspect = false, inner = false;

	for (unsigned int i = 0; i < l.nb; i++) {
		struct lock *k = &l.lock[i];

		heal(k, now_ms);
		if (k->suspect && look(k))
			suspect = true;
	}
	for (unsigned int i = 0; i < l.nb && !inner; i++)
		if (l.lock[i].suspect)
			inner = resolve(&l.lock[i], now_ms, nb_starting, nb_living);
	return suspect;
}
