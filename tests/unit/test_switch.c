/* SPDX-License-Identifier: BSD-3-Clause */
/* Life of switches and ports, with fake clients and real workers. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <rte_cycles.h>

#include "fake_port.h"
#include "unit_eal.h"
#include "vale_switch.h"

#define BROADCAST 0xffffffffffffULL
#define MAC(i) (0x02ULL | (uint64_t)((i) + 1) << 40)
#define WORKERS 2

static struct vale_workers *ws;
static struct vale_switches *sws;
static char why[256];

static int
setup(void **state)
{
	const struct vale_limits limits = {
		.max_switches = 64, .max_ports = 254, .fdb_size = 64, .ring_size = 64};

	ws = vale_workers_create(WORKERS);
	sws = vale_switches_create(&limits, ws);
	why[0] = '\0';
	return ws == NULL || sws == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	vale_switches_free(sws);
	vale_workers_free(ws);
	return 0;
}

static struct vale_name
name_of(const char *text)
{
	struct vale_name name;

	assert_int_equal(vale_name_parse(text, &name, NULL), 0);
	return name;
}

static int
attach(const char *text, struct fake_port *p)
{
	struct vale_name name = name_of(text);

	return vale_switch_attach(sws, &name, &p->ep, NULL, false, why);
}

static struct fake_port *
plug(const char *text)
{
	struct fake_port *p = fake_port_create(1, 1, NULL);

	assert_int_equal(attach(text, p), 0);
	return p;
}

static void
poll_all(void)
{
	for (unsigned int i = 0; i < WORKERS; i++)
		vale_worker_poll(ws, i);
}

static void
attach_makes_switch_and_detach_unmakes_it(void **state)
{
	bool freed = false;
	struct fake_port *p = plug("valea:0");

	p->freed = &freed;
	assert_non_null(vale_switch_find(sws, "valea"));
	assert_ptr_equal(vale_switch_find_port(sws, "valea:0"), p->ep.port);
	vale_switch_detach(sws, &p->ep);
	assert_true(freed);
	assert_null(vale_switch_find(sws, "valea"));
	assert_null(vale_switch_find_port(sws, "valea:0"));
}

static void
attach_to_a_held_name_is_busy_and_changes_nothing(void **state)
{
	struct fake_port *p = plug("valea:0");
	struct fake_port *q = fake_port_create(1, 1, NULL);

	p->ep.pid = 4711;
	assert_int_equal(attach("valea:0", q), -EBUSY);
	assert_non_null(strstr(why, "4711"));
	assert_ptr_equal(vale_switch_find_port(sws, "valea:0"), p->ep.port);
	q->ep.ops->destroy(&q->ep);
}

static void
attach_to_an_interface_name_is_invalid_unless_exempt(void **state)
{
	struct fake_port *p = fake_port_create(1, 1, NULL);
	struct vale_name name = name_of("valea:lo");

	assert_int_equal(attach("valea:lo", p), -EINVAL);
	assert_non_null(strstr(why, "lo"));
	assert_null(vale_switch_find(sws, "valea"));
	assert_int_equal(vale_switch_attach(sws, &name, &p->ep, NULL, true, why), 0);
}

static void
limits_are_named_and_leave_nothing_behind(void **state)
{
	struct fake_port *p;
	char text[16];

	for (unsigned int i = 0; i < 254; i++) {
		snprintf(text, sizeof(text), "valea:%u", i);
		plug(text);
	}
	p = fake_port_create(1, 1, NULL);
	assert_int_equal(attach("valea:254", p), -ENOMEM);
	assert_non_null(strstr(why, "max_ports"));
	for (unsigned int i = 1; i < 64; i++) {
		snprintf(text, sizeof(text), "valea%u:0", i);
		plug(text);
	}
	assert_int_equal(attach("valez:0", p), -ENOMEM);
	assert_non_null(strstr(why, "max_switches"));
	assert_null(vale_switch_find(sws, "valez"));
	/* room again as soon as one is gone */
	vale_switch_detach(sws, atomic_load(&vale_switch_find_port(sws, "valea1:0")->ep));
	assert_int_equal(attach("valez:0", p), 0);
}

