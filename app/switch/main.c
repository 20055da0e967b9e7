/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_version.h>

#include "eal_args.h"
#include "lcores.h"
#include "memory.h"
#include "options.h"
#include "preflight.h"
#include "run.h"
#include "vale_admin.h"
#include "vale_config.h"
#include "vale_control_client.h"

#define EXIT_USAGE 2
#define DEFAULT_PREFIX "vale"

/* The command line, understood. */
struct command {
	struct eal_args eal;
	struct options o;
	char lcores[1200]; /* to add for EAL, or "" */
	uint64_t memory_mb;
};

static int
usage_error(const char *why)
{
	fprintf(stderr, "vale-switch: %s\n", why);
	return -EINVAL;
}

/* Lcores: ours if the user gave none, else checked. */
static int
choose_lcores(struct command *c)
{
	char why[OPTIONS_WHY_SZ];
	cpu_set_t cpus;
	int nb;

	CPU_ZERO(&cpus);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return usage_error("cannot see on which CPUs this process may run");
	if (c->eal.form == LCORES_NONE) {
		if (lcores_default(&cpus, c->lcores, sizeof(c->lcores)) < 0)
			return usage_error("too many CPUs for a default; give --lcores");
		c->eal.form = LCORES_MAP;
		c->eal.lcores = c->lcores;
	}
	nb = lcores_check(c->eal.form, c->eal.lcores, &cpus, c->eal.main_lcore, why, sizeof(why));
	if (nb < 0)
		return usage_error(why);
	if (nb > VALE_WORKERS_MAX + 1) {
		snprintf(why, sizeof(why),
			"%d lcores are too many: %d workers at most, "
			"and the main lcore",
			nb, VALE_WORKERS_MAX);
		return usage_error(why);
	}
	return 0;
}

/* In a folder beside the control socket, which clients may write to. */
static int
default_memif_socket(struct command *c)
{
	const char *slash = strrchr(c->o.socket, '/');
	int n = snprintf(c->o.memif_socket, sizeof(c->o.memif_socket), "%.*s/memif/%s.sock",
		(int)(slash - c->o.socket), c->o.socket, c->eal.prefix);

	return n < 0 || (size_t)n >= sizeof(c->o.memif_socket) ? -ENAMETOOLONG : 0;
}

/* Returns enum options_action, or -EINVAL after it said why. */
static int
parse_command(int argc, char **argv, struct command *c)
{
	char why[OPTIONS_WHY_SZ];
	int action, at;

	memset(c, 0, sizeof(*c));
	if (eal_args_scan(argc, argv, &c->eal, why, sizeof(why)) < 0)
		return usage_error(why);
	if (c->eal.help)
		return OPTIONS_HELP;
	if (c->eal.version)
		return OPTIONS_VERSION;
	at = c->eal.argc < argc ? c->eal.argc : argc - 1;
	action = options_parse(argc - at, argv + at, &c->o, why);
	if (action < 0)
		return usage_error(why);
	if (action != OPTIONS_RUN)
		return action;
	if (c->eal.prefix == NULL)
		c->eal.prefix = DEFAULT_PREFIX;
	if (c->o.socket[0] == '\0' &&
		vale_ctl_default_socket(c->eal.prefix, c->o.socket, sizeof(c->o.socket)) < 0)
		return usage_error("the default socket's path is too long; give --socket PATH");
	if (c->o.memif_socket[0] == '\0' && default_memif_socket(c) < 0)
		return usage_error("the path of the socket for memif clients is too long; give "
				   "--memif-socket PATH");
	c->memory_mb =
		c->eal.memory_mb != 0 ? c->eal.memory_mb : memory_needed_mb(&c->o, c->eal.no_huge);
	return choose_lcores(c);
}

/* Before any thread exists, so that all of them have the signals blocked. */
static void
block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int
start_eal(const struct command *c)
{
	struct eal_argv args;
	int ret;

	if (eal_argv_make(&c->eal, c->lcores[0] != '\0' ? c->lcores : NULL, c->memory_mb, &args) <
		0) {
		fprintf(stderr, "vale-switch: out of memory\n");
		return -ENOMEM;
	}
	rte_openlog_stream(stderr);
	/* EAL keeps pointers into its arguments: they live as long as the process */
	ret = rte_eal_init(args.argc, args.argv);
	if (ret >= 0)
		return 0;
	ret = rte_errno != 0 ? -rte_errno : -EINVAL;
	fprintf(stderr,
		"vale-switch: DPDK's EAL cannot start: %s; its own messages say more: "
		"vale-switch --log-level lib.eal:debug\n",
		rte_strerror(-ret));
	return ret;
}

/* A port with 16 queue pairs takes 33 descriptors; the usual soft limit of 1,024 is soon met. */
static void
raise_descriptor_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &lim);
}

static int
run_command(const struct command *c)
{
	struct preflight pre = {.eal = &c->eal,
		.socket = c->o.socket,
		.memif_socket = c->o.memif_socket,
		.memory_mb = c->memory_mb};
	struct run_conf conf = {.o = &c->o, .eal = &c->eal, .socket = c->o.socket};
	char why[OPTIONS_WHY_SZ * 2];
	sigset_t signals;
	int ret;

	if (preflight_check(&pre, why, sizeof(why)) < 0) {
		fprintf(stderr, "vale-switch: %s\n", why);
		return EXIT_FAILURE;
	}
	raise_descriptor_limit();
	block_signals(&signals);
	conf.signals = &signals;
	ret = start_eal(c);
	if (ret == 0) {
		vale_log_set_verbose(c->o.verbose);
		ret = run(&conf);
		/* with secondaries it would unmap, in all of them, memory that they still use; the
		 * kernel takes ours back, and the files are removed below */
		if (!eal_args_secondaries(&c->eal))
			rte_eal_cleanup();
	}
	preflight_clean(&pre);
	if (ret == -EDEADLK)
		_exit(EXIT_FAILURE);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	static struct command c;
	int action = parse_command(argc, argv, &c);

	if (action < 0)
		return EXIT_USAGE;
	if (action == OPTIONS_HELP) {
		options_help();
		return EXIT_SUCCESS;
	}
	if (action == OPTIONS_VERSION) {
		printf("vale-switch %s (%s)\n", VALE_VERSION, rte_version());
		return EXIT_SUCCESS;
	}
	return run_command(&c);
}
