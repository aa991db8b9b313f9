/* Hours of nodes beside a minute-by-minute walk, and schedules that are shared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check.h"
#include "rng.h"
#include "schedule.h"

enum { MINUTE = 60000 };

/* New York's rule for a few years, without a file. */
static struct zone *new_york(void)
{
    static const char tail[] = "\nEST5EDT,M3.2.0,M11.1.0\n";
    uint8_t bytes[256] = {'T', 'Z', 'i', 'f', '2'};
    struct zone *zone;
    size_t size = 44 + 6 + 4;
    bytes[39] = 1;
    bytes[43] = 4;
    memcpy(bytes + size, bytes, 44);
    uint32_t offset = (uint32_t)-18000;
    for (int i = 0; i < 4; i++) {
        bytes[44 + i] = bytes[size + 44 + (size_t)i] = (uint8_t)(offset >> (24 - 8 * i));
    }
    size += 44 + 6 + 4;
    memcpy(bytes + size, tail, sizeof tail - 1);
    enum err err = zone_new(bytes, size + sizeof tail - 1, &zone);
    CHECK(err == ERR_OK);
    return zone;
}

static void day_draw(struct rng *rng, struct hours_day *day)
{
    uint32_t at = 0;
    day->count = (uint16_t)rng_below(rng, 3);
    for (uint32_t i = 0; i < day->count; i++) {
        uint32_t from = at + (uint32_t)rng_below(rng, 400);
        uint32_t to = from + 1 + (uint32_t)rng_below(rng, 600);
        if (to > HOURS_DAY_MIN) {
            day->count = (uint16_t)i;
            return;
        }
        day->spans[i] = (struct hours_span){(uint16_t)from, (uint16_t)to};
        at = to;
    }
}

static void hours_draw(struct rng *rng, struct node_hours *hours, struct hours_exception *days,
                       int32_t near_day)
{
    hours_default(hours);
    hours->has_calendar = rng_below(rng, 4) > 0;
    hours->has_week = hours->has_calendar && rng_below(rng, 3) > 0;
    for (int i = 0; i < 7 && hours->has_week; i++) {
        day_draw(rng, &hours->week[i]);
    }
    hours->exception_count = hours->has_calendar ? (uint32_t)rng_below(rng, 4) : 0;
    for (uint32_t i = 0; i < hours->exception_count; i++) {
        days[i].day = near_day + (int32_t)i * 2;
        day_draw(rng, &days[i].hours);
    }
    hours->exceptions = days;
    hours->cutoff[0] = rng_below(rng, 2) ? (uint16_t)rng_below(rng, 1440) : MINUTE_NONE;
    hours->processing_min[0] = (uint32_t)rng_below(rng, 4) * (uint32_t)rng_below(rng, 500);
}

/* Whether the minute that begins at moment is open; all spans of the day, looked at one by one. */
static bool is_open(const struct node_hours *hours, const struct zone *zone, int64_t moment_s)
{
    int32_t day = (int32_t)zone_day(zone, moment_s);
    const struct hours_day *own = &hours->week[((day + 3) % 7 + 7) % 7];
    bool is_ruled = hours->has_week;
    for (uint32_t i = 0; i < hours->exception_count; i++) {
        if (hours->exceptions[i].day == day) {
            own = &hours->exceptions[i].hours;
            is_ruled = true;
        }
    }
    if (!hours->has_calendar || !is_ruled) {
        return true;
    }
    for (uint32_t i = 0; i < own->count; i++) {
        int64_t from = zone_moment(zone, (int64_t)day * 86400 + own->spans[i].from * 60);
        int64_t to = zone_moment(zone, (int64_t)day * 86400 + own->spans[i].to * 60);
        if (moment_s >= from && moment_s < to) {
            return true;
        }
    }
    return false;
}

