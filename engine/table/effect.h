/* The records of the log: what was decided and taken, never how. Each effect is a plain struct
 * that the service fills in; effect_*_encode writes it as a record's bytes, effect_*_decode
 * reads them back into the same struct (pointing into the bytes and into a scratch), and
 * tables_apply_* (tables.h) is the one function that changes the tables, live and in replay.
 *
 * Bytes: integers are LEB128 (signed ones zigzag), floats 8 bytes little endian, texts a length
 * and bytes; layouts are listed in the README, format version 1.
 */
#ifndef TABLE_EFFECT_H
#define TABLE_EFFECT_H

#include <stdbool.h>
#include <stdint.h>

#include "document.h"
#include "hash.h"
#include "keyring.h"
#include "kit.h"
#include "names.h"
#include "network.h"
#include "order.h"
#include "quota.h"

enum effect_type {
    EFFECT_FLAG = 1, /* a flag word gets the next number */
    EFFECT_NODE,
    EFFECT_ITEM,
    EFFECT_PLACES,
    EFFECT_STOCK,
    EFFECT_POLICY,
    EFFECT_ORDER,
    EFFECT_CANCEL,
    EFFECT_FULFIL,
    EFFECT_DROP,   /* retention and window: oldest done orders and keys leave */
    EFFECT_REFUSED, /* an order that was refused: changes nothing, kept for trials */
    EFFECT_TIME = 12, /* engine time of the records behind it, inside their group */
    EFFECT_RESERVE,      /* a reservation made or changed (effect_reserve.h) */
    EFFECT_RESERVE_END,  /* committed, released or expired */
    EFFECT_RESERVE_TAKE, /* units that reservations give up */
    EFFECT_RESERVE_DROP, /* those that ended longest ago leave */
    EFFECT_REPLAN = 20, /* units of an order go elsewhere, come newly, or are owed */
    EFFECT_REPLAN_KITS, /* the same with new lines that are components of kits */
    EFFECT_DOCUMENT = 40, /* a return, supply or transfer as it is from now on */
    EFFECT_HOURS = 60, /* hours and terms of a node; effect_timing.h has these four */
    EFFECT_CAPACITY,   /* meters of a node */
    EFFECT_LANES,      /* rows of a carrier */
    EFFECT_ROADS,      /* rows of node and area */
    EFFECT_STRATEGY = 70, /* the next version of a strategy (effect_strategy.h) */
    EFFECT_CHOICE,        /* which one decides what */
    EFFECT_SHORT = 80 /* cells with less than orders were promised, for readers of events */
};

struct effect_text {
    const char *at;
    uint32_t len;
};

/* The key of a change and the facts of its answer; absent: is_set false. */
struct effect_key {
    bool is_set;
    struct hash128 key;
    uint64_t content;
    int64_t facts[KEY_FACTS_MAX];
};

struct effect_node { /* node.put and node.status: the whole config as it is from now on */
    struct effect_text id;
    struct node_config config;
    struct effect_key key;
    bool counts_closing; /* how long it is closed counts (closing.h): of records from before, not */
};

struct effect_item {
    struct effect_text id;
    uint32_t weight_g;
    uint64_t flags;
    uint32_t not_to_count;
    const struct area *not_to;
    struct effect_key key;
    uint32_t part_count; /* components, 0 = it is no kit */
    struct kit_part parts[KIT_PARTS_MAX];
};

struct effect_place {
    char postcode[17]; /* normalised */
    double lat, lon;
};

struct effect_places {
    char country[3];
    uint32_t count;
    const struct effect_place *rows;
};

struct effect_stock_row {
    uint32_t item;
    int32_t value; /* resulting on_hand of a count, or the delta of a movement */
};

/* The items first to last, those two included. */
struct effect_span {
    uint32_t first, last;
};

/* What was counted and found as it stands is told by spans: every cell that the node has among
 * their items is counted at at_ms, and keeps its on_hand. Rows come after them, so that a row may
 * lie within a span, and a cell that a row makes is in none. */
struct effect_stock {
    bool is_count;  /* else movements */
    uint16_t node;
    uint64_t at_ms; /* counted_at, or at */
    uint32_t count; /* may be 0: then only the key is remembered */
    const struct effect_stock_row *rows; /* items in rising order */
    struct effect_key key;
    uint32_t span_count; /* of counts only */
    const struct effect_span *spans; /* rising, none overlaps */
};

