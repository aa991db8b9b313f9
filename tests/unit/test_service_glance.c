/* Reads answered beside the engine loop: byte for byte what the service itself answers, or nothing;
 * and what is plain is always answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "glance.h"
#include "rng.h"
#include "service_harness.h"

enum {
    NODES = 90,
    ITEMS = 30,
    PLAIN_ITEMS = 20, /* without overrides; those from STOCKED on have no cell */
    STOCKED = 26,
    DRAWS = 3000
};

static void nodes_put(struct harness *harness, struct rng *rng)
{
    for (uint32_t i = 0; i < NODES; i++) {
        uint32_t place = (uint32_t)rng_below(rng, NODES / 2); /* two or more at some: ties */
        harness_do(harness, "node.put",
                   "{'node':'n%u','type':'store','lat':%u.5,'lon':-%u.25,'safety_stock':%u}",
                   i % 2 ? i : i * 1000003u, 20 + place % 40, 60 + place, i % 3);
    }
}

static const char *node_text(uint32_t i)
{
    static char text[32];
    snprintf(text, sizeof text, "n%u", i % 2 ? i : i * 1000003u);
    return text;
}

static int setup(void **state)
{
    struct harness *harness = malloc(sizeof *harness);
    struct rng rng;
    assert_non_null(harness);
    rng_init(&rng, 21);
    harness_init(harness);
    harness->options.max_delay_ms = 50;
    harness_start(harness);
    nodes_put(harness, &rng);
    for (uint32_t item = 0; item < ITEMS; item++) {
        harness_do(harness, "item.put", "{'item':'i%u'}", item);
        for (uint32_t node = 0; item < STOCKED && node < NODES; node++) {
            if (rng_below(&rng, 3) == 0) { /* both kinds of rows */
                harness_do(harness, "stock.set", "{'item':'i%u','node':'%s','on_hand':%u}", item,
                           node_text(node), (uint32_t)rng_below(&rng, 9));
            }
        }
    }
    for (uint32_t item = PLAIN_ITEMS; item < STOCKED; item++) {
        harness_do(harness, "stock.set", "{'item':'i%u','node':'%s','on_hand':5}", item,
                   node_text(item));
        harness_do(harness, "stock.policy", "{'item':'i%u','node':'%s','safety_stock':2}", item,
                   node_text(item));
    }
    assert_int_equal(glances_open(harness->service, 1), ERR_OK);
    *state = harness;
    return 0;
}

static int teardown(void **state)
{
    harness_close(*state);
    free(*state);
    return 0;
}

/* Ask both. Whether the glance answered; then it said the same. */
static bool same(struct harness *harness, const char *method, const char *params)
{
    struct glance *glance = glances_at(harness->service, 0);
    struct glance_reply reply;
    struct frame_head head;
    uint32_t size;
    uint32_t number = harness_stage(harness, 0, method, "%s", params);
    const uint8_t *frame = harness_request(harness, number, &size);
    assert_true(frame_head_read(frame, size, &head));
    glance_enter(glance);
    const struct frame_head *heads[] = {&head};
    glance_stage(glance, heads, 1);
    bool is_answered = glance_answer(glance, &head, 0, 1, 1, &reply);
    glance_leave(glance, 1);
    harness_run(harness);
    uint8_t *bytes = harness_take_bytes(harness, number, &size);
    if (is_answered) {
        assert_int_equal(reply.size, size);
        assert_memory_equal(reply.bytes, bytes, size);
    }
    free(bytes);
    return is_answered;
}

/* Any cell: what stands there, nothing, an override. */
static void cells_are_told_alike(void **state)
{
    struct harness *harness = *state;
    char params[128];
    for (uint32_t item = 0; item < ITEMS; item++) {
        for (uint32_t node = 0; node < NODES; node++) {
            snprintf(params, sizeof params, "{'item':'i%u','node':'%s'}", item, node_text(node));
            bool is_plain = item < PLAIN_ITEMS || (item < STOCKED && node != item);
            assert_int_equal(same(harness, "stock.get", params), is_plain);
        }
    }
}

/* What orders hold is told. */
static void holds_are_told_alike(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.set", "{'item':'i0','node':'n1','on_hand':50}");
    harness_do(harness, "order.route",
               "{'order_id':'o1','lines':[{'item':'i0','qty':40}],'service':'standard',"
               "'include_nodes':['n1'],'dest':{'lat':40,'lon':-70}}");
    assert_true(same(harness, "stock.get", "{'item':'i0','node':'n1'}"));
    assert_true(same(harness, "stock.find", "{'items':[{'item':'i0','qty':9}]}"));
}

static uint32_t items_draw(struct rng *rng, char *out, size_t size, bool *is_plain)
{
    uint32_t used = 0;
    uint32_t count = 1 + (uint32_t)rng_below(rng, 4);
    *is_plain = true;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t item = (uint32_t)rng_below(rng, rng_below(rng, 4) ? PLAIN_ITEMS : ITEMS + 3);
        *is_plain = *is_plain && (item < PLAIN_ITEMS || item >= ITEMS); /* unknown ones are told */
        used += (uint32_t)snprintf(out + used, size - used, "%s{'item':'i%u','qty':%u}",
                                   i ? "," : "", item, 1 + (uint32_t)rng_below(rng, 6));
    }
    return used;
}

