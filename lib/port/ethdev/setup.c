/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include <ethdev_driver.h>
#include <rte_errno.h>
#include <rte_ether.h>

#include "ethdev_port.h"
#include "vale_log.h"

/* Rings of NICs and taps, frames; drivers cut it to what they can. A tap's is the longest chain of
 * one frame. */
#define NB_DESC 1024
#define NB_DESC_TAP 16
/* Buffers of a pool of an endpoint's own, for each receive queue */
#define OWN_BUFS 512
#define OWN_BUFS_XDP 8192
/* The largest buffer of net_af_xdp: a page holds it with all headers */
#define XDP_BUF_SZ 3712
/* What the kernel keeps free in front of a frame */
#define XDP_ROOM 256

/**
 * How many queues: a vdev has as many as its arguments made, and all of them receive; a NIC and a
 * tap get as many as there are workers.
 */
static void
choose_queues(struct ethdev_ep *e, const struct rte_eth_dev_info *info, unsigned int nb_workers)
{
	bool all = ethdev_device_is_vdev(&e->device) && !e->driver.owns_if;
	uint16_t rx = RTE_MAX(info->max_rx_queues, 1);
	uint16_t tx = RTE_MAX(info->max_tx_queues, 1);

	if (!all || rx > VALE_QUEUES_MAX)
		rx = RTE_MIN(rx, nb_workers);
	if (!all || tx > VALE_QUEUES_MAX)
		tx = RTE_MIN(tx, nb_workers);
	e->ep.nb_rxq = RTE_MIN(rx, VALE_QUEUES_MAX);
	e->ep.nb_txq = RTE_MIN(tx, VALE_QUEUES_MAX);
	if (e->driver.paired)
		e->ep.nb_rxq = e->ep.nb_txq = RTE_MIN(e->ep.nb_rxq, e->ep.nb_txq);
}

static void
choose_offloads(struct ethdev_ep *e, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	uint64_t tx = info->tx_offload_capa, rx = info->rx_offload_capa;
	uint32_t room = rte_pktmbuf_data_room_size(e->pool) - RTE_PKTMBUF_HEADROOM;
	uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + RTE_VLAN_HLEN, mtu;

	/* net_pcap sends chains and does not say so */
	e->multi_seg = (tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) || e->driver.tx_stops;
	conf->txmode.offloads = tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	conf->rxmode.offloads = rx & RTE_ETH_RX_OFFLOAD_SCATTER;
	/* else net_vhost would complete every checksum itself, of long segments too. The other way
	 * it has its library, which goes by the mbuf alone, and would complete them once more for
	 * machines that do not take them open. */
	if (e->driver.vhost)
		conf->rxmode.offloads |=
			rx & (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	if (e->ep.nb_rxq > 1 && info->flow_type_rss_offloads != 0 &&
		!ethdev_device_is_vdev(&e->device)) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf =
			info->flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
	}
	/* a NIC's MTU is ours to choose: as much as it and the buffers hold */
	if (!e->driver.kernel_if &&
		(rx & RTE_ETH_RX_OFFLOAD_SCATTER || room > VALE_FRAME_LEN_MAX) &&
		info->max_mtu != UINT16_MAX && info->max_rx_pktlen > overhead) {
		mtu = RTE_MIN(info->max_mtu, info->max_rx_pktlen - overhead);
		conf->rxmode.mtu = RTE_MIN(mtu, (uint32_t)VALE_FRAME_LEN_MAX - RTE_ETHER_HDR_LEN);
	}
}

static int
configure(struct ethdev_ep *e, struct rte_eth_conf *conf)
{
	static const bool intr[][2] = {{true, true}, {true, false}, {false, true}, {false, false}};
	unsigned int i;
	int ret = 0;

	/* drivers refuse interrupts that they do not have */
	for (i = 0; i < RTE_DIM(intr); i++) {
		conf->intr_conf.rxq = intr[i][0];
		conf->intr_conf.lsc = intr[i][1];
		if (intr[i][1] &&
			!(rte_eth_devices[e->port_id].data->dev_flags & RTE_ETH_DEV_INTR_LSC))
			continue;
		ret = rte_eth_dev_configure(e->port_id, e->ep.nb_rxq, e->ep.nb_txq, conf);
		if (ret == 0)
			break;
	}
	return ret;
}

