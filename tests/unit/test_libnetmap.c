/* SPDX-License-Identifier: BSD-3-Clause */
/* libnetmap: its parsers, and its life of ports over a device that is made here. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "libnetmap.h"
#include "vale_netmap_client.h"

/* ---- the device ---------------------------------------------------------------------- */

#define FAKE_MEM_ID 7
#define FAKE_SLOTS 4
#define FAKE_BUF_SZ 64
#define FAKE_SZ 8192
#define FAKE_IF_OFF 256

static struct fake {
	int open_fds;
	int nb_maps;
	int error;	 /* of the next ioctl */
	uint32_t status; /* nro_status of all options, with error */
	int nb_tx_rings; /* bound rings: from 1 on, ring 0 is not */
	void *map;	 /* the last one */
	struct nmreq_register got;
	char name[64];
} fake;

int
vale_nm_open(int flags)
{
	fake.open_fds++;
	return 1000 + fake.open_fds;
}

int
vale_nm_close(int fd)
{
	fake.open_fds--;
	return 0;
}

int
vale_nm_ioctl(int fd, unsigned long request, void *arg)
{
	struct nmreq_header *hdr = arg;
	struct nmreq_option *o;

	assert_int_equal(request, NIOCCTRL);
	memcpy(fake.name, hdr->nr_name, sizeof(fake.name));
	if (hdr->nr_reqtype == NETMAP_REQ_PORT_INFO_GET) {
		((struct nmreq_port_info_get *)(uintptr_t)hdr->nr_body)->nr_mem_id = FAKE_MEM_ID;
	} else {
		struct nmreq_register *reg = (struct nmreq_register *)(uintptr_t)hdr->nr_body;

		assert_int_equal(hdr->nr_reqtype, NETMAP_REQ_REGISTER);
		fake.got = *reg;
		if (fake.error == 0) {
			reg->nr_mem_id = FAKE_MEM_ID;
			reg->nr_memsize = FAKE_SZ;
			reg->nr_offset = FAKE_IF_OFF;
			reg->nr_tx_rings = reg->nr_rx_rings = 2;
		}
	}
	nmreq_foreach_option(hdr, o) o->nro_status = fake.error != 0 ? fake.status : 0;
	errno = fake.error;
	return fake.error != 0 ? -1 : 0;
}

static void
fake_ring(struct netmap_if *nifp, int index, size_t at)
{
	struct netmap_ring *ring = (struct netmap_ring *)((char *)nifp + at);

	*(ssize_t *)(uintptr_t)&nifp->ring_ofs[index] = (ssize_t)at;
	*(uint32_t *)(uintptr_t)&ring->num_slots = FAKE_SLOTS;
	*(uint32_t *)(uintptr_t)&ring->nr_buf_size = FAKE_BUF_SZ;
	*(int64_t *)(uintptr_t)&ring->buf_ofs = 4096 - FAKE_IF_OFF - (int64_t)at;
	ring->tail = FAKE_SLOTS - 1;
	for (uint32_t i = 0; i < FAKE_SLOTS; i++)
		ring->slot[i].buf_idx = 2 + i + (index == 2 ? FAKE_SLOTS : 0);
}

void *
vale_nm_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	struct netmap_if *nifp;

	assert_int_equal(len, FAKE_SZ);
	fake.nb_maps++;
	fake.map = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(fake.map, MAP_FAILED);
	nifp = (struct netmap_if *)((char *)fake.map + FAKE_IF_OFF);
	*(uint32_t *)(uintptr_t)&nifp->ni_host_tx_rings = 1;
	*(uint32_t *)(uintptr_t)&nifp->ni_host_rx_rings = 1;
	/* tx 0 (not bound), tx 1, host tx (not bound), rx 0, rx 1, host rx (not bound) */
	fake_ring(nifp, 1, 512);
	fake_ring(nifp, 3, 1536);
	fake_ring(nifp, 4, 2560);
	return fake.map;
}

/* ---- the context --------------------------------------------------------------------- */

static int nb_errors, nb_alloc, fail_alloc;
static char last_error[1100];

