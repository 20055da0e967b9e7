/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports: they come with their first bind and go with their last. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_errno.h>

#include "bind.h"
#include "vale_control_proto.h"
#include "vale_log.h"

/* Doorbells read in one go, after which some may have found no room: a socket holds over 200, or,
 * of a system with the smallest buffers, some 5. */
#define BELLS_MANY 4

/* Control thread only. */
static struct {
	struct vale_switches *switches;
	struct vale_workers *ws;
	TAILQ_HEAD(, nm_port) ports;
} n_all;

struct nm_port *
nm_port_find(const char *name)
{
	struct nm_port *p;

	TAILQ_FOREACH (p, &n_all.ports, next) {
		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

struct nm_bind *
nm_bind_of(const struct vale_conn *c)
{
	struct nm_port *p;
	struct nm_bind *b;

	TAILQ_FOREACH (p, &n_all.ports, next) {
		TAILQ_FOREACH (b, &p->binds, next) {
			if (b->conn == c)
				return b;
		}
	}
	return NULL;
}

/* ---- made and freed ---- */

void
nm_port_free(struct nm_port *p)
{
	for (uint16_t i = 0; i < p->geo.nb_rings[NM_TX]; i++) {
		if (i > 0 && p->rxq[i].q.wait_fd >= 0)
			close(p->rxq[i].q.wait_fd);
		free(p->rxq[i].segs);
	}
	if (p->wait_fd >= 0)
		close(p->wait_fd);
	free(atomic_load(&p->sleepers));
	if (p->region != NULL) {
		nm_region_unplace(p->region, &p->place);
		nm_region_put(p->region);
	}
	TAILQ_REMOVE(&n_all.ports, p, next);
	free(p);
}

/*
 * What wakes the worker: an epoll of the sockets of all binds. Each is watched edge-triggered, and
 * for being writable too, which it nearly always is: the control thread, which also wakes, may have
 * read the doorbell before the worker looks, and a look for input alone would find nothing then and
 * sleep on. So every doorbell wakes the worker directly, and no wake-up is lost.
 */
static int
port_make_wait_fds(struct nm_port *p)
{
	p->wait_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->wait_fd < 0)
		return -errno;
	for (uint16_t i = 0; i < p->geo.nb_rings[NM_TX]; i++) {
		/* a worker's epoll takes a descriptor once: the other rings have copies */
		int fd = i == 0 ? p->wait_fd : dup(p->wait_fd);

		if (fd < 0)
			return -errno;
		p->rxq[i].q.wait_fd = fd;
		p->rxq[i].q.wait_edge = true;
	}
	return 0;
}

int
nm_port_watch_conn(struct nm_port *p, struct vale_conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET};

	return epoll_ctl(p->wait_fd, EPOLL_CTL_ADD, vale_conn_fd(c), &ev) < 0 ? -errno : 0;
}

void
nm_port_unwatch_conn(struct nm_port *p, struct vale_conn *c)
{
	epoll_ctl(p->wait_fd, EPOLL_CTL_DEL, vale_conn_fd(c), NULL);
}

static int
port_make_queues(struct nm_port *p)
{
	for (uint16_t i = 0; i < p->geo.nb_rings[NM_TX]; i++) {
		struct nm_rxq *rq = &p->rxq[i];

		nm_ring_init(p, NM_TX, i);
		rq->shm_head = atomic_load(&rq->ring.head);
		rq->q.ep = &p->ep;
		rq->q.id = i;
		rq->segs = nm_rxq_make_segs();
		if (rq->segs == NULL)
			return -ENOMEM;
		p->ep.rxq[i] = &rq->q;
	}
	for (uint16_t i = 0; i < p->geo.nb_rings[NM_RX]; i++) {
		nm_ring_init(p, NM_RX, i);
		rte_spinlock_init(&p->txq[i].lock);
	}
	p->ep.nb_rxq = p->geo.nb_rings[NM_TX];
	p->ep.nb_txq = p->geo.nb_rings[NM_RX];
	return 0;
}

static struct nm_region *
region_join(uint16_t mem_id, uid_t uid, int *err, char *why)
{
	struct nm_region *r = nm_region_find(mem_id);

	*err = r == NULL ? -EINVAL : -EACCES;
	if (r == NULL)
		snprintf(why, VALE_CTL_TEXT_SZ, "there is no memory %u to join", mem_id);
	else if (r->uid != uid)
		snprintf(why, VALE_CTL_TEXT_SZ, "memory %u belongs to user %u", mem_id, r->uid);
	else
		r->nb_users++;
	return r != NULL && r->uid == uid ? r : NULL;
}

static int
port_get_region(struct nm_port *p, const struct nm_register *req, char *why)
{
	int ret = 0;

	if (req->mem_id != 0) {
		p->region = region_join(req->mem_id, p->uid, &ret, why);
		if (p->region == NULL)
			return ret;
	} else {
		p->region = nm_region_create(&p->geo, req->nb_extra_bufs, p->uid, why);
		if (p->region == NULL)
			return -rte_errno;
	}
	ret = nm_region_place(p->region, &p->geo, &p->place);
	if (ret < 0)
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: memory %u has no room for its rings",
			req->text, p->region->mem_id);
	return ret;
}

