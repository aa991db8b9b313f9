/* The floor's log: one group being written, one collecting; made durable by the faster of
 * RWF_DSYNC and fdatasync, into a file that was written once before. It is never read. */
#ifndef BENCH_FLOOR_FLOOR_LOG_H
#define BENCH_FLOOR_FLOOR_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <liburing.h>

#include "err.h"

enum { FLOOR_GROUP_MAX = 4 << 20 };

/* Owner: the loop. Buffers are FLOOR_GROUP_MAX bytes, aligned. */
struct floor_log {
    struct io_uring ring;
    uint8_t *buffers[2];
    uint32_t used;       /* bytes of the collecting buffer, its header included */
    uint32_t collecting; /* 0 or 1 */
    bool is_flying, uses_dsync, is_unsafe;
    uint32_t writes_left; /* completions still to come of the group in flight */
    uint64_t offset;      /* in the file, wraps */
    uint64_t groups, bytes;
    double flush_us[2];   /* median of fdatasync, dsync at start */
    int fd, event_fd;
};

/* path is made, preallocated and zero-filled. unsafe: groups complete without the disk.
 *
 * Errors: ERR_SYS (told on stderr), ERR_NOMEM. */
ERR_MUST_USE enum err floor_log_open(struct floor_log *log, const char *path, bool is_unsafe);
void floor_log_close(struct floor_log *log);

/* Room for a record, or NULL: the collecting group is full. */
uint8_t *floor_log_room(struct floor_log *log, uint32_t size);
static inline void floor_log_add(struct floor_log *log, uint32_t size)
{
    log->used += size;
}

/* Whether records wait and none are being written. */
bool floor_log_can_submit(const struct floor_log *log);
void floor_log_submit(struct floor_log *log);

/* Take completions. True: the group that was in flight is durable. Ends the process on a fault. */
bool floor_log_reap(struct floor_log *log);

#endif
