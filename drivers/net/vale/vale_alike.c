/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * What an application sees of a port, alike in the switch's own DPDK group and outside.
 */
#include <rte_ethdev.h>

#include "vale_pmd.h"

void
vale_alike_set_link(struct rte_eth_dev *eth_dev, bool up)
{
	const struct rte_eth_link link = {
		.link_speed = up ? RTE_ETH_SPEED_NUM_100G : RTE_ETH_SPEED_NUM_NONE,
		.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
		.link_autoneg = RTE_ETH_LINK_FIXED,
		.link_status = up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN,
	};

	rte_eth_linkstatus_set(eth_dev, &link);
}

void
vale_alike_set_queue_states(struct rte_eth_dev *eth_dev, uint8_t state)
{
	struct rte_eth_dev_data *data = eth_dev->data;

	for (uint16_t i = 0; i < data->nb_rx_queues; i++)
		data->rx_queue_state[i] = state;
	for (uint16_t i = 0; i < data->nb_tx_queues; i++)
		data->tx_queue_state[i] = state;
}

void
vale_alike_info(struct rte_eth_dev_info *info, uint16_t nb_queues, uint16_t nb_desc)
{
	const struct rte_eth_desc_lim lim = {
		.nb_max = nb_desc,
		.nb_min = 1,
		.nb_align = 1,
		.nb_seg_max = UINT16_MAX,
		.nb_mtu_seg_max = UINT16_MAX,
	};
	const struct rte_eth_dev_portconf portconf = {
		.burst_size = 32,
		.ring_size = nb_desc,
		.nb_queues = nb_queues,
	};

	info->max_mac_addrs = 1;
	info->max_rx_queues = info->max_tx_queues = nb_queues;
	info->max_rx_pktlen = VALE_PMD_FRAME_MAX;
	info->min_mtu = RTE_ETHER_MIN_MTU;
	info->max_mtu = VALE_PMD_FRAME_MAX - RTE_ETHER_HDR_LEN;
	info->rx_queue_offload_capa = RTE_ETH_RX_OFFLOAD_SCATTER;
	info->rx_offload_capa = RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_CHECKSUM;
	info->tx_offload_capa = info->tx_queue_offload_capa = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	info->rx_desc_lim = info->tx_desc_lim = lim;
	info->default_rxportconf = info->default_txportconf = portconf;
	info->speed_capa = RTE_ETH_LINK_SPEED_100G | RTE_ETH_LINK_SPEED_FIXED;
	info->dev_capa &= ~RTE_ETH_DEV_CAPA_FLOW_RULE_KEEP;
}

/* ---- addresses: the switch decides what a port sees ---- */

int
vale_alike_accept_mode(struct rte_eth_dev *eth_dev __rte_unused)
{
	/* A port gets what the switch forwards to it; there is no filter that could be set. */
	return 0;
}

int
vale_alike_mac_addr_set(
	struct rte_eth_dev *eth_dev __rte_unused, struct rte_ether_addr *addr __rte_unused)
{
	/* Nothing filters by it. The switch shows the address that the port was attached with. */
	return 0;
}

int
vale_alike_mtu_set(struct rte_eth_dev *eth_dev __rte_unused, uint16_t mtu __rte_unused)
{
	/* Frames of any length up to the longest pass, as chains where need be. */
	return 0;
}
