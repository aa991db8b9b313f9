/* Orders that change after their routing: a node says no, a source is found elsewhere or later,
 * the customer wants something else. After each test the engine is started again and must be
 * what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

static struct harness harness;

/* Stores A, B, C at 1, 2 and 3 degrees from the customer, items x and y nowhere yet. */
static int begin(void **state)
{
    (void)state;
    harness_open(&harness);
    for (int i = 0; i < 3; i++) {
        harness_do(&harness, "node.put", "{'node':'%c','type':'store','lat':%d,'lon':0}", 'A' + i,
                   i + 1);
    }
    harness_do(&harness, "item.put", "{'item':'x'}");
    harness_do(&harness, "item.put", "{'item':'y'}");
    return 0;
}

static int end(void **state)
{
    (void)state;
    tables_check((struct tables *)(uintptr_t)service_tables(harness.service));
    harness_restart(&harness);
    harness_close(&harness);
    return 0;
}

static void stock(const char *node, const char *item, int units)
{
    harness_do(&harness, "stock.adjust", "{'item':'%s','node':'%s','delta':%d}", item, node,
               units);
}

static json_t *route(const char *order, const char *lines, const char *more)
{
    return harness_ask(&harness, "order.route",
                       "{'order_id':'%s','lines':[%s],'service':'standard',"
                       "'dest':{'lat':0,'lon':0}%s}",
                       order, lines, more);
}

static void routed(const char *order, const char *lines, const char *more)
{
    json_t *answer = route(order, lines, more);
    assert_string_equal(harness_text(answer, "status"), "routed");
    harness_drop(answer);
}

static void expect_status(const char *order, const char *status)
{
    json_t *answer = harness_ask(&harness, "order.get", "{'order_id':'%s'}", order);
    assert_string_equal(harness_text(answer, "status"), status);
    harness_drop(answer);
}

/* A field of order.get. */
static int64_t order_int(const char *order, const char *path)
{
    json_t *answer = harness_ask(&harness, "order.get", "{'order_id':'%s'}", order);
    int64_t value = harness_int(answer, path);
    harness_drop(answer);
    return value;
}

static void expect_state(const char *order, uint32_t part, const char *node, const char *text)
{
    char path[40];
    json_t *answer = harness_ask(&harness, "order.get", "{'order_id':'%s'}", order);
    snprintf(path, sizeof path, "fulfilments.%u.node", part);
    assert_string_equal(harness_text(answer, path), node);
    snprintf(path, sizeof path, "fulfilments.%u.state", part);
    assert_string_equal(harness_text(answer, path), text);
    harness_drop(answer);
}

/* What a node does not have comes from the next one; its count is corrected, it is shut out, and
 * its rate of acceptance falls. */
static void reject_goes_elsewhere(void **state)
{
    (void)state;
    stock("A", "x", 5);
    stock("B", "x", 5);
    routed("o", "{'item':'x','qty':3}", "");
    json_t *answer = harness_ask(&harness, "fulfil.reject",
                                 "{'fulfilment':'o/1','reason':'out_of_stock','key':'k'}");
    assert_string_equal(harness_text(answer, "status"), "routed");
    assert_string_equal(harness_text(answer, "fulfilments.0.fulfilment"), "o/2");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "B");
    assert_int_equal(harness_int(answer, "attempt"), 1);
    assert_int_equal(harness_count(answer, "unfilled"), 0);
    assert_true(harness_bool(answer, "promise.kept"));
    harness_drop(answer);
    harness_expect_cell(&harness, "x", "A", 2, 0);
    harness_expect_cell(&harness, "x", "B", 5, 3);
    expect_state("o", 0, "A", "rejected");
    expect_state("o", 1, "B", "open");
    answer = harness_ask(&harness, "fulfil.reject",
                         "{'fulfilment':'o/1','reason':'out_of_stock','key':'k'}");
    assert_true(harness_bool(answer, "duplicate"));
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "B");
    harness_drop(answer);
    answer = harness_ask(&harness, "fulfil.reject", "{'fulfilment':'o/1','reason':'too_busy'}");
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    harness_expect_cell(&harness, "x", "B", 5, 3);
    answer = harness_ask(&harness, "order.get", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "history.1.state"), "rejected");
    assert_string_equal(harness_text(answer, "history.1.reason"), "out_of_stock");
    assert_string_equal(harness_text(answer, "history.2.type"), "fulfil.created");
    assert_string_equal(harness_text(answer, "history.2.cause"), "reject");
    harness_drop(answer);
    answer = harness_ask(&harness, "node.get", "{'node':'A'}");
    assert_true(harness_float(answer, "acceptance") == 0.9375);
    harness_drop(answer);
}

