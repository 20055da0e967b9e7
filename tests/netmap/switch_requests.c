/* SPDX-License-Identifier: BSD-3-Clause */
/* What the switch answers, case by case, as real netmap was seen to, but for names that the manual
 * page forbids. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch_client.h"

static int fd;

/* REGISTER on a fresh descriptor, which is closed again. */
static int
try_register(const char *name, struct nmreq_register *reg)
{
	struct client c = {.reg = *reg};
	int ret = client_register(&c, name);

	*reg = c.reg;
	if (ret == 0)
		close(c.fd);
	return ret;
}

static void
names(void)
{
	static const struct {
		const char *name;
		int error;
	} table[] = {
		{"vale0:a", 0},
		{"vale:x", 0},
		{"valexyz:1", 0},
		{"vale_0:a", 0},
		{"vale", ENOMEM},
		{"vale0", ENOMEM},
		{"VALE0:a", ENXIO},
		{"foo", ENXIO},
		{"", ENXIO},
		{"vale 0:a", ENOMEM},
		{"vale-0:a", ENOMEM},
		{"vale0:1234567890123456", ENOMEM},
		{"vale123456789012:a", ENOMEM},
		{"vale1234567890123456789012345678901234567890:123456789012345", ENOMEM},
		{"vale0:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ENOMEM},
		{"vale0:lo", EINVAL},
		{"lo", ENXIO},
		/* netmap takes these, the manual page does not */
		{"vale0:", EINVAL},
		{"vale0:a:b", EINVAL},
		{"vale0:a-b", EINVAL},
		{"val:a", EINVAL},
	};

	for (unsigned int i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct nmreq_register reg = {.nr_mode = NR_REG_ALL_NIC};
		int ret = try_register(table[i].name, &reg);

		if (ret != table[i].error)
			die("%s: %d, not %d", table[i].name, ret, table[i].error);
	}
}

static void
numbers(void)
{
	static const uint32_t slots[][2] = {{0, 1024}, {1, 1}, {2, 2}, {3, 3}, {100, 100},
		{1000, 1000}, {4096, 4096}, {4097, 4096}, {100000, 4096}};
	static const uint16_t nb[][2] = {{0, 1}, {1, 1}, {3, 3}, {16, 16}, {17, 16}, {65535, 16}};

	for (unsigned int i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		struct client c = {.reg = {.nr_tx_slots = slots[i][0], .nr_rx_slots = slots[i][0]}};

		client_open(&c, "vale0:a");
		CHECK(c.reg.nr_tx_slots == slots[i][1] && c.reg.nr_rx_slots == slots[i][1]);
		CHECK(client_tx(&c, 0)->num_slots == slots[i][1]);
		CHECK(client_rx(&c, 0)->num_slots == slots[i][1]);
		CHECK(client_tx(&c, 0)->nr_buf_size == 2048 && c.reg.nr_mem_id > 1);
		client_tx_sync(&c, 0);
		CHECK(client_tx(&c, 0)->tail == slots[i][1] - 1 && client_rx_sync(&c, 0) == 0);
		client_close(&c);
	}
	for (unsigned int i = 0; i < sizeof(nb) / sizeof(nb[0]); i++) {
		struct nmreq_register reg = {.nr_mode = NR_REG_ALL_NIC,
			.nr_tx_rings = nb[i][0],
			.nr_rx_rings = nb[i][0]};

		CHECK(try_register("vale0:a", &reg) == 0);
		CHECK(reg.nr_tx_rings == nb[i][1] && reg.nr_rx_rings == nb[i][1]);
	}
}

static void
modes(void)
{
	static const struct {
		uint32_t mode, ringid;
		uint64_t flags;
		uint16_t mem_id;
		int error;
	} table[] = {
		{NR_REG_ALL_NIC, 0, 0, 0, 0},
		{NR_REG_ONE_NIC, 0, 0, 0, 0},
		{NR_REG_ONE_NIC, 1, 0, 0, EINVAL},
		{NR_REG_SW, 0, 0, 0, EINVAL},
		{NR_REG_NIC_SW, 0, 0, 0, EINVAL},
		{NR_REG_ONE_SW, 0, 0, 0, EINVAL},
		{77, 0, 0, 0, EINVAL},
		{NR_REG_PIPE_MASTER, 0, 0, 0, EOPNOTSUPP},
		{NR_REG_NULL, 0, 0, 0, EOPNOTSUPP},
		{NR_REG_ALL_NIC, 0, NR_MONITOR_RX, 0, EOPNOTSUPP},
		{NR_REG_ALL_NIC, 0, 0, 999, EINVAL},
	};
	struct nmreq_register reg = {0};

	for (unsigned int i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		reg = (struct nmreq_register){.nr_mode = table[i].mode,
			.nr_ringid = (uint16_t)table[i].ringid,
			.nr_flags = table[i].flags,
			.nr_mem_id = table[i].mem_id};
		if (try_register("vale0:a", &reg) != table[i].error)
			die("mode %u flags %#jx", table[i].mode, (uintmax_t)table[i].flags);
	}
	reg = (struct nmreq_register){0};
	CHECK(client_ctrl(fd, NETMAP_REQ_REGISTER, "vale0:a", &reg, sizeof(reg), NULL, 0, NULL) ==
		EINVAL);
	CHECK(client_ctrl(fd, 0, "vale0:a", NULL, 0, NULL, 0, NULL) == EINVAL);
	CHECK(client_ctrl(fd, 9999, "vale0:a", NULL, 0, NULL, 0, NULL) == EINVAL);
	CHECK(client_ctrl(fd, NETMAP_REQ_CSB_ENABLE, "", NULL, 0, NULL, 0, NULL) == EOPNOTSUPP);
	/* a descriptor is bound once */
	reg.nr_mode = NR_REG_ALL_NIC;
	CHECK(client_ctrl(fd, NETMAP_REQ_REGISTER, "vale0:a", &reg, sizeof(reg), NULL, 0, NULL) ==
		0);
	CHECK(client_ctrl(fd, NETMAP_REQ_REGISTER, "vale0:a", &reg, sizeof(reg), NULL, 0, NULL) ==
		EBUSY);
	CHECK(client_ctrl(fd, NETMAP_REQ_REGISTER, "vale0:b", &reg, sizeof(reg), NULL, 0, NULL) ==
		EBUSY);
}

static void
options(void)
{
	struct vale_ctl_nm_opt opts[2] = {{.reqtype = 1234}};
	struct nmreq_register reg = {.nr_mode = NR_REG_ALL_NIC};

#define REGISTER(n) \
	client_ctrl(client_dial(), NETMAP_REQ_REGISTER, "vale0:a", &reg, sizeof(reg), opts, n, NULL)
	CHECK(REGISTER(1) == EOPNOTSUPP && opts[0].status == EOPNOTSUPP);
	opts[0].reqtype = opts[1].reqtype = NETMAP_REQ_OPT_EXTMEM;
	CHECK(REGISTER(2) == EINVAL && opts[0].status == EINVAL && opts[1].status == EINVAL);
	opts[0].reqtype = NETMAP_REQ_OPT_OFFSETS;
	CHECK(REGISTER(2) == EOPNOTSUPP && opts[0].status == 0 && opts[1].status == EOPNOTSUPP);
	opts[0].reqtype = 0;
	CHECK(REGISTER(1) == EINVAL && opts[0].status == EINVAL);
#undef REGISTER
}

static void
info(void)
{
	struct nmreq_port_info_get get = {0};
	struct nmreq_pools_info pools = {0};
	struct client c = {.reg = {.nr_tx_rings = 2, .nr_rx_slots = 256}};

	CHECK(client_ctrl(fd, NETMAP_REQ_PORT_INFO_GET, "vale0:a", &get, sizeof(get), NULL, 0,
		      NULL) == 0);
	CHECK(get.nr_tx_slots == 1024 && get.nr_rx_rings == 1 && get.nr_memsize > 0 &&
		get.nr_mem_id > 1);
	client_open(&c, "vale0:a");
	get = (struct nmreq_port_info_get){0};
	CHECK(client_ctrl(fd, NETMAP_REQ_PORT_INFO_GET, "vale0:a", &get, sizeof(get), NULL, 0,
		      NULL) == 0);
	CHECK(get.nr_tx_rings == 2 && get.nr_rx_slots == 256 && get.nr_mem_id == c.reg.nr_mem_id &&
		get.nr_memsize == c.reg.nr_memsize);
	CHECK(client_ctrl(fd, NETMAP_REQ_PORT_INFO_GET, "foo", &get, sizeof(get), NULL, 0, NULL) ==
		ENXIO);
	get = (struct nmreq_port_info_get){.nr_mem_id = c.reg.nr_mem_id};
	CHECK(client_ctrl(fd, NETMAP_REQ_PORT_INFO_GET, "", &get, sizeof(get), NULL, 0, NULL) ==
			0 &&
		get.nr_memsize == c.reg.nr_memsize);
	CHECK(client_ctrl(fd, NETMAP_REQ_POOLS_INFO_GET, "vale0:a", &pools, sizeof(pools), NULL, 0,
		      NULL) == 0);
	CHECK(pools.nr_memsize == c.reg.nr_memsize && pools.nr_buf_pool_objsize == 2048 &&
		pools.nr_buf_pool_offset == c.region->bufs_off);
	CHECK(client_ctrl(fd, NETMAP_REQ_POOLS_INFO_GET, "", &pools, sizeof(pools), NULL, 0,
		      NULL) == ENXIO);
	/* ids are not given again soon */
	for (uint16_t i = 0, id = c.reg.nr_mem_id; i < 100; i++, id++) {
		struct client x = {0};

		client_open(&x, "vale1:x");
		CHECK(x.reg.nr_mem_id == (uint16_t)(id + 1));
		client_close(&x);
	}
}

static int
list(const char *name, uint32_t *bridge, uint32_t *port)
{
	struct nmreq_vale_list l = {.nr_bridge_idx = (uint16_t)*bridge, .nr_port_idx = *port};
	int ret = client_ctrl(fd, NETMAP_REQ_VALE_LIST, name, &l, sizeof(l), NULL, 0, NULL);

	*bridge = l.nr_bridge_idx;
	*port = l.nr_port_idx;
	return ret;
}

static void
listing(void)
{
	uint32_t bridge = 0, port = 0;
	struct client c[3] = {0};

	CHECK(list("", &bridge, &port) == ENOENT);
	client_open(&c[0], "vale0:a");
	client_open(&c[1], "vale0:b");
	client_open(&c[2], "vale5:c");
	CHECK(list("vale0:b", &bridge, &port) == 0 && bridge == 0 && port == 1);
	CHECK(list("vale0:zz", &bridge, &port) == 0 && bridge == 0 && port == 255);
	CHECK(list("vale7:a", &bridge, &port) == ENOENT);
	CHECK(list("foo", &bridge, &port) == EINVAL);
	bridge = port = 0;
	CHECK(list("", &bridge, &port) == 0 && bridge == 0 && port == 0);
	port++;
	CHECK(list("", &bridge, &port) == 0 && bridge == 0 && port == 1);
	port++;
	CHECK(list("", &bridge, &port) == 0 && bridge == 1 && port == 0);
	port++;
	CHECK(list("", &bridge, &port) == ENOENT);
}

static int
newif(const char *name)
{
	struct nmreq_vale_newif nif = {0};
	int ret = client_ctrl(fd, NETMAP_REQ_VALE_NEWIF, name, &nif, sizeof(nif), NULL, 0, NULL);

	CHECK(ret != 0 || (nif.nr_tx_slots == 1024 && nif.nr_rx_rings == 1));
	return ret;
}

static int
delif(const char *name)
{
	return client_ctrl(fd, NETMAP_REQ_VALE_DELIF, name, NULL, 0, NULL, 0, NULL);
}

static int
attach(const char *name)
{
	struct nmreq_vale_attach att = {.reg = {.nr_mode = NR_REG_ALL_NIC}};

	return client_ctrl(fd, NETMAP_REQ_VALE_ATTACH, name, &att, sizeof(att), NULL, 0, NULL);
}

static int
detach(const char *name)
{
	struct nmreq_vale_detach det = {0};

	return client_ctrl(fd, NETMAP_REQ_VALE_DETACH, name, &det, sizeof(det), NULL, 0, NULL);
}

/* Closing is seen before the next request. */
static void
persistent(void)
{
	struct client a = {0}, p = {0};

	CHECK(newif("vale0:x") == EINVAL && newif("lo") == EEXIST && newif("") == EINVAL);
	CHECK(newif("1234567890123456") == EINVAL);
	CHECK(newif("pv0") == 0 && newif("pv0") == EEXIST);
	CHECK(delif("nosuch") == ENXIO && delif("lo") == EINVAL);
	CHECK(attach("vale0:nosuch") == EINVAL && attach("pv0") == EINVAL);
	CHECK(detach("vale0:pv0") == ENXIO && detach("pv0") == EINVAL);
	CHECK(client_register(&p, "vale0:pv0") == EINVAL);
	/* on no switch: what is sent goes nowhere */
	client_open(&p, "pv0");
	for (uint32_t i = 0; i < 3000; i++)
		client_send(&p, mac_all, mac_b, 60, i);
	CHECK(attach("vale0:pv0") == EBUSY && delif("pv0") == EBUSY);
	client_close(&p);
	CHECK(attach("vale0:pv0") == 0 && attach("vale0:pv0") == EBUSY && delif("pv0") == EBUSY);
	client_open(&a, "vale0:a");
	CHECK(attach("vale0:a") == EBUSY && detach("vale0:a") == EINVAL);
	client_open(&p, "vale0:pv0");
	client_send(&a, mac_all, mac_a, 60, 1);
	client_take(&p, 1, 1, 60);
	CHECK(detach("vale0:pv0") == EBUSY && attach("vale1:pv0") == EBUSY);
	client_close(&p);
	client_open(&p, "pv0"); /* it is the same port */
	client_send(&p, mac_all, mac_b, 60, 2);
	client_take(&a, 2, 1, 60);
	client_close(&p);
	CHECK(detach("vale0:pv0") == 0 && detach("vale0:pv0") == ENXIO && delif("pv0") == 0);
	CHECK(delif("pv0") == ENXIO);
}

/* A port on two switches carries frames from one to the other. */
static void
wire(void)
{
	struct client a = {0}, b = {0}, p = {0};

	client_open(&a, "vale0:a");
	client_open(&b, "vale1:b");
	CHECK(newif("w0") == 0 && attach("vale0:w0") == 0 && attach("vale1:w0") == 0);
	CHECK(attach("vale2:w0") == EBUSY);
	CHECK(client_register(&p, "vale0:w0") == EBUSY);
	for (uint32_t round = 0; round < 200; round++) {
		for (uint32_t i = 0; i < 100; i++) {
			client_put(&a, mac_all, mac_a, 60, round * 100 + i);
			client_put(&b, mac_a, mac_b, 60, round * 100 + i);
		}
		client_tx_sync(&a, 0);
		client_tx_sync(&b, 0);
		client_take(&b, round * 100, 100, 60);
		client_take(&a, round * 100, 100, 60);
	}
	/* a chain stays one */
	client_put(&a, mac_b, mac_a, 2000, 1)->flags = NS_MOREFRAG;
	client_put(&a, mac_b, mac_a, 1000, 2);
	client_tx_sync(&a, 0);
	CHECK(client_wait_rx(&b, 0, 2) == 2);
	CHECK(client_rx(&b, 0)->slot[client_rx(&b, 0)->head].flags == 0x220);
	client_rx(&b, 0)->head = client_rx(&b, 0)->tail;
	CHECK(detach("vale0:w0") == EBUSY && delif("w0") == EBUSY);
	CHECK(detach("vale1:w0") == 0);
	client_send(&a, mac_b, mac_a, 60, 3);
	client_expect_none(&b);
	client_open(&p, "vale0:w0");
	client_close(&p);
	CHECK(detach("vale0:w0") == 0 && delif("w0") == 0);
}

/* Left as they are, for the switch to end with. */
static void
leave_wire(void)
{
	CHECK(newif("w0") == 0 && attach("vale0:w0") == 0 && attach("vale1:w0") == 0);
	CHECK(newif("w1") == 0 && attach("vale0:w1") == 0 && newif("w2") == 0);
}

/* An interface comes and goes, on a descriptor that has a port. For tests/fault/lock_left_held.sh.
 */
static void
interface(void)
{
	struct client c = {0};

	client_open(&c, "vale7:a");
	close(fd);
	fd = c.fd;
	CHECK(attach("vale7:nmif") == 0);
	CHECK(detach("vale7:nmif") == 0);
	client_close(&c);
}

/* ---- extra buffers ---- */

#define MANY_EXTRA 100000

/* All of them are in the list, once. */
static void
check_list(const struct client *c, uint32_t nb)
{
	uint32_t idx = c->nifp->ni_bufs_head, n = 0;
	uint8_t *seen = calloc(c->region->nb_bufs, 1);

	for (; idx != 0; n++) {
		CHECK(idx < c->region->nb_bufs && seen[idx]++ == 0);
		memcpy(&idx, client_buf(c, idx), sizeof(idx));
	}
	CHECK(n == nb);
	free(seen);
}

static pid_t
start_extra(int tell)
{
	struct client c = {.reg = {.nr_rx_slots = 256, .nr_extra_bufs = MANY_EXTRA}};
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	CHECK(client_register(&c, "vale0:e") == 0);
	CHECK(write(tell, ".", 1) == 1);
	CHECK(c.reg.nr_extra_bufs == MANY_EXTRA);
	client_map(&c);
	check_list(&c, MANY_EXTRA);
	exit(0);
}

static bool
is_there(void)
{
	struct nmreq_port_info_get get = {0};

	CHECK(client_ctrl(fd, NETMAP_REQ_PORT_INFO_GET, "vale0:e", &get, sizeof(get), NULL, 0,
		      NULL) == 0);
	return get.nr_rx_slots == 256;
}

static bool
was_told(int told)
{
	struct pollfd p = {.fd = told, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* Many take their time, in which others are served; who dies meanwhile is forgotten. */
static void
extra(void)
{
	struct client c = {.reg = {.nr_extra_bufs = 10}};
	int told[2], status;
	unsigned int served = 0;
	pid_t pid;

	client_open(&c, "vale0:a");
	check_list(&c, 10);
	client_close(&c);
	CHECK(pipe(told) == 0);
	pid = start_extra(told[1]);
	while (!was_told(told[0]))
		served += is_there();
	CHECK(served >= 10);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	while (is_there())
		;
	pid = start_extra(told[1]);
	while (!is_there())
		;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while (is_there())
		;
}

int
main(int argc, char **argv)
{
	static const struct test_case cases[] = {
#define CASE(f) {#f, f}
		CASE(names),
		CASE(numbers),
		CASE(modes),
		CASE(options),
		CASE(info),
		CASE(extra),
		CASE(listing),
		CASE(persistent),
		CASE(wire),
		CASE(leave_wire),
		CASE(interface),
		{NULL, NULL},
	};

	if (argc == 3) {
		socket_path = argv[1];
		fd = client_dial();
	}
	return run_case(argc, argv, cases);
}
