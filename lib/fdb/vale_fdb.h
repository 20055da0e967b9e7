/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_FDB_H
#define VALE_FDB_H

/**
 * @file
 * The forwarding database of a switch: MAC address to port, learned or static.
 *
 * Structure
 * ---------
 * An array of buckets, one cache line each, of eight entries of eight bytes. An entry is one
 * word:
 *
 *     bits 63..17   bit 16       bit 15   bits 14..0
 *     MAC address   generation   static   port
 *
 * No address in the table has the group bit (bit 0 of byte 0, hence bit 16 of the word), so the
 * table uses that bit for itself. A word whose other bits are zero is free; the zero address is
 * never entered. The upper half of a word is the part in which addresses of one vendor differ.
 *
 * A MAC has two candidate buckets and goes into the emptier one: with two choices the fullest of
 * n bins holds hardly more than the average one ("the power of two choices": Azar, Broder,
 * Karlin and Upfal, Balanced Allocations, SIAM J. Comput. 29, 1999; Mitzenmacher 2001). Ties go
 * to the first, which does better than a coin (Voecking, How Asymmetry Helps Load Balancing, J.
 * ACM 50, 2003). Filled to the promise, buckets hold four entries on average; by Mitzenmacher's
 * differential equations (dx_i/dt = x_{i-1}^2 - x_i^2, x_i being the share of buckets with i
 * entries at least, to t = 4) 5.5 in 100,000 hold seven, 1.7 in 10^10 hold eight, and a ninth
 * meets two full ones in less than 10^-15 of the tables for a million MACs. Nothing is ever moved
 * from one bucket to the other, as cuckoo hashing does, so that a reader never misses an entry
 * that is in motion.
 *
 * Both buckets come from one 64 by 64 bit multiplication with two secret numbers, its halves
 * folded together (as wyhash and others do); the second differs from the first by an odd number.
 * A lookup compares the upper halves of all sixteen words without a branch, which costs less
 * than one mispredicted jump from bucket to bucket would, and then the whole of those that
 * agree.
 *
 * The time at which an entry was last confirmed stands in an array of its own, in seconds, and
 * is written only when it changes: a line that is written for every packet would travel between
 * the cores with every packet. A third array counts the entries of each port, for fair eviction.
 *
 * Concurrency
 * -----------
 * Any number of threads look up and learn, beside one control thread that enters static entries,
 * deletes, flushes, sweeps and walks. There is no lock. These rules hold:
 *
 * - An entry changes by compare-and-swap of its whole word, so a reader sees a MAC with a port
 *   that was right for it, never a mixture. A MAC that moves to another port is one swap in
 *   place. The thread whose swap succeeded adjusts the counts, which are therefore exact as soon
 *   as no swap is under way (and may be off by the number of threads while they run; a flush or
 *   sweep puts down what it removed when it is done).
 *
 * - A learning thread's swaps expect a word without the static flag. So no static entry moves or
 *   goes by learning.
 *
 * - One entry a MAC. Two threads may insert the same MAC at once, into different slots. Whoever
 *   has inserted reads both buckets again, in the single total order of sequentially consistent
 *   operations: of two inserters, the later one at least sees both entries. Everybody who sees
 *   two removes the same one (a learned one before a static one, else the one in the higher
 *   slot), and starts again; vale_fdb_learn() returns only after it has seen both buckets
 *   without a double. A lookup that meets a double takes the static one.
 *
 * - Time stamps only go forward, and an inserter brings the stamp of a free slot forward
 *   *before* it swaps the entry in. A reader loads the word first and the stamp second: the
 *   stamp it sees is that of this occupant or a later one, never that of a former one, so a
 *   fresh entry cannot look expired. A thread that was held up between reading a word and
 *   writing its stamp writes a time before the new occupant came, which changes nothing.
 *
 * - The generation bit flips when an occupant leaves, and when an entry is confirmed after a
 *   pause (VALE_FDB_PAUSE_S). A sweeper or evictor that has found an entry expired therefore
 *   fails if it was confirmed, or removed and inserted again, before its swap. One bit does not
 *   tell two such changes between a read and its swap from none; the worst that follows is that
 *   a learned entry goes too early, as by an eviction, and the next frame brings it back.
 *
 * - A lookup that runs while its MAC is inserted twice, or evicted and inserted again, may miss
 *   it once (the frame is flooded).
 *
 * Clocks of the callers may differ by a second, and may wrap: ages are differences of 32 bits,
 * and a negative one counts as zero. An entry unconfirmed for 68 years may look young again.
 *
 * The table holds indices and no pointers, so it may lie in memory that several processes map.
 * It calls nothing of DPDK's, and no EAL need be running.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>

#include <rte_common.h>

#define VALE_FDB_BUCKET_ENTRIES 8
/** No such MAC in vale_fdb_lookup(); also the first invalid port index. */
#define VALE_FDB_NONE UINT16_MAX
/** Port indices are below this. */
#define VALE_FDB_PORTS_MAX 0x7fff
/** Most that may be asked for as nb_entries. */
#define VALE_FDB_ENTRIES_MAX (1u << 28)

