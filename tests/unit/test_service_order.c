/* Orders after they were routed: found again, cancelled, moved along their life, listed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

static int setup(void **state)
{
    struct harness *harness = harness_new();
    harness_do(harness, "node.put",
               "{'node':'n1','type':'store','lat':40.0,'lon':-74.0,'collect_hours':24}");
    harness_do(harness, "node.put", "{'node':'n2','type':'warehouse','lat':41.0,'lon':-75.0}");
    harness_do(harness, "item.put", "{'item':'a'}");
    harness_do(harness, "item.put", "{'item':'b'}");
    harness_do(harness, "stock.load", "{'node':'n1','rows':[['a',10],['b',4]]}");
    harness_do(harness, "stock.load", "{'node':'n2','rows':[['a',100],['b',100]]}");
    *state = harness;
    return 0;
}

/* An order of a x qty_a (line 1) and b x qty_b (line 2), from n1 while that holds both. */
static void route(struct harness *harness, const char *id, const char *service, int qty_a,
                  int qty_b)
{
    const char *place = strcmp(service, "pickup") == 0 ? "'pickup_node':'n1'"
                                                       : "'dest':{'lat':40.0,'lon':-74.0}";
    harness_do(harness, "order.route",
               "{'order_id':'%s','service':'%s',%s,"
               "'lines':[{'item':'a','qty':%d},{'item':'b','qty':%d}]}",
               id, service, place, qty_a, qty_b);
}

static void expect_reason(struct harness *harness, const char *method, const char *params,
                          const char *reason)
{
    json_t *answer = harness_ask(harness, method, "%s", params);
    assert_string_equal(harness_text(answer, "status"), "refused");
    assert_string_equal(harness_text(answer, "reason"), reason);
    harness_drop(answer);
}

static void expect_state(struct harness *harness, const char *fulfilment, const char *state,
                         bool is_duplicate)
{
    json_t *answer = harness_ask(harness, "fulfil.update", "{'fulfilment':'%s','state':'%s'}",
                                 fulfilment, state);
    assert_string_equal(harness_text(answer, "state"), state);
    assert_int_equal(harness_has(answer, "duplicate"), is_duplicate);
    harness_drop(answer);
}

/* -- order.get -- */

/* Every line's units are open, done, cancelled or unfilled, and the history has each change. */
static void get_tells_lines_and_history(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", "standard", 3, 1);
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'o/1','state':'shipped','lines':[{'line':'1','qty':1}]}");
    harness_do(harness, "order.cancel", "{'order_id':'o','lines':[{'line':'1','qty':1}]}");
    harness_restart(harness);
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "status"), "routed");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "n1");
    assert_string_equal(harness_text(answer, "fulfilments.0.state"), "open");
    assert_int_equal(harness_int(answer, "lines.0.qty"), 3);
    assert_int_equal(harness_int(answer, "lines.0.open"), 1);
    assert_int_equal(harness_int(answer, "lines.0.done"), 1);
    assert_int_equal(harness_int(answer, "lines.0.cancelled"), 1);
    assert_int_equal(harness_int(answer, "lines.1.open"), 1);
    assert_int_equal(harness_count(answer, "history"), 3);
    assert_string_equal(harness_text(answer, "history.0.type"), "order.routed");
    assert_string_equal(harness_text(answer, "history.1.state"), "shipped");
    assert_string_equal(harness_text(answer, "history.2.type"), "order.cancelled");
    assert_string_equal(harness_text(answer, "history.2.line"), "1");
    harness_drop(answer);
    harness_refute(harness, "order.get", "{'order_id':'none'}", "UNKNOWN_ORDER", "none");
}

/* -- order.cancel -- */

