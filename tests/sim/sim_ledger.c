/* Events added up, by the rules of the contract's page and nothing else. */
#include "sim_ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hash.h"

enum { STEP_OUT = 4, STEP_LAST = 5, DAY_MS = 86400000 };

static uint64_t window_of_ids; /* what is done may leave after so many ms, and its id come again */

struct ledger *ledger_new(uint64_t begin_ms, uint64_t window_ms)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    CHECK(ledger != NULL);
    ledger->begin_day = begin_ms / DAY_MS;
    ledger->last_n = -1;
    window_of_ids = window_ms;
    return ledger;
}

void ledger_free(struct ledger *ledger)
{
    free(ledger);
}

/* -- fields -- */

static bool has_int(const struct sim_value *map, const char *name, int64_t *out)
{
    const struct sim_value *value = sim_field(map, name);
    *out = value && value->kind == READER_KIND_INT ? value->number : 0;
    return value && value->kind == READER_KIND_INT;
}

static uint32_t id_of(const struct sim_value *map, const char *name, char letter, uint32_t below)
{
    const uint32_t id = sim_id(sim_field(map, name), letter);
    CHECK(id < below);
    return id;
}

/* Number of a fulfilment in its order, from 0; UINT32_MAX: not told. */
static uint32_t part_of(const struct sim_value *map)
{
    const struct sim_value *text = sim_field(map, "fulfilment");
    uint32_t part = 0;
    uint32_t at = 0;
    if (!text) {
        return UINT32_MAX;
    }
    while (at < text->text.len && text->text.at[at] != '/') {
        at++;
    }
    CHECK(at + 1 < text->text.len);
    for (at++; at < text->text.len; at++) {
        part = part * 10 + (uint32_t)(text->text.at[at] - '0');
    }
    CHECK(part > 0);
    return part - 1;
}

static struct ledger_cell *cell_at(struct ledger *ledger, uint32_t item, uint32_t node)
{
    CHECK(item < BOOKS_ITEMS);
    CHECK(node <= BOOKS_NODES);
    return &ledger->cells[node][item];
}

static struct ledger_order *order_of(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_order *order =
        &ledger->orders[id_of(event, "order_id", 'o', BOOKS_ORDERS_MAX)];
    CHECK(order->is_there);
    return order;
}

/* -- units -- */

/* A movement that a later count has already changes nothing. A count that only confirms has no
 * event: whether it has a movement that is told late, the next answer says. */
static void moved(const struct ledger *ledger, struct ledger_cell *cell, int64_t units,
                  int64_t as_of)
{
    const bool is_counted = (uint64_t)as_of > cell->counted_at;
    cell->on_hand += is_counted ? units : 0;
    if (is_counted && as_of < ledger->last_at) {
        cell->doubt_low += units > 0 ? units : 0;
        cell->doubt_high += units < 0 ? -units : 0;
    }
}

static int64_t free_units(const struct ledger *ledger, uint32_t item, uint32_t node)
{
    const struct ledger_cell *cell = &ledger->cells[node][item];
    const int64_t safety = cell->has_safety ? cell->safety : ledger->node_safety[node];
    return cell->on_hand + cell->doubt_high - cell->reserved - safety;
}

/* Invariant 1, seen from outside: what was taken was free. */
static void taken(struct ledger *ledger, uint32_t item, uint32_t node, int64_t units)
{
    struct ledger_cell *cell = cell_at(ledger, item, node);
    CHECK(units > 0);
    cell->reserved += units;
    CHECK(free_units(ledger, item, node) >= 0); /* oversold */
    CHECK(!cell->is_unlisted);
}

static void given(struct ledger *ledger, uint32_t item, uint32_t node, int64_t units)
{
    struct ledger_cell *cell = cell_at(ledger, item, node);
    CHECK(units <= cell->reserved);
    cell->reserved -= units;
}

/* -- shares of orders -- */

static int64_t active_of(const struct ledger_share *share)
{
    return share->qty - share->gone - share->no_show;
}

int64_t ledger_share_held(const struct ledger_order *order, const struct ledger_share *share)
{
    const bool is_pickup = order->parts[share->part].is_pickup;
    return active_of(share) - share->reached[is_pickup ? STEP_LAST : STEP_OUT];
}

