/* The different hours of the network's nodes, each kept once with its times ready: when an order
 * of a service placed now is ready, and until when that holds. Decisions read integers.
 *
 * What is kept is derived from the nodes and the clock: it is in no record and no digest, and
 * made anew after a start. Number 0 are the hours of nodes that have none of their own: of every
 * node at first. Engine loop only. */
#ifndef TABLE_SCHEDULE_H
#define TABLE_SCHEDULE_H

#include "err.h"
#include "hours.h"

enum {
    SCHEDULE_MAX = 65536,
    SCHEDULE_DEFAULT = 0,
    NODE_LINKS = 65536,
    SCHEDULE_DAYS = 16,        /* days from today on whose hours of delivery are kept */
    PROMISE_FROM_MIN = 8 * 60, /* local minutes between which a parcel is delivered */
    PROMISE_TO_MIN = 20 * 60
};

/* Between which moments a parcel is delivered on a local day. */
struct schedule_delivery {
    uint64_t from_ms, to_ms;
};

/* Times of one service, good until until_ms. */
struct schedule_times {
    uint64_t until_ms;
    uint64_t ready;       /* ready = this, plus the time of the order where is_sliding */
    uint64_t order_by_ms; /* from then on it is ready on another day */
    uint32_t slot;        /* local hour in which work begins: where capacity is counted */
    int32_t day;          /* local day of ready */
    bool is_sliding;
    bool is_today;
    bool is_never; /* not within the horizon */
};

struct schedule {
    struct node_hours hours; /* exceptions are owned */
    uint64_t hash;
    const struct zone *zone; /* of the zone source; UTC where the name is not known there */
    uint64_t until_ms;       /* the earliest of its services */
    uint32_t refs;           /* nodes, 0 = free */
    uint32_t next;           /* of the hash chain, or of the free ones; 0 = end */
    uint16_t first_node;     /* of its nodes, linked in schedules; 0xffff = none. The default has
                                no list: all nodes that are in no other */
    struct schedule_times times[SERVICE_COUNT];
    int32_t first_day; /* of deliveries */
    uint32_t delivery_count; /* 0: nothing is kept yet */
    struct schedule_delivery deliveries[SCHEDULE_DAYS];
};

/* Finds zones by name; NULL: not known. Called when a node changes, never for an order. */
struct zone_source {
    void *owner;
    const struct zone *(*find)(void *owner, const char *name);
};

struct schedules {
    struct schedule *all; /* by number */
    uint32_t count;       /* numbers ever given */
    uint32_t first_free;
    uint64_t exception_bytes; /* of all hours */
    uint32_t chains[4096];
    uint16_t *schedule_of;      /* by node handle */
    uint16_t *prev, *next_node; /* by node handle, 0xffff = end */
    struct zone_source zones;
    uint64_t until_ms; /* the earliest of all; 0: something has to be worked out now */
    bool has_hours;    /* some node has hours of its own */
};

ERR_MUST_USE enum err schedules_init(struct schedules *schedules);
void schedules_close(struct schedules *schedules);
uint64_t schedules_memory(void);

/* Give the node these hours (NULL: none of its own), which are copied where they are new. A node
 * that had others leaves them. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err schedules_set(struct schedules *schedules, uint16_t node,
                                    const struct node_hours *hours);

/* The node's own hours, or NULL. Good until its next schedules_set. */
const struct node_hours *schedules_hours(const struct schedules *schedules, uint16_t node);

/* From now on zones come from there: all are looked up again, and all times are over. */
void schedules_zones(struct schedules *schedules, const struct zone_source *source);

/* Work out the times of one schedule that are over at now. changed_out: bit per service whose
 * slot or is_today changed. */
void schedule_refresh(struct schedules *schedules, uint32_t number, uint64_t now_ms,
                      uint32_t *changed_out);

/* Of any day: as kept, or worked out. */
struct schedule_delivery schedule_delivery(const struct schedule *schedule, int32_t day);

static inline const struct schedule *schedule_of(const struct schedules *schedules, uint16_t node)
{
    return &schedules->all[schedules->schedule_of[node]];
}

/* When an order of the service placed now is ready; UINT64_MAX: never. now lies in the stretch. */
static inline uint64_t schedule_ready(const struct schedule_times *times, uint64_t now_ms)
{
    return times->is_never ? UINT64_MAX : times->ready + (times->is_sliding ? now_ms : 0);
}

#endif
