/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that wait for locks of DPDK's, here one that this process holds. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <ethdev_driver.h>
#include <rte_eal_memconfig.h>

#include "unit_eal.h"
#include "vale_control_client.h"
#include "vale_eal_memory.h"
#include "vale_gate.h"
#include "vale_locks.h"
#include "vale_memory_thread.h"

/* How long requests wait here. */
#define WAIT_MS 1000

static struct vale_server *server;
static char dir[] = "/tmp/vale-gate-XXXXXX";
static char path[64];
static int news_fd;
static atomic_uint ran;
static bool held;

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- the switch ---- */

static void
handle_device(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	struct vale_ctl_reply r = {0};

	if (vale_gate_defer(c, msg, handle_device, arg))
		return;
	atomic_fetch_add(&ran, 1);
	vale_conn_reply(c, msg, &r, sizeof(r), NULL, 0);
}

static void
on_close(void *arg)
{
}

/* As a port does. */
static void
handle_bind(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	struct vale_ctl_reply r = {0};

	vale_conn_on_close(c, on_close, NULL);
	vale_conn_reply(c, msg, &r, sizeof(r), NULL, 0);
}

static void
no_news(int fd)
{
}

static void
no_tick(void)
{
}

static int
setup(void **state)
{
	struct vale_listener_conf conf = {.path = path, .owner = -1, .group = -1};
	struct vale_memory_thread_conf thread = {
		.news_fd = news_fd, .news = no_news, .every_ms = 10000, .tick = no_tick};

	atomic_store(&ran, 0);
	snprintf(path, sizeof(path), "%s/s.sock", dir);
	server = vale_server_create(&conf);
	if (server == NULL || vale_memory_thread_start(&thread) < 0 ||
		vale_gate_start(server, WAIT_MS) < 0)
		return -1;
	vale_server_handle(server, VALE_CTL_CREATE, sizeof(struct vale_ctl_hdr), handle_bind, NULL);
	vale_server_handle(
		server, VALE_CTL_DESTROY, sizeof(struct vale_ctl_hdr), handle_device, NULL);
	return vale_server_start(server);
}

static void
lock(bool hold)
{
	if (hold && !held)
		rte_mcfg_mempool_write_lock();
	if (!hold && held)
		rte_mcfg_mempool_write_unlock();
	held = hold;
}

static int
teardown(void **state)
{
	lock(false);
	vale_server_stop(server);
	vale_memory_thread_stop();
	vale_gate_stop();
	vale_server_free(server);
	return 0;
}

/* ---- clients ---- */

static int
dial(void)
{
	int fd = vale_ctl_connect(path);

	assert_true(fd >= 0);
	return fd;
}

static void
say(int fd, enum vale_ctl_type type)
{
	struct vale_ctl_hdr req;

	vale_ctl_hdr_init(&req, type, sizeof(req));
	assert_int_equal(send(fd, &req, sizeof(req), 0), sizeof(req));
}

/* The errno of the answer; -1: none came within so many milliseconds. */
static int
answer(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct vale_ctl_reply r;

	if (poll(&p, 1, ms) == 0)
		return -1;
	assert_int_equal(recv(fd, &r, sizeof(r), 0), sizeof(r));
	return r.error;
}

/* ---- tests ---- */

static void
defer_locks_free_runs(void **state)
{
	int fd = dial();

	say(fd, VALE_CTL_DESTROY);
	assert_int_equal(answer(fd, 5000), 0);
	assert_int_equal(atomic_load(&ran), 1);
	close(fd);
}

static void
defer_lock_held_waits_until_it_is_free(void **state)
{
	int fd = dial();

	lock(true);
	say(fd, VALE_CTL_DESTROY);
	assert_int_equal(answer(fd, 200), -1);
	lock(false);
	assert_int_equal(answer(fd, 5000), 0);
	assert_int_equal(atomic_load(&ran), 1);
	close(fd);
}

/* Who waits for the same lock has waited when the first has. */
static void
defer_many_wait_for_one_lock_refused_together(void **state)
{
	uint64_t from = now_ms();
	int fd[4];

	lock(true);
	for (unsigned int i = 0; i < RTE_DIM(fd); i++) {
		fd[i] = dial();
		say(fd[i], VALE_CTL_DESTROY);
	}
	for (unsigned int i = 0; i < RTE_DIM(fd); i++) {
		assert_int_equal(answer(fd[i], 10 * WAIT_MS), EAGAIN);
		close(fd[i]);
	}
	assert_true(now_ms() - from >= WAIT_MS);
	assert_true(now_ms() - from < 3 * WAIT_MS);
	assert_int_equal(atomic_load(&ran), 0);
}

/* A connection that holds something, or waits already, waits like any other. */
static void
defer_bound_connection_waits_too(void **state)
{
	int fd = dial();

	say(fd, VALE_CTL_CREATE);
	assert_int_equal(answer(fd, 5000), 0);
	lock(true);
	say(fd, VALE_CTL_DESTROY);
	say(fd, VALE_CTL_DESTROY);
	assert_int_equal(answer(fd, 200), -1);
	assert_int_equal(atomic_load(&ran), 0);
	lock(false);
	assert_int_equal(answer(fd, 5000), 0);
	assert_int_equal(answer(fd, 5000), 0);
	assert_int_equal(atomic_load(&ran), 2);
	close(fd);
}

static void
defer_too_many_of_one_connection_refused(void **state)
{
	unsigned int busy = 0;
	int fd = dial(), err;

	lock(true);
	for (unsigned int i = 0; i < 20; i++)
		say(fd, VALE_CTL_DESTROY);
	while ((err = answer(fd, 200)) != -1) {
		assert_int_equal(err, EBUSY);
		busy++;
	}
	assert_int_equal(busy, 4);
	lock(false);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(answer(fd, 5000), 0);
	close(fd);
}

static void
defer_client_gone_meanwhile_forgotten(void **state)
{
	int fd = dial(), other;

	lock(true);
	say(fd, VALE_CTL_DESTROY);
	assert_int_equal(answer(fd, 100), -1);
	close(fd);
	other = dial();
	say(other, VALE_CTL_DESTROY);
	assert_int_equal(answer(other, 100), -1);
	lock(false);
	assert_int_equal(answer(other, 5000), 0);
	assert_int_equal(atomic_load(&ran), 1);
	close(other);
}

static int
setup_all(void **state)
{
	if (unit_eal_init_group() < 0 || mkdtemp(dir) == NULL)
		return -1;
	(void)rte_eth_dev_allocated("unit"); /* makes ethdev's shared data, as the switch does */
	if (vale_eal_memory_find() < 0)
		return -1;
	vale_locks_init();
	news_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return news_fd < 0 ? -1 : 0;
}

static int
teardown_all(void **state)
{
	close(news_fd);
	rmdir(dir);
	return unit_eal_cleanup_group();
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(defer_locks_free_runs),
		T(defer_lock_held_waits_until_it_is_free),
		T(defer_many_wait_for_one_lock_refused_together),
		T(defer_bound_connection_waits_too),
		T(defer_too_many_of_one_connection_refused),
		T(defer_client_gone_meanwhile_forgotten),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
