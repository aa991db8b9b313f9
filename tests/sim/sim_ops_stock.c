/* Stock: movements, counts, loads, policies, and what is read of them. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "sim_ops_internal.h"

static void draw_cell(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    request->item = draw_item(sim);
    request->node = draw_node(sim);
    form_id(form, "item", 'i', request->item);
    form_id(form, "node", 'n', request->node);
}

static uint64_t time_of(struct sim *sim, const struct sim_request *request)
{
    const struct books_cell *cell = books_cell(sim->books, request->item, request->node);
    return request->at_ms ? request->at_ms : books_arrival(cell, sim_now(sim));
}

static void check_amounts(const struct sim *sim, const struct sim_value *answer, uint32_t item,
                          uint32_t node)
{
    if (sim->is_wide) {
        if (is_ledger_current(sim)) {
            ledger_check_cell(sim->ledger, answer, item, node);
        }
        return;
    }
    const struct books_cell *cell = &sim->books->cells[node][item];
    const int64_t on_hand = sim_int(answer, "on_hand");
    const int64_t reserved = sim_int(answer, "reserved");
    const int64_t ats = sim_int(answer, "ats");
    if (on_hand != cell->on_hand || reserved != cell->reserved ||
        ats != books_ats(sim->books, item, node)) {
        fprintf(stderr,
                "i%u at n%u: on_hand %" PRId64 ", reserved %" PRId64 ", ats %" PRId64
                "; the books have %" PRId64 ", %" PRId64 ", %" PRId64 "\n",
                item, node, on_hand, reserved, ats, cell->on_hand, cell->reserved,
                books_ats(sim->books, item, node));
        CHECK_UNREACHABLE("a cell is not what the books say");
    }
}

static void check_ats(const struct sim *sim, const struct sim_value *answer, uint32_t item,
                      uint32_t node)
{
    const int64_t ats = sim_int(answer, "ats");
    if (!sim->is_wide && ats != books_ats(sim->books, item, node)) {
        fprintf(stderr, "i%u at n%u: ats %" PRId64 ", the books have %" PRId64 "\n", item, node,
                ats, books_ats(sim->books, item, node));
        CHECK_UNREACHABLE("ats is not what the books say");
    }
}

/* The facts of a change's first answer, which its retries tell again. */
static void facts_of(const struct sim_value *answer, int64_t facts[BOOKS_FACTS])
{
    facts[0] = sim_int(answer, "on_hand");
    facts[1] = sim_int(answer, "reserved");
    facts[2] = sim_int(answer, "ats");
}

/* True: the key's answer is all there is; the facts are the first ones. */
static bool is_told_again(struct sim *sim, const struct sim_request *request,
                          const struct sim_reply *reply)
{
    int64_t facts[BOOKS_FACTS];
    const enum key_says says = key_judge(sim, request);
    if (!is_key_answer(sim, request, reply)) {
        return false;
    }
    CHECK(reply->error || says != KEY_SAYS_NEW); /* a duplicate of nothing */
    if (reply->result && says == KEY_SAYS_DUPLICATE) {
        facts_of(reply->result, facts);
        CHECK(memcmp(facts, sim->books->keys[request->key].facts, sizeof facts) == 0);
    }
    return true;
}

/* -- stock.adjust -- */

/* Whose units they are: of any cell. */
static void put_owner(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    if (sim_chance(sim, 50)) {
        form_fulfilment(sim, request, form);
    } else {
        draw_thing(sim, request, BOOKS_RESERVATION);
        form_id(form, "reservation_id", 'r', request->thing);
    }
}

/* Units that are held, as far as events have told. */
static bool put_held(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    char id[24];
    if (sim_chance(sim, 50)) {
        if (!draw_held(sim, &request->thing, &request->item, &request->node)) {
            return false;
        }
        request->thing_kind = BOOKS_RESERVATION;
        form_id(form, "reservation_id", 'r', request->thing);
    } else {
        if (!draw_share(sim, &request->order, &request->part, &request->item, &request->node)) {
            return false;
        }
        snprintf(id, sizeof id, "o%u/%u", request->order, request->part + 1);
        form_text(form, "fulfilment", id);
    }
    form_id(form, "item", 'i', request->item);
    form_id(form, "node", 'n', request->node);
    return true;
}

