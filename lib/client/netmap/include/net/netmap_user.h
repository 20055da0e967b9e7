/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_NET_NETMAP_USER_H
#define VALE_NET_NETMAP_USER_H
#define _NET_NETMAP_USER_H_

/**
 * @file
 * What netmap programs use to walk a region, and with NETMAP_WITH_LIBS defined before this file is
 * included, nm_open and the other calls in the manner of libpcap. Everything is in this header:
 * there is nothing to link with.
 */

#define NETMAP_DEVICE_NAME "/dev/netmap"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <net/if.h>

#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

#include <net/netmap.h>

#define _NETMAP_OFFSET(type, ptr, offset) ((type)(void *)((char *)(ptr) + (offset)))

/** The netmap_if at nr_offset of a mapped region. */
#define NETMAP_IF(_base, _ofs) _NETMAP_OFFSET(struct netmap_if *, _base, _ofs)

/** A ring of a netmap_if. A ring that is not bound has the netmap_if's own address. */
#define NETMAP_TXRING(nifp, index) \
	_NETMAP_OFFSET(struct netmap_ring *, nifp, (nifp)->ring_ofs[index])
#define NETMAP_RXRING(nifp, index)                 \
	_NETMAP_OFFSET(struct netmap_ring *, nifp, \
		(nifp)->ring_ofs[(index) + (nifp)->ni_tx_rings + (nifp)->ni_host_tx_rings])

/** A buffer's address, and back. */
#define NETMAP_BUF(ring, index) \
	((char *)(ring) + (ring)->buf_ofs + ((size_t)(index) * (ring)->nr_buf_size))
#define NETMAP_BUF_IDX(ring, buf) \
	(((char *)(buf) - ((char *)(ring) + (ring)->buf_ofs)) / (ring)->nr_buf_size)

/** Where in its buffer a slot's frame begins (NETMAP_REQ_OPT_OFFSETS), read and write. */
#define NETMAP_ROFFSET(ring, slot) ((slot)->ptr & (ring)->offset_mask)
#define NETMAP_WOFFSET(ring, slot, offset)                                                       \
	do {                                                                                     \
		(slot)->ptr =                                                                    \
			((slot)->ptr & ~(ring)->offset_mask) | ((offset) & (ring)->offset_mask); \
	} while (0)
#define NETMAP_BUF_OFFSET(ring, slot) \
	(NETMAP_BUF(ring, (slot)->buf_idx) + NETMAP_ROFFSET(ring, slot))

/** The slot after slot i. */
static inline uint32_t
nm_ring_next(struct netmap_ring *r, uint32_t i)
{
	return unlikely(i + 1 == r->num_slots) ? 0 : i + 1;
}

/** Does a transmit ring hold frames that the switch has not taken yet? */
static inline int
nm_tx_pending(struct netmap_ring *r)
{
	return nm_ring_next(r, r->tail) != r->head;
}

/** Slots the program has: frames to read, or space to write. */
static inline uint32_t
nm_ring_space(struct netmap_ring *ring)
{
	uint32_t head = ring->head, tail = ring->tail;

	return tail >= head ? tail - head : tail + ring->num_slots - head;
}

/* Messages to standard error with the time; RD at most lps of them each second. */
#ifndef ND
#define ND(_fmt, ...) \
	do {          \
	} while (0)
#define D(_fmt, ...)                                                                          \
	do {                                                                                  \
		struct timeval nm_now_;                                                       \
		gettimeofday(&nm_now_, NULL);                                                 \
		fprintf(stderr, "%03d.%06d %s [%d] " _fmt "\n", (int)(nm_now_.tv_sec % 1000), \
			(int)nm_now_.tv_usec, __func__, __LINE__, ##__VA_ARGS__);             \
	} while (0)
#define RD(lps, format, ...)                            \
	do {                                            \
		static time_t nm_second_;               \
		static int nm_said_;                    \
		struct timeval nm_rd_now_;              \
		gettimeofday(&nm_rd_now_, NULL);        \
		if (nm_second_ != nm_rd_now_.tv_sec) {  \
			nm_second_ = nm_rd_now_.tv_sec; \
			nm_said_ = 0;                   \
		}                                       \
		if (nm_said_++ < (lps))                 \
			D(format, ##__VA_ARGS__);       \
	} while (0)
#endif

/** Copy l bytes of a frame. Callers count on room for l rounded up to 64, both sides; a compiler's
 * memcpy of a known size is fastest for the short ones. */
static inline void
nm_pkt_copy(const void *_src, void *_dst, int l)
{
	const char *src = (const char *)_src;
	char *dst = (char *)_dst;

	if (unlikely(l >= 1024 || l % 64 != 0)) {
		memcpy(dst, src, (size_t)l);
		return;
	}
	for (; l > 0; l -= 64, src += 64, dst += 64)
		memcpy(dst, src, 64);
}

#ifdef NETMAP_WITH_LIBS
#include <net/netmap_nm.h>
#endif

#endif /* VALE_NET_NETMAP_USER_H */
