/* Seeds of the simulation: what happens is drawn here, one step after another.
 *
 *     test_sim [--seeds N] [--from S] [--operations M] [--loud]
 *
 * Each seed is a run of at least M operations from an empty disk to a last look at everything. A
 * run that fails ends the program, after a line with the command that runs that seed again. */
#include <inttypes.h>
#include <signal.h>
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
    RARE = 700,      /* operations between two things that break, on average */
    STEPS_MAX = 2000 /* in which some client gets on */
};

static const uint64_t START_MS = 1790000000000;
static const uint64_t ROOMY = (uint64_t)1 << 40;

static char again[256]; /* printed when a check fails */

static void on_abort(int number)
{
    const ssize_t size = write(STDERR_FILENO, again, strlen(again));
    (void)size;
    signal(number, SIG_DFL);
    raise(number);
}

/* -- one run -- */

static void options_set(struct sim *sim)
{
    struct service_options *options = &sim->options;
    const uint32_t many = sim->is_small ? 300 : 20000;
    service_options_default(options);
    options->tables = (struct tables_options){.items_max = 64,
                                              .orders_max = many,
                                              .orders_memory = 8 << 20,
                                              .holds_max = many,
                                              .keys_max = many,
                                              .movements_max = sim->is_small ? 200 : 20000};
    options->log.segment_size = SEGMENT;
    options->log.group_size_max = GROUP;
    options->batch_bytes = BATCH_BYTES;
    options->batch = 1 + sim_draw(sim, 64);
    options->max_delay_ms = 0;
    memcpy(options->country, "US", 3);
    options->port = sim_port(sim);
}

static struct sim *sim_new(uint64_t seed)
{
    struct sim *sim = calloc(1, sizeof *sim);
    CHECK(sim != NULL);
    sim->seed = seed;
    rng_init(&sim->rng, seed);
    sim->books = books_new();
    sim->disk = disk_sim_new(seed ^ 0x5eed, ROOMY);
    sim->client_count = 1 + sim_draw(sim, SIM_CLIENTS_MAX);
    sim->depth = 1 + sim_draw(sim, 24);
    sim->is_small = sim_chance(sim, 15);
    sim->wall_ms = START_MS;
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
    disk_sim_free(sim->disk);
    free(sim);
}

/* The disk is made too small for another segment, or larger again: then one tick, which comes
 * every 100 ms, and the making of a segment are all it takes. */
static void disk_resize(struct sim *sim)
{
    disk_sim_capacity_set(sim->disk, sim->is_full ? ROOMY : 0);
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
    if (what < 25) {
        sim_end(sim, false);
    } else if (what < 50) {
        sim_end(sim, true);
    } else if (what < 75) {
        disk_sim_end_at(sim->disk, 1 + sim_draw(sim, 40), sim_chance(sim, 50));
    } else if (what < 87) {
        sim_fault_arm(sim);
    } else if (what < 94) {
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
    disk_sim_capacity_set(sim->disk, ROOMY);
    sim->is_full = false;
    sim_end_cleanly(sim);
    for (uint32_t i = 0; i < 2; i++) {
        while (!sim_check_all(sim, true)) {
            sim_end_settle(sim);
        }
        sim_end_cleanly(sim);
    }
    sim_end_settle(sim);
    service_close(sim->service);
    disk_fault_free(sim->fault);
}

static void counts_add(struct sim_counts *sum, const struct sim_counts *more)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) {
        to[i] += from[i];
    }
}

static void run(uint64_t seed, uint64_t operations, bool is_loud, struct sim_counts *sum)
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
    if (is_loud) {
        printf("seed %" PRIu64 ": %" PRIu64 " orders, LSN %" PRIu64 "\n", seed,
               (uint64_t)sim->orders, sim->told);
    }
    counts_add(sum, &sim->counts);
    sim_free(sim);
}

/* -- the program -- */

static void report(uint64_t seeds, const struct sim_counts *sum)
{
    printf("%" PRIu64 " seeds, %" PRIu64 " operations, %" PRIu64 " replies: %" PRIu64
           " refusals, %" PRIu64 " errors (%" PRIu64 " READ_ONLY, %" PRIu64 " OVERLOADED), %" PRIu64
           " duplicates of %" PRIu64 " retries\n",
           seeds, sum->operations, sum->replies, sum->refusals, sum->errors, sum->read_only,
           sum->overloaded, sum->duplicates, sum->retries);
    printf("ends: %" PRIu64 " kills, %" PRIu64 " power cuts (%" PRIu64
           " with a write in flight, %" PRIu64 " inside an operation), %" PRIu64 " clean; %" PRIu64
           " faults armed, %" PRIu64 " full disks, %" PRIu64 " clients vanished, %" PRIu64
           " replies lost\n",
           sum->kills, sum->power_cuts, sum->in_flight, sum->inner_ends, sum->restarts, sum->faults,
           sum->full_disks, sum->vanished, sum->lost_replies);
    printf("recoveries: %" PRIu64 " (%" PRIu64 " ended early), %" PRIu64 " torn tails, %" PRIu64
           " groups written again; %" PRIu64 " misdirected writes, %" PRIu64
           " of them refused; %" PRIu64 " groups, %" PRIu64 " segments\n",
           sum->recoveries, sum->recoveries_cut, sum->torn, sum->rewritten, sum->misdirected,
           sum->misdirected_refused, sum->groups, sum->segments);
    printf("0 lost, 0 duplicates, 0 phantoms, 0 oversold\n");
}

static uint64_t number_of(const char *name, const char *text)
{
    char *end;
    const unsigned long long number = text ? strtoull(text, &end, 10) : 0;
    if (!text || *end || end == text) {
        fprintf(stderr, "%s wants a number\n", name);
        exit(2);
    }
    return number;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 20;
    uint64_t from = 1;
    uint64_t operations = 10000;
    bool is_loud = false;
    struct sim_counts sum = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--loud") == 0) {
            is_loud = true;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            seeds = number_of(argv[i], argv[i + 1]);
            i++;
        } else if (strcmp(argv[i], "--from") == 0) {
            from = number_of(argv[i], argv[i + 1]);
            i++;
        } else if (strcmp(argv[i], "--operations") == 0) {
            operations = number_of(argv[i], argv[i + 1]);
            i++;
        } else {
            fprintf(stderr, "usage: test_sim [--seeds N] [--from S] [--operations M] [--loud]\n");
            return 2;
        }
    }
    signal(SIGABRT, on_abort);
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        snprintf(again, sizeof again,
                 "again: %s --seeds 1 --from %" PRIu64 " --operations %" PRIu64 "\n", argv[0], seed,
                 operations);
        run(seed, operations, is_loud, &sum);
    }
    report(seeds, &sum);
    return 0;
}
