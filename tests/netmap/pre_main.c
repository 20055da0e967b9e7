/* SPDX-License-Identifier: BSD-3-Clause */
/* `pre-cases NAME` runs one case under vale-exec; status 0 is right. `pre-cases` lists them.
 * `pre-cases open PORT [EXTRA]` opens one, and tells the errno;
 * `hoard PREFIX` opens as many as there may be. */
#include <string.h>
#include <time.h>

#include "pre.h"

char pre_frame[2048 * 8];
char *pre_self;

struct nm_desc *
pre_open(const char *name)
{
	return pre_open_req(name, NULL);
}

struct nm_desc *
pre_open_req(const char *name, struct nmreq *req)
{
	struct nm_desc *d = nm_open(name, req, 0, NULL);

	CHECK(d != NULL);
	return d;
}

void
pre_put(struct nm_desc *d, size_t len, char mark)
{
	memset(pre_frame, mark, len);
	memset(pre_frame, 0xff, 6);
	pre_frame[6] = 2;
	CHECK(nm_inject(d, pre_frame, len) == (int)len);
}

void
pre_send(struct nm_desc *d, size_t len, char mark)
{
	pre_put(d, len, mark);
	CHECK(ioctl(d->fd, NIOCTXSYNC, NULL) == 0);
}

void
pre_expect(struct nm_desc *d, size_t len, char mark)
{
	struct pollfd p = {.fd = d->fd, .events = POLLIN};
	struct nm_pkthdr h;
	unsigned char *buf;

	CHECK(poll(&p, 1, 20000) == 1 && p.revents == POLLIN);
	buf = nm_nextpkt(d, &h);
	CHECK(buf != NULL && h.len == len && buf[len - 1] == (unsigned char)mark);
}

void
pre_expect_none(struct nm_desc *d, int ms)
{
	struct pollfd p = {.fd = d->fd, .events = POLLIN};

	CHECK(poll(&p, 1, ms) == 0 && p.revents == 0);
}

void
pre_sent(struct nm_desc *d)
{
	struct netmap_ring *ring = NETMAP_TXRING(d->nifp, 0);
	long end = pre_now_ms() + 20000;

	while (nm_ring_space(ring) != ring->num_slots - 1) {
		CHECK(pre_now_ms() < end);
		CHECK(ioctl(d->fd, NIOCTXSYNC, NULL) == 0);
	}
}

int
pre_ctrl(int fd, const char *name, uint16_t type, void *body, struct nmreq_option *opt)
{
	struct nmreq_header hdr = {.nr_version = NETMAP_API,
		.nr_reqtype = type,
		.nr_body = (uintptr_t)body,
		.nr_options = (uintptr_t)opt};

	strncpy(hdr.nr_name, name, sizeof(hdr.nr_name) - 1);
	return ioctl(fd, NIOCCTRL, &hdr) == 0 ? 0 : errno;
}

int
pre_register(const char *name, struct nmreq_register *reg, struct nmreq_option *opt,
	struct netmap_if **nifp)
{
	int err, fd = open("/dev/netmap", O_RDWR);
	char *mem;

	CHECK(fd >= 0);
	if (reg->nr_mode == 0)
		reg->nr_mode = NR_REG_ALL_NIC;
	err = pre_ctrl(fd, name, NETMAP_REQ_REGISTER, reg, opt);
	if (err != 0) {
		close(fd);
		errno = err;
		return -1;
	}
	mem = mmap(NULL, reg->nr_memsize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(mem != MAP_FAILED);
	*nifp = NETMAP_IF(mem, reg->nr_offset);
	return fd;
}

void *
pre_send_later(void *desc)
{
	usleep(300000);
	pre_send(desc, 60, 3);
	return NULL;
}

long
pre_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
wait_for_end(void)
{
	char c;

	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
}

/** Open ports with as much memory as they may have, until no more are had; hold them. */
static int
hoard(const char *prefix)
{
	char name[64];
	int n = 0;

	for (; n < 200; n++) {
		struct nmreq_register reg = {.nr_tx_rings = 16,
			.nr_rx_rings = 16,
			.nr_tx_slots = 4096,
			.nr_rx_slots = 4096};
		struct netmap_if *nifp;

		snprintf(name, sizeof(name), "%s%d", prefix, n);
		if (pre_register(name, &reg, NULL, &nifp) < 0)
			break;
	}
	printf("%d ports, then %s\n", n, n < 200 ? strerrorname_np(errno) : "no more tried");
	wait_for_end();
	return 0;
}

/** Open a port, with so many extra buffers or none, and hold it until input ends if it is there. */
static int
try_open(const char *name, const char *extra)
{
	struct nmreq_register reg = {.nr_extra_bufs = extra != NULL ? (uint32_t)atol(extra) : 0};
	struct netmap_if *nifp;

	if (pre_register(name, &reg, NULL, &nifp) < 0) {
		printf("%s\n", strerrorname_np(errno));
		return 1;
	}
	printf("open %u\n", reg.nr_extra_bufs);
	wait_for_end();
	return 0;
}

static const struct {
	const char *name;
	const struct pre_case *cases;
} tables[] = {
	{"poll", pre_poll_cases},
	{"port", pre_port_cases},
	{"process", pre_process_cases},
	{"ring", pre_ring_cases},
	{"syscall", pre_syscall_cases},
	{"thread", pre_thread_cases},
};

int
main(int argc, char **argv)
{
	pre_self = argv[0];
	if (argc == 3 && strcmp(argv[1], "hoard") == 0)
		return hoard(argv[2]);
	if (argc == 3 && strcmp(argv[1], "open") == 0)
		return try_open(argv[2], NULL);
	if (argc == 4 && strcmp(argv[1], "open") == 0)
		return try_open(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "execed") == 0) {
		pre_execed(atoi(argv[2]));
		return 0;
	}
	for (size_t t = 0; t < COUNT(tables); t++) {
		for (const struct pre_case *c = tables[t].cases; c->name != NULL; c++) {
			if (argc == 1)
				printf("%s %s\n", tables[t].name, c->name);
			else if (strcmp(argv[1], c->name) == 0) {
				c->run();
				return 0;
			}
		}
	}
	if (argc == 1)
		return 0;
	fprintf(stderr, "no such case\n");
	return 2;
}
