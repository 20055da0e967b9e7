/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests: one that is wrong in one respect, with the answer that it must get; requests of noise;
 * and those of another user. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "vale_control_client.h"

static struct dice d;

/** A request that is right but for what a case changes. */
struct ask {
	uint16_t version, reqtype;
	uint32_t nb_opts;
	char name[65];
	union {
		uint8_t body[VALE_CTL_NM_BODY_SZ];
		struct nmreq_register reg;
		struct nmreq_port_info_get info;
		struct nmreq_vale_attach att;
		struct nmreq_vale_list list;
		struct nmreq_vale_newif nif;
		struct nmreq_port_hdr hdr;
	};
	struct vale_ctl_nm_opt opts[VALE_CTL_NM_OPTS_MAX];
};

static struct ask
ask_of(uint16_t reqtype, const char *name)
{
	struct ask a = {.version = NETMAP_API, .reqtype = reqtype};

	snprintf(a.name, sizeof(a.name), "%s", name);
	if (reqtype == NETMAP_REQ_REGISTER)
		a.reg = (struct nmreq_register){
			.nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = 16, .nr_rx_slots = 16};
	return a;
}

static int
ask_on(int fd, struct ask *a)
{
	struct vale_ctl_nm_req req = {
		.version = a->version, .reqtype = a->reqtype, .nb_opts = a->nb_opts};
	struct vale_ctl_nm_reply r = {0};
	int ret;

	vale_ctl_hdr_init(&req.hdr, VALE_CTL_NM_CTRL, sizeof(req));
	memcpy(req.name, a->name, sizeof(req.name));
	memcpy(req.body, a->body, sizeof(req.body));
	memcpy(req.opts, a->opts, sizeof(req.opts));
	ret = fuzz_ask(fd, &req.hdr, &r, sizeof(r), NULL);
	if (ret < 0)
		die("the switch gave no answer to request %u", a->reqtype);
	memcpy(a->body, r.body, sizeof(a->body));
	return ret;
}

static int
ask_once(struct ask *a)
{
	int fd = client_dial(), ret = ask_on(fd, a);

	close(fd);
	return ret;
}

static void
expect(const char *what, int wanted, int got)
{
	if (got != wanted)
		die("%s: %s, not %s", what, got == 0 ? "accepted" : vale_errno_name(got),
			wanted == 0 ? "accepted" : vale_errno_name(wanted));
}

#define EXPECT(errno_wanted, a) expect(__func__, errno_wanted, ask_once(&(a)))

/* ---- one thing wrong ---- */

static void
wrong_version(void)
{
	struct ask a = ask_of(NETMAP_REQ_REGISTER, "valer:x");

	a.version = (uint16_t)(dice(&d, 2) ? dice(&d, NETMAP_MIN_API)
					   : NETMAP_API + 1 + dice(&d, 60000));
	EXPECT(EINVAL, a);
}

static void
wrong_type(void)
{
	struct ask a = ask_of((uint16_t)(dice(&d, 4) ? 16 + dice(&d, 65520) : 0), "valer:x");

	EXPECT(EINVAL, a);
	a = ask_of((uint16_t)(NETMAP_REQ_SYNC_KLOOP_START + dice(&d, 3)), "valer:x");
	EXPECT(EOPNOTSUPP, a);
	a = ask_of((uint16_t)(NETMAP_REQ_VALE_POLLING_ENABLE + dice(&d, 2)), "valer:x");
	EXPECT(EINVAL, a);
}

static void
wrong_mode(void)
{
	static const uint32_t none[] = {0, NR_REG_SW, NR_REG_NIC_SW, NR_REG_ONE_SW, 9, UINT32_MAX};
	struct ask a = ask_of(NETMAP_REQ_REGISTER, "valer:x");

	a.reg.nr_mode = none[dice(&d, 6)];
	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_REGISTER, "valer:x");
	a.reg.nr_mode = NR_REG_PIPE_MASTER + dice(&d, 3);
	EXPECT(EOPNOTSUPP, a);
	a = ask_of(NETMAP_REQ_REGISTER, "valer:x");
	a.reg.nr_flags |= dice(&d, 2) ? NR_MONITOR_TX : NR_MONITOR_RX;
	EXPECT(EOPNOTSUPP, a);
}

