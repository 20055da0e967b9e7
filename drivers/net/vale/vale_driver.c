/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The driver as EAL sees it. A port of the switch whose DPDK group this process is in moves mbufs
 * through rings (vale_ethdev.c); any other one is apart, and frames are copied through memory that
 * this process shares with the switch (apart.h).
 */
#include <errno.h>

#include <bus_vdev_driver.h>
#include <ethdev_driver.h>

#include "apart.h"
#include "vale_pmd.h"

RTE_LOG_REGISTER(vale_pmd_logtype, pmd.net.vale, NOTICE);

static int
vale_probe(struct rte_vdev_device *vdev)
{
	struct vale_args args;
	bool in_group;
	int ret;

	ret = vale_args_parse(vdev, &args);
	if (ret != 0)
		return ret;
	if (args.port[0] == '\0') {
		VALE_PMD_LOG(DEBUG, "%s belongs to another process", rte_vdev_device_name(vdev));
		return 0;
	}
	ret = vale_locate_switch(&args, &in_group);
	if (ret != 0)
		return ret;
	return in_group ? vale_ethdev_attach(vdev, &args) : apart_ethdev_attach(vdev, &args);
}

static struct rte_eth_dev *
find_eth_dev(const struct rte_vdev_device *vdev)
{
	for (unsigned int i = 0; i < RTE_MAX_ETHPORTS; i++)
		if (rte_eth_devices[i].state != RTE_ETH_DEV_UNUSED &&
			rte_eth_devices[i].device == &vdev->device)
			return &rte_eth_devices[i];
	return NULL;
}

static int
vale_remove(struct rte_vdev_device *vdev)
{
	struct rte_eth_dev *eth_dev = find_eth_dev(vdev);

	if (eth_dev == NULL)
		return 0; /* closed already, or another process's */
	if (vale_ethdev_is(eth_dev))
		vale_ethdev_remove(eth_dev);
	else
		apart_ethdev_remove(eth_dev);
	return 0;
}

static struct rte_vdev_driver vale_driver = {
	.probe = vale_probe,
	.remove = vale_remove,
};

RTE_PMD_REGISTER_VDEV(net_vale, vale_driver);
RTE_PMD_REGISTER_PARAM_STRING(net_vale, "port=<string> "
					"queues=<int> "
					"mac=<mac> "
					"socket=<path>");
