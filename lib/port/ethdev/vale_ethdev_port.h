/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_ETHDEV_PORT_H
#define VALE_ETHDEV_PORT_H

/**
 * @file
 * `ethdev` ports: any DPDK device as a port, made from its devargs by the operator.
 */

#include <stdint.h>

#include <sys/types.h>

#include <rte_mempool.h>

#include "vale_control_server.h"
#include "vale_switch.h"

/** What ethdev ports need. */
struct vale_ethdev_conf {
	struct rte_mempool *pool; /**< for frames in mbufs of the usual size */
	unsigned int nb_workers;  /**< queues are asked for accordingly */
	/* of sockets for virtual machines, as those of the control socket */
	uid_t socket_owner; /**< (uid_t)-1: unchanged */
	gid_t socket_group; /**< (gid_t)-1: unchanged */
	mode_t socket_mode;
};

/** Register the handler of ATTACH_ETHDEV. Returns 0 or -errno. */
int vale_ethdev_init(
	const struct vale_ethdev_conf *conf, struct vale_switches *s, struct vale_server *server);

/** Make a port that comes with a device of its own (VALE_CTL_CREATE_PORT). 0 or -errno, with a
 * sentence in
 * @p why (VALE_CTL_TEXT_SZ bytes). Control thread; waits for the device. */
int vale_ethdev_create(
	const struct vale_ctl_create_req *req, const struct vale_name *name, char *why);
/**
 * Attach a device, as vale-ctl does. Control thread.
 *
 * @param devargs
 *   "": the interface that the port is named after.
 * @param why
 *   At least VALE_CTL_TEXT_SZ bytes; receives a sentence on failure.
 * @return 0 or -errno.
 */
int vale_ethdev_attach(const char *name, const char *devargs, char *why);

/** Free what is left. All ports are gone. */
void vale_ethdev_fini(void);

#endif /* VALE_ETHDEV_PORT_H */
