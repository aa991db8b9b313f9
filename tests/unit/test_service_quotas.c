/* Quotas: units of a cell that are kept for a channel, through the service. What others see, what
 * takes and gives back, and that a restart and a snapshot find all again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

static int setup(void **state)
{
    struct harness *harness = malloc(sizeof *harness);
    assert_non_null(harness);
    harness_init(harness);
    harness->options.test_clock = true;
    harness->options.log.unsafe_no_sync = true;
    harness_start(harness);
    harness_do(harness, "clock.set", "{'now':1577836800000}");
    harness_do(harness, "node.put",
               "{'node':'n1','type':'store','lat':40.0,'lon':-74.0,"
               "'services':['ship','carry_out']}");
    harness_do(harness, "node.put", "{'node':'n2','type':'store','lat':41.0,'lon':-74.0}");
    harness_do(harness, "item.put", "{'item':'a'}");
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
    harness_do(harness, "stock.policy", "{'item':'a','node':'n1','quotas':{'web':6}}");
    *state = harness;
    return 0;
}

static int64_t ats(struct harness *harness, const char *node, const char *channel)
{
    json_t *answer = harness_ask(harness, "stock.get", "{'item':'a','node':'%s'%s%s%s}", node,
                                 channel ? ",'channel':'" : "", channel ? channel : "",
                                 channel ? "'" : "");
    int64_t units = harness_int(answer, "ats");
    harness_drop(answer);
    return units;
}

static int64_t left(struct harness *harness, const char *node)
{
    json_t *answer = harness_ask(harness, "stock.get", "{'item':'a','node':'%s'}", node);
    int64_t units = harness_int(answer, "quotas.0.left");
    harness_drop(answer);
    return units;
}

/* Route qty units from n1's side of the world; whether it was not refused. */
static bool route(struct harness *harness, const char *id, int qty, const char *channel)
{
    json_t *answer = harness_ask(
        harness, "order.route",
        "{'order_id':'%s','service':'standard','dest':{'lat':40,'lon':-74},%s%s%s"
        "'lines':[{'item':'a','qty':%d,'node':'n1'}]}",
        id, channel ? "'channel':'" : "", channel ? channel : "", channel ? "'," : "", qty);
    bool is_taken = strcmp(harness_text(answer, "status"), "refused") != 0;
    harness_drop(answer);
    return is_taken;
}

/* Others see ats less what is left of the quota; without a channel stock.get tells all of it. */
static void others_see_less(void **state)
{
    assert_int_equal(ats(*state, "n1", NULL), 10);
    assert_int_equal(ats(*state, "n1", "web"), 10);
    assert_int_equal(ats(*state, "n1", "app"), 4);
    assert_false(route(*state, "o1", 5, NULL));
    assert_false(route(*state, "o2", 5, "app"));
    assert_true(route(*state, "o3", 4, NULL));
    assert_int_equal(ats(*state, "n1", "app"), 0);
    assert_true(route(*state, "o4", 6, "web"));
    assert_int_equal(ats(*state, "n1", NULL), 0);
}

/* A channel takes from its own quota first; what is given back unshipped comes back to it. */
static void taken_and_given_back(void **state)
{
    struct harness *harness = *state;
    assert_true(route(harness, "o1", 4, "web"));
    assert_int_equal(left(harness, "n1"), 2);
    assert_int_equal(ats(harness, "n1", "app"), 4);
    assert_true(route(harness, "o2", 4, "web")); /* 2 of the quota, 2 of what is open */
    assert_int_equal(left(harness, "n1"), 0);
    assert_int_equal(ats(harness, "n1", "app"), 2);
    harness_do(harness, "order.cancel", "{'order_id':'o2','lines':[{'line':1,'qty':3}]}");
    assert_int_equal(left(harness, "n1"), 1);
    assert_int_equal(ats(harness, "n1", "app"), 4);
    harness_do(harness, "fulfil.update", "{'fulfilment':'o1/1','state':'shipped'}");
    assert_int_equal(left(harness, "n1"), 1); /* shipped is used up */
    harness_do(harness, "order.cancel", "{'order_id':'o2'}");
    assert_int_equal(left(harness, "n1"), 2);
}

