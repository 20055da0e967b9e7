/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line of vale-switch: its own options, what it sees of EAL's, lcores, and the helpers
 * of the check before EAL.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_common.h>

#include "eal_args.h"
#include "instance.h"
#include "lcores.h"
#include "memory.h"
#include "notify.h"
#include "options.h"
#include "preflight.h"

#define ARGV(...) ((char *[]){(char *)(uintptr_t) "vale-switch", __VA_ARGS__, NULL})
#define ARGS_MAX 16

/* Split at blanks and call options_parse(). */
static int
parse(const char *line, struct options *o, char *why)
{
	char *copy = strdup(line), *rest = copy, *argv[ARGS_MAX] = {copy}, *t;
	int argc = 1, ret;

	while ((t = strsep(&rest, " ")) != NULL)
		if (*t != '\0')
			argv[argc++] = t;
	why[0] = '\0';
	ret = options_parse(argc, argv, o, why);
	free(copy);
	return ret;
}

static void
options_parse_nothing_gives_defaults(void **state)
{
	char why[OPTIONS_WHY_SZ];
	struct options o;

	assert_int_equal(parse("", &o, why), OPTIONS_RUN);
	assert_int_equal(o.limits.max_switches, 64);
	assert_int_equal(o.limits.max_ports, 254);
	assert_int_equal(o.limits.ring_size, 1024);
	assert_int_equal(o.limits.fdb_size, 16384);
	assert_int_equal(o.batch, 1024);
	assert_int_equal(o.ageing_s, 300);
	assert_int_equal(o.mbufs, 65536);
	assert_false(o.idle_poll);
	assert_string_equal(o.socket, "");
	assert_true(o.socket_owner == (uid_t)-1);
}

static void
options_parse_all_given_are_taken(void **state)
{
	char why[OPTIONS_WHY_SZ];
	struct options o;

	assert_int_equal(parse("--socket /run/x.sock --socket-owner root --socket-group 7 "
			       "--socket-mode 0660 --idle poll --batch 64",
				 &o, why),
		OPTIONS_RUN);
	assert_string_equal(o.socket, "/run/x.sock");
	assert_int_equal(o.socket_owner, 0);
	assert_int_equal(o.socket_group, 7);
	assert_int_equal(o.socket_mode, 0660);
	assert_true(o.idle_poll);
	assert_int_equal(o.batch, 64);
	assert_int_equal(parse("--max-switches=2 --max-ports 3 --ring-size 128 --fdb-size 256 "
			       "--ageing 0 --mbufs 4096",
				 &o, why),
		OPTIONS_RUN);
	assert_int_equal(o.limits.max_switches, 2);
	assert_int_equal(o.limits.max_ports, 3);
	assert_int_equal(o.limits.ring_size, 128);
	assert_int_equal(o.limits.fdb_size, 256);
	assert_int_equal(o.ageing_s, 0);
	assert_int_equal(o.mbufs, 4096);
}

static void
options_parse_help_and_version_are_told(void **state)
{
	char why[OPTIONS_WHY_SZ];
	struct options o;

	assert_int_equal(parse("--help", &o, why), OPTIONS_HELP);
	assert_int_equal(parse("-h", &o, why), OPTIONS_HELP);
	assert_int_equal(parse("--version", &o, why), OPTIONS_VERSION);
}

static void
options_parse_bad_value_is_refused_in_one_line(void **state)
{
	static const char *const bad[] = {
		"--batch 0",
		"--batch 1025",
		"--batch 1x",
		"--batch -1",
		"--batch",
		"--ring-size 1000",
		"--ring-size 32",
		"--ring-size 65536",
		"--max-ports 1",
		"--max-ports 32767",
		"--max-switches 0",
		"--fdb-size 1",
		"--ageing -1",
		"--ageing 99999999999999999999",
		"--mbufs 10",
		"--idle never",
		"--socket relative",
		"--socket-mode 999",
		"--socket-mode 01000",
		"--socket-owner no_such_user",
		"--socket-group no_such_group",
		"--config /etc/x",
		"--memif-socket x",
		"--verbose 4",
		"--unknown",
		"--help=1",
		"argument",
		"-x",
	};
	char why[OPTIONS_WHY_SZ];
	struct options o;

	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		assert_int_equal(parse(bad[i], &o, why), -EINVAL);
		assert_true(strlen(why) > 10);
		assert_null(strchr(why, '\n'));
	}
}

static void
options_parse_socket_path_too_long_is_refused(void **state)
{
	char why[OPTIONS_WHY_SZ], line[256];
	struct options o;

	snprintf(line, sizeof(line), "--socket /%0107d", 0);
	assert_int_equal(parse(line, &o, why), -EINVAL);
	snprintf(line, sizeof(line), "--socket /%0106d", 0);
	assert_int_equal(parse(line, &o, why), OPTIONS_RUN);
}