/* A short pick: what was found stays, the rest moves. */
static void short_pick_moves_the_rest(void **state)
{
    (void)state;
    stock("A", "x", 5);
    stock("A", "y", 5);
    stock("B", "x", 5);
    routed("o", "{'item':'x','qty':3},{'item':'y','qty':1}", "");
    harness_do(&harness, "fulfil.update", "{'fulfilment':'o/1','state':'picking'}");
    harness_do(&harness, "fulfil.reject",
               "{'fulfilment':'o/1','reason':'damaged','lines':[{'line':1,'qty_found':1}]}");
    expect_state("o", 0, "A", "picking");
    expect_state("o", 1, "B", "open");
    harness_expect_cell(&harness, "x", "A", 3, 1);
    harness_expect_cell(&harness, "y", "A", 5, 1);
    harness_expect_cell(&harness, "x", "B", 5, 2);
    harness_do(&harness, "fulfil.update", "{'fulfilment':'o/1','state':'shipped'}");
    harness_do(&harness, "fulfil.update", "{'fulfilment':'o/2','state':'shipped'}");
    expect_status("o", "done");
    harness_expect_cell(&harness, "x", "A", 2, 0);
    harness_expect_cell(&harness, "x", "B", 3, 0);
    assert_int_equal(order_int("o", "lines.0.done"), 3);
    assert_int_equal(order_int("o", "lines.0.cancelled"), 0);
}

/* What stock_action says is what becomes of the cells. */
static void stock_actions(void **state)
{
    (void)state;
    stock("A", "x", 9);
    stock("B", "x", 99);
    for (int i = 0; i < 4; i++) {
        char id[4] = {'o', (char)('0' + i), 0, 0};
        routed(id, "{'item':'x','qty':2}", "");
    }
    harness_expect_cell(&harness, "x", "A", 9, 8);
    harness_do(&harness, "fulfil.reject",
               "{'fulfilment':'o0/1','reason':'out_of_stock','stock_action':'none'}");
    harness_expect_cell(&harness, "x", "A", 9, 6);
    harness_do(&harness, "fulfil.reject",
               "{'fulfilment':'o1/1','reason':'closed','stock_action':'missing'}");
    harness_expect_cell(&harness, "x", "A", 7, 4);
    harness_do(&harness, "fulfil.reject",
               "{'fulfilment':'o2/1','reason':'other','stock_action':'set',"
               "'lines':[{'line':'1','qty_found':0,'on_hand':4}]}");
    harness_expect_cell(&harness, "x", "A", 4, 2);
    harness_do(&harness, "fulfil.reject",
               "{'fulfilment':'o3/1','reason':'out_of_stock','stock_action':'zero',"
               "'lines':[{'line':'1','qty_found':1}]}");
    harness_expect_cell(&harness, "x", "A", 1, 1);
}

/* Units of two cells leave together, one of them counted in this very moment, so a millisecond
 * later than now: what a rejection counts afterwards has them in it, and its time says so. */
static void count_of_a_rejection_has_what_left_in_it(void **state)
{
    (void)state;
    const long long before = (long long)harness.wall_ms - 5000;
    harness.step_ms = 0;
    harness_do(&harness, "stock.set", "{'item':'x','node':'A','on_hand':9,'counted_at':%lld}",
               before);
    harness_do(&harness, "stock.set", "{'item':'y','node':'A','on_hand':10,'counted_at':%lld}",
               before);
    routed("o", "{'item':'x','qty':1},{'item':'y','qty':2}", "");
    routed("p", "{'item':'y','qty':1}", "");
    harness_do(&harness, "stock.set", "{'item':'x','node':'A','on_hand':10}");
    harness_do(&harness, "fulfil.update", "{'fulfilment':'o/1','state':'shipped'}");
    harness_do(&harness, "fulfil.reject",
               "{'fulfilment':'p/1','reason':'other','stock_action':'set',"
               "'lines':[{'line':'1','qty_found':0,'on_hand':8}]}");
    harness_expect_cell(&harness, "y", "A", 8, 0);
    json_t *answer = harness_ask(&harness, "stock.get", "{'item':'y','node':'A'}");
    assert_int_equal(harness_int(answer, "counted_at"), harness.wall_ms + 1);
    harness_drop(answer);
}

/* Without another source the order is held, and new stock elsewhere leads it out: whoever was
 * held first is served first. Stock at the node that said no does not. */
static void held_until_there_is_stock(void **state)
{
    (void)state;
    stock("A", "x", 4);
    routed("o", "{'item':'x','qty':2}", "");
    routed("p", "{'item':'x','qty':2}", "");
    json_t *answer = harness_ask(&harness, "fulfil.reject",
                                 "{'fulfilment':'o/1','reason':'out_of_stock'}");
    assert_string_equal(harness_text(answer, "status"), "held");
    assert_string_equal(harness_text(answer, "reason"), "INSUFFICIENT_STOCK");
    assert_int_equal(harness_int(answer, "unfilled.0.qty"), 2);
    assert_false(harness_bool(answer, "promise.kept"));
    harness_drop(answer);
    harness_do(&harness, "fulfil.reject", "{'fulfilment':'p/1','reason':'out_of_stock'}");
    answer = harness_ask(&harness, "stats", "{}");
    assert_int_equal(harness_int(answer, "held_orders"), 2);
    assert_int_equal(harness_int(answer, "owed_units"), 4);
    harness_drop(answer);
    answer = harness_ask(&harness, "order.list", "{'status':'held'}");
    assert_int_equal(harness_count(answer, "orders"), 2);
    harness_drop(answer);
    stock("A", "x", 9);
    expect_status("o", "held");
    harness_restart(&harness);
    stock("B", "x", 3);
    expect_status("o", "routed");
    expect_status("p", "held");
    assert_int_equal(order_int("p", "lines.0.owed"), 1);
    assert_int_equal(order_int("p", "lines.0.open"), 1);
    harness_expect_cell(&harness, "x", "B", 3, 3);
    stock("C", "x", 1);
    expect_status("p", "routed");
    expect_state("p", 1, "B", "open");
    expect_state("p", 2, "C", "open");
}

