/* SPDX-License-Identifier: BSD-3-Clause */
/* vale-ctl: look at a running vale-switch and change it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "vale_control_client.h"

#define DEFAULT_PREFIX "vale"

const struct ctl_verb ctl_verbs[] = {
	{"list", "[SWITCH]", "switches and their ports", ctl_list, 0, 1, false},
	{"show", "PORT", "everything about one port", ctl_show, 1, 1, false},
	{"stats", "[PORT]", "counters of all ports or of one", ctl_stats, 0, 1, false},
	{"fdb", "SWITCH [add MAC PORT | del MAC | flush [PORT]]",
		"MAC addresses a switch knows; add or delete static ones, forget", ctl_fdb, 1, 4,
		false},
	{"create",
		"PORT [--mac MAC] [--owner USER] [--tap | --vhost PATH [--vhost-server] [--queues "
		"N]]",
		"keep a port's name when it has no client; with a tap or a virtual machine",
		ctl_create, 0, 0, true},
	{"secondaries", "", "DPDK processes beside the switch, and the mbufs they hold",
		ctl_secondaries, 0, 0, false},
	{"destroy", "PORT", "undo create", ctl_destroy, 1, 1, false},
	{"attach", "PORT [DEVARGS]",
		"make a DPDK device (net_tap0,iface=t0), or interface PPP, a port", ctl_attach, 1,
		2, false},
	{"detach", "PORT", "take a port away from whoever holds it", ctl_detach, 1, 1, false},
	{"get", "[NAME]", "limits and tunables", ctl_get, 0, 1, false},
	{"set", "NAME VALUE", "change a tunable", ctl_set, 2, 2, false},
	{"top", "[-n COUNT] [-i SECONDS]", "rates, refreshed each second; q quits", ctl_top, 0, 0,
		true},
	{"workers", "", "the threads that forward: CPU time, frames, batches", ctl_workers, 0, 0,
		false},
	{"wait", "PORT [--timeout SECONDS]", "until the port has a client", ctl_wait, 0, 0, true},
	{"capture", "", "not available in this version", ctl_capture, 0, 0, true},
	{"version", "", "versions of this program, the switch and its DPDK", ctl_version, 0, 0,
		false},
	{"help", "[VERB]", "this, or how a verb is used", ctl_help, 0, 1, false},
	{0},
};

const struct ctl_verb *
ctl_verb_find(const char *name)
{
	for (const struct ctl_verb *v = ctl_verbs; v->name != NULL; v++) {
		if (strcmp(v->name, name) == 0)
			return v;
	}
	return NULL;
}

/* The value of `--name VALUE` or `--name=VALUE` at argv[*i]; NULL if that is something else. */
static const char *
long_option(int argc, char **argv, int *i, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(argv[*i], name, len) != 0)
		return NULL;
	if (argv[*i][len] == '=')
		return &argv[*i][len + 1];
	if (argv[*i][len] == '\0' && *i + 1 < argc)
		return argv[++*i];
	return NULL;
}

/* Take the options that stand for every verb out of argv, wherever they are before a `--`. */
static int
take_common_options(struct ctl *c, int argc, char **argv)
{
	int kept = 1;

	for (int i = 1; i < argc; i++) {
		const char *socket;

		if (strcmp(argv[i], "--") == 0) {
			while (i < argc)
				argv[kept++] = argv[i++];
			break;
		}
		if (strcmp(argv[i], "-j") == 0 || strcmp(argv[i], "--json") == 0) {
			c->json = true;
			continue;
		}
		socket = long_option(argc, argv, &i, "--socket");
		if (socket != NULL)
			c->socket = socket;
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return kept;
}

static int
choose_socket(struct ctl *c)
{
	if (c->socket == NULL)
		c->socket = getenv("VALE_SOCKET");
	if (c->socket != NULL && c->socket[0] != '\0')
		return CTL_OK;
	if (vale_ctl_default_socket(DEFAULT_PREFIX, c->socket_buf, sizeof(c->socket_buf)) < 0)
		return ctl_usage(c, "$XDG_RUNTIME_DIR is too long for a socket; use --socket PATH");
	c->socket = c->socket_buf;
	c->socket_is_default = true;
	return CTL_OK;
}

/* Verbs without options of their own: a `--` may precede the arguments, a value may be negative. */
static int
check_arguments(const struct ctl *c, const struct ctl_verb *v, int *argc, char **argv)
{
	if (*argc > 1 && strcmp(argv[1], "--") == 0) {
		for (int i = 1; i < *argc; i++)
			argv[i] = argv[i + 1];
		(*argc)--;
	} else {
		for (int i = 1; i < *argc; i++) {
			if (argv[i][0] == '-' && (argv[i][1] < '0' || argv[i][1] > '9'))
				return ctl_usage_verb(c, v->name);
		}
	}
	if (*argc - 1 < v->min_args || *argc - 1 > v->max_args)
		return ctl_usage_verb(c, v->name);
	return CTL_OK;
}

static int
help_on(struct ctl *c, char *verb)
{
	char *argv[] = {verb, verb, NULL};

	return ctl_help(c, 2, argv);
}

/* argv[0] is the verb. */
static int
run(struct ctl *c, int argc, char **argv)
{
	const struct ctl_verb *v;
	int rc;

	if (argc < 1)
		return ctl_usage(
			c, "name a verb, such as: vale-ctl list; all of them: vale-ctl help");
	if (strcmp(argv[0], "--help") == 0)
		return ctl_help(c, 1, argv);
	if (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-V") == 0)
		return ctl_version_own(c);
	if (strcmp(argv[0], "--socket") == 0)
		return ctl_usage(c, "--socket takes a path, as in: vale-ctl --socket PATH list");
	if (argv[0][0] == '-')
		return ctl_letters(c, argc, argv);
	v = ctl_verb_find(argv[0]);
	if (v == NULL)
		return ctl_usage(c, "there is no verb '%s'; see: vale-ctl help", argv[0]);
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return help_on(c, argv[0]);
	if (!v->own_options) {
		rc = check_arguments(c, v, &argc, argv);
		if (rc != CTL_OK)
			return rc;
	}
	return v->run(c, argc, argv);
}

/* An answer that could not be written was not given. */
static int
flush_output(int rc)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return rc;
	fprintf(stderr, "vale-ctl: cannot write standard output: %s (%s)\n", strerror(errno),
		vale_errno_name(errno));
	return rc == CTL_OK ? CTL_REFUSED : rc;
}

int
main(int argc, char **argv)
{
	struct ctl c = {.fd = -1};
	int rc;

	/* messages of getopt are ours to make, on one line */
	opterr = 0;
	argc = take_common_options(&c, argc, argv);
	rc = choose_socket(&c);
	if (rc == CTL_OK)
		rc = run(&c, argc - 1, argv + 1);
	if (c.fd >= 0)
		close(c.fd);
	return flush_output(rc);
}
