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
    REPLAY_AHEAD = 6 * REPLAY_AHEAD_STEP, /* how far ahead of its turn a record comes */
    REPLAY_AHEAD_RING = 64
};

struct replay_record {
    uint64_t id_hash; /* of the order that it is about; 0 = none */
    bool is_new;      /* the order comes into being */
    uint8_t count;    /* of cells that it changes, as far as is known */
    uint16_t nodes[EFFECT_PEEK_MAX];
    uint32_t items[EFFECT_PEEK_MAX];
    uint32_t holds[EFFECT_PEEK_MAX]; /* on them, of an order that is there */
};

struct replay_ahead {
    struct replay_record ring[REPLAY_AHEAD_RING];
    uint32_t next;
};

/* The record that is REPLAY_AHEAD behind the one whose turn it is; size 0: there is none any more,
 * those under way go on. */
void replay_ahead(struct replay_ahead *ahead, const struct tables *tables, uint8_t type,
                  const uint8_t *bytes, uint32_t size);

#endif
