/* Calendar arithmetic of a node: spans of open time, walked day by day. */
#include "hours.h"

#include <string.h>

#include "dates.h"
#include "hash.h"

enum { SECOND = 1000, DAY_S = 86400 };

static const struct hours_day whole_day = {1, {{0, HOURS_DAY_MIN}}};

void hours_default(struct node_hours *hours)
{
    memset(hours, 0, sizeof *hours);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        hours->cutoff[i] = MINUTE_NONE;
    }
}

static bool day_equal(const struct hours_day *a, const struct hours_day *b)
{
    return a->count == b->count && memcmp(a->spans, b->spans, a->count * sizeof a->spans[0]) == 0;
}

static bool calendar_equal(const struct node_hours *a, const struct node_hours *b)
{
    bool is_equal = a->has_calendar == b->has_calendar && a->has_week == b->has_week &&
                    a->exception_count == b->exception_count;
    for (int i = 0; i < 7 && is_equal; i++) {
        is_equal = day_equal(&a->week[i], &b->week[i]);
    }
    for (uint32_t i = 0; i < a->exception_count && is_equal; i++) {
        is_equal = a->exceptions[i].day == b->exceptions[i].day &&
                   day_equal(&a->exceptions[i].hours, &b->exceptions[i].hours);
    }
    return is_equal;
}

bool hours_equal(const struct node_hours *a, const struct node_hours *b)
{
    return strcmp(a->tz, b->tz) == 0 && memcmp(a->cutoff, b->cutoff, sizeof a->cutoff) == 0 &&
           memcmp(a->processing_min, b->processing_min, sizeof a->processing_min) == 0 &&
           calendar_equal(a, b);
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    return (hash ^ hash_fixed(bytes, size)) * 0x9e3779b97f4a7c15u;
}

/* A service without a cut-off or processing time adds nothing: the hash stays when there are more
 * services one day. */
uint64_t hours_hash(const struct node_hours *hours)
{
    uint64_t hash = mix(1, hours->tz, strlen(hours->tz));
    for (uint32_t i = 0; i < SERVICE_COUNT; i++) {
        uint32_t own[] = {i, hours->cutoff[i], hours->processing_min[i]};
        if (own[1] != MINUTE_NONE || own[2]) {
            hash = mix(hash, own, sizeof own);
        }
    }
    hash += (hours->has_calendar ? 2u : 0) + (hours->has_week ? 4u : 0);
    for (int i = 0; i < 7; i++) {
        hash = mix(hash, hours->week[i].spans, hours->week[i].count * sizeof(struct hours_span));
    }
    for (uint32_t i = 0; i < hours->exception_count; i++) {
        const struct hours_exception *own = &hours->exceptions[i];
        hash = mix(hash, &own->day, sizeof own->day);
        hash = mix(hash, own->hours.spans, own->hours.count * sizeof(struct hours_span));
    }
    return hash;
}

/* Monday is 0; 1970-01-01 was a Thursday. */
static int weekday(int32_t day)
{
    return (int)(((int64_t)day % 7 + 7 + 3) % 7);
}

static const struct hours_day *day_of(const struct node_hours *hours, int32_t day)
{
    uint32_t low = 0;
    uint32_t high = hours->exception_count;
    if (!hours->has_calendar) {
        return &whole_day;
    }
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (hours->exceptions[middle].day < day) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < hours->exception_count && hours->exceptions[low].day == day) {
        return &hours->exceptions[low].hours;
    }
    return hours->has_week ? &hours->week[weekday(day)] : &whole_day;
}

uint64_t hours_moment(const struct zone *zone, int32_t day, uint32_t minute)
{
    return (uint64_t)zone_moment(zone, (int64_t)day * DAY_S + minute * 60) * SECOND;
}

static int32_t local_day(const struct zone *zone, uint64_t moment_ms)
{
    return (int32_t)zone_day(zone, (int64_t)(moment_ms / SECOND));
}

/* A walk over open time on behalf of one order. */
struct walk {
    uint64_t t_ms;    /* when it was placed */
    uint64_t from_ms; /* no work before */
    uint64_t left_ms; /* of work */
    bool is_started;
};

static void until_min(struct hours_times *out, uint64_t moment_ms)
{
    out->until_ms = moment_ms < out->until_ms ? moment_ms : out->until_ms;
}

