/* The engine's service: requests in, effects logged and applied, replies out.
 *
 * It owns the tables, the router and the use of the log, and knows neither sockets nor clocks: a
 * port carries replies away, and time comes in with each turn. So the same code runs in the
 * daemon and, on a simulated disk with simulated time, in a test.
 *
 * One thread, the engine loop. A turn: service_batch with the requests that came, or
 * service_tick when none did; both end with what collected being handed to the log.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "checkpoint.h"
#include "frame.h"
#include "recovery.h"
#include "tables.h"
#include "wal.h"

struct service_core;

/* What the process ends with, at once, when the tables could not take a change that stands in the
 * collecting group: no state is left to go on from, and nobody was told of it. */
enum { SERVICE_EXIT_NO_MEMORY = 3 };

/* One request. Borrowed until service_batch returns; conn is the port's. */
struct service_request {
    void *conn;
    const struct frame_head *head;
    uint64_t read_ns; /* when it was read, same clock as service_turn.now_ns */
};

/* Where replies go; see net.h for what each function promises. */
struct service_port {
    void *owner;
    /* Room for a reply of at most size bytes; NULL: the connection is going. */
    uint8_t *(*reply_begin)(void *conn, uint32_t size);
    void (*reply_end)(void *conn, uint32_t size, uint64_t release_lsn);
    void (*done)(void *conn); /* finished without a reply */
    /* Deliver no more requests of conn until held is false again. */
    void (*hold)(void *conn, bool held);
    /* Everything up to lsn is durable: replies may leave. */
    void (*release)(void *owner, uint64_t lsn);
    /* The log wants a pause: deliver no batch until it is over. */
    void (*pause)(void *owner, bool paused);
    /* A steady clock, for statistics only: decisions get their time with the turn. */
    uint64_t (*clock_ns)(void *owner);
    /* The log failed: nothing leaves any more; end the process. why is for people. */
    void (*failed)(void *owner, const char *why);
    /* Make a checkpoint (checkpoint.h) of everything up to lsn beside the loop;
     * service_checkpoint_done tells its end, not before this returned. False: not now, why_out says
     * why. NULL: there are none. */
    bool (*checkpoint)(void *owner, uint64_t lsn, char why_out[WAL_ERROR_SIZE]);
    /* Asked before each request of a batch, in order. False: it was given back, and comes again in
     * a later batch. NULL: never. */
    bool (*may_answer)(void *conn, const struct frame_head *head);
};

struct service_options {
    struct tables_options tables;
    struct wal_options log; /* its callbacks and owner are the service's */
    struct service_port port;
    uint32_t rejects_max;       /* of an order before it is held, 1 to 255 */
    uint32_t batch;             /* requests staged together; results do not depend on it */
    uint32_t batch_bytes;       /* of log that all frames of a service_batch need at most */
    uint32_t max_delay_ms;      /* a request older than that is answered OVERLOADED; 0 = never */
    uint64_t count_window_ms;   /* how long movements are remembered */
    uint64_t key_window_ms;     /* how long a key is remembered */
    uint64_t order_window_ms;   /* how long a done order stays in memory */
    uint64_t return_window_ms;  /* how long after an order was done its units may come back */
    uint64_t checkpoint_bytes;   /* of log after which one is made; 0 = never */
    uint64_t checkpoint_records; /* the same in records */
    uint32_t search_steps;      /* of one split search; 0 = the router's default */
    uint32_t slice_steps;       /* of deciding after which a turn is suspended; 0 = never */
    uint32_t frame_size_max;    /* told by hello */
    uint64_t loads_memory;      /* bytes of loads under way and what waits for them; 0 = any */
    bool feed_thread;           /* logs are read for events.read on a thread, not in the turn */
    bool test_clock;            /* engine time stands until clock.set; wall clock not looked at */
    uint32_t conns_max;         /* told by hello */
    uint32_t inflight_max;      /* told by hello */
    char country[3];            /* of places without one; "" = none */
    char currency[4];
};

/* The defaults, documented in the example configuration. */
void service_options_default(struct service_options *options);

/* What was found on disk, for the ready line. */
struct service_start {
    struct wal_recovery recovery;
    struct snapshot_mark snapshot; /* that it began with; group_number 0 = none */
    uint64_t snapshot_us;
    uint32_t passed_over;          /* newer snapshots that are damaged */
    char why[SNAPSHOT_ERROR_SIZE]; /* of the newest of those */
    uint64_t orders;
    uint64_t items;
    uint64_t nodes;
    uint64_t cells;
};

/* Open the data folder and recover. error gets a line for people. Errors: those of wal_open and
 * recovery_run, and ERR_NOMEM. */
ERR_MUST_USE enum err service_open(const struct service_options *options, struct service_core **out,
                                   struct service_start *start_out, char error[WAL_ERROR_SIZE]);

/* The times of a turn: wall clock (engine time never runs backwards) and a steady clock. */
struct service_turn {
    uint64_t wall_ms;
    uint64_t now_ns;
};

/* A batch or a tick whose decisions take long is suspended (slice_steps): then this is true, and
 * service_tick goes on with it. Until it is false again the requests of the batch and their heads
 * stay borrowed, service_batch is not called and no connection is told to be closed; all else may
 * go on, above all the log and what it releases. */
bool service_is_suspended(const struct service_core *service);

/* Returns milliseconds until it wants a tick, if that is sooner than the last tick said, else
 * UINT32_MAX: a request may have set a deadline. */
uint32_t service_batch(struct service_core *service, const struct service_turn *turn,
                       const struct service_request *requests, uint32_t count);

/* Time-driven work and slices of long loads. Returns milliseconds until it wants to be called
 * again: 0 = at once, UINT32_MAX = only with the next request. */
uint32_t service_tick(struct service_core *service, const struct service_turn *turn);

/* Readable when service_feed has something to do; -1 without feed_thread. */
int service_feed_fd(const struct service_core *service);

/* What was read for events.read came, or more is durable. Returns as service_batch does. */
uint32_t service_feed(struct service_core *service, const struct service_turn *turn);

/* The checkpoint that port.checkpoint began has ended: SNAPSHOT_TMP_NAME is there, or err and
 * why. */
void service_checkpoint_done(struct service_core *service, enum err err,
                             const struct checkpoint_made *made, const char *why);

/* Whether one was begun, or its files are being put in order. */
bool service_has_checkpoint(const struct service_core *service);

/* Refuse changes from now on (SHUTTING_DOWN); reads go on. */
void service_drain(struct service_core *service);

/* A connection is gone: loads that it began go on, their replies are dropped. */
void service_conn_closed(struct service_core *service, void *conn);

/* Whether the log has nothing in flight and no load or turn is half done: it may be closed. */
bool service_is_idle(const struct service_core *service);

struct wal *service_wal(struct service_core *service);
const struct tables *service_tables(const struct service_core *service);

/* Close the log (flushing what is in flight) and free everything. NULL is fine. */
void service_close(struct service_core *service);

#endif
