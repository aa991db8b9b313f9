/* Who waits and who gets what comes. Random orders wait for stock at places, by services and with
 * lists that different nodes may serve; units come one by one, nodes close and serve elsewhere,
 * orders change and leave.
 *
 * Two oracles, neither of which knows a class. Of plain items the books say who waits longest among
 * those that the node may serve, by rules written down here once more: that order, and no other,
 * gets the unit. And whatever happened, no order that still waits finds anything when it is decided
 * by itself (order.reroute, a dry run).
 *
 * The rest counts tries with 100,000 waiting lines: what cannot be helped is not tried.
 *
 * Replay: test_waiting SEED [STEPS]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "geo.h"
#include "rng.h"
#include "service_harness.h"
#include "tables.h"

enum { NODES = 10, PLAIN = 2, ITEMS = 4, PLACES = 8, ORDERS = 120, REACH_KM = 120, RESTART = 400 };

enum kind { STANDARD, SAME_DAY, PICKUP, PINNED, TO_STORE, KINDS };

struct book_order {
    char id[16];
    bool is_live;
    uint32_t item; /* ITEMS: a kit of the last two */
    uint32_t qty;
    enum kind kind;
    uint32_t place, node;
    bool is_close;      /* its strategy takes no node that is farther than REACH_KM */
    bool is_out[NODES]; /* excluded, or it said no */
    uint64_t age;
};

struct book_node {
    bool is_closed;
    uint32_t serves; /* of lists */
};

struct books {
    struct harness harness;
    struct rng rng;
    struct book_node nodes[NODES];
    struct book_order orders[ORDERS];
    uint64_t age;
    uint32_t serial;
    uint32_t given, moved, alone; /* that happened: the test must reach them */
};

static const char *const lists[] = {"", "'US:1'", "'US:10','-US:1001'", "'US','-US:2'",
                                    "'US:90210'", "'-US:9'"};
static const char *const postcodes[PLACES] = {"10001", "10013", "10115", "20001",
                                              "20500", "90210", "90001", "30301"};
static uint64_t seed = 1;
static uint32_t steps = 1500;

static uint32_t draw(struct books *books, uint32_t below)
{
    return (uint32_t)rng_below(&books->rng, below);
}

static double lat_of(uint32_t place)
{
    return 33 + 1.9 * place;
}

/* -- the rules, once more -- */

static bool serves(uint32_t list, const char *postcode)
{
    switch (list) {
    case 1:
        return postcode[0] == '1';
    case 2:
        return memcmp(postcode, "10", 2) == 0 && memcmp(postcode, "1001", 4) != 0;
    case 3:
        return postcode[0] != '2';
    case 4:
        return strcmp(postcode, "90210") == 0;
    case 5:
        return postcode[0] != '9';
    default:
        return true;
    }
}

static bool can(const struct books *books, const struct book_order *order, uint32_t node)
{
    const struct geo_point from = geo_point(33.1 + 1.5 * node, -80);
    const struct geo_point to = geo_point(lat_of(order->place), -80);
    if (books->nodes[node].is_closed || order->is_out[node]) {
        return false;
    }
    if (order->kind == PICKUP || order->kind == PINNED) {
        return order->node == node &&
               (order->kind == PICKUP ||
                serves(books->nodes[node].serves, postcodes[order->place]));
    }
    return serves(books->nodes[node].serves, postcodes[order->place]) &&
           ((order->kind != SAME_DAY && !order->is_close) ||
            geo_metres(&from, &to) <= REACH_KM * 1000);
}

/* -- what is so -- */

static const struct tables *tables_of(struct books *books)
{
    return service_tables(books->harness.service);
}

/* Ask, and go on until nothing is to be tried any more. */
static json_t *ask_all(struct books *books, const char *method, const char *params)
{
    json_t *answer = harness_ask(&books->harness, method, "%s", params);
    for (uint32_t i = 0; owed_has_todo(&tables_of(books)->owed); i++) {
        assert_true(i < 1000);
        harness_tick(&books->harness);
    }
    return answer;
}

static void do_all(struct books *books, const char *method, const char *params)
{
    json_t *answer = ask_all(books, method, params);
    if (harness_has(answer, "error")) {
        fail_msg("%s %s: %s", method, params, harness_text(answer, "error.1"));
    }
    harness_drop(answer);
}

