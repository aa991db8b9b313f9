/* Questions that change nothing: what another strategy would do, why an order went where it did.
 * That nothing is changed, sim_state_note sees: the same LSN must have the same digest. */
#include "check.h"
#include "sim_ops_internal.h"

void strategy_try_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    request->is_flagged = sim_chance(sim, 50); /* from the log */
    if (sim_chance(sim, 30)) {
        form_text(&form, "name", "nearest");
    } else {
        form_strategy(sim, &form, "name", SIM_STRATEGIES);
    }
    if (request->is_flagged) {
        const uint64_t back = sim_draw(sim, 2000);
        const uint64_t now = service_tables(sim->service)->lsn;
        form_int(&form, "from_lsn", now > back ? (int64_t)(now - back) : 1);
    } else {
        form_int(&form, "last_n", 1 + sim_draw(sim, 60));
    }
    form_end(&form);
}

void strategy_try_see(struct sim *sim, const struct sim_request *request,
                      const struct sim_reply *reply)
{
    if (sim_is_error(reply, "EVENTS_GONE")) {
        CHECK(request->is_flagged);
        return;
    }
    /* Its read may be the call that failed, or that the end of the process came with. */
    if (sim_is_error(reply, "INTERNAL")) {
        CHECK(sim->is_fault_armed || disk_sim_is_off(sim->disk));
        return;
    }
    if (sim_is_error(reply, "UNKNOWN_STRATEGY") || is_plain_error(sim, request, reply)) {
        return;
    }
    const int64_t orders = sim_int(reply->result, "orders");
    CHECK(request->is_flagged || orders + sim_int(reply->result, "skipped") <= 60);
    CHECK(sim_int(reply->result, "now_routed") <= sim_int(reply->result, "were_refused"));
    CHECK(sim_int(reply->result, "refused") + sim_int(reply->result, "moved") <= orders);
    CHECK(sim_list(reply->result, "nodes")->count <= BOOKS_NODES + 1);
}

static void put_order(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    const uint32_t order = draw_order(sim);
    request->order = order == SIM_NONE ? 0 : order;
    form_id(form, "order_id", 'o', request->order);
}

void explain_get_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    put_order(sim, request, &form);
    form_end(&form);
}

void explain_get_see(struct sim *sim, const struct sim_request *request,
                     const struct sim_reply *reply)
{
    if (is_plain_error(sim, request, reply)) {
        return;
    }
    CHECK(sim->books->orders[request->order].is_there);
    for (const struct sim_value *at = sim_list(reply->result, "chosen")->first; at;
         at = at->next) {
        CHECK(sim_id(sim_field(at, "fulfilment"), 'o') == request->order);
        CHECK(is_known_node(sim, sim_id(sim_field(at, "node"), 'n')));
    }
}

void why_not_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    put_order(sim, request, &form);
    request->node = draw_node(sim);
    form_id(&form, "node", 'n', request->node);
    form_end(&form);
}

/* A node that is best now is kept out by nothing and misses nothing. */
void why_not_see(struct sim *sim, const struct sim_request *request,
                 const struct sim_reply *reply)
{
    if (is_plain_error(sim, request, reply)) {
        return;
    }
    CHECK(sim->books->orders[request->order].is_there);
    for (const struct sim_value *at = sim_list(reply->result, "groups")->first; at;
         at = at->next) {
        const bool is_best = sim_is_true(at, "is_best");
        CHECK(!is_best || sim_list(at, "fences")->count == 0);
        CHECK(!is_best || sim_list(at, "missing")->count == 0);
    }
}
