/* SPDX-License-Identifier: BSD-3-Clause */
/* secondaries: the DPDK processes beside the switch. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "table.h"
#include "vale_control_client.h"

#define LIST_SZ 512

static const char *
state_name(uint8_t state)
{
	static const char *const names[] = {"starting", "running", "attached", "ended"};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

static bool
has_lcore(const struct vale_ctl_secondary_rec *r, unsigned int id)
{
	return id < VALE_CTL_LCORE_BITS && r->lcores[id / 64] >> (id % 64) & 1;
}

/* Add text that fits; a list that does not ends with "...". */
static void __attribute__((format(printf, 2, 3))) append(char *buf, const char *fmt, ...)
{
	size_t len = strlen(buf);
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(buf + len, LIST_SZ - len, fmt, ap) >= (int)(LIST_SZ - len))
		memcpy(buf + LIST_SZ - 4, "...", 4);
	va_end(ap);
}

/* As `--lcores` has them: 0-3,7. */
static const char *
lcores_text(char *buf, const struct vale_ctl_secondary_rec *r)
{
	buf[0] = '\0';
	for (unsigned int id = 0; id < VALE_CTL_LCORE_BITS; id++) {
		unsigned int last = id;

		if (!has_lcore(r, id))
			continue;
		while (has_lcore(r, last + 1))
			last++;
		append(buf, last > id ? "%s%u-%u" : "%s%u", buf[0] != '\0' ? "," : "", id, last);
		id = last;
	}
	return buf[0] != '\0' ? buf : "-";
}

static const char *
ports_text(char *buf, int32_t pid, const struct ctl_recs *ports)
{
	const struct vale_ctl_port_rec *p = ports->recs;

	buf[0] = '\0';
	for (uint32_t i = 0; i < ports->nb; i++)
		if (p[i].pid == pid)
			append(buf, "%s%s", buf[0] != '\0' ? "," : "", p[i].name);
	return buf[0] != '\0' ? buf : "-";
}

static void
text_secondaries(const struct ctl_recs *recs, const struct ctl_recs *ports)
{
	static const char *const heads[] = {
		">PID", "NAME", "STATE", "LCORES", ">MBUFS", ">QUOTA", ">REFUSED", "PORTS"};
	const struct vale_ctl_secondary_rec *r = recs->recs;
	char buf[LIST_SZ];
	struct table t;

	if (recs->nb == 0) {
		puts("no secondary processes");
		return;
	}
	table_begin(&t, heads, sizeof(heads) / sizeof(heads[0]));
	for (uint32_t i = 0; i < recs->nb; i++) {
		table_cell(&t, "%" PRId32, r[i].pid);
		table_cell(&t, "%s", r[i].comm);
		table_cell(&t, "%s", state_name(r[i].state));
		table_cell(&t, "%s", lcores_text(buf, &r[i]));
		if (r[i].uses_pool) {
			table_cell(&t, "%" PRIu32, r[i].held);
			if (r[i].quota != 0)
				table_cell(&t, "%" PRIu32, r[i].quota);
			else
				table_cell(&t, "none");
			table_cell(&t, "%" PRIu64, r[i].refused);
		} else {
			for (int k = 0; k < 3; k++)
				table_cell(&t, "-");
		}
		table_cell(&t, "%s", ports_text(buf, r[i].pid, ports));
	}
	table_print(&t, stdout, 0, "\n");
	table_end(&t);
}

static void
json_one(struct json *j, const struct vale_ctl_secondary_rec *r, const struct ctl_recs *ports)
{
	const struct vale_ctl_port_rec *p = ports->recs;

	json_object(j, NULL);
	json_number(j, "pid", (uint64_t)r->pid);
	json_string(j, "name", r->comm);
	json_string(j, "state", state_name(r->state));
	json_array(j, "lcores");
	for (unsigned int id = 0; id < VALE_CTL_LCORE_BITS; id++)
		if (has_lcore(r, id))
			json_number(j, NULL, id);
	json_close(j);
	if (r->uses_pool) {
		json_number(j, "mbufs", r->held);
		json_number(j, "refused", r->refused);
	} else {
		json_null(j, "mbufs");
		json_null(j, "refused");
	}
	if (r->quota != 0)
		json_number(j, "quota", r->quota);
	else
		json_null(j, "quota");
	json_array(j, "ports");
	for (uint32_t i = 0; i < ports->nb; i++)
		if (p[i].pid == r->pid)
			json_string(j, NULL, p[i].name);
	json_close(j);
	json_close(j);
}

static void
json_secondaries(const struct ctl_recs *recs, const struct ctl_recs *ports)
{
	const struct vale_ctl_secondary_rec *r = recs->recs;
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_array(&j, "secondaries");
	for (uint32_t i = 0; i < recs->nb; i++)
		json_one(&j, &r[i], ports);
	json_close(&j);
	json_close(&j);
	json_end(&j);
}

static int
fetch(struct ctl *c, struct ctl_recs *out)
{
	struct vale_ctl_secondary_rec *r;
	struct vale_ctl_hdr req = {0};
	int rc;

	vale_ctl_hdr_init(&req, VALE_CTL_SECONDARIES, sizeof(req));
	rc = ctl_call_records(c, &req, sizeof(*r), out);
	if (rc != CTL_OK)
		return rc;
	r = out->recs;
	for (uint32_t i = 0; i < out->nb; i++)
		r[i].comm[sizeof(r[i].comm) - 1] = '\0';
	return CTL_OK;
}

int
ctl_secondaries(
	struct ctl *c, int argc __attribute__((unused)), char **argv __attribute__((unused)))
{
	struct ctl_recs recs = {0}, ports = {0};
	int rc;

	ctl_doing(c, "list the secondary processes");
	rc = fetch(c, &recs);
	if (rc != CTL_OK)
		return rc;
	rc = ctl_fetch_ports(c, "", &ports);
	if (rc == CTL_OK && c->json)
		json_secondaries(&recs, &ports);
	else if (rc == CTL_OK)
		text_secondaries(&recs, &ports);
	free(ports.recs);
	free(recs.recs);
	return rc;
}
