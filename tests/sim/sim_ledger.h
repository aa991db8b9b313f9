/* What a stranger keeps who only reads events: every cell, order, reservation and document, built
 * from durable events alone and held against what the engine answers. It never goes back: an event
 * that was told is there for ever, with the same (lsn, n).
 *
 * The rules by which events add up are those of the contract's page (events.read). One thread. */
#ifndef TESTS_SIM_LEDGER_H
#define TESTS_SIM_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_books.h"
#include "sim_value.h"

enum {
    LEDGER_SHARES = 160,
    LEDGER_PARTS = 160,
    LEDGER_LINES = 24,
    LEDGER_PIECES = 24,
    LEDGER_IDS = 2048, /* of reservations, and of each kind of document */
    LEDGER_DOCUMENT_LINES = 64, /* a return may grow by a few with each receipt */
    LEDGER_LSNS = 1 << 17, /* whose events are remembered as a hash */
    LEDGER_DAYS = 16
};

enum ledger_document_kind { LEDGER_RETURN, LEDGER_SUPPLY, LEDGER_TRANSFER, LEDGER_KINDS };

struct ledger_cell {
    int64_t on_hand, reserved;
    uint64_t counted_at;
    int64_t safety;
    int64_t doubt_low, doubt_high; /* units by which on_hand may be lower, higher: told late */
    bool has_safety, is_unlisted;
};

struct ledger_share {
    uint32_t part, line, item;
    int64_t qty, gone, no_show; /* gone: cancelled, rejected, moved */
    int64_t reached[BOOKS_STEPS];
    uint32_t day; /* whose capacity it uses */
};

struct ledger_part {
    uint32_t node;
    bool is_pickup; /* the hold falls when it is collected, not when it goes out */
    int64_t deliver_by; /* 0 = not promised */
};

struct ledger_order {
    bool is_there;
    uint32_t line_count, part_count, share_count;
    uint32_t items[LEDGER_LINES];
    char names[LEDGER_LINES]; /* components of a kit share that of its line */
    int64_t owed[LEDGER_LINES];
    uint32_t left[LEDGER_LINES]; /* part + 1 that its owed units left, 0 = none */
    struct ledger_part parts[LEDGER_PARTS];
    struct ledger_share shares[LEDGER_SHARES];
};

/* -- promises that one change breaks (sim_promises.c) -- */

struct ledger_lost {
    uint32_t part, line;
};

struct ledger_broken {
    bool is_there, is_owed;
    int64_t was, by; /* by 0 = none */
};

struct ledger_change { /* what the events of one LSN tell of an order */
    uint64_t lsn;
    struct ledger_order *order; /* NULL: nothing yet */
    bool is_routing;
    uint32_t lost_count;
    struct ledger_lost lost[LEDGER_SHARES];
    int64_t owed_before[LEDGER_LINES];
    int64_t comes[LEDGER_LINES]; /* when the last of the line's new units does */
    bool has_new[LEDGER_LINES], is_lost[LEDGER_LINES], is_owed[LEDGER_LINES];
    struct ledger_broken told[LEDGER_PARTS], found[LEDGER_PARTS];
};

struct ledger_piece {
    uint32_t item, node;
    int64_t held;
    uint64_t order; /* of coming: the newest is broken first */
};

struct ledger_reservation {
    const char *state; /* NULL: never heard of */
    int64_t expires_at;
    uint32_t piece_count;
    struct ledger_piece pieces[LEDGER_PIECES];
};

struct ledger_document {
    bool is_there;
    int64_t at_ms; /* of its last event */
    bool is_done;
    uint32_t line_count;
    int64_t counts[LEDGER_DOCUMENT_LINES][3];
    int64_t held[LEDGER_DOCUMENT_LINES];
};

struct ledger {
    uint64_t next_lsn; /* to be read */
    uint64_t events;
    uint64_t last_lsn; /* of the last event */
    int64_t last_n, last_at;
    uint64_t piece_order;
    uint64_t broken_promises;
    struct ledger_change change;
    bool is_lost; /* what it had not read yet is gone: nothing can be said any more */
    char log_id[64];
    uint64_t begin_day;
    int64_t node_safety[BOOKS_NODES + 1];
    int64_t used[BOOKS_NODES + 1][LEDGER_DAYS]; /* units, by day after begin_day */
    struct ledger_cell cells[BOOKS_NODES + 1][BOOKS_ITEMS];
    struct ledger_order orders[BOOKS_ORDERS_MAX];
    struct ledger_reservation reservations[LEDGER_IDS];
    struct ledger_document documents[LEDGER_KINDS][LEDGER_IDS];
    uint64_t hashes[LEDGER_LSNS]; /* of the lasting events of an LSN */
};

struct ledger *ledger_new(uint64_t begin_ms, uint64_t window_ms);
void ledger_free(struct ledger *ledger);

/* Take in one event, the next in order. Aborts where it is not, or cannot be. */
void ledger_take(struct ledger *ledger, const struct sim_value *event);

/* What the event, all of it, adds to the hash of its LSN. */
uint64_t ledger_hash(const struct sim_value *event);

/* -- promises: what the events of a change say of its order; settle holds them together -- */

void promises_begin(struct ledger *ledger, uint64_t lsn);
void promises_routed(struct ledger *ledger, struct ledger_order *order);
void promises_comes(struct ledger *ledger, struct ledger_order *order, uint32_t line, int64_t by);
void promises_left(struct ledger *ledger, struct ledger_order *order, uint32_t part, uint32_t line);
void promises_owed(struct ledger *ledger, struct ledger_order *order, uint32_t line);
void promises_told(struct ledger *ledger, struct ledger_order *order, uint32_t part,
                   struct ledger_broken broken);
void promises_settle(struct ledger *ledger);

/* -- questions -- */

int64_t ledger_share_held(const struct ledger_order *order, const struct ledger_share *share);

/* An answer of stock.list or stock.get, order.get, reserve.get, capacity.get against it. */
void ledger_check_cell(struct ledger *ledger, const struct sim_value *cell, uint32_t item,
                       uint32_t node);
void ledger_check_order(const struct ledger *ledger, const struct sim_value *answer,
                        uint32_t order);
void ledger_check_reservation(const struct ledger *ledger, const struct sim_value *answer,
                              uint32_t reservation);
void ledger_check_capacity(const struct ledger *ledger, const struct sim_value *answer,
                           uint32_t node, uint64_t now_ms);

/* The sums that must close by themselves: what all holders hold is what is reserved. */
void ledger_check(const struct ledger *ledger);

#endif
