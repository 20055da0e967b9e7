/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vale_stats.h"

static void
drop_names_every_reason_as_in_contracts(void **state)
{
	static const char *const want[] = {"runt", "too_long", "bad_slot", "bad_desc", "no_mbuf",
		"no_dst", "hairpin", "dst_full", "port_gone"};

	(void)state;
	assert_int_equal(VALE_DROP_MAX, RTE_DIM(want));
	for (int r = 0; r < VALE_DROP_MAX; r++)
		assert_string_equal(vale_drop_names[r], want[r]);
	assert_null(vale_drop_names[VALE_DROP_MAX]);
}

static void
counter_add_read_gives_sum(void **state)
{
	struct vale_counters c = {0};

	(void)state;
	vale_counter_add(&c.rx_packets, 3);
	vale_counter_add(&c.rx_packets, UINT64_C(1) << 40);
	assert_int_equal(vale_counter_read(&c.rx_packets), (UINT64_C(1) << 40) + 3);
	assert_int_equal(vale_counter_read(&c.rx_bytes), 0);
}

static void
counters_two_workers_share_no_line_pair(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct vale_counters) % (2 * RTE_CACHE_LINE_SIZE), 0);
	assert_int_equal(_Alignof(struct vale_counters), 2 * RTE_CACHE_LINE_SIZE);
}

static void
counters_sum_several_workers_adds_each_field(void **state)
{
	enum { WORKERS = 3 };
	static struct vale_counters c[WORKERS];
	struct vale_counters_sum sum;

	(void)state;
	for (unsigned int w = 0; w < WORKERS; w++) {
		vale_counter_add(&c[w].rx_packets, 1 + w);
		vale_counter_add(&c[w].rx_bytes, 10 + w);
		vale_counter_add(&c[w].tx_packets, 100 + w);
		vale_counter_add(&c[w].tx_bytes, 1000 + w);
		for (unsigned int r = 0; r < VALE_DROP_MAX; r++)
			vale_counter_add(&c[w].drops[r], (r + 1) * 10000 + w);
	}
	memset(&sum, 0xa5, sizeof(sum));
	vale_counters_sum(c, WORKERS, &sum);
	assert_int_equal(sum.rx_packets, 3 + 3);
	assert_int_equal(sum.rx_bytes, 30 + 3);
	assert_int_equal(sum.tx_packets, 300 + 3);
	assert_int_equal(sum.tx_bytes, 3000 + 3);
	for (unsigned int r = 0; r < VALE_DROP_MAX; r++)
		assert_int_equal(sum.drops[r], (r + 1) * 30000 + 3);
}

static void
counters_sum_no_worker_zero(void **state)
{
	static const struct vale_counters_sum zero;
	struct vale_counters_sum sum;

	(void)state;
	memset(&sum, 0xa5, sizeof(sum));
	vale_counters_sum(NULL, 0, &sum);
	assert_memory_equal(&sum, &zero, sizeof(sum));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drop_names_every_reason_as_in_contracts),
		cmocka_unit_test(counter_add_read_gives_sum),
		cmocka_unit_test(counters_two_workers_share_no_line_pair),
		cmocka_unit_test(counters_sum_several_workers_adds_each_field),
		cmocka_unit_test(counters_sum_no_worker_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
