/* SPDX-License-Identifier: BSD-3-Clause */
#include <netinet/in.h>

#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "ethdev_port.h"

/*
 * A kernel that sends through an interface with checksum offload leaves in the checksum's field the
 * sum of the pseudo-header, folded and not complemented (CHECKSUM_PARTIAL in the kernel's
 * skbuff.h), or 0 for SCTP. Hardware would finish the work; a veth has none, and AF_PACKET
 * and AF_XDP hand us the frame as it is. The tell-tale: the field equals the pseudo-header's
 * sum. A finished checksum that equals it by chance comes out of the computation unchanged.
 */

/* IPv6 extension headers looked at before giving up */
#define EXT_HEADERS_MAX 8

/** Where a frame's transport header is. */
struct l4 {
	uint32_t off; /**< from the beginning of the frame */
	uint32_t len; /**< header and payload */
	uint8_t proto;
	uint16_t pseudo_sum; /**< of the pseudo-header, folded */
};

static uint16_t
fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/** The pseudo-header of IPv4 and of IPv6 sum up alike: addresses, protocol, length. */
static uint16_t
pseudo_sum(const void *addrs, size_t addrs_sz, const struct l4 *l4)
{
	uint64_t sum = rte_raw_cksum(addrs, addrs_sz);

	sum += rte_cpu_to_be_16(l4->proto);
	sum += rte_cpu_to_be_16(l4->len >> 16);
	sum += rte_cpu_to_be_16(l4->len & 0xffff);
	return fold(sum);
}

static bool
find_l4_ipv4(const struct rte_mbuf *m, uint32_t off, struct l4 *l4)
{
	const struct rte_ipv4_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *, off);
	uint32_t hdr_len, total;

	if (off + sizeof(*ip) > m->data_len)
		return false;
	hdr_len = rte_ipv4_hdr_len(ip);
	total = rte_be_to_cpu_16(ip->total_length);
	if (hdr_len < sizeof(*ip) || total < hdr_len || off + total > m->pkt_len)
		return false;
	/* fragments are finished by the kernel before it cuts them */
	if (ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG))
		return false;
	l4->proto = ip->next_proto_id;
	l4->off = off + hdr_len;
	l4->len = total - hdr_len;
	l4->pseudo_sum = pseudo_sum(&ip->src_addr, 2 * sizeof(ip->src_addr), l4);
	return true;
}

static bool
is_ext_header(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_DSTOPTS;
}

static bool
find_l4_ipv6(const struct rte_mbuf *m, uint32_t off, struct l4 *l4)
{
	const struct rte_ipv6_hdr *ip =
		rte_pktmbuf_mtod_offset(m, const struct rte_ipv6_hdr *, off);
	uint32_t end, pos = off + sizeof(*ip);
	unsigned int i;
	const uint8_t *ext;
	uint8_t proto;

	if (pos > m->data_len)
		return false;
	end = pos + rte_be_to_cpu_16(ip->payload_len);
	proto = ip->proto;
	for (i = 0; is_ext_header(proto) && i < EXT_HEADERS_MAX; i++) {
		if (pos + 8 > m->data_len)
			return false;
		ext = rte_pktmbuf_mtod_offset(m, const uint8_t *, pos);
		proto = ext[0];
		pos += (ext[1] + 1u) * 8;
	}
	if (end > m->pkt_len || pos > end)
		return false;
	l4->proto = proto;
	l4->off = pos;
	l4->len = end - pos;
	l4->pseudo_sum = pseudo_sum(ip->src_addr, 2 * sizeof(ip->src_addr), l4);
	return true;
}

static bool
find_l4(const struct rte_mbuf *m, struct l4 *l4)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_vlan_hdr *vlan;
	uint32_t off = sizeof(*eth);
	rte_be16_t type;

	if (m->data_len < sizeof(*eth) + sizeof(*vlan))
		return false;
	type = eth->ether_type;
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN) ||
		type == rte_cpu_to_be_16(RTE_ETHER_TYPE_QINQ)) {
		vlan = rte_pktmbuf_mtod_offset(m, const struct rte_vlan_hdr *, off);
		type = vlan->eth_proto;
		off += sizeof(*vlan);
	}
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return find_l4_ipv4(m, off, l4);
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6))
		return find_l4_ipv6(m, off, l4);
	return false;
}

/** TCP and UDP: the sum over header and payload, in which the field stands for the pseudo-header.
 */
static void
complete_sum(struct rte_mbuf *m, const struct l4 *l4, uint32_t field_off, bool zero_is_none)
{
	uint16_t *field = rte_pktmbuf_mtod_offset(m, uint16_t *, l4->off + field_off);
	uint16_t sum;

	if (likely(*field != l4->pseudo_sum) || rte_raw_cksum_mbuf(m, l4->off, l4->len, &sum) != 0)
		return;
	sum = ~sum;
	*field = sum == 0 && zero_is_none ? 0xffff : sum;
}

/** SCTP: CRC32c over header and payload, with the field 0. */
static void
complete_crc(struct rte_mbuf *m, const struct l4 *l4)
{
	struct rte_sctp_hdr *sctp = rte_pktmbuf_mtod_offset(m, struct rte_sctp_hdr *, l4->off);

	if (likely(sctp->cksum != 0) || l4->off + l4->len > m->data_len)
		return;
	sctp->cksum = rte_cpu_to_le_32(~rte_hash_crc(sctp, l4->len, UINT32_MAX));
}

void
checksum_complete(struct rte_mbuf *m)
{
	struct l4 l4;
	uint32_t room;

	if (!find_l4(m, &l4))
		return;
	room = l4.off < m->data_len ? RTE_MIN(m->data_len - l4.off, l4.len) : 0;
	if (l4.proto == IPPROTO_TCP && room >= sizeof(struct rte_tcp_hdr))
		complete_sum(m, &l4, offsetof(struct rte_tcp_hdr, cksum), false);
	else if (l4.proto == IPPROTO_UDP && room >= sizeof(struct rte_udp_hdr))
		complete_sum(m, &l4, offsetof(struct rte_udp_hdr, dgram_cksum), true);
	else if (l4.proto == IPPROTO_SCTP && room >= sizeof(struct rte_sctp_hdr))
		complete_crc(m, &l4);
}
