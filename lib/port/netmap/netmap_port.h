/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NETMAP_PORT_H
#define NETMAP_PORT_H

/**
 * @file
 * What the files of lib/port/netmap share: the switch's end of a netmap port.
 *
 * A *port* (struct nm_port) has rings in a region. A *bind* (struct nm_bind) is a descriptor that a
 * program has registered with it: all of its rings or some. Programs that register the same name
 * share the port, which ends with its last bind. A ring is *active* while it is bound.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include <rte_spinlock.h>

#include "region.h"
#include "vale_control_proto.h"
#include "vale_control_server.h"
#include "vale_netmap_port.h"
#include "vale_port.h"

/** Slots whose buffers are fetched ahead. */
#define NM_CHUNK 32
/** Pieces of all frames of a batch: its slots, and the rest of a chain that began in the last. */
#define NM_SEGS_MAX (VALE_BATCH_MAX + VALE_NM_FRAGS_MAX)
/** What a port with virtio-net headers takes undone: all of it. */
#define NM_TAKES (VALE_OL_CSUM | VALE_OL_RAW_CSUM | VALE_OL_TSO4 | VALE_OL_TSO6 | VALE_OL_ECN)

/** What workers read of a ring, beside its slots. The region's numbers, from our own books. */
struct nm_ring {
	_Atomic(_Atomic uint32_t *)
		head;		 /**< the client's index; control thread writes the pointer */
	_Atomic uint32_t *done;	 /**< ours: hwcur of what we read, hwtail of what we write */
	_Atomic uint32_t *armed; /**< the worker sleeps */
	struct netmap_slot *slots;
	uint8_t *bufs;
	uint32_t nb_bufs;
	uint32_t nb_slots;
	uint64_t offset_mask; /**< of slot.ptr; 0: no offsets */
	uint32_t offset_max;  /**< bytes */
	_Atomic bool active;  /**< control thread writes */
};

/** Frames from the client: its transmit ring. */
struct nm_rxq {
	struct vale_rxq q; /**< first: the core hands this back to us */
	struct nm_ring ring;
	/* worker */
	uint32_t cur;	   /**< next slot to read */
	uint32_t bad_head; /**< out of range, and counted already */
	/* worker writes, control thread reads */
	_Atomic uint32_t hwcur; /**< slots before it are the client's */
	/* control thread writes, worker reads */
	_Atomic uint32_t frozen;    /**< head of a ring whose last user has gone */
	_Atomic uint32_t *shm_head; /**< head of others */
	struct vale_seg *segs;	    /**< pieces of the frames of a batch; */
	uint32_t nb_segs;	    /**< worker: so many. Behind NM_SEGS_MAX one for each frame */
} __rte_cache_aligned;

/** Frames to the client: its receive ring. */
struct nm_txq {
	struct nm_ring ring;
	rte_spinlock_t lock; /**< between workers */
	uint32_t hwtail;     /**< next slot to fill; under the lock */
} __rte_cache_aligned;

/** Who may sleep on a port. Immutable; replaced by the control thread. */
struct nm_sleepers {
	uint16_t nb;
	struct nm_sleeper {
		struct vale_nm_bind *shm;
		int fd; /**< its connection */
	} of[];
};

/** A descriptor registered with a port. Control thread only. */
struct nm_bind {
	struct nm_port *port;
	struct vale_conn *conn; /**< NULL: told to go */
	uint16_t idx;		/**< of its struct vale_nm_bind */
	uint16_t first[2], last[2];
	uint32_t mode, ringid;
	uint64_t flags; /**< nr_flags */
	struct nm_extent extra;
	uint32_t nb_linked; /**< of extra, to a list */
	char name[64];
	TAILQ_ENTRY(nm_bind) next;
};

