/* Reservations: held, changed, used by orders, broken by counts, freed at the very moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

static const long long begin_ms = 1577836800000;

/* Items a and b with 10 units each at stores n1 (near), n2 and warehouse w (far). */
static int setup(void **state)
{
    static const char *const nodes[] = {"n1", "n2", "w"};
    struct harness *harness = malloc(sizeof *harness);
    assert_non_null(harness);
    harness_init(harness);
    harness->options.test_clock = true;
    harness_start(harness);
    harness_do(harness, "item.put", "{'item':'a'}");
    harness_do(harness, "item.put", "{'item':'b'}");
    for (int i = 0; i < 3; i++) {
        harness_do(harness, "node.put", "{'node':'%s','type':'%s','lat':40,'lon':%d}", nodes[i],
                   i < 2 ? "store" : "warehouse", -74 - 3 * i);
        harness_do(harness, "stock.set", "{'item':'a','node':'%s','on_hand':10}", nodes[i]);
        harness_do(harness, "stock.set", "{'item':'b','node':'%s','on_hand':10}", nodes[i]);
    }
    *state = harness;
    return 0;
}

static void clock_set(struct harness *harness, long long now_ms)
{
    harness_do(harness, "clock.set", "{'now':%lld}", now_ms);
}

static void expect_state(struct harness *harness, const char *id, const char *state,
                         int64_t held)
{
    json_t *answer = harness_ask(harness, "reserve.get", "{'reservation_id':'%s'}", id);
    int64_t units = 0;
    assert_string_equal(harness_text(answer, "state"), state);
    for (uint32_t i = 0; i < harness_count(answer, "lines"); i++) {
        char path[40];
        snprintf(path, sizeof path, "lines.%u.held", i);
        units += harness_int(answer, path);
    }
    assert_int_equal(units, held);
    harness_drop(answer);
}

static void expect_refused(struct harness *harness, const char *method, const char *params,
                           const char *reason)
{
    json_t *answer = harness_ask(harness, method, "%s", params);
    assert_string_equal(harness_text(answer, "status"), "refused");
    assert_string_equal(harness_text(answer, "reason"), reason);
    harness_drop(answer);
}

static void reserve(struct harness *harness, const char *id, const char *node, int qty)
{
    harness_do(harness, "reserve.create",
               "{'reservation_id':'%s','ttl_ms':60000,'lines':[{'item':'a','qty':%d,"
               "'node':'%s'}]}",
               id, qty, node);
}

/* -- life -- */

/* What is held is told line by line, counts as reserved, and is listed with the cell's holds. */
static void made_and_shown(void **state)
{
    struct harness *harness = *state;
    json_t *answer =
        harness_ask(harness, "reserve.create",
                    "{'reservation_id':'c1','ttl_ms':60000,'lines':[{'item':'a','qty':3,"
                    "'node':'n1'},{'item':'b','qty':2,'line':'gift'}],'service':'standard',"
                    "'dest':{'lat':40,'lon':-77}}");
    assert_string_equal(harness_text(answer, "state"), "held");
    assert_int_equal(harness_int(answer, "expires_at"), begin_ms + 60000);
    assert_string_equal(harness_text(answer, "lines.0.node"), "n1");
    assert_int_equal(harness_int(answer, "lines.0.held"), 3);
    assert_string_equal(harness_text(answer, "lines.1.line"), "gift");
    assert_string_equal(harness_text(answer, "lines.1.node"), "n2");
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 10, 3);
    harness_expect_cell(harness, "b", "n2", 10, 2);
    answer = harness_ask(harness, "stock.get", "{'item':'a','node':'n1','holds':true}");
    assert_string_equal(harness_text(answer, "holds.0.reservation_id"), "c1");
    assert_int_equal(harness_int(answer, "holds.0.qty"), 3);
    harness_drop(answer);
    harness_restart(harness);
    expect_state(harness, "c1", "held", 5);
}