/* Searches of all kinds: with and without a place, near ties, k over and under what there is. */
static void searches_are_told_alike(void **state)
{
    struct harness *harness = *state;
    struct rng rng;
    uint32_t answered = 0;
    rng_init(&rng, 22);
    for (uint32_t draw = 0; draw < DRAWS; draw++) {
        char params[512];
        char items[256];
        char rest[128] = "";
        bool is_plain;
        items_draw(&rng, items, sizeof items, &is_plain);
        if (rng_below(&rng, 3)) {
            snprintf(rest, sizeof rest, ",'dest':{'lat':%u.5,'lon':-%u.25}%s",
                     20 + (uint32_t)rng_below(&rng, 40), 60 + (uint32_t)rng_below(&rng, 45),
                     rng_below(&rng, 3) ? "" : ",'max_km':900.0");
        }
        snprintf(params, sizeof params, "{'items':[%s],'k':%u%s}", items,
                 1 + (uint32_t)rng_below(&rng, rng_below(&rng, 2) ? 5 : 100), rest);
        bool is_answered = same(harness, "stock.find", params);
        assert_true(is_answered || !is_plain);
        answered += is_answered;
    }
    assert_true(answered > DRAWS / 3);
}

/* An item that had cells may be made a kit, and an item again: a kit is not its own. */
static void kits_are_handed_over(void **state)
{
    struct harness *harness = *state;
    static const char get[] = "{'item':'k','node':'n1'}";
    static const char find[] = "{'items':[{'item':'k'}]}";
    harness_do(harness, "item.put", "{'item':'k'}");
    harness_do(harness, "stock.set", "{'item':'k','node':'n1','on_hand':0}");
    assert_true(same(harness, "stock.get", get));
    assert_true(same(harness, "stock.find", find));
    harness_do(harness, "item.put", "{'item':'k','components':[{'item':'i1','qty':2}]}");
    assert_false(same(harness, "stock.get", get));
    assert_false(same(harness, "stock.find", find));
    assert_true(same(harness, "stock.get", "{'item':'i1','node':'n1'}"));
    harness_do(harness, "item.put", "{'item':'k','components':[]}");
    assert_true(same(harness, "stock.get", get));
}

/* Errors, rarer fields and other methods are not its own. */
static void the_rest_is_handed_over(void **state)
{
    struct harness *harness = *state;
    static const char *const gets[] = {
        "{'item':'i0'}", "{'item':'nope','node':'n1'}", "{'item':'i0','node':'nope'}",
        "{'item':'i0','node':'n1','holds':true}", "{'item':'i0','node':'n1','channel':'web'}",
        "{'item':7,'node':'n1'}", "{}", "{'item':'i0','node':'n1','other':1}"};
    static const char *const finds[] = {
        "{'items':[]}", "{'items':[{'qty':1}]}", "{'items':[{'item':'i0','qty':0}]}",
        "{'items':[{'item':'i0'}],'service':'standard'}", "{'items':[{'item':'i0'}],'k':0}",
        "{'items':[{'item':'i0'}],'max_km':5.0}", "{'items':[{'item':'i0'}],'dest':{'lat':5.0}}",
        "{'items':[{'item':'i0'}],'dest':{'lat':1.0,'lon':1.0,'country':'US'}}"};
    for (size_t i = 0; i < sizeof gets / sizeof gets[0]; i++) {
        assert_false(same(harness, "stock.get", gets[i]));
    }
    for (size_t i = 0; i < sizeof finds / sizeof finds[0]; i++) {
        assert_false(same(harness, "stock.find", finds[i]));
    }
    assert_false(same(harness, "stock.list", "{'item':'i0'}"));
    assert_false(same(harness, "item.get", "{'item':'i0'}"));
}

/* What waited too long is refused, as the service does; the statistics know of all of it. */
static void late_reads_are_refused_and_counted(void **state)
{
    struct harness *harness = *state;
    struct glance *glance = glances_at(harness->service, 0);
    struct glance_reply reply;
    struct frame_head head;
    uint32_t size;
    json_t *before = harness_ask(harness, "stats", "{}");
    uint32_t number = harness_stage(harness, 0, "stock.get", "{'item':'i0','node':'n1'}");
    const uint8_t *frame = harness_request(harness, number, &size);
    assert_true(frame_head_read(frame, size, &head));
    uint64_t limit_ns = (uint64_t)harness->options.max_delay_ms * 1000000;
    const struct frame_head *heads[] = {&head};
    glance_enter(glance);
    glance_stage(glance, heads, 1);
    assert_true(glance_answer(glance, &head, 0, 5, limit_ns + 5, &reply));
    assert_null(memmem(reply.bytes, reply.size, "OVERLOADED", 10));
    assert_true(glance_answer(glance, &head, 0, 5, limit_ns + 6, &reply));
    assert_non_null(memmem(reply.bytes, reply.size, "OVERLOADED", 10));
    head.type = FRAME_NOTIFY;
    assert_true(glance_answer(glance, &head, 0, 5, 5, &reply));
    assert_null(reply.bytes);
    glance_handed(glance);
    glance_leave(glance, 7000005);
    harness_forget(harness, number);
    json_t *after = harness_ask(harness, "stats", "{}");
    int64_t had = json_object_get(json_object_get(before, "methods"), "stock.get")
                      ? harness_int(before, "read_loops.0.answered")
                      : 0;
    assert_int_equal(harness_int(after, "read_loops.0.answered"), had + 3);
    assert_int_equal(harness_int(after, "read_loops.0.handed_over"),
                     harness_int(before, "read_loops.0.handed_over") + 1);
    assert_int_equal(harness_int(after, "overloaded"), harness_int(before, "overloaded") + 1);
    assert_true(harness_int(after, "errors.OVERLOADED") >= 1);
    harness_drop(before);
    harness_drop(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_told_alike),
        cmocka_unit_test(holds_are_told_alike),
        cmocka_unit_test(searches_are_told_alike),
        cmocka_unit_test(kits_are_handed_over),
        cmocka_unit_test(the_rest_is_handed_over),
        cmocka_unit_test(late_reads_are_refused_and_counted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