/**
 * A pool whose memory is one piece and whose frames never leave our hands: they are lent to the
 * core as plain memory. Its operations are DPDK's own, whatever those of the switch's pool are.
 */
static struct rte_mempool *
make_pool(uint16_t port_id, unsigned int nb, uint16_t buf_sz)
{
	struct rte_pktmbuf_pool_private priv = {.mbuf_data_room_size = buf_sz};
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *mp;

	snprintf(name, sizeof(name), "vale_ethdev_%u", port_id);
	mp = rte_mempool_create_empty(name, nb, sizeof(struct rte_mbuf) + buf_sz, 0, sizeof(priv),
		SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (mp == NULL)
		return NULL;
	rte_mempool_set_ops_byname(mp, "ring_mp_mc", NULL);
	rte_pktmbuf_pool_init(mp, &priv);
	if (rte_mempool_populate_default(mp) < 0) {
		rte_mempool_free(mp);
		return NULL;
	}
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;
}

/** Bytes of data that each buffer of an endpoint's own needs, 0 if it uses the switch's; and how
 * many. */
static uint32_t
own_buffers(struct ethdev_ep *e, unsigned int *nb)
{
	uint32_t room = rte_pktmbuf_data_room_size(e->pool) - RTE_PKTMBUF_HEADROOM;

	*nb = OWN_BUFS * e->ep.nb_rxq;
	e->lends = true;
	if (e->driver.own_pool) {
		*nb = OWN_BUFS_XDP * e->ep.nb_rxq;
		return e->kif.mtu > RTE_ETHER_MTU ? XDP_BUF_SZ : RTE_MBUF_DEFAULT_DATAROOM;
	}
	if (e->frame_sz > ETHDEV_RING_TX_OFF && e->frame_sz - ETHDEV_RING_TX_OFF > room)
		return e->frame_sz - ETHDEV_RING_TX_OFF;
	e->lends = false;
	if (!e->multi_seg && room < VALE_FRAME_LEN_MAX)
		return VALE_FRAME_LEN_MAX;
	return 0;
}

static int
choose_pool(struct ethdev_ep *e, char *why)
{
	unsigned int nb;
	uint32_t room = own_buffers(e, &nb);

	if (room == 0)
		return 0;
	if (room <= UINT16_MAX - RTE_PKTMBUF_HEADROOM)
		e->own_pool = make_pool(e->port_id, nb, room + RTE_PKTMBUF_HEADROOM);
	else
		rte_errno = EINVAL;
	if (e->own_pool != NULL)
		return 0;
	snprintf(why, ETHDEV_WHY_SZ,
		"no memory for %u buffers of %u bytes for device %s: start the switch with more "
		"(-m)",
		nb, room, e->device.name);
	return -rte_errno;
}

/** What the driver has room for when it sends. */
static uint32_t
tx_room(const struct ethdev_ep *e, const struct rte_eth_dev_info *info)
{
	uint32_t room = VALE_FRAME_LEN_MAX;

	if (e->frame_sz > ETHDEV_RING_TX_OFF)
		room = RTE_MIN(room, e->frame_sz - ETHDEV_RING_TX_OFF);
	if (e->driver.own_pool)
		room = RTE_MIN(
			info->max_rx_pktlen, rte_pktmbuf_data_room_size(e->own_pool) -
						     (uint32_t)(RTE_PKTMBUF_HEADROOM + XDP_ROOM));
	return room;
}

static int
setup_queues(struct ethdev_ep *e, const struct rte_eth_dev_info *info, char *why)
{
	uint16_t nb_rxd = e->driver.owns_if ? NB_DESC_TAP : NB_DESC, nb_txd = NB_DESC;
	struct rte_mempool *pool = e->lends ? e->own_pool : e->pool;
	int socket = rte_eth_dev_socket_id(e->port_id);
	struct rte_eth_rxconf rxconf = info->default_rxconf;
	struct rte_eth_txconf txconf = info->default_txconf;
	const struct rte_eth_conf *conf = &rte_eth_devices[e->port_id].data->dev_conf;
	uint16_t i;
	int ret = 0;

	rxconf.offloads = conf->rxmode.offloads;
	txconf.offloads = conf->txmode.offloads;
	rte_eth_dev_adjust_nb_rx_tx_desc(e->port_id, &nb_rxd, &nb_txd);
	for (i = 0; i < e->ep.nb_txq && ret == 0; i++)
		ret = rte_eth_tx_queue_setup(e->port_id, i, nb_txd, socket, &txconf);
	for (i = 0; i < e->ep.nb_rxq && ret == 0; i++)
		ret = rte_eth_rx_queue_setup(e->port_id, i, nb_rxd, socket, &rxconf, pool);
	if (ret < 0)
		snprintf(why, ETHDEV_WHY_SZ,
			"the driver of device %s cannot set its queues up (%s): see the switch's "
			"log",
			e->device.name, rte_strerror(-ret));
	return ret;
}

/**
 * net_tap compares frames with the MTU that ethdev keeps, while the interface's own may change in
 * another namespace, where the driver does not see it: let ethdev's be no limit.
 */
static void
lift_mtu(struct ethdev_ep *e)
{
	if (e->driver.owns_if)
		rte_eth_devices[e->port_id].data->mtu = VALE_FRAME_LEN_MAX - RTE_ETHER_HDR_LEN;
}

static int
set_up(struct ethdev_ep *e, unsigned int nb_workers, char *why)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	int ret;

	ret = rte_eth_dev_info_get(e->port_id, &info);
	if (ret < 0) {
		snprintf(why, ETHDEV_WHY_SZ, "device %s tells nothing of itself (%s)",
			e->device.name, rte_strerror(-ret));
		return ret;
	}
	choose_queues(e, &info, nb_workers);
	choose_offloads(e, &info, &conf);
	ret = choose_pool(e, why);
	if (ret < 0)
		return ret;
	e->tx_room = tx_room(e, &info);
	ret = configure(e, &conf);
	if (ret < 0) {
		snprintf(why, ETHDEV_WHY_SZ,
			"the driver of device %s refuses %u receive and %u transmit queues (%s)",
			e->device.name, e->ep.nb_rxq, e->ep.nb_txq, rte_strerror(-ret));
		return ret;
	}
	return setup_queues(e, &info, why);
}