/* Minute by minute; t on a whole minute. 0: not within ten days. */
static int64_t ready_by_walking(const struct node_hours *hours, const struct zone *zone,
                                int64_t t_s)
{
    int64_t day = zone_day(zone, t_s);
    int64_t at = t_s;
    uint32_t left = hours->processing_min[0];
    uint16_t cutoff = hours->cutoff[0];
    if (cutoff != MINUTE_NONE && t_s >= zone_moment(zone, day * 86400 + cutoff * 60)) {
        at = zone_moment(zone, (day + 1) * 86400);
    }
    for (; at < t_s + 10 * 86400; at += 60) {
        if (!is_open(hours, zone, at)) {
            continue;
        }
        if (left == 0) {
            return at;
        }
        if (--left == 0) {
            return at + 60;
        }
    }
    return 0;
}

static void ready_is_what_walking_finds(void **state)
{
    struct rng rng;
    struct zone *zone = new_york();
    (void)state;
    rng_init(&rng, 11);
    for (int i = 0; i < 1500; i++) {
        struct hours_exception days[8];
        struct node_hours hours;
        struct hours_times times;
        /* Around the changes of 8 March and 1 November 2026. */
        int64_t t_s = (rng_below(&rng, 2) ? 1772953200 : 1793512800) - 3 * 86400 +
                      (int64_t)rng_below(&rng, 5 * 1440) * 60;
        hours_draw(&rng, &hours, days, (int32_t)(t_s / 86400));
        int64_t wanted = ready_by_walking(&hours, zone, t_s);
        hours_times(&hours, zone, SERVICE_STANDARD, (uint64_t)t_s * 1000, &times);
        if (wanted) {
            assert_int_equal(times.ready_ms, (uint64_t)wanted * 1000);
            assert_int_equal(times.is_today, times.day == zone_day(zone, t_s));
        } else {
            assert_true(times.ready_ms > (uint64_t)(t_s + 9 * 86400) * 1000);
        }
    }
    zone_free(zone);
}

/* A stretch says of every moment in it what looking again at that moment says. */
static void stretches_hold_to_their_end(void **state)
{
    struct rng rng;
    struct zone *zone = new_york();
    (void)state;
    rng_init(&rng, 12);
    for (int i = 0; i < 3000; i++) {
        struct hours_exception days[8];
        struct node_hours hours;
        struct hours_times at;
        struct hours_times again;
        uint64_t t = 1793512800000 - rng_below(&rng, 3 * 86400000);
        hours_draw(&rng, &hours, days, (int32_t)(t / 86400000));
        hours_times(&hours, zone, SERVICE_STANDARD, t, &at);
        assert_true(at.until_ms > t);
        uint64_t moments[] = {at.until_ms - 1, t + rng_below(&rng, at.until_ms - t)};
        for (int k = 0; k < 2; k++) {
            hours_times(&hours, zone, SERVICE_STANDARD, moments[k], &again);
            uint64_t moved = at.is_sliding ? moments[k] - t : 0;
            assert_int_equal(again.is_sliding, at.is_sliding);
            assert_int_equal(again.is_today, at.is_today);
            assert_int_equal(again.day, at.day);
            if (at.ready_ms != UINT64_MAX) {
                assert_int_equal(again.ready_ms, at.ready_ms + moved);
                assert_int_equal(again.start_ms, at.start_ms + moved);
            }
        }
    }
    zone_free(zone);
}

static void order_by_is_the_last_moment(void **state)
{
    struct rng rng;
    struct zone *zone = new_york();
    (void)state;
    rng_init(&rng, 13);
    for (int i = 0; i < 1000; i++) {
        struct hours_exception days[8];
        struct node_hours hours;
        struct hours_times at;
        struct hours_times other;
        uint64_t t = 1793512800000 - rng_below(&rng, 3 * 86400000);
        hours_draw(&rng, &hours, days, (int32_t)(t / 86400000));
        hours_times(&hours, zone, SERVICE_STANDARD, t, &at);
        if (at.ready_ms == UINT64_MAX) {
            continue;
        }
        uint64_t by = hours_order_by(&hours, zone, SERVICE_STANDARD, t);
        assert_true(by > t);
        hours_times(&hours, zone, SERVICE_STANDARD, by - 1, &other);
        assert_int_equal(other.day, at.day);
        hours_times(&hours, zone, SERVICE_STANDARD, by, &other);
        assert_true(other.ready_ms == UINT64_MAX || other.day != at.day);
    }
    zone_free(zone);
}

