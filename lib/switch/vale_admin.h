/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_ADMIN_H
#define VALE_ADMIN_H

/**
 * @file
 * What vale-ctl asks of the switch: list, fdb, create, destroy, detach, get, set, wait, version.
 */

#include <rte_mempool.h>

#include "vale_control_server.h"
#include "vale_switch.h"

struct vale_admin_conf {
	const char *prefix;	  /**< --file-prefix */
	struct rte_mempool *pool; /**< whose free mbufs are `mbufs_free` */
	/** Make a port with a device of its own; NULL: there are none. 0 or -errno, with @p why. */
	int (*create_device)(
		const struct vale_ctl_create_req *req, const struct vale_name *name, char *why);
	uint32_t verbose; /**< --verbose: log level of our messages, 0 (errors) .. 3 (debug) */
};

/** Register the handlers and start the once-a-second tick. Returns 0 or -errno. */
int vale_admin_init(
	const struct vale_admin_conf *conf, struct vale_switches *s, struct vale_server *server);
void vale_admin_fini(void);

/** Set the log level of all `vale.*` log types: 0 errors, 1 notices (default), 2 info, 3 debug. */
void vale_log_set_verbose(uint32_t verbose);

#endif /* VALE_ADMIN_H */
