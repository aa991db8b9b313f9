/* Shared by the two halves of the audit: orders (books_orders.c) and cells (books_cells.c). */
#ifndef LOADGEN_BOOKS_INTERNAL_H
#define LOADGEN_BOOKS_INTERNAL_H

#include "books.h"
#include "cell_map.h"

struct books {
    const struct books_input *input;
    struct books_report *report;
    struct cell_map cells;
    struct order order; /* regenerated, being compared */
    uint64_t *chosen;   /* numbers to be fetched; NULL: all of them */
    uint64_t chosen_count;
    struct cell_page *pages; /* per node */
    bool is_scan;            /* only note what is there */
};

/* Count a fault in *counter and tell the first few on stderr. */
__attribute__((format(printf, 3, 4))) void books_fault(struct books *books, uint64_t *counter,
                                                       const char *format, ...);

/* Compare the orders and sum up their holds and shipments into cells. Errors: as bulk_run. */
ERR_MUST_USE enum err books_check_orders(struct books *books);

/* Compare all cells, or note them in the ledger where is_scan. Errors: as bulk_run, ERR_NOMEM. */
ERR_MUST_USE enum err books_check_cells(struct books *books);

#endif
