/* Distance loops for gcc's vectoriser: one body each, compiled for three instruction sets. */
#include "nearest_kernel.h"

#include <math.h>
#include <stdbool.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "geo.h"

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

BODY uint64_t maps_meet(const struct slot_map *maps, uint32_t map_count, uint32_t word)
{
    uint64_t bits = ~(uint64_t)0;
    for (uint32_t i = 0; i < map_count; i++) {
        bits &= word < maps[i].words ? maps[i].bits[word] : 0;
    }
    return bits;
}

BODY int64_t block_body(const struct network *network, const float place[3], const uint16_t *words,
                        uint32_t count, const struct slot_map *maps, uint32_t map_count,
                        int64_t *second)
{
    int64_t least = KEY_NONE;
    *second = KEY_NONE;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bits = maps_meet(maps, map_count, words[i]);
        for (; bits; bits &= bits - 1) {
            uint32_t slot = words[i] * 64u + (uint32_t)__builtin_ctzll(bits);
            const struct slot_point *point = &network->points[slot];
            float d = square(point->x - place[0]) + square(point->y - place[1]) +
                      square(point->z - place[2]);
            int64_t key = key_make(d, slot);
            int64_t other = key < least ? least : key;
            least = key < least ? key : least;
            *second = other < *second ? other : *second;
        }
    }
    return least;
}

BODY int64_t least_body(const int64_t *restrict keys, uint32_t count)
{
    int64_t least = KEY_NONE;
    for (uint32_t i = 0; i < count; i++) {
        least = keys[i] < least ? keys[i] : least;
    }
    return least;
}

/* asin of x in [0, 1] by the rational function of fdlibm's e_asin.c (Sun Microsystems, 1993), off
 * by less than 1e-15. */
BODY double arc_sine(double x)
{
    bool is_low = x < 0.5;
    double t = is_low ? x * x : (1.0 - x) * 0.5;
    double p = 7.91534994289814532176e-04 + t * 3.47933107596021167570e-05;
    p = 2.01212532134862925881e-01 + t * (-4.00555345006794114027e-02 + t * p);
    p = t * (1.66666666666666657415e-01 + t * (-3.25565818622400915405e-01 + t * p));
    double q = -6.88283971605453293030e-01 + t * 7.70381505559019352791e-02;
    q = 1.0 + t * (-2.40339491173441421878e+00 + t * (2.02094576023350569471e+00 + t * q));
    double s = is_low ? x : sqrt(t);
    double v = s + s * (p / q);
    return is_low ? v : M_PI_2 - 2.0 * v;
}

/* geo_metres rounds 2 R asin(...) to the nearest metre. Here asin differs by less than 1e-14, so
 * the metres by less than 1e-6: where a fraction is farther from its jump than that, the metres
 * are the same. */
BODY void metres_body(const struct network *network, const double place[3], uint32_t word,
                      uint32_t *restrict metres)
{
    const double *restrict x = network->point_x + (size_t)word * 64;
    const double *restrict y = network->point_y + (size_t)word * 64;
    const double *restrict z = network->point_z + (size_t)word * 64;
    const double px = place[0];
    const double py = place[1];
    const double pz = place[2];
    for (uint32_t i = 0; i < 64; i++) {
        double dx = x[i] - px;
        double dy = y[i] - py;
        double dz = z[i] - pz;
        double half_chord = 0.5 * sqrt(dx * dx + dy * dy + dz * dz);
        half_chord = half_chord > 1.0 ? 1.0 : half_chord;
        double exact = 2.0 * GEO_RADIUS_M * arc_sine(half_chord) + 0.5;
        int32_t whole = (int32_t)exact;
        double part = exact - (double)whole;
        bool is_sure = part > 1e-6 && part < 1.0 - 1e-6;
        metres[i] = is_sure ? (uint32_t)whole : METRES_UNSURE;
    }
}

BODY void reduce_body(const int32_t *restrict cost, const uint16_t *restrict shares, size_t stride,
                      const int32_t *restrict price, uint32_t items, uint32_t count,
                      int32_t *restrict reduced, int32_t *restrict block_least)
{
    for (uint32_t block = 0; block < count; block += REDUCE_BLOCK) {
        int32_t *restrict sum = reduced + block;
        for (uint32_t i = 0; i < REDUCE_BLOCK; i++) {
            sum[i] = cost[block + i];
        }
        for (uint32_t item = 0; item < items; item++) {
            const uint16_t *restrict share = shares + item * stride + block;
            const int32_t each = price[item];
            for (uint32_t i = 0; i < REDUCE_BLOCK; i++) {
                sum[i] -= each * share[i];
            }
        }
        int32_t least = INT32_MAX;
        for (uint32_t i = 0; i < REDUCE_BLOCK; i++) {
            least = sum[i] < least ? sum[i] : least;
        }
        block_least[block / REDUCE_BLOCK] = least;
    }
}

