/* The write-ahead log: records go into a collecting group in place, groups go to the disk one at
 * a time, and the owner hears up to which LSN everything is durable.
 *
 * One thread (the engine loop) makes every call. Life: wal_open, wal_recover, then for each batch
 * wal_has_room before the first change, wal_append_begin/_end per record, wal_submit at the end;
 * wal_drive whenever wal_poll_fd is readable. Callbacks run only inside wal_recover (replay) and
 * wal_drive (durable, failed); from durable it is allowed to append and submit. */
#ifndef LOG_WAL_H
#define LOG_WAL_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "err.h"
#include "hash.h"
#include "hist.h"
#include "wal_format.h"

enum {
    WAL_ERROR_SIZE = 512,
    WAL_SEAL_AFTER_MS = 10,
    WAL_RECORD_SIZE_MAX = (1 << 24) - 1,
    WAL_LONE_AFTER = 32,       /* groups in time, until the caller's thread flushes again */
    WAL_LONE_SIZE = 64 << 10   /* of a group on disk that it still flushes */
};

enum wal_backend { WAL_BACKEND_AUTO, WAL_BACKEND_URING, WAL_BACKEND_PWRITE };

/* One more record, with LSN and the engine time of its group. bytes live for the call. */
typedef enum err wal_replay_cb(void *owner, uint64_t lsn, uint64_t time_ms, uint8_t type,
                               const uint8_t *bytes, uint32_t size);

/* After the last record of each group found: the owner compares its state's digest with the
 * stamped one and answers ERR_DAMAGED where they differ. */
typedef enum err wal_group_cb(void *owner, const struct digest *stamped, uint64_t last_lsn,
                              uint64_t time_ms);

/* Everything up to lsn is durable. */
typedef void wal_durable_cb(void *owner, uint64_t lsn);

/* The first write, flush or file operation that failed: the log is dead, nothing more becomes
 * durable. Once. why is valid for the call. */
typedef void wal_failed_cb(void *owner, const char *why);

/* Zero is the default everywhere but in dir. */
struct wal_options {
    const char *dir;         /* the data folder; borrowed for wal_open */
    uint64_t segment_size;   /* of new segments, multiple of 4 KiB; 0 = 256 MiB */
    uint32_t group_size_max; /* payload of one group; 0 = 4 MiB */
    enum wal_backend backend;
    struct disk *disk; /* custom back end instead; borrowed, must outlive the log */
    enum disk_method method;
    bool force_buffered;
    bool force_unregistered;
    uint32_t lone_flush_us; /* of wal_submit_alone; 0 = it is as wal_submit, UINT32_MAX = always */
    bool unsafe_no_sync; /* acknowledges before the disk has it: for comparisons only */
    bool is_reader; /* for wal_read alone, with a disk given: nothing is written */
    uint64_t retain_bytes; /* of segments that no snapshot needs, kept for readers of events */
    uint64_t retain_ms;    /* so old they get at least */
    wal_durable_cb *durable;
    wal_failed_cb *failed;
    void *owner; /* given to durable and failed */
};

/* A state that came from elsewhere, a snapshot: the log is read from behind it. */
struct wal_start {
    uint64_t lsn;          /* of the last record in it */
    uint64_t time_ms;      /* of that record */
    uint64_t group_number; /* of the group that ends with it */
    uint64_t chain;        /* that the next group must carry */
    struct digest digest;
    bool is_origin; /* history begins with it: the log may be empty */
    bool is_whole;  /* look at every group before it too still there, not just at the last */
};

/* How far wal_read goes: to the last record that both allow. */
struct wal_until {
    uint64_t lsn;
    uint64_t time_ms;
};

/* What wal_recover or wal_read found. */
struct wal_recovery {
    uint64_t segments;
    uint64_t oldest_lsn;   /* first record that is still in the log; 0 = none is */
    uint64_t group_number; /* of the last group, read or of the start; 0 = none */
    uint64_t chain;        /* that the next group must carry */
    bool is_divided; /* wal_read ended inside a group: its records behind the bound were not told,
                        and the digest is that of the whole group */
    uint64_t groups; /* verified and replayed, seals included */
    uint64_t passed; /* verified only, as they are from before the start */
    uint64_t records;
    uint64_t bytes;        /* of those groups on disk */
    uint64_t last_lsn;     /* 0 in an empty log */
    uint64_t last_time_ms; /* engine time resumes from it */
    struct digest digest;  /* stamped in the last group, or of the start */
    uint64_t rewritten;    /* groups above the last stamp, written again and flushed */
    bool has_torn_tail;    /* the last group begun was never completed; it is left as it is */
    char torn_file[WAL_NAME_SIZE];
    uint64_t torn_offset;
    uint64_t took_us;
};