static void
detach_forgets_addresses_and_a_new_port_does_not_inherit_them(void **state)
{
	struct fake_port *a = plug("valea:a"), *b = plug("valea:b"), *c = plug("valea:c");
	struct fake_frame f = {.dst = BROADCAST, .src = MAC(1), .len = 60};

	fake_port_send(b, 0, &f, 1);
	poll_all();
	assert_int_equal(vale_fdb_count(a->ep.port->sw->fdb), 1);
	vale_switch_detach(sws, &b->ep);
	assert_int_equal(vale_fdb_count(a->ep.port->sw->fdb), 0);
	b = plug("valea:d");
	fake_port_clear(a);
	fake_port_clear(c);
	f = (struct fake_frame){.dst = MAC(1), .src = MAC(0), .len = 60};
	fake_port_send(a, 0, &f, 1);
	poll_all();
	assert_int_equal(b->nb_got, 1); /* flooded: the address is unknown now */
	assert_int_equal(c->nb_got, 1);
}

static void
persistent_port_keeps_counters_static_entries_and_mac(void **state)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 42};
	struct vale_name name = name_of("valea:keep");
	struct vale_counters_sum sum;
	struct fake_frame f = {.dst = BROADCAST, .src = MAC(1), .len = 60};
	struct fake_port *p, *other = plug("valea:o");
	struct vale_port *port;

	assert_int_equal(vale_switch_create_port(sws, &name, mac, why), 0);
	assert_int_equal(vale_switch_create_port(sws, &name, mac, why), -EEXIST);
	p = plug("valea:keep");
	port = p->ep.port;
	assert_int_equal(vale_fdb_add_static(port->sw->fdb, MAC(9), port->idx), 0);
	fake_port_send(p, 0, &f, 1);
	poll_all();
	assert_int_equal(vale_switch_destroy_port(sws, "valea:keep", why), -EBUSY);
	vale_switch_detach(sws, &p->ep);
	assert_ptr_equal(vale_switch_find_port(sws, "valea:keep"), port);
	vale_counters_sum(port->counters, ws->nb, &sum);
	assert_int_equal(sum.rx_packets, 1);
	assert_memory_equal(port->mac, mac, 6);
	assert_int_equal(vale_fdb_count(port->sw->fdb), 1);
	p = plug("valea:keep");
	f = (struct fake_frame){.dst = MAC(9), .src = MAC(2), .len = 60};
	fake_port_send(other, 0, &f, 1);
	poll_all();
	assert_int_equal(p->nb_got, 1);
	vale_switch_detach(sws, &p->ep);
	assert_int_equal(vale_switch_destroy_port(sws, "valea:keep", why), 0);
	assert_int_equal(vale_fdb_count(other->ep.port->sw->fdb), 1); /* MAC(2) of other alone */
	assert_int_equal(vale_switch_destroy_port(sws, "valea:keep", why), -ENXIO);
	assert_int_equal(vale_switch_destroy_port(sws, "valea:o", why), -EINVAL);
}

static void
release_tells_the_client(void **state)
{
	struct vale_port *port = plug("valea:0")->ep.port;
	struct fake_port *p = (struct fake_port *)atomic_load(&port->ep);
	bool freed = false;

	p->freed = &freed;
	vale_switch_evict(sws, &p->ep, "test");
	assert_true(freed);
}

/* ---- with workers that run ---- */

static void *
worker_main(void *arg)
{
	vale_worker_run(ws, (unsigned int)(uintptr_t)arg);
	return NULL;
}

static pthread_t threads[WORKERS];

static void
workers_start(void)
{
	for (uintptr_t i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, worker_main, (void *)i);
}

