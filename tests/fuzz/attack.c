/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs that write at random whatever they can, from two threads, while the switch reads it;
 * then they are killed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "vale_control_client.h"

#define TARGETS_MAX 4
#define LIFE_MS 700
/* Status of an attacker that found what it must not find. */
#define FOUND 3

static struct target targets[TARGETS_MAX];
static unsigned int nb_targets;
static unsigned int my_id;

static void
found(const char *what)
{
	fprintf(stderr, "FAILED: attacker %u: %s\n", my_id, what);
	_exit(FOUND);
}

/* ---- what is asked for ---- */

static struct nmreq_register
any_register(struct dice *d)
{
	static const uint32_t slots[] = {0, 1, 2, 3, 16, 64, 256, 1024, 4096, 100000};
	struct nmreq_register reg = {
		.nr_tx_rings = (uint16_t)(1 + dice(d, 4)),
		.nr_rx_rings = (uint16_t)(1 + dice(d, 4)),
		.nr_tx_slots = slots[dice(d, 10)],
		.nr_rx_slots = slots[dice(d, 10)],
		.nr_extra_bufs = dice(d, 3) ? 0 : dice(d, 500),
		.nr_mode = dice(d, 4) ? NR_REG_ALL_NIC : NR_REG_ONE_NIC,
		.nr_ringid = (uint16_t)dice(d, 3),
		.nr_flags = NR_ACCEPT_VNET_HDR,
	};

	if (dice(d, 50) == 0)
		reg.nr_tx_rings = reg.nr_rx_rings = 16;
	if (dice(d, 10) == 0)
		reg.nr_flags |= dice(d, 2) ? NR_RX_RINGS_ONLY : NR_TX_RINGS_ONLY;
	if (dice(d, 20) == 0)
		reg.nr_flags |= NR_EXCLUSIVE;
	return reg;
}

static void
set_header(const char *name, uint32_t len)
{
	struct nmreq_port_hdr hdr = {.nr_hdr_len = len};
	int fd = client_dial();

	client_ctrl(fd, NETMAP_REQ_PORT_HDR_SET, name, &hdr, sizeof(hdr), NULL, 0, NULL);
	close(fd);
}

static void
open_targets(struct dice *d)
{
	for (unsigned int tries = 0; nb_targets < TARGETS_MAX && tries < 6; tries++) {
		struct target *t = &targets[nb_targets];
		struct nmreq_opt_offsets o = {
			.nro_max_offset = dice(d, 2049), .nro_offset_bits = dice(d, 2) ? 16 : 0};
		char name[16];

		snprintf(name, sizeof(name), "vale%c:a%u", dice(d, 5) ? 'h' : 'i',
			my_id * 3 + dice(d, 3));
		t->reg = any_register(d);
		if (nb_targets > 0 && dice(d, 3) == 0)
			t->reg.nr_mem_id = targets[0].reg.nr_mem_id;
		o.nro_initial_offset = dice(d, (uint32_t)o.nro_max_offset + 1);
		if (target_open(t, name, dice(d, 3) ? NULL : &o) != 0)
			continue;
		nb_targets++;
		if (dice(d, 3) == 0)
			set_header(name, dice(d, 2) ? 10 : 12);
	}
}

/* ---- memory ---- */

/* What a seal would change for the others must not be changed, nor the size. */
static void
try_seals(const struct target *t, struct dice *d)
{
	if (ftruncate(t->memfd, (off_t)dice(d, (uint32_t)t->st.size)) == 0 ||
		ftruncate(t->memfd, (off_t)t->st.size + 4096) == 0 ||
		fallocate(t->memfd, 0, (off_t)t->st.size, 4096) == 0)
		found("the memory changed its size");
	if (fcntl(t->memfd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0)
		found("the memory took another seal");
}

static void
take_pages(const struct target *t, struct dice *d)
{
	uint64_t at = dice(d, (uint32_t)(t->st.size / 4096)) * UINT64_C(4096);
	uint64_t n = (1 + dice(d, 64)) * UINT64_C(4096);

	n = n < t->st.size - at ? n : t->st.size - at;
	if (dice(d, 2))
		(void)madvise(t->mem + at, n, MADV_REMOVE);
	else
		(void)fallocate(
			t->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)n);
}

