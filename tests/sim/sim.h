/* The whole engine (service, tables, log) on a simulated disk, with simulated time and several
 * clients, in one thread and from one seed.
 *
 *   clients ──queue──▶ batch ──▶ service ──▶ reply written ──▶ books (what must be, by LSN)
 *                                  │ log                    └─▶ told when released ──▶ client
 *                                  ▼
 *                     disk_fault ─▶ disk_sim          ends: kill, power, faults, misdirection
 *
 * The books hear every reply as it is written; a client only what was released before an end. After
 * an end the books go back to the LSN that recovery found, which may not lie below what any client
 * was told; then everything must be as the books say. Files: test_sim.c draws what happens,
 * sim_port.c runs turns, sim_client.c queues and retries, sim_end.c ends and begins processes,
 * sim_ops_*.c make requests and judge replies, sim_books.c is the oracle. */
#ifndef TESTS_SIM_H
#define TESTS_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "disk_fault.h"
#include "disk_sim.h"
#include "rng.h"
#include "service.h"
#include "sim_books.h"
#include "sim_ledger.h"
#include "sim_value.h"
#include "writer.h"

enum {
    SIM_CLIENTS_MAX = 6,
    SIM_BATCH_MAX = 256,
    SIM_PAST_MAX = 128,    /* answered requests kept for retries */
    SIM_STATES_MAX = 1024, /* turns whose digest is remembered: those not durable yet */
    SIM_PARAMS_MAX = 96 << 10,
    SIM_STRATEGIES = 4, /* names */
    SIM_NEXT_MAX = 96,  /* bytes of a cursor, with a 0 behind */
    SIM_RECORD_TYPES = 96,
    SIM_METERED = 3 /* nodes that have a limit of capacity, from 1 on */
};

static const uint32_t SIM_NONE = UINT32_MAX;

#define SIM_ROOMY (UINT64_C(1) << 40) /* bytes: a disk that never gets full */

struct sim;
struct sim_request;

/* Lists that are read in pages. */
enum sim_pages { SIM_PAGES_CELLS, SIM_PAGES_ORDERS, SIM_PAGES_FULFILMENTS, SIM_PAGES };

/* One method, or one way to use it. make draws what is asked; see judges the reply and enters it
 * into the books. The table is in sim_ops.c: a new method is one more line there. */
struct sim_kind {
    const char *method;
    uint32_t weight;
    bool is_change;
    bool is_wide; /* only in seeds of all methods */
    void (*make)(struct sim *sim, struct sim_request *request, struct writer *params);
    void (*see)(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply);
};

struct sim_line {
    uint32_t item;
    int64_t value;
};

/* What was asked. Owned by the list that it hangs in. */
struct sim_request {
    struct sim_request *next;
    const struct sim_kind *kind;
    uint32_t client;
    uint32_t msgid;
    uint64_t release_lsn; /* of its reply */
    uint64_t content;     /* of the params */
    bool is_bad;          /* an error is the only right answer */
    bool is_any;          /* garbage that may mean anything: any answer is right */
    bool is_retry;
    bool has_postcode; /* the place to go to: it may not be loaded */
    /* -- what the kind needs to judge the reply; SIM_NONE: not given -- */
    uint32_t item, node, order, part, key;
    uint32_t thing; /* reservation or document */
    enum books_kind thing_kind;
    uint64_t from_lsn;
    uint32_t state;
    uint64_t at_ms; /* 0: arrival */
    bool is_flagged;
    uint32_t line_count;
    struct sim_line lines[BOOKS_ITEMS];
    uint32_t size;
    uint8_t *params; /* size bytes: one map */
    uint8_t *frame;  /* while it is on its way */
};

struct sim_queue {
    struct sim_request *first, *last;
    uint32_t count;
};

/* conn: its address stands for the connection; a client that vanished comes back with another. */
struct sim_client {
    uint8_t conns[2];
    uint32_t conn;
    bool is_held;
    struct sim_queue waiting; /* to be delivered */
    struct sim_queue sent;    /* delivered, not answered */
    struct sim_queue written; /* answered, the reply not released */
    struct sim_queue unsure;  /* lost with a process or connection, to be asked again */
};

/* A turn's end: the state that a group may end with. */
struct sim_state {
    uint64_t lsn;
    struct digest digest;
};

