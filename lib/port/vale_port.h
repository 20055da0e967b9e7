/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_PORT_H
#define VALE_PORT_H

/**
 * @file
 * The one interface of a port.
 *
 * A *port* (struct vale_port) is a name on a switch with its MAC address and counters. An
 * *endpoint* (struct vale_endpoint) is what a client has plugged into it: the switch's end of
 * rte_rings, of a DPDK device, of shared memory. A port has at most one endpoint; a persistent port
 * may have none. Each kind of port implements struct vale_endpoint_ops once; the forwarding core
 * knows that interface and nothing of any kind.
 *
 * The core moves vectors of packet descriptors. An endpoint lends what it received by rx() and
 * takes back by rx_done() whatever was not handed on, so shared memory to shared memory is one
 * copy, straight from the sender's buffer to the receiver's, and mbuf to mbuf is none.
 *
 * Threads: everything under "worker" is called by the worker that owns the receive queue; tx() is
 * called by any worker, at the same time as others for the same port. Everything under "control" is
 * called by the control thread.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <stdatomic.h>

#include <rte_common.h>
#include <rte_mbuf.h>
#include <rte_spinlock.h>

#include "vale_fdb.h"
#include "vale_name.h"
#include "vale_stats.h"

/** Longest frame, in bytes without FCS. */
#define VALE_FRAME_LEN_MAX 9216
/** Longest frame that is still to be cut (vale_offload.gso_size): two tags, IPv6, what it can tell.
 */
#define VALE_GSO_LEN_MAX (22 + 40 + 65535)
/** Shortest frame: an Ethernet header. */
#define VALE_FRAME_LEN_MIN 14
/** Receive or transmit queues of one port. */
#define VALE_QUEUES_MAX 16
/** Most frames in one batch. */
#define VALE_BATCH_MAX 1024

struct vale_switch;
struct vale_endpoint;
struct vale_worker;

/** Frame is in an mbuf chain (vale_pkt.mbuf); without this and VALE_PKT_SEGS in one piece at
 * vale_pkt.data. */
#define VALE_PKT_MBUF 0x0001
/** Others receive this frame too: copy it, do not take its mbuf. Set by the core. */
#define VALE_PKT_SHARED 0x0002
/** tx() took the mbuf; it is no longer the sender's. */
#define VALE_PKT_TAKEN 0x0004
/** The sender's address is not to be learned. */
#define VALE_PKT_NO_LEARN 0x0008
/** Frame is in several pieces of memory (vale_pkt.segs), the first of which is vale_pkt.data. Not
 * with VALE_PKT_MBUF. */
#define VALE_PKT_SEGS 0x0010
/** Frame is not finished: vale_pkt_offload() tells what is to be done before it is on a wire. Only
 * with VALE_PKT_MBUF or VALE_PKT_SEGS. An endpoint meets it in tx() only if it takes such frames.
 */
#define VALE_PKT_OFFLOAD 0x0020
/** With VALE_PKT_SEGS: the division into pieces is of the core's making and means nothing. */
#define VALE_PKT_MADE 0x0040

/* What is to be done on a frame, and what an endpoint takes undone. */
/** Complete the checksum of TCP or UDP, directly behind IPv4 or IPv6 without extension headers. */
#define VALE_OL_CSUM 0x01
/** Complete a sum of anything else. */
#define VALE_OL_RAW_CSUM 0x02
/** Cut TCP over IPv4 into segments; includes their checksums. */
#define VALE_OL_TSO4 0x04
/** The same over IPv6. */
#define VALE_OL_TSO6 0x08
/** Of the segments only the first has CWR (RFC 3168); beside one of the two above. */
#define VALE_OL_ECN 0x10
/** Over IPv6; not a thing to be done. */
#define VALE_OL_IS_IPV6 0x80

/**
 * What is left to do on a frame, as virtio-net's header and the fields of an mbuf tell it. Whoever
 * sets it has checked it against the frame: the checksum's field lies in the frame's first
 * VALE_HEAD_MAX bytes, and so do the headers of a frame to be cut, whose segments are no longer
 * than VALE_FRAME_LEN_MAX.
 */
