/* Looks at a run from outside: CPU times, the line per second, where the measured part begins. */
#include "run_watch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

void run_watch_reset(struct load_run *run)
{
    memset(&run->stats, 0, sizeof run->stats);
    run->stats.rate_min = INFINITY;
    for (int kind = 0; kind < RUN_KINDS; kind++) {
        hist_init(&run->stats.hists[kind]);
    }
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* User and system time of another process, from its stat file. */
static double pid_cpu_seconds(uint32_t pid)
{
    char path[64];
    unsigned long user = 0, sys = 0;
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    FILE *file = pid != 0 ? fopen(path, "r") : NULL;
    if (file == NULL) {
        return 0;
    }
    int found = fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                       &user, &sys);
    fclose(file);
    return found == 2 ? (double)(user + sys) / 100.0 : 0;
}

/* One line per second, and the slowest and fastest second for the report. */
void run_watch_second(struct load_run *run, uint64_t now_ns)
{
    double seconds = (double)(now_ns - run->second_ns) / 1e9;
    double rate = (double)run->second.total / seconds;
    if (run->is_measuring) {
        run->stats.rate_min = fmin(run->stats.rate_min, rate);
        run->stats.rate_max = fmax(run->stats.rate_max, rate);
    }
    fprintf(stderr,
            "%4.0fs%s offered %.0f/s answered %.0f/s refused %.2f %% p50 %.2f p99 %.2f max %.2f ms"
            " in flight %u open %llu\n",
            (double)(now_ns - run->start_ns) / 1e9, run->is_measuring ? "" : " (warm-up)",
            (double)run->second_offered / seconds, rate,
            run->second.total > 0 ? 100.0 * (double)run->second_refused / (double)run->second.total
                                  : 0.0,
            (double)hist_percentile(&run->second, 50) / 1e6,
            (double)hist_percentile(&run->second, 99) / 1e6,
            run->second.total > 0 ? (double)run->second.max / 1e6 : 0.0, run->pump->in_flight,
            (unsigned long long)run->life.waiting);
    hist_init(&run->second);
    run->second_ns = now_ns;
    run->second_offered = run->second_refused = 0;
}

void run_watch_begin(struct load_run *run)
{
    /* Faults stay faults, warm-up or not. */
    const uint64_t malformed = run->stats.malformed;
    const uint64_t agreed = run->stats.retries_agreed;
    const uint64_t differed = run->stats.retries_differed;
    run_watch_reset(run);
    run->stats.malformed = malformed;
    run->stats.retries_agreed = agreed;
    run->stats.retries_differed = differed;
    run->is_measuring = true;
    run->stats.cpu_s = cpu_seconds();
    run->stats.engine_cpu_s = pid_cpu_seconds(run->opts->engine_pid);
}

void run_watch_end(struct load_run *run, uint64_t now_ns)
{
    if (!run->is_measuring) { /* the run ended in its warm-up: there are no figures */
        run_watch_reset(run);
        return;
    }
    run->is_measuring = false;
    run->stats.seconds = (double)(now_ns - run->measure_ns) / 1e9;
    run->stats.cpu_s = cpu_seconds() - run->stats.cpu_s;
    run->stats.engine_cpu_s = pid_cpu_seconds(run->opts->engine_pid) - run->stats.engine_cpu_s;
    run->stats.life_waiting = run->life.waiting;
    run->stats.accepted = run->stats.hists[RUN_ROUTE].total - run->stats.failed;
}
