/* Orders: routing, cancelling, the life of fulfilments, and what is read of them. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "sim_ops_internal.h"

enum { STATES = 14, STATE_NO_SHOW_AT = 8 };

/* Names in the order of steps; what stands behind the steps leads nowhere or back. */
static const char *const states[STATES] = {
    "accepted",  "picking", "picked", "packed",    "shipped", "delivered", "ready",
    "collected", "no_show", "open",   "cancelled", "shipped", "shipped",   "collected"};

/* -- order.route -- */

static const char *draw_service(struct sim *sim)
{
    static const char *const services[] = {"standard",       "standard", "standard",
                                           "next_day",       "same_day", "pickup",
                                           "reserve_pickup", "ship_to_store"};
    return services[sim_draw(sim, sim->is_wide ? 8 : 6)];
}

/* Lines of an in-store sale: what is carried out is gone at once. */
static bool is_sale(struct sim *sim)
{
    return sim->is_wide && sim_draw(sim, 12) == 0;
}

static void put_line(struct sim *sim, struct sim_request *request, struct writer *writer,
                     bool is_carried)
{
    const uint32_t item = is_carried ? draw_item(sim) : draw_sold(sim);
    const struct sim_line line = {item, sim_draw(sim, 80) ? 1 + sim_draw(sim, 4) : 5000};
    const bool is_plain = is_carried || request->line_count == 0; /* the service has its line */
    const enum line_wish wish = is_plain ? LINE_PLAIN : draw_line_wish(sim);
    request->lines[request->line_count++] = line;
    request->item = line.item == BOOKS_ITEMS ? line.item : request->item;
    writer_map(writer, 2u + is_carried + line_wish_fields(wish));
    writer_string(writer, "item");
    put_item(writer, line.item);
    writer_string(writer, "qty");
    writer_int(writer, line.value);
    put_line_wish(sim, request, writer, wish);
    if (is_carried) {
        writer_string(writer, "service");
        writer_string(writer, "carry_out");
    }
}

/* What only seeds of all methods ask for. */
static void put_wide_wishes(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    form_channel(sim, form);
    form_reach(sim, request, form);
    if (!request->is_flagged && sim_chance(sim, 35)) {
        form_bool(form, "backorder", true);
    }
    if (sim->things[BOOKS_RESERVATION] > 0 && sim_chance(sim, 15)) {
        draw_thing(sim, request, BOOKS_RESERVATION);
        form_id(form, "reservation_id", 'r', request->thing);
    }
    if (sim_chance(sim, 5)) {
        form_int(form, "required_by", (int64_t)sim->wall_ms + 86400000 * (1 + sim_draw(sim, 9)));
    }
    if (sim_chance(sim, 5)) {
        form_int(form, "deliver_after", (int64_t)sim->wall_ms + 86400000 * sim_draw(sim, 9));
    }
}

static void put_wishes(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    request->is_flagged = sim_chance(sim, 30);
    if (request->is_flagged) {
        form_bool(form, "allow_partial", true);
    }
    if (sim_chance(sim, 10)) {
        form_int(form, "max_splits", sim_draw(sim, 3));
    }
    if (sim_chance(sim, 6)) {
        request->state = 1; /* marks a dry run */
        form_bool(form, "dry_run", true);
    }
    if (sim_chance(sim, 6)) {
        form_int(form, "explain", sim_draw(sim, 3));
    }
    if (sim_chance(sim, 8)) {
        form_strategy(sim, form, "strategy", SIM_STRATEGIES - 1);
    }
    if (sim_chance(sim, 10)) {
        form_text(form, "ref", "by telephone");
    }
}

