/* Engine time, and clock.set.
 *
 * Engine time never runs backwards and never passes a moment at which something is due before
 * that has happened, by record: so a read at t sees what was due at t. Where the log has no room,
 * or more is due than one slice takes, engine time stands until the rest has happened.
 *
 * Records get the time of their group. A record EFFECT_TIME moves it on inside a group: what fell
 * due while a group collected happens at its own time all the same. */
#include <inttypes.h>

#include "service_internal.h"

enum {
    DUE_AT_ONCE = 64,  /* of one moment: more of them happen in slices */
    DUE_STEPS = 500,   /* of a turn: what a slice does before requests are served */
    PREPARE_STEPS = 32 /* timers handed down in a turn, before their time */
};

static const uint64_t TEST_CLOCK_START = 1577836800000; /* 2020-01-01T00:00:00Z */
static const int64_t CLOCK_MAX = 253402300799999;       /* the last ms of the year 9999 */

void clock_open(struct service_core *service, uint64_t log_ms)
{
    service->time_ms = log_ms;
    if (service->options.test_clock && log_ms == 0) {
        service->time_ms = TEST_CLOCK_START;
    }
    service->now_ms = service->time_ms;
}

/* Room for the record of the time and for the largest of what falls due. */
static enum wal_room room(const struct service_core *service)
{
    return wal_room(service->wal, DUE_SIZE_MAX + EFFECT_SMALL_MAX, 2, WAL_CLAIM_RELEASE);
}

/* What follows from the time alone (calendars, ages of counts) is brought up to it. */
static void turn(struct service_core *service)
{
    tables_turn(&service->tables, service->now_ms);
}

static void time_log(struct service_core *service, uint64_t at_ms)
{
    uint8_t *bytes = log_begin(service, EFFECT_SMALL_MAX);
    uint64_t lsn = log_end(service, EFFECT_TIME, effect_time_encode(bytes, at_ms));
    must_apply(tables_apply_time(&service->tables, lsn, service->now_ms, at_ms), "time");
    service->now_ms = at_ms;
    turn(service);
}

/* Time of the next record: its group's, unless a record moved it on. */
static void now_take(struct service_core *service)
{
    uint64_t group_ms = wal_time(service->wal);
    service->now_ms = group_ms > service->now_ms ? group_ms : service->now_ms;
    turn(service);
}

/* Engine time becomes exactly at_ms, by record where records of an earlier time wait. */
static void time_step(struct service_core *service, uint64_t at_ms)
{
    wal_time_set(service->wal, at_ms);
    now_take(service);
    if (service->now_ms < at_ms) {
        time_log(service, at_ms);
    }
}

/* What is due at one moment happens at it, if that is little enough for one go. Else it happens
 * just before, slice by slice: nobody reads at that moment before all of it has happened. */
static bool moment_pass(struct service_core *service, uint64_t due_ms, uint32_t *steps)
{
    const struct wheel *wheel = &service->tables.wheel;
    bool is_crowd = wheel_count_at(wheel, due_ms, DUE_AT_ONCE + 1) > DUE_AT_ONCE;
    uint32_t all = UINT32_MAX;
    time_step(service, is_crowd ? due_ms - 1 : due_ms);
    return due_fire(service, due_ms, is_crowd ? steps : &all);
}

bool clock_advance(struct service_core *service)
{
    uint32_t steps = DUE_STEPS;
    for (;;) {
        uint64_t due_ms;
        if (!wheel_next(&service->tables.wheel, service->time_ms, &steps, &due_ms)) {
            return false;
        }
        if (due_ms == WHEEL_NEVER) {
            break;
        }
        if (room(service) != WAL_ROOM_OK || !moment_pass(service, due_ms, &steps)) {
            now_take(service);
            return false;
        }
    }
    wheel_prepare(&service->tables.wheel, PREPARE_STEPS);
    wal_time_set(service->wal, service->time_ms);
    now_take(service);
    return true;
}

/* -- clock.set -- */

static void clock_answer(struct service_core *service, struct call *call, uint64_t now_ms)
{
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 2);
    put_int(writer, "now", (int64_t)now_ms);
    put_lsn(service, writer);
    reply_send(service, call);
}

/* Set when everything due by then has happened and the log says so. */
static bool clock_step(struct service_core *service, struct job *job)
{
    uint64_t wanted = job->of.clock.now_ms;
    bool is_there = clock_advance(service);
    enum wal_room found = room(service);
    if (found == WAL_ROOM_DISK_FULL) {
        reply_error(service, &job->call, CODE_READ_ONLY,
                    "the disk of the data folder is full: free space, the clock goes on then");
        return true;
    }
    if (!is_there || found != WAL_ROOM_OK) {
        return false;
    }
    if (service->tables.time_ms < wanted) {
        time_log(service, wanted);
    }
    clock_answer(service, &job->call, wanted);
    return true;
}

static void clock_set(struct service_core *service, struct call *call, uint64_t now_ms)
{
    struct job *job = job_new(service, call, 0);
    if (!job) {
        return;
    }
    service->time_ms = now_ms;
    job->step = clock_step;
    job->of.clock.now_ms = now_ms;
    job_start(service, job);
}

static void read_now(const struct service_core *service, struct reader *reader, int64_t *now_out)
{
    static const char *const fields[] = {"now"};
    struct reader_map map;
    reader_params(reader, &map, fields, 1);
    while (reader_map_next(reader, &map) >= 0) {
        *now_out = reader_int(reader, 0, CLOCK_MAX);
    }
    reader_require(reader, &map, 0);
    bool is_test = service->options.test_clock;
    if (reader_is_ok(reader) && is_test && (uint64_t)*now_out < service->time_ms) {
        reader_fail(reader, "now: time does not run backwards: it is %" PRIu64, service->time_ms);
    }
}

void handle_clock_set(struct service_core *service, struct call *call)
{
    struct reader reader;
    int64_t now_ms = 0;
    reader_init(&reader, call->params, call->params_size);
    read_now(service, &reader, &now_ms);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (!service->options.test_clock) {
        reply_error(service, call, CODE_UNKNOWN_METHOD,
                    "clock.set: only an engine that was started with --test-clock has it");
        return;
    }
    if (log_room(service, call, EFFECT_SMALL_MAX, 1, WAL_CLAIM_RELEASE)) {
        clock_set(service, call, (uint64_t)now_ms);
    }
}
