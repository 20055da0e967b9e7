/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vale_fdb.h"

/*
 * The source itself: some tests run one thread's steps between another's. What before_swap points
 * at runs once, when the next swap is about to be made.
 */
static void (*before_swap)(void);

static bool
swap_after_hook(_Atomic uint64_t *p, uint64_t *expected, uint64_t word)
{
	void (*hook)(void) = before_swap;

	if (hook != NULL) {
		before_swap = NULL;
		hook();
	}
	return atomic_compare_exchange_strong_explicit(
		p, expected, word, memory_order_seq_cst, memory_order_seq_cst);
}

#undef atomic_compare_exchange_strong
#define atomic_compare_exchange_strong swap_after_hook
#include "../../lib/fdb/vale_fdb.c"

#define NOW 1000
#define AGEING 300
#define PORTS 16
#define MAC_A UINT64_C(0x0a0000000002)
#define MAC_B UINT64_C(0x0b0000000002)
#define FOREVER 0

/* Sanitizers make everything slower, ThreadSanitizer tens of times; the tests stay short. */
#if defined(__SANITIZE_THREAD__)
#define SLOWDOWN 16
#elif defined(__SANITIZE_ADDRESS__)
#define SLOWDOWN 8
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLOWDOWN 16
#elif __has_feature(address_sanitizer)
#define SLOWDOWN 8
#endif
#endif
#ifndef SLOWDOWN
#define SLOWDOWN 1
#endif

static struct vale_fdb *
new_fdb(uint32_t nb_entries, uint64_t seed)
{
	size_t sz = vale_fdb_memsize(nb_entries, PORTS);
	void *mem = aligned_alloc(RTE_CACHE_LINE_SIZE, sz);
	struct vale_fdb *fdb;

	assert_non_null(mem);
	memset(mem, 0xa5, sz);
	fdb = vale_fdb_init(mem, nb_entries, PORTS, seed);
	assert_ptr_equal(fdb, mem);
	return fdb;
}

/* splitmix64 again, as unicast MACs. */
static vale_mac_t
random_mac(uint64_t *state)
{
	vale_mac_t mac;

	do
		mac = next_secret(state) & UINT64_C(0xfffffffffffe);
	while (mac == 0);
	return mac;
}

/* n MACs of which both candidate buckets are those of the first. */
static void
colliding_macs(const struct vale_fdb *fdb, vale_mac_t *macs, unsigned int n, uint64_t state)
{
	struct vale_fdb_buckets_ want, b;
	unsigned int i = 1;

	macs[0] = random_mac(&state);
	want = vale_fdb_hash_(fdb, macs[0]);
	while (i < n) {
		macs[i] = random_mac(&state);
		b = vale_fdb_hash_(fdb, macs[i]);
		if (RTE_MIN(b.first, b.second) == RTE_MIN(want.first, want.second) &&
			RTE_MAX(b.first, b.second) == RTE_MAX(want.first, want.second))
			i++;
	}
}

static unsigned int
nb_words_of(const struct vale_fdb *fdb, vale_mac_t mac)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < nb_slots(fdb); i++)
		n += !is_free(fdb->entries[i]) && word_mac(fdb->entries[i]) == mac;
	return n;
}

/* Counts are exact, nobody stands twice or in a foreign bucket. When no thread runs. */
static void
check_whole(const struct vale_fdb *fdb)
{
	uint32_t per_port[PORTS] = {0}, used = 0;
	struct scan s;

	for (uint32_t i = 0; i < nb_slots(fdb); i++) {
		uint64_t w = fdb->entries[i];

		if (is_free(w))
			continue;
		used++;
		assert_in_range(vale_fdb_entry_port_(w), 0, PORTS - 1);
		per_port[vale_fdb_entry_port_(w)]++;
		scan(fdb, word_mac(w), &s);
		assert_int_equal(s.own.slot, i);
		assert_int_equal(s.doubled.slot, VALE_FDB_NO_SLOT);
	}
	assert_int_equal(vale_fdb_count(fdb), used);
	for (uint16_t p = 0; p < PORTS; p++)
		assert_int_equal(*port_count(fdb, p), per_port[p]);
}

static void
memsize_out_of_range_zero(void **state)
{
	(void)state;
	assert_int_equal(vale_fdb_memsize(0, PORTS), 0);
	assert_int_equal(vale_fdb_memsize(VALE_FDB_ENTRIES_MAX + 1, PORTS), 0);
	assert_int_equal(vale_fdb_memsize(UINT32_MAX, PORTS), 0);
	assert_int_equal(vale_fdb_memsize(1, 0), 0);
	assert_int_equal(vale_fdb_memsize(1, VALE_FDB_PORTS_MAX + 1), 0);
	assert_true(vale_fdb_memsize(VALE_FDB_ENTRIES_MAX, VALE_FDB_PORTS_MAX) >
		    UINT64_C(12) * 2 * VALE_FDB_ENTRIES_MAX);
}

static void
memsize_any_entries_twice_the_slots_and_whole_lines(void **state)
{
	static const uint32_t nb[] = {1, 2, 15, 16, 17, 1000, 1024, 1025, 16384, 100000};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(nb); i++) {
		size_t sz = vale_fdb_memsize(nb[i], PORTS);

		assert_true(sz >= 2 * nb[i] * 12);
		assert_int_equal(sz % RTE_CACHE_LINE_SIZE, 0);
	}
}

static void
init_bad_arguments_null(void **state)
{
	static _Alignas(RTE_CACHE_LINE_SIZE) uint8_t mem[4096];

	(void)state;
	assert_in_range(vale_fdb_memsize(16, PORTS), 1, sizeof(mem) - 8);
	assert_null(vale_fdb_init(NULL, 16, PORTS, 1));
	assert_null(vale_fdb_init(mem + 8, 16, PORTS, 1));
	assert_null(vale_fdb_init(mem, 0, PORTS, 1));
	assert_null(vale_fdb_init(mem, 16, 0, 1));
	assert_non_null(vale_fdb_init(mem, 16, PORTS, 1));
}

static void
init_dirty_memory_empty_table(void **state)
{
	struct vale_fdb *fdb = new_fdb(1000, 0);

	(void)state;
	assert_int_equal(vale_fdb_capacity(fdb), 1000);
	assert_int_equal(vale_fdb_count(fdb), 0);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW, AGEING), VALE_FDB_NONE);
	check_whole(fdb);
	free(fdb);
}

