/* Marks of nodes: cut-off, capacity, age of counts; and the turns that bring them up to date. */
#include "dates.h"
#include "timing.h"

#include <stdlib.h>
#include <string.h>

enum { NO_NODE = 0xffff, NODES = 65536 };

enum err timing_init(struct timing *timing)
{
    memset(timing, 0, sizeof *timing);
    timing->stale_ms = UINT64_MAX;
    timing->unblock_ms = UINT64_MAX;
    travels_init(&timing->travels);
    timing->terms = calloc(NODES, sizeof *timing->terms);
    timing->fed_ms = calloc(NODES, sizeof *timing->fed_ms);
    timing->blocked_ms = calloc(NODES, sizeof *timing->blocked_ms);
    enum err err = timing->terms && timing->fed_ms && timing->blocked_ms ? ERR_OK : ERR_NOMEM;
    if (err == ERR_OK) {
        err = schedules_init(&timing->schedules);
    }
    if (err == ERR_OK) {
        err = capacity_init(&timing->capacity);
    }
    return err == ERR_OK ? carriers_init(&timing->carriers) : err;
}

void timing_close(struct timing *timing)
{
    schedules_close(&timing->schedules);
    capacity_close(&timing->capacity);
    carriers_close(&timing->carriers);
    travels_close(&timing->travels);
    free(timing->terms);
    free(timing->fed_ms);
    free(timing->blocked_ms);
    memset(timing, 0, sizeof *timing);
}

uint64_t timing_memory(void)
{
    return schedules_memory() + capacity_memory() + carriers_memory() +
           NODES * (uint64_t)(sizeof(struct node_terms) + 2 * sizeof(uint64_t));
}

/* When the node's counts get too old; UINT64_MAX: never. */
static uint64_t stale_at(const struct timing *timing, uint16_t node)
{
    uint64_t age = timing->terms[node].stock_max_age_min;
    return age ? timing->fed_ms[node] + age * DATE_MINUTE_MS : UINT64_MAX;
}

static uint8_t marks_of(const struct timing *timing, uint16_t node, enum service service)
{
    if (service == SERVICE_CARRY_OUT) {
        return 0; /* the customer has it already */
    }
    const struct schedule_times *times = &schedule_of(&timing->schedules, node)->times[service];
    bool is_missed = times->is_never || (service == SERVICE_SAME_DAY && !times->is_today);
    bool is_stale = stale_at(timing, node) <= timing->now_ms;
    bool is_blocked = timing->blocked_ms[node] > timing->now_ms;
    uint32_t marks = (is_missed ? MARK_CUTOFF : 0u) | (is_stale ? MARK_STALE : 0u) |
                     (is_blocked ? MARK_BLOCKED : 0u);
    if (timing->capacity.nodes[node]) {
        struct capacity_room room = capacity_room(&timing->capacity, node, service, times->slot);
        bool is_full = room.orders == 0 || room.units == 0;
        marks |= (is_full ? MARK_FULL : 0u) | (room.has_units ? MARK_METERED : 0u) |
                 (room.has_units && room.units < NETWORK_TIGHT_UNITS ? MARK_TIGHT : 0u);
    }
    return (uint8_t)marks;
}

static bool node_mark(struct timing *timing, struct network *network, uint16_t node,
                      uint32_t services)
{
    bool is_changed = false;
    for (uint32_t i = 0; i < SERVICE_COUNT; i++) {
        if (services >> i & 1) {
            is_changed |= network_mark(network, node, (enum service)i,
                                       marks_of(timing, node, (enum service)i));
        }
    }
    return is_changed;
}

/* The schedule's times changed for some services: the marks of its nodes. Nodes without hours of
 * their own are always open: only a new slot of capacity means something to them. */
static bool schedule_mark(struct timing *timing, struct network *network, uint32_t number,
                          uint32_t services)
{
    const struct schedules *schedules = &timing->schedules;
    bool is_changed = false;
    if (!services) {
        return false;
    }
    if (number != SCHEDULE_DEFAULT) {
        for (uint16_t node = schedules->all[number].first_node; node != NO_NODE;
             node = schedules->next_node[node]) {
            is_changed |= node_mark(timing, network, node, services);
        }
        return is_changed;
    }
    for (uint32_t node = 0; node < network->count && timing->capacity.count > 0; node++) {
        if (timing->capacity.nodes[node] && schedules->schedule_of[node] == SCHEDULE_DEFAULT) {
            is_changed |= node_mark(timing, network, (uint16_t)node, services);
        }
    }
    return is_changed;
}