static void business_days_skip_the_weekend(void **state)
{
    (void)state;
    assert_int_equal(hours_business_day(20779, 1), 20780); /* Sunday to Monday */
    assert_int_equal(hours_business_day(20777, 1), 20780); /* Friday to Monday */
    assert_int_equal(hours_business_day(20778, 2), 20781); /* Saturday to Tuesday */
    assert_int_equal(hours_business_day(20780, 5), 20787);
    assert_int_equal(hours_business_day(20778, 0), 20778);
    for (int32_t from = -10; from < 10; from++) {
        int32_t day = from;
        for (uint32_t count = 1; count < 40; count++) { /* 1970-01-01 was a Thursday */
            do {
                day++;
            } while ((day + 7003) % 7 > 4);
            assert_int_equal(hours_business_day(from, count), day);
        }
    }
}

static const struct zone *zone_of_test(void *owner, const char *name)
{
    return strcmp(name, "America/New_York") == 0 ? owner : NULL;
}

/* Nodes with equal hours share them; the last one that leaves takes them away. Times that were
 * kept are those that are worked out. */
static void schedules_are_shared_and_kept(void **state)
{
    static struct schedules schedules;
    struct rng rng;
    struct zone *zone = new_york();
    struct zone_source source = {zone, zone_of_test};
    struct hours_exception days[3][8];
    struct node_hours hours[3];
    (void)state;
    rng_init(&rng, 14);
    assert_int_equal(schedules_init(&schedules), ERR_OK);
    schedules_zones(&schedules, &source);
    for (int i = 0; i < 3; i++) {
        hours_draw(&rng, &hours[i], days[i], 20750);
        memcpy(hours[i].tz, "America/New_York", 17);
    }
    uint64_t now = 1793512800000 - 3 * 86400000;
    for (int round = 0; round < 4000; round++) {
        uint16_t node = (uint16_t)rng_below(&rng, 60);
        uint32_t which = (uint32_t)rng_below(&rng, 4);
        const struct node_hours *own = which < 3 ? &hours[which] : NULL;
        assert_int_equal(schedules_set(&schedules, node, own), ERR_OK);
        assert_true(schedules.count <= 5);
        now += rng_below(&rng, 200000);
        for (uint32_t i = 0; i < schedules.count; i++) {
            uint32_t changed;
            if (schedules.all[i].refs && schedules.all[i].until_ms <= now) {
                schedule_refresh(&schedules, i, now, &changed);
            }
        }
        struct hours_times times;
        const struct schedule *kept = schedule_of(&schedules, node);
        hours_times(&kept->hours, kept->zone, SERVICE_STANDARD, now, &times);
        assert_true(kept->zone == (own ? zone : zone_utc()));
        assert_int_equal(schedule_ready(&kept->times[0], now), times.ready_ms);
        assert_int_equal(kept->times[0].day, times.day);
        assert_int_equal(kept->times[0].is_today, times.is_today);
        if (times.ready_ms != UINT64_MAX) {
            assert_int_equal(kept->times[0].slot, hours_local_hour(kept->zone, times.start_ms));
            assert_int_equal(kept->times[0].order_by_ms,
                             hours_order_by(&kept->hours, kept->zone, SERVICE_STANDARD, now));
        }
    }
    schedules_close(&schedules);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_is_what_walking_finds),
        cmocka_unit_test(stretches_hold_to_their_end),
        cmocka_unit_test(order_by_is_the_last_moment),
        cmocka_unit_test(business_days_skip_the_weekend),
        cmocka_unit_test(schedules_are_shared_and_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
