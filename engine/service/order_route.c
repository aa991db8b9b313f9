/* order.route: staged in sub-batches, applied one at a time.
 *
 * Staging walks the sub-batch stage by stage, so that the cache misses of many orders overlap:
 *   decode    hash the ids
 *   slots     prefetch the slots of items and order
 *   items     prefetch the items, and the order's block if there is one
 *   find      the items, the place
 *   rows      prefetch their heads
 *   bitmaps   prefetch what the search reads
 *   guess     the source
 *   places    prefetch where its cells are, the holds' slots, the node's list
 *   cells     prefetch the cells
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
#include <string.h>

#include "ask.h"
#include "decimal.h"
#include "prefetch.h"
#include "replan_internal.h"
#include "reserve_internal.h"
#include "short.h"
#include "strategy_internal.h"

enum {
    LONG_BATCH = 640 /* lines of a sub-batch that has long orders */
};

/* -- names -- */

/* Point of the destination; false: a postcode that is not loaded, and no coordinates. */
static bool place_find(const struct service_core *service, struct ask *ask)
{
    if (ask->has_lat) {
        ask->point = geo_point(ask->lat, ask->lon);
        ask->has_point = true;
    } else if (ask->postcode[0]) {
        ask->has_point = gazetteer_find(&service->tables.gazetteer, ask->country, ask->postcode,
                                        &ask->point);
        return ask->has_point;
    }
    return true;
}

static uint16_t node_find(const struct service_core *service, struct text node)
{
    return network_find(&service->tables.network, node.at, node.len);
}

static bool item_resolve(struct service_core *service, struct ask *ask, uint32_t i)
{
    const struct ask_line *line = &ask->lines[i];
    struct route_line *own = &ask->route_lines[i];
    if (own->item == ITEM_NONE) {
        own->item = catalogue_find(&service->tables.catalogue, line->item_hash, line->item.at,
                                   line->item.len);
    }
    return own->item != ITEM_NONE;
}

static bool node_resolve(struct service_core *service, struct ask *ask, uint32_t i)
{
    struct text node = ask_fixed_node(ask, i);
    if (node.len) {
        ask->route_lines[i].node = node_find(service, node);
        return ask->route_lines[i].node != NODE_NONE;
    }
    return true;
}

static uint32_t nodes_resolve(struct service_core *service, struct text raw, uint32_t count,
                              uint16_t *nodes, struct text *unknown)
{
    struct reader reader;
    struct reader_array array;
    if (count == 0) {
        return 0;
    }
    reader_init(&reader, (const uint8_t *)raw.at, raw.len);
    reader_array_begin(&reader, &array, LIST_MAX);
    for (uint32_t i = 0; reader_array_next(&reader, &array); i++) {
        struct text node = reader_text(&reader, 1, ID_MAX);
        nodes[i] = node_find(service, node);
        if (nodes[i] == NODE_NONE) {
            *unknown = node;
        }
    }
    return count;
}

/* Find every name at the moment of applying; false: answered with the error. */
bool ask_resolve(struct service_core *service, struct call *call, struct ask *ask)
{
    struct asks *asks = service->asks;
    struct text unknown = {NULL, 0};
    for (uint32_t i = 0; i < ask->line_count; i++) {
        if (!item_resolve(service, ask, i)) {
            reply_error(service, call, CODE_UNKNOWN_ITEM,
                        "lines[%u].item: \"%.*s\" is not known: item.put it first", i,
                        (int)ask->lines[i].item.len, ask->lines[i].item.at);
            return false;
        }
        if (!node_resolve(service, ask, i)) {
            struct text node = ask_fixed_node(ask, i);
            reply_error(service, call, CODE_UNKNOWN_NODE,
                        "lines[%u]: node \"%.*s\" is not known: node.put it first", i,
                        (int)node.len, node.at);
            return false;
        }
    }
    ask->channel_hash = channel_find(service, ask->channel);
    ask->sold_node = NODE_NONE;
    if (ask->sold_at.len) {
        ask->sold_node = node_find(service, ask->sold_at);
        unknown = ask->sold_node == NODE_NONE ? ask->sold_at : unknown;
    }
    nodes_resolve(service, ask->include_raw, ask->include_count, asks->include, &unknown);
    nodes_resolve(service, ask->exclude_raw, ask->exclude_count, asks->exclude, &unknown);
    if (unknown.len) {
        reply_error(service, call, CODE_UNKNOWN_NODE,
                    "sold_at, include_nodes or exclude_nodes: \"%.*s\" is not known",
                    (int)unknown.len, unknown.at);
        return false;
    }
    if (!kits_apart(service, call, ask)) {
        return false;
    }
    if (!place_find(service, ask)) {
        reply_error(service, call, CODE_UNKNOWN_PLACE,
                    "dest.postcode: \"%s\" of country \"%s\" is not loaded: give lat and lon, or "
                    "place.load it", ask->postcode, ask->country);
        return false;
    }
    return true;
}

