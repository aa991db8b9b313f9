/* How much a node takes on: meters of orders or units per local hour or day, of one service or of
 * all, with exceptions for given times. What is used is counted in the hour or day in which work
 * on a fulfilment begins, and stays counted there until it is given back.
 *
 * Logged state. Engine loop only. Nothing here allocates but making a meter. */
#ifndef TABLE_CAPACITY_H
#define TABLE_CAPACITY_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "names.h"

enum {
    CAPACITY_METERS_MAX = 8,     /* of a node */
    CAPACITY_EXCEPTIONS_MAX = 8, /* of a meter; a new one takes the place of the earliest */
    CAPACITY_SLOTS = 16,         /* hours or days that a meter counts; the earliest leave */
    CAPACITY_ANY_SERVICE = 0xff,
    CAPACITY_NODES = 65536
};
#define CAPACITY_NO_LIMIT UINT32_MAX

enum capacity_kind { CAPACITY_ORDERS, CAPACITY_UNITS };
enum capacity_per { CAPACITY_HOUR, CAPACITY_DAY };

struct capacity_exception {
    uint32_t from, to; /* local hours since 1970-01-01 00:00, to not included */
    uint32_t limit;
};

struct capacity_slot {
    uint32_t at; /* local hour, or local day */
    uint32_t used;
};

struct capacity_meter {
    uint8_t kind;    /* enum capacity_kind */
    uint8_t per;     /* enum capacity_per */
    uint8_t service; /* enum service or CAPACITY_ANY_SERVICE */
    uint8_t exception_count;
    uint32_t slot_count;
    uint32_t limit;     /* CAPACITY_NO_LIMIT: only the exceptions limit */
    uint64_t since_lsn; /* what was routed before is not counted */
    uint64_t slots_hash; /* as they stood when their digest row was last put in */
    struct capacity_slot slots[CAPACITY_SLOTS];                    /* rising */
    struct capacity_exception exceptions[CAPACITY_EXCEPTIONS_MAX]; /* the last one that fits wins */
};

struct capacity_node {
    uint32_t count;
    struct capacity_meter meters[CAPACITY_METERS_MAX];
};

struct capacity {
    struct capacity_node **nodes; /* by handle; NULL: takes on anything */
    uint32_t count;               /* nodes with meters */
    uint32_t unit_meters;
};

/* One rule, as capacity.set and node.put give it. */
struct capacity_rule {
    uint8_t kind, per, service;
    bool is_removed;   /* the meter goes, or the exception */
    bool is_exception; /* for local hours from to to only */
    uint32_t from, to;
    uint32_t limit;
};

ERR_MUST_USE enum err capacity_init(struct capacity *capacity);
void capacity_close(struct capacity *capacity);
uint64_t capacity_memory(void);

/* Before a fulfilment is counted at the node: prefetch where its meters are found; later, what of
 * the first one counting it touches. */
void capacity_prefetch(const struct capacity *capacity, uint16_t node);
void capacity_prefetch_meter(const struct capacity *capacity, uint16_t node);

/* The meter of that kind, or NULL. */
struct capacity_meter *capacity_find(const struct capacity *capacity, uint16_t node, uint8_t kind,
                                     uint8_t per, uint8_t service);

/* Make room for the meter of the rule. Errors: ERR_FULL (CAPACITY_METERS_MAX), ERR_NOMEM. */
ERR_MUST_USE enum err capacity_need(struct capacity *capacity, uint16_t node,
                                    const struct capacity_rule *rule, uint64_t lsn,
                                    struct capacity_meter **out);

/* Take the meter away; the node's last one takes the node's entry with it. */
void capacity_remove(struct capacity *capacity, uint16_t node, struct capacity_meter *meter);

/* Apply a rule to its meter. */
void capacity_rule_set(struct capacity_meter *meter, const struct capacity_rule *rule);

/* Limit in the hour, and what is used of it. */
uint32_t capacity_limit(const struct capacity_meter *meter, uint32_t hour);
uint32_t capacity_used(const struct capacity_meter *meter, uint32_t hour);
bool capacity_has_slot(const struct capacity_meter *meter, uint32_t hour);
static inline uint32_t capacity_free(const struct capacity_meter *meter, uint32_t hour)
{
    uint32_t limit = capacity_limit(meter, hour);
    uint32_t used = capacity_used(meter, hour);
    return limit == CAPACITY_NO_LIMIT ? limit : limit > used ? limit - used : 0;
}

static inline bool capacity_is_of(const struct capacity_meter *meter, enum service service)
{
    return meter->service == CAPACITY_ANY_SERVICE || meter->service == (uint8_t)service;
}

/* What is free for fulfilments of the service whose work begins in the hour. */
struct capacity_room {
    uint32_t orders, units; /* CAPACITY_NO_LIMIT = as many as there are */
    bool has_units;         /* some meter counts units */
};
struct capacity_room capacity_room(const struct capacity *capacity, uint16_t node,
                                   enum service service, uint32_t hour);

/* Whether no slot has to leave for the hour's, and bound or more are free of it at any time that it
 * counts for: while that holds before and after a change, no bound up to it is crossed anywhere. */
static inline bool capacity_is_far(const struct capacity_meter *meter, uint32_t hour,
                                   uint32_t bound)
{
    return meter->exception_count == 0 &&
           (meter->slot_count < CAPACITY_SLOTS || capacity_has_slot(meter, hour)) &&
           capacity_free(meter, hour) >= bound;
}

/* Count by more (or, negative, less, never below 0) in the meter's slot of the hour. True: it was
 * counted; false: the slot was dropped already, or is older than all that are kept. */
bool capacity_count(struct capacity_meter *meter, uint32_t hour, int64_t by);

#endif
