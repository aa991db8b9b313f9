/* Full files of stock: rows that confirm what is there cost next to nothing in the log, and count
 * exactly the cells that they name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rng.h"
#include "service_harness.h"

enum { ITEMS = 2600, ROWS_TEXT = 80000, ROUNDS = 12 };

/* The naive books of one node. */
struct books {
    struct harness harness;
    struct rng rng;
    bool is_there[ITEMS];
    int64_t on_hand[ITEMS];
    int64_t counted[ITEMS];
    uint32_t order[ITEMS];    /* in which a file tells its rows */
    bool has_row[ITEMS];
    int64_t value[ITEMS];
    char text[ROWS_TEXT];
};

static int setup(void **state)
{
    struct books *books = calloc(1, sizeof *books);
    assert_non_null(books);
    rng_init(&books->rng, 7);
    harness_open(&books->harness);
    harness_do(&books->harness, "node.put", "{'node':'n1','type':'store','lat':40,'lon':-74}");
    harness_do(&books->harness, "node.put", "{'node':'n2','type':'store','lat':41,'lon':-74}");
    for (uint32_t i = 0; i < ITEMS; i++) {
        books->order[i] = i;
        harness_do(&books->harness, "item.put", "{'item':'i%u'}", i);
    }
    *state = books;
    return 0;
}

static int teardown(void **state)
{
    struct books *books = *state;
    harness_restart(&books->harness);
    harness_close(&books->harness);
    free(books);
    return 0;
}

static void order_shuffle(struct books *books)
{
    for (uint32_t i = ITEMS - 1; i > 0; i--) {
        const uint32_t k = (uint32_t)rng_below(&books->rng, i + 1);
        const uint32_t item = books->order[i];
        books->order[i] = books->order[k];
        books->order[k] = item;
    }
}

/* The rows that there are, as JSON. */
static const char *rows_of(struct books *books)
{
    int len = snprintf(books->text, ROWS_TEXT, "[");
    for (uint32_t i = 0; i < ITEMS; i++) {
        const uint32_t item = books->order[i];
        if (books->has_row[item]) {
            len += snprintf(books->text + len, (size_t)(ROWS_TEXT - len), "%s['i%u',%lld]",
                            len > 1 ? "," : "", item, (long long)books->value[item]);
            assert_true(len < ROWS_TEXT - 2);
        }
    }
    memcpy(books->text + len, "]", 2);
    return books->text;
}

/* Every row that there is, each as it stands or, one of change_of, one more. */
static void rows_full(struct books *books, uint32_t change_of)
{
    for (uint32_t item = 0; item < ITEMS; item++) {
        const bool is_changed = change_of && item % change_of == 0;
        books->has_row[item] = true;
        books->value[item] = (books->is_there[item] ? books->on_hand[item] : 5) + is_changed;
    }
}

static void rows_draw(struct books *books)
{
    const uint32_t gap = 1 + (uint32_t)rng_below(&books->rng, 5);
    for (uint32_t item = 0; item < ITEMS; item++) {
        const bool is_changed = rng_below(&books->rng, 8) == 0;
        books->has_row[item] = gap == 1 || rng_below(&books->rng, gap) > 0;
        books->value[item] =
            is_changed ? (int64_t)rng_below(&books->rng, 90) : books->on_hand[item];
    }
}

static void books_count(struct books *books, uint32_t item, int64_t value, int64_t at)
{
    if (books->counted[item] < at) {
        books->is_there[item] = true;
        books->on_hand[item] = value;
        books->counted[item] = at;
    }
}

/* Load the rows, and enter them in the books. The log's bytes that it took. */
static uint64_t load(struct books *books, int64_t at, bool is_zero)
{
    struct wal_stats before;
    struct wal_stats after;
    wal_stats(service_wal(books->harness.service), &before);
    harness_do(&books->harness, "stock.load",
               "{'node':'n1','counted_at':%lld,'absent':'%s','max_zero_share':1,'rows':%s}",
               (long long)at, is_zero ? "zero" : "keep", rows_of(books));
    wal_stats(service_wal(books->harness.service), &after);
    for (uint32_t item = 0; item < ITEMS; item++) {
        if (books->has_row[item]) {
            books_count(books, item, books->value[item], at);
        } else if (is_zero && books->is_there[item]) {
            books_count(books, item, 0, at);
        }
    }
    return after.payload_bytes - before.payload_bytes;
}

