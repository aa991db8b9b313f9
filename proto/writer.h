/* Writes MessagePack into a buffer of the caller, in the smallest encodings.
 *
 * Errors are sticky: once something does not fit, is_full is set, nothing more is written, and
 * the caller asks once at the end. No allocation. A writer belongs to one thread. */
#ifndef PROTO_WRITER_H
#define PROTO_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "big_endian.h"
#include "names.h"

struct writer {
    uint8_t *begin; /* the caller's buffer */
    uint8_t *at;    /* the next byte goes here */
    uint8_t *end;   /* of the buffer; at, once something did not fit */
    bool is_full;   /* something did not fit */
    bool is_sure;   /* the caller has asked writer_has for all that follows: nothing is checked */
};

/* The functions here take the writer's address and give it to nobody: a writer that is a local
 * of one function, and whose address goes only to them, lives in registers. A reply written so
 * costs half of one whose writer other functions can see (every byte stored could change it), and
 * a third where is_sure is set there, so that the compiler drops the checks. What is too long to
 * be inlined takes and gives the place by value; NULL = it does not fit. */
#define WRITER_INLINE static inline __attribute__((always_inline))

WRITER_INLINE void writer_init(struct writer *writer, uint8_t *buffer, uint32_t size)
{
    *writer = (struct writer){.begin = buffer, .at = buffer, .end = buffer + size};
}

/* Bytes written so far. */
WRITER_INLINE uint32_t writer_size(const struct writer *writer)
{
    return (uint32_t)(writer->at - writer->begin);
}

/* Make sure that size bytes fit, else set is_full and answer false; from then on nothing does. */
WRITER_INLINE bool writer_has(struct writer *writer, uint32_t size)
{
    if (writer->is_sure) {
        return true;
    }
    if (__builtin_expect((uint64_t)(writer->end - writer->at) < size, 0)) {
        writer->is_full = true;
        writer->end = writer->at;
        return false;
    }
    return true;
}

/* Go on at the place behind what was written out of line; NULL: it did not fit. */
WRITER_INLINE void writer_go(struct writer *writer, uint8_t *at)
{
    if (at) {
        writer->at = at;
    } else {
        writer->is_full = true;
        writer->end = writer->at;
    }
}

WRITER_INLINE void writer_byte(struct writer *writer, uint8_t byte)
{
    if (writer_has(writer, 1)) {
        *writer->at++ = byte;
    }
}

WRITER_INLINE void writer_nil(struct writer *writer)
{
    writer_byte(writer, 0xc0);
}

WRITER_INLINE void writer_bool(struct writer *writer, bool value)
{
    writer_byte(writer, value ? 0xc3 : 0xc2);
}

/* What does not fit into a byte; called by the inline ones below. */
uint8_t *writer_uint_wide(uint8_t *at, const uint8_t *end, uint64_t value);
uint8_t *writer_int_negative(uint8_t *at, const uint8_t *end, int64_t value);
uint8_t *writer_text_wide(uint8_t *at, const uint8_t *end, const char *text, uint32_t len);
uint8_t *writer_count_wide(uint8_t *at, const uint8_t *end, uint8_t type16, uint32_t count);

WRITER_INLINE void writer_uint(struct writer *writer, uint64_t value)
{
    if (value < 0x80) {
        writer_byte(writer, (uint8_t)value);
    } else {
        writer_go(writer, writer_uint_wide(writer->at, writer->end, value));
    }
}

WRITER_INLINE void writer_int(struct writer *writer, int64_t value)
{
    if (value >= 0) {
        writer_uint(writer, (uint64_t)value);
    } else {
        writer_go(writer, writer_int_negative(writer->at, writer->end, value));
    }
}

/* Always a float64, also where the value is integral: a field keeps its type. */
WRITER_INLINE void writer_float(struct writer *writer, double value)
{
    if (writer_has(writer, 9)) {
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        writer->at[0] = 0xcb;
        be64_store(writer->at + 1, bits);
        writer->at += 9;
    }
}

