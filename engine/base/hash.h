/* Hashes of three kinds, never mixed: keyed ones for tables that clients fill (a client that
 * does not know the key cannot aim at one slot), fixed-seed ones for content comparison, and
 * the row digest (a sum, so that rows can be added and taken out in any order). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The expanded 128-bit secret of a data folder. Set once by hash_key_init, then read only. */
struct hash_key {
    uint8_t secret[192];
};

void hash_key_init(struct hash_key *key, const uint8_t secret[16]);

/* Keyed hash of bytes; never 0, so that 0 can mark an empty slot. */
uint64_t hash_keyed(const struct hash_key *key, const void *bytes, size_t size);

struct hash128 {
    uint64_t low, high;
};

struct hash128 hash_keyed128(const struct hash_key *key, const void *bytes, size_t size);

/* Fixed-seed hash of bytes, the same for ever: content hashes. */
uint64_t hash_fixed(const void *bytes, size_t size);

/* Sum mod 2^128 of fixed-seed row hashes: equal sets of rows, equal digest. */
struct digest {
    uint64_t low, high;
};

/* Row of a table, given as bytes. tag tells tables apart. */
void digest_add(struct digest *digest, uint32_t tag, const void *row, size_t size);
void digest_take(struct digest *digest, uint32_t tag, const void *row, size_t size);

/* All rows of another digest at once: put in, taken out. */
static inline void digest_join(struct digest *digest, const struct digest *rows)
{
    digest->low += rows->low;
    digest->high += rows->high + (digest->low < rows->low);
}

static inline void digest_part(struct digest *digest, const struct digest *rows)
{
    uint64_t borrow = digest->low < rows->low;
    digest->low -= rows->low;
    digest->high -= rows->high + borrow;
}

/* A short row of three words, without a pass over bytes: in line, as a two-line order touches a
 * dozen of them. */
__extension__ typedef unsigned __int128 digest_wide;

static inline uint64_t digest_mix(uint64_t a, uint64_t b)
{
    digest_wide product = (digest_wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline struct digest digest_of_words(uint32_t tag, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t x = digest_mix(a ^ 0xa0761d6478bd642fu, b ^ 0xe7037ed1a0b428dbu ^ tag);
    uint64_t y = digest_mix(c ^ 0x8ebc6af09c88c6e3u, x ^ 0x589965cc75374cc3u);
    return (struct digest){digest_mix(x ^ 0x1d8e4e27c47d124fu, y),
                           digest_mix(y ^ 0xeb44accab455d165u, x ^ a)};
}

static inline void digest_add_words(struct digest *digest, uint32_t tag, uint64_t a, uint64_t b,
                                    uint64_t c)
{
    const struct digest row = digest_of_words(tag, a, b, c);
    digest_join(digest, &row);
}

static inline void digest_take_words(struct digest *digest, uint32_t tag, uint64_t a, uint64_t b,
                                     uint64_t c)
{
    const struct digest row = digest_of_words(tag, a, b, c);
    digest_part(digest, &row);
}

bool digest_equal(const struct digest *a, const struct digest *b);

#endif
