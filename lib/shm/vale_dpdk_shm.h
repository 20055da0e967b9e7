/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_DPDK_SHM_H
#define VALE_DPDK_SHM_H

/**
 * @file
 * Memory shared by the switch and a `dpdk` port's client: one slot a port, in hugepages of the DPDK
 * group, mapped at the same address in all its processes.
 *
 * A slot holds, for each queue pair, two rte_rings of 8-byte frame words and what both sides need
 * beside them: so the addresses of what the client sends, a place for each of the ring's. Rings are
 * found by offset from the queue. Names are the client's: an rxq carries frames from the switch to
 * the client, a txq from the client to the switch. The client's ends are always single-producer,
 * single-consumer. No process-local pointers.
 */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdatomic.h>

#include <rte_common.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "vale_name.h"

#define VALE_DPDK_SHM_VERSION 2
#define VALE_DPDK_QUEUES_MAX 16
/** Memzone that holds all slots. */
#define VALE_DPDK_MZ_NAME "vale_dpdk_slots"
/** Memzone with the switch's table of mempool operations, by name (struct rte_mempool_ops_table's
 * names, in order). */
#define VALE_MEMPOOL_OPS_MZ_NAME "vale_mempool_ops"
/** The switch's pool for clients, and its private size: 0, so that frame data stands at a fixed
 * place. */
#define VALE_POOL_NAME "mb_pool_0"
/** The control socket, linked into the runtime folder of the DPDK group. */
#define VALE_RUNTIME_SOCKET "vale.sock"

/** Names of the mempool operations of the switch, in the order of their indices. In
 * VALE_MEMPOOL_OPS_MZ_NAME. */
struct vale_mempool_ops_names {
	uint32_t version;  /**< VALE_DPDK_SHM_VERSION */
	uint32_t nb;	   /**< entries */
	char name[16][32]; /**< RTE_MEMPOOL_MAX_OPS_IDX, RTE_MEMPOOL_OPS_NAMESIZE */
};

/** From the switch to the client. */
struct vale_dpdk_rxq {
	/* written by the switch before attach, then constant */
	uint32_t ring_off; /**< bytes from this struct to its struct rte_ring */
	uint16_t id;
	uint16_t port_id; /**< ethdev port id, for mbuf.port */

	/* the doorbell: client sets to 1 and looks at the ring once more before it sleeps; the
	 * switch exchanges it for 0 after it has put frames in and rings the eventfd if it was 1.
	 * Full fence on both sides between the two steps. */
	_Atomic uint32_t armed __rte_cache_aligned;

	/* written by the client */
	_Atomic uint64_t packets __rte_cache_aligned;
	_Atomic uint64_t bytes;
	int32_t event_fd; /**< client's number of the eventfd it waits on */
} __rte_cache_aligned;

/**
 * The addresses of a frame that a client sends, as they stand in its header. The switch reads them
 * here and not in the frame, which is in the sender's cache: so it goes from there to the
 * receiver's without a visit to the switch's.
 */
struct vale_dpdk_addrs {
	uint8_t dst[6], src[6];
	uint8_t reserved[4]; /**< any */
};

/** From the client to the switch. */
struct vale_dpdk_txq {
	/* written by the switch before attach, then constant */
	uint32_t ring_off;
	uint32_t addrs_off; /**< bytes from this struct to its struct vale_dpdk_addrs[] */
	uint16_t id;
	uint16_t port_id;

	/* the doorbell, other way round: the switch's worker arms, the client exchanges and rings
	 */
	_Atomic uint32_t armed __rte_cache_aligned;

	/* written by the client */
	_Atomic uint64_t packets __rte_cache_aligned;
	_Atomic uint64_t bytes;
	_Atomic uint64_t full;	  /**< frames not taken because the ring was full */
	_Atomic uint64_t copied;  /**< frames copied: from another pool, cloned, external */
	_Atomic uint64_t no_mbuf; /**< frames dropped: no mbuf for that copy */
	int32_t kick_fd;	  /**< client's number of the eventfd that wakes the switch */
} __rte_cache_aligned;

