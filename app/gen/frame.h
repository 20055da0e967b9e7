/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_GEN_FRAME_H
#define VALE_GEN_FRAME_H

/*
 * UDP over IPv4 over Ethernet, with right checksums. What changes from frame to frame (addresses,
 * ports, the tag) lies in the first 58 bytes; the checksums of the rest are summed up once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define FRAME_UDP_PAYLOAD 42
#define FRAME_TAG_END 58 /* frames shorter than this carry no tag */
#define FRAME_HEAD_SZ 64 /* what has to be written again for each frame */

enum frame_kind { FRAME_DATA = 'd', FRAME_PING = 'p', FRAME_REPLY = 'r' };

/* First in the payload; in network order. */
struct frame_tag {
	uint32_t magic; /* FRAME_MAGIC, the lowest byte is an enum frame_kind */
	uint32_t stream;
	uint64_t seq;
} __attribute__((packed));
#define FRAME_MAGIC 0x56473100u /* "VG1" */

/* A frame to send again and again. */
struct frame {
	uint8_t *data; /* room for a multiple of 64 bytes, at least FRAME_HEAD_SZ */
	uint32_t len;
	bool tagged;
	bool vary; /* addresses change */
	bool random_src, random_dst;
	enum frame_kind kind;
	uint32_t stream;
	struct addr_range src_range, dst_range;
	struct addr src, dst;
	uint64_t rng;
	uint32_t ip_sum, udp_sum; /* of all that never changes */
};

struct frame_params {
	uint32_t len;
	uint8_t smac[6], dmac[6];
	struct addr_range src, dst;
	bool random_src, random_dst;
	enum frame_kind kind;
	uint32_t stream;
};

/* Allocate and fill. Returns 0 or -ENOMEM. */
int frame_init(struct frame *f, const struct frame_params *p);
void frame_fini(struct frame *f);

/* Make f->data frame number seq: the next addresses, the tag, the checksums. */
void frame_next(struct frame *f, uint64_t seq);

/*
 * Read the tag of a frame of which len bytes lie at data. Returns false if it carries none.
 */
bool frame_tag_read(const void *data, uint32_t len, struct frame_tag *tag);
static inline enum frame_kind
frame_tag_kind(const struct frame_tag *tag)
{
	return (enum frame_kind)(tag->magic & 0xff);
}

/* Does a ponger answer this one: UDP over IPv4 to it or to all, and not a reply? */
bool frame_wants_reply(const uint8_t *data, uint32_t len);

/*
 * Turn a request around in place: addresses and ports change sides, smac stands in for a group
 * address. The checksum stays right.
 */
void frame_make_reply(uint8_t *data, uint32_t len, const uint8_t smac[6]);

#endif /* VALE_GEN_FRAME_H */
