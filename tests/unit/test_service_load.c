/* stock.load and place.load: whole or refused, in slices beside other work, once for a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

enum { MANY = 3500, ROWS_TEXT = 200000 };

static int setup(void **state)
{
    struct harness *harness = harness_new();
    harness_do(harness, "node.put", "{'node':'n1','type':'store','lat':40.0,'lon':-74.0}");
    harness_do(harness, "node.put", "{'node':'n2','type':'warehouse','lat':41.0,'lon':-75.0}");
    for (int i = 0; i < 10; i++) {
        harness_do(harness, "item.put", "{'item':'i%d'}", i);
    }
    *state = harness;
    return 0;
}

static int64_t on_hand(struct harness *harness, const char *item, const char *node)
{
    json_t *answer =
        harness_ask(harness, "stock.get", "{'item':'%s','node':'%s'}", item, node);
    int64_t units = harness_int(answer, "on_hand");
    harness_drop(answer);
    return units;
}

/* Items i0 .. i<MANY-1>, so many that a load of them takes several slices. */
static void make_many(struct harness *harness)
{
    for (int i = 10; i < MANY; i += 100) {
        for (int k = i; k < i + 100 && k < MANY; k++) {
            harness_stage(harness, 0, "item.put", "{'item':'i%d'}", k);
        }
        harness_run(harness);
        while (harness->call_count) {
            harness_drop(harness_take(harness, harness->next_msgid - harness->call_count));
        }
    }
}

/* Rows i<count-1> .. i0 with that many units and some more each; the caller frees. */
static char *rows_text(int count, int more)
{
    char *text = malloc(ROWS_TEXT);
    assert_non_null(text);
    int len = snprintf(text, ROWS_TEXT, "[");
    for (int i = count - 1; i >= 0; i--) {
        len += snprintf(text + len, (size_t)(ROWS_TEXT - len), "%s['i%d',%d]",
                        i == count - 1 ? "" : ",", i, i + more);
        assert_true(len < ROWS_TEXT);
    }
    snprintf(text + len, (size_t)(ROWS_TEXT - len), "]");
    return text;
}

/* Rows are told apart: created, changed, unchanged, stale. */
static void load_counts_what_it_did(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.set", "{'item':'i0','node':'n1','on_hand':5}");
    harness_do(harness, "stock.set", "{'item':'i1','node':'n1','on_hand':6}");
    long long then = (long long)harness->wall_ms;
    harness->wall_ms += 1000;
    harness_do(harness, "stock.set", "{'item':'i2','node':'n1','on_hand':7}");
    json_t *answer = harness_ask(
        harness, "stock.load",
        "{'node':'n1','rows':[['i3',1],['i2',9],['i1',6],['i0',9]],'counted_at':%lld}", then + 1);
    assert_int_equal(harness_int(answer, "created"), 1);
    assert_int_equal(harness_int(answer, "stale"), 1);
    assert_int_equal(harness_int(answer, "unchanged"), 1);
    assert_int_equal(harness_int(answer, "changed"), 1);
    assert_int_equal(harness_int(answer, "zeroed"), 0);
    harness_drop(answer);
    assert_int_equal(on_hand(harness, "i0", "n1"), 9);
    assert_int_equal(on_hand(harness, "i2", "n1"), 7);
    assert_int_equal(on_hand(harness, "i3", "n1"), 1);
}

/* An unchanged row is counted all the same: a movement before it is absorbed afterwards. */
static void unchanged_row_gets_its_count_time(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.set", "{'item':'i0','node':'n1','on_hand':5}");
    long long before = (long long)harness->wall_ms + 1;
    harness->wall_ms += 1000;
    harness_do(harness, "stock.load", "{'node':'n1','rows':[['i0',5]]}");
    json_t *answer = harness_ask(harness, "stock.adjust",
                                 "{'item':'i0','node':'n1','delta':-1,'at':%lld}", before);
    assert_true(harness_bool(answer, "absorbed"));
    harness_drop(answer);
}

