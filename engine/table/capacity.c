/* Meters of nodes: limits, exceptions and what is used. */
#include "capacity.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "prefetch.h"

enum err capacity_init(struct capacity *capacity)
{
    memset(capacity, 0, sizeof *capacity);
    capacity->nodes = calloc(CAPACITY_NODES, sizeof(struct capacity_node *));
    return capacity->nodes ? ERR_OK : ERR_NOMEM;
}

void capacity_close(struct capacity *capacity)
{
    for (uint32_t i = 0; capacity->count > 0 && i < CAPACITY_NODES; i++) {
        capacity->count -= capacity->nodes[i] != NULL;
        free(capacity->nodes[i]);
    }
    free(capacity->nodes);
    memset(capacity, 0, sizeof *capacity);
}

uint64_t capacity_memory(void)
{
    return CAPACITY_NODES * (uint64_t)sizeof(struct capacity_node *);
}

void capacity_prefetch(const struct capacity *capacity, uint16_t node)
{
    prefetch_read(&capacity->nodes[node]);
}

/* The line after the first one too: the meter does not begin at a line's start, and its slots lie
 * behind what it is told by. */
void capacity_prefetch_meter(const struct capacity *capacity, uint16_t node)
{
    struct capacity_node *own = capacity->nodes[node];
    if (own) {
        prefetch_write(own);
        prefetch_write((char *)own + 64);
    }
}

struct capacity_meter *capacity_find(const struct capacity *capacity, uint16_t node, uint8_t kind,
                                     uint8_t per, uint8_t service)
{
    struct capacity_node *own = capacity->nodes[node];
    for (uint32_t i = 0; own && i < own->count; i++) {
        struct capacity_meter *meter = &own->meters[i];
        if (meter->kind == kind && meter->per == per && meter->service == service) {
            return meter;
        }
    }
    return NULL;
}

enum err capacity_need(struct capacity *capacity, uint16_t node, const struct capacity_rule *rule,
                       uint64_t lsn, struct capacity_meter **out)
{
    *out = capacity_find(capacity, node, rule->kind, rule->per, rule->service);
    if (*out) {
        return ERR_OK;
    }
    struct capacity_node *own = capacity->nodes[node];
    if (!own) {
        own = calloc(1, sizeof *own);
        if (!own) {
            return ERR_NOMEM;
        }
        capacity->nodes[node] = own;
        capacity->count++;
    }
    if (own->count == CAPACITY_METERS_MAX) {
        return ERR_FULL;
    }
    *out = &own->meters[own->count++];
    **out = (struct capacity_meter){.kind = rule->kind,
                                    .per = rule->per,
                                    .service = rule->service,
                                    .limit = CAPACITY_NO_LIMIT,
                                    .since_lsn = lsn};
    capacity->unit_meters += rule->kind == CAPACITY_UNITS;
    return ERR_OK;
}

void capacity_remove(struct capacity *capacity, uint16_t node, struct capacity_meter *meter)
{
    struct capacity_node *own = capacity->nodes[node];
    uint32_t at = (uint32_t)(meter - own->meters);
    CHECK(at < own->count);
    capacity->unit_meters -= meter->kind == CAPACITY_UNITS;
    memmove(meter, meter + 1, (own->count - at - 1) * sizeof *meter);
    if (--own->count == 0) {
        free(own);
        capacity->nodes[node] = NULL;
        capacity->count--;
    }
}

static void exception_drop(struct capacity_meter *meter, uint32_t at)
{
    struct capacity_exception *own = &meter->exceptions[at];
    memmove(own, own + 1, (meter->exception_count - at - 1u) * sizeof *own);
    meter->exception_count--;
}

static void exception_set(struct capacity_meter *meter, const struct capacity_rule *rule)
{
    uint32_t earliest = 0;
    for (uint32_t i = meter->exception_count; i-- > 0;) {
        const struct capacity_exception *own = &meter->exceptions[i];
        if (own->from == rule->from && own->to == rule->to) {
            exception_drop(meter, i);
        }
    }
    for (uint32_t i = 1; i < meter->exception_count; i++) {
        earliest = meter->exceptions[i].to < meter->exceptions[earliest].to ? i : earliest;
    }
    if (rule->is_removed) {
        return;
    }
    if (meter->exception_count == CAPACITY_EXCEPTIONS_MAX) {
        exception_drop(meter, earliest);
    }
    meter->exceptions[meter->exception_count++] =
        (struct capacity_exception){rule->from, rule->to, rule->limit};
}

