/* Linear probing at a load of at most one half; ids come from a trusted list, so the hash needs
 * no secret. */
#include "id_index.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

_Static_assert(sizeof(struct id_name) == 16, "compared as two words");

static struct id_name make_name(const char *id, uint32_t size)
{
    struct id_name name = {.size = (uint8_t)size};
    memcpy(name.at, id, size);
    return name;
}

static uint32_t slot_of(const struct id_index *index, const struct id_name *name)
{
    uint64_t words[2];
    memcpy(words, name, sizeof words);
    uint64_t hash = (words[0] ^ (words[1] * 0x9e3779b97f4a7c15u)) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)(hash >> 32) & index->mask;
}

enum err id_index_init(struct id_index *index, uint32_t capacity)
{
    CHECK(capacity > 0);
    CHECK(capacity < 1u << 30);
    uint32_t slots = 16;
    while (slots < capacity * 2) {
        slots *= 2;
    }
    *index = (struct id_index){
        .names = calloc(capacity, sizeof *index->names),
        .slots = calloc(slots, sizeof *index->slots),
        .capacity = capacity,
        .mask = slots - 1,
    };
    if (index->names == NULL || index->slots == NULL) {
        id_index_close(index);
        return ERR_NOMEM;
    }
    return ERR_OK;
}

void id_index_close(struct id_index *index)
{
    free(index->names);
    free(index->slots);
    *index = (struct id_index){0};
}

/* The slot that holds name, or the empty one where it belongs. */
static uint32_t probe(const struct id_index *index, const struct id_name *name)
{
    uint32_t slot = slot_of(index, name);
    while (index->slots[slot] != 0) {
        if (memcmp(&index->names[index->slots[slot] - 1], name, sizeof *name) == 0) {
            break;
        }
        slot = (slot + 1) & index->mask;
    }
    return slot;
}

uint32_t id_index_add(struct id_index *index, const char *id, uint32_t size)
{
    if (size == 0 || size > ID_SIZE_MAX) {
        return ID_NONE;
    }
    struct id_name name = make_name(id, size);
    uint32_t slot = probe(index, &name);
    if (index->slots[slot] == 0) {
        if (index->count == index->capacity) {
            return ID_NONE;
        }
        index->names[index->count++] = name;
        index->slots[slot] = index->count;
    }
    return index->slots[slot] - 1;
}

uint32_t id_index_find(const struct id_index *index, const char *id, uint32_t size)
{
    if (size == 0 || size > ID_SIZE_MAX) {
        return ID_NONE;
    }
    struct id_name name = make_name(id, size);
    uint32_t slot = probe(index, &name);
    return index->slots[slot] == 0 ? ID_NONE : index->slots[slot] - 1;
}