/* After rejects_max times nobody else is asked; what is released elsewhere does not help, stock
 * that is reported does. */
static void enough_is_enough(void **state)
{
    (void)state;
    harness_close(&harness);
    harness_init(&harness);
    harness.options.rejects_max = 2;
    harness_start(&harness);
    for (int i = 0; i < 3; i++) {
        harness_do(&harness, "node.put", "{'node':'%c','type':'store','lat':%d,'lon':0}", 'A' + i,
                   i + 1);
    }
    harness_do(&harness, "item.put", "{'item':'x'}");
    stock("A", "x", 1);
    stock("B", "x", 1);
    stock("C", "x", 1);
    routed("o", "{'item':'x','qty':1}", "");
    harness_do(&harness, "fulfil.reject", "{'fulfilment':'o/1','reason':'too_busy'}");
    json_t *answer =
        harness_ask(&harness, "fulfil.reject", "{'fulfilment':'o/2','reason':'too_busy'}");
    assert_string_equal(harness_text(answer, "status"), "held");
    assert_string_equal(harness_text(answer, "reason"), "MAX_REJECTS_REACHED");
    assert_int_equal(harness_int(answer, "attempt"), 2);
    harness_drop(answer);
    routed("p", "{'item':'x','qty':1}", ",'include_nodes':['C']");
    harness_do(&harness, "order.cancel", "{'order_id':'p'}");
    expect_status("o", "held");
    stock("C", "x", 1);
    expect_status("o", "routed");
    expect_state("o", 2, "C", "open");
}

/* reroute false leaves the order held for order.reroute. */
static void reroute_from_held(void **state)
{
    (void)state;
    stock("A", "x", 2);
    stock("B", "x", 1);
    stock("C", "x", 2);
    routed("o", "{'item':'x','qty':2}", "");
    json_t *answer = harness_ask(&harness, "fulfil.reject",
                                 "{'fulfilment':'o/1','reason':'closed','reroute':false}");
    assert_string_equal(harness_text(answer, "status"), "held");
    assert_false(harness_has(answer, "reason"));
    harness_drop(answer);
    answer = harness_ask(&harness, "order.reroute", "{'order_id':'o','exclude_nodes':['C']}");
    assert_string_equal(harness_text(answer, "status"), "refused");
    assert_string_equal(harness_text(answer, "reason"), "INSUFFICIENT_STOCK");
    harness_drop(answer);
    expect_status("o", "held");
    answer = harness_ask(&harness, "order.reroute",
                         "{'order_id':'o','exclude_nodes':['C'],'allow_partial':true,"
                         "'dry_run':true}");
    assert_string_equal(harness_text(answer, "status"), "partial");
    assert_string_equal(harness_text(answer, "fulfilments.0.fulfilment"), "o/2");
    harness_drop(answer);
    harness_expect_cell(&harness, "x", "B", 1, 0);
    answer = harness_ask(&harness, "order.reroute", "{'order_id':'o','required_by':1}");
    assert_string_equal(harness_text(answer, "status"), "refused");
    assert_string_equal(harness_text(answer, "reason"), "PROMISE_NOT_MET");
    harness_drop(answer);
    answer = harness_ask(&harness, "order.reroute", "{'order_id':'o','key':'r'}");
    assert_string_equal(harness_text(answer, "status"), "routed");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "C");
    harness_drop(answer);
    answer = harness_ask(&harness, "order.reroute", "{'order_id':'o','key':'r'}");
    assert_true(harness_bool(answer, "duplicate"));
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "C");
    harness_drop(answer);
    answer = harness_ask(&harness, "order.reroute", "{'order_id':'o'}");
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    expect_status("o", "routed");
    answer = harness_ask(&harness, "order.reroute", "{'order_id':'o','include_nodes':['A'],"
                         "'fulfilments':['o/2']}");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "A");
    harness_drop(answer);
    expect_state("o", 1, "C", "cancelled");
    harness_expect_cell(&harness, "x", "C", 2, 0);
    harness_expect_cell(&harness, "x", "A", 2, 2);
}