static void
wrong_options(void)
{
	struct ask a = ask_of(NETMAP_REQ_REGISTER, "valer:x");

	a.nb_opts = 1; /* of no kind */
	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_REGISTER, "valer:x");
	a.nb_opts = 2;
	a.opts[0].reqtype = a.opts[1].reqtype = NETMAP_REQ_OPT_OFFSETS;
	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_REGISTER, "valer:x");
	a.nb_opts = 1;
	a.opts[0].reqtype = dice(&d, 2) ? 1 + dice(&d, 4) : 6 + dice(&d, 1000);
	EXPECT(EOPNOTSUPP, a);
	a = ask_of(NETMAP_REQ_REGISTER, "valer:x");
	a.nb_opts = dice(&d, 2) ? UINT32_MAX : 9 + dice(&d, 1000000);
	EXPECT(EINVAL, a);
}

static int
ask_offsets(uint64_t max, uint64_t initial, uint32_t bits)
{
	struct ask a = ask_of(NETMAP_REQ_REGISTER, "valer:x");
	struct nmreq_opt_offsets o = {
		.nro_max_offset = max, .nro_initial_offset = initial, .nro_offset_bits = bits};

	a.nb_opts = 1;
	a.opts[0].reqtype = NETMAP_REQ_OPT_OFFSETS;
	memcpy(a.opts[0].body, (uint8_t *)&o + sizeof(o.nro_opt), sizeof(o) - sizeof(o.nro_opt));
	return ask_once(&a);
}

static void
wrong_offsets(void)
{
	expect("offsets", 0, ask_offsets(dice(&d, 2049), 0, dice(&d, 2) ? 0 : 64));
	expect("bits", EINVAL, ask_offsets(4, 0, 65 + dice(&d, 1000)));
	expect("max", EINVAL, ask_offsets(2049 + dice(&d, 100000), 0, 0));
	expect("bits of max", EINVAL, ask_offsets(256, 0, 1 + dice(&d, 8)));
	expect("initial", EINVAL, ask_offsets(100, 101 + dice(&d, 100000), 0));
}

static void
wrong_names(void)
{
	struct ask a = ask_of(NETMAP_REQ_REGISTER, "");

	memset(a.name, 'v', 64);
	memcpy(a.name, "valer:", 6);
	EXPECT(ENOMEM, a);
	a = ask_of(NETMAP_REQ_REGISTER, "valer");
	EXPECT(ENOMEM, a);
	a = ask_of(NETMAP_REQ_REGISTER, "nosuch");
	EXPECT(ENXIO, a);
	a = ask_of(NETMAP_REQ_REGISTER, "valer:");
	a.name[6] = (char)(1 + dice(&d, '0' - 1));
	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_REGISTER, "vale:x-y");
	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_PORT_INFO_GET, "nosuch");
	EXPECT(ENXIO, a);
	a = ask_of(NETMAP_REQ_PORT_INFO_GET, "valer:lo"); /* would be an interface */
	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_POOLS_INFO_GET, "valer");
	EXPECT(ENOMEM, a);
	a = ask_of(NETMAP_REQ_PORT_INFO_GET, ""); /* of a memory */
	a.info.nr_mem_id = (uint16_t)(dice(&d, 2) ? 1 : 0);
	EXPECT(EINVAL, a);
}

/* More than there can be is made to fit. */
static void
large_numbers(void)
{
	struct ask a = ask_of(NETMAP_REQ_PORT_INFO_GET, "valer:x");

	a.info.nr_tx_rings = a.info.nr_rx_rings = (uint16_t)(17 + dice(&d, 65000));
	a.info.nr_tx_slots = a.info.nr_rx_slots = 4097 + dice(&d, UINT32_MAX - 4097);
	EXPECT(0, a);
	if (a.info.nr_tx_rings != 16 || a.info.nr_rx_rings != 16 || a.info.nr_tx_slots != 4096 ||
		a.info.nr_rx_slots != 4096)
		die("numbers of rings and slots are not made to fit");
}

static void
wrong_ring(void)
{
	struct ask a = ask_of(NETMAP_REQ_REGISTER, "valer:x");

	a.reg.nr_mode = NR_REG_ONE_NIC;
	a.reg.nr_ringid = (uint16_t)(1 + dice(&d, 65000));
	EXPECT(EINVAL, a);
}

