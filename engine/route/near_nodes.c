/* The nearest nodes that may serve, whatever they have in stock: word by word in the order of how
 * near a word can be, until the next one cannot be nearer than the last of the k best. */
#include <math.h>

#include "route_internal.h"

/* Least chord between the destination and any node of the word. */
static float word_bound(const struct network *network, uint32_t word, const struct geo_point *dest)
{
    float dx = network->cap_x[word] - (float)dest->x;
    float dy = network->cap_y[word] - (float)dest->y;
    float dz = network->cap_z[word] - (float)dest->z;
    return sqrtf(dx * dx + dy * dy + dz * dz) - network->cap_radius[word];
}

/* Insert into the k best, by metres, then by id. */
static uint32_t insert(const struct network *network, struct route_near *out, uint32_t count,
                       uint32_t k, const struct route_near *near)
{
    uint32_t at = count;
    while (at > 0 && (out[at - 1].metres > near->metres ||
                      (out[at - 1].metres == near->metres &&
                       node_compare(network, out[at - 1].node, near->node) > 0))) {
        at--;
    }
    if (at == k) {
        return count;
    }
    for (uint32_t i = count < k ? count : k - 1; i > at; i--) {
        out[i] = out[i - 1];
    }
    out[at] = *near;
    return count < k ? count + 1 : count;
}

static uint32_t word_add(struct route *route, uint32_t word, uint32_t k, struct route_near *out,
                         uint32_t count)
{
    const struct network *network = route->view->network;
    for (slot_bits bits = route->group.base[word]; bits; bits &= bits - 1) {
        uint16_t node = network->node_of_slot[word * 64 + (uint32_t)__builtin_ctzll(bits)];
        const struct route_near near = {node, group_metres(route, node), 0};
        if (group_takes_node(route, node, near.metres)) {
            count = insert(network, out, count, k, &near);
        }
    }
    return count;
}

/* The word that is nearest of those not looked at; network->words: none is left. */
static uint32_t word_next(const struct network *network, const float *bounds)
{
    uint32_t best = network->words;
    for (uint32_t word = 0; word < network->words; word++) {
        if (bounds[word] < INFINITY && (best == network->words || bounds[word] < bounds[best])) {
            best = word;
        }
    }
    return best;
}

uint32_t route_nodes_near(struct route *route, const struct stock_view *view,
                          const struct route_request *request, uint32_t k, struct route_near *out)
{
    const struct network *network = view->network;
    float bounds[WORD_MAX_NETWORK];
    uint32_t count = 0;
    route_begin(route, view, request);
    for (uint32_t i = 0; i < request->line_count; i++) {
        route->lines[i] = i;
    }
    group_begin(route, request->line_count);
    for (uint32_t word = 0; word < network->words; word++) {
        bool is_empty = network->cap_radius[word] < 0 || !route->group.base[word];
        bounds[word] = is_empty ? INFINITY : word_bound(network, word, &request->dest);
    }
    for (uint32_t left = network->words; left > 0; left--) {
        uint32_t word = word_next(network, bounds);
        bool is_over =
            word == network->words || (count == k && bounds[word] > chord_limit(out[k - 1].metres));
        if (is_over) {
            break;
        }
        count = word_add(route, word, k, out, count);
        bounds[word] = INFINITY;
    }
    return count;
}