/* What is not picked moves to a better place, counting its own units; what is best stays. */
static void reroute_moves_what_is_not_picked(void **state)
{
    (void)state;
    stock("B", "x", 2);
    stock("C", "y", 1);
    routed("o", "{'item':'x','qty':2},{'item':'y','qty':1}", "");
    json_t *answer =
        harness_ask(&harness, "order.reroute", "{'order_id':'o','fulfilments':['o/1','o/2']}");
    assert_string_equal(harness_text(answer, "status"), "routed");
    assert_int_equal(harness_count(answer, "fulfilments"), 0);
    harness_drop(answer);
    stock("B", "y", 1);
    answer =
        harness_ask(&harness, "order.reroute", "{'order_id':'o','fulfilments':['o/1','o/2']}");
    assert_int_equal(harness_count(answer, "fulfilments"), 1);
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "B");
    assert_string_equal(harness_text(answer, "fulfilments.0.lines.0.item"), "y");
    harness_drop(answer);
    expect_state("o", 0, "B", "open");
    expect_state("o", 1, "C", "cancelled");
    harness_do(&harness, "fulfil.update", "{'fulfilment':'o/1','state':'picked'}");
    answer = harness_ask(&harness, "order.reroute", "{'order_id':'o','fulfilments':['o/1']}");
    assert_string_equal(harness_text(answer, "reason"), "INVALID_STATE");
    assert_string_equal(harness_text(answer, "state"), "picked");
    harness_drop(answer);
}

/* Who agrees to wait is served in the order of coming, before whoever comes with the stock. */
static void backorders_are_filled_in_order(void **state)
{
    (void)state;
    stock("A", "x", 1);
    json_t *answer = route("o", "{'item':'x','qty':3}", ",'backorder':true");
    assert_string_equal(harness_text(answer, "status"), "backordered");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "A");
    assert_int_equal(harness_int(answer, "unfilled.0.qty"), 2);
    harness_drop(answer);
    answer = route("o", "{'item':'x','qty':3}", ",'backorder':true");
    assert_true(harness_bool(answer, "duplicate"));
    assert_int_equal(harness_int(answer, "unfilled.0.qty"), 2);
    harness_drop(answer);
    answer = route("p", "{'item':'x','qty':1}", ",'backorder':true");
    assert_string_equal(harness_text(answer, "status"), "backordered");
    assert_int_equal(harness_count(answer, "fulfilments"), 0);
    harness_drop(answer);
    harness_restart(&harness);
    uint32_t adjust = harness_stage(&harness, 0, "stock.adjust",
                                    "{'item':'x','node':'B','delta':3}");
    uint32_t late = harness_stage(&harness, 1, "order.route",
                                  "{'order_id':'q','lines':[{'item':'x','qty':1}],"
                                  "'service':'standard','dest':{'lat':0,'lon':0}}");
    harness_run(&harness);
    harness_drop(harness_take(&harness, adjust));
    answer = harness_take(&harness, late);
    assert_string_equal(harness_text(answer, "status"), "refused");
    harness_drop(answer);
    expect_status("o", "routed");
    expect_status("p", "routed");
    harness_expect_cell(&harness, "x", "B", 3, 3);
    answer = harness_ask(&harness, "stats", "{}");
    assert_int_equal(harness_int(answer, "backordered_orders"), 0);
    harness_drop(answer);
}

/* A date that nobody can keep is no lack of stock: refused as a whole, and no line is forgotten. */
static void backorder_does_not_wait_for_dates(void **state)
{
    (void)state;
    char more[120];
    json_t *answer = harness_ask(&harness, "hello", "{}");
    const long long now = harness_int(answer, "now");
    harness_drop(answer);
    stock("A", "y", 9);
    snprintf(more, sizeof more, ",'backorder':true,'required_by':%lld,'deliver_after':%lld",
             now + 4 * 86400000LL, now + 9 * 86400000LL);
    answer = route("o", "{'item':'x','qty':1},{'item':'y','qty':2}", more);
    assert_string_equal(harness_text(answer, "status"), "refused");
    assert_string_equal(harness_text(answer, "reason"), "PROMISE_NOT_MET");
    harness_drop(answer);
}

/* Nobody waits for what no node could ever send. */
static void backorder_needs_a_candidate(void **state)
{
    (void)state;
    harness_do(&harness, "item.put", "{'item':'y','not_to':['US']}");
    json_t *answer = harness_ask(&harness, "order.route",
                                 "{'order_id':'o','lines':[{'item':'y','qty':1}],"
                                 "'service':'standard','backorder':true,"
                                 "'dest':{'lat':0,'lon':0,'country':'US'}}");
    assert_string_equal(harness_text(answer, "status"), "refused");
    assert_string_equal(harness_text(answer, "reason"), "NO_FEASIBLE_SOURCE");
    harness_drop(answer);
}

