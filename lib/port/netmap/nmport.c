/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_errno.h>

#include "netmap_port.h"
#include "vale_control_proto.h"
#include "vale_log.h"

/* How long workers may take to forward what a program left behind: microseconds where they run, and
 * it is a finite lot. */
#define DRAIN_MS 500
/* A head that is none, and not counted as a wrong one. */
#define NO_HEAD UINT32_MAX
/* Doorbells read in one go, after which some may have found no room: a socket holds over 200, or,
 * of a system with the smallest buffers, some 5. */
#define BELLS_MANY 4

/* Control thread only. */
static struct {
	struct vale_switches *switches;
	struct vale_workers *ws;
	TAILQ_HEAD(, nm_port) ports;
} n_all;

static void on_conn_closed(void *arg);
static void on_doorbell(void *arg, unsigned int nb);

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

/* ---- rings ---- */

static struct nm_ring *
port_ring(struct nm_port *p, unsigned int dir, uint16_t i)
{
	return dir == NM_TX ? &p->rxq[i].ring : &p->txq[i].ring;
}

static void
ring_init(struct nm_port *p, unsigned int dir, uint16_t i)
{
	struct nm_ring *r = port_ring(p, dir, i);
	uint32_t first = p->place.krings.first + (dir == NM_RX ? p->geo.nb_rings[NM_TX] : 0);
	struct vale_nm_kring *k = nm_region_kring(p->region, first + i);

	atomic_store(&r->head, &k->head);
	r->done = dir == NM_TX ? &k->hwcur : &k->hwtail;
	r->armed = &k->armed;
	r->slots = nm_region_ring(p->region, &p->geo, &p->place, dir, i)->slot;
	r->bufs = nm_region_bufs(p->region);
	r->nb_bufs = p->region->nb_bufs;
	r->nb_slots = p->geo.nb_slots[dir];
}

/* Nobody has it bound, and no worker looks at it: make it new. */
static void
ring_activate(struct nm_port *p, unsigned int dir, uint16_t i, const struct nm_offsets *off)
{
	struct nm_ring *r = port_ring(p, dir, i);

	nm_region_make_ring(p->region, &p->geo, &p->place, dir, i, off->mask, off->initial);
	r->offset_mask = off->mask;
	r->offset_max = off->max;
	if (dir == NM_TX) {
		p->rxq[i].cur = 0;
		p->rxq[i].bad_head = NO_HEAD;
		atomic_store(&p->rxq[i].ring.head, p->rxq[i].shm_head);
		atomic_store_explicit(&p->rxq[i].hwcur, 0, memory_order_relaxed);
	} else {
		p->txq[i].hwtail = 0;
	}
	/* release: a worker that sees it active sees all of the above */
	atomic_store_explicit(&r->active, true, memory_order_release);
}

static bool
bind_has_pending(const struct nm_bind *b)
{
	for (uint16_t i = b->first[NM_TX]; i < b->last[NM_TX]; i++) {
		if (b->port->nb_users[NM_TX][i] == 1 && nm_rxq_pending(&b->port->rxq[i]) > 0)
			return true;
	}
	return false;
}

/* Call fn for each transmit ring of which a bind is the last user. */
static void
bind_last_rings(const struct nm_bind *b, void (*fn)(struct nm_rxq *rq))
{
	for (uint16_t i = b->first[NM_TX]; i < b->last[NM_TX]; i++) {
		if (b->port->nb_users[NM_TX][i] == 1)
			fn(&b->port->rxq[i]);
	}
}

static void
rxq_stop(struct nm_rxq *rq)
{
	atomic_store(&rq->frozen, NO_HEAD);
	atomic_store(&rq->ring.head, &rq->frozen);
}

static void
rxq_freeze(struct nm_rxq *rq)
{
	uint32_t head = atomic_load(rq->shm_head);

	atomic_store(&rq->frozen, head < rq->ring.nb_slots ? head : atomic_load(&rq->hwcur));
}

static void
rxq_wake(struct nm_rxq *rq)
{
	vale_worker_wake(n_all.ws, rq->q.worker);
}

/*
 * The last user of some rings has gone: let workers forward what it had published. Its memory may
 * still be mapped somewhere and written, so workers look at a head of ours from now on. First it
 * says nothing, until no worker has another one in hand.
 */
static void
bind_drain(const struct nm_bind *b)
{
	uint64_t end = rte_get_tsc_cycles() + rte_get_tsc_hz() / MS_PER_S * DRAIN_MS;

	bind_last_rings(b, rxq_stop);
	vale_workers_synchronize(n_all.ws);
	bind_last_rings(b, rxq_freeze);
	while (b->port->plugged && bind_has_pending(b) && rte_get_tsc_cycles() < end) {
		bind_last_rings(b, rxq_wake);
		usleep(20);
	}
}

