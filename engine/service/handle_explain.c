/* explain.get and explain.why_not: an order of memory, judged again as things are now. */
#include "again_internal.h"
#include "ask.h"
#include "strategy_internal.h"

/* The order of a call with order_id, and node where it has one. False: answered. */
static bool need_target(struct service_core *service, struct call *call, uint32_t fields_count,
                        slab_ref *ref_out, uint16_t *node_out)
{
    static const char *const fields[] = {"order_id", "node"};
    struct text texts[2] = {{"", 0}, {"", 0}};
    struct reader reader;
    struct reader_map map;
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, fields, fields_count);
    for (int field; (field = reader_map_next(&reader, &map)) >= 0;) {
        texts[field] = reader_text(&reader, 1, ID_MAX);
    }
    for (uint32_t i = 0; i < fields_count; i++) {
        reader_require(&reader, &map, i);
    }
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return false;
    }
    *ref_out = need_order(service, call, texts[0]);
    if (!*ref_out || fields_count == 1) {
        return *ref_out != 0;
    }
    *node_out = need_node(service, call, "node", texts[1]);
    return *node_out != NODE_NONE;
}

/* -- explain.get -- */

static void put_node(const struct service_core *service, struct writer *writer, uint16_t node)
{
    const struct node *at = &service->tables.network.nodes[node];
    put_text(writer, "node", at->id, at->id_len);
}

/* Where its units are, as it was decided. */
static void put_chosen(struct service_core *service, struct writer *writer,
                       const struct again *again)
{
    struct order *order = again->order;
    uint32_t count = 0;
    writer_str(writer, "chosen");
    uint32_t mark = writer_open(writer);
    for (uint32_t i = 0; i < order->part_count; i++) {
        const struct order_part *part = &order_parts(order)[i];
        if (!again_has(again, i)) {
            continue;
        }
        char id[ID_MAX + 8];
        writer_map(writer, 4);
        put_text(writer, "fulfilment", id, fulfilment_text(order, i, id));
        put_node(service, writer, part->node);
        put_km(writer, "km", part->metres);
        put_int(writer, "cost_cents", part->cost_cents);
        count++;
    }
    writer_array_close(writer, mark, count);
}

/* What would be taken if the chosen nodes were not there; nil: nothing would do. */
static void put_runner_up(struct service_core *service, struct writer *writer,
                          const struct route_answer *answer)
{
    writer_str(writer, "runner_up");
    if (answer->status == ORDER_REFUSED) {
        writer_nil(writer);
        return;
    }
    uint64_t cents = 0;
    writer_map(writer, 4);
    writer_str(writer, "nodes");
    writer_array(writer, answer->part_count);
    for (uint32_t i = 0; i < answer->part_count; i++) {
        const struct route_part *part = &answer->parts[i];
        const struct node *node = &service->tables.network.nodes[part->node];
        writer_text(writer, node->id, node->id_len);
        cents += part->cost_cents;
    }
    put_km(writer, "total_km", answer->total_m);
    put_int(writer, "cost_cents", (int64_t)cents);
    put_int(writer, "splits", answer->splits);
}

void handle_explain_get(struct service_core *service, struct call *call)
{
    slab_ref ref;
    struct again again;
    struct route_answer answer = {.status = ORDER_REFUSED};
    if (!need_target(service, call, 1, &ref, NULL)) {
        return;
    }
    struct order *order = order_at(&service->tables.orders, ref);
    bool is_open = again_begin(service, order, false, &again);
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 6 + STRATEGY_NAME_FIELDS);
    put_text(writer, "order_id", order_id(order), order->id_len);
    put_strategy_name(service, writer, order->strategy);
    put_chosen(service, writer, &again);
    if (is_open) {
        again.request.explain = 1;
        again_decide(service, &again, &answer);
    }
    put_int(writer, "candidates", answer.candidates);
    ask_put_rejected(writer, &answer);
    if (is_open) {
        again_exclude_chosen(&again);
        again.request.explain = 0;
        again_decide(service, &again, &answer);
    }
    put_runner_up(service, writer, &answer);
    put_lsn(service, writer);
    reply_send(service, call);
}

/* -- explain.why_not -- */

struct teller {
    struct service_core *service;
    struct writer *writer;
    uint32_t groups;
};

static double in_units(uint8_t term, uint64_t steps)
{
    return (double)steps / strategy_term_steps((enum strategy_term_kind)term);
}

static double of_fence(const struct route_why_fence *fence, uint64_t value)
{
    bool is_km =
        fence->reject == REJECT_TOO_FAR || fence->fence == STRATEGY_FENCE_MAX_KM;
    if (is_km) {
        return (double)value / 1000;
    }
    return fence->fence == STRATEGY_FENCE_MIN_ACCEPTANCE ? (double)value / 1000000
                                                          : (double)value;
}

static void put_fence(struct writer *writer, const struct route_why_fence *fence)
{
    bool is_strategy = fence->reject == REJECT_STRATEGY_FENCED;
    bool is_types = is_strategy && fence->fence == STRATEGY_FENCE_TYPES;
    bool has_values = fence->has_values && !is_types;
    writer_map(writer, 1u + is_strategy + (has_values ? 2u : 0u) + is_types);
    put_string(writer, "reason", reject_text((enum reject)fence->reject));
    if (is_strategy) {
        put_string(writer, "fence", strategy_fence_text((enum strategy_fence_kind)fence->fence));
    }
    if (is_types) {
        put_string(writer, "is", node_type_text((enum node_type)fence->is));
    } else if (has_values && fence->reject == REJECT_MISSES_PROMISE) {
        put_int(writer, "is", (int64_t)fence->is);
        put_int(writer, "needs", (int64_t)fence->needs);
    } else if (has_values) {
        put_float(writer, "is", of_fence(fence, fence->is));
        put_float(writer, "needs", of_fence(fence, fence->needs));
    }
}

