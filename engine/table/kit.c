/* Kits in an open-addressing table that doubles at half full; places are never given back. */
#include "kit.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

void kits_init(struct kits *kits)
{
    memset(kits, 0, sizeof *kits);
}

void kits_close(struct kits *kits)
{
    for (uint64_t i = 0; kits->slots && i <= kits->mask; i++) {
        free(kits->slots[i].parts);
    }
    free(kits->slots);
    memset(kits, 0, sizeof *kits);
}

static struct kit *place_of(struct kit *slots, uint64_t mask, uint32_t item)
{
    uint64_t hash = ((uint64_t)item + 1) * 0x9e3779b97f4a7c15u;
    uint64_t at = (hash ^ hash >> 32) & mask;
    while (slots[at].item && slots[at].item != item + 1) {
        at = (at + 1) & mask;
    }
    return &slots[at];
}

const struct kit *kits_find(const struct kits *kits, uint32_t item)
{
    const struct kit *kit = kits->slots ? place_of(kits->slots, kits->mask, item) : NULL;
    return kit && kit->item ? kit : NULL;
}

/* Room for count more places. */
static enum err room_need(struct kits *kits, uint32_t count)
{
    uint64_t mask = kits->slots ? kits->mask : 63;
    while ((kits->used + (uint64_t)count) * 2 > mask) {
        mask = mask * 2 + 1;
    }
    if (kits->slots && mask == kits->mask) {
        return ERR_OK;
    }
    struct kit *slots = calloc(mask + 1, sizeof *slots);
    if (!slots) {
        return ERR_NOMEM;
    }
    for (uint64_t i = 0; kits->slots && i <= kits->mask; i++) {
        if (kits->slots[i].item) {
            *place_of(slots, mask, kits->slots[i].item - 1) = kits->slots[i];
        }
    }
    free(kits->slots);
    kits->slots = slots;
    kits->mask = mask;
    return ERR_OK;
}

static struct kit *enter(struct kits *kits, uint32_t item)
{
    struct kit *kit = place_of(kits->slots, kits->mask, item);
    kits->used += kit->item == 0;
    kit->item = item + 1;
    return kit;
}

enum err kits_set(struct kits *kits, uint32_t item, const struct kit_part *parts, uint32_t count)
{
    const struct kit *known = kits_find(kits, item);
    if (count == 0 && (!known || known->count == 0)) {
        return ERR_OK;
    }
    CHECK(count <= KIT_PARTS_MAX);
    struct kit_part *own = count ? malloc(count * sizeof *own) : NULL;
    enum err err = room_need(kits, count + 1);
    if ((count && !own) || err != ERR_OK) {
        free(own);
        return ERR_NOMEM;
    }
    struct kit *kit = enter(kits, item);
    for (uint32_t i = 0; i < kit->count; i++) {
        enter(kits, kit->parts[i].item)->uses--;
    }
    for (uint32_t i = 0; i < count; i++) {
        own[i] = parts[i];
        enter(kits, parts[i].item)->uses++;
    }
    free(kit->parts);
    kits->count += (count > 0) - (uint32_t)(kit->count > 0);
    kit->parts = own;
    kit->count = count;
    return ERR_OK;
}
