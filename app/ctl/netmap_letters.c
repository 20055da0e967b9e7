/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The option letters of netmap's own vale-ctl, mapped to verbs. As there, one letter says what to
 * do and to which name, and -m and -C go with -n.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

struct letters {
	char what;    /* the letter that says what to do, or 0 */
	char *name;   /* its argument, or NULL */
	char refused; /* -m or -C was given */
};

static bool
needs_name(char letter)
{
	return strchr("adgnr", letter) != NULL;
}

/* The argument of the letter at argv[*i]: its rest, or the next one unless that is a letter. */
static char *
take_value(int argc, char **argv, int *i)
{
	if (argv[*i][2] != '\0')
		return &argv[*i][2];
	if (*i + 1 < argc && argv[*i + 1][0] != '-')
		return argv[++*i];
	return NULL;
}

static int
parse(const struct ctl *c, int argc, char **argv, struct letters *l)
{
	for (int i = 0; i < argc; i++) {
		char letter = argv[i][0] == '-' ? argv[i][1] : '\0';
		char *value;

		if (letter == '\0' || strchr("adghlnrpPemC", letter) == NULL)
			return ctl_usage(c, "'%s' is no option here; see: vale-ctl help", argv[i]);
		value = take_value(argc, argv, &i);
		if (value == NULL && (needs_name(letter) || letter == 'm' || letter == 'C'))
			return ctl_usage(c, "-%c takes an argument, as in: vale-ctl -%c %s", letter,
				letter, letter == 'm' ? "1" : "vale0:a");
		if (letter == 'm' || letter == 'C') {
			l->refused = letter;
			continue;
		}
		if (l->what != '\0')
			return ctl_usage(c, "-%c and -%c cannot go together", l->what, letter);
		l->what = letter;
		l->name = value;
	}
	return CTL_OK;
}

/* netmap can have a NIC polled; here workers poll every port, and there is nothing to do. */
static int
tell_polling(const struct ctl *c)
{
	fputs("vale-ctl: polling is the workers' business here, nothing to switch on or off; "
	      "how they idle: vale-ctl get idle\n",
		stderr);
	return ctl_done(c);
}

static int
run_verb(struct ctl *c, const char *verb, char *name)
{
	char *argv[] = {(char *)(uintptr_t)verb, name, NULL};

	return ctl_verb_find(verb)->run(c, name != NULL ? 2 : 1, argv);
}

static int
list_or_show(struct ctl *c, char *name)
{
	const char *colon = name != NULL ? strchr(name, ':') : NULL;

	return run_verb(c, colon != NULL && colon[1] != '\0' ? "show" : "list", name);
}

/* argv[0] is the first letter. */
int
ctl_letters(struct ctl *c, int argc, char **argv)
{
	struct letters l = {0};
	int rc = parse(c, argc, argv, &l);

	if (rc != CTL_OK)
		return rc;
	if (l.what != '\0' && strchr("pPe", l.what) != NULL)
		return tell_polling(c);
	if (l.refused != '\0' && l.what != 'n')
		return ctl_usage(c, "-%c goes with -n, as in: vale-ctl -n vale0:a -%c 1", l.refused,
			l.refused);
	if (l.refused != '\0') {
		ctl_doing(c, "create %s", l.name);
		return ctl_refuse(c, ENOTSUP, "-%c is not available in this version", l.refused);
	}
	switch (l.what) {
	case 'l':
		return list_or_show(c, l.name);
	case 'g':
		return run_verb(c, "show", l.name);
	case 'n':
		return run_verb(c, "create", l.name);
	case 'r':
		return run_verb(c, "destroy", l.name);
	case 'a':
		return run_verb(c, "attach", l.name);
	case 'd':
		return run_verb(c, "detach", l.name);
	default: /* -h */
		return l.name != NULL ? ctl_attach_host(c, l.name) : run_verb(c, "help", NULL);
	}
}
