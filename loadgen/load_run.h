/* The measured part of a run: sends orders by schedule (open loop) or by reply (closed loop),
 * lets each live and end, and counts what comes back. */
#ifndef LOADGEN_LOAD_RUN_H
#define LOADGEN_LOAD_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "hist.h"
#include "ledger.h"
#include "life_wheel.h"
#include "load_opts.h"
#include "picture.h"
#include "pump.h"
#include "rng.h"
#include "tally.h"
#include "workload.h"

/* Kinds of requests of a run; the order of load_run_kinds. */
enum run_kind {
    RUN_ROUTE = 1, /* an order for the first time */
    RUN_AGAIN,     /* the same order again */
    RUN_SHIP,
    RUN_CANCEL,
    RUN_RESTOCK,
    RUN_FIND,
    RUN_GET,
    RUN_KINDS
};

/* Name of a kind as the report tells it. */
const char *load_run_kind_name(enum run_kind kind);

/* What the report is made of; all of it about the measured part, warm-up left out. */
struct run_stats {
    struct hist hists[RUN_KINDS]; /* ns from the intended time to the reply */
    uint64_t offered;             /* orders (read-mostly: requests) that were due */
    uint64_t sent;                /* of them, sent */
    uint64_t late;                /* of them, over 1 ms after the intended time */
    uint64_t late_max_ns;
    uint64_t given_up;            /* offered, never sent: patience was over */
    uint64_t routed, partial, refused, failed; /* answers to RUN_ROUTE */
    uint64_t optimal, splits;                  /* of routed and partial */
    uint64_t reads;                            /* answers to RUN_FIND and RUN_GET */
    uint64_t ended;                            /* fulfilments shipped, orders cancelled */
    uint64_t accepted; /* RUN_ROUTE decided within seconds: answered, and not by an error */
    uint64_t retries_agreed, retries_differed;
    uint64_t malformed; /* results that lack what the contract promises */
    double km;          /* total over routed and partial */
    struct tally reasons, codes;
    double seconds;            /* that the measured part took */
    double cpu_s;              /* of this process in it */
    double engine_cpu_s;       /* of --engine-pid */
    double rate_min, rate_max; /* orders answered in one second */
    uint64_t life_waiting;     /* orders open at its end */
};

/* Two answers to one order that must agree. */
struct run_twin {
    uint64_t hash; /* of the first promise */
    uint32_t next_free;
    uint8_t answers, promises, duplicates;
};

/* Owner: main. Borrows all that load_run_init is given. */
struct load_run {
    const struct load_opts *opts;
    const struct workload *workload;
    struct pump *pump;
    struct ledger *ledger;                   /* NULL: not kept */
    struct picture *picture;                 /* NULL: not kept */
    const volatile sig_atomic_t *is_stopped; /* a signal asks for an early end */
    struct life_wheel life;
    struct rng arrivals, draws;
    uint64_t next_order;
    uint64_t next_read;
    uint64_t start_ns, measure_ns, end_ns;
    uint64_t next_due_ns; /* open loop: when the next arrival is intended */
    uint64_t tick_ns;     /* open loop: shortest sleep, so that requests gather */
    uint32_t conn;        /* that takes the next request, and how many it took */
    uint32_t conn_taken;
    uint64_t conn_turn; /* of the pump, in which conn was chosen */
    bool is_measuring;
    bool is_counted;  /* the reply being taken belongs to the measured part */
    bool is_draining; /* no new orders, no twins */
    struct run_twin *twins;
    uint32_t twins_free;
    struct order order;        /* being sent */
    struct order past;         /* being ended */
    struct route_answer route; /* being read */
    struct run_stats stats;
    uint64_t second_ns, second_routed; /* of the progress line */
    struct hist second;
    uint64_t second_offered, second_refused;
};

/* Time to the next arrival of a Poisson process of rate per second. */
uint64_t load_run_gap_ns(struct rng *rng, double rate);

/* Errors: ERR_NOMEM. */
ERR_MUST_USE enum err load_run_init(struct load_run *run, const struct load_opts *opts,
                                    const struct workload *workload, struct pump *pump);
void load_run_close(struct load_run *run);

/* Run to the end of the duration and wait for the last replies.
 *
 * Errors: as pump_turn; ERR_TIMEOUT if the last replies do not come within 30 s.
 */
ERR_MUST_USE enum err load_run_go(struct load_run *run);

#endif
