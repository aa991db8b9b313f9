/* Ring and chains. A chain ends where a number is no longer in the ring. */
#include "movement.h"

#include <string.h>

#include "check.h"
#include "mem.h"
#include "prefetch.h"

struct movement_slot {
    uint64_t newest; /* number, 0 = empty slot */
    uint64_t at_max; /* of that movement: beside it, so that the next one need not look at it */
    uint32_t item;
    uint16_t node;
};

enum { AHEAD = 8 };

static uint64_t slot_count(uint32_t max)
{
    uint64_t count = 1024;
    while (count < (uint64_t)max * 2) {
        count *= 2;
    }
    return count;
}

enum err movements_init(struct movements *movements, uint32_t max)
{
    memset(movements, 0, sizeof *movements);
    movements->max = max;
    movements->next = 1;
    movements->mask = slot_count(max) - 1;
    void *memory;
    enum err err = mem_reserve((size_t)max * sizeof(struct movement), &memory);
    if (err != ERR_OK) {
        return err;
    }
    movements->ring = memory;
    err = mem_reserve((movements->mask + 1) * sizeof(struct movement_slot), &memory);
    if (err != ERR_OK) {
        movements_close(movements);
        return err;
    }
    movements->slots = memory;
    mem_populate(memory, (movements->mask + 1) * sizeof(struct movement_slot));
    return ERR_OK;
}

void movements_close(struct movements *movements)
{
    mem_release(movements->ring, (size_t)movements->max * sizeof(struct movement));
    mem_release(movements->slots, (movements->mask + 1) * sizeof(struct movement_slot));
    memset(movements, 0, sizeof *movements);
}

uint64_t movements_memory(uint32_t max)
{
    return mem_size((size_t)max * sizeof(struct movement)) +
           mem_size(slot_count(max) * sizeof(struct movement_slot));
}

uint64_t movements_count(const struct movements *movements)
{
    uint64_t ever = movements->next - 1;
    return ever < movements->max ? ever : movements->max;
}

uint64_t movements_bytes(const struct movements *movements)
{
    return movements_count(movements) * sizeof(struct movement) +
           (movements->mask + 1) * sizeof(struct movement_slot);
}

static uint64_t home(const struct movements *movements, uint32_t item, uint16_t node)
{
    uint64_t x = ((uint64_t)item << 16 | node) * 0x9e3779b97f4a7c15u;
    return (x >> 32 ^ x >> 52) & movements->mask;
}

static uint64_t find(const struct movements *movements, uint32_t item, uint16_t node)
{
    uint64_t at = home(movements, item, node);
    while (movements->slots[at].newest &&
           (movements->slots[at].item != item || movements->slots[at].node != node)) {
        at = (at + 1) & movements->mask;
    }
    return at;
}

void movements_prefetch(const struct movements *movements, uint32_t item, uint16_t node)
{
    prefetch_write(&movements->slots[home(movements, item, node)]);
}

static const struct movement *movement_at(const struct movements *movements, uint64_t number)
{
    const struct movement *movement = &movements->ring[number % movements->max];
    return number && movement->number == number ? movement : NULL;
}

static void slot_remove(struct movements *movements, uint64_t hole)
{
    uint64_t at = hole;
    for (;;) {
        at = (at + 1) & movements->mask;
        const struct movement_slot *slot = &movements->slots[at];
        if (!slot->newest) {
            break;
        }
        uint64_t wanted = home(movements, slot->item, slot->node);
        if (((at - wanted) & movements->mask) >= ((at - hole) & movements->mask)) {
            movements->slots[hole] = *slot;
            hole = at;
        }
    }
    memset(&movements->slots[hole], 0, sizeof movements->slots[hole]);
}

/* The overwritten one may have been the last of its cell: then the cell's slot goes too. */
static void forget(struct movements *movements, const struct movement *lost)
{
    uint64_t at = find(movements, lost->item, lost->node);
    if (movements->slots[at].newest == lost->number) {
        slot_remove(movements, at);
    }
    if (lost->at_ms > movements->lost_ms) {
        movements->lost_ms = lost->at_ms;
    }
}

bool movements_add(struct movements *movements, uint32_t item, uint16_t node, int32_t delta,
                   uint64_t at_ms, struct movement *lost_out)
{
    uint64_t number = movements->next++;
    struct movement *place = &movements->ring[number % movements->max];
    bool has_lost = place->number != 0;
    movements->latest_ms = at_ms > movements->latest_ms ? at_ms : movements->latest_ms;
    *lost_out = *place;
    const struct movement *ahead = &movements->ring[(number + AHEAD) % movements->max];
    movements_prefetch(movements, ahead->item, ahead->node); /* will be overwritten soon */
    if (has_lost) {
        forget(movements, lost_out);
    }
    struct movement_slot *slot = &movements->slots[find(movements, item, node)];
    uint64_t at_max = slot->newest && slot->at_max > at_ms ? slot->at_max : at_ms;
    *place = (struct movement){number, at_ms, at_max, slot->newest, item, delta, node};
    *slot = (struct movement_slot){number, at_max, item, node};
    return has_lost;
}

int64_t movements_sum(const struct movements *movements, uint32_t item, uint16_t node,
                      uint64_t after_ms)
{
    int64_t sum = 0;
    uint64_t number = movements->slots[find(movements, item, node)].newest;
    const struct movement *movement;
    while ((movement = movement_at(movements, number)) && movement->at_max > after_ms) {
        sum += movement->at_ms > after_ms ? movement->delta : 0;
        number = movement->older;
    }
    return sum;
}

uint64_t movements_latest(const struct movements *movements, uint32_t item, uint16_t node)
{
    const struct movement_slot *slot = &movements->slots[find(movements, item, node)];
    return slot->newest ? slot->at_max : 0;
}
