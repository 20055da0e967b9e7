/* SPDX-License-Identifier: BSD-3-Clause */
/* list, show, stats: ports as the switch tells them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "table.h"
#include "units.h"
#include "vale_control_client.h"
#include "vale_stats.h"

static_assert((int)VALE_DROP_MAX <= VALE_CTL_DROPS, "every reason has its place in a record");

const char *
ctl_kind_name(uint8_t kind)
{
	static const char *const names[] = {
		[VALE_CTL_KIND_DPDK] = "dpdk",
		[VALE_CTL_KIND_NETMAP] = "netmap",
		[VALE_CTL_KIND_MEMIF] = "memif",
		[VALE_CTL_KIND_ETHDEV] = "ethdev",
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : NULL;
}

/* A reason that the switch does not know counts nothing. */
static uint64_t
drops_of(const struct vale_ctl_port_rec *r, unsigned int reason)
{
	return reason < r->nb_drops ? r->drops[reason] : 0;
}

uint64_t
ctl_drops_total(const struct vale_ctl_port_rec *r)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < VALE_DROP_MAX; i++)
		total += drops_of(r, i);
	return total;
}

static int
check_records(struct ctl *c, struct ctl_recs *recs)
{
	const struct vale_ctl_port_rec *r = recs->recs;

	for (uint32_t i = 0; i < recs->nb; i++) {
		if (memchr(r[i].name, '\0', sizeof(r[i].name)) != NULL &&
			memchr(r[i].detail, '\0', sizeof(r[i].detail)) != NULL)
			continue;
		free(recs->recs);
		*recs = (struct ctl_recs){0};
		return ctl_refuse(c, EPROTO, "the switch's list of ports is malformed");
	}
	return CTL_OK;
}

/*
 * Records of all ports (""), of a switch's, or of one port; sorted by switch, then port. On CTL_OK
 * the caller frees out->recs.
 */
int
ctl_fetch_ports(struct ctl *c, const char *name, struct ctl_recs *out)
{
	struct vale_ctl_name_req req = {0};
	int rc;

	vale_ctl_hdr_init(&req.hdr, VALE_CTL_LIST, sizeof(req));
	if (name[0] != '\0') {
		rc = ctl_set_name(c, req.name, sizeof(req.name), name);
		if (rc != CTL_OK)
			return rc;
	}
	rc = ctl_call_records(c, &req, sizeof(struct vale_ctl_port_rec), out);
	return rc == CTL_OK ? check_records(c, out) : rc;
}

/* One PORT of docs/contracts.md. */
static void
json_port(struct json *j, const char *key, const struct vale_ctl_port_rec *r)
{
	char mac[UNITS_SZ];

	json_object(j, key);
	json_string(j, "name", r->name);
	json_string(j, "kind", ctl_kind_name(r->kind));
	json_bool(j, "persistent", r->persistent != 0);
	if (r->pid > 0)
		json_number(j, "pid", (uint64_t)r->pid);
	else
		json_null(j, "pid");
	json_string(j, "mac", units_mac(mac, r->mac));
	json_number(j, "queues", r->queues);
	json_bool(j, "link", r->link != 0);
	json_number(j, "rx_packets", r->rx_packets);
	json_number(j, "rx_bytes", r->rx_bytes);
	json_number(j, "tx_packets", r->tx_packets);
	json_number(j, "tx_bytes", r->tx_bytes);
	json_object(j, "drops");
	for (unsigned int i = 0; i < VALE_DROP_MAX; i++)
		json_number(j, vale_drop_names[i], drops_of(r, i));
	json_close(j);
	json_close(j);
}

/* Length of the switch's part of a port's name. */
static size_t
switch_len(const struct vale_ctl_port_rec *r)
{
	return strcspn(r->name, ":");
}

static bool
same_switch(const struct vale_ctl_port_rec *a, const struct vale_ctl_port_rec *b)
{
	return switch_len(a) == switch_len(b) && memcmp(a->name, b->name, switch_len(a)) == 0;
}

