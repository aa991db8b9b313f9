/* A ring of entries and an open-addressing table of places in it. */
#include "keyring.h"

#include <string.h>

#include "check.h"
#include "mem.h"

static uint64_t slot_count(uint32_t max)
{
    uint64_t count = 1024;
    while (count < (uint64_t)max * 4 / 3) {
        count *= 2;
    }
    return count;
}

enum err keyring_init(struct keyring *keyring, uint32_t max)
{
    memset(keyring, 0, sizeof *keyring);
    keyring->max = max;
    keyring->mask = slot_count(max) - 1;
    void *memory;
    enum err err = mem_reserve((size_t)max * sizeof(struct key_entry), &memory);
    if (err != ERR_OK) {
        return err;
    }
    keyring->ring = memory;
    err = mem_reserve((keyring->mask + 1) * sizeof(uint32_t), &memory);
    if (err != ERR_OK) {
        keyring_close(keyring);
        return err;
    }
    keyring->slots = memory;
    mem_populate(memory, (keyring->mask + 1) * sizeof(uint32_t));
    return ERR_OK;
}

void keyring_close(struct keyring *keyring)
{
    mem_release(keyring->ring, (size_t)keyring->max * sizeof(struct key_entry));
    mem_release(keyring->slots, (keyring->mask + 1) * sizeof(uint32_t));
    memset(keyring, 0, sizeof *keyring);
}

uint64_t keyring_memory(uint32_t max)
{
    return mem_size((size_t)max * sizeof(struct key_entry)) +
           mem_size(slot_count(max) * sizeof(uint32_t));
}

uint64_t keyring_bytes(const struct keyring *keyring)
{
    return keyring->count * sizeof(struct key_entry) + (keyring->mask + 1) * sizeof(uint32_t);
}

static bool is_key(const struct keyring *keyring, uint32_t place, const struct hash128 *key)
{
    const struct key_entry *entry = &keyring->ring[place];
    return entry->key.low == key->low && entry->key.high == key->high;
}

static uint64_t find(const struct keyring *keyring, const struct hash128 *key)
{
    uint64_t at = key->low & keyring->mask;
    while (keyring->slots[at] && !is_key(keyring, keyring->slots[at] - 1, key)) {
        at = (at + 1) & keyring->mask;
    }
    return at;
}

const struct key_entry *keyring_find(const struct keyring *keyring, const struct hash128 *key)
{
    uint32_t place = keyring->slots[find(keyring, key)];
    return place ? &keyring->ring[place - 1] : NULL;
}

bool keyring_has_room(const struct keyring *keyring)
{
    return keyring->count < keyring->max;
}

void keyring_add(struct keyring *keyring, const struct key_entry *entry)
{
    CHECK(keyring_has_room(keyring));
    uint32_t place = (uint32_t)((keyring->first + keyring->count) % keyring->max);
    uint64_t slot = find(keyring, &entry->key);
    CHECK(keyring->slots[slot] == 0);
    keyring->ring[place] = *entry;
    keyring->slots[slot] = place + 1;
    keyring->count++;
}

const struct key_entry *keyring_oldest(const struct keyring *keyring)
{
    return keyring->count ? &keyring->ring[keyring->first % keyring->max] : NULL;
}

void keyring_drop(struct keyring *keyring)
{
    CHECK(keyring->count > 0);
    uint64_t hole = find(keyring, &keyring_oldest(keyring)->key);
    CHECK(keyring->slots[hole] == keyring->first % keyring->max + 1);
    uint64_t at = hole;
    for (;;) {
        at = (at + 1) & keyring->mask;
        if (!keyring->slots[at]) {
            break;
        }
        uint64_t wanted = keyring->ring[keyring->slots[at] - 1].key.low & keyring->mask;
        if (((at - wanted) & keyring->mask) >= ((at - hole) & keyring->mask)) {
            keyring->slots[hole] = keyring->slots[at];
            hole = at;
        }
    }
    keyring->slots[hole] = 0;
    keyring->first++;
    keyring->count--;
}
