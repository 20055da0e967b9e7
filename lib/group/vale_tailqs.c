/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_common.h>
#include <rte_tailq.h>

#include "vale_log.h"
#include "vale_tailqs.h"

/* Names as the libraries of DPDK 22.11 have them; those of forwarding programs first. */
static struct rte_tailq_elem elems[] = {
	{.name = "RTE_HASH"},
	{.name = "RTE_LPM"},
	{.name = "RTE_LPM6"},
	{.name = "RTE_ACL"},
	{.name = "RTE_RIB"},
	{.name = "RTE_RIB6"},
	{.name = "RTE_FIB"},
	{.name = "RTE_FIB6"},
	{.name = "RTE_FBK_HASH"},
	{.name = "RTE_THASH"},
	{.name = "RTE_REORDER"},
	{.name = "RTE_STACK"},
	{.name = "RTE_DISTRIBUTOR"},
	{.name = "RTE_DIST_BURST"},
	{.name = "RTE_EFD"},
	{.name = "RTE_MEMBER"},
	{.name = "RTE_IPSEC_SAD"},
	{.name = "RTE_SWX_PIPELINE"},
	{.name = "RTE_SWX_CTL_PIPELINE"},
	{.name = "RTE_KNI"},
	/* of buses, which a program may be linked with though it uses none of their devices */
	{.name = "UIO_RESOURCE_LIST"},
	{.name = "VFIO_RESOURCE_LIST"},
	{.name = "VMBUS_RESOURCE_LIST"},
};

void
vale_tailqs_make(void)
{
	for (unsigned int i = 0; i < RTE_DIM(elems); i++) {
		if (rte_eal_tailq_lookup(elems[i].name) != NULL)
			continue;
		/* EAL has room for 32 lists, its own included */
		if (rte_eal_tailq_register(&elems[i]) != 0) {
			VALE_LOG(WARNING,
				"EAL has no room for the list %s: secondaries that are "
				"linked with its library will not start",
				elems[i].name);
			return;
		}
	}
}
