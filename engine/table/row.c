/* Blocks of cells: layout by kind, insertion by copy. */
#include "row.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "prefetch.h"

enum { GLANCES = 8 }; /* looks at a cell that is being changed */

static uint32_t *times(const struct row *row)
{
    return (uint32_t *)(void *)((char *)(uintptr_t)row + row->times);
}

static uint16_t *highs(const struct row *row)
{
    return (uint16_t *)(void *)(times(row) + row->capacity);
}

static uint16_t *slots_of(struct row *row)
{
    return (uint16_t *)(void *)((char *)row + row->slots);
}

static struct row_members *members_of(struct row *row)
{
    return (struct row_members *)(void *)((char *)row + row->slots);
}

static uint32_t members_count(uint32_t words)
{
    return (words + ROW_MEMBERS - 1) / ROW_MEMBERS;
}

/* A bitmap where it takes at most 2 bytes a cell more than a list, and not only where it takes
 * less: the nearest search over bitmaps is several times as fast. */
static enum row_kind kind_for(uint32_t count, uint32_t words)
{
    return count * 4 <= words * 18 ? ROW_LIST : ROW_BITMAP;
}

static size_t layout(struct row *row, enum row_kind kind, uint32_t capacity, uint32_t words)
{
    size_t at = sizeof *row;
    size_t cells = capacity;
    row->kind = (uint16_t)kind;
    row->words = (uint16_t)words;
    row->capacity = capacity;
    if (kind == ROW_BITMAP) {
        at = (at + (size_t)words * sizeof(uint64_t) + 63) / 64 * 64;
        row->slots = (uint32_t)at;
        at += members_count(words) * sizeof(struct row_members);
    }
    row->cells = (uint32_t)at;
    at += cells * sizeof(uint64_t);
    row->times = (uint32_t)at;
    at += cells * (sizeof(uint32_t) + sizeof(uint16_t));
    if (kind == ROW_LIST) {
        row->slots = (uint32_t)at;
        at += cells * sizeof(uint16_t);
    }
    return at;
}

struct row *row_build(uint32_t count, uint32_t words)
{
    struct row shape;
    memset(&shape, 0, sizeof shape);
    size_t size = layout(&shape, kind_for(count, words), count, words);
    bool is_lined = shape.kind == ROW_BITMAP; /* each of its members in a line of its own */
    struct row *row = is_lined ? aligned_alloc(64, (size + 63) / 64 * 64) : malloc(size);
    if (!row) {
        return NULL;
    }
    memcpy(row, &shape, sizeof shape);
    if (row->kind == ROW_BITMAP) {
        memset(row->body, 0, row->cells - sizeof *row);
    }
    return row;
}

static bool has_free(cell_word word)
{
    return cell_on_hand(word) > cell_reserved(word);
}

/* Append a cell; slots come in rising order. */
void row_build_add(struct row *row, uint32_t slot, cell_word word, uint64_t count_time)
{
    uint32_t index = row->count++;
    CHECK(index < row->capacity);
    if (row->kind == ROW_BITMAP) {
        uint64_t bit = (uint64_t)1 << (slot % 64);
        members_of(row)[slot / 64 / ROW_MEMBERS].bits[slot / 64 % ROW_MEMBERS] |= bit;
        if (has_free(word)) {
            row_maybe(row)[slot / 64] |= bit;
        }
    } else {
        slots_of(row)[index] = (uint16_t)slot;
    }
    row_cells(row)[index] = word;
    row_count_time_set(row, index, count_time);
}

static void ranks_count(struct row *row)
{
    uint32_t before = 0;
    for (uint32_t word = 0; word < row->words; word++) {
        struct row_members *members = &members_of(row)[word / ROW_MEMBERS];
        uint32_t at = word % ROW_MEMBERS;
        if (at % 2 == 0) {
            members->ranks[at / 2] = (uint16_t)before;
        }
        before += (uint32_t)__builtin_popcountll(members->bits[at]);
    }
}

