/* SPDX-License-Identifier: BSD-3-Clause */
/* Which worker polls which queue: the choice alone, then with real workers and fake clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fake_port.h"
#include "spread.h"
#include "unit_eal.h"
#include "vale_switch.h"

#define MAC(i) (0x02ULL | (uint64_t)((i) + 1) << 40)

static struct spread_move move;

/* ---- the choice ---- */

static void
one_worker_keeps_all(void **state)
{
	const struct spread_queue q[] = {{0, 900, false}, {0, 100, false}};

	assert_false(spread_choose(q, 2, 1, &move));
}

static void
load_moves_to_the_worker_with_least(void **state)
{
	const struct spread_queue q[] = {{0, 400, false}, {0, 300, false}, {1, 500, false}};

	/* 700, 500, 0: without the 300 it is 400, 500, 300 */
	assert_true(spread_choose(q, 3, 3, &move));
	assert_true(move.by_load);
	assert_int_equal(move.queue, 1);
	assert_int_equal(move.to, 2);
}

static void
a_queue_that_is_all_of_the_load_stays(void **state)
{
	const struct spread_queue q[] = {{0, 1000, false}, {1, 0, false}};

	assert_false(spread_choose(q, 2, 2, &move));
}

static void
of_an_elephant_and_a_mouse_the_mouse_moves(void **state)
{
	const struct spread_queue q[] = {{0, 800, false}, {0, 150, false}};

	assert_true(spread_choose(q, 2, 2, &move));
	assert_int_equal(move.queue, 1);
}

static void
little_gain_moves_nothing(void **state)
{
	const struct spread_queue q[] = {{0, 90, false}, {0, 90, false}, {1, 0, false}};

	assert_false(spread_choose(q, 3, 2, &move));
}

static void
who_rests_stays(void **state)
{
	const struct spread_queue q[] = {{0, 500, true}, {0, 400, true}, {1, 0, true}};

	assert_false(spread_choose(q, 3, 2, &move));
}

static void
idle_queues_are_spread_by_number(void **state)
{
	struct spread_queue q[8] = {0};
	unsigned int moves = 0, nb[2] = {0};

	for (; spread_choose(q, 8, 2, &move); moves++) {
		assert_false(move.by_load);
		q[move.queue].worker = move.to;
	}
	for (unsigned int i = 0; i < 8; i++)
		nb[q[i].worker]++;
	assert_int_equal(nb[0], 4);
	assert_int_equal(moves, 4);
}

static void
idle_queues_do_not_burden_who_is_busy(void **state)
{
	const struct spread_queue q[] = {
		{0, 0, false}, {0, 0, false}, {0, 0, false}, {1, 900, false}};

	assert_false(spread_choose(q, 4, 2, &move));
}

/* Random loads: moves end, and none is taken back by the next while loads only tremble. */
static void
moves_end_and_do_not_flap(void **state)
{
	struct spread_queue q[40];

	srandom(7);
	for (unsigned int trial = 0; trial < 2000; trial++) {
		unsigned int nb = 1 + (unsigned int)random() % 40, workers = 2 + random() % 6;
		unsigned int moves = 0;
		uint16_t base[40];

		for (unsigned int i = 0; i < nb; i++) {
			base[i] = (uint16_t)(random() % 3 == 0 ? random() % 500 : random() % 5);
			q[i] = (struct spread_queue){
				(uint16_t)(random() % workers), base[i], false};
		}
		while (spread_choose(q, nb, workers, &move)) {
			q[move.queue].worker = move.to;
			/* every load by a twentieth up or down */
			for (unsigned int i = 0; i < nb; i++)
				q[i].load = (uint16_t)(base[i] * (95 + random() % 11) / 100);
			assert_true(++moves <= 2 * nb);
		}
	}
}

/* ---- with workers ---- */

#define WORKERS 2

static struct vale_workers *ws;
static struct vale_switches *sws;

static int
setup(void **state)
{
	const struct vale_limits limits = {
		.max_switches = 2, .max_ports = 64, .fdb_size = 64, .ring_size = 64};

	ws = vale_workers_create(WORKERS);
	sws = vale_switches_create(&limits, ws);
	return ws == NULL || sws == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	vale_switches_free(sws);
	vale_workers_free(ws);
	return 0;
}

static struct fake_port *
plug(const char *text, uint16_t nb_rxq)
{
	struct fake_port *p = fake_port_create(nb_rxq, 1, NULL);
	struct vale_name name;
	char why[256];

	assert_int_equal(vale_name_parse(text, &name, NULL), 0);
	assert_int_equal(vale_switch_attach(sws, &name, &p->ep, NULL, false, why), 0);
	return p;
}

/* As if the worker of a queue had spent so many thousandths of a core on it since the last look. */
static void
spend(struct vale_rxq *q, uint64_t from, unsigned int share)
{
	vale_counter_add(&q->busy, (rte_rdtsc() - from) * share / SPREAD_CORE);
}

