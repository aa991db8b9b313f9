/* Effects on documents: the document replaced as a whole, what its totals grew by booked. */
#include <string.h>

#include "apply_internal.h"
#include "check.h"

size_t tables_document_size(const struct effect_document *effect)
{
    uint32_t texts = effect->id.len + effect->order_id.len + effect->note.len;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        texts += effect->lines[i].reason.len;
    }
    return document_size(effect->line_count, texts);
}

static uint32_t holds_made(struct document *before, const struct effect_document *effect)
{
    uint32_t made = 0;
    if (effect->kind != DOCUMENT_TRANSFER || effect->is_cancelled) {
        return 0;
    }
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_document_line *line = &effect->lines[i];
        const bool is_held = before && i < before->line_count &&
                             document_lines(before)[i].hold != HOLD_NONE;
        made += !is_held && line->qty > line->counts[TRANSFER_SHIPPED];
    }
    return made;
}

bool tables_document_fits(const struct tables *tables, const struct effect_document *effect)
{
    const struct documents *documents = &tables->documents;
    enum document_kind kind = (enum document_kind)effect->kind;
    uint64_t hash = documents_hash(documents, kind, effect->id.at, effect->id.len);
    slab_ref ref = documents_find(documents, hash, kind, effect->id.at, effect->id.len);
    struct document *before = ref ? document_at(documents, ref) : NULL;
    return documents_have_room(documents, tables_document_size(effect), !before) &&
           holds_have_room(&tables->holds, holds_made(before, effect));
}

/* -- the block -- */

static char *text_put(char *at, const struct effect_text *text)
{
    if (text->len > 0) {
        memcpy(at, text->at, text->len);
    }
    return at + text->len;
}

static void head_fill(struct document *document, const struct effect_document *effect)
{
    document->content = effect->content;
    document->eta_ms = effect->eta_ms;
    document->node = effect->node;
    document->to = effect->to;
    document->line_count = (uint16_t)effect->line_count;
    document->id_len = (uint8_t)effect->id.len;
    document->order_len = (uint8_t)effect->order_id.len;
    document->note_len = (uint8_t)effect->note.len;
    document->is_cancelled = effect->is_cancelled;
    document->is_unverified = effect->is_unverified;
}

static void block_fill(struct document *document, const struct effect_document *effect)
{
    head_fill(document, effect);
    char *at = document_texts(document);
    at = text_put(at, &effect->id);
    at = text_put(at, &effect->order_id);
    at = text_put(at, &effect->note);
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_document_line *from = &effect->lines[i];
        struct document_line *line = &document_lines(document)[i];
        *line = (struct document_line){.item = from->item,
                                       .qty = from->qty,
                                       .order_line = from->order_line,
                                       .reason_len = (uint8_t)from->reason.len};
        memcpy(line->counts, from->counts, sizeof line->counts);
        at = text_put(at, &from->reason);
    }
}

/* -- what is on its way -- */

static void incoming_leave(struct tables *tables, struct document *document)
{
    for (uint32_t i = 0; i < document->line_count; i++) {
        struct document_line *line = &document_lines(document)[i];
        if (line->incoming) {
            incoming_remove(&tables->incoming, line->incoming);
            line->incoming = 0;
        }
    }
}

