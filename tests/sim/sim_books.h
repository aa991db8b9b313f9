/* The naive oracle: what the engine must hold after each reply, kept in plain arrays from what was
 * asked and answered alone. It never decides; it checks that an answer was possible and takes the
 * answer's facts.
 *
 * Every change is noted with the LSN that was begun when the reply was written, so that books can
 * be taken back to what the log held when the engine ended. One thread. */
#ifndef TESTS_SIM_BOOKS_H
#define TESTS_SIM_BOOKS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BOOKS_ITEMS = 12,
    BOOKS_NODES = 8,
    BOOKS_ORDERS_MAX = 8192,
    BOOKS_LINES_MAX = 6,
    BOOKS_SHARES_MAX = 40,
    BOOKS_KEYS_MAX = 16384,
    BOOKS_THINGS_MAX = 2048, /* of each kind */
    BOOKS_MOVES = 256, /* of a cell that are remembered */
    BOOKS_STEPS = 6,
    BOOKS_FACTS = 3
};

struct books_move {
    uint64_t at_ms;
    int64_t delta;
};

struct books_cell {
    bool is_there;
    bool has_safety; /* of its own */
    bool is_unlisted;
    int64_t safety;
    int64_t on_hand;
    int64_t reserved;
    uint64_t counted_at;
    uint32_t move_count; /* ever */
    struct books_move moves[BOOKS_MOVES];
};

struct books_node {
    bool is_there;
    int64_t safety;
};

/* Units of one line that come from one node. */
struct books_share {
    uint32_t part; /* from 0 */
    uint32_t line; /* from 0 */
    uint32_t item, node;
    int64_t qty, cancelled, no_show;
    int64_t reached[BOOKS_STEPS]; /* accepted picking picked packed out last */
};

struct books_order {
    bool is_there;
    bool is_partial;
    uint64_t content; /* of the request that made it */
    uint32_t line_count, part_count, share_count;
    uint64_t done_ms;                 /* when nothing was owed any more, 0 = something is */
    bool is_pickup[BOOKS_SHARES_MAX]; /* by part */
    struct books_share shares[BOOKS_SHARES_MAX];
};

/* A key that an acknowledged or unacknowledged change carried. */
struct books_key {
    bool is_there;
    bool is_loose; /* of a change whose goal was reached already: it may be known or not */
    uint64_t content;
    uint64_t at_ms;
    int64_t facts[BOOKS_FACTS];
};

/* What has an id of its own beside orders. */
enum books_kind {
    BOOKS_RESERVATION,
    BOOKS_RETURN,
    BOOKS_SUPPLY,
    BOOKS_TRANSFER,
    BOOKS_KINDS
};

struct books_thing {
    bool is_there;
    uint64_t content; /* of the request that made it */
    uint64_t at_ms;   /* when */
};

struct books_note {
    uint64_t lsn;
    void *at;
    uint32_t size;
    uint32_t kept; /* offset of the old bytes */
};

struct books {
    uint64_t lsn; /* of the reply being taken in */
    struct books_node nodes[BOOKS_NODES + 1];
    struct books_cell cells[BOOKS_NODES + 1][BOOKS_ITEMS];
    struct books_order orders[BOOKS_ORDERS_MAX];
    struct books_key keys[BOOKS_KEYS_MAX];
    struct books_thing things[BOOKS_KINDS][BOOKS_THINGS_MAX];
    /* -- what is needed to go back -- */
    struct books_note *notes;
    uint32_t note_count, note_room;
    uint8_t *kept;
    uint32_t kept_size, kept_room;
};

struct books *books_new(void);
void books_free(struct books *books);

/* Before each change of size bytes at a place in the books. */
void books_note(struct books *books, void *at, uint32_t size);

/* Take back every change above lsn. */
void books_back(struct books *books, uint64_t lsn);

/* No reply at or below lsn will be taken back any more. */
void books_settle(struct books *books, uint64_t lsn);

struct books_cell *books_cell(struct books *books, uint32_t item, uint32_t node);
int64_t books_ats(const struct books *books, uint32_t item, uint32_t node);

/* A movement, and a count that later movements are applied on top of. False: the cell has a later
 * count already. */
bool books_move(struct books *books, uint32_t item, uint32_t node, int64_t delta, uint64_t at_ms);
bool books_count(struct books *books, uint32_t item, uint32_t node, int64_t value, uint64_t at_ms);

/* Time of what came without one, as the contract has it: arrival, or just after the last count. */
uint64_t books_arrival(const struct books_cell *cell, uint64_t now_ms);

/* Likewise of a count: what moved in this very moment was before it. */
uint64_t books_count_arrival(const struct books_cell *cell, uint64_t now_ms);

/* -- orders -- */

int64_t books_active(const struct books_share *share);
int64_t books_held(const struct books_order *order, const struct books_share *share);

/* Enter the holds of a new order, whose shares are filled in. Aborts where it was oversold. */
void books_take(struct books *books, struct books_order *order);

/* Units that leave without being shipped. */
void books_release(struct books *books, struct books_order *order, struct books_share *share,
                   int64_t units, bool is_no_show);

/* The share has now reached step with total units; from no_show too where it is collected. */
void books_reach(struct books *books, struct books_order *order, struct books_share *share,
                 uint32_t step, int64_t total, uint64_t at_ms);

/* Note when nothing is owed any more. */
void books_order_settle(struct books *books, struct books_order *order, uint64_t now_ms);

/* Status and state as the contract defines them. */
const char *books_status(const struct books_order *order);
const char *books_state(const struct books_order *order, uint32_t part);

#endif
