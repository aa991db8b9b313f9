/* What the files of the service share: one call at a time, its reply, the log, keys. */
#ifndef SERVICE_INTERNAL_H
#define SERVICE_INTERNAL_H

#include "check.h"
#include "grown.h"
#include "hist.h"
#include "reader.h"
#include "route.h"
#include "service.h"
#include "tables_warm.h"
#include "writer.h"
#include "zone_files.h"

#define TIME_MAX_MS 253402300799999 /* the last ms of the year 9999 */

enum {
    REPLY_SIZE_MAX = 4 << 20, /* scratch of one reply */
    PAGE_DEFAULT = 100,       /* entries of a list page */
    PAGE_MAX = 1000,
    WORK_STEPS = 2000,        /* rows or orders that one call looks at: below 500 us */
    QTY_MAX = 1000000,
    LIST_MAX = 1000           /* include_nodes, exclude_nodes */
};

#define RESERVE_TTL_MAX INT64_C(2592000000) /* ms: 30 days */

/* One request being answered. */
struct call {
    void *conn;
    uint32_t msgid;
    bool is_notify;
    enum method method;
    const uint8_t *params;
    uint32_t params_size;
    uint64_t read_ns;
    bool is_answered; /* by an error; set by reply_error */
    bool is_late;     /* it waited over max_delay_ms: nothing of it is read but the msgid */
    struct text order_id; /* an order's id in params whose hash is known; len 0 = none */
    uint64_t order_hash;
};

struct method_stats {
    uint64_t calls;
    uint64_t errors;
    struct hist latency_us; /* from read to answer, without the wait for the disk */
};

/* Checkpoints: one at a time, WANTED when its LSN is not durable yet. */
enum checkpoint_step {
    CHECKPOINT_NONE,
    CHECKPOINT_WANTED,
    CHECKPOINT_RUNNING,
    CHECKPOINT_NAMING,  /* snapshot.tmp is being renamed */
    CHECKPOINT_CLEANING /* older snapshots are being removed */
};

struct checkpoint_kept { /* a snapshot known to be whole */
    uint64_t lsn;
    uint64_t group_number;
};

struct checkpoints {
    enum checkpoint_step step;
    uint64_t wanted_lsn;
    uint64_t running_lsn;
    struct digest digest; /* that the running one must have */
    struct checkpoint_made made;
    struct checkpoint_kept newest, before; /* lsn and group 0 = none */
    uint64_t base_bytes;   /* of the log when the newest was begun; less than 0 wraps */
    uint64_t begun_bytes;  /* the same for the running one */
    uint64_t failed_ns;    /* when the last one failed; 0 = it did not */
    uint64_t count, failures;
    uint64_t at_ms;        /* engine time when the newest was named */
    uint64_t bytes, took_us;
    char why[160];         /* of the last failure */
    struct call call;      /* the `snapshot` request that waits */
    bool has_call;
};

struct asks;
struct feeds;
struct glance;
struct job;
struct replan;

/* jobs is a list of struct job; deferred requests hang in job.c's own list. */
struct job_deferred;

enum { FOLDER_SIZE = 1024 };

/* -- slices (slice.c) -- */

/* Units that count as free for a decision only: lend puts them in or, is_lent false, takes them out
 * again. */
typedef void lend_function(struct service_core *service, const void *what, bool is_lent);

struct lent {
    lend_function *lend; /* NULL: nothing is lent */
    const void *what;
};

struct fiber;

/* A turn; returns as service_batch does. */
typedef uint32_t slices_turn(struct service_core *service);

struct slices {
    struct fiber *fiber; /* that turns run on */
    uint8_t *scratch_main; /* service.scratch but while a turn has paused */
    uint8_t *scratch_aside; /* for replies while a turn has paused in the middle of one */
    slices_turn *turn; /* the running one */
    uint32_t due_ms; /* what it returned */
    uint64_t pauses; /* since the start */
};

