/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_NET_NETMAP_NM_H
#define VALE_NET_NETMAP_NM_H
#define HAVE_NETMAP_WITH_LIBS

/**
 * @file
 * nm_open and its kin, in the manner of libpcap. Included by <net/netmap_user.h> when
 * NETMAP_WITH_LIBS is defined; programs include that.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/** A received frame. The first three as struct pcap_pkthdr. */
struct nm_pkthdr {
	struct timeval ts;
	uint32_t caplen; /**< bytes that lie at buf in one piece */
	uint32_t len;	 /**< bytes of the whole frame */

	uint64_t flags;
#define NM_MORE_PKTS 1 /**< nm_dispatch has another one ready */
	struct nm_desc *d;
	struct netmap_slot *slot;
	uint8_t *buf;
};

/** As struct pcap_stat. */
struct nm_stat {
	unsigned int ps_recv;
	unsigned int ps_drop;
	unsigned int ps_ifdrop;
};

#define NM_ERRBUF_SIZE 512

/** An open port. */
struct nm_desc {
	struct nm_desc *self; /**< its own address when it is open */
	int fd;
	void *mem; /**< the region */
	size_t memsize;
	int done_mmap; /**< mem was mapped for this descriptor, not inherited */
	struct netmap_if *const nifp;
	uint16_t first_tx_ring, last_tx_ring, cur_tx_ring;
	uint16_t first_rx_ring, last_rx_ring, cur_rx_ring;
	struct nmreq req;
	struct nm_pkthdr hdr; /**< nm_dispatch */

	struct netmap_ring *const some_ring;
	void *const buf_start; /**< buffers of the region: */
	void *const buf_end;   /**< [buf_start, buf_end) */
	int snaplen;
	int promisc;
	int to_ms;
	char *errbuf;

	uint32_t if_flags;
	uint32_t if_reqcap;
	uint32_t if_curcap;

	struct nm_stat st;
	char msg[NM_ERRBUF_SIZE];
};

#define P2NMD(p) ((const struct nm_desc *)(p))
#define IS_NETMAP_DESC(d) ((d) && P2NMD(d)->self == P2NMD(d))
#define NETMAP_FD(d) (P2NMD(d)->fd)

/** Called with each frame. */
typedef void (*nm_cb_t)(unsigned char *, const struct nm_pkthdr *, const unsigned char *d);

/** What nm_open takes from the descriptor given to it. The low 16 bits are NETMAP_NO_TX_POLL and
 * NETMAP_DO_RX_POLL. */
enum {
	NM_OPEN_NO_MMAP = 0x040000, /* do not map; use the other's memory if the region is one */
	NM_OPEN_IFNAME = 0x080000,  /* nr_name, nr_ringid, nr_flags */
	NM_OPEN_ARG1 = 0x100000,
	NM_OPEN_ARG2 = 0x200000,     /* the region */
	NM_OPEN_ARG3 = 0x400000,     /* extra buffers */
	NM_OPEN_RING_CFG = 0x800000, /* numbers of rings and slots */
};

#define MAXERRMSG 80

/* Everything is static in each program's file; no warnings about what it leaves unused. */
#define VALE_NM_API static __attribute__((__unused__))

VALE_NM_API struct nm_desc *nm_open(
	const char *ifname, const struct nmreq *req, uint64_t flags, const struct nm_desc *arg);
VALE_NM_API int nm_close(struct nm_desc *d);
VALE_NM_API int nm_mmap(struct nm_desc *d, const struct nm_desc *parent);
VALE_NM_API int nm_inject(struct nm_desc *d, const void *buf, size_t size);
VALE_NM_API int nm_dispatch(struct nm_desc *d, int cnt, nm_cb_t cb, unsigned char *arg);
VALE_NM_API unsigned char *nm_nextpkt(struct nm_desc *d, struct nm_pkthdr *hdr);

