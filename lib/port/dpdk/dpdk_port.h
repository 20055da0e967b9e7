/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DPDK_PORT_H
#define DPDK_PORT_H

/**
 * @file
 * What the files of lib/port/dpdk share: the switch's end of a `dpdk` port.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <rte_mempool.h>
#include <rte_spinlock.h>

#include "vale_dpdk_port.h"
#include "vale_dpdk_shm.h"
#include "vale_pool.h"
#include "vale_port.h"
#include "vale_process.h"

/** Frames from the client. */
struct dpdk_rxq {
	struct vale_rxq
		q; /**< first: the core hands this back to us; wait_fd is the kick eventfd */
	struct vale_dpdk_txq *shm;
	struct rte_ring *ring;
	const struct vale_dpdk_addrs *addrs; /**< beside the ring */
	uintptr_t pool_lo, pool_sz;	     /**< where mbufs of the pool lie */
	uint32_t flat_max;		     /**< bytes that fit behind VALE_FLAT_OFF */
} __rte_cache_aligned;

/** Frames to the client. */
struct dpdk_txq {
	struct vale_dpdk_rxq *shm;
	struct rte_ring *ring;
	int event_fd; /**< rung when the client sleeps */
	rte_spinlock_t
		lock; /**< between workers; of this process, whose threads do not die by halves */
} __rte_cache_aligned;

/** A slot that a client holds. */
struct dpdk_port {
	struct vale_endpoint ep;
	struct vale_dpdk_slot *slot;
	struct rte_mempool *pool;
	bool lock_tx; /**< several workers may deliver */
	struct dpdk_rxq rxq[VALE_DPDK_QUEUES_MAX];
	struct dpdk_txq txq[VALE_DPDK_QUEUES_MAX];
	/* control thread only */
	unsigned int slot_idx;
	struct rte_eth_dev *dev;
	struct vale_conn *conn; /**< NULL once closed */
	struct vale_process_id process;
	int pidfd;	       /**< -1: the kernel would not give one */
	bool plugged;	       /**< on a switch */
	bool quiet;	       /**< the client will touch the slot no more */
	bool ended;	       /**< its process has ended */
	unsigned int zombie_s; /**< seconds off the switch with its client alive */
	bool reported;	       /**< as a zombie */
	TAILQ_ENTRY(dpdk_port) next;
};

/** Bounds of the memory that holds the mbufs of a pool. */
struct dpdk_pool_range {
	uintptr_t lo, hi;
};

/** All slots, and who holds them. Control thread only. */
extern struct dpdk_state {
	struct vale_dpdk_conf conf;
	struct vale_switches *switches;
	struct vale_server *server;
	const struct rte_memzone *mz;
	size_t ring_sz;	 /* bytes of one ring */
	size_t addrs_sz; /* bytes of the addresses beside one */
	size_t slot_sz;	 /* bytes of one slot with its rings */
	struct dpdk_port *holder[RTE_MAX_ETHPORTS];
	struct dpdk_pool_range range;
	bool ending; /* the switch ends: names are not given away any more */
	TAILQ_HEAD(, dpdk_port) ports;
} dpdk;

extern const struct vale_endpoint_ops dpdk_endpoint_ops;

/** Report the frames in a ring to a living client to a reap. */
void dpdk_ring_see(const struct rte_ring *ring, struct vale_pool_reap *reap);

/** Free what is in a ring of frame words. Returns how many. Nobody else uses the ring. */
unsigned int dpdk_ring_flush(struct rte_ring *ring);

/* ---- slot.c: memory that a client shares ---- */

struct vale_dpdk_slot *dpdk_slot_at(unsigned int i);
void dpdk_slot_init(struct vale_dpdk_slot *slot, const char *name, uint16_t nb_queues,
	uint16_t port_id, const uint8_t *mac, uint32_t ring_size);
/** The ethdev that the client finds; NULL if there is none left. */
struct rte_eth_dev *dpdk_ethdev_make(struct vale_dpdk_slot *slot, const char *name);
/** Everything that a client which configures nothing (testpmd as secondary) relies on, and that one
 * which configures itself (skeleton) writes anew: hence not started. */
void dpdk_ethdev_fill(struct rte_eth_dev *dev, struct vale_dpdk_slot *slot);
void dpdk_ethdev_free(struct rte_eth_dev *dev, struct vale_dpdk_slot *slot);

/* ---- attach.c ---- */

/** The handler of ATTACH_DPDK. */
void dpdk_handle_attach(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg);

/* ---- vale_dpdk_port.c: life ---- */

/** The client is dead or has said that it is done: nobody else touches the slot. */
void dpdk_port_free(struct dpdk_port *p);
/** Its connection was closed. */
void dpdk_port_conn_closed(void *arg);
/** The process ended though a copy of its connection lives on, in a forked child: DPDK does not
 * survive a fork. */
void dpdk_port_process_ended(void *arg, int fd);
/** Implements vale_endpoint_ops: evict and destroy, in vale_dpdk_port.c. */
void dpdk_port_evict(struct vale_endpoint *ep, const char *why);
unsigned int dpdk_port_destroy(struct vale_endpoint *ep);

#endif /* DPDK_PORT_H */