struct service_core {
    struct service_options options;
    struct tables tables;
    struct route *route;
    struct replan *replan;   /* the change of an order that is being made */
    struct wal *wal;
    char folder[FOLDER_SIZE]; /* of the data, absolute, for who copies it; "" where there is none */
    struct zone_files *zones;
    struct asks *asks;       /* order.route requests of the running batch */
    struct tables_warm warm; /* touches memory ahead of its use */
    struct call *calls;      /* options.batch of them */
    struct job *jobs;        /* loads being applied in slices, oldest first */
    uint64_t loads_bytes;    /* of them and of the requests that wait for them */
    struct job_deferred *waited; /* requests that waited for one, while they are answered */
    uint32_t keys_promised;  /* places for the keys of loads whose rows go in already */
    uint8_t *scratch;        /* REPLY_SIZE_MAX bytes: the reply being written */
    struct writer writer;    /* over scratch */
    uint64_t now_ms;         /* engine time of the running turn */
    uint64_t now_ns;
    uint64_t time_ms;        /* that engine time is to become: the wall's or the test clock's */
    uint64_t wake_ms;        /* when the next tick was asked for */
    uint64_t quiet_lsn;      /* up to it: submitted, or slices of a load, which nobody waits for */
    uint64_t submit_ns;      /* of the last submission */
    bool is_draining;
    bool is_paused;
    bool is_dead;
    uint64_t unknown_notifications;
    uint64_t overloaded;
    char late_text[96];      /* of all late requests: refusing has to be cheap */
    uint32_t late_size;
    uint64_t refusals[REASON_COUNT];
    uint64_t codes[CODE_COUNT];
    uint64_t refused_logged_ms; /* rate limit of EFFECT_REFUSED */
    uint32_t refused_logged;
    uint64_t started_ns;
    struct service_turn turn; /* the running one, and the requests of its batch */
    const struct service_request *requests;
    uint32_t request_count;
    struct slices slices;
    struct lent lent;
    struct method_stats methods[METHOD_COUNT];
    struct checkpoints checkpoints;
    struct feeds *feeds; /* readers of events */
    struct wal_feed *try_feed; /* of strategy.try, one at a time; NULL before the first */
    struct glance **glances; /* reads on other threads, glance_count of them; NULL = none */
    uint32_t glance_count;
    struct { /* what those look at after each read, on a cache line of its own */
        uint64_t before[7];
        uint64_t lsn; /* highest begun: stored with release before the first change of a record */
        uint64_t after[7];
    } begun;
};

ERR_MUST_USE enum err slices_open(struct service_core *service);
void slices_close(struct service_core *service);

/* Run a turn until it ends (returns what it does) or pauses (returns 0), and go on with it. */
uint32_t slices_run(struct service_core *service, slices_turn *turn);
void slices_go_on(struct service_core *service);

/* A stage of work on so many lines or shares of an order is over: a turn with a long one may be
 * suspended here. It changed nothing yet, or all that it changes. */
void stage_end(struct service_core *service, uint32_t rows);

/* Lend for a decision; what lives until lend_end. One at a time. */
void lend_begin(struct service_core *service, lend_function *lend, const void *what);
void lend_end(struct service_core *service);

/* -- replies (reply.c) -- */

/* Answer with an error. The text names the field or the id and says what to do. */
__attribute__((format(printf, 4, 5))) void reply_error(struct service_core *service,
                                                       struct call *call, enum code code,
                                                       const char *format, ...);

/* The same with a text that is there already, of size bytes. */
void reply_error_text(struct service_core *service, struct call *call, enum code code,
                      const char *text, uint32_t size);

/* Answer with the reader's error as INVALID_ARGUMENT. */
void reply_invalid(struct service_core *service, struct call *call, const struct reader *reader);

/* Begin a result: the writer stands where the result value goes. Then reply_send. */
struct writer *reply_begin(struct service_core *service, struct call *call);

/* Send what was written since reply_begin. It leaves when lsn_begun is durable. */
void reply_send(struct service_core *service, struct call *call);

/* Send the first size bytes of the scratch, a whole reply. */
void reply_hand_over(struct service_core *service, struct call *call, uint32_t size);

enum { REPLY_SURE_MAX = REPLY_SIZE_MAX - WRITER_REPLY_MAX };

/* The same where the result is known to take at most size_max bytes, at most REPLY_SURE_MAX. The
 * writer is the caller's local, and goes by address to inlined functions only: see writer.h. It is
 * made here: one that was stored in pieces and loaded whole would wait for its own stores. */
WRITER_INLINE struct writer reply_sure(struct service_core *service, const struct call *call,
                                       uint32_t size_max)
{
    struct writer writer;
    CHECK(!call->is_answered);
    CHECK(size_max <= REPLY_SURE_MAX);
    writer_init(&writer, service->scratch, REPLY_SIZE_MAX);
    writer.is_sure = true;
    writer_reply(&writer, call->msgid);
    return writer;
}