struct effect_quota {
    struct effect_text channel;
    uint32_t qty;
};

struct effect_policy {
    uint32_t item;
    uint16_t node;
    bool has_safety;
    bool is_unlisted;
    int32_t safety_stock;
    struct effect_key key;
    bool has_quotas; /* the quotas are these from now on; else they stay as they are */
    uint32_t quota_count;
    struct effect_quota quotas[QUOTAS_EACH_MAX]; /* no channel twice */
};

struct effect_line {
    uint32_t item;
    uint32_t qty;
    uint32_t unfilled;
    struct effect_text line; /* len 0 = its position */
    uint8_t service;
    uint16_t node; /* pinned or pickup_node; NODE_NONE */
    struct order_kit kit; /* of a component; then line is named */
};

struct effect_part {
    uint16_t node;
    uint8_t way;
    uint8_t service;
    uint32_t metres;
    uint32_t cost_cents;
    struct order_dates dates; /* all 0 = none */
};

struct effect_share { /* ordered by part */
    uint32_t part;
    uint32_t line;
    uint32_t qty;
};

struct effect_order {
    struct effect_text id;
    uint64_t id_hash; /* not in the bytes: from the id */
    uint64_t content;
    uint8_t status; /* enum order_status */
    uint8_t reason; /* EFFECT_REFUSED: enum reason */
    uint8_t service;
    bool is_optimal;
    bool has_dest;
    bool is_po_box;
    bool allow_partial;
    bool is_backorder; /* the customer waits for what has no source */
    double lat, lon;
    char country[3];
    struct effect_text postcode; /* normalised */
    struct effect_text ref;
    struct effect_text channel; /* len 0 = none */
    uint32_t max_splits; /* UINT32_MAX = none asked */
    uint32_t max_m;      /* metres, UINT32_MAX = none asked */
    uint16_t sold_at;    /* node + 1 of an in-store sale; 0 = none */
    uint64_t required_by_ms, deliver_after_ms; /* 0 = not asked */
    uint16_t strategy; /* handle of the version that decided, STRATEGY_NEAREST */
    uint32_t include_count, exclude_count; /* nodes asked for, nodes asked not to be */
    const uint16_t *include;
    const uint16_t *exclude;
    uint32_t splits;
    uint64_t total_m;
    uint32_t line_count, part_count, share_count;
    const struct effect_line *lines;
    const struct effect_part *parts;
    const struct effect_share *shares;
    const uint32_t *owed; /* is_backorder: units without a source, by line */
};

struct effect_quantity {
    uint32_t share;
    uint32_t qty; /* cancel: units more; fulfil: total that has now reached the state */
};

/* row, of changes of orders: the order before the change, for what told.h says, which the encoder
 * puts at the record's end; NULL = it is left out. told: that end as decoded, len 0 = none. */
struct effect_cancel {
    struct effect_text id;
    uint32_t order; /* its reference, where the caller has found it; 0 = by id. Not in the record */
    struct order *row;
    uint32_t count;
    const struct effect_quantity *shares;
    struct effect_key key;
    uint32_t owed_count;
    const struct effect_quantity *owed; /* by line: owed units that nobody waits for any more */
    struct effect_text told;
};

struct effect_fulfil {
    struct effect_text id;
    uint32_t order; /* as of a cancellation */
    struct order *row;
    uint32_t part;
    uint8_t state; /* enum state: a step of the part's way, or no_show */
    uint64_t at_ms;
    uint64_t collect_by; /* 0 = unchanged */
    bool is_awaited;     /* sent to a store: the order is open until it is fetched from now on */
    struct effect_text tracking; /* len 0 = unchanged */
    uint32_t count;
    const struct effect_quantity *shares;
    struct effect_key key;
    struct effect_text told;
};

/* A line of the order as it is from now on: one that is there, or the next new ones. */
struct effect_replan_line {
    uint32_t index;
    struct effect_line line;
};

struct effect_owed { /* what is owed of a line from now on, 0 = nothing any more */
    uint32_t line;
    uint32_t qty;
    uint8_t status; /* ORDER_HELD or ORDER_BACKORDERED */
    uint8_t reason; /* enum reason */
};

/* A promise of a fulfilment that a change does not keep: for readers of events alone (told.h). */
struct effect_late {
    uint32_t part;   /* that units leave, or left when they came to be owed */
    uint32_t by_min; /* when the last of what takes their place comes, 0 = nothing does */
    bool has_owed;   /* some of it has no source */
};

