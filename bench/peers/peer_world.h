/* The world and the orders that every engine under comparison is given.
 *
 * Network and stock are the load generator's. Orders have two different items (or as many as
 * asked for, to the engine only), one unit each, and go to the centre of a three-digit ZIP area
 * drawn by population: so an engine may work with lists of the nearest nodes per area, made
 * beforehand, and still be exact. An order is a pure function of seed and number. */
#ifndef BENCH_PEERS_PEER_WORLD_H
#define BENCH_PEERS_PEER_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "alias_draw.h"
#include "load_network.h"
#include "load_opts.h"
#include "stock_model.h"

enum { PEER_ID_SIZE = 20, PEER_ITEM_SIZE = 11, PEER_LINES_MAX = 50 };

struct peer_order {
    uint64_t number;
    uint32_t area;
    uint32_t count; /* of lines; the peers know two only */
    uint32_t item[PEER_LINES_MAX];
    uint16_t node[2]; /* of a job that names its cells */
};

/* Owner: main; read-only after the functions below. */
struct peer_world {
    struct load_opts opts; /* nodes, items, seed, density, data_dir are used */
    struct network network;
    struct stock_model model;
    struct alias by_people; /* over areas */
    uint32_t items;
    uint32_t lines;  /* of an order */
    uint32_t drawn;  /* orders are drawn from the first so many items */
    uint32_t tag;    /* 28 bits in every order id */
    uint16_t *near;  /* [area][rank] -> node, by metres, then id; NULL until made */
    uint32_t *metres; /* the same, how far */
    uint16_t *deepest; /* [item] -> the node with most units; NULL until made */
};

/* Errors (told on stderr): as load_network_init. */
ERR_MUST_USE enum err peer_world_init(struct peer_world *world);
void peer_world_close(struct peer_world *world);

/* Make the lists of all areas; the deepest node of each item. Ends the process without memory. */
void peer_world_near(struct peer_world *world);
void peer_world_deepest(struct peer_world *world);

void peer_world_draw(const struct peer_world *world, uint64_t number, struct peer_order *out);

/* 20 characters: tag, dash, number, hexadecimal. And `SKU-0000007`. No NUL. */
void peer_world_id(const struct peer_world *world, uint64_t number, char *out);
void peer_world_item(uint32_t item, char *out);

#endif
