/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LIBNETMAP_H_
#define LIBNETMAP_H_

/**
 * @file
 * Opening netmap ports by name: a library over net/netmap_user.h, with the interface of netmap's
 * libnetmap. Names and types are netmap's, so that its programs compile; text and code are ours.
 *
 * A port is named by
 *
 *	netmap:NAME[MODE][OPTIONS]	an interface or a persistent port; "netmap:" is not sent
 *	valeSSS:PPP[MODE][OPTIONS]	port PPP of the switch valeSSS; SSS may be empty
 *
 * NAME and PPP may end in {ID or }ID, the two ends of a pipe. MODE is any of
 *
 *	^  ^N		all host ring pairs, or pair N
 *	*		host and port rings
 *	-N		ring pair N
 *	@N		with memory region N
 *	/FLAGS		x exclusive, z zero-copy monitor, t r copy monitors of transmit and receive
 *			rings, T R only transmit or only receive rings
 *
 * and OPTIONS, the first of which is the first '@' without a number behind it, are
 *
 *	@share:NAME	the memory region of port NAME
 *	@conf:KEY=N,... rings, tx-rings, rx-rings, host-rings, host-tx-rings, host-rx-rings, slots,
 *			tx-slots, rx-slots; what is more specific wins; of effect only for the open
 *			that makes the port
 *	@extmem:file=F	memory from a file; with if-num, if-size, ring-num, ring-size, buf-num,
 *			buf-size
 *	@offset:initial=N[,bits=N]	see nmport_offset(); for programs that enable it only
 *
 * `@OPTION=VALUE` gives the value to the option's main key: port, rings (none), file, initial.
 *
 * Functions return 0 or a pointer, and on failure -1 or NULL with errno, after a sentence to the
 * context's error(). vale-switch refuses host rings, pipes, monitors and extmem.
 *
 * Different threads may work on different descriptors; one descriptor belongs to one thread at a
 * time. The default context locks its list of regions.
 */

#include <stddef.h>
#include <stdint.h>
#include <net/netmap_user.h>

