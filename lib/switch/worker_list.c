/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_lcore.h>

#include "worker_list.h"

static_assert(VALE_CTL_BATCH_CLASSES == VALE_BATCH_CLASSES, "classes of batches");

static void
fill(const struct vale_workers *ws, unsigned int idx, struct vale_ctl_worker_rec *rec)
{
	struct vale_worker_stats s;

	vale_worker_stats(ws, idx, &s);
	rec->lcore = s.lcore == LCORE_ID_ANY ? UINT32_MAX : s.lcore;
	rec->queues = s.nb_rxq;
	rec->cpu_ns = s.cpu_ns;
	rec->busy_ns = s.busy_ns;
	rec->frames = s.frames;
	rec->sleeps = s.sleeps;
	for (unsigned int i = 0; i < VALE_BATCH_CLASSES; i++)
		rec->batches[i] = s.batches[i];
}

static void
handle_workers(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	struct vale_ctl_worker_rec recs[VALE_WORKERS_MAX] = {0};
	const struct vale_workers *ws = arg;

	for (unsigned int i = 0; i < ws->nb; i++)
		fill(ws, i, &recs[i]);
	vale_conn_reply_records(c, msg, recs, sizeof(recs[0]), ws->nb);
}

static void
fill_queue(const struct vale_rxq *q, struct vale_ctl_queue_rec *rec)
{
	snprintf(rec->port, sizeof(rec->port), "%s", q->ep->port->name.full);
	rec->queue = q->id;
	rec->worker = q->worker;
	rec->load = q->load.share;
	rec->frames = vale_counter_read(&q->frames);
}

static void
handle_queues(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_workers *ws = arg;
	struct vale_ctl_queue_rec *recs;
	struct vale_rxq **rxq;
	uint32_t room = 0, nb = 0;

	for (unsigned int i = 0; i < ws->nb; i++)
		room += vale_worker_queues(ws, i, NULL, 0);
	recs = calloc(room + 1, sizeof(recs[0]));
	rxq = calloc(room + 1, sizeof(rxq[0]));
	if (recs != NULL && rxq != NULL) {
		for (unsigned int i = 0; i < ws->nb; i++)
			nb += vale_worker_queues(ws, i, rxq + nb, room - nb);
		for (uint32_t i = 0; i < nb; i++)
			fill_queue(rxq[i], &recs[i]);
		vale_conn_reply_records(c, msg, recs, sizeof(recs[0]), nb);
	} else {
		vale_conn_refuse(c, msg, ENOMEM, "no memory for a list of queues");
	}
	free(rxq);
	free(recs);
}

void
vale_worker_list_init(struct vale_workers *ws, struct vale_server *server)
{
	vale_server_handle(
		server, VALE_CTL_WORKERS, sizeof(struct vale_ctl_hdr), handle_workers, ws);
	vale_server_handle(server, VALE_CTL_QUEUES, sizeof(struct vale_ctl_hdr), handle_queues, ws);
}
