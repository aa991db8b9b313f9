/* What each touched cell must hold: an open table from (node, item) to signed sums. */
#ifndef LOADGEN_CELL_MAP_H
#define LOADGEN_CELL_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct cell_sums {
    uint64_t key;     /* node << 24 | item, plus 1; 0 = empty */
    int64_t on_hand;  /* change since the loading, or all of it where that is not the model's */
    int64_t reserved; /* open holds */
    int64_t unsure;   /* units whose arrival nobody confirmed */
};

/* Owner: whoever called cell_map_init. */
struct cell_map {
    struct cell_sums *slots;
    uint64_t count;
    uint64_t mask;
};

/* Errors: ERR_NOMEM. */
ERR_MUST_USE enum err cell_map_init(struct cell_map *map);
void cell_map_close(struct cell_map *map);

/* The sums of a cell, made if they are not there. Valid until the next call. */
struct cell_sums *cell_map_at(struct cell_map *map, uint32_t node, uint32_t item);

/* The same, or NULL if the cell was not touched. */
const struct cell_sums *cell_map_find(const struct cell_map *map, uint32_t node, uint32_t item);

#endif
