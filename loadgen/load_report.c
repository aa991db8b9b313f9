/* The text and the files of a report. */
#include "load_report.h"

#include <math.h>
#include <string.h>

#include <jansson.h>

#include "check.h"
#include "load_machine.h"

static const struct {
    const char *name;
    double percent;
} percentiles[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};

enum { PERCENTILES = sizeof percentiles / sizeof *percentiles };

static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

bool load_report_slo_met(const struct load_report *report)
{
    for (uint32_t i = 0; i < report->slo->count; i++) {
        if (!slo_is_met(&report->slo->clauses[i], report->stats)) {
            return false;
        }
    }
    return true;
}

bool load_report_is_well(const struct load_report *report)
{
    const struct run_stats *stats = report->stats;
    return report->fault[0] == '\0' && stats->malformed == 0 && stats->retries_differed == 0 &&
           (report->books == NULL || books_are_clean(report->books));
}

static double per_second(const struct run_stats *stats, uint64_t count)
{
    return stats->seconds > 0 ? (double)count / stats->seconds : 0;
}

static void print_rates(const struct load_report *report, FILE *file)
{
    const struct run_stats *stats = report->stats;
    const struct hist *hist = &stats->hists[RUN_ROUTE];
    uint64_t taken = stats->routed + stats->partial;
    fprintf(file, "\n%s loop, %s, %.1f s measured\n", report->opts->is_closed ? "closed" : "open",
            workload_name(report->opts->workload), stats->seconds);
    fprintf(file, "  offered    %12.0f /s\n", per_second(stats, stats->offered));
    fprintf(file, "  accepted   %12.0f /s orders decided", per_second(stats, stats->accepted));
    if (isfinite(stats->rate_min)) {
        fprintf(file, " (slowest second %.0f, fastest %.0f)", stats->rate_min, stats->rate_max);
    }
    fputc('\n', file);
    if (stats->reads > 0) {
        fprintf(file, "  reads      %12.0f /s answered\n", per_second(stats, stats->reads));
    }
    fprintf(file, "  routed     %12llu  (%.2f %% of the answers), partial %llu\n",
            (unsigned long long)stats->routed, percent(stats->routed, hist->total),
            (unsigned long long)stats->partial);
    fprintf(file, "  refused    %12llu  (%.2f %%)\n", (unsigned long long)stats->refused,
            percent(stats->refused, hist->total));
    fprintf(file, "  errors     %12llu  (%.2f %%)\n", (unsigned long long)stats->failed,
            percent(stats->failed, hist->total));
    fprintf(file, "  optimal    %12.3f %% of routed; splits per order %.3f, km per order %.1f\n",
            percent(stats->optimal, taken), taken > 0 ? (double)stats->splits / (double)taken : 0.0,
            taken > 0 ? stats->km / (double)taken : 0.0);
    fprintf(file, "  ended      %12.0f /s shipped or cancelled; %llu orders open at the end\n",
            per_second(stats, stats->ended), (unsigned long long)stats->life_waiting);
}

static void print_latencies(const struct run_stats *stats, FILE *file)
{
    fprintf(file, "\nlatency ms %-9s %10s", "", "count");
    for (int i = 0; i < PERCENTILES; i++) {
        fprintf(file, " %8s", percentiles[i].name);
    }
    fprintf(file, " %8s\n", "max");
    for (int kind = RUN_ROUTE; kind < RUN_KINDS; kind++) {
        const struct hist *hist = &stats->hists[kind];
        if (hist->total == 0) {
            continue;
        }
        fprintf(file, "  %-18s %10llu", load_run_kind_name((enum run_kind)kind),
                (unsigned long long)hist->total);
        for (int i = 0; i < PERCENTILES; i++) {
            fprintf(file, " %8.3f", (double)hist_percentile(hist, percentiles[i].percent) / 1e6);
        }
        fprintf(file, " %8.3f\n", (double)hist->max / 1e6);
    }
}

static void print_tally(const char *title, const struct tally *tally, FILE *file)
{
    if (tally->total == 0) {
        return;
    }
    fprintf(file, "\n%s\n", title);
    for (uint32_t i = 0; i < tally->count; i++) {
        fprintf(file, "  %-24s %12llu\n", tally->rows[i].word,
                (unsigned long long)tally->rows[i].count);
    }
}

