/* order.route in one pass: the shapes that nearly every client sends, and nothing else.
 *
 * The general reader costs 3,000 instructions on a two-line order: per field a search of the
 * name, a struct for the value's head, the state of the path for an error. Here a key is told by
 * its length and one comparison, and a value by its first byte: 970 instructions. Whatever is
 * not expected here (a field, a width, a character beyond ASCII, anything wrong) ends the pass,
 * and ask_decode reads the request from its beginning: it alone makes errors. So a new field of
 * order.route needs no change here to be right; one that many requests carry may be added.
 * tests/unit/test_ask_quick.c holds both against each other. */
#include <math.h>
#include <string.h>

#include "ask.h"
#include "quick.h"

enum { HAS_ORDER_ID = 1, HAS_LINES = 2, HAS_SERVICE = 4, HAS_ALL = 7, HAS_DEST = 8,
       HAS_CHANNEL = 16, HAS_REF = 32, HAS_PARTIAL = 64, HAS_SPLITS = 128 };

static inline const uint8_t *take_float(const uint8_t *at, const uint8_t *end, double max,
                                        double *out)
{
    if (end - at < 9 || *at != 0xcb) {
        return NULL;
    }
    uint64_t bits = be64_load(at + 1);
    memcpy(out, &bits, sizeof *out);
    *out += 0.0; /* -0.0 is 0.0, as in the general reader */
    return fabs(*out) <= max ? at + 9 : NULL;
}

static inline const uint8_t *take_bool(const uint8_t *at, bool *out)
{
    *out = *at == 0xc3;
    return *at == 0xc3 || *at == 0xc2 ? at + 1 : NULL;
}

static inline const uint8_t *take_service(const uint8_t *at, const uint8_t *end, int *out)
{
    struct text word;
    at = take_text(at, end, 1, 31, &word);
    if (at) {
        bool is_usual = word.len == 8 && IS(word, "standard");
        *out = is_usual ? SERVICE_STANDARD : names_find(&names_services, word.at, word.len);
    }
    return at && *out >= 0 ? at : NULL;
}

/* -- lines -- */

static inline const uint8_t *take_line_field(const uint8_t *at, const uint8_t *end,
                                             struct ask_line *line, uint32_t *qty, uint32_t *seen)
{
    struct text key;
    at = take_key(at, end, &key);
    if (!at) {
        return NULL;
    }
    if (key.len == 4 && IS(key, "item") && first_time(seen, 1)) {
        return take_text(at, end, 1, ID_MAX, &line->item);
    }
    if (key.len == 3 && IS(key, "qty") && first_time(seen, 2)) {
        at = take_uint(at, end, QTY_MAX, qty);
        return at && *qty > 0 ? at : NULL;
    }
    if (key.len == 4 && IS(key, "line") && first_time(seen, 4)) {
        return take_text(at, end, 1, ID_MAX, &line->line);
    }
    return NULL;
}

static inline const uint8_t *take_line(const uint8_t *at, const uint8_t *end,
                                       struct ask_line *line, uint32_t *qty)
{
    uint32_t seen = 0;
    if (at >= end || (*at & 0xf0) != 0x80) {
        return NULL;
    }
    line->line = line->node = line->pickup_node = (struct text){NULL, 0};
    line->service = -1;
    uint32_t left = *at++ & 15u;
    for (; left > 0 && at; left--) {
        at = take_line_field(at, end, line, qty, &seen);
    }
    return (seen & 3) == 3 ? at : NULL;
}

static const uint8_t *take_lines(const uint8_t *at, const uint8_t *end, struct ask *ask)
{
    if ((*at & 0xf0) == 0x90) {
        ask->line_count = *at & 15u;
        at += 1;
    } else if (*at == 0xdc && end - at >= 3) {
        ask->line_count = be16_load(at + 1);
        at += 3;
    }
    if (ask->line_count == 0 || ask->line_count > ASK_LINES_MAX) {
        return NULL;
    }
    for (uint32_t i = 0; i < ask->line_count && at; i++) {
        at = take_line(at, end, &ask->lines[i], &ask->route_lines[i].qty);
    }
    return at;
}

/* -- dest -- */

static const uint8_t *take_country(const uint8_t *at, const uint8_t *end, struct ask *ask)
{
    struct text text;
    at = take_text(at, end, 2, 2, &text);
    for (int i = 0; at && i < 2; i++) {
        if (text.at[i] < 'A' || text.at[i] > 'Z') {
            return NULL;
        }
        ask->country[i] = text.at[i];
    }
    return at;
}

