/* Effects on reservations, live and in replay. */
#include <string.h>

#include "apply_internal.h"
#include "check.h"
#include "effect_reserve.h"

static slab_ref find(const struct tables *tables, const struct effect_text *id)
{
    uint64_t hash = reserves_hash(&tables->reserves, id->at, id->len);
    return reserves_find(&tables->reserves, hash, id->at, id->len);
}

static void digest(struct tables *tables, slab_ref ref, bool is_add)
{
    reservation_digest(&tables->reserves, reservation_at(&tables->reserves, ref), &tables->digest,
                       is_add);
}

/* -- pieces -- */

static struct reservation_piece *piece_at(struct tables *tables, struct piece_name name)
{
    const struct reservation *own = reservation_at(&tables->reserves, name.ref);
    return &reservation_pieces(&tables->reserves, own)[name.piece];
}

static uint32_t piece_item(struct tables *tables, struct piece_name name)
{
    const struct reservation *own = reservation_at(&tables->reserves, name.ref);
    return reservation_lines(&tables->reserves, own)[piece_at(tables, name)->line].item;
}

/* Units that it takes or gives back count against its channel's quota. */
static void piece_quota_move(struct tables *tables, struct piece_name name, int64_t units)
{
    const struct reservation *own = reservation_at(&tables->reserves, name.ref);
    if (own->channel && tables->policies.quotas.count > 0) {
        quota_move(tables, piece_item(tables, name), piece_at(tables, name)->node, own->channel,
                   own->lsn, units);
    }
}

/* Units of a piece are free, or gone; with the last of them its hold goes. */
static void piece_give(struct tables *tables, struct piece_name name, uint32_t units)
{
    struct reservation_piece *piece = piece_at(tables, name);
    CHECK(units <= piece->held);
    cell_move(tables, piece_item(tables, name), piece->node, -(int64_t)units, 0, 0);
    reserves_piece_less(&tables->reserves, name, units);
    piece->held -= units;
    if (piece->held == 0) {
        holds_remove(&tables->holds, piece->hold);
        piece->hold = HOLD_NONE;
        reserves_piece_leave(&tables->reserves, name);
    }
}

static void pieces_give(struct tables *tables, slab_ref ref)
{
    const struct reservation *own = reservation_at(&tables->reserves, ref);
    for (uint32_t i = 0; i < own->piece_count; i++) {
        const struct piece_name name = {ref, i};
        if (piece_at(tables, name)->held > 0) {
            piece_quota_move(tables, name, -(int64_t)piece_at(tables, name)->held);
            piece_give(tables, name, piece_at(tables, name)->held);
        }
    }
}

static void piece_hold(struct tables *tables, struct piece_name name)
{
    struct reservation_piece *piece = piece_at(tables, name);
    piece->hold = holds_add_other(&tables->holds, piece_item(tables, name), piece->node,
                                  HOLD_RESERVATION, name.ref, (uint16_t)name.piece);
    reserves_piece_enter(&tables->reserves, name);
}

/* -- made, changed -- */

static void lines_fill(struct tables *tables, slab_ref ref, const struct effect_reserve *effect)
{
    struct reservation *own = reservation_at(&tables->reserves, ref);
    uint32_t texts = 0;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        texts += effect->lines[i].line.len;
    }
    reserves_body_new(&tables->reserves, own, effect->line_count, effect->piece_count, texts);
    struct reservation_line *lines = reservation_lines(&tables->reserves, own);
    uint32_t at = own->body_size - texts;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_line *from = &effect->lines[i];
        lines[i] = (struct reservation_line){from->item, from->qty, at, from->node,
                                             (uint8_t)from->line.len};
        if (from->line.len) {
            memcpy((char *)lines + at, from->line.at, from->line.len);
        }
        at += from->line.len;
    }
    for (uint32_t i = 0; i < effect->piece_count; i++) {
        const struct effect_piece *from = &effect->pieces[i];
        *piece_at(tables, (struct piece_name){ref, i}) = (struct reservation_piece){
            .held = from->qty, .line = (uint16_t)from->line, .node = from->node};
    }
}

