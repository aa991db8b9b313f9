/* One client core for all engines: connections, pipelining, schedule, latencies. */
#ifndef BENCH_PEERS_PEER_RUN_H
#define BENCH_PEERS_PEER_RUN_H

#include "hist.h"
#include "peer_proto.h"

enum { PEER_IN_SIZE = 256 << 10, PEER_OUT_MAX = 1 << 20, PEER_SLOTS_MAX = 1 << 20 };

/* What is remembered of a request until its answer counts. */
struct peer_slot {
    uint64_t intended_ns, number;
    uint32_t next;
    bool is_used;
};

struct peer_conn {
    int fd;
    uint8_t *in, *out;
    uint32_t in_used, out_begin, out_end, out_size;
    uint32_t *queue; /* slots in the order sent, a ring of depth */
    uint32_t queue_head, queue_count;
    uint32_t held;                /* oldest ones whose answer came but does not count yet */
    struct peer_answer *held_answers;
    uint32_t batches[64];         /* sizes of batches under way, a ring */
    uint32_t batch_head, batch_count;
    bool is_blocked, is_touched;
};

typedef void peer_answer_cb(void *owner, uint64_t number, const struct peer_answer *answer);

/* Owner: the calling thread. The first block is set by the caller. */
struct peer_run {
    const struct peer_world *world;
    const struct peer_proto *proto;
    enum peer_job job;
    uint16_t port;
    uint32_t connections, depth, batch;
    double rate; /* 0: closed loop */
    double duration_s, warmup_s;
    uint64_t orders_max; /* stop after so many; 0: by time */
    uint64_t first;      /* number of the first order */
    uint32_t repeat_every; /* each n-th request repeats an earlier order; 0: none */
    peer_answer_cb *on_answer; /* NULL: none */
    void *owner;

    struct peer_conn *conns;
    struct peer_slot *slots;
    uint32_t *touched; /* connections that may be filled, or have bytes to be sent */
    uint32_t touched_count;
    uint32_t free_head;
    uint64_t next_number, requests;
    uint64_t start_ns, measure_ns, end_ns, next_due_ns;
    struct rng arrivals;
    int epoll_fd;
    uint32_t conn;
    uint64_t in_flight;

    struct hist latency;
    uint64_t taken, known, refused, failed, reads; /* answers within the measured time */
    uint64_t parts; /* of the taken ones */
    uint64_t offered, sent;
    double seconds, cpu_s;
    char fault[128];
};

/* Connect, run, drain. False: fault tells why. */
bool peer_run_go(struct peer_run *run);
void peer_run_close(struct peer_run *run);

#endif
