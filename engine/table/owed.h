/* What orders are owed: units of their lines that have no source. Listed in the order in which
 * they became owed, over all and by item, so that new stock goes to whoever waits longest.
 *
 * The entries are logged state: each has a digest row. All else is derived: the classes that
 * entries of one item stand in, which share what decides whether a node may serve them, so that a
 * unit is offered only where it may help; and what is to be tried (items whose stock grew, and at
 * which nodes; all). After a start everything is tried once.
 *
 * Engine loop only. Capacity is set at start. */
#ifndef TABLE_OWED_H
#define TABLE_OWED_H

#include <stdbool.h>
#include <stdint.h>

#include "catalogue.h"
#include "err.h"
#include "geo.h"
#include "hash.h"
#include "order.h"

#define OWED_NONE 0u /* no entry: indices start at 1 */

enum {
    OWED_TODO_MAX = 4096,
    OWED_NODES_MAX = 8, /* nodes at which an item's stock grew that are told apart */
    OWED_NODES_ANY = OWED_NODES_MAX + 1,
    OWED_PREFIX_MAX = 3, /* characters of the postcode that a class goes by */
    OWED_TILE_M = 158000 /* no place of a tile is farther from its middle: 2 degrees each way */
};

struct owed_entry {
    uint64_t lsn; /* since when; with line, who comes first */
    uint32_t item;
    uint32_t qty;
    slab_ref order;
    uint32_t next_of_order;
    uint32_t older, newer;  /* of all, by coming */
    uint32_t ahead, behind; /* of the item's */
    uint32_t class;         /* that it is filed in; 0: the record that made it is being applied */
    uint32_t senior, junior; /* of the class, by (lsn, line) */
    uint16_t line;
    uint8_t status;  /* ORDER_HELD or ORDER_BACKORDERED */
    uint8_t reason;  /* enum reason: why it has no source */
};

/* What its entries have in common, as far as it says which nodes may help them. Less than all
 * that a decision asks: a node that the class leaves out cannot help any of them. */
struct owed_traits {
    uint64_t channel; /* quota_channel, 0 = none */
    uint64_t lists;   /* hash of include, exclude and rejected nodes, and of the kit's components
                         and whether they are owed; 0 = none. The first entry tells them */
    uint32_t item;
    uint32_t max_m; /* UINT32_MAX = none asked */
    uint16_t place; /* pinned, or pickup_node; NODE_NONE */
    uint8_t service;
    bool is_kit;  /* lines of a kit's components, wanted whole */
    bool waits_for_stock; /* nodes said no too often: only stock that is reported helps */
    bool has_dest;
    bool has_tile; /* a distance counts: */
    bool is_whole; /* prefix is all of the postcode */
    int8_t tile_lat, tile_lon; /* of the destination, in 2 degrees */
    char country[2];
    char prefix[OWED_PREFIX_MAX];
    uint8_t spare; /* 0: compared as bytes */
};

_Static_assert(sizeof(struct owed_traits) == 40, "no bytes between fields");

struct owed_class {
    struct owed_traits traits;
    uint64_t hash;
    struct geo_point middle; /* of the tile */
    uint32_t first, last;    /* entries, by (lsn, line) */
    uint32_t newer, older;   /* classes of the item */
    uint32_t chain;          /* of the hash table; also of free ones */
    bool is_alone;           /* of one entry that came to it late: not in the hash table */
    /* -- in hand -- */
    bool is_in_hand;
    uint32_t at;      /* next entry to try */
    uint64_t at_lsn;  /* of the entry that it stands in the heap by */
    uint16_t at_line;
    uint64_t served;  /* owed->served when it was judged last */
};

/* An item that something is owed of. */
struct owed_item {
    uint32_t item;
    uint32_t last;         /* entry */
    uint32_t classes;
    uint32_t newer, older; /* items; free ones by newer */
    uint64_t swept;        /* owed->round when it was looked at last */
    uint8_t node_count;    /* OWED_NODES_ANY: more than are listed */
    uint16_t nodes[OWED_NODES_MAX]; /* at which free stock grew since it was taken in hand */
};

struct owed {
    struct owed_entry *pool; /* 1 to max */
    uint32_t max;
    uint32_t used; /* indices ever handed out */
    uint32_t live;
    uint32_t free_head;
    uint32_t oldest, newest;
    uint64_t units;
    uint32_t orders_held, orders_backordered;

    /* -- derived: classes and items -- */
    struct owed_class *classes; /* 1 to max */
    uint32_t *class_slots;      /* heads of chains, slot_mask + 1 */
    uint32_t slot_mask;
    uint32_t class_used, class_free, class_count;
    struct owed_item *items; /* 1 to max */
    uint32_t item_used, item_free, items_first;

