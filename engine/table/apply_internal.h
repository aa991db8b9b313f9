/* What the files that apply effects share: changes of one cell. */
#ifndef TABLE_APPLY_INTERNAL_H
#define TABLE_APPLY_INTERNAL_H

#include "tables.h"

/* Tables in the digest. 6 to 8 are those of order.c. */
enum { TAG_NODE = 1, TAG_ITEM, TAG_PLACE, TAG_CELL, TAG_POLICY, TAG_KEY = 9, TAG_MOVEMENT, TAG_FLAG,
       TAG_COUNT };

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

/* Remember the key of an effect, if it has one. */
void key_remember(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                  const struct effect_key *key);

/* Note lsn and time of an effect about to be applied. */
void applied(struct tables *tables, uint64_t lsn, uint64_t now_ms);

#endif
