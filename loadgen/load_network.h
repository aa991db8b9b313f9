/* The network that orders are routed over: stores, warehouses, and the places orders go to.
 *
 * With a data folder: its stores and ZIP code areas. Without: stores drawn from the project's own
 * table of three-digit ZIP areas. Warehouses always stand in the ten most populous of those that
 * lie at least 500 km apart. Store sizes are drawn, in both cases. */
#ifndef LOADGEN_LOAD_NETWORK_H
#define LOADGEN_LOAD_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "alias_draw.h"
#include "err.h"
#include "id_index.h"
#include "load_opts.h"
#include "rng.h"

enum { NETWORK_NAME_MAX = 48 };

struct site {
    char name[NETWORK_NAME_MAX];
    double lat; /* degrees */
    double lon;
    double share; /* of the items that it stocks, 0 to 1 */
    bool is_warehouse;
};

struct place {
    double lat;
    double lon;
    double people;
};

/* Owner: main; read-only after load_network_init. Warehouses are sites 0 to 9, stores follow. */
struct network {
    struct site *sites;
    struct id_index ids; /* node id -> index in sites */
    uint32_t count;
    struct place *places;
    uint32_t places_count;
    struct alias by_people; /* over places */
    double jitter;          /* degrees around a place, 0 where places are small */
    bool is_real;           /* stores are from data, not drawn */
};

/* Build it from the options; opts->nodes 0 is set to the number of stores read.
 *
 * Errors (told on stderr):
 *   ERR_NOTFOUND  the data folder lacks a file.
 *   ERR_INVALID   a file is not of the form expected.
 *   ERR_NOMEM     no memory.
 */
ERR_MUST_USE enum err load_network_init(struct network *network, struct load_opts *opts);
void load_network_close(struct network *network);

/* Draw where an order goes. */
void network_draw_place(const struct network *network, struct rng *rng, double *lat_out,
                        double *lon_out);

/* Choose count rows of zip3 by population, each at least metres from the ones before it. The
 * rows' indexes go to out; answers how many were found. */
uint32_t network_choose_apart(uint32_t count, uint32_t metres, uint32_t *out);

#endif
