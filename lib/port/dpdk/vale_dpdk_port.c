/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ethdev_driver.h>
#include <rte_errno.h>
#include <rte_memzone.h>
#include <rte_version.h>

#include "dpdk_port.h"
#include "reaper.h"
#include "vale_config.h"
#include "vale_eal_memory.h"
#include "vale_group.h"
#include "vale_log.h"

/* All slots, and who holds them. Control thread only. */
static struct {
	struct vale_dpdk_conf conf;
	struct vale_switches *switches;
	struct vale_server *server;
	const struct rte_memzone *mz;
	size_t ring_sz; /* bytes of one ring */
	size_t slot_sz; /* bytes of one slot with its rings */
	struct dpdk_port *holder[RTE_MAX_ETHPORTS];
	struct dpdk_pool_range range;
	bool ending; /* the switch ends: names are not given away any more */
	TAILQ_HEAD(, dpdk_port) ports;
} d;

/* ---- slots ---- */

static struct vale_dpdk_slot *
slot_at(unsigned int i)
{
	return RTE_PTR_ADD(d.mz->addr, i * d.slot_sz);
}

/* Ring number i of a slot: first those to the client, then those from it. */
static struct rte_ring *
slot_ring(struct vale_dpdk_slot *slot, unsigned int i)
{
	return RTE_PTR_ADD(slot, sizeof(*slot) + i * d.ring_sz);
}

static void
ring_make(struct rte_ring *r, const char *name, uint32_t size)
{
	/* exact size: a ring of N holds N frames, as the option says */
	int ret = rte_ring_init(r, name, size, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);

	RTE_VERIFY(ret == 0); /* name and size were checked at start */
}

static void
slot_init(struct vale_dpdk_slot *slot, const char *name, uint16_t nb_queues, uint16_t port_id,
	const uint8_t *mac, uint32_t ring_size)
{
	memset(slot, 0, sizeof(*slot));
	slot->version = VALE_DPDK_SHM_VERSION;
	slot->nb_queues = nb_queues;
	slot->port_id = port_id;
	snprintf(slot->name, sizeof(slot->name), "%s", name);
	slot->pool_addr = (uint64_t)(uintptr_t)d.conf.pool;
	slot->nb_desc = ring_size;
	memcpy(slot->mac, mac, RTE_ETHER_ADDR_LEN);
	for (uint16_t i = 0; i < nb_queues; i++) {
		struct vale_dpdk_rxq *rxq = &slot->rxq[i];
		struct vale_dpdk_txq *txq = &slot->txq[i];
		struct rte_ring *to = slot_ring(slot, i);
		struct rte_ring *from = slot_ring(slot, VALE_DPDK_QUEUES_MAX + i);

		ring_make(to, "vale_to", ring_size);
		ring_make(from, "vale_from", ring_size);
		rxq->ring_off = RTE_PTR_DIFF(to, rxq);
		txq->ring_off = RTE_PTR_DIFF(from, txq);
		rxq->id = txq->id = i;
		rxq->port_id = txq->port_id = port_id;
		rxq->event_fd = txq->kick_fd = -1;
		slot->rx_queues[i] = rxq;
		slot->tx_queues[i] = txq;
	}
	atomic_store(&slot->link_up, 1);
}

/* ---- the ethdev that the client finds ---- */

static struct rte_eth_dev *
ethdev_make(struct vale_dpdk_slot *slot, const char *name)
{
	struct rte_eth_dev *dev = vale_eal_ethdev_take(name);

	if (dev != NULL)
		dev->data->dev_private = slot;
	return dev;
}

/* Everything that a client which configures nothing (testpmd as secondary) relies on, and that one
 * which configures itself (skeleton) writes anew: hence not started. */
