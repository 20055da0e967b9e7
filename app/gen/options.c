/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gen.h"
#include "../ctl/units.h"
#include "vale_config.h"
#include "vale_name.h"

static const char usage[] =
	"usage: vale-gen -i PORT -f tx|rx|ping|pong [options]\n"
	"  -i PORT     valeSSS:PPP, with what netmap allows behind it, as in valea:0-1\n"
	"  -f WHAT     tx sends, rx receives, ping times replies, pong replies\n"
	"  -n COUNT    frames (ping: requests); 0, the default: until stopped\n"
	"  -l LENGTH   bytes of a frame without FCS, 42 to 9216 (60)\n"
	"  -b BURST    frames at once (512; ping: 1)\n"
	"  -R RATE     frames a second, as in 50000, 50k or 1.5M\n"
	"  -s RANGE    source, ADDRESS[:PORT][-ADDRESS[:PORT]] (10.0.0.1:1234)\n"
	"  -d RANGE    destination (10.1.0.1:1234)\n"
	"  -z, -Z      random source; random destination\n"
	"  -S MAC      source address (the port's)\n"
	"  -D MAC      destination address (ff:ff:ff:ff:ff:ff)\n"
	"  -p THREADS  with a ring each (1)\n"
	"  -a CPU      of the first thread; the others follow\n"
	"  -C TXSLOTS[,RXSLOTS[,TXRINGS[,RXRINGS]]]  if this open makes the port\n"
	"  -w SECONDS  wait before it begins (0)\n"
	"  -T MS       between two lines that tell the rate (1000)\n"
	"  -W          rx: end if no frame is waiting at the start\n"
	"  -o 4        write every frame in full, not once a slot\n"
	"  -B          count 24 bytes of framing a frame in bit rates\n"
	"  -N          rates in full digits\n"
	"  -j          a JSON summary on standard output\n"
	"  -v, -h, -V  more words; this help; the version\n";

static int
bad(const char *fmt, const char *what)
{
	gen_say(fmt, what);
	return GEN_USAGE;
}

/* A whole number from min to max. */
static int
take_number(char letter, const char *text, uint64_t min, uint64_t max, uint64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *n >= min &&
		*n <= max)
		return GEN_OK;
	gen_say("-%c %s: a number from %llu to %llu is expected", letter, text,
		(unsigned long long)min, (unsigned long long)max);
	return GEN_USAGE;
}

static int
take_u32(char letter, const char *text, uint32_t min, uint32_t max, uint32_t *n)
{
	uint64_t v;
	int rc = take_number(letter, text, min, max, &v);

	if (rc == GEN_OK)
		*n = (uint32_t)v;
	return rc;
}

/* 50000, 50k, 1.5M, 1G. */
static int
take_rate(const char *text, double *rate)
{
	char *end;

	*rate = strtod(text, &end);
	if (end != text && (*end == 'k' || *end == 'K'))
		*rate *= 1e3, end++;
	else if (end != text && *end == 'M')
		*rate *= 1e6, end++;
	else if (end != text && *end == 'G')
		*rate *= 1e9, end++;
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || !(*rate >= 0 && *rate <= 1e9))
		return bad("-R %s: frames a second are written as 50000, 50k or 1.5M", text);
	return GEN_OK;
}

static int
take_func(const char *text, enum gen_func *func)
{
	static const char *const names[] = {"tx", "rx", "ping", "pong"};

	for (int i = 0; i < 4; i++) {
		if (strcmp(text, names[i]) == 0) {
			*func = (enum gen_func)i;
			return GEN_OK;
		}
	}
	return bad("-f %s: tx, rx, ping or pong is expected", text);
}

static int
take_range(char letter, const char *text, struct addr_range *range)
{
	const char *why;

	if (addr_parse(text, range, &why) == 0)
		return GEN_OK;
	gen_say("-%c %s: %s", letter, text, why);
	return GEN_USAGE;
}

static int
take_mac(char letter, const char *text, uint8_t mac[6])
{
	if (units_parse_mac(text, mac) == 0)
		return GEN_OK;
	gen_say("-%c %s: a MAC address is written as 02:00:00:00:00:01", letter, text);
	return GEN_USAGE;
}

/* As pkt-gen: one number of slots is for both ways, and so is one of rings. */
static int
take_config(const char *text, struct gen_opts *o)
{
	unsigned int n[4] = {0};
	int nb, used = 0;
	char rest;

	nb = sscanf(text, "%5u,%5u,%5u,%5u%n%c", &n[0], &n[1], &n[2], &n[3], &used, &rest);
	if (nb < 1 || nb > 4 || strspn(text, "0123456789,") != strlen(text) ||
		text[strlen(text) - 1] == ',')
		return bad("-C %s: TXSLOTS[,RXSLOTS[,TXRINGS[,RXRINGS]]] is expected", text);
	o->tx_slots = n[0];
	o->rx_slots = nb > 1 ? n[1] : n[0];
	o->tx_rings = n[2];
	o->rx_rings = nb > 3 ? n[3] : n[2];
	return GEN_OK;
}