static int64_t owed_of(struct books *books, const struct book_order *order, bool *is_tired)
{
    json_t *told = harness_ask(&books->harness, "order.get", "{'order_id':'%s'}", order->id);
    int64_t units = 0;
    for (uint32_t i = 0; i < harness_count(told, "lines"); i++) {
        char path[32];
        snprintf(path, sizeof path, "lines.%u.owed", i);
        units += harness_has(told, path) ? harness_int(told, path) : 0;
    }
    *is_tired = false;
    for (uint32_t i = harness_count(told, "history"); i-- > 0 && units > 0;) {
        char path[32];
        snprintf(path, sizeof path, "history.%u.reason", i);
        *is_tired = *is_tired || (harness_has(told, path) &&
                                  !strcmp(harness_text(told, path), "MAX_REJECTS_REACHED"));
    }
    harness_drop(told);
    return units;
}

/* Whoever still waits finds nothing by itself. */
static void audit(struct books *books)
{
    for (uint32_t i = 0; i < ORDERS; i++) {
        const struct book_order *order = &books->orders[i];
        bool is_tired;
        if (!order->is_live || owed_of(books, order, &is_tired) == 0 || is_tired) {
            continue;
        }
        json_t *answer = harness_ask(&books->harness, "order.reroute",
                                     "{'order_id':'%s','allow_partial':true,'dry_run':true}",
                                     order->id);
        if (harness_count(answer, "fulfilments") > 0) {
            fail_msg("%s waits (kind %d, place %u, node %u) and could have had something",
                     order->id, (int)order->kind, order->place, order->node);
        }
        harness_drop(answer);
    }
    tables_check((struct tables *)(uintptr_t)tables_of(books));
}

/* -- steps -- */

static void step_route(struct books *books)
{
    static const char *const services[] = {"standard", "same_day", "pickup", "standard",
                                           "ship_to_store"};
    struct book_order *order = &books->orders[draw(books, ORDERS)];
    char params[400];
    char item[8] = "kit";
    int len;
    if (order->is_live) {
        return;
    }
    memset(order, 0, sizeof *order);
    snprintf(order->id, sizeof order->id, "o%u", ++books->serial);
    order->item = draw(books, ITEMS + 1);
    order->qty = order->item < PLAIN ? 1 : 1 + draw(books, 2);
    order->kind = (enum kind)draw(books, order->item < PLAIN ? TO_STORE : KINDS);
    order->place = draw(books, PLACES);
    order->node = draw(books, NODES);
    order->age = ++books->age;
    if (order->item < ITEMS) {
        snprintf(item, sizeof item, "i%u", order->item);
    }
    order->is_close = order->kind == STANDARD && draw(books, 3) == 0;
    const uint32_t out = draw(books, 4) ? NODES : draw(books, NODES);
    len = snprintf(params, sizeof params,
                   "{'order_id':'%s','service':'%s','backorder':true,'lines':[{'item':'%s',"
                   "'qty':%u%s}]",
                   order->id, services[order->kind], item, order->qty,
                   order->kind == PINNED ? ",'node':'n" : "");
    if (order->kind == PINNED) {
        len -= 2; /* behind the name of the node */
        len += snprintf(params + len, sizeof params - (size_t)len, "%u'}]", order->node);
    }
    if (order->kind == PICKUP || order->kind == TO_STORE) {
        len += snprintf(params + len, sizeof params - (size_t)len, ",'pickup_node':'n%u'",
                        order->node);
    }
    if (order->kind != PICKUP) {
        len += snprintf(params + len, sizeof params - (size_t)len,
                        ",'dest':{'lat':%g,'lon':-80,'country':'US','postcode':'%s'}",
                        lat_of(order->place), postcodes[order->place]);
    }
    if (out < NODES) {
        order->is_out[out] = true;
        len += snprintf(params + len, sizeof params - (size_t)len, ",'exclude_nodes':['n%u']",
                        out);
    }
    snprintf(params + len, sizeof params - (size_t)len, "%s}",
             order->is_close ? ",'strategy':'close'" : "");
    json_t *answer = ask_all(books, "order.route", params);
    order->is_live = harness_has(answer, "status") &&
                     strcmp(harness_text(answer, "status"), "backordered") == 0;
    if (!harness_has(answer, "status")) {
        fail_msg("%s: %s", params, harness_text(answer, "error.1"));
    }
    harness_drop(answer);
}

