/* Maps of texts in one pass: fulfil.update and order.cancel as their clients send them. */
#include "quick.h"

static int field_of(const struct quick_field *fields, uint32_t count, struct text key)
{
    for (uint32_t i = 0; i < count; i++) {
        if (fields[i].name.len == key.len && memcmp(fields[i].name.at, key.at, key.len) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static const uint8_t *take_one(const uint8_t *at, const uint8_t *end,
                               const struct quick_field *fields, uint32_t count,
                               struct text *texts, uint32_t *seen)
{
    struct text key;
    at = take_key(at, end, &key);
    int field = at ? field_of(fields, count, key) : -1;
    if (field < 0 || !first_time(seen, 1u << field)) {
        return NULL;
    }
    return take_text(at, end, fields[field].min, fields[field].max, &texts[field]);
}

uint32_t quick_texts(const struct call *call, const struct quick_field *fields, uint32_t count,
                     struct text *texts)
{
    const uint8_t *at = call->params;
    const uint8_t *end = at + call->params_size;
    uint32_t seen = 0;
    CHECK(count <= 32);
    if (end - at < 2 || at[0] != 0x91 || (at[1] & 0xf0) != 0x80) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        texts[i] = (struct text){"", 0};
    }
    uint32_t left = at[1] & 15u;
    at += 2;
    for (; left > 0 && at; left--) {
        at = take_one(at, end, fields, count, texts, &seen);
    }
    return at == end ? seen : 0;
}