/** Are all of [s, e) letters, digits or underscores? */
VALE_NM_API int
nm_is_identifier(const char *s, const char *e)
{
	while (s < e && (isalnum((unsigned char)*s) || *s == '_'))
		s++;
	return s == e;
}

/** What a port's name says behind the name. */
struct vale_nm_suffix {
	uint32_t mode;	/* NR_REG_* */
	uint32_t flags; /* NR_* */
	uint32_t ring;
	uint32_t mem_id;
};

/** A number at *s, which moves behind it: 0, or -1 and a message. */
VALE_NM_API int
vale_nm_suffix_number(const char **s, long min, long end, uint32_t *out, char *msg)
{
	char *rest;
	long num = strtol(*s, &rest, 10);

	if (num < min || num >= end) {
		snprintf(msg, MAXERRMSG, "%ld out of range [%ld, %ld)", num, min, end);
		return -1;
	}
	*s = rest;
	*out = (uint32_t)num;
	return 0;
}

/** Ring selection: ^, *, -N, {N, }N. */
VALE_NM_API int
vale_nm_suffix_rings(const char **s, struct vale_nm_suffix *x, char *msg)
{
	static const char letters[] = "^*-{}";
	static const uint32_t modes[] = {
		NR_REG_SW, NR_REG_NIC_SW, NR_REG_ONE_NIC, NR_REG_PIPE_MASTER, NR_REG_PIPE_SLAVE};
	const char *at = strchr(letters, **s);

	x->mode = NR_REG_ALL_NIC;
	if (**s == '\0' || at == NULL)
		return 0;
	x->mode = modes[at - letters];
	(*s)++;
	if (x->mode == NR_REG_SW || x->mode == NR_REG_NIC_SW)
		return 0;
	if (**s == '\0') {
		snprintf(msg, MAXERRMSG, "unexpected end of port name");
		return -1;
	}
	return vale_nm_suffix_number(s, 0, NETMAP_RING_MASK, &x->ring, msg);
}

/** Letters behind a slash. */
VALE_NM_API int
vale_nm_suffix_flags(const char **s, struct vale_nm_suffix *x, char *msg)
{
	static const char letters[] = "xztrRT";
	static const uint32_t flags[] = {NR_EXCLUSIVE, NR_ZCOPY_MON, NR_MONITOR_TX, NR_MONITOR_RX,
		NR_RX_RINGS_ONLY, NR_TX_RINGS_ONLY};
	const char *at;

	if (**s == '\0') {
		snprintf(msg, MAXERRMSG, "unexpected end of port name");
		return -1;
	}
	for (; **s != '\0' && **s != '@'; (*s)++) {
		at = strchr(letters, **s);
		if (at == NULL) {
			snprintf(msg, MAXERRMSG, "unrecognized flag: '%c'", **s);
			return -1;
		}
		x->flags |= flags[at - letters];
	}
	return 0;
}

/** A region's id behind an at sign. */
VALE_NM_API int
vale_nm_suffix_mem_id(const char **s, struct vale_nm_suffix *x, char *msg)
{
	if (x->mem_id != 0) {
		snprintf(msg, MAXERRMSG, "double setting of memid");
		return -1;
	}
	return vale_nm_suffix_number(s, 1, 65536, &x->mem_id, msg);
}

VALE_NM_API int
vale_nm_suffix_parse(const char *s, struct vale_nm_suffix *x, char *msg)
{
	int error = vale_nm_suffix_rings(&s, x, msg);

	while (error == 0 && *s != '\0') {
		char c = *s++;

		if (c == '/')
			error = vale_nm_suffix_flags(&s, x, msg);
		else if (c == '@')
			error = vale_nm_suffix_mem_id(&s, x, msg);
		else {
			snprintf(msg, MAXERRMSG, "unexpected character: '%c'", c);
			error = -1;
		}
	}
	return error;
}

/** Where the name of "netmap:NAME..." or "valeS:PORT..." ends; NULL and a message if it is none.
 * *name is where it begins. */