/* -- staging -- */

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
        bool is_known = item_resolve(service, ask, i) &&
                        !service->tables.catalogue.items[ask->route_lines[i].item].is_kit;
        ask->is_resolved = ask->is_resolved && is_known && !ask_fixed_node(ask, i).len;
    }
    ask->is_resolved = ask->is_resolved && place_find(service, ask);
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
}

/* The cells with their newest holds, and the last fulfilment of the node's list: what new ones are
 * linked to. */
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

/* -- the answer -- */

/* The writer of a plain answer is a local of reply_answer, and goes by address to inlined functions
 * only: see writer.h. A key that every reply has counts in plain_size_max; one that only some
 * have makes the answer no plain one (is_plain_answer). */
WRITER_INLINE void put_line_name(struct writer *writer, const struct ask *ask, uint32_t i)
{
    const struct text line = ask->lines[i].line;
    if (line.len) {
        writer_text(writer, line.at, line.len);
    } else {
        char scratch[DECIMAL_MAX];
        writer_text(writer, scratch, decimal_put(scratch, i + 1));
    }
}

WRITER_INLINE void put_parts(struct service_core *service, struct writer *writer,
                             const struct ask *ask, const struct route_answer *answer)
{
    uint32_t share = 0;
    char id[ID_MAX + 12];
    memcpy(id, ask->order_id.at, ask->order_id.len);
    id[ask->order_id.len] = '/';
    writer_str(writer, "fulfilments");
    writer_array(writer, answer->part_count);
    for (uint32_t i = 0; i < answer->part_count; i++) {
        const struct route_part *part = &answer->parts[i];
        const struct network *network = &service->tables.network;
        uint32_t len = ask->order_id.len + 1 + decimal_put(id + ask->order_id.len + 1, i + 1);
        uint16_t to = part->way == WAY_SHIP_TO_STORE
                          ? ask->route_lines[answer->shares[share].line].node
                          : NODE_NONE;
        writer_map(writer, (part->dates.ship_by_min ? 10u : 7u) + (to != NODE_NONE));
        if (to != NODE_NONE) {
            const struct node *store = &service->tables.network.nodes[to];
            writer_str(writer, "to");
            writer_text(writer, store->id, store->id_len);
        }
        writer_str(writer, "fulfilment");
        writer_text(writer, id, len);
        writer_str(writer, "node");
        writer_text(writer, network_id(network, part->node), network->hot[part->node].id_len);
        writer_str(writer, "service");
        writer_word(writer, service_words[part->service]);
        writer_str(writer, "method");
        writer_word(writer, way_words[part->way]);
        writer_str(writer, "km");
        writer_float(writer, part->metres / 1000.0);
        writer_str(writer, "cost_cents");
        writer_uint(writer, part->cost_cents);
        if (part->dates.ship_by_min) {
            writer_str(writer, "ship_by");
            writer_uint(writer, part->dates.ship_by_min * DATE_MINUTE_MS);
            writer_str(writer, "deliver_from");
            writer_uint(writer, part->dates.from_min * DATE_MINUTE_MS);
            writer_str(writer, "deliver_by");
            writer_uint(writer, part->dates.by_min * DATE_MINUTE_MS);
        }
        writer_str(writer, "lines");
        uint32_t end = share;
        while (end < answer->share_count && answer->shares[end].part == i) {
            end++;
        }
        writer_array(writer, end - share);
        for (; share < end; share++) {
            const struct route_share *own = &answer->shares[share];
            bool is_part = ask->has_kits && ask->lines[own->line].kit.item;
            writer_map(writer, 3u + is_part);
            writer_str(writer, "line");
            put_line_name(writer, ask, own->line);
            if (is_part) {
                put_kit(service, writer, &ask->lines[own->line].kit);
            }
            writer_str(writer, "item");
            writer_text(writer, ask->lines[own->line].item.at, ask->lines[own->line].item.len);
            writer_str(writer, "qty");
            writer_uint(writer, own->qty);
        }
    }
}

