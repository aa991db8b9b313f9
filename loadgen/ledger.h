/* What the engine has acknowledged in this run, for the comparison afterwards: of every order its
 * facts and how many of its fulfilments have ended, of every restocking its cell and quantity.
 *
 * In memory always; on file as well where asked for, so that another process can compare after
 * the engine was killed. Memory: 6 bytes per order, 8 per restocking, more for spread orders. */
#ifndef LOADGEN_LEDGER_H
#define LOADGEN_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "err.h"
#include "load_opts.h"

enum { LEDGER_CANCELLED = 0x8000 };

/* Not answered, refused or failed: the engine owes nothing. */
#define LEDGER_NONE 0u

/* A cell and a quantity in one word: how restockings are kept. */
static inline uint64_t ledger_pack(uint32_t node, uint32_t item, uint32_t qty)
{
    return (uint64_t)node << 48 | (uint64_t)item << 24 | qty;
}
static inline uint32_t ledger_node(uint64_t packed)
{
    return (uint32_t)(packed >> 48);
}
static inline uint32_t ledger_item(uint64_t packed)
{
    return (uint32_t)(packed >> 24) & 0xffffff;
}
static inline uint32_t ledger_qty(uint64_t packed)
{
    return (uint32_t)packed & 0xffffff;
}

/* What a cell held before the run, where the engine was not loaded by it. */
struct ledger_cell {
    uint64_t cell; /* ledger_pack(node, item, 0) */
    int64_t on_hand;
    int64_t reserved;
};

/* Owner: the calling thread. */
struct ledger {
    uint32_t *promised; /* per order: facts of one word, or LEDGER_SPREAD and offset in spread */
    uint16_t *ended;    /* per order: fulfilments shipped, or LEDGER_CANCELLED */
    uint64_t orders;    /* numbers below this were sent */
    uint32_t *spread;   /* facts of more words, one behind the other; offset 0 is not used */
    uint64_t spread_used;
    uint64_t *restocked; /* packed, acknowledged */
    uint64_t restocked_count;
    uint64_t *unsure; /* packed, sent and not answered */
    uint64_t unsure_count;
    struct ledger_cell *before; /* NULL: the model's stock */
    uint64_t before_count, before_capacity;
    bool is_broken; /* the run ended with requests unanswered */
    FILE *file;     /* NULL: in memory only */
};

/* Empty, in memory.
 *
 * Errors:
 *   ERR_NOMEM  address space.
 */
ERR_MUST_USE enum err ledger_init(struct ledger *ledger);
void ledger_close(struct ledger *ledger);

/* Begin the file of a run with these options.
 *
 * Errors:
 *   ERR_IO  the file cannot be made.
 */
ERR_MUST_USE enum err ledger_open_file(struct ledger *ledger, const struct load_opts *opts);

/* An order was promised: words as in facts.h. False: it was before, which the engine must not do
 * without saying duplicate; the first promise stands. */
bool ledger_promise(struct ledger *ledger, uint64_t order, const uint32_t *words, uint32_t count);

/* One of its fulfilments was shipped, or all of it cancelled. */
void ledger_ship(struct ledger *ledger, uint64_t order);
void ledger_cancel(struct ledger *ledger, uint64_t order);

/* Units were added to a cell: acknowledged, or sent and never answered. */
void ledger_restock(struct ledger *ledger, uint64_t packed);
void ledger_unsure(struct ledger *ledger, uint64_t packed);

/* What a cell held before the run. */
void ledger_before(struct ledger *ledger, struct ledger_cell cell);

/* All order numbers below orders were sent; is_broken as in the struct. Flushes the file.
 *
 * Errors:
 *   ERR_IO  the file could not be written.
 */
ERR_MUST_USE enum err ledger_finish(struct ledger *ledger, uint64_t orders, bool is_broken);

/* Facts of an order, or NULL if nothing is owed. */
const uint32_t *ledger_facts(const struct ledger *ledger, uint64_t order);

/* Read the file of an earlier run into an empty ledger; opts gets the values that determine its
 * orders and stock.
 *
 * Errors (told on stderr):
 *   ERR_NOTFOUND  no such file.
 *   ERR_INVALID   it is no ledger, or was cut off.
 */
ERR_MUST_USE enum err ledger_read(struct ledger *ledger, const char *path, struct load_opts *opts);

#endif
