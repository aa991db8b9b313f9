/* Keys of changes seen within the window, with the facts of their answers: no change happens
 * twice for one key. Entries live in a ring in the order of their coming; the oldest leave by
 * record only (keyring_drop), never early: age is the promise, count the limit.
 *
 * Engine loop only. Orders are not in here: an order is its own entry. */
#ifndef TABLE_KEYRING_H
#define TABLE_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "hash.h"

enum { KEY_FACTS_MAX = 5 };

struct key_entry {
    struct hash128 key; /* keyed hash of method and key */
    uint64_t content;   /* fixed-seed hash of what was asked */
    uint64_t lsn;
    uint64_t time_ms;
    int64_t facts[KEY_FACTS_MAX]; /* as the method defines them */
};

struct keyring {
    struct key_entry *ring; /* max entries */
    uint32_t max;
    uint64_t first; /* number of the oldest entry; its place is number % max */
    uint64_t count;
    uint32_t *slots; /* open addressing: place + 1 */
    uint64_t mask;
};

ERR_MUST_USE enum err keyring_init(struct keyring *keyring, uint32_t max);
void keyring_close(struct keyring *keyring);

/* Bytes reserved for max keys; and those in use, hash slots included. */
uint64_t keyring_memory(uint32_t max);
uint64_t keyring_bytes(const struct keyring *keyring);

const struct key_entry *keyring_find(const struct keyring *keyring, const struct hash128 *key);
bool keyring_has_room(const struct keyring *keyring);

/* Remember. There must be room, and the key must be new. */
void keyring_add(struct keyring *keyring, const struct key_entry *entry);

/* The oldest entry, or NULL; and forget it. */
const struct key_entry *keyring_oldest(const struct keyring *keyring);
void keyring_drop(struct keyring *keyring);

#endif
