/* The load generator's networks, stock and orders as plain numbers, for measurements in process.
 *
 * A face of its own: the generator's structs have names that the engine's tables have too. */
#ifndef BENCH_QUALITY_DRAW_H
#define BENCH_QUALITY_DRAW_H

#include <stdbool.h>
#include <stdint.h>

enum { QUALITY_LINES_MAX = 1000 };

struct quality_site {
    double lat, lon;
    bool is_warehouse;
};

struct quality_order {
    double lat, lon;
    uint32_t count;
    uint32_t item[QUALITY_LINES_MAX];
    uint32_t qty[QUALITY_LINES_MAX];
};

struct quality_draw; /* owner: whoever opened it */

/* The workload `consumer` or `baskets` over the stores of data_dir (NULL: drawn stores; baskets
 * need the folder). NULL: told on stderr. */
struct quality_draw *quality_draw_open(bool is_baskets, const char *data_dir, uint32_t items,
                                       uint64_t seed);
void quality_draw_close(struct quality_draw *draw);

uint32_t quality_draw_sites(const struct quality_draw *draw);
uint32_t quality_draw_items(const struct quality_draw *draw);
struct quality_site quality_draw_site(const struct quality_draw *draw, uint32_t index);

/* Units of the item there; 0: not stocked. */
uint32_t quality_draw_units(const struct quality_draw *draw, uint32_t site, uint32_t item);

void quality_draw_order(const struct quality_draw *draw, uint64_t number,
                        struct quality_order *out);

#endif
