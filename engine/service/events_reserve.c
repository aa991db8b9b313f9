/* Events of reservations. Which of them a broken promise hit is not in the record: the newest on
 * the cell, in the order in which reserve.held told of them. */
#include "decimal.h"
#include "effect_reserve.h"
#include "events_internal.h"

static void put_pieces(struct events *events, const struct effect_reserve *effect)
{
    struct writer *writer = &events->writer;
    event_name(events, "lines");
    writer_array(writer, effect->piece_count);
    for (uint32_t i = 0; i < effect->piece_count; i++) {
        const struct effect_piece *piece = &effect->pieces[i];
        const struct effect_line *line = &effect->lines[piece->line];
        char text[16];
        writer_map(writer, 5);
        writer_str(writer, "line");
        if (line->line.len) {
            writer_text(writer, line->line.at, line->line.len);
        } else {
            writer_text(writer, text, decimal_put(text, piece->line + 1));
        }
        entry_item(events, "item", line->item);
        put_int(writer, "qty", line->qty);
        entry_node(events, "node", piece->node);
        put_int(writer, "held", piece->qty);
    }
}

static bool is_sound(const struct events *events, const struct effect_reserve *effect)
{
    bool is_good = true;
    for (uint32_t i = 0; i < effect->piece_count; i++) {
        const struct effect_piece *piece = &effect->pieces[i];
        is_good = is_good && piece->line < effect->line_count &&
                  events_has_cell(events, effect->lines[piece->line].item, piece->node);
    }
    return is_good;
}

enum err events_reserve(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_reserve effect;
    const enum err err =
        effect_reserve_decode(bytes, size, events->service->tables.scratch, &effect);
    if (err != ERR_OK || !is_sound(events, &effect)) {
        return ERR_DAMAGED;
    }
    if (event_begin(events, EVENT_RESERVE_HELD)) {
        event_text(events, "reservation_id", &effect.id);
        event_bool(events, "new", effect.is_new);
        event_int(events, "expires_at", (int64_t)effect.expires_ms);
        if (effect.has_lines) {
            put_pieces(events, &effect);
        }
        event_end(events);
    }
    return ERR_OK;
}

enum err events_reserve_end(struct events *events, const uint8_t *bytes, uint32_t size)
{
    static const enum event types[] = {[RESERVATION_HELD] = EVENT_RESERVE_HELD,
                                       [RESERVATION_COMMITTED] = EVENT_RESERVE_COMMITTED,
                                       [RESERVATION_RELEASED] = EVENT_RESERVE_RELEASED,
                                       [RESERVATION_EXPIRED] = EVENT_RESERVE_EXPIRED,
                                       [RESERVATION_BROKEN] = EVENT_RESERVE_BROKEN};
    struct effect_reserve_end effect;
    const enum err err = effect_reserve_end_decode(bytes, size, &effect);
    if (err != ERR_OK || effect.state >= RESERVATION_STATE_COUNT) {
        return ERR_DAMAGED;
    }
    if (event_begin(events, types[effect.state])) {
        event_text(events, "reservation_id", &effect.id);
        events->is_match = true; /* whatever its nodes */
        event_end(events);
    }
    return ERR_OK;
}

enum err events_reserve_take(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_reserve_take effect;
    const enum err err = effect_reserve_take_decode(bytes, size, &effect);
    if (err != ERR_OK || !events_has_cell(events, effect.item, effect.node)) {
        return ERR_DAMAGED;
    }
    if (event_begin(events, effect.id.len ? EVENT_RESERVE_TAKEN : EVENT_RESERVE_BROKEN)) {
        if (effect.id.len) {
            event_text(events, "reservation_id", &effect.id);
        }
        event_item(events, "item", effect.item);
        event_node(events, "node", effect.node);
        event_int(events, "qty", effect.units);
        event_end(events);
    }
    return ERR_OK;
}