/* When what is missing of a line will be there: what is missing of the item in lines before comes
 * first. 0: not told. */
static uint64_t unfilled_at(const struct service_core *service, const struct ask *ask,
                            const struct route_answer *answer, uint32_t i)
{
    const struct route_unfilled *own = &answer->unfilled[i];
    const struct route_line *line = &ask->route_lines[own->line];
    uint64_t qty = own->qty;
    if (own->reason != REASON_INSUFFICIENT_STOCK || i >= AVAILABLE_TOLD) {
        return 0;
    }
    if (answer->status == ORDER_BACKORDERED && !ask->dry_run) { /* it stands in the list by now */
        slab_ref ref = orders_find(&service->tables.orders, ask->order_hash, ask->order_id.at,
                                   ask->order_id.len);
        return ref ? available_at_owed(service, ref, own->line) : 0;
    }
    for (uint32_t k = 0; k < i; k++) {
        const struct route_unfilled *other = &answer->unfilled[k];
        qty += ask->route_lines[other->line].item == line->item ? other->qty : 0;
    }
    return available_at(service, line->item, line->node, qty);
}

void ask_put_unfilled(const struct service_core *service, struct writer *writer,
                      const struct ask *ask, const struct route_answer *answer)
{
    writer_str(writer, "unfilled");
    writer_array(writer, answer->unfilled_count);
    for (uint32_t i = 0; i < answer->unfilled_count; i++) {
        const struct route_unfilled *own = &answer->unfilled[i];
        uint64_t at_ms = unfilled_at(service, ask, answer, i);
        bool is_part = ask->has_kits && ask->lines[own->line].kit.item;
        writer_map(writer, 6u + (at_ms != 0) + is_part);
        writer_str(writer, "line");
        put_line_name(writer, ask, own->line);
        if (is_part) {
            put_kit(service, writer, &ask->lines[own->line].kit);
        }
        put_text(writer, "item", ask->lines[own->line].item.at, ask->lines[own->line].item.len);
        put_int(writer, "qty", own->qty);
        put_string(writer, "reason", reason_text(own->reason));
        put_int(writer, "wanted", ask->route_lines[own->line].qty);
        put_int(writer, "available", own->available);
        if (at_ms) {
            put_int(writer, "available_at", (int64_t)at_ms);
        }
    }
}

void ask_put_rejected(struct writer *writer, const struct route_answer *answer)
{
    uint32_t kinds = 0;
    for (int i = 1; i < REJECT_COUNT; i++) {
        kinds += answer->rejected[i] > 0;
    }
    writer_str(writer, "rejected");
    writer_map(writer, kinds);
    for (int i = 1; i < REJECT_COUNT; i++) {
        if (answer->rejected[i] > 0) {
            put_int(writer, reject_text((enum reject)i), answer->rejected[i]);
        }
    }
}

