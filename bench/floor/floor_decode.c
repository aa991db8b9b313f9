/* One order.route frame in one pass: keys by length and first letter, the values where they are. */
#include <string.h>

#include "big_endian.h"
#include "floor.h"

/* What is left of a frame; is_short: it ends before it is whole. is_odd: not what is known. */
struct bytes {
    const uint8_t *at, *end;
    bool is_short, is_odd;
};

static bool has(struct bytes *bytes, uint32_t size)
{
    if (__builtin_expect((uint64_t)(bytes->end - bytes->at) < size, 0)) {
        bytes->is_short = true;
        return false;
    }
    return true;
}

static uint32_t count_of(struct bytes *bytes, uint8_t fixed)
{
    if (!has(bytes, 1) || (*bytes->at & 0xf0) != fixed) {
        bytes->is_odd = !bytes->is_short;
        return 0;
    }
    return *bytes->at++ & 0x0f;
}

static const char *text_of(struct bytes *bytes, uint32_t *size_out)
{
    *size_out = 0;
    if (!has(bytes, 1)) {
        return "";
    }
    uint32_t head = *bytes->at;
    uint32_t size = head == 0xd9 && has(bytes, 2) ? bytes->at[1] : head & 31;
    uint32_t skip = head == 0xd9 ? 2 : 1;
    if (head != 0xd9 && (head & 0xe0) != 0xa0) {
        bytes->is_odd = true;
        return "";
    }
    if (!has(bytes, skip + size)) {
        return "";
    }
    const char *text = (const char *)bytes->at + skip;
    bytes->at += skip + size;
    *size_out = size;
    return text;
}

static uint32_t uint_of(struct bytes *bytes)
{
    static const uint8_t sizes[] = {2, 3, 5};
    if (!has(bytes, 1)) {
        return 0;
    }
    uint8_t head = *bytes->at;
    if (head < 0x80) {
        bytes->at++;
        return head;
    }
    if (head < 0xcc || head > 0xce || !has(bytes, sizes[head - 0xcc])) {
        bytes->is_odd = !bytes->is_short;
        return 0;
    }
    const uint8_t *value = bytes->at + 1;
    bytes->at += sizes[head - 0xcc];
    return head == 0xcc ? *value : head == 0xcd ? be16_load(value) : be32_load(value);
}

static double float_of(struct bytes *bytes)
{
    if (!has(bytes, 1)) {
        return 0;
    }
    if (*bytes->at != 0xcb) {
        return uint_of(bytes);
    }
    if (!has(bytes, 9)) {
        return 0;
    }
    uint64_t bits = be64_load(bytes->at + 1);
    double value;
    memcpy(&value, &bits, sizeof value);
    bytes->at += 9;
    return value;
}

static void line_of(struct bytes *bytes, struct floor_line *line)
{
    line->qty = 0;
    line->item_size = 0;
    for (uint32_t left = count_of(bytes, 0x80); left > 0; left--) {
        uint32_t size;
        const char *key = text_of(bytes, &size);
        if (size == 4 && key[0] == 'i') {
            line->item = text_of(bytes, &line->item_size);
        } else if (size == 3 && key[0] == 'q') {
            line->qty = uint_of(bytes);
        } else {
            bytes->is_odd = true;
        }
    }
    bytes->is_odd = bytes->is_odd || line->qty == 0 || line->item_size == 0 ||
                    line->item_size > FLOOR_NAME_MAX;
}

static void lines_of(struct bytes *bytes, struct floor_order *order)
{
    order->count = count_of(bytes, 0x90);
    if (order->count == 0 || order->count > FLOOR_LINES_MAX) {
        bytes->is_odd = true;
        return;
    }
    for (uint32_t i = 0; i < order->count; i++) {
        line_of(bytes, &order->lines[i]);
    }
}

static void dest_of(struct bytes *bytes, struct floor_order *order)
{
    for (uint32_t left = count_of(bytes, 0x80); left > 0; left--) {
        uint32_t size;
        const char *key = text_of(bytes, &size);
        double value = float_of(bytes);
        if (size == 3 && key[1] == 'a') {
            order->lat = value;
        } else {
            order->lon = value;
        }
    }
    bytes->is_odd = bytes->is_odd || !(order->lat >= -90 && order->lat <= 90) ||
                    !(order->lon >= -180 && order->lon <= 180);
}

static void field_of(struct bytes *bytes, struct floor_order *order)
{
    uint32_t size;
    uint32_t service_size;
    const char *key = text_of(bytes, &size);
    if (size == 8) {
        order->id = text_of(bytes, &order->id_size);
    } else if (size == 5) {
        lines_of(bytes, order);
    } else if (size == 7) {
        const char *service = text_of(bytes, &service_size);
        bytes->is_odd = bytes->is_odd || service_size != 8 || memcmp(service, "standard", 8) != 0;
    } else if (size == 4 && key[0] == 'd') {
        dest_of(bytes, order);
    } else {
        bytes->is_odd = true;
    }
}

int32_t floor_decode(const uint8_t *at, const uint8_t *end, struct floor_order *order)
{
    struct bytes bytes = {at, end, false, false};
    uint32_t size;
    if (!has(&bytes, 2)) {
        return 0;
    }
    bytes.is_odd = at[0] != 0x94 || at[1] != 0;
    bytes.at += 2;
    order->msgid = uint_of(&bytes);
    const char *method = text_of(&bytes, &size);
    bool is_route = size == 11 && memcmp(method, "order.route", 11) == 0;
    if (bytes.is_short || !is_route || bytes.is_odd) {
        return bytes.is_short ? 0 : -1;
    }
    order->id_size = order->count = 0;
    bytes.is_odd = count_of(&bytes, 0x90) != 1;
    for (uint32_t left = count_of(&bytes, 0x80); left > 0 && !bytes.is_odd; left--) {
        field_of(&bytes, order);
        if (bytes.is_short) {
            return 0;
        }
    }
    bool is_whole = order->id_size > 0 && order->id_size <= FLOOR_ID_MAX && order->count > 0;
    return bytes.is_short ? 0 : bytes.is_odd || !is_whole ? -1 : (int32_t)(bytes.at - at);
}
