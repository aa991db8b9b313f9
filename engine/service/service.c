/* Turns of the service: time, staged batches, dispatch, the log's hand-over, retention.
 *
 * A batch is cut into sub-batches of options.batch requests. Orders of a sub-batch are staged
 * (asks_stage: hash, prefetch, guess), then every request is answered in the order in which it
 * came; what staging found is only ever a guess. So the answers do not depend on how requests
 * fall into batches. */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"
#include "events_internal.h"
#include "replan_internal.h"
#include "reserve_internal.h"
#include "utf8.h"
#include "wal_feed.h"

enum {
    DROP_MAX = 1000,         /* orders and keys that leave by one record */
    ROOM_RETRY_MS = 100,     /* without room in the log: back soon after there is some */
    SLICES_HELD_NS = 2000000 /* so long slices of a load wait for those behind them */
};

void service_options_default(struct service_options *options)
{
    memset(options, 0, sizeof *options);
    options->tables = (struct tables_options){
        .items_max = 2000000,
        .orders_max = 10000000,
        .orders_memory = (uint64_t)6 << 30,
        .holds_max = 10000000,
        .owed_max = 1000000,
        .reservations_max = 1000000,
        .keys_max = 10000000,
        .movements_max = 2000000,
        .documents_max = 1000000,
        .stock_memory = (uint64_t)4 << 30,
        .rules_memory = (uint64_t)2 << 30,
    };
    options->batch = 64;
    options->slice_steps = 5000;
    options->rejects_max = 5;
    options->batch_bytes = 1536 << 10;
    options->max_delay_ms = 5;
    options->count_window_ms = (uint64_t)48 * 3600 * 1000;
    options->key_window_ms = 600 * 1000;
    options->order_window_ms = 600 * 1000;
    options->checkpoint_bytes = (uint64_t)1 << 30;
    options->checkpoint_records = 20000000;
    options->return_window_ms = (uint64_t)30 * 24 * 3600 * 1000;
    options->frame_size_max = FRAME_SIZE_MAX;
    options->loads_memory = (uint64_t)256 << 20;
    options->conns_max = 10000;
    options->inflight_max = 16384;
    memcpy(options->currency, "USD", 4);
}

/* -- the log -- */

void must_apply(enum err err, const char *what)
{
    if (err == ERR_OK) {
        return;
    }
    say(SAY_ERROR, "apply_failed", "what=%s why=\"%s\": the tables could not take a change that "
        "nobody was told of; give the process more memory and start it again", what, err_text(err));
    if (err == ERR_NOMEM) {
        _exit(SERVICE_EXIT_NO_MEMORY);
    }
    CHECK_UNREACHABLE("a logged effect was not applied");
}

uint64_t lsn_begun(const struct service_core *service)
{
    return wal_lsn_begun(service->wal);
}

bool log_room(struct service_core *service, struct call *call, uint32_t bytes, uint32_t records,
              enum wal_claim claim)
{
    if (service->is_draining) {
        reply_error(service, call, CODE_SHUTTING_DOWN,
                    "the engine is stopping: send this to it again when it is back");
        return false;
    }
    switch (wal_room(service->wal, bytes, records, claim)) {
    case WAL_ROOM_OK:
        return true;
    case WAL_ROOM_GROUP_FULL:
    case WAL_ROOM_SEGMENT_LATE:
        service->overloaded++;
        reply_error(service, call, CODE_OVERLOADED,
                    "the log is behind: try again, retry_after_ms=10");
        return false;
    case WAL_ROOM_DISK_FULL:
        reply_error(service, call, CODE_READ_ONLY,
                    "the disk of the data folder is full: free space, service returns by itself");
        return false;
    case WAL_ROOM_DEAD:
        break;
    }
    reply_error(service, call, CODE_INTERNAL, "the log failed: the process is ending");
    return false;
}

uint8_t *log_begin(struct service_core *service, uint32_t size_max)
{
    return wal_append_begin(service->wal, size_max);
}

uint64_t log_end(struct service_core *service, enum effect_type type, uint32_t size)
{
    uint64_t lsn = wal_append_end(service->wal, (uint8_t)type, size);
    __atomic_store_n(&service->begun.lsn, lsn, __ATOMIC_RELEASE);
    return lsn;
}

