/* Orders decided anew: nodes that say no, other sources, other wishes; and what is promised. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "sim_ops_internal.h"

/* -- fulfil.reject -- */

static void put_found(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    struct writer *writer = form_key(form, "lines");
    request->line_count = 1;
    writer_array(writer, 1);
    writer_map(writer, 3);
    writer_string(writer, "line");
    writer_int(writer, 1 + sim_draw(sim, 2));
    writer_string(writer, "qty_found");
    writer_int(writer, sim_draw(sim, 3));
    writer_string(writer, "on_hand");
    writer_int(writer, sim_draw(sim, 6));
}

void reject_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    static const char *const reasons[] = {"out_of_stock", "damaged",     "too_busy", "closed",
                                          "not_allowed",  "no_response", "other"};
    static const char *const actions[] = {"none", "missing", "zero", "set"};
    struct sim_form form = form_begin(params);
    form_fulfilment(sim, request, &form);
    form_text(&form, "reason", reasons[sim_draw(sim, 7)]);
    if (sim_chance(sim, 40)) {
        put_found(sim, request, &form);
        form_text(&form, "stock_action", actions[sim_draw(sim, 4)]);
    }
    if (sim_chance(sim, 15)) {
        form_bool(&form, "reroute", false);
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

/* Lines, services and nodes are drawn blindly: what does not fit is the caller's fault. */
static bool is_misfit(const struct sim_request *request, const struct sim_reply *reply)
{
    return (request->line_count > 0 || request->is_flagged) &&
           (sim_is_error(reply, "UNKNOWN_LINE") || sim_is_error(reply, "INVALID_ARGUMENT") ||
            sim_is_error(reply, "UNKNOWN_FULFILMENT") || sim_is_error(reply, "UNKNOWN_ITEM") ||
            sim_is_error(reply, "UNKNOWN_NODE"));
}

/* Who is told of a change knows the order: it cannot have been lost. */
void replan_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    if (is_misfit(request, reply) || is_key_answer(sim, request, reply) ||
        sim_is_refused(reply, NULL)) {
        return;
    }
    CHECK(sim->books->orders[request->order].is_there); /* else a phantom */
    if (!sim_is_true(reply->result, "dry_run")) {
        key_note(sim, request, NULL);
    }
}

/* -- order.reroute, order.modify -- */

static void put_order(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    const uint32_t order = draw_order(sim);
    request->order = order == SIM_NONE ? 0 : order;
    form_id(form, "order_id", 'o', request->order);
}

void reroute_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    put_order(sim, request, &form);
    if (sim_chance(sim, 50)) {
        char id[24];
        const int len = snprintf(id, sizeof id, "o%u/%u", request->order, 1 + sim_draw(sim, 2));
        struct writer *writer = form_key(&form, "fulfilments");
        writer_array(writer, 1);
        writer_text(writer, id, (uint32_t)len);
        request->is_flagged = true;
    } else if (sim_chance(sim, 50)) {
        form_bool(&form, "allow_partial", true);
    }
    if (sim_chance(sim, 30)) {
        request->node = draw_node(sim);
        struct writer *writer = form_key(&form, "exclude_nodes");
        writer_array(writer, 1);
        put_id(writer, 'n', request->node);
    }
    if (sim_chance(sim, 10)) {
        form_bool(&form, "dry_run", true);
    } else {
        form_new_key(sim, request, &form);
    }
    form_end(&form);
}

static void put_wanted(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    const uint32_t count = 1 + sim_draw(sim, 3);
    struct writer *writer = form_key(form, "lines");
    request->line_count = count;
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const bool has_item = sim_chance(sim, 30);
        writer_map(writer, 2u + has_item);
        writer_string(writer, "line");
        writer_int(writer, i + 1);
        writer_string(writer, "qty");
        writer_int(writer, sim_draw(sim, 5));
        if (has_item) {
            writer_string(writer, "item");
            put_item(writer, draw_sold(sim));
        }
    }
}

