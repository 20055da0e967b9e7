/* SPDX-License-Identifier: BSD-3-Clause */
#include <netinet/in.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "resolve.h"
#include "vale_offload.h"
#include "vale_pkt_copy.h"

void
resolve_begin(struct resolve *r)
{
	r->age++;
	r->nb_pkts = r->nb_segs = 0;
	r->nb_sums = r->nb_sum_segs = 0;
}

/* ---- checksums ---- */

/** The checksum that completes a sum; 0 would mean "none" in UDP, and 0xffff is the same number. */
static uint16_t
finished_sum(uint16_t sum)
{
	return sum == 0xffff ? 0xffff : (uint16_t)~sum;
}

/** Append the bytes [from, to) of a frame. False without room. */
static bool
append_part(struct resolve *r, const struct vale_pkt *p, uint32_t from, uint32_t to)
{
	struct vale_pieces w = vale_pieces_of(p);
	const uint8_t *data;
	uint32_t n, at = 0;

	for (; at < to && (n = vale_pieces_next(&w, &data)) > 0; at += n) {
		uint32_t lo = RTE_MAX(at, from), hi = RTE_MIN(at + n, to);

		if (lo >= hi)
			continue;
		if (r->nb_sum_segs == RESOLVE_SUM_SEGS_MAX)
			return false;
		r->sum_segs[r->nb_sum_segs++] =
			(struct vale_seg){.data = data + (lo - at), .len = hi - lo};
	}
	return true;
}

/** Memory that is not ours: the frame becomes what is before the field, the field, the rest. */
static bool
replace_field(struct resolve *r, struct vale_pkt *p, uint32_t field, uint16_t sum)
{
	uint32_t first = r->nb_sum_segs;
	uint16_t *value = &r->sums[r->nb_sums];

	if (r->nb_sums == VALE_BATCH_MAX || !append_part(r, p, 0, field) ||
		r->nb_sum_segs == RESOLVE_SUM_SEGS_MAX)
		return false;
	*value = sum;
	r->nb_sums++;
	r->sum_segs[r->nb_sum_segs++] =
		(struct vale_seg){.data = (const uint8_t *)value, .len = sizeof(*value)};
	if (!append_part(r, p, field + sizeof(*value), p->len))
		return false;
	p->segs = &r->sum_segs[first];
	p->data = p->segs[0].data;
	p->seg_len = (uint16_t)p->segs[0].len;
	p->flags |= VALE_PKT_MADE;
	return true;
}

bool
resolve_sum(struct resolve *r, struct vale_pkt *p)
{
	struct vale_offload ol = vale_pkt_offload(p);
	uint32_t field = (uint32_t)ol.csum_start + ol.csum_offset;
	uint16_t sum = finished_sum(vale_pkt_sum(p, ol.csum_start));

	if (p->flags & VALE_PKT_MBUF) {
		/* all headers are in the first mbuf */
		memcpy(rte_pktmbuf_mtod_offset(p->mbuf, void *, field), &sum, sizeof(sum));
		p->mbuf->ol_flags &=
			~(VALE_OFFLOAD_MBUF_FLAGS | RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);
	} else if (!replace_field(r, p, field, sum)) {
		return false;
	}
	p->flags &= ~VALE_PKT_OFFLOAD;
	return true;
}

/* ---- segments ---- */

/** A frame that is being cut. */
struct cutter {
	struct vale_offload ol;
	uint32_t hdr_len;
	const uint8_t *head;	 /**< its headers, in our memory */
	struct vale_pieces walk; /**< what follows of it, */
	const uint8_t *data;	 /**< behind the rest of the piece in work: */
	uint32_t left;		 /**< so many bytes */
};

/** Move the headers to our memory, and the walk behind them. False if the frame is shorter. */
static bool
begin_cut(struct cutter *c, const struct vale_pkt *p, uint8_t *head)
{
	uint32_t have = 0, n;

	c->ol = vale_pkt_offload(p);
	c->hdr_len = vale_offload_hdr_len(&c->ol);
	c->walk = vale_pieces_of(p);
	c->head = head;
	c->left = 0;
	while (have < c->hdr_len) {
		if (c->left == 0)
			c->left = vale_pieces_next(&c->walk, &c->data);
		if (c->left == 0)
			return false;
		n = RTE_MIN(c->left, c->hdr_len - have);
		memcpy(head + have, c->data, n);
		have += n;
		c->data += n;
		c->left -= n;
	}
	return true;
}

/** Append the next @p len bytes of payload. Their sum, or false without room. */
static bool
append_payload(struct resolve *r, struct cutter *c, uint32_t len, uint32_t *sum)
{
	uint32_t done = 0, n;
	uint16_t part;

	*sum = 0;
	while (done < len) {
		if (c->left == 0)
			c->left = vale_pieces_next(&c->walk, &c->data);
		if (c->left == 0 || r->nb_segs == RESOLVE_SEGS_MAX)
			return false;
		n = RTE_MIN(c->left, len - done);
		r->segs[r->nb_segs++] = (struct vale_seg){.data = c->data, .len = n};
		part = rte_raw_cksum(c->data, n);
		/* a piece that begins at an odd byte of the sum has its bytes in the other places
		 */
		*sum += done & 1 ? rte_bswap16(part) : part;
		done += n;
		c->data += n;
		c->left -= n;
	}
	return true;
}

