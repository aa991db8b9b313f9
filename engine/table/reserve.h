/* Reservations: holds with a time to live, of carts that are not orders yet.
 *
 *   head: [struct reservation][id]
 *   body: [line x line_count][piece x piece_count][texts]
 *
 * A line is what was asked for; a piece is what one node holds of it. The body is replaced as a
 * whole when the lines change, the head stays where it is: holds and timers name it. Texts: line
 * ids that are not their position.
 *
 * Each piece is in the chain of holds of its cell (hold.h) and, while it holds anything, in a
 * second one with only the pieces of reservations, newest first: those are broken when a count
 * falls below what is promised, and a chain of ten thousand orders is not searched for them.
 *
 *   held ──▶ committed   an order took its place
 *     │ └──▶ released    by its client
 *     │ └──▶ expired     expires_ms came
 *     ▼
 *   broken ─▶ as held    units of it were given up; what is left stays held
 *
 * Those that ended stay known for a while, oldest end first, and leave by record. Engine loop
 * only. Capacity is set at start. */
#ifndef TABLE_RESERVE_H
#define TABLE_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "hash.h"
#include "names.h"
#include "slab.h"

enum {
    RESERVE_PIECES_EACH = 4, /* pieces that hold something, on average at most */
    RESERVE_TODO_MAX = 4096,
    RESERVE_NO_SERVICE = 255
};

struct reservation_line {
    uint32_t item;
    uint32_t qty;
    uint32_t text;    /* offset of its id in the body */
    uint16_t node;    /* that the client named; NODE_NONE */
    uint8_t text_len; /* 0 = its position from 1 */
};

/* A piece by name: ref of the reservation (0 = none) and its number in it. */
struct piece_name {
    slab_ref ref;
    uint32_t piece;
};

struct reservation_piece {
    uint32_t held; /* units now */
    uint32_t hold; /* HOLD_NONE when nothing is held any more */
    uint16_t line;
    uint16_t node;
    struct piece_name older, newer; /* on the same cell */
};

struct reservation {
    uint64_t id_hash;
    uint64_t content; /* fixed-seed hash of what was asked */
    uint64_t lsn;     /* that made it */
    uint64_t created_ms, expires_ms;
    uint64_t ended_ms; /* 0 = it holds */
    uint64_t required_by_ms; /* 0 = not asked */
    uint64_t channel;        /* that it is for (quota.h), 0 = none */
    double lat, lon;
    slab_ref body;
    slab_ref older, newer; /* all, by coming */
    slab_ref next_ended;   /* all that ended, by their end */
    uint32_t body_size;
    uint32_t timer;
    uint16_t line_count, piece_count;
    uint16_t pickup_node; /* NODE_NONE */
    uint8_t state;        /* enum reservation_state */
    uint8_t service;      /* enum service; RESERVE_NO_SERVICE = none named */
    uint8_t id_len;
    bool has_dest, is_po_box, allow_partial;
    char country[3];
    char postcode[17]; /* normalised */
};

struct cell_pieces; /* slot of the table from a cell to its newest piece */

struct reserve_cell {
    uint32_t item;
    uint16_t node;
};

/* Newest piece of a cell; used while newest.ref is not 0. */
struct cell_pieces {
    struct piece_name newest;
    uint32_t item;
    uint16_t node;
    int64_t units; /* that all of them hold */
};

struct reserves {
    struct slab slab;
    slab_ref *slots; /* open addressing by the upper half of the id hash */
    uint64_t slot_mask;
    struct cell_pieces *cells;
    uint64_t cell_mask;
    uint32_t max;
    uint32_t count;
    uint32_t ended_count;
    uint32_t pieces; /* that hold something */
    slab_ref oldest, newest;
    slab_ref ended_oldest, ended_newest;
    const struct hash_key *key;

    /* -- cells whose ats fell below 0 with pieces on them: derived, looked for after a start -- */
    struct reserve_cell todo[RESERVE_TODO_MAX];
    uint32_t todo_first, todo_count;
    slab_ref sweep; /* next reservation of a walk over all, 0 = there is none */
};

ERR_MUST_USE enum err reserves_init(struct reserves *reserves, uint32_t max,
                                    const struct hash_key *key);
void reserves_close(struct reserves *reserves);

/* Bytes reserved for max; and those in use. */
uint64_t reserves_memory(uint32_t max);
uint64_t reserves_bytes(const struct reserves *reserves);

uint64_t reserves_hash(const struct reserves *reserves, const char *id, uint32_t len);
slab_ref reserves_find(const struct reserves *reserves, uint64_t hash, const char *id,
                       uint32_t len);

/* Whether one more reservation fits, and so many more pieces. */
bool reserves_have_room(const struct reserves *reserves, uint32_t count, uint32_t pieces);

/* A new one, entered and listed, with id and hash set and all else zero. There is room. */
slab_ref reserves_add(struct reserves *reserves, uint64_t hash, const char *id, uint32_t len);

/* A new body of these counts and so many bytes of texts, zeroed, in place of the old one, whose
 * pieces hold nothing any more. There is room. */
void reserves_body_new(struct reserves *reserves, struct reservation *own, uint32_t lines,
                       uint32_t pieces, uint32_t texts);

/* It ended at now_ms and stays known; and the one whose end is longest ago leaves. */
void reserves_end(struct reserves *reserves, slab_ref ref, uint64_t now_ms);
void reserves_drop_oldest_ended(struct reserves *reserves);

/* Enter a piece with the units that it holds as the newest on its cell; take out one that holds
 * nothing any more. */
void reserves_piece_enter(struct reserves *reserves, struct piece_name name);
void reserves_piece_leave(struct reserves *reserves, struct piece_name name);
/* The newest piece on a cell; ref 0: none. */
struct piece_name reserves_newest(const struct reserves *reserves, uint32_t item, uint16_t node);

/* Units of all pieces on a cell; and units that one of them gives up while it stays. */
int64_t reserves_units(const struct reserves *reserves, uint32_t item, uint16_t node);
void reserves_piece_less(struct reserves *reserves, struct piece_name name, uint32_t units);

/* Note a cell whose pieces may have to be broken, or that any may. */
void reserves_todo(struct reserves *reserves, uint32_t item, uint16_t node);
void reserves_sweep(struct reserves *reserves);

static inline struct reservation *reservation_at(const struct reserves *reserves, slab_ref ref)
{
    return slab_at(&reserves->slab, ref);
}

static inline const char *reservation_id(const struct reservation *own)
{
    return (const char *)(own + 1);
}

static inline struct reservation_line *reservation_lines(const struct reserves *reserves,
                                                         const struct reservation *own)
{
    return slab_at(&reserves->slab, own->body);
}

static inline struct reservation_piece *reservation_pieces(const struct reserves *reserves,
                                                           const struct reservation *own)
{
    return (struct reservation_piece *)(void *)(reservation_lines(reserves, own) +
                                                own->line_count);
}

static inline bool reservation_is_live(const struct reservation *own)
{
    return own->ended_ms == 0;
}

/* Text of a line's id; scratch holds it where it is a position. */
const char *reservation_line_text(const struct reserves *reserves, const struct reservation *own,
                                  uint32_t line, char scratch[12], uint32_t *len_out);

/* The digest rows of a reservation: all but references and links. */
void reservation_digest(const struct reserves *reserves, const struct reservation *own,
                        struct digest *digest, bool is_add);

/* Check lists and counts; aborts when broken. Units held by all come out. */
void reserves_check(const struct reserves *reserves, int64_t *held, uint64_t *holds);

#endif
