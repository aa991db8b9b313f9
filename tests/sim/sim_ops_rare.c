/* What is asked for rarely: fields of nodes, lines and lists that reach corners of the tables. */
#include <string.h>
#include <time.h>

#include "check.h"
#include "sim_ops_internal.h"

/* -- nodes and items -- */

static void put_texts(struct sim *sim, struct sim_form *form, const char *field,
                      const char *const *texts, uint32_t count)
{
    const uint32_t some = sim_draw(sim, count + 1);
    struct writer *writer = form_key(form, field);
    writer_array(writer, some);
    for (uint32_t i = 0; i < some; i++) {
        writer_string(writer, texts[i]);
    }
}

void form_words(struct sim *sim, struct sim_form *form, const char *field)
{
    static const char *const words[] = {"heavy", "no_pickup", "no_same_day", "glass"};
    const uint32_t first = sim_draw(sim, 4);
    put_texts(sim, form, field, words + first, 4 - first);
}

/* Everything is in the US: what is served is all of it, a part, or all but a part. */
static void put_serves(struct sim *sim, struct sim_form *form)
{
    static const char *const areas[] = {"US", "-US:107", "US:1071", "CA", "-CA:K"};
    if (sim_chance(sim, 30)) {
        writer_nil(form_key(form, "serves"));
        return;
    }
    put_texts(sim, form, "serves", areas, 5);
}

/* Zones that set their clocks back or forward, by an hour or half of one, and some that do not. */
static void put_zone(struct sim *sim, struct sim_form *form)
{
    static const char *const zones[] = {"America/New_York", "Europe/Berlin", "Australia/Lord_Howe",
                                        "Asia/Kathmandu",   "Pacific/Apia",  "UTC"};
    const char *zone = zones[sim_draw(sim, 6)];
    form_text(form, "tz", sim->has_zones ? zone : "UTC");
}

/* "2026-09-21", so many days from now. */
static void date_text(const struct sim *sim, uint32_t days, char out[16])
{
    const time_t at = (time_t)(sim->wall_ms / 1000) + (time_t)days * 86400;
    struct tm date;
    const bool is_date = gmtime_r(&at, &date) && strftime(out, 16, "%Y-%m-%d", &date) > 0;
    CHECK(is_date);
}

/* Always open, but for one date of today or later. */
static void put_dates(struct sim *sim, struct sim_form *form)
{
    static const uint32_t dates[] = {0, 1, 2, 95};
    const uint32_t first = sim_draw(sim, 4);
    struct writer *writer = form_key(form, "calendar");
    writer_map(writer, 4 - first);
    for (uint32_t i = first; i < 4; i++) {
        const bool is_open = sim_chance(sim, 60);
        char date[16];
        date_text(sim, dates[i], date);
        writer_string(writer, date);
        writer_array(writer, is_open);
        if (is_open) {
            writer_array(writer, 2);
            writer_string(writer, "09:00");
            writer_string(writer, "23:30");
        }
    }
}

static void put_cutoff(struct sim *sim, struct sim_form *form)
{
    static const char *const times[] = {"14:30", "23:59", "00:01"};
    struct writer *writer = form_key(form, "cutoff");
    writer_map(writer, 1);
    writer_string(writer, sim_chance(sim, 50) ? "standard" : "same_day");
    writer_string(writer, times[sim_draw(sim, 3)]);
}

/* Of nodes that the ledger adds no capacity of. */
static void put_rules(struct sim *sim, struct sim_form *form)
{
    static const char *const kinds[] = {"orders", "units"};
    static const char *const pers[] = {"hour", "day"};
    const uint32_t count = sim_draw(sim, 4);
    struct writer *writer = form_key(form, "capacity");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        writer_map(writer, 3);
        writer_string(writer, "kind");
        writer_string(writer, kinds[i % 2]);
        writer_string(writer, "per");
        writer_string(writer, pers[i / 2]);
        writer_string(writer, "limit");
        writer_int(writer, 10 + sim_draw(sim, 500));
    }
}

static void put_place(struct sim *sim, struct sim_form *form)
{
    static const char *const postcodes[] = {"10001", "1071 AB", "94103"};
    form_text(form, "country", "US");
    form_text(form, "postcode", postcodes[sim_draw(sim, 3)]);
    form_text(form, "name", sim_chance(sim, 50) ? "the node at the corner" : "");
}

void form_node_rare(struct sim *sim, const struct sim_request *request, struct sim_form *form)
{
    const bool has_hours = request->node == 4 || request->node == 5;
    if (sim_chance(sim, 20)) {
        put_serves(sim, form);
    }
    if (sim_chance(sim, 20)) {
        form_words(sim, form, "bars");
    }
    if (sim_chance(sim, 20)) {
        put_place(sim, form);
    }
    if (has_hours && sim_chance(sim, 50)) {
        put_cutoff(sim, form);
    }
    if (request->node >= 6 && sim_chance(sim, 40)) {
        put_dates(sim, form);
    }
    if (request->node >= 4 && sim_chance(sim, 60)) {
        put_zone(sim, form);
    }
    if (request->node > SIM_METERED && sim_chance(sim, 40)) {
        put_rules(sim, form);
    }
    if (sim_chance(sim, 15)) {
        form_float(form, "acceptance", sim_draw(sim, 5) / 4.0);
    }
    if (sim_chance(sim, 10)) {
        form_int(form, "stock_max_age_min", sim_draw(sim, 3));
    }
    if (sim_chance(sim, 20)) {
        form_int(form, "handling_cents", sim_draw(sim, 500));
    }
}

