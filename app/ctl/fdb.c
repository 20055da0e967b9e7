/* SPDX-License-Identifier: BSD-3-Clause */
/* fdb: which MAC address is behind which port. */
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
#include "vale_name.h"

/* The switch's name goes without its colon, which netmap's users are used to. */
static int
init_request(struct ctl *c, struct vale_ctl_name_req *req, enum vale_ctl_type type, const char *sw)
{
	const char *why = NULL;
	char parsed[VALE_NAME_SZ];
	int rc = vale_name_parse_switch(sw, parsed, &why);

	if (rc < 0)
		return ctl_refuse(c, -rc, "%s", why != NULL ? why : "bad name of a switch");
	*req = (struct vale_ctl_name_req){0};
	vale_ctl_hdr_init(&req->hdr, type, sizeof(*req));
	return ctl_set_name(c, req->name, sizeof(req->name), parsed);
}

static int
check_records(const struct ctl *c, struct ctl_recs *recs)
{
	const struct vale_ctl_fdb_rec *r = recs->recs;

	for (uint32_t i = 0; i < recs->nb; i++) {
		if (memchr(r[i].port, '\0', sizeof(r[i].port)) != NULL)
			continue;
		free(recs->recs);
		*recs = (struct ctl_recs){0};
		return ctl_refuse(c, EPROTO, "the switch's list of addresses is malformed");
	}
	return CTL_OK;
}

static void
json_entries(const char *sw, const struct ctl_recs *recs)
{
	const struct vale_ctl_fdb_rec *r = recs->recs;
	char mac[UNITS_SZ];
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_string(&j, "switch", sw);
	json_array(&j, "entries");
	for (uint32_t i = 0; i < recs->nb; i++) {
		json_object(&j, NULL);
		json_string(&j, "mac", units_mac(mac, r[i].mac));
		json_string(&j, "port", r[i].port);
		json_bool(&j, "static", r[i].is_static != 0);
		json_number(&j, "age_s", r[i].age_s);
		json_close(&j);
	}
	json_close(&j);
	json_close(&j);
	json_end(&j);
}

static void
text_entries(const struct ctl_recs *recs)
{
	static const char *const heads[] = {"MAC", "PORT", "TYPE", ">AGE"};
	const struct vale_ctl_fdb_rec *r = recs->recs;
	char mac[UNITS_SZ];
	struct table t;

	if (recs->nb == 0) {
		puts("no entries");
		return;
	}
	table_begin(&t, heads, 4);
	for (uint32_t i = 0; i < recs->nb; i++) {
		table_cell(&t, "%s", units_mac(mac, r[i].mac));
		table_cell(&t, "%s", r[i].port);
		table_cell(&t, "%s", r[i].is_static ? "static" : "learned");
		if (r[i].is_static)
			table_cell(&t, "-");
		else
			table_cell(&t, "%" PRIu32 " s", r[i].age_s);
	}
	table_print(&t, stdout, 0, "\n");
	table_end(&t);
}

static int
compare(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(((const struct vale_ctl_fdb_rec *)x)->mac));
}

/* In order of the addresses. One that moved within the table while it was read may be there twice.
 */
static void
sort_entries(struct ctl_recs *all)
{
	struct vale_ctl_fdb_rec *r = all->recs;
	uint32_t nb = 0;

	if (all->nb == 0)
		return;
	qsort(r, all->nb, sizeof(r[0]), compare);
	for (uint32_t i = 1; i < all->nb; i++) {
		if (compare(&r[nb], &r[i]) != 0)
			r[++nb] = r[i];
	}
	all->nb = nb + 1;
}

/* Add the records of a page, which are freed. Returns 0 or -errno. */
static int
append(struct ctl_recs *all, struct ctl_recs *page)
{
	const size_t sz = sizeof(struct vale_ctl_fdb_rec);
	void *more;

	if (page->nb > UINT32_MAX - all->nb) {
		free(page->recs);
		return -EOVERFLOW;
	}
	more = realloc(all->recs, ((size_t)all->nb + page->nb + 1) * sz);
	if (more != NULL) {
		all->recs = more;
		if (page->nb > 0)
			memcpy((char *)more + all->nb * sz, page->recs, page->nb * sz);
		all->nb += page->nb;
	}
	free(page->recs);
	return more != NULL ? 0 : -ENOMEM;
}

