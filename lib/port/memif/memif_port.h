/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MEMIF_PORT_H
#define MEMIF_PORT_H

/**
 * @file
 * What the files of lib/port/memif share.
 *
 *   vale_memif_port.c  the listening socket; start and end
 *   conn.c             a client's connection: its life and that of its port
 *   open.c             a connection that is asked for on the control socket
 *   message.c          what a client says, step by step
 *   region.c, ring.c   memory that a client hands us: checked and mapped
 *   datapath.c         frames
 *   kick.c             waking a client without ever waiting for it
 *   guard.c            memory that a client takes away under us
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <time.h>

#include <rte_common.h>
#include <rte_spinlock.h>

#include "memif_desc.h"
#include "vale_control_server.h"
#include "vale_memif_port.h"
#include "vale_port.h"
#include "vale_switch.h"

/** Largest ring: 2 to the power of this many descriptors. */
#define MEMIF_LOG2_RING_SIZE_MAX 14

/** Why a port is given up from within: set once, by who finds it. */
enum memif_fault {
	MEMIF_FAULT_NONE = 0,
	MEMIF_FAULT_REGION, /**< memory was taken away under us */
	MEMIF_FAULT_RING,   /**< a head that is further from tail than the ring is long */
	MEMIF_FAULT_BUFFER, /**< an empty buffer that is none */
};

struct memif_port;
struct memif_conn;

/** Bytes of a frame's header that are gathered where the client split it. */
#define MEMIF_HEAD_SZ 16

/** Frames from the client. */
struct memif_rxq {
	struct vale_rxq q; /**< first: the core hands this back to us; wait_fd is the client's */
	struct memif_ring *ring;
	struct memif_port *port;
	uint32_t size; /**< descriptors */
	uint16_t mask; /**< size - 1 */
	bool armed;    /**< worker: the client may ring */
	uint16_t lent; /**< worker: what tail becomes when frames come back */
	/** Before it all is forwarded and given back. Worker; control thread reads. */
	_Atomic uint16_t tail;
	uint32_t nb_segs;		 /**< worker: used of segs in this batch */
	struct vale_seg *segs;		 /**< size of them: a descriptor is one piece at most */
	uint32_t nb_heads;		 /**< worker: used of heads in this batch */
	uint8_t (*heads)[MEMIF_HEAD_SZ]; /**< VALE_BATCH_MAX of them */
} __rte_cache_aligned;

/** Frames to the client. */
struct memif_txq {
	struct memif_ring *ring;
	struct memif_port *port;
	uint32_t size;
	uint16_t mask;
	uint16_t tail;	     /**< under lock */
	int event_fd;	     /**< the client's, which may do anything to it */
	rte_spinlock_t lock; /**< between workers */
} __rte_cache_aligned;

/** A client's end as workers see it. Constant once attached, but for what says otherwise. */
struct memif_port {
	struct vale_endpoint ep;
	bool lock_tx;		/**< several workers may deliver */
	_Atomic uint32_t fault; /**< enum memif_fault; any thread, and the signal handler */
	struct memif_region region[MEMIF_REGIONS_MAX];
	struct memif_rxq *rxq; /**< VALE_QUEUES_MAX of them */
	struct memif_txq *txq;
	struct memif_conn *conn;
	/* control thread only */
	struct memif_mapping {
		void *addr;  /**< NULL: none */
		size_t len;  /**< as given to mmap() */
		void *empty; /**< address space around it, which nothing else is in */
		size_t empty_len;
		int guard; /**< slot in the guard's table */
	} mapping[MEMIF_REGIONS_MAX];
	uint64_t mapped; /**< bytes, all regions */
};

/** What a client has said so far. */
enum memif_state {
	MEMIF_STATE_HELLO, /**< greeted; INIT must come */
	MEMIF_STATE_SETUP, /**< regions and rings, then CONNECT */
	MEMIF_STATE_UP,	   /**< has its port */
};

/** A client's connection. Control thread only. */
struct memif_conn {
	int fd;
	int pidfd; /**< of the process whose end is the port's, too; -1: none is watched */
	pid_t pid;
	uid_t uid;
	enum memif_state state;
	bool plugged;	       /**< its port is on a switch */
	struct timespec since; /**< accepted */
	uint8_t mac[6];	       /**< with has_mac: what its port is to have */
	bool has_mac;
	struct vale_name name;	 /**< from INIT on */
	struct memif_port *port; /**< from INIT on */
	TAILQ_ENTRY(memif_conn) next;
};