int
ethdev_device_start(struct ethdev_ep *e, unsigned int nb_workers, char *why)
{
	int flags = e->kif.name[0] == '\0' ? 0 : kernel_if_flags(e->kif.name);
	int ret = set_up(e, nb_workers, why);

	/* ethdev's start clears it */
	e->was_promiscuous = flags > 0 && (flags & IFF_PROMISC);
	if (ret == 0) {
		lift_mtu(e);
		ret = rte_eth_dev_start(e->port_id);
		if (ret < 0)
			snprintf(why, ETHDEV_WHY_SZ,
				"device %s does not start (%s): see the switch's log",
				e->device.name, rte_strerror(-ret));
	}
	if (ret < 0)
		return ret;
	(void)rte_eth_stats_reset(e->port_id);
	return 0;
}

void
ethdev_device_see_all(struct ethdev_ep *e)
{
	bool by_socket =
		e->kif.name[0] != '\0' && !e->driver.owns_if && kernel_if_see_all(&e->kif) == 0;
	int ret;

	/* an operator's own wish outlives us */
	if (by_socket && !e->was_promiscuous)
		return;
	ret = rte_eth_promiscuous_enable(e->port_id);
	e->made_promiscuous = ret == 0 && !by_socket;
	if (ret < 0 && ret != -ENOTSUP)
		VALE_LOG(NOTICE,
			"device %s does not become promiscuous (%s): it may not show all frames",
			e->device.name, rte_strerror(-ret));
	/* included in promiscuous mode where a driver knows only that */
	(void)rte_eth_allmulticast_enable(e->port_id);
}

void
ethdev_device_stop(struct ethdev_ep *e)
{
	int ret;

	if (e->made_promiscuous)
		rte_eth_promiscuous_disable(e->port_id);
	ret = rte_eth_dev_stop(e->port_id);
	if (ret < 0 && ret != -EBUSY)
		VALE_LOG(WARNING, "driver of device %s cannot stop it: %s", e->device.name,
			rte_strerror(-ret));
}
