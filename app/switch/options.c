/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "options.h"

enum {
	OPT_SOCKET = 256,
	OPT_MEMIF_SOCKET,
	OPT_SOCKET_OWNER,
	OPT_SOCKET_GROUP,
	OPT_SOCKET_MODE,
	OPT_CONFIG,
	OPT_IDLE,
	OPT_BATCH,
	OPT_MAX_SWITCHES,
	OPT_MAX_PORTS,
	OPT_RING_SIZE,
	OPT_FDB_SIZE,
	OPT_AGEING,
	OPT_MBUFS,
	OPT_VERBOSE,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"memif-socket", required_argument, NULL, OPT_MEMIF_SOCKET},
	{"socket-owner", required_argument, NULL, OPT_SOCKET_OWNER},
	{"socket-group", required_argument, NULL, OPT_SOCKET_GROUP},
	{"socket-mode", required_argument, NULL, OPT_SOCKET_MODE},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"idle", required_argument, NULL, OPT_IDLE},
	{"batch", required_argument, NULL, OPT_BATCH},
	{"max-switches", required_argument, NULL, OPT_MAX_SWITCHES},
	{"max-ports", required_argument, NULL, OPT_MAX_PORTS},
	{"ring-size", required_argument, NULL, OPT_RING_SIZE},
	{"fdb-size", required_argument, NULL, OPT_FDB_SIZE},
	{"ageing", required_argument, NULL, OPT_AGEING},
	{"mbufs", required_argument, NULL, OPT_MBUFS},
	{"verbose", required_argument, NULL, OPT_VERBOSE},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static const char help_text[] =
	"usage: vale-switch [EAL options] -- [switch options]\n"
	"\n"
	"A virtual Ethernet switch: switches and ports appear when a client attaches by name.\n"
	"\n"
	"Switch options, after --:\n"
	"  --socket PATH        control socket (/run/vale/PREFIX.sock;\n"
	"                       $XDG_RUNTIME_DIR/vale/PREFIX.sock when not root)\n"
	"  --memif-socket PATH  socket for memif clients (memif/PREFIX.sock beside the other)\n"
	"  --socket-owner USER  who owns the sockets (who started the switch)\n"
	"  --socket-group GROUP their group\n"
	"  --socket-mode MODE   their permissions, octal (0600; with a group 0660)\n"
	"  --idle sleep|poll    what a worker does that has nothing to do (sleep)\n"
	"  --batch N            frames a worker takes from a queue at once, 1..1024 (1024)\n"
	"  --max-switches N     1..4096 (64)\n"
	"  --max-ports N        for each switch, 2..32766 (254)\n"
	"  --ring-size N        frames in a ring of a dpdk port, a power of two, 64..32768 (1024)\n"
	"  --fdb-size N         MAC addresses for each switch, 64..16777216 (16384)\n"
	"  --ageing SECONDS     until a learned address is forgotten, 0 = never (300)\n"
	"  --mbufs N            frame buffers, 2048..16777216 (65536)\n"
	"  --verbose N          log: 0 errors, 1 notices, 2 information, 3 debug (1)\n"
	"  --help, --version\n"
	"Refused in this version, because it is not there yet:\n"
	"  --config FILE        configuration file\n"
	"\n"
	"EAL options are DPDK's own. Without them:\n"
	"  --file-prefix vale   name of the group that clients join\n"
	"  --lcores ...         one worker as lcore 127 on the last CPU, the main lcore is 126;\n"
	"                       of given lcores each but the main one is a worker\n"
	"  --no-pci             unless -a or -b is given: no PCI device is touched\n"
	"  -m MB                as much memory as the options above need\n"
	"Useful ones: --no-huge (no hugepages, no DPDK secondaries), --huge-dir DIR,\n"
	"--log-level lib.eal:info. All of them: dpdk-testpmd --help.\n"
	"\n"
	"When clients can attach, `vale-switch: ready` is printed. SIGTERM and SIGINT end it.\n"
	"Exit status: 0 clean end, 1 could not be started, 2 wrong usage.\n";

