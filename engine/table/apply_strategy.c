/* Effects on strategies, and nodes that are shut out of new orders for a while. */
#include "apply_strategy_internal.h"

#include "check.h"

static void strategy_digest(struct tables *tables, const struct strategy *strategy)
{
    uint8_t bytes[EFFECT_STRATEGY_SIZE_MAX];
    struct effect_strategy effect = {.strategy = *strategy};
    uint32_t size = effect_strategy_encode(bytes, &effect);
    digest_add_words(&tables->digest, TAG_STRATEGY, hash_fixed(bytes, size), strategy->made_ms,
                     0);
}

enum err strategy_enter(struct tables *tables, const struct strategy *strategy, uint64_t made_ms)
{
    struct strategy made = *strategy;
    made.made_ms = made_ms;
    enum err err = strategies_add(&tables->strategies, &made);
    if (err == ERR_OK) {
        strategy_digest(tables, &made);
    }
    return err;
}

enum err tables_apply_strategy(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                               const struct effect_strategy *effect)
{
    applied(tables, lsn, now_ms);
    enum err err = strategy_enter(tables, &effect->strategy, now_ms);
    if (err == ERR_OK) {
        key_remember(tables, lsn, now_ms, &effect->key);
    }
    return err;
}

static void choice_digest(struct tables *tables, const struct strategy_choice *choice, bool is_add)
{
    if (!choice) {
        return;
    }
    uint64_t channel = choice->channel_len ? hash_fixed(choice->channel, choice->channel_len) : 0;
    if (is_add) {
        digest_add_words(&tables->digest, TAG_CHOICE, channel, choice->service, choice->strategy);
    } else {
        digest_take_words(&tables->digest, TAG_CHOICE, channel, choice->service, choice->strategy);
    }
}

static const struct strategy_choice *same_scope(const struct tables *tables,
                                                const struct strategy_choice *choice)
{
    return strategies_choice(&tables->strategies, choice->service, choice->channel,
                             choice->channel_len);
}

enum err choice_enter(struct tables *tables, const struct strategy_choice *choice)
{
    choice_digest(tables, same_scope(tables, choice), false);
    enum err err = strategies_choose(&tables->strategies, choice);
    choice_digest(tables, same_scope(tables, choice), true);
    return err;
}

enum err tables_apply_choice(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const struct effect_choice *effect)
{
    applied(tables, lsn, now_ms);
    for (uint32_t i = 0; i < effect->count; i++) {
        struct strategy_choice choice = effect->choices[i];
        choice.strategy = effect->strategy;
        enum err err = choice_enter(tables, &choice);
        if (err != ERR_OK) {
            return err;
        }
    }
    generation_next(tables); /* what was guessed under another, what waits for a source */
    key_remember(tables, lsn, now_ms, &effect->key);
    return ERR_OK;
}

enum err replay_strategy(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                         const uint8_t *bytes, uint32_t size)
{
    struct effect_strategy effect;
    enum err err = effect_strategy_decode(bytes, size, &effect);
    return err == ERR_OK ? tables_apply_strategy(tables, lsn, now_ms, &effect) : err;
}

enum err replay_choice(struct tables *tables, uint64_t lsn, uint64_t now_ms, const uint8_t *bytes,
                       uint32_t size)
{
    struct strategy_choice choices[EFFECT_CHOICES_MAX];
    struct effect_choice effect;
    enum err err = effect_choice_decode(bytes, size, choices, &effect);
    if (err == ERR_OK && effect.strategy > tables->strategies.count) {
        err = ERR_DAMAGED;
    }
    return err == ERR_OK ? tables_apply_choice(tables, lsn, now_ms, &effect) : err;
}

/* -- nodes shut out -- */

void block_set(struct tables *tables, uint16_t node, uint64_t until_ms)
{
    uint64_t *own = &tables->timing.blocked_ms[node];
    if (*own) {
        digest_take_words(&tables->digest, TAG_BLOCK, node, *own, 0);
    }
    if (until_ms) {
        digest_add_words(&tables->digest, TAG_BLOCK, node, until_ms, 0);
    }
    *own = until_ms;
    timing_node(&tables->timing, &tables->network, node, tables->time_ms);
    tables->generation++;
}