static void pause_set(struct service_core *service, bool is_paused)
{
    if (service->is_paused != is_paused) {
        service->is_paused = is_paused;
        service->options.port.pause(service->options.port.owner, is_paused);
    }
}

/* Room for a whole batch is made sure before it comes; a full disk is answered, not waited for. */
static void pause_settle(struct service_core *service)
{
    const uint32_t bytes = service->options.batch_bytes;
    enum wal_room room = wal_room(service->wal, bytes, 4096, WAL_CLAIM_CHANGE);
    pause_set(service, room == WAL_ROOM_GROUP_FULL || room == WAL_ROOM_SEGMENT_LATE);
}

static void on_durable(void *owner, uint64_t lsn)
{
    struct service_core *service = owner;
    service->options.port.release(service->options.port.owner, lsn);
    checkpoints_durable(service);
    pause_settle(service);
}

static void on_failed(void *owner, const char *why)
{
    struct service_core *service = owner;
    service->is_dead = true;
    service->options.port.failed(service->options.port.owner, why);
}

/* -- opening -- */

static const struct zone *zone_find(void *owner, const char *name)
{
    return zone_files_find(owner, name);
}

static enum err recover(struct service_core *service, struct service_start *start,
                        char error[WAL_ERROR_SIZE])
{
    struct recovery_found found;
    const struct recovery_options options = {.tables = service->options.tables};
    enum err err = recovery_run(service->wal, &options, &service->tables, &found, error);
    if (err != ERR_OK) {
        return err;
    }
    start->recovery = found.log;
    start->snapshot = found.mark;
    start->snapshot_us = found.snapshot_us;
    start->passed_over = found.passed_over;
    memcpy(start->why, found.why, sizeof start->why);
    checkpoints_open(service, &found);
    uint64_t log_ms = start->recovery.last_time_ms;
    tables_zones(&service->tables, &(struct zone_source){service->zones, zone_find});
    clock_open(service, service->tables.time_ms > log_ms ? service->tables.time_ms : log_ms);
    uint32_t steps = UINT32_MAX;
    uint64_t due_ms;
    CHECK(wheel_next(&service->tables.wheel, service->time_ms, &steps, &due_ms));
    start->orders = service->tables.orders.count;
    start->items = service->tables.catalogue.count;
    start->nodes = service->tables.network.count;
    start->cells = service->tables.cells;
    owed_raise_all(&service->tables.owed); /* what came just before the end was not tried */
    return tables_layout(&service->tables);
}

static enum err memory_take(struct service_core *service)
{
    service->scratch = malloc(REPLY_SIZE_MAX);
    if (service->scratch) {
        explicit_bzero(service->scratch, REPLY_SIZE_MAX); /* its pages are there from the start */
    }
    service->calls = calloc(service->options.batch, sizeof *service->calls);
    service->replan = calloc(1, sizeof *service->replan);
    if (!service->scratch || !service->calls || !service->replan) {
        return ERR_NOMEM;
    }
    for (int i = 0; i < METHOD_COUNT; i++) {
        hist_init(&service->methods[i].latency_us);
    }
    enum err err = route_new(&service->route);
    if (err == ERR_OK && service->options.search_steps) {
        route_steps_max_set(service->route, service->options.search_steps);
    }
    err = err == ERR_OK ? slices_open(service) : err;
    return err == ERR_OK ? asks_new(&service->asks) : err;
}

static enum err open_steps(struct service_core *service, struct service_start *start,
                           char error[WAL_ERROR_SIZE])
{
    enum err err = wal_open(&service->options.log, error, &service->wal);
    if (err != ERR_OK) {
        return err;
    }
    err = zone_files_new(NULL, &service->zones);
    if (err == ERR_OK) {
        err = memory_take(service);
    }
    if (err != ERR_OK) {
        snprintf(error, WAL_ERROR_SIZE, "requests: %s", err_text(err));
        return err;
    }
    err = recover(service, start, error);
    if (err != ERR_OK) {
        return err;
    }
    err = feeds_new(service, &service->feeds);
    if (err != ERR_OK) {
        snprintf(error, WAL_ERROR_SIZE, "reader of events: %s", err_text(err));
    }
    return err;
}

