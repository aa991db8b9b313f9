/* Processes end and begin. After each end: what recovery found is not below what anybody was told,
 * its state is one that a turn ended with, the tables are whole, and the books agree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "effect.h"
#include "sim.h"
#include "wal.h"

enum { STARTS_MAX = 60, SAMPLE = 24 };

/* -- what is durable, seen at the disk -- */

static uint64_t load64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* A record: u8 type, u24 size. */
static void records_count(struct sim *sim, const uint8_t *at, const uint8_t *end)
{
    while (at + 4 <= end) {
        sim->counts.records[at[0] < SIM_RECORD_TYPES ? at[0] : 0]++;
        at += 4 + ((uint32_t)at[1] | (uint32_t)at[2] << 8 | (uint32_t)at[3] << 16);
    }
}

uint32_t sim_record_missing(const struct sim_counts *sum)
{
    static const uint32_t types[] = {
        EFFECT_FLAG,        EFFECT_NODE,         EFFECT_ITEM,   EFFECT_PLACES, EFFECT_STOCK,
        EFFECT_POLICY,      EFFECT_ORDER,        EFFECT_CANCEL, EFFECT_FULFIL, EFFECT_DROP,
        EFFECT_REFUSED,     EFFECT_TIME,         EFFECT_RESERVE, EFFECT_RESERVE_END,
        EFFECT_RESERVE_TAKE, EFFECT_RESERVE_DROP, EFFECT_REPLAN, EFFECT_DOCUMENT, EFFECT_HOURS,
        EFFECT_CAPACITY,    EFFECT_LANES,        EFFECT_ROADS,  EFFECT_STRATEGY, EFFECT_CHOICE,
        EFFECT_SHORT,       EFFECT_REPLAN_KITS};
    for (uint32_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (sum->records[types[i]] == 0) {
            return types[i];
        }
    }
    return 0;
}

/* A whole group, its header as the format page has it: LSN of the first record at 40, count at
 * 48, payload size at 56. */
static void on_durable_write(void *owner, const uint8_t *bytes, uint32_t size)
{
    struct sim *sim = owner;
    const bool is_group = size >= 128 && memcmp(bytes, "NSHGROUP", 8) == 0;
    if (is_group && 128 + load64(bytes + 56) <= size) {
        const uint64_t last = load64(bytes + 40) + load64(bytes + 48) - 1;
        sim->on_disk = last > sim->on_disk ? last : sim->on_disk;
        sim->counts.groups++;
        records_count(sim, bytes + 128, bytes + 128 + load64(bytes + 56));
    }
}

void sim_state_note(struct sim *sim)
{
    const uint64_t lsn = wal_lsn_begun(service_wal(sim->service));
    struct sim_state *last = sim->state_count ? &sim->states[sim->state_count - 1] : NULL;
    if (last && last->lsn == lsn) {
        CHECK(digest_equal(&last->digest, &service_tables(sim->service)->digest));
        return;
    }
    uint32_t old = 0;
    while (old + 1 < sim->state_count && sim->states[old + 1].lsn <= sim->released) {
        old++;
    }
    memmove(sim->states, sim->states + old, (sim->state_count - old) * sizeof sim->states[0]);
    sim->state_count -= old;
    CHECK(sim->state_count < SIM_STATES_MAX);
    sim->states[sim->state_count++] = (struct sim_state){lsn, service_tables(sim->service)->digest};
}

static void states_back(struct sim *sim, uint64_t lsn)
{
    while (sim->state_count > 0 && sim->states[sim->state_count - 1].lsn > lsn) {
        sim->state_count--;
    }
}

/* -- begin -- */

