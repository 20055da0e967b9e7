/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <sys/mman.h>

#include "connection.h"
#include "file.h"
#include "owner.h"
#include "state.h"
#include "sys.h"

/* Entries: these, or ENTRY_FILE + index of a file. */
enum { ENTRY_UNKNOWN = 0, ENTRY_OTHER = 1, ENTRY_UNBOUND = 2, ENTRY_FILE = 3 };

#define PAGE_ENTRIES 1024u
#define PAGES 1024u

typedef _Atomic uint16_t entry_t;

static entry_t first_page[PAGE_ENTRIES];
static _Atomic(entry_t *) pages[PAGES] = {first_page};
static struct vnm_file files[VNM_FILES_MAX];
static _Atomic uint32_t nb_known; /* entries that are netmap's */
static _Atomic uint32_t top;	  /* above the highest number that ever was */

bool
vnm_file_any(void)
{
	return atomic_load_explicit(&nb_known, memory_order_relaxed) != 0;
}

int
vnm_file_top(void)
{
	return (int)atomic_load_explicit(&top, memory_order_relaxed);
}

static void
top_raise(int fd)
{
	uint32_t was = atomic_load_explicit(&top, memory_order_relaxed);

	while (was < (uint32_t)fd + 1 &&
		!atomic_compare_exchange_weak(&top, &was, (uint32_t)fd + 1))
		;
}

/** A page of entries from the kernel. Two threads may make one; the second gives it back. */
static entry_t *
page_make(unsigned int i)
{
	entry_t *none = NULL, *page;
	long ret = vnm_sys_mmap(NULL, sizeof(first_page), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ret < 0 && ret >= -4095)
		return NULL;
	page = (entry_t *)ret;
	if (atomic_compare_exchange_strong(&pages[i], &none, page))
		return page;
	vnm_sys_munmap(page, sizeof(first_page));
	return none;
}

/** The entry of a number; NULL if it has none (far too high, or no memory). */
static entry_t *
entry_of(int fd, bool make)
{
	unsigned int i = (unsigned int)fd / PAGE_ENTRIES;
	entry_t *page;

	if (fd < 0 || i >= PAGES)
		return NULL;
	page = atomic_load_explicit(&pages[i], memory_order_acquire);
	if (page == NULL && make)
		page = page_make(i);
	return page == NULL ? NULL : &page[(unsigned int)fd % PAGE_ENTRIES];
}

struct vnm_file *
vnm_file_new(void)
{
	static _Atomic uint32_t hint;
	uint32_t i, at = atomic_load_explicit(&hint, memory_order_relaxed);

	for (i = 0; i < VNM_FILES_MAX; i++) {
		struct vnm_file *f = &files[(at + i) % VNM_FILES_MAX];
		uint32_t none = 0;

		if (!atomic_compare_exchange_strong(&f->refs, &none, 1))
			continue;
		atomic_store_explicit(&hint, at + i + 1, memory_order_relaxed);
		atomic_store_explicit(&f->idle, 0, memory_order_relaxed);
		f->region = NULL;
		return f;
	}
	return NULL;
}

void
vnm_file_put(struct vnm_file *f)
{
	struct vale_nm_region *region;
	size_t size;

	if (f == NULL)
		return;
	/* whoever makes it 0 gives it away: nothing of it may be read after that */
	region = f->region;
	size = f->size;
	if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1 && region != NULL)
		vnm_sys_munmap(region, size);
}

/** Count in, unless nobody holds the file any more. */
static bool
file_hold(struct vnm_file *f)
{
	uint32_t refs = atomic_load_explicit(&f->refs, memory_order_relaxed);

	while (refs != 0)
		if (atomic_compare_exchange_weak_explicit(
			    &f->refs, &refs, refs + 1, memory_order_acquire, memory_order_relaxed))
			return true;
	return false;
}

/** An entry that was `was` is `to` now: counted, and its reference to a file goes. */
static void
entry_account(uint16_t was)
{
	if (was >= ENTRY_UNBOUND)
		atomic_fetch_sub_explicit(&nb_known, 1, memory_order_relaxed);
	if (was >= ENTRY_FILE)
		vnm_file_put(&files[was - ENTRY_FILE]);
}

