/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * net_vale in a process that is not the switch's secondary, against a switch in this same process:
 * its control thread, memif server and worker are the real ones. So both ends run under the
 * sanitizers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <bus_vdev_driver.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "memif_port.h"
#include "vale_worker.h"

#define WORKER_LCORE 1
#define POOL_MBUFS 2047
#define WAIT_MS 5000

static char dir[] = "/tmp/vale-test-apart.XXXXXX";
static char ctl_path[64], memif_path[64];

/* The switch. */
static struct {
	struct vale_workers *ws;
	struct vale_switches *switches;
	struct vale_server *server;
} sw;

static int
worker_main(void *arg)
{
	return vale_worker_run(arg, 0);
}

static void
switch_start(void)
{
	const struct vale_limits limits = {
		.max_switches = 2, .max_ports = 8, .fdb_size = 64, .ring_size = 64};
	const struct vale_listener_conf server = {.path = ctl_path, .owner = -1, .group = -1};
	const struct vale_listener_conf conf = {.path = memif_path, .owner = -1, .group = -1};

	sw.ws = vale_workers_create(1);
	assert_non_null(sw.ws);
	atomic_store(&sw.ws->tun.batch, 256);
	assert_int_equal(rte_eal_remote_launch(worker_main, sw.ws, WORKER_LCORE), 0);
	sw.switches = vale_switches_create(&limits, sw.ws);
	sw.server = vale_server_create(&server);
	assert_non_null(sw.switches);
	assert_non_null(sw.server);
	assert_int_equal(vale_memif_init(&conf, sw.switches, sw.server), 0);
	assert_int_equal(vale_server_start(sw.server), 0);
}

/* @param tells whether clients hear DISCONNECT, or their connections just end. */
static void
switch_stop(bool tells)
{
	struct memif_conn *c;

	vale_server_stop(sw.server);
	while (!tells && (c = TAILQ_FIRST(&memif.conns)) != NULL)
		memif_conn_close(c);
	vale_switches_free(sw.switches);
	vale_memif_fini();
	vale_server_free(sw.server);
	vale_workers_stop(sw.ws);
	rte_eal_wait_lcore(WORKER_LCORE);
	vale_workers_free(sw.ws);
}

/* ---- ports ---- */

static struct rte_mempool *pool;

static struct rte_mempool *
make_pool(const char *name, unsigned int nb, uint16_t room)
{
	struct rte_mempool *mp =
		rte_pktmbuf_pool_create(name, nb, 0, 0, RTE_PKTMBUF_HEADROOM + room, SOCKET_ID_ANY);

	assert_non_null(mp);
	return mp;
}

static int
plug(const char *device, const char *port, const char *more)
{
	char args[256];

	snprintf(args, sizeof(args), "port=%s,socket=%s%s", port, ctl_path, more);
	return rte_vdev_init(device, args);
}

/* Configure and start a port with so many queues and received frames in mbufs of @p mp. */
static uint16_t
open_port(const char *device, uint16_t nb_queues, struct rte_mempool *mp)
{
	const struct rte_eth_conf conf = {.intr_conf.rxq = 1};
	uint16_t id;

	assert_int_equal(rte_eth_dev_get_port_by_name(device, &id), 0);
	assert_int_equal(rte_eth_dev_configure(id, nb_queues, nb_queues, &conf), 0);
	for (uint16_t q = 0; q < nb_queues; q++) {
		assert_int_equal(rte_eth_rx_queue_setup(id, q, 64, SOCKET_ID_ANY, NULL, mp), 0);
		assert_int_equal(rte_eth_tx_queue_setup(id, q, 64, SOCKET_ID_ANY, NULL), 0);
	}
	assert_int_equal(rte_eth_dev_start(id), 0);
	return id;
}

static uint16_t
new_port(const char *device, const char *port, struct rte_mempool *mp)
{
	assert_int_equal(plug(device, port, ""), 0);
	return open_port(device, 1, mp);
}

