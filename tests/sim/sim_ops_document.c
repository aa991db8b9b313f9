/* Units that come and go beside orders: returns, supplies, transfers. */
#include <string.h>

#include "check.h"
#include "sim_ops_internal.h"

/* -- returns -- */

static void put_return_lines(struct sim *sim, struct sim_request *request, struct sim_form *form,
                             bool is_received)
{
    static const char *const conditions[] = {"sellable", "damaged", "unsellable"};
    const uint32_t item = draw_item(sim);
    const bool has_condition = is_received;
    struct writer *writer = form_key(form, "lines");
    request->item = item == BOOKS_ITEMS ? item : request->item;
    writer_array(writer, 1);
    writer_map(writer, 2u + has_condition);
    writer_string(writer, "item");
    put_id(writer, 'i', item);
    writer_string(writer, "qty");
    writer_int(writer, 1 + sim_draw(sim, 3));
    if (has_condition) {
        writer_string(writer, "condition");
        writer_string(writer, conditions[sim_chance(sim, 70) ? 0 : 1 + sim_draw(sim, 2)]);
    }
}

/* Of an order, mostly: then only what it has may come back. */
static void put_order(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    const uint32_t order = draw_order(sim);
    if (order != SIM_NONE && sim_chance(sim, 50)) {
        request->order = order;
        form_id(form, "order_id", 'o', order);
    }
}

void return_create_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    draw_new_thing(sim, request, BOOKS_RETURN);
    form_id(&form, "return_id", 'b', request->thing);
    put_order(sim, request, &form);
    put_return_lines(sim, request, &form, false);
    form_end(&form);
}

void return_receive_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    if (sim_chance(sim, 40)) {
        draw_new_thing(sim, request, BOOKS_RETURN);
    } else {
        draw_thing(sim, request, BOOKS_RETURN);
    }
    form_id(&form, "return_id", 'b', request->thing);
    request->node = draw_node(sim);
    form_id(&form, "node", 'n', request->node);
    put_order(sim, request, &form);
    put_return_lines(sim, request, &form, true);
    if (sim_chance(sim, 30)) {
        request->at_ms = draw_time(sim);
        form_int(&form, "at", (int64_t)request->at_ms);
    }
    form_end(&form);
}

/* The item may be of no line of its order, or of that which it was made for. */
static bool is_other_item(const struct sim *sim, const struct sim_request *request,
                          const struct sim_reply *reply)
{
    const bool has_order = request->order != SIM_NONE ||
                           (request->thing != SIM_NONE && is_thing_there(sim, request));
    return has_order && sim_is_error(reply, "UNKNOWN_LINE");
}

void return_create_see(struct sim *sim, const struct sim_request *request,
                       const struct sim_reply *reply)
{
    if (!is_other_item(sim, request, reply) && !is_thing_known(sim, request, reply)) {
        thing_note(sim, request);
    }
}

/* A total: also a repeat is no duplicate of anything. With another order it is a conflict. */
void return_receive_see(struct sim *sim, const struct sim_request *request,
                        const struct sim_reply *reply)
{
    if (is_other_item(sim, request, reply) ||
        (sim_is_error(reply, "IDEMPOTENCY_CONFLICT") && is_thing_there(sim, request)) ||
        (sim_is_error(reply, "INVALID_ARGUMENT") && is_thing_there(sim, request)) ||
        is_plain_error(sim, request, reply) || sim_is_refused(reply, NULL)) {
        return;
    }
    (void)sim_list(reply->result, "booked");
    if (!is_thing_there(sim, request)) {
        thing_note(sim, request);
    }
}

void return_quote_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    put_order(sim, request, &form);
    put_return_lines(sim, request, &form, false);
    struct writer *writer = form_key(&form, "near");
    put_coordinates(sim, writer);
    form_end(&form);
}

void return_quote_see(struct sim *sim, const struct sim_request *request,
                      const struct sim_reply *reply)
{
    if (!is_other_item(sim, request, reply) && !is_plain_error(sim, request, reply) &&
        !sim_is_refused(reply, NULL)) {
        CHECK(sim_list(reply->result, "options")->count <= 5);
    }
}

/* -- supplies -- */

/* Item and node of a supply follow from its id, so that putting it again is no conflict. */
void supply_put_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    if (sim_chance(sim, 70)) {
        draw_new_thing(sim, request, BOOKS_SUPPLY);
    } else {
        draw_thing(sim, request, BOOKS_SUPPLY);
    }
    form_id(&form, "supply_id", 's', request->thing);
    form_id(&form, "item", 'i', request->thing % BOOKS_ITEMS);
    form_id(&form, "node", 'n', request->thing % BOOKS_NODES);
    form_int(&form, "qty", 1 + sim_draw(sim, 30));
    if (sim_chance(sim, 60)) {
        form_int(&form, "eta", (int64_t)sim->wall_ms + sim_draw(sim, 100000));
    }
    form_end(&form);
}

