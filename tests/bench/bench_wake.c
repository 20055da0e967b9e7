/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * How soon this machine wakes a thread: one sleeps in epoll_wait() on its CPU, the other, which
 * polls on another CPU, rings an eventfd and waits for the answer in shared memory. Nothing else is
 * done, so that no switch that sleeps can do better. One line of JSON, microseconds.
 * Usage: bench-wake CPU_OF_SLEEPER CPU_OF_RINGER [TIMES [MICROSECONDS_BETWEEN]].
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define TIMES_MAX 100000

static _Atomic uint32_t answered;
static int bell, sleeper_cpu;

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void *
sleeper(void *arg)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	int epoll_fd = epoll_create1(0);

	pin(sleeper_cpu);
	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, bell, &ev) != 0)
		exit(1);
	for (;;) {
		if (epoll_wait(epoll_fd, &ev, 1, -1) == 1)
			atomic_fetch_add(&answered, 1);
	}
	return NULL;
}

/* Rings once; microseconds until the answer. */
static double
ring(void)
{
	uint32_t before = atomic_load(&answered);
	double start = now_us();

	if (eventfd_write(bell, 1) != 0)
		exit(1);
	while (atomic_load(&answered) == before)
		;
	return now_us() - start;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	unsigned int times = argc > 3 ? strtoul(argv[3], NULL, 0) : 500;
	double gap_us = argc > 4 ? strtod(argv[4], NULL) : 1000, until;
	static double took[TIMES_MAX];
	pthread_t thread;

	if (argc < 3 || times < 1 || times > TIMES_MAX) {
		fputs("usage: bench-wake CPU CPU [TIMES [MICROSECONDS]]\n", stderr);
		return 2;
	}
	sleeper_cpu = atoi(argv[1]);
	pin(atoi(argv[2]));
	bell = eventfd(0, EFD_NONBLOCK);
	if (bell < 0 || pthread_create(&thread, NULL, sleeper, NULL) != 0)
		return 1;
	for (unsigned int i = 0; i < times; i++) {
		until = now_us() + gap_us;
		while (now_us() < until)
			;
		took[i] = ring();
	}
	qsort(took, times, sizeof(took[0]), by_size);
	printf("{\"p50_us\":%.1f,\"p99_us\":%.1f,\"worst_us\":%.1f}\n", took[times / 2],
		took[times - 1 - times / 100], took[times - 1]);
	return 0;
}
