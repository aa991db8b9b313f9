/* Recovery: the newest whole snapshot, then the log behind it. Used by the engine at its start, by
 * the checkpoint, which is recovery up to an LSN and a snapshot of what came out, and by the tools.
 *
 * One thread. Nothing here looks at a clock but to tell how long it took: times come from the
 * snapshot and the log. */
#ifndef SNAPSHOT_RECOVERY_H
#define SNAPSHOT_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "snapshot.h"
#include "tables.h"
#include "wal.h"

struct recovery_options {
    struct tables_options tables;
    const struct wal_until *until; /* NULL: to the end, and the log is opened for appending */
};

struct recovery_found {
    struct wal_recovery log;
    struct snapshot_mark mark;   /* of the snapshot taken; group_number 0 = none */
    uint64_t snapshot_us;        /* loading it */
    uint32_t passed_over;        /* newer snapshots that are damaged */
    uint64_t passed_lsn;         /* the highest of theirs, by header, else by name */
    char why[SNAPSHOT_ERROR_SIZE]; /* of the newest of those: file, offset, reason */
};

/* Fill tables (closed; initialised here) from the folder of wal, which was just opened. A damaged
 * snapshot is passed over for the one before it, and told, if the log goes as far as it did; one of
 * another format version, or that does not fit the limits, is refused. After an error the tables
 * are closed.
 * Errors: those of tables_init, snapshot_load and wal_recover; error gets file, offset, reason. */
ERR_MUST_USE enum err recovery_run(struct wal *wal, const struct recovery_options *options,
                                   struct tables *tables, struct recovery_found *found_out,
                                   char error[WAL_ERROR_SIZE]);

#endif
