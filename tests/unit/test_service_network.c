/* Nodes and items through the service: puts are merged, faults named, status respected, and a
 * restart finds all of it again. */
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
    *state = harness;
    return 0;
}

/* A list of words as text: "ship return". */
static const char *words(const json_t *answer, const char *field)
{
    static char text[256];
    size_t len = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < harness_count(answer, field); i++) {
        char path[64];
        snprintf(path, sizeof path, "%s.%u", field, i);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i ? " " : "",
                                harness_text(answer, path));
        assert_true(len < sizeof text);
    }
    return text;
}

/* A new node has the defaults of its type; what a later put leaves out stays, nil sets back. */
static void node_put_is_merged(void **state)
{
    struct harness *harness = *state;
    json_t *answer = harness_ask(harness, "node.put",
                                 "{'node':'s','type':'store','lat':40,'lon':-74.5,'name':'Main',"
                                 "'postcode':'ab-1 2c','priority':-3,'safety_stock':4,"
                                 "'max_km':{'same_day':12.3456,'standard':500},"
                                 "'serves':['us','-US:99','US'],'bars':['frozen','no_pickup'],"
                                 "'handling_cents':250,'collect_hours':48}");
    assert_true(harness_bool(answer, "created"));
    harness_drop(answer);
    answer = harness_ask(harness, "node.put", "{'node':'s','lat':41,'max_km':{'next_day':7}}");
    assert_false(harness_bool(answer, "created"));
    harness_drop(answer);
    harness_restart(harness);
    answer = harness_ask(harness, "node.get", "{'node':'s'}");
    assert_string_equal(words(answer, "services"), "ship pickup return carry_out");
    assert_string_equal(words(answer, "serves"), "US -US:99");
    assert_string_equal(words(answer, "bars"), "no_pickup frozen");
    assert_string_equal(harness_text(answer, "country"), "US");
    assert_string_equal(harness_text(answer, "postcode"), "AB12C");
    assert_int_equal(harness_int(answer, "priority"), -3);
    assert_int_equal(harness_int(answer, "collect_hours"), 48);
    assert_true(harness_float(answer, "lat") == 41.0);
    assert_int_equal(harness_count(answer, "max_km"), 1);
    assert_true(harness_float(answer, "max_km.next_day") == 7.0);
    harness_drop(answer);
    harness_do(harness, "node.put",
               "{'node':'s','name':null,'serves':null,'bars':null,'max_km':null,'priority':null,"
               "'services':['ship'],'safety_stock':null}");
    answer = harness_ask(harness, "node.get", "{'node':'s'}");
    assert_string_equal(words(answer, "services"), "ship");
    assert_false(harness_has(answer, "name"));
    assert_false(harness_has(answer, "serves"));
    assert_false(harness_has(answer, "bars"));
    assert_int_equal(harness_count(answer, "max_km"), 0);
    assert_int_equal(harness_int(answer, "priority"), 0);
    assert_int_equal(harness_int(answer, "safety_stock"), 0);
    harness_drop(answer);
    harness_do(harness, "node.put", "{'node':'s','services':null}");
    answer = harness_ask(harness, "node.get", "{'node':'s'}");
    assert_string_equal(words(answer, "services"), "ship pickup return carry_out");
    harness_drop(answer);
}

/* Services by type. */
static void types_have_their_services(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "node.put", "{'node':'w','type':'warehouse','lat':1,'lon':1}");
    harness_do(harness, "node.put", "{'node':'v','type':'vendor','lat':1,'lon':1}");
    json_t *answer = harness_ask(harness, "node.get", "{'node':'w'}");
    assert_string_equal(words(answer, "services"), "ship return");
    harness_drop(answer);
    answer = harness_ask(harness, "node.get", "{'node':'v'}");
    assert_string_equal(words(answer, "services"), "ship");
    harness_drop(answer);
}

/* Every fault of a node is told by its field, and leaves no node. */
static void node_faults_are_named(void **state)
{
    struct harness *harness = *state;
    const char *const bad = "INVALID_ARGUMENT";
    harness_refute(harness, "node.put", "{'node':'x'}", bad, "type: missing");
    harness_refute(harness, "node.put", "{'type':'store','lat':1,'lon':1}", bad, "node: missing");
    harness_refute(harness, "node.put", "{'node':'x','type':'shop','lat':1,'lon':1}", bad,
                   "store, warehouse, vendor");
    harness_refute(harness, "node.put", "{'node':'x','type':'store','lat':90.5,'lon':1}", bad,
                   "lat: must be from -90 to 90");
    harness_refute(harness, "node.put", "{'node':'x','type':null,'lat':1,'lon':1}", bad, "type");
    harness_refute(harness, "node.put",
                   "{'node':'x','type':'store','lat':1,'lon':1,'services':['shipp']}", bad,
                   "services[0]");
    harness_refute(harness, "node.put",
                   "{'node':'x','type':'store','lat':1,'lon':1,'max_km':{'standrd':1}}", bad,
                   "did you mean standard");
    harness_refute(harness, "node.put",
                   "{'node':'x','type':'store','lat':1,'lon':1,'max_km':{'standard':0}}", bad,
                   "max_km.standard");
    harness_refute(harness, "node.put",
                   "{'node':'x','type':'store','lat':1,'lon':1,'serves':['U']}", bad, "serves[0]");
    harness_refute(harness, "node.put",
                   "{'node':'x','type':'store','lat':1,'lon':1,'serves':['US:1','-US:1']}", bad,
                   "US:1");
    harness_refute(harness, "node.put", "{'node':'x','type':'store','lat':1,'lon':1,'zone':'UTC'}",
                   bad, "unknown field zone");
    harness_refute(harness, "node.put",
                   "{'node':'x','type':'store','lat':1,'lon':1,'safety_stock':-1}", bad,
                   "safety_stock");
    harness_refute(harness, "node.get", "{'node':'x'}", "UNKNOWN_NODE", "x");
    assert_int_equal(service_tables(harness->service)->network.count, 0);
}

