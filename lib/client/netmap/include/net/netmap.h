/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_NET_NETMAP_H
#define VALE_NET_NETMAP_H
#define _NET_NETMAP_H_ /* programs and netmap's own headers ask for this one */

/**
 * @file
 * The netmap API, version 14: what a program and vale-switch say to each other through
 * /dev/netmap. Names, numbers and layouts are netmap's, so that programs written for it compile
 * unchanged and programs built against its headers run unchanged; see netmap(4) and
 * docs/netmap-programs.md for what is behind them here.
 *
 * (p) is written by the program, (s) by the switch or the preload on its behalf.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/types.h>
#ifndef IFNAMSIZ
#include <net/if.h>
#endif
#ifndef IFNAMSIZ
#define IFNAMSIZ 16 /* <net/if.h> hides it from strict ISO C */
#endif

#define NETMAP_API 14
#define NETMAP_MIN_API 14
#define NETMAP_MAX_API 15

#define NM_CACHE_ALIGN 128

/** One buffer of a ring: a frame or a part of one. */
struct netmap_slot {
	uint32_t buf_idx; /**< which buffer; 0 and 1 are never a program's */
	uint16_t len;	  /**< bytes of the frame in it */
	uint16_t flags;	  /**< NS_* */
	uint64_t ptr;	  /**< with NS_INDIRECT an address, with offsets one of these */
};

#define NS_BUF_CHANGED 0x0001 /**< (p) buf_idx is not what it was */
#define NS_REPORT 0x0002      /**< (p) tell soon when this slot was sent; it always is */
#define NS_FORWARD 0x0004     /**< host rings only, of which there are none here */
#define NS_NO_LEARN 0x0008    /**< (p) do not learn this frame's source address */
#define NS_INDIRECT 0x0010    /**< (p) transmit: the frame lies at ptr, not in the buffer */
#define NS_MOREFRAG 0x0020    /**< the frame goes on in the next slot */
#define NS_TXMON 0x0040	      /**< monitors only, of which there are none here */

/** Receive slots: number of slots of the frame. (Once meant for a destination port as well.) */
#define NS_PORT_SHIFT 8
#define NS_PORT_MASK (0xff << NS_PORT_SHIFT)
#define NS_RFRAGS(_slot) (((_slot)->flags >> NS_PORT_SHIFT) & 0xff)

#define NETMAP_MAX_FRAGS 64 /**< slots of one frame */

/**
 * A ring: slots [head, tail) are the program's, the others the switch's. Writing a frame or taking
 * one, the program moves head; cur >= head says how far it has looked, and poll and select wake
 * when tail passes cur. All three are slot numbers; one slot stays with the switch.
 */
struct netmap_ring {
	const int64_t buf_ofs; /**< from here to buffer 0, bytes */
	const uint32_t num_slots;
	const uint32_t nr_buf_size; /**< of each buffer, bytes */
	const uint16_t ringid;
	const uint16_t dir; /**< 0 transmit, 1 receive */

	uint32_t head;	/**< (p) first slot the program keeps */
	uint32_t cur;	/**< (p) wake when tail is past this */
	uint32_t tail;	/**< (s) first slot of the switch; changes in syncs only */
	uint32_t flags; /**< (p) NR_TIMESTAMP, NR_FORWARD */

	struct timeval ts; /**< (s) time of the last sync, with NR_TIMESTAMP */

	const uint64_t
		offset_mask;	  /**< bits of slot.ptr that are an offset; 0 without the option */
	const uint64_t buf_align; /**< offsets are multiples of this */

	uint8_t sem[128] __attribute__((__aligned__(NM_CACHE_ALIGN))); /**< programs' own use */

	struct netmap_slot slot[]; /**< num_slots */
};

#define NR_TIMESTAMP 0x0002 /**< set ts in every sync */
#define NR_FORWARD 0x0004   /**< host rings only */

