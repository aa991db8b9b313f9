/* strategy.put and strategy.activate. */
#include "strategy_internal.h"

#include <math.h>
#include <string.h>

#include "content_internal.h"
#include "effect_strategy.h"

enum { MILLION = 1000000, WEIGHT_STEPS = 1000 };

#define BLOCK_MAX_MS INT64_C(2592000000) /* 30 days */

_Static_assert(BLOCK_MAX_MS <= UINT32_MAX, "they fit");

/* -- strategy.put: the request -- */

struct put_ask {
    struct strategy strategy;
    struct text name, key;
};

/* A weight has steps of a thousandth, a band those of its term: checked when the term is known. */
struct term_ask {
    int term;
    double weight, band; /* 0 = absent */
};

static uint32_t band_steps(struct reader *reader, const struct term_ask *ask)
{
    double steps = ask->band * strategy_term_steps((enum strategy_term_kind)ask->term);
    if (ask->band == 0) {
        return 1;
    }
    if (steps < 1 || steps > STRATEGY_VALUE_MAX) {
        reader_fail(reader, "band: of %s from %g to %g",
                    strategy_term_text((enum strategy_term_kind)ask->term),
                    1.0 / strategy_term_steps((enum strategy_term_kind)ask->term),
                    (double)STRATEGY_VALUE_MAX /
                        strategy_term_steps((enum strategy_term_kind)ask->term));
        return 1;
    }
    return (uint32_t)lround(steps);
}

static void read_term(struct reader *reader, struct strategy_term *term)
{
    static const char *const fields[] = {"term", "weight", "band"};
    struct term_ask ask = {.term = -1};
    struct reader_map map;
    reader_map_begin(reader, &map, fields, 3);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 0) {
            ask.term = reader_word(reader, &names_strategy_terms);
        } else if (field == 1) {
            ask.weight = reader_float(reader, 0.001, STRATEGY_WEIGHT_MAX / WEIGHT_STEPS);
        } else {
            ask.band = reader_float(reader, 1e-6, STRATEGY_VALUE_MAX);
        }
    }
    reader_require(reader, &map, 0);
    if (reader_is_ok(reader)) {
        term->term = (uint8_t)ask.term;
        term->weight = (uint32_t)lround(ask.weight * WEIGHT_STEPS);
        term->band = band_steps(reader, &ask);
    }
}

static void read_terms(struct reader *reader, struct strategy *strategy)
{
    struct reader_array array;
    strategy->term_count = (uint8_t)reader_array_begin(reader, &array, STRATEGY_TERMS_MAX);
    if (reader_is_ok(reader) && strategy->term_count == 0) {
        reader_fail(reader, "a strategy has at least one term");
    }
    for (uint32_t i = 0; reader_array_next(reader, &array); i++) {
        read_term(reader, &strategy->terms[i]);
    }
}

static uint32_t read_types(struct reader *reader)
{
    struct reader_array array;
    uint32_t types = 0;
    reader_array_begin(reader, &array, NODE_TYPE_COUNT);
    while (reader_array_next(reader, &array)) {
        int type = reader_word(reader, &names_node_types);
        types |= type >= 0 ? 1u << type : 0;
    }
    if (reader_is_ok(reader) && types == 0) {
        reader_fail(reader, "names no type of node");
    }
    return types;
}

/* The value of a fence in steps. */
static uint32_t fence_steps(struct reader *reader, enum strategy_fence_kind fence, double value)
{
    double steps = value;
    double most = STRATEGY_VALUE_MAX;
    if (fence == STRATEGY_FENCE_MAX_KM) {
        steps = value * 1000;
    } else if (fence == STRATEGY_FENCE_MIN_ACCEPTANCE) {
        steps = value * MILLION;
        most = MILLION;
    }
    if (steps > most || (fence == STRATEGY_FENCE_KEEP_LAST && steps > QTY_MAX)) {
        reader_fail(reader, "value: too large for %s", strategy_fence_text(fence));
        return 0;
    }
    return (uint32_t)lround(steps);
}

static void read_fence(struct reader *reader, struct strategy_fence *fence)
{
    static const char *const fields[] = {"fence", "value", "types"};
    double value = -1;
    uint32_t types = 0;
    int kind = -1;
    struct reader_map map;
    reader_map_begin(reader, &map, fields, 3);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 0) {
            kind = reader_word(reader, &names_strategy_fences);
        } else if (field == 1) {
            value = reader_float(reader, 0, STRATEGY_VALUE_MAX);
        } else {
            types = read_types(reader);
        }
    }
    reader_require(reader, &map, 0);
    bool is_types = kind == STRATEGY_FENCE_TYPES;
    if (reader_is_ok(reader) && (is_types != (types != 0) || is_types != (value < 0))) {
        reader_fail(reader, is_types ? "types: the list of types, and no value"
                                     : "value: a number, and no types");
    } else if (reader_is_ok(reader)) {
        fence->fence = (uint8_t)kind;
        fence->value = is_types ? types
                                : fence_steps(reader, (enum strategy_fence_kind)kind, value);
    }
}