struct nm_port {
	struct vale_endpoint ep;
	/* read by workers */
	bool lock_tx; /**< several workers may deliver */
	_Atomic(struct nm_sleepers *) sleepers;
	_Atomic uint32_t *sleepers_hint; /**< in the region */
	_Atomic uint32_t hdr_len;	 /**< virtio-net header before each frame: 0, 10, 12 */
	struct nm_rxq rxq[VALE_NM_RINGS_MAX];
	struct nm_txq txq[VALE_NM_RINGS_MAX];
	/* control thread only */
	char name[VALE_NAME_SZ]; /**< as its binds know it */
	struct nm_geometry geo;
	struct nm_region *region;
	struct nm_place place;
	uid_t uid;
	bool plugged; /**< on a switch; else a sink: its frames go nowhere */
	uint16_t nb_users[2][VALE_NM_RINGS_MAX];
	bool exclusive[2][VALE_NM_RINGS_MAX];
	int wait_fd;	      /**< epoll of its connections' sockets */
	struct nm_wire *wire; /**< end of one, not a program's port */
	unsigned int nb_binds;
	TAILQ_HEAD(, nm_bind) binds;
	TAILQ_ENTRY(nm_port) next;
};

extern const struct vale_endpoint_ops nm_endpoint_ops;

/** Set the length of the header before each frame: 0, 10 or 12. Control thread. */
void nm_port_set_hdr_len(struct nm_port *p, uint32_t hdr_len);

/** Room for the pieces of a batch; NULL without memory. */
struct vale_seg *nm_rxq_make_segs(void);

/** Take what was published, for nobody: a port on no switch. Control thread. */
void nm_port_sink(struct nm_port *p);

/** Frames published and not forwarded; 0 if the ring is not active or its head is nonsense. */
unsigned int nm_rxq_pending(const struct nm_rxq *rq);

/** Wake programs that sleep on a port. Any worker; nm_wake() looks whether there are any first. In
 * sleepers.c. */
void nm_wake_sleepers(struct nm_port *p, bool rx);

/** Implement vale_endpoint_ops: a worker's part, in from_client.c and to_client.c. */
uint16_t nm_rx(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad);
void nm_rx_done(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n);
bool nm_rx_arm(struct vale_rxq *q);
unsigned int nm_rx_pending(struct vale_rxq *q);
void nm_tx(struct vale_endpoint *ep, uint16_t queue, struct vale_pkt *pkts, const uint16_t *idx,
	uint16_t n, struct vale_tx_result *res);

/** The control thread's part: evict and destroy, in nmport.c. */
void nm_port_evict(struct vale_endpoint *ep, const char *why);
unsigned int nm_port_destroy(struct vale_endpoint *ep);

/* ---- vnet.c ---- */

/**
 * Take the virtio-net header off the front of a frame from a client, and note what it says is left
 * to do.
 *
 * @param spare
 *   Room for the one piece of a frame that has no pieces.
 * @return
 *   Frames that it will be on a wire; 0 if it was refused, and counted.
 */
uint32_t nm_vnet_take(struct vale_pkt *pkt, uint32_t hdr_len, struct vale_seg *spare,
	struct vale_rx_refused *bad);

/** Make the header of a frame for a client: hdr_len bytes, 10 or 12. */
void nm_vnet_make(const struct vale_pkt *pkt, uint8_t *hdr, uint32_t hdr_len);

/* ---- nmport.c, bind.c ---- */

void nm_ports_init(const struct vale_netmap_conf *conf, struct vale_switches *s);
void nm_ports_fini(void);

/** NETMAP_REQ_OPT_OFFSETS, checked; mask 0: not asked for. */
struct nm_offsets {
	uint64_t mask;	  /**< of slot.ptr */
	uint32_t max;	  /**< bytes */
	uint32_t initial; /**< bytes, in every slot of a new ring */
};

/** What a program asks for with NETMAP_REQ_REGISTER, checked and in bounds. */
struct nm_register {
	const char *text;      /**< nr_name */
	struct vale_name name; /**< full is the port's own name; sw is "" for one on no switch */
	uint32_t hdr_len;
	struct nm_offsets offsets;
	struct nm_geometry geo;
	uint16_t mem_id; /**< 0: its own */
	uint32_t mode, ringid;
	uint64_t flags;
	uint32_t nb_extra_bufs;
};

/**
 * Bind a connection to a port, made if there is none of that name.
 *
 * @param out
 *   Receives the bind, which belongs to the connection.
 * @param why
 *   Receives a sentence on failure.
 * @return 0 or -errno as netmap's.
 */
int nm_bind_create(
	const struct nm_register *req, struct vale_conn *c, struct nm_bind **out, char *why);

