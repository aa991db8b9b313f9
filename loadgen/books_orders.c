/* First half of the audit: orders. Each is drawn anew from its number, so that only the engine's
 * choice had to be kept. */
#include <inttypes.h>
#include <stdlib.h>

#include "books_internal.h"
#include "bulk.h"
#include "check.h"

enum { GET_WINDOW = 1024, GET_SIZE = 128, FETCHED_MAX = 20000000 };

enum hold { HOLD_OPEN, HOLD_SHIPPED, HOLD_RELEASED };

/* What a fulfilment does to its cells. */
static void apply_hold(struct books *books, const struct fulfilment *fulfilment, enum hold hold)
{
    uint32_t count = facts_lines(fulfilment, &books->order);
    for (uint32_t i = 0; i < count && hold != HOLD_RELEASED; i++) {
        struct order_line line = facts_line(fulfilment, i, &books->order);
        struct cell_sums *sums = cell_map_at(&books->cells, fulfilment->node, line.item);
        if (hold == HOLD_OPEN) {
            sums->reserved += line.qty;
        } else {
            sums->on_hand -= line.qty;
        }
    }
}

/* Apply an order as it was acknowledged: all of its fulfilments share one fate. */
static void apply_facts(struct books *books, const uint32_t *words, enum hold hold)
{
    uint32_t pos = 0;
    for (uint32_t i = facts_fulfilments(words); i > 0; i--) {
        struct fulfilment fulfilment = facts_next(words, &pos);
        apply_hold(books, &fulfilment, hold);
    }
}

static enum hold hold_of(struct span state)
{
    if (span_is(state, "shipped") || span_is(state, "delivered") || span_is(state, "collected")) {
        return HOLD_SHIPPED;
    }
    bool is_released =
        span_is(state, "cancelled") || span_is(state, "rejected") || span_is(state, "no_show");
    return is_released ? HOLD_RELEASED : HOLD_OPEN;
}

/* What the replies' fulfilments tell, beside their facts. */
struct states {
    uint32_t shipped, released, count;
};

/* The states of all fulfilments, in the order in which they are listed; out has room for max. */
static struct states read_states(struct cursor result, enum hold *out, uint32_t max)
{
    struct states states = {0};
    for (uint32_t left = cursor_map(&result); left > 0 && !result.is_bad; left--) {
        struct span key = cursor_text(&result);
        if (!span_is(key, "fulfilments")) {
            cursor_skip(&result);
            continue;
        }
        for (uint32_t i = cursor_array(&result); i > 0 && !result.is_bad; i--) {
            for (uint32_t fields = cursor_map(&result); fields > 0 && !result.is_bad; fields--) {
                struct span field = cursor_text(&result);
                if (!span_is(field, "state")) {
                    cursor_skip(&result);
                } else if (states.count < max) {
                    enum hold hold = hold_of(cursor_text(&result));
                    states.shipped += hold == HOLD_SHIPPED;
                    states.released += hold == HOLD_RELEASED;
                    out[states.count++] = hold;
                }
            }
        }
    }
    return states;
}

static bool is_same(const uint32_t *a, const uint32_t *b)
{
    uint32_t size = facts_size(a);
    return size == facts_size(b) && memcmp(a, b, size * sizeof *a) == 0;
}

/* Whether the ends that were acknowledged are there. Ends that were under way when the engine
 * was lost may be there too. */
static bool ends_agree(const struct ledger *ledger, uint64_t number, const struct states *states)
{
    uint16_t ended = ledger->ended[number];
    if ((ended & LEDGER_CANCELLED) != 0) {
        return states->released == states->count;
    }
    if (ledger->is_broken) {
        return states->shipped >= ended;
    }
    return states->shipped == ended && states->released == 0;
}

/* An order that the engine knows. */
static void compare_known(struct books *books, uint64_t number, struct answer *answer)
{
    static struct route_answer route;
    static enum hold holds[FACTS_WORDS_MAX];
    const struct ledger *ledger = books->input->ledger;
    struct states states = read_states(answer->result, holds, FACTS_WORDS_MAX);
    bool is_read =
        answer_read_facts(&route, &answer->result, &books->input->network->ids, &books->order);
    if (!is_read || states.count != facts_fulfilments(route.words)) {
        books_fault(books, &books->report->differed, "order %" PRIu64 ": order.get is malformed",
                    number);
        return;
    }
    const uint32_t *words = ledger_facts(ledger, number);
    if (words == NULL && !ledger->is_broken) {
        books_fault(books, &books->report->ghosts,
                    "order %" PRIu64 ": was not acknowledged, and is there", number);
    } else if (words == NULL) {
        books->report->resolved++;
    } else if (!is_same(words, route.words) || !ends_agree(ledger, number, &states)) {
        books_fault(books, &books->report->differed,
                    "order %" PRIu64 ": is not as it was acknowledged", number);
    }
    uint32_t pos = 0;
    for (uint32_t i = 0; i < states.count; i++) {
        struct fulfilment fulfilment = facts_next(route.words, &pos);
        apply_hold(books, &fulfilment, holds[i]);
    }
}