static void clip(struct ledger_share *share)
{
    for (uint32_t step = 0; step < BOOKS_STEPS; step++) {
        const int64_t active = active_of(share);
        share->reached[step] = share->reached[step] < active ? share->reached[step] : active;
    }
}

/* The hold that the share lost since it held before. */
static void held_fell(struct ledger *ledger, const struct ledger_order *order,
                      const struct ledger_share *share, int64_t before)
{
    const int64_t units = before - ledger_share_held(order, share);
    CHECK(units >= 0);
    given(ledger, share->item, order->parts[share->part].node, units);
}

static struct ledger_share *share_of(struct ledger_order *order, const struct sim_value *line)
{
    const int64_t index = sim_int(line, "share");
    CHECK(index >= 0);
    CHECK(index < order->share_count);
    return &order->shares[index];
}

/* Units that are cancelled, rejected or moved use no capacity any more. */
static void shares_leave(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_order *order = order_of(ledger, event);
    for (const struct sim_value *line = sim_list(event, "lines")->first; line; line = line->next) {
        struct ledger_share *share = share_of(order, line);
        const int64_t held = ledger_share_held(order, share);
        const int64_t units = sim_int(line, "qty");
        CHECK(units > 0);
        CHECK(units <= held);
        share->gone += units;
        clip(share);
        held_fell(ledger, order, share, held);
        ledger->used[order->parts[share->part].node][share->day] -= units;
    }
}

static void promises_leave(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_order *order = order_of(ledger, event);
    for (const struct sim_value *line = sim_list(event, "lines")->first; line; line = line->next) {
        const struct ledger_share *share = share_of(order, line);
        promises_left(ledger, order, share->part, share->line);
    }
}

static void no_show_undo(struct ledger *ledger, const struct ledger_order *order,
                         struct ledger_share *share, int64_t total)
{
    const int64_t units = total - active_of(share);
    if (units > 0) {
        CHECK(units <= share->no_show);
        share->no_show -= units;
        cell_at(ledger, share->item, order->parts[share->part].node)->reserved += units;
    }
}

static void share_reach(struct ledger *ledger, const struct ledger_order *order,
                        struct ledger_share *share, int64_t total, uint32_t step, int64_t as_of)
{
    const uint32_t node = order->parts[share->part].node;
    no_show_undo(ledger, order, share, total);
    CHECK(total <= active_of(share));
    const int64_t held = ledger_share_held(order, share);
    for (uint32_t i = 0; i <= step; i++) {
        share->reached[i] = share->reached[i] > total ? share->reached[i] : total;
    }
    const int64_t units = held - ledger_share_held(order, share);
    held_fell(ledger, order, share, held);
    if (units > 0) {
        moved(ledger, cell_at(ledger, share->item, node), -units, as_of);
    }
}

static void share_no_show(struct ledger *ledger, const struct ledger_order *order,
                          struct ledger_share *share, int64_t total)
{
    const int64_t held = ledger_share_held(order, share);
    share->no_show = total > share->no_show ? total : share->no_show;
    CHECK(active_of(share) >= 0);
    clip(share);
    held_fell(ledger, order, share, held);
}

/* Where a state stands; BOOKS_STEPS: nowhere. ready of a pickup stands where shipped does. */
static uint32_t step_of(const struct sim_value *state)
{
    static const char *const names[] = {"accepted", "picking", "picked", "packed", "shipped",
                                        "delivered", "ready", "collected"};
    for (uint32_t i = 0; i < 8; i++) {
        if (sim_is(state, names[i])) {
            return i < BOOKS_STEPS ? i : i - 2;
        }
    }
    return BOOKS_STEPS;
}

static void on_fulfil_state(struct ledger *ledger, const struct sim_value *event)
{
    const struct sim_value *state = sim_text(event, "state");
    if (sim_is(state, "rejected") || sim_is(state, "cancelled")) {
        shares_leave(ledger, event);
        promises_leave(ledger, event);
        return;
    }
    struct ledger_order *order = order_of(ledger, event);
    const int64_t as_of = sim_int(event, "as_of");
    for (const struct sim_value *line = sim_list(event, "lines")->first; line; line = line->next) {
        struct ledger_share *share = share_of(order, line);
        if (sim_is(state, "no_show")) {
            share_no_show(ledger, order, share, sim_int(line, "qty"));
        } else {
            CHECK(step_of(state) < BOOKS_STEPS);
            share_reach(ledger, order, share, sim_int(line, "qty"), step_of(state), as_of);
        }
    }
}

