/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <sys/time.h>

#include "indirect.h"
#include "ring.h"
#include "sys.h"

/** Programs and switch write ring headers behind the compiler's back. */
#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)

/** Is i in [from, to] of a ring, both included? */
static bool
between(uint32_t from, uint32_t i, uint32_t to)
{
	return from <= to ? from <= i && i <= to : i >= from || i <= to;
}

static uint32_t
before(uint32_t i, uint32_t n)
{
	return i == 0 ? n - 1 : i - 1;
}

/** Who holds a ring may have been killed: nothing in it is half done that the next sync minds. */
static bool
ring_lock(struct vale_nm_kring *k)
{
	int ret = pthread_mutex_trylock(&k->lock);

	if (ret == EOWNERDEAD) {
		pthread_mutex_consistent(&k->lock);
		return true;
	}
	return ret == 0;
}

/**
 * As netmap's prologue of a sync: head may move from what was handed over up to tail, and cur from
 * head up to tail.
 */
static bool
prologue(uint32_t head, uint32_t cur, uint32_t was, uint32_t tail, uint32_t n)
{
	return head < n && cur < n && between(was, head, tail) && between(head, cur, tail);
}

/** As netmap's netmap_ring_reinit: what is out of any bound goes back to where the switch is; slots
 * without a valid buffer or length are made empty. */
static void
reinit(struct vnm_file *f, struct netmap_ring *ring, uint32_t n, uint32_t head, uint32_t tail)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct netmap_slot *s = &ring->slot[i];

		if (s->buf_idx < 2 || s->buf_idx >= f->nb_bufs) {
			s->buf_idx = 0;
			s->len = 0;
		} else if (s->len > VALE_NM_BUF_SZ) {
			s->len = 0;
		}
	}
	if (LOAD(ring->head) < n && LOAD(ring->cur) < n && LOAD(ring->tail) < n)
		return;
	ring->head = ring->cur = head;
	ring->tail = tail;
}

