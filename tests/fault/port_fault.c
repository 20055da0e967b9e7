/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include "port_fault.h"
#include "vale_control_client.h"
#include "vale_dpdk_shm.h"

#define FRAME_LEN 60
#define EXCHANGE_NB 8
/* Longest that anything may take that must happen at once; the machine may be busy. */
#define WAIT_MS 20000
#define START_MS 30000
/* A child with this number of steps has gone astray. */
#define STEPS_MAX 20000000

/*
 * How many are killed on the way through each, at most; the time goes with this and the length.
 * Where frames and mbufs change hands it is each instruction. With --every it is always.
 */
static const struct {
	const char *name;
	uint32_t kills;
} scenarios[STEP_NB] = {
	[STEP_ATTACH] = {"attach", 30},
	[STEP_FIRST_ALLOC] = {"join the pool and allocate", 80},
	[STEP_ALLOC_FREE] = {"allocate and free", UINT32_MAX},
	[STEP_SEND] = {"send", UINT32_MAX},
	[STEP_SEND_COPIES] = {"send copies", 80},
	[STEP_SEND_FOREIGN] = {"send mbufs of another pool", 320},
	[STEP_RECEIVE] = {"receive one", UINT32_MAX},
	[STEP_RECEIVE_ALL] = {"receive singles and a chain", UINT32_MAX},
	[STEP_FREE] = {"free what was received", 80},
	[STEP_START] = {"configure and start", 80},
	[STEP_DETACH] = {"detach", 40},
};

/** What is known of a number of kills. */
struct score {
	uint32_t kills;
	uint32_t missing; /* most mbufs that were missing at first */
	uint64_t back_ms; /* longest until they were back */
};

static uint16_t ports[2];
static struct rte_ether_addr macs[2];
static struct rte_ether_addr victim_mac;
static struct rte_mempool *pool;
static int ctl_fd;
static int orders, outcomes; /* pipes to and from the victims' parent */
static uint32_t nb_free;     /* mbufs, when nobody holds one */
static const char *doing = "start";
static uint32_t doing_steps;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "FAILED: %s, killed after %u instructions: ", doing, doing_steps);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1); /* and the victims' parent with us */
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- frames ---- */

static struct rte_mbuf *
new_frame(const struct rte_ether_addr *dst, const struct rte_ether_addr *src, uint8_t number)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ether_hdr *hdr;

	if (m == NULL)
		die("the pool is empty");
	hdr = (struct rte_ether_hdr *)rte_pktmbuf_append(m, FRAME_LEN);
	memset(hdr, number, FRAME_LEN);
	hdr->dst_addr = *dst;
	hdr->src_addr = *src;
	return m;
}

/* Send to the victim what it waits for: all in mbufs of ours, the last of them a chain. Not in the
 * one of its hello, which is on top of the lcore cache: that had the victim's tag from the
 * beginning, if net_vale forgot to write tags. */
static void
send_burst(void)
{
	struct rte_mbuf *hello = new_frame(&victim_mac, &macs[0], 0);
	struct rte_mbuf *m[STEP_BURST];

	for (unsigned int i = 0; i < STEP_BURST; i++)
		m[i] = new_frame(&victim_mac, &macs[0], 0);
	if (rte_pktmbuf_chain(m[STEP_BURST - 1], new_frame(&victim_mac, &macs[0], 0)) != 0 ||
		rte_eth_tx_burst(ports[0], 0, m, STEP_BURST) != STEP_BURST)
		die("a burst for the victim cannot be sent");
	rte_pktmbuf_free(hello);
}

/* Look at what comes; the victim's frames tell its address. Returns whether there was one of those.
 */
static bool
take_in(uint16_t port, uint8_t *next)
{
	struct rte_mbuf *m[32];
	uint16_t n = rte_eth_rx_burst(port, 0, m, RTE_DIM(m));
	bool hello = false;

	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(m[i], const uint8_t *);
		const struct rte_ether_hdr *hdr = (const void *)frame;

		if (!rte_is_same_ether_addr(&hdr->src_addr, &macs[0]) &&
			!rte_is_same_ether_addr(&hdr->src_addr, &macs[1])) {
			victim_mac = hdr->src_addr;
			hello = true;
		} else if (next != NULL && frame[FRAME_LEN - 1] == *next) {
			++*next;
		} else {
			die("a frame between the others is lost or out of order");
		}
	}
	rte_pktmbuf_free_bulk(m, n);
	return hello;
}

