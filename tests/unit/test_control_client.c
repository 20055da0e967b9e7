/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's side of the control protocol against a switch that misbehaves.
 *
 * A request's sequence number is known before it is sent, so most tests put the switch's answer
 * into the socket first and need no second thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vale_control_client.h"

#define TIMEOUT_MS 2000

/* A connection: ours and the switch's end, a request, and the answer that would be right. */
struct fixture {
	int fd;
	int sw;
	struct vale_ctl_name_req req;
	struct vale_ctl_version_reply answer;
	struct vale_ctl_version_reply got;
	int fds[VALE_CTL_FDS_MAX];
	unsigned int nb_fds;
	unsigned int open_fds;
};

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static unsigned int
count_open_fds(void)
{
	unsigned int nb = 0;

	for (int fd = 0; fd < 1024; fd++)
		nb += is_open(fd);
	return nb;
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int pair[2];

	if (f == NULL || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	f->fd = pair[0];
	f->sw = pair[1];
	vale_ctl_hdr_init(&f->req.hdr, VALE_CTL_VERSION_GET, sizeof(f->req));
	f->answer.r.hdr = f->req.hdr;
	f->answer.r.hdr.size = sizeof(f->answer);
	f->answer.pid = 4711;
	f->open_fds = count_open_fds();
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	if (f->sw >= 0)
		close(f->sw);
	free(f);
	return 0;
}

static void
send_with_fds(struct fixture *f, const void *data, size_t size, unsigned int nb_fds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(64 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (nb_fds > 0) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(nb_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nb_fds * sizeof(int));
		for (unsigned int i = 0; i < nb_fds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &f->sw, sizeof(int));
	}
	assert_int_equal(sendmsg(f->sw, &msg, 0), (ssize_t)size);
}

static void
answer(struct fixture *f)
{
	send_with_fds(f, &f->answer, sizeof(f->answer), 0);
}

static void
answer_notify(struct fixture *f, uint32_t seq, unsigned int nb_fds)
{
	struct vale_ctl_notify n = {
		.hdr = f->req.hdr,
		.event = VALE_CTL_EVENT_DETACHED,
	};

	n.hdr.type = VALE_CTL_NOTIFY;
	n.hdr.seq = seq;
	n.hdr.size = sizeof(n);
	send_with_fds(f, &n, sizeof(n), nb_fds);
}

static int
call(struct fixture *f)
{
	return vale_ctl_call(
		f->fd, &f->req, &f->got, sizeof(f->got), f->fds, &f->nb_fds, TIMEOUT_MS);
}

/* The call fails like this, and leaves neither descriptor nor reply. */
static void
assert_call_fails(struct fixture *f, int error)
{
	static const struct vale_ctl_version_reply nothing;

	assert_int_equal(call(f), error);
	assert_int_equal(f->nb_fds, 0);
	assert_memory_equal(&f->got, &nothing, sizeof(nothing));
	assert_int_equal(count_open_fds(), f->open_fds);
}

static void
hdr_init_any_fills_all(void **state)
{
	struct vale_ctl_hdr a, b;

	vale_ctl_hdr_init(&a, VALE_CTL_LIST, 88);
	vale_ctl_hdr_init(&b, VALE_CTL_LIST, 88);
	assert_int_equal(a.magic, VALE_CTL_MAGIC);
	assert_int_equal(a.version, VALE_CTL_VERSION);
	assert_int_equal(a.type, VALE_CTL_LIST);
	assert_int_equal(a.size, 88);
	assert_int_not_equal(a.seq, 0);
	assert_int_not_equal(a.seq, b.seq);
}

static void
call_good_reply_is_returned(void **state)
{
	struct fixture *f = *state;
	struct vale_ctl_name_req seen;

	answer(f);
	assert_int_equal(call(f), 0);
	assert_int_equal(f->got.pid, 4711);
	assert_int_equal(recv(f->sw, &seen, sizeof(seen), 0), (ssize_t)sizeof(seen));
	assert_memory_equal(&seen, &f->req, sizeof(seen));
}

static void
call_notify_first_is_skipped(void **state)
{
	struct fixture *f = *state;

	answer_notify(f, 0, 0);
	answer_notify(f, 0, 3);
	answer(f);
	assert_int_equal(call(f), 0);
	assert_int_equal(f->got.pid, 4711);
	assert_int_equal(count_open_fds(), f->open_fds);
}

static void
call_notify_with_seq_is_eproto(void **state)
{
	struct fixture *f = *state;

	answer_notify(f, f->req.hdr.seq, 0);
	assert_call_fails(f, -EPROTO);
}

static void
call_wrong_magic_is_eproto(void **state)
{
	struct fixture *f = *state;

	f->answer.r.hdr.magic ^= 1;
	answer(f);
	assert_call_fails(f, -EPROTO);
}

static void
call_other_version_is_eproto(void **state)
{
	struct fixture *f = *state;

	f->answer.r.hdr.version++;
	answer(f);
	assert_call_fails(f, -EPROTO);
}

static void
call_other_type_is_eproto(void **state)
{
	struct fixture *f = *state;

	f->answer.r.hdr.type = VALE_CTL_LIST;
	answer(f);
	assert_call_fails(f, -EPROTO);
}

static void
call_wrong_seq_is_eproto(void **state)
{
	struct fixture *f = *state;

	f->answer.r.hdr.seq++;
	send_with_fds(f, &f->answer, sizeof(f->answer), 2);
	assert_call_fails(f, -EPROTO);
}

static void
call_size_that_lies_is_eproto(void **state)
{
	struct fixture *f = *state;

	f->answer.r.hdr.size--;
	answer(f);
	assert_call_fails(f, -EPROTO);
}

static void
call_short_packets_are_eproto(void **state)
{
	struct fixture *f = *state;
	const size_t sizes[] = {1, sizeof(struct vale_ctl_hdr) - 1, sizeof(struct vale_ctl_hdr),
		sizeof(struct vale_ctl_reply) - 1, sizeof(struct vale_ctl_reply),
		sizeof(f->answer) - 1};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		f->answer.r.hdr.size = (uint32_t)sizes[i];
		send_with_fds(f, &f->answer, sizes[i], 1);
		assert_call_fails(f, -EPROTO);
	}
}

