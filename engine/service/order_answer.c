/* What order.route is answered with: a decision, or what is remembered of the order. */
#include <string.h>

#include "ask.h"
#include "decimal.h"
#include "replan_internal.h"
#include "strategy_internal.h"

/* -- of this decision -- */

/* The writer of a plain answer is a local of order_reply, and goes by address to inlined functions
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
    bool has_reservation = !is_plain && ask->reservation_found;
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
        bool is_taken = ask->reservation && !is_refused;
        put_string(writer, "reservation",
                   is_taken ? reservation_state_text(RESERVATION_COMMITTED)
                            : ask->reservation_found);
    }
}

static bool is_plain_answer(const struct ask *ask, const struct route_answer *answer)
{
    return answer->status == ORDER_ROUTED && answer->unfilled_count == 0 && ask->explain == 0 &&
           !ask->has_kits && !ask->dry_run && !ask->reservation_found;
}

/* Bytes that put_answer writes at most for a plain one: constant parts, numbers, ids. */
static uint32_t plain_size_max(const struct route_answer *answer)
{
    return 192 + ID_MAX + answer->part_count * (232 + 3 * ID_MAX) +
           answer->share_count * (40 + 2 * ID_MAX);
}

void order_reply(struct service_core *service, struct call *call, const struct ask *ask,
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

bool order_reply_seen(struct service_core *service, struct call *call, const struct ask *ask)
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