static struct netmap_ring *
any_ring(const struct target *t, struct dice *d, bool *is_tx)
{
	unsigned int i = dice(d, 16);

	*is_tx = dice(d, 2);
	if (*is_tx && t->st.tx_last > t->st.tx_first)
		return t->tx[t->st.tx_first + i % (unsigned int)(t->st.tx_last - t->st.tx_first)];
	*is_tx = false;
	if (t->st.rx_last > t->st.rx_first)
		return t->rx[t->st.rx_first + i % (unsigned int)(t->st.rx_last - t->st.rx_first)];
	return NULL;
}

static void
scribble_slot(const struct target *t, struct dice *d)
{
	bool is_tx;
	struct netmap_ring *ring = any_ring(t, d, &is_tx);
	struct netmap_slot *s;
	uint32_t n = is_tx ? t->st.nb_tx_slots : t->st.nb_rx_slots;

	if (ring == NULL || n > VALE_NM_SLOTS_MAX || n == 0)
		return;
	s = &ring->slot[dice(d, n)];
	switch (dice(d, 6)) {
	case 0:
		s->buf_idx = dice_nasty(d, t->nb_bufs);
		break;
	case 1:
		s->len = (uint16_t)dice_nasty(d, VALE_NM_BUF_SZ);
		break;
	case 2:
		s->flags = (uint16_t)dice(d, 0x10000);
		break;
	case 3:
		s->ptr = (uint64_t)dice_nasty(d, t->offset_max) << dice(d, 33);
		break;
	case 4:
		s->flags = NS_MOREFRAG;
		break;
	default:
		*s = (struct netmap_slot){.buf_idx = 2 + dice(d, t->nb_bufs - 2),
			.len = (uint16_t)(14 + dice(d, 1500))};
	}
}

static void
scribble_control(const struct target *t, struct dice *d)
{
	struct vale_nm_kring *k =
		dice(d, 2) ? target_tx_kring(t, dice(d, 4)) : target_rx_kring(t, dice(d, 4));
	struct vale_nm_bind *b =
		(struct vale_nm_bind *)(t->mem + t->binds_off) + dice(d, VALE_NM_BINDS_MAX);
	struct vale_nm_region *r = (struct vale_nm_region *)t->mem;

	if ((uint8_t *)(k + 1) > t->mem + t->rings_off)
		return;
	switch (dice(d, 6)) {
	case 0:
		atomic_store(&k->head, dice_nasty(d, t->st.nb_tx_slots));
		break;
	case 1:
		atomic_store(&k->hwcur, dice_nasty(d, 1024));
		atomic_store(&k->hwtail, dice_nasty(d, 1024));
		break;
	case 2:
		atomic_store(&k->armed, dice(d, 3));
		break;
	case 3:
		atomic_store(&b->sleep_rx, dice_nasty(d, 64));
		atomic_store(&b->sleep_tx, dice_nasty(d, 64));
		atomic_store(&r->sleepers, dice(d, 3));
		break;
	case 4:
		memset((void *)&k->lock, (int)dice(d, 256), sizeof(k->lock));
		break;
	default:
		atomic_store(&k->head, dice(d, t->st.nb_tx_slots + 1));
	}
}

static void
scribble_anywhere(const struct target *t, struct dice *d)
{
	uint64_t at = dice(d, (uint32_t)t->st.size - 8);
	uint64_t v = (uint64_t)dice_nasty(d, t->nb_bufs) << dice(d, 33);

	if (dice(d, 4))
		at = dice(d, (uint32_t)t->bufs_off - 8);
	memcpy(t->mem + at, &v, sizeof(v));
}

