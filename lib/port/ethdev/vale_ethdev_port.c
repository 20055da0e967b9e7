/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "ethdev_port.h"
#include "vale_ethdev_port.h"
#include "vale_client_memory.h"
#include "vale_gate.h"
#include "vale_log.h"

/* Links that nobody announces (vhost, NICs without an interrupt for it) are looked at this often.
 */
#define LINK_CHECK_MS 250

#define XDP_TRIES 5
#define XDP_WAIT_US 20000

/** What all ethdev ports share. Control thread. */
static struct {
	struct vale_ethdev_conf conf;
	struct vale_switches *switches;
	struct vale_server *server;
	int monitor_fd;
	int event_fd; /**< rung by threads of drivers */
	TAILQ_HEAD(, ethdev_ep) eps;
} port = {.monitor_fd = -1, .event_fd = -1, .eps = TAILQ_HEAD_INITIALIZER(port.eps)};

static struct ethdev_ep *
ep_of(struct vale_endpoint *ep)
{
	return (struct ethdev_ep *)ep;
}

/* ---- link and MTU ---- */

/* Whether the interface behind the driver's descriptor was deleted: it is in error and nothing
 * else. */
static bool
device_gone(const struct ethdev_ep *e)
{
	struct pollfd p = {.fd = e->ep.rxq[0]->wait_fd, .events = POLLIN};

	return p.fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLERR) && !(p.revents & POLLIN);
}

static bool
read_link(struct ethdev_ep *e)
{
	struct rte_eth_link link;

	/* a tap that was moved to another namespace is out of sight and works */
	if (e->kif.name[0] != '\0')
		return kernel_if_refresh(&e->kif, e->driver.owns_if && !device_gone(e));
	if (rte_eth_link_get_nowait(e->port_id, &link) < 0)
		return true;
	return link.link_status == RTE_ETH_LINK_UP;
}

/** The longest untagged frame that goes out: the interface's MTU, unless its stack takes any (a
 * tap's). */
static uint32_t
read_tx_len_max(const struct ethdev_ep *e)
{
	uint32_t len = e->tx_room;
	uint16_t mtu;

	if (e->driver.owns_if)
		return len;
	if (e->kif.name[0] != '\0')
		return RTE_MIN(len, e->kif.mtu + RTE_ETHER_HDR_LEN);
	if (!e->driver.kernel_if && !ethdev_device_is_vdev(&e->device) &&
		rte_eth_dev_get_mtu(e->port_id, &mtu) == 0)
		return RTE_MIN(len, (uint32_t)mtu + RTE_ETHER_HDR_LEN);
	return len;
}

static void
refresh(struct ethdev_ep *e)
{
	bool was = atomic_load_explicit(&e->link, memory_order_relaxed);
	uint32_t events = atomic_load_explicit(&e->events, memory_order_acquire);
	bool now = read_link(e);
	uint16_t i;

	atomic_store_explicit(&e->tx_len_max, read_tx_len_max(e), memory_order_relaxed);
	if (was == now && e->events_seen == events)
		return;
	e->events_seen = events;
	atomic_store_explicit(&e->link, now, memory_order_relaxed);
	if (e->ep.port == NULL)
		return;
	e->ep.port->linked = now;
	if (was != now)
		vale_switch_update_flood(port.switches, e->ep.port->sw);
	/* its workers may sleep without having asked a peer that was not there to wake them */
	for (i = 0; i < e->ep.nb_rxq; i++)
		vale_worker_wake(vale_switches_workers(port.switches), e->rxq[i].q.worker);
}

static void
refresh_all(void *arg)
{
	struct ethdev_ep *e;

	TAILQ_FOREACH (e, &port.eps, next)
		refresh(e);
}

static void
on_interface_change(void *arg, int fd)
{
	kernel_if_monitor_drain(fd);
	refresh_all(NULL);
}

static void
on_event(void *arg, int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) == sizeof(n))
		refresh_all(NULL);
}