/** Change an entry, whatever it is. */
static void
entry_set(int fd, entry_t *e, uint16_t to)
{
	if (to >= ENTRY_UNBOUND) {
		top_raise(fd);
		atomic_fetch_add_explicit(&nb_known, 1, memory_order_relaxed);
	}
	entry_account(atomic_exchange(e, to));
}

/** Change an entry if it still is what it was: another thread may have closed the number, or been
 * given it, while this one asked the kernel or the switch. */
static bool
entry_change(int fd, entry_t *e, uint16_t was, uint16_t to)
{
	if (to >= ENTRY_UNBOUND) {
		top_raise(fd);
		atomic_fetch_add_explicit(&nb_known, 1, memory_order_relaxed);
	}
	if (atomic_compare_exchange_strong(e, &was, to)) {
		entry_account(was);
		return true;
	}
	if (to >= ENTRY_UNBOUND)
		atomic_fetch_sub_explicit(&nb_known, 1, memory_order_relaxed);
	return false;
}

/** The file of an entry, counted in; NULL if the entry has changed meanwhile. */
static struct vnm_file *
entry_file(entry_t *e, uint16_t is)
{
	struct vnm_file *f = &files[is - ENTRY_FILE];

	if (!file_hold(f))
		return NULL;
	if (atomic_load(e) == is)
		return f;
	vnm_file_put(f);
	return NULL;
}

/** What is known of the numbers: for this process, or for one that only borrows its memory? */
static bool
own(void)
{
	return vnm_owner_is_self();
}

void
vnm_file_opened(int fd)
{
	entry_t *e = entry_of(fd, true);

	if (e != NULL && own())
		entry_set(fd, e, ENTRY_UNBOUND);
}

void
vnm_file_received(int fd)
{
	entry_t *e = entry_of(fd, false);
	bool is = vnm_connection_is(fd);

	if (is)
		vnm_file_opened(fd);
	else if (e != NULL && atomic_load_explicit(e, memory_order_relaxed) != ENTRY_UNKNOWN)
		vnm_file_forget((unsigned int)fd, (unsigned int)fd);
}

/** Forget one; true if it was netmap's. */
static void
forget_one(int fd, entry_t *e)
{
	uint16_t is = atomic_load_explicit(e, memory_order_relaxed);

	if (is != ENTRY_UNKNOWN && own())
		entry_set(fd, e, ENTRY_UNKNOWN);
}

/** A number that was closed. Between forgetting it and closing it another thread may have looked,
 * and remembered what was about to go. */
static void
verify_one(int fd, entry_t *e)
{
	uint16_t is = atomic_load(e);
	struct vnm_file *f;
	bool right;

	if (is < ENTRY_UNBOUND || !own())
		return;
	if (is == ENTRY_UNBOUND) {
		right = vnm_connection_is(fd);
	} else {
		f = entry_file(e, is);
		right = f == NULL || vnm_file_same(fd, f);
		vnm_file_put(f);
	}
	if (!right)
		entry_change(fd, e, is, ENTRY_UNKNOWN);
}

/** For each entry that there is in [first, last]. */
static void
each(unsigned int first, unsigned int last, void (*what)(int fd, entry_t *e))
{
	unsigned int fd = first;

	if (last >= PAGES * PAGE_ENTRIES)
		last = PAGES * PAGE_ENTRIES - 1;
	while (fd <= last) {
		entry_t *e = entry_of((int)fd, false);

		if (e == NULL) { /* nothing known up to the next page */
			fd = (fd / PAGE_ENTRIES + 1) * PAGE_ENTRIES;
			continue;
		}
		what((int)fd++, e);
	}
}

void
vnm_file_forget(unsigned int first, unsigned int last)
{
	each(first, last, forget_one);
}

void
vnm_file_verify(unsigned int first, unsigned int last)
{
	each(first, last, verify_one);
}

