/* Strategies: by what rules a source is chosen where more than one could be. Each put makes a new
 * version; versions stay for ever, as orders remember theirs. Which version decides an order that
 * names none is told by choices: the one made for its service and channel, else for its channel,
 * else for its service, else for all; else the built-in `nearest`, handle 0.
 *
 * Engine loop only: changed by effects alone (apply_strategy.c). */
#ifndef TABLE_STRATEGY_H
#define TABLE_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "names.h"
#include "network.h"

enum {
    STRATEGY_NEAREST = 0,      /* handle of the built-in one */
    STRATEGY_VERSIONS_MAX = 1024, /* of all names together */
    STRATEGY_NAMES_MAX = 64,
    STRATEGY_CHOICES_MAX = 256,
    STRATEGY_TERMS_MAX = 8,
    STRATEGY_FENCES_MAX = 8,
    STRATEGY_ANY_SERVICE = 0xff,
    STRATEGY_REJECTS_MAX = 255,
    STRATEGY_WEIGHT_MAX = 1000000, /* thousandths */
    STRATEGY_PRIORITY_SHIFT = 1000000, /* no node's priority is below its negative */
    STRATEGY_VALUE_MAX = 100000000 /* of a term, in its steps: more counts as that much */
};

/* Values of terms and fences are whole numbers of steps: metres, minutes, cents, millionths of
 * acceptance, parts in 1,000 of scarcity, else one. */
struct strategy_term {
    uint8_t term;    /* enum strategy_term_kind */
    uint32_t weight; /* thousandths; 0 in a lexicographic one */
    uint32_t band;   /* steps that count as one value; 1 = none */
};

struct strategy_fence {
    uint8_t fence;  /* enum strategy_fence_kind */
    uint32_t value; /* steps; of types a bit per enum node_type */
};

struct strategy {
    char name[ID_MAX + 1];
    uint8_t name_len;
    uint8_t mode;    /* enum strategy_mode */
    uint8_t term_count, fence_count;
    uint8_t reject_max; /* of an order before it is held; 0 = the server's */
    uint32_t version;   /* of the name, from 1 */
    uint32_t block_ms;  /* how long a node that says no gets no new order; 0 = not at all */
    uint64_t made_ms;
    struct strategy_term terms[STRATEGY_TERMS_MAX];
    struct strategy_fence fences[STRATEGY_FENCES_MAX];
    /* -- derived -- */
    uint64_t factor[STRATEGY_TERMS_MAX]; /* weighted: of a step of the term, without a common
                                            divisor */
    uint32_t keep;  /* units of each item that stay at a node */
    uint32_t max_m; /* UINT32_MAX = any distance */
    bool is_moving; /* load or declines of nodes count */
    bool is_led;    /* by distance: what is far enough away is no better. The first such term: */
    uint8_t led_by;
};

struct strategy_choice {
    uint64_t channel_hash;
    char channel[ID_MAX + 1]; /* "" = any */
    uint8_t channel_len;
    uint8_t service; /* enum service, or STRATEGY_ANY_SERVICE */
    uint16_t strategy;
};

struct strategies {
    struct strategy *all; /* by handle - 1 */
    uint32_t count;
    uint16_t newest[STRATEGY_NAMES_MAX]; /* handle of each name's newest version */
    uint32_t name_count;
    struct strategy_choice choices[STRATEGY_CHOICES_MAX];
    uint32_t choice_count;
};

ERR_MUST_USE enum err strategies_init(struct strategies *strategies);
void strategies_close(struct strategies *strategies);
uint64_t strategies_memory(void);

/* By handle; NULL for STRATEGY_NEAREST. */
static inline const struct strategy *strategies_at(const struct strategies *strategies,
                                                   uint16_t handle)
{
    return handle == STRATEGY_NEAREST ? NULL : &strategies->all[handle - 1];
}

/* The handle of a name's version, 0 = its newest. False: not known. `nearest` has version 0. */
bool strategies_find(const struct strategies *strategies, const char *name, uint32_t len,
                     uint32_t version, uint16_t *handle_out);

/* Name and version of a handle, "nearest" and 0 of the built-in one. */
const char *strategies_name(const struct strategies *strategies, uint16_t handle,
                            uint32_t *version_out);

/* Whether two versions say the same. */
bool strategy_is_equal(const struct strategy *a, const struct strategy *b);

/* Whether every number is in its bounds: what came from a log. */
bool strategy_is_sound(const struct strategy *strategy);

/* Add a version; its derived fields are filled in here. Errors: ERR_FULL. */
ERR_MUST_USE enum err strategies_add(struct strategies *strategies,
                                     const struct strategy *strategy);

/* Who decides orders of the service and channel from now on; an entry of the same scope is
 * replaced. STRATEGY_NEAREST without a scope takes the entry away. Errors: ERR_FULL. */
ERR_MUST_USE enum err strategies_choose(struct strategies *strategies,
                                        const struct strategy_choice *choice);
const struct strategy_choice *strategies_choice(const struct strategies *strategies,
                                                uint8_t service, const char *channel,
                                                uint32_t len);

/* The handle that decides orders of the service and channel (len 0 = none). */
uint16_t strategies_of(const struct strategies *strategies, enum service service,
                       const char *channel, uint32_t len);

/* Steps in one unit of the wire: 1,000 metres are a km. */
uint32_t strategy_term_steps(enum strategy_term_kind term);

#endif