/* One new order in twenty has the id of another one. */
void route_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    const char *service = draw_service(sim);
    const bool has_sale = is_sale(sim);
    struct sim_form form = form_begin(params);
    const bool is_old = sim->orders == BOOKS_ORDERS_MAX || sim_draw(sim, 20) == 0;
    request->order = is_old && sim->orders ? draw_order(sim) : sim->orders++;
    form_id(&form, "order_id", 'o', request->order);
    form_text(&form, "service", service);
    struct writer *writer = form_key(&form, "lines");
    const uint32_t count = 1 + sim_draw(sim, sim_chance(sim, 80) ? 2 : 4);
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        put_line(sim, request, writer, has_sale && i > 0 && sim_chance(sim, 60));
    }
    if (has_sale) {
        form_id(&form, "sold_at", 'n', BOOKS_NODES - 1);
    }
    if (strstr(service, "pickup") || strcmp(service, "ship_to_store") == 0) {
        const uint32_t node = draw_node(sim);
        const bool is_kept = request->node != SIM_NONE && is_known_node(sim, node);
        request->node = is_kept ? request->node : node;
        form_id(&form, "pickup_node", 'n', node);
    }
    form_place(sim, request, &form);
    put_wishes(sim, request, &form);
    if (sim->is_wide) {
        put_wide_wishes(sim, request, &form);
    }
    form_end(&form);
}

/* Units of an item in one of what the line asked for. */
static uint32_t per_of(const struct sim_line *line, uint32_t item)
{
    const struct sim_kit *kit = line->item >= SIM_KITS ? &sim_kits[line->item - SIM_KITS] : NULL;
    for (uint32_t i = 0; kit && i < SIM_KIT_PARTS; i++) {
        if (kit->items[i] == item) {
            return kit->per[i];
        }
    }
    return line->item == item ? 1 : 0;
}

/* Units of all its components. */
static uint32_t per_all(const struct sim_line *line)
{
    return line->item >= SIM_KITS ? sim_kits[line->item - SIM_KITS].per[0] +
                                        sim_kits[line->item - SIM_KITS].per[1]
                                  : 1;
}

static void share_enter(struct sim *sim, const struct sim_request *request,
                        struct books_order *order, uint32_t part, uint32_t node,
                        const struct sim_value *line)
{
    const struct sim_value *name = sim_text(line, "line");
    const uint32_t index = (uint32_t)(name->text.at[0] - '1');
    CHECK(name->text.len == 1);
    CHECK(index < request->line_count);
    CHECK(order->share_count < BOOKS_SHARES_MAX);
    const uint32_t item = sim_id(sim_field(line, "item"), 'i');
    CHECK(per_of(&request->lines[index], item) > 0);
    CHECK(sim_int(line, "qty") % per_of(&request->lines[index], item) == 0); /* whole kits */
    order->shares[order->share_count++] = (struct books_share){.part = part,
                                                               .line = index,
                                                               .item = item,
                                                               .node = node,
                                                               .qty = sim_int(line, "qty")};
    CHECK(sim_int(line, "qty") > 0);
    CHECK(is_known_node(sim, node));
}

static void parts_enter(struct sim *sim, const struct sim_request *request,
                        const struct sim_reply *reply, struct books_order *order)
{
    const struct sim_value *parts = sim_list(reply->result, "fulfilments");
    for (const struct sim_value *part = parts->first; part; part = part->next) {
        const uint32_t index = order->part_count++;
        const uint32_t node = sim_id(sim_field(part, "node"), 'n');
        order->is_pickup[index] = sim_is(sim_field(part, "method"), "pickup");
        for (const struct sim_value *line = sim_list(part, "lines")->first; line;
             line = line->next) {
            share_enter(sim, request, order, index, node, line);
        }
    }
}

/* Of each line all that was asked for is either taken or told to be unfilled. */
static void check_sums(const struct sim_request *request, const struct books_order *order,
                       const struct sim_reply *reply)
{
    int64_t sums[BOOKS_ITEMS] = {0};
    for (uint32_t i = 0; i < order->share_count; i++) {
        sums[order->shares[i].line] += order->shares[i].qty;
    }
    for (const struct sim_value *left = sim_list(reply->result, "unfilled")->first; left;
         left = left->next) {
        sums[sim_text(left, "line")->text.at[0] - '1'] += sim_int(left, "qty");
    }
    for (uint32_t i = 0; i < request->line_count; i++) {
        CHECK(sums[i] == request->lines[i].value * per_all(&request->lines[i]));
    }
}

/* In seeds of all methods the books only know that there is such an order, and for how long at
 * least; its units are the ledger's. */
static void order_head_enter(struct sim *sim, struct books_order *order,
                             const struct books_order *fresh)
{
    books_note(sim->books, order, (uint32_t)offsetof(struct books_order, is_pickup));
    order->is_there = true;
    order->content = fresh->content;
    order->line_count = fresh->line_count;
    order->done_ms = sim_now(sim);
}