void modify_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    put_order(sim, request, &form);
    if (sim_chance(sim, 80)) {
        put_wanted(sim, request, &form);
    }
    if (form.count == 1 || sim_chance(sim, 20)) {
        form_place(sim, request, &form);
    }
    if (sim_chance(sim, 15)) {
        form_text(&form, "service", sim_chance(sim, 50) ? "next_day" : "standard");
        request->is_flagged = true;
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

/* -- promise.quote -- */

void quote_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    struct writer *writer = form_key(&form, "lines");
    const uint32_t item = draw_sold(sim);
    request->item = item == BOOKS_ITEMS ? item : SIM_NONE;
    writer_array(writer, 1);
    writer_map(writer, 2);
    writer_string(writer, "item");
    put_item(writer, item);
    writer_string(writer, "qty");
    writer_int(writer, 1 + sim_draw(sim, 5));
    form_place(sim, request, &form);
    form_channel(sim, &form);
    if (sim_chance(sim, 50)) {
        writer = form_key(&form, "pickup_near");
        writer_map(writer, 1);
        writer_string(writer, "k");
        writer_int(writer, 1 + sim_draw(sim, 5));
    }
    form_end(&form);
}

/* An option that can be met has its sources, and a promise is not over before it is made. */
void quote_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    if (is_plain_error(sim, request, reply)) {
        return;
    }
    const struct sim_value *options = sim_list(reply->result, "options");
    CHECK(options->count == 4);
    for (const struct sim_value *at = options->first; at; at = at->next) {
        CHECK(!sim_is_true(at, "feasible") || sim_list(at, "missing")->count == 0);
    }
}

/* -- capacity -- */

/* The nodes that have a limit: from the first moment on, so that all work is counted. */
static uint32_t draw_metered(struct sim *sim)
{
    return sim->forced != SIM_NONE ? sim->forced : 1 + sim_draw(sim, SIM_METERED);
}

/* Any limit, taken away again, or another one for some hours: of nodes that the ledger does not
 * add up. */
static void put_wild_limit(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    request->node = SIM_METERED + 1 + sim_draw(sim, BOOKS_NODES - SIM_METERED - 1);
    request->is_flagged = true;
    form_id(form, "node", 'n', request->node);
    form_text(form, "kind", sim_chance(sim, 50) ? "units" : "orders");
    form_text(form, "per", sim_chance(sim, 50) ? "hour" : "day");
    if (sim_chance(sim, 30)) {
        form_text(form, "service", "standard");
    }
    if (sim_chance(sim, 35)) {
        writer_nil(form_key(form, "limit"));
    } else {
        form_int(form, "limit", sim_draw(sim, 200));
    }
    if (sim_chance(sim, 40)) {
        const int64_t from = (int64_t)sim->wall_ms + 3600000 * (int64_t)sim_draw(sim, 10);
        form_int(form, "from", from);
        form_int(form, "to", from + 3600000 * (1 + (int64_t)sim_draw(sim, 3)));
    }
}

void capacity_set_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    if (sim->is_wide && sim->forced == SIM_NONE && sim_chance(sim, 60)) {
        put_wild_limit(sim, request, &form);
        form_new_key(sim, request, &form);
        form_end(&form);
        return;
    }
    request->node = draw_metered(sim);
    form_id(&form, "node", 'n', request->node);
    form_text(&form, "kind", "units");
    form_text(&form, "per", "day");
    form_int(&form, "limit", 20 + sim_draw(sim, 3000));
    form_new_key(sim, request, &form);
    form_end(&form);
}

void capacity_set_see(struct sim *sim, const struct sim_request *request,
                      const struct sim_reply *reply)
{
    if (is_key_answer(sim, request, reply)) {
        return;
    }
    CHECK(request->is_flagged || sim_int(reply->result, "used") >= 0);
    key_note(sim, request, NULL);
}

void capacity_get_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    request->node = draw_metered(sim);
    form_id(&form, "node", 'n', request->node);
    form_end(&form);
}

void capacity_get_see(struct sim *sim, const struct sim_request *request,
                      const struct sim_reply *reply)
{
    if (!is_plain_error(sim, request, reply) && is_ledger_current(sim)) {
        CHECK(sim_list(reply->result, "capacity")->count == 1);
        ledger_check_capacity(sim->ledger, reply->result, request->node, sim_now(sim));
    }
}

/* -- carriers and roads -- */

