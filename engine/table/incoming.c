/* Buckets by item, each a list in the order of time. */
#include "incoming.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

enum err incoming_init(struct incoming *incoming)
{
    memset(incoming, 0, sizeof *incoming);
    incoming->heads = calloc(INCOMING_BUCKETS, sizeof *incoming->heads);
    return incoming->heads ? ERR_OK : ERR_NOMEM;
}

void incoming_close(struct incoming *incoming)
{
    free(incoming->entries);
    free(incoming->heads);
    memset(incoming, 0, sizeof *incoming);
}

uint64_t incoming_bytes(const struct incoming *incoming)
{
    return incoming->room * sizeof *incoming->entries + INCOMING_BUCKETS * sizeof *incoming->heads;
}

static uint32_t *head_of(const struct incoming *incoming, uint32_t item)
{
    return &incoming->heads[item * 0x9e3779b9u >> 16];
}

static enum err room_take(struct incoming *incoming)
{
    uint32_t room = incoming->room ? incoming->room * 2 : 1024;
    struct incoming_entry *entries = realloc(incoming->entries, room * sizeof *entries);
    if (!entries) {
        return ERR_NOMEM;
    }
    incoming->entries = entries;
    incoming->room = room;
    incoming->used = incoming->used ? incoming->used : 1;
    return ERR_OK;
}

static uint32_t entry_take(struct incoming *incoming)
{
    uint32_t index = incoming->free_head;
    if (index) {
        incoming->free_head = incoming->entries[index].next;
        return index;
    }
    return incoming->used++;
}

enum err incoming_add(struct incoming *incoming, const struct incoming_entry *entry,
                      uint32_t *index_out)
{
    if (!incoming->free_head && incoming->used == incoming->room) {
        enum err err = room_take(incoming);
        if (err != ERR_OK) {
            return err;
        }
    }
    uint32_t index = entry_take(incoming);
    uint32_t *head = head_of(incoming, entry->item);
    uint32_t prev = 0;
    uint32_t next = *head;
    while (next && incoming->entries[next].eta_ms <= entry->eta_ms) {
        prev = next;
        next = incoming->entries[next].next;
    }
    incoming->entries[index] = *entry;
    incoming->entries[index].next = next;
    incoming->entries[index].prev = prev;
    *(prev ? &incoming->entries[prev].next : head) = index;
    if (next) {
        incoming->entries[next].prev = index;
    }
    incoming->live++;
    *index_out = index;
    return ERR_OK;
}

void incoming_remove(struct incoming *incoming, uint32_t index)
{
    struct incoming_entry *entry = &incoming->entries[index];
    CHECK(index != 0);
    uint32_t *link =
        entry->prev ? &incoming->entries[entry->prev].next : head_of(incoming, entry->item);
    *link = entry->next;
    if (entry->next) {
        incoming->entries[entry->next].prev = entry->prev;
    }
    entry->next = incoming->free_head;
    incoming->free_head = index;
    incoming->live--;
}

uint32_t incoming_next(const struct incoming *incoming, uint32_t item, uint32_t index)
{
    index = index ? incoming->entries[index].next : *head_of(incoming, item);
    while (index && incoming->entries[index].item != item) {
        index = incoming->entries[index].next;
    }
    return index;
}
