/* Properties of rows, item sets, holds, keys and movements against naive oracles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hold.h"
#include "itemset.h"
#include "keyring.h"
#include "movement.h"
#include "rng.h"
#include "row.h"
#include "slab.h"

enum { SLOTS = 1024 };

/* A row holds exactly the cells put in, whatever the order, through both kinds and a new layout. */
static void row_holds_what_was_put(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 7);
    for (int round = 0; round < 40; round++) {
        cell_word oracle[SLOTS];
        bool is_in[SLOTS] = {false};
        struct row *row = NULL;
        uint32_t wanted = 1 + (uint32_t)rng_below(&rng, round % 2 ? 40 : SLOTS - 1);
        for (uint32_t n = 0; n < wanted; n++) {
            uint32_t slot = (uint32_t)rng_below(&rng, SLOTS);
            if (is_in[slot]) {
                continue;
            }
            cell_word word = cell_make((int32_t)rng_below(&rng, 50) - 10, 3, n % 2);
            struct row *next = row_with(row, slot, word, n * 1000003, SLOTS / 64);
            row_free(row);
            row = next;
            is_in[slot] = true;
            oracle[slot] = word;
            row_check(row);
        }
        uint16_t map[SLOTS];
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            map[slot] = (uint16_t)(SLOTS - 1 - slot);
        }
        struct row *moved = row_moved(row, map, SLOTS / 64);
        row_check(moved);
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            int32_t index = row_find(row, slot);
            int32_t other = row_find(moved, map[slot]);
            assert_int_equal(index >= 0, is_in[slot]);
            assert_int_equal(other >= 0, is_in[slot]);
            if (index >= 0) {
                assert_true(row_word(row, (uint32_t)index) == oracle[slot]);
                assert_true(row_count_time(row, (uint32_t)index) ==
                            row_count_time(moved, (uint32_t)other));
            }
        }
        row_free(moved);
        row_free(row);
    }
}

/* The hint of a bitmap row is set wherever units are free before safety stock. */
static void row_hint_never_errs_down(void **state)
{
    (void)state;
    struct row *row = NULL;
    for (uint32_t slot = 0; slot < SLOTS; slot += 2) {
        struct row *next = row_with(row, slot, cell_make(1, 0, false), 0, SLOTS / 64);
        row_free(row);
        row = next;
    }
    assert_int_equal(row->kind, ROW_BITMAP);
    int32_t index = row_find(row, 10);
    row_word_set(row, 10, (uint32_t)index, cell_make(1, 1, false));
    assert_false(row_maybe(row)[0] >> 10 & 1);
    row_word_set(row, 10, (uint32_t)index, cell_make(2, 1, false));
    assert_true(row_maybe(row)[0] >> 10 & 1);
    row_free(row);
}

/* What a decision reads of a bitmap row lies where its prefetches say: members in lines of their
 * own, a word of the hint in the line told for it. */
static void row_lies_in_lines(void **state)
{
    (void)state;
    struct row *row = row_build(SLOTS, SLOTS / 64);
    assert_int_equal(row->kind, ROW_BITMAP);
    assert_int_equal((uintptr_t)row_members(row) % 64, 0);
    for (uint32_t word = 0; word < SLOTS / 64; word++) {
        uintptr_t line = (uintptr_t)row + row_maybe_line(word) * 64;
        assert_int_equal((uintptr_t)&row_maybe(row)[word] / 64 * 64, line);
    }
    row_free(row);
}

/* Cells keep signs and bits at the edges of their ranges. */
static void cell_edges(void **state)
{
    (void)state;
    cell_word word = cell_make(-CELL_ON_HAND_MAX, CELL_RESERVED_MAX, true);
    assert_int_equal(cell_on_hand(word), -CELL_ON_HAND_MAX);
    assert_int_equal(cell_reserved(word), CELL_RESERVED_MAX);
    assert_true(cell_has_override(word));
    assert_false(cell_has_override(cell_make(-1, 0, false)));
}

