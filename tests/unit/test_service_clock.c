/* Engine time: it stands under a test clock until it is set, what is due happens on the way, and
 * the log keeps it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "disk_sim.h"
#include "rng.h"
#include "service_harness.h"

static const long long begin_ms = 1577836800000;

static int setup(void **state)
{
    struct harness *harness = malloc(sizeof *harness);
    assert_non_null(harness);
    harness_init(harness);
    harness->options.test_clock = true;
    harness_start(harness);
    *state = harness;
    return 0;
}

static int setup_wall(void **state)
{
    struct harness *harness = harness_new();
    *state = harness;
    return 0;
}

/* A disk that the test makes full. */
static struct disk *disk;

static int setup_disk(void **state)
{
    struct harness *harness = malloc(sizeof *harness);
    assert_non_null(harness);
    harness_init(harness);
    disk = disk_sim_new(1, (uint64_t)1 << 30);
    harness->options.test_clock = true;
    harness->options.log.disk = disk;
    harness->options.log.segment_size = 276 << 10;
    harness->options.log.group_size_max = 128 << 10;
    harness->options.batch_bytes = 64 << 10;
    harness_start(harness);
    *state = harness;
    return 0;
}

static int teardown_disk(void **state)
{
    harness_close(*state);
    disk_sim_free(disk);
    free(*state);
    return 0;
}

static int64_t now_of(struct harness *harness)
{
    json_t *answer = harness_ask(harness, "hello", "{}");
    int64_t now_ms = harness_int(answer, "now");
    harness_drop(answer);
    return now_ms;
}

static void clock_set(struct harness *harness, int64_t now_ms)
{
    json_t *answer = harness_ask(harness, "clock.set", "{'now':%lld}", (long long)now_ms);
    assert_int_equal(harness_int(answer, "now"), now_ms);
    assert_true(harness_int(answer, "lsn") > 0);
    harness_drop(answer);
}

static void expect_status(struct harness *harness, const char *node, const char *status)
{
    json_t *answer = harness_ask(harness, "node.get", "{'node':'%s'}", node);
    assert_string_equal(harness_text(answer, "status"), status);
    harness_drop(answer);
}

static void node_until(struct harness *harness, const char *node, int64_t until)
{
    harness_do(harness, "node.put", "{'node':'%s','type':'store','lat':1,'lon':2}", node);
    harness_do(harness, "node.status", "{'node':'%s','status':'on_hold','until':%lld}", node,
               (long long)until);
}

/* A wall clock cannot be set, and moves by itself. */
static void wall_clock_refuses(void **state)
{
    struct harness *harness = *state;
    harness_refute(harness, "clock.set", "{'now':1790000000000}", "UNKNOWN_METHOD",
                   "--test-clock");
    int64_t before = now_of(harness);
    assert_true(now_of(harness) > before);
}

/* Time begins at a known moment, stands while requests come, and is kept by the log. */
static void test_clock_stands(void **state)
{
    struct harness *harness = *state;
    assert_int_equal(now_of(harness), begin_ms);
    harness_do(harness, "item.put", "{'item':'a'}");
    assert_int_equal(now_of(harness), begin_ms);
    clock_set(harness, begin_ms + 86400000);
    assert_int_equal(now_of(harness), begin_ms + 86400000);
    harness_restart(harness);
    assert_int_equal(now_of(harness), begin_ms + 86400000);
}

/* What cannot be a time is told; the present one is no change. */
static void bad_times_are_told(void **state)
{
    struct harness *harness = *state;
    harness_refute(harness, "clock.set", "{'now':1577836799999}", "INVALID_ARGUMENT",
                   "it is 1577836800000");
    harness_refute(harness, "clock.set", "{}", "INVALID_ARGUMENT", "now");
    harness_refute(harness, "clock.set", "{'now':253402300800000}", "INVALID_ARGUMENT", "now");
    harness_refute(harness, "clock.set", "{'now':'x'}", "INVALID_ARGUMENT", "now");
    clock_set(harness, begin_ms);
    clock_set(harness, 253402300799999);
    harness_refute(harness, "clock.set", "{'now':253402300799998}", "INVALID_ARGUMENT", "now");
}

