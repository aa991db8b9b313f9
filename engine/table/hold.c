/* Pool with a free list, and an index of the newest hold of each cell. */
#include "hold.h"

#include <string.h>

#include "check.h"
#include "mem.h"
#include "prefetch.h"

enum { PROBES_AHEAD = 4 };

static uint64_t homes_of(uint32_t max)
{
    return (uint64_t)max * 4 / 3;
}

enum err holds_init(struct holds *holds, uint32_t max)
{
    memset(holds, 0, sizeof *holds);
    holds->max = max;
    void *memory;
    enum err err = mem_reserve(((size_t)max + 1) * sizeof(struct hold), &memory);
    if (err != ERR_OK) {
        return err;
    }
    holds->pool = memory;
    err = tag_index_init(&holds->cells, homes_of(max));
    if (err != ERR_OK) {
        holds_close(holds);
    }
    return err;
}

void holds_close(struct holds *holds)
{
    mem_release(holds->pool, ((size_t)holds->max + 1) * sizeof(struct hold));
    tag_index_close(&holds->cells);
    memset(holds, 0, sizeof *holds);
}

uint64_t holds_memory(uint32_t max)
{
    return mem_size(((size_t)max + 1) * sizeof(struct hold)) + tag_index_memory(homes_of(max));
}

uint64_t holds_bytes(const struct holds *holds)
{
    return holds->live * sizeof(struct hold) + tag_index_memory(homes_of(holds->max));
}

bool holds_have_room(const struct holds *holds, uint32_t count)
{
    return holds->live + count <= holds->max;
}

static uint32_t tag_of(uint32_t item, uint16_t node)
{
    return (uint32_t)((((uint64_t)item << 16 | node) * 0x9e3779b97f4a7c15u) >> 32);
}

void holds_prefetch(const struct holds *holds, uint32_t item, uint16_t node)
{
    prefetch_write(tag_index_home(&holds->cells, tag_of(item, node)));
    if (holds->free_head) {
        prefetch_write(&holds->pool[holds->free_head]);
    }
}

void holds_prefetch_newest(const struct holds *holds, uint32_t item, uint16_t node)
{
    uint32_t tag = tag_of(item, node);
    const struct tag_slot *slot = tag_index_home(&holds->cells, tag);
    for (uint32_t i = 0; i < PROBES_AHEAD && slot->value; i++, slot++) {
        if (slot->tag == tag) {
            prefetch_write(&holds->pool[slot->value]);
            return;
        }
    }
}

void holds_prefetch_links(const struct holds *holds, uint32_t index)
{
    prefetch_write(&holds->pool[holds->pool[index].older]);
    prefetch_write(&holds->pool[holds->pool[index].newer]);
}

static bool is_of(const struct holds *holds, uint32_t index, uint32_t item, uint16_t node)
{
    const struct hold *hold = &holds->pool[index];
    return hold->item == item && hold->node == node;
}

/* The cell's slot, or the empty one where it would be. */
static struct tag_slot *find(const struct holds *holds, uint32_t item, uint16_t node)
{
    uint32_t tag = tag_of(item, node);
    struct tag_slot *slot = tag_index_home(&holds->cells, tag);
    while (slot->value != HOLD_NONE &&
           (slot->tag != tag || !is_of(holds, slot->value, item, node))) {
        slot++;
    }
    return slot;
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
    tag_index_step(&holds->cells);
    struct tag_slot *slot = find(holds, item, node);
    uint32_t older = slot->value;
    holds->pool[index] = (struct hold){item, node, line & 0x3fffu, kind & 3u, owner,
                                       older, HOLD_NONE};
    if (older) {
        holds->pool[older].newer = index;
        slot->value = index;
    } else {
        tag_index_put(&holds->cells, slot, tag_of(item, node), index);
    }
    holds->live++;
    return index;
}

uint32_t holds_add(struct holds *holds, uint32_t item, uint16_t node, uint32_t order,
                   uint16_t share)
{
    return holds_add_other(holds, item, node, HOLD_ORDER, order, share);
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
        struct tag_slot *slot = find(holds, hold->item, hold->node);
        CHECK(slot->value == index);
        if (hold->older) {
            slot->value = hold->older;
        } else {
            tag_index_remove(&holds->cells, slot);
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
    return find(holds, item, node)->value;
}
