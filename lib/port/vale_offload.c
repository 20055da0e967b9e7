/* SPDX-License-Identifier: BSD-3-Clause */
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "vale_offload.h"
#include "vale_pkt_copy.h"

/* VLAN tags looked behind */
#define TAGS_MAX 2

/** Where the transport header of a frame is. */
struct place {
	uint32_t l2_len;
	uint32_t l4_off;
	uint8_t proto;
	bool is_ipv6;
};

static uint32_t
read_be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static bool
find_ipv4(const uint8_t *head, uint32_t head_len, struct place *at)
{
	const uint8_t *ip = head + at->l2_len;
	uint32_t hdr_len;

	if (at->l2_len + sizeof(struct rte_ipv4_hdr) > head_len)
		return false;
	hdr_len = (ip[0] & 0x0fu) * 4;
	/* a fragment has no whole segment in it */
	if (ip[0] >> 4 != 4 || hdr_len < sizeof(struct rte_ipv4_hdr) ||
		(read_be16(ip + 6) & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return false;
	at->l4_off = at->l2_len + hdr_len;
	at->proto = ip[9];
	return true;
}

/** IPv6 without extension headers: with some of them the pseudo-header is another. */
static bool
find_ipv6(const uint8_t *head, uint32_t head_len, struct place *at)
{
	const uint8_t *ip = head + at->l2_len;

	if (at->l2_len + sizeof(struct rte_ipv6_hdr) > head_len || ip[0] >> 4 != 6)
		return false;
	at->is_ipv6 = true;
	at->l4_off = at->l2_len + sizeof(struct rte_ipv6_hdr);
	at->proto = ip[6];
	return true;
}

static bool
find_l4(const uint8_t *head, uint32_t head_len, struct place *at)
{
	uint32_t type;

	*at = (struct place){.l2_len = RTE_ETHER_HDR_LEN};
	for (unsigned int i = 0;; i++) {
		if (at->l2_len > head_len)
			return false;
		type = read_be16(head + at->l2_len - 2);
		if (i == TAGS_MAX || (type != RTE_ETHER_TYPE_VLAN && type != RTE_ETHER_TYPE_QINQ))
			break;
		at->l2_len += RTE_VLAN_HLEN;
	}
	if (type == RTE_ETHER_TYPE_IPV4)
		return find_ipv4(head, head_len, at);
	return type == RTE_ETHER_TYPE_IPV6 && find_ipv6(head, head_len, at);
}

/** Whether TCP's header is there as a whole; its length then. */
static bool
find_tcp(const uint8_t *head, uint32_t head_len, const struct place *at, uint8_t *l4_len)
{
	if (at->l4_off + sizeof(struct rte_tcp_hdr) > head_len)
		return false;
	*l4_len = (head[at->l4_off + offsetof(struct rte_tcp_hdr, data_off)] >> 4) * 4;
	return *l4_len >= sizeof(struct rte_tcp_hdr) && at->l4_off + *l4_len <= head_len;
}

static bool
find_gso(const uint8_t *head, uint32_t len, uint16_t gso_size, const struct place *at,
	struct vale_offload *ol)
{
	uint32_t hdr_len = vale_offload_hdr_len(ol);
	/* what the length in IPv4's, or behind IPv6's header can tell */
	uint32_t max = UINT16_MAX + (at->is_ipv6 ? at->l4_off : at->l2_len);

	if (len <= hdr_len || len > max || gso_size < VALE_GSO_SIZE_MIN ||
		hdr_len + gso_size > VALE_FRAME_LEN_MAX)
		return false;
	ol->gso_size = gso_size;
	ol->needs |= at->is_ipv6 ? VALE_OL_TSO6 : VALE_OL_TSO4;
	if (head[at->l4_off + offsetof(struct rte_tcp_hdr, tcp_flags)] & RTE_TCP_CWR_FLAG)
		ol->needs |= VALE_OL_ECN;
	return true;
}

bool
vale_offload_find(const uint8_t *head, uint32_t head_len, uint32_t len, uint16_t gso_size,
	struct vale_offload *ol)
{
	struct place at;

	if (!find_l4(head, head_len, &at))
		return false;
	*ol = (struct vale_offload){.csum_start = (uint16_t)at.l4_off,
		.l2_len = (uint8_t)at.l2_len,
		.needs = VALE_OL_CSUM | (at.is_ipv6 ? VALE_OL_IS_IPV6 : 0)};
	if (at.proto == IPPROTO_TCP) {
		ol->csum_offset = offsetof(struct rte_tcp_hdr, cksum);
		if (!find_tcp(head, head_len, &at, &ol->l4_len))
			return false;
		return gso_size == 0 || find_gso(head, len, gso_size, &at, ol);
	}
	if (at.proto != IPPROTO_UDP || gso_size != 0 ||
		at.l4_off + sizeof(struct rte_udp_hdr) > head_len)
		return false;
	ol->csum_offset = offsetof(struct rte_udp_hdr, dgram_cksum);
	ol->l4_len = sizeof(struct rte_udp_hdr);
	return true;
}

/** A checksum that is not where TCP or UDP have theirs, or of a protocol that is not known. */
static bool
find_raw(uint32_t start, uint32_t offset, uint32_t head_len, struct vale_offload *ol)
{
	/* all are below 64 K: no sum of them is cut off; the field is even less than all */
	if (start < RTE_ETHER_HDR_LEN || offset > UINT8_MAX || start + offset + 2 > head_len)
		return false;
	*ol = (struct vale_offload){.csum_start = (uint16_t)start,
		.csum_offset = (uint8_t)offset,
		.needs = VALE_OL_RAW_CSUM};
	return true;
}

bool
vale_vnet_read(const struct vale_vnet_hdr *h, const uint8_t *head, uint32_t head_len, uint32_t len,
	struct vale_offload *ol)
{
	uint32_t start = rte_le_to_cpu_16(h->csum_start);
	uint32_t offset = rte_le_to_cpu_16(h->csum_offset);
	uint32_t type = h->gso_type;
	uint16_t gso_size = type == 0 ? 0 : rte_le_to_cpu_16(h->gso_size);
	bool good;

	head_len = RTE_MIN(head_len, (uint32_t)VALE_HEAD_MAX);
	*ol = (struct vale_offload){0};
	/* DATA_VALID is a device's to say: whoever sends may not, and is not believed */
	if (!(h->flags & VALE_VNET_NEEDS_CSUM))
		return type == 0;
	if (type != 0 && gso_size == 0)
		return false;
	good = vale_offload_find(head, head_len, len, gso_size, ol) && ol->csum_start == start &&
	       ol->csum_offset == offset;
	if (type == 0)
		return good || find_raw(start, offset, head_len, ol);
	type &= ~VALE_VNET_GSO_ECN;
	return good &&
	       type == (ol->needs & VALE_OL_TSO6 ? VALE_VNET_GSO_TCPV6 : VALE_VNET_GSO_TCPV4);
}

void
vale_vnet_write(const struct vale_offload *ol, struct vale_vnet_hdr *h)
{
	*h = (struct vale_vnet_hdr){.num_buffers = rte_cpu_to_le_16(1)};
	if (ol == NULL)
		return;
	h->flags = VALE_VNET_NEEDS_CSUM;
	h->csum_start = rte_cpu_to_le_16(ol->csum_start);
	h->csum_offset = rte_cpu_to_le_16(ol->csum_offset);
	if (ol->gso_size == 0)
		return;
	h->gso_type = (ol->needs & VALE_OL_TSO6 ? VALE_VNET_GSO_TCPV6 : VALE_VNET_GSO_TCPV4) |
		      (ol->needs & VALE_OL_ECN ? VALE_VNET_GSO_ECN : 0);
	h->gso_size = rte_cpu_to_le_16(ol->gso_size);
	h->hdr_len = rte_cpu_to_le_16(vale_offload_hdr_len(ol));
}

void
vale_offload_to_mbuf(const struct vale_offload *ol, struct rte_mbuf *m)
{
	bool is_tcp = ol->csum_offset == offsetof(struct rte_tcp_hdr, cksum);

	m->tx_offload = 0;
	m->l2_len = ol->l2_len;
	m->l3_len = ol->csum_start - ol->l2_len;
	m->l4_len = ol->l4_len;
	m->tso_segsz = ol->gso_size;
	m->ol_flags |= is_tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	m->ol_flags |= ol->needs & VALE_OL_IS_IPV6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	if (ol->gso_size != 0)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
}

struct vale_offload
vale_offload_of_mbuf(const struct rte_mbuf *m)
{
	bool is_tcp = (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM;
	bool is_ipv6 = (m->ol_flags & RTE_MBUF_F_TX_IPV6) != 0;
	struct vale_offload ol = {
		.csum_start = m->l2_len + m->l3_len,
		.csum_offset = is_tcp ? offsetof(struct rte_tcp_hdr, cksum)
				      : offsetof(struct rte_udp_hdr, dgram_cksum),
		.l2_len = m->l2_len,
		.l4_len = m->l4_len,
		.needs = VALE_OL_CSUM | (is_ipv6 ? VALE_OL_IS_IPV6 : 0),
	};

	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) {
		ol.gso_size = m->tso_segsz;
		ol.needs |= is_ipv6 ? VALE_OL_TSO6 : VALE_OL_TSO4;
		/* all headers are in the first mbuf */
		if (rte_pktmbuf_mtod_offset(m, const struct rte_tcp_hdr *, ol.csum_start)
				->tcp_flags &
			RTE_TCP_CWR_FLAG)
			ol.needs |= VALE_OL_ECN;
	}
	return ol;
}

uint16_t
vale_pkt_sum(const struct vale_pkt *p, uint32_t off)
{
	struct vale_pieces w = vale_pieces_of(p);
	const uint8_t *data;
	uint32_t n, done = 0;
	uint64_t sum = 0;
	uint16_t part;

	while ((n = vale_pieces_next(&w, &data)) > 0) {
		if (off >= n) {
			off -= n;
			continue;
		}
		part = rte_raw_cksum(data + off, n - off);
		/* a piece that begins at an odd byte of the sum has its bytes in the other places
		 */
		sum += done & 1 ? rte_bswap16(part) : part;
		done += n - off;
		off = 0;
	}
	return __rte_raw_cksum_reduce((uint32_t)sum);
}
