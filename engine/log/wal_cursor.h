/* Reads groups of a log from an LSN on, while the log goes on: what events are told from. It only
 * reads files, through any disk over the folder (one of its own on another thread, or the log's),
 * and knows of the writer but the durable LSN that it is given.
 *
 * One thread; every call may wait for the disk. */
#ifndef LOG_WAL_CURSOR_H
#define LOG_WAL_CURSOR_H

#include <stdint.h>

#include "disk.h"
#include "err.h"

struct wal_cursor;

/* One group; records are type, size, bytes each (wal_record_size). Valid until the next call. */
struct wal_cursor_group {
    uint64_t first_lsn;
    uint64_t count; /* at least 1 */
    uint64_t time_ms;
    const uint8_t *records;
    uint64_t size;
};

/* disk is borrowed until wal_cursor_free. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err wal_cursor_new(struct disk *disk, struct wal_cursor **cursor_out);
void wal_cursor_free(struct wal_cursor *cursor);

/* The group that holds from_lsn (or the first one behind it), if it ends at or before durable_lsn.
 * Going on at the LSN behind the last group read costs one read of the next; any other from_lsn
 * looks for its segment.
 *
 * Errors: ERR_NOTFOUND: nothing there yet; ERR_CLOSED: from_lsn is no longer in the log, which
 * begins with *oldest_lsn_out; else the disk's. */
ERR_MUST_USE enum err wal_cursor_read(struct wal_cursor *cursor, uint64_t from_lsn,
                                      uint64_t durable_lsn, struct wal_cursor_group *group_out,
                                      uint64_t *oldest_lsn_out);

#endif