BODY void gain_body(const uint16_t *restrict shares, size_t stride, const uint8_t *restrict left,
                    uint32_t items, uint32_t count, uint16_t *restrict gain)
{
    for (uint32_t block = 0; block < count; block += REDUCE_BLOCK) {
        uint16_t sum[REDUCE_BLOCK] = {0};
        for (uint32_t item = 0; item < items; item++) {
            const uint16_t *restrict share = shares + item * stride + block;
            const uint16_t most = left[item];
            for (uint32_t i = 0; i < REDUCE_BLOCK; i++) {
                uint16_t given = share[i] < most ? share[i] : most;
                sum[i] = (uint16_t)(sum[i] + given);
            }
        }
        for (uint32_t i = 0; i < REDUCE_BLOCK; i++) {
            gain[block + i] = sum[i];
        }
    }
}

/* A block of a bitmap in registers, as wide as they are. */
typedef uint64_t lanes __attribute__((vector_size(COLUMN_BLOCK * sizeof(uint64_t))));

/* sum, of one digit, takes two more bits in; what it carries into carry. */
#define ADD_TWO(sum, x, y, carry)                                                                  \
    do {                                                                                           \
        lanes differ = (x) ^ (y);                                                                  \
        (carry) = ((x) & (y)) | (differ & (sum));                                                  \
        (sum) ^= differ;                                                                           \
    } while (0)

#define CARRY_ON(planes, from, digits, carry)                                                      \
    for (uint32_t digit = (from); digit < (digits); digit++) {                                     \
        lanes next = (planes)[digit] & (carry);                                                    \
        (planes)[digit] ^= (carry);                                                                \
        (carry) = next;                                                                            \
    }

#define LOAD_COLUMN(to, block, item)                                                               \
    memcpy(&(to), (block) + (size_t)(item)*COLUMN_BLOCK, sizeof(lanes))

/* Digits of the counts of one block. Four columns at a time, so that the upper digits move once. */
BODY void count_block(const uint64_t *block, const uint16_t *listed, uint32_t count,
                      uint32_t digits, lanes *planes)
{
    lanes a, b, twos, more, fours;
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        LOAD_COLUMN(a, block, listed[i]);
        LOAD_COLUMN(b, block, listed[i + 1]);
        ADD_TWO(planes[0], a, b, twos);
        LOAD_COLUMN(a, block, listed[i + 2]);
        LOAD_COLUMN(b, block, listed[i + 3]);
        ADD_TWO(planes[0], a, b, more);
        ADD_TWO(planes[1], twos, more, fours);
        CARRY_ON(planes, 2, digits, fours)
    }
    for (; i < count; i++) {
        LOAD_COLUMN(a, block, listed[i]);
        CARRY_ON(planes, 0, digits, a)
    }
}

BODY void touch_digits(const struct columns *columns, const uint16_t *listed, uint32_t count,
                       uint32_t least, const uint64_t *open, uint64_t *able, uint64_t *planes,
                       size_t stride, uint32_t digits)
{
    for (uint32_t block = 0; block < columns->blocks; block++) {
        const uint64_t *words = columns->words + (size_t)block * columns->items * COLUMN_BLOCK;
        lanes counts[COLUMN_DIGITS] = {0};
        lanes equal, more = {0};
        count_block(words, listed, count, digits, counts);
        memcpy(&equal, open + (size_t)block * COLUMN_BLOCK, sizeof equal);
        for (uint32_t digit = digits; digit-- > 0;) {
            memcpy(planes + digit * stride + (size_t)block * COLUMN_BLOCK, &counts[digit],
                   sizeof counts[digit]);
            if (least >> digit & 1) {
                equal &= counts[digit];
            } else {
                more |= equal & counts[digit];
                equal &= ~counts[digit];
            }
        }
        more |= equal;
        memcpy(able + (size_t)block * COLUMN_BLOCK, &more, sizeof more);
    }
}

/* The digits are told to the compiler, so that they stay in registers. */
BODY void touch_body(const struct columns *columns, const uint16_t *listed, uint32_t count,
                     uint32_t least, const uint64_t *open, uint64_t *able, uint64_t *planes,
                     size_t stride)
{
    if (count < 1 << 4) {
        touch_digits(columns, listed, count, least, open, able, planes, stride, 4);
    } else if (count < 1 << 6) {
        touch_digits(columns, listed, count, least, open, able, planes, stride, 6);
    } else {
        touch_digits(columns, listed, count, least, open, able, planes, stride, COLUMN_DIGITS);
    }
}

