/* Vose 1991: every slot holds at most two outcomes, so a draw is one look-up. */
#include "alias_draw.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"

/* Pair every slot that is too light with one that is too heavy. heap holds the light ones from
 * its start and the heavy ones from its end. */
static void pair_up(struct alias *alias, double *share, uint32_t *heap)
{
    uint32_t light = 0;
    uint32_t heavy = alias->count;
    for (uint32_t i = 0; i < alias->count; i++) {
        alias->slots[i] = (struct alias_slot){.keep = UINT32_MAX, .other = i};
        if (share[i] < 1.0) {
            heap[light++] = i;
        } else {
            heap[--heavy] = i;
        }
    }
    while (light > 0 && heavy < alias->count) {
        uint32_t small = heap[--light];
        uint32_t large = heap[heavy];
        alias->slots[small].keep = (uint32_t)(share[small] * 4294967295.0);
        alias->slots[small].other = large;
        share[large] -= 1.0 - share[small];
        if (share[large] < 1.0) {
            heavy++;
            heap[light++] = large;
        }
    }
}

enum err alias_init(struct alias *alias, const double *weights, uint32_t count)
{
    CHECK(count > 0);
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(weights[i] >= 0);
        sum += weights[i];
    }
    CHECK(sum > 0);
    double *share = calloc(count, sizeof *share);
    uint32_t *heap = calloc(count, sizeof *heap);
    *alias = (struct alias){.slots = calloc(count, sizeof *alias->slots), .count = count};
    if (share == NULL || heap == NULL || alias->slots == NULL) {
        alias_close(alias);
        free(share);
        free(heap);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        share[i] = weights[i] / sum * count;
    }
    pair_up(alias, share, heap);
    free(share);
    free(heap);
    return ERR_OK;
}

enum err alias_init_zipf(struct alias *alias, uint32_t count, double exponent)
{
    CHECK(count > 0);
    double *weights = calloc(count, sizeof *weights);
    if (weights == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        weights[i] = pow(i + 1.0, -exponent);
    }
    enum err err = alias_init(alias, weights, count);
    free(weights);
    return err;
}

void alias_close(struct alias *alias)
{
    free(alias->slots);
    *alias = (struct alias){0};
}

uint32_t alias_draw(const struct alias *alias, struct rng *rng)
{
    uint64_t bits = rng_next(rng);
    uint32_t index = (uint32_t)(((bits >> 32) * alias->count) >> 32);
    const struct alias_slot *slot = &alias->slots[index];
    return (uint32_t)bits <= slot->keep ? index : slot->other;
}