static void order_enter(struct sim *sim, const struct sim_request *request,
                        const struct sim_reply *reply)
{
    struct books_order fresh = {.is_there = true,
                                .is_partial = sim_is(sim_field(reply->result, "status"), "partial"),
                                .content = request->content,
                                .line_count = request->line_count};
    CHECK(!fresh.is_partial || request->is_flagged);
    CHECK(fresh.is_partial || sim->is_wide ||
          sim_is(sim_field(reply->result, "status"), "routed"));
    parts_enter(sim, request, reply, &fresh);
    check_sums(request, &fresh, reply);
    if (request->state == 1) {
        CHECK(sim_is_true(reply->result, "dry_run"));
        return;
    }
    struct books_order *order = &sim->books->orders[request->order];
    if (sim->is_wide) {
        order_head_enter(sim, order, &fresh);
        return;
    }
    books_note(sim->books, order, sizeof *order);
    *order = fresh;
    books_take(sim->books, order);
}

/* A retry tells the same fulfilments as the first answer. */
static void check_same(const struct books_order *order, const struct sim_value *answer)
{
    uint32_t part = 0;
    for (const struct sim_value *at = sim_list(answer, "fulfilments")->first; at;
         at = at->next, part++) {
        int64_t units = 0;
        for (const struct sim_value *line = sim_list(at, "lines")->first; line; line = line->next) {
            units += sim_int(line, "qty");
        }
        for (uint32_t i = 0; i < order->share_count; i++) {
            const struct books_share *share = &order->shares[i];
            units -= share->part == part ? share->qty : 0;
            CHECK(share->part != part || share->node == sim_id(sim_field(at, "node"), 'n'));
        }
        CHECK(units == 0);
        CHECK(sim_is(sim_field(at, "state"), books_state(order, part)));
    }
    CHECK(part == order->part_count);
}

static bool is_unknown_pickup(const struct sim *sim, const struct sim_request *request)
{
    return request->item == BOOKS_ITEMS ||
           (request->node != SIM_NONE && !is_known_node(sim, request->node));
}

void route_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    const struct books_order *order = &sim->books->orders[request->order];
    const bool is_firm = order->is_there && !is_fading(sim, order) && request->state != 1;
    const bool is_same = order->content == request->content;
    if (sim_is_error(reply, "IDEMPOTENCY_CONFLICT")) {
        CHECK(order->is_there);
        CHECK(!is_same);
        return;
    }
    if (sim_is_error(reply, "UNKNOWN_STRATEGY") || is_plain_error(sim, request, reply)) {
        return;
    }
    if (sim_is_true(reply->result, "duplicate")) {
        CHECK(order->is_there); /* nobody was told of it, or it was lost: a phantom */
        CHECK(is_same);
        if (!sim->is_wide) {
            check_same(order, reply->result);
        }
        sim->counts.duplicates++;
        return;
    }
    CHECK(!is_firm); /* an order that was acknowledged is lost, or taken twice */
    CHECK(!is_unknown_pickup(sim, request));
    if (!sim_is_refused(reply, NULL)) {
        order_enter(sim, request, reply);
    }
}

/* -- order.cancel -- */

/* Units of a line only where one node has them all: which goes first is the engine's choice. */
static bool is_whole_line(const struct books_order *order, uint32_t line)
{
    uint32_t shares = 0;
    for (uint32_t i = 0; i < order->share_count; i++) {
        shares += order->shares[i].line == line;
    }
    return order->is_there && shares == 1;
}

static void put_cancel_line(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    const struct books_order *order = &sim->books->orders[request->order];
    const uint32_t line = sim_draw(sim, order->line_count ? order->line_count : 1);
    const bool has_qty = (sim->is_wide || is_whole_line(order, line)) && sim_chance(sim, 60);
    struct writer *writer = form_key(form, "lines");
    request->lines[0] = (struct sim_line){line, has_qty ? 1 + sim_draw(sim, 3) : 0};
    request->line_count = 1;
    writer_array(writer, 1);
    writer_map(writer, 1u + has_qty);
    writer_string(writer, "line");
    writer_int(writer, line + 1);
    if (has_qty) {
        writer_string(writer, "qty");
        writer_int(writer, request->lines[0].value);
    }
}

