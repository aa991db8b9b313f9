/* Dates and cost of a fulfilment: ready by its node's hours, then the carrier's row, else a rule
 * of distance. */
#include "dates.h"
#include "timing.h"

/* Reach in metres of 1, 2, 3 and 4 business days of service standard: parcels by road. */
static const uint32_t standard_reach[] = {250000, 900000, 1600000, 2800000};
enum { STANDARD_STEPS = sizeof standard_reach / sizeof standard_reach[0] };

void promise_place(const struct timing *timing, const char *country, const char *postcode,
                   struct promise_place *out)
{
    area_names_match(&timing->carriers.areas, timing->carriers.areas.lengths, country, postcode,
                     &out->lanes);
    area_names_match(&timing->travels.areas, timing->travels.areas.lengths, country, postcode,
                     &out->roads);
}

uint32_t promise_distance_days(enum service service, uint32_t metres)
{
    uint32_t days = 1;
    if (service == SERVICE_NEXT_DAY) {
        return 1;
    }
    while (days <= STANDARD_STEPS && metres > standard_reach[days - 1]) {
        days++;
    }
    return days;
}

/* Ready time, its day and its stretch: kept ones, or worked out where they are of another time. */
static void ready(const struct timing *timing, const struct promise_ask *ask, uint64_t now_ms,
                  struct promise *out, int32_t *day_out)
{
    const struct schedule *schedule = schedule_of(&timing->schedules, ask->node);
    if (ask->at_ms == 0 && now_ms == timing->now_ms) {
        const struct schedule_times *times = &schedule->times[ask->service];
        out->ship_by_ms = schedule_ready(times, now_ms);
        out->slot = times->slot;
        out->is_never = times->is_never;
        out->is_today = times->is_today;
        *day_out = times->day;
        return;
    }
    struct hours_times times;
    hours_times(&schedule->hours, schedule->zone, ask->service, now_ms, &times);
    out->is_never = times.ready_ms == UINT64_MAX;
    out->is_today = times.is_today;
    out->ship_by_ms = times.ready_ms;
    out->slot = out->is_never ? 0 : hours_local_hour(schedule->zone, times.start_ms);
    *day_out = times.day;
}

static uint64_t minute_up(uint64_t moment_ms)
{
    return (moment_ms + DATE_MINUTE_MS - 1) / DATE_MINUTE_MS * DATE_MINUTE_MS;
}

/* Delivered by a carrier on a working day, between two hours of the node's clock. */
static void by_carrier(const struct timing *timing, const struct promise_ask *ask,
                       const struct promise_place *place, int32_t day, struct promise *out)
{
    const struct schedule *schedule = schedule_of(&timing->schedules, ask->node);
    const struct lane *lane =
        carriers_best(&timing->carriers, ask->service, ask->node, &place->lanes, ask->grams);
    uint32_t days = lane ? lane->business_days : promise_distance_days(ask->service, ask->metres);
    uint64_t cents = lane ? lane_cents(lane, ask->grams) : 0;
    out->cents = cents > UINT32_MAX ? UINT32_MAX : (uint32_t)cents;
    if (days == 0 && out->ship_by_ms > schedule_delivery(schedule, day).to_ms) {
        days = 1;
    }
    const struct schedule_delivery own =
        schedule_delivery(schedule, hours_business_day(day, days));
    out->by_ms = own.to_ms;
    out->from_ms = own.from_ms < out->ship_by_ms ? out->ship_by_ms : own.from_ms;
}

static void by_courier(const struct timing *timing, const struct promise_ask *ask,
                       const struct promise_place *place, struct promise *out)
{
    const struct road *road = travels_find(&timing->travels, ask->node, &place->roads);
    uint64_t minutes =
        road ? road->minutes
             : PROMISE_ROAD_BASE_MIN + (uint64_t)ask->metres * 60 / (PROMISE_ROAD_KMH * 1000);
    out->from_ms = out->ship_by_ms + minutes * DATE_MINUTE_MS;
    out->by_ms = out->from_ms + PROMISE_SAME_DAY_MIN * DATE_MINUTE_MS;
}

static void dates(const struct timing *timing, const struct promise_ask *ask,
                  const struct promise_place *place, uint64_t now_ms, struct promise *out)
{
    int32_t day;
    *out = (struct promise){.is_never = false};
    ready(timing, ask, now_ms, out, &day);
    if (out->is_never) {
        return;
    }
    out->ship_by_ms = minute_up(out->ship_by_ms);
    switch (ask->service) {
    case SERVICE_STANDARD:
    case SERVICE_NEXT_DAY:
    case SERVICE_SHIP_TO_STORE:
    case SERVICE_COUNT:
        by_carrier(timing, ask, place, day, out);
        return;
    case SERVICE_SAME_DAY:
        by_courier(timing, ask, place, out);
        return;
    case SERVICE_PICKUP:
    case SERVICE_RESERVE_PICKUP:
    case SERVICE_CARRY_OUT:
        break;
    }
    out->from_ms = out->by_ms = out->ship_by_ms;
}

/* Not before deliver_after: as if it were ordered on a later day, the first that is late enough. */
void promise_make(const struct timing *timing, const struct promise_ask *ask,
                  const struct promise_place *place, struct promise *out)
{
    const uint64_t now_ms = ask->at_ms ? ask->at_ms : timing->now_ms;
    dates(timing, ask, place, now_ms, out);
    if (out->is_never || out->from_ms >= ask->deliver_after_ms) {
        return;
    }
    const uint32_t slot = out->slot;
    const struct zone *zone = schedule_of(&timing->schedules, ask->node)->zone;
    int32_t today = (int32_t)zone_day(zone, (int64_t)(now_ms / 1000));
    for (int32_t day = today + 1; day <= today + PROMISE_AFTER_DAYS_MAX + 1; day++) {
        dates(timing, ask, place, hours_moment(zone, day, 0), out);
        if (out->is_never || out->from_ms >= ask->deliver_after_ms) {
            break;
        }
    }
    out->slot = slot;
}

uint64_t promise_order_by(const struct timing *timing, uint16_t node, enum service service,
                          uint64_t at_ms)
{
    const struct schedule *schedule = schedule_of(&timing->schedules, node);
    return at_ms ? hours_order_by(&schedule->hours, schedule->zone, service, at_ms)
                 : schedule->times[service].order_by_ms;
}
