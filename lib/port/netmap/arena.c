/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "arena.h"
#include "vale_log.h"

#define STRIDE (UINT64_C(4) << 30)
/* Regions beyond these go without guards. */
#define PLACES 8192u
/* 2^32 buffers of 2 KB. */
#define TAIL (UINT64_C(8) << 40)
#define ARENA_SZ ((PLACES + 1) * STRIDE + TAIL)

#define GUARD_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define REGION_FLAGS (MAP_SHARED | MAP_NORESERVE)

static struct {
	uint8_t *base; /* NULL: none could be had */
	bool tried;
	uint32_t last; /* place taken last */
	uint64_t used[(PLACES + 63) / 64];
} a = {.last = PLACES - 1};

static void
reserve(void)
{
	void *p;

	if (a.tried)
		return;
	a.tried = true;
	p = mmap(NULL, ARENA_SZ, PROT_NONE, GUARD_FLAGS, -1, 0);
	if (p != MAP_FAILED)
		a.base = p;
	else
		VALE_LOG(NOTICE,
			"netmap: no %llu TB of addresses for guards around regions (ulimit -v?); "
			"they do "
			"without",
			(unsigned long long)(ARENA_SZ >> 40));
}

static bool
is_used(uint32_t i)
{
	return a.used[i / 64] >> i % 64 & 1;
}

/* The free place that comes next; PLACES if there is none. */
static uint32_t
take_place(void)
{
	for (uint32_t n = 1; n <= PLACES; n++) {
		uint32_t i = (a.last + n) % PLACES;

		if (is_used(i))
			continue;
		a.used[i / 64] |= UINT64_C(1) << i % 64;
		a.last = i;
		return i;
	}
	return PLACES;
}

static void
give_place(uint32_t i)
{
	a.used[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static uint8_t *
place_addr(uint32_t i)
{
	return a.base + (i + 1) * STRIDE;
}

void *
nm_arena_map(int fd, size_t size)
{
	uint32_t i = PLACES;
	void *p;

	reserve();
	if (a.base != NULL && size <= NM_ARENA_REGION_MAX)
		i = take_place();
	if (i == PLACES) {
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, REGION_FLAGS, fd, 0);
		return p == MAP_FAILED ? NULL : p;
	}
	p = mmap(place_addr(i), size, PROT_READ | PROT_WRITE, REGION_FLAGS | MAP_FIXED, fd, 0);
	if (p != MAP_FAILED)
		return p;
	give_place(i);
	return NULL;
}

bool
nm_arena_keeps(const void *addr)
{
	const uint8_t *p = addr;

	return a.base != NULL && p >= a.base && (uint64_t)(p - a.base) < ARENA_SZ;
}

void
nm_arena_unmap(void *addr, size_t size)
{
	uint64_t off = (uint64_t)((uint8_t *)addr - a.base);

	if (addr == NULL)
		return;
	if (!nm_arena_keeps(addr)) {
		munmap(addr, size);
		return;
	}
	/* not munmap(): somebody else's mapping could come to lie there */
	if (mmap(addr, size, PROT_NONE, GUARD_FLAGS | MAP_FIXED, -1, 0) == MAP_FAILED) {
		/* its pages stay, and so does its place */
		VALE_LOG(ERR, "netmap: a region cannot be unmapped: %m");
		return;
	}
	give_place((uint32_t)(off / STRIDE) - 1);
}
