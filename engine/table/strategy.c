/* Versions of strategies by name, and which one decides what. */
#include "strategy.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hash.h"

/* All steps divide this: a weight means the same for each term. */
enum { STEPS_ALL = 10000 };

static const char nearest_name[] = "nearest";

enum err strategies_init(struct strategies *strategies)
{
    memset(strategies, 0, sizeof *strategies);
    strategies->all = calloc(STRATEGY_VERSIONS_MAX, sizeof *strategies->all);
    return strategies->all ? ERR_OK : ERR_NOMEM;
}

void strategies_close(struct strategies *strategies)
{
    free(strategies->all);
    strategies->all = NULL;
}

uint64_t strategies_memory(void)
{
    return STRATEGY_VERSIONS_MAX * sizeof(struct strategy) + sizeof(struct strategies);
}

static bool is_named(const struct strategy *strategy, const char *name, uint32_t len)
{
    return strategy->name_len == len && memcmp(strategy->name, name, len) == 0;
}

/* Place of the name's newest version in newest; name_count: there is none. */
static uint32_t name_find(const struct strategies *strategies, const char *name, uint32_t len)
{
    uint32_t at = 0;
    while (at < strategies->name_count &&
           !is_named(&strategies->all[strategies->newest[at] - 1], name, len)) {
        at++;
    }
    return at;
}

bool strategies_find(const struct strategies *strategies, const char *name, uint32_t len,
                     uint32_t version, uint16_t *handle_out)
{
    *handle_out = STRATEGY_NEAREST;
    if (len == sizeof nearest_name - 1 && memcmp(name, nearest_name, len) == 0) {
        return version == 0;
    }
    uint32_t at = name_find(strategies, name, len);
    if (at == strategies->name_count) {
        return false;
    }
    uint16_t handle = strategies->newest[at];
    while (handle > 0 && version != 0 &&
           (strategies->all[handle - 1].version != version ||
            !is_named(&strategies->all[handle - 1], name, len))) {
        handle--;
    }
    *handle_out = handle;
    return handle > 0;
}

const char *strategies_name(const struct strategies *strategies, uint16_t handle,
                            uint32_t *version_out)
{
    const struct strategy *strategy = strategies_at(strategies, handle);
    *version_out = strategy ? strategy->version : 0;
    return strategy ? strategy->name : nearest_name;
}

static bool terms_are_equal(const struct strategy *a, const struct strategy *b)
{
    for (uint32_t i = 0; i < a->term_count; i++) {
        const struct strategy_term *x = &a->terms[i];
        const struct strategy_term *y = &b->terms[i];
        if (x->term != y->term || x->weight != y->weight || x->band != y->band) {
            return false;
        }
    }
    return true;
}

static bool fences_are_equal(const struct strategy *a, const struct strategy *b)
{
    for (uint32_t i = 0; i < a->fence_count; i++) {
        if (a->fences[i].fence != b->fences[i].fence || a->fences[i].value != b->fences[i].value) {
            return false;
        }
    }
    return true;
}

bool strategy_is_equal(const struct strategy *a, const struct strategy *b)
{
    return a->mode == b->mode && a->term_count == b->term_count &&
           a->fence_count == b->fence_count && a->reject_max == b->reject_max &&
           a->block_ms == b->block_ms && terms_are_equal(a, b) && fences_are_equal(a, b);
}

bool strategy_is_sound(const struct strategy *strategy)
{
    bool is_weighted = strategy->mode == STRATEGY_WEIGHTED;
    bool is_sound = strategy->name_len > 0 && strategy->mode < STRATEGY_MODE_COUNT &&
                    strategy->term_count > 0 && strategy->term_count <= STRATEGY_TERMS_MAX &&
                    strategy->fence_count <= STRATEGY_FENCES_MAX && strategy->version > 0;
    for (uint32_t i = 0; is_sound && i < strategy->term_count; i++) {
        const struct strategy_term *term = &strategy->terms[i];
        is_sound = term->term < STRATEGY_TERM_COUNT && term->weight <= STRATEGY_WEIGHT_MAX &&
                   term->band > 0 && term->band <= STRATEGY_VALUE_MAX &&
                   (!is_weighted || term->weight > 0);
    }
    for (uint32_t i = 0; is_sound && i < strategy->fence_count; i++) {
        is_sound = strategy->fences[i].fence < STRATEGY_FENCE_COUNT;
    }
    return is_sound;
}