/* Whether the collecting group may take more, and if not, what is missing. */
enum wal_room {
    WAL_ROOM_OK,
    WAL_ROOM_GROUP_FULL,   /* until the group in flight is durable: stop reading from clients */
    WAL_ROOM_SEGMENT_LATE, /* until the next segment is ready: the same */
    WAL_ROOM_DISK_FULL,    /* until there is space again: READ_ONLY */
    WAL_ROOM_DEAD          /* for ever */
};

/* Who asks for room: on a full disk the last part of the segment is kept for what frees stock
 * (cancel, release) and for the engine's own records (invariant 9). */
enum wal_claim { WAL_CLAIM_CHANGE, WAL_CLAIM_RELEASE };

struct wal_stats {
    uint64_t groups; /* written and durable, seals included */
    uint64_t seals;
    uint64_t lone; /* flushed by the caller's thread */
    uint64_t records;
    uint64_t bytes; /* on disk, padding included */
    uint64_t payload_bytes;
    uint64_t segments;       /* begun since start */
    uint64_t segment_waits;  /* groups that had to wait for a segment */
    uint64_t segments_now;   /* on disk, with the active and without the spare one */
    uint64_t segment_bytes;  /* of those */
    uint64_t removed;        /* segments that nothing needed any more */
    uint64_t remove_errors;
    uint64_t oldest_lsn;     /* first record that is still in the log; 0 = none is */
    struct hist flush_us;    /* per group, submission to completion */
    struct hist lone_us;     /* of those that the caller's thread flushed: how long that was held */
    struct hist group_bytes; /* payload per group */
};

struct wal;

/* Open the data folder: lock, start-up probes, identity (made in an empty folder). With a custom
 * disk none but the identity. error_out gets what, file and what to do; "" on success.
 *
 * Errors: ERR_LOCKED another process has it; ERR_FORMAT identity of an unknown version;
 * ERR_DAMAGED identity damaged, or missing beside a log; ERR_INVALID options; ERR_UNSUPPORTED a
 * forced back end is not to be had; else the disk's. */
ERR_MUST_USE enum err wal_open(const struct wal_options *options, char error_out[WAL_ERROR_SIZE],
                               struct wal **wal_out);

const struct wal_identity *wal_identity(const struct wal *wal);
const struct disk_facts *wal_facts(const struct wal *wal);
struct disk *wal_disk(const struct wal *wal);

/* The probes as `log=io_uring direct=yes ...`, for the ready line; valid until wal_close. */
const char *wal_facts_text(struct wal *wal);

/* Have the log read from behind that state (copied) instead of from its beginning. Before
 * wal_recover or wal_read; the log must continue the state, or is refused. */
void wal_start_at(struct wal *wal, const struct wal_start *start);

/* The log must go up to that LSN, or up to the bound of wal_read, or is refused: something that
 * cannot be started from tells that it did. Before wal_recover or wal_read. */
void wal_reach(struct wal *wal, uint64_t lsn);

/* Hear of each record `lead` records before it is told, as a hint to fetch what it will touch; at
 * the end of a group size 0 stands for those that are not there. Before wal_recover or wal_read. */
typedef void wal_ahead_cb(void *owner, uint8_t type, const uint8_t *bytes, uint32_t size);
void wal_ahead(struct wal *wal, wal_ahead_cb *ahead, uint32_t lead);

/* Read the log up to until and stop there, telling each record and group; nothing is changed, and
 * the log may be one that another process is writing, if until is durable in it. Once, right after
 * wal_open. Without a bound (UINT64_MAX twice) everything is looked at as in wal_recover. Errors
 * as there. */
ERR_MUST_USE enum err wal_read(struct wal *wal, const struct wal_until *until,
                               wal_replay_cb *replay, wal_group_cb *group, void *owner,
                               struct wal_recovery *found_out);