VALE_NM_API const char *
vale_nm_name_end(const char *ifname, const char **name, char *msg)
{
	const char *port, *end;

	if (ifname[0] != 'v') {
		*name = ifname + strlen("netmap:");
		return *name + strcspn(*name, "-*^{}/@");
	}
	*name = ifname;
	port = strchr(ifname, ':');
	if (port == NULL) {
		snprintf(msg, MAXERRMSG, "missing ':' in vale name");
		return NULL;
	}
	if (!nm_is_identifier(ifname + strlen(NM_BDG_NAME), port)) {
		snprintf(msg, MAXERRMSG, "invalid bridge name");
		return NULL;
	}
	port++;
	end = port + strcspn(port, "-*^{}/@");
	if (!nm_is_identifier(port, end)) {
		snprintf(msg, MAXERRMSG, "invalid bridge port name");
		return NULL;
	}
	return end;
}

/**
 * Fill d->req's name, ring, flags and region from the name of a port, "netmap:NAME" or
 * "valeS:PORT", and what may follow it: ^ * -N {N }N, then /xztrRT and @REGION.
 * Returns 0, or -1 with errno and, if err is not NULL, a message in its MAXERRMSG bytes.
 */
VALE_NM_API int
nm_parse(const char *ifname, struct nm_desc *d, char *err)
{
	struct vale_nm_suffix x;
	char msg[MAXERRMSG] = "";
	const char *name, *end;
	size_t len;

	memset(&x, 0, sizeof(x));
	end = vale_nm_name_end(ifname, &name, msg);
	if (end == NULL)
		goto fail;
	len = (size_t)(end - name);
	if (len >= sizeof(d->req.nr_name)) {
		snprintf(msg, sizeof(msg), "name too long");
		goto fail;
	}
	if (vale_nm_suffix_parse(end, &x, msg) != 0)
		goto fail;
	memcpy(d->req.nr_name, name, len);
	d->req.nr_name[len] = '\0';
	d->req.nr_flags |= x.mode | x.flags;
	d->req.nr_ringid = (uint16_t)(d->req.nr_ringid | x.ring);
	d->req.nr_arg2 = (uint16_t)x.mem_id;
	d->self = d;
	return 0;

fail:
	errno = EINVAL;
	if (err != NULL)
		memcpy(err, msg, MAXERRMSG);
	return -1;
}

/** Take from another descriptor what the flags of nm_open say. */
VALE_NM_API void
vale_nm_import(struct nmreq *req, const struct nmreq *from, uint64_t flags)
{
	req->nr_arg1 = (flags & NM_OPEN_ARG1) ? from->nr_arg1 : 4;
	req->nr_arg3 = (flags & NM_OPEN_ARG3) ? from->nr_arg3 : 0;
	if (flags & NM_OPEN_ARG2)
		req->nr_arg2 = from->nr_arg2;
	if (flags & NM_OPEN_RING_CFG) {
		req->nr_tx_slots = from->nr_tx_slots;
		req->nr_rx_slots = from->nr_rx_slots;
		req->nr_tx_rings = from->nr_tx_rings;
		req->nr_rx_rings = from->nr_rx_rings;
	}
	if (flags & NM_OPEN_IFNAME) {
		memcpy(req->nr_name, from->nr_name, sizeof(req->nr_name));
		req->nr_ringid = from->nr_ringid;
		req->nr_flags = from->nr_flags;
	}
}

