/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_PMD_H
#define VALE_PMD_H

/**
 * @file
 * net_vale, private: a port of a VALE switch as an ethdev. Here: in a secondary process of the
 * switch, and what is alike in any other process (apart.h).
 *
 * What the switch shares with us is in vale_dpdk_shm.h; the ethdev's data is in shared memory
 * too, made by the switch. What belongs to this process alone is struct vale_dev.
 *
 * Threads: probe, remove and device operations are serialised by EAL and by the application, as
 * with every PMD. Burst functions run on any lcore, one per queue. The control connection is read
 * in EAL's interrupt thread; hot plug probes run in that same thread, so nothing here waits for it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdatomic.h>

#include <bus_vdev_driver.h>
#include <ethdev_driver.h>
#include <rte_interrupts.h>
#include <rte_log.h>

#include "vale_dpdk_shm.h"

/** Longest and shortest frame, in bytes without FCS. */
#define VALE_PMD_FRAME_MAX 9216
#define VALE_PMD_FRAME_MIN RTE_ETHER_HDR_LEN

/** The prefix of a switch whose prefix is not known. */
#define VALE_DEFAULT_PREFIX "vale"

extern int vale_pmd_logtype;

/** One line; names what failed, on which object, why, and what to do about it. */
#define VALE_PMD_LOG(level, fmt, ...) \
	rte_log(RTE_LOG_##level, vale_pmd_logtype, "net_vale: " fmt "\n", ##__VA_ARGS__)

/** Arguments of a device. */
struct vale_args {
	char port[VALE_NAME_SZ]; /**< VALE name; "": a ghost, for another process */
	uint16_t nb_queues;	 /**< pairs, 1 .. VALE_DPDK_QUEUES_MAX */
	bool has_mac;
	struct rte_ether_addr mac;
	char socket[108]; /**< control socket; "": the default, until the switch is located */
};

/**
 * Baselines of rte_eth_stats_reset(): the counters in shared memory are the switch's to show and
 * are never set back.
 */
struct vale_baseline {
	uint64_t rx_packets, rx_bytes;
	uint64_t tx_packets, tx_bytes, tx_full, tx_copied, tx_no_mbuf;
};

/** A port, as this process has it: ethdev's process_private. */
struct vale_dev {
	struct rte_eth_dev *eth_dev;
	struct vale_dpdk_slot *slot; /**< shared; once the port is gone, the copy */
	struct vale_dpdk_slot *copy; /**< of the slot, as it was when the port went */
	char name[VALE_NAME_SZ];     /**< of the port; the slot's may vanish with the switch */
	int ctl_fd;		     /**< control connection, -1 without */
	bool detached;		     /**< the switch knows that we are done */
	struct rte_intr_handle *ctl_intr;
	struct rte_intr_handle *rxq_intr;
	_Atomic bool gone; /**< the switch is gone or took the port */
	bool was_stopped;  /**< frames may have piled up meanwhile */
	int event_fd[VALE_DPDK_QUEUES_MAX];
	int kick_fd[VALE_DPDK_QUEUES_MAX];
	struct vale_baseline base[VALE_DPDK_QUEUES_MAX];
};

static inline struct vale_dev *
vale_dev_of(const struct rte_eth_dev *eth_dev)
{
	return eth_dev->process_private;
}

/* ---- vale_args.c ---- */

/**
 * Arguments of a vdev: its own, or, if it came without, those that this process has for a device of
 * its name (EAL tells other processes the name of a device and no arguments).
 *
 * @return
 *   0, or -EINVAL after a sentence in the log.
 */
int vale_args_parse(struct rte_vdev_device *vdev, struct vale_args *args);

/* ---- vale_locate.c ---- */

/** Settle who the primary process is. Once, in the start of a secondary's EAL. */
void vale_locate_primary(void);

/**
 * Find the switch of a device; args->socket is filled in where it was "".
 *
 * @param in_group
 *   Receives whether this process is a secondary of that very switch.
 * @return
 *   0, or -errno after a sentence in the log.
 */
int vale_locate_switch(struct vale_args *args, bool *in_group);

/* ---- vale_alike.c ---- */

void vale_alike_set_link(struct rte_eth_dev *eth_dev, bool up);
void vale_alike_set_queue_states(struct rte_eth_dev *eth_dev, uint8_t state);
void vale_alike_info(struct rte_eth_dev_info *info, uint16_t nb_queues, uint16_t nb_desc);
int vale_alike_accept_mode(struct rte_eth_dev *eth_dev);
int vale_alike_mac_addr_set(struct rte_eth_dev *eth_dev, struct rte_ether_addr *addr);
int vale_alike_mtu_set(struct rte_eth_dev *eth_dev, uint16_t mtu);

/* ---- vale_mempool_order.c ---- */

/**
 * Whether this process's table of mempool operations is in the switch's order. It was put in order
 * while EAL started, if the switch was there.
 *
 * @return
 *   0, -ENOENT (the primary process is not a switch, or not ready), -EPROTO (another version),
 *   -EBUSY (too late, pools may be in use).
 */
int vale_mempool_order_check(void);

/* ---- vale_own_pools.c ---- */

/** Remember mempools that this process makes from now on. Once, in EAL's start or at probe;
 * idempotent. */
void vale_own_pools_watch(void);

/** A connection to the switch by which it can be told of them; and no more, before it is closed. */
void vale_own_pools_connected(int fd);
void vale_own_pools_disconnected(int fd);

/* ---- vale_client.c ---- */

struct vale_ctl_attach_dpdk_reply;

/**
 * Attach: connect to the switch and ask for the port. Fills in dev->ctl_fd, event_fd, kick_fd.
 *
 * @return
 *   0 or -errno after a sentence in the log.
 */
int vale_client_attach(struct vale_dev *dev, const struct vale_args *args,
	struct vale_ctl_attach_dpdk_reply *reply);

/** Watch the connection from the interrupt thread; the ethdev is complete. 0 or -errno. */
int vale_client_watch(struct vale_dev *dev);

/**
 * Stop watching the connection: vale_ethdev_gone() is not called after return, nor does it still
 * run, unless it is vale_ethdev_gone() that called the application that called us. Idempotent.
 */
void vale_client_unwatch(struct vale_dev *dev);

/**
 * Tell the switch that this process will not touch the port again. Waits up to a second for its
 * answer. Does nothing the second time.
 */
void vale_client_detach(struct vale_dev *dev);

/** Close the connection. The switch keeps the port's memory until the process ends, if it was not
 * told. */
void vale_client_close(struct vale_dev *dev);

/** Close the eventfds. Idempotent. */
void vale_client_close_fds(struct vale_dev *dev);

/* ---- vale_rxtx.c ---- */

uint16_t vale_rx_burst(void *rxq, struct rte_mbuf **pkts, uint16_t nb);
/** The same, with checksums verified (vale_rx_cksum.c). */
uint16_t vale_rx_burst_cksum(void *rxq, struct rte_mbuf **pkts, uint16_t nb);
/** Verify the checksums of received frames. */
void vale_rx_cksum(struct rte_mbuf **pkts, uint16_t nb);
uint16_t vale_tx_burst(void *txq, struct rte_mbuf **pkts, uint16_t nb);
/** What a port without a switch does: nothing. */
uint16_t vale_no_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb);
uint32_t vale_no_queue_count(void *rxq);
int vale_no_descriptor_status(void *queue, uint16_t offset);
uint32_t vale_rx_queue_count(void *rxq);
int vale_rx_descriptor_status(void *rxq, uint16_t offset);
int vale_tx_descriptor_status(void *txq, uint16_t offset);
/** Free what waits in a receive queue. */
void vale_rx_drain(struct vale_dpdk_rxq *q);