static void
call_longer_reply_is_eproto(void **state)
{
	struct fixture *f = *state;
	struct {
		struct vale_ctl_version_reply answer;
		uint64_t more;
	} longer = {.answer = f->answer};

	longer.answer.r.hdr.size = sizeof(longer);
	send_with_fds(f, &longer, sizeof(longer), 0);
	assert_call_fails(f, -EPROTO);
}

static void
call_packet_over_maximum_is_eproto(void **state)
{
	struct fixture *f = *state;
	char big[VALE_CTL_MSG_SZ_MAX + 1] = {0};

	f->answer.r.hdr.size = sizeof(big);
	memcpy(big, &f->answer, sizeof(f->answer));
	send_with_fds(f, big, sizeof(big), 1);
	assert_call_fails(f, -EPROTO);
}

static void
call_short_error_is_returned_zero_padded(void **state)
{
	struct fixture *f = *state;

	f->answer.r.error = EBUSY;
	f->answer.r.hdr.size = sizeof(f->answer.r);
	snprintf(f->answer.r.text, sizeof(f->answer.r.text), "vale0:a is taken");
	memset(&f->got, 0xff, sizeof(f->got));
	f->nb_fds = VALE_CTL_FDS_MAX;
	send_with_fds(f, &f->answer, sizeof(f->answer.r), 2);
	assert_int_equal(call(f), 0);
	assert_int_equal(f->got.r.error, EBUSY);
	assert_string_equal(f->got.r.text, "vale0:a is taken");
	assert_int_equal(f->got.pid, 0);
	assert_int_equal(f->nb_fds, 0);
	assert_int_equal(count_open_fds(), f->open_fds);
}

