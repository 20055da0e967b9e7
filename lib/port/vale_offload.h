/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_OFFLOAD_H
#define VALE_OFFLOAD_H

/**
 * @file
 * Frames that are not finished: their checksum is left open, or they are TCP segments longer than
 * a wire takes, which the sender leaves to be cut. Virtual machines send them, by vhost-user or as
 * netmap programs with virtio-net headers. Between ports that take them they are handed on as they
 * are; towards others the core finishes them (lib/worker/resolve.c).
 *
 * What a sender says of a frame is checked once, when it comes in, against a private copy of the
 * frame's first bytes. From then on only struct vale_offload is used: where the frame lies in
 * memory that the sender still writes, it may turn into rubbish, but nobody reads beyond it.
 *
 * Source: Virtual I/O Device (VIRTIO) 1.1, 5.1.6 "Device Operation" of the network device.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "vale_port.h"

/** Bytes of a frame in which all headers must lie. */
#define VALE_HEAD_MAX 192
/** Shortest payload of a segment: Linux's TCP_MIN_SND_MSS. */
#define VALE_GSO_SIZE_MIN 48

#define VALE_VNET_NEEDS_CSUM 0x01
#define VALE_VNET_GSO_TCPV4 1
#define VALE_VNET_GSO_TCPV6 4
#define VALE_VNET_GSO_ECN 0x80

/** The header of virtio-net, little-endian. The older form ends before num_buffers. */
struct vale_vnet_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len; /**< a hint: never believed */
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t num_buffers; /**< 1 to programs, from them not read */
};
static_assert(sizeof(struct vale_vnet_hdr) == 12, "layout");

/**
 * Work out what is to be done on a TCP or UDP frame by its headers alone.
 *
 * @param head
 *   First bytes of the frame, in memory that nobody else writes.
 * @param head_len
 *   How many: all of the frame, or VALE_HEAD_MAX at least.
 * @param len
 *   Bytes of the whole frame.
 * @param gso_size
 *   Bytes of payload of each segment, from an untrusted source; 0: complete the checksum only.
 * @return
 *   True with *ol. False if it cannot be: no TCP or UDP (with gso_size no TCP), fragments,
 *   extension headers, headers beyond VALE_HEAD_MAX, a size out of range.
 *
 * Thread-safe; does not block.
 */
bool vale_offload_find(const uint8_t *head, uint32_t head_len, uint32_t len, uint16_t gso_size,
	struct vale_offload *ol);

/**
 * Read the header that came with a frame.
 *
 * @param h
 *   A private copy of it; every value may be hostile.
 * @param head, head_len, len
 *   As vale_offload_find().
 * @return
 *   True with *ol, whose needs are 0 where there is nothing to be done; false if the header is
 *   refused.
 */
bool vale_vnet_read(const struct vale_vnet_hdr *h, const uint8_t *head, uint32_t head_len,
	uint32_t len, struct vale_offload *ol);

/** Make the header for a frame; NULL: nothing is to be done on it. */
void vale_vnet_write(const struct vale_offload *ol, struct vale_vnet_hdr *h);

/** Note in an mbuf what is to be done, as drivers want it. Not for VALE_OL_RAW_CSUM. */
void vale_offload_to_mbuf(const struct vale_offload *ol, struct rte_mbuf *m);

/** The reverse. */
struct vale_offload vale_offload_of_mbuf(const struct rte_mbuf *m);

/** Flags by which vale_offload_to_mbuf() says that there is something to be done. */
#define VALE_OFFLOAD_MBUF_FLAGS (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

/** What is to be done on a frame with VALE_PKT_OFFLOAD. */
static inline struct vale_offload
vale_pkt_offload(const struct vale_pkt *p)
{
	return p->flags & VALE_PKT_MBUF ? vale_offload_of_mbuf(p->mbuf) : p->segs[0].ol;
}

/** Bytes of the headers of a frame to be cut. */
static inline uint32_t
vale_offload_hdr_len(const struct vale_offload *ol)
{
	return (uint32_t)ol->csum_start + ol->l4_len;
}

/** Frames that one of len bytes is on a wire: 1 unless it is to be cut. */
static inline uint32_t
vale_offload_nb_frames(const struct vale_offload *ol, uint32_t len)
{
	uint32_t payload = len - vale_offload_hdr_len(ol);

	return ol->gso_size == 0 ? 1 : (payload + ol->gso_size - 1) / ol->gso_size;
}

/**
 * The Internet checksum (RFC 1071) of a part of a frame, not complemented.
 *
 * @param off
 *   Where it begins; it goes to the frame's end.
 */
uint16_t vale_pkt_sum(const struct vale_pkt *p, uint32_t off);

#endif /* VALE_OFFLOAD_H */