void cancel_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    const uint32_t order = draw_order(sim);
    request->order = order == SIM_NONE ? 0 : order;
    form_id(&form, "order_id", 'o', request->order);
    if (sim_chance(sim, 40)) {
        put_cancel_line(sim, request, &form);
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

/* Of a line that several nodes send the engine chooses: asked when one had it all, the order may
 * have been lost and decided again since. */
static int64_t released_of(const struct sim_reply *reply, const struct books_share *share)
{
    int64_t units = 0;
    for (const struct sim_value *at = sim_list(reply->result, "released")->first; at;
         at = at->next) {
        const bool is_here = sim_id(sim_field(at, "node"), 'n') == share->node &&
                             sim_id(sim_field(at, "item"), 'i') == share->item;
        units += is_here ? sim_int(at, "qty") : 0;
    }
    return units;
}

static int64_t units_to_cancel(const struct sim_request *request, const struct sim_reply *reply,
                               const struct books_order *order, const struct books_share *share)
{
    const int64_t held = books_held(order, share);
    if (request->line_count == 0) {
        return held;
    }
    const struct sim_line *line = &request->lines[0];
    if (share->line != line->item) {
        return 0;
    }
    if (line->value && !is_whole_line(order, line->item)) {
        return released_of(reply, share);
    }
    return line->value && line->value < held ? line->value : held;
}

static bool is_unknown_line(const struct sim *sim, const struct sim_request *request,
                            const struct sim_reply *reply)
{
    const struct books_order *order = &sim->books->orders[request->order];
    return sim_is_error(reply, "UNKNOWN_LINE") && request->line_count > 0 &&
           (sim->is_wide || !order->is_there || request->lines[0].item >= order->line_count ||
            request->part != SIM_NONE);
}

void cancel_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    int64_t released = 0;
    if (is_unknown_line(sim, request, reply) || is_key_answer(sim, request, reply) ||
        sim_is_refused(reply, NULL)) {
        return;
    }
    struct books_order *order = &sim->books->orders[request->order];
    CHECK(order->is_there);
    if (sim->is_wide) {
        key_note(sim, request, NULL);
        return;
    }
    for (uint32_t i = 0; i < order->share_count; i++) {
        const int64_t units = units_to_cancel(request, reply, order, &order->shares[i]);
        if (units > 0) {
            books_release(sim->books, order, &order->shares[i], units, false);
            released += units;
        }
    }
    for (const struct sim_value *at = sim_list(reply->result, "released")->first; at;
         at = at->next) {
        released -= sim_int(at, "qty");
    }
    CHECK(released == 0);
    CHECK(request->line_count == 0 || sim_list(reply->result, "released")->count > 0);
    books_order_settle(sim->books, order, sim_now(sim));
    CHECK(sim_is(sim_field(reply->result, "status"), books_status(order)));
    key_note(sim, request, NULL);
}

/* -- fulfil.update -- */

void form_fulfilment(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    char id[24];
    const uint32_t order = draw_order(sim);
    request->order = order == SIM_NONE ? 0 : order;
    const uint32_t parts = sim->is_wide ? sim->ledger->orders[request->order].part_count
                                        : sim->books->orders[request->order].part_count;
    request->part = sim_draw(sim, parts ? parts : 1) + (sim_draw(sim, 60) == 0);
    snprintf(id, sizeof id, "o%u/%u", request->order, request->part + 1);
    form_text(form, "fulfilment", id);
}

