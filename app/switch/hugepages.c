/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hugepages.h"

uint64_t
huge_default_page_sz(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long kb = 0;
	char line[128];

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Hugepagesize: %lu kB", &kb) == 1)
			break;
	fclose(f);
	return (uint64_t)kb * 1024;
}

/* The value of pagesize= in mount options, which the kernel shows as 2M or 1024M. */
static uint64_t
mount_page_sz(const struct mntent *m)
{
	const char *opt = hasmntopt(m, "pagesize");
	uint64_t sz;
	char *end;

	if (opt == NULL || (opt = strchr(opt, '=')) == NULL)
		return huge_default_page_sz();
	sz = strtoull(opt + 1, &end, 10);
	if (*end == 'K')
		sz <<= 10;
	else if (*end == 'M')
		sz <<= 20;
	else if (*end == 'G')
		sz <<= 30;
	return sz;
}

int
huge_mounts_find(const char *only, struct huge_mounts *h)
{
	FILE *f = setmntent("/proc/mounts", "re");
	struct mntent *m;
	struct stat st;

	h->nb = 0;
	if (f == NULL)
		return -errno;
	while (h->nb < HUGE_MOUNTS_MAX && (m = getmntent(f)) != NULL) {
		struct huge_mount *hm = &h->m[h->nb];

		if (strcmp(m->mnt_type, "hugetlbfs") != 0)
			continue;
		if (only != NULL && strcmp(only, m->mnt_dir) != 0)
			continue;
		if (stat(m->mnt_dir, &st) < 0)
			continue;
		snprintf(hm->dir, sizeof(hm->dir), "%s", m->mnt_dir);
		hm->page_sz = mount_page_sz(m);
		hm->dev = st.st_dev;
		if (hm->page_sz != 0)
			h->nb++;
	}
	endmntent(f);
	return (int)h->nb;
}

static uint64_t
read_count(uint64_t page_sz, const char *name)
{
	unsigned long long v = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/%s",
		(unsigned long long)page_sz / 1024, name);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &v) != 1)
		v = 0;
	fclose(f);
	return v;
}

uint64_t
huge_total(uint64_t page_sz)
{
	return read_count(page_sz, "nr_hugepages");
}

uint64_t
huge_free(uint64_t page_sz)
{
	uint64_t nb_free = read_count(page_sz, "free_hugepages");
	uint64_t promised = read_count(page_sz, "resv_hugepages");

	return nb_free > promised ? nb_free - promised : 0;
}
