/* What differs between the engines under comparison: how a request is written, a reply read. */
#ifndef BENCH_PEERS_PEER_PROTO_H
#define BENCH_PEERS_PEER_PROTO_H

#include "peer_world.h"

enum peer_job {
    PEER_ROUTE,   /* decide, take, remember, answer when durable */
    PEER_RESERVE, /* the two cells are given: take, remember, answer when durable */
    PEER_GET,     /* one cell */
    PEER_FIND     /* three nearest nodes of each of the items */
};

enum peer_outcome {
    PEER_TAKEN,
    PEER_REFUSED,
    PEER_FAILED, /* an error of the engine */
    PEER_READ,   /* a read's answer */
    PEER_END     /* no answer of its own: those held since the last one are durable now */
};

enum { PEER_REQUEST_MAX = 2048, PEER_SLOT_NEXT = -1 };

struct peer_answer {
    enum peer_outcome outcome;
    bool is_known;    /* the order was there before */
    bool is_held;     /* counts only when PEER_END comes */
    int64_t slot;     /* number of the request, or PEER_SLOT_NEXT: the oldest of the connection */
    uint32_t parts;   /* of a taken one: how many nodes ship */
    uint16_t node[2]; /* of a taken one: which node ships which line */
};

/* One protocol. Functions get the world; bytes are the caller's. */
struct peer_proto {
    const char *name;
    /* The client's first bytes on a connection, and what must have come back before the first
     * request: positive, size of the whole greeting; 0, more is needed; negative, refused. */
    uint32_t (*hello)(const struct peer_world *world, uint8_t *out);
    int32_t (*welcome)(const uint8_t *bytes, uint32_t size);
    uint32_t (*request)(const struct peer_world *world, enum peer_job job,
                        const struct peer_order *order, uint32_t slot, uint8_t *out);
    /* After the last request of a batch. NULL: nothing. */
    uint32_t (*batch_end)(uint8_t *out);
    /* Positive: size of what was read. 0: not all there. Negative: not a reply. */
    int32_t (*reply)(const struct peer_world *world, const uint8_t *bytes, uint32_t size,
                     struct peer_answer *out);
};

extern const struct peer_proto peer_rpc, peer_resp, peer_iproto, peer_pgwire;

/* Most peers answer with one integer: -1 refused, else known << 34 | node << 17 | node. */
void peer_answer_packed(struct peer_answer *out, int64_t packed);

#endif