/* A path that is too long to be told, or no text, is not told. */
static void folder_note(struct service_core *service)
{
    const char *dir = service->options.log.dir;
    char *path = dir ? realpath(dir, NULL) : NULL;
    if (path && strlen(path) < sizeof service->folder &&
        utf8_is_valid(path, (uint32_t)strlen(path))) {
        memcpy(service->folder, path, strlen(path) + 1);
    }
    free(path);
}

enum err service_open(const struct service_options *options, struct service_core **out,
                      struct service_start *start_out, char error[WAL_ERROR_SIZE])
{
    memset(start_out, 0, sizeof *start_out);
    error[0] = '\0';
    struct service_core *service = calloc(1, sizeof *service);
    if (!service) {
        return ERR_NOMEM;
    }
    CHECK(options->batch >= 1);
    service->options = *options;
    service->options.log.durable = on_durable;
    service->options.log.failed = on_failed;
    service->options.log.owner = service;
    enum err err = open_steps(service, start_out, error);
    if (err != ERR_OK) {
        service_close(service);
        return err;
    }
    folder_note(service);
    warm_program();
    if (tables_warm_start(&service->warm, &service->tables, options->tables.orders_ready,
                          TABLES_WARM_NOW) != ERR_OK) {
        say(SAY_WARN, "no_warm_thread", "orders fault on fresh memory as they come");
    }
    service->begun.lsn = wal_lsn_begun(service->wal);
    service->started_ns = service->options.port.clock_ns(service->options.port.owner);
    service->late_size = (uint32_t)snprintf(
        service->late_text, sizeof service->late_text,
        "waited over max_delay_ms=%u: try again, retry_after_ms=%u", service->options.max_delay_ms,
        service->options.max_delay_ms * 4);
    CHECK(service->late_size < sizeof service->late_text);
    service->options.port.release(service->options.port.owner, wal_lsn_durable(service->wal));
    *out = service;
    return ERR_OK;
}

void service_close(struct service_core *service)
{
    if (!service) {
        return;
    }
    feeds_free(service->feeds);
    wal_feed_free(service->try_feed);
    glances_close(service);
    wal_close(service->wal);
    jobs_close(service);
    tables_warm_stop(&service->warm);
    asks_free(service->asks);
    slices_close(service);
    free(service->replan);
    route_free(service->route);
    if (service->tables.node_items) {
        tables_close(&service->tables);
    }
    zone_files_free(service->zones);
    free(service->calls);
    free(service->scratch);
    free(service);
}

/* -- dispatch -- */

