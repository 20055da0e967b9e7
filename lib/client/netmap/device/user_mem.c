/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "sys.h"
#include "user_mem.h"

/** The kernel copies within this process and says how far it came. Where it may not (a seccomp
 * filter), the program's pointers are taken at their word. */
static long
vm_copy(long nr, struct iovec *mine, struct iovec *theirs, unsigned int n)
{
	return vnm_sys6(nr, vnm_sys_getpid(), (long)mine, n, (long)theirs, n, 0);
}

int
vnm_user_read(void *dst, const void *user, size_t len)
{
	struct iovec mine = {dst, len}, theirs = {(void *)(uintptr_t)user, len};
	long ret = vm_copy(SYS_process_vm_readv, &mine, &theirs, 1);

	if (ret == (long)len)
		return 0;
	if (ret == -EPERM || ret == -ENOSYS) {
		memcpy(dst, user, len);
		return 0;
	}
	return -EFAULT;
}

int
vnm_user_write(void *user, const void *src, size_t len)
{
	struct iovec mine = {(void *)(uintptr_t)src, len}, theirs = {user, len};
	long ret = vm_copy(SYS_process_vm_writev, &mine, &theirs, 1);

	if (ret == (long)len)
		return 0;
	if (ret == -EPERM || ret == -ENOSYS) {
		memcpy(user, src, len);
		return 0;
	}
	return -EFAULT;
}

void
vnm_user_gather(struct iovec *to, struct iovec *from, unsigned int n, unsigned char *done)
{
	unsigned int i = 0;

	memset(done, 0, n);
	while (i < n) {
		long got = vm_copy(SYS_process_vm_readv, to + i, from + i, n - i);

		if (got == -EPERM || got == -ENOSYS) {
			memcpy(to[i].iov_base, from[i].iov_base, to[i].iov_len);
			done[i++] = 1;
			continue;
		}
		/* whole pieces first; the one after them is what stopped it */
		for (; i < n && got >= (long)to[i].iov_len; i++) {
			got -= (long)to[i].iov_len;
			done[i] = 1;
		}
		i++;
	}
}
