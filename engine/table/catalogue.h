/* The items: ids interned to dense handles, flags, and the row of stock of each.
 *
 * Engine loop only, but for what never changes once an id can be found, id and handle, and for
 * the row pointer: other threads may find an item (catalogue_find), then load its row
 * (catalogue_row). */
#ifndef TABLE_CATALOGUE_H
#define TABLE_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "hash.h"
#include "network.h"
#include "row.h"

#define ITEM_NONE UINT32_MAX

enum { ITEM_AREAS_MAX = 100 };

enum { ITEM_HEAD = 12 }; /* bytes of an id beside the rest: most ids are no longer */

/* One cache line, where finding it by its id ends. The head is not the last of it: memcmp of libc
 * reads 32 bytes, also those that it does not compare, and waited for the line of the next item. */
struct item {
    char head[ITEM_HEAD]; /* of the id */
    uint32_t weight_g;
    struct row *row;     /* stock; NULL = no cell anywhere */
    uint64_t flags;      /* bit per flag of the flag table */
    const char *id;      /* in the catalogue's arena */
    struct area *not_to; /* owned, NULL while empty */
    uint32_t raised; /* batch in which free stock of it last grew (its low bits: equal by chance
                        only costs a decision): guesses made before are void */
    uint32_t owed_first; /* what is owed of it, oldest first (owed.h); 0 = nothing */
    uint32_t owed_item;  /* its struct owed_item; 0 = nothing is owed */
    uint8_t owed_todo;   /* bits of owed_turn.c */
    uint8_t not_to_count;
    uint8_t id_len;
    bool is_kit; /* made up of others: kit.h */
};

_Static_assert(sizeof(struct item) == 64 && offsetof(struct item, head) + 32 <= 64,
               "an item is a cache line, and comparing its head reads no other");

/* Flags with a meaning of their own have fixed numbers; others are interned behind them. */
enum { FLAG_NO_SHIP_FROM_STORE, FLAG_NO_SAME_DAY, FLAG_NO_PICKUP, FLAG_FIXED_COUNT };

struct catalogue {
    struct item *items; /* by handle; reserved for max items, never moves */
    uint32_t count;
    uint32_t max;
    const struct hash_key *key;
    struct catalogue_slot *slots; /* open addressing, power of two */
    uint64_t slot_mask;
    char *ids; /* arena of id texts */
    uint64_t ids_used, ids_size;
    uint64_t area_bytes; /* of not_to of all items */
    uint32_t flag_count;
    char flag_names[FLAG_MAX][ID_MAX + 1];
    uint64_t probes_over; /* look-ups that gave up after 64 slots */
};

/* max: most items. key is borrowed for the life of the catalogue. */
ERR_MUST_USE enum err catalogue_init(struct catalogue *catalogue, uint32_t max,
                                     const struct hash_key *key);
void catalogue_close(struct catalogue *catalogue);

/* Bytes reserved for max items without their stock; and those in use, hash slots included. */
uint64_t catalogue_memory(uint32_t max);
uint64_t catalogue_bytes(const struct catalogue *catalogue);

/* The steps of a look-up, for batches: hash, prefetch the slot, prefetch the item, find. */
uint64_t catalogue_hash(const struct catalogue *catalogue, const char *id, uint32_t len);
void catalogue_prefetch(const struct catalogue *catalogue, uint64_t hash);
void catalogue_prefetch_item(const struct catalogue *catalogue, uint64_t hash);
/* Handle, or ITEM_NONE. */
uint32_t catalogue_find(const struct catalogue *catalogue, uint64_t hash, const char *id,
                        uint32_t len);

/* The item's row of stock, NULL = no cell anywhere; for other threads, within an epoch. */
static inline const struct row *catalogue_row(const struct catalogue *catalogue, uint32_t handle)
{
    return __atomic_load_n(&catalogue->items[handle].row, __ATOMIC_SEQ_CST);
}

/* Whether it is a kit, from any thread. */
static inline bool catalogue_is_kit(const struct catalogue *catalogue, uint32_t handle)
{
    return __atomic_load_n(&catalogue->items[handle].is_kit, __ATOMIC_ACQUIRE);
}

/* Create the item or find it. Errors: ERR_FULL (max items, or 64 slots probed), ERR_NOMEM. */
ERR_MUST_USE enum err catalogue_put(struct catalogue *catalogue, const char *id, uint32_t len,
                                    uint32_t *handle_out);

/* Whether catalogue_put would take one more item of that hash. */
bool catalogue_has_room(const struct catalogue *catalogue, uint64_t hash);

/* Number of a flag word, interned at need. Errors: ERR_FULL (64 different flags). */
ERR_MUST_USE enum err catalogue_flag(struct catalogue *catalogue, const char *name, uint32_t len,
                                     uint32_t *flag_out);
/* Number of a flag word, or FLAG_MAX where it is unknown. */
uint32_t catalogue_flag_find(const struct catalogue *catalogue, const char *name, uint32_t len);

#endif