static void put_explain(struct service_core *service, struct writer *writer, const struct ask *ask,
                        const struct route_answer *answer)
{
    writer_str(writer, "explain");
    writer_map(writer, STRATEGY_NAME_FIELDS + (ask->explain > 1 ? 4 : 3));
    put_strategy_name(service, writer, ask->rule_handle);
    put_int(writer, "candidates", answer->candidates);
    put_int(writer, "steps", answer->steps);
    ask_put_rejected(writer, answer);
    if (ask->explain < 2) {
        return;
    }
    writer_str(writer, "nodes");
    writer_array(writer, answer->reject_count);
    for (uint32_t i = 0; i < answer->reject_count; i++) {
        const struct route_reject *reject = &answer->rejects[i];
        const struct node *node = &service->tables.network.nodes[reject->node];
        writer_map(writer, 3);
        put_text(writer, "node", node->id, node->id_len);
        put_km(writer, "km", reject->metres);
        put_string(writer, "reason", reject_text((enum reject)reject->reject));
    }
}

/* is_plain: routed, and nothing of what is rare; a constant where this is inlined. */
WRITER_INLINE void put_answer(struct service_core *service, struct writer *writer,
                              const struct ask *ask, const struct route_answer *answer,
                              bool is_plain)
{
    bool is_refused = !is_plain && answer->status == ORDER_REFUSED;
    bool has_explain = !is_plain && ask->explain > 0;
    bool has_rejected = is_refused && (answer->reason == REASON_NO_FEASIBLE_SOURCE ||
                                       answer->reason == REASON_PROMISE_NOT_MET ||
                                       answer->reason == REASON_CAPACITY_EXCEEDED);
    bool is_dry = !is_plain && ask->dry_run;
    bool has_reservation = !is_plain && ask->reservation_told;
    writer_map(writer, 8u + is_refused + has_rejected + has_explain + is_dry + has_reservation);
    writer_str(writer, "lsn");
    writer_uint(writer, lsn_begun(service));
    writer_str(writer, "order_id");
    writer_text(writer, ask->order_id.at, ask->order_id.len);
    writer_str(writer, "status");
    writer_word(writer, order_status_words[answer->status]);
    if (is_refused) {
        put_string(writer, "reason", reason_text(answer->reason));
    }
    if (has_rejected) {
        ask_put_rejected(writer, answer);
    }
    put_parts(service, writer, ask, answer);
    if (is_plain) {
        writer_str(writer, "unfilled");
        writer_array(writer, 0);
    } else {
        ask_put_unfilled(service, writer, ask, answer);
    }
    writer_str(writer, "splits");
    writer_uint(writer, answer->splits);
    writer_str(writer, "total_km");
    writer_float(writer, (double)answer->total_m / 1000.0);
    writer_str(writer, "optimal");
    writer_bool(writer, answer->is_optimal);
    if (has_explain) {
        put_explain(service, writer, ask, answer);
    }
    if (is_dry) {
        put_bool(writer, "dry_run", true);
    }
    if (has_reservation) {
        put_string(writer, "reservation", ask->reservation_told);
    }
}

static bool is_plain_answer(const struct ask *ask, const struct route_answer *answer)
{
    return answer->status == ORDER_ROUTED && answer->unfilled_count == 0 && ask->explain == 0 &&
           !ask->has_kits && !ask->dry_run && !ask->reservation_told;
}

/* Bytes that put_answer writes at most for a plain one: constant parts, numbers, ids. */
static uint32_t plain_size_max(const struct route_answer *answer)
{
    return 192 + ID_MAX + answer->part_count * (232 + 3 * ID_MAX) +
           answer->share_count * (40 + 2 * ID_MAX);
}

static void reply_answer(struct service_core *service, struct call *call, const struct ask *ask,
                         const struct route_answer *answer)
{
    uint32_t size_max = plain_size_max(answer);
    if (is_plain_answer(ask, answer) && size_max <= REPLY_SURE_MAX) {
        struct writer writer = reply_sure(service, call, size_max);
        put_answer(service, &writer, ask, answer, true);
        reply_sure_send(service, call, &writer, size_max);
    } else {
        put_answer(service, reply_begin(service, call), ask, answer, false);
        reply_send(service, call);
    }
}

