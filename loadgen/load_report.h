/* What a run tells at its end: for people, as JSON, as a histogram file. */
#ifndef LOADGEN_LOAD_REPORT_H
#define LOADGEN_LOAD_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "books.h"
#include "err.h"
#include "load_opts.h"
#include "load_run.h"
#include "load_setup.h"
#include "slo.h"

/* Everything a report is made of; all borrowed. */
struct load_report {
    const struct load_opts *opts;
    const struct setup_hello *hello;
    const struct setup_report *setup; /* NULL: nothing was loaded */
    const struct run_stats *stats;
    const struct slo *slo;
    const struct books_report *books; /* NULL: not verified */
    const char *fault;                /* why the run ended early; "" = it did not */
};

/* Whether every objective is met. */
bool load_report_slo_met(const struct load_report *report);

/* Whether the engine kept its promises: no fault, no disagreement, clean books. */
bool load_report_is_well(const struct load_report *report);

/* The report, its last line the verdict. */
void load_report_print(const struct load_report *report, FILE *file);

/* Errors: ERR_IO, ERR_NOMEM. */
ERR_MUST_USE enum err load_report_write_json(const struct load_report *report, const char *path);

/* Latencies of order.route in ms. Errors: ERR_IO. */
ERR_MUST_USE enum err load_report_write_hgrm(const struct load_report *report, const char *path);

#endif