/* Frames between the two that must not notice. */
static void
exchange(unsigned int from, unsigned int to)
{
	struct rte_mbuf *m[EXCHANGE_NB];
	uint64_t end = now_ms() + WAIT_MS;
	uint8_t next = 0;

	for (unsigned int i = 0; i < EXCHANGE_NB; i++)
		m[i] = new_frame(&macs[to], &macs[from], (uint8_t)i);
	if (rte_eth_tx_burst(ports[from], 0, m, EXCHANGE_NB) != EXCHANGE_NB)
		die("the others cannot send");
	while (next < EXCHANGE_NB) {
		take_in(ports[to], &next);
		if (now_ms() > end)
			die("of %u frames between the others %u arrived", EXCHANGE_NB, next);
	}
}

/* ---- the switch's count ---- */

static uint32_t
mbufs_free(void)
{
	struct vale_ctl_get_reply reply;
	struct vale_ctl_var_req req = {.name = "mbufs_free"};

	vale_ctl_hdr_init(&req.hdr, VALE_CTL_GET, sizeof(req));
	if (vale_ctl_call(ctl_fd, &req, &reply, sizeof(reply), NULL, NULL, WAIT_MS) != 0 ||
		reply.r.error != 0)
		die("the switch does not answer");
	return (uint32_t)strtoul(reply.vars[0].value, NULL, 10);
}

/* All mbufs come back; frames of the victim's may still arrive. */
static void
await_mbufs(struct score *score)
{
	uint64_t start = now_ms();
	uint32_t got, missing = 0;

	while ((got = mbufs_free()) != nb_free) {
		if (now_ms() > start + WAIT_MS)
			die("%u mbufs are free, not %u", got, nb_free);
		missing = RTE_MAX(missing, got < nb_free ? nb_free - got : 0);
		take_in(ports[0], NULL);
		take_in(ports[1], NULL);
		usleep(50);
	}
	score->missing = RTE_MAX(score->missing, missing);
	score->back_ms = RTE_MAX(score->back_ms, now_ms() - start);
}

/* ---- victims ---- */

static struct outcome
await_outcome(uint64_t ms)
{
	struct pollfd pfd = {.fd = outcomes, .events = POLLIN};
	struct outcome out;

	if (poll(&pfd, 1, (int)ms) != 1 || read(outcomes, &out, sizeof(out)) != sizeof(out))
		die("the victims' parent hangs or has ended");
	return out;
}

static bool
has_outcome(void)
{
	struct pollfd pfd = {.fd = outcomes, .events = POLLIN};

	return poll(&pfd, 1, 0) == 1;
}

/* Make a victim and kill it after its @p steps-th instruction. Returns how many it ran: fewer, if
 * its work was done. */
static uint32_t
kill_after(uint32_t scenario, uint32_t steps)
{
	struct order o = {.scenario = scenario, .steps = steps, .checker = macs[0]};
	uint64_t end = now_ms() + WAIT_MS;
	struct outcome out;

	if (write(orders, &o, sizeof(o)) != sizeof(o))
		die("the victims' parent has ended");
	if (scenario_has_frames(scenario)) {
		while (!take_in(ports[0], NULL) && !has_outcome() && now_ms() < end)
			;
		send_burst();
	}
	out = await_outcome(START_MS);
	if (out.begun == 0)
		die("the next cannot attach under the same name, or does not get its frames");
	return out.steps;
}

static void
check_after(struct score *score)
{
	exchange(0, 1);
	exchange(1, 0);
	await_mbufs(score);
	score->kills++;
}

/* An odd number, so that all loops are met at all of their instructions. */
static uint32_t
stride_of(uint32_t scenario, uint32_t length, bool every)
{
	uint32_t stride = every ? 1 : length / scenarios[scenario].kills;

	return stride < 2 ? 1 : stride | 1;
}

static void
step_through(uint32_t scenario, bool every)
{
	struct score score = {0};
	uint32_t length, stride;

	doing = scenarios[scenario].name;
	doing_steps = STEPS_MAX;
	length = kill_after(scenario, STEPS_MAX);
	if (length == STEPS_MAX)
		die("it does not come to an end");
	check_after(&score);
	stride = stride_of(scenario, length, every);
	for (doing_steps = stride; doing_steps < length; doing_steps += stride) {
		kill_after(scenario, doing_steps);
		check_after(&score);
		if (scenario == STEP_ATTACH) {
			kill_after(STEP_NOTHING, 1);
			await_mbufs(&score);
		}
	}
	printf("%s: %u killed, one after each %u. of %u instructions; at most %u mbufs were "
	       "missing, for %ju ms at most\n",
		doing, score.kills, stride, length, score.missing, (uintmax_t)score.back_ms);
	fflush(stdout);
}