static void
note_error(struct nmctx *ctx, const char *message)
{
	nb_errors++;
	snprintf(last_error, sizeof(last_error), "%s", message);
	assert_null(strchr(message, '\n'));
}

static void *
count_malloc(struct nmctx *ctx, size_t sz)
{
	if (fail_alloc > 0 && --fail_alloc == 0)
		return NULL;
	nb_alloc++;
	return malloc(sz);
}

static void
count_free(struct nmctx *ctx, void *p)
{
	nb_alloc--;
	free(p);
}

static struct nmctx test_ctx = {
	.verbose = 1,
	.error = note_error,
	.malloc = count_malloc,
	.free = count_free,
};

static int
setup(void **state)
{
	memset(&fake, 0, sizeof(fake));
	nb_errors = nb_alloc = fail_alloc = 0;
	last_error[0] = '\0';
	nmctx_set_default(&test_ctx);
	return 0;
}

/* Nothing is left: no memory, no descriptor, no region. */
static int
teardown(void **state)
{
	assert_int_equal(nb_alloc, 0);
	assert_int_equal(fake.open_fds, 0);
	assert_null(test_ctx.mem_descs);
	return 0;
}

/* ---- names --------------------------------------------------------------------------- */

struct spec_case {
	const char *spec;
	const char *name; /* NULL: refused */
	uint32_t mode;
	uint16_t ringid;
	uint64_t flags;
	uint16_t mem_id;
};