static void
unplug(const char *device)
{
	uint16_t id;

	if (rte_eth_dev_get_port_by_name(device, &id) == 0)
		rte_eth_dev_stop(id);
	assert_int_equal(rte_vdev_uninit(device), 0);
}

static bool
is_up(uint16_t id)
{
	struct rte_eth_link link;

	assert_int_equal(rte_eth_link_get_nowait(id, &link), 0);
	return link.link_status == RTE_ETH_LINK_UP;
}

static void
wait_link(uint16_t id, bool up)
{
	for (int ms = 0; is_up(id) != up; ms++) {
		assert_true(ms < WAIT_MS);
		usleep(1000);
	}
}

/* ---- frames ---- */

static uint8_t
byte_at(uint32_t i, uint32_t seed)
{
	return i < 6 ? 0xff : i < 12 ? (uint8_t)(2 * (i == 6)) : (uint8_t)(i * 7 + seed);
}

/* A flooded frame in segments of so many bytes. */
static struct rte_mbuf *
make_frame(uint32_t len, uint32_t seg_len, uint32_t seed)
{
	struct rte_mbuf *head = NULL, *m;

	for (uint32_t at = 0; at < len;) {
		uint16_t n;
		uint8_t *d;

		m = rte_pktmbuf_alloc(pool);
		assert_non_null(m);
		n = (uint16_t)RTE_MIN(seg_len, len - at);
		n = RTE_MIN(n, rte_pktmbuf_tailroom(m));
		d = (uint8_t *)rte_pktmbuf_append(m, n);
		for (uint16_t i = 0; i < n; i++)
			d[i] = byte_at(at + i, seed);
		at += n;
		if (head == NULL)
			head = m;
		else
			assert_int_equal(rte_pktmbuf_chain(head, m), 0);
	}
	return head;
}

static void
check_frame(const struct rte_mbuf *m, uint32_t len, uint32_t seed, uint16_t port_id)
{
	uint32_t at = 0;

	rte_mbuf_sanity_check(m, 1);
	assert_int_equal(m->pkt_len, len);
	assert_int_equal(m->port, port_id);
	assert_int_equal(m->ol_flags, 0);
	for (; m != NULL; m = m->next)
		for (uint16_t i = 0; i < m->data_len; i++, at++)
			assert_int_equal(
				*rte_pktmbuf_mtod_offset(m, uint8_t *, i), byte_at(at, seed));
	assert_int_equal(at, len);
}

static void
send_one(uint16_t id, struct rte_mbuf *m)
{
	for (int ms = 0; rte_eth_tx_burst(id, 0, &m, 1) == 0; ms++) {
		assert_true(ms < WAIT_MS);
		usleep(1000);
	}
}

static struct rte_mbuf *
recv_one(uint16_t id)
{
	struct rte_mbuf *m;

	for (int ms = 0; rte_eth_rx_burst(id, 0, &m, 1) == 0; ms++) {
		assert_true(ms < WAIT_MS);
		usleep(100);
	}
	return m;
}

static void
pass(uint16_t from, uint16_t to, uint32_t len, uint32_t seg_len, uint32_t seed)
{
	struct rte_mbuf *m;

	send_one(from, make_frame(len, seg_len, seed));
	m = recv_one(to);
	check_frame(m, len, seed, to);
	rte_pktmbuf_free(m);
}

static struct rte_eth_stats
stats_of(uint16_t id)
{
	struct rte_eth_stats s;

	assert_int_equal(rte_eth_stats_get(id, &s), 0);
	return s;
}

static int
setup(void **state)
{
	switch_start();
	return 0;
}

static int
teardown(void **state)
{
	switch_stop(true);
	assert_int_equal(rte_mempool_in_use_count(pool), 0);
	return 0;
}

/* ---- tests ---- */

