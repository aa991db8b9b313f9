/* A reader's log over the disk, tables, a snapshot. */
#include "checkpoint.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "recovery.h"
#include "snapshot.h"

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static struct snapshot_mark mark_of(const struct wal *wal, const struct recovery_found *found,
                                    const struct tables *tables)
{
    struct snapshot_mark mark = {.lsn = found->log.last_lsn,
                                 .time_ms = found->log.last_time_ms,
                                 .state_ms = tables->time_ms,
                                 .group_number = found->log.group_number,
                                 .chain = found->log.chain,
                                 .digest = found->log.digest};
    memcpy(mark.uuid, wal_identity(wal)->uuid, sizeof mark.uuid);
    mark.is_origin = found->mark.is_origin && found->log.groups == 0;
    return mark;
}

static enum err write(const struct checkpoint_options *options, const struct tables *tables,
                      const struct snapshot_mark *mark, struct checkpoint_made *made, char *error)
{
    struct snapshot_written written;
    const enum err err =
        snapshot_write(options->disk, tables, mark, options->rate, &written, error);
    if (err == ERR_OK) {
        made->bytes = written.bytes;
        snapshot_room_keep(options->disk, written.bytes + written.bytes / 4);
    }
    return err;
}

static enum err recover_and_write(const struct checkpoint_options *options, struct wal *wal,
                                  struct checkpoint_made *made, char *error)
{
    struct tables tables;
    struct recovery_found found;
    const struct wal_until until = {options->lsn, UINT64_MAX};
    const struct recovery_options recovery = {.tables = options->tables, .until = &until};
    enum err err = recovery_run(wal, &recovery, &tables, &found, error);
    if (err != ERR_OK) {
        return err;
    }
    if (found.log.last_lsn != options->lsn || found.log.is_divided) {
        snprintf(error, WAL_ERROR_SIZE, "the log has no group that ends with LSN %llu",
                 (unsigned long long)options->lsn);
        err = ERR_NOTFOUND;
    } else {
        const struct snapshot_mark mark = mark_of(wal, &found, &tables);
        made->lsn = mark.lsn;
        made->group_number = mark.group_number;
        made->digest = mark.digest;
        made->records = found.log.records;
        err = write(options, &tables, &mark, made, error);
    }
    tables_close(&tables);
    return err;
}

_Static_assert((int)SNAPSHOT_ERROR_SIZE <= (int)WAL_ERROR_SIZE, "one text serves both");

enum err checkpoint_make(const struct checkpoint_options *options, struct checkpoint_made *made_out,
                         char error[WAL_ERROR_SIZE])
{
    struct wal *wal;
    const uint64_t start = now_us();
    const struct wal_options reader = {.disk = options->disk, .is_reader = true};
    memset(made_out, 0, sizeof *made_out);
    enum err err = wal_open(&reader, error, &wal);
    if (err != ERR_OK) {
        return err;
    }
    err = recover_and_write(options, wal, made_out, error);
    wal_close(wal);
    made_out->took_us = now_us() - start;
    return err;
}