/* A cancel gives everything back; its repeat tells the same and does nothing. */
static void cancel_twice_is_once(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", "standard", 3, 1);
    harness_expect_cell(harness, "a", "n1", 10, 3);
    for (int i = 0; i < 2; i++) {
        json_t *answer = harness_ask(harness, "order.cancel", "{'order_id':'o'}");
        assert_string_equal(harness_text(answer, "status"), "cancelled");
        assert_int_equal(harness_count(answer, "cancelled"), 2);
        assert_int_equal(harness_int(answer, "cancelled.0.qty"), 3);
        assert_int_equal(harness_count(answer, "not_cancelled"), 0);
        assert_string_equal(harness_text(answer, "released.1.item"), "b");
        assert_int_equal(harness_has(answer, "duplicate"), i == 1);
        harness_drop(answer);
        harness_expect_cell(harness, "a", "n1", 10, 0);
        harness_restart(harness);
    }
}

/* A cancel takes the least advanced units first: what is picked stays while there is other. */
static void cancel_takes_least_advanced(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", "standard", 5, 1);
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'o/1','state':'picked','lines':[{'line':'1','qty':3}]}");
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'o/1','state':'shipped','lines':[{'line':'1','qty':1}]}");
    harness_do(harness, "order.cancel", "{'order_id':'o','lines':[{'line':'1','qty':2}]}");
    json_t *answer = harness_ask(harness, "fulfil.update",
                                 "{'fulfilment':'o/1','state':'picked',"
                                 "'lines':[{'line':1,'qty':3}]}");
    assert_true(harness_has(answer, "duplicate")); /* three are picked still */
    harness_drop(answer);
    answer = harness_ask(harness, "order.cancel", "{'order_id':'o'}");
    assert_int_equal(harness_int(answer, "cancelled.0.qty"), 2);
    assert_int_equal(harness_int(answer, "not_cancelled.0.qty"), 1);
    assert_string_equal(harness_text(answer, "not_cancelled.0.state"), "shipped");
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 9, 0);
}

/* What has left is no longer to be cancelled: a refusal that says where it is. */
static void cancel_after_shipping_is_refused(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", "standard", 3, 1);
    expect_state(harness, "o/1", "shipped", false);
    json_t *answer = harness_ask(harness, "order.cancel", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "reason"), "INVALID_STATE");
    assert_string_equal(harness_text(answer, "state"), "done");
    assert_int_equal(harness_count(answer, "not_cancelled"), 2);
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 7, 0);
}

/* More than was ordered, a line that is not there, a line named twice. */
static void cancel_names_what_is_wrong(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", "standard", 3, 1);
    expect_reason(harness, "order.cancel", "{'order_id':'o','lines':[{'line':'1','qty':4}]}",
                  "QTY_EXCEEDS_ORDERED");
    harness_refute(harness, "order.cancel", "{'order_id':'o','lines':[{'line':'9'}]}",
                   "UNKNOWN_LINE lines[0].line", "9");
    harness_refute(harness, "order.cancel",
                   "{'order_id':'o','lines':[{'line':'1'},{'line':1}]}",
                   "INVALID_ARGUMENT lines[1].line", "twice");
    harness_refute(harness, "order.cancel", "{'order_id':'o','lines':[]}",
                   "INVALID_ARGUMENT lines", "no line");
    harness_expect_cell(harness, "a", "n1", 10, 3);
}

/* By key a cancel of some units happens once, and its repeat tells the facts of then. */
static void cancel_by_key(void **state)
{
    struct harness *harness = *state;
    static const char *const again =
        "{'order_id':'o','lines':[{'line':'1','qty':2}],'key':'k'}";
    route(harness, "o", "standard", 5, 1);
    harness_do(harness, "order.cancel", "%s", again);
    harness_do(harness, "order.cancel", "{'order_id':'o','lines':[{'line':'1','qty':1}]}");
    harness_restart(harness);
    json_t *answer = harness_ask(harness, "order.cancel", "%s", again);
    assert_true(harness_bool(answer, "duplicate"));
    assert_int_equal(harness_count(answer, "cancelled"), 1);
    assert_int_equal(harness_int(answer, "cancelled.0.qty"), 2);
    assert_int_equal(harness_int(answer, "released.0.qty"), 2);
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 10, 2);
    harness_refute(harness, "order.cancel", "{'order_id':'o','key':'k'}",
                   "IDEMPOTENCY_CONFLICT", "k");
}