static void
frames_of_all_shapes_pass_whole(void **state)
{
	static const uint32_t len[] = {14, 15, 60, 63, 64, 65, 127, 2047, 2048, 2049, 4095, 4096,
		4097, 6144, 9000, 9215, 9216};
	static const uint32_t seg[] = {1, 13, 64, 2047, 2048};
	static const uint16_t room[] = {1, 63, 64, 128, 2048, 9216};
	uint16_t a, b;
	char name[32];

	a = new_port("net_vale0", "valea:a", pool);
	for (unsigned int r = 0; r < RTE_DIM(room); r++) {
		struct rte_mempool *mp;

		snprintf(name, sizeof(name), "room_%u", room[r]);
		mp = make_pool(name, room[r] == 1 ? 16383 : 1023, room[r]);
		b = new_port("net_vale1", "valea:b", mp);
		for (unsigned int i = 0; i < RTE_DIM(len); i++)
			pass(a, b, len[i], RTE_MAX(seg[(i + r) % RTE_DIM(seg)], len[i] / 1000), i);
		unplug("net_vale1");
		assert_int_equal(rte_mempool_in_use_count(mp), 0);
		rte_mempool_free(mp);
	}
	unplug("net_vale0");
}

static void
rings_wrap(void **state)
{
	uint16_t a = new_port("net_vale0", "valea:a", pool);
	uint16_t b = new_port("net_vale1", "valea:b", pool);

	/* indices have 16 bits */
	for (uint32_t i = 0; i < 15000; i++)
		pass(a, b, i % 3 == 0 ? 60 : 9216, 2048, i);
	assert_int_equal(stats_of(a).opackets, 15000);
	assert_int_equal(stats_of(b).ipackets, 15000);
	assert_int_equal(stats_of(a).obytes, stats_of(b).ibytes);
	unplug("net_vale0");
	unplug("net_vale1");
}

static void
rx_without_mbufs_loses_nothing(void **state)
{
	struct rte_mempool *mp = make_pool("few", 3, 2048);
	uint16_t a = new_port("net_vale0", "valea:a", pool);
	uint16_t b = new_port("net_vale1", "valea:b", mp);
	struct rte_mbuf *held[8];
	uint16_t n = 0;

	for (uint32_t i = 0; i < 8; i++)
		send_one(a, make_frame(60, 2048, i));
	send_one(a, make_frame(5000, 2048, 8));
	while (n < 3)
		n += rte_eth_rx_burst(b, 0, &held[n], 8 - n);
	usleep(20000);
	assert_int_equal(rte_eth_rx_burst(b, 0, &held[3], 5), 0);
	assert_true(stats_of(b).rx_nombuf > 0);
	for (uint32_t i = 0; i < 3; i++) {
		check_frame(held[i], 60, i, b);
		rte_pktmbuf_free(held[i]);
	}
	for (uint32_t i = 3; i < 8; i++) {
		held[0] = recv_one(b);
		check_frame(held[0], 60, i, b);
		if (i == 7) /* a chain of three needs this one back */
			assert_int_equal(rte_eth_rx_burst(b, 0, &held[1], 1), 0);
		rte_pktmbuf_free(held[0]);
	}
	/* offered room for more frames, it takes mbufs for more, and needs them for this one */
	for (n = 0; n == 0;)
		n = rte_eth_rx_burst(b, 0, held, 8);
	check_frame(held[0], 5000, 8, b);
	assert_int_equal(n, 1);
	rte_pktmbuf_free(held[0]);
	unplug("net_vale1");
	unplug("net_vale0");
	rte_mempool_free(mp);
}

