/* Encoders and decoders of the records of strategies. */
#include "effect_strategy.h"

#include "effect_bytes_internal.h"

uint32_t effect_strategy_encode(uint8_t *out, const struct effect_strategy *effect)
{
    const struct strategy *strategy = &effect->strategy;
    uint8_t *at = bytes_put_text(out, strategy->name, strategy->name_len);
    at = bytes_put_int(at, strategy->version);
    *at++ = strategy->mode;
    *at++ = strategy->reject_max;
    at = bytes_put_int(at, strategy->block_ms);
    at = bytes_put_int(at, strategy->term_count);
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        *at++ = strategy->terms[i].term;
        at = bytes_put_int(at, strategy->terms[i].weight);
        at = bytes_put_int(at, strategy->terms[i].band);
    }
    at = bytes_put_int(at, strategy->fence_count);
    for (uint32_t i = 0; i < strategy->fence_count; i++) {
        *at++ = strategy->fences[i].fence;
        at = bytes_put_int(at, strategy->fences[i].value);
    }
    at = bytes_put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

static void get_lists(struct bytes_source *source, struct strategy *strategy)
{
    strategy->term_count = (uint8_t)bytes_get_max(source, STRATEGY_TERMS_MAX);
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        strategy->terms[i].term = bytes_get_byte(source);
        strategy->terms[i].weight = (uint32_t)bytes_get_max(source, UINT32_MAX);
        strategy->terms[i].band = (uint32_t)bytes_get_max(source, UINT32_MAX);
    }
    strategy->fence_count = (uint8_t)bytes_get_max(source, STRATEGY_FENCES_MAX);
    for (uint32_t i = 0; i < strategy->fence_count; i++) {
        strategy->fences[i].fence = bytes_get_byte(source);
        strategy->fences[i].value = (uint32_t)bytes_get_max(source, UINT32_MAX);
    }
}

enum err effect_strategy_decode(const uint8_t *bytes, uint32_t size, struct effect_strategy *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    struct strategy *strategy = &out->strategy;
    memset(out, 0, sizeof *out);
    struct effect_text name = bytes_get_text(&source, ID_MAX);
    strategy->name_len = (uint8_t)name.len;
    if (!source.is_bad) {
        memcpy(strategy->name, name.at, name.len);
    }
    strategy->version = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    strategy->mode = bytes_get_byte(&source);
    strategy->reject_max = bytes_get_byte(&source);
    strategy->block_ms = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    get_lists(&source, strategy);
    bytes_get_key(&source, &out->key);
    enum err err = bytes_finish(&source);
    return err == ERR_OK && !strategy_is_sound(strategy) ? ERR_DAMAGED : err;
}

uint32_t effect_choice_size(const struct effect_choice *effect)
{
    return 128 + effect->count * (ID_MAX + 3);
}

uint32_t effect_choice_encode(uint8_t *out, const struct effect_choice *effect)
{
    uint8_t *at = bytes_put_int(out, effect->strategy);
    at = bytes_put_int(at, effect->count);
    for (uint32_t i = 0; i < effect->count; i++) {
        *at++ = effect->choices[i].service;
        at = bytes_put_text(at, effect->choices[i].channel, effect->choices[i].channel_len);
    }
    at = bytes_put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

enum err effect_choice_decode(const uint8_t *bytes, uint32_t size,
                              struct strategy_choice *choices, struct effect_choice *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    memset(out, 0, sizeof *out);
    out->strategy = (uint16_t)bytes_get_max(&source, STRATEGY_VERSIONS_MAX);
    out->count = (uint32_t)bytes_get_max(&source, EFFECT_CHOICES_MAX);
    out->choices = choices;
    for (uint32_t i = 0; i < out->count && !source.is_bad; i++) {
        struct strategy_choice *own = &choices[i];
        memset(own, 0, sizeof *own);
        own->service = bytes_get_byte(&source);
        struct effect_text channel = bytes_get_text(&source, ID_MAX);
        source.is_bad = source.is_bad || (own->service >= SERVICE_COUNT &&
                                          own->service != STRATEGY_ANY_SERVICE);
        if (!source.is_bad) {
            own->channel_len = (uint8_t)channel.len;
            memcpy(own->channel, channel.at, channel.len);
        }
    }
    bytes_get_key(&source, &out->key);
    return bytes_finish(&source);
}
