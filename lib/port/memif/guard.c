/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include "memif_port.h"

/*
 * Memory that a client takes away under us.
 *
 * A client's region is a file that the client can cut (ftruncate), or whose hugepages may be
 * spent: touching it then raises SIGBUS in the thread that does, a worker in most cases. The
 * handler finds the region in a table, puts pages of zeroes in the place of the whole of it, so
 * that the access succeeds and no other of this region can fail, and notes the fault; the control
 * thread parts from the client. Nothing read from there matters any more. Any other SIGBUS is
 * handled as if we were not there.
 *
 * The table is written by the control thread and read by the handler, in any thread. A region that
 * a thread can touch is in the table and stays there (RCU: it is taken out when no worker
 * can have it any more), so the handler's own entry is never changed under it. That of another
 * region may be, hence the sequence number: odd while it changes.
 */

/* Regions of all clients. */
#define SLOTS 16384

struct slot {
	_Atomic uint32_t seq;
	_Atomic uintptr_t addr;
	_Atomic size_t len; /* 0: free */
	_Atomic(struct memif_port *) port;
};

static struct slot slots[SLOTS];
static _Atomic unsigned int nb_slots; /* used ones lie below; never becomes less */
static struct sigaction before;

/* A consistent copy of a slot. Returns false if it is free, or changes: then it is not ours. */
static bool
slot_read(struct slot *s, uintptr_t *addr, size_t *len, struct memif_port **port)
{
	/* acquire, and the fence: what is read between two equal numbers belongs together */
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_acquire);

	*addr = atomic_load_explicit(&s->addr, memory_order_relaxed);
	*len = atomic_load_explicit(&s->len, memory_order_relaxed);
	*port = atomic_load_explicit(&s->port, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	return (seq & 1) == 0 && *len > 0 &&
	       atomic_load_explicit(&s->seq, memory_order_relaxed) == seq;
}

static void
slot_write(struct slot *s, uintptr_t addr, size_t len, struct memif_port *port)
{
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed);

	atomic_store_explicit(&s->seq, seq + 1, memory_order_relaxed);
	/* release: the odd number comes first */
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&s->addr, addr, memory_order_relaxed);
	atomic_store_explicit(&s->len, len, memory_order_relaxed);
	atomic_store_explicit(&s->port, port, memory_order_relaxed);
	atomic_store_explicit(&s->seq, seq + 2, memory_order_release);
}

/* Replace the region around an address. Returns false if it is in none. */
static bool
replace_region(uintptr_t at)
{
	unsigned int nb = atomic_load_explicit(&nb_slots, memory_order_acquire);
	struct memif_port *port;
	uintptr_t addr;
	size_t len;

	for (unsigned int i = 0; i < nb; i++) {
		if (!slot_read(&slots[i], &addr, &len, &port) || at - addr >= len)
			continue;
		if (mmap((void *)addr, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
			    0) == MAP_FAILED)
			return false;
		memif_port_fault(port, MEMIF_FAULT_REGION);
		return true;
	}
	return false;
}

/* Async-signal-safe: loads, mmap() and write(), which are bare system calls, and sigaction(). */
static void
on_sigbus(int sig, siginfo_t *info, void *context)
{
	int err = errno;
	bool done = false;

	if (info->si_code == BUS_ADRERR || info->si_code == BUS_MCEERR_AR)
		done = replace_region((uintptr_t)info->si_addr);
	if (!done) {
		/* not ours: who was there before sees it when the access is tried again */
		sigaction(SIGBUS, &before, NULL);
		if (info->si_code <= 0)
			raise(SIGBUS); /* sent by a process: there is no access */
	}
	errno = err;
}

int
memif_guard_init(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_RESTART};

	sigemptyset(&sa.sa_mask);
	return sigaction(SIGBUS, &sa, &before) < 0 ? -errno : 0;
}

void
memif_guard_fini(void)
{
	sigaction(SIGBUS, &before, NULL);
}

int
memif_guard_add(void *addr, size_t len, struct memif_port *p)
{
	unsigned int i = 0;

	while (i < SLOTS && atomic_load_explicit(&slots[i].len, memory_order_relaxed) > 0)
		i++;
	if (i == SLOTS)
		return -ENOMEM;
	slot_write(&slots[i], (uintptr_t)addr, len, p);
	/* release: the slot is written */
	if (i >= atomic_load_explicit(&nb_slots, memory_order_relaxed))
		atomic_store_explicit(&nb_slots, i + 1, memory_order_release);
	return (int)i;
}

void
memif_guard_del(int slot)
{
	slot_write(&slots[slot], 0, 0, NULL);
}