/* A set of items gives back exactly its members in rising order, arrays and bitmaps alike. */
static void itemset_is_sorted_set(void **state)
{
    (void)state;
    struct itemset set = {0};
    struct rng rng;
    static uint8_t oracle[200000];
    rng_init(&rng, 3);
    for (int i = 0; i < 30000; i++) {
        uint32_t item = (uint32_t)rng_below(&rng, i % 2 ? 200000 : 20000);
        oracle[item] = 1;
        assert_int_equal(itemset_add(&set, item), 0);
    }
    uint32_t at = 0;
    uint32_t count = 0;
    for (uint32_t item = 0; item < 200000; item++) {
        assert_int_equal(itemset_has(&set, item), oracle[item]);
        if (oracle[item]) {
            assert_int_equal(itemset_next(&set, at), item);
            at = item + 1;
            count++;
        }
    }
    assert_true(itemset_next(&set, at) == UINT32_MAX);
    assert_int_equal(set.count, count);
    itemset_close(&set);
}

/* The chain of a cell lists exactly its live holds, newest first. */
static void holds_chain_is_newest_first(void **state)
{
    (void)state;
    enum { CELLS = 5, MAX = 200 };
    struct holds holds;
    struct rng rng;
    uint32_t chain[CELLS][MAX];
    uint32_t length[CELLS] = {0};
    rng_init(&rng, 11);
    assert_int_equal(holds_init(&holds, MAX), 0);
    for (int i = 0; i < 20000; i++) {
        uint32_t cell = (uint32_t)rng_below(&rng, CELLS);
        if (rng_below(&rng, 2) && holds_have_room(&holds, 1)) {
            chain[cell][length[cell]++] = holds_add(&holds, cell, (uint16_t)cell, 5, 6);
        } else if (length[cell]) {
            uint32_t at = (uint32_t)rng_below(&rng, length[cell]);
            holds_remove(&holds, chain[cell][at]);
            memmove(&chain[cell][at], &chain[cell][at + 1],
                    (length[cell] - at - 1) * sizeof(uint32_t));
            length[cell]--;
        }
        uint32_t hold = holds_newest(&holds, cell, (uint16_t)cell);
        for (uint32_t n = length[cell]; n-- > 0; hold = holds_at(&holds, hold)->older) {
            assert_int_equal(hold, chain[cell][n]);
        }
        assert_int_equal(hold, HOLD_NONE);
    }
    holds_close(&holds);
}

static uint32_t hold_tag(uint32_t item, uint16_t node)
{
    return (uint32_t)((((uint64_t)item << 16 | node) * 0x9e3779b97f4a7c15u) >> 32);
}

