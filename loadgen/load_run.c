/* Schedules, sends and counts. One order's way: send_order, the reply in on_route, a time in the
 * life wheel, then send_end; on the way some of what was shipped is restocked. */
#include "load_run.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "hash.h"
#include "run_send.h"
#include "run_watch.h"

enum { TWINS_MAX = 1 << 16, READS_PER_ORDER = 300, CONN_BATCH = 64, UNSENT_MAX = 64 << 10 };

/* From this rate on requests gather for a tick, which keeps the client under a core. */
#define TICK_RATE     20000.0
#define TICK_NS       100000u
#define LATE_NS       1000000u
#define DRAIN_NS      30000000000u
#define LIFE_RETRY_NS 20000000u

/* Drawn times to the end of an order are cut off at this many times their mean. */
#define LIFE_HORIZON 5.0

enum { STREAM_ARRIVALS = 0xa1, STREAM_DRAWS = 0xd2 };

const char *load_run_kind_name(enum run_kind kind)
{
    static const char *const names[RUN_KINDS] = {
        [RUN_ROUTE] = "order.route",    [RUN_AGAIN] = "order.route again",
        [RUN_SHIP] = "fulfil.update",   [RUN_CANCEL] = "order.cancel",
        [RUN_RESTOCK] = "stock.adjust", [RUN_FIND] = "stock.find",
        [RUN_GET] = "stock.get"};
    CHECK(kind >= RUN_ROUTE);
    CHECK(kind < RUN_KINDS);
    return names[kind];
}

uint64_t load_run_gap_ns(struct rng *rng, double rate)
{
    return (uint64_t)(-log(1.0 - rng_unit(rng)) / rate * 1e9);
}

enum err load_run_init(struct load_run *run, const struct load_opts *opts,
                       const struct workload *workload, struct pump *pump)
{
    *run = (struct load_run){.opts = opts, .workload = workload, .pump = pump};
    rng_init(&run->arrivals, opts->seed ^ STREAM_ARRIVALS);
    rng_init(&run->draws, opts->seed ^ STREAM_DRAWS);
    run->tick_ns = opts->rate >= TICK_RATE ? TICK_NS : 0;
    run->twins = calloc(TWINS_MAX, sizeof *run->twins);
    if (run->twins == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 1; i < TWINS_MAX; i++) {
        run->twins[i].next_free = i + 1 < TWINS_MAX ? i + 1 : 0;
    }
    run->twins_free = 1;
    hist_init(&run->second);
    run_watch_reset(run);
    return ERR_OK;
}

void load_run_close(struct load_run *run)
{
    free(run->twins);
    life_wheel_close(&run->life);
}

/* The connection for the next request of an open loop: another one each turn, and within a turn
 * after each batch, so that a write carries many requests where there are many. */
static uint32_t next_conn(struct load_run *run)
{
    if (++run->conn_taken >= CONN_BATCH || run->conn_turn != run->pump->turns) {
        run->conn_taken = 0;
        run->conn_turn = run->pump->turns;
        run->conn = (run->conn + 1) % run->pump->conns_count;
    }
    return run->conn;
}

/* A draw that belongs to an order's number, the same whenever it is asked for. */
static double share_of(const struct load_run *run, uint64_t order, uint64_t stream)
{
    struct rng rng;
    rng_init(&rng, run->opts->seed ^ (order << 8) ^ stream);
    return rng_unit(&rng);
}

static bool is_cancelled(const struct load_run *run, uint64_t order)
{
    return share_of(run, order, 1) < run->opts->cancel;
}

static bool is_retried(const struct load_run *run, uint64_t order)
{
    return run->opts->retries > 0 && share_of(run, order, 2) < run->opts->retries;
}

static uint32_t take_twin(struct load_run *run)
{
    uint32_t index = run->twins_free;
    if (index != 0) {
        run->twins_free = run->twins[index].next_free;
        run->twins[index] = (struct run_twin){0};
    }
    return index;
}

static void give_twin(struct load_run *run, uint32_t index)
{
    run->twins[index].next_free = run->twins_free;
    run->twins_free = index;
}

/* Send the next order. Half of the retries follow at once, so that the engine meets both in
 * flight; the others follow the first answer (on_route). */
static void send_order(struct load_run *run, uint32_t conn, uint64_t intended_ns)
{
    uint64_t number = run->next_order++;
    workload_draw(run->workload, number, &run->order);
    bool is_twin = is_retried(run, number) && (number & 1) != 0;
    uint32_t twin = is_twin ? take_twin(run) : 0;
    run_send_order(run, conn, RUN_ROUTE, intended_ns, twin);
    if (twin != 0 && pump_has_room(run->pump)) {
        run_send_order(run, conn, RUN_AGAIN, intended_ns, twin);
    } else if (twin != 0) {
        run->twins[twin].answers = 1; /* nothing to compare with: freed by the one answer */
    }
}