static void
ethdev_fill(struct rte_eth_dev *dev, struct vale_dpdk_slot *slot)
{
	struct rte_eth_dev_data *data = dev->data;

	data->rx_queues = slot->rx_queues;
	data->tx_queues = slot->tx_queues;
	data->nb_rx_queues = data->nb_tx_queues = slot->nb_queues;
	data->mac_addrs = (struct rte_ether_addr *)slot->mac;
	data->dev_flags |= RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
	data->numa_node = SOCKET_ID_ANY;
	data->dev_link = (struct rte_eth_link){
		.link_speed = RTE_ETH_SPEED_NUM_100G,
		.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
		.link_autoneg = RTE_ETH_LINK_FIXED,
		.link_status = RTE_ETH_LINK_UP,
	};
	data->promiscuous = 1;
	data->all_multicast = 1;
	data->dev_configured = 1;
	for (uint16_t i = 0; i < slot->nb_queues; i++) {
		data->rx_queue_state[i] = RTE_ETH_QUEUE_STATE_STARTED;
		data->tx_queue_state[i] = RTE_ETH_QUEUE_STATE_STARTED;
	}
}

static void
ethdev_free(struct rte_eth_dev *dev, struct vale_dpdk_slot *slot)
{
	struct rte_eth_dev_data *data = dev->data;

	/* release frees what these point at; what is in the slot is not its to free */
	if (data->rx_queues == slot->rx_queues)
		data->rx_queues = NULL;
	if (data->tx_queues == slot->tx_queues)
		data->tx_queues = NULL;
	data->mac_addrs = NULL;
	data->dev_private = NULL;
	vale_eal_ethdev_give(dev);
}

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

/* The client is dead or has said that it is done: nobody else touches the slot. */
static void
port_free(struct dpdk_port *p)
{
	/* a client that still lives has one end of each ring to itself; what is in them ends with
	 * the switch */
	for (uint16_t i = 0; p->slot != NULL && p->quiet && i < p->ep.nb_rxq; i++) {
		dpdk_ring_flush(p->txq[i].ring);
		dpdk_ring_flush(p->rxq[i].ring);
	}
	/* who outlives the switch finds its port by name as before, with the link down: ethdev
	 * looks names up in this shared memory, which is the orphan's from then on */
	if (p->dev != NULL && (p->ended || !d.ending))
		ethdev_free(p->dev, p->slot);
	port_close_fds(p);
	if (p->pidfd >= 0) {
		vale_server_unwatch(d.server, p->pidfd);
		close(p->pidfd);
	}
	if (p->conn != NULL)
		vale_conn_on_close(p->conn, NULL, NULL);
	/* before others may have its lcore ids */
	if (p->ended)
		dpdk_reaper_bury(&p->process);
	vale_group_release_lcores(p->ep.pid);
	TAILQ_REMOVE(&d.ports, p, next);
	d.holder[p->slot_idx] = NULL;
	free(p);
}

