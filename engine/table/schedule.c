/* Hours kept once for all nodes that share them. */
#include "schedule.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mem.h"

enum { CHAINS = 4096, NO_NODE = 0xffff };

enum err schedules_init(struct schedules *schedules)
{
    void *memory;
    memset(schedules, 0, sizeof *schedules);
    enum err err = mem_reserve(sizeof(struct schedule) * SCHEDULE_MAX, &memory);
    if (err != ERR_OK) {
        return err;
    }
    schedules->all = memory;
    schedules->schedule_of = calloc(NODE_LINKS, sizeof(uint16_t));
    schedules->prev = malloc(NODE_LINKS * sizeof(uint16_t));
    schedules->next_node = malloc(NODE_LINKS * sizeof(uint16_t));
    if (!schedules->schedule_of || !schedules->prev || !schedules->next_node) {
        schedules_close(schedules);
        return ERR_NOMEM;
    }
    struct schedule *first = &schedules->all[SCHEDULE_DEFAULT];
    hours_default(&first->hours);
    first->zone = zone_utc();
    first->first_node = NO_NODE;
    first->refs = 1;
    schedules->count = 1;
    return ERR_OK;
}

static void exceptions_free(struct schedule *schedule)
{
    free((void *)(uintptr_t)schedule->hours.exceptions);
    schedule->hours.exceptions = NULL;
}

void schedules_close(struct schedules *schedules)
{
    for (uint32_t i = 0; i < schedules->count; i++) {
        exceptions_free(&schedules->all[i]);
    }
    free(schedules->schedule_of);
    free(schedules->prev);
    free(schedules->next_node);
    mem_release(schedules->all, sizeof(struct schedule) * SCHEDULE_MAX);
    memset(schedules, 0, sizeof *schedules);
}

uint64_t schedules_memory(void)
{
    return mem_size(sizeof(struct schedule) * SCHEDULE_MAX) + 3 * NODE_LINKS * sizeof(uint16_t);
}

static uint32_t find(const struct schedules *schedules, const struct node_hours *hours,
                     uint64_t hash)
{
    uint32_t at = schedules->chains[hash >> 52];
    while (at &&
           (schedules->all[at].hash != hash || !hours_equal(&schedules->all[at].hours, hours))) {
        at = schedules->all[at].next;
    }
    return at;
}

static void zone_look_up(struct schedules *schedules, struct schedule *schedule)
{
    const struct zone_source *source = &schedules->zones;
    const struct zone *zone = NULL;
    if (source->find && schedule->hours.tz[0]) {
        zone = source->find(source->owner, schedule->hours.tz);
    }
    schedule->zone = zone ? zone : zone_utc();
    schedule->until_ms = 0;
    schedule->delivery_count = 0;
    for (int i = 0; i < SERVICE_COUNT; i++) {
        schedule->times[i].until_ms = 0;
    }
}

static enum err exceptions_copy(struct schedule *schedule)
{
    size_t size = schedule->hours.exception_count * sizeof(struct hours_exception);
    struct hours_exception *copy = NULL;
    if (size) {
        copy = malloc(size);
        if (!copy) {
            return ERR_NOMEM;
        }
        memcpy(copy, schedule->hours.exceptions, size);
    }
    schedule->hours.exceptions = copy;
    return ERR_OK;
}

static enum err add(struct schedules *schedules, const struct node_hours *hours, uint64_t hash,
                    uint32_t *number_out)
{
    uint32_t number = schedules->first_free ? schedules->first_free : schedules->count;
    CHECK(number < SCHEDULE_MAX); /* one for each node and the default are the most */
    struct schedule *schedule = &schedules->all[number];
    struct schedule fresh = {.hours = *hours, .hash = hash, .first_node = NO_NODE};
    enum err err = exceptions_copy(&fresh);
    if (err != ERR_OK) {
        return err;
    }
    if (schedules->first_free) {
        schedules->first_free = schedule->next;
    } else {
        schedules->count++;
    }
    *schedule = fresh;
    schedules->exception_bytes += hours->exception_count * sizeof(struct hours_exception);
    schedule->next = schedules->chains[hash >> 52];
    schedules->chains[hash >> 52] = number;
    zone_look_up(schedules, schedule);
    *number_out = number;
    return ERR_OK;
}

static void drop(struct schedules *schedules, uint32_t number)
{
    struct schedule *schedule = &schedules->all[number];
    uint32_t *at = &schedules->chains[schedule->hash >> 52];
    while (*at != number) {
        CHECK(*at);
        at = &schedules->all[*at].next;
    }
    *at = schedule->next;
    exceptions_free(schedule);
    schedules->exception_bytes -=
        schedule->hours.exception_count * sizeof(struct hours_exception);
    schedule->hours.exception_count = 0;
    schedule->until_ms = UINT64_MAX;
    schedule->next = schedules->first_free;
    schedules->first_free = number;
}

