/* Reading records of a log that is being written, from an LSN on: for readers of events.
 *
 * One ask at a time: wal_feed_ask, then wal_feed_take tells its end. With a folder a helper thread
 * reads, by file descriptors of its own, and rings wal_feed_fd; with a disk given (simulations,
 * tests) the ask is answered before it returns. Only durable records are told, each group having
 * been verified; the writer is never touched, and segments may go meanwhile. Loop thread only. */
#ifndef LOG_WAL_FEED_H
#define LOG_WAL_FEED_H

#include "wal.h"

enum { WAL_FEED_BYTES = 32 << 10 }; /* of records in one answer, unless one is larger */

struct wal_feed;

struct wal_feed_options {
    const char *dir;      /* the data folder; borrowed for wal_feed_new */
    bool force_buffered;  /* as the log was opened */
    struct disk *disk;    /* read through it instead, in the ask; borrowed for the feed's life */
    uint8_t context_type; /* the last record of it before the first one told, in its group */
};

/* Records that follow each other, as they stand in one group. Valid until the next ask. */
struct wal_feed_part {
    uint64_t lsn; /* of the first one */
    uint32_t count;
    uint64_t time_ms;     /* of the group */
    const uint8_t *bytes; /* count times a record header and its bytes */
    const uint8_t *context; /* record header and bytes, or NULL */
};

/* Errors: of the thread, the folder, or ERR_NOMEM. feed_out is then NULL. */
ERR_MUST_USE enum err wal_feed_new(const struct wal_feed_options *options,
                                   struct wal_feed **feed_out);
void wal_feed_free(struct wal_feed *feed);

/* Readable when wal_feed_take may have something to say; -1 with a disk given. */
int wal_feed_fd(const struct wal_feed *feed);

/* Read on from lsn, which is from wal_feed_oldest to wal_lsn_durable. Not while one is read. */
void wal_feed_ask(struct wal_feed *feed, const struct wal *wal, uint64_t lsn);

bool wal_feed_is_busy(const struct wal_feed *feed);

/* The end of the ask, once; false: none has ended. *err_out:
 *   ERR_OK        part_out is there, at least one record.
 *   ERR_NOTFOUND  the segment has gone: ask wal_feed_oldest again.
 *   ERR_DAMAGED   what is there does not verify; else the disk's errors. */
bool wal_feed_take(struct wal_feed *feed, enum err *err_out, struct wal_feed_part *part_out);

/* First LSN that may be asked for; the next one to come where the log holds none. */
uint64_t wal_feed_oldest(const struct wal *wal);

/* First LSN of the last segment that begins before lsn: a place to read from towards it; 0 = none
 * does. */
uint64_t wal_feed_before(const struct wal *wal, uint64_t lsn);

#endif