static method_handler *const handlers[METHOD_COUNT] = {
    [METHOD_HELLO] = handle_hello,
    [METHOD_SNAPSHOT] = handle_snapshot,
    [METHOD_EVENTS_READ] = handle_events_read,
    [METHOD_STATS] = handle_stats,
    [METHOD_NODE_PUT] = handle_node_put,
    [METHOD_NODE_STATUS] = handle_node_status,
    [METHOD_NODE_GET] = handle_node_get,
    [METHOD_NODE_LIST] = handle_node_list,
    [METHOD_ITEM_PUT] = handle_item_put,
    [METHOD_ITEM_GET] = handle_item_get,
    [METHOD_PLACE_LOAD] = handle_place_load,
    [METHOD_STOCK_ADJUST] = handle_stock_adjust,
    [METHOD_STOCK_SET] = handle_stock_set,
    [METHOD_STOCK_LOAD] = handle_stock_load,
    [METHOD_STOCK_POLICY] = handle_stock_policy,
    [METHOD_STOCK_GET] = handle_stock_get,
    [METHOD_STOCK_LIST] = handle_stock_list,
    [METHOD_STOCK_FIND] = handle_stock_find,
    [METHOD_ORDER_GET] = handle_order_get,
    [METHOD_ORDER_LIST] = handle_order_list,
    [METHOD_ORDER_CANCEL] = handle_order_cancel,
    [METHOD_FULFIL_UPDATE] = handle_fulfil_update,
    [METHOD_FULFIL_LIST] = handle_fulfil_list,
    [METHOD_FULFIL_REJECT] = handle_fulfil_reject,
    [METHOD_ORDER_REROUTE] = handle_order_reroute,
    [METHOD_ORDER_MODIFY] = handle_order_modify,
    [METHOD_PROMISE_QUOTE] = handle_promise_quote,
    [METHOD_CAPACITY_SET] = handle_capacity_set,
    [METHOD_CAPACITY_GET] = handle_capacity_get,
    [METHOD_CARRIER_LOAD] = handle_carrier_load,
    [METHOD_TRAVEL_LOAD] = handle_travel_load,
    [METHOD_CLOCK_SET] = handle_clock_set,
    [METHOD_STRATEGY_PUT] = handle_strategy_put,
    [METHOD_STRATEGY_ACTIVATE] = handle_strategy_activate,
    [METHOD_STRATEGY_LIST] = handle_strategy_list,
    [METHOD_STRATEGY_TRY] = handle_strategy_try,
    [METHOD_EXPLAIN_GET] = handle_explain_get,
    [METHOD_EXPLAIN_WHY_NOT] = handle_explain_why_not,
    [METHOD_RESERVE_CREATE] = handle_reserve_create,
    [METHOD_RESERVE_UPDATE] = handle_reserve_update,
    [METHOD_RESERVE_RELEASE] = handle_reserve_release,
    [METHOD_RESERVE_GET] = handle_reserve_get,
    [METHOD_RETURN_QUOTE] = handle_return_quote,
    [METHOD_RETURN_CREATE] = handle_return_create,
    [METHOD_RETURN_RECEIVE] = handle_return_receive,
    [METHOD_SUPPLY_PUT] = handle_supply_put,
    [METHOD_SUPPLY_RECEIVE] = handle_supply_receive,
    [METHOD_SUPPLY_CANCEL] = handle_supply_cancel,
    [METHOD_TRANSFER_CREATE] = handle_transfer_create,
    [METHOD_TRANSFER_SHIP] = handle_transfer_ship,
    [METHOD_TRANSFER_RECEIVE] = handle_transfer_receive,
    [METHOD_TRANSFER_CANCEL] = handle_transfer_cancel,
};

#define IS(head, name)                                                                             \
    ((head)->method_len == sizeof(name) - 1 && memcmp((head)->method, name, sizeof(name) - 1) == 0)

/* Those that come most are told before the list is searched. */
static enum method method_of(const struct frame_head *head)
{
    if (IS(head, "order.route")) {
        return METHOD_ORDER_ROUTE;
    }
    if (IS(head, "fulfil.update")) {
        return METHOD_FULFIL_UPDATE;
    }
    if (IS(head, "stock.get")) {
        return METHOD_STOCK_GET;
    }
    if (IS(head, "order.cancel")) {
        return METHOD_ORDER_CANCEL;
    }
    int method = names_find(&names_methods, head->method, head->method_len);
    return method < 0 ? METHOD_COUNT : (enum method)method;
}

/* A request that waited too long is not worth its work: its client may have given up. */
static bool is_late(const struct service_core *service, uint64_t read_ns)
{
    uint64_t limit = (uint64_t)service->options.max_delay_ms * 1000000;
    return limit && service->now_ns > read_ns && service->now_ns - read_ns > limit;
}

static void call_init(const struct service_core *service, struct call *call,
                      const struct service_request *request)
{
    const struct frame_head *head = request->head;
    *call = (struct call){
        .conn = request->conn,
        .msgid = head->msgid,
        .is_notify = head->type == FRAME_NOTIFY,
        .method = method_of(head),
        .params = head->params,
        .params_size = head->params_size,
        .read_ns = request->read_ns,
        .is_late = is_late(service, request->read_ns),
    };
}