void update_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    form_fulfilment(sim, request, &form);
    const struct books_order *order = &sim->books->orders[request->order];
    request->state = sim_draw(sim, STATES);
    form_text(&form, "state", states[request->state]);
    if (sim_chance(sim, 20)) {
        const uint32_t line = sim_draw(sim, order->line_count ? order->line_count : 1);
        request->lines[0] = (struct sim_line){line, 1 + sim_draw(sim, 3)};
        request->line_count = 1;
        struct writer *writer = form_key(&form, "lines");
        writer_array(writer, 1);
        writer_map(writer, 2);
        writer_string(writer, "line");
        writer_int(writer, line + 1);
        writer_string(writer, "qty");
        writer_int(writer, request->lines[0].value);
    }
    if (sim_chance(sim, 40)) {
        request->at_ms = draw_time(sim);
        form_int(&form, "at", (int64_t)request->at_ms);
    }
    if (sim_chance(sim, 15)) {
        form_text(&form, "tracking", "1Z 999");
    }
    if (sim->is_wide && strcmp(states[request->state], "ready") == 0 && sim_chance(sim, 70)) {
        form_int(&form, "collect_by", (int64_t)sim->wall_ms + sim_draw(sim, 6000) *
                                                                  (sim_chance(sim, 80) ? 1 : 200));
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

/* Step that a name stands for: ready and collected stand where shipped and delivered do. */
static uint32_t step_of(uint32_t state)
{
    static const uint32_t steps[STATES] = {0, 1,        2,        3,        4, 5, 4,
                                           5, SIM_NONE, SIM_NONE, SIM_NONE, 4, 4, 5};
    return steps[state];
}

static bool is_in_part(const struct sim_request *request, const struct books_share *share)
{
    return share->part == request->part &&
           (request->line_count == 0 || request->lines[0].item == share->line);
}

static void share_no_show(struct sim *sim, const struct sim_request *request,
                          struct books_order *order, struct books_share *share)
{
    const int64_t total =
        request->line_count ? request->lines[0].value : share->no_show + books_held(order, share);
    if (total > share->no_show) {
        books_release(sim->books, order, share, total - share->no_show, true);
    }
}

/* Time of shipping without one: later than the last count of all that moves. */
static uint64_t update_time(struct sim *sim, const struct sim_request *request,
                            const struct books_order *order)
{
    uint64_t at_ms = sim_now(sim);
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct books_share *share = &order->shares[i];
        if (is_in_part(request, share) && sim->is_moving[i]) {
            at_ms = books_arrival(books_cell(sim->books, share->item, share->node), at_ms);
        }
    }
    return request->at_ms ? request->at_ms : at_ms;
}

static int64_t total_of(const struct sim_request *request, const struct books_order *order,
                        const struct books_share *share)
{
    if (request->line_count) {
        return request->lines[0].value;
    }
    const bool is_back = step_of(request->state) == BOOKS_STEPS - 1 &&
                         order->is_pickup[share->part] &&
                         strcmp(books_state(order, share->part), "no_show") == 0;
    return books_active(share) + (is_back ? share->no_show : 0);
}

static void moving_note(struct sim *sim, const struct sim_request *request,
                        const struct books_order *order, int64_t totals[BOOKS_SHARES_MAX])
{
    const uint32_t step = step_of(request->state);
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct books_share *share = &order->shares[i];
        totals[i] = total_of(request, order, share);
        sim->is_moving[i] = is_in_part(request, share) && totals[i] > share->reached[step];
    }
}

static void shares_reach(struct sim *sim, const struct sim_request *request,
                         struct books_order *order)
{
    int64_t totals[BOOKS_SHARES_MAX];
    moving_note(sim, request, order, totals);
    const uint64_t at_ms = update_time(sim, request, order);
    for (uint32_t i = 0; i < order->share_count; i++) {
        if (sim->is_moving[i]) {
            books_reach(sim->books, order, &order->shares[i], step_of(request->state), totals[i],
                        at_ms);
        }
    }
}

static void update_enter(struct sim *sim, const struct sim_request *request,
                         const struct sim_reply *reply)
{
    struct books_order *order = &sim->books->orders[request->order];
    CHECK(order->is_there);
    if (sim->is_wide) {
        return;
    }
    CHECK(request->part < order->part_count);
    if (request->state == STATE_NO_SHOW_AT) {
        for (uint32_t i = 0; i < order->share_count; i++) {
            if (is_in_part(request, &order->shares[i])) {
                share_no_show(sim, request, order, &order->shares[i]);
            }
        }
    } else {
        CHECK(step_of(request->state) != SIM_NONE);
        shares_reach(sim, request, order);
    }
    books_order_settle(sim->books, order, sim_now(sim));
    CHECK(sim_is(sim_field(reply->result, "state"), books_state(order, request->part)));
}

void update_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    const bool has_lines = request->line_count > 0;
    if (sim->is_wide && has_lines && sim_is_error(reply, "INVALID_ARGUMENT")) {
        return; /* what is sent to a store is ready there as a whole */
    }
    if (is_unknown_line(sim, request, reply) || is_key_answer(sim, request, reply) ||
        sim_is_refused(reply, NULL)) {
        return;
    }
    update_enter(sim, request, reply);
    key_note(sim, request, NULL);
}