/* Several descriptors, on one port or one memory. */
static void
wrong_company(void)
{
	struct ask a = ask_of(NETMAP_REQ_REGISTER, "valer:y"), b;
	struct nmreq_opt_offsets o = {.nro_max_offset = 100};
	int fd = client_dial(), fd2 = client_dial();
	uint16_t mem;

	expect("register", 0, ask_on(fd, &a));
	mem = a.reg.nr_mem_id;
	b = ask_of(NETMAP_REQ_PORT_INFO_GET, "");
	b.info.nr_mem_id = mem;
	expect("this memory", 0, ask_once(&b));
	b = ask_of(NETMAP_REQ_PORT_INFO_GET, "valer:y");
	expect("this port", 0, ask_once(&b));
	if (b.info.nr_tx_slots != 16 || b.info.nr_mem_id != mem)
		die("another port was described than asked for");
	b = ask_of(NETMAP_REQ_REGISTER, "valer:z");
	expect("bound twice", EBUSY, ask_on(fd, &b));
	b = ask_of(NETMAP_REQ_REGISTER, "valer:y");
	b.reg.nr_flags = NR_EXCLUSIVE;
	expect("exclusive", EBUSY, ask_once(&b));
	b = ask_of(NETMAP_REQ_REGISTER, "valer:y");
	b.nb_opts = 1;
	b.opts[0].reqtype = NETMAP_REQ_OPT_OFFSETS;
	memcpy(b.opts[0].body, (uint8_t *)&o + sizeof(o.nro_opt), sizeof(o) - sizeof(o.nro_opt));
	expect("offsets on rings without", EBUSY, ask_once(&b));
	b = ask_of(NETMAP_REQ_REGISTER, "valer:z");
	b.reg.nr_mem_id = (uint16_t)(mem + 1 + dice(&d, 30000));
	/* may be somebody's, with or without room */
	if (ask_once(&b) == 0 && b.reg.nr_mem_id == mem)
		die("another memory was joined than asked for");
	b = ask_of(NETMAP_REQ_REGISTER, "valer:z");
	b.reg.nr_mem_id = 1; /* netmap's own, which does not exist */
	expect("no memory", EINVAL, ask_once(&b));
	b = ask_of(NETMAP_REQ_REGISTER, "valer:z");
	b.reg.nr_mem_id = mem;
	expect("join", 0, ask_on(fd2, &b));
	b = ask_of(NETMAP_REQ_REGISTER, "valer:u");
	b.reg.nr_mem_id = mem;
	expect("no room", ENOMEM, ask_once(&b));
	close(fd2);
	close(fd);
	/* the exclusive one was the first */
	a = ask_of(NETMAP_REQ_REGISTER, "valer:e");
	a.reg.nr_flags = NR_EXCLUSIVE;
	fd = client_dial();
	expect("register", 0, ask_on(fd, &a));
	a = ask_of(NETMAP_REQ_REGISTER, "valer:e");
	expect("in use exclusively", EBUSY, ask_once(&a));
	close(fd);
}

static void
too_many(void)
{
	int fd[VALE_NM_BINDS_MAX];
	struct ask a;

	for (unsigned int i = 0; i < VALE_NM_BINDS_MAX; i++) {
		a = ask_of(NETMAP_REQ_REGISTER, "valer:m");
		fd[i] = client_dial();
		expect("64 on one memory", 0, ask_on(fd[i], &a));
	}
	a = ask_of(NETMAP_REQ_REGISTER, "valer:m");
	EXPECT(ENOMEM, a);
	for (unsigned int i = 0; i < VALE_NM_BINDS_MAX; i++)
		close(fd[i]);
}

static void
wrong_header(void)
{
	struct ask a = ask_of(NETMAP_REQ_REGISTER, "valer:h"), b;
	int fd = client_dial();

	a.reg.nr_flags = NR_ACCEPT_VNET_HDR;
	expect("register", 0, ask_on(fd, &a));
	b = ask_of(NETMAP_REQ_PORT_HDR_SET, "valer:h");
	do
		b.hdr.nr_hdr_len = dice_nasty(&d, 10);
	while (b.hdr.nr_hdr_len == 0 || b.hdr.nr_hdr_len == 10 || b.hdr.nr_hdr_len == 12);
	EXPECT(EINVAL, b);
	b = ask_of(NETMAP_REQ_PORT_HDR_SET, "valer:nosuch");
	EXPECT(ENXIO, b);
	b = ask_of(NETMAP_REQ_PORT_HDR_SET, "nosuch");
	EXPECT(ENXIO, b);
	b = ask_of(NETMAP_REQ_PORT_HDR_GET, "nosuch");
	EXPECT(ENXIO, b);
	b = ask_of(NETMAP_REQ_PORT_HDR_GET, "valer:nosuch");
	EXPECT(ENXIO, b);
	b = ask_of(NETMAP_REQ_PORT_HDR_SET, "valer:h");
	b.hdr.nr_hdr_len = 12;
	EXPECT(0, b);
	b = ask_of(NETMAP_REQ_REGISTER, "valer:h");
	EXPECT(EIO, b);
	close(fd);
}

