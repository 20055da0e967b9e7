/* SPDX-License-Identifier: BSD-3-Clause */
/* The books of a region: what is given out once is not given out again before it is back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "extents.h"

static void
take_from_empty_range_fails(void **state)
{
	struct nm_extents x;
	struct nm_extent e = {1, 1};

	nm_extents_init(&x, 5, 0);
	assert_int_equal(nm_extents_take(&x, 1, &e), -ENOSPC);
	assert_int_equal(e.nb, 0);
	assert_int_equal(nm_extents_take(&x, 0, &e), 0);
	assert_int_equal(nm_extents_largest(&x), 0);
	nm_extents_free(&x);
}

static void
given_back_part_is_taken_again(void **state)
{
	struct nm_extents x;
	struct nm_extent a, b, c;

	nm_extents_init(&x, 2, 30);
	assert_int_equal(nm_extents_take(&x, 10, &a), 0);
	assert_int_equal(nm_extents_take(&x, 10, &b), 0);
	assert_int_equal(nm_extents_take(&x, 10, &c), 0);
	assert_int_equal(a.first, 2);
	assert_int_equal(b.first, 12);
	assert_int_equal(nm_extents_largest(&x), 0);
	nm_extents_give(&x, &b);
	assert_int_equal(b.nb, 0);
	nm_extents_give(&x, &b); /* nothing */
	assert_int_equal(nm_extents_largest(&x), 10);
	assert_int_equal(nm_extents_take(&x, 11, &b), -ENOSPC);
	assert_int_equal(nm_extents_take(&x, 10, &b), 0);
	assert_int_equal(b.first, 12);
	nm_extents_free(&x);
}

static void
part_never_used_is_taken_first(void **state)
{
	struct nm_extents x;
	struct nm_extent a, b, c;

	nm_extents_init(&x, 0, 25);
	assert_int_equal(nm_extents_take(&x, 10, &a), 0);
	nm_extents_give(&x, &a);
	assert_int_equal(nm_extents_take(&x, 10, &b), 0);
	assert_int_equal(b.first, 10);
	assert_int_equal(nm_extents_take(&x, 6, &c), 0);
	assert_int_equal(c.first, 0);
	nm_extents_free(&x);
}

/* Against a table that knows the owner of every number. */
static void
random_walk_never_overlaps(void **state)
{
	enum { N = 500, PARTS = 64 };
	struct nm_extent part[PARTS] = {0};
	uint8_t owner[N] = {0};
	struct nm_extents x;

	srand(1);
	nm_extents_init(&x, 100, N);
	for (unsigned int round = 0; round < 20000; round++) {
		unsigned int i = (unsigned int)rand() % PARTS;
		uint32_t nb = (uint32_t)rand() % 40 + 1, most = 0, run = 0;

		if (part[i].nb > 0) {
			memset(&owner[part[i].first - 100], 0, part[i].nb);
			nm_extents_give(&x, &part[i]);
			continue;
		}
		for (unsigned int k = 0; k < N; k++) {
			run = owner[k] == 0 ? run + 1 : 0;
			most = run > most ? run : most;
		}
		assert_int_equal(nm_extents_largest(&x), most);
		if (nm_extents_take(&x, nb, &part[i]) < 0) {
			assert_true(nb > most);
			continue;
		}
		assert_int_equal(part[i].nb, nb);
		for (uint32_t k = part[i].first; k < part[i].first + nb; k++) {
			assert_in_range(k, 100, 100 + N - 1);
			assert_int_equal(owner[k - 100], 0);
			owner[k - 100] = 1;
		}
	}
	nm_extents_free(&x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_from_empty_range_fails),
		cmocka_unit_test(given_back_part_is_taken_again),
		cmocka_unit_test(part_never_used_is_taken_first),
		cmocka_unit_test(random_walk_never_overlaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
