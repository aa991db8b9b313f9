/* Strategies through the service: versions, who decides what, what is refused, what an order
 * remembers; a restart finds all of it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

#define CHEAP "'mode':'lexicographic','terms':[{'term':'cost'},{'term':'distance','band':50}]"

static int setup(void **state)
{
    struct harness *harness = harness_new();
    harness_do(harness, "node.put",
               "{'node':'near','type':'store','lat':40.0,'lon':-74.0,'handling_cents':900}");
    harness_do(harness, "node.put",
               "{'node':'far','type':'warehouse','lat':41.0,'lon':-75.0,'handling_cents':100}");
    harness_do(harness, "item.put", "{'item':'a'}");
    harness_do(harness, "stock.set", "{'item':'a','node':'near','on_hand':100}");
    harness_do(harness, "stock.set", "{'item':'a','node':'far','on_hand':100}");
    *state = harness;
    return 0;
}

/* Each other put of a name is its next version; the same again is the one that is there. */
static void test_versions(void **state)
{
    struct harness *harness = *state;
    json_t *answer = harness_ask(harness, "strategy.put", "{'name':'cheap'," CHEAP "}");
    assert_int_equal(harness_int(answer, "version"), 1);
    assert_false(harness_has(answer, "duplicate"));
    harness_drop(answer);
    answer = harness_ask(harness, "strategy.put", "{'name':'cheap'," CHEAP "}");
    assert_int_equal(harness_int(answer, "version"), 1);
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    answer = harness_ask(harness, "strategy.put",
                         "{'name':'cheap'," CHEAP ",'reject':{'max':2,'block_ms':60000}}");
    assert_int_equal(harness_int(answer, "version"), 2);
    harness_drop(answer);
    answer = harness_ask(harness, "strategy.list", "{'limit':1}");
    assert_int_equal(harness_count(answer, "strategies"), 1);
    assert_string_equal(harness_text(answer, "strategies.0.terms.1.term"), "distance");
    assert_true(harness_float(answer, "strategies.0.terms.1.band") == 50.0);
    assert_string_equal(harness_text(answer, "next"), "1");
    harness_drop(answer);
    answer = harness_ask(harness, "strategy.list", "{'after':'1'}");
    assert_int_equal(harness_int(answer, "strategies.0.version"), 2);
    assert_int_equal(harness_int(answer, "strategies.0.reject.max"), 2);
    assert_false(harness_has(answer, "next"));
    harness_drop(answer);
}

static void expect_error(struct harness *harness, const char *method, const char *params,
                         const char *code, const char *field)
{
    json_t *answer = harness_ask(harness, method, "%s", params);
    const char *text = harness_text(answer, "error.1");
    assert_memory_equal(text, code, strlen(code));
    if (!strstr(text, field)) {
        fail_msg("\"%s\" does not name %s", text, field);
    }
    harness_drop(answer);
}

