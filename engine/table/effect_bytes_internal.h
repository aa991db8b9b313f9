/* What the files of effect share: the scratch of decoding, and the bytes of records. Integers are
 * LEB128, signed ones zigzag, floats 8 bytes little endian, texts a length and bytes.
 *
 * Writers return the place behind what they wrote; the caller has room. */
#ifndef TABLE_EFFECT_BYTES_INTERNAL_H
#define TABLE_EFFECT_BYTES_INTERNAL_H

#include <string.h>

#include "effect.h"
#include "effect_reserve.h"

/* Where decoders put lists; good until the next decoding. */
struct effect_scratch {
    struct area areas[NODE_AREAS_MAX];
    struct effect_place places[EFFECT_PLACES_MAX];
    struct effect_stock_row rows[EFFECT_STOCK_MAX];
    struct effect_span spans[EFFECT_STOCK_MAX];
    struct effect_line lines[EFFECT_LINES_MAX];
    struct effect_part parts[EFFECT_PARTS_MAX];
    struct effect_share shares[EFFECT_SHARES_MAX];
    struct effect_piece pieces[EFFECT_SHARES_MAX];
    struct effect_quantity quantities[EFFECT_SHARES_MAX];
    struct effect_quantity more[EFFECT_SHARES_MAX]; /* a second list of quantities */
    struct effect_stock_row more_rows[EFFECT_STOCK_MAX];
    struct effect_replan_line replan_lines[EFFECT_LINES_MAX];
    struct effect_owed owed[EFFECT_LINES_MAX];
    uint32_t owed_units[EFFECT_LINES_MAX];
    uint16_t include[EFFECT_NODES_MAX], exclude[EFFECT_NODES_MAX];
    struct effect_document_line documents[DOCUMENT_LINES_MAX];
};

/* -- writing -- */

/* In line: an order's record has some twenty of them. */
static inline uint8_t *bytes_put_int(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static inline uint8_t *bytes_put_bytes(uint8_t *at, const void *bytes, size_t size)
{
    if (size > 0) {
        memcpy(at, bytes, size);
    }
    return at + size;
}

uint8_t *bytes_put_signed(uint8_t *at, int64_t value);
uint8_t *bytes_put_float(uint8_t *at, double value);
uint8_t *bytes_put_text(uint8_t *at, const char *text, uint32_t len);
uint8_t *bytes_put_key(uint8_t *at, const struct effect_key *key);

/* -- reading: sticky, so that a decoder asks once at its end -- */

struct bytes_source {
    const uint8_t *at;
    const uint8_t *end;
    bool is_bad;
};

/* Of any length; bytes_get_int calls it for what is not one or two bytes. */
uint64_t bytes_get_long(struct bytes_source *source);

/* In line, as writing is: recovery decodes millions of records and cells. */
static inline uint64_t bytes_get_int(struct bytes_source *source)
{
    const uint8_t *at = source->at;
    if (source->end - at < 2) {
        return bytes_get_long(source);
    }
    if (!(at[0] & 0x80)) {
        source->at = at + 1;
        return at[0];
    }
    if (!(at[1] & 0x80)) {
        source->at = at + 2;
        return (uint64_t)(at[0] & 0x7f) | (uint64_t)at[1] << 7;
    }
    return bytes_get_long(source);
}

/* An integer that must be at most max. */
static inline uint64_t bytes_get_max(struct bytes_source *source, uint64_t max)
{
    const uint64_t value = bytes_get_int(source);
    if (value > max) {
        source->is_bad = true;
        return 0;
    }
    return value;
}

static inline int64_t bytes_get_signed(struct bytes_source *source)
{
    const uint64_t value = bytes_get_int(source);
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

static inline void bytes_get_bytes(struct bytes_source *source, void *out, size_t size)
{
    if ((size_t)(source->end - source->at) < size) {
        source->is_bad = true;
        memset(out, 0, size);
        return;
    }
    memcpy(out, source->at, size);
    source->at += size;
}

static inline uint8_t bytes_get_byte(struct bytes_source *source)
{
    uint8_t byte;
    bytes_get_bytes(source, &byte, 1);
    return byte;
}

/* A latitude (limit 90) or longitude (180): any other double marks the source bad. */
double bytes_get_degrees(struct bytes_source *source, double limit);
/* Text of at most max bytes, where it stands in the record. */
struct effect_text bytes_get_text(struct bytes_source *source, uint32_t max);
/* All that is left, len 0 = nothing. */
static inline struct effect_text bytes_get_rest(struct bytes_source *source)
{
    const uint8_t *at = source->at;
    source->at = source->end;
    return (struct effect_text){(const char *)at, (uint32_t)(source->end - at)};
}
/* Text into a buffer of max + 1 bytes, with NUL. */
void bytes_get_string(struct bytes_source *source, char *out, uint32_t max);
void bytes_get_key(struct bytes_source *source, struct effect_key *key);

/* -- pieces of the records of orders (effect_order.c) -- */

uint8_t *quantities_put(uint8_t *at, const struct effect_quantity *list, uint32_t count);
uint32_t quantities_get(struct bytes_source *source, struct effect_quantity *list);

/* A line in full. */
uint8_t *line_put(uint8_t *at, const struct effect_line *line);
void line_get(struct bytes_source *source, struct effect_line *line);

/* A list of parts, and one of shares, with their counts before them. */
uint8_t *parts_put(uint8_t *at, const struct effect_part *parts, uint32_t count);
uint32_t parts_get(struct bytes_source *source, struct effect_part *parts, uint32_t max);

/* Dates of parts, which came later than the other fields: as a tail of the record. */
bool parts_have_dates(const struct effect_part *parts, uint32_t count);
uint8_t *dates_put(uint8_t *at, const struct effect_part *parts, uint32_t count);
void dates_get(struct bytes_source *source, struct effect_part *parts, uint32_t count);
uint8_t *shares_put(uint8_t *at, const struct effect_share *shares, uint32_t count);
/* part_max, line_max: largest index that may stand there. */
uint32_t shares_get(struct bytes_source *source, struct effect_share *shares, uint32_t part_max,
                    uint32_t line_max);

/* Country and postcode. */
uint8_t *place_put(uint8_t *at, const char *country, const struct effect_text *postcode);
void place_get(struct bytes_source *source, char country[3], struct effect_text *postcode);

/* ERR_DAMAGED when anything was bad or something is left over. */
ERR_MUST_USE enum err bytes_finish(const struct bytes_source *source);

#endif
