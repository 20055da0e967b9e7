/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A client that receives and does not free: it keeps all that comes on its first port, and says
 * every 100 ms how many mbufs it has, and how many came in all. For each byte on its standard input
 * it frees 16 of them; it ends with that input. In a process of its own, which is no secondary of
 * the switch, it has a pool of OWN_MBUFS.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define HELD_MAX 262144
#define BURST 32

#define FREE_NB 16
#define OWN_MBUFS 2047

static struct rte_mbuf *held[HELD_MAX];
static unsigned int nb_held;
static uint64_t received;

static void
receive(uint16_t port_id)
{
	uint16_t n;

	do {
		n = nb_held + BURST > HELD_MAX
			    ? 0
			    : rte_eth_rx_burst(port_id, 0, &held[nb_held], BURST);
		nb_held += n;
		received += n;
	} while (n > 0);
}

static void
free_some(void)
{
	unsigned int n = nb_held < FREE_NB ? nb_held : FREE_NB;

	nb_held -= n;
	rte_pktmbuf_free_bulk(&held[nb_held], n);
}

static bool
input_ended(void)
{
	struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};
	char c;

	if (poll(&pfd, 1, 0) <= 0)
		return false;
	if (read(STDIN_FILENO, &c, 1) == 0)
		return true;
	free_some();
	return false;
}

/* What the switch does for its secondaries. */
static int
start_own(uint16_t port_id)
{
	struct rte_mempool *mp = rte_pktmbuf_pool_create(
		"own", OWN_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	struct rte_eth_conf conf = {0};

	if (mp == NULL || rte_eth_dev_configure(port_id, 1, 1, &conf) != 0 ||
		rte_eth_rx_queue_setup(port_id, 0, 64, SOCKET_ID_ANY, NULL, mp) != 0 ||
		rte_eth_tx_queue_setup(port_id, 0, 64, SOCKET_ID_ANY, NULL) != 0)
		return -1;
	return rte_eth_dev_start(port_id);
}

int
main(int argc, char **argv)
{
	uint64_t told = 0;
	uint16_t port_id;

	if (rte_eal_init(argc, argv) < 0)
		return 1;
	port_id = (uint16_t)rte_eth_find_next(0);
	if (port_id == RTE_MAX_ETHPORTS)
		return 1;
	if (rte_eal_process_type() == RTE_PROC_PRIMARY && start_own(port_id) != 0)
		return 1;
	while (!input_ended()) {
		receive(port_id);
		if (rte_get_timer_cycles() - told > rte_get_timer_hz() / 10) {
			printf("held %u of %" PRIu64 "\n", nb_held, received);
			fflush(stdout);
			told = rte_get_timer_cycles();
		}
		usleep(50);
	}
	rte_pktmbuf_free_bulk(held, nb_held);
	rte_eal_cleanup();
	return 0;
}