/* What is wrong is told by field, and changes nothing. */
static void test_bad(void **state)
{
    static const char *const cases[][2] = {
        {"{'mode':'weighted','terms':[{'term':'cost','weight':1}]}", "name"},
        {"{'name':'x','terms':[{'term':'cost'}]}", "mode"},
        {"{'name':'x','mode':'weighted'}", "terms"},
        {"{'name':'x','mode':'weighted','terms':[]}", "terms"},
        {"{'name':'x','mode':'weighted','terms':[{'term':'cost'}]}", "terms[0].weight"},
        {"{'name':'x','mode':'weighted','terms':[{'term':'costs','weight':1}]}", "terms[0].term"},
        {"{'name':'x','mode':'weighted','terms':[{'term':'cost','weight':0}]}", "terms[0].weight"},
        {"{'name':'x','mode':'weighted','terms':[{'term':'cost','weight':1001}]}", "weight"},
        {"{'name':'x','mode':'lexicographic','terms':[{'term':'cost','band':0.5}]}", "band"},
        {"{'name':'x','mode':'lexicographic','terms':[{'term':'distance','band':0.0001}]}",
         "band"},
        {"{'name':'x','mode':'lexicographic','terms':[{'term':'cost'}],"
         "'fences':[{'fence':'max_km'}]}", "fences[0]"},
        {"{'name':'x','mode':'lexicographic','terms':[{'term':'cost'}],"
         "'fences':[{'fence':'types','value':3}]}", "fences[0]"},
        {"{'name':'x','mode':'lexicographic','terms':[{'term':'cost'}],"
         "'fences':[{'fence':'types','types':[]}]}", "types"},
        {"{'name':'x','mode':'lexicographic','terms':[{'term':'cost'}],"
         "'fences':[{'fence':'min_acceptance','value':1.5}]}", "value"},
        {"{'name':'x','mode':'lexicographic','terms':[{'term':'cost'}],'reject':{'max':0}}",
         "reject.max"},
        {"{'name':'nearest','mode':'lexicographic','terms':[{'term':'cost'}]}", "name"},
    };
    struct harness *harness = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_error(harness, "strategy.put", cases[i][0], "INVALID_ARGUMENT", cases[i][1]);
    }
    expect_error(harness, "strategy.activate", "{'name':'none'}", "UNKNOWN_STRATEGY", "none");
    expect_error(harness, "strategy.activate", "{'name':'nearest','services':[]}",
                 "INVALID_ARGUMENT", "services");
    expect_error(harness, "strategy.activate", "{'name':'nearest','channels':[]}",
                 "INVALID_ARGUMENT", "channels");
    json_t *answer = harness_ask(harness, "strategy.list", "{}");
    assert_int_equal(harness_count(answer, "strategies"), 0);
    assert_int_equal(harness_count(answer, "active"), 0);
    harness_drop(answer);
}

/* A scope has one entry; nearest for all takes the entry of all away; a repeat says so. */
static void test_scopes(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "strategy.put", "{'name':'cheap'," CHEAP "}");
    harness_do(harness, "strategy.activate", "{'name':'cheap'}");
    harness_do(harness, "strategy.activate",
               "{'name':'cheap','services':['standard','pickup'],'channels':['web','app']}");
    harness_do(harness, "strategy.activate", "{'name':'nearest','channels':['app']}");
    json_t *answer = harness_ask(harness, "strategy.list", "{}");
    assert_int_equal(harness_count(answer, "active"), 6);
    harness_drop(answer);
    answer = harness_ask(harness, "strategy.activate", "{'name':'nearest','channels':['app']}");
    assert_true(harness_bool(answer, "duplicate"));
    assert_int_equal(harness_int(answer, "version"), 0);
    harness_drop(answer);
    harness_do(harness, "strategy.activate", "{'name':'nearest'}");
    answer = harness_ask(harness, "strategy.list", "{}");
    assert_int_equal(harness_count(answer, "active"), 5);
    harness_drop(answer);
}

/* The 65th name has no room, nor has the 257th scope. */
static void test_limits(void **state)
{
    struct harness *harness = *state;
    for (int i = 0; i < STRATEGY_NAMES_MAX; i++) {
        harness_do(harness, "strategy.put", "{'name':'s%d'," CHEAP "}", i);
    }
    expect_error(harness, "strategy.put", "{'name':'more'," CHEAP "}", "TABLE_FULL", "names");
    for (int i = 0; i < STRATEGY_CHOICES_MAX; i++) {
        harness_do(harness, "strategy.activate", "{'name':'s1','channels':['c%d']}", i);
    }
    expect_error(harness, "strategy.activate", "{'name':'s1','channels':['more']}", "TABLE_FULL",
                 "scopes");
    harness_do(harness, "strategy.activate", "{'name':'s2','channels':['c7']}");
}