static const struct spec_case specs[] = {
	{"vale0:a", "vale0:a", NR_REG_ALL_NIC, 0, 0, 0},
	{"vale:x", "vale:x", NR_REG_ALL_NIC, 0, 0, 0},
	{"vale0:", "vale0:", NR_REG_ALL_NIC, 0, 0, 0}, /* the switch refuses it, not we */
	{"netmap:eth0", "eth0", NR_REG_ALL_NIC, 0, 0, 0},
	{"netmap:vale0:a", "vale0:a", NR_REG_ALL_NIC, 0, 0, 0},
	{"vale_x:a-0", "vale_x:a", NR_REG_ONE_NIC, 0, 0, 0},
	{"vale0:a-3", "vale0:a", NR_REG_ONE_NIC, 3, 0, 0},
	{"vale0:a-4094", "vale0:a", NR_REG_ONE_NIC, 4094, 0, 0},
	{"vale0:a-1/xT", "vale0:a", NR_REG_ONE_NIC, 1, NR_EXCLUSIVE | NR_TX_RINGS_ONLY, 0},
	{"vale0:a^", "vale0:a", NR_REG_SW, 0, 0, 0},
	{"vale0:a^2", "vale0:a", NR_REG_ONE_SW, 2, 0, 0},
	{"vale0:a^/x", "vale0:a", NR_REG_SW, 0, NR_EXCLUSIVE, 0},
	{"vale0:a*", "vale0:a", NR_REG_NIC_SW, 0, 0, 0},
	{"vale0:a/R", "vale0:a", NR_REG_ALL_NIC, 0, NR_RX_RINGS_ONLY, 0},
	{"vale0:a/ztr", "vale0:a", NR_REG_ALL_NIC, 0, NR_ZCOPY_MON | NR_MONITOR_TX | NR_MONITOR_RX,
		0},
	{"vale0:a@5", "vale0:a", NR_REG_ALL_NIC, 0, 0, 5},
	{"vale0:a@65535", "vale0:a", NR_REG_ALL_NIC, 0, 0, 65535},
	{"vale0:a-2@9/x", "vale0:a", NR_REG_ONE_NIC, 2, NR_EXCLUSIVE, 9},
	{"vale0:a/x@9", "vale0:a", NR_REG_ALL_NIC, 0, NR_EXCLUSIVE, 9},
	{"vale0:a@4@conf:slots=8", "vale0:a", NR_REG_ALL_NIC, 0, 0, 4},
	{"vale0:a@conf:", "vale0:a", NR_REG_ALL_NIC, 0, 0, 0},
	{"vale0:p{1", "vale0:p{1", NR_REG_ALL_NIC, 0, 0, 0},
	{"netmap:p}xy_2/x", "p}xy_2", NR_REG_ALL_NIC, 0, NR_EXCLUSIVE, 0},
	/* refused */
	{.spec = ""},
	{.spec = "eth0"},
	{.spec = "val:a"},
	{.spec = "netmap"},
	{.spec = "netmap:"},
	{.spec = "netmap:-1"},
	{.spec = "netmap0:eth0"},
	{.spec = "vale0"},
	{.spec = "vale-0:a"},
	{.spec = "vale 0:a"},
	{.spec = "vale0:p{"},
	{.spec = "vale0:p{/x"},
	{.spec = "vale0:p{a.b"},
	{.spec = "vale0:p{a}b"},
	{.spec = "vale0:a-"},
	{.spec = "vale0:a-x"},
	{.spec = "vale0:a--1"},
	{.spec = "vale0:a-1x"},
	{.spec = "vale0:a-4095"},
	{.spec = "vale0:a-99999999999999999999999"},
	{.spec = "vale0:a^x"},
	{.spec = "vale0:a^^"},
	{.spec = "vale0:a*3"},
	{.spec = "vale0:a/"},
	{.spec = "vale0:a/y"},
	{.spec = "vale0:a/x/x"},
	{.spec = "vale0:a@"},
	{.spec = "vale0:a@0"},
	{.spec = "vale0:a@65536"},
	{.spec = "vale0:a@5@6"},
	{.spec = "vale0:a@5@"},
	{.spec = "vale0:a@@conf:slots=1"},
	{.spec = "vale0:a@nosuch:x=1"},
	{.spec = "vale0:a@nosuch"},
	{.spec = "vale0:a@conf"},
	{.spec = "vale0:a@conf=3"},
	{.spec = "vale0:a@conf:rings"},
	{.spec = "vale0:a@conf:rings=x"},
	{.spec = "vale0:a@conf:rings=-1"},
	{.spec = "vale0:a@conf:rings=65536"},
	{.spec = "vale0:a@conf:slots=4294967296"},
	{.spec = "vale0:a@conf:rings=1,rings=2"},
	{.spec = "vale0:a@conf:rings=1,nosuch=2"},
	{.spec = "vale0:a@conf:rings=1,=2"},
	{.spec = "vale0:a@conf:rings=1@"},
	{.spec = "vale0:a@share"},
	{.spec = "vale0:a@share="},
	{.spec = "vale0:a@share=nocolon"},
	{.spec = "vale0:a@share:port="},
	{.spec = "vale0:a@extmem:buf-num=3"},
	{.spec = "vale0:a@extmem:file=/dev/null,buf-num=x"},
	{.spec = "vale0:a@extmem=/nonexistent"},
	/* 64 bytes of name; 63 fit */
	{.spec = "vale0:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
	{"vale0:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"vale0:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NR_REG_ALL_NIC,
		0, 0, 0},
};

static void
check_refused(const struct spec_case *c, struct nmport_d *d)
{
	struct nmport_d before = *d;

	nb_errors = 0;
	errno = 0;
	if (nmport_parse(d, c->spec) == 0)
		fail_msg("'%s' was taken", c->spec);
	if (errno == 0 || nb_errors != 1 || strlen(last_error) < 10)
		fail_msg("'%s': errno %d, %d messages, the last '%s'", c->spec, errno, nb_errors,
			last_error);
	assert_memory_equal(d, &before, sizeof(before));
}

static void
check_taken(const struct spec_case *c, struct nmport_d *d)
{
	if (nmport_parse(d, c->spec) != 0)
		fail_msg("'%s': %s", c->spec, last_error);
	assert_string_equal(d->hdr.nr_name, c->name);
	assert_int_equal(d->hdr.nr_version, NETMAP_API);
	assert_int_equal(d->hdr.nr_reqtype, NETMAP_REQ_REGISTER);
	assert_ptr_equal((void *)(uintptr_t)d->hdr.nr_body, &d->reg);
	if (d->reg.nr_mode != c->mode || d->reg.nr_ringid != c->ringid ||
		d->reg.nr_flags != c->flags || d->reg.nr_mem_id != c->mem_id)
		fail_msg("'%s': mode %u ring %u flags %llx region %u", c->spec, d->reg.nr_mode,
			d->reg.nr_ringid, (unsigned long long)d->reg.nr_flags, d->reg.nr_mem_id);
}

static void
parse_each_spec_is_taken_or_refused(void **state)
{
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct nmport_d *d = nmport_new();

		assert_non_null(d);
		if (specs[i].name != NULL)
			check_taken(&specs[i], d);
		else
			check_refused(&specs[i], d);
		nmport_undo_prepare(d);
	}
}