/* -- orders -- */

static char name_of(const struct sim_value *entry)
{
    const struct sim_value *name = sim_text(entry, "line");
    CHECK(name->text.len == 1);
    return name->text.at[0];
}

static void on_order_routed(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_order *order =
        &ledger->orders[id_of(event, "order_id", 'o', BOOKS_ORDERS_MAX)];
    for (uint32_t i = 0; i < order->share_count; i++) {
        CHECK(ledger_share_held(order, &order->shares[i]) == 0); /* the id of a living order */
    }
    if (order->is_there) { /* else it is zeros, most of them never touched */
        memset(order, 0, sizeof *order);
    }
    order->is_there = true;
    promises_routed(ledger, order);
    for (const struct sim_value *line = sim_list(event, "lines")->first; line; line = line->next) {
        CHECK(order->line_count < LEDGER_LINES);
        order->items[order->line_count] = id_of(line, "item", 'i', BOOKS_ITEMS);
        order->names[order->line_count] = name_of(line);
        (void)has_int(line, "owed", &order->owed[order->line_count]);
        order->line_count++;
    }
}

/* Taken along by the customer: nothing was held, and a count of this very moment was before. */
static void carried_out(struct ledger *ledger, const struct ledger_order *order,
                        struct ledger_share *share, int64_t at)
{
    struct ledger_cell *cell = cell_at(ledger, share->item, order->parts[share->part].node);
    for (uint32_t i = 0; i < BOOKS_STEPS; i++) {
        share->reached[i] = share->qty;
    }
    moved(ledger, cell, -share->qty, (int64_t)cell->counted_at > at ? (int64_t)cell->counted_at + 1
                                                            : at + 1);
}

/* The line's number, from 0: told as such, or that of its name and item. */
static uint32_t line_of(const struct ledger_order *order, const struct sim_value *entry)
{
    int64_t index;
    if (!has_int(entry, "index", &index)) {
        const uint32_t item = id_of(entry, "item", 'i', BOOKS_ITEMS);
        index = 0;
        while (index < order->line_count &&
               (order->names[index] != name_of(entry) || order->items[index] != item)) {
            index++;
        }
    }
    CHECK(index >= 0);
    CHECK(index < LEDGER_LINES);
    return (uint32_t)index;
}

static void on_fulfil_created(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_order *order = order_of(ledger, event);
    const uint32_t part = part_of(event);
    const bool is_carried = sim_is(sim_field(event, "state"), "collected");
    const uint32_t node = id_of(event, "node", 'n', BOOKS_NODES + 1);
    const int64_t at = sim_int(event, "at");
    CHECK(order->part_count < LEDGER_PARTS);
    CHECK(part == UINT32_MAX || part == order->part_count);
    order->parts[order->part_count] =
        (struct ledger_part){node, sim_is(sim_field(event, "method"), "pickup"), 0};
    (void)has_int(event, "deliver_by", &order->parts[order->part_count].deliver_by);
    for (const struct sim_value *line = sim_list(event, "lines")->first; line; line = line->next) {
        int64_t told;
        CHECK(order->share_count < LEDGER_SHARES);
        CHECK(!has_int(line, "share", &told) || told == order->share_count);
        struct ledger_share *share = &order->shares[order->share_count++];
        const uint32_t index = line_of(order, line);
        CHECK(index < order->line_count);
        *share = (struct ledger_share){.part = order->part_count,
                                       .line = index,
                                       .item = order->items[index],
                                       .qty = sim_int(line, "qty"),
                                       .day = (uint32_t)((uint64_t)at / DAY_MS -
                                                         ledger->begin_day)};
        CHECK(share->day < LEDGER_DAYS);
        promises_comes(ledger, order, index, order->parts[order->part_count].deliver_by);
        ledger->used[node][share->day] += share->qty;
        if (is_carried) {
            carried_out(ledger, order, share, at);
        } else {
            taken(ledger, share->item, node, share->qty);
        }
    }
    order->part_count++;
}

