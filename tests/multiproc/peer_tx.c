/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>

#include <ethdev_driver.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "peer.h"
#include "vale_dpdk_shm.h"

/* A full ring or an empty pool is waited for this long. */
#define GIVE_UP_NS UINT64_C(20000000000)
#define OWN_POOL_MBUFS 1023
#define HOLD_MAX 65536

enum kind {
	KIND_PLAIN,    /* of the switch's pool, to travel as they are */
	KIND_OWN,      /* of a pool of this process */
	KIND_CLONE,    /* indirect */
	KIND_EXT,      /* memory of this process alone */
	KIND_REF2,     /* held by the sender as well */
	KIND_HEADROOM, /* data at odd places */
};

static const char *const kind_names[] = {"plain", "own", "clone", "ext", "ref2", "headroom"};

/* A `tx`. */
struct tx_job {
	uint16_t port_id;
	uint16_t queue;
	uint16_t nb_queues; /* > 0: over all queues in turn */
	uint32_t nb, len;
	uint32_t seg_len; /* bytes in a segment at most */
	uint32_t burst, gap_us;
	enum kind kind;
	uint32_t run;
	struct rte_ether_addr dst, src;
	struct rte_mempool *pool;
	uint64_t sent, full;
};

static struct rte_mempool *own_pool;
static struct rte_mbuf *held[HOLD_MAX];
static unsigned int nb_held;

/* ---- mbufs ---- */

static struct rte_mempool *
get_own_pool(void)
{
	char name[32];

	if (own_pool != NULL)
		return own_pool;
	snprintf(name, sizeof(name), "peer_%d", getpid());
	own_pool = rte_pktmbuf_pool_create(
		name, OWN_POOL_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return own_pool;
}

unsigned int
peer_own_free(void)
{
	return own_pool == NULL ? 0 : rte_mempool_avail_count(own_pool);
}

static void
free_ext(void *addr, void *opaque __rte_unused)
{
	free(addr);
}

/* Memory that no other process can see. */
static int
attach_private(struct rte_mbuf *m)
{
	uint16_t sz = 4096;
	void *mem = malloc(sz);
	struct rte_mbuf_ext_shared_info *info;

	if (mem == NULL)
		return -ENOMEM;
	info = rte_pktmbuf_ext_shinfo_init_helper(mem, &sz, free_ext, mem);
	rte_pktmbuf_attach_extbuf(m, mem, RTE_BAD_IOVA, sz, info);
	m->data_off = 64;
	return 0;
}

static struct rte_mbuf *
new_segment(const struct tx_job *job, uint32_t seq)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(job->pool);

	if (m == NULL)
		return NULL;
	if (job->kind == KIND_HEADROOM)
		m->data_off = 1 + 2 * (seq % 60);
	if (job->kind == KIND_EXT && attach_private(m) != 0) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	return m;
}

/* Spread a frame over as many segments as it takes. */
static struct rte_mbuf *
chain_of(const struct tx_job *job, const uint8_t *frame, uint32_t seq)
{
	struct rte_mbuf *head = NULL, *tail = NULL;

	for (uint32_t done = 0; done < job->len;) {
		struct rte_mbuf *m = new_segment(job, seq);
		uint32_t n = job->len - done;

		if (m == NULL) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		n = RTE_MIN(n, job->seg_len);
		n = RTE_MIN(n, (uint32_t)rte_pktmbuf_tailroom(m));
		memcpy(rte_pktmbuf_mtod(m, void *), frame + done, n);
		m->data_len = (uint16_t)n;
		done += n;
		if (head == NULL)
			head = m;
		else
			tail->next = m;
		tail = m;
		head->pkt_len = done;
		head->nb_segs += m != head;
	}
	return head;
}

static struct rte_mbuf *
cloned(struct rte_mbuf *m)
{
	struct rte_mbuf *clone = m == NULL ? NULL : rte_pktmbuf_clone(m, m->pool);

	rte_pktmbuf_free(m);
	return clone;
}