static void read_fences(struct reader *reader, struct strategy *strategy)
{
    struct reader_array array;
    strategy->fence_count = (uint8_t)reader_array_begin(reader, &array, STRATEGY_FENCES_MAX);
    for (uint32_t i = 0; reader_array_next(reader, &array); i++) {
        read_fence(reader, &strategy->fences[i]);
    }
}

static void read_reject(struct reader *reader, struct strategy *strategy)
{
    static const char *const fields[] = {"max", "block_ms"};
    struct reader_map map;
    reader_map_begin(reader, &map, fields, 2);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 0) {
            strategy->reject_max = (uint8_t)reader_int(reader, 1, STRATEGY_REJECTS_MAX);
        } else {
            strategy->block_ms = (uint32_t)reader_int(reader, 0, BLOCK_MAX_MS);
        }
    }
}

static void check_weights(struct reader *reader, const struct strategy *strategy)
{
    for (uint32_t i = 0; i < strategy->term_count && reader_is_ok(reader); i++) {
        if (strategy->mode == STRATEGY_WEIGHTED && strategy->terms[i].weight == 0) {
            reader_fail(reader, "terms[%u].weight: missing, and mode is weighted", i);
        }
    }
}

static bool put_decode(struct reader *reader, const struct call *call, struct put_ask *ask)
{
    static const char *const fields[] = {"name", "mode", "fences", "terms", "reject", "key"};
    struct strategy *strategy = &ask->strategy;
    struct reader_map map;
    memset(ask, 0, sizeof *ask);
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 6);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            ask->name = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            strategy->mode = (uint8_t)reader_word(reader, &names_strategy_modes);
            break;
        case 2:
            read_fences(reader, strategy);
            break;
        case 3:
            read_terms(reader, strategy);
            break;
        case 4:
            read_reject(reader, strategy);
            break;
        default:
            ask->key = reader_text(reader, 1, ID_MAX);
        }
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
    reader_require(reader, &map, 3);
    check_weights(reader, strategy);
    uint16_t handle;
    struct strategies none = {.name_count = 0};
    if (reader_is_ok(reader) &&
        strategies_find(&none, ask->name.at, ask->name.len, 0, &handle)) {
        reader_fail(reader, "name: nearest is built in: give it another name");
    }
    return reader_is_ok(reader);
}

/* -- strategy.put: the change -- */

void put_strategy_name(const struct service_core *service, struct writer *writer, uint16_t handle)
{
    uint32_t version;
    put_string(writer, "strategy",
               strategies_name(&service->tables.strategies, handle, &version));
    put_int(writer, "version", version);
}

bool need_strategy(struct service_core *service, struct call *call, struct text name,
                   enum service of, struct text channel, uint16_t *handle_out)
{
    const struct strategies *strategies = &service->tables.strategies;
    if (name.len == 0) {
        *handle_out = strategies_of(strategies, of, channel.at, channel.len);
        return true;
    }
    if (strategies_find(strategies, name.at, name.len, 0, handle_out)) {
        return true;
    }
    reply_error(service, call, CODE_UNKNOWN_STRATEGY,
                "strategy: \"%.*s\" is not known: strategy.put it first, strategy.list tells them",
                (int)name.len, name.at);
    return false;
}

static void answer_put(struct service_core *service, struct call *call, uint16_t handle,
                       bool is_duplicate)
{
    const struct strategy *strategy = strategies_at(&service->tables.strategies, handle);
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 3u + is_duplicate);
    put_text(writer, "name", strategy->name, strategy->name_len);
    put_int(writer, "version", strategy->version);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

static bool put_has_room(struct service_core *service, struct call *call, bool is_new)
{
    const struct strategies *strategies = &service->tables.strategies;
    if (strategies->count == STRATEGY_VERSIONS_MAX ||
        (is_new && strategies->name_count == STRATEGY_NAMES_MAX)) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "strategies: %d names of %d versions together are the most there can be",
                    STRATEGY_NAMES_MAX, STRATEGY_VERSIONS_MAX);
        return false;
    }
    return log_room(service, call, EFFECT_STRATEGY_SIZE_MAX, 1, WAL_CLAIM_CHANGE);
}