/* The same again is the first one; other content is a conflict; both also after a restart. */
static void repeated(void **state)
{
    struct harness *harness = *state;
    static const char *const same =
        "{'reservation_id':'c1','ttl_ms':60000,'lines':[{'item':'a','qty':3,'node':'n1'}]}";
    harness_do(harness, "reserve.create", "%s", same);
    harness_restart(harness);
    json_t *answer = harness_ask(harness, "reserve.create", "%s", same);
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 10, 3);
    harness_refute(harness, "reserve.create",
                   "{'reservation_id':'c1','ttl_ms':60001,'lines':[{'item':'a','qty':3,"
                   "'node':'n1'}]}",
                   "IDEMPOTENCY_CONFLICT", "c1");
    harness_do(harness, "reserve.release", "{'reservation_id':'c1'}");
    answer = harness_ask(harness, "reserve.create", "%s", same);
    assert_string_equal(harness_text(answer, "state"), "released");
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 10, 0);
}

/* A hold that expires at t is there at t - 1 and gone at t; a restart before does not matter. */
static void expiry_is_exact(void **state)
{
    struct harness *harness = *state;
    reserve(harness, "c1", "n1", 3);
    reserve(harness, "c2", "n1", 4);
    harness_do(harness, "reserve.update", "{'reservation_id':'c2','ttl_ms':60001}");
    clock_set(harness, begin_ms + 59999);
    harness_expect_cell(harness, "a", "n1", 10, 7);
    harness_restart(harness);
    clock_set(harness, begin_ms + 60000);
    harness_expect_cell(harness, "a", "n1", 10, 4);
    expect_state(harness, "c1", "expired", 0);
    expect_state(harness, "c2", "held", 4);
    clock_set(harness, begin_ms + 60001);
    harness_expect_cell(harness, "a", "n1", 10, 0);
}

/* Released is released, once; what has ended stays so, and leaves memory after the window. */
static void released(void **state)
{
    struct harness *harness = *state;
    reserve(harness, "c1", "n1", 3);
    harness_do(harness, "reserve.release", "{'reservation_id':'c1','key':'k'}");
    json_t *answer = harness_ask(harness, "reserve.release", "{'reservation_id':'c1','key':'k'}");
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 10, 0);
    expect_refused(harness, "reserve.update", "{'reservation_id':'c1','ttl_ms':1}",
                   "INVALID_STATE");
    clock_set(harness, begin_ms + 599999);
    expect_state(harness, "c1", "released", 0);
    clock_set(harness, begin_ms + 600000);
    harness_do(harness, "stats", "{}");
    harness_refute(harness, "reserve.get", "{'reservation_id':'c1'}", "UNKNOWN_RESERVATION", "c1");
    reserve(harness, "c1", "n1", 2);
    harness_expect_cell(harness, "a", "n1", 10, 2);
}

/* New lines take the place of the old ones, whose units count as free; refused = unchanged. */
static void changed(void **state)
{
    struct harness *harness = *state;
    reserve(harness, "c1", "n1", 8);
    expect_refused(harness, "reserve.update",
                   "{'reservation_id':'c1','lines':[{'item':'a','qty':11,'node':'n1'}]}",
                   "INSUFFICIENT_STOCK");
    expect_state(harness, "c1", "held", 8);
    harness_do(harness, "reserve.update",
               "{'reservation_id':'c1','ttl_ms':90000,'lines':[{'item':'a','qty':10,'node':'n1'},"
               "{'item':'b','qty':1,'node':'w'}]}");
    harness_expect_cell(harness, "a", "n1", 10, 10);
    harness_expect_cell(harness, "b", "w", 10, 1);
    harness_do(harness, "reserve.update",
               "{'reservation_id':'c1','lines':[{'item':'b','qty':2,'node':'n2'}]}");
    harness_expect_cell(harness, "a", "n1", 10, 0);
    harness_expect_cell(harness, "b", "w", 10, 0);
    expect_state(harness, "c1", "held", 2);
    clock_set(harness, begin_ms + 89999);
    harness_expect_cell(harness, "b", "n2", 10, 2);
    clock_set(harness, begin_ms + 90000);
    expect_refused(harness, "reserve.update", "{'reservation_id':'c1','ttl_ms':1}",
                   "RESERVATION_EXPIRED");
}

