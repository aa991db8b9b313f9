/* A clause is METRIC, < or >, NUMBER and unit. */
#include "slo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static const char *const names[SLO_METRICS] = {
    [SLO_P50] = "p50",         [SLO_P90] = "p90",      [SLO_P99] = "p99",
    [SLO_P999] = "p99.9",      [SLO_P9999] = "p99.99", [SLO_MAX_LATENCY] = "max",
    [SLO_REFUSED] = "refused", [SLO_FAILED] = "error", [SLO_LATE] = "late",
    [SLO_OPTIMAL] = "optimal", [SLO_RATE] = "rate",
};

static const double percents[SLO_MAX_LATENCY] = {50, 90, 99, 99.9, 99.99};

const char *slo_metric_name(enum slo_metric metric)
{
    CHECK(metric < SLO_METRICS);
    return names[metric];
}

/* The unit fits the metric; bound is then in ms, as a share, or per second. */
static bool apply_unit(struct slo_clause *clause, const char *unit)
{
    bool is_latency = clause->metric <= SLO_MAX_LATENCY;
    if (is_latency && strcmp(unit, "us") == 0) {
        clause->bound /= 1000;
        return true;
    }
    if (is_latency && strcmp(unit, "s") == 0) {
        clause->bound *= 1000;
        return true;
    }
    if (!is_latency && clause->metric != SLO_RATE && strcmp(unit, "%") == 0) {
        clause->bound /= 100;
        return true;
    }
    bool is_share = !is_latency && clause->metric != SLO_RATE;
    return !is_share && strcmp(unit, is_latency ? "ms" : "") == 0;
}

static bool parse_clause(struct slo_clause *clause, const char *text)
{
    size_t size = strcspn(text, "<>");
    char *unit = NULL;
    if (text[size] == '\0') {
        return false;
    }
    clause->is_below = text[size] == '<';
    clause->bound = strtod(text + size + 1, &unit);
    if (unit == text + size + 1) {
        return false;
    }
    for (int metric = 0; metric < SLO_METRICS; metric++) {
        if (strlen(names[metric]) == size && memcmp(names[metric], text, size) == 0) {
            clause->metric = (enum slo_metric)metric;
            return apply_unit(clause, unit);
        }
    }
    return false;
}

enum err slo_parse(struct slo *slo, const char *text)
{
    *slo = (struct slo){0};
    while (text != NULL && *text != '\0') {
        char clause[64];
        size_t size = strcspn(text, ",");
        snprintf(clause, sizeof clause, "%.*s", (int)size, text);
        if (slo->count == SLO_MAX || !parse_clause(&slo->clauses[slo->count], clause)) {
            fprintf(stderr,
                    "nearshelf-load: --slo: %s: want METRIC<NUMBER with p50 p90 p99 p99.9 p99.99 "
                    "max (us ms s), refused error late optimal (%%), rate\n",
                    clause);
            return ERR_INVALID;
        }
        slo->count++;
        text += size + (text[size] == ',');
    }
    return ERR_OK;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

double slo_value(enum slo_metric metric, const struct run_stats *stats)
{
    const struct hist *hist = &stats->hists[RUN_ROUTE];
    switch (metric) {
    case SLO_P50:
    case SLO_P90:
    case SLO_P99:
    case SLO_P999:
    case SLO_P9999:
        return (double)hist_percentile(hist, percents[metric]) / 1e6;
    case SLO_MAX_LATENCY:
        return hist->total > 0 ? (double)hist->max / 1e6 : 0;
    case SLO_REFUSED:
        return share(stats->refused, hist->total);
    case SLO_FAILED:
        return share(stats->failed + stats->malformed, hist->total);
    case SLO_LATE:
        return share(stats->late, stats->sent);
    case SLO_OPTIMAL:
        return share(stats->optimal, stats->routed + stats->partial);
    case SLO_RATE:
        return stats->seconds > 0 ? (double)stats->accepted / stats->seconds : 0;
    case SLO_METRICS:
        break;
    }
    CHECK_UNREACHABLE("metric");
}

bool slo_is_met(const struct slo_clause *clause, const struct run_stats *stats)
{
    double value = slo_value(clause->metric, stats);
    return clause->is_below ? value < clause->bound : value > clause->bound;
}
