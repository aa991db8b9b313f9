/* Items by dense handle, found by keyed hash with linear probing over at most 64 slots. */
#include "catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mem.h"
#include "prefetch.h"

enum { PROBES = 64 };

/* Read and written as one word: who finds an entry sees the item behind it. */
struct catalogue_slot {
    uint64_t word; /* upper half of the hash, then handle + 1; 0 = empty */
};

struct found_slot {
    uint32_t tag;
    uint32_t entry; /* handle + 1, 0 = empty */
};

static struct found_slot slot_read(const struct catalogue_slot *slot)
{
    uint64_t word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);
    return (struct found_slot){(uint32_t)(word >> 32), (uint32_t)word};
}

static const char *const fixed_flags[FLAG_FIXED_COUNT] = {"no_ship_from_store", "no_same_day",
                                                          "no_pickup"};

static uint64_t slot_count(uint32_t max)
{
    uint64_t count = 1024;
    while (count < (uint64_t)max * 2) {
        count *= 2;
    }
    return count;
}

static enum err tables_reserve(struct catalogue *catalogue)
{
    void *memory;
    enum err err = mem_reserve(sizeof(struct item) * (size_t)catalogue->max, &memory);
    if (err != ERR_OK) {
        return err;
    }
    catalogue->items = memory;
    err = mem_reserve(sizeof(struct catalogue_slot) * (catalogue->slot_mask + 1), &memory);
    if (err != ERR_OK) {
        return err;
    }
    catalogue->slots = memory;
    mem_populate(memory, sizeof(struct catalogue_slot) * (catalogue->slot_mask + 1));
    err = mem_reserve(catalogue->ids_size, &memory);
    if (err == ERR_OK) {
        catalogue->ids = memory;
    }
    return err;
}

enum err catalogue_init(struct catalogue *catalogue, uint32_t max, const struct hash_key *key)
{
    memset(catalogue, 0, sizeof *catalogue);
    catalogue->max = max;
    catalogue->key = key;
    catalogue->slot_mask = slot_count(max) - 1;
    catalogue->ids_size = (uint64_t)max * (ID_MAX + 1);
    catalogue->flag_count = FLAG_FIXED_COUNT;
    for (uint32_t i = 0; i < FLAG_FIXED_COUNT; i++) {
        memcpy(catalogue->flag_names[i], fixed_flags[i], strlen(fixed_flags[i]));
    }
    enum err err = tables_reserve(catalogue);
    if (err != ERR_OK) {
        catalogue_close(catalogue);
    }
    return err;
}

void catalogue_close(struct catalogue *catalogue)
{
    for (uint32_t i = 0; i < catalogue->count; i++) {
        row_free(catalogue->items[i].row);
        free(catalogue->items[i].not_to);
    }
    mem_release(catalogue->items, sizeof(struct item) * (size_t)catalogue->max);
    mem_release(catalogue->slots, sizeof(struct catalogue_slot) * (catalogue->slot_mask + 1));
    mem_release(catalogue->ids, catalogue->ids_size);
    memset(catalogue, 0, sizeof *catalogue);
}

uint64_t catalogue_memory(uint32_t max)
{
    return mem_size(sizeof(struct item) * (size_t)max) +
           mem_size(sizeof(struct catalogue_slot) * slot_count(max)) +
           mem_size((size_t)max * (ID_MAX + 1));
}

uint64_t catalogue_bytes(const struct catalogue *catalogue)
{
    return catalogue->count * sizeof(struct item) + catalogue->ids_used +
           (catalogue->slot_mask + 1) * sizeof(struct catalogue_slot);
}

uint64_t catalogue_hash(const struct catalogue *catalogue, const char *id, uint32_t len)
{
    return hash_keyed(catalogue->key, id, len);
}

void catalogue_prefetch(const struct catalogue *catalogue, uint64_t hash)
{
    prefetch_read(&catalogue->slots[hash & catalogue->slot_mask]);
}

/* The first slot whose tag fits, nearly always the item's; a wrong one costs a prefetch. */
void catalogue_prefetch_item(const struct catalogue *catalogue, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint64_t i = 0; i < 4; i++) {
        struct found_slot slot = slot_read(&catalogue->slots[(hash + i) & catalogue->slot_mask]);
        if (slot.tag == tag && slot.entry) {
            prefetch_read(&catalogue->items[slot.entry - 1]);
            return;
        }
    }
}