/** The bind of a connection; NULL if it has none. */
struct nm_bind *nm_bind_of(const struct vale_conn *c);

/** Find a port by name; NULL if there is none. */
struct nm_port *nm_port_find(const char *name);

/* ---- extra.c ---- */

int nm_extra_init(struct vale_server *server);
void nm_extra_fini(void);
/**
 * Link the extra buffers of a new bind to a list.
 *
 * @return
 *   false: done. true: there are too many to do it now; @p reply, complete, is sent to @p msg when
 *   it is done.
 */
bool nm_extra_answer_later(
	struct nm_bind *b, const struct vale_ctl_hdr *msg, const struct vale_ctl_nm_reply *reply);
/** The bind goes: if its request waits, it is refused. */
void nm_extra_cancel(const struct nm_bind *b);

/* ---- wire.c ---- */

/** Join two persistent ports that have no client. Returns 0 or -errno. */
int nm_wire_create(
	const struct vale_name *a, const struct vale_name *b, struct nm_wire **out, char *why);
/** Take both off their switches; NULL is allowed. */
void nm_wire_free(struct nm_wire *w);
void nm_wire_init(struct vale_switches *s);

/* ---- persist.c: ports that stay (NETMAP_REQ_VALE_NEWIF) ---- */

/** A persistent port: a name, and what its rings will be. */
struct nm_vi {
	char name[VALE_NAME_SZ];
	struct nm_geometry geo;
	uint32_t hdr_len;
	unsigned int nb_attached;
	struct vale_name at[2]; /**< where it is attached; the second joins two switches */
	struct nm_wire *wire;	/**< then */
	TAILQ_ENTRY(nm_vi) next;
};

struct nm_vi *nm_vi_find(const char *name);

/** Each returns 0 or -errno as netmap's, with a sentence in @p why. */
int nm_vi_create(const char *text, const struct nm_geometry *geo, char *why);
int nm_vi_destroy(const char *text, char *why);
/** @param idx receives the port's index on its switch. */
int nm_vale_attach(const struct vale_name *name, uint32_t *idx, char *why);
int nm_vale_detach(const struct vale_name *name, uint32_t *idx, char *why);

void nm_vi_init(struct vale_switches *s);
void nm_vi_fini(void);

/* ---- requests.c, register.c, control.c: NIOCCTRL ---- */

/** A request in work: private copies of what came, and what will be answered. */
struct nm_call {
	struct vale_conn *conn;
	uint16_t reqtype;
	char text[NETMAP_REQ_IFNAMSIZ + 1]; /**< the name, with a NUL in any case */
	struct vale_ctl_nm_reply reply;
	char why[VALE_CTL_TEXT_SZ];
};

/** Note a sentence on the name of the call; returns @p err. */
int nm_call_fail(struct nm_call *c, int err, const char *what);

/**
 * The port that the name of a call means: a port of a switch, or a persistent one by its bare name,
 * wherever it is attached.
 *
 * @param vi
 *   Receives the persistent port; NULL if it is none.
 * @return 0 or -errno as netmap's, with a sentence noted.
 */
int nm_call_resolve(struct nm_call *c, struct vale_name *name, struct nm_vi **vi);

/** Whether a call makes or closes a device, for which locks of DPDK's must be free. */
bool nm_call_needs_device(const struct nm_call *c);

/** Numbers that were asked for, 0 for the default, in bounds. */
struct nm_geometry nm_geometry_of(
	uint32_t tx_rings, uint32_t rx_rings, uint32_t tx_slots, uint32_t rx_slots);

void nm_requests_init(struct vale_switches *s);
int nm_req_register(struct nm_call *c);
int nm_req_port_info(struct nm_call *c);
int nm_req_pools_info(struct nm_call *c);
int nm_req_vale_attach(struct nm_call *c);
int nm_req_vale_detach(struct nm_call *c);
int nm_req_vale_list(struct nm_call *c);
int nm_req_newif(struct nm_call *c);
int nm_req_delif(struct nm_call *c);
int nm_req_hdr_set(struct nm_call *c);
int nm_req_hdr_get(struct nm_call *c);

#endif /* NETMAP_PORT_H */
