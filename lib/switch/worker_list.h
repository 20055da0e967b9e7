/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_WORKER_LIST_H
#define VALE_WORKER_LIST_H

/**
 * @file
 * The request WORKERS: what each worker has done. Private to lib/switch.
 */

#include "vale_control_server.h"
#include "vale_worker.h"

/** Register the request. Before the server starts. */
void vale_worker_list_init(struct vale_workers *ws, struct vale_server *server);

#endif /* VALE_WORKER_LIST_H */