static void
table_moved_in_memory_still_works(void **state)
{
	struct vale_fdb *fdb = new_fdb(64, 3), *copy;
	size_t sz = vale_fdb_memsize(64, PORTS);

	(void)state;
	vale_fdb_learn(fdb, MAC_A, 7, NOW, AGEING);
	copy = aligned_alloc(RTE_CACHE_LINE_SIZE, sz);
	assert_non_null(copy);
	memcpy(copy, fdb, sz);
	memset(fdb, 0xff, sz);
	free(fdb);
	assert_int_equal(vale_fdb_lookup(copy, MAC_A, NOW, AGEING), 7);
	check_whole(copy);
	free(copy);
}

static void
learn_new_mac_found_on_its_port(void **state)
{
	struct vale_fdb *fdb = new_fdb(16, 1);

	(void)state;
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, 0, NOW, AGEING), 0);
	assert_int_equal(vale_fdb_learn(fdb, MAC_B, PORTS - 1, NOW, AGEING), 0);
	vale_fdb_prefetch(fdb, MAC_A);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW, AGEING), 0);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_B, NOW, AGEING), PORTS - 1);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A + 4, NOW, AGEING), VALE_FDB_NONE);
	assert_int_equal(vale_fdb_count(fdb), 2);
	check_whole(fdb);
	free(fdb);
}

static void
learn_group_or_zero_or_wide_address_eperm(void **state)
{
	static const vale_mac_t macs[] = {0, 1, UINT64_C(0xffffffffffff), MAC_A | 1,
		UINT64_C(0x010000000000000a), UINT64_C(1) << 48};
	struct vale_fdb *fdb = new_fdb(16, 1);

	(void)state;
	for (size_t i = 0; i < RTE_DIM(macs); i++) {
		assert_int_equal(vale_fdb_learn(fdb, macs[i], 0, NOW, AGEING), -EPERM);
		assert_int_equal(vale_fdb_add_static(fdb, macs[i], 0), -EINVAL);
		assert_int_equal(vale_fdb_del(fdb, macs[i]), -ENOENT);
	}
	assert_int_equal(vale_fdb_count(fdb), 0);
	free(fdb);
}

static void
lookup_group_or_zero_address_none(void **state)
{
	struct vale_fdb *fdb = new_fdb(16, 1);

	(void)state;
	/* Port 0 and generation 1 are what free words could be taken for. */
	vale_fdb_learn(fdb, MAC_A, 0, NOW, AGEING);
	vale_fdb_flush(fdb, VALE_FDB_NONE, true);
	vale_fdb_learn(fdb, MAC_A, 0, NOW, AGEING);
	assert_int_equal(vale_fdb_lookup(fdb, 0, NOW, AGEING), VALE_FDB_NONE);
	assert_int_equal(vale_fdb_lookup(fdb, 1, NOW, AGEING), VALE_FDB_NONE);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A | 1, NOW, AGEING), VALE_FDB_NONE);
	assert_int_equal(vale_fdb_lookup(fdb, UINT64_C(0xffffffffffff), NOW, 0), VALE_FDB_NONE);
	free(fdb);
}

static void
lookup_macs_that_agree_in_half_told_apart(void **state)
{
	struct vale_fdb *fdb = new_fdb(64, 1);
	vale_mac_t low_only = UINT64_C(0x2); /* upper half zero, as that of a free word */

	(void)state;
	assert_int_equal(vale_fdb_lookup(fdb, low_only, NOW, AGEING), VALE_FDB_NONE);
	for (unsigned int i = 0; i < 64; i++)
		assert_int_equal(vale_fdb_learn(fdb, low_only + 2 * i, i % PORTS, NOW, AGEING), 0);
	for (unsigned int i = 0; i < 64; i++)
		assert_int_equal(vale_fdb_lookup(fdb, low_only + 2 * i, NOW, AGEING), i % PORTS);
	check_whole(fdb);
	free(fdb);
}

static void
learn_port_out_of_range_einval(void **state)
{
	struct vale_fdb *fdb = new_fdb(16, 1);

	(void)state;
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, PORTS, NOW, AGEING), -EINVAL);
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, VALE_FDB_NONE, NOW, AGEING), -EINVAL);
	assert_int_equal(vale_fdb_add_static(fdb, MAC_A, PORTS), -EINVAL);
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, 1, NOW, AGEING), 0);
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, PORTS, NOW, AGEING), -EINVAL);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW, AGEING), 1);
	free(fdb);
}

static void
learn_same_second_writes_nothing(void **state)
{
	size_t sz = vale_fdb_memsize(16, PORTS);
	struct vale_fdb *fdb = new_fdb(16, 1);
	void *before = malloc(sz);

	(void)state;
	assert_non_null(before);
	vale_fdb_learn(fdb, MAC_A, 1, NOW, AGEING);
	vale_fdb_add_static(fdb, MAC_B, 1);
	memcpy(before, fdb, sz);
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, 1, NOW, AGEING), 0);
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, 1, NOW - 1, AGEING), 0);
	assert_int_equal(vale_fdb_learn(fdb, MAC_B, 1, NOW + 1, AGEING), 0);
	assert_int_equal(vale_fdb_learn(fdb, MAC_B, 2, NOW + 1, AGEING), -EPERM);
	assert_memory_equal(before, fdb, sz);
	free(before);
	free(fdb);
}

static void
learn_other_port_moves_the_one_entry(void **state)
{
	struct vale_fdb *fdb = new_fdb(16, 1);

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		assert_int_equal(vale_fdb_learn(fdb, MAC_A, i % PORTS, NOW + i / 3, AGEING), 0);
		assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW + i / 3, AGEING), i % PORTS);
		assert_int_equal(vale_fdb_count(fdb), 1);
	}
	check_whole(fdb);
	free(fdb);
}

static void
lookup_older_than_ageing_none(void **state)
{
	struct vale_fdb *fdb = new_fdb(16, 1);

	(void)state;
	vale_fdb_learn(fdb, MAC_A, 5, NOW, AGEING);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW + AGEING, AGEING), 5);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW + AGEING + 1, AGEING), VALE_FDB_NONE);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW + AGEING + 1, FOREVER), 5);
	assert_int_equal(vale_fdb_count(fdb), 1);
	/* Confirmed, it is found again. */
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, 5, NOW + AGEING + 1, AGEING), 0);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW + AGEING + 1, AGEING), 5);
	assert_int_equal(vale_fdb_count(fdb), 1);
	free(fdb);
}