TAILQ_HEAD(memif_conn_list, memif_conn);

/** All of memif. Control thread, but for what workers get by other ways. */
struct memif {
	struct vale_switches *switches;
	struct vale_server *server;
	char path[108];
	bool made_folder; /**< of path */
	struct vale_listener *listener;
	bool kicks;   /**< clients can be woken */
	int fault_fd; /**< rung when a port has a fault */
	struct memif_conn_list conns;
	unsigned int nb_half; /**< connections that are not up */
	uint64_t mapped;      /**< bytes, all clients */
};

extern struct memif memif;

/* ---- conn.c ---- */

/** The port that a connection will have; its rings and regions come later. NULL without memory. */
struct memif_port *memif_port_create(struct memif_conn *c);
/** Take a client that has connected. The descriptor is ours. */
void memif_conn_open(int fd);
/** The same for a client that is known. Returns its connection, NULL if there is none. */
struct memif_conn *memif_conn_open_for(int fd, pid_t pid, uid_t uid);
/** Close it also when its process ends, whoever keeps its socket; if that cannot be seen, not. */
void memif_conn_watch_process(struct memif_conn *c);
/** Tell the client why, and part: its port goes. */
void memif_conn_refuse(struct memif_conn *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** The client is gone, or was told. */
void memif_conn_close(struct memif_conn *c);
/** Put the client's port on its switch. Returns 0 or -errno; then why says it. */
int memif_conn_plug(struct memif_conn *c, char *why);
/** Send a message; a client that takes none is not waited for. Returns 0 or -errno. */
int memif_conn_send(struct memif_conn *c, const struct memif_msg *m);
/** Close connections of a name whose client has hung up. */
void memif_conn_bury(const char *full);
/** A port has a fault: part from its client. */
void memif_conns_check(void);
/** Once a second: part from clients that stop half-way. */
void memif_conns_tick(void *arg);
/** Wake workers whose queues have frames though no client rang. */
void memif_conns_sweep(void *arg);

/** Implements vale_endpoint_ops. */
void memif_port_evict(struct vale_endpoint *ep, const char *why);
unsigned int memif_port_destroy(struct vale_endpoint *ep);

/* ---- open.c ---- */

/** Handle VALE_CTL_MEMIF_OPEN. Before the server starts. */
void memif_open_init(void);

/* ---- message.c ---- */

/** Greet. */
int memif_message_hello(struct memif_conn *c);
/**
 * Handle one message.
 * @param fd
 *   Descriptor that came with it or -1; taken, or closed here.
 */
void memif_message(struct memif_conn *c, const struct memif_msg *m, int fd);

/* ---- region.c ---- */

/**
 * Map a region.
 * @param fd
 *   Stays the caller's, and may be closed afterwards.
 * @param why
 *   VALE_CTL_TEXT_SZ bytes, a sentence on failure.
 * @return 0 or -errno
 */
int memif_region_add(struct memif_port *p, uint16_t index, uint64_t size, int fd, char *why);
/** Unmap all regions. No worker looks at them. */
void memif_regions_free(struct memif_port *p);

/* ---- ring.c ---- */

/**
 * Check and note a ring.
 * @param fd
 *   Its eventfd; taken on success.
 */
int memif_ring_add(struct memif_port *p, const struct memif_msg_add_ring *m, int fd, char *why);
/** All rings are there: make the queues ready. */
int memif_rings_connect(struct memif_port *p, char *why);
void memif_rings_free(struct memif_port *p);

/* ---- datapath.c ---- */

extern const struct vale_endpoint_ops memif_endpoint_ops;

/** Note a fault, the first one counts, and tell the control thread. Safe in a signal handler. */
void memif_port_fault(struct memif_port *p, enum memif_fault f);

/* ---- kick.c ---- */

/** Contexts for all lcores. Returns 0 or -errno. */
int memif_kick_init(void);
void memif_kick_fini(void);
/** Write 1 to an eventfd. Never blocks, whatever its counter holds. Any thread. */
void memif_kick(int event_fd);

/* ---- guard.c ---- */

int memif_guard_init(void);
void memif_guard_fini(void);
/**
 * Guard a mapping: a fault in it replaces it by zeroes and calls memif_port_fault().
 * @return slot, or -ENOMEM.
 */
int memif_guard_add(void *addr, size_t len, struct memif_port *p);
/** Before it is unmapped. */
void memif_guard_del(int slot);

#endif /* MEMIF_PORT_H */
