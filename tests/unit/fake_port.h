/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAKE_PORT_H
#define FAKE_PORT_H

/**
 * @file
 * An endpoint made of arrays: what a test puts in is received by the switch, what the switch
 * delivers is kept for the test to look at.
 */

#include <stdbool.h>
#include <stdint.h>

#include "vale_port.h"

#define FAKE_FRAMES 4096
#define FAKE_LEN 64

/** A frame of a test: addresses, a number, a length. */
struct fake_frame {
	uint64_t dst, src; /**< vale_mac_t */
	uint32_t seq;	   /**< in the bytes behind the type */
	uint32_t len;	   /**< as told to the switch; up to FAKE_LEN are real */
};

/** What came out of the switch. */
struct fake_got {
	uint64_t dst, src;
	uint32_t seq, len;
	uint16_t queue;
	const uint8_t *data;   /**< where the bytes were */
	struct rte_mbuf *mbuf; /**< taken, or NULL for a copy */
};

struct fake_queue {
	struct vale_rxq q;   /**< first */
	uint32_t head, tail; /**< frames waiting: in[head .. tail - 1] */
	uint8_t in[FAKE_FRAMES][FAKE_LEN];
	uint32_t in_len[FAKE_FRAMES];
	struct rte_mbuf *in_mbuf[FAKE_FRAMES];
	uint32_t done;	/**< frames given back */
	uint32_t looks; /**< times that the switch asked for frames */
};

struct fake_port {
	struct vale_endpoint ep; /**< first */
	struct fake_queue *queue[VALE_QUEUES_MAX];
	struct rte_mempool *pool; /**< frames in mbufs, or NULL: memory of its own */
	uint32_t room;		  /**< frames it still takes */
	uint32_t max_len;	  /**< longer frames are too_long */
	uint32_t no_mbuf;	  /**< copies that will fail for want of a buffer */
	bool link;
	uint32_t nb_got;
	struct fake_got got[FAKE_FRAMES];
	uint32_t destroyed;
	uint32_t evicted;
	bool *freed; /**< set to true by destroy() */
};

/** Make one with nb_rxq and nb_txq queues; mbufs of @p pool or (NULL) memory of its own. Its
 * destroy() frees it. */
struct fake_port *fake_port_create(uint16_t nb_rxq, uint16_t nb_txq, struct rte_mempool *pool);

/** Put frames into a queue for the switch to receive. */
void fake_port_send(struct fake_port *p, uint16_t queue, const struct fake_frame *f, uint32_t n);

/** Forget what was delivered. */
void fake_port_clear(struct fake_port *p);

#endif /* FAKE_PORT_H */
