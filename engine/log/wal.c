/* Groups: collect, submit, complete. One group is being written while the next collects in the
 * other buffer; it leaves on completion, never by a timer.
 *
 * What holds between calls:
 *   1. At most one of the two groups is in flight; the other one collects.
 *   2. lsn_stamped <= lsn_durable <= lsn_begun; with nothing in flight and nothing collected the
 *      last two are equal.
 *   3. The group in flight is never touched before its completion.
 *   4. After the first failure nothing is written any more and no durable is told. */
#include "wal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "wal_internal.h"

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void wal_check(const struct wal *wal)
{
    DCHECK(wal->magic == WAL_MAGIC);
    DCHECK(wal->collecting != wal->flying);
    DCHECK(wal->lsn_stamped <= wal->lsn_durable);
    DCHECK(wal->lsn_durable <= wal->lsn_begun);
    DCHECK(wal->active.offset <= wal->active.size);
}

uint64_t wal_lsn_begun(const struct wal *wal)
{
    return wal->lsn_begun;
}

uint64_t wal_lsn_durable(const struct wal *wal)
{
    return wal->lsn_durable;
}

void wal_die(struct wal *wal, enum err err, const char *doing)
{
    if (wal->is_dead) {
        return;
    }
    wal->is_dead = true;
    check_note("wal died", wal->lsn_durable, (unsigned long)err);
    (void)wal_fail(wal, err, "%s: %s; durable up to LSN %llu, nothing after it is acknowledged",
                   doing, err_text(err), (unsigned long long)wal->lsn_durable);
}

void wal_durable_digest(const struct wal *wal, struct digest *digest_out)
{
    *digest_out = wal->durable_digest;
}

enum wal_room wal_room(const struct wal *wal, uint32_t bytes, uint32_t records,
                       enum wal_claim claim)
{
    const uint64_t more = bytes + (uint64_t)records * WAL_RECORD_HEADER_SIZE;
    const uint64_t payload = wal->collecting->size + more;
    if (wal->is_dead) {
        return WAL_ROOM_DEAD;
    }
    if (payload > wal->group_size_max) {
        return WAL_ROOM_GROUP_FULL;
    }
    return wal_segment_room(wal, wal_group_size(payload), claim);
}

bool wal_has_room(const struct wal *wal, uint32_t bytes, uint32_t records)
{
    return wal_room(wal, bytes, records, WAL_CLAIM_CHANGE) == WAL_ROOM_OK;
}

void wal_time_set(struct wal *wal, uint64_t time_ms)
{
    if (time_ms > wal->time_ms) {
        wal->time_ms = time_ms;
    }
}

void wal_time_keep(struct wal *wal, uint64_t time_ms)
{
    CHECK(wal->collecting->count == 0 || time_ms >= wal->collecting->time_ms);
    wal->time_ms = time_ms;
}

uint64_t wal_time(const struct wal *wal)
{
    return wal->collecting->count ? wal->collecting->time_ms : wal->time_ms;
}

uint8_t *wal_append_begin(struct wal *wal, uint32_t size_max)
{
    struct wal_group *group = wal->collecting;
    CHECK(wal->is_open);
    CHECK(!wal->append_size_max);
    CHECK(size_max <= WAL_RECORD_SIZE_MAX);
    CHECK((uint64_t)group->size + WAL_RECORD_HEADER_SIZE + size_max <= wal->group_size_max);
    if (group->count == 0) {
        group->first_lsn = wal->lsn_begun + 1;
        group->time_ms = wal->time_ms;
    }
    wal->append_size_max = size_max + 1;
    return group->bytes + WAL_GROUP_HEADER_SIZE + group->size + WAL_RECORD_HEADER_SIZE;
}

uint64_t wal_append_end(struct wal *wal, uint8_t type, uint32_t size)
{
    struct wal_group *group = wal->collecting;
    CHECK(size < wal->append_size_max);
    wal_record_put(group->bytes + WAL_GROUP_HEADER_SIZE + group->size, type, size);
    group->size += WAL_RECORD_HEADER_SIZE + size;
    group->count++;
    wal->append_size_max = 0;
    return ++wal->lsn_begun;
}