/* absent: zero empties what has no row and was counted earlier; not what was counted later. */
static void absent_cells_become_zero(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.load",
               "{'node':'n1','rows':[['i0',1],['i1',1],['i2',1],['i3',1],['i4',1]]}");
    long long then = (long long)(harness->wall_ms += 1000);
    harness->wall_ms += 1000;
    harness_do(harness, "stock.set", "{'item':'i4','node':'n1','on_hand':8}");
    harness_do(harness, "stock.adjust", "{'item':'i3','node':'n1','delta':2}");
    json_t *answer = harness_ask(harness, "stock.load",
                                 "{'node':'n1','rows':[['i0',3],['i1',1]],'absent':'zero',"
                                 "'counted_at':%lld}",
                                 then);
    assert_int_equal(harness_int(answer, "zeroed"), 2);
    harness_drop(answer);
    assert_int_equal(on_hand(harness, "i0", "n1"), 3);
    assert_int_equal(on_hand(harness, "i2", "n1"), 0);
    assert_int_equal(on_hand(harness, "i3", "n1"), 2); /* 0 then, 2 came later */
    assert_int_equal(on_hand(harness, "i4", "n1"), 8);
}

/* A load that would empty over half of the stocked cells is refused and changes nothing. */
static void too_many_zeroed_is_refused(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.load", "{'node':'n1','rows':[['i0',1],['i1',1],['i2',1],['i3',0]]}");
    const char *params = "{'node':'n1','rows':[['i0',2]],'absent':'zero'}";
    json_t *answer = harness_ask(harness, "stock.load", "%s", params);
    assert_string_equal(harness_text(answer, "reason"), "TOO_MANY_ZEROED");
    assert_int_equal(harness_int(answer, "zeroed"), 2);
    assert_int_equal(harness_int(answer, "stocked"), 3);
    harness_drop(answer);
    assert_int_equal(on_hand(harness, "i0", "n1"), 1);
    answer = harness_ask(harness, "stock.load",
                         "{'node':'n1','rows':[['i0',2]],'absent':'zero','max_zero_share':0.7}");
    assert_int_equal(harness_int(answer, "zeroed"), 2);
    harness_drop(answer);
    assert_int_equal(on_hand(harness, "i1", "n1"), 0);
}

/* basis available: what orders there held is added; orders made after the count are not. */
static void available_is_net_of_what_was_held(void **state)
{
    struct harness *harness = *state;
    const char *order = "{'order_id':'o%d','lines':[{'item':'i0','qty':%d}],'service':'standard',"
                        "'dest':{'lat':40,'lon':-74}}";
    harness_do(harness, "stock.load", "{'node':'n1','rows':[['i0',10]]}");
    char params[400];
    snprintf(params, sizeof params, order, 1, 3);
    harness_do(harness, "order.route", "%s", params);
    long long counted = (long long)(harness->wall_ms += 1000);
    harness->wall_ms += 1000;
    snprintf(params, sizeof params, order, 2, 2);
    harness_do(harness, "order.route", "%s", params);
    harness_do(harness, "stock.load",
               "{'node':'n1','rows':[['i0',20]],'basis':'available','counted_at':%lld}", counted);
    json_t *answer = harness_ask(harness, "stock.get", "{'item':'i0','node':'n1','holds':true}");
    assert_int_equal(harness_int(answer, "on_hand"), 23);
    assert_int_equal(harness_int(answer, "reserved"), 5);
    assert_int_equal(harness_int(answer, "ats"), 18);
    assert_string_equal(harness_text(answer, "holds.0.fulfilment"), "o2/1");
    assert_int_equal(harness_int(answer, "holds.1.qty"), 3);
    harness_drop(answer);
}

/* One order with many lines of i1: as many holds at its cell. */
static void hold_many(struct harness *harness, uint32_t number, uint32_t lines)
{
    char *text = malloc(lines * 24 + 200);
    assert_non_null(text);
    size_t len = (size_t)snprintf(text, 200,
                                  "{'order_id':'m%u','service':'standard','dest':{'lat':40,"
                                  "'lon':-74},'lines':[", number);
    for (uint32_t i = 0; i < lines; i++) {
        len += (size_t)snprintf(text + len, 24, "%s{'item':'i1','qty':1}", i ? "," : "");
    }
    memcpy(text + len, "]}", 3);
    harness_do(harness, "order.route", "%s", text);
    free(text);
}

/* With basis available a row looks at so many holds at most as one call may: where more came
 * since the count the row is stale, and the others of the load are taken. */
