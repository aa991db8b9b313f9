/* Strategies entered, by effects and by a load from a snapshot. */
#ifndef TABLE_APPLY_STRATEGY_INTERNAL_H
#define TABLE_APPLY_STRATEGY_INTERNAL_H

#include "apply_internal.h"
#include "effect_strategy.h"

ERR_MUST_USE enum err strategy_enter(struct tables *tables, const struct strategy *strategy,
                                     uint64_t made_ms);
ERR_MUST_USE enum err choice_enter(struct tables *tables, const struct strategy_choice *choice);

/* The node gets no new orders until until_ms. */
void block_set(struct tables *tables, uint16_t node, uint64_t until_ms);

replay_function replay_strategy, replay_choice;

#endif
