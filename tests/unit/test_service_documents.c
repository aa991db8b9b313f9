/* Returns, supplies and transfers through the service: what each books, what is refused, and that
 * a restart finds all of it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

static int setup(void **state)
{
    struct harness *harness = harness_new();
    harness_do(harness, "node.put", "{'node':'n1','type':'store','lat':40.0,'lon':-74.0}");
    harness_do(harness, "node.put", "{'node':'n2','type':'warehouse','lat':41.0,'lon':-75.0}");
    harness_do(harness, "node.put",
               "{'node':'n3','type':'store','lat':40.2,'lon':-74.0,"
               "'services':['ship']}");
    harness_do(harness, "item.put", "{'item':'a'}");
    harness_do(harness, "item.put", "{'item':'b'}");
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
    harness_do(harness, "stock.set", "{'item':'b','node':'n1','on_hand':10}");
    *state = harness;
    return 0;
}

/* An order of 3 a and 2 b, delivered. */
static void order_deliver(struct harness *harness, const char *id)
{
    harness_do(harness, "order.route",
               "{'order_id':'%s','service':'standard','dest':{'lat':40.0,'lon':-74.0},"
               "'lines':[{'item':'a','qty':3},{'item':'b','qty':2}]}",
               id);
    harness_do(harness, "fulfil.update", "{'fulfilment':'%s/1','state':'delivered'}", id);
}

static void expect_refused(json_t *answer, const char *reason)
{
    assert_string_equal(harness_text(answer, "status"), "refused");
    assert_string_equal(harness_text(answer, "reason"), reason);
    harness_drop(answer);
}

/* Only sellable units enter the stock, of the node that took them, also one without a cell. */
static void condition_decides_what_is_booked(void **state)
{
    struct harness *harness = *state;
    order_deliver(harness, "o1");
    json_t *answer = harness_ask(
        harness, "return.create",
        "{'return_id':'r1','order_id':'o1','lines':[{'line':'1','qty':2,'reason':'too small'},"
        "{'item':'b','qty':1}]}");
    assert_string_equal(harness_text(answer, "state"), "created");
    assert_false(harness_bool(answer, "unverified"));
    harness_drop(answer);
    answer = harness_ask(harness, "return.receive",
                         "{'return_id':'r1','node':'n3','lines':["
                         "{'line':'1','qty':1,'condition':'sellable'},"
                         "{'line':'1','qty':1,'condition':'damaged'}]}");
    assert_string_equal(harness_text(answer, "state"), "partial");
    assert_int_equal(harness_count(answer, "booked"), 1);
    assert_string_equal(harness_text(answer, "booked.0.item"), "a");
    assert_int_equal(harness_int(answer, "booked.0.qty"), 1);
    assert_int_equal(harness_int(answer, "booked.0.on_hand"), 1);
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n3", 1, 0);
    harness_expect_cell(harness, "a", "n1", 7, 0);
    harness_restart(harness);
    answer = harness_ask(harness, "order.get", "{'order_id':'o1'}");
    assert_int_equal(harness_int(answer, "lines.0.returned"), 2);
    assert_int_equal(harness_int(answer, "lines.1.returned"), 0);
    harness_drop(answer);
}

/* Totals: a repeat has no second effect and says so. */
static void received_totals_repeat(void **state)
{
    static const char receive[] = "{'return_id':'r1','order_id':'o1','node':'n1','lines':["
                                  "{'line':1,'qty':2,'condition':'sellable'}]}";
    struct harness *harness = *state;
    order_deliver(harness, "o1");
    json_t *answer = harness_ask(harness, "return.receive", receive);
    assert_string_equal(harness_text(answer, "state"), "received");
    assert_false(harness_has(answer, "duplicate"));
    harness_drop(answer);
    answer = harness_ask(harness, "return.receive", receive);
    assert_true(harness_bool(answer, "duplicate"));
    assert_int_equal(harness_count(answer, "booked"), 0);
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 9, 0);
    answer = harness_ask(harness, "return.receive",
                         "{'return_id':'r1','node':'n1','lines':["
                         "{'line':1,'qty':3,'condition':'sellable'}]}");
    assert_int_equal(harness_int(answer, "booked.0.qty"), 1);
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 10, 0);
}

