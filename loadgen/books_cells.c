/* Second half of the audit: every cell, node by node, in pages. */
#include <inttypes.h>
#include <stdlib.h>

#include "books_internal.h"
#include "bulk.h"
#include "check.h"

enum { LIST_WINDOW = 16, LIST_SIZE = 256, LIST_LIMIT = 1000, AFTER_SIZE = 63 };

/* How far the listing of one node is. */
struct cell_page {
    uint8_t *seen; /* a bit per item */
    char after[AFTER_SIZE];
    uint8_t after_size; /* 0 = from the start */
};

struct cell {
    uint32_t item; /* ID_NONE: not one of ours */
    int64_t on_hand, reserved, ats;
};

static void write_list(void *owner, uint64_t index, struct writer *writer)
{
    const struct books *books = owner;
    const struct cell_page *page = &books->pages[index];
    const struct id_name *id = &books->input->network->ids.names[index];
    writer_map(writer, page->after_size > 0 ? 3 : 2);
    writer_str(writer, "node");
    writer_text(writer, id->at, id->size);
    if (page->after_size > 0) {
        writer_str(writer, "after");
        writer_text(writer, page->after, page->after_size);
    }
    writer_str(writer, "limit");
    writer_uint(writer, LIST_LIMIT);
}

static struct cell read_cell(struct cursor *cursor, const struct id_index *items)
{
    struct cell cell = {.item = ID_NONE};
    for (uint32_t left = cursor_map(cursor); left > 0 && !cursor->is_bad; left--) {
        struct span key = cursor_text(cursor);
        if (span_is(key, "item")) {
            struct span id = cursor_text(cursor);
            cell.item = id_index_find(items, id.at, id.size);
        } else if (span_is(key, "on_hand")) {
            cell.on_hand = cursor_int(cursor);
        } else if (span_is(key, "reserved")) {
            cell.reserved = cursor_int(cursor);
        } else if (span_is(key, "ats")) {
            cell.ats = cursor_int(cursor);
        } else {
            cursor_skip(cursor);
        }
    }
    return cell;
}

/* What a cell should hold; unsure widens on_hand upwards. */
static struct cell_sums expected(const struct books *books, uint32_t node, uint32_t item)
{
    const struct cell_sums *found = cell_map_find(&books->cells, node, item);
    struct cell_sums sums = found != NULL ? *found : (struct cell_sums){0};
    if (books->input->ledger->before == NULL) {
        sums.on_hand += stock_model_units(books->input->model, node, item);
    }
    return sums;
}

static void compare_cell(struct books *books, uint32_t node, const struct cell *cell)
{
    struct cell_sums sums = expected(books, node, cell->item);
    const struct id_name *node_id = &books->input->network->ids.names[node];
    const struct id_name *item_id = &books->input->workload->items.names[cell->item];
    books->report->cells++;
    if (cell->on_hand < sums.on_hand || cell->on_hand > sums.on_hand + sums.unsure ||
        cell->reserved != sums.reserved) {
        books_fault(books, &books->report->unequal,
                    "%.*s at %.*s: on_hand %" PRId64 " reserved %" PRId64 ", computed %" PRId64
                    " and %" PRId64,
                    item_id->size, item_id->at, node_id->size, node_id->at, cell->on_hand,
                    cell->reserved, sums.on_hand, sums.reserved);
    }
    if (cell->ats < 0 || cell->on_hand < cell->reserved) {
        books_fault(books, &books->report->oversold, "%.*s at %.*s: oversold, ats %" PRId64,
                    item_id->size, item_id->at, node_id->size, node_id->at, cell->ats);
    }
}

static void take_cell(struct books *books, uint32_t node, const struct cell *cell)
{
    struct ledger *ledger = books->input->ledger;
    if (cell->item == ID_NONE) {
        return;
    }
    if (books->is_scan) {
        ledger_before(ledger, (struct ledger_cell){ledger_pack(node, cell->item, 0), cell->on_hand,
                                                   cell->reserved});
        return;
    }
    books->pages[node].seen[cell->item / 8] |= (uint8_t)(1u << (cell->item % 8));
    compare_cell(books, node, cell);
}

/* After the last page of a node: what should be there and was not listed. */
static void find_missing(struct books *books, uint32_t node)
{
    const uint8_t *seen = books->pages[node].seen;
    for (uint32_t item = 0; !books->is_scan && item < books->input->workload->items.count; item++) {
        if ((seen[item / 8] >> (item % 8) & 1) == 0) {
            struct cell_sums sums = expected(books, node, item);
            if (sums.on_hand != 0 || sums.reserved != 0) {
                books_fault(books, &books->report->missing,
                            "item %u at node %u: not listed, should hold %" PRId64, item, node,
                            sums.on_hand);
            }
        }
    }
}

static enum bulk_next take_list(void *owner, uint64_t index, struct answer *answer)
{
    struct books *books = owner;
    struct cell_page *page = &books->pages[index];
    struct cursor *result = &answer->result;
    if (answer->is_error) {
        return BULK_FAULT;
    }
    page->after_size = 0;
    for (uint32_t left = cursor_map(result); left > 0 && !result->is_bad; left--) {
        struct span key = cursor_text(result);
        if (span_is(key, "cells")) {
            for (uint32_t i = cursor_array(result); i > 0 && !result->is_bad; i--) {
                struct cell cell = read_cell(result, &books->input->workload->items);
                take_cell(books, (uint32_t)index, &cell);
            }
        } else if (span_is(key, "next") && !cursor_nil(result)) {
            struct span next = cursor_text(result);
            result->is_bad = result->is_bad || next.size == 0 || next.size > AFTER_SIZE;
            page->after_size = (uint8_t)(result->is_bad ? 0 : next.size);
            memcpy(page->after, next.at, page->after_size);
        } else if (!span_is(key, "next")) {
            cursor_skip(result);
        }
    }
    if (result->is_bad) {
        return BULK_FAULT;
    }
    if (page->after_size > 0) {
        return BULK_AGAIN;
    }
    find_missing(books, (uint32_t)index);
    return BULK_DONE;
}

enum err books_check_cells(struct books *books)
{
    uint32_t count = books->input->network->count;
    size_t seen_size = books->input->workload->items.count / 8 + 1;
    uint8_t *seen = calloc(count, seen_size);
    books->pages = calloc(count, sizeof *books->pages);
    enum err err = seen == NULL || books->pages == NULL ? ERR_NOMEM : ERR_OK;
    for (uint32_t i = 0; err == ERR_OK && i < count; i++) {
        books->pages[i].seen = seen + i * seen_size;
    }
    const struct bulk bulk = {"stock.list", books->is_scan ? "noting stock" : "verifying cells",
                              count,        LIST_SIZE,
                              LIST_WINDOW,  write_list,
                              take_list,    books};
    if (err == ERR_OK) {
        err = bulk_run(books->input->pump, &bulk);
    }
    free(seen);
    free(books->pages);
    return err;
}