/** Which rings the descriptor was bound to. */
VALE_NM_API void
vale_nm_set_rings(struct nm_desc *d)
{
	uint16_t tx = d->req.nr_tx_rings, rx = d->req.nr_rx_rings;
	uint16_t one = d->req.nr_ringid & NETMAP_RING_MASK;

	d->first_tx_ring = d->last_tx_ring = 0;
	d->first_rx_ring = d->last_rx_ring = 0;
	switch (d->req.nr_flags & NR_REG_MASK) {
	case NR_REG_SW: /* host rings come behind the others */
		d->first_tx_ring = d->last_tx_ring = tx;
		d->first_rx_ring = d->last_rx_ring = rx;
		break;
	case NR_REG_ALL_NIC:
		d->last_tx_ring = (uint16_t)(tx - 1);
		d->last_rx_ring = (uint16_t)(rx - 1);
		break;
	case NR_REG_NIC_SW:
		d->last_tx_ring = tx;
		d->last_rx_ring = rx;
		break;
	case NR_REG_ONE_NIC:
		d->first_tx_ring = d->last_tx_ring = one;
		d->first_rx_ring = d->last_rx_ring = one;
		break;
	default: /* pipes have one pair */
		break;
	}
	d->cur_tx_ring = d->first_tx_ring;
	d->cur_rx_ring = d->first_rx_ring;
}

