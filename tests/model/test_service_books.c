/* Counts and movements in any order of time, against a book that keeps every movement for ever:
 * after each step every cell says the same as the book. The seed is printed when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rng.h"
#include "service_harness.h"

enum { ITEMS = 4, NODES = 3, STEPS = 600, MOVES_MAX = STEPS + 1 };

struct move {
    uint64_t at;
    int64_t delta;
};

struct page { /* of one cell */
    bool is_there;
    int64_t on_hand;
    uint64_t counted_at;
    struct move moves[MOVES_MAX];
    uint32_t count;
};

struct book {
    struct harness harness;
    struct rng rng;
    struct page pages[ITEMS][NODES];
};

static uint32_t draw(struct book *book, uint32_t below)
{
    return (uint32_t)rng_below(&book->rng, below);
}

/* A time of the last moments, before now. */
static uint64_t draw_time(struct book *book)
{
    return book->harness.wall_ms - 1 - draw(book, 60);
}

static bool page_count(struct page *page, int64_t value, uint64_t at)
{
    if (page->is_there && page->counted_at && at <= page->counted_at) {
        return false;
    }
    page->is_there = true;
    page->on_hand = value;
    page->counted_at = at;
    for (uint32_t i = 0; i < page->count; i++) {
        page->on_hand += page->moves[i].at > at ? page->moves[i].delta : 0;
    }
    return true;
}

static void step_adjust(struct book *book)
{
    uint32_t item = draw(book, ITEMS);
    uint32_t node = draw(book, NODES);
    struct page *page = &book->pages[item][node];
    uint64_t at = draw_time(book);
    int64_t delta = (int64_t)draw(book, 21) - 10;
    bool is_absorbed = at <= page->counted_at;
    json_t *answer = harness_ask(&book->harness, "stock.adjust",
                                 "{'item':'i%u','node':'n%u','delta':%lld,'at':%lld}", item, node,
                                 (long long)delta, (long long)at);
    assert_int_equal(harness_has(answer, "absorbed"), is_absorbed);
    harness_drop(answer);
    if (!is_absorbed && delta) {
        page->moves[page->count++] = (struct move){at, delta};
        page->on_hand += delta;
        page->is_there = true;
    }
}

static void step_set(struct book *book)
{
    uint32_t item = draw(book, ITEMS);
    uint32_t node = draw(book, NODES);
    uint64_t at = draw_time(book);
    int64_t value = draw(book, 100);
    bool is_taken = page_count(&book->pages[item][node], value, at);
    json_t *answer = harness_ask(&book->harness, "stock.set",
                                 "{'item':'i%u','node':'n%u','on_hand':%lld,'counted_at':%lld}",
                                 item, node, (long long)value, (long long)at);
    assert_int_equal(harness_has(answer, "reason"), !is_taken);
    harness_drop(answer);
}

/* Counts of some items; of the others zero where they are absent. */
static void step_load(struct book *book)
{
    char rows[400] = "";
    size_t len = 0;
    uint32_t node = draw(book, NODES);
    uint64_t at = draw_time(book);
    uint32_t stale = 0;
    bool is_zero = draw(book, 2);
    for (uint32_t item = 0; item < ITEMS; item++) {
        struct page *page = &book->pages[item][node];
        int64_t value = draw(book, 5);
        if (draw(book, 2)) {
            len += (size_t)snprintf(rows + len, sizeof rows - len, "%s['i%u',%lld]",
                                    len ? "," : "", item, (long long)value);
            stale += !page_count(page, value, at);
        } else if (is_zero && page->is_there) {
            page_count(page, 0, at);
        }
    }
    json_t *answer = harness_ask(&book->harness, "stock.load",
                                 "{'node':'n%u','rows':[%s],'counted_at':%lld,'absent':'%s',"
                                 "'max_zero_share':1}",
                                 node, rows, (long long)at, is_zero ? "zero" : "keep");
    assert_int_equal(harness_int(answer, "stale"), stale);
    harness_drop(answer);
}

static void compare(struct book *book, uint32_t node)
{
    json_t *answer = harness_ask(&book->harness, "stock.list", "{'node':'n%u'}", node);
    uint32_t at = 0;
    for (uint32_t item = 0; item < ITEMS; item++) {
        const struct page *page = &book->pages[item][node];
        char path[40];
        if (!page->is_there) {
            continue;
        }
        snprintf(path, sizeof path, "cells.%u.on_hand", at);
        assert_int_equal(harness_int(answer, path), page->on_hand);
        if (page->counted_at) {
            snprintf(path, sizeof path, "cells.%u.counted_at", at);
            assert_int_equal(harness_int(answer, path), (int64_t)page->counted_at);
        }
        at++;
    }
    assert_int_equal(harness_count(answer, "cells"), at);
    harness_drop(answer);
}

static void run(uint64_t seed)
{
    struct book *book = calloc(1, sizeof *book);
    assert_non_null(book);
    printf("seed %llu\n", (unsigned long long)seed);
    rng_init(&book->rng, seed);
    harness_open(&book->harness);
    for (uint32_t i = 0; i < NODES; i++) {
        harness_do(&book->harness, "node.put",
                   "{'node':'n%u','type':'store','lat':%u,'lon':0}", i, i);
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        harness_do(&book->harness, "item.put", "{'item':'i%u'}", i);
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t what = draw(book, 10);
        if (what < 5) {
            step_adjust(book);
        } else if (what < 8) {
            step_set(book);
        } else {
            step_load(book);
        }
        compare(book, draw(book, NODES));
        if (step % 150 == 149) {
            harness_restart(&book->harness);
        }
    }
    harness_close(&book->harness);
    free(book);
}

/* Random steps from two fixed seeds, and one of the environment's (BOOKS_SEED). */
static void cells_say_what_the_book_says(void **state)
{
    (void)state;
    const char *seed = getenv("BOOKS_SEED");
    run(1);
    run(2);
    if (seed) {
        run(strtoull(seed, NULL, 10));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_say_what_the_book_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
