/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ethdev_driver.h>
#include <rte_version.h>

#include "dpdk_port.h"
#include "vale_config.h"
#include "vale_group.h"
#include "vale_log.h"

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
	if (!dpdk.conf.shared) {
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
	for (unsigned int i = 0; i < RTE_DIM(dpdk.holder); i++) {
		if (dpdk.holder[i] == NULL) {
			dpdk.holder[i] = p;
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
		rq->addrs = VALE_DPDK_ADDRS(rq->shm);
		rq->pool_lo = dpdk.range.lo;
		rq->pool_sz = dpdk.range.hi - dpdk.range.lo;
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
	struct dpdk_port *p = vale_alloc_lines(sizeof(*p));

	if (p == NULL)
		return NULL;
	p->ep.ops = &dpdk_endpoint_ops;
	p->ep.pid = pid;
	vale_process_identify(pid, &p->process);
	p->ep.nb_rxq = p->ep.nb_txq = req->nb_queues == 0 ? 1 : req->nb_queues;
	p->pool = dpdk.conf.pool;
	p->lock_tx = vale_switches_workers(dpdk.switches)->nb > 1;
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
	const struct vale_port *known = vale_switch_find_port(dpdk.switches, name->full);
	uint32_t ring_size = vale_switches_limits(dpdk.switches)->ring_size;
	struct vale_dpdk_slot *slot = dpdk_slot_at(p->slot_idx);
	uint8_t mac[RTE_ETHER_ADDR_LEN];
	int ret;

	p->dev = dpdk_ethdev_make(slot, name->full);
	if (p->dev == NULL) {
		return refuse_spent(name, why);
	}
	vale_name_mac(name->full, mac);
	if (known != NULL)
		memcpy(mac, known->mac, sizeof(mac));
	if (req->has_mac)
		memcpy(mac, req->mac, sizeof(mac));
	dpdk_slot_init(slot, name->full, p->ep.nb_rxq, p->dev->data->port_id, mac, ring_size);
	p->slot = slot;
	dpdk_ethdev_fill(p->dev, slot);
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
	if (vale_server_watch(dpdk.server, p->pidfd, dpdk_port_process_ended, p) < 0) {
		close(p->pidfd);
		p->pidfd = -1;
	}
}

static void
attach_reply(struct dpdk_port *p, const struct vale_ctl_attach_dpdk_req *req)
{
	struct vale_ctl_attach_dpdk_reply r = {
		.slot_addr = (uint64_t)(uintptr_t)p->slot,
		.slot_sz = dpdk.slot_sz,
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
		dpdk.holder[p->slot_idx] = NULL;
		free(p);
		return ret;
	}
	TAILQ_INSERT_TAIL(&dpdk.ports, p, next);
	p->ep.uid = vale_conn_uid(c);
	p->ep.has_uid = true;
	ret = port_build(p, name, req, why);
	if (ret == 0)
		ret = vale_switch_attach(
			dpdk.switches, name, &p->ep, req->has_mac ? req->mac : NULL, false, why);
	if (ret < 0) {
		dpdk_port_free(p);
		return ret;
	}
	p->plugged = true;
	p->quiet = false;
	p->conn = c;
	vale_conn_on_close(c, dpdk_port_conn_closed, p);
	port_watch_process(p);
	attach_reply(p, req);
	return 0;
}

void
dpdk_handle_attach(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
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
	ret = vale_switch_check_user(dpdk.switches, &name, vale_conn_uid(c), why);
	if (ret == 0)
		ret = vale_switch_may_attach(dpdk.switches, &name, false, why);
	if (ret == 0)
		ret = attach_port(c, req, &name, why);
	if (ret < 0)
		vale_conn_refuse(c, msg, -ret, "%s", why);
}
