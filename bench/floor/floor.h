/* The floor: the least that routing an order costs on this machine.
 *
 * One thread, epoll, the contract's bytes of order.route in and out with string ids, tables of
 * the engine's shape and size, stock checked before it is taken, ids kept, one durable log write
 * per group of replies, and nothing else: no life cycle, no holds, no limits, no second service,
 * no recovery, no errors worth reading. It exists to be compared with, never to be used.
 *
 * All structs belong to the one thread. Sizes: items and orders as given, nodes up to 65,536.
 */
#ifndef BENCH_FLOOR_FLOOR_H
#define BENCH_FLOOR_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "geo.h"

enum {
    FLOOR_LINES_MAX = 4,
    FLOOR_BATCH = 64,
    FLOOR_NAME_MAX = 15,      /* item and node ids */
    FLOOR_ID_MAX = 39,        /* order ids */
    FLOOR_REPLY_MAX = 1024,   /* bytes of one reply: 4 lines in 4 fulfilments */
    FLOOR_RECORD_MAX = 192,
    FLOOR_GRID = 360 * 181,   /* one-degree squares */
    FLOOR_NODE_NONE = 0xffff
};

/* An item or node id; bytes behind size are 0, so that ids compare as two words. */
struct floor_name {
    char at[FLOOR_NAME_MAX];
    uint8_t size;
};

struct floor_cell {
    int32_t on_hand, reserved;
};

/* Membership of 64 neighbouring nodes, and how many cells stand before them. */
struct floor_word {
    uint64_t has;  /* bit: the node has a cell */
    uint32_t rank; /* of the first cell of this word */
    uint32_t spare;
};

/* One item: its words (one per 64 nodes) and its cells in node order. 64 bytes. */
struct floor_item {
    struct floor_name name;
    struct floor_word *words;
    struct floor_cell *cells;
    uint64_t *free; /* bit: the cell may have units to sell; errs upward only */
    uint32_t count, capacity;
    struct floor_cell *sealed_cells; /* where cells go when sealed */
    uint64_t spare;
};

struct floor_node {
    struct floor_name name;
    struct geo_point point;
    double lat, lon;
    bool is_warehouse;
    uint16_t slot;
};

/* A word's order in a one-degree square: words by the least distance they can have to it. */
struct floor_near {
    float bound; /* squared chord, lower bound */
    uint32_t word;
};

/* What is kept of an order: its id and what was taken. 64 bytes. */
struct floor_record {
    char id[FLOOR_ID_MAX];
    uint8_t id_size;
    uint16_t node[2];
    uint32_t item[2];
    uint16_t qty[2];
    uint32_t metres;
    uint32_t lsn;
};

struct floor_line {
    const char *item; /* borrows the request */
    uint32_t item_size;
    uint32_t qty;
};

/* One order while it is decided. Texts borrow the connection's bytes. */
struct floor_order {
    const char *id;
    uint32_t id_size;
    uint32_t msgid;
    uint32_t count;
    struct floor_line lines[FLOOR_LINES_MAX];
    double lat, lon;
    /* Filled stage by stage. */
    uint64_t id_hash;
    uint64_t item_hash[FLOOR_LINES_MAX];
    struct floor_item *item[FLOOR_LINES_MAX];
    uint16_t node[FLOOR_LINES_MAX]; /* slot per line */
    struct geo_point point;
    const struct floor_near *near;
    bool is_refused, is_known;
    uint64_t lsn;
};

struct floor_tables {
    struct floor_item *items;
    uint32_t *item_slots; /* index + 1, 0 = empty */
    uint32_t item_mask, items_count, items_max;
    struct floor_node *nodes;
    uint32_t nodes_count;
    uint16_t *by_slot; /* node of a slot */
    float *x, *y, *z;  /* by slot */
    uint32_t words;    /* of an item; 0 until nodes are laid out */
    uint8_t *sealed; /* all rows, once they are moved there */
    size_t sealed_size;
    struct floor_near **grid;
    struct floor_word_cap *caps;
    struct floor_record *orders;
    uint64_t *order_slots; /* 32 bits of the hash, index + 1 below */
    uint32_t order_mask, orders_count, orders_max;
    uint64_t lsn;
};

/* -- floor_tables.c -- */

/* Errors: ERR_NOMEM. */
ERR_MUST_USE enum err floor_tables_init(struct floor_tables *tables, uint32_t items_max,
                                        uint32_t orders_max);
void floor_tables_close(struct floor_tables *tables);
uint64_t floor_hash(const char *text, uint32_t size);

/* Add, or find, by id. NULL, FLOOR_NODE_NONE: no room, or the id is too long. */
struct floor_item *floor_item_put(struct floor_tables *tables, const char *id, uint32_t size);
uint16_t floor_node_put(struct floor_tables *tables, const char *id, uint32_t size, double lat,
                        double lon, bool is_warehouse);

/* Order the nodes along a Hilbert curve, once, before the first stock. */
void floor_layout(struct floor_tables *tables);

/* Build all rows, in one piece of huge pages, once, before the first order. */
void floor_seal(struct floor_tables *tables);

/* Note what a cell holds. False: no memory, or sealed. */
bool floor_stock_set(struct floor_tables *tables, struct floor_item *item, uint16_t node,
                     uint32_t on_hand);

/* The cell of a slot; the word must have it. */
static inline struct floor_cell *floor_cell_at(const struct floor_item *item, uint32_t slot)
{
    const struct floor_word *word = &item->words[slot >> 6];
    uint64_t below = word->has & ((UINT64_C(1) << (slot & 63)) - 1);
    return &item->cells[word->rank + (uint32_t)__builtin_popcountll(below)];
}

/* -- floor_nearest.c -- */

/* The square's list, made at its first use. */
const struct floor_near *floor_grid_at(struct floor_tables *tables, double lat, double lon);

/* Nearest slot that may hold all count items; checks: also that the cells hold qty.
 * FLOOR_NODE_NONE if there is none. */
uint16_t floor_nearest(const struct floor_tables *tables, const struct floor_order *order,
                       uint32_t first, uint32_t count, bool checks);

/* -- floor_decode.c -- */

/* Read one frame. Positive: its size, order filled. 0: not all there. Negative: no order.route. */
int32_t floor_decode(const uint8_t *at, const uint8_t *end, struct floor_order *order);

/* -- floor_take.c: the stages over a batch; the last leaves every order decided and taken -- */
void floor_hash_stage(struct floor_tables *tables, struct floor_order *orders, uint32_t count);
void floor_find_stage(struct floor_tables *tables, struct floor_order *orders, uint32_t count);
void floor_guess_stage(struct floor_tables *tables, struct floor_order *orders, uint32_t count);

/* Take one order's stock and keep its id: the guess if it still holds, else searched anew. */
void floor_take(struct floor_tables *tables, struct floor_order *order);

/* The entry of an id: its record, or NULL; *slot_out is where it belongs. */
struct floor_record *floor_order_find(const struct floor_tables *tables,
                                      const struct floor_order *order, uint32_t *slot_out);

/* -- floor_reply.c: bytes written; room is FLOOR_REPLY_MAX, FLOOR_RECORD_MAX -- */
uint32_t floor_reply(const struct floor_tables *tables, const struct floor_order *order,
                     uint8_t *at);
uint32_t floor_record_write(const struct floor_order *order, uint8_t *at);

#endif
