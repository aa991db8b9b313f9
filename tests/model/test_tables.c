/* Random effects against naive books, with a second set of tables fed by the encoded records
 * only: after every step both digests agree, and every cell is what the books say. From time to
 * time the second set is thrown away and loaded from an image of the first, as after a restart
 * from a snapshot.
 *
 * Replay: test_tables SEED [STEPS]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "image_memory.h"
#include "rng.h"
#include "tables.h"

enum { NODES = 12, ITEMS = 9, ORDERS = 60, SHARES = 3, SHARES_MAX = 30,
       DOCUMENTS = 20 };

struct book_order {
    char id[16];
    uint32_t shares; /* share i is all of part i */
    uint32_t lines;
    uint32_t item[SHARES_MAX], line[SHARES_MAX];
    uint16_t node[SHARES_MAX];
    uint32_t qty[SHARES_MAX], cancelled[SHARES_MAX], shipped[SHARES_MAX], no_show[SHARES_MAX];
    uint32_t moved[SHARES_MAX];
    uint32_t owed[SHARES]; /* by line */
    bool is_pickup;
    bool is_live;
};

struct book_document {
    char id[16];
    uint8_t kind;
    bool is_live, is_cancelled;
    uint32_t item, qty, counts[DOCUMENT_COUNTS];
    uint16_t node, to;
};

struct model {
    struct tables live, replicas[2];
    struct tables *replica; /* one of them */
    uint64_t lsn, now;
    int64_t on_hand[ITEMS][NODES], reserved[ITEMS][NODES];
    uint64_t counted[ITEMS][NODES];
    bool is_stocked[ITEMS][NODES];
    struct book_order orders[ORDERS];
    struct book_document documents[DOCUMENTS];
    uint32_t serial;
    struct rng rng;
};

static uint64_t seed = 1;
static uint32_t steps = 20000;

static uint32_t draw(struct model *model, uint32_t bound)
{
    return (uint32_t)rng_below(&model->rng, bound);
}

static void replica_feed(struct model *model, uint8_t type, const uint8_t *bytes, uint32_t size)
{
    uint8_t *exact = malloc(size);
    memcpy(exact, bytes, size);
    enum err err = tables_replay(model->replica, model->lsn, model->now, type, exact, size);
    free(exact);
    assert_int_equal(err, ERR_OK);
    assert_true(digest_equal(&model->live.digest, &model->replica->digest));
}

static void node_put(struct model *model, uint32_t n)
{
    char id[8];
    uint8_t bytes[2048];
    struct effect_node effect = {
        .config = {.type = (enum node_type)(n % 3),
                   .lat = 30 + draw(model, 10),
                   .lon = -80 - (double)n,
                   .services = 0x1f,
                   .priority = (int32_t)draw(model, 3),
                   .safety_stock = (int32_t)draw(model, 3)}};
    effect.id = (struct effect_text){id, (uint32_t)snprintf(id, sizeof id, "N%u", n)};
    for (int i = 0; i < SERVICE_COUNT; i++) {
        effect.config.max_m[i] = UINT32_MAX;
    }
    uint32_t size = effect_node_encode(bytes, &effect);
    assert_int_equal(tables_apply_node(&model->live, ++model->lsn, model->now, &effect), 0);
    replica_feed(model, EFFECT_NODE, bytes, size);
}

static void item_put(struct model *model, uint32_t n)
{
    char id[8];
    uint8_t bytes[512];
    struct area area = {true, 2, "US"};
    struct effect_item effect = {.weight_g = draw(model, 1000), .flags = draw(model, 8),
                                 .not_to_count = draw(model, 2), .not_to = &area};
    effect.id = (struct effect_text){id, (uint32_t)snprintf(id, sizeof id, "I%u", n)};
    uint32_t size = effect_item_encode(bytes, &effect);
    assert_int_equal(tables_apply_item(&model->live, ++model->lsn, model->now, &effect), 0);
    replica_feed(model, EFFECT_ITEM, bytes, size);
}

