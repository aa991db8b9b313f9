/* Model test of the timing wheel: random deadlines from a millisecond to years, moved and cleared,
 * beside a list that is searched from end to end. Nothing falls due early, late or twice.
 *
 * Usage: test_wheel [seed [rounds]]; a failure prints the command that replays it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "wheel.h"

enum { ROWS = 600, STEPS_A_ROUND = 4000 };

struct row {
    uint32_t timer;
    uint64_t due_ms; /* WHEEL_NEVER: none */
};

static struct rng rng;
static struct wheel wheel;
static struct row rows[ROWS];
static uint64_t now_ms;
static uint64_t seed;
static uint64_t fired, moved, stops;

static uint64_t draw(uint64_t bound)
{
    return rng_below(&rng, bound);
}

/* From at once over the edges of the levels to decades. */
static uint64_t draw_delay(void)
{
    static const uint64_t edges[] = {0, 1, 4095, 4096, 8191, 8192, 1 << 24, (1 << 24) - 1};
    switch (draw(6)) {
    case 0:
        return edges[draw(sizeof edges / sizeof edges[0])];
    case 1:
        return draw(20);
    case 2:
        return draw(9000);
    case 3:
        return draw(40000000);
    case 4:
        return draw((uint64_t)1 << 38);
    default:
        return ((uint64_t)1 << draw(40)) + draw(3) - 1;
    }
}

static void row_set(struct row *row, uint64_t due_ms)
{
    uint32_t ref = (uint32_t)(row - rows);
    wheel_set(&wheel, &row->timer, due_ms, now_ms, WHEEL_PART, ref, (uint16_t)(ref * 3));
    row->due_ms = due_ms != WHEEL_NEVER && due_ms < now_ms ? now_ms : due_ms;
    CHECK((row->timer != WHEEL_NONE) == (due_ms != WHEEL_NEVER));
    moved++;
}

static void change(void)
{
    struct row *row = &rows[draw(ROWS)];
    if (draw(4) == 0) {
        row_set(row, WHEEL_NEVER);
        return;
    }
    uint64_t late = draw(10) == 0 ? draw(1000) : 0; /* overdue: at once */
    row_set(row, draw(10) == 0 ? now_ms - late : now_ms + draw_delay());
}

static uint64_t oracle_next(uint64_t limit_ms)
{
    uint64_t next = WHEEL_NEVER;
    for (uint32_t i = 0; i < ROWS; i++) {
        next = rows[i].due_ms < next ? rows[i].due_ms : next;
    }
    return next <= limit_ms ? next : WHEEL_NEVER;
}

static uint32_t oracle_count(uint64_t due_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        count += rows[i].due_ms == due_ms;
    }
    return count;
}

/* All that is due at one moment, some set anew while it happens. */
static void fire(uint64_t due_ms)
{
    uint32_t count = oracle_count(due_ms);
    CHECK(wheel_count_at(&wheel, due_ms, UINT32_MAX) == count);
    CHECK(wheel_count_at(&wheel, due_ms, 2) == (count < 2 ? count : 2));
    const struct wheel_timer *timer;
    now_ms = due_ms;
    while ((timer = wheel_first(&wheel, due_ms))) {
        struct row *row = &rows[timer->ref];
        CHECK(timer->kind == WHEEL_PART);
        CHECK(timer->part == (uint16_t)(timer->ref * 3));
        CHECK(row->due_ms == due_ms);
        row_set(row, draw(3) ? WHEEL_NEVER : now_ms + 1 + draw_delay());
        fired++;
    }
    CHECK(oracle_count(due_ms) == 0);
}

static void pass(uint64_t target_ms)
{
    for (;;) {
        uint64_t due_ms;
        uint32_t steps = (uint32_t)draw(20);
        if (!wheel_next(&wheel, target_ms, &steps, &due_ms)) {
            CHECK(steps == 0);
            stops++;
            continue;
        }
        CHECK(due_ms == oracle_next(target_ms));
        if (due_ms == WHEEL_NEVER) {
            break;
        }
        fire(due_ms);
    }
    now_ms = target_ms;
    CHECK(wheel.soonest_ms > now_ms);
}

static void round_run(void)
{
    CHECK(wheel_init(&wheel, ROWS) == ERR_OK);
    now_ms = draw(2) ? draw(100000) : 1790000000000 + draw((uint64_t)1 << 30);
    for (uint32_t i = 0; i < ROWS; i++) {
        rows[i] = (struct row){WHEEL_NONE, WHEEL_NEVER};
    }
    for (uint32_t i = 0; i < STEPS_A_ROUND; i++) {
        for (uint64_t n = draw(6); n > 0; n--) {
            change();
        }
        wheel_prepare(&wheel, (uint32_t)draw(8));
        pass(now_ms + (draw(3) ? draw(30) : draw_delay() / 16));
        if (i % 97 == 0) {
            wheel_check(&wheel);
        }
    }
    wheel_close(&wheel);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261127;
    uint32_t rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 6;
    printf("replay: test_wheel %llu %u\n", (unsigned long long)seed, rounds);
    fflush(stdout);
    rng_init(&rng, seed);
    for (uint32_t i = 0; i < rounds; i++) {
        round_run();
    }
    printf("%llu set, %llu fell due, %llu stops\n", (unsigned long long)moved,
           (unsigned long long)fired, (unsigned long long)stops);
    CHECK(fired > 1000);
    CHECK(stops > 10);
    return 0;
}