static bool schedule_turn(struct timing *timing, struct network *network, uint32_t number)
{
    uint32_t services;
    schedule_refresh(&timing->schedules, number, timing->now_ms, &services);
    return schedule_mark(timing, network, number, services);
}

static bool schedules_turn(struct timing *timing, struct network *network)
{
    struct schedules *schedules = &timing->schedules;
    bool is_changed = false;
    uint64_t until_ms = UINT64_MAX;
    for (uint32_t i = 0; i < schedules->count; i++) {
        struct schedule *schedule = &schedules->all[i];
        if (schedule->refs && schedule->until_ms <= timing->now_ms) {
            is_changed |= schedule_turn(timing, network, i);
        }
        if (schedule->refs && schedule->until_ms < until_ms) {
            until_ms = schedule->until_ms;
        }
    }
    schedules->until_ms = until_ms;
    return is_changed;
}

static bool ages_turn(struct timing *timing, struct network *network)
{
    bool is_changed = false;
    timing->stale_ms = UINT64_MAX;
    for (uint32_t node = 0; node < network->count && timing->ages > 0; node++) {
        uint64_t at = stale_at(timing, (uint16_t)node);
        if (at <= timing->now_ms) {
            is_changed |= node_mark(timing, network, (uint16_t)node, UINT32_MAX);
        } else if (at < timing->stale_ms) {
            timing->stale_ms = at;
        }
    }
    return is_changed;
}

static bool blocks_turn(struct timing *timing, struct network *network)
{
    bool is_changed = false;
    timing->unblock_ms = UINT64_MAX;
    for (uint32_t node = 0; node < network->count; node++) {
        uint64_t at = timing->blocked_ms[node];
        if (at > timing->now_ms) {
            timing->unblock_ms = at < timing->unblock_ms ? at : timing->unblock_ms;
        } else if (at) {
            is_changed |= node_mark(timing, network, (uint16_t)node, UINT32_MAX);
        }
    }
    return is_changed;
}

bool timing_turn(struct timing *timing, struct network *network, uint64_t now_ms)
{
    bool is_changed = false;
    timing->now_ms = now_ms;
    if (timing->schedules.until_ms <= now_ms) {
        is_changed = schedules_turn(timing, network);
    }
    if (timing->stale_ms <= now_ms) {
        is_changed |= ages_turn(timing, network);
    }
    if (timing->unblock_ms <= now_ms) {
        is_changed |= blocks_turn(timing, network);
    }
    return is_changed;
}

uint64_t timing_due(const struct timing *timing)
{
    bool is_needed = timing->schedules.has_hours || timing->capacity.count > 0;
    uint64_t until_ms = is_needed ? timing->schedules.until_ms : UINT64_MAX;
    until_ms = until_ms < timing->stale_ms ? until_ms : timing->stale_ms;
    return until_ms < timing->unblock_ms ? until_ms : timing->unblock_ms;
}

bool timing_node(struct timing *timing, struct network *network, uint16_t node, uint64_t now_ms)
{
    timing->now_ms = now_ms > timing->now_ms ? now_ms : timing->now_ms;
    struct schedules *schedules = &timing->schedules;
    uint32_t number = schedules->schedule_of[node];
    bool is_changed = false;
    if (schedules->all[number].until_ms <= timing->now_ms) {
        is_changed = schedule_turn(timing, network, number);
        if (schedules->all[number].until_ms < schedules->until_ms) {
            schedules->until_ms = schedules->all[number].until_ms;
        }
    }
    uint64_t stale = stale_at(timing, node);
    if (stale < timing->stale_ms && stale > timing->now_ms) {
        timing->stale_ms = stale;
    }
    uint64_t unblock = timing->blocked_ms[node];
    if (unblock > timing->now_ms && unblock < timing->unblock_ms) {
        timing->unblock_ms = unblock;
    }
    return node_mark(timing, network, node, UINT32_MAX) || is_changed;
}

bool timing_has_room(const struct timing *timing, uint16_t node, enum service service,
                     uint64_t orders, uint64_t units)
{
    if (!timing->capacity.nodes[node] || service == SERVICE_CARRY_OUT) {
        return true;
    }
    const uint32_t slot = schedule_of(&timing->schedules, node)->times[service].slot;
    const struct capacity_room room = capacity_room(&timing->capacity, node, service, slot);
    return orders < room.orders && units <= room.units;
}
