/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_errno.h>

#include "arena.h"
#include "pages.h"
#include "region.h"
#include "vale_control_proto.h"

#define PAGE 4096u
/* The whole of a netmap_if with its ring_ofs[], for most rings and a fake pair of host rings. */
#define IF_SZ 512
/* A region has room for so many ports like its first. */
#define PORTS_PER_REGION 2
/* Unit of struct nm_place.rings. */
#define RING_UNIT 128u

static_assert(sizeof(struct netmap_if) + 2 * (VALE_NM_RINGS_MAX + 1) * sizeof(ssize_t) <= IF_SZ,
	"offsets of all rings fit");
static_assert(VALE_NM_BINDS_MAX == 64, "one bit each");

/* Control thread only. */
static struct {
	size_t user_max;
	uint16_t last_id;
	TAILQ_HEAD(, nm_region) list;
} r_all = {.last_id = 1, .list = TAILQ_HEAD_INITIALIZER(r_all.list)};

void
nm_regions_init(size_t user_max)
{
	r_all.user_max = user_max;
}

/* ---- sizes ---- */

uint32_t
nm_region_ring_sz(const struct nm_geometry *g, unsigned int dir)
{
	size_t sz = sizeof(struct netmap_ring) + g->nb_slots[dir] * sizeof(struct netmap_slot);

	return (uint32_t)RTE_ALIGN_CEIL(sz, RING_UNIT);
}

static uint32_t
ring_units(const struct nm_geometry *g, unsigned int dir)
{
	return nm_region_ring_sz(g, dir) / RING_UNIT;
}

static uint32_t
nb_krings(const struct nm_geometry *g)
{
	return g->nb_rings[NM_TX] + g->nb_rings[NM_RX];
}

static uint32_t
nb_ring_units(const struct nm_geometry *g)
{
	return g->nb_rings[NM_TX] * ring_units(g, NM_TX) +
	       g->nb_rings[NM_RX] * ring_units(g, NM_RX);
}

static uint32_t
nb_ring_bufs(const struct nm_geometry *g)
{
	return g->nb_rings[NM_TX] * g->nb_slots[NM_TX] + g->nb_rings[NM_RX] * g->nb_slots[NM_RX];
}

/* 64-bit sums: the largest region has 2 GB. */
void
nm_region_lay_out(struct vale_nm_region *h, const struct nm_geometry *g, uint32_t nb_extra_bufs)
{
	uint64_t off = PAGE;

	memset(h, 0, sizeof(*h));
	h->magic = VALE_NM_MAGIC;
	h->version = VALE_NM_SHM_VERSION;
	h->nb_bufs = NM_BUF_FIRST + PORTS_PER_REGION * nb_ring_bufs(g) + nb_extra_bufs;
	h->buf_sz = VALE_NM_BUF_SZ;
	h->nb_krings = PORTS_PER_REGION * nb_krings(g);
	h->binds_off = (uint32_t)off;
	off += RTE_ALIGN_CEIL(VALE_NM_BINDS_MAX * sizeof(struct vale_nm_bind), PAGE);
	h->krings_off = (uint32_t)off;
	off += RTE_ALIGN_CEIL(h->nb_krings * sizeof(struct vale_nm_kring), PAGE);
	h->ifs_off = (uint32_t)off;
	h->if_sz = IF_SZ;
	off += RTE_ALIGN_CEIL(VALE_NM_BINDS_MAX * IF_SZ, PAGE);
	h->rings_off = (uint32_t)off;
	off += RTE_ALIGN_CEIL((uint64_t)PORTS_PER_REGION * nb_ring_units(g) * RING_UNIT, PAGE);
	h->bufs_off = off;
	off += RTE_ALIGN_CEIL((uint64_t)h->nb_bufs * VALE_NM_BUF_SZ, PAGE);
	h->size = off;
}

/* ---- life ---- */

struct nm_region *
nm_region_find(uint16_t mem_id)
{
	struct nm_region *r;

	TAILQ_FOREACH (r, &r_all.list, next) {
		if (r->mem_id == mem_id)
			return r;
	}
	return NULL;
}

/* Programs keep a mapping by its id: one is given again only after all others, and 1 is netmap's
 * global allocator. */
uint16_t
nm_region_next_id(void)
{
	uint16_t id = r_all.last_id;

	do {
		id++;
	} while (id < 2 || nm_region_find(id) != NULL);
	return id;
}

static size_t
user_total(uid_t uid)
{
	const struct nm_region *r;
	size_t sum = 0;

	TAILQ_FOREACH (r, &r_all.list, next)
		sum += r->uid == uid ? r->size : 0;
	return sum;
}