/* ---- start ---- */

static void
parent_exec(char **argv, int eal_argc, const int up[2], const int down[2])
{
	char fds[2][16], *args[32];
	int n = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(fds[0], sizeof(fds[0]), "%d", down[0]);
	snprintf(fds[1], sizeof(fds[1]), "%d", up[1]);
	for (; n < eal_argc && n < 26; n++)
		args[n] = argv[n];
	/* the options of EAL that stand last count */
	for (int i = 1; i + 1 < n; i++)
		if (strcmp(args[i], "--lcores") == 0)
			args[i + 1] = "102@(0-1)";
	args[n++] = "--";
	args[n++] = "victims";
	args[n++] = fds[0];
	args[n++] = fds[1];
	args[n] = NULL;
	/* so that what is stepped does not look for its symbols */
	setenv("LD_BIND_NOW", "1", 1);
	/* nor sets and copies memory by `rep`, of which each byte counts as an instruction */
	setenv("GLIBC_TUNABLES",
		"glibc.cpu.x86_rep_movsb_threshold=0x40000000:"
		"glibc.cpu.x86_rep_stosb_threshold=0x40000000",
		1);
	execv("/proc/self/exe", args);
	_exit(127);
}

static void
start_victims(char **argv, int eal_argc)
{
	int up[2], down[2];

	if (pipe(up) != 0 || pipe(down) != 0)
		die("no pipe: %s", strerror(errno));
	if (fork() == 0) {
		fcntl(up[0], F_SETFD, FD_CLOEXEC);
		fcntl(down[1], F_SETFD, FD_CLOEXEC);
		parent_exec(argv, eal_argc, up, down);
	}
	close(up[1]);
	close(down[0]);
	outcomes = up[0];
	orders = down[1];
	await_outcome(START_MS);
}

static void
setup(const char *socket)
{
	static const char *const names[] = CHECKER_PORTS;
	char device[32], args[64];

	pool = rte_mempool_lookup(VALE_POOL_NAME);
	ctl_fd = vale_ctl_connect(socket);
	if (pool == NULL || ctl_fd < 0)
		die("no switch at %s", socket);
	for (unsigned int i = 0; i < RTE_DIM(ports); i++) {
		snprintf(device, sizeof(device), "net_vale%u", i);
		snprintf(args, sizeof(args), "port=%s", names[i]);
		if (rte_vdev_init(device, args) != 0 ||
			rte_eth_dev_get_port_by_name(names[i], &ports[i]) != 0)
			die("%s cannot be attached", names[i]);
		rte_eth_macaddr_get(ports[i], &macs[i]);
	}
	/* both addresses are known, all caches are warm */
	for (unsigned int i = 0; i < 2; i++) {
		struct rte_mbuf *m = new_frame(&macs[1 - i], &macs[i], 0);
		uint64_t end = now_ms() + WAIT_MS;
		uint8_t next = 0;

		rte_eth_tx_burst(ports[i], 0, &m, 1);
		while (next == 0 && now_ms() < end)
			take_in(ports[1 - i], &next);
	}
	nb_free = mbufs_free();
}

static int
checker_main(int argc, char **argv, char **eal_argv, int eal_argc)
{
	bool every = false;
	int only = -1;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--every") == 0)
			every = true;
		else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
			only = (int)strtol(argv[++i], NULL, 10);
		else
			die("unknown argument %s", argv[i]);
	}
	setup(argv[1]);
	start_victims(eal_argv, eal_argc);
	for (uint32_t s = 0; s < STEP_NB; s++)
		if (only < 0 || only == (int)s)
			step_through(s, every);
	close(orders);
	wait(NULL);
	return 0;
}

int
main(int argc, char **argv)
{
	char *copy[32]; /* EAL reorders its arguments */
	int n;

	for (n = 0; n < argc && n < (int)RTE_DIM(copy); n++)
		copy[n] = argv[n];
	n = rte_eal_init(argc, argv);
	if (n < 0 || argc - n < 2) {
		fputs("usage: port-fault --proc-type secondary --lcores L [EAL options] -- SOCKET "
		      "[--every] [--only SCENARIO]\n",
			stderr);
		return 2;
	}
	if (strcmp(argv[n + 1], "victims") == 0 && argc - n >= 4)
		n = victims_main(
			(int)strtol(argv[n + 2], NULL, 10), (int)strtol(argv[n + 3], NULL, 10));
	else
		n = checker_main(argc - n, argv + n, copy, n);
	rte_eal_cleanup();
	return n;
}