static bool is_item(const struct catalogue *catalogue, uint32_t handle, const char *id,
                    uint32_t len)
{
    const struct item *item = &catalogue->items[handle];
    uint32_t near = len < ITEM_HEAD ? len : ITEM_HEAD;
    return item->id_len == len && memcmp(item->head, id, near) == 0 &&
           (len == near || memcmp(item->id + near, id + near, len - near) == 0);
}

uint32_t catalogue_find(const struct catalogue *catalogue, uint64_t hash, const char *id,
                        uint32_t len)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint64_t i = 0; i < PROBES; i++) {
        struct found_slot slot = slot_read(&catalogue->slots[(hash + i) & catalogue->slot_mask]);
        if (slot.entry == 0) {
            return ITEM_NONE;
        }
        if (slot.tag == tag && is_item(catalogue, slot.entry - 1, id, len)) {
            return slot.entry - 1;
        }
    }
    return ITEM_NONE;
}

static uint32_t create(struct catalogue *catalogue, const char *id, uint32_t len)
{
    uint32_t handle = catalogue->count++;
    char *text = catalogue->ids + catalogue->ids_used;
    memcpy(text, id, len);
    text[len] = '\0';
    catalogue->ids_used += len + 1;
    struct item *item = &catalogue->items[handle];
    item->id = text;
    item->id_len = (uint8_t)len;
    memcpy(item->head, id, len < ITEM_HEAD ? len : ITEM_HEAD);
    return handle;
}

enum err catalogue_put(struct catalogue *catalogue, const char *id, uint32_t len,
                       uint32_t *handle_out)
{
    uint64_t hash = catalogue_hash(catalogue, id, len);
    uint32_t tag = (uint32_t)(hash >> 32);
    CHECK(len >= 1);
    CHECK(len <= ID_MAX);
    for (uint64_t i = 0; i < PROBES; i++) {
        struct catalogue_slot *at = &catalogue->slots[(hash + i) & catalogue->slot_mask];
        struct found_slot slot = slot_read(at);
        if (slot.entry && slot.tag == tag && is_item(catalogue, slot.entry - 1, id, len)) {
            *handle_out = slot.entry - 1;
            return ERR_OK;
        }
        if (slot.entry == 0) {
            if (catalogue->count >= catalogue->max) {
                return ERR_FULL;
            }
            *handle_out = create(catalogue, id, len);
            __atomic_store_n(&at->word, (uint64_t)tag << 32 | (*handle_out + 1),
                             __ATOMIC_RELEASE);
            return ERR_OK;
        }
    }
    catalogue->probes_over++;
    return ERR_FULL;
}

bool catalogue_has_room(const struct catalogue *catalogue, uint64_t hash)
{
    if (catalogue->count >= catalogue->max) {
        return false;
    }
    for (uint64_t i = 0; i < PROBES; i++) {
        if (catalogue->slots[(hash + i) & catalogue->slot_mask].word == 0) {
            return true;
        }
    }
    return false;
}

uint32_t catalogue_flag_find(const struct catalogue *catalogue, const char *name, uint32_t len)
{
    for (uint32_t i = 0; i < catalogue->flag_count; i++) {
        const char *flag = catalogue->flag_names[i];
        if (strlen(flag) == len && memcmp(flag, name, len) == 0) {
            return i;
        }
    }
    return FLAG_MAX;
}

enum err catalogue_flag(struct catalogue *catalogue, const char *name, uint32_t len,
                        uint32_t *flag_out)
{
    *flag_out = catalogue_flag_find(catalogue, name, len);
    if (*flag_out < FLAG_MAX) {
        return ERR_OK;
    }
    if (catalogue->flag_count >= FLAG_MAX) {
        return ERR_FULL;
    }
    CHECK(len <= ID_MAX);
    *flag_out = catalogue->flag_count++;
    memcpy(catalogue->flag_names[*flag_out], name, len);
    catalogue->flag_names[*flag_out][len] = '\0';
    return ERR_OK;
}
