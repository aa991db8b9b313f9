/* The table of requests, and what all of them share. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "frame.h"
#include "sim_ops_internal.h"

/* A new method is a line here, a function that draws it and one that judges its reply. */
static const struct sim_kind kinds[] = {
    {"order.route", 330, true, false, route_make, route_see},
    {"fulfil.update", 190, true, false, update_make, update_see},
    {"order.cancel", 80, true, false, cancel_make, cancel_see},
    {"stock.adjust", 120, true, false, adjust_make, adjust_see},
    {"stock.set", 50, true, false, set_make, set_see},
    {"stock.load", 8, true, false, load_make, load_see},
    {"stock.policy", 15, true, false, policy_make, policy_see},
    {"node.put", 6, true, false, node_put_make, node_put_see},
    {"node.status", 12, true, false, node_status_make, node_status_see},
    {"item.put", 8, true, false, item_put_make, plain_see},
    {"place.load", 2, true, false, places_make, plain_see},
    {"stock.get", 60, false, false, stock_get_make, stock_get_see},
    {"stock.list", 10, false, false, stock_list_make, stock_list_see},
    {"stock.find", 20, false, false, find_make, find_see},
    {"order.get", 60, false, false, order_get_make, order_get_see},
    {"order.list", 4, false, false, order_list_make, order_list_see},
    {"fulfil.list", 10, false, false, fulfil_list_make, fulfil_list_see},
    {"node.get", 5, false, false, node_ask_make, plain_see},
    {"node.list", 3, false, false, node_list_make, plain_see},
    {"item.get", 5, false, false, item_get_make, plain_see},
    {"hello", 3, false, false, empty_make, plain_see},
    {"stats", 2, false, false, empty_make, plain_see},
    {"snapshot", 2, false, false, empty_make, snapshot_see},
    {"promise.quote", 6, false, false, quote_make, quote_see},
    {"capacity.get", 4, false, false, capacity_get_make, capacity_get_see},
    {"capacity.set", 4, true, false, capacity_set_make, capacity_set_see},
    {"carrier.load", 3, true, false, carrier_make, plain_see},
    {"travel.load", 3, true, false, travel_make, plain_see},
    {"events.read", 6, false, false, events_make, events_see},
    {"return.quote", 3, false, false, return_quote_make, return_quote_see},
    {"strategy.put", 4, true, false, strategy_put_make, strategy_see},
    {"strategy.activate", 4, true, false, strategy_activate_make, strategy_see},
    {"strategy.try", 2, false, false, strategy_try_make, strategy_try_see},
    {"explain.get", 8, false, false, explain_get_make, explain_get_see},
    {"explain.why_not", 8, false, false, why_not_make, why_not_see},
    {"strategy.list", 2, false, false, empty_make, plain_see},
    {"reserve.create", 90, true, true, reserve_create_make, reserve_create_see},
    {"reserve.update", 35, true, true, reserve_update_make, reserve_update_see},
    {"reserve.release", 20, true, true, reserve_release_make, reserve_update_see},
    {"reserve.get", 20, false, true, reserve_get_make, reserve_get_see},
    {"fulfil.reject", 60, true, true, reject_make, replan_see},
    {"order.reroute", 40, true, true, reroute_make, replan_see},
    {"order.modify", 40, true, true, modify_make, replan_see},
    {"return.create", 12, true, true, return_create_make, return_create_see},
    {"return.receive", 20, true, true, return_receive_make, return_receive_see},
    {"supply.put", 15, true, true, supply_put_make, supply_put_see},
    {"supply.receive", 20, true, true, supply_receive_make, supply_see},
    {"supply.cancel", 5, true, true, supply_cancel_make, supply_see},
    {"transfer.create", 20, true, true, transfer_create_make, transfer_create_see},
    {"transfer.ship", 20, true, true, transfer_move_make, transfer_see},
    {"transfer.receive", 20, true, true, transfer_move_make, transfer_see},
    {"transfer.cancel", 5, true, true, transfer_cancel_make, transfer_see},
    {"clock.set", 150, true, true, clock_make, clock_see},
    {"order.rouse", 2, false, false, empty_make, plain_see}, /* no such method */
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static uint64_t answered[KINDS]; /* by all runs of this program; likewise: */
static uint64_t refused[KINDS], failed[KINDS], duplicates[KINDS];

void sim_op_table(void)
{
    printf("%-18s %9s %9s %9s %9s\n", "method", "answers", "refusals", "errors", "duplicates");
    for (uint32_t i = 0; i < KINDS; i++) {
        printf("%-18s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n", kinds[i].method,
               answered[i], refused[i], failed[i], duplicates[i]);
    }
}

const char *sim_op_missing(void)
{
    for (uint32_t method = 0; method < METHOD_COUNT; method++) {
        const char *name = method_text((enum method)method);
        uint64_t count = 0;
        for (uint32_t i = 0; i < KINDS; i++) {
            count += strcmp(kinds[i].method, name) == 0 ? answered[i] : 0;
        }
        if (count == 0) {
            return name;
        }
    }
    return NULL;
}

/* -- params -- */

struct sim_form form_begin(struct writer *writer)
{
    return (struct sim_form){writer, writer_open(writer), 0};
}

void form_end(struct sim_form *form)
{
    writer_map_close(form->writer, form->mark, form->count);
}

struct writer *form_key(struct sim_form *form, const char *name)
{
    writer_string(form->writer, name);
    form->count++;
    return form->writer;
}

void form_int(struct sim_form *form, const char *name, int64_t value)
{
    writer_int(form_key(form, name), value);
}

void form_float(struct sim_form *form, const char *name, double value)
{
    writer_float(form_key(form, name), value);
}

void form_bool(struct sim_form *form, const char *name, bool value)
{
    writer_bool(form_key(form, name), value);
}

void form_text(struct sim_form *form, const char *name, const char *text)
{
    writer_string(form_key(form, name), text);
}

void put_id(struct writer *writer, char letter, uint32_t id)
{
    char text[16];
    const int len = snprintf(text, sizeof text, "%c%u", letter, id);
    writer_text(writer, text, (uint32_t)len);
}

void form_id(struct sim_form *form, const char *name, char letter, uint32_t id)
{
    put_id(form_key(form, name), letter, id);
}

/* Keys belong to one method: the number says which, so that no two methods meet at one. */
void form_new_key(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    if (sim_chance(sim, 50) || sim->keys == BOOKS_KEYS_MAX) {
        return;
    }
    const uint32_t method = (uint32_t)(request->kind - kinds);
    const uint32_t old = sim->keys > 8 ? sim->keys - 1 - sim_draw(sim, 8) : 0;
    const bool is_old = sim->keys > 8 && sim->key_methods[old] == method && sim_chance(sim, 10);
    request->key = is_old ? old : sim->keys++;
    sim->key_methods[request->key] = (uint8_t)method;
    form_id(form, "key", (char)('A' + method), request->key);
}

/* -- draws -- */

uint32_t draw_item(struct sim *sim)
{
    if (sim_draw(sim, 150) == 0) {
        return BOOKS_ITEMS; /* unknown */
    }
    return sim_draw(sim, sim_chance(sim, 35) ? 2 : BOOKS_ITEMS);
}

const struct sim_kit sim_kits[SIM_KIT_COUNT] = {
    {{2, 3}, {1, 2}}, {{0, 1}, {1, 1}}, {{4, 0}, {3, 1}}};

uint32_t draw_sold(struct sim *sim)
{
    const bool is_kit = sim->is_wide && sim_chance(sim, 8);
    return is_kit ? SIM_KITS + sim_draw(sim, SIM_KIT_COUNT) : draw_item(sim);
}

void put_item(struct writer *writer, uint32_t item)
{
    put_id(writer, item >= SIM_KITS ? 'k' : 'i', item >= SIM_KITS ? item - SIM_KITS : item);
}

/* The last node is put under way. */
uint32_t draw_node(struct sim *sim)
{
    return sim_draw(sim, BOOKS_NODES + (sim_draw(sim, 20) == 0));
}

static uint32_t draw_any_order(struct sim *sim)
{
    const uint32_t near = sim->orders < 40 ? sim->orders : 40;
    return sim_chance(sim, 80) ? sim->orders - 1 - sim_draw(sim, near) : sim_draw(sim, sim->orders);
}

/* Mostly one that the books know: an id that was refused is known to nobody. */
uint32_t draw_order(struct sim *sim)
{
    if (sim->orders == 0) {
        return SIM_NONE;
    }
    uint32_t order = draw_any_order(sim);
    for (uint32_t tries = 0; tries < 3 && !sim->books->orders[order].is_there; tries++) {
        order = draw_any_order(sim);
    }
    return order;
}

uint64_t draw_time(struct sim *sim)
{
    return sim->wall_ms - 1 - sim_draw(sim, 400);
}

bool is_known_item(const struct sim *sim, uint32_t item)
{
    (void)sim;
    return item < BOOKS_ITEMS;
}

bool is_known_node(const struct sim *sim, uint32_t node)
{
    return node <= BOOKS_NODES && sim->books->nodes[node].is_there;
}

void put_coordinates(struct sim *sim, struct writer *writer)
{
    writer_map(writer, 2);
    writer_string(writer, "lat");
    writer_float(writer, 38 + sim_draw(sim, 400) / 100.0);
    writer_string(writer, "lon");
    writer_float(writer, -76 + sim_draw(sim, 400) / 100.0);
}

void form_place(struct sim *sim, struct sim_request *request, struct sim_form *form)
{
    if (sim->is_wide && sim_chance(sim, 15)) {
        request->has_postcode = true;
        put_postcode(sim, form_key(form, "dest"));
        return;
    }
    put_coordinates(sim, form_key(form, "dest"));
}

void form_channel(struct sim *sim, struct sim_form *form)
{
    static const char *const channels[] = {"web", "shop", "telephone"};
    if (sim->is_wide && sim_chance(sim, 30)) {
        form_text(form, "channel", channels[sim_draw(sim, 3)]);
    }
}

/* -- reservations and documents -- */

static uint32_t draw_any_thing(struct sim *sim, uint32_t all)
{
    const uint32_t near = all < 20 ? all : 20;
    return sim_chance(sim, 80) ? all - 1 - sim_draw(sim, near) : sim_draw(sim, all);
}

void draw_thing(struct sim *sim, struct sim_request *request, enum books_kind kind)
{
    const uint32_t all = sim->things[kind];
    request->thing_kind = kind;
    request->thing = all == 0 ? 0 : draw_any_thing(sim, all);
    for (uint32_t tries = 0; all > 0 && tries < 2; tries++) {
        if (!sim->books->things[kind][request->thing].is_there) {
            request->thing = draw_any_thing(sim, all);
        }
    }
}

void draw_new_thing(struct sim *sim, struct sim_request *request, enum books_kind kind)
{
    const bool is_full = sim->things[kind] == BOOKS_THINGS_MAX;
    draw_thing(sim, request, kind);
    if (!is_full && (sim->things[kind] == 0 || sim_draw(sim, 20) > 0)) {
        request->thing = sim->things[kind]++;
    }
}

static const struct books_thing *thing_of(const struct sim *sim, const struct sim_request *request)
{
    return &sim->books->things[request->thing_kind][request->thing];
}

bool is_thing_there(const struct sim *sim, const struct sim_request *request)
{
    return thing_of(sim, request)->is_there;
}

/* It may have ended right after it was made, and left when the window was over. */
static bool is_thing_unsure(const struct sim *sim, const struct sim_request *request)
{
    const struct books_thing *thing = thing_of(sim, request);
    return !thing->is_there || thing->at_ms + sim->options.order_window_ms <= sim_now(sim);
}

bool is_thing_known(struct sim *sim, const struct sim_request *request,
                    const struct sim_reply *reply)
{
    const struct books_thing *thing = thing_of(sim, request);
    if (sim_is_error(reply, "IDEMPOTENCY_CONFLICT")) {
        CHECK(thing->is_there);
        /* Once its window is over, the id may be another one. */
        CHECK(thing->content != request->content || is_thing_unsure(sim, request));
        return true;
    }
    if (is_plain_error(sim, request, reply)) {
        return true;
    }
    if (sim_is_true(reply->result, "duplicate")) {
        CHECK(thing->is_there); /* else a phantom */
        CHECK(thing->content == request->content);
        sim->counts.duplicates++;
        return true;
    }
    CHECK(is_thing_unsure(sim, request)); /* what was acknowledged is lost, or made twice */
    return sim_is_refused(reply, NULL);
}

void thing_note(struct sim *sim, const struct sim_request *request)
{
    struct books_thing *thing = &sim->books->things[request->thing_kind][request->thing];
    books_note(sim->books, thing, sizeof *thing);
    *thing = (struct books_thing){true, request->content, sim_now(sim)};
}

void thing_firm(struct sim *sim, const struct sim_request *request)
{
    CHECK(is_thing_there(sim, request));
}

/* -- judging -- */

bool is_fading(const struct sim *sim, const struct books_order *order)
{
    return order->done_ms && order->done_ms + sim->options.order_window_ms <= sim_now(sim);
}

static bool is_order_unsure(const struct sim *sim, uint32_t order)
{
    const struct books_order *own = order < sim->orders ? &sim->books->orders[order] : NULL;
    return !own || !own->is_there || is_fading(sim, own);
}

static bool is_callers_right(const struct sim *sim, const struct sim_request *request,
                             const struct sim_reply *reply)
{
    if (sim_is_error(reply, "UNKNOWN_ITEM")) {
        return request->item == BOOKS_ITEMS;
    }
    if (sim_is_error(reply, "UNKNOWN_PLACE")) {
        return request->has_postcode;
    }
    if (sim_is_error(reply, "UNKNOWN_NODE")) {
        return request->node != SIM_NONE && !is_known_node(sim, request->node);
    }
    if (sim_is_error(reply, "UNKNOWN_ORDER")) {
        return is_order_unsure(sim, request->order);
    }
    if (sim_is_error(reply, "UNKNOWN_RESERVATION") || sim_is_error(reply, "UNKNOWN_RETURN") ||
        sim_is_error(reply, "UNKNOWN_SUPPLY") || sim_is_error(reply, "UNKNOWN_TRANSFER")) {
        return request->thing != SIM_NONE && is_thing_unsure(sim, request);
    }
    if (sim_is_error(reply, "UNKNOWN_FULFILMENT") && sim->is_wide) {
        return true; /* how many an order has by now, only events tell */
    }
    if (sim_is_error(reply, "UNKNOWN_FULFILMENT")) {
        return is_order_unsure(sim, request->order) ||
               request->part >= sim->books->orders[request->order].part_count;
    }
    /* The clock jumped while a group was being collected, whose time is that of all its records. */
    return sim_is_error(reply, "INVALID_ARGUMENT") && request->at_ms > sim_now(sim) + 60000;
}

static bool is_busy_right(struct sim *sim, const struct sim_reply *reply)
{
    if (sim_is_error(reply, "OVERLOADED")) {
        sim->counts.overloaded++;
        return true;
    }
    if (sim_is_error(reply, "READ_ONLY")) {
        sim->counts.read_only++;
        return sim->is_full;
    }
    return sim_is_error(reply, "TABLE_FULL") && sim->is_small;
}

static void show(const struct sim_request *request, const struct sim_reply *reply)
{
    const struct sim_value *text = reply->error ? reply->error->first->next : NULL;
    fprintf(stderr, "%s%s answered %.*s\n", request->kind->method, request->is_bad ? " (bad)" : "",
            text ? (int)text->text.len : 6, text ? text->text.at : "result");
}

bool is_plain_error(struct sim *sim, const struct sim_request *request,
                    const struct sim_reply *reply)
{
    if (!reply->error) {
        return false;
    }
    if (!is_busy_right(sim, reply) && !is_callers_right(sim, request, reply)) {
        show(request, reply);
        CHECK_UNREACHABLE("an error that nothing calls for");
    }
    return true;
}

/* -- keys -- */

enum key_says key_judge(struct sim *sim, const struct sim_request *request)
{
    if (request->key == SIM_NONE) {
        return KEY_SAYS_NEW;
    }
    const struct books_key *key = &sim->books->keys[request->key];
    if (!key->is_there) {
        return KEY_SAYS_NEW;
    }
    if (key->is_loose || key->at_ms + sim->options.key_window_ms <= sim_now(sim)) {
        return KEY_SAYS_ANY;
    }
    return key->content == request->content ? KEY_SAYS_DUPLICATE : KEY_SAYS_CONFLICT;
}

bool is_key_answer(struct sim *sim, const struct sim_request *request,
                   const struct sim_reply *reply)
{
    const enum key_says says = key_judge(sim, request);
    if (says == KEY_SAYS_CONFLICT) {
        CHECK(sim_is_error(reply, "IDEMPOTENCY_CONFLICT") || is_plain_error(sim, request, reply));
        return true;
    }
    if (says == KEY_SAYS_ANY && sim_is_error(reply, "IDEMPOTENCY_CONFLICT")) {
        return true;
    }
    if (is_plain_error(sim, request, reply)) {
        return true;
    }
    const bool is_duplicate = sim_is_true(reply->result, "duplicate");
    sim->counts.duplicates += is_duplicate;
    CHECK(says != KEY_SAYS_DUPLICATE || is_duplicate); /* a second effect of one key */
    if (is_duplicate && says == KEY_SAYS_NEW && request->key != SIM_NONE) {
        key_note(sim, request, NULL);
        sim->books->keys[request->key].is_loose = true;
    }
    return is_duplicate;
}

void key_note(struct sim *sim, const struct sim_request *request, const int64_t *facts)
{
    if (request->key == SIM_NONE) {
        return;
    }
    struct books_key *key = &sim->books->keys[request->key];
    books_note(sim->books, key, sizeof *key);
    *key = (struct books_key){.is_there = true, .content = request->content, .at_ms = sim_now(sim)};
    if (facts) {
        memcpy(key->facts, facts, sizeof key->facts);
    }
}

/* -- drawing -- */

static uint32_t weight_of(const struct sim *sim, const struct sim_kind *kind)
{
    if (kind->make == clock_make && !sim->is_clocked) {
        return sim->is_wide; /* it says that there is no such method */
    }
    return kind->is_wide && !sim->is_wide ? 0 : kind->weight;
}

static const struct sim_kind *draw_kind(struct sim *sim)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < KINDS; i++) {
        total += weight_of(sim, &kinds[i]);
    }
    uint32_t left = sim_draw(sim, total);
    const struct sim_kind *kind = kinds;
    while (left >= weight_of(sim, kind)) {
        left -= weight_of(sim, kind);
        kind++;
    }
    return kind;
}

