/* SPDX-License-Identifier: BSD-3-Clause */
/* top: rates of every switch and port, again and again. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"
#include "table.h"
#include "units.h"

/* The switch refreshes its counters this often. */
#define INTERVAL_MS_MIN 100

#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define HOME "\033[H"
#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"

struct options {
	int interval_ms;
	uint64_t count; /* 0 = until told to stop */
};

struct screen {
	bool in_place; /* standard output is a terminal */
	bool keys;     /* and so is standard input, in raw mode */
	struct termios saved;
	int sigfd; /* SIGINT and its like arrive here */
	sigset_t saved_mask;
};

/* What the switch counted, and when. */
struct sample {
	struct ctl_recs ports;
	double time_s;
};

/* Per second. */
struct rates {
	double rx_pps, rx_bps, tx_pps, tx_bps, drops;
};

static int
parse_count(const char *text, uint64_t *count)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	*count = strtoull(text, &end, 10);
	return errno != 0 || *end != '\0' || *count == 0 ? -EINVAL : 0;
}

static int
parse_options(const struct ctl *c, int argc, char **argv, struct options *o)
{
	int opt;

	optind = 1;
	while ((opt = getopt(argc, argv, "n:i:")) != -1) {
		switch (opt) {
		case 'n':
			if (parse_count(optarg, &o->count) < 0)
				return ctl_usage(
					c, "-n takes a number of refreshes, not '%s'", optarg);
			break;
		case 'i':
			if (units_parse_seconds(optarg, &o->interval_ms) < 0 ||
				o->interval_ms < INTERVAL_MS_MIN)
				return ctl_usage(
					c, "-i takes seconds, at least 0.1, not '%s'", optarg);
			break;
		default:
			return ctl_usage_verb(c, "top");
		}
	}
	if (optind != argc)
		return ctl_usage_verb(c, "top");
	if (c->json)
		return ctl_usage(c, "top is for people; programs take: vale-ctl -j stats");
	return CTL_OK;
}

/* Signals become readable instead of deadly, so that the terminal is always put back. */
static int
catch_signals(struct screen *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	s->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->sigfd < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &set, &s->saved_mask);
	return 0;
}

static void
raw_keys(struct screen *s)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &s->saved) < 0)
		return;
	raw = s->saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	s->keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static int
screen_begin(struct screen *s)
{
	int rc;

	*s = (struct screen){.in_place = isatty(STDOUT_FILENO), .sigfd = -1};
	rc = catch_signals(s);
	if (rc < 0)
		return rc;
	if (s->in_place) {
		raw_keys(s);
		printf(HIDE_CURSOR HOME CLEAR_BELOW "measuring, %s\n",
			s->keys ? "q quits" : "Ctrl-C quits");
		fflush(stdout);
	}
	return 0;
}

static void
screen_end(struct screen *s)
{
	if (s->in_place) {
		fputs(SHOW_CURSOR, stdout);
		fflush(stdout);
	}
	if (s->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &s->saved);
	close(s->sigfd);
	sigprocmask(SIG_SETMASK, &s->saved_mask, NULL);
}

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Whether a key that was pressed quits. A terminal that hung up is no longer asked. */
static bool
key_quits(struct screen *s)
{
	char key;
	ssize_t n = read(STDIN_FILENO, &key, 1);

	if (n <= 0)
		s->keys = false;
	return n == 1 && (key == 'q' || key == 'Q');
}

/* Let an interval pass. Returns true if the user wants to stop. */
static bool
pause_until(struct screen *s, double end_s)
{
	for (;;) {
		struct pollfd p[] = {
			{.fd = s->sigfd, .events = POLLIN},
			{.fd = s->keys ? STDIN_FILENO : -1, .events = POLLIN},
		};
		double left = end_s - now_s();

		if (left <= 0)
			return false;
		if (poll(p, 2, (int)(left * 1000) + 1) <= 0)
			continue;
		if (p[0].revents != 0)
			return true;
		if (p[1].revents != 0 && key_quits(s))
			return true;
	}
}