/* Work in one span of open time. True: it is ready. */
static bool work(struct walk *walk, uint64_t from, uint64_t to, struct hours_times *out)
{
    if (to <= walk->from_ms || to <= from) {
        return false;
    }
    uint64_t begin = from > walk->from_ms ? from : walk->from_ms;
    if (!walk->is_started) {
        walk->is_started = true;
        out->start_ms = begin;
        out->is_sliding = from <= walk->t_ms && walk->from_ms == walk->t_ms;
        until_min(out, out->is_sliding ? to : from > walk->t_ms ? from : UINT64_MAX);
    }
    if (walk->left_ms > to - begin) {
        walk->left_ms -= to - begin;
        return false;
    }
    out->ready_ms = begin + walk->left_ms;
    if (out->is_sliding && walk->left_ms > 0) {
        until_min(out, walk->t_ms + (to - out->ready_ms) + 1);
    }
    return true;
}

static bool work_day(struct walk *walk, const struct node_hours *hours, const struct zone *zone,
                     int32_t day, struct hours_times *out)
{
    const struct hours_day *own = day_of(hours, day);
    for (uint32_t i = 0; i < own->count; i++) {
        uint64_t from = hours_moment(zone, day, own->spans[i].from);
        uint64_t to = hours_moment(zone, day, own->spans[i].to);
        if (work(walk, from, to, out)) {
            out->day = day;
            return true;
        }
    }
    return false;
}

void hours_times(const struct node_hours *hours, const struct zone *zone, enum service service,
                 uint64_t t_ms, struct hours_times *out)
{
    int32_t today = local_day(zone, t_ms);
    uint64_t tomorrow_ms = hours_moment(zone, today + 1, 0);
    struct walk walk = {t_ms, t_ms, (uint64_t)hours->processing_min[service] * DATE_MINUTE_MS,
                        false};
    *out = (struct hours_times){.until_ms = tomorrow_ms, .ready_ms = UINT64_MAX};
    if (hours->cutoff[service] != MINUTE_NONE) {
        uint64_t cutoff_ms = hours_moment(zone, today, hours->cutoff[service]);
        if (t_ms >= cutoff_ms) {
            walk.from_ms = tomorrow_ms;
        } else {
            until_min(out, cutoff_ms);
        }
    }
    int32_t first = walk.from_ms == t_ms ? today : today + 1;
    for (int32_t day = first; day <= today + HOURS_HORIZON_DAYS; day++) {
        if (work_day(&walk, hours, zone, day, out)) {
            out->is_today = day == today;
            return;
        }
    }
}

uint64_t hours_order_by(const struct node_hours *hours, const struct zone *zone,
                        enum service service, uint64_t t_ms)
{
    struct hours_times times;
    hours_times(hours, zone, service, t_ms, &times);
    const int32_t day = times.day;
    uint64_t moment_ms = times.until_ms;
    for (int i = 0; i < HOURS_HORIZON_DAYS * (HOURS_SPANS_MAX * 2 + 2); i++) {
        hours_times(hours, zone, service, moment_ms, &times);
        if (times.ready_ms == UINT64_MAX || times.day != day) {
            break;
        }
        moment_ms = times.until_ms;
    }
    return moment_ms;
}

uint32_t hours_local_hour(const struct zone *zone, uint64_t moment_ms)
{
    int64_t moment_s = (int64_t)(moment_ms / SECOND);
    return (uint32_t)((moment_s + zone_offset(zone, moment_s)) / 3600);
}

/* Where the clock is put back or forward the hour may end early: it is looked at again then. */
uint64_t hours_hour_end(const struct zone *zone, uint64_t moment_ms)
{
    int64_t moment_s = (int64_t)(moment_ms / SECOND);
    int64_t local_s = moment_s + zone_offset(zone, moment_s);
    int64_t end_s = moment_s + 3600 - local_s % 3600;
    int64_t change_s = zone_moment(zone, (local_s / 3600 + 1) * 3600);
    if (change_s > moment_s && change_s < end_s) {
        end_s = change_s;
    }
    return (uint64_t)end_s * SECOND;
}

int32_t hours_business_day(int32_t day, uint32_t count)
{
    const uint32_t own = (uint32_t)weekday(day);
    if (count == 0) {
        return day;
    }
    const uint32_t from = own > 4 ? 4 : own; /* a day off counts like the Friday before it */
    const uint32_t rest = count % 5;
    const uint32_t days = count / 5 * 7 + rest + (from + rest > 4 ? 2 : 0);
    return day - (int32_t)(own - from) + (int32_t)days;
}
