/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * One lcore sends frames of 60 bytes on valea:0 and receives them on valea:1, in bursts of 64, for
 * some seconds, never more than so many on the way. Prints what a frame costs it, in cycles, and
 * how many there were.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "vale_dpdk_shm.h"

#define BURST 64
#define LEN 60
#define ON_THE_WAY 512

static uint16_t port[2];
static struct rte_ether_addr mac[2];
static struct rte_mempool *pool;

static unsigned int
send_burst(void)
{
	struct rte_mbuf *m[BURST];
	uint16_t n;

	if (rte_pktmbuf_alloc_bulk(pool, m, BURST) != 0)
		return 0;
	for (unsigned int i = 0; i < BURST; i++) {
		struct rte_ether_hdr *hdr = rte_pktmbuf_mtod(m[i], struct rte_ether_hdr *);

		m[i]->data_len = m[i]->pkt_len = LEN;
		hdr->dst_addr = mac[1];
		hdr->src_addr = mac[0];
	}
	n = rte_eth_tx_burst(port[0], 0, m, BURST);
	rte_pktmbuf_free_bulk(m + n, BURST - n);
	return n;
}

static unsigned int
receive_burst(uint16_t port_id)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = rte_eth_rx_burst(port_id, 0, m, BURST);

	rte_pktmbuf_free_bulk(m, n);
	return n;
}

/* So that the switch knows where the second port's address is. */
static void
teach(void)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ether_hdr *hdr;

	if (m == NULL)
		return;
	hdr = (struct rte_ether_hdr *)rte_pktmbuf_append(m, LEN);
	hdr->dst_addr = mac[0];
	hdr->src_addr = mac[1];
	rte_eth_tx_burst(port[1], 0, &m, 1);
	rte_delay_ms(50);
	receive_burst(port[0]);
}

int
main(int argc, char **argv)
{
	uint64_t sent = 0, received = 0, start, end;
	int n = rte_eal_init(argc, argv);

	pool = n < 0 ? NULL : rte_mempool_lookup(VALE_POOL_NAME);
	if (pool == NULL || argc - n < 2 ||
		rte_eth_dev_get_port_by_name("valea:0", &port[0]) != 0 ||
		rte_eth_dev_get_port_by_name("valea:1", &port[1]) != 0)
		return 1;
	rte_eth_macaddr_get(port[0], &mac[0]);
	rte_eth_macaddr_get(port[1], &mac[1]);
	teach();
	start = rte_rdtsc();
	end = start + (uint64_t)(strtod(argv[n + 1], NULL) * (double)rte_get_tsc_hz());
	while (rte_rdtsc() < end) {
		if (sent - received < ON_THE_WAY)
			sent += send_burst();
		received += receive_burst(port[1]);
	}
	printf("%.1f %ju %ju\n",
		(double)(rte_rdtsc() - start) / (double)RTE_MAX(received, UINT64_C(1)),
		(uintmax_t)received, (uintmax_t)rte_get_tsc_hz());
	rte_eal_cleanup();
	return 0;
}
