/* The tables of words and the look-ups in them. */
#include "names.h"

#include <string.h>

#define TEXT(name, text) text,
#define CODE_TEXT(name, text, kind) text,
static const char *const methods[] = {NAMES_METHODS(TEXT)};
static const char *const codes[] = {NAMES_CODES(CODE_TEXT)};
static const char *const reasons[] = {NAMES_REASONS(TEXT)};
static const char *const rejects[] = {NAMES_REJECTS(TEXT)};
static const char *const services[] = {NAMES_SERVICES(TEXT)};
static const char *const capabilities[] = {NAMES_CAPABILITIES(TEXT)};
static const char *const node_types[] = {NAMES_NODE_TYPES(TEXT)};
static const char *const node_statuses[] = {NAMES_NODE_STATUSES(TEXT)};
static const char *const ways[] = {NAMES_WAYS(TEXT)};
static const char *const order_statuses[] = {NAMES_ORDER_STATUSES(TEXT)};
static const char *const states[] = {NAMES_STATES(TEXT)};
static const char *const reservation_states[] = {NAMES_RESERVATION_STATES(TEXT)};
static const char *const declines[] = {NAMES_DECLINES(TEXT)};
static const char *const stock_actions[] = {NAMES_STOCK_ACTIONS(TEXT)};
static const char *const causes[] = {NAMES_CAUSES(TEXT)};
static const char *const events[] = {NAMES_EVENTS(TEXT)};
static const char *const strategy_modes[] = {NAMES_STRATEGY_MODES(TEXT)};
static const char *const strategy_terms[] = {NAMES_STRATEGY_TERMS(TEXT)};
static const char *const strategy_fences[] = {NAMES_STRATEGY_FENCES(TEXT)};
#undef TEXT
#undef CODE_TEXT

#define WORD(name, text) {text, sizeof text - 1},
const struct word service_words[] = {NAMES_SERVICES(WORD)};
const struct word way_words[] = {NAMES_WAYS(WORD)};
const struct word order_status_words[] = {NAMES_ORDER_STATUSES(WORD)};
const struct word state_words[] = {NAMES_STATES(WORD)};
#undef WORD

#define KIND(name, text, kind) kind,
static const int kinds[] = {NAMES_CODES(KIND)};
#undef KIND

const struct names names_methods = {methods, METHOD_COUNT};
const struct names names_codes = {codes, CODE_COUNT};
const struct names names_reasons = {reasons, REASON_COUNT};
const struct names names_rejects = {rejects, REJECT_COUNT};
const struct names names_services = {services, SERVICE_COUNT};
const struct names names_capabilities = {capabilities, CAPABILITY_COUNT};
const struct names names_node_types = {node_types, NODE_TYPE_COUNT};
const struct names names_node_statuses = {node_statuses, NODE_STATUS_COUNT};
const struct names names_ways = {ways, WAY_COUNT};
const struct names names_order_statuses = {order_statuses, ORDER_STATUS_COUNT};
const struct names names_states = {states, STATE_COUNT};
const struct names names_declines = {declines, DECLINE_COUNT};
const struct names names_stock_actions = {stock_actions, STOCK_ACTION_COUNT};
const struct names names_causes = {causes, CAUSE_COUNT};
const struct names names_events = {events, EVENT_COUNT};
const struct names names_strategy_modes = {strategy_modes, STRATEGY_MODE_COUNT};
const struct names names_strategy_terms = {strategy_terms, STRATEGY_TERM_COUNT};
const struct names names_strategy_fences = {strategy_fences, STRATEGY_FENCE_COUNT};

const char *method_text(enum method method)
{
    return methods[method];
}

const char *code_text(enum code code)
{
    return codes[code];
}

int code_kind(enum code code)
{
    return kinds[code];
}

const char *reason_text(enum reason reason)
{
    return reasons[reason];
}

const char *reject_text(enum reject reject)
{
    return rejects[reject];
}

const char *service_text(enum service service)
{
    return services[service];
}

const char *capability_text(enum capability capability)
{
    return capabilities[capability];
}

const char *node_type_text(enum node_type type)
{
    return node_types[type];
}

const char *node_status_text(enum node_status status)
{
    return node_statuses[status];
}

const char *way_text(enum way way)
{
    return ways[way];
}

const char *order_status_text(enum order_status status)
{
    return order_statuses[status];
}

const char *state_text(enum state state)
{
    return states[state];
}

const char *reservation_state_text(enum reservation_state state)
{
    return reservation_states[state];
}

const char *decline_text(enum decline decline)
{
    return declines[decline];
}

const char *cause_text(enum cause cause)
{
    return causes[cause];
}

const char *event_type_text(enum event event)
{
    return events[event];
}

const char *strategy_mode_text(enum strategy_mode mode)
{
    return strategy_modes[mode];
}

const char *strategy_term_text(enum strategy_term_kind term)
{
    return strategy_terms[term];
}

const char *strategy_fence_text(enum strategy_fence_kind fence)
{
    return strategy_fences[fence];
}

/* Stops at the word's NUL whatever the text holds. */
static bool is_word(const char *own, const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        if (own[i] != text[i] || own[i] == 0) {
            return false; /* most end at their first byte */
        }
    }
    return own[len] == 0;
}

int names_find(const struct names *names, const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (is_word(names->texts[i], text, len)) {
            return (int)i;
        }
    }
    return -1;
}

enum { WORD_MAX = 40 };

/* Levenshtein distance of two words of at most WORD_MAX bytes. */
static uint32_t distance(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
    uint32_t row[WORD_MAX + 1];
    for (uint32_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (uint32_t i = 1; i <= a_len; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= b_len; j++) {
            uint32_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[b_len];
}

const char *names_nearest(const struct names *names, const char *text, uint32_t len)
{
    const char *nearest = NULL;
    uint32_t least = 3;
    if (len > WORD_MAX) {
        return NULL;
    }
    for (uint32_t i = 0; i < names->count; i++) {
        uint32_t other = (uint32_t)strlen(names->texts[i]);
        if (other > WORD_MAX || other == 0) {
            continue;
        }
        uint32_t d = distance(text, len, names->texts[i], other);
        if (d < least && d * 2 <= len) {
            least = d;
            nearest = names->texts[i];
        }
    }
    return nearest;
}
