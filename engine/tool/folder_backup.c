/* Files are copied in the order in which nothing is missed: snapshots, then segments by rising
 * number, of each the groups that are whole. The engine may write on in one segment after it was
 * copied and in the next before that is: then the next one does not continue the copy and is left
 * out, as if the copy had been made before. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "folder_copy.h"
#include "recovery.h"
#include "snapshot.h"
#include "wal_format.h"

enum { SEGMENTS_MAX = 1 << 16, PIECE = 1 << 20, PASSING_SNAPSHOTS = 2 };

struct backup {
    struct disk *from;
    struct disk *to;
    FILE *out;
    char *error;
    uint8_t *bytes; /* of the largest group */
    uint64_t *ordinals;
    uint32_t count;
    uint64_t next_number; /* group that the next segment must begin with, at most; 0 = any */
    bool is_at_end;       /* the copy ends: later segments would not continue it */
    uint64_t copied;
};

#define PASSING_NAME "making.tmp"

static enum err fail(struct backup *backup, enum err err, const char *name)
{
    snprintf(backup->error, WAL_ERROR_SIZE, "%s: %s", name, err_text(err));
    return err;
}

static void see(void *owner, const char *name)
{
    struct backup *backup = owner;
    uint64_t ordinal;
    if (!wal_segment_name_parse(name, &ordinal) || backup->count == SEGMENTS_MAX) {
        return;
    }
    uint32_t at = backup->count++;
    for (; at > 0 && backup->ordinals[at - 1] > ordinal; at--) {
        backup->ordinals[at] = backup->ordinals[at - 1];
    }
    backup->ordinals[at] = ordinal;
}

/* Bytes [0, end) of an open file, as a file of size bytes of the same name. */
static enum err copy_bytes(struct backup *backup, int file, const char *name, uint64_t end,
                           uint64_t size)
{
    int made;
    struct disk *to = backup->to;
    enum err err = to->ops->make(to, PASSING_NAME, 0, &made);
    if (err != ERR_OK) {
        return err;
    }
    for (uint64_t at = 0; at < end && err == ERR_OK; at += PIECE) {
        const uint64_t piece = end - at < PIECE ? end - at : PIECE;
        err = backup->from->ops->read(backup->from, file, at, backup->bytes, piece);
        if (err == ERR_OK) {
            err = to->ops->write(to, made, at, backup->bytes, piece);
        }
    }
    if (err == ERR_OK) {
        err = to->ops->finish(to, made, size);
    }
    to->ops->close(to, made);
    backup->copied += end;
    return err == ERR_OK ? to->ops->rename(to, PASSING_NAME, name) : err;
}

static enum err copy_snapshot(struct backup *backup, uint64_t lsn)
{
    int file;
    uint64_t size;
    char name[SNAPSHOT_NAME_SIZE];
    snapshot_name(lsn, name);
    enum err err = backup->from->ops->open(backup->from, name, &file, &size);
    if (err == ERR_NOTFOUND) {
        return ERR_OK; /* a newer one took its place meanwhile, and the log from there is kept */
    }
    if (err == ERR_OK) {
        err = size % SNAPSHOT_BLOCK ? ERR_DAMAGED
                                    : copy_bytes(backup, file, name, size, size);
        backup->from->ops->close(backup->from, file);
    }
    return err == ERR_OK ? ERR_OK : fail(backup, err, name);
}

/* The whole group at offset, if there is one. */
static enum err read_group(struct backup *backup, int file, uint64_t epoch, uint64_t offset,
                           uint64_t file_size, struct wal_group_header *header, bool *is_whole_out)
{
    struct disk *from = backup->from;
    *is_whole_out = false;
    enum err err = from->ops->read(from, file, offset, backup->bytes, WAL_BLOCK_SIZE);
    if (err != ERR_OK ||
        wal_group_decode(backup->bytes, epoch, offset, header) != WAL_VERDICT_OK) {
        return err;
    }
    const uint64_t size = wal_group_size(header->size);
    if (size > file_size - offset) {
        return ERR_OK;
    }
    err = from->ops->read(from, file, offset, backup->bytes, size);
    *is_whole_out = err == ERR_OK && wal_group_is_sound(header, backup->bytes);
    return err;
}