/* One unit at a node: of a plain item the books say who gets it. */
static void step_stock(struct books *books)
{
    const uint32_t node = draw(books, NODES);
    const uint32_t item = draw(books, ITEMS);
    struct book_order *next = NULL;
    char params[120];
    bool is_tired;
    for (uint32_t i = 0; i < ORDERS && item < PLAIN; i++) {
        struct book_order *order = &books->orders[i];
        if (order->is_live && order->item == item && can(books, order, node) &&
            (!next || order->age < next->age)) {
            next = order;
        }
    }
    const uint64_t tries = tables_of(books)->owed.tries;
    snprintf(params, sizeof params, "{'item':'i%u','node':'n%u','delta':1}", item, node);
    do_all(books, "stock.adjust", params);
    if (next) {
        if (owed_of(books, next, &is_tired) != 0) {
            fail_msg("%s waits longest for i%u and gets none from n%u (kind %d, place %u, node %u)",
                     next->id, item, node, (int)next->kind, next->place, next->node);
        }
        books->given++;
    }
    if (item < PLAIN && !next) { /* what nobody can use does not stay */
        books->alone += tables_of(books)->owed.tries == tries;
        snprintf(params, sizeof params, "{'item':'i%u','node':'n%u','delta':-1}", item, node);
        do_all(books, "stock.adjust", params);
    }
    for (uint32_t i = 0; i < ORDERS; i++) {
        struct book_order *order = &books->orders[i];
        const bool waits = order->is_live && owed_of(books, order, &is_tired) > 0;
        assert_true(waits || order == next || !order->is_live || order->item >= PLAIN);
        order->is_live = waits;
    }
}

static void step_cancel(struct books *books)
{
    struct book_order *order = &books->orders[draw(books, ORDERS)];
    char params[64];
    if (order->is_live) {
        snprintf(params, sizeof params, "{'order_id':'%s'}", order->id);
        do_all(books, "order.cancel", params);
        order->is_live = false;
    }
}

/* The customer moves, or wants it fetched no more: what was filed goes elsewhere. */
static void step_modify(struct books *books)
{
    struct book_order *order = &books->orders[draw(books, ORDERS)];
    char params[160];
    if (!order->is_live || order->kind == PICKUP || order->kind == TO_STORE) {
        return;
    }
    const uint32_t place = draw(books, PLACES);
    snprintf(params, sizeof params,
             "{'order_id':'%s','dest':{'lat':%g,'lon':-80,'country':'US','postcode':'%s'}}",
             order->id, lat_of(place), postcodes[place]);
    json_t *answer = ask_all(books, "order.modify", params);
    if (harness_has(answer, "kept")) {
        bool is_tired;
        order->place = place;
        order->is_live = owed_of(books, order, &is_tired) > 0;
        books->moved++;
    }
    harness_drop(answer);
}

static void node_put(struct books *books, uint32_t node)
{
    char params[300];
    snprintf(params, sizeof params,
             "{'node':'n%u','type':'store','lat':%g,'lon':-80,'services':['ship','same_day',"
             "'pickup'],'max_km':{'same_day':%d},'serves':[%s]}",
             node, 33.1 + 1.5 * node, REACH_KM, lists[books->nodes[node].serves]);
    do_all(books, "node.put", params);
}

static void step_node(struct books *books)
{
    const uint32_t node = draw(books, NODES);
    struct book_node *own = &books->nodes[node];
    char params[64];
    bool is_tired;
    if (draw(books, 2)) {
        own->is_closed = !own->is_closed;
        snprintf(params, sizeof params, "{'node':'n%u','status':'%s'}", node,
                 own->is_closed ? "closed" : "active");
        do_all(books, "node.status", params);
    } else {
        own->serves = draw(books, sizeof lists / sizeof lists[0]);
        node_put(books, node);
    }
    for (uint32_t i = 0; i < ORDERS; i++) {
        struct book_order *order = &books->orders[i];
        order->is_live = order->is_live && owed_of(books, order, &is_tired) > 0;
    }
}

