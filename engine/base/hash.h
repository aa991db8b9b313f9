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

/* The same for a short row of three words, without a pass over bytes: the hot path's cells. */
void digest_add_words(struct digest *digest, uint32_t tag, uint64_t a, uint64_t b, uint64_t c);
void digest_take_words(struct digest *digest, uint32_t tag, uint64_t a, uint64_t b, uint64_t c);

/* All rows of another digest at once. */
void digest_join(struct digest *digest, const struct digest *rows);
void digest_part(struct digest *digest, const struct digest *rows);

bool digest_equal(const struct digest *a, const struct digest *b);

#endif
