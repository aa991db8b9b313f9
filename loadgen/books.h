/* The audit after a run: every order that was acknowledged is fetched and held against its
 * acknowledgement, and every cell of the engine against loaded + restocked - shipped = on_hand,
 * the sum of open holds = reserved, and ats >= 0.
 *
 * It presumes that nobody else changed the engine since the loading. Above 20 million orders a
 * sample is fetched; the cells are then computed from what was acknowledged. */
#ifndef LOADGEN_BOOKS_H
#define LOADGEN_BOOKS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "err.h"
#include "ledger.h"
#include "pump.h"
#include "stock_model.h"
#include "workload.h"

struct books_report {
    uint64_t sent;     /* order numbers */
    uint64_t promised; /* of them, acknowledged as routed */
    uint64_t fetched;  /* of all, asked for by order.get */
    uint64_t gone;     /* ended ones that have left the engine's memory */
    uint64_t resolved; /* not answered in the run, found all the same */
    uint64_t lost;     /* acknowledged, open and not there */
    uint64_t differed; /* there, but not as acknowledged */
    uint64_t ghosts;   /* refused or failed, and there */
    uint64_t cells;    /* compared */
    uint64_t unequal;  /* cells whose on_hand or reserved is not as computed */
    uint64_t missing;  /* cells that should hold something and are not listed */
    uint64_t oversold; /* cells with ats < 0 */
    uint64_t faults;   /* sum of the bad ones above */
    double seconds;
};

/* All borrowed. */
struct books_input {
    struct pump *pump;
    const struct network *network;
    const struct workload *workload;
    const struct stock_model *model;
    struct ledger *ledger;
};

/* Audit. The first faults are told on stderr as they are found.
 *
 * Errors: as bulk_run; ERR_NOMEM.
 */
ERR_MUST_USE enum err books_check(const struct books_input *input, struct books_report *out);

/* Note in the ledger what every cell holds now: the base of an audit where the stock was not
 * loaded by this run. Errors: as bulk_run. */
ERR_MUST_USE enum err books_scan(const struct books_input *input);

bool books_are_clean(const struct books_report *report);
void books_print(const struct books_report *report, FILE *file);

#endif