/* An unknown field, no map, or a value cut down to nil: an error whatever the method. */
static void spoil(struct sim *sim, struct sim_request *request, uint8_t *params, uint32_t *size)
{
    const bool has_key = (params[0] & 0x0f) && (params[0] & 0xf0) == 0x80;
    request->is_bad = true;
    if (has_key && sim_chance(sim, 70)) {
        params[2] = 'Z';
    } else {
        params[0] = sim_chance(sim, 50) ? 0x07 : 0x93;
        *size = params[0] == 0x07 ? 1 : 4;
        params[1] = params[2] = params[3] = 0x01;
    }
}

static bool is_frame(const uint8_t *bytes, uint32_t size)
{
    struct frame_scan scan;
    const struct frame_limits limits = {FRAME_SIZE_MAX, FRAME_DEPTH_MAX - 2};
    frame_scan_init(&scan);
    return frame_scan_run(&scan, bytes, size, &limits) == FRAME_DONE && scan.pos == size;
}

/* Bytes of a read turned into others, which may mean anything. Wrapped, as the scan wants a
 * frame: [2, "m", params]. */
static void garble(struct sim *sim, struct sim_request *request, uint8_t *params, uint32_t size)
{
    uint8_t frame[4 + 1024] = {0x93, 0x02, 0xa1, 'm'};
    if (size == 0 || size > 1024) {
        return;
    }
    memcpy(frame + 4, params, size);
    for (uint32_t i = 0; i <= sim_draw(sim, 3); i++) {
        frame[4 + sim_draw(sim, size)] = (uint8_t)rng_next(&sim->rng);
    }
    if (is_frame(frame, size + 4)) {
        memcpy(params, frame + 4, size);
        request->is_any = true;
    }
}