static void
header_decode_moves_behind_the_name(void **state)
{
	const char *spec = "vale0:a-1/x", *scan = spec;
	struct nmreq_header hdr, before;

	memset(&hdr, 0x5a, sizeof(hdr));
	before = hdr;
	assert_int_equal(nmreq_header_decode(&scan, &hdr, &test_ctx), 0);
	assert_ptr_equal(scan, spec + 7);
	assert_int_equal(hdr.nr_version, before.nr_version);
	scan = spec + 4;
	before = hdr;
	assert_int_equal(nmreq_header_decode(&scan, &hdr, &test_ctx), -1);
	assert_int_equal(errno, EINVAL);
	assert_ptr_equal(scan, spec + 4);
	assert_memory_equal(&hdr, &before, sizeof(hdr));
}

static void
register_decode_keeps_what_it_refuses(void **state)
{
	struct nmreq_register reg = {.nr_mem_id = 3, .nr_mode = 99, .nr_extra_bufs = 5}, before;
	const char *scan = "-1@4";

	before = reg;
	assert_int_equal(nmreq_register_decode(&scan, &reg, &test_ctx), -1);
	assert_memory_equal(&reg, &before, sizeof(reg));
	assert_string_equal(scan, "-1@4");
	scan = "-1@3@share:port=x";
	assert_int_equal(nmreq_register_decode(&scan, &reg, &test_ctx), 0);
	assert_string_equal(scan, "@share:port=x");
	assert_int_equal(reg.nr_mem_id, 3);
	assert_int_equal(reg.nr_extra_bufs, 5);
}

/* ---- options ------------------------------------------------------------------------- */

static void
conf_more_specific_keys_win(void **state)
{
	struct nmport_d *d = nmport_prepare("vale0:a@conf:tx-rings=3,rings=2,rx-slots=64,slots=32,"
					    "host-rings=4,host_tx_rings=5");

	assert_non_null(d);
	assert_int_equal(d->reg.nr_tx_rings, 3);
	assert_int_equal(d->reg.nr_rx_rings, 2);
	assert_int_equal(d->reg.nr_tx_slots, 32);
	assert_int_equal(d->reg.nr_rx_slots, 64);
	assert_int_equal(d->reg.nr_host_tx_rings, 5);
	assert_int_equal(d->reg.nr_host_rx_rings, 4);
	nmport_undo_prepare(d);
}

static void
share_asks_the_port_for_its_region(void **state)
{
	struct nmport_d *d = nmport_prepare("vale0:b@share=vale0:a");

	assert_non_null(d);
	assert_string_equal(fake.name, "vale0:a");
	assert_int_equal(d->reg.nr_mem_id, FAKE_MEM_ID);
	nmport_undo_prepare(d);
	assert_null(nmport_prepare("vale0:b@6@share:port=vale0:a"));
	assert_int_equal(errno, EINVAL);
	fake.error = ENXIO;
	assert_null(nmport_prepare("vale0:b@share:port=vale0:a"));
	assert_int_equal(errno, ENXIO);
}