static void
port_free_if_done(struct dpdk_port *p)
{
	if (!p->plugged && p->quiet)
		port_free(p);
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

	TAILQ_FOREACH (p, &d.ports, next) {
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
	d.ending = vale_switches_ending(d.switches);
	atomic_store(&p->slot->link_up, 0);
	for (uint16_t i = 0; i < ep->nb_rxq; i++)
		lost += rte_ring_count(p->rxq[i].ring);
	if (!p->quiet && !d.ending)
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
		vale_switch_detach(d.switches, &p->ep);
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

static void
on_conn_closed(void *arg)
{
	struct dpdk_port *p = arg;

	p->conn = NULL;
	p->ended = port_process_ended(p);
	p->quiet |= p->ended;
	port_unplug(p);
}

/* The process ended though a copy of its connection lives on, in a forked child: DPDK does not
 * survive a fork. */
static void
on_process_ended(void *arg, int fd)
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

	TAILQ_FOREACH (p, &d.ports, next) {
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

/* ---- attach ---- */

/* What must be the same on both sides. Returns false after it has refused. */
static bool
attach_check_versions(struct vale_conn *c, const struct vale_ctl_attach_dpdk_req *req)
{
	if (strcmp(req->dpdk_version, rte_version()) != 0) {
		vale_conn_refuse(c, &req->hdr, EPROTO,
			"%s: the client runs %s, the switch %s; a secondary needs the switch's "
			"version",
			req->name, req->dpdk_version, rte_version());
		return false;
	}
	if (strcmp(req->vale_version, VALE_VERSION) != 0 ||
		req->shm_version != VALE_DPDK_SHM_VERSION) {
		vale_conn_refuse(c, &req->hdr, EPROTO,
			"%s: the client's net_vale is of release %s (layout %u), the switch of %s "
			"(layout %u); "
			"install the same release for both",
			req->name, req->vale_version, req->shm_version, VALE_VERSION,
			VALE_DPDK_SHM_VERSION);
		return false;
	}
	return true;
}

static bool
attach_check(struct vale_conn *c, const struct vale_ctl_attach_dpdk_req *req)
{
	if (!vale_conn_check_text(c, &req->hdr, req->name, sizeof(req->name), "port name") ||
		!vale_conn_check_text(c, &req->hdr, req->dpdk_version, sizeof(req->dpdk_version),
			"DPDK version") ||
		!vale_conn_check_text(
			c, &req->hdr, req->vale_version, sizeof(req->vale_version), "release"))
		return false;
	if (!attach_check_versions(c, req))
		return false;
	if (!d.conf.shared) {
		vale_conn_refuse(c, &req->hdr, EOPNOTSUPP,
			"%s: this switch runs without memory that it could share (--no-huge or "
			"--in-memory), "
			"so no secondary can attach",
			req->name);
		return false;
	}
	if (req->nb_queues > VALE_DPDK_QUEUES_MAX) {
		vale_conn_refuse(c, &req->hdr, EINVAL,
			"%s: %u queues asked for, a port has at most %u", req->name, req->nb_queues,
			VALE_DPDK_QUEUES_MAX);
		return false;
	}
	if (req->has_mac && ((req->mac[0] & 1) != 0 || vale_mac_from_bytes(req->mac) == 0)) {
		vale_conn_refuse(c, &req->hdr, EINVAL,
			"%s: a group or zero address cannot be a port's MAC address", req->name);
		return false;
	}
	if (vale_conn_bound(c)) {
		vale_conn_refuse(c, &req->hdr, EBUSY,
			"%s: this connection holds a port already, or waits for one", req->name);
		return false;
	}
	if (vale_conn_pid(c) == 0) {
		vale_conn_refuse(c, &req->hdr, EPERM,
			"%s: the switch cannot see the client's process, and so neither its lcore "
			"ids nor its "
			"end; start the switch in the client's PID namespace, or in one above",
			req->name);
		return false;
	}
	return true;
}

static int
slot_take(struct dpdk_port *p)
{
	for (unsigned int i = 0; i < RTE_DIM(d.holder); i++) {
		if (d.holder[i] == NULL) {
			d.holder[i] = p;
			p->slot_idx = i;
			return 0;
		}
	}
	return -ENOMEM;
}

static void
port_make_queues(struct dpdk_port *p)
{
	for (uint16_t i = 0; i < p->ep.nb_rxq; i++) {
		struct dpdk_rxq *rq = &p->rxq[i];
		struct dpdk_txq *tq = &p->txq[i];

		rq->shm = &p->slot->txq[i];
		rq->ring = VALE_DPDK_RING(rq->shm);
		rq->pool_lo = d.range.lo;
		rq->pool_sz = d.range.hi - d.range.lo;
		rq->flat_max = rte_pktmbuf_data_room_size(p->pool) - RTE_PKTMBUF_HEADROOM;
		rq->q.ep = &p->ep;
		rq->q.id = i;
		rq->q.wait_edge = true;
		tq->shm = &p->slot->rxq[i];
		tq->ring = VALE_DPDK_RING(tq->shm);
		rte_spinlock_init(&tq->lock);
		p->ep.rxq[i] = &rq->q;
	}
}

static int
port_make_doorbells(struct dpdk_port *p)
{
	for (uint16_t i = 0; i < p->ep.nb_rxq; i++) {
		p->rxq[i].q.wait_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		p->txq[i].event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (p->rxq[i].q.wait_fd < 0 || p->txq[i].event_fd < 0)
			return -errno;
	}
	return 0;
}

static struct dpdk_port *
port_alloc(const struct vale_ctl_attach_dpdk_req *req, pid_t pid)
{
	struct dpdk_port *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->ep.ops = &dpdk_endpoint_ops;
	p->ep.pid = pid;
	vale_process_identify(pid, &p->process);
	p->ep.nb_rxq = p->ep.nb_txq = req->nb_queues == 0 ? 1 : req->nb_queues;
	p->pool = d.conf.pool;
	p->lock_tx = vale_switches_workers(d.switches)->nb > 1;
	p->pidfd = -1;
	p->quiet = true; /* until the client knows the slot */
	for (unsigned int i = 0; i < VALE_DPDK_QUEUES_MAX; i++)
		p->rxq[i].q.wait_fd = p->txq[i].event_fd = -1;
	return p;
}

static int
refuse_spent(const struct vale_name *name, char *why)
{
	snprintf(why, VALE_CTL_TEXT_SZ,
		"%s: all %d ethdev ports of this DPDK group are in use (RTE_MAX_ETHPORTS, fixed "
		"when "
		"DPDK was built); detach one, or run a second switch with another --file-prefix",
		name->full, RTE_MAX_ETHPORTS);
	return -ENOMEM;
}

/* Everything but the switch. On failure the caller frees the port. */
static int
port_build(struct dpdk_port *p, const struct vale_name *name,
	const struct vale_ctl_attach_dpdk_req *req, char *why)
{
	const struct vale_port *known = vale_switch_find_port(d.switches, name->full);
	uint32_t ring_size = vale_switches_limits(d.switches)->ring_size;
	struct vale_dpdk_slot *slot = slot_at(p->slot_idx);
	uint8_t mac[RTE_ETHER_ADDR_LEN];
	int ret;

	p->dev = ethdev_make(slot, name->full);
	if (p->dev == NULL) {
		return refuse_spent(name, why);
	}
	vale_name_mac(name->full, mac);
	if (known != NULL)
		memcpy(mac, known->mac, sizeof(mac));
	if (req->has_mac)
		memcpy(mac, req->mac, sizeof(mac));
	slot_init(slot, name->full, p->ep.nb_rxq, p->dev->data->port_id, mac, ring_size);
	p->slot = slot;
	ethdev_fill(p->dev, slot);
	port_make_queues(p);
	ret = port_make_doorbells(p);
	if (ret < 0)
		snprintf(why, VALE_CTL_TEXT_SZ,
			"%s: no descriptor for its queues: %s; raise `ulimit -n`", name->full,
			strerror(-ret));
	return ret;
}

/* Watch the process: its end is exact even if a forked child keeps the socket. */
static void
port_watch_process(struct dpdk_port *p)
{
	p->pidfd = (int)syscall(SYS_pidfd_open, p->ep.pid, 0);
	if (p->pidfd < 0) {
		VALE_LOG(WARNING,
			"process %d cannot be watched: %s; its end is its connection's end",
			p->ep.pid, strerror(errno));
		return;
	}
	if (vale_server_watch(d.server, p->pidfd, on_process_ended, p) < 0) {
		close(p->pidfd);
		p->pidfd = -1;
	}
}

static void
attach_reply(struct dpdk_port *p, const struct vale_ctl_attach_dpdk_req *req)
{
	struct vale_ctl_attach_dpdk_reply r = {
		.slot_addr = (uint64_t)(uintptr_t)p->slot,
		.slot_sz = d.slot_sz,
		.ethdev_data = (uint64_t)(uintptr_t)p->dev->data,
		.pool_addr = (uint64_t)(uintptr_t)p->pool,
		.port_id = p->dev->data->port_id,
		.nb_queues = p->ep.nb_rxq,
	};
	int fds[VALE_CTL_FDS_MAX];
	uint16_t n = p->ep.nb_rxq;

	static_assert(2 * VALE_DPDK_QUEUES_MAX <= VALE_CTL_FDS_MAX, "descriptors fit");
	snprintf(r.ethdev_name, sizeof(r.ethdev_name), "%s", p->slot->name);
	for (uint16_t i = 0; i < n; i++) {
		fds[i] = p->txq[i].event_fd;
		fds[n + i] = p->rxq[i].q.wait_fd;
	}
	vale_conn_reply(p->conn, &req->hdr, &r.r, sizeof(r), fds, 2 * n);
}

static int
attach_port(struct vale_conn *c, const struct vale_ctl_attach_dpdk_req *req,
	const struct vale_name *name, char *why)
{
	struct dpdk_port *p = port_alloc(req, vale_conn_pid(c));
	struct vale_lcore_set lcores;
	int ret;

	if (p == NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: no memory for a port", name->full);
		return -ENOMEM;
	}
	if (slot_take(p) < 0) {
		free(p);
		return refuse_spent(name, why);
	}
	memcpy(lcores.w, req->lcores, sizeof(lcores.w));
	ret = vale_group_claim_lcores(p->ep.pid, &lcores, why);
	if (ret < 0) {
		d.holder[p->slot_idx] = NULL;
		free(p);
		return ret;
	}
	TAILQ_INSERT_TAIL(&d.ports, p, next);
	p->ep.uid = vale_conn_uid(c);
	p->ep.has_uid = true;
	ret = port_build(p, name, req, why);
	if (ret == 0)
		ret = vale_switch_attach(
			d.switches, name, &p->ep, req->has_mac ? req->mac : NULL, false, why);
	if (ret < 0) {
		port_free(p);
		return ret;
	}
	p->plugged = true;
	p->quiet = false;
	p->conn = c;
	vale_conn_on_close(c, on_conn_closed, p);
	port_watch_process(p);
	attach_reply(p, req);
	return 0;
}

static void
handle_attach(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_attach_dpdk_req *req = (const void *)msg;
	char why[VALE_CTL_TEXT_SZ] = "";
	const char *wrong;
	struct vale_name name;
	int ret;

	if (!attach_check(c, req))
		return;
	ret = vale_name_parse(req->name, &name, &wrong);
	if (ret < 0) {
		vale_conn_refuse(c, msg, -ret, "%s: %s", req->name, wrong);
		return;
	}
	ret = vale_switch_check_user(d.switches, &name, vale_conn_uid(c), why);
	if (ret == 0)
		ret = vale_switch_may_attach(d.switches, &name, false, why);
	if (ret == 0)
		ret = attach_port(c, req, &name, why);
	if (ret < 0)
		vale_conn_refuse(c, msg, -ret, "%s", why);
}

/* ---- what dead clients held ---- */

/* Ring number i of those to clients: a slot's queue. */
static bool
see_ring(void *arg, unsigned int i, struct vale_pool_reap *reap)
{
	const struct dpdk_port *p = d.holder[i / VALE_DPDK_QUEUES_MAX];
	uint16_t queue = i % VALE_DPDK_QUEUES_MAX;

	if (p != NULL && p->slot != NULL && queue < p->ep.nb_txq)
		dpdk_ring_see(p->txq[queue].ring, reap);
	return i + 1 < RTE_MAX_ETHPORTS * VALE_DPDK_QUEUES_MAX;
}

static bool
no_port_of_the_dead(void)
{
	const struct dpdk_port *p;

	TAILQ_FOREACH (p, &d.ports, next) {
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

size_t
vale_dpdk_memsize(uint32_t ring_size)
{
	size_t ring_sz =
		rte_ring_get_memsize_elem(sizeof(uint64_t), rte_align32pow2(ring_size + 1));

	return RTE_MAX_ETHPORTS *
	       (sizeof(struct vale_dpdk_slot) +
		       2 * VALE_DPDK_QUEUES_MAX * RTE_ALIGN(ring_sz, 2 * RTE_CACHE_LINE_SIZE));
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

	d.conf = *conf;
	d.switches = s;
	d.server = server;
	TAILQ_INIT(&d.ports);
	d.slot_sz = vale_dpdk_memsize(conf->ring_size) / RTE_MAX_ETHPORTS;
	d.ring_sz = (d.slot_sz - sizeof(struct vale_dpdk_slot)) / (2 * VALE_DPDK_QUEUES_MAX);
	d.range = (struct dpdk_pool_range){.lo = UINTPTR_MAX};
	rte_mempool_mem_iter(conf->pool, widen_range, &d.range);
	d.mz = rte_memzone_reserve_aligned(VALE_DPDK_MZ_NAME, RTE_MAX_ETHPORTS * d.slot_sz,
		SOCKET_ID_ANY, 0, 2 * RTE_CACHE_LINE_SIZE);
	if (d.mz == NULL)
		return -ENOMEM;
	vale_server_handle(server, VALE_CTL_ATTACH_DPDK, sizeof(struct vale_ctl_attach_dpdk_req),
		handle_attach, NULL);
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
	while ((p = TAILQ_FIRST(&d.ports)) != NULL)
		port_free(p);
	dpdk_reaper_fini();
}
