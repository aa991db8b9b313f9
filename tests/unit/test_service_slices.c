/* A turn that is suspended in a decision: what happens meanwhile, and what waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "check.h"
#include "service_harness.h"

enum { NODES = 12, ITEMS = 8 };

static uint32_t slices;
static uint64_t told_lsn; /* released while a turn was suspended */

static void on_suspended(struct harness *harness)
{
    slices++;
    if (wal_is_busy(service_wal(harness->service))) {
        wal_wait(service_wal(harness->service));
    }
    told_lsn = harness->released;
}

/* No node has all items: node n has item n and the next one. */
static void world_make(struct harness *harness, uint32_t slice_steps)
{
    harness_init(harness);
    harness->options.slice_steps = slice_steps;
    harness->suspended = on_suspended;
    slices = 0;
    told_lsn = 0;
    harness_start(harness);
    for (uint32_t i = 0; i < ITEMS; i++) {
        harness_do(harness, "item.put", "{'item':'i%u'}", i);
    }
    for (uint32_t n = 0; n < NODES; n++) {
        harness_do(harness, "node.put", "{'node':'n%u','type':'store','lat':%u,'lon':-90}", n,
                   30 + n);
        harness_do(harness, "stock.load", "{'node':'n%u','rows':[['i%u',9],['i%u',9]]}", n,
                   n % ITEMS, (n + 1) % ITEMS);
    }
}

static uint32_t long_stage(struct harness *harness, uint32_t conn, const char *id)
{
    return harness_stage(harness, conn, "order.route",
                         "{'order_id':'%s','service':'standard','dest':{'lat':35,'lon':-90},"
                         "'lines':[{'item':'i0','qty':2},{'item':'i1','qty':2},"
                         "{'item':'i2','qty':2},{'item':'i3','qty':2},{'item':'i4','qty':2},"
                         "{'item':'i5','qty':2}]}",
                         id);
}

static uint32_t short_stage(struct harness *harness, uint32_t conn, const char *id)
{
    return harness_stage(harness, conn, "order.route",
                         "{'order_id':'%s','service':'standard','dest':{'lat':35,'lon':-90},"
                         "'lines':[{'item':'i0','qty':1}]}",
                         id);
}

static void status_is(struct harness *harness, uint32_t number, const char *status)
{
    json_t *answer = harness_take(harness, number);
    assert_string_equal(harness_text(answer, "status"), status);
    harness_drop(answer);
}

static void error_is(struct harness *harness, uint32_t number, const char *begin)
{
    json_t *answer = harness_take(harness, number);
    assert_int_equal(strncmp(harness_text(answer, "error.1"), begin, strlen(begin)), 0);
    harness_drop(answer);
}

/* What came before it is durable and told while it is under way; what came behind is decided after
 * it; a checkpoint asked for in the middle is made. */
static void others_go_on(void **state)
{
    struct harness harness;
    (void)state;
    world_make(&harness, 1);
    const uint64_t before = harness.released;
    const uint32_t first = short_stage(&harness, 0, "before");
    const uint32_t split = long_stage(&harness, 1, "split");
    const uint32_t behind = short_stage(&harness, 2, "behind");
    const uint32_t snapshot = harness_stage(&harness, 3, "snapshot", "{}");
    harness_run(&harness);
    assert_true(slices > 10);
    assert_true(told_lsn > before);
    status_is(&harness, first, "routed");
    status_is(&harness, split, "routed");
    status_is(&harness, behind, "routed");
    harness_drop(harness_take(&harness, snapshot));
    harness_restart(&harness);
    harness_close(&harness);
}

static void drain_once(struct harness *harness)
{
    slices++;
    if (slices == 3) {
        service_drain(harness->service);
    }
}

/* A signal comes in the middle: what is not taken yet is refused like all that comes later, and
 * the engine gets idle. */
static void a_drain_meanwhile(void **state)
{
    struct harness harness;
    (void)state;
    world_make(&harness, 1);
    harness.suspended = drain_once;
    slices = 0;
    const uint32_t split = long_stage(&harness, 1, "split");
    const uint32_t behind = short_stage(&harness, 2, "behind");
    harness_run(&harness);
    assert_true(slices >= 3);
    assert_true(service_is_idle(harness.service));
    error_is(&harness, split, "SHUTTING_DOWN");
    error_is(&harness, behind, "SHUTTING_DOWN");
    harness_close(&harness);
}

/* The process ends while one is suspended: nothing of it is there, and nothing is left behind. */
static void an_end_meanwhile(void **state)
{
    struct harness harness;
    (void)state;
    world_make(&harness, 1);
    const uint64_t lsn = wal_lsn_begun(service_wal(harness.service));
    harness.leaves_suspended = true;
    const uint32_t split = long_stage(&harness, 1, "split");
    harness_batch(&harness);
    assert_true(service_is_suspended(harness.service));
    assert_false(service_is_idle(harness.service));
    assert_int_equal(wal_lsn_begun(service_wal(harness.service)), lsn);
    harness.leaves_suspended = false;
    harness_forget(&harness, split);
    harness_restart(&harness);
    assert_int_equal(service_tables(harness.service)->orders.count, 0);
    harness_close(&harness);
}

static cell_word booked[NODES]; /* one cell of each node, as it was before the trial */

/* False: a change of its row is open. */
static bool cell_look(struct harness *harness, uint32_t node, cell_word *word_out)
{
    uint64_t count_time;
    const struct tables *tables = service_tables(harness->service);
    const struct cell cell = tables_cell(tables, node % ITEMS, (uint16_t)node);
    assert_true(cell.index >= 0);
    return row_glance(cell.row, (uint32_t)cell.index, word_out, &count_time);
}

/* A reader on another thread finds every cell as the books have it. */
static void cells_are_booked(struct harness *harness)
{
    slices++;
    for (uint32_t n = 0; n < NODES; n++) {
        cell_word word;
        assert_true(cell_look(harness, n, &word));
        assert_int_equal(word, booked[n]);
    }
}

/* A past order tried under another strategy, from the log: what is lent to it is given back for
 * every pause. */
static void a_trial_meanwhile(void **state)
{
    struct harness harness;
    (void)state;
    world_make(&harness, 1);
    harness_do(&harness, "strategy.put",
               "{'name':'cheap','mode':'lexicographic','terms':[{'term':'cost'}]}");
    const uint32_t split = long_stage(&harness, 1, "split");
    harness_run(&harness);
    status_is(&harness, split, "routed");
    harness_do(&harness, "fulfil.update", "{'fulfilment':'split/1','state':'shipped'}");
    for (uint32_t n = 0; n < NODES; n++) {
        assert_true(cell_look(&harness, n, &booked[n]));
    }
    harness.suspended = cells_are_booked;
    slices = 0;
    json_t *answer = harness_ask(&harness, "strategy.try", "{'name':'cheap','from_lsn':1}");
    assert_int_equal(harness_int(answer, "orders"), 1);
    harness_drop(answer);
    assert_true(slices > 10);
    harness_restart(&harness);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_go_on),
        cmocka_unit_test(a_drain_meanwhile),
        cmocka_unit_test(an_end_meanwhile),
        cmocka_unit_test(a_trial_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