static enum err try_open(struct sim *sim, struct service_start *start, char error[WAL_ERROR_SIZE])
{
    sim->fault = disk_fault_new(sim->disk);
    sim->options.log.disk = sim->fault;
    sim->is_dead = false;
    sim->is_paused = false;
    disk_sim_hold_writes(sim->disk, false);
    disk_sim_hold_jobs(sim->disk, false);
    const bool is_planned = sim->plan.is_pending && sim->plan.where != SIM_PLAN_CHECKPOINT;
    if (is_planned) {
        disk_fault_arm(sim->fault, sim->plan.kind, sim->plan.at, sim->plan.err);
    } else if (!sim->plan.is_set && sim_chance(sim, 6)) {
        disk_fault_arm(sim->fault, DISK_FAULT_CALL, 1 + sim_draw(sim, 30), ERR_IO);
    }
    const enum err err = service_open(&sim->options, &sim->service, start, error);
    disk_sim_hold_writes(sim->disk, true);
    disk_sim_hold_jobs(sim->disk, true);
    sim->had_start_fault = disk_fault_has_come(sim->fault);
    sim->is_fault_armed = sim->plan.is_set;
    if (is_planned) {
        sim->plan.is_pending = false; /* it may come in the life that follows */
    } else {
        disk_fault_disarm(sim->fault);
    }
    return err;
}

static void fault_free(struct sim *sim)
{
    sim->plan.has_come = sim->plan.has_come || disk_fault_has_come(sim->fault);
    disk_fault_free(sim->fault);
    sim->fault = NULL;
}

static void open_failed(struct sim *sim, enum err err, const char *error)
{
    const bool is_cut = disk_sim_is_off(sim->disk);
    const bool is_full = err == ERR_NOSPACE && sim->is_full;
    const bool is_planned = sim->plan.is_set && err == sim->plan.err;
    if (!is_cut && !is_full && !is_planned && err != ERR_IO) {
        fprintf(stderr, "the engine does not start: %s: %s\n", err_text(err), error);
        CHECK_UNREACHABLE("recovery refused what the disk holds");
    }
    CHECK(error[0]);
    sim->on_disk = sim->on_disk_before; /* written again beside the log, without its name so far */
    if (is_full) {
        disk_sim_capacity_set(sim->disk, SIM_ROOMY);
        sim->is_full = false;
    }
    sim->counts.recoveries_cut += is_cut;
    fault_free(sim);
    disk_sim_power_on(sim->disk);
}

/* Invariants 3 and 8. Books and states go back to what was found. */
static void take_up(struct sim *sim, const struct service_start *start)
{
    const struct tables *tables = service_tables(sim->service);
    const uint64_t lsn = start->recovery.last_lsn;
    CHECK(lsn >= sim->told);
    CHECK(lsn >= sim->on_disk_before);
    CHECK(lsn <= sim->on_disk); /* found, so made durable before anybody hears of it */
    states_back(sim, lsn);
    CHECK(sim->state_count > 0);
    const struct sim_state *state = &sim->states[sim->state_count - 1];
    CHECK(state->lsn == lsn); /* half a turn */
    CHECK(digest_equal(&state->digest, &tables->digest));
    tables_check((struct tables *)(uintptr_t)tables);
    books_back(sim->books, lsn);
    books_settle(sim->books, lsn);
    CHECK(sim->released == lsn);
    sim->told = lsn; /* a start tells its LSN in the ready line */
    sim->books->lsn = lsn;
    for (uint32_t i = 0; i < SIM_CLIENTS_MAX; i++) {
        if (sim->halves[i] && !sim->is_wide && sim->books->nodes[sim->halves[i]->node].is_there) {
            sim_load_settle(sim, sim->halves[i]);
        }
    }
    sim->counts.torn += start->recovery.has_torn_tail;
    sim->counts.rewritten += start->recovery.rewritten;
    sim->counts.from_snapshots += start->snapshot.group_number > 0;
    /* A snapshot that has its name is whole: only a failing read makes one be passed over. */
    CHECK(start->passed_over == 0 || sim->had_start_fault);
}

