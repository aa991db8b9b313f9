/* Backup of a data folder, also from under a running engine, and restore of one, up to a moment.
 * One thread. */
#ifndef TOOL_FOLDER_COPY_H
#define TOOL_FOLDER_COPY_H

#include <stdio.h>

#include "err.h"
#include "tables.h"
#include "wal.h"

/* Copy snapshots and log of dir into target, a folder that is made, or has no data yet. The engine
 * may go on meanwhile: the copy is the state at some moment after the call began, as a start would
 * find it. What was copied is said. error gets what failed. Errors: ERR_EXISTS: target has data;
 * ERR_DAMAGED, ERR_FORMAT: the log is not whole, with file and offset, nothing was copied; the
 * disk's. */
ERR_MUST_USE enum err folder_backup(const char *dir, const char *target, FILE *out,
                                    char error[WAL_ERROR_SIZE]);

/* Make dir from a backup (or any folder that no engine has): the state after the last record that
 * until allows, as a snapshot with which a new history begins (another log_id, the same secret;
 * LSNs go on). Errors: ERR_EXISTS: dir has data; ERR_NOTFOUND: the backup begins after until; those
 * of recovery_run. */
ERR_MUST_USE enum err folder_restore(const char *backup, const char *dir,
                                     const struct wal_until *until,
                                     const struct tables_options *tables, FILE *out,
                                     char error[WAL_ERROR_SIZE]);

#endif