uint32_t strategy_term_steps(enum strategy_term_kind term)
{
    switch (term) {
    case STRATEGY_TERM_DISTANCE:
    case STRATEGY_TERM_ROAD:
        return 1000; /* metres in a km */
    case STRATEGY_TERM_ACCEPTANCE:
        return 10000; /* millionths in a hundredth */
    case STRATEGY_TERM_SCARCITY:
        return 10; /* thousandths in a hundredth */
    case STRATEGY_TERM_MINUTES:
    case STRATEGY_TERM_COST:
    case STRATEGY_TERM_DATE:
    case STRATEGY_TERM_STORE:
    case STRATEGY_TERM_WAREHOUSE:
    case STRATEGY_TERM_VENDOR:
    case STRATEGY_TERM_PRIORITY:
    case STRATEGY_TERM_LOAD:
        return 1;
    case STRATEGY_TERM_COUNT:
        break;
    }
    CHECK_UNREACHABLE("no such term");
}

static uint64_t divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Small factors: sums of scores stay exact where they can. At most 10^10 each, so that the
 * terms of a strategy sum to less than 2^64. */
static void factors_derive(struct strategy *strategy)
{
    uint64_t common = 0;
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        const struct strategy_term *term = &strategy->terms[i];
        uint32_t steps = strategy_term_steps((enum strategy_term_kind)term->term);
        strategy->factor[i] = (uint64_t)term->weight * (STEPS_ALL / steps);
        common = divisor(strategy->factor[i], common);
    }
    for (uint32_t i = 0; i < strategy->term_count && common > 0; i++) {
        strategy->factor[i] /= common;
    }
}

_Static_assert((uint64_t)STRATEGY_WEIGHT_MAX * STEPS_ALL <= UINT64_MAX / STRATEGY_TERMS_MAX /
                                                                STRATEGY_VALUE_MAX,
               "scores fit into 64 bits");

static bool is_moving(const struct strategy *strategy)
{
    bool moves = false;
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        uint8_t term = strategy->terms[i].term;
        moves |= term == STRATEGY_TERM_LOAD || term == STRATEGY_TERM_ACCEPTANCE;
    }
    for (uint32_t i = 0; i < strategy->fence_count; i++) {
        uint8_t fence = strategy->fences[i].fence;
        moves |= fence == STRATEGY_FENCE_MAX_LOAD || fence == STRATEGY_FENCE_MIN_ACCEPTANCE;
    }
    return moves;
}

/* The first term of a lexicographic one, any of a weighted one. */
static void lead_derive(struct strategy *strategy)
{
    uint32_t leading = strategy->mode == STRATEGY_WEIGHTED ? strategy->term_count : 1;
    uint32_t at = 0;
    while (at < leading && strategy->terms[at].term != STRATEGY_TERM_DISTANCE) {
        at++;
    }
    strategy->is_led = at < leading;
    strategy->led_by = strategy->is_led ? (uint8_t)at : 0;
}

static void derive(struct strategy *strategy)
{
    lead_derive(strategy);
    strategy->is_moving = is_moving(strategy);
    factors_derive(strategy);
    strategy->keep = 0;
    strategy->max_m = UINT32_MAX;
    for (uint32_t i = 0; i < strategy->fence_count; i++) {
        const struct strategy_fence *fence = &strategy->fences[i];
        if (fence->fence == STRATEGY_FENCE_KEEP_LAST && fence->value > strategy->keep) {
            strategy->keep = fence->value;
        } else if (fence->fence == STRATEGY_FENCE_MAX_KM && fence->value < strategy->max_m) {
            strategy->max_m = fence->value;
        }
    }
}