static void on_order_cancelled(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_order *order = order_of(ledger, event);
    shares_leave(ledger, event);
    const struct sim_value *owed = sim_field(event, "owed");
    for (const struct sim_value *line = owed ? owed->first : NULL; line; line = line->next) {
        int64_t *units = &order->owed[line_of(order, line)];
        CHECK(sim_int(line, "qty") <= *units);
        *units -= sim_int(line, "qty");
    }
}

static void on_order_held(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_order *order = order_of(ledger, event);
    for (const struct sim_value *line = sim_list(event, "lines")->first; line; line = line->next) {
        promises_owed(ledger, order, line_of(order, line));
        order->owed[line_of(order, line)] = sim_int(line, "owed");
    }
}

static void on_promise_broken(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_broken broken = {.is_owed = sim_is_true(event, "owed"),
                                   .was = sim_int(event, "was")};
    (void)has_int(event, "deliver_by", &broken.by);
    promises_told(ledger, order_of(ledger, event), part_of(event), broken);
}

static void on_order_changed(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_order *order = order_of(ledger, event);
    for (const struct sim_value *line = sim_list(event, "lines")->first; line; line = line->next) {
        const uint32_t index = line_of(order, line);
        order->names[index] = name_of(line);
        order->items[index] = id_of(line, "item", 'i', BOOKS_ITEMS);
        order->line_count = order->line_count > index ? order->line_count : index + 1;
    }
}

/* -- stock and nodes -- */

static uint32_t node_of_stock(struct ledger *ledger, const struct sim_value *event)
{
    const uint32_t part = part_of(event);
    if (sim_field(event, "node")) {
        return id_of(event, "node", 'n', BOOKS_NODES + 1);
    }
    const uint32_t order = id_of(event, "fulfilment", 'o', BOOKS_ORDERS_MAX);
    CHECK(part < ledger->orders[order].part_count);
    return ledger->orders[order].parts[part].node;
}

static void on_stock_changed(struct ledger *ledger, const struct sim_value *event)
{
    const uint32_t node = node_of_stock(ledger, event);
    struct ledger_cell *cell =
        cell_at(ledger, id_of(event, "item", 'i', BOOKS_ITEMS), node);
    int64_t value;
    if (sim_is(sim_text(event, "cause"), "policy")) {
        cell->has_safety = has_int(event, "safety_stock", &cell->safety);
        cell->is_unlisted = !sim_is_true(event, "listed");
    } else if (has_int(event, "on_hand", &value)) {
        cell->on_hand = value;
        cell->doubt_low = cell->doubt_high = 0;
        cell->counted_at = (uint64_t)sim_int(event, "as_of");
    } else {
        moved(ledger, cell, sim_int(event, "delta"), sim_int(event, "as_of"));
    }
}

static void on_node_changed(struct ledger *ledger, const struct sim_value *event)
{
    if (sim_is(sim_text(event, "what"), "config")) {
        ledger->node_safety[id_of(event, "node", 'n', BOOKS_NODES + 1)] =
            sim_int(event, "safety_stock");
    }
}

/* -- reservations -- */

static struct ledger_reservation *reservation_of(struct ledger *ledger,
                                                 const struct sim_value *event)
{
    return &ledger->reservations[id_of(event, "reservation_id", 'r', LEDGER_IDS)];
}

static void piece_give(struct ledger *ledger, struct ledger_piece *piece, int64_t units)
{
    CHECK(units <= piece->held);
    piece->held -= units;
    given(ledger, piece->item, piece->node, units);
}

static void pieces_give(struct ledger *ledger, struct ledger_reservation *own)
{
    for (uint32_t i = 0; i < own->piece_count; i++) {
        piece_give(ledger, &own->pieces[i], own->pieces[i].held);
    }
}

static void on_reserve_held(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_reservation *own = reservation_of(ledger, event);
    const struct sim_value *lines = sim_field(event, "lines");
    own->expires_at = sim_int(event, "expires_at");
    if (!lines) {
        return;
    }
    pieces_give(ledger, own);
    own->state = "held";
    own->piece_count = 0;
    for (const struct sim_value *line = lines->first; line; line = line->next) {
        CHECK(own->piece_count < LEDGER_PIECES);
        struct ledger_piece *piece = &own->pieces[own->piece_count++];
        *piece = (struct ledger_piece){.item = id_of(line, "item", 'i', BOOKS_ITEMS),
                                       .node = id_of(line, "node", 'n', BOOKS_NODES + 1),
                                       .held = sim_int(line, "held"),
                                       .order = ledger->piece_order++};
        taken(ledger, piece->item, piece->node, piece->held);
    }
}

