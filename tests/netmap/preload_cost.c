/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers, and no test: what poll, select and close cost a program that does not touch netmap. Run
 * it with vale-exec and without: `preload-cost`; `preload-cost netmap` has one descriptor of
 * netmap's besides. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 2000

static int pipe_fd[2];

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void
do_poll(void)
{
	struct pollfd p = {.fd = pipe_fd[0], .events = POLLIN};

	poll(&p, 1, 0);
}

static void
do_select(void)
{
	struct timeval tv = {0, 0};
	fd_set in;

	FD_ZERO(&in);
	FD_SET(pipe_fd[0], &in);
	select(FD_SETSIZE, &in, NULL, NULL, &tv);
}

static void
do_dup_close(void)
{
	close(dup(pipe_fd[0]));
}

static void
do_fstat(void)
{
	struct stat st;

	fstat(pipe_fd[0], &st);
}

static void
measure(const char *name, void (*f)(void))
{
	double best = 1e18;

	for (int k = 0; k < 400; k++) {
		double from = now_ns();

		for (int i = 0; i < ROUNDS; i++)
			f();
		from = (now_ns() - from) / ROUNDS;
		best = from < best ? from : best;
	}
	printf("%s %.0f ns\n", name, best);
}

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1 && open("/dev/netmap", O_RDWR) < 0)
		return 1;
	if (pipe(pipe_fd) != 0)
		return 1;
	measure("poll", do_poll);
	measure("select", do_select);
	measure("dup+close", do_dup_close);
	measure("fstat", do_fstat);
	return 0;
}
