/* Kits through the service: what they are made of comes whole from one node, moves along, goes
 * back and comes back in whole kits, and a restart and a snapshot find all of it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

static void stock(struct harness *harness, const char *item, const char *node, int on_hand)
{
    harness_do(harness, "stock.set", "{'item':'%s','node':'%s','on_hand':%d}", item, node, on_hand);
}

/* A picnic set is a basket and four plates. n1 is nearest, then n2, then n3. */
static int setup(void **state)
{
    struct harness *harness = malloc(sizeof *harness);
    assert_non_null(harness);
    harness_init(harness);
    harness->options.log.unsafe_no_sync = true;
    harness_start(harness);
    for (int i = 1; i <= 3; i++) {
        harness_do(harness, "node.put", "{'node':'n%d','type':'warehouse','lat':%d,'lon':-74}", i,
                   40 + i);
    }
    harness_do(harness, "item.put", "{'item':'basket'}");
    harness_do(harness, "item.put", "{'item':'plate'}");
    harness_do(harness, "item.put", "{'item':'rug'}");
    harness_do(harness, "item.put",
               "{'item':'set','components':[{'item':'basket'},{'item':'plate','qty':4}]}");
    *state = harness;
    return 0;
}

static json_t *route(struct harness *harness, const char *id, const char *lines, const char *more)
{
    return harness_ask(harness, "order.route",
                       "{'order_id':'%s','service':'standard','dest':{'lat':40,'lon':-74},%s"
                       "'lines':[%s]}",
                       id, more, lines);
}

static void route_one(struct harness *harness, const char *id, int qty)
{
    char line[64];
    snprintf(line, sizeof line, "{'item':'set','qty':%d}", qty);
    json_t *answer = route(harness, id, line, "");
    assert_string_equal(harness_text(answer, "status"), "routed");
    harness_drop(answer);
}

/* n1 has baskets, n2 plates, n3 both: the set comes whole from n3, told by its components. */
static void whole_from_one_node(void **state)
{
    struct harness *harness = *state;
    stock(harness, "basket", "n1", 9);
    stock(harness, "plate", "n2", 90);
    stock(harness, "basket", "n3", 2);
    stock(harness, "plate", "n3", 8);
    json_t *answer = route(harness, "o", "{'item':'set','qty':2}", "");
    assert_int_equal(harness_count(answer, "fulfilments"), 1);
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "n3");
    assert_int_equal(harness_count(answer, "fulfilments.0.lines"), 2);
    assert_string_equal(harness_text(answer, "fulfilments.0.lines.1.line"), "1");
    assert_string_equal(harness_text(answer, "fulfilments.0.lines.1.kit"), "set");
    assert_string_equal(harness_text(answer, "fulfilments.0.lines.1.item"), "plate");
    assert_int_equal(harness_int(answer, "fulfilments.0.lines.1.qty"), 8);
    harness_drop(answer);
    harness_expect_cell(harness, "basket", "n3", 2, 2);
    harness_expect_cell(harness, "plate", "n3", 8, 8);
    answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "lines.0.kit"), "set");
    assert_int_equal(harness_int(answer, "lines.1.per_kit"), 4);
    assert_int_equal(harness_int(answer, "lines.1.open"), 8);
    harness_drop(answer);
    answer = route(harness, "p", "{'item':'set','qty':1}", "");
    assert_string_equal(harness_text(answer, "reason"), "INSUFFICIENT_STOCK");
    assert_int_equal(harness_int(answer, "unfilled.0.available"), 9);
    assert_int_equal(harness_int(answer, "unfilled.1.available"), 90);
    harness_drop(answer);
}

/* Lines beside the set: all from one node where one has it, else the set first, the rest around
 * it; what comes from the set's node is one parcel with it. Names are those of the request. */