static void
tx_takes_what_fits_and_drops_what_never_will(void **state)
{
	struct rte_mbuf *m[64], *shared = make_frame(2048, 2048, 0);
	uint16_t a = new_port("net_vale0", "valea:a", pool);
	unsigned int sent = 0;
	uint16_t n;

	/* the worker is kept from taking anything: the port's queue is taken from it */
	switch_stop(false);
	wait_link(a, false);
	switch_start();
	wait_link(a, true);
	vale_server_stop(sw.server);
	vale_workers_del_endpoint(sw.ws, &TAILQ_FIRST(&memif.conns)->port->ep);
	/* two megabytes, all of them the same two kilobytes */
	m[0] = rte_pktmbuf_clone(shared, pool);
	for (unsigned int i = 0; i < 1024; i++)
		assert_int_equal(rte_pktmbuf_chain(m[0], rte_pktmbuf_clone(shared, pool)), 0);
	assert_int_equal(rte_eth_tx_burst(a, 0, m, 1), 1);
	assert_int_equal(stats_of(a).oerrors, 1);
	assert_int_equal(stats_of(a).opackets, 0);
	do {
		for (unsigned int i = 0; i < 64; i++)
			m[i] = make_frame(100, 2048, i);
		n = rte_eth_tx_burst(a, 0, m, 64);
		rte_pktmbuf_free_bulk(&m[n], 64 - n);
		sent += n;
	} while (n == 64);
	assert_int_equal(sent, 1024);
	assert_int_equal(stats_of(a).opackets, 1024);
	assert_int_equal(
		vale_workers_add_rxq(sw.ws, TAILQ_FIRST(&memif.conns)->port->ep.rxq[0]), 0);
	send_one(a, make_frame(100, 2048, 0));
	unplug("net_vale0");
	rte_pktmbuf_free(shared);
}

static int
count_event(uint16_t id, enum rte_eth_event_type type, void *arg, void *ret)
{
	atomic_fetch_add((_Atomic int *)arg, 1);
	return 0;
}

static void
ports_come_back_with_the_switch(void **state)
{
	uint16_t a = new_port("net_vale0", "valea:a", pool);
	uint16_t b = new_port("net_vale1", "valea:b", pool);
	_Atomic int events = 0;
	struct rte_mbuf *m;

	rte_eth_dev_callback_register(a, RTE_ETH_EVENT_INTR_LSC, count_event, &events);
	for (int i = 0; i < 6; i++) {
		pass(a, b, 1000 + (uint32_t)i, 100, 1);
		send_one(a, make_frame(60, 60, 1)); /* lost, for nobody takes it */
		switch_stop(i % 2 == 0);
		wait_link(a, false);
		wait_link(b, false);
		m = make_frame(60, 60, 1);
		assert_int_equal(rte_eth_tx_burst(a, 0, &m, 1), 0);
		rte_pktmbuf_free(m);
		assert_int_equal(rte_eth_rx_burst(b, 0, &m, 1), 0);
		switch_start();
		wait_link(a, true);
		wait_link(b, true);
	}
	pass(a, b, 60, 60, 1);
	assert_int_equal(stats_of(a).opackets, 13);
	assert_int_equal(stats_of(b).ipackets, 7);
	assert_int_equal(events, 12);
	rte_eth_dev_callback_unregister(a, RTE_ETH_EVENT_INTR_LSC, count_event, &events);
	unplug("net_vale0");
	unplug("net_vale1");
}

static _Atomic bool remove_it, removed;

static int
remove_device(uint16_t id, enum rte_eth_event_type type, void *arg, void *ret)
{
	if (!atomic_exchange(&remove_it, false))
		return 0;
	unplug("net_vale0");
	atomic_store(&removed, true);
	return 0;
}

static void
application_may_remove_the_port_in_its_callback(void **state)
{
	uint16_t a;

	for (int i = 0; i < 4; i++) {
		atomic_store(&removed, false);
		a = new_port("net_vale0", "valea:a", pool);
		/* it cannot be unregistered while it runs, nor when the port has gone */
		rte_eth_dev_callback_register(a, RTE_ETH_EVENT_INTR_LSC, remove_device, NULL);
		atomic_store(&remove_it, i % 2 == 0); /* when it goes, else when it comes back */
		switch_stop(false);
		if (i % 2 == 1)
			wait_link(a, false);
		usleep(1000);
		if (i % 2 == 1)
			atomic_store(&remove_it, true);
		switch_start();
		for (int ms = 0; !atomic_load(&removed); ms++) {
			assert_true(ms < WAIT_MS);
			usleep(1000);
		}
		assert_int_equal(rte_eth_dev_get_port_by_name("net_vale0", &a), -ENODEV);
	}
}

