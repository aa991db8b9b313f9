/* A stream of mixed requests from a seed, for tests that deliver the same one in several ways:
 * orders of all services with splits, retries and conflicts, their later life, stock, the network,
 * reads; many of them meet at the same few cells, orders and keys.
 *
 * The stream has parts. Engine time is the part's from its first request to its last, so that
 * answers do not depend on how the stream is delivered. Params are as for harness_stage. */
#ifndef TESTS_ASK_STREAM_H
#define TESTS_ASK_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "rng.h"

enum { ASK_STREAM_PARTS = 3, ASK_STREAM_MAX = 6600, ASK_TEXT_MAX = 1024 };

/* Engine time of each part. */
extern const uint64_t ask_stream_ms[ASK_STREAM_PARTS];

struct ask_request {
    uint32_t part;
    uint32_t conn;
    const char *method;
    char *params; /* owned by the stream */
};

struct ask_stream {
    struct rng rng;
    bool has_loads; /* loads too; then all comes on one connection: others do not wait for them */
    bool has_rules; /* strategies decide, and change */
    struct ask_request requests[ASK_STREAM_MAX];
    uint32_t count;
    uint32_t part;   /* being made */
    uint32_t orders; /* ids given out: o0, o1, .. */
    char last_order[ASK_TEXT_MAX];
};

struct ask_stream *ask_stream_new(uint64_t seed, bool has_loads, bool has_rules);
void ask_stream_free(struct ask_stream *stream);

#endif