/* A cancel takes what is owed first. */
static void cancel_of_what_is_owed(void **state)
{
    (void)state;
    stock("A", "x", 2);
    json_t *answer = route("o", "{'item':'x','qty':5}", ",'backorder':true");
    harness_drop(answer);
    answer = harness_ask(&harness, "order.cancel",
                         "{'order_id':'o','lines':[{'line':1,'qty':2}],'key':'c'}");
    assert_int_equal(harness_int(answer, "cancelled.0.qty"), 2);
    assert_int_equal(harness_count(answer, "released"), 0);
    assert_string_equal(harness_text(answer, "status"), "backordered");
    harness_drop(answer);
    answer = harness_ask(&harness, "order.cancel",
                         "{'order_id':'o','lines':[{'line':1,'qty':2}],'key':'c'}");
    assert_true(harness_bool(answer, "duplicate"));
    assert_int_equal(harness_int(answer, "cancelled.0.qty"), 2);
    harness_drop(answer);
    assert_int_equal(order_int("o", "lines.0.owed"), 1);
    assert_int_equal(order_int("o", "lines.0.cancelled"), 2);
    answer = harness_ask(&harness, "order.cancel", "{'order_id':'o'}");
    assert_int_equal(harness_int(answer, "cancelled.0.qty"), 3);
    assert_string_equal(harness_text(answer, "status"), "cancelled");
    harness_drop(answer);
    harness_expect_cell(&harness, "x", "A", 2, 0);
}

/* Lines of an order change; what is not concerned stays. */
static void modify_lines(void **state)
{
    (void)state;
    stock("A", "x", 5);
    stock("B", "y", 5);
    routed("o", "{'item':'x','qty':3},{'item':'y','qty':1}", "");
    json_t *answer = harness_ask(&harness, "order.modify",
                                 "{'order_id':'o','lines':[{'line':1,'qty':1},{'line':2,'qty':1},"
                                 "{'line':'new','item':'y','qty':2}],'key':'m'}");
    assert_string_equal(harness_text(answer, "changed.0"), "o/1");
    assert_string_equal(harness_text(answer, "kept.0"), "o/2");
    assert_int_equal(harness_count(answer, "fulfilments"), 1);
    assert_string_equal(harness_text(answer, "fulfilments.0.lines.0.line"), "new");
    harness_drop(answer);
    answer = harness_ask(&harness, "order.modify",
                         "{'order_id':'o','lines':[{'line':1,'qty':1},{'line':2,'qty':1},"
                         "{'line':'new','item':'y','qty':2}],'key':'m'}");
    assert_true(harness_bool(answer, "duplicate"));
    assert_string_equal(harness_text(answer, "changed.0"), "o/1");
    assert_string_equal(harness_text(answer, "fulfilments.0.fulfilment"), "o/3");
    harness_drop(answer);
    harness_expect_cell(&harness, "x", "A", 5, 1);
    harness_expect_cell(&harness, "y", "B", 5, 3);
    assert_int_equal(order_int("o", "lines.0.qty"), 1);
    assert_int_equal(order_int("o", "lines.0.cancelled"), 0);
    harness_restart(&harness);
    answer = harness_ask(&harness, "order.modify",
                         "{'order_id':'o','lines':[{'line':1,'qty':4},{'line':'new','qty':1}]}");
    assert_string_equal(harness_text(answer, "status"), "routed");
    harness_drop(answer);
    harness_expect_cell(&harness, "x", "A", 5, 4);
    harness_expect_cell(&harness, "y", "B", 5, 1);
    expect_state("o", 1, "B", "cancelled");
    answer = harness_ask(&harness, "order.modify",
                         "{'order_id':'o','lines':[{'line':1,'qty':9},{'line':'new','qty':1}]}");
    assert_string_equal(harness_text(answer, "reason"), "INSUFFICIENT_STOCK");
    assert_int_equal(harness_int(answer, "unfilled.0.qty"), 5);
    harness_drop(answer);
    harness_expect_cell(&harness, "x", "A", 5, 4);
    harness_do(&harness, "fulfil.update", "{'fulfilment':'o/1','state':'shipped'}");
    answer = harness_ask(&harness, "order.modify",
                         "{'order_id':'o','lines':[{'line':1,'qty':0},{'line':'new','qty':1}]}");
    assert_string_equal(harness_text(answer, "reason"), "INVALID_STATE");
    assert_int_equal(harness_int(answer, "done"), 1);
    harness_drop(answer);
}

/* Another destination: what is not picked is decided anew, its own units counted. */
static void modify_destination(void **state)
{
    (void)state;
    stock("A", "x", 2);
    stock("C", "x", 2);
    routed("o", "{'item':'x','qty':2}", "");
    json_t *answer = harness_ask(&harness, "order.modify",
                                 "{'order_id':'o','dest':{'lat':4,'lon':0}}");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "C");
    assert_string_equal(harness_text(answer, "changed.0"), "o/1");
    harness_drop(answer);
    harness_expect_cell(&harness, "x", "A", 2, 0);
    answer = harness_ask(&harness, "order.modify",
                         "{'order_id':'o','dest':{'lat':4,'lon':0}}");
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    answer = harness_ask(&harness, "order.get", "{'order_id':'o'}");
    assert_true(harness_float(answer, "dest.lat") == 4.0);
    harness_drop(answer);
    harness_do(&harness, "fulfil.update", "{'fulfilment':'o/2','state':'picked'}");
    answer = harness_ask(&harness, "order.modify",
                         "{'order_id':'o','dest':{'lat':5,'lon':0}}");
    assert_string_equal(harness_text(answer, "reason"), "INVALID_STATE");
    assert_string_equal(harness_text(answer, "state"), "picked");
    harness_drop(answer);
    harness_do(&harness, "fulfil.update", "{'fulfilment':'o/2','state':'shipped'}");
    answer = harness_ask(&harness, "order.modify",
                         "{'order_id':'o','dest':{'lat':6,'lon':0}}");
    assert_string_equal(harness_text(answer, "reason"), "INVALID_STATE");
    assert_string_equal(harness_text(answer, "state"), "done");
    harness_drop(answer);
}

