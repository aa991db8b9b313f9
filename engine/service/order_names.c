/* Lines of an order by their names: open addressing on the stack, at most 1,000 of 4,096 slots. */
#include "order_names_internal.h"

#include <string.h>

_Static_assert(EFFECT_LINES_MAX * 2 < ORDER_NAMES_SLOTS, "slots stay half empty");

static void read_named_line(struct reader *reader, struct named_qty *line, bool needs_qty)
{
    static const char *const fields[] = {"line", "qty"};
    struct reader_map map;
    line->qty = 0;
    reader_map_begin(reader, &map, fields, 2);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 0) {
            line->line = reader_text_or_int(reader, line->scratch, 1, ID_MAX);
        } else {
            line->qty = (uint32_t)reader_int(reader, needs_qty ? 0 : 1, QTY_MAX);
        }
    }
    reader_require(reader, &map, 0);
    if (needs_qty) {
        reader_require(reader, &map, 1);
    }
}

uint32_t read_named_lines(struct reader *reader, struct named_qty *lines, bool needs_qty)
{
    struct reader_array array;
    uint32_t count = 0;
    reader_array_begin(reader, &array, EFFECT_LINES_MAX);
    while (reader_array_next(reader, &array)) {
        read_named_line(reader, &lines[count++], needs_qty);
    }
    if (reader_is_ok(reader) && count == 0) {
        reader_fail(reader, "names no line: leave it out to mean all");
    }
    return reader_is_ok(reader) ? count : 0;
}

static uint32_t line_of(const struct order_names *names, uint32_t index, bool is_share)
{
    return is_share ? order_shares(names->order)[index].line : index;
}

static uint32_t home(const char *name, uint32_t len)
{
    return (uint32_t)(hash_fixed(name, len) % ORDER_NAMES_SLOTS);
}

static void add(struct order_names *names, uint32_t index, bool is_share)
{
    char scratch[12];
    uint32_t len;
    const char *name = line_text(names->order, line_of(names, index, is_share), scratch, &len);
    uint32_t slot = home(name, len);
    while (names->slots[slot] != ORDER_NAMES_NONE) {
        slot = (slot + 1) % ORDER_NAMES_SLOTS;
    }
    names->slots[slot] = (uint16_t)index;
}

uint32_t units_per(struct order *order, uint32_t line)
{
    struct order_kit kit = line_kit(order, line);
    return kit.item ? kit.per : 1;
}

uint32_t share_run(struct order *order, uint32_t share)
{
    const struct order_share *shares = order_shares(order);
    const struct order_part *part = &order_parts(order)[shares[share].part];
    struct order_kit kit = line_kit(order, shares[share].line);
    uint32_t end = share + 1;
    while (kit.item && end < part->share_first + part->share_count &&
           line_kit(order, shares[end].line).item &&
           line_kit(order, shares[end].line).first == kit.first) {
        end++;
    }
    return end - share;
}

/* Of the components of a kit line the first one stands for all. */
static bool is_first(struct order *order, uint32_t line)
{
    return line_kit(order, line).first == line;
}

void order_names_init(struct order_names *names, struct order *order, int part)
{
    names->order = order;
    memset(names->slots, 0xff, sizeof names->slots);
    if (part < 0) {
        for (uint32_t i = 0; i < order->line_count; i++) {
            if (is_first(order, i)) {
                add(names, i, false);
            }
        }
        return;
    }
    const struct order_part *own = &order_parts(order)[part];
    for (uint32_t i = 0; i < own->share_count; i++) {
        if (is_first(order, order_shares(order)[own->share_first + i].line)) {
            add(names, own->share_first + i, true);
        }
    }
}

uint32_t order_names_find(const struct order_names *names, struct text line, bool is_share)
{
    uint32_t slot = home(line.at, line.len);
    while (names->slots[slot] != ORDER_NAMES_NONE) {
        char scratch[12];
        uint32_t len;
        uint32_t index = names->slots[slot];
        const char *name = line_text(names->order, line_of(names, index, is_share), scratch, &len);
        if (len == line.len && memcmp(name, line.at, len) == 0) {
            return index;
        }
        slot = (slot + 1) % ORDER_NAMES_SLOTS;
    }
    return ORDER_NAMES_NONE;
}

void reply_unknown_line(struct service_core *service, struct call *call, uint32_t at,
                        struct text line, const char *where)
{
    reply_error(service, call, CODE_UNKNOWN_LINE,
                "lines[%u].line: the %s has no line %.*s: order.get shows its lines", at, where,
                (int)line.len, line.at);
}

void reply_line_twice(struct service_core *service, struct call *call, uint32_t at,
                      struct text line)
{
    reply_error(service, call, CODE_INVALID_ARGUMENT,
                "lines[%u].line: %.*s is named twice: name each line once", at, (int)line.len,
                line.at);
}
