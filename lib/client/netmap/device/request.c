/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <net/netmap.h>

#include "connection.h"
#include "file.h"
#include "request.h"
#include "sys.h"
#include "user_mem.h"
#include "why.h"

/* netmap copies a request into a buffer of BUF_SZ bytes: two pointers, the body, a table of
 * options, and each option behind a pointer. What does not fit is too long, and a list without an
 * end never fits. The same requests shall be refused here. */
#define PTR sizeof(uint64_t)
#define BUF_SZ ((2 + NETMAP_REQ_OPT_MAX) * PTR + NETMAP_REQ_MAXSIZE + NETMAP_REQ_OPT_MAX * PTR)
#define BUF_USED ((2 + NETMAP_REQ_OPT_MAX) * PTR)
#define LIST_MAX (BUF_SZ / (PTR + sizeof(struct nmreq_option)))

/** An option as the program has it, and as it is sent. */
struct option {
	uint64_t addr;
	struct nmreq_option head;
	int sent; /* index in the message, or -1 */
};

struct call {
	struct nmreq_header hdr; /* as the program gave it */
	size_t body_sz;
	struct option opts[LIST_MAX];
	unsigned int nb_opts;
	struct vale_ctl_nm_req req;
	struct vale_ctl_nm_reply reply;
};

size_t
vnm_request_body_sz(unsigned int reqtype)
{
	switch (reqtype) {
	case NETMAP_REQ_REGISTER:
		return sizeof(struct nmreq_register);
	case NETMAP_REQ_PORT_INFO_GET:
		return sizeof(struct nmreq_port_info_get);
	case NETMAP_REQ_VALE_ATTACH:
		return sizeof(struct nmreq_vale_attach);
	case NETMAP_REQ_VALE_DETACH:
		return sizeof(struct nmreq_vale_detach);
	case NETMAP_REQ_VALE_LIST:
		return sizeof(struct nmreq_vale_list);
	case NETMAP_REQ_PORT_HDR_SET:
	case NETMAP_REQ_PORT_HDR_GET:
		return sizeof(struct nmreq_port_hdr);
	case NETMAP_REQ_VALE_NEWIF:
		return sizeof(struct nmreq_vale_newif);
	case NETMAP_REQ_VALE_POLLING_ENABLE:
	case NETMAP_REQ_VALE_POLLING_DISABLE:
		return sizeof(struct nmreq_vale_polling);
	case NETMAP_REQ_POOLS_INFO_GET:
		return sizeof(struct nmreq_pools_info);
	case NETMAP_REQ_SYNC_KLOOP_START:
		return sizeof(struct nmreq_sync_kloop_start);
	default:
		return 0;
	}
}

/** Bytes behind an option's head. Extmem is as unknown here as in a netmap built without it. */
static uint64_t
option_sz(const struct nmreq_option *o)
{
	switch (o->nro_reqtype) {
	case NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS:
		return o->nro_size > sizeof(*o) ? o->nro_size - sizeof(*o) : 0;
	case NETMAP_REQ_OPT_CSB:
		return sizeof(struct nmreq_opt_csb) - sizeof(*o);
	case NETMAP_REQ_OPT_SYNC_KLOOP_MODE:
		return sizeof(struct nmreq_opt_sync_kloop_mode) - sizeof(*o);
	case NETMAP_REQ_OPT_OFFSETS:
		return sizeof(struct nmreq_opt_offsets) - sizeof(*o);
	default:
		return 0;
	}
}

/** Put an option into the message, if there is room. What does not fit is of unknown types, which
 * are answered without being sent. */
static int
option_send(struct call *c, struct option *o)
{
	struct vale_ctl_nm_opt *m = &c->req.opts[c->req.nb_opts];
	uint64_t sz = option_sz(&o->head);

	/* known types come once each: room for them stays */
	if (c->req.nb_opts == VALE_CTL_NM_OPTS_MAX ||
		(o->head.nro_reqtype >= NETMAP_REQ_OPT_MAX &&
			c->req.nb_opts >= VALE_CTL_NM_OPTS_MAX - (NETMAP_REQ_OPT_MAX - 1)))
		return 0;
	m->reqtype = o->head.nro_reqtype;
	m->size = o->head.nro_size;
	o->sent = (int)c->req.nb_opts++;
	if (sz > sizeof(m->body))
		sz = sizeof(m->body);
	return sz == 0 ? 0
		       : vnm_user_read(m->body, (char *)(uintptr_t)o->addr + sizeof(o->head), sz);
}

/** What is wrong about option i, among those before it. */
static int
option_check(struct call *c, unsigned int i, uint64_t *total, uint64_t *used)
{
	struct nmreq_option *h = &c->opts[i].head;
	uint64_t sz;
	unsigned int j;

	if (h->nro_reqtype < 1) {
		h->nro_status = EINVAL;
		return -EINVAL;
	}
	for (j = 0; j < i && h->nro_reqtype < NETMAP_REQ_OPT_MAX; j++) {
		if (c->opts[j].head.nro_reqtype != h->nro_reqtype)
			continue;
		h->nro_status = c->opts[j].head.nro_status = EINVAL;
		return -EINVAL;
	}
	*total += sizeof(*h);
	if (h->nro_reqtype >= NETMAP_REQ_OPT_MAX)
		return 0;
	sz = option_sz(h);
	if (h->nro_size > NETMAP_REQ_MAXSIZE || *total + sz > NETMAP_REQ_MAXSIZE ||
		*used + sz > BUF_SZ)
		return -EMSGSIZE;
	*total += sz;
	*used += sz;
	return 0;
}

