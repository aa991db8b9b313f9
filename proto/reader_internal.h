/* Shared by reader.c, reader_value.c and reader_error.c: the first bytes of any value. In a
 * header so that it is inlined into each of the small readers. */
#ifndef PROTO_READER_INTERNAL_H
#define PROTO_READER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "big_endian.h"
#include "reader.h"

/* The first bytes of a value. */
struct head {
    enum reader_kind kind;
    uint32_t size;   /* bytes of the head, the value's own for numbers */
    uint32_t length; /* bytes or values that follow */
    int64_t integer; /* of READER_KIND_INT */
    uint64_t bits;   /* as they came; the value of READER_KIND_UINT_BIG */
    double number;   /* of READER_KIND_FLOAT */
};

/* One row per first byte from 0xc0 to 0xdf. width: bytes behind the first that belong to the
 * head, of which the number or length is read. */
struct form {
    uint8_t kind; /* enum reader_kind */
    uint8_t width;
    bool is_signed;
};
static const struct form forms[32] = {
    {READER_KIND_NIL, 0, false},  {READER_KIND_NONE, 0, false},  {READER_KIND_BOOL, 0, false},
    {READER_KIND_BOOL, 0, false}, {READER_KIND_TEXT, 1, false},  {READER_KIND_TEXT, 2, false},
    {READER_KIND_TEXT, 4, false}, {READER_KIND_EXT, 1, false},   {READER_KIND_EXT, 2, false},
    {READER_KIND_EXT, 4, false},  {READER_KIND_FLOAT, 4, false}, {READER_KIND_FLOAT, 8, false},
    {READER_KIND_INT, 1, false},  {READER_KIND_INT, 2, false},   {READER_KIND_INT, 4, false},
    {READER_KIND_INT, 8, false},  {READER_KIND_INT, 1, true},    {READER_KIND_INT, 2, true},
    {READER_KIND_INT, 4, true},   {READER_KIND_INT, 8, true},    {READER_KIND_EXT, 0, false},
    {READER_KIND_EXT, 0, false},  {READER_KIND_EXT, 0, false},   {READER_KIND_EXT, 0, false},
    {READER_KIND_EXT, 0, false},  {READER_KIND_TEXT, 1, false},  {READER_KIND_TEXT, 2, false},
    {READER_KIND_TEXT, 4, false}, {READER_KIND_ARRAY, 2, false}, {READER_KIND_ARRAY, 4, false},
    {READER_KIND_MAP, 2, false},  {READER_KIND_MAP, 4, false}};

static inline uint64_t load_bits(const uint8_t *at, uint32_t width)
{
    switch (width) {
    case 0:
        return 0;
    case 1:
        return at[0];
    case 2:
        return be16_load(at);
    case 4:
        return be32_load(at);
    default:
        return be64_load(at);
    }
}

static inline double float_of(uint64_t bits, uint32_t width)
{
    double number;
    float narrow;
    if (width == 8) {
        memcpy(&number, &bits, sizeof number);
        return number;
    }
    uint32_t bits32 = (uint32_t)bits;
    memcpy(&narrow, &bits32, sizeof narrow);
    return (double)narrow;
}

/* Extend the sign of a number of width bytes. */
static inline int64_t sign_of(uint64_t bits, uint32_t width)
{
    switch (width) {
    case 1:
        return (int8_t)bits;
    case 2:
        return (int16_t)bits;
    case 4:
        return (int32_t)bits;
    default:
        return (int64_t)bits;
    }
}

static inline void set_number(struct head *head, const struct form *form)
{
    if (form->kind == READER_KIND_FLOAT) {
        head->number = float_of(head->bits, form->width);
    } else if (form->is_signed) {
        head->integer = sign_of(head->bits, form->width);
    } else if (head->bits > INT64_MAX) {
        head->kind = READER_KIND_UINT_BIG;
    } else {
        head->integer = (int64_t)head->bits;
    }
}

/* Heads whose one byte says all. */
static inline struct head short_head(uint8_t first)
{
    struct head head = {.kind = READER_KIND_INT, .size = 1, .integer = (int8_t)first};
    if (first >= 0x80 && first < 0xe0) {
        head.kind = first < 0x90   ? READER_KIND_MAP
                    : first < 0xa0 ? READER_KIND_ARRAY
                                   : READER_KIND_TEXT;
        head.length = first < 0xa0 ? first & 15u : first & 31u;
    }
    return head;
}

/* Head of the value at `at`. READER_KIND_NONE where none is or its bytes are not all there. */
static inline struct head take_head(const uint8_t *at, const uint8_t *end)
{
    static const struct head none = {.kind = READER_KIND_NONE};
    if (at >= end) {
        return none;
    }
    if (*at < 0xc0 || *at >= 0xe0) {
        struct head head = short_head(*at);
        bool is_cut = head.kind == READER_KIND_TEXT && (uint64_t)(end - at) < 1 + head.length;
        return is_cut ? none : head;
    }
    const struct form *form = &forms[*at & 31];
    if ((uint64_t)(end - at) < 1u + form->width) {
        return none;
    }
    struct head head = {.kind = (enum reader_kind)form->kind, .size = 1u + form->width};
    head.bits = load_bits(at + 1, form->width);
    if (head.kind == READER_KIND_INT || head.kind == READER_KIND_FLOAT) {
        set_number(&head, form);
        return head;
    }
    head.length = (uint32_t)head.bits;
    if (head.kind == READER_KIND_EXT) {
        head.size += 1;
        head.length = *at >= 0xd4 && *at <= 0xd8 ? 1u << (*at - 0xd4) : head.length;
    }
    bool has_bytes = head.kind == READER_KIND_TEXT || head.kind == READER_KIND_EXT;
    return (uint64_t)(end - at) < head.size + (has_bytes ? (uint64_t)head.length : 0) ? none : head;
}

/* "must be <wanted>, is <kind>". */
void reader_fail_kind(struct reader *reader, const char *wanted, const struct head *head);

/* The key is none of the fields of map: name it, and the one that may be meant. */
void reader_fail_unknown(struct reader *reader, const struct reader_map *map, struct text key);

/* Text of a kind as an error says it. */
const char *reader_kind_text(enum reader_kind kind);

#endif
