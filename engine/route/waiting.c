/* Which nodes may help those who wait: a look at a class of them (table/owed.h) instead of a
 * decision for each, then one at each of the class that stands first. Both err to one side: a node
 * that is ruled out is no candidate, or has nothing free. */
#include <string.h>

#include "gazetteer.h"
#include "timing.h"
#include "waiting.h"

enum { MILLION = 1000000 };

static uint32_t free_at(const struct stock_view *view, uint32_t item, uint16_t node)
{
    struct row *row = view->catalogue->items[item].row;
    const int32_t index = row ? row_find(row, view->network->hot[node].slot) : -1;
    return index < 0 ? 0 : stock_free(view, item, node, row_word(row, (uint32_t)index));
}

/* -- fences -- */

static bool is_eligible(const struct network *network, const struct owed_traits *traits,
                        uint16_t node)
{
    const uint32_t slot = network->hot[node].slot;
    const slot_bits bit = (slot_bits)1 << (slot % 64);
    const enum service service = (enum service)traits->service;
    const bool is_sent = service == SERVICE_SHIP_TO_STORE;
    if (traits->place != NODE_NONE && traits->place != node && !is_sent) {
        return false;
    }
    slot_bits able = network->eligible[service][slot / 64];
    able |= service == SERVICE_NEXT_DAY ? network->unreached_now[slot / 64] : 0;
    able |= is_sent && traits->place == node ? network->eligible[SERVICE_PICKUP][slot / 64] : 0;
    return (able & bit) != 0;
}

static bool is_barred(const struct item *item, const struct node *node, enum service service)
{
    const enum capability capability = service_capability(service);
    return (item->flags & node->config.bars) != 0 ||
           (capability == CAPABILITY_SAME_DAY && (item->flags >> FLAG_NO_SAME_DAY & 1)) ||
           (capability == CAPABILITY_PICKUP && (item->flags >> FLAG_NO_PICKUP & 1));
}