static void flag_put(struct model *model)
{
    char name[8];
    uint8_t bytes[EFFECT_SMALL_MAX];
    if (model->live.catalogue.flag_count == FLAG_MAX) {
        return;
    }
    int len = snprintf(name, sizeof name, "f%u", model->live.catalogue.flag_count);
    struct effect_text effect = {name, (uint32_t)len};
    uint32_t size = effect_flag_encode(bytes, name, (uint32_t)len);
    assert_int_equal(tables_apply_flag(&model->live, ++model->lsn, model->now, &effect), 0);
    replica_feed(model, EFFECT_FLAG, bytes, size);
}

static void places_put(struct model *model)
{
    uint8_t bytes[512];
    struct effect_place rows[3];
    struct effect_places effect = {"US", 1 + draw(model, 3), rows};
    effect.country[0] = (char)('A' + (int)draw(model, 3));
    memset(rows, 0, sizeof rows);
    for (uint32_t i = 0; i < effect.count; i++) {
        snprintf(rows[i].postcode, sizeof rows[i].postcode, "%u", 100 + draw(model, 900));
        rows[i].lat = draw(model, 90);
        rows[i].lon = -(double)draw(model, 180);
    }
    uint32_t size = effect_places_encode(bytes, &effect);
    assert_int_equal(tables_apply_places(&model->live, ++model->lsn, model->now, &effect), 0);
    replica_feed(model, EFFECT_PLACES, bytes, size);
}

/* Cells that are counted and stay as they are. */
static void spans_draw(struct model *model, struct effect_stock *effect, struct effect_span *spans)
{
    for (uint32_t item = draw(model, ITEMS); item < ITEMS; item += 2 + draw(model, ITEMS)) {
        uint32_t last = item + draw(model, ITEMS - item);
        spans[effect->span_count++] = (struct effect_span){item, last};
        for (; item <= last; item++) {
            if (model->is_stocked[item][effect->node]) {
                model->counted[item][effect->node] = effect->at_ms;
            }
        }
    }
}

static void stock_move(struct model *model)
{
    uint8_t bytes[1024];
    uint32_t node = draw(model, NODES);
    bool is_count = draw(model, 2);
    struct effect_stock_row rows[ITEMS];
    struct effect_span spans[ITEMS];
    struct effect_stock effect = {.is_count = is_count, .node = (uint16_t)node,
                                  .at_ms = model->now - draw(model, 50), .rows = rows,
                                  .spans = spans};
    if (is_count && draw(model, 2)) {
        spans_draw(model, &effect, spans);
    }
    for (uint32_t item = 0; item < ITEMS; item++) {
        if (draw(model, 3) == 0) {
            rows[effect.count++] = (struct effect_stock_row){
                item, is_count ? (int32_t)draw(model, 40) : (int32_t)draw(model, 21) - 8};
        }
    }
    if (draw(model, 4) == 0) {
        effect.key = (struct effect_key){.is_set = true, .key = {rng_next(&model->rng), 5},
                                         .content = 9, .facts = {1, 2, 3, 4, 5}};
    }
    uint32_t size = effect_stock_encode(bytes, &effect);
    assert_true(size <= effect_stock_size(&effect));
    assert_int_equal(tables_apply_stock(&model->live, ++model->lsn, model->now, &effect), 0);
    replica_feed(model, EFFECT_STOCK, bytes, size);
    for (uint32_t i = 0; i < effect.count; i++) {
        uint32_t item = rows[i].item;
        model->is_stocked[item][node] = true;
        if (is_count) {
            model->on_hand[item][node] = rows[i].value;
            model->counted[item][node] = effect.at_ms;
        } else if (effect.at_ms > model->counted[item][node]) {
            model->on_hand[item][node] += rows[i].value;
        }
    }
}

static void policy_set(struct model *model)
{
    uint8_t bytes[EFFECT_SMALL_MAX + 2 * (ID_MAX + 8)];
    struct effect_policy effect = {.item = draw(model, ITEMS), .node = (uint16_t)draw(model, NODES),
                                   .has_safety = draw(model, 2), .is_unlisted = draw(model, 3) == 0,
                                   .safety_stock = (int32_t)draw(model, 9),
                                   .has_quotas = draw(model, 2)};
    effect.quota_count = effect.has_quotas ? draw(model, 3) : 0;
    for (uint32_t i = 0; i < effect.quota_count; i++) {
        effect.quotas[i] = (struct effect_quota){{i ? "web" : "app", 3}, draw(model, 20)};
    }
    uint32_t size = effect_policy_encode(bytes, &effect);
    assert_int_equal(tables_apply_policy(&model->live, ++model->lsn, model->now, &effect), 0);
    replica_feed(model, EFFECT_POLICY, bytes, size);
    model->is_stocked[effect.item][effect.node] = true;
}

