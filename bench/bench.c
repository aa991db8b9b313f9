/* Running and printing of micro benchmarks. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPEATS_MAX = 101 };

uint64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool build_counts(void)
{
#if !defined(__OPTIMIZE__) || defined(NEARSHELF_SANITIZED)
    return false;
#else
    return true;
#endif
}

bool bench_init(struct bench *bench, int argc, char **argv)
{
    *bench = (struct bench){.repeats = 11};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--smoke") == 0) {
            bench->is_smoke = true;
            bench->repeats = 1;
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            bench->only = argv[++i];
        } else if (strcmp(argv[i], "--with") == 0 && i + 1 < argc) {
            bench->with = argv[++i];
        } else if (strcmp(argv[i], "--repeats") == 0 && i + 1 < argc) {
            bench->repeats = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: %s [--smoke] [--only NAME] [--with PARAMETERS] [--repeats N]\n",
                    argv[0]);
            return false;
        }
    }
    if (bench->repeats < 1 || bench->repeats > REPEATS_MAX) {
        fprintf(stderr, "--repeats: from 1 to %d\n", REPEATS_MAX);
        return false;
    }
    if (!bench->is_smoke && !build_counts()) {
        fprintf(stderr, "this build is not optimized, or has a sanitizer: no figure of it counts; "
                        "build the release preset\n");
        return false;
    }
    return true;
}

bool bench_wants(const struct bench *bench, const char *name, const char *begin)
{
    return (!bench->only || strcmp(bench->only, name) == 0) &&
           (!bench->with || strncmp(bench->with, begin, strlen(begin)) == 0);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void bench_run(const struct bench *bench, const char *name, const char *parameters, uint64_t count,
               uint64_t smoke_count, bench_work *work, void *owner)
{
    double ns[REPEATS_MAX];
    uint64_t hash = 0;
    uint64_t operations = bench->is_smoke ? smoke_count : count;
    if (!bench_wants(bench, name, "") || (bench->with && strcmp(bench->with, parameters) != 0)) {
        return;
    }
    work(owner, operations / 10 + 1);
    for (uint32_t i = 0; i < bench->repeats; i++) {
        uint64_t start = bench_now_ns();
        hash = work(owner, operations);
        ns[i] = (double)(bench_now_ns() - start) / (double)operations;
    }
    qsort(ns, bench->repeats, sizeof ns[0], by_value);
    printf("%-28s %-34s %9.1f ns/op  min %9.1f  max %9.1f  work %016llx%s\n", name, parameters,
           ns[bench->repeats / 2], ns[0], ns[bench->repeats - 1], (unsigned long long)hash,
           bench->is_smoke ? "  (smoke: no figure)" : "");
    fflush(stdout);
}