/**
 * A MAC address as a number: byte 0 of the address in the lowest byte (as loaded from a frame on
 * a little-endian CPU). Bits 48..63 are zero.
 */
typedef uint64_t vale_mac_t;

struct vale_fdb;

/** What vale_fdb_walk() reports. */
struct vale_fdb_entry {
	uint8_t mac[6];
	uint16_t port; /**< port index */
	bool is_static;
	uint32_t age_s; /**< seconds since last confirmed; 0 for static */
};

/**
 * Memory that a table for @p nb_entries MACs takes, in bytes. nb_entries MACs fit (the table has
 * twice the slots).
 *
 * @param nb_entries
 *   1 .. VALE_FDB_ENTRIES_MAX; rounded up so that the bucket count is a power of two.
 * @param nb_ports
 *   1 .. VALE_FDB_PORTS_MAX; port indices 0 .. nb_ports - 1 can be entered.
 * @return
 *   Bytes, a multiple of the cache line; 0 if a parameter is out of range.
 *
 * Any thread; does not block.
 */
size_t vale_fdb_memsize(uint32_t nb_entries, uint16_t nb_ports);

/**
 * Make an empty table in memory of vale_fdb_memsize() bytes, aligned to a cache line.
 *
 * @param seed
 *   Seed of the hash; random, so that nobody can choose MACs that share a bucket.
 * @return
 *   mem as a table; NULL if mem is NULL or not aligned, or a parameter is out of range. The
 *   memory remains the caller's, who frees it when no thread uses the table any more; there is
 *   nothing else to destroy.
 *
 * Does not block. No other thread may use the memory yet.
 */
struct vale_fdb *vale_fdb_init(void *mem, uint32_t nb_entries, uint16_t nb_ports, uint64_t seed);

/** Most MACs that are promised to fit: nb_entries of vale_fdb_init(). */
uint32_t vale_fdb_capacity(const struct vale_fdb *fdb);

/** Entries in use, static ones and expired ones that were not swept yet included. Any thread. */
uint32_t vale_fdb_count(const struct vale_fdb *fdb);

/**
 * Start loading both candidate buckets of a MAC, and their time stamps, into the cache. Worth it
 * from a few MACs ahead; harmless for any number. Any thread.
 */
static inline void vale_fdb_prefetch(const struct vale_fdb *fdb, vale_mac_t mac);

/**
 * The port of a MAC. Any thread, no lock.
 *
 * @param now_s
 *   Now, in seconds of any clock that the callers agree on and that does not go back; it may wrap.
 * @param ageing_s
 *   Learned entries older than this are not found; 0 = never expire.
 * @return
 *   Port index, or VALE_FDB_NONE; always VALE_FDB_NONE for group addresses and the zero address.
 */
static inline uint16_t vale_fdb_lookup(
	const struct vale_fdb *fdb, vale_mac_t mac, uint32_t now_s, uint32_t ageing_s);