static void no_more_comes_back_than_left(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "order.route",
               "{'order_id':'o1','service':'standard','dest':{'lat':40.0,'lon':-74.0},"
               "'lines':[{'item':'a','qty':3}]}");
    expect_refused(harness_ask(harness, "return.create",
                               "{'return_id':'r1','order_id':'o1','lines':[{'line':1,'qty':1}]}"),
                   "NOT_RETURNABLE");
    harness_do(harness, "fulfil.update", "{'fulfilment':'o1/1','state':'shipped'}");
    harness_do(harness, "return.create",
               "{'return_id':'r1','order_id':'o1','lines':[{'line':1,'qty':2}]}");
    json_t *answer = harness_ask(harness, "return.create",
                                 "{'return_id':'r2','order_id':'o1','lines':[{'line':1,'qty':2}]}");
    assert_int_equal(harness_int(answer, "returnable"), 1);
    expect_refused(answer, "QTY_EXCEEDS_ORDERED");
    expect_refused(harness_ask(harness, "return.receive",
                               "{'return_id':'r3','order_id':'o1','node':'n2','lines':["
                               "{'line':1,'qty':2,'condition':'unsellable'}]}"),
                   "QTY_EXCEEDS_ORDERED");
    harness_do(harness, "return.create",
               "{'return_id':'r2','order_id':'o1','lines':[{'line':1,'qty':1}]}");
}

static void window_ends(void **state)
{
    struct harness *harness = *state;
    order_deliver(harness, "o1");
    harness->wall_ms += harness->options.return_window_ms + 1000;
    expect_refused(harness_ask(harness, "return.create",
                               "{'return_id':'r1','order_id':'o1','lines':[{'line':1,'qty':1}]}"),
                   "NOT_RETURNABLE");
}

static int open_short_window(void **state, uint32_t holds_max)
{
    struct harness *harness = malloc(sizeof *harness);
    assert_non_null(harness);
    harness_init(harness);
    harness->options.tables.holds_max = holds_max;
    harness->options.return_window_ms = 1000;
    harness->options.order_window_ms = 100000;
    harness_start(harness);
    harness_do(harness, "node.put", "{'node':'n1','type':'store','lat':40.0,'lon':-74.0}");
    harness_do(harness, "item.put", "{'item':'a'}");
    harness_do(harness, "item.put", "{'item':'b'}");
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
    harness_do(harness, "stock.set", "{'item':'b','node':'n1','on_hand':10}");
    *state = harness;
    return 0;
}

static int64_t events_of(struct harness *harness, const char *type)
{
    json_t *answer =
        harness_ask(harness, "events.read", "{'from_lsn':0,'types':['%s'],'limit':1000}", type);
    int64_t count = harness_count(answer, "events");
    harness_drop(answer);
    return count;
}

static int setup_short_window(void **state)
{
    return open_short_window(state, 20000);
}

static int setup_two_holds(void **state)
{
    return open_short_window(state, 2);
}

/* With all holds taken what needs none goes on, and is recovered: found by the simulation, where an
 * announced return that expired then made a log that no start took. */
static void full_holds_stop_transfers_alone(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "node.put", "{'node':'n2','type':'warehouse','lat':41.0,'lon':-75.0}");
    harness_do(harness, "transfer.create",
               "{'transfer_id':'t1','from':'n1','to':'n2','lines':[{'item':'b','qty':4}]}");
    harness_do(harness, "return.create",
               "{'return_id':'r1','order_id':'gone','lines':[{'item':'a','qty':2}]}");
    harness_do(harness, "order.route",
               "{'order_id':'o1','service':'standard','dest':{'lat':40.0,'lon':-74.0},"
               "'lines':[{'item':'a','qty':1}]}");
    harness->wall_ms += harness->options.return_window_ms + 100;
    harness_tick(harness);
    assert_int_equal(events_of(harness, "return.expired"), 1);
    harness_restart(harness);
    harness_do(harness, "return.receive",
               "{'return_id':'r2','node':'n1','lines':["
               "{'item':'a','qty':1,'condition':'sellable'}]}");
    harness_do(harness, "supply.put", "{'supply_id':'s1','item':'a','node':'n1','qty':5}");
    harness_refute(harness, "transfer.create",
                    "{'transfer_id':'t2','from':'n1','to':'n2','lines':[{'item':'b','qty':1}]}",
                    "TABLE_FULL", "holds_max");
    harness_do(harness, "transfer.ship", "{'transfer_id':'t1','lines':[{'item':'b','qty':1}]}");
    harness_do(harness, "transfer.ship", "{'transfer_id':'t1'}");
    harness_do(harness, "transfer.create",
               "{'transfer_id':'t2','from':'n1','to':'n2','lines':[{'item':'b','qty':1}]}");
}

