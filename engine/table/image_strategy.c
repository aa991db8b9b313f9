/* Sections of strategies: versions by handle, who decides what, nodes that are shut out. */
#include "apply_strategy_internal.h"
#include "image_internal.h"

/* -- versions: when made, then the effect that makes it -- */

void save_strategies(const struct tables *tables, struct image_sink *sink)
{
    for (uint32_t i = 0; i < tables->strategies.count; i++) {
        struct effect_strategy effect = {.strategy = tables->strategies.all[i]};
        uint8_t *at = image_begin(sink, 16 + EFFECT_STRATEGY_SIZE_MAX);
        at = bytes_put_int(at, effect.strategy.made_ms);
        image_end(sink, at + effect_strategy_encode(at, &effect));
    }
}

void load_strategies(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        struct effect_strategy effect;
        uint64_t made_ms = bytes_get_int(&fields);
        uint32_t left = fields.is_bad ? 0 : (uint32_t)(fields.end - fields.at);
        enum err err = effect_strategy_decode(fields.at, left, &effect);
        err = err == ERR_OK ? strategy_enter(tables, &effect.strategy, made_ms) : err;
        if (err != ERR_OK) {
            image_bad(source, err, "a strategy");
        }
    }
}

/* -- choices: a record each -- */

void save_choices(const struct tables *tables, struct image_sink *sink)
{
    for (uint32_t i = 0; i < tables->strategies.choice_count; i++) {
        const struct strategy_choice *choice = &tables->strategies.choices[i];
        struct effect_choice effect = {
            .strategy = choice->strategy, .count = 1, .choices = choice};
        uint8_t *at = image_begin(sink, effect_choice_size(&effect));
        image_end(sink, at + effect_choice_encode(at, &effect));
    }
}

void load_choices(struct tables *tables, struct image_source *source)
{
    struct strategy_choice choices[EFFECT_CHOICES_MAX];
    const uint8_t *bytes;
    uint32_t size;
    while ((bytes = image_next(source, &size))) {
        struct effect_choice effect;
        enum err err = effect_choice_decode(bytes, size, choices, &effect);
        bool is_sound = err == ERR_OK && effect.count == 1 &&
                        effect.strategy <= tables->strategies.count;
        choices[0].strategy = effect.strategy;
        err = is_sound ? choice_enter(tables, &choices[0]) : ERR_DAMAGED;
        if (err != ERR_OK) {
            image_bad(source, err, "a choice of a strategy");
        }
    }
}

/* -- nodes shut out of new orders: node, until when -- */

void save_blocks(const struct tables *tables, struct image_sink *sink)
{
    for (uint32_t i = 0; i < tables->network.count; i++) {
        if (tables->timing.blocked_ms[i]) {
            uint8_t *at = image_begin(sink, 32);
            at = bytes_put_int(at, i);
            image_end(sink, bytes_put_int(at, tables->timing.blocked_ms[i]));
        }
    }
}

void load_blocks(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        uint32_t node = (uint32_t)bytes_get_int(&fields);
        uint64_t until_ms = bytes_get_int(&fields);
        if (!image_fields_end(source, &fields, "a node shut out")) {
            continue;
        }
        if (node >= tables->network.count) {
            image_bad(source, ERR_DAMAGED, "a node shut out is not there");
        } else {
            block_set(tables, (uint16_t)node, until_ms);
        }
    }
}
