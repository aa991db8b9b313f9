/* Weighted draws in constant time: Vose's alias method, and Zipf weights for it. */
#ifndef LOADGEN_ALIAS_DRAW_H
#define LOADGEN_ALIAS_DRAW_H

#include <stdint.h>

#include "err.h"
#include "rng.h"

struct alias_slot {
    uint32_t keep;  /* in 2^-32: below it the slot itself is drawn, else other */
    uint32_t other; /* index */
};

/* Owner: whoever called alias_init; read-only afterwards. */
struct alias {
    struct alias_slot *slots;
    uint32_t count;
};

/* Build from count weights >= 0 with a sum > 0. The weights are only read.
 *
 * Errors:
 *   ERR_NOMEM  no memory for count slots.
 */
ERR_MUST_USE enum err alias_init(struct alias *alias, const double *weights, uint32_t count);

/* The same with weights 1 / rank^exponent: index 0 is the most likely one. */
ERR_MUST_USE enum err alias_init_zipf(struct alias *alias, uint32_t count, double exponent);

void alias_close(struct alias *alias);

/* An index in [0, count). One call of the generator. */
uint32_t alias_draw(const struct alias *alias, struct rng *rng);

#endif