static void
offset_is_for_programs_that_enable_it(void **state)
{
	struct nmreq_opt_offsets *o;
	struct nmport_d *d;

	assert_null(nmport_prepare("vale0:a@offset=64"));
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(nmport_enable_option("offset"), 0);
	d = nmport_prepare("vale0:a@offset:initial=64,bits=12");
	assert_non_null(d);
	o = (struct nmreq_opt_offsets *)nmreq_find_option(&d->hdr, NETMAP_REQ_OPT_OFFSETS);
	assert_non_null(o);
	assert_int_equal(o->nro_initial_offset, 64);
	assert_int_equal(o->nro_max_offset, 64);
	assert_int_equal(o->nro_offset_bits, 12);
	nmport_undo_prepare(d);
	assert_null(nmport_prepare("vale0:a@offset:bits=12"));
	assert_null(nmport_prepare("vale0:a@offset:initial=1,bits=65"));
	nmport_disable_option("offset");
	nmport_disable_option("nosuch");
	assert_null(nmport_prepare("vale0:a@offset=64"));
	assert_int_equal(nmport_enable_option("nosuch"), -1);
	assert_int_equal(errno, EOPNOTSUPP);
}

static void
extmem_from_file_is_mapped_and_undone(void **state)
{
	char path[] = "/tmp/test_libnetmap.XXXXXX", spec[128];
	int fd = mkstemp(path);
	struct nmport_d *d;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8192), 0);
	snprintf(spec, sizeof(spec), "vale0:a@extmem:file=%s,buf-num=12", path);
	d = nmport_prepare(spec);
	unlink(path);
	close(fd);
	assert_non_null(d);
	assert_int_equal(nmport_extmem_getinfo(d)->nr_memsize, 8192);
	assert_int_equal(nmport_extmem_getinfo(d)->nr_buf_pool_objtotal, 12);
	assert_ptr_equal(nmreq_find_option(&d->hdr, NETMAP_REQ_OPT_EXTMEM), d->extmem);
	*(char *)(uintptr_t)d->extmem->nro_usrptr = 1;
	assert_int_equal(nmport_extmem(d, NULL, 0), -1);
	assert_null(nmport_clone(d));
	nmport_undo_parse(d);
	assert_null(d->extmem);
	assert_int_equal(d->hdr.nr_options, 0);
	/* what is undone can be parsed again */
	assert_int_equal(nmport_parse(d, "vale0:b"), 0);
	nmport_undo_prepare(d);
}

static void
option_list_push_find_remove_free(void **state)
{
	struct nmreq_option *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b)), c = {0};
	struct nmreq_header hdr;

	nmreq_header_init(&hdr, NETMAP_REQ_REGISTER, NULL);
	a->nro_reqtype = NETMAP_REQ_OPT_CSB;
	b->nro_reqtype = NETMAP_REQ_OPT_EXTMEM;
	c.nro_reqtype = NETMAP_REQ_OPT_OFFSETS;
	nmreq_remove_option(&hdr, a);
	nmreq_push_option(&hdr, a);
	nmreq_push_option(&hdr, &c);
	nmreq_push_option(&hdr, b);
	assert_ptr_equal(nmreq_find_option(&hdr, NETMAP_REQ_OPT_OFFSETS), &c);
	nmreq_remove_option(&hdr, &c);
	assert_null(nmreq_find_option(&hdr, NETMAP_REQ_OPT_OFFSETS));
	assert_ptr_equal(nmreq_find_option(&hdr, NETMAP_REQ_OPT_CSB), a);
	assert_ptr_equal(nmreq_find_option(&hdr, NETMAP_REQ_OPT_EXTMEM), b);
	nmreq_free_options(&hdr);
	assert_int_equal(hdr.nr_options, 0);
	assert_string_equal(nmreq_option_name(NETMAP_REQ_OPT_OFFSETS), "offsets");
	assert_string_equal(nmreq_option_name(12345), "unknown");
}

static void
parse_without_memory_leaves_nothing(void **state)
{
	/* d, then the copy of the option, its cleanup, the option itself */
	nmport_enable_option("offset");
	for (int i = 1; i <= 4; i++) {
		fail_alloc = i;
		assert_null(nmport_prepare("vale0:a@offset=64"));
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(nb_alloc, 0);
	}
	nmport_disable_option("offset");
}

/* ---- life ---------------------------------------------------------------------------- */