static void
lookup_clock_skewed_or_wrapped_age_right(void **state)
{
	static const uint32_t starts[] = {0, 1, 0x7ffffffe, 0x80000000, 0xfffffff0, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(starts); i++) {
		struct vale_fdb *fdb = new_fdb(16, 1);
		uint32_t t = starts[i];

		vale_fdb_learn(fdb, MAC_A, 5, t, 20);
		assert_int_equal(vale_fdb_lookup(fdb, MAC_A, t - 1, 20), 5);
		assert_int_equal(vale_fdb_lookup(fdb, MAC_A, t + 20, 20), 5);
		assert_int_equal(vale_fdb_lookup(fdb, MAC_A, t + 22, 20), VALE_FDB_NONE);
		/* A clock behind does not make it older. */
		vale_fdb_learn(fdb, MAC_A, 5, t + 10, 20);
		vale_fdb_learn(fdb, MAC_A, 5, t + 9, 20);
		vale_fdb_learn(fdb, MAC_A, 6, t + 9, 20);
		assert_int_equal(vale_fdb_lookup(fdb, MAC_A, t + 30, 20), 6);
		assert_int_equal(vale_fdb_sweep(fdb, t + 30, 20), 0);
		assert_int_equal(vale_fdb_sweep(fdb, t + 32, 20), 1);
		free(fdb);
	}
}

static void
sweep_mixed_removes_expired_learned_only(void **state)
{
	struct vale_fdb *fdb = new_fdb(64, 1);
	uint64_t rng = 9;

	(void)state;
	for (unsigned int i = 0; i < 20; i++)
		vale_fdb_learn(fdb, random_mac(&rng), 1, NOW, AGEING);
	for (unsigned int i = 0; i < 10; i++)
		vale_fdb_learn(fdb, random_mac(&rng), 1, NOW + 100, AGEING);
	for (unsigned int i = 0; i < 5; i++)
		vale_fdb_add_static(fdb, random_mac(&rng), 1);
	assert_int_equal(vale_fdb_sweep(fdb, NOW + AGEING, AGEING), 0);
	assert_int_equal(vale_fdb_sweep(fdb, NOW + 100000, 0), 0);
	assert_int_equal(vale_fdb_sweep(fdb, NOW + AGEING + 1, AGEING), 20);
	assert_int_equal(vale_fdb_count(fdb), 15);
	assert_int_equal(vale_fdb_sweep(fdb, NOW + 100000, AGEING), 10);
	assert_int_equal(vale_fdb_count(fdb), 5);
	check_whole(fdb);
	free(fdb);
}

static void
add_static_lasts_and_learning_leaves_it(void **state)
{
	struct vale_fdb *fdb = new_fdb(16, 1);

	(void)state;
	assert_int_equal(vale_fdb_add_static(fdb, MAC_A, 3), 0);
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, 3, NOW, AGEING), 0);
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, 4, NOW, AGEING), -EPERM);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW + 100000, AGEING), 3);
	assert_int_equal(vale_fdb_add_static(fdb, MAC_A, 3), -EEXIST);
	assert_int_equal(vale_fdb_add_static(fdb, MAC_A, 4), -EEXIST);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW, AGEING), 3);
	check_whole(fdb);
	free(fdb);
}

static void
add_static_learned_mac_becomes_static_on_new_port(void **state)
{
	struct vale_fdb *fdb = new_fdb(16, 1);

	(void)state;
	vale_fdb_learn(fdb, MAC_A, 3, NOW, AGEING);
	assert_int_equal(vale_fdb_add_static(fdb, MAC_A, 4), 0);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW + 100000, AGEING), 4);
	assert_int_equal(vale_fdb_count(fdb), 1);
	check_whole(fdb);
	free(fdb);
}

static void
del_known_and_unknown_zero_and_enoent(void **state)
{
	struct vale_fdb *fdb = new_fdb(16, 1);

	(void)state;
	assert_int_equal(vale_fdb_del(fdb, MAC_A), -ENOENT);
	vale_fdb_learn(fdb, MAC_A, 3, NOW, AGEING);
	vale_fdb_add_static(fdb, MAC_B, 4);
	assert_int_equal(vale_fdb_del(fdb, MAC_A), 0);
	assert_int_equal(vale_fdb_del(fdb, MAC_A), -ENOENT);
	assert_int_equal(vale_fdb_del(fdb, MAC_B), 0);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_B, NOW, AGEING), VALE_FDB_NONE);
	assert_int_equal(vale_fdb_count(fdb), 0);
	check_whole(fdb);
	free(fdb);
}

static void
flush_port_and_all_removes_what_was_asked(void **state)
{
	struct vale_fdb *fdb = new_fdb(64, 1);
	uint64_t rng = 4;

	(void)state;
	for (unsigned int i = 0; i < 30; i++)
		vale_fdb_learn(fdb, random_mac(&rng), i % 3, NOW, AGEING);
	vale_fdb_add_static(fdb, MAC_A, 1);
	vale_fdb_add_static(fdb, MAC_B, 2);
	assert_int_equal(vale_fdb_flush(fdb, 7, true), 0);
	assert_int_equal(vale_fdb_flush(fdb, 1, false), 10);
	assert_int_equal(vale_fdb_count(fdb), 22);
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW, AGEING), 1);
	assert_int_equal(vale_fdb_flush(fdb, 1, true), 1);
	assert_int_equal(vale_fdb_flush(fdb, VALE_FDB_NONE, false), 20);
	assert_int_equal(vale_fdb_count(fdb), 1);
	check_whole(fdb);
	assert_int_equal(vale_fdb_flush(fdb, VALE_FDB_NONE, true), 1);
	assert_int_equal(vale_fdb_count(fdb), 0);
	check_whole(fdb);
	free(fdb);
}

struct walked {
	unsigned int nb;
	struct vale_fdb_entry e[8];
};

static void
note_entry(void *arg, const struct vale_fdb_entry *e)
{
	struct walked *w = arg;

	assert_in_range(w->nb, 0, RTE_DIM(w->e) - 1);
	w->e[w->nb++] = *e;
}

