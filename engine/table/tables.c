/* Birth and death of the tables, replay, the fresh layout, and the check of everything. */
#include "tables.h"

#include <stdlib.h>
#include <string.h>

#include "apply_internal.h"
#include "apply_strategy_internal.h"
#include "apply_timing_internal.h"
#include "check.h"
#include "mem.h"

/* One for each node, reservation, and fulfilment with a deadline, which holds stock. */
static uint32_t timers_max(const struct tables_options *options)
{
    return 3 * NODE_MAX + options->holds_max + options->reservations_max + TABLES_WAITING_MAX;
}

static enum err parts_init(struct tables *tables, const struct tables_options *options)
{
    enum err err = network_init(&tables->network);
    if (err == ERR_OK) {
        err = catalogue_init(&tables->catalogue, options->items_max, &tables->key);
    }
    if (err == ERR_OK) {
        err = orders_init(&tables->orders, options->orders_max, options->orders_memory,
                          &tables->key);
    }
    if (err == ERR_OK) {
        err = holds_init(&tables->holds, options->holds_max);
    }
    if (err == ERR_OK) {
        err = owed_init(&tables->owed, options->owed_max);
    }
    if (err == ERR_OK) {
        err = reserves_init(&tables->reserves, options->reservations_max, &tables->key);
    }
    if (err == ERR_OK) {
        err = keyring_init(&tables->keyring, options->keys_max);
    }
    if (err == ERR_OK) {
        err = movements_init(&tables->movements, options->movements_max);
    }
    if (err == ERR_OK) {
        err = wheel_init(&tables->wheel, timers_max(options));
    }
    if (err == ERR_OK) {
        err = documents_init(&tables->documents, options->documents_max, &tables->key);
    }
    if (err == ERR_OK) {
        err = incoming_init(&tables->incoming);
    }
    if (err == ERR_OK) {
        err = effect_scratch_new(&tables->scratch);
    }
    if (err == ERR_OK) {
        err = strategies_init(&tables->strategies);
    }
    return err == ERR_OK ? timing_init(&tables->timing) : err;
}

enum err tables_init(struct tables *tables, const struct tables_options *options,
                     const uint8_t secret[16])
{
    memset(tables, 0, sizeof *tables);
    hash_key_init(&tables->key, secret);
    policies_init(&tables->policies);
    kits_init(&tables->kits);
    gazetteer_init(&tables->gazetteer);
    tables->batch = 1;
    tables->node_items = calloc(NODE_MAX, sizeof *tables->node_items);
    tables->queues = calloc(NODE_MAX, sizeof *tables->queues);
    tables->declines = calloc(NODE_MAX, sizeof *tables->declines);
    tables->node_timers = calloc(NODE_MAX, sizeof *tables->node_timers);
    tables->closings = calloc(NODE_MAX, sizeof *tables->closings);
    tables->restings = calloc(NODE_MAX, sizeof *tables->restings);
    tables->view = (struct stock_view){.network = &tables->network,
                                       .catalogue = &tables->catalogue,
                                       .policies = &tables->policies,
                                       .timing = &tables->timing,
                                       .queues = tables->queues,
                                       .declines = tables->declines};
    bool has_memory = tables->node_items && tables->queues && tables->declines &&
                      tables->node_timers && tables->closings && tables->restings;
    enum err err = has_memory ? parts_init(tables, options) : ERR_NOMEM;
    if (err != ERR_OK) {
        tables_close(tables);
    }
    return err;
}

enum err tables_share(struct tables *tables, uint32_t readers)
{
    CHECK(!tables->epoch);
    return epoch_new(readers, &tables->epoch);
}