/* Another service, and from pick-up at one place to another. */
static void modify_service(void **state)
{
    (void)state;
    stock("A", "x", 2);
    stock("B", "x", 2);
    routed("o", "{'item':'x','qty':1}", ",'max_km':300");
    json_t *answer = harness_ask(&harness, "order.modify",
                                 "{'order_id':'o','service':'pickup','lines':[{'line':1,'qty':1,"
                                 "'pickup_node':'B'}]}");
    assert_string_equal(harness_text(answer, "fulfilments.0.method"), "pickup");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "B");
    harness_drop(answer);
    answer = harness_ask(&harness, "order.modify",
                         "{'order_id':'o','lines':[{'line':1,'qty':1,'pickup_node':'A'}]}");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "A");
    harness_drop(answer);
    answer = harness_ask(&harness, "order.modify", "{'order_id':'o','service':'standard'}");
    assert_string_equal(harness_text(answer, "fulfilments.0.method"), "ship_from_store");
    harness_drop(answer);
    harness_expect_cell(&harness, "x", "A", 2, 1);
    harness_expect_cell(&harness, "x", "B", 2, 0);
}

/* What is to be sent to a store names it, be it a new line or another service; it keeps its place
 * where it is fetched otherwise; and nothing is carried out after the sale. */
static void modify_keeps_places_with_services(void **state)
{
    (void)state;
    stock("A", "x", 9);
    stock("B", "x", 9);
    stock("B", "y", 9);
    harness_do(&harness, "order.route",
               "{'order_id':'o','service':'ship_to_store','pickup_node':'C',"
               "'dest':{'lat':0,'lon':0},"
               "'lines':[{'item':'x','qty':2}]}");
    harness_refute(&harness, "order.modify",
                   "{'order_id':'o','lines':[{'line':1,'qty':1},{'line':2,'item':'y','qty':4}]}",
                   "INVALID_ARGUMENT lines[1]", "pickup_node is missing");
    harness_refute(&harness, "order.modify",
                   "{'order_id':'o','lines':[{'line':1,'qty':2},{'line':2,'item':'y','qty':4,"
                   "'node':'B'}]}",
                   "INVALID_ARGUMENT lines[1].node", "what is sent to a store");
    json_t *answer = harness_ask(&harness, "order.modify",
                                 "{'order_id':'o','lines':[{'line':1,'qty':2},{'line':2,'item':'y',"
                                 "'qty':4,'pickup_node':'C'}]}");
    assert_string_equal(harness_text(answer, "fulfilments.0.to"), "C");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "B");
    harness_drop(answer);
    answer = harness_ask(&harness, "order.modify", "{'order_id':'o','service':'reserve_pickup',"
                                                   "'lines':[{'line':1,'qty':0},{'line':2,"
                                                   "'qty':4,'pickup_node':'B'}]}");
    assert_string_equal(harness_text(answer, "fulfilments.0.method"), "pickup");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "B");
    harness_drop(answer);
    harness_refute(&harness, "order.modify", "{'order_id':'o','service':'carry_out'}",
                   "INVALID_ARGUMENT service", "carry_out is of the moment");
    routed("p", "{'item':'x','qty':1}", "");
    harness_refute(&harness, "order.modify", "{'order_id':'p','service':'ship_to_store'}",
                   "INVALID_ARGUMENT service", "pickup_node is missing");
    harness_expect_cell(&harness, "x", "A", 9, 1);
    harness_expect_cell(&harness, "y", "B", 9, 4);
}

/* A closed node's work goes elsewhere: what is picked is kept, what has no other source held. */
static void closed_node_is_emptied(void **state)
{
    (void)state;
    char id[16];
    stock("A", "x", 100);
    stock("A", "y", 1);
    stock("B", "x", 30);
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "o%d", i);
        routed(id, "{'item':'x','qty':1}", "");
    }
    routed("p", "{'item':'y','qty':1}", "");
    harness_do(&harness, "fulfil.update", "{'fulfilment':'o3/1','state':'picked'}");
    json_t *answer = harness_ask(&harness, "node.status",
                                 "{'node':'A','status':'closed','reroute':true}");
    assert_int_equal(harness_int(answer, "moved"), 30);
    assert_int_equal(harness_int(answer, "held"), 10);
    assert_int_equal(harness_int(answer, "kept"), 1);
    harness_drop(answer);
    harness_expect_cell(&harness, "x", "A", 100, 1);
    harness_expect_cell(&harness, "x", "B", 30, 30);
    expect_status("p", "held");
    answer = harness_ask(&harness, "node.status",
                         "{'node':'A','status':'closed','reroute':true}");
    assert_true(harness_bool(answer, "duplicate"));
    assert_int_equal(harness_int(answer, "moved"), 0);
    assert_int_equal(harness_int(answer, "kept"), 1);
    harness_drop(answer);
    harness_restart(&harness);
    harness_do(&harness, "node.status", "{'node':'A','status':'active'}");
    for (int i = 0; i < 3; i++) { /* a few orders after each request */
        harness_do(&harness, "hello", "{}");
    }
    expect_status("p", "routed");
    harness_expect_cell(&harness, "x", "A", 100, 10);
    harness_expect_cell(&harness, "y", "A", 1, 1);
}