struct nm_port *
nm_port_create(const struct nm_register *req, struct vale_conn *c, int *err, char *why)
{
	struct nm_port *p = vale_alloc_lines(sizeof(*p));

	*err = -ENOMEM;
	if (p == NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: no memory for a port", req->text);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&n_all.ports, p, next);
	TAILQ_INIT(&p->binds);
	snprintf(p->name, sizeof(p->name), "%s", req->name.full);
	p->wait_fd = -1;
	for (unsigned int i = 0; i < VALE_NM_RINGS_MAX; i++)
		p->rxq[i].q.wait_fd = -1;
	p->ep.ops = &nm_endpoint_ops;
	p->ep.pid = vale_conn_pid(c);
	p->uid = p->ep.uid = vale_conn_uid(c);
	p->ep.has_uid = true;
	p->geo = req->geo;
	nm_port_set_hdr_len(p, req->hdr_len);
	p->lock_tx = n_all.ws->nb > 1;
	atomic_init(&p->sleepers, nm_sleepers_alloc(0));
	*err = port_get_region(p, req, why);
	if (*err == 0 && atomic_load(&p->sleepers) == NULL)
		*err = -ENOMEM;
	if (*err == 0) {
		p->sleepers_hint = &((struct vale_nm_region *)p->region->base)->sleepers;
		*err = port_make_queues(p);
	}
	if (*err == 0)
		*err = port_make_wait_fds(p);
	if (*err == 0)
		return p;
	if (why[0] == '\0')
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: %s", req->text, strerror(-*err));
	nm_port_free(p);
	return NULL;
}

/* ---- ends ---- */

/* The port's last bind: the switch drains it first, while all is in place. */
static void
port_unplug(struct nm_port *p)
{
	if (p->plugged)
		vale_switch_detach(n_all.switches, &p->ep);
	else
		nm_port_destroy(&p->ep);
}

/*
 * Its worker hears the doorbell, too, and more directly. But where we are slow, hundreds of them
 * fill the socket, and one that finds no room is lost to the worker as well: so it is woken again
 * after many. Of a port on no switch nobody but us looks at the rings.
 */
void
nm_port_doorbell(void *arg, unsigned int nb)
{
	struct nm_port *p = arg;

	if (!p->plugged) {
		nm_port_sink(p);
		return;
	}
	for (uint16_t i = 0; nb >= BELLS_MANY && i < p->geo.nb_rings[NM_TX]; i++)
		vale_worker_wake(n_all.ws, p->rxq[i].q.worker);
}

void
nm_port_conn_closed(void *arg)
{
	struct nm_bind *b = arg;
	struct nm_port *p = b->port;

	nm_bind_drain(b);
	if (p->nb_binds == 1) {
		port_unplug(p); /* destroys port and bind */
		return;
	}
	nm_port_drop_bind(p, b);
	p->ep.pid = vale_conn_pid(TAILQ_FIRST(&p->binds)->conn);
}

unsigned int
nm_port_destroy(struct vale_endpoint *ep)
{
	struct nm_port *p = (struct nm_port *)ep;
	unsigned int lost = 0;

	p->plugged = false;
	for (uint16_t i = 0; i < ep->nb_rxq; i++)
		lost += nm_rxq_pending(&p->rxq[i]);
	while (!TAILQ_EMPTY(&p->binds))
		nm_port_drop_bind(p, TAILQ_FIRST(&p->binds));
	nm_port_free(p);
	return lost;
}

/* The programs see their descriptors hang up. */
void
nm_port_evict(struct vale_endpoint *ep, const char *why)
{
	struct nm_port *p = (struct nm_port *)ep;
	struct nm_bind *b;

	TAILQ_FOREACH (b, &p->binds, next) {
		VALE_LOG(NOTICE, "process %d loses port %s: %s", vale_conn_pid(b->conn), p->name,
			why);
		vale_conn_close(b->conn);
	}
}

void
nm_ports_init(const struct vale_netmap_conf *conf, struct vale_switches *s)
{
	n_all.switches = s;
	n_all.ws = vale_switches_workers(s);
	nm_rings_init(n_all.ws);
	nm_sleepers_init(n_all.ws);
	nm_binds_init(s);
	TAILQ_INIT(&n_all.ports);
	nm_regions_init(conf->user_max);
}

void
nm_ports_fini(void)
{
	struct nm_port *p;

	while ((p = TAILQ_FIRST(&n_all.ports)) != NULL)
		nm_port_destroy(&p->ep);
}

const struct vale_endpoint_ops nm_endpoint_ops = {
	.kind = VALE_CTL_KIND_NETMAP,
	.lends_memory = true,
	.rx = nm_rx,
	.rx_done = nm_rx_done,
	.tx = nm_tx,
	.rx_arm = nm_rx_arm,
	.rx_pending = nm_rx_pending,
	.evict = nm_port_evict,
	.destroy = nm_port_destroy,
};