/* A change of an order after its routing: in this order units leave their shares, cells of the
 * rejecting node are corrected, lines change, new fulfilments take stock, and what is owed is
 * noted. */
struct effect_replan {
    struct effect_text id;
    struct order *row;
    uint8_t cause;   /* enum cause */
    uint8_t decline; /* CAUSE_REJECT: enum decline */
    bool is_by_engine; /* nobody asked: the node kept silent */
    bool has_part;   /* part said no */
    bool is_put_off; /* no: it has its node's time to accept once more, and nothing else changes */
    bool has_place;  /* destination as below from now on */
    uint32_t part;
    uint64_t at_ms;
    uint32_t move_count, cancel_count; /* units more of shares */
    const struct effect_quantity *moves;   /* to be had from elsewhere, or owed */
    const struct effect_quantity *cancels; /* not wanted any more */
    uint32_t count_count, missing_count;
    const struct effect_stock_row *counts;  /* resulting on_hand of cells of part's node */
    const struct effect_stock_row *missing; /* units that are not there: movements, below 0 */
    uint32_t line_count;
    const struct effect_replan_line *lines;
    uint8_t service; /* of the order from now on */
    bool has_dest;   /* has_place: coordinates were given */
    bool is_po_box;
    double lat, lon;
    char country[3];
    struct effect_text postcode;
    uint32_t part_count, share_count; /* new ones; a share's part counts from the first new one */
    const struct effect_part *parts;
    const struct effect_share *shares;
    uint32_t owed_count;
    const struct effect_owed *owed;
    uint16_t strategy;  /* has_strategy: that of the order from now on */
    bool has_strategy;
    uint64_t block_until_ms; /* has_part: it gets no new orders until then; 0 = unchanged */
    struct effect_key key;
    uint32_t late_count; /* row: told at the end of the record, and read there */
    const struct effect_late *lates;
    struct effect_text told;
};

struct effect_holder { /* a fulfilment, <order>/<part + 1> */
    struct effect_text order;
    uint32_t part;
};

struct effect_short_cell {
    uint32_t item;
    uint16_t node;
    uint32_t units;
    uint32_t holder_count;
};

struct effect_short {
    uint32_t count;
    const struct effect_short_cell *cells;
    const struct effect_holder *holders; /* of all cells, one after the other */
};

struct effect_drop {
    uint64_t orders;
    uint64_t keys;
    uint64_t documents;
};

struct effect_document_line {
    uint32_t item;
    uint32_t qty; /* announced */
    uint32_t counts[DOCUMENT_COUNTS]; /* totals, never below those before */
    uint16_t order_line;
    struct effect_text reason;
};

/* A document as a whole. What its totals grew by is what is booked: units received come to
 * at_node, units shipped leave its node. Lines are never dropped or reordered. */
struct effect_document {
    uint8_t kind; /* enum document_kind */
    bool is_cancelled;
    bool is_unverified;
    uint16_t node, to; /* as in struct document */
    uint16_t at_node;  /* where this change happened; NODE_NONE where nothing was booked */
    uint64_t content;
    uint64_t order_lsn;
    uint64_t eta_ms;
    uint64_t at_ms; /* of the movement of stock */
    struct effect_text id, order_id, note;
    uint32_t line_count;
    const struct effect_document_line *lines;
    struct effect_key key;
};

/* Arrays that a decoded effect points into: made once, sized for the largest record. */
struct effect_scratch;
ERR_MUST_USE enum err effect_scratch_new(struct effect_scratch **out);
uint64_t effect_scratch_memory(void); /* bytes */
void effect_scratch_free(struct effect_scratch *scratch);