struct sim_counts {
    uint64_t operations, replies, refusals, errors, read_only, overloaded, duplicates, retries;
    uint64_t kills, power_cuts, in_flight, inner_ends, restarts, faults, misdirected,
        misdirected_refused;
    uint64_t recoveries, recoveries_cut, torn, rewritten, full_disks, vanished, lost_replies;
    uint64_t forged, misdirected_unseen, groups, segments, checkpoints, checkpoints_failed,
        from_snapshots, wide, events, events_again, lost_ledgers, broken_promises, slices,
        cut_slices;
    uint64_t records[SIM_RECORD_TYPES]; /* made durable, by type */
};

/* Whose calls the one fault of a run of the sweep hits: */
enum sim_plan_where {
    SIM_PLAN_FIRST,      /* the first process, from its start on */
    SIM_PLAN_LATER,      /* the one after a kill, which recovers from the log alone */
    SIM_PLAN_SNAPSHOT,   /* the same, with a snapshot */
    SIM_PLAN_CHECKPOINT, /* the child that makes the first one */
    SIM_PLAN_WHERES
};

struct sim_plan {
    bool is_set;
    bool is_pending; /* not armed yet, of the next process or checkpoint */
    enum sim_plan_where where;
    bool has_come;
    enum disk_fault_kind kind;
    enum err err;
    uint64_t at;
};

struct sim {
    uint64_t seed;
    struct rng rng;
    bool is_loud;
    struct disk *disk;  /* simulated */
    struct disk *fault; /* over it, of this process */
    struct service_core *service;
    struct service_options options;
    struct books *books;
    struct ledger *ledger;
    bool is_wide;        /* all methods: judged by events, not by books of every unit */
    bool is_clocked;     /* of them: engine time stands until clock.set */
    uint64_t clocked_ms; /* the latest that was asked for */
    bool is_retaining;   /* the log stays for readers of events */
    bool has_zones;      /* this machine has tables of time zones: nodes have them */
    bool is_fault_armed; /* a call of this process may fail, or did */
    struct sim_client clients[SIM_CLIENTS_MAX];
    uint32_t client_count;
    uint32_t depth; /* requests that a client has under way at most */
    struct sim_request *past[SIM_PAST_MAX];
    char nexts[SIM_PAGES][SIM_NEXT_MAX]; /* where the last page of each list ended; "": nowhere */
    uint32_t orders, keys; /* ids given out */
    uint32_t things[BOOKS_KINDS];
    uint8_t key_methods[BOOKS_KEYS_MAX];
    uint32_t last_order;
    uint32_t last_msgid;
    uint32_t forced; /* id that the next drawn request is about; SIM_NONE: drawn */
    uint64_t wall_ms, now_ns;
    uint64_t released;       /* as told by the engine */
    uint64_t on_disk;        /* highest LSN whose group is durable, as seen at the disk */
    uint64_t on_disk_before; /* the same when the running process began */
    uint64_t told;           /* highest LSN that any client was told of */
    struct sim_request *halves[SIM_CLIENTS_MAX]; /* loads that the last end cut off */
    bool is_paused;
    struct service_request batch[SIM_BATCH_MAX]; /* borrowed while the service is suspended */
    struct frame_head heads[SIM_BATCH_MAX];
    bool is_dead;  /* the log failed: the process is to end */
    bool is_small; /* tables so small that they fill up */
    bool is_closing;
    bool had_start_fault;    /* a call failed while the process began */
    uint64_t checkpoint_lsn; /* asked for by the engine and not made yet; 0 = none */
    struct sim_plan plan;    /* of the sweep */
    uint64_t next_rare;      /* operations until something breaks */
    bool needs_check;        /* a process began: look at everything */
    bool is_full;            /* the disk was made full and not made larger since */
    struct sim_state states[SIM_STATES_MAX];
    uint32_t state_count;
    struct sim_counts counts;
    struct sim_request *asked; /* by sim_ask, until its reply is written */
    uint8_t ask_conn;
    void *reply_conn;
    uint8_t reply_bytes[4 << 20];
    struct sim_reply reply;
    bool is_moving[BOOKS_SHARES_MAX]; /* shares of the update being judged */
    uint8_t params[SIM_PARAMS_MAX];
};

/* -- runs (sim_run.c) -- */

/* A whole run from a seed; aborts where something is wrong. */
void sim_run(uint64_t seed, uint64_t operations, bool is_loud, struct sim_counts *sum);

/* Single faults: each kind of operation x error x every stride-th position, at a start with a
 * short life, at a recovery with and without a snapshot and a short life after it, and in a
 * checkpoint. Returns the number of faults. */