static int
compare_names(const void *a, const void *b)
{
	const struct vale_ctl_port_rec *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
take_sample(struct ctl *c, struct sample *s)
{
	int rc = ctl_fetch_ports(c, "", &s->ports);

	s->time_s = now_s();
	return rc;
}

static void
free_sample(struct sample *s)
{
	free(s->ports.recs);
	*s = (struct sample){0};
}

/* A counter that went back belongs to another port of the same name, new since. */
static double
per_second(uint64_t old, uint64_t new, double seconds)
{
	return (double)(new >= old ? new - old : new) / seconds;
}

static struct rates
rates_of(const struct vale_ctl_port_rec *old, const struct vale_ctl_port_rec *new, double seconds)
{
	return (struct rates){
		.rx_pps = per_second(old->rx_packets, new->rx_packets, seconds),
		.rx_bps = 8 * per_second(old->rx_bytes, new->rx_bytes, seconds),
		.tx_pps = per_second(old->tx_packets, new->tx_packets, seconds),
		.tx_bps = 8 * per_second(old->tx_bytes, new->tx_bytes, seconds),
		.drops = per_second(ctl_drops_total(old), ctl_drops_total(new), seconds),
	};
}

static void
add_rates(struct rates *sum, const struct rates *r)
{
	sum->rx_pps += r->rx_pps;
	sum->rx_bps += r->rx_bps;
	sum->tx_pps += r->tx_pps;
	sum->tx_bps += r->tx_bps;
	sum->drops += r->drops;
}

static void
cells_rates(struct table *t, const struct rates *r)
{
	char buf[UNITS_SZ];

	table_cell(t, "%s", units_count(buf, r->rx_pps));
	table_cell(t, "%.3f", r->rx_bps / 1e9);
	table_cell(t, "%s", units_count(buf, r->tx_pps));
	table_cell(t, "%.3f", r->tx_bps / 1e9);
	table_cell(t, "%s", units_count(buf, r->drops));
}

/* Rates of each port of one sample; the caller frees them. NULL without memory. */
static struct rates *
all_rates(struct sample *old, const struct sample *new)
{
	const struct vale_ctl_port_rec *r = new->ports.recs;
	struct rates *rates = calloc(new->ports.nb + 1, sizeof(rates[0]));
	static const struct vale_ctl_port_rec none;

	if (rates == NULL)
		return NULL;
	if (old->ports.nb > 0)
		qsort(old->ports.recs, old->ports.nb, sizeof(*r), compare_names);
	for (uint32_t i = 0; i < new->ports.nb; i++) {
		const struct vale_ctl_port_rec *before = NULL;

		if (old->ports.nb > 0)
			before = bsearch(
				&r[i], old->ports.recs, old->ports.nb, sizeof(*r), compare_names);
		rates[i] =
			rates_of(before != NULL ? before : &none, &r[i], new->time_s - old->time_s);
	}
	return rates;
}

/* The ports of one switch, from index first on; returns the index behind them. */
static uint32_t
rows_of_switch(
	struct table *t, const struct ctl_recs *ports, const struct rates *rates, uint32_t first)
{
	const struct vale_ctl_port_rec *r = ports->recs;
	size_t len = strcspn(r[first].name, ":");
	struct rates sum = {0};
	uint32_t end = first;

	for (; end < ports->nb && strncmp(r[end].name, r[first].name, len + 1) == 0; end++)
		add_rates(&sum, &rates[end]);
	table_cell(t, "%.*s", (int)len, r[first].name);
	cells_rates(t, &sum);
	for (uint32_t i = first; i < end; i++) {
		table_cell(t, "  %s", r[i].name);
		cells_rates(t, &rates[i]);
	}
	return end;
}

static unsigned int
screen_rows(void)
{
	struct winsize w;

	/* one for the headline, one so that the last newline does not scroll */
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_row < 4)
		return 22;
	return w.ws_row - 2u;
}

static void
clock_text(char *buf, size_t size)
{
	time_t t = time(NULL);
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL || strftime(buf, size, "%H:%M:%S", &tm) == 0)
		snprintf(buf, size, "%lld", (long long)t);
}

static void
draw(const struct screen *s, const struct ctl *c, const struct table *t)
{
	char when[32];

	clock_text(when, sizeof(when));
	if (s->in_place)
		printf(HOME "vale-ctl top  %s  %s%s" CLEAR_LINE "\n", when, c->socket,
			s->keys ? "  q quits" : "");
	else
		printf("%s\n", when);
	if (t->nb_cells == 0)
		printf("no switches%s\n", s->in_place ? CLEAR_LINE : "");
	else
		table_print(t, stdout, s->in_place ? screen_rows() : 0,
			s->in_place ? CLEAR_LINE "\n" : "\n");
	if (s->in_place)
		fputs(CLEAR_BELOW, stdout);
	fflush(stdout);
}

static int
show_rates(
	const struct ctl *c, const struct screen *s, struct sample *old, const struct sample *new)
{
	static const char *const heads[] = {
		"NAME", ">RX PPS", ">RX Gbit/s", ">TX PPS", ">TX Gbit/s", ">DROPS/s"};
	struct rates *rates = all_rates(old, new);
	struct table t;

	if (rates == NULL)
		return ctl_refuse(c, ENOMEM, "out of memory");
	table_begin(&t, heads, 6);
	for (uint32_t i = 0; i < new->ports.nb;)
		i = rows_of_switch(&t, &new->ports, rates, i);
	draw(s, c, &t);
	table_end(&t);
	free(rates);
	return CTL_OK;
}

static int
run(struct ctl *c, struct screen *s, const struct options *o)
{
	struct sample old = {0}, new = {0};
	double next_s;
	int rc = take_sample(c, &old);

	next_s = old.time_s;
	for (uint64_t n = 0; rc == CTL_OK && (o->count == 0 || n < o->count); n++) {
		next_s += o->interval_ms / 1000.0;
		if (pause_until(s, next_s))
			break;
		rc = take_sample(c, &new);
		if (rc == CTL_OK)
			rc = show_rates(c, s, &old, &new);
		free_sample(&old);
		old = new;
		new = (struct sample){0};
		/* after a stop of the machine do not catch up */
		if (next_s < old.time_s - 1)
			next_s = old.time_s;
	}
	free_sample(&old);
	return rc;
}

int
ctl_top(struct ctl *c, int argc, char **argv)
{
	struct options o = {.interval_ms = 1000};
	struct screen s;
	int rc = parse_options(c, argc, argv, &o);

	if (rc != CTL_OK)
		return rc;
	ctl_doing(c, "show rates");
	rc = screen_begin(&s);
	if (rc < 0)
		return ctl_refuse(c, -rc, "signalfd: %s", strerror(-rc));
	rc = run(c, &s, &o);
	screen_end(&s);
	return rc;
}
