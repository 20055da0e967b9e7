/* SPDX-License-Identifier: BSD-3-Clause */
/* vale-exec: start a netmap program on a switch in user space. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec.h"
#include "vale_config.h"

static const char usage_text[] =
	"Usage: vale-exec [--socket PATH] [--verbose] [PROGRAM [ARGUMENT...]]\n"
	"Start a netmap program whose /dev/netmap is a running vale-switch. Without a program, a\n"
	"shell ($SHELL) in which every netmap program is.\n"
	"\n"
	"  -s, --socket PATH  the switch's control socket ($VALE_SOCKET, else its default)\n"
	"  -v, --verbose      tell why the switch refuses a request; programs only have an errno\n"
	"      --apparmor     print what the AppArmor profile of a confined program must allow\n"
	"  -h, --help         this text\n"
	"  -V, --version      the version\n";

static int
usage(FILE *to)
{
	fputs(usage_text, to);
	return to == stdout ? 0 : EXEC_USAGE;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"verbose", no_argument, NULL, 'v'},
		{"apparmor", no_argument, NULL, 'A'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	char *shell[2] = {NULL, NULL};
	struct exec_opts opts = {0};
	int c;

	/* the first word that is no option is the program; what follows is its own */
	while ((c = getopt_long(argc, argv, "+s:vhV", options, NULL)) != -1) {
		switch (c) {
		case 's':
			opts.socket = optarg;
			break;
		case 'v':
			opts.verbose = true;
			break;
		case 'A':
			opts.apparmor = true;
			break;
		case 'h':
			return usage(stdout);
		case 'V':
			puts("vale-exec " VALE_VERSION);
			return 0;
		default:
			return usage(stderr);
		}
	}
	argv += optind;
	if (argv[0] == NULL) {
		shell[0] = getenv("SHELL");
		if (shell[0] == NULL || shell[0][0] == '\0')
			shell[0] = (char *)(uintptr_t) "/bin/sh";
		argv = shell;
	}
	return exec_program(&opts, argv);
}