static void reserve_ends(struct ledger *ledger, const struct sim_value *event, const char *state)
{
    struct ledger_reservation *own = reservation_of(ledger, event);
    CHECK(own->state != NULL);
    pieces_give(ledger, own);
    own->state = state;
}

static void on_reserve_released(struct ledger *ledger, const struct sim_value *event)
{
    reserve_ends(ledger, event, "released");
}

/* Never before its time. */
static void on_reserve_expired(struct ledger *ledger, const struct sim_value *event)
{
    CHECK(sim_int(event, "at") >= reservation_of(ledger, event)->expires_at);
    reserve_ends(ledger, event, "expired");
}

static void on_reserve_committed(struct ledger *ledger, const struct sim_value *event)
{
    reserve_ends(ledger, event, "committed");
}

static struct ledger_piece *newest_piece(struct ledger *ledger, uint32_t item, uint32_t node,
                                         struct ledger_reservation **own_out)
{
    struct ledger_piece *newest = NULL;
    for (uint32_t i = 0; i < LEDGER_IDS; i++) {
        struct ledger_reservation *own = &ledger->reservations[i];
        for (uint32_t k = 0; k < own->piece_count; k++) {
            struct ledger_piece *piece = &own->pieces[k];
            const bool is_here = piece->held > 0 && piece->item == item && piece->node == node;
            if (is_here && (!newest || piece->order > newest->order)) {
                newest = piece;
                *own_out = own;
            }
        }
    }
    return newest;
}

static void on_reserve_broken(struct ledger *ledger, const struct sim_value *event)
{
    const uint32_t item = id_of(event, "item", 'i', BOOKS_ITEMS);
    const uint32_t node = id_of(event, "node", 'n', BOOKS_NODES + 1);
    struct ledger_reservation *own = NULL;
    struct ledger_piece *piece = newest_piece(ledger, item, node, &own);
    CHECK(piece != NULL);
    CHECK(own == reservation_of(ledger, event));
    CHECK(piece->held >= sim_int(event, "qty"));
    own->state = "broken";
    piece_give(ledger, piece, sim_int(event, "qty"));
}

static void on_reserve_taken(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_reservation *own = reservation_of(ledger, event);
    const uint32_t item = id_of(event, "item", 'i', BOOKS_ITEMS);
    const uint32_t node = id_of(event, "node", 'n', BOOKS_NODES + 1);
    int64_t left = sim_int(event, "qty");
    for (uint32_t i = 0; i < own->piece_count && left > 0; i++) {
        struct ledger_piece *piece = &own->pieces[i];
        const bool is_here = piece->item == item && piece->node == node;
        const int64_t units = !is_here ? 0 : piece->held < left ? piece->held : left;
        piece_give(ledger, piece, units);
        left -= units;
    }
    CHECK(left == 0);
}

/* -- documents -- */

static int64_t total_of(const struct sim_value *event, const char *name)
{
    int64_t sum = 0;
    for (const struct sim_value *line = sim_list(event, "lines")->first; line; line = line->next) {
        sum += sim_int(line, name);
    }
    return sum;
}

/* The same id may stand for another document once the first is done and its window over. Supplies
 * and transfers begin with nothing; of a return with one line it is taken for granted. */
static bool is_another(const struct sim_value *event, const struct ledger_document *own,
                       enum ledger_document_kind kind)
{
    static const char *const first[] = {NULL, "received", "shipped"};
    int64_t sum = 0;
    if (!own->is_done || own->at_ms + (int64_t)window_of_ids > sim_int(event, "at")) {
        return false;
    }
    for (uint32_t i = 0; i < LEDGER_DOCUMENT_LINES; i++) {
        sum += own->counts[i][0];
    }
    return kind == LEDGER_RETURN ? sim_list(event, "lines")->count == 1
                                 : total_of(event, first[kind]) < sum;
}