void adjust_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    const bool is_held = sim->is_wide && sim_chance(sim, 15) && put_held(sim, request, &form);
    if (!is_held) {
        draw_cell(sim, request, &form);
    }
    const int64_t delta = is_held ? -1 - (int64_t)sim_draw(sim, 3) : (int64_t)sim_draw(sim, 30) - 6;
    request->lines[0].value = delta ? delta : 1;
    form_int(&form, "delta", request->lines[0].value);
    if (!is_held && sim->is_wide && sim_chance(sim, 8)) {
        put_owner(sim, request, &form);
    }
    if (sim_chance(sim, 40)) {
        request->at_ms = draw_time(sim);
        form_int(&form, "at", (int64_t)request->at_ms);
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

void adjust_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    int64_t facts[BOOKS_FACTS];
    if (is_told_again(sim, request, reply)) {
        return;
    }
    const bool is_taken = sim->is_wide || books_move(sim->books, request->item, request->node,
                                                     request->lines[0].value,
                                                     time_of(sim, request));
    CHECK(sim->is_wide || sim_is_true(reply->result, "absorbed") == !is_taken);
    check_amounts(sim, reply->result, request->item, request->node);
    facts_of(reply->result, facts);
    key_note(sim, request, facts);
}

/* -- stock.set -- */

void set_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    draw_cell(sim, request, &form);
    request->lines[0].value = sim_draw(sim, 40);
    form_int(&form, "on_hand", request->lines[0].value);
    if (sim_chance(sim, 50)) {
        request->at_ms = draw_time(sim);
        form_int(&form, "counted_at", (int64_t)request->at_ms);
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

/* With a small ring of movements an old count may be stale at any cell. */
static void refused_stale(const struct sim *sim, const struct sim_request *request,
                          const struct sim_reply *reply)
{
    const struct books_cell *cell = &sim->books->cells[request->node][request->item];
    CHECK(sim_is_refused(reply, "STALE_COUNT"));
    const uint64_t at_ms = request->at_ms ? request->at_ms : books_arrival(cell, sim_now(sim));
    CHECK(at_ms <= cell->counted_at || sim->is_small || sim->is_wide);
}

void set_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    int64_t facts[BOOKS_FACTS];
    if (is_told_again(sim, request, reply)) {
        return;
    }
    if (sim_is_refused(reply, NULL)) {
        refused_stale(sim, request, reply);
        return;
    }
    const struct books_cell *cell = books_cell(sim->books, request->item, request->node);
    const uint64_t at_ms =
        request->at_ms ? request->at_ms : books_count_arrival(cell, sim_now(sim));
    const bool is_taken =
        sim->is_wide || books_count(sim->books, request->item, request->node,
                                    request->lines[0].value, at_ms);
    CHECK(is_taken);
    check_amounts(sim, reply->result, request->item, request->node);
    facts_of(reply->result, facts);
    key_note(sim, request, facts);
}

/* -- stock.load -- */

static void load_rows(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    const bool is_first = sim->forced != SIM_NONE;
    struct writer *writer = form_key(form, "rows");
    const uint32_t mark = writer_open(writer);
    for (uint32_t item = 0; item < BOOKS_ITEMS; item++) {
        if (is_first || sim_chance(sim, 50)) {
            const int64_t value = sim_draw(sim, is_first ? 400 : 60);
            request->lines[request->line_count++] = (struct sim_line){item, value};
            writer_array(writer, 2);
            put_id(writer, 'i', item);
            writer_int(writer, value);
        }
    }
    writer_array_close(writer, mark, request->line_count);
}

void load_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    const bool is_first = sim->forced != SIM_NONE;
    struct sim_form form = form_begin(params);
    request->node = is_first ? sim->forced : draw_node(sim);
    form_id(&form, "node", 'n', request->node);
    load_rows(sim, request, &form);
    request->at_ms = draw_time(sim);
    form_int(&form, "counted_at", (int64_t)request->at_ms);
    request->is_flagged = !is_first && sim_chance(sim, 20);
    if (sim->is_wide && sim_chance(sim, 20)) {
        form_text(&form, "basis", "available");
    }
    form_text(&form, "absent", request->is_flagged ? "zero" : "keep");
    form_float(&form, "max_zero_share", 1.0);
    form_new_key(sim, request, &form);
    form_end(&form);
}