/* A memfd of normal pages: of hugepages a client could give away those of an empty pool, and the
 * next one who reads is killed in spite of all seals. */
static int
region_map(struct nm_region *r)
{
	r->memfd = memfd_create("vale-netmap", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->memfd < 0 || ftruncate(r->memfd, (off_t)r->size) < 0 ||
		fcntl(r->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	r->base = nm_arena_map(r->memfd, r->size);
	return r->base == NULL ? -errno : 0;
}

static void
region_free(struct nm_region *r)
{
	nm_arena_unmap(r->base, r->size);
	if (r->memfd >= 0)
		nm_pages_close(r->memfd, r->size);
	nm_extents_free(&r->krings);
	nm_extents_free(&r->rings);
	nm_extents_free(&r->bufs);
	free(r);
}

static struct nm_region *
region_alloc(const struct nm_geometry *g, uint32_t nb_extra_bufs, uid_t uid)
{
	struct nm_region *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->memfd = -1;
	r->uid = uid;
	r->nb_users = 1;
	nm_region_lay_out(&r->head, g, nb_extra_bufs);
	r->size = r->head.size;
	r->nb_bufs = r->head.nb_bufs;
	r->mem_id = nm_region_next_id();
	r->head.mem_id = r->mem_id;
	nm_extents_init(&r->krings, 0, r->head.nb_krings);
	nm_extents_init(
		&r->rings, 0, (uint32_t)((r->head.bufs_off - r->head.rings_off) / RING_UNIT));
	nm_extents_init(&r->bufs, NM_BUF_FIRST, r->nb_bufs - NM_BUF_FIRST);
	return r;
}

struct nm_region *
nm_region_create(const struct nm_geometry *g, uint32_t nb_extra_bufs, uid_t uid, char *why)
{
	size_t size, have = user_total(uid);
	struct nm_region *r = NULL;
	struct vale_nm_region head;
	int ret = -ENOMEM;

	nm_region_lay_out(&head, g, nb_extra_bufs);
	size = head.size;

	if (size > r_all.user_max || have > r_all.user_max - size) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"user %u has %zu MB of netmap memory and wants %zu MB more, of %zu MB that "
			"a user "
			"may have; ask for fewer rings, slots or extra buffers",
			uid, have >> 20, size >> 20, r_all.user_max >> 20);
		rte_errno = ENOMEM;
		return NULL;
	}
	r = region_alloc(g, nb_extra_bufs, uid);
	if (r != NULL)
		ret = region_map(r);
	if (ret < 0) {
		snprintf(why, VALE_CTL_TEXT_SZ, "no memory for a netmap region of %zu MB: %s",
			size >> 20, strerror(-ret));
		if (r != NULL)
			region_free(r);
		rte_errno = -ret;
		return NULL;
	}
	memcpy(r->base, &r->head, sizeof(r->head));
	r_all.last_id = r->mem_id;
	TAILQ_INSERT_TAIL(&r_all.list, r, next);
	return r;
}

void
nm_region_put(struct nm_region *r)
{
	if (r == NULL || --r->nb_users > 0)
		return;
	TAILQ_REMOVE(&r_all.list, r, next);
	region_free(r);
}

/* ---- parts ---- */

struct vale_nm_kring *
nm_region_kring(const struct nm_region *r, uint32_t i)
{
	return (struct vale_nm_kring *)(r->base + r->head.krings_off) + i;
}

struct vale_nm_bind *
nm_region_bind(const struct nm_region *r, uint32_t i)
{
	return (struct vale_nm_bind *)(r->base + r->head.binds_off) + i;
}

uint32_t
nm_region_if_off(const struct nm_region *r, uint32_t bind)
{
	return r->head.ifs_off + bind * IF_SZ;
}

struct netmap_ring *
nm_region_ring(const struct nm_region *r, const struct nm_geometry *g, const struct nm_place *pl,
	unsigned int dir, uint16_t ring)
{
	uint32_t unit = pl->rings.first;

	if (dir == NM_RX)
		unit += g->nb_rings[NM_TX] * ring_units(g, NM_TX);
	unit += ring * ring_units(g, dir);
	return (struct netmap_ring *)(r->base + r->head.rings_off + (uint64_t)unit * RING_UNIT);
}

int
nm_region_place(struct nm_region *r, const struct nm_geometry *g, struct nm_place *pl)
{
	memset(pl, 0, sizeof(*pl));
	if (nm_extents_take(&r->krings, nb_krings(g), &pl->krings) == 0 &&
		nm_extents_take(&r->rings, nb_ring_units(g), &pl->rings) == 0 &&
		nm_extents_take(&r->bufs, nb_ring_bufs(g), &pl->bufs) == 0)
		return 0;
	nm_region_unplace(r, pl);
	return -ENOMEM;
}

