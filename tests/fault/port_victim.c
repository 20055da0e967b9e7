/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include "port_fault.h"
#include "trace.h"
#include "vale_dpdk_shm.h"

#define DEVICE "net_vale_victim"
#define FRAME_LEN 60
/* Longest that frames may take to arrive. */
#define ARRIVE_US 5000000

/* What a victim has in its hands. */
static struct rte_mbuf *burst[2 * STEP_BURST];
static uint16_t port_id;
static struct rte_mempool *pool;

/* An mbuf as an application's own pool has them. Its pool is never needed: it has two holders. */
static struct foreign {
	struct rte_mbuf m;
	uint8_t room[RTE_PKTMBUF_HEADROOM + FRAME_LEN];
} foreign[STEP_BURST + 1];

static void
write_header(const struct order *o, struct rte_ether_hdr *hdr)
{
	memset(hdr, 0, FRAME_LEN);
	hdr->dst_addr = o->checker;
	rte_eth_macaddr_get(port_id, &hdr->src_addr);
}

static struct rte_mbuf *
new_frame(const struct order *o)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ether_hdr *hdr;

	if (m == NULL)
		_exit(2);
	hdr = (struct rte_ether_hdr *)rte_pktmbuf_append(m, FRAME_LEN);
	write_header(o, hdr);
	return m;
}

static void
attach(void)
{
	char name[RTE_ETH_NAME_MAX_LEN];

	if (rte_vdev_init(DEVICE, "port=" VICTIM_PORT) != 0)
		_exit(3);
	RTE_ETH_FOREACH_DEV (port_id) {
		if (rte_eth_dev_get_name_by_port(port_id, name) == 0 &&
			strcmp(name, VICTIM_PORT) == 0)
			return;
	}
	_exit(4);
}

static void
send_one(struct rte_mbuf *m)
{
	if (rte_eth_tx_burst(port_id, 0, &m, 1) != 1)
		_exit(5);
}

/* The mbuf of the hello is freed by others: what is in the cache is ours. */
static void
say_hello(const struct order *o)
{
	send_one(new_frame(o));
}

static struct rte_mbuf *
new_foreign(const struct order *o, struct foreign *f)
{
	struct rte_mbuf *m = &f->m;
	struct rte_ether_hdr *hdr;

	m->buf_addr = f->room;
	m->buf_len = sizeof(f->room);
	m->nb_segs = 1;
	rte_mbuf_refcnt_set(m, 2);
	rte_pktmbuf_reset_headroom(m);
	hdr = (struct rte_ether_hdr *)rte_pktmbuf_append(m, FRAME_LEN);
	if (hdr == NULL)
		_exit(8);
	write_header(o, hdr);
	return m;
}

static struct rte_mbuf *
new_burst_frame(const struct order *o, unsigned int i)
{
	return o->scenario == STEP_SEND_FOREIGN ? new_foreign(o, &foreign[i]) : new_frame(o);
}

static void
make_burst(const struct order *o)
{
	for (unsigned int i = 0; i < STEP_BURST; i++)
		burst[i] = new_burst_frame(o, i);
	if (rte_pktmbuf_chain(burst[STEP_BURST - 1], new_burst_frame(o, STEP_BURST)) != 0)
		_exit(6);
	for (unsigned int i = 0; o->scenario == STEP_SEND_COPIES && i < STEP_BURST; i++)
		rte_pktmbuf_refcnt_update(burst[i], 1);
}

static void
await_burst(void)
{
	for (unsigned int i = 0; i < ARRIVE_US / 10; i++) {
		if (rte_eth_rx_queue_count(port_id, 0) == STEP_BURST)
			return;
		usleep(10);
	}
	_exit(7);
}

/* What nobody counts the instructions of. */
static void
prepare(const struct order *o)
{
	if (!scenario_says_hello(o->scenario))
		return;
	attach();
	if (o->scenario == STEP_FIRST_ALLOC)
		return;
	say_hello(o);
	if (o->scenario == STEP_SEND || o->scenario == STEP_SEND_COPIES ||
		o->scenario == STEP_SEND_FOREIGN)
		make_burst(o);
	if (scenario_has_frames(o->scenario))
		await_burst();
	if (o->scenario == STEP_FREE)
		rte_eth_rx_burst(port_id, 0, burst, STEP_BURST);
}

static void
start_port(void)
{
	struct rte_eth_conf conf = {0};

	if (rte_eth_dev_configure(port_id, 1, 1, &conf) == 0 &&
		rte_eth_rx_queue_setup(port_id, 0, 64, SOCKET_ID_ANY, NULL, pool) == 0 &&
		rte_eth_tx_queue_setup(port_id, 0, 64, SOCKET_ID_ANY, NULL) == 0)
		rte_eth_dev_start(port_id);
}

static void
work(const struct order *o)
{
	uint16_t n;

	switch (o->scenario) {
	case STEP_ATTACH:
		attach();
		break;
	case STEP_FIRST_ALLOC:
	case STEP_ALLOC_FREE:
		if (rte_pktmbuf_alloc_bulk(pool, burst, STEP_BURST) == 0)
			rte_pktmbuf_free_bulk(burst, STEP_BURST);
		break;
	case STEP_SEND:
	case STEP_SEND_COPIES:
	case STEP_SEND_FOREIGN:
		rte_eth_tx_burst(port_id, 0, burst, STEP_BURST);
		break;
	case STEP_RECEIVE:
		rte_eth_rx_burst(port_id, 0, burst, 1);
		break;
	case STEP_RECEIVE_ALL:
		n = rte_eth_rx_burst(port_id, 0, burst, STEP_BURST - 1);
		rte_eth_rx_burst(port_id, 0, burst + n, STEP_BURST);
		break;
	case STEP_FREE:
		rte_pktmbuf_free_bulk(burst, STEP_BURST);
		break;
	case STEP_START:
		start_port();
		break;
	case STEP_DETACH:
		rte_vdev_uninit(DEVICE);
		break;
	default:
		break;
	}
}

static void
victim_main(const struct order *o)
{
	prepare(o);
	trace_begin();
	work(o);
	trace_end();
	_exit(0);
}

int
victims_main(int orders, int outcomes)
{
	struct outcome out;
	struct order o;
	pid_t pid;

	pool = rte_mempool_lookup(VALE_POOL_NAME);
	if (pool == NULL)
		return 1;
	out = (struct outcome){.begun = 1};
	if (write(outcomes, &out, sizeof(out)) != sizeof(out))
		return 1;
	while (read(orders, &o, sizeof(o)) == sizeof(o)) {
		pid = fork();
		if (pid == 0)
			victim_main(&o);
		out.begun = trace_step_and_kill(pid, o.steps, &out.steps);
		if (write(outcomes, &out, sizeof(out)) != sizeof(out))
			return 1;
	}
	return 0;
}