static struct book_order *order_free(struct model *model)
{
    struct book_order *order = &model->orders[draw(model, ORDERS)];
    return order->is_live ? NULL : order;
}

/* Take up to three (line, node) pairs that have stock; each share a part and line of its own. */
static void order_put(struct model *model)
{
    struct book_order *order = order_free(model);
    struct effect_line lines[SHARES];
    struct effect_part parts[SHARES];
    struct effect_share shares[SHARES];
    uint8_t bytes[1024];
    if (!order) {
        return;
    }
    memset(order, 0, sizeof *order);
    order->is_pickup = draw(model, 2);
    uint8_t way = order->is_pickup ? WAY_PICKUP : WAY_SHIP_FROM_STORE;
    uint8_t service = order->is_pickup ? SERVICE_PICKUP : SERVICE_STANDARD;
    for (uint32_t i = 0; i < SHARES; i++) {
        uint32_t item = draw(model, ITEMS);
        uint32_t node = draw(model, NODES);
        int64_t left = model->on_hand[item][node] - model->reserved[item][node];
        if (!model->is_stocked[item][node] || left < 1) {
            continue;
        }
        uint32_t n = order->shares++;
        order->item[n] = item;
        order->line[n] = n;
        order->owed[n] = draw(model, 4) ? 0 : draw(model, 5);
        order->node[n] = (uint16_t)node;
        order->qty[n] = 1 + draw(model, (uint32_t)left);
        model->reserved[item][node] += order->qty[n];
        lines[n] = (struct effect_line){
            item, order->qty[n] + order->owed[n], 0, {"L", draw(model, 2)}, service, NODE_NONE,
            {0}};
        parts[n] = (struct effect_part){(uint16_t)node, way, service, 1000 * n, n, {0}};
        shares[n] = (struct effect_share){n, n, order->qty[n]};
    }
    if (order->shares == 0) {
        return;
    }
    order->is_live = true;
    order->lines = order->shares;
    int len = snprintf(order->id, sizeof order->id, "O%u", ++model->serial);
    struct effect_order effect = {
        .id = {order->id, (uint32_t)len}, .content = model->serial, .status = ORDER_ROUTED,
        .service = service, .max_splits = UINT32_MAX, .max_m = UINT32_MAX,
        .line_count = order->shares, .part_count = order->shares, .share_count = order->shares,
        .is_backorder = true, .owed = order->owed, .splits = order->shares - 1, .lines = lines,
        .parts = parts, .shares = shares};
    effect.id_hash = orders_hash(&model->live.orders, order->id, (uint32_t)len);
    for (uint32_t i = 0; i < order->shares; i++) { /* components of kits, some of them */
        if (lines[i].line.len && draw(model, 2)) {
            lines[i].kit = (struct order_kit){1 + draw(model, ITEMS), 1 + draw(model, 9), i};
        }
    }
    if (draw(model, 2)) {
        effect.channel = (struct effect_text){draw(model, 2) ? "web" : "app", 3};
    }
    for (uint32_t i = 0; i < order->shares; i++) {
        effect.total_m += parts[i].metres;
    }
    uint32_t size = effect_order_encode(bytes, &effect);
    assert_true(size <= effect_order_size(&effect));
    assert_int_equal(tables_apply_order(&model->live, ++model->lsn, model->now, &effect), 0);
    replica_feed(model, EFFECT_ORDER, bytes, size);
}

static uint32_t held(const struct book_order *order, uint32_t i)
{
    return order->qty[i] - order->cancelled[i] - order->shipped[i] - order->no_show[i] -
           order->moved[i];
}

