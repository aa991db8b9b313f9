/* The books: arrays, sums by loops, and old bytes for the way back. */
#include "sim_books.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { STEP_OUT = 4, STEP_LAST = 5 };

struct books *books_new(void)
{
    struct books *books = calloc(1, sizeof *books);
    CHECK(books != NULL);
    return books;
}

void books_free(struct books *books)
{
    free(books->notes);
    free(books->kept);
    free(books);
}

/* -- the way back -- */

static void *grown(void *block, uint32_t *room, uint32_t needed, size_t size)
{
    while (*room < needed) {
        *room = *room ? *room * 2 : 4096;
    }
    void *more = realloc(block, *room * size);
    CHECK(more != NULL);
    return more;
}

void books_note(struct books *books, void *at, uint32_t size)
{
    if (books->note_count == books->note_room) {
        books->notes =
            grown(books->notes, &books->note_room, books->note_count + 1, sizeof *books->notes);
    }
    if (books->kept_size + size > books->kept_room) {
        books->kept = grown(books->kept, &books->kept_room, books->kept_size + size, 1);
    }
    books->notes[books->note_count++] = (struct books_note){books->lsn, at, size, books->kept_size};
    memcpy(books->kept + books->kept_size, at, size);
    books->kept_size += size;
}

void books_back(struct books *books, uint64_t lsn)
{
    while (books->note_count > 0 && books->notes[books->note_count - 1].lsn > lsn) {
        const struct books_note *note = &books->notes[--books->note_count];
        memcpy(note->at, books->kept + note->kept, note->size);
        books->kept_size = note->kept;
    }
}

void books_settle(struct books *books, uint64_t lsn)
{
    if (books->note_count > 0 && books->notes[books->note_count - 1].lsn <= lsn) {
        books->note_count = 0;
        books->kept_size = 0;
    }
}

/* -- cells -- */

struct books_cell *books_cell(struct books *books, uint32_t item, uint32_t node)
{
    CHECK(item < BOOKS_ITEMS);
    CHECK(node <= BOOKS_NODES);
    return &books->cells[node][item];
}

int64_t books_ats(const struct books *books, uint32_t item, uint32_t node)
{
    const struct books_cell *cell = &books->cells[node][item];
    const int64_t safety = cell->has_safety ? cell->safety : books->nodes[node].safety;
    return cell->on_hand - cell->reserved - safety;
}

/* All of a cell but its moves, which are only ever added to. */
static void note_cell(struct books *books, struct books_cell *cell)
{
    books_note(books, cell, (uint32_t)offsetof(struct books_cell, moves));
}

bool books_move(struct books *books, uint32_t item, uint32_t node, int64_t delta, uint64_t at_ms)
{
    struct books_cell *cell = books_cell(books, item, node);
    if (at_ms <= cell->counted_at) {
        return false;
    }
    struct books_move *move = &cell->moves[cell->move_count % BOOKS_MOVES];
    note_cell(books, cell);
    books_note(books, move, sizeof *move);
    *move = (struct books_move){at_ms, delta};
    cell->move_count++;
    cell->on_hand += delta;
    cell->is_there = true;
    return true;
}

bool books_count(struct books *books, uint32_t item, uint32_t node, int64_t value, uint64_t at_ms)
{
    struct books_cell *cell = books_cell(books, item, node);
    if (cell->counted_at && at_ms <= cell->counted_at) {
        return false;
    }
    note_cell(books, cell);
    cell->is_there = true;
    cell->on_hand = value;
    cell->counted_at = at_ms;
    const uint32_t kept = cell->move_count < BOOKS_MOVES ? cell->move_count : BOOKS_MOVES;
    for (uint32_t i = 0; i < kept; i++) {
        cell->on_hand += cell->moves[i].at_ms > at_ms ? cell->moves[i].delta : 0;
    }
    return true;
}

uint64_t books_arrival(const struct books_cell *cell, uint64_t now_ms)
{
    const bool is_now = cell->counted_at >= now_ms && cell->counted_at - now_ms < 1000;
    return is_now ? cell->counted_at + 1 : now_ms;
}

uint64_t books_count_arrival(const struct books_cell *cell, uint64_t now_ms)
{
    const uint32_t kept = cell->move_count < BOOKS_MOVES ? cell->move_count : BOOKS_MOVES;
    const uint64_t at_ms = books_arrival(cell, now_ms);
    uint64_t latest = 0;
    for (uint32_t i = 0; i < kept; i++) {
        latest = cell->moves[i].at_ms > latest ? cell->moves[i].at_ms : latest;
    }
    return latest > at_ms && latest - at_ms < 1000 ? latest : at_ms;
}

/* -- orders -- */

