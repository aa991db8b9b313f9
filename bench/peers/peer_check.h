/* Holds every answer of a run against a naive oracle: one connection, orders in sequence. */
#ifndef BENCH_PEERS_PEER_CHECK_H
#define BENCH_PEERS_PEER_CHECK_H

#include "peer_proto.h"

/* Owner: main. */
struct peer_check {
    const struct peer_world *world;
    uint32_t slack_m; /* another node than the oracle's counts as right if this near in distance */
    int32_t *units;   /* [item among those drawn][node] */
    uint64_t first, orders_max;
    struct peer_answer *answers; /* the oracle's, by order */
    uint64_t right, wrong, near;
    uint64_t shown;
};

/* Room for orders_max orders from number first on. Ends the process without memory. */
void peer_check_init(struct peer_check *check, const struct peer_world *world, uint64_t first,
                     uint64_t orders_max);
void peer_check_close(struct peer_check *check);

/* A peer_answer_cb; owner is the check. */
void peer_check_answer(void *owner, uint64_t number, const struct peer_answer *answer);

#endif