static void
walk_mixed_reports_all_but_expired(void **state)
{
	static const uint8_t bytes[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
	struct vale_fdb *fdb = new_fdb(16, 1);
	struct walked w = {0};

	(void)state;
	vale_fdb_learn(fdb, vale_mac_from_bytes(bytes), 5, NOW + 50, AGEING);
	vale_fdb_learn(fdb, MAC_A, 6, NOW, AGEING);
	assert_int_equal(vale_fdb_walk(fdb, NOW + 320, AGEING, note_entry, &w), 1);
	assert_int_equal(w.nb, 1);
	assert_memory_equal(w.e[0].mac, bytes, 6);
	assert_int_equal(w.e[0].port, 5);
	assert_false(w.e[0].is_static);
	assert_int_equal(w.e[0].age_s, 270);

	w.nb = 0;
	vale_fdb_add_static(fdb, vale_mac_from_bytes(bytes), VALE_FDB_NONE);
	vale_fdb_add_static(fdb, vale_mac_from_bytes(bytes), 9);
	assert_int_equal(vale_fdb_walk(fdb, NOW + 100000, AGEING, note_entry, &w), 1);
	assert_memory_equal(w.e[0].mac, bytes, 6);
	assert_int_equal(w.e[0].port, 9);
	assert_true(w.e[0].is_static);
	assert_int_equal(w.e[0].age_s, 0);

	w.nb = 0;
	assert_int_equal(vale_fdb_walk(fdb, NOW + 100000, FOREVER, note_entry, &w), 2);
	free(fdb);
}

static void
fill_to_capacity(uint32_t nb, uint64_t seed, vale_mac_t (*next)(uint64_t *rng))
{
	struct vale_fdb *fdb = new_fdb(nb, seed);
	uint64_t rng = ~seed;

	for (uint32_t i = 0; i < nb; i++)
		assert_int_equal(vale_fdb_learn(fdb, next(&rng), i % PORTS, NOW, AGEING), 0);
	/* Nobody had to give way: as many are there, and each is found. */
	assert_int_equal(vale_fdb_count(fdb), nb);
	rng = ~seed;
	for (uint32_t i = 0; i < nb; i++)
		if (vale_fdb_lookup(fdb, next(&rng), NOW, AGEING) != i % PORTS)
			fail_msg("MAC %u of %u is not found", i, nb);
	free(fdb);
}

static void
learn_capacity_of_random_macs_all_fit(void **state)
{
	static const struct {
		uint32_t nb;
		unsigned int seeds;
	} sizes[] = {{1, 100}, {16, 1000}, {17, 1000}, {1024, 100}, {16384, 16}, {100000, 4},
		{131072, 4}};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(sizes); i++)
		for (unsigned int s = 0; s * SLOWDOWN < sizes[i].seeds; s++)
			fill_to_capacity(sizes[i].nb, s, random_mac);
	if (SLOWDOWN == 1)
		fill_to_capacity(1000000, 1, random_mac);
}

/* 02:00:00:00:00:00 and up, as test programs and virtual machine managers hand them out. */
static vale_mac_t
sequential_mac(uint64_t *rng)
{
	uint32_t n = __builtin_bswap32((uint32_t)(*rng)++);

	return (uint64_t)n << 16 | 0x02;
}

/* One bit apart: all that varies are the first bytes. */
static vale_mac_t
reversed_mac(uint64_t *rng)
{
	return ((*rng)++ & 0xffffffff) << 1 | UINT64_C(0x550000000000);
}

static void
learn_capacity_of_sequential_macs_all_fit(void **state)
{
	static const uint32_t nb[] = {16, 1024, 16384, 100000};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(nb); i++)
		for (uint64_t seed = 0; seed * SLOWDOWN < 8; seed++) {
			fill_to_capacity(nb[i], seed, sequential_mac);
			fill_to_capacity(nb[i], seed, reversed_mac);
		}
}

static void
learn_full_buckets_expired_entry_goes_first(void **state)
{
	struct vale_fdb *fdb = new_fdb(64, 1);
	vale_mac_t m[17];

	(void)state;
	colliding_macs(fdb, m, 17, 5);
	/* Port 1 holds most, but the only expired entry is port 2's. */
	for (unsigned int i = 0; i < 16; i++)
		vale_fdb_learn(fdb, m[i], i == 9 ? 2 : 1, i == 9 ? NOW : NOW + 100, AGEING);
	assert_int_equal(vale_fdb_count(fdb), 16);
	assert_int_equal(vale_fdb_learn(fdb, m[16], 3, NOW + AGEING + 1, AGEING), 0);
	assert_int_equal(vale_fdb_count(fdb), 16);
	assert_int_equal(vale_fdb_lookup(fdb, m[9], NOW, FOREVER), VALE_FDB_NONE);
	assert_int_equal(vale_fdb_lookup(fdb, m[16], NOW + AGEING + 1, AGEING), 3);
	check_whole(fdb);
	free(fdb);
}

static void
learn_full_buckets_oldest_of_largest_port_goes(void **state)
{
	struct vale_fdb *fdb = new_fdb(64, 1);
	vale_mac_t m[17], far[17];

	(void)state;
	colliding_macs(fdb, m, 17, 5);
	/* Port 2 has the oldest entries here, port 1 the most of the table: 4 here, 12 elsewhere.
	 */
	for (unsigned int i = 0; i < 16; i++)
		vale_fdb_learn(fdb, m[i], i < 4 ? 1 : 2, i < 4 ? NOW + 50 - i : NOW, AGEING);
	for (uint64_t rng = 77; vale_fdb_count(fdb) < 28;) {
		struct vale_fdb_buckets_ b, b0 = vale_fdb_hash_(fdb, m[0]);

		far[0] = random_mac(&rng);
		b = vale_fdb_hash_(fdb, far[0]);
		if (b.first != b0.first && b.first != b0.second && b.second != b0.first &&
			b.second != b0.second)
			vale_fdb_learn(fdb, far[0], 1, NOW - 100, AGEING);
	}
	assert_int_equal(vale_fdb_learn(fdb, m[16], 3, NOW + 60, AGEING), 0);
	/* Of port 1's four, the one confirmed longest ago; the still older ones elsewhere stay. */
	for (unsigned int i = 0; i < 17; i++)
		assert_int_equal(
			vale_fdb_lookup(fdb, m[i], NOW + 60, AGEING) == VALE_FDB_NONE, i == 3);
	assert_int_equal(vale_fdb_count(fdb), 28);
	check_whole(fdb);
	free(fdb);
}

static void
learn_flood_of_macs_from_one_port_others_stay(void **state)
{
	struct vale_fdb *fdb = new_fdb(1024, 1);
	vale_mac_t honest[100];
	uint64_t rng = 6;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(honest); i++) {
		honest[i] = random_mac(&rng);
		vale_fdb_learn(fdb, honest[i], i % 8, NOW, AGEING);
	}
	for (unsigned int i = 0; i < 100000; i++)
		assert_int_equal(vale_fdb_learn(fdb, random_mac(&rng), 15, NOW + 1, AGEING), 0);
	for (unsigned int i = 0; i < RTE_DIM(honest); i++)
		assert_int_equal(vale_fdb_lookup(fdb, honest[i], NOW + 1, AGEING), i % 8);
	check_whole(fdb);
	free(fdb);
}