/* What is due at t happens at t, not a millisecond before. */
static void due_is_exact(void **state)
{
    struct harness *harness = *state;
    node_until(harness, "s", begin_ms + 1000);
    clock_set(harness, begin_ms + 999);
    expect_status(harness, "s", "on_hold");
    clock_set(harness, begin_ms + 1000);
    expect_status(harness, "s", "active");
}

/* Requests of one batch see the clock as it was set before them, whatever the group's time. */
static void batch_sees_its_clock(void **state)
{
    struct harness *harness = *state;
    node_until(harness, "s", begin_ms + 50);
    node_until(harness, "t", begin_ms + 70);
    uint32_t numbers[6];
    numbers[0] = harness_stage(harness, 0, "item.put", "{'item':'a'}");
    numbers[1] = harness_stage(harness, 0, "clock.set", "{'now':%lld}", begin_ms + 60);
    numbers[2] = harness_stage(harness, 0, "node.get", "{'node':'s'}");
    numbers[3] = harness_stage(harness, 0, "node.get", "{'node':'t'}");
    numbers[4] = harness_stage(harness, 0, "clock.set", "{'now':%lld}", begin_ms + 70);
    numbers[5] = harness_stage(harness, 0, "node.get", "{'node':'t'}");
    harness_run(harness);
    static const char *const wanted[] = {NULL, NULL, "active", "on_hold", NULL, "active"};
    for (size_t i = 0; i < 6; i++) {
        json_t *answer = harness_take(harness, numbers[i]);
        if (wanted[i]) {
            assert_string_equal(harness_text(answer, "status"), wanted[i]);
        }
        harness_drop(answer);
    }
}

/* -- collect_by -- */

static void ready(struct harness *harness, const char *order, int64_t collect_by)
{
    harness_do(harness, "order.route",
               "{'order_id':'%s','lines':[{'item':'a','qty':2},{'item':'b','qty':1}],"
               "'service':'pickup','pickup_node':'s'}",
               order);
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'%s/1','state':'ready','collect_by':%lld}", order,
               (long long)collect_by);
}

static void shop(struct harness *harness)
{
    harness_do(harness, "node.put", "{'node':'s','type':'store','lat':1,'lon':2}");
    harness_do(harness, "item.put", "{'item':'a'}");
    harness_do(harness, "item.put", "{'item':'b'}");
    harness_do(harness, "stock.set", "{'item':'a','node':'s','on_hand':100}");
    harness_do(harness, "stock.set", "{'item':'b','node':'s','on_hand':100}");
}

static void expect_reserved(struct harness *harness, const char *item, int64_t reserved)
{
    json_t *answer = harness_ask(harness, "stock.get", "{'item':'%s','node':'s'}", item);
    assert_int_equal(harness_int(answer, "reserved"), reserved);
    assert_int_equal(harness_int(answer, "on_hand"), 100);
    harness_drop(answer);
}

static void expect_state(struct harness *harness, const char *order, const char *state)
{
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'%s'}", order);
    assert_string_equal(harness_text(answer, "fulfilments.0.state"), state);
    harness_drop(answer);
}

/* What was not fetched by collect_by is a no-show at that very moment, and its stock is free. */
static void not_fetched_is_released(void **state)
{
    struct harness *harness = *state;
    shop(harness);
    ready(harness, "o", begin_ms + 1000);
    ready(harness, "p", begin_ms + 2000);
    clock_set(harness, begin_ms + 999);
    expect_reserved(harness, "a", 4);
    clock_set(harness, begin_ms + 1000);
    expect_reserved(harness, "a", 2);
    expect_reserved(harness, "b", 1);
    expect_state(harness, "o", "no_show");
    expect_state(harness, "p", "ready");
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    uint32_t last = harness_count(answer, "history") - 1;
    char path[40];
    snprintf(path, sizeof path, "history.%u.at", last);
    assert_int_equal(harness_int(answer, path), begin_ms + 1000);
    assert_string_equal(harness_text(answer, "status"), "done");
    harness_drop(answer);
}