slab_ref reserve_enter(struct tables *tables, const struct effect_reserve *effect, uint64_t lsn,
                       uint64_t now_ms)
{
    uint64_t hash = reserves_hash(&tables->reserves, effect->id.at, effect->id.len);
    slab_ref ref = reserves_add(&tables->reserves, hash, effect->id.at, effect->id.len);
    struct reservation *own = reservation_at(&tables->reserves, ref);
    own->content = effect->content;
    own->lsn = lsn;
    own->created_ms = now_ms;
    own->expires_ms = effect->expires_ms;
    own->service = effect->service;
    own->pickup_node = effect->pickup_node;
    own->required_by_ms = effect->required_by_ms;
    own->channel = effect->channel;
    own->has_dest = effect->has_dest;
    own->is_po_box = effect->is_po_box;
    own->allow_partial = effect->allow_partial;
    own->lat = effect->lat;
    own->lon = effect->lon;
    memcpy(own->country, effect->country, sizeof own->country);
    if (effect->postcode.len) {
        memcpy(own->postcode, effect->postcode.at, effect->postcode.len);
    }
    lines_fill(tables, ref, effect);
    return ref;
}

static void pieces_hold(struct tables *tables, slab_ref ref)
{
    const struct reservation *own = reservation_at(&tables->reserves, ref);
    for (uint32_t i = 0; i < own->piece_count; i++) {
        const struct piece_name name = {ref, i};
        const struct reservation_piece *piece = piece_at(tables, name);
        cell_move(tables, piece_item(tables, name), piece->node, piece->held, 0, 0);
        piece_quota_move(tables, name, piece->held);
        piece_hold(tables, name);
    }
}

enum err tables_apply_reserve(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                              const struct effect_reserve *effect)
{
    applied(tables, lsn, now_ms);
    slab_ref ref = find(tables, &effect->id);
    bool is_live = ref && reservation_is_live(reservation_at(&tables->reserves, ref));
    if (effect->is_new ? ref != 0 : !is_live) {
        return ERR_DAMAGED;
    }
    if (effect->is_new) {
        ref = reserve_enter(tables, effect, lsn, now_ms);
        pieces_hold(tables, ref);
    } else {
        digest(tables, ref, false);
    }
    struct reservation *own = reservation_at(&tables->reserves, ref);
    if (!effect->is_new && effect->has_lines) {
        pieces_give(tables, ref);
        lines_fill(tables, ref, effect);
        pieces_hold(tables, ref);
        own->state = RESERVATION_HELD;
    }
    own->expires_ms = effect->expires_ms;
    reservation_timer(tables, ref);
    digest(tables, ref, true);
    key_remember(tables, lsn, now_ms, &effect->key);
    return ERR_OK;
}

/* -- ended -- */

enum err tables_apply_reserve_end(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                  const struct effect_reserve_end *effect)
{
    applied(tables, lsn, now_ms);
    slab_ref ref = find(tables, &effect->id);
    bool is_end = effect->state == RESERVATION_COMMITTED ||
                  effect->state == RESERVATION_RELEASED || effect->state == RESERVATION_EXPIRED;
    if (!ref || !is_end || !reservation_is_live(reservation_at(&tables->reserves, ref))) {
        return ERR_DAMAGED;
    }
    digest(tables, ref, false);
    pieces_give(tables, ref);
    reservation_at(&tables->reserves, ref)->state = effect->state;
    reserves_end(&tables->reserves, ref, now_ms);
    reservation_timer(tables, ref);
    digest(tables, ref, true);
    key_remember(tables, lsn, now_ms, &effect->key);
    return ERR_OK;
}

enum err tables_apply_reserve_drop(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                   uint64_t count)
{
    applied(tables, lsn, now_ms);
    if (count > tables->reserves.ended_count) {
        return ERR_DAMAGED;
    }
    for (uint64_t i = 0; i < count; i++) {
        digest(tables, tables->reserves.ended_oldest, false);
        reserves_drop_oldest_ended(&tables->reserves);
    }
    return ERR_OK;
}

