/* The model owner of a log and scratch folders. */
#include "log_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "rng.h"

static void draw(uint8_t *bytes, uint64_t seed, uint32_t size)
{
    struct rng rng;
    rng_init(&rng, seed);
    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)rng_next(&rng);
    }
}

static void on_durable(void *owner, uint64_t lsn)
{
    struct keeper *keeper = owner;
    CHECK(lsn > keeper->durable);
    CHECK(lsn <= keeper->begun);
    keeper->durable = lsn;
    keeper->durable_after_failure += keeper->failures > 0;
}

static void on_failed(void *owner, const char *why)
{
    struct keeper *keeper = owner;
    keeper->failures++;
    snprintf(keeper->error, sizeof keeper->error, "%s", why);
}

static enum err on_replay(void *owner, uint64_t lsn, uint64_t time_ms, uint8_t type,
                          const uint8_t *bytes, uint32_t size)
{
    struct keeper *keeper = owner;
    uint8_t expected[KEEPER_RECORD_SIZE_MAX];
    CHECK(lsn == ++keeper->replayed);
    digest_add(&keeper->replayed_digest, (uint32_t)lsn, bytes, size);
    if (lsn > keeper->begun) {
        keeper->mismatches++;
        return ERR_OK;
    }
    const struct kept *kept = &keeper->records[lsn];
    draw(expected, kept->seed, kept->size);
    keeper->mismatches += kept->size != size || kept->type != type || kept->time_ms != time_ms ||
                          memcmp(expected, bytes, size) != 0;
    return ERR_OK;
}

static enum err on_group(void *owner, const struct digest *stamped, uint64_t last_lsn,
                         uint64_t time_ms)
{
    const struct keeper *keeper = owner;
    (void)time_ms;
    CHECK(last_lsn == keeper->replayed);
    return digest_equal(stamped, &keeper->replayed_digest) ? ERR_OK : ERR_DAMAGED;
}

void keeper_init(struct keeper *keeper)
{
    const bool is_alone = keeper->is_alone;
    memset(keeper, 0, sizeof *keeper);
    keeper->is_alone = is_alone;
}

struct wal_options keeper_options(struct keeper *keeper)
{
    return (struct wal_options){.segment_size = 64 << 10,
                                .group_size_max = 8 << 10,
                                .lone_flush_us = keeper->is_alone ? UINT32_MAX : 0,
                                .durable = on_durable,
                                .failed = on_failed,
                                .owner = keeper};
}

static void replay_begin(struct keeper *keeper, struct wal *wal)
{
    keeper->replayed = keeper->start.lsn;
    keeper->replayed_digest = keeper->start.digest;
    keeper->mismatches = 0;
    if (keeper->start.group_number) {
        wal_start_at(wal, &keeper->start);
    }
    wal_reach(wal, keeper->reach_lsn);
}

enum err keeper_read(struct keeper *keeper, const struct wal_options *options,
                     const struct wal_until *until, struct wal_start *start_out)
{
    struct wal *wal;
    struct wal_options reader = *options;
    reader.is_reader = true;
    enum err err = wal_open(&reader, keeper->error, &wal);
    if (err != ERR_OK) {
        return err;
    }
    replay_begin(keeper, wal);
    err = wal_read(wal, until, on_replay, on_group, keeper, &keeper->found);
    *start_out = (struct wal_start){.lsn = keeper->found.last_lsn,
                                    .time_ms = keeper->found.last_time_ms,
                                    .group_number = keeper->found.group_number,
                                    .chain = keeper->found.chain,
                                    .digest = keeper->found.digest};
    if (err != ERR_OK) {
        snprintf(keeper->error, sizeof keeper->error, "%s", wal_error(wal));
    }
    wal_close(wal);
    return err;
}

enum err keeper_open(struct keeper *keeper, const struct wal_options *options)
{
    keeper->failures = 0;
    keeper->durable_after_failure = 0;
    keeper->wal = NULL;
    enum err err = wal_open(options, keeper->error, &keeper->wal);
    if (err != ERR_OK) {
        return err;
    }
    replay_begin(keeper, keeper->wal);
    err = wal_recover(keeper->wal, on_replay, on_group, keeper, &keeper->found);
    if (err != ERR_OK) {
        snprintf(keeper->error, sizeof keeper->error, "%s", wal_error(keeper->wal));
        wal_close(keeper->wal);
        keeper->wal = NULL;
        return err;
    }
    keeper->begun = keeper->replayed;
    keeper->durable = keeper->replayed;
    keeper->digest = keeper->replayed_digest;
    return ERR_OK;
}

void keeper_append(struct keeper *keeper, uint64_t seed, uint32_t size)
{
    const uint64_t lsn = keeper->begun + 1;
    CHECK(lsn <= KEEPER_RECORDS_MAX);
    CHECK(size <= KEEPER_RECORD_SIZE_MAX);
    const struct kept kept = {
        .time_ms = wal_time(keeper->wal), .seed = seed, .size = size, .type = (uint8_t)seed};
    uint8_t *bytes = wal_append_begin(keeper->wal, size);
    draw(bytes, seed, size);
    digest_add(&keeper->digest, (uint32_t)lsn, bytes, size);
    keeper->records[lsn] = kept;
    keeper->begun = lsn;
    const uint64_t got = wal_append_end(keeper->wal, kept.type, size);
    CHECK(got == lsn);
}

void keeper_submit(struct keeper *keeper)
{
    if (keeper->is_alone) {
        wal_submit_alone(keeper->wal, &keeper->digest);
    } else {
        wal_submit(keeper->wal, &keeper->digest);
    }
}

void keeper_batch(struct keeper *keeper, uint64_t seed, uint32_t count)
{
    struct rng rng;
    rng_init(&rng, seed);
    wal_time_set(keeper->wal, wal_time(keeper->wal) + rng_below(&rng, 5));
    for (uint32_t i = 0; i < count; i++) {
        keeper_append(keeper, rng_next(&rng), (uint32_t)rng_below(&rng, 300));
    }
    keeper_submit(keeper);
}

void keeper_settle(struct keeper *keeper)
{
    while (keeper->failures == 0 && keeper->durable < keeper->begun) {
        wal_wait(keeper->wal);
    }
}

void keeper_close(struct keeper *keeper)
{
    wal_close(keeper->wal);
    keeper->wal = NULL;
}

void scratch_make(char path_out[256])
{
    snprintf(path_out, 256, "log-scratch-XXXXXX");
    CHECK(mkdtemp(path_out) != NULL);
}

void scratch_drop(const char *path)
{
    char name[600];
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        (void)unlink(name);
    }
    closedir(dir);
    CHECK(rmdir(path) == 0);
}