/** One port. */
struct vale_dpdk_slot {
	/* written by the switch before attach, then constant */
	uint32_t version;   /**< VALE_DPDK_SHM_VERSION */
	uint16_t nb_queues; /**< queue pairs */
	uint16_t port_id;
	char name[VALE_NAME_SZ];
	uint64_t pool_addr; /**< mempool whose mbufs travel without a copy */
	uint16_t nb_desc;   /**< frames a ring holds */
	uint16_t reserved;
	uint8_t mac[8]; /**< rte_ether_addr, padded; ethdev's mac_addrs points here */
	/* ethdev's rx_queues and tx_queues point here; entries point at rxq[] and txq[] below */
	void *rx_queues[VALE_DPDK_QUEUES_MAX];
	void *tx_queues[VALE_DPDK_QUEUES_MAX];

	/* written by the switch at any time */
	_Atomic uint32_t link_up __rte_cache_aligned;

	/* written by the client; the switch shows it, nothing hangs on it */
	_Atomic uint32_t started __rte_cache_aligned;
	/* receive queues that the client has configured and polls, 1 .. nb_queues; 0: all. A frame
	 * for queue k goes to queue k modulo this, so that none waits where nobody looks. */
	_Atomic uint32_t nb_rxq_used;

	struct vale_dpdk_rxq rxq[VALE_DPDK_QUEUES_MAX];
	struct vale_dpdk_txq txq[VALE_DPDK_QUEUES_MAX];
	/* rings follow, then the addresses beside those from the client */
} __rte_cache_aligned;

/** The ring of a queue (struct vale_dpdk_rxq or _txq). */
#define VALE_DPDK_RING(q) ((struct rte_ring *)RTE_PTR_ADD((q), (q)->ring_off))
/** The addresses of what is in the ring of a struct vale_dpdk_txq: of the word with index i, which
 * wraps at 32 bits, entry i & ring->mask. Written before the ring's tail goes beyond it, read
 * before its place is given back. */
#define VALE_DPDK_ADDRS(q) ((struct vale_dpdk_addrs *)RTE_PTR_ADD((q), (q)->addrs_off))

/*
 * Frame words. An mbuf lies on a cache line, so that the low 6 bits of its address are free; user
 * addresses end below bit 48. The word carries what the switch needs to forward without
 * reading the mbuf's own lines, which are in another core's cache:
 *   bits 0..5   VALE_WORD_FLAT
 *   bits 6..47  address of the mbuf
 *   bits 48..63 length of the frame in bytes
 */
/** One segment, whose data begins where a fresh mbuf's does (VALE_FLAT_OFF). */
#define VALE_WORD_FLAT 1ULL
#define VALE_WORD_MBUF_MASK 0x0000ffffffffffc0ULL
#define VALE_WORD_LEN_SHIFT 48
/** Data of a fresh mbuf of VALE_POOL_NAME, from the mbuf, in bytes. */
#define VALE_FLAT_OFF (sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM)

static_assert(RTE_CACHE_LINE_SIZE >= 64, "mbuf addresses leave 6 bits free");

/** The word for an mbuf whose chain is @p len bytes long (at most 65535). */
static inline uint64_t
vale_word_make(const struct rte_mbuf *m, uint32_t len)
{
	const uint8_t *data = (const uint8_t *)m->buf_addr + m->data_off;
	bool flat = m->nb_segs == 1 && data == (const uint8_t *)m + VALE_FLAT_OFF;

	return (uint64_t)(uintptr_t)m | (uint64_t)len << VALE_WORD_LEN_SHIFT |
	       (flat ? VALE_WORD_FLAT : 0);
}

static inline struct rte_mbuf *
vale_word_mbuf(uint64_t w)
{
	return (struct rte_mbuf *)(uintptr_t)(w & VALE_WORD_MBUF_MASK);
}

static inline uint32_t
vale_word_len(uint64_t w)
{
	return (uint32_t)(w >> VALE_WORD_LEN_SHIFT);
}

#endif /* VALE_DPDK_SHM_H */