static void available_looks_at_so_many_holds(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.load", "{'node':'n1','rows':[['i0',5],['i1',9000],['i2',5]]}");
    long long counted = (long long)(harness->wall_ms += 1000);
    const char *load = "{'node':'n1','rows':[['i0',7],['i1',8000],['i2',7]],"
                       "'basis':'available','counted_at':%lld}";
    for (uint32_t i = 0; i < 4; i++) {
        harness->wall_ms += 1000;
        hold_many(harness, i, 500);
    }
    json_t *answer = harness_ask(harness, "stock.load", load, counted);
    assert_int_equal(harness_int(answer, "stale"), 0);
    assert_int_equal(harness_int(answer, "changed"), 3);
    harness_drop(answer);
    assert_int_equal(on_hand(harness, "i1", "n1"), 8000);
    hold_many(harness, 4, 1);
    answer = harness_ask(harness, "stock.load", load, counted + 1);
    assert_int_equal(harness_int(answer, "stale"), 1);
    assert_int_equal(harness_int(answer, "unchanged"), 2);
    harness_drop(answer);
    answer = harness_ask(harness, "stock.load", load, counted + 4000);
    assert_int_equal(harness_int(answer, "stale"), 0);
    harness_drop(answer);
    assert_int_equal(on_hand(harness, "i1", "n1"), 9500);
}

/* A long load runs in slices: requests of other connections go between, those of its own
 * connection wait and see all of it, in their order. */
static void long_load_lets_others_pass(void **state)
{
    struct harness *harness = *state;
    make_many(harness);
    char *rows = rows_text(MANY, 1);
    uint32_t load = harness_stage(harness, 0, "stock.load", "{'node':'n1','rows':%s}", rows);
    uint32_t own = harness_stage(harness, 0, "stock.get", "{'item':'i0','node':'n1'}");
    uint32_t set = harness_stage(harness, 0, "stock.set", "{'item':'i0','node':'n1','on_hand':99}");
    uint32_t last = harness_stage(harness, 0, "stock.get", "{'item':'i0','node':'n1'}");
    uint32_t other = harness_stage(harness, 1, "stock.get", "{'item':'i0','node':'n1'}");
    harness_batch(harness);
    assert_true(harness->is_held[0]);
    assert_false(harness->is_held[1]);
    harness_run(harness);
    assert_false(harness->is_held[0]);
    json_t *answer = harness_take(harness, other);
    assert_int_equal(harness_int(answer, "on_hand"), 0);
    harness_drop(answer);
    answer = harness_take(harness, load);
    assert_int_equal(harness_int(answer, "created"), MANY);
    harness_drop(answer);
    answer = harness_take(harness, own);
    assert_int_equal(harness_int(answer, "on_hand"), 1);
    harness_drop(answer);
    harness_drop(harness_take(harness, set));
    answer = harness_take(harness, last);
    assert_int_equal(harness_int(answer, "on_hand"), 99);
    harness_drop(answer);
    free(rows);
    assert_int_equal(on_hand(harness, "i3499", "n1"), 3500);
}

/* A long load is whole or not at all: a fault in its last row leaves everything as it was. */
static void fault_in_the_last_row_changes_nothing(void **state)
{
    struct harness *harness = *state;
    make_many(harness);
    char *rows = rows_text(MANY, 1);
    rows[strlen(rows) - 1] = ',';
    json_t *answer =
        harness_ask(harness, "stock.load", "{'node':'n1','rows':%s['i7',1]]}", rows);
    assert_non_null(strstr(harness_text(answer, "error.1"), "rows[3500][0]: item i7"));
    harness_drop(answer);
    free(rows);
    assert_int_equal(service_tables(harness->service)->cells, 0);
}

/* The same keyed load from two connections at once happens once. */
static void key_of_two_loads_at_once(void **state)
{
    struct harness *harness = *state;
    make_many(harness);
    char *rows = rows_text(MANY, 1);
    uint32_t a =
        harness_stage(harness, 0, "stock.load", "{'node':'n1','rows':%s,'key':'k'}", rows);
    uint32_t b =
        harness_stage(harness, 1, "stock.load", "{'key':'k','rows':%s,'node':'n1'}", rows);
    harness_run(harness);
    json_t *first = harness_take(harness, a);
    json_t *second = harness_take(harness, b);
    assert_false(harness_has(first, "duplicate"));
    assert_true(harness_bool(second, "duplicate"));
    assert_int_equal(harness_int(second, "created"), harness_int(first, "created"));
    harness_drop(first);
    harness_drop(second);
    harness_restart(harness);
    json_t *answer =
        harness_ask(harness, "stock.load", "{'node':'n1','rows':%s,'key':'k'}", rows);
    assert_true(harness_bool(answer, "duplicate"));
    assert_int_equal(harness_int(answer, "created"), MANY);
    harness_drop(answer);
    free(rows);
    harness_refute(harness, "stock.load", "{'node':'n1','rows':[['i0',1]],'key':'k'}",
                   "IDEMPOTENCY_CONFLICT", "k");
}