/* An order from two nodes gives back at both. */
static void cancel_of_a_split_order(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", "standard", 105, 1);
    json_t *answer = harness_ask(harness, "order.cancel", "{'order_id':'o'}");
    assert_int_equal(harness_int(answer, "cancelled.0.qty"), 105);
    assert_int_equal(harness_count(answer, "released"), 3);
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 10, 0);
    harness_expect_cell(harness, "a", "n2", 100, 0);
}

/* -- fulfil.update -- */

/* Totals: a repeat has no second effect, and stock falls once, at the first of the steps out. */
static void update_counts_totals_once(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", "standard", 3, 1);
    expect_state(harness, "o/1", "picked", false);
    harness_expect_cell(harness, "a", "n1", 10, 3);
    for (int i = 0; i < 2; i++) {
        json_t *answer = harness_ask(harness, "fulfil.update",
                                     "{'fulfilment':'o/1','state':'shipped',"
                                     "'lines':[{'line':'1','qty':2}]}");
        assert_string_equal(harness_text(answer, "state"), "picked");
        assert_int_equal(harness_has(answer, "duplicate"), i == 1);
        harness_drop(answer);
        harness_expect_cell(harness, "a", "n1", 8, 1);
    }
    expect_state(harness, "o/1", "delivered", false);
    harness_expect_cell(harness, "a", "n1", 7, 0);
    harness_expect_cell(harness, "b", "n1", 3, 0);
    expect_state(harness, "o/1", "delivered", true);
}

/* Never back, never off the way, never what other methods do; the refusal has the state. */
static void update_refuses_other_ways(void **state)
{
    struct harness *harness = *state;
    static const char *const states[] = {"open",      "picked",   "ready",    "collected",
                                         "cancelled", "rejected", "no_show"};
    route(harness, "o", "standard", 3, 1);
    expect_state(harness, "o/1", "shipped", false);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        json_t *answer = harness_ask(harness, "fulfil.update",
                                     "{'fulfilment':'o/1','state':'%s'}", states[i]);
        assert_string_equal(harness_text(answer, "reason"), "INVALID_STATE");
        assert_string_equal(harness_text(answer, "state"), "shipped");
        harness_drop(answer);
    }
    expect_reason(harness, "fulfil.update",
                  "{'fulfilment':'o/1','state':'delivered','lines':[{'line':'1','qty':4}]}",
                  "QTY_EXCEEDS_ORDERED");
    harness_refute(harness, "fulfil.update", "{'fulfilment':'o/2','state':'picked'}",
                   "UNKNOWN_FULFILMENT", "o/2");
    harness_refute(harness, "fulfil.update",
                   "{'fulfilment':'o/1','state':'delivered','lines':[{'line':'3','qty':1}]}",
                   "UNKNOWN_LINE", "3");
    harness_refute(harness, "fulfil.update",
                   "{'fulfilment':'o/1','state':'delivered','collect_by':1}", "INVALID_ARGUMENT",
                   "collect_by");
}

/* Ready gives a date by the node's hours; a no-show gives the units back. */
static void pickup_not_fetched(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", "pickup", 3, 1);
    json_t *answer = harness_ask(harness, "fulfil.update",
                                 "{'fulfilment':'o/1','state':'ready','at':1790000000001}");
    assert_int_equal(harness_int(answer, "collect_by"), 1790000000001 + 24 * 3600 * 1000);
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 10, 3);
    expect_state(harness, "o/1", "no_show", false);
    harness_expect_cell(harness, "a", "n1", 10, 0);
    expect_state(harness, "o/1", "no_show", true);
    expect_reason(harness, "fulfil.update", "{'fulfilment':'o/1','state':'ready'}",
                  "INVALID_STATE");
    expect_reason(harness, "order.cancel", "{'order_id':'o'}", "INVALID_STATE");
}

