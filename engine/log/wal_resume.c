/* How the log goes on after it was read. Groups above the last stamp may be no more than bytes in
 * a cache that a kill left: they are written again into a fresh segment under a passing name,
 * flushed, and take effect by one rename. A torn tail is never appended behind: its segment is
 * left as it is and a fresh one begun. */
#include <string.h>

#include "check.h"
#include "wal_reading_internal.h"

/* A segment behind the end that holds nothing but zeros, the last such; or NULL. */
static const struct wal_found *find_zero_segment(const struct wal_reading *reading)
{
    const struct wal_found *zero = NULL;
    for (uint32_t i = reading->end_index + 1; i < reading->count; i++) {
        zero = reading->segments[i].is_zero ? &reading->segments[i] : NULL;
    }
    return zero;
}

/* Nothing but zeros behind the last group, in its segment and all later ones: that segment is
 * simply gone on with. Asked only when nothing is to be written again. */
static bool may_continue(const struct wal_reading *reading)
{
    bool may = reading->walked > 0 && reading->is_rest_zero &&
               reading->end_offset < reading->segments[reading->end_index].size;
    for (uint32_t i = reading->end_index + 1; i < reading->count; i++) {
        may = may && reading->segments[i].is_zero;
    }
    return may;
}

static uint64_t last_ordinal(const struct wal_reading *reading)
{
    return reading->count ? reading->segments[reading->count - 1].ordinal : 0;
}

static struct wal_segment segment_from(const struct wal_found *found, uint64_t offset)
{
    return (struct wal_segment){.file = -1,
                                .ordinal = found->ordinal,
                                .epoch = found->epoch,
                                .size = found->size,
                                .offset = offset};
}

/* -- writing again -- */

static uint64_t rewrite_size(const struct wal_reading *reading)
{
    uint64_t size = WAL_BLOCK_SIZE;
    for (uint32_t i = 0; i < reading->above_count; i++) {
        size += wal_group_size(reading->above[i].payload_size);
    }
    return size;
}

/* On a disk too full for a whole segment, one that just holds the groups will do. */
static enum err make_rewrite(struct wal *wal, const struct wal_reading *reading)
{
    const uint64_t needed = rewrite_size(reading);
    const uint64_t size = needed > wal->segment_size ? needed : wal->segment_size;
    const enum err err = wal_segment_make(wal, WAL_REWRITE_NAME, size, &wal->active);
    return err == ERR_NOSPACE ? wal_segment_make(wal, WAL_REWRITE_NAME, needed, &wal->active) : err;
}

/* A fresh segment under the passing name, described in wal->active: an empty one that is there
 * already, the spare, or a new one. */
static enum err take_rewrite(struct wal *wal, struct wal_reading *reading)
{
    char name[WAL_NAME_SIZE];
    struct disk *disk = wal->disk;
    const uint64_t needed = rewrite_size(reading);
    const struct wal_found *zero = find_zero_segment(reading);
    if (zero && zero->size >= needed) {
        wal_segment_name(zero->ordinal, name);
        wal->active = segment_from(zero, WAL_BLOCK_SIZE);
        return disk->ops->rename(disk, name, WAL_REWRITE_NAME);
    }
    if (wal->next == WAL_NEXT_SPARE && wal->standby.size >= needed) {
        wal->active = wal->standby;
        wal->next = WAL_NEXT_NONE;
        return disk->ops->rename(disk, WAL_SPARE_NAME, WAL_REWRITE_NAME);
    }
    return make_rewrite(wal, reading);
}

static enum err write_durably(struct wal *wal, const uint8_t *bytes, uint64_t size)
{
    const uint64_t before = wal->rewrite_done;
    wal->disk->ops->write_start(wal->disk, wal->active.file, wal->active.offset, bytes,
                                (uint32_t)size);
    while (wal->rewrite_done == before) {
        wal->disk->ops->drive(wal->disk, true);
    }
    wal->active.offset += size;
    return wal->rewrite_result;
}