static void
learn_full_of_static_enospc_and_one_learned_goes(void **state)
{
	struct vale_fdb *fdb = new_fdb(64, 1);
	vale_mac_t m[18];

	(void)state;
	colliding_macs(fdb, m, 18, 5);
	vale_fdb_learn(fdb, m[0], 1, NOW, AGEING);
	for (unsigned int i = 1; i < 16; i++)
		assert_int_equal(vale_fdb_add_static(fdb, m[i], 2), 0);
	/* The learned one gives way to another, though its port holds least, and that to a static
	 * one. */
	assert_int_equal(vale_fdb_learn(fdb, m[16], 3, NOW, AGEING), 0);
	assert_int_equal(vale_fdb_lookup(fdb, m[0], NOW, AGEING), VALE_FDB_NONE);
	assert_int_equal(vale_fdb_add_static(fdb, m[17], 4), 0);
	assert_int_equal(vale_fdb_lookup(fdb, m[16], NOW, AGEING), VALE_FDB_NONE);
	assert_int_equal(vale_fdb_learn(fdb, m[0], 1, NOW, AGEING), -ENOSPC);
	assert_int_equal(vale_fdb_add_static(fdb, m[0], 1), -ENOSPC);
	for (unsigned int i = 1; i < 16; i++)
		assert_int_equal(vale_fdb_lookup(fdb, m[i], NOW, AGEING), 2);
	check_whole(fdb);
	free(fdb);
}

static void
learn_reused_slot_fresh_entry_not_expired(void **state)
{
	struct vale_fdb *fdb = new_fdb(1, 1);
	vale_mac_t m[2];
	struct scan s;

	(void)state;
	colliding_macs(fdb, m, 2, 5);
	vale_fdb_learn(fdb, m[0], 1, NOW, AGEING);
	assert_int_equal(vale_fdb_del(fdb, m[0]), 0);
	scan(fdb, m[1], &s);
	/* A thread held up since NOW - 5 finds the slot still free, and taken before it can swap.
	 */
	vale_fdb_learn(fdb, m[1], 2, NOW + 10 * AGEING, AGEING);
	assert_false(insert(fdb, choose_free(&s), m[0], 1, NOW - 5));
	assert_int_equal(vale_fdb_lookup(fdb, m[1], NOW + 10 * AGEING, AGEING), 2);
	assert_int_equal(vale_fdb_sweep(fdb, NOW + 11 * AGEING, AGEING), 0);
	check_whole(fdb);
	free(fdb);
}

static void
count_seen(void *arg, const struct vale_fdb_entry *e)
{
	(*(uint32_t *)arg)++;
}

/* Part by part the whole table is seen once, whatever the size of the parts. */
static void
walk_in_parts_sees_each_entry_once(void **state)
{
	struct vale_fdb *fdb = new_fdb(1000, 4);
	uint64_t seed = 5;

	for (unsigned int i = 0; i < 500; i++)
		vale_fdb_learn(fdb, random_mac(&seed), i % PORTS, NOW, AGEING);
	for (uint32_t part = 1; part <= 4096; part = part * 3 + 1) {
		uint32_t slot = 0, nb = 0, seen = 0, rounds = 0;

		do {
			nb += vale_fdb_walk_part(fdb, &slot, part, NOW, AGEING, count_seen, &seen);
			rounds++;
		} while (slot != 0);
		assert_int_equal(nb, 500);
		assert_int_equal(seen, 500);
		assert_int_equal(rounds, (nb_slots(fdb) + part - 1) / part);
	}
	free(fdb);
}

/* From anywhere; beyond the end there is nothing, and it begins anew. */
static void
walk_part_beyond_the_end_sees_nothing(void **state)
{
	struct vale_fdb *fdb = new_fdb(16, 4);
	uint32_t slot = UINT32_MAX, seen = 0;

	vale_fdb_learn(fdb, MAC_A, 1, NOW, AGEING);
	assert_int_equal(
		vale_fdb_walk_part(fdb, &slot, UINT32_MAX, NOW, AGEING, count_seen, &seen), 0);
	assert_int_equal(slot, 0);
	free(fdb);
}

static void
sweep_in_parts_removes_all_expired(void **state)
{
	struct vale_fdb *fdb = new_fdb(1000, 4);
	uint32_t slot = 0, nb = 0;
	uint64_t seed = 5;

	for (unsigned int i = 0; i < 500; i++)
		vale_fdb_learn(
			fdb, random_mac(&seed), i % PORTS, i < 200 ? NOW : NOW + AGEING, AGEING);
	do {
		nb += vale_fdb_sweep_part(fdb, &slot, 100, NOW + AGEING + 1, AGEING);
	} while (slot != 0);
	assert_int_equal(nb, 200);
	assert_int_equal(vale_fdb_count(fdb), 300);
	/* without ageing it moves on all the same */
	assert_int_equal(vale_fdb_sweep_part(fdb, &slot, 100, NOW + 100000, FOREVER), 0);
	assert_int_equal(slot, 100);
	free(fdb);
}

/* Counts are put down in one go, for ports in turns too. */
static void
flush_counts_what_it_removed_by_port(void **state)
{
	struct vale_fdb *fdb = new_fdb(1000, 4);
	uint64_t seed = 5;

	for (unsigned int i = 0; i < 480; i++)
		vale_fdb_learn(fdb, random_mac(&seed), i % PORTS, NOW, AGEING);
	assert_int_equal(vale_fdb_add_static(fdb, MAC_A, 3), 0);
	assert_int_equal(vale_fdb_port_count(fdb, 3), 480 / PORTS + 1);
	assert_int_equal(vale_fdb_port_count(fdb, PORTS), 0);
	assert_int_equal(vale_fdb_flush(fdb, 3, false), 480 / PORTS);
	assert_int_equal(vale_fdb_port_count(fdb, 3), 1);
	assert_int_equal(vale_fdb_flush(fdb, 3, true), 1);
	assert_int_equal(vale_fdb_port_count(fdb, 3), 0);
	assert_int_equal(vale_fdb_port_count(fdb, 4), 480 / PORTS);
	assert_int_equal(vale_fdb_flush(fdb, VALE_FDB_NONE, false), 480 / PORTS * (PORTS - 1));
	for (uint16_t port = 0; port < PORTS; port++)
		assert_int_equal(vale_fdb_port_count(fdb, port), 0);
	assert_int_equal(vale_fdb_count(fdb), 0);
	free(fdb);
}