/* Without a destination the units are held somewhere; partly where that is asked for. */
static void anywhere_and_in_part(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "reserve.create",
               "{'reservation_id':'c1','ttl_ms':1000,'lines':[{'item':'a','qty':25}]}");
    expect_state(harness, "c1", "held", 25);
    static const char *const more =
        "{'reservation_id':'c2','ttl_ms':1000,'lines':[{'item':'a','qty':8}]}";
    expect_refused(harness, "reserve.create", more, "INSUFFICIENT_STOCK");
    harness_do(harness, "reserve.create",
               "{'reservation_id':'c2','ttl_ms':1000,'allow_partial':true,"
               "'lines':[{'item':'a','qty':8},{'item':'b','qty':1}]}");
    expect_state(harness, "c2", "held", 6);
}

/* -- orders -- */

static json_t *route(struct harness *harness, const char *order, const char *reservation, int qty)
{
    return harness_ask(harness, "order.route",
                       "{'order_id':'%s','lines':[{'item':'a','qty':%d}],'service':'standard',"
                       "'dest':{'lat':40,'lon':-74},'reservation_id':'%s'}",
                       order, qty, reservation);
}

/* An order takes the place of its reservation: its units are sure, the rest is released. */
static void used_by_an_order(void **state)
{
    struct harness *harness = *state;
    reserve(harness, "c1", "n2", 10);
    json_t *answer = route(harness, "o1", "c1", 7);
    assert_string_equal(harness_text(answer, "status"), "routed");
    assert_string_equal(harness_text(answer, "reservation"), "committed");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "n2"); /* as the client named */
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n2", 10, 7);
    expect_state(harness, "c1", "committed", 0);
    answer = route(harness, "o1", "c1", 7);
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    expect_refused(harness, "order.route",
                   "{'order_id':'o2','lines':[{'item':'a','qty':1}],'service':'standard',"
                   "'dest':{'lat':40,'lon':-74},'reservation_id':'c1'}",
                   "INVALID_STATE");
    expect_refused(harness, "reserve.release", "{'reservation_id':'c1'}", "INVALID_STATE");
    harness_restart(harness);
    harness_expect_cell(harness, "a", "n2", 10, 7);
}

/* An order that may wait is owed what neither the reservation nor free stock has. */
static void rest_is_owed(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "reserve.create",
               "{'reservation_id':'r','ttl_ms':60000,'lines':[{'item':'a','qty':4}]}");
    json_t *answer = harness_ask(harness, "order.route",
                                 "{'order_id':'o','service':'standard','reservation_id':'r',"
                                 "'backorder':true,'dest':{'lat':40,'lon':-74},"
                                 "'lines':[{'item':'a','qty':33}]}");
    assert_string_equal(harness_text(answer, "status"), "backordered");
    assert_string_equal(harness_text(answer, "reservation"), "committed");
    harness_drop(answer);
    answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_int_equal(harness_int(answer, "lines.0.owed"), 3);
    harness_drop(answer);
}

/* With a service the node stays, though a nearer one has stock by now; without it only units. */
static void node_is_kept(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':0}");
    static const char *const services[] = {"'service':'standard',", ""};
    static const char *const nodes[] = {"n2", "n1"};
    for (int i = 0; i < 2; i++) {
        harness_do(harness, "reserve.create",
                   "{'reservation_id':'c%d','ttl_ms':60000,'lines':[{'item':'a','qty':2}],%s"
                   "'dest':{'lat':40,'lon':-74}}",
                   i, services[i]);
    }
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
    for (int i = 0; i < 2; i++) {
        char order[16];
        char cart[16];
        snprintf(order, sizeof order, "o%d", i);
        snprintf(cart, sizeof cart, "c%d", i);
        json_t *answer = route(harness, order, cart, 2);
        assert_string_equal(harness_text(answer, "fulfilments.0.node"), nodes[i]);
        harness_drop(answer);
    }
}

