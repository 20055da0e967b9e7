/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRAFFIC_H
#define TRAFFIC_H

/**
 * @file
 * Source and sink of the benchmarks, over any kind of port. What a kind must do stands in struct
 * tport_ops; each is one file, traffic_KIND.c.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BURST_MAX 1024
#define MEMIF_RINGS_MAX 4
#define LINE 64
#define FRAME_MIN 60
#define FRAME_MAX 9216
/** Bytes of a frame that one buffer takes, with every kind. */
#define BUF_SZ 2048

/** What all ports send; constant once traffic begins. */
struct traffic {
	unsigned int len, burst, macs, rings;
	double rate; /**< frames a second; 0: as many as go */
	bool broadcast;
	const char *netmap_socket, *memif_socket;
	unsigned int memif_rings; /**< from the switch, 1 .. MEMIF_RINGS_MAX */
	uint8_t src[6];
	uint8_t (*dst)[6]; /**< macs of them */
	unsigned int next; /**< index of the next destination; source's */
	uint64_t sum;	   /**< of what the sinks read, so that reading is not left out; sink's */
	uint64_t strange;  /**< frames of another length or type; sink's */
};
extern struct traffic traffic;

/** A frame with a stamp (cycles) arrived. */
void traffic_arrived(uint64_t stamp);
/** Print a sentence and errno, end the process. */
void traffic_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

struct tport;

/** A kind of port. All are called by the port's one thread. */
struct tport_ops {
	/** Attach by name; @p rings slots each way, a power of two. Dies if it cannot. */
	void (*open)(struct tport *p, const char *name, unsigned int rings);
	/** Slots of the transmit ring that the switch has not given back. */
	unsigned int (*used)(struct tport *p);
	/** Write and send up to @p n frames, the first with @p stamp. Returns those sent. */
	unsigned int (*send)(struct tport *p, unsigned int n, uint64_t stamp);
	/** Receive and read up to @p n frames. Returns how many. */
	unsigned int (*receive)(struct tport *p, unsigned int n);
	/** Send one frame of FRAME_MIN bytes with these addresses, at any time. */
	void (*speak)(struct tport *p, const uint8_t *dst, const uint8_t *src);
	/** A transmit ring has given its slots back while the switch still holds the frames. */
	bool in_hand;
};
extern const struct tport_ops tport_dpdk, tport_netmap, tport_memif;

/** A port that this process has. */
struct tport {
	const struct tport_ops *ops;
	void *own;	    /**< the kind's */
	unsigned int segs;  /**< slots of the ring that a frame takes */
	unsigned int burst; /**< frames at once, at most */
	unsigned int cap;   /**< slots to have in use, at most */
	uint64_t frames;    /**< sent or received */
	uint64_t full;	    /**< bursts that found no room at all */
};

/* ---- frames: each line is written, each line is read ---- */

#define FRAME_TYPE 0xb5	  /* 0x88b5, for experiments */
#define FRAME_SPOKEN 0xb6 /* 0x88b6: only says where an address is */

static inline void
frame_addresses(uint8_t *p, const uint8_t *dst, const uint8_t *src, uint8_t type)
{
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	p[12] = 0x88;
	p[13] = type;
}

/** Addresses and stamp. */
static inline void
frame_head(uint8_t *p, uint64_t stamp)
{
	frame_addresses(p, traffic.dst[traffic.next], traffic.src, FRAME_TYPE);
	traffic.next = traffic.next + 1 == traffic.macs ? 0 : traffic.next + 1;
	memcpy(p + 14, &stamp, sizeof(stamp));
}

/** One byte of each line of a piece of a frame, which is the rest of what its buffer held. */
static inline void
lines_write(uint8_t *p, unsigned int len)
{
	for (unsigned int at = 0; at < len; at += LINE)
		*(volatile uint8_t *)(p + at) = (uint8_t)at;
}

static inline void
lines_read(const uint8_t *p, unsigned int len)
{
	uint64_t sum = 0;

	for (unsigned int at = 0; at < len; at += LINE)
		sum += *(const volatile uint8_t *)(p + at);
	traffic.sum += sum;
}

/** The first piece of a frame that came. */
static inline void
head_read(const uint8_t *p, unsigned int len)
{
	uint64_t stamp;

	memcpy(&stamp, p + 14, sizeof(stamp));
	if (p[12] != 0x88 || p[13] != FRAME_TYPE || len != traffic.len)
		traffic.strange += p[13] != FRAME_SPOKEN;
	else if (stamp != 0)
		traffic_arrived(stamp);
}

#endif /* TRAFFIC_H */
