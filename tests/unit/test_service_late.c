/* Requests that waited over max_delay_ms: refused by the message id alone; nothing changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "service_harness.h"

enum { LIMIT_MS = 5 };

#define ORDER                                                                                      \
    "{'order_id':'%s','service':'standard','lines':[{'item':'i','qty':1}],"                        \
    "'dest':{'lat':40,'lon':-90}}"

static int setup(void **state)
{
    struct harness *harness = malloc(sizeof *harness);
    assert_non_null(harness);
    harness_init(harness);
    harness->options.max_delay_ms = LIMIT_MS;
    harness->now_ns = UINT64_C(10000000000);
    harness_start(harness);
    harness_do(harness, "node.put", "{'node':'n','type':'store','lat':40,'lon':-90}");
    harness_do(harness, "item.put", "{'item':'i'}");
    harness_do(harness, "stock.set", "{'item':'i','node':'n','on_hand':5}");
    *state = harness;
    return 0;
}

static int teardown(void **state)
{
    harness_close(*state);
    free(*state);
    return 0;
}

static json_t *ask_late(struct harness *harness, uint64_t waited_ns, const char *method,
                        const char *params)
{
    harness->waited_ns = waited_ns;
    json_t *answer = harness_ask(harness, method, "%s", params);
    harness->waited_ns = 0;
    return answer;
}

static void is_overloaded(json_t *answer)
{
    const char *text = harness_text(answer, "error.1");
    assert_int_equal(harness_int(answer, "error.0"), 0);
    assert_non_null(strstr(text, "OVERLOADED waited over max_delay_ms=5"));
    assert_non_null(strstr(text, "retry_after_ms=20"));
    harness_drop(answer);
}

static int64_t stat_of(struct harness *harness, const char *path)
{
    json_t *answer = harness_ask(harness, "stats", "{}");
    const int64_t value = harness_int(answer, path);
    harness_drop(answer);
    return value;
}

/* The bound itself is in time; one nanosecond more is late, and is told in the counters. */
static void late_begins_behind_the_bound(void **state)
{
    struct harness *harness = *state;
    const uint64_t limit_ns = LIMIT_MS * UINT64_C(1000000);
    const int64_t before = stat_of(harness, "overloaded");
    json_t *answer = ask_late(harness, limit_ns, "item.get", "{\"item\":\"i\"}");
    assert_string_equal(harness_text(answer, "item"), "i");
    harness_drop(answer);
    is_overloaded(ask_late(harness, limit_ns + 1, "item.get", "{\"item\":\"i\"}"));
    assert_int_equal(stat_of(harness, "overloaded"), before + 1);
}

/* A late request is not read any further: what is wrong with it is not looked for. */
static void late_requests_are_not_decoded(void **state)
{
    struct harness *harness = *state;
    static const char *const methods[] = {"order.route", "fulfil.update", "order.cancel",
                                          "order.get", "stock.get"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        json_t *answer = ask_late(harness, UINT64_C(1000000000), methods[i], "{\"what\":[7]}");
        is_overloaded(answer);
    }
}

/* In one batch with others, a late order takes no stock and is not known; the same one in time
 * is decided as if it had never been. */
static void late_order_leaves_nothing(void **state)
{
    struct harness *harness = *state;
    harness->waited_ns = UINT64_C(6000000);
    const uint32_t late = harness_stage(harness, 0, "order.route", ORDER, "a");
    const uint32_t other = harness_stage(harness, 1, "order.route", ORDER, "b");
    harness_run(harness);
    harness->waited_ns = 0;
    is_overloaded(harness_take(harness, late));
    is_overloaded(harness_take(harness, other));
    json_t *unknown = harness_ask(harness, "order.get", "{'order_id':'a'}");
    assert_non_null(strstr(harness_text(unknown, "error.1"), "UNKNOWN_ORDER"));
    harness_drop(unknown);
    json_t *answer = harness_ask(harness, "order.route", ORDER, "a");
    assert_string_equal(harness_text(answer, "status"), "routed");
    assert_false(harness_has(answer, "duplicate"));
    harness_drop(answer);
    json_t *cell = harness_ask(harness, "stock.get", "{'item':'i','node':'n'}");
    assert_int_equal(harness_int(cell, "reserved"), 1);
    harness_drop(cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(late_begins_behind_the_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(late_requests_are_not_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(late_order_leaves_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