/** Has the program nothing left in this ring, frames or space? */
static inline int
nm_ring_empty(struct netmap_ring *ring)
{
	return ring->head == ring->tail;
}

/** What a descriptor is bound to, at nr_offset of the region. */
struct netmap_if {
	char ni_name[IFNAMSIZ];
	const uint32_t ni_version;
	const uint32_t ni_flags;
#define NI_PRIV_MEM 0x1 /**< a region of its own */

	const uint32_t ni_tx_rings;
	const uint32_t ni_rx_rings;

	uint32_t
		ni_bufs_head; /**< first extra buffer; the first word of each is the next, 0 ends */
	const uint32_t ni_host_tx_rings;
	const uint32_t ni_host_rx_rings;
	uint32_t ni_spare1[3];

	/** From here to each ring, bytes; 0 for one that is not bound. Transmit rings, host
	 * transmit rings, receive rings, host receive rings. */
	const ssize_t ring_ofs[];
};

#include <net/netmap_legacy.h>

/*
 * Requests: ioctl(fd, NIOCCTRL, &header), where the header points to a body and, perhaps, to a
 * list of options.
 */

#define NETMAP_REQ_MAXSIZE 4096 /**< body and all options */

struct nmreq_option {
	uint64_t nro_next;    /**< (p) address of the next, 0 ends */
	uint32_t nro_reqtype; /**< (p) NETMAP_REQ_OPT_* */
	uint32_t nro_status;  /**< (s) 0 or an errno */
	uint64_t nro_size;    /**< (p) bytes, of options whose size varies; else 0 */
};

struct nmreq_header {
	uint16_t nr_version; /**< NETMAP_API */
	uint16_t nr_reqtype; /**< NETMAP_REQ_* */
	uint32_t nr_reserved;
#define NETMAP_REQ_IFNAMSIZ 64
	char nr_name[NETMAP_REQ_IFNAMSIZ]; /**< of the port */
	uint64_t nr_options;		   /**< address of the first option, or 0 */
	uint64_t nr_body;		   /**< address of what nr_reqtype says */
};

enum {
	NETMAP_REQ_REGISTER = 1,	     /* nmreq_register: bind this descriptor to a port */
	NETMAP_REQ_PORT_INFO_GET = 2,	     /* nmreq_port_info_get */
	NETMAP_REQ_VALE_ATTACH = 3,	     /* nmreq_vale_attach: put a port on a switch */
	NETMAP_REQ_VALE_DETACH = 4,	     /* nmreq_vale_detach */
	NETMAP_REQ_VALE_LIST = 5,	     /* nmreq_vale_list */
	NETMAP_REQ_PORT_HDR_SET = 6,	     /* nmreq_port_hdr */
	NETMAP_REQ_PORT_HDR_GET = 7,	     /* nmreq_port_hdr */
	NETMAP_REQ_VALE_NEWIF = 8,	     /* nmreq_vale_newif: make a persistent port */
	NETMAP_REQ_VALE_DELIF = 9,	     /* no body */
	NETMAP_REQ_VALE_POLLING_ENABLE = 10, /* nmreq_vale_polling */
	NETMAP_REQ_VALE_POLLING_DISABLE = 11,
	NETMAP_REQ_POOLS_INFO_GET = 12,	  /* nmreq_pools_info */
	NETMAP_REQ_SYNC_KLOOP_START = 13, /* nmreq_sync_kloop_start */
	NETMAP_REQ_SYNC_KLOOP_STOP = 14,
	NETMAP_REQ_CSB_ENABLE = 15,
};

enum {
	NETMAP_REQ_OPT_EXTMEM = 1,		/* nmreq_opt_extmem */
	NETMAP_REQ_OPT_SYNC_KLOOP_EVENTFDS = 2, /* nmreq_opt_sync_kloop_eventfds */
	NETMAP_REQ_OPT_CSB = 3,			/* nmreq_opt_csb */
	NETMAP_REQ_OPT_SYNC_KLOOP_MODE = 4,	/* nmreq_opt_sync_kloop_mode */
	NETMAP_REQ_OPT_OFFSETS = 5,		/* nmreq_opt_offsets */
	NETMAP_REQ_OPT_MAX = 6,
};