/* A key makes a put and a choice happen once. */
static void test_keys(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "strategy.put", "{'name':'cheap'," CHEAP ",'key':'k'}");
    harness_do(harness, "strategy.put", "{'name':'cheap','key':'l','mode':'lexicographic',"
                                        "'terms':[{'term':'load'}]}");
    json_t *answer = harness_ask(harness, "strategy.put", "{'name':'cheap'," CHEAP ",'key':'k'}");
    assert_true(harness_bool(answer, "duplicate"));
    assert_int_equal(harness_int(answer, "version"), 1);
    harness_drop(answer);
    expect_error(harness, "strategy.put",
                 "{'name':'cheap','key':'k','mode':'lexicographic','terms':[{'term':'date'}]}",
                 "IDEMPOTENCY_CONFLICT", "k");
    harness_do(harness, "strategy.activate", "{'name':'cheap','version':1,'key':'m'}");
    harness_do(harness, "strategy.activate", "{'name':'cheap','key':'n'}");
    answer = harness_ask(harness, "strategy.activate", "{'name':'cheap','version':1,'key':'m'}");
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    answer = harness_ask(harness, "strategy.list", "{}");
    assert_int_equal(harness_int(answer, "active.0.version"), 2);
    harness_drop(answer);
}

/* A snapshot holds all of it. */
static void test_snapshot(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "strategy.put",
               "{'name':'cheap'," CHEAP ",'fences':[{'fence':'max_km','value':300},"
               "{'fence':'types','types':['store','vendor']}],'reject':{'max':3}}");
    harness_do(harness, "strategy.activate", "{'name':'cheap','channels':['web']}");
    harness_snapshot(harness);
    harness_restart(harness);
    json_t *answer = harness_ask(harness, "strategy.list", "{}");
    assert_int_equal(harness_count(answer, "strategies"), 1);
    assert_string_equal(harness_text(answer, "strategies.0.fences.1.types.1"), "vendor");
    assert_string_equal(harness_text(answer, "active.0.channel"), "web");
    harness_drop(answer);
}

/* -- what they decide -- */

static void route(struct harness *harness, const char *id, const char *more, const char *node)
{
    json_t *answer = harness_ask(harness, "order.route",
                                 "{'order_id':'%s','service':'standard',"
                                 "'dest':{'lat':40.0,'lon':-74.0},"
                                 "'lines':[{'item':'a','qty':1}]%s}",
                                 id, more);
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), node);
    harness_drop(answer);
}

/* With the next request, in the same batch too; by the nearest scope; named ones before all. */
static void test_decides(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "strategy.put", "{'name':'cheap'," CHEAP "}");
    route(harness, "o1", "", "near");
    route(harness, "o2", ",'strategy':'cheap'", "far");
    uint32_t numbers[5];
    numbers[0] = harness_stage(harness, 0, "order.route",
                               "{'order_id':'b0','service':'standard','dest':{'lat':40.0,"
                               "'lon':-74.0},'lines':[{'item':'a','qty':1}]}");
    numbers[1] = harness_stage(harness, 0, "strategy.activate", "{'name':'cheap'}");
    numbers[2] = harness_stage(harness, 0, "order.route",
                               "{'order_id':'b1','service':'standard','dest':{'lat':40.0,"
                               "'lon':-74.0},'lines':[{'item':'a','qty':1}]}");
    numbers[3] = harness_stage(harness, 0, "strategy.activate", "{'name':'nearest'}");
    numbers[4] = harness_stage(harness, 0, "order.route",
                               "{'order_id':'b2','service':'standard','dest':{'lat':40.0,"
                               "'lon':-74.0},'lines':[{'item':'a','qty':1}]}");
    harness_run(harness);
    static const char *const nodes[] = {"near", NULL, "far", NULL, "near"};
    for (int i = 0; i < 5; i++) {
        json_t *answer = harness_take(harness, numbers[i]);
        if (nodes[i]) {
            assert_string_equal(harness_text(answer, "fulfilments.0.node"), nodes[i]);
        }
        harness_drop(answer);
    }
    harness_do(harness, "strategy.activate",
               "{'name':'cheap','services':['standard'],'channels':['web']}");
    route(harness, "o3", ",'channel':'web'", "far");
    route(harness, "o4", ",'channel':'app'", "near");
    route(harness, "o5", ",'channel':'web','strategy':'nearest'", "near");
    expect_error(harness, "order.route",
                 "{'order_id':'o6','service':'standard','dest':{'lat':40.0,'lon':-74.0},"
                 "'lines':[{'item':'a','qty':1}],'strategy':'none'}",
                 "UNKNOWN_STRATEGY", "none");
}

