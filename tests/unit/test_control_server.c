/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket's server against good, bad and vanishing clients. */
#include <dirent.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <rte_cycles.h>

#include "unit_eal.h"
#include "vale_control_client.h"
#include "vale_control_server.h"

static struct vale_server *server;
static char dir[] = "/tmp/vale-test-XXXXXX";
static char path[64];
static atomic_uint closed, calls;
static _Atomic(struct vale_conn *) holder;

static void
on_close(void *arg)
{
	atomic_fetch_add(&closed, 1);
	atomic_store(&holder, NULL);
}

static void on_doorbell(void *arg, unsigned int nb);

/* Answered by handle_release(). */
static struct vale_ctl_hdr waiting[2];

static void
handle_later(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	waiting[atomic_load(&calls)] = *msg;
	atomic_fetch_add(&calls, 1);
}

static void
handle_release(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	struct vale_ctl_reply r = {0};

	for (unsigned int i = 0; i < 2; i++) {
		r.nb_recs = i + 1;
		vale_conn_reply(c, &waiting[i], &r, sizeof(r), NULL, 0);
	}
	vale_conn_reply(c, msg, &r, sizeof(r), NULL, 0);
}

/* Takes "the name", of which there is one, as a port is: freed by the connection's end. */
static void
handle_take(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	struct vale_ctl_reply r = {0};

	atomic_fetch_add(&calls, 1);
	if (atomic_load(&holder) != NULL) {
		vale_conn_refuse(c, msg, EBUSY, "held");
		return;
	}
	atomic_store(&holder, c);
	vale_conn_on_close(c, on_close, NULL);
	vale_conn_on_doorbell(c, on_doorbell, NULL);
	vale_conn_reply(c, msg, &r, sizeof(r), NULL, 0);
}

static _Atomic unsigned int close_us;

static void
slow_close(void *arg)
{
	usleep(atomic_load(&close_us));
	atomic_fetch_add(&closed, 1);
}

/* A port whose end takes its time. */
static void
handle_slow(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	struct vale_ctl_reply r = {0};

	vale_conn_on_close(c, slow_close, NULL);
	vale_conn_reply(c, msg, &r, sizeof(r), NULL, 0);
}

static void
handle_records(void *arg, struct vale_conn *c, const struct vale_ctl_hdr *msg)
{
	const struct vale_ctl_name_req *req = (const void *)msg;
	uint64_t recs[1000];

	if (!vale_conn_check_text(c, msg, req->name, sizeof(req->name), "name"))
		return;
	for (unsigned int i = 0; i < 1000; i++)
		recs[i] = i;
	vale_conn_reply_records(c, msg, recs, sizeof(recs[0]), 1000);
}

static int
setup(void **state)
{
	struct vale_listener_conf conf = {.path = path, .owner = -1, .group = -1, .mode = 0640};

	atomic_store(&closed, 0);
	atomic_store(&calls, 0);
	atomic_store(&holder, NULL);
	snprintf(path, sizeof(path), "%s/sub/s.sock", dir);
	server = vale_server_create(&conf);
	if (server == NULL)
		return -1;
	vale_server_handle(server, VALE_CTL_CREATE, sizeof(struct vale_ctl_hdr), handle_take, NULL);
	vale_server_handle(
		server, VALE_CTL_LIST, sizeof(struct vale_ctl_name_req), handle_records, NULL);
	vale_server_handle(
		server, VALE_CTL_DESTROY, sizeof(struct vale_ctl_hdr), handle_later, NULL);
	vale_server_handle(
		server, VALE_CTL_DETACH, sizeof(struct vale_ctl_hdr), handle_release, NULL);
	vale_server_handle(
		server, VALE_CTL_FDB_ADD, sizeof(struct vale_ctl_hdr), handle_slow, NULL);
	return vale_server_start(server);
}

static int
teardown(void **state)
{
	vale_server_stop(server);
	vale_server_free(server);
	return access(path, F_OK) == 0 ? -1 : 0;
}

static int
dial(void)
{
	int fd = vale_ctl_connect(path);

	assert_true(fd >= 0);
	return fd;
}

