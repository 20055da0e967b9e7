/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/mman.h>

#include "connection.h"
#include "file.h"
#include "state.h"
#include "sys.h"

int
vnm_state_ask(int fd, struct vale_ctl_nm_state_reply *state, int *memfd)
{
	struct vale_ctl_hdr req;
	int ret = vnm_connection_ask(
		fd, &req, sizeof(req), VALE_CTL_NM_STATE, state, sizeof(*state), memfd);

	if (ret != 0)
		return ret;
	if (state->r.error != 0) {
		if (*memfd >= 0)
			vnm_sys_close(*memfd);
		return -ENXIO;
	}
	return *memfd < 0 ? -EPROTO : 0;
}

/** Do n things of size bytes at off lie in the region? A switch that says otherwise is none. */
static bool
inside(const struct vnm_file *f, uint64_t off, uint64_t n, uint64_t size)
{
	return off < f->size && n <= f->size && size <= f->size && n * size <= f->size - off;
}

/** Rings [first, last) of one direction, whose offsets stand in the netmap_if from ofs on. */
static bool
bind_rings(struct vnm_file *f, struct vnm_ring *rings, const struct netmap_if *nifp,
	const ssize_t *ofs, uint32_t kring, unsigned int first, unsigned int last,
	uint32_t nb_slots)
{
	char *base = (char *)f->region;
	struct vale_nm_kring *krings = (struct vale_nm_kring *)(base + f->region->krings_off);
	unsigned int i;

	if (last < first || last - first > VALE_NM_RINGS_MAX || nb_slots == 0 ||
		kring > f->region->nb_krings || last > f->region->nb_krings - kring)
		return false;
	for (i = first; i < last; i++) {
		uint64_t off = (uint64_t)((const char *)nifp - base) + (uint64_t)ofs[i];

		if (!inside(f, off, 1,
			    sizeof(struct netmap_ring) + nb_slots * sizeof(struct netmap_slot)))
			return false;
		rings[i - first].ring = (struct netmap_ring *)(base + off);
		rings[i - first].kring = &krings[kring + i];
	}
	return true;
}

/** Fill the file from what the switch said, once the region is mapped. */
static bool
file_fill(struct vnm_file *f, const struct vale_ctl_nm_state_reply *s)
{
	char *base = (char *)f->region;
	const struct vale_nm_region *r = f->region;
	const struct netmap_if *nifp = (const struct netmap_if *)(base + s->if_off);
	const ssize_t *ofs = nifp->ring_ofs;

	if (r->magic != VALE_NM_MAGIC || r->version != VALE_NM_SHM_VERSION ||
		!inside(f, s->if_off, 1, r->if_sz) ||
		!inside(f, r->krings_off, r->nb_krings, sizeof(struct vale_nm_kring)) ||
		!inside(f, r->bufs_off, r->nb_bufs, r->buf_sz) || r->buf_sz != VALE_NM_BUF_SZ ||
		!inside(f, r->binds_off, s->bind + 1ull, sizeof(struct vale_nm_bind)))
		return false;
	f->bind = (struct vale_nm_bind *)(base + r->binds_off) + s->bind;
	f->bufs = base + r->bufs_off;
	f->nb_bufs = r->nb_bufs;
	f->flags = (uint32_t)s->flags;
	f->nb_slots[0] = s->nb_tx_slots;
	f->nb_slots[1] = s->nb_rx_slots;
	f->nb_rings[0] = (uint16_t)(s->tx_last - s->tx_first);
	f->nb_rings[1] = (uint16_t)(s->rx_last - s->rx_first);
	if (!bind_rings(f, f->tx, nifp, ofs, s->tx_kring, s->tx_first, s->tx_last, s->nb_tx_slots))
		return false;
	ofs += s->nb_tx_rings + nifp->ni_host_tx_rings;
	return bind_rings(
		f, f->rx, nifp, ofs, s->rx_kring, s->rx_first, s->rx_last, s->nb_rx_slots);
}

int
vnm_state_fetch(int fd, struct vnm_file **file)
{
	struct vale_ctl_nm_state_reply state;
	struct vnm_file *f;
	/* before it asks: if the number changes hands meanwhile, the cookie will not fit */
	uint64_t cookie = vnm_connection_cookie(fd);
	int memfd, ret = vnm_state_ask(fd, &state, &memfd);
	long mem;

	if (ret != 0)
		return ret;
	f = vnm_file_new();
	if (f == NULL) {
		vnm_sys_close(memfd);
		return -ENOMEM;
	}
	mem = state.size < sizeof(struct vale_nm_region)
		      ? -EPROTO
		      : vnm_sys_mmap(
				NULL, state.size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	vnm_sys_close(memfd);
	if (mem < 0 && mem >= -4095) {
		vnm_file_put(f);
		return (int)mem;
	}
	f->region = (struct vale_nm_region *)mem;
	f->size = state.size;
	f->cookie = cookie;
	if (file_fill(f, &state)) {
		*file = f;
		return 0;
	}
	vnm_file_put(f);
	return -EPROTO;
}
