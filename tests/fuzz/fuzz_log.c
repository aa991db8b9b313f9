/* Recovery over drawn bytes: any folder is read or refused with a text, never more; whatever was
 * accepted is found again, the same, by a second recovery.
 *
 * Input: one byte of flags, then pieces {u8 file and kind, u16 block, u16 size, bytes} laid over a
 * small sound log. With the flag, headers get valid sums and the segment's epoch, so that what
 * lies behind the sums is reached. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "crc32c.h"
#include "disk_sim.h"
#include "fuzz_main.h"
#include "log_fixture.h"
#include "rng.h"

enum { SEGMENT_SIZE = 16 << 10, GROUP_SIZE = 3 << 10, SEGMENTS = 3 };

struct replay {
    uint64_t records;
    uint64_t groups;
    uint64_t sum;
};

static enum err on_record(void *owner, uint64_t lsn, uint64_t time_ms, uint8_t type,
                          const uint8_t *bytes, uint32_t size)
{
    struct replay *replay = owner;
    CHECK(lsn == ++replay->records);
    replay->sum += crc32c((uint32_t)(lsn + time_ms + type), bytes, size);
    return ERR_OK;
}

static enum err on_group(void *owner, const struct digest *stamped, uint64_t last_lsn,
                         uint64_t time_ms)
{
    struct replay *replay = owner;
    (void)stamped;
    (void)time_ms;
    replay->groups++;
    CHECK(last_lsn == replay->records);
    return ERR_OK;
}

static struct wal_options options_on(struct disk *disk)
{
    return (struct wal_options){
        .segment_size = SEGMENT_SIZE, .group_size_max = GROUP_SIZE, .disk = disk};
}

/* Open and recover; a refusal must say why. */
static bool recover(struct disk *disk, struct wal **wal_out, struct replay *replay)
{
    char error[WAL_ERROR_SIZE];
    struct wal_recovery found;
    const struct wal_options options = options_on(disk);
    *replay = (struct replay){0};
    if (wal_open(&options, error, wal_out) != ERR_OK) {
        CHECK(error[0]);
        return false;
    }
    if (wal_recover(*wal_out, on_record, on_group, replay, &found) != ERR_OK) {
        CHECK(wal_error(*wal_out)[0]);
        wal_close(*wal_out);
        return false;
    }
    CHECK(found.records == replay->records);
    CHECK(found.last_lsn == replay->records);
    return true;
}

/* A sound log of a few groups, made once. */
static struct disk *sound_log(void)
{
    static struct disk *made;
    struct wal *wal;
    struct replay replay;
    if (made) {
        return made;
    }
    made = disk_sim_new(3, 1 << 20);
    const bool is_open = recover(made, &wal, &replay);
    CHECK(is_open);
    for (uint32_t i = 0; i < 7; i++) {
        memset(wal_append_begin(wal, 50), (int)i, 50);
        wal_append_end(wal, 1, 50);
        wal_submit(wal, &(struct digest){i, i});
        while (wal_is_busy(wal)) {
            wal_wait(wal);
        }
    }
    wal_close(wal);
    return made;
}

static void fix_sums(uint8_t *file, uint64_t size)
{
    for (uint64_t at = WAL_BLOCK_SIZE; at + WAL_BLOCK_SIZE <= size; at += WAL_BLOCK_SIZE) {
        uint8_t *header = file + at;
        uint64_t payload;
        memcpy(&payload, header + 56, 8);
        if (memcmp(header, "NSHGROUP", 8) != 0 || payload > size - at - WAL_GROUP_HEADER_SIZE) {
            continue;
        }
        memcpy(header + 16, file + 16, 8);
        memcpy(header + 24, &at, 8);
        const uint32_t body = crc32c(0, header + WAL_GROUP_HEADER_SIZE, payload);
        memcpy(header + 120, &body, 4);
        const uint32_t head = crc32c(0, header, 124);
        memcpy(header + 124, &head, 4);
    }
}

static uint8_t *segment_of(struct disk *disk, uint64_t ordinal, uint64_t *size_out)
{
    char name[WAL_NAME_SIZE];
    wal_segment_name(ordinal, name);
    return disk_sim_file(disk, name, size_out);
}

/* Lay one piece over a file; returns what of the input is left behind it. */
static size_t lay(struct disk *disk, const uint8_t *piece, size_t left)
{
    uint64_t file_size;
    if (left < 5) {
        return 0;
    }
    const size_t wanted = (size_t)(piece[3] | piece[4] << 8);
    const size_t size = wanted < left - 5 ? wanted : left - 5;
    uint8_t *file = piece[0] % 8 == 7 ? disk_sim_file(disk, "identity", &file_size)
                                      : segment_of(disk, piece[0] % SEGMENTS + 1u, &file_size);
    const uint64_t at = (uint64_t)(piece[1] | piece[2] << 8);
    if (file && at + size <= file_size) {
        memcpy(file + at, piece + 5, size);
    }
    return left - 5 - size;
}

static void append_and_find_again(struct disk *disk, struct wal *wal, const struct replay *first)
{
    struct replay second;
    memset(wal_append_begin(wal, 20), 9, 20);
    const uint64_t lsn = wal_append_end(wal, 2, 20);
    CHECK(lsn == first->records + 1);
    wal_submit(wal, &(struct digest){1, 2});
    while (wal_is_busy(wal)) {
        wal_wait(wal);
    }
    wal_close(wal);
    const bool is_open = recover(disk, &wal, &second);
    CHECK(is_open);
    CHECK(second.records == first->records + 1);
    wal_close(wal);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct wal *wal;
    struct replay replay;
    uint64_t file_size;
    if (size < 1) {
        return 0;
    }
    struct disk *disk = disk_sim_clone(sound_log());
    const uint8_t *end = input + size;
    for (size_t left = size - 1; left > 0;) {
        left = lay(disk, end - left, left);
    }
    for (uint64_t i = 1; (input[0] & 1) && i <= SEGMENTS; i++) {
        uint8_t *file = segment_of(disk, i, &file_size);
        fix_sums(file, file_size);
    }
    if (recover(disk, &wal, &replay)) {
        if (wal_has_room(wal, 20, 1)) {
            append_and_find_again(disk, wal, &replay);
        } else {
            wal_close(wal);
        }
    }
    disk_sim_free(disk);
    return 0;
}

#ifndef FUZZ_ENGINE
/* Inputs that mostly hit: fields of group headers, in sound sums. */
size_t fuzz_draw(struct rng *rng, uint8_t *input, size_t size)
{
    if (size && rng_below(rng, 8) == 0) {
        return fuzz_mutate(rng, input, size);
    }
    size = 1;
    input[0] = (uint8_t)rng_next(rng);
    for (uint64_t pieces = 1 + rng_below(rng, 3); pieces > 0; pieces--) {
        const uint64_t at = rng_below(rng, 4) * 4096 + rng_below(rng, 150);
        const size_t bytes = 1 + rng_below(rng, 8);
        input[size++] = (uint8_t)rng_next(rng);
        input[size++] = (uint8_t)at;
        input[size++] = (uint8_t)(at >> 8);
        input[size++] = (uint8_t)bytes;
        input[size++] = 0;
        for (size_t i = 0; i < bytes; i++) {
            input[size++] = (uint8_t)(rng_below(rng, 3) ? rng_below(rng, 5) : rng_next(rng));
        }
    }
    return size;
}
#endif