static int by_tag(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Cells whose tags are equal (hold.c; some are among so many) are told apart, before and after
 * others leave. */
static void holds_of_equal_tags_stay_apart(void **state)
{
    (void)state;
    enum { MAX = 300000 };
    static uint16_t nodes[MAX];
    static uint32_t own[MAX], tags[MAX];
    struct holds holds;
    struct rng rng;
    uint32_t equal = 0;
    rng_init(&rng, 12);
    assert_int_equal(holds_init(&holds, MAX), 0);
    for (uint32_t i = 0; i < MAX; i++) {
        nodes[i] = (uint16_t)rng_below(&rng, UINT16_MAX);
        tags[i] = hold_tag(i, nodes[i]);
        own[i] = holds_add(&holds, i, nodes[i], 5, 6);
    }
    qsort(tags, MAX, sizeof tags[0], by_tag);
    for (uint32_t i = 1; i < MAX; i++) {
        equal += tags[i] == tags[i - 1];
    }
    assert_true(equal > 0);
    for (uint32_t i = 0; i < MAX; i++) {
        assert_int_equal(holds_newest(&holds, i, nodes[i]), own[i]);
    }
    for (uint32_t i = 0; i < MAX; i += 2) {
        holds_remove(&holds, own[i]);
    }
    for (uint32_t i = 0; i < MAX; i++) {
        assert_int_equal(holds_newest(&holds, i, nodes[i]), i % 2 ? own[i] : HOLD_NONE);
    }
    assert_false(holds_have_room(&holds, MAX / 2 + 1));
    assert_true(holds_have_room(&holds, MAX / 2));
    holds_close(&holds);
}

/* Keys are found until they are dropped, oldest first, and never one too many fits. */
static void keyring_is_a_window(void **state)
{
    (void)state;
    enum { MAX = 1000 };
    struct keyring keyring;
    assert_int_equal(keyring_init(&keyring, MAX), 0);
    for (uint64_t n = 0; n < 10 * MAX; n++) {
        struct key_entry entry = {{n * 0x9e3779b97f4a7c15u, n}, n, n, n, {0}};
        if (!keyring_has_room(&keyring)) {
            assert_int_equal(keyring.count, MAX);
            keyring_drop(&keyring);
        }
        assert_null(keyring_find(&keyring, &entry.key));
        keyring_add(&keyring, &entry);
        assert_int_equal(keyring_find(&keyring, &entry.key)->content, n);
        uint64_t first = keyring_oldest(&keyring)->content;
        struct hash128 gone = {(first - 1) * 0x9e3779b97f4a7c15u, first - 1};
        assert_null(first > 0 ? keyring_find(&keyring, &gone) : NULL);
    }
    keyring_close(&keyring);
}

/* A sum over later movements equals the oracle's while nothing of its window was lost. */
static void movements_sum_is_exact(void **state)
{
    (void)state;
    enum { MAX = 64, CELLS = 3, ALL = 5000 };
    struct movements movements;
    static struct movement oracle[ALL];
    struct rng rng;
    rng_init(&rng, 5);
    assert_int_equal(movements_init(&movements, MAX), 0);
    for (uint32_t n = 0; n < ALL; n++) {
        struct movement lost;
        uint64_t at = n * 10 + rng_below(&rng, 200);
        oracle[n] = (struct movement){.at_ms = at, .item = (uint32_t)rng_below(&rng, CELLS),
                                      .delta = (int32_t)rng_below(&rng, 21) - 10, .node = 9};
        movements_add(&movements, oracle[n].item, 9, oracle[n].delta, at, &lost);
        uint64_t after = movements.lost_ms + rng_below(&rng, 500);
        for (uint32_t item = 0; item < CELLS; item++) {
            int64_t sum = 0;
            for (uint32_t m = 0; m <= n; m++) {
                sum += oracle[m].item == item && oracle[m].at_ms > after ? oracle[m].delta : 0;
            }
            assert_int_equal(movements_sum(&movements, item, 9, after), sum);
        }
    }
    movements_close(&movements);
}

/* Blocks do not overlap, are big enough, and come back. */
static void slab_blocks_are_apart(void **state)
{
    (void)state;
    enum { MAX = 300 };
    struct slab slab;
    struct rng rng;
    slab_ref refs[MAX] = {0};
    size_t sizes[MAX];
    rng_init(&rng, 9);
    assert_int_equal(slab_init(&slab, 64 << 20), 0);
    for (int i = 0; i < 30000; i++) {
        uint32_t n = (uint32_t)rng_below(&rng, MAX);
        if (refs[n]) {
            uint8_t *block = slab_at(&slab, refs[n]);
            for (size_t b = 0; b < sizes[n]; b += 61) {
                assert_int_equal(block[b], (uint8_t)n);
            }
            slab_give(&slab, refs[n], sizes[n]);
            refs[n] = 0;
            continue;
        }
        sizes[n] = 1 + rng_below(&rng, i % 10 ? 900 : 40000);
        refs[n] = slab_take(&slab, sizes[n]);
        assert_true(refs[n] != 0 && slab_usable(sizes[n]) >= sizes[n]);
        memset(slab_at(&slab, refs[n]), (int)(uint8_t)n, sizes[n]);
    }
    slab_close(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_holds_what_was_put),      cmocka_unit_test(row_hint_never_errs_down),
        cmocka_unit_test(row_lies_in_lines),
        cmocka_unit_test(cell_edges),                  cmocka_unit_test(itemset_is_sorted_set),
        cmocka_unit_test(holds_chain_is_newest_first), cmocka_unit_test(keyring_is_a_window),
        cmocka_unit_test(holds_of_equal_tags_stay_apart),
        cmocka_unit_test(movements_sum_is_exact),      cmocka_unit_test(slab_blocks_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
