/* Slots are circular lists through their heads; a bit a slot finds the next that has any. */
#include "wheel.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mem.h"

enum {
    LEVELS = 4,
    WIDTH_BITS = 12,            /* a slot is 2^12 of those one level below */
    RING_BITS = WIDTH_BITS + 1, /* twice that many in a level */
    RING = 1 << RING_BITS,
    WORDS = RING / 64,
    HEADS = LEVELS * RING
};

#define SPAN ((uint64_t)1 << (WIDTH_BITS * LEVELS)) /* of all levels together */

uint64_t wheel_pool_size(uint32_t max)
{
    return ((uint64_t)HEADS + max) * sizeof(struct wheel_timer);
}

enum err wheel_init(struct wheel *wheel, uint32_t max)
{
    memset(wheel, 0, sizeof *wheel);
    void *memory;
    enum err err = mem_reserve(wheel_pool_size(max), &memory);
    if (err != ERR_OK) {
        return err;
    }
    wheel->pool = memory;
    wheel->max = max;
    wheel->occupied = calloc(LEVELS * WORDS, sizeof(uint64_t));
    if (!wheel->occupied) {
        wheel_close(wheel);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < HEADS; i++) {
        wheel->pool[i].next = wheel->pool[i].prev = i;
    }
    wheel->used = HEADS - 1;
    wheel->soonest_ms = WHEEL_NEVER;
    return ERR_OK;
}

void wheel_close(struct wheel *wheel)
{
    mem_release(wheel->pool, wheel_pool_size(wheel->max));
    free(wheel->occupied);
    memset(wheel, 0, sizeof *wheel);
}

uint64_t wheel_memory(uint32_t max)
{
    return mem_size(wheel_pool_size(max)) + LEVELS * WORDS * sizeof(uint64_t);
}

uint64_t wheel_bytes(const struct wheel *wheel)
{
    return wheel->live * sizeof(struct wheel_timer);
}

/* -- slots -- */

static uint64_t width(uint32_t level)
{
    return (uint64_t)level * WIDTH_BITS;
}

static uint32_t head_of(uint32_t level, uint64_t due_ms)
{
    return level * RING + (uint32_t)((due_ms >> width(level)) & (RING - 1));
}

/* The lowest level whose ring, from now on, reaches to due_ms. */
static uint32_t level_of(const struct wheel *wheel, uint64_t due_ms)
{
    uint32_t level = 0;
    while ((due_ms >> width(level)) - (wheel->at_ms >> width(level)) >= RING) {
        level++;
    }
    CHECK(level < LEVELS);
    return level;
}

static bool is_empty(const struct wheel *wheel, uint32_t head)
{
    return wheel->pool[head].next == head;
}

static void link_in(struct wheel *wheel, uint32_t index)
{
    struct wheel_timer *timer = &wheel->pool[index];
    uint32_t head = head_of(level_of(wheel, timer->due_ms), timer->due_ms);
    timer->next = head;
    timer->prev = wheel->pool[head].prev;
    wheel->pool[timer->prev].next = index;
    wheel->pool[head].prev = index;
    wheel->occupied[head / 64] |= (uint64_t)1 << head % 64;
}

static void link_out(struct wheel *wheel, uint32_t index)
{
    const struct wheel_timer *timer = &wheel->pool[index];
    uint32_t next = timer->next;
    wheel->aside -= timer->due_ms == WHEEL_NEVER;
    wheel->pool[timer->prev].next = next;
    wheel->pool[next].prev = timer->prev;
    if (next < HEADS && is_empty(wheel, next)) {
        wheel->occupied[next / 64] &= ~((uint64_t)1 << next % 64);
    }
}

/* -- timers -- */

static void clear(struct wheel *wheel, uint32_t *timer)
{
    link_out(wheel, *timer);
    wheel->pool[*timer].next = wheel->free_head;
    wheel->free_head = *timer;
    wheel->live--;
    *timer = WHEEL_NONE;
}

