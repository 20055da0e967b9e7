/* SPDX-License-Identifier: BSD-3-Clause */
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <rte_hash_crc.h>

#include "peer.h"

#define MAGIC 0x56414c45u
/* IEEE Std 802 local experimental EtherType 1 */
#define ETHER_TYPE 0x88b5

uint64_t
peer_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void
fill_pattern(uint8_t *p, uint32_t len, uint32_t seq)
{
	for (uint32_t i = 0; i < len; i++)
		p[i] = (uint8_t)(seq * 37 + i * 11 + (i >> 8));
}

static struct peer_tag *
tag_of(uint8_t *frame)
{
	return (struct peer_tag *)(frame + RTE_ETHER_HDR_LEN);
}

void
peer_frame_build(uint8_t *frame, uint32_t len, const struct rte_ether_addr *dst,
	const struct rte_ether_addr *src, const struct peer_tag *tag)
{
	struct rte_ether_hdr hdr = {
		.dst_addr = *dst,
		.src_addr = *src,
		.ether_type = rte_cpu_to_be_16(ETHER_TYPE),
	};

	fill_pattern(frame, len, tag->seq);
	memcpy(frame, &hdr, RTE_MIN(len, (uint32_t)RTE_ETHER_HDR_LEN));
	if (len < PEER_NUMBERED_MIN)
		return;
	*tag_of(frame) = *tag;
	tag_of(frame)->magic = MAGIC;
	tag_of(frame)->len = (uint16_t)len;
	tag_of(frame)->sum = 0;
	tag_of(frame)->sum = rte_hash_crc(frame, len, 0);
}

/* The frame in one piece, its own first segment if that is all. NULL if the chain is not sound. */
static const uint8_t *
flatten(const struct rte_mbuf *m, uint8_t *buf)
{
	const char *reason;

	if (m->pkt_len > PEER_FRAME_MAX || rte_mbuf_check(m, 1, &reason) != 0)
		return NULL;
	return rte_pktmbuf_read(m, 0, m->pkt_len, buf);
}

enum peer_verdict
peer_frame_check(const struct rte_mbuf *m, struct peer_tag *tag)
{
	static uint8_t buf[PEER_FRAME_MAX], copy[PEER_FRAME_MAX];
	const uint8_t *frame = flatten(m, buf);

	if (frame == NULL)
		return PEER_FRAME_BAD;
	if (m->pkt_len < PEER_NUMBERED_MIN)
		return PEER_FRAME_ALIEN;
	memcpy(copy, frame, m->pkt_len);
	*tag = *tag_of(copy);
	if (tag->magic != MAGIC)
		return PEER_FRAME_ALIEN;
	tag_of(copy)->sum = 0;
	if (tag->len != m->pkt_len || rte_hash_crc(copy, m->pkt_len, 0) != tag->sum)
		return PEER_FRAME_BAD;
	return PEER_FRAME_GOOD;
}