/* All that is left is held by the cart: its own order gets it, another does not. */
static void guaranteed(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "reserve.create",
               "{'reservation_id':'c1','ttl_ms':60000,'lines':[{'item':'a','qty':30}]}");
    expect_refused(harness, "order.route",
                   "{'order_id':'o0','lines':[{'item':'a','qty':1}],'service':'standard',"
                   "'dest':{'lat':40,'lon':-74}}",
                   "INSUFFICIENT_STOCK");
    json_t *answer = route(harness, "o1", "c1", 31);
    assert_string_equal(harness_text(answer, "status"), "refused");
    assert_string_equal(harness_text(answer, "reservation"), "held"); /* a refusal takes nothing */
    harness_drop(answer);
    expect_state(harness, "c1", "held", 30);
    answer = route(harness, "o1", "c1", 30);
    assert_string_equal(harness_text(answer, "status"), "routed");
    assert_int_equal(harness_count(answer, "fulfilments"), 3);
    harness_drop(answer);
}

/* An expired one is no obstacle; one that never was is an error; a dry run uses nothing up. */
static void expired_is_no_obstacle(void **state)
{
    struct harness *harness = *state;
    reserve(harness, "c1", "n1", 3);
    json_t *answer = harness_ask(harness, "order.route",
                                 "{'order_id':'o1','lines':[{'item':'a','qty':3}],"
                                 "'service':'standard','dest':{'lat':40,'lon':-74},"
                                 "'reservation_id':'c1','dry_run':true}");
    assert_string_equal(harness_text(answer, "status"), "routed");
    harness_drop(answer);
    expect_state(harness, "c1", "held", 3);
    clock_set(harness, begin_ms + 60000);
    answer = route(harness, "o1", "c1", 3);
    assert_string_equal(harness_text(answer, "status"), "routed");
    assert_string_equal(harness_text(answer, "reservation"), "expired");
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 10, 3);
    harness_refute(harness, "order.route",
                   "{'order_id':'o2','lines':[{'item':'a','qty':3}],'service':'standard',"
                   "'dest':{'lat':40,'lon':-74},'reservation_id':'nope'}",
                   "UNKNOWN_RESERVATION", "nope");
}

/* -- broken -- */

/* A count below what is promised breaks reservations, newest first and by what is short, never an
 * order. */
static void broken_newest_first(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "order.route",
               "{'order_id':'o','lines':[{'item':'a','qty':4,'node':'n1'}],'service':'standard'}");
    reserve(harness, "c1", "n1", 3);
    reserve(harness, "c2", "n1", 3);
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':8}");
    expect_state(harness, "c2", "broken", 1);
    expect_state(harness, "c1", "held", 3);
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':-2}");
    expect_state(harness, "c2", "broken", 0);
    expect_state(harness, "c1", "broken", 2);
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':-5}");
    expect_state(harness, "c1", "broken", 0);
    harness_expect_cell(harness, "a", "n1", 1, 4);
    harness_restart(harness);
    clock_set(harness, begin_ms + 60000);
    expect_state(harness, "c1", "expired", 0);
}

/* Safety stock breaks them too: of the cell, and of the node. */
static void broken_by_rules(void **state)
{
    struct harness *harness = *state;
    reserve(harness, "c1", "n1", 9);
    reserve(harness, "c2", "n2", 9);
    harness_do(harness, "stock.policy", "{'item':'a','node':'n1','safety_stock':3}");
    expect_state(harness, "c1", "broken", 7);
    harness_do(harness, "node.put", "{'node':'n2','safety_stock':6}");
    expect_state(harness, "c2", "broken", 4);
}

/* Far more than one slice takes: none is left held in the end. */
static void many_are_broken(void **state)
{
    enum { MANY = 1200 };
    struct harness *harness = *state;
    harness_do(harness, "stock.set", "{'item':'a','node':'w','on_hand':%d}", MANY);
    for (int i = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        reserve(harness, id, "w", 1);
    }
    harness_do(harness, "stock.set", "{'item':'a','node':'w','on_hand':1}");
    harness_do(harness, "stats", "{}");
    harness_expect_cell(harness, "a", "w", 1, 1);
    expect_state(harness, "m0", "held", 1);
    expect_state(harness, "m1", "broken", 0);
    expect_state(harness, "m1199", "broken", 0);
}