/* What was taken before the quota was set does not count, and gives nothing back to it. */
static void older_orders_do_not_count(void **state)
{
    struct harness *harness = *state;
    assert_true(route(harness, "o1", 4, "web"));
    harness_do(harness, "stock.policy", "{'item':'a','node':'n1','quotas':{'web':3}}");
    assert_int_equal(left(harness, "n1"), 3);
    harness_do(harness, "order.cancel", "{'order_id':'o1'}");
    assert_int_equal(left(harness, "n1"), 3);
    assert_int_equal(ats(harness, "n1", "app"), 7);
}

/* Absent quotas stay as they are with what was taken, nil takes them away. */
static void absent_stays_nil_ends(void **state)
{
    struct harness *harness = *state;
    assert_true(route(harness, "o1", 4, "web"));
    harness_do(harness, "stock.policy", "{'item':'a','node':'n1','safety_stock':1}");
    assert_int_equal(left(harness, "n1"), 2);
    assert_int_equal(ats(harness, "n1", "app"), 3);
    harness_restart(harness);
    assert_int_equal(left(harness, "n1"), 2);
    harness_do(harness, "stock.policy", "{'item':'a','node':'n1','quotas':null}");
    json_t *answer = harness_ask(harness, "stock.get", "{'item':'a','node':'n1','channel':'app'}");
    assert_false(harness_has(answer, "quotas"));
    assert_int_equal(harness_int(answer, "ats"), 5);
    harness_drop(answer);
}

/* Carts hold quotas as orders do: released, expired and broken units come back, an order in the
 * place of a cart takes them over. */
static void carts_hold_quotas(void **state)
{
    struct harness *harness = *state;
    const char *create = "{'reservation_id':'%s','ttl_ms':1000,'channel':'web',"
                         "'lines':[{'item':'a','qty':4,'node':'n1'}]}";
    harness_do(harness, "reserve.create", create, "r1");
    assert_int_equal(left(harness, "n1"), 2);
    harness_do(harness, "reserve.update",
               "{'reservation_id':'r1','lines':[{'item':'a','qty':1,'node':'n1'}]}");
    assert_int_equal(left(harness, "n1"), 5);
    harness_do(harness, "reserve.release", "{'reservation_id':'r1'}");
    assert_int_equal(left(harness, "n1"), 6);
    harness_do(harness, "reserve.create", create, "r2");
    harness_do(harness, "clock.set", "{'now':1577836801000}");
    assert_int_equal(left(harness, "n1"), 6);
    harness_do(harness, "reserve.create", create, "r3");
    harness_do(harness, "order.route",
               "{'order_id':'o','reservation_id':'r3','channel':'web','service':'standard',"
               "'dest':{'lat':40,'lon':-74},'lines':[{'item':'a','qty':4}]}");
    assert_int_equal(left(harness, "n1"), 2);
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':-6}");
    assert_int_equal(ats(harness, "n1", "web"), 0);
}

/* A cart's units are its own, whatever quotas came after it. */
static void cart_stands_over_later_quotas(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "reserve.create", "{'reservation_id':'r','ttl_ms':1000,'channel':'app',"
                                          "'lines':[{'item':'a','qty':4,'node':'n1'}]}");
    harness_do(harness, "stock.policy", "{'item':'a','node':'n1','quotas':{'web':50}}");
    harness_do(harness, "order.route",
               "{'order_id':'o','reservation_id':'r','channel':'app','service':'standard',"
               "'dest':{'lat':40,'lon':-74},'lines':[{'item':'a','qty':4}]}");
    assert_int_equal(ats(harness, "n1", "web"), 6);
    assert_int_equal(ats(harness, "n1", "app"), 0);
}