static const struct sim_line *row_of(const struct sim_request *request, uint32_t item)
{
    for (uint32_t i = 0; i < request->line_count; i++) {
        if (request->lines[i].item == item) {
            return &request->lines[i];
        }
    }
    return NULL;
}

static int64_t stale_rows(const struct sim *sim, const struct sim_request *request)
{
    int64_t stale = 0;
    for (uint32_t i = 0; i < request->line_count; i++) {
        const struct books_cell *cell = &sim->books->cells[request->node][request->lines[i].item];
        stale += cell->counted_at && request->at_ms <= cell->counted_at;
    }
    return stale;
}

/* A load that was cut off, by a full disk, a full table or an end, may stand in part: rows that
 * carry its count time must be what they would be, others as they were. */
void sim_load_settle(struct sim *sim, const struct sim_request *request)
{
    const struct tables *tables = service_tables(sim->service);
    for (uint32_t item = 0; item < BOOKS_ITEMS; item++) {
        const struct sim_line *row = row_of(request, item);
        const struct cell cell = tables_cell(tables, item, (uint16_t)request->node);
        const struct books_cell *own = books_cell(sim->books, item, request->node);
        const bool is_asked = row || (request->is_flagged && own->is_there);
        if (is_asked && tables_counted_at(&cell) == request->at_ms &&
            own->counted_at < request->at_ms) {
            (void)books_count(sim->books, item, request->node, row ? row->value : 0,
                              request->at_ms);
        }
    }
}

void load_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    if (is_key_answer(sim, request, reply)) {
        if (reply->error && !sim->is_wide && is_known_node(sim, request->node)) {
            sim_load_settle(sim, request);
        }
        return;
    }
    if (sim->is_wide) {
        key_note(sim, request, NULL);
        return;
    }
    const int64_t stale = sim_int(reply->result, "stale");
    if (sim->is_small && stale == request->line_count) {
        sim_load_settle(sim, request); /* too old for a small ring of movements, or only late */
        key_note(sim, request, NULL);
        return;
    }
    CHECK(stale == stale_rows(sim, request));
    for (uint32_t item = 0; item < BOOKS_ITEMS; item++) {
        const struct sim_line *row = row_of(request, item);
        const bool is_there = books_cell(sim->books, item, request->node)->is_there;
        if (row || (request->is_flagged && is_there)) {
            (void)books_count(sim->books, item, request->node, row ? row->value : 0,
                              request->at_ms);
        }
    }
    key_note(sim, request, NULL);
}

/* -- stock.policy -- */

static void put_quotas(struct sim *sim, struct sim_form *form)
{
    static const char *const channels[] = {"web", "shop"};
    const uint32_t count = sim_draw(sim, 3);
    struct writer *writer = form_key(form, "quotas");
    writer_map(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        writer_string(writer, channels[i]);
        writer_int(writer, sim_draw(sim, 20));
    }
}

void policy_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    draw_cell(sim, request, &form);
    request->lines[0].value = sim_draw(sim, 4);
    request->is_flagged = sim_chance(sim, 90);
    if (sim->is_wide && sim_chance(sim, 25)) {
        writer_nil(form_key(&form, "safety_stock"));
    } else {
        form_int(&form, "safety_stock", request->lines[0].value);
    }
    form_bool(&form, "listed", request->is_flagged);
    if (sim->is_wide && sim_chance(sim, 50)) {
        put_quotas(sim, &form);
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

void policy_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    if (is_key_answer(sim, request, reply)) {
        return;
    }
    struct books_cell *cell = books_cell(sim->books, request->item, request->node);
    books_note(sim->books, cell, (uint32_t)offsetof(struct books_cell, moves));
    cell->is_there = true;
    cell->has_safety = true;
    cell->safety = request->lines[0].value;
    cell->is_unlisted = !request->is_flagged;
    check_ats(sim, reply->result, request->item, request->node);
    key_note(sim, request, NULL);
}