WRITER_INLINE void reply_sure_send(struct service_core *service, struct call *call,
                                   const struct writer *writer, uint32_t size_max)
{
    CHECK(writer_size(writer) <= WRITER_REPLY_MAX + size_max);
    reply_hand_over(service, call, writer_size(writer));
}

/* The same for a refusal that has no more to say than its reason and an optional text field. */
void reply_refused(struct service_core *service, struct call *call, enum reason reason,
                   const char *detail_name, const char *detail);

/* Write key and value of a field. */
void put_text(struct writer *writer, const char *name, const char *text, uint32_t len);
void put_string(struct writer *writer, const char *name, const char *text);
void put_int(struct writer *writer, const char *name, int64_t value);
void put_bool(struct writer *writer, const char *name, bool value);
void put_float(struct writer *writer, const char *name, double value);
/* km of whole metres. */
void put_km(struct writer *writer, const char *name, uint64_t metres);
/* ship_by, deliver_from, deliver_by where there are dates: none or three fields. */
uint32_t part_dates_fields(const struct order_dates *dates);
void put_part_dates(struct writer *writer, const struct order_dates *dates);
/* lsn of the state seen: highest begun. */
void put_lsn(struct service_core *service, struct writer *writer);

/* -- the log (service.c) -- */

/* Whether records more records of together bytes bytes fit; else the call is answered with
 * READ_ONLY, OVERLOADED or SHUTTING_DOWN and false comes back. Ask before the first change. */
bool log_room(struct service_core *service, struct call *call, uint32_t bytes, uint32_t records,
              enum wal_claim claim);

/* Whether so much more fits into rules_memory, or into stock_memory as cells; else the call is
 * answered with TABLE_FULL. A load notes what it was allowed in its job. Ask before the first
 * change. The last one: for the cell of an item, which may be there already. */
bool rules_room(struct service_core *service, struct call *call, const struct grown_rules *more);
bool stock_room(struct service_core *service, struct call *call, uint64_t cells);
bool stock_room_cell(struct service_core *service, struct call *call, uint32_t item, uint16_t node);

uint8_t *log_begin(struct service_core *service, uint32_t size_max);
uint64_t log_end(struct service_core *service, enum effect_type type, uint32_t size);
uint64_t lsn_begun(const struct service_core *service);

/* An effect that was logged must be applied: anything else ends the process, loudly. */
void must_apply(enum err err, const char *what);

/* Free them; no other thread is in one (glance.c). */
void glances_close(struct service_core *service);

/* -- time (clock.c, due.c) -- */

enum { DUE_SIZE_MAX = 64 << 10 }; /* bytes of the largest record of what falls due */

/* Take up engine time where the log, 0 = empty, left it. */
void clock_open(struct service_core *service, uint64_t log_ms);

/* Let engine time become time_ms, everything due by then happening on the way, in order and at
 * its own time. False: it got no further yet, call again. */
bool clock_advance(struct service_core *service);

/* Let what is due at due_ms happen, lowering *steps by the work. False: not all of it yet, as
 * steps or the room of the log came to an end. */
bool due_fire(struct service_core *service, uint64_t due_ms, uint32_t *steps);

/* -- keys (key.c) -- */

enum key_result {
    KEY_NEW,     /* go on; *key_out is to be put into the effect (is_set false without a key) */
    KEY_SEEN,    /* answer *seen_out's facts with duplicate: true */
    KEY_ANSWERED /* conflict, or the table is full: answered */
};

/* Look for a key (len 0 = none given). content: hash of what is asked, method included. The
 * handler fills in key_out->facts before it logs. */
enum key_result key_look(struct service_core *service, struct call *call, struct text key,
                         uint64_t content, struct effect_key *key_out,
                         const struct key_entry **seen_out);

/* The channel as decisions and quotas know it, 0 = none is named; nobody looks at it while there
 * is no quota. */
uint64_t channel_find(const struct service_core *service, struct text channel);

/* -- kits (kit_lines.c) -- */

/* Whether the item is a kit; then the call is answered: it has no stock. */
bool refuse_kit(struct service_core *service, struct call *call, const char *field, uint32_t item);

/* `kit` of a component's entry: one field, or none. */
void put_kit(const struct service_core *service, struct writer *writer,
             const struct order_kit *kit);

/* -- what is on its way (available.c) -- */