static uint32_t take(struct wheel *wheel)
{
    uint32_t index = wheel->free_head;
    CHECK(wheel->live < wheel->max);
    wheel->live++;
    if (index) {
        wheel->free_head = wheel->pool[index].next;
        return index;
    }
    return ++wheel->used;
}

/* Where time is and how far it is counted; what is overdue is due at once. */
static uint64_t placed_at(struct wheel *wheel, uint64_t due_ms, uint64_t now_ms)
{
    if (wheel->live == 0 && now_ms > wheel->at_ms) {
        wheel->at_ms = now_ms;
    }
    due_ms = due_ms < wheel->at_ms ? wheel->at_ms : due_ms;
    return due_ms - wheel->at_ms < SPAN ? due_ms : wheel->at_ms + SPAN - 1;
}

void wheel_set(struct wheel *wheel, uint32_t *timer, uint64_t due_ms, uint64_t now_ms,
               enum wheel_kind kind, uint32_t ref, uint16_t part)
{
    if (due_ms == WHEEL_NEVER) {
        if (*timer) {
            clear(wheel, timer);
        }
        return;
    }
    uint64_t placed = placed_at(wheel, due_ms, now_ms);
    if (*timer && wheel->pool[*timer].due_ms == placed) {
        return;
    }
    if (*timer) {
        link_out(wheel, *timer);
    } else {
        *timer = take(wheel);
    }
    struct wheel_timer *own = &wheel->pool[*timer];
    *own = (struct wheel_timer){.due_ms = placed, .ref = ref, .part = part, .kind = (uint8_t)kind};
    link_in(wheel, *timer);
    wheel->soonest_ms = placed < wheel->soonest_ms ? placed : wheel->soonest_ms;
}

/* -- set aside -- */

static void list_begin(struct wheel *wheel, uint32_t *list)
{
    *list = take(wheel);
    wheel->pool[*list] =
        (struct wheel_timer){.due_ms = WHEEL_NEVER, .next = *list, .prev = *list};
    wheel->aside++;
}

static void list_end(struct wheel *wheel, uint32_t *list)
{
    CHECK(is_empty(wheel, *list));
    clear(wheel, list);
}

void wheel_park(struct wheel *wheel, uint32_t *timer, uint32_t *list)
{
    struct wheel_timer *own = &wheel->pool[*timer];
    CHECK(*timer != WHEEL_NONE);
    if (!*list) {
        list_begin(wheel, list);
    }
    link_out(wheel, *timer);
    own->due_ms = WHEEL_NEVER;
    own->next = *list;
    own->prev = wheel->pool[*list].prev;
    wheel->pool[own->prev].next = *timer;
    wheel->pool[*list].prev = *timer;
    wheel->aside++;
}

void wheel_parked_move(struct wheel *wheel, uint32_t *from, uint32_t *to)
{
    if (*from && !*to) {
        *to = *from;
        *from = 0;
    } else if (*from && !is_empty(wheel, *from)) {
        struct wheel_timer *head = &wheel->pool[*from];
        struct wheel_timer *other = &wheel->pool[*to];
        wheel->pool[head->next].prev = other->prev;
        wheel->pool[other->prev].next = head->next;
        wheel->pool[head->prev].next = *to;
        other->prev = head->prev;
        head->next = head->prev = *from;
    }
    if (*from) {
        list_end(wheel, from);
    }
}

const struct wheel_timer *wheel_parked(struct wheel *wheel, uint32_t *list)
{
    if (*list && is_empty(wheel, *list)) {
        list_end(wheel, list);
    }
    return *list ? &wheel->pool[wheel->pool[*list].next] : NULL;
}

/* -- time -- */

/* First occupied slot of a level, by its number, not before the present one; WHEEL_NEVER: none.
 * A ring holds numbers from the present one on, each once. */
