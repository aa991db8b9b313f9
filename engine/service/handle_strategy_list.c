/* strategy.list: every version as it was put, and which one decides what. */
#include <stdio.h>
#include <stdlib.h>

#include "strategy_internal.h"

enum { CURSOR_MAX = 8, WEIGHT_STEPS = 1000 };

static void put_term(struct writer *writer, const struct strategy_term *term)
{
    enum strategy_term_kind kind = (enum strategy_term_kind)term->term;
    writer_map(writer, 1u + (term->weight > 0) + (term->band > 1));
    put_string(writer, "term", strategy_term_text(kind));
    if (term->weight > 0) {
        put_float(writer, "weight", (double)term->weight / WEIGHT_STEPS);
    }
    if (term->band > 1) {
        put_float(writer, "band", (double)term->band / strategy_term_steps(kind));
    }
}

static void put_types(struct writer *writer, uint32_t types)
{
    writer_str(writer, "types");
    writer_array(writer, (uint32_t)__builtin_popcount(types));
    for (; types; types &= types - 1) {
        writer_string(writer, node_type_text((enum node_type)__builtin_ctz(types)));
    }
}

static void put_fence(struct writer *writer, const struct strategy_fence *fence)
{
    writer_map(writer, 2);
    put_string(writer, "fence", strategy_fence_text((enum strategy_fence_kind)fence->fence));
    if (fence->fence == STRATEGY_FENCE_TYPES) {
        put_types(writer, fence->value);
    } else if (fence->fence == STRATEGY_FENCE_MAX_KM) {
        put_km(writer, "value", fence->value);
    } else if (fence->fence == STRATEGY_FENCE_MIN_ACCEPTANCE) {
        put_float(writer, "value", fence->value / 1000000.0);
    } else {
        put_int(writer, "value", fence->value);
    }
}

static void put_reject(struct writer *writer, const struct strategy *strategy)
{
    writer_str(writer, "reject");
    writer_map(writer, 1u + (strategy->reject_max > 0));
    if (strategy->reject_max > 0) {
        put_int(writer, "max", strategy->reject_max);
    }
    put_int(writer, "block_ms", strategy->block_ms);
}

static void put_strategy(struct writer *writer, const struct strategy *strategy)
{
    writer_map(writer, 7);
    put_text(writer, "name", strategy->name, strategy->name_len);
    put_int(writer, "version", strategy->version);
    put_string(writer, "mode", strategy_mode_text((enum strategy_mode)strategy->mode));
    put_int(writer, "made_at", (int64_t)strategy->made_ms);
    writer_str(writer, "fences");
    writer_array(writer, strategy->fence_count);
    for (uint32_t i = 0; i < strategy->fence_count; i++) {
        put_fence(writer, &strategy->fences[i]);
    }
    writer_str(writer, "terms");
    writer_array(writer, strategy->term_count);
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        put_term(writer, &strategy->terms[i]);
    }
    put_reject(writer, strategy);
}

static void put_choices(const struct service_core *service, struct writer *writer)
{
    const struct strategies *strategies = &service->tables.strategies;
    writer_str(writer, "active");
    writer_array(writer, strategies->choice_count);
    for (uint32_t i = 0; i < strategies->choice_count; i++) {
        const struct strategy_choice *choice = &strategies->choices[i];
        bool has_service = choice->service != STRATEGY_ANY_SERVICE;
        writer_map(writer, STRATEGY_NAME_FIELDS + (uint32_t)has_service +
                               (choice->channel_len > 0));
        if (has_service) {
            put_string(writer, "service", service_text((enum service)choice->service));
        }
        if (choice->channel_len > 0) {
            put_text(writer, "channel", choice->channel, choice->channel_len);
        }
        put_strategy_name(service, writer, choice->strategy);
    }
}

struct list_ask {
    uint32_t after, limit;
};

static bool decode(struct reader *reader, const struct call *call, struct list_ask *ask)
{
    static const char *const fields[] = {"after", "limit"};
    struct reader_map map;
    *ask = (struct list_ask){.limit = PAGE_DEFAULT};
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 2);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 1) {
            ask->limit = (uint32_t)reader_int(reader, 1, PAGE_MAX);
            continue;
        }
        struct text after = reader_text(reader, 1, CURSOR_MAX);
        for (uint32_t i = 0; i < after.len && reader_is_ok(reader); i++) {
            if (after.at[i] < '0' || after.at[i] > '9') {
                reader_fail(reader, "is not the next of a page");
            }
            ask->after = ask->after * 10 + (uint32_t)(after.at[i] - '0');
        }
    }
    return reader_is_ok(reader);
}

void handle_strategy_list(struct service_core *service, struct call *call)
{
    const struct strategies *strategies = &service->tables.strategies;
    struct reader reader;
    struct list_ask ask;
    if (!decode(&reader, call, &ask)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint32_t from = ask.after < strategies->count ? ask.after : strategies->count;
    uint32_t count = strategies->count - from < ask.limit ? strategies->count - from : ask.limit;
    bool has_next = from + count < strategies->count;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 3u + has_next);
    writer_str(writer, "strategies");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        put_strategy(writer, &strategies->all[from + i]);
    }
    put_choices(service, writer);
    if (has_next) {
        char next[CURSOR_MAX + 4];
        snprintf(next, sizeof next, "%u", from + count);
        put_string(writer, "next", next);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}
