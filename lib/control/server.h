/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_CONTROL_SERVER_PRIVATE_H
#define VALE_CONTROL_SERVER_PRIVATE_H

/**
 * @file
 * The control socket's server from inside; private to lib/control. Everything runs on the control
 * thread.
 *
 *   vale_control_server.c  the loop, handlers, life
 *   source.c               what epoll reports; watches and timers
 *   conn.c                 connections, and what comes on them
 *   reply.c                what is sent on them
 *   closer.c               closing of descriptors that a stranger sent
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "vale_control_server.h"
#include "vale_listener.h"

#define SERVER_TYPES_MAX 64

/** What epoll reports: one of these for each descriptor, first in whatever it is part of. */
struct source {
	int fd;
	void (*fn)(struct vale_server *s, struct source *src, uint32_t events);
	bool dead; /**< closed while events of the same round may name it */
	TAILQ_ENTRY(source) next;
};

TAILQ_HEAD(source_list, source);

/** Where the answer to a request goes that brought a descriptor for it. */
struct reply_to {
	int fd;
	uint16_t type;
	uint32_t seq;	     /**< ours, in place of the client's, until it is answered */
	uint32_t client_seq; /**< others on the connection may have chosen the same */
	TAILQ_ENTRY(reply_to) next;
};

struct vale_conn {
	struct source src;
	struct vale_server *s;
	struct ucred peer;
	void (*on_close)(void *arg);
	void *on_close_arg;
	TAILQ_HEAD(, vale_conn_watcher) watchers;
	void (*on_doorbell)(void *arg, unsigned int nb);
	void *on_doorbell_arg;
	TAILQ_HEAD(, reply_to) replies; /**< of requests not answered yet, the latest first */
	unsigned int nb_replies;
	uint32_t last_seq; /**< given to one of those */
};

/** Lines of a kind that strangers cause, as many as they like. */
struct log_limit {
	unsigned int nb;       /**< said in this time */
	unsigned int left_out; /**< not said */
};

struct handler {
	size_t min_size;
	vale_handler_t fn;
	void *arg;
	bool operator_only;
};

struct vale_server {
	int epoll_fd;
	struct vale_listener *listener;
	struct source accept;
	struct source stopper;
	struct source_list sources; /**< connections, watches and timers */
	struct source_list dead;    /**< to be freed after this round */
	struct handler handlers[SERVER_TYPES_MAX];
	unsigned int nb_conns;
	struct closer *closer;
	struct log_limit junk;	 /**< what is not a request */
	struct log_limit unread; /**< answers that nobody takes */
	pthread_t thread;
	bool running;
	_Atomic bool stop; /**< leave the loop behind the handler that runs; any thread */
};

/* ---- source.c ---- */

/** Have epoll report it. Returns 0 or -errno. */
int source_add(struct vale_server *s, struct source *src, uint32_t events);
/** Free it after the round: events of the round in work may still name it. */
void source_bury(struct vale_server *s, struct source *src);
/** Free those buried, after a round. */
void source_free_dead(struct vale_server *s);
/** Whether it is a timer, whose descriptor is the server's. */
bool source_is_timer(const struct source *src);

/* ---- vale_control_server.c ---- */

/** Whether one more line may be said; if not, it is counted. */
bool log_limit_pass(struct log_limit *l);

/* ---- conn.c ---- */

/** Make a connection of an accepted socket, or close it. */
void conn_open(struct vale_server *s, int fd);
/** End it; freed after the round. */
void conn_free(struct vale_conn *c);
/** Whether a source is a connection. */
bool source_is_conn(const struct source *src);
/** Whether a descriptor is a Unix socket: others can make close() wait, or have nothing to answer
 * on. */
bool is_unix_socket(int fd);

/* ---- reply.c ---- */

/** Have the answer to a request sent to a descriptor, which is the server's from now on. The
 * request gets a number of ours instead of the client's, which it has in common with others that
 * wait. Returns false if that cannot be. */
bool conn_answer_on(struct vale_conn *c, struct vale_ctl_hdr *hdr, int fd);
/** Close the descriptors of requests that are not answered. */
void conn_forget_replies(struct vale_conn *c);

#endif /* VALE_CONTROL_SERVER_PRIVATE_H */
