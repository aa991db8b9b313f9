/* Words looked at together, in each instruction set, against a loop over their bits. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "nearest_kernel.h"
#include "rng.h"

enum { WORDS = 40, MAPS = 4, ROUNDS = 20000 };

static struct rng rng;
static float x[WORDS * 64], y[WORDS * 64], z[WORDS * 64];
static uint64_t bits[MAPS][WORDS];
static struct slot_point points[WORDS * 64] __attribute__((aligned(64)));
static struct network network = {.words = WORDS, .x = x, .y = y, .z = z, .points = points};

static uint32_t draw(uint32_t bound)
{
    return (uint32_t)rng_below(&rng, bound);
}

/* A grid, so that many distances are equal. */
static float draw_coordinate(void)
{
    return (float)draw(9) / 8 - 0.5f;
}

/* From no bit to all of them. */
static void draw_bits(void)
{
    uint32_t share = draw(9);
    for (uint32_t map = 0; map < MAPS; map++) {
        for (uint32_t word = 0; word < WORDS; word++) {
            bits[map][word] = 0;
            for (uint32_t bit = 0; bit < 64; bit++) {
                bits[map][word] |= (uint64_t)(draw(8) < share) << bit;
            }
        }
    }
}

struct asked {
    float place[3];
    uint16_t words[WORD_BLOCK]; /* different ones, as a list has */
    uint32_t count, map_count;
    struct slot_map maps[MAPS];
};

static void draw_asked(struct asked *asked)
{
    uint32_t first = draw(WORDS);
    for (int i = 0; i < 3; i++) {
        asked->place[i] = draw_coordinate();
    }
    for (uint32_t i = 0; i < WORD_BLOCK; i++) {
        asked->words[i] = (uint16_t)((first + i * 3) % WORDS);
    }
    asked->count = 1 + draw(WORD_BLOCK);
    asked->map_count = 1 + draw(MAPS);
    for (uint32_t i = 0; i < asked->map_count; i++) {
        asked->maps[i] = (struct slot_map){bits[i], draw(4) ? WORDS : draw(WORDS + 1)};
    }
}

static bool is_able(const struct asked *asked, uint32_t slot)
{
    for (uint32_t i = 0; i < asked->map_count; i++) {
        const struct slot_map *map = &asked->maps[i];
        if (slot / 64 >= map->words || !(map->bits[slot / 64] >> (slot % 64) & 1)) {
            return false;
        }
    }
    return true;
}

static int64_t key_of(const struct asked *asked, uint32_t slot)
{
    float dx = x[slot] - asked->place[0];
    float dy = y[slot] - asked->place[1];
    float dz = z[slot] - asked->place[2];
    return key_make(dx * dx + dy * dy + dz * dz, slot);
}

static int64_t naive(const struct asked *asked, int64_t *second)
{
    int64_t least = KEY_NONE;
    *second = KEY_NONE;
    for (uint32_t slot = 0; slot < WORDS * 64; slot++) {
        bool is_asked = false;
        for (uint32_t i = 0; i < asked->count; i++) {
            is_asked = is_asked || asked->words[i] == slot / 64;
        }
        int64_t key = is_asked && is_able(asked, slot) ? key_of(asked, slot) : KEY_NONE;
        if (key < least) {
            *second = least;
            least = key;
        } else if (key < *second) {
            *second = key;
        }
    }
    return least;
}

int main(void)
{
    const struct nearest_kernel *kernels[3];
    uint32_t kernel_count = nearest_kernels(kernels);
    uint64_t found = 0;
    rng_init(&rng, 20261122);
    for (uint32_t slot = 0; slot < WORDS * 64; slot++) {
        x[slot] = draw_coordinate();
        y[slot] = draw_coordinate();
        z[slot] = draw_coordinate();
        points[slot] = (struct slot_point){x[slot], y[slot], z[slot], draw_coordinate()};
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct asked asked;
        int64_t second;
        if (round % 50 == 0) {
            draw_bits();
        }
        draw_asked(&asked);
        int64_t least = naive(&asked, &second);
        found += second != KEY_NONE;
        for (uint32_t k = 0; k < kernel_count; k++) {
            int64_t own_second;
            int64_t own = kernels[k]->block(&network, asked.place, asked.words, asked.count,
                                            asked.maps, asked.map_count, &own_second);
            CHECK(own == least);
            CHECK(own_second == second);
        }
    }
    printf("%llu of %d blocks with two and more\n", (unsigned long long)found, ROUNDS);
    CHECK(found > 0);
    CHECK(found < ROUNDS);
    return 0;
}