int64_t books_active(const struct books_share *share)
{
    return share->qty - share->cancelled - share->no_show;
}

int64_t books_held(const struct books_order *order, const struct books_share *share)
{
    return books_active(share) -
           share->reached[order->is_pickup[share->part] ? STEP_LAST : STEP_OUT];
}

/* Invariants 1 and 5: what the order takes was free before it, all of it together. */
void books_take(struct books *books, struct books_order *order)
{
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct books_share *share = &order->shares[i];
        struct books_cell *cell = books_cell(books, share->item, share->node);
        CHECK(cell->is_there);
        CHECK(!cell->is_unlisted);
        CHECK(books_ats(books, share->item, share->node) >= share->qty); /* oversold */
        note_cell(books, cell);
        cell->reserved += share->qty;
    }
}

static void reserved_fall(struct books *books, const struct books_share *share, int64_t units)
{
    struct books_cell *cell = books_cell(books, share->item, share->node);
    note_cell(books, cell);
    cell->reserved -= units;
    CHECK(cell->reserved >= 0);
}

static void reached_clip(struct books_share *share)
{
    for (uint32_t step = 0; step < BOOKS_STEPS; step++) {
        const int64_t active = books_active(share);
        share->reached[step] = share->reached[step] < active ? share->reached[step] : active;
    }
}

void books_release(struct books *books, struct books_order *order, struct books_share *share,
                   int64_t units, bool is_no_show)
{
    CHECK(units <= books_held(order, share));
    books_note(books, share, sizeof *share);
    *(is_no_show ? &share->no_show : &share->cancelled) += units;
    reached_clip(share);
    reserved_fall(books, share, units);
}

static void no_show_back(struct books *books, struct books_share *share, int64_t total)
{
    const int64_t units = total - books_active(share);
    if (units > 0) {
        CHECK(units <= share->no_show);
        share->no_show -= units;
        reserved_fall(books, share, -units);
    }
}

void books_reach(struct books *books, struct books_order *order, struct books_share *share,
                 uint32_t step, int64_t total, uint64_t at_ms)
{
    books_note(books, share, sizeof *share);
    no_show_back(books, share, total);
    CHECK(total <= books_active(share));
    const int64_t held = books_held(order, share);
    for (uint32_t i = 0; i <= step; i++) {
        share->reached[i] = share->reached[i] > total ? share->reached[i] : total;
    }
    const int64_t gone = held - books_held(order, share);
    if (gone > 0) {
        reserved_fall(books, share, gone);
        (void)books_move(books, share->item, share->node, -gone, at_ms);
    }
}

static int64_t held_of(const struct books_order *order)
{
    int64_t held = 0;
    for (uint32_t i = 0; i < order->share_count; i++) {
        held += books_held(order, &order->shares[i]);
    }
    return held;
}

void books_order_settle(struct books *books, struct books_order *order, uint64_t now_ms)
{
    if (!order->done_ms && held_of(order) == 0) {
        books_note(books, &order->done_ms, sizeof order->done_ms);
        order->done_ms = now_ms;
    }
}

const char *books_status(const struct books_order *order)
{
    int64_t kept = 0;
    if (held_of(order) > 0) {
        return order->is_partial ? "partial" : "routed";
    }
    for (uint32_t i = 0; i < order->share_count; i++) {
        kept += order->shares[i].qty - order->shares[i].cancelled;
    }
    return kept > 0 ? "done" : "cancelled";
}

/* Step that all units not at an end have reached: 0 = open. */
static uint32_t least_step(const struct books_share *share)
{
    uint32_t step = 0;
    while (step < BOOKS_STEPS && share->reached[step] >= books_active(share)) {
        step++;
    }
    return step;
}

const char *books_state(const struct books_order *order, uint32_t part)
{
    static const char *const ship[] = {"open",   "accepted", "picking",  "picked",
                                       "packed", "shipped",  "delivered"};
    static const char *const pickup[] = {"open",   "accepted", "picking",  "picked",
                                         "packed", "ready",    "collected"};
    const char *const *names = order->is_pickup[part] ? pickup : ship;
    uint32_t least = BOOKS_STEPS + 1;
    int64_t last = 0;
    int64_t no_show = 0;
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct books_share *share = &order->shares[i];
        if (share->part == part) {
            const bool is_under_way = books_active(share) > share->reached[STEP_LAST];
            const uint32_t step = is_under_way ? least_step(share) : least;
            least = step < least ? step : least;
            last += share->reached[STEP_LAST];
            no_show += share->no_show;
        }
    }
    if (least <= BOOKS_STEPS) {
        return names[least];
    }
    return last > 0 ? names[BOOKS_STEPS] : no_show > 0 ? "no_show" : "cancelled";
}