static void order_cancel(struct model *model)
{
    struct book_order *order = &model->orders[draw(model, ORDERS)];
    struct effect_quantity quantities[SHARES_MAX];
    struct effect_quantity owed[SHARES];
    uint8_t bytes[1024];
    uint32_t count = 0;
    uint32_t owed_count = 0;
    for (uint32_t i = 0; order->is_live && i < order->lines; i++) {
        uint32_t qty = draw(model, order->owed[i] + 1);
        if (qty) {
            owed[owed_count++] = (struct effect_quantity){i, qty};
            order->owed[i] -= qty;
        }
    }
    for (uint32_t i = 0; order->is_live && i < order->shares; i++) {
        uint32_t qty = held(order, i) ? draw(model, held(order, i) + 1) : 0;
        if (qty) {
            quantities[count++] = (struct effect_quantity){i, qty};
            order->cancelled[i] += qty;
            model->reserved[order->item[i]][order->node[i]] -= qty;
        }
    }
    if (count + owed_count == 0) {
        return;
    }
    struct effect_cancel effect = {.id = {order->id, (uint32_t)strlen(order->id)}, .count = count,
                                   .shares = quantities, .owed_count = owed_count, .owed = owed};
    uint32_t size = effect_cancel_encode(bytes, &effect);
    assert_int_equal(tables_apply_cancel(&model->live, ++model->lsn, model->now, &effect), 0);
    replica_feed(model, EFFECT_CANCEL, bytes, size);
}

static void books_ship(struct model *model, struct book_order *order, uint32_t i, uint32_t total,
                       uint64_t at_ms)
{
    uint32_t item = order->item[i];
    uint32_t node = order->node[i];
    uint32_t active = order->qty[i] - order->cancelled[i] - order->no_show[i] - order->moved[i];
    if (total > active) { /* some came for what had been given up */
        order->no_show[i] -= total - active;
        model->reserved[item][node] += total - active;
    }
    if (total > order->shipped[i]) {
        uint32_t units = total - order->shipped[i];
        order->shipped[i] = total;
        model->reserved[item][node] -= units;
        model->on_hand[item][node] -= at_ms > model->counted[item][node] ? units : 0;
    }
}

/* One share moves to a state, up to a drawn total. */
static void order_fulfil(struct model *model)
{
    static const enum state ship[] = {STATE_ACCEPTED, STATE_PICKED, STATE_SHIPPED, STATE_DELIVERED};
    static const enum state pickup[] = {STATE_PACKED, STATE_READY, STATE_COLLECTED, STATE_NO_SHOW};
    struct book_order *order = &model->orders[draw(model, ORDERS)];
    uint8_t bytes[512];
    if (!order->is_live) {
        return;
    }
    uint32_t i = draw(model, order->shares);
    enum state state = order->is_pickup ? pickup[draw(model, 4)] : ship[draw(model, 4)];
    bool is_out = state == STATE_SHIPPED || state == STATE_DELIVERED || state == STATE_COLLECTED;
    uint32_t most = order->qty[i] - order->cancelled[i] - order->moved[i] -
                    (state == STATE_COLLECTED ? 0 : order->no_show[i]);
    uint32_t total = draw(model, most + 1);
    if (state == STATE_NO_SHOW) {
        total = order->no_show[i] + draw(model, held(order, i) + 1);
    }
    struct effect_quantity quantity = {i, total};
    struct effect_fulfil effect = {.id = {order->id, (uint32_t)strlen(order->id)}, .part = i,
                                   .state = (uint8_t)state, .at_ms = model->now - draw(model, 30),
                                   .tracking = {"1Z999", draw(model, 6)}, .count = 1,
                                   .shares = &quantity};
    if (is_out) {
        books_ship(model, order, i, total, effect.at_ms);
    } else if (state == STATE_NO_SHOW) {
        model->reserved[order->item[i]][order->node[i]] -= total - order->no_show[i];
        order->no_show[i] = total;
    }
    uint32_t size = effect_fulfil_encode(bytes, &effect);
    assert_int_equal(tables_apply_fulfil(&model->live, ++model->lsn, model->now, &effect), 0);
    replica_feed(model, EFFECT_FULFIL, bytes, size);
}

/* -- documents, of one line each -- */

static uint32_t document_book_held(const struct book_document *book)
{
    bool is_held = book->kind == DOCUMENT_TRANSFER && !book->is_cancelled;
    return is_held ? book->qty - book->counts[0] : 0;
}

