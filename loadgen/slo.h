/* Service level objectives on the command line: "p99<5ms,refused<1%,rate>300000". */
#ifndef LOADGEN_SLO_H
#define LOADGEN_SLO_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "load_run.h"

enum { SLO_MAX = 16 };

enum slo_metric {
    SLO_P50,
    SLO_P90,
    SLO_P99,
    SLO_P999,
    SLO_P9999,
    SLO_MAX_LATENCY,
    SLO_REFUSED, /* share of the answers */
    SLO_FAILED,
    SLO_LATE,    /* share of the sends */
    SLO_OPTIMAL, /* share of the routed */
    SLO_RATE,    /* orders decided per second */
    SLO_METRICS
};

struct slo_clause {
    enum slo_metric metric;
    bool is_below; /* else the value must be above */
    double bound;  /* ms, share, or per second */
};

struct slo {
    struct slo_clause clauses[SLO_MAX];
    uint32_t count;
};

/* Read the list; units us, ms, s and %; text NULL is an empty one.
 *
 * Errors (told on stderr):
 *   ERR_INVALID  a clause is not of that form.
 */
ERR_MUST_USE enum err slo_parse(struct slo *slo, const char *text);

const char *slo_metric_name(enum slo_metric metric);

/* What the run reached: ms, share, or per second. */
double slo_value(enum slo_metric metric, const struct run_stats *stats);

bool slo_is_met(const struct slo_clause *clause, const struct run_stats *stats);

#endif
