/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APART_H
#define APART_H

/**
 * @file
 * net_vale, private: a port of a switch that is not in this process's DPDK group.
 *
 * This process is a memif client of the switch then (lib/port/memif/vale_memif_proto.h): it owns
 * the memory, one sealed region with a ring each way for every queue pair and a buffer for every
 * descriptor. Frames are copied into buffers when they are sent and out of them when they are
 * received, so mbufs may be of any pool, and the switch sees nothing else of this process.
 *
 *   apart_ethdev.c  device operations; the ethdev's life
 *   apart_rxtx.c    bursts
 *   apart_intr.c    sleeping until frames come
 *   apart_region.c  the memory, and the rings as they are at the beginning
 *   apart_link.c    attaching: the handshake
 *   apart_life.c    noticing that the switch goes, and attaching again when it is back
 *
 * Threads: device operations are serialised by the application. A burst runs on any lcore, one per
 * queue, behind the queue's gate (vale_gates.h). Gates are open while the port is attached; nobody
 * but a burst touches what rings have got to while they are open, nobody but who attaches while
 * they are shut. One thread, `vale-apart`, watches the connections of all such ports of the process
 * and attaches them again; a handshake takes several exchanges, for which EAL's interrupt thread is
 * not held up. The switch is not an enemy, but it may be dead at any moment.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "vale_memif_proto.h"
#include "vale_pmd.h"

/** Descriptors of a ring: 2 to the power of this. */
#define APART_LOG2_RING 10
#define APART_RING_SZ (1u << APART_LOG2_RING)
#define APART_QUEUES_MAX VALE_DPDK_QUEUES_MAX
/** A sentence of the switch's, and what it is about. */
#define APART_WHY_SZ 384

/** Bytes of a buffer, and from one to the next: with a cache line between, or buffers of a power of
 * two would all begin in the same few sets of the cache. */
#define APART_BUF_SZ 2048u
#define APART_BUF_STRIDE (APART_BUF_SZ + RTE_CACHE_LINE_SIZE)

struct apart_dev;

/**
 * One ring. In both directions the client moves head and the switch tail:
 * from the switch: frames stand from `next` to tail, empty buffers from there to head, and head is
 * always `next` + APART_RING_SZ; to the switch: frames stand from tail to head, which is `next`.
 */
struct apart_ring {
	struct memif_ring *shm;
	uint8_t *bufs;	   /**< APART_RING_SZ of them */
	uint32_t shm_off;  /**< of shm and bufs, in the region */
	uint32_t bufs_off; /**< the same */
	int event_fd;
	uint16_t next; /**< what the next burst looks at; burst, or who attaches */
};

struct apart_rxq {
	/* written while the port is stopped */
	struct apart_dev *dev;
	struct rte_mempool *pool; /**< for received frames; any */
	uint16_t id, port_id;
	int set_fd; /**< epoll set of its rings' eventfds, if it has several, else -1 */
	/* the bursts' */
	_Atomic uint64_t packets __rte_cache_aligned;
	_Atomic uint64_t bytes;
} __rte_cache_aligned;

struct apart_txq {
	struct apart_dev *dev;
	uint16_t id, port_id;
	_Atomic uint64_t packets __rte_cache_aligned;
	_Atomic uint64_t bytes;
	_Atomic uint64_t full;
	_Atomic uint64_t dropped; /**< longer than a ring has room for */
} __rte_cache_aligned;

/** A port. In this process's own memory; ethdev's process_private. */
struct apart_dev {
	struct rte_eth_dev *eth_dev;
	struct vale_args args;
	uint16_t nb_rings;     /**< each way; queue pairs at most */
	uint16_t nb_rx_queues; /**< configured; queue q reads rings q, q + this, ... */
	struct apart_ring from[APART_QUEUES_MAX]; /**< the switch */
	struct apart_ring to[APART_QUEUES_MAX];
	struct apart_rxq rxq[APART_QUEUES_MAX];
	struct apart_txq txq[APART_QUEUES_MAX];
	struct vale_baseline base[APART_QUEUES_MAX]; /**< of rte_eth_stats_reset() */
	bool was_stopped;			     /**< frames may have piled up meanwhile */
	struct rte_intr_handle *intr;

	int region_fd; /**< sealed memfd, -1: none */
	uint8_t *region;
	size_t region_sz;