/* Where the whole groups of the segment end; it is left out where it does not continue the copy. */
static enum err find_end(struct backup *backup, int file, uint64_t size, uint64_t *end_out)
{
    struct wal_segment_header segment;
    struct wal_group_header header;
    bool is_whole = true;
    struct disk *from = backup->from;
    *end_out = 0;
    enum err err = size < WAL_BLOCK_SIZE
                       ? ERR_DAMAGED
                       : from->ops->read(from, file, 0, backup->bytes, WAL_BLOCK_SIZE);
    if (err != ERR_OK || wal_segment_decode(backup->bytes, &segment) != WAL_VERDICT_OK) {
        return err == ERR_OK ? ERR_DAMAGED : err;
    }
    uint64_t at = WAL_BLOCK_SIZE;
    while (at < size && err == ERR_OK && is_whole) {
        err = read_group(backup, file, segment.epoch, at, size, &header, &is_whole);
        if (err != ERR_OK || !is_whole) {
            break;
        }
        if (at == WAL_BLOCK_SIZE && backup->next_number && header.number > backup->next_number) {
            backup->is_at_end = true;
            return ERR_OK;
        }
        backup->next_number = header.number + 1;
        at += wal_group_size(header.size);
    }
    *end_out = at;
    return err;
}

static enum err copy_segment(struct backup *backup, uint64_t ordinal)
{
    int file;
    uint64_t size;
    uint64_t end;
    char name[WAL_NAME_SIZE];
    wal_segment_name(ordinal, name);
    enum err err = backup->from->ops->open(backup->from, name, &file, &size);
    if (err == ERR_NOTFOUND) {
        return ERR_OK; /* released meanwhile: the snapshots that are newer hold it */
    }
    if (err == ERR_OK) {
        err = find_end(backup, file, size, &end);
        if (err == ERR_OK && !backup->is_at_end) {
            err = copy_bytes(backup, file, name, end, size);
        }
        backup->from->ops->close(backup->from, file);
    }
    return err == ERR_OK ? ERR_OK : fail(backup, err, name);
}

static enum err copy_identity(struct backup *backup)
{
    size_t size;
    uint8_t bytes[WAL_IDENTITY_SIZE];
    enum err err =
        backup->from->ops->get(backup->from, "identity", bytes, sizeof bytes, &size);
    if (err == ERR_OK) {
        err = backup->to->ops->put(backup->to, "identity", bytes, size);
    }
    return err == ERR_OK ? ERR_OK : fail(backup, err, "identity");
}

static enum err copy_all(struct backup *backup)
{
    struct snapshot_list list;
    enum err err = snapshot_find(backup->from, &list);
    for (uint32_t i = 0; i < list.count && i < PASSING_SNAPSHOTS && err == ERR_OK; i++) {
        err = copy_snapshot(backup, list.lsns[i]);
    }
    if (err == ERR_OK) {
        err = backup->from->ops->list(backup->from, see, backup);
    }
    for (uint32_t i = 0; i < backup->count && err == ERR_OK && !backup->is_at_end; i++) {
        err = copy_segment(backup, backup->ordinals[i]);
    }
    return err == ERR_OK ? copy_identity(backup) : err; /* last: without it there is no backup */
}

static enum err open_target(const char *dir, struct disk **disk_out, char *error)
{
    uint8_t byte;
    size_t size;
    const struct disk_options where = {
        .dir = dir, .access = DISK_OWNER, .method = DISK_METHOD_FDATASYNC};
    enum err err = disk_pwrite_new(&where, disk_out);
    if (err != ERR_OK) {
        snprintf(error, WAL_ERROR_SIZE, "%s: %s", dir, err_text(err));
        return err;
    }
    if ((*disk_out)->ops->get(*disk_out, "identity", &byte, 1, &size) != ERR_NOTFOUND) {
        (*disk_out)->ops->free(*disk_out);
        snprintf(error, WAL_ERROR_SIZE, "%s has data already: name a new folder", dir);
        return ERR_EXISTS;
    }
    return ERR_OK;
}

static enum err open_source(const char *dir, enum disk_access access, struct disk **disk_out,
                            char *error)
{
    const struct disk_options where = {
        .dir = dir, .access = access, .method = DISK_METHOD_FDATASYNC};
    const enum err err = disk_pwrite_new(&where, disk_out);
    if (err != ERR_OK) {
        snprintf(error, WAL_ERROR_SIZE, "%s: %s%s", dir, err_text(err),
                 err == ERR_LOCKED ? ": an engine has it; make a backup of it first" : "");
    }
    return err;
}

static enum err backup_between(struct backup *backup)
{
    void *bytes = NULL;
    backup->ordinals = malloc(SEGMENTS_MAX * sizeof *backup->ordinals);
    if (!backup->ordinals ||
        posix_memalign(&bytes, DISK_ALIGN, wal_group_size(WAL_PAYLOAD_SIZE_MAX)) != 0) {
        free(backup->ordinals);
        return fail(backup, ERR_NOMEM, "backup");
    }
    backup->bytes = bytes;
    const enum err err = copy_all(backup);
    free(bytes);
    free(backup->ordinals);
    return err;
}

