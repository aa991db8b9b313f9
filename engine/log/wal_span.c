/* Which segments there are, and the removal of those that nothing needs any more.
 *
 * A segment may go when a later one begins with a group up to the one behind the last released:
 * then every group that is needed stands there or further on. Only the first of all ever goes,
 * one at a time as the disk's job, so that what is left is always a whole end of the log. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "wal_internal.h"

bool wal_span_reserve(struct wal *wal)
{
    if (wal->span_count < wal->span_room) {
        return true;
    }
    const uint32_t room = wal->span_room ? wal->span_room * 2 : 64;
    struct wal_span *grown = realloc(wal->spans, room * sizeof *grown);
    if (!grown) {
        return false;
    }
    wal->spans = grown;
    wal->span_room = room;
    return true;
}

void wal_span_add(struct wal *wal, const struct wal_span *span)
{
    CHECK(wal->span_count < wal->span_room);
    CHECK(wal->span_count == 0 || wal->spans[wal->span_count - 1].ordinal < span->ordinal);
    wal->spans[wal->span_count++] = *span;
}

/* Index of the first span that is needed: the last one that begins no later than the group behind
 * the released ones. */
static uint32_t first_needed(const struct wal *wal)
{
    uint32_t needed = 0;
    for (uint32_t i = 0; i < wal->span_count; i++) {
        const uint64_t first = wal->spans[i].first_number;
        if (first && first <= wal->released + 1) {
            needed = i;
        }
    }
    return needed;
}

/* Whether readers of events may still want the first span. */
static bool is_retained(const struct wal *wal)
{
    uint64_t bytes = 0;
    uint64_t next_ms = 0;
    for (uint32_t i = 1; i < wal->span_count; i++) {
        bytes += wal->spans[i].size;
        if (next_ms == 0 && wal->spans[i].first_number) {
            next_ms = wal->spans[i].first_time_ms;
        }
    }
    return bytes < wal->retain_bytes || next_ms + wal->retain_ms > wal->time_ms;
}

void wal_span_remove(struct wal *wal)
{
    char name[WAL_NAME_SIZE];
    if (!wal_job_is_free(wal) || wal->is_remove_off || wal->is_dead || first_needed(wal) == 0 ||
        is_retained(wal)) {
        return;
    }
    wal->is_removing = true;
    wal_segment_name(wal->spans[0].ordinal, name);
    wal->disk->ops->remove_start(wal->disk, name);
}

/* What could not be removed costs space, nothing else: it is counted and left for the next time. */
void wal_span_removed(struct wal *wal, enum err err)
{
    wal->is_removing = false;
    if (err != ERR_OK && err != ERR_NOTFOUND) {
        wal->is_remove_off = true;
        wal->stats.remove_errors++;
        return;
    }
    wal->stats.removed++;
    wal->span_count--;
    memmove(wal->spans, wal->spans + 1, wal->span_count * sizeof wal->spans[0]);
    wal_retry(wal); /* on a full disk there is space now */
}

void wal_release(struct wal *wal, uint64_t group_number)
{
    CHECK(wal->is_open);
    wal->is_remove_off = wal->is_remove_off && group_number == 0;
    if (group_number > wal->released) {
        wal->released = group_number;
    }
    wal_span_remove(wal);
}