static void lines_beside_a_kit(void **state)
{
    struct harness *harness = *state;
    stock(harness, "rug", "n1", 5);
    stock(harness, "basket", "n2", 5);
    stock(harness, "plate", "n2", 30);
    json_t *answer = route(harness, "o", "{'item':'set','qty':1},{'item':'rug','qty':1},"
                                         "{'item':'plate','qty':2}", "");
    assert_int_equal(harness_count(answer, "fulfilments"), 2);
    assert_int_equal(harness_int(answer, "splits"), 1);
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "n2");
    assert_int_equal(harness_count(answer, "fulfilments.0.lines"), 3);
    assert_string_equal(harness_text(answer, "fulfilments.0.lines.2.line"), "3");
    assert_string_equal(harness_text(answer, "fulfilments.1.lines.0.line"), "2");
    assert_string_equal(harness_text(answer, "fulfilments.1.node"), "n1");
    harness_drop(answer);
    answer = route(harness, "p", "{'item':'set','qty':1},{'item':'rug','qty':1}",
                   "'max_splits':0,");
    assert_string_equal(harness_text(answer, "reason"), "MAX_SPLITS_EXCEEDED");
    harness_drop(answer);
    stock(harness, "rug", "n2", 5);
    answer = route(harness, "p", "{'item':'set','qty':1},{'item':'rug','qty':1}",
                   "'max_splits':0,");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "n2");
    assert_true(harness_bool(answer, "optimal"));
    harness_drop(answer);
}

/* With allow_partial a kit line is there whole or not at all. */
static void partial_in_whole_lines(void **state)
{
    struct harness *harness = *state;
    stock(harness, "basket", "n1", 1);
    stock(harness, "plate", "n1", 9);
    json_t *answer = route(harness, "o", "{'item':'set','qty':2},{'item':'plate','qty':3}",
                           "'allow_partial':true,");
    assert_string_equal(harness_text(answer, "status"), "partial");
    assert_int_equal(harness_count(answer, "unfilled"), 2);
    assert_int_equal(harness_int(answer, "unfilled.1.qty"), 8);
    assert_int_equal(harness_count(answer, "fulfilments.0.lines"), 1);
    assert_int_equal(harness_int(answer, "fulfilments.0.lines.0.qty"), 3);
    harness_drop(answer);
}

/* Cancelled, shipped and returned in kits, by the name of the line. */
static void life_in_whole_kits(void **state)
{
    struct harness *harness = *state;
    stock(harness, "basket", "n1", 5);
    stock(harness, "plate", "n1", 20);
    route_one(harness, "o", 5);
    harness_do(harness, "order.cancel", "{'order_id':'o','lines':[{'line':1,'qty':2}]}");
    harness_expect_cell(harness, "basket", "n1", 5, 3);
    harness_expect_cell(harness, "plate", "n1", 20, 12);
    json_t *answer = harness_ask(harness, "order.cancel",
                                 "{'order_id':'o','lines':[{'line':1,'qty':6}]}");
    assert_string_equal(harness_text(answer, "reason"), "QTY_EXCEEDS_ORDERED");
    assert_int_equal(harness_int(answer, "ordered"), 5);
    harness_drop(answer);
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'o/1','state':'shipped','lines':[{'line':1,'qty':2}]}");
    harness_expect_cell(harness, "basket", "n1", 3, 1);
    harness_expect_cell(harness, "plate", "n1", 12, 4);
    harness_restart(harness);
    harness_do(harness, "fulfil.update", "{'fulfilment':'o/1','state':'delivered'}");
    harness_do(harness, "return.receive", "{'return_id':'r','order_id':'o','node':'n2','lines':"
                                          "[{'line':1,'qty':2,'condition':'sellable'}]}");
    harness_expect_cell(harness, "basket", "n2", 2, 0);
    harness_expect_cell(harness, "plate", "n2", 8, 0);
    harness_do(harness, "return.receive", "{'return_id':'r','node':'n2','lines':"
                                          "[{'item':'set','qty':3,'condition':'sellable'}]}");
    harness_expect_cell(harness, "plate", "n2", 12, 0);
    answer = harness_ask(harness, "return.receive",
                         "{'return_id':'s','order_id':'o','node':'n2','lines':"
                         "[{'line':1,'qty':1,'condition':'sellable'}]}");
    assert_string_equal(harness_text(answer, "reason"), "QTY_EXCEEDS_ORDERED");
    harness_drop(answer);
}