static enum err incoming_enter(struct tables *tables, slab_ref ref)
{
    struct document *document = document_at(&tables->documents, ref);
    bool is_supply = document->kind == DOCUMENT_SUPPLY;
    if (document->kind == DOCUMENT_RETURN) {
        return ERR_OK;
    }
    for (uint32_t i = 0; i < document->line_count; i++) {
        struct document_line *line = &document_lines(document)[i];
        struct incoming_entry entry = {.eta_ms = document->eta_ms,
                                       .item = line->item,
                                       .document = ref,
                                       .line = i,
                                       .node = is_supply ? document->node : document->to};
        if (document_outstanding(document, line) == 0) {
            continue;
        }
        enum err err = incoming_add(&tables->incoming, &entry, &line->incoming);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

enum { EXPECTED_MAX = 200 }; /* documents looked at */

uint64_t tables_expected(const struct tables *tables, uint32_t item, uint16_t node, uint64_t qty)
{
    uint64_t sum = 0;
    uint32_t at = 0;
    uint32_t steps = 0;
    while (steps++ < EXPECTED_MAX &&
           (at = incoming_next(&tables->incoming, item, at)) != 0) {
        const struct incoming_entry *entry = &tables->incoming.entries[at];
        struct document *document = document_at(&tables->documents, entry->document);
        if (entry->eta_ms == 0 || (node != NODE_NONE && entry->node != node)) {
            continue;
        }
        sum += document_outstanding(document, &document_lines(document)[entry->line]);
        if (sum >= qty) {
            return entry->eta_ms;
        }
    }
    return 0;
}

/* -- stock -- */

/* What a change of a line does to cells. */
struct booking {
    uint32_t out, in; /* units that left node, and that came to at_node */
    int64_t held;     /* change of what is held at node */
};

static struct booking booking_of(struct document *before, uint32_t index,
                                 const struct effect_document *effect)
{
    static const struct document_line none;
    bool is_old = before && index < before->line_count;
    const struct document_line *was = is_old ? &document_lines(before)[index] : &none;
    const struct effect_document_line *is = &effect->lines[index];
    struct booking booking = {0, 0, 0};
    if (effect->kind == DOCUMENT_TRANSFER && !effect->is_cancelled) {
        booking.held = is->qty - is->counts[TRANSFER_SHIPPED];
    }
    booking.held -= is_old ? document_held(before, was) : 0;
    if (effect->kind == DOCUMENT_TRANSFER) {
        booking.out = is->counts[TRANSFER_SHIPPED] - was->counts[TRANSFER_SHIPPED];
        booking.in = is->counts[TRANSFER_RECEIVED] - was->counts[TRANSFER_RECEIVED];
    } else { /* RETURN_SELLABLE and SUPPLY_RECEIVED are the same count */
        booking.in = is->counts[0] - was->counts[0];
    }
    return booking;
}

static enum err units_in(struct tables *tables, uint32_t item, uint16_t node, uint32_t units,
                         uint64_t at_ms)
{
    struct cell cell;
    enum err err = cell_need(tables, item, node, &cell);
    if (err == ERR_OK) {
        cell_move(tables, item, node, 0, units, at_ms);
    }
    return err;
}

static enum err line_book(struct tables *tables, const struct effect_document *effect,
                          uint32_t item, const struct booking *booking)
{
    if (booking->out || booking->held) {
        struct cell cell;
        enum err err = cell_need(tables, item, effect->node, &cell);
        if (err != ERR_OK) {
            return err;
        }
        cell_move(tables, item, effect->node, booking->held, -(int64_t)booking->out, effect->at_ms);
    }
    return booking->in ? units_in(tables, item, effect->at_node, booking->in, effect->at_ms)
                       : ERR_OK;
}

static enum err lines_book(struct tables *tables, struct document *before,
                           const struct effect_document *effect)
{
    for (uint32_t i = 0; i < effect->line_count; i++) {
        struct booking booking = booking_of(before, i, effect);
        enum err err = line_book(tables, effect, effect->lines[i].item, &booking);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

/* -- soundness of a record -- */

static bool line_is_sound(const struct effect_document *effect,
                          const struct effect_document_line *line)
{
    bool is_transfer = effect->kind == DOCUMENT_TRANSFER;
    return !is_transfer || (line->counts[TRANSFER_SHIPPED] <= line->qty &&
                            line->counts[TRANSFER_RECEIVED] <= line->counts[TRANSFER_SHIPPED]);
}

static bool line_goes_on(const struct document_line *was, const struct effect_document_line *is)
{
    bool is_same = was->item == is->item && was->order_line == is->order_line;
    for (int k = 0; k < DOCUMENT_COUNTS; k++) {
        is_same = is_same && is->counts[k] >= was->counts[k];
    }
    return is_same;
}

static bool has_nodes(const struct effect_document *effect)
{
    bool needs_node = effect->kind != DOCUMENT_RETURN;
    bool needs_to = effect->kind == DOCUMENT_TRANSFER;
    return (!needs_node || effect->node != NODE_NONE) && (!needs_to || effect->to != NODE_NONE);
}

/* Totals only grow, lines stay, and where units came to is told. */
static bool is_sound(struct document *before, const struct effect_document *effect)
{
    bool is_sound = has_nodes(effect) && (!before || before->line_count <= effect->line_count);
    for (uint32_t i = 0; i < effect->line_count && is_sound; i++) {
        is_sound = line_is_sound(effect, &effect->lines[i]);
        if (is_sound && before && i < before->line_count) {
            is_sound = line_goes_on(&document_lines(before)[i], &effect->lines[i]);
        }
        is_sound =
            is_sound && (booking_of(before, i, effect).in == 0 || effect->at_node != NODE_NONE);
    }
    return is_sound;
}

/* -- holds of transfers -- */

static void holds_take_over(struct tables *tables, struct document *before, slab_ref ref)
{
    struct document *after = document_at(&tables->documents, ref);
    for (uint32_t i = 0; i < before->line_count; i++) {
        uint32_t hold = document_lines(before)[i].hold;
        document_lines(after)[i].hold = hold;
        if (hold != HOLD_NONE) {
            holds_owner_set(&tables->holds, hold, ref);
        }
    }
}

/* A hold where units are held, none where they are not any more. */
static void holds_settle(struct tables *tables, slab_ref ref)
{
    struct document *document = document_at(&tables->documents, ref);
    for (uint32_t i = 0; i < document->line_count; i++) {
        struct document_line *line = &document_lines(document)[i];
        bool is_held = document_held(document, line) > 0;
        if (is_held && line->hold == HOLD_NONE) {
            line->hold = holds_add_other(&tables->holds, line->item, document->node, HOLD_DOCUMENT,
                                         ref, (uint16_t)i);
        } else if (!is_held && line->hold != HOLD_NONE) {
            holds_remove(&tables->holds, line->hold);
            line->hold = HOLD_NONE;
        }
    }
}

/* -- the effect -- */

/* A block for the document as it will be, entered in place of the one before, which goes last:
 * the effect's texts may stand in it. */
static slab_ref block_replace(struct tables *tables, slab_ref before, uint64_t hash,
                              const struct effect_document *effect)
{
    uint64_t lsn = tables->lsn;
    uint64_t created_ms = tables->time_ms;
    slab_ref ref = documents_add(&tables->documents, hash, (enum document_kind)effect->kind,
                                 effect->order_lsn, tables_document_size(effect));
    if (!ref) {
        return 0;
    }
    if (before) {
        struct document *old = document_at(&tables->documents, before);
        lsn = old->lsn;
        created_ms = old->created_ms;
        document_digest(old, &tables->digest, false);
        incoming_leave(tables, old);
    }
    struct document *document = document_at(&tables->documents, ref);
    block_fill(document, effect);
    document->lsn = lsn;
    document->created_ms = created_ms;
    if (before) {
        holds_take_over(tables, document_at(&tables->documents, before), ref);
        documents_remove(&tables->documents, before);
    }
    return ref;
}

static bool is_done(struct document *document)
{
    uint64_t outstanding = 0;
    for (uint32_t i = 0; i < document->line_count; i++) {
        outstanding += document_outstanding(document, &document_lines(document)[i]);
    }
    return outstanding == 0;
}

enum err tables_apply_document(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                               const struct effect_document *effect)
{
    struct documents *documents = &tables->documents;
    enum document_kind kind = (enum document_kind)effect->kind;
    applied(tables, lsn, now_ms);
    uint64_t hash = documents_hash(documents, kind, effect->id.at, effect->id.len);
    slab_ref before = documents_find(documents, hash, kind, effect->id.at, effect->id.len);
    struct document *old = before ? document_at(documents, before) : NULL;
    if (!is_sound(old, effect)) {
        return ERR_DAMAGED;
    }
    enum err err = lines_book(tables, old, effect);
    if (err != ERR_OK) {
        return err;
    }
    slab_ref ref = block_replace(tables, before, hash, effect);
    if (!ref) {
        return ERR_FULL;
    }
    holds_settle(tables, ref);
    if (is_done(document_at(documents, ref))) {
        documents_done(documents, ref, now_ms);
    }
    document_digest(document_at(documents, ref), &tables->digest, true);
    key_remember(tables, lsn, now_ms, &effect->key);
    return incoming_enter(tables, ref);
}

slab_ref document_enter(struct tables *tables, const struct effect_document *effect, uint64_t lsn,
                        uint64_t created_ms, uint64_t done_ms)
{
    struct documents *documents = &tables->documents;
    enum document_kind kind = (enum document_kind)effect->kind;
    uint64_t hash = documents_hash(documents, kind, effect->id.at, effect->id.len);
    size_t size = tables_document_size(effect);
    if (!documents_have_room(documents, size, 1)) {
        return 0;
    }
    slab_ref ref = documents_add(documents, hash, kind, effect->order_lsn, size);
    struct document *document = document_at(documents, ref);
    CHECK(ref);
    block_fill(document, effect);
    document->lsn = lsn;
    document->created_ms = created_ms;
    if (done_ms) {
        documents_done(documents, ref, done_ms);
    }
    document_digest(document, &tables->digest, true);
    return incoming_enter(tables, ref) == ERR_OK ? ref : 0;
}

enum err documents_drop(struct tables *tables, uint64_t count)
{
    struct documents *documents = &tables->documents;
    if (count > documents->done.count) {
        return ERR_DAMAGED;
    }
    for (uint64_t i = 0; i < count; i++) {
        slab_ref ref = documents->done.oldest;
        document_digest(document_at(documents, ref), &tables->digest, false);
        documents_remove(documents, ref);
    }
    return ERR_OK;
}