static void put_missing(struct service_core *service, struct writer *writer,
                        const struct route_why *why)
{
    writer_str(writer, "missing");
    writer_array(writer, why->item_count);
    for (uint32_t i = 0; i < why->item_count; i++) {
        const struct route_why_item *own = &why->items[i];
        const struct item *item = &service->tables.catalogue.items[own->item];
        writer_map(writer, 4);
        put_text(writer, "item", item->id, item->id_len);
        put_int(writer, "wanted", own->wanted);
        put_int(writer, "free", own->free);
        put_int(writer, "short", own->wanted - own->free);
    }
}

/* The number in which it is behind: of a lexicographic strategy the first term that differs. */
static const struct route_why_term *behind(const struct route_why *why)
{
    for (uint32_t i = 0; i < why->term_count; i++) {
        const struct route_why_term *term = &why->terms[i];
        if (term->is != term->best) {
            return term->is > term->best ? term : NULL;
        }
    }
    return NULL;
}

static double score_gap(const struct route_why *why)
{
    double gap = 0;
    for (uint32_t i = 0; i < why->term_count; i++) {
        const struct route_why_term *term = &why->terms[i];
        gap += term->weight / 1000.0 * (in_units(term->term, term->is) -
                                        in_units(term->term, term->best));
    }
    return gap;
}

static void put_terms(struct writer *writer, const struct route_why *why)
{
    writer_str(writer, "terms");
    writer_array(writer, why->term_count);
    for (uint32_t i = 0; i < why->term_count; i++) {
        const struct route_why_term *term = &why->terms[i];
        bool is_shifted = term->term == STRATEGY_TERM_PRIORITY;
        double shift = is_shifted ? STRATEGY_PRIORITY_SHIFT : 0;
        writer_map(writer, 3);
        put_string(writer, "term", strategy_term_text((enum strategy_term_kind)term->term));
        put_float(writer, "is", in_units(term->term, term->is) - shift);
        put_float(writer, "best", in_units(term->term, term->best) - shift);
    }
}

/* What has to be made up for against the best: of a weighted strategy a sum, else a term. */
static void put_gap(struct writer *writer, const struct route_why *why)
{
    const struct route_why_term *term = behind(why);
    writer_str(writer, "gap");
    if (why->term_count == 0) {
        writer_nil(writer);
    } else if (why->is_weighted) {
        writer_map(writer, 1);
        put_float(writer, "score", score_gap(why));
    } else if (term) {
        writer_map(writer, 2);
        put_string(writer, "term", strategy_term_text((enum strategy_term_kind)term->term));
        put_float(writer, "by",
                  in_units(term->term, term->is) - in_units(term->term, term->best));
    } else {
        writer_map(writer, 2); /* equal in all terms: the nearer, then the lesser id */
        put_string(writer, "term", "distance");
        put_float(writer, "by", ((double)why->metres - why->best_metres) / 1000);
    }
}

static void tell_group(void *owner, const struct route_why *why)
{
    struct teller *teller = owner;
    struct writer *writer = teller->writer;
    bool has_best = why->best != NODE_NONE;
    writer_map(writer, 6u + has_best + (why->term_count > 0));
    put_string(writer, "service", service_text(why->service));
    put_km(writer, "km", why->metres);
    put_bool(writer, "is_best", has_best && why->best == why->node);
    writer_str(writer, "fences");
    writer_array(writer, why->fence_count);
    for (uint32_t i = 0; i < why->fence_count; i++) {
        put_fence(writer, &why->fences[i]);
    }
    put_missing(teller->service, writer, why);
    if (has_best) {
        const struct node *best = &teller->service->tables.network.nodes[why->best];
        put_text(writer, "best", best->id, best->id_len);
    }
    if (why->term_count > 0) {
        put_terms(writer, why);
    }
    put_gap(writer, why);
    teller->groups++;
}

static bool is_chosen(const struct again *again, uint16_t node)
{
    for (uint32_t i = 0; i < again->order->part_count; i++) {
        if (order_parts(again->order)[i].node == node && again_has(again, i)) {
            return true;
        }
    }
    return false;
}

void handle_explain_why_not(struct service_core *service, struct call *call)
{
    slab_ref ref;
    uint16_t node;
    struct again again;
    if (!need_target(service, call, 2, &ref, &node)) {
        return;
    }
    struct order *order = order_at(&service->tables.orders, ref);
    bool is_open = again_begin(service, order, false, &again);
    struct writer *writer = reply_begin(service, call);
    struct teller teller = {service, writer, 0};
    writer_map(writer, 5 + STRATEGY_NAME_FIELDS);
    put_text(writer, "order_id", order_id(order), order->id_len);
    put_node(service, writer, node);
    put_strategy_name(service, writer, order->strategy);
    put_bool(writer, "chosen", is_chosen(&again, node));
    writer_str(writer, "groups");
    uint32_t mark = writer_open(writer);
    if (is_open) {
        again_why(service, &again, node, tell_group, &teller);
    }
    writer_array_close(writer, mark, teller.groups);
    put_lsn(service, writer);
    reply_send(service, call);
}