/* A no moves whole kits to a node that has them whole; nobody said which component is missing. */
static void rejected_in_whole_kits(void **state)
{
    struct harness *harness = *state;
    for (int i = 1; i <= 3; i++) {
        char node[4];
        snprintf(node, sizeof node, "n%d", i);
        stock(harness, "plate", node, 20);
        stock(harness, "basket", node, i == 2 ? 0 : 5);
    }
    route_one(harness, "o", 3);
    harness_refute(harness, "fulfil.reject",
                   "{'fulfilment':'o/1','reason':'damaged','stock_action':'set',"
                   "'lines':[{'line':1,'qty_found':2,'on_hand':2}]}",
                   "INVALID_ARGUMENT", "is a kit");
    json_t *answer = harness_ask(harness, "fulfil.reject",
                                 "{'fulfilment':'o/1','reason':'out_of_stock','lines':"
                                 "[{'line':1,'qty_found':2}]}");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "n3");
    assert_int_equal(harness_int(answer, "fulfilments.0.lines.1.qty"), 4);
    assert_string_equal(harness_text(answer, "fulfilments.0.lines.1.kit"), "set");
    harness_drop(answer);
    harness_expect_cell(harness, "plate", "n1", 20, 8);
    harness_expect_cell(harness, "plate", "n3", 20, 4);
    answer = harness_ask(harness, "fulfil.reject", "{'fulfilment':'o/2','reason':'too_busy'}");
    assert_string_equal(harness_text(answer, "status"), "held");
    assert_int_equal(harness_int(answer, "unfilled.1.qty"), 4);
    harness_drop(answer);
    harness_do(harness, "stock.adjust", "{'item':'basket','node':'n2','delta':1}");
    answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "fulfilments.2.node"), "n2");
    assert_int_equal(harness_int(answer, "lines.1.open"), 12);
    harness_drop(answer);
}

/* More or fewer kits of a line. */
static void modified_in_whole_kits(void **state)
{
    struct harness *harness = *state;
    stock(harness, "basket", "n1", 9);
    stock(harness, "plate", "n1", 40);
    route_one(harness, "o", 3);
    harness_do(harness, "order.modify", "{'order_id':'o','lines':[{'line':1,'qty':2}]}");
    harness_expect_cell(harness, "plate", "n1", 40, 8);
    harness_do(harness, "order.modify",
               "{'order_id':'o','lines':[{'line':1,'item':'set','qty':4}]}");
    harness_expect_cell(harness, "basket", "n1", 9, 4);
    harness_expect_cell(harness, "plate", "n1", 40, 16);
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_int_equal(harness_int(answer, "lines.1.qty"), 16);
    assert_string_equal(harness_text(answer, "lines.1.kit"), "set");
    harness_drop(answer);
}

/* A kit that comes later is one all the same: whole from one node, counted in kits, owed whole, and
 * returned, found again after a restart and in a snapshot (see harness_end_by_snapshot). */
