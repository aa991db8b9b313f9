/* Writes the world as files that the peers' own loaders read. */
#ifndef BENCH_PEERS_PEER_DUMP_H
#define BENCH_PEERS_PEER_DUMP_H

#include "peer_world.h"

/* Into folder: stock.csv (item number, node, units), near.csv (area, rank, node), items.csv
 * (id, number), near.bin and stock.bin (big-endian u16 per rank; u32 item, u16 node, u32 units),
 * stock.resp (Redis commands). near must have been made. False: told on stderr. */
bool peer_dump(const struct peer_world *world, const char *folder, const char *kind);

#endif