void tables_close(struct tables *tables)
{
    for (uint32_t i = 0; tables->node_items && i < tables->network.count; i++) {
        itemset_close(&tables->node_items[i]);
    }
    free(tables->node_items);
    free(tables->queues);
    free(tables->declines);
    free(tables->node_timers);
    free(tables->closings);
    free(tables->restings);
    wheel_close(&tables->wheel);
    timing_close(&tables->timing);
    strategies_close(&tables->strategies);
    network_close(&tables->network);
    catalogue_close(&tables->catalogue);
    epoch_free(tables->epoch);
    tables->epoch = NULL;
    policies_close(&tables->policies);
    kits_close(&tables->kits);
    gazetteer_close(&tables->gazetteer);
    orders_close(&tables->orders);
    holds_close(&tables->holds);
    reserves_close(&tables->reserves);
    owed_close(&tables->owed);
    keyring_close(&tables->keyring);
    movements_close(&tables->movements);
    documents_close(&tables->documents);
    incoming_close(&tables->incoming);
    effect_scratch_free(tables->scratch);
    memset(tables, 0, sizeof *tables);
}

uint64_t tables_memory(const struct tables_options *options)
{
    uint64_t by_node = sizeof(struct itemset) + sizeof(struct node_queue) + 2 * sizeof(uint32_t) +
                       sizeof(struct closing) + sizeof(struct resting);
    return network_memory() + timing_memory() + strategies_memory() + NODE_MAX * by_node +
           owed_memory(options->owed_max) + wheel_memory(timers_max(options)) +
           catalogue_memory(options->items_max) +
           orders_memory(options->orders_max, options->orders_memory) +
           holds_memory(options->holds_max) + keyring_memory(options->keys_max) +
           movements_memory(options->movements_max) +
           documents_memory(options->documents_max) +
           reserves_memory(options->reservations_max) + effect_scratch_memory() +
           options->stock_memory + options->rules_memory;
}

/* -- replay -- */

static bool has_item(const struct tables *tables, uint32_t item)
{
    return item < tables->catalogue.count;
}

static enum err replay_node(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const uint8_t *bytes, uint32_t size)
{
    struct effect_node effect;
    enum err err = effect_node_decode(bytes, size, tables->scratch, &effect);
    return err == ERR_OK ? tables_apply_node(tables, lsn, now_ms, &effect) : err;
}

static enum err replay_item(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const uint8_t *bytes, uint32_t size)
{
    struct effect_item effect;
    enum err err = effect_item_decode(bytes, size, tables->scratch, &effect);
    for (uint32_t i = 0; err == ERR_OK && i < effect.part_count; i++) {
        err = has_item(tables, effect.parts[i].item) ? ERR_OK : ERR_DAMAGED;
    }
    if (err == ERR_OK && (effect.id.len == 0 || effect.not_to_count > ITEM_AREAS_MAX)) {
        err = ERR_DAMAGED;
    }
    return err == ERR_OK ? tables_apply_item(tables, lsn, now_ms, &effect) : err;
}

static enum err replay_places(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                              const uint8_t *bytes, uint32_t size)
{
    struct effect_places effect;
    enum err err = effect_places_decode(bytes, size, tables->scratch, &effect);
    return err == ERR_OK ? tables_apply_places(tables, lsn, now_ms, &effect) : err;
}

static enum err replay_stock(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const uint8_t *bytes, uint32_t size)
{
    struct effect_stock effect;
    enum err err = effect_stock_decode(bytes, size, tables->scratch, &effect);
    for (uint32_t i = 0; err == ERR_OK && i < effect.count; i++) {
        err = has_item(tables, effect.rows[i].item) ? ERR_OK : ERR_DAMAGED;
    }
    if (err == ERR_OK && effect.count + effect.span_count > 0 &&
        effect.node >= tables->network.count) {
        err = ERR_DAMAGED;
    }
    if (err == ERR_OK && effect.span_count > 0 &&
        !has_item(tables, effect.spans[effect.span_count - 1].last)) {
        err = ERR_DAMAGED;
    }
    return err == ERR_OK ? tables_apply_stock(tables, lsn, now_ms, &effect) : err;
}

