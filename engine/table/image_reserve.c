/* Sections of reservations: all by coming, and those that ended by their end.
 *
 * reservations: size of the effect (4 bytes), the effect that makes it with what its pieces hold
 * now, LSN, created, state. ends: count, [LSN of the reservation, when], oldest end first. */
#include <string.h>

#include "check.h"
#include "image_internal.h"

enum { TAIL_SIZE_MAX = 10 + 10 + 1, ENDS_OF_RECORD = 10000, END_SIZE_MAX = 20, HEAD_MAX = 5 };

static void lists_of(const struct tables *tables, const struct reservation *own,
                     struct effect_scratch *scratch)
{
    const struct reservation_line *lines = reservation_lines(&tables->reserves, own);
    const struct reservation_piece *pieces = reservation_pieces(&tables->reserves, own);
    for (uint32_t i = 0; i < own->line_count; i++) {
        scratch->lines[i] = (struct effect_line){
            .item = lines[i].item,
            .qty = lines[i].qty,
            .line = {(const char *)lines + lines[i].text, lines[i].text_len},
            .node = lines[i].node};
    }
    for (uint32_t i = 0; i < own->piece_count; i++) {
        scratch->pieces[i] = (struct effect_piece){pieces[i].line, pieces[i].node, pieces[i].held};
    }
}

static void save_one(const struct tables *tables, const struct reservation *own,
                     struct image_sink *sink)
{
    struct effect_scratch *scratch = tables->scratch;
    struct effect_reserve effect = {
        .id = {reservation_id(own), own->id_len},
        .is_new = true,
        .has_lines = true,
        .has_dest = own->has_dest,
        .is_po_box = own->is_po_box,
        .allow_partial = own->allow_partial,
        .content = own->content,
        .expires_ms = own->expires_ms,
        .service = own->service,
        .pickup_node = own->pickup_node,
        .required_by_ms = own->required_by_ms,
        .channel = own->channel,
        .lat = own->lat,
        .lon = own->lon,
        .postcode = {own->postcode, (uint32_t)strlen(own->postcode)},
        .line_count = own->line_count,
        .piece_count = own->piece_count,
        .lines = scratch->lines,
        .pieces = scratch->pieces,
    };
    memcpy(effect.country, own->country, sizeof effect.country);
    lists_of(tables, own, scratch);
    uint32_t head = sizeof(uint32_t);
    uint8_t *record = image_begin(sink, effect_reserve_size(&effect) + TAIL_SIZE_MAX + head);
    uint32_t size = effect_reserve_encode(record + head, &effect);
    memcpy(record, &size, head);
    uint8_t *at = bytes_put_int(record + head + size, own->lsn);
    at = bytes_put_int(at, own->created_ms);
    *at++ = own->state;
    image_end(sink, at);
}

void save_reservations(const struct tables *tables, struct image_sink *sink)
{
    for (slab_ref ref = tables->reserves.oldest; ref;) {
        const struct reservation *own = reservation_at(&tables->reserves, ref);
        save_one(tables, own, sink);
        ref = own->newer;
    }
}

static void enter(struct tables *tables, struct image_source *source,
                  const struct effect_reserve *effect, struct bytes_source *fields)
{
    uint64_t lsn = bytes_get_int(fields);
    uint64_t created_ms = bytes_get_int(fields);
    uint8_t state = (uint8_t)bytes_get_max(fields, RESERVATION_STATE_COUNT - 1);
    const struct image_orders *before = &source->reservations;
    bool is_rising = lsn > (before->count ? before->lsns[before->count - 1] : 0);
    if (!image_fields_end(source, fields, "a reservation")) {
        return;
    }
    if (!is_rising || !effect->is_new) {
        image_bad(source, ERR_DAMAGED, "reservations do not come in the order of their LSNs");
    } else if (!reserves_have_room(&tables->reserves, 1, effect->piece_count)) {
        image_bad(source, ERR_FULL, "reservations_max is lower than when this was written");
    } else {
        slab_ref ref = reserve_enter(tables, effect, lsn, created_ms);
        struct reservation *own = reservation_at(&tables->reserves, ref);
        own->state = state;
        reservation_digest(&tables->reserves, own, &tables->digest, true);
        image_name_note(source, &source->reservations, lsn, ref);
    }
}

void load_reservations(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        uint32_t size = 0;
        struct effect_reserve effect;
        bytes_get_bytes(&fields, &size, sizeof size);
        if (fields.is_bad || size > (size_t)(fields.end - fields.at) ||
            !reserve_read(tables, fields.at, size, &effect)) {
            image_bad(source, ERR_DAMAGED, "reservation number %llu is not one",
                      (unsigned long long)source->reservations.count + 1);
            return;
        }
        fields.at += size;
        enter(tables, source, &effect, &fields);
    }
}

/* -- holds of pieces -- */

uint32_t *hold_of_piece(struct tables *tables, const struct image_source *source,
                        struct bytes_source *fields, struct hold *hold)
{
    hold->order = image_named(&source->reservations, bytes_get_int(fields));
    uint32_t index = (uint32_t)bytes_get_max(fields, HOLD_SHARE_MAX);
    hold->share = index & 0x3fffu;
    if (!hold->order) {
        return NULL;
    }
    const struct reservation *own = reservation_at(&tables->reserves, hold->order);
    if (index >= own->piece_count) {
        return NULL;
    }
    struct reservation_piece *piece = &reservation_pieces(&tables->reserves, own)[index];
    bool is_right = piece->held > 0 && piece->node == hold->node &&
                    reservation_lines(&tables->reserves, own)[piece->line].item == hold->item;
    return is_right ? &piece->hold : NULL;
}

/* -- ends -- */

void save_reserve_ends(const struct tables *tables, struct image_sink *sink)
{
    uint32_t left = tables->reserves.ended_count;
    slab_ref ref = tables->reserves.ended_oldest;
    while (left) {
        uint32_t count = left < ENDS_OF_RECORD ? left : ENDS_OF_RECORD;
        uint8_t *at = image_begin(sink, HEAD_MAX + count * END_SIZE_MAX);
        at = bytes_put_int(at, count);
        for (uint32_t i = 0; i < count; i++) {
            const struct reservation *own = reservation_at(&tables->reserves, ref);
            at = bytes_put_int(at, own->lsn);
            at = bytes_put_int(at, own->ended_ms);
            ref = own->next_ended;
        }
        image_end(sink, at);
        left -= count;
    }
}

static void load_end(struct tables *tables, struct image_source *source,
                     struct bytes_source *fields)
{
    slab_ref ref = image_named(&source->reservations, bytes_get_int(fields));
    uint64_t ended_ms = bytes_get_int(fields);
    const struct reservation *own = ref ? reservation_at(&tables->reserves, ref) : NULL;
    if (fields->is_bad || !own || own->ended_ms || ended_ms == 0) {
        image_bad(source, ERR_DAMAGED, "the list of ended reservations is not right");
        return;
    }
    reserves_end(&tables->reserves, ref, ended_ms);
}

void load_reserve_ends(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        uint32_t count = (uint32_t)bytes_get_max(&fields, ENDS_OF_RECORD);
        for (uint32_t i = 0; i < count && source->err == ERR_OK; i++) {
            load_end(tables, source, &fields);
        }
        (void)image_fields_end(source, &fields, "ended reservations");
    }
}
