/* The orders in memory: one block each, found by id, listed in the order of their coming.
 *
 *   [struct order][id][body: part x part_count][share x share_count][line x line_count][texts]
 *
 * A part is a fulfilment: what one node handles. A share is the units of one line in one part;
 * it counts how many of them reached each step of the fulfilment's life. Texts of the body: the
 * postcode, the ref, the channel, line ids that are not their position, the rules (order_rules).
 *
 * An order that gets parts, shares or lines after its routing moves its body into a block of its
 * own (order_grow): the head stays where it is, so that whatever names the order by reference,
 * and parts and shares by index, stays right. Parts and shares are only ever appended.
 *
 * Engine loop only. The history, and texts that come later, hang in blocks of their own. */
#ifndef TABLE_ORDER_H
#define TABLE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "dates.h"
#include "err.h"
#include "hash.h"
#include "names.h"
#include "network.h"
#include "slab.h"

/* Steps of a fulfilment's life that are counted; a step stands for all before it. */
enum {
    STEP_ACCEPTED,
    STEP_PICKING,
    STEP_PICKED,
    STEP_PACKED,
    STEP_OUT,  /* shipped, or ready for pick-up */
    STEP_LAST, /* delivered, or collected */
    STEP_COUNT
};

struct order_share {
    uint16_t part;
    uint16_t line;
    uint32_t qty;
    uint32_t hold; /* HOLD_NONE when nothing is held any more */
    uint32_t reached[STEP_COUNT]; /* units that got there; never rises along the steps */
    uint32_t cancelled, no_show;  /* units at another end */
    uint32_t moved;               /* units given back here to be had from elsewhere, or owed */
};

struct order_part {
    uint16_t node;
    uint8_t way;     /* enum way */
    uint8_t service; /* enum service */
    uint32_t metres;
    uint32_t cost_cents;
    uint32_t prev_order, next_order; /* the node's open fulfilments, oldest first; 0 = end */
    uint16_t prev_part, next_part;
    uint16_t share_first, share_count; /* its shares are contiguous */
    slab_ref tracking;                 /* block of a length byte and text, 0 = none */
    uint32_t timer;                    /* of its next deadline, WHEEL_NONE = it has none */
    uint16_t to; /* the store that it is sent to, else NODE_NONE */
    bool is_listed : 1;   /* in its node's list */
    bool is_rejected : 1; /* its node said no to some of it: never chosen again for this order */
    bool is_arrived : 1;  /* of what is sent to a store: it is there */
    bool is_awaited : 1;  /* the same: its order is open until it is fetched */
    bool is_waiting : 1;  /* the same, with a timer */
    uint32_t accept_by_s; /* seconds since the epoch by which its node takes it on, 0 = any time */
    uint32_t closed_s; /* closed seconds of whose deadline it is, when that was set (closing.h) */
    uint64_t collect_by; /* ms, 0 = none */
    struct order_dates dates;
};

/* What a line that is a component of a kit is part of: stands behind the line's name. Components
 * of one kit line are lines of the order in a row, all with its name. */
struct order_kit {
    uint32_t item; /* the kit + 1, 0 = the line is no component */
    uint32_t per;  /* units in one kit */
    uint32_t first; /* line of its first component */
};

enum { ORDER_LINE_KIT = 0x80 }; /* of text_len */

struct order_line {
    uint32_t item;
    uint32_t qty;
    uint32_t unfilled;
    uint32_t text;     /* offset of its id in the body */
    uint8_t text_len;  /* 0 = its position from 1, as text; ORDER_LINE_KIT: a kit's component */
    uint8_t service;   /* enum service */
    uint16_t node;     /* pinned, or pickup_node; NODE_NONE */
};

/* What later decisions about the order keep to, as it was asked; only where something was. */
struct order_rules {
    uint32_t max_splits, max_m; /* UINT32_MAX = none asked */
    uint32_t required_by[2];    /* order_time: a word's alignment is all that there is */
    uint32_t deliver_after[2];
    uint16_t include_count, exclude_count;
    uint16_t nodes[]; /* include, then exclude */
};

