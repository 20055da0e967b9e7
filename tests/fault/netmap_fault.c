/* SPDX-License-Identifier: BSD-3-Clause */
/* netmap-fault SOCKET SWITCH-PID [--every] [--only N]: netmap programs that are killed after their
 * n-th instruction, and what is looked at after each. Linked with libvale-netmap.so, whose calls
 * are what is stepped through. */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "switch_client.h"
#include "trace.h"
#include "vale_control_client.h"

#define VICTIM "valek:v"
#define SHARED "valek:s"
#define EXCHANGE_NB 4
#define FRAMES 5
#define WAIT_S 20
#define STEPS_MAX 5000000

enum scenario { OPEN, REGISTER, MAP, TXSYNC, RXSYNC, POLL, CLOSE, SHARED_TX, SHARED_RX, SCENARIOS };

/* At most so many are killed on the way, one after each so many instructions; with --every, after
 * each. */
static const struct {
	const char *name;
	uint32_t kills;
	const char *port; /* NULL: none yet */
} scenarios[SCENARIOS] = {
	[OPEN] = {"open", 20, NULL},
	[REGISTER] = {"register", 30, NULL},
	[MAP] = {"mmap", 30, VICTIM},
	[TXSYNC] = {"txsync", 150, VICTIM},
	[RXSYNC] = {"rxsync", 150, VICTIM},
	[POLL] = {"poll", 40, VICTIM},
	[CLOSE] = {"close", 30, VICTIM},
	[SHARED_TX] = {"txsync of a shared ring", 200, SHARED},
	[SHARED_RX] = {"rxsync of a shared ring", 150, SHARED},
};

static struct client a, b;
static pid_t switch_pid;
static uint32_t number;
static int ready[2]; /* pipe: a victim's address is known */
static const char *doing = "start";
static uint32_t doing_steps;

/* What the one who shares a ring with victims has done: turns in which its frame left. In shared
 * memory. */
static _Atomic uint64_t *mate_turns;
static pid_t mate_pid;

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

#define FAIL(...)                                                                          \
	do {                                                                               \
		fprintf(stderr, "%s, killed after %u instructions\n", doing, doing_steps); \
		die(__VA_ARGS__);                                                          \
	} while (0)

/* ---- programs ---- */

/** A netmap program's descriptor and memory. */
static struct program {
	int fd;
	struct nmreq_register reg;
	uint8_t *mem;
	struct netmap_ring *tx, *rx;
} v;

static void
program_register(const char *name)
{
	struct nmreq_header hdr = {.nr_version = NETMAP_API, .nr_reqtype = NETMAP_REQ_REGISTER};

	snprintf(hdr.nr_name, sizeof(hdr.nr_name), "%s", name);
	v.reg = (struct nmreq_register){
		.nr_mode = NR_REG_ALL_NIC, .nr_tx_slots = 64, .nr_rx_slots = 64};
	hdr.nr_body = (uintptr_t)&v.reg;
	if (ioctl(v.fd, NIOCCTRL, &hdr) != 0)
		_exit(10);
}

static void
program_map(void)
{
	struct netmap_if *nifp;

	v.mem = mmap(NULL, v.reg.nr_memsize, PROT_READ | PROT_WRITE, MAP_SHARED, v.fd, 0);
	if (v.mem == MAP_FAILED)
		_exit(11);
	nifp = (struct netmap_if *)(v.mem + v.reg.nr_offset);
	v.tx = (struct netmap_ring *)((uint8_t *)nifp + nifp->ring_ofs[0]);
	v.rx = (struct netmap_ring *)((uint8_t *)nifp + nifp->ring_ofs[nifp->ni_tx_rings + 1]);
}

static void
program_open(const char *name)
{
	v.fd = open("/dev/netmap", O_RDWR);
	if (v.fd < 0)
		_exit(12);
	if (name == NULL)
		return;
	program_register(name);
	program_map();
}

