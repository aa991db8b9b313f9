/* Requests staged in sub-batches, before order_route.c and others apply them one at a time.
 *
 * Staging walks the sub-batch stage by stage, so that the cache misses of many orders overlap:
 *   decode    hash the ids
 *   slots     prefetch the slots of items and order
 *   items     prefetch the items, and the order's block if there is one
 *   find      the items, the place
 *   rows      prefetch their heads
 *   bitmaps   prefetch what the search reads
 *   guess     the source
 *   places    prefetch where its cells are, the holds' slots, the node's list and meters
 *   cells     prefetch the cells and the meter
 * Work and prefetches are stages of their own: a prefetch is not done with before its page is
 * found, and where 1,000 instructions lie between two of them, the CPU waits for each page alone
 * (bench/README.md).
 * Nothing of it is relied on: asks_apply decides again whenever a guess may be void. It is void
 * when the network, a policy, an item's flags or a place changed (generation), or when free
 * stock of one of its items grew in this sub-batch (item->raised); where a strategy looks at load
 * or declines, also when those of some node fell (tables.eased). Where stock only fell,
 * route_confirm finds out whether the guessed node still holds all of it; if it does it is
 * still the best, since no other node got better. Of a strategy route_confirm_ruled finds out as
 * well whether its own score is still below what the others had. */
#include "ask.h"
#include "prefetch.h"

enum {
    LONG_BATCH = 640 /* lines of a sub-batch that has long orders */
};

static bool is_plain(const struct ask *ask)
{
    return ask->is_decoded && ask->include_count == 0 && ask->exclude_count == 0 &&
           !ask->pickup_node.len && !ask->sold_at.len && !ask->reservation_id.len;
}

static void stage_decode(struct service_core *service, const struct call *call, struct ask *ask)
{
    struct asks *asks = service->asks;
    struct reader reader;
    struct ask_line *lines = asks->lines + asks->lines_used;
    ask->is_decoded = ask_quick(service, call, ask, lines) ||
                      ask_decode(service, &reader, call, ask, lines);
    if (!ask->is_decoded) {
        return;
    }
    asks->lines_used += ask->line_count;
    uint32_t canon_size = ask_canon(asks, ask);
    ask->order_hash =
        orders_hash(&service->tables.orders, ask->order_id.at, ask->order_id.len);
    for (uint32_t i = 0; i < ask->line_count; i++) {
        struct ask_line *line = &ask->lines[i];
        line->item_hash =
            catalogue_hash(&service->tables.catalogue, line->item.at, line->item.len);
    }
    ask->content = hash_fixed(asks->canon, canon_size);
}

static void stage_slots(struct service_core *service, struct ask *ask)
{
    orders_prefetch(&service->tables.orders, ask->order_hash);
    for (uint32_t i = 0; i < ask->line_count; i++) {
        catalogue_prefetch(&service->tables.catalogue, ask->lines[i].item_hash);
    }
}

static void stage_items(struct service_core *service, struct ask *ask)
{
    slab_ref seen = orders_likely(&service->tables.orders, ask->order_hash);
    if (seen) {
        prefetch_read(order_at(&service->tables.orders, seen));
    }
    for (uint32_t i = 0; i < ask->line_count; i++) {
        catalogue_prefetch_item(&service->tables.catalogue, ask->lines[i].item_hash);
    }
}

/* The strategy that will decide it, unless strategies change until then. */
static void ask_rule(struct service_core *service, struct ask *ask)
{
    const struct strategies *strategies = &service->tables.strategies;
    if (ask->strategy.len == 0) {
        ask_choose(service, ask);
        return;
    }
    ask->is_resolved = ask->is_resolved && strategies_find(strategies, ask->strategy.at,
                                                           ask->strategy.len, 0,
                                                           &ask->rule_handle);
    ask->rule = ask->is_resolved ? strategies_at(strategies, ask->rule_handle) : NULL;
}

static void stage_find(struct service_core *service, struct ask *ask)
{
    ask->is_resolved = is_plain(ask);
    for (uint32_t i = 0; i < ask->line_count; i++) {
        bool is_known = ask_find_item(service, ask, i) &&
                        !service->tables.catalogue.items[ask->route_lines[i].item].is_kit;
        ask->is_resolved = ask->is_resolved && is_known && !ask_fixed_node(ask, i).len;
    }
    ask->is_resolved = ask->is_resolved && ask_find_place(service, ask);
    ask->channel_hash = channel_find(service, ask->channel);
    ask_rule(service, ask);
    ask->generation = service->tables.generation;
}

static void stage_rows(struct service_core *service, struct ask *ask)
{
    if (ask->is_resolved) {
        route_prefetch(service->route, &service->tables.view, ask->route_lines, ask->line_count,
                       ask->has_point ? &ask->point : NULL);
    }
}

static void stage_bitmaps(struct service_core *service, struct ask *ask)
{
    if (ask->is_resolved) {
        route_prefetch_rows(service->route, &service->tables.view, ask->route_lines,
                            ask->line_count, ask->has_point ? &ask->point : NULL, ask->rule);
    }
}