struct vale_offload {
	uint16_t gso_size;   /**< bytes of payload in each segment but the last; 0: do not cut */
	uint16_t csum_start; /**< the sum over the bytes from here to the frame's end */
	uint8_t csum_offset; /**< belongs this far behind csum_start, where now is a part of it */
	uint8_t l2_len;	     /**< bytes before IPv4 or IPv6; not with VALE_OL_RAW_CSUM */
	uint8_t l4_len;	     /**< bytes of the header at csum_start; not with VALE_OL_RAW_CSUM */
	uint8_t needs;	     /**< VALE_OL_* */
};

/** A piece of a frame. */
struct vale_seg {
	const uint8_t *data;
	uint32_t len;
	struct vale_offload ol; /**< in the first of a frame with VALE_PKT_OFFLOAD */
};

/** A received frame, lent by its endpoint for the length of a batch. */
struct vale_pkt {
	const uint8_t *data; /**< first byte of the first segment */
	union {
		struct rte_mbuf *mbuf;	     /**< with VALE_PKT_MBUF */
		const struct vale_seg *segs; /**< with VALE_PKT_SEGS: as many as make up len */
	};
	uint32_t len;	  /**< bytes in all segments */
	uint16_t seg_len; /**< bytes in the first segment, readable at data; 14 at least where len
			     is */
	uint16_t flags;	  /**< VALE_PKT_* */
};

/** The addresses of a frame, as in its header. */
struct vale_addrs {
	uint8_t dst[6], src[6];
	uint8_t reserved[4]; /**< any */
};

/** What a queue costs its worker. Control thread only. */
struct vale_rxq_load {
	uint64_t busy;	/**< as last read */
	uint32_t looks; /**< times that it was measured since a worker has it */
	uint16_t share; /**< thousandths of a core, smoothed */
	uint16_t rest;	/**< looks for which it is not to move */
};

/**
 * A receive queue: what one worker polls. Embedded by each kind in a struct of its own.
 * Constant after creation but for what says who writes it.
 */
struct vale_rxq {
	struct vale_endpoint *ep;
	uint16_t id;	 /**< queue number within the endpoint */
	uint16_t worker; /**< index of the worker that polls it; control thread writes */
	int wait_fd;	 /**< descriptor that becomes readable when frames arrive, -1: none, poll by
			    timer; owned by the kind */
	bool wait_edge;	 /**< wait_fd is an eventfd that is rung after arm(): wait on it
			    edge-triggered */
	/** Addresses of the frames of the last rx(), where the kind knows them without reading the
	 * frames; NULL: it does not. Worker. */
	const struct vale_addrs *addrs;
	bool passes_on; /**< the last batch went to its receiver unread. Worker: the core's */
	_Atomic uint64_t
		frames;	       /**< consumed, refused ones included; worker writes, once a batch */
	_Atomic uint64_t busy; /**< cycles spent on them, an estimate; worker writes */
	struct vale_rxq_load load;
};

/** What came of a tx() call; the kind adds to it, the core zeroes it before. */
struct vale_tx_result {
	uint32_t packets;   /**< delivered */
	uint64_t bytes;	    /**< delivered */
	uint32_t taken;	    /**< mbufs taken (VALE_PKT_TAKEN set) */
	uint32_t no_mbuf;   /**< not delivered for want of a buffer */
	uint32_t too_long;  /**< not delivered, longer than the receiver takes */
	uint32_t port_gone; /**< not delivered, the client is no longer there */
			    /* all others handed to tx() are dst_full */
};

/** What rx() refused on its own, by reason; the core zeroes it before. rx_packets includes these.
 */
struct vale_rx_refused {
	uint32_t bad_slot, bad_desc, too_long, runt, no_mbuf;
};

/** A kind of port. */
struct vale_endpoint_ops {
	/** enum vale_ctl_kind, shown to users. */
	uint8_t kind;
	/** rx_done() wants every frame back, not only those that still hold an mbuf. */
	bool lends_memory;

	/* ---- worker ---- */

	/**
	 * Receive up to @p n frames, in order. Frames it must refuse (see @p bad) it consumes and
	 * counts there. Frames to be cut count as what they will be cut into, so that a batch stays
	 * a bounded piece of work: only the last may go beyond @p n.
	 * @return number of descriptors filled in; 0 = queue empty.
	 */
	uint16_t (*rx)(
		struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n, struct vale_rx_refused *bad);

