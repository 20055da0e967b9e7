/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MCLIENT_H
#define MCLIENT_H

/**
 * @file
 * A memif client for tests: one region with rings and buffers, which it copies to and from. No
 * DPDK.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vale_memif_proto.h"

#define MCLIENT_RINGS_MAX 16

/** What a client has. Filled in with wishes before mclient_open(). */
struct mclient {
	/* wishes */
	const char *name;  /**< secret */
	uint16_t nb_rings; /**< each way */
	uint16_t nb_c2s;   /**< those to the switch that it is told of; 0: all */
	uint8_t log2_ring_sz;
	uint32_t buf_sz;
	/* what came of it */
	int fd; /**< socket */
	int region_fd;
	uint8_t *mem;
	size_t mem_sz;
	uint32_t ring_sz;
	struct memif_ring *c2s[MCLIENT_RINGS_MAX], *s2c[MCLIENT_RINGS_MAX];
	int c2s_fd[MCLIENT_RINGS_MAX], s2c_fd[MCLIENT_RINGS_MAX];
	uint16_t head[MCLIENT_RINGS_MAX]; /**< of C2S rings */
	uint16_t seen[MCLIENT_RINGS_MAX]; /**< of S2C rings: received so far */
	char reason[MEMIF_REASON_SZ];	  /**< of a DISCONNECT */
};

/** Connect to the socket. Returns a descriptor or -errno. */
int mclient_dial(const char *path);
/** Send a message, with a descriptor unless it is -1. Returns 0 or -errno. */
int mclient_say(int fd, const struct memif_msg *m, int send_fd);
/** Receive a message; waits. Returns 0 or -errno. */
int mclient_hear(int fd, struct memif_msg *m);

/** Make region, rings and eventfds (EFD_NONBLOCK). Returns 0 or -errno. */
int mclient_make(struct mclient *c);
/**
 * mclient_make(), and the whole handshake.
 * @return 0, -ECONNREFUSED after a DISCONNECT (c->reason), or -errno.
 */
int mclient_open(struct mclient *c, const char *path);
void mclient_close(struct mclient *c);
/** Whether the switch has parted from us. */
bool mclient_parted(struct mclient *c);

/** Send one frame. Returns false if there is no room. */
bool mclient_tx(struct mclient *c, uint16_t ring, const void *frame, uint32_t len);
/** Receive one frame into @p max bytes. Returns its length, 0 if there is none. */
uint32_t mclient_rx(struct mclient *c, uint16_t ring, void *frame, uint32_t max);
/** Let the switch ring, and sleep until there is a frame on the ring. Returns false at the end of
 * the time. */
bool mclient_wait(struct mclient *c, uint16_t ring, int timeout_ms);

#endif /* MCLIENT_H */
