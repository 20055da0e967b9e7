/* SPDX-License-Identifier: BSD-3-Clause */
/* A port's memory: regions are mapped once a context, and rings found in them. */
#include <errno.h>
#include <string.h>

#include "device.h"
#include "nmport_private.h"

static struct nmem_d *
find_region(struct nmctx *ctx, uint16_t mem_id)
{
	struct nmem_d *m = ctx->mem_descs;

	while (m != NULL && m->mem_id != mem_id)
		m = m->next;
	return m;
}

/* Map d's region. NULL: errno, said. */
static struct nmem_d *
map_region(struct nmport_d *d)
{
	struct nmem_d *m = nmctx_malloc(d->ctx, sizeof(*m));
	int saved;

	if (m == NULL) {
		nmctx_ferror(d->ctx, "out of memory");
		errno = ENOMEM;
		return NULL;
	}
	memset(m, 0, sizeof(*m));
	m->mem_id = d->reg.nr_mem_id;
	m->is_extmem = d->extmem != NULL;
	m->size = m->is_extmem ? d->extmem->nro_info.nr_memsize : d->reg.nr_memsize;
	m->mem = m->is_extmem ? (void *)(uintptr_t)d->extmem->nro_usrptr
			      : device_mmap(d->fd, m->size);
	if (m->mem == MAP_FAILED) {
		saved = errno;
		nmctx_ferror(d->ctx, "%s: mmap: %s", d->hdr.nr_name, strerror(saved));
		nmctx_free(d->ctx, m);
		errno = saved;
		return NULL;
	}
	return m;
}

static void
link_region(struct nmctx *ctx, struct nmem_d *m)
{
	m->next = ctx->mem_descs;
	if (m->next != NULL)
		m->next->prev = m;
	ctx->mem_descs = m;
}

static void
unlink_region(struct nmctx *ctx, struct nmem_d *m)
{
	if (m->next != NULL)
		m->next->prev = m->prev;
	if (m->prev != NULL)
		m->prev->next = m->next;
	else
		ctx->mem_descs = m->next;
}

/* The bound rings among nb of them: the first run of offsets that are not 0. */
static void
find_rings(const ssize_t *ofs, uint32_t nb, uint16_t *first, uint16_t *last)
{
	uint32_t i = 0;

	while (i < nb && ofs[i] == 0)
		i++;
	*first = (uint16_t)i;
	while (i < nb && ofs[i] != 0)
		i++;
	*last = (uint16_t)(i - 1);
}

static void
map_rings(struct nmport_d *d)
{
	uint32_t nb_tx, nb_rx;

	d->nifp = NETMAP_IF(d->mem->mem, d->reg.nr_offset);
	nb_tx = d->reg.nr_tx_rings + d->nifp->ni_host_tx_rings;
	nb_rx = d->reg.nr_rx_rings + d->nifp->ni_host_rx_rings;
	find_rings(d->nifp->ring_ofs, nb_tx, &d->first_tx_ring, &d->last_tx_ring);
	find_rings(d->nifp->ring_ofs + nb_tx, nb_rx, &d->first_rx_ring, &d->last_rx_ring);
	d->cur_tx_ring = d->first_tx_ring;
	d->cur_rx_ring = d->first_rx_ring;
}

int
nmport_mmap(struct nmport_d *d)
{
	struct nmem_d *m;

	if (d->mmap_done || !d->register_done) {
		nmctx_ferror(d->ctx, "%s: the port is %s", d->hdr.nr_name,
			d->mmap_done ? "mapped already" : "not open");
		errno = EINVAL;
		return -1;
	}
	nmctx_lock(d->ctx);
	m = find_region(d->ctx, d->reg.nr_mem_id);
	if (m == NULL && (m = map_region(d)) != NULL)
		link_region(d->ctx, m);
	if (m != NULL)
		m->refcount++;
	nmctx_unlock(d->ctx);
	if (m == NULL)
		return -1;
	d->mem = m;
	map_rings(d);
	d->mmap_done = 1;
	return 0;
}

void
nmport_undo_mmap(struct nmport_d *d)
{
	struct nmem_d *m = d->mem;

	if (m == NULL)
		return;
	nmctx_lock(d->ctx);
	if (--m->refcount <= 0) {
		unlink_region(d->ctx, m);
		if (!m->is_extmem)
			munmap(m->mem, m->size);
		nmctx_free(d->ctx, m);
	}
	nmctx_unlock(d->ctx);
	d->mem = NULL;
	d->nifp = NULL;
	d->mmap_done = 0;
	d->first_tx_ring = d->last_tx_ring = d->cur_tx_ring = 0;
	d->first_rx_ring = d->last_rx_ring = d->cur_rx_ring = 0;
}

/* Slots that a frame of size bytes takes; a frame of none takes one. */
static uint32_t
slots_for(const struct netmap_ring *ring, size_t size)
{
	return size == 0 ? 1 : (uint32_t)((size + ring->nr_buf_size - 1) / ring->nr_buf_size);
}

static void
inject_into(struct netmap_ring *ring, const char *buf, size_t size, uint32_t nb_slots)
{
	uint32_t i = ring->cur;

	for (; nb_slots > 0; nb_slots--) {
		struct netmap_slot *slot = &ring->slot[i];
		size_t len = size < ring->nr_buf_size ? size : ring->nr_buf_size;

		/* not nm_pkt_copy, which reads in units of 64 bytes: the caller's buffer may end */
		memcpy(NETMAP_BUF(ring, slot->buf_idx), buf, len);
		slot->len = (uint16_t)len;
		slot->flags = nb_slots > 1 ? NS_MOREFRAG : 0;
		buf += len;
		size -= len;
		i = nm_ring_next(ring, i);
	}
	ring->head = ring->cur = i;
}

int
nmport_inject(struct nmport_d *d, const void *buf, size_t size)
{
	int nb_rings = (int16_t)d->last_tx_ring - (int16_t)d->first_tx_ring + 1;
	uint16_t ri = d->cur_tx_ring;

	for (; nb_rings > 0; nb_rings--, ri++) {
		struct netmap_ring *ring;
		uint32_t nb_slots;

		if (ri > d->last_tx_ring)
			ri = d->first_tx_ring;
		ring = NETMAP_TXRING(d->nifp, ri);
		nb_slots = slots_for(ring, size);
		if (nm_ring_space(ring) < nb_slots)
			continue;
		inject_into(ring, buf, size, nb_slots);
		d->cur_tx_ring = ri;
		return (int)size;
	}
	return 0;
}