/**
 * Learn that a MAC was seen as source on a port: insert, move, or confirm. Group addresses (bit 0
 * of byte 0) and the zero address are not learned. A static entry is left as it is. Any thread,
 * lock-free. Confirming an entry that was confirmed in the same second writes nothing.
 *
 * With both buckets full, a victim is taken within them: an expired entry if there is one, never
 * a static one, else of the port that holds most of this table's entries the one confirmed
 * longest ago.
 *
 * @return
 *   0 if the MAC is now on that port, -ENOSPC if every entry of its buckets is static, -EPERM if
 *   it is not learned (group, zero, static elsewhere), -EINVAL if there is no such port index,
 *   -EAGAIN if other threads kept changing the same two buckets (not learned this time; its next
 *   frame does it).
 */
static inline int vale_fdb_learn(
	struct vale_fdb *fdb, vale_mac_t mac, uint16_t port, uint32_t now_s, uint32_t ageing_s);

/**
 * Enter a static entry, or make a learned one static and move it to @p port. Control thread,
 * beside learning workers. With both buckets full a learned entry is evicted as in
 * vale_fdb_learn(), except that no entry counts as expired.
 *
 * @return
 *   0, -EEXIST if the MAC is static already (on any port), -EINVAL for a group or zero address or
 *   if there is no such port index, -ENOSPC if every entry of its buckets is static.
 */
int vale_fdb_add_static(struct vale_fdb *fdb, vale_mac_t mac, uint16_t port);

/**
 * Remove the entry of a MAC, static or learned, expired or not. Control thread.
 *
 * @return
 *   0, or -ENOENT if there is none.
 */
int vale_fdb_del(struct vale_fdb *fdb, vale_mac_t mac);

/**
 * Remove learned entries, of one port or (VALE_FDB_NONE) of all. Static ones only with
 * @p also_static. Control thread. A worker that learns at the same time may leave a new entry.
 *
 * @return
 *   Number of entries removed.
 */
uint32_t vale_fdb_flush(struct vale_fdb *fdb, uint16_t port, bool also_static);

/**
 * Entries of a port, as counted. Not less than there are while no thread inserts for that port: so
 * with its queues taken from the workers, 0 means none. Any thread.
 */
uint32_t vale_fdb_port_count(const struct vale_fdb *fdb, uint16_t port);

/** Remove learned entries older than ageing_s (0: none). Returns how many. Control thread. */
uint32_t vale_fdb_sweep(struct vale_fdb *fdb, uint32_t now_s, uint32_t ageing_s);

/**
 * The same for a part of the table, so that a big one keeps nobody waiting. Control thread.
 *
 * @param slot
 *   Where to begin, 0 the first time; moved on, and 0 again when the end was reached.
 * @param nb
 *   Slots to look at, at most; the table has at least twice as many as vale_fdb_capacity().
 */
uint32_t vale_fdb_sweep_part(
	struct vale_fdb *fdb, uint32_t *slot, uint32_t nb, uint32_t now_s, uint32_t ageing_s);

/**
 * Call @p fn for every entry that has not expired. Control thread; entries that workers
 * change meanwhile are seen before or after, never torn.
 *
 * @return
 *   Number of calls made.
 */
uint32_t vale_fdb_walk(const struct vale_fdb *fdb, uint32_t now_s, uint32_t ageing_s,
	void (*fn)(void *arg, const struct vale_fdb_entry *e), void *arg);

/** The same for a part of the table; @p slot and @p nb_slots as in vale_fdb_sweep_part(). An entry
 * that is removed and comes again between two parts may be seen twice, or not. Control thread. */
uint32_t vale_fdb_walk_part(const struct vale_fdb *fdb, uint32_t *slot, uint32_t nb_slots,
	uint32_t now_s, uint32_t ageing_s, void (*fn)(void *arg, const struct vale_fdb_entry *e),
	void *arg);

/** Six bytes as a vale_mac_t. */
static inline vale_mac_t
vale_mac_from_bytes(const uint8_t b[6])
{
	return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
	       (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40;
}

/** Whether a MAC is a group address (multicast, broadcast). */
static inline bool
vale_mac_is_group(vale_mac_t mac)
{
	return mac & 1;
}

#include "vale_fdb_inline.h"

#endif /* VALE_FDB_H */
