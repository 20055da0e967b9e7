/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of noise: any numbers, any length, any descriptors, answers read or not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "vale_control_client.h"

static struct dice d;

static const char *
any_name(void)
{
	static const char *const names[] = {"valen:a", "valen:b", "np", "valen:np", "valen", "",
		"lo", "valen:lo", "vale:x", "valenope:y"};

	return names[dice(&d, 10)];
}

/* Bodies whose numbers are of the kind that breaks arithmetic; memory is asked for in moderation.
 */
static void
any_body(struct vale_ctl_nm_req *r)
{
	struct nmreq_register reg = {.nr_mode = dice(&d, 10),
		.nr_tx_rings = (uint16_t)dice_nasty(&d, 16),
		.nr_rx_rings = (uint16_t)dice_nasty(&d, 16),
		.nr_tx_slots = dice(&d, 3) ? dice(&d, 64) : dice_nasty(&d, 4096),
		.nr_rx_slots = dice(&d, 64),
		.nr_ringid = (uint16_t)dice_nasty(&d, 16),
		.nr_mem_id = (uint16_t)(dice(&d, 3) ? 0 : dice(&d, 1000)),
		.nr_extra_bufs = dice(&d, 3000),
		.nr_flags = dice_nasty(&d, 0x8000)};

	if (dice(&d, 5))
		reg.nr_tx_rings = reg.nr_rx_rings = (uint16_t)dice(&d, 3);
	for (size_t i = 0; i < sizeof(r->body); i += 4) {
		uint32_t v = dice_nasty(&d, 254);

		memcpy(r->body + i, &v, sizeof(v));
	}
	if (r->reqtype == NETMAP_REQ_REGISTER || r->reqtype == NETMAP_REQ_VALE_NEWIF)
		memcpy(r->body, &reg, sizeof(reg));
	r->nb_opts = dice(&d, 3) ? 0 : dice(&d, 2) ? dice(&d, 9) : dice_nasty(&d, 8);
	for (unsigned int i = 0; i < VALE_CTL_NM_OPTS_MAX; i++) {
		r->opts[i].reqtype = dice(&d, 2) ? 5 : dice(&d, 8);
		for (size_t k = 0; k < VALE_CTL_NM_OPT_SZ; k += 8) {
			uint64_t v = (uint64_t)dice_nasty(&d, 2048)
				     << (dice(&d, 2) ? 0 : dice(&d, 33));

			memcpy(r->opts[i].body + k, &v, sizeof(v));
		}
	}
}

/* Send, with descriptors of any kind and number. */
static void
send_noise(int fd, void *msg, size_t size)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * 8)];
	} control = {0};
	struct iovec iov = {.iov_base = msg, .iov_len = size};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	unsigned int n = dice(&d, 3) ? dice(&d, 2) : dice(&d, 9);
	int sv[2] = {-1, -1}, pipes[2] = {-1, -1};
	struct cmsghdr *cm;
	int fds[8];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0 ||
		pipe2(pipes, O_CLOEXEC) < 0)
		die("descriptors");
	for (unsigned int i = 0; i < n; i++) {
		const int kinds[] = {sv[0], sv[0], sv[0], sv[1], pipes[0], pipes[1], fd, 0};

		fds[i] = kinds[dice(&d, 8)];
	}
	if (n > 0) {
		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * n);
	}
	(void)sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(pipes[0]);
	close(pipes[1]);
	close(sv[0]);
	close(sv[1]);
}

static void
noise_message(int fd)
{
	static const uint16_t types[] = {VALE_CTL_NM_CTRL, VALE_CTL_NM_CTRL, VALE_CTL_NM_CTRL,
		VALE_CTL_NM_CTRL, VALE_CTL_NM_STATE, VALE_CTL_LIST, VALE_CTL_GET,
		VALE_CTL_VERSION_GET, 0, 63, 64, 65535};
	struct vale_ctl_nm_req r = {.version = NETMAP_API, .reqtype = (uint16_t)dice(&d, 17)};
	size_t size = sizeof(r);

	vale_ctl_hdr_init(&r.hdr, types[dice(&d, 12)], sizeof(r));
	if (r.hdr.type == VALE_CTL_NM_STATE)
		size = sizeof(r.hdr);
	snprintf(r.name, sizeof(r.name), "%s", any_name());
	any_body(&r);
	if (dice(&d, 30) == 0)
		memset(r.name, 'v', sizeof(r.name));
	if (dice(&d, 15) == 0)
		size = dice(&d, sizeof(r) + 1); /* cut short */
	r.hdr.size = (uint32_t)(dice(&d, 15) ? size : dice_nasty(&d, sizeof(r)));
	if (dice(&d, 40) == 0)
		r.hdr.magic ^= 1;
	if (dice(&d, 40) == 0)
		r.hdr.version = (uint16_t)dice_nasty(&d, 1);
	if (dice(&d, 10) == 0) {
		r.hdr.magic = 0x01010101u * VALE_NM_DOORBELL;
		size = 1;
	}
	send_noise(fd, &r, size);
}

/* Persistent ports that came of it; requests that were sent before may still be in work. */
static void
leave_nothing(void)
{
	int fd = client_dial();

	for (unsigned int gone = 0, tries = 0; gone < 5 && tries < 200; tries++) {
		client_ctrl(fd, NETMAP_REQ_VALE_DETACH, "valenope:np", NULL, 0, NULL, 0, NULL);
		client_ctrl(fd, NETMAP_REQ_VALE_DETACH, "valen:np", NULL, 0, NULL, 0, NULL);
		if (client_ctrl(fd, NETMAP_REQ_VALE_DELIF, "np", NULL, 0, NULL, 0, NULL) == ENXIO)
			gone++;
		else
			gone = 0;
		usleep(50000);
	}
	close(fd);
}

void
noise_main(void)
{
	char buf[VALE_CTL_MSG_SZ_MAX];
	uint64_t n = 0;

	d = dice_make(6);
	for (; time_left(); n++) {
		int fd = client_dial();
		bool reads = dice(&d, 2);

		for (uint32_t k = dice(&d, 40); k > 0; k--) {
			noise_message(fd);
			while (reads && recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
				;
		}
		close(fd);
		usleep(dice(&d, 4000));
	}
	leave_nothing();
	printf("noise: %ju connections\n", (uintmax_t)n);
}