	/** Take back the frames of the last rx(): those without VALE_PKT_TAKEN. */
	void (*rx_done)(struct vale_rxq *q, struct vale_pkt *pkts, uint16_t n);

	/**
	 * Deliver frames pkts[idx[0]], pkts[idx[1]], ... pkts[idx[n - 1]] in this order into queue
	 * @p queue. Never waits: what does not fit is left (dst_full). A frame with VALE_PKT_MBUF
	 * and without VALE_PKT_SHARED may be taken: set VALE_PKT_TAKEN. Any other is copied. Wakes
	 * a client that sleeps.
	 */
	void (*tx)(struct vale_endpoint *ep, uint16_t queue, struct vale_pkt *pkts,
		const uint16_t *idx, uint16_t n, struct vale_tx_result *res);

	/**
	 * The worker is about to sleep: ask to be woken by wait_fd. NULL if wait_fd needs no
	 * asking.
	 * @return true if frames wait already (do not sleep).
	 */
	bool (*rx_arm)(struct vale_rxq *q);

	/* ---- control ---- */

	/** Frames that the client sent and nobody received yet. May be NULL. Used to drain a port
	 * whose client has gone. */
	unsigned int (*rx_pending)(struct vale_rxq *q);

	/** Whether the link is up. NULL: always. */
	bool (*link)(struct vale_endpoint *ep);

	/**
	 * The operator takes the port (detach, shutdown): tell the client with the sentence @p why.
	 * Workers still move frames; destroy() follows. May be NULL.
	 */
	void (*evict)(struct vale_endpoint *ep, const char *why);

	/**
	 * Free everything. No worker touches the endpoint any more (after RCU quiescence).
	 * @return frames that its client had sent and no worker received: counted as rx and
	 * port_gone.
	 */
	unsigned int (*destroy)(struct vale_endpoint *ep);

	/** The port's MAC address was set while attached. May be NULL. */
	void (*set_mac)(struct vale_endpoint *ep, const uint8_t mac[6]);

	/** One line for people: devargs and the like. May be NULL. */
	void (*describe)(struct vale_endpoint *ep, char *buf, size_t sz);
};

/** The switch's end of a client. Embedded by each kind in a struct of its own; constant once
 * attached, but for takes. */
struct vale_endpoint {
	const struct vale_endpoint_ops *ops;
	struct vale_port *port; /**< set by vale_switch_attach() */
	int32_t pid;		/**< client's process, 0 = none */
	uint32_t uid;		/**< client's user, with has_uid; */
	bool has_uid;		/**< without it a port that is reserved for a user is refused */
	/** VALE_OL_*: frames on which that is left to do are delivered as they are; on others it is
	 * done before. The kind writes, any thread; workers read. */
	_Atomic uint32_t takes;
	uint16_t nb_rxq; /**< queues from the client, 1 .. VALE_QUEUES_MAX */
	uint16_t nb_txq; /**< queues to the client, 1 .. VALE_QUEUES_MAX */
	struct vale_rxq *rxq[VALE_QUEUES_MAX];
};

/** A name on a switch. Made and freed by the control thread; freed after RCU quiescence. */
struct vale_port {
	/* read by workers */
	_Atomic(struct vale_endpoint *) ep; /**< NULL without a client; control thread writes */
	struct vale_switch *sw;
	uint16_t idx;			/**< index on its switch */
	struct vale_counters *counters; /**< one for each worker */
	/* control thread only */
	struct vale_name name;
	uint8_t mac[6];
	bool persistent;
	bool closing;  /**< its client is being taken off; no more floods */
	bool linked;   /**< link of its client as last seen */
	uint64_t lost; /**< frames that former clients sent and nobody received: rx and port_gone */
	bool has_owner;	 /**< reserved for the user whose uid is owner */
	uint32_t owner;	 /**< uid, with has_owner */
	bool own_device; /**< its client is a device that was created with it, and goes with it */
};

/**
 * Zeroed memory on cache lines of its own, so that what one worker writes for each batch stands on
 * no line that another one reads. free() it; NULL without memory. Any thread.
 */
static inline void *
vale_alloc_lines(size_t sz)
{
	void *p = aligned_alloc(
		2 * RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sz, (size_t)2 * RTE_CACHE_LINE_SIZE));

	return p == NULL ? NULL : memset(p, 0, sz);
}

#endif /* VALE_PORT_H */
