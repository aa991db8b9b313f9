/* What both sides of a read loop share: two rings, some flags, and the records in the rings. */
#ifndef LOOPS_INTERNAL_H
#define LOOPS_INTERNAL_H

#include <pthread.h>

#include "check.h"
#include "epoch.h"
#include "glance.h"
#include "loops.h"
#include "ring.h"

enum {
    BATCH = 4096,              /* requests the engine takes at a time */
    REQUESTS_SIZE = 4 << 20,   /* ring to the engine: a frame has 1 MiB at most */
    ANSWERS_SIZE = 16 << 20,   /* ring from it: a reply has 4 MiB at most */
    REPLY_MAX = 4 << 20
};

_Static_assert(LOOPS_MAX <= (int)EPOCH_READERS_MAX, "each read loop is a reader of the tables");

/* In the ring to the engine; the frame follows. */
struct request_record {
    struct net_conn *conn;
    uint64_t read_ns;
};

enum answer_kind {
    ANSWER_REPLY,  /* size bytes follow */
    ANSWER_DONE,   /* finished without a reply */
    ANSWER_HOLD,   /* value 1: deliver nothing more of it; 0: go on */
    ANSWER_ACCEPTED /* value: the socket; size 1: a unix socket */
};

/* In the ring from the engine. */
struct answer_record {
    enum answer_kind kind;
    uint32_t size;
    struct net_conn *conn;
    uint64_t value; /* of a reply: its release LSN */
};

/* A record that found the ring full: it waits here, and all behind it do. */
struct late_answer {
    struct late_answer *next;
    uint32_t size; /* of the record with what follows it */
    struct answer_record record;
};

/* One read loop.
 *
 * Field                    written by          read by        how
 * durable (loops)          engine              loops          seq_cst
 * wants_durable            both                both           seq_cst
 * stalled, blocked         both                both           seq_cst
 * conns                    both                both           relaxed
 * is_draining .. is_over   engine              loop           release, acquire
 * is_drained               loop                engine         release, acquire
 */
struct read_loop {
    struct loops *loops;
    uint32_t number;
    uint32_t conns_max;
    pthread_t thread;
    bool is_started;
    struct ring requests, answers;

    /* -- both sides -- */
    uint32_t conns;
    bool wants_durable; /* the loop has replies that wait: wake it when more is durable */
    bool stalled;       /* the loop waits for room in requests */
    bool blocked;       /* the engine waits for room in answers */
    bool is_draining, is_failed, is_over, is_drained;

    /* -- the engine's side -- */
    uint64_t taken;      /* end of what the running batch has of requests */
    uint64_t resume;     /* begin of what it gave back */
    bool has_given_back; /* in the running batch */
    bool has_more;       /* there is more in requests than the batch took */
    struct late_answer *late_first, *late_last;
    struct answer_record *open; /* the reply being written, in the ring or late */
    struct late_answer *open_late;

    /* -- the loop's own side (read_loop.c) -- */
    _Alignas(64) uv_loop_t loop;
    uv_async_t wake;
    uv_prepare_t prepare;
    struct net *net;
    struct glance *glance;
    uint32_t output_half; /* bytes of replies that a connection may be waiting for */
    uint64_t released;    /* LSN that net knows as durable */
    uint64_t last_lsn;    /* highest of any reply */
    bool is_stalled;
    bool is_net_failed, is_net_draining, is_net_drained;
};

struct batch_place {
    struct read_loop *loop;
    uint64_t at; /* of its record in requests */
};

struct loops {
    struct loops_options options;
    uv_async_t came; /* a read loop has something for the engine */
    struct read_loop *each;
    uint32_t started;
    bool is_suspended, is_turn_open; /* as of net.h */
    bool is_paused, is_draining, is_failed, is_drained_told, is_ended;
    struct frame_head *heads; /* BATCH each; a head's index is its request's */
    struct service_request *requests;
    struct batch_place *places;
    _Alignas(64) uint64_t durable;
};

/* -- read_loop.c: what the engine's thread calls before the thread starts and after it ended -- */
enum err read_loop_open(struct read_loop *own, char *error, size_t error_size);
void *read_loop_run(void *own);
void read_loop_close(struct read_loop *own);

#endif
