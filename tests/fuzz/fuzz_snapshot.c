/* A snapshot of drawn bytes: it is loaded, and then is the state that it was made of, or refused
 * with file, offset and reason; never more.
 *
 * Input: one byte of flags, then pieces {u16 at, in eighths of a block, u8 offset, u8 size, bytes}
 * laid over a sound snapshot. With flag 1 all sums are made right again, so that what lies behind
 * them is reached; with flag 2 the file is cut at the last piece. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "crc32c.h"
#include "disk_sim.h"
#include "fuzz_main.h"
#include "snapshot.h"
#include "tables_sample.h"

enum { SEED = 3, ORDERS = 30, DISK = 8 << 20, PIECE_HEAD = 4, STEP = SNAPSHOT_BLOCK / 8 };
enum { FLAG_SUMS = 1, FLAG_CUT = 2 };

static uint8_t uuid[16] = "uuid of a folder";

/* Made once: the disk, and the digest of its state. */
static struct disk *sound(struct digest *digest_out)
{
    static struct disk *made;
    static struct digest digest;
    char error[SNAPSHOT_ERROR_SIZE];
    struct snapshot_written written;
    struct tables tables;
    if (!made) {
        made = disk_sim_new(SEED, DISK);
        tables_sample(&tables, SEED, ORDERS);
        digest = tables.digest;
        struct snapshot_mark mark = {.lsn = tables.lsn, .time_ms = tables.time_ms,
                                     .group_number = 7, .chain = 9, .digest = digest};
        memcpy(mark.uuid, uuid, sizeof uuid);
        CHECK(snapshot_write(made, &tables, &mark, 0, &written, error) == ERR_OK);
        tables_close(&tables);
    }
    *digest_out = digest;
    return made;
}

static uint32_t reseal(uint8_t *bytes, uint32_t size)
{
    const uint32_t crc = crc32c(0, bytes, size - 4);
    memcpy(bytes + size - 4, &crc, sizeof crc);
    return crc;
}

/* Payload and head of the chunk at that place; 0: there is none that lies within the file. */
static uint64_t chunk_seal(uint8_t *bytes, uint64_t left, uint64_t *sum)
{
    uint64_t payload;
    memcpy(&payload, bytes + 64, sizeof payload);
    if (memcmp(bytes, "NSHCHUNK", 8) != 0 || payload > SNAPSHOT_PAYLOAD_MAX ||
        snapshot_chunk_size(payload) > left) {
        return 0;
    }
    const uint32_t crc = crc32c(0, bytes + SNAPSHOT_HEAD_SIZE, payload);
    memcpy(bytes + 88, &crc, sizeof crc);
    const uint32_t head = reseal(bytes, SNAPSHOT_HEAD_SIZE);
    *sum = crc32c((uint32_t)*sum, &head, sizeof head);
    return snapshot_chunk_size(payload);
}

static void sums_fix(uint8_t *bytes, uint64_t size)
{
    uint64_t sum = 0;
    uint64_t at = SNAPSHOT_BLOCK;
    if (size < 2 * SNAPSHOT_BLOCK) {
        return;
    }
    reseal(bytes, SNAPSHOT_HEADER_SIZE);
    for (uint64_t step = 1; step && at + SNAPSHOT_BLOCK <= size; at += step) {
        step = chunk_seal(bytes + at, size - at, &sum);
    }
    if (at + SNAPSHOT_BLOCK <= size && memcmp(bytes + at, "NSHSNEND", 8) == 0) {
        memcpy(bytes + at + 64, &sum, sizeof sum);
        reseal(bytes + at, 96);
    }
}

/* Lay one piece over the file; returns what of the input is left behind it. */
static size_t lay(uint8_t *file, uint64_t file_size, const uint8_t *piece, size_t left,
                  uint64_t *at_out)
{
    if (left < PIECE_HEAD) {
        return 0;
    }
    const size_t rest = left - PIECE_HEAD;
    const size_t size = piece[3] < rest ? piece[3] : rest;
    const uint64_t at = (uint64_t)(piece[0] | piece[1] << 8) * STEP % file_size + piece[2];
    if (at + size <= file_size) {
        memcpy(file + at, piece + PIECE_HEAD, size);
        *at_out = at;
    }
    return rest - size;
}

static void load(struct disk *disk, const struct digest *digest)
{
    char error[SNAPSHOT_ERROR_SIZE] = "";
    struct tables tables;
    struct snapshot_mark mark;
    CHECK(tables_init(&tables, &tables_sample_options, tables_sample_secret) == ERR_OK);
    const enum err err = snapshot_load(disk, SNAPSHOT_TMP_NAME, uuid, &tables, &mark, error);
    if (err == ERR_OK) {
        CHECK(digest_equal(&tables.digest, &mark.digest));
        if (digest_equal(&mark.digest, digest)) {
            tables_check(&tables);
        }
    } else {
        CHECK(strncmp(error, SNAPSHOT_TMP_NAME ", offset ", 21) == 0);
    }
    tables_close(&tables);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    struct digest digest;
    uint64_t file_size;
    uint64_t at = 0;
    if (size < 1) {
        return 0;
    }
    struct disk *disk = disk_sim_clone(sound(&digest));
    uint8_t *file = disk_sim_file(disk, SNAPSHOT_TMP_NAME, &file_size);
    for (size_t left = size - 1; left > 0;) {
        left = lay(file, file_size, input + size - left, left, &at);
    }
    if (input[0] & FLAG_SUMS) {
        sums_fix(file, file_size);
    }
    if (input[0] & FLAG_CUT) {
        disk_sim_file_resize(disk, SNAPSHOT_TMP_NAME, at);
    }
    load(disk, &digest);
    disk_sim_free(disk);
    return 0;
}

#ifndef FUZZ_ENGINE
/* Where the bytes of records and heads are: behind the beginning of a chunk. */
size_t fuzz_draw(struct rng *rng, uint8_t *input, size_t size)
{
    struct digest digest;
    uint64_t file_size;
    const uint8_t *file = disk_sim_file(sound(&digest), SNAPSHOT_TMP_NAME, &file_size);
    if (size > 1 && rng_below(rng, 4) == 0) {
        return fuzz_mutate(rng, input, size);
    }
    size = 1;
    input[0] = rng_below(rng, 8) ? FLAG_SUMS : (uint8_t)rng_next(rng);
    for (uint64_t pieces = 1 + rng_below(rng, 3); pieces > 0; pieces--) {
        uint64_t step = rng_below(rng, file_size / STEP);
        while (step && file[step * STEP] == 0 && rng_below(rng, 16)) {
            step = rng_below(rng, file_size / STEP); /* zeros are mostly padding */
        }
        const size_t bytes = 1 + (size_t)rng_below(rng, 6);
        input[size++] = (uint8_t)step;
        input[size++] = (uint8_t)(step >> 8);
        input[size++] = (uint8_t)rng_next(rng);
        input[size++] = (uint8_t)bytes;
        for (size_t i = 0; i < bytes; i++) {
            input[size++] = (uint8_t)(rng_below(rng, 3) ? rng_below(rng, 5) : rng_next(rng));
        }
    }
    return size;
}
#endif
