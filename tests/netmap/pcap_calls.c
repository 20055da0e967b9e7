/* SPDX-License-Identifier: BSD-3-Clause */
/* libpcap's calls on a VALE port, under vale-exec: pcap-calls DEVICE DEVICE FILE. */
#include <errno.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHECK(what)                                                                \
	do {                                                                       \
		if (!(what)) {                                                     \
			fprintf(stderr, "line %d: not so: %s\n", __LINE__, #what); \
			exit(1);                                                   \
		}                                                                  \
	} while (0)

static char err[PCAP_ERRBUF_SIZE];
static const unsigned char to_all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Before it is activated a handle says so; afterwards it cannot be set up any more. */
static pcap_t *
set_up(const char *device)
{
	struct bpf_program prog;
	pcap_t *p = pcap_create(device, err);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	struct pcap_stat st;
	int *list = NULL;

	CHECK(p != NULL);
	CHECK(pcap_datalink(p) == PCAP_ERROR_NOT_ACTIVATED);
	CHECK(strstr(pcap_geterr(p), "not activated") != NULL);
	CHECK(pcap_snapshot(p) == PCAP_ERROR_NOT_ACTIVATED);
	CHECK(pcap_next_ex(p, &hdr, &data) == PCAP_ERROR_NOT_ACTIVATED);
	CHECK(pcap_compile(p, &prog, "ip", 1, 0) == PCAP_ERROR_NOT_ACTIVATED);
	CHECK(pcap_stats(p, &st) == PCAP_ERROR_NOT_ACTIVATED);
	CHECK(pcap_inject(p, "x", 1) == PCAP_ERROR_NOT_ACTIVATED);
	CHECK(pcap_dump_open(p, "/nonexistent/file") == NULL);
	CHECK(pcap_fileno(p) == PCAP_ERROR);
	CHECK(pcap_list_datalinks(p, &list) == PCAP_ERROR_NOT_ACTIVATED);
	CHECK(pcap_can_set_rfmon(p) == 0);
	CHECK(pcap_list_tstamp_types(p, &list) == 0);
	CHECK(pcap_set_snaplen(p, 100) == 0);
	CHECK(pcap_set_promisc(p, 1) == 0);
	CHECK(pcap_set_timeout(p, 50) == 0);
	CHECK(pcap_set_tstamp_precision(p, 99) == PCAP_ERROR_TSTAMP_PRECISION_NOTSUP);
	CHECK(pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO) == 0);
	CHECK(pcap_get_tstamp_precision(p) == PCAP_TSTAMP_PRECISION_NANO);
	CHECK(pcap_activate(p) == 0);
	CHECK(pcap_activate(p) == PCAP_ERROR_ACTIVATED);
	CHECK(pcap_set_snaplen(p, 10) == PCAP_ERROR_ACTIVATED);
	return p;
}

static void
ask(pcap_t *p)
{
	bpf_u_int32 net = 1, mask = 1;
	int *list;

	CHECK(pcap_datalink(p) == DLT_EN10MB);
	CHECK(pcap_snapshot(p) == 100);
	CHECK(pcap_fileno(p) >= 0 && pcap_get_selectable_fd(p) == pcap_fileno(p));
	CHECK(pcap_list_datalinks(p, &list) == 1 && list[0] == DLT_EN10MB);
	pcap_free_datalinks(list);
	CHECK(pcap_set_datalink(p, DLT_EN10MB) == 0);
	CHECK(pcap_set_datalink(p, DLT_NULL) == PCAP_ERROR);
	CHECK(pcap_setdirection(p, PCAP_D_IN) == 0);
	CHECK(pcap_setdirection(p, PCAP_D_OUT) == PCAP_ERROR);
	CHECK(pcap_major_version(p) >= 0 && pcap_minor_version(p) >= 0);
	CHECK(pcap_file(p) == NULL && pcap_is_swapped(p) == 0);
	CHECK(pcap_lookupnet("vale0:x", &net, &mask, err) == 0 && net == 0 && mask == 0);
}

/* From a to b, one frame of len bytes that begin with the number n. */
static void
send_one(pcap_t *a, unsigned char n, int len)
{
	unsigned char frame[5000] = {0};

	memcpy(frame, to_all, 6);
	frame[6] = 2;
	frame[12] = 0x88;
	frame[13] = n;
	CHECK(pcap_sendpacket(a, frame, len) == 0);
}

/* The next frame of b, that has to come. */
static const u_char *
next_one(pcap_t *b, struct pcap_pkthdr **hdr)
{
	const u_char *data = NULL;
	int rc = 0;

	for (int i = 0; i < 200 && rc == 0; i++)
		rc = pcap_next_ex(b, hdr, &data);
	CHECK(rc == 1);
	return data;
}

