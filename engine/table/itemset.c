/* Arrays turn into bitmaps at 4,096 items of a group, where both take 8 KiB. */
#include "itemset.h"

#include <stdlib.h>
#include <string.h>

enum { ARRAY_MAX = 4096, BITMAP_WORDS = 1024 };

struct itemset_group {
    uint32_t count;
    uint32_t capacity; /* of the array; 0 while bitmap */
    uint16_t *array;
    uint64_t *bitmap;
};

void itemset_close(struct itemset *set)
{
    for (uint32_t i = 0; i < set->group_count; i++) {
        free(set->groups[i].array);
        free(set->groups[i].bitmap);
    }
    free(set->groups);
    memset(set, 0, sizeof *set);
}

/* Index of the first element >= low in the array. */
static uint32_t lower_bound(const struct itemset_group *group, uint16_t low)
{
    uint32_t from = 0;
    uint32_t to = group->count;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (group->array[middle] < low) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static enum err to_bitmap(struct itemset_group *group)
{
    uint64_t *bitmap = calloc(BITMAP_WORDS, sizeof *bitmap);
    if (!bitmap) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < group->count; i++) {
        bitmap[group->array[i] / 64] |= (uint64_t)1 << (group->array[i] % 64);
    }
    free(group->array);
    group->array = NULL;
    group->capacity = 0;
    group->bitmap = bitmap;
    return ERR_OK;
}

static enum err array_add(struct itemset_group *group, uint16_t low)
{
    const bool is_last = group->count == 0 || group->array[group->count - 1] < low; /* of a load */
    uint32_t at = is_last ? group->count : lower_bound(group, low);
    if (at < group->count && group->array[at] == low) {
        return ERR_OK;
    }
    if (group->count == group->capacity) {
        uint32_t capacity = group->capacity ? group->capacity + group->capacity / 4 + 4 : 4;
        uint16_t *array = realloc(group->array, capacity * sizeof *array);
        if (!array) {
            return ERR_NOMEM;
        }
        group->array = array;
        group->capacity = capacity;
    }
    if (at < group->count) {
        memmove(group->array + at + 1, group->array + at, (group->count - at) * sizeof(uint16_t));
    }
    group->array[at] = low;
    group->count++;
    return ERR_OK;
}

static enum err group_reach(struct itemset *set, uint32_t index)
{
    if (index < set->group_count) {
        return ERR_OK;
    }
    struct itemset_group *groups = realloc(set->groups, (index + 1) * sizeof *groups);
    if (!groups) {
        return ERR_NOMEM;
    }
    memset(groups + set->group_count, 0, (index + 1 - set->group_count) * sizeof *groups);
    set->groups = groups;
    set->group_count = index + 1;
    return ERR_OK;
}

enum err itemset_add(struct itemset *set, uint32_t item)
{
    enum err err = group_reach(set, item >> 16);
    if (err != ERR_OK) {
        return err;
    }
    struct itemset_group *group = &set->groups[item >> 16];
    uint32_t before = group->count;
    if (!group->bitmap && group->count >= ARRAY_MAX && (err = to_bitmap(group)) != ERR_OK) {
        return err;
    }
    if (group->bitmap) {
        uint64_t bit = (uint64_t)1 << (item % 64);
        uint64_t *word = &group->bitmap[(item & 0xffff) / 64];
        group->count += !(*word & bit);
        *word |= bit;
    } else if ((err = array_add(group, (uint16_t)item)) != ERR_OK) {
        return err;
    }
    set->count += group->count - before;
    return ERR_OK;
}

bool itemset_has(const struct itemset *set, uint32_t item)
{
    return itemset_next(set, item) == item;
}

static uint32_t group_next(const struct itemset_group *group, uint32_t low)
{
    if (!group->bitmap) {
        uint32_t at = lower_bound(group, (uint16_t)low);
        return at < group->count ? group->array[at] : UINT32_MAX;
    }
    uint64_t bits = group->bitmap[low / 64] & (~(uint64_t)0 << (low % 64));
    for (uint32_t word = low / 64;; bits = group->bitmap[word]) {
        if (bits) {
            return word * 64 + (uint32_t)__builtin_ctzll(bits);
        }
        if (++word == BITMAP_WORDS) {
            return UINT32_MAX;
        }
    }
}

uint32_t itemset_next(const struct itemset *set, uint32_t from)
{
    uint32_t low = from & 0xffff;
    for (uint32_t i = from >> 16; i < set->group_count; i++, low = 0) {
        uint32_t found = group_next(&set->groups[i], low);
        if (found != UINT32_MAX) {
            return (i << 16) + found;
        }
    }
    return UINT32_MAX;
}
