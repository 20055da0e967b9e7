/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_CONTROL_PROTO_H
#define VALE_CONTROL_PROTO_H

/**
 * @file
 * The control protocol: what clients (net_vale, vale-ctl) and the switch say to each other.
 *
 * One Unix socket, SOCK_SEQPACKET; each message is one packet: a header, then a body of fixed
 * layout in the byte order of the machine. File descriptors travel by SCM_RIGHTS. Every request has
 * one reply of the same type and sequence number, made of struct vale_ctl_reply and, for some
 * types, descriptors. Long lists come as a sealed memfd of records. The connection that attached a
 * port is that port's life. On it the switch may send VALE_CTL_NOTIFY at any time, and such
 * messages carry sequence number 0.
 *
 * Strings are NUL-terminated within their field; a field without NUL is refused.
 * Direction of a structure: (c) client to switch, (s) switch to client.
 */

#include <assert.h>
#include <stdint.h>

#define VALE_CTL_MAGIC 0x454c4156u /* "VALE" in memory */
#define VALE_CTL_VERSION 1
#define VALE_CTL_MSG_SZ_MAX 4096
#define VALE_CTL_FDS_MAX 32
#define VALE_CTL_TEXT_SZ 256

enum vale_ctl_type {
	VALE_CTL_ATTACH_DPDK = 1, /* net_vale: make a dpdk port; life of the connection */
	VALE_CTL_NOTIFY = 2,	  /* switch to client: the port was taken away */
	VALE_CTL_VERSION_GET = 3,
	VALE_CTL_LIST = 4, /* reply carries a memfd of vale_ctl_port_rec */
	/* 5: an earlier list of addresses, all in one answer */
	VALE_CTL_FDB_ADD = 6,
	VALE_CTL_FDB_DEL = 7,
	VALE_CTL_FDB_FLUSH = 8,
	VALE_CTL_CREATE = 9,
	VALE_CTL_DESTROY = 10,
	VALE_CTL_ATTACH_ETHDEV = 11,
	VALE_CTL_DETACH = 12,
	VALE_CTL_GET = 13,
	VALE_CTL_SET = 14,
	VALE_CTL_WAIT = 15,	/* replied when the port has a client */
	VALE_CTL_DETACHED = 16, /* net_vale: answers NOTIFY, will not touch the port again */
	VALE_CTL_OWN_POOL = 17, /* net_vale: this process made a mempool, or freed it; no reply */
	VALE_CTL_NM_CTRL = 18,	/* a netmap program's NIOCCTRL */
	VALE_CTL_NM_STATE = 19, /* what this descriptor is bound to; with the region's memfd */
	VALE_CTL_WORKERS = 20,	/* reply carries a memfd of vale_ctl_worker_rec */
	VALE_CTL_SECONDARIES = 21, /* reply carries a memfd of vale_ctl_secondary_rec */
	VALE_CTL_CREATE_PORT = 32, /* CREATE with an owner, a tap, a virtual machine's socket */
	VALE_CTL_ATTACH_HOST = 33, /* ATTACH_ETHDEV of an interface whose stack stays connected */
	VALE_CTL_MEMIF_OPEN = 40,  /* net_vale in a DPDK of its own: a memif connection */
	VALE_CTL_QUEUES = 41,	   /* reply carries a memfd of vale_ctl_queue_rec */
	VALE_CTL_FDB_PAGE = 42,	   /* a part of a switch's addresses: a memfd of vale_ctl_fdb_rec */
};

/** First on every message, both ways. */
struct vale_ctl_hdr {
	uint32_t magic;	  /* VALE_CTL_MAGIC */
	uint16_t version; /* VALE_CTL_VERSION */
	uint16_t type;	  /* enum vale_ctl_type */
	uint32_t size;	  /* bytes of the whole message */
	uint32_t seq;	  /* chosen by the client, echoed; 0 in NOTIFY */
};
static_assert(sizeof(struct vale_ctl_hdr) == 16, "layout");