/* When qty units more of the item than others wait for will have come, to the node (NODE_NONE:
 * anywhere); never before now; 0 = nobody knows. Of a line that is owed: its units. */
uint64_t available_at(const struct service_core *service, uint32_t item, uint16_t node,
                      uint64_t qty);
uint64_t available_at_owed(const struct service_core *service, slab_ref order, uint32_t line);

enum { AVAILABLE_TOLD = 16 }; /* lines of an answer whose time is worked out */

/* -- names in requests (lookup.c): each answers the call with an error and gives the none value
 * when the name is unknown -- */

uint16_t need_node(struct service_core *service, struct call *call, const char *field,
                   struct text node);
uint32_t need_item(struct service_core *service, struct call *call, const char *field,
                   struct text item);

/* A fulfilment id `<order_id>/<n>`: the order and the part's index. False: answered. */
bool need_fulfilment(struct service_core *service, struct call *call, struct text fulfilment,
                     slab_ref *order_out, uint32_t *part_out);
slab_ref need_order(struct service_core *service, struct call *call, struct text order_id);

/* A time field: ms since the epoch, at most 60 s ahead of engine time. */
uint64_t read_time(struct service_core *service, struct reader *reader);

/* One area, with its leading '-' if it has one. */
void read_area(struct reader *reader, struct area *area);

/* A list of areas ("CC", "CC:prefix", leading '-'), sorted, without duplicates. */
uint32_t read_areas(struct reader *reader, struct area *areas, uint32_t max);

/* Country: two letters, made upper case into out[3]. */
void read_country(struct reader *reader, char out[3]);

/* -- pieces of answers (answer.c) -- */

/* One fulfilment of an order as order.get and fulfil.list show it. */
void put_fulfilment(struct service_core *service, struct writer *writer, struct order *order,
                    uint32_t part, bool with_order);

/* The id of a fulfilment as text; buffer of ID_MAX + 8 bytes. */
uint32_t fulfilment_text(const struct order *order, uint32_t part, char *out);

/* -- checkpoints (handle_snapshot.c) -- */

void checkpoints_open(struct service_core *service, const struct recovery_found *found);
/* Start one that is due or was wanted; from time to time, and when more is durable. */
void checkpoints_tick(struct service_core *service);
void checkpoints_durable(struct service_core *service);
void checkpoints_drain(struct service_core *service);
void checkpoints_conn_closed(struct service_core *service, const void *conn);
void put_checkpoints(const struct service_core *service, struct writer *writer);

/* -- readers of events (handle_events.c) -- */

/* Of one connection fewer: each owes it an answer, and nothing behind them is read once those that
 * are owed may be too large together (net's conn_credit). */
enum { FEED_READERS_MAX = 64, FEED_READERS_EACH = 4, LOG_ID_SIZE = 33 };

/* Go on reading for those who ask, and answer who has enough or waited long enough. Not inside a
 * request. True: there is more to do at once. */
bool feeds_run(struct service_core *service);
/* Milliseconds until one of them has waited long enough, UINT32_MAX: nobody waits. */
uint32_t feeds_due_ms(const struct service_core *service);
int feeds_fd(const struct service_core *service);
/* Answer all of them with what they have. */
void feeds_drain(struct service_core *service);
void feeds_conn_closed(struct service_core *service, const void *conn);
void put_feeds(const struct service_core *service, struct writer *writer);

/* The data folder's uuid: 32 hex digits and NUL. */
void log_id_text(const struct service_core *service, char out[LOG_ID_SIZE]);

/* -- long loads in slices (job.c) -- */

/* One load that was validated whole and is applied slice by slice. step applies the next slice
 * (at most WORK_STEPS / 2 rows, one record) and answers the call when it is done: then it
 * returns true. Requests of the same connection wait until it is done. */
typedef bool job_step(struct service_core *service, struct job *job);
struct job {
    struct job *next;
    struct call call;
    bool is_orphan; /* its connection is gone: no reply */
    struct job_deferred *deferred; /* requests of the connection that wait, oldest first */
    job_step *step;
    void *rows; /* rows_size bytes, part of the job */
    size_t rows_size;
    uint32_t count;
    uint32_t at;
    uint64_t cells_coming; /* of stock, at most; promised in stock_memory */
    struct grown_rules rules_coming;
    union {
        struct {
            uint16_t node;
            uint64_t counted_at;
            bool zero_absent;
            uint32_t zero_at; /* next item to look at */
            uint64_t changed, unchanged, stale, created, zeroed;
            struct effect_key key;
        } stock;
        struct {
            uint64_t now_ms;
        } clock;
    } of;
};