/* A later collect_by counts; what is fetched in time is no no-show; a restart forgets neither. */
static void deadlines_move(void **state)
{
    struct harness *harness = *state;
    shop(harness);
    ready(harness, "o", begin_ms + 1000);
    ready(harness, "p", begin_ms + 1000);
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'o/1','state':'ready','collect_by':%lld}", begin_ms + 5000);
    harness_do(harness, "fulfil.update", "{'fulfilment':'p/1','state':'collected'}");
    harness_restart(harness);
    clock_set(harness, begin_ms + 4999);
    expect_state(harness, "o", "ready");
    expect_state(harness, "p", "collected");
    clock_set(harness, begin_ms + 5000);
    expect_state(harness, "o", "no_show");
}

/* While part of a fulfilment is still being picked, nothing of it was left behind. */
static void not_ready_is_no_no_show(void **state)
{
    struct harness *harness = *state;
    shop(harness);
    harness_do(harness, "order.route",
               "{'order_id':'o','lines':[{'item':'a','qty':2},{'item':'b','qty':1}],"
               "'service':'pickup','pickup_node':'s'}");
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'o/1','state':'ready','lines':[{'line':'1','qty':2}],"
               "'collect_by':%lld}",
               begin_ms + 1000);
    clock_set(harness, begin_ms + 2000);
    expect_state(harness, "o", "open");
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'o/1','state':'ready','collect_by':%lld}", begin_ms + 3000);
    clock_set(harness, begin_ms + 2999);
    expect_state(harness, "o", "ready");
    clock_set(harness, begin_ms + 3000);
    expect_state(harness, "o", "no_show");
    expect_reserved(harness, "a", 0);
}

/* Hundreds of one moment happen in slices; nobody reads at that moment before all have. */
static void crowd_is_whole(void **state)
{
    enum { CROWD = 300 };
    struct harness *harness = *state;
    shop(harness);
    harness_do(harness, "stock.set", "{'item':'a','node':'s','on_hand':1000}");
    for (int i = 0; i < CROWD; i++) {
        harness_do(harness, "order.route",
                   "{'order_id':'o%d','lines':[{'item':'a','qty':1}],'service':'pickup',"
                   "'pickup_node':'s'}",
                   i);
        harness_do(harness, "fulfil.update",
                   "{'fulfilment':'o%d/1','state':'ready','collect_by':%lld}", i,
                   begin_ms + 7000);
    }
    uint32_t set = harness_stage(harness, 0, "clock.set", "{'now':%lld}", begin_ms + 7000);
    uint32_t get = harness_stage(harness, 0, "stock.get", "{'item':'a','node':'s'}");
    uint32_t other = harness_stage(harness, 1, "hello", "{}");
    harness_run(harness);
    harness_drop(harness_take(harness, set));
    json_t *answer = harness_take(harness, get);
    assert_int_equal(harness_int(answer, "reserved"), 0);
    harness_drop(answer);
    answer = harness_take(harness, other);
    assert_true(harness_int(answer, "now") < begin_ms + 7000); /* served between the slices */
    harness_drop(answer);
}

/* -- deadlines of closed nodes -- */

enum { WAITING = 24, CLOSINGS = 200, STEPS = 120 };

struct closing_said { /* of pickups at the node, from closed to open */
    int64_t from_ms, to_ms;
};

struct waiting_said {
    char order[16];
    int64_t set_ms, collect_by;
    bool is_over;
};

struct said {
    struct closing_said closings[CLOSINGS];
    struct waiting_said waiting[WAITING];
    uint32_t closing_count, waiting_count;
    int64_t now_ms;
};

