/* Segments: the active one, the next one, and the steps that make it ready in time. Everything
 * that takes long runs beside the loop, as the disk's one job:
 *
 *   NONE -> BUILDING     build      spare.seg is filled with zeros
 *   BUILDING -> SPARE    job_done   or FULL when the disk was
 *   FULL -> BUILDING     wal_retry
 *   SPARE -> PROMOTING   advance    once the active segment is half full or has no room
 *   PROMOTING -> READY   job_done   renamed, folder synced, opened
 *   READY -> NONE        switch     it is the active one now
 */
#include <string.h>

#include "check.h"
#include "wal_internal.h"

enum { RESERVE_SIZE_MAX = 8 << 20 };

bool wal_segment_fits(const struct wal *wal, uint64_t size)
{
    return size <= wal->active.size - wal->active.offset;
}

/* Kept in the active segment for releasing changes while no next one is certain. */
static uint64_t reserve_size(const struct wal *wal, enum wal_claim claim)
{
    const uint64_t quarter = wal->active.size / 4;
    if (claim == WAL_CLAIM_RELEASE) {
        return 0;
    }
    return quarter < RESERVE_SIZE_MAX ? quarter : RESERVE_SIZE_MAX;
}

enum wal_room wal_segment_room(const struct wal *wal, uint64_t size, enum wal_claim claim)
{
    const bool is_next_certain = wal->next == WAL_NEXT_SPARE || wal->next == WAL_NEXT_PROMOTING ||
                                 wal->next == WAL_NEXT_READY;
    if (is_next_certain) {
        CHECK(size <= wal->standby.size - wal->standby.offset);
        return WAL_ROOM_OK;
    }
    if (wal_segment_fits(wal, size + reserve_size(wal, claim))) {
        return WAL_ROOM_OK;
    }
    /* Also while the next try is under way: who waited for it would wait on a full disk. */
    return wal->is_disk_full ? WAL_ROOM_DISK_FULL : WAL_ROOM_SEGMENT_LATE;
}

/* Draw the epoch of a new segment and encode its first block. */
static enum err first_block(struct wal *wal, uint64_t size, uint8_t block[WAL_BLOCK_SIZE],
                            struct wal_segment *segment_out)
{
    struct wal_segment_header header = {.size = size};
    memcpy(header.uuid, wal->identity.uuid, sizeof header.uuid);
    const enum err err = wal->disk->ops->random(wal->disk, &header.epoch, sizeof header.epoch);
    if (err != ERR_OK) {
        return err;
    }
    wal_segment_encode(&header, block);
    segment_out->file = -1;
    segment_out->epoch = header.epoch;
    segment_out->size = size;
    segment_out->offset = WAL_BLOCK_SIZE;
    return ERR_OK;
}

void wal_segment_build(struct wal *wal)
{
    uint8_t block[WAL_BLOCK_SIZE];
    CHECK(wal->next == WAL_NEXT_NONE || wal->next == WAL_NEXT_FULL);
    const enum err err = first_block(wal, wal->segment_size, block, &wal->standby);
    CHECK(err == ERR_OK); /* random bytes do not run out once the first ones were had */
    wal->next = WAL_NEXT_BUILDING;
    wal->disk->ops->create_start(wal->disk, WAL_SPARE_NAME, wal->segment_size, block);
}

static void promote(struct wal *wal)
{
    char name[WAL_NAME_SIZE];
    wal_segment_name(wal->standby.ordinal, name);
    wal->next = WAL_NEXT_PROMOTING;
    wal->disk->ops->rename_start(wal->disk, WAL_SPARE_NAME, name);
}

bool wal_job_is_free(const struct wal *wal)
{
    return !wal->is_removing && !wal->chore.is_running &&
           (wal->next == WAL_NEXT_SPARE || wal->next == WAL_NEXT_READY ||
            wal->next == WAL_NEXT_FULL);
}

static void chore_start(struct wal *wal)
{
    struct wal_chore *chore = &wal->chore;
    if (!wal_job_is_free(wal)) {
        return;
    }
    chore->is_running = true;
    if (chore->to[0]) {
        wal->disk->ops->rename_start(wal->disk, chore->from, chore->to);
    } else {
        wal->disk->ops->remove_start(wal->disk, chore->from);
    }
}

static void chore_done(struct wal *wal, enum err err)
{
    const struct wal_chore chore = wal->chore;
    wal->chore = (struct wal_chore){0};
    wal_retry(wal); /* before done begins the next one: a row of chores would keep it from trying */
    chore.done(chore.owner, err);
}

static void name_keep(char kept[WAL_CHORE_NAME_SIZE], const char *name)
{
    const size_t len = strlen(name);
    CHECK(len < WAL_CHORE_NAME_SIZE);
    memcpy(kept, name, len + 1);
}

void wal_chore(struct wal *wal, const char *from, const char *to, wal_chore_cb *done, void *owner)
{
    struct wal_chore *chore = &wal->chore;
    CHECK(wal->is_open);
    CHECK(!chore->from[0]);
    CHECK(from[0]);
    name_keep(chore->from, from);
    name_keep(chore->to, to ? to : "");
    chore->done = done;
    chore->owner = owner;
    wal_segment_advance(wal);
}