static struct sim_request *make(struct sim *sim, const struct sim_kind *kind)
{
    struct sim_request *request = sim_request_new(kind);
    struct writer writer;
    writer_init(&writer, sim->params, SIM_PARAMS_MAX);
    kind->make(sim, request, &writer);
    CHECK(!writer.is_full);
    request->size = writer_size(&writer);
    return request;
}

struct sim_request *sim_op_draw(struct sim *sim)
{
    const struct sim_kind *kind = draw_kind(sim);
    struct sim_request *request = make(sim, kind);
    uint32_t size = request->size;
    if (sim_chance(sim, 2)) {
        spoil(sim, request, sim->params, &size);
    } else if (!kind->is_change && sim_chance(sim, 5)) {
        garble(sim, request, sim->params, size);
    }
    sim_params_set(request, sim->params, size);
    return request;
}

struct sim_request *sim_op_named(struct sim *sim, const char *method)
{
    for (uint32_t i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i].method, method) == 0) {
            struct sim_request *request = make(sim, &kinds[i]);
            sim_params_set(request, sim->params, request->size);
            return request;
        }
    }
    CHECK_UNREACHABLE("no such kind");
}

/* -- judging -- */

static const struct sim_request *judged;
static const struct sim_reply *judged_reply;

void sim_op_tell(void)
{
    static struct sim_reply params;
    static uint8_t frame[SIM_PARAMS_MAX + 8] = {0x94, 0x01, 0x00, 0xc0};
    if (!judged || judged->is_bad || judged->is_any) {
        return;
    }
    memcpy(frame + 4, judged->params, judged->size);
    sim_reply_read(&params, frame, judged->size + 4);
    fprintf(stderr, "asked %s%s ", judged->kind->method, judged->is_retry ? " again" : "");
    sim_value_print(params.result);
    fputs("\nanswered ", stderr);
    sim_value_print(judged_reply->error ? judged_reply->error : judged_reply->result);
    fputc('\n', stderr);
}

