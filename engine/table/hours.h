/* The hours of a node: its zone, when it is open, until when an order of a day is taken, and how
 * long work takes. And what follows from them: when an order placed at t is ready.
 *
 * Pure functions of the hours, the zone and the time. A local day has spans of open time, an
 * order is worked on in open minutes only, from the moment it comes or, after the cut-off of its
 * local day, from the next day on.
 *
 * Between two events (open, close, cut-off, midnight) `ready` either stands still or moves as t
 * does. hours_times gives that stretch, so that until its end nobody has to look again. */
#ifndef TABLE_HOURS_H
#define TABLE_HOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "names.h"
#include "zone.h"

enum {
    TZ_NAME_MAX = 47,
    HOURS_SPANS_MAX = 4,        /* of one day */
    HOURS_EXCEPTIONS_MAX = 128, /* days with hours of their own */
    HOURS_HORIZON_DAYS = 60,    /* an order not ready by then never is */
    HOURS_DAY_MIN = 1440,
    MINUTE_NONE = 0xffff,
    PROCESSING_MAX_MIN = 43200
};

struct hours_span { /* of local minutes of a day, from included, to not */
    uint16_t from, to;
};

struct hours_day {
    uint16_t count; /* rising, apart from each other or touching */
    struct hours_span spans[HOURS_SPANS_MAX];
};

struct hours_exception {
    int32_t day; /* since 1970-01-01 */
    struct hours_day hours;
};

/* Plain data. Without a calendar open around the clock; no tz = UTC. */
struct node_hours {
    char tz[TZ_NAME_MAX + 1];
    bool has_calendar;
    bool has_week; /* false: only exceptions were given, other days are open around the clock */
    uint16_t cutoff[SERVICE_COUNT]; /* local minute of the day, MINUTE_NONE = none */
    uint32_t processing_min[SERVICE_COUNT];
    struct hours_day week[7]; /* from Monday */
    uint32_t exception_count;
    const struct hours_exception *exceptions; /* in rising order of days; not owned */
};

/* No tz, no calendar, no cut-off, no processing time. */
void hours_default(struct node_hours *hours);
bool hours_equal(const struct node_hours *a, const struct node_hours *b);
uint64_t hours_hash(const struct node_hours *hours);

/* What holds of an order of one service from t until until_ms, which is later than t. */
struct hours_times {
    uint64_t until_ms;
    uint64_t ready_ms; /* at t; UINT64_MAX: not within the horizon */
    uint64_t start_ms; /* when work on it begins */
    int32_t day;       /* local day on which it is ready */
    bool is_sliding;   /* start and ready move on with t, else they stand */
    bool is_today;     /* ready on the local day on which it was placed */
};

void hours_times(const struct node_hours *hours, const struct zone *zone, enum service service,
                 uint64_t t_ms, struct hours_times *out);

/* The moment from which an order is no longer ready on the day on which one placed at t is. */
uint64_t hours_order_by(const struct node_hours *hours, const struct zone *zone,
                        enum service service, uint64_t t_ms);

/* Hour of the local calendar, counted from 1970-01-01 00:00, that holds the moment. */
uint32_t hours_local_hour(const struct zone *zone, uint64_t moment_ms);
/* The moment at which the local hour is over. */
uint64_t hours_hour_end(const struct zone *zone, uint64_t moment_ms);

/* The local minute of the day as a moment. */
uint64_t hours_moment(const struct zone *zone, int32_t day, uint32_t minute);

/* count working days (Monday to Friday) after the day. */
int32_t hours_business_day(int32_t day, uint32_t count);

#endif