static void put_apply(struct service_core *service, struct call *call, struct put_ask *ask,
                      const struct effect_key *key, const struct strategy *newest)
{
    struct effect_strategy effect = {.strategy = ask->strategy, .key = *key};
    if (!put_has_room(service, call, newest == NULL)) {
        return;
    }
    effect.strategy.version = newest ? newest->version + 1 : 1;
    effect.key.facts[0] = service->tables.strategies.count + 1;
    uint8_t *bytes = log_begin(service, EFFECT_STRATEGY_SIZE_MAX);
    uint64_t lsn = log_end(service, EFFECT_STRATEGY, effect_strategy_encode(bytes, &effect));
    must_apply(tables_apply_strategy(&service->tables, lsn, service->now_ms, &effect),
               "strategy");
    answer_put(service, call, (uint16_t)service->tables.strategies.count, false);
}

static uint64_t put_content(const struct put_ask *ask)
{
    struct effect_strategy effect = {.strategy = ask->strategy};
    uint8_t bytes[EFFECT_STRATEGY_SIZE_MAX];
    struct content content;
    uint32_t size = effect_strategy_encode(bytes, &effect);
    content_begin(&content, METHOD_STRATEGY_PUT);
    content_text(&content, (const char *)bytes, size);
    return content.hash;
}

void handle_strategy_put(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct put_ask ask;
    struct effect_key key;
    const struct key_entry *seen;
    uint16_t handle;
    if (!put_decode(&reader, call, &ask)) {
        reply_invalid(service, call, &reader);
        return;
    }
    ask.strategy.name_len = (uint8_t)ask.name.len;
    memcpy(ask.strategy.name, ask.name.at, ask.name.len);
    switch (key_look(service, call, ask.key, put_content(&ask), &key, &seen)) {
    case KEY_NEW:
        break;
    case KEY_SEEN:
        answer_put(service, call, (uint16_t)seen->facts[0], true);
        return;
    case KEY_ANSWERED:
        return;
    }
    const struct strategies *strategies = &service->tables.strategies;
    bool is_there = strategies_find(strategies, ask.name.at, ask.name.len, 0, &handle);
    const struct strategy *newest = is_there ? strategies_at(strategies, handle) : NULL;
    if (newest && strategy_is_equal(newest, &ask.strategy)) {
        answer_put(service, call, handle, true); /* it says that already */
    } else {
        put_apply(service, call, &ask, &key, newest);
    }
}

/* -- strategy.activate -- */

struct choose_ask {
    struct text name, key;
    uint32_t version; /* 0 = the newest */
    uint32_t services; /* bit per enum service, 0 = all */
    uint32_t channel_count;
    struct text channels[STRATEGY_CHOICES_MAX];
};

static void read_services(struct reader *reader, struct choose_ask *ask)
{
    struct reader_array array;
    reader_array_begin(reader, &array, SERVICE_COUNT);
    while (reader_array_next(reader, &array)) {
        int service = reader_word(reader, &names_services);
        ask->services |= service >= 0 ? 1u << service : 0;
    }
    if (reader_is_ok(reader) && ask->services == 0) {
        reader_fail(reader, "names no service: leave it out to mean all");
    }
}

static void read_channels(struct reader *reader, struct choose_ask *ask)
{
    struct reader_array array;
    reader_array_begin(reader, &array, STRATEGY_CHOICES_MAX);
    while (reader_array_next(reader, &array)) {
        ask->channels[ask->channel_count++] = reader_text(reader, 1, ID_MAX);
    }
    if (reader_is_ok(reader) && ask->channel_count == 0) {
        reader_fail(reader, "names no channel: leave it out to mean all");
    }
}

static bool choose_decode(struct reader *reader, const struct call *call, struct choose_ask *ask)
{
    static const char *const fields[] = {"name", "version", "services", "channels", "key"};
    struct reader_map map;
    memset(ask, 0, sizeof *ask);
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 5);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            ask->name = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            ask->version = (uint32_t)reader_int(reader, 1, STRATEGY_VERSIONS_MAX);
            break;
        case 2:
            read_services(reader, ask);
            break;
        case 3:
            read_channels(reader, ask);
            break;
        default:
            ask->key = reader_text(reader, 1, ID_MAX);
        }
    }
    reader_require(reader, &map, 0);
    return reader_is_ok(reader);
}

static void choice_add(struct strategy_choice *choices, uint32_t *count, uint8_t service,
                       struct text channel)
{
    if (*count < STRATEGY_CHOICES_MAX) {
        struct strategy_choice *own = &choices[*count];
        *own = (struct strategy_choice){.service = service, .channel_len = (uint8_t)channel.len};
        memcpy(own->channel, channel.at, channel.len);
    }
    ++*count;
}

