/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_EAL_MP_PROTO_H
#define VALE_EAL_MP_PROTO_H

/**
 * @file
 * What EAL's processes of one group say to each other, as far as the switch takes part: DPDK 22.11.
 *
 * EAL does not publish these layouts and may change them with a release, so
 * vale_eal_mp_known() is asked before anything here is used. They were read from lib/eal/common
 * (eal_common_proc.c, hotplug_mp.h) and drivers/bus/vdev/vdev.c.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_version.h>

/** The one release whose layouts are below. */
#define VALE_EAL_MP_YEAR 22
#define VALE_EAL_MP_MONTH 11

/** Whether the DPDK that runs (not the one of the build) is one whose layouts we know. */
static inline bool
vale_eal_mp_known(void)
{
	return rte_version_year() == VALE_EAL_MP_YEAR && rte_version_month() == VALE_EAL_MP_MONTH;
}

/** Kinds of datagrams between EAL's processes. */
enum vale_eal_mp_type {
	VALE_EAL_MP_MSG = 0, /* no answer expected */
	VALE_EAL_MP_REQ = 1,
	VALE_EAL_MP_REP = 2,
	VALE_EAL_MP_IGN = 3, /* "not ready yet, leave me out" */
};

/** A datagram on an `mp_socket`: sent up to, and without, msg.fds; descriptors go as SCM_RIGHTS. */
struct vale_eal_mp_dgram {
	int32_t type; /* enum vale_eal_mp_type */
	struct rte_mp_msg msg;
};
#define VALE_EAL_MP_DGRAM_SZ \
	(sizeof(struct vale_eal_mp_dgram) - sizeof(((struct rte_mp_msg *)NULL)->fds))
static_assert(VALE_EAL_MP_DGRAM_SZ == 4 + 64 + 4 + 4 + 256, "layout");

/** Action by which a starting secondary asks for the vdevs of the primary. */
#define VALE_EAL_VDEV_ACTION "bus_vdev_mp"

enum vale_eal_vdev_type {
	VALE_EAL_VDEV_SCAN_REQ = 1, /* secondary to primary: which vdevs have you? */
	VALE_EAL_VDEV_SCAN_ONE = 2, /* primary to all: here is one */
	VALE_EAL_VDEV_SCAN_REP = 3, /* primary to secondary: that were num of them */
};

/** Body of VALE_EAL_VDEV_ACTION, both ways. */
struct vale_eal_vdev {
	int32_t type; /* enum vale_eal_vdev_type */
	int32_t num;
	char name[RTE_DEV_NAME_MAX_LEN];
};
static_assert(sizeof(struct vale_eal_vdev) == 72, "layout");

/** Action of hot plug: secondary to primary, then primary to secondaries. */
#define VALE_EAL_HOTPLUG_ACTION "eal_dev_mp_request"

enum vale_eal_hotplug_type {
	VALE_EAL_HOTPLUG_ATTACH = 0,
	VALE_EAL_HOTPLUG_DETACH = 1,
	VALE_EAL_HOTPLUG_ATTACH_ROLLBACK = 2,
	VALE_EAL_HOTPLUG_DETACH_ROLLBACK = 3,
};

/** Body of VALE_EAL_HOTPLUG_ACTION, both ways; the reply is the request with its result. */
struct vale_eal_hotplug {
	int32_t type; /* enum vale_eal_hotplug_type */
	char devargs[128];
	int32_t result; /* 0 or -errno */
};
static_assert(sizeof(struct vale_eal_hotplug) == 136, "layout");

#endif /* VALE_EAL_MP_PROTO_H */
