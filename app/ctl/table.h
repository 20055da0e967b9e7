/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VALE_CTL_TABLE_H
#define VALE_CTL_TABLE_H

/*
 * Text for people: a table whose columns are as wide as their widest cell.
 */

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLS_MAX 12

struct table {
	unsigned int nb_cols;
	const char *const *heads; /* a head that begins with '>' aligns its column right */
	char **cells;		  /* nb_rows * nb_cols */
	size_t nb_cells, room;
};

/* heads: nb_cols of them, kept by reference. */
void table_begin(struct table *t, const char *const *heads, unsigned int nb_cols);
/* Add the next cell, row by row. Ends the program when memory is spent. */
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Print heads and rows, at most max_rows lines of both if it is not 0; eol ends each. */
void table_print(const struct table *t, FILE *out, size_t max_rows, const char *eol);
void table_end(struct table *t);

#endif /* VALE_CTL_TABLE_H */