/** REGISTER. Numbers asked for are made to fit; the answer says what is. */
struct nmreq_register {
	uint64_t nr_offset;   /**< (s) of the netmap_if in the region */
	uint64_t nr_memsize;  /**< (s) of the region */
	uint32_t nr_tx_slots; /**< of each ring; 0 = default */
	uint32_t nr_rx_slots;
	uint16_t nr_tx_rings; /**< 0 = default */
	uint16_t nr_rx_rings;
	uint16_t nr_host_tx_rings;
	uint16_t nr_host_rx_rings;

	uint16_t nr_mem_id; /**< of the region; 0 = one of its own */
	uint16_t nr_ringid; /**< with NR_REG_ONE_NIC */
	uint32_t nr_mode;   /**< NR_REG_* */
	uint32_t nr_extra_bufs;

	uint64_t nr_flags;
#define NR_MONITOR_TX 0x100
#define NR_MONITOR_RX 0x200
#define NR_ZCOPY_MON 0x400
#define NR_EXCLUSIVE 0x800	  /**< nobody else on these rings */
#define NR_RX_RINGS_ONLY 0x2000	  /**< bind no transmit rings */
#define NR_TX_RINGS_ONLY 0x4000	  /**< bind no receive rings */
#define NR_ACCEPT_VNET_HDR 0x8000 /**< the program knows virtio-net headers */
#define NR_DO_RX_POLL 0x10000	  /**< poll gives back receive slots even without POLLIN */
#define NR_NO_TX_POLL 0x20000	  /**< poll sends only with POLLOUT */
};

enum {
	NR_REG_DEFAULT = 0, /* not with REGISTER */
	NR_REG_ALL_NIC = 1, /* all rings */
	NR_REG_SW = 2,
	NR_REG_NIC_SW = 3,
	NR_REG_ONE_NIC = 4, /* ring pair nr_ringid */
	NR_REG_PIPE_MASTER = 5,
	NR_REG_PIPE_SLAVE = 6,
	NR_REG_NULL = 7,
	NR_REG_ONE_SW = 8,
};

/** PORT_INFO_GET. */
struct nmreq_port_info_get {
	uint64_t nr_memsize;
	uint32_t nr_tx_slots;
	uint32_t nr_rx_slots;
	uint16_t nr_tx_rings;
	uint16_t nr_rx_rings;
	uint16_t nr_host_tx_rings;
	uint16_t nr_host_rx_rings;
	uint16_t nr_mem_id;
	uint16_t pad[3];
};

#define NM_BDG_NAME "vale" /**< with which the names of switches begin */

/** VALE_ATTACH. */
struct nmreq_vale_attach {
	struct nmreq_register reg;
	uint32_t port_index; /**< (s) */
	uint32_t pad1;
};

/** VALE_DETACH. */
struct nmreq_vale_detach {
	uint32_t port_index; /**< (s) */
	uint32_t pad1;
};

/** VALE_LIST: the named port's place; without a name, the first port at or after this place. */
struct nmreq_vale_list {
	uint16_t nr_bridge_idx;
	uint16_t pad1;
	uint32_t nr_port_idx;
};

/** PORT_HDR_SET, PORT_HDR_GET: virtio-net header before each frame, 0, 10 or 12 bytes. */
struct nmreq_port_hdr {
	uint32_t nr_hdr_len;
	uint32_t pad1;
};

/** VALE_NEWIF. */
struct nmreq_vale_newif {
	uint32_t nr_tx_slots;
	uint32_t nr_rx_slots;
	uint16_t nr_tx_rings;
	uint16_t nr_rx_rings;
	uint16_t nr_mem_id;
	uint16_t pad1;
};