/* A node on hold keeps what only it can send. */
static void node_on_hold_keeps_what_it_must(void **state)
{
    (void)state;
    stock("A", "x", 2);
    stock("B", "x", 1);
    routed("o", "{'item':'x','qty':1}", "");
    routed("p", "{'item':'x','qty':1}", "");
    json_t *answer = harness_ask(&harness, "node.status",
                                 "{'node':'A','status':'on_hold','reroute':true,'key':'k'}");
    assert_int_equal(harness_int(answer, "moved"), 1);
    assert_int_equal(harness_int(answer, "held"), 0);
    assert_int_equal(harness_int(answer, "kept"), 1);
    harness_drop(answer);
    expect_state("o", 1, "B", "open");
    expect_state("p", 0, "A", "open");
    harness_refute(&harness, "node.status", "{'node':'A','status':'active','reroute':true}",
                   "INVALID_ARGUMENT", "reroute");
}

/* A node that does not take on a fulfilment within its time is passed over at that moment; one that
 * is closed has its time once more. */
static void silent_nodes_are_passed_over(void **state)
{
    (void)state;
    harness_do(&harness, "node.put", "{'node':'A','accept_min':5}");
    harness_do(&harness, "node.put", "{'node':'B','accept_min':5}");
    stock("A", "x", 5);
    stock("B", "x", 5);
    stock("C", "x", 5);
    routed("taken", "{'item':'x','qty':1}", "");
    routed("left", "{'item':'x','qty':2}", "");
    harness_do(&harness, "fulfil.update", "{'fulfilment':'taken/1','state':'accepted'}");
    uint64_t born_ms = (uint64_t)order_int("left", "created_at");
    harness.wall_ms = born_ms + 5 * 60000 - 2000;
    harness_restart(&harness);
    expect_state("left", 0, "A", "open");
    harness.wall_ms = born_ms + 5 * 60000 + 1000;
    expect_state("left", 0, "A", "rejected");
    expect_state("left", 1, "B", "open");
    expect_state("taken", 0, "A", "accepted");
    harness_expect_cell(&harness, "x", "A", 5, 1);
    json_t *answer = harness_ask(&harness, "order.get", "{'order_id':'left'}");
    assert_string_equal(harness_text(answer, "history.1.reason"), "no_response");
    assert_true((uint64_t)harness_int(answer, "history.1.at") <= born_ms + 5 * 60000 + 1000);
    harness_drop(answer);
    harness_do(&harness, "node.status", "{'node':'B','status':'closed'}");
    harness.wall_ms += 6 * 60000;
    expect_state("left", 1, "B", "open");
    harness_do(&harness, "node.status", "{'node':'B','status':'active'}");
    harness.wall_ms += 6 * 60000;
    expect_state("left", 1, "B", "rejected");
    expect_state("left", 2, "C", "open");
    harness.wall_ms += 60 * 60000; /* C sets no time */
    expect_state("left", 2, "C", "open");
}