	_Atomic bool up;		 /**< attached. Who attaches; any thread reads */
	_Atomic bool evicted;		 /**< the operator took the port: not attached again */
	int fd;				 /**< memif connection, -1: none. Who attaches */
	struct rte_ether_addr mac;	 /**< ethdev's mac_addrs; the application may set it */
	struct rte_ether_addr port_mac;	 /**< what the switch said last */
	struct rte_ether_addr taken_mac; /**< what it said before that */

	/* apart_life.c */
	TAILQ_ENTRY(apart_dev) next;
	uint64_t retry_ms;	 /**< when to try, CLOCK_MONOTONIC */
	uint32_t pause_ms;	 /**< and how long after that again */
	uint32_t attempts;	 /**< since it was lost */
	char told[APART_WHY_SZ]; /**< the last reason that was logged */
};

static inline struct apart_dev *
apart_dev_of(const struct rte_eth_dev *eth_dev)
{
	return eth_dev->process_private;
}

static inline bool
apart_is_up(const struct apart_dev *dev)
{
	return atomic_load_explicit((_Atomic bool *)(uintptr_t)&dev->up, memory_order_acquire);
}

/* ---- apart_ethdev.c ---- */

/** Attach a port as an ethdev. 0 or -errno after a sentence in the log. */
int apart_ethdev_attach(struct rte_vdev_device *vdev, const struct vale_args *args);
/** Close it and give its id back. */
void apart_ethdev_remove(struct rte_eth_dev *eth_dev);
/** The port was attached or was lost: link, gates, waiters; the application is told last, and may
 * remove the device in that. */
void apart_ethdev_up(struct apart_dev *dev);
void apart_ethdev_down(struct apart_dev *dev);

/* ---- apart_rxtx.c ---- */

uint16_t apart_rx_burst(void *rxq, struct rte_mbuf **pkts, uint16_t nb);
/** The same, with checksums verified. */
uint16_t apart_rx_burst_cksum(void *rxq, struct rte_mbuf **pkts, uint16_t nb);
uint16_t apart_tx_burst(void *txq, struct rte_mbuf **pkts, uint16_t nb);
uint32_t apart_rx_queue_count(void *rxq);
int apart_rx_descriptor_status(void *rxq, uint16_t offset);
int apart_tx_descriptor_status(void *txq, uint16_t offset);
/** Throw away what waits for a queue. In the place of its bursts. */
void apart_rx_drain(struct apart_rxq *q);
/** Frames, or pieces of them, that wait in a ring. Any thread. */
uint16_t apart_ring_waiting(const struct apart_ring *r);

/* ---- apart_intr.c ---- */

int apart_intr_init(struct apart_dev *dev);
/** The number of receive queues was set. 0 or -errno. */
int apart_intr_configure(struct apart_dev *dev);
void apart_intr_fini(struct apart_dev *dev);
int apart_intr_enable(struct rte_eth_dev *eth_dev, uint16_t queue);
int apart_intr_disable(struct rte_eth_dev *eth_dev, uint16_t queue);
/** Wake whoever sleeps. */
void apart_intr_wake_all(struct apart_dev *dev);

/* ---- apart_region.c ---- */

/** Make region and eventfds. 0 or -errno; nothing stays after a failure. */
int apart_region_create(struct apart_dev *dev);
void apart_region_destroy(struct apart_dev *dev);
/** All rings as they are before the first frame. Gates shut, no switch has them. */
void apart_region_reset(struct apart_dev *dev);

/* ---- apart_link.c ---- */

/**
 * Attach: ask the switch for a connection, and set up region and rings on it. Gates are shut.
 *
 * @param why
 *   APART_WHY_SZ bytes; a sentence on failure, "" if simply no switch is there.
 * @return
 *   0: dev->fd and dev->port_mac are set. Or -errno.
 */
int apart_link_attach(struct apart_dev *dev, int timeout_ms, char *why);

/* ---- apart_life.c ---- */

/** Watch an attached port from now on. 0 or -errno. */
int apart_life_join(struct apart_dev *dev);
/** Watch it no more: the thread does not touch it after return, unless it is the thread that called
 * the application that called us. Idempotent. */
void apart_life_leave(struct apart_dev *dev);

#endif /* APART_H */
