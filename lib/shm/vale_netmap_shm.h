/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_NETMAP_SHM_H
#define VALE_NETMAP_SHM_H

/**
 * @file
 * What the switch and netmap programs share: the region of a port, beside netmap's own structures.
 *
 * A region is one sealed memfd of normal pages. From its beginning, each part on a page of its own:
 *
 *   struct vale_nm_region          what is where; written once by the switch
 *   struct vale_nm_bind [binds]    one for each descriptor that may be bound to it
 *   struct vale_nm_kring []        control of each ring
 *   netmap_if [binds]              at nr_offset of each descriptor; if_sz bytes each
 *   netmap_ring []                 headers are written by programs only
 *   buffers                        VALE_NM_BUF_SZ each; 0 and 1 are never in a slot of ours
 *
 * Several ports may share a region (nr_mem_id), each with other numbers of rings and slots. So what
 * belongs to a descriptor is told by the answer to VALE_CTL_NM_STATE: transmit ring i of its port
 * has the control tx_kring + i, receive ring i has rx_kring + i; the netmap_ring itself is found
 * by its netmap_if's ring_ofs[], which is 0 for rings that the descriptor did not bind.
 *
 * The switch believes nothing that it reads here but keeps its own books; a program believes the
 * switch. Programs that share a region by choice trust each other.
 *
 * Transmit: the program fills slots and stores kring.head (release) = the first slot that it keeps.
 * The switch forwards from its own hwcur up to head and stores kring.hwcur (release): slots before
 * it are the program's again, so ring->tail = hwcur - 1. Of a transmit slot the switch writes
 * nothing.
 *
 * Receive: the switch fills slots from its hwtail on, as far as kring.head - 1, and stores
 * kring.hwtail (release); ring->tail = hwtail. The program stores kring.head (release): slots
 * before it may be filled again. Of a receive slot the switch writes len and flags, and reads
 * buf_idx.
 *
 * All indices are slot numbers, below nb_slots. One slot of a ring stays empty.
 *
 * Sleep. Each side says that it sleeps, then a full fence, then it looks once more; the other
 * publishes, then a full fence, then it looks whether somebody sleeps. Both fences are needed.
 *  - The switch sleeps: kring.armed of transmit rings. Who exchanges it to 0 rings: sends the one
 *    byte VALE_NM_DOORBELL on the descriptor (MSG_DONTWAIT, MSG_NOSIGNAL).
 *  - A program sleeps: it adds 1 to sleep_rx or sleep_tx of its bind, then 1 to region.sleepers.
 *    The switch exchanges the count to 0 and sends as many messages of the one byte VALE_NM_TOKEN
 * on the descriptor. Who wakes for another reason subtracts itself if the count is not 0, else a
 * token is on its way, which it reads or leaves: a token too many only means a look too many.
 *    region.sleepers is a hint that is never below the truth: the one who sleeps subtracts itself.
 */

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <pthread.h>

#define VALE_NM_MAGIC 0x4d4e4156u /* "VANM" in memory */
#define VALE_NM_SHM_VERSION 1

#define VALE_NM_BUF_SZ 2048
#define VALE_NM_SLOTS 1024     /**< by default */
#define VALE_NM_SLOTS_MAX 4096 /**< more asked for is this */
#define VALE_NM_RINGS_MAX 16   /**< each way */
#define VALE_NM_FRAGS_MAX 64   /**< slots of one frame */
#define VALE_NM_BINDS_MAX 64   /**< descriptors on one region */
#define VALE_NM_EXTRA_BUFS_MAX 524288

/** One-byte messages on a descriptor's connection. */
#define VALE_NM_DOORBELL 'D' /* program to switch */
#define VALE_NM_TOKEN 'T'    /* switch to program */

/** Control of one ring. */
struct vale_nm_kring {
	/* written by programs; under the lock */
	alignas(64) _Atomic uint32_t head;
	uint32_t reserved0[15];
	/* written by the switch */
	alignas(64) _Atomic uint32_t hwcur; /**< transmit rings */
	_Atomic uint32_t hwtail;	    /**< receive rings */
	uint32_t reserved1[14];
	/* both; transmit rings */
	alignas(64) _Atomic uint32_t armed; /**< 1: the switch sleeps */
	uint32_t reserved2[15];
	/** Programs among themselves: robust, process-shared. Tried only; who finds it busy skips
	 * the ring, as netmap does. The switch makes it and never takes it. */
	alignas(64) pthread_mutex_t lock;
};
static_assert(sizeof(struct vale_nm_kring) == 256, "layout");

/** A descriptor that is bound to the region. */
struct vale_nm_bind {
	alignas(64) _Atomic uint32_t sleep_rx; /**< threads that wait for frames */
	_Atomic uint32_t sleep_tx;	       /**< threads that wait for space */
	uint32_t reserved[14];
};
static_assert(sizeof(struct vale_nm_bind) == 64, "layout");

/** At the beginning of the region. Offsets are from there, in bytes. */
struct vale_nm_region {
	uint32_t magic;
	uint32_t version;
	uint64_t size;	 /**< of the region: nr_memsize */
	uint32_t mem_id; /**< nr_mem_id */
	uint32_t nb_bufs;
	uint32_t buf_sz;
	uint32_t nb_krings;
	uint32_t binds_off, krings_off;
	uint32_t ifs_off, if_sz;
	uint32_t rings_off;
	uint64_t bufs_off;
	alignas(64) _Atomic uint32_t sleepers; /**< in all binds; written by programs */
};
static_assert(sizeof(struct vale_nm_region) <= 4096, "layout");

#endif /* VALE_NETMAP_SHM_H */
