/* All logged state and the one place that changes it.
 *
 * tables_apply_* changes the tables by one effect, live and in replay alike: same effects in the
 * same order with the same times give the same tables, digest included (invariant 8). Nothing
 * else writes to them. The service asks tables_room_* before it logs an effect (invariant 9).
 *
 * Engine loop only. now_ms is engine time, lsn the record's place in the log.
 */
#ifndef TABLE_TABLES_H
#define TABLE_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "catalogue.h"
#include "closing.h"
#include "document.h"
#include "effect.h"
#include "epoch.h"
#include "err.h"
#include "gazetteer.h"
#include "hash.h"
#include "hold.h"
#include "incoming.h"
#include "itemset.h"
#include "keyring.h"
#include "kit.h"
#include "movement.h"
#include "network.h"
#include "order.h"
#include "owed.h"
#include "policy.h"
#include "reserve.h"
#include "stock.h"
#include "strategy.h"
#include "wheel.h"
#include "effect_timing.h"
#include "timing.h"

struct tables_options {
    uint32_t items_max;
    uint32_t orders_max;
    uint64_t orders_memory; /* bytes */
    uint32_t holds_max;
    uint32_t reservations_max;
    uint32_t keys_max;
    uint32_t movements_max;
    uint32_t owed_max; /* lines that are owed */
    uint32_t documents_max; /* returns, supplies and transfers */
    uint64_t stock_memory;  /* bytes of rows of stock and lists of items (grown.h), 0 = no limit */
    uint64_t rules_memory;  /* bytes of rules, likewise */
    uint64_t orders_ready;  /* bytes of orders touched before the first request (tables_warm.h) */
};

enum { TABLES_WAITING_MAX = 65536 }; /* parts at stores that the engine waits for at a time */

struct tables {
    struct network network;
    struct catalogue catalogue;
    struct policies policies;
    struct kits kits;
    struct gazetteer gazetteer;
    struct orders orders;
    struct holds holds;
    struct owed owed;
    struct reserves reserves;
    struct keyring keyring;
    struct movements movements;
    struct documents documents;
    struct incoming incoming; /* derived from the documents */
    struct itemset *node_items;  /* by node handle */
    struct node_queue *queues;   /* by node handle */
    uint32_t *declines;          /* by node handle: share of fulfilments that it declined, in
                                    millionths; README, "Answers of nodes" */
    uint32_t waiting;            /* parts at the store that they were sent to, with a timer */
    bool has_arrived;            /* of the load: parts lie at, or are on the way to, a store */
    uint32_t *node_timers;       /* by node handle: ends of statuses */
    struct closing *closings;    /* by node handle: how long each was closed */
    struct resting *restings;    /* by node handle: deadlines that stand still */
    struct wheel wheel;          /* what falls due by time alone */
    struct timing timing; /* hours, capacity, carriers, roads */
    struct strategies strategies;
    struct hash_key key;
    struct digest digest;
    struct effect_scratch *scratch; /* of replay */
    struct stock_view view;         /* what a decision reads */

    uint64_t batch;      /* number of the running batch; items note it when stock of theirs grows */
    uint64_t eased;      /* batch in which the load or the declines of some node last fell */
    uint64_t generation; /* grows with every change that can make any guess void */
    uint64_t lsn;        /* of the last effect applied */
    uint64_t time_ms;    /* engine time of the last effect applied */

    struct epoch *epoch;  /* of threads that read rows; NULL = there are none. Owned */

    uint64_t cells;       /* stocked cells */
    uint64_t cells_short; /* of them: reserved above on_hand */
    uint64_t row_bytes;
};

ERR_MUST_USE enum err tables_init(struct tables *tables, const struct tables_options *options,
                                  const uint8_t secret[16]);
void tables_close(struct tables *tables);

/* From now on so many other threads read rows of stock; tables->epoch is theirs to enter. */
ERR_MUST_USE enum err tables_share(struct tables *tables, uint32_t readers);

/* Bytes that the tables take at most, for the sum that is printed at start. Without a limit of
 * stock or rules (grown.h) these come on top. */
uint64_t tables_memory(const struct tables_options *options);

/* One record of the log; now_ms is its group's time. Errors: ERR_DAMAGED (not an effect, or names
 * what is not there), ERR_FULL (limits lower than when it was written), ERR_NOMEM. */
ERR_MUST_USE enum err tables_replay(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                    uint8_t type, const uint8_t *bytes, uint32_t size);

/* -- effects -- */

ERR_MUST_USE enum err tables_apply_flag(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                        const struct effect_text *name);
ERR_MUST_USE enum err tables_apply_node(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                        const struct effect_node *effect);
ERR_MUST_USE enum err tables_apply_item(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                        const struct effect_item *effect);
ERR_MUST_USE enum err tables_apply_places(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                          const struct effect_places *effect);
ERR_MUST_USE enum err tables_apply_stock(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                         const struct effect_stock *effect);
ERR_MUST_USE enum err tables_apply_policy(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                          const struct effect_policy *effect);
ERR_MUST_USE enum err tables_apply_order(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                         const struct effect_order *effect);
ERR_MUST_USE enum err tables_apply_cancel(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                          const struct effect_cancel *effect);
ERR_MUST_USE enum err tables_apply_fulfil(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                          const struct effect_fulfil *effect);
ERR_MUST_USE enum err tables_apply_replan(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                          const struct effect_replan *effect);
ERR_MUST_USE enum err tables_apply_drop(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                        const struct effect_drop *effect);
ERR_MUST_USE enum err tables_apply_document(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                            const struct effect_document *effect);