uint64_t sim_sweep(uint64_t stride, struct sim_counts *sum);

/* Once, before the first run: memory for many short processes (sim_memory.c). */
void sim_memory_start(void);

/* Between two runs: what they had touched goes back. */
void sim_memory_drop(void);

/* -- draws -- */
uint32_t sim_draw(struct sim *sim, uint32_t below);
bool sim_chance(struct sim *sim, uint32_t percent);

/* Engine time of the running turn. */
uint64_t sim_now(const struct sim *sim);

/* -- turns (sim_port.c) -- */
struct service_port sim_port(struct sim *sim);
void sim_clock(struct sim *sim);
void sim_batch(struct sim *sim, uint32_t max);
void sim_tick(struct sim *sim);
void sim_drive(struct sim *sim, bool writes, bool jobs);
void sim_seal(struct sim *sim);

/* Ask now, outside of any queue, and judge the answer; the log is driven until it is released.
 * False: the process ended meanwhile. */
bool sim_ask(struct sim *sim, struct sim_request *request);

/* Run turns until nothing is under way. False: the process ended. */
bool sim_settle(struct sim *sim);

/* -- clients (sim_client.c) -- */
struct sim_request *sim_request_new(const struct sim_kind *kind);
struct sim_request *sim_request_again(const struct sim_request *from); /* a retry of it */
void sim_request_free(struct sim_request *request);
void sim_params_set(struct sim_request *request, const uint8_t *params, uint32_t size);
void sim_queue_put(struct sim_queue *queue, struct sim_request *request);
struct sim_request *sim_queue_take(struct sim_queue *queue);
struct sim_request *sim_queue_find(struct sim_queue *queue, uint32_t msgid); /* and take */
void sim_queue_drop(struct sim_queue *queue);

/* A client asks something new, or something again. */
void sim_client_ask(struct sim *sim, uint32_t client);
void sim_client_told(struct sim *sim, struct sim_client *client, uint64_t lsn);
void sim_client_vanish(struct sim *sim, uint32_t client);
void sim_clients_lose(struct sim *sim); /* the process ended */

/* A stock.load that the client waits for: it goes on without it, and may stand in part. */
const struct sim_request *sim_client_load(const struct sim_client *client);

/* -- ends (sim_end.c) -- */
void sim_start(struct sim *sim); /* the first process, on an empty disk */
void sim_end(struct sim *sim, bool is_power);
void sim_end_cleanly(struct sim *sim);
void sim_fault_arm(struct sim *sim);
void sim_process_close(struct sim *sim); /* what is not answered is lost */
void sim_process_begin(struct sim *sim); /* and what it finds is looked at */

/* -- damage (sim_damage.c) -- */

/* The power fails, and the write in flight lands on a group that recovery reads. */
void sim_end_misdirected(struct sim *sim);

/* The log was closed in good order; one bit of its last digest is turned, in sound sums: the next
 * start must refuse it (invariant 8). */
void sim_forge(struct sim *sim);

/* If the process ended on its own (armed end, fault), begin the next one. */
void sim_end_settle(struct sim *sim);
void sim_state_note(struct sim *sim);

/* Make the checkpoint that the engine asked for, if it did: what its child does, here. */
void sim_checkpoint(struct sim *sim);

/* Hold everything against the books. False: the process ended meanwhile. */
bool sim_check_all(struct sim *sim, bool is_whole);

/* -- requests (sim_ops.c) -- */
/* Read events until the ledger has all that is durable; and some of what it has, again. False: the
 * process ended meanwhile. */
bool sim_read_events(struct sim *sim);
bool sim_read_events_again(struct sim *sim);

void sim_load_settle(struct sim *sim, const struct sim_request *request);
void sim_head(struct sim *sim); /* network and first stock */
struct sim_request *sim_op_draw(struct sim *sim);
struct sim_request *sim_op_named(struct sim *sim, const char *method);
/* The first method of the engine that no process of this program was asked yet, or NULL. */
const char *sim_op_missing(void);

/* The first type of record that no log of this program had yet, by number; 0: each was there. */
uint32_t sim_record_missing(const struct sim_counts *sum);

/* How often each method was asked, and answered in what way. */
void sim_op_table(void);

/* What is being judged, on stderr, like JSON: a failure's first question. */
void sim_op_tell(void);

void sim_op_see(struct sim *sim, const struct sim_request *request, const uint8_t *bytes,
                uint32_t size);

#endif