static void
frames(pcap_t *a, pcap_t *b)
{
	struct pcap_pkthdr *hdr, copy;
	const u_char *data;

	/* an empty ring: a timeout with 50 ms, at once when it may not block */
	CHECK(pcap_next_ex(b, &hdr, &data) == 0);
	CHECK(pcap_getnonblock(b, err) == 0 && pcap_setnonblock(b, 1, err) == 0);
	CHECK(pcap_getnonblock(b, err) == 1 && pcap_next(b, &copy) == NULL);
	CHECK(pcap_setnonblock(b, 0, err) == 0);
	send_one(a, 1, 60);
	data = next_one(b, &hdr);
	CHECK(hdr->len == 60 && hdr->caplen == 60 && data[13] == 1);
	CHECK(hdr->ts.tv_sec >= time(NULL) - 5 && hdr->ts.tv_sec <= time(NULL));
	/* longer than the snapshot, and than a buffer */
	send_one(a, 2, 5000);
	data = next_one(b, &hdr);
	CHECK(hdr->len == 5000 && hdr->caplen == 100 && data[13] == 2);
	CHECK(pcap_inject(a, data, 0) == PCAP_ERROR || pcap_next_ex(b, &hdr, &data) == 0);
}

static void
filters(pcap_t *a, pcap_t *b)
{
	struct bpf_insn jump_out = {.code = BPF_JMP | BPF_JA, .k = 100};
	struct bpf_program prog, bad = {.bf_len = 1, .bf_insns = &jump_out};
	struct pcap_pkthdr *hdr;
	struct pcap_stat st;

	CHECK(pcap_compile(b, &prog, "no such thing", 1, 0) == PCAP_ERROR);
	CHECK(strstr(pcap_geterr(b), "syntax error") != NULL);
	CHECK(pcap_setfilter(b, &bad) == PCAP_ERROR);
	CHECK(pcap_compile(b, &prog, "ether proto 0x8805", 1, 0) == 0);
	CHECK(pcap_setfilter(b, &prog) == 0);
	pcap_freecode(&prog);
	send_one(a, 4, 60);
	send_one(a, 5, 60);
	CHECK(next_one(b, &hdr)[13] == 5);
	/* a filter sees what the snapshot does not */
	CHECK(pcap_compile(b, &prog, "len > 1000 and ether[3000] = 0", 1, 0) == 0);
	CHECK(pcap_setfilter(b, &prog) == 0);
	pcap_freecode(&prog);
	send_one(a, 6, 60);
	send_one(a, 7, 4000);
	CHECK(next_one(b, &hdr)[13] == 7);
	CHECK(pcap_stats(b, &st) == 0 && st.ps_recv == 4);
	CHECK(pcap_compile(b, &prog, "", 1, 0) == 0 && pcap_setfilter(b, &prog) == 0);
	pcap_freecode(&prog);
}

static int nb_seen;

static void
see(u_char *dumper, const struct pcap_pkthdr *hdr, const u_char *data)
{
	nb_seen++;
	pcap_dump(dumper, hdr, data);
}

static void *
break_it(void *p)
{
	usleep(50000);
	pcap_breakloop(p);
	return NULL;
}

static void
loops(pcap_t *a, pcap_t *b, const char *path)
{
	pcap_dumper_t *dumper = pcap_dump_open(b, path);
	struct pcap_pkthdr *hdr;
	pthread_t thread;
	const u_char *data;
	pcap_t *file;

	CHECK(dumper != NULL);
	for (int i = 0; i < 20; i++)
		send_one(a, (unsigned char)(10 + i), 60 + i);
	CHECK(pcap_loop(b, 15, see, (u_char *)dumper) == 0 && nb_seen == 15);
	CHECK(pcap_loop(b, 5, see, (u_char *)dumper) == 0 && nb_seen == 20);
	pcap_dump_close(dumper);
	CHECK(pthread_create(&thread, NULL, break_it, b) == 0);
	CHECK(pcap_loop(b, -1, see, NULL) == PCAP_ERROR_BREAK);
	pthread_join(thread, NULL);
	file = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, err);
	CHECK(file != NULL && pcap_snapshot(file) == 100);
	for (int i = 0; i < 20; i++) {
		CHECK(pcap_next_ex(file, &hdr, &data) == 1);
		CHECK(hdr->len == (bpf_u_int32)(60 + i) && data[13] == 10 + i);
	}
	CHECK(pcap_next_ex(file, &hdr, &data) == PCAP_ERROR_BREAK);
	pcap_close(file);
}

int
main(int argc, char **argv)
{
	pcap_t *a, *b;

	CHECK(argc == 4);
	a = pcap_open_live(argv[1], 100, 1, 50, err);
	CHECK(a != NULL);
	b = set_up(argv[2]);
	ask(b);
	frames(a, b);
	filters(a, b);
	loops(a, b, argv[3]);
	CHECK(pcap_open_live("vale-0:x", 100, 1, 50, err) == NULL && strlen(err) > 10);
	CHECK(pcap_open_live("nosuch0", 100, 1, 50, err) == NULL && strlen(err) > 10);
	pcap_close(a);
	pcap_close(b);
	/* names are free again */
	a = pcap_open_live(argv[1], 100, 1, 50, err);
	CHECK(a != NULL);
	pcap_close(a);
	return 0;
}