/* What was announced and has not come expires at its window's end, not before, by record; its units
 * are claimed by it no more; what comes all the same is taken, within the order's own window. */
static void announced_returns_expire(void **state)
{
    struct harness *harness = *state;
    order_deliver(harness, "o1");
    harness_do(harness, "return.create",
               "{'return_id':'r1','order_id':'o1','lines':[{'line':1,'qty':2}]}");
    harness_do(harness, "return.create",
               "{'return_id':'r2','order_id':'gone','lines':[{'item':'a','qty':2}]}");
    harness_do(harness, "supply.put",
               "{'supply_id':'s1','item':'a','node':'n1','qty':5,'eta':1}");
    uint64_t made_ms = harness->wall_ms;
    harness->wall_ms = made_ms + harness->options.return_window_ms - 100;
    harness_tick(harness);
    assert_int_equal(events_of(harness, "return.expired"), 0);
    harness->wall_ms = made_ms + harness->options.return_window_ms + 100;
    harness_tick(harness);
    assert_int_equal(events_of(harness, "return.expired"), 2);
    harness_restart(harness);
    json_t *answer = harness_ask(harness, "return.receive",
                                 "{'return_id':'r2','node':'n1','lines':["
                                 "{'item':'a','qty':1,'condition':'sellable'}]}");
    assert_string_equal(harness_text(answer, "state"), "expired");
    assert_int_equal(harness_int(answer, "booked.0.qty"), 1);
    harness_drop(answer);
    expect_refused(harness_ask(harness, "return.receive",
                               "{'return_id':'r1','node':'n1','lines':["
                               "{'item':'a','qty':1,'condition':'sellable'}]}"),
                   "NOT_RETURNABLE");
    assert_int_equal(events_of(harness, "return.expired"), 2);
    answer = harness_ask(harness, "supply.receive", "{'supply_id':'s1','qty':5}");
    assert_false(harness_has(answer, "error")); /* supplies are waited for */
    harness_drop(answer);
}

/* An order that is not in memory is no obstacle: the return says so. */
static void unknown_order_is_unverified(void **state)
{
    struct harness *harness = *state;
    json_t *answer =
        harness_ask(harness, "return.create",
                    "{'return_id':'r1','order_id':'gone','lines':[{'item':'a','qty':2}]}");
    assert_true(harness_bool(answer, "unverified"));
    harness_drop(answer);
    harness_refute(harness, "return.create",
                   "{'return_id':'r2','order_id':'gone','lines':[{'line':'1','qty':2}]}",
                   "INVALID_ARGUMENT", "lines[0].item");
    answer = harness_ask(harness, "return.receive",
                         "{'return_id':'r1','node':'n2','lines':["
                         "{'item':'a','qty':5,'condition':'sellable'}]}");
    assert_int_equal(harness_int(answer, "booked.0.on_hand"), 5);
    harness_drop(answer);
}

static void return_ids_are_keys(void **state)
{
    struct harness *harness = *state;
    order_deliver(harness, "o1");
    harness_do(harness, "return.create",
               "{'return_id':'r1','order_id':'o1','lines':[{'line':1,'qty':1}]}");
    json_t *answer =
        harness_ask(harness, "return.create",
                    "{'lines':[{'qty':1,'line':'1'}],'return_id':'r1','order_id':'o1'}");
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    harness_refute(harness, "return.create",
                   "{'return_id':'r1','order_id':'o1','lines':[{'line':1,'qty':2}]}",
                   "IDEMPOTENCY_CONFLICT", "r1");
    harness_refute(harness, "return.receive",
                   "{'return_id':'r1','order_id':'o2','node':'n1','lines':["
                   "{'line':1,'qty':1,'condition':'sellable'}]}",
                   "IDEMPOTENCY_CONFLICT", "order_id");
}

