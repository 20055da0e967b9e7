/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_CLIENT_MEMORY_H
#define VALE_CLIENT_MEMORY_H

/**
 * @file
 * Memory that secondaries made themselves: freed when they have ended.
 *
 *  - Mempools: net_vale tells their names (VALE_CTL_OWN_POOL).
 *  - Memzones, of which rings are one use: nobody tells, so the table of memzones is looked
 *    through twice a second. A new one may belong to any process that lived since the last look,
 * and one whose process has ended to any that lives then; when the last of those has ended it is
 * freed. So a ring's name is free again at once if no other secondary lives, and later otherwise.
 *  - What EAL's start takes from the heap, 152 KB a process: found by its form, and told
 *    apart like memzones.
 *  - Other pieces of the heap (hashes, LPMs, what was rte_malloc()ed) may be anybody's: they are
 *    freed when no secondary lives (vale_client_heap.h), and counted where that cannot be.
 *
 * The thread `vale-memory` (vale_memory_thread.h), unless it says otherwise.
 */

#include <stdint.h>

#include "vale_control_server.h"
#include "vale_secondaries.h"

/** How often memory is looked through. */
#define VALE_CLIENT_MEMORY_SCAN_MS 500

/** Take stock of what is the switch's own. Before secondaries are let in and the server starts. 0
 * or -errno. */
int vale_client_memory_init(struct vale_server *server);

/** Look through memory. */
void vale_client_memory_tick(void);

/** A process begins: what is there now is not its. */
void vale_client_memory_appeared(void);

/** A process has ended, and no lock waits for it: free what was its. */
void vale_client_memory_ended(const struct vale_secondary *s);

/** Around what the switch itself may reserve after its start: what appears between is not a
 * client's. Control thread; waits while another holds a lock that died with it. */
void vale_client_memory_own_begin(void);
void vale_client_memory_own_end(void);

/**
 * Bytes that processes which have ended left behind, or may have, and that are not freed: memzones
 * that may as well be a living process's, pools of kinds that the switch cannot take apart, and, as
 * of the last moment without a secondary, pieces of the heap.
 */
uint64_t vale_client_memory_orphan_bytes(void);

/**
 * Bytes of the heap in use now that were not before there were secondaries, nor taken by the switch
 * since: living secondaries' and what dead ones left, which pieces do not tell apart. As of the
 * last look. Any thread.
 */
uint64_t vale_client_memory_heap(void);

#endif /* VALE_CLIENT_MEMORY_H */
