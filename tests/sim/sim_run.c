/* One run of the simulation: what happens is drawn here, one step after another. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "sim.h"

enum {
    SEGMENT = 276 << 10,
    GROUP = 128 << 10,
    BATCH_BYTES = 64 << 10,
    RARE = 700, /* operations between two things that break, on average */
    CHECKPOINT_BYTES = 600 << 10,
    SWEEP_SEED = 77,
    SWEEP_OPERATIONS = 150,
    SWEEP_RECORDS = 40, /* of the log until a checkpoint is made */
    STEPS_MAX = 200000 /* in which some client gets on: one may wait for a trial of the whole log */
};

static const uint64_t START_MS = 1790000000000;
static const char ZONE_FILE[] = "/usr/share/zoneinfo/America/New_York";

static void options_set(struct sim *sim)
{
    struct service_options *options = &sim->options;
    static const uint32_t slices[] = {20000, 1, 20, 0};
    const uint32_t many = sim->is_small ? 300 : 20000;
    service_options_default(options);
    options->tables = (struct tables_options){.items_max = 64,
                                              .orders_max = many,
                                              .orders_memory = 8 << 20,
                                              .holds_max = many,
                                              .keys_max = many,
                                              .movements_max = sim->is_small ? 200 : 20000,
                                              .owed_max = sim->is_wide ? many : 0,
                                              .reservations_max = sim->is_wide ? many : 0,
                                              .documents_max = sim->is_wide ? many : 0};
    options->log.retain_bytes = sim->is_retaining ? SIM_ROOMY : 0;
    options->log.segment_size = SEGMENT;
    options->log.group_size_max = GROUP;
    options->log.lone_flush_us = sim->seed / 4 % 2 ? UINT32_MAX : 0;
    options->batch_bytes = BATCH_BYTES;
    options->batch = 1 + sim_draw(sim, 64);
    options->slice_steps = slices[sim->seed % 4];
    options->max_delay_ms = 0;
    if (sim->is_wide && sim_chance(sim, 40)) {
        options->return_window_ms = 1000 * (1 + sim_draw(sim, 30));
    }
    options->checkpoint_bytes = sim_chance(sim, 50) ? CHECKPOINT_BYTES : 0;
    options->checkpoint_records = 0;
    options->test_clock = sim->is_clocked;
    memcpy(options->country, "US", 3);
    options->port = sim_port(sim);
}

/* Every third seed begins in the minutes before clocks are set somewhere, by an hour or by half. */
static uint64_t start_ms(uint64_t seed)
{
    static const uint64_t changes_s[] = {
        1793512800, /* 2026-11-01 06:00 UTC, New York back */
        1792890000, /* 2026-10-25 01:00, Berlin back */
        1791041400, /* 2026-10-03 15:30, Lord Howe forward */
        1805007600, /* 2027-03-14 07:00, New York forward */
        1806195600, /* 2027-03-28 01:00, Berlin forward */
        1806764400, /* 2027-04-03 15:00, Lord Howe back */
    };
    const uint64_t before_s = seed / 18 % 5 * 60;
    return seed % 3 == 0 ? (changes_s[seed / 3 % 6] - before_s) * 1000 - 1 : START_MS;
}

static struct sim *sim_new(uint64_t seed)
{
    struct sim *sim = calloc(1, sizeof *sim);
    CHECK(sim != NULL);
    sim->seed = seed;
    rng_init(&sim->rng, seed);
    sim->books = books_new();
    sim->disk = disk_sim_new(seed ^ 0x5eed, SIM_ROOMY);
    sim->client_count = 1 + sim_draw(sim, SIM_CLIENTS_MAX);
    sim->depth = 1 + sim_draw(sim, 24);
    sim->is_small = sim_chance(sim, 15);
    sim->is_wide = sim_chance(sim, 50);
    sim->is_retaining = sim_chance(sim, 80);
    sim->is_clocked = sim->is_wide && seed % 5 == 0;
    sim->ledger = sim->is_wide ? ledger_new(start_ms(seed), 600 * 1000) : NULL;
    sim->wall_ms = start_ms(seed);
    sim->has_zones = access(ZONE_FILE, R_OK) == 0;
    sim->counts.wide = sim->is_wide;
    sim->forced = SIM_NONE;
    options_set(sim);
    return sim;
}