/* A time of the rules in ms, low word first; 0 = not asked. */
static inline uint64_t order_time(const uint32_t words[2])
{
    return words[0] | (uint64_t)words[1] << 32;
}

enum order_event {
    ORDER_EVENT_ROUTED,
    ORDER_EVENT_STATE,
    ORDER_EVENT_CANCELLED, /* an entry for each share; part ORDER_NO_PART: owed units of line */
    ORDER_EVENT_REJECTED,  /* an entry for each share; state: enum decline */
    ORDER_EVENT_MOVED,     /* units taken back from a part; an entry for each share */
    ORDER_EVENT_CREATED,   /* a part came later; state: enum cause */
    ORDER_EVENT_OWED,      /* qty of line have no source from now on; state: enum reason */
    ORDER_EVENT_CHANGED    /* line, destination or service changed; part ORDER_NO_PART */
};

#define ORDER_NO_PART UINT16_MAX

struct order_entry { /* of the history */
    uint64_t at_ms;
    uint64_t lsn;
    uint32_t qty;
    uint16_t part;
    uint16_t line;
    uint8_t event; /* enum order_event */
    uint8_t state; /* enum state reached, or as the event says */
};

enum { ORDER_HISTORY_MAX = 4096, ORDER_REF_MAX = 127 };

struct order {
    uint64_t id_hash;
    uint64_t content; /* fixed-seed hash of what was asked */
    uint64_t lsn;
    uint64_t created_ms;
    uint64_t done_ms; /* when nothing was owed any more; 0 = open */
    uint64_t total_m;
    double lat, lon; /* of the destination, when has_dest */
    uint32_t body_size; /* bytes of the body, texts included */
    uint32_t size;      /* bytes of the block asked for */
    slab_ref older, newer; /* all orders, by coming */
    slab_ref history;      /* block of entries, 0 = none beyond the routing */
    uint32_t owed_first;   /* of its owed lines (owed.h), 0 = nothing is owed */
    uint32_t ref_at, postcode_at; /* offsets in the body; lengths in ref_len, postcode_len */
    uint32_t rules_at;     /* offset in the body, 0 = no rules */
    uint16_t line_count, part_count, share_count;
    uint16_t history_count, history_room;
    uint16_t sold_at; /* node of an in-store sale, else NODE_NONE */
    uint16_t splits;
    uint16_t strategy; /* handle of the version that decided it last (strategy.h) */
    uint8_t status; /* enum order_status: routed or partial; done, cancelled by its shares */
    uint8_t service;
    uint8_t id_len;
    uint8_t ref_len;
    uint8_t postcode_len;
    uint8_t channel_len; /* 0 = no channel; its text stands behind the ref */
    uint8_t owed_status; /* ORDER_HELD or ORDER_BACKORDERED while something is owed, else 0 */
    uint8_t rejects;     /* times that a node said no to a fulfilment of it; stays at 255 */
    bool has_dest : 1;
    bool is_optimal : 1;
    bool is_po_box : 1;
    bool is_backorder : 1; /* the customer waits for what has no source */
    bool is_changed : 1;   /* lines, destination or service are not those of its birth */
    bool has_more_kits : 1; /* some of its lines came later, as components of kits */
    char country[2]; /* zero bytes = none */
    int64_t body_at; /* bytes from the head to the body, which may be another block; last, so that
                        it is on the line of the first part's links (orders_prefetch_links) */
};

struct orders {
    struct slab slab;
    struct order_slot *slots; /* open addressing by the upper half of the id hash */
    uint64_t slot_mask;
    uint32_t max;
    uint32_t count;
    uint32_t open_count; /* not done */
    slab_ref oldest, newest;
    slab_ref *done;    /* ring of done ones, by the time they were done; done_mask + 1 places */
    uint64_t done_mask;
    uint64_t done_head; /* number of the oldest */
    uint64_t done_count;
    uint64_t probes_over;
    const struct hash_key *key;
};

