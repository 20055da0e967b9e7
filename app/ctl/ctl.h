/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_CTL_H
#define VALE_CTL_H

/*
 * vale-ctl: one verb per invocation. What the verbs share: the connection to the switch, which is
 * made when the first request needs it, and the way in which an outcome is told.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vale_control_proto.h"

/* Exit codes, fixed by docs/contracts.md. */
enum ctl_exit {
	CTL_OK = 0,
	CTL_REFUSED = 1,
	CTL_USAGE = 2,
	CTL_NO_SWITCH = 3,
};

struct ctl {
	const char *socket;   /* path in use */
	char socket_buf[128]; /* holds the default path */
	bool socket_is_default;
	bool json;	 /* -j */
	int fd;		 /* connection, -1 before the first request */
	char doing[160]; /* what a refusal refuses: "attach vale0:up" */
};

/* One verb. run() returns an exit code; argv[0] is the verb itself. */
struct ctl_verb {
	const char *name;
	const char *args; /* synopsis of its arguments */
	const char *what; /* one line for `vale-ctl help` */
	int (*run)(struct ctl *c, int argc, char **argv);
	int min_args, max_args; /* without the verb; not looked at with own_options */
	bool own_options;	/* run() checks options and number of arguments itself */
};

extern const struct ctl_verb ctl_verbs[]; /* ends with a NULL name */

/* main.c */
const struct ctl_verb *ctl_verb_find(const char *name);

/* outcome.c: how it ended. Each returns the exit code that belongs to it. */
void ctl_doing(struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int ctl_refuse(const struct ctl *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int ctl_usage(const struct ctl *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int ctl_usage_verb(const struct ctl *c, const char *verb);
int ctl_done(const struct ctl *c);
int ctl_no_switch(const struct ctl *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* connection.c */

#define CTL_TIMEOUT_MS 30000

/* Records of a list, a private copy. */
struct ctl_recs {
	void *recs; /* free() it; NULL if there are none */
	uint32_t nb;
};

int ctl_call(struct ctl *c, const void *req, void *reply, size_t reply_sz);
int ctl_call_timeout(struct ctl *c, const void *req, void *reply, size_t reply_sz, int timeout_ms);
int ctl_call_records(struct ctl *c, const void *req, size_t rec_sz, struct ctl_recs *out);
int ctl_call_records_reply(struct ctl *c, const void *req, struct vale_ctl_reply *reply,
	size_t reply_sz, size_t rec_sz, struct ctl_recs *out);
int ctl_set_name(const struct ctl *c, char *field, size_t field_sz, const char *name);
int ctl_set_port_name(const struct ctl *c, char *field, size_t field_sz, const char *name);

/* port_list.c */
int ctl_fetch_ports(struct ctl *c, const char *name, struct ctl_recs *out);
int ctl_print_port(struct ctl *c, const char *name);
const char *ctl_kind_name(uint8_t kind);
uint64_t ctl_drops_total(const struct vale_ctl_port_rec *r);

/* The verbs, by file. */
int ctl_list(struct ctl *c, int argc, char **argv); /* port_list.c */
int ctl_show(struct ctl *c, int argc, char **argv);
int ctl_stats(struct ctl *c, int argc, char **argv);
int ctl_create(struct ctl *c, int argc, char **argv); /* port_life.c */
int ctl_destroy(struct ctl *c, int argc, char **argv);
int ctl_attach(struct ctl *c, int argc, char **argv);
int ctl_attach_host(struct ctl *c, const char *name);
int ctl_detach(struct ctl *c, int argc, char **argv);
int ctl_wait(struct ctl *c, int argc, char **argv);
int ctl_capture(struct ctl *c, int argc, char **argv);
int ctl_fdb(struct ctl *c, int argc, char **argv); /* fdb.c */
int ctl_get(struct ctl *c, int argc, char **argv); /* variable.c */
int ctl_set(struct ctl *c, int argc, char **argv);
int ctl_top(struct ctl *c, int argc, char **argv);	   /* top.c */
int ctl_workers(struct ctl *c, int argc, char **argv);	   /* workers.c */
int ctl_version(struct ctl *c, int argc, char **argv);	   /* version.c */
int ctl_secondaries(struct ctl *c, int argc, char **argv); /* secondaries.c */
int ctl_top(struct ctl *c, int argc, char **argv);	   /* top.c */
int ctl_version(struct ctl *c, int argc, char **argv);	   /* version.c */
int ctl_version_own(const struct ctl *c);
int ctl_help(struct ctl *c, int argc, char **argv); /* help.c */

/* netmap_letters.c: netmap's `vale-ctl -l`, `-a NAME`, ... */
int ctl_letters(struct ctl *c, int argc, char **argv);

#endif /* VALE_CTL_H */
