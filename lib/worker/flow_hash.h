/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_FLOW_HASH_H
#define VALE_FLOW_HASH_H

/**
 * @file
 * A number that is the same for all frames of a flow: by it frames of a sender with one queue
 * are spread over a receiver's queues.
 */

#include <stdint.h>

/**
 * Hash of a frame's flow: addresses and, for IPv4 and IPv6 (behind one VLAN tag too), protocol,
 * addresses and the ports of TCP, UDP and SCTP. Fragments of IPv4 datagrams hash without ports, so
 * that they stay together.
 *
 * @param frame
 *   Frame, from its destination MAC address on.
 * @param len
 *   Readable bytes, 14 at least.
 */
uint32_t vale_flow_hash(const uint8_t *frame, uint32_t len);

#endif /* VALE_FLOW_HASH_H */
