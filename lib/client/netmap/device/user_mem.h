/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_USER_MEM_H
#define VNM_USER_MEM_H

/**
 * @file
 * Addresses that a program handed over may lead nowhere: netmap answers EFAULT, not SIGSEGV.
 */

#include <stddef.h>
#include <sys/uio.h>

/** Copy len bytes from an address of the program's: 0 or -EFAULT. */
int vnm_user_read(void *dst, const void *user, size_t len);
/** Copy len bytes to an address of the program's: 0 or -EFAULT. */
int vnm_user_write(void *user, const void *src, size_t len);

#define VNM_USER_BATCH 64

/** Copy n (up to VNM_USER_BATCH) pieces in one call, to[i] and from[i] of the same length; done[i]
 * says which were readable as a whole. */
void vnm_user_gather(struct iovec *to, struct iovec *from, unsigned int n, unsigned char *done);

#endif /* VNM_USER_MEM_H */
