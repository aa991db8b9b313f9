/* next_day from nodes without a reach of their own: a carrier's row to the destination, of at most
 * one working day, stands for it.
 *
 * Which nodes those are depends on rows and nodes alone, so it is kept by destination area and
 * worked out again after either changed. Areas that hold a place are prefixes of its postcode: the
 * longest one tells all of them, so that it alone names a destination, and an origin. */
#include <string.h>

#include "check.h"
#include "mem.h"
#include "route_internal.h"

enum {
    SETS = 1024,    /* destinations kept, by area */
    ORIGINS = 1024, /* origins kept while one is worked out */
    DAYS_MAX = 1
};

struct carried_set {
    uint64_t stamp; /* of the rows and nodes that it was made of, + 1 */
    uint32_t dest;
    slot_bits nodes[WORD_MAX_NETWORK];
};

struct carried_origin {
    uint64_t round;
    uint32_t area;
    bool is_in_time;
};

struct carried {
    struct carried_set sets[SETS];
    struct carried_origin origins[ORIGINS];
    uint64_t round; /* of origins: one for each set made */
};

enum err carried_new(struct carried **out)
{
    void *memory;
    enum err err = mem_reserve(sizeof **out, &memory);
    if (err == ERR_OK) {
        *out = memory;
    }
    return err;
}

void carried_free(struct carried *carried)
{
    if (carried) {
        mem_release(carried, sizeof *carried);
    }
}

static bool is_in_time(const struct route *route, uint16_t node)
{
    const struct carriers *carriers = &route->view->timing->carriers;
    const struct area_matches *origins = &carriers->origins[node];
    struct carried *carried = route->carried;
    if (origins->count == 0) {
        return false;
    }
    struct carried_origin *own = &carried->origins[origins->ids[0] % ORIGINS];
    if (own->round != carried->round || own->area != origins->ids[0]) {
        const struct lane *lane =
            carriers_best(carriers, SERVICE_NEXT_DAY, node, &route->place.lanes, 0);
        *own = (struct carried_origin){carried->round, origins->ids[0],
                                       lane && lane->business_days <= DAYS_MAX};
    }
    return own->is_in_time;
}

static void set_make(const struct route *route, struct carried_set *set)
{
    const struct network *network = route->view->network;
    route->carried->round++;
    for (uint32_t word = 0; word < network->words; word++) {
        set->nodes[word] = 0;
        for (slot_bits left = network->unreached[word]; left; left &= left - 1) {
            uint32_t at = (uint32_t)__builtin_ctzll(left);
            uint16_t node = network->node_of_slot[word * 64 + at];
            set->nodes[word] |= (slot_bits)is_in_time(route, node) << at;
        }
    }
}

const slot_bits *carried_nodes(const struct route *route)
{
    const struct network *network = route->view->network;
    const struct timing *timing = route->view->timing;
    bool is_any = timing && route->group.service == SERVICE_NEXT_DAY &&
                  network->unreached_count > 0 && route->place.lanes.count > 0 &&
                  timing->carriers.rows_of_service[SERVICE_NEXT_DAY] > 0;
    if (!is_any) {
        return NULL;
    }
    uint64_t stamp = timing->carriers.generation + network->generation + 1;
    uint32_t dest = route->place.lanes.ids[0];
    struct carried_set *set = &route->carried->sets[dest % SETS];
    if (set->stamp != stamp || set->dest != dest) {
        set_make(route, set);
        set->stamp = stamp;
        set->dest = dest;
    }
    return set->nodes;
}

bool carried_offers(const struct route *route, const struct node *node)
{
    const enum service service = route->group.service;
    const slot_bits *carried = node_is_unreached(node, service) ? carried_nodes(route) : NULL;
    const slot_bits own = carried ? carried[node->slot / 64] : 0;
    return node_offers(node, service) || (own >> node->slot % 64 & 1);
}

void carried_add(struct route *route, bool is_static)
{
    const struct network *network = route->view->network;
    const slot_bits *may = is_static ? network->unreached : network->unreached_now;
    const slot_bits *carried = carried_nodes(route);
    if (!carried) {
        return;
    }
    group_base_copy(route);
    for (uint32_t word = 0; word < network->words; word++) {
        route->base[word] |= carried[word] & may[word];
    }
}
