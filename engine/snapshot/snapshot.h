/* Snapshots: the tables as one file, written from begin to end and read back, in a data folder
 * reached through a disk. The format is README.md's.
 *
 * Nothing here knows the log but by the mark of a snapshot: which state it is, and where the log
 * goes on behind it. One thread makes every call; memory is bounded by a buffer of one chunk.
 * Every refusal names file and offset. */
#ifndef SNAPSHOT_SNAPSHOT_H
#define SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "err.h"
#include "snapshot_format.h"
#include "tables.h"

enum { SNAPSHOT_ERROR_SIZE = 384, SNAPSHOT_LIST_MAX = 64 };

#define SNAPSHOT_TMP_NAME  "snapshot.tmp"
#define SNAPSHOT_ROOM_NAME "snapshot.room"

/* The snapshots of a folder, newest first; more than the list holds are not looked at. */
struct snapshot_list {
    uint64_t lsns[SNAPSHOT_LIST_MAX];
    uint32_t count;
};

ERR_MUST_USE enum err snapshot_find(struct disk *disk, struct snapshot_list *list_out);

struct snapshot_written {
    uint64_t bytes; /* of the file */
    uint64_t records;
};

/* Write tables as SNAPSHOT_TMP_NAME, durable, and read it back; naming it is the caller's. Space
 * that lies ready (SNAPSHOT_ROOM_NAME) is used. rate: bytes a second at most, 0 = no bound.
 * Errors: the disk's, ERR_NOMEM, ERR_DAMAGED (read back, it is not what was written); then there
 * is no such file. error gets file, offset, reason. */
ERR_MUST_USE enum err snapshot_write(struct disk *disk, const struct tables *tables,
                                     const struct snapshot_mark *mark, uint64_t rate,
                                     struct snapshot_written *written_out,
                                     char error[SNAPSHOT_ERROR_SIZE]);

/* Keep space for a snapshot of size bytes ready, if it can be had. */
void snapshot_room_keep(struct disk *disk, uint64_t size);

/* Read a snapshot's mark alone. Errors as of snapshot_load. */
ERR_MUST_USE enum err snapshot_peek(struct disk *disk, const char *name,
                                    struct snapshot_mark *mark_out,
                                    char error[SNAPSHOT_ERROR_SIZE]);

/* Hears of each chunk whose records the tables are about to take. */
struct snapshot_watch {
    void *owner;
    void (*chunk)(void *owner);
};

/* Read a snapshot whole into tables that are empty; tables NULL: only look whether every byte is
 * as it was written. uuid: of the folder, NULL = any. After an error the tables may only be closed.
 * Errors: ERR_DAMAGED, ERR_FORMAT (version or section that this program does not know), ERR_FULL (a
 * limit is lower than when it was written), ERR_NOMEM, the disk's; error names file, offset and
 * reason. */
ERR_MUST_USE enum err snapshot_load(struct disk *disk, const char *name, const uint8_t *uuid,
                                    struct tables *tables, struct snapshot_mark *mark_out,
                                    char error[SNAPSHOT_ERROR_SIZE]);

/* The same, watched. */
ERR_MUST_USE enum err snapshot_load_watched(struct disk *disk, const char *name,
                                            const uint8_t *uuid, struct tables *tables,
                                            const struct snapshot_watch *watch,
                                            struct snapshot_mark *mark_out,
                                            char error[SNAPSHOT_ERROR_SIZE]);

#endif
