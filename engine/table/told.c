/* What records tell for readers of events: see told.h. */
#include "told.h"

#include "check.h"
#include "effect_bytes_internal.h"

/* -- writing -- */

static uint8_t *line_name(uint8_t *at, uint32_t index, const char *name, uint32_t len)
{
    at = bytes_put_int(at, (uint64_t)index * 2 + (len > 0));
    return len > 0 ? bytes_put_text(at, name, len) : at;
}

/* A line that the order has already. */
static uint8_t *known_line(uint8_t *at, struct order *row, uint32_t index)
{
    const struct order_line *line = &order_lines(row)[index];
    const uint32_t len = line->text_len & ~(uint32_t)ORDER_LINE_KIT;
    at = line_name(at, index, order_body(row) + line->text, len);
    return bytes_put_int(at, line->item);
}

static uint8_t *units(uint8_t *at, struct order *row, const struct effect_quantity *list,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct order_share *share = &order_shares(row)[list[i].share];
        at = known_line(at, row, share->line);
        at = bytes_put_int(at, share->part);
        at = bytes_put_int(at, order_parts(row)[share->part].node);
    }
    return at;
}

uint8_t *told_put_cancel(uint8_t *at, const struct effect_cancel *effect)
{
    at = units(at, effect->row, effect->shares, effect->count);
    for (uint32_t i = 0; i < effect->owed_count; i++) {
        at = known_line(at, effect->row, effect->owed[i].share);
    }
    *at++ = 0;
    return at;
}

uint8_t *told_put_fulfil(uint8_t *at, const struct effect_fulfil *effect)
{
    struct order *row = effect->row;
    at = bytes_put_int(at, order_parts(row)[effect->part].node);
    for (uint32_t i = 0; i < effect->count; i++) {
        at = known_line(at, row, order_shares(row)[effect->shares[i].share].line);
    }
    *at++ = 0;
    return at;
}

/* A line that the order has, or gets by this change: those come in any order, mostly rising. */
static uint8_t *any_line(uint8_t *at, const struct effect_replan *effect, uint32_t index,
                         uint32_t *cursor)
{
    if (index < effect->row->line_count) {
        return known_line(at, effect->row, index);
    }
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_replan_line *line = &effect->lines[*cursor];
        if (line->index == index) {
            at = line_name(at, index, line->line.line.at, line->line.line.len);
            return bytes_put_int(at, line->line.item);
        }
        *cursor = (*cursor + 1) % effect->line_count;
    }
    CHECK_UNREACHABLE("a share of no line");
    return at;
}

static uint8_t *rejected(uint8_t *at, const struct effect_replan *effect)
{
    const struct order_part *part = &order_parts(effect->row)[effect->part];
    at = bytes_put_int(at, part->node);
    return bytes_put_int(at, part->dates.by_min);
}

static uint8_t *lates(uint8_t *at, const struct effect_replan *effect)
{
    at = bytes_put_int(at, effect->late_count);
    for (uint32_t i = 0; i < effect->late_count; i++) {
        const struct effect_late *late = &effect->lates[i];
        const struct order_part *part = &order_parts(effect->row)[late->part];
        at = bytes_put_int(at, (uint64_t)late->part * 2 + late->has_owed);
        at = bytes_put_int(at, part->node);
        at = bytes_put_int(at, part->dates.by_min);
        at = bytes_put_int(at, late->by_min);
    }
    return at;
}

uint8_t *told_put_replan(uint8_t *at, const struct effect_replan *effect)
{
    uint32_t cursor = 0;
    at = bytes_put_int(at, effect->row->part_count);
    at = bytes_put_int(at, effect->row->share_count);
    at = effect->has_part ? rejected(at, effect) : at;
    at = units(at, effect->row, effect->moves, effect->move_count);
    at = units(at, effect->row, effect->cancels, effect->cancel_count);
    for (uint32_t i = 0; i < effect->share_count; i++) {
        at = any_line(at, effect, effect->shares[i].line, &cursor);
    }
    for (uint32_t i = 0; i < effect->owed_count; i++) {
        at = any_line(at, effect, effect->owed[i].line, &cursor);
    }
    at = lates(at, effect);
    *at++ = 0;
    return at;
}

