/* What the log's tests share: an owner that keeps every record it is given as a model, with a
 * digest over them, and a folder that is thrown away. Test thread only. */
#ifndef TESTS_LOG_FIXTURE_H
#define TESTS_LOG_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "wal.h"

enum { KEEPER_RECORDS_MAX = 20000, KEEPER_RECORD_SIZE_MAX = 400 };

/* One kept record: its content follows from a seed, so only that is kept. */
struct kept {
    uint64_t time_ms;
    uint64_t seed;
    uint32_t size;
    uint8_t type;
};

/* The owner of a log: appends drawn records, hears of durability, replays and compares. */
struct keeper {
    struct wal *wal;
    struct digest digest;                        /* over all records begun */
    struct kept records[KEEPER_RECORDS_MAX + 1]; /* by LSN */
    uint64_t begun;
    uint64_t durable;  /* as told by the log */
    uint64_t failures; /* times that failed was called */
    uint64_t durable_after_failure;
    char error[WAL_ERROR_SIZE];
    bool is_alone;          /* submits so: it may flush by itself; kept by keeper_init */
    struct wal_start start; /* where the next replay begins; group_number 0: at the beginning */
    uint64_t reach_lsn;     /* the next replay must come so far; 0: no matter */
    /* -- of the last replay -- */
    struct digest replayed_digest;
    uint64_t replayed;   /* records */
    uint64_t mismatches; /* records that are not the ones kept */
    struct wal_recovery found;
};

void keeper_init(struct keeper *keeper);

/* Small segments and groups, so that a few records roll over; a keeper that is alone always
 * flushes by itself where the log lets it. */
struct wal_options keeper_options(struct keeper *keeper);

/* Open and recover; the model is held against the replay, then cut to what was found. */
enum err keeper_open(struct keeper *keeper, const struct wal_options *options);

/* Read up to until with a log of its own beside the open one, hold it against the model, and tell
 * where that state stands. */
enum err keeper_read(struct keeper *keeper, const struct wal_options *options,
                     const struct wal_until *until, struct wal_start *start_out);

/* Append count records drawn from seed (sizes 0 to 300) as one batch and submit. */
void keeper_batch(struct keeper *keeper, uint64_t seed, uint32_t count);

/* Append one record of exactly that size, without submitting. */
void keeper_append(struct keeper *keeper, uint64_t seed, uint32_t size);
void keeper_submit(struct keeper *keeper);

/* Drive until all is durable or the log is dead. */
void keeper_settle(struct keeper *keeper);

void keeper_close(struct keeper *keeper);

/* A new empty folder, under build; removed with what is in it by folder_drop. */
void scratch_make(char path_out[256]);
void scratch_drop(const char *path);

#endif
