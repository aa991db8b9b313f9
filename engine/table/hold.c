/* Pool with a free list, and an open-addressing table whose removal shifts back. */
#include "hold.h"

#include <string.h>

#include "check.h"
#include "mem.h"
#include "prefetch.h"

/* Eight bytes, so that none is on two cache lines; the hold tells whose it is. */
struct hold_slot {
    uint32_t tag;    /* of the cell */
    uint32_t newest; /* HOLD_NONE = empty */
};

enum { PROBES_AHEAD = 4 };

static uint64_t slot_count(uint32_t max)
{
    uint64_t count = 1024;
    while (count < (uint64_t)max * 4 / 3) {
        count *= 2;
    }
    return count;
}

enum err holds_init(struct holds *holds, uint32_t max)
{
    memset(holds, 0, sizeof *holds);
    holds->max = max;
    holds->mask = slot_count(max) - 1;
    void *memory;
    enum err err = mem_reserve(((size_t)max + 1) * sizeof(struct hold), &memory);
    if (err != ERR_OK) {
        return err;
    }
    holds->pool = memory;
    err = mem_reserve((holds->mask + 1) * sizeof(struct hold_slot), &memory);
    if (err != ERR_OK) {
        holds_close(holds);
        return err;
    }
    holds->slots = memory;
    mem_populate(memory, (holds->mask + 1) * sizeof(struct hold_slot));
    return ERR_OK;
}

void holds_close(struct holds *holds)
{
    mem_release(holds->pool, ((size_t)holds->max + 1) * sizeof(struct hold));
    mem_release(holds->slots, (holds->mask + 1) * sizeof(struct hold_slot));
    memset(holds, 0, sizeof *holds);
}

uint64_t holds_memory(uint32_t max)
{
    return mem_size(((size_t)max + 1) * sizeof(struct hold)) +
           mem_size(slot_count(max) * sizeof(struct hold_slot));
}

uint64_t holds_bytes(const struct holds *holds)
{
    return holds->live * sizeof(struct hold) + (holds->mask + 1) * sizeof(struct hold_slot);
}

bool holds_have_room(const struct holds *holds, uint32_t count)
{
    return holds->live + count <= holds->max;
}

static uint32_t tag_of(uint32_t item, uint16_t node)
{
    return (uint32_t)((((uint64_t)item << 16 | node) * 0x9e3779b97f4a7c15u) >> 32);
}

/* It comes from the tag, so that removal can shift without the cell. */
static uint64_t home(const struct holds *holds, uint32_t tag)
{
    return ((uint64_t)tag * (holds->mask + 1)) >> 32;
}

void holds_prefetch(const struct holds *holds, uint32_t item, uint16_t node)
{
    prefetch_write(&holds->slots[home(holds, tag_of(item, node))]);
    if (holds->free_head) {
        prefetch_write(&holds->pool[holds->free_head]);
    }
}

void holds_prefetch_newest(const struct holds *holds, uint32_t item, uint16_t node)
{
    uint32_t tag = tag_of(item, node);
    uint64_t at = home(holds, tag);
    for (uint64_t i = 0; i < PROBES_AHEAD; i++) {
        const struct hold_slot *slot = &holds->slots[(at + i) & holds->mask];
        if (slot->newest == HOLD_NONE) {
            return;
        }
        if (slot->tag == tag) {
            prefetch_write(&holds->pool[slot->newest]);
            return;
        }
    }
}

void holds_prefetch_links(const struct holds *holds, uint32_t index)
{
    prefetch_write(&holds->pool[holds->pool[index].older]);
    prefetch_write(&holds->pool[holds->pool[index].newer]);
}

static bool is_of(const struct holds *holds, const struct hold_slot *slot, uint32_t item,
                  uint16_t node)
{
    const struct hold *hold = &holds->pool[slot->newest];
    return hold->item == item && hold->node == node;
}

/* The cell's slot, or the empty one where it would be. */
static struct hold_slot *find(const struct holds *holds, uint32_t item, uint16_t node)
{
    uint32_t tag = tag_of(item, node);
    uint64_t at = home(holds, tag);
    while (holds->slots[at].newest != HOLD_NONE &&
           (holds->slots[at].tag != tag || !is_of(holds, &holds->slots[at], item, node))) {
        at = (at + 1) & holds->mask;
    }
    return &holds->slots[at];
}

uint32_t holds_add_other(struct holds *holds, uint32_t item, uint16_t node, enum hold_kind kind,
                         uint32_t owner, uint16_t line)
{
    CHECK(holds->live < holds->max);
    CHECK(line <= HOLD_SHARE_MAX);
    uint32_t index = holds->free_head;
    if (index) {
        holds->free_head = holds->pool[index].older;
    } else {
        index = ++holds->used;
    }
    struct hold_slot *slot = find(holds, item, node);
    uint32_t older = slot->newest;
    holds->pool[index] = (struct hold){item, node, line & 0x3fffu, kind & 3u, owner,
                                       older, HOLD_NONE};
    if (older) {
        holds->pool[older].newer = index;
    }
    *slot = (struct hold_slot){tag_of(item, node), index};
    holds->live++;
    return index;
}

uint32_t holds_add(struct holds *holds, uint32_t item, uint16_t node, uint32_t order,
                   uint16_t share)
{
    return holds_add_other(holds, item, node, HOLD_ORDER, order, share);
}

static void slot_remove(struct holds *holds, uint64_t hole)
{
    uint64_t at = hole;
    for (;;) {
        at = (at + 1) & holds->mask;
        const struct hold_slot *slot = &holds->slots[at];
        if (slot->newest == HOLD_NONE) {
            break;
        }
        uint64_t wanted = home(holds, slot->tag);
        if (((at - wanted) & holds->mask) >= ((at - hole) & holds->mask)) {
            holds->slots[hole] = *slot;
            hole = at;
        }
    }
    memset(&holds->slots[hole], 0, sizeof holds->slots[hole]);
}

void holds_remove(struct holds *holds, uint32_t index)
{
    struct hold *hold = &holds->pool[index];
    CHECK(index != HOLD_NONE);
    CHECK(holds->live > 0);
    if (hold->older) {
        holds->pool[hold->older].newer = hold->newer;
    }
    if (hold->newer) {
        holds->pool[hold->newer].older = hold->older;
    } else {
        struct hold_slot *slot = find(holds, hold->item, hold->node);
        CHECK(slot->newest == index);
        slot->newest = hold->older;
        if (!hold->older) {
            slot_remove(holds, (uint64_t)(slot - holds->slots));
        }
    }
    hold->older = holds->free_head;
    holds->free_head = index;
    holds->live--;
}

void holds_owner_set(struct holds *holds, uint32_t index, uint32_t owner)
{
    CHECK(index != HOLD_NONE);
    holds->pool[index].order = owner;
}

uint32_t holds_newest(const struct holds *holds, uint32_t item, uint16_t node)
{
    return find(holds, item, node)->newest;
}
