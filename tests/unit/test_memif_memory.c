/* SPDX-License-Identifier: BSD-3-Clause */
/* What a memif client hands us: regions, rings, and memory that goes away. */
#include "unit_memif.h"

/* ---- regions and rings ---- */

static void
region_is_checked(void **state)
{
	int good = memory(REGION_SZ), file = open("/proc/self/exe", O_RDONLY),
	    null = open("/dev/zero", O_RDWR), ro = open("/proc/self/fd/0", O_RDONLY);

	assert_int_equal(memif_region_add(&cl.port, 0, REGION_SZ, good, why), -EINVAL);
	assert_int_equal(memif_region_add(&cl.port, 1, REGION_SZ + 1, good, why), -EINVAL);
	assert_int_equal(memif_region_add(&cl.port, 1, UINT64_MAX, good, why), -EINVAL);
	assert_int_equal(memif_region_add(&cl.port, 1, 0, good, why), -EINVAL);
	assert_int_equal(
		memif_region_add(&cl.port, MEMIF_REGIONS_MAX, REGION_SZ, good, why), -EINVAL);
	assert_non_null(strstr(why, "limit spent"));
	assert_int_equal(memif_region_add(&cl.port, 1, 4096, file, why), -EINVAL);
	assert_int_equal(memif_region_add(&cl.port, 1, 4096, null, why), -EINVAL);
	assert_non_null(strstr(why, "is no memory"));
	assert_int_equal(memif_region_add(&cl.port, 1, REGION_SZ, good, why), 0);
	assert_int_equal(memif.mapped, 2 * REGION_SZ);
	close(ro);
	close(null);
	close(file);
	close(good);
}

/* A check that is missed ends in a fault, not in memory of others: the kernel finds none there. */
static void
region_is_followed_by_nothing(void **state)
{
	const uint8_t *end = cl.port.region[0].addr + REGION_SZ;
	const uint64_t at[] = {
		0, 4095, REGION_SZ, (UINT64_C(4) << 30) - REGION_SZ - 1, UINT64_C(4) << 30};
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], end - 1, 1), 1);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		assert_int_equal(write(fd[1], end + at[i], 1), -1);
		assert_int_equal(errno, EFAULT);
	}
	close(fd[0]);
	close(fd[1]);
}

static void
region_total_is_limited(void **state)
{
	int huge = memory((size_t)1 << 40); /* no page of it exists */
	unsigned int i = 1;

	while (i < MEMIF_REGIONS_MAX &&
		memif_region_add(&cl.port, i, (uint64_t)1 << 40, huge, why) == 0)
		i++;
	assert_in_range(i, 2, 20);
	assert_non_null(strstr(why, "limit spent"));
	/* no descriptor reaches further */
	assert_true(cl.port.region[1].size < (uint64_t)6 << 30);
	close(huge);
}

static void
ring_refused(struct memif_msg_add_ring m, int fd, const char *text)
{
	assert_int_equal(memif_ring_add(&cl.port, &m, fd, why), -EINVAL);
	if (strstr(why, text) == NULL)
		fail_msg("'%s' has no '%s'", why, text);
}

static void
ring_is_checked(void **state)
{
	struct memif_msg_add_ring m = ring_msg(true);
	const uint32_t len = sizeof(struct memif_ring) + RING_SZ * sizeof(struct memif_desc);
	int fd = eventfd(0, 0), fds[2];

	ring_refused(m, fd, "already");
	ring_refused(ring_msg(false), fd, "already");
	m.index = VALE_QUEUES_MAX;
	ring_refused(m, fd, "limit");
	m.index = 1;
	m.offset = 8;
	ring_refused(m, fd, "16");
	m.offset = REGION_SZ - len + 16;
	ring_refused(m, fd, "lie in a region");
	m.offset = UINT32_MAX - 15;
	ring_refused(m, fd, "lie in a region");
	m.offset = 0;
	m.region = 1;
	ring_refused(m, fd, "lie in a region");
	m.region = MEMIF_REGIONS_MAX;
	ring_refused(m, fd, "lie in a region");
	m.region = 0;
	m.log2_ring_size = MEMIF_LOG2_RING_SIZE_MAX + 1;
	ring_refused(m, fd, "limit");
	m.log2_ring_size = 13;
	ring_refused(m, fd, "lie in a region");
	m.log2_ring_size = RING_LOG2;
	m.private_hdr_sz = 1;
	ring_refused(m, fd, "private");
	m.private_hdr_sz = 0;
	assert_int_equal(pipe(fds), 0);
	ring_refused(m, fds[1], "eventfd");
	close(fds[0]);
	close(fds[1]);
	m.offset = REGION_SZ - len;
	assert_int_equal(memif_ring_add(&cl.port, &m, fd, why), 0);
}