static bool document_book_begin(struct model *model, struct book_document *book)
{
    uint32_t node = draw(model, NODES);
    uint32_t item = draw(model, ITEMS);
    int64_t left = model->on_hand[item][node] - model->reserved[item][node];
    uint8_t kind = (uint8_t)(DOCUMENT_RETURN + draw(model, 3));
    if (kind == DOCUMENT_TRANSFER && (left < 1 || !model->is_stocked[item][node])) {
        return false;
    }
    *book = (struct book_document){.kind = kind, .is_live = true, .item = item,
                                   .qty = 1 + draw(model, left > 1 ? (uint32_t)left : 5),
                                   .node = (uint16_t)node,
                                   .to = (uint16_t)((node + 1 + draw(model, NODES - 1)) % NODES)};
    snprintf(book->id, sizeof book->id, "D%u", ++model->serial);
    return true;
}

/* Raise the document's totals by drawn units. */
static void document_book_go_on(struct model *model, struct book_document *book)
{
    book->is_cancelled = book->is_cancelled || draw(model, 8) == 0;
    if (book->kind != DOCUMENT_TRANSFER) {
        book->counts[0] += draw(model, 4);
        book->counts[1] += book->kind == DOCUMENT_RETURN ? draw(model, 2) : 0;
    } else if (!book->is_cancelled) {
        book->counts[0] += draw(model, book->qty - book->counts[0] + 1);
    }
    if (book->kind == DOCUMENT_TRANSFER) {
        book->counts[1] += draw(model, book->counts[0] - book->counts[1] + 1);
    }
}

static void document_book_move(struct model *model, uint32_t item, uint16_t node, int64_t units,
                               uint64_t at_ms)
{
    model->is_stocked[item][node] = true;
    model->on_hand[item][node] += at_ms > model->counted[item][node] ? units : 0;
}

static void document_book_stock(struct model *model, const struct book_document *before,
                                const struct book_document *after, uint64_t at_ms)
{
    bool is_transfer = after->kind == DOCUMENT_TRANSFER;
    uint32_t first = after->counts[0] - before->counts[0];
    uint32_t second = after->counts[1] - before->counts[1];
    model->reserved[after->item][after->node] += document_book_held(after);
    model->reserved[after->item][after->node] -= document_book_held(before);
    if (is_transfer && first) {
        document_book_move(model, after->item, after->node, -(int64_t)first, at_ms);
    }
    if (is_transfer && second) {
        document_book_move(model, after->item, after->to, second, at_ms);
    } else if (!is_transfer && first) {
        document_book_move(model, after->item, after->node, first, at_ms);
    }
}

static void document_change(struct model *model)
{
    struct book_document *book = &model->documents[draw(model, DOCUMENTS)];
    struct book_document before = *book;
    uint8_t bytes[1024];
    if (book->is_live) {
        document_book_go_on(model, book);
    } else if (document_book_begin(model, book)) {
        before = (struct book_document){.kind = book->kind, .node = book->node};
    } else {
        return;
    }
    bool is_transfer = book->kind == DOCUMENT_TRANSFER;
    struct effect_document_line line = {.item = book->item, .qty = book->qty,
                                        .order_line = DOCUMENT_NO_LINE, .reason = {"why", 3}};
    memcpy(line.counts, book->counts, sizeof line.counts);
    struct effect_document effect = {
        .kind = book->kind, .is_cancelled = book->is_cancelled,
        .node = book->kind == DOCUMENT_RETURN ? NODE_NONE : book->node,
        .to = is_transfer ? book->to : NODE_NONE, .at_node = is_transfer ? book->to : book->node,
        .content = book->qty, .order_lsn = book->kind == DOCUMENT_RETURN ? book->item : 0,
        .eta_ms = draw(model, 5) * 1000, .at_ms = model->now - draw(model, 30),
        .id = {book->id, (uint32_t)strlen(book->id)}, .line_count = 1, .lines = &line};
    document_book_stock(model, &before, book, effect.at_ms);
    uint32_t size = effect_document_encode(bytes, &effect);
    assert_true(size <= effect_document_size(&effect));
    assert_int_equal(tables_apply_document(&model->live, ++model->lsn, model->now, &effect), 0);
    replica_feed(model, EFFECT_DOCUMENT, bytes, size);
    uint32_t came = is_transfer ? book->counts[1] : book->counts[0] + book->counts[1];
    book->is_live = came < book->qty && !book->is_cancelled;
    if (is_transfer && book->is_cancelled) {
        book->is_live = book->counts[1] < book->counts[0];
    }
}