static int
take(int fd)
{
	struct vale_ctl_hdr req;
	struct vale_ctl_reply r;

	vale_ctl_hdr_init(&req, VALE_CTL_CREATE, sizeof(req));
	assert_int_equal(vale_ctl_call(fd, &req, &r, sizeof(r), NULL, NULL, 5000), 0);
	return r.error;
}

/* The server hangs up within five seconds. */
static void
assert_hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	close(fd);
}

static unsigned int
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* What is no socket is closed a moment later, by a thread of its own. */
static void
assert_fds(unsigned int want)
{
	for (unsigned int i = 0; i < 5000 && count_fds() != want; i++)
		usleep(1000);
	assert_int_equal(count_fds(), want);
}

static void
socket_has_the_mode_asked_for(void **state)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void
name_is_free_at_once_after_close(void **state)
{
	int fd = dial();

	assert_int_equal(take(fd), 0);
	for (unsigned int i = 0; i < 3000; i++) {
		int next = dial();

		if (i % 2 == 0)
			assert_int_equal(take(next), EBUSY);
		close(fd);
		assert_int_equal(take(next), 0);
		fd = next;
	}
	close(fd);
}

static void
request_of_another_version_is_refused_with_both(void **state)
{
	struct vale_ctl_hdr req;
	struct vale_ctl_reply r;
	int fd = dial();

	vale_ctl_hdr_init(&req, VALE_CTL_CREATE, sizeof(req));
	req.version = 77;
	assert_int_equal(send(fd, &req, sizeof(req), 0), sizeof(req));
	assert_int_equal(recv(fd, &r, sizeof(r), 0), sizeof(r));
	assert_int_equal(r.error, EPROTO);
	assert_non_null(strstr(r.text, "77"));
	assert_int_equal(take(fd), 0);
	close(fd);
}

static void
unknown_request_is_refused(void **state)
{
	const uint16_t types[] = {0, 63, 64, 65535, VALE_CTL_WAIT};
	struct vale_ctl_reply r;
	int fd = dial();

	for (unsigned int i = 0; i < 5; i++) {
		struct vale_ctl_hdr req;

		vale_ctl_hdr_init(&req, types[i], sizeof(req));
		assert_int_equal(vale_ctl_call(fd, &req, &r, sizeof(r), NULL, NULL, 5000), 0);
		assert_int_equal(r.error, EOPNOTSUPP);
	}
	close(fd);
}

static void
request_that_lies_about_its_size_is_refused(void **state)
{
	struct vale_ctl_name_req req = {0};
	struct vale_ctl_reply r;
	int fd = dial();

	for (uint32_t size = 0; size < 200; size++) {
		if (size == sizeof(req))
			continue;
		vale_ctl_hdr_init(&req.hdr, VALE_CTL_LIST, size);
		assert_int_equal(send(fd, &req, sizeof(req), 0), sizeof(req));
		assert_int_equal(recv(fd, &r, sizeof(r), 0), sizeof(r));
		assert_int_equal(r.error, EINVAL);
	}
	for (uint32_t size = sizeof(req.hdr); size < sizeof(req); size++) {
		vale_ctl_hdr_init(&req.hdr, VALE_CTL_LIST, size);
		assert_int_equal(send(fd, &req, size, 0), size);
		assert_int_equal(recv(fd, &r, sizeof(r), 0), sizeof(r));
		assert_int_equal(r.error, EINVAL);
	}
	close(fd);
}

static void
string_without_nul_is_refused(void **state)
{
	struct vale_ctl_name_req req = {0};
	struct vale_ctl_reply r;
	int fd = dial();

	vale_ctl_hdr_init(&req.hdr, VALE_CTL_LIST, sizeof(req));
	memset(req.name, 'x', sizeof(req.name));
	assert_int_equal(vale_ctl_call(fd, &req, &r, sizeof(r), NULL, NULL, 5000), 0);
	assert_int_equal(r.error, EINVAL);
	close(fd);
}

static void
garbage_loses_the_connection_and_nothing_else(void **state)
{
	char junk[8192];
	int good = dial();

	memset(junk, 0xa5, sizeof(junk));
	for (size_t n = 1; n < sizeof(junk); n += 509) {
		int fd = dial();

		assert_int_equal(send(fd, junk, n, 0), n);
		assert_hung_up(fd);
	}
	assert_int_equal(take(good), 0);
	close(good);
}