void
options_help(void)
{
	fputs(help_text, stdout);
}

static void
set_defaults(struct options *o)
{
	memset(o, 0, sizeof(*o));
	o->socket_owner = (uid_t)-1;
	o->socket_group = (gid_t)-1;
	o->limits.max_switches = 64;
	o->limits.max_ports = 254;
	o->limits.fdb_size = 16384;
	o->limits.ring_size = 1024;
	o->batch = VALE_BATCH_MAX;
	o->ageing_s = 300;
	o->mbufs = 65536;
	o->verbose = 1;
}

/* Decimal digits only: strtoul() alone would take " -1" for a very large number. */
static int
parse_u32(const char *name, const char *text, uint32_t min, uint32_t max, uint32_t *out, char *why)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v < min || v > max) {
		snprintf(why, OPTIONS_WHY_SZ, "--%s %s: must be a number from %u to %u", name, text,
			min, max);
		return -EINVAL;
	}
	*out = (uint32_t)v;
	return 0;
}

static int
parse_ring_size(const char *text, uint32_t *out, char *why)
{
	if (parse_u32("ring-size", text, 64, 32768, out, why) < 0)
		return -EINVAL;
	if (!rte_is_power_of_2(*out)) {
		snprintf(why, OPTIONS_WHY_SZ,
			"--ring-size %s: must be a power of two, the next one is %u", text,
			rte_align32pow2(*out));
		return -EINVAL;
	}
	return 0;
}

static int
parse_path(const char *name, const char *text, char *out, size_t sz, char *why)
{
	if (text[0] != '/') {
		snprintf(why, OPTIONS_WHY_SZ, "--%s '%s': must be an absolute path", name, text);
		return -EINVAL;
	}
	if (strlen(text) >= sz) {
		snprintf(why, OPTIONS_WHY_SZ,
			"--%s: the path has %zu bytes, a socket's path has %zu at most", name,
			strlen(text), sz - 1);
		return -EINVAL;
	}
	snprintf(out, sz, "%s", text);
	return 0;
}

/* A user or group given by number. */
static bool
parse_id(const char *text, uint32_t *id)
{
	char none[OPTIONS_WHY_SZ];

	return parse_u32("id", text, 0, UINT32_MAX - 1, id, none) == 0;
}

static int
parse_owner(const char *text, uid_t *out, char *why)
{
	struct passwd *pw = getpwnam(text);
	uint32_t id;

	if (pw != NULL) {
		*out = pw->pw_uid;
		return 0;
	}
	if (parse_id(text, &id)) {
		*out = id;
		return 0;
	}
	snprintf(why, OPTIONS_WHY_SZ, "--socket-owner %s: there is no such user", text);
	return -EINVAL;
}

static int
parse_group(const char *text, gid_t *out, char *why)
{
	struct group *gr = getgrnam(text);
	uint32_t id;

	if (gr != NULL) {
		*out = gr->gr_gid;
		return 0;
	}
	if (parse_id(text, &id)) {
		*out = id;
		return 0;
	}
	snprintf(why, OPTIONS_WHY_SZ, "--socket-group %s: there is no such group", text);
	return -EINVAL;
}

static int
parse_mode(const char *text, mode_t *out, char *why)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(text, &end, 8);
	if (text[0] < '0' || text[0] > '7' || *end != '\0' || errno != 0 || v == 0 || v > 0777) {
		snprintf(why, OPTIONS_WHY_SZ,
			"--socket-mode %s: must be octal permissions such as 0660", text);
		return -EINVAL;
	}
	*out = (mode_t)v;
	return 0;
}

static int
parse_idle(const char *text, bool *poll, char *why)
{
	if (strcmp(text, "sleep") == 0) {
		*poll = false;
		return 0;
	}
	if (strcmp(text, "poll") == 0) {
		*poll = true;
		return 0;
	}
	snprintf(why, OPTIONS_WHY_SZ, "--idle %s: must be sleep or poll", text);
	return -EINVAL;
}