/* Whether some postcode that begins as the class's do is in the areas. */
static bool may_serve(const struct node_config *config, const struct owed_traits *traits)
{
    char country[3] = {traits->country[0], traits->country[1], 0};
    char prefix[OWED_PREFIX_MAX + 1] = {0};
    memcpy(prefix, traits->prefix, OWED_PREFIX_MAX);
    if (config->serves_count == 0 ||
        areas_hold(config->serves, config->serves_count, country, prefix)) {
        return true;
    }
    const size_t len = strlen(prefix);
    if (!traits->has_dest && traits->place != NODE_NONE) {
        return true; /* without a destination nobody asks */
    }
    for (uint32_t i = 0; i < config->serves_count && !traits->is_whole; i++) {
        const struct area *area = &config->serves[i];
        if (!area->is_out && area->len > 3 + len && memcmp(area->text, country, 2) == 0 &&
            memcmp(area->text + 3, prefix, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool may_reach(const struct network *network, const struct owed_class *class, uint16_t node)
{
    const struct owed_traits *traits = &class->traits;
    const uint32_t own = network->nodes[node].config.max_m[traits->service];
    const uint32_t reach = own < traits->max_m ? own : traits->max_m;
    if (!traits->has_tile || reach >= GEO_METRES_MAX || traits->place != NODE_NONE) {
        return true;
    }
    return geo_metres(&network->hot[node].point, &class->middle) <=
           (uint64_t)reach + OWED_TILE_M;
}

static bool is_in(const uint16_t *nodes, uint32_t count, uint16_t node)
{
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i] == node) {
            return true;
        }
    }
    return false;
}

/* What the orders of the class list, told by the first of them. */
static bool is_listed_out(struct order *order, uint16_t node)
{
    const struct order_rules *rules = order_rules(order);
    for (uint32_t i = 0; i < order->part_count && order->rejects; i++) {
        const struct order_part *part = &order_parts(order)[i];
        if (part->is_rejected && part->node == node) {
            return true;
        }
    }
    return rules && ((rules->include_count > 0 &&
                      !is_in(rules->nodes, rules->include_count, node)) ||
                     is_in(rules->nodes + rules->include_count, rules->exclude_count, node));
}

/* A kit comes whole from one node: some of each component that is owed must be there. */
static bool has_kit(const struct stock_view *view, const struct owed *owed, struct order *order,
                    uint32_t line, uint16_t node)
{
    const uint32_t first = line_kit(order, line).first;
    const uint32_t count = line_run(order, first);
    for (uint32_t i = first; i < first + count; i++) {
        if (owed_find(owed, order, i) != OWED_NONE &&
            free_at(view, order_lines(order)[i].item, node) == 0) {
            return false;
        }
    }
    return true;
}

/* entry: one of the class, of the order. */
static bool node_may_help(const struct stock_view *view, const struct owed *owed,
                          const struct owed_class *class, uint32_t entry, struct order *order,
                          uint16_t node)
{
    const struct owed_traits *traits = &class->traits;
    const struct node *at = &view->network->nodes[node];
    const struct item *item = &view->catalogue->items[traits->item];
    if (!is_eligible(view->network, traits, node) || free_at(view, traits->item, node) == 0 ||
        is_barred(item, at, (enum service)traits->service) ||
        (traits->lists && is_listed_out(order, node))) {
        return false;
    }
    if (traits->service != SERVICE_SHIP_TO_STORE &&
        (!may_serve(&at->config, traits) || !may_reach(view->network, class, node))) {
        return false;
    }
    return !traits->is_kit ||
           has_kit(view, owed, order, owed_at(owed, entry)->line, node);
}

bool route_may_help(const struct stock_view *view, const struct owed *owed,
                    const struct owed_class *class, struct order *order, const uint16_t *nodes,
                    uint32_t count)
{
    struct stock_view own = *view;
    const bool has_quotas = view->policies && view->policies->quotas.count > 0;
    own.channel = has_quotas ? class->traits.channel : 0;
    for (uint32_t i = 0; i < count && count <= OWED_NODES_MAX; i++) {
        if (node_may_help(&own, owed, class, class->first, order, nodes[i])) {
            return true;
        }
    }
    return count > OWED_NODES_MAX;
}

/* -- one of the class -- */

struct waiting {
    const struct stock_view *view;
    const struct strategy *strategy; /* that rules it; NULL = none */
    const struct owed_traits *traits;
    const struct owed_entry *entry;
    struct order *order;
    bool has_metres; /* its place and the distance to it count */
    struct geo_point dest;
};

static bool is_reached(const struct waiting *waiting, uint16_t node)
{
    const struct network *network = waiting->view->network;
    const uint32_t own = network->nodes[node].config.max_m[waiting->traits->service];
    const uint32_t most = waiting->strategy ? waiting->strategy->max_m : UINT32_MAX;
    uint32_t reach = waiting->traits->max_m < own ? waiting->traits->max_m : own;
    reach = most < reach ? most : reach;
    return !waiting->has_metres || reach >= GEO_METRES_MAX ||
           geo_metres(&network->nodes[node].point, &waiting->dest) <= reach;
}

/* By the whole postcode, of which the class has the beginning. */
static bool is_served(const struct waiting *waiting, uint16_t node)
{
    const struct node_config *config = &waiting->view->network->nodes[node].config;
    struct order *order = waiting->order;
    char country[3] = {order->country[0], order->country[1], 0};
    char postcode[POSTCODE_MAX + 1] = {0};
    if (config->serves_count == 0 || !waiting->has_metres ||
        order->postcode_len > POSTCODE_MAX) {
        return true;
    }
    memcpy(postcode, order_postcode(order), order->postcode_len);
    return areas_hold(config->serves, config->serves_count, country, postcode);
}

/* A node whose units are counted must have room for all that is asked, of which this is a part. */
static bool has_capacity(const struct waiting *waiting, uint16_t node)
{
    const struct timing *timing = waiting->view->timing;
    const enum service service = (enum service)waiting->traits->service;
    return !timing || timing_has_room(timing, node, service, 0, waiting->entry->qty);
}

/* Of the fences those that the node alone answers; distance stands in max_m, what stays in keep. */
static bool fence_holds(const struct waiting *waiting, uint16_t node,
                        const struct strategy_fence *fence)
{
    const struct stock_view *view = waiting->view;
    switch ((enum strategy_fence_kind)fence->fence) {
    case STRATEGY_FENCE_MAX_LOAD:
        return !view->queues || view->queues[node].count < fence->value;
    case STRATEGY_FENCE_MIN_ACCEPTANCE:
        return !view->declines || MILLION - view->declines[node] >= fence->value;
    case STRATEGY_FENCE_TYPES:
        return fence->value >> view->network->hot[node].type & 1;
    case STRATEGY_FENCE_MAX_KM:
    case STRATEGY_FENCE_KEEP_LAST:
    case STRATEGY_FENCE_MAX_MINUTES:
    case STRATEGY_FENCE_MAX_COST:
    case STRATEGY_FENCE_COUNT:
        break;
    }
    return true;
}

static bool is_let_in(const struct waiting *waiting, uint16_t node)
{
    const struct strategy *strategy = waiting->strategy;
    if (!strategy) {
        return true;
    }
    for (uint32_t i = 0; i < strategy->fence_count; i++) {
        if (!fence_holds(waiting, node, &strategy->fences[i])) {
            return false;
        }
    }
    return free_at(waiting->view, waiting->traits->item, node) > strategy->keep;
}

bool route_may_take(const struct stock_view *view, const struct strategy *strategy,
                    const struct owed *owed, uint32_t entry, struct order *order,
                    const uint16_t *nodes, uint32_t count)
{
    const struct owed_class *class = &owed->classes[owed_at(owed, entry)->class];
    const struct owed_traits *traits = &class->traits;
    const bool is_open = traits->place == NODE_NONE;
    struct stock_view own = *view;
    struct waiting waiting = {.view = &own,
                              .strategy = is_open ? strategy : NULL,
                              .traits = traits,
                              .entry = owed_at(owed, entry),
                              .order = order,
                              .has_metres = is_open && order->has_dest};
    const bool has_quotas = view->policies && view->policies->quotas.count > 0;
    own.channel = has_quotas ? traits->channel : 0;
    if (waiting.has_metres) {
        waiting.dest = geo_point(order->lat, order->lon);
    }
    for (uint32_t i = 0; i < count && count <= OWED_NODES_MAX; i++) {
        if (has_capacity(&waiting, nodes[i]) && is_let_in(&waiting, nodes[i]) &&
            is_reached(&waiting, nodes[i]) && is_served(&waiting, nodes[i]) &&
            node_may_help(&own, owed, class, entry, order, nodes[i])) {
            return true;
        }
    }
    return count > OWED_NODES_MAX;
}

/* -- holders -- */

bool route_holds(const struct stock_view *view, uint32_t item, uint16_t node)
{
    struct row *row = view->catalogue->items[item].row;
    const int32_t index = row ? row_find(row, view->network->hot[node].slot) : -1;
    return index >= 0 &&
           stock_unfenced(view, item, node, row_word(row, (uint32_t)index)) > 0;
}

struct holders {
    const struct stock_view *view;
    uint32_t item;
    uint16_t *nodes;
    uint32_t count;
};

static void cell_look(struct holders *out, struct row *row, uint32_t slot, uint32_t index)
{
    const cell_word word = row_word(row, index);
    const uint16_t node = out->view->network->node_of_slot[slot];
    const bool has = (int64_t)cell_on_hand(word) > cell_reserved(word) &&
                     stock_unfenced(out->view, out->item, node, word) > 0;
    if (has && out->count < OWED_NODES_MAX) {
        out->nodes[out->count] = node;
    }
    out->count += has;
}

/* The hints of a bitmap tell most cells without units apart unread. */
static uint32_t bitmap_look(struct holders *out, struct row *row)
{
    uint32_t steps = row->words;
    for (uint32_t word = 0; word < row->words && out->count <= OWED_NODES_MAX; word++) {
        for (slot_bits left = row_maybe(row)[word]; left; left &= left - 1) {
            const uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(left);
            const int32_t index = row_find(row, slot);
            steps++;
            if (index >= 0) {
                cell_look(out, row, slot, (uint32_t)index);
            }
        }
    }
    return steps;
}

uint32_t route_holders(const struct stock_view *view, uint32_t item,
                       uint16_t nodes[OWED_NODES_MAX], uint32_t *steps)
{
    struct row *row = view->catalogue->items[item].row;
    struct holders out = {view, item, nodes, 0};
    if (row && row->kind == ROW_BITMAP) {
        *steps += bitmap_look(&out, row);
    }
    for (uint32_t i = 0; row && row->kind == ROW_LIST && i < row->count; i++) {
        cell_look(&out, row, row_slots(row)[i], i);
        ++*steps;
    }
    return out.count <= OWED_NODES_MAX ? out.count : OWED_NODES_ANY;
}