static void quote_names_the_nearest_that_take_it(void **state)
{
    struct harness *harness = *state;
    order_deliver(harness, "o1");
    json_t *answer =
        harness_ask(harness, "return.quote", "{'order_id':'o1','lines':[{'line':1,'qty':1}]}");
    assert_int_equal(harness_count(answer, "options"), 2); /* n3 takes nothing back */
    assert_string_equal(harness_text(answer, "options.0.node"), "n1");
    assert_string_equal(harness_text(answer, "options.0.disposition"), "restock");
    assert_string_equal(harness_text(answer, "options.1.node"), "n2");
    assert_string_equal(harness_text(answer, "options.1.disposition"), "forward");
    harness_drop(answer);
    harness_refute(harness, "return.quote", "{'lines':[{'item':'a','qty':1}]}", "INVALID_ARGUMENT",
                   "near");
    answer = harness_ask(harness, "return.quote",
                         "{'lines':[{'item':'a','qty':1}],'near':{'lat':41.0,'lon':-75.0}}");
    assert_true(harness_bool(answer, "unverified"));
    assert_string_equal(harness_text(answer, "options.0.node"), "n2");
    assert_true(harness_float(answer, "options.0.km") == 0);
    harness_drop(answer);
}

static void supply_is_promised_then_received(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "supply.put",
               "{'supply_id':'s2','item':'a','node':'n1','qty':5,'eta':9000000000000}");
    json_t *answer = harness_ask(
        harness, "supply.put",
        "{'supply_id':'s1','item':'a','node':'n1','qty':20,'eta':8000000000000,'kind':'purchase'}");
    assert_string_equal(harness_text(answer, "state"), "expected");
    assert_int_equal(harness_count(answer, "atp"), 3);
    assert_int_equal(harness_int(answer, "atp.0.qty"), 10);
    assert_int_equal(harness_int(answer, "atp.1.qty"), 30);
    assert_int_equal(harness_int(answer, "atp.1.at"), 8000000000000);
    assert_int_equal(harness_int(answer, "atp.2.qty"), 35);
    harness_drop(answer);
    answer = harness_ask(harness, "supply.put", "{'supply_id':'s1','qty':30}");
    assert_int_equal(harness_int(answer, "outstanding"), 30);
    assert_false(harness_has(answer, "duplicate"));
    harness_drop(answer);
    answer = harness_ask(harness, "supply.put", "{'supply_id':'s1','qty':30}");
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    answer = harness_ask(harness, "supply.receive", "{'supply_id':'s1','qty':12}");
    assert_string_equal(harness_text(answer, "state"), "partial");
    assert_int_equal(harness_int(answer, "on_hand"), 22);
    assert_int_equal(harness_int(answer, "outstanding"), 18);
    harness_drop(answer);
    harness_restart(harness);
    answer = harness_ask(harness, "supply.receive", "{'supply_id':'s1'}");
    assert_string_equal(harness_text(answer, "state"), "received");
    assert_int_equal(harness_int(answer, "on_hand"), 40);
    assert_int_equal(harness_count(answer, "atp"), 2);
    harness_drop(answer);
    answer = harness_ask(harness, "supply.receive", "{'supply_id':'s1'}");
    assert_true(harness_bool(answer, "duplicate"));
    assert_int_equal(harness_int(answer, "on_hand"), 40);
    harness_drop(answer);
}

static void supply_is_cancelled(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "supply.put", "{'supply_id':'s','item':'a','node':'n1','qty':5,'eta':1}");
    json_t *answer = harness_ask(harness, "supply.cancel", "{'supply_id':'s'}");
    assert_string_equal(harness_text(answer, "state"), "cancelled");
    assert_int_equal(harness_count(answer, "atp"), 1);
    harness_drop(answer);
    answer = harness_ask(harness, "supply.cancel", "{'supply_id':'s'}");
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    answer = harness_ask(harness, "supply.put", "{'supply_id':'s','qty':6}");
    expect_refused(answer, "INVALID_STATE");
    harness_refute(harness, "supply.cancel", "{'supply_id':'t'}", "UNKNOWN_SUPPLY", "t");
    harness_refute(harness, "supply.put", "{'supply_id':'s','item':'b'}", "IDEMPOTENCY_CONFLICT",
                   "item");
    harness_refute(harness, "supply.put", "{'supply_id':'u','item':'b','node':'n1'}",
                   "INVALID_ARGUMENT", "qty: missing");
}

