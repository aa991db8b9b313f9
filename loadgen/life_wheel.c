/* A record is [words, order low, order high, the words]. A slot is read when its time is over. */
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

bool life_wheel_take(struct life_wheel *wheel, uint64_t now_ns, struct life_record *out)
{
    uint64_t now_slot = now_ns / wheel->width_ns;
    while (wheel->current < now_slot) {
        struct life_slot *slot = &wheel->slots[wheel->current % LIFE_SLOTS];
        if (wheel->read < slot->used) {
            const uint32_t *at = slot->words + wheel->read;
            *out = (struct life_record){.order = (uint64_t)at[2] << 32 | at[1],
                                        .words = at + RECORD_HEAD};
            wheel->read += RECORD_HEAD + at[0];
            CHECK(wheel->waiting > 0);
            wheel->waiting--;
            return true;
        }
        slot->used = 0;
        wheel->read = 0;
        wheel->current++;
    }
    return false;
}