/* -- places -- */

/* Loaded ones are 10000 and up; what is not, is found by a prefix or not at all. */
void put_postcode(struct sim *sim, struct writer *writer)
{
    static const char *const postcodes[] = {"10001", "10 003", "10011-22", "10707", "99999"};
    const bool is_box = sim_chance(sim, 20);
    writer_map(writer, 2u + is_box);
    writer_string(writer, "country");
    writer_string(writer, "US");
    writer_string(writer, "postcode");
    writer_string(writer, postcodes[sim_draw(sim, 5)]);
    if (is_box) {
        writer_string(writer, "po_box");
        writer_bool(writer, true);
    }
}

void form_reach(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    if (sim_chance(sim, 6)) {
        form_float(form, "max_km", 20 + sim_draw(sim, 400));
    }
    if (sim_chance(sim, 88)) {
        return;
    }
    const uint32_t count = 1 + sim_draw(sim, 3);
    const uint32_t first = sim_draw(sim, BOOKS_NODES);
    struct writer *writer = form_key(form, sim_chance(sim, 50) ? "include_nodes" : "exclude_nodes");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t node = (first + i) % BOOKS_NODES;
        request->node = is_known_node(sim, node) ? request->node : node;
        put_id(writer, 'n', node);
    }
}

/* -- lines -- */

enum line_wish draw_line_wish(struct sim *sim)
{
    static const enum line_wish wishes[] = {LINE_NAMED, LINE_PINNED, LINE_PICKUP, LINE_SERVICE};
    return sim->is_wide && sim_chance(sim, 15) ? wishes[sim_draw(sim, 4)] : LINE_PLAIN;
}

uint32_t line_wish_fields(enum line_wish wish)
{
    static const uint32_t fields[] = {0, 1, 2, 2, 1};
    return fields[wish];
}

static void put_node(struct sim *sim, struct sim_request *request, struct writer *writer,
                     const char *field)
{
    const uint32_t node = draw_node(sim);
    request->node = is_known_node(sim, node) ? request->node : node;
    writer_string(writer, field);
    put_id(writer, 'n', node);
}

void put_line_wish(struct sim *sim, struct sim_request *request, struct writer *writer,
                   enum line_wish wish)
{
    static const char *const services[] = {"standard", "next_day", "same_day"};
    if (wish == LINE_NAMED) {
        writer_string(writer, "line");
        writer_int(writer, request->line_count);
    }
    if (wish == LINE_PINNED) {
        put_node(sim, request, writer, "node");
    }
    if (wish == LINE_PICKUP) {
        put_node(sim, request, writer, "pickup_node");
    }
    if (wish >= LINE_PINNED) {
        writer_string(writer, "service");
        writer_string(writer, wish == LINE_PICKUP ? "pickup" : services[sim_draw(sim, 3)]);
    }
}

/* -- pages -- */

void form_after(struct sim *sim, struct sim_request *request, struct sim_form *form,
                enum sim_pages list)
{
    if (sim->nexts[list][0] && sim_chance(sim, 40)) {
        form_text(form, "after", sim->nexts[list]);
        request->is_any = true;
    }
}

void pages_see(struct sim *sim, const struct sim_reply *reply, enum sim_pages list)
{
    const struct sim_value *next = reply->result ? sim_field(reply->result, "next") : NULL;
    sim->nexts[list][0] = '\0';
    if (next && next->kind == READER_KIND_TEXT && next->text.len < SIM_NEXT_MAX) {
        memcpy(sim->nexts[list], next->text.at, next->text.len);
        sim->nexts[list][next->text.len] = '\0';
    }
}

/* -- what is held -- */

bool draw_held(struct sim *sim, uint32_t *reservation, uint32_t *item, uint32_t *node)
{
    const uint32_t all = sim->things[BOOKS_RESERVATION];
    for (uint32_t tries = 0; all > 0 && tries < 16; tries++) {
        const uint32_t at = all - 1 - sim_draw(sim, all < 40 ? all : 40);
        const struct ledger_reservation *own = &sim->ledger->reservations[at];
        for (uint32_t i = 0; i < own->piece_count; i++) {
            if (own->pieces[i].held > 0) {
                *reservation = at;
                *item = own->pieces[i].item;
                *node = own->pieces[i].node;
                return true;
            }
        }
    }
    return false;
}

bool draw_share(struct sim *sim, uint32_t *order, uint32_t *part, uint32_t *item, uint32_t *node)
{
    for (uint32_t tries = 0; sim->orders > 0 && tries < 16; tries++) {
        const uint32_t at = draw_order(sim);
        const struct ledger_order *own = &sim->ledger->orders[at];
        for (uint32_t i = 0; i < own->share_count; i++) {
            if (ledger_share_held(own, &own->shares[i]) > 0) {
                *order = at;
                *part = own->shares[i].part;
                *item = own->shares[i].item;
                *node = own->parts[*part].node;
                return true;
            }
        }
    }
    return false;
}