static void
call_negative_error_is_eproto(void **state)
{
	struct fixture *f = *state;

	f->answer.r.error = -EBUSY;
	answer(f);
	assert_call_fails(f, -EPROTO);
}

static void
call_text_without_nul_is_eproto(void **state)
{
	struct fixture *f = *state;

	memset(f->answer.r.text, 'x', sizeof(f->answer.r.text));
	answer(f);
	assert_call_fails(f, -EPROTO);
}

static void
call_fds_are_handed_over_close_on_exec(void **state)
{
	struct fixture *f = *state;

	f->nb_fds = 2;
	send_with_fds(f, &f->answer, sizeof(f->answer), 2);
	assert_int_equal(call(f), 0);
	assert_int_equal(f->nb_fds, 2);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(fcntl(f->fds[i], F_GETFD), FD_CLOEXEC);
		close(f->fds[i]);
	}
	assert_int_equal(count_open_fds(), f->open_fds);
}

static void
call_surplus_fds_are_closed(void **state)
{
	struct fixture *f = *state;

	f->nb_fds = 1;
	send_with_fds(f, &f->answer, sizeof(f->answer), 5);
	assert_int_equal(call(f), 0);
	assert_int_equal(f->nb_fds, 1);
	close(f->fds[0]);
	assert_int_equal(count_open_fds(), f->open_fds);
}

static void
call_without_room_closes_fds(void **state)
{
	struct fixture *f = *state;

	send_with_fds(f, &f->answer, sizeof(f->answer), 5);
	assert_int_equal(
		vale_ctl_call(f->fd, &f->req, &f->got, sizeof(f->got), NULL, NULL, TIMEOUT_MS), 0);
	assert_int_equal(count_open_fds(), f->open_fds);
}

static void
call_most_fds_are_handed_over(void **state)
{
	struct fixture *f = *state;

	f->nb_fds = VALE_CTL_FDS_MAX;
	send_with_fds(f, &f->answer, sizeof(f->answer), VALE_CTL_FDS_MAX);
	assert_int_equal(call(f), 0);
	assert_int_equal(f->nb_fds, VALE_CTL_FDS_MAX);
	for (unsigned int i = 0; i < f->nb_fds; i++)
		close(f->fds[i]);
	assert_int_equal(count_open_fds(), f->open_fds);
}

static void
call_too_many_fds_is_eproto(void **state)
{
	struct fixture *f = *state;

	f->nb_fds = VALE_CTL_FDS_MAX;
	send_with_fds(f, &f->answer, sizeof(f->answer), VALE_CTL_FDS_MAX + 1);
	assert_call_fails(f, -EPROTO);
}

static void
call_no_answer_is_etimedout(void **state)
{
	struct fixture *f = *state;
	struct timespec a, b;
	long ms;

	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(
		vale_ctl_call(f->fd, &f->req, &f->got, sizeof(f->got), NULL, NULL, 50), -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
	assert_true(ms >= 49 && ms < 2000);
}

static void
call_notifies_alone_do_not_extend_the_deadline(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 8; i++)
		answer_notify(f, 0, 0);
	assert_int_equal(
		vale_ctl_call(f->fd, &f->req, &f->got, sizeof(f->got), NULL, NULL, 50), -ETIMEDOUT);
}

static void
call_full_socket_is_etimedout(void **state)
{
	struct fixture *f = *state;

	while (send(f->fd, &f->req, sizeof(f->req), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(
		vale_ctl_call(f->fd, &f->req, &f->got, sizeof(f->got), NULL, NULL, 50), -ETIMEDOUT);
}

static void
call_switch_gone_is_econnreset_without_signal(void **state)
{
	struct fixture *f = *state;

	signal(SIGPIPE, SIG_DFL);
	close(f->sw);
	f->sw = -1;
	f->open_fds--;
	assert_call_fails(f, -ECONNRESET);
}

/* Takes the request and hangs up without a word. */
static void *
hang_up(void *arg)
{
	struct fixture *f = arg;
	struct vale_ctl_name_req req;

	if (recv(f->sw, &req, sizeof(req), 0) > 0)
		close(f->sw);
	return NULL;
}

static void
call_hang_up_after_request_is_econnreset(void **state)
{
	struct fixture *f = *state;
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, hang_up, f), 0);
	assert_int_equal(call(f), -ECONNRESET);
	pthread_join(t, NULL);
	f->sw = -1;
}

