/* Events of records: which ones there are, their numbers, filters, and that a call is answered when
 * it is to be. Read in the turn here, without a thread. */
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
    harness_do(harness, "item.put", "{'item':'a'}");
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
    harness_do(harness, "stock.set", "{'item':'a','node':'n2','on_hand':10}");
    *state = harness;
    return 0;
}

static int teardown(void **state)
{
    harness_close(*state);
    free(*state);
    return 0;
}

/* The state's LSN: what comes next is read from behind it. */
static int64_t lsn_now(struct harness *harness)
{
    json_t *answer = harness_ask(harness, "hello", "{}");
    const int64_t lsn = harness_int(answer, "lsn");
    harness_drop(answer);
    return lsn;
}

static json_t *read_from(struct harness *harness, int64_t lsn)
{
    return harness_ask(harness, "events.read", "{'from_lsn':%lld}", (long long)lsn);
}

static void expect_types(const json_t *answer, const char *const *types, uint32_t count)
{
    assert_int_equal(harness_count(answer, "events"), count);
    for (uint32_t i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof path, "events.%u.type", i);
        assert_string_equal(harness_text(answer, path), types[i]);
    }
}

static void order_route(struct harness *harness, const char *id, int qty)
{
    harness_do(harness, "order.route",
               "{'order_id':'%s','service':'standard','dest':{'lat':40.0,'lon':-74.0},"
               "'ref':'web','lines':[{'item':'a','qty':%d,'line':'x'}]}",
               id, qty);
}

/* A routed order is told as its reply was, then each fulfilment, numbered in one LSN. */
static void order_is_told_as_answered(void **state)
{
    static const char *const types[] = {"order.routed", "fulfil.created"};
    struct harness *harness = *state;
    const int64_t lsn = lsn_now(harness);
    order_route(harness, "o1", 3);
    json_t *answer = read_from(harness, lsn + 1);
    expect_types(answer, types, 2);
    assert_int_equal(harness_int(answer, "events.0.lsn"), lsn + 1);
    assert_int_equal(harness_int(answer, "events.0.n"), 0);
    assert_int_equal(harness_int(answer, "events.1.n"), 1);
    assert_string_equal(harness_text(answer, "events.0.ref"), "web");
    assert_string_equal(harness_text(answer, "events.0.fulfilments.0.node"), "n1");
    assert_string_equal(harness_text(answer, "events.1.fulfilment"), "o1/1");
    assert_string_equal(harness_text(answer, "events.1.lines.0.line"), "x");
    assert_int_equal(harness_int(answer, "events.1.lines.0.qty"), 3);
    assert_int_equal(harness_int(answer, "next_lsn"), lsn + 2);
    harness_drop(answer);
}

/* Shipped: the total by share, with names, and the order is done. */
static void shipping_ends_an_order(void **state)
{
    static const char *const types[] = {"fulfil.state", "order.done"};
    struct harness *harness = *state;
    order_route(harness, "o1", 3);
    const int64_t lsn = lsn_now(harness);
    harness_do(harness, "fulfil.update", "{'fulfilment':'o1/1','state':'shipped'}");
    json_t *answer = read_from(harness, lsn + 1);
    expect_types(answer, types, 2);
    assert_string_equal(harness_text(answer, "events.0.state"), "shipped");
    assert_string_equal(harness_text(answer, "events.0.node"), "n1");
    assert_int_equal(harness_int(answer, "events.0.lines.0.share"), 0);
    assert_int_equal(harness_int(answer, "events.0.lines.0.qty"), 3);
    assert_string_equal(harness_text(answer, "events.0.lines.0.item"), "a");
    harness_drop(answer);
}

/* A rejection: what left, the cell, the fulfilment that takes its place with its own number. */
static void rejection_is_told_in_steps(void **state)
{
    static const char *const types[] = {"fulfil.state", "stock.changed", "fulfil.created"};
    struct harness *harness = *state;
    order_route(harness, "o1", 3);
    const int64_t lsn = lsn_now(harness);
    harness_do(harness, "fulfil.reject", "{'fulfilment':'o1/1','reason':'out_of_stock'}");
    json_t *answer = read_from(harness, lsn + 1);
    expect_types(answer, types, 3);
    assert_string_equal(harness_text(answer, "events.0.state"), "rejected");
    assert_string_equal(harness_text(answer, "events.0.reason"), "out_of_stock");
    assert_string_equal(harness_text(answer, "events.1.node"), "n1");
    assert_string_equal(harness_text(answer, "events.2.fulfilment"), "o1/2");
    assert_string_equal(harness_text(answer, "events.2.node"), "n2");
    assert_int_equal(harness_int(answer, "events.2.lines.0.share"), 1);
    harness_drop(answer);
}