static void
rings_must_be_complete(void **state)
{
	struct memif_msg_add_ring m = ring_msg(true);

	m.index = 2; /* there is no 1 */
	m.offset = 2048;
	assert_int_equal(memif_ring_add(&cl.port, &m, eventfd(0, 0), why), 0);
	assert_int_equal(memif_rings_connect(&cl.port, why), -EINVAL);
	m.index = 1;
	assert_int_equal(memif_ring_add(&cl.port, &m, eventfd(0, 0), why), 0);
	assert_int_equal(memif_rings_connect(&cl.port, why), -EINVAL); /* no cookie */
	atomic_store((_Atomic uint32_t *)(cl.mem + 2048), MEMIF_COOKIE);
	assert_int_equal(memif_rings_connect(&cl.port, why), 0);
	assert_int_equal(cl.port.ep.nb_rxq, 3);
}

/* ---- memory that goes away ---- */

/* cmocka has put its own handler in front of the one from setup(). */
static void
guard_again(void)
{
	assert_int_equal(memif_guard_init(), 0);
}

static void
shrunk_region_reads_as_zero_and_is_a_fault(void **state)
{
	struct pollfd pfd = {.fd = memif.fault_fd, .events = POLLIN};
	struct vale_rxq *q = &cl.port.rxq[0].q;

	guard_again();
	cl.mem[BUF_OFF] = 77;
	set_desc(cl.c2s, 0, 0, 0, 60, BUF_OFF);
	atomic_store(&cl.c2s->head, 1);
	assert_int_equal(memif_endpoint_ops.rx(q, pkts, 1, &bad), 1);
	assert_int_equal(pkts[0].data[0], 77);
	assert_int_equal(ftruncate(cl.region_fd, 0), 0);
	assert_int_equal(*(volatile const uint8_t *)pkts[0].data, 0);
	assert_int_equal(atomic_load(&cl.port.fault), MEMIF_FAULT_REGION);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	memif_endpoint_ops.rx_done(q, pkts, 1);
	assert_int_equal(memif_endpoint_ops.rx(q, pkts, 1, &bad), 0);
}

static void
shrunk_region_takes_writes(void **state)
{
	const uint32_t len[] = {60};
	struct vale_tx_result res;

	guard_again();
	offer(0, BUF_SZ);
	fill(frame, sizeof(frame), 3);
	/* the ring stays, its buffers go */
	atomic_store(&cl.s2c->head, 1);
	assert_int_equal(ftruncate(cl.region_fd, BUF_OFF), 0);
	res = tx(1, len, 1);
	assert_int_equal(res.packets, 1);
	assert_int_equal(atomic_load(&cl.port.fault), MEMIF_FAULT_REGION);
	res = tx(2, len, 1);
	assert_int_equal(res.port_gone, 1);
}

/* A SIGBUS that is not ours ends the process as ever. */
static void
other_sigbus_is_not_caught(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = memory(4096);
		volatile uint8_t *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

		signal(SIGBUS, SIG_DFL); /* not cmocka's */
		if (memif_guard_init() < 0 || ftruncate(fd, 0) < 0)
			_exit(1);
		(void)p[0];
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

static void
sent_sigbus_is_not_caught(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		if (memif_guard_init() < 0)
			_exit(1);
		kill(getpid(), SIGBUS);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(region_is_checked),
		T(region_is_followed_by_nothing),
		T(region_total_is_limited),
		T(ring_is_checked),
		T(rings_must_be_complete),
		T(shrunk_region_reads_as_zero_and_is_a_fault),
		T(shrunk_region_takes_writes),
		T(other_sigbus_is_not_caught),
		T(sent_sigbus_is_not_caught),
	};

	if (unit_eal_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