static int
listen_at(const char *path, int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void
connect_paths_give_errno_or_descriptor(void **state)
{
	char dir[] = "/tmp/vale-test-XXXXXX", path[64], longest[256];
	int srv, fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	assert_int_equal(vale_ctl_connect(""), -ENOENT);
	assert_int_equal(vale_ctl_connect(path), -ENOENT);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(vale_ctl_connect(longest), -ENAMETOOLONG);

	srv = listen_at(path, SOCK_SEQPACKET);
	fd = vale_ctl_connect(path);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	close(fd);
	close(srv);
	assert_int_equal(vale_ctl_connect(path), -ECONNREFUSED);

	srv = listen_at(path, SOCK_STREAM);
	assert_int_equal(vale_ctl_connect(path), -EPROTOTYPE);
	close(srv);
	unlink(path);
	rmdir(dir);
}

static void
default_socket_follows_user_and_prefix(void **state)
{
	char path[108], name[200];

	setenv("XDG_RUNTIME_DIR", "/run/user/1000", 1);
	assert_int_equal(vale_ctl_default_socket("vale", path, sizeof(path)), 0);
	assert_string_equal(
		path, geteuid() == 0 ? "/run/vale/vale.sock" : "/run/user/1000/vale/vale.sock");
	assert_int_equal(vale_ctl_default_socket("vale", path, 8), -ENAMETOOLONG);
	memset(name, 'p', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(vale_ctl_default_socket(name, path, sizeof(path)), -ENAMETOOLONG);
}

static void
errno_name_known_and_unknown(void **state)
{
	assert_string_equal(vale_errno_name(EBUSY), "EBUSY");
	assert_string_equal(vale_errno_name(ENOTSUP), "ENOTSUP");
	assert_string_equal(vale_errno_name(0), "E0");
	assert_string_equal(vale_errno_name(523), "E523");
}

#define CALL_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hdr_init_any_fills_all),
		CALL_TEST(call_good_reply_is_returned),
		CALL_TEST(call_notify_first_is_skipped),
		CALL_TEST(call_notify_with_seq_is_eproto),
		CALL_TEST(call_wrong_magic_is_eproto),
		CALL_TEST(call_other_version_is_eproto),
		CALL_TEST(call_other_type_is_eproto),
		CALL_TEST(call_wrong_seq_is_eproto),
		CALL_TEST(call_size_that_lies_is_eproto),
		CALL_TEST(call_short_packets_are_eproto),
		CALL_TEST(call_longer_reply_is_eproto),
		CALL_TEST(call_packet_over_maximum_is_eproto),
		CALL_TEST(call_short_error_is_returned_zero_padded),
		CALL_TEST(call_negative_error_is_eproto),
		CALL_TEST(call_text_without_nul_is_eproto),
		CALL_TEST(call_fds_are_handed_over_close_on_exec),
		CALL_TEST(call_surplus_fds_are_closed),
		CALL_TEST(call_without_room_closes_fds),
		CALL_TEST(call_most_fds_are_handed_over),
		CALL_TEST(call_too_many_fds_is_eproto),
		CALL_TEST(call_no_answer_is_etimedout),
		CALL_TEST(call_notifies_alone_do_not_extend_the_deadline),
		CALL_TEST(call_full_socket_is_etimedout),
		CALL_TEST(call_switch_gone_is_econnreset_without_signal),
		CALL_TEST(call_hang_up_after_request_is_econnreset),
		cmocka_unit_test(connect_paths_give_errno_or_descriptor),
		cmocka_unit_test(default_socket_follows_user_and_prefix),
		cmocka_unit_test(errno_name_known_and_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