/* The same group at its new place: epoch, offset and chain change, and so do its sums. */
static enum err rewrite_group(struct wal *wal, struct wal_reading *reading,
                              const struct wal_place *place)
{
    uint8_t *bytes;
    struct wal_group_header header;
    const uint64_t size = wal_group_size(place->payload_size);
    enum err err = wal_reading_open(reading, place->index);
    if (err == ERR_OK) {
        err = wal_reading_get(reading, place->offset, size, &bytes);
    }
    if (err != ERR_OK) {
        return err;
    }
    const enum wal_verdict verdict =
        wal_group_decode(bytes, reading->segments[place->index].epoch, place->offset, &header);
    if (verdict != WAL_VERDICT_OK || !wal_group_is_sound(&header, bytes)) {
        return wal_fail(wal, ERR_IO, "a group read differently the second time: check the disk");
    }
    header.epoch = wal->active.epoch;
    header.offset = wal->active.offset;
    if (place != reading->above) {
        header.chain = reading->chain; /* of the one before, as written again */
    }
    wal_group_encode(&header, bytes);
    reading->chain = wal_group_chain(bytes, header.size);
    reading->window_size = 0; /* no longer what the disk holds */
    return write_durably(wal, bytes, size);
}

static enum err rewrite(struct wal *wal, struct wal_reading *reading)
{
    char name[WAL_NAME_SIZE];
    uint64_t size;
    struct disk *disk = wal->disk;
    enum err err = take_rewrite(wal, reading);
    if (err == ERR_OK) {
        err = disk->ops->open(disk, WAL_REWRITE_NAME, &wal->active.file, &size);
    }
    for (uint32_t i = 0; err == ERR_OK && i < reading->above_count; i++) {
        err = rewrite_group(wal, reading, &reading->above[i]);
    }
    if (err == ERR_OK) {
        wal->active.ordinal = last_ordinal(reading) + 1;
        wal_segment_name(wal->active.ordinal, name);
        err = disk->ops->rename(disk, WAL_REWRITE_NAME, name);
    }
    if (err != ERR_OK) {
        return wal_fail(wal, err,
                        "the last %u group(s) could not be made durable (" WAL_REWRITE_NAME "): %s",
                        reading->above_count, err_text(err));
    }
    reading->found->rewritten = reading->above_count;
    return ERR_OK;
}

/* -- a place to append -- */

/* The spare, made first if there is none, becomes the active segment now. A full disk leaves the
 * log without one, for wal_retry. */
static enum err begin_fresh(struct wal *wal)
{
    char name[WAL_NAME_SIZE];
    enum err err = ERR_OK;
    if (wal->next == WAL_NEXT_NONE) {
        err = wal_segment_make(wal, WAL_SPARE_NAME, wal->segment_size, &wal->standby);
    }
    if (err == ERR_NOSPACE) {
        wal->next = WAL_NEXT_FULL;
        wal->is_disk_full = true;
        return ERR_OK;
    }
    if (err == ERR_OK) {
        wal_segment_name(wal->standby.ordinal, name);
        err = wal->disk->ops->rename(wal->disk, WAL_SPARE_NAME, name);
    }
    if (err != ERR_OK) {
        return wal_fail(wal, err, "making a fresh segment: %s", err_text(err));
    }
    err = wal_segment_open(wal, &wal->standby);
    if (err == ERR_OK) {
        wal->next = WAL_NEXT_READY;
        const bool is_switched = wal_segment_switch(wal);
        CHECK(is_switched);
    }
    return err;
}

/* An empty segment with its name already: it is the next one, or the active one at once. */
static enum err take_standby(struct wal *wal, const struct wal_found *zero)
{
    const uint64_t size = wal_group_size(wal->group_size_max);
    if (zero->size < WAL_BLOCK_SIZE + size) {
        return ERR_OK; /* made under other options; it stays empty */
    }
    wal->standby = segment_from(zero, WAL_BLOCK_SIZE);
    const enum err err = wal_segment_open(wal, &wal->standby);
    wal->next = err == ERR_OK ? WAL_NEXT_READY : WAL_NEXT_NONE;
    return err;
}

