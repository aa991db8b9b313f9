/* What the files that apply effects share: changes of one cell. */
#ifndef TABLE_APPLY_INTERNAL_H
#define TABLE_APPLY_INTERNAL_H

#include "tables.h"

/* Tables in the digest. 6 to 8, 22, 64 and 73 are those of order.c, 20 that of owed.c. */
enum { TAG_NODE = 1, TAG_ITEM, TAG_PLACE, TAG_CELL, TAG_POLICY, TAG_KEY = 9, TAG_MOVEMENT, TAG_FLAG,
       TAG_COUNT, TAG_DECLINES = 21, TAG_QUOTA = 30, TAG_KIT, TAG_CLOSING,
       TAG_HOURS = 60, TAG_LANE, TAG_ROAD, TAG_METER,
       TAG_STRATEGY = 70, TAG_CHOICE, TAG_BLOCK };

/* Answers of a node that its rate of declines follows: each counts for one part in so many. */
enum { DECLINE_WEIGHT = 16 };

/* Set a cell that is there: digest, counters, and the mark that its stock grew. */
void cell_set(struct tables *tables, uint32_t item, uint16_t node, const struct cell *cell,
              cell_word word);
void cell_count_time_set(struct tables *tables, uint32_t item, uint16_t node,
                         const struct cell *cell, uint64_t count_time);

/* The cell, made with nothing in it where it was missing. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err cell_need(struct tables *tables, uint32_t item, uint16_t node,
                                struct cell *cell_out);

/* Change reserved by delta, on_hand by moved; a movement at at_ms is remembered when moved. */
void cell_move(struct tables *tables, uint32_t item, uint16_t node, int64_t reserved_delta,
               int64_t moved, uint64_t at_ms);

/* A count of on_hand at a cell that is there, made at counted_at. */
void cell_count(struct tables *tables, uint32_t item, uint16_t node, const struct cell *cell,
                int32_t on_hand, uint64_t counted_at);

/* Note that any guess may be void, and that what had no source may have one. */
void generation_next(struct tables *tables);

/* The same, where it is the node alone that may serve what it could not. */
void generation_of_node(struct tables *tables, uint16_t node);

/* Set the node's rate of declines, in millionths. */
void declines_set(struct tables *tables, uint16_t node, uint32_t rate);

/* Remember the key of an effect, if it has one. */
void key_remember(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                  const struct effect_key *key);

/* -- rows entered: by the effects, and by a load from a snapshot (image.h) -- */

ERR_MUST_USE enum err flag_enter(struct tables *tables, const struct effect_text *name);
ERR_MUST_USE enum err node_enter(struct tables *tables, const struct effect_node *effect);
ERR_MUST_USE enum err item_enter(struct tables *tables, const struct effect_item *effect);
ERR_MUST_USE enum err places_enter(struct tables *tables, const struct effect_places *effect);

/* The order's block without what follows from it: no list, no hold, no digest row yet. 0: no
 * room. */
slab_ref order_enter(struct tables *tables, const struct effect_order *effect, uint64_t lsn,
                     uint64_t now_ms);

/* Decode an order that is new and sound: what it names is there, its shares fit. */
bool order_read(struct tables *tables, const uint8_t *bytes, uint32_t size,
                struct effect_order *out);

/* Put the part behind its node's open fulfilments. */
void queue_append(struct tables *tables, slab_ref ref, uint16_t index);

/* Keep the text of a part, if there is one; without room it is not kept. */
void tracking_set(struct tables *tables, struct order_part *part, const struct effect_text *text);

/* Set the timer of a row by what the row says (timer.c); and those of all rows, after a load. */
void node_timer(struct tables *tables, uint16_t handle);
void part_timer(struct tables *tables, slab_ref ref, uint16_t index);
void reservation_timer(struct tables *tables, slab_ref ref);

/* The part's deadline was set just now: what its node was closed before does not move it. */
void part_closing_set(struct tables *tables, struct order *order, uint32_t index, uint64_t now_ms);

/* By how much closings moved the part's deadline, without the one that goes on. */
uint64_t part_moved_ms(const struct tables *tables, struct order *order, uint32_t index);

/* The node's config was before as given: what that means for how long it is closed. */
void closing_change(struct tables *tables, uint16_t handle, const struct node_config *before,
                    uint64_t now_ms);
void closing_digest(struct tables *tables, uint16_t handle, bool is_add);
/* An order leaves memory that may wait for somebody who does not come. */
void parts_timers_drop(struct tables *tables, slab_ref ref);
void timers_rebuild(struct tables *tables);

/* The node was counted as of at_ms. */
void node_fed(struct tables *tables, uint16_t node, uint64_t at_ms);

/* The node is new, or its country or postcode may have changed. */
void node_placed(struct tables *tables, uint16_t node);
/* -- reservations (apply_reserve.c) -- */

/* The reservation of the effect with its lines and pieces, which are in no chain yet. */
slab_ref reserve_enter(struct tables *tables, const struct effect_reserve *effect, uint64_t lsn,
                       uint64_t now_ms);

/* Decode one that names what is there. */
bool reserve_read(const struct tables *tables, const uint8_t *bytes, uint32_t size,
                  struct effect_reserve *out);

/* After free stock of a cell fell by a report or a rule: note it if reservations lose by it. */
void reserve_short_note(struct tables *tables, uint32_t item, uint16_t node);

typedef enum err replay_function(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                 const uint8_t *bytes, uint32_t size);
replay_function replay_reserve, replay_reserve_end, replay_reserve_take, replay_reserve_drop;

/* Digest rows. */
void key_digest(struct tables *tables, const struct key_entry *entry, bool is_add);
void policy_digest(struct tables *tables, uint32_t item, uint16_t node, bool is_add);

/* Units that a channel takes of a cell, or gives back unshipped, by an order or reservation made at
 * lsn, count against its quota there, if there is one that is older. */
void quota_move(struct tables *tables, uint32_t item, uint16_t node, uint64_t channel, uint64_t lsn,
                int64_t units);

/* A cell in the digest. */
static inline uint64_t cell_name(uint32_t item, uint16_t node)
{
    return (uint64_t)item << 16 | node;
}
/* A document as it was, without anything booked or held; incoming and digest follow. 0: no room. */
slab_ref document_enter(struct tables *tables, const struct effect_document *effect, uint64_t lsn,
                        uint64_t created_ms, uint64_t done_ms);

/* What of a record of a document does not depend on the one before: nodes and items are there. */
bool document_read(struct tables *tables, const uint8_t *bytes, uint32_t size,
                   struct effect_document *out);

/* The oldest done documents leave. Errors: ERR_DAMAGED (there are fewer). */
ERR_MUST_USE enum err documents_drop(struct tables *tables, uint64_t count);

/* Note lsn and time of an effect about to be applied. */
void applied(struct tables *tables, uint64_t lsn, uint64_t now_ms);

#endif
