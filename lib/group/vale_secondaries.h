/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_SECONDARIES_H
#define VALE_SECONDARIES_H

/**
 * @file
 * The secondary processes of the group, from their first moment to their last.
 *
 * A secondary makes the socket `mp_socket_PID_*` in the runtime folder before it sets up memory,
 * so the folder is watched (inotify), and then each process (pidfd). This runs in a thread of its
 * own, `vale-life`, which takes no lock of EAL's: it must see a process end while all
 * others wait for a lock that process held. The same thread lets go of such locks (vale_locks.h)
 * and removes what dead processes leave in the runtime folder, where EAL would go on talking to
 * them.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vale_control_server.h"
#include "vale_pool.h"
#include "vale_process.h"

enum vale_secondary_state {
	VALE_SECONDARY_STARTING = 0, /**< EAL's start, for VALE_SECONDARY_START_MS at most */
	VALE_SECONDARY_RUNNING = 1,
	VALE_SECONDARY_ATTACHED = 2, /**< has ports */
	VALE_SECONDARY_ENDED = 3,    /**< gone, its memory not yet taken back */
};

/** How long a process that does not attach counts as starting. */
#define VALE_SECONDARY_START_MS 2000
/** Processes that can be told apart; what further ones own is not found again. */
#define VALE_SECONDARIES_MAX 64

/** One process. */
struct vale_secondary {
	pid_t pid;		   /**< id.pid */
	struct vale_process_id id; /**< it may live in a PID namespace of its own */
	unsigned int slot;	   /**< 0 .. VALE_SECONDARIES_MAX - 1, its own while it is known */
	char comm[16];
	enum vale_secondary_state state;
	uint64_t age_ms; /**< since it was first seen */
};

/** Told on `vale-memory` that a process has ended and that no lock waits for it. */
typedef void (*vale_secondary_ended_t)(const struct vale_secondary *s);

/** Told on `vale-memory`, a moment after it, that a process has appeared. */
typedef void (*vale_secondary_appeared_t)(void);

/**
 * Start to watch. After EAL, with vale_eal_memory_find() done; before the server starts.
 *
 * @return
 *   0 or -errno.
 */
int vale_secondaries_start(vale_secondary_appeared_t appeared, vale_secondary_ended_t ended);

/** An eventfd, readable when a process has appeared or ended. While it is watched. */
int vale_secondaries_news_fd(void);

/** Read it and call those who are to be told. On `vale-memory`. */
void vale_secondaries_news(int fd);

/** Answer who they are (VALE_CTL_SECONDARIES). Before the server starts. */
void vale_secondaries_serve(struct vale_server *server);

/** End it. The control thread has been stopped. Idempotent. */
void vale_secondaries_stop(void);

/**
 * Who has ended and was not told yet; those who do not fit are told by the next call. Nobody is
 * kept for it before the first call. Any one thread.
 *
 * @return how many were written to @p out; less than @p max: these were all.
 */
unsigned int vale_secondaries_take_ended(struct vale_process_id *out, unsigned int max);

/**
 * Whether a process is a holder of the pool. Its number alone says that within the switch's PID
 * namespace only, and only until it is given to another. Any thread.
 */
bool vale_process_is_holder(
	const struct vale_process_id *id, const struct vale_pool_holder_info *info);

/** A process has got its first port, or lost its last. Any thread. */
void vale_secondaries_set_attached(pid_t pid, bool attached);

/** Those that live or have ended and are not yet taken back. Returns how many. Any thread. */
unsigned int vale_secondaries_list(struct vale_secondary *out, unsigned int max);

/** How many live. Any thread. */
unsigned int vale_secondaries_count(void);

/** How often one has appeared, also those that ended before they could be looked at. Any thread. */
unsigned int vale_secondaries_seen(void);

/**
 * Whether nobody has a socket in the runtime folder: also one that has just made it and is not
 * listed yet is seen. One that is ending may have removed it. Any thread; makes system calls.
 */
bool vale_secondaries_folder_is_empty(void);

#endif /* VALE_SECONDARIES_H */