void row_build_end(struct row *row)
{
    CHECK(row->count == row->capacity);
    if (row->kind == ROW_BITMAP) {
        ranks_count(row);
    }
}

/* Copy count elements of width bytes with a hole for one more at index. */
static void copy_with_hole(void *to, const void *from, uint32_t count, uint32_t index,
                           size_t width)
{
    memcpy(to, from, index * width);
    memcpy((char *)to + (index + 1) * width, (const char *)from + index * width,
           (count - index) * width);
}

/* Cells of row below slot. */
static uint32_t rank_of(const struct row *row, uint32_t slot)
{
    if (row->kind == ROW_BITMAP) {
        return row_rank(row, slot / 64, (uint64_t)1 << (slot % 64));
    }
    const uint16_t *slots = row_slots(row);
    uint32_t rank = 0;
    while (rank < row->count && slots[rank] < slot) {
        rank++;
    }
    return rank;
}

/* The usual case of row_with, the kind and the layout stay: block copies around the hole. */
static void insert_same_kind(struct row *made, const struct row *row, uint32_t slot,
                             cell_word word, uint64_t count_time)
{
    uint32_t index = rank_of(row, slot);
    CHECK(row_find(row, slot) < 0);
    made->count = row->count + 1;
    copy_with_hole(row_cells(made), row_cells((struct row *)(uintptr_t)row), row->count, index,
                   sizeof(uint64_t));
    copy_with_hole(times(made), times(row), row->count, index, sizeof(uint32_t));
    copy_with_hole(highs(made), highs(row), row->count, index, sizeof(uint16_t));
    if (row->kind == ROW_LIST) {
        copy_with_hole(slots_of(made), row_slots(row), row->count, index, sizeof(uint16_t));
        slots_of(made)[index] = (uint16_t)slot;
    } else {
        memcpy(made->body, row->body, row->cells - sizeof *row);
        members_of(made)[slot / 64 / ROW_MEMBERS].bits[slot / 64 % ROW_MEMBERS] |=
            (uint64_t)1 << (slot % 64);
        ranks_count(made);
    }
    row_count_time_set(made, index, count_time);
    row_word_set(made, slot, index, word);
}

/* All cells one by one into the other kind or layout. */
static void insert_by_walk(struct row *made, const struct row *row, uint32_t slot, cell_word word,
                           uint64_t count_time)
{
    bool is_in = false;
    if (row) {
        struct row_walk walk;
        uint32_t at;
        uint32_t index;
        row_walk_begin(row, &walk);
        while (row_walk_next(row, &walk, &at, &index)) {
            CHECK(at != slot);
            if (!is_in && at > slot) {
                row_build_add(made, slot, word, count_time);
                is_in = true;
            }
            row_build_add(made, at, row_word(row, index), row_count_time(row, index));
        }
    }
    if (!is_in) {
        row_build_add(made, slot, word, count_time);
    }
    row_build_end(made);
}

struct row *row_with(const struct row *row, uint32_t slot, cell_word word, uint64_t count_time,
                     uint32_t words)
{
    CHECK(slot / 64 < words);
    struct row *made = row_build((row ? row->count : 0) + 1, words);
    if (!made) {
        return NULL;
    }
    if (row && row->kind == made->kind && row->words == made->words) {
        insert_same_kind(made, row, slot, word, count_time);
    } else {
        insert_by_walk(made, row, slot, word, count_time);
    }
    return made;
}

struct moved {
    uint32_t slot;
    uint32_t index;
};