static void
descriptors_sent_along_are_closed(void **state)
{
	struct vale_ctl_hdr req;
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 3)];
	} control = {0};
	struct iovec iov = {.iov_base = &req, .iov_len = sizeof(req)};
	struct msghdr mh = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf)};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	struct vale_ctl_reply r;
	int fd = dial();
	int fds[3] = {0, 1, 2};
	unsigned int before;

	assert_int_equal(take(fd), 0);
	before = count_fds();
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(cm), fds, sizeof(fds));
	for (unsigned int i = 0; i < 100; i++) {
		vale_ctl_hdr_init(&req, VALE_CTL_CREATE, sizeof(req));
		assert_int_equal(sendmsg(fd, &mh, 0), sizeof(req));
		assert_int_equal(recv(fd, &r, sizeof(r), 0), sizeof(r));
	}
	assert_fds(before);
	close(fd);
}

/* Send a message with a descriptor. */
static void
send_with_fd(int conn, const void *msg, size_t sz, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)msg, .iov_len = sz};
	struct msghdr mh = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf)};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	assert_int_equal(sendmsg(conn, &mh, 0), sz);
}

/* Ask with one end of a socketpair; the answer comes at the other, and is its last message. */
static int
ask_aside(int conn, enum vale_ctl_type type)
{
	struct vale_ctl_hdr req;
	struct vale_ctl_reply r;
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	vale_ctl_hdr_init(&req, type, sizeof(req));
	send_with_fd(conn, &req, sizeof(req), sv[1]);
	close(sv[1]);
	assert_int_equal(recv(sv[0], &r, sizeof(r), 0), sizeof(r));
	assert_int_equal(r.hdr.seq, req.seq);
	assert_hung_up(sv[0]);
	return r.error;
}

static void
answer_comes_on_the_descriptor_sent_along(void **state)
{
	int fd = dial(), other = dial();
	unsigned int before;
	char c;

	assert_int_equal(ask_aside(fd, VALE_CTL_CREATE), 0);
	before = count_fds();
	for (unsigned int i = 0; i < 100; i++) {
		assert_int_equal(ask_aside(other, VALE_CTL_CREATE), EBUSY);
		assert_int_equal(ask_aside(other, VALE_CTL_WAIT), EOPNOTSUPP);
	}
	assert_fds(before);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(recv(other, &c, 1, MSG_DONTWAIT), -1);
	close(fd);
	close(other);
}

static void
deferred_answer_comes_on_the_descriptor_too(void **state)
{
	struct vale_ctl_hdr req;
	struct vale_ctl_reply r;
	int fd = dial(), sv[2][2];

	/* two that wait; the same number from two processes */
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv[i]), 0);
		vale_ctl_hdr_init(&req, VALE_CTL_DESTROY, sizeof(req));
		req.seq = 7;
		send_with_fd(fd, &req, sizeof(req), sv[i][1]);
		close(sv[i][1]);
	}
	for (unsigned int i = 0; i < 1000 && atomic_load(&calls) < 2; i++)
		usleep(1000);
	assert_int_equal(recv(sv[0][0], &r, sizeof(r), MSG_DONTWAIT), -1);
	vale_ctl_hdr_init(&req, VALE_CTL_DETACH, sizeof(req));
	assert_int_equal(vale_ctl_call(fd, &req, &r, sizeof(r), NULL, NULL, 5000), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(recv(sv[i][0], &r, sizeof(r), 0), sizeof(r));
		assert_int_equal(r.hdr.type, VALE_CTL_DESTROY);
		assert_int_equal(r.hdr.seq, 7);
		assert_int_equal(r.nb_recs, i + 1); /* its own, not the other's */
		close(sv[i][0]);
	}
	close(fd);
}

