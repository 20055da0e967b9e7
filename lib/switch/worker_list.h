/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_WORKER_LIST_H
#define VALE_WORKER_LIST_H

/**
 * @file
 * The requests WORKERS and QUEUES: what each worker has done, and what it polls. Private to
 * lib/switch.
 */

#include "vale_control_server.h"
#include "vale_worker.h"

/** Register the requests. Before the server starts. */
void vale_worker_list_init(struct vale_workers *ws, struct vale_server *server);

#endif /* VALE_WORKER_LIST_H */
