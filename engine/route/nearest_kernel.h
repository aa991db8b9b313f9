/* The loops of the nearest search, once per instruction set; all give the same bits.
 *
 * Distances are squared chords (words) or chords (caps) in float, never negative, so their bits
 * compare as integers: a key is those bits above a 16-bit index, INT64_MAX is "none", and the
 * nearest is the least key. Plain C compiled three times, but for block with AVX-512; contraction
 * is off, so that no variant rounds otherwise. */
#ifndef ROUTE_NEAREST_KERNEL_H
#define ROUTE_NEAREST_KERNEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "network.h"

#define KEY_NONE INT64_MAX

enum {
    WORD_BLOCK = 8,    /* words that are looked at together */
    KEY_BLOCK = 16,    /* arrays of keys are padded with KEY_NONE to a multiple of it */
    REDUCE_BLOCK = 64, /* candidates of reduce come in multiples of it */
    COLUMN_BLOCK = 8,  /* words */
    COLUMN_DIGITS = 10 /* of a count of columns: fewer than 1,024 */
};

/* Lower bounds of caps are lowered by this chord (12 m): see the proof in nearest.c. */
#define CAP_SLACK 0x1p-19f

#define METRES_UNSURE UINT32_MAX

/* Bitmaps of slots, one column for each item: block by block, in a block item by item. Bitmaps of
 * slots beside them have room for whole blocks too. */
struct columns {
    const uint64_t *words;
    uint32_t items;
    uint32_t blocks;
};

/* A bitmap of slots; words from words on have no bit. */
struct slot_map {
    const uint64_t *bits;
    uint32_t words;
};

struct nearest_kernel {
    const char *name;
    /* keys[w] of the words that have bits: lower bound of the chord to any node of the word,
     * index = word. */
    void (*caps)(const struct network *network, const float place[3], const uint64_t *bits,
                 uint32_t words, int64_t *keys);
    /* to[w] &= with[w] for words words. */
    void (*and)(uint64_t *to, const uint64_t *with, uint32_t words);
    /* 64 keys of the slots of word whose bit is set: squared chord, index = slot. */
    void (*word)(const struct network *network, const float place[3], uint32_t word, uint64_t bits,
                 int64_t *keys);
    /* keys of count listed slots: squared chord, index = place in the list. */
    void (*list)(const struct network *network, const float place[3], const uint16_t *slots,
                 uint32_t count, int64_t *keys);
    /* Least key of the slots of the listed words whose bit all maps have, and the second least:
     * squared chord, index = slot. words: WORD_BLOCK are read, the first count of them count. */
    int64_t (*block)(const struct network *network, const float place[3], const uint16_t *words,
                     uint32_t count, const struct slot_map *maps, uint32_t map_count,
                     int64_t *second);
    /* Least of count keys; count is a multiple of KEY_BLOCK. */
    int64_t (*least)(const int64_t *keys, uint32_t count);
    /* Metres to the 64 slots of word as geo_metres counts them, METRES_UNSURE where rounding might
     * go either way. place: x, y, z. */
    void (*metres)(const struct network *network, const double place[3], uint32_t word,
                   uint32_t *metres);
    /* reduced[c] = cost[c] - sum of price[i] * shares[i * stride + c], and the least of each
     * REDUCE_BLOCK; count is a multiple of that. */
    void (*reduce)(const int32_t *cost, const uint16_t *shares, size_t stride, const int32_t *price,
                   uint32_t items, uint32_t count, int32_t *reduced, int32_t *block_least);
    /* gain[c] = sum of the lesser of shares[i * stride + c] and left[i]; count as above, at most
     * 256 items. */
    void (*gain)(const uint16_t *shares, size_t stride, const uint8_t *left, uint32_t items,
                 uint32_t count, uint16_t *gain);
    /* How many of the listed columns have a bit at each slot, in binary: digit d of all slots from
     * planes[d * stride] on, as many digits as the greatest sum of count has. able: slots of open
     * with least or more. */
    void (*touch)(const struct columns *columns, const uint16_t *listed, uint32_t count,
                  uint32_t least, const uint64_t *open, uint64_t *able, uint64_t *planes,
                  size_t stride);
    /* Slots of open that have a bit in each listed column. */
    void (*meet)(const struct columns *columns, const uint16_t *listed, uint32_t count,
                 const uint64_t *open, uint64_t *able);
};

/* The variants that this CPU can run, the fastest first. Returns how many (at least 1). */
uint32_t nearest_kernels(const struct nearest_kernel *out[3]);

static inline float key_distance(int64_t key)
{
    uint32_t bits = (uint32_t)(key >> 16);
    float distance;
    memcpy(&distance, &bits, sizeof distance);
    return distance;
}

static inline uint32_t key_index(int64_t key)
{
    return (uint32_t)(key & 0xffff);
}

static inline int64_t key_make(float distance, uint32_t index)
{
    uint32_t bits;
    memcpy(&bits, &distance, sizeof bits);
    return (int64_t)((uint64_t)bits << 16 | index);
}

#endif
