/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eal_args.h"
#include "options.h"

/* Options that mean something here; all others of EAL are only told apart from wrong ones. */
enum {
	EAL_OTHER = 256,
	EAL_FILE_PREFIX,
	EAL_HUGE_DIR,
	EAL_IN_MEMORY,
	EAL_LCORES,
	EAL_LOG_LEVEL,
	EAL_MAIN_LCORE,
	EAL_NO_HUGE,
	EAL_NO_PCI,
	EAL_NO_SHCONF,
	EAL_PROC_TYPE,
	EAL_SOCKET_MEM,
	EAL_VERSION,
};

/* Every option of EAL, because only then abbreviations mean what they mean to EAL. */
static const struct option long_options[] = {
	{"allow", required_argument, NULL, 'a'},
	{"base-virtaddr", required_argument, NULL, EAL_OTHER},
	{"block", required_argument, NULL, 'b'},
	{"create-uio-dev", no_argument, NULL, EAL_OTHER},
	{"file-prefix", required_argument, NULL, EAL_FILE_PREFIX},
	{"force-max-simd-bitwidth", required_argument, NULL, EAL_OTHER},
	{"help", no_argument, NULL, 'h'},
	{"huge-dir", required_argument, NULL, EAL_HUGE_DIR},
	{"huge-unlink", optional_argument, NULL, EAL_OTHER},
	{"huge-worker-stack", optional_argument, NULL, EAL_OTHER},
	{"in-memory", no_argument, NULL, EAL_IN_MEMORY},
	{"iova-mode", required_argument, NULL, EAL_OTHER},
	{"lcores", required_argument, NULL, EAL_LCORES},
	{"legacy-mem", no_argument, NULL, EAL_OTHER},
	{"log-level", required_argument, NULL, EAL_LOG_LEVEL},
	{"main-lcore", required_argument, NULL, EAL_MAIN_LCORE},
	{"match-allocations", no_argument, NULL, EAL_OTHER},
	{"mbuf-pool-ops-name", required_argument, NULL, EAL_OTHER},
	{"no-hpet", no_argument, NULL, EAL_OTHER},
	{"no-huge", no_argument, NULL, EAL_NO_HUGE},
	{"no-pci", no_argument, NULL, EAL_NO_PCI},
	{"no-shconf", no_argument, NULL, EAL_NO_SHCONF},
	{"no-telemetry", no_argument, NULL, EAL_OTHER},
	{"proc-type", required_argument, NULL, EAL_PROC_TYPE},
	{"single-file-segments", no_argument, NULL, EAL_OTHER},
	{"socket-limit", required_argument, NULL, EAL_OTHER},
	{"socket-mem", required_argument, NULL, EAL_SOCKET_MEM},
	{"syslog", required_argument, NULL, EAL_OTHER},
	{"telemetry", no_argument, NULL, EAL_OTHER},
	{"trace", required_argument, NULL, EAL_OTHER},
	{"trace-bufsz", required_argument, NULL, EAL_OTHER},
	{"trace-dir", required_argument, NULL, EAL_OTHER},
	{"trace-mode", required_argument, NULL, EAL_OTHER},
	{"vdev", required_argument, NULL, EAL_OTHER},
	{"version", no_argument, NULL, EAL_VERSION},
	{"vfio-intr", required_argument, NULL, EAL_OTHER},
	{"vfio-vf-token", required_argument, NULL, EAL_OTHER},
	{"vmware-tsc-map", no_argument, NULL, EAL_OTHER},
	{NULL, 0, NULL, 0},
};

/* Arguments that the switch adds at most: six options of two words, one of one, and NULL. */
#define ADDED_MAX 16

static int
refuse(int argc, char **argv, int opt, char *why, size_t sz)
{
	const char *arg = optind > 0 && optind <= argc ? argv[optind - 1] : "";

	if (opt == ':')
		snprintf(why, sz, "EAL option %s needs a value", arg);
	else if (options_is_ours(arg))
		snprintf(why, sz,
			"%s is an option of the switch, it stands after --: "
			"vale-switch -- %s ...",
			arg, arg);
	else
		snprintf(why, sz, "option %s is unknown to EAL; see vale-switch --help", arg);
	return -EINVAL;
}

static int
set_prefix(const char *text, struct eal_args *a, char *why, size_t sz)
{
	if (text[0] == '\0' || text[0] == '.' || strpbrk(text, "/% ") != NULL ||
		strlen(text) > 60) {
		snprintf(why, sz,
			"--file-prefix '%s': it is part of file names, "
			"take letters and digits, at most 60",
			text);
		return -EINVAL;
	}
	a->prefix = text;
	return 0;
}

/* Sum of `N,N,...`; EAL says what is wrong with other text. */
static uint64_t
sum_numbers(const char *text)
{
	uint64_t sum = 0;
	char *end;

	for (;;) {
		sum += strtoul(text, &end, 10);
		if (*end != ',')
			return sum;
		text = end + 1;
	}
}

static int
set_main_lcore(const char *text, struct eal_args *a, char *why, size_t sz)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || v < 0 || v >= CPU_SETSIZE) {
		snprintf(why, sz, "--main-lcore %s: must be an lcore id", text);
		return -EINVAL;
	}
	a->main_lcore = (int)v;
	return 0;
}

