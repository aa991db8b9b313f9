/* Time and promises: hours, capacity, carriers and roads of the network, and what follows from
 * them for a decision: who may serve now, and when what was ordered now arrives.
 *
 * What a decision asks of all nodes at once are marks in the network's bitmaps. They are set by
 * the changes and, where time alone changes them, by timing_turn: then, and never for an order,
 * calendars are read. Engine loop only. */
#ifndef TABLE_TIMING_H
#define TABLE_TIMING_H

#include "capacity.h"
#include "carrier.h"
#include "network.h"
#include "schedule.h"

/* What a node tells beside its hours. All 0 by default. */
struct node_terms {
    uint32_t accept_min;        /* minutes to accept in; 0 = no limit */
    uint32_t stock_max_age_min; /* its counts may be that old; 0 = any age */
};

struct timing {
    struct schedules schedules;
    struct capacity capacity;
    struct carriers carriers;
    struct travels travels;
    struct node_terms *terms; /* by node handle */
    uint64_t *fed_ms;         /* by node handle: its latest count, ms; 0 = never */
    uint64_t *blocked_ms;     /* by node handle: until when it gets no new orders; 0 = it does */
    uint64_t unblock_ms;      /* the earliest moment at which one gets some again */
    uint64_t stale_ms;        /* the earliest moment at which counts of a node get too old */
    uint32_t ages;            /* nodes with a stock_max_age_min */
    uint32_t accepts;         /* nodes with an accept_min */
    uint64_t now_ms;          /* of the last turn */
};

ERR_MUST_USE enum err timing_init(struct timing *timing);
void timing_close(struct timing *timing);
uint64_t timing_memory(void);

/* Whether dates are told: some node has hours, or carriers were loaded. */
static inline bool timing_is_used(const struct timing *timing)
{
    return timing->schedules.has_hours || timing->carriers.rows > 0;
}

/* Bring times and marks up to now_ms. True: some node may serve that could not before, or the
 * other way round. Work is one schedule at a time (1 us a service) and the nodes that share it. */
bool timing_turn(struct timing *timing, struct network *network, uint64_t now_ms);

/* When timing_turn wants to be called again. */
uint64_t timing_due(const struct timing *timing);

/* The node, its hours, terms, capacity or counts changed: its times and marks as of now_ms. True
 * as timing_turn. */
bool timing_node(struct timing *timing, struct network *network, uint16_t node, uint64_t now_ms);

/* Whether what the node counts has room for a fulfilment of so many units that begins now, where so
 * many orders are before it. Nothing that a customer carries out of the shop is counted. */
bool timing_has_room(const struct timing *timing, uint16_t node, enum service service,
                     uint64_t orders, uint64_t units);

/* -- promise.c: dates and cost of one fulfilment -- */

enum {
    PROMISE_ROAD_KMH = 25,      /* same_day without a road: straight line at this speed, */
    PROMISE_ROAD_BASE_MIN = 30, /* after so many minutes, */
    PROMISE_SAME_DAY_MIN = 120, /* and a window of so many */
    PROMISE_AFTER_DAYS_MAX = 60 /* deliver_after lies at most so many days ahead */
};

/* A destination as lanes and roads name it. */
struct promise_place {
    struct area_matches lanes, roads;
};

void promise_place(const struct timing *timing, const char *country, const char *postcode,
                   struct promise_place *out);

/* One fulfilment as asked for. */
struct promise_ask {
    uint16_t node;
    enum service service;
    uint32_t metres; /* great circle to the destination */
    uint64_t grams;
    uint64_t at_ms;            /* when it is ordered: calendars are read for it; 0 = now */
    uint64_t deliver_after_ms; /* 0 = as soon as can be */
};

struct promise {
    uint64_t ship_by_ms; /* ready for the carrier, or for the customer */
    uint64_t from_ms, by_ms;
    uint32_t cents; /* of the lane; 0 without one */
    uint32_t slot;  /* local hour in which work begins */
    bool is_never;
    bool is_today; /* ready on the day on which it was ordered */
};

void promise_make(const struct timing *timing, const struct promise_ask *ask,
                  const struct promise_place *place, struct promise *out);

/* From when on an order of the service at the node, placed now or at at_ms (0 = now), would be
 * ready on another day. */
uint64_t promise_order_by(const struct timing *timing, uint16_t node, enum service service,
                          uint64_t at_ms);

/* Business days that the distance rule gives: standard by distance, next_day 1. */
uint32_t promise_distance_days(enum service service, uint32_t metres);

#endif
