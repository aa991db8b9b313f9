/* Words whose numbers stand in log records and snapshots: a number, once given, is for ever. New
 * words are appended to their list, or a log that was written before is read wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "effect.h"
#include "names.h"

#define PIN(name, number) assert_int_equal((int)(name), (number))

static void test_records(void **state)
{
    (void)state;
    PIN(EFFECT_FLAG, 1);
    PIN(EFFECT_NODE, 2);
    PIN(EFFECT_ITEM, 3);
    PIN(EFFECT_PLACES, 4);
    PIN(EFFECT_STOCK, 5);
    PIN(EFFECT_POLICY, 6);
    PIN(EFFECT_ORDER, 7);
    PIN(EFFECT_CANCEL, 8);
    PIN(EFFECT_FULFIL, 9);
    PIN(EFFECT_DROP, 10);
    PIN(EFFECT_REFUSED, 11);
    PIN(EFFECT_REPLAN, 20);
    PIN(EFFECT_REPLAN_KITS, 21);
    PIN(EFFECT_DOCUMENT, 40);
    PIN(EFFECT_TIME, 12);
    PIN(EFFECT_HOURS, 60);
    PIN(EFFECT_CAPACITY, 61);
    PIN(EFFECT_LANES, 62);
    PIN(EFFECT_ROADS, 63);
    PIN(EFFECT_STRATEGY, 70);
    PIN(EFFECT_CHOICE, 71);
    PIN(STRATEGY_LEXICOGRAPHIC, 0);
    PIN(STRATEGY_WEIGHTED, 1);
    PIN(STRATEGY_TERM_DISTANCE, 0);
    PIN(STRATEGY_TERM_ROAD, 1);
    PIN(STRATEGY_TERM_MINUTES, 2);
    PIN(STRATEGY_TERM_COST, 3);
    PIN(STRATEGY_TERM_DATE, 4);
    PIN(STRATEGY_TERM_STORE, 5);
    PIN(STRATEGY_TERM_WAREHOUSE, 6);
    PIN(STRATEGY_TERM_VENDOR, 7);
    PIN(STRATEGY_TERM_PRIORITY, 8);
    PIN(STRATEGY_TERM_LOAD, 9);
    PIN(STRATEGY_TERM_ACCEPTANCE, 10);
    PIN(STRATEGY_TERM_SCARCITY, 11);
    PIN(STRATEGY_FENCE_MAX_KM, 0);
    PIN(STRATEGY_FENCE_MAX_MINUTES, 1);
    PIN(STRATEGY_FENCE_MAX_COST, 2);
    PIN(STRATEGY_FENCE_MAX_LOAD, 3);
    PIN(STRATEGY_FENCE_MIN_ACCEPTANCE, 4);
    PIN(STRATEGY_FENCE_KEEP_LAST, 5);
    PIN(STRATEGY_FENCE_TYPES, 6);
    PIN(EFFECT_RESERVE, 13);
    PIN(EFFECT_RESERVE_END, 14);
    PIN(EFFECT_RESERVE_TAKE, 15);
    PIN(EFFECT_RESERVE_DROP, 16);
    PIN(EFFECT_SHORT, 80);
    PIN(RESERVATION_HELD, 0);
    PIN(RESERVATION_COMMITTED, 1);
    PIN(RESERVATION_RELEASED, 2);
    PIN(RESERVATION_EXPIRED, 3);
    PIN(RESERVATION_BROKEN, 4);
}

static void test_network(void **state)
{
    (void)state;
    PIN(NODE_STORE, 0);
    PIN(NODE_WAREHOUSE, 1);
    PIN(NODE_VENDOR, 2);
    PIN(NODE_ACTIVE, 0);
    PIN(NODE_ON_HOLD, 1);
    PIN(NODE_CLOSED, 2);
    PIN(CAPABILITY_SHIP, 0);
    PIN(CAPABILITY_SAME_DAY, 1);
    PIN(CAPABILITY_PICKUP, 2);
    PIN(CAPABILITY_RETURN, 3);
    PIN(CAPABILITY_CARRY_OUT, 4);
}

static void test_orders(void **state)
{
    (void)state;
    PIN(SERVICE_STANDARD, 0);
    PIN(SERVICE_NEXT_DAY, 1);
    PIN(SERVICE_SAME_DAY, 2);
    PIN(SERVICE_PICKUP, 3);
    PIN(SERVICE_RESERVE_PICKUP, 4);
    PIN(SERVICE_SHIP_TO_STORE, 5);
    PIN(SERVICE_CARRY_OUT, 6);
    PIN(WAY_SHIP_FROM_STORE, 0);
    PIN(WAY_SHIP_FROM_WAREHOUSE, 1);
    PIN(WAY_DROP_SHIP, 2);
    PIN(WAY_SAME_DAY, 3);
    PIN(WAY_PICKUP, 4);
    PIN(WAY_CARRY_OUT, 5);
    PIN(WAY_SHIP_TO_STORE, 6);
    PIN(ORDER_ROUTED, 0);
    PIN(ORDER_PARTIAL, 1);
    PIN(ORDER_REFUSED, 2);
    PIN(ORDER_DONE, 3);
    PIN(ORDER_CANCELLED, 4);
    PIN(ORDER_BACKORDERED, 5);
    PIN(ORDER_HELD, 6);
}

static void test_states(void **state)
{
    (void)state;
    PIN(STATE_OPEN, 0);
    PIN(STATE_ACCEPTED, 1);
    PIN(STATE_PICKING, 2);
    PIN(STATE_PICKED, 3);
    PIN(STATE_PACKED, 4);
    PIN(STATE_SHIPPED, 5);
    PIN(STATE_DELIVERED, 6);
    PIN(STATE_READY, 7);
    PIN(STATE_COLLECTED, 8);
    PIN(STATE_REJECTED, 9);
    PIN(STATE_CANCELLED, 10);
    PIN(STATE_NO_SHOW, 11);
}

static void test_replans(void **state)
{
    (void)state;
    PIN(DECLINE_OUT_OF_STOCK, 0);
    PIN(DECLINE_DAMAGED, 1);
    PIN(DECLINE_TOO_BUSY, 2);
    PIN(DECLINE_CLOSED, 3);
    PIN(DECLINE_NOT_ALLOWED, 4);
    PIN(DECLINE_NO_RESPONSE, 5);
    PIN(DECLINE_OTHER, 6);
    PIN(CAUSE_REJECT, 0);
    PIN(CAUSE_REROUTE, 1);
    PIN(CAUSE_MODIFY, 2);
    PIN(CAUSE_STOCK, 3);
    PIN(CAUSE_NODE_STATUS, 4);
}

static void test_reasons(void **state)
{
    (void)state;
    PIN(REASON_INSUFFICIENT_STOCK, 1);
    PIN(REASON_NO_FEASIBLE_SOURCE, 2);
    PIN(REASON_MAX_SPLITS_EXCEEDED, 3);
    PIN(REASON_SEARCH_LIMIT, 4);
    PIN(REASON_INVALID_STATE, 5);
    PIN(REASON_STALE_COUNT, 6);
    PIN(REASON_STALE_MOVEMENT, 7);
    PIN(REASON_TOO_MANY_ZEROED, 8);
    PIN(REASON_QTY_EXCEEDS_ORDERED, 9);
    PIN(REASON_RESERVATION_EXPIRED, 14);
    PIN(REASON_MAX_REJECTS_REACHED, 10);
    PIN(REASON_NOT_RETURNABLE, 11);
    PIN(REASON_PROMISE_NOT_MET, 12);
    PIN(REASON_CAPACITY_EXCEEDED, 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records), cmocka_unit_test(test_network),
        cmocka_unit_test(test_orders),  cmocka_unit_test(test_states),
        cmocka_unit_test(test_replans), cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