/* A full socket, a closed one, and what is no socket: nobody waits for them. */
static void
descriptor_that_takes_no_answer_harms_nobody(void **state)
{
	struct vale_ctl_hdr req;
	struct vale_ctl_reply r;
	int fd = dial(), sv[2];
	unsigned int before;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	while (send(sv[1], &r, sizeof(r), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(take(fd), 0);
	before = count_fds();
	for (unsigned int i = 0; i < 50; i++) {
		vale_ctl_hdr_init(&req, VALE_CTL_CREATE, sizeof(req));
		send_with_fd(fd, &req, sizeof(req), sv[1]);
	}
	close(sv[0]);
	before--;
	vale_ctl_hdr_init(&req, VALE_CTL_CREATE, sizeof(req));
	send_with_fd(fd, &req, sizeof(req), sv[1]);
	send_with_fd(fd, &req, sizeof(req), 0);
	assert_int_equal(recv(fd, &r, sizeof(r), 0), sizeof(r));
	assert_int_equal(r.error, EINVAL);
	assert_int_equal(take(fd), EBUSY);
	assert_fds(before);
	close(sv[1]);
	close(fd);
}

static atomic_uint bells;

static void
on_doorbell(void *arg, unsigned int nb)
{
	atomic_fetch_add(&bells, nb);
}

/* Doorbells are counted and swallowed, requests between them are heard. */
static void
doorbells_are_swallowed(void **state)
{
	const char bell = 'D';
	struct vale_ctl_hdr req;
	int fd = dial();
	unsigned int before;
	char c;

	atomic_store(&bells, 0);
	assert_int_equal(take(fd), 0);
	before = count_fds();
	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(send(fd, &bell, 1, 0), 1);
		if (i % 100 == 0) {
			send_with_fd(fd, &bell, 1, 0);
			assert_int_equal(ask_aside(fd, VALE_CTL_CREATE), EBUSY);
		}
	}
	vale_ctl_hdr_init(&req, VALE_CTL_CREATE, sizeof(req));
	assert_int_equal(take(fd), EBUSY);
	assert_int_equal(atomic_load(&bells), 1010);
	assert_fds(before);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	close(fd);
}

/* Where a socket can connect to. */
static int
listen_anywhere(struct sockaddr_in *sa)
{
	socklen_t len = sizeof(*sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*sa = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, (struct sockaddr *)sa, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)sa, &len), 0);
	return fd;
}

/* A TCP socket that lingers for an hour, with data that its peer does not take. */
static int
lingering_socket(const struct sockaddr_in *sa)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 3600};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char junk[65536] = {0};

	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
		_exit(1);
	while (send(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* A process that ends does not linger, whoever closes last: so a child sends the descriptor. */
static void
descriptor_that_does_not_close_keeps_nobody(void **state)
{
	int fd = dial(), other = dial(), status, peer;
	struct sockaddr_in sa;
	int listener = listen_anywhere(&sa);
	const char bell = 'D';
	pid_t child = fork();

	if (child == 0) {
		send_with_fd(fd, &bell, 1, lingering_socket(&sa));
		_exit(0);
	}
	peer = accept(listener, NULL, NULL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(take(other), 0);
	assert_int_equal(take(fd), EBUSY);
	close(peer);
	close(listener);
	close(fd);
	close(other);
}

static void
descriptors_of_an_empty_message_are_closed(void **state)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 3)];
	} control = {0};
	struct msghdr mh = {.msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	int fds[3] = {0, 1, 2};
	unsigned int before = count_fds();

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(cm), fds, sizeof(fds));
	for (unsigned int i = 0; i < 20; i++) {
		int fd = dial();

		assert_int_equal(sendmsg(fd, &mh, 0), 0);
		assert_hung_up(fd);
	}
	assert_fds(before);
}

static void
client_without_a_descriptor_left_is_turned_away(void **state)
{
	struct rlimit old, low;
	struct pollfd p = {.events = POLLIN};
	int good = dial(), fd, top;

	assert_int_equal(take(good), 0);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	top = dup(0);
	low = (struct rlimit){.rlim_cur = top, .rlim_max = old.rlim_max};
	close(top);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	{
		struct sockaddr_un sa = {.sun_family = AF_UNIX};

		snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
		assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	}
	p.fd = fd;
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(p.revents & POLLHUP);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(take(good), EBUSY); /* the others are served */
	close(fd);
	close(good);
}

/* What was sent before is heard, though the client went without reading its answers. */
static void
request_before_an_unread_answer_is_heard(void **state)
{
	struct vale_ctl_hdr req;
	int fd = dial();

	for (unsigned int i = 0; i < 5; i++) {
		vale_ctl_hdr_init(&req, VALE_CTL_CREATE, sizeof(req));
		assert_int_equal(send(fd, &req, sizeof(req), 0), sizeof(req));
	}
	close(fd);
	for (unsigned int i = 0; i < 1000 && atomic_load(&calls) < 5; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&calls), 5);
}