uint8_t *told_put_broken(uint8_t *at, const struct effect_reserve_take *effect)
{
    at = bytes_put_int(at, effect->broken_count);
    for (uint32_t i = 0; i < effect->broken_count; i++) {
        at = bytes_put_text(at, effect->broken[i].id.at, effect->broken[i].id.len);
        at = bytes_put_int(at, effect->broken[i].units);
    }
    *at++ = 0;
    return at;
}

uint32_t told_put_short(uint8_t *out, const struct effect_short *effect)
{
    const struct effect_holder *holder = effect->holders;
    uint8_t *at = bytes_put_int(out, effect->count);
    for (uint32_t i = 0; i < effect->count; i++) {
        const struct effect_short_cell *cell = &effect->cells[i];
        at = bytes_put_int(at, cell->item);
        at = bytes_put_int(at, cell->node);
        at = bytes_put_int(at, cell->units);
        at = bytes_put_int(at, cell->holder_count);
        for (uint32_t k = 0; k < cell->holder_count; k++, holder++) {
            at = bytes_put_text(at, holder->order.at, holder->order.len);
            at = bytes_put_int(at, holder->part);
        }
    }
    *at++ = 0;
    return (uint32_t)(at - out);
}

/* -- reading -- */

struct told told_begin(const struct effect_text *bytes)
{
    const uint8_t *at = (const uint8_t *)bytes->at;
    return bytes->len > 0 ? (struct told){at, at + bytes->len - 1, false}
                          : (struct told){NULL, NULL, true};
}

bool told_is_done(const struct effect_text *bytes)
{
    return bytes->len > 0 && bytes->at[bytes->len - 1] == 1;
}

static uint64_t get(struct told *told, uint64_t max)
{
    struct bytes_source source = {told->at, told->end, told->is_bad};
    uint64_t value = told->is_bad ? 0 : bytes_get_max(&source, max);
    told->at = source.at;
    told->is_bad = source.is_bad;
    return value;
}

uint32_t told_int(struct told *told)
{
    return (uint32_t)get(told, UINT32_MAX);
}

uint16_t told_node(struct told *told)
{
    return (uint16_t)get(told, NODE_MAX - 1);
}

struct effect_text told_text(struct told *told)
{
    struct bytes_source source = {told->at, told->end, told->is_bad};
    struct effect_text text = {"", 0};
    text = told->is_bad ? text : bytes_get_text(&source, ID_MAX);
    told->at = source.at;
    told->is_bad = source.is_bad;
    return text;
}

void told_line(struct told *told, struct told_line *out)
{
    const uint64_t index = get(told, 2 * (uint64_t)EFFECT_LINES_MAX - 1);
    *out = (struct told_line){.index = (uint32_t)(index / 2), .name = {"", 0}};
    out->name = index % 2 ? told_text(told) : out->name;
    out->item = told_int(told);
}

void told_unit(struct told *told, struct told_unit *out)
{
    told_line(told, &out->line);
    out->part = (uint32_t)get(told, EFFECT_PARTS_MAX - 1);
    out->node = told_node(told);
}

void told_late(struct told *told, struct told_late *out)
{
    const uint64_t part = get(told, 2 * (uint64_t)EFFECT_PARTS_MAX - 1);
    *out = (struct told_late){.part = (uint32_t)(part / 2), .has_owed = part % 2};
    out->node = told_node(told);
    out->was_min = told_int(told);
    out->by_min = told_int(told);
}

struct told told_behind_lines(struct told told, uint32_t count)
{
    struct told_line line;
    for (uint32_t i = 0; i < count && !told.is_bad; i++) {
        told_line(&told, &line);
    }
    return told;
}

struct told told_behind_units(struct told told, uint32_t count)
{
    struct told_unit unit;
    for (uint32_t i = 0; i < count && !told.is_bad; i++) {
        told_unit(&told, &unit);
    }
    return told;
}
