/* What the slices of a stock load share: rows in the order of their items, so that those that
 * confirm what is there make long spans, and the record that a slice comes to. */
#include <stdlib.h>
#include <string.h>

#include "load_internal.h"

enum { WORDS_STEP = 16384, PLACED_STEP = 2 * WORK_STEPS };

/* -- order -- */

void load_order_begin(struct load_order *order, const uint64_t *seen, uint32_t words)
{
    *order = (struct load_order){.seen = seen, .words = words, .ranks = order->ranks};
}

static void rank_words(struct load_order *order)
{
    for (uint32_t i = 0; i < WORDS_STEP && order->word < order->words; i++) {
        order->ranks[order->word] = order->rank;
        order->rank += (uint32_t)__builtin_popcountll(order->seen[order->word++]);
    }
}

static void place_rows(struct load_order *order, const struct effect_stock_row *rows,
                       struct effect_stock_row *sorted, uint32_t count)
{
    for (uint32_t i = 0; i < PLACED_STEP && order->row < count; i++) {
        const struct effect_stock_row *row = &rows[order->row++];
        const uint64_t below = ((uint64_t)1 << (row->item % 64)) - 1;
        const uint32_t word = row->item / 64;
        const uint32_t rank = order->ranks[word] +
                              (uint32_t)__builtin_popcountll(order->seen[word] & below);
        CHECK(rank < count);
        sorted[rank] = *row;
    }
}

bool load_order_step(struct load_order *order, const struct effect_stock_row *rows,
                     struct effect_stock_row *sorted, uint32_t count)
{
    if (order->word < order->words) {
        rank_words(order);
    } else {
        place_rows(order, rows, sorted, count);
    }
    return order->word == order->words && order->row == count;
}

/* -- slices -- */

void load_slice_begin(struct load_slice *slice, const struct itemset *set)
{
    slice->set = set;
    slice->count = 0;
    slice->span_count = 0;
    slice->is_joined = false;
    slice->reach = 0;
}

/* A span goes on over what the slice tells itself; a cell that it leaves alone ends it. */
static void reach_item(struct load_slice *slice, uint32_t item)
{
    slice->is_joined = slice->is_joined && itemset_next(slice->set, slice->reach + 1) >= item;
    slice->reach = item;
}

void load_slice_row(struct load_slice *slice, uint32_t item, int32_t on_hand)
{
    CHECK(slice->count < SLICE_ROWS);
    reach_item(slice, item);
    slice->rows[slice->count++] = (struct effect_stock_row){item, on_hand};
}

void load_slice_confirm(struct load_slice *slice, uint32_t item)
{
    reach_item(slice, item);
    if (slice->is_joined) {
        slice->spans[slice->span_count - 1].last = item;
        return;
    }
    CHECK(slice->span_count < SLICE_ROWS);
    slice->spans[slice->span_count++] = (struct effect_span){item, item};
    slice->is_joined = true;
}
