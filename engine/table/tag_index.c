/* Removal shifts back what stands behind; growing takes out what has moved and enters it anew. */
#include "tag_index.h"

#include <string.h>

#include "check.h"
#include "mem.h"
#include "prefetch.h"

enum {
    SIZE_MIN = 1 << 10, /* homes from the start on */
    SLACK = 1 << 16,    /* slots behind the last home: far more than ever stand in a row */
    STEP = 16           /* homes moved at each new entry */
};

static uint64_t size_of(uint64_t homes)
{
    uint64_t size = SIZE_MIN;
    while (size < homes) {
        size *= 2;
    }
    return size;
}

static uint64_t bytes_of(uint64_t size)
{
    return (size + SLACK) * sizeof(struct tag_slot);
}

uint64_t tag_index_memory(uint64_t homes)
{
    return mem_size(bytes_of(size_of(homes)));
}

enum err tag_index_init(struct tag_index *index, uint64_t homes)
{
    memset(index, 0, sizeof *index);
    index->size_max = size_of(homes);
    index->size = SIZE_MIN;
    index->split = index->size;
    void *memory;
    const enum err err = mem_reserve(bytes_of(index->size_max), &memory);
    if (err == ERR_OK) {
        index->slots = memory;
        mem_populate(memory, bytes_of(index->size_max));
    }
    return err;
}

void tag_index_close(struct tag_index *index)
{
    mem_release(index->slots, bytes_of(index->size_max));
    memset(index, 0, sizeof *index);
}

/* The first empty slot from the tag's home on. */
static struct tag_slot *gap(const struct tag_index *index, uint32_t tag)
{
    struct tag_slot *slot = tag_index_home(index, tag);
    while (slot->value) {
        slot++;
    }
    return slot;
}

/* The last slot stays empty: every search ends. */
static void slot_set(struct tag_index *index, struct tag_slot *slot, struct tag_slot entry)
{
    CHECK((uint64_t)(slot - index->slots) < index->size_max + SLACK - 1);
    *slot = entry;
}

/* What is not where its home is yet stays: its home is behind the hole. */
static void close_up(struct tag_index *index, struct tag_slot *hole)
{
    for (struct tag_slot *at = hole + 1; at->value; at++) {
        if (tag_index_home(index, at->tag) <= hole) {
            *hole = *at;
            hole = at;
        }
    }
    *hole = (struct tag_slot){0, 0};
}

/* Homes from `from` on have moved: so has what stood in a row with them. */
static void homes_move(struct tag_index *index, uint64_t from, uint64_t to)
{
    struct tag_slot *at = &index->slots[from];
    struct tag_slot *end = &index->slots[to];
    while (end->value) {
        end++;
    }
    for (; at < end; at++) {
        if (at->value && tag_index_home(index, at->tag) > at) {
            const struct tag_slot entry = *at;
            close_up(index, at);
            slot_set(index, gap(index, entry.tag), entry);
        }
    }
}

/* What the next step reads, and where it writes to: one entry later it is near. */
static void fetch_next(const struct tag_index *index)
{
    enum { LINE = 64 / sizeof(struct tag_slot) };
    const uint64_t from = index->split > STEP ? index->split - STEP : 0;
    for (uint64_t at = 0; at < STEP; at += LINE) {
        prefetch_write(&index->slots[from + at]);
        prefetch_write(&index->slots[2 * (from + at)]);
        prefetch_write(&index->slots[2 * (from + at) + LINE]);
    }
}

void tag_index_step(struct tag_index *index)
{
    const bool is_growing = index->split < index->size;
    if (!is_growing && (index->live * 8 < index->size * 5 || index->size == index->size_max)) {
        return;
    }
    const uint64_t to = index->split;
    index->split = to > STEP ? to - STEP : 0;
    homes_move(index, index->split, to);
    if (index->split == 0) {
        index->size *= 2;
        index->split = index->size;
        return;
    }
    fetch_next(index);
}

void tag_index_put(struct tag_index *index, struct tag_slot *slot, uint32_t tag, uint32_t value)
{
    CHECK(!slot->value);
    slot_set(index, slot, (struct tag_slot){tag, value});
    index->live++;
}

void tag_index_remove(struct tag_index *index, struct tag_slot *slot)
{
    CHECK(slot->value);
    close_up(index, slot);
    index->live--;
}
