/* Records of time and promises: hours and terms of nodes, capacity, carriers and roads. Beside
 * effect.h, and used like it. */
#ifndef TABLE_EFFECT_TIMING_H
#define TABLE_EFFECT_TIMING_H

#include "effect.h"
#include "timing.h"

enum { EFFECT_LANES_MAX = 500, EFFECT_ROADS_MAX = 500, EFFECT_RULES_MAX = 16 };

/* The node's hours and terms as they are from now on. */
struct effect_hours {
    uint16_t node;
    struct node_terms terms;
    bool has_declines;
    uint32_t declines; /* rate in millionths, has_declines: set anew */
    bool has_hours;
    struct node_hours hours; /* exceptions borrowed */
};

/* What decoding an effect_hours points into. */
struct effect_hours_scratch {
    struct hours_exception exceptions[HOURS_EXCEPTIONS_MAX];
};

struct effect_capacity {
    uint16_t node;
    bool is_whole; /* meters that no rule names go */
    uint32_t count;
    struct capacity_rule rules[EFFECT_RULES_MAX];
    struct effect_key key;
};

struct effect_lanes {
    char carrier[CARRIER_NAME_MAX + 1];
    uint32_t carrier_len;
    bool is_replace; /* all rows that the carrier has go first */
    uint32_t count;
    const struct carrier_row *rows;
};

struct effect_roads {
    bool is_replace; /* all rows go first */
    uint32_t count;
    const struct travel_row *rows;
};

uint32_t effect_hours_size(const struct effect_hours *effect);
uint32_t effect_hours_encode(uint8_t *out, const struct effect_hours *effect);
ERR_MUST_USE enum err effect_hours_decode(const uint8_t *bytes, uint32_t size,
                                          struct effect_hours_scratch *scratch,
                                          struct effect_hours *out);

enum { EFFECT_CAPACITY_SIZE_MAX = 640 };
uint32_t effect_capacity_encode(uint8_t *out, const struct effect_capacity *effect);
ERR_MUST_USE enum err effect_capacity_decode(const uint8_t *bytes, uint32_t size,
                                             struct effect_capacity *out);

uint32_t effect_lanes_size(const struct effect_lanes *effect);
uint32_t effect_lanes_encode(uint8_t *out, const struct effect_lanes *effect);
/* rows: room for EFFECT_LANES_MAX. */
ERR_MUST_USE enum err effect_lanes_decode(const uint8_t *bytes, uint32_t size,
                                          struct carrier_row *rows, struct effect_lanes *out);

uint32_t effect_roads_size(const struct effect_roads *effect);
uint32_t effect_roads_encode(uint8_t *out, const struct effect_roads *effect);
/* rows: room for EFFECT_ROADS_MAX. */
ERR_MUST_USE enum err effect_roads_decode(const uint8_t *bytes, uint32_t size,
                                          struct travel_row *rows, struct effect_roads *out);

#endif
