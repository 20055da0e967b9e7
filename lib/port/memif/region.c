/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <rte_common.h>

#include "memif_port.h"

/* Bytes mapped of one client and of all; address space has 128 TiB. */
#define CLIENT_BYTES_MAX (UINT64_C(64) << 30)
#define ALL_BYTES_MAX (UINT64_C(32) << 40)
/* What a descriptor's 32-bit offset reaches, and a frame behind it. */
#define REGION_BYTES_MAX ((UINT64_C(4) << 30) + (UINT64_C(1) << 30))

/* Address space behind a region that stays empty, so that whatever a descriptor's offset says, a
 * check that fails to stop it ends in a fault and not in somebody else's memory. With the limits on
 * bytes and on regions (guard.c) all of it stays below 100 TiB. */
#define OFFSETS (UINT64_C(4) << 30)
#define BEHIND (UINT64_C(1) << 20)

/* Only memory: a file of another kind may make us wait for its pages for as long as its owner
 * likes (FUSE, a network), or have none. Sets *page_sz to what the length of a mapping must be a
 * multiple of. */
static int
check_file(int fd, uint64_t size, uint64_t *page_sz, char *why)
{
	struct statfs fs;
	struct stat st;

	/* seals are asked of the kernel's own memory only; the others' owners are not asked
	 * anything, who might not answer */
	if (fcntl(fd, F_GET_SEALS) < 0) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"region: its descriptor is no memory (memfd, tmpfs or hugetlbfs)");
		return -EINVAL;
	}
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0) {
		snprintf(why, VALE_CTL_TEXT_SZ, "region: cannot look at its descriptor: %s",
			strerror(errno));
		return -EBADF;
	}
	if (!S_ISREG(st.st_mode) ||
		((uint32_t)fs.f_type != TMPFS_MAGIC && (uint32_t)fs.f_type != HUGETLBFS_MAGIC)) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"region: its descriptor is no memory (memfd, tmpfs or hugetlbfs)");
		return -EINVAL;
	}
	if ((uint64_t)st.st_size < size) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"region: its file has %" PRIu64 " bytes, not %" PRIu64,
			(uint64_t)st.st_size, size);
		return -EINVAL;
	}
	*page_sz = (uint32_t)fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize
							  : (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

static int
check_limits(const struct memif_port *p, uint64_t len, char *why)
{
	if (p->mapped + len > CLIENT_BYTES_MAX) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"regions: limit spent, a client may share %" PRIu64 " GB",
			CLIENT_BYTES_MAX >> 30);
		return -ENOMEM;
	}
	if (memif.mapped + len > ALL_BYTES_MAX) {
		snprintf(why, VALE_CTL_TEXT_SZ,
			"regions: limit spent, all clients together may share %" PRIu64 " GB",
			ALL_BYTES_MAX >> 30);
		return -ENOMEM;
	}
	return 0;
}

/*
 * Map the file at the beginning of empty address space. It is mapped elsewhere first, and then
 * moved: a client can have its file refuse (by a seal), and a mapping at a fixed address that fails
 * may leave a hole in which another thread's memory comes to lie. Returns 0 or -errno.
 */
static int
map_file(struct memif_mapping *map, uint64_t len, uint64_t page_sz, int fd)
{
	uint64_t empty_len = page_sz + RTE_MAX(len, OFFSETS) + BEHIND;
	void *empty, *file, *addr;
	int ret;

	/* no reservation: hugepages that are not there must not be taken from others */
	file = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (file == MAP_FAILED)
		return -errno;
	empty = mmap(
		NULL, empty_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (empty == MAP_FAILED) {
		ret = -errno;
		munmap(file, len);
		return ret;
	}
	addr = mremap(
		file, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, RTE_PTR_ALIGN_CEIL(empty, page_sz));
	if (addr == MAP_FAILED) {
		ret = -errno;
		munmap(file, len);
		/* not the rest: there may be a hole in it, and somebody in that */
		return ret;
	}
	*map = (struct memif_mapping){
		.addr = addr, .len = len, .empty = empty, .empty_len = empty_len};
	return 0;
}

static void
unmap_file(struct memif_mapping *map)
{
	munmap(map->empty, map->empty_len);
	map->addr = NULL;
}

static int
map_region(struct memif_port *p, uint16_t index, uint64_t size, uint64_t page_sz, int fd, char *why)
{
	struct memif_mapping *map = &p->mapping[index];
	uint64_t len = (size + page_sz - 1) / page_sz * page_sz;
	int ret;

	ret = check_limits(p, len, why);
	if (ret < 0)
		return ret;
	ret = map_file(map, len, page_sz, fd);
	if (ret < 0) {
		snprintf(why, VALE_CTL_TEXT_SZ, "region %u: cannot map it: %s", index,
			strerror(-ret));
		return ret;
	}
	map->guard = memif_guard_add(map->addr, len, p);
	if (map->guard < 0) {
		ret = map->guard;
		unmap_file(map);
		snprintf(why, VALE_CTL_TEXT_SZ, "region %u: limit spent, regions of all clients",
			index);
		return ret;
	}
	p->region[index] = (struct memif_region){.addr = map->addr, .size = size};
	p->mapped += len;
	memif.mapped += len;
	return 0;
}

int
memif_region_add(struct memif_port *p, uint16_t index, uint64_t size, int fd, char *why)
{
	uint64_t page_sz;
	int ret;

	if (index >= MEMIF_REGIONS_MAX) {
		snprintf(why, VALE_CTL_TEXT_SZ, "region %u: limit spent, a client has at most %u",
			index, MEMIF_REGIONS_MAX);
		return -EINVAL;
	}
	if (p->mapping[index].addr != NULL || size == 0) {
		snprintf(why, VALE_CTL_TEXT_SZ, "region %u: %s", index,
			size == 0 ? "has no bytes" : "is there already");
		return -EINVAL;
	}
	ret = check_file(fd, size, &page_sz, why);
	if (ret < 0)
		return ret;
	return map_region(p, index, RTE_MIN(size, REGION_BYTES_MAX), page_sz, fd, why);
}

void
memif_regions_free(struct memif_port *p)
{
	for (unsigned int i = 0; i < RTE_DIM(p->mapping); i++) {
		struct memif_mapping *map = &p->mapping[i];

		if (map->addr == NULL)
			continue;
		memif_guard_del(map->guard);
		memif.mapped -= map->len;
		unmap_file(map);
	}
	p->mapped = 0;
}
