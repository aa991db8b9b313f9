/* Roads from nodes to areas, as loaded. */
#include <stdlib.h>
#include <string.h>

#include "apply_internal.h"
#include "carrier.h"

void travels_init(struct travels *travels)
{
    memset(travels, 0, sizeof *travels);
}

void travels_close(struct travels *travels)
{
    free(travels->roads);
    free(travels->areas.all);
    free(travels->areas.slots);
    memset(travels, 0, sizeof *travels);
}

void travels_drop(struct travels *travels)
{
    travels->epoch++;
    travels->rows = 0;
    travels->digest = (struct digest){0, 0};
}

static struct road *find(struct road *roads, uint64_t mask, uint64_t key)
{
    uint64_t hash = key * 0x9e3779b97f4a7c15u;
    uint64_t at = (hash ^ hash >> 32) & mask;
    while (roads[at].key && roads[at].key != key) {
        at = (at + 1) & mask;
    }
    return &roads[at];
}

/* Rows that were replaced stay behind. */
static enum err grow(struct travels *travels)
{
    uint64_t mask = 255;
    while (mask < travels->rows * 4) {
        mask = mask * 2 + 1;
    }
    struct road *roads = calloc(mask + 1, sizeof *roads);
    if (!roads) {
        return ERR_NOMEM;
    }
    travels->used = 0;
    for (uint64_t i = 0; travels->roads && i <= travels->mask; i++) {
        const struct road *road = &travels->roads[i];
        if (road->key && road->epoch == travels->epoch) {
            *find(roads, mask, road->key) = *road;
            travels->used++;
        }
    }
    free(travels->roads);
    travels->roads = roads;
    travels->mask = mask;
    return ERR_OK;
}

void road_digest(const struct travels *travels, const struct road *road, struct digest *digest,
                 bool is_add)
{
    const struct area_name *area = &travels->areas.all[(uint32_t)(road->key - 1)];
    uint64_t where = hash_fixed(area->text, area->len);
    uint64_t how = (uint64_t)road->metres << 32 | road->minutes;
    if (is_add) {
        digest_add_words(digest, TAG_ROAD, (road->key - 1) >> 32, where, how);
    } else {
        digest_take_words(digest, TAG_ROAD, (road->key - 1) >> 32, where, how);
    }
}

enum err travels_set(struct travels *travels, const struct travel_row *row)
{
    uint32_t area;
    if (travels->rows >= TRAVEL_ROWS_MAX) {
        return ERR_FULL;
    }
    enum err err = area_name_add(&travels->areas, &row->area, &area);
    if (err == ERR_OK && (!travels->roads || travels->used * 2 > travels->mask)) {
        err = grow(travels);
    }
    if (err != ERR_OK) {
        return err;
    }
    travels->areas.lengths |= (uint64_t)1 << row->area.len;
    const uint64_t key = ((uint64_t)row->node << 32 | area) + 1;
    struct road *road = find(travels->roads, travels->mask, key);
    bool is_there = road->key != 0 && road->epoch == travels->epoch;
    if (is_there) {
        road_digest(travels, road, &travels->digest, false);
    }
    travels->used += road->key == 0;
    travels->rows += !is_there;
    *road = (struct road){key, row->metres, row->minutes, travels->epoch};
    road_digest(travels, road, &travels->digest, true);
    return ERR_OK;
}

const struct road *travels_find(const struct travels *travels, uint16_t node,
                                const struct area_matches *dest)
{
    for (uint32_t i = 0; travels->rows > 0 && i < dest->count; i++) {
        const uint64_t key = ((uint64_t)node << 32 | dest->ids[i]) + 1;
        const struct road *road = find(travels->roads, travels->mask, key);
        if (road->key && road->epoch == travels->epoch) {
            return road;
        }
    }
    return NULL;
}
