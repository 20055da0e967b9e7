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
#include "vale_control_server.h"
#include "vale_netmap_port.h"
#include "vale_port.h"

/** Slots whose buffers are fetched ahead. */
#define NM_CHUNK 32

/** What workers read of a ring, beside its slots. The region's numbers, from our own books. */
struct nm_ring {
	struct vale_nm_kring *kring;
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
	struct vale_seg *segs;	/**< pieces of the frames of a batch */
};

/** Frames to the client: its receive ring. */
struct nm_txq {
	struct nm_ring ring;
	rte_spinlock_t lock; /**< between workers */
	uint32_t hwtail;     /**< next slot to fill; under the lock */
};

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
	bool plugged; /**< on a switch */
	uint16_t nb_users[2][VALE_NM_RINGS_MAX];
	bool exclusive[2][VALE_NM_RINGS_MAX];
	int wait_fd; /**< epoll of its connections' sockets */
	unsigned int nb_binds;
	TAILQ_HEAD(, nm_bind) binds;
	TAILQ_ENTRY(nm_port) next;
};

extern const struct vale_endpoint_ops nm_endpoint_ops;

/** Room for the pieces of a batch; NULL without memory. */
struct vale_seg *nm_rxq_make_segs(void);

/** Frames published and not forwarded; 0 if the ring is not active or its head is nonsense. */
unsigned int nm_rxq_pending(const struct nm_rxq *rq);

/** Implement vale_endpoint_ops: evict and destroy, in nmport.c. */
void nm_port_evict(struct vale_endpoint *ep, const char *why);
unsigned int nm_port_destroy(struct vale_endpoint *ep);

/* ---- nmport.c ---- */

void nm_ports_init(const struct vale_netmap_conf *conf, struct vale_switches *s);
void nm_ports_fini(void);

/** What a program asks for with NETMAP_REQ_REGISTER, checked and in bounds. */
struct nm_register {
	const char *text; /**< nr_name */
	struct vale_name name;
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

#endif /* NETMAP_PORT_H */
