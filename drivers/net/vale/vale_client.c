/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_interrupts.h>
#include <rte_lcore.h>
#include <rte_string_fns.h>
#include <rte_version.h>

#include "vale_config.h"
#include "vale_control_client.h"
#include "vale_pmd.h"

/* EAL gives up on a hot plug after 5 s; we must have given up before. */
#define ATTACH_TIMEOUT_MS 4000
#define DETACH_TIMEOUT_MS 1000

/** Lcore ids in use by this process: mempool caches are indexed by them, so nobody else may. */
static void
fill_lcores(uint64_t *bits)
{
	static_assert(RTE_MAX_LCORE <= VALE_CTL_LCORE_BITS, "all lcore ids fit");
	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++)
		if (rte_eal_lcore_role(i) != ROLE_OFF)
			bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static void
fill_request(struct vale_ctl_attach_dpdk_req *req, const struct vale_args *args)
{
	memset(req, 0, sizeof(*req));
	vale_ctl_hdr_init(&req->hdr, VALE_CTL_ATTACH_DPDK, sizeof(*req));
	strlcpy(req->name, args->port, sizeof(req->name));
	strlcpy(req->dpdk_version, rte_version(), sizeof(req->dpdk_version));
	strlcpy(req->vale_version, VALE_VERSION, sizeof(req->vale_version));
	req->shm_version = VALE_DPDK_SHM_VERSION;
	req->nb_queues = args->nb_queues;
	req->has_mac = args->has_mac;
	memcpy(req->mac, &args->mac, sizeof(req->mac));
	fill_lcores(req->lcores);
}

/** What the switch answered fits together. */
static int
check_reply(const struct vale_args *args, const struct vale_ctl_attach_dpdk_reply *r,
	unsigned int nb_fds)
{
	const struct vale_dpdk_slot *slot = (const void *)(uintptr_t)r->slot_addr;

	if (r->nb_queues < 1 || r->nb_queues > VALE_DPDK_QUEUES_MAX ||
		nb_fds != 2u * r->nb_queues || r->port_id >= RTE_MAX_ETHPORTS ||
		r->slot_sz < sizeof(*slot))
		goto bad;
	/* Another group's switch answers with addresses that mean nothing here. */
	if (rte_mem_virt2memseg_list(slot) == NULL ||
		rte_mem_virt2memseg_list((void *)(uintptr_t)r->ethdev_data) == NULL) {
		VALE_PMD_LOG(ERR,
			"port %s: the switch at %s is not the primary process of this "
			"one; is its --file-prefix the same?",
			args->port, args->socket);
		return -EXDEV;
	}
	if (slot->version == VALE_DPDK_SHM_VERSION && slot->nb_queues == r->nb_queues &&
		slot->port_id == r->port_id)
		return 0;
bad:
	VALE_PMD_LOG(ERR, "port %s: the switch at %s answered nonsense; is it of the same release?",
		args->port, args->socket);
	return -EPROTO;
}

static void
keep_fds(struct vale_dev *dev, const int *fds, unsigned int nb_fds)
{
	for (unsigned int i = 0; i < nb_fds / 2; i++) {
		dev->event_fd[i] = fds[i];
		dev->kick_fd[i] = fds[nb_fds / 2 + i];
	}
}

static int
call_attach(struct vale_dev *dev, const struct vale_args *args,
	struct vale_ctl_attach_dpdk_reply *reply)
{
	struct vale_ctl_attach_dpdk_req req;
	int fds[2 * VALE_DPDK_QUEUES_MAX];
	unsigned int nb_fds = RTE_DIM(fds);
	int ret;

	fill_request(&req, args);
	ret = vale_ctl_call(
		dev->ctl_fd, &req, reply, sizeof(*reply), fds, &nb_fds, ATTACH_TIMEOUT_MS);
	if (ret != 0) {
		VALE_PMD_LOG(ERR, "port %s: the switch at %s does not answer: %s", args->port,
			args->socket, strerror(-ret));
		return ret;
	}
	keep_fds(dev, fds, nb_fds & ~1u);
	if (nb_fds & 1)
		close(fds[nb_fds - 1]);
	if (reply->r.error != 0) {
		VALE_PMD_LOG(ERR, "the switch refuses: %.*s (%s)", VALE_CTL_TEXT_SZ, reply->r.text,
			vale_errno_name(reply->r.error));
		return -reply->r.error;
	}
	return check_reply(args, reply, nb_fds);
}