/* A node on hold ships nothing until it is active again, or its time is over; a goal that is
 * reached already is a duplicate. */
static void status_holds_and_ends(void **state)
{
    struct harness *harness = *state;
    const char *order = "{'order_id':'o%d','lines':[{'item':'a','qty':1}],'service':'standard',"
                        "'dest':{'lat':40,'lon':-74}}";
    char params[300];
    harness_do(harness, "node.put", "{'node':'s','type':'store','lat':40,'lon':-74}");
    harness_do(harness, "item.put", "{'item':'a'}");
    harness_do(harness, "stock.set", "{'item':'a','node':'s','on_hand':9}");
    snprintf(params, sizeof params, order, 1);
    harness_do(harness, "order.route", "%s", params);
    json_t *answer = harness_ask(harness, "node.status",
                                 "{'node':'s','status':'on_hold','services':['ship'],'until':%lld}",
                                 (long long)harness->wall_ms + 5000);
    assert_string_equal(harness_text(answer, "status"), "on_hold");
    assert_int_equal(harness_int(answer, "kept"), 1);
    assert_false(harness_has(answer, "duplicate"));
    harness_drop(answer);
    harness_restart(harness);
    snprintf(params, sizeof params, order, 2);
    answer = harness_ask(harness, "order.route", "%s", params);
    assert_string_equal(harness_text(answer, "status"), "refused");
    harness_drop(answer);
    harness->wall_ms += 6000;
    snprintf(params, sizeof params, order, 3);
    harness_do(harness, "order.route", "%s", params);
    answer = harness_ask(harness, "node.status", "{'node':'s','status':'active'}");
    assert_true(harness_bool(answer, "duplicate"));
    assert_int_equal(harness_int(answer, "kept"), 2);
    harness_drop(answer);
    harness_refute(harness, "node.status", "{'node':'s','status':'active','until':9999999999999}",
                   "INVALID_ARGUMENT", "until");
    harness_refute(harness, "node.status", "{'node':'s','status':'closed','until':5}",
                   "INVALID_ARGUMENT", "until");
}

/* Nodes come page by page in the order of their making. */
static void nodes_come_in_pages(void **state)
{
    struct harness *harness = *state;
    for (int i = 0; i < 25; i++) {
        harness_do(harness, "node.put", "{'node':'n%d','type':'store','lat':%d,'lon':1}", i, i);
    }
    char after[64] = "";
    int seen = 0;
    for (bool has_more = true; has_more;) {
        json_t *answer = harness_ask(harness, "node.list", "{'limit':10%s}", after);
        for (uint32_t i = 0; i < harness_count(answer, "nodes"); i++, seen++) {
            char path[32];
            snprintf(path, sizeof path, "nodes.%u.lat", i);
            assert_true(harness_float(answer, path) == seen);
        }
        has_more = harness_has(answer, "next");
        if (has_more) {
            snprintf(after, sizeof after, ",'after':'%s'", harness_text(answer, "next"));
        }
        harness_drop(answer);
    }
    assert_int_equal(seen, 25);
    harness_refute(harness, "node.list", "{'after':'zz'}", "UNKNOWN_NODE", "zz");
}

/* Items are merged like nodes; flags are numbered once and limited. */
static void item_put_is_merged(void **state)
{
    struct harness *harness = *state;
    json_t *answer = harness_ask(harness, "item.put",
                                 "{'item':'a','weight_g':500,'flags':['cold','cold','no_pickup'],"
                                 "'not_to':['de','US:9']}");
    assert_true(harness_bool(answer, "created"));
    harness_drop(answer);
    harness_do(harness, "item.put", "{'item':'a','weight_g':600}");
    harness_restart(harness);
    answer = harness_ask(harness, "item.get", "{'item':'a'}");
    assert_int_equal(harness_int(answer, "weight_g"), 600);
    assert_string_equal(words(answer, "flags"), "no_pickup cold");
    assert_string_equal(words(answer, "not_to"), "DE US:9");
    harness_drop(answer);
    harness_do(harness, "item.put", "{'item':'a','flags':null,'not_to':[]}");
    answer = harness_ask(harness, "item.get", "{'item':'a'}");
    assert_int_equal(harness_count(answer, "flags"), 0);
    assert_int_equal(harness_count(answer, "not_to"), 0);
    assert_int_equal(harness_int(answer, "weight_g"), 600);
    harness_drop(answer);
    for (int i = 0; i < 60; i++) {
        harness_do(harness, "item.put", "{'item':'a','flags':['f%d']}", i);
    }
    harness_refute(harness, "item.put", "{'item':'b','flags':['f1','beyond']}", "TABLE_FULL",
                   "beyond");
    harness_refute(harness, "item.get", "{'item':'b'}", "UNKNOWN_ITEM", "b");
}

