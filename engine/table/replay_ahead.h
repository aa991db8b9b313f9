/* Looking ahead in replay: what a record will touch is fetched while those before it are applied,
 * in stages, as a live batch does. Nothing is changed and nothing believed: a record that is looked
 * at here is judged when its turn comes.
 *
 * The thread that owns the tables. One struct per replay, zeroed before the first call. */
#ifndef TABLE_REPLAY_AHEAD_H
#define TABLE_REPLAY_AHEAD_H

#include <stdint.h>

#include "tables.h"

enum {
    REPLAY_AHEAD_STEP = 6,                /* records between two stages */
    REPLAY_AHEAD = 4 * REPLAY_AHEAD_STEP, /* how far ahead of its turn a record comes */
    REPLAY_AHEAD_RING = 32
};

struct replay_ahead {
    struct {
        uint64_t id_hash; /* of the order that it is about; 0 = none */
        uint16_t node;
        uint8_t count; /* of items, each a cell of node to come */
        bool is_new;   /* the order comes into being */
        uint32_t items[EFFECT_PEEK_MAX];
    } ring[REPLAY_AHEAD_RING];
    uint32_t next;
};

/* The record that is REPLAY_AHEAD behind the one whose turn it is; size 0: there is none any more,
 * those under way go on. */
void replay_ahead(struct replay_ahead *ahead, const struct tables *tables, uint8_t type,
                  const uint8_t *bytes, uint32_t size);

#endif
