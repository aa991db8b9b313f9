/* Looking ahead while a snapshot is loaded: what a record to come will touch is fetched while those
 * before it are taken in, as replay_ahead.h does for the log. Nothing is changed and nothing
 * believed: a record that is looked at here is judged when its turn comes.
 *
 * The thread that owns the tables. One struct per section, zeroed before the first call. */
#ifndef TABLE_IMAGE_AHEAD_INTERNAL_H
#define TABLE_IMAGE_AHEAD_INTERNAL_H

#include "image_internal.h"
#include "replay_ahead.h"

enum {
    IMAGE_AHEAD_STEP = 8, /* names between the order's head and its body */
    IMAGE_AHEAD = 16,     /* records, or entries of a list, that are looked at before their turn */
    IMAGE_AHEAD_RING = 16
};

struct image_ahead {
    const uint8_t *at, *end; /* of the piece at hand: the next record to look at */
    const uint8_t *taken;    /* how far the source was at the last call */
    uint32_t lead;           /* records looked at whose turn has not come */
    struct {
        slab_ref ref; /* 0 = none */
        uint32_t index;
        bool is_part; /* index is a part, else a share */
    } ring[IMAGE_AHEAD_RING];
    uint32_t next;
    struct replay_ahead orders;
};

/* What is done with a record that is looked at; NULL: there is none, those under way go on. */
typedef void image_ahead_look(struct image_ahead *ahead, const struct tables *tables,
                              struct image_source *source, const uint8_t *record, uint32_t size);

/* Before each record of the source is taken: look at those that come. */
void image_ahead(struct image_ahead *ahead, const struct tables *tables,
                 struct image_source *source, uint32_t lead, image_ahead_look *look);

/* The same, and look, for records of the sections orders and holds. */
void image_ahead_order(struct image_ahead *ahead, const struct tables *tables,
                       struct image_source *source);
void image_ahead_hold(struct image_ahead *ahead, const struct tables *tables,
                      struct image_source *source);

/* A part of the order that an LSN made is about to be written to; LSN 0: none. */
void image_ahead_part(struct image_ahead *ahead, const struct tables *tables,
                      struct image_source *source, uint64_t lsn, uint32_t part);

#endif
