/* The log's state, shared by the files of this folder: wal.c (groups), wal_segment.c (segments),
 * wal_open.c (life), wal_recover.c (reading). */
#ifndef LOG_WAL_INTERNAL_H
#define LOG_WAL_INTERNAL_H

#include "wal.h"

#define WAL_MAGIC         0x57414c31u
#define WAL_SPARE_NAME    "spare.seg"
#define WAL_REWRITE_NAME  "rewrite.tmp"
#define WAL_IDENTITY_NAME "identity"

/* A segment that is open for writing. */
struct wal_segment {
    int file; /* -1: none */
    uint64_t ordinal;
    uint64_t epoch;
    uint64_t size;
    uint64_t offset; /* where the next group goes */
};

/* Where the segment after the active one stands; the table is in README.md. */
enum wal_next {
    WAL_NEXT_NONE,      /* none, nothing under way */
    WAL_NEXT_BUILDING,  /* spare.seg is being made beside the loop */
    WAL_NEXT_SPARE,     /* spare.seg is complete */
    WAL_NEXT_PROMOTING, /* spare.seg is being renamed to log-<ordinal>.seg */
    WAL_NEXT_READY,     /* it has its name, durably: a switch costs an open */
    WAL_NEXT_FULL       /* the last try met a full disk */
};

enum { WAL_CHORE_NAME_SIZE = 48 };

/* A file operation that an owner asked for. */
struct wal_chore {
    char from[WAL_CHORE_NAME_SIZE]; /* "" = none */
    char to[WAL_CHORE_NAME_SIZE];   /* "" = remove */
    wal_chore_cb *done;
    void *owner;
    bool is_running; /* the disk's job is taken */
};

/* A segment file that is in the log. */
struct wal_span {
    uint64_t ordinal;
    uint64_t size;
    uint64_t first_number; /* of its first group; 0 = none that counts */
    uint64_t first_lsn;
    uint64_t first_time_ms;
};

struct wal_group {
    uint8_t *bytes;     /* header, records, padding; DISK_ALIGN-aligned */
    uint32_t size;      /* payload so far */
    uint32_t count;     /* records so far */
    uint32_t submitted; /* count at the last wal_submit: equal = may leave */
    uint64_t first_lsn;
    uint64_t time_ms;
    struct digest digest; /* of the last wal_submit */
};

struct wal {
    uint32_t magic;
    /* -- set at open -- */
    struct disk *disk;
    bool owns_disk;
    bool is_reader;
    uint64_t retain_bytes;
    uint64_t retain_ms;
    uint32_t lone_flush_us; /* UINT32_MAX: no bound */
    struct wal_start start; /* group_number 0: none */
    uint64_t reach_lsn;     /* reading must come so far; 0: no matter */
    wal_ahead_cb *ahead;    /* of reading; NULL: none */
    uint32_t ahead_lead;
    uint64_t segment_size;
    uint32_t group_size_max;
    uint64_t group_memory_size; /* of both buffers */
    uint8_t *group_memory;
    struct wal_identity identity;
    wal_durable_cb *durable;
    wal_failed_cb *failed;
    void *owner;
    /* -- loop thread -- */
    bool is_open; /* recovered */
    bool is_dead;
    struct wal_group groups[2];
    struct wal_group *collecting;
    struct wal_group *flying; /* NULL: nothing being written */
    uint32_t append_size_max; /* between append_begin and _end, else 0 */
    uint64_t lsn_begun;
    uint64_t lsn_durable;
    uint64_t lsn_stamped; /* highest stamp in a durable header */
    uint64_t flying_last_lsn;
    uint64_t flying_started_ns;
    bool is_alone;      /* within wal_submit_alone */
    uint32_t lone_wait; /* groups in time that are wanted before the next one is flushed here */
    struct digest durable_digest; /* of the last durable group */
    struct wal_chore chore;
    uint64_t group_number;  /* of the last group begun */
    uint64_t chain;         /* what the next group must carry */
    uint64_t time_ms;       /* of the last wal_time_set */
    struct digest digest;   /* of the last group begun */
    uint64_t idle_since_ms; /* UINT64_MAX: not known to be idle */
    struct wal_segment active;
    struct wal_segment standby; /* the next one; file is open only in WAL_NEXT_READY */
    enum wal_next next;
    bool is_disk_full; /* since a try met a full disk, until one makes a segment */
    /* -- all segments on disk but the spare and the standby, by ordinal; the last is active -- */
    struct wal_span *spans;
    uint32_t span_count;
    uint32_t span_room;
    uint64_t released;    /* groups up to that number may go */
    bool is_removing;     /* the first of the spans is being removed: the disk's job is taken */
    bool is_remove_off;   /* it failed: not again before the next wal_release */
    bool is_waiting; /* a submitted group waits for a segment */
    bool is_failure_told;
    uint64_t rewrite_done; /* writes that ended during wal_recover */
    enum err rewrite_result;
    struct wal_stats stats;
    char facts_text[384];
    char error[WAL_ERROR_SIZE];
};

/* Set the error text; returns err. */
__attribute__((format(printf, 3, 4))) enum err wal_fail(struct wal *wal, enum err err,
                                                        const char *format, ...);

/* The log ends here: nothing more leaves. Only from inside wal_drive, which tells failed. */
void wal_die(struct wal *wal, enum err err, const char *doing);

/* Start the submitted collecting group if nothing is in flight and a segment can take it. */
void wal_start_group(struct wal *wal);

/* Wait until nothing is in flight. */
void wal_settle(struct wal *wal);

/* Hear of the completions of the disk. */
void wal_listen(struct wal *wal);

/* Segments. */
bool wal_segment_fits(const struct wal *wal, uint64_t size);
enum wal_room wal_segment_room(const struct wal *wal, uint64_t size, enum wal_claim claim);
void wal_segment_build(struct wal *wal);   /* NONE or FULL -> BUILDING */
void wal_segment_advance(struct wal *wal); /* promote early; the next when none is there */
bool wal_segment_switch(struct wal *wal);  /* READY -> active; false: not ready yet */
void wal_segment_job_done(void *owner, enum err err);

/* Whether room for one more span could be had; then wal_span_add takes it. */
bool wal_span_reserve(struct wal *wal);
void wal_span_add(struct wal *wal, const struct wal_span *span);

/* Start the removal of a segment that nothing needs, if there is one and no other job runs. */
void wal_span_remove(struct wal *wal);

/* Whether the disk's one job may be begun for something else than segments. */
bool wal_job_is_free(const struct wal *wal);
void wal_span_removed(struct wal *wal, enum err err);

/* Make a file of size with a fresh epoch, blocking; fills all of segment_out but file and
 * ordinal. */
ERR_MUST_USE enum err wal_segment_make(struct wal *wal, const char *name, uint64_t size,
                                       struct wal_segment *segment_out);

/* Look for a usable spare.seg: NEXT_SPARE, or NEXT_NONE when there is none. */
ERR_MUST_USE enum err wal_segment_find_spare(struct wal *wal);

/* Open the file that segment is named by. */
ERR_MUST_USE enum err wal_segment_open(struct wal *wal, struct wal_segment *segment);

/* wal_recover, second half (wal_resume.c): what is above the last stamp is made durable, and the
 * log gets a segment to append to. */
struct wal_reading;
ERR_MUST_USE enum err wal_resume(struct wal *wal, struct wal_reading *reading);

#endif