static void print_client(const struct load_report *report, FILE *file)
{
    const struct run_stats *stats = report->stats;
    double share = stats->seconds > 0 ? stats->cpu_s / stats->seconds : 0;
    uint64_t requests = 0;
    for (int kind = RUN_ROUTE; kind < RUN_KINDS; kind++) {
        requests += stats->hists[kind].total;
    }
    char machine[256];
    load_machine_tell(machine, sizeof machine);
    fprintf(file, "\nmachine: %s; engine: %s\n", machine, report->hello->server);
    fprintf(file, "client CPU %.0f %% of a core, %.0f ns per request", share * 100,
            requests > 0 ? stats->cpu_s * 1e9 / (double)requests : 0.0);
    if (report->opts->engine_pid != 0 && stats->seconds > 0) {
        fprintf(file, "; engine CPU %.0f %%", 100 * stats->engine_cpu_s / stats->seconds);
    }
    fputc('\n', file);
    if (!report->opts->is_closed) {
        fprintf(file, "schedule: %.3f %% of sends over 1 ms late, worst %.1f ms%s\n",
                percent(stats->late, stats->sent), (double)stats->late_max_ns / 1e6,
                percent(stats->late, stats->sent) > 1
                    ? ": the client did not keep its schedule; the latencies include that"
                    : "");
    }
    if (stats->given_up > 0) {
        fprintf(file, "given up: %llu arrivals (%.2f %% of those offered) found no connection that"
                " took them within %g s\n", (unsigned long long)stats->given_up,
                percent(stats->given_up, stats->offered), report->opts->patience_s);
    }
    if (!report->opts->is_closed && share > 0.8) {
        fputs("warning: the client used over 80 % of a core; its own delay is in the figures\n",
              file);
    }
    if (report->opts->retries > 0) {
        fprintf(file, "retries: %llu pairs agreed, %llu differed\n",
                (unsigned long long)stats->retries_agreed,
                (unsigned long long)stats->retries_differed);
    }
    if (stats->malformed > 0) {
        fprintf(file, "malformed answers: %llu\n", (unsigned long long)stats->malformed);
    }
#if !defined(__OPTIMIZE__) || defined(NEARSHELF_SANITIZED)
    fputs("warning: a debug or sanitizer build: these figures are no result\n", file);
#endif
}

static void print_verdict(const struct load_report *report, FILE *file)
{
    const struct run_stats *stats = report->stats;
    const struct slo *slo = report->slo;
    bool is_well = load_report_is_well(report);
    bool is_met = load_report_slo_met(report);
    fputc('\n', file);
    for (uint32_t i = 0; i < slo->count; i++) {
        const struct slo_clause *clause = &slo->clauses[i];
        fprintf(file, "slo %s %s %g: %s, %g\n", slo_metric_name(clause->metric),
                clause->is_below ? "<" : ">", clause->bound,
                slo_is_met(clause, stats) ? "met" : "MISSED", slo_value(clause->metric, stats));
    }
    if (report->fault[0] != '\0') {
        fprintf(file, "ended early: %s\n", report->fault);
    }
    fprintf(file, "%s: %.0f orders/s accepted, p99 %.3f ms, %.2f %% refused%s%s\n",
            !is_well ? "FAIL"
            : is_met ? "PASS"
                     : "MISS",
            per_second(stats, stats->accepted), slo_value(SLO_P99, stats),
            100 * slo_value(SLO_REFUSED, stats),
            report->books == NULL            ? ""
            : books_are_clean(report->books) ? ", books clean"
                                             : ", BOOKS NOT CLEAN",
            slo->count == 0 ? ""
            : is_met        ? ", objectives met"
                            : ", OBJECTIVES MISSED");
}

void load_report_print(const struct load_report *report, FILE *file)
{
    print_rates(report, file);
    print_latencies(report->stats, file);
    print_tally("refusals by reason", &report->stats->reasons, file);
    print_tally("errors by code", &report->stats->codes, file);
    print_client(report, file);
    if (report->books != NULL) {
        books_print(report->books, file);
    }
    print_verdict(report, file);
}

static json_t *json_tally(const struct tally *tally)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < tally->count; i++) {
        json_object_set_new(object, tally->rows[i].word,
                            json_integer((json_int_t)tally->rows[i].count));
    }
    return object;
}

