/* The stock of one item: which nodes hold a cell of it, and the cells.
 *
 * A row is one block: header, membership, cells, count times. Membership is a sorted list of
 * slots while that is smaller, else a bitmap of cells that may have stock and another of all, whose
 * words lie in cache lines with the ranks of their cells. Cell words and the hint change in place;
 * membership never does: an insertion makes a new block (row_with), the owner publishes it with a
 * release store and retires the old one. So a reader that loaded the pointer sees one membership to
 * the end.
 *
 *   LIST    [row][cell u64 x cap][time_low u32 x cap][time_high u16 x cap][slot u16 x cap]
 *   BITMAP  [row][maybe u64 x words][row_members, at a multiple of 64][cell ..][time_low ..]
 *           [time_high ..]
 *
 * Memory per cell: 8 word + 6 count time + 2 slot (list), or 14 + (8 + 64 / 7) x words / count.
 *
 * Field            written by           read by            when
 * membership       nobody after birth   engine, readers    -
 * cell             engine loop          engine, readers    release store, acquire load: one word
 * maybe            engine loop          engine             a hint, may err upward only
 * count time       engine loop          engine, readers    within row_change_begin and _end
 * version          engine loop          readers            see row_glance
 *
 * A change of one cell word is whole by itself. What changes more than that, or is not to be seen
 * by another thread at all (units lent for a decision), stands between row_change_begin and
 * row_change_end: a reader meets an open change or a new version and looks again.
 */
#ifndef TABLE_ROW_H
#define TABLE_ROW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"
#include "prefetch.h"

/* One cell: on_hand in the low half, signed; reserved in 31 bits; the top bit says that a
 * policy (safety stock, listing) overrides the node's default. */
typedef uint64_t cell_word;

#define CELL_OVERRIDE ((uint64_t)1 << 63)
enum { CELL_ON_HAND_MAX = 2000000000, CELL_RESERVED_MAX = 2000000000 };

static inline int32_t cell_on_hand(cell_word word)
{
    return (int32_t)(uint32_t)word;
}

static inline int32_t cell_reserved(cell_word word)
{
    return (int32_t)((word >> 32) & 0x7fffffffu);
}

static inline bool cell_has_override(cell_word word)
{
    return (word & CELL_OVERRIDE) != 0;
}

static inline cell_word cell_make(int32_t on_hand, int32_t reserved, bool has_override)
{
    return (uint64_t)(uint32_t)on_hand | ((uint64_t)(uint32_t)reserved << 32) |
           (has_override ? CELL_OVERRIDE : 0);
}

enum row_kind { ROW_LIST, ROW_BITMAP };

/* Of a version: changes that are open, in the low bits; those that ended, above. */
#define ROW_CHANGES_OPEN ((uint64_t)0xffff)
#define ROW_CHANGE_ENDED ((uint64_t)0x10000)

/* Seven words of a membership, and the cells before them: one cache line. */
enum { ROW_MEMBERS = 7 };
struct row_members {
    uint64_t bits[ROW_MEMBERS];
    uint16_t ranks[4]; /* cells before words 0, 2, 4 and 6 */
};

_Static_assert(sizeof(struct row_members) == 64, "finding a cell reads one line");

struct row {
    uint64_t version;
    uint32_t count;    /* cells */
    uint16_t words;    /* bitmap words of the layout it was made for */
    uint16_t kind;     /* enum row_kind */
    uint32_t capacity; /* cells that the arrays have room for */
    uint32_t cells;    /* byte offset of the cells */
    uint32_t times;    /* byte offset of time_low; time_high lies behind it */
    uint32_t slots;    /* byte offset of slot (list) or row_members (bitmap) */
    uint64_t body[];   /* list: cells; bitmap: maybe, then the rest */
};

/* A new row with the cells of row (NULL: none) and one more at slot: word, count time in ms.
 * words: bitmap words of the present layout, at least slot / 64 + 1. The old row stays as it
 * is. NULL: out of memory. slot must not be in row. */
struct row *row_with(const struct row *row, uint32_t slot, cell_word word, uint64_t count_time,
                     uint32_t words);

/* A new row with slot s of row at map[s], for a layout of words words. NULL: out of memory. */
struct row *row_moved(const struct row *row, const uint16_t *map, uint32_t words);

/* Build a row whole: start it for count cells, append them in rising slot order, end it. Each
 * slot below words * 64. NULL from start: out of memory. */
struct row *row_build(uint32_t count, uint32_t words);
void row_build_add(struct row *row, uint32_t slot, cell_word word, uint64_t count_time);
void row_build_end(struct row *row);

void row_free(struct row *row);

/* Bytes of the block. */
size_t row_size(const struct row *row);

