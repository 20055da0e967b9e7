/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_FDB_INLINE_H
#define VALE_FDB_INLINE_H

/**
 * @file
 * Private to vale_fdb.h: the layout of the table, and what a forwarding core runs for every
 * packet, inlined there. Nothing outside lib/fdb names anything in this file.
 */

#ifndef VALE_FDB_H
#error "include vale_fdb.h instead"
#endif

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

/* Fields of an entry, see vale_fdb.h. */
#define VALE_FDB_E_PORT UINT64_C(0x7fff)
#define VALE_FDB_E_STATIC (UINT64_C(1) << 15)
#define VALE_FDB_E_GEN (UINT64_C(1) << 16)
#define VALE_FDB_E_MAC UINT64_C(0xfffffffffffe0000)
#define VALE_FDB_E_MAC_SHIFT 16

/* No slot. */
#define VALE_FDB_NO_SLOT UINT32_MAX

/*
 * An entry unconfirmed for this long, in seconds, gets a new generation when it is confirmed. Who
 * holds an entry for expired with a clock that is a second ahead sees it older than this for any
 * ageing time over one second; with one second of ageing each new second is a pause.
 */
#define VALE_FDB_PAUSE_S 2

struct vale_fdb {
	/* Written by vale_fdb_init() only. */
	uint64_t hash_xor;    /* secret */
	uint64_t hash_mul;    /* secret, odd */
	uint32_t bucket_mask; /* number of buckets - 1 */
	uint32_t nb_entries;  /* as promised */
	uint32_t nb_ports;
	uint32_t pad;
	uint64_t stamps_ofs; /* bytes from here to uint32_t stamps[slots] */
	uint64_t counts_ofs; /* bytes from here to uint32_t counts[nb_ports] */
	/* Written by whoever inserts or removes; on a line of its own. */
	_Atomic uint32_t nb_used __rte_cache_aligned;
	/* Entries; slot i is entry i % 8 of bucket i / 8. Written by all, by compare-and-swap. */
	_Atomic uint64_t entries[] __rte_cache_aligned;
};

/* A slot is known by its number over all buckets. */
struct vale_fdb_buckets_ {
	uint32_t first, second; /* first slot of either candidate bucket */
};

int vale_fdb_learn_slow_(
	struct vale_fdb *fdb, vale_mac_t mac, uint16_t port, uint32_t now_s, uint32_t ageing_s);

static inline _Atomic uint32_t *
vale_fdb_stamp_(const struct vale_fdb *fdb, uint32_t slot)
{
	return (_Atomic uint32_t *)((uintptr_t)fdb + fdb->stamps_ofs) + slot;
}

/*
 * Relaxed: ordered behind the acquiring load of the entry; and nothing hangs on the stamp itself.
 */
static inline uint32_t
vale_fdb_stamp_load_(const struct vale_fdb *fdb, uint32_t slot)
{
	return atomic_load_explicit(vale_fdb_stamp_(fdb, slot), memory_order_relaxed);
}

/* Whether a MAC may stand in the table: neither group nor zero, nothing above bit 47. */
static inline bool
vale_fdb_is_enterable_(vale_mac_t mac)
{
	return mac != 0 && (mac & ~(VALE_FDB_E_MAC >> VALE_FDB_E_MAC_SHIFT)) == 0;
}

static inline uint16_t
vale_fdb_entry_port_(uint64_t e)
{
	return e & VALE_FDB_E_PORT;
}

/* Zero is kept for a slot that was never used; a second's error does no harm. */
static inline uint32_t
vale_fdb_stamp_of_(uint32_t now_s)
{
	return now_s + (now_s == 0);
}

/* Seconds from stamp to now; 0 if the stamp is ahead, by another thread's clock. */
static inline uint32_t
vale_fdb_age_(uint32_t stamp, uint32_t now_s)
{
	int32_t age = (int32_t)(now_s - stamp);

	return age < 0 ? 0 : (uint32_t)age;
}

static inline bool
vale_fdb_is_expired_(uint32_t stamp, uint32_t now_s, uint32_t ageing_s)
{
	return ageing_s != 0 && vale_fdb_age_(stamp, now_s) > ageing_s;
}

static inline struct vale_fdb_buckets_
vale_fdb_hash_(const struct vale_fdb *fdb, vale_mac_t mac)
{
	unsigned __int128 product = (unsigned __int128)(mac ^ fdb->hash_xor) * fdb->hash_mul;
	uint64_t h = (uint64_t)product ^ (uint64_t)(product >> 64);
	uint32_t first = (uint32_t)h & fdb->bucket_mask;
	/* An odd distance: there are two buckets at least, so that they always differ. */
	uint32_t second = first ^ (((uint32_t)(h >> 32) | 1) & fdb->bucket_mask);

	return (struct vale_fdb_buckets_){
		.first = first * VALE_FDB_BUCKET_ENTRIES,
		.second = second * VALE_FDB_BUCKET_ENTRIES,
	};
}

/*
 * A mask with a bit for each of the 16 candidate entries whose upper half is that of the wanted
 * word. A hint, which the caller confirms by an atomic load: the vector form loads without atomics,
 * which ThreadSanitizer would report, though each aligned 8 bytes are whole on every CPU that has
 * it.
 */
#if defined(__SANITIZE_THREAD__)
#define VALE_FDB_SCALAR_
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VALE_FDB_SCALAR_
#endif
#endif