/* Read the whole log, telling each record and group, then make what was read durable and open
 * the log for appending. Once, right after wal_open. After an error only wal_error and wal_close
 * are allowed and the owner's state is to be thrown away; nothing on disk was changed.
 *
 * Errors: ERR_DAMAGED, ERR_FORMAT with file, offset and reason in wal_error; what a callback
 * answered; else the disk's. A full disk is no error: the log starts without room. */
ERR_MUST_USE enum err wal_recover(struct wal *wal, wal_replay_cb *replay, wal_group_cb *group,
                                  void *owner, struct wal_recovery *found_out);

/* Text of the last error: file, offset, reason. Never NULL. */
const char *wal_error(const struct wal *wal);

/* LSN of the last record appended, and up to which all is durable. 0 = none. */
uint64_t wal_lsn_begun(const struct wal *wal);
uint64_t wal_lsn_durable(const struct wal *wal);

/* Whether records more records of together bytes bytes (without record headers) fit, in the group
 * and on the disk. Ask before the first change that they describe. */
enum wal_room wal_room(const struct wal *wal, uint32_t bytes, uint32_t records,
                       enum wal_claim claim);
bool wal_has_room(const struct wal *wal, uint32_t bytes, uint32_t records);

/* The state that is durable: what a snapshot of wal_lsn_durable must have. */
void wal_durable_digest(const struct wal *wal, struct digest *digest_out);

/* A rename or a removal (to NULL) in the data folder beside the loop, durable when done tells it;
 * segments go first. Names are copied. One at a time: not again before done. */
typedef void wal_chore_cb(void *owner, enum err err);
void wal_chore(struct wal *wal, const char *from, const char *to, wal_chore_cb *done, void *owner);

/* Groups up to that number are not needed any more (two snapshots hold them): segments of which
 * no later one is needed are removed one by one beside the loop, subject to the options' retain_*.
 * Also called from time to time with 0, for those that were kept by their age. */
void wal_release(struct wal *wal, uint64_t group_number);

/* Try again to make the next segment after the disk was full; about once a second. No-op else. */
void wal_retry(struct wal *wal);

/* Engine time of the records appended from now on. It is kept per group: while the collecting
 * group has records this changes nothing, and wal_time tells the time that new records get. */
void wal_time_set(struct wal *wal, uint64_t time_ms);
uint64_t wal_time(const struct wal *wal);

/* The next group has this time, not before that of any record, until wal_time_set says a later one:
 * who goes on with what it began in this group does so at the same time. */
void wal_time_keep(struct wal *wal, uint64_t time_ms);

/* Room for one record of at most size_max bytes in the collecting group, valid until _end. The
 * caller has asked wal_room. */
uint8_t *wal_append_begin(struct wal *wal, uint32_t size_max);

/* End that record at its true size; returns its LSN. */
uint64_t wal_append_end(struct wal *wal, uint8_t type, uint32_t size);

/* Let the collecting group go: at once when none is in flight, else on its completion, provided
 * nothing was appended after this call (then the next call lets it go). digest is that of the
 * state after the last record. No-op on an empty group. */
void wal_submit(struct wal *wal, const struct digest *digest);

/* The same where the caller has nothing else to do: a small group that may go at once is written
 * and flushed by this very thread, which saves the ways there and back between threads, unless one
 * of the last WAL_LONE_AFTER groups took longer than lone_flush_us. The next wal_drive tells. */
void wal_submit_alone(struct wal *wal, const struct digest *digest);

/* Whether a group is being written or waits for its segment. */
bool wal_is_busy(const struct wal *wal);

/* Readable when wal_drive has something to do; -1 with a simulated disk. */
int wal_poll_fd(const struct wal *wal);
void wal_drive(struct wal *wal);

/* Block until wal_drive has run something; for tools and tests. */
void wal_wait(struct wal *wal);

/* Milliseconds until a seal is due, UINT32_MAX if none is: the log has been idle, all durable,
 * since the first call that saw it so, and its last group is not stamped yet. now_ms is any
 * monotonic clock. wal_seal writes an empty group that stamps it; no-op when not idle. */
uint32_t wal_seal_due_ms(struct wal *wal, uint64_t now_ms);
void wal_seal(struct wal *wal);

void wal_stats(const struct wal *wal, struct wal_stats *stats_out);

/* Of the stats that one number, which each turn wants to know. */
uint64_t wal_bytes(const struct wal *wal);

/* Wait for the group in flight, seal, wait, unlock, free. What was appended but not submitted is
 * lost. NULL is fine. */
void wal_close(struct wal *wal);

#endif
