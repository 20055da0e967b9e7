/* SPDX-License-Identifier: BSD-3-Clause */
/* Before main: after this, all of netmap's descriptors are known, so that programs without any have
 * nothing to pay for. */
#include "device/file.h"
#include "device/owner.h"
#include "device/why.h"

static void __attribute__((constructor)) start(void)
{
	vnm_owner_init();
	vnm_why_init();
	vnm_file_scan();
}