/* -- movements that name whose units leave -- */

/* The hold falls with the units, so that nothing else becomes free or short by it. */
static void adjusted(void **state)
{
    struct harness *harness = *state;
    reserve(harness, "c1", "n1", 3);
    json_t *answer = harness_ask(harness, "stock.adjust",
                                 "{'item':'a','node':'n1','delta':-2,'reservation_id':'c1'}");
    assert_int_equal(harness_int(answer, "on_hand"), 8);
    assert_int_equal(harness_int(answer, "reserved"), 1);
    assert_int_equal(harness_int(answer, "ats"), 7);
    harness_drop(answer);
    expect_state(harness, "c1", "held", 1);
    harness_do(harness, "stock.adjust",
               "{'item':'a','node':'n1','delta':-2,'reservation_id':'c1'}");
    harness_expect_cell(harness, "a", "n1", 6, 0);
    harness_do(harness, "order.route",
               "{'order_id':'o','lines':[{'item':'a','qty':4,'node':'n2'}],'service':'standard'}");
    answer = harness_ask(harness, "stock.adjust",
                         "{'item':'a','node':'n2','delta':-5,'fulfilment':'o/1','key':'k'}");
    assert_int_equal(harness_int(answer, "on_hand"), 5);
    assert_int_equal(harness_int(answer, "reserved"), 0);
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n2", 5, 0);
    answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "fulfilments.0.state"), "shipped");
    harness_drop(answer);
    harness_refute(harness, "stock.adjust",
                   "{'item':'a','node':'n2','delta':-1,'fulfilment':'o/1','reservation_id':'c1'}",
                   "INVALID_ARGUMENT", "not both");
    harness_refute(harness, "stock.adjust",
                   "{'item':'a','node':'n2','delta':-1,'reservation_id':'c9'}",
                   "UNKNOWN_RESERVATION", "c9");
}

/* What cannot be there in time is not held; the wish is kept for later changes. */
static void required_by(void **state)
{
    struct harness *harness = *state;
    expect_refused(harness, "reserve.create",
                   "{'reservation_id':'c1','ttl_ms':60000,'lines':[{'item':'a','qty':1}],"
                   "'service':'standard','dest':{'lat':40,'lon':-74},'required_by':1577836800001}",
                   "PROMISE_NOT_MET");
    harness_do(harness, "reserve.create",
               "{'reservation_id':'c1','ttl_ms':60000,'lines':[{'item':'a','qty':1}],"
               "'service':'standard','dest':{'lat':40,'lon':-74},'required_by':1578000000000}");
    harness_restart(harness);
    clock_set(harness, begin_ms + 59999);
    harness_do(harness, "reserve.update",
               "{'reservation_id':'c1','ttl_ms':2592000000,'lines':[{'item':'a','qty':2}]}");
    clock_set(harness, 1578000000000 - 1000);
    expect_refused(harness, "reserve.update",
                   "{'reservation_id':'c1','lines':[{'item':'a','qty':3}]}", "PROMISE_NOT_MET");
}

/* -- faults and limits -- */

