/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <rte_lcore.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <rte_tailq.h>

#include "unit_eal.h"
#include "vale_dpdk_shm.h"
#include "vale_group.h"

#define PID_A 1001
#define PID_B 1002

static struct vale_lcore_set
set_of(unsigned int first, unsigned int nb)
{
	struct vale_lcore_set s = {{0}};

	for (unsigned int id = first; id < first + nb; id++)
		s.w[id / 64] |= UINT64_C(1) << (id % 64);
	return s;
}

static int
claim(pid_t pid, unsigned int first, unsigned int nb, char *why)
{
	struct vale_lcore_set s = set_of(first, nb);

	return vale_group_claim_lcores(pid, &s, why);
}

static int
setup(void **state)
{
	return unit_eal_init();
}

static void
claim_switch_lcore_refused(void **state)
{
	char why[VALE_CTL_TEXT_SZ] = "";

	assert_int_equal(claim(PID_A, rte_get_main_lcore(), 1, why), -EBUSY);
	assert_non_null(strstr(why, "the switch"));
	assert_non_null(strstr(why, "--lcores 1@"));
}

static void
claim_overlap_refused_with_ids_that_do(void **state)
{
	char why[VALE_CTL_TEXT_SZ] = "";

	assert_int_equal(claim(PID_A, 1, 2, why), 0);
	assert_int_equal(claim(PID_B, 2, 2, why), -EBUSY);
	assert_non_null(strstr(why, "lcore id 2 is in use by process 1001"));
	assert_non_null(strstr(why, "--lcores 3@"));
	assert_non_null(strstr(why, ",4@"));
	assert_int_equal(claim(PID_B, 3, 2, why), 0);
	vale_group_release_lcores(PID_A);
	vale_group_release_lcores(PID_B);
}

static void
claim_same_process_counted(void **state)
{
	char why[VALE_CTL_TEXT_SZ];

	assert_int_equal(claim(PID_A, 1, 1, why), 0);
	assert_int_equal(claim(PID_A, 1, 1, why), 0);
	vale_group_release_lcores(PID_A);
	assert_int_equal(claim(PID_B, 1, 1, why), -EBUSY);
	vale_group_release_lcores(PID_A);
	assert_int_equal(claim(PID_B, 1, 1, why), 0);
	vale_group_release_lcores(PID_B);
}

static void
claim_growing_process_merged(void **state)
{
	char why[VALE_CTL_TEXT_SZ];

	assert_int_equal(claim(PID_A, 1, 1, why), 0);
	assert_int_equal(claim(PID_A, 2, 1, why), 0);
	assert_int_equal(claim(PID_B, 1, 1, why), -EBUSY);
	assert_int_equal(claim(PID_B, 2, 1, why), -EBUSY);
	vale_group_release_lcores(PID_A);
	vale_group_release_lcores(PID_A);
}

static void
claim_ids_beyond_eal_accepted(void **state)
{
	char why[VALE_CTL_TEXT_SZ];

	assert_int_equal(claim(PID_A, VALE_CTL_LCORE_BITS - 1, 1, why), 0);
	assert_int_equal(claim(PID_B, VALE_CTL_LCORE_BITS - 1, 1, why), -EBUSY);
	vale_group_release_lcores(PID_A);
}

static void
claim_without_free_ids_says_so(void **state)
{
	char why[VALE_CTL_TEXT_SZ];

	assert_int_equal(claim(PID_A, 1, RTE_MAX_LCORE - 1, why), 0);
	assert_int_equal(claim(PID_B, 1, 1, why), -EBUSY);
	assert_non_null(strstr(why, "none of"));
	vale_group_release_lcores(PID_A);
}

static void
release_unknown_process_ignored(void **state)
{
	vale_group_release_lcores(4711);
}

static void
free_lcores_short_buffer_whole_items(void **state)
{
	char buf[6], all[64];

	vale_group_free_lcores(3, all, sizeof(all));
	vale_group_free_lcores(3, buf, sizeof(buf));
	assert_string_equal(buf, "1@0");
	assert_memory_equal(buf, all, strlen(buf));
}

static void
init_publishes_mempool_ops_in_order(void **state)
{
	const struct vale_mempool_ops_names *names;
	const struct rte_memzone *mz;

	assert_int_equal(vale_group_init(NULL), 0);
	mz = rte_memzone_lookup(VALE_MEMPOOL_OPS_MZ_NAME);
	assert_non_null(mz);
	names = mz->addr;
	assert_int_equal(names->version, VALE_DPDK_SHM_VERSION);
	assert_int_equal(names->nb, rte_mempool_ops_table.num_ops);
	for (uint32_t i = 0; i < names->nb; i++)
		assert_string_equal(names->name[i], rte_mempool_ops_table.ops[i].name);
	vale_group_fini();
	assert_null(rte_memzone_lookup(VALE_MEMPOOL_OPS_MZ_NAME));
}

static void
init_makes_lists_of_unloaded_libraries(void **state)
{
	assert_int_equal(vale_group_init(NULL), 0);
	assert_non_null(rte_eal_tailq_lookup("RTE_LPM"));
	assert_non_null(rte_eal_tailq_lookup("RTE_RIB"));
	vale_group_fini();
}

static void
init_without_secondaries_links_nothing(void **state)
{
	/* with --no-shconf a runtime folder of this name is another process's */
	assert_int_equal(vale_group_init("/nonexistent/vale.sock"), 0);
	vale_group_fini();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claim_switch_lcore_refused),
		cmocka_unit_test(claim_overlap_refused_with_ids_that_do),
		cmocka_unit_test(claim_same_process_counted),
		cmocka_unit_test(claim_growing_process_merged),
		cmocka_unit_test(claim_ids_beyond_eal_accepted),
		cmocka_unit_test(claim_without_free_ids_says_so),
		cmocka_unit_test(release_unknown_process_ignored),
		cmocka_unit_test(free_lcores_short_buffer_whole_items),
		cmocka_unit_test(init_publishes_mempool_ops_in_order),
		cmocka_unit_test(init_makes_lists_of_unloaded_libraries),
		cmocka_unit_test(init_without_secondaries_links_nothing),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
