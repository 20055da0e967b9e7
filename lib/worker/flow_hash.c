/* SPDX-License-Identifier: BSD-3-Clause */
#include <netinet/in.h>
#include <string.h>

#include <rte_atomic.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>

#include "flow_hash.h"

static uint32_t
hash_ports(uint8_t proto, const uint8_t *l4, uint32_t len, uint32_t h)
{
	uint32_t ports;

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_SCTP)
		return h;
	if (len < sizeof(ports))
		return h;
	memcpy(&ports, l4, sizeof(ports));
	return rte_hash_crc_4byte(ports, h);
}

static uint32_t
hash_ipv4(const uint8_t *l3, uint32_t len, uint32_t h)
{
	struct rte_ipv4_hdr ip;
	uint32_t hdr_len;

	if (len < sizeof(ip))
		return h;
	memcpy(&ip, l3, sizeof(ip));
	/* the sender may write there meanwhile: the length that is checked is the one that is used
	 */
	rte_compiler_barrier();
	h = rte_hash_crc_4byte(ip.src_addr, h);
	h = rte_hash_crc_4byte(ip.dst_addr, h);
	h = rte_hash_crc_1byte(ip.next_proto_id, h);
	hdr_len = (ip.version_ihl & RTE_IPV4_HDR_IHL_MASK) * RTE_IPV4_IHL_MULTIPLIER;
	if (ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		return h;
	if (hdr_len < sizeof(ip) || hdr_len > len)
		return h;
	return hash_ports(ip.next_proto_id, l3 + hdr_len, len - hdr_len, h);
}

static uint32_t
hash_ipv6(const uint8_t *l3, uint32_t len, uint32_t h)
{
	struct rte_ipv6_hdr ip;

	if (len < sizeof(ip))
		return h;
	memcpy(&ip, l3, sizeof(ip));
	h = rte_hash_crc(ip.src_addr, sizeof(ip.src_addr), h);
	h = rte_hash_crc(ip.dst_addr, sizeof(ip.dst_addr), h);
	h = rte_hash_crc_1byte(ip.proto, h);
	return hash_ports(ip.proto, l3 + sizeof(ip), len - sizeof(ip), h);
}

uint32_t
vale_flow_hash(const uint8_t *frame, uint32_t len)
{
	uint32_t off = 2 * RTE_ETHER_ADDR_LEN;
	uint32_t h = rte_hash_crc(frame, 2 * RTE_ETHER_ADDR_LEN, 0);
	uint16_t type;

	memcpy(&type, frame + off, sizeof(type));
	off += sizeof(type);
	if (type == RTE_BE16(RTE_ETHER_TYPE_VLAN) && len >= off + 4) {
		memcpy(&type, frame + off + 2, sizeof(type));
		off += 4;
	}
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		h = hash_ipv4(frame + off, len - off, h);
	else if (type == RTE_BE16(RTE_ETHER_TYPE_IPV6))
		h = hash_ipv6(frame + off, len - off, h);
	/* CRC's low bits are good, but mix the high ones in for small divisors */
	return h ^ h >> 16;
}