static void
program_fill(uint32_t n)
{
	for (; n > 0 && v.tx->head != v.tx->tail; n--) {
		struct netmap_slot *s = &v.tx->slot[v.tx->head];
		uint8_t *p =
			(uint8_t *)v.tx + v.tx->buf_ofs + (size_t)s->buf_idx * v.tx->nr_buf_size;

		memset(p, 0, 60);
		/* to where it comes from: taken, learned, and dropped */
		memcpy(p, mac_d, 6);
		memcpy(p + 6, mac_d, 6);
		s->len = 60;
		v.tx->head = v.tx->cur = v.tx->head + 1 == v.tx->num_slots ? 0 : v.tx->head + 1;
	}
}

static void
prepare(enum scenario s)
{
	struct pollfd pfd = {.events = POLLIN};

	if (s == REGISTER)
		program_open(NULL);
	if (s == MAP) {
		program_open(NULL);
		program_register(VICTIM);
	} else if (scenarios[s].port != NULL) {
		program_open(scenarios[s].port);
	}
	pfd.fd = v.fd;
	if (s == TXSYNC || s == SHARED_TX)
		program_fill(FRAMES);
	if (s == RXSYNC) {
		program_fill(1);
		while (v.tx->tail + 1 != v.tx->head)
			ioctl(v.fd, NIOCTXSYNC, NULL);
		if (write(ready[1], "", 1) != 1 || poll(&pfd, 1, WAIT_S * 1000) != 1)
			_exit(13);
		v.rx->head = v.rx->cur = v.rx->tail;
	}
}

static void
work(enum scenario s)
{
	struct pollfd pfd = {.fd = v.fd, .events = POLLIN | POLLOUT};

	switch (s) {
	case OPEN:
		v.fd = open("/dev/netmap", O_RDWR);
		break;
	case REGISTER:
		program_register(VICTIM);
		break;
	case MAP:
		program_map();
		break;
	case TXSYNC:
	case SHARED_TX:
		ioctl(v.fd, NIOCTXSYNC, NULL);
		break;
	case RXSYNC:
	case SHARED_RX:
		ioctl(v.fd, NIOCRXSYNC, NULL);
		break;
	case POLL:
		poll(&pfd, 1, 1);
		break;
	case CLOSE:
		munmap(v.mem, v.reg.nr_memsize);
		close(v.fd);
		break;
	default:
		break;
	}
}

/* ---- the one who shares ---- */

/* Goes on with both rings of the shared port, a frame each turn; a sync that finds a ring busy
 * skips it, so it tries again. */
static void
mate_main(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	program_open(SHARED);
	for (;;) {
		uint32_t head;

		program_fill(1);
		head = v.tx->head;
		do {
			ioctl(v.fd, NIOCTXSYNC, NULL);
			ioctl(v.fd, NIOCRXSYNC, NULL);
			v.rx->head = v.rx->cur = v.rx->tail;
			usleep(20);
		} while (v.tx->tail != (head == 0 ? v.tx->num_slots - 1 : head - 1) &&
			 v.tx->head == head);
		atomic_fetch_add(mate_turns, 1);
	}
}

static void
mate_start(void)
{
	double end = now_s() + WAIT_S;

	atomic_store(mate_turns, 0);
	mate_pid = fork();
	if (mate_pid == 0)
		mate_main();
	while (atomic_load(mate_turns) == 0)
		if (now_s() > end)
			FAIL("the one who shares does not begin");
}

static void
mate_check(void)
{
	uint64_t before = atomic_load(mate_turns);
	double end = now_s() + WAIT_S;
	int status;

	while (atomic_load(mate_turns) < before + 2) {
		if (waitpid(mate_pid, &status, WNOHANG) == mate_pid)
			FAIL("the one who shares has ended with status %#x", (unsigned int)status);
		if (now_s() > end)
			FAIL("who shares a ring with the dead gets no frame out");
		usleep(50);
	}
}

/* ---- what is looked at ---- */