/* -- changes after the routing -- */

struct change { /* being made */
    struct effect_replan effect;
    struct effect_quantity moves[SHARES_MAX];
    struct effect_stock_row row;
    struct effect_part parts[SHARES];
    struct effect_share shares[SHARES];
    struct effect_owed owed[SHARES];
    uint32_t wanted[SHARES];
    uint32_t left[SHARES]; /* owed in the end */
};

static bool is_open(const struct book_order *order)
{
    uint32_t units = 0;
    for (uint32_t i = 0; i < order->shares; i++) {
        units += held(order, i);
    }
    for (uint32_t i = 0; i < order->lines; i++) {
        units += order->owed[i];
    }
    return units > 0;
}

/* Units leave shares, or are owed: they are wanted elsewhere. */
static void change_leave(struct model *model, struct book_order *order, struct change *change)
{
    for (uint32_t i = 0; i < order->shares; i++) {
        uint32_t units = draw(model, 2) ? draw(model, held(order, i) + 1) : 0;
        if (units) {
            change->moves[change->effect.move_count++] = (struct effect_quantity){i, units};
            change->wanted[order->line[i]] += units;
            order->moved[i] += units;
            model->reserved[order->item[i]][order->node[i]] -= units;
        }
    }
    for (uint32_t i = 0; i < order->lines; i++) {
        uint32_t paid = draw(model, order->owed[i] + 1);
        change->wanted[i] += paid;
        change->left[i] = order->owed[i] - paid;
    }
}

/* A node says no, and a cell of it is corrected. */
static void change_decline(struct model *model, const struct book_order *order,
                           struct change *change)
{
    uint32_t part = draw(model, order->shares);
    uint32_t item = order->item[part];
    uint32_t node = order->node[part];
    struct effect_replan *effect = &change->effect;
    effect->has_part = true;
    effect->part = part;
    effect->decline = (uint8_t)draw(model, DECLINE_COUNT);
    effect->at_ms = model->now > model->counted[item][node] ? model->now
                                                            : model->counted[item][node] + 1;
    if (draw(model, 2)) {
        change->row = (struct effect_stock_row){item, (int32_t)draw(model, 30)};
        effect->count_count = 1;
        model->on_hand[item][node] = change->row.value;
        model->counted[item][node] = effect->at_ms;
    } else {
        change->row = (struct effect_stock_row){item, -(int32_t)draw(model, 5) - 1};
        effect->missing_count = 1;
        model->on_hand[item][node] += change->row.value;
    }
}

/* What is wanted comes from a node that has some of it, the rest is owed. */
static void change_come(struct model *model, struct book_order *order, struct change *change)
{
    struct effect_replan *effect = &change->effect;
    for (uint32_t i = 0; i < order->lines; i++) {
        uint32_t item = order->item[i];
        uint32_t node = draw(model, NODES);
        int64_t left = model->on_hand[item][node] - model->reserved[item][node];
        uint32_t qty = change->wanted[i];
        qty = left < (int64_t)qty ? (left > 0 ? (uint32_t)left : 0) : qty;
        if (qty > 0 && model->is_stocked[item][node]) {
            uint32_t n = order->shares++;
            change->parts[effect->part_count] =
                (struct effect_part){.node = (uint16_t)node,
                                     .way = order->is_pickup ? WAY_PICKUP : WAY_SHIP_FROM_STORE,
                                     .service = order->is_pickup ? SERVICE_PICKUP
                                                                 : SERVICE_STANDARD,
                                     .metres = n};
            change->shares[effect->share_count++] =
                (struct effect_share){effect->part_count++, i, qty};
            order->item[n] = item;
            order->line[n] = i;
            order->node[n] = (uint16_t)node;
            order->qty[n] = qty;
            model->reserved[item][node] += qty;
            change->wanted[i] -= qty;
        }
        order->owed[i] = change->left[i] + change->wanted[i];
        change->owed[effect->owed_count++] = (struct effect_owed){
            i, order->owed[i], draw(model, 2) ? ORDER_HELD : ORDER_BACKORDERED,
            REASON_INSUFFICIENT_STOCK};
    }
}

