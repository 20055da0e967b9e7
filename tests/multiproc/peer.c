/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_mempool.h>

#include "peer.h"
#include "vale_dpdk_shm.h"

#define PRIMARY_POOL_MBUFS 16383

/* Answers go out by a stream of their own: whatever else prints to standard output goes to standard
 * error. */
static FILE *answers;

static void
answer(const char *word, const char *fmt, va_list ap)
{
	fprintf(answers, "%s ", word);
	vfprintf(answers, fmt, ap);
	fputc('\n', answers);
	fflush(answers);
}

void
peer_ok(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	answer("ok", fmt, ap);
	va_end(ap);
}

void
peer_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	answer("error", fmt, ap);
	va_end(ap);
}

bool
peer_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out <= max)
		return true;
	peer_fail("'%s' is not a number from 0 to %ju", text, (uintmax_t)max);
	return false;
}

const char *
peer_option(const struct peer_cmd *c, const char *name)
{
	size_t len = strlen(name);

	for (int i = 1; i < c->nb; i++)
		if (strncmp(c->word[i], name, len) == 0 && c->word[i][len] == '=')
			return c->word[i] + len + 1;
	return NULL;
}

bool
peer_number_option(const struct peer_cmd *c, const char *name, uint64_t max, uint64_t *out)
{
	const char *value = peer_option(c, name);

	return value == NULL || peer_number(value, max, out);
}

bool
peer_mac(const struct peer_cmd *c, int i, struct rte_ether_addr *mac)
{
	if (rte_ether_unformat_addr(c->word[i], mac) == 0)
		return true;
	peer_fail("'%s' is not a MAC address", c->word[i]);
	return false;
}

/* A primary process's: no switch in its group has one for it. */
static struct rte_mempool *
make_pool(void)
{
	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return NULL;
	return rte_pktmbuf_pool_create(
		VALE_POOL_NAME, PRIMARY_POOL_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
}

struct rte_mempool *
peer_pool(void)
{
	static struct rte_mempool *pool;

	if (pool == NULL)
		pool = rte_mempool_lookup(VALE_POOL_NAME);
	if (pool == NULL)
		pool = make_pool();
	return pool;
}

static void
cmd_abort(const struct peer_cmd *c)
{
	abort();
}

static void
cmd_free(const struct peer_cmd *c)
{
	peer_ok("mbufs=%u own=%u", rte_mempool_avail_count(peer_pool()), peer_own_free());
}

/* A child that has all that we have, and does nothing. */
static void
cmd_fork(const struct peer_cmd *c)
{
	pid_t pid = fork();

	while (pid == 0)
		pause();
	if (pid < 0)
		peer_fail("fork: %s", strerror(errno));
	else
		peer_ok("pid=%d", pid);
}

static const struct {
	const char *verb;
	int nb_words; /* at least, the verb among them */
	void (*run)(const struct peer_cmd *c);
	const char *usage;
} commands[] = {
	{"abort", 1, cmd_abort, ""},
	{"attach", 2, peer_cmd_attach, "DEVARGS"},
	{"bench", 6, peer_cmd_bench, "TXPORT RXPORT DST MS LEN: cycles a frame in bursts"},
	{"cycle", 3, peer_cmd_cycle, "N DEVARGS: attach and detach N times"},
	{"detach", 2, peer_cmd_detach, "PORT"},
	{"fork", 1, cmd_fork, ": a child that keeps all descriptors"},
	{"free", 1, cmd_free, ": what is free in the switch's pool and in one's own"},
	{"hold", 2, peer_cmd_hold,
		"N: take N mbufs of the switch's pool, or what there are, and keep them"},
	{"info", 2, peer_cmd_info, "PORT"},
	{"link", 2, peer_cmd_link, "PORT"},
	{"macswap", 3, peer_cmd_macswap, "PORT MS: send back what comes until it is quiet for MS"},
	{"mtu", 3, peer_cmd_mtu, "PORT BYTES"},
	{"ports", 1, peer_cmd_ports, ""},
	{"raw", 4, peer_cmd_raw,
		"PORT WORD N [len=LEN]: a lying client; WORD `mbuf` is a real one"},
	{"reconf", 3, peer_cmd_reconf, "PORT NQ"},
	{"release", 1, peer_cmd_release, "[N]: of what hold took"},
	{"reset", 2, peer_cmd_reset, "PORT: statistics"},
	{"rx", 3, peer_cmd_rx,
		"PORT MS [expect=N] [want=N] [good=N] [first=MS]: receive until it is quiet for "
		"MS, but be "
		"patient until N are there; or until there are as many as wanted"},
	{"rxintr", 3, peer_cmd_rxintr, "PORT MS: sleep until a frame comes"},
	{"start", 2, peer_cmd_start, "PORT"},
	{"stats", 2, peer_cmd_stats, "PORT"},
	{"stop", 2, peer_cmd_stop, "PORT"},
	{"tx", 7, peer_cmd_tx,
		"PORT QUEUE|all N DST SRC LEN [kind=K] [seg=BYTES] [burst=N] [gap=US]"},
	{"xstats", 2, peer_cmd_xstats, "PORT"},
};

static void
run(const struct peer_cmd *c)
{
	for (unsigned int i = 0; i < RTE_DIM(commands); i++) {
		if (strcmp(c->word[0], commands[i].verb) != 0)
			continue;
		if (c->nb < commands[i].nb_words)
			peer_fail("usage: %s %s", commands[i].verb, commands[i].usage);
		else
			commands[i].run(c);
		return;
	}
	peer_fail("there is no command '%s'", c->word[0]);
}

static void
split(char *line, struct peer_cmd *c)
{
	char *word;

	c->nb = 0;
	while (c->nb < PEER_WORDS_MAX && (word = strsep(&line, " \t\n")) != NULL) {
		if (word[0] != '\0')
			c->word[c->nb++] = word;
	}
}

static void
serve(void)
{
	struct peer_cmd c;
	char line[1024];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		split(line, &c);
		if (c.nb == 0)
			continue;
		if (strcmp(c.word[0], "quit") == 0)
			break;
		run(&c);
	}
}

/* Keep the answers' descriptor, and give the name of standard output to standard error. */
static int
open_answers(void)
{
	int fd = dup(STDOUT_FILENO);

	if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return -errno;
	answers = fdopen(fd, "w");
	return answers == NULL ? -errno : 0;
}

int
main(int argc, char **argv)
{
	bool configure;
	int n;

	if (open_answers() != 0) {
		perror("vale-peer: no standard output");
		return 1;
	}
	n = rte_eal_init(argc, argv);
	if (n < 0) {
		peer_fail("EAL does not start; usage: vale-peer [EAL options] -- [--unconfigured]");
		return 1;
	}
	configure = n + 1 >= argc || strcmp(argv[n + 1], "--unconfigured") != 0;
	if (peer_pool() == NULL) {
		peer_fail("there is no pool %s: the primary is not a switch, or has no memory",
			VALE_POOL_NAME);
		return 1;
	}
	if (peer_ports_open(configure) != 0)
		return 1;
	peer_ok("ready");
	serve();
	peer_tx_close();
	peer_ports_close();
	rte_eal_cleanup();
	return 0;
}