/* A sweeper that has read an entry as expired is late: the entry was confirmed meanwhile. */
static void
learn_expired_entry_confirmed_sweeper_fails(void **state)
{
	struct vale_fdb *fdb = new_fdb(16, 1);
	struct scan seen;

	(void)state;
	vale_fdb_learn(fdb, MAC_A, 1, NOW, AGEING);
	scan(fdb, MAC_A, &seen);
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, 1, NOW + AGEING + 1, AGEING), 0);
	assert_false(remove_word(fdb, &seen.own));
	/* The same for one that is expired by the sweeper's clock only. */
	scan(fdb, MAC_A, &seen);
	assert_int_equal(vale_fdb_learn(fdb, MAC_A, 1, NOW + 2 * AGEING + 1, AGEING), 0);
	assert_false(remove_word(fdb, &seen.own));
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW + 2 * AGEING + 1, AGEING), 1);
	/* And for the shortest ageing time. */
	vale_fdb_learn(fdb, MAC_A, 1, NOW + 3 * AGEING, 1);
	scan(fdb, MAC_A, &seen);
	vale_fdb_learn(fdb, MAC_A, 1, NOW + 3 * AGEING + 1, 1);
	assert_false(remove_word(fdb, &seen.own));
	check_whole(fdb);
	free(fdb);
}

/* The entry went and came back, in the same slot, with the same port: it is not the same entry. */
static void
learn_removed_and_reinserted_stale_swap_fails(void **state)
{
	struct vale_fdb *fdb = new_fdb(16, 1);
	struct scan seen, now;

	(void)state;
	vale_fdb_learn(fdb, MAC_A, 1, NOW, AGEING);
	scan(fdb, MAC_A, &seen);
	vale_fdb_del(fdb, MAC_A);
	vale_fdb_learn(fdb, MAC_A, 1, NOW + 1, AGEING);
	scan(fdb, MAC_A, &now);
	assert_int_equal(seen.own.slot, now.own.slot);
	assert_false(remove_word(fdb, &seen.own));
	assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW + 1, AGEING), 1);
	free(fdb);
}

/* Make MAC_A stand in both its buckets, as two threads do that both found it nowhere. */
static void
enter_doubled(struct vale_fdb *fdb, uint16_t port1, uint16_t port2, uint64_t flags2)
{
	struct scan s;

	scan(fdb, MAC_A, &s);
	assert_true(insert(fdb, &s.free[0], MAC_A, port1, NOW));
	assert_true(swap_word(fdb, &s.free[1], make_word(MAC_A, port2, flags2, s.free[1].word)));
	assert_int_equal(nb_words_of(fdb, MAC_A), 2);
	assert_int_equal(vale_fdb_count(fdb), 2);
}

static void
learn_doubled_entry_reduced_to_one(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 16; seed++)
		for (uint16_t port = 1; port <= 3; port++) {
			struct vale_fdb *fdb = new_fdb(1024, seed);

			enter_doubled(fdb, 1, 2, 0);
			assert_int_equal(vale_fdb_learn_slow_(fdb, MAC_A, port, NOW, AGEING), 0);
			assert_int_equal(nb_words_of(fdb, MAC_A), 1);
			assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW, AGEING), port);
			assert_int_equal(vale_fdb_count(fdb), 1);
			check_whole(fdb);
			free(fdb);
		}
}

static struct vale_fdb *hooked_fdb;
static uint64_t hooked_flags;

/* Another thread enters MAC_A in the other bucket, on port 2, and has not looked again yet. */
static void
enter_meanwhile(void)
{
	struct scan s;

	scan(hooked_fdb, MAC_A, &s);
	assert_true(swap_word(
		hooked_fdb, &s.free[1], make_word(MAC_A, 2, hooked_flags, s.free[1].word)));
}

static void
learn_entered_by_another_meanwhile_one_entry(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 16; seed++) {
		hooked_fdb = new_fdb(1024, seed);
		hooked_flags = 0;
		before_swap = enter_meanwhile;
		assert_int_equal(vale_fdb_learn(hooked_fdb, MAC_A, 1, NOW, AGEING), 0);
		assert_null(before_swap);
		assert_int_equal(vale_fdb_lookup(hooked_fdb, MAC_A, NOW, AGEING), 1);
		check_whole(hooked_fdb);
		free(hooked_fdb);
	}
}

static void
learn_entered_static_meanwhile_eperm(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 16; seed++) {
		hooked_fdb = new_fdb(1024, seed);
		hooked_flags = VALE_FDB_E_STATIC;
		before_swap = enter_meanwhile;
		assert_int_equal(vale_fdb_learn(hooked_fdb, MAC_A, 1, NOW, AGEING), -EPERM);
		assert_int_equal(vale_fdb_lookup(hooked_fdb, MAC_A, NOW, AGEING), 2);
		check_whole(hooked_fdb);
		free(hooked_fdb);
	}
}

static void
add_static_learned_by_another_meanwhile_one_static(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 16; seed++) {
		hooked_fdb = new_fdb(1024, seed);
		hooked_flags = 0;
		before_swap = enter_meanwhile;
		assert_int_equal(vale_fdb_add_static(hooked_fdb, MAC_A, 3), 0);
		assert_int_equal(vale_fdb_lookup(hooked_fdb, MAC_A, NOW, AGEING), 3);
		check_whole(hooked_fdb);
		free(hooked_fdb);
	}
}

static void
confirm_meanwhile(void)
{
	vale_fdb_learn(hooked_fdb, MAC_A, 1, NOW + AGEING + 1, AGEING);
}

static void
sweep_entry_confirmed_meanwhile_stays(void **state)
{
	(void)state;
	hooked_fdb = new_fdb(16, 1);
	vale_fdb_learn(hooked_fdb, MAC_A, 1, NOW, AGEING);
	before_swap = confirm_meanwhile;
	assert_int_equal(vale_fdb_sweep(hooked_fdb, NOW + AGEING + 1, AGEING), 0);
	assert_null(before_swap);
	assert_int_equal(vale_fdb_lookup(hooked_fdb, MAC_A, NOW + AGEING + 1, AGEING), 1);
	free(hooked_fdb);
}

static void
flush_meanwhile(void)
{
	vale_fdb_flush(hooked_fdb, VALE_FDB_NONE, true);
}

static void
learn_moving_entry_flushed_meanwhile_learned_anew(void **state)
{
	(void)state;
	hooked_fdb = new_fdb(16, 1);
	vale_fdb_learn(hooked_fdb, MAC_A, 1, NOW, AGEING);
	before_swap = flush_meanwhile;
	assert_int_equal(vale_fdb_learn(hooked_fdb, MAC_A, 2, NOW, AGEING), 0);
	assert_int_equal(vale_fdb_lookup(hooked_fdb, MAC_A, NOW, AGEING), 2);
	assert_int_equal(vale_fdb_count(hooked_fdb), 1);
	check_whole(hooked_fdb);
	free(hooked_fdb);
}

