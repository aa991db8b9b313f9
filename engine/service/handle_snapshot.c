/* Checkpoints as the engine sees them: when one is begun, what becomes of its file, and `snapshot`.
 *
 *   NONE -> WANTED      enough was logged, the disk is full, or somebody asked
 *   WANTED -> RUNNING   the LSN is durable: the port begins one beside the loop
 *   RUNNING -> NAMING   its file is there with the digest that was durable: it gets its name
 *   NAMING -> CLEANING  it has it, durably: what waited is answered, and snapshots before the one
 *                       before it go, one by one; then the log may let go of their segments
 *   CLEANING -> NONE
 *
 * Any failure leads back to NONE with everything on disk as it was. Renames and removals run beside
 * the loop as chores of the log. */
#include <stdio.h>
#include <string.h>

#include "say.h"
#include "service_internal.h"

enum { RETRY_NS = 30000000 /* x 1000: half a minute after a failure */ };

void checkpoints_open(struct service_core *service, const struct recovery_found *found)
{
    struct checkpoints *points = &service->checkpoints;
    points->newest =
        (struct checkpoint_kept){found->mark.lsn, found->mark.group_number};
    points->base_bytes = wal_bytes(service->wal) - found->log.bytes;
}

/* -- the requests that wait -- */

static void put_made(struct service_core *service, struct call *call)
{
    char name[SNAPSHOT_NAME_SIZE];
    const struct checkpoints *points = &service->checkpoints;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 2);
    put_int(writer, "lsn", (int64_t)points->newest.lsn);
    if (points->newest.group_number) {
        snapshot_name(points->newest.lsn, name);
        put_string(writer, "file", name);
    } else {
        writer_str(writer, "file");
        writer_nil(writer); /* nothing was ever logged */
    }
    reply_send(service, call);
}

static void answer_waiting(struct service_core *service)
{
    struct checkpoints *points = &service->checkpoints;
    if (points->has_call) {
        points->has_call = false;
        put_made(service, &points->call);
    }
}

static void refuse_waiting(struct service_core *service, enum code code, const char *why)
{
    struct checkpoints *points = &service->checkpoints;
    if (points->has_call) {
        points->has_call = false;
        reply_error(service, &points->call, code, "no snapshot: %s", why);
    }
}

void checkpoints_conn_closed(struct service_core *service, const void *conn)
{
    struct checkpoints *points = &service->checkpoints;
    points->has_call = points->has_call && points->call.conn != conn;
}

void checkpoints_drain(struct service_core *service)
{
    refuse_waiting(service, CODE_SHUTTING_DOWN, "the engine is stopping");
}

/* -- steps -- */

static void failed(struct service_core *service, const char *why)
{
    struct checkpoints *points = &service->checkpoints;
    points->step = CHECKPOINT_NONE;
    points->failures++;
    points->failed_ns = service->now_ns ? service->now_ns : 1;
    snprintf(points->why, sizeof points->why, "%.*s", (int)sizeof points->why - 1, why);
    say(SAY_ERROR, "no_checkpoint", "lsn=%llu why=\"%s\": the log goes on, and keeps growing",
        (unsigned long long)points->running_lsn, why);
    refuse_waiting(service, CODE_INTERNAL, why);
}

static void clean(struct service_core *service);

static void on_removed(void *owner, enum err err)
{
    struct service_core *service = owner;
    if (err != ERR_OK && err != ERR_NOTFOUND) {
        say(SAY_WARN, "snapshot_stays", "why=\"%s\": an older snapshot could not be removed",
            err_text(err));
        service->checkpoints.step = CHECKPOINT_NONE;
        return;
    }
    clean(service);
}

/* Remove the oldest snapshot from before the two that are kept, if there is one. */
static void clean(struct service_core *service)
{
    char name[SNAPSHOT_NAME_SIZE];
    struct snapshot_list list;
    struct checkpoints *points = &service->checkpoints;
    const bool has_two = points->before.group_number > 0;
    const bool is_listed = snapshot_find(wal_disk(service->wal), &list) == ERR_OK;
    if (has_two && is_listed && list.count && list.lsns[list.count - 1] < points->before.lsn) {
        snapshot_name(list.lsns[list.count - 1], name);
        wal_chore(service->wal, name, NULL, on_removed, service);
        return;
    }
    points->step = CHECKPOINT_NONE;
    if (has_two) {
        wal_release(service->wal, points->before.group_number);
    }
}

static void on_named(void *owner, enum err err)
{
    struct service_core *service = owner;
    struct checkpoints *points = &service->checkpoints;
    if (err != ERR_OK) {
        failed(service, "its file could not be named");
        return;
    }
    points->before = points->newest;
    points->newest = (struct checkpoint_kept){points->made.lsn, points->made.group_number};
    points->base_bytes = points->begun_bytes;
    points->failed_ns = 0;
    points->count++;
    points->at_ms = service->now_ms;
    points->bytes = points->made.bytes;
    points->took_us = points->made.took_us;
    say(SAY_INFO, "checkpoint", "lsn=%llu bytes=%llu records=%llu took_ms=%llu",
        (unsigned long long)points->made.lsn, (unsigned long long)points->made.bytes,
        (unsigned long long)points->made.records,
        (unsigned long long)points->made.took_us / 1000);
    answer_waiting(service);
    points->step = CHECKPOINT_CLEANING;
    clean(service);
}