static int
set_lcores(enum lcores_form form, const char *text, struct eal_args *a, char *why, size_t sz)
{
	if (a->form != LCORES_NONE) {
		snprintf(why, sz, "-l, -c and --lcores exclude each other; give one of them");
		return -EINVAL;
	}
	a->form = form;
	a->lcores = text;
	return 0;
}

static int
check_proc_type(const char *text, char *why, size_t sz)
{
	if (strcmp(text, "primary") == 0)
		return 0;
	snprintf(why, sz, "--proc-type %s: the switch is always the primary process", text);
	return -EINVAL;
}

static int
take(int opt, const char *arg, struct eal_args *a, char *why, size_t sz)
{
	switch (opt) {
	case 'a':
	case 'b':
	case EAL_NO_PCI:
		a->devices = true;
		return 0;
	case 'l':
		return set_lcores(LCORES_LIST, arg, a, why, sz);
	case 'c':
		return set_lcores(LCORES_MASK, arg, a, why, sz);
	case EAL_LCORES:
		return set_lcores(LCORES_MAP, arg, a, why, sz);
	case EAL_MAIN_LCORE:
		return set_main_lcore(arg, a, why, sz);
	case 'm':
	case EAL_SOCKET_MEM:
		a->memory_mb = sum_numbers(arg);
		return 0;
	case EAL_FILE_PREFIX:
		return set_prefix(arg, a, why, sz);
	case EAL_HUGE_DIR:
		a->huge_dir = arg;
		return 0;
	case EAL_LOG_LEVEL:
		a->log_level = true;
		return 0;
	case EAL_PROC_TYPE:
		return check_proc_type(arg, why, sz);
	case EAL_NO_HUGE:
		a->no_huge = true;
		return 0;
	case EAL_IN_MEMORY:
		a->in_memory = a->no_shconf = true;
		return 0;
	case EAL_NO_SHCONF:
		a->no_shconf = true;
		return 0;
	case 'h':
		a->help = true;
		return 0;
	case 'v':
	case EAL_VERSION:
		a->version = true;
		return 0;
	}
	return 0;
}

static int
scan_length(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	return argc;
}

int
eal_args_scan(int argc, char **argv, struct eal_args *a, char *why, size_t sz)
{
	int opt;

	memset(a, 0, sizeof(*a));
	a->argc = scan_length(argc, argv);
	a->argv = argv;
	a->main_lcore = -1;
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	while ((opt = getopt_long(a->argc, argv, ":a:b:c:s:d:hl:S:m:n:r:v", long_options, NULL)) !=
		-1) {
		if (opt == '?' || opt == ':')
			return refuse(a->argc, argv, opt, why, sz);
		if (take(opt, optarg, a, why, sz) < 0)
			return -EINVAL;
	}
	if (optind < a->argc) {
		snprintf(why, sz, "unexpected argument '%s'", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

bool
eal_args_secondaries(const struct eal_args *a)
{
	return !a->no_huge && !a->no_shconf;
}

/* Append one argument; a failure shows as ENOMEM at the end. */
static void
add(struct eal_argv *out, const char *text)
{
	out->argv[out->argc] = strdup(text);
	if (out->argv[out->argc] != NULL)
		out->argc++;
}

static void
add_pair(struct eal_argv *out, const char *option, const char *value)
{
	add(out, option);
	add(out, value);
}

static void
add_number(struct eal_argv *out, const char *option, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	add_pair(out, option, text);
}

int
eal_argv_make(
	const struct eal_args *a, const char *lcores, uint64_t memory_mb, struct eal_argv *out)
{
	int want = a->argc;

	out->argc = 0;
	out->argv = calloc(a->argc + ADDED_MAX, sizeof(*out->argv));
	if (out->argv == NULL)
		return -ENOMEM;
	add(out, a->argc > 0 ? a->argv[0] : "vale-switch");
	add_pair(out, "--file-prefix", a->prefix);
	want += 2;
	if (!a->devices) {
		add(out, "--no-pci");
		want++;
	}
	if (!a->log_level) {
		add_pair(out, "--log-level", "lib.eal:warning");
		add_pair(out, "--log-level", "lib.telemetry:error");
		want += 4;
	}
	if (lcores != NULL) {
		add_pair(out, "--lcores", lcores);
		want += 2;
	}
	if (lcores != NULL && a->main_lcore < 0) {
		add_number(out, "--main-lcore", LCORE_MAIN);
		want += 2;
	}
	if (a->memory_mb == 0) {
		add_number(out, "-m", memory_mb);
		want += 2;
	}
	for (int i = 1; i < a->argc; i++)
		add(out, a->argv[i]);
	if (out->argc != want) {
		eal_argv_free(out);
		return -ENOMEM;
	}
	return 0;
}

void
eal_argv_free(struct eal_argv *out)
{
	for (int i = 0; i < out->argc; i++)
		free(out->argv[i]);
	free(out->argv);
	out->argv = NULL;
	out->argc = 0;
}