/* -- seen before -- */

static void put_unfilled_seen(struct service_core *service, struct writer *writer,
                              struct order *order)
{
    uint32_t count = 0;
    char scratch[12];
    if (order->owed_first != OWED_NONE) {
        put_owed(service, writer, order); /* of a backorder nothing is dropped */
        return;
    }
    for (uint32_t i = 0; i < order->line_count; i++) {
        count += order_lines(order)[i].unfilled > 0;
    }
    writer_str(writer, "unfilled");
    writer_array(writer, count);
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order_lines(order)[i];
        const struct item *item = &service->tables.catalogue.items[line->item];
        uint32_t len;
        if (line->unfilled == 0) {
            continue;
        }
        const char *name = line_text(order, i, scratch, &len);
        struct order_kit kit = line_kit(order, i);
        writer_map(writer, 4u + (kit.item != 0));
        put_text(writer, "line", name, len);
        put_kit(service, writer, &kit);
        put_text(writer, "item", item->id, item->id_len);
        put_int(writer, "qty", line->unfilled);
        put_string(writer, "reason", reason_text(REASON_INSUFFICIENT_STOCK));
    }
}

static void reply_seen(struct service_core *service, struct call *call, slab_ref ref)
{
    struct order *order = order_at(&service->tables.orders, ref);
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 9);
    put_int(writer, "lsn", (int64_t)order->lsn);
    put_text(writer, "order_id", order_id(order), order->id_len);
    put_string(writer, "status", order_status_text(order_status_now(order)));
    writer_str(writer, "fulfilments");
    writer_array(writer, order->part_count);
    for (uint32_t i = 0; i < order->part_count; i++) {
        put_fulfilment(service, writer, order, i, false);
    }
    put_unfilled_seen(service, writer, order);
    put_int(writer, "splits", order->splits);
    put_km(writer, "total_km", order->total_m);
    put_bool(writer, "optimal", order->is_optimal);
    put_bool(writer, "duplicate", true);
    reply_send(service, call);
}

/* Whether the order is in memory already; then the call is answered. */
static bool answer_seen(struct service_core *service, struct call *call, const struct ask *ask)
{
    slab_ref ref = orders_find(&service->tables.orders, ask->order_hash, ask->order_id.at,
                               ask->order_id.len);
    if (!ref) {
        return false;
    }
    if (order_at(&service->tables.orders, ref)->content == ask->content) {
        reply_seen(service, call, ref);
    } else {
        reply_error(service, call, CODE_IDEMPOTENCY_CONFLICT,
                    "order_id \"%.*s\" was used for another order: order.get shows it",
                    (int)ask->order_id.len, ask->order_id.at);
    }
    return true;
}

/* -- apply -- */

static void effect_lines(struct asks *asks, const struct ask *ask,
                         const struct route_answer *answer)
{
    for (uint32_t i = 0; i < ask->line_count; i++) {
        const struct route_line *own = &ask->route_lines[i];
        const struct text line = ask->lines[i].line;
        asks->effect_lines[i] =
            (struct effect_line){own->item, own->qty, 0, {line.at, line.len},
                                 (uint8_t)own->service, own->node,
                                 ask->has_kits ? ask->lines[i].kit : (struct order_kit){0, 0, i}};
    }
    memset(asks->effect_owed, 0, ask->backorder ? ask->line_count * sizeof(uint32_t) : 0);
    for (uint32_t i = 0; i < answer->unfilled_count; i++) {
        uint32_t line = answer->unfilled[i].line;
        if (ask->backorder) {
            asks->effect_owed[line] = answer->unfilled[i].qty;
        } else {
            asks->effect_lines[line].unfilled = answer->unfilled[i].qty;
        }
    }
}