static uint32_t
nb_ports(void)
{
	static int fd = -1;
	struct vale_ctl_name_req req = {.name = "valek"};
	struct vale_ctl_reply r;
	int mem[1];
	unsigned int nb = 1;

	if (fd < 0)
		fd = client_dial();
	vale_ctl_hdr_init(&req.hdr, VALE_CTL_LIST, sizeof(req));
	if (vale_ctl_call(fd, &req, &r, sizeof(r), mem, &nb, WAIT_S * 1000) != 0)
		FAIL("the switch does not answer");
	if (nb > 0)
		close(mem[0]);
	return r.nb_recs;
}

/** What the switch holds. */
struct held {
	unsigned int fds, regions;
	long anon_kb;
};

static struct held
held_now(void)
{
	struct held h = {0};
	char path[64], line[512];
	FILE *f;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", switch_pid);
	dir = opendir(path);
	while (dir != NULL && readdir(dir) != NULL)
		h.fds++;
	if (dir != NULL)
		closedir(dir);
	snprintf(path, sizeof(path), "/proc/%d/maps", switch_pid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		h.regions += strstr(line, "memfd:vale-netmap") != NULL;
	if (f != NULL)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/status", switch_pid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "RssAnon:", 8) == 0)
			h.anon_kb = strtol(line + 8, NULL, 10);
	if (f != NULL)
		fclose(f);
	return h;
}

/* Once it does not change any more. */
static struct held
held_settled(void)
{
	struct held h = held_now(), was;
	unsigned int same = 0;

	for (; same < 5; same = h.fds == was.fds && h.regions == was.regions ? same + 1 : 0) {
		was = h;
		usleep(10000);
		h = held_now();
	}
	return h;
}

static void
exchange(struct client *from, struct client *to, const uint8_t *dst, const uint8_t *src)
{
	for (uint32_t i = 0; i < EXCHANGE_NB; i++)
		client_put(from, dst, src, 60, number + i);
	client_tx_sync(from, 0);
	if (client_wait_rx(to, 0, EXCHANGE_NB) != EXCHANGE_NB)
		FAIL("of %u frames between the others %u came; head %u hwcur %u armed %u",
			EXCHANGE_NB, client_rx_sync(to, 0),
			atomic_load(&client_tx_kring(from, 0)->head),
			atomic_load(&client_tx_kring(from, 0)->hwcur),
			atomic_load(&client_tx_kring(from, 0)->armed));
	client_take(to, number, EXCHANGE_NB, 60);
	number += EXCHANGE_NB;
}

/* Frames for the victim, which polls for them. */
static void
feed(void)
{
	for (uint32_t i = 0; i < FRAMES; i++)
		client_put(&a, mac_d, mac_a, 60, i);
	client_tx_sync(&a, 0);
}

/** What is known of a number of kills. */
struct score {
	uint32_t kills;
	double gone_ms;
	struct held held;
	uint32_t ports;
};

static void
check_after(struct score *s, bool shared)
{
	double begin = now_s();
	struct held h;

	while (nb_ports() != s->ports) {
		if (now_s() - begin > WAIT_S)
			FAIL("the port of the dead stays");
	}
	if ((now_s() - begin) * 1e3 > s->gone_ms)
		s->gone_ms = (now_s() - begin) * 1e3;
	if (shared)
		mate_check();
	exchange(&a, &b, mac_b, mac_a);
	exchange(&b, &a, mac_a, mac_b);
	for (h = held_now(); h.fds != s->held.fds || h.regions != s->held.regions; h = held_now())
		if (now_s() - begin > WAIT_S)
			FAIL("the switch holds %u descriptors and %u regions, not %u and %u", h.fds,
				h.regions, s->held.fds, s->held.regions);
	s->kills++;
}

/* Returns how many instructions it ran: fewer than @p steps if its work was done. */
static uint32_t
kill_after(enum scenario s, uint32_t steps)
{
	uint32_t done;
	pid_t pid = fork();

	if (pid == 0) {
		prepare(s);
		trace_begin();
		work(s);
		trace_end();
		_exit(0);
	}
	if (s == RXSYNC) {
		struct pollfd pfd = {.fd = ready[0], .events = POLLIN};
		char c;

		if (poll(&pfd, 1, WAIT_S * 1000) == 1 && read(ready[0], &c, 1) == 1)
			feed();
	}
	if (!trace_step_and_kill(pid, steps, &done))
		FAIL("the next cannot have the same name, or gets no frames");
	return done;
}

static void
step_through(enum scenario s, bool every)
{
	bool shared = s == SHARED_TX || s == SHARED_RX;
	struct score score = {.ports = 2};
	uint32_t length, stride;
	long anon_kb;

	doing = scenarios[s].name;
	doing_steps = STEPS_MAX;
	if (shared) {
		mate_start();
		score.ports = 3;
	}
	(void)nb_ports(); /* its connection is one of those held */
	score.held = held_settled();
	length = kill_after(s, STEPS_MAX);
	if (length == STEPS_MAX)
		FAIL("it does not come to an end");
	check_after(&score, shared);
	anon_kb = held_now().anon_kb;
	stride = every ? 1 : length / scenarios[s].kills;
	stride = stride < 2 ? 1 : stride | 1;
	/* another beginning each time, so that in time all are met */
	for (doing_steps = 1 + (uint32_t)getpid() % stride; doing_steps < length;
		doing_steps += stride) {
		kill_after(s, doing_steps);
		check_after(&score, shared);
	}
	if (held_now().anon_kb > anon_kb + 1024)
		FAIL("the switch grew from %ld to %ld kB", anon_kb, held_now().anon_kb);
	printf("%s: %u killed, one after each %u. of %u instructions; the port was gone within "
	       "%.1f ms\n",
		doing, score.kills, stride, length, score.gone_ms);
	fflush(stdout);
	if (shared) {
		kill(mate_pid, SIGKILL);
		waitpid(mate_pid, NULL, 0);
		for (double end = now_s() + WAIT_S; nb_ports() != 2 && now_s() < end;)
			usleep(100);
	}
}

/* Again, with all symbols bound and without `rep` copies, each byte of which counts as an
 * instruction. */
static void
exec_again(char **argv)
{
	if (getenv("LD_BIND_NOW") != NULL)
		return;
	setenv("LD_BIND_NOW", "1", 1);
	setenv("GLIBC_TUNABLES",
		"glibc.cpu.x86_rep_movsb_threshold=0x40000000:"
		"glibc.cpu.x86_rep_stosb_threshold=0x40000000",
		1);
	execv("/proc/self/exe", argv);
}

int
main(int argc, char **argv)
{
	bool every = false;
	int only = -1;

	if (argc < 3) {
		fputs("usage: netmap-fault SOCKET SWITCH-PID [--every] [--only N]\n", stderr);
		return 2;
	}
	exec_again(argv);
	socket_path = argv[1];
	switch_pid = (pid_t)strtol(argv[2], NULL, 10);
	for (int i = 3; i < argc; i++) {
		if (strcmp(argv[i], "--every") == 0)
			every = true;
		else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
			only = (int)strtol(argv[++i], NULL, 10);
	}
	setenv("VALE_SOCKET", socket_path, 1);
	mate_turns = mmap(NULL, sizeof(*mate_turns), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pipe2(ready, O_CLOEXEC) != 0)
		die("pipe");
	client_open(&a, "valek:a");
	client_open(&b, "valek:b");
	/* addresses are known: nothing is flooded to them any more */
	client_put(&a, mac_all, mac_a, 60, 0);
	client_wait_sent(&a, 0);
	client_take(&b, 0, 1, 60);
	client_put(&b, mac_a, mac_b, 60, 0);
	client_wait_sent(&b, 0);
	client_take(&a, 0, 1, 60);
	for (unsigned int s = 0; s < SCENARIOS; s++)
		if (only < 0 || only == (int)s)
			step_through(s, every);
	return 0;
}
