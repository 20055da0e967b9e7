/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * Counters stand in shared memory, written by the burst functions; rte_eth_stats_reset() moves
 * a baseline of this process and leaves them alone.
 *
 * What the switch drops on the way is counted there, and shown by `vale-ctl stats`. Here stand the
 * frames that passed through the rings, and what kept a frame out of them.
 */
#include <errno.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_string_fns.h>

#include "vale_pmd.h"
#include "vale_stats.h"

static void
read_queue(const struct vale_dpdk_slot *slot, uint16_t i, struct vale_baseline *c)
{
	const struct vale_dpdk_rxq *rxq = &slot->rxq[i];
	const struct vale_dpdk_txq *txq = &slot->txq[i];

	c->rx_packets = vale_counter_read(&rxq->packets);
	c->rx_bytes = vale_counter_read(&rxq->bytes);
	c->tx_packets = vale_counter_read(&txq->packets);
	c->tx_bytes = vale_counter_read(&txq->bytes);
	c->tx_full = vale_counter_read(&txq->full);
	c->tx_copied = vale_counter_read(&txq->copied);
	c->tx_no_mbuf = vale_counter_read(&txq->no_mbuf);
}

void
vale_counters_sum_up(struct vale_baseline *sum, const struct vale_baseline *now,
	const struct vale_baseline *then)
{
	sum->rx_packets += now->rx_packets - then->rx_packets;
	sum->rx_bytes += now->rx_bytes - then->rx_bytes;
	sum->tx_packets += now->tx_packets - then->tx_packets;
	sum->tx_bytes += now->tx_bytes - then->tx_bytes;
	sum->tx_full += now->tx_full - then->tx_full;
	sum->tx_copied += now->tx_copied - then->tx_copied;
	sum->tx_no_mbuf += now->tx_no_mbuf - then->tx_no_mbuf;
}

void
vale_counters_add(struct rte_eth_stats *stats, uint16_t i, const struct vale_baseline *now,
	const struct vale_baseline *then)
{
	struct vale_baseline c = {0};

	vale_counters_sum_up(&c, now, then);
	stats->ipackets += c.rx_packets;
	stats->ibytes += c.rx_bytes;
	stats->opackets += c.tx_packets;
	stats->obytes += c.tx_bytes;
	stats->oerrors += c.tx_no_mbuf;
	if (i >= RTE_ETHDEV_QUEUE_STAT_CNTRS)
		return;
	stats->q_ipackets[i] = c.rx_packets;
	stats->q_ibytes[i] = c.rx_bytes;
	stats->q_opackets[i] = c.tx_packets;
	stats->q_obytes[i] = c.tx_bytes;
}

int
vale_stats_get(struct rte_eth_dev *eth_dev, struct rte_eth_stats *stats)
{
	const struct vale_dev *dev = vale_dev_of(eth_dev);
	struct vale_baseline now;

	for (uint16_t i = 0; i < dev->slot->nb_queues; i++) {
		read_queue(dev->slot, i, &now);
		vale_counters_add(stats, i, &now, &dev->base[i]);
	}
	return 0;
}

int
vale_stats_reset(struct rte_eth_dev *eth_dev)
{
	struct vale_dev *dev = vale_dev_of(eth_dev);

	for (uint16_t i = 0; i < dev->slot->nb_queues; i++)
		read_queue(dev->slot, i, &dev->base[i]);
	return 0;
}

/** Extended statistics: what happened to frames on their way into the rings. */
static const struct {
	const char *name;
	size_t off;
} xstats_table[] = {
	{"tx_full", offsetof(struct vale_baseline, tx_full)},
	{"tx_copied", offsetof(struct vale_baseline, tx_copied)},
	{"tx_no_mbuf", offsetof(struct vale_baseline, tx_no_mbuf)},
};

int
vale_xstats_get_names(
	struct rte_eth_dev *eth_dev __rte_unused, struct rte_eth_xstat_name *names, unsigned int n)
{
	for (unsigned int i = 0; names != NULL && i < RTE_MIN(n, RTE_DIM(xstats_table)); i++)
		strlcpy(names[i].name, xstats_table[i].name, sizeof(names[i].name));
	return RTE_DIM(xstats_table);
}

int
vale_xstats_put(struct rte_eth_xstat *xstats, unsigned int n, const struct vale_baseline *sum)
{
	if (xstats == NULL || n < RTE_DIM(xstats_table))
		return RTE_DIM(xstats_table);
	for (unsigned int k = 0; k < RTE_DIM(xstats_table); k++) {
		xstats[k].id = k;
		xstats[k].value = *(const uint64_t *)RTE_PTR_ADD(sum, xstats_table[k].off);
	}
	return RTE_DIM(xstats_table);
}

int
vale_xstats_get(struct rte_eth_dev *eth_dev, struct rte_eth_xstat *xstats, unsigned int n)
{
	const struct vale_dev *dev = vale_dev_of(eth_dev);
	struct vale_baseline now, sum = {0};

	for (uint16_t i = 0; i < dev->slot->nb_queues; i++) {
		read_queue(dev->slot, i, &now);
		vale_counters_sum_up(&sum, &now, &dev->base[i]);
	}
	return vale_xstats_put(xstats, n, &sum);
}