enum err strategies_add(struct strategies *strategies, const struct strategy *strategy)
{
    uint32_t at = name_find(strategies, strategy->name, strategy->name_len);
    if (strategies->count == STRATEGY_VERSIONS_MAX ||
        (at == strategies->name_count && at == STRATEGY_NAMES_MAX)) {
        return ERR_FULL;
    }
    struct strategy *own = &strategies->all[strategies->count++];
    *own = *strategy;
    derive(own);
    strategies->newest[at] = (uint16_t)strategies->count;
    strategies->name_count += at == strategies->name_count;
    return ERR_OK;
}

/* -- choices -- */

static uint64_t channel_hash(const char *channel, uint32_t len)
{
    return len ? hash_fixed(channel, len) : 0;
}

static bool is_of(const struct strategy_choice *choice, const char *channel, uint32_t len,
                  uint64_t hash)
{
    return choice->channel_hash == hash && choice->channel_len == len &&
           memcmp(choice->channel, channel, len) == 0;
}

static uint32_t choice_find(const struct strategies *strategies, uint8_t service,
                            const char *channel, uint32_t len)
{
    uint64_t hash = channel_hash(channel, len);
    uint32_t at = 0;
    while (at < strategies->choice_count &&
           (strategies->choices[at].service != service ||
            !is_of(&strategies->choices[at], channel, len, hash))) {
        at++;
    }
    return at;
}

const struct strategy_choice *strategies_choice(const struct strategies *strategies,
                                                uint8_t service, const char *channel, uint32_t len)
{
    uint32_t at = choice_find(strategies, service, channel, len);
    return at < strategies->choice_count ? &strategies->choices[at] : NULL;
}

enum err strategies_choose(struct strategies *strategies, const struct strategy_choice *choice)
{
    uint32_t at =
        choice_find(strategies, choice->service, choice->channel, choice->channel_len);
    bool is_whole = choice->service == STRATEGY_ANY_SERVICE && choice->channel_len == 0;
    if (is_whole && choice->strategy == STRATEGY_NEAREST) {
        if (at < strategies->choice_count) {
            strategies->choices[at] = strategies->choices[--strategies->choice_count];
        }
        return ERR_OK;
    }
    if (at == STRATEGY_CHOICES_MAX) {
        return ERR_FULL;
    }
    strategies->choices[at] = *choice;
    strategies->choices[at].channel_hash = channel_hash(choice->channel, choice->channel_len);
    strategies->choice_count += at == strategies->choice_count;
    return ERR_OK;
}

/* How near a choice's scope is to an order; 0 = it is another's. */
static uint32_t nearness(const struct strategy_choice *choice, enum service service,
                         const char *channel, uint32_t len, uint64_t hash)
{
    bool has_channel = choice->channel_len > 0;
    bool has_service = choice->service != STRATEGY_ANY_SERVICE;
    if ((has_channel && !is_of(choice, channel, len, hash)) ||
        (has_service && choice->service != service)) {
        return 0;
    }
    return 1 + has_service + 2 * (uint32_t)has_channel;
}

uint16_t strategies_of(const struct strategies *strategies, enum service service,
                       const char *channel, uint32_t len)
{
    uint16_t strategy = STRATEGY_NEAREST;
    uint32_t best = 0;
    uint64_t hash = strategies->choice_count > 0 ? channel_hash(channel, len) : 0;
    for (uint32_t i = 0; i < strategies->choice_count; i++) {
        uint32_t near = nearness(&strategies->choices[i], service, channel, len, hash);
        if (near > best) {
            best = near;
            strategy = strategies->choices[i].strategy;
        }
    }
    return strategy;
}
