/* Words in the order of their least distance from an area, kept for areas that are asked for again.
 *
 * An area is a cube of side 1/64 of the sphere's radius, some 100 km: all places in it share one
 * list. Of a word the list has a lower bound of its distance from any place of the area: from the
 * cube's centre to the cap's, less half the cube's diagonal and the cap's radius. So a search that
 * follows the list reads a few words of each bitmap instead of all, and its end is as safe as that
 * of a list for the one place: nearest.c says why float may be trusted so far. */
#include <math.h>
#include <string.h>

#include "route_internal.h"

enum { SIDES = 64, SETS = NEAR_AREAS / NEAR_WAYS, VISITS = 4, FULL_TURNS = 61 };

/* sqrt(3) / 128, rounded up by more than the place's own rounding. */
#define HALF_DIAGONAL 0.013533f

static uint32_t coordinate(float x)
{
    return (uint32_t)((int32_t)floorf(x * SIDES) + SIDES);
}

static float middle(uint32_t coordinate)
{
    return ((float)(int32_t)(coordinate - SIDES) + 0.5f) / SIDES;
}

static uint32_t key_of(const float place[3])
{
    return 1 + (coordinate(place[0]) << 16 | coordinate(place[1]) << 8 | coordinate(place[2]));
}

static uint32_t set_of(uint32_t key)
{
    return (uint32_t)((uint64_t)(key * 0x9e3779b1u) * SETS >> 32) * NEAR_WAYS;
}

/* In the order of bounds; of what there is no room for, the least bound is kept. */
static void add(struct near_area *area, uint32_t word, float bound)
{
    if (area->count == NEAR_WORDS) {
        float last = area->bounds[NEAR_WORDS - 1];
        float out = bound < last ? last : bound;
        area->end = out < area->end ? out : area->end;
        if (bound >= last) {
            return;
        }
        area->count--;
    }
    uint32_t at = area->count++;
    for (; at > 0 && area->bounds[at - 1] > bound; at--) {
        area->bounds[at] = area->bounds[at - 1];
        area->words[at] = area->words[at - 1];
    }
    area->bounds[at] = bound;
    area->words[at] = (uint16_t)word;
}

/* The lines of the first words, as far as there is room. */
static void add_lines(struct near_area *area)
{
    area->line_count = 0;
    for (uint32_t i = 0; i < area->count && i < NEAR_AHEAD; i++) {
        uint32_t line = row_maybe_line(area->words[i]);
        uint32_t at = 0;
        while (at < area->line_count && area->lines[at] != line) {
            at++;
        }
        if (at == area->line_count && at < NEAR_LINES) {
            area->lines[area->line_count++] = (uint8_t)line;
        }
    }
}

static void fill(struct near_area *area, const struct network *network, uint32_t key)
{
    float x = middle((key - 1) >> 16);
    float y = middle((key - 1) >> 8 & 0xff);
    float z = middle((key - 1) & 0xff);
    area->count = 0;
    area->end = INFINITY;
    for (uint32_t word = 0; word < network->words; word++) {
        if (network->cap_radius[word] >= 0) {
            float dx = network->cap_x[word] - x;
            float dy = network->cap_y[word] - y;
            float dz = network->cap_z[word] - z;
            float bound = sqrtf(dx * dx + dy * dy + dz * dz) - network->cap_radius[word] -
                          HALF_DIAGONAL - CAP_SLACK;
            add(area, word, bound > 0 ? bound : 0);
        }
    }
    add_lines(area);
    area->is_filled = true;
}

static bool is_of(const struct near_areas *areas, const struct network *network)
{
    return areas->network == network && areas->version == network->caps_version;
}

/* The number of the key's place, or NEAR_AREAS. */
static uint32_t find(const struct near_areas *areas, uint32_t key)
{
    uint32_t set = set_of(key);
    for (uint32_t at = set; at < set + NEAR_WAYS; at++) {
        if (areas->keys[at] == key) {
            return at;
        }
    }
    return NEAR_AREAS;
}

const struct near_area *near_area_known(const struct near_areas *areas,
                                        const struct network *network, const float place[3])
{
    uint32_t at = is_of(areas, network) ? find(areas, key_of(place)) : NEAR_AREAS;
    return at < NEAR_AREAS ? &areas->areas[at] : NULL;
}

/* A list costs as much as some searches: one that stands seldom gives way to an area that comes,
 * and an area has a list only after some visits. */
static void note(struct near_areas *areas, uint32_t key)
{
    uint32_t at = set_of(key) + areas->turn++ % NEAR_WAYS;
    if (areas->areas[at].is_filled && areas->keys[at] && areas->turn % FULL_TURNS) {
        return;
    }
    areas->keys[at] = key;
    areas->areas[at].is_filled = false;
    areas->areas[at].visits = 1;
}

const struct near_area *near_area_at(struct near_areas *areas, const struct network *network,
                                     const float place[3])
{
    uint32_t key = key_of(place);
    if (!is_of(areas, network)) {
        memset(areas->keys, 0, sizeof areas->keys);
        areas->network = network;
        areas->version = network->caps_version;
    }
    uint32_t at = find(areas, key);
    if (at == NEAR_AREAS) {
        note(areas, key);
        return NULL;
    }
    struct near_area *area = &areas->areas[at];
    if (!area->is_filled && ++area->visits < VISITS) {
        return NULL;
    }
    if (!area->is_filled) {
        fill(area, network, key);
    }
    return area;
}