void carrier_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    static const char *const services[] = {"standard", "next_day"};
    struct sim_form form = form_begin(params);
    const uint32_t rows = 1 + sim_draw(sim, 4);
    form_text(&form, "carrier", sim_chance(sim, 50) ? "post" : "truck");
    struct writer *writer = form_key(&form, "rows");
    writer_array(writer, rows);
    for (uint32_t i = 0; i < rows; i++) {
        writer_array(writer, 6);
        writer_string(writer, services[i % 2]);
        writer_string(writer, "US");
        writer_string(writer, i < 2 ? "US" : "US:1");
        writer_int(writer, 1 + sim_draw(sim, 4));
        writer_int(writer, sim_draw(sim, 900));
        writer_int(writer, sim_draw(sim, 90));
    }
    if (sim_chance(sim, 25)) {
        form_bool(&form, "replace", true);
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

void travel_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    const uint32_t rows = 1 + sim_draw(sim, 3);
    struct writer *writer = form_key(&form, "rows");
    writer_array(writer, rows);
    for (uint32_t i = 0; i < rows; i++) {
        writer_array(writer, 4);
        put_id(writer, 'n', sim_draw(sim, BOOKS_NODES));
        writer_string(writer, i % 2 ? "US:1" : "US");
        writer_float(writer, 1 + sim_draw(sim, 300));
        writer_int(writer, 10 + sim_draw(sim, 500));
    }
    if (sim_chance(sim, 25)) {
        form_bool(&form, "replace", true);
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

/* -- strategies -- */

/* Few names, so that they get versions; the last is never put. */
void form_strategy(struct sim *sim, struct sim_form *form, const char *field, uint32_t names)
{
    form_id(form, field, 'y', sim_draw(sim, names));
}

static void put_terms(struct sim *sim, struct sim_form *form, bool is_weighted)
{
    static const char *const terms[] = {"distance", "road",     "minutes",    "cost",     "date",
                                        "store",    "priority", "load", "acceptance", "scarcity"};
    const uint32_t count = 1 + sim_draw(sim, 3);
    const uint32_t first = sim_draw(sim, 10);
    struct writer *writer = form_key(form, "terms");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const bool has_band = sim_chance(sim, 30);
        writer_map(writer, 1u + is_weighted + has_band);
        writer_string(writer, "term");
        writer_string(writer, terms[(first + i) % 10]);
        if (is_weighted) {
            writer_string(writer, "weight");
            writer_float(writer, 0.5 + sim_draw(sim, 9));
        }
        if (has_band) {
            writer_string(writer, "band");
            writer_float(writer, 1 + sim_draw(sim, 50));
        }
    }
}

static void put_fence(struct sim *sim, struct sim_form *form)
{
    static const char *const fences[] = {"max_km", "max_minutes", "max_cost_cents", "max_load",
                                         "keep_last"};
    static const uint32_t values[] = {400, 900, 5000, 60, 2};
    const uint32_t which = sim_draw(sim, 5);
    struct writer *writer = form_key(form, "fences");
    writer_array(writer, 1);
    writer_map(writer, 2);
    writer_string(writer, "fence");
    writer_string(writer, fences[which]);
    writer_string(writer, "value");
    writer_int(writer, values[which]);
}

void strategy_put_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    const bool is_weighted = sim_chance(sim, 50);
    form_strategy(sim, &form, "name", SIM_STRATEGIES - 1);
    form_text(&form, "mode", is_weighted ? "weighted" : "lexicographic");
    put_terms(sim, &form, is_weighted);
    if (sim_chance(sim, 40)) {
        put_fence(sim, &form);
    }
    if (sim_chance(sim, 30)) {
        struct writer *writer = form_key(&form, "reject");
        writer_map(writer, 2);
        writer_string(writer, "max");
        writer_int(writer, 1 + sim_draw(sim, 4));
        writer_string(writer, "block_ms");
        writer_int(writer, sim_draw(sim, 500));
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

void strategy_activate_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    if (sim_chance(sim, 40)) {
        form_text(&form, "name", "nearest");
    } else {
        form_strategy(sim, &form, "name", SIM_STRATEGIES);
    }
    if (sim_chance(sim, 50)) {
        struct writer *writer = form_key(&form, "services");
        writer_array(writer, 1);
        writer_string(writer, sim_chance(sim, 50) ? "standard" : "next_day");
    }
    if (sim_chance(sim, 30)) {
        struct writer *writer = form_key(&form, "channels");
        writer_array(writer, 1);
        writer_string(writer, sim_chance(sim, 50) ? "web" : "shop");
    }
    form_new_key(sim, request, &form);
    form_end(&form);
}

/* Which names are known, the books do not keep. */
void strategy_see(struct sim *sim, const struct sim_request *request,
                  const struct sim_reply *reply)
{
    if (sim_is_error(reply, "UNKNOWN_STRATEGY") || is_key_answer(sim, request, reply)) {
        return;
    }
    CHECK(sim_int(reply->result, "version") >= 0);
    key_note(sim, request, NULL);
}