/** VALE_POLLING_ENABLE and DISABLE. */
struct nmreq_vale_polling {
	uint32_t nr_mode;
#define NETMAP_POLLING_MODE_SINGLE_CPU 1
#define NETMAP_POLLING_MODE_MULTI_CPU 2
	uint32_t nr_first_cpu_id;
	uint32_t nr_num_polling_cpus;
	uint32_t pad1;
};

/** POOLS_INFO_GET: where in a region its interfaces, rings and buffers lie. */
struct nmreq_pools_info {
	uint64_t nr_memsize;
	uint16_t nr_mem_id;
	uint16_t pad1[3];
	uint64_t nr_if_pool_offset;
	uint32_t nr_if_pool_objtotal;
	uint32_t nr_if_pool_objsize;
	uint64_t nr_ring_pool_offset;
	uint32_t nr_ring_pool_objtotal;
	uint32_t nr_ring_pool_objsize;
	uint64_t nr_buf_pool_offset;
	uint32_t nr_buf_pool_objtotal;
	uint32_t nr_buf_pool_objsize;
};

/** SYNC_KLOOP_START. */
struct nmreq_sync_kloop_start {
	uint32_t sleep_us;
	uint32_t pad1;
};

/** One ring's indices outside the ring, program to switch. */
struct nm_csb_atok {
	uint32_t head;
	uint32_t cur;
	uint32_t appl_need_kick;
	uint32_t sync_flags;
	uint32_t pad[12];
};

/** One ring's indices outside the ring, switch to program. */
struct nm_csb_ktoa {
	uint32_t hwcur;
	uint32_t hwtail;
	uint32_t kern_need_kick;
	uint32_t pad[13];
};

struct nmreq_opt_sync_kloop_eventfds {
	struct nmreq_option nro_opt;
	struct {
		int32_t ioeventfd;
		int32_t irqfd;
	} eventfds[];
};

struct nmreq_opt_sync_kloop_mode {
	struct nmreq_option nro_opt;
#define NM_OPT_SYNC_KLOOP_DIRECT_TX (1 << 0)
#define NM_OPT_SYNC_KLOOP_DIRECT_RX (1 << 1)
	uint32_t mode;
};

struct nmreq_opt_extmem {
	struct nmreq_option nro_opt;
	uint64_t nro_usrptr;
	struct nmreq_pools_info nro_info;
};

struct nmreq_opt_csb {
	struct nmreq_option nro_opt;
	uint64_t csb_atok;
	uint64_t csb_ktoa;
};

/** Frames do not begin where their buffers begin: slot.ptr says how far behind. */
struct nmreq_opt_offsets {
	struct nmreq_option nro_opt;
	uint64_t nro_max_offset; /**< largest that will be used; answered: allowed */
	uint64_t nro_initial_offset;
	uint32_t nro_offset_bits; /**< of slot.ptr; 0 = all */
	uint32_t nro_tx_align;
	uint64_t nro_min_gap;
};

#define NIOCCTRL _IOWR('i', 151, struct nmreq_header)
#define NIOCTXSYNC _IO('i', 148) /**< send what is before head; see again what is free */
#define NIOCRXSYNC _IO('i', 149) /**< give back what is before head; see what has come */

/** Earlier stores are seen before later ones. */
static inline void
nm_stst_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

/** Earlier loads are done before later ones. */
static inline void
nm_ldld_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

/** CSB: publish indices. The reader must never see a head beyond cur, hence cur goes first. */
static inline void
nm_sync_kloop_appl_write(struct nm_csb_atok *atok, uint32_t cur, uint32_t head)
{
	nm_stst_barrier(); /* slots and buffers first */
	__atomic_store_n(&atok->cur, cur, __ATOMIC_RELAXED);
	nm_stst_barrier();
	__atomic_store_n(&atok->head, head, __ATOMIC_RELAXED);
}