static void faults_are_named(void **state)
{
    struct harness *harness = *state;
    static const struct {
        const char *params, *part;
    } faults[] = {
        {"{'ttl_ms':1,'lines':[{'item':'a','qty':1}]}", "reservation_id"},
        {"{'reservation_id':'c','lines':[{'item':'a','qty':1}]}", "ttl_ms"},
        {"{'reservation_id':'c','ttl_ms':1}", "lines"},
        {"{'reservation_id':'c','ttl_ms':0,'lines':[{'item':'a','qty':1}]}", "ttl_ms"},
        {"{'reservation_id':'c','ttl_ms':2592000001,'lines':[{'item':'a','qty':1}]}", "ttl_ms"},
        {"{'reservation_id':'c','ttl_ms':1,'lines':[]}", "lines"},
        {"{'reservation_id':'c','ttl_ms':1,'lines':[{'item':'a','qty':1,'service':'pickup'}]}",
         "lines[0]"},
        {"{'reservation_id':'c','ttl_ms':1,'lines':[{'item':'a','qty':1}],'service':'standard'}",
         "dest"},
        {"{'reservation_id':'c','ttl_ms':1,'lines':[{'item':'a','qty':1}],'pickup_node':'n1'}",
         "pickup_node"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        harness_refute(harness, "reserve.create", faults[i].params, "INVALID_ARGUMENT",
                       faults[i].part);
    }
    harness_refute(harness, "reserve.create",
                   "{'reservation_id':'c','ttl_ms':1,'lines':[{'item':'zz','qty':1}]}",
                   "UNKNOWN_ITEM", "zz");
    harness_refute(harness, "reserve.create",
                   "{'reservation_id':'c','ttl_ms':1,'lines':[{'item':'a','qty':1,'node':'zz'}]}",
                   "UNKNOWN_NODE", "zz");
    harness_refute(harness, "reserve.update", "{'reservation_id':'c'}", "INVALID_ARGUMENT",
                   "ttl_ms");
    harness_refute(harness, "reserve.update", "{'reservation_id':'c','ttl_ms':1}",
                   "UNKNOWN_RESERVATION", "c");
    harness_refute(harness, "reserve.release", "{'reservation_id':'c'}", "UNKNOWN_RESERVATION",
                   "c");
    harness_do(harness, "reserve.create",
               "{'reservation_id':'c','ttl_ms':2592000000,'lines':[{'item':'a','qty':1}]}");
}

/* At the limit the next one is TABLE_FULL, and goes in when one has left. */
static void limit_is_kept(void **state)
{
    struct harness *harness = *state;
    harness->options.tables.reservations_max = 3;
    harness_restart(harness);
    reserve(harness, "c1", "n1", 1);
    reserve(harness, "c2", "n1", 1);
    reserve(harness, "c3", "n1", 1);
    static const char *const fourth =
        "{'reservation_id':'c4','ttl_ms':1,'lines':[{'item':'a','qty':1}]}";
    harness_refute(harness, "reserve.create", fourth, "TABLE_FULL", "reservations_max");
    harness_do(harness, "reserve.release", "{'reservation_id':'c1'}");
    harness_refute(harness, "reserve.create", fourth, "TABLE_FULL", "reservations_max");
    clock_set(harness, begin_ms + 600000);
    harness_do(harness, "reserve.create", "%s", fourth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(made_and_shown, setup, harness_end),
        cmocka_unit_test_setup_teardown(repeated, setup, harness_end),
        cmocka_unit_test_setup_teardown(expiry_is_exact, setup, harness_end),
        cmocka_unit_test_setup_teardown(released, setup, harness_end),
        cmocka_unit_test_setup_teardown(changed, setup, harness_end),
        cmocka_unit_test_setup_teardown(anywhere_and_in_part, setup, harness_end),
        cmocka_unit_test_setup_teardown(used_by_an_order, setup, harness_end),
        cmocka_unit_test_setup_teardown(rest_is_owed, setup, harness_end),
        cmocka_unit_test_setup_teardown(node_is_kept, setup, harness_end),
        cmocka_unit_test_setup_teardown(guaranteed, setup, harness_end),
        cmocka_unit_test_setup_teardown(expired_is_no_obstacle, setup, harness_end),
        cmocka_unit_test_setup_teardown(broken_newest_first, setup, harness_end),
        cmocka_unit_test_setup_teardown(broken_by_rules, setup, harness_end),
        cmocka_unit_test_setup_teardown(many_are_broken, setup, harness_end),
        cmocka_unit_test_setup_teardown(adjusted, setup, harness_end),
        cmocka_unit_test_setup_teardown(required_by, setup, harness_end),
        cmocka_unit_test_setup_teardown(faults_are_named, setup, harness_end),
        cmocka_unit_test_setup_teardown(limit_is_kept, setup, harness_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
