/* Properties of the decision: each rule of the contract's chapter, by hand-made tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "world.h"

static struct world world;
static struct route_answer answer;
static struct route_line lines[12];
static struct route_request request;

/* Nodes a, b, c ... one degree (111195 m) apart to the east of the destination. */
static uint16_t node(const char *id, double degrees)
{
    struct node_config config = world_config(NODE_STORE, 0, degrees);
    return world_node(&world, id, &config);
}

static int set_up(void **state)
{
    (void)state;
    world_init(&world, 100);
    for (uint32_t i = 0; i < 12; i++) {
        char id[2] = {(char)('p' + i), 0};
        world_item(&world, id);
        lines[i] = (struct route_line){i, 1, SERVICE_STANDARD, NODE_NONE, 0};
    }
    request = (struct route_request){.lines = lines,
                                     .line_count = 1,
                                     .has_dest = true,
                                     .dest = geo_point(0, 0),
                                     .country = "US",
                                     .postcode = "90210",
                                     .max_splits = ROUTE_NO_LIMIT,
                                     .max_m = ROUTE_NO_LIMIT};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

static void decide(void)
{
    route_decide(world.route, &world.view, &request, &answer);
}

static void assert_single(uint16_t wanted)
{
    assert_int_equal(answer.status, ORDER_ROUTED);
    assert_int_equal(answer.part_count, 1);
    assert_int_equal(answer.parts[0].node, wanted);
}

static void assert_refused(enum reason reason)
{
    assert_int_equal(answer.status, ORDER_REFUSED);
    assert_int_equal(answer.reason, reason);
    assert_int_equal(answer.part_count, 0);
    assert_int_equal(answer.share_count, 0);
}

/* The nearest node with stock wins, with its metres, way and cost. */
static void nearest_with_stock_wins(void **state)
{
    (void)state;
    struct node_config config = world_config(NODE_WAREHOUSE, 0, 2);
    config.handling_cents = 350;
    node("a", 1);
    uint16_t b = world_node(&world, "b", &config);
    world_stock(&world, 0, b, 3, 1);
    decide();
    assert_single(b);
    assert_int_equal(answer.parts[0].metres, 222390);
    assert_int_equal(answer.parts[0].way, WAY_SHIP_FROM_WAREHOUSE);
    assert_int_equal(answer.parts[0].cost_cents, 350);
    assert_int_equal(answer.total_m, 222390);
    assert_int_equal(answer.splits, 0);
    assert_true(answer.is_optimal);
}

/* A lower priority number beats distance; equal metres go by id as text. */
static void priority_then_metres_then_id(void **state)
{
    (void)state;
    struct node_config config = world_config(NODE_STORE, 0, 5);
    config.priority = -1;
    uint16_t n10 = node("n10", 1);
    uint16_t n9 = node("n9", 1);
    world_stock(&world, 0, n10, 1, 0);
    world_stock(&world, 0, n9, 1, 0);
    decide();
    assert_single(n10);
    uint16_t far = world_node(&world, "z", &config);
    world_stock(&world, 0, far, 1, 0);
    decide();
    assert_single(far);
}

/* Quantities of one item are added up over lines before anything is checked. */
static void lines_of_one_item_add_up(void **state)
{
    (void)state;
    uint16_t a = node("a", 1);
    uint16_t b = node("b", 2);
    lines[1].item = 0;
    request.line_count = 2;
    world_stock(&world, 0, a, 1, 0);
    world_stock(&world, 0, b, 2, 0);
    decide();
    assert_single(b);
    assert_int_equal(answer.share_count, 2);
}

/* Fixed places first, then same_day, then the rest, each on what the earlier left. */
static void groups_take_in_turn(void **state)
{
    (void)state;
    uint16_t a = node("a", 0.1);
    uint16_t b = node("b", 0.2);
    uint16_t c = node("c", 0.3);
    for (uint32_t i = 0; i < 3; i++) {
        lines[i].item = 0;
    }
    lines[1].service = SERVICE_SAME_DAY;
    lines[2].node = a;
    request.line_count = 3;
    world_stock(&world, 0, a, 1, 0);
    world_stock(&world, 0, b, 1, 0);
    world_stock(&world, 0, c, 1, 0);
    decide();
    assert_int_equal(answer.status, ORDER_ROUTED);
    assert_int_equal(answer.part_count, 3);
    assert_int_equal(answer.parts[0].node, a);
    assert_int_equal(answer.parts[1].node, b);
    assert_int_equal(answer.parts[1].service, SERVICE_SAME_DAY);
    assert_int_equal(answer.parts[2].node, c);
    assert_int_equal(answer.shares[0].line, 2);
    assert_int_equal(answer.shares[1].line, 1);
    assert_int_equal(answer.shares[2].line, 0);
    assert_int_equal(answer.splits, 0);
}

/* All or nothing over groups: one that cannot be had refuses the order. */
static void one_group_refuses_all(void **state)
{
    (void)state;
    uint16_t a = node("a", 1);
    uint16_t b = node("b", 2);
    lines[1].node = b;
    request.line_count = 2;
    world_stock(&world, 0, a, 1, 0);
    decide();
    assert_refused(REASON_INSUFFICIENT_STOCK);
    assert_int_equal(answer.unfilled_count, 1);
    assert_int_equal(answer.unfilled[0].line, 1);
}

/* A pickup at a given node is 0 m away, a pinned shipment as far as the destination. */
static void metres_of_fixed_places(void **state)
{
    (void)state;
    uint16_t a = node("a", 1);
    world_stock(&world, 0, a, 1, 0);
    lines[0].node = a;
    decide();
    assert_single(a);
    assert_int_equal(answer.parts[0].metres, 111195);
    lines[0].service = SERVICE_PICKUP;
    request.has_dest = false;
    decide();
    assert_single(a);
    assert_int_equal(answer.parts[0].metres, 0);
    assert_int_equal(answer.parts[0].way, WAY_PICKUP);
}

/* same_day is not split unless asked, pickup never. */
static void services_that_do_not_split(void **state)
{
    (void)state;
    uint16_t a = node("a", 0.1);
    uint16_t b = node("b", 0.2);
    world_stock(&world, 0, a, 1, 0);
    world_stock(&world, 1, b, 1, 0);
    request.line_count = 2;
    lines[0].service = lines[1].service = SERVICE_SAME_DAY;
    decide();
    assert_refused(REASON_MAX_SPLITS_EXCEEDED);
    assert_int_equal(answer.unfilled_count, 2);
    request.max_splits = 1;
    decide();
    assert_int_equal(answer.part_count, 2);
    assert_int_equal(answer.splits, 1);
    lines[0].service = lines[1].service = SERVICE_PICKUP;
    decide();
    assert_refused(REASON_MAX_SPLITS_EXCEEDED);
}

/* max_splits counts over all groups of the order. */
static void max_splits_is_of_the_order(void **state)
{
    (void)state;
    uint16_t a = node("a", 0.1);
    uint16_t b = node("b", 0.2);
    for (uint32_t i = 0; i < 4; i++) {
        world_stock(&world, i, i % 2 ? a : b, 1, 0);
        lines[i].service = i < 2 ? SERVICE_STANDARD : SERVICE_NEXT_DAY;
    }
    request.line_count = 4;
    request.max_splits = 2;
    decide();
    assert_int_equal(answer.splits, 2);
    request.max_splits = 1;
    decide();
    assert_refused(REASON_MAX_SPLITS_EXCEEDED);
}

/* Flags, areas and PO boxes keep items from nodes; another node of another kind serves. */
static void items_are_barred(void **state)
{
    (void)state;
    struct node_config config = world_config(NODE_WAREHOUSE, 0, 0.3);
    uint16_t store = node("a", 0.1);
    uint16_t warehouse = world_node(&world, "w", &config);
    world_stock(&world, 0, store, 1, 0);
    world_stock(&world, 0, warehouse, 1, 0);
    world.catalogue.items[0].flags = 1u << FLAG_NO_SHIP_FROM_STORE;
    decide();
    assert_single(warehouse);
    lines[0].service = SERVICE_PICKUP;
    decide();
    assert_single(store);
    world.catalogue.items[0].flags = 1u << FLAG_NO_PICKUP;
    decide();
    assert_refused(REASON_NO_FEASIBLE_SOURCE);
    assert_int_equal(answer.rejected[REJECT_ITEM_BARRED], 2);
    lines[0].service = SERVICE_SAME_DAY;
    request.is_po_box = true;
    decide();
    assert_refused(REASON_NO_FEASIBLE_SOURCE);
    assert_int_equal(answer.rejected[REJECT_DESTINATION_NOT_SERVED], 2);
}

/* A node that bars or does not list one item of a group is no candidate for the whole group. */
static void a_bar_is_of_the_group(void **state)
{
    (void)state;
    struct node_config config = world_config(NODE_WAREHOUSE, 0, 3);
    uint16_t store = node("a", 1);
    uint16_t warehouse = world_node(&world, "w", &config);
    world_stock(&world, 0, store, 1, 0);
    world_stock(&world, 1, store, 1, 0);
    world_stock(&world, 0, warehouse, 1, 0);
    request.line_count = 2;
    world.catalogue.items[0].flags = 1u << FLAG_NO_SHIP_FROM_STORE;
    request.explain = 1;
    decide();
    assert_refused(REASON_INSUFFICIENT_STOCK);
    assert_int_equal(answer.unfilled_count, 1);
    assert_int_equal(answer.unfilled[0].line, 1);
    assert_int_equal(answer.unfilled[0].available, 0);
    assert_int_equal(answer.rejected[REJECT_ITEM_BARRED], 1);
    assert_int_equal(answer.candidates, 1);
    request.allow_partial = true;
    decide();
    assert_int_equal(answer.status, ORDER_PARTIAL);
    assert_int_equal(answer.part_count, 1);
    assert_int_equal(answer.parts[0].node, warehouse);
    world.catalogue.items[0].flags = 0;
    world_policy(&world, 1, warehouse, &(struct policy){.is_unlisted = true});
    decide();
    assert_single(store);
    world_stock(&world, 1, store, 0, 0);
    decide();
    assert_int_equal(answer.status, ORDER_PARTIAL);
    assert_int_equal(answer.parts[0].node, store);
    assert_int_equal(answer.rejected[REJECT_ITEM_BARRED], 1);
}

/* Without any candidate every line is at fault, also where a part would do. */
static void no_candidate_at_all(void **state)
{
    (void)state;
    uint16_t a = node("a", 1);
    world_stock(&world, 0, a, 5, 0);
    world_stock(&world, 1, a, 5, 0);
    world_policy(&world, 1, a, &(struct policy){.is_unlisted = true});
    request.line_count = 2;
    request.allow_partial = true;
    decide();
    assert_refused(REASON_NO_FEASIBLE_SOURCE);
    assert_int_equal(answer.unfilled_count, 2);
    assert_int_equal(answer.rejected[REJECT_ITEM_BARRED], 1);
    lines[0].node = a;
    lines[1].node = a;
    decide();
    assert_refused(REASON_NO_FEASIBLE_SOURCE);
    assert_int_equal(answer.rejected[REJECT_ITEM_BARRED], 1);
    world_policy(&world, 1, a, &(struct policy){.is_unlisted = false});
    decide();
    assert_single(a);
}

/* Each node that is not chosen is counted once, by the first reason that holds. */
static void rejects_in_order(void **state)
{
    (void)state;
    uint16_t chosen = node("a", 1);
    uint16_t out = node("b", 2);
    uint16_t safe = node("c", 3);
    uint16_t few = node("d", 4);
    uint16_t far = node("e", 40);
    uint16_t left_out = node("f", 0.5);
    uint16_t outranked = node("g", 5);
    uint16_t no_sayer = node("j", 0.7);
    struct node_config config = world_config(NODE_STORE, 0, 1);
    config.status = NODE_ON_HOLD;
    world_node(&world, "h", &config);
    config = world_config(NODE_STORE, 0, 1);
    config.services = 1u << CAPABILITY_PICKUP;
    world_node(&world, "i", &config);
    lines[0].qty = 2;
    world_stock(&world, 0, chosen, 2, 0);
    world_stock(&world, 0, out, 1, 1);
    world_stock(&world, 0, safe, 1, 0);
    world_policy(&world, 0, safe, &(struct policy){.has_safety = true, .safety_stock = 1});
    world_stock(&world, 0, few, 1, 0);
    world_stock(&world, 0, far, 9, 0);
    world_stock(&world, 0, left_out, 9, 0);
    world_stock(&world, 0, no_sayer, 9, 0);
    world_stock(&world, 0, outranked, 9, 0);
    request.max_m = 4000000;
    request.exclude = &left_out;
    request.exclude_count = 1;
    request.rejected = &no_sayer;
    request.rejected_count = 1;
    request.explain = 2;
    decide();
    assert_single(chosen);
    for (int reject = REJECT_EXCLUDED; reject < REJECT_COUNT; reject++) {
        bool is_of_time = reject >= REJECT_NODE_BLOCKED && reject <= REJECT_STRATEGY_FENCED;
        bool is_there = reject != REJECT_DESTINATION_NOT_SERVED &&
                        reject != REJECT_ITEM_BARRED && reject != REJECT_RING_FENCED &&
                        !is_of_time;
        assert_int_equal(answer.rejected[reject], is_there ? 1 : 0);
    }
    assert_int_equal(answer.candidates, 5);
    assert_int_equal(answer.reject_count, 9);
    assert_int_equal(answer.rejects[0].node, left_out);
    assert_int_equal(answer.rejects[8].node, far);
    assert_int_equal(answer.rejects[8].reject, REJECT_TOO_FAR);
}

/* Safety stock is not sold, an unlisted cell never a source. */
static void policies_hold_back(void **state)
{
    (void)state;
    uint16_t a = node("a", 1);
    uint16_t b = node("b", 2);
    world_stock(&world, 0, a, 5, 0);
    world_stock(&world, 0, b, 5, 0);
    world_policy(&world, 0, a, &(struct policy){.has_safety = true, .safety_stock = 5});
    decide();
    assert_single(b);
    world_policy(&world, 0, b, &(struct policy){.is_unlisted = true});
    decide();
    assert_refused(REASON_INSUFFICIENT_STOCK);
    assert_int_equal(answer.unfilled[0].available, 0);
}

/* A line stays whole on the nearest node that can hold it whole; spread only when none can. */
static void lines_stay_whole(void **state)
{
    (void)state;
    uint16_t a = node("a", 1);
    uint16_t b = node("b", 2);
    request.line_count = 3;
    lines[0].qty = 2;
    lines[1].qty = 3;
    world_stock(&world, 0, a, 1, 0); /* too few for line 0: b has them all */
    world_stock(&world, 0, b, 2, 0);
    world_stock(&world, 1, a, 1, 0); /* line 1 is spread */
    world_stock(&world, 1, b, 2, 0);
    world_stock(&world, 2, a, 1, 0);
    decide();
    static const struct route_share wanted[] = {{0, 1, 1}, {0, 2, 1}, {1, 0, 2}, {1, 1, 2}};
    assert_int_equal(answer.share_count, 4);
    assert_memory_equal(answer.shares, wanted, sizeof wanted);
}

/* Partial: the shortage falls on the last line, told with what is available. */
static void partial_leaves_the_last(void **state)
{
    (void)state;
    uint16_t a = node("a", 1);
    lines[1].item = 0;
    lines[0].qty = lines[1].qty = 2;
    request.line_count = 2;
    request.allow_partial = true;
    world_stock(&world, 0, a, 3, 0);
    decide();
    assert_int_equal(answer.status, ORDER_PARTIAL);
    assert_int_equal(answer.shares[0].qty, 2);
    assert_int_equal(answer.shares[1].qty, 1);
    assert_int_equal(answer.unfilled_count, 1);
    assert_int_equal(answer.unfilled[0].line, 1);
    assert_int_equal(answer.unfilled[0].qty, 1);
    assert_int_equal(answer.unfilled[0].available, 3);
    world_stock(&world, 0, a, 0, 0);
    decide();
    assert_refused(REASON_INSUFFICIENT_STOCK);
}

/* Under max_splits, most units first. */
static void partial_takes_most_units(void **state)
{
    (void)state;
    uint16_t a = node("a", 1);
    uint16_t b = node("b", 2);
    request.line_count = 3;
    request.allow_partial = true;
    request.max_splits = 0;
    world_stock(&world, 0, a, 1, 0);
    world_stock(&world, 1, b, 1, 0);
    world_stock(&world, 2, b, 1, 0);
    decide();
    assert_int_equal(answer.status, ORDER_PARTIAL);
    assert_int_equal(answer.part_count, 1);
    assert_int_equal(answer.parts[0].node, b);
    assert_int_equal(answer.unfilled_count, 1);
    assert_int_equal(answer.unfilled[0].line, 0);
    assert_int_equal(answer.unfilled[0].reason, REASON_MAX_SPLITS_EXCEEDED);
}

/* Without steps max_splits is SEARCH_LIMIT where greedy fails; without max_splits all is filled. */
static void no_steps_no_proof(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        uint32_t items;
    } all[] = {{"a", 0x0f}, {"b", 0x33}, {"c", 0xcc}};
    for (uint32_t i = 0; i < 3; i++) {
        uint16_t at = node(all[i].id, 1 + i);
        for (uint32_t item = 0; item < 6; item++) {
            if (all[i].items >> item & 1) {
                world_stock(&world, item, at, 1, 0);
            }
        }
    }
    request.line_count = 6;
    route_steps_max_set(world.route, 0);
    assert_int_equal(route_steps_max(world.route), 0);
    decide();
    assert_int_equal(answer.status, ORDER_ROUTED);
    route_steps_max_set(world.route, 100000);
    decide();
    assert_int_equal(answer.part_count, 2);
    assert_true(answer.is_optimal);
}