    /* -- derived: to be tried -- */
    uint32_t todo[OWED_TODO_MAX]; /* items, a ring */
    uint32_t todo_first, todo_count;
    uint64_t round;    /* grows when all items are to be looked at */
    uint32_t round_left; /* items to look at until that is done, one after the other from */
    uint32_t sweep;      /* this one on */
    uint8_t round_nodes_count; /* for what these nodes have; OWED_NODES_ANY: any */
    uint16_t round_nodes[OWED_NODES_MAX];
    uint32_t item_count;
    bool is_in_hand;   /* an item's classes are being tried */
    bool is_by_stock;
    uint32_t *heap;    /* those, first the one whose entry waits longest */
    uint32_t heap_count;
    uint32_t hand_item;
    bool is_hand_any;
    uint16_t hand_nodes[OWED_NODES_MAX];
    uint32_t hand_count;
    uint32_t looks;  /* at classes and holders, ever */
    uint64_t served; /* orders that got something */
    uint64_t tries;  /* entries that owed_next gave */
};

/* Says what a decision cannot be asked for each entry. */
struct owed_judge {
    void *owner;
    /* Nodes where units of the item may be free, up to OWED_NODES_MAX; how many, or
     * OWED_NODES_ANY. */
    uint32_t (*holders)(void *owner, uint32_t item, uint16_t nodes[OWED_NODES_MAX]);
    /* Whether the node has any. */
    bool (*holds)(void *owner, uint32_t item, uint16_t node);
    /* Whether one of the nodes (count OWED_NODES_ANY: any) may help an entry of the class. */
    bool (*may_help)(void *owner, const struct owed_class *class, const uint16_t *nodes,
                     uint32_t count);
    /* Whether one of them may give this entry of it something. */
    bool (*may_take)(void *owner, uint32_t entry, const uint16_t *nodes, uint32_t count);
};

ERR_MUST_USE enum err owed_init(struct owed *owed, uint32_t max);
void owed_close(struct owed *owed);

/* Bytes reserved for max entries; and those in use. */
uint64_t owed_memory(uint32_t max);
uint64_t owed_bytes(const struct owed *owed);

/* Whether count more fit. */
bool owed_has_room(const struct owed *owed, uint32_t count);

static inline struct owed_entry *owed_at(const struct owed *owed, uint32_t index)
{
    return &owed->pool[index];
}

/* The entry of a line of the order, or OWED_NONE; units owed of it. */
uint32_t owed_find(const struct owed *owed, const struct order *order, uint32_t line);
uint32_t owed_units(const struct owed *owed, const struct order *order, uint32_t line);

/* Set what is owed of a line: a new entry goes behind all others, one that is there keeps its
 * place, at qty 0 it leaves. Keeps the order's owed_status and the digest. There must be room. The
 * same effect ends with owed_file. */
void owed_set(struct owed *owed, struct catalogue *catalogue, struct digest *digest,
              struct order *order, slab_ref ref, const struct owed_entry *what);

/* The order is as it will be: file its entries. Also where lists, place or services changed. */
void owed_file(struct owed *owed, struct catalogue *catalogue, struct order *order);

/* File all that were set and not filed, oldest first. */
void owed_file_all(struct owed *owed, struct catalogue *catalogue, const struct orders *orders);

/* -- to be tried (owed_turn.c) -- */

/* Free stock of the item grew at the node (NODE_NONE: something else of it changed): its entries
 * are to be tried again. is_stock: by a report, not by something given back; only then those too
 * whose nodes said no too often. */
void owed_raise(struct owed *owed, struct item *item, uint32_t handle, uint16_t node,
                bool is_stock);

/* Something else changed: the node (NODE_NONE: any) may serve where it could not before. All items
 * are looked at again, one after the other. */
void owed_raise_node(struct owed *owed, uint16_t node);

static inline void owed_raise_all(struct owed *owed)
{
    owed_raise_node(owed, NODE_NONE);
}

/* Whether the item's entries are still to be tried, beside those in hand. */
static inline bool owed_is_raised(const struct owed *owed, const struct item *item)
{
    return item->owed_todo != 0 ||
           (item->owed_item && owed->items[item->owed_item].swept != owed->round);
}

/* Whether something is to be tried. */
static inline bool owed_has_todo(const struct owed *owed)
{
    return owed->is_in_hand || owed->todo_count > 0 || owed->round_left > 0;
}

/* The next entry to try, or OWED_NONE: all that may be helped was tried, or looks_max looks at
 * entries, or at classes of a round over all items, were taken. Of those tried for the same
 * stock the one that waits longest comes first. */
uint32_t owed_next(struct owed *owed, const struct catalogue *catalogue,
                   const struct owed_judge *judge, uint32_t looks_max);

/* The entry that owed_next just gave got something. */
void owed_served(struct owed *owed);

/* Try the entry that owed_next just gave once more, the next time. */
void owed_again(struct owed *owed, uint32_t index);

/* Check lists, classes and counts; aborts when broken. */
void owed_check(const struct owed *owed, const struct catalogue *catalogue);

#endif
