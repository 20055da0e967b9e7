/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PRE_H
#define PRE_H

/**
 * @file
 * Netmap programs as they are written: these know /dev/netmap and nothing of a switch in user
 * space. Nothing but netmap's headers and libc's is used, so that they compile against netmap's own
 * headers, too.
 */

#define NETMAP_WITH_LIBS
#include <net/netmap_user.h>

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK(x)                                                                                  \
	do {                                                                                      \
		if (!(x)) {                                                                       \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #x, errno); \
			exit(1);                                                                  \
		}                                                                                 \
	} while (0)

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct pre_case {
	const char *name;
	void (*run)(void);
};

/** Tables of cases, one a file; each ends with NULL. */
extern const struct pre_case pre_ring_cases[], pre_port_cases[], pre_poll_cases[],
	pre_process_cases[], pre_thread_cases[], pre_syscall_cases[];

/** Big enough for a chain of eight slots. */
extern char pre_frame[2048 * 8];

/** nm_open(name), or the end. */
struct nm_desc *pre_open(const char *name);
/** The same with an nmreq of the caller's. */
struct nm_desc *pre_open_req(const char *name, struct nmreq *req);

/** Put one frame of len bytes that begins with mark into the transmit ring; send it, too. */
void pre_put(struct nm_desc *d, size_t len, char mark);
void pre_send(struct nm_desc *d, size_t len, char mark);
/** Wait for a frame of len bytes, whose last byte is mark. */
void pre_expect(struct nm_desc *d, size_t len, char mark);
/** Nothing comes. */
void pre_expect_none(struct nm_desc *d, int ms);
/** Sync until the switch has taken all. */
void pre_sent(struct nm_desc *d);

/** One request by NIOCCTRL with an option or NULL: 0 or errno. */
int pre_ctrl(int fd, const char *name, uint16_t type, void *body, struct nmreq_option *opt);
/** A new descriptor registered by NIOCCTRL, mapped; -1 and errno. */
int pre_register(const char *name, struct nmreq_register *reg, struct nmreq_option *opt,
	struct netmap_if **nifp);

/** After 0.3 s: one frame of 60 bytes, mark 3. To be a thread's function. */
void *pre_send_later(void *desc);

/** Milliseconds of the monotonic clock. */
long pre_now_ms(void);

/** What is left of a program after exec: a bound descriptor with a frame in it. */
void pre_execed(int fd);

/** This program's own path. */
extern char *pre_self;

#endif /* PRE_H */
