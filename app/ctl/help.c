/* SPDX-License-Identifier: BSD-3-Clause */
/* help: what vale-ctl can do, or how one verb is used. */
#include <stdio.h>
#include <string.h>

#include "ctl.h"

static void
print_overview(void)
{
	puts("usage: vale-ctl [--socket PATH] [-j] VERB [ARGUMENT...]\n"
	     "\n"
	     "  --socket PATH  control socket (default: $VALE_SOCKET, or that of file prefix "
	     "vale)\n"
	     "  -j             answer with one JSON document\n"
	     "\n"
	     "verbs:");
	for (const struct ctl_verb *v = ctl_verbs; v->name != NULL; v++)
		printf("  %-9s %s\n", v->name, v->what);
	puts("\n"
	     "vale-ctl help VERB shows how a verb is used.\n"
	     "netmap's letters work too: -l [NAME], -g PORT, -n PORT, -r PORT, -d PORT, -a, -h, "
	     "-p, -P, -e.\n"
	     "exit code: 0 done, 1 refused, 2 wrong usage, 3 no switch there");
}

int
ctl_help(struct ctl *c, int argc, char **argv)
{
	const struct ctl_verb *v;

	if (argc == 1) {
		print_overview();
		return CTL_OK;
	}
	v = ctl_verb_find(argv[1]);
	if (v == NULL)
		return ctl_usage(c, "there is no verb '%s'; see: vale-ctl help", argv[1]);
	printf("usage: vale-ctl [--socket PATH] [-j] %s%s%s\n%s\n", v->name,
		v->args[0] != '\0' ? " " : "", v->args, v->what);
	return CTL_OK;
}