void
nm_region_unplace(struct nm_region *r, struct nm_place *pl)
{
	nm_extents_give(&r->krings, &pl->krings);
	nm_extents_give(&r->rings, &pl->rings);
	nm_extents_give(&r->bufs, &pl->bufs);
}

int
nm_region_take_bind(struct nm_region *r)
{
	unsigned int i;

	if (r->binds == UINT64_MAX)
		return -1;
	i = (unsigned int)__builtin_ctzll(~r->binds);
	r->binds |= UINT64_C(1) << i;
	memset(nm_region_bind(r, i), 0, sizeof(struct vale_nm_bind));
	return (int)i;
}

void
nm_region_give_bind(struct nm_region *r, unsigned int bind)
{
	r->binds &= ~(UINT64_C(1) << bind);
}

/* ---- what programs find ---- */

static void
make_slots(struct nm_region *r, struct netmap_ring *ring, uint32_t nb, uint32_t first_buf,
	uint64_t offset)
{
	nm_pages_populate(ring, sizeof(*ring) + nb * sizeof(ring->slot[0]));
	nm_pages_populate(nm_region_bufs(r) + (uint64_t)first_buf * VALE_NM_BUF_SZ,
		(size_t)nb * VALE_NM_BUF_SZ);
	for (uint32_t i = 0; i < nb; i++)
		ring->slot[i] = (struct netmap_slot){
			.buf_idx = first_buf + i, .len = VALE_NM_BUF_SZ, .ptr = offset};
}

/* Its constant fields are constant to programs; we are the one who writes them. */
static void
make_ring_header(struct nm_region *r, struct netmap_ring *ring, uint32_t nb_slots, unsigned int dir,
	uint16_t id)
{
	int64_t buf_ofs = (int64_t)(nm_region_bufs(r) - (uint8_t *)ring);
	uint32_t buf_sz = VALE_NM_BUF_SZ;
	uint16_t d = dir;

	memset((void *)ring, 0, sizeof(*ring));
	memcpy((void *)(uintptr_t)&ring->buf_ofs, &buf_ofs, sizeof(buf_ofs));
	memcpy((void *)(uintptr_t)&ring->num_slots, &nb_slots, sizeof(nb_slots));
	memcpy((void *)(uintptr_t)&ring->nr_buf_size, &buf_sz, sizeof(buf_sz));
	memcpy((void *)(uintptr_t)&ring->ringid, &id, sizeof(id));
	memcpy((void *)(uintptr_t)&ring->dir, &d, sizeof(d));
	ring->tail = dir == NM_TX ? nb_slots - 1 : 0;
}

static void
make_kring(struct vale_nm_kring *k)
{
	pthread_mutexattr_t attr;

	memset((void *)k, 0, sizeof(*k));
	/* the worker may sleep already: a doorbell too many does no harm */
	atomic_store_explicit(&k->armed, 1, memory_order_relaxed);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&k->lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

void
nm_region_make_ring(struct nm_region *r, const struct nm_geometry *g, const struct nm_place *pl,
	unsigned int dir, uint16_t ring, uint64_t offset_mask, uint64_t offset)
{
	struct netmap_ring *nr = nm_region_ring(r, g, pl, dir, ring);
	uint32_t buf = pl->bufs.first, kring = pl->krings.first;

	if (dir == NM_RX) {
		buf += g->nb_rings[NM_TX] * g->nb_slots[NM_TX];
		kring += g->nb_rings[NM_TX];
	}
	make_slots(r, nr, g->nb_slots[dir], buf + ring * g->nb_slots[dir], offset);
	make_ring_header(r, nr, g->nb_slots[dir], dir, ring);
	memcpy((void *)(uintptr_t)&nr->offset_mask, &offset_mask, sizeof(offset_mask));
	make_kring(nm_region_kring(r, kring + ring));
}

void
nm_region_take_extra(struct nm_region *r, uint32_t nb, struct nm_extent *out)
{
	(void)nm_extents_take(&r->bufs, RTE_MIN(nb, nm_extents_largest(&r->bufs)), out);
}

void
nm_region_link_extra(
	struct nm_region *r, const struct nm_extent *extra, uint32_t from, uint32_t end)
{
	for (uint32_t i = from; i < end; i++) {
		uint32_t next = i == 0 ? 0 : extra->first + i - 1;

		memcpy(nm_region_bufs(r) + (uint64_t)(extra->first + i) * VALE_NM_BUF_SZ, &next,
			sizeof(next));
	}
}
