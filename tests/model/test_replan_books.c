/* Orders that change after their routing, in random steps, against naive books: what each cell
 * must hold follows from what was reported, shipped and found missing; what is reserved is the sum
 * over all fulfilments that orders tell; every unit that a customer wants is shipped, held or owed,
 * once. The books know no decision: where something comes from is the engine's affair, but never a
 * node that said no.
 *
 * Replay: test_replan_books SEED [STEPS]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rng.h"
#include "service_harness.h"

enum { NODES = 6, ITEMS = 5, ORDERS = 40, LINES = 8, AUDIT = 200, RESTART = 3000 };

struct book_line {
    uint32_t item;
    int64_t wanted; /* what the customer gets in the end */
};

struct book_order {
    char id[16];
    bool is_live;
    uint32_t line_count;
    struct book_line lines[LINES];
    uint32_t no_from[NODES]; /* the node said no: in no fulfilment from this number on; 0 = never */
};

struct books {
    struct harness harness;
    struct rng rng;
    int64_t on_hand[ITEMS][NODES];
    struct book_order orders[ORDERS];
    uint32_t serial;
    uint32_t rejects, holds, reroutes, modifies; /* that happened: the test must reach them */
};

static uint64_t seed = 1;
static uint32_t steps = 6000; /* 100,000 by argument: some minutes, restarts included */

static uint32_t draw(struct books *books, uint32_t below)
{
    return (uint32_t)rng_below(&books->rng, below);
}

static bool is_refused(const json_t *answer)
{
    return harness_has(answer, "status") &&
           strcmp(harness_text(answer, "status"), "refused") == 0;
}

/* -- what an order tells -- */

static uint32_t node_of(const json_t *fulfilment)
{
    return (uint32_t)(json_string_value(json_object_get(fulfilment, "node"))[1] - '0');
}

static int64_t number(const json_t *map, const char *key)
{
    return json_integer_value(json_object_get(map, key));
}

static uint32_t line_at(const json_t *line)
{
    return (uint32_t)strtol(json_string_value(json_object_get(line, "line")), NULL, 10) - 1;
}

static uint32_t item_at(const json_t *line)
{
    return (uint32_t)(json_string_value(json_object_get(line, "item"))[1] - '0');
}

/* -- audits -- */

/* Every unit of the order is somewhere once; open units are added to reserved. */
static void audit_lines(const struct book_order *order, const json_t *told)
{
    size_t i;
    json_t *line;
    assert_int_equal(json_array_size(json_object_get(told, "lines")), order->line_count);
    json_array_foreach(json_object_get(told, "lines"), i, line) {
        int64_t units = number(line, "open") + number(line, "done") + number(line, "owed");
        assert_int_equal(line_at(line), i);
        assert_int_equal(item_at(line), order->lines[i].item);
        assert_int_equal(number(line, "qty"),
                         units + number(line, "cancelled") + number(line, "unfilled"));
        assert_int_equal(units, order->lines[i].wanted);
    }
}

static void audit_parts(const struct book_order *order, const json_t *told,
                        int64_t reserved[ITEMS][NODES])
{
    int64_t open[LINES] = {0};
    size_t i;
    size_t k;
    json_t *part;
    json_t *line;
    json_array_foreach(json_object_get(told, "fulfilments"), i, part) {
        uint32_t node = node_of(part);
        assert_true(order->no_from[node] == 0 || i < order->no_from[node]);
        json_array_foreach(json_object_get(part, "lines"), k, line) {
            open[line_at(line)] += number(line, "open");
            reserved[item_at(line)][node] += number(line, "open");
        }
    }
    json_array_foreach(json_object_get(told, "lines"), i, line) {
        assert_int_equal(open[i], number(line, "open"));
    }
}

static void audit_cells(struct books *books, int64_t reserved[ITEMS][NODES])
{
    for (uint32_t node = 0; node < NODES; node++) {
        size_t i;
        json_t *cell;
        json_t *answer = harness_ask(&books->harness, "stock.list", "{'node':'n%u'}", node);
        json_array_foreach(json_object_get(answer, "cells"), i, cell) {
            uint32_t item = item_at(cell);
            assert_int_equal(number(cell, "on_hand"), books->on_hand[item][node]);
            assert_int_equal(number(cell, "reserved"), reserved[item][node]);
            reserved[item][node] = 0;
        }
        harness_drop(answer);
        for (uint32_t item = 0; item < ITEMS; item++) {
            assert_int_equal(reserved[item][node], 0);
        }
    }
}