static int
scan(char **argv, struct eal_args *a, char *why)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	why[0] = '\0';
	return eal_args_scan(argc, argv, a, why, OPTIONS_WHY_SZ);
}

static void
eal_args_scan_sees_what_matters(void **state)
{
	char l[] = "-l", cpus[] = "0,1", m[] = "--socket-mem=64,32", p[] = "--file-p", x[] = "x";
	char a[] = "-a", dev[] = "0000:00:01.0", end[] = "--", batch[] = "--batch";
	char why[OPTIONS_WHY_SZ];
	struct eal_args e;

	assert_int_equal(scan(ARGV(l, cpus, m, p, x, a, dev, end, batch), &e, why), 0);
	assert_int_equal(e.argc, 8);
	assert_int_equal(e.form, LCORES_LIST);
	assert_string_equal(e.lcores, "0,1");
	assert_int_equal(e.memory_mb, 96);
	assert_string_equal(e.prefix, "x");
	assert_true(e.devices);
	assert_false(e.no_huge);
	assert_int_equal(e.main_lcore, -1);
}

static void
eal_args_scan_in_memory_means_no_shconf(void **state)
{
	char m[] = "--in-memory", h[] = "--no-huge", why[OPTIONS_WHY_SZ];
	struct eal_args e;

	assert_int_equal(scan(ARGV(m, h), &e, why), 0);
	assert_true(e.in_memory && e.no_shconf && e.no_huge);
}

static void
eal_args_scan_switch_option_before_dashes_is_explained(void **state)
{
	char b[] = "--batch=64", why[OPTIONS_WHY_SZ];
	struct eal_args e;

	assert_int_equal(scan(ARGV(b), &e, why), -EINVAL);
	assert_non_null(strstr(why, "vale-switch -- --batch=64"));
}

static void
eal_args_scan_what_the_switch_cannot_do_is_refused(void **state)
{
	static const char *const bad[] = {
		"--proc-type=secondary",
		"--file-prefix=a/b",
		"--file-prefix=",
		"--file-prefix=..",
		"--main-lcore=x",
		"--nonsense",
		"-m",
		"argument",
	};
	char why[OPTIONS_WHY_SZ], arg[64];
	struct eal_args e;

	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		snprintf(arg, sizeof(arg), "%s", bad[i]);
		assert_int_equal(scan(ARGV(arg), &e, why), -EINVAL);
		assert_true(strlen(why) > 10);
	}
}

static bool
has(const struct eal_argv *v, const char *option, const char *value)
{
	for (int i = 1; i < v->argc; i++)
		if (strcmp(v->argv[i], option) == 0)
			return value == NULL || strcmp(v->argv[i + 1], value) == 0;
	return false;
}

static void
eal_argv_make_nothing_given_adds_defaults(void **state)
{
	struct eal_args e = {.argc = 1, .prefix = "vale", .main_lcore = -1};
	struct eal_argv v;

	e.argv = ARGV(NULL);
	assert_int_equal(eal_argv_make(&e, "126@0,127@1", 100, &v), 0);
	assert_true(has(&v, "--file-prefix", "vale"));
	assert_true(has(&v, "--no-pci", NULL));
	assert_true(has(&v, "--lcores", "126@0,127@1"));
	assert_true(has(&v, "--main-lcore", "126"));
	assert_true(has(&v, "-m", "100"));
	assert_true(has(&v, "--log-level", "lib.eal:warning"));
	assert_null(v.argv[v.argc]);
	eal_argv_free(&v);
}

static void
eal_argv_make_users_choice_is_kept(void **state)
{
	char m[] = "-m", mb[] = "64", a[] = "-a", dev[] = "x", why[OPTIONS_WHY_SZ];
	struct eal_args e;
	struct eal_argv v;

	assert_int_equal(scan(ARGV(m, mb, a, dev), &e, why), 0);
	e.prefix = "p";
	assert_int_equal(eal_argv_make(&e, NULL, 100, &v), 0);
	assert_true(has(&v, "-m", "64"));
	assert_false(has(&v, "--no-pci", NULL));
	assert_false(has(&v, "--lcores", NULL));
	assert_false(has(&v, "--main-lcore", NULL));
	eal_argv_free(&v);
}

static cpu_set_t
cpus_of(int first, int last)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int c = first; c <= last; c++)
		CPU_SET(c, &set);
	return set;
}