static void
workers_join(void)
{
	vale_workers_stop(ws);
	for (unsigned int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
}

static void
detach_forwards_first_what_was_sent(void **state)
{
	struct fake_frame f[100];
	struct fake_port *a, *b = plug("valea:b");

	for (uint32_t i = 0; i < 100; i++)
		f[i] = (struct fake_frame){.dst = BROADCAST, .src = MAC(0), .seq = i, .len = 60};
	workers_start();
	for (unsigned int round = 0; round < 20; round++) {
		a = plug("valea:a");
		fake_port_send(a, 0, f, 100);
		vale_switch_detach(sws, &a->ep);
	}
	workers_join();
	assert_int_equal(b->nb_got, 2000);
}

static void
attach_and_detach_under_traffic_lose_nothing_between_others(void **state)
{
	struct fake_port *a = plug("valea:a"), *b = plug("valea:b"), *c;
	struct fake_frame f = {.dst = MAC(1), .src = MAC(0), .len = 60};
	uint32_t sent = 0;

	vale_fdb_add_static(a->ep.port->sw->fdb, MAC(1), b->ep.port->idx);
	workers_start();
	for (unsigned int round = 0; round < 1000; round++) {
		c = plug("valea:c");
		f.seq = sent++;
		fake_port_send(a, 0, &f, 1);
		for (uint32_t i = 0; i < 2 && sent < FAKE_FRAMES - 1; i++) {
			f.seq = sent++;
			fake_port_send(a, 0, &f, 1);
		}
		vale_switch_detach(sws, &c->ep);
	}
	vale_switch_detach(sws, &a->ep); /* drains */
	workers_join();
	assert_int_equal(b->nb_got, sent);
	for (uint32_t i = 0; i < sent; i++)
		assert_int_equal(b->got[i].seq, i);
}

static void
queues_are_spread_over_workers(void **state)
{
	struct fake_port *p = fake_port_create(4, 4, NULL);
	unsigned int on[WORKERS] = {0};

	assert_int_equal(attach("valea:0", p), 0);
	for (unsigned int i = 0; i < 4; i++)
		on[p->queue[i]->q.worker]++;
	assert_int_equal(on[0], 2);
	assert_int_equal(on[1], 2);
}

static void
idle_workers_sleep_and_wake_for_a_new_port(void **state)
{
	struct fake_port *a, *b;
	struct fake_frame f = {.dst = BROADCAST, .src = MAC(0), .len = 60};

	workers_start();
	usleep(20000);
	a = plug("valea:a");
	b = plug("valea:b");
	usleep(20000);
	fake_port_send(a, 0, &f, 1); /* fake queues have no descriptor: the poll timer finds it */
	for (unsigned int i = 0; i < 1000 && b->nb_got == 0; i++)
		usleep(1000);
	workers_join();
	assert_int_equal(b->nb_got, 1);
}

static int
attach_as(const char *text, struct fake_port *p, uint32_t uid)
{
	p->ep.has_uid = true;
	p->ep.uid = uid;
	return attach(text, p);
}

static void
reserved_port_is_its_owners_and_the_operators(void **state)
{
	struct vale_name name = name_of("valea:mine");
	struct fake_port *p = fake_port_create(1, 1, NULL);

	assert_int_equal(vale_switch_create_port(sws, &name, NULL, why), 0);
	vale_switch_reserve_port(vale_switch_find_port(sws, "valea:mine"), 1001);
	assert_int_equal(attach_as("valea:mine", p, 1002), -EACCES);
	assert_non_null(strstr(why, "1001"));
	assert_non_null(strstr(why, "1002"));
	assert_null(atomic_load(&vale_switch_find_port(sws, "valea:mine")->ep));
	assert_int_equal(vale_switch_check_user(sws, &name, 1002, why), -EACCES);
	assert_int_equal(vale_switch_check_user(sws, &name, 0, why), 0);
	assert_int_equal(attach_as("valea:mine", p, 1001), 0);
	vale_switch_detach(sws, &p->ep);
	p = fake_port_create(1, 1, NULL);
	assert_int_equal(attach_as("valea:mine", p, geteuid()), 0);
	vale_switch_detach(sws, &p->ep);
	/* as long as it is persistent */
	assert_int_equal(vale_switch_destroy_port(sws, "valea:mine", why), 0);
	p = fake_port_create(1, 1, NULL);
	assert_int_equal(attach_as("valea:mine", p, 1002), 0);
}

static void
client_of_unknown_user_gets_free_ports_alone(void **state)
{
	struct vale_name name = name_of("valea:mine");
	struct fake_port *p = fake_port_create(1, 1, NULL);

	assert_int_equal(vale_switch_create_port(sws, &name, NULL, why), 0);
	vale_switch_reserve_port(vale_switch_find_port(sws, "valea:mine"), 1001);
	assert_int_equal(attach("valea:mine", p), -EACCES);
	assert_int_equal(attach("valea:free", p), 0);
}

static void
created_device_goes_with_its_port(void **state)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 42};
	struct vale_name name = name_of("valea:lo");
	struct fake_port *p = fake_port_create(1, 1, NULL), *q;
	bool freed = false;

	p->freed = &freed;
	assert_int_equal(vale_switch_create_with(sws, &name, &p->ep, mac, why), 0);
	assert_true(p->ep.port->persistent);
	assert_memory_equal(p->ep.port->mac, mac, 6);
	q = fake_port_create(1, 1, NULL);
	assert_int_equal(vale_switch_create_with(sws, &name, &q->ep, mac, why), -EBUSY);
	assert_int_equal(vale_switch_destroy_port(sws, "valea:lo", why), 0);
	assert_true(freed);
	assert_null(vale_switch_find(sws, "valea"));
	/* detached, the name stays and is another's */
	assert_int_equal(vale_switch_create_with(sws, &name, &q->ep, mac, why), 0);
	vale_switch_detach(sws, &q->ep);
	q = plug("valea:lo");
	assert_int_equal(vale_switch_destroy_port(sws, "valea:lo", why), -EBUSY);
}