/* ---- vale_gates.c ---- */

/** Let the burst functions of a port work. @p counted: what passes counts for this process's quota
 * of the switch's mbufs. */
void vale_gates_open(uint16_t port_id, uint16_t nb_queues, bool counted);

/**
 * Let them work no more, and wait for those that run.
 *
 * @return
 *   true: none runs any more. false: one was held up for so long that the wait was ended.
 */
bool vale_gates_close(uint16_t port_id);

/* ---- vale_rx_intr.c ---- */

/** Make dev->rxq_intr of the eventfds. 0 or -errno. */
int vale_rx_intr_init(struct vale_dev *dev);
void vale_rx_intr_fini(struct vale_dev *dev);
int vale_rx_queue_intr_enable(struct rte_eth_dev *eth_dev, uint16_t queue);
int vale_rx_queue_intr_disable(struct rte_eth_dev *eth_dev, uint16_t queue);
/** Wake whoever waits for frames: the port has gone. */
void vale_rx_intr_wake_all(struct vale_dev *dev);

/* ---- vale_counters.c ---- */

/** Add to @p stats what queue @p i counted between @p then and @p now. */
void vale_counters_add(struct rte_eth_stats *stats, uint16_t i, const struct vale_baseline *now,
	const struct vale_baseline *then);
/** Add up what queue @p i counted, for vale_xstats_put(). */
void vale_counters_sum_up(struct vale_baseline *sum, const struct vale_baseline *now,
	const struct vale_baseline *then);
/** Number of extended statistics; if they fit into @p n, they are filled in. */
int vale_xstats_put(struct rte_eth_xstat *xstats, unsigned int n, const struct vale_baseline *sum);
int vale_xstats_get_names(
	struct rte_eth_dev *eth_dev, struct rte_eth_xstat_name *names, unsigned int n);

int vale_stats_get(struct rte_eth_dev *eth_dev, struct rte_eth_stats *stats);
int vale_stats_reset(struct rte_eth_dev *eth_dev);
int vale_xstats_get(struct rte_eth_dev *eth_dev, struct rte_eth_xstat *xstats, unsigned int n);

/* ---- vale_ethdev.c ---- */

/** Attach a port of the switch whose secondary this process is. 0 or -errno after a sentence. */
int vale_ethdev_attach(struct rte_vdev_device *vdev, const struct vale_args *args);
/** Whether an ethdev is such a port. */
bool vale_ethdev_is(const struct rte_eth_dev *eth_dev);
/** Close it and give its id back. */
void vale_ethdev_remove(struct rte_eth_dev *eth_dev);

/**
 * The port is no longer ours: link down, burst functions do nothing, the switch is told, waiters
 * wake, the application hears of the link and may remove the device. Interrupt thread.
 */
void vale_ethdev_gone(struct vale_dev *dev);

#endif /* VALE_PMD_H */