/** What was checked in the headers is set again: who sent the frame may write them still. */
static uint16_t
finish_ipv4(const struct cutter *c, uint8_t *hdr, uint32_t len, uint32_t idx)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(hdr + c->ol.l2_len);

	ip->version_ihl = (uint8_t)(0x40 | (c->ol.csum_start - c->ol.l2_len) / 4);
	ip->next_proto_id = IPPROTO_TCP;
	ip->total_length = rte_cpu_to_be_16(c->hdr_len - c->ol.l2_len + len);
	ip->packet_id = rte_cpu_to_be_16(rte_be_to_cpu_16(ip->packet_id) + idx);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return rte_ipv4_phdr_cksum(ip, 0);
}

static uint16_t
finish_ipv6(const struct cutter *c, uint8_t *hdr, uint32_t len)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(hdr + c->ol.l2_len);

	ip->proto = IPPROTO_TCP;
	ip->payload_len = rte_cpu_to_be_16(c->ol.l4_len + len);
	return rte_ipv6_phdr_cksum(ip, 0);
}

/** Flags as RFC 9293 and RFC 3168 want them: the last tells of the end, the first of congestion. */
static void
finish_tcp(const struct cutter *c, uint8_t *hdr, uint32_t idx, bool last)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(hdr + c->ol.csum_start);

	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + idx * c->ol.gso_size);
	tcp->data_off = (uint8_t)(c->ol.l4_len / 4 << 4 | (tcp->data_off & 0x0f));
	if (!last)
		tcp->tcp_flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (idx > 0)
		tcp->tcp_flags &= ~RTE_TCP_CWR_FLAG;
	tcp->cksum = 0;
}

static void
finish_headers(
	const struct cutter *c, uint8_t *hdr, uint32_t len, uint32_t sum, uint32_t idx, bool last)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(hdr + c->ol.csum_start);

	finish_tcp(c, hdr, idx, last);
	sum += c->ol.needs & VALE_OL_TSO6 ? finish_ipv6(c, hdr, len)
					  : finish_ipv4(c, hdr, len, idx);
	sum += rte_raw_cksum(tcp, c->ol.l4_len);
	tcp->cksum = finished_sum(__rte_raw_cksum_reduce(sum));
}

/** Describe segment @p idx, of @p len bytes of payload. False without room. */
static bool
make_segment(struct resolve *r, struct cutter *c, uint32_t len, uint32_t idx, bool last)
{
	uint8_t *hdr = r->hdrs[r->nb_pkts].data;
	struct vale_seg *first = &r->segs[r->nb_segs];
	uint32_t sum;

	if (r->nb_segs == RESOLVE_SEGS_MAX)
		return false;
	memcpy(hdr, c->head, c->hdr_len);
	r->segs[r->nb_segs++] = (struct vale_seg){.data = hdr, .len = c->hdr_len};
	if (!append_payload(r, c, len, &sum))
		return false;
	finish_headers(c, hdr, len, sum, idx, last);
	r->pkts[r->nb_pkts++] = (struct vale_pkt){
		.data = hdr,
		.segs = first,
		.len = c->hdr_len + len,
		.seg_len = (uint16_t)c->hdr_len,
		.flags = VALE_PKT_SEGS | VALE_PKT_MADE,
	};
	return true;
}

/** Describe all segments of a frame behind what is kept. Their number, 0 without room. */
static uint16_t
make_segments(struct resolve *r, const struct vale_pkt *p)
{
	uint8_t head[RESOLVE_HDR_MAX];
	struct cutter c;
	uint32_t left, n, idx, len;

	if (!begin_cut(&c, p, head))
		return 0;
	left = p->len - c.hdr_len;
	n = vale_offload_nb_frames(&c.ol, p->len);
	if (r->nb_pkts + n > RESOLVE_CUTS_MAX)
		return 0;
	for (idx = 0; idx < n; idx++) {
		len = RTE_MIN(left, (uint32_t)c.ol.gso_size);
		if (!make_segment(r, &c, len, idx, idx + 1 == n))
			return 0;
		left -= len;
	}
	return (uint16_t)n;
}

struct vale_pkt *
resolve_cut(struct resolve *r, uint16_t k, const struct vale_pkt *p, uint16_t *nb)
{
	struct resolve_cut *cut = &r->cut[k];
	uint32_t pkts = r->nb_pkts, segs = r->nb_segs;

	if (cut->age == r->age) {
		*nb = cut->nb;
		return &r->pkts[cut->first];
	}
	*nb = make_segments(r, p);
	if (unlikely(*nb == 0 && pkts > 0)) {
		/* what is kept of frames before is not needed; they can be cut again */
		r->age++;
		pkts = segs = r->nb_pkts = r->nb_segs = 0;
		*nb = make_segments(r, p);
	}
	if (unlikely(*nb == 0)) {
		r->nb_pkts = pkts;
		r->nb_segs = segs;
		return NULL;
	}
	*cut = (struct resolve_cut){.age = r->age, .first = (uint16_t)pkts, .nb = *nb};
	return &r->pkts[pkts];
}