static void audit(struct books *books)
{
    int64_t reserved[ITEMS][NODES] = {{0}};
    int64_t held = 0;
    int64_t owed = 0;
    for (uint32_t i = 0; i < ORDERS; i++) {
        struct book_order *order = &books->orders[i];
        if (!order->is_live) {
            continue;
        }
        json_t *told = harness_ask(&books->harness, "order.get", "{'order_id':'%s'}", order->id);
        audit_lines(order, told);
        audit_parts(order, told, reserved);
        held += strcmp(harness_text(told, "status"), "held") == 0;
        for (uint32_t line = 0; line < order->line_count; line++) {
            owed += number(json_array_get(json_object_get(told, "lines"), line), "owed");
        }
        harness_drop(told);
    }
    audit_cells(books, reserved);
    json_t *stats = harness_ask(&books->harness, "stats", "{}");
    assert_int_equal(harness_int(stats, "held_orders"), held);
    assert_int_equal(harness_int(stats, "owed_units"), owed);
    harness_drop(stats);
    tables_check((struct tables *)(uintptr_t)service_tables(books->harness.service));
}

/* -- steps -- */

static void step_stock(struct books *books)
{
    uint32_t item = draw(books, ITEMS);
    uint32_t node = draw(books, NODES);
    if (draw(books, 4)) {
        int64_t delta = (int64_t)draw(books, 6) + 1;
        harness_do(&books->harness, "stock.adjust", "{'item':'i%u','node':'n%u','delta':%lld}",
                   item, node, (long long)delta);
        books->on_hand[item][node] += delta;
    } else {
        int64_t count = draw(books, 8);
        harness_do(&books->harness, "stock.set", "{'item':'i%u','node':'n%u','on_hand':%lld}",
                   item, node, (long long)count);
        books->on_hand[item][node] = count;
    }
}

/* Forget an order that is over, so that another takes its place. */
static void settle(struct books *books, struct book_order *order)
{
    json_t *told = harness_ask(&books->harness, "order.get", "{'order_id':'%s'}", order->id);
    const char *status = harness_text(told, "status");
    order->is_live = strcmp(status, "done") != 0 && strcmp(status, "cancelled") != 0;
    harness_drop(told);
}

static void step_route(struct books *books)
{
    struct book_order *order = &books->orders[draw(books, ORDERS)];
    char lines[200] = "";
    size_t len = 0;
    if (order->is_live) {
        return;
    }
    memset(order, 0, sizeof *order);
    order->line_count = 1 + draw(books, 3);
    snprintf(order->id, sizeof order->id, "o%u", ++books->serial);
    for (uint32_t i = 0; i < order->line_count; i++) {
        order->lines[i] = (struct book_line){draw(books, ITEMS), 1 + draw(books, 4)};
        len += (size_t)snprintf(lines + len, sizeof lines - len, "%s{'item':'i%u','qty':%d}",
                                i ? "," : "", order->lines[i].item, (int)order->lines[i].wanted);
    }
    json_t *answer = harness_ask(&books->harness, "order.route",
                                 "{'order_id':'%s','lines':[%s],'service':'standard',"
                                 "'dest':{'lat':%u,'lon':0}%s}",
                                 order->id, lines, draw(books, NODES),
                                 draw(books, 2) ? ",'backorder':true" : "");
    assert_true(harness_has(answer, "status"));
    order->is_live = !is_refused(answer);
    harness_drop(answer);
}

static struct book_order *order_draw(struct books *books)
{
    struct book_order *order = &books->orders[draw(books, ORDERS)];
    return order->is_live ? order : NULL;
}

/* A fulfilment of a live order that has open units: its number from 1, or 0. told is the order. */
static uint32_t part_draw(struct books *books, const struct book_order *order, json_t **told_out)
{
    *told_out = harness_ask(&books->harness, "order.get", "{'order_id':'%s'}", order->id);
    json_t *parts = json_object_get(*told_out, "fulfilments");
    uint32_t count = (uint32_t)json_array_size(parts);
    uint32_t from = count ? draw(books, count) : 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (from + i) % count;
        size_t k;
        json_t *line;
        json_array_foreach(json_object_get(json_array_get(parts, at), "lines"), k, line) {
            if (number(line, "open") > 0) {
                return at + 1;
            }
        }
    }
    return 0;
}