/* A count below what orders hold: the change, then how much is short and for whom. */
static void short_cells_are_told(void **state)
{
    static const char *const types[] = {"stock.changed", "stock.short"};
    struct harness *harness = *state;
    order_route(harness, "o1", 3);
    const int64_t lsn = lsn_now(harness);
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':1}");
    json_t *answer = read_from(harness, lsn + 1);
    expect_types(answer, types, 2);
    assert_int_equal(harness_int(answer, "events.0.on_hand"), 1);
    assert_int_equal(harness_int(answer, "events.1.short"), 2);
    assert_string_equal(harness_text(answer, "events.1.fulfilments.0"), "o1/1");
    harness_drop(answer);
}

static void reservations_are_told(void **state)
{
    static const char *const types[] = {"reserve.held", "reserve.released"};
    struct harness *harness = *state;
    const int64_t lsn = lsn_now(harness);
    harness_do(harness, "reserve.create",
               "{'reservation_id':'r1','ttl_ms':60000,'lines':[{'item':'a','qty':2,'node':'n1'}]}");
    harness_do(harness, "reserve.release", "{'reservation_id':'r1'}");
    json_t *answer = read_from(harness, lsn + 1);
    expect_types(answer, types, 2);
    assert_string_equal(harness_text(answer, "events.0.lines.0.node"), "n1");
    assert_int_equal(harness_int(answer, "events.0.lines.0.held"), 2);
    harness_drop(answer);
}

/* A new version of a strategy, and what it decides from then on. */
static void strategies_are_told(void **state)
{
    static const char *const types[] = {"strategy.changed", "strategy.changed",
                                        "strategy.changed"};
    struct harness *harness = *state;
    const int64_t before = lsn_now(harness);
    harness_do(harness, "strategy.put",
               "{'name':'cheap','mode':'weighted','terms':[{'term':'cost','weight':1}]}");
    harness_do(harness, "strategy.activate",
               "{'name':'cheap','services':['standard'],'channels':['web']}");
    harness_do(harness, "strategy.activate", "{'name':'nearest','channels':['web']}");
    json_t *answer = read_from(harness, before + 1);
    expect_types(answer, types, 3);
    assert_string_equal(harness_text(answer, "events.0.what"), "version");
    assert_string_equal(harness_text(answer, "events.0.strategy"), "cheap");
    assert_int_equal(harness_int(answer, "events.0.version"), 1);
    assert_string_equal(harness_text(answer, "events.0.mode"), "weighted");
    assert_string_equal(harness_text(answer, "events.1.what"), "active");
    assert_string_equal(harness_text(answer, "events.1.strategy"), "cheap");
    assert_string_equal(harness_text(answer, "events.1.scopes.0.service"), "standard");
    assert_string_equal(harness_text(answer, "events.1.scopes.0.channel"), "web");
    assert_string_equal(harness_text(answer, "events.2.strategy"), "nearest");
    assert_int_equal(harness_int(answer, "events.2.version"), 0);
    assert_false(harness_has(answer, "events.2.scopes.0.service"));
    harness_drop(answer);
}

/* n counts what a filter leaves out: an event has one name whatever was asked. */
static void filters_keep_numbers(void **state)
{
    struct harness *harness = *state;
    const int64_t lsn = lsn_now(harness);
    order_route(harness, "o1", 3);
    json_t *answer = harness_ask(harness, "events.read",
                                 "{'from_lsn':%lld,'types':['fulfil.created'],'nodes':['n1']}",
                                 (long long)lsn + 1);
    assert_int_equal(harness_count(answer, "events"), 1);
    assert_int_equal(harness_int(answer, "events.0.n"), 1);
    harness_drop(answer);
    answer = harness_ask(harness, "events.read", "{'from_lsn':%lld,'nodes':['n2']}",
                         (long long)lsn + 1);
    assert_int_equal(harness_count(answer, "events"), 0);
    assert_int_equal(harness_int(answer, "next_lsn"), lsn + 2);
    harness_drop(answer);
}

/* The events of an LSN come together, whatever the limit. */
static void limit_does_not_divide(void **state)
{
    struct harness *harness = *state;
    const int64_t lsn = lsn_now(harness);
    order_route(harness, "o1", 1);
    order_route(harness, "o2", 1);
    json_t *answer = harness_ask(harness, "events.read", "{'from_lsn':%lld,'limit':1}",
                                 (long long)lsn + 1);
    assert_int_equal(harness_count(answer, "events"), 2);
    assert_int_equal(harness_int(answer, "next_lsn"), lsn + 2);
    harness_drop(answer);
}