static json_t *json_latency(const struct hist *hist)
{
    json_t *object = json_object();
    json_object_set_new(object, "count", json_integer((json_int_t)hist->total));
    json_object_set_new(object, "mean", json_real(hist_mean(hist) / 1e6));
    for (int i = 0; i < PERCENTILES; i++) {
        json_object_set_new(object, percentiles[i].name,
                            json_real((double)hist_percentile(hist, percentiles[i].percent) / 1e6));
    }
    json_object_set_new(object, "max", json_real(hist->total > 0 ? (double)hist->max / 1e6 : 0));
    return object;
}

static json_t *json_opts(const struct load_opts *opts)
{
    return json_pack(
        "{s:s, s:s, s:f, s:i, s:i, s:f, s:f, s:I, s:I, s:i, s:i, s:i, s:f, s:f, s:f,"
        " s:f, s:f}",
        "workload", workload_name(opts->workload), "loop", opts->is_closed ? "closed" : "open",
        "rate", opts->rate, "connections", (int)opts->connections, "depth", (int)opts->depth,
        "duration_s", opts->duration_s, "warmup_s", opts->warmup_s, "seed", (json_int_t)opts->seed,
        "tag", (json_int_t)opts->tag, "nodes", (int)opts->nodes, "items", (int)opts->items, "lines",
        (int)opts->lines, "density", opts->density, "life_s", opts->life_s, "cancel", opts->cancel,
        "restock", opts->restock, "retries", opts->retries);
}

static void add_stats(json_t *root, const struct run_stats *stats)
{
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"routed", stats->routed},
                  {"partial", stats->partial},
                  {"refused", stats->refused},
                  {"errors", stats->failed},
                  {"optimal", stats->optimal},
                  {"splits", stats->splits},
                  {"reads", stats->reads},
                  {"ended", stats->ended},
                  {"open_at_end", stats->life_waiting},
                  {"late_sends", stats->late},
                  {"given_up", stats->given_up},
                  {"sent", stats->sent},
                  {"malformed", stats->malformed},
                  {"retries_agreed", stats->retries_agreed},
                  {"retries_differed", stats->retries_differed}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        json_object_set_new(root, counts[i].name, json_integer((json_int_t)counts[i].value));
    }
    double seconds = stats->seconds > 0 ? stats->seconds : 1;
    json_object_set_new(root, "seconds", json_real(stats->seconds));
    json_object_set_new(root, "offered_per_s", json_real(per_second(stats, stats->offered)));
    json_object_set_new(root, "accepted_per_s", json_real(per_second(stats, stats->accepted)));
    json_object_set_new(root, "client_cpu", json_real(stats->cpu_s / seconds));
    json_object_set_new(root, "engine_cpu", json_real(stats->engine_cpu_s / seconds));
    json_object_set_new(root, "km", json_real(stats->km));
}

enum err load_report_write_json(const struct load_report *report, const char *path)
{
    const struct run_stats *stats = report->stats;
    json_t *root = json_pack("{s:o, s:s, s:s, s:b, s:b}", "parameters", json_opts(report->opts),
                             "server", report->hello->server, "fault", report->fault, "well",
                             load_report_is_well(report), "slo_met", load_report_slo_met(report));
    json_t *latency = json_object();
    char machine[256];
    load_machine_tell(machine, sizeof machine);
    if (root == NULL || latency == NULL) {
        json_decref(root);
        json_decref(latency);
        return ERR_NOMEM;
    }
    add_stats(root, stats);
    json_object_set_new(root, "machine", json_string(machine));
    for (int kind = RUN_ROUTE; kind < RUN_KINDS; kind++) {
        if (stats->hists[kind].total > 0) {
            json_object_set_new(latency, load_run_kind_name((enum run_kind)kind),
                                json_latency(&stats->hists[kind]));
        }
    }
    json_object_set_new(root, "latency_ms", latency);
    json_object_set_new(root, "refusals", json_tally(&stats->reasons));
    json_object_set_new(root, "error_codes", json_tally(&stats->codes));
    if (report->books != NULL) {
        json_object_set_new(root, "books_clean", json_boolean(books_are_clean(report->books)));
        json_object_set_new(root, "books_faults", json_integer((json_int_t)report->books->faults));
    }
    int result = json_dump_file(root, path, JSON_INDENT(2));
    json_decref(root);
    return result == 0 ? ERR_OK : ERR_IO;
}

enum err load_report_write_hgrm(const struct load_report *report, const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return ERR_IO;
    }
    hist_write_hgrm(&report->stats->hists[RUN_ROUTE], file, 1e6);
    return fclose(file) == 0 ? ERR_OK : ERR_IO;
}
