/* SPDX-License-Identifier: BSD-3-Clause */
/* workers: what the threads that forward have done since the switch began, and what they poll. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* What a worker has to do, thousandths of a core. */
static uint32_t
load_of(uint32_t worker, const struct ctl_recs *queues)
{
	const struct vale_ctl_queue_rec *q = queues->recs;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < queues->nb; i++)
		sum += q[i].worker == worker ? q[i].load : 0;
	return sum;
}

static void
json_queues(struct json *j, uint32_t worker, const struct ctl_recs *queues)
{
	const struct vale_ctl_queue_rec *q = queues->recs;

	json_array(j, "polls");
	for (uint32_t i = 0; i < queues->nb; i++) {
		if (q[i].worker != worker)
			continue;
		json_object(j, NULL);
		json_string(j, "port", q[i].port);
		json_number(j, "queue", q[i].queue);
		json_number(j, "load", q[i].load);
		json_number(j, "frames", q[i].frames);
		json_close(j);
	}
	json_close(j);
}

static void
json_worker(struct json *j, const struct vale_ctl_worker_rec *r)
{
	if (r->lcore == UINT32_MAX)
		json_null(j, "lcore");
	else
		json_number(j, "lcore", r->lcore);
	json_number(j, "queues", r->queues);
	json_number(j, "cpu_ns", r->cpu_ns);
	json_number(j, "busy_ns", r->busy_ns);
	json_number(j, "frames", r->frames);
	json_number(j, "sleeps", r->sleeps);
	/* keys of objects would lose their order: [1, 2 to 3, 4 to 7, ... 1,024] */
	json_array(j, "batches");
	for (unsigned int k = 0; k < VALE_CTL_BATCH_CLASSES; k++)
		json_number(j, NULL, r->batches[k]);
	json_close(j);
}

static void
json_workers(const struct ctl_recs *workers, const struct ctl_recs *queues)
{
	const struct vale_ctl_worker_rec *r = workers->recs;
	struct json j;

	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_array(&j, "workers");
	for (uint32_t i = 0; i < workers->nb; i++) {
		json_object(&j, NULL);
		json_worker(&j, &r[i]);
		json_number(&j, "load", load_of(i, queues));
		json_queues(&j, i, queues);
		json_close(&j);
	}
	json_close(&j);
	json_close(&j);
	json_end(&j);
}

static void
cell_lcore(struct table *t, uint32_t lcore)
{
	if (lcore == UINT32_MAX)
		table_cell(t, "-");
	else
		table_cell(t, "%" PRIu32, lcore);
}

static void
cell_load(struct table *t, uint32_t load)
{
	table_cell(t, "%" PRIu32 ".%" PRIu32, load / 10, load % 10);
}

static void
text_workers(const struct ctl_recs *workers, const struct ctl_recs *queues)
{
	static const char *const heads[] = {">lcore", ">queues", ">load %", ">CPU s", ">frames",
		">batches", ">frames/batch", ">sleeps"};
	const struct vale_ctl_worker_rec *r = workers->recs;
	struct table t;

	table_begin(&t, heads, sizeof(heads) / sizeof(heads[0]));
	for (uint32_t i = 0; i < workers->nb; i++) {
		uint64_t nb_batches = batches_of(&r[i]);

		cell_lcore(&t, r[i].lcore);
		table_cell(&t, "%" PRIu32, r[i].queues);
		cell_load(&t, load_of(i, queues));
		table_cell(&t, "%.2f", (double)r[i].cpu_ns / 1e9);
		table_cell(&t, "%" PRIu64, r[i].frames);
		table_cell(&t, "%" PRIu64, nb_batches);
		table_cell(&t, "%.1f",
			nb_batches > 0 ? (double)r[i].frames / (double)nb_batches : 0.0);
		table_cell(&t, "%" PRIu64, r[i].sleeps);
	}
	table_print(&t, stdout, 0, "\n");
	table_end(&t);
}

static void
text_queues(const struct ctl_recs *workers, const struct ctl_recs *queues)
{
	static const char *const heads[] = {">lcore", "port", ">queue", ">load %", ">frames"};
	const struct vale_ctl_worker_rec *w = workers->recs;
	const struct vale_ctl_queue_rec *q = queues->recs;
	struct table t;

	if (queues->nb == 0)
		return;
	puts("");
	table_begin(&t, heads, sizeof(heads) / sizeof(heads[0]));
	for (uint32_t i = 0; i < queues->nb; i++) {
		cell_lcore(&t, q[i].worker < workers->nb ? w[q[i].worker].lcore : UINT32_MAX);
		table_cell(&t, "%s", q[i].port);
		table_cell(&t, "%" PRIu16, q[i].queue);
		cell_load(&t, q[i].load);
		table_cell(&t, "%" PRIu64, q[i].frames);
	}
	table_print(&t, stdout, 0, "\n");
	table_end(&t);
}

static int
fetch_workers(struct ctl *c, struct ctl_recs *workers)
{
	struct vale_ctl_name_req req = {0};

	vale_ctl_hdr_init(&req.hdr, VALE_CTL_WORKERS, sizeof(req));
	return ctl_call_records(c, &req, sizeof(struct vale_ctl_worker_rec), workers);
}

static int
fetch_queues(struct ctl *c, struct ctl_recs *queues)
{
	struct vale_ctl_hdr req;
	const struct vale_ctl_queue_rec *q;
	int rc;

	vale_ctl_hdr_init(&req, VALE_CTL_QUEUES, sizeof(req));
	rc = ctl_call_records(c, &req, sizeof(struct vale_ctl_queue_rec), queues);
	q = queues->recs;
	for (uint32_t i = 0; rc == CTL_OK && i < queues->nb; i++) {
		if (memchr(q[i].port, '\0', sizeof(q[i].port)) != NULL)
			continue;
		free(queues->recs);
		rc = ctl_refuse(c, EPROTO, "the switch's list of queues is malformed");
	}
	return rc;
}

int
ctl_workers(struct ctl *c, int argc, char **argv)
{
	struct ctl_recs workers, queues;
	int rc;

	ctl_doing(c, "list workers");
	rc = fetch_workers(c, &workers);
	if (rc != CTL_OK)
		return rc;
	rc = fetch_queues(c, &queues);
	if (rc == CTL_OK) {
		if (c->json) {
			json_workers(&workers, &queues);
		} else {
			text_workers(&workers, &queues);
			text_queues(&workers, &queues);
		}
		free(queues.recs);
	}
	free(workers.recs);
	return rc;
}
