/* Nearest source: the words of both items, met in the order of their least distance.
 *
 * All distances are squared chords of unit vectors in float: they sort places as the great circle
 * does, to about a metre. A square of one degree has one list of words by lower bound: chord from
 * the square's centre to the word's, less both radii. The search ends at the first word whose
 * bound is past the best found. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "floor_caps.h"

static float chord2(float ax, float ay, float az, float bx, float by, float bz)
{
    float dx = ax - bx;
    float dy = ay - by;
    float dz = az - bz;
    return dx * dx + dy * dy + dz * dz;
}

static void cap_make(struct floor_tables *tables, uint32_t word)
{
    struct floor_word_cap *cap = &tables->caps[word];
    uint32_t first = word * 64;
    uint32_t end = first + 64 < tables->nodes_count ? first + 64 : tables->nodes_count;
    float x = 0;
    float y = 0;
    float z = 0;
    for (uint32_t slot = first; slot < end; slot++) {
        x += tables->x[slot];
        y += tables->y[slot];
        z += tables->z[slot];
    }
    float length = sqrtf(x * x + y * y + z * z);
    length = length > 0 ? length : 1;
    *cap = (struct floor_word_cap){x / length, y / length, z / length, 0};
    for (uint32_t slot = first; slot < end; slot++) {
        float far = sqrtf(chord2(cap->x, cap->y, cap->z, tables->x[slot], tables->y[slot],
                                 tables->z[slot]));
        cap->radius = fmaxf(cap->radius, far);
    }
}

void floor_caps_make(struct floor_tables *tables)
{
    for (uint32_t word = 0; word < tables->words; word++) {
        cap_make(tables, word);
    }
}

static int by_bound(const void *a, const void *b)
{
    float x = ((const struct floor_near *)a)->bound;
    float y = ((const struct floor_near *)b)->bound;
    return x < y ? -1 : x > y;
}

static struct floor_near *near_make(const struct floor_tables *tables, int lat, int lon)
{
    struct geo_point centre = geo_point(fmin(lat + 0.5, 90), lon + 0.5);
    struct geo_point corner = geo_point(lat < 0 ? fmin(lat + 1, 0) : lat, lon);
    float reach = sqrtf(chord2((float)centre.x, (float)centre.y, (float)centre.z, (float)corner.x,
                               (float)corner.y, (float)corner.z));
    struct floor_near *list = malloc((tables->words + 1ul) * sizeof *list);
    CHECK(list);
    for (uint32_t word = 0; word < tables->words; word++) {
        const struct floor_word_cap *cap = &tables->caps[word];
        float chord = sqrtf(chord2((float)centre.x, (float)centre.y, (float)centre.z, cap->x,
                                   cap->y, cap->z));
        float least = fmaxf(0, chord - cap->radius - reach * 1.01f - 1e-6f);
        list[word] = (struct floor_near){least * least, word};
    }
    qsort(list, tables->words, sizeof *list, by_bound);
    list[tables->words] = (struct floor_near){INFINITY, 0};
    return list;
}

const struct floor_near *floor_grid_at(struct floor_tables *tables, double lat, double lon)
{
    int row = (int)floor(lat);
    int column = (int)floor(lon);
    struct floor_near **list = &tables->grid[(row + 90) * 360 + (column + 180) % 360];
    if (__builtin_expect(*list == NULL, 0)) {
        *list = near_make(tables, row, column);
    }
    return *list;
}

static bool holds_all(const struct floor_order *order, uint32_t first, uint32_t count,
                      uint32_t slot)
{
    bool holds = true;
    for (uint32_t i = first; i < first + count; i++) {
        const struct floor_cell *cell = floor_cell_at(order->item[i], slot);
        holds = holds && cell->on_hand - cell->reserved >= (int32_t)order->lines[i].qty;
    }
    return holds;
}

uint16_t floor_nearest(const struct floor_tables *tables, const struct floor_order *order,
                       uint32_t first, uint32_t count, bool checks)
{
    float x = (float)order->point.x;
    float y = (float)order->point.y;
    float z = (float)order->point.z;
    float best = INFINITY;
    uint32_t found = FLOOR_NODE_NONE;
    for (const struct floor_near *near = order->near; near->bound < best; near++) {
        uint64_t bits = order->item[first]->free[near->word];
        for (uint32_t i = first + 1; i < first + count; i++) {
            bits &= order->item[i]->free[near->word];
        }
        for (; bits != 0; bits &= bits - 1) {
            uint32_t slot = near->word * 64 + (uint32_t)__builtin_ctzll(bits);
            float far = chord2(x, y, z, tables->x[slot], tables->y[slot], tables->z[slot]);
            if (far < best && (!checks || holds_all(order, first, count, slot))) {
                best = far;
                found = slot;
            }
        }
    }
    return (uint16_t)found;
}