/* A quote and a reservation are decided as the order would be. */
static void test_quotes(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "strategy.put", "{'name':'cheap'," CHEAP "}");
    harness_do(harness, "strategy.activate", "{'name':'cheap','channels':['web']}");
    static const char *const channels[] = {"web", "app"};
    static const char *const nodes[] = {"far", "near"};
    for (int i = 0; i < 2; i++) {
        json_t *answer = harness_ask(harness, "promise.quote",
                                     "{'lines':[{'item':'a','qty':1}],'channel':'%s',"
                                     "'services':['standard'],'dest':{'lat':40.0,'lon':-74.0}}",
                                     channels[i]);
        assert_string_equal(harness_text(answer, "options.0.fulfilments.0.node"), nodes[i]);
        harness_drop(answer);
        answer = harness_ask(harness, "reserve.create",
                             "{'reservation_id':'r%d','ttl_ms':60000,'service':'standard',"
                             "'lines':[{'item':'a','qty':1}],'channel':'%s',"
                             "'dest':{'lat':40.0,'lon':-74.0}}",
                             i, channels[i]);
        assert_string_equal(harness_text(answer, "lines.0.node"), nodes[i]);
        harness_drop(answer);
    }
}

/* The order tells which version decided it, after a snapshot and a restart too. */
static void test_remembers(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "strategy.put", "{'name':'cheap'," CHEAP "}");
    route(harness, "o1", ",'strategy':'cheap'", "far");
    route(harness, "o2", "", "near");
    harness_do(harness, "strategy.put",
               "{'name':'cheap','mode':'lexicographic','terms':[{'term':'load'}]}");
    harness_snapshot(harness);
    harness_restart(harness);
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'o1'}");
    assert_string_equal(harness_text(answer, "strategy"), "cheap");
    assert_int_equal(harness_int(answer, "version"), 1);
    harness_drop(answer);
    answer = harness_ask(harness, "order.get", "{'order_id':'o2'}");
    assert_false(harness_has(answer, "strategy"));
    harness_drop(answer);
    answer = harness_ask(harness, "order.reroute",
                         "{'order_id':'o1','fulfilments':['o1/1'],'strategy':'nearest'}");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "near");
    harness_drop(answer);
    answer = harness_ask(harness, "order.get", "{'order_id':'o1'}");
    assert_false(harness_has(answer, "strategy"));
    harness_drop(answer);
}

/* Fences keep nodes out, and say so; units that must stay are not free. */
static void test_fences(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "strategy.put",
               "{'name':'stores','mode':'lexicographic','terms':[{'term':'distance'}],'fences':["
               "{'fence':'types','types':['store']},{'fence':'keep_last','value':99}]}");
    json_t *answer = harness_ask(harness, "order.route",
                                 "{'order_id':'o1','service':'standard','explain':2,"
                                 "'dest':{'lat':41.0,'lon':-75.0},'strategy':'stores',"
                                 "'lines':[{'item':'a','qty':1}]}");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "near");
    assert_string_equal(harness_text(answer, "explain.strategy"), "stores");
    assert_int_equal(harness_int(answer, "explain.rejected.STRATEGY_FENCED"), 1);
    harness_drop(answer);
    answer = harness_ask(harness, "order.route",
                         "{'order_id':'o2','service':'standard','strategy':'stores',"
                         "'dest':{'lat':41.0,'lon':-75.0},'lines':[{'item':'a','qty':1}]}");
    assert_string_equal(harness_text(answer, "reason"), "INSUFFICIENT_STOCK");
    harness_drop(answer);
}