/* -- broken, or gone out of the building -- */

/* is_back: they are free again, else they left the building. */
static uint32_t piece_take(struct tables *tables, struct piece_name name, uint32_t units,
                           bool is_back)
{
    uint32_t held = piece_at(tables, name)->held;
    uint32_t given = units < held ? units : held;
    if (given > 0) {
        digest(tables, name.ref, false);
        if (is_back) {
            piece_quota_move(tables, name, -(int64_t)given);
        }
        piece_give(tables, name, given);
        digest(tables, name.ref, true);
    }
    return given;
}

static void newest_break(struct tables *tables, const struct effect_reserve_take *effect)
{
    uint32_t left = effect->units;
    for (int i = 0; i < EFFECT_BREAK_PIECES && left > 0; i++) {
        struct piece_name newest = reserves_newest(&tables->reserves, effect->item, effect->node);
        if (!newest.ref) {
            return;
        }
        struct reservation *own = reservation_at(&tables->reserves, newest.ref);
        if (own->state != RESERVATION_BROKEN) {
            digest(tables, newest.ref, false);
            own->state = RESERVATION_BROKEN;
            digest(tables, newest.ref, true);
        }
        left -= piece_take(tables, newest, left, true);
    }
}

static void own_take(struct tables *tables, slab_ref ref, const struct effect_reserve_take *effect)
{
    const struct reservation *own = reservation_at(&tables->reserves, ref);
    uint32_t left = effect->units;
    for (uint32_t i = 0; i < own->piece_count && left > 0; i++) {
        const struct piece_name name = {ref, i};
        bool is_here = piece_at(tables, name)->node == effect->node &&
                       piece_item(tables, name) == effect->item;
        left -= is_here ? piece_take(tables, name, left, false) : 0;
    }
}

enum err tables_apply_reserve_take(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                   const struct effect_reserve_take *effect)
{
    applied(tables, lsn, now_ms);
    if (effect->id.len == 0) {
        newest_break(tables, effect);
        return ERR_OK;
    }
    slab_ref ref = find(tables, &effect->id);
    if (!ref) {
        return ERR_DAMAGED;
    }
    own_take(tables, ref, effect);
    return ERR_OK;
}

/* -- while an order is decided -- */

void tables_reserve_lend(struct tables *tables, slab_ref ref, bool is_lent)
{
    const struct reservation *own = reservation_at(&tables->reserves, ref);
    for (uint32_t i = 0; i < own->piece_count; i++) {
        const struct reservation_piece *piece = piece_at(tables, (struct piece_name){ref, i});
        if (piece->held == 0) {
            continue;
        }
        uint32_t item = reservation_lines(&tables->reserves, own)[piece->line].item;
        struct cell cell = tables_cell(tables, item, piece->node);
        cell_word word = tables_word(&cell);
        int32_t held = is_lent ? -(int32_t)piece->held : (int32_t)piece->held;
        if (is_lent) {
            row_change_begin(cell.row);
        }
        row_word_set(cell.row, cell.slot, (uint32_t)cell.index,
                     cell_make(cell_on_hand(word), cell_reserved(word) + held,
                               cell_has_override(word)));
        policies_lend(&tables->policies, item, piece->node, -(int64_t)held);
        if (!is_lent) {
            row_change_end(cell.row);
        }
    }
}

/* -- cells that fell short -- */

bool tables_is_short(const struct tables *tables, uint32_t item, uint16_t node)
{
    if (!reserves_newest(&tables->reserves, item, node).ref) {
        return false;
    }
    struct cell cell = tables_cell(tables, item, node);
    return stock_ats(&tables->view, item, node, tables_word(&cell)) < 0;
}

int64_t tables_orders_short(const struct tables *tables, uint32_t item, uint16_t node)
{
    const struct cell cell = tables_cell(tables, item, node);
    if (cell.index < 0) {
        return 0;
    }
    const cell_word word = tables_word(&cell);
    const int64_t carts = reserves_units(&tables->reserves, item, node);
    const int64_t ats = stock_ats(&tables->view, item, node, word) + carts;
    return ats < 0 && cell_reserved(word) > carts ? -ats : 0;
}