/* Columns between two looks whether anything is left. */
enum { LOOK_EVERY = 4 };

BODY bool has_bits(const lanes *block)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < COLUMN_BLOCK; i++) {
        any |= (*block)[i];
    }
    return any != 0;
}

BODY void meet_body(const struct columns *columns, const uint16_t *listed, uint32_t count,
                    const uint64_t *open, uint64_t *able)
{
    for (uint32_t block = 0; block < columns->blocks; block++) {
        const uint64_t *words = columns->words + (size_t)block * columns->items * COLUMN_BLOCK;
        lanes left, column;
        memcpy(&left, open + (size_t)block * COLUMN_BLOCK, sizeof left);
        for (uint32_t i = 0; i < count && (i % LOOK_EVERY != 0 || has_bits(&left)); i++) {
            LOAD_COLUMN(column, words, listed[i]);
            left &= column;
        }
        memcpy(able + (size_t)block * COLUMN_BLOCK, &left, sizeof left);
    }
}

#define VARIANT(NAME, TARGET, BLOCK)                                                               \
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
    BLOCK                                                                                          \
    TARGET static int64_t least_##NAME(const int64_t *keys, uint32_t count)                        \
    {                                                                                              \
        return least_body(keys, count);                                                            \
    }                                                                                              \
    TARGET static void metres_##NAME(const struct network *network, const double place[3],         \
                                     uint32_t word, uint32_t *metres)                              \
    {                                                                                              \
        metres_body(network, place, word, metres);                                                 \
    }                                                                                              \
    TARGET static void reduce_##NAME(const int32_t *cost, const uint16_t *shares, size_t stride,   \
                                     const int32_t *price, uint32_t items, uint32_t count,         \
                                     int32_t *reduced, int32_t *block_least)                       \
    {                                                                                              \
        reduce_body(cost, shares, stride, price, items, count, reduced, block_least);              \
    }                                                                                              \
    TARGET static void gain_##NAME(const uint16_t *shares, size_t stride, const uint8_t *left,     \
                                   uint32_t items, uint32_t count, uint16_t *gain)                 \
    {                                                                                              \
        gain_body(shares, stride, left, items, count, gain);                                       \
    }                                                                                              \
    TARGET static void touch_##NAME(const struct columns *columns, const uint16_t *listed,         \
                                    uint32_t count, uint32_t least, const uint64_t *open,          \
                                    uint64_t *able, uint64_t *planes, size_t stride)               \
    {                                                                                              \
        touch_body(columns, listed, count, least, open, able, planes, stride);                     \
    }                                                                                              \
    TARGET static void meet_##NAME(const struct columns *columns, const uint16_t *listed,          \
                                   uint32_t count, const uint64_t *open, uint64_t *able)           \
    {                                                                                              \
        meet_body(columns, listed, count, open, able);                                             \
    }                                                                                              \
    static const struct nearest_kernel kernel_##NAME = {                                           \
        #NAME,        caps_##NAME,   and_##NAME,    word_##NAME, list_##NAME,  block_##NAME,       \
        least_##NAME, metres_##NAME, reduce_##NAME, gain_##NAME, touch_##NAME, meet_##NAME};

#define PLAIN_BLOCK(NAME, TARGET)                                                                  \
    TARGET static int64_t block_##NAME(                                                            \
        const struct network *network, const float place[3], const uint16_t *words,                \
        uint32_t count, const struct slot_map *maps, uint32_t map_count, int64_t *second)          \
    {                                                                                              \
        return block_body(network, place, words, count, maps, map_count, second);                  \
    }

VARIANT(plain, , PLAIN_BLOCK(plain, ))

#if defined(__x86_64__)
#define MIDDLE __attribute__((target("avx2")))
#if defined(__clang__)
#define WIDE __attribute__((target("avx512f,avx512dq,avx512cd"), min_vector_width(512)))
#else
#define WIDE __attribute__((target("avx512f,avx512dq,avx512cd,prefer-vector-width=512")))
#endif

/* Words of one bitmap, a load each: half the time of a gather (Zen 5: 5 cycles against 10), which
 * is taken where some word lies behind the bitmap's end. */
WIDE BODY __m512i map_lanes(const struct slot_map *map, const uint16_t *words, __m512i word,
                            __mmask8 used)
{
    const uint64_t *bits = map->bits;
    __mmask8 in = _mm512_mask_cmplt_epu64_mask(used, word, _mm512_set1_epi64(map->words));
    if (__builtin_expect(in != 0xff, 0)) {
        return _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), in, word, bits, 8);
    }
    return _mm512_set_epi64((int64_t)bits[words[7]], (int64_t)bits[words[6]],
                            (int64_t)bits[words[5]], (int64_t)bits[words[4]],
                            (int64_t)bits[words[3]], (int64_t)bits[words[2]],
                            (int64_t)bits[words[1]], (int64_t)bits[words[0]]);
}

