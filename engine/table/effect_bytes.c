/* Numbers, texts and keys of records, written and read. */
#include "effect_bytes_internal.h"

#include <string.h>

/* -- writing -- */

uint8_t *bytes_put_signed(uint8_t *at, int64_t value)
{
    return bytes_put_int(at, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

uint8_t *bytes_put_float(uint8_t *at, double value)
{
    return bytes_put_bytes(at, &value, sizeof value);
}

uint8_t *bytes_put_text(uint8_t *at, const char *text, uint32_t len)
{
    at = bytes_put_int(at, len);
    return bytes_put_bytes(at, text, len);
}

uint8_t *bytes_put_key(uint8_t *at, const struct effect_key *key)
{
    *at++ = key->is_set;
    if (key->is_set) {
        at = bytes_put_bytes(at, &key->key, sizeof key->key);
        at = bytes_put_bytes(at, &key->content, sizeof key->content);
        for (int i = 0; i < KEY_FACTS_MAX; i++) {
            at = bytes_put_signed(at, key->facts[i]);
        }
    }
    return at;
}

/* -- reading: sticky, so that a decoder asks once at its end -- */

uint64_t bytes_get_long(struct bytes_source *source)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        if (source->at == source->end) {
            source->is_bad = true;
            return 0;
        }
        uint8_t byte = *source->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return value;
        }
    }
    source->is_bad = true;
    return 0;
}

double bytes_get_degrees(struct bytes_source *source, double limit)
{
    double value;
    bytes_get_bytes(source, &value, sizeof value);
    if (!(value >= -limit && value <= limit)) { /* nor a number that is none */
        source->is_bad = true;
        return 0.0;
    }
    return value;
}

struct effect_text bytes_get_text(struct bytes_source *source, uint32_t max)
{
    uint32_t len = (uint32_t)bytes_get_max(source, max);
    struct effect_text text = {(const char *)source->at, len};
    if ((size_t)(source->end - source->at) < len) {
        source->is_bad = true;
        text.len = 0;
        return text;
    }
    source->at += len;
    return text;
}

void bytes_get_string(struct bytes_source *source, char *out, uint32_t max)
{
    struct effect_text text = bytes_get_text(source, max);
    memcpy(out, text.at, text.len);
    out[text.len] = '\0';
}

void bytes_get_key(struct bytes_source *source, struct effect_key *key)
{
    memset(key, 0, sizeof *key);
    key->is_set = bytes_get_byte(source) != 0;
    if (key->is_set) {
        bytes_get_bytes(source, &key->key, sizeof key->key);
        bytes_get_bytes(source, &key->content, sizeof key->content);
        for (int i = 0; i < KEY_FACTS_MAX; i++) {
            key->facts[i] = bytes_get_signed(source);
        }
    }
}

enum err bytes_finish(const struct bytes_source *source)
{
    return source->is_bad || source->at != source->end ? ERR_DAMAGED : ERR_OK;
}
