/* A picture of the first minute: what came from where, as a table and as an SVG map. */
#ifndef LOADGEN_PICTURE_H
#define LOADGEN_PICTURE_H

#include <stdint.h>
#include <stdio.h>

#include "err.h"
#include "facts.h"
#include "load_network.h"

enum { PICTURE_LINES_MAX = 2500 };

/* From a node to the place of an order. */
struct picture_line {
    float lat, lon; /* of the order */
    uint32_t node;
};

/* Owner: main. Borrows the network. */
struct picture {
    const struct network *network;
    uint64_t *by_node;                            /* fulfilments */
    struct picture_line lines[PICTURE_LINES_MAX]; /* a sample, each order as likely as another */
    uint32_t lines_count;
    uint64_t until_ns; /* orders after that are not drawn */
    uint64_t orders, fulfilments, split;
    uint64_t from_warehouse; /* of the fulfilments */
    double km;               /* of all */
    struct rng rng;
};

/* Errors: ERR_NOMEM. */
ERR_MUST_USE enum err picture_init(struct picture *picture, const struct network *network,
                                   uint64_t until_ns);
void picture_close(struct picture *picture);

/* One routed order: its facts and total km. */
void picture_add(struct picture *picture, const struct order *order, const uint32_t *words,
                 double km);

/* The table: stores against warehouses, then the busiest nodes. */
void picture_print(const struct picture *picture, FILE *file);

/* The map of the contiguous United States.
 *
 * Errors:
 *   ERR_IO  the file cannot be written.
 */
ERR_MUST_USE enum err picture_write_svg(const struct picture *picture, const char *path);

#endif
