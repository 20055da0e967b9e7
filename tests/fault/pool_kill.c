/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Secondaries that allocate, free, send and receive, bound by the pool. One after the other is
 * killed at a random moment, while the others and the switch go on.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool.h"
#include "pool_fault.h"

/* The last of the secondaries is the one that is killed. */
#define VICTIM (NB_PEERS - 1)
/* It runs for up to this long. */
#define LIFE_US 3000
/* The others must have moved by then. */
#define HANG_MS 5000

static pid_t pids[NB_PEERS];

static uint64_t
now_us(void)
{
	return rte_get_timer_cycles() * 1000000 / rte_get_timer_hz();
}

/* The others work on, and so do we. */
static void
check_progress(void)
{
	uint64_t before[NB_PEERS];
	uint64_t end = now_ms() + HANG_MS;

	for (unsigned int i = 0; i < VICTIM; i++)
		before[i] = atomic_load(&arena->peer[i].rounds);
	for (unsigned int i = 0; i < VICTIM; i++)
		while (atomic_load(&arena->peer[i].rounds) == before[i]) {
			switch_poll();
			if (now_ms() > end)
				fault_die("secondary %u hangs", i);
		}
}

static void
kill_once(const struct fault_options *o)
{
	uint64_t end;
	pid_t pid = peer_start(VICTIM, "load");

	end = now_us() + rand() % LIFE_US;
	while (now_us() < end)
		switch_poll();
	kill(pid, SIGKILL);
	peer_wait(pid);
	recover_start(o, VICTIM);
	while (recover_step())
		switch_poll(); /* between two slices */
	check_progress();
}

static void
stop_all(void)
{
	for (unsigned int i = 0; i < VICTIM; i++)
		atomic_store(&arena->peer[i].stop, 1);
	for (unsigned int i = 0; i < VICTIM; i++)
		if (peer_wait(pids[i]) != 0)
			fault_die("secondary %u did not end well", i);
}

int
test_kill(const struct fault_options *o)
{
	struct vale_pool *p = pool_of(pool);

	srand(1);
	for (unsigned int i = 0; i < VICTIM; i++)
		pids[i] = peer_start(i, "load");
	for (unsigned int k = 0; k < o->kills; k++)
		kill_once(o);
	stop_all();
	recover_start(o, NB_PEERS);
	while (recover_step())
		;
	vale_pool_flush(pool);
	count_all("after the last kill");
	printf("%u kills, %u with the lock held, %u mbufs recovered, switch found the pool busy %u "
	       "times\n",
		o->kills, (unsigned int)p->owner_died, recovered(), (unsigned int)p->busy);
	return p->overflow == 0 ? 0 : 1;
}