static void
wrong_list(void)
{
	struct ask a = ask_of(NETMAP_REQ_VALE_LIST, "nosuch");

	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_VALE_LIST, "valenosuch:x");
	EXPECT(ENOENT, a);
	a = ask_of(NETMAP_REQ_VALE_LIST, "");
	a.list.nr_bridge_idx = (uint16_t)(dice(&d, 2) ? 40 + dice(&d, 24) : 64 + dice(&d, 65000));
	EXPECT(ENOENT, a);
	a = ask_of(NETMAP_REQ_VALE_LIST, "");
	a.list.nr_port_idx = dice_nasty(&d, 254);
	(void)ask_once(&a);
}

static void
wait_hwcur(struct vale_nm_kring *k, uint32_t wanted)
{
	for (double end = now_s() + 8; atomic_load(&k->hwcur) != wanted; usleep(50))
		if (now_s() > end)
			die("a port on no switch does not take what is sent");
}

/* A port on no switch takes what it gets, for nobody, and a head that is none moves it nowhere. */
static void
send_to_nobody(const char *name)
{
	struct target t = {.reg.nr_tx_slots = 64};
	struct vale_nm_kring *k;

	if (target_open(&t, name, NULL) != 0)
		die("%s cannot be opened", name);
	k = target_tx_kring(&t, 0);
	for (uint32_t i = 0, head = 0; i < 3; i++) {
		atomic_store(&k->head, 64 + dice(&d, UINT32_MAX - 64));
		target_bell(&t);
		usleep(1000);
		if (atomic_load(&k->hwcur) != head)
			die("a port on no switch followed a head that is none");
		head = (head + 1 + dice(&d, 60)) % 64;
		atomic_store(&k->head, head);
		target_bell(&t);
		wait_hwcur(k, head);
	}
	target_close(&t);
}

/* The operator takes a port away from its program, which sees its descriptor hang up. */
static void
take_away(int fd, const char *name)
{
	struct vale_ctl_name_req req = {0};
	struct vale_ctl_reply r;
	int ctl = client_dial();
	char c;

	snprintf(req.name, sizeof(req.name), "%s", name);
	vale_ctl_hdr_init(&req.hdr, VALE_CTL_DETACH, sizeof(req));
	expect("vale-ctl detach", 0, fuzz_ask(ctl, &req.hdr, &r, sizeof(r), NULL));
	close(ctl);
	while (recv(fd, &c, 1, 0) > 0)
		;
}

/* What only operators may: we are one. */
static void
wrong_persistent(void)
{
	struct ask a = ask_of(NETMAP_REQ_VALE_ATTACH, "nosuch:x"), reg;
	int fd;

	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_VALE_ATTACH, "valer:nosuch");
	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_VALE_ATTACH, "valer");
	EXPECT(ENOMEM, a);
	a = ask_of(NETMAP_REQ_VALE_DETACH, "nosuch:x");
	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_VALE_DETACH, "valer");
	EXPECT(ENXIO, a);
	a = ask_of(NETMAP_REQ_VALE_DETACH, "valer:nosuch");
	EXPECT(ENXIO, a);
	a = ask_of(NETMAP_REQ_VALE_NEWIF, "valenoname");
	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_VALE_NEWIF, "lo");
	EXPECT(EEXIST, a);
	a = ask_of(NETMAP_REQ_VALE_DELIF, "lo");
	EXPECT(EINVAL, a);
	a = ask_of(NETMAP_REQ_VALE_DELIF, "nosuch");
	EXPECT(ENXIO, a);
	a = ask_of(NETMAP_REQ_VALE_NEWIF, "rp");
	EXPECT(0, a);
	a = ask_of(NETMAP_REQ_VALE_NEWIF, "rp");
	EXPECT(EEXIST, a);
	reg = ask_of(NETMAP_REQ_REGISTER, "valer:rp");
	EXPECT(EINVAL, reg); /* it is not attached there */
	send_to_nobody("rp");
	a = ask_of(NETMAP_REQ_VALE_ATTACH, "valer:rp");
	EXPECT(0, a);
	a = ask_of(NETMAP_REQ_VALE_ATTACH, "valer:rp");
	EXPECT(EBUSY, a);
	a = ask_of(NETMAP_REQ_VALE_DELIF, "rp");
	EXPECT(EBUSY, a);
	a = ask_of(NETMAP_REQ_PORT_HDR_SET, "valer:rp");
	a.hdr.nr_hdr_len = 10;
	EXPECT(0, a);
	reg = ask_of(NETMAP_REQ_REGISTER, "valer:rp");
	EXPECT(EIO, reg); /* its headers are not accepted */
	a = ask_of(NETMAP_REQ_VALE_DETACH, "valer:rp");
	EXPECT(0, a);
	a = ask_of(NETMAP_REQ_VALE_DELIF, "rp");
	EXPECT(0, a);
	reg = ask_of(NETMAP_REQ_REGISTER, "valer:k");
	fd = client_dial();
	expect("register", 0, ask_on(fd, &reg));
	a = ask_of(NETMAP_REQ_VALE_DETACH, "valer:k");
	EXPECT(EINVAL, a); /* goes with its client */
	a = ask_of(NETMAP_REQ_VALE_ATTACH, "valer:k");
	EXPECT(EBUSY, a);
	take_away(fd, "valer:k");
	close(fd);
}