static void books_compare(struct books *books)
{
    for (uint32_t item = 0; item < ITEMS; item++) {
        json_t *answer =
            harness_ask(&books->harness, "stock.get", "{'item':'i%u','node':'n1'}", item);
        assert_int_equal(harness_int(answer, "on_hand"), books->on_hand[item]);
        assert_int_equal(harness_has(answer, "counted_at") ? harness_int(answer, "counted_at") : 0,
                         books->counted[item]);
        harness_drop(answer);
    }
}

/* A file in which one row of twenty changed takes at most a tenth of a byte for each of the others,
 * over a file of the changed rows alone; one without any change as well. */
static void unchanged_rows_cost_nothing(void **state)
{
    struct books *books = *state;
    order_shuffle(books);
    rows_full(books, 0);
    const uint64_t first = load(books, (int64_t)++books->harness.wall_ms, false);
    assert_true(first >= 2 * ITEMS);
    books->harness.wall_ms += 1000;
    const uint64_t same = load(books, (int64_t)++books->harness.wall_ms, false);
    assert_true(same * 10 <= ITEMS);
    books->harness.wall_ms += 1000;
    rows_full(books, 20);
    const uint64_t full = load(books, (int64_t)++books->harness.wall_ms, false);
    books->harness.wall_ms += 1000;
    rows_full(books, 20);
    for (uint32_t item = 0; item < ITEMS; item++) {
        books->has_row[item] = item % 20 == 0;
    }
    const uint64_t alone = load(books, (int64_t)++books->harness.wall_ms, false);
    assert_true((full - alone) * 10 <= ITEMS - ITEMS / 20);
    books_compare(books);
}

/* Absent cells that were empty already are confirmed at the same price. */
static void absent_and_empty_costs_nothing(void **state)
{
    struct books *books = *state;
    rows_full(books, 0);
    memset(books->value, 0, sizeof books->value);
    load(books, (int64_t)++books->harness.wall_ms, false);
    memset(books->has_row, 0, sizeof books->has_row);
    books->harness.wall_ms += 1000;
    assert_true(load(books, (int64_t)++books->harness.wall_ms, true) * 10 <= ITEMS);
    books_compare(books);
}

/* Files with gaps, of any age, over cells that others counted later: count times and stock are
 * those of naive books, cell by cell, before and after a restart. */
static void spans_count_what_has_a_row(void **state)
{
    struct books *books = *state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        books->harness.wall_ms += 10000;
        for (uint32_t i = 0; i < 40; i++) {
            const uint32_t item = (uint32_t)rng_below(&books->rng, ITEMS);
            const int64_t at = (int64_t)books->harness.wall_ms;
            harness_do(&books->harness, "stock.set",
                       "{'item':'i%u','node':'n1','on_hand':3,'counted_at':%lld}", item,
                       (long long)at);
            books_count(books, item, 3, at);
        }
        order_shuffle(books);
        rows_draw(books);
        load(books, (int64_t)(books->harness.wall_ms - rng_below(&books->rng, 15000)),
             rng_below(&books->rng, 3) == 0);
    }
    books_compare(books);
    harness_restart(&books->harness);
    books_compare(books);
}

/* An event tells a change: a confirmed cell has none. */
static void confirmed_cells_have_no_event(void **state)
{
    struct books *books = *state;
    harness_do(&books->harness, "stock.load", "{'node':'n2','rows':[['i1',1],['i2',2],['i3',3]]}");
    books->harness.wall_ms += 1000;
    json_t *answer = harness_ask(&books->harness, "stock.load",
                                 "{'node':'n2','rows':[['i3',3],['i2',7],['i1',1]]}");
    const int64_t lsn = harness_int(answer, "lsn");
    harness_drop(answer);
    answer = harness_ask(&books->harness, "events.read", "{'from_lsn':%lld}",
                         (long long)lsn);
    assert_int_equal(harness_count(answer, "events"), 1);
    assert_string_equal(harness_text(answer, "events.0.item"), "i2");
    harness_drop(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unchanged_rows_cost_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(absent_and_empty_costs_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(spans_count_what_has_a_row, setup, teardown),
        cmocka_unit_test_setup_teardown(confirmed_cells_have_no_event, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
