/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OFFLOAD_FRAME_H
#define OFFLOAD_FRAME_H

/**
 * @file
 * TCP and UDP frames whose sender left work to others, and a receiver that looks at what came of
 * them, byte by byte, with arithmetic of its own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_FIN 0x01
#define FRAME_PSH 0x08
#define FRAME_ACK 0x10
#define FRAME_CWR 0x80

/** A frame as its sender has it. */
struct frame_spec {
	uint8_t dst[6], src[6];
	unsigned int tags; /**< VLAN tags */
	bool ipv6, udp;
	uint32_t ip_options;  /**< bytes, IPv4 */
	uint32_t tcp_options; /**< bytes */
	uint32_t payload;     /**< bytes */
	uint16_t gso_size;    /**< 0: a checksum is all that is open */
	uint8_t flags;	      /**< TCP */
	uint16_t ip_id;
	uint32_t seq;
};

/** Bytes before the payload, and before TCP or UDP. */
uint32_t frame_hdr_len(const struct frame_spec *s);
uint32_t frame_l4_off(const struct frame_spec *s);

/** Write the frame, its checksum's field as virtio wants it. @return bytes. */
uint32_t frame_write(const struct frame_spec *s, uint8_t *to);

/** Write the virtio-net header that belongs to it, 12 bytes. */
void frame_write_vnet(const struct frame_spec *s, uint8_t *to);

/** What has been seen of a frame. */
struct frame_seen {
	uint32_t payload, nb;
};

/**
 * Look at the next segment of a frame, or at the frame itself where it was not cut: all checksums,
 * lengths, numbers and flags, and the payload.
 *
 * @return NULL, or what is wrong with it.
 */
const char *frame_look(
	const struct frame_spec *s, struct frame_seen *seen, const uint8_t *frame, uint32_t len);

/** The same for a frame that is to be as it was sent, open. */
const char *frame_look_open(const struct frame_spec *s, const uint8_t *frame, uint32_t len);

#endif /* OFFLOAD_FRAME_H */
