/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How an invocation ended. For people one line on standard error, for programs (-j) one JSON
 * document on standard output.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "vale_control_client.h"

/* Room for what is refused, the switch's sentence and what the user typed. */
#define LINE_SZ 1024

/* An outcome is one line, whatever the user typed or the switch said. */
static void
make_one_line(char *s)
{
	size_t len;

	for (size_t i = 0; s[i] != '\0'; i++) {
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			s[i] = ' ';
	}
	len = strlen(s);
	while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '.'))
		s[--len] = '\0';
}

static void
tell(const struct ctl *c, const char *error, char *message)
{
	make_one_line(message);
	if (c->json) {
		struct json j;

		json_begin(&j, stdout);
		json_object(&j, NULL);
		json_string(&j, "error", error);
		json_string(&j, "message", message);
		json_close(&j);
		json_end(&j);
	} else {
		fprintf(stderr, "vale-ctl: %s (%s)\n", message, error);
	}
}

/* Say what is being done, for the refusal that may come: "attach vale0:up". */
void
ctl_doing(struct ctl *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->doing, sizeof(c->doing), fmt, ap);
	va_end(ap);
}

/* What c->doing says was refused, for the reason given: "cannot DOING: REASON (ERRNO)". */
int
ctl_refuse(const struct ctl *c, int err, const char *fmt, ...)
{
	char line[LINE_SZ], reason[LINE_SZ / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "cannot %s: %s", c->doing, reason);
	tell(c, vale_errno_name(err), line);
	return CTL_REFUSED;
}

/* The command line is wrong. The sentence says what to do. */
int
ctl_usage(const struct ctl *c, const char *fmt, ...)
{
	char line[LINE_SZ];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	make_one_line(line);
	if (c->json)
		tell(c, "EINVAL", line);
	else
		fprintf(stderr, "vale-ctl: %s\n", line);
	return CTL_USAGE;
}

/* The arguments of a verb are wrong: show its synopsis. */
int
ctl_usage_verb(const struct ctl *c, const char *verb)
{
	const struct ctl_verb *v = ctl_verb_find(verb);

	return ctl_usage(c, "usage: vale-ctl %s %s", v->name, v->args);
}

/* A verb that changes something has nothing to show. */
int
ctl_done(const struct ctl *c)
{
	if (c->json)
		puts("{}");
	return CTL_OK;
}

/* No switch answers at the socket. */
int
ctl_no_switch(const struct ctl *c, int err, const char *fmt, ...)
{
	char line[LINE_SZ];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	tell(c, vale_errno_name(err), line);
	return CTL_NO_SWITCH;
}