static void sim_free(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_CLIENTS_MAX; i++) {
        struct sim_client *client = &sim->clients[i];
        sim_queue_drop(&client->waiting);
        sim_queue_drop(&client->sent);
        sim_queue_drop(&client->written);
        sim_queue_drop(&client->unsure);
        sim_request_free(sim->halves[i]);
    }
    for (uint32_t i = 0; i < SIM_PAST_MAX; i++) {
        sim_request_free(sim->past[i]);
    }
    books_free(sim->books);
    ledger_free(sim->ledger);
    disk_sim_free(sim->disk);
    free(sim);
}

/* The disk is made too small for another segment, or larger again: then one tick, which comes
 * every 100 ms, and the making of a segment are all it takes. */
static void disk_resize(struct sim *sim)
{
    while (service_is_suspended(sim->service)) {
        sim_tick(sim);
    }
    disk_sim_capacity_set(sim->disk, sim->is_full ? SIM_ROOMY : 0);
    sim->counts.full_disks += !sim->is_full;
    for (uint32_t i = 0; sim->is_full && i < 2; i++) {
        sim_drive(sim, true, true);
        sim_tick(sim);
    }
    sim_drive(sim, true, true);
    sim->is_full = !sim->is_full;
}

static void end_somehow(struct sim *sim)
{
    const uint32_t what = sim_draw(sim, 100);
    if (what < 20) {
        sim_end(sim, false);
    } else if (what < 40) {
        sim_end(sim, true);
    } else if (what < 65) {
        disk_sim_end_at(sim->disk, 1 + sim_draw(sim, 40), sim_chance(sim, 50));
    } else if (what < 85) {
        sim_fault_arm(sim);
    } else if (what < 92) {
        sim_end_cleanly(sim);
    } else {
        sim_end_misdirected(sim);
    }
    sim->needs_check = true;
}

static void rare_step(struct sim *sim)
{
    const uint32_t what = sim_draw(sim, 100);
    if (what < 55) {
        end_somehow(sim);
    } else if (what < 65 || (sim->is_full && what < 90)) {
        disk_resize(sim);
    } else {
        sim_client_vanish(sim, sim_draw(sim, sim->client_count));
    }
}

/* Disk and time get on as they like. Time does not pass a second after a disk got larger before
 * the disk had its turn: making a segment is not free. */
static void step(struct sim *sim)
{
    sim_clock(sim);
    for (uint32_t asks = 1 + sim_draw(sim, sim_chance(sim, 10) ? 100 : 10); asks > 0; asks--) {
        sim_client_ask(sim, sim_draw(sim, sim->client_count));
    }
    if (sim_chance(sim, 80)) {
        sim_batch(sim, 1 + sim_draw(sim, SIM_BATCH_MAX));
    }
    if (sim_chance(sim, 70)) {
        sim_drive(sim, sim_chance(sim, 80), sim_chance(sim, 50));
    }
    if (sim_chance(sim, 40)) {
        sim_tick(sim);
    }
    if (sim_chance(sim, 10)) {
        sim_seal(sim);
    }
    if (sim_chance(sim, 20)) {
        sim_checkpoint(sim);
    }
    if (sim->is_wide && sim_chance(sim, 3)) {
        (void)(sim_read_events(sim) && sim_read_events_again(sim));
    }
    if (sim->counts.operations >= sim->next_rare) {
        sim->next_rare = sim->counts.operations + sim_draw(sim, 2 * RARE);
        rare_step(sim);
    }
    sim_end_settle(sim);
    if (sim->needs_check && !disk_sim_is_off(sim->disk)) {
        sim->needs_check = false;
        (void)sim_check_all(sim, false);
        sim_end_settle(sim);
    }
}

/* The last look: everything, on an undisturbed disk, before and after a clean restart. */
static void finish(struct sim *sim)
{
    if (sim->is_full) {
        disk_resize(sim); /* a suspended turn may still answer as it saw the disk */
    }
    sim_end_cleanly(sim);
    for (uint32_t i = 0; i < 2; i++) {
        while (!sim_check_all(sim, true)) {
            sim_end_settle(sim);
        }
        sim_end_cleanly(sim);
    }
    sim_end_settle(sim);
    service_drain(sim->service);
    service_close(sim->service);
    disk_fault_free(sim->fault);
    sim_forge(sim);
}

