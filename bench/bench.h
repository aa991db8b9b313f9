/* A small frame for micro benchmarks.
 *
 * Goals: one line per benchmark (name, parameters, ns per operation as median with spread, a hash
 * of the work), the same work every time, a smoke mode that runs in milliseconds. No goal: a
 * verdict; comparisons are made in pairs by bench/run.sh. A build without optimization or with a
 * sanitizer is refused, but for the smoke mode.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

struct bench {
    bool is_smoke;
    uint32_t repeats; /* measured runs of each benchmark, after one that warms up */
    const char *only; /* name to run, NULL = all */
    const char *with; /* parameters to run it with, NULL = all */
};

/* Flags: --smoke, --only NAME, --with PARAMETERS, --repeats N. False: usage printed, or the build
 * does not count. */
bool bench_init(struct bench *bench, int argc, char **argv);

/* Whether bench_run would run it, or some with parameters that begin so: else what is made for it
 * need not be made, and does not stand in a profile. */
bool bench_wants(const struct bench *bench, const char *name, const char *begin);

/* Do the work once and return a hash of it. count: operations to do. */
typedef uint64_t bench_work(void *owner, uint64_t count);

/* Run work repeats times over count operations (smoke: smoke_count) and print the line. */
void bench_run(const struct bench *bench, const char *name, const char *parameters,
               uint64_t count, uint64_t smoke_count, bench_work *work, void *owner);

/* Steady clock in ns. */
uint64_t bench_now_ns(void);

/* Keep the compiler from seeing through a pointer. */
static inline void *bench_hide(void *pointer)
{
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

#endif