/* -- reads -- */

void order_get_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    const uint32_t order = draw_order(sim);
    request->order = order == SIM_NONE ? 0 : order;
    form_id(&form, "order_id", 'o', request->order);
    form_end(&form);
}

static void check_lines(const struct books_order *order, const struct sim_value *answer)
{
    uint32_t part = 0;
    for (const struct sim_value *at = sim_list(answer, "fulfilments")->first; at;
         at = at->next, part++) {
        int64_t open = 0;
        for (const struct sim_value *line = sim_list(at, "lines")->first; line; line = line->next) {
            open += sim_int(line, "open");
        }
        for (uint32_t i = 0; i < order->share_count; i++) {
            open -= order->shares[i].part == part ? books_held(order, &order->shares[i]) : 0;
        }
        CHECK(open == 0);
    }
}

static void check_order(const struct books_order *order, const struct sim_value *answer)
{
    CHECK(order->is_there); /* else a phantom */
    CHECK(sim_is(sim_field(answer, "status"), books_status(order)));
    check_same(order, answer);
    check_lines(order, answer);
}

static void check_any_order(struct sim *sim, uint32_t id, const struct sim_value *answer)
{
    if (!sim->is_wide) {
        check_order(&sim->books->orders[id], answer);
        return;
    }
    CHECK(sim->books->orders[id].is_there);
    if (is_ledger_current(sim)) {
        ledger_check_order(sim->ledger, answer, id);
    }
}

void order_get_see(struct sim *sim, const struct sim_request *request,
                   const struct sim_reply *reply)
{
    if (!is_plain_error(sim, request, reply)) {
        check_any_order(sim, request->order, reply->result);
    }
}

void order_list_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    form_int(&form, "limit", 1 + sim_draw(sim, 30));
    if (sim_chance(sim, 50)) {
        request->node = draw_node(sim);
        form_id(&form, "node", 'n', request->node);
    }
    if (sim_chance(sim, 20)) {
        form_text(&form, "status", sim_chance(sim, 50) ? "routed" : "backordered");
    }
    form_after(sim, request, &form, SIM_PAGES_ORDERS);
    form_end(&form);
}

void order_list_see(struct sim *sim, const struct sim_request *request,
                    const struct sim_reply *reply)
{
    if (is_plain_error(sim, request, reply)) {
        return;
    }
    pages_see(sim, reply, SIM_PAGES_ORDERS);
    for (const struct sim_value *at = sim_list(reply->result, "orders")->first; at; at = at->next) {
        const uint32_t order = sim_id(sim_field(at, "order_id"), 'o');
        CHECK(order < sim->orders);
        check_any_order(sim, order, at);
    }
}

void fulfil_list_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    if (sim_chance(sim, 80)) {
        request->node = draw_node(sim);
        form_id(&form, "node", 'n', request->node);
    }
    form_int(&form, "limit", 1 + sim_draw(sim, 30));
    if (sim_chance(sim, 60)) {
        struct writer *writer = form_key(&form, "states");
        writer_array(writer, 2);
        writer_string(writer, states[sim_draw(sim, 5)]);
        writer_string(writer, "open");
    }
    if (sim_chance(sim, 20)) {
        form_int(&form, "due_before", (int64_t)sim->wall_ms + sim_draw(sim, 100000));
    }
    form_after(sim, request, &form, SIM_PAGES_FULFILMENTS);
    form_end(&form);
}

void fulfil_list_see(struct sim *sim, const struct sim_request *request,
                     const struct sim_reply *reply)
{
    if (is_plain_error(sim, request, reply)) {
        return;
    }
    pages_see(sim, reply, SIM_PAGES_FULFILMENTS);
    for (const struct sim_value *at = sim_list(reply->result, "fulfilments")->first; at;
         at = at->next) {
        const uint32_t order = sim_id(sim_field(at, "fulfilment"), 'o');
        CHECK(order < sim->orders);
        CHECK(sim->books->orders[order].is_there);
        CHECK(request->node == SIM_NONE || sim_id(sim_field(at, "node"), 'n') == request->node);
    }
}