static void counts_add(struct sim_counts *sum, const struct sim_counts *more)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) {
        to[i] += from[i];
    }
}

void sim_run(uint64_t seed, uint64_t operations, bool is_loud, struct sim_counts *sum)
{
    struct sim *sim = sim_new(seed);
    sim_start(sim);
    sim_head(sim);
    while (sim->counts.operations < operations) {
        const uint64_t before = sim->counts.operations;
        for (uint32_t steps = 0; sim->counts.operations == before; steps++) {
            CHECK(steps < STEPS_MAX); /* no client gets on */
            step(sim);
        }
    }
    finish(sim);
    sim->counts.lost_ledgers = sim->is_wide && sim->ledger->is_lost;
    sim->counts.broken_promises = sim->is_wide ? sim->ledger->broken_promises : 0;
    if (is_loud) {
        printf("seed %" PRIu64 ": %" PRIu64 " orders, LSN %" PRIu64 "\n", seed,
               (uint64_t)sim->orders, sim->told);
    }
    counts_add(sum, &sim->counts);
    sim_free(sim);
}

/* -- the sweep -- */

/* A first process, a kill, a second one; the fault comes where it is planned, or nowhere: false. */
static bool run_planned(const struct sim_plan *plan, struct sim_counts *sum)
{
    struct sim *sim = sim_new(SWEEP_SEED);
    const bool is_later = plan->where == SIM_PLAN_LATER || plan->where == SIM_PLAN_SNAPSHOT;
    sim->is_full = plan->err == ERR_NOSPACE; /* READ_ONLY is right then */
    sim->is_small = false;
    sim->options.checkpoint_bytes = 0;
    sim->options.checkpoint_records = plan->where == SIM_PLAN_LATER ? 0 : SWEEP_RECORDS;
    sim->plan = *plan;
    sim->plan.is_pending = !is_later;
    sim->next_rare = UINT64_MAX;
    sim_start(sim);
    sim_head(sim);
    for (uint32_t part = 0; part < 2; part++) {
        const uint64_t until = sim->counts.operations + SWEEP_OPERATIONS;
        while (sim->counts.operations < until) {
            step(sim);
        }
        CHECK(plan->where != SIM_PLAN_SNAPSHOT || sim->counts.checkpoints > 0);
        sim->plan.is_pending = sim->plan.is_pending || (is_later && part == 0);
        sim->needs_check = true;
        sim_end(sim, false);
    }
    finish(sim);
    const bool has_come = sim->plan.has_come;
    counts_add(sum, &sim->counts);
    sim_free(sim);
    return has_come;
}

static uint64_t sweep_kind(enum disk_fault_kind kind, enum err err, enum sim_plan_where where,
                           uint64_t stride, struct sim_counts *sum)
{
    uint64_t faults = 0;
    struct sim_plan plan = {.is_set = true, .where = where, .kind = kind, .err = err, .at = 1};
    while (run_planned(&plan, sum)) {
        plan.at += stride;
        faults++;
    }
    return faults;
}

uint64_t sim_sweep(uint64_t stride, struct sim_counts *sum)
{
    static const enum disk_fault_kind kinds[] = {DISK_FAULT_WRITE_LOST, DISK_FAULT_WRITE_SHORT,
                                                 DISK_FAULT_FLUSH, DISK_FAULT_JOB, DISK_FAULT_CALL};
    static const char *const names[] = {"lost writes", "short writes", "failed flushes", "jobs",
                                        "calls"};
    static const char *const wheres[] = {"first process", "recovery from the log",
                                         "recovery from a snapshot", "checkpoint"};
    static const enum err errors[] = {ERR_IO, ERR_NOSPACE, ERR_SYS, ERR_ACCESS};
    uint64_t all = 0;
    for (uint32_t i = 0; i < 5 * SIM_PLAN_WHERES; i++) {
        uint64_t faults = 0;
        for (uint32_t e = 0; e < 4; e++) {
            faults +=
                sweep_kind(kinds[i % 5], errors[e], (enum sim_plan_where)(i / 5), stride, sum);
        }
        if (faults > 0) {
            printf("%s, %s: %" PRIu64 " single faults of 4 errors\n", wheres[i / 5], names[i % 5],
                   faults);
        }
        all += faults;
    }
    return all;
}