static void leave(struct schedules *schedules, uint16_t node)
{
    uint32_t number = schedules->schedule_of[node];
    if (number == SCHEDULE_DEFAULT) {
        return;
    }
    struct schedule *schedule = &schedules->all[number];
    uint16_t prev = schedules->prev[node];
    uint16_t next = schedules->next_node[node];
    if (prev == NO_NODE) {
        schedule->first_node = next;
    } else {
        schedules->next_node[prev] = next;
    }
    if (next != NO_NODE) {
        schedules->prev[next] = prev;
    }
    if (--schedule->refs == 0) {
        drop(schedules, number);
    }
}

static void join(struct schedules *schedules, uint16_t node, uint32_t number)
{
    struct schedule *schedule = &schedules->all[number];
    schedules->schedule_of[node] = (uint16_t)number;
    if (number == SCHEDULE_DEFAULT) {
        return;
    }
    schedules->prev[node] = NO_NODE;
    schedules->next_node[node] = schedule->first_node;
    if (schedule->first_node != NO_NODE) {
        schedules->prev[schedule->first_node] = node;
    }
    schedule->first_node = node;
    schedule->refs++;
}

enum err schedules_set(struct schedules *schedules, uint16_t node, const struct node_hours *hours)
{
    uint32_t number = SCHEDULE_DEFAULT;
    if (hours) {
        uint64_t hash = hours_hash(hours);
        number = find(schedules, hours, hash);
        enum err err = number ? ERR_OK : add(schedules, hours, hash, &number);
        if (err != ERR_OK) {
            return err;
        }
        schedules->has_hours = true;
    }
    if (schedules->schedule_of[node] != number) {
        leave(schedules, node);
        join(schedules, node, number);
    }
    return ERR_OK;
}

const struct node_hours *schedules_hours(const struct schedules *schedules, uint16_t node)
{
    uint32_t number = schedules->schedule_of[node];
    return number == SCHEDULE_DEFAULT ? NULL : &schedules->all[number].hours;
}

void schedules_zones(struct schedules *schedules, const struct zone_source *source)
{
    schedules->zones = *source;
    for (uint32_t i = 0; i < schedules->count; i++) {
        if (schedules->all[i].refs) {
            zone_look_up(schedules, &schedules->all[i]);
        }
    }
    schedules->until_ms = 0;
}

/* True: the slot or is_today changed. */
static bool service_refresh(struct schedule *schedule, enum service service, uint64_t now_ms)
{
    struct schedule_times *own = &schedule->times[service];
    const struct schedule_times before = *own;
    struct hours_times times;
    hours_times(&schedule->hours, schedule->zone, service, now_ms, &times);
    own->is_never = times.ready_ms == UINT64_MAX;
    own->is_sliding = times.is_sliding && !own->is_never;
    own->ready = times.ready_ms - (own->is_sliding ? now_ms : 0);
    own->is_today = times.is_today;
    own->until_ms = times.until_ms;
    own->slot = own->is_never ? 0 : hours_local_hour(schedule->zone, times.start_ms);
    if (own->is_sliding) {
        uint64_t end = hours_hour_end(schedule->zone, now_ms);
        own->until_ms = end < own->until_ms ? end : own->until_ms;
    }
    if (own->day != times.day || before.until_ms == 0 || now_ms >= before.order_by_ms) {
        own->order_by_ms = hours_order_by(&schedule->hours, schedule->zone, service, now_ms);
    }
    own->day = times.day;
    return before.until_ms == 0 || before.slot != own->slot || before.is_today != own->is_today ||
           before.is_never != own->is_never;
}

static struct schedule_delivery delivery(const struct zone *zone, int32_t day)
{
    return (struct schedule_delivery){hours_moment(zone, day, PROMISE_FROM_MIN),
                                      hours_moment(zone, day, PROMISE_TO_MIN)};
}

/* Anew on each day: midnight ends the times of every service. */
static void deliveries_refresh(struct schedule *schedule, uint64_t now_ms)
{
    const int32_t today = (int32_t)zone_day(schedule->zone, (int64_t)(now_ms / 1000));
    if (schedule->delivery_count > 0 && schedule->first_day == today) {
        return;
    }
    for (int32_t i = 0; i < SCHEDULE_DAYS; i++) {
        schedule->deliveries[i] = delivery(schedule->zone, today + i);
    }
    schedule->first_day = today;
    schedule->delivery_count = SCHEDULE_DAYS;
}

struct schedule_delivery schedule_delivery(const struct schedule *schedule, int32_t day)
{
    const uint32_t at = (uint32_t)day - (uint32_t)schedule->first_day;
    return at < schedule->delivery_count ? schedule->deliveries[at]
                                         : delivery(schedule->zone, day);
}

void schedule_refresh(struct schedules *schedules, uint32_t number, uint64_t now_ms,
                      uint32_t *changed_out)
{
    struct schedule *schedule = &schedules->all[number];
    uint64_t until_ms = UINT64_MAX;
    *changed_out = 0;
    deliveries_refresh(schedule, now_ms);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        struct schedule_times *own = &schedule->times[i];
        if (own->until_ms <= now_ms && service_refresh(schedule, (enum service)i, now_ms)) {
            *changed_out |= 1u << i;
        }
        until_ms = own->until_ms < until_ms ? own->until_ms : until_ms;
    }
    schedule->until_ms = until_ms;
}
