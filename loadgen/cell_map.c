/* Linear probing, doubled at a load of one half. */
#include "cell_map.h"

#include <stdlib.h>

#include "check.h"

enum { SLOTS_FIRST = 1 << 16 };

static uint64_t key_of(uint32_t node, uint32_t item)
{
    CHECK(item < 1u << 24);
    return ((uint64_t)node << 24 | item) + 1;
}

static struct cell_sums *probe(const struct cell_map *map, uint64_t key)
{
    uint64_t slot = (key * 0x9e3779b97f4a7c15u) >> 20 & map->mask;
    while (map->slots[slot].key != 0 && map->slots[slot].key != key) {
        slot = (slot + 1) & map->mask;
    }
    return &map->slots[slot];
}

enum err cell_map_init(struct cell_map *map)
{
    *map = (struct cell_map){.slots = calloc(SLOTS_FIRST, sizeof *map->slots),
                             .mask = SLOTS_FIRST - 1};
    return map->slots == NULL ? ERR_NOMEM : ERR_OK;
}

void cell_map_close(struct cell_map *map)
{
    free(map->slots);
    *map = (struct cell_map){0};
}

static void double_up(struct cell_map *map)
{
    uint64_t size = (map->mask + 1) * 2;
    struct cell_map bigger = {
        .slots = calloc(size, sizeof *map->slots), .count = map->count, .mask = size - 1};
    CHECK(bigger.slots != NULL);
    for (uint64_t i = 0; i <= map->mask; i++) {
        if (map->slots[i].key != 0) {
            *probe(&bigger, map->slots[i].key) = map->slots[i];
        }
    }
    free(map->slots);
    *map = bigger;
}

struct cell_sums *cell_map_at(struct cell_map *map, uint32_t node, uint32_t item)
{
    if (map->count * 2 > map->mask) {
        double_up(map);
    }
    uint64_t key = key_of(node, item);
    struct cell_sums *sums = probe(map, key);
    if (sums->key == 0) {
        sums->key = key;
        map->count++;
    }
    return sums;
}

const struct cell_sums *cell_map_find(const struct cell_map *map, uint32_t node, uint32_t item)
{
    const struct cell_sums *sums = probe(map, key_of(node, item));
    return sums->key == 0 ? NULL : sums;
}