/** The switch may have gone to sleep before it saw the new head. */
static void
ring_doorbell(int fd, struct vnm_file *f, struct vale_nm_kring *k)
{
	static const char bell = VALE_NM_DOORBELL;

	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&k->armed, memory_order_relaxed) == 0 ||
		atomic_exchange(&k->armed, 0) == 0)
		return;
	if (vnm_file_same(fd, f))
		vnm_sys_send(fd, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/** Slots [from, to) as the switch takes them: indirect frames copied in, marks cleared. */
static void
tx_slots(struct vnm_file *f, struct netmap_ring *ring, uint32_t from, uint32_t to, uint32_t n)
{
	uint32_t i, indirect = 0;

	for (i = from; i != to; i = i + 1 == n ? 0 : i + 1) {
		uint16_t flags = ring->slot[i].flags;

		indirect += (flags & NS_INDIRECT) != 0;
		if (flags & NS_BUF_CHANGED)
			ring->slot[i].flags = flags & (uint16_t)~NS_BUF_CHANGED;
	}
	if (indirect > 0)
		vnm_indirect(f, ring, from, to, n);
}

/* So often a ring's lock is tried while its holder has yet to show what is there. */
#define PATIENCE 64

/**
 * Take a ring that another thread may be syncing, or this one below a signal handler. Where there
 * is nothing that the program does not see it is skipped, as by netmap. Otherwise who polls must
 * not sleep, because no token comes any more for what is there: the holder is waited for a little,
 * and if that is in vain (it is below, or off its CPU) the ring counts as ready.
 */
static enum vnm_sync
ring_take(struct vale_nm_kring *k, const struct netmap_ring *ring, _Atomic uint32_t *hw, uint32_t n,
	bool tx)
{
	int i;

	for (i = 0; i < PATIENCE; i++) {
		uint32_t at;

		if (ring_lock(k))
			return VNM_SYNC_IDLE;
		at = atomic_load(hw);
		if (LOAD(ring->cur) == (tx ? before(at, n) : at))
			return VNM_SYNC_BUSY;
		vnm_sys6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	}
	return VNM_SYNC_READY;
}

bool
vnm_ring_tx_pending(const struct vnm_file *f, unsigned int i)
{
	return LOAD(f->tx[i].ring->head) !=
	       atomic_load_explicit(&f->tx[i].kring->head, memory_order_relaxed);
}

enum vnm_sync
vnm_ring_txsync(int fd, struct vnm_file *f, unsigned int i)
{
	struct netmap_ring *ring = f->tx[i].ring;
	struct vale_nm_kring *k = f->tx[i].kring;
	uint32_t n = f->nb_slots[0], head, cur, was, hwcur;
	enum vnm_sync taken;

	taken = ring_take(k, ring, &k->hwcur, n, true);
	if (taken != VNM_SYNC_IDLE)
		return taken;
	head = LOAD(ring->head);
	cur = LOAD(ring->cur);
	was = atomic_load_explicit(&k->head, memory_order_relaxed);
	hwcur = atomic_load_explicit(&k->hwcur, memory_order_acquire);
	if (!prologue(head, cur, was, before(hwcur, n), n)) {
		reinit(f, ring, n, was, before(hwcur, n));
		pthread_mutex_unlock(&k->lock);
		return VNM_SYNC_WRONG;
	}
	if (head != was) {
		tx_slots(f, ring, was, head, n);
		atomic_store_explicit(&k->head, head, memory_order_release);
		ring_doorbell(fd, f, k);
		hwcur = atomic_load_explicit(&k->hwcur, memory_order_acquire);
	}
	ring->tail = before(hwcur, n);
	pthread_mutex_unlock(&k->lock);
	return cur != before(hwcur, n) ? VNM_SYNC_READY : VNM_SYNC_IDLE;
}

/** As netmap does unless it was told otherwise: at each sync, with NR_TIMESTAMP and without. */
static void
ring_timestamp(struct netmap_ring *ring)
{
	gettimeofday(&ring->ts, NULL);
}

/** Slots that go back to the switch: marks cleared. */
static void
rx_slots(struct netmap_ring *ring, uint32_t from, uint32_t to, uint32_t n)
{
	uint32_t i;

	for (i = from; i != to; i = i + 1 == n ? 0 : i + 1)
		if (ring->slot[i].flags & NS_BUF_CHANGED)
			ring->slot[i].flags &= (uint16_t)~NS_BUF_CHANGED;
}

enum vnm_sync
vnm_ring_rxsync(struct vnm_file *f, unsigned int i)
{
	struct netmap_ring *ring = f->rx[i].ring;
	struct vale_nm_kring *k = f->rx[i].kring;
	uint32_t n = f->nb_slots[1], head, cur, was, hwtail;
	enum vnm_sync taken;

	taken = ring_take(k, ring, &k->hwtail, n, false);
	if (taken != VNM_SYNC_IDLE)
		return taken;
	head = LOAD(ring->head);
	cur = LOAD(ring->cur);
	was = atomic_load_explicit(&k->head, memory_order_relaxed);
	hwtail = atomic_load_explicit(&k->hwtail, memory_order_acquire);
	if (!prologue(head, cur, was, hwtail, n)) {
		reinit(f, ring, n, was, hwtail);
		ring->tail = hwtail;
		ring_timestamp(ring);
		pthread_mutex_unlock(&k->lock);
		return VNM_SYNC_WRONG;
	}
	if (head != was) {
		rx_slots(ring, was, head, n);
		atomic_store_explicit(&k->head, head, memory_order_release);
		hwtail = atomic_load_explicit(&k->hwtail, memory_order_acquire);
	}
	ring->tail = hwtail;
	ring_timestamp(ring);
	pthread_mutex_unlock(&k->lock);
	return cur != hwtail ? VNM_SYNC_READY : VNM_SYNC_IDLE;
}