void capacity_rule_set(struct capacity_meter *meter, const struct capacity_rule *rule)
{
    if (rule->is_exception) {
        exception_set(meter, rule);
    } else {
        meter->limit = rule->limit;
    }
}

uint32_t capacity_limit(const struct capacity_meter *meter, uint32_t hour)
{
    for (uint32_t i = meter->exception_count; i-- > 0;) {
        const struct capacity_exception *own = &meter->exceptions[i];
        if (hour >= own->from && hour < own->to) {
            return own->limit;
        }
    }
    return meter->limit;
}

static uint32_t slot_of(const struct capacity_meter *meter, uint32_t hour)
{
    return meter->per == CAPACITY_HOUR ? hour : hour / 24;
}

/* The last slot that is not after at; slot_count: none. */
static uint32_t slot_find(const struct capacity_meter *meter, uint32_t at)
{
    uint32_t i = meter->slot_count;
    while (i > 0 && meter->slots[i - 1].at > at) {
        i--;
    }
    return i > 0 ? i - 1 : meter->slot_count;
}

uint32_t capacity_used(const struct capacity_meter *meter, uint32_t hour)
{
    uint32_t at = slot_of(meter, hour);
    uint32_t i = slot_find(meter, at);
    return i < meter->slot_count && meter->slots[i].at == at ? meter->slots[i].used : 0;
}

bool capacity_has_slot(const struct capacity_meter *meter, uint32_t hour)
{
    uint32_t at = slot_of(meter, hour);
    uint32_t i = slot_find(meter, at);
    return i < meter->slot_count && meter->slots[i].at == at;
}

struct capacity_room capacity_room(const struct capacity *capacity, uint16_t node,
                                   enum service service, uint32_t hour)
{
    struct capacity_room room = {CAPACITY_NO_LIMIT, CAPACITY_NO_LIMIT, false};
    const struct capacity_node *own = capacity->nodes[node];
    for (uint32_t i = 0; own && i < own->count; i++) {
        const struct capacity_meter *meter = &own->meters[i];
        if (!capacity_is_of(meter, service)) {
            continue;
        }
        uint32_t free = capacity_free(meter, hour);
        uint32_t *least = meter->kind == CAPACITY_UNITS ? &room.units : &room.orders;
        room.has_units = room.has_units || meter->kind == CAPACITY_UNITS;
        *least = free < *least ? free : *least;
    }
    return room;
}

/* A new slot behind number i; the earliest leaves where there is no room. */
static struct capacity_slot *slot_make(struct capacity_meter *meter, uint32_t i, uint32_t at)
{
    if (meter->slot_count == CAPACITY_SLOTS) {
        if (i == 0) {
            return NULL;
        }
        memmove(meter->slots, meter->slots + 1, --meter->slot_count * sizeof meter->slots[0]);
        i--;
    }
    struct capacity_slot *slot = &meter->slots[i];
    memmove(slot + 1, slot, (meter->slot_count - i) * sizeof *slot);
    meter->slot_count++;
    *slot = (struct capacity_slot){at, 0};
    return slot;
}

bool capacity_count(struct capacity_meter *meter, uint32_t hour, int64_t by)
{
    uint32_t at = slot_of(meter, hour);
    uint32_t i = slot_find(meter, at);
    bool is_there = i < meter->slot_count && meter->slots[i].at == at;
    struct capacity_slot *slot = is_there ? &meter->slots[i] : NULL;
    if (!slot && by > 0) {
        slot = slot_make(meter, i == meter->slot_count ? 0 : i + 1, at);
    }
    if (!slot) {
        return false;
    }
    int64_t used = slot->used + by;
    slot->used = used < 0 ? 0 : used > UINT32_MAX ? UINT32_MAX : (uint32_t)used;
    return true;
}