/* A cart that a count breaks gives its units back to the quota; a sale of its own does not. */
static void broken_carts_give_back(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "reserve.create", "{'reservation_id':'r1','ttl_ms':1000,'channel':'web',"
                                          "'lines':[{'item':'a','qty':6,'node':'n1'}]}");
    harness_do(harness, "stock.adjust",
               "{'item':'a','node':'n1','delta':-2,'reservation_id':'r1'}");
    assert_int_equal(left(harness, "n1"), 0);
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':-7}");
    assert_int_equal(left(harness, "n1"), 3); /* of 4 held 1 stays, 2 were sold */
}

/* A node with enough but for quotas says RING_FENCED; with too little in any case it does not. */
static void ring_fenced_is_told(void **state)
{
    json_t *answer = harness_ask(*state, "order.route",
                                 "{'order_id':'o','service':'standard','explain':2,"
                                 "'dest':{'lat':40,'lon':-74},'lines':[{'item':'a','qty':5}]}");
    assert_string_equal(harness_text(answer, "reason"), "INSUFFICIENT_STOCK");
    assert_int_equal(harness_int(answer, "unfilled.0.available"), 4);
    assert_int_equal(harness_int(answer, "explain.rejected.RING_FENCED"), 1);
    assert_int_equal(harness_int(answer, "explain.rejected.OUT_OF_STOCK"), 1);
    harness_drop(answer);
    answer = harness_ask(*state, "order.route",
                         "{'order_id':'o','service':'standard','explain':1,"
                         "'dest':{'lat':40,'lon':-74},'lines':[{'item':'a','qty':11}]}");
    assert_int_equal(harness_int(answer, "explain.rejected.INSUFFICIENT_QTY"), 1);
    harness_drop(answer);
}

/* stock.find counts for the channel, totals too; stock.list shows quotas and what it sees. */
static void found_for_the_channel(void **state)
{
    const char *find = "{'items':[{'item':'a','qty':5}]%s}";
    json_t *answer = harness_ask(*state, "stock.find", find, "");
    assert_int_equal(harness_int(answer, "items.0.ats"), 4);
    assert_int_equal(harness_count(answer, "items.0.nodes"), 0);
    harness_drop(answer);
    answer = harness_ask(*state, "stock.find", find, ",'channel':'web'");
    assert_int_equal(harness_int(answer, "items.0.ats"), 10);
    assert_int_equal(harness_int(answer, "items.0.nodes.0.ats"), 10);
    harness_drop(answer);
    answer = harness_ask(*state, "stock.list", "{'item':'a','channel':'app'}");
    assert_int_equal(harness_int(answer, "cells.0.ats"), 4);
    assert_string_equal(harness_text(answer, "cells.0.quotas.0.channel"), "web");
    assert_int_equal(harness_int(answer, "cells.0.quotas.0.qty"), 6);
    harness_drop(answer);
    answer = harness_ask(*state, "promise.quote",
                         "{'lines':[{'item':'a','qty':5}],'services':['standard'],"
                         "'dest':{'lat':40,'lon':-74},'channel':'app'}");
    assert_false(harness_bool(answer, "options.0.feasible"));
    harness_drop(answer);
    answer = harness_ask(*state, "promise.quote",
                         "{'lines':[{'item':'a','qty':4}],'services':['standard'],"
                         "'dest':{'lat':40,'lon':-74}}");
    assert_true(harness_bool(answer, "options.0.feasible"));
    harness_drop(answer);
}

/* What a customer carries out of the store is neither fenced nor counted. */
static void carried_out_regardless(void **state)
{
    harness_do(*state, "order.route",
               "{'order_id':'o','service':'carry_out','sold_at':'n1','channel':'web',"
               "'lines':[{'item':'a','qty':7}]}");
    assert_int_equal(left(*state, "n1"), 6);
    assert_int_equal(ats(*state, "n1", "web"), 3);
    assert_int_equal(ats(*state, "n1", "app"), 0);
}