static void
bind_release_rings(struct nm_bind *b)
{
	struct nm_port *p = b->port;

	for (unsigned int dir = NM_TX; dir <= NM_RX; dir++) {
		for (uint16_t i = b->first[dir]; i < b->last[dir]; i++) {
			p->exclusive[dir][i] = false;
			if (--p->nb_users[dir][i] == 0)
				atomic_store(&port_ring(p, dir, i)->active, false);
		}
	}
	vale_workers_synchronize(n_all.ws);
}

static void
bind_take_rings(struct nm_bind *b, const struct nm_offsets *off)
{
	struct nm_port *p = b->port;

	for (unsigned int dir = NM_TX; dir <= NM_RX; dir++) {
		for (uint16_t i = b->first[dir]; i < b->last[dir]; i++) {
			if (p->nb_users[dir][i]++ == 0)
				ring_activate(p, dir, i, off);
			p->exclusive[dir][i] = (b->flags & NR_EXCLUSIVE) != 0;
		}
	}
}

/* Which rings a bind wants; both directions' numbers are in bounds afterwards. */
static int
bind_choose_rings(struct nm_bind *b, char *why)
{
	const struct nm_geometry *g = &b->port->geo;
	uint32_t id = b->ringid;

	for (unsigned int dir = NM_TX; dir <= NM_RX; dir++) {
		b->first[dir] = 0;
		b->last[dir] = g->nb_rings[dir];
		if (b->mode != NR_REG_ONE_NIC)
			continue;
		if (id >= g->nb_rings[NM_TX] && id >= g->nb_rings[NM_RX]) {
			snprintf(why, VALE_CTL_TEXT_SZ, "%s has no ring %u", b->name, id);
			return -EINVAL;
		}
		/* as netmap: who has fewer rings this way gets the first */
		b->first[dir] = id < g->nb_rings[dir] ? id : 0;
		b->last[dir] = b->first[dir] + 1;
	}
	if (b->flags & NR_RX_RINGS_ONLY)
		b->first[NM_TX] = b->last[NM_TX] = 0;
	if (b->flags & NR_TX_RINGS_ONLY)
		b->first[NM_RX] = b->last[NM_RX] = 0;
	return 0;
}

/* Offsets of a ring in use are what its first user asked for. */
static bool
offsets_fit(const struct nm_ring *r, const struct nm_offsets *off)
{
	return (r->offset_mask & off->mask) == off->mask && off->max <= r->offset_max;
}

static int
bind_check_users(const struct nm_bind *b, const struct nm_offsets *off, char *why)
{
	struct nm_port *p = b->port;
	bool exclusive = (b->flags & NR_EXCLUSIVE) != 0;

	for (unsigned int dir = NM_TX; dir <= NM_RX; dir++) {
		for (uint16_t i = b->first[dir]; i < b->last[dir]; i++) {
			if (p->nb_users[dir][i] == 0)
				continue;
			if (off->mask != 0 && !offsets_fit(port_ring(p, dir, i), off)) {
				snprintf(why, VALE_CTL_TEXT_SZ,
					"%s: its rings are in use without such offsets", b->name);
				return -EBUSY;
			}
			if (!p->exclusive[dir][i] && !exclusive)
				continue;
			snprintf(why, VALE_CTL_TEXT_SZ, "%s: %s ring %u is in use%s", b->name,
				dir == NM_TX ? "tx" : "rx", i,
				p->exclusive[dir][i] ? " exclusively"
						     : ", and asked for exclusively");
			return -EBUSY;
		}
	}
	return 0;
}

/* ---- sleepers ---- */

static struct nm_sleepers *
sleepers_alloc(unsigned int nb)
{
	return calloc(1, sizeof(struct nm_sleepers) + nb * sizeof(struct nm_sleeper));
}

/* Publish who may sleep: all binds of the port but @p without. */
static int
sleepers_update(struct nm_port *p, const struct nm_bind *without)
{
	struct nm_sleepers *old, *l = sleepers_alloc(p->nb_binds);
	struct nm_bind *b;

	if (l == NULL)
		return -ENOMEM;
	TAILQ_FOREACH (b, &p->binds, next) {
		if (b == without || b->conn == NULL)
			continue;
		l->of[l->nb++] = (struct nm_sleeper){
			.shm = nm_region_bind(p->region, b->idx),
			.fd = vale_conn_fd(b->conn),
		};
	}
	/* acq_rel: who reads the pointer sees the list */
	old = atomic_exchange_explicit(&p->sleepers, l, memory_order_acq_rel);
	vale_workers_synchronize(n_all.ws);
	free(old);
	return 0;
}

/* No worker may use its socket any more. Where there is no memory for a shorter list, the entry is
 * made harmless. */
