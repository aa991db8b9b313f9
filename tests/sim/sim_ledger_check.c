/* The ledger of events against answers, and against itself. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "sim_ledger.h"

enum { DAY_MS = 86400000 };

void ledger_check_cell(struct ledger *ledger, const struct sim_value *cell, uint32_t item,
                       uint32_t node)
{
    struct ledger_cell *own = &ledger->cells[node][item];
    const int64_t on_hand = sim_int(cell, "on_hand");
    const int64_t reserved = sim_int(cell, "reserved");
    const bool is_right =
        on_hand >= own->on_hand - own->doubt_low && on_hand <= own->on_hand + own->doubt_high;
    if (!is_right || reserved != own->reserved) {
        fprintf(stderr,
                "i%u at n%u: on_hand %" PRId64 ", reserved %" PRId64
                "; the events add up to %" PRId64 ", %" PRId64 "\n",
                item, node, on_hand, reserved, own->on_hand, own->reserved);
        CHECK_UNREACHABLE("a cell is not what the events say");
    }
    own->on_hand = on_hand;
    own->doubt_low = own->doubt_high = 0;
}

static void check_part(const struct ledger_order *order, const struct sim_value *answer,
                       uint32_t part)
{
    int64_t open = 0;
    CHECK(sim_id(sim_field(answer, "node"), 'n') == order->parts[part].node);
    for (const struct sim_value *line = sim_list(answer, "lines")->first; line; line = line->next) {
        open += sim_int(line, "open");
    }
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct ledger_share *share = &order->shares[i];
        open -= share->part == part ? ledger_share_held(order, share) : 0;
    }
    CHECK(open == 0);
}

static void check_owed(const struct ledger_order *order, const struct sim_value *answer)
{
    uint32_t index = 0;
    for (const struct sim_value *line = sim_list(answer, "lines")->first; line;
         line = line->next, index++) {
        const struct sim_value *owed = sim_field(line, "owed");
        CHECK(index < order->line_count);
        CHECK(sim_int(line, "qty") == sim_int(line, "open") + sim_int(line, "done") +
                                          sim_int(line, "cancelled") + sim_int(line, "unfilled") +
                                          (owed ? owed->number : 0));
        CHECK((owed ? owed->number : 0) == order->owed[index]);
        CHECK(sim_id(sim_field(line, "item"), 'i') == order->items[index]);
    }
    CHECK(index == order->line_count);
}

void ledger_check_order(const struct ledger *ledger, const struct sim_value *answer, uint32_t id)
{
    const struct ledger_order *order = &ledger->orders[id];
    uint32_t part = 0;
    CHECK(order->is_there);
    for (const struct sim_value *at = sim_list(answer, "fulfilments")->first; at;
         at = at->next, part++) {
        CHECK(part < order->part_count);
        check_part(order, at, part);
    }
    CHECK(part == order->part_count);
    check_owed(order, answer);
}

void ledger_check_reservation(const struct ledger *ledger, const struct sim_value *answer,
                              uint32_t id)
{
    const struct ledger_reservation *own = &ledger->reservations[id];
    int64_t held = 0;
    CHECK(own->state != NULL);
    CHECK(sim_is(sim_field(answer, "state"), own->state));
    CHECK(sim_int(answer, "expires_at") == own->expires_at);
    for (const struct sim_value *line = sim_list(answer, "lines")->first; line; line = line->next) {
        held += sim_int(line, "held");
    }
    for (uint32_t i = 0; i < own->piece_count; i++) {
        held -= own->pieces[i].held;
    }
    CHECK(held == 0);
}

/* Invariant of capacity: what is used is the work that was taken on and not given back. */
void ledger_check_capacity(const struct ledger *ledger, const struct sim_value *answer,
                           uint32_t node, uint64_t now_ms)
{
    const uint64_t day = now_ms / DAY_MS - ledger->begin_day;
    for (const struct sim_value *at = sim_list(answer, "capacity")->first; at; at = at->next) {
        CHECK(sim_is(sim_field(at, "kind"), "units"));
        CHECK(sim_int(at, "used") == ledger->used[node][day]);
    }
}

static void add_orders(const struct ledger *ledger, int64_t sums[BOOKS_NODES + 1][BOOKS_ITEMS])
{
    for (uint32_t i = 0; i < BOOKS_ORDERS_MAX; i++) {
        const struct ledger_order *order = &ledger->orders[i];
        for (uint32_t k = 0; order->is_there && k < order->share_count; k++) {
            const struct ledger_share *share = &order->shares[k];
            sums[order->parts[share->part].node][share->item] += ledger_share_held(order, share);
        }
    }
}

static void add_reservations(const struct ledger *ledger,
                             int64_t sums[BOOKS_NODES + 1][BOOKS_ITEMS])
{
    for (uint32_t i = 0; i < LEDGER_IDS; i++) {
        const struct ledger_reservation *own = &ledger->reservations[i];
        for (uint32_t k = 0; k < own->piece_count; k++) {
            sums[own->pieces[k].node][own->pieces[k].item] += own->pieces[k].held;
        }
    }
}

/* What is left over is held by transfers. */
void ledger_check(const struct ledger *ledger)
{
    int64_t sums[BOOKS_NODES + 1][BOOKS_ITEMS] = {0};
    int64_t reserved = 0;
    add_orders(ledger, sums);
    add_reservations(ledger, sums);
    for (uint32_t node = 0; node <= BOOKS_NODES; node++) {
        for (uint32_t item = 0; item < BOOKS_ITEMS; item++) {
            CHECK(sums[node][item] <= ledger->cells[node][item].reserved);
            reserved += ledger->cells[node][item].reserved - sums[node][item];
        }
    }
    for (uint32_t i = 0; i < LEDGER_IDS; i++) {
        for (uint32_t k = 0; k < LEDGER_DOCUMENT_LINES; k++) {
            reserved -= ledger->documents[LEDGER_TRANSFER][i].held[k];
        }
    }
    CHECK(reserved == 0);
}