static void kits_come_later(void **state)
{
    struct harness *harness = *state;
    stock(harness, "basket", "n1", 9);
    stock(harness, "plate", "n2", 90);
    stock(harness, "rug", "n1", 9);
    stock(harness, "basket", "n3", 5);
    stock(harness, "plate", "n3", 20);
    harness_drop(route(harness, "o", "{'item':'rug','qty':1},{'item':'set','qty':1}", ""));
    json_t *answer = harness_ask(harness, "order.modify",
                                 "{'order_id':'o','lines':[{'line':1,'qty':1},{'line':2,'qty':1},"
                                 "{'line':'gift','item':'set','qty':6}]}");
    assert_string_equal(harness_text(answer, "reason"), "INSUFFICIENT_STOCK");
    assert_string_equal(harness_text(answer, "unfilled.0.line"), "gift");
    assert_string_equal(harness_text(answer, "unfilled.0.kit"), "set");
    assert_int_equal(harness_int(answer, "unfilled.1.qty"), 24);
    harness_drop(answer);
    const char *params = "{'order_id':'o','key':'m','lines':[{'line':1,'qty':2},"
                         "{'line':2,'qty':1},{'line':'gift','item':'set','qty':2},"
                         "{'line':'more','item':'rug','qty':1}]}";
    for (int i = 0; i < 2; i++) {
        answer = harness_ask(harness, "order.modify", "%s", params);
        assert_int_equal(harness_has(answer, "duplicate"), i);
        assert_int_equal(harness_count(answer, "fulfilments"), 2);
        assert_string_equal(harness_text(answer, "fulfilments.0.node"), "n3");
        assert_int_equal(harness_count(answer, "fulfilments.0.lines"), 2);
        assert_string_equal(harness_text(answer, "fulfilments.0.lines.1.line"), "gift");
        assert_string_equal(harness_text(answer, "fulfilments.0.lines.1.kit"), "set");
        assert_int_equal(harness_int(answer, "fulfilments.0.lines.1.qty"), 8);
        harness_drop(answer);
        harness_restart(harness);
    }
    harness_expect_cell(harness, "plate", "n3", 20, 12);
    harness_do(harness, "order.modify",
               "{'order_id':'o','lines':[{'line':1,'qty':2},{'line':2,'qty':1},"
               "{'line':'gift','item':'set','qty':3},{'line':'more','qty':1}]}");
    harness_expect_cell(harness, "plate", "n3", 20, 16);
    harness_snapshot(harness);
    harness_restart(harness);
    answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_int_equal(harness_count(answer, "lines"), 6);
    assert_string_equal(harness_text(answer, "lines.4.line"), "gift");
    assert_string_equal(harness_text(answer, "lines.4.kit"), "set");
    assert_int_equal(harness_int(answer, "lines.4.per_kit"), 4);
    assert_int_equal(harness_int(answer, "lines.4.open"), 12);
    assert_false(harness_has(answer, "lines.5.kit"));
    harness_drop(answer);
    harness_do(harness, "order.cancel",
               "{'order_id':'o','lines':[{'line':'gift','qty':1}]}"); /* of the kits, one */
    answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_int_equal(harness_int(answer, "lines.3.open"), 2);
    assert_int_equal(harness_int(answer, "lines.4.open"), 8);
    harness_drop(answer);
    harness_refute(harness, "order.modify",
                   "{'order_id':'o','lines':[{'line':'x','item':'set','qty':1000000}]}",
                   "INVALID_ARGUMENT", "of a component");
}

/* An order of 1,000 lines has no room for one kit more, one of 998 has for its two components. */
static void kits_come_later_up_to_the_limit(void **state)
{
    struct harness *harness = *state;
    const uint32_t room = 1000 * 40;
    char *lines = malloc(room);
    assert_non_null(lines);
    stock(harness, "basket", "n1", 2000);
    stock(harness, "plate", "n1", 2000);
    for (uint32_t count = 998; count <= 999; count++) {
        uint32_t at = 0;
        for (uint32_t i = 0; i < count; i++) {
            at += (uint32_t)snprintf(lines + at, room - at, "%s{'item':'basket','qty':1}",
                                     i ? "," : "");
        }
        harness_drop(route(harness, count == 998 ? "o" : "p", lines, ""));
    }
    free(lines);
    harness_do(harness, "order.modify",
               "{'order_id':'o','lines':[{'line':1,'qty':1},{'line':'k','item':'set','qty':1}]}");
    harness_refute(harness, "order.modify",
                   "{'order_id':'p','lines':[{'line':1,'qty':1},"
                   "{'line':'k','item':'set','qty':1}]}",
                   "TOO_LARGE", "components of kits");
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "lines.999.kit"), "set");
    harness_drop(answer);
}