static struct rte_mbuf *
new_frame(const struct tx_job *job, uint16_t queue, uint32_t seq)
{
	static uint8_t frame[PEER_FRAME_MAX];
	struct peer_tag tag = {
		.seq = seq,
		.run = job->run,
		.queue = queue,
		.sent_ns = peer_now_ns(),
	};
	struct rte_mbuf *m;

	peer_frame_build(frame, job->len, &job->dst, &job->src, &tag);
	m = chain_of(job, frame, seq);
	if (job->kind == KIND_CLONE)
		m = cloned(m);
	if (m != NULL && job->kind == KIND_REF2)
		rte_pktmbuf_refcnt_update(m, 1);
	return m;
}

/* ---- sending ---- */

/* Send all of a burst; a full ring is waited for. */
static int
send_burst(struct tx_job *job, uint16_t queue, struct rte_mbuf **m, uint16_t n)
{
	uint64_t end = peer_now_ns() + GIVE_UP_NS;
	uint16_t done = 0;

	while (done < n) {
		uint16_t sent = rte_eth_tx_burst(job->port_id, queue, m + done, n - done);

		done += sent;
		if (sent > 0)
			continue;
		if (peer_now_ns() > end) {
			rte_pktmbuf_free_bulk(m + done, n - done);
			return -ETIMEDOUT;
		}
		job->full++;
		usleep(20);
	}
	return 0;
}

/* Build a burst; an empty pool is waited for. */
static int
build_burst(struct tx_job *job, uint16_t queue, struct rte_mbuf **m, uint16_t n)
{
	uint64_t end = peer_now_ns() + GIVE_UP_NS;
	uint16_t done = 0;

	while (done < n) {
		m[done] = new_frame(job, queue, (uint32_t)(job->sent + done));
		if (m[done] != NULL) {
			done++;
		} else if (peer_now_ns() > end) {
			rte_pktmbuf_free_bulk(m, done);
			return -ENOBUFS;
		} else {
			usleep(20);
		}
	}
	return 0;
}

static int
send_job(struct tx_job *job)
{
	struct rte_mbuf *m[PEER_BURST_MAX], *ours[PEER_BURST_MAX];
	uint16_t queue = job->queue;
	int ret = 0;

	while (job->sent < job->nb && ret == 0) {
		uint16_t n = RTE_MIN(job->burst, job->nb - job->sent);

		ret = build_burst(job, queue, m, n);
		if (ret != 0)
			break;
		memcpy(ours, m, n * sizeof(m[0]));
		ret = send_burst(job, queue, m, n);
		if (job->kind == KIND_REF2)
			rte_pktmbuf_free_bulk(ours, n);
		job->sent += n;
		if (job->nb_queues > 0)
			queue = (queue + 1) % job->nb_queues;
		if (job->gap_us > 0)
			usleep(job->gap_us);
	}
	return ret;
}

static bool
parse_kind(const struct peer_cmd *c, struct tx_job *job)
{
	const char *name = peer_option(c, "kind");

	for (unsigned int i = 0; i < RTE_DIM(kind_names); i++) {
		if (name == NULL || strcmp(name, kind_names[i]) == 0) {
			job->kind = i;
			job->pool = job->kind == KIND_OWN ? get_own_pool() : peer_pool();
			if (job->pool == NULL)
				peer_fail("no pool: %s", rte_strerror(rte_errno));
			return job->pool != NULL;
		}
	}
	peer_fail("'%s' is no kind of mbuf", name);
	return false;
}

static bool
parse_queue(const struct peer_cmd *c, struct tx_job *job)
{
	uint16_t nb = peer_nb_txq(job->port_id);
	uint64_t queue = 0;

	if (strcmp(c->word[2], "all") == 0)
		job->nb_queues = nb;
	else if (!peer_number(c->word[2], nb - 1, &queue))
		return false;
	job->queue = (uint16_t)queue;
	return true;
}

static bool
parse_sizes(const struct peer_cmd *c, struct tx_job *job)
{
	uint64_t nb, len, seg = UINT16_MAX, burst = 32, gap = 0;

	if (!peer_number(c->word[3], UINT32_MAX, &nb) ||
		!peer_number(c->word[6], PEER_FRAME_MAX, &len) ||
		!peer_number_option(c, "seg", UINT16_MAX, &seg) ||
		!peer_number_option(c, "burst", PEER_BURST_MAX, &burst) ||
		!peer_number_option(c, "gap", 1000000, &gap))
		return false;
	if (len == 0 || seg == 0 || burst == 0) {
		peer_fail("0 bytes or frames cannot be sent");
		return false;
	}
	job->nb = (uint32_t)nb;
	job->len = (uint32_t)len;
	job->seg_len = (uint32_t)seg;
	job->burst = (uint32_t)burst;
	job->gap_us = (uint32_t)gap;
	return true;
}