/** CSB: fetch indices, hwtail never newer than hwcur, and both before any slot is read. */
static inline void
nm_sync_kloop_appl_read(struct nm_csb_ktoa *ktoa, uint32_t *hwtail, uint32_t *hwcur)
{
	*hwtail = __atomic_load_n(&ktoa->hwtail, __ATOMIC_ACQUIRE);
	*hwcur = __atomic_load_n(&ktoa->hwcur, __ATOMIC_ACQUIRE);
}

/* Layouts that every netmap program was compiled with. */
#ifdef __LP64__
#if defined(__cplusplus) && __cplusplus < 201103L
#define VALE_NM_ASSERT(cond) /* no static_assert yet */
#elif defined(__cplusplus)
#define VALE_NM_ASSERT(cond) static_assert(cond, "layout of the netmap API")
#else
#define VALE_NM_ASSERT(cond) __extension__ _Static_assert(cond, "layout of the netmap API")
#endif
VALE_NM_ASSERT(sizeof(struct netmap_slot) == 16);
VALE_NM_ASSERT(sizeof(struct netmap_ring) == 256);
VALE_NM_ASSERT(offsetof(struct netmap_ring, head) == 20);
VALE_NM_ASSERT(offsetof(struct netmap_ring, cur) == 24);
VALE_NM_ASSERT(offsetof(struct netmap_ring, tail) == 28);
VALE_NM_ASSERT(offsetof(struct netmap_ring, flags) == 32);
VALE_NM_ASSERT(offsetof(struct netmap_ring, ts) == 40);
VALE_NM_ASSERT(offsetof(struct netmap_ring, offset_mask) == 56);
VALE_NM_ASSERT(offsetof(struct netmap_ring, buf_align) == 64);
VALE_NM_ASSERT(offsetof(struct netmap_ring, sem) == 128);
VALE_NM_ASSERT(offsetof(struct netmap_ring, slot) == 256);
VALE_NM_ASSERT(sizeof(struct netmap_if) == 56);
VALE_NM_ASSERT(offsetof(struct netmap_if, ring_ofs) == 56);
VALE_NM_ASSERT(sizeof(struct nmreq_header) == 88);
VALE_NM_ASSERT(sizeof(struct nmreq_register) == 56);
VALE_NM_ASSERT(sizeof(struct nmreq_port_info_get) == 32);
VALE_NM_ASSERT(sizeof(struct nmreq_vale_attach) == 64);
VALE_NM_ASSERT(sizeof(struct nmreq_vale_detach) == 8);
VALE_NM_ASSERT(sizeof(struct nmreq_vale_list) == 8);
VALE_NM_ASSERT(sizeof(struct nmreq_port_hdr) == 8);
VALE_NM_ASSERT(sizeof(struct nmreq_vale_newif) == 16);
VALE_NM_ASSERT(sizeof(struct nmreq_vale_polling) == 16);
VALE_NM_ASSERT(sizeof(struct nmreq_pools_info) == 64);
VALE_NM_ASSERT(sizeof(struct nmreq_option) == 24);
VALE_NM_ASSERT(sizeof(struct nmreq_opt_offsets) == 56);
VALE_NM_ASSERT(sizeof(struct nmreq_opt_csb) == 40);
VALE_NM_ASSERT(sizeof(struct nmreq_opt_extmem) == 96);
VALE_NM_ASSERT(sizeof(struct nm_csb_atok) == 64);
VALE_NM_ASSERT(sizeof(struct nm_csb_ktoa) == 64);
VALE_NM_ASSERT(NIOCCTRL == 0xc0586997);
VALE_NM_ASSERT(NIOCTXSYNC == 0x6994);
VALE_NM_ASSERT(NIOCRXSYNC == 0x6995);
#endif /* __LP64__ */

#endif /* VALE_NET_NETMAP_H */