void
ethdev_announce_event(void)
{
	uint64_t one = 1;

	/* fails only where it is readable anyway */
	if (write(port.event_fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- operations ---- */

static bool
op_link(struct vale_endpoint *ep)
{
	return atomic_load_explicit(&ep_of(ep)->link, memory_order_relaxed);
}

static void
op_describe(struct vale_endpoint *ep, char *buf, size_t sz)
{
	const struct ethdev_ep *e = ep_of(ep);

	snprintf(buf, sz, "%s", e->devargs[0] != '\0' ? e->devargs : e->device.name);
}

/** Give the device back. */
static void
ep_free(struct ethdev_ep *e)
{
	uint64_t sockets[VALE_QUEUES_MAX];
	uint16_t i;

	if (e->started)
		ethdev_device_stop(e);
	ethdev_sockets_note(e, sockets);
	if (e->driver.vhost)
		ethdev_vhost_unwatch(e);
	for (i = 0; i < VALE_QUEUES_MAX; i++) {
		ethdev_cut_free(e->rxq[i].cut);
		ethdev_held_free(e->rxq[i].held);
	}
	kernel_if_restore(&e->kif);
	ethdev_device_close(&e->device);
	ethdev_sockets_close(e, sockets);
	/* its frames were lent for a batch at a time, and all batches have ended */
	rte_mempool_free(e->own_pool);
	free(e);
}

static unsigned int
op_destroy(struct vale_endpoint *ep)
{
	struct ethdev_ep *e = ep_of(ep);
	unsigned int lost = 0;
	uint16_t i;

	for (i = 0; i < ep->nb_rxq; i++)
		lost += ethdev_rx_pending(ep->rxq[i]);
	TAILQ_REMOVE(&port.eps, e, next);
	ethdev_interface_release(e);
	ep_free(e);
	return lost;
}

static const struct vale_endpoint_ops common_ops = {
	.kind = VALE_CTL_KIND_ETHDEV,
	.rx = ethdev_rx,
	.rx_done = ethdev_rx_done,
	.tx = ethdev_tx,
	.rx_arm = ethdev_rx_arm,
	.rx_pending = ethdev_rx_pending,
	.link = op_link,
	.destroy = op_destroy,
	.describe = op_describe,
};

static int
alloc_held(struct ethdev_ep *e)
{
	for (uint16_t i = 0; i < e->ep.nb_rxq; i++) {
		e->rxq[i].held = calloc(1, sizeof(*e->rxq[i].held));
		if (e->rxq[i].held == NULL)
			return -ENOMEM;
	}
	return 0;
}

/** Frames of buffers of our own are lent as plain memory; those that the kernel may have joined are
 * cut. */
static int
choose_ops(struct ethdev_ep *e)
{
	uint16_t i;

	e->ops = common_ops;
	e->ep.ops = &e->ops;
	if (e->driver.vhost)
		return alloc_held(e);
	if (!e->lends)
		return 0;
	e->ops.lends_memory = true;
	e->ops.rx_done = ethdev_rx_done_lent;
	if (!e->driver.joins_fragments)
		return 0;
	e->ops.rx = ethdev_rx_cut;
	for (i = 0; i < e->ep.nb_rxq; i++) {
		e->rxq[i].cut = calloc(1, sizeof(*e->rxq[i].cut));
		if (e->rxq[i].cut == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* ---- attach ---- */

static struct ethdev_ep *
ep_alloc(void)
{
	struct ethdev_ep *e =
		aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof(*e), RTE_CACHE_LINE_SIZE));
	uint16_t i;

	if (e == NULL)
		return NULL;
	memset(e, 0, sizeof(*e));
	e->pool = port.conf.pool;
	e->kif.guard_fd = e->kif.promisc_fd = -1;
	/* an operator's */
	e->ep.has_uid = true;
	for (i = 0; i < VALE_QUEUES_MAX; i++) {
		rte_spinlock_init(&e->txq[i].lock);
		e->rxq[i].q.ep = &e->ep;
		e->rxq[i].q.id = i;
		e->rxq[i].q.wait_fd = -1;
		e->ep.rxq[i] = &e->rxq[i].q;
	}
	return e;
}

/** The interface below: the one that was named, or that the driver made. */
static void
find_kernel_if(struct ethdev_ep *e, const struct rte_eth_dev_info *info)
{
	char name[IFNAMSIZ] = "";

	if (!e->driver.kernel_if)
		return;
	if (e->driver.owns_if)
		if_indextoname(info->if_index, name);
	else
		ethdev_args_iface(e->device.args, name);
	if (name[0] != '\0')
		kernel_if_find(&e->kif, name);
	/* a tap goes to other namespaces, and another interface here may have its index then */
	e->kif.follow = !e->driver.owns_if;
}

/** Start the device and get ready to move frames. */
static int
ep_start(struct ethdev_ep *e, const struct socket_set *before, char *why)
{
	struct rte_eth_dev_info info;
	int ret;

	e->port_id = e->device.port_id;
	ret = rte_eth_dev_info_get(e->port_id, &info);
	if (ret < 0) {
		snprintf(why, ETHDEV_WHY_SZ, "device %s tells nothing of itself (%s)",
			e->device.name, strerror(-ret));
		return ret;
	}
	e->driver = *ethdev_driver_find(info.driver_name);
	find_kernel_if(e, &info);
	e->frame_sz = ethdev_args_frame_sz(&e->driver, e->device.args);
	if (e->frame_sz > ETHDEV_RING_RX_OFF)
		e->truncated_len = e->frame_sz - ETHDEV_RING_RX_OFF;
	e->complete_csum = e->kif.name[0] != '\0' && !e->driver.owns_if;
	if (e->complete_csum && !e->driver.own_pool)
		kernel_if_prepare(&e->kif);
	if (e->driver.vhost)
		ethdev_vhost_watch(e);
	ret = ethdev_device_start(e, port.conf.nb_workers, why);
	if (ret < 0)
		return ret;
	e->started = true;
	if (e->driver.vhost)
		ethdev_vhost_started(e);
	ret = choose_ops(e);
	if (ret < 0) {
		snprintf(why, ETHDEV_WHY_SZ, "no memory for the queues of device %s",
			e->device.name);
		return ret;
	}
	ethdev_wait_fds(e, before);
	ethdev_device_see_all(e);
	atomic_store_explicit(&e->link, true, memory_order_relaxed);
	refresh(e);
	return 0;
}

/** Make an endpoint from arguments. NULL with *err, negative, and @p why. */
static struct ethdev_ep *
ep_make(const char *devargs, const struct ethdev_args *args, const struct socket_set *before,
	int *err, char *why)
{
	struct ethdev_ep *e = ep_alloc();

	if (e == NULL) {
		snprintf(why, ETHDEV_WHY_SZ, "no memory for device %s", args->dev);
		*err = -ENOMEM;
		return NULL;
	}
	snprintf(e->devargs, sizeof(e->devargs), "%s", devargs);
	*err = ethdev_device_open(args, &e->device, why);
	if (*err < 0) {
		free(e);
		return NULL;
	}
	*err = ep_start(e, before, why);
	if (*err < 0) {
		ep_free(e);
		return NULL;
	}
	return e;
}

/** @param mac  With it the port is created, and the device is the port's own. */
static int
plug(const struct vale_name *name, const char *devargs, const struct ethdev_args *args,
	const uint8_t *mac, struct ethdev_ep **out, char *why)
{
	struct socket_set before;
	struct ethdev_ep *e;
	int ret;

	ret = socket_set_take(&before);
	if (ret < 0) {
		snprintf(why, ETHDEV_WHY_SZ, "no memory to attach %s", name->full);
		return ret;
	}
	e = ep_make(devargs, args, &before, &ret, why);
	/* the kernel gives an AF_XDP socket's queue back some time after the socket was closed */
	for (int i = 0; e == NULL && args->driver->own_pool && i < XDP_TRIES; i++) {
		usleep(XDP_WAIT_US);
		e = ep_make(devargs, args, &before, &ret, why);
	}
	socket_set_free(&before);
	if (e == NULL)
		return ret;
	ret = mac != NULL ? vale_switch_create_with(port.switches, name, &e->ep, mac, why)
			  : vale_switch_attach(port.switches, name, &e->ep, NULL, true, why);
	if (ret < 0) {
		ep_free(e);
		return ret;
	}
	TAILQ_INSERT_TAIL(&port.eps, e, next);
	VALE_LOG(INFO, "port %s is device %s, %u receive and %u transmit queues", name->full,
		e->device.name, e->ep.nb_rxq, e->ep.nb_txq);
	*out = e;
	return 0;
}

/* One interface twice would be a loop, and nothing here ends loops. */
static int
check_once(const struct ethdev_args *args, char *why)
{
	/* its name may have changed since */
	unsigned int index = if_nametoindex(args->iface);
	const struct ethdev_ep *e;

	TAILQ_FOREACH (e, &port.eps, next) {
		if (index == 0 || e->kif.name[0] == '\0' || e->kif.index != index)
			continue;
		snprintf(why, ETHDEV_WHY_SZ,
			"interface %s is on the switch as %s already: detach that first",
			args->iface, e->ep.port->name.full);
		return -EBUSY;
	}
	return 0;
}

int
ethdev_plug(const struct vale_name *name, const char *devargs, struct ethdev_ep **e, char *why)
{
	struct ethdev_args args;
	int ret = ethdev_args_parse(devargs, name->port, &args, why);

	if (ret == 0)
		ret = check_once(&args, why);
	return ret < 0 ? ret : plug(name, devargs, &args, NULL, e, why);
}

struct vale_switches *
ethdev_switches(void)
{
	return port.switches;
}

static int
attach(const struct vale_ctl_attach_ethdev_req *req, char *said, char *why)
{
	bool with_host = req->hdr.type == VALE_CTL_ATTACH_HOST;
	struct vale_port *p;
	struct vale_name name;
	struct ethdev_ep *e;
	const char *reason;
	int ret;

	ret = vale_name_parse(req->name, &name, &reason);
	if (ret < 0) {
		snprintf(why, ETHDEV_WHY_SZ, "port name '%s': %s", req->name, reason);
		return ret;
	}
	/* before an interface is touched */
	p = vale_switch_find_port(port.switches, name.full);
	if (p != NULL && atomic_load(&p->ep) != NULL) {
		snprintf(why, ETHDEV_WHY_SZ,
			"port %s is held by another client: detach it first, or choose another "
			"name",
			name.full);
		return -EBUSY;
	}
	if (req->devargs[0] == '\0')
		return ethdev_attach_interface(&name, with_host, said, why);
	if (!with_host)
		return ethdev_plug(&name, req->devargs, &e, why);
	snprintf(why, ETHDEV_WHY_SZ,
		"the host's stack comes with an interface that is attached by its name alone, "
		"without "
		"device arguments");
	return -EINVAL;
}

const struct vale_ethdev_conf *
ethdev_conf(void)
{
	return &port.conf;
}

int
ethdev_name_free(const struct vale_name *name, bool exempt, char *why)
{
	const struct vale_port *p = vale_switch_find_port(port.switches, name->full);

	if (p == NULL || !p->persistent)
		return vale_switch_may_attach(port.switches, name, exempt, why);
	snprintf(why, ETHDEV_WHY_SZ, "%s is persistent already; first: vale-ctl destroy %s",
		name->full, name->full);
	return -EEXIST;
}

int
ethdev_create_port(
	const struct vale_name *name, const char *devargs, const uint8_t mac[6], char *why)
{
	struct ethdev_args args;
	struct ethdev_ep *e;
	int ret;

	/* what its driver reserves is not a secondary's */
	vale_client_memory_own_begin();
	ret = ethdev_args_parse(devargs, name->port, &args, why);
	if (ret == 0)
		ret = plug(name, devargs, &args, mac, &e, why);
	vale_client_memory_own_end();
	return ret;
}

/* What its driver reserves is not a secondary's. */
static int
attach_as_own(const struct vale_ctl_attach_ethdev_req *req, char *said, char *why)
{
	int ret;

	vale_client_memory_own_begin();
	ret = attach(req, said, why);
	vale_client_memory_own_end();
	return ret;
}

int
vale_ethdev_attach(const char *name, const char *devargs, char *why)
{
	struct vale_ctl_attach_ethdev_req req = {.hdr.type = VALE_CTL_ATTACH_ETHDEV};
	char said[VALE_CTL_TEXT_SZ];

	snprintf(req.name, sizeof(req.name), "%s", name);
	snprintf(req.devargs, sizeof(req.devargs), "%s", devargs);
	return attach_as_own(&req, said, why);
}

static void
on_attach(void *arg, struct vale_conn *conn, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_attach_ethdev_req *req = (const void *)msg;
	struct vale_ctl_reply reply = {0};
	char why[ETHDEV_WHY_SZ] = "";
	int ret;

	if (!vale_conn_check_text(conn, msg, req->name, sizeof(req->name), "port name") ||
		!vale_conn_check_text(
			conn, msg, req->devargs, sizeof(req->devargs), "device arguments"))
		return;
	if (vale_gate_defer(conn, msg, on_attach, arg))
		return;
	ret = attach_as_own(req, reply.text, why);
	if (ret < 0) {
		vale_conn_refuse(conn, msg, -ret, "%s", why);
		return;
	}
	vale_conn_reply(conn, msg, &reply, sizeof(reply), NULL, 0);
}

/* ---- life ---- */

static void
close_fds(void)
{
	if (port.monitor_fd >= 0)
		close(port.monitor_fd);
	if (port.event_fd >= 0)
		close(port.event_fd);
	port.monitor_fd = port.event_fd = -1;
}

int
vale_ethdev_init(
	const struct vale_ethdev_conf *conf, struct vale_switches *s, struct vale_server *server)
{
	int ret;

	port.conf = *conf;
	port.switches = s;
	port.server = server;
	TAILQ_INIT(&port.eps);
	port.monitor_fd = kernel_if_monitor_open();
	if (port.monitor_fd < 0)
		return port.monitor_fd;
	port.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = port.event_fd < 0 ? -errno : 0;
	if (ret == 0)
		ret = vale_server_watch(server, port.monitor_fd, on_interface_change, NULL);
	if (ret == 0)
		ret = vale_server_watch(server, port.event_fd, on_event, NULL);
	if (ret == 0)
		ret = vale_server_every(server, LINK_CHECK_MS, refresh_all, NULL);
	if (ret < 0) {
		close_fds();
		return ret;
	}
	vale_server_handle_operator(server, VALE_CTL_ATTACH_ETHDEV,
		sizeof(struct vale_ctl_attach_ethdev_req), on_attach, NULL);
	vale_server_handle_operator(server, VALE_CTL_ATTACH_HOST,
		sizeof(struct vale_ctl_attach_ethdev_req), on_attach, NULL);
	return 0;
}

void
vale_ethdev_fini(void)
{
	close_fds();
	ethdev_device_fini();
}
