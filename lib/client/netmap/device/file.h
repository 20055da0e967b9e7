/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VNM_FILE_H
#define VNM_FILE_H

/**
 * @file
 * What this process knows of its descriptors.
 *
 * A descriptor of /dev/netmap is a connection to the switch and lives in the kernel: it may have
 * come by fork, exec or a message, and may have been bound by somebody else. Here is only a cache:
 * one entry for each number, filled when the number is first met and emptied when it is closed. A
 * bound descriptor's entry leads to a struct vnm_file, with this process's mapping of the region.
 *
 * No locks, no malloc: entries are looked up in signal handlers and in children of vfork. A file's
 * memory is never given back, and who looks one up counts himself in before he uses it.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <net/netmap.h>

#include "vale_netmap_shm.h"

/** One bound ring, as this process sees it. */
struct vnm_ring {
	struct netmap_ring *ring;
	struct vale_nm_kring *kring;
};

/** A bound descriptor. All but refs is fixed once it is in the table. */
struct vnm_file {
	_Atomic uint32_t refs; /* 0 = free */
	_Atomic uint32_t idle; /* syncs that moved nothing, in a row */
	uint64_t cookie;       /* of the socket, to know it again */
	struct vale_nm_region *region;
	size_t size;
	struct vale_nm_bind *bind;
	char *bufs; /* buffer 0 */
	uint32_t nb_bufs;
	uint32_t flags;	      /* NR_NO_TX_POLL, NR_DO_RX_POLL */
	uint32_t nb_slots[2]; /* of each ring: transmit, receive */
	uint16_t nb_rings[2]; /* bound */
	struct vnm_ring tx[VALE_NM_RINGS_MAX];
	struct vnm_ring rx[VALE_NM_RINGS_MAX];
};

enum vnm_kind {
	VNM_NONE,    /* not of /dev/netmap */
	VNM_UNBOUND, /* not bound when last asked */
	VNM_BOUND,
};

/**
 * What a descriptor is.
 *
 * @param fd   any number
 * @param file NULL, or where a bound one goes; give it back with vnm_file_put
 * @param sure ask the kernel even if the number is known to be something else: for calls that only
 *             make sense on a descriptor of netmap's
 * errno is not touched. Any thread, signal handlers.
 */
enum vnm_kind vnm_file_get(int fd, struct vnm_file **file, bool sure);
void vnm_file_put(struct vnm_file *file);

/** Is it of /dev/netmap? Never asks the switch. */
bool vnm_file_is(int fd, bool sure);

/** As vnm_file_is, without asking the kernel: what was not met before is not. */
bool vnm_file_known(int fd);

/** Is the number still the socket that it was? */
bool vnm_file_same(int fd, const struct vnm_file *file);

/**
 * What the preload's wrappers say of numbers. A process that only borrows this memory (a child of
 * vfork, before exec) has descriptors of its own: from there nothing is written down.
 */
/** Has just been opened by vale_nm_open. */
void vnm_file_opened(int fd);
/** Came from elsewhere: with a message, through exec. */
void vnm_file_received(int fd);
/** All that came through exec, once, before main. */
void vnm_file_scan(void);
/** new has just been made a copy of old. */
void vnm_file_copied(int old, int new);
/** Numbers [first, last] are about to be closed; and have been. */
void vnm_file_forget(unsigned int first, unsigned int last);
void vnm_file_verify(unsigned int first, unsigned int last);
/** Is anything known to be netmap's? While it is not, most wrappers have nothing to do. */
bool vnm_file_any(void);
/** Above every number that is known to be netmap's. */
int vnm_file_top(void);

/** A free file with one reference, not in the table; NULL if there are VNM_FILES_MAX already. */
struct vnm_file *vnm_file_new(void);

#define VNM_FILES_MAX 1024

#endif /* VNM_FILE_H */