void
vnm_file_copied(int old, int new)
{
	entry_t *from = entry_of(old, false), *to = entry_of(new, true);
	uint16_t is = from == NULL ? ENTRY_UNKNOWN : atomic_load(from);
	struct vnm_file *f;

	if (to == NULL || !own())
		return;
	if (is < ENTRY_UNBOUND) {
		forget_one(new, to);
		return;
	}
	/* the entry takes the reference */
	f = is == ENTRY_UNBOUND ? NULL : entry_file(from, is);
	entry_set(new, to, f == NULL ? ENTRY_UNBOUND : is);
}

bool
vnm_file_same(int fd, const struct vnm_file *f)
{
	return f->cookie == vnm_connection_cookie(fd);
}

/** A number met for the first time, or for sure. */
static uint16_t
entry_probe(int fd, entry_t *e, uint16_t was)
{
	uint16_t now = vnm_connection_is(fd) ? ENTRY_UNBOUND : ENTRY_OTHER;

	if (e == NULL || now == was || !own())
		return now;
	/* who closed the number before this, and after the look, left the entry as it was */
	if (entry_change(fd, e, was, now) && now == ENTRY_UNBOUND && !vnm_connection_is(fd)) {
		entry_change(fd, e, now, ENTRY_UNKNOWN);
		return ENTRY_OTHER;
	}
	return now;
}

/** Ask the switch what an unbound descriptor has been bound to meanwhile. */
static enum vnm_kind
entry_bind(int fd, entry_t *e, struct vnm_file **file)
{
	struct vnm_file *f = NULL;

	if (vnm_state_fetch(fd, &f) != 0) {
		if (vnm_connection_is(fd))
			return VNM_UNBOUND;
		/* the number is another's by now */
		if (e != NULL && own())
			entry_change(fd, e, ENTRY_UNBOUND, ENTRY_UNKNOWN);
		return VNM_NONE;
	}
	*file = f;
	if (e == NULL || !own())
		return VNM_BOUND;
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed); /* the entry's */
	if (!entry_change(fd, e, ENTRY_UNBOUND, (uint16_t)(ENTRY_FILE + (f - files))))
		vnm_file_put(f); /* another thread was first; this file serves its caller alone */
	else if (!vnm_file_same(fd, f)) /* the number is another's by now */
		entry_change(fd, e, (uint16_t)(ENTRY_FILE + (f - files)), ENTRY_UNKNOWN);
	return VNM_BOUND;
}

enum vnm_kind
vnm_file_get(int fd, struct vnm_file **file, bool sure)
{
	entry_t *e = entry_of(fd, true);
	struct vnm_file *unwanted = NULL;
	enum vnm_kind kind;
	uint16_t is;

	if (fd < 0)
		return VNM_NONE;
	while (1) {
		is = e == NULL ? ENTRY_UNKNOWN : atomic_load_explicit(e, memory_order_acquire);
		if (is == ENTRY_UNKNOWN || (is == ENTRY_OTHER && sure))
			is = entry_probe(fd, e, is);
		if (is == ENTRY_OTHER)
			return VNM_NONE;
		if (is == ENTRY_UNBOUND) {
			kind = entry_bind(fd, e, file != NULL ? file : &unwanted);
			vnm_file_put(unwanted);
			return kind;
		}
		if (file == NULL)
			return VNM_BOUND;
		*file = entry_file(e, is);
		if (*file != NULL)
			return VNM_BOUND;
	}
}

bool
vnm_file_is(int fd, bool sure)
{
	entry_t *e = entry_of(fd, true);
	uint16_t is = e == NULL ? ENTRY_UNKNOWN : atomic_load_explicit(e, memory_order_relaxed);

	if (fd >= 0 && (is == ENTRY_UNKNOWN || (is == ENTRY_OTHER && sure)))
		is = entry_probe(fd, e, is);
	return is >= ENTRY_UNBOUND;
}

bool
vnm_file_known(int fd)
{
	entry_t *e = entry_of(fd, false);

	return e != NULL && atomic_load_explicit(e, memory_order_relaxed) >= ENTRY_UNBOUND;
}