int
vale_client_attach(struct vale_dev *dev, const struct vale_args *args,
	struct vale_ctl_attach_dpdk_reply *reply)
{
	int ret;

	dev->ctl_fd = vale_ctl_connect(args->socket);
	if (dev->ctl_fd < 0) {
		VALE_PMD_LOG(ERR, "port %s: no switch at %s any more: %s", args->port, args->socket,
			strerror(-dev->ctl_fd));
		return dev->ctl_fd;
	}
	ret = call_attach(dev, args, reply);
	if (ret != 0) {
		vale_client_close_fds(dev);
		vale_client_close(dev);
	}
	return ret;
}

void
vale_client_close_fds(struct vale_dev *dev)
{
	for (unsigned int i = 0; i < VALE_DPDK_QUEUES_MAX; i++) {
		if (dev->event_fd[i] >= 0)
			close(dev->event_fd[i]);
		if (dev->kick_fd[i] >= 0)
			close(dev->kick_fd[i]);
		dev->event_fd[i] = dev->kick_fd[i] = -1;
	}
}

/** Read what came. @return whether the port is lost. */
static bool
read_notify(struct vale_dev *dev)
{
	struct vale_ctl_notify msg = {0};
	ssize_t n;

	n = recv(dev->ctl_fd, &msg, sizeof(msg), MSG_DONTWAIT);
	if (n < 0)
		return errno != EAGAIN && errno != EINTR;
	if (n == 0) {
		VALE_PMD_LOG(WARNING, "port %s: the switch has gone", dev->name);
		return true;
	}
	if (n != sizeof(msg) || msg.hdr.type != VALE_CTL_NOTIFY ||
		msg.event != VALE_CTL_EVENT_DETACHED)
		return false;
	VALE_PMD_LOG(
		WARNING, "port %s was taken away: %.*s", dev->name, VALE_CTL_TEXT_SZ, msg.text);
	return true;
}

/** Interrupt thread: the switch says something, or has gone. */
static void
on_connection(void *arg)
{
	struct vale_dev *dev = arg;

	if (!read_notify(dev))
		return;
	/* A dead connection stays readable for ever: stop watching first. */
	rte_intr_callback_unregister_pending(dev->ctl_intr, on_connection, dev, NULL);
	vale_ethdev_gone(dev);
}

int
vale_client_watch(struct vale_dev *dev)
{
	dev->ctl_intr = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	if (dev->ctl_intr == NULL)
		return -ENOMEM;
	if (rte_intr_type_set(dev->ctl_intr, RTE_INTR_HANDLE_EXT) != 0 ||
		rte_intr_fd_set(dev->ctl_intr, dev->ctl_fd) != 0)
		return -rte_errno;
	return rte_intr_callback_register(dev->ctl_intr, on_connection, dev);
}

void
vale_client_unwatch(struct vale_dev *dev)
{
	int ret;

	if (dev->ctl_intr == NULL)
		return;
	ret = rte_intr_callback_unregister(dev->ctl_intr, on_connection, dev);
	/* It runs: wait for its end, unless we are called from within it (it unregisters itself).
	 */
	if (ret == -EAGAIN && !rte_thread_is_intr())
		rte_intr_callback_unregister_sync(dev->ctl_intr, on_connection, dev);
	rte_intr_instance_free(dev->ctl_intr);
	dev->ctl_intr = NULL;
}

void
vale_client_detach(struct vale_dev *dev)
{
	struct vale_ctl_reply reply;
	struct vale_ctl_hdr req;

	if (dev->ctl_fd < 0 || dev->detached)
		return;
	dev->detached = true;
	vale_own_pools_disconnected(dev->ctl_fd);
	/* The answer must be waited for: a hang-up is served before what was sent ahead of it. */
	vale_ctl_hdr_init(&req, VALE_CTL_DETACHED, sizeof(req));
	vale_ctl_call(dev->ctl_fd, &req, &reply, sizeof(reply), NULL, NULL, DETACH_TIMEOUT_MS);
	/* The number stays taken until the interrupt thread has let go of it. */
	shutdown(dev->ctl_fd, SHUT_RDWR);
}

void
vale_client_close(struct vale_dev *dev)
{
	if (dev->ctl_fd >= 0) {
		vale_own_pools_disconnected(dev->ctl_fd);
		close(dev->ctl_fd);
	}
	dev->ctl_fd = -1;
}