/* A job of the call, which it copies, with room for rows, not filled; all of them within
 * loads_memory. NULL: answered OVERLOADED. */
struct job *job_new(struct service_core *service, struct call *call, size_t rows_size);

/* One that is not to be started after all. */
void job_free(struct service_core *service, struct job *job);

/* Take over a job; its first slice runs now. */
void job_start(struct service_core *service, struct job *job);

/* If a load of the request's connection is under way, keep a copy of the request until it is
 * done, or answer its call OVERLOADED where loads_memory has no room for it; and say so. */
bool job_defer(struct service_core *service, const struct service_request *request,
               struct call *call);

/* Run one slice of the oldest load; when it is done, the requests that waited for it are
 * answered by service_one. False: there is no load. */
bool job_run(struct service_core *service);

/* The connection is gone: no reply for its load, what waited behind it is dropped. */
void job_conn_closed(struct service_core *service, void *conn);

/* Forget all of them. */
void jobs_close(struct service_core *service);

/* Answer one request now, outside of a staged batch (service.c). */
void service_one(struct service_core *service, const struct service_request *request);

/* -- orders that are owed something (refill.c, handle_reject.c) -- */

/* Try a few of them again, where stock came or anything else changed. True: there are more. */
bool refill_run(struct service_core *service);

/* Move the open fulfilments of a node that takes no more work, and answer (node_reroute.c). */
void node_reroute(struct service_core *service, struct call *call, uint16_t node,
                  bool is_duplicate);

/* Log and apply an update of a fulfilment, whose row the effect names; effect_fulfil_size bytes and
 * a record were asked for (handle_fulfil.c). */
void fulfil_log(struct service_core *service, struct effect_fulfil *effect);

/* By when the store that a part leaves for at at_ms has to tell that it came: its accept_min after
 * the part was to be there; 0 = whenever, or it goes to no store. */
uint64_t fulfil_arrive_by(const struct service_core *service, struct order *order, uint32_t index,
                          uint64_t at_ms);

/* Let returns expire that have not come (return_expire.c). True: there may be more. */
bool returns_expire(struct service_core *service);

/* A node left a fulfilment lying: it is rejected by the engine. False: no room in log or tables
 * now. */
bool reject_silent(struct service_core *service, slab_ref ref, uint32_t part);

/* -- methods -- */

typedef void method_handler(struct service_core *service, struct call *call);
method_handler handle_hello, handle_snapshot, handle_stats, handle_node_put, handle_node_status,
    handle_node_get, handle_node_list, handle_item_put, handle_item_get, handle_place_load,
    handle_stock_adjust, handle_stock_set, handle_stock_load, handle_stock_policy,
    handle_stock_get, handle_stock_list, handle_stock_find, handle_order_get, handle_order_list,
    handle_order_cancel,
    handle_fulfil_update, handle_fulfil_list, handle_fulfil_reject, handle_order_reroute,
    handle_order_modify, handle_clock_set, handle_reserve_create, handle_reserve_update,
    handle_reserve_release, handle_reserve_get, handle_capacity_set,
    handle_capacity_get, handle_carrier_load, handle_travel_load, handle_promise_quote;
method_handler handle_return_quote, handle_return_create, handle_return_receive, handle_supply_put,
    handle_supply_receive, handle_supply_cancel, handle_transfer_create, handle_transfer_ship,
    handle_transfer_receive, handle_transfer_cancel, handle_events_read;
method_handler handle_strategy_put, handle_strategy_activate, handle_strategy_list,
    handle_strategy_try, handle_explain_get, handle_explain_why_not;

/* -- order.route in batches (ask.c, order_stage.c, order_route.c) -- */

ERR_MUST_USE enum err asks_new(struct asks **out);
void asks_free(struct asks *asks);

/* Stage calls[0..count) that are order.route (decode, hash, look up, guess), touch one order, or
 * are stock.get, with prefetches in between. Returns how many calls were covered (fewer when
 * scratch ran out). */
uint32_t asks_stage(struct service_core *service, struct call *calls, uint32_t count);

/* Answer calls[i], an order.route that was staged as number i. */
void asks_apply(struct service_core *service, struct call *calls, uint32_t i);

/* The same of a stock.get. */
void asks_look(struct service_core *service, struct call *calls, uint32_t i);

#endif