void reserve_short_note(struct tables *tables, uint32_t item, uint16_t node)
{
    if (tables->reserves.pieces > 0 && tables_is_short(tables, item, node)) {
        reserves_todo(&tables->reserves, item, node);
    }
}

bool tables_reserve_sweep(struct tables *tables, uint32_t pieces)
{
    struct reserves *reserves = &tables->reserves;
    while (reserves->sweep && pieces > 0 && reserves->todo_count < RESERVE_TODO_MAX / 2) {
        const struct reservation *own = reservation_at(reserves, reserves->sweep);
        for (uint32_t i = 0; i < own->piece_count; i++) {
            const struct piece_name name = {reserves->sweep, i};
            const struct reservation_piece *piece = piece_at(tables, name);
            if (piece->held > 0 &&
                tables_is_short(tables, piece_item(tables, name), piece->node)) {
                reserves_todo(reserves, piece_item(tables, name), piece->node);
            }
        }
        uint32_t work = own->piece_count + 1u;
        pieces -= work < pieces ? work : pieces;
        reserves->sweep = own->newer;
    }
    return reserves->sweep != 0;
}

/* -- replay -- */

static bool is_sound(const struct tables *tables, const struct effect_reserve *effect)
{
    bool is_good = true;
    for (uint32_t i = 0; i < effect->line_count && is_good; i++) {
        is_good = effect->lines[i].item < tables->catalogue.count;
    }
    for (uint32_t i = 0; i < effect->piece_count && is_good; i++) {
        const struct effect_piece *piece = &effect->pieces[i];
        is_good = piece->node < tables->network.count &&
                  tables_cell(tables, effect->lines[piece->line].item, piece->node).index >= 0;
    }
    bool is_placed = effect->postcode.len <= POSTCODE_MAX &&
                     (!effect->is_new || effect->pickup_node == NODE_NONE ||
                      effect->pickup_node < tables->network.count);
    return is_good && is_placed;
}

bool reserve_read(const struct tables *tables, const uint8_t *bytes, uint32_t size,
                  struct effect_reserve *out)
{
    return effect_reserve_decode(bytes, size, tables->scratch, out) == ERR_OK &&
           is_sound(tables, out);
}

enum err replay_reserve(struct tables *tables, uint64_t lsn, uint64_t now_ms, const uint8_t *bytes,
                        uint32_t size)
{
    struct effect_reserve effect;
    if (!reserve_read(tables, bytes, size, &effect)) {
        return ERR_DAMAGED;
    }
    for (uint32_t i = 0; i < effect.piece_count; i++) {
        if (effect.pieces[i].qty == 0) {
            return ERR_DAMAGED;
        }
    }
    if (!holds_have_room(&tables->holds, effect.piece_count) ||
        !reserves_have_room(&tables->reserves, effect.is_new, effect.piece_count)) {
        return ERR_FULL;
    }
    return tables_apply_reserve(tables, lsn, now_ms, &effect);
}

enum err replay_reserve_end(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const uint8_t *bytes, uint32_t size)
{
    struct effect_reserve_end effect;
    enum err err = effect_reserve_end_decode(bytes, size, &effect);
    return err == ERR_OK ? tables_apply_reserve_end(tables, lsn, now_ms, &effect) : err;
}

enum err replay_reserve_take(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const uint8_t *bytes, uint32_t size)
{
    struct effect_reserve_take effect;
    enum err err = effect_reserve_take_decode(bytes, size, &effect);
    return err == ERR_OK ? tables_apply_reserve_take(tables, lsn, now_ms, &effect) : err;
}

enum err replay_reserve_drop(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const uint8_t *bytes, uint32_t size)
{
    uint64_t count;
    enum err err = effect_reserve_drop_decode(bytes, size, &count);
    return err == ERR_OK ? tables_apply_reserve_drop(tables, lsn, now_ms, count) : err;
}
