/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ethdev_driver.h>
#include <rte_errno.h>
#include <rte_memzone.h>

#include "dpdk_port.h"
#include "reaper.h"
#include "vale_group.h"
#include "vale_log.h"

struct dpdk_state dpdk;

/* ---- life of a port ---- */

static void
port_close_fds(struct dpdk_port *p)
{
	for (uint16_t i = 0; i < p->ep.nb_rxq; i++) {
		if (p->rxq[i].q.wait_fd >= 0)
			close(p->rxq[i].q.wait_fd);
		if (p->txq[i].event_fd >= 0)
			close(p->txq[i].event_fd);
	}
}

void
dpdk_port_free(struct dpdk_port *p)
{
	/* a client that still lives has one end of each ring to itself; what is in them ends with
	 * the switch */
	for (uint16_t i = 0; p->slot != NULL && p->quiet && i < p->ep.nb_rxq; i++) {
		dpdk_ring_flush(p->txq[i].ring);
		dpdk_ring_flush(p->rxq[i].ring);
	}
	/* who outlives the switch finds its port by name as before, with the link down: ethdev
	 * looks names up in this shared memory, which is the orphan's from then on */
	if (p->dev != NULL && (p->ended || !dpdk.ending))
		dpdk_ethdev_free(p->dev, p->slot);
	port_close_fds(p);
	if (p->pidfd >= 0) {
		vale_server_unwatch(dpdk.server, p->pidfd);
		close(p->pidfd);
	}
	if (p->conn != NULL)
		vale_conn_on_close(p->conn, NULL, NULL);
	/* before others may have its lcore ids */
	if (p->ended)
		dpdk_reaper_bury(&p->process);
	vale_group_release_lcores(p->ep.pid);
	TAILQ_REMOVE(&dpdk.ports, p, next);
	dpdk.holder[p->slot_idx] = NULL;
	free(p);
}

static void
port_free_if_done(struct dpdk_port *p)
{
	if (!p->plugged && p->quiet)
		dpdk_port_free(p);
}

/* A zombie: off the switch, but its client may still burst into the slot. Give the name away. */
static void
port_become_zombie(struct dpdk_port *p)
{
	snprintf(p->dev->data->name, sizeof(p->dev->data->name), "vale-zombie-%u", p->slot_idx);
}

/* Once a second: say who keeps memory. A process that is being killed closes its connection a
 * moment before it ends, so a zombie is nothing to speak of at first. */
static void
report_zombies(void *arg)
{
	struct dpdk_port *p;

	TAILQ_FOREACH (p, &dpdk.ports, next) {
		if (p->plugged || p->reported || ++p->zombie_s < 2)
			continue;
		p->reported = true;
		VALE_LOG(NOTICE,
			"process %d has lost port %s but lives; its memory is kept until it lets "
			"go or ends",
			p->ep.pid, p->slot->name);
	}
}

unsigned int
dpdk_port_destroy(struct vale_endpoint *ep)
{
	struct dpdk_port *p = (struct dpdk_port *)ep;
	unsigned int lost = 0;

	p->plugged = false;
	dpdk.ending = vale_switches_ending(dpdk.switches);
	atomic_store(&p->slot->link_up, 0);
	for (uint16_t i = 0; i < ep->nb_rxq; i++)
		lost += rte_ring_count(p->rxq[i].ring);
	if (!p->quiet && !dpdk.ending)
		port_become_zombie(p);
	port_free_if_done(p);
	return lost;
}

void
dpdk_port_evict(struct vale_endpoint *ep, const char *why)
{
	struct dpdk_port *p = (struct dpdk_port *)ep;

	atomic_store(&p->slot->link_up, 0);
	if (p->conn != NULL)
		vale_conn_notify(p->conn, VALE_CTL_EVENT_DETACHED, why);
}

static void
port_unplug(struct dpdk_port *p)
{
	if (p->plugged)
		vale_switch_detach(dpdk.switches, &p->ep);
	else
		port_free_if_done(p);
}

/* Whether the process that holds a port has ended. */
static bool
port_process_ended(const struct dpdk_port *p)
{
	struct pollfd pfd = {.fd = p->pidfd, .events = POLLIN};

	/* without a pidfd the connection's end must do */
	return p->pidfd < 0 || poll(&pfd, 1, 0) > 0;
}

void
dpdk_port_conn_closed(void *arg)
{
	struct dpdk_port *p = arg;

	p->conn = NULL;
	p->ended = port_process_ended(p);
	p->quiet |= p->ended;
	port_unplug(p);
}

void
dpdk_port_process_ended(void *arg, int fd)
{
	struct dpdk_port *p = arg;

	p->quiet = p->ended = true;
	if (p->conn != NULL) {
		vale_conn_on_close(p->conn, NULL, NULL);
		vale_conn_close(p->conn);
		p->conn = NULL;
	}
	port_unplug(p);
}

static struct dpdk_port *
port_of_conn(const struct vale_conn *c)
{
	struct dpdk_port *p;

	TAILQ_FOREACH (p, &dpdk.ports, next) {
		if (p->conn == c)
			return p;
	}
	return NULL;
}