static struct ledger_document *document_of(struct ledger *ledger, const struct sim_value *event,
                                           enum ledger_document_kind kind)
{
    static const char *const names[] = {"return_id", "supply_id", "transfer_id"};
    static const char letters[] = {'b', 's', 't'};
    struct ledger_document *own =
        &ledger->documents[kind][id_of(event, names[kind], letters[kind], LEDGER_IDS)];
    if (is_another(event, own, kind)) {
        memset(own, 0, sizeof *own);
    }
    own->is_there = true;
    own->at_ms = sim_int(event, "at");
    return own;
}

/* Totals only grow; how much by. */
static int64_t grown(struct ledger_document *own, const struct sim_value *line, uint32_t index,
                     uint32_t field, const char *name)
{
    CHECK(index < LEDGER_DOCUMENT_LINES);
    const int64_t units = sim_int(line, name) - own->counts[index][field];
    CHECK(units >= 0);
    own->counts[index][field] += units;
    return units;
}

/* Whether it is another return of its id, only the next answer says: perhaps what came before is in
 * its totals. */
static void doubt_return(struct ledger *ledger, const struct sim_value *event,
                         const struct ledger_document *before)
{
    const struct sim_value *line = sim_list(event, "lines")->first;
    const int64_t units = before->counts[0][0];
    if (units == 0 || units > sim_int(line, "sellable")) {
        return;
    }
    struct ledger_cell *cell = cell_at(ledger, id_of(line, "item", 'i', BOOKS_ITEMS),
                                       id_of(event, "node", 'n', BOOKS_NODES + 1));
    cell->doubt_low += (uint64_t)sim_int(event, "as_of") > cell->counted_at ? units : 0;
}

static void on_return(struct ledger *ledger, const struct sim_value *event)
{
    static const char *const names[] = {"sellable", "damaged", "unsellable"};
    const struct ledger_document before =
        ledger->documents[LEDGER_RETURN][id_of(event, "return_id", 'b', LEDGER_IDS)];
    struct ledger_document *own = document_of(ledger, event, LEDGER_RETURN);
    uint32_t index = 0;
    if (is_another(event, &before, LEDGER_RETURN)) {
        doubt_return(ledger, event, &before);
    }
    own->is_done = true;
    for (const struct sim_value *line = sim_list(event, "lines")->first; line;
         line = line->next, index++) {
        int64_t all = 0;
        for (uint32_t i = 0; i < 3; i++) {
            const int64_t units = grown(own, line, index, i, names[i]);
            all += own->counts[index][i];
            if (i == 0 && units > 0) {
                moved(ledger, cell_at(ledger, id_of(line, "item", 'i', BOOKS_ITEMS),
                              id_of(event, "node", 'n', BOOKS_NODES + 1)),
                      units, sim_int(event, "as_of"));
            }
        }
        own->is_done = own->is_done && all >= sim_int(line, "qty");
    }
    own->is_done = own->is_done || sim_is_true(event, "cancelled");
}

static void on_supply(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_document *own = document_of(ledger, event, LEDGER_SUPPLY);
    const struct sim_value *line = sim_list(event, "lines")->first;
    const int64_t units = grown(own, line, 0, 0, "received");
    own->is_done = sim_is_true(event, "cancelled") || own->counts[0][0] >= sim_int(line, "qty");
    moved(ledger, cell_at(ledger, id_of(line, "item", 'i', BOOKS_ITEMS),
                  id_of(event, "node", 'n', BOOKS_NODES + 1)),
          units, sim_int(event, "as_of"));
}

static void transfer_line(struct ledger *ledger, const struct sim_value *event,
                          struct ledger_document *own, const struct sim_value *line,
                          uint32_t index)
{
    const uint32_t item = id_of(line, "item", 'i', BOOKS_ITEMS);
    const uint32_t from = id_of(event, "from", 'n', BOOKS_NODES + 1);
    const int64_t as_of = sim_int(event, "as_of");
    const int64_t shipped = grown(own, line, index, 0, "shipped");
    const int64_t received = grown(own, line, index, 1, "received");
    const bool is_cancelled = sim_is_true(event, "cancelled");
    const int64_t out = own->counts[index][0];
    const int64_t held = is_cancelled ? 0 : sim_int(line, "qty") - out;
    CHECK(own->counts[index][1] <= out);
    if (held > own->held[index]) {
        taken(ledger, item, from, held - own->held[index]);
    } else {
        given(ledger, item, from, own->held[index] - held);
    }
    own->held[index] = held;
    moved(ledger, cell_at(ledger, item, from), -shipped, as_of);
    moved(ledger, cell_at(ledger, item, id_of(event, "to", 'n', BOOKS_NODES + 1)), received, as_of);
    own->is_done = own->is_done && held == 0 && own->counts[index][1] == out;
}