/* What is owed of a kit comes when a node has it whole. */
static void backordered_in_whole_kits(void **state)
{
    struct harness *harness = *state;
    stock(harness, "basket", "n1", 1);
    stock(harness, "plate", "n2", 8);
    json_t *answer = route(harness, "o", "{'item':'set','qty':1}", "'backorder':true,");
    assert_string_equal(harness_text(answer, "status"), "backordered");
    assert_int_equal(harness_count(answer, "unfilled"), 2);
    harness_drop(answer);
    stock(harness, "plate", "n1", 3);
    harness_expect_cell(harness, "plate", "n1", 3, 0);
    harness_do(harness, "stock.adjust", "{'item':'plate','node':'n1','delta':1}");
    harness_expect_cell(harness, "plate", "n1", 4, 4);
    harness_expect_cell(harness, "basket", "n1", 1, 1);
}

/* Carts and quotes take kits as orders do. */
static void carts_and_quotes(void **state)
{
    struct harness *harness = *state;
    stock(harness, "basket", "n1", 9);
    stock(harness, "basket", "n2", 2);
    stock(harness, "plate", "n2", 8);
    json_t *answer = harness_ask(harness, "promise.quote",
                                 "{'lines':[{'item':'rug','qty':1},{'item':'set','qty':2}],"
                                 "'services':['standard'],'dest':{'lat':40,'lon':-74}}");
    assert_false(harness_bool(answer, "options.0.feasible"));
    assert_string_equal(harness_text(answer, "options.0.missing.0.line"), "1");
    harness_drop(answer);
    answer = harness_ask(harness, "promise.quote",
                         "{'lines':[{'item':'set','qty':2}],"
                         "'services':['standard'],'dest':{'lat':40,'lon':-74}}");
    assert_string_equal(harness_text(answer, "options.0.fulfilments.0.node"), "n2");
    assert_string_equal(harness_text(answer, "options.0.fulfilments.0.lines.1.kit"), "set");
    assert_int_equal(harness_int(answer, "options.0.fulfilments.0.lines.1.qty"), 8);
    harness_drop(answer);
    harness_do(harness, "reserve.create",
               "{'reservation_id':'r','ttl_ms':60000,'lines':[{'item':'set','qty':2}]}");
    harness_expect_cell(harness, "basket", "n2", 2, 2);
    harness_expect_cell(harness, "plate", "n2", 8, 8);
    answer = route(harness, "o", "{'item':'set','qty':2}", "'reservation_id':'r',");
    assert_string_equal(harness_text(answer, "reservation"), "committed");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "n2");
    harness_drop(answer);
}

/* stock.get and stock.find count kits: as many as every component is enough for. */
static void counted_by_components(void **state)
{
    struct harness *harness = *state;
    stock(harness, "basket", "n1", 9);
    stock(harness, "plate", "n1", 11);
    stock(harness, "basket", "n2", 1);
    stock(harness, "plate", "n2", 99);
    json_t *answer = harness_ask(harness, "stock.get", "{'item':'set','node':'n1'}");
    assert_int_equal(harness_int(answer, "ats"), 2);
    assert_int_equal(harness_int(answer, "components.1.ats"), 11);
    harness_drop(answer);
    answer = harness_ask(harness, "stock.find",
                         "{'items':[{'item':'set'}],'dest':{'lat':40,'lon':-74}}");
    assert_int_equal(harness_int(answer, "items.0.ats"), 3);
    assert_int_equal(harness_int(answer, "items.0.nodes.0.ats"), 2);
    assert_string_equal(harness_text(answer, "items.0.nodes.1.node"), "n2");
    harness_drop(answer);
}

/* A later change of the kit is for later orders. */
static void an_order_keeps_its_kit(void **state)
{
    struct harness *harness = *state;
    stock(harness, "basket", "n1", 9);
    stock(harness, "plate", "n1", 20);
    route_one(harness, "o", 2);
    harness_do(harness, "item.put",
               "{'item':'set','components':[{'item':'basket'},{'item':'plate','qty':6}]}");
    route_one(harness, "p", 2);
    harness_expect_cell(harness, "plate", "n1", 20, 20);
    harness_do(harness, "order.cancel", "{'order_id':'o','lines':[{'line':1,'qty':1}]}");
    harness_expect_cell(harness, "plate", "n1", 20, 16);
    harness_do(harness, "item.put", "{'item':'set','components':null}");
    harness_do(harness, "stock.set", "{'item':'set','node':'n1','on_hand':1}");
    harness_do(harness, "order.cancel", "{'order_id':'o'}");
    harness_expect_cell(harness, "plate", "n1", 20, 12);
}