/* Header, padding and chain of the group, for the place where the active segment is. */
static void encode(struct wal *wal, struct wal_group *group)
{
    const struct wal_group_header header = {
        .epoch = wal->active.epoch,
        .offset = wal->active.offset,
        .number = ++wal->group_number,
        .first_lsn = group->first_lsn,
        .count = group->count,
        .size = group->size,
        .durable_lsn = wal->lsn_durable,
        .time_ms = group->time_ms,
        .digest = group->digest,
        .chain = wal->chain,
    };
    wal_group_encode(&header, group->bytes);
    wal->chain = wal_group_chain(group->bytes, group->size);
    wal->digest = group->digest;
}

static bool is_flushed_here(const struct wal *wal, uint64_t size)
{
    return wal->is_alone && wal->lone_flush_us > 0 && wal->lone_wait == 0 && size <= WAL_LONE_SIZE;
}

static void write_here(struct wal *wal, uint64_t offset, const uint8_t *bytes, uint32_t size)
{
    wal->disk->ops->write_here(wal->disk, wal->active.file, offset, bytes, size);
    wal->stats.lone++;
    hist_record(&wal->stats.lone_us, (now_ns() - wal->flying_started_ns) / 1000);
}

/* Write the collecting group where the active segment stands and begin the other one. */
static void launch(struct wal *wal)
{
    struct wal_group *group = wal->collecting;
    const uint64_t size = wal_group_size(group->size);
    CHECK(!wal->flying);
    CHECK(!wal->append_size_max);
    CHECK(wal_segment_fits(wal, size));
    encode(wal, group);
    wal->flying = group;
    wal->flying_last_lsn = group->first_lsn + group->count - 1;
    wal->flying_started_ns = now_ns();
    wal->collecting = group == &wal->groups[0] ? &wal->groups[1] : &wal->groups[0];
    CHECK(wal->collecting->count == 0);
    const uint64_t offset = wal->active.offset;
    if (offset == WAL_BLOCK_SIZE) {
        wal_span_add(wal, &(struct wal_span){wal->active.ordinal, wal->active.size,
                                             wal->group_number, group->first_lsn, group->time_ms});
    }
    wal->active.offset += size;
    if (is_flushed_here(wal, size)) {
        write_here(wal, offset, group->bytes, (uint32_t)size);
    } else {
        wal->disk->ops->write_start(wal->disk, wal->active.file, offset, group->bytes,
                                    (uint32_t)size);
    }
    wal_segment_advance(wal);
}

void wal_start_group(struct wal *wal)
{
    const struct wal_group *group = wal->collecting;
    if (wal->flying || wal->is_dead || group->count == 0 || group->submitted != group->count) {
        return;
    }
    if (!wal_segment_fits(wal, wal_group_size(group->size)) && !wal_segment_switch(wal)) {
        wal->stats.segment_waits += !wal->is_waiting;
        wal->is_waiting = true;
        wal_segment_advance(wal);
        return;
    }
    wal->is_waiting = false;
    launch(wal);
}

void wal_submit(struct wal *wal, const struct digest *digest)
{
    struct wal_group *group = wal->collecting;
    CHECK(wal->is_open);
    CHECK(!wal->append_size_max);
    wal_check(wal);
    group->submitted = group->count;
    group->digest = *digest;
    wal_start_group(wal);
}

void wal_submit_alone(struct wal *wal, const struct digest *digest)
{
    wal->is_alone = true;
    wal_submit(wal, digest);
    wal->is_alone = false;
}

bool wal_is_busy(const struct wal *wal)
{
    return wal->flying || wal->is_waiting;
}

/* A disk that was slow of late shall not hold the thread: then neither way is in time. */
static void time_flush(struct wal *wal, uint64_t size, uint64_t us)
{
    hist_record(&wal->stats.flush_us, us);
    if (wal->lone_flush_us == UINT32_MAX || size > WAL_LONE_SIZE) {
        return;
    }
    if (us > wal->lone_flush_us) {
        wal->lone_wait = WAL_LONE_AFTER;
    } else if (wal->lone_wait > 0) {
        wal->lone_wait--;
    }
}

static void count(struct wal *wal, const struct wal_group *group)
{
    struct wal_stats *stats = &wal->stats;
    stats->groups++;
    stats->seals += group->count == 0;
    stats->records += group->count;
    stats->payload_bytes += group->size;
    stats->bytes += wal_group_size(group->size);
    time_flush(wal, wal_group_size(group->size), (now_ns() - wal->flying_started_ns) / 1000);
    hist_record(&stats->group_bytes, group->size);
}