/* Squared chords to four slots, each at the beginning of its quarter. */
WIDE BODY __m512 four_chords(const struct slot_point *points, __m512 place, const uint64_t *slots)
{
    __m512 at = _mm512_castps128_ps512(_mm_load_ps(&points[slots[0]].x));
    at = _mm512_insertf32x4(at, _mm_load_ps(&points[slots[1]].x), 1);
    at = _mm512_insertf32x4(at, _mm_load_ps(&points[slots[2]].x), 2);
    at = _mm512_insertf32x4(at, _mm_load_ps(&points[slots[3]].x), 3);
    at = _mm512_sub_ps(at, place);
    at = _mm512_mul_ps(at, at);
    return _mm512_add_ps(_mm512_add_ps(at, _mm512_permute_ps(at, 1)), _mm512_permute_ps(at, 2));
}

/* Keys of the lowest bit of each word, which is taken out. */
WIDE BODY __m512i lowest_keys(const struct slot_point *points, __m512 place, __m512i *bits,
                              __m512i last)
{
    const __m512i quarters = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 28, 24, 20, 16, 12, 8, 4, 0);
    _Alignas(64) uint64_t slots[WORD_BLOCK];
    __mmask8 has = _mm512_test_epi64_mask(*bits, *bits);
    __m512i low = _mm512_and_si512(*bits, _mm512_sub_epi64(_mm512_setzero_si512(), *bits));
    __m512i slot = _mm512_maskz_sub_epi64(has, last, _mm512_lzcnt_epi64(low));
    _mm512_store_si512(slots, slot);
    *bits = _mm512_xor_si512(*bits, low);
    __m512 d = _mm512_permutex2var_ps(four_chords(points, place, slots), quarters,
                                      four_chords(points, place, slots + 4));
    __m512i key = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(_mm512_castps_si512(d)));
    key = _mm512_or_si512(_mm512_slli_epi64(key, 16), slot);
    return _mm512_mask_mov_epi64(_mm512_set1_epi64(KEY_NONE), has, key);
}

/* Each word in its lane: in each round the lowest bit of all words at once. More than two rounds
 * are rare where words have few candidates, so hardly a branch depends on what is found where. No
 * compiler makes this of the plain loop. */
WIDE static int64_t block_avx512(const struct network *network, const float place[3],
                                 const uint16_t *words, uint32_t count, const struct slot_map *maps,
                                 uint32_t map_count, int64_t *second)
{
    const __m512i word = _mm512_cvtepu16_epi64(_mm_loadu_si128((const void *)words));
    const __m512i last = _mm512_add_epi64(_mm512_slli_epi64(word, 6), _mm512_set1_epi64(63));
    const __mmask8 used = (__mmask8)((1u << count) - 1);
    const __m512 at = _mm512_broadcast_f32x4(_mm_set_ps(0, place[2], place[1], place[0]));
    __m512i bits = map_lanes(&maps[0], words, word, used);
    for (uint32_t i = 1; i < map_count; i++) {
        bits = _mm512_and_si512(bits, map_lanes(&maps[i], words, word, used));
    }
    __m512i key = lowest_keys(network->points, at, &bits, last);
    __m512i least = lowest_keys(network->points, at, &bits, last);
    __m512i behind = _mm512_max_epi64(least, key);
    least = _mm512_min_epi64(least, key);
    while (_mm512_test_epi64_mask(bits, bits)) {
        key = lowest_keys(network->points, at, &bits, last);
        behind = _mm512_min_epi64(behind, _mm512_max_epi64(least, key));
        least = _mm512_min_epi64(least, key);
    }
    int64_t best = _mm512_reduce_min_epi64(least);
    __mmask8 of_best = _mm512_cmpeq_epi64_mask(least, _mm512_set1_epi64(best));
    *second = _mm512_reduce_min_epi64(_mm512_mask_mov_epi64(least, of_best, behind));
    return best;
}

VARIANT(avx2, MIDDLE, PLAIN_BLOCK(avx2, MIDDLE))
VARIANT(avx512, WIDE, )
#endif

uint32_t nearest_kernels(const struct nearest_kernel *out[3])
{
    uint32_t count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512cd")) {
        out[count++] = &kernel_avx512;
    }
    if (__builtin_cpu_supports("avx2")) {
        out[count++] = &kernel_avx2;
    }
#endif
    out[count++] = &kernel_plain;
    return count;
}