static void transfer_holds_ships_arrives(void **state)
{
    struct harness *harness = *state;
    json_t *answer = harness_ask(harness, "transfer.create",
                                 "{'transfer_id':'t','from':'n1','to':'n2','eta':9000000000000,"
                                 "'lines':[{'item':'a','qty':6},{'item':'b','qty':2}]}");
    assert_string_equal(harness_text(answer, "state"), "created");
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 10, 6);
    answer = harness_ask(harness, "stock.get", "{'item':'a','node':'n1','holds':true}");
    assert_string_equal(harness_text(answer, "holds.0.transfer_id"), "t");
    assert_int_equal(harness_int(answer, "holds.0.qty"), 6);
    harness_drop(answer);
    answer =
        harness_ask(harness, "transfer.ship", "{'transfer_id':'t','lines':[{'item':'a','qty':4}]}");
    assert_string_equal(harness_text(answer, "state"), "shipped");
    assert_int_equal(harness_int(answer, "lines.0.shipped"), 4);
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 6, 2);
    harness_restart(harness);
    harness_refute(harness, "transfer.receive",
                   "{'transfer_id':'t','lines':[{'item':'a','qty':5}]}", "INVALID_ARGUMENT",
                   "shipped");
    answer = harness_ask(harness, "transfer.receive", "{'transfer_id':'t'}");
    assert_string_equal(harness_text(answer, "state"), "partial");
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n2", 4, 0);
    answer = harness_ask(harness, "transfer.cancel", "{'transfer_id':'t'}");
    assert_string_equal(harness_text(answer, "state"), "received");
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 6, 0);
    harness_expect_cell(harness, "b", "n1", 10, 0);
}

static void transfer_takes_only_what_is_free(void **state)
{
    struct harness *harness = *state;
    json_t *answer =
        harness_ask(harness, "transfer.create",
                    "{'transfer_id':'t','from':'n1','to':'n2','lines':[{'item':'a','qty':11}]}");
    assert_int_equal(harness_int(answer, "available"), 10);
    expect_refused(answer, "INSUFFICIENT_STOCK");
    harness_refute(harness, "transfer.create",
                   "{'transfer_id':'t','from':'n1','to':'n1','lines':[{'item':'a','qty':1}]}",
                   "INVALID_ARGUMENT", "to:");
    harness_refute(harness, "transfer.create",
                   "{'transfer_id':'t','from':'n1','to':'n2',"
                   "'lines':[{'item':'a','qty':1},{'item':'a','qty':1}]}",
                   "INVALID_ARGUMENT", "lines[1].item");
    harness_refute(harness, "transfer.ship", "{'transfer_id':'t'}", "UNKNOWN_TRANSFER", "t");
    harness_expect_cell(harness, "a", "n1", 10, 0);
}

/* Done documents leave after the window; the limit is told and gives way again. */
static void documents_are_bounded(void **state)
{
    struct harness *harness = *state;
    for (int i = 0; i < 100; i++) {
        harness_do(harness, "supply.put",
                   "{'supply_id':'s%d','item':'a','node':'n1','qty':1,'eta':1}", i);
    }
    harness_refute(harness, "supply.put",
                   "{'supply_id':'more','item':'a','node':'n1','qty':1,'eta':1}", "TABLE_FULL",
                   "documents_max=100");
    harness_do(harness, "supply.put", "{'supply_id':'s5','qty':2}"); /* what is there may change */
    harness_do(harness, "supply.receive", "{'supply_id':'s7'}");
    harness->wall_ms += harness->options.order_window_ms + 1;
    harness_do(harness, "supply.put", "{'supply_id':'s8','qty':3}");
    harness_do(harness, "supply.put", "{'supply_id':'more','item':'a','node':'n1','qty':1}");
    harness_refute(harness, "supply.cancel", "{'supply_id':'s7'}", "UNKNOWN_SUPPLY", "s7");
}

/* What is missing is told with the time at which supplies cover it, after all that wait already;
 * of a pinned line only what comes there counts; nobody knows of what no supply covers. */
