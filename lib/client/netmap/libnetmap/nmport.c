/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports: prepare, open, close. */
#include <errno.h>
#include <string.h>

#include "device.h"
#include "nmport_private.h"

static struct nmport_d *
new_in(struct nmctx *ctx)
{
	struct nmport_d *d = nmctx_malloc(ctx, sizeof(*d));

	if (d == NULL) {
		nmctx_ferror(ctx, "out of memory");
		errno = ENOMEM;
		return NULL;
	}
	memset(d, 0, sizeof(*d));
	nmreq_header_init(&d->hdr, NETMAP_REQ_REGISTER, &d->reg);
	d->ctx = ctx;
	d->fd = -1;
	return d;
}

struct nmport_d *
nmport_new(void)
{
	return new_in(nmctx_get());
}

void
nmport_delete(struct nmport_d *d)
{
	nmctx_free(d->ctx, d);
}

int
nmport_parse(struct nmport_d *d, const char *portspec)
{
	struct nmport_cleanup_d *before = d->clist;
	struct nmreq_header hdr = d->hdr;
	struct nmreq_register reg = d->reg;
	int saved;

	if (nmreq_header_decode(&portspec, &d->hdr, d->ctx) == 0 &&
		nmreq_register_decode(&portspec, &d->reg, d->ctx) == 0 &&
		nmreq_options_decode(portspec, nmport_parsers(), d, d->ctx) == 0)
		return 0;
	saved = errno;
	nmport_cleanup_until(d, before);
	d->hdr = hdr;
	d->reg = reg;
	errno = saved;
	return -1;
}

void
nmport_undo_parse(struct nmport_d *d)
{
	nmport_cleanup_until(d, NULL);
	memset(&d->reg, 0, sizeof(d->reg));
	nmreq_header_init(&d->hdr, NETMAP_REQ_REGISTER, &d->reg);
}

struct nmport_d *
nmport_prepare(const char *portspec)
{
	struct nmport_d *d = nmport_new();
	int saved;

	if (d == NULL || nmport_parse(d, portspec) == 0)
		return d;
	saved = errno;
	nmport_undo_prepare(d);
	errno = saved;
	return NULL;
}

void
nmport_undo_prepare(struct nmport_d *d)
{
	if (d == NULL)
		return;
	nmport_undo_parse(d);
	nmport_delete(d);
}

/* The option that is to blame, or the port. */
static void
say_refusal(struct nmport_d *d, int error)
{
	const struct nmreq_option *o;
	int said = 0;

	nmreq_foreach_option(&d->hdr, o)
	{
		if (o->nro_status == 0)
			continue;
		nmctx_ferror(d->ctx, "%s: option %s: %s", d->hdr.nr_name,
			nmreq_option_name(o->nro_reqtype), strerror((int)o->nro_status));
		said = 1;
	}
	if (!said)
		nmctx_ferror(d->ctx, "%s: %s", d->hdr.nr_name, strerror(error));
}

int
nmport_register(struct nmport_d *d)
{
	int saved;

	if (d->register_done) {
		nmctx_ferror(d->ctx, "%s: the port is open already", d->hdr.nr_name);
		errno = EINVAL;
		return -1;
	}
	d->fd = device_open();
	if (d->fd < 0) {
		nmctx_ferror(d->ctx, "/dev/netmap: %s", strerror(errno));
		return -1;
	}
	if (device_ioctl(d->fd, NIOCCTRL, &d->hdr) < 0) {
		saved = errno;
		say_refusal(d, saved);
		nmport_undo_register(d);
		errno = saved;
		return -1;
	}
	d->register_done = 1;
	return 0;
}

void
nmport_undo_register(struct nmport_d *d)
{
	if (d->fd >= 0)
		device_close(d->fd);
	d->fd = -1;
	d->register_done = 0;
}

int
nmport_open_desc(struct nmport_d *d)
{
	int saved;

	if (nmport_register(d) < 0)
		return -1;
	if (nmport_mmap(d) == 0)
		return 0;
	saved = errno;
	nmport_undo_register(d);
	errno = saved;
	return -1;
}

void
nmport_undo_open_desc(struct nmport_d *d)
{
	nmport_undo_mmap(d);
	nmport_undo_register(d);
}

struct nmport_d *
nmport_open(const char *portspec)
{
	struct nmport_d *d = nmport_prepare(portspec);
	int saved;

	if (d == NULL || nmport_open_desc(d) == 0)
		return d;
	saved = errno;
	nmport_undo_prepare(d);
	errno = saved;
	return NULL;
}

void
nmport_close(struct nmport_d *d)
{
	if (d == NULL)
		return;
	nmport_undo_open_desc(d);
	nmport_undo_prepare(d);
}

struct nmport_d *
nmport_clone(struct nmport_d *d)
{
	struct nmport_d *c;

	if (d->extmem != NULL && !d->register_done) {
		nmctx_ferror(d->ctx, "%s: a port with extmem is cloned when it is open only",
			d->hdr.nr_name);
		errno = EINVAL;
		return NULL;
	}
	c = new_in(d->ctx);
	if (c == NULL)
		return NULL;
	c->hdr = d->hdr;
	c->hdr.nr_body = (uintptr_t)&c->reg;
	c->hdr.nr_options = 0;
	c->reg = d->reg;
	return c;
}