static void effect_build(struct asks *asks, const struct ask *ask,
                         const struct route_answer *answer, struct effect_order *effect)
{
    uint32_t parts = answer->part_count;
    uint32_t shares = answer->share_count;
    CHECK(parts <= EFFECT_PARTS_MAX);
    CHECK(shares <= EFFECT_SHARES_MAX);
    effect_lines(asks, ask, answer);
    for (uint32_t i = 0; i < parts; i++) {
        const struct route_part *part = &answer->parts[i];
        asks->effect_parts[i] = (struct effect_part){part->node, part->way, part->service,
                                                     part->metres, part->cost_cents,
                                                     part->dates};
    }
    for (uint32_t i = 0; i < shares; i++) {
        const struct route_share *share = &answer->shares[i];
        asks->effect_shares[i] = (struct effect_share){share->part, share->line, share->qty};
    }
    *effect = (struct effect_order){
        .id = {ask->order_id.at, ask->order_id.len},
        .id_hash = ask->order_hash,
        .content = ask->content,
        .status = (uint8_t)answer->status,
        .reason = (uint8_t)answer->reason,
        .service = (uint8_t)ask->service,
        .is_optimal = answer->is_optimal,
        .has_dest = ask->has_lat,
        .is_po_box = ask->is_po_box,
        .allow_partial = ask->allow_partial,
        .is_backorder = ask->backorder,
        .lat = ask->lat,
        .lon = ask->lon,
        .postcode = {ask->postcode, (uint32_t)strlen(ask->postcode)},
        .ref = {ask->ref.at, ask->ref.len},
        .channel = {ask->channel.at, ask->channel.len},
        .max_splits = ask->max_splits,
        .max_m = ask->max_m,
        .include_count = ask->include_count,
        .exclude_count = ask->exclude_count,
        .include = asks->include,
        .exclude = asks->exclude,
        .sold_at = ask->sold_at.len ? (uint16_t)(ask->sold_node + 1) : 0,
        .required_by_ms = ask->required_by_ms,
        .deliver_after_ms = ask->deliver_after_ms,
        .strategy = ask->rule_handle,
        .splits = answer->splits,
        .total_m = answer->total_m,
        .line_count = ask->line_count,
        .part_count = parts,
        .share_count = shares,
        .lines = asks->effect_lines,
        .parts = asks->effect_parts,
        .shares = asks->effect_shares,
        .owed = asks->effect_owed,
    };
    memcpy(effect->country, ask->country, sizeof effect->country);
}

/* A refused order changes nothing; at most 1,000 a second are kept in the log all the same, so
 * that they can be tried again under another strategy. No reply waits for them. */
static void log_refused(struct service_core *service, const struct ask *ask,
                        const struct route_answer *answer)
{
    struct effect_order effect;
    if (service->now_ms / 1000 != service->refused_logged_ms / 1000) {
        service->refused_logged_ms = service->now_ms;
        service->refused_logged = 0;
    }
    if (ask->dry_run || service->is_draining || service->refused_logged >= 1000) {
        return;
    }
    effect_build(service->asks, ask, answer, &effect);
    uint32_t size = effect_order_size(&effect);
    if (wal_room(service->wal, size, 1, WAL_CLAIM_CHANGE) != WAL_ROOM_OK) {
        return;
    }
    service->refused_logged++;
    uint64_t lsn = log_end(service, EFFECT_REFUSED,
                           effect_order_encode(log_begin(service, size), &effect));
    service->tables.lsn = lsn;
}

static bool has_room(struct service_core *service, struct call *call,
                     const struct effect_order *effect)
{
    const char *setting = "holds_max";
    if (effect->is_backorder && !owed_has_room(&service->tables.owed, effect->line_count)) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "setting=owed_max: raise it, or cancel what waits in vain");
        return false;
    }
    if (!holds_have_room(&service->tables.holds, effect->share_count) ||
        !orders_have_room(&service->tables.orders, tables_order_size(effect), &setting)) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "setting=%s: raise it, or let finished orders leave sooner "
                    "(order_window)", setting);
        return false;
    }
    const uint32_t sold = effect->sold_at ? effect->line_count : 0;
    const uint32_t shorts = sold ? shorts_size(sold) : 0;
    return log_room(service, call, effect_order_size(effect) + EFFECT_SMALL_MAX + shorts,
                    2 + (sold ? shorts_records(sold) : 0), WAL_CLAIM_CHANGE);
}