static void order_replan(struct model *model)
{
    struct book_order *order = &model->orders[draw(model, ORDERS)];
    uint8_t bytes[4096];
    if (!order->is_live || order->shares + SHARES > SHARES_MAX || !is_open(order)) {
        return;
    }
    struct change change = {.effect = {.id = {order->id, (uint32_t)strlen(order->id)},
                                       .cause = (uint8_t)draw(model, CAUSE_COUNT),
                                       .service = order->is_pickup ? SERVICE_PICKUP
                                                                   : SERVICE_STANDARD,
                                       .at_ms = model->now,
                                       .postcode = {"9021", draw(model, 5)}}};
    struct effect_replan *effect = &change.effect;
    effect->moves = change.moves;
    effect->counts = effect->missing = &change.row;
    effect->parts = change.parts;
    effect->shares = change.shares;
    effect->owed = change.owed;
    effect->has_place = effect->has_dest = draw(model, 4) == 0;
    effect->lat = draw(model, 90);
    effect->postcode.len = effect->has_place ? effect->postcode.len : 0;
    change_leave(model, order, &change);
    if (draw(model, 2)) {
        change_decline(model, order, &change);
    }
    change_come(model, order, &change);
    uint32_t size = effect_replan_encode(bytes, effect);
    assert_true(size <= effect_replan_size(effect));
    assert_int_equal(tables_apply_replan(&model->live, ++model->lsn, model->now, effect), 0);
    replica_feed(model, effect_replan_type(effect), bytes, size);
}

/* The order tells of each share and line what the books say. */
static void compare_order(struct model *model, const struct book_order *book)
{
    const struct orders *orders = &model->live.orders;
    uint32_t len = (uint32_t)strlen(book->id);
    slab_ref ref = orders_find(orders, orders_hash(orders, book->id, len), book->id, len);
    assert_true(ref != 0);
    struct order *order = order_at(orders, ref);
    assert_int_equal(order->share_count, book->shares);
    for (uint32_t i = 0; i < book->shares; i++) {
        const struct order_share *share = &order_shares(order)[i];
        assert_int_equal(share->qty, book->qty[i]);
        assert_int_equal(share->moved, book->moved[i]);
        assert_int_equal(order_share_held(order, i), held(book, i));
        assert_int_equal(order_parts(order)[share->part].node, book->node[i]);
    }
    for (uint32_t i = 0; i < book->lines; i++) {
        assert_int_equal(owed_units(&model->live.owed, order, i), book->owed[i]);
    }
}

static void drop(struct model *model)
{
    struct effect_drop effect = {.keys = model->live.keyring.count / 2,
                                 .documents = model->live.documents.done.count / 2};
    uint8_t bytes[EFFECT_SMALL_MAX];
    while (effect.orders < model->live.orders.done_count && effect.orders < 5) {
        struct order *order = order_at(&model->live.orders,
                                       orders_done_at(&model->live.orders, effect.orders));
        for (uint32_t i = 0; i < ORDERS; i++) {
            struct book_order *book = &model->orders[i];
            book->is_live = book->is_live && (strlen(book->id) != order->id_len ||
                                              memcmp(book->id, order_id(order), order->id_len));
        }
        effect.orders++;
    }
    uint32_t size = effect_drop_encode(bytes, &effect);
    assert_int_equal(tables_apply_drop(&model->live, ++model->lsn, model->now, &effect), 0);
    replica_feed(model, EFFECT_DROP, bytes, size);
}

static void compare(struct model *model)
{
    for (uint32_t item = 0; item < ITEMS; item++) {
        for (uint16_t node = 0; node < NODES; node++) {
            struct cell cell = tables_cell(&model->live, item, node);
            cell_word word = tables_word(&cell);
            assert_int_equal(cell.index >= 0, model->is_stocked[item][node]);
            assert_int_equal(cell_on_hand(word), model->on_hand[item][node]);
            assert_int_equal(cell_reserved(word), model->reserved[item][node]);
            assert_true(tables_counted_at(&cell) == model->counted[item][node]);
        }
    }
    const struct book_order *order = &model->orders[draw(model, ORDERS)];
    if (order->is_live) {
        compare_order(model, order);
    }
}

