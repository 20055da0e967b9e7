/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

#include "owner.h"
#include "sys.h"

#define PAGE 4096

/* On a page of its own that the kernel empties in whoever gets a copy of this memory. */
static _Atomic int *owner;

void
vnm_owner_init(void)
{
	long ret = vnm_sys_mmap(
		NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ret < 0 && ret >= -4095)
		return;
	if (vnm_sys6(SYS_madvise, ret, PAGE, MADV_WIPEONFORK, 0, 0, 0) != 0) {
		vnm_sys_munmap((void *)ret, PAGE); /* before Linux 4.14 */
		return;
	}
	owner = (_Atomic int *)ret;
	atomic_store(owner, vnm_sys_getpid());
}

bool
vnm_owner_is_self(void)
{
	int self, none = 0;

	if (owner == NULL)
		return true;
	self = vnm_sys_getpid();
	return atomic_compare_exchange_strong(owner, &none, self) || none == self;
}