/* What a caller gets wrong is told by name, and nothing changes. */
static void errors_name_the_field(void **state)
{
    (void)state;
    stock("A", "x", 5);
    routed("o", "{'item':'x','qty':3}", "");
    routed("q", "{'item':'x','qty':1}", "");
    harness_refute(&harness, "fulfil.reject", "{'fulfilment':'o/2','reason':'other'}",
                   "UNKNOWN_FULFILMENT", "o/2");
    harness_refute(&harness, "fulfil.reject", "{'fulfilment':'o/1','reason':'lazy'}",
                   "INVALID_ARGUMENT", "reason");
    harness_refute(&harness, "fulfil.reject",
                   "{'fulfilment':'o/1','reason':'other','lines':[{'line':9,'qty_found':0}]}",
                   "UNKNOWN_LINE", "9");
    harness_refute(&harness, "fulfil.reject",
                   "{'fulfilment':'o/1','reason':'other','lines':[{'line':1,'qty_found':3}]}",
                   "INVALID_ARGUMENT", "all of it was found");
    harness_refute(&harness, "fulfil.reject",
                   "{'fulfilment':'o/1','reason':'other','lines':[{'line':1,'qty_found':0,"
                   "'on_hand':1}]}",
                   "INVALID_ARGUMENT", "lines[0].on_hand: only with stock_action set");
    harness_refute(&harness, "fulfil.reject",
                   "{'fulfilment':'o/1','reason':'other','stock_action':'set',"
                   "'lines':[{'line':1,'qty_found':0}]}",
                   "INVALID_ARGUMENT", "lines[0].on_hand: missing");
    harness_refute(&harness, "fulfil.reject",
                   "{'fulfilment':'o/1','reason':'other','stock_action':'set'}",
                   "INVALID_ARGUMENT", "set needs lines");
    harness_refute(&harness, "fulfil.reject",
                   "{'fulfilment':'o/1','reason':'other','lines':[]}", "INVALID_ARGUMENT",
                   "lines");
    harness_refute(&harness, "order.reroute", "{'order_id':'o','fulfilments':['q/1']}",
                   "INVALID_ARGUMENT", "another order");
    harness_refute(&harness, "order.reroute",
                   "{'order_id':'o','fulfilments':['o/1'],'allow_partial':true}",
                   "INVALID_ARGUMENT", "allow_partial");
    harness_refute(&harness, "order.reroute", "{'order_id':'o','strategy':'best'}",
                   "UNKNOWN_STRATEGY", "best");
    harness_refute(&harness, "order.reroute",
                   "{'order_id':'o','fulfilments':['o/1'],'include_nodes':['Z']}", "UNKNOWN_NODE",
                   "include_nodes");
    harness_refute(&harness, "order.modify", "{'order_id':'o'}", "INVALID_ARGUMENT",
                   "lines, dest, service");
    harness_refute(&harness, "order.modify", "{'order_id':'o','lines':[{'line':5,'qty':1}]}",
                   "INVALID_ARGUMENT", "needs an item");
    harness_refute(&harness, "order.modify",
                   "{'order_id':'o','lines':[{'line':1,'qty':1,'item':'y'}]}", "INVALID_ARGUMENT",
                   "lines[0].item");
    harness_refute(&harness, "order.modify",
                   "{'order_id':'o','lines':[{'line':1,'qty':1},{'line':1,'qty':2}]}",
                   "INVALID_ARGUMENT", "twice");
    harness_refute(&harness, "order.modify",
                   "{'order_id':'o','lines':[{'line':1,'qty':1,'pickup_node':'B'}]}",
                   "INVALID_ARGUMENT", "pickup_node");
    harness_refute(&harness, "order.modify", "{'order_id':'o','dest':{'postcode':'1'}}",
                   "UNKNOWN_PLACE", "dest.postcode");
    json_t *answer = harness_ask(&harness, "fulfil.reject",
                                 "{'fulfilment':'o/1','reason':'other','lines':[{'line':1,"
                                 "'qty_found':4}]}");
    assert_string_equal(harness_text(answer, "reason"), "QTY_EXCEEDS_ORDERED");
    harness_drop(answer);
    harness_do(&harness, "fulfil.update", "{'fulfilment':'o/1','state':'shipped'}");
    answer = harness_ask(&harness, "fulfil.reject", "{'fulfilment':'o/1','reason':'other'}");
    assert_string_equal(harness_text(answer, "reason"), "INVALID_STATE");
    assert_string_equal(harness_text(answer, "state"), "shipped");
    harness_drop(answer);
    harness_expect_cell(&harness, "x", "A", 2, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reject_goes_elsewhere, begin, end),
        cmocka_unit_test_setup_teardown(short_pick_moves_the_rest, begin, end),
        cmocka_unit_test_setup_teardown(stock_actions, begin, end),
        cmocka_unit_test_setup_teardown(count_of_a_rejection_has_what_left_in_it, begin, end),
        cmocka_unit_test_setup_teardown(held_until_there_is_stock, begin, end),
        cmocka_unit_test_setup_teardown(enough_is_enough, begin, end),
        cmocka_unit_test_setup_teardown(reroute_from_held, begin, end),
        cmocka_unit_test_setup_teardown(reroute_moves_what_is_not_picked, begin, end),
        cmocka_unit_test_setup_teardown(backorders_are_filled_in_order, begin, end),
        cmocka_unit_test_setup_teardown(backorder_does_not_wait_for_dates, begin, end),
        cmocka_unit_test_setup_teardown(backorder_needs_a_candidate, begin, end),
        cmocka_unit_test_setup_teardown(cancel_of_what_is_owed, begin, end),
        cmocka_unit_test_setup_teardown(modify_lines, begin, end),
        cmocka_unit_test_setup_teardown(modify_destination, begin, end),
        cmocka_unit_test_setup_teardown(modify_service, begin, end),
        cmocka_unit_test_setup_teardown(modify_keeps_places_with_services, begin, end),
        cmocka_unit_test_setup_teardown(closed_node_is_emptied, begin, end),
        cmocka_unit_test_setup_teardown(node_on_hold_keeps_what_it_must, begin, end),
        cmocka_unit_test_setup_teardown(silent_nodes_are_passed_over, begin, end),
        cmocka_unit_test_setup_teardown(errors_name_the_field, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