static void answer_unknown(struct service_core *service, struct call *call,
                           const struct frame_head *head)
{
    if (call->is_notify) {
        service->unknown_notifications++;
        service->options.port.done(call->conn);
        return;
    }
    uint32_t len = head->method_len < 40 ? head->method_len : 40;
    const char *near = names_nearest(&names_methods, head->method, head->method_len);
    bool is_text = true;
    for (uint32_t i = 0; i < len; i++) {
        is_text = is_text && head->method[i] >= ' ' && head->method[i] < 0x7f;
    }
    reply_error(service, call, CODE_UNKNOWN_METHOD, "%.*s%s%s%s", is_text ? (int)len : 0,
                head->method, near ? ", did you mean " : ": hello lists the methods",
                near ? near : "", near ? "?" : "");
}

static void answer_late(struct service_core *service, struct call *call)
{
    service->overloaded++;
    reply_error_text(service, call, CODE_OVERLOADED, service->late_text, service->late_size);
}

static void answer(struct service_core *service, const struct service_request *request, uint32_t i)
{
    struct call *call = &service->calls[i];
    if (service->jobs && job_defer(service, request, call)) {
        return;
    }
    if (call->method == METHOD_COUNT) {
        answer_unknown(service, call, request->head);
        return;
    }
    service->methods[call->method].calls++;
    if (call->is_late) {
        answer_late(service, call);
    } else if (call->method == METHOD_ORDER_ROUTE) {
        asks_apply(service, service->calls, i);
    } else if (call->method == METHOD_STOCK_GET) {
        asks_look(service, service->calls, i);
    } else {
        handlers[call->method](service, call);
    }
    if (service->tables.reserves.todo_count > 0) {
        (void)reserve_breaks(service); /* the next request sees it done */
    }
    if (owed_has_todo(&service->tables.owed)) {
        refill_run(service);
    }
}

static void latencies(struct service_core *service, uint32_t count)
{
    uint64_t now = service->options.port.clock_ns(service->options.port.owner);
    for (uint32_t i = 0; i < count; i++) {
        const struct call *call = &service->calls[i];
        if (call->method < METHOD_COUNT && now > call->read_ns) {
            hist_record(&service->methods[call->method].latency_us, (now - call->read_ns) / 1000);
        }
    }
}

static bool may_answer(const struct service_core *service, const struct service_request *request)
{
    const struct service_port *port = &service->options.port;
    return !port->may_answer || port->may_answer(request->conn, request->head);
}

static uint32_t sub_batch(struct service_core *service, const struct service_request *requests,
                          uint32_t count)
{
    count = count < service->options.batch ? count : service->options.batch;
    for (uint32_t i = 0; i < count; i++) {
        call_init(service, &service->calls[i], &requests[i]);
    }
    service->tables.batch++;
    count = asks_stage(service, service->calls, count);
    CHECK(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        if (may_answer(service, &requests[i])) {
            answer(service, &requests[i], i);
        } else {
            service->calls[i].method = METHOD_COUNT; /* has no latency */
        }
    }
    latencies(service, count);
    return count;
}

void service_one(struct service_core *service, const struct service_request *request)
{
    call_init(service, &service->calls[0], request);
    service->tables.batch++;
    uint32_t staged = asks_stage(service, service->calls, 1);
    CHECK(staged == 1);
    answer(service, request, 0);
}

/* -- turns -- */

/* True: more is due than was done. */
static bool turn_begin(struct service_core *service)
{
    const struct service_turn *turn = &service->turn;
    service->now_ns = turn->now_ns;
    if (turn->wall_ms > service->time_ms && !service->options.test_clock) {
        service->time_ms = turn->wall_ms;
    }
    service->tables.batch++;
    bool has_room =
        wal_room(service->wal, EFFECT_SMALL_MAX, 1, WAL_CLAIM_RELEASE) == WAL_ROOM_OK;
    return !clock_advance(service) && has_room;
}