static int
refuse_config(const char *text, char *why)
{
	snprintf(why, OPTIONS_WHY_SZ,
		"--config %s: this version reads no configuration file yet, start it without",
		text);
	return -EINVAL;
}

/* The option that getopt_long() just rejected, as the user wrote it. */
static int
refuse_option(int argc, char **argv, int missing_value, char *why)
{
	const char *arg = optind > 0 && optind <= argc ? argv[optind - 1] : "";

	if (missing_value)
		snprintf(why, OPTIONS_WHY_SZ, "switch option %s needs a value", arg);
	else
		snprintf(why, OPTIONS_WHY_SZ,
			"switch option %s is unknown or takes no value (EAL options stand before "
			"--)",
			arg);
	return -EINVAL;
}

static int
parse_one(int opt, const char *arg, struct options *o, char *why)
{
	switch (opt) {
	case OPT_SOCKET:
		return parse_path("socket", arg, o->socket, sizeof(o->socket), why);
	case OPT_MEMIF_SOCKET:
		return parse_path(
			"memif-socket", arg, o->memif_socket, sizeof(o->memif_socket), why);
	case OPT_SOCKET_OWNER:
		return parse_owner(arg, &o->socket_owner, why);
	case OPT_SOCKET_GROUP:
		return parse_group(arg, &o->socket_group, why);
	case OPT_SOCKET_MODE:
		return parse_mode(arg, &o->socket_mode, why);
	case OPT_CONFIG:
		return refuse_config(arg, why);
	case OPT_IDLE:
		return parse_idle(arg, &o->idle_poll, why);
	case OPT_BATCH:
		return parse_u32("batch", arg, 1, VALE_BATCH_MAX, &o->batch, why);
	case OPT_MAX_SWITCHES:
		return parse_u32("max-switches", arg, 1, 4096, &o->limits.max_switches, why);
	case OPT_MAX_PORTS:
		return parse_u32(
			"max-ports", arg, 2, VALE_FDB_PORTS_MAX - 1, &o->limits.max_ports, why);
	case OPT_RING_SIZE:
		return parse_ring_size(arg, &o->limits.ring_size, why);
	case OPT_FDB_SIZE:
		return parse_u32("fdb-size", arg, 64, 1 << 24, &o->limits.fdb_size, why);
	case OPT_AGEING:
		return parse_u32("ageing", arg, 0, INT32_MAX, &o->ageing_s, why);
	case OPT_MBUFS:
		return parse_u32("mbufs", arg, 2048, 1 << 24, &o->mbufs, why);
	case OPT_VERBOSE:
		return parse_u32("verbose", arg, 0, 3, &o->verbose, why);
	}
	return -EINVAL;
}

int
options_parse(int argc, char **argv, struct options *o, char *why)
{
	int opt;

	set_defaults(o);
	opterr = 0;
	optind = 0; /* glibc: start afresh, another argv may have been parsed before */
	while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (opt == 'h')
			return OPTIONS_HELP;
		if (opt == OPT_VERSION)
			return OPTIONS_VERSION;
		if (opt == '?' || opt == ':')
			return refuse_option(argc, argv, opt == ':', why);
		if (parse_one(opt, optarg, o, why) < 0)
			return -EINVAL;
	}
	if (optind < argc) {
		snprintf(why, OPTIONS_WHY_SZ, "unexpected argument '%s'", argv[optind]);
		return -EINVAL;
	}
	return OPTIONS_RUN;
}

bool
options_is_ours(const char *arg)
{
	size_t len;

	if (strncmp(arg, "--", 2) != 0)
		return false;
	arg += 2;
	len = strcspn(arg, "=");
	for (const struct option *o = long_options; o->name != NULL; o++)
		if (strlen(o->name) == len && strncmp(o->name, arg, len) == 0)
			return true;
	return false;
}