static void
json_list(const struct vale_ctl_port_rec *r, uint32_t nb)
{
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_array(&j, "switches");
	for (uint32_t i = 0; i < nb; i++) {
		if (i == 0 || !same_switch(&r[i - 1], &r[i])) {
			char name[sizeof(r->name)];

			snprintf(name, sizeof(name), "%.*s", (int)switch_len(&r[i]), r[i].name);
			json_object(&j, NULL);
			json_string(&j, "name", name);
			json_array(&j, "ports");
		}
		json_port(&j, NULL, &r[i]);
		if (i + 1 == nb || !same_switch(&r[i], &r[i + 1])) {
			json_close(&j);
			json_close(&j);
		}
	}
	json_close(&j);
	json_close(&j);
	json_end(&j);
}

static void
cell_pid(struct table *t, const struct vale_ctl_port_rec *r)
{
	if (r->pid > 0)
		table_cell(t, "%" PRId32, r->pid);
	else
		table_cell(t, "-");
}

static void
text_list(const struct vale_ctl_port_rec *r, uint32_t nb)
{
	static const char *const heads[] = {
		"PORT", "KIND", ">PID", "MAC", ">QUEUES", "LINK", "LIFE"};
	char mac[UNITS_SZ];
	struct table t;

	if (nb == 0) {
		puts("no switches");
		return;
	}
	table_begin(&t, heads, 7);
	for (uint32_t i = 0; i < nb; i++) {
		const char *kind = ctl_kind_name(r[i].kind);

		table_cell(&t, "%s", r[i].name);
		table_cell(&t, "%s", kind != NULL ? kind : "-");
		cell_pid(&t, &r[i]);
		table_cell(&t, "%s", units_mac(mac, r[i].mac));
		table_cell(&t, "%u", r[i].queues);
		table_cell(&t, "%s", r[i].link ? "up" : "down");
		table_cell(&t, "%s", r[i].persistent ? "persistent" : "ephemeral");
	}
	table_print(&t, stdout, 0, "\n");
	table_end(&t);
}

int
ctl_list(struct ctl *c, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	struct ctl_recs recs;
	int rc;

	ctl_doing(c, argc > 1 ? "list %s" : "list", name);
	rc = ctl_fetch_ports(c, name, &recs);
	if (rc != CTL_OK)
		return rc;
	if (c->json)
		json_list(recs.recs, recs.nb);
	else
		text_list(recs.recs, recs.nb);
	free(recs.recs);
	return CTL_OK;
}

static void
text_drops(const struct vale_ctl_port_rec *r)
{
	for (unsigned int i = 0; i < VALE_DROP_MAX; i++)
		printf("drops %-12s%" PRIu64 "\n", vale_drop_names[i], drops_of(r, i));
}

static void
text_port(const struct vale_ctl_port_rec *r)
{
	const char *kind = ctl_kind_name(r->kind);
	char buf[UNITS_SZ];

	printf("port              %s\n", r->name);
	printf("kind              %s\n", kind != NULL ? kind : "none (no client)");
	if (r->detail[0] != '\0')
		printf("device            %s\n", r->detail);
	if (r->pid > 0)
		printf("process           %" PRId32 "\n", r->pid);
	printf("persistent        %s\n", r->persistent ? "yes" : "no");
	if (r->owner_plus_1 > 0)
		printf("reserved for      user %" PRIu32 "\n", r->owner_plus_1 - 1);
	printf("MAC address       %s\n", units_mac(buf, r->mac));
	printf("queue pairs       %u\n", r->queues);
	printf("link              %s\n", r->link ? "up" : "down");
	printf("received          %" PRIu64 " frames, ", r->rx_packets);
	printf("%" PRIu64 " bytes (%s)\n", r->rx_bytes, units_bytes(buf, (double)r->rx_bytes));
	printf("delivered         %" PRIu64 " frames, ", r->tx_packets);
	printf("%" PRIu64 " bytes (%s)\n", r->tx_bytes, units_bytes(buf, (double)r->tx_bytes));
	text_drops(r);
}