/** (s) First in every reply. */
struct vale_ctl_reply {
	struct vale_ctl_hdr hdr;
	int32_t error;		     /* 0 or an errno, positive */
	uint32_t nb_recs;	     /* records in the memfd or in the body */
	char text[VALE_CTL_TEXT_SZ]; /* with an error: what, on which object, why, what to do */
};
static_assert(sizeof(struct vale_ctl_reply) == 280, "layout");

/** (c) LIST, DESTROY, DETACH, WAIT, FDB_DEL, FDB_FLUSH, FDB_ADD, CREATE, MEMIF_OPEN. */
struct vale_ctl_name_req {
	struct vale_ctl_hdr hdr;
	char name[32];	/* port or switch; LIST: "" = all, a switch, or a port */
	char port[32];	/* FDB_ADD, FDB_FLUSH ("" = all): the port */
	uint8_t mac[6]; /* FDB_ADD, FDB_DEL; CREATE, MEMIF_OPEN when has_mac */
	uint8_t has_mac;
	uint8_t reserved;
};
static_assert(sizeof(struct vale_ctl_name_req) == 88, "layout");

#define VALE_CTL_DEVARGS_SZ 512

/** (c) ATTACH_ETHDEV; ATTACH_HOST, without devargs. */
struct vale_ctl_attach_ethdev_req {
	struct vale_ctl_hdr hdr;
	char name[32];
	char devargs[VALE_CTL_DEVARGS_SZ];
};
static_assert(sizeof(struct vale_ctl_attach_ethdev_req) == 560, "layout");

/** What a created port comes with. */
enum vale_ctl_device {
	VALE_CTL_DEVICE_NONE = 0,
	VALE_CTL_DEVICE_TAP = 1,	  /* a new interface of the host, called PPP */
	VALE_CTL_DEVICE_VHOST = 2,	  /* QEMU listens at path */
	VALE_CTL_DEVICE_VHOST_SERVER = 3, /* the switch listens at path */
};

#define VALE_CTL_PATH_SZ 108 /* as in struct sockaddr_un */

/** (c) CREATE_PORT. */
struct vale_ctl_create_req {
	struct vale_ctl_hdr hdr;
	char name[32];
	uint8_t mac[6];
	uint8_t has_mac;
	uint8_t has_owner;
	uint32_t owner;	 /* uid, with has_owner: whose the port is */
	uint16_t queues; /* pairs, of a device that lets us choose; 0 = its own default */
	uint8_t device;	 /* enum vale_ctl_device */
	uint8_t reserved;
	char path[VALE_CTL_PATH_SZ]; /* with a VHOST device */
};
static_assert(sizeof(struct vale_ctl_create_req) == 172, "layout");

#define VALE_CTL_LCORE_BITS 1024

/** (c) ATTACH_DPDK. */
struct vale_ctl_attach_dpdk_req {
	struct vale_ctl_hdr hdr;
	char name[32];
	char dpdk_version[64]; /* rte_version() */
	char vale_version[32]; /* VALE_VERSION */
	uint32_t shm_version;  /* VALE_DPDK_SHM_VERSION */
	uint16_t nb_queues;    /* pairs asked for; 0 = 1 */
	uint8_t mac[6];
	uint8_t has_mac;
	uint8_t reserved[3];
	uint64_t lcores[VALE_CTL_LCORE_BITS / 64]; /* bit i: this process uses lcore id i */
};
static_assert(sizeof(struct vale_ctl_attach_dpdk_req) == 288, "layout");

/**
 * (s) ATTACH_DPDK. Descriptors, in this order: for each queue pair the eventfd on which the client
 * waits for received frames (nb_queues of them), then for each queue pair the eventfd with which
 * it wakes the switch (nb_queues of them).
 */
