/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_NEXT_H
#define VNM_NEXT_H

/**
 * @file
 * A wrapper stands in front of libc's function of the same name, or of another preload's. NEXT(f)
 * is that function. A file names those it uses with NEXT_SLOT(f), and looks them up before main:
 * dlsym is nothing for signal handlers.
 */

#include <stdatomic.h>

#define EXPORT __attribute__((visibility("default")))

#define NEXT_SLOT(f) static _Atomic(void *) slot_##f
#define NEXT_FIND(f) ((void)vnm_next(&slot_##f, #f))
#define NEXT(f) ((__typeof__(&f))vnm_next(&slot_##f, #f))

void *vnm_next(_Atomic(void *) *slot, const char *name);

#endif /* VNM_NEXT_H */
