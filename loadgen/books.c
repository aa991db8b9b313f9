/* The frame of the audit and its report. */
#include "books.h"

#include <stdarg.h>
#include <stdlib.h>

#include "books_internal.h"
#include "check.h"

enum { FAULTS_SHOWN = 10 };

void books_fault(struct books *books, uint64_t *counter, const char *format, ...)
{
    (*counter)++;
    if (++books->report->faults > FAULTS_SHOWN) {
        return;
    }
    va_list args;
    va_start(args, format);
    fputs("books: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* What the ledger knows of cells beside orders: the base where it is not the model, and what was
 * restocked. */
static void sum_ledger(struct books *books)
{
    const struct ledger *ledger = books->input->ledger;
    for (uint64_t i = 0; i < ledger->before_count; i++) {
        const struct ledger_cell *cell = &ledger->before[i];
        struct cell_sums *sums =
            cell_map_at(&books->cells, ledger_node(cell->cell), ledger_item(cell->cell));
        sums->on_hand += cell->on_hand;
        sums->reserved += cell->reserved;
    }
    for (uint64_t i = 0; i < ledger->restocked_count; i++) {
        uint64_t packed = ledger->restocked[i];
        cell_map_at(&books->cells, ledger_node(packed), ledger_item(packed))->on_hand +=
            ledger_qty(packed);
    }
    for (uint64_t i = 0; i < ledger->unsure_count; i++) {
        uint64_t packed = ledger->unsure[i];
        cell_map_at(&books->cells, ledger_node(packed), ledger_item(packed))->unsure +=
            ledger_qty(packed);
    }
}

enum err books_check(const struct books_input *input, struct books_report *out)
{
    uint64_t start_ns = pump_clock_ns();
    *out = (struct books_report){.sent = input->ledger->orders};
    struct books *books = calloc(1, sizeof *books);
    if (books == NULL) {
        return ERR_NOMEM;
    }
    books->input = input;
    books->report = out;
    enum err err = cell_map_init(&books->cells);
    if (err == ERR_OK) {
        sum_ledger(books);
        err = books_check_orders(books);
    }
    if (err == ERR_OK) {
        err = books_check_cells(books);
    }
    cell_map_close(&books->cells);
    free(books);
    out->seconds = (double)(pump_clock_ns() - start_ns) / 1e9;
    return err;
}

enum err books_scan(const struct books_input *input)
{
    struct books_report report = {0};
    struct books *books = calloc(1, sizeof *books);
    if (books == NULL) {
        return ERR_NOMEM;
    }
    books->input = input;
    books->report = &report;
    books->is_scan = true;
    enum err err = books_check_cells(books);
    free(books);
    return err;
}

bool books_are_clean(const struct books_report *report)
{
    return report->faults == 0;
}

void books_print(const struct books_report *report, FILE *file)
{
    fprintf(file, "\nbooks (%.1f s)\n", report->seconds);
    fprintf(file, "  orders sent %llu, acknowledged %llu, fetched %llu%s\n",
            (unsigned long long)report->sent, (unsigned long long)report->promised,
            (unsigned long long)report->fetched,
            report->fetched < report->sent ? " (a sample: over 20 million)" : "");
    fprintf(file, "  lost %llu, other than acknowledged %llu, not acknowledged yet there %llu\n",
            (unsigned long long)report->lost, (unsigned long long)report->differed,
            (unsigned long long)report->ghosts);
    if (report->gone > 0 || report->resolved > 0) {
        fprintf(file, "  ended and no longer in memory %llu, unanswered and found %llu\n",
                (unsigned long long)report->gone, (unsigned long long)report->resolved);
    }
    fprintf(file, "  cells compared %llu: not conserved %llu, missing %llu, oversold %llu\n",
            (unsigned long long)report->cells, (unsigned long long)report->unequal,
            (unsigned long long)report->missing, (unsigned long long)report->oversold);
}