/* Items are limited by their setting. */
static void items_are_limited(void **state)
{
    struct harness *harness = *state;
    harness_close(harness);
    harness_init(harness);
    harness->options.tables.items_max = 3;
    harness_start(harness);
    for (int i = 0; i < 3; i++) {
        harness_do(harness, "item.put", "{'item':'i%d'}", i);
    }
    harness_refute(harness, "item.put", "{'item':'i3'}", "TABLE_FULL", "items_max=3");
    harness_do(harness, "item.put", "{'item':'i2','weight_g':1}");
}

/* A keyed put answers a repeat with the first answer; so does a keyed status. */
static void keyed_puts_happen_once(void **state)
{
    struct harness *harness = *state;
    const char *put = "{'node':'s','type':'store','lat':40,'lon':-74,'key':'k'}";
    harness_do(harness, "node.put", "%s", put);
    harness_do(harness, "node.put", "{'node':'s','lat':50}");
    harness_restart(harness);
    json_t *answer = harness_ask(harness, "node.put", "%s", put);
    assert_true(harness_bool(answer, "duplicate"));
    assert_true(harness_bool(answer, "created"));
    harness_drop(answer);
    answer = harness_ask(harness, "node.get", "{'node':'s'}");
    assert_true(harness_float(answer, "lat") == 50.0);
    harness_drop(answer);
    const char *hold = "{'node':'s','status':'on_hold','key':'k'}";
    harness_do(harness, "node.status", "%s", hold);
    harness_do(harness, "node.status", "{'node':'s','status':'active'}");
    answer = harness_ask(harness, "node.status", "%s", hold);
    assert_true(harness_bool(answer, "duplicate"));
    assert_string_equal(harness_text(answer, "status"), "active");
    harness_drop(answer);
    harness_refute(harness, "node.status", "{'node':'s','status':'closed','key':'k'}",
                   "IDEMPOTENCY_CONFLICT", "k");
}

/* node.put of a node that serves count areas from the first on: US:000000, US:000001, ... */
static const char *serving(uint32_t first, uint32_t count)
{
    static char params[32 * NODE_AREAS_MAX];
    int at = snprintf(params, sizeof params,
                      "{'node':'s','type':'store','lat':50,'lon':1,'serves':[");
    for (uint32_t i = 0; i < count; i++) {
        at += snprintf(params + at, sizeof params - (size_t)at, "%s'US:%06u'", i ? "," : "",
                       first + i);
    }
    snprintf(params + at, sizeof params - (size_t)at, "]}");
    return params;
}

/* As many different areas as hello tells, and not one more; those that are known go on. */
static void areas_are_limited(void **state)
{
    struct harness *harness = *state;
    json_t *answer = harness_ask(harness, "hello", "{}");
    const uint32_t limit = (uint32_t)harness_int(answer, "limits.areas");
    harness_drop(answer);
    for (uint32_t first = 0; first < limit - 1; first += NODE_AREAS_MAX) {
        const uint32_t left = limit - 1 - first;
        harness_do(harness, "node.put", "%s",
                   serving(first, left < NODE_AREAS_MAX ? left : NODE_AREAS_MAX));
    }
    harness_refute(harness, "node.put", serving(limit - 1, 2), "TABLE_FULL", "serves");
    harness_do(harness, "node.put", "%s", serving(limit - 3, 3));
    harness_refute(harness, "node.put", serving(limit - 1, 2), "TABLE_FULL", "serves");
    harness_do(harness, "node.put", "%s", serving(0, NODE_AREAS_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(node_put_is_merged, setup, harness_end),
        cmocka_unit_test_setup_teardown(areas_are_limited, setup, harness_end),
        cmocka_unit_test_setup_teardown(types_have_their_services, setup, harness_end),
        cmocka_unit_test_setup_teardown(node_faults_are_named, setup, harness_end),
        cmocka_unit_test_setup_teardown(status_holds_and_ends, setup, harness_end),
        cmocka_unit_test_setup_teardown(nodes_come_in_pages, setup, harness_end),
        cmocka_unit_test_setup_teardown(item_put_is_merged, setup, harness_end),
        cmocka_unit_test_setup_teardown(items_are_limited, setup, harness_end),
        cmocka_unit_test_setup_teardown(keyed_puts_happen_once, setup, harness_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
