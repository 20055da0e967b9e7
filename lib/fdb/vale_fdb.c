/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "vale_fdb.h"

/*
 * Rounds that vale_fdb_learn() makes before it leaves a MAC for its next frame. A round is lost
 * only to another thread's change in the same two buckets, of sixteen entries.
 */
#define LEARN_ROUNDS_MAX 64
#define BUCKETS_MIN 2

_Static_assert(sizeof(struct vale_fdb) % RTE_CACHE_LINE_SIZE == 0, "buckets are cache lines");
_Static_assert(VALE_FDB_BUCKET_ENTRIES * sizeof(uint64_t) == 64, "a bucket is a cache line");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
	"processes share the table, which a hidden lock of the compiler's cannot protect");

/* A word as it was read, and where. */
struct found {
	uint32_t slot; /* VALE_FDB_NO_SLOT: nothing found */
	uint64_t word;
};

/* What both buckets of a MAC hold. */
struct scan {
	struct found own;     /* the entry of the MAC that counts */
	struct found doubled; /* another entry of the same MAC, which must go */
	struct found free[2]; /* the first free slot of either bucket */
	uint32_t nb_free[2];
};

/* Where things lie, in bytes from the start of the table. */
struct layout {
	uint32_t nb_buckets;
	uint64_t stamps_ofs, counts_ofs, total_sz;
};

static bool
make_layout(uint32_t nb_entries, uint16_t nb_ports, struct layout *l)
{
	uint64_t slots;

	if (nb_entries == 0 || nb_entries > VALE_FDB_ENTRIES_MAX || nb_ports == 0 ||
		nb_ports > VALE_FDB_PORTS_MAX)
		return false;
	l->nb_buckets = rte_align32pow2(
		(2 * nb_entries + VALE_FDB_BUCKET_ENTRIES - 1) / VALE_FDB_BUCKET_ENTRIES);
	l->nb_buckets = RTE_MAX(l->nb_buckets, (uint32_t)BUCKETS_MIN);
	slots = (uint64_t)l->nb_buckets * VALE_FDB_BUCKET_ENTRIES;
	l->stamps_ofs = sizeof(struct vale_fdb) + slots * sizeof(uint64_t);
	l->counts_ofs = l->stamps_ofs + slots * sizeof(uint32_t);
	l->total_sz = RTE_ALIGN_CEIL(
		l->counts_ofs + nb_ports * sizeof(uint32_t), (uint64_t)RTE_CACHE_LINE_SIZE);
	return true;
}

