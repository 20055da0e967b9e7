/* SPDX-License-Identifier: BSD-3-Clause */
/* netmap-fuzz SOCKET SECONDS SEED [ROLE...]: netmap programs that behave, that attack, that foresee
 * and that look on, on one switch at the same time; ends with 0 if all was as it should be. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

static uint64_t seed;
static double end_s;

struct dice
dice_make(uint64_t who)
{
	struct dice d = {(seed + 1) * UINT64_C(0x9e3779b97f4a7c15) ^
			 (who + 1) * UINT64_C(0xbf58476d1ce4e5b9)};

	for (int i = 0; i < 4; i++)
		dice(&d, 1);
	return d;
}

uint32_t
dice(struct dice *d, uint32_t n)
{
	d->state ^= d->state << 13;
	d->state ^= d->state >> 7;
	d->state ^= d->state << 17;
	return (uint32_t)((d->state >> 20) % n);
}

uint32_t
dice_nasty(struct dice *d, uint32_t edge)
{
	const uint32_t n[] = {0, 1, 2, 13, 14, 63, 64, 65, 2047, 2048, 2049, 9216, 9217, edge - 1,
		edge, edge + 1, 0x7fffffff, 0x80000000, 0xffff, 0x10000, 0xffffffff,
		dice(d, 0xffffffff), dice(d, 0xffffffff), dice(d, 0xffffffff)};

	return n[dice(d, sizeof(n) / sizeof(n[0]))];
}

double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

bool
time_left(void)
{
	return now_s() < end_s;
}

static void
attack_0(void)
{
	attack_main(0);
}

static void
attack_1(void)
{
	attack_main(1);
}

static struct role {
	const char *name;
	void (*run)(void);
	/* who foretells is to get on, whatever the others do */
	int niceness;
	pid_t pid;
} roles[] = {
	{"traffic", traffic_main, 5, 0},
	{"witness", witness_main, 10, 0},
	{"spy", spy_main, 10, 0},
	{"attack0", attack_0, 15, 0},
	{"attack1", attack_1, 15, 0},
	{"noise", noise_main, 15, 0},
	{"refusals", refusals_main, 0, 0},
	{"stranger", stranger_main, 0, 0},
	{"model", model_main, 0, 0},
};
#define NB_ROLES (sizeof(roles) / sizeof(roles[0]))

static bool
is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 4; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc <= 4;
}

static unsigned int
start_roles(int argc, char **argv)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < NB_ROLES; i++) {
		if (!is_wanted(roles[i].name, argc, argv))
			continue;
		n++;
		roles[i].pid = fork();
		if (roles[i].pid != 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)!nice(roles[i].niceness);
		roles[i].run();
		exit(0);
	}
	return n;
}

/* Returns 0 if a role ended as it should. */
static int
role_ended(pid_t pid, int status)
{
	for (unsigned int i = 0; i < NB_ROLES; i++) {
		if (roles[i].pid != pid)
			continue;
		roles[i].pid = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return 0;
		fprintf(stderr, "FAILED: %s ended with status %#x; seed %ju\n", roles[i].name,
			status, (uintmax_t)seed);
		return 1;
	}
	return 0;
}

static void
kill_roles(void)
{
	for (unsigned int i = 0; i < NB_ROLES; i++)
		if (roles[i].pid > 0)
			kill(roles[i].pid, SIGKILL);
}

int
main(int argc, char **argv)
{
	int status, ret = 0;
	unsigned int n;
	pid_t pid;

	if (argc < 4) {
		fprintf(stderr, "usage: netmap-fuzz SOCKET SECONDS SEED [ROLE...]\n");
		return 2;
	}
	socket_path = argv[1];
	end_s = now_s() + strtod(argv[2], NULL);
	seed = strtoull(argv[3], NULL, 10);
	printf("seed %ju, %s s\n", (uintmax_t)seed, argv[2]);
	fflush(stdout);
	signal(SIGPIPE, SIG_IGN);
	n = start_roles(argc, argv);
	while (n > 0 && (pid = wait(&status)) > 0) {
		n--;
		if (role_ended(pid, status) != 0) {
			kill_roles();
			ret = 1;
		}
		if (ret != 0)
			return ret;
	}
	return ret;
}