static void stage_guess(struct service_core *service, struct ask *ask)
{
    struct route_request request;
    if (!ask->is_resolved) {
        return;
    }
    ask_request(service->asks, ask, &request);
    if (ask->rule) {
        route_guess_ruled(service->route, &service->tables.view, &request, &ask->guess,
                          &ask->rank);
    } else {
        route_guess(service->route, &service->tables.view, &request, &ask->guess);
    }
    ask->guess_rule = ask->rule;
    ask->is_guessed = ask->guess.node != NODE_NONE;
}

/* Where the cells and the holds of the guessed node are found, and its list. */
static void stage_places(struct service_core *service, struct ask *ask)
{
    if (!ask->is_guessed) {
        return;
    }
    route_guess_prefetch_places(&service->tables.view, ask->route_lines, ask->line_count,
                                &ask->guess);
    for (uint32_t i = 0; i < ask->line_count; i++) {
        holds_prefetch(&service->tables.holds, ask->route_lines[i].item, ask->guess.node);
    }
    prefetch_write(&service->tables.queues[ask->guess.node]);
    capacity_prefetch(&service->tables.timing.capacity, ask->guess.node);
}

/* The cells with their newest holds, the last fulfilment of the node's list: what new ones are
 * linked to, and the meter that counts it. */
static void stage_cells(struct service_core *service, struct ask *ask)
{
    if (!ask->is_guessed) {
        return;
    }
    route_guess_prefetch(&service->tables.view, ask->route_lines, ask->line_count, &ask->guess);
    for (uint32_t i = 0; i < ask->line_count; i++) {
        holds_prefetch_newest(&service->tables.holds, ask->route_lines[i].item, ask->guess.node);
    }
    orders_prefetch_links(&service->tables.orders,
                          service->tables.queues[ask->guess.node].last_order);
    capacity_prefetch_meter(&service->tables.timing.capacity, ask->guess.node);
}

typedef void ask_step(struct service_core *service, struct ask *ask);
typedef void touch_step(struct service_core *service, struct touch *touch);
typedef void look_step(const struct tables *tables, struct look *look);

/* Orders, what touches an order, and reads, each with its step; NULL: none in this stage. */
static inline void stage(struct service_core *service, ask_step *of_ask, touch_step *of_touch,
                         look_step *of_look)
{
    struct asks *asks = service->asks;
    for (uint32_t i = 0; of_ask && i < asks->decoded.count; i++) {
        of_ask(service, &asks->asks[asks->decoded.at[i]]);
    }
    for (uint32_t i = 0; of_touch && i < asks->touched.count; i++) {
        of_touch(service, &asks->touches[asks->touched.at[i]]);
    }
    for (uint32_t i = 0; of_look && i < asks->looked.count; i++) {
        of_look(&service->tables, &asks->looks[asks->looked.at[i]]);
    }
}

static bool touches_order(enum method method)
{
    return method == METHOD_FULFIL_UPDATE || method == METHOD_ORDER_CANCEL ||
           method == METHOD_ORDER_GET;
}

static void staged_add(struct asks_staged *staged, uint32_t i, bool is_staged)
{
    staged->at[staged->count] = (uint16_t)i;
    staged->count += is_staged;
}

static void stage_read(struct service_core *service, struct call *call, uint32_t i)
{
    struct asks *asks = service->asks;
    if (call->is_late) {
        return; /* its answer is sure */
    }
    if (call->method == METHOD_ORDER_ROUTE) {
        stage_decode(service, call, &asks->asks[i]);
        staged_add(&asks->decoded, i, asks->asks[i].is_decoded);
    } else if (touches_order(call->method)) {
        touch_begin(service, call, &asks->touches[i]);
        staged_add(&asks->touched, i, asks->touches[i].hash != 0);
    } else if (call->method == METHOD_STOCK_GET) {
        staged_add(&asks->looked, i,
                   look_read(call->params, call->params_size, &asks->looks[i]));
    }
}

/* Long orders take their time in each stage; usual ones are not worth a look at the sockets. */
static void long_work(struct service_core *service)
{
    if (service->asks->lines_used >= LONG_BATCH) {
        stage_end(service, service->asks->lines_used);
    }
}

uint32_t asks_stage(struct service_core *service, struct call *calls, uint32_t count)
{
    struct asks *asks = service->asks;
    uint32_t staged = 0;
    asks->lines_used = asks->decoded.count = asks->touched.count = asks->looked.count = 0;
    CHECK(count <= ASKS_ROOM);
    for (; staged < count && asks->lines_used <= ASK_LINE_POOL; staged++) {
        stage_read(service, &calls[staged], staged);
    }
    stage(service, stage_slots, touch_slot, look_slots);
    stage(service, stage_items, touch_block, look_names);
    stage(service, stage_find, NULL, look_row);
    long_work(service);
    stage(service, stage_rows, touch_shares, NULL);
    stage(service, stage_bitmaps, touch_rows, look_place);
    stage(service, stage_guess, NULL, NULL);
    stage(service, stage_places, touch_places, look_cell);
    stage(service, stage_cells, touch_cells, NULL);
    long_work(service);
    return staged;
}

void asks_look(struct service_core *service, struct call *calls, uint32_t i)
{
    if (!look_answer(service, &calls[i], &service->asks->looks[i])) {
        handle_stock_get(service, &calls[i]);
    }
}