/* One arrival: an order, or, where reads prevail, mostly a read. */
static void send_arrival(struct load_run *run, uint32_t conn, uint64_t intended_ns)
{
    run->stats.sent++;
    bool is_read = run->opts->workload == WORKLOAD_READ_MOSTLY &&
                   rng_below(&run->draws, READS_PER_ORDER + 1) > 0;
    if (is_read) {
        run_send_read(run, conn, intended_ns, ++run->next_read);
    } else {
        send_order(run, conn, intended_ns);
    }
}

/* Ship or cancel one order whose time has come. */
static void send_end(struct load_run *run, uint32_t conn, const struct life_record *record,
                     uint64_t now_ns)
{
    if (is_cancelled(run, record->order)) {
        run_send_cancel(run, conn, record->order, now_ns);
        return;
    }
    workload_draw(run->workload, record->order, &run->past);
    uint32_t pos = 0;
    for (uint32_t i = facts_fulfilments(record->words); i > 0; i--) {
        struct fulfilment fulfilment = facts_next(record->words, &pos);
        if (pump_has_room(run->pump)) {
            run_send_ship(run, conn, record->order, fulfilment.number, now_ns);
            run_send_restocks(run, conn, &fulfilment, now_ns);
        }
    }
}

/* Most requests that one send_end may make; a slot is left for every one. */
static bool has_room_to_end(const struct load_run *run)
{
    return run->pump->in_flight + 4096 < run->pump->requests_max;
}

static void send_ends(struct load_run *run, uint64_t now_ns)
{
    struct life_record record;
    while (has_room_to_end(run) && life_wheel_take(&run->life, now_ns, &record)) {
        send_end(run, next_conn(run), &record, now_ns);
    }
}

static void plan_end(struct load_run *run, uint64_t order, uint64_t now_ns)
{
    double mean_ns = run->opts->life_s * 1e9;
    if (mean_ns <= 0) {
        return;
    }
    double wait_ns = fmin(-log(1.0 - rng_unit(&run->draws)), LIFE_HORIZON) * mean_ns;
    life_wheel_add(&run->life, now_ns + (uint64_t)wait_ns, order, run->route.words,
                   run->route.words_count);
}

/* The second answer to one order: both must have promised the same, one as a duplicate. */
static void judge_twin(struct load_run *run, uint32_t index, bool is_promise)
{
    struct run_twin *twin = &run->twins[index];
    uint64_t hash = 0;
    if (is_promise) {
        hash = hash_fixed(run->route.words, run->route.words_count * sizeof(uint32_t));
        bool is_same = twin->promises == 0 || twin->hash == hash;
        twin->hash = is_same ? hash : ~hash;
        twin->promises++;
        twin->duplicates = (uint8_t)(twin->duplicates + run->route.is_duplicate);
        if (!is_same) {
            twin->duplicates = UINT8_MAX;
        }
    }
    if (++twin->answers < 2) {
        return;
    }
    if (twin->promises == 2) {
        bool is_agreed = twin->duplicates == 1;
        run->stats.retries_agreed += is_agreed;
        run->stats.retries_differed += !is_agreed;
    }
    give_twin(run, index);
}

/* Ask again about an order that was just promised: the other half of the retries. */
static void retry_late(struct load_run *run, const struct pump_request *request)
{
    uint64_t number = request->subject;
    bool is_due = request->kind == RUN_ROUTE && request->extra == 0 && !run->is_draining &&
                  (number & 1) == 0 && is_retried(run, number) && pump_has_room(run->pump);
    uint32_t twin = is_due ? take_twin(run) : 0;
    if (twin != 0) {
        judge_twin(run, twin, true);
        workload_draw(run->workload, number, &run->order);
        run_send_order(run, request->conn, RUN_AGAIN, pump_clock_ns(), twin);
    }
}

static void count_route(struct load_run *run, bool is_first)
{
    struct route_answer *route = &run->route;
    struct run_stats *stats = &run->stats;
    if (!is_first || !run->is_counted) {
        return;
    }
    if (route->status == ANSWER_REFUSED) {
        stats->refused++;
        tally_add(&stats->reasons, route->reason);
        return;
    }
    *(route->status == ANSWER_PARTIAL ? &stats->partial : &stats->routed) += 1;
    stats->optimal += route->is_optimal;
    stats->splits += facts_fulfilments(route->words) - 1;
    stats->km += route->total_km;
}