/* An order that the engine does not know. */
static void compare_unknown(struct books *books, uint64_t number)
{
    const struct ledger *ledger = books->input->ledger;
    const uint32_t *words = ledger_facts(ledger, number);
    if (words == NULL) {
        return;
    }
    uint16_t ended = ledger->ended[number];
    if ((ended & LEDGER_CANCELLED) != 0) {
        books->report->gone++;
    } else if (ended == facts_fulfilments(words)) {
        books->report->gone++;
        apply_facts(books, words, HOLD_SHIPPED);
    } else {
        books_fault(books, &books->report->lost, "order %" PRIu64 ": was acknowledged, is lost",
                    number);
    }
}

static uint64_t number_at(const struct books *books, uint64_t index)
{
    return books->chosen == NULL ? index : books->chosen[index];
}

static void write_get(void *owner, uint64_t index, struct writer *writer)
{
    const struct books *books = owner;
    char id[ORDER_ID_SIZE];
    workload_order_id(books->input->workload, number_at(books, index), id);
    writer_map(writer, 1);
    writer_str(writer, "order_id");
    writer_text(writer, id, sizeof id);
}

static enum bulk_next take_get(void *owner, uint64_t index, struct answer *answer)
{
    struct books *books = owner;
    uint64_t number = number_at(books, index);
    bool is_unknown = answer->is_error && span_is(answer->code, "UNKNOWN_ORDER");
    if (answer->is_error && !is_unknown) {
        return BULK_FAULT;
    }
    workload_draw(books->input->workload, number, &books->order);
    if (is_unknown) {
        compare_unknown(books, number);
    } else {
        compare_known(books, number, answer);
    }
    return BULK_DONE;
}

/* Whether the fate of an order can be told from its acknowledgements alone. */
static bool is_settled(const struct ledger *ledger, uint64_t number)
{
    const uint32_t *words = ledger_facts(ledger, number);
    uint16_t ended = ledger->ended[number];
    return words == NULL || ended == 0 || (ended & LEDGER_CANCELLED) != 0 ||
           ended == facts_fulfilments(words);
}

/* Sum up an order that is not fetched. */
static void apply_settled(struct books *books, uint64_t number)
{
    const struct ledger *ledger = books->input->ledger;
    const uint32_t *words = ledger_facts(ledger, number);
    if (words == NULL || (ledger->ended[number] & LEDGER_CANCELLED) != 0) {
        return;
    }
    workload_draw(books->input->workload, number, &books->order);
    apply_facts(books, words, ledger->ended[number] == 0 ? HOLD_OPEN : HOLD_SHIPPED);
}

/* Above FETCHED_MAX orders: every n-th, and those whose fate is not settled. */
static enum err choose(struct books *books)
{
    const struct ledger *ledger = books->input->ledger;
    uint64_t stride = ledger->orders / FETCHED_MAX + 1;
    books->chosen_count = ledger->orders;
    if (stride == 1 || ledger->is_broken) {
        return ERR_OK;
    }
    books->chosen = calloc(ledger->orders, sizeof *books->chosen);
    if (books->chosen == NULL) {
        return ERR_NOMEM;
    }
    books->chosen_count = 0;
    for (uint64_t number = 0; number < ledger->orders; number++) {
        if (number % stride == 0 || !is_settled(ledger, number)) {
            books->chosen[books->chosen_count++] = number;
        } else {
            apply_settled(books, number);
        }
    }
    return ERR_OK;
}

enum err books_check_orders(struct books *books)
{
    const struct ledger *ledger = books->input->ledger;
    for (uint64_t number = 0; number < ledger->orders; number++) {
        books->report->promised += ledger_facts(ledger, number) != NULL;
    }
    enum err err = choose(books);
    const struct bulk bulk = {"order.get",
                              "verifying orders",
                              books->chosen_count,
                              GET_SIZE,
                              GET_WINDOW,
                              write_get,
                              take_get,
                              books};
    if (err == ERR_OK) {
        err = bulk_run(books->input->pump, &bulk);
        books->report->fetched = books->chosen_count;
    }
    free(books->chosen);
    books->chosen = NULL;
    return err;
}