static void
learn_doubled_with_static_static_stays(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 16; seed++) {
		struct vale_fdb *fdb = new_fdb(1024, seed);

		enter_doubled(fdb, 1, 2, VALE_FDB_E_STATIC);
		assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW, AGEING), 2);
		assert_int_equal(vale_fdb_learn_slow_(fdb, MAC_A, 1, NOW, AGEING), -EPERM);
		assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW, AGEING), 2);
		assert_int_equal(vale_fdb_add_static(fdb, MAC_A, 2), -EEXIST);
		check_whole(fdb);
		free(fdb);
	}
}

static void
add_static_doubled_learned_leaves_one_static(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 16; seed++) {
		struct vale_fdb *fdb = new_fdb(1024, seed);

		enter_doubled(fdb, 1, 2, 0);
		assert_int_equal(vale_fdb_add_static(fdb, MAC_A, 3), 0);
		assert_int_equal(nb_words_of(fdb, MAC_A), 1);
		assert_int_equal(vale_fdb_lookup(fdb, MAC_A, NOW, AGEING), 3);
		check_whole(fdb);
		free(fdb);
	}
}

static void
del_doubled_entry_leaves_none(void **state)
{
	struct vale_fdb *fdb = new_fdb(1024, 1);

	(void)state;
	enter_doubled(fdb, 1, 2, 0);
	assert_int_equal(vale_fdb_del(fdb, MAC_A), 0);
	assert_int_equal(nb_words_of(fdb, MAC_A), 0);
	check_whole(fdb);
	free(fdb);
}

/*
 * Threads. Small tables, so that evictions and doubles are frequent. MAC number i is seen on ports
 * p with p % 4 == i % 4 only, which every lookup checks.
 */
#define NB_WRITERS 3
#define NB_MACS 256
#define NB_STATIC 8

struct race {
	struct vale_fdb *fdb;
	vale_mac_t macs[NB_MACS]; /* the first NB_STATIC are only ever entered as static */
	_Atomic uint32_t now_s;
	_Atomic bool is_over;
	_Atomic uint32_t nb_wrong;
	unsigned int rounds;
};

struct racer {
	struct race *race;
	uint64_t rng;
	pthread_t thread;
};

static void
check_lookup(struct race *r, unsigned int i)
{
	uint16_t port = vale_fdb_lookup(r->fdb, r->macs[i], r->now_s, 3);
	bool is_wrong = i < NB_STATIC ? port != i : port != VALE_FDB_NONE && port % 4 != i % 4;

	if (is_wrong)
		r->nb_wrong++;
}

/* The answer of learning MAC number i. */
static bool
is_right_answer(unsigned int i, uint16_t port, int rc)
{
	if (i < NB_STATIC)
		return rc == (port == i ? 0 : -EPERM);
	return rc == 0 || rc == -EAGAIN || (rc == -EPERM && i == NB_STATIC && port != 4);
}

/* Clocks differ by a second between threads. */
static void *
write_randomly(void *arg)
{
	struct racer *me = arg;
	struct race *r = me->race;

	for (unsigned int n = 0; n < r->rounds; n++) {
		uint64_t x = next_secret(&me->rng);
		/* Half of the frames are of a few MACs, so that threads meet. */
		unsigned int i = x & 1 ? NB_STATIC + (x >> 8) % 4 : (x >> 8) % NB_MACS;
		uint16_t port = i % 4 + 4 * ((x >> 32) % 4);
		int rc = vale_fdb_learn(r->fdb, r->macs[i], port, r->now_s - ((x >> 40) & 1), 3);

		if (!is_right_answer(i, port, rc))
			r->nb_wrong++;
		check_lookup(r, (x >> 48) % NB_MACS);
	}
	return NULL;
}

static void *
read_randomly(void *arg)
{
	struct racer *me = arg;

	while (!me->race->is_over)
		check_lookup(me->race, next_secret(&me->rng) % NB_MACS);
	return NULL;
}

static void
count_call(void *arg, const struct vale_fdb_entry *e)
{
	(void)e;
	++*(uint32_t *)arg;
}

/* What the control thread does, until the writers are done. MAC 8 becomes static now and then. */
static void *
control_randomly(void *arg)
{
	struct racer *me = arg;
	struct race *r = me->race;
	vale_mac_t mac = r->macs[NB_STATIC];
	uint32_t nb_calls;

	while (!r->is_over) {
		r->now_s++;
		vale_fdb_sweep(r->fdb, r->now_s, 3);
		if (vale_fdb_add_static(r->fdb, mac, 4) == 0) {
			for (unsigned int i = 0; i < 50; i++)
				if (vale_fdb_lookup(r->fdb, mac, r->now_s, 3) != 4)
					r->nb_wrong++;
			if (vale_fdb_del(r->fdb, mac) != 0)
				r->nb_wrong++;
		} else {
			r->nb_wrong++;
		}
		vale_fdb_flush(r->fdb, next_secret(&me->rng) % 4 + 4, false);
		vale_fdb_del(r->fdb, r->macs[NB_STATIC + 1 + next_secret(&me->rng) % 100]);
		nb_calls = 0;
		if (vale_fdb_walk(r->fdb, r->now_s, 3, count_call, &nb_calls) != nb_calls ||
			nb_calls < NB_STATIC)
			r->nb_wrong++;
		if (vale_fdb_count(r->fdb) > nb_slots(r->fdb) + NB_WRITERS)
			r->nb_wrong++;
	}
	return NULL;
}

static void
race_once(uint32_t nb_entries, uint64_t seed, unsigned int rounds)
{
	struct race r = {
		.fdb = new_fdb(nb_entries, seed), .rounds = rounds, .now_s = UINT32_MAX - 50};
	struct racer t[NB_WRITERS + 2];
	uint64_t rng = seed;

	for (unsigned int i = 0; i < NB_MACS; i++)
		r.macs[i] = random_mac(&rng);
	for (unsigned int i = 0; i < NB_STATIC; i++)
		assert_int_equal(vale_fdb_add_static(r.fdb, r.macs[i], i), 0);
	for (unsigned int i = 0; i < RTE_DIM(t); i++) {
		t[i] = (struct racer){.race = &r, .rng = seed + i};
		assert_int_equal(pthread_create(&t[i].thread, NULL,
					 i < NB_WRITERS	   ? write_randomly
					 : i == NB_WRITERS ? control_randomly
							   : read_randomly,
					 &t[i]),
			0);
	}
	for (unsigned int i = 0; i < NB_WRITERS; i++)
		pthread_join(t[i].thread, NULL);
	r.is_over = true;
	pthread_join(t[NB_WRITERS].thread, NULL);
	pthread_join(t[NB_WRITERS + 1].thread, NULL);
	assert_int_equal(r.nb_wrong, 0);
	check_whole(r.fdb);
	for (unsigned int i = 0; i < NB_STATIC; i++)
		assert_int_equal(vale_fdb_lookup(r.fdb, r.macs[i], r.now_s, 3), i);
	free(r.fdb);
}