/* A promise that was not known: it lives, and is written down. */
static void on_promise(struct load_run *run, const struct pump_request *request, uint64_t now_ns)
{
    plan_end(run, request->subject, now_ns);
    if (run->ledger != NULL &&
        !ledger_promise(run->ledger, request->subject, run->route.words, run->route.words_count)) {
        run->stats.retries_differed++;
    }
    if (run->picture != NULL) {
        workload_draw(run->workload, request->subject, &run->past);
        picture_add(run->picture, &run->past, run->route.words, run->route.total_km);
    }
}

static void on_route(struct load_run *run, const struct pump_request *request,
                     struct answer *answer, uint64_t now_ns)
{
    bool is_read = !answer->is_error &&
                   answer_read_route(&run->route, &answer->result, &run->workload->network->ids);
    bool is_promise = is_read && run->route.is_promised;
    if (!answer->is_error && !is_read) {
        run->stats.malformed++;
    }
    if (is_read) {
        run->second_refused += run->route.status == ANSWER_REFUSED;
        count_route(run, request->kind == RUN_ROUTE);
    }
    run->stats.failed += answer->is_error && request->kind == RUN_ROUTE && run->is_counted;
    if (is_promise && !run->route.is_duplicate) {
        on_promise(run, request, now_ns);
    }
    if (request->extra != 0) {
        judge_twin(run, request->extra, is_promise);
    } else if (is_promise) {
        retry_late(run, request);
    }
}

/* The engine put an end off, or it did not find the order: try later, or count it. */
static void on_end(struct load_run *run, const struct pump_request *request, struct answer *answer,
                   uint64_t now_ns)
{
    uint64_t order = request->subject;
    struct span reason;
    if (answer->is_error) {
        uint32_t word = request->extra << 16 | RUN_NO_NODE;
        if (span_is(answer->code, "OVERLOADED")) {
            life_wheel_add(&run->life, now_ns + LIFE_RETRY_NS, order, &word, 1);
        }
        return;
    }
    if (answer_is_refused(answer->result, &reason)) {
        tally_add(&run->stats.reasons, reason);
        return;
    }
    run->stats.ended++;
    if (run->ledger != NULL && request->kind == RUN_SHIP) {
        ledger_ship(run->ledger, order);
    } else if (run->ledger != NULL) {
        ledger_cancel(run->ledger, order);
    }
}

static void on_reply(void *owner, const struct pump_request *request, struct answer *answer,
                     uint64_t now_ns)
{
    struct load_run *run = owner;
    enum run_kind kind = (enum run_kind)request->kind;
    uint64_t latency_ns = now_ns > request->intended_ns ? now_ns - request->intended_ns : 0;
    run->is_counted = request->intended_ns >= run->measure_ns;
    if (run->is_counted) {
        hist_record(&run->stats.hists[kind], latency_ns);
    }
    if (answer->is_error) {
        tally_add(&run->stats.codes, answer->code);
    }
    switch (kind) {
    case RUN_ROUTE:
        hist_record(&run->second, latency_ns);
        on_route(run, request, answer, now_ns);
        break;
    case RUN_AGAIN:
        on_route(run, request, answer, now_ns);
        break;
    case RUN_SHIP:
    case RUN_CANCEL:
        on_end(run, request, answer, now_ns);
        break;
    case RUN_RESTOCK:
        if (run->ledger != NULL && !answer->is_error) {
            ledger_restock(run->ledger, request->subject);
        }
        break;
    case RUN_FIND:
    case RUN_GET:
        run->stats.reads += !answer->is_error;
        break;
    case RUN_KINDS:
        CHECK_UNREACHABLE("kind of request");
    }
}

/* Orders per second that are intended now. */
static double rate_at(const struct load_run *run, uint64_t now_ns)
{
    double ramp_ns = run->opts->ramp_s * 1e9;
    double since_ns = (double)(now_ns - run->start_ns);
    double share = ramp_ns > 0 && since_ns < ramp_ns ? since_ns / ramp_ns : 1;
    return fmax(run->opts->rate * share, run->opts->rate * 0.01);
}

/* The connection for an arrival. With patience it is one that takes what it is given: an arrival
 * waits where it can still be given up, not in a buffer. */
static bool find_conn(struct load_run *run, uint32_t *conn_out)
{
    for (uint32_t i = 0; i < run->pump->conns_count; i++) {
        *conn_out = next_conn(run);
        const struct pump_conn *conn = &run->pump->conns[*conn_out];
        if (run->opts->patience_s <= 0 || conn->out_end - conn->out_begin < UNSENT_MAX) {
            return true;
        }
        run->conn_taken = CONN_BATCH;
    }
    return false;
}