static const uint8_t *take_postcode(const uint8_t *at, const uint8_t *end, struct ask *ask)
{
    struct text text;
    at = take_text(at, end, 1, 40, &text);
    return at && postcode_normalise(text.at, text.len, ask->postcode) ? at : NULL;
}

static inline const uint8_t *take_dest_field(const uint8_t *at, const uint8_t *end,
                                             struct ask *ask, uint32_t *seen)
{
    struct text key;
    at = take_key(at, end, &key);
    if (!at) {
        return NULL;
    }
    if (key.len == 3 && IS(key, "lat") && first_time(seen, 1)) {
        return take_float(at, end, 90, &ask->lat);
    }
    if (key.len == 3 && IS(key, "lon") && first_time(seen, 2)) {
        return take_float(at, end, 180, &ask->lon);
    }
    if (key.len == 7 && IS(key, "country") && first_time(seen, 4)) {
        return take_country(at, end, ask);
    }
    if (key.len == 8 && IS(key, "postcode") && first_time(seen, 8)) {
        return take_postcode(at, end, ask);
    }
    return NULL;
}

static inline const uint8_t *take_dest(const uint8_t *at, const uint8_t *end, struct ask *ask)
{
    uint32_t seen = 0;
    if ((*at & 0xf0) != 0x80) {
        return NULL;
    }
    uint32_t left = *at++ & 15u;
    for (; left > 0 && at; left--) {
        at = take_dest_field(at, end, ask, &seen);
    }
    bool has_both = (seen & 3) == 3;
    ask->has_lat = ask->has_lon = has_both;
    return has_both || ((seen & 3) == 0 && (seen & 8)) ? at : NULL;
}

/* -- the whole -- */

static inline const uint8_t *take_long_name(const uint8_t *at, const uint8_t *end, struct ask *ask,
                                            struct text key, uint32_t *seen)
{
    if (key.len == 13 && IS(key, "allow_partial") && first_time(seen, HAS_PARTIAL)) {
        return take_bool(at, &ask->allow_partial);
    }
    if (key.len == 10 && IS(key, "max_splits") && first_time(seen, HAS_SPLITS)) {
        return take_uint(at, end, 1000000, &ask->max_splits);
    }
    return NULL;
}

static inline const uint8_t *take_field(const uint8_t *at, const uint8_t *end, struct ask *ask,
                                        uint32_t *seen)
{
    struct text key;
    at = take_key(at, end, &key);
    if (!at) {
        return NULL;
    }
    switch (key.len) {
    case 3:
        return IS(key, "ref") && first_time(seen, HAS_REF)
                   ? take_text(at, end, 0, ORDER_REF_MAX, &ask->ref)
                   : NULL;
    case 4:
        return IS(key, "dest") && first_time(seen, HAS_DEST) ? take_dest(at, end, ask) : NULL;
    case 5:
        return IS(key, "lines") && first_time(seen, HAS_LINES) ? take_lines(at, end, ask) : NULL;
    case 7:
        if (IS(key, "service") && first_time(seen, HAS_SERVICE)) {
            return take_service(at, end, &ask->service);
        }
        return IS(key, "channel") && first_time(seen, HAS_CHANNEL)
                   ? take_text(at, end, 1, ID_MAX, &ask->channel)
                   : NULL;
    case 8:
        return IS(key, "order_id") && first_time(seen, HAS_ORDER_ID)
                   ? take_text(at, end, 1, ID_MAX, &ask->order_id)
                   : NULL;
    default:
        return take_long_name(at, end, ask, key, seen);
    }
}

bool ask_quick(struct service_core *service, const struct call *call, struct ask *ask,
               struct ask_line *lines)
{
    const uint8_t *at = call->params;
    const uint8_t *end = at + call->params_size;
    struct reader reader;
    uint32_t seen = 0;
    if (end - at < 2 || at[0] != 0x91 || (at[1] & 0xf0) != 0x80) {
        return false;
    }
    ask_begin(service, ask, lines);
    uint32_t left = at[1] & 15u;
    at += 2;
    for (; left > 0 && at; left--) {
        at = take_field(at, end, ask, &seen);
    }
    if (at != end || (seen & HAS_ALL) != HAS_ALL) {
        return false;
    }
    reader_init(&reader, call->params, call->params_size);
    return ask_settle(service, &reader, ask);
}