/* splitmix64 (Steele, Lea and Flood, OOPSLA 2014): any seed, zero too, gives well-mixed numbers. */
static uint64_t
next_secret(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t
nb_slots(const struct vale_fdb *fdb)
{
	return (fdb->bucket_mask + 1) * VALE_FDB_BUCKET_ENTRIES;
}

static _Atomic uint32_t *
port_count(const struct vale_fdb *fdb, uint16_t port)
{
	return (_Atomic uint32_t *)((uintptr_t)fdb + fdb->counts_ofs) + port;
}

static vale_mac_t
word_mac(uint64_t word)
{
	return (word & VALE_FDB_E_MAC) >> VALE_FDB_E_MAC_SHIFT;
}

static bool
is_free(uint64_t word)
{
	return (word & ~VALE_FDB_E_GEN) == 0;
}

static bool
is_static(uint64_t word)
{
	return (word & VALE_FDB_E_STATIC) != 0;
}

static bool
is_learned(uint64_t word)
{
	return !is_free(word) && !is_static(word);
}

/* An occupant's word, of the generation that old has. */
static uint64_t
make_word(vale_mac_t mac, uint16_t port, uint64_t flags, uint64_t old)
{
	return mac << VALE_FDB_E_MAC_SHIFT | port | flags | (old & VALE_FDB_E_GEN);
}

/* Acquire: the stamp that is loaded next belongs to this occupant or a later one. */
static uint64_t
load_word(const struct vale_fdb *fdb, uint32_t slot)
{
	return atomic_load_explicit(&fdb->entries[slot], memory_order_acquire);
}

/*
 * Bring a stamp forward to now, never back: a thread that was held up for long must not make
 * the slot's next occupant old. A stamp of 0 was never written. Relaxed: the swap of the word
 * behind it releases it.
 */
static void
advance_stamp(struct vale_fdb *fdb, uint32_t slot, uint32_t now_s)
{
	_Atomic uint32_t *stamp = vale_fdb_stamp_(fdb, slot);
	uint32_t now = vale_fdb_stamp_of_(now_s);
	uint32_t old = atomic_load_explicit(stamp, memory_order_relaxed);

	while (old == 0 || (int32_t)(now - old) > 0)
		if (atomic_compare_exchange_weak_explicit(
			    stamp, &old, now, memory_order_relaxed, memory_order_relaxed))
			return;
}

/* Adjust the counts after a swap. Relaxed: they are numbers, nothing is published by them. */
static void
count_swap(struct vale_fdb *fdb, uint64_t old, uint64_t new)
{
	if (!is_free(new))
		atomic_fetch_add_explicit(
			port_count(fdb, vale_fdb_entry_port_(new)), 1, memory_order_relaxed);
	if (!is_free(old))
		atomic_fetch_sub_explicit(
			port_count(fdb, vale_fdb_entry_port_(old)), 1, memory_order_relaxed);
	if (is_free(old) && !is_free(new))
		atomic_fetch_add_explicit(&fdb->nb_used, 1, memory_order_relaxed);
	if (!is_free(old) && is_free(new))
		atomic_fetch_sub_explicit(&fdb->nb_used, 1, memory_order_relaxed);
}

/*
 * Replace a word that is still as it was read. Sequentially consistent: an inserter's swap and its
 * later scan() must not pass each other, or two inserters of one MAC could both miss the other's
 * entry. Which also releases the stamp.
 */
static bool
swap_uncounted(struct vale_fdb *fdb, const struct found *f, uint64_t word)
{
	uint64_t expected = f->word;

	return atomic_compare_exchange_strong(&fdb->entries[f->slot], &expected, word);
}

/* The same, and keep the counts. */
static bool
swap_word(struct vale_fdb *fdb, const struct found *f, uint64_t word)
{
	if (!swap_uncounted(fdb, f, word))
		return false;
	count_swap(fdb, f->word, word);
	return true;
}

/* Free a slot, in its next generation. False if it changed since it was read. The caller counts. */
static bool
free_word(struct vale_fdb *fdb, const struct found *f)
{
	return swap_uncounted(fdb, f, ~f->word & VALE_FDB_E_GEN);
}

/* The same, and keep the counts. */
static bool
remove_word(struct vale_fdb *fdb, const struct found *f)
{
	return swap_word(fdb, f, ~f->word & VALE_FDB_E_GEN);
}

/* Of two entries of one MAC, whether a stays. Every thread must come to the same answer. */
static bool
stays(const struct found *a, const struct found *b)
{
	if (is_static(a->word) != is_static(b->word))
		return is_static(a->word);
	return a->slot < b->slot;
}

static void
scan_word(struct scan *s, vale_mac_t mac, unsigned int bucket, const struct found *f)
{
	if (is_free(f->word)) {
		if (s->nb_free[bucket]++ == 0)
			s->free[bucket] = *f;
	} else if (word_mac(f->word) != mac) {
		return;
	} else if (s->own.slot == VALE_FDB_NO_SLOT) {
		s->own = *f;
	} else if (stays(f, &s->own)) {
		s->doubled = s->own;
		s->own = *f;
	} else {
		s->doubled = *f;
	}
}

/* Read both buckets of a MAC. Sequentially consistent loads, see swap_word(). */
static void
scan(const struct vale_fdb *fdb, vale_mac_t mac, struct scan *s)
{
	struct vale_fdb_buckets_ b = vale_fdb_hash_(fdb, mac);
	struct found f;

	memset(s, 0, sizeof(*s));
	s->own.slot = s->doubled.slot = VALE_FDB_NO_SLOT;
	for (unsigned int i = 0; i < 2 * VALE_FDB_BUCKET_ENTRIES; i++) {
		unsigned int bucket = i / VALE_FDB_BUCKET_ENTRIES;

		f.slot = (bucket == 0 ? b.first : b.second) + i % VALE_FDB_BUCKET_ENTRIES;
		f.word = atomic_load(&fdb->entries[f.slot]);
		scan_word(s, mac, bucket, &f);
	}
}

/* The free slot to insert at, in the emptier bucket; NULL if both are full. */
static const struct found *
choose_free(const struct scan *s)
{
	unsigned int bucket = s->nb_free[1] > s->nb_free[0];

	return s->nb_free[bucket] != 0 ? &s->free[bucket] : NULL;
}

/* An entry that may be evicted, with what decides about it. */
struct victim {
	struct found at;
	uint32_t stamp;
	int32_t nb_port; /* entries of its port; may be below 0 while others count */
	bool is_expired;
};

/* Whether a goes rather than b. Ages are compared by their difference, which may wrap. */
static bool
goes_first(const struct victim *a, const struct victim *b)
{
	if (a->is_expired != b->is_expired)
		return a->is_expired;
	if (!a->is_expired && a->nb_port != b->nb_port)
		return a->nb_port > b->nb_port;
	return (int32_t)(a->stamp - b->stamp) < 0;
}

/*
 * Make room in the buckets of a MAC, which are full. The slot is freed and not swapped for the new
 * entry at once: its stamp can only be brought forward when nobody sits there.
 *
 * Returns 0 if a slot was freed or something changed meanwhile (look again), -ENOSPC if all is
 * static.
 */
static int
evict(struct vale_fdb *fdb, vale_mac_t mac, uint32_t now_s, uint32_t ageing_s)
{
	struct vale_fdb_buckets_ b = vale_fdb_hash_(fdb, mac);
	struct victim best = {.at.slot = VALE_FDB_NO_SLOT}, v;

	for (unsigned int i = 0; i < 2 * VALE_FDB_BUCKET_ENTRIES; i++) {
		v.at.slot = (i < VALE_FDB_BUCKET_ENTRIES ? b.first : b.second) +
			    i % VALE_FDB_BUCKET_ENTRIES;
		v.at.word = load_word(fdb, v.at.slot);
		if (is_free(v.at.word))
			return 0;
		if (is_static(v.at.word))
			continue;
		v.stamp = vale_fdb_stamp_load_(fdb, v.at.slot);
		v.is_expired = vale_fdb_is_expired_(v.stamp, now_s, ageing_s);
		v.nb_port = (int32_t)atomic_load_explicit(
			port_count(fdb, vale_fdb_entry_port_(v.at.word)), memory_order_relaxed);
		if (best.at.slot == VALE_FDB_NO_SLOT || goes_first(&v, &best))
			best = v;
	}
	if (best.at.slot == VALE_FDB_NO_SLOT)
		return -ENOSPC;
	remove_word(fdb, &best.at);
	return 0;
}

/*
 * Confirm the entry of a MAC, or move it. The stamp goes first: who finds the new word finds
 * the new time. After a pause the generation changes too, so that nobody who has just found
 * the entry expired removes it.
 *
 * Returns 0, -EPERM if it is static on another port, -EAGAIN if it changed meanwhile.
 */
static int
confirm(struct vale_fdb *fdb, const struct found *own, uint16_t port, uint32_t now_s,
	uint32_t ageing_s)
{
	bool moves = vale_fdb_entry_port_(own->word) != port;
	uint32_t age;
	uint64_t word;

	if (is_static(own->word))
		return moves ? -EPERM : 0;
	age = vale_fdb_age_(vale_fdb_stamp_load_(fdb, own->slot), now_s);
	advance_stamp(fdb, own->slot, now_s);
	if (moves)
		word = make_word(word_mac(own->word), port, 0, own->word);
	else if (age >= VALE_FDB_PAUSE_S || (age != 0 && ageing_s == 1))
		word = own->word ^ VALE_FDB_E_GEN;
	else
		return 0;
	return swap_word(fdb, own, word) ? 0 : -EAGAIN;
}

/* Insert a MAC at a free slot, its stamp first. False if the slot was taken meanwhile. */
static bool
insert(struct vale_fdb *fdb, const struct found *at, vale_mac_t mac, uint16_t port, uint32_t now_s)
{
	advance_stamp(fdb, at->slot, now_s);
	return swap_word(fdb, at, make_word(mac, port, 0, at->word));
}

/*
 * The rest of vale_fdb_learn(). Every return stands behind a scan that found no double, so
 * that of several inserters the last one leaves a single entry.
 *
 * Rounds that remove a double are not counted. They end: a double goes unless somebody changes
 * it first, and who comes new sees both and wants the same one gone.
 */
int
vale_fdb_learn_slow_(
	struct vale_fdb *fdb, vale_mac_t mac, uint16_t port, uint32_t now_s, uint32_t ageing_s)
{
	bool is_inserted = false;
	unsigned int round = 0;
	const struct found *at;
	struct scan s;
	int rc;

	if (port >= fdb->nb_ports)
		return -EINVAL;
	for (;;) {
		scan(fdb, mac, &s);
		if (s.doubled.slot != VALE_FDB_NO_SLOT) {
			remove_word(fdb, &s.doubled);
			continue;
		}
		if (round++ == LEARN_ROUNDS_MAX)
			return -EAGAIN;
		if (s.own.slot != VALE_FDB_NO_SLOT) {
			rc = confirm(fdb, &s.own, port, now_s, ageing_s);
			if (rc != -EAGAIN)
				return rc;
			continue;
		}
		/* Inserted, and gone by an eviction or flush: it was learned all the same. */
		if (is_inserted)
			return 0;
		at = choose_free(&s);
		if (at != NULL)
			is_inserted = insert(fdb, at, mac, port, now_s);
		else if (evict(fdb, mac, now_s, ageing_s) != 0)
			return -ENOSPC;
	}
}

size_t
vale_fdb_memsize(uint32_t nb_entries, uint16_t nb_ports)
{
	struct layout l;

	return make_layout(nb_entries, nb_ports, &l) ? l.total_sz : 0;
}

struct vale_fdb *
vale_fdb_init(void *mem, uint32_t nb_entries, uint16_t nb_ports, uint64_t seed)
{
	struct vale_fdb *fdb = mem;
	struct layout l;

	if (mem == NULL || (uintptr_t)mem % RTE_CACHE_LINE_SIZE != 0 ||
		!make_layout(nb_entries, nb_ports, &l))
		return NULL;
	memset(mem, 0, l.total_sz);
	fdb->hash_xor = next_secret(&seed);
	fdb->hash_mul = next_secret(&seed) | 1;
	fdb->bucket_mask = l.nb_buckets - 1;
	fdb->nb_entries = nb_entries;
	fdb->nb_ports = nb_ports;
	fdb->stamps_ofs = l.stamps_ofs;
	fdb->counts_ofs = l.counts_ofs;
	return fdb;
}

uint32_t
vale_fdb_capacity(const struct vale_fdb *fdb)
{
	return fdb->nb_entries;
}

uint32_t
vale_fdb_count(const struct vale_fdb *fdb)
{
	/* Who removes may count before who inserted has: below zero for a moment. */
	int32_t n = (int32_t)atomic_load_explicit(&fdb->nb_used, memory_order_relaxed);

	return n < 0 ? 0 : (uint32_t)n;
}

int
vale_fdb_add_static(struct vale_fdb *fdb, vale_mac_t mac, uint16_t port)
{
	bool is_entered = false;
	const struct found *at;
	struct scan s;

	if (!vale_fdb_is_enterable_(mac) || port >= fdb->nb_ports)
		return -EINVAL;
	/* Ends, like learning: a round is lost only to another thread's change. */
	for (;;) {
		scan(fdb, mac, &s);
		if (s.doubled.slot != VALE_FDB_NO_SLOT) {
			remove_word(fdb, &s.doubled);
			continue;
		}
		if (is_entered)
			return 0;
		at = s.own.slot != VALE_FDB_NO_SLOT ? &s.own : choose_free(&s);
		if (at == &s.own && is_static(at->word))
			return -EEXIST;
		if (at != NULL)
			is_entered = swap_word(
				fdb, at, make_word(mac, port, VALE_FDB_E_STATIC, at->word));
		else if (evict(fdb, mac, 0, 0) != 0)
			return -ENOSPC;
	}
}

int
vale_fdb_del(struct vale_fdb *fdb, vale_mac_t mac)
{
	struct scan s;

	if (!vale_fdb_is_enterable_(mac))
		return -ENOENT;
	for (;;) {
		scan(fdb, mac, &s);
		/* A double first, or it would take the place of the entry that went. */
		if (s.doubled.slot != VALE_FDB_NO_SLOT)
			remove_word(fdb, &s.doubled);
		else if (s.own.slot == VALE_FDB_NO_SLOT)
			return -ENOENT;
		else if (remove_word(fdb, &s.own))
			return 0;
	}
}

/* Which entries a flush or sweep removes. */
struct wanted {
	uint16_t port; /* of this port only, or VALE_FDB_NONE */
	bool also_static;
	bool only_expired;
	uint32_t now_s, ageing_s;
};

static bool
is_wanted(const struct vale_fdb *fdb, const struct found *f, const struct wanted *w)
{
	if (is_free(f->word) || (!w->also_static && is_static(f->word)))
		return false;
	if (w->port != VALE_FDB_NONE && vale_fdb_entry_port_(f->word) != w->port)
		return false;
	return !w->only_expired ||
	       vale_fdb_is_expired_(vale_fdb_stamp_load_(fdb, f->slot), w->now_s, w->ageing_s);
}

/*
 * Counts of entries that went, put down in one go: three locked additions for each of a million
 * would take longer than all the rest. Until then the counts are too high, as they are for
 * a moment with any removal.
 */
struct removed {
	uint32_t nb;	  /* all */
	uint32_t nb_port; /* of the last ones, which were of one port */
	uint16_t port;
};

static void
removed_put_down(struct vale_fdb *fdb, struct removed *r)
{
	if (r->nb_port > 0)
		atomic_fetch_sub_explicit(
			port_count(fdb, r->port), r->nb_port, memory_order_relaxed);
	r->nb_port = 0;
}

static void
removed_add(struct vale_fdb *fdb, struct removed *r, uint16_t port)
{
	if (port != r->port)
		removed_put_down(fdb, r);
	r->port = port;
	r->nb_port++;
	r->nb++;
}

/* Remove an entry if it is wanted. One that changes under our eyes is looked at again: it may not
 * be wanted any more. */
static void
remove_if_wanted(
	struct vale_fdb *fdb, uint32_t slot, const struct wanted *w, struct removed *removed)
{
	struct found f = {.slot = slot};

	for (;;) {
		f.word = load_word(fdb, slot);
		if (!is_wanted(fdb, &f, w))
			return;
		if (free_word(fdb, &f))
			break;
	}
	removed_add(fdb, removed, vale_fdb_entry_port_(f.word));
}

/* Over the slots from first to before end. */
static uint32_t
remove_wanted(struct vale_fdb *fdb, uint32_t first, uint32_t end, const struct wanted *w)
{
	struct removed removed = {0};

	for (uint32_t slot = first; slot < end; slot++)
		remove_if_wanted(fdb, slot, w, &removed);
	removed_put_down(fdb, &removed);
	if (removed.nb > 0)
		atomic_fetch_sub_explicit(&fdb->nb_used, removed.nb, memory_order_relaxed);
	return removed.nb;
}

uint32_t
vale_fdb_flush(struct vale_fdb *fdb, uint16_t port, bool also_static)
{
	return remove_wanted(
		fdb, 0, nb_slots(fdb), &(struct wanted){.port = port, .also_static = also_static});
}

uint32_t
vale_fdb_port_count(const struct vale_fdb *fdb, uint16_t port)
{
	int32_t n;

	if (port >= fdb->nb_ports)
		return 0;
	n = (int32_t)atomic_load_explicit(port_count(fdb, port), memory_order_relaxed);
	return n < 0 ? 0 : (uint32_t)n;
}

/* The part of the table from *slot on, of @p nb slots at most: *slot is moved behind it, 0 after
 * the last. Returns its end. */
static uint32_t
next_part(const struct vale_fdb *fdb, uint32_t *slot, uint32_t nb, uint32_t *first)
{
	*first = RTE_MIN(*slot, nb_slots(fdb));
	nb = RTE_MIN(nb, nb_slots(fdb) - *first);
	*slot = *first + nb < nb_slots(fdb) ? *first + nb : 0;
	return *first + nb;
}

uint32_t
vale_fdb_sweep_part(
	struct vale_fdb *fdb, uint32_t *slot, uint32_t nb, uint32_t now_s, uint32_t ageing_s)
{
	uint32_t first, end = next_part(fdb, slot, nb, &first);

	if (ageing_s == 0)
		return 0;
	return remove_wanted(fdb, first, end,
		&(struct wanted){.port = VALE_FDB_NONE,
			.only_expired = true,
			.now_s = now_s,
			.ageing_s = ageing_s});
}

uint32_t
vale_fdb_sweep(struct vale_fdb *fdb, uint32_t now_s, uint32_t ageing_s)
{
	uint32_t slot = 0;

	return vale_fdb_sweep_part(fdb, &slot, UINT32_MAX, now_s, ageing_s);
}

static void
fill_entry(struct vale_fdb_entry *e, uint64_t word, uint32_t age_s)
{
	for (unsigned int i = 0; i < sizeof(e->mac); i++)
		e->mac[i] = (uint8_t)(word_mac(word) >> (8 * i));
	e->port = vale_fdb_entry_port_(word);
	e->is_static = is_static(word);
	e->age_s = is_static(word) ? 0 : age_s;
}

uint32_t
vale_fdb_walk_part(const struct vale_fdb *fdb, uint32_t *slot, uint32_t nb_slots, uint32_t now_s,
	uint32_t ageing_s, void (*fn)(void *arg, const struct vale_fdb_entry *e), void *arg)
{
	uint32_t first, end = next_part(fdb, slot, nb_slots, &first);
	struct vale_fdb_entry e;
	uint32_t nb = 0;

	for (uint32_t i = first; i < end; i++) {
		uint64_t word = load_word(fdb, i);
		uint32_t stamp = vale_fdb_stamp_load_(fdb, i);

		if (is_free(word) ||
			(is_learned(word) && vale_fdb_is_expired_(stamp, now_s, ageing_s)))
			continue;
		fill_entry(&e, word, vale_fdb_age_(stamp, now_s));
		fn(arg, &e);
		nb++;
	}
	return nb;
}

uint32_t
vale_fdb_walk(const struct vale_fdb *fdb, uint32_t now_s, uint32_t ageing_s,
	void (*fn)(void *arg, const struct vale_fdb_entry *e), void *arg)
{
	uint32_t slot = 0;

	return vale_fdb_walk_part(fdb, &slot, UINT32_MAX, now_s, ageing_s, fn, arg);
}