/* bytes_max: memory of the blocks. key is borrowed for the life of orders. */
ERR_MUST_USE enum err orders_init(struct orders *orders, uint32_t max, uint64_t bytes_max,
                                  const struct hash_key *key);
void orders_close(struct orders *orders);

/* Bytes reserved for max orders in bytes_max of blocks; and those in use, hash slots included. */
uint64_t orders_memory(uint32_t max, uint64_t bytes_max);
uint64_t orders_bytes(const struct orders *orders);

/* The steps of a look-up, for batches. */
uint64_t orders_hash(const struct orders *orders, const char *id, uint32_t len);
void orders_prefetch(const struct orders *orders, uint64_t hash);
/* The order that a later orders_find will probably give, by its tag alone; 0 = none near. */
slab_ref orders_likely(const struct orders *orders, uint64_t hash);
/* The order, or 0. */
slab_ref orders_find(const struct orders *orders, uint64_t hash, const char *id, uint32_t len);

/* Whether a block of size more bytes fits, and one more order; why_out names the setting. */
bool orders_have_room(const struct orders *orders, size_t size, const char **why_out);

/* Take a block and enter it: id_hash and size are set, the caller fills in the rest before the
 * next call. 0: no room (asked before). */
slab_ref orders_add(struct orders *orders, uint64_t hash, size_t size);

/* Take a done order out of the index and the lists, and give back its blocks. It must be the
 * first of the done queue. */
void orders_drop_oldest_done(struct orders *orders);

/* The i-th oldest done order; i below done_count. */
static inline slab_ref orders_done_at(const struct orders *orders, uint64_t i)
{
    return orders->done[(orders->done_head + i) & orders->done_mask];
}

/* Before dropping many: prefetch what dropping the i-th oldest will touch, the block itself first
 * (far ahead), then what hangs on it (nearer). Any i. */
void orders_prefetch_done(const struct orders *orders, uint64_t i);
void orders_prefetch_done_links(const struct orders *orders, uint64_t i);

/* The whole block of a two-line order. */
void orders_prefetch_block(const struct orders *orders, slab_ref ref);

/* Where a neighbour in a node's list is changed: the lines that say where the body is and hold
 * the links of its first part. 0 and what is no order any more will do too. */
void orders_prefetch_links(const struct orders *orders, slab_ref ref);

/* The links of both neighbours of the order's part, which must be near itself. */
void orders_prefetch_beside(const struct orders *orders, const struct order_part *part);

/* Note that nothing is owed any more. */
void orders_done(struct orders *orders, slab_ref ref, uint64_t now_ms);

static inline struct order *order_at(const struct orders *orders, slab_ref ref)
{
    return slab_at(&orders->slab, ref);
}

static inline char *order_body(struct order *order)
{
    return (char *)order + order->body_at;
}

static inline struct order_part *order_parts(struct order *order)
{
    return (struct order_part *)(void *)order_body(order);
}

static inline struct order_share *order_shares(struct order *order)
{
    return (struct order_share *)(void *)(order_parts(order) + order->part_count);
}

static inline struct order_line *order_lines(struct order *order)
{
    return (struct order_line *)(void *)(order_shares(order) + order->share_count);
}

static inline const char *order_id(const struct order *order)
{
    return (const char *)(order + 1);
}

static inline const char *order_ref(struct order *order)
{
    return order_body(order) + order->ref_at;
}

static inline const char *order_channel(struct order *order)
{
    return order_body(order) + order->ref_at + order->ref_len;
}

static inline const char *order_postcode(struct order *order)
{
    return order_body(order) + order->postcode_at;
}

/* The rules, or NULL. */
static inline const struct order_rules *order_rules(struct order *order)
{
    return order->rules_at
               ? (const struct order_rules *)(const void *)(order_body(order) + order->rules_at)
               : NULL;
}

/* Bytes of the head with its id: where the body of a new order begins. */
size_t order_head_size(uint32_t id_len);

/* Bytes of a body without its texts. */
size_t order_body_size(uint32_t parts, uint32_t shares, uint32_t lines);

