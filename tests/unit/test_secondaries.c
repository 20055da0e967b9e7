/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes that look like secondaries from outside: a socket in the runtime folder, and the
 * group's configuration mapped, which a child of fork() has from its parent. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <ethdev_driver.h>

#include "unit_eal.h"
#include "vale_eal_memory.h"
#include "vale_secondaries.h"

/* More than have slots. */
#define NB (VALE_SECONDARIES_MAX + 20)
#define WAIT_MS 20000

static unsigned int nb_ended;

static void
appeared(void)
{
}

static void
ended(const struct vale_secondary *s)
{
	nb_ended++;
}

static void
secondary_main(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/mp_socket_%d_1", rte_eal_get_runtime_dir(),
		getpid());
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		_exit(1);
	for (;;)
		pause();
}

static void
start_all(pid_t *pid)
{
	for (unsigned int i = 0; i < NB; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			secondary_main();
	}
}

static void
kill_all(const pid_t *pid)
{
	for (unsigned int i = 0; i < NB; i++)
		kill(pid[i], SIGKILL);
	for (unsigned int i = 0; i < NB; i++)
		waitpid(pid[i], NULL, 0);
}

static void
await_living(unsigned int nb)
{
	for (unsigned int i = 0; i < WAIT_MS && vale_secondaries_count() != nb; i++)
		usleep(1000);
	assert_int_equal(vale_secondaries_count(), nb);
}

/* As vale-memory does, until all are taken back. */
static void
take_back(unsigned int nb)
{
	struct pollfd p = {.fd = vale_secondaries_news_fd(), .events = POLLIN};

	while (nb_ended < nb && poll(&p, 1, WAIT_MS) == 1)
		vale_secondaries_news(p.fd);
	assert_int_equal(nb_ended, nb);
}

static bool
is_one_of(const pid_t *pid, pid_t one)
{
	for (unsigned int i = 0; i < NB; i++)
		if (pid[i] == one)
			return true;
	return false;
}

/* Take who has ended, in pieces; each of @p pid once. Returns how many. */
static unsigned int
take_told(const pid_t *pid)
{
	struct vale_process_id id[10];
	unsigned int nb, sum = 0;

	do {
		nb = vale_secondaries_take_ended(id, RTE_DIM(id));
		for (unsigned int i = 0; i < nb; i++)
			assert_true(is_one_of(pid, id[i].pid));
		sum += nb;
	} while (nb == RTE_DIM(id));
	return sum;
}

static int
setup(void **state)
{
	nb_ended = 0;
	return vale_secondaries_start(appeared, ended);
}

static int
teardown(void **state)
{
	vale_secondaries_stop();
	return 0;
}

static void
take_ended_more_than_slots_all_told(void **state)
{
	pid_t pid[NB];

	assert_int_equal(vale_secondaries_take_ended(NULL, 0), 0);
	start_all(pid);
	await_living(NB);
	kill_all(pid);
	await_living(0);
	take_back(NB);
	assert_int_equal(take_told(pid), NB);
	assert_int_equal(take_told(pid), 0);
}

static void
take_ended_before_they_are_taken_back_told_once(void **state)
{
	pid_t pid[NB];

	start_all(pid);
	await_living(NB);
	kill_all(pid);
	await_living(0);
	assert_int_equal(take_told(pid), NB);
	take_back(NB);
	assert_int_equal(take_told(pid), 0);
	assert_int_equal(vale_secondaries_list(&(struct vale_secondary){0}, 1), 0);
}

static void
take_ended_nobody_asks_nobody_kept(void **state)
{
	pid_t pid[NB];

	start_all(pid);
	await_living(NB);
	kill_all(pid);
	await_living(0);
	take_back(NB);
	assert_int_equal(take_told(pid), 0);
}

/* The state of the only process that is listed. */
static enum vale_secondary_state
state_of_one(pid_t pid)
{
	struct vale_secondary s = {0};

	assert_int_equal(vale_secondaries_list(&s, 1), 1);
	assert_int_equal(s.pid, pid);
	return s.state;
}

/* A process whose socket appears when a byte comes. */
static pid_t
start_later(int *go)
{
	int pipe_fd[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(pipe_fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (read(pipe_fd[0], &c, 1) == 1)
			secondary_main();
		_exit(1);
	}
	close(pipe_fd[0]);
	*go = pipe_fd[1];
	return pid;
}

static void
set_attached_before_it_is_seen_is_kept(void **state)
{
	for (unsigned int parted = 0; parted < 2; parted++) {
		int go;
		pid_t pid = start_later(&go);

		vale_secondaries_set_attached(pid, true);
		if (parted)
			vale_secondaries_set_attached(pid, false);
		assert_int_equal(write(go, "x", 1), 1);
		await_living(1);
		assert_int_equal(state_of_one(pid),
			parted ? VALE_SECONDARY_STARTING : VALE_SECONDARY_ATTACHED);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		await_living(0);
		take_back(parted + 1);
		close(go);
	}
}

static int
setup_all(void **state)
{
	if (unit_eal_init_group() < 0)
		return -1;
	(void)rte_eth_dev_allocated("unit"); /* makes ethdev's shared data, as the switch does */
	return vale_eal_memory_find();
}

static int
teardown_all(void **state)
{
	return unit_eal_cleanup_group();
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(take_ended_more_than_slots_all_told),
		T(set_attached_before_it_is_seen_is_kept),
		T(take_ended_before_they_are_taken_back_told_once),
		T(take_ended_nobody_asks_nobody_kept),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