enum err folder_backup(const char *dir, const char *target, FILE *out, char error[WAL_ERROR_SIZE])
{
    struct backup backup = {.out = out, .error = error};
    error[0] = '\0';
    enum err err = open_source(dir, DISK_GLANCE, &backup.from, error);
    if (err != ERR_OK) {
        return err;
    }
    err = open_target(target, &backup.to, error);
    if (err == ERR_OK) {
        err = backup_between(&backup);
        backup.to->ops->free(backup.to);
    }
    backup.from->ops->free(backup.from);
    if (err == ERR_OK) {
        fprintf(out, "backup: %llu bytes of snapshots and log in %s\n",
                (unsigned long long)backup.copied, target);
    }
    return err;
}

/* -- restore -- */

/* The state as the first snapshot of a new history. */
static enum err write_origin(struct disk *to, const struct tables *tables,
                             const struct wal_identity *old, const struct recovery_found *found,
                             char *error)
{
    char name[SNAPSHOT_NAME_SIZE];
    uint8_t bytes[WAL_IDENTITY_SIZE];
    struct snapshot_written written;
    struct wal_identity identity = *old;
    enum err err = to->ops->random(to, identity.uuid, sizeof identity.uuid);
    if (err != ERR_OK) {
        return err;
    }
    struct snapshot_mark mark = {.lsn = found->log.last_lsn,
                                 .time_ms = found->log.last_time_ms,
                                 .state_ms = tables->time_ms,
                                 .group_number = found->log.group_number,
                                 .chain = wal_chain_seed(identity.uuid),
                                 .digest = tables->digest,
                                 .is_origin = true};
    memcpy(mark.uuid, identity.uuid, sizeof mark.uuid);
    err = snapshot_write(to, tables, &mark, 0, &written, error);
    if (err == ERR_OK) {
        snapshot_name(mark.lsn, name);
        err = to->ops->rename(to, SNAPSHOT_TMP_NAME, name);
    }
    if (err == ERR_OK) {
        wal_identity_encode(&identity, bytes);
        err = to->ops->put(to, "identity", bytes, sizeof bytes); /* last: now it is a folder */
    }
    return err;
}

/* Whether what was asked for is in the backup. A time may lie behind its last record: nothing has
 * happened since. An LSN may not: whoever names it means a record that is not there. */
static enum err bound_is_there(const struct wal_recovery *found, const struct wal_until *until,
                               char *error)
{
    if (found->group_number == 0) {
        snprintf(error, WAL_ERROR_SIZE, "the backup has nothing from before that moment");
        return ERR_NOTFOUND;
    }
    if (until->time_ms == UINT64_MAX && until->lsn != UINT64_MAX && found->last_lsn < until->lsn) {
        snprintf(error, WAL_ERROR_SIZE, "the backup ends with LSN %llu, before LSN %llu",
                 (unsigned long long)found->last_lsn, (unsigned long long)until->lsn);
        return ERR_NOTFOUND;
    }
    return ERR_OK;
}

static enum err restore_between(struct disk *from, struct disk *to, const struct wal_until *until,
                                const struct tables_options *options, FILE *out, char *error)
{
    struct wal *wal;
    struct tables tables;
    struct recovery_found found;
    const struct wal_options reader = {.disk = from, .is_reader = true};
    const struct recovery_options recovery = {.tables = *options, .until = until};
    enum err err = wal_open(&reader, error, &wal);
    if (err != ERR_OK) {
        return err;
    }
    err = recovery_run(wal, &recovery, &tables, &found, error);
    if (err == ERR_OK) {
        err = bound_is_there(&found.log, until, error);
        if (err == ERR_OK) {
            err = write_origin(to, &tables, wal_identity(wal), &found, error);
        }
        tables_close(&tables);
    }
    if (err == ERR_OK) {
        fprintf(out, "restored up to lsn %llu, time %llu\n",
                (unsigned long long)found.log.last_lsn,
                (unsigned long long)found.log.last_time_ms);
    }
    wal_close(wal);
    return err;
}

enum err folder_restore(const char *backup, const char *dir, const struct wal_until *until,
                        const struct tables_options *tables, FILE *out, char error[WAL_ERROR_SIZE])
{
    struct disk *from;
    struct disk *to;
    error[0] = '\0';
    enum err err = open_source(backup, DISK_LOOK, &from, error);
    if (err != ERR_OK) {
        return err;
    }
    err = open_target(dir, &to, error);
    if (err == ERR_OK) {
        err = restore_between(from, to, until, tables, out, error);
        to->ops->free(to);
    }
    from->ops->free(from);
    if (err != ERR_OK && !error[0]) {
        snprintf(error, WAL_ERROR_SIZE, "%s: %s", dir, err_text(err));
    }
    return err;
}