/* After a restart the same places tell the same. */
static void restart_tells_the_same(void **state)
{
    struct harness *harness = *state;
    order_route(harness, "o1", 3);
    json_t *before = read_from(harness, 0);
    harness_restart(harness);
    json_t *after = read_from(harness, 0);
    assert_true(harness_count(before, "events") > 5);
    assert_true(json_equal(json_object_get(before, "events"), json_object_get(after, "events")));
    harness_drop(before);
    harness_drop(after);
}

/* -- whenever they are read -- */

/* One order through everything that its events need its rows for. */
static void order_lives(struct harness *harness, const char *id)
{
    order_route(harness, id, 3);
    harness_do(harness, "fulfil.reject",
               "{'fulfilment':'%s/1','reason':'out_of_stock','lines':[{'line':'x','qty_found':1}]}",
               id);
    harness_do(harness, "order.modify",
               "{'order_id':'%s','lines':[{'line':'x','qty':3},{'line':'new','item':'b','qty':2}]}",
               id);
    harness_do(harness, "fulfil.update", "{'fulfilment':'%s/2','state':'shipped'}", id);
    harness_do(harness, "order.cancel", "{'order_id':'%s','lines':[{'line':'new','qty':1}]}", id);
    harness_do(harness, "order.cancel", "{'order_id':'%s'}", id);
}

static void everything_happens(struct harness *harness)
{
    harness_do(harness, "item.put", "{'item':'b'}");
    harness_do(harness, "stock.set", "{'item':'b','node':'n2','on_hand':3}");
    harness_do(harness, "node.put", "{'node':'n1','processing_min':{'standard':60}}");
    harness_do(harness, "stock.set", "{'item':'b','node':'n1','on_hand':5}");
    order_lives(harness, "o1");
    order_route(harness, "o2", 4);
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':1}");
    harness_do(harness, "stock.policy", "{'item':'a','node':'n1','safety_stock':2}");
    harness_do(harness, "stock.load", "{'node':'n1','rows':[['a',2]]}");
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
    harness_do(harness, "fulfil.reject",
               "{'fulfilment':'o2/1','reason':'other','stock_action':'zero','reroute':false}");
    harness_do(harness, "order.cancel", "{'order_id':'o2'}");
}

static uint32_t types_among(const json_t *answer, const char *type)
{
    size_t i;
    json_t *event;
    uint32_t count = 0;
    json_array_foreach(json_object_get(answer, "events"), i, event)
    {
        count += strcmp(json_string_value(json_object_get(event, "type")), type) == 0;
    }
    return count;
}

/* Read live; after the orders have left memory; after a start from the log; after one from a
 * snapshot that has them no more: the same to the last field. */
static void events_last(void **state)
{
    static const char *const types[] = {"order.done",   "promise.broken", "stock.short",
                                        "order.cancelled", "order.changed", "order.held"};
    struct harness *harness = *state;
    everything_happens(harness);
    json_t *live = harness_ask(harness, "events.read", "{'from_lsn':0,'limit':1000}");
    for (uint32_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types_among(live, types[i]) == 0) {
            fail_msg("the test has no %s: it shows nothing of it", types[i]);
        }
    }
    assert_int_equal(types_among(live, "order.done"), 2);
    assert_int_equal(types_among(live, "stock.short"), 3);
    harness->wall_ms += harness->options.order_window_ms + 60000;
    harness_do(harness, "stock.set", "{'item':'b','node':'n2','on_hand':7}");
    harness_refute(harness, "order.get", "{'order_id':'o1'}", "UNKNOWN_ORDER", "o1");
    for (int round = 0; round < 2; round++) {
        json_t *later = harness_ask(harness, "events.read",
                                    "{'from_lsn':0,'limit':%zu}",
                                    json_array_size(json_object_get(live, "events")));
        assert_true(json_equal(json_object_get(live, "events"), json_object_get(later, "events")));
        harness_drop(later);
        harness_restart(harness);
    }
    harness_drop(live);
}

/* By a movement, a rule of the cell or the node, a load, a sale in the store: whatever took what
 * was promised. */