void wal_segment_advance(struct wal *wal)
{
    const bool is_half_full = wal->active.offset >= wal->active.size / 2;
    if (wal->is_dead || wal->is_removing || wal->chore.is_running) {
        return;
    }
    if (wal->next == WAL_NEXT_NONE) {
        wal_segment_build(wal);
    } else if (wal->next == WAL_NEXT_SPARE && (is_half_full || wal->is_waiting)) {
        promote(wal);
    } else if (wal->chore.from[0]) {
        chore_start(wal);
    } else {
        wal_span_remove(wal);
    }
}

bool wal_segment_switch(struct wal *wal)
{
    if (wal->next != WAL_NEXT_READY) {
        return false;
    }
    CHECK(wal->standby.file >= 0);
    CHECK(wal->standby.ordinal > wal->active.ordinal);
    if (wal->active.file >= 0) {
        wal->disk->ops->close(wal->disk, wal->active.file);
    }
    wal->active = wal->standby;
    wal->standby = (struct wal_segment){.file = -1, .ordinal = wal->active.ordinal + 1};
    wal->next = WAL_NEXT_NONE;
    wal->stats.segments++;
    return true;
}

enum err wal_segment_open(struct wal *wal, struct wal_segment *segment)
{
    char name[WAL_NAME_SIZE];
    uint64_t size;
    wal_segment_name(segment->ordinal, name);
    const enum err err = wal->disk->ops->open(wal->disk, name, &segment->file, &size);
    if (err != ERR_OK) {
        segment->file = -1;
        return wal_fail(wal, err, "opening %s: %s", name, err_text(err));
    }
    CHECK(size == segment->size);
    return ERR_OK;
}

static void built(struct wal *wal, enum err err)
{
    wal->is_disk_full = err == ERR_NOSPACE;
    if (err == ERR_OK) {
        wal->next = WAL_NEXT_SPARE;
    } else if (err == ERR_NOSPACE) {
        wal->next = WAL_NEXT_FULL;
    } else {
        wal->next = WAL_NEXT_NONE;
        wal_die(wal, err, "making the next segment (" WAL_SPARE_NAME ")");
    }
}

static void promoted(struct wal *wal, enum err err)
{
    if (err == ERR_OK) {
        err = wal_segment_open(wal, &wal->standby);
    }
    if (err == ERR_OK && !wal_span_reserve(wal)) {
        err = ERR_NOMEM;
    }
    if (err == ERR_OK) {
        wal->next = WAL_NEXT_READY;
    } else {
        wal->next = WAL_NEXT_NONE;
        wal_die(wal, err, "renaming " WAL_SPARE_NAME " to the next segment");
    }
}

void wal_segment_job_done(void *owner, enum err err)
{
    struct wal *wal = owner;
    if (wal->is_removing) {
        wal_span_removed(wal, err);
    } else if (wal->chore.is_running) {
        chore_done(wal, err);
    } else if (wal->next == WAL_NEXT_BUILDING) {
        built(wal, err);
    } else {
        CHECK(wal->next == WAL_NEXT_PROMOTING);
        promoted(wal, err);
    }
    wal_start_group(wal);
    wal_segment_advance(wal);
}

enum err wal_segment_make(struct wal *wal, const char *name, uint64_t size,
                          struct wal_segment *segment_out)
{
    uint8_t block[WAL_BLOCK_SIZE];
    const enum err err = first_block(wal, size, block, segment_out);
    return err == ERR_OK ? wal->disk->ops->create(wal->disk, name, size, block) : err;
}

/* The spare's header, if it is one of this folder and of the size wanted now. */
static enum err read_spare(struct wal *wal, int file, bool *is_usable_out)
{
    struct wal_segment_header header;
    _Alignas(DISK_ALIGN) uint8_t block[WAL_BLOCK_SIZE];
    const enum err err = wal->disk->ops->read(wal->disk, file, 0, block, sizeof block);
    if (err != ERR_OK) {
        return err;
    }
    *is_usable_out = wal_segment_decode(block, &header) == WAL_VERDICT_OK &&
                     header.size == wal->segment_size &&
                     memcmp(header.uuid, wal->identity.uuid, 16) == 0;
    wal->standby = (struct wal_segment){.file = -1,
                                        .ordinal = wal->standby.ordinal,
                                        .epoch = header.epoch,
                                        .size = header.size,
                                        .offset = WAL_BLOCK_SIZE};
    return ERR_OK;
}

enum err wal_segment_find_spare(struct wal *wal)
{
    int file;
    uint64_t size;
    bool is_usable = false;
    wal->next = WAL_NEXT_NONE;
    enum err err = wal->disk->ops->open(wal->disk, WAL_SPARE_NAME, &file, &size);
    if (err == ERR_NOTFOUND) {
        return ERR_OK;
    }
    if (err != ERR_OK) {
        return wal_fail(wal, err, "opening " WAL_SPARE_NAME ": %s", err_text(err));
    }
    if (size == wal->segment_size) {
        err = read_spare(wal, file, &is_usable);
    }
    wal->disk->ops->close(wal->disk, file);
    if (err == ERR_OK && is_usable) {
        wal->next = WAL_NEXT_SPARE;
    } else if (err == ERR_OK) {
        /* Never written to: only its size or its folder is not the one wanted. */
        err = wal->disk->ops->remove(wal->disk, WAL_SPARE_NAME);
    }
    return err == ERR_OK ? ERR_OK : wal_fail(wal, err, WAL_SPARE_NAME ": %s", err_text(err));
}