/* A store has not what it was thought to have: the order waits, and it is not asked again. */
static void step_reject(struct books *books)
{
    struct book_order *order = &books->orders[draw(books, ORDERS)];
    char params[160];
    bool is_tired;
    if (order->is_live) {
        return;
    }
    memset(order, 0, sizeof *order);
    snprintf(order->id, sizeof order->id, "o%u", ++books->serial);
    order->item = PLAIN;
    order->place = draw(books, PLACES);
    const uint32_t node = draw(books, NODES);
    snprintf(params, sizeof params, "{'item':'i%u','node':'n%u','delta':1}", PLAIN, node);
    do_all(books, "stock.adjust", params);
    json_t *answer = harness_ask(
        &books->harness, "order.route",
        "{'order_id':'%s','service':'standard','backorder':true,'lines':[{'item':'i%u','qty':1}],"
        "'dest':{'lat':%g,'lon':-80,'country':'US','postcode':'%s'}}",
        order->id, PLAIN, lat_of(order->place), postcodes[order->place]);
    const bool is_routed =
        harness_has(answer, "status") && !strcmp(harness_text(answer, "status"), "routed");
    harness_drop(answer);
    if (is_routed) {
        snprintf(params, sizeof params, "{'fulfilment':'%s/1','reason':'out_of_stock'}",
                 order->id);
        do_all(books, "fulfil.reject", params);
        order->is_live = owed_of(books, order, &is_tired) > 0;
    }
}

static void waits_longest_and_can_be_helped(void **state)
{
    struct books *books = calloc(1, sizeof *books);
    (void)state;
    assert_non_null(books);
    rng_init(&books->rng, seed);
    harness_init(&books->harness);
    books->harness.options.log.unsafe_no_sync = true;
    harness_start(&books->harness);
    for (uint32_t i = 0; i < NODES; i++) {
        books->nodes[i].serves = i % (sizeof lists / sizeof lists[0]);
        node_put(books, i);
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        harness_do(&books->harness, "item.put", "{'item':'i%u'}", i);
    }
    harness_do(&books->harness, "strategy.put",
               "{'name':'close','mode':'lexicographic','terms':[{'term':'distance'}],"
               "'fences':[{'fence':'max_km','value':%d}]}", REACH_KM);
    harness_do(&books->harness, "item.put",
               "{'item':'kit','components':[{'item':'i%d'},{'item':'i%d','qty':2}]}", ITEMS - 2,
               ITEMS - 1);
    for (uint32_t step = 0; step < steps; step++) {
        static void (*const kinds[])(struct books *) = {
            step_route, step_route, step_route, step_route, step_stock,  step_stock,
            step_stock, step_cancel, step_modify, step_node, step_reject, step_stock};
        kinds[draw(books, sizeof kinds / sizeof kinds[0])](books);
        if (step % 8 == 0) {
            audit(books);
        }
        if (step % RESTART == RESTART - 1) {
            if (draw(books, 2)) {
                harness_snapshot(&books->harness);
            }
            harness_restart(&books->harness);
            for (uint32_t i = 0; owed_has_todo(&tables_of(books)->owed); i++) {
                harness_tick(&books->harness);
            }
        }
    }
    audit(books);
    printf("given %u, moved %u, units for nobody without a try %u\n", books->given, books->moved,
           books->alone);
    assert_true(books->given > 20);
    assert_true(books->moved > 5);
    assert_true(books->alone > 20);
    harness_close(&books->harness);
    free(books);
}

/* -- how many are tried -- */

enum { MANY = 20000, MANY_LINES = 5 };

static uint64_t tries_of(struct harness *harness, const char *method, const char *params)
{
    const uint64_t before = service_tables(harness->service)->owed.tries;
    harness_do(harness, method, "%s", params);
    assert_false(owed_has_todo(&service_tables(harness->service)->owed));
    return service_tables(harness->service)->owed.tries - before;
}