void sim_process_begin(struct sim *sim)
{
    char error[WAL_ERROR_SIZE];
    struct service_start start;
    for (uint32_t i = 0;; i++) {
        CHECK(i < STARTS_MAX);
        sim->released = 0;
        sim->on_disk_before = sim->on_disk;
        if (!sim->plan.is_set && i < 5 && sim_chance(sim, 15)) {
            disk_sim_end_at(sim->disk, 1 + sim_draw(sim, 25), sim_chance(sim, 60));
        }
        const enum err err = try_open(sim, &start, error);
        if (err == ERR_OK && disk_sim_is_off(sim->disk)) {
            sim_end(sim, true); /* the end came with the last step: nobody was told anything */
            return;
        }
        if (err == ERR_OK) {
            break;
        }
        open_failed(sim, err, error);
    }
    sim->counts.recoveries++;
    take_up(sim, &start);
}

void sim_start(struct sim *sim)
{
    disk_sim_watch(sim->disk, on_durable_write, sim);
    sim->states[0] = (struct sim_state){0};
    sim->state_count = 1;
    sim_process_begin(sim);
}

/* -- checkpoints -- */

/* A process of its own over the same disk: what the engine has in flight there stays in flight. */
void sim_checkpoint(struct sim *sim)
{
    char error[WAL_ERROR_SIZE] = "";
    struct checkpoint_made made = {0};
    const struct disk_listener engine = sim->disk->listener;
    if (sim->checkpoint_lsn == 0 || sim->is_dead || disk_sim_is_off(sim->disk)) {
        return;
    }
    struct disk *disk = disk_fault_new(sim->disk);
    if (sim->plan.is_pending && sim->plan.where == SIM_PLAN_CHECKPOINT) {
        disk_fault_arm(disk, sim->plan.kind, sim->plan.at, sim->plan.err);
        sim->plan.is_pending = false;
    } else if (!sim->plan.is_set && sim_chance(sim, 10)) {
        disk_fault_arm(disk, DISK_FAULT_CALL, 1 + sim_draw(sim, 40), ERR_IO);
    }
    const struct checkpoint_options options = {
        .disk = disk, .tables = sim->options.tables, .lsn = sim->checkpoint_lsn};
    const enum err err = checkpoint_make(&options, &made, error);
    sim->plan.has_come = sim->plan.has_come || disk_fault_has_come(disk);
    disk_fault_free(disk);
    sim->disk->listener = engine;
    sim->checkpoint_lsn = 0;
    sim->counts.checkpoints += err == ERR_OK;
    sim->counts.checkpoints_failed += err != ERR_OK;
    CHECK(err == ERR_OK || error[0]);
    CHECK(err != ERR_DAMAGED);
    service_checkpoint_done(sim->service, err, &made, error);
}

/* -- end -- */

void sim_process_close(struct sim *sim)
{
    struct wal_stats stats;
    wal_stats(service_wal(sim->service), &stats);
    sim->counts.segments += stats.segments;
    sim->counts.cut_slices += service_is_suspended(sim->service);
    sim_clients_lose(sim);
    sim->is_closing = true; /* what is answered now reaches nobody */
    service_close(sim->service);
    sim->is_closing = false;
    sim->service = NULL;
    sim->asked = NULL;
    sim->reply_conn = NULL;
    sim->checkpoint_lsn = 0;
    fault_free(sim);
    disk_sim_power_on(sim->disk);
}

void sim_end(struct sim *sim, bool is_power)
{
    sim->counts.in_flight += disk_sim_has_write(sim->disk);
    if (is_power) {
        disk_sim_power_cut(sim->disk);
        sim->counts.power_cuts++;
    } else {
        disk_sim_kill(sim->disk);
        sim->counts.kills++;
    }
    sim_process_close(sim);
    sim_process_begin(sim);
}

void sim_end_cleanly(struct sim *sim)
{
    if (!sim_settle(sim)) {
        sim_end_settle(sim);
        return;
    }
    service_drain(sim->service);
    sim_process_close(sim);
    sim->counts.restarts++;
    sim_process_begin(sim);
}