/* -- reads -- */

void stock_get_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    draw_cell(sim, request, &form);
    form_bool(&form, "holds", sim_chance(sim, 50));
    form_channel(sim, &form);
    form_end(&form);
}

/* Invariant 2: the sum of what the holds name is what is reserved. */
static void check_holds(const struct sim_value *answer)
{
    int64_t sum = 0;
    const struct sim_value *holds = sim_field(answer, "holds");
    if (!holds || sim_is_true(answer, "more")) {
        return;
    }
    for (const struct sim_value *hold = holds->first; hold; hold = hold->next) {
        sum += sim_int(hold, "qty");
    }
    CHECK(sum == sim_int(answer, "reserved"));
}

/* What is left of a quota is never more than it, nor less than nothing. */
static void check_quotas(const struct sim_value *cell)
{
    const struct sim_value *quotas = sim_field(cell, "quotas");
    for (const struct sim_value *at = quotas ? quotas->first : NULL; at; at = at->next) {
        CHECK(sim_int(at, "left") >= 0);
        CHECK(sim_int(at, "left") <= sim_int(at, "qty"));
    }
}

void stock_get_see(struct sim *sim, const struct sim_request *request,
                   const struct sim_reply *reply)
{
    if (!is_plain_error(sim, request, reply)) {
        check_amounts(sim, reply->result, request->item, request->node);
        check_holds(reply->result);
        check_quotas(reply->result);
    }
}

void stock_list_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    if (sim->is_wide && sim_chance(sim, 40)) {
        request->item = draw_item(sim);
        form_id(&form, "item", 'i', request->item);
    } else {
        request->node = draw_node(sim);
        form_id(&form, "node", 'n', request->node);
    }
    if (sim->is_wide && sim_chance(sim, 40)) {
        form_int(&form, "limit", 1 + sim_draw(sim, 8));
        form_after(sim, request, &form, SIM_PAGES_CELLS);
    }
    form_channel(sim, &form);
    form_end(&form);
}

void stock_list_see(struct sim *sim, const struct sim_request *request,
                    const struct sim_reply *reply)
{
    if (is_plain_error(sim, request, reply)) {
        return;
    }
    uint32_t count = 0;
    const struct sim_value *cells = sim_list(reply->result, "cells");
    for (const struct sim_value *cell = cells->first; cell; cell = cell->next) {
        const uint32_t item = sim_id(sim_field(cell, "item"), 'i');
        const uint32_t node = sim_id(sim_field(cell, "node"), 'n');
        CHECK(item < BOOKS_ITEMS);
        CHECK(request->item == SIM_NONE || request->item == item);
        CHECK(request->node == SIM_NONE || request->node == node);
        CHECK(sim->is_wide || books_cell(sim->books, item, node)->is_there);
        check_amounts(sim, cell, item, node);
    }
    pages_see(sim, reply, SIM_PAGES_CELLS);
    if (sim->is_wide) {
        return;
    }
    for (uint32_t item = 0; item < BOOKS_ITEMS; item++) {
        count += sim->books->cells[request->node][item].is_there;
    }
    CHECK(count == cells->count);
}

void find_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    struct writer *writer = form_key(&form, "items");
    request->item = sim_draw(sim, BOOKS_ITEMS);
    writer_array(writer, 1);
    writer_map(writer, 1);
    writer_string(writer, "item");
    put_id(writer, 'i', request->item);
    form_int(&form, "k", 100);
    if (sim->is_wide && sim_chance(sim, 30)) {
        form_place(sim, request, &form);
        form_text(&form, "service", sim_chance(sim, 50) ? "standard" : "same_day");
        form_channel(sim, &form);
    }
    form_end(&form);
}

void find_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    if (is_plain_error(sim, request, reply)) {
        return;
    }
    const struct sim_value *item = sim_list(reply->result, "items")->first;
    for (const struct sim_value *at = sim_list(item, "nodes")->first; at; at = at->next) {
        const uint32_t node = sim_id(sim_field(at, "node"), 'n');
        CHECK(node <= BOOKS_NODES);
        check_ats(sim, at, request->item, node);
    }
}
