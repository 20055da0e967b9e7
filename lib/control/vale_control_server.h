/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_CONTROL_SERVER_H
#define VALE_CONTROL_SERVER_H

/**
 * @file
 * The control socket's server: one thread, an epoll loop, a table of handlers.
 *
 * The server knows connections and messages; what a request does is in the handler that a part of
 * the switch registered for its type. Hang-ups already pending are handled before any request.
 * A request may bring a descriptor, one end of a socketpair: then its answer goes there instead of
 * to the connection, which several processes may share. Messages of the one byte VALE_NM_DOORBELL
 * are for workers, and swallowed.
 * Everything here runs on the control thread unless it says otherwise.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "vale_control_proto.h"
#include "vale_listener.h"

struct vale_server;
struct vale_conn;

/** Somebody who wants to know of a connection's end. */
struct vale_conn_watcher {
	void (*fn)(void *arg); /**< called once, then it is off the connection */
	void *arg;
	TAILQ_ENTRY(vale_conn_watcher) next; /**< the server's */
};

/**
 * A request's handler. Must answer with vale_conn_reply() or vale_conn_refuse(), now or later (then
 * it keeps conn and seq, and the on_close of the connection ends that).
 *
 * @param msg
 *   The message, a private copy, at least min_size bytes as registered; strings are not checked
 * yet.
 */
typedef void (*vale_handler_t)(void *arg, struct vale_conn *conn, const struct vale_ctl_hdr *msg);

/** Make a server that does not run yet. NULL with rte_errno. */
struct vale_server *vale_server_create(const struct vale_listener_conf *conf);
/** Close everything, remove the socket. NULL is allowed. The thread must have been stopped. */
void vale_server_free(struct vale_server *s);

/** Register the handler of a request type. min_size: bytes its message has at least. Before start.
 */
void vale_server_handle(struct vale_server *s, enum vale_ctl_type type, size_t min_size,
	vale_handler_t fn, void *arg);

/** The same for a request that only an operator may make: root, or the user that runs the switch.
 * All others are refused with EPERM. */
void vale_server_handle_operator(struct vale_server *s, enum vale_ctl_type type, size_t min_size,
	vale_handler_t fn, void *arg);

/** Call fn(arg) on the control thread every @p ms milliseconds. Before start. Returns 0 or -errno.
 */
int vale_server_every(struct vale_server *s, unsigned int ms, void (*fn)(void *arg), void *arg);

/**
 * Watch a descriptor on the control thread: fn(arg, fd) when it is readable or hung up. The
 * descriptor stays the caller's. Returns 0 or -errno.
 */
int vale_server_watch(struct vale_server *s, int fd, void (*fn)(void *arg, int fd), void *arg);
/** Stop watching; before the descriptor is closed. */
void vale_server_unwatch(struct vale_server *s, int fd);

/**
 * Handle what comes within @p ms milliseconds in the calling thread, after vale_server_stop() or
 * before vale_server_start(): new clients are not accepted, answers of those there are heard.
 */
void vale_server_listen_on(struct vale_server *s, unsigned int ms);

/** Start the thread `vale-control`, which keeps off the CPUs of lcores where it can. Returns 0 or
 * -errno. */
int vale_server_start(struct vale_server *s);
/** End the thread and wait for it. Any thread but the control thread. */
void vale_server_stop(struct vale_server *s);

/** Send a reply with descriptors (not closed here). reply's header is filled in from the request.
 */
void vale_conn_reply(struct vale_conn *c, const struct vale_ctl_hdr *req,
	struct vale_ctl_reply *reply, size_t size, const int *fds, unsigned int nb_fds);
/** Refuse: errno (positive) and a sentence. */
void vale_conn_refuse(struct vale_conn *c, const struct vale_ctl_hdr *req, int error,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/** Reply with a sealed memfd of @p nb records of @p rec_sz bytes. */
void vale_conn_reply_records(struct vale_conn *c, const struct vale_ctl_hdr *req, const void *recs,
	size_t rec_sz, uint32_t nb);
/** The same with a reply that says more. nb_recs and the header are filled in. */
void vale_conn_reply_with_records(struct vale_conn *c, const struct vale_ctl_hdr *req,
	struct vale_ctl_reply *reply, size_t size, const void *recs, size_t rec_sz, uint32_t nb);
/** Send NOTIFY. */
void vale_conn_notify(struct vale_conn *c, enum vale_ctl_event event, const char *text);

/** The connection's life is bound to something: call fn(arg) once when it ends, before its socket
 * is closed. One per connection; NULL unbinds. */
void vale_conn_on_close(struct vale_conn *c, void (*fn)(void *arg), void *arg);
/** Call fn(arg, nb) for VALE_NM_DOORBELLs that came on it, of which nb were read in one go. */
void vale_conn_on_doorbell(struct vale_conn *c, void (*fn)(void *arg, unsigned int nb), void *arg);
/** Whether something is bound to the connection already. A handler that would bind refuses then,
 * with EBUSY. */
bool vale_conn_bound(const struct vale_conn *c);
/** Have @p w called when the connection ends, beside its on_close and before its socket is closed;
 * as many as one likes. @p w stays the caller's, until it is called or unwatched. */
void vale_conn_watch(struct vale_conn *c, struct vale_conn_watcher *w);
void vale_conn_unwatch(struct vale_conn *c, struct vale_conn_watcher *w);
/** Close it after this event; on_close is called then. */
void vale_conn_close(struct vale_conn *c);

/** Close a descriptor that a stranger sent, without waiting: close() can take as long as he likes.
 * NULL: one that is known to be harmless. Control thread. */
void vale_server_close_stray(struct vale_server *s, int fd);

/** The peer, by SO_PEERCRED. */
pid_t vale_conn_pid(const struct vale_conn *c);
uid_t vale_conn_uid(const struct vale_conn *c);
/** Whether the peer may do everything: root, or the user that runs the switch. */
bool vale_conn_is_operator(const struct vale_conn *c);
/** The connection's socket; the server's, and open until the on_close has returned. */
int vale_conn_fd(const struct vale_conn *c);

/** Whether a string field holds a NUL; otherwise refuses the request with EINVAL and returns false.
 */
bool vale_conn_check_text(struct vale_conn *c, const struct vale_ctl_hdr *req, const char *field,
	size_t sz, const char *what);

#endif /* VALE_CONTROL_SERVER_H */
