/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NMPORT_PRIVATE_H
#define NMPORT_PRIVATE_H

#include "libnetmap.h"

/** Something that nmport_undo_parse() has to undo; the last one first. */
struct nmport_cleanup_d {
	struct nmport_cleanup_d *next;
	void (*undo)(struct nmport_d *d, struct nmport_cleanup_d *c);
	void *p;   /* what it is about */
	size_t sz; /* bytes at p, where that matters */
};

/** @return NULL with ENOMEM, said. It is not yet in the list. */
struct nmport_cleanup_d *nmport_cleanup_new(
	struct nmport_d *d, void (*undo)(struct nmport_d *, struct nmport_cleanup_d *));

void nmport_cleanup_push(struct nmport_d *d, struct nmport_cleanup_d *c);

/** Undo all down to `until`, which stays. */
void nmport_cleanup_until(struct nmport_d *d, struct nmport_cleanup_d *until);

/** The options that nmport_parse() knows. */
struct nmreq_opt_parser *nmport_parsers(void);

#endif /* NMPORT_PRIVATE_H */