static enum err replay_policy(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                              const uint8_t *bytes, uint32_t size)
{
    struct effect_policy effect;
    enum err err = effect_policy_decode(bytes, size, &effect);
    if (err == ERR_OK &&
        (!has_item(tables, effect.item) || effect.node >= tables->network.count)) {
        err = ERR_DAMAGED;
    }
    return err == ERR_OK ? tables_apply_policy(tables, lsn, now_ms, &effect) : err;
}

static bool nodes_are_sound(const struct tables *tables, const uint16_t *nodes, uint32_t count)
{
    bool is_sound = true;
    for (uint32_t i = 0; i < count; i++) {
        is_sound = is_sound && nodes[i] < tables->network.count;
    }
    return is_sound;
}

/* Whether all that the order names is there, its shares fit its lines, and its stock too. */
static bool order_is_sound(const struct tables *tables, const struct effect_order *effect)
{
    bool is_sound = effect->line_count > 0 && effect->id.len > 0 && effect->id.len <= ID_MAX &&
                    effect->sold_at <= tables->network.count &&
                    effect->strategy <= tables->strategies.count;
    for (uint32_t i = 0; i < effect->line_count && is_sound; i++) {
        is_sound = has_item(tables, effect->lines[i].item) &&
                   effect->lines[i].kit.item <= tables->catalogue.count;
    }
    is_sound = is_sound && nodes_are_sound(tables, effect->include, effect->include_count) &&
               nodes_are_sound(tables, effect->exclude, effect->exclude_count);
    for (uint32_t i = 0; i < effect->part_count && is_sound; i++) {
        is_sound = effect->parts[i].node < tables->network.count;
    }
    for (uint32_t i = 0; i < effect->share_count && is_sound; i++) {
        const struct effect_share *share = &effect->shares[i];
        bool is_ordered = i == 0 || share->part >= effect->shares[i - 1].part;
        if (!is_ordered || share->part >= effect->part_count || share->line >= effect->line_count) {
            return false;
        }
        const struct effect_part *part = &effect->parts[share->part];
        struct cell cell = tables_cell(tables, effect->lines[share->line].item, part->node);
        is_sound = cell.index >= 0 || part->way == WAY_CARRY_OUT;
    }
    return is_sound;
}

bool order_read(struct tables *tables, const uint8_t *bytes, uint32_t size,
                struct effect_order *out)
{
    enum err err = effect_order_decode(bytes, size, tables->scratch, out);
    if (err != ERR_OK || !order_is_sound(tables, out)) {
        return false;
    }
    out->id_hash = orders_hash(&tables->orders, out->id.at, out->id.len);
    return !orders_find(&tables->orders, out->id_hash, out->id.at, out->id.len);
}

static enum err replay_order(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const uint8_t *bytes, uint32_t size)
{
    struct effect_order effect;
    if (!order_read(tables, bytes, size, &effect)) {
        return ERR_DAMAGED;
    }
    if (!holds_have_room(&tables->holds, effect.share_count) ||
        (effect.is_backorder && !owed_has_room(&tables->owed, effect.line_count)) ||
        tables->orders.count >= tables->orders.max) {
        return ERR_FULL;
    }
    return tables_apply_order(tables, lsn, now_ms, &effect);
}

static enum err replay_cancel(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                              const uint8_t *bytes, uint32_t size)
{
    struct effect_cancel effect;
    enum err err = effect_cancel_decode(bytes, size, tables->scratch, &effect);
    return err == ERR_OK ? tables_apply_cancel(tables, lsn, now_ms, &effect) : err;
}

static enum err replay_fulfil(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                              const uint8_t *bytes, uint32_t size)
{
    struct effect_fulfil effect;
    enum err err = effect_fulfil_decode(bytes, size, tables->scratch, &effect);
    return err == ERR_OK ? tables_apply_fulfil(tables, lsn, now_ms, &effect) : err;
}

