/* SPDX-License-Identifier: BSD-3-Clause */
/* get, set: limits and tunables by name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "table.h"
#include "vale_control_client.h"

static bool
is_sound(const struct vale_ctl_var *v)
{
	return memchr(v->name, '\0', sizeof(v->name)) != NULL &&
	       memchr(v->value, '\0', sizeof(v->value)) != NULL &&
	       memchr(v->unit, '\0', sizeof(v->unit)) != NULL;
}

static int
fetch(struct ctl *c, const char *name, struct vale_ctl_get_reply *reply)
{
	struct vale_ctl_var_req req = {0};
	int rc = CTL_OK;

	vale_ctl_hdr_init(&req.hdr, VALE_CTL_GET, sizeof(req));
	if (strlen(name) >= sizeof(req.name))
		return ctl_refuse(c, ENOENT, "there is no such variable; see: vale-ctl get");
	memcpy(req.name, name, strlen(name));
	rc = ctl_call(c, &req, reply, sizeof(*reply));
	if (rc != CTL_OK)
		return rc;
	if (reply->r.nb_recs > VALE_CTL_VARS_MAX)
		return ctl_refuse(c, EPROTO, "the switch's list of variables is malformed");
	for (uint32_t i = 0; i < reply->r.nb_recs; i++) {
		if (!is_sound(&reply->vars[i]))
			return ctl_refuse(c, EPROTO, "the switch's list of variables is malformed");
	}
	return CTL_OK;
}

static bool
parse_number(const char *text, uint64_t *n)
{
	char *end;

	/* strtoull() would also take a sign and blanks */
	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*n = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static void
json_vars(const struct vale_ctl_get_reply *reply)
{
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	for (uint32_t i = 0; i < reply->r.nb_recs; i++) {
		const struct vale_ctl_var *v = &reply->vars[i];
		uint64_t n;

		if (!v->is_text && parse_number(v->value, &n))
			json_number(&j, v->name, n);
		else
			json_string(&j, v->name, v->value);
	}
	json_close(&j);
	json_end(&j);
}

static void
text_vars(const struct vale_ctl_get_reply *reply)
{
	static const char *const heads[] = {"NAME", ">VALUE", "UNIT", "MODE"};
	struct table t;

	table_begin(&t, heads, 4);
	for (uint32_t i = 0; i < reply->r.nb_recs; i++) {
		const struct vale_ctl_var *v = &reply->vars[i];

		table_cell(&t, "%s", v->name);
		table_cell(&t, "%s", v->value);
		table_cell(&t, "%s", v->unit[0] != '\0' ? v->unit : "-");
		table_cell(&t, "%s", v->read_only ? "read only" : "settable");
	}
	table_print(&t, stdout, 0, "\n");
	table_end(&t);
}

int
ctl_get(struct ctl *c, int argc, char **argv)
{
	struct vale_ctl_get_reply reply;
	int rc;

	ctl_doing(c, "get %s", argc > 1 ? argv[1] : "variables");
	if (argc > 1 && argv[1][0] == '\0')
		return ctl_usage_verb(c, "get");
	rc = fetch(c, argc > 1 ? argv[1] : "", &reply);
	if (rc != CTL_OK)
		return rc;
	if (c->json)
		json_vars(&reply);
	else if (argc > 1 && reply.r.nb_recs == 1)
		printf("%s\n", reply.vars[0].value);
	else
		text_vars(&reply);
	return CTL_OK;
}

int
ctl_set(struct ctl *c, int argc, char **argv)
{
	struct vale_ctl_var_req req = {0};
	struct vale_ctl_reply reply;
	int rc;

	ctl_doing(c, "set %s", argv[1]);
	vale_ctl_hdr_init(&req.hdr, VALE_CTL_SET, sizeof(req));
	if (strlen(argv[1]) >= sizeof(req.name))
		return ctl_refuse(c, ENOENT, "there is no such variable; see: vale-ctl get");
	if (strlen(argv[2]) >= sizeof(req.value))
		return ctl_refuse(c, EINVAL, "the value is longer than %zu characters",
			sizeof(req.value) - 1);
	memcpy(req.name, argv[1], strlen(argv[1]));
	memcpy(req.value, argv[2], strlen(argv[2]));
	rc = ctl_call(c, &req, &reply, sizeof(reply));
	return rc == CTL_OK ? ctl_done(c) : rc;
}