static void
wrong_state(void)
{
	struct vale_ctl_nm_state_reply r;
	struct vale_ctl_hdr req;
	int fd = client_dial();

	vale_ctl_hdr_init(&req, VALE_CTL_NM_STATE, sizeof(req));
	expect("state of nothing", ENXIO, fuzz_ask(fd, &req, &r, sizeof(r), NULL));
	close(fd);
}

void
refusals_main(void)
{
	static void (*const cases[])(void) = {wrong_version, wrong_type, wrong_mode, wrong_options,
		wrong_offsets, wrong_names, large_numbers, wrong_ring, wrong_company, wrong_header,
		wrong_list, wrong_persistent, wrong_state, too_many};
	uint64_t n = 0;

	d = dice_make(4);
	/* each at once, then at random; the last is a slow one */
	for (; time_left(); n++) {
		cases[n < 14 ? n : dice(&d, 13)]();
		usleep(dice(&d, 1000));
	}
	printf("refusals: %ju cases\n", (uintmax_t)n);
}

/* ---- another user ---- */

/* A user may have so much memory, and no more; what is asked for here is hardly touched. */
static void
spend_memory(void)
{
	int fd[512];
	unsigned int n = 0;
	int ret = 0;

	while (n < 512 && ret == 0) {
		struct ask a = ask_of(NETMAP_REQ_REGISTER, "");

		snprintf(a.name, sizeof(a.name), "vale%u:s%u", n / 200, n);
		a.reg.nr_tx_rings = 1;
		a.reg.nr_rx_rings = 16;
		a.reg.nr_tx_slots = 2;
		a.reg.nr_rx_slots = 4096;
		a.reg.nr_flags = NR_TX_RINGS_ONLY;
		fd[n] = client_dial();
		ret = ask_on(fd[n++], &a);
	}
	expect("more than half of the machine's memory", ENOMEM, ret);
	while (n > 0)
		close(fd[--n]);
}

void
stranger_main(void)
{
	struct client root = {.reg.nr_tx_slots = 16};
	struct ask a;
	uint64_t n = 0;

	d = dice_make(5);
	client_open(&root, "valer:r");
	if (setgid(65534) != 0 || setuid(65534) != 0)
		die("setuid");
	for (; time_left(); n++) {
		a = ask_of(NETMAP_REQ_REGISTER, "valer:r");
		expect("a port of another user", EACCES, ask_once(&a));
		a = ask_of(NETMAP_REQ_REGISTER, "valer:q");
		a.reg.nr_mem_id = root.reg.nr_mem_id;
		expect("memory of another user", EACCES, ask_once(&a));
		a = ask_of((uint16_t)(dice(&d, 2) ? NETMAP_REQ_VALE_ATTACH + dice(&d, 2)
						  : NETMAP_REQ_VALE_NEWIF + dice(&d, 2)),
			"valer:rp");
		expect("what operators may", EPERM, ask_once(&a));
		if (n == 0)
			spend_memory();
		usleep(dice(&d, 20000));
	}
	printf("stranger: %ju times\n", (uintmax_t)n);
}