static enum err replay_replan(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                              const uint8_t *bytes, uint32_t size)
{
    struct effect_replan effect;
    enum err err = effect_replan_decode(EFFECT_REPLAN, bytes, size, tables->scratch, &effect);
    return err == ERR_OK ? tables_apply_replan(tables, lsn, now_ms, &effect) : err;
}

static enum err replay_replan_kits(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                   const uint8_t *bytes, uint32_t size)
{
    struct effect_replan effect;
    enum err err = effect_replan_decode(EFFECT_REPLAN_KITS, bytes, size, tables->scratch, &effect);
    return err == ERR_OK ? tables_apply_replan(tables, lsn, now_ms, &effect) : err;
}

static enum err replay_flag(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const uint8_t *bytes, uint32_t size)
{
    struct effect_text name;
    enum err err = effect_flag_decode(bytes, size, &name);
    return err == ERR_OK ? tables_apply_flag(tables, lsn, now_ms, &name) : err;
}

static enum err replay_drop(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const uint8_t *bytes, uint32_t size)
{
    struct effect_drop effect;
    enum err err = effect_drop_decode(bytes, size, &effect);
    return err == ERR_OK ? tables_apply_drop(tables, lsn, now_ms, &effect) : err;
}

bool document_read(struct tables *tables, const uint8_t *bytes, uint32_t size,
                   struct effect_document *out)
{
    enum err err = effect_document_decode(bytes, size, tables->scratch, out);
    uint32_t nodes = tables->network.count;
    bool is_sound = err == ERR_OK && (out->node == NODE_NONE || out->node < nodes) &&
                    (out->to == NODE_NONE || out->to < nodes) &&
                    (out->at_node == NODE_NONE || out->at_node < nodes);
    for (uint32_t i = 0; is_sound && i < out->line_count; i++) {
        is_sound = has_item(tables, out->lines[i].item);
    }
    return is_sound;
}

static enum err replay_document(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                const uint8_t *bytes, uint32_t size)
{
    struct effect_document effect;
    if (!document_read(tables, bytes, size, &effect)) {
        return ERR_DAMAGED;
    }
    if (!tables_document_fits(tables, &effect)) {
        return ERR_FULL;
    }
    return tables_apply_document(tables, lsn, now_ms, &effect);
}

static enum err replay_refused(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                               const uint8_t *bytes, uint32_t size)
{
    struct effect_order effect;
    enum err err = effect_order_decode(bytes, size, tables->scratch, &effect);
    if (err == ERR_OK) {
        applied(tables, lsn, now_ms);
    }
    return err;
}

static enum err replay_time(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const uint8_t *bytes, uint32_t size)
{
    uint64_t time_ms;
    enum err err = effect_time_decode(bytes, size, &time_ms);
    return err == ERR_OK ? tables_apply_time(tables, lsn, now_ms, time_ms) : err;
}

void tables_apply_short(struct tables *tables, uint64_t lsn, uint64_t now_ms)
{
    applied(tables, lsn, now_ms);
}

static enum err replay_short(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const uint8_t *bytes, uint32_t size)
{
    (void)bytes;
    tables_apply_short(tables, lsn, now_ms);
    return size > 0 ? ERR_OK : ERR_DAMAGED;
}