struct vale_ctl_attach_dpdk_reply {
	struct vale_ctl_reply r;
	uint64_t slot_addr; /* struct vale_dpdk_slot, same address in all processes of the group */
	uint64_t slot_sz;   /* bytes */
	uint64_t ethdev_data; /* address of the rte_eth_dev_data of the port */
	uint64_t pool_addr;   /* struct rte_mempool for the client, mb_pool_0 */
	uint16_t port_id;     /* ethdev port id in the group */
	uint16_t nb_queues;   /* pairs granted */
	uint32_t reserved;
	char ethdev_name[64]; /* the VALE name */
};
static_assert(sizeof(struct vale_ctl_attach_dpdk_reply) == 384, "layout");

/**
 * (s) MEMIF_OPEN. With one descriptor: a connection to the memif server, as if the client had
 * opened it on the memif socket, where the switch greets and the client goes on with INIT. Its
 * secret is the name of the request. So whoever reaches the control socket needs to know nothing
 * else, a refusal has a whole sentence, and the port has its MAC address, for which memif has no
 * place.
 */
struct vale_ctl_memif_open_reply {
	struct vale_ctl_reply r;
	uint8_t mac[6]; /* that the port will have */
	uint8_t reserved[2];
};
static_assert(sizeof(struct vale_ctl_memif_open_reply) == 288, "layout");

/** (c) OWN_POOL. The only message without a reply. */
struct vale_ctl_own_pool {
	struct vale_ctl_hdr hdr;
	uint64_t addr; /* of its struct rte_mempool, in shared memory */
	char name[32];
	uint8_t made; /* 1 made, 0 freed */
	uint8_t reserved[7];
};
static_assert(sizeof(struct vale_ctl_own_pool) == 64, "layout");

/**
 * Netmap programs: a descriptor for /dev/netmap is a connection, which several processes may hold
 * (fork, exec, SCM_RIGHTS). So that replies do not cross, each request carries one end of a fresh
 * socketpair (SOCK_SEQPACKET) as its only descriptor, and its reply comes there. On the connection
 * itself the program sends doorbells, and the switch tokens: messages of one byte
 * (vale_netmap_shm.h). The connection is bound to a port by NETMAP_REQ_REGISTER, for its life.
 */
#define VALE_CTL_NM_BODY_SZ 128 /* of any request of netmap's; layouts as in net/netmap.h */
#define VALE_CTL_NM_OPTS_MAX 8
#define VALE_CTL_NM_OPT_SZ 64

/** One option of a request, without its pointer to the next. */
struct vale_ctl_nm_opt {
	uint32_t reqtype;		  /* NETMAP_REQ_OPT_* */
	uint32_t status;		  /* reply: nro_status */
	uint64_t size;			  /* nro_size */
	uint8_t body[VALE_CTL_NM_OPT_SZ]; /* what follows struct nmreq_option; as much as fits */
};
static_assert(sizeof(struct vale_ctl_nm_opt) == 80, "layout");

/** (c) NM_CTRL: struct nmreq_header taken apart. Legacy requests are translated by the preload. */
struct vale_ctl_nm_req {
	struct vale_ctl_hdr hdr;
	uint16_t version; /* nr_version */
	uint16_t reqtype; /* nr_reqtype */
	uint32_t nb_opts;
	char name[64]; /* nr_name; may lack a NUL, which netmap has an answer for */
	uint8_t body[VALE_CTL_NM_BODY_SZ];
	struct vale_ctl_nm_opt opts[VALE_CTL_NM_OPTS_MAX];
};
static_assert(sizeof(struct vale_ctl_nm_req) == 856, "layout");

/** (s) NM_CTRL. Body and options also come with an error; a reply of error and text alone, too. */
struct vale_ctl_nm_reply {
	struct vale_ctl_reply r;
	char name[64];
	uint8_t body[VALE_CTL_NM_BODY_SZ];
	uint32_t nb_opts;
	uint32_t reserved;
	struct vale_ctl_nm_opt opts[VALE_CTL_NM_OPTS_MAX];
};
static_assert(sizeof(struct vale_ctl_nm_reply) == 1120, "layout");

/** (c) NM_STATE: just the header. */

