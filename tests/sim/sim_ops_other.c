/* The network, items, places, and calls whose replies only have to be sound. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "sim_ops_internal.h"

void empty_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    (void)sim;
    (void)request;
    writer_map(params, 0);
}

void plain_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    if (strcmp(request->kind->method, "order.rouse") == 0) {
        CHECK(sim_is_error(reply, "UNKNOWN_METHOD") || is_plain_error(sim, request, reply));
        return;
    }
    if (!is_key_answer(sim, request, reply)) {
        key_note(sim, request, NULL);
    }
}

/* It may fail with the checkpoint, and one is made at a time. */
void snapshot_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    if (sim_is_error(reply, "INTERNAL") || sim_is_error(reply, "SHUTTING_DOWN") ||
        is_plain_error(sim, request, reply)) {
        return;
    }
    CHECK(sim_int(reply->result, "lsn") <= (int64_t)sim->on_disk);
}

/* -- time -- */

/* To where the simulated wall clock is by now. */
void clock_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    request->at_ms = sim->wall_ms;
    sim->clocked_ms = request->at_ms > sim->clocked_ms ? request->at_ms : sim->clocked_ms;
    form_int(&form, "now", (int64_t)request->at_ms);
    form_end(&form);
}

void clock_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    if (!sim->is_clocked) {
        CHECK(sim_is_error(reply, "UNKNOWN_METHOD") || is_plain_error(sim, request, reply));
        return;
    }
    if (sim_is_error(reply, "INVALID_ARGUMENT")) {
        CHECK(request->at_ms < sim->clocked_ms); /* another client was faster */
        return;
    }
    if (!is_plain_error(sim, request, reply)) {
        CHECK(sim_int(reply->result, "now") == (int64_t)request->at_ms);
        CHECK(sim_now(sim) >= request->at_ms);
    }
}

/* -- nodes -- */

/* Closed on Sundays; a cutoff and some work before an order is ready. */
static void put_hours(struct sim *sim, struct sim_form *form)
{
    static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat"};
    struct writer *writer = form_key(form, "calendar");
    writer_map(writer, 6);
    for (uint32_t i = 0; i < 6; i++) {
        writer_string(writer, days[i]);
        writer_array(writer, 1);
        writer_array(writer, 2);
        writer_string(writer, "08:00");
        writer_string(writer, sim_chance(sim, 50) ? "20:00" : "24:00");
    }
    writer = form_key(form, "processing_min");
    writer_map(writer, 1);
    writer_string(writer, "standard");
    writer_int(writer, sim_draw(sim, 300));
}

void node_put_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    static const char *const types[] = {"store", "store", "warehouse", "vendor"};
    static const char *const services[] = {"ship", "pickup", "same_day", "return", "carry_out"};
    struct sim_form form = form_begin(params);
    request->node = sim->forced != SIM_NONE ? sim->forced : draw_node(sim);
    request->lines[0].value = sim_draw(sim, 5) == 0;
    form_id(&form, "node", 'n', request->node);
    form_text(&form, "type", types[sim_draw(sim, 4)]);
    form_float(&form, "lat", 38 + sim_draw(sim, 400) / 100.0);
    form_float(&form, "lon", -76 + sim_draw(sim, 400) / 100.0);
    form_int(&form, "safety_stock", request->lines[0].value);
    form_int(&form, "priority", sim_draw(sim, 8) == 0);
    struct writer *writer = form_key(&form, "services");
    writer_array(writer, 5);
    for (uint32_t i = 0; i < 5; i++) {
        writer_string(writer, services[i]);
    }
    writer = form_key(&form, "max_km");
    writer_map(writer, 2);
    writer_string(writer, "next_day");
    writer_float(writer, 400);
    writer_string(writer, "same_day");
    writer_float(writer, 200);
    if (request->node == 4 || request->node == 5) {
        put_hours(sim, &form);
    }
    if (sim->is_wide) {
        form_int(&form, "collect_hours", sim_draw(sim, 2));
        form_int(&form, "accept_min", request->node == 6 ? 1 : 0);
        form_node_rare(sim, request, &form);
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

void node_put_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    if (is_key_answer(sim, request, reply)) {
        return;
    }
    struct books_node *node = &sim->books->nodes[request->node];
    CHECK(sim_is_true(reply->result, "created") == !node->is_there);
    books_note(sim->books, node, sizeof *node);
    *node = (struct books_node){.is_there = true, .safety = request->lines[0].value};
    key_note(sim, request, NULL);
}

