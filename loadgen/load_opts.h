/* What the load generator was asked to do: flags, defaults, limits, and their echo. */
#ifndef LOADGEN_LOAD_OPTS_H
#define LOADGEN_LOAD_OPTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum workload_kind {
    WORKLOAD_CONSUMER,
    WORKLOAD_TWO_LINE,
    WORKLOAD_BASKETS,
    WORKLOAD_HOT,
    WORKLOAD_SAME_DAY,
    WORKLOAD_READ_MOSTLY,
    WORKLOAD_COUNT
};

enum {
    LOAD_NODES_MAX = 65000, /* node indexes are 16 bits in the facts of an order */
    LOAD_ITEMS_MAX = 1 << 24,
    LOAD_CONNECTIONS_MAX = 10000,
    LOAD_WAREHOUSES = 10
};

/* Filled by load_opts_parse, read-only afterwards; the strings are argv's. */
struct load_opts {
    const char *address;   /* HOST:PORT or unix:PATH */
    const char *data_dir;  /* public data, or NULL: the project's own table */
    const char *json_path; /* NULL: not asked for */
    const char *hgrm_path;
    const char *map_path;
    const char *ledger_path;
    const char *check_path; /* ledger to be held against the engine */
    const char *slo;        /* "p99<5ms,error<0.1%" */
    enum workload_kind workload;
    bool is_closed;
    bool is_loading;   /* loads network, items and stock first */
    bool is_load_only; /* stops after that */
    bool is_verifying;
    uint32_t connections;
    uint32_t depth;    /* closed loop: requests in flight per connection */
    double rate;       /* open loop: orders (read-mostly: requests) per second */
    double ramp_s;     /* open loop: seconds to go from 0 to rate */
    double patience_s; /* open loop: an arrival that could not be sent is given up; 0: never */
    double duration_s; /* measured part */
    double warmup_s;   /* before it, not in the figures */
    double life_s;     /* mean time from answer to shipping or cancelling; 0: neither */
    double cancel;     /* share of orders cancelled instead of shipped */
    double retries;    /* share of orders sent twice */
    double restock;    /* share of shipped lines that are restocked, 1/restock-fold */
    uint64_t seed;
    uint64_t tag;   /* 28 bits in every order id, so that runs do not meet */
    uint32_t nodes; /* stores, the ten warehouses not counted; 0: all of the data */
    uint32_t items;
    uint32_t lines;      /* most lines of an order */
    double density;      /* scales the stores' share of items; 1 = 5-30 % */
    uint32_t hot_stock;  /* units of the hot item per node */
    uint32_t engine_pid; /* its CPU time is shown; 0: not */
};

/* What main does after parsing: go on, or leave with this exit code. */
enum load_opts_result { LOAD_OPTS_RUN, LOAD_OPTS_HELP, LOAD_OPTS_WRONG };

/* Read the command line. Faults are told on stderr by flag. */
enum load_opts_result load_opts_parse(struct load_opts *opts, int argc, const char *const *argv);

void load_opts_help(FILE *file);

/* One line with every effective parameter, ended by a newline. */
void load_opts_echo(const struct load_opts *opts, FILE *file);

const char *workload_name(enum workload_kind kind);

#endif
