/* Distance loops for gcc's vectoriser: one body each, compiled for three instruction sets. */
#include "nearest_kernel.h"

#include <math.h>

#define BODY static inline __attribute__((always_inline))

BODY float square(float x)
{
    return x * x;
}

BODY void and_body(uint64_t *restrict to, const uint64_t *restrict with, uint32_t words)
{
    for (uint32_t w = 0; w < words; w++) {
        to[w] &= with[w];
    }
}

BODY void caps_body(const struct network *network, const float place[3],
                    const uint64_t *restrict bits, uint32_t words, int64_t *restrict keys)
{
    const float *restrict x = network->cap_x;
    const float *restrict y = network->cap_y;
    const float *restrict z = network->cap_z;
    const float *restrict radius = network->cap_radius;
    const float px = place[0];
    const float py = place[1];
    const float pz = place[2];
    for (uint32_t w = 0; w < words; w++) {
        float chord = sqrtf(square(x[w] - px) + square(y[w] - py) + square(z[w] - pz));
        float bound = chord - radius[w] - CAP_SLACK;
        int64_t key = key_make(bound > 0 ? bound : 0, w);
        keys[w] = bits[w] ? key : KEY_NONE;
    }
}

/* A table, since gcc 12 does not vectorise a shift of bits by the loop's index. */
#define ONES4(i)  (uint64_t)1 << (i), (uint64_t)2 << (i), (uint64_t)4 << (i), (uint64_t)8 << (i)
#define ONES16(i) ONES4(i), ONES4((i) + 4), ONES4((i) + 8), ONES4((i) + 12)
static const uint64_t one_of_64[64] = {ONES16(0), ONES16(16), ONES16(32), ONES16(48)};

BODY void word_body(const struct network *network, const float place[3], uint32_t word,
                    uint64_t bits, int64_t *restrict keys)
{
    const float *restrict x = network->x + (size_t)word * 64;
    const float *restrict y = network->y + (size_t)word * 64;
    const float *restrict z = network->z + (size_t)word * 64;
    const float px = place[0];
    const float py = place[1];
    const float pz = place[2];
    for (uint32_t i = 0; i < 64; i++) {
        float d = square(x[i] - px) + square(y[i] - py) + square(z[i] - pz);
        int64_t key = key_make(d, word * 64 + i);
        keys[i] = bits & one_of_64[i] ? key : KEY_NONE;
    }
}

BODY void list_body(const struct network *network, const float place[3],
                    const uint16_t *restrict slots, uint32_t count, int64_t *restrict keys)
{
    const float px = place[0];
    const float py = place[1];
    const float pz = place[2];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = slots[i];
        float d = square(network->x[slot] - px) + square(network->y[slot] - py) +
                  square(network->z[slot] - pz);
        keys[i] = key_make(d, i);
    }
}

BODY int64_t least_body(const int64_t *restrict keys, uint32_t count)
{
    int64_t least = KEY_NONE;
    for (uint32_t i = 0; i < count; i++) {
        least = keys[i] < least ? keys[i] : least;
    }
    return least;
}

#define VARIANT(NAME, TARGET)                                                                      \
    TARGET static void caps_##NAME(const struct network *network, const float place[3],            \
                                   const uint64_t *bits, uint32_t words, int64_t *keys)            \
    {                                                                                              \
        caps_body(network, place, bits, words, keys);                                              \
    }                                                                                              \
    TARGET static void and_##NAME(uint64_t *to, const uint64_t *with, uint32_t words)              \
    {                                                                                              \
        and_body(to, with, words);                                                                 \
    }                                                                                              \
    TARGET static void word_##NAME(const struct network *network, const float place[3],            \
                                   uint32_t word, uint64_t bits, int64_t *keys)                    \
    {                                                                                              \
        word_body(network, place, word, bits, keys);                                               \
    }                                                                                              \
    TARGET static void list_##NAME(const struct network *network, const float place[3],            \
                                   const uint16_t *slots, uint32_t count, int64_t *keys)           \
    {                                                                                              \
        list_body(network, place, slots, count, keys);                                             \
    }                                                                                              \
    TARGET static int64_t least_##NAME(const int64_t *keys, uint32_t count)                        \
    {                                                                                              \
        return least_body(keys, count);                                                            \
    }                                                                                              \
    static const struct nearest_kernel kernel_##NAME = {#NAME,       caps_##NAME, and_##NAME,      \
                                                        word_##NAME, list_##NAME, least_##NAME};

VARIANT(plain, )

#if defined(__x86_64__)
VARIANT(avx2, __attribute__((target("avx2"))))
#if defined(__clang__)
#define WIDE __attribute__((target("avx512f,avx512dq"), min_vector_width(512)))
#else
#define WIDE __attribute__((target("avx512f,avx512dq,prefer-vector-width=512")))
#endif
VARIANT(avx512, WIDE)
#endif

uint32_t nearest_kernels(const struct nearest_kernel *out[3])
{
    uint32_t count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
        out[count++] = &kernel_avx512;
    }
    if (__builtin_cpu_supports("avx2")) {
        out[count++] = &kernel_avx2;
    }
#endif
    out[count++] = &kernel_plain;
    return count;
}