void service_checkpoint_done(struct service_core *service, enum err err,
                             const struct checkpoint_made *made, const char *why)
{
    char name[SNAPSHOT_NAME_SIZE];
    struct checkpoints *points = &service->checkpoints;
    CHECK(points->step == CHECKPOINT_RUNNING);
    if (err != ERR_OK) {
        failed(service, why);
        return;
    }
    if (made->lsn != points->running_lsn || !digest_equal(&made->digest, &points->digest)) {
        failed(service, "what was recovered is not the state that was durable (digest): the log "
                        "on disk is damaged, or memory is; run nearshelf check");
        return;
    }
    points->made = *made;
    points->step = CHECKPOINT_NAMING;
    snapshot_name(made->lsn, name);
    wal_chore(service->wal, SNAPSHOT_TMP_NAME, name, on_named, service);
}

bool service_has_checkpoint(const struct service_core *service)
{
    return service->checkpoints.step > CHECKPOINT_WANTED;
}

static void begin(struct service_core *service)
{
    char why[WAL_ERROR_SIZE];
    const struct service_port *port = &service->options.port;
    struct checkpoints *points = &service->checkpoints;
    points->running_lsn = wal_lsn_durable(service->wal);
    wal_durable_digest(service->wal, &points->digest);
    points->begun_bytes = wal_bytes(service->wal);
    points->step = CHECKPOINT_RUNNING;
    if (!port->checkpoint(port->owner, points->running_lsn, why)) {
        failed(service, why);
    }
}

static bool is_due(const struct service_core *service)
{
    const struct service_options *options = &service->options;
    const struct checkpoints *points = &service->checkpoints;
    const uint64_t bytes = wal_bytes(service->wal) - points->base_bytes;
    const uint64_t records = wal_lsn_durable(service->wal) - points->newest.lsn;
    const bool is_full = wal_room(service->wal, 1, 1, WAL_CLAIM_CHANGE) == WAL_ROOM_DISK_FULL;
    return records > 0 && (is_full || (options->checkpoint_bytes &&
                                       bytes >= options->checkpoint_bytes) ||
                           (options->checkpoint_records && records >= options->checkpoint_records));
}

/* After a failure not at once again. */
static bool may_try(const struct service_core *service)
{
    const struct checkpoints *points = &service->checkpoints;
    return !service->is_draining && service->options.port.checkpoint &&
           (points->failed_ns == 0 ||
            service->now_ns - points->failed_ns >= (uint64_t)RETRY_NS * 1000);
}

void checkpoints_tick(struct service_core *service)
{
    struct checkpoints *points = &service->checkpoints;
    if (points->step == CHECKPOINT_NONE && may_try(service) && is_due(service)) {
        points->step = CHECKPOINT_WANTED;
        points->wanted_lsn = wal_lsn_durable(service->wal);
    }
    checkpoints_durable(service);
    if (points->step == CHECKPOINT_NONE) {
        wal_release(service->wal, 0);
    }
}

void checkpoints_durable(struct service_core *service)
{
    const struct checkpoints *points = &service->checkpoints;
    if (points->step == CHECKPOINT_WANTED &&
        wal_lsn_durable(service->wal) >= points->wanted_lsn && !service->is_draining) {
        begin(service);
    }
}

/* -- the method -- */

static bool is_asked_well(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct reader_map map;
    static const char *const none[] = {""};
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, none, 0);
    CHECK(reader_map_next(&reader, &map) < 0);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return false;
    }
    return true;
}

/* What runs already was begun before this request, so it is not what was asked for. */
void handle_snapshot(struct service_core *service, struct call *call)
{
    struct checkpoints *points = &service->checkpoints;
    if (!is_asked_well(service, call)) {
        return;
    }
    if (service->is_draining) {
        reply_error(service, call, CODE_SHUTTING_DOWN, "no snapshot: the engine is stopping");
    } else if (!service->options.port.checkpoint) {
        reply_error(service, call, CODE_INTERNAL, "no snapshot: there are none here");
    } else if (lsn_begun(service) == points->newest.lsn) {
        put_made(service, call);
    } else if (points->step != CHECKPOINT_NONE) {
        reply_error(service, call, CODE_OVERLOADED,
                    "another snapshot is being made: ask again, retry_after_ms=1000");
    } else {
        points->call = *call;
        points->has_call = true;
        points->step = CHECKPOINT_WANTED;
        points->wanted_lsn = lsn_begun(service);
        checkpoints_durable(service);
    }
}

/* -- stats -- */

void put_checkpoints(const struct service_core *service, struct writer *writer)
{
    const struct checkpoints *points = &service->checkpoints;
    writer_str(writer, "checkpoint");
    writer_map(writer, 8);
    put_int(writer, "lsn", (int64_t)points->newest.lsn);
    put_int(writer, "at", (int64_t)points->at_ms);
    put_int(writer, "bytes", (int64_t)points->bytes);
    put_int(writer, "took_ms", (int64_t)(points->took_us / 1000));
    put_int(writer, "made", (int64_t)points->count);
    put_int(writer, "failed", (int64_t)points->failures);
    put_bool(writer, "running", points->step != CHECKPOINT_NONE);
    put_string(writer, "why", points->why);
}
