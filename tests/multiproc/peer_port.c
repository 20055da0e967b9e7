/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "peer.h"

#define NB_DESC 256

/* As testpmd in a secondary does: ports are taken as they are. */
static bool leave_unconfigured;

static int
setup_queues(uint16_t port_id, uint16_t nb_queues)
{
	int ret = 0;

	for (uint16_t q = 0; q < nb_queues && ret == 0; q++)
		ret = rte_eth_rx_queue_setup(port_id, q, NB_DESC, SOCKET_ID_ANY, NULL, peer_pool());
	for (uint16_t q = 0; q < nb_queues && ret == 0; q++)
		ret = rte_eth_tx_queue_setup(port_id, q, NB_DESC, SOCKET_ID_ANY, NULL);
	return ret;
}

/* Configure a stopped port with that many queue pairs (0: as many as it has) and start it. */
static int
open_port(uint16_t port_id, uint16_t nb_queues)
{
	struct rte_eth_conf conf = {.intr_conf.rxq = 1};
	struct rte_eth_dev_info info;
	int ret;

	ret = rte_eth_dev_info_get(port_id, &info);
	if (ret != 0)
		return ret;
	if (nb_queues == 0)
		nb_queues = info.max_rx_queues;
	ret = rte_eth_dev_configure(port_id, nb_queues, nb_queues, &conf);
	if (ret == 0)
		ret = setup_queues(port_id, nb_queues);
	return ret != 0 ? ret : rte_eth_dev_start(port_id);
}

int
peer_ports_open(bool configure)
{
	uint16_t port_id;
	int ret;

	leave_unconfigured = !configure;
	RTE_ETH_FOREACH_DEV (port_id) {
		ret = configure ? open_port(port_id, 0) : 0;
		if (ret != 0) {
			peer_fail("port id %u cannot be started: %s", port_id, rte_strerror(-ret));
			return ret;
		}
	}
	return 0;
}

void
peer_ports_close(void)
{
	uint16_t port_id;

	if (leave_unconfigured)
		return;
	RTE_ETH_FOREACH_DEV (port_id) {
		rte_eth_dev_stop(port_id);
		rte_eth_dev_close(port_id);
	}
}

bool
peer_port(const struct peer_cmd *c, uint16_t *port_id)
{
	if (rte_eth_dev_get_port_by_name(c->word[1], port_id) == 0)
		return true;
	peer_fail("this process has no port %s", c->word[1]);
	return false;
}

uint16_t
peer_nb_rxq(uint16_t port_id)
{
	struct rte_eth_dev_info info;

	return rte_eth_dev_info_get(port_id, &info) == 0 ? info.nb_rx_queues : 0;
}

uint16_t
peer_nb_txq(uint16_t port_id)
{
	struct rte_eth_dev_info info;

	return rte_eth_dev_info_get(port_id, &info) == 0 ? info.nb_tx_queues : 0;
}

/* ---- hot plug ---- */

/* The port whose device has that name. */
static bool
port_of_device(const char *name, uint16_t *port_id)
{
	struct rte_eth_dev_info info;
	uint16_t id;

	RTE_ETH_FOREACH_DEV (id) {
		if (rte_eth_dev_info_get(id, &info) == 0 &&
			strcmp(rte_dev_name(info.device), name) == 0) {
			*port_id = id;
			return true;
		}
	}
	return false;
}

static int
attach(const char *devargs, uint16_t *port_id)
{
	char name[64];
	int ret;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(devargs, ","), devargs);
	ret = rte_dev_probe(devargs);
	if (ret != 0)
		return ret;
	if (!port_of_device(name, port_id))
		return -ENODEV;
	return leave_unconfigured ? 0 : open_port(*port_id, 0);
}

static int
detach(uint16_t port_id)
{
	struct rte_eth_dev_info info;
	int ret;

	ret = rte_eth_dev_info_get(port_id, &info);
	if (ret != 0)
		return ret;
	if (!leave_unconfigured)
		rte_eth_dev_stop(port_id);
	return rte_dev_remove(info.device);
}

void
peer_cmd_attach(const struct peer_cmd *c)
{
	char name[RTE_ETH_NAME_MAX_LEN] = "";
	uint16_t port_id;
	int ret;

	ret = attach(c->word[1], &port_id);
	if (ret != 0) {
		peer_fail("attach %s: %s", c->word[1], rte_strerror(-ret));
		return;
	}
	rte_eth_dev_get_name_by_port(port_id, name);
	peer_ok("name=%s id=%u", name, port_id);
}

void
peer_cmd_detach(const struct peer_cmd *c)
{
	uint16_t port_id;
	int ret;

	if (!peer_port(c, &port_id))
		return;
	ret = detach(port_id);
	if (ret == 0)
		peer_ok("detached");
	else
		peer_fail("detach %s: %s", c->word[1], rte_strerror(-ret));
}

void
peer_cmd_cycle(const struct peer_cmd *c)
{
	uint64_t n, start = peer_now_ns();
	uint16_t port_id;
	int ret;

	if (!peer_number(c->word[1], 1000000, &n))
		return;
	for (uint64_t i = 0; i < n; i++) {
		ret = attach(c->word[2], &port_id);
		if (ret == 0)
			ret = detach(port_id);
		if (ret != 0) {
			peer_fail("cycle %" PRIu64 " of %s: %s", i, c->word[2], rte_strerror(-ret));
			return;
		}
	}
	peer_ok("cycles=%" PRIu64 " ms=%" PRIu64, n, (peer_now_ns() - start) / 1000000);
}

