/* What the records of an order's life tell beside their effect, for readers of events alone: the
 * names that only the order knows, which may have left memory and log when they are read.
 *
 * It stands at the end of the record, in this order:
 *   cancel  [unit] of the shares, [line] of what was owed, done
 *   fulfil  node of the part, [line] of the shares, done
 *   replan  number of the first new part and of the first new share, node and promise in minutes of
 *           the part that said no, [unit] of moves, [unit] of cancels, [line] of the new shares,
 *           [line] of what is owed, count, [late], done
 *   taken   of those that are broken count, [id of the reservation, units], 0
 *   short   count, [item, node, units, count, [id of an order, part]], 0
 *   line    its index * 2 and, + 1, its name where that is not its position; its item
 *   unit    line, part, node
 *   late    a promise that is not kept: part * 2 and, + 1, that some of it has no source; node; the
 *           promise in minutes; that of what takes its place, 0 = nothing does. Records from before
 *           have neither count nor late: there only the part that said no tells it
 *   done    a byte, set once the effect is applied: the order has nothing to wait for any more
 *
 * Nothing of it is replayed; no table and no digest knows it. Records from before have none. */
#ifndef TABLE_TOLD_H
#define TABLE_TOLD_H

#include "effect.h"
#include "effect_reserve.h"

enum {
    TOLD_LINE_MAX = 5 + 2 + ID_MAX + 5, /* bytes of a line, and what a unit has beside it */
    TOLD_UNIT_MAX = TOLD_LINE_MAX + 3 + 3,
    TOLD_SHORT_MAX = 5 + 3 + 5 + 2, /* a cell, and each that is named */
    TOLD_HOLDER_MAX = 1 + ID_MAX + 3,
    TOLD_BROKEN_MAX = 1 + ID_MAX + 5,
    TOLD_LATE_MAX = 3 + 3 + 5 + 5,
    TOLD_FIXED_MAX = 32 /* all that comes once */
};

/* -- writing; the encoders of effect.h call them where the effect names its row -- */

uint8_t *told_put_cancel(uint8_t *at, const struct effect_cancel *effect);
uint8_t *told_put_fulfil(uint8_t *at, const struct effect_fulfil *effect);
uint8_t *told_put_replan(uint8_t *at, const struct effect_replan *effect);
uint8_t *told_put_broken(uint8_t *at, const struct effect_reserve_take *effect);

/* The whole record; how many bytes. */
uint32_t told_put_short(uint8_t *out, const struct effect_short *effect);

/* Note in a record with such an end that the order was done by it. */
static inline void told_done(uint8_t *record, uint32_t size, bool is_done)
{
    record[size - 1] = is_done;
}

/* -- reading: sticky; a record that tells nothing is bad from the start -- */

struct told {
    const uint8_t *at;
    const uint8_t *end; /* of all but the last byte */
    bool is_bad;
};

struct told_line {
    uint32_t index;
    struct effect_text name; /* len 0: its position */
    uint32_t item;
};

struct told_unit {
    struct told_line line;
    uint32_t part;
    uint16_t node;
};

struct told_late {
    uint32_t part;
    uint16_t node;
    uint32_t was_min, by_min;
    bool has_owed;
};

struct told told_begin(const struct effect_text *bytes);
bool told_is_done(const struct effect_text *bytes);
uint32_t told_int(struct told *told);
uint16_t told_node(struct told *told);
struct effect_text told_text(struct told *told); /* of an id */
void told_line(struct told *told, struct told_line *out);
void told_unit(struct told *told, struct told_unit *out);
void told_late(struct told *told, struct told_late *out);

/* Leave out so many; the place behind them. */
struct told told_behind_lines(struct told told, uint32_t count);
struct told told_behind_units(struct told told, uint32_t count);

#endif