/* A reroute in slices has its key from the first one on: by its reply it may be a window older. */
static void key_loosen(struct sim *sim, const struct sim_request *request)
{
    if (request->key != SIM_NONE && sim->books->keys[request->key].is_there) {
        struct books_key *key = &sim->books->keys[request->key];
        books_note(sim->books, key, sizeof *key);
        key->is_loose = true;
    }
}

/* A time that was to come may be over when the call is sent again. */
void node_status_see(struct sim *sim, const struct sim_request *request,
                     const struct sim_reply *reply)
{
    if (sim_is_error(reply, "INVALID_ARGUMENT")) {
        CHECK(request->at_ms != 0);
        CHECK(request->at_ms <= sim_now(sim));
        return;
    }
    /* A reroute in slices has its key from the first one on; an end may come before its reply. */
    if (sim->is_wide && sim_is_error(reply, "IDEMPOTENCY_CONFLICT")) {
        return;
    }
    plain_see(sim, request, reply);
    if (sim->is_wide) {
        key_loosen(sim, request);
    }
}

void node_status_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    const bool is_active = sim_chance(sim, 60);
    request->node = draw_node(sim);
    form_id(&form, "node", 'n', request->node);
    form_text(&form, "status",
              is_active ? "active" : sim->is_wide && sim_chance(sim, 50) ? "closed" : "on_hold");
    if (!is_active && sim->is_wide && sim_chance(sim, 50)) {
        form_bool(&form, "reroute", true);
    }
    if (!is_active) {
        request->at_ms = sim->wall_ms + 700000 + sim_draw(sim, 1000);
        form_int(&form, "until", (int64_t)request->at_ms);
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

void node_ask_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    request->node = draw_node(sim);
    form_id(&form, "node", 'n', request->node);
    form_end(&form);
}

void node_list_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    (void)request;
    form_int(&form, "limit", 1 + sim_draw(sim, 20));
    form_end(&form);
}

/* -- items and places -- */

static void put_kit(struct sim_form *form, uint32_t number)
{
    const struct sim_kit *kit = &sim_kits[number];
    form_id(form, "item", 'k', number);
    struct writer *writer = form_key(form, "components");
    writer_array(writer, SIM_KIT_PARTS);
    for (uint32_t i = 0; i < SIM_KIT_PARTS; i++) {
        writer_map(writer, 2);
        writer_string(writer, "item");
        put_id(writer, 'i', kit->items[i]);
        writer_string(writer, "qty");
        writer_int(writer, kit->per[i]);
    }
}

void item_put_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    static const char *const areas[] = {"US:107", "CA", "US:9"};
    struct sim_form form = form_begin(params);
    request->item = sim_draw(sim, BOOKS_ITEMS);
    if (sim->is_wide && sim_chance(sim, 20)) {
        request->item = SIM_KITS + sim_draw(sim, SIM_KIT_COUNT);
    }
    request->item = sim->forced != SIM_NONE ? sim->forced : request->item;
    if (request->item >= SIM_KITS) {
        put_kit(&form, request->item - SIM_KITS);
    } else {
        form_id(&form, "item", 'i', request->item);
    }
    form_int(&form, "weight_g", sim_draw(sim, 900));
    if (sim_chance(sim, 20)) {
        struct writer *writer = form_key(&form, "not_to");
        writer_array(writer, 1);
        writer_string(writer, areas[sim_draw(sim, 3)]);
    }
    if (sim->is_wide && sim->forced == SIM_NONE && sim_chance(sim, 40)) {
        form_words(sim, &form, "flags");
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

void item_get_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    request->item = draw_item(sim);
    form_id(&form, "item", 'i', request->item);
    form_end(&form);
}

/* Some are long enough to be applied in slices, while other clients go on. */
void places_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    const uint32_t rows = sim_chance(sim, 70) ? 1 + sim_draw(sim, 20) : 900 + sim_draw(sim, 1500);
    struct sim_form form = form_begin(params);
    form_text(&form, "country", "US");
    struct writer *writer = form_key(&form, "rows");
    writer_array(writer, rows);
    for (uint32_t i = 0; i < rows; i++) {
        char postcode[12];
        snprintf(postcode, sizeof postcode, "1%04u", i);
        writer_array(writer, 3);
        writer_string(writer, postcode);
        writer_float(writer, 38 + sim_draw(sim, 4));
        writer_float(writer, -74);
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}