/* Arrivals whose customer has gone are offered, and no more. */
static void give_up(struct load_run *run, uint64_t now_ns)
{
    const uint64_t patience_ns = (uint64_t)(run->opts->patience_s * 1e9);
    while (patience_ns > 0 && run->next_due_ns + patience_ns < now_ns &&
           run->next_due_ns < run->end_ns) {
        run->stats.offered++;
        run->second_offered++;
        run->stats.given_up++;
        run->next_due_ns += load_run_gap_ns(&run->arrivals, rate_at(run, run->next_due_ns));
    }
}

/* All arrivals that are due. Those that find no slot are late, not lost: their time stands. */
static void send_due(struct load_run *run, uint64_t now_ns)
{
    uint32_t conn;
    give_up(run, now_ns);
    while (run->next_due_ns <= now_ns && run->next_due_ns < run->end_ns &&
           run->pump->in_flight + 8192 < run->pump->requests_max && find_conn(run, &conn)) {
        uint64_t late_ns = now_ns - run->next_due_ns;
        run->stats.late += late_ns > LATE_NS;
        run->stats.late_max_ns =
            late_ns > run->stats.late_max_ns ? late_ns : run->stats.late_max_ns;
        run->stats.offered++;
        run->second_offered++;
        send_arrival(run, conn, run->next_due_ns);
        run->next_due_ns += load_run_gap_ns(&run->arrivals, rate_at(run, run->next_due_ns));
    }
}

static uint64_t open_step(struct load_run *run, uint64_t now_ns)
{
    send_ends(run, now_ns);
    send_due(run, now_ns);
    uint64_t next_ns = run->next_due_ns;
    uint64_t tick_end_ns = now_ns + run->tick_ns;
    return next_ns > tick_end_ns ? next_ns : tick_end_ns;
}

/* Fill every connection to its depth; what ends goes before what begins. */
static uint64_t closed_step(struct load_run *run, uint64_t now_ns)
{
    struct life_record record;
    bool has_ends = true;
    for (uint32_t i = 0; i < run->pump->conns_count; i++) {
        const struct pump_conn *conn = &run->pump->conns[i];
        while (conn->in_flight < run->opts->depth && has_room_to_end(run)) {
            has_ends = has_ends && life_wheel_take(&run->life, now_ns, &record);
            if (has_ends) {
                send_end(run, i, &record, now_ns);
            } else {
                run->stats.offered++;
                run->second_offered++;
                send_arrival(run, i, now_ns);
            }
        }
    }
    return now_ns + 100000000u;
}

/* Arrivals that were due and could not even be sent were offered all the same. */
static void count_unsent(struct load_run *run, uint64_t now_ns)
{
    while (!run->opts->is_closed && run->next_due_ns < now_ns) {
        run->next_due_ns += load_run_gap_ns(&run->arrivals, rate_at(run, run->next_due_ns));
        run->stats.offered++;
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void set_clock(struct load_run *run)
{
    uint64_t now_ns = pump_clock_ns();
    double horizon_ns = fmax(run->opts->life_s, 0.01) * LIFE_HORIZON * 1.05e9;
    life_wheel_init(&run->life, (uint64_t)horizon_ns, now_ns);
    run->start_ns = run->next_due_ns = run->second_ns = now_ns;
    run->measure_ns = now_ns + (uint64_t)(run->opts->warmup_s * 1e9);
    run->end_ns = run->measure_ns + (uint64_t)(run->opts->duration_s * 1e9);
}

enum err load_run_go(struct load_run *run)
{
    pump_set_owner(run->pump, on_reply, run);
    set_clock(run);
    enum err err = ERR_OK;
    uint64_t now_ns = run->start_ns;
    while (err == ERR_OK && now_ns < run->end_ns && !(run->is_stopped && *run->is_stopped)) {
        if (!run->is_measuring && now_ns >= run->measure_ns) {
            run->measure_ns = now_ns;
            run_watch_begin(run);
        }
        if (now_ns - run->second_ns >= 1000000000u) {
            run_watch_second(run, now_ns);
        }
        uint64_t until_ns =
            run->opts->is_closed ? closed_step(run, now_ns) : open_step(run, now_ns);
        until_ns = earlier(earlier(until_ns, run->end_ns), now_ns + 10000000u);
        err = pump_turn(run->pump, until_ns);
        now_ns = pump_clock_ns();
    }
    run_watch_end(run, now_ns);
    run->is_draining = true;
    count_unsent(run, earlier(now_ns, run->end_ns));
    if (err == ERR_OK) {
        err = pump_drain(run->pump, pump_clock_ns() + DRAIN_NS);
    }
    return err;
}