static void
sleepers_remove(struct nm_port *p, const struct nm_bind *b)
{
	struct nm_sleepers *l = atomic_load(&p->sleepers);

	if (sleepers_update(p, b) == 0)
		return;
	for (uint16_t i = 0; i < l->nb; i++) {
		if (l->of[i].shm == nm_region_bind(p->region, b->idx))
			l->of[i].fd = -1;
	}
	vale_workers_synchronize(n_all.ws);
}

/* ---- ports ---- */

static void
port_free(struct nm_port *p)
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

static int
port_watch_conn(struct nm_port *p, struct vale_conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET};

	return epoll_ctl(p->wait_fd, EPOLL_CTL_ADD, vale_conn_fd(c), &ev) < 0 ? -errno : 0;
}

static int
port_make_queues(struct nm_port *p)
{
	for (uint16_t i = 0; i < p->geo.nb_rings[NM_TX]; i++) {
		struct nm_rxq *rq = &p->rxq[i];

		ring_init(p, NM_TX, i);
		rq->shm_head = atomic_load(&rq->ring.head);
		rq->q.ep = &p->ep;
		rq->q.id = i;
		rq->segs = nm_rxq_make_segs();
		if (rq->segs == NULL)
			return -ENOMEM;
		p->ep.rxq[i] = &rq->q;
	}
	for (uint16_t i = 0; i < p->geo.nb_rings[NM_RX]; i++) {
		ring_init(p, NM_RX, i);
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

static struct nm_port *
port_create(const struct nm_register *req, struct vale_conn *c, int *err, char *why)
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
	atomic_init(&p->hdr_len, req->hdr_len);
	p->lock_tx = n_all.ws->nb > 1;
	atomic_init(&p->sleepers, sleepers_alloc(0));
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
	port_free(p);
	return NULL;
}

/* ---- binds ---- */

/* The parts of a bind in the order in which they are made; taken apart in the reverse. */
static void
bind_free(struct nm_bind *b)
{
	struct nm_port *p = b->port;

	nm_extents_give(&p->region->bufs, &b->extra);
	nm_region_give_bind(p->region, b->idx);
	TAILQ_REMOVE(&p->binds, b, next);
	p->nb_binds--;
	free(b);
}

static struct nm_bind *
bind_alloc(struct nm_port *p, const struct nm_register *req)
{
	int idx = nm_region_take_bind(p->region);
	struct nm_bind *b = idx < 0 ? NULL : calloc(1, sizeof(*b));

	if (b == NULL) {
		if (idx >= 0)
			nm_region_give_bind(p->region, idx);
		return NULL;
	}
	b->port = p;
	b->idx = idx;
	b->mode = req->mode;
	b->ringid = req->ringid;
	b->flags = req->flags;
	snprintf(b->name, sizeof(b->name), "%s", req->text);
	TAILQ_INSERT_TAIL(&p->binds, b, next);
	p->nb_binds++;
	return b;
}

/* The netmap_if of a bind: rings that it did not bind have no offset, and host rings exist by
 * number only. */
static void
bind_make_if(struct nm_bind *b)
{
	struct nm_port *p = b->port;
	uint32_t off = nm_region_if_off(p->region, b->idx);
	struct netmap_if *nifp = (struct netmap_if *)(p->region->base + off);
	uint32_t nb[2] = {p->geo.nb_rings[NM_TX], p->geo.nb_rings[NM_RX]};
	uint32_t version = NETMAP_API, flags = NI_PRIV_MEM, one = 1, k = 0;

	memset((void *)nifp, 0, p->region->head.if_sz);
	/* constant to programs; we are the one who writes them */
	snprintf(nifp->ni_name, sizeof(nifp->ni_name), "%.*s", IFNAMSIZ - 1, b->name);
	memcpy((void *)(uintptr_t)&nifp->ni_version, &version, sizeof(version));
	memcpy((void *)(uintptr_t)&nifp->ni_flags, &flags, sizeof(flags));
	memcpy((void *)(uintptr_t)&nifp->ni_tx_rings, &nb[NM_TX], sizeof(nb[0]));
	memcpy((void *)(uintptr_t)&nifp->ni_rx_rings, &nb[NM_RX], sizeof(nb[0]));
	memcpy((void *)(uintptr_t)&nifp->ni_host_tx_rings, &one, sizeof(one));
	memcpy((void *)(uintptr_t)&nifp->ni_host_rx_rings, &one, sizeof(one));
	nifp->ni_bufs_head = b->extra.nb > 0 ? b->extra.first + b->extra.nb - 1 : 0;
	for (unsigned int dir = NM_TX; dir <= NM_RX; dir++, k++) {
		for (uint16_t i = 0; i < nb[dir]; i++, k++) {
			ssize_t ofs = 0;

			if (i >= b->first[dir] && i < b->last[dir])
				ofs = (uint8_t *)nm_region_ring(
					      p->region, &p->geo, &p->place, dir, i) -
				      (uint8_t *)nifp;
			memcpy((void *)(uintptr_t)&nifp->ring_ofs[k], &ofs, sizeof(ofs));
		}
	}
}

/* The bind is complete but for its rings: have it live. */
static int
bind_connect(struct nm_bind *b, struct vale_conn *c, const struct nm_offsets *off, char *why)
{
	int ret;

	b->conn = c;
	ret = port_watch_conn(b->port, c);
	if (ret == 0)
		ret = sleepers_update(b->port, NULL);
	if (ret < 0) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: %s", b->name, strerror(-ret));
		b->conn = NULL;
		return ret;
	}
	bind_take_rings(b, off);
	return 0;
}