/* Give the order room for more parts, shares, lines and bytes of text: a body of its own, with
 * what it had. The new rows are zero and counted; *text_out is the offset of the new bytes in the
 * body. Pointers into the body before are void. False: no room (orders_have_growth was asked). */
bool order_grow(struct orders *orders, struct order *order, uint32_t parts, uint32_t shares,
                uint32_t lines, uint32_t text, uint32_t *text_out);

/* Whether order_grow has room for so much. */
bool orders_have_growth(const struct orders *orders, const struct order *order, uint32_t parts,
                        uint32_t shares, uint32_t lines, uint32_t text);

/* The store that a part is sent to, else NODE_NONE: its line may be for another one by now. */
static inline uint16_t part_to(struct order *order, uint32_t part)
{
    return order_parts(order)[part].to;
}

/* Units of a share that are not at an end, and those of them that are still held. */
static inline uint32_t share_active(const struct order_share *share)
{
    return share->qty - share->cancelled - share->no_show - share->moved;
}

/* Those that count against what its line asks for. */
static inline uint32_t share_kept(const struct order_share *share)
{
    return share->qty - share->cancelled - share->moved;
}

/* Units of the line that are somewhere: unfilled, or in shares. */
uint64_t order_line_units(struct order *order, uint32_t line);

static inline uint32_t share_held(const struct order_share *share, enum way way)
{
    return share_active(share) - share->reached[way == WAY_PICKUP ? STEP_LAST : STEP_OUT];
}

/* Units that wait to be fetched, or are on their way to where they will. */
static inline uint32_t share_unfetched(const struct order_share *share)
{
    return share_active(share) - share->reached[STEP_LAST];
}

/* Whether some of what was sent to a store is still to be fetched there. Orders shipped by records
 * from before this was told are done without. */
bool part_awaits(struct order *order, uint32_t part);

/* Whether the node has taken on nothing of the part yet, and something of it is held. */
bool part_is_untouched(struct order *order, uint32_t part);

/* The latter of a share of the order. */
static inline uint32_t order_share_held(struct order *order, uint32_t index)
{
    const struct order_share *share = &order_shares(order)[index];
    return share_held(share, (enum way)order_parts(order)[share->part].way);
}

/* State of a part: that of its least advanced quantity not at an end, else of its end. */
enum state part_state(struct order *order, uint32_t part);

/* Whether it is on its way to a store that has not told that it came: then collect_by is when it
 * has to, 0 = whenever. */
static inline bool part_is_under_way(const struct order_part *part)
{
    return part->is_awaited && !part->is_arrived;
}

/* When the next thing is due at a part by time alone, WHEEL_NEVER = never: collect_by, while all
 * that is open of it is ready, or on its way to the store. */
uint64_t part_due(struct order *order, uint32_t part);

/* Status of the order: routed or partial while something is owed, then done or cancelled. */
enum order_status order_status_now(struct order *order);

/* The step that a state stands for, or -1 for open, cancelled, rejected and no_show, and for
 * steps that the way does not have. */
int state_step(enum state state, enum way way);

/* Of what kit the line is a component, all 0 = none; and how many lines that kit line has from
 * line on, 1 where it is none. */
struct order_kit line_kit(struct order *order, uint32_t line);
uint32_t line_run(struct order *order, uint32_t line);

/* Text of a line's id; scratch holds it where it is a position. */
const char *line_text(struct order *order, uint32_t line, char scratch[12], uint32_t *len_out);

/* Append to the history; the oldest half is dropped when it is full. False: no room. */
bool order_history_add(struct orders *orders, struct order *order,
                       const struct order_entry *entry);

/* The digest rows of an order: everything but links, references and history. What is owed has
 * rows of its own (owed.h). */
void order_digest(struct order *order, struct digest *digest, bool is_add);

/* Those of them that a change of one share, or of a part, touches. */
void order_digest_share(struct order *order, uint32_t share, struct digest *digest, bool is_add);
void order_digest_part(struct order *order, uint32_t part, struct digest *digest, bool is_add);

#endif
