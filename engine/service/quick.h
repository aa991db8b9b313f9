/* Reading params in one pass, for the shapes that nearly every client sends: a key is told by its
 * length and one comparison, a value by its first byte. Whatever is not expected ends the pass,
 * and the general reader reads the request from its beginning: it alone makes errors.
 *
 * Each take_* gets a place in the params and gives the one behind what it read, NULL where that
 * is not what it expects. */
#ifndef SERVICE_QUICK_H
#define SERVICE_QUICK_H

#include <string.h>

#include "big_endian.h"
#include "service_internal.h"

/* A field that is a text of min to max bytes. */
struct quick_field {
    struct word name;
    uint32_t min, max;
};

/* The compiler keeps some of them as calls, at link time too, which costs 100 instructions. */
#define QUICK_INLINE static inline __attribute__((always_inline))

#define QUICK_NAME(literal) {literal, sizeof(literal) - 1}

/* Params that are one map of such fields and nothing else: texts[i] is what fields[i] told, an
 * empty text where it did not come. Gives a bit for each field that came; 0: none, or something
 * else came, or came twice, or is wrong in some way: what stands in texts is void. */
uint32_t quick_texts(const struct call *call, const struct quick_field *fields, uint32_t count,
                     struct text *texts);

/* Fields that come once; a second one is for ask_decode to refuse. */
QUICK_INLINE bool first_time(uint32_t *seen, uint32_t field)
{
    bool is_first = (*seen & field) == 0;
    *seen |= field;
    return is_first;
}

/* Whether no byte has its high bit. Reads 8 bytes at a time, in a short text those before it
 * too, and shifts them out: at least 8 bytes of params end where the first text does. */
QUICK_INLINE bool is_ascii(const uint8_t *text, uint32_t len)
{
    uint64_t word;
    uint64_t high = 0;
    if (len == 0) {
        return true;
    }
    for (uint32_t i = 0; i + 8 < len; i += 8) {
        memcpy(&word, text + i, sizeof word);
        high |= word;
    }
    memcpy(&word, text + len - 8, sizeof word);
    high |= len >= 8 ? word : word >> (64 - 8 * len); /* the text's end is the word's top */
    return (high & 0x8080808080808080u) == 0;
}

QUICK_INLINE const uint8_t *take_text(const uint8_t *at, const uint8_t *end, uint32_t min,
                                      uint32_t max, struct text *out)
{
    uint32_t len;
    if (end - at < 2) {
        return NULL;
    }
    if ((at[0] & 0xe0) == 0xa0) {
        len = at[0] & 31;
        at += 1;
    } else if (at[0] == 0xd9) {
        len = at[1];
        at += 2;
    } else {
        return NULL;
    }
    if (len < min || len > max || end - at < len || !is_ascii(at, len)) {
        return NULL;
    }
    *out = (struct text){(const char *)at, len};
    return at + len;
}

/* A key, with at least a byte of its value behind it. */
QUICK_INLINE const uint8_t *take_key(const uint8_t *at, const uint8_t *end, struct text *key)
{
    if (at >= end || (*at & 0xe0) != 0xa0 || end - at <= (*at & 31) + 1) {
        return NULL;
    }
    *key = (struct text){(const char *)at + 1, *at & 31u};
    return at + 1 + key->len;
}

#define IS(key, name) (memcmp((key).at, name, sizeof name - 1) == 0)

QUICK_INLINE const uint8_t *take_uint(const uint8_t *at, const uint8_t *end, uint32_t max,
                                      uint32_t *out)
{
    uint32_t value = *at;
    uint32_t size = 1;
    if (*at == 0xcc) {
        size = 2;
        value = end - at >= 2 ? at[1] : UINT32_MAX;
    } else if (*at == 0xcd) {
        size = 3;
        value = end - at >= 3 ? be16_load(at + 1) : UINT32_MAX;
    } else if (*at == 0xce) {
        size = 5;
        value = end - at >= 5 ? be32_load(at + 1) : UINT32_MAX;
    } else if (*at >= 0x80) {
        return NULL;
    }
    *out = value;
    return value <= max ? at + size : NULL;
}

#endif
