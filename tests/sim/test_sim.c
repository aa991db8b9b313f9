/* Seeds of the simulation: what happens is drawn here, one step after another.
 *
 *     test_sim [--seeds N] [--from S] [--operations M] [--loud] [--table]
 *     test_sim --sweep STRIDE
 *
 * Each seed is a run of at least M operations from an empty disk to a last look at everything. A
 * run that fails ends the program, after a line with the command that runs that seed again. The
 * sweep is of single faults: each kind of operation, error, and every STRIDE-th position. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "say.h"
#include "sim.h"

static char again[256]; /* printed when a check fails */

static void on_abort(int number)
{
    const ssize_t size = write(STDERR_FILENO, again, strlen(again));
    (void)size;
    signal(number, SIG_DFL);
    sim_op_tell();
    raise(number);
}

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
           " of them refused, %" PRIu64 " hit a last group that nothing stamped; %" PRIu64
           " groups, %" PRIu64 " segments\n",
           sum->recoveries, sum->recoveries_cut, sum->torn, sum->rewritten, sum->misdirected,
           sum->misdirected_refused, sum->misdirected_unseen, sum->groups, sum->segments);
    printf("checkpoints: %" PRIu64 " made, %" PRIu64 " failed; %" PRIu64
           " recoveries from a snapshot\n",
           sum->checkpoints, sum->checkpoints_failed, sum->from_snapshots);
    printf("%" PRIu64 " forged digests refused\n", sum->forged);
    printf("all methods: %" PRIu64 " seeds; %" PRIu64 " events read, %" PRIu64
           " pages read again, %" PRIu64 " readers that came too late, %" PRIu64
           " promises broken\n",
           sum->wide, sum->events, sum->events_again, sum->lost_ledgers, sum->broken_promises);
    printf("slices: %" PRIu64 " turns gone on with, %" PRIu64 " ends while one was suspended\n",
           sum->slices, sum->cut_slices);
    printf("0 lost, 0 duplicates, 0 phantoms, 0 oversold\n");
}

/* What was reached. */
static void table(const struct sim_counts *sum)
{
    sim_op_table();
    for (uint32_t type = 0; type < SIM_RECORD_TYPES; type++) {
        if (sum->records[type] > 0) {
            printf("records of type %" PRIu32 ": %" PRIu64 "\n", type, sum->records[type]);
        }
    }
}

enum {
    METHODS_BY = 6, /* so many seeds ask every method */
    RECORDS_BY = 20, /* and so many write every type of record */
    KEPT_FOR = 8    /* seeds that go by until the memory that they touched goes back */
};

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
    uint64_t stride = 0;
    bool is_loud = false;
    bool has_table = false;
    struct sim_counts sum = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--loud") == 0) {
            is_loud = true;
        } else if (strcmp(argv[i], "--table") == 0) {
            has_table = true;
        } else if (strcmp(argv[i], "--sweep") == 0) {
            stride = number_of(argv[i], argv[i + 1]);
            i++;
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
            fprintf(stderr, "usage: test_sim [--seeds N] [--from S] [--operations M] [--loud] "
                            "[--table]\n");
            return 2;
        }
    }
    sim_memory_start();
    signal(SIGABRT, on_abort);
    say_level_set((enum say_level)(SAY_ERROR + 1)); /* what fails here is meant to */
    if (stride > 0) {
        snprintf(again, sizeof again, "again: %s --sweep %" PRIu64 "\n", argv[0], stride);
        printf("%" PRIu64 " single faults\n", sim_sweep(stride, &sum));
        seeds = 0;
    }
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        snprintf(again, sizeof again,
                 "again: %s --seeds 1 --from %" PRIu64 " --operations %" PRIu64 "\n", argv[0], seed,
                 operations);
        sim_run(seed, operations, is_loud, &sum);
        if (seed % KEPT_FOR == 0) {
            sim_memory_drop();
        }
    }
    report(seeds, &sum);
    if (has_table) {
        table(&sum);
    }
    const char *missing = seeds >= METHODS_BY ? sim_op_missing() : NULL;
    if (missing) {
        fprintf(stderr, "%s was never asked: give it a line in sim_ops.c\n", missing);
    }
    const uint32_t type = seeds >= RECORDS_BY ? sim_record_missing(&sum) : 0;
    if (type) {
        fprintf(stderr, "no record of type %" PRIu32 " was written: draw what makes it\n", type);
    }
    return missing != NULL || type != 0;
}