static int by_slot(const void *a, const void *b)
{
    const struct moved *x = a;
    const struct moved *y = b;
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

struct row *row_moved(const struct row *row, const uint16_t *map, uint32_t words)
{
    struct moved *order = malloc(sizeof *order * (row->count ? row->count : 1));
    struct row *made = row_build(row->count, words);
    if (!order || !made) {
        free(order);
        free(made);
        return NULL;
    }
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    uint32_t count = 0;
    row_walk_begin(row, &walk);
    while (row_walk_next(row, &walk, &slot, &index)) {
        order[count++] = (struct moved){map[slot], index};
    }
    qsort(order, count, sizeof *order, by_slot);
    for (uint32_t i = 0; i < count; i++) {
        row_build_add(made, order[i].slot, row_word(row, order[i].index),
                      row_count_time(row, order[i].index));
    }
    row_build_end(made);
    free(order);
    return made;
}

void row_free(struct row *row)
{
    free(row);
}

size_t row_size(const struct row *row)
{
    struct row shape;
    return layout(&shape, (enum row_kind)row->kind, row->capacity, row->words);
}

void row_check(const struct row *row)
{
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    uint32_t count = 0;
    uint32_t last = 0;
    row_walk_begin(row, &walk);
    while (row_walk_next(row, &walk, &slot, &index)) {
        CHECK(count == 0 || slot > last);
        CHECK(index == count);
        CHECK(row_find(row, slot) == (int32_t)index);
        last = slot;
        count++;
    }
    CHECK(count == row->count);
}

void row_prefetch_cell(const struct row *row, uint32_t index)
{
    prefetch_write(&row_cells((struct row *)(uintptr_t)row)[index]);
    prefetch_read(&times(row)[index]);
    prefetch_read(&highs(row)[index]);
}

void row_word_set(struct row *row, uint32_t slot, uint32_t index, cell_word word)
{
    DCHECK(row_find(row, slot) == (int32_t)index);
    __atomic_store_n(&row_cells(row)[index], word, __ATOMIC_RELEASE);
    if (row->kind == ROW_BITMAP) {
        uint64_t bit = (uint64_t)1 << (slot % 64);
        uint64_t *maybe = &row_maybe(row)[slot / 64];
        uint64_t bits = has_free(word) ? *maybe | bit : *maybe & ~bit;
        __atomic_store_n(maybe, bits, __ATOMIC_RELAXED);
    }
}

uint64_t row_count_time(const struct row *row, uint32_t index)
{
    return (uint64_t)__atomic_load_n(&times(row)[index], __ATOMIC_ACQUIRE) |
           ((uint64_t)__atomic_load_n(&highs(row)[index], __ATOMIC_ACQUIRE) << 32);
}

/* The loads acquire: whoever read something of a change sees the version that the change began
 * with when it loads that a second time. */
bool row_glance(const struct row *row, uint32_t index, cell_word *word_out,
                uint64_t *count_time_out)
{
    for (int tries = 0; tries < GLANCES; tries++) {
        uint64_t version = __atomic_load_n(&row->version, __ATOMIC_ACQUIRE);
        *word_out = row_word(row, index);
        *count_time_out = row_count_time(row, index);
        if (!(version & ROW_CHANGES_OPEN) &&
            __atomic_load_n(&row->version, __ATOMIC_RELAXED) == version) {
            return true;
        }
    }
    return false;
}

void row_count_time_set(struct row *row, uint32_t index, uint64_t count_time)
{
    __atomic_store_n(&times(row)[index], (uint32_t)count_time, __ATOMIC_RELEASE);
    __atomic_store_n(&highs(row)[index], (uint16_t)(count_time >> 32), __ATOMIC_RELEASE);
}

void row_walk_begin(const struct row *row, struct row_walk *walk)
{
    walk->index = 0;
    walk->word = 0;
    walk->bits = row->kind == ROW_BITMAP && row->words ? row_member(row, 0) : 0;
}

bool row_walk_next(const struct row *row, struct row_walk *walk, uint32_t *slot, uint32_t *index)
{
    if (walk->index >= row->count) {
        return false;
    }
    if (row->kind == ROW_LIST) {
        *slot = row_slots(row)[walk->index];
    } else {
        while (walk->bits == 0) {
            walk->bits = row_member(row, ++walk->word);
        }
        *slot = walk->word * 64 + (uint32_t)__builtin_ctzll(walk->bits);
        walk->bits &= walk->bits - 1;
    }
    *index = walk->index++;
    return true;
}