static void
lcores_default_worker_is_on_last_cpu(void **state)
{
	cpu_set_t one = cpus_of(3, 3), two = cpus_of(0, 1), many = cpus_of(2, 9);
	char buf[128];

	CPU_CLR(4, &many);
	assert_int_equal(lcores_default(&one, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "126@(3),127@3");
	assert_int_equal(lcores_default(&two, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "126@(0),127@1");
	assert_int_equal(lcores_default(&many, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "126@(2-3,5-8),127@9");
	assert_int_equal(lcores_default(&many, buf, 8), -ENOSPC);
}

static void
lcores_check_counts_lcores(void **state)
{
	cpu_set_t cpus = cpus_of(0, 3);
	char why[OPTIONS_WHY_SZ];

	assert_int_equal(lcores_check(LCORES_MAP, "126@(0-2),127@3", &cpus, 126, why, 512), 2);
	assert_int_equal(lcores_check(LCORES_MAP, "(1-3)@(0,1),5@2", &cpus, 5, why, 512), 4);
	assert_int_equal(lcores_check(LCORES_MAP, "0-3", &cpus, -1, why, 512), 4);
	assert_int_equal(lcores_check(LCORES_LIST, "0,2-3", &cpus, -1, why, 512), 3);
	assert_int_equal(lcores_check(LCORES_MASK, "0xb", &cpus, 3, why, 512), 3);
}

static void
lcores_check_bad_ones_are_explained(void **state)
{
	static const struct {
		enum lcores_form form;
		const char *text;
		int main_lcore;
	} bad[] = {
		{LCORES_MAP, "", -1},
		{LCORES_MAP, "1@", -1},
		{LCORES_MAP, "(0,1", -1},
		{LCORES_MAP, "128@0", -1},
		{LCORES_MAP, "1@7", -1},
		{LCORES_MAP, "0@0,", -1},
		{LCORES_LIST, "0,x", -1},
		{LCORES_LIST, "4", -1},
		{LCORES_LIST, "0-", -1},
		{LCORES_LIST, "0,99999999999", -1},
		{LCORES_MASK, "g", -1},
		{LCORES_MASK, "0", -1},
		{LCORES_MASK, "10", -1},
		{LCORES_LIST, "0-1", 2},
	};
	cpu_set_t cpus = cpus_of(0, 3);
	char why[OPTIONS_WHY_SZ];

	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		why[0] = '\0';
		assert_int_equal(lcores_check(bad[i].form, bad[i].text, &cpus, bad[i].main_lcore,
					 why, sizeof(why)),
			-EINVAL);
		assert_true(strlen(why) > 10);
	}
}

static void
memory_needed_grows_with_every_option(void **state)
{
	struct options o, more;
	char why[OPTIONS_WHY_SZ];
	uint64_t base;

	assert_int_equal(parse("", &o, why), 0);
	base = memory_needed_mb(&o, false);
	/* 65,536 mbufs of 2,368 bytes alone are 148 MB */
	assert_in_range(base, 64 + 148, 512);
	/* in small pages each has one of its own */
	assert_in_range(memory_needed_mb(&o, true), base + 256 - 166, base + 256 - 148);
	more = o;
	more.mbufs *= 2;
	assert_true(memory_needed_mb(&more, false) > base + 100);
	more = o;
	more.limits.fdb_size *= 16;
	assert_true(memory_needed_mb(&more, false) > base);
	more = o;
	more.limits.ring_size *= 16;
	assert_true(memory_needed_mb(&more, false) > base);
}

static void
preflight_pages_wanted_rounds_up(void **state)
{
	const uint64_t mb2 = 2 << 20;

	assert_int_equal(preflight_pages_wanted(10, 1, mb2), 11);
	assert_int_equal(preflight_pages_wanted(10, mb2, mb2), 11);
	assert_int_equal(preflight_pages_wanted(0, mb2 + 1, mb2), 2);
}

/* A runtime folder of our own, as systemd would set it. */
static int
make_runtime(void **state)
{
	static char dir[] = "/tmp/vale-test-XXXXXX";
	char path[128];

	snprintf(dir, sizeof(dir), "/tmp/vale-test-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	setenv("RUNTIME_DIRECTORY", dir, 1);
	snprintf(path, sizeof(path), "%s/dpdk", dir);
	if (mkdir(path, 0700) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/dpdk/unit", dir);
	*state = dir;
	return mkdir(path, 0700);
}

static int
remove_runtime(void **state)
{
	const char *dir = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/dpdk/unit", dir);
	(void)rmdir(path);
	snprintf(path, sizeof(path), "%s/dpdk", dir);
	(void)rmdir(path);
	unsetenv("RUNTIME_DIRECTORY");
	return rmdir(dir);
}

static int
create_in_runtime(const char *dir, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/dpdk/unit/%s", dir, name);
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static void
instance_live_pid_lock_holder_is_found(void **state)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 8};
	struct huge_mounts none = {.nb = 0};
	int fd = create_in_runtime(*state, "config"), ready[2];
	char c = 0;
	pid_t child;

	assert_true(fd >= 0);
	assert_int_equal(instance_live_pid("unit"), 0);
	assert_int_equal(instance_live_pid("other"), 0);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (fcntl(fd, F_SETLK, &lock) == 0 && write(ready[1], &c, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(instance_live_pid("unit"), child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(instance_live_pid("unit"), 0);
	close(fd);
	close(ready[0]);
	close(ready[1]);
	instance_remove_files("unit", &none);
}

static void
instance_remove_files_takes_ours_only(void **state)
{
	struct huge_mounts h = {.nb = 1};
	static const char *const ours[] = {"unitmap_0", "unitmap_17"};
	static const char *const others[] = {"unit2map_0", "unitmap_x", "unitmap_", "map_1"};
	char path[160];

	snprintf(h.m[0].dir, sizeof(h.m[0].dir), "%s", (const char *)*state);
	for (size_t i = 0; i < RTE_DIM(ours); i++) {
		snprintf(path, sizeof(path), "%s/%s", (const char *)*state, ours[i]);
		close(open(path, O_RDWR | O_CREAT, 0600));
	}
	for (size_t i = 0; i < RTE_DIM(others); i++) {
		snprintf(path, sizeof(path), "%s/%s", (const char *)*state, others[i]);
		close(open(path, O_RDWR | O_CREAT, 0600));
	}
	close(create_in_runtime(*state, "config"));
	assert_int_equal(instance_remove_files("unit", &h), 3);
	for (size_t i = 0; i < RTE_DIM(others); i++) {
		snprintf(path, sizeof(path), "%s/%s", (const char *)*state, others[i]);
		assert_int_equal(unlink(path), 0);
	}
}

static void
instance_socket_pid_listener_is_found(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", (const char *)*state);
	assert_int_equal(instance_socket_pid(sa.sun_path), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(instance_socket_pid(sa.sun_path), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(instance_socket_pid(sa.sun_path), getpid());
	close(fd);
	assert_int_equal(instance_socket_pid(sa.sun_path), 0);
	unlink(sa.sun_path);
}

/* Bind a datagram socket at an address as $NOTIFY_SOCKET gives it, notify, compare. */
static void
check_notify(const char *name, struct sockaddr_un *sa, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char buf[32] = "";

	assert_int_equal(bind(fd, (struct sockaddr *)sa, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_send("READY=1"), 0);
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT), 7);
	assert_string_equal(buf, "READY=1");
	close(fd);
}

static void
notify_send_reaches_path_and_abstract_sockets(void **state)
{
	struct sockaddr_un path = {.sun_family = AF_UNIX}, abstract = {.sun_family = AF_UNIX};
	char name[64];
	int len;

	assert_int_equal(notify_send("READY=1"), 0);
	snprintf(path.sun_path, sizeof(path.sun_path), "%s/n", (const char *)*state);
	check_notify(path.sun_path, &path, sizeof(path));
	unlink(path.sun_path);
	len = snprintf(name, sizeof(name), "@vale-test-%d", getpid());
	memcpy(abstract.sun_path + 1, name + 1, len - 1);
	check_notify(name, &abstract, offsetof(struct sockaddr_un, sun_path) + len);
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	assert_int_equal(notify_send("READY=1"), -ENOENT);
	unsetenv("NOTIFY_SOCKET");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_parse_nothing_gives_defaults),
		cmocka_unit_test(options_parse_all_given_are_taken),
		cmocka_unit_test(options_parse_help_and_version_are_told),
		cmocka_unit_test(options_parse_bad_value_is_refused_in_one_line),
		cmocka_unit_test(options_parse_socket_path_too_long_is_refused),
		cmocka_unit_test(eal_args_scan_sees_what_matters),
		cmocka_unit_test(eal_args_scan_in_memory_means_no_shconf),
		cmocka_unit_test(eal_args_scan_switch_option_before_dashes_is_explained),
		cmocka_unit_test(eal_args_scan_what_the_switch_cannot_do_is_refused),
		cmocka_unit_test(eal_argv_make_nothing_given_adds_defaults),
		cmocka_unit_test(eal_argv_make_users_choice_is_kept),
		cmocka_unit_test(lcores_default_worker_is_on_last_cpu),
		cmocka_unit_test(lcores_check_counts_lcores),
		cmocka_unit_test(lcores_check_bad_ones_are_explained),
		cmocka_unit_test(memory_needed_grows_with_every_option),
		cmocka_unit_test(preflight_pages_wanted_rounds_up),
		cmocka_unit_test_setup_teardown(
			instance_live_pid_lock_holder_is_found, make_runtime, remove_runtime),
		cmocka_unit_test_setup_teardown(
			instance_remove_files_takes_ours_only, make_runtime, remove_runtime),
		cmocka_unit_test_setup_teardown(
			instance_socket_pid_listener_is_found, make_runtime, remove_runtime),
		cmocka_unit_test_setup_teardown(notify_send_reaches_path_and_abstract_sockets,
			make_runtime, remove_runtime),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
