/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_CLIENT_HEAP_H
#define VALE_CLIENT_HEAP_H

/**
 * @file
 * Pieces of the heap that secondaries left: freed when no process but the switch is there.
 *
 * A piece of the heap has no name and no owner. But what is in use at a moment when no secondary
 * lives is the switch's, or has been given up: this is its *stock*. When secondaries have come and
 * gone, whatever is in use and not in the stock was theirs, and is freed, unless shared memory
 * refers to it still.
 *
 * That holds if the switch itself takes nothing from the heap while secondaries live. It takes
 * memory at its start, and for attached devices: between vale_client_heap_own_begin() and _end(),
 * what appears goes to the stock. Drivers with threads of their own may take some at any time: as
 * long as a device of a kind not known to be quiet is attached, nothing is freed, and what was
 * left then stays.
 *
 * That nobody is there is not taken from the list of secondaries alone:
 *  - No process has EAL's shared configuration mapped, be it one that is just ending, or a child of
 *    fork() that outlived its parent.
 *  - Since before that look none has appeared, as vale_secondaries_seen() tells, and none does,
 *    as the runtime folder tells: a secondary makes its socket there before it takes memory. This
 * is asked with the lock of the heap, which it needs for taking.
 *  - What is to be freed is chosen then, and its names are taken out of the lists of named
 *    objects, whose lock is held all the time: who starts now finds neither.
 * The freeing itself needs no more care: nobody can reach these pieces, and none is given to
 * anybody before it is free.
 *
 * What shared memory refers to: memzones (vale_client_memory.h frees them), ethdevs, entries in the
 * lists of named objects whose object is a memzone that stays, with what belongs to a mempool, and
 * registered mbuf fields, which hold for the group for ever. Named objects in the heap (hashes,
 * LPMs) are freed, their names with them.
 *
 * The thread `vale-memory`; who pauses it may call own_begin() and own_end().
 */

#include <stdbool.h>
#include <sys/types.h>

/** Take stock: no secondary lives, and what the last ones left was freed or is given up. Does
 * nothing if one has appeared meanwhile. */
void vale_client_heap_take_stock(void);

/** Around what the switch itself takes while secondaries may live. */
void vale_client_heap_own_begin(void);
void vale_client_heap_own_end(void);

/** Now and then: looks at what devices are attached. */
void vale_client_heap_watch(void);

enum vale_client_heap_sweep {
	VALE_CLIENT_HEAP_CLEAN, /**< whatever could be freed is */
	VALE_CLIENT_HEAP_KEPT,	/**< it cannot be told what may be freed */
	VALE_CLIENT_HEAP_LATER, /**< somebody is there: try again */
};

/**
 * Free what secondaries left.
 *
 * @param ending
 *   A process that has ended and is still listed; 0: none.
 */
enum vale_client_heap_sweep vale_client_heap_sweep(pid_t ending);

#endif /* VALE_CLIENT_HEAP_H */
