/* SPDX-License-Identifier: BSD-3-Clause */
/* What a request may carry beside itself: memory of the program's, and offsets. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "device.h"
#include "nmport_private.h"

struct nmport_cleanup_d *
nmport_cleanup_new(struct nmport_d *d, void (*undo)(struct nmport_d *, struct nmport_cleanup_d *))
{
	struct nmport_cleanup_d *c = nmctx_malloc(d->ctx, sizeof(*c));

	if (c == NULL) {
		nmctx_ferror(d->ctx, "out of memory");
		errno = ENOMEM;
		return NULL;
	}
	memset(c, 0, sizeof(*c));
	c->undo = undo;
	return c;
}

void
nmport_cleanup_push(struct nmport_d *d, struct nmport_cleanup_d *c)
{
	c->next = d->clist;
	d->clist = c;
}

void
nmport_cleanup_until(struct nmport_d *d, struct nmport_cleanup_d *until)
{
	while (d->clist != NULL && d->clist != until) {
		struct nmport_cleanup_d *c = d->clist;

		d->clist = c->next;
		c->undo(d, c);
		nmctx_free(d->ctx, c);
	}
}

/* An option of sz bytes in the request, undone with the rest. */
static void *
add_option(struct nmport_d *d, uint32_t reqtype, size_t sz,
	void (*undo)(struct nmport_d *, struct nmport_cleanup_d *))
{
	struct nmport_cleanup_d *c = nmport_cleanup_new(d, undo);
	struct nmreq_option *o;

	if (c == NULL)
		return NULL;
	o = nmctx_malloc(d->ctx, sz);
	if (o == NULL) {
		nmctx_ferror(d->ctx, "out of memory");
		nmctx_free(d->ctx, c);
		errno = ENOMEM;
		return NULL;
	}
	memset(o, 0, sz);
	o->nro_reqtype = reqtype;
	nmreq_push_option(&d->hdr, o);
	c->p = o;
	nmport_cleanup_push(d, c);
	return o;
}

static void
undo_option(struct nmport_d *d, struct nmport_cleanup_d *c)
{
	nmreq_remove_option(&d->hdr, c->p);
	nmctx_free(d->ctx, c->p);
}

static void
undo_extmem(struct nmport_d *d, struct nmport_cleanup_d *c)
{
	d->extmem = NULL;
	undo_option(d, c);
}

int
nmport_extmem(struct nmport_d *d, void *base, size_t size)
{
	struct nmreq_opt_extmem *o;

	if (d->register_done || d->extmem != NULL) {
		nmctx_ferror(d->ctx, "%s: %s", d->hdr.nr_name,
			d->register_done ? "extmem comes too late, the port is open"
					 : "extmem is set already");
		errno = EINVAL;
		return -1;
	}
	o = add_option(d, NETMAP_REQ_OPT_EXTMEM, sizeof(*o), undo_extmem);
	if (o == NULL)
		return -1;
	o->nro_usrptr = (uintptr_t)base;
	o->nro_info.nr_memsize = size;
	d->extmem = o;
	return 0;
}

static void
undo_map(struct nmport_d *d, struct nmport_cleanup_d *c)
{
	(void)d;
	munmap(c->p, c->sz);
}

/* Map a whole file. MAP_FAILED: errno. */
static void *
map_file(const char *fname, size_t *size)
{
	void *p = MAP_FAILED;
	struct stat st;
	int saved, fd = open(fname, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return MAP_FAILED;
	if (fstat(fd, &st) == 0) {
		*size = (size_t)st.st_size;
		p = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	saved = errno;
	close(fd);
	errno = saved;
	return p;
}

int
nmport_extmem_from_file(struct nmport_d *d, const char *fname)
{
	struct nmport_cleanup_d *before = d->clist, *c = nmport_cleanup_new(d, undo_map);
	int saved;

	if (c == NULL)
		return -1;
	c->p = map_file(fname, &c->sz);
	if (c->p == MAP_FAILED) {
		saved = errno;
		nmctx_ferror(d->ctx, "%s: %s", fname, strerror(saved));
		nmctx_free(d->ctx, c);
		errno = saved;
		return -1;
	}
	nmport_cleanup_push(d, c);
	if (nmport_extmem(d, c->p, c->sz) < 0) {
		saved = errno;
		nmport_cleanup_until(d, before);
		errno = saved;
		return -1;
	}
	return 0;
}

struct nmreq_pools_info *
nmport_extmem_getinfo(struct nmport_d *d)
{
	return d->extmem != NULL ? &d->extmem->nro_info : NULL;
}

int
nmport_offset(struct nmport_d *d, uint64_t initial, uint64_t maxoff, uint64_t bits, uint64_t mingap)
{
	struct nmreq_opt_offsets *o =
		add_option(d, NETMAP_REQ_OPT_OFFSETS, sizeof(*o), undo_option);

	if (o == NULL)
		return -1;
	o->nro_max_offset = maxoff;
	o->nro_initial_offset = initial;
	o->nro_offset_bits = (uint32_t)bits;
	o->nro_min_gap = mingap;
	return 0;
}
