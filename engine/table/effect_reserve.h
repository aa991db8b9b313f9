/* The records of reservations; layouts are listed in the README. */
#ifndef TABLE_EFFECT_RESERVE_H
#define TABLE_EFFECT_RESERVE_H

#include "effect.h"

struct effect_piece {
    uint32_t line;
    uint16_t node;
    uint32_t qty;
};

/* A reservation made, or changed: its expiry from now on and, with has_lines, its lines and what
 * is held for them in place of what was. */
struct effect_reserve {
    struct effect_text id;
    bool is_new; /* then content and where it goes are told, and has_lines */
    bool has_lines;
    bool has_dest, is_po_box, allow_partial;
    uint64_t content;
    uint64_t expires_ms;
    uint8_t service; /* RESERVE_NO_SERVICE = none named */
    uint16_t pickup_node;
    uint64_t required_by_ms; /* 0 = not asked */
    uint64_t channel;        /* is_new: for which it is (quota.h), 0 = none */
    double lat, lon;
    char country[3];
    struct effect_text postcode;
    uint32_t line_count, piece_count;
    const struct effect_line *lines; /* item, qty, line, node */
    const struct effect_piece *pieces;
    struct effect_key key;
};

struct effect_reserve_end { /* all that it holds is free */
    struct effect_text id;
    uint8_t state; /* enum reservation_state */
    struct effect_key key;
};

/* Units that pieces on a cell give up. Without an id the newest do, at most
 * EFFECT_BREAK_PIECES of them, and their reservations are broken; with one its own do, as the
 * units left the building. */
struct effect_reserve_take {
    uint32_t item;
    uint16_t node;
    uint32_t units;
    struct effect_text id; /* len 0 = broken */
    uint32_t broken_count; /* for readers of events alone (told.h): who gives up how much; 0 of a
                            * record as decoded, which has them in told */
    const struct effect_broken *broken;
    struct effect_text told;
};

struct effect_broken {
    struct effect_text id; /* of the reservation */
    uint32_t units;
};

enum { EFFECT_BREAK_PIECES = 200 };

uint32_t effect_reserve_take_size(const struct effect_reserve_take *effect);

uint32_t effect_reserve_size(const struct effect_reserve *effect);
uint32_t effect_reserve_encode(uint8_t *out, const struct effect_reserve *effect);
uint32_t effect_reserve_end_encode(uint8_t *out, const struct effect_reserve_end *effect);
uint32_t effect_reserve_take_encode(uint8_t *out, const struct effect_reserve_take *effect);
uint32_t effect_reserve_drop_encode(uint8_t *out, uint64_t count);

ERR_MUST_USE enum err effect_reserve_decode(const uint8_t *bytes, uint32_t size,
                                            struct effect_scratch *scratch,
                                            struct effect_reserve *out);
ERR_MUST_USE enum err effect_reserve_end_decode(const uint8_t *bytes, uint32_t size,
                                                struct effect_reserve_end *out);
ERR_MUST_USE enum err effect_reserve_take_decode(const uint8_t *bytes, uint32_t size,
                                                 struct effect_reserve_take *out);
ERR_MUST_USE enum err effect_reserve_drop_decode(const uint8_t *bytes, uint32_t size,
                                                 uint64_t *count_out);

#endif