/* Who comes after all gets the units while they are free, and is refused when they are not. */
static void no_show_comes_after_all(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", "pickup", 3, 1);
    route(harness, "p", "pickup", 3, 1);
    expect_state(harness, "o/1", "no_show", false);
    expect_state(harness, "p/1", "no_show", false);
    route(harness, "q", "pickup", 6, 1);
    expect_state(harness, "o/1", "collected", false);
    harness_expect_cell(harness, "a", "n1", 7, 6);
    json_t *answer =
        harness_ask(harness, "fulfil.update", "{'fulfilment':'p/1','state':'collected'}");
    assert_string_equal(harness_text(answer, "reason"), "INSUFFICIENT_STOCK");
    assert_int_equal(harness_int(answer, "wanted"), 3);
    assert_int_equal(harness_int(answer, "available"), 1);
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 7, 6);
}

/* The longest id, tracking and key of an update fit, and come back. */
static void update_with_longest_texts(void **state)
{
    struct harness *harness = *state;
    char id[64];
    char tracking[128];
    char key[64];
    memset(id, 'i', 63);
    memset(tracking, 't', 127);
    memset(key, 'k', 63);
    id[63] = tracking[127] = key[63] = '\0';
    route(harness, id, "standard", 3, 1);
    for (int i = 0; i < 2; i++) {
        json_t *answer =
            harness_ask(harness, "fulfil.update",
                        "{'fulfilment':'%s/1','state':'shipped','tracking':'%s','key':'%s'}", id,
                        tracking, key);
        assert_int_equal(harness_has(answer, "duplicate"), i == 1);
        harness_drop(answer);
        harness_restart(harness);
    }
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'%s'}", id);
    assert_string_equal(harness_text(answer, "fulfilments.0.tracking"), tracking);
    harness_drop(answer);
}

/* A new tracking text for the same state is news; the same one again is a repeat. */
static void update_of_tracking_alone(void **state)
{
    struct harness *harness = *state;
    static const char *const update =
        "{'fulfilment':'o/1','state':'shipped','tracking':'1Z'}";
    route(harness, "o", "standard", 3, 1);
    expect_state(harness, "o/1", "shipped", false);
    for (int i = 0; i < 2; i++) {
        json_t *answer = harness_ask(harness, "fulfil.update", "%s", update);
        assert_int_equal(harness_has(answer, "duplicate"), i == 1);
        harness_drop(answer);
    }
    harness_expect_cell(harness, "a", "n1", 7, 0);
}

/* -- lists -- */

static void route_many(struct harness *harness, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        harness_do(harness, "order.route",
                   "{'order_id':'m%u','service':'standard','dest':{'lat':41.0,'lon':-75.0},"
                   "'lines':[{'item':'a','qty':1}]}",
                   i);
    }
}

/* Pages hold each order once, oldest first, also across a restart between them. */
static void list_orders_in_pages(void **state)
{
    struct harness *harness = *state;
    char next[256] = "";
    uint32_t seen = 0;
    route_many(harness, 50);
    do {
        json_t *answer = harness_ask(harness, "order.list", "{'limit':7%s}", next);
        for (uint32_t i = 0; i < harness_count(answer, "orders"); i++, seen++) {
            char path[32];
            char id[16];
            snprintf(path, sizeof path, "orders.%u.order_id", i);
            snprintf(id, sizeof id, "m%u", seen);
            assert_string_equal(harness_text(answer, path), id);
        }
        next[0] = '\0';
        if (harness_has(answer, "next")) {
            snprintf(next, sizeof next, ",'after':'%s'", harness_text(answer, "next"));
        }
        harness_drop(answer);
        harness_restart(harness);
    } while (next[0]);
    assert_int_equal(seen, 50);
    harness_refute(harness, "order.list", "{'after':'nonsense'}", "INVALID_ARGUMENT", "after");
}