/* A group of up to 12 items may take 64 times the steps. */
static void few_items_have_more_steps(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 40; i++) {
        char id[8];
        snprintf(id, sizeof id, "n%u", i);
        uint16_t at = node(id, 1 + i);
        for (uint32_t item = 0; item < 12; item++) {
            world_stock(&world, item, at, (i * 7 + item * 5 + i * item) % 4, 0);
        }
    }
    for (uint32_t i = 0; i < 12; i++) {
        lines[i] = (struct route_line){i, 5, SERVICE_STANDARD, NODE_NONE, 0};
    }
    request.line_count = 12;
    decide();
    const uint32_t used = answer.steps;
    const uint64_t best_m = answer.total_m;
    assert_true(answer.is_optimal && used > 100);
    route_steps_max_set(world.route, used / 4);
    decide();
    assert_true(answer.is_optimal && answer.steps > used / 4 && answer.total_m == best_m);
    assert_int_equal(route_steps_few(world.route), used / 4 * 64);
    route_steps_max_set(world.route, UINT32_MAX / 2);
    assert_int_equal(route_steps_few(world.route), UINT32_MAX);
}

/* stock.find: the k nearest with enough, nearest first; by handle without a place. */
static void nearest_lists_k(void **state)
{
    (void)state;
    struct route_near near[3];
    uint16_t d = node("d", 3);
    uint16_t a = node("a", 1);
    uint16_t b = node("b", 1);
    uint16_t c = node("c", 2);
    world_stock(&world, 0, d, 9, 0);
    world_stock(&world, 0, a, 1, 0);
    world_stock(&world, 0, b, 5, 1);
    world_stock(&world, 0, c, 5, 0);
    const struct route_line one = {0, 1, SERVICE_STANDARD, NODE_NONE, 0};
    assert_int_equal(
        route_nearest(world.route, &world.view, &one, 1, 2, &request, SERVICE_STANDARD, 2, near),
        2);
    assert_int_equal(near[0].node, b);
    assert_int_equal(near[0].free, 4);
    assert_int_equal(near[1].node, c);
    assert_int_equal(near[1].metres, 222390);
    request.has_dest = false;
    assert_int_equal(route_nearest(world.route, &world.view, &one, 1, 1, &request, -1, 3, near),
                     3);
    assert_int_equal(near[0].node, d);
    assert_int_equal(near[1].node, a);
}

