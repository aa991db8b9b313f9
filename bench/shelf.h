/* An engine in this process, without sockets: a service on a folder made here, a port that
 * counts replies, and requests built one at a time with a writer. */
#ifndef BENCH_SHELF_H
#define BENCH_SHELF_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"
#include "service.h"
#include "writer.h"

enum { SHELF_FRAME_MAX = 1 << 20 };

struct shelf {
    struct service_core *service;
    uint64_t replies, routed, errors, bytes_out;
    uint64_t worked_ns; /* of the last shelf_ask, all its turns together */
    uint64_t cpu_ns;    /* of it, the most processor time that one turn took */
    uint8_t *reply;      /* the last one */
    uint32_t reply_size;
    bool is_smoke;
    bool is_kept; /* shelf_close leaves the folder */
    bool is_lone; /* a request that comes alone is flushed within its turn, as the daemon does */
    char folder[32];
};

/* Open on a new folder below the present one; exits with a line on stderr when it cannot. */
void shelf_open(struct shelf *shelf, bool is_smoke);
void shelf_close(struct shelf *shelf);

/* Open on a folder that another process left; shelf_close leaves it too. */
void shelf_open_again(struct shelf *shelf, const char *folder, bool is_smoke);

/* Close the service and open it on the same folder, from now on so. */
void shelf_lone(struct shelf *shelf, bool is_lone);

/* Take a folder away that was kept. */
void shelf_remove(const struct shelf *shelf);

/* The times of a turn, now. */
struct service_turn shelf_turn(void);

/* Answer count requests as one batch and let the log drain; no waiting for the disk unless it is
 * far behind. */
void shelf_batch(struct shelf *shelf, const struct service_request *requests, uint32_t count);

/* Answer one frame and run loads to their end; returns ns of the longest turn or slice
 * of one: how long the loop was held. */
uint64_t shelf_ask(struct shelf *shelf, const uint8_t *frame, uint32_t size);

/* `SKU-0000007` and `S0007`: ids of the made world. out: 16 bytes. */
void shelf_item(char *out, uint32_t item);
void shelf_node(char *out, uint32_t node);

/* A world: nodes over the contiguous United States' square, items, a share of 1/one_in of all
 * cells stocked with on_hand. seed fixes it. */
void shelf_world(struct shelf *shelf, uint32_t nodes, uint32_t items, uint32_t one_in,
                 uint32_t on_hand, uint64_t seed);

#endif
