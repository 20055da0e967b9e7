/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

void
table_begin(struct table *t, const char *const *heads, unsigned int nb_cols)
{
	*t = (struct table){.heads = heads, .nb_cols = nb_cols};
}

static void
out_of_memory(void)
{
	fputs("vale-ctl: out of memory (ENOMEM)\n", stderr);
	exit(1);
}

void
table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->nb_cells == t->room) {
		t->room = t->room == 0 ? 64 : 2 * t->room;
		t->cells = reallocarray(t->cells, t->room, sizeof(t->cells[0]));
		if (t->cells == NULL)
			out_of_memory();
	}
	va_start(ap, fmt);
	n = vasprintf(&t->cells[t->nb_cells], fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	t->nb_cells++;
}

static bool
is_right(const char *head)
{
	return head[0] == '>';
}

static const char *
head_text(const char *head)
{
	return is_right(head) ? head + 1 : head;
}

static void
measure(const struct table *t, int width[TABLE_COLS_MAX])
{
	for (unsigned int k = 0; k < t->nb_cols; k++)
		width[k] = (int)strlen(head_text(t->heads[k]));
	for (size_t i = 0; i < t->nb_cells; i++) {
		int len = (int)strlen(t->cells[i]);

		if (len > width[i % t->nb_cols])
			width[i % t->nb_cols] = len;
	}
}

static void
print_cell(const struct table *t, FILE *out, unsigned int col, const char *text, int width,
	const char *eol)
{
	bool last = col + 1 == t->nb_cols;

	if (is_right(t->heads[col]))
		fprintf(out, "%*s", width, text);
	else
		fprintf(out, "%-*s", last ? 0 : width, text);
	fputs(last ? eol : "  ", out);
}

static void
print_rows(const struct table *t, FILE *out, size_t nb_rows, const int *width, const char *eol)
{
	for (size_t i = 0; i < nb_rows * t->nb_cols; i++) {
		unsigned int col = (unsigned int)(i % t->nb_cols);

		print_cell(t, out, col, t->cells[i], width[col], eol);
	}
}

static size_t
rows_shown(const struct table *t, size_t max_rows)
{
	size_t nb = t->nb_cells / t->nb_cols;

	return max_rows != 0 && nb > max_rows ? max_rows : nb;
}

void
table_print(const struct table *t, FILE *out, size_t max_rows, const char *eol)
{
	int width[TABLE_COLS_MAX];

	measure(t, width);
	for (unsigned int k = 0; k < t->nb_cols; k++)
		print_cell(t, out, k, head_text(t->heads[k]), width[k], eol);
	if (max_rows != 1)
		print_rows(t, out, rows_shown(t, max_rows == 0 ? 0 : max_rows - 1), width, eol);
}

void
table_end(struct table *t)
{
	for (size_t i = 0; i < t->nb_cells; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct table){0};
}