/* No worker takes what they have sent, as if they went on sending. */
static void
ports_of_a_switch_that_ends_are_drained_together(void **state)
{
	const struct fake_frame f = {.dst = BROADCAST, .src = MAC(0), .len = 60};
	struct vale_name name = name_of("valea:0");
	uint64_t begin;
	char text[16];

	for (unsigned int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "valea:%u", i);
		fake_port_send(plug(text), 0, &f, 1);
	}
	begin = rte_get_timer_cycles();
	vale_switches_end(sws);
	vale_workers_stop(ws);
	vale_switches_clear(sws);
	assert_true(rte_get_timer_cycles() - begin < rte_get_timer_hz());
	assert_true(TAILQ_EMPTY(vale_switches_list(sws)));
	assert_int_equal(vale_switch_may_attach(sws, &name, false, why), -ESHUTDOWN);
}

static void
what_was_sent_is_forwarded_when_the_switch_ends(void **state)
{
	struct fake_port *a = plug("valea:a"), *b = plug("valea:b");
	struct fake_frame f[100];

	for (uint32_t i = 0; i < 100; i++)
		f[i] = (struct fake_frame){.dst = BROADCAST, .src = MAC(0), .seq = i, .len = 60};
	workers_start();
	fake_port_send(a, 0, f, 100);
	vale_switches_end(sws);
	workers_join();
	assert_int_equal(b->nb_got, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(attach_makes_switch_and_detach_unmakes_it),
		T(attach_to_a_held_name_is_busy_and_changes_nothing),
		T(attach_to_an_interface_name_is_invalid_unless_exempt),
		T(limits_are_named_and_leave_nothing_behind),
		T(detach_forgets_addresses_and_a_new_port_does_not_inherit_them),
		T(persistent_port_keeps_counters_static_entries_and_mac),
		T(release_tells_the_client),
		T(reserved_port_is_its_owners_and_the_operators),
		T(client_of_unknown_user_gets_free_ports_alone),
		T(created_device_goes_with_its_port),
		T(detach_forwards_first_what_was_sent),
		T(attach_and_detach_under_traffic_lose_nothing_between_others),
		T(queues_are_spread_over_workers),
		T(idle_workers_sleep_and_wake_for_a_new_port),
		T(ports_of_a_switch_that_ends_are_drained_together),
		T(what_was_sent_is_forwarded_when_the_switch_ends),
	};

	if (unit_eal_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
