/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "arena.h"
#include "vale_netmap_shm.h"

#define SZ (16 * 4096)

static uint8_t *
map_one(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	uint8_t *p;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SZ), 0);
	p = nm_arena_map(fd, SZ);
	close(fd);
	assert_non_null(p);
	return p;
}

/* A sanitizer may leave too few addresses. */
static void
need_guards(void)
{
	uint8_t *a = map_one(), *b = map_one();

	nm_arena_unmap(a, SZ);
	nm_arena_unmap(b, SZ);
	if (b - a != INT64_C(4) << 30)
		skip();
}

/* Whether the switch would end by reading there. */
static bool
faults(const volatile uint8_t *p)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		(void)*p;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void
map_region_lies_between_guards(void **state)
{
	uint8_t *p;

	need_guards();
	p = map_one();
	p[0] = p[SZ - 1] = 1;
	assert_false(faults(p));
	assert_false(faults(p + SZ - 1));
	assert_true(faults(p - 1));
	assert_true(faults(p + SZ));
	for (int bit = 17; bit < 32; bit++)
		assert_true(faults(p + ((UINT64_C(1) << bit) - 1) * VALE_NM_BUF_SZ));
	assert_true(faults(p + UINT64_C(0xffffffff) * VALE_NM_BUF_SZ));
	nm_arena_unmap(p, SZ);
}

static void
unmap_region_leaves_a_guard(void **state)
{
	uint8_t *p, *q;

	need_guards();
	p = map_one();
	p[0] = 1;
	nm_arena_unmap(p, SZ);
	assert_true(faults(p));
	/* and its place is not the next one's */
	q = map_one();
	assert_ptr_not_equal(p, q);
	nm_arena_unmap(q, SZ);
}

static void
unmap_null_does_nothing(void **state)
{
	nm_arena_unmap(NULL, 0);
}

static void
map_many_regions_reuses_places(void **state)
{
	for (int i = 0; i < 9000; i++)
		nm_arena_unmap(map_one(), SZ);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_region_lies_between_guards),
		cmocka_unit_test(unmap_region_leaves_a_guard),
		cmocka_unit_test(unmap_null_does_nothing),
		cmocka_unit_test(map_many_regions_reuses_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