static void missing_units_have_a_time(void **state)
{
    struct harness *harness = *state;
    long long now = (long long)harness->wall_ms;
    const char *supply = "{'supply_id':'%s','item':'a','node':'%s','qty':5,'eta':%lld}";
    harness_do(harness, "supply.put", supply, "s1", "n2", now + 5000000);
    harness_do(harness, "supply.put", supply, "s2", "n1", now + 9000000);
    const char *ask = "{'order_id':'%s','service':'standard','dest':{'lat':40.0,'lon':-74.0},%s"
                      "'lines':[{'item':'a','qty':%d}%s]}";
    json_t *answer = harness_ask(harness, "order.route", ask, "x", "", 14, "");
    assert_int_equal(harness_int(answer, "unfilled.0.available_at"), now + 5000000);
    harness_drop(answer);
    answer = harness_ask(harness, "order.route", ask, "x", "", 21, "");
    assert_false(harness_has(answer, "unfilled.0.available_at"));
    harness_drop(answer);
    answer = harness_ask(harness, "order.route", ask, "x", "", 10, ",{'item':'a','qty':5}"
                                                                  ",{'item':'a','qty':1}");
    assert_int_equal(harness_int(answer, "unfilled.0.available_at"), now + 5000000);
    assert_int_equal(harness_int(answer, "unfilled.1.available_at"), now + 9000000);
    harness_drop(answer);
    answer =
        harness_ask(harness, "order.route", ask, "x", "", 1, ",{'item':'a','qty':1,'node':'n3'}");
    assert_false(harness_has(answer, "unfilled.0.available_at"));
    harness_drop(answer);
    answer = harness_ask(harness, "order.route", ask, "b1", "'backorder':true,", 14, "");
    assert_string_equal(harness_text(answer, "status"), "backordered");
    assert_int_equal(harness_int(answer, "unfilled.0.available_at"), now + 5000000);
    harness_drop(answer);
    answer = harness_ask(harness, "order.route", ask, "b2", "'backorder':true,", 2, "");
    assert_int_equal(harness_int(answer, "unfilled.0.available_at"), now + 9000000);
    harness_drop(answer);
    answer = harness_ask(harness, "order.get", "{'order_id':'b2'}");
    assert_int_equal(harness_int(answer, "lines.0.available_at"), now + 9000000);
    harness_drop(answer);
    answer = harness_ask(harness, "order.route", ask, "b1", "'backorder':true,", 14, "");
    assert_true(harness_bool(answer, "duplicate"));
    assert_int_equal(harness_int(answer, "unfilled.0.available_at"), now + 5000000);
    harness_drop(answer);
    harness->wall_ms += 6000000; /* s1 is late: not before now */
    answer = harness_ask(harness, "order.get", "{'order_id':'b1'}");
    assert_true(harness_int(answer, "lines.0.available_at") >= now + 6000000);
    harness_drop(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(condition_decides_what_is_booked, setup, harness_end),
        cmocka_unit_test_setup_teardown(received_totals_repeat, setup, harness_end),
        cmocka_unit_test_setup_teardown(no_more_comes_back_than_left, setup, harness_end),
        cmocka_unit_test_setup_teardown(announced_returns_expire, setup_short_window, harness_end),
        cmocka_unit_test_setup_teardown(full_holds_stop_transfers_alone, setup_two_holds,
                                        harness_end),
        cmocka_unit_test_setup_teardown(window_ends, setup_short_window, harness_end),
        cmocka_unit_test_setup_teardown(unknown_order_is_unverified, setup, harness_end),
        cmocka_unit_test_setup_teardown(return_ids_are_keys, setup, harness_end),
        cmocka_unit_test_setup_teardown(quote_names_the_nearest_that_take_it, setup, harness_end),
        cmocka_unit_test_setup_teardown(supply_is_promised_then_received, setup, harness_end),
        cmocka_unit_test_setup_teardown(supply_is_cancelled, setup, harness_end),
        cmocka_unit_test_setup_teardown(transfer_holds_ships_arrives, setup, harness_end),
        cmocka_unit_test_setup_teardown(transfer_takes_only_what_is_free, setup, harness_end),
        cmocka_unit_test_setup_teardown(documents_are_bounded, setup, harness_end),
        cmocka_unit_test_setup_teardown(missing_units_have_a_time, setup, harness_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