/* A load whose connection goes is finished all the same; what waited behind it is dropped. */
static void load_without_its_connection_goes_on(void **state)
{
    struct harness *harness = *state;
    make_many(harness);
    char *rows = rows_text(MANY, 1);
    uint32_t load = harness_stage(harness, 2, "stock.load", "{'node':'n1','rows':%s}", rows);
    uint32_t behind =
        harness_stage(harness, 2, "stock.set", "{'item':'i0','node':'n1','on_hand':77}");
    harness_batch(harness);
    service_conn_closed(harness->service, &harness->conns[2]);
    harness_forget(harness, load);
    harness_forget(harness, behind);
    harness_run(harness);
    free(rows);
    assert_int_equal(on_hand(harness, "i0", "n1"), 1);
    assert_int_equal(on_hand(harness, "i3499", "n1"), 3500);
}

/* Places are loaded whole, in slices; a fault is told by its row. */
static void places_load_whole(void **state)
{
    struct harness *harness = *state;
    char *rows = malloc(ROWS_TEXT);
    int len = snprintf(rows, ROWS_TEXT, "[");
    for (int i = 0; i < 2500; i++) {
        len += snprintf(rows + len, (size_t)(ROWS_TEXT - len), "%s['%05d',%d.5,-70]",
                        i ? "," : "", i, i % 90);
    }
    snprintf(rows + len, (size_t)(ROWS_TEXT - len), "]");
    json_t *answer = harness_ask(harness, "place.load", "{'country':'us','rows':%s}", rows);
    assert_int_equal(harness_int(answer, "loaded"), 2500);
    harness_drop(answer);
    free(rows);
    assert_int_equal(service_tables(harness->service)->gazetteer.count, 2500);
    harness_refute(harness, "place.load", "{'country':'US','rows':[['1',1,1],['2',91,1]]}",
                   "INVALID_ARGUMENT", "rows[1][1]");
    harness_refute(harness, "place.load", "{'country':'U1','rows':[]}", "INVALID_ARGUMENT",
                   "country");
    assert_int_equal(service_tables(harness->service)->gazetteer.count, 2500);
}

/* The last place for a key is a load's from its first slice on: it ends well, others wait. */
static void key_has_its_place(void **state)
{
    struct harness *harness = *state;
    make_many(harness);
    for (uint32_t i = 0; i + 1 < harness->options.tables.keys_max; i++) {
        harness_do(harness, "stock.adjust", "{'item':'i0','node':'n1','delta':0,'key':'k%u'}", i);
    }
    char *rows = rows_text(MANY, 1);
    uint32_t load =
        harness_stage(harness, 0, "stock.load", "{'node':'n1','rows':%s,'key':'load'}", rows);
    free(rows);
    harness_batch(harness);
    for (int i = 0; service_tables(harness->service)->cells < 500; i++) { /* its rows go in */
        assert_true(i < 1000);
        harness_tick(harness);
    }
    uint32_t other = harness_stage(harness, 1, "stock.adjust",
                                   "{'item':'i0','node':'n2','delta':1,'key':'more'}");
    harness_run(harness);
    json_t *answer = harness_take(harness, other);
    assert_non_null(strstr(harness_text(answer, "error.1"), "TABLE_FULL"));
    harness_drop(answer);
    answer = harness_take(harness, load);
    assert_int_equal(harness_int(answer, "created") + harness_int(answer, "changed"), MANY);
    harness_drop(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(load_counts_what_it_did, setup, harness_end),
        cmocka_unit_test_setup_teardown(unchanged_row_gets_its_count_time, setup, harness_end),
        cmocka_unit_test_setup_teardown(absent_cells_become_zero, setup, harness_end),
        cmocka_unit_test_setup_teardown(too_many_zeroed_is_refused, setup, harness_end),
        cmocka_unit_test_setup_teardown(available_is_net_of_what_was_held, setup, harness_end),
        cmocka_unit_test_setup_teardown(available_looks_at_so_many_holds, setup, harness_end),
        cmocka_unit_test_setup_teardown(long_load_lets_others_pass, setup, harness_end),
        cmocka_unit_test_setup_teardown(fault_in_the_last_row_changes_nothing, setup, harness_end),
        cmocka_unit_test_setup_teardown(key_of_two_loads_at_once, setup, harness_end),
        cmocka_unit_test_setup_teardown(load_without_its_connection_goes_on, setup, harness_end),
        cmocka_unit_test_setup_teardown(places_load_whole, setup, harness_end),
        cmocka_unit_test_setup_teardown(key_has_its_place, setup, harness_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
