/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_GROUP_H
#define VALE_GROUP_H

/**
 * @file
 * The DPDK multi-process group of which the switch is the primary process: what EAL would do
 * to secondaries behind our back, and what they must agree on with us.
 *
 *  - A vdev of the primary does not appear in secondaries (EAL's `bus_vdev_mp` answers with none).
 *  - A hot plug or unplug in one secondary reaches that secondary alone (EAL's `eal_dev_mp_request`
 *    would probe the device in the primary and in all others).
 *  - The order of mempool operations is published, so net_vale can give a secondary's table
 *    the same order.
 *  - Secondaries may be linked with DPDK libraries that the switch has not loaded.
 *  - A secondary that is killed may hold locks of EAL's and leave memory; see vale_secondaries.h,
 *    vale_locks.h, vale_client_memory.h.
 *  - Two processes must not share an lcore id: mempool caches are indexed by it.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vale_control_proto.h"
#include "vale_control_server.h"
#include "vale_process.h"

/**
 * Take over the group after rte_eal_init() in the primary: replace EAL's multi-process actions,
 * publish the mempool operations, create ethdev's shared data, link the control socket into the
 * runtime folder.
 *
 * @param socket_path
 *   The control socket; linked as VALE_RUNTIME_SOCKET in rte_eal_get_runtime_dir(). NULL: no link.
 * @return
 *   0 or -errno. With --no-huge or --in-memory (no secondaries) it does what applies and returns 0.
 */
int vale_group_init(const char *socket_path);

/**
 * Watch the group's secondaries: see them come and go, release locks of EAL's that one which was
 * killed held, free the memory that it made itself. After vale_group_init(), before the server
 * starts.
 *
 * @return
 *   0 or -errno. Does nothing where secondaries are not possible.
 */
int vale_group_watch(struct vale_server *server);

/** Memory of secondaries is looked after no more; their locks are, until vale_group_fini(). After
 * the server was stopped. Idempotent. Main thread. */
void vale_group_unwatch(void);

/** Undo it at the end: unlink, unregister. */
void vale_group_fini(void);

/** Lcore ids in use by one process. Bit i of word i / 64. */
struct vale_lcore_set {
	uint64_t w[VALE_CTL_LCORE_BITS / 64];
};

/**
 * Register the lcore ids of a client process, once per attached port (reference counted by pid).
 *
 * @param why
 *   On refusal, at least VALE_CTL_TEXT_SZ bytes: names the pid that has the ids and the `--lcores`
 * that would do (as many free ids as were asked for, on the CPUs of this machine).
 * @return
 *   0, -EBUSY on overlap with the switch or another live client, -ENOMEM.
 */
int vale_group_claim_lcores(pid_t pid, const struct vale_lcore_set *set, char *why);

/** One port fewer. The ids are free when the process has given back its last port and has ended. */
void vale_group_release_lcores(pid_t pid);

/** Have fn() called before the lcore ids of a process that has ended become free. One only; NULL:
 * none. */
void vale_group_on_ended(void (*fn)(const struct vale_process_id *id));

/** Take out of @p set what processes other than @p pid have claimed. */
void vale_group_drop_claimed(pid_t pid, struct vale_lcore_set *set);

/** A `--lcores` argument of @p nb ids that nobody uses, e.g. `0@0,1@1`. */
void vale_group_free_lcores(unsigned int nb, char *buf, size_t sz);

#endif /* VALE_GROUP_H */