#if defined(__SSE2__) && !defined(VALE_FDB_SCALAR_)
/* Four lanes of 32 bits, all ones where the upper half of one of four words is the wanted one. */
static inline __m128i
vale_fdb_match_4_(const _Atomic uint64_t *words, __m128i wanted)
{
	const __m128i *w = (const __m128i *)(uintptr_t)words;
	__m128 upper = _mm_shuffle_ps(_mm_castsi128_ps(_mm_load_si128(w)),
		_mm_castsi128_ps(_mm_load_si128(w + 1)), _MM_SHUFFLE(3, 1, 3, 1));

	return _mm_cmpeq_epi32(_mm_castps_si128(upper), wanted);
}

static inline uint32_t
vale_fdb_match_(const _Atomic uint64_t *first, const _Atomic uint64_t *second, uint64_t wanted)
{
	__m128i half = _mm_set1_epi32((int)(wanted >> 32));
	__m128i m1 =
		_mm_packs_epi32(vale_fdb_match_4_(first, half), vale_fdb_match_4_(first + 4, half));
	__m128i m2 = _mm_packs_epi32(
		vale_fdb_match_4_(second, half), vale_fdb_match_4_(second + 4, half));

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(m1, m2));
}
#else
static inline uint32_t
vale_fdb_match_(const _Atomic uint64_t *first, const _Atomic uint64_t *second, uint64_t wanted)
{
	uint32_t m = 0;

	for (unsigned int i = 0; i < VALE_FDB_BUCKET_ENTRIES; i++) {
		uint64_t e1 = atomic_load_explicit(&first[i], memory_order_relaxed);
		uint64_t e2 = atomic_load_explicit(&second[i], memory_order_relaxed);

		m |= (uint32_t)((e1 ^ wanted) >> 32 == 0) << i;
		m |= (uint32_t)((e2 ^ wanted) >> 32 == 0) << (i + VALE_FDB_BUCKET_ENTRIES);
	}
	return m;
}
#endif

/*
 * The entry of a MAC, and its slot in *slot; 0 if there is none. Of two, which a MAC may have for
 * a moment, the static one. The zero address finds free words, which the callers exclude
 * beforehand. Acquire: what is loaded later, the stamp, is not older than the entry.
 */
static inline uint64_t
vale_fdb_find_(const struct vale_fdb *fdb, vale_mac_t mac, uint32_t *slot)
{
	struct vale_fdb_buckets_ b = vale_fdb_hash_(fdb, mac);
	uint64_t wanted = mac << VALE_FDB_E_MAC_SHIFT;
	uint32_t match = vale_fdb_match_(&fdb->entries[b.first], &fdb->entries[b.second], wanted);
	uint64_t e, best = 0;

	/* Hardly ever more than one turn: the upper halves of two MACs in here rarely agree. */
	for (; match != 0; match &= match - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(match);
		uint32_t at = (i < VALE_FDB_BUCKET_ENTRIES ? b.first : b.second) +
			      i % VALE_FDB_BUCKET_ENTRIES;

		e = atomic_load_explicit(&fdb->entries[at], memory_order_acquire);
		if (likely((e & VALE_FDB_E_MAC) == wanted &&
			    (best == 0 || (e & VALE_FDB_E_STATIC)))) {
			best = e;
			*slot = at;
		}
	}
	/* Keeps the plain loads above from being merged with those of the next call. */
	atomic_signal_fence(memory_order_seq_cst);
	return best;
}

static inline void
vale_fdb_prefetch(const struct vale_fdb *fdb, vale_mac_t mac)
{
	struct vale_fdb_buckets_ b = vale_fdb_hash_(fdb, mac);

	rte_prefetch0((const void *)(uintptr_t)&fdb->entries[b.first]);
	rte_prefetch0((const void *)(uintptr_t)&fdb->entries[b.second]);
	rte_prefetch0((const void *)(uintptr_t)vale_fdb_stamp_(fdb, b.first));
	rte_prefetch0((const void *)(uintptr_t)vale_fdb_stamp_(fdb, b.second));
}

static inline uint16_t
vale_fdb_lookup(const struct vale_fdb *fdb, vale_mac_t mac, uint32_t now_s, uint32_t ageing_s)
{
	uint32_t slot, stamp;
	uint64_t e;

	if (unlikely(mac == 0))
		return VALE_FDB_NONE;
	e = vale_fdb_find_(fdb, mac, &slot);
	if (e == 0)
		return VALE_FDB_NONE;
	if (ageing_s != 0 && !(e & VALE_FDB_E_STATIC)) {
		stamp = vale_fdb_stamp_load_(fdb, slot);
		if (unlikely(vale_fdb_is_expired_(stamp, now_s, ageing_s)))
			return VALE_FDB_NONE;
	}
	return vale_fdb_entry_port_(e);
}

static inline int
vale_fdb_learn(
	struct vale_fdb *fdb, vale_mac_t mac, uint16_t port, uint32_t now_s, uint32_t ageing_s)
{
	uint32_t slot;
	uint64_t e;

	if (unlikely(!vale_fdb_is_enterable_(mac)))
		return -EPERM;
	e = vale_fdb_find_(fdb, mac, &slot);
	/* What every packet but the first of a second does: right port, right time, no write. */
	if (likely(e != 0 && vale_fdb_entry_port_(e) == port &&
		    ((e & VALE_FDB_E_STATIC) ||
			    vale_fdb_age_(vale_fdb_stamp_load_(fdb, slot), now_s) == 0)))
		return 0;
	return vale_fdb_learn_slow_(fdb, mac, port, now_s, ageing_s);
}

#endif /* VALE_FDB_INLINE_H */