/* The client says that it will not touch its slot again: it detaches, or agrees to being detached.
 */
static void
handle_detached(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	struct dpdk_port *p = port_of_conn(c);
	struct vale_ctl_reply r = {0};

	if (p == NULL) {
		vale_conn_refuse(c, msg, ENXIO, "this connection holds no port");
		return;
	}
	p->quiet = true;
	port_unplug(p);
	vale_conn_reply(c, msg, &r, sizeof(r), NULL, 0);
}

/* ---- what dead clients held ---- */

/* Ring number i of those to clients: a slot's queue. */
static bool
see_ring(void *arg, unsigned int i, struct vale_pool_reap *reap)
{
	const struct dpdk_port *p = dpdk.holder[i / VALE_DPDK_QUEUES_MAX];
	uint16_t queue = i % VALE_DPDK_QUEUES_MAX;

	if (p != NULL && p->slot != NULL && queue < p->ep.nb_txq)
		dpdk_ring_see(p->txq[queue].ring, reap);
	return i + 1 < RTE_MAX_ETHPORTS * VALE_DPDK_QUEUES_MAX;
}

static bool
no_port_of_the_dead(void)
{
	const struct dpdk_port *p;

	TAILQ_FOREACH (p, &dpdk.ports, next) {
		if (p->pidfd >= 0 && port_process_ended(p))
			return false;
	}
	return true;
}

/* ---- start and end ---- */

static void
widen_range(struct rte_mempool *mp, void *opaque, struct rte_mempool_memhdr *hdr, unsigned int i)
{
	struct dpdk_pool_range *r = opaque;
	uintptr_t lo = (uintptr_t)hdr->addr;

	r->lo = RTE_MIN(r->lo, lo);
	r->hi = RTE_MAX(r->hi, lo + hdr->len);
}

/* What a queue takes: bytes of one of its two rings, and of the addresses beside one of them. */
static void
queue_sizes(uint32_t ring_size, size_t *ring_sz, size_t *addrs_sz)
{
	uint32_t nb = rte_align32pow2(ring_size + 1); /* places: one stays empty */

	*ring_sz = RTE_ALIGN(
		(size_t)rte_ring_get_memsize_elem(sizeof(uint64_t), nb), 2 * RTE_CACHE_LINE_SIZE);
	*addrs_sz = RTE_ALIGN(nb * sizeof(struct vale_dpdk_addrs), 2 * RTE_CACHE_LINE_SIZE);
}

size_t
vale_dpdk_memsize(uint32_t ring_size)
{
	size_t ring_sz, addrs_sz;

	queue_sizes(ring_size, &ring_sz, &addrs_sz);
	return RTE_MAX_ETHPORTS *
	       (sizeof(struct vale_dpdk_slot) + VALE_DPDK_QUEUES_MAX * (2 * ring_sz + addrs_sz));
}

int
vale_dpdk_init(
	const struct vale_dpdk_conf *conf, struct vale_switches *s, struct vale_server *server)
{
	const struct dpdk_reaper_conf reaper = {
		.pool = conf->pool,
		.rings = see_ring,
		.may_start = no_port_of_the_dead,
	};
	int ret;

	dpdk.conf = *conf;
	dpdk.switches = s;
	dpdk.server = server;
	TAILQ_INIT(&dpdk.ports);
	dpdk.slot_sz = vale_dpdk_memsize(conf->ring_size) / RTE_MAX_ETHPORTS;
	queue_sizes(conf->ring_size, &dpdk.ring_sz, &dpdk.addrs_sz);
	dpdk.range = (struct dpdk_pool_range){.lo = UINTPTR_MAX};
	rte_mempool_mem_iter(conf->pool, widen_range, &dpdk.range);
	dpdk.mz = rte_memzone_reserve_aligned(VALE_DPDK_MZ_NAME, RTE_MAX_ETHPORTS * dpdk.slot_sz,
		SOCKET_ID_ANY, 0, 2 * RTE_CACHE_LINE_SIZE);
	if (dpdk.mz == NULL)
		return -ENOMEM;
	vale_server_handle(server, VALE_CTL_ATTACH_DPDK, sizeof(struct vale_ctl_attach_dpdk_req),
		dpdk_handle_attach, NULL);
	vale_server_handle(
		server, VALE_CTL_DETACHED, sizeof(struct vale_ctl_hdr), handle_detached, NULL);
	ret = vale_pool_is_governed(conf->pool) ? dpdk_reaper_init(&reaper, server) : 0;
	return ret < 0 ? ret : vale_server_every(server, 1000, report_zombies, NULL);
}

void
vale_dpdk_fini(void)
{
	struct dpdk_port *p;

	/* The memzone is not freed, for clients that live on may look at it: it ends with the
	 * switch's own mapping, and with the last client's. */
	while ((p = TAILQ_FIRST(&dpdk.ports)) != NULL)
		dpdk_port_free(p);
	dpdk_reaper_fini();
}