/* The group in flight is durable: free its buffer, send the next one off, then tell. */
static void complete(struct wal *wal)
{
    struct wal_group *group = wal->flying;
    const bool is_seal = group->count == 0;
    count(wal, group);
    wal->lsn_stamped = wal->lsn_durable; /* what its header carries */
    wal->lsn_durable = wal->flying_last_lsn;
    wal->durable_digest = group->digest;
    group->size = 0;
    group->count = 0;
    group->submitted = 0;
    wal->flying = NULL;
    wal->idle_since_ms = UINT64_MAX;
    wal_start_group(wal);
    if (!is_seal && wal->durable) {
        wal->durable(wal->owner, wal->lsn_durable);
    }
}

static void on_written(void *owner, enum err err)
{
    struct wal *wal = owner;
    if (!wal->is_open) {
        wal->rewrite_done++;
        wal->rewrite_result = err;
        return;
    }
    CHECK(wal->flying != NULL);
    if (err != ERR_OK || wal->is_dead) {
        wal->flying = NULL;
        wal_die(wal, err, "writing a group");
        return;
    }
    complete(wal);
}

static void tell_failure(struct wal *wal)
{
    if (wal->is_dead && !wal->is_failure_told) {
        wal->is_failure_told = true;
        if (wal->failed) {
            wal->failed(wal->owner, wal->error);
        }
    }
}

void wal_listen(struct wal *wal)
{
    wal->disk->listener = (struct disk_listener){
        .owner = wal, .written = on_written, .job_done = wal_segment_job_done};
}

int wal_poll_fd(const struct wal *wal)
{
    return wal->disk->ops->poll_fd(wal->disk);
}

void wal_drive(struct wal *wal)
{
    wal->disk->ops->drive(wal->disk, false);
    wal_check(wal);
    tell_failure(wal);
}

void wal_wait(struct wal *wal)
{
    wal->disk->ops->drive(wal->disk, true);
    wal_check(wal);
    tell_failure(wal);
}

void wal_settle(struct wal *wal)
{
    while (wal_is_busy(wal) && !wal->is_dead) {
        if (!wal->flying && wal->next == WAL_NEXT_FULL) {
            return; /* waits for space, which nobody here can make */
        }
        wal_wait(wal);
    }
}

static bool is_seal_due(const struct wal *wal)
{
    return wal->is_open && !wal->is_dead && !wal->flying && wal->collecting->count == 0 &&
           wal->lsn_stamped < wal->lsn_durable &&
           (wal_segment_fits(wal, WAL_BLOCK_SIZE) || wal->next == WAL_NEXT_READY);
}

uint32_t wal_seal_due_ms(struct wal *wal, uint64_t now_ms)
{
    if (!is_seal_due(wal)) {
        wal->idle_since_ms = UINT64_MAX;
        return UINT32_MAX;
    }
    if (wal->idle_since_ms == UINT64_MAX) {
        wal->idle_since_ms = now_ms;
    }
    const uint64_t idle_ms = now_ms - wal->idle_since_ms;
    return idle_ms >= WAL_SEAL_AFTER_MS ? 0 : (uint32_t)(WAL_SEAL_AFTER_MS - idle_ms);
}

void wal_seal(struct wal *wal)
{
    if (!is_seal_due(wal)) {
        return;
    }
    if (!wal_segment_fits(wal, WAL_BLOCK_SIZE) && !wal_segment_switch(wal)) {
        return;
    }
    wal->collecting->first_lsn = wal->lsn_begun + 1;
    wal->collecting->time_ms = wal->time_ms;
    wal->collecting->digest = wal->digest;
    launch(wal);
}

void wal_retry(struct wal *wal)
{
    if (wal->is_open && !wal->is_dead && wal->next == WAL_NEXT_FULL && wal_job_is_free(wal)) {
        wal_segment_build(wal);
    }
}

uint64_t wal_bytes(const struct wal *wal)
{
    return wal->stats.bytes;
}

void wal_stats(const struct wal *wal, struct wal_stats *stats_out)
{
    *stats_out = wal->stats;
    stats_out->segments_now = wal->span_count;
    for (uint32_t i = 0; i < wal->span_count; i++) {
        const struct wal_span *span = &wal->spans[i];
        stats_out->segment_bytes += span->size;
        if (!stats_out->oldest_lsn && span->first_number) {
            stats_out->oldest_lsn = span->first_lsn;
        }
    }
}