static void route_many(struct harness *harness)
{
    static const char *const wants[] = {"'postcode':'90210'", "'postcode':'30301'",
                                        "'postcode':'10001'"};
    for (uint32_t i = 0; i < MANY; i += 100) {
        uint32_t numbers[100];
        for (uint32_t k = 0; k < 100; k++) {
            const uint32_t order = i + k;
            numbers[k] = harness_stage(
                harness, 0, "order.route",
                "{'order_id':'o%u','service':'%s','backorder':true,'lines':[{'item':'i0','qty':1},"
                "{'item':'i1','qty':1},{'item':'i2','qty':1},{'item':'i3','qty':1},"
                "{'item':'i4','qty':1}],'dest':{'lat':%g,'lon':-80,'country':'US',%s}%s}",
                order, order % 4 == 2 ? "same_day" : "standard", 30 + (order % 40) * 0.01,
                wants[order < MANY - 1 ? order % 2 : 2],
                order % 5 == 3 ? ",'exclude_nodes':['near']" : "");
        }
        harness_run(harness);
        for (uint32_t k = 0; k < 100; k++) {
            json_t *answer = harness_take(harness, numbers[k]);
            assert_string_equal(harness_text(answer, "status"), "backordered");
            harness_drop(answer);
        }
    }
}

/* 100,000 lines wait. What helps nobody is looked at once for each class; what helps one tries
 * one, be it the last of all. */
static void what_cannot_be_helped_is_not_tried(void **state)
{
    struct harness harness;
    (void)state;
    harness_init(&harness);
    harness.options.log.unsafe_no_sync = true;
    harness.options.tables.orders_max = 2 * MANY;
    harness.options.tables.orders_memory = (uint64_t)64 << 20;
    harness.options.tables.owed_max = MANY * MANY_LINES;
    harness_start(&harness);
    for (uint32_t i = 0; i < MANY_LINES; i++) {
        harness_do(&harness, "item.put", "{'item':'i%u'}", i);
    }
    harness_do(&harness, "node.put",
               "{'node':'all','type':'warehouse','lat':30,'lon':-80,'max_km':{'same_day':500},"
               "'services':['ship','same_day']}");
    harness_do(&harness, "node.put",
               "{'node':'near','type':'warehouse','lat':31,'lon':-80,'serves':['US:1']}");
    harness_do(&harness, "node.put",
               "{'node':'west','type':'warehouse','lat':31,'lon':-80,'serves':['US:8']}");
    harness_do(&harness, "node.put",
               "{'node':'shut','type':'warehouse','lat':31,'lon':-80,'status':'closed'}");
    route_many(&harness);
    const struct owed *owed = &service_tables(harness.service)->owed;
    assert_int_equal(owed->live, MANY * MANY_LINES);
    assert_in_range(owed->class_count, MANY_LINES, 100 * MANY_LINES);
    const char *const vain[] = {"{'item':'i0','node':'west','delta':5}",
                                "{'item':'i1','node':'shut','delta':5}"};
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(tries_of(&harness, "stock.adjust", vain[i]), 0);
    }
    /* Only the very last order may have it from there. */
    assert_int_equal(
        tries_of(&harness, "stock.adjust", "{'item':'i0','node':'near','delta':1}"), 1);
    assert_int_equal(owed->live, MANY * MANY_LINES - 1);
    /* Ten units for the ten that wait longest, and not one try more. */
    assert_int_equal(
        tries_of(&harness, "stock.adjust", "{'item':'i2','node':'all','delta':10}"), 10);
    assert_int_equal(owed->live, MANY * MANY_LINES - 11);
    /* A change of the network tries none where nothing is free for anybody. */
    assert_int_equal(tries_of(&harness, "node.status", "{'node':'west','status':'closed'}"), 0);
    /* What was shut away opens: five of item i1. */
    assert_int_equal(tries_of(&harness, "node.status", "{'node':'shut','status':'active'}"), 5);
    assert_int_equal(owed->live, MANY * MANY_LINES - 16);
    harness_close(&harness);
}

/* -- those in front who are shut out, one by one -- */

enum { SHUT_OUT = 10000, TURNS_MAX = 8 };

/* By what the first ones of an item are shut out, by a node to which units then come, and what the
 * last one asks in their place. */
