/* Reading the log back, shared by wal_recover.c (which groups count) and wal_resume.c (how the log
 * goes on behind them). */
#ifndef LOG_WAL_READING_INTERNAL_H
#define LOG_WAL_READING_INTERNAL_H

#include "wal_internal.h"

enum { WAL_READ_SIZE = 4 << 20, WAL_READ_SMALL = 64 << 10 };

/* A segment file as it was found. */
struct wal_found {
    uint64_t ordinal;
    uint64_t epoch;
    uint64_t size;
    uint64_t first_number; /* of the group at its begin, if that one is sound; else 0 */
    uint64_t first_lsn;
    uint64_t first_time_ms;
    bool is_zero;          /* behind its first block; known for those behind the log's end */
};

/* Where a group stands. */
struct wal_place {
    uint32_t index; /* of the segment */
    uint64_t offset;
    uint64_t payload_size;
    uint64_t first_lsn, last_lsn;
    uint64_t time_ms;
};

/* One run of wal_recover, on its stack. */
struct wal_reading {
    struct wal *wal;
    wal_replay_cb *replay;
    wal_group_cb *group;
    void *owner;
    struct wal_recovery *found;
    struct wal_until until;
    bool is_stopped; /* until was reached */
    /* -- the segments, by ordinal -- */
    struct wal_found *segments;
    uint32_t count;
    uint32_t room;
    bool is_out_of_memory;
    /* -- a window on one of them -- */
    int file; /* -1: none open */
    uint32_t index;
    uint8_t *window;
    uint64_t window_at;
    size_t window_size;
    size_t window_room;
    uint64_t read_size; /* of one read, at least */
    /* -- up to the start: groups that the snapshot holds are walked over -- */
    uint64_t walked;      /* groups read, those included */
    uint64_t skip_number; /* the next one expected there; 0 = none was seen */
    uint64_t skip_chain;
    bool is_linked; /* the log was seen to continue the start */
    /* -- the next group expected -- */
    uint64_t number;
    uint64_t lsn;
    uint64_t chain;
    uint64_t stamp; /* highest durable LSN seen in a valid header */
    /* -- sound groups from the first one above the stamp on, oldest first -- */
    struct wal_place *above;
    uint32_t above_count;
    uint32_t above_room;
    /* -- where the log ends -- */
    uint32_t end_index;
    uint64_t end_offset;
    bool is_rest_zero; /* behind the end, in that segment */
};

/* Open segment index in the window; close what was open. */
ERR_MUST_USE enum err wal_reading_open(struct wal_reading *reading, uint32_t index);
void wal_reading_close(struct wal_reading *reading);

/* Bytes [offset, offset + size) of the open segment, valid until the next call. offset is a
 * multiple of the block. */
ERR_MUST_USE enum err wal_reading_get(struct wal_reading *reading, uint64_t offset, uint64_t size,
                                      uint8_t **bytes_out);

#endif