#ifdef __cplusplus
extern "C" {
#endif

struct nmctx;
struct nmem_d;
struct nmport_cleanup_d;

/* ---- ports -------------------------------------------------------------------------- */

/** A port. Members from `mem` on are for reading only. */
struct nmport_d {
	struct nmreq_header hdr;   /* of the request that opens it */
	struct nmreq_register reg; /* its body; after open, the switch's answer */

	struct nmem_d *mem; /* equal for two ports of one context: the same memory, zero copy */
	struct nmctx *ctx;
	int register_done;		 /* nmport_register() has succeeded */
	int mmap_done;			 /* nmport_mmap() has succeeded */
	struct nmreq_opt_extmem *extmem; /* that option, if set */

	int fd; /* of /dev/netmap; -1 when not open */
	struct netmap_if *nifp;
	uint16_t first_tx_ring; /* both ends included; first > last (as signed): none */
	uint16_t last_tx_ring;
	uint16_t first_rx_ring;
	uint16_t last_rx_ring;
	uint16_t cur_tx_ring; /* where nmport_inject() goes on */
	uint16_t cur_rx_ring;

	struct nmport_cleanup_d *clist; /* the library's: what nmport_undo_parse() undoes */
};

/** Open a port by name. Blocks for the switch's answer. Close with nmport_close(). */
struct nmport_d *nmport_open(const char *portspec);
/** Close and free. NULL is ignored. */
void nmport_close(struct nmport_d *d);

/**
 * Copy one frame into a transmit ring, over several slots if it is longer than a buffer. The frame
 * goes out with the next sync or poll.
 * @return size, or 0 when no ring has room, with nothing changed.
 */
int nmport_inject(struct nmport_d *d, const void *buf, size_t size);

/** nmport_open() in two steps: what is prepared can be changed before it is opened. */
struct nmport_d *nmport_prepare(const char *portspec);
int nmport_open_desc(struct nmport_d *d);
void nmport_undo_prepare(struct nmport_d *d);
void nmport_undo_open_desc(struct nmport_d *d);

/** nmport_prepare() in two steps. nmport_parse() that fails leaves *d as it was. */
struct nmport_d *nmport_new(void);
int nmport_parse(struct nmport_d *d, const char *portspec);
void nmport_delete(struct nmport_d *d);
void nmport_undo_parse(struct nmport_d *d);

/** nmport_open_desc() in two steps. A region that the context knows by its id is not mapped twice.
 */
int nmport_register(struct nmport_d *d);
int nmport_mmap(struct nmport_d *d);
void nmport_undo_register(struct nmport_d *d);
void nmport_undo_mmap(struct nmport_d *d);

/**
 * A prepared descriptor with the same request as d, without its options, in the same context. If d
 * is open, the copy asks for its memory region.
 */
struct nmport_d *nmport_clone(struct nmport_d *d);

/** Ask for memory of the caller's, until the port is registered. EINVAL when it is, or done twice.
 */
int nmport_extmem(struct nmport_d *d, void *base, size_t size);
/** The same with a file, which is mapped until nmport_undo_parse(). */
int nmport_extmem_from_file(struct nmport_d *d, const char *fname);
/** Wishes before, truth after the port is registered. NULL without extmem. */
struct nmreq_pools_info *nmport_extmem_getinfo(struct nmport_d *d);

/**
 * Ask for offsets: frames may begin inside their buffer, at the offset in the low bits of
 * slot->ptr (NETMAP_ROFFSET, NETMAP_WOFFSET, NETMAP_BUF_OFFSET).
 * @param initial  offset that all slots get
 * @param maxoff   largest offset that the program will use
 * @param bits     of ptr to use; 0 = all
 * @param mingap   bytes a slot may be written at most, for buffers shared by slots; 0 = no matter
 */
int nmport_offset(
	struct nmport_d *d, uint64_t initial, uint64_t maxoff, uint64_t bits, uint64_t mingap);

/** Options a program cannot handle are refused with EOPNOTSUPP. Not thread-safe: before any open.
 */
void nmport_disable_option(const char *opt);
/** EOPNOTSUPP for an option that there is not. */
int nmport_enable_option(const char *opt);

/* ---- requests ----------------------------------------------------------------------- */

/** All zero but version, type and body. */
void nmreq_header_init(struct nmreq_header *hdr, uint16_t reqtype, void *body);

/**
 * Take the name from the front of a port's specification into hdr->nr_name, and move *ppspec behind
 * it. EINVAL: *ppspec and *hdr are unchanged.
 */
int nmreq_header_decode(const char **ppspec, struct nmreq_header *hdr, struct nmctx *ctx);

/**
 * Take MODE into nr_mode, nr_ringid, nr_flags and nr_mem_id, and move *pmode behind it, to an
 * option's '@' or to the end. EINVAL: *pmode and *reg are unchanged.
 */
int nmreq_register_decode(const char **pmode, struct nmreq_register *reg, struct nmctx *ctx);

struct nmreq_parse_ctx;
typedef int (*nmreq_opt_parser_cb)(struct nmreq_parse_ctx *);

#define NMREQ_OPT_MAXKEYS 16

/** One key of an option. */
struct nmreq_opt_key {
	const char *key; /* with '_' where users write '-' */
	int id;		 /* index in nmreq_parse_ctx.keys */
	unsigned int flags;
#define NMREQ_OPTK_ALLOWEMPTY (1U << 0) /* may stand without =VALUE */
#define NMREQ_OPTK_MUSTSET (1U << 1)
#define NMREQ_OPTK_DEFAULT (1U << 2) /* gets VALUE of @OPTION=VALUE */
};

/** One option. */
struct nmreq_opt_parser {
	const char *prefix;
	nmreq_opt_parser_cb parse; /* 0, or -1 with errno */
	int default_key;	   /* id, or -1 */
	int nr_keys;
	unsigned int flags;
#define NMREQ_OPTF_DISABLED (1U << 0)
#define NMREQ_OPTF_ALLOWEMPTY (1U << 1) /* may stand without keys */
	struct nmreq_opt_parser *next;
	struct nmreq_opt_key keys[NMREQ_OPT_MAXKEYS];
} __attribute__((aligned(16)));

/** What an option's parse() gets. */
struct nmreq_parse_ctx {
	struct nmctx *ctx;
	void *token;			     /* given to nmreq_options_decode() */
	const char *keys[NMREQ_OPT_MAXKEYS]; /* values by id; NULL where not given */
};

/**
 * Parse "@...@...", each option by the parser of that name. EINVAL for what cannot be understood,
 * EOPNOTSUPP for a disabled option, or what a parser says; effects of earlier options stay.
 */
int nmreq_options_decode(
	const char *opt, struct nmreq_opt_parser *parsers, void *token, struct nmctx *ctx);

/** The memory region of a port, by PORT_INFO_GET; moves *portname behind the name. Or -1. */
int32_t nmreq_get_mem_id(const char **portname, struct nmctx *ctx);

/** The list of options of a request. */
void nmreq_push_option(struct nmreq_header *h, struct nmreq_option *o);
void nmreq_remove_option(struct nmreq_header *h, struct nmreq_option *o);
struct nmreq_option *nmreq_find_option(struct nmreq_header *h, uint32_t reqtype);
/** With free(): for options that malloc() gave. The list is empty afterwards. */
void nmreq_free_options(struct nmreq_header *h);
const char *nmreq_option_name(uint32_t reqtype);
#define nmreq_foreach_option(h_, o_)                                                      \
	for ((o_) = (struct nmreq_option *)((uintptr_t)((h_)->nr_options)); (o_) != NULL; \
		(o_) = (struct nmreq_option *)((uintptr_t)((o_)->nro_next)))

/* ---- contexts ----------------------------------------------------------------------- */

typedef void (*nmctx_error_cb)(struct nmctx *, const char *);
typedef void *(*nmctx_malloc_cb)(struct nmctx *, size_t);
typedef void (*nmctx_free_cb)(struct nmctx *, void *);
typedef void (*nmctx_lock_cb)(struct nmctx *, int lock);

/** How the library reports, allocates and locks, and the regions that it mapped. */
struct nmctx {
	int verbose; /* 0: error() is never called */
	nmctx_error_cb error;
	nmctx_malloc_cb malloc;
	nmctx_free_cb free;
	nmctx_lock_cb lock; /* 1: lock, 0: unlock mem_descs; may be NULL */

	struct nmem_d *mem_descs;
};

/** The context of nmport_new() and nmport_open(). */
struct nmctx *nmctx_get(void);
/** @return the one before. */
struct nmctx *nmctx_set_default(struct nmctx *ctx);

/** A region that is mapped. */
struct nmem_d {
	uint16_t mem_id;
	int refcount; /* descriptors that use it */
	void *mem;
	size_t size;
	int is_extmem;
	struct nmem_d *next;
	struct nmem_d *prev;
};

/** Nothing to do: the default context always locks. LIBNETMAP_NOTHREADSAFE changes nothing. */
void nmctx_set_threadsafe(void);

void nmctx_ferror(struct nmctx *ctx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *nmctx_malloc(struct nmctx *ctx, size_t sz);
void nmctx_free(struct nmctx *ctx, void *p);
void nmctx_lock(struct nmctx *ctx);
void nmctx_unlock(struct nmctx *ctx);

#ifdef __cplusplus
}
#endif
#endif /* LIBNETMAP_H_ */