/* The plain reading: time in which the node is closed does not count. Not over yet: INT64_MAX. */
static int64_t due_of(const struct said *said, const struct waiting_said *own)
{
    int64_t due_ms = own->collect_by;
    for (uint32_t i = 0; i < said->closing_count; i++) {
        const struct closing_said *at = &said->closings[i];
        if (at->to_ms <= own->set_ms || at->from_ms >= due_ms) {
            continue;
        }
        if (at->to_ms > said->now_ms) {
            return INT64_MAX;
        }
        due_ms += at->to_ms - (at->from_ms > own->set_ms ? at->from_ms : own->set_ms);
    }
    return due_ms;
}

static bool is_closed_now(const struct said *said)
{
    return said->closing_count > 0 &&
           said->closings[said->closing_count - 1].to_ms > said->now_ms;
}

static void close_or_open(struct harness *harness, struct said *said, struct rng *rng)
{
    if (is_closed_now(said)) {
        said->closings[said->closing_count - 1].to_ms = said->now_ms;
        harness_do(harness, "node.status", "{'node':'s','status':'active'}");
        return;
    }
    bool is_other = rng_below(rng, 4) == 0; /* of what has nothing to do with pickups */
    int64_t to_ms = rng_below(rng, 2) ? INT64_MAX
                                      : said->now_ms + 1000 * (1 + (int64_t)rng_below(rng, 400));
    harness_do(harness, "node.status", to_ms == INT64_MAX
                                           ? "{'node':'s','status':'closed'%s}"
                                           : "{'node':'s','status':'closed'%s,'until':%lld}",
               is_other ? ",'services':['ship','return']" : "", (long long)to_ms);
    if (!is_other) {
        said->closings[said->closing_count++] = (struct closing_said){said->now_ms, to_ms};
    }
}

static void wait_anew(struct harness *harness, struct said *said, struct rng *rng)
{
    struct waiting_said *own = &said->waiting[said->waiting_count++];
    snprintf(own->order, sizeof own->order, "w%u", said->waiting_count);
    own->set_ms = said->now_ms;
    own->collect_by = said->now_ms + 1000 * (1 + (int64_t)rng_below(rng, 900));
    ready(harness, own->order, own->collect_by);
}

/* The engine says of each what the plain reading says, and when it ended. */
static void expect_waiting(struct harness *harness, struct said *said)
{
    for (uint32_t i = 0; i < said->waiting_count; i++) {
        struct waiting_said *own = &said->waiting[i];
        if (own->is_over) {
            continue; /* it may have left memory */
        }
        json_t *answer = harness_ask(harness, "order.get", "{'order_id':'%s'}", own->order);
        int64_t due_ms = due_of(said, own);
        bool is_over = due_ms <= said->now_ms;
        own->is_over = is_over;
        assert_string_equal(harness_text(answer, "fulfilments.0.state"),
                            is_over ? "no_show" : "ready");
        if (is_over) {
            assert_int_equal(harness_int(answer, "history.2.at"), due_ms);
        } else if (due_ms < INT64_MAX) {
            assert_int_equal(harness_int(answer, "fulfilments.0.collect_by"), due_ms);
        } else {
            assert_true(harness_int(answer, "fulfilments.0.collect_by") > said->now_ms);
        }
        harness_drop(answer);
    }
}

/* collect_by stands still while the node is closed for pickups, and what waits is a no-show at the
 * very moment to which that moves it: also after restarts and from a snapshot. */
static void closed_time_does_not_count(void **state)
{
    struct harness *harness = *state;
    struct said *said = calloc(1, sizeof *said);
    struct rng rng;
    assert_non_null(said);
    rng_init(&rng, 41);
    shop(harness);
    said->now_ms = begin_ms;
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t what = (uint32_t)rng_below(&rng, 10);
        if (what < 2 && said->waiting_count < WAITING && !is_closed_now(said)) {
            wait_anew(harness, said, &rng);
        } else if (what < 5) {
            close_or_open(harness, said, &rng);
        } else if (what == 5 && rng_below(&rng, 3) == 0) {
            harness_restart(harness);
        } else if (what == 6 && rng_below(&rng, 6) == 0) {
            (void)harness_snapshot(harness);
            harness_restart(harness);
        }
        said->now_ms += 1000 * (int64_t)rng_below(&rng, 120);
        clock_set(harness, said->now_ms);
        expect_waiting(harness, said);
    }
    free(said);
}