/* ---- state ---- */

static void
report(const struct peer_cmd *c, int ret)
{
	if (ret == 0)
		peer_ok("%s", c->word[0]);
	else
		peer_fail("%s %s: %s", c->word[0], c->word[1], rte_strerror(-ret));
}

void
peer_cmd_start(const struct peer_cmd *c)
{
	uint16_t port_id;

	if (peer_port(c, &port_id))
		report(c, rte_eth_dev_start(port_id));
}

void
peer_cmd_stop(const struct peer_cmd *c)
{
	uint16_t port_id;

	if (peer_port(c, &port_id))
		report(c, rte_eth_dev_stop(port_id));
}

void
peer_cmd_reconf(const struct peer_cmd *c)
{
	uint64_t nb_queues;
	uint16_t port_id;
	int ret;

	if (!peer_port(c, &port_id) || !peer_number(c->word[2], 1024, &nb_queues))
		return;
	ret = rte_eth_dev_stop(port_id);
	if (ret == 0)
		ret = open_port(port_id, (uint16_t)nb_queues);
	report(c, ret);
}

void
peer_cmd_reset(const struct peer_cmd *c)
{
	uint16_t port_id;

	if (peer_port(c, &port_id))
		report(c, rte_eth_stats_reset(port_id));
}

void
peer_cmd_mtu(const struct peer_cmd *c)
{
	uint16_t port_id;
	uint64_t mtu;

	if (peer_port(c, &port_id) && peer_number(c->word[2], UINT16_MAX, &mtu))
		report(c, rte_eth_dev_set_mtu(port_id, (uint16_t)mtu));
}

void
peer_cmd_ports(const struct peer_cmd *c)
{
	char names[RTE_MAX_ETHPORTS * 24] = "", name[RTE_ETH_NAME_MAX_LEN];
	unsigned int nb = 0;
	size_t used = 0;
	uint16_t id;

	RTE_ETH_FOREACH_DEV (id) {
		if (rte_eth_dev_get_name_by_port(id, name) == 0 && used < sizeof(names))
			used += snprintf(
				names + used, sizeof(names) - used, "%s%s", nb++ ? "," : "", name);
	}
	peer_ok("nb=%u names=%s", nb, names);
}

void
peer_cmd_link(const struct peer_cmd *c)
{
	struct rte_eth_link link;
	uint16_t port_id;

	if (!peer_port(c, &port_id))
		return;
	if (rte_eth_link_get_nowait(port_id, &link) == 0)
		peer_ok("up=%u mbps=%u", link.link_status, link.link_speed);
	else
		peer_fail("link %s: unknown", c->word[1]);
}

void
peer_cmd_info(const struct peer_cmd *c)
{
	char mac[RTE_ETHER_ADDR_FMT_SIZE];
	struct rte_eth_dev_info info;
	struct rte_ether_addr addr;
	uint16_t port_id, mtu;

	if (!peer_port(c, &port_id))
		return;
	if (rte_eth_dev_info_get(port_id, &info) != 0 || rte_eth_macaddr_get(port_id, &addr) != 0 ||
		rte_eth_dev_get_mtu(port_id, &mtu) != 0) {
		peer_fail("info %s: unknown", c->word[1]);
		return;
	}
	rte_ether_format_addr(mac, sizeof(mac), &addr);
	peer_ok("rxq=%u txq=%u max_rxq=%u max_mtu=%u max_pktlen=%u mtu=%u driver=%s mac=%s",
		info.nb_rx_queues, info.nb_tx_queues, info.max_rx_queues, info.max_mtu,
		info.max_rx_pktlen, mtu, info.driver_name, mac);
}

void
peer_cmd_stats(const struct peer_cmd *c)
{
	struct rte_eth_stats s;
	uint16_t port_id;

	if (!peer_port(c, &port_id))
		return;
	if (rte_eth_stats_get(port_id, &s) != 0) {
		peer_fail("stats %s: unknown", c->word[1]);
		return;
	}
	peer_ok("ipackets=%" PRIu64 " ibytes=%" PRIu64 " opackets=%" PRIu64 " obytes=%" PRIu64
		" ierrors=%" PRIu64 " oerrors=%" PRIu64 " imissed=%" PRIu64,
		s.ipackets, s.ibytes, s.opackets, s.obytes, s.ierrors, s.oerrors, s.imissed);
}

void
peer_cmd_xstats(const struct peer_cmd *c)
{
	struct rte_eth_xstat_name names[256];
	struct rte_eth_xstat values[256];
	char text[8192] = "";
	uint16_t port_id;
	size_t used = 0;
	int n;

	if (!peer_port(c, &port_id))
		return;
	n = rte_eth_xstats_get(port_id, values, RTE_DIM(values));
	if (n < 0 || rte_eth_xstats_get_names(port_id, names, RTE_DIM(names)) != n ||
		n > (int)RTE_DIM(values)) {
		peer_fail("xstats %s: unknown", c->word[1]);
		return;
	}
	for (int i = 0; i < n && used < sizeof(text); i++)
		used += snprintf(text + used, sizeof(text) - used, "%s=%" PRIu64 " ",
			names[values[i].id].name, values[i].value);
	peer_ok("%s", text);
}