/* What was carried out is never refused for stock, but on_hand has an end. */
static bool carry_out_has_room(struct service_core *service, struct call *call,
                               const struct ask *ask)
{
    for (uint32_t i = 0; i < ask->line_count && ask->sold_at.len; i++) {
        const struct route_line *line = &ask->route_lines[i];
        if (line->service != SERVICE_CARRY_OUT) {
            continue;
        }
        struct cell cell = tables_cell(&service->tables, line->item, line->node);
        if (!stock_room(service, call, cell.index < 0 ? ask->line_count : 0)) {
            return false;
        }
        int64_t sold = (int64_t)QTY_MAX * ask->line_count; /* nobody is that near the limit */
        if (cell_on_hand(tables_word(&cell)) - sold < -CELL_ON_HAND_MAX) {
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        "lines[%u]: on_hand of %.*s would fall too low: count it", i,
                        (int)ask->lines[i].item.len, ask->lines[i].item.at);
            return false;
        }
    }
    return true;
}

/* What was carried out of a store may have been promised to others. */
static void sold_tell(struct service_core *service, const struct effect_order *effect)
{
    struct short_cell cells[EFFECT_LINES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        if (effect->lines[i].service == SERVICE_CARRY_OUT) {
            cells[count++] =
                (struct short_cell){effect->lines[i].item, (uint16_t)(effect->sold_at - 1)};
        }
    }
    shorts_tell(service, cells, count);
}

static void take(struct service_core *service, struct call *call, const struct ask *ask,
                 const struct route_answer *answer)
{
    struct effect_order effect;
    effect_build(service->asks, ask, answer, &effect);
    stage_end(service, ask->line_count);
    if (!carry_out_has_room(service, call, ask) || !has_room(service, call, &effect)) {
        return;
    }
    if (ask->reservation) { /* in the same group: both or neither */
        reserve_end_log(service, ask->reservation, RESERVATION_COMMITTED);
    }
    uint8_t *bytes = log_begin(service, effect_order_size(&effect));
    uint64_t lsn = log_end(service, EFFECT_ORDER, effect_order_encode(bytes, &effect));
    must_apply(tables_apply_order(&service->tables, lsn, service->now_ms, &effect), "order");
    if (effect.sold_at) {
        sold_tell(service, &effect);
    }
    stage_end(service, ask->line_count);
    reply_answer(service, call, ask, answer);
}

/* Whether the guess can still be the best: nothing grew and nothing else changed. */
static bool guess_holds(const struct service_core *service, const struct ask *ask)
{
    if (ask->rule && ask->rule->is_moving && service->tables.eased == service->tables.batch) {
        return false;
    }
    if (!ask->is_guessed || ask->generation != service->tables.generation || ask->explain ||
        ask->rule != ask->guess_rule) { /* the name has a new version since */
        return false;
    }
    for (uint32_t i = 0; i < ask->line_count; i++) {
        uint32_t item = ask->route_lines[i].item;
        if (service->tables.catalogue.items[item].raised == (uint32_t)service->tables.batch) {
            return false;
        }
    }
    return true;
}

/* Whether stock that comes may help: some node could be the source of all that is missing. */
static bool may_wait(const struct route_answer *answer)
{
    for (uint32_t i = 0; i < answer->unfilled_count; i++) {
        if (answer->unfilled[i].reason != REASON_INSUFFICIENT_STOCK) {
            return false;
        }
    }
    return answer->unfilled_count > 0;
}

/* Whether all that is asked for is told as unfilled: a refusal may be for other reasons (its date),
 * and then tells only of some lines. */