void
peer_cmd_tx(const struct peer_cmd *c)
{
	static uint32_t nb_runs;
	struct tx_job job = {.run = (uint32_t)getpid() << 16 | (nb_runs++ & UINT16_MAX)};
	uint64_t start;
	int ret;

	if (!peer_port(c, &job.port_id) || !parse_queue(c, &job) || !parse_sizes(c, &job) ||
		!peer_mac(c, 4, &job.dst) || !peer_mac(c, 5, &job.src) || !parse_kind(c, &job))
		return;
	start = peer_now_ns();
	ret = send_job(&job);
	if (ret == 0)
		peer_ok("sent=%" PRIu64 " full=%" PRIu64 " us=%" PRIu64, job.sent, job.full,
			(peer_now_ns() - start) / 1000);
	else
		peer_fail("tx %s: after %" PRIu64 " frames: %s", c->word[1], job.sent,
			rte_strerror(-ret));
}

void
peer_tx_close(void)
{
	rte_pktmbuf_free_bulk(held, nb_held);
	rte_mempool_free(own_pool);
}

/* ---- holding ---- */

void
peer_cmd_hold(const struct peer_cmd *c)
{
	uint64_t n, got = 0;

	if (!peer_number(c->word[1], HOLD_MAX, &n))
		return;
	n = RTE_MIN(n, HOLD_MAX - nb_held);
	while (got < n && (held[nb_held] = rte_pktmbuf_alloc(peer_pool())) != NULL) {
		nb_held++;
		got++;
	}
	peer_ok("got=%" PRIu64, got);
}

void
peer_cmd_release(const struct peer_cmd *c)
{
	uint64_t n = nb_held;

	if (c->nb > 1 && !peer_number(c->word[1], nb_held, &n))
		return;
	nb_held -= (unsigned int)n;
	rte_pktmbuf_free_bulk(held + nb_held, (unsigned int)n);
	peer_ok("released=%" PRIu64, n);
}

/* ---- lying ---- */

/* A word for a real mbuf of the switch's pool that claims to be @p len bytes long. */
static bool
lying_word(uint32_t len, uint64_t *word)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(peer_pool());

	if (m == NULL)
		return false;
	memset(rte_pktmbuf_mtod(m, void *), 0, rte_pktmbuf_tailroom(m));
	m->data_len = (uint16_t)RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(m));
	m->pkt_len = len;
	/* not flat: where the switch looks for the length is in the mbuf then */
	*word = vale_word_make(m, len) & ~VALE_WORD_FLAT;
	return true;
}

static void
ring_bell(struct vale_dpdk_txq *q)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_exchange(&q->armed, 0) != 0)
		eventfd_write(q->kick_fd, 1);
}

void
peer_cmd_raw(const struct peer_cmd *c)
{
	bool real = strcmp(c->word[2], "mbuf") == 0;
	uint64_t word = 0, n, sent = 0, len = 0;
	struct vale_dpdk_txq *q;
	struct rte_ring *r;
	uint16_t port_id;

	if (!peer_port(c, &port_id) || !peer_number(c->word[3], UINT32_MAX, &n) ||
		!peer_number_option(c, "len", UINT16_MAX, &len) ||
		(!real && !peer_number(c->word[2], UINT64_MAX, &word)))
		return;
	q = rte_eth_devices[port_id].data->tx_queues[0];
	r = VALE_DPDK_RING(q);
	for (; sent < n; sent++) {
		if (real && !lying_word((uint32_t)len, &word))
			break;
		memset(&VALE_DPDK_ADDRS(q)[r->prod.head & r->mask], 0xff,
			sizeof(struct vale_dpdk_addrs));
		if (rte_ring_sp_enqueue_elem(r, &word, sizeof(word)) != 0)
			break;
	}
	ring_bell(q);
	peer_ok("sent=%" PRIu64, sent);
}
