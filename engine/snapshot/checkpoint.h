/* The checkpoint: recovery up to an LSN, and a snapshot of what came out. It runs beside the
 * engine, in a process of its own, over the same folder, and disturbs nothing: it reads what is
 * durable and writes one file under a passing name. In simulation it is called in-process. */
#ifndef SNAPSHOT_CHECKPOINT_H
#define SNAPSHOT_CHECKPOINT_H

#include <stdint.h>

#include "disk.h"
#include "err.h"
#include "hash.h"
#include "tables.h"
#include "wal.h"

struct checkpoint_options {
    struct disk *disk; /* the data folder; borrowed */
    struct tables_options tables;
    uint64_t lsn;  /* durable in the log, and the end of a group */
    uint64_t rate; /* bytes a second to write at most; 0 = no bound */
};

struct checkpoint_made {
    uint64_t lsn;
    uint64_t group_number; /* groups up to it are in the snapshot */
    struct digest digest;
    uint64_t bytes;   /* of the file */
    uint64_t records; /* of the log, replayed */
    uint64_t took_us;
};

/* Write SNAPSHOT_TMP_NAME, durable and read back. Naming it is for whoever knows
 * that the digest is right. error gets what failed. Errors: those of recovery_run and
 * snapshot_write; ERR_NOTFOUND: no group of the log ends with that LSN. */
ERR_MUST_USE enum err checkpoint_make(const struct checkpoint_options *options,
                                      struct checkpoint_made *made_out,
                                      char error[WAL_ERROR_SIZE]);

#endif