struct barrier {
    const char *first, *last;
    const char *node;
};

static void route_owed(struct harness *harness, uint32_t item, uint32_t order, const char *wants)
{
    json_t *answer = harness_ask(harness, "order.route",
                                 "{'order_id':'s%u-%u','service':'standard','backorder':true,"
                                 "'lines':[{'item':'i%u','qty':2}],%s}",
                                 item, order, item, wants);
    assert_string_equal(harness_text(answer, "status"), "backordered");
    harness_drop(answer);
}

/* Units come: ten thousand in front are passed by, and the one behind them has his soon. */
static void passed_by(struct harness *harness, uint32_t item, const struct barrier *barrier)
{
    const struct owed *owed = &service_tables(harness->service)->owed;
    for (uint32_t i = 0; i < SHUT_OUT; i++) {
        route_owed(harness, item, i, barrier->first);
    }
    route_owed(harness, item, SHUT_OUT, barrier->last);
    const uint64_t tries = owed->tries;
    harness_do(harness, "stock.adjust", "{'item':'i%u','node':'%s','delta':2}", item,
               barrier->node);
    uint32_t turns = 0;
    for (; owed_has_todo(owed); turns++) {
        assert_true(turns < TURNS_MAX);
        harness_tick(harness);
    }
    assert_int_equal(owed->tries - tries, 1);
    json_t *told = harness_ask(harness, "order.get", "{'order_id':'s%u-%u'}", item, SHUT_OUT);
    assert_string_equal(harness_text(told, "status"), "routed");
    harness_drop(told);
}

static void who_is_shut_out_is_passed_by(void **state)
{
    static const struct barrier barriers[] = {
        {"'strategy':'vendors','dest':{'lat':30,'lon':-80}", "'dest':{'lat':30,'lon':-80}", "hub"},
        {"'strategy':'keeps','dest':{'lat':30,'lon':-80}", "'dest':{'lat':30,'lon':-80}", "hub"},
        {"'strategy':'close','dest':{'lat':32.5,'lon':-80}",
         "'strategy':'close','dest':{'lat':30.1,'lon':-80}", "hub"},
        {"'dest':{'lat':31.6,'lon':-80}", "'dest':{'lat':30.1,'lon':-80}", "brink"},
        {"'dest':{'lat':30,'lon':-80,'country':'US','postcode':'10021'}",
         "'dest':{'lat':30,'lon':-80,'country':'US','postcode':'10019'}", "few"},
    };
    struct harness harness;
    (void)state;
    harness_init(&harness);
    harness.options.log.unsafe_no_sync = true;
    harness.options.tables.orders_max = 6 * SHUT_OUT;
    harness.options.tables.orders_memory = (uint64_t)64 << 20;
    harness.options.tables.owed_max = 6 * SHUT_OUT;
    harness_start(&harness);
    for (uint32_t i = 0; i < sizeof barriers / sizeof barriers[0]; i++) {
        harness_do(&harness, "item.put", "{'item':'i%u'}", i);
    }
    harness_do(&harness, "node.put", "{'node':'hub','type':'warehouse','lat':30,'lon':-80}");
    harness_do(&harness, "node.put", "{'node':'drop','type':'vendor','lat':30,'lon':-80}");
    harness_do(&harness, "node.put", "{'node':'north','type':'vendor','lat':32.5,'lon':-80}");
    harness_do(&harness, "node.put", "{'node':'brink','type':'warehouse','lat':30,'lon':-80,"
                                     "'max_km':{'standard':100}}");
    harness_do(&harness, "node.put", "{'node':'few','type':'warehouse','lat':30,'lon':-80,"
                                     "'serves':['US:10019']}");
    static const char *const fences[] = {"{'fence':'types','types':['vendor']}",
                                         "{'fence':'keep_last','value':2}",
                                         "{'fence':'max_km','value':100}"};
    static const char *const names[] = {"vendors", "keeps", "close"};
    for (uint32_t i = 0; i < 3; i++) {
        harness_do(&harness, "strategy.put",
                   "{'name':'%s','mode':'lexicographic','terms':[{'term':'distance'}],"
                   "'fences':[%s]}", names[i], fences[i]);
    }
    for (uint32_t i = 0; i < sizeof barriers / sizeof barriers[0]; i++) {
        passed_by(&harness, i, &barriers[i]);
    }
    harness_close(&harness);
}

