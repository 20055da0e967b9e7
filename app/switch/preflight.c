/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "instance.h"
#include "preflight.h"
#include "vale_process.h"

#define MB (1024ULL * 1024)
#define ORPHANS_MAX 16

static int
check_live(const struct preflight *p, char *why, size_t sz)
{
	const char *prefix = p->eal->prefix;
	pid_t pid = instance_live_pid(prefix);
	char comm[32];

	if (pid == 0)
		return 0;
	if (pid < 0) {
		snprintf(why, sz,
			"file prefix '%s' is in use by a DPDK process in another pid "
			"namespace; run beside it: vale-switch --file-prefix %s2",
			prefix, prefix);
		return -EBUSY;
	}
	vale_process_comm(pid, comm, sizeof(comm));
	snprintf(why, sz,
		"file prefix '%s' is in use by %s, pid %d; run beside it with "
		"`vale-switch --file-prefix %s2`, or end it: kill %d",
		prefix, comm, pid, prefix, pid);
	return -EBUSY;
}

static int
check_socket(const char *path, const char *option, char *why, size_t sz)
{
	pid_t pid = instance_socket_pid(path);
	struct stat st;
	char comm[32];

	if (pid == 0) {
		/* a stale socket is replaced, but nothing else that has this name */
		if (lstat(path, &st) < 0 || S_ISSOCK(st.st_mode))
			return 0;
		snprintf(why, sz,
			"%s exists and is no socket; take another path: "
			"vale-switch -- --%s PATH",
			path, option);
		return -EBUSY;
	}
	if (pid < 0) {
		snprintf(why, sz,
			"socket %s is served by another process; take another one: "
			"vale-switch -- --%s %s.2",
			path, option, path);
		return -EBUSY;
	}
	vale_process_comm(pid, comm, sizeof(comm));
	snprintf(why, sz,
		"socket %s is served by %s, pid %d; take another one with "
		"`vale-switch -- --%s %s.2`, or end it: kill %d",
		path, comm, pid, option, path, pid);
	return -EBUSY;
}

static int
check_mounted(struct preflight *p, char *why, size_t sz)
{
	const char *dir = p->eal->huge_dir != NULL ? p->eal->huge_dir : "/dev/hugepages";
	int nb;

	if (huge_default_page_sz() == 0) {
		snprintf(why, sz,
			"this kernel has no hugepages; run without (and without DPDK "
			"secondaries): vale-switch --no-huge");
		return -ENOENT;
	}
	nb = huge_mounts_find(p->eal->huge_dir, &p->mounts);
	if (nb > 0)
		return 0;
	snprintf(why, sz,
		"no hugetlbfs is mounted on %s; mount it: "
		"mkdir -p %s && mount -t hugetlbfs none %s",
		dir, dir, dir);
	return -ENOENT;
}

static int
check_permission(const struct preflight *p, char *why, size_t sz)
{
	for (unsigned int i = 0; i < p->mounts.nb; i++)
		if (access(p->mounts.m[i].dir, R_OK | W_OK | X_OK) == 0)
			return 0;
	snprintf(why, sz,
		"user %u may not write to %s, where hugepages are; run as root "
		"(sudo vale-switch), or allow it: sudo chown %u %s",
		getuid(), p->mounts.m[0].dir, getuid(), p->mounts.m[0].dir);
	return -EACCES;
}

/* Free bytes in pages that EAL can reach; each page size counts once. */
static uint64_t
free_bytes(const struct huge_mounts *h)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < h->nb; i++) {
		bool seen = access(h->m[i].dir, W_OK) < 0;

		for (unsigned int k = 0; k < i; k++)
			seen |= h->m[k].page_sz == h->m[i].page_sz;
		if (!seen)
			sum += huge_free(h->m[i].page_sz) * h->m[i].page_sz;
	}
	return sum;
}

uint64_t
preflight_pages_wanted(uint64_t total, uint64_t missing, uint64_t page_sz)
{
	return total + (missing + page_sz - 1) / page_sz;
}

static void
nr_hugepages_path(uint64_t page_sz, char *buf, size_t sz)
{
	if (page_sz == huge_default_page_sz())
		snprintf(buf, sz, "/proc/sys/vm/nr_hugepages");
	else
		snprintf(buf, sz, "/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages",
			(unsigned long long)page_sz / 1024);
}

static int
check_free(const struct preflight *p, char *why, size_t sz)
{
	uint64_t need = p->memory_mb * MB, have = free_bytes(&p->mounts);
	uint64_t page_sz = p->mounts.m[0].page_sz;
	char path[128];

	if (have >= need)
		return 0;
	nr_hugepages_path(page_sz, path, sizeof(path));
	snprintf(why, sz,
		"%llu MB of hugepages are needed and %llu MB are free; run without them "
		"(and without DPDK secondaries) with `vale-switch --no-huge`, ask for less "
		"(--mbufs; --max-switches times --fdb-size), or reserve more: echo %llu > %s",
		(unsigned long long)p->memory_mb, (unsigned long long)(have / MB),
		(unsigned long long)preflight_pages_wanted(
			huge_total(page_sz), need - have, page_sz),
		path);
	return -ENOMEM;
}

/* In-memory mode takes hugepages without a mounted file system. */
static int
check_in_memory(const struct preflight *p, char *why, size_t sz)
{
	struct preflight any = *p;

	any.mounts.nb = 1;
	any.mounts.m[0] = (struct huge_mount){.dir = "/", .page_sz = huge_default_page_sz()};
	return any.mounts.m[0].page_sz != 0 ? check_free(&any, why, sz) : 0;
}

/* A restarted switch meets its former clients: EAL could not start over files that they hold. */
static void
clean_stale(const struct preflight *p)
{
	struct instance_orphan orphan[ORPHANS_MAX];
	unsigned int nb = instance_orphans(p->eal->prefix, &p->mounts, orphan, ORPHANS_MAX);

	for (unsigned int i = 0; i < nb; i++)
		fprintf(stderr,
			"vale-switch: %s, pid %d, still holds %llu MB of hugepages of an "
			"earlier run; to free them: kill %d\n",
			orphan[i].comm, orphan[i].pid, (unsigned long long)(orphan[i].bytes / MB),
			orphan[i].pid);
	if (instance_remove_files(p->eal->prefix, &p->mounts) > 0)
		fprintf(stderr,
			"vale-switch: removed what an earlier run that was killed had "
			"left under file prefix '%s'\n",
			p->eal->prefix);
}

int
preflight_check(struct preflight *p, char *why, size_t sz)
{
	int ret;

	p->mounts.nb = 0;
	ret = p->eal->no_shconf ? 0 : check_live(p, why, sz);
	if (ret == 0)
		ret = check_socket(p->socket, "socket", why, sz);
	if (ret == 0 && p->memif_socket != NULL)
		ret = check_socket(p->memif_socket, "memif-socket", why, sz);
	if (ret == 0 && !p->eal->no_huge && !p->eal->in_memory)
		ret = check_mounted(p, why, sz);
	if (ret == 0 && p->mounts.nb > 0)
		ret = check_permission(p, why, sz);
	if (ret < 0)
		return ret;
	if (!p->eal->no_shconf)
		clean_stale(p);
	if (p->eal->no_huge)
		return 0;
	return p->eal->in_memory ? check_in_memory(p, why, sz) : check_free(p, why, sz);
}

void
preflight_clean(const struct preflight *p)
{
	if (!p->eal->no_shconf)
		(void)instance_remove_files(p->eal->prefix, &p->mounts);
}