/* Check the block's inner order; aborts when broken. */
void row_check(const struct row *row);

/* Cells that may have stock; the bitmap kind only. */
static inline uint64_t *row_maybe(struct row *row)
{
    return row->body;
}

/* The cache line of a bitmap row that has a word of row_maybe. */
static inline uint32_t row_maybe_line(uint32_t word)
{
    return (uint32_t)(offsetof(struct row, body) / sizeof(uint64_t) + word) / 8;
}

static inline const struct row_members *row_members(const struct row *row)
{
    return (const struct row_members *)(const void *)((const char *)row + row->slots);
}

/* One word of the membership, and the index of the cell at a bit of it; the bitmap kind only. */
static inline uint64_t row_member(const struct row *row, uint32_t word)
{
    return row_members(row)[word / ROW_MEMBERS].bits[word % ROW_MEMBERS];
}

static inline uint32_t row_rank(const struct row *row, uint32_t word, uint64_t bit)
{
    const struct row_members *members = &row_members(row)[word / ROW_MEMBERS];
    uint32_t at = word % ROW_MEMBERS;
    uint64_t before = members->bits[at & ~1u] & -(uint64_t)(at & 1);
    return members->ranks[at / 2] + (uint32_t)__builtin_popcountll(before) +
           (uint32_t)__builtin_popcountll(members->bits[at] & (bit - 1));
}

/* Slots in rising order; the list kind only. */
static inline const uint16_t *row_slots(const struct row *row)
{
    return (const uint16_t *)(const void *)((const char *)row + row->slots);
}

static inline uint64_t *row_cells(struct row *row)
{
    return (uint64_t *)(void *)((char *)row + row->cells);
}

/* Index of the cell at slot, or -1 where there is none. */
static inline int32_t row_find(const struct row *row, uint32_t slot)
{
    if (row->kind == ROW_BITMAP) {
        uint32_t word = slot / 64;
        uint64_t bit = (uint64_t)1 << (slot % 64);
        bool is_in = word < row->words && row_member(row, word) & bit;
        return is_in ? (int32_t)row_rank(row, word, bit) : -1;
    }
    const uint16_t *slots = row_slots(row);
    uint32_t low = 0;
    uint32_t high = row->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (slots[middle] < slot) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < row->count && slots[low] == slot ? (int32_t)low : -1;
}

/* Prefetch what row_find reads for slot; the header must be near. */
static inline void row_prefetch_find(const struct row *row, uint32_t slot)
{
    if (row->kind == ROW_BITMAP && slot / 64 < row->words) {
        prefetch_read(&row_members(row)[slot / 64 / ROW_MEMBERS]);
        prefetch_write(&row->body[slot / 64]);
    }
}

static inline cell_word row_word(const struct row *row, uint32_t index)
{
    const uint64_t *cells = (const uint64_t *)(const void *)((const char *)row + row->cells);
    return __atomic_load_n(&cells[index], __ATOMIC_ACQUIRE);
}

/* What lies between is not seen from another thread. Changes of one row may lie in each other. */
static inline void row_change_begin(struct row *row)
{
    DCHECK((row->version & ROW_CHANGES_OPEN) != ROW_CHANGES_OPEN);
    __atomic_store_n(&row->version, row->version + 1, __ATOMIC_RELAXED);
}

static inline void row_change_end(struct row *row)
{
    DCHECK(row->version & ROW_CHANGES_OPEN);
    __atomic_store_n(&row->version, row->version - 1 + ROW_CHANGE_ENDED, __ATOMIC_RELEASE);
}

/* From any thread: the cell and its count time as they were at one moment. False: a change is
 * open, or was each time: look again later. */
bool row_glance(const struct row *row, uint32_t index, cell_word *word_out,
                uint64_t *count_time_out);

/* Prefetch a cell and its count time. */
void row_prefetch_cell(const struct row *row, uint32_t index);

/* Store a cell and keep the hint: set when units are free before safety stock, else cleared. */
void row_word_set(struct row *row, uint32_t slot, uint32_t index, cell_word word);

/* Time of the cell's last count in ms, 0 = never counted. */
uint64_t row_count_time(const struct row *row, uint32_t index);
void row_count_time_set(struct row *row, uint32_t index, uint64_t count_time);

/* Calls of row_next walk the cells in slot order: start with *at = 0 and *slot unset. */
struct row_walk {
    uint32_t index; /* of the next cell */
    uint32_t word;  /* bitmap: word being walked */
    uint64_t bits;  /* bitmap: what is left of it */
};

void row_walk_begin(const struct row *row, struct row_walk *walk);
bool row_walk_next(const struct row *row, struct row_walk *walk, uint32_t *slot, uint32_t *index);

#endif
