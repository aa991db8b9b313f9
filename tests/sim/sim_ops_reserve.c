/* Reservations: held, changed, released, left to expire, taken over by orders (in route_make). */
#include <string.h>

#include "check.h"
#include "sim_ops_internal.h"

static void put_ttl(struct sim *sim, struct sim_form *form)
{
    form_int(form, "ttl_ms", sim_chance(sim, 60) ? 20 + sim_draw(sim, 3000) : 900000);
}

static void put_lines(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    const uint32_t count = 1 + sim_draw(sim, 3);
    struct writer *writer = form_key(form, "lines");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const bool has_node = sim_chance(sim, 30);
        const uint32_t item = draw_sold(sim);
        request->item = item == BOOKS_ITEMS ? item : request->item;
        writer_map(writer, 2u + has_node);
        writer_string(writer, "item");
        put_item(writer, item);
        writer_string(writer, "qty");
        writer_int(writer, 1 + sim_draw(sim, 6));
        if (has_node) {
            const uint32_t node = draw_node(sim);
            request->node = is_known_node(sim, node) ? request->node : node;
            writer_string(writer, "node");
            put_id(writer, 'n', node);
        }
    }
}

void reserve_create_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    draw_new_thing(sim, request, BOOKS_RESERVATION);
    form_id(&form, "reservation_id", 'r', request->thing);
    put_ttl(sim, &form);
    put_lines(sim, request, &form);
    if (sim_chance(sim, 40)) {
        form_text(&form, "service", "standard");
        form_place(sim, request, &form);
    }
    form_channel(sim, &form);
    if (sim_chance(sim, 30)) {
        form_bool(&form, "allow_partial", true);
    }
    form_end(&form);
}

void reserve_create_see(struct sim *sim, const struct sim_request *request,
                        const struct sim_reply *reply)
{
    if (is_thing_known(sim, request, reply)) {
        return;
    }
    CHECK(sim_is(sim_field(reply->result, "state"), "held"));
    CHECK(sim_int(reply->result, "expires_at") > (int64_t)sim_now(sim));
    thing_note(sim, request);
}

void reserve_update_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    draw_thing(sim, request, BOOKS_RESERVATION);
    form_id(&form, "reservation_id", 'r', request->thing);
    if (sim_chance(sim, 60)) {
        put_ttl(sim, &form);
    }
    if (form.count == 1 || sim_chance(sim, 50)) {
        put_lines(sim, request, &form);
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

/* A service of pickup, or pinned lines, may make lines of others not fit. */
void reserve_update_see(struct sim *sim, const struct sim_request *request,
                        const struct sim_reply *reply)
{
    if (!is_key_answer(sim, request, reply) && !sim_is_refused(reply, NULL)) {
        thing_firm(sim, request);
        key_note(sim, request, NULL);
    }
}

void reserve_release_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    draw_thing(sim, request, BOOKS_RESERVATION);
    form_id(&form, "reservation_id", 'r', request->thing);
    form_new_key(sim, request, &form);
    form_end(&form);
}

void reserve_get_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    draw_thing(sim, request, BOOKS_RESERVATION);
    form_id(&form, "reservation_id", 'r', request->thing);
    form_end(&form);
}

/* At the moment it expires nothing of it is held: a read sees it so. */
void reserve_get_see(struct sim *sim, const struct sim_request *request,
                     const struct sim_reply *reply)
{
    int64_t held = 0;
    if (is_plain_error(sim, request, reply)) {
        return;
    }
    thing_firm(sim, request);
    for (const struct sim_value *line = sim_list(reply->result, "lines")->first; line;
         line = line->next) {
        held += sim_int(line, "held");
    }
    const struct sim_value *state = sim_text(reply->result, "state");
    const bool is_live = sim_is(state, "held") || sim_is(state, "broken");
    CHECK(is_live || held == 0);
    CHECK(!is_live || sim_int(reply->result, "expires_at") > (int64_t)sim_now(sim));
    if (is_ledger_current(sim)) {
        ledger_check_reservation(sim->ledger, reply->result, request->thing);
    }
}
