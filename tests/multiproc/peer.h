/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PEER_H
#define PEER_H

/**
 * @file
 * vale-peer: a DPDK program for tests, secondary of the switch or not, that does what stock
 * programs cannot be told to do, one command a line on standard input, one line of answer each on
 * standard output: `ok key=value ...` or `error <sentence>`.
 *
 *   peer.c        commands and answers
 *   peer_frame.c  numbered frames
 *   peer_port.c   life and state of ports
 *   peer_tx.c     sending, in mbufs of all sorts
 *   peer_rx.c     receiving, and what it found
 *   peer_bench.c  what a frame costs
 *
 * One thread. A PORT in a command is the ethdev's name: in a secondary of the switch a VALE name,
 * else that of the device.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

/** Longest frame that can be built: over what is allowed, to see it refused. */
#define PEER_FRAME_MAX 9600
#define PEER_BURST_MAX 64
/** Most words in a command. */
#define PEER_WORDS_MAX 24

/** A command, split at blanks. */
struct peer_cmd {
	int nb;
	char *word[PEER_WORDS_MAX]; /**< word[0] is the verb */
};

/* ---- peer.c ---- */

/** Answer `ok` and what was found out. */
void peer_ok(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** Answer `error` and why. */
void peer_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** A number from 0 to @p max (0x for hexadecimal). On failure answers and returns false. */
bool peer_number(const char *text, uint64_t max, uint64_t *out);
/** The value of an option `name=value` of the command, or NULL. */
const char *peer_option(const struct peer_cmd *c, const char *name);
/** As peer_number(), for an option, @p out being its default. */
bool peer_number_option(const struct peer_cmd *c, const char *name, uint64_t max, uint64_t *out);
/** Word @p i as a MAC address. On failure answers and returns false. */
bool peer_mac(const struct peer_cmd *c, int i, struct rte_ether_addr *mac);

/** The switch's pool; one of its own in a process that is not the switch's secondary. */
struct rte_mempool *peer_pool(void);

/* ---- peer_frame.c ---- */

/** What stands in a numbered frame behind the Ethernet header; the rest is a pattern made from seq.
 */
struct peer_tag {
	uint32_t magic;
	uint32_t sum;	  /**< CRC32 of the whole frame with this being 0 */
	uint64_t sent_ns; /**< CLOCK_MONOTONIC when it was built */
	uint32_t seq;	  /**< from 0 in each `tx` */
	uint32_t run;	  /**< which `tx` of which process */
	uint16_t queue;	  /**< transmit queue */
	uint16_t len;	  /**< of the frame */
} __attribute__((packed));

/** Shortest frame with a number in it. */
#define PEER_NUMBERED_MIN (RTE_ETHER_HDR_LEN + sizeof(struct peer_tag))

/** What a frame was found to be. */
enum peer_verdict {
	PEER_FRAME_GOOD,
	PEER_FRAME_ALIEN, /**< carries no number: too short, or not ours */
	PEER_FRAME_BAD,	  /**< carries one, and is not as it was sent */
};

/** Write a frame of @p len bytes; in a short one there is no tag, only the pattern. */
void peer_frame_build(uint8_t *frame, uint32_t len, const struct rte_ether_addr *dst,
	const struct rte_ether_addr *src, const struct peer_tag *tag);
/** Read an mbuf chain. @p tag is filled in unless the frame is alien. */
enum peer_verdict peer_frame_check(const struct rte_mbuf *m, struct peer_tag *tag);
uint64_t peer_now_ns(void);

/* ---- peer_port.c ---- */

/** Open all ports that there are at start: configure, set up, start; or leave them as they are. */
int peer_ports_open(bool configure);
/** Close them, as an orderly program does. */
void peer_ports_close(void);
/** The port of a command's word 1. On failure answers and returns false. */
bool peer_port(const struct peer_cmd *c, uint16_t *port_id);
uint16_t peer_nb_rxq(uint16_t port_id);
uint16_t peer_nb_txq(uint16_t port_id);

void peer_cmd_attach(const struct peer_cmd *c);
void peer_cmd_detach(const struct peer_cmd *c);
void peer_cmd_cycle(const struct peer_cmd *c);
void peer_cmd_info(const struct peer_cmd *c);
void peer_cmd_link(const struct peer_cmd *c);
void peer_cmd_mtu(const struct peer_cmd *c);
void peer_cmd_ports(const struct peer_cmd *c);
void peer_cmd_reconf(const struct peer_cmd *c);
void peer_cmd_start(const struct peer_cmd *c);
void peer_cmd_stats(const struct peer_cmd *c);
void peer_cmd_stop(const struct peer_cmd *c);
void peer_cmd_xstats(const struct peer_cmd *c);
void peer_cmd_reset(const struct peer_cmd *c);

/* ---- peer_tx.c ---- */

void peer_cmd_hold(const struct peer_cmd *c);
void peer_cmd_release(const struct peer_cmd *c);
void peer_cmd_raw(const struct peer_cmd *c);
void peer_cmd_tx(const struct peer_cmd *c);
/** What is free in this process's own pool; 0 before it was needed. */
unsigned int peer_own_free(void);
/** Free what was made for sending. */
void peer_tx_close(void);

/* ---- peer_bench.c ---- */

void peer_cmd_bench(const struct peer_cmd *c);

/* ---- peer_rx.c ---- */

void peer_cmd_macswap(const struct peer_cmd *c);
void peer_cmd_rx(const struct peer_cmd *c);
void peer_cmd_rxintr(const struct peer_cmd *c);

#endif /* PEER_H */