/** The steps of nm_open on a fresh descriptor: 0, or -1 with errno and a message. */
VALE_NM_API int
vale_nm_open_steps(struct nm_desc *d, const char *ifname, const struct nmreq *req, uint64_t flags,
	const struct nm_desc *parent, char *msg)
{
	d->fd = open(NETMAP_DEVICE_NAME, O_RDWR);
	if (d->fd < 0) {
		snprintf(msg, MAXERRMSG, "cannot open %s: %s", NETMAP_DEVICE_NAME, strerror(errno));
		return -1;
	}
	if (req != NULL)
		d->req = *req;
	if (!(flags & NM_OPEN_IFNAME) && nm_parse(ifname, d, msg) != 0)
		return -1;
	d->req.nr_version = NETMAP_API;
	d->req.nr_ringid &= NETMAP_RING_MASK;
	if (IS_NETMAP_DESC(parent) && flags != 0)
		vale_nm_import(&d->req, &parent->req, flags);
	d->req.nr_ringid =
		(uint16_t)(d->req.nr_ringid | (flags & (NETMAP_NO_TX_POLL | NETMAP_DO_RX_POLL)));
	if (ioctl(d->fd, NIOCREGIF, &d->req) != 0) {
		snprintf(msg, MAXERRMSG, "NIOCREGIF failed: %s", strerror(errno));
		return -1;
	}
	vale_nm_set_rings(d);
	/* with a parent, its memory is looked at even if nothing shall be mapped */
	if ((parent != NULL || !(flags & NM_OPEN_NO_MMAP)) && nm_mmap(d, parent) != 0) {
		snprintf(msg, MAXERRMSG, "mmap failed: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/**
 * Open, bind and map a port.
 *
 * @param ifname  as nm_parse takes it
 * @param req     initial request, NULL for defaults
 * @param flags   NM_OPEN_*, NETMAP_NO_TX_POLL, NETMAP_DO_RX_POLL
 * @param arg     a descriptor to take from what flags say, and its memory if the region is one
 * @return the port, or NULL with errno; errno 0 if the name is not one of netmap's
 */
VALE_NM_API struct nm_desc *
nm_open(const char *ifname, const struct nmreq *req, uint64_t flags, const struct nm_desc *arg)
{
	struct nm_desc *d;
	char msg[MAXERRMSG] = "";
	int error;

	if (strncmp(ifname, "netmap:", 7) != 0 &&
		strncmp(ifname, NM_BDG_NAME, strlen(NM_BDG_NAME)) != 0) {
		errno = 0;
		return NULL;
	}
	d = (struct nm_desc *)calloc(1, sizeof(*d));
	if (d == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	d->self = d;
	if (vale_nm_open_steps(d, ifname, req, flags, arg, msg) == 0)
		return d;
	error = errno != 0 ? errno : EINVAL;
	nm_close(d);
	D("%s %s", msg, ifname);
	errno = error;
	return NULL;
}

/** Unmap, close, free. 0, or EINVAL if d is not open. */
VALE_NM_API int
nm_close(struct nm_desc *d)
{
	if (d == NULL || d->self != d)
		return EINVAL;
	if (d->done_mmap && d->mem != NULL)
		munmap(d->mem, d->memsize);
	if (d->fd != -1)
		close(d->fd);
	d->self = NULL; /* whoever still holds it sees that it is closed */
	free(d);
	return 0;
}

/** The pointers of an nm_desc that programs are not to change. */
VALE_NM_API void
vale_nm_set_pointers(struct nm_desc *d)
{
	struct netmap_if *nifp = NETMAP_IF(d->mem, d->req.nr_offset);
	struct netmap_ring *ring = NETMAP_RXRING(nifp, d->first_rx_ring);
	void *start, *end = (char *)d->mem + d->memsize;

	if ((void *)ring == (void *)nifp) /* no receive rings bound */
		ring = NETMAP_TXRING(nifp, d->first_tx_ring);
	start = NETMAP_BUF(ring, 0);
	memcpy((void *)(uintptr_t)&d->nifp, &nifp, sizeof(nifp));
	memcpy((void *)(uintptr_t)&d->some_ring, &ring, sizeof(ring));
	memcpy((void *)(uintptr_t)&d->buf_start, &start, sizeof(start));
	memcpy((void *)(uintptr_t)&d->buf_end, &end, sizeof(end));
}

/** Map the region, or take the parent's mapping of the same one. 0, or EINVAL with errno. */
VALE_NM_API int
nm_mmap(struct nm_desc *d, const struct nm_desc *parent)
{
	if (d->done_mmap)
		return 0;
	if (IS_NETMAP_DESC(parent) && parent->mem != NULL &&
		parent->req.nr_arg2 == d->req.nr_arg2) {
		d->mem = parent->mem;
		d->memsize = parent->memsize;
	} else {
		void *mem =
			mmap(NULL, d->req.nr_memsize, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);

		if (mem == MAP_FAILED)
			return EINVAL;
		d->mem = mem;
		d->memsize = d->req.nr_memsize;
		d->done_mmap = 1;
	}
	vale_nm_set_pointers(d);
	return 0;
}

/** Put a frame of size bytes into the slots of a ring, if there is room. */
VALE_NM_API int
vale_nm_put(struct netmap_ring *ring, const char *buf, size_t size)
{
	uint32_t room = ring->tail >= ring->cur ? ring->tail - ring->cur
						: ring->tail + ring->num_slots - ring->cur;
	uint32_t i = ring->cur;

	if (room == 0 || (room - 1) * (size_t)ring->nr_buf_size + ring->nr_buf_size < size)
		return 0;
	while (1) {
		struct netmap_slot *slot = &ring->slot[i];
		size_t n = size > ring->nr_buf_size ? ring->nr_buf_size : size;

		memcpy(NETMAP_BUF(ring, slot->buf_idx), buf, n);
		slot->len = (uint16_t)n;
		slot->flags = size > n ? NS_MOREFRAG : 0;
		i = nm_ring_next(ring, i);
		buf += n;
		size -= n;
		if (size == 0)
			break;
	}
	ring->head = ring->cur = i;
	return 1;
}

/** Queue a frame on the first ring with room; a sync or poll sends it. Returns size, or 0 if all
 * are full. */
VALE_NM_API int
nm_inject(struct nm_desc *d, const void *buf, size_t size)
{
	unsigned int n = d->last_tx_ring - d->first_tx_ring + 1u, ri = d->cur_tx_ring;

	for (; n > 0; n--, ri++) {
		if (ri > d->last_tx_ring)
			ri = d->first_tx_ring;
		if (vale_nm_put(NETMAP_TXRING(d->nifp, ri), (const char *)buf, size)) {
			d->cur_tx_ring = (uint16_t)ri;
			return (int)size;
		}
	}
	return 0;
}

/** Take the next frame of a ring, which is not empty, into d->hdr. */
VALE_NM_API void
vale_nm_take(struct nm_desc *d, struct netmap_ring *ring)
{
	uint32_t i = ring->cur;
	struct netmap_slot *slot = &ring->slot[i];
	char *end; /* of the part in one piece; NULL once it has ended */

	d->hdr.slot = slot;
	d->hdr.ts = ring->ts;
	d->hdr.buf = (uint8_t *)NETMAP_BUF(ring, slot->buf_idx);
	d->hdr.len = d->hdr.caplen = slot->len;
	end = (char *)d->hdr.buf + slot->len;
	i = nm_ring_next(ring, i);
	while ((slot->flags & NS_MOREFRAG) && i != ring->tail) {
		slot = &ring->slot[i];
		d->hdr.len += slot->len;
		if (end == NETMAP_BUF(ring, slot->buf_idx)) {
			d->hdr.caplen += slot->len;
			end += slot->len;
		} else {
			end = NULL;
		}
		i = nm_ring_next(ring, i);
	}
	ring->head = ring->cur = i;
}

/** Call cb with up to cnt frames (0 or -1: all) that have been received. Returns how many. */
VALE_NM_API int
nm_dispatch(struct nm_desc *d, int cnt, nm_cb_t cb, unsigned char *arg)
{
	unsigned int n = d->last_rx_ring - d->first_rx_ring + 1u, ri = d->cur_rx_ring;
	int got = 0;

	if (cnt == 0)
		cnt = -1;
	d->hdr.d = d;
	d->hdr.flags = NM_MORE_PKTS;
	for (; n > 0 && got != cnt; n--, ri++) {
		struct netmap_ring *ring;

		if (ri > d->last_rx_ring)
			ri = d->first_rx_ring;
		ring = NETMAP_RXRING(d->nifp, ri);
		for (; !nm_ring_empty(ring) && got != cnt; got++) {
			/* each waits for the next, so that the last is known to be the last */
			if (got > 0)
				cb(arg, &d->hdr, d->hdr.buf);
			d->cur_rx_ring = (uint16_t)ri;
			vale_nm_take(d, ring);
		}
	}
	if (got > 0) {
		d->hdr.flags = 0;
		cb(arg, &d->hdr, d->hdr.buf);
	}
	return got;
}

/** The next slot that has been received, with ts, len and caplen in *hdr; NULL if there is none. */
VALE_NM_API unsigned char *
nm_nextpkt(struct nm_desc *d, struct nm_pkthdr *hdr)
{
	unsigned int ri = d->cur_rx_ring;

	do {
		struct netmap_ring *ring = NETMAP_RXRING(d->nifp, ri);

		if (!nm_ring_empty(ring)) {
			struct netmap_slot *slot = &ring->slot[ring->cur];

			hdr->ts = ring->ts;
			hdr->len = hdr->caplen = slot->len;
			ring->head = ring->cur = nm_ring_next(ring, ring->cur);
			d->cur_rx_ring = (uint16_t)ri;
			return (unsigned char *)NETMAP_BUF(ring, slot->buf_idx);
		}
		ri = ri == d->last_rx_ring ? d->first_rx_ring : ri + 1;
	} while (ri != d->cur_rx_ring);
	return NULL;
}

#if defined(__LP64__) && !defined(__cplusplus)
VALE_NM_ASSERT(sizeof(struct nm_pkthdr) == 56);
VALE_NM_ASSERT(sizeof(struct nm_desc) == 760);
VALE_NM_ASSERT(offsetof(struct nm_desc, nifp) == 40);
VALE_NM_ASSERT(offsetof(struct nm_desc, req) == 60);
VALE_NM_ASSERT(offsetof(struct nm_desc, hdr) == 120);
VALE_NM_ASSERT(offsetof(struct nm_desc, some_ring) == 176);
#endif

#endif /* VALE_NET_NETMAP_NM_H */