/**
 * (s) NM_STATE: what NETMAP_REQ_REGISTER bound this connection to. ENXIO if nothing. With the
 * region's memfd as descriptor.
 */
struct vale_ctl_nm_state_reply {
	struct vale_ctl_reply r;
	char name[64];
	uint64_t if_off; /* nr_offset: its netmap_if */
	uint64_t size;	 /* of the region */
	uint64_t flags;	 /* nr_flags */
	uint32_t mode;	 /* nr_mode */
	uint32_t ringid; /* nr_ringid, with its NETMAP_* bits */
	uint32_t mem_id;
	uint32_t bind;		    /* index of its struct vale_nm_bind */
	uint16_t tx_first, tx_last; /* rings bound: [first, last) */
	uint16_t rx_first, rx_last;
	uint32_t hdr_len;
	uint32_t tx_kring, rx_kring; /* struct vale_nm_kring of the port's ring 0 each way */
	uint32_t nb_tx_slots, nb_rx_slots;
	uint16_t nb_tx_rings, nb_rx_rings; /* of the port; those bound are above */
};
static_assert(sizeof(struct vale_ctl_nm_state_reply) == 416, "layout");

enum vale_ctl_event {
	VALE_CTL_EVENT_DETACHED = 1, /* operator took the port, or the switch is ending */
};

/** (s) NOTIFY. */
struct vale_ctl_notify {
	struct vale_ctl_hdr hdr;
	uint32_t event; /* enum vale_ctl_event */
	uint32_t reserved;
	char text[VALE_CTL_TEXT_SZ];
};
static_assert(sizeof(struct vale_ctl_notify) == 280, "layout");

enum vale_ctl_kind {
	VALE_CTL_KIND_NONE = 0, /* a persistent port without a client */
	VALE_CTL_KIND_DPDK = 1,
	VALE_CTL_KIND_NETMAP = 2,
	VALE_CTL_KIND_MEMIF = 3,
	VALE_CTL_KIND_ETHDEV = 4,
};

/** Places for drop counters in a record, in the order of enum vale_drop; unused ones zero. */
#define VALE_CTL_DROPS 16

/** (s) One port, in the memfd of LIST; sorted by switch name, then port name. */
struct vale_ctl_port_rec {
	char name[16];
	uint8_t kind;	    /* enum vale_ctl_kind */
	uint8_t persistent; /* 0 or 1 */
	uint8_t link;	    /* 0 or 1 */
	uint8_t reserved0;
	uint16_t queues;
	uint8_t mac[6];
	int32_t pid;	       /* 0 = none */
	uint32_t nb_drops;     /* reasons known to this switch */
	uint32_t owner_plus_1; /* uid the port is reserved for, plus 1; 0 = none */
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t drops[VALE_CTL_DROPS];
	char detail[128]; /* devargs of an ethdev port, else "" */
};
static_assert(sizeof(struct vale_ctl_port_rec) == 328, "layout");

/**
 * (c) FDB_PAGE. The table is dumped in pages, so that the switch has time for others between them:
 * ask from 0 on, then from where the reply says, until it says 0. What changes meanwhile may be
 * missed, or be there twice.
 */
struct vale_ctl_fdb_page_req {
	struct vale_ctl_hdr hdr;
	char name[32]; /* switch */
	uint32_t from;
	uint32_t reserved;
};
static_assert(sizeof(struct vale_ctl_fdb_page_req) == 56, "layout");

/** (s) FDB_PAGE. In no order. */
struct vale_ctl_fdb_page_reply {
	struct vale_ctl_reply r;
	uint32_t next; /* where to ask on from; 0: this was the last page */
	uint32_t reserved;
};
static_assert(sizeof(struct vale_ctl_fdb_page_reply) == 288, "layout");

/** (s) One FDB entry, in the memfd of FDB_PAGE. */
struct vale_ctl_fdb_rec {
	uint8_t mac[6];
	uint8_t is_static;
	uint8_t reserved;
	uint32_t age_s;
	char port[16];
	uint32_t reserved1;
};
static_assert(sizeof(struct vale_ctl_fdb_rec) == 32, "layout");