static bool is_all_unfilled(const struct ask *ask, const struct route_answer *answer)
{
    uint64_t units = 0;
    for (uint32_t i = 0; i < ask->line_count; i++) {
        units += ask->route_lines[i].qty;
    }
    for (uint32_t i = 0; i < answer->unfilled_count; i++) {
        units -= answer->unfilled[i].qty;
    }
    return units == 0;
}

/* The customer waits for what has no source now, unless no stock will ever help. */
static void backorder(const struct ask *ask, struct route_answer *answer)
{
    const bool is_refused = answer->status == ORDER_REFUSED;
    if (answer->status == ORDER_ROUTED || (is_refused && !is_all_unfilled(ask, answer))) {
        return;
    }
    if (may_wait(answer)) {
        answer->status = ORDER_BACKORDERED;
        answer->reason = REASON_NONE;
    } else if (answer->status == ORDER_PARTIAL) {
        answer->status = ORDER_REFUSED;
        answer->reason = REASON_NO_FEASIBLE_SOURCE;
        answer->part_count = answer->share_count = 0;
        answer->splits = 0;
        answer->total_m = 0;
    }
}

static bool confirm(struct service_core *service, const struct ask *ask,
                    const struct route_request *request, struct route_answer *answer)
{
    const struct stock_view *view = &service->tables.view;
    return ask->rule ? route_confirm_ruled(service->route, view, request, &ask->guess, &ask->rank,
                                           answer)
                     : route_confirm(service->route, view, request, &ask->guess, answer);
}

static void decide(struct service_core *service, struct ask *ask, struct route_answer *answer)
{
    struct route_request request;
    if (ask->reservation) {
        reserve_decide(service, ask, answer);
    } else {
        ask_request(service->asks, ask, &request);
        if (guess_holds(service, ask) && confirm(service, ask, &request, answer)) {
            return;
        }
        route_decide(service->route, &service->tables.view, &request, answer);
    }
    if (ask->backorder) {
        backorder(ask, answer);
    }
}

/* The strategy that decides it, as things are now. False: answered. */
static bool strategy_resolve(struct service_core *service, struct call *call, struct ask *ask)
{
    if (ask->strategy.len == 0) {
        ask_choose(service, ask);
        return true;
    }
    const struct text none = {"", 0};
    bool is_known = need_strategy(service, call, ask->strategy, (enum service)ask->service, none,
                                  &ask->rule_handle);
    ask->rule = is_known ? strategies_at(&service->tables.strategies, ask->rule_handle) : NULL;
    return is_known;
}

void asks_apply(struct service_core *service, struct call *calls, uint32_t i)
{
    struct asks *asks = service->asks;
    struct call *call = &calls[i];
    struct ask *ask = &asks->asks[i];
    if (!ask->is_decoded) {
        struct reader reader;
        struct ask again;
        if (!ask_decode(service, &reader, call, &again, asks->lines + ASK_LINE_POOL)) {
            reply_invalid(service, call, &reader);
            return;
        }
        CHECK_UNREACHABLE("a request that could not be decoded could be, the second time");
    }
    if (!strategy_resolve(service, call, ask)) {
        return;
    }
    if (!ask->dry_run && answer_seen(service, call, ask)) {
        return;
    }
    bool is_fresh = ask->is_resolved && ask->generation == service->tables.generation;
    if (!is_fresh && !ask_resolve(service, call, ask)) {
        return;
    }
    if (ask->reservation_id.len && !reserve_for_order(service, call, ask)) {
        return;
    }
    struct route_answer answer;
    decide(service, ask, &answer);
    stage_end(service, ask->line_count);
    if (answer.status == ORDER_REFUSED) {
        service->refusals[answer.reason]++;
        reply_answer(service, call, ask, &answer); /* before the record: it waits for nothing */
        log_refused(service, ask, &answer);
    } else if (ask->dry_run) {
        reply_answer(service, call, ask, &answer);
    } else {
        take(service, call, ask, &answer);
    }
}
