/* A trial of strategy.try: what it sums up, and where it reads its orders. */
#ifndef SERVICE_TRY_INTERNAL_H
#define SERVICE_TRY_INTERNAL_H

#include "again_internal.h"
#include "wal_feed.h"

enum { TRY_ORDERS_MAX = 100000 };

/* Sums over the orders that both decide. */
struct try_sums {
    uint64_t shipments, metres, cents, minutes;
};

/* last_n: how far back so many orders go is counted, segment by segment; those of memory that came
 * before the log's begin follow, what is missing of them; then the log is read forwards. */
enum try_phase { TRY_COUNT, TRY_MEMORY, TRY_REPLAY };

/* The place in the log (try_log.c). */
struct try_log {
    uint64_t from, end;  /* TRY_COUNT: first LSN of the segment being counted, and behind it */
    uint64_t counted;    /* orders from .from on */
    uint64_t skip;       /* TRY_REPLAY: orders that came before the last n */
    uint64_t next, last; /* LSNs: to be looked at next, and at last */
    uint64_t at_ms;      /* engine time of the record looked at */
    struct wal_feed_part part; /* its records from .bytes on are to be looked at; count 0: none */
    bool is_asked;
    int32_t lent[EFFECT_SHARES_MAX]; /* units of the order under trial, by its shares */
    int32_t lent_gone[EFFECT_SHARES_MAX];
};

struct trial {
    uint16_t handle;
    enum try_phase phase;
    bool is_last_n;  /* requests that were refused do not count among them */
    uint32_t last_n; /* orders left to be looked at */
    uint32_t later_n; /* TRY_MEMORY: of the log, after them */
    bool is_begun;
    bool is_cut; /* the next one had left memory, or its part of the log */
    char last_id[ID_MAX];
    uint32_t last_len;
    uint64_t last_lsn; /* of the order looked at last */
    uint64_t orders, moved, refused, skipped, dated, sooner, later;
    uint64_t were_refused, now_routed; /* requests that the log has as refused */
    struct try_sums was, would;
    struct again again;
    struct try_log log;
    uint32_t loads[2][NODE_MAX]; /* fulfilments by node: was, would */
};

/* -- handle_try.c -- */

/* Add what the decision gives; its latest promise in minutes, 0 = none. */
uint32_t try_sum_would(struct trial *trial, const struct route_answer *answer);

/* Minutes from the order's coming to its promise, against those from now to the new one. */
void try_sum_dates(const struct service_core *service, struct trial *trial, uint64_t created_ms,
                   uint32_t was_min, uint32_t would_min);

void try_answer(struct service_core *service, struct call *call, const struct trial *trial);

/* A few orders of memory, the newest first, that came before the LSN. True: all were looked at. */
bool try_memory(struct service_core *service, struct trial *trial, uint64_t before_lsn);

/* -- try_log.c -- */

/* Whether orders from the LSN on, 0 = the last ones, can be read; else the call is answered. */
bool try_log_open(struct service_core *service, struct call *call, uint64_t from_lsn);

/* A few orders of the log. True: all were looked at, and the call is answered. */
bool try_log_step(struct service_core *service, struct job *job);

#endif