static enum err choose_active(struct wal *wal, struct wal_reading *reading)
{
    const struct wal_found *zero = find_zero_segment(reading);
    enum err err = ERR_OK;
    if (reading->above_count) {
        err = rewrite(wal, reading);
        wal->standby.ordinal = wal->active.ordinal + 1;
        return err;
    }
    if (may_continue(reading)) {
        wal->active = segment_from(&reading->segments[reading->end_index], reading->end_offset);
        err = wal_segment_open(wal, &wal->active);
    }
    /* A spare from before is kept as it is and used once the standby was. */
    if (err == ERR_OK && zero) {
        err = take_standby(wal, zero);
    }
    if (err == ERR_OK && wal->active.file < 0) {
        err = wal->next == WAL_NEXT_READY ? ERR_OK : begin_fresh(wal);
        if (wal->next == WAL_NEXT_READY) {
            const bool is_switched = wal_segment_switch(wal);
            CHECK(is_switched);
        }
    }
    return err;
}

static enum err remove_leftovers(struct wal *wal)
{
    /* A copy that never took effect; what it was copied from is still there. */
    const enum err err = wal->disk->ops->remove(wal->disk, WAL_REWRITE_NAME);
    if (err == ERR_OK || err == ERR_NOTFOUND) {
        return ERR_OK;
    }
    return wal_fail(wal, err, "removing " WAL_REWRITE_NAME ": %s", err_text(err));
}

/* A segment of zeros only is no part of the log yet: it is the next one, or stays for ever. */
static enum err remember_spans(struct wal *wal, const struct wal_reading *reading)
{
    for (uint32_t i = 0; i < reading->count; i++) {
        const struct wal_found *found = &reading->segments[i];
        const bool is_next = i > reading->end_index && found->is_zero;
        if (is_next && (found->ordinal == wal->standby.ordinal ||
                        found->ordinal == wal->active.ordinal)) {
            continue;
        }
        if (!wal_span_reserve(wal)) {
            return wal_fail(wal, ERR_NOMEM, "no memory to list the log");
        }
        wal_span_add(wal, &(struct wal_span){found->ordinal, found->size, found->first_number,
                                             found->first_lsn, found->first_time_ms});
    }
    if (!wal_span_reserve(wal)) {
        return wal_fail(wal, ERR_NOMEM, "no memory to list the log");
    }
    if (reading->above_count) {
        const struct wal_place *first = reading->above;
        wal_span_add(wal, &(struct wal_span){wal->active.ordinal, wal->active.size,
                                             reading->number - reading->above_count,
                                             first->first_lsn, first->time_ms});
    }
    return wal_span_reserve(wal) ? ERR_OK
                                 : wal_fail(wal, ERR_NOMEM, "no memory to list the log");
}

enum err wal_resume(struct wal *wal, struct wal_reading *reading)
{
    enum err err = remove_leftovers(wal);
    wal->standby.ordinal = last_ordinal(reading) + 1;
    if (err == ERR_OK) {
        err = wal_segment_find_spare(wal);
    }
    if (err == ERR_OK) {
        err = choose_active(wal, reading);
    }
    if (err == ERR_OK) {
        err = remember_spans(wal, reading);
    }
    if (err != ERR_OK) {
        return err;
    }
    wal->group_number = reading->number - 1;
    wal->chain = reading->chain;
    wal->lsn_begun = reading->lsn - 1;
    wal->lsn_durable = wal->lsn_begun;
    wal->lsn_stamped = reading->stamp;
    wal->time_ms = reading->found->last_time_ms;
    wal->digest = reading->found->digest;
    wal->durable_digest = wal->digest;
    wal->is_open = true;
    wal_segment_advance(wal);
    return ERR_OK;
}