static void every_cause_of_shortness_is_told(void **state)
{
    struct harness *harness = *state;
    const char *const causes[][2] = {
        {"stock.adjust", "{'item':'a','node':'n1','delta':-9}"},
        {"stock.policy", "{'item':'a','node':'n1','safety_stock':9}"},
        {"stock.load", "{'node':'n1','rows':[['a',1]]}"},
        {"node.put", "{'node':'n1','safety_stock':9}"},
        {"order.route", "{'order_id':'till','service':'standard','sold_at':'n1',"
                        "'dest':{'lat':40.0,'lon':-74.0},'lines':[{'item':'a','qty':9,"
                        "'service':'carry_out','node':'n1'}]}"},
    };
    order_route(harness, "o1", 3);
    for (uint32_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        harness_do(harness, "node.put", "{'node':'n1','safety_stock':0}");
        harness_do(harness, "stock.policy", "{'item':'a','node':'n1','safety_stock':null}");
        harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
        const int64_t lsn = lsn_now(harness);
        harness_do(harness, causes[i][0], "%s", causes[i][1]);
        json_t *answer = harness_ask(harness, "events.read",
                                     "{'from_lsn':%lld,'types':['stock.short']}",
                                     (long long)lsn + 1);
        if (harness_count(answer, "events") != 1) {
            fail_msg("%s tells %u", causes[i][0], harness_count(answer, "events"));
        }
        assert_int_equal(harness_int(answer, "events.0.short"), 2);
        assert_string_equal(harness_text(answer, "events.0.fulfilments.0"), "o1/1");
        harness_drop(answer);
    }
}

/* -- promises -- */

/* n1 and n2 promise the next working day, n3 the third; o1 is of n1. */
static int64_t dates_begin(struct harness *harness)
{
    harness_do(harness, "node.put", "{'node':'n3','type':'warehouse','lat':40.0,'lon':-90.0,"
                                    "'processing_min':{'standard':60}}");
    harness_do(harness, "stock.set", "{'item':'a','node':'n2','on_hand':0}");
    order_route(harness, "o1", 3);
    return lsn_now(harness);
}

/* The only broken promise since: by what cause, of n1, to a later date, or with an owed rest. */
static void expect_broken(struct harness *harness, int64_t lsn, const char *cause, bool has_date,
                          bool is_owed)
{
    json_t *answer =
        harness_ask(harness, "events.read", "{'from_lsn':%lld,'types':['promise.broken']}",
                    (long long)lsn + 1);
    assert_int_equal(harness_count(answer, "events"), cause != NULL);
    const json_t *event = json_array_get(json_object_get(answer, "events"), 0);
    if (cause) {
        assert_string_equal(harness_text(answer, "events.0.cause"), cause);
        assert_string_equal(harness_text(answer, "events.0.fulfilment"), "o1/1");
        assert_string_equal(harness_text(answer, "events.0.node"), "n1");
        assert_int_equal(json_object_get(event, "deliver_by") != NULL, has_date);
        assert_int_equal(json_object_get(event, "owed") != NULL, is_owed);
    }
    if (has_date) {
        assert_true(harness_int(answer, "events.0.deliver_by") >
                    harness_int(answer, "events.0.was"));
    }
    harness_drop(answer);
}

/* A promise is told as broken whatever makes it later, and only then. */
static void later_dates_are_told(void **state)
{
    struct harness *harness = *state;
    int64_t lsn = dates_begin(harness);
    harness_do(harness, "stock.set", "{'item':'a','node':'n3','on_hand':20}");
    /* More of it, later: never promised. */
    harness_do(harness, "order.modify", "{'order_id':'o1','lines':[{'line':'x','qty':12}]}");
    expect_broken(harness, lsn, NULL, false, false);
    harness_do(harness, "order.modify", "{'order_id':'o1','lines':[{'line':'x','qty':3}]}");
    harness_do(harness, "node.status", "{'node':'n1','status':'closed','reroute':true}");
    expect_broken(harness, lsn, "node_status", true, false);
    harness_do(harness, "node.status", "{'node':'n1','status':'active'}");
    lsn = lsn_now(harness);
    harness_do(harness, "order.reroute",
               "{'order_id':'o1','fulfilments':['o1/3'],'exclude_nodes':['n3']}"); /* sooner */
    expect_broken(harness, lsn, NULL, false, false);
}

/* Owed first, later by new stock: told both times, of the fulfilment that had promised. */
static void owed_promises_are_told_twice(void **state)
{
    struct harness *harness = *state;
    int64_t lsn = dates_begin(harness);
    harness_do(harness, "fulfil.reject",
               "{'fulfilment':'o1/1','reason':'damaged','lines':[{'line':'x','qty_found':1}]}");
    expect_broken(harness, lsn, "reject", false, true);
    lsn = lsn_now(harness);
    harness_do(harness, "stock.set", "{'item':'a','node':'n3','on_hand':1}");
    expect_broken(harness, lsn, "stock", true, false);
    lsn = lsn_now(harness);
    harness_do(harness, "stock.set", "{'item':'a','node':'n2','on_hand':1}"); /* in time now */
    expect_broken(harness, lsn, NULL, false, false);
    harness_do(harness, "order.route",
               "{'order_id':'o2','service':'standard','dest':{'lat':40.0,'lon':-74.0},"
               "'backorder':true,'lines':[{'item':'a','qty':12}]}"); /* some now, the rest later */
    lsn = lsn_now(harness);
    harness_do(harness, "stock.set", "{'item':'a','node':'n3','on_hand':20}");
    expect_broken(harness, lsn, NULL, false, false);
}