static void on_transfer(struct ledger *ledger, const struct sim_value *event)
{
    struct ledger_document *own = document_of(ledger, event, LEDGER_TRANSFER);
    uint32_t index = 0;
    own->is_done = true;
    for (const struct sim_value *line = sim_list(event, "lines")->first; line;
         line = line->next, index++) {
        transfer_line(ledger, event, own, line, index);
    }
}

/* -- any event -- */

static const struct taker {
    const char *type;
    void (*take)(struct ledger *, const struct sim_value *);
} takers[] = {
    {"order.routed", on_order_routed},
    {"fulfil.created", on_fulfil_created},
    {"fulfil.state", on_fulfil_state},
    {"order.cancelled", on_order_cancelled},
    {"order.changed", on_order_changed},
    {"order.held", on_order_held},
    {"order.done", NULL},
    {"promise.broken", on_promise_broken},
    {"reserve.held", on_reserve_held},
    {"reserve.released", on_reserve_released},
    {"reserve.expired", on_reserve_expired},
    {"reserve.committed", on_reserve_committed},
    {"reserve.broken", on_reserve_broken},
    {"reserve.taken", on_reserve_taken},
    {"stock.changed", on_stock_changed},
    {"stock.short", NULL},
    {"node.changed", on_node_changed},
    {"item.changed", NULL},
    {"strategy.changed", NULL},
    {"return.created", on_return},
    {"return.received", on_return},
    {"return.expired", on_return},
    {"supply.changed", on_supply},
    {"transfer.changed", on_transfer},
};

static const struct taker *taker_of(const struct sim_value *event)
{
    const struct sim_value *type = sim_text(event, "type");
    for (uint32_t i = 0; i < sizeof takers / sizeof takers[0]; i++) {
        if (sim_is(type, takers[i].type)) {
            return &takers[i];
        }
    }
    fprintf(stderr, "an event of type %.*s\n", (int)type->text.len, type->text.at);
    CHECK_UNREACHABLE("no such event on the contract's page");
}

static uint64_t mixed(uint64_t hash, const void *bytes, uint32_t size)
{
    return (hash ^ hash_fixed(bytes, size)) * 0x9e3779b97f4a7c15U;
}

static uint64_t value_hash(uint64_t hash, const struct sim_value *value)
{
    const uint64_t facts[] = {(uint64_t)value->kind, value->count, (uint64_t)value->number};
    hash = mixed(hash, facts, sizeof facts);
    hash = mixed(hash, &value->real, sizeof value->real);
    hash = mixed(hash, value->text.at, value->text.len);
    hash = mixed(hash, value->name.at, value->name.len);
    for (const struct sim_value *inner = value->first; inner; inner = inner->next) {
        hash = value_hash(hash, inner);
    }
    return hash ^ hash >> 29;
}

uint64_t ledger_hash(const struct sim_value *event)
{
    return value_hash(1, event);
}

void ledger_take(struct ledger *ledger, const struct sim_value *event)
{
    const uint64_t lsn = (uint64_t)sim_int(event, "lsn");
    const int64_t n = sim_int(event, "n");
    const struct taker *taker = taker_of(event);
    CHECK(lsn > ledger->last_lsn || (lsn == ledger->last_lsn && n == ledger->last_n + 1));
    CHECK(lsn == ledger->last_lsn || n == 0);
    CHECK(sim_int(event, "at") >= ledger->last_at);
    CHECK(lsn < LEDGER_LSNS);
    if (lsn != ledger->last_lsn) {
        promises_begin(ledger, lsn);
    }
    ledger->last_lsn = lsn;
    ledger->last_n = n;
    ledger->last_at = sim_int(event, "at");
    ledger->hashes[lsn] += ledger_hash(event);
    ledger->events++;
    if (taker->take) {
        taker->take(ledger, event);
    }
}