enum err tables_replay(struct tables *tables, uint64_t lsn, uint64_t now_ms, uint8_t type,
                       const uint8_t *bytes, uint32_t size)
{
    static replay_function *const functions[] = {
        [EFFECT_FLAG] = replay_flag,     [EFFECT_NODE] = replay_node,
        [EFFECT_ITEM] = replay_item,     [EFFECT_PLACES] = replay_places,
        [EFFECT_STOCK] = replay_stock,   [EFFECT_POLICY] = replay_policy,
        [EFFECT_ORDER] = replay_order,   [EFFECT_CANCEL] = replay_cancel,
        [EFFECT_FULFIL] = replay_fulfil, [EFFECT_DROP] = replay_drop,
        [EFFECT_REFUSED] = replay_refused, [EFFECT_TIME] = replay_time,
        [EFFECT_RESERVE] = replay_reserve, [EFFECT_RESERVE_END] = replay_reserve_end,
        [EFFECT_RESERVE_TAKE] = replay_reserve_take,
        [EFFECT_RESERVE_DROP] = replay_reserve_drop,
        [EFFECT_REPLAN] = replay_replan, [EFFECT_REPLAN_KITS] = replay_replan_kits,
        [EFFECT_DOCUMENT] = replay_document,
        [EFFECT_HOURS] = replay_hours,   [EFFECT_CAPACITY] = replay_capacity,
        [EFFECT_LANES] = replay_lanes,   [EFFECT_ROADS] = replay_roads,
        [EFFECT_STRATEGY] = replay_strategy, [EFFECT_CHOICE] = replay_choice,
        [EFFECT_SHORT] = replay_short,
    };
    if (type >= sizeof functions / sizeof functions[0] || !functions[type] || lsn <= tables->lsn) {
        return ERR_DAMAGED;
    }
    now_ms = now_ms > tables->time_ms ? now_ms : tables->time_ms; /* see EFFECT_TIME */
    return functions[type](tables, lsn, now_ms, bytes, size);
}

/* -- holds -- */

uint32_t tables_hold_units(const struct tables *tables, const struct hold *hold,
                           uint64_t *made_ms_out)
{
    if (hold->kind == HOLD_DOCUMENT) {
        struct document *document = document_at(&tables->documents, hold->order);
        *made_ms_out = document->created_ms;
        return document_held(document, &document_lines(document)[hold->share]);
    }
    if (hold->kind == HOLD_RESERVATION) {
        const struct reservation *own = reservation_at(&tables->reserves, hold->order);
        *made_ms_out = own->created_ms;
        return reservation_pieces(&tables->reserves, own)[hold->share].held;
    }
    struct order *order = order_at(&tables->orders, hold->order);
    const struct order_share *share = &order_shares(order)[hold->share];
    *made_ms_out = order->created_ms;
    return share_held(share, (enum way)order_parts(order)[share->part].way);
}

/* -- layout -- */

enum err tables_layout(struct tables *tables)
{
    uint32_t ideal = (tables->network.count + 55) / 56;
    if (!tables->network.is_dirty || tables->network.words <= ideal + ideal / 4 + 1) {
        return ERR_OK;
    }
    uint16_t *map = malloc(SLOT_MAX * sizeof *map);
    if (!map) {
        return ERR_NOMEM;
    }
    network_layout(&tables->network, map);
    for (uint32_t i = 0; i < tables->catalogue.count; i++) {
        struct item *item = &tables->catalogue.items[i];
        if (!item->row) {
            continue;
        }
        struct row *row = row_moved(item->row, map, tables->network.words);
        CHECK(row); /* at start only: nobody is served yet, and half a layout is none */
        tables->row_bytes += row_size(row) - row_size(item->row);
        row_free(item->row);
        item->row = row;
    }
    free(map);
    tables->generation++;
    return ERR_OK;
}

/* -- check -- */

static void check_cells(struct tables *tables, uint64_t *cells, int64_t *reserved)
{
    for (uint32_t item = 0; item < tables->catalogue.count; item++) {
        const struct row *row = tables->catalogue.items[item].row;
        if (!row) {
            continue;
        }
        struct row_walk walk;
        uint32_t slot;
        uint32_t index;
        row_check(row);
        row_walk_begin(row, &walk);
        while (row_walk_next(row, &walk, &slot, &index)) {
            uint16_t node = tables->network.node_of_slot[slot];
            CHECK(node < tables->network.count);
            CHECK(itemset_has(&tables->node_items[node], item));
            *reserved += cell_reserved(row_word(row, index));
            (*cells)++;
        }
    }
}