/* Whatever comes, somewhere. */
static void *
scribble(void *arg)
{
	struct dice d = dice_make((uint64_t)(uintptr_t)arg);

	for (;;) {
		const struct target *t = &targets[dice(&d, nb_targets)];
		uint32_t what = dice(&d, 1000);

		if (what < 500)
			scribble_slot(t, &d);
		else if (what < 700)
			scribble_control(t, &d);
		else if (what < 980)
			scribble_anywhere(t, &d);
		else if (what < 990)
			take_pages(t, &d);
		else if (what < 992)
			try_seals(t, &d);
		else
			usleep(dice(&d, 100));
	}
	return NULL;
}

/* Frames that could be good, all the time, so that the switch reads what the other thread writes.
 */
static void
send_some(const struct target *t, struct dice *d)
{
	bool is_tx;
	struct netmap_ring *ring = any_ring(t, d, &is_tx);
	uint32_t i, n, nb = t->st.nb_tx_slots;

	if (ring == NULL || !is_tx || nb > VALE_NM_SLOTS_MAX)
		return;
	i = dice(d, 16);
	for (i = 0; i < VALE_NM_RINGS_MAX && t->tx[i] != ring; i++)
		;
	if (i == VALE_NM_RINGS_MAX)
		return;
	n = atomic_load(&target_tx_kring(t, i)->hwcur) % nb;
	for (uint32_t k = dice(d, 200); k > 0; k--) {
		uint32_t idx = 2 + dice(d, t->nb_bufs - 2);

		ring->slot[n] = (struct netmap_slot){.buf_idx = idx,
			.len = (uint16_t)dice(d, 1600),
			.flags = dice(d, 3) ? 0 : NS_MOREFRAG};
		if (dice(d, 2))
			memcpy(target_buf(t, idx), mac_all, 6);
		n = n + 1 == nb ? 0 : n + 1;
	}
	atomic_store(&target_tx_kring(t, i)->head, n);
	target_bell(t);
}

static void
receive_some(const struct target *t)
{
	for (unsigned int i = t->st.rx_first; i < t->st.rx_last && i < VALE_NM_RINGS_MAX; i++) {
		struct vale_nm_kring *k = target_rx_kring(t, i);

		atomic_store(&k->head, atomic_load(&k->hwtail));
	}
}

static void *
drive(void *arg)
{
	struct dice d = dice_make((uint64_t)(uintptr_t)arg);

	for (unsigned int n = 0;; n++) {
		const struct target *t = &targets[dice(&d, nb_targets)];

		send_some(t, &d);
		receive_some(t);
		if (n % 512 == 0 && memmem(t->mem + t->bufs_off, t->st.size - t->bufs_off, SECRET,
					    SECRET_LEN) != NULL)
			found("others' secrets are in its memory");
		if (dice(&d, 20) == 0)
			usleep(dice(&d, 200));
	}
	return NULL;
}

static void
attack(unsigned int round)
{
	struct dice d = dice_make(1000 + my_id * UINT64_C(1000000) + round);
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_targets(&d);
	if (nb_targets == 0)
		_exit(0);
	if (pthread_create(&thread, NULL, drive, (void *)(uintptr_t)(d.state | 1)) != 0)
		_exit(0);
	scribble((void *)(uintptr_t)(d.state & ~UINT64_C(1)));
}

void
attack_main(unsigned int id)
{
	struct dice d = dice_make(100 + id);
	unsigned int round;

	my_id = id;
	for (round = 0; time_left(); round++) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0)
			attack(round);
		for (uint32_t ms = 20 + dice(&d, LIFE_MS); ms > 0; ms -= ms > 5 ? 5 : ms) {
			usleep(5000);
			if (waitpid(pid, &status, WNOHANG) == pid) {
				pid = 0;
				break;
			}
		}
		if (pid != 0) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
		if (WIFEXITED(status) && WEXITSTATUS(status) == FOUND)
			exit(1);
	}
	printf("attack%u: %u lives\n", id, round);
}
