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
    uint8_t *end;
    bool is_full; /* something did not fit */
};

static inline void writer_init(struct writer *writer, uint8_t *buffer, uint32_t size)
{
    *writer = (struct writer){.begin = buffer, .at = buffer, .end = buffer + size};
}

/* Bytes written so far. */
static inline uint32_t writer_size(const struct writer *writer)
{
    return (uint32_t)(writer->at - writer->begin);
}

/* Make sure that size bytes fit, else set is_full and answer false. */
static inline bool writer_has(struct writer *writer, uint32_t size)
{
    if (__builtin_expect(writer->is_full || (uint64_t)(writer->end - writer->at) < size, 0)) {
        writer->is_full = true;
        return false;
    }
    return true;
}

static inline void writer_byte(struct writer *writer, uint8_t byte)
{
    if (writer_has(writer, 1)) {
        *writer->at++ = byte;
    }
}

static inline void writer_nil(struct writer *writer)
{
    writer_byte(writer, 0xc0);
}

static inline void writer_bool(struct writer *writer, bool value)
{
    writer_byte(writer, value ? 0xc3 : 0xc2);
}

/* What does not fit into a byte; called by the inline ones below. */
void writer_uint_wide(struct writer *writer, uint64_t value);
void writer_int_negative(struct writer *writer, int64_t value);
void writer_text_wide(struct writer *writer, const char *text, uint32_t len);
void writer_count_wide(struct writer *writer, uint8_t type16, uint32_t count);

static inline void writer_uint(struct writer *writer, uint64_t value)
{
    if (value < 0x80) {
        writer_byte(writer, (uint8_t)value);
    } else {
        writer_uint_wide(writer, value);
    }
}

static inline void writer_int(struct writer *writer, int64_t value)
{
    if (value >= 0) {
        writer_uint(writer, (uint64_t)value);
    } else {
        writer_int_negative(writer, value);
    }
}

/* Always a float64, also where the value is integral: a field keeps its type. */
static inline void writer_float(struct writer *writer, double value)
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
static inline void writer_raw(struct writer *writer, const void *bytes, uint32_t size)
{
    if (writer_has(writer, size) && size > 0) {
        memcpy(writer->at, bytes, size);
        writer->at += size;
    }
}

/* A str of len bytes, which must be UTF-8. */
static inline void writer_text(struct writer *writer, const char *text, uint32_t len)
{
    if (len < 32) { /* one check for head and bytes */
        if (writer_has(writer, len + 1)) {
            *writer->at = (uint8_t)(0xa0 | len);
            memcpy(writer->at + 1, text, len);
            writer->at += len + 1;
        }
        return;
    }
    writer_text_wide(writer, text, len);
}

/* A str from a string literal. */
#define writer_str(writer, literal)                                                                \
    writer_text((writer), "" literal "", (uint32_t)sizeof(literal) - 1)

/* A str from a NUL-terminated string. */
static inline void writer_string(struct writer *writer, const char *string)
{
    writer_text(writer, string, (uint32_t)strlen(string));
}

/* The head of a map of count pairs, or of an array of count values; the caller writes them. */
static inline void writer_map(struct writer *writer, uint32_t count)
{
    if (count < 16) {
        writer_byte(writer, (uint8_t)(0x80 | count));
    } else {
        writer_count_wide(writer, 0xde, count);
    }
}

static inline void writer_array(struct writer *writer, uint32_t count)
{
    if (count < 16) {
        writer_byte(writer, (uint8_t)(0x90 | count));
    } else {
        writer_count_wide(writer, 0xdc, count);
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

/* `[1, msgid, nil,`: the result must follow. */
void writer_reply(struct writer *writer, uint32_t msgid);

/* The whole reply `[1, msgid, [kind, "CODE text"], nil]`. text need not be terminated. */
void writer_reply_error(struct writer *writer, uint32_t msgid, enum code code, const char *text,
                        uint32_t len);

/* `[0, msgid, method, [`: one map must follow. Of clients and tests. */
void writer_request(struct writer *writer, uint32_t msgid, const char *method);

#endif
