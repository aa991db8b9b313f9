/* What the load generator would load over a socket, for those who cannot include its headers and
 * the engine's in one file: frames of its nodes and items, units of its cells. */
#ifndef BENCH_STOCKED_WORLD_H
#define BENCH_STOCKED_WORLD_H

#include <stdint.h>

struct stocked_world;

enum { STOCKED_FRAME_MAX = 512 };

/* From nearshelf-load's own flags (--data --nodes --items --density --seed --workload); NULL, told
 * on stderr, where they are not to be had. Owner: the caller, until stocked_world_close. */
struct stocked_world *stocked_world_open(int argc, const char *const *argv);
void stocked_world_close(struct stocked_world *world);

uint32_t stocked_world_nodes(const struct stocked_world *world);
uint32_t stocked_world_items(const struct stocked_world *world);

/* The whole request node.put or item.put of number index; bytes used. */
uint32_t stocked_world_node(const struct stocked_world *world, uint32_t index,
                            uint8_t frame[STOCKED_FRAME_MAX]);
uint32_t stocked_world_item(const struct stocked_world *world, uint32_t index,
                            uint8_t frame[STOCKED_FRAME_MAX]);

/* Units of the item at the node; 0: it does not stock it. */
uint32_t stocked_world_units(const struct stocked_world *world, uint32_t node, uint32_t item);

#endif