/** The program's list of options. A list without an end is none: nothing is written back then. */
static int
options_read(struct call *c)
{
	uint64_t addr = c->hdr.nr_options, total = c->body_sz, used = BUF_USED + c->body_sz;
	int ret;

	while (addr != 0) {
		struct option *o = &c->opts[c->nb_opts];

		used += PTR + sizeof(o->head);
		if (used > BUF_SZ || c->nb_opts == LIST_MAX) {
			c->nb_opts = 0;
			return -EMSGSIZE;
		}
		ret = vnm_user_read(&o->head, (void *)(uintptr_t)addr, sizeof(o->head));
		if (ret != 0)
			return ret;
		o->addr = addr;
		o->sent = -1;
		o->head.nro_status = 0;
		ret = option_check(c, c->nb_opts++, &total, &used);
		if (ret == 0)
			ret = option_send(c, o);
		if (ret != 0)
			return ret;
		addr = o->head.nro_next;
	}
	return 0;
}

/** Each option's status, and its body if all went well. */
static int
options_write(struct call *c, int error)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < c->nb_opts && ret == 0; i++) {
		struct option *o = &c->opts[i];
		char *addr = (char *)(uintptr_t)o->addr;
		const struct vale_ctl_nm_opt *m = NULL;
		uint64_t sz = option_sz(&o->head);

		if (o->sent >= 0 && (uint32_t)o->sent < c->reply.nb_opts)
			m = &c->reply.opts[o->sent];
		if (m != NULL)
			o->head.nro_status = m->status;
		ret = vnm_user_write(addr, &o->head, sizeof(o->head));
		if (ret == 0 && m != NULL && error == 0 && m->status == 0 && sz > 0 &&
			sz <= sizeof(m->body))
			ret = vnm_user_write(addr + sizeof(o->head), m->body, sz);
	}
	return ret;
}

/** Body and options from the program's memory into the message. */
static int
call_read(struct call *c)
{
	int ret;

	if (c->hdr.nr_version < NETMAP_MIN_API || c->hdr.nr_version > NETMAP_API ||
		c->hdr.nr_reserved != 0)
		return -EINVAL;
	if ((c->body_sz != 0) != (c->hdr.nr_body != 0))
		return -EINVAL;
	ret = vnm_user_read(c->req.body, (void *)(uintptr_t)c->hdr.nr_body, c->body_sz);
	return ret != 0 ? ret : options_read(c);
}

static int
call_send(struct call *c, int fd)
{
	unsigned int i;
	int ret;

	c->req.version = c->hdr.nr_version;
	c->req.reqtype = c->hdr.nr_reqtype;
	memcpy(c->req.name, c->hdr.nr_name, sizeof(c->req.name));
	for (i = 0; i < c->nb_opts; i++) /* what a switch does not speak of it does not support */
		c->opts[i].head.nro_status = EOPNOTSUPP;
	ret = vnm_connection_ask(
		fd, &c->req, sizeof(c->req), VALE_CTL_NM_CTRL, &c->reply, sizeof(c->reply), NULL);
	if (ret != 0)
		return ret;
	c->reply.r.text[sizeof(c->reply.r.text) - 1] = '\0';
	vnm_why_set(c->reply.r.error != 0 ? c->reply.r.text : "");
	return -c->reply.r.error;
}

/** What the program gets to see. */
static int
call_write(struct call *c, void *arg, int error)
{
	int ret = 0;

	if (error == 0 && c->body_sz > 0)
		ret = vnm_user_write((void *)(uintptr_t)c->hdr.nr_body, c->reply.body, c->body_sz);
	if (error == 0 && ret == 0 && c->hdr.nr_reqtype == NETMAP_REQ_VALE_LIST)
		ret = vnm_user_write((char *)arg + offsetof(struct nmreq_header, nr_name),
			c->reply.name, sizeof(c->reply.name));
	if (ret == 0)
		ret = options_write(c, error);
	return ret != 0 ? ret : error;
}

/** Map the region now: a program that spends all its descriptors later still has its rings. */
static void
bound(int fd)
{
	struct vnm_file *f = NULL;

	vnm_file_get(fd, &f, true);
	vnm_file_put(f);
}

int
vnm_request_ctrl(int fd, void *arg)
{
	struct call c;
	int ret;

	memset(&c, 0, sizeof(c));
	ret = vnm_user_read(&c.hdr, arg, sizeof(c.hdr));
	if (ret != 0)
		return ret;
	c.body_sz = vnm_request_body_sz(c.hdr.nr_reqtype);
	ret = call_read(&c);
	if (ret == 0)
		ret = call_send(&c, fd);
	if (ret == 0 && c.hdr.nr_reqtype == NETMAP_REQ_REGISTER)
		bound(fd);
	return call_write(&c, arg, ret);
}