/* Accept, pick or ship all that is open of a fulfilment. */
static void step_fulfil(struct books *books)
{
    static const char *const states[] = {"accepted", "picked", "shipped", "shipped"};
    struct book_order *order = order_draw(books);
    json_t *told;
    uint32_t part = order ? part_draw(books, order, &told) : 0;
    if (!order) {
        return;
    }
    const char *state = states[draw(books, 4)];
    if (part > 0) {
        json_t *own = json_array_get(json_object_get(told, "fulfilments"), part - 1);
        size_t i;
        json_t *line;
        json_t *answer = harness_ask(&books->harness, "fulfil.update",
                                     "{'fulfilment':'%s/%u','state':'%s'}", order->id, part,
                                     state);
        bool is_shipped = strcmp(state, "shipped") == 0;
        json_array_foreach(json_object_get(own, "lines"), i, line) {
            books->on_hand[item_at(line)][node_of(own)] -= is_shipped ? number(line, "open") : 0;
        }
        assert_true(is_refused(answer) ? !is_shipped : true);
        harness_drop(answer);
    }
    harness_drop(told);
    settle(books, order);
}

/* Expected counts of a rejecting node's cells: all lines of an item together. */
static void books_reject(struct books *books, const json_t *part, const int64_t *found, int action,
                         int64_t counted)
{
    uint32_t node = node_of(part);
    json_t *lines = json_object_get(part, "lines");
    int64_t missing[ITEMS] = {0};
    int64_t here[ITEMS] = {0};
    bool is_named[ITEMS] = {false};
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line) {
        missing[item_at(line)] += number(line, "open") - found[i];
        here[item_at(line)] += found[i];
        is_named[item_at(line)] = true;
    }
    for (uint32_t item = 0; item < ITEMS; item++) {
        if (action == 1 && missing[item] > 0) {
            books->on_hand[item][node] -= missing[item];
        } else if (action == 2 && missing[item] > 0) {
            books->on_hand[item][node] = here[item];
        } else if (action == 3 && is_named[item]) {
            books->on_hand[item][node] = counted;
        }
    }
}

static void step_reject(struct books *books)
{
    static const char *const actions[] = {"none", "missing", "zero", "set"};
    struct book_order *order = order_draw(books);
    json_t *told;
    uint32_t part = order ? part_draw(books, order, &told) : 0;
    char lines[600] = "";
    size_t len = 0;
    int64_t found[LINES] = {0};
    int64_t counted = draw(books, 10);
    int action = (int)draw(books, 4);
    bool is_short = action == 3 || draw(books, 2);
    bool is_some = false;
    size_t i;
    json_t *line;
    if (!order) {
        return;
    }
    if (part == 0) {
        harness_drop(told);
        return;
    }
    json_t *own = json_array_get(json_object_get(told, "fulfilments"), part - 1);
    json_array_foreach(json_object_get(own, "lines"), i, line) {
        int64_t open = number(line, "open");
        found[i] = is_short ? draw(books, (uint32_t)open + 1) : 0;
        is_some = is_some || found[i] < open;
        char count[32] = "";
        if (action == 3) {
            snprintf(count, sizeof count, ",'on_hand':%lld", (long long)counted);
        }
        len += (size_t)snprintf(lines + len, sizeof lines - len,
                                "%s{'line':%u,'qty_found':%lld%s}", i ? "," : "",
                                line_at(line) + 1, (long long)found[i], count);
    }
    if (is_some) {
        uint32_t parts = (uint32_t)json_array_size(json_object_get(told, "fulfilments"));
        json_t *answer = harness_ask(
            &books->harness, "fulfil.reject",
            "{'fulfilment':'%s/%u','reason':'other','stock_action':'%s'%s%s%s%s}", order->id,
            part, actions[action], is_short ? ",'lines':[" : "", is_short ? lines : "",
            is_short ? "]" : "", draw(books, 5) ? "" : ",'reroute':false");
        books_reject(books, own, found, action, counted);
        if (order->no_from[node_of(own)] == 0) {
            order->no_from[node_of(own)] = parts;
        }
        books->rejects++;
        books->holds += strcmp(harness_text(answer, "status"), "held") == 0;
        harness_drop(answer);
    }
    harness_drop(told);
}

static void step_cancel(struct books *books)
{
    struct book_order *order = order_draw(books);
    size_t i;
    json_t *line;
    if (!order) {
        return;
    }
    uint32_t at = draw(books, order->line_count);
    json_t *answer = harness_ask(&books->harness, "order.cancel",
                                 "{'order_id':'%s','lines':[{'line':%u,'qty':1}]}", order->id,
                                 at + 1);
    json_array_foreach(json_object_get(answer, "cancelled"), i, line) {
        if (!harness_has(answer, "duplicate")) {
            order->lines[line_at(line)].wanted -= number(line, "qty");
        }
    }
    harness_drop(answer);
    settle(books, order);
}