/* Every unit of a line is somewhere, at most once: the rest of it is what was cancelled. */
static void check_lines(struct tables *tables, struct order *order)
{
    for (uint32_t line = 0; line < order->line_count; line++) {
        const uint64_t units =
            order_line_units(order, line) + owed_units(&tables->owed, order, line);
        CHECK(units <= order_lines(order)[line].qty);
    }
}

static void check_orders(struct tables *tables, int64_t *held, uint64_t *holds)
{
    uint32_t count = 0;
    for (slab_ref ref = tables->orders.oldest; ref; count++) {
        struct order *order = order_at(&tables->orders, ref);
        for (uint32_t i = 0; i < order->share_count; i++) {
            const struct order_share *share = &order_shares(order)[i];
            const struct order_part *part = &order_parts(order)[share->part];
            uint32_t units = share_held(share, (enum way)part->way);
            CHECK((units > 0) == (share->hold != HOLD_NONE));
            *held += units;
            *holds += units > 0;
        }
        check_lines(tables, order);
        ref = order->newer;
    }
    CHECK(count == tables->orders.count);
}

/* A timer for each row that has a deadline, and no other. */
static void check_timers(struct tables *tables)
{
    uint32_t timers = 0;
    for (uint32_t i = 0; i < tables->network.count; i++) {
        const struct resting *resting = &tables->restings[i];
        bool has_end = tables->network.nodes[i].config.status_until != 0 || resting->woken != 0;
        CHECK(has_end == (tables->node_timers[i] != WHEEL_NONE));
        timers += (uint32_t)has_end + (resting->parked != 0) + (resting->woken != 0);
    }
    for (slab_ref ref = tables->orders.oldest; ref;) {
        struct order *order = order_at(&tables->orders, ref);
        for (uint32_t i = 0; i < order->part_count; i++) {
            const struct order_part *part = &order_parts(order)[i];
            bool has_due =
                (part->is_listed || part->is_waiting) && part_due(order, i) != WHEEL_NEVER;
            CHECK(has_due == (part->timer != WHEEL_NONE));
            timers += has_due;
        }
        ref = order->newer;
    }
    for (slab_ref ref = tables->reserves.oldest; ref;) {
        const struct reservation *own = reservation_at(&tables->reserves, ref);
        CHECK(reservation_is_live(own) == (own->timer != WHEEL_NONE));
        timers += reservation_is_live(own);
        ref = own->newer;
    }
    wheel_check(&tables->wheel);
    CHECK(timers == tables->wheel.live);
}

static void check_open(struct tables *tables, const struct document_list *list, int64_t *held,
                       uint64_t *holds)
{
    uint64_t count = 0;
    for (slab_ref ref = list->oldest; ref; count++) {
        struct document *document = document_at(&tables->documents, ref);
        for (uint32_t i = 0; i < document->line_count; i++) {
            const struct document_line *line = &document_lines(document)[i];
            uint32_t units = document_held(document, line);
            CHECK((units > 0) == (line->hold != HOLD_NONE));
            *held += units;
            *holds += units > 0;
        }
        ref = document->newer;
    }
    CHECK(count == list->count);
}

static void check_documents(struct tables *tables, int64_t *held, uint64_t *holds)
{
    check_open(tables, &tables->documents.open, held, holds);
    check_open(tables, &tables->documents.open_returns, held, holds);
}

void tables_check(struct tables *tables)
{
    uint64_t cells = 0;
    uint64_t holds = 0;
    int64_t reserved = 0;
    int64_t held = 0;
    check_cells(tables, &cells, &reserved);
    check_orders(tables, &held, &holds);
    reserves_check(&tables->reserves, &held, &holds);
    check_timers(tables);
    check_documents(tables, &held, &holds);
    CHECK(cells == tables->cells);
    CHECK(reserved == held);
    CHECK(holds == tables->holds.live);
    owed_check(&tables->owed, &tables->catalogue);
}