/* A thread that bursts without a pause. */
static struct {
	uint16_t id;
	_Atomic bool stop;
	uint64_t received, odd;
} hot;

static void *
hot_main(void *arg)
{
	struct rte_mbuf *m[32];

	while (!atomic_load_explicit(&hot.stop, memory_order_relaxed)) {
		uint16_t n = rte_eth_rx_burst(hot.id, 0, m, 32), sent;

		for (uint16_t i = 0; i < n; i++)
			hot.odd += m[i]->pkt_len != 60 && m[i]->pkt_len != 4000;
		hot.received += n;
		sent = rte_eth_tx_burst(hot.id, 0, m, n);
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	}
	return NULL;
}

static void
bursts_and_restarts_do_not_meet(void **state)
{
	struct rte_mbuf *m[16];
	pthread_t thread;
	uint16_t a = new_port("net_vale0", "valea:a", pool);

	hot.id = new_port("net_vale1", "valea:b", pool);
	atomic_store(&hot.stop, false);
	hot.received = hot.odd = 0;
	assert_int_equal(pthread_create(&thread, NULL, hot_main, NULL), 0);
	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < 50; k++) {
			uint16_t n;

			for (unsigned int j = 0; j < 16; j++)
				m[j] = make_frame(j % 4 == 0 ? 4000 : 60, 2048, j);
			n = rte_eth_tx_burst(a, 0, m, 16);
			rte_pktmbuf_free_bulk(m + n, 16 - n);
			n = rte_eth_rx_burst(a, 0, m, 16);
			rte_pktmbuf_free_bulk(m, n);
		}
		switch_stop(i % 2 == 0);
		switch_start();
		wait_link(a, true);
		wait_link(hot.id, true);
	}
	atomic_store(&hot.stop, true);
	pthread_join(thread, NULL);
	assert_true(hot.received > 0);
	assert_int_equal(hot.odd, 0);
	unplug("net_vale0");
	unplug("net_vale1");
}

static void
few_queues_read_all_rings(void **state)
{
	struct rte_epoll_event ev[4];
	struct rte_mbuf *m;
	uint16_t a, b;

	assert_int_equal(plug("net_vale0", "valea:a", ",queues=5"), 0);
	assert_int_equal(plug("net_vale1", "valea:b", ",queues=5"), 0);
	a = open_port("net_vale0", 5, pool);
	b = open_port("net_vale1", 2, pool);
	pass(b, a, 60, 60, 0); /* teaches where b's address is */
	for (uint16_t q = 0; q < 2; q++)
		assert_int_equal(rte_eth_dev_rx_intr_ctl_q(
					 b, q, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD, NULL),
			0);
	for (uint16_t q = 0; q < 5; q++) {
		m = make_frame(60, 60, q);
		memcpy(rte_pktmbuf_mtod(m, void *), "\x02\0\0\0\0", 6);
		rte_pktmbuf_mtod(m, uint8_t *)[11] = 9;
		assert_int_equal(rte_eth_dev_rx_intr_enable(b, q % 2), 0);
		assert_int_equal(rte_epoll_wait(RTE_EPOLL_PER_THREAD, ev, 4, 0), 0);
		assert_int_equal(rte_eth_tx_burst(a, q, &m, 1), 1);
		assert_int_equal(rte_epoll_wait(RTE_EPOLL_PER_THREAD, ev, 4, WAIT_MS), 1);
		assert_int_equal(rte_eth_dev_rx_intr_disable(b, q % 2), 0);
		assert_int_equal(rte_eth_rx_queue_count(b, q % 2), 1);
		assert_int_equal(rte_eth_rx_burst(b, q % 2, &m, 1), 1);
		rte_pktmbuf_free(m);
	}
	/* who arms a queue on which a frame waits does not sleep */
	m = make_frame(60, 60, 0);
	send_one(a, m);
	while (rte_eth_rx_queue_count(b, 0) == 0)
		usleep(100);
	assert_int_equal(rte_eth_dev_rx_intr_enable(b, 0), 0);
	assert_int_equal(rte_epoll_wait(RTE_EPOLL_PER_THREAD, ev, 4, WAIT_MS), 1);
	/* what came while it was stopped is not seen */
	assert_int_equal(rte_eth_dev_stop(b), 0);
	assert_int_equal(rte_eth_dev_start(b), 0);
	assert_int_equal(rte_eth_rx_burst(b, 0, &m, 1), 0);
	for (uint16_t q = 0; q < 2; q++)
		rte_eth_dev_rx_intr_ctl_q(b, q, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_DEL, NULL);
	unplug("net_vale0");
	unplug("net_vale1");
}