static void step_reroute(struct books *books)
{
    struct book_order *order = order_draw(books);
    json_t *told = NULL;
    uint32_t part = order && draw(books, 2) ? part_draw(books, order, &told) : 0;
    char what[64] = "";
    if (!order) {
        return;
    }
    json_decref(told);
    if (part > 0) {
        snprintf(what, sizeof what, ",'fulfilments':['%s/%u']", order->id, part);
    } else {
        snprintf(what, sizeof what, "%s", draw(books, 2) ? ",'allow_partial':true" : "");
    }
    json_t *answer = harness_ask(&books->harness, "order.reroute", "{'order_id':'%s'%s%s}",
                                 order->id, what, draw(books, 4) ? "" : ",'dry_run':true");
    books->reroutes += harness_has(answer, "fulfilments.0");
    harness_drop(answer);
}

/* Other quantities of some lines, now and then a new line or another destination. */
static void step_modify(struct books *books)
{
    struct book_order *order = order_draw(books);
    struct book_line lines[LINES];
    char text[600] = "";
    size_t len = 0;
    if (!order) {
        return;
    }
    memcpy(lines, order->lines, sizeof lines);
    uint32_t count = order->line_count;
    if (count < LINES && draw(books, 4) == 0) {
        lines[count++] = (struct book_line){draw(books, ITEMS), 0};
    }
    for (uint32_t i = 0; i < count; i++) {
        bool is_new = i >= order->line_count;
        lines[i].wanted = is_new || draw(books, 2) ? 1 + (int64_t)draw(books, 4) : lines[i].wanted;
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "%s{'line':%u,'item':'i%u','qty':%lld}", i ? "," : "", i + 1,
                                lines[i].item, (long long)lines[i].wanted);
    }
    char dest[48] = "";
    if (draw(books, 3) == 0) {
        snprintf(dest, sizeof dest, ",'dest':{'lat':%u,'lon':1}", draw(books, NODES));
    }
    json_t *answer = harness_ask(&books->harness, "order.modify",
                                 "{'order_id':'%s','lines':[%s]%s}", order->id, text, dest);
    if (!is_refused(answer)) {
        memcpy(order->lines, lines, sizeof lines);
        order->line_count = count;
        books->modifies++;
    }
    harness_drop(answer);
    settle(books, order);
}

static void step_node(struct books *books)
{
    static const char *const how[] = {"'active'", "'active'", "'closed','reroute':true",
                                      "'on_hold','reroute':true", "'on_hold'"};
    harness_do(&books->harness, "node.status", "{'node':'n%u','status':%s}", draw(books, NODES),
               how[draw(books, 5)]);
}

static void step_policy(struct books *books)
{
    harness_do(&books->harness, "stock.policy", "{'item':'i%u','node':'n%u','safety_stock':%u}",
               draw(books, ITEMS), draw(books, NODES), draw(books, 3));
}

static void step(struct books *books)
{
    typedef void step_function(struct books *books);
    static step_function *const functions[] = {
        step_stock,  step_stock,  step_route,   step_route,  step_route,  step_route,
        step_fulfil, step_fulfil, step_fulfil,  step_fulfil, step_reject, step_reject,
        step_cancel, step_modify, step_reroute, step_modify, step_stock,
    };
    uint32_t what = draw(books, 40);
    if (what == 0) {
        step_node(books);
    } else if (what == 1) {
        step_policy(books);
    } else {
        functions[draw(books, sizeof functions / sizeof functions[0])](books);
    }
}

static void begin(struct books *books)
{
    memset(books, 0, sizeof *books);
    rng_init(&books->rng, seed);
    harness_init(&books->harness);
    books->harness.options.order_window_ms = 1000;
    harness_start(&books->harness);
    for (uint32_t i = 0; i < NODES; i++) {
        harness_do(&books->harness, "node.put", "{'node':'n%u','type':'store','lat':%u,'lon':0}",
                   i, i);
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        harness_do(&books->harness, "item.put", "{'item':'i%u'}", i);
    }
}

/* The books agree with the engine at every audit, and what is recovered is what was there. */
static void books_agree(void **state)
{
    static struct books books;
    (void)state;
    begin(&books);
    for (uint32_t i = 1; i <= steps; i++) {
        step(&books);
        if (i % AUDIT == 0) {
            audit(&books);
        }
        if (i % RESTART == 0) {
            harness_restart(&books.harness);
            audit(&books);
        }
    }
    audit(&books);
    printf("%u rejects, %u of them to held, %u reroutes, %u modifies\n", books.rejects,
           books.holds, books.reroutes, books.modifies);
    assert_true(steps < 5000 || (books.rejects > 100 && books.holds > 20 &&
                                  books.reroutes > 0 && books.modifies > 100));
    harness_close(&books.harness);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : seed;
    steps = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : steps;
    printf("seed %llu: replay with test_replan_books %llu %u\n", (unsigned long long)seed,
           (unsigned long long)seed, steps);
    const struct CMUnitTest tests[] = {cmocka_unit_test(books_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
