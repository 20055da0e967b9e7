/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The virtio-net header before each frame of a port that has one. It says what its sender left
 * undone; what it says is checked against a copy of the frame's own headers.
 */
#include <stddef.h>
#include <string.h>

#include <rte_atomic.h>
#include <rte_branch_prediction.h>

#include "netmap_port.h"
#include "vale_offload.h"
#include "vale_pkt_copy.h"

/* Copy the first bytes of a frame, as many as there are. */
static uint32_t
copy_head(const struct vale_pkt *pkt, uint8_t *head)
{
	struct vale_pieces w = vale_pieces_of(pkt);
	const uint8_t *data;
	uint32_t n, have = 0;

	while (have < VALE_HEAD_MAX && (n = vale_pieces_next(&w, &data)) > 0) {
		n = RTE_MIN(n, VALE_HEAD_MAX - have);
		memcpy(head + have, data, n);
		have += n;
	}
	return have;
}

/* Take the header's bytes off the front of a frame. Returns false if it has no more than that. */
static bool
strip(struct vale_pkt *pkt, uint32_t hdr_len)
{
	struct vale_seg *seg;

	if (pkt->len <= hdr_len || pkt->seg_len < hdr_len)
		return false;
	pkt->len -= hdr_len;
	if (!(pkt->flags & VALE_PKT_SEGS)) {
		pkt->data += hdr_len;
		pkt->seg_len -= hdr_len;
		return true;
	}
	seg = (struct vale_seg *)(uintptr_t)pkt->segs;
	seg->data += hdr_len;
	seg->len -= hdr_len;
	/* a header in a slot of its own, as virtual machines do */
	if (seg->len == 0)
		seg++;
	pkt->segs = seg;
	pkt->data = seg->data;
	pkt->seg_len = (uint16_t)seg->len;
	return true;
}

/* Note what is left to do on a frame. Returns false if its header is refused. */
static bool
note_offload(struct vale_pkt *pkt, const struct vale_vnet_hdr *h, struct vale_seg *spare)
{
	uint8_t head[VALE_HEAD_MAX];
	struct vale_offload ol;

	if (!vale_vnet_read(h, head, copy_head(pkt, head), pkt->len, &ol))
		return false;
	if (ol.needs == 0)
		return true;
	if (!(pkt->flags & VALE_PKT_SEGS)) {
		*spare = (struct vale_seg){.data = pkt->data, .len = pkt->len};
		pkt->segs = spare;
	}
	((struct vale_seg *)(uintptr_t)pkt->segs)->ol = ol;
	pkt->flags |= VALE_PKT_SEGS | VALE_PKT_OFFLOAD;
	return true;
}

uint32_t
nm_vnet_take(
	struct vale_pkt *pkt, uint32_t hdr_len, struct vale_seg *spare, struct vale_rx_refused *bad)
{
	const uint8_t *shm = pkt->data;
	struct vale_vnet_hdr h = {0};
	struct vale_offload ol;

	if (!strip(pkt, hdr_len)) {
		bad->runt++;
		return 0;
	}
	/* once: the program may write it meanwhile. num_buffers says nothing in this direction */
	memcpy(&h, shm, offsetof(struct vale_vnet_hdr, num_buffers));
	rte_compiler_barrier();
	if (likely(h.flags == 0 && h.gso_type == 0))
		return 1;
	if (!note_offload(pkt, &h, spare)) {
		bad->bad_slot++;
		return 0;
	}
	if (!(pkt->flags & VALE_PKT_OFFLOAD))
		return 1;
	ol = vale_pkt_offload(pkt);
	return vale_offload_nb_frames(&ol, pkt->len);
}

void
nm_vnet_make(const struct vale_pkt *pkt, uint8_t *hdr, uint32_t hdr_len)
{
	struct vale_vnet_hdr h;
	struct vale_offload ol;

	if (pkt->flags & VALE_PKT_OFFLOAD) {
		ol = vale_pkt_offload(pkt);
		vale_vnet_write(&ol, &h);
	} else {
		vale_vnet_write(NULL, &h);
	}
	memcpy(hdr, &h, hdr_len);
}