/* What a kit may not be, and what may not be done with one. */
static void kits_have_limits(void **state)
{
    struct harness *harness = *state;
    stock(harness, "rug", "n1", 1);
    const char *invalid = "INVALID_ARGUMENT";
    harness_refute(harness, "item.put", "{'item':'rug','components':[{'item':'plate'}]}", invalid,
                   "has stock");
    harness_refute(harness, "item.put", "{'item':'big','components':[{'item':'set'}]}", invalid,
                   "nested");
    harness_refute(harness, "item.put", "{'item':'plate','components':[{'item':'rug'}]}", invalid,
                   "nested");
    harness_refute(harness, "item.put", "{'item':'set','components':[{'item':'set'}]}", invalid,
                   "itself");
    harness_refute(harness, "item.put",
                   "{'item':'big','components':[{'item':'rug'},{'item':'rug'}]}", invalid, "twice");
    harness_refute(harness, "item.put", "{'item':'big','components':[{'item':'none'}]}",
                   "UNKNOWN_ITEM", "none");
    harness_refute(harness, "item.put", "{'item':'big','components':[{'item':'rug','qty':1001}]}",
                   invalid, "1000");
    harness_refute(harness, "stock.set", "{'item':'set','node':'n1','on_hand':1}", invalid, "kit");
    harness_refute(harness, "stock.adjust", "{'item':'set','node':'n1','delta':1}", invalid, "kit");
    harness_refute(harness, "stock.policy", "{'item':'set','node':'n1','listed':true}", invalid,
                   "kit");
    harness_refute(harness, "stock.load", "{'node':'n1','rows':[['set',1]]}", invalid, "kit");
    harness_refute(harness, "supply.put", "{'supply_id':'s','item':'set','node':'n1','qty':1}",
                   invalid, "kit");
    harness_refute(harness, "transfer.create", "{'transfer_id':'t','from':'n1','to':'n2',"
                                               "'lines':[{'item':'set','qty':1}]}",
                   invalid, "kit");
    json_t *answer = harness_ask(harness, "item.get", "{'item':'set'}");
    assert_int_equal(harness_count(answer, "components"), 2);
    assert_int_equal(harness_int(answer, "components.1.qty"), 4);
    harness_drop(answer);
}

/* 500 lines of a kit of two are 1,000 lines, one more is too many. */
static void as_many_lines_as_any_order(void **state)
{
    static char lines[40000];
    size_t len = 0;
    for (int i = 0; i < 500; i++) {
        len += (size_t)snprintf(lines + len, sizeof lines - len, "%s{'item':'set','qty':1}",
                                i ? "," : "");
    }
    stock(*state, "basket", "n1", 900);
    stock(*state, "plate", "n1", 4000);
    json_t *answer = route(*state, "o", lines, "");
    assert_int_equal(harness_count(answer, "fulfilments.0.lines"), 1000);
    harness_drop(answer);
    snprintf(lines + len, sizeof lines - len, ",{'item':'rug','qty':1}");
    answer = route(*state, "p", lines, "");
    assert_non_null(strstr(harness_text(answer, "error.1"), "1000 lines"));
    harness_drop(answer);
    answer = route(*state, "p", "{'item':'set','qty':250001}", "");
    assert_non_null(strstr(harness_text(answer, "error.1"), "1000000 units"));
    harness_drop(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_from_one_node, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(lines_beside_a_kit, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(partial_in_whole_lines, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(life_in_whole_kits, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(rejected_in_whole_kits, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(modified_in_whole_kits, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(kits_come_later, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(kits_come_later_up_to_the_limit, setup,
                                        harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(backordered_in_whole_kits, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(carts_and_quotes, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(counted_by_components, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(an_order_keeps_its_kit, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(kits_have_limits, setup, harness_end_by_snapshot),
        cmocka_unit_test_setup_teardown(as_many_lines_as_any_order, setup, harness_end_by_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