/* A node that says no gets no new order for so long; the order is held after so many. */
static void test_rejects(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "strategy.put",
               "{'name':'strict','mode':'lexicographic','terms':[{'term':'distance'}],"
               "'reject':{'max':2,'block_ms':60000}}");
    route(harness, "o1", ",'strategy':'strict'", "near");
    json_t *answer = harness_ask(harness, "fulfil.reject",
                                 "{'fulfilment':'o1/1','reason':'too_busy'}");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "far");
    harness_drop(answer);
    route(harness, "o2", "", "far"); /* whatever strategy decides */
    answer = harness_ask(harness, "order.route",
                         "{'order_id':'o3','service':'standard','explain':1,'dry_run':true,"
                         "'dest':{'lat':40.0,'lon':-74.0},'lines':[{'item':'a','qty':1}]}");
    assert_int_equal(harness_int(answer, "explain.rejected.NODE_BLOCKED"), 1);
    harness_drop(answer);
    harness_snapshot(harness);
    harness_restart(harness);
    route(harness, "o4", "", "far");
    harness->wall_ms += 60000;
    harness_do(harness, "stats", "{}"); /* a turn */
    route(harness, "o5", "", "near");
    answer = harness_ask(harness, "fulfil.reject",
                         "{'fulfilment':'o1/2','reason':'too_busy'}");
    assert_string_equal(harness_text(answer, "status"), "held");
    assert_string_equal(harness_text(answer, "reason"), "MAX_REJECTS_REACHED");
    assert_int_equal(harness_int(answer, "attempt"), 2);
    harness_drop(answer);
}

/* Several nodes: the fewest, then the least sum of scores. */
static void test_splits(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "node.put",
               "{'node':'mid','type':'store','lat':40.5,'lon':-74.5,'handling_cents':50}");
    harness_do(harness, "node.put",
               "{'node':'dear','type':'store','lat':40.1,'lon':-74.0,'handling_cents':5000}");
    harness_do(harness, "item.put", "{'item':'b'}");
    harness_do(harness, "item.put", "{'item':'c'}");
    harness_do(harness, "stock.set", "{'item':'b','node':'near','on_hand':5}");
    harness_do(harness, "stock.set", "{'item':'b','node':'far','on_hand':5}");
    harness_do(harness, "stock.set", "{'item':'c','node':'mid','on_hand':5}");
    harness_do(harness, "stock.set", "{'item':'c','node':'dear','on_hand':5}");
    harness_do(harness, "strategy.put",
               "{'name':'sum','mode':'weighted','terms':[{'term':'cost','weight':1}]}");
    static const char *const names[] = {"nearest", "sum"};
    static const char *const nodes[][2] = {{"near", "dear"}, {"far", "mid"}};
    for (int i = 0; i < 2; i++) {
        json_t *answer = harness_ask(harness, "order.route",
                                     "{'order_id':'o%d','service':'standard','strategy':'%s',"
                                     "'dest':{'lat':40.0,'lon':-74.0},'dry_run':true,"
                                     "'lines':[{'item':'b','qty':1},{'item':'c','qty':1}]}",
                                     i, names[i]);
        bool is_first = strcmp(harness_text(answer, "fulfilments.0.node"), nodes[i][0]) == 0;
        assert_int_equal(harness_count(answer, "fulfilments"), 2);
        assert_string_equal(harness_text(answer, "fulfilments.0.node"), nodes[i][!is_first]);
        assert_string_equal(harness_text(answer, "fulfilments.1.node"), nodes[i][is_first]);
        assert_true(harness_bool(answer, "optimal"));
        harness_drop(answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_versions, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_bad, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_scopes, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_limits, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_keys, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_snapshot, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_decides, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_quotes, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_remembers, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_fences, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_rejects, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_splits, setup, harness_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
