/* SPDX-License-Identifier: BSD-3-Clause */
/* version: of this program, and of the switch at the socket. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "vale_config.h"
#include "vale_control_client.h"

static void
json_version(const struct ctl *c, const struct vale_ctl_version_reply *v)
{
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_string(&j, "vale_ctl", VALE_VERSION);
	json_string(&j, "vale_switch", v->vale_version);
	json_string(&j, "dpdk", v->dpdk_version);
	json_string(&j, "prefix", v->prefix);
	json_string(&j, "socket", c->socket);
	if (v->pid > 0)
		json_number(&j, "pid", (uint64_t)v->pid);
	else
		json_null(&j, "pid");
	json_close(&j);
	json_end(&j);
}

static void
text_version(const struct ctl *c, const struct vale_ctl_version_reply *v)
{
	printf("vale-ctl     %s\n", VALE_VERSION);
	printf("vale-switch  %s\n", v->vale_version);
	printf("DPDK         %s\n", v->dpdk_version);
	printf("file prefix  %s\n", v->prefix);
	printf("socket       %s\n", c->socket);
	printf("process      %" PRId32 "\n", v->pid);
}

int
ctl_version(struct ctl *c, int argc, char **argv)
{
	struct vale_ctl_version_reply v;
	struct vale_ctl_name_req req = {0};
	int rc;

	ctl_doing(c, "ask for the version");
	vale_ctl_hdr_init(&req.hdr, VALE_CTL_VERSION_GET, sizeof(req));
	rc = ctl_call(c, &req, &v, sizeof(v));
	if (rc != CTL_OK)
		return rc;
	if (memchr(v.vale_version, '\0', sizeof(v.vale_version)) == NULL ||
		memchr(v.dpdk_version, '\0', sizeof(v.dpdk_version)) == NULL ||
		memchr(v.prefix, '\0', sizeof(v.prefix)) == NULL)
		return ctl_refuse(c, EPROTO, "the switch's answer is malformed");
	if (c->json)
		json_version(c, &v);
	else
		text_version(c, &v);
	return CTL_OK;
}

/* --version: of this program alone, no switch needed. */
int
ctl_version_own(const struct ctl *c)
{
	struct json j;

	if (!c->json) {
		printf("vale-ctl %s\n", VALE_VERSION);
		return CTL_OK;
	}
	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_string(&j, "vale_ctl", VALE_VERSION);
	json_close(&j);
	json_end(&j);
	return CTL_OK;
}