/* A node with one unit of capacity left takes none of two, but of one. */
static void used_up_capacity_is_passed_by(void **state)
{
    static const struct barrier barrier = {"'dest':{'lat':30,'lon':-80}",
                                           "'dest':{'lat':30,'lon':-80},'ref':'last'", "full"};
    struct harness harness;
    (void)state;
    harness_open(&harness);
    harness_do(&harness, "item.put", "{'item':'i0'}");
    harness_do(&harness, "node.put",
               "{'node':'full','type':'warehouse','lat':30,'lon':-80,"
               "'capacity':[{'kind':'units','per':'day','limit':1}]}");
    harness_do(&harness, "node.put", "{'node':'bare','type':'vendor','lat':40,'lon':-80}");
    const struct owed *owed = &service_tables(harness.service)->owed;
    for (uint32_t i = 0; i < 500; i++) {
        route_owed(&harness, 0, i, barrier.first);
    }
    harness_do(&harness, "order.route", "{'order_id':'last','service':'standard','backorder':true,"
                                        "'lines':[{'item':'i0','qty':1}],%s}", barrier.last);
    const uint64_t tries = owed->tries;
    harness_do(&harness, "stock.adjust", "{'item':'i0','node':'%s','delta':2}", barrier.node);
    assert_false(owed_has_todo(owed));
    assert_int_equal(owed->tries - tries, 1);
    json_t *told = harness_ask(&harness, "order.get", "{'order_id':'last'}");
    assert_string_equal(harness_text(told, "status"), "routed");
    harness_drop(told);
    harness_close(&harness);
}

/* Of two who wait for a kit the first, who is shut out, has it in another line than the second. */
static void kits_stand_in_any_line(void **state)
{
    struct harness harness;
    (void)state;
    harness_open(&harness);
    for (uint32_t i = 0; i < 4; i++) {
        harness_do(&harness, "item.put", "{'item':'i%u'}", i);
    }
    harness_do(&harness, "item.put", "{'item':'kit','components':[{'item':'i0'},{'item':'i1'}]}");
    harness_do(&harness, "node.put", "{'node':'hub','type':'warehouse','lat':30,'lon':-80}");
    harness_do(&harness, "node.put", "{'node':'drop','type':'vendor','lat':30,'lon':-80}");
    harness_do(&harness, "strategy.put",
               "{'name':'vendors','mode':'lexicographic','terms':[{'term':'distance'}],"
               "'fences':[{'fence':'types','types':['vendor']}]}");
    const char *const asks[] = {
        "{'order_id':'front','service':'standard','backorder':true,'strategy':'vendors',"
        "'lines':[{'item':'kit','qty':1}],'dest':{'lat':30,'lon':-80}}",
        "{'order_id':'behind','service':'standard','backorder':true,'lines':["
        "{'item':'i2','qty':1},{'item':'i3','qty':1},{'item':'kit','qty':1}],"
        "'dest':{'lat':30,'lon':-80}}"};
    for (uint32_t i = 0; i < 2; i++) {
        harness_do(&harness, "order.route", "%s", asks[i]);
    }
    harness_do(&harness, "stock.adjust", "{'item':'i0','node':'hub','delta':1}");
    harness_do(&harness, "stock.adjust", "{'item':'i1','node':'hub','delta':1}");
    assert_false(owed_has_todo(&service_tables(harness.service)->owed));
    json_t *told = harness_ask(&harness, "order.get", "{'order_id':'behind'}");
    assert_int_equal(harness_count(told, "fulfilments"), 1);
    assert_int_equal(harness_count(told, "fulfilments.0.lines"), 2);
    harness_drop(told);
    harness_close(&harness);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : seed;
    steps = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : steps;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_longest_and_can_be_helped),
        cmocka_unit_test(what_cannot_be_helped_is_not_tried),
        cmocka_unit_test(who_is_shut_out_is_passed_by),
        cmocka_unit_test(used_up_capacity_is_passed_by),
        cmocka_unit_test(kits_stand_in_any_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