static void step(struct model *model)
{
    uint32_t what = draw(model, 100);
    model->now += draw(model, 20);
    if (what < 1) {
        flag_put(model);
        places_put(model);
    } else if (what < 2) {
        node_put(model, draw(model, NODES));
    } else if (what < 4) {
        item_put(model, draw(model, ITEMS));
    } else if (what < 20) {
        stock_move(model);
    } else if (what < 24) {
        policy_set(model);
    } else if (what < 60) {
        order_put(model);
    } else if (what < 70) {
        order_cancel(model);
    } else if (what < 78) {
        order_replan(model);
    } else if (what < 90) {
        order_fulfil(model);
    } else if (what < 98) {
        document_change(model);
    } else {
        drop(model);
    }
}

static const struct tables_options options = {1000, 1000, 64 << 20, 10000, 1000, 100000,
                                              256,  10000, 1000, 0, 0, 0};
static const uint8_t secret[] = "0123456789abcdef";

/* A section that has records and is left out does not go unseen: it is refused, or what is saved
 * afterwards is another image. */
static void left_out(const struct image_memory *image)
{
    char why[IMAGE_WHY_SIZE];
    for (uint32_t i = 0; i < image_section_count; i++) {
        struct tables tables;
        if (image_memory_section(image, i) == 0) {
            continue;
        }
        assert_int_equal(tables_init(&tables, &options, secret), ERR_OK);
        if (image_memory_load(image, &tables, (int)i, why) == ERR_OK) {
            struct image_memory again;
            image_memory_save(&tables, &again);
            assert_false(image_memory_equal(image, &again));
            image_memory_free(&again);
        } else {
            assert_true(why[0] != '\0');
        }
        tables_close(&tables);
    }
}

/* Go on with tables that were loaded from an image of the live ones. */
static void reload(struct model *model, bool with_left_out)
{
    char why[IMAGE_WHY_SIZE];
    struct image_memory image;
    struct image_memory again;
    struct tables *loaded = &model->replicas[model->replica == &model->replicas[0]];
    image_memory_save(&model->live, &image);
    assert_int_equal(tables_init(loaded, &options, secret), ERR_OK);
    enum err err = image_memory_load(&image, loaded, -1, why);
    if (err != ERR_OK) {
        fail_msg("%s", why);
    }
    tables_check(loaded);
    image_memory_save(loaded, &again);
    assert_true(image_memory_equal(&image, &again));
    if (with_left_out) {
        left_out(&image);
    }
    tables_close(model->replica);
    model->replica = loaded;
    image_memory_free(&image);
    image_memory_free(&again);
}

/* Live tables, tables from records, and naive books say the same after every step; and a fresh
 * layout changes nothing that can be seen. */
static void tables_match_books(void **state)
{
    (void)state;
    static struct model model;
    rng_init(&model.rng, seed);
    model.now = 1000000;
    model.replica = &model.replicas[0];
    assert_int_equal(tables_init(&model.live, &options, secret), 0);
    assert_int_equal(tables_init(model.replica, &options, secret), 0);
    for (uint32_t n = 0; n < NODES; n++) {
        node_put(&model, n);
    }
    for (uint32_t n = 0; n < ITEMS; n++) {
        item_put(&model, n);
    }
    for (uint32_t i = 0; i < steps; i++) {
        step(&model);
        compare(&model);
        if (i % 512 == 0) {
            tables_check(&model.live);
            tables_check(model.replica);
            reload(&model, i % 8192 == 4096);
            model.live.network.is_dirty = true;
            model.live.network.words += 8;
            assert_int_equal(tables_layout(&model.live), 0);
            compare(&model);
        }
    }
    tables_close(&model.live);
    tables_close(model.replica);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : seed;
    steps = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : steps;
    printf("seed %llu: replay with test_tables %llu %u\n", (unsigned long long)seed,
           (unsigned long long)seed, steps);
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_match_books)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