static void
refused_devices_leave_nothing_behind(void **state)
{
	struct rte_ether_addr mac;
	uint16_t a = new_port("net_vale0", "valea:a", pool), id;

	rte_log_set_level_pattern("pmd.net.vale", RTE_LOG_EMERG);
	for (int i = 0; i < 40; i++) { /* more often than there are ids */
		assert_int_equal(plug("net_vale1", "valea:a", ""), -EBUSY);
		assert_int_equal(plug("net_vale1", "valea:lo", ""), -EINVAL);
		assert_int_equal(plug("net_vale1", "valea", ""), -EINVAL);
	}
	assert_int_equal(rte_vdev_init("net_vale1", "port=valea:b,socket=/nowhere"), -ENOENT);
	rte_log_set_level_pattern("pmd.net.vale", RTE_LOG_NOTICE);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_vale1", &id), -ENODEV);
	assert_int_equal(plug("net_vale1", "valea:b", ",mac=02:00:00:00:00:07"), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_vale1", &id), 0);
	assert_int_equal(rte_eth_macaddr_get(id, &mac), 0);
	assert_int_equal(mac.addr_bytes[5], 7);
	/* closed by the application, removed by nobody, then plugged again */
	assert_int_equal(rte_eth_dev_close(id), 0);
	assert_int_equal(rte_vdev_uninit("net_vale1"), 0);
	id = new_port("net_vale1", "valea:b", pool);
	pass(a, id, 60, 60, 3);
	unplug("net_vale1");
	unplug("net_vale0");
}

static int
eal_init(void)
{
	char *argv[] = {
		(char *)(uintptr_t) "unit",
		(char *)(uintptr_t) "--no-huge",
		(char *)(uintptr_t) "--no-pci",
		(char *)(uintptr_t) "--no-shconf",
		(char *)(uintptr_t) "--no-telemetry",
		(char *)(uintptr_t) "-m",
		(char *)(uintptr_t) "256",
		(char *)(uintptr_t) "--lcores",
		(char *)(uintptr_t) "0@(0-1),1@(0-1)",
		(char *)(uintptr_t) "--log-level",
		(char *)(uintptr_t) "error",
	};

	return rte_eal_init(RTE_DIM(argv), argv) < 0 ? -1 : 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(frames_of_all_shapes_pass_whole),
		T(rings_wrap),
		T(rx_without_mbufs_loses_nothing),
		T(tx_takes_what_fits_and_drops_what_never_will),
		T(ports_come_back_with_the_switch),
		T(application_may_remove_the_port_in_its_callback),
		T(bursts_and_restarts_do_not_meet),
		T(few_queues_read_all_rings),
		T(refused_devices_leave_nothing_behind),
	};
	int failed;

	if (eal_init() < 0 || mkdtemp(dir) == NULL)
		return 1;
	snprintf(ctl_path, sizeof(ctl_path), "%s/vale.sock", dir);
	snprintf(memif_path, sizeof(memif_path), "%s/memif.sock", dir);
	pool = make_pool("frames", POOL_MBUFS, 2048);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return failed;
}