static void
learn_concurrent_writers_full_table_consistent(void **state)
{
	(void)state;
	/* 16 entries: two words for fifteen MACs, always evicting. */
	for (uint64_t seed = 0; seed < 3; seed++)
		race_once(16, seed, 400000 / SLOWDOWN);
}

static void
learn_concurrent_writers_roomy_table_consistent(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 3; seed++)
		race_once(1024, seed, 400000 / SLOWDOWN);
}

struct insert_race {
	struct vale_fdb *fdb;
	pthread_barrier_t barrier;
	vale_mac_t *macs;
	unsigned int nb;
};

struct inserter {
	struct insert_race *race;
	uint16_t port;
	pthread_t thread;
};

static void *
insert_all(void *arg)
{
	struct inserter *me = arg;
	struct insert_race *r = me->race;

	pthread_barrier_wait(&r->barrier);
	for (unsigned int i = 0; i < r->nb; i++)
		vale_fdb_learn(r->fdb, r->macs[i], me->port, NOW, AGEING);
	return NULL;
}

/* All threads insert the same new MACs in the same order: every one is a race. */
static void
learn_concurrent_inserts_of_same_macs_one_entry_each(void **state)
{
	struct insert_race r = {.nb = 10000};
	struct inserter t[4];
	uint64_t rng = 8;

	(void)state;
	r.macs = calloc(r.nb, sizeof(*r.macs));
	assert_non_null(r.macs);
	for (unsigned int i = 0; i < r.nb; i++)
		r.macs[i] = random_mac(&rng);
	for (unsigned int round = 0; round < 80 / SLOWDOWN; round++) {
		r.fdb = new_fdb(r.nb, round);
		pthread_barrier_init(&r.barrier, NULL, RTE_DIM(t));
		for (unsigned int i = 0; i < RTE_DIM(t); i++) {
			t[i] = (struct inserter){.race = &r, .port = i};
			assert_int_equal(pthread_create(&t[i].thread, NULL, insert_all, &t[i]), 0);
		}
		for (unsigned int i = 0; i < RTE_DIM(t); i++)
			pthread_join(t[i].thread, NULL);
		pthread_barrier_destroy(&r.barrier);
		assert_int_equal(vale_fdb_count(r.fdb), r.nb);
		check_whole(r.fdb);
		free(r.fdb);
	}
	free(r.macs);
}

static void
mac_helpers_known_values_right(void **state)
{
	static const uint8_t bytes[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};

	(void)state;
	assert_int_equal(vale_mac_from_bytes(bytes), UINT64_C(0x554433221102));
	assert_false(vale_mac_is_group(UINT64_C(0x554433221102)));
	assert_true(vale_mac_is_group(UINT64_C(0xffffffffffff)));
	assert_true(vale_mac_is_group(UINT64_C(0x01)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memsize_out_of_range_zero),
		cmocka_unit_test(memsize_any_entries_twice_the_slots_and_whole_lines),
		cmocka_unit_test(init_bad_arguments_null),
		cmocka_unit_test(init_dirty_memory_empty_table),
		cmocka_unit_test(table_moved_in_memory_still_works),
		cmocka_unit_test(mac_helpers_known_values_right),
		cmocka_unit_test(learn_new_mac_found_on_its_port),
		cmocka_unit_test(learn_group_or_zero_or_wide_address_eperm),
		cmocka_unit_test(lookup_group_or_zero_address_none),
		cmocka_unit_test(lookup_macs_that_agree_in_half_told_apart),
		cmocka_unit_test(learn_port_out_of_range_einval),
		cmocka_unit_test(learn_same_second_writes_nothing),
		cmocka_unit_test(learn_other_port_moves_the_one_entry),
		cmocka_unit_test(lookup_older_than_ageing_none),
		cmocka_unit_test(lookup_clock_skewed_or_wrapped_age_right),
		cmocka_unit_test(sweep_mixed_removes_expired_learned_only),
		cmocka_unit_test(add_static_lasts_and_learning_leaves_it),
		cmocka_unit_test(add_static_learned_mac_becomes_static_on_new_port),
		cmocka_unit_test(del_known_and_unknown_zero_and_enoent),
		cmocka_unit_test(flush_port_and_all_removes_what_was_asked),
		cmocka_unit_test(walk_mixed_reports_all_but_expired),
		cmocka_unit_test(learn_capacity_of_random_macs_all_fit),
		cmocka_unit_test(learn_capacity_of_sequential_macs_all_fit),
		cmocka_unit_test(learn_full_buckets_expired_entry_goes_first),
		cmocka_unit_test(learn_full_buckets_oldest_of_largest_port_goes),
		cmocka_unit_test(learn_flood_of_macs_from_one_port_others_stay),
		cmocka_unit_test(learn_full_of_static_enospc_and_one_learned_goes),
		cmocka_unit_test(learn_reused_slot_fresh_entry_not_expired),
		cmocka_unit_test(walk_in_parts_sees_each_entry_once),
		cmocka_unit_test(walk_part_beyond_the_end_sees_nothing),
		cmocka_unit_test(sweep_in_parts_removes_all_expired),
		cmocka_unit_test(flush_counts_what_it_removed_by_port),
		cmocka_unit_test(learn_expired_entry_confirmed_sweeper_fails),
		cmocka_unit_test(learn_removed_and_reinserted_stale_swap_fails),
		cmocka_unit_test(learn_doubled_entry_reduced_to_one),
		cmocka_unit_test(learn_doubled_with_static_static_stays),
		cmocka_unit_test(learn_entered_by_another_meanwhile_one_entry),
		cmocka_unit_test(learn_entered_static_meanwhile_eperm),
		cmocka_unit_test(add_static_learned_by_another_meanwhile_one_static),
		cmocka_unit_test(sweep_entry_confirmed_meanwhile_stays),
		cmocka_unit_test(learn_moving_entry_flushed_meanwhile_learned_anew),
		cmocka_unit_test(add_static_doubled_learned_leaves_one_static),
		cmocka_unit_test(del_doubled_entry_leaves_none),
		cmocka_unit_test(learn_concurrent_writers_full_table_consistent),
		cmocka_unit_test(learn_concurrent_writers_roomy_table_consistent),
		cmocka_unit_test(learn_concurrent_inserts_of_same_macs_one_entry_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