void sim_fault_arm(struct sim *sim)
{
    static const enum disk_fault_kind kinds[] = {DISK_FAULT_WRITE_LOST, DISK_FAULT_WRITE_SHORT,
                                                 DISK_FAULT_FLUSH, DISK_FAULT_JOB, DISK_FAULT_CALL};
    static const enum err errors[] = {ERR_IO, ERR_NOSPACE, ERR_SYS, ERR_ACCESS};
    const enum disk_fault_kind kind = kinds[sim_draw(sim, 5)];
    disk_fault_arm(sim->fault, kind, 1 + sim_draw(sim, 6), errors[sim_draw(sim, 4)]);
    sim->is_fault_armed = true;
    sim->counts.faults++;
}

void sim_end_settle(struct sim *sim)
{
    const bool is_off = disk_sim_is_off(sim->disk);
    if (is_off || sim->is_dead) {
        sim->counts.inner_ends += is_off;
        sim_end(sim, sim_chance(sim, 50));
    }
}

/* -- the whole held against the books -- */

static bool ask_named(struct sim *sim, const char *method, uint32_t node, uint32_t order)
{
    if (!sim_read_events(sim)) {
        return false;
    }
    struct sim_request *request = sim_op_named(sim, method);
    struct writer writer;
    char id[16];
    request->item = SIM_NONE;
    request->is_any = false;
    request->node = node;
    request->order = order;
    writer_init(&writer, sim->params, SIM_PARAMS_MAX);
    writer_map(&writer, 1);
    if (node != SIM_NONE) {
        writer_string(&writer, "node");
        snprintf(id, sizeof id, "n%u", node);
    } else {
        writer_string(&writer, "order_id");
        snprintf(id, sizeof id, "o%u", order);
    }
    writer_string(&writer, id);
    sim_params_set(request, sim->params, writer_size(&writer));
    return sim_ask(sim, request);
}

static bool check_orders(struct sim *sim, bool is_whole)
{
    const uint32_t all = sim->orders;
    const uint32_t count = is_whole || all < SAMPLE ? all : SAMPLE;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t order = is_whole ? i : all - 1 - sim_draw(sim, i % 2 ? all : SAMPLE);
        if (!ask_named(sim, "order.get", SIM_NONE, order)) {
            return false;
        }
    }
    return true;
}

static bool ask_reservation(struct sim *sim, uint32_t reservation)
{
    if (!sim_read_events(sim)) {
        return false;
    }
    struct sim_request *request = sim_op_named(sim, "reserve.get");
    struct writer writer;
    char id[16];
    request->thing = reservation;
    request->thing_kind = BOOKS_RESERVATION;
    snprintf(id, sizeof id, "r%u", reservation);
    writer_init(&writer, sim->params, SIM_PARAMS_MAX);
    writer_map(&writer, 1);
    writer_string(&writer, "reservation_id");
    writer_string(&writer, id);
    sim_params_set(request, sim->params, writer_size(&writer));
    return sim_ask(sim, request);
}

/* What only seeds of all methods have. */
static bool check_wide(struct sim *sim, bool is_whole)
{
    const uint32_t all = sim->things[BOOKS_RESERVATION];
    const uint32_t first = is_whole || all < SAMPLE ? 0 : all - SAMPLE;
    for (uint32_t i = first; i < all; i++) {
        if (!ask_reservation(sim, i)) {
            return false;
        }
    }
    for (uint32_t node = 1; node <= SIM_METERED; node++) {
        if (!ask_named(sim, "capacity.get", node, SIM_NONE)) {
            return false;
        }
    }
    if (!sim->ledger->is_lost) {
        ledger_check(sim->ledger);
    }
    return sim_read_events_again(sim);
}

bool sim_check_all(struct sim *sim, bool is_whole)
{
    if (sim->is_wide && !check_wide(sim, is_whole)) {
        return false;
    }
    for (uint32_t node = 0; node <= BOOKS_NODES; node++) {
        if (sim->books->nodes[node].is_there && !ask_named(sim, "stock.list", node, SIM_NONE)) {
            return false;
        }
    }
    return check_orders(sim, is_whole);
}
