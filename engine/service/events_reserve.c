/* Events of reservations. Which of them a broken promise hit is told by the record for this alone
 * (told.h); older records do not say: the newest on the cell, as reserve.held told of them. */
#include "decimal.h"
#include "effect_reserve.h"
#include "events_internal.h"
#include "told.h"

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

static void taken(struct events *events, enum event type, const struct effect_reserve_take *effect,
                  const struct effect_text *id, uint32_t units)
{
    if (event_begin(events, type)) {
        if (id->len) {
            event_text(events, "reservation_id", id);
        }
        event_item(events, "item", effect->item);
        event_node(events, "node", effect->node);
        event_int(events, "qty", units);
        event_end(events);
    }
}

/* An event for each reservation that gave something up, newest first. */
static enum err broken(struct events *events, const struct effect_reserve_take *effect)
{
    struct told told = told_begin(&effect->told);
    const uint32_t count = told_int(&told);
    for (uint32_t i = 0; i < count && !told.is_bad; i++) {
        const struct effect_text id = told_text(&told);
        const uint32_t units = told_int(&told);
        if (!told.is_bad) {
            taken(events, EVENT_RESERVE_BROKEN, effect, &id, units);
        }
    }
    return told.is_bad || told.at != told.end ? ERR_DAMAGED : ERR_OK;
}

enum err events_reserve_take(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_reserve_take effect;
    const enum err err = effect_reserve_take_decode(bytes, size, &effect);
    if (err != ERR_OK || !events_has_cell(events, effect.item, effect.node)) {
        return ERR_DAMAGED;
    }
    if (effect.told.len > 0) {
        return broken(events, &effect);
    }
    taken(events, effect.id.len ? EVENT_RESERVE_TAKEN : EVENT_RESERVE_BROKEN, &effect, &effect.id,
          effect.units);
    return ERR_OK;
}