/* The reverse. Its connection ends, or is given up. */
static void
bind_disconnect(struct nm_bind *b)
{
	struct nm_port *p = b->port;

	epoll_ctl(p->wait_fd, EPOLL_CTL_DEL, vale_conn_fd(b->conn), NULL);
	sleepers_remove(p, b);
	bind_release_rings(b);
	vale_conn_on_close(b->conn, NULL, NULL);
	vale_conn_on_doorbell(b->conn, NULL, NULL);
	b->conn = NULL;
}

static void
port_drop_bind(struct nm_port *p, struct nm_bind *b)
{
	if (b->conn != NULL)
		bind_disconnect(b);
	bind_free(b);
}

static int
bind_add(struct nm_port *p, const struct nm_register *req, struct vale_conn *c,
	struct nm_bind **out, char *why)
{
	struct nm_bind *b = bind_alloc(p, req);
	int ret;

	if (b == NULL) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s: %d descriptors share this memory already",
			req->text, VALE_NM_BINDS_MAX);
		return -ENOMEM;
	}
	ret = bind_choose_rings(b, why);
	if (ret == 0)
		ret = bind_check_users(b, &req->offsets, why);
	if (ret == 0) {
		nm_region_take_extra(p->region, req->nb_extra_bufs, &b->extra);
		ret = bind_connect(b, c, &req->offsets, why);
	}
	if (ret < 0) {
		bind_free(b);
		return ret;
	}
	bind_make_if(b);
	vale_conn_on_close(c, on_conn_closed, b);
	vale_conn_on_doorbell(c, on_doorbell, p);
	*out = b;
	return 0;
}

static int
bind_to_new(const struct nm_register *req, struct vale_conn *c, struct nm_bind **out, char *why)
{
	bool plug = req->name.sw[0] != '\0';
	struct nm_port *p;
	int ret = 0;

	if (plug)
		ret = vale_switch_may_attach(n_all.switches, &req->name, false, why);
	if (ret < 0)
		return ret;
	p = port_create(req, c, &ret, why);
	if (p == NULL)
		return ret;
	ret = bind_add(p, req, c, out, why);
	if (ret == 0 && plug) {
		ret = vale_switch_attach(n_all.switches, &req->name, &p->ep, NULL, false, why);
		p->plugged = ret == 0;
		if (ret < 0)
			port_drop_bind(p, *out);
	}
	if (ret < 0)
		port_free(p);
	return ret;
}

int
nm_bind_create(const struct nm_register *req, struct vale_conn *c, struct nm_bind **out, char *why)
{
	struct nm_port *p = nm_port_find(req->name.full);

	if (p == NULL)
		return bind_to_new(req, c, out, why);
	if (p->uid != vale_conn_uid(c)) {
		snprintf(why, VALE_CTL_TEXT_SZ, "%s belongs to user %u", req->text, p->uid);
		return -EACCES;
	}
	if (atomic_load(&p->hdr_len) != 0 && !(req->flags & NR_ACCEPT_VNET_HDR)) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"%s has virtio-net headers, which the program does not accept", req->text);
		return -EIO;
	}
	return bind_add(p, req, c, out, why);
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
static void
on_doorbell(void *arg, unsigned int nb)
{
	struct nm_port *p = arg;

	if (!p->plugged) {
		nm_port_sink(p);
		return;
	}
	for (uint16_t i = 0; nb >= BELLS_MANY && i < p->geo.nb_rings[NM_TX]; i++)
		vale_worker_wake(n_all.ws, p->rxq[i].q.worker);
}

static void
on_conn_closed(void *arg)
{
	struct nm_bind *b = arg;
	struct nm_port *p = b->port;

	bind_drain(b);
	if (p->nb_binds == 1) {
		port_unplug(p); /* destroys port and bind */
		return;
	}
	port_drop_bind(p, b);
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
		port_drop_bind(p, TAILQ_FIRST(&p->binds));
	port_free(p);
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