/* Orders and keys whose time is over, counted: at most DROP_MAX of each. */
static void drop_count(const struct service_core *service, struct effect_drop *drop)
{
    const struct tables *tables = &service->tables;
    uint64_t now = service->now_ms;
    const struct orders *orders = &tables->orders;
    for (uint64_t i = 0; i < orders->done_count && drop->orders < DROP_MAX; i++) {
        const struct order *order = order_at(orders, orders_done_at(orders, i));
        orders_prefetch_done(orders, i + 12);
        if (order->done_ms + service->options.order_window_ms > now) {
            break;
        }
        drop->orders++;
    }
    const struct keyring *keyring = &tables->keyring;
    for (uint64_t i = 0; i < keyring->count && drop->keys < DROP_MAX; i++) {
        const struct key_entry *entry = &keyring->ring[(keyring->first + i) % keyring->max];
        if (entry->time_ms + service->options.key_window_ms > now) {
            break;
        }
        drop->keys++;
    }
    const struct documents *documents = &tables->documents;
    for (slab_ref ref = documents->done.oldest; ref && drop->documents < DROP_MAX;) {
        const struct document *document = document_at(documents, ref);
        if (document->done_ms + service->options.order_window_ms > now) {
            break;
        }
        drop->documents++;
        ref = document->newer;
    }
}

/* Let leave what is over its window. True: there may be more. */
static bool retention(struct service_core *service)
{
    struct effect_drop drop = {0};
    drop_count(service, &drop);
    if (drop.orders + drop.keys + drop.documents == 0 ||
        wal_room(service->wal, EFFECT_SMALL_MAX, 1, WAL_CLAIM_RELEASE) != WAL_ROOM_OK) {
        return false;
    }
    uint8_t *bytes = log_begin(service, EFFECT_SMALL_MAX);
    uint64_t lsn = log_end(service, EFFECT_DROP, effect_drop_encode(bytes, &drop));
    must_apply(tables_apply_drop(&service->tables, lsn, service->now_ms, &drop), "drop");
    return drop.orders == DROP_MAX || drop.keys == DROP_MAX || drop.documents == DROP_MAX;
}

static bool has_batch_room(const struct service_core *service)
{
    const uint32_t bytes = service->options.batch_bytes;
    return wal_room(service->wal, bytes, 4096, WAL_CLAIM_CHANGE) == WAL_ROOM_OK;
}

/* One slice of a long load. True: nobody waits for what this turn logged, as only slices that are
 * told to nobody are not submitted yet. */
static bool slice_run(struct service_core *service, bool *has_more)
{
    const struct job *job = service->jobs;
    const uint64_t before = wal_lsn_begun(service->wal);
    *has_more = (job_run(service) && service->jobs) || *has_more;
    const uint64_t after = wal_lsn_begun(service->wal);
    const bool is_quiet = job && job == service->jobs && after > before;
    if (!is_quiet || before != service->quiet_lsn) {
        return false;
    }
    service->quiet_lsn = after;
    return true;
}

/* A group takes whole blocks of the disk: slices that nobody waits for share one. */
static bool may_hold(const struct service_core *service, bool is_quiet)
{
    return is_quiet && wal_lsn_begun(service->wal) == service->quiet_lsn &&
           service->now_ns - service->submit_ns < SLICES_HELD_NS && has_batch_room(service);
}

/* A turn of one request, with nothing behind it, may wait for the disk itself. */
static void submit(struct service_core *service, bool is_alone)
{
    if (is_alone && !service->jobs) {
        wal_submit_alone(service->wal, &service->tables.digest);
    } else {
        wal_submit(service->wal, &service->tables.digest);
    }
}

static void turn_end(struct service_core *service, bool is_quiet, bool is_alone)
{
    if (!may_hold(service, is_quiet)) {
        submit(service, is_alone);
        service->quiet_lsn = wal_lsn_begun(service->wal);
        service->submit_ns = service->now_ns;
    }
    epoch_turn(service->tables.epoch);
    tables_warm_note(&service->warm, &service->tables);
    pause_settle(service);
}

/* Milliseconds until something is due by time alone. */
static uint32_t due_in(const struct service_core *service, uint64_t due_ms)
{
    return due_ms > service->now_ms ? (uint32_t)(due_ms - service->now_ms) : 1;
}

static uint64_t soonest(const struct service_core *service)
{
    return service->options.test_clock ? WHEEL_NEVER : service->tables.wheel.soonest_ms;
}

static uint32_t next_due(struct service_core *service)
{
    uint64_t due_ms = service->now_ms + (has_batch_room(service) ? 1000 : ROOM_RETRY_MS);
    service->wake_ms = soonest(service) < due_ms ? soonest(service) : due_ms;
    return due_in(service, service->wake_ms);
}

