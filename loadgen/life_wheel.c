/* A record is [words, order low, order high, the words]. A slot is read when its time is over,
 * evenly over the time of the next one: what ends within 5 ms does not end at once. */
#include "life_wheel.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { RECORD_HEAD = 3 };

void life_wheel_init(struct life_wheel *wheel, uint64_t horizon_ns, uint64_t now_ns)
{
    *wheel = (struct life_wheel){.width_ns = horizon_ns / (LIFE_SLOTS - 2)};
    CHECK(wheel->width_ns > 0);
    wheel->current = now_ns / wheel->width_ns;
}

void life_wheel_close(struct life_wheel *wheel)
{
    for (int i = 0; i < LIFE_SLOTS; i++) {
        free(wheel->slots[i].words);
    }
    *wheel = (struct life_wheel){0};
}

static void reserve(struct life_slot *slot, uint32_t count)
{
    if (slot->capacity - slot->used >= count) {
        return;
    }
    uint32_t capacity = slot->capacity == 0 ? 256 : slot->capacity;
    while (capacity - slot->used < count) {
        CHECK(capacity < 1u << 31);
        capacity *= 2;
    }
    slot->words = realloc(slot->words, capacity * sizeof *slot->words);
    CHECK(slot->words != NULL);
    slot->capacity = capacity;
}

/* The slot of a time, never the one being read nor one before it. */
static uint64_t slot_number(const struct life_wheel *wheel, uint64_t due_ns)
{
    uint64_t number = due_ns / wheel->width_ns;
    uint64_t last = wheel->current + LIFE_SLOTS - 1;
    if (number <= wheel->current) {
        return wheel->current + 1;
    }
    return number < last ? number : last;
}

void life_wheel_add(struct life_wheel *wheel, uint64_t due_ns, uint64_t order,
                    const uint32_t *words, uint32_t count)
{
    struct life_slot *slot = &wheel->slots[slot_number(wheel, due_ns) % LIFE_SLOTS];
    reserve(slot, RECORD_HEAD + count);
    uint32_t *at = slot->words + slot->used;
    at[0] = count;
    at[1] = (uint32_t)order;
    at[2] = (uint32_t)(order >> 32);
    memcpy(at + RECORD_HEAD, words, count * sizeof *words);
    slot->used += RECORD_HEAD + count;
    wheel->waiting++;
}

/* Words of the slot being read that are due at now_ns: all once the next slot's time is over too,
 * before that as much of them as of that time has passed. */
static uint32_t due_words(const struct life_wheel *wheel, const struct life_slot *slot,
                          uint64_t now_ns)
{
    const uint64_t begin_ns = (wheel->current + 1) * wheel->width_ns;
    const uint64_t passed_ns = now_ns > begin_ns ? now_ns - begin_ns : 0;
    if (passed_ns >= wheel->width_ns) {
        return slot->used;
    }
    return (uint32_t)((double)slot->used * (double)passed_ns / (double)wheel->width_ns);
}

bool life_wheel_take(struct life_wheel *wheel, uint64_t now_ns, struct life_record *out)
{
    const uint64_t now_slot = now_ns / wheel->width_ns;
    while (wheel->current < now_slot) {
        struct life_slot *slot = &wheel->slots[wheel->current % LIFE_SLOTS];
        if (wheel->read < due_words(wheel, slot, now_ns)) {
            const uint32_t *at = slot->words + wheel->read;
            *out = (struct life_record){.order = (uint64_t)at[2] << 32 | at[1],
                                        .words = at + RECORD_HEAD};
            wheel->read += RECORD_HEAD + at[0];
            CHECK(wheel->waiting > 0);
            wheel->waiting--;
            return true;
        }
        if (wheel->read < slot->used || wheel->current + 1 == now_slot) {
            return false;
        }
        slot->used = 0;
        wheel->read = 0;
        wheel->current++;
    }
    return false;
}
