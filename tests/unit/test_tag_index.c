/* The growing index beside a list that is searched from end to end: whatever is entered and taken
 * out, in whatever state of growing, each entry is found from its home, once, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rng.h"
#include "tag_index.h"

enum { HOMES = 1 << 17, ENTRIES_MAX = 90000, STEP_MAX = 16, SLOTS_LOOKED_AT = 4 * HOMES / 3 };

typedef uint32_t tag_draw(struct rng *rng);

struct books {
    struct tag_index index;
    struct rng rng;
    uint32_t count;
    uint32_t tags[ENTRIES_MAX + 1]; /* by value, from 1 on */
    uint32_t values[ENTRIES_MAX]; /* those that are in */
    uint32_t out[ENTRIES_MAX];    /* and those that are not */
};

static struct books books;

static struct tag_slot *look_up(uint32_t tag, uint32_t value)
{
    struct tag_slot *slot = tag_index_home(&books.index, tag);
    while (slot->value && slot->value != value) {
        slot++;
    }
    return slot;
}

static void begin(uint64_t seed)
{
    assert_int_equal(tag_index_init(&books.index, HOMES), 0);
    rng_init(&books.rng, seed);
    books.count = 0;
    for (uint32_t i = 0; i < ENTRIES_MAX; i++) {
        books.out[i] = i + 1;
    }
}

/* Homes that moved at once: the pause that one entry may make. */
static uint64_t moved(uint64_t size, uint64_t split)
{
    return books.index.size == size ? split - books.index.split : split;
}

static void enter(tag_draw *draw)
{
    const uint32_t tag = draw(&books.rng);
    const uint32_t value = books.out[books.count];
    const uint64_t size = books.index.size;
    const uint64_t split = books.index.split;
    books.tags[value] = tag;
    tag_index_step(&books.index);
    assert_true(moved(size, split) <= STEP_MAX);
    struct tag_slot *slot = look_up(tag, value);
    assert_int_equal(slot->value, 0);
    tag_index_put(&books.index, slot, tag, value);
    books.values[books.count++] = value;
}

static void take_out(void)
{
    const uint32_t i = (uint32_t)rng_below(&books.rng, books.count);
    const uint32_t value = books.values[i];
    struct tag_slot *slot = look_up(books.tags[value], value);
    assert_int_equal(slot->value, value);
    tag_index_remove(&books.index, slot);
    books.values[i] = books.values[--books.count];
    books.out[books.count] = value;
}

/* Everything that is in is found, what is out is not, and no slot holds anything else. */
static void compare(void)
{
    uint64_t taken = 0;
    assert_int_equal(books.index.live, books.count);
    for (uint32_t i = 0; i < books.count; i++) {
        const struct tag_slot *slot = look_up(books.tags[books.values[i]], books.values[i]);
        assert_int_equal(slot->value, books.values[i]);
        assert_int_equal(slot->tag, books.tags[books.values[i]]);
    }
    for (uint32_t i = books.count; i < ENTRIES_MAX && i < books.count + 100; i++) {
        assert_int_equal(look_up(books.tags[books.out[i]], books.out[i])->value, 0);
    }
    for (uint32_t i = 0; i < SLOTS_LOOKED_AT; i++) {
        taken += books.index.slots[i].value != 0;
    }
    assert_int_equal(taken, books.count);
}

/* Up to most entries and down to none, with changes in between, compared again and again. */
static void fill_and_empty(tag_draw *draw, uint32_t most)
{
    while (books.count < most) {
        enter(draw);
        if (rng_below(&books.rng, 5) == 0) {
            take_out();
        }
        if (rng_below(&books.rng, most / 16) == 0) {
            compare();
        }
    }
    compare();
    while (books.count > 0) {
        take_out();
        if (rng_below(&books.rng, most / 4) == 0) {
            compare();
        }
    }
    compare();
}

static uint32_t draw_any(struct rng *rng)
{
    return (uint32_t)rng_next(rng);
}

/* Few tags, also the least and the greatest: long rows, pushed over the end. */
static uint32_t draw_few(struct rng *rng)
{
    static const uint32_t ends[] = {0, UINT32_MAX, UINT32_MAX - 1, 1u << 31, (1u << 31) - 1};
    return rng_below(rng, 4) ? (uint32_t)rng_below(rng, 64) << 26 : ends[rng_below(rng, 5)];
}

static void any_tags(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        begin(seed);
        fill_and_empty(draw_any, ENTRIES_MAX);
        fill_and_empty(draw_any, ENTRIES_MAX / 10); /* once more: it stays as large as it was */
        assert_int_equal(books.index.size, HOMES);
        tag_index_close(&books.index);
    }
}

static void few_tags(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        begin(seed);
        fill_and_empty(draw_few, 3000);
        assert_true(books.index.size > 1024);
        tag_index_close(&books.index);
    }
}

/* What is in use is in proportion to what is in it: the rest is never looked at. */
static void keeps_together(void **state)
{
    (void)state;
    begin(7);
    while (books.count < ENTRIES_MAX) {
        enter(draw_any);
        const uint64_t in_use = books.index.size * (books.index.split < books.index.size ? 2 : 1);
        assert_true(in_use <= 1024 || in_use <= 4 * (uint64_t)books.count);
        assert_true(books.count <= in_use * 3 / 4);
    }
    tag_index_close(&books.index);
}

/* At the size that it was made for it fills up without another step. */
static void does_not_outgrow(void **state)
{
    (void)state;
    assert_int_equal(tag_index_init(&books.index, 1), 0);
    rng_init(&books.rng, 1);
    for (uint32_t value = 1; value <= 1000; value++) {
        const uint32_t tag = draw_any(&books.rng);
        tag_index_step(&books.index);
        assert_int_equal(books.index.size, 1024);
        assert_int_equal(books.index.split, 1024);
        tag_index_put(&books.index, look_up(tag, value), tag, value);
    }
    tag_index_close(&books.index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_tags),
        cmocka_unit_test(few_tags),
        cmocka_unit_test(keeps_together),
        cmocka_unit_test(does_not_outgrow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