/* Each service with each channel; their number, which may be more than there is room for. */
static uint32_t choices_fill(const struct choose_ask *ask, struct strategy_choice *choices)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < (ask->channel_count ? ask->channel_count : 1); i++) {
        struct text channel = ask->channel_count ? ask->channels[i] : (struct text){"", 0};
        for (uint32_t of = 0; of < SERVICE_COUNT && ask->services; of++) {
            if (ask->services >> of & 1) {
                choice_add(choices, &count, (uint8_t)of, channel);
            }
        }
        if (!ask->services) {
            choice_add(choices, &count, STRATEGY_ANY_SERVICE, channel);
        }
    }
    return count;
}

/* How many of the scopes have no entry yet, and whether all have this one. */
static uint32_t choices_new(const struct strategies *strategies,
                            const struct effect_choice *effect, bool *is_done)
{
    uint32_t fresh = 0;
    *is_done = true;
    for (uint32_t i = 0; i < effect->count; i++) {
        const struct strategy_choice *own = &effect->choices[i];
        const struct strategy_choice *now =
            strategies_choice(strategies, own->service, own->channel, own->channel_len);
        bool is_whole = own->service == STRATEGY_ANY_SERVICE && own->channel_len == 0;
        fresh += now == NULL;
        *is_done = *is_done && (now ? now->strategy == effect->strategy
                                    : is_whole && effect->strategy == STRATEGY_NEAREST);
    }
    return fresh;
}

static void answer_choose(struct service_core *service, struct call *call, uint16_t handle,
                          bool is_duplicate)
{
    uint32_t version;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 3u + is_duplicate);
    put_string(writer, "name", strategies_name(&service->tables.strategies, handle, &version));
    put_int(writer, "version", version);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

static void choose_apply(struct service_core *service, struct call *call,
                         const struct effect_choice *effect)
{
    bool is_done;
    const struct strategies *strategies = &service->tables.strategies;
    uint32_t fresh = choices_new(strategies, effect, &is_done);
    if (is_done) {
        answer_choose(service, call, effect->strategy, true);
        return;
    }
    if (strategies->choice_count + fresh > STRATEGY_CHOICES_MAX) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "strategies: %d scopes of service and channel are the most there can be",
                    STRATEGY_CHOICES_MAX);
        return;
    }
    uint32_t size = effect_choice_size(effect);
    if (!log_room(service, call, size, 1, WAL_CLAIM_CHANGE)) {
        return;
    }
    uint8_t *bytes = log_begin(service, size);
    uint64_t lsn = log_end(service, EFFECT_CHOICE, effect_choice_encode(bytes, effect));
    must_apply(tables_apply_choice(&service->tables, lsn, service->now_ms, effect), "choice");
    answer_choose(service, call, effect->strategy, false);
}

static uint64_t choose_content(const struct choose_ask *ask)
{
    struct content content;
    content_begin(&content, METHOD_STRATEGY_ACTIVATE);
    content_text(&content, ask->name.at, ask->name.len);
    content_int(&content, ask->version);
    content_int(&content, ask->services);
    for (uint32_t i = 0; i < ask->channel_count; i++) {
        content_text(&content, ask->channels[i].at, ask->channels[i].len);
    }
    return content.hash;
}

void handle_strategy_activate(struct service_core *service, struct call *call)
{
    struct strategy_choice choices[STRATEGY_CHOICES_MAX];
    struct effect_choice effect = {.choices = choices};
    struct reader reader;
    struct choose_ask ask;
    const struct key_entry *seen;
    if (!choose_decode(&reader, call, &ask)) {
        reply_invalid(service, call, &reader);
        return;
    }
    const struct strategies *strategies = &service->tables.strategies;
    if (!strategies_find(strategies, ask.name.at, ask.name.len, ask.version, &effect.strategy)) {
        reply_error(service, call, CODE_UNKNOWN_STRATEGY,
                    "name: \"%.*s\"%s is not known: strategy.list tells them", (int)ask.name.len,
                    ask.name.at, ask.version ? " of that version" : "");
        return;
    }
    effect.count = choices_fill(&ask, choices);
    if (effect.count > STRATEGY_CHOICES_MAX) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "channels: with their services %u scopes, at most %d", effect.count,
                    STRATEGY_CHOICES_MAX);
        return;
    }
    switch (key_look(service, call, ask.key, choose_content(&ask), &effect.key, &seen)) {
    case KEY_NEW:
        effect.key.facts[0] = effect.strategy;
        choose_apply(service, call, &effect);
        break;
    case KEY_SEEN:
        answer_choose(service, call, (uint16_t)seen->facts[0], true);
        break;
    case KEY_ANSWERED:
        break;
    }
}