/* Encoders write at most effect_*_size bytes and return how many they wrote. */
uint32_t effect_flag_encode(uint8_t *out, const char *name, uint32_t len);
uint32_t effect_node_size(const struct effect_node *effect);
uint32_t effect_node_encode(uint8_t *out, const struct effect_node *effect);
uint32_t effect_item_size(const struct effect_item *effect);
uint32_t effect_item_encode(uint8_t *out, const struct effect_item *effect);
uint32_t effect_places_size(const struct effect_places *effect);
uint32_t effect_places_encode(uint8_t *out, const struct effect_places *effect);
uint32_t effect_stock_size(const struct effect_stock *effect);
uint32_t effect_stock_encode(uint8_t *out, const struct effect_stock *effect);
uint32_t effect_policy_size(const struct effect_policy *effect);
uint32_t effect_policy_encode(uint8_t *out, const struct effect_policy *effect);
uint32_t effect_order_size(const struct effect_order *effect);
uint32_t effect_order_encode(uint8_t *out, const struct effect_order *effect);
uint32_t effect_cancel_size(const struct effect_cancel *effect);
uint32_t effect_cancel_encode(uint8_t *out, const struct effect_cancel *effect);
uint32_t effect_fulfil_size(const struct effect_fulfil *effect);
uint32_t effect_fulfil_encode(uint8_t *out, const struct effect_fulfil *effect);
uint32_t effect_replan_size(const struct effect_replan *effect);
uint8_t effect_replan_type(const struct effect_replan *effect); /* of its record */
uint32_t effect_replan_encode(uint8_t *out, const struct effect_replan *effect);
uint32_t effect_drop_encode(uint8_t *out, const struct effect_drop *effect);
uint32_t effect_time_encode(uint8_t *out, uint64_t time_ms);
uint32_t effect_document_size(const struct effect_document *effect);
uint32_t effect_document_encode(uint8_t *out, const struct effect_document *effect);

enum { EFFECT_SMALL_MAX = 192 }; /* bytes of records without lists */

/* Decoders: ERR_DAMAGED when the bytes are not exactly one such effect. The result borrows
 * bytes and scratch until the next decode. */
ERR_MUST_USE enum err effect_flag_decode(const uint8_t *bytes, uint32_t size,
                                         struct effect_text *out);
ERR_MUST_USE enum err effect_node_decode(const uint8_t *bytes, uint32_t size,
                                         struct effect_scratch *scratch, struct effect_node *out);
ERR_MUST_USE enum err effect_item_decode(const uint8_t *bytes, uint32_t size,
                                         struct effect_scratch *scratch, struct effect_item *out);
ERR_MUST_USE enum err effect_places_decode(const uint8_t *bytes, uint32_t size,
                                           struct effect_scratch *scratch,
                                           struct effect_places *out);
ERR_MUST_USE enum err effect_stock_decode(const uint8_t *bytes, uint32_t size,
                                          struct effect_scratch *scratch,
                                          struct effect_stock *out);
ERR_MUST_USE enum err effect_policy_decode(const uint8_t *bytes, uint32_t size,
                                           struct effect_policy *out);
/* What a record of an order, a cancellation or a fulfilment is about, by its first fields: a hint,
 * nothing is judged. count: of items at node, of a new order from one node; else 0. False: not even
 * the id can be read. */
enum { EFFECT_PEEK_MAX = 4 };

struct effect_order_peek {
    struct effect_text id;
    uint16_t node;
    uint32_t count;
    uint32_t items[EFFECT_PEEK_MAX]; /* the first ones */
};

bool effect_order_peek(const uint8_t *bytes, uint32_t size, bool is_order,
                       struct effect_order_peek *out);

ERR_MUST_USE enum err effect_order_decode(const uint8_t *bytes, uint32_t size,
                                          struct effect_scratch *scratch,
                                          struct effect_order *out);
ERR_MUST_USE enum err effect_cancel_decode(const uint8_t *bytes, uint32_t size,
                                           struct effect_scratch *scratch,
                                           struct effect_cancel *out);
ERR_MUST_USE enum err effect_fulfil_decode(const uint8_t *bytes, uint32_t size,
                                           struct effect_scratch *scratch,
                                           struct effect_fulfil *out);
ERR_MUST_USE enum err effect_replan_decode(uint8_t type, const uint8_t *bytes, uint32_t size,
                                           struct effect_scratch *scratch,
                                           struct effect_replan *out);
ERR_MUST_USE enum err effect_drop_decode(const uint8_t *bytes, uint32_t size,
                                         struct effect_drop *out);
ERR_MUST_USE enum err effect_time_decode(const uint8_t *bytes, uint32_t size, uint64_t *out);
ERR_MUST_USE enum err effect_document_decode(const uint8_t *bytes, uint32_t size,
                                             struct effect_scratch *scratch,
                                             struct effect_document *out);

enum {
    EFFECT_LINES_MAX = 1000,
    EFFECT_SHARES_MAX = 4000,
    EFFECT_PARTS_MAX = 1000,
    EFFECT_PLACES_MAX = 1000, /* rows of one record: a slice */
    EFFECT_STOCK_MAX = 1000,
    EFFECT_NODES_MAX = 1000 /* include, exclude */
};

#endif