/* A page goes on behind orders that were done and left memory in between. */
static void list_survives_eviction(void **state)
{
    struct harness *harness = *state;
    route_many(harness, 20);
    json_t *answer = harness_ask(harness, "order.list", "{'limit':8}");
    char after[128];
    snprintf(after, sizeof after, "%s", harness_text(answer, "next"));
    harness_drop(answer);
    for (int i = 4; i < 12; i++) {
        harness_do(harness, "order.cancel", "{'order_id':'m%d'}", i);
    }
    harness->wall_ms += harness->options.order_window_ms + 1000;
    harness_do(harness, "stats", "{}");
    harness_refute(harness, "order.get", "{'order_id':'m7'}", "UNKNOWN_ORDER", "m7");
    answer = harness_ask(harness, "order.list", "{'after':'%s'}", after);
    assert_int_equal(harness_count(answer, "orders"), 8);
    assert_string_equal(harness_text(answer, "orders.0.order_id"), "m12");
    assert_false(harness_has(answer, "next"));
    harness_drop(answer);
}

/* Filters: by node, and by the status that an order has now. */
static void list_orders_by_node_and_status(void **state)
{
    struct harness *harness = *state;
    route_many(harness, 6);
    route(harness, "o", "standard", 1, 1);
    harness_do(harness, "order.cancel", "{'order_id':'m2'}");
    json_t *answer = harness_ask(harness, "order.list", "{'node':'n1'}");
    assert_int_equal(harness_count(answer, "orders"), 1);
    assert_string_equal(harness_text(answer, "orders.0.order_id"), "o");
    harness_drop(answer);
    answer = harness_ask(harness, "order.list", "{'status':'cancelled'}");
    assert_int_equal(harness_count(answer, "orders"), 1);
    assert_string_equal(harness_text(answer, "orders.0.order_id"), "m2");
    harness_drop(answer);
}

/* A node's work in pages, each shipped before the next is asked for: every fulfilment once. */
static void list_work_while_it_is_done(void **state)
{
    struct harness *harness = *state;
    char next[256] = "";
    uint32_t seen = 0;
    route_many(harness, 30);
    do {
        json_t *answer = harness_ask(harness, "fulfil.list",
                                     "{'node':'n2','states':['open'],'limit':4%s}", next);
        for (uint32_t i = 0; i < harness_count(answer, "fulfilments"); i++, seen++) {
            char path[40];
            snprintf(path, sizeof path, "fulfilments.%u.fulfilment", i);
            expect_state(harness, harness_text(answer, path), "shipped", false);
        }
        next[0] = '\0';
        if (harness_has(answer, "next")) {
            snprintf(next, sizeof next, ",'after':'%s'", harness_text(answer, "next"));
        }
        harness_drop(answer);
    } while (next[0]);
    assert_int_equal(seen, 30);
    json_t *answer = harness_ask(harness, "fulfil.list", "{'node':'n2','states':['shipped']}");
    assert_int_equal(harness_count(answer, "fulfilments"), 30);
    harness_drop(answer);
    answer = harness_ask(harness, "fulfil.list", "{'node':'n2','states':['open']}");
    assert_int_equal(harness_count(answer, "fulfilments"), 0);
    harness_drop(answer);
}

/* Both fulfilments of a split order, one a page. */
static void list_cuts_an_order_between_pages(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", "standard", 105, 1);
    json_t *first = harness_ask(harness, "fulfil.list", "{'limit':1}");
    assert_string_equal(harness_text(first, "fulfilments.0.fulfilment"), "o/1");
    json_t *second = harness_ask(harness, "fulfil.list", "{'limit':1,'after':'%s'}",
                                 harness_text(first, "next"));
    assert_string_equal(harness_text(second, "fulfilments.0.fulfilment"), "o/2");
    assert_string_equal(harness_text(second, "fulfilments.0.order_id"), "o");
    assert_false(harness_has(second, "next"));
    harness_drop(first);
    harness_drop(second);
}

