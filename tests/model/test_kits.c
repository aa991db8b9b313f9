/* Orders of kits and single items over small networks beside every set of nodes and every way to
 * give kits to them: whether there is a plan, and that it is the best one.
 *
 * Replay: test_kits SEED [STEPS]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "geo.h"
#include "rng.h"
#include "service_harness.h"

enum { NODES = 6, ITEMS = 4, KITS = 3, LINES_MAX = 5, NEVER = 1 << 20 };

struct line {
    uint32_t kit; /* KITS: a single item */
    uint32_t item, qty;
};

struct books {
    struct harness harness;
    struct rng rng;
    int stock[NODES][ITEMS];
    int priority[NODES];
    uint32_t metres[NODES];
    struct line lines[LINES_MAX];
    uint32_t line_count;
    uint32_t routed, split, wide, refused, bound; /* that happened: the test must reach them */
};

static const int parts[KITS][ITEMS] = {{1, 1, 0, 0}, {1, 0, 2, 0}, {0, 1, 1, 1}};
static uint64_t seed = 1;
static uint32_t steps = 1500;

static uint32_t draw(struct books *books, uint32_t below)
{
    return (uint32_t)rng_below(&books->rng, below);
}

/* -- the rules, once more -- */

/* Kits from this line on to nodes of the set, whatever is left there. */
static bool can_give(const struct books *books, uint32_t set, uint32_t line, int left[NODES][ITEMS])
{
    while (line < books->line_count && books->lines[line].kit == KITS) {
        line++;
    }
    if (line == books->line_count) {
        return true;
    }
    const struct line *own = &books->lines[line];
    bool is_given = false;
    for (uint32_t node = 0; node < NODES && !is_given; node++) {
        bool fits = (set >> node & 1) != 0;
        for (uint32_t item = 0; item < ITEMS; item++) {
            left[node][item] -= parts[own->kit][item] * (int)own->qty;
            fits = fits && left[node][item] >= 0;
        }
        is_given = fits && can_give(books, set, line + 1, left);
        for (uint32_t item = 0; item < ITEMS; item++) {
            left[node][item] += parts[own->kit][item] * (int)own->qty;
        }
    }
    return is_given;
}

static bool will_do(const struct books *books, uint32_t set)
{
    int left[NODES][ITEMS];
    int sum[ITEMS] = {0};
    for (uint32_t node = 0; node < NODES; node++) {
        for (uint32_t item = 0; item < ITEMS && (set >> node & 1); item++) {
            sum[item] += books->stock[node][item];
        }
    }
    for (uint32_t i = 0; i < books->line_count; i++) {
        const struct line *own = &books->lines[i];
        for (uint32_t item = 0; item < ITEMS; item++) {
            sum[item] -= own->kit == KITS ? (item == own->item) * (int)own->qty
                                          : parts[own->kit][item] * (int)own->qty;
        }
    }
    for (uint32_t item = 0; item < ITEMS; item++) {
        if (sum[item] < 0) {
            return false;
        }
    }
    memcpy(left, books->stock, sizeof left);
    return can_give(books, set, 0, left);
}

struct cost {
    int nodes, priority;
    uint32_t metres;
};

static struct cost cost_of(const struct books *books, uint32_t set)
{
    struct cost cost = {__builtin_popcount(set), 0, 0};
    for (uint32_t node = 0; node < NODES; node++) {
        cost.priority += set >> node & 1 ? books->priority[node] : 0;
        cost.metres += set >> node & 1 ? books->metres[node] : 0;
    }
    return cost;
}

/* Sets of as many nodes that cost the same: the lesser sorted list of ids, n0 before n1. */
static bool is_less(const struct books *books, uint32_t a, uint32_t b)
{
    const struct cost x = cost_of(books, a);
    const struct cost y = cost_of(books, b);
    if (x.nodes != y.nodes) {
        return x.nodes < y.nodes;
    }
    if (x.priority != y.priority) {
        return x.priority < y.priority;
    }
    if (x.metres != y.metres) {
        return x.metres < y.metres;
    }
    const uint32_t first = (a ^ b) & (~(a ^ b) + 1); /* the least id that only one of them has */
    return (a & first) != 0;
}

/* The best set, 0 = none. */
static uint32_t best_set(const struct books *books)
{
    uint32_t best = 0;
    for (uint32_t set = 1; set < 1 << NODES; set++) {
        if (will_do(books, set) && (best == 0 || is_less(books, set, best))) {
            best = set;
        }
    }
    return best;
}

/* -- what is answered -- */