/* All pages of a switch's table. */
static int
fetch_entries(struct ctl *c, const char *sw, struct ctl_recs *all)
{
	struct vale_ctl_fdb_page_req req = {0};
	struct vale_ctl_fdb_page_reply reply = {0};
	int rc;

	*all = (struct ctl_recs){0};
	snprintf(req.name, sizeof(req.name), "%s", sw);
	do {
		struct ctl_recs page;

		req.from = reply.next;
		vale_ctl_hdr_init(&req.hdr, VALE_CTL_FDB_PAGE, sizeof(req));
		rc = ctl_call_records_reply(
			c, &req, &reply.r, sizeof(reply), sizeof(struct vale_ctl_fdb_rec), &page);
		if (rc == CTL_OK)
			rc = check_records(c, &page);
		if (rc == CTL_OK && append(all, &page) < 0)
			rc = ctl_refuse(c, ENOMEM, "no memory for a list of %u addresses", all->nb);
		/* it goes on, or ends */
		if (rc == CTL_OK && reply.next != 0 && reply.next <= req.from)
			rc = ctl_refuse(c, EPROTO, "the switch's list of addresses is malformed");
	} while (rc == CTL_OK && reply.next != 0);
	if (rc != CTL_OK)
		free(all->recs);
	return rc;
}

static int
list_entries(struct ctl *c, const char *sw)
{
	struct vale_ctl_name_req req;
	struct ctl_recs recs;
	int rc;

	ctl_doing(c, "list the addresses of %s", sw);
	rc = init_request(c, &req, VALE_CTL_FDB_PAGE, sw);
	if (rc == CTL_OK)
		rc = fetch_entries(c, req.name, &recs);
	if (rc != CTL_OK)
		return rc;
	sort_entries(&recs);
	if (c->json)
		json_entries(req.name, &recs);
	else
		text_entries(&recs);
	free(recs.recs);
	return CTL_OK;
}

/* A change: the address and the port may each be absent (NULL). */
static int
change(struct ctl *c, enum vale_ctl_type type, const char *sw, const char *mac, const char *port)
{
	struct vale_ctl_name_req req;
	struct vale_ctl_reply reply;
	int rc = init_request(c, &req, type, sw);

	if (rc == CTL_OK && port != NULL)
		rc = ctl_set_name(c, req.port, sizeof(req.port), port);
	if (rc != CTL_OK)
		return rc;
	if (mac != NULL && units_parse_mac(mac, req.mac) < 0)
		return ctl_usage(c, "an address looks like 02:00:00:00:00:01, not '%s'", mac);
	req.has_mac = mac != NULL;
	rc = ctl_call(c, &req, &reply, sizeof(reply));
	return rc == CTL_OK ? ctl_done(c) : rc;
}

int
ctl_fdb(struct ctl *c, int argc, char **argv)
{
	const char *sw = argv[1];
	const char *op = argc > 2 ? argv[2] : "";

	if (argc == 2)
		return list_entries(c, sw);
	if (strcmp(op, "add") == 0 && argc == 5) {
		ctl_doing(c, "add %s to the addresses of %s", argv[3], sw);
		return change(c, VALE_CTL_FDB_ADD, sw, argv[3], argv[4]);
	}
	if (strcmp(op, "del") == 0 && argc == 4) {
		ctl_doing(c, "delete %s from the addresses of %s", argv[3], sw);
		return change(c, VALE_CTL_FDB_DEL, sw, argv[3], NULL);
	}
	if (strcmp(op, "flush") == 0 && argc <= 4) {
		ctl_doing(c, "flush the addresses of %s", argc == 4 ? argv[3] : sw);
		return change(c, VALE_CTL_FDB_FLUSH, sw, NULL, argc == 4 ? argv[3] : NULL);
	}
	return ctl_usage_verb(c, "fdb");
}