/* Units that carts hold give way first: only what orders lack is short. */
static void carts_give_way(void **state)
{
    static const char *const types[] = {"stock.changed", "stock.short", "reserve.broken",
                                        "reserve.broken"};
    struct harness *harness = *state;
    order_route(harness, "o1", 3);
    harness_do(harness, "reserve.create",
               "{'reservation_id':'r1','ttl_ms':60000,'lines':[{'item':'a','qty':2,'node':'n1'}]}");
    harness_do(harness, "reserve.create",
               "{'reservation_id':'r2','ttl_ms':60000,'lines':[{'item':'a','qty':4,'node':'n1'}]}");
    const int64_t lsn = lsn_now(harness);
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':4}");
    json_t *answer = read_from(harness, lsn + 1);
    expect_types(answer, (const char *const[]){"stock.changed", "reserve.broken",
                                               "reserve.broken"}, 3);
    assert_string_equal(harness_text(answer, "events.1.reservation_id"), "r2");
    assert_int_equal(harness_int(answer, "events.1.qty"), 4);
    assert_string_equal(harness_text(answer, "events.2.reservation_id"), "r1");
    assert_int_equal(harness_int(answer, "events.2.qty"), 1);
    harness_drop(answer);
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
    harness_do(harness, "reserve.update", "{'reservation_id':'r1','ttl_ms':60000,"
                                          "'lines':[{'item':'a','qty':2,'node':'n1'}]}");
    harness_do(harness, "reserve.update", "{'reservation_id':'r2','ttl_ms':60000,"
                                          "'lines':[{'item':'a','qty':4,'node':'n1'}]}");
    const int64_t next = lsn_now(harness);
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':1}");
    answer = read_from(harness, next + 1);
    expect_types(answer, types, 4);
    assert_int_equal(harness_int(answer, "events.1.short"), 2);
    harness_drop(answer);
}

/* Sent behind a change on the same connection, it waits until that is durable. */
static void earlier_change_is_seen(void **state)
{
    struct harness *harness = *state;
    const int64_t lsn = lsn_now(harness);
    const uint32_t change =
        harness_stage(harness, 0, "stock.adjust", "{'item':'a','node':'n1','delta':1}");
    const uint32_t read =
        harness_stage(harness, 0, "events.read", "{'from_lsn':%lld}", (long long)lsn + 1);
    harness_run(harness);
    harness_drop(harness_take(harness, change));
    json_t *answer = harness_take(harness, read);
    assert_int_equal(harness_count(answer, "events"), 1);
    assert_int_equal(harness_int(answer, "events.0.delta"), 1);
    harness_drop(answer);
}

static void bad_places_are_refused(void **state)
{
    struct harness *harness = *state;
    harness_refute(harness, "events.read", "{'from_lsn':1000}", "INVALID_ARGUMENT", "from_lsn");
    harness_refute(harness, "events.read", "{}", "INVALID_ARGUMENT", "from_lsn");
    harness_refute(harness, "events.read", "{'from_lsn':1,'log_id':'x'}", "EVENTS_GONE",
                   "oldest_lsn=1");
    harness_refute(harness, "events.read", "{'from_lsn':1,'types':[]}", "INVALID_ARGUMENT",
                   "types");
    harness_refute(harness, "events.read", "{'from_lsn':1,'nodes':['x']}", "INVALID_ARGUMENT",
                   "unknown node");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(order_is_told_as_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(shipping_ends_an_order, setup, teardown),
        cmocka_unit_test_setup_teardown(rejection_is_told_in_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(short_cells_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(reservations_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(strategies_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(filters_keep_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(limit_does_not_divide, setup, teardown),
        cmocka_unit_test_setup_teardown(restart_tells_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(events_last, setup, teardown),
        cmocka_unit_test_setup_teardown(every_cause_of_shortness_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(carts_give_way, setup, teardown),
        cmocka_unit_test_setup_teardown(later_dates_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(owed_promises_are_told_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(earlier_change_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_places_are_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