static const struct vale_ctl_port_rec *
find_port(const struct ctl_recs *recs, const char *name)
{
	const struct vale_ctl_port_rec *r = recs->recs;

	for (uint32_t i = 0; i < recs->nb; i++) {
		if (strcmp(r[i].name, name) == 0)
			return &r[i];
	}
	return NULL;
}

/* Print one PORT; c->doing says for what. */
int
ctl_print_port(struct ctl *c, const char *name)
{
	const struct vale_ctl_port_rec *r;
	struct ctl_recs recs;
	int rc = ctl_fetch_ports(c, name, &recs);

	if (rc != CTL_OK)
		return rc;
	r = find_port(&recs, name);
	if (r == NULL) {
		rc = ctl_refuse(c, ENXIO, "there is no port %s; see: vale-ctl list", name);
	} else if (c->json) {
		struct json j;

		json_begin(&j, stdout);
		json_port(&j, NULL, r);
		json_end(&j);
	} else {
		text_port(r);
	}
	free(recs.recs);
	return rc;
}

int
ctl_show(struct ctl *c, int argc, char **argv)
{
	char name[VALE_CTL_TEXT_SZ];
	int rc;

	ctl_doing(c, "show %s", argv[1]);
	rc = ctl_set_port_name(c, name, sizeof(name), argv[1]);
	return rc == CTL_OK ? ctl_print_port(c, name) : rc;
}

static void
json_stats(const struct vale_ctl_port_rec *r, uint32_t nb)
{
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_array(&j, "ports");
	for (uint32_t i = 0; i < nb; i++)
		json_port(&j, NULL, &r[i]);
	json_close(&j);
	json_close(&j);
	json_end(&j);
}

/* "dst_full 12, runt 3", reasons that counted something; "-" for none. */
static void
cell_reasons(struct table *t, const struct vale_ctl_port_rec *r)
{
	char text[VALE_DROP_MAX * 40] = "-";
	size_t len = 0;

	for (unsigned int i = 0; i < VALE_DROP_MAX; i++) {
		if (drops_of(r, i) == 0)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %" PRIu64,
			len > 0 ? ", " : "", vale_drop_names[i], drops_of(r, i));
	}
	table_cell(t, "%s", text);
}

static void
text_stats(const struct vale_ctl_port_rec *r, uint32_t nb)
{
	static const char *const heads[] = {
		"PORT", ">RX FRAMES", ">RX BYTES", ">TX FRAMES", ">TX BYTES", ">DROPS", "REASONS"};
	char buf[UNITS_SZ];
	struct table t;

	if (nb == 0) {
		puts("no switches");
		return;
	}
	table_begin(&t, heads, 7);
	for (uint32_t i = 0; i < nb; i++) {
		table_cell(&t, "%s", r[i].name);
		table_cell(&t, "%s", units_count(buf, (double)r[i].rx_packets));
		table_cell(&t, "%s", units_bytes(buf, (double)r[i].rx_bytes));
		table_cell(&t, "%s", units_count(buf, (double)r[i].tx_packets));
		table_cell(&t, "%s", units_bytes(buf, (double)r[i].tx_bytes));
		table_cell(&t, "%s", units_count(buf, (double)ctl_drops_total(&r[i])));
		cell_reasons(&t, &r[i]);
	}
	table_print(&t, stdout, 0, "\n");
	table_end(&t);
}

int
ctl_stats(struct ctl *c, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	struct ctl_recs recs;
	int rc = CTL_OK;

	ctl_doing(c, argc > 1 ? "show statistics of %s" : "show statistics", name);
	if (argc > 1 && name[0] == '\0')
		rc = ctl_set_name(c, NULL, 0, name);
	if (rc == CTL_OK)
		rc = ctl_fetch_ports(c, name, &recs);
	if (rc != CTL_OK)
		return rc;
	if (c->json)
		json_stats(recs.recs, recs.nb);
	else
		text_stats(recs.recs, recs.nb);
	free(recs.recs);
	return CTL_OK;
}
