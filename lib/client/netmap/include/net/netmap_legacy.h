/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_NET_NETMAP_LEGACY_H
#define VALE_NET_NETMAP_LEGACY_H
#define _NET_NETMAP_LEGACY_H_

/**
 * @file
 * The netmap API before NIOCCTRL: struct nmreq, which nm_open and older programs use. Included by
 * <net/netmap.h>; programs include that.
 */

/** NIOCREGIF and NIOCGINFO. */
struct nmreq {
	char nr_name[IFNAMSIZ];
	uint32_t nr_version; /**< NETMAP_API or above */
	uint32_t nr_offset;  /**< (s) of the netmap_if in the region */
	uint32_t nr_memsize; /**< (s) of the region */
	uint32_t nr_tx_slots;
	uint32_t nr_rx_slots;
	uint16_t nr_tx_rings;
	uint16_t nr_rx_rings;

	uint16_t nr_ringid;   /**< ring number and these: */
#define NETMAP_HW_RING 0x4000 /**< nr_flags 0 only: one ring pair */
#define NETMAP_SW_RING 0x2000 /**< nr_flags 0 only: the host rings */
#define NETMAP_RING_MASK 0x0fff
#define NETMAP_NO_TX_POLL 0x1000 /**< NR_NO_TX_POLL */
#define NETMAP_DO_RX_POLL 0x8000 /**< NR_DO_RX_POLL */

	uint16_t nr_cmd; /**< 0: bind; or one of these: */
#define NETMAP_BDG_ATTACH 1
#define NETMAP_BDG_DETACH 2
#define NETMAP_BDG_REGOPS 3
#define NETMAP_BDG_LIST 4 /**< with NIOCGINFO */
#define NETMAP_BDG_VNET_HDR 5
#define NETMAP_BDG_NEWIF 6
#define NETMAP_BDG_DELIF 7
#define NETMAP_PT_HOST_CREATE 8
#define NETMAP_PT_HOST_DELETE 9
#define NETMAP_BDG_POLLING_ON 10
#define NETMAP_BDG_POLLING_OFF 11
#define NETMAP_VNET_HDR_GET 12

	uint16_t nr_arg1;  /**< as nr_cmd has it */
#define NETMAP_BDG_HOST 1  /**< NETMAP_BDG_ATTACH: the host rings, too */
	uint16_t nr_arg2;  /**< nr_mem_id */
	uint32_t nr_arg3;  /**< nr_extra_bufs */
	uint32_t nr_flags; /**< NR_REG_* in the low bits, NR_* above */
#define NR_REG_MASK 0xf
	uint32_t spare2[1];
};

#define NM_IFRDATA_LEN 256

/** NIOCCONFIG: for modules that replace a switch's lookup, of which there are none here. */
struct nm_ifreq {
	char nifr_name[IFNAMSIZ];
	char data[NM_IFRDATA_LEN];
};

#define NIOCGINFO _IOWR('i', 145, struct nmreq)
#define NIOCREGIF _IOWR('i', 146, struct nmreq)
#define NIOCCONFIG _IOWR('i', 150, struct nm_ifreq)

#if !defined(__cplusplus)
__extension__ _Static_assert(sizeof(struct nmreq) == 60, "layout of the netmap API");
__extension__ _Static_assert(NIOCREGIF == 0xc03c6992, "layout of the netmap API");
__extension__ _Static_assert(NIOCGINFO == 0xc03c6991, "layout of the netmap API");
__extension__ _Static_assert(NIOCCONFIG == 0xc1106996, "layout of the netmap API");
#endif

#endif /* VALE_NET_NETMAP_LEGACY_H */
