/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_common.h>

#include "ethdev_port.h"

/*
 * Read from the drivers' sources, DPDK 22.11:
 *  - net_af_packet counts a burst as sent before the kernel took it, and says so in its statistics
 * only; and it has the kernel join IPv4 fragments.
 *  - net_af_xdp copies the first segment of a frame, whatever its length, and lends its
 *    pool to the kernel.
 *  - net_tap and net_pcap end a burst at a frame that the kernel refuses.
 */
static const struct ethdev_driver drivers[] = {
	{.name = "net_af_packet",
		.kernel_if = true,
		.needs_iface = true,
		.joins_fragments = true,
		.hides_tx_loss = true,
		.paired = true},
	{.name = "net_af_xdp",
		.kernel_if = true,
		.needs_iface = true,
		.own_pool = true,
		.paired = true},
	{.name = "net_tap", .kernel_if = true, .owns_if = true, .tx_stops = true, .paired = true},
	{.name = "net_pcap", .kernel_if = true, .tx_stops = true},
	{.name = "net_vhost", .paired = true, .vhost = true},
};

static const struct ethdev_driver other;

const struct ethdev_driver *
ethdev_driver_find(const char *driver_name)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(drivers); i++) {
		if (strcmp(drivers[i].name, driver_name) == 0)
			return &drivers[i];
	}
	return &other;
}

const struct ethdev_driver *
ethdev_driver_of_device(const char *dev_name)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(drivers); i++) {
		if (strncmp(drivers[i].name, dev_name, strlen(drivers[i].name)) == 0)
			return &drivers[i];
	}
	return &other;
}