static void
open_maps_a_region_once(void **state)
{
	struct nmport_d *a = nmport_open("vale0:a@3"), *b;

	assert_non_null(a);
	assert_int_equal(fake.got.nr_mem_id, 3);
	assert_int_equal(a->first_tx_ring, 1);
	assert_int_equal(a->last_tx_ring, 1);
	assert_int_equal(a->first_rx_ring, 0);
	assert_int_equal(a->last_rx_ring, 1);
	b = nmport_clone(a);
	assert_non_null(b);
	assert_int_equal(b->reg.nr_mem_id, FAKE_MEM_ID);
	assert_int_equal(nmport_open_desc(b), 0);
	assert_ptr_equal(a->mem, b->mem);
	assert_int_equal(fake.nb_maps, 1);
	assert_int_equal(fake.open_fds, 2);
	assert_int_equal(nmport_register(a), -1);
	assert_int_equal(nmport_mmap(a), -1);
	nmport_close(a);
	/* still mapped */
	assert_int_equal(NETMAP_TXRING(b->nifp, 1)->num_slots, FAKE_SLOTS);
	nmport_close(b);
	nmport_close(NULL);
}

static void
open_refused_names_the_option(void **state)
{
	struct nmport_d *d = nmport_prepare("vale0:a");

	assert_int_equal(nmport_offset(d, 1, 2, 3, 4), 0);
	fake.error = EOPNOTSUPP;
	fake.status = EOPNOTSUPP;
	assert_int_equal(nmport_open_desc(d), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_non_null(strstr(last_error, "offsets"));
	assert_int_equal(d->fd, -1);
	fake.error = EBUSY;
	fake.status = 0;
	nb_errors = 0;
	assert_int_equal(nmport_open_desc(d), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(nb_errors, 1);
	assert_int_equal(nmport_mmap(d), -1);
	nmport_undo_prepare(d);
	assert_null(nmport_open("vale0:a"));
	assert_int_equal(errno, EBUSY);
}

static void
inject_cuts_long_frames(void **state)
{
	struct nmport_d *d = nmport_open("vale0:a");
	struct netmap_ring *ring = NETMAP_TXRING(d->nifp, 1);
	char frame[FAKE_BUF_SZ * 3 + 1];

	memset(frame, 'x', sizeof(frame));
	/* 3 slots are free: 4 are not to be had, 3 are, then nothing is */
	assert_int_equal(nmport_inject(d, frame, sizeof(frame)), 0);
	assert_int_equal(ring->head, 0);
	assert_int_equal(nmport_inject(d, frame, sizeof(frame) - 1), sizeof(frame) - 1);
	assert_int_equal(ring->head, 3);
	assert_int_equal(ring->cur, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ring->slot[i].len, FAKE_BUF_SZ);
		assert_int_equal(ring->slot[i].flags, i < 2 ? NS_MOREFRAG : 0);
		assert_memory_equal(NETMAP_BUF(ring, ring->slot[i].buf_idx), frame, FAKE_BUF_SZ);
	}
	assert_int_equal(nmport_inject(d, frame, 1), 0);
	ring->tail = 1;
	assert_int_equal(nmport_inject(d, frame, FAKE_BUF_SZ + 1), FAKE_BUF_SZ + 1);
	assert_int_equal(ring->slot[3].flags, NS_MOREFRAG);
	assert_int_equal(ring->slot[0].len, 1);
	assert_int_equal(ring->head, 1);
	nmport_close(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			parse_each_spec_is_taken_or_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			header_decode_moves_behind_the_name, setup, teardown),
		cmocka_unit_test_setup_teardown(
			register_decode_keeps_what_it_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(conf_more_specific_keys_win, setup, teardown),
		cmocka_unit_test_setup_teardown(
			share_asks_the_port_for_its_region, setup, teardown),
		cmocka_unit_test_setup_teardown(
			offset_is_for_programs_that_enable_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			extmem_from_file_is_mapped_and_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(option_list_push_find_remove_free, setup, teardown),
		cmocka_unit_test_setup_teardown(
			parse_without_memory_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(open_maps_a_region_once, setup, teardown),
		cmocka_unit_test_setup_teardown(open_refused_names_the_option, setup, teardown),
		cmocka_unit_test_setup_teardown(inject_cuts_long_frames, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