static uint32_t number_of(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

static uint32_t node_of(const json_t *part)
{
    return number_of(json_string_value(json_object_get(part, "node")) + 1);
}

/* Each kit line from one node, units as asked for, no node more than it has. */
static uint32_t check_parts(const struct books *books, const json_t *answer)
{
    int given[NODES][ITEMS] = {{0}};
    uint32_t units[LINES_MAX] = {0};
    uint32_t from[LINES_MAX] = {0};
    uint32_t set = 0;
    size_t i;
    size_t k;
    json_t *part;
    json_t *entry;
    json_array_foreach(json_object_get(answer, "fulfilments"), i, part)
    {
        const uint32_t node = node_of(part);
        assert_false(set >> node & 1);
        set |= 1u << node;
        json_array_foreach(json_object_get(part, "lines"), k, entry)
        {
            const uint32_t line =
                number_of(json_string_value(json_object_get(entry, "line"))) - 1;
            const uint32_t item =
                number_of(json_string_value(json_object_get(entry, "item")) + 1);
            const int qty = (int)json_integer_value(json_object_get(entry, "qty"));
            given[node][item] += qty;
            units[line] += (uint32_t)qty;
            from[line] |= 1u << node;
            assert_true(given[node][item] <= books->stock[node][item]);
        }
    }
    for (uint32_t line = 0; line < books->line_count; line++) {
        const struct line *own = &books->lines[line];
        uint32_t asked = own->kit == KITS ? own->qty : 0;
        for (uint32_t item = 0; item < ITEMS && own->kit < KITS; item++) {
            asked += (uint32_t)parts[own->kit][item] * own->qty;
        }
        assert_int_equal(units[line], asked);
        assert_true(own->kit == KITS || __builtin_popcount(from[line]) == 1);
    }
    return set;
}

static void expect(struct books *books, const json_t *answer, uint32_t best, uint32_t max_splits)
{
    const char *status = harness_text(answer, "status");
    const struct cost cost = cost_of(books, best);
    if (best == 0 || cost.nodes - 1 > (int)max_splits) {
        assert_string_equal(status, "refused");
        assert_string_equal(harness_text(answer, "reason"),
                            best ? "MAX_SPLITS_EXCEEDED" : "INSUFFICIENT_STOCK");
        books->refused += best == 0;
        books->bound += best != 0;
        return;
    }
    assert_string_equal(status, "routed");
    assert_int_equal(check_parts(books, answer), best);
    assert_int_equal(harness_int(answer, "splits"), cost.nodes - 1);
    assert_true(harness_bool(answer, "optimal"));
    books->routed++;
    books->split += cost.nodes == 2;
    books->wide += cost.nodes > 2;
}

/* -- the run -- */

static void nodes_draw(struct books *books)
{
    for (uint32_t node = 0; node < NODES; node++) {
        const double lat = draw(books, 4); /* some are equally far */
        books->priority[node] = (int)draw(books, 2);
        const struct geo_point from = geo_point(lat, 0);
        const struct geo_point to = geo_point(0, 0);
        books->metres[node] = (uint32_t)geo_metres(&from, &to);
        harness_do(&books->harness, "node.put",
                   "{'node':'n%u','type':'warehouse','lat':%g,'lon':0,'priority':%d}", node, lat,
                   books->priority[node]);
    }
}

static void stock_draw(struct books *books)
{
    for (uint32_t node = 0; node < NODES; node++) {
        for (uint32_t item = 0; item < ITEMS; item++) {
            books->stock[node][item] = draw(books, 3) ? (int)draw(books, 6) : 0;
            harness_do(&books->harness, "stock.set", "{'item':'i%u','node':'n%u','on_hand':%d}",
                       item, node, books->stock[node][item]);
        }
    }
}

static void order_ask(struct books *books)
{
    char lines[300];
    int len = 0;
    books->line_count = 1 + draw(books, LINES_MAX);
    for (uint32_t i = 0; i < books->line_count; i++) {
        struct line *own = &books->lines[i];
        *own = (struct line){i == 0 ? draw(books, KITS) : draw(books, KITS + 1),
                             draw(books, ITEMS), 1 + draw(books, 2)};
        len += snprintf(lines + len, sizeof lines - (size_t)len, "%s{'item':'%c%u','qty':%u}",
                        i ? "," : "", own->kit == KITS ? 'i' : 'k',
                        own->kit == KITS ? own->item : own->kit, own->qty);
    }
    const uint32_t max_splits = draw(books, 3) ? NEVER - 1 : draw(books, 3);
    json_t *answer = harness_ask(&books->harness, "order.route",
                                 "{'order_id':'o','service':'standard','dry_run':true,"
                                 "'dest':{'lat':0,'lon':0},'max_splits':%u,'lines':[%s]}",
                                 max_splits < NEVER - 1 ? max_splits : 1000000, lines);
    expect(books, answer, best_set(books), max_splits);
    harness_drop(answer);
}

static void best_of_all_sets(void **state)
{
    struct books *books = calloc(1, sizeof *books);
    (void)state;
    assert_non_null(books);
    rng_init(&books->rng, seed);
    harness_init(&books->harness);
    books->harness.options.log.unsafe_no_sync = true;
    harness_start(&books->harness);
    for (uint32_t i = 0; i < ITEMS; i++) {
        harness_do(&books->harness, "item.put", "{'item':'i%u'}", i);
    }
    for (uint32_t kit = 0; kit < KITS; kit++) {
        char list[160];
        int len = 0;
        for (uint32_t item = 0; item < ITEMS; item++) {
            if (parts[kit][item] > 0) {
                len += snprintf(list + len, sizeof list - (size_t)len, "%s{'item':'i%u','qty':%d}",
                                len ? "," : "", item, parts[kit][item]);
            }
        }
        harness_do(&books->harness, "item.put", "{'item':'k%u','components':[%s]}", kit, list);
    }
    for (uint32_t step = 0; step < steps; step++) {
        if (step % 50 == 0) {
            nodes_draw(books);
        }
        if (step % 5 == 0) {
            stock_draw(books);
        }
        order_ask(books);
    }
    printf("routed %u, of two nodes %u, of more %u; refused %u, for splits %u\n", books->routed,
           books->split, books->wide, books->refused, books->bound);
    assert_true(books->split > steps / 50);
    assert_true(books->wide > 0);
    assert_true(books->refused > 0);
    assert_true(books->bound > 0);
    harness_close(&books->harness);
    free(books);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : seed;
    steps = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : steps;
    const struct CMUnitTest tests[] = {cmocka_unit_test(best_of_all_sets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
