/* SPDX-License-Identifier: BSD-3-Clause */
/* workers: what the threads that forward have done since the switch began. */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl.h"
#include "json.h"
#include "table.h"
#include "vale_control_client.h"

static uint64_t
batches_of(const struct vale_ctl_worker_rec *r)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < VALE_CTL_BATCH_CLASSES; i++)
		sum += r->batches[i];
	return sum;
}

static void
json_workers(const struct vale_ctl_worker_rec *recs, uint32_t nb)
{
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_array(&j, "workers");
	for (uint32_t i = 0; i < nb; i++) {
		json_object(&j, NULL);
		if (recs[i].lcore == UINT32_MAX)
			json_null(&j, "lcore");
		else
			json_number(&j, "lcore", recs[i].lcore);
		json_number(&j, "queues", recs[i].queues);
		json_number(&j, "cpu_ns", recs[i].cpu_ns);
		json_number(&j, "frames", recs[i].frames);
		json_number(&j, "sleeps", recs[i].sleeps);
		/* keys of objects would lose their order: [1, 2 to 3, 4 to 7, ... 1,024] */
		json_array(&j, "batches");
		for (unsigned int k = 0; k < VALE_CTL_BATCH_CLASSES; k++)
			json_number(&j, NULL, recs[i].batches[k]);
		json_close(&j);
		json_close(&j);
	}
	json_close(&j);
	json_close(&j);
	json_end(&j);
}

static void
text_workers(const struct vale_ctl_worker_rec *recs, uint32_t nb)
{
	static const char *const heads[] = {
		">lcore", ">queues", ">CPU s", ">frames", ">batches", ">frames/batch", ">sleeps"};
	struct table t;

	table_begin(&t, heads, sizeof(heads) / sizeof(heads[0]));
	for (uint32_t i = 0; i < nb; i++) {
		uint64_t nb_batches = batches_of(&recs[i]);

		if (recs[i].lcore == UINT32_MAX)
			table_cell(&t, "-");
		else
			table_cell(&t, "%" PRIu32, recs[i].lcore);
		table_cell(&t, "%" PRIu32, recs[i].queues);
		table_cell(&t, "%.2f", (double)recs[i].cpu_ns / 1e9);
		table_cell(&t, "%" PRIu64, recs[i].frames);
		table_cell(&t, "%" PRIu64, nb_batches);
		table_cell(&t, "%.1f",
			nb_batches > 0 ? (double)recs[i].frames / (double)nb_batches : 0.0);
		table_cell(&t, "%" PRIu64, recs[i].sleeps);
	}
	table_print(&t, stdout, 0, "\n");
	table_end(&t);
}

int
ctl_workers(struct ctl *c, int argc, char **argv)
{
	struct vale_ctl_name_req req = {0};
	struct ctl_recs recs;
	int rc;

	ctl_doing(c, "list workers");
	vale_ctl_hdr_init(&req.hdr, VALE_CTL_WORKERS, sizeof(req));
	rc = ctl_call_records(c, &req, sizeof(struct vale_ctl_worker_rec), &recs);
	if (rc != CTL_OK)
		return rc;
	if (c->json)
		json_workers(recs.recs, recs.nb);
	else
		text_workers(recs.recs, recs.nb);
	free(recs.recs);
	return CTL_OK;
}
