/* The orders of a run: each is a pure function of seed and number, so that it can be sent again
 * or checked later without having been kept; and its request in the form that is sent. */
#ifndef LOADGEN_WORKLOAD_H
#define LOADGEN_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "alias_draw.h"
#include "baskets.h"
#include "err.h"
#include "id_index.h"
#include "load_opts.h"
#include "load_network.h"

enum {
    ORDER_LINES_MAX = 1114,
    ORDER_ID_SIZE = 20,
    REQUEST_HEAD_SIZE = 160,
    REQUEST_LINE_SIZE = 48
};

struct order_line {
    uint32_t item;
    uint32_t qty;
};

struct order {
    uint64_t number;
    double lat; /* of the destination */
    double lon;
    uint32_t count;
    struct order_line lines[ORDER_LINES_MAX];
};

/* A line of a request up to the quantity, ready to be copied. */
struct item_piece {
    uint8_t bytes[31];
    uint8_t size;
};

/* Owner: main; read-only after workload_init. Borrows network. */
struct workload {
    enum workload_kind kind;
    uint64_t seed;
    uint32_t tag;
    uint32_t lines_max;
    const struct network *network;
    struct id_index items;      /* item id -> index */
    struct item_piece *pieces;  /* per item */
    struct alias by_popularity; /* over items */
    struct baskets baskets;     /* only of WORKLOAD_BASKETS */
};

/* Errors (told on stderr): as baskets_init; ERR_NOMEM. */
ERR_MUST_USE enum err workload_init(struct workload *workload, const struct load_opts *opts,
                                    const struct network *network);
void workload_close(struct workload *workload);

/* Make order number of this run. */
void workload_draw(const struct workload *workload, uint64_t number, struct order *out);

/* Its id: 7 digits of the run's tag, a dash, 12 digits of the number, hexadecimal. */
void workload_order_id(const struct workload *workload, uint64_t number, char out[ORDER_ID_SIZE]);

/* The number of an id of this run; false if it is of another. */
bool workload_order_number(const struct workload *workload, const char *id, uint32_t size,
                           uint64_t *out);

/* Write the whole request order.route to at, which has REQUEST_HEAD_SIZE + count *
 * REQUEST_LINE_SIZE bytes; answers how many were used. */
uint32_t workload_encode(const struct workload *workload, const struct order *order, uint32_t msgid,
                         uint8_t *at);

#endif