static void
client_that_never_reads_loses_its_connection_not_our_time(void **state)
{
	struct vale_ctl_hdr req;
	int fd = dial(), other = dial();
	unsigned int sent = 0;

	vale_ctl_hdr_init(&req, VALE_CTL_WAIT, sizeof(req));
	while (sent < 1000000 && send(fd, &req, sizeof(req), MSG_NOSIGNAL) > 0)
		sent++;
	assert_true(sent < 1000000);
	close(fd);
	assert_int_equal(take(other), 0);
	close(other);
}

static void
records_come_as_a_sealed_file(void **state)
{
	struct vale_ctl_name_req req = {0};
	struct vale_ctl_reply r;
	uint64_t recs[1000];
	unsigned int nb = 1;
	int fd = dial(), mem;

	vale_ctl_hdr_init(&req.hdr, VALE_CTL_LIST, sizeof(req));
	assert_int_equal(vale_ctl_call(fd, &req, &r, sizeof(r), &mem, &nb, 5000), 0);
	assert_int_equal(r.error, 0);
	assert_int_equal(nb, 1);
	assert_int_equal(r.nb_recs, 1000);
	assert_int_equal(read(mem, recs, sizeof(recs)), sizeof(recs));
	assert_int_equal(recs[999], 999);
	assert_int_equal(write(mem, recs, 8), -1);
	close(mem);
	close(fd);
}

static void
on_close_is_called_once(void **state)
{
	int fd = dial();

	assert_int_equal(take(fd), 0);
	close(fd);
	for (unsigned int i = 0; i < 1000 && atomic_load(&closed) == 0; i++)
		usleep(1000);
	usleep(5000);
	assert_int_equal(atomic_load(&closed), 1);
}

/* Ports of killed clients, each of which is drained for a while. */
static void
stop_waits_for_one_client_that_hung_up_and_not_for_all(void **state)
{
	struct vale_ctl_hdr req;
	struct vale_ctl_reply r;
	uint64_t begin;
	int fd[40];

	vale_ctl_hdr_init(&req, VALE_CTL_FDB_ADD, sizeof(req));
	for (unsigned int i = 0; i < 40; i++) {
		fd[i] = dial();
		assert_int_equal(vale_ctl_call(fd[i], &req, &r, sizeof(r), NULL, NULL, 5000), 0);
	}
	atomic_store(&close_us, 50000);
	for (unsigned int i = 0; i < 40; i++)
		close(fd[i]);
	while (atomic_load(&closed) == 0)
		usleep(1000);
	begin = rte_get_timer_cycles();
	vale_server_stop(server);
	assert_true(rte_get_timer_cycles() - begin < rte_get_timer_hz());
	atomic_store(&close_us, 0);
	vale_server_listen_on(server, 5000);
	assert_int_equal(atomic_load(&closed), 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(socket_has_the_mode_asked_for),
		T(name_is_free_at_once_after_close),
		T(request_of_another_version_is_refused_with_both),
		T(unknown_request_is_refused),
		T(request_that_lies_about_its_size_is_refused),
		T(string_without_nul_is_refused),
		T(garbage_loses_the_connection_and_nothing_else),
		T(descriptors_sent_along_are_closed),
		T(descriptors_of_an_empty_message_are_closed),
		T(answer_comes_on_the_descriptor_sent_along),
		T(deferred_answer_comes_on_the_descriptor_too),
		T(descriptor_that_takes_no_answer_harms_nobody),
		T(doorbells_are_swallowed),
		T(descriptor_that_does_not_close_keeps_nobody),
		T(client_without_a_descriptor_left_is_turned_away),
		T(request_before_an_unread_answer_is_heard),
		T(client_that_never_reads_loses_its_connection_not_our_time),
		T(records_come_as_a_sealed_file),
		T(on_close_is_called_once),
		T(stop_waits_for_one_client_that_hung_up_and_not_for_all),
	};
	char sub[64];
	int ret;

	if (unit_eal_init() < 0 || mkdtemp(dir) == NULL)
		return 1;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(sub, sizeof(sub), "%s/sub", dir);
	rmdir(sub);
	rmdir(dir);
	return ret;
}
