/* The loops of the nearest search, once per instruction set; all give the same bits.
 *
 * Distances are squared chords (words) or chords (caps) in float, never negative, so their bits
 * compare as integers: a key is those bits above a 16-bit index, INT64_MAX is "none", and the
 * nearest is the least key. Plain C compiled three times; contraction is off, so that no variant
 * rounds otherwise. */
#ifndef ROUTE_NEAREST_KERNEL_H
#define ROUTE_NEAREST_KERNEL_H

#include <stdint.h>
#include <string.h>

#include "network.h"

#define KEY_NONE INT64_MAX

enum { KEY_BLOCK = 16 }; /* arrays of keys are padded with KEY_NONE to a multiple of it */

/* Lower bounds of caps are lowered by this chord (12 m): see the proof in nearest.c. */
#define CAP_SLACK 0x1p-19f

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
    /* Least of count keys; count is a multiple of KEY_BLOCK. */
    int64_t (*least)(const int64_t *keys, uint32_t count);
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
