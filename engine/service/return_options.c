/* The answer of return.quote: the nearest nodes that take a return.
 *
 * At each: `restock`, where every item has its place (a cell that is listed), else `forward`: it
 * is taken there and belongs elsewhere; forward_to names the nearest warehouse that stocks all. */
#include <string.h>

#include "return_internal.h"

enum { OPTIONS_MAX = 5, NEAREST_KEPT = 32 };

struct option {
    uint16_t node;
    uint32_t metres;
};

static bool is_stocked(const struct service_core *service, const struct returning *returning,
                       uint16_t node)
{
    const struct tables *tables = &service->tables;
    for (uint32_t i = 0; i < returning->count; i++) {
        struct cell cell = tables_cell(tables, returning->items[i], node);
        const struct policy *policy = policies_find(&tables->policies, returning->items[i], node);
        if (cell.index < 0 || (policy && policy->is_unlisted)) {
            return false;
        }
    }
    return true;
}

static bool is_barred(const struct service_core *service, const struct returning *returning,
                      uint16_t node)
{
    uint64_t bars = service->tables.network.nodes[node].config.bars;
    for (uint32_t i = 0; bars && i < returning->count; i++) {
        if (service->tables.catalogue.items[returning->items[i]].flags & bars) {
            return true;
        }
    }
    return false;
}

/* Keep the NEAREST_KEPT nodes of least chord by insertion; the float picks, metres decide. */
struct near_set {
    uint32_t count;
    float dots[NEAREST_KEPT]; /* falling */
    uint16_t nodes[NEAREST_KEPT];
};

static void near_insert(struct near_set *set, float dot, uint16_t node)
{
    uint32_t at = set->count < NEAREST_KEPT ? set->count++ : NEAREST_KEPT - 1;
    for (; at > 0 && set->dots[at - 1] < dot; at--) {
        set->dots[at] = set->dots[at - 1];
        set->nodes[at] = set->nodes[at - 1];
    }
    set->dots[at] = dot;
    set->nodes[at] = node;
}

static void near_find(const struct service_core *service, const struct returning *returning,
                      const struct geo_point *point, struct near_set *set)
{
    const struct network *network = &service->tables.network;
    float x = (float)point->x;
    float y = (float)point->y;
    float z = (float)point->z;
    set->count = 0;
    for (uint32_t slot = 0; slot < network->words * 64; slot++) {
        uint16_t node = network->node_of_slot[slot];
        float dot = network->x[slot] * x + network->y[slot] * y + network->z[slot] * z;
        bool is_near = set->count < NEAREST_KEPT || dot > set->dots[NEAREST_KEPT - 1];
        if (node != NODE_NONE && is_near && node_can(&network->nodes[node], CAPABILITY_RETURN) &&
            !is_barred(service, returning, node)) {
            near_insert(set, dot, node);
        }
    }
}

static bool is_before(const struct service_core *service, const struct option *a,
                      const struct option *b)
{
    const struct node *nodes = service->tables.network.nodes;
    return a->metres != b->metres ? a->metres < b->metres
                                  : strcmp(nodes[a->node].id, nodes[b->node].id) < 0;
}

static uint32_t options_sort(const struct service_core *service, const struct geo_point *point,
                             const struct near_set *set, struct option *options)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct node *node = &service->tables.network.nodes[set->nodes[i]];
        struct option own = {set->nodes[i], geo_metres(point, &node->point)};
        uint32_t at = i;
        for (; at > 0 && is_before(service, &own, &options[at - 1]); at--) {
            options[at] = options[at - 1];
        }
        options[at] = own;
    }
    return set->count < OPTIONS_MAX ? set->count : OPTIONS_MAX;
}

static uint16_t forward_to(const struct service_core *service, const struct returning *returning,
                           const struct geo_point *point)
{
    const struct network *network = &service->tables.network;
    struct option best = {NODE_NONE, UINT32_MAX};
    for (uint32_t i = 0; i < network->count; i++) {
        const struct node *node = &network->nodes[i];
        if (node->config.type != NODE_WAREHOUSE || !is_stocked(service, returning, (uint16_t)i)) {
            continue;
        }
        struct option own = {(uint16_t)i, geo_metres(point, &node->point)};
        if (best.node == NODE_NONE || is_before(service, &own, &best)) {
            best = own;
        }
    }
    return best.node;
}

static void put_option(const struct service_core *service, struct writer *writer,
                       const struct returning *returning, const struct option *option,
                       uint16_t warehouse)
{
    const struct node *nodes = service->tables.network.nodes;
    bool is_home = is_stocked(service, returning, option->node);
    bool has_forward = !is_home && warehouse != NODE_NONE;
    writer_map(writer, 3u + has_forward);
    put_text(writer, "node", nodes[option->node].id, nodes[option->node].id_len);
    put_km(writer, "km", option->metres);
    put_string(writer, "disposition", is_home ? "restock" : "forward");
    if (has_forward) {
        put_text(writer, "forward_to", nodes[warehouse].id, nodes[warehouse].id_len);
    }
}

/* Where the customer is: near, else where the order went. False: answered. */
static bool point_find(struct service_core *service, struct call *call, struct returning *returning,
                       struct geo_point *point)
{
    if (returning->near.is_given) {
        return place_point(service, call, "near", &returning->near, point);
    }
    if (returning->order && returning->order->has_dest) {
        *point = geo_point(returning->order->lat, returning->order->lon);
        return true;
    }
    reply_error(service, call, CODE_INVALID_ARGUMENT,
                "near: missing: no order in memory tells where the customer is");
    return false;
}

void return_options(struct service_core *service, struct call *call, struct returning *returning)
{
    struct option options[NEAREST_KEPT];
    struct near_set set;
    struct geo_point point;
    if (!point_find(service, call, returning, &point)) {
        return;
    }
    near_find(service, returning, &point, &set);
    uint32_t count = options_sort(service, &point, &set, options);
    uint16_t warehouse = forward_to(service, returning, &point);
    bool has_until = returning->order && returning->order->done_ms;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 3u + has_until);
    put_bool(writer, "unverified", !returning->order);
    if (has_until) {
        put_int(writer, "return_until",
                (int64_t)(returning->order->done_ms + service->options.return_window_ms));
    }
    writer_str(writer, "options");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        put_option(service, writer, returning, &options[i], warehouse);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}
