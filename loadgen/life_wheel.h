/* Orders that wait for their end: a wheel of time slots, each a run of records that is written
 * and read in sequence, so that a million open orders cost no searching. */
#ifndef LOADGEN_LIFE_WHEEL_H
#define LOADGEN_LIFE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum { LIFE_SLOTS = 1024 };

/* One order that is due. words is borrowed until the next call on the wheel. */
struct life_record {
    uint64_t order;
    const uint32_t *words; /* facts.h */
};

struct life_slot {
    uint32_t *words;
    uint32_t used, capacity;
};

/* Owner: the calling thread. */
struct life_wheel {
    struct life_slot slots[LIFE_SLOTS];
    uint64_t width_ns;
    uint64_t current; /* number of the slot being read, not reduced to the wheel */
    uint32_t read;    /* words of it that were read */
    uint64_t waiting; /* records in the wheel */
};

/* A wheel that reaches horizon_ns ahead of now_ns; what is due later is due then. */
void life_wheel_init(struct life_wheel *wheel, uint64_t horizon_ns, uint64_t now_ns);
void life_wheel_close(struct life_wheel *wheel);

/* Put an order in; the words are copied. */
void life_wheel_add(struct life_wheel *wheel, uint64_t due_ns, uint64_t order,
                    const uint32_t *words, uint32_t count);

/* Take one record that is due at now_ns; false if there is none. */
bool life_wheel_take(struct life_wheel *wheel, uint64_t now_ns, struct life_record *out);

#endif