/* A node that is closed need not answer: its time to accept goes on when it is open again. */
static void closed_nodes_need_not_accept(void **state)
{
    struct harness *harness = *state;
    shop(harness);
    harness_do(harness, "node.put", "{'node':'s','accept_min':10}");
    harness_do(harness, "order.route",
               "{'order_id':'o','service':'pickup','pickup_node':'s',"
               "'lines':[{'item':'a','qty':1}]}");
    clock_set(harness, begin_ms + 4 * 60000);
    harness_do(harness, "node.status", "{'node':'s','status':'closed'}");
    clock_set(harness, begin_ms + 100 * 60000);
    harness_restart(harness);
    harness_do(harness, "node.status", "{'node':'s','status':'active'}");
    clock_set(harness, begin_ms + 106 * 60000 - 1);
    expect_state(harness, "o", "open");
    clock_set(harness, begin_ms + 106 * 60000);
    expect_state(harness, "o", "rejected");
}

/* On a full disk no item comes, but what falls due does: the log's last room is the engine's. */
static void silence_on_a_full_disk(void **state)
{
    struct harness *harness = *state;
    bool is_full = false;
    shop(harness);
    harness_do(harness, "node.put", "{'node':'s','accept_min':10}");
    harness_do(harness, "order.route",
               "{'order_id':'o','service':'pickup','pickup_node':'s',"
               "'lines':[{'item':'a','qty':1}]}");
    disk_sim_capacity_set(disk, 0);
    for (uint32_t i = 0; i < 5000 && !is_full; i++) {
        json_t *answer = harness_ask(harness, "item.put", "{'item':'i%u'}", i);
        is_full = harness_has(answer, "error");
        harness_drop(answer);
    }
    assert_true(is_full);
    harness_refute(harness, "item.put", "{'item':'more'}", "READ_ONLY", "full");
    clock_set(harness, begin_ms + 10 * 60000);
    expect_state(harness, "o", "rejected");
    harness_refute(harness, "item.put", "{'item':'more'}", "READ_ONLY", "full");
}

/* Without a test clock the same happens as time goes by. */
static void wall_clock_fires(void **state)
{
    struct harness *harness = *state;
    shop(harness);
    int64_t now_ms = now_of(harness);
    ready(harness, "o", now_ms + 20);
    expect_reserved(harness, "a", 2);
    harness->wall_ms = (uint64_t)now_ms + 19;
    expect_reserved(harness, "a", 0); /* asked a millisecond later */
    expect_state(harness, "o", "no_show");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(wall_clock_refuses, setup_wall, harness_end),
        cmocka_unit_test_setup_teardown(test_clock_stands, setup, harness_end),
        cmocka_unit_test_setup_teardown(bad_times_are_told, setup, harness_end),
        cmocka_unit_test_setup_teardown(due_is_exact, setup, harness_end),
        cmocka_unit_test_setup_teardown(batch_sees_its_clock, setup, harness_end),
        cmocka_unit_test_setup_teardown(not_fetched_is_released, setup, harness_end),
        cmocka_unit_test_setup_teardown(deadlines_move, setup, harness_end),
        cmocka_unit_test_setup_teardown(not_ready_is_no_no_show, setup, harness_end),
        cmocka_unit_test_setup_teardown(crowd_is_whole, setup, harness_end),
        cmocka_unit_test_setup_teardown(closed_time_does_not_count, setup, harness_end),
        cmocka_unit_test_setup_teardown(closed_nodes_need_not_accept, setup, harness_end),
        cmocka_unit_test_setup_teardown(silence_on_a_full_disk, setup_disk, teardown_disk),
        cmocka_unit_test_setup_teardown(wall_clock_fires, setup_wall, harness_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