static uint64_t first_slot(const struct wheel *wheel, uint32_t level)
{
    uint64_t now = wheel->at_ms >> width(level);
    uint32_t begin = (uint32_t)(now & (RING - 1));
    const uint64_t *bits = wheel->occupied + level * WORDS;
    for (uint32_t i = 0; i <= WORDS; i++) {
        uint32_t word = (begin / 64 + i) % WORDS;
        uint64_t here = bits[word];
        if (i == 0) {
            here &= ~(uint64_t)0 << begin % 64;
        } else if (i == WORDS) {
            here &= ((uint64_t)1 << begin % 64) - 1;
        }
        if (here) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(here);
            return now + ((slot - begin) & (RING - 1));
        }
    }
    return WHEEL_NEVER;
}

/* The slot above level 0 that must be empty soonest: when its time begins, and its level. */
static uint64_t next_above(const struct wheel *wheel, uint32_t *level_out)
{
    uint64_t soonest = WHEEL_NEVER;
    for (uint32_t level = LEVELS - 1; level > 0; level--) {
        uint64_t slot = first_slot(wheel, level);
        if (slot != WHEEL_NEVER && slot << width(level) < soonest) {
            soonest = slot << width(level);
            *level_out = level;
        }
    }
    return soonest;
}

/* Move timers of a slot to the levels below, which reach it: it is the next of its level. */
static bool hand_down(struct wheel *wheel, uint32_t head, uint32_t *steps)
{
    while (!is_empty(wheel, head)) {
        if (*steps == 0) {
            return false;
        }
        --*steps;
        uint32_t index = wheel->pool[head].next;
        link_out(wheel, index);
        link_in(wheel, index);
    }
    return true;
}

/* Only to where every slot on the way is empty. */
static void time_pass(struct wheel *wheel, uint64_t at_ms)
{
    wheel->at_ms = at_ms > wheel->at_ms ? at_ms : wheel->at_ms;
}

bool wheel_next(struct wheel *wheel, uint64_t limit_ms, uint32_t *steps, uint64_t *due_out)
{
    for (;;) {
        uint32_t level = 0;
        uint64_t first = first_slot(wheel, 0);
        uint64_t above = next_above(wheel, &level);
        uint64_t soonest = first < above ? first : above;
        wheel->soonest_ms = soonest;
        if (soonest > limit_ms) {
            time_pass(wheel, limit_ms);
            *due_out = WHEEL_NEVER;
            return true;
        }
        if (first < above) {
            time_pass(wheel, first);
            *due_out = first;
            return true;
        }
        time_pass(wheel, above - ((uint64_t)1 << width(level)));
        if (!hand_down(wheel, head_of(level, above), steps)) {
            return false;
        }
    }
}

const struct wheel_timer *wheel_first(const struct wheel *wheel, uint64_t due_ms)
{
    uint32_t first = wheel->pool[head_of(0, due_ms)].next;
    return first < HEADS ? NULL : &wheel->pool[first];
}

uint32_t wheel_count_at(const struct wheel *wheel, uint64_t due_ms, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t i = wheel->pool[head_of(0, due_ms)].next; i >= HEADS && count < max; count++) {
        i = wheel->pool[i].next;
    }
    return count;
}

void wheel_prepare(struct wheel *wheel, uint32_t steps)
{
    for (uint32_t level = 1; level < LEVELS && steps > 0; level++) {
        uint64_t next = (wheel->at_ms >> width(level)) + 1;
        (void)hand_down(wheel, head_of(level, next << width(level)), &steps);
    }
}

void wheel_check(const struct wheel *wheel)
{
    uint32_t live = 0;
    for (uint32_t head = 0; head < HEADS; head++) {
        bool is_set = (wheel->occupied[head / 64] >> head % 64 & 1) != 0;
        CHECK(is_set == !is_empty(wheel, head));
        if (head >= RING && head == head_of(head / RING, wheel->at_ms)) {
            CHECK(!is_set); /* what its slot held was handed down before */
        }
        for (uint32_t i = wheel->pool[head].next; i != head; i = wheel->pool[i].next) {
            const struct wheel_timer *timer = &wheel->pool[i];
            CHECK(timer->due_ms >= wheel->at_ms);
            CHECK(head_of(head / RING, timer->due_ms) == head);
            CHECK(wheel->pool[timer->next].prev == i);
            live++;
        }
    }
    CHECK(live + wheel->aside == wheel->live);
}