/* Bytes of the block that a document of the effect takes. */
size_t tables_document_size(const struct effect_document *effect);

/* Whether there is room for it: for its block, and for the holds that it makes. What only gives
 * units back or books them makes none. */
bool tables_document_fits(const struct tables *tables, const struct effect_document *effect);

/* The first time at which what is expected of the item up to then comes to qty units; 0 = never, or
 * not by the next 200 supplies and transfers. At node, or anywhere (NODE_NONE). */
uint64_t tables_expected(const struct tables *tables, uint32_t item, uint16_t node, uint64_t qty);

ERR_MUST_USE enum err tables_apply_hours(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                         const struct effect_hours *effect);
ERR_MUST_USE enum err tables_apply_capacity(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                            const struct effect_capacity *effect);
ERR_MUST_USE enum err tables_apply_lanes(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                         const struct effect_lanes *effect);
ERR_MUST_USE enum err tables_apply_roads(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                         const struct effect_roads *effect);

struct effect_strategy;
struct effect_choice;
ERR_MUST_USE enum err tables_apply_strategy(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                            const struct effect_strategy *effect);
ERR_MUST_USE enum err tables_apply_choice(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                          const struct effect_choice *effect);

/* Bring what follows from the time alone up to now_ms: no record, as it is worked out again after
 * a start. Before anything is decided at now_ms. */
void tables_turn(struct tables *tables, uint64_t now_ms);

/* From now on zones are found there. All times are worked out anew with the next turn. */
void tables_zones(struct tables *tables, const struct zone_source *source);

/* Engine time is time_ms from now on, also for records that follow in the same group. */
ERR_MUST_USE enum err tables_apply_time(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                        uint64_t time_ms);

/* -- reservations (apply_reserve.c) -- */

struct effect_reserve;
struct effect_reserve_end;
struct effect_reserve_take;
ERR_MUST_USE enum err tables_apply_reserve(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                           const struct effect_reserve *effect);
ERR_MUST_USE enum err tables_apply_reserve_end(struct tables *tables, uint64_t lsn,
                                               uint64_t now_ms,
                                               const struct effect_reserve_end *effect);
ERR_MUST_USE enum err tables_apply_reserve_take(struct tables *tables, uint64_t lsn,
                                                uint64_t now_ms,
                                                const struct effect_reserve_take *effect);
ERR_MUST_USE enum err tables_apply_reserve_drop(struct tables *tables, uint64_t lsn,
                                                uint64_t now_ms, uint64_t count);

/* Count what a reservation holds as free in its cells, and take that back again, within one
 * decision: nothing else may look at the tables in between. */
void tables_reserve_lend(struct tables *tables, slab_ref ref, bool is_lent);

/* Whether pieces of reservations on the cell are to be broken: its ats is below 0. */
bool tables_is_short(const struct tables *tables, uint32_t item, uint16_t node);
/* Units that orders and documents were promised and the cell has not, when all that carts hold
 * there has given way; 0 = it has. */
int64_t tables_orders_short(const struct tables *tables, uint32_t item, uint16_t node);
/* EFFECT_SHORT: changes nothing. */
void tables_apply_short(struct tables *tables, uint64_t lsn, uint64_t now_ms);

/* Look for such cells among at most so many more pieces. True: there is more to look at. */
bool tables_reserve_sweep(struct tables *tables, uint32_t pieces);

/* Bytes of the block that an order of the effect takes. */
size_t tables_order_size(const struct effect_order *effect);

/* Whether what a replan says to be owed has room: lines that are owed already need none. */
bool tables_replan_owed_fits(const struct tables *tables, const struct order *order,
                             const struct effect_replan *effect);

/* Bytes of text that a replan adds to the order's body. */
uint32_t tables_replan_text(const struct effect_replan *effect);

/* Share of fulfilments that the node took on, 0 to 1: README, "Answers of nodes". */
double tables_acceptance(const struct tables *tables, uint16_t node);

/* -- cells -- */

/* Units of a hold, and when whoever holds them came. */
uint32_t tables_hold_units(const struct tables *tables, const struct hold *hold,
                           uint64_t *made_ms_out);

struct cell {
    struct row *row;
    uint32_t slot;
    int32_t index; /* -1: no such cell */
};

/* Count units of the cell that are reserved as free, until they are taken back by the negative:
 * what a decision finds that may use what the order itself holds there. Nothing logged, no digest;
 * only within one call. The row has an open change meanwhile: no other thread sees it. */
void tables_lend(struct tables *tables, uint32_t item, uint16_t node, int32_t units);

/* The same with units that left the building: as if they were there still. */
void tables_lend_gone(struct tables *tables, uint32_t item, uint16_t node, int32_t units);

struct cell tables_cell(const struct tables *tables, uint32_t item, uint16_t node);
cell_word tables_word(const struct cell *cell); /* 0 where there is no cell */
uint64_t tables_counted_at(const struct cell *cell); /* ms, 0 = never, also without a cell */

/* Lay the slots out afresh and move every row, when the present layout is worse than a fresh
 * one. At start, after recovery; takes about 50 ns a cell. Errors: ERR_NOMEM (nothing moved). */
ERR_MUST_USE enum err tables_layout(struct tables *tables);

/* Walk all tables and check what must hold between them: sum of holds = reserved, lists whole.
 * Aborts when broken. Slow; for tests. */
void tables_check(struct tables *tables);

#endif
