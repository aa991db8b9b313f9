/* Records of strategies: a version put, and who decides what from now on. Beside effect.h, and
 * used like it. */
#ifndef TABLE_EFFECT_STRATEGY_H
#define TABLE_EFFECT_STRATEGY_H

#include "effect.h"
#include "strategy.h"

/* The next version of a name; derived fields and made_ms are not in the record. */
struct effect_strategy {
    struct strategy strategy;
    struct effect_key key;
};

enum { EFFECT_CHOICES_MAX = STRATEGY_CHOICES_MAX };

/* The version decides orders of each scope from now on. */
struct effect_choice {
    uint16_t strategy; /* handle, STRATEGY_NEAREST */
    uint32_t count;
    const struct strategy_choice *choices; /* their strategy is not looked at */
    struct effect_key key;
};

enum { EFFECT_STRATEGY_SIZE_MAX = 512 };
uint32_t effect_strategy_encode(uint8_t *out, const struct effect_strategy *effect);
ERR_MUST_USE enum err effect_strategy_decode(const uint8_t *bytes, uint32_t size,
                                             struct effect_strategy *out);

uint32_t effect_choice_size(const struct effect_choice *effect);
uint32_t effect_choice_encode(uint8_t *out, const struct effect_choice *effect);
/* choices: room for EFFECT_CHOICES_MAX. */
ERR_MUST_USE enum err effect_choice_decode(const uint8_t *bytes, uint32_t size,
                                           struct strategy_choice *choices,
                                           struct effect_choice *out);

#endif