/* After a no the order still counts for its channel: it may take the other node's quota. */
static void rerouted_for_its_channel(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.set", "{'item':'a','node':'n2','on_hand':5}");
    harness_do(harness, "stock.policy", "{'item':'a','node':'n2','quotas':{'web':5}}");
    harness_do(harness, "order.route",
               "{'order_id':'o','service':'standard','channel':'web',"
               "'dest':{'lat':40,'lon':-74},'lines':[{'item':'a','qty':5}]}");
    assert_int_equal(left(harness, "n1"), 1);
    harness_restart(harness);
    json_t *answer = harness_ask(harness, "fulfil.reject",
                                 "{'fulfilment':'o/1','reason':'too_busy','lines':"
                                 "[{'line':1,'qty_found':0}]}");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "n2");
    harness_drop(answer);
    assert_int_equal(left(harness, "n1"), 6);
    assert_int_equal(left(harness, "n2"), 0);
}

/* 16 channels of a cell are kept, one more is refused; units and names have their limits. */
static void limits(void **state)
{
    char text[1200];
    size_t len = (size_t)snprintf(text, sizeof text, "{'item':'a','node':'n1','quotas':{");
    for (int i = 0; i < 16; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s'c%d':%d", i ? "," : "", i, i);
    }
    snprintf(text + len, sizeof text - len, "}}");
    harness_do(*state, "stock.policy", "%s", text);
    assert_int_equal(ats(*state, "n1", "c15"), 0);
    snprintf(text + len, sizeof text - len, ",'more':1}}");
    harness_refute(*state, "stock.policy", text, "INVALID_ARGUMENT", "at most 16 channels");
    harness_refute(*state, "stock.policy", "{'item':'a','node':'n1','quotas':{'':1}}",
                   "INVALID_ARGUMENT", "1 to 63 bytes");
    harness_refute(*state, "stock.policy", "{'item':'a','node':'n1','quotas':{'web':-1}}",
                   "INVALID_ARGUMENT", "quotas");
    harness_refute(*state, "stock.policy", "{'item':'a','node':'n1','quotas':[1]}",
                   "INVALID_ARGUMENT", "quotas");
}

/* 1,000 different channels have quotas, one name more has no room, an old one does. */
static void names_have_an_end(void **state)
{
    for (int i = 1; i < 1000; i++) {
        harness_do(*state, "stock.policy", "{'item':'a','node':'n1','quotas':{'c%d':1}}", i);
    }
    harness_refute(*state, "stock.policy", "{'item':'a','node':'n1','quotas':{'x':1,'c5':2}}",
                   "TABLE_FULL", "1000 different channels");
    harness_do(*state, "stock.policy", "{'item':'a','node':'n1','quotas':{'c5':1,'web':2}}");
}

/* The same key twice is one change: what was taken in between is not forgotten. */
static void keyed(void **state)
{
    const char *policy = "{'item':'a','node':'n1','quotas':{'web':%d},'key':'k'}";
    harness_do(*state, "stock.policy", policy, 5);
    assert_true(route(*state, "o", 2, "web"));
    json_t *answer = harness_ask(*state, "stock.policy", policy, 5);
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    assert_int_equal(left(*state, "n1"), 3);
    harness_refute(*state, "stock.policy",
                   "{'item':'a','node':'n1','quotas':{'web':6},'key':'k'}",
                   "IDEMPOTENCY_CONFLICT", "k");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(others_see_less, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(taken_and_given_back, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(older_orders_do_not_count, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(absent_stays_nil_ends, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(carts_hold_quotas, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(cart_stands_over_later_quotas, setup,
                                        harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(broken_carts_give_back, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(ring_fenced_is_told, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(found_for_the_channel, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(carried_out_regardless, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(rerouted_for_its_channel, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(limits, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(names_have_an_end, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(keyed, setup, harness_end_by_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