/* Letters whose value is a number. */
static int
take_numeric(struct gen_opts *o, int letter, const char *arg)
{
	uint32_t n;
	int rc, ms;

	switch (letter) {
	case 'n':
		return take_number('n', arg, 0, UINT64_MAX / 2, &o->count);
	case 'l':
		return take_u32('l', arg, GEN_FRAME_MIN, GEN_FRAME_MAX, &o->len);
	case 'b':
		return take_u32('b', arg, 1, 65535, &o->burst);
	case 'p':
		rc = take_u32('p', arg, 1, GEN_THREADS_MAX, &n);
		o->nb_threads = rc == GEN_OK ? n : 1;
		return rc;
	case 'a':
		rc = take_u32('a', arg, 0, 1023, &n);
		o->cpu = rc == GEN_OK ? (int)n : -1;
		return rc;
	case 'T':
		return take_u32('T', arg, 1, 3600000, &o->report_ms);
	case 'o':
		rc = take_u32('o', arg, 0, 65535, &n);
		o->full_copy = rc == GEN_OK && (n & 12) != 0; /* pkt-gen's COPY and MEMCPY */
		return rc;
	default: /* w */
		if (units_parse_seconds(arg, &ms) < 0)
			return bad("-w %s: seconds are expected", arg);
		o->wait_ms = (uint32_t)ms;
		return GEN_OK;
	}
}

static void
take_flag(struct gen_opts *o, int letter)
{
	o->random_src |= letter == 'z';
	o->random_dst |= letter == 'Z';
	o->exit_if_empty |= letter == 'W';
	o->framing |= letter == 'B';
	o->plain_units |= letter == 'N';
	o->json |= letter == 'j';
	o->verbose |= letter == 'v';
}

static int
unknown(int letter)
{
	if (letter != '\0' && strchr("6FMIHrPXAc", letter) != NULL)
		gen_say("-%c is pkt-gen's; vale-gen does not have it", letter);
	else
		gen_say("there is no option -%c, or its value is missing; see: vale-gen -h",
			letter);
	return GEN_USAGE;
}

static int
take(struct gen_opts *o, int letter, const char *arg, bool *func_given)
{
	switch (letter) {
	case 'i':
		o->port = arg;
		return GEN_OK;
	case 'f':
		*func_given = true;
		return take_func(arg, &o->func);
	case 'R':
		return take_rate(arg, &o->rate);
	case 's':
		return take_range('s', arg, &o->src);
	case 'd':
		return take_range('d', arg, &o->dst);
	case 'S':
		o->has_smac = true;
		return take_mac('S', arg, o->smac);
	case 'D':
		return take_mac('D', arg, o->dmac);
	case 'C':
		return take_config(arg, o);
	case 'h':
		fputs(usage, stdout);
		return -1;
	case 'V':
		printf("vale-gen %s\n", VALE_VERSION);
		return -1;
	case '4': /* the only kind there is */
		return GEN_OK;
	default:
		if (strchr("nlbpaTow", letter) != NULL)
			return take_numeric(o, letter, arg);
		if (strchr("zZWBNjv", letter) == NULL)
			return unknown(optopt);
		take_flag(o, letter);
		return GEN_OK;
	}
}

static int
check(const struct gen_opts *o, bool func_given)
{
	bool pings = o->func == GEN_PING || o->func == GEN_PONG;

	if (o->port == NULL)
		return bad("%s", "which port? name it, as in: vale-gen -i valea:0 -f rx");
	if (!func_given)
		return bad("%s", "what to do? -f tx, rx, ping or pong");
	if (pings && o->nb_threads > 1)
		return bad("%s", "-p: ping and pong have one thread");
	if (o->func == GEN_PING && o->len < FRAME_TAG_END)
		return bad("%s", "-l: a ping's frame has 58 bytes at least");
	if (o->has_smac && (o->smac[0] & 1) != 0)
		return bad("%s", "-S: a group address cannot be a source");
	return GEN_OK;
}

static void
set_defaults(struct gen_opts *o)
{
	memset(o, 0, sizeof(*o));
	memset(o->dmac, 0xff, 6);
	o->len = 60;
	o->src = (struct addr_range){0x0a000001, 0x0a000001, ADDR_PORT, ADDR_PORT};
	o->dst = (struct addr_range){0x0a010001, 0x0a010001, ADDR_PORT, ADDR_PORT};
	o->nb_threads = 1;
	o->cpu = -1;
	o->report_ms = 1000;
}

/* What follows from other options. */
static void
derive(struct gen_opts *o)
{
	char name[64];

	if (!o->has_smac) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(o->port, "-*^/@"), o->port);
		vale_name_mac(name, o->smac);
	}
	if (o->burst != 0)
		return;
	o->burst = o->func == GEN_PING ? 1 : GEN_BURST;
	/* a low rate in few large bursts would not be a rate: 2,000 bursts a second at least */
	if (o->rate > 0 && o->rate / 2000 < o->burst)
		o->burst = o->rate < 2000 ? 1 : (uint32_t)(o->rate / 2000);
}

int
gen_options(struct gen_opts *o, int argc, char **argv)
{
	bool func_given = false;
	int letter, rc;

	set_defaults(o);
	opterr = 0;
	while ((letter = getopt(argc, argv,
			":46i:f:n:l:b:R:s:d:S:D:p:a:w:T:C:o:zZWBNjvhVF:M:IH:rP:XAc:")) != -1) {
		rc = strchr("6FMIHrPXAc", letter) != NULL ? unknown(letter)
							  : take(o, letter, optarg, &func_given);
		if (rc != GEN_OK)
			return rc;
	}
	if (optind < argc)
		return bad("'%s' is one word too many; see: vale-gen -h", argv[optind]);
	rc = check(o, func_given);
	if (rc == GEN_OK)
		derive(o);
	return rc;
}