/* size bytes of MessagePack made elsewhere, as they are. */
WRITER_INLINE void writer_raw(struct writer *writer, const void *bytes, uint32_t size)
{
    if (size > 0 && writer_has(writer, size)) {
        memcpy(writer->at, bytes, size);
        writer->at += size;
    }
}

/* Copy fewer than 32 bytes, in two loads that may overlap: a call of memcpy costs more. */
static inline void writer_copy_short(uint8_t *to, const char *from, uint32_t len)
{
    if (len >= 16) {
        memcpy(to, from, 16);
        memcpy(to + len - 16, from + len - 16, 16);
    } else if (len >= 8) {
        memcpy(to, from, 8);
        memcpy(to + len - 8, from + len - 8, 8);
    } else if (len >= 4) {
        memcpy(to, from, 4);
        memcpy(to + len - 4, from + len - 4, 4);
    } else if (len > 0) {
        to[0] = (uint8_t)from[0];
        to[len / 2] = (uint8_t)from[len / 2];
        to[len - 1] = (uint8_t)from[len - 1];
    }
}

/* A str of len bytes, which must be UTF-8. */
WRITER_INLINE void writer_text(struct writer *writer, const char *text, uint32_t len)
{
    if (len >= 32) {
        writer_go(writer, writer_text_wide(writer->at, writer->end, text, len));
    } else if (writer_has(writer, len + 1)) { /* one check for head and bytes */
        *writer->at = (uint8_t)(0xa0 | len);
        if (__builtin_constant_p(len)) {
            memcpy(writer->at + 1, text, len);
        } else {
            writer_copy_short(writer->at + 1, text, len);
        }
        writer->at += len + 1;
    }
}

/* A str from a string literal. */
#define writer_str(writer, literal)                                                                \
    writer_text((writer), "" literal "", (uint32_t)sizeof(literal) - 1)

/* A str from a NUL-terminated string. */
WRITER_INLINE void writer_string(struct writer *writer, const char *string)
{
    writer_text(writer, string, (uint32_t)strlen(string));
}

/* A str from a word of the contract. */
WRITER_INLINE void writer_word(struct writer *writer, struct word word)
{
    writer_text(writer, word.at, word.len);
}

/* The head of a map of count pairs, or of an array of count values; the caller writes them. */
WRITER_INLINE void writer_map(struct writer *writer, uint32_t count)
{
    if (count < 16) {
        writer_byte(writer, (uint8_t)(0x80 | count));
    } else {
        writer_go(writer, writer_count_wide(writer->at, writer->end, 0xde, count));
    }
}

WRITER_INLINE void writer_array(struct writer *writer, uint32_t count)
{
    if (count < 16) {
        writer_byte(writer, (uint8_t)(0x90 | count));
    } else {
        writer_go(writer, writer_count_wide(writer->at, writer->end, 0xdc, count));
    }
}

/* A map or an array whose count is known only at its end. open leaves one byte for the head
 * and gives its offset; close sets the head, and moves what was written since where the count
 * needs more than that byte (16 and over), so that the encoding is the smallest all the same. */
static inline uint32_t writer_open(struct writer *writer)
{
    uint32_t mark = writer_size(writer);
    writer_byte(writer, 0);
    return mark;
}

void writer_map_close(struct writer *writer, uint32_t mark, uint32_t count);
void writer_array_close(struct writer *writer, uint32_t mark, uint32_t count);

enum { WRITER_REPLY_MAX = 8 }; /* bytes of it */

/* `[1, msgid, nil,`: the result must follow. */
WRITER_INLINE void writer_reply(struct writer *writer, uint32_t msgid)
{
    writer_byte(writer, 0x94);
    writer_byte(writer, 1);
    writer_uint(writer, msgid);
    writer_nil(writer);
}

/* The whole reply `[1, msgid, [kind, "CODE text"], nil]`. text need not be terminated. */
void writer_reply_error(struct writer *writer, uint32_t msgid, enum code code, const char *text,
                        uint32_t len);

/* `[0, msgid, method, [`: one map must follow. Of clients and tests. */
void writer_request(struct writer *writer, uint32_t msgid, const char *method);

#endif