static void judge(struct sim *sim, const struct sim_request *request,
                  const struct sim_reply *reply);

void sim_op_see(struct sim *sim, const struct sim_request *request, const uint8_t *bytes,
                uint32_t size)
{
    sim_reply_read(&sim->reply, bytes, size);
    judged = request;
    judged_reply = &sim->reply;
    judge(sim, request, &sim->reply);
    judged = NULL;
}

static void judge(struct sim *sim, const struct sim_request *request,
                  const struct sim_reply *reply)
{
    CHECK(reply->msgid == request->msgid);
    sim->counts.errors += reply->error != NULL;
    sim->counts.refusals += reply->result && sim_is_refused(reply, NULL);
    if (reply->result) {
        CHECK(sim_int(reply->result, "lsn") <= (int64_t)request->release_lsn);
    }
    if (request->is_any) {
        return;
    }
    if (request->is_bad) {
        CHECK(reply->error != NULL);
        CHECK(reply->error->first->number == 1 || is_busy_right(sim, reply));
        return;
    }
    answered[request->kind - kinds]++;
    failed[request->kind - kinds] += reply->error != NULL;
    refused[request->kind - kinds] += reply->result && sim_is_refused(reply, NULL);
    duplicates[request->kind - kinds] += reply->result && sim_is_true(reply->result, "duplicate");
    request->kind->see(sim, request, reply);
}