#define VALE_CTL_BATCH_CLASSES 11

/** (s) One worker, in the memfd of WORKERS. Counters since the switch began. */
struct vale_ctl_worker_rec {
	uint32_t lcore;	  /* UINT32_MAX: it does not run */
	uint32_t queues;  /* that it polls */
	uint64_t cpu_ns;  /* CPU time of its thread */
	uint64_t busy_ns; /* time of rounds that found frames, its being off the CPU included */
	uint64_t frames, sleeps;
	uint64_t batches[VALE_CTL_BATCH_CLASSES]; /* of 1, 2 to 3, 4 to 7, ... 1,024 frames */
};
static_assert(sizeof(struct vale_ctl_worker_rec) == 128, "layout");

/** (s) One receive queue, in the memfd of QUEUES, whose request is just a header; by worker. */
struct vale_ctl_queue_rec {
	char port[16];
	uint16_t queue;	 /* of the port */
	uint16_t worker; /* that polls it: place in the list of WORKERS */
	uint32_t load;	 /* thousandths of a core that its frames take */
	uint64_t frames; /* consumed since it was attached */
};
static_assert(sizeof(struct vale_ctl_queue_rec) == 32, "layout");

enum vale_ctl_secondary_state {
	VALE_CTL_SECONDARY_STARTING = 0, /* in EAL's start */
	VALE_CTL_SECONDARY_RUNNING = 1,
	VALE_CTL_SECONDARY_ATTACHED = 2, /* has ports */
	VALE_CTL_SECONDARY_ENDED = 3,	 /* gone, not yet taken back */
};

/** (s) One secondary process, in the memfd of SECONDARIES, whose request is just a header; in the
 * order in which they appeared. */
struct vale_ctl_secondary_rec {
	int32_t pid;
	uint8_t state;	   /* enum vale_ctl_secondary_state */
	uint8_t uses_pool; /* 0: what follows comm is 0 */
	uint8_t reserved[2];
	char comm[16];
	uint64_t refused; /* times that it asked for more mbufs than it may hold */
	uint32_t held;	  /* mbufs */
	uint32_t quota;	  /* mbufs it may hold; 0: no limit */
	uint64_t lcores[VALE_CTL_LCORE_BITS / 64]; /* bit i: it uses lcore id i */
};
static_assert(sizeof(struct vale_ctl_secondary_rec) == 168, "layout");

/** (c) GET ("" = all) and SET. */
struct vale_ctl_var_req {
	struct vale_ctl_hdr hdr;
	char name[32];
	char value[64]; /* SET: as typed by the user */
};
static_assert(sizeof(struct vale_ctl_var_req) == 112, "layout");

#define VALE_CTL_VARS_MAX 24

/** (s) One variable. */
struct vale_ctl_var {
	char name[32];
	char value[32]; /* text, a number in decimal unless is_text */
	uint8_t is_text;
	uint8_t read_only;
	uint8_t reserved[6];
	char unit[24]; /* "seconds", "frames", ... or "" */
};
static_assert(sizeof(struct vale_ctl_var) == 96, "layout");

/** (s) GET: r.nb_recs variables. */
struct vale_ctl_get_reply {
	struct vale_ctl_reply r;
	struct vale_ctl_var vars[VALE_CTL_VARS_MAX];
};
static_assert(sizeof(struct vale_ctl_get_reply) <= VALE_CTL_MSG_SZ_MAX, "layout");

/** (s) VERSION_GET. */
struct vale_ctl_version_reply {
	struct vale_ctl_reply r;
	char vale_version[32];
	char dpdk_version[64];
	char prefix[64]; /* --file-prefix of the switch */
	int32_t pid;
	uint32_t reserved;
};
static_assert(sizeof(struct vale_ctl_version_reply) == 448, "layout");

#endif /* VALE_CONTROL_PROTO_H */