/* A guess stands as long as its node holds all, and then equals the decision. */
static void a_guess_stands_or_falls(void **state)
{
    (void)state;
    struct route_guess guess;
    struct route_answer full;
    uint16_t a = node("a", 1);
    uint16_t b = node("b", 2);
    world_stock(&world, 0, a, 1, 0);
    world_stock(&world, 0, b, 1, 0);
    route_guess(world.route, &world.view, &request, &guess);
    assert_int_equal(guess.node, a);
    assert_true(route_confirm(world.route, &world.view, &request, &guess, &answer));
    decide();
    full = answer;
    assert_int_equal(full.parts[0].node, a);
    world_apply(&world, &request, &full);
    assert_false(route_confirm(world.route, &world.view, &request, &guess, &answer));
    decide();
    assert_single(b);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(nearest_with_stock_wins),
        CASE(priority_then_metres_then_id),
        CASE(lines_of_one_item_add_up),
        CASE(groups_take_in_turn),
        CASE(one_group_refuses_all),
        CASE(metres_of_fixed_places),
        CASE(services_that_do_not_split),
        CASE(max_splits_is_of_the_order),
        CASE(items_are_barred),
        CASE(a_bar_is_of_the_group),
        CASE(no_candidate_at_all),
        CASE(rejects_in_order),
        CASE(policies_hold_back),
        CASE(lines_stay_whole),
        CASE(partial_leaves_the_last),
        CASE(partial_takes_most_units),
        CASE(no_steps_no_proof),
        CASE(few_items_have_more_steps),
        CASE(nearest_lists_k),
        CASE(a_guess_stands_or_falls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