/* -- the network and the first stock -- */

/* Each is asked until it is answered without an error; small tables and ends may come between. */
static void ask_surely(struct sim *sim, struct sim_request *(*make_one)(struct sim *, uint32_t),
                       uint32_t at)
{
    for (uint32_t tries = 0; tries < 100; tries++) {
        const uint64_t errors = sim->counts.errors;
        const bool is_alive = sim_ask(sim, make_one(sim, at));
        if (is_alive && sim->counts.errors == errors) {
            return;
        }
        sim_end_settle(sim);
        sim_tick(sim); /* a disk that was full at the start is tried again */
        sim_drive(sim, true, true);
        sim_end_settle(sim);
    }
    CHECK_UNREACHABLE("the network could not be put");
}

static struct sim_request *first_node(struct sim *sim, uint32_t node)
{
    sim->forced = node;
    struct sim_request *request = sim_op_named(sim, "node.put");
    sim->forced = SIM_NONE;
    return request;
}

static struct sim_request *first_item(struct sim *sim, uint32_t item)
{
    sim->forced = item;
    struct sim_request *request = sim_op_named(sim, "item.put");
    sim->forced = SIM_NONE;
    return request;
}

static struct sim_request *first_stock(struct sim *sim, uint32_t node)
{
    sim->forced = node;
    struct sim_request *request = sim_op_named(sim, "stock.load");
    sim->forced = SIM_NONE;
    return request;
}

static struct sim_request *first_clock(struct sim *sim, uint32_t unused)
{
    (void)unused;
    return sim_op_named(sim, "clock.set");
}

static struct sim_request *first_capacity(struct sim *sim, uint32_t node)
{
    sim->forced = node;
    struct sim_request *request = sim_op_named(sim, "capacity.set");
    sim->forced = SIM_NONE;
    return request;
}

void sim_head(struct sim *sim)
{
    for (uint32_t i = 0; i < BOOKS_NODES; i++) {
        ask_surely(sim, first_node, i);
    }
    if (sim->is_clocked) {
        ask_surely(sim, first_clock, 0);
    }
    for (uint32_t i = 0; i < SIM_METERED; i++) {
        ask_surely(sim, first_capacity, 1 + i);
    }
    for (uint32_t i = 0; i < BOOKS_ITEMS; i++) {
        ask_surely(sim, first_item, i);
    }
    for (uint32_t i = 0; i < SIM_KIT_COUNT && sim->is_wide; i++) {
        ask_surely(sim, first_item, SIM_KITS + i);
    }
    for (uint32_t i = 0; i < BOOKS_NODES; i++) {
        ask_surely(sim, first_stock, i);
    }
}