/* The tick at due_ms, or sooner where a reader of events will have waited long enough. */
static uint32_t with_feeds(const struct service_core *service, uint32_t due_ms, uint64_t tick_ms)
{
    const uint32_t feed_ms = feeds_due_ms(service);
    return feed_ms < tick_ms && feed_ms < due_ms ? feed_ms : due_ms;
}

static uint64_t tick_in_ms(const struct service_core *service)
{
    return service->wake_ms > service->now_ms ? service->wake_ms - service->now_ms : 1;
}

static uint32_t batch_turn(struct service_core *service)
{
    const uint32_t count = service->request_count;
    bool has_more = turn_begin(service);
    for (uint32_t done = 0; done < count;) {
        done += sub_batch(service, service->requests + done, count - done);
    }
    retention(service);
    reserve_retention(service);
    has_more = returns_expire(service) || has_more;
    has_more = reserve_breaks(service) || has_more;
    turn_end(service, false, count == 1 && !has_more);
    has_more = has_more || (owed_has_todo(&service->tables.owed) && !service->is_draining);
    has_more = feeds_run(service) || has_more;
    if (service->jobs || has_more) {
        return service->is_paused ? UINT32_MAX : 0;
    }
    if (soonest(service) >= service->wake_ms) {
        return with_feeds(service, UINT32_MAX, tick_in_ms(service));
    }
    service->wake_ms = soonest(service);
    return with_feeds(service, due_in(service, service->wake_ms), tick_in_ms(service));
}

uint32_t service_batch(struct service_core *service, const struct service_turn *turn,
                       const struct service_request *requests, uint32_t count)
{
    if (service->is_dead) {
        return UINT32_MAX;
    }
    service->turn = *turn;
    service->requests = requests;
    service->request_count = count;
    return slices_run(service, batch_turn);
}

int service_feed_fd(const struct service_core *service)
{
    return feeds_fd(service);
}

uint32_t service_feed(struct service_core *service, const struct service_turn *turn)
{
    if (service->is_dead || service_is_suspended(service)) {
        return UINT32_MAX; /* the end of the turn looks after them */
    }
    service->now_ns = turn->now_ns;
    if (feeds_run(service)) {
        return 0;
    }
    return with_feeds(service, UINT32_MAX, tick_in_ms(service));
}

static uint32_t tick_turn(struct service_core *service)
{
    wal_retry(service->wal);
    checkpoints_tick(service);
    bool has_more = turn_begin(service);
    has_more = refill_run(service) || has_more;
    const bool is_quiet = slice_run(service, &has_more);
    has_more = retention(service) || has_more;
    has_more = reserve_retention(service) || has_more;
    has_more = returns_expire(service) || has_more;
    has_more = reserve_breaks(service) || has_more;
    turn_end(service, is_quiet, false);
    has_more = feeds_run(service) || has_more;
    return has_more && !service->is_paused ? 0
                                           : with_feeds(service, next_due(service), UINT32_MAX);
}

uint32_t service_tick(struct service_core *service, const struct service_turn *turn)
{
    if (service->is_dead) {
        return UINT32_MAX;
    }
    if (service_is_suspended(service)) {
        wal_retry(service->wal);
        slices_go_on(service);
        return 0; /* where it is done: for a tick of its own */
    }
    service->turn = *turn;
    return slices_run(service, tick_turn);
}

void service_drain(struct service_core *service)
{
    service->is_draining = true;
    checkpoints_drain(service);
    feeds_drain(service);
}

void service_conn_closed(struct service_core *service, void *conn)
{
    checkpoints_conn_closed(service, conn);
    feeds_conn_closed(service, conn);
    if (service->jobs) {
        job_conn_closed(service, conn);
    }
}

bool service_is_idle(const struct service_core *service)
{
    return !service->jobs && !wal_is_busy(service->wal) && !service_is_suspended(service);
}

struct wal *service_wal(struct service_core *service)
{
    return service->wal;
}

const struct tables *service_tables(const struct service_core *service)
{
    return &service->tables;
}
