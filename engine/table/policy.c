/* Overrides in an open-addressing table that doubles at half full; removal shifts back. */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

struct policy_slot {
    uint64_t key; /* cell + 1, 0 = empty */
    struct policy policy;
};

static uint64_t key_of(uint32_t item, uint16_t node)
{
    return ((uint64_t)item << 16 | node) + 1;
}

static uint64_t home(uint64_t key, uint64_t mask)
{
    uint64_t x = key * 0x9e3779b97f4a7c15u;
    return (x ^ x >> 32) & mask;
}

void policies_init(struct policies *policies)
{
    memset(policies, 0, sizeof *policies);
}

void policies_close(struct policies *policies)
{
    free(policies->slots);
    quotas_close(&policies->quotas);
    memset(policies, 0, sizeof *policies);
}

static struct policy_slot *find(struct policy_slot *slots, uint64_t mask, uint64_t key)
{
    uint64_t at = home(key, mask);
    while (slots[at].key && slots[at].key != key) {
        at = (at + 1) & mask;
    }
    return &slots[at];
}

const struct policy *policies_find(const struct policies *policies, uint32_t item, uint16_t node)
{
    if (!policies->slots) {
        return NULL;
    }
    const struct policy_slot *slot = find(policies->slots, policies->mask, key_of(item, node));
    return slot->key ? &slot->policy : NULL;
}

void policies_lend(struct policies *policies, uint32_t item, uint16_t node, int64_t units)
{
    struct policy_slot *slot =
        policies->quotas.count ? find(policies->slots, policies->mask, key_of(item, node)) : NULL;
    if (slot && slot->key) {
        int64_t lent = slot->policy.lent + units;
        CHECK(lent >= 0);
        slot->policy.lent = (uint32_t)lent;
    }
}

static enum err grow(struct policies *policies)
{
    uint64_t mask = policies->slots ? policies->mask * 2 + 1 : 63;
    struct policy_slot *slots = calloc(mask + 1, sizeof *slots);
    if (!slots) {
        return ERR_NOMEM;
    }
    for (uint64_t i = 0; policies->slots && i <= policies->mask; i++) {
        if (policies->slots[i].key) {
            *find(slots, mask, policies->slots[i].key) = policies->slots[i];
        }
    }
    free(policies->slots);
    policies->slots = slots;
    policies->mask = mask;
    return ERR_OK;
}

uint64_t policies_peak_bytes(const struct policies *policies, uint64_t more)
{
    const uint64_t slots = policies->slots ? policies->mask + 1 : 0;
    uint64_t wanted = slots ? slots : 64;
    while ((policies->count + more) * 2 >= wanted) {
        wanted *= 2;
    }
    return (wanted == slots || !(slots || more) ? slots : slots + wanted) *
           sizeof *policies->slots;
}

/* Take the slot out and close the gap: what hangs over from before moves back. */
static void take_out(struct policies *policies, uint64_t hole)
{
    uint64_t mask = policies->mask;
    uint64_t at = hole;
    for (;;) {
        at = (at + 1) & mask;
        if (!policies->slots[at].key) {
            break;
        }
        uint64_t wanted = home(policies->slots[at].key, mask);
        if (((at - wanted) & mask) >= ((at - hole) & mask)) {
            policies->slots[hole] = policies->slots[at];
            hole = at;
        }
    }
    memset(&policies->slots[hole], 0, sizeof policies->slots[hole]);
    policies->count--;
}

enum err policies_set(struct policies *policies, uint32_t item, uint16_t node,
                      const struct policy *policy)
{
    bool is_empty = !policy->has_safety && !policy->is_unlisted && !policy->quotas;
    if (!policies->slots || policies->count * 2 > policies->mask) {
        enum err err = grow(policies);
        if (err != ERR_OK) {
            return err;
        }
    }
    struct policy_slot *slot = find(policies->slots, policies->mask, key_of(item, node));
    if (is_empty) {
        if (slot->key) {
            take_out(policies, (uint64_t)(slot - policies->slots));
        }
        return ERR_OK;
    }
    policies->count += slot->key == 0;
    slot->key = key_of(item, node);
    slot->policy = *policy;
    return ERR_OK;
}