static void check_supply(const struct sim_reply *reply)
{
    const int64_t received = sim_int(reply->result, "received");
    const int64_t outstanding = sim_int(reply->result, "outstanding");
    const struct sim_value *state = sim_text(reply->result, "state");
    CHECK(received >= 0);
    CHECK(outstanding >= 0);
    CHECK(!sim_is(state, "expected") || received == 0);
    CHECK(!sim_is(state, "cancelled") || outstanding == 0);
}

void supply_put_see(struct sim *sim, const struct sim_request *request,
                    const struct sim_reply *reply)
{
    if (is_plain_error(sim, request, reply) || sim_is_refused(reply, "INVALID_STATE")) {
        return;
    }
    check_supply(reply);
    CHECK(!sim_is_true(reply->result, "duplicate") || is_thing_there(sim, request));
    if (!is_thing_there(sim, request)) {
        thing_note(sim, request);
    }
}

void supply_receive_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    draw_thing(sim, request, BOOKS_SUPPLY);
    form_id(&form, "supply_id", 's', request->thing);
    if (sim_chance(sim, 60)) {
        form_int(&form, "qty", 1 + sim_draw(sim, 30));
    }
    if (sim_chance(sim, 30)) {
        request->at_ms = draw_time(sim);
        form_int(&form, "at", (int64_t)request->at_ms);
    }
    form_end(&form);
}

void supply_cancel_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    draw_thing(sim, request, BOOKS_SUPPLY);
    form_id(&form, "supply_id", 's', request->thing);
    form_end(&form);
}

void supply_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    if (!is_plain_error(sim, request, reply)) {
        thing_firm(sim, request);
        check_supply(reply);
    }
}

/* -- transfers -- */

static void put_transfer_lines(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    const uint32_t count = 1 + sim_draw(sim, 2);
    const uint32_t first = sim_draw(sim, BOOKS_ITEMS);
    struct writer *writer = form_key(form, "lines");
    request->line_count = count;
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        writer_map(writer, 2);
        writer_string(writer, "item");
        put_id(writer, 'i', (first + i) % BOOKS_ITEMS);
        writer_string(writer, "qty");
        writer_int(writer, 1 + sim_draw(sim, 5));
    }
}

void transfer_create_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    const uint32_t from = sim_draw(sim, BOOKS_NODES);
    draw_new_thing(sim, request, BOOKS_TRANSFER);
    form_id(&form, "transfer_id", 't', request->thing);
    form_id(&form, "from", 'n', from);
    form_id(&form, "to", 'n', (from + 1 + sim_draw(sim, BOOKS_NODES - 1)) % BOOKS_NODES);
    put_transfer_lines(sim, request, &form);
    form_end(&form);
}

static void check_transfer(const struct sim_reply *reply)
{
    for (const struct sim_value *line = sim_list(reply->result, "lines")->first; line;
         line = line->next) {
        CHECK(sim_int(line, "received") <= sim_int(line, "shipped"));
        CHECK(sim_int(line, "shipped") <= sim_int(line, "qty"));
    }
}

void transfer_create_see(struct sim *sim, const struct sim_request *request,
                         const struct sim_reply *reply)
{
    if (!is_thing_known(sim, request, reply)) {
        check_transfer(reply);
        CHECK(sim_is(sim_field(reply->result, "state"), "created"));
        thing_note(sim, request);
    }
}

static void transfer_make(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    draw_thing(sim, request, BOOKS_TRANSFER);
    form_id(form, "transfer_id", 't', request->thing);
}

void transfer_move_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    transfer_make(sim, request, &form);
    if (sim_chance(sim, 20)) {
        put_transfer_lines(sim, request, &form);
    }
    if (sim_chance(sim, 30)) {
        request->at_ms = draw_time(sim);
        form_int(&form, "at", (int64_t)request->at_ms);
    }
    form_end(&form);
}

void transfer_cancel_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    transfer_make(sim, request, &form);
    form_end(&form);
}

/* Lines are drawn: of another item, or more than may move, is the caller's fault. */
void transfer_see(struct sim *sim, const struct sim_request *request,
                  const struct sim_reply *reply)
{
    const bool is_wrong_line = sim_is_error(reply, "UNKNOWN_LINE") ||
                               sim_is_error(reply, "INVALID_ARGUMENT");
    if ((is_wrong_line && request->line_count > 0) || is_plain_error(sim, request, reply) ||
        sim_is_refused(reply, NULL)) {
        return;
    }
    thing_firm(sim, request);
    check_transfer(reply);
}