/* What is due: only what has a date, and that before the one asked for. */
static void list_what_is_due(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", "pickup", 1, 1);
    route(harness, "p", "pickup", 1, 1);
    route(harness, "q", "pickup", 1, 1);
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'o/1','state':'ready','collect_by':1790000500000}");
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'p/1','state':'ready','collect_by':1790000700000}");
    json_t *answer =
        harness_ask(harness, "fulfil.list", "{'node':'n1','due_before':1790000700000}");
    assert_int_equal(harness_count(answer, "fulfilments"), 1);
    assert_int_equal(harness_int(answer, "fulfilments.0.due"), 1790000500000);
    harness_drop(answer);
}

/* -- hello and stats -- */

/* hello tells what is configured; stats counts what was done. */
static void hello_and_stats(void **state)
{
    struct harness *harness = *state;
    json_t *answer = harness_ask(harness, "hello", "{'client':'t','protocol':1}");
    assert_int_equal(harness_int(answer, "limits.items"), 20000);
    assert_int_equal(harness_count(answer, "methods"), METHOD_COUNT);
    assert_int_equal(strlen(harness_text(answer, "log_id")), 32);
    harness_drop(answer);
    harness_refute(harness, "hello", "{'protocol':2}", "INVALID_ARGUMENT", "protocol");
    route(harness, "o", "standard", 3, 1);
    expect_reason(harness, "order.cancel", "{'order_id':'o','lines':[{'line':'1','qty':4}]}",
                  "QTY_EXCEEDS_ORDERED");
    answer = harness_ask(harness, "stats", "{}");
    assert_int_equal(harness_int(answer, "refusals.QTY_EXCEEDS_ORDERED"), 1);
    assert_int_equal(harness_int(answer, "errors.INVALID_ARGUMENT"), 1);
    assert_int_equal(harness_int(answer, "open_orders"), 1);
    assert_int_equal(harness_int(answer, "tables.holds.count"), 2);
    assert_true(harness_int(answer, "oldest_open_at") > 0);
    harness_drop(answer);
    harness_refute(harness, "stats", "{'x':1}", "INVALID_ARGUMENT", "x");
}

int main(void)
{
#define ON_A_SERVICE(test) cmocka_unit_test_setup_teardown(test, setup, harness_end)
    const struct CMUnitTest tests[] = {
        ON_A_SERVICE(get_tells_lines_and_history),
        ON_A_SERVICE(cancel_twice_is_once),
        ON_A_SERVICE(cancel_takes_least_advanced),
        ON_A_SERVICE(cancel_after_shipping_is_refused),
        ON_A_SERVICE(cancel_names_what_is_wrong),
        ON_A_SERVICE(cancel_by_key),
        ON_A_SERVICE(cancel_of_a_split_order),
        ON_A_SERVICE(update_counts_totals_once),
        ON_A_SERVICE(update_refuses_other_ways),
        ON_A_SERVICE(pickup_not_fetched),
        ON_A_SERVICE(no_show_comes_after_all),
        ON_A_SERVICE(update_with_longest_texts),
        ON_A_SERVICE(update_of_tracking_alone),
        ON_A_SERVICE(list_orders_in_pages),
        ON_A_SERVICE(list_survives_eviction),
        ON_A_SERVICE(list_orders_by_node_and_status),
        ON_A_SERVICE(list_work_while_it_is_done),
        ON_A_SERVICE(list_cuts_an_order_between_pages),
        ON_A_SERVICE(list_what_is_due),
        ON_A_SERVICE(hello_and_stats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
