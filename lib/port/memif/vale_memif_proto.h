/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_MEMIF_PROTO_H
#define VALE_MEMIF_PROTO_H

/**
 * @file
 * memif, protocol version 2: messages on the socket, and rings in shared memory.
 *
 * As DPDK's net_memif, VPP and libmemif speak it. The *client* (formerly slave) connects, and owns
 * all memory: regions, rings in them, buffers. The *server* (formerly master) is the switch. One
 * Unix socket, SOCK_SEQPACKET; each message is one packet of 128 bytes in the byte order of the
 * machine; file descriptors travel by SCM_RIGHTS. (c) client to server, (s) server to client:
 *
 *   (s) HELLO, (c) INIT, (s) ACK, for each region (c) ADD_REGION + descriptor, (s) ACK, for each
 *   ring (c) ADD_RING + eventfd, (s) ACK, (c) CONNECT, (s) CONNECTED
 *
 * and at any time DISCONNECT from either side.
 *
 * A ring is an array of descriptors and two free-running 16-bit indices. C2S rings bring frames
 * from the client: it fills descriptors and moves head, the server moves tail when it is done with
 * them. S2C rings bring frames to the client: it lends empty buffers and moves head, the server
 * fills them and moves tail. So in both directions head is the client's and tail the server's.
 * Flags are the receiver's: whoever sends writes the eventfd unless the flags forbid it.
 */

#include <assert.h>
#include <stdint.h>
#include <stdatomic.h>

#define MEMIF_COOKIE 0x03e31f20u
#define MEMIF_VERSION 0x0200
#define MEMIF_MSG_SZ 128
#define MEMIF_NAME_SZ 32
#define MEMIF_SECRET_SZ 24
#define MEMIF_REASON_SZ 96

enum memif_msg_type {
	MEMIF_MSG_NONE = 0,
	MEMIF_MSG_ACK = 1,
	MEMIF_MSG_HELLO = 2,
	MEMIF_MSG_INIT = 3,
	MEMIF_MSG_ADD_REGION = 4,
	MEMIF_MSG_ADD_RING = 5,
	MEMIF_MSG_CONNECT = 6,
	MEMIF_MSG_CONNECTED = 7,
	MEMIF_MSG_DISCONNECT = 8,
};

#define MEMIF_MODE_ETHERNET 0

/** (s) What the server takes. Region and rings: highest index; so one less than their number. */
struct memif_msg_hello {
	char name[MEMIF_NAME_SZ];
	uint16_t min_version;
	uint16_t max_version;
	uint16_t max_region;
	uint16_t max_s2c_ring;
	uint16_t max_c2s_ring;
	uint8_t max_log2_ring_size;
} __attribute__((packed));

/** (c) Which interface. */
struct memif_msg_init {
	uint16_t version;
	uint32_t id;
	uint8_t mode;
	char secret[MEMIF_SECRET_SZ]; /* the VALE name; with NUL, unless it fills the field */
	char name[MEMIF_NAME_SZ];     /* of the program */
} __attribute__((packed));

/** (c) With the descriptor of the memory. */
struct memif_msg_add_region {
	uint16_t index;
	uint64_t size; /* bytes */
} __attribute__((packed));

#define MEMIF_ADD_RING_C2S 1

/** (c) With the ring's eventfd. */
struct memif_msg_add_ring {
	uint16_t flags; /* MEMIF_ADD_RING_* */
	uint16_t index; /* among the rings of its direction */
	uint16_t region;
	uint32_t offset;
	uint8_t log2_ring_size;
	uint16_t private_hdr_sz; /* bytes of metadata; 0 in every client there is */
} __attribute__((packed));

/** (c) CONNECT, (s) CONNECTED. */
struct memif_msg_connect {
	char if_name[MEMIF_NAME_SZ];
} __attribute__((packed));

/** (c) (s) */
struct memif_msg_disconnect {
	uint32_t code;
	char reason[MEMIF_REASON_SZ];
} __attribute__((packed));

struct memif_msg {
	uint16_t type; /* enum memif_msg_type */
	union {
		struct memif_msg_hello hello;
		struct memif_msg_init init;
		struct memif_msg_add_region add_region;
		struct memif_msg_add_ring add_ring;
		struct memif_msg_connect connect;
		struct memif_msg_disconnect disconnect;
		uint8_t body[MEMIF_MSG_SZ - 2];
	};
} __attribute__((packed));
static_assert(sizeof(struct memif_msg) == MEMIF_MSG_SZ, "layout");
static_assert(sizeof(struct memif_msg_hello) == 43, "layout");
static_assert(sizeof(struct memif_msg_init) == 63, "layout");
static_assert(sizeof(struct memif_msg_add_region) == 10, "layout");
static_assert(sizeof(struct memif_msg_add_ring) == 13, "layout");
static_assert(sizeof(struct memif_msg_disconnect) == 100, "layout");

#define MEMIF_DESC_NEXT 1 /* the frame goes on in the next descriptor */

/** A buffer. */
struct memif_desc {
	uint16_t flags; /* MEMIF_DESC_* */
	uint16_t region;
	uint32_t length; /* of the data; of an empty buffer its size */
	uint32_t offset; /* in the region */
	uint32_t metadata;
};
static_assert(sizeof(struct memif_desc) == 16, "layout");

#define MEMIF_RING_MASK_INT 1 /* the receiver polls: do not write the eventfd */

/** A ring, in a region; its descriptors follow. */
struct memif_ring {
	/* the receiver writes flags; the client the rest */
	_Atomic uint32_t cookie;
	_Atomic uint16_t flags; /* MEMIF_RING_* */
	_Atomic uint16_t head;
	uint8_t pad0[56];
	/* the server writes */
	_Atomic uint16_t tail;
	uint8_t pad1[62];
	/* C2S: the client writes; S2C: both */
	_Atomic uint64_t desc[][2]; /* struct memif_desc as two words, read and written whole */
};
static_assert(sizeof(struct memif_ring) == 128, "layout");

#endif /* VALE_MEMIF_PROTO_H */