static void
queues_of_a_port_are_spread(void **state)
{
	struct fake_port *p = plug("valea:0", 8);
	struct vale_rxq *rxq[8];
	unsigned int nb = 0;

	for (unsigned int i = 0; i < 8; i++)
		nb += p->ep.rxq[i]->worker;
	assert_int_equal(nb, 4);
	assert_int_equal(vale_worker_queues(ws, 0, NULL, 0), 4);
	assert_int_equal(vale_worker_queues(ws, 1, rxq, 8), 4);
	assert_int_equal(rxq[0]->worker, 1);
}

static void
spend_for_a_while(
	struct vale_rxq *a, struct vale_rxq *b, unsigned int share_a, unsigned int share_b)
{
	uint64_t from = rte_rdtsc();

	usleep(2000);
	spend(a, from, share_a);
	spend(b, from, share_b);
	vale_workers_spread(ws);
}

static void
busy_queues_of_one_worker_part(void **state)
{
	struct fake_port *p = plug("valea:0", 4);
	struct vale_rxq *a = p->ep.rxq[0], *b = p->ep.rxq[2];

	assert_int_equal(a->worker, b->worker);
	for (unsigned int i = 0; i < 20 && a->worker == b->worker; i++)
		spend_for_a_while(a, b, 450, 450);
	assert_int_not_equal(a->worker, b->worker);
	assert_true(a->load.rest > 0 || b->load.rest > 0);
	/* what is measured is what was spent, once nobody takes the CPU from this test for some
	 * rounds */
	for (unsigned int i = 0; i < 500 && a->load.share < 350; i++)
		spend_for_a_while(a, b, 450, 450);
	assert_in_range(a->load.share, 350, 470);
	/* and stay there */
	for (unsigned int i = 0; i < 20; i++) {
		spend_for_a_while(a, b, 900, 800);
		assert_int_not_equal(a->worker, b->worker);
	}
}

static void
a_new_port_goes_to_who_has_least_to_do(void **state)
{
	struct fake_port *p = plug("valea:0", 1), *q;

	/* idle ports outnumber the busy one */
	for (unsigned int i = 1; i < 4; i++) {
		char text[16];

		snprintf(text, sizeof(text), "valea:%u", i);
		plug(text, 1);
	}
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t from = rte_rdtsc();

		usleep(2000);
		spend(p->ep.rxq[0], from, 900);
		vale_workers_spread(ws);
	}
	q = plug("valea:q", 1);
	assert_int_not_equal(q->ep.rxq[0]->worker, p->ep.rxq[0]->worker);
}

static void
when_ports_go_the_rest_is_spread_again(void **state)
{
	struct fake_port *p[8];

	for (unsigned int i = 0; i < 8; i++) {
		char text[16];

		snprintf(text, sizeof(text), "valea:%u", i);
		p[i] = plug(text, 1);
	}
	for (unsigned int i = 1; i < 8; i += 2)
		vale_switch_detach(sws, &p[i]->ep);
	assert_int_equal(vale_worker_queues(ws, 0, NULL, 0), 4);
	for (unsigned int i = 0; i < 3; i++) {
		usleep(1000);
		vale_workers_spread(ws);
	}
	assert_int_equal(vale_worker_queues(ws, 0, NULL, 0), 2);
	assert_int_equal(vale_worker_queues(ws, 1, NULL, 0), 2);
}

/* The loop itself says what it spends. */
static void
load_is_measured_where_frames_are(void **state)
{
	struct fake_port *p = plug("valea:0", 1), *q = plug("valea:1", 1);
	struct fake_frame f[32];

	for (unsigned int i = 0; i < 32; i++)
		f[i] = (struct fake_frame){.dst = MAC(9), .src = MAC(0), .len = 60};
	vale_workers_spread(ws);
	for (unsigned int i = 0; i < 200; i++) {
		fake_port_send(p, 0, f, 32);
		for (unsigned int w = 0; w < WORKERS; w++)
			vale_worker_poll(ws, w);
		fake_port_clear(q);
		q->room = FAKE_FRAMES;
	}
	vale_workers_spread(ws);
	assert_int_equal(atomic_load(&p->ep.rxq[0]->frames), 6400);
	assert_int_equal(atomic_load(&q->ep.rxq[0]->frames), 0);
	assert_true(p->ep.rxq[0]->load.share > 5);
	assert_int_equal(q->ep.rxq[0]->load.share, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_worker_keeps_all),
		cmocka_unit_test(load_moves_to_the_worker_with_least),
		cmocka_unit_test(a_queue_that_is_all_of_the_load_stays),
		cmocka_unit_test(of_an_elephant_and_a_mouse_the_mouse_moves),
		cmocka_unit_test(little_gain_moves_nothing),
		cmocka_unit_test(who_rests_stays),
		cmocka_unit_test(idle_queues_are_spread_by_number),
		cmocka_unit_test(idle_queues_do_not_burden_who_is_busy),
		cmocka_unit_test(moves_end_and_do_not_flap),
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(queues_of_a_port_are_spread),
		T(busy_queues_of_one_worker_part),
		T(a_new_port_goes_to_who_has_least_to_do),
		T(when_ports_go_the_rest_is_spread_again),
		T(load_is_measured_where_frames_are),
	};

	if (unit_eal_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
